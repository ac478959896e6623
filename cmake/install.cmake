# cmake --install: bin/, lib/, include/, share/.
if(TARGET nereid_exe)
  install(TARGETS nereid_exe RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  set_target_properties(nereid_exe PROPERTIES INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")
  # The alias under which existing deployments start the server.
  install(CODE "execute_process(COMMAND \${CMAKE_COMMAND} -E create_symlink nereid
    \$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}/tritonserver)")
endif()
install(TARGETS nereid LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${CMAKE_SOURCE_DIR}/include/nereid DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY ${CMAKE_SOURCE_DIR}/proto DESTINATION ${CMAKE_INSTALL_DATADIR}/nereid FILES_MATCHING PATTERN "*.proto")
