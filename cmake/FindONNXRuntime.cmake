# Finds ONNX Runtime: first what scripts/install_deps put under .deps/onnxruntime, then the system's.
#   ONNXRuntime::ONNXRuntime   imported target: headers as <onnxruntime_c_api.h>, <onnxruntime_cxx_api.h>
#   ONNXRuntime_API_VERSION    ORT_API_VERSION of the headers
#   ONNXRuntime_BUNDLED        ON when the library is the checkout's own and has to be installed with the program
#   ONNXRuntime_LIBRARY_DIR    folder of the shared library and its soname link
set(_ort_bundled ${CMAKE_CURRENT_LIST_DIR}/../.deps/onnxruntime)
get_filename_component(_ort_bundled ${_ort_bundled} ABSOLUTE)

find_path(ONNXRuntime_INCLUDE_DIR onnxruntime_cxx_api.h
  HINTS ${_ort_bundled}/include PATH_SUFFIXES onnxruntime)
find_library(ONNXRuntime_LIBRARY onnxruntime HINTS ${_ort_bundled}/lib)

if(ONNXRuntime_INCLUDE_DIR)
  file(STRINGS ${ONNXRuntime_INCLUDE_DIR}/onnxruntime_c_api.h _ort_line REGEX "^#define ORT_API_VERSION ")
  string(REGEX REPLACE ".* ([0-9]+).*" "\\1" ONNXRuntime_API_VERSION "${_ort_line}")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(ONNXRuntime
  REQUIRED_VARS ONNXRuntime_LIBRARY ONNXRuntime_INCLUDE_DIR
  REASON_FAILURE_MESSAGE "run scripts/install_deps")

if(ONNXRuntime_FOUND)
  get_filename_component(ONNXRuntime_LIBRARY_DIR ${ONNXRuntime_LIBRARY} DIRECTORY)
  set(ONNXRuntime_BUNDLED OFF)
  if(ONNXRuntime_LIBRARY_DIR STREQUAL "${_ort_bundled}/lib")
    set(ONNXRuntime_BUNDLED ON)
  endif()
  if(NOT TARGET ONNXRuntime::ONNXRuntime)
    add_library(ONNXRuntime::ONNXRuntime SHARED IMPORTED)
    set_target_properties(ONNXRuntime::ONNXRuntime PROPERTIES
      IMPORTED_LOCATION ${ONNXRuntime_LIBRARY}
      INTERFACE_INCLUDE_DIRECTORIES ${ONNXRuntime_INCLUDE_DIR})
  endif()
endif()
mark_as_advanced(ONNXRuntime_INCLUDE_DIR ONNXRuntime_LIBRARY)
unset(_ort_bundled)
