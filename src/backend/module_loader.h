#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "nereid/backend.h"

namespace nereid {

// Whether this server can drive a module built for that version of the interface: the major version
// has to be ours, the minor one at most ours. FAILED_PRECONDITION, naming both versions.
absl::Status CheckModuleVersion(uint32_t api_major, uint32_t api_minor);

// Opens the shared library at `path` and makes the backend in it. A library without the entry
// point, one of another version, and one whose create function fails, throws or returns nothing are
// refused with a status that names the path.
//
// A module that was opened well stays mapped until the process ends: responses, statuses and
// thread-local objects it made may outlive its backend, and their code must not go away under them.
absl::StatusOr<std::shared_ptr<Backend>> LoadBackendModule(const std::string& path,
                                                           const BackendContext& context);

// What a module may export besides: a tool of its own that the command line calls, with arguments
// and an exit status as a program has them (docs/backends.md). It prints for itself.
using BackendToolFunction = int (*)(int argc, const char* const* argv);
inline constexpr char kBackendToolSymbol[] = "NereidBackendTool";

// The tool of the module at `path`; UNIMPLEMENTED when it has none. No backend is made. The module
// stays mapped.
absl::StatusOr<BackendToolFunction> LoadBackendTool(const std::string& path);

}  // namespace nereid
