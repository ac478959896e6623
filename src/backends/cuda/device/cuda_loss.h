#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "backends/cuda/device/cuda_api.h"

namespace nereid::engine {

// What becomes of a process when a GPU meets a fault (an illegal address, a failed launch): from
// then on CUDA answers whatever the process asks of any GPU with that error, and makes no context
// any more. Resetting contexts changes nothing; only a new process works. Any thread.

// Whether that has been found out. Costs nothing.
bool IsCudaLost();
// OK until then; then UNAVAILABLE, naming GPU, error and what helps.
absl::Status CudaLost();

// Calls `tell` with the message of CudaLost(), once, on the thread that finds out, or at once if
// that has happened. For the rest of the process's life; a later listener takes the place of an
// earlier one that has not been called.
void WhenCudaIsLost(std::function<void(std::string reason)> tell);

// What a call said, after which nothing works: found out. Only the first counts.
void SetCudaLost(int ordinal, CUresult result, const char* call);

}  // namespace nereid::engine
