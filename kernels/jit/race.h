#pragma once

#include <functional>
#include <vector>

#include "backends/cuda/device/device_memory.h"
#include "backends/cuda/device/stream.h"

namespace nereid::engine {

// Device microseconds that one call of `work` takes: the best of a few replays of a captured
// sequence of calls, so that the host's launch cost does not count. Work that cannot be captured is
// timed as it is.
absl::StatusOr<double> TimeOnDevice(const Stream& stream,
                                    const std::function<absl::Status()>& work);

// Times every candidate and gives the index of the fastest; those that fail are left out. The error
// of the last one when all do.
absl::StatusOr<size_t> Race(const Stream& stream,
                            const std::vector<std::function<absl::Status()>>& candidates);

// Memory of `bytes` filled with small numbers of any floating type, to race on.
absl::StatusOr<DeviceMemory> RaceBuffer(const Stream& stream, size_t bytes);

}  // namespace nereid::engine
