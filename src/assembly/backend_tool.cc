#include "assembly/backend_tool.h"

#include "assembly/core.h"
#include "backend/find_library.h"
#include "backend/module_loader.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid {

absl::StatusOr<int> RunBackendTool(const std::string& backend, const std::string& backend_directory,
                                   const std::vector<std::string>& arguments) {
  const std::string directory =
      backend_directory.empty() ? DefaultBackendDirectory() : backend_directory;
  BackendQuery query;
  query.backend = backend;
  const absl::StatusOr<std::string> path = FindBackendLibrary(query, directory);
  if (!path.ok()) {
    return absl::NotFoundError(StrCat("no backend '", backend, "' in '", directory, "'"));
  }
  NEREID_ASSIGN_OR_RETURN(const BackendToolFunction tool, LoadBackendTool(*path));
  std::vector<const char*> pointers;
  for (const std::string& argument : arguments) pointers.push_back(argument.c_str());
  return tool(static_cast<int>(pointers.size()), pointers.data());
}

}  // namespace nereid
