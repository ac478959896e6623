# Turns the rows of layers.cmake into one static library a module and the shared library libnereid.
# A module's sources are the *.cc files of its folder, so adding a file needs no list to be edited.
include(layers)

# Third party a module may see, beyond Abseil.
set(NEREID_THIRD_PARTY_common spdlog::spdlog PkgConfig::RE2)
set(NEREID_THIRD_PARTY_proto protobuf::libprotobuf)
set(NEREID_THIRD_PARTY_net PkgConfig::LIBEVENT Boost::headers ZLIB::ZLIB)
set(NEREID_THIRD_PARTY_observability prometheus-cpp::core)
set(NEREID_THIRD_PARTY_config protobuf::libprotobuf)
set(NEREID_THIRD_PARTY_wire protobuf::libprotobuf simdjson::simdjson)
set(NEREID_THIRD_PARTY_backend ${CMAKE_DL_LIBS})
set(NEREID_ABSEIL absl::status absl::statusor absl::strings absl::inlined_vector absl::flat_hash_map
  absl::flat_hash_set absl::span absl::time absl::cord)

# Modules that are not part of the shared core library.
set(NEREID_NOT_CORE net frontend cli backends)

function(nereid_check_layers)
  set(seen "")
  foreach(row IN LISTS NEREID_LAYERS)
    string(REPLACE "|" ";" parts "${row}")
    list(GET parts 0 name)
    list(LENGTH parts length)
    if(length GREATER 1)
      list(GET parts 1 deps)
      separate_arguments(deps)
      foreach(dep IN LISTS deps)
        if(NOT dep IN_LIST seen)
          message(FATAL_ERROR "layers.cmake: '${name}' names '${dep}', which is not in a row above it")
        endif()
      endforeach()
    endif()
    list(APPEND seen ${name})
  endforeach()
endfunction()

function(nereid_target_defaults target)
  target_compile_options(${target} PRIVATE ${NEREID_WARNINGS})
  target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR}/src)
endfunction()

# The include paths of everything built in the tree: src/ for "module/file.h", include/ for <nereid/file.h>, and the
# generated protobuf code as "proto/file.pb.h".
add_library(nereid_headers INTERFACE)
target_include_directories(nereid_headers INTERFACE ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR}/include
  ${CMAKE_BINARY_DIR}/generated)
target_compile_definitions(nereid_headers INTERFACE NEREID_VERSION="${PROJECT_VERSION}")
target_link_libraries(nereid_headers INTERFACE ${NEREID_ABSEIL} Threads::Threads)

function(nereid_add_proto_module)
  file(GLOB protos CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/proto/*.proto)
  set(out ${CMAKE_BINARY_DIR}/generated/proto)
  file(MAKE_DIRECTORY ${out})
  set(sources "")
  foreach(proto IN LISTS protos)
    get_filename_component(stem ${proto} NAME_WE)
    add_custom_command(
      OUTPUT ${out}/${stem}.pb.cc ${out}/${stem}.pb.h
      COMMAND protobuf::protoc -I${CMAKE_SOURCE_DIR} --cpp_out=${CMAKE_BINARY_DIR}/generated proto/${stem}.proto
      WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
      DEPENDS ${protos}
      VERBATIM)
    list(APPEND sources ${out}/${stem}.pb.cc)
  endforeach()
  add_library(nereid_proto STATIC ${sources})
  target_link_libraries(nereid_proto PUBLIC nereid_headers protobuf::libprotobuf)
endfunction()

function(nereid_add_module name deps)
  if(name STREQUAL "frontend")
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/frontend/*.cc)
  else()
    file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${name}/*.cc)
  endif()
  list(FILTER sources EXCLUDE REGEX "_cuda\\.cc$")
  if(NOT sources)
    add_library(nereid_${name} INTERFACE)
    set(scope INTERFACE)
  else()
    add_library(nereid_${name} STATIC ${sources})
    nereid_target_defaults(nereid_${name})
    set(scope PUBLIC)
  endif()
  list(TRANSFORM deps PREPEND nereid_)
  target_link_libraries(nereid_${name} ${scope} nereid_headers ${deps} ${NEREID_THIRD_PARTY_${name}})
endfunction()

function(nereid_add_all_modules)
  nereid_check_layers()
  set(core "")
  set(core_deps "")
  foreach(row IN LISTS NEREID_LAYERS)
    string(REPLACE "|" ";" parts "${row}")
    list(GET parts 0 name)
    set(deps "")
    list(LENGTH parts length)
    if(length GREATER 1)
      list(GET parts 1 deps)
      separate_arguments(deps)
    endif()
    if(name STREQUAL "proto")
      nereid_add_proto_module()
    elseif(NOT name IN_LIST NEREID_NOT_CORE OR name STREQUAL "net")
      nereid_add_module(${name} "${deps}")
    endif()
    if(NOT name IN_LIST NEREID_NOT_CORE)
      get_target_property(type nereid_${name} TYPE)
      if(NOT type STREQUAL "INTERFACE_LIBRARY")
        list(APPEND core nereid_${name})
      endif()
      list(APPEND core_deps ${NEREID_THIRD_PARTY_${name}})
    endif()
  endforeach()

  # libnereid: every core module, whole. Frontends, cli and backend modules link this one.
  file(WRITE ${CMAKE_BINARY_DIR}/empty.cc "")
  add_library(nereid SHARED ${CMAKE_BINARY_DIR}/empty.cc)
  foreach(module IN LISTS core)
    target_sources(nereid PRIVATE $<TARGET_OBJECTS:${module}>)
  endforeach()
  target_link_libraries(nereid PUBLIC nereid_headers ${core_deps})
  set_target_properties(nereid PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})

  # The frontends see the core through the shared library only.
  file(GLOB_RECURSE frontend_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/frontend/*.cc)
  file(GLOB net_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/net/*.cc)
  if(frontend_sources)
    add_library(nereid_frontend STATIC ${frontend_sources} ${net_sources})
    nereid_target_defaults(nereid_frontend)
    target_link_libraries(nereid_frontend PUBLIC nereid_headers nereid ${NEREID_THIRD_PARTY_net}
      gRPC::grpc++ gRPC::grpc++_reflection)
  endif()
endfunction()
