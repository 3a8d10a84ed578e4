# Headers, both libraries, a CMake package (vkinfer::vkinfer, vkinfer::vkinfer_static) and a pkg-config file.
include(CMakePackageConfigHelpers)
install(TARGETS vkinfer_shared vkinfer_static EXPORT vkinfer ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY engine/include/vkinfer DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
set_target_properties(vkinfer_shared PROPERTIES EXPORT_NAME vkinfer)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/vkinfer)
install(EXPORT vkinfer NAMESPACE vkinfer:: FILE vkinfer-targets.cmake DESTINATION ${package_dir})
configure_package_config_file(cmake/vkinfer-config.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/vkinfer-config.cmake
    INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/vkinfer-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/vkinfer-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/vkinfer-config-version.cmake
    DESTINATION ${package_dir})

# For static linking the importer's protobuf-c comes along.
if(VKI_ONNX)
    set(PKGCONFIG_PRIVATE "Requires.private: libprotobuf-c")
endif()
# The prefix is found from where the file lies, so that what is installed can be moved.
file(RELATIVE_PATH PKGCONFIG_TO_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(cmake/vkinfer.pc.in ${CMAKE_CURRENT_BINARY_DIR}/vkinfer.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/vkinfer.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
