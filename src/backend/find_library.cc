#include "backend/find_library.h"

#include <array>
#include <filesystem>
#include <system_error>

#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid {
namespace {

namespace fs = std::filesystem;

// Judges the name alone: a symbolic link inside a folder is its owner's business.
bool LiesInside(const fs::path& file, const fs::path& directory) {
  const fs::path relative = file.lexically_relative(directory.lexically_normal());
  return !relative.empty() && *relative.begin() != "..";
}

absl::Status Escapes(const BackendQuery& query, const std::string& library,
                     const std::string& directory) {
  return absl::InvalidArgumentError(
      StrCat("backend library name '", library, "' escapes backend directory '", directory,
             "', for model '", query.model_name, "', check model config runtime field"));
}

// What to do about models of backends that there is no module for, and will not be.
constexpr struct {
  std::string_view backend;
  std::string_view advice;
} kConversions[] = {
    {"tensorrt",
     "a TensorRT plan holds machine code for one GPU and one TensorRT version, and cannot be "
     "converted: put the ONNX file that it was built from into the version folder as 'model.onnx', "
     "remove 'platform', and set backend: \"cuda\", which needs no engine build"},
};

absl::Status NotFound(const BackendQuery& query, const std::string& library,
                      const std::array<std::string, 3>& searched) {
  for (const auto& row : kConversions) {
    if (row.backend != query.backend) continue;
    return absl::InvalidArgumentError(StrCat("model '", query.model_name, "' is for backend '",
                                             query.backend,
                                             "', which there is none of: ", row.advice));
  }
  if (query.runtime.empty()) {
    return absl::InvalidArgumentError(
        StrCat("unable to find backend library for backend '", query.backend,
               "', try specifying runtime on the model configuration."));
  }
  std::string message = StrCat("unable to find backend library '", library, "' for model '",
                               query.model_name, "', searched: ");
  for (const std::string& directory : searched) StrAppend(&message, "'", directory, "' ");
  return absl::InvalidArgumentError(message);
}

}  // namespace

absl::StatusOr<std::string> FindBackendLibrary(const BackendQuery& query,
                                               const std::string& backend_directory) {
  if (query.backend.empty()) {
    return absl::InvalidArgumentError(
        StrCat("must specify 'backend' for '", query.model_name, "'"));
  }
  const std::string library =
      query.runtime.empty() ? StrCat("libnereid_", query.backend, ".so") : query.runtime;
  const std::array<std::string, 3> directories = {query.version_path, query.model_path,
                                                  StrCat(backend_directory, "/", query.backend)};
  if (!LiesInside(fs::path(directories[2]).lexically_normal(), backend_directory)) {
    return Escapes(query, library, backend_directory);
  }
  for (const std::string& directory : directories) {
    if (directory.empty()) continue;
    const fs::path file = (fs::path(directory) / library).lexically_normal();
    if (!LiesInside(file, directory)) return Escapes(query, library, directory);
    std::error_code error;
    if (!fs::is_regular_file(file, error)) continue;
    return fs::canonical(file, error).string();
  }
  return NotFound(query, library, directories);
}

}  // namespace nereid
