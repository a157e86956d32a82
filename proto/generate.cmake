# What is made from .proto files, all of it in valise_gen. The lanes of the product and those of the tests are made alike.
set(valise_gen ${PROJECT_BINARY_DIR}/proto/gen)
set(wellknown_dir /usr/include CACHE PATH "where google/protobuf/*.proto are")
find_program(PROTOC protoc REQUIRED)
find_program(PROTOC_C protoc-c REQUIRED)
set(valise_proto_dir ${CMAKE_CURRENT_LIST_DIR})

# The C messages of PROTOS, which are named from ROOT. Adds to the lists that are named.
function(valise_messages root protos to_sources to_headers)
  set(made_sources ${${to_sources}})
  set(made_headers ${${to_headers}})
  foreach(proto IN LISTS protos)
    string(REPLACE ".proto" ".pb-c" stem ${proto})
    add_custom_command(
      OUTPUT ${valise_gen}/${stem}.c ${valise_gen}/${stem}.h
      COMMAND ${PROTOC_C} -I${root} -I${valise_proto_dir} -I${wellknown_dir} --c_out=${valise_gen} ${proto}
      DEPENDS ${root}/${proto}
      VERBATIM)
    list(APPEND made_sources ${valise_gen}/${stem}.c)
    list(APPEND made_headers ${valise_gen}/${stem}.h)
  endforeach()
  set(${to_sources} ${made_sources} PARENT_SCOPE)
  set(${to_headers} ${made_headers} PARENT_SCOPE)
endfunction()

# DIR/short.h of each package among PROTOS that has rows (view.proto): its names without the package. Adds to the list that is named.
function(valise_short_names protos to_shorts)
  set(made ${${to_shorts}})
  set(packages ${protos})
  list(FILTER packages INCLUDE REGEX "/view\\.proto$")
  list(TRANSFORM packages REPLACE "/view\\.proto$" "")
  foreach(package IN LISTS packages)
    set(of_package ${protos})
    list(FILTER of_package INCLUDE REGEX "^${package}/")
    list(TRANSFORM of_package REPLACE "\\.proto$" ".pb-c.h")
    set(paths ${of_package})
    list(TRANSFORM paths PREPEND ${valise_gen}/)
    add_custom_command(
      OUTPUT ${valise_gen}/${package}/short.h
      COMMAND ${CMAKE_COMMAND} -DOUT=${valise_gen}/${package}/short.h -DGEN=${valise_gen} -DPACKAGE=${package}
              "-DHEADERS=${of_package}" -P ${valise_proto_dir}/short.cmake
      DEPENDS ${paths} ${valise_proto_dir}/short.cmake
      VERBATIM)
    list(APPEND made ${valise_gen}/${package}/short.h)
  endforeach()
  set(${to_shorts} ${made} PARENT_SCOPE)
endfunction()

# OUT, the tables of bus/types.h, of PROTOS and the catalogues TOPICS.
function(valise_type_table out protos topics headers)
  add_custom_command(
    OUTPUT ${out}
    COMMAND ${CMAKE_COMMAND} -DOUT=${out} -DGEN=${valise_gen} "-DPROTOS=${protos}" "-DTOPICS=${topics}"
            -P ${valise_proto_dir}/types.cmake
    DEPENDS ${headers} ${topics} ${valise_proto_dir}/types.cmake
    VERBATIM)
endfunction()
