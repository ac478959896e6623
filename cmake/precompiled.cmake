# Most files spend a third of their compile time on the same standard headers. With NEREID_PCH they are compiled
# once for each of the three ways in which code is compiled here: libraries, libraries without threads, executables.
# Off by default, so that an editor's build, and the builds of TSan and libFuzzer, notice a missing include.
option(NEREID_PCH "Precompile the headers that most files include" OFF)

set(NEREID_PCH_HEADERS <algorithm> <array> <atomic> <chrono> <condition_variable> <cstdint> <cstring> <functional> <map>
  <memory> <mutex> <optional> <string> <string_view> <thread> <utility> <vector> "absl/status/status.h"
  "absl/status/statusor.h" "absl/types/span.h" "absl/container/inlined_vector.h")
set(NEREID_TEST_PCH_HEADERS ${NEREID_PCH_HEADERS} <gtest/gtest.h> <gmock/gmock.h>)
list(TRANSFORM NEREID_PCH_HEADERS REPLACE "^absl/(.*)$" "<absl/\\1>")
list(TRANSFORM NEREID_TEST_PCH_HEADERS REPLACE "^absl/(.*)$" "<absl/\\1>")

# The first target of a family, compiled in the same way, makes the header; the others use it.
function(nereid_precompile target family)
  if(NOT NEREID_PCH)
    return()
  endif()
  get_property(owner GLOBAL PROPERTY NEREID_PCH_OWNER_${family})
  if(owner)
    target_precompile_headers(${target} REUSE_FROM ${owner})
    return()
  endif()
  set_property(GLOBAL PROPERTY NEREID_PCH_OWNER_${family} ${target})
  set(headers ${NEREID_PCH_HEADERS})
  if(family STREQUAL "test")
    set(headers ${NEREID_TEST_PCH_HEADERS})
  endif()
  target_precompile_headers(${target} PRIVATE ${headers})
endfunction()
