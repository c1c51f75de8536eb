# The library as others find it: headers, both libraries, find_package(critpipe), pkg-config.
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/critpipe)
set_target_properties(critpipe PROPERTIES EXPORT_NAME critpipe_static)
install(TARGETS ${libraries} EXPORT critpipe COMPONENT development
        LIBRARY COMPONENT library NAMELINK_COMPONENT development)
install(DIRECTORY critpipe/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/critpipe COMPONENT development
        FILES_MATCHING PATTERN "*.hpp")
install(FILES ${PROJECT_SOURCE_DIR}/schemas/crit-inspect.json DESTINATION ${CMAKE_INSTALL_DATADIR}/critpipe/schemas
        COMPONENT critpipe)
install(EXPORT critpipe NAMESPACE critpipe:: FILE critpipeTargets.cmake DESTINATION ${package_dir}
        COMPONENT development)

configure_package_config_file(install/critpipeConfig.cmake.in critpipeConfig.cmake INSTALL_DESTINATION ${package_dir}
                              NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(critpipeConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/critpipeConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/critpipeConfigVersion.cmake
        DESTINATION ${package_dir} COMPONENT development)

# Directories in critpipe.pc are relative to the prefix, unless they were given as absolute ones.
file(RELATIVE_PATH pc_up /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
string(REGEX REPLACE "/$" "" pc_prefix "\${pcfiledir}/${pc_up}")
if(IS_ABSOLUTE ${CMAKE_INSTALL_LIBDIR})
  set(pc_prefix ${CMAKE_INSTALL_PREFIX})
endif()
cmake_path(APPEND pc_libdir "\${prefix}" "${CMAKE_INSTALL_LIBDIR}")
cmake_path(APPEND pc_includedir "\${prefix}" "${CMAKE_INSTALL_INCLUDEDIR}")
set(pc_prefix ${pc_prefix} PARENT_SCOPE)  # libcontrol's critpipe-control.pc has them, too
set(pc_libdir ${pc_libdir} PARENT_SCOPE)
set(pc_includedir ${pc_includedir} PARENT_SCOPE)
configure_file(install/critpipe.pc.in critpipe.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/critpipe.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig
        COMPONENT development)

# What the JSON of programs looks like.
install(FILES ${PROJECT_SOURCE_DIR}/schemas/crit-check.json DESTINATION ${CMAKE_INSTALL_DATADIR}/critpipe/schemas
        COMPONENT critpipe)
