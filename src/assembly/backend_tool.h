#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace nereid {

// Runs the tool that the module of `backend` brings, the module being looked for where the server
// looks: in `backend_directory`, or the usual folder when that is empty. The first of `arguments`
// is the name the tool goes by. Gives its exit status; an error when there is no such module or
// tool.
absl::StatusOr<int> RunBackendTool(const std::string& backend, const std::string& backend_directory,
                                   const std::vector<std::string>& arguments);

}  // namespace nereid
