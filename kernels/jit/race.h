#pragma once

#include <functional>
#include <shared_mutex>
#include <vector>

#include "backends/cuda/device/device_memory.h"
#include "backends/cuda/device/stream.h"

namespace nereid::engine {

// Device microseconds that one call of `work` takes: the best of a few replays of a captured
// sequence of calls, so that the host's launch cost does not count. Work that cannot be captured is
// timed as it is.
absl::StatusOr<double> TimeOnDevice(const Stream& stream,
                                    const std::function<absl::Status()>& work);

// Held alone by a race, and shared by what would disturb one: loading of code, weights on their way
// to the GPU. A candidate must not wait for it.
std::shared_mutex& RaceGate();

// Times every candidate, as closely as it takes to tell, and gives the index of the fastest; those
// that fail are left out. The error of the last one when all do. The process runs one race at a
// time.
absl::StatusOr<size_t> Race(const Stream& stream,
                            const std::vector<std::function<absl::Status()>>& candidates);

// Memory of `bytes` filled with small numbers of any floating type, to race on.
absl::StatusOr<DeviceMemory> RaceBuffer(const Stream& stream, size_t bytes);

}  // namespace nereid::engine
