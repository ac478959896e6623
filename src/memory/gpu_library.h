#pragma once

#include <cstdlib>
#include <string>
#include <string_view>

namespace nereid {

// Where a library of the GPU driver, or of CUDA, is opened from: `name` itself, which the loader
// searches for, unless the environment variable NEREID_CUDA_FOLDER names a folder to open it from.
// The variable is for tests, which put a stand-in for the driver there.
inline std::string GpuLibraryPath(std::string_view name) {
  const char* folder = std::getenv("NEREID_CUDA_FOLDER");
  std::string path = folder == nullptr || *folder == '\0' ? "" : folder;
  if (!path.empty()) path += '/';
  return path.append(name);
}

}  // namespace nereid
