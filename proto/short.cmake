# Write OUT, the short names of one package: its types, descriptors and constants without the package in front. HEADERS are protoc-c's, as
# they are included; GEN is where they lie.
#
# A message M is `M`, its descriptor `M__descriptor`; an enum E is `E`, its constants are named as in the .proto.
set(includes "")
set(types "")
set(descriptors "")
set(constants "")
foreach(header IN LISTS HEADERS)
  string(APPEND includes "#include \"${header}\"\n")
  file(READ ${GEN}/${header} text)

  string(REGEX MATCHALL "extern const Protobuf[A-Za-z]+Descriptor +[a-z0-9_]+__descriptor" found "${text}")
  set(names "")
  foreach(match IN LISTS found)
    string(REGEX REPLACE "^.* ([a-z0-9_]+)$" "\\1" name "${match}")
    list(APPEND names ${name})
  endforeach()

  # Not those of a oneof, which are called alike in many messages.
  string(REGEX MATCHALL "\n(typedef struct|}) [A-Z][A-Za-z0-9_]+__V[0-9]+__[A-Za-z0-9_]+" found "${text}")
  foreach(match IN LISTS found)
    string(REGEX REPLACE "^.* ([A-Za-z0-9_]+)$" "\\1" long "${match}")
    string(REGEX REPLACE "^.*__V[0-9]+__" "" short "${long}")
    string(REPLACE "_" "" wanted "${long}")
    string(TOLOWER "${wanted}descriptor" wanted)
    foreach(name IN LISTS names)
      string(REPLACE "_" "" plain "${name}")
      if(plain STREQUAL wanted)
        string(APPEND types "typedef ${long} ${short};\n")
        string(APPEND descriptors "#define ${short}__descriptor ${name}\n")
      endif()
    endforeach()
  endforeach()

  string(REGEX MATCHALL "\n  [A-Z0-9_]+__[A-Z0-9_]+ = -?[0-9]+" found "${text}")
  foreach(match IN LISTS found)
    string(REGEX REPLACE "^\n  ([A-Z0-9_]+) = .*$" "\\1" long "${match}")
    string(REGEX REPLACE "^.*__([A-Z0-9_]+)__([A-Z0-9_]+)$" "\\1" enum "${long}")
    string(REGEX REPLACE "^.*__" "" short "${long}")
    string(FIND "${short}" "${enum}_" at)
    if(at EQUAL 0)
      string(APPEND constants "#define ${short} ${long}\n")
    endif()
  endforeach()
endforeach()
string(MAKE_C_IDENTIFIER "VALISE_${PACKAGE}_SHORT_H" guard)
string(TOUPPER ${guard} guard)
file(WRITE ${OUT} "/* Made by proto/short.cmake: the names of ${PACKAGE} without the package. Only that lane's view includes it. */
#ifndef ${guard}
#define ${guard}

${includes}
${types}
${descriptors}
${constants}
#endif
")
