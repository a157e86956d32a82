# Write the tables behind bus/types.h: OUT from what protoc-c made in GEN, the list PROTOS, and the catalogues TOPICS.
#
# The full name of a message is read from protoc-c's .c, where it stands in the descriptor: the C name cannot be turned back.
set(includes "")
set(events "")
set(messages "")
foreach(proto IN LISTS PROTOS)
  string(REPLACE ".proto" ".pb-c" generated ${proto})
  string(APPEND includes "#include \"${generated}.h\"\n")
  file(READ ${GEN}/${generated}.c text)
  set(magic "=\n{\n  PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC,\n  ")
  string(REGEX MATCHALL "[a-z0-9_]+__descriptor ${magic}\"[^\"]+\"" found "${text}")
  get_filename_component(stem ${proto} NAME_WE)
  get_filename_component(lane ${proto} DIRECTORY)
  get_filename_component(noun ${lane} DIRECTORY)
  get_filename_component(noun ${noun} NAME)
  string(REPLACE "/" "\\." lane ${lane})
  foreach(match IN LISTS found)
    string(REGEX REPLACE "^([a-z0-9_]+) .*\"([^\"]+)\"$" "\\2 \\1" row "${match}")
    list(APPEND messages "${row}")
    if(stem STREQUAL noun AND row MATCHES "^${lane}\\.[A-Za-z0-9_]+ ")
      list(APPEND events "${row}")
    endif()
  endforeach()
endforeach()

# "FULL_NAME C_NAME" sorts as the full names do, since no character of a name comes before the space.
foreach(table IN ITEMS events messages)
  list(SORT ${table})
  list(TRANSFORM ${table} REPLACE "^.* (.*)$" "\t&\\1,\n")
  list(JOIN ${table} "" ${table})
endforeach()

# A lane is a topic with a precedence, whatever its name. One whose topicName ends with .<MISSION> is addressed.
set(names "")
set(lines "")
foreach(catalogue IN LISTS TOPICS)
  file(STRINGS ${catalogue} of_one REGEX "^  name: |^  topicName: |^ +valise/[a-z]+: |^ +cleanup.policy: |^---")
  list(APPEND lines "---" ${of_one})
endforeach()
macro(end_topic)
  if(name AND precedence)
    list(APPEND names ${name})
    set(precedence_${name} VL_${precedence})
    foreach(what IN ITEMS compacted broadcast addressed headquarters)
      if(${what} OR NOT DEFINED ${what}_${name})
        set(${what}_${name} ${${what}})
      endif()
    endforeach()
  endif()
  set(name "")
  set(precedence "")
  set(compacted false)
  set(broadcast true)
  set(addressed false)
  set(headquarters false)
endmacro()
end_topic()
foreach(line IN LISTS lines)
  if(line MATCHES "^---")
    end_topic()
  elseif(line MATCHES "^  name: *([a-z0-9.]+)")
    set(name ${CMAKE_MATCH_1})
  elseif(line MATCHES "^  topicName: *\"?([a-z0-9.]+)\\.<MISSION>")
    set(name ${CMAKE_MATCH_1})
    set(broadcast false)
    set(addressed true)
  elseif(line MATCHES "valise/precedence: *\"?([A-Z]+)")
    set(precedence ${CMAKE_MATCH_1})
  elseif(line MATCHES "valise/speaker: *HQ")
    set(headquarters true)
  elseif(line MATCHES "cleanup.policy: .*compact")
    set(compacted true)
  endif()
endforeach()
end_topic()
if(NOT names)
  message(FATAL_ERROR "${TOPICS} gives no topic a label valise/precedence")
endif()
list(REMOVE_DUPLICATES names)
list(SORT names)
set(lanes "")
foreach(name IN LISTS names)
  string(APPEND lanes "\t{\"${name}\", ${precedence_${name}}, ${compacted_${name}}, ${broadcast_${name}}, "
                      "${addressed_${name}}, ${headquarters_${name}}},\n")
endforeach()

file(WRITE ${OUT} "/* Made by proto/types.cmake. */
#include \"bus/types.h\"

${includes}
const struct vl_lane vl_lanes[] = {
${lanes}};
const size_t vl_n_lanes = sizeof(vl_lanes) / sizeof(vl_lanes[0]);

extern const ProtobufCMessageDescriptor *const vl_event_types[];
extern const size_t vl_n_event_types;
const ProtobufCMessageDescriptor *const vl_event_types[] = {
${events}\tNULL,
};
const size_t vl_n_event_types = sizeof(vl_event_types) / sizeof(vl_event_types[0]) - 1;

extern const ProtobufCMessageDescriptor *const vl_message_types[];
extern const size_t vl_n_message_types;
const ProtobufCMessageDescriptor *const vl_message_types[] = {
${messages}\tNULL,
};
const size_t vl_n_message_types = sizeof(vl_message_types) / sizeof(vl_message_types[0]) - 1;
")
