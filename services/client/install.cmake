# libvalise, the client as a shared library: client.h, valise.pc, and an example. It needs libsodium and no other library, and
# exports what client.h declares.
get_target_property(client_sources valise_client SOURCES)
add_library(valise_shared SHARED ${client_sources} bus/wire.c base/buf.c base/clock.c base/err.c base/rand.c base/text.c)
add_dependencies(valise_shared valise_proto)
target_include_directories(valise_shared PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
target_include_directories(valise_shared SYSTEM PRIVATE ${valise_gen} ${PROTOBUF_C_INCLUDE_DIRS})
target_link_libraries(valise_shared PRIVATE PkgConfig::SODIUM)
target_link_options(valise_shared PRIVATE -Wl,--no-undefined
                    -Wl,--version-script=${CMAKE_CURRENT_SOURCE_DIR}/client/exports.map)
set_target_properties(valise_shared PROPERTIES OUTPUT_NAME valise VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}
                      LINK_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/client/exports.map)

# Where it is installed does not matter: the file finds the others from where it lies itself.
file(RELATIVE_PATH VALISE_PC_TO_PREFIX /p/${CMAKE_INSTALL_LIBDIR}/pkgconfig /p)
configure_file(client/valise.pc.in ${CMAKE_CURRENT_BINARY_DIR}/valise.pc @ONLY)

install(TARGETS valise_shared LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES client/client.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/valise)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/valise.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(FILES client/example.c DESTINATION ${CMAKE_INSTALL_DOCDIR})
