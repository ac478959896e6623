#pragma once

#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "assembly/process_state.h"

namespace nereid {

// One process takes the place of another: the same program, arguments, environment and process id,
// so that whoever supervises it notices nothing. What the new one is told lies in memory whose
// descriptor it inherits, with the listening sockets; an environment variable says which it is.

// What this process was told; nothing in one that was started in the usual way. INVALID_ARGUMENT
// when it cannot be read. Once, before there are other threads.
absl::StatusOr<std::optional<ProcessState>> TakeProcessState();

// Does not return, unless it fails: a new process begins, and all threads and memory of this one
// are gone, without destructors and exit handlers. SIGINT and SIGTERM that are blocked and pending
// stay so.
absl::Status ReplaceProcess(const ProcessState& state);

}  // namespace nereid
