# cmake --install: bin/, lib/, include/, share/. What a backend author needs is the component nereid_sdk.
include(CMakePackageConfigHelpers)
if(TARGET nereid_exe)
  install(TARGETS nereid_exe RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  set_target_properties(nereid_exe PROPERTIES INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")
  # The alias under which existing deployments start the server.
  install(CODE "execute_process(COMMAND \${CMAKE_COMMAND} -E create_symlink nereid
    \$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}/tritonserver)")
endif()
install(TARGETS nereid LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT nereid_sdk)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/include/nereid DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT nereid_sdk)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/proto DESTINATION ${CMAKE_INSTALL_DATADIR}/nereid FILES_MATCHING PATTERN "*.proto")

set(sdk_dir ${CMAKE_INSTALL_LIBDIR}/cmake/Nereid)
configure_package_config_file(${CMAKE_SOURCE_DIR}/cmake/NereidConfig.cmake.in ${CMAKE_BINARY_DIR}/NereidConfig.cmake
  INSTALL_DESTINATION ${sdk_dir} PATH_VARS CMAKE_INSTALL_LIBDIR CMAKE_INSTALL_INCLUDEDIR)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/NereidConfigVersion.cmake COMPATIBILITY SameMajorVersion)
install(FILES ${CMAKE_BINARY_DIR}/NereidConfig.cmake ${CMAKE_BINARY_DIR}/NereidConfigVersion.cmake
  DESTINATION ${sdk_dir} COMPONENT nereid_sdk)
