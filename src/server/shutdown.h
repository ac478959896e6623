#pragma once

#include <chrono>

#include "absl/status/status.h"
#include "repository/model_repository.h"

namespace nereid {

// Empties `repository` within `timeout`: refuses further operations, waits for the requests in
// flight, unloads every model and waits until all of them are gone. Says once a second what it
// still waits for. INTERNAL "Exit timeout expired. Exiting immediately." when the time is over;
// then what is left goes on by itself. The caller refuses new requests before.
absl::Status DrainRepository(ModelRepository& repository, std::chrono::milliseconds timeout);

}  // namespace nereid
