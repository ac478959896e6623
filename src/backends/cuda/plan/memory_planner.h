#pragma once

#include <cstddef>
#include <vector>

#include "absl/types/span.h"

namespace nereid::engine {

// A block that is needed from step `first` to step `last` of a program, both included.
struct BufferLifetime {
  size_t byte_size = 0;
  int first = 0;
  int last = 0;
};

struct MemoryPlan {
  std::vector<size_t> offsets;  // parallel to the lifetimes
  size_t byte_size = 0;         // of the arena they lie in
};

inline constexpr size_t kArenaAlignment = 256;

// Places blocks in one arena so that no two whose lifetimes meet overlap. Largest first, each into
// the smallest gap that holds it: within a few per cent of the peak of live bytes for the graphs of
// networks. Deterministic. Blocks of no bytes take no room.
MemoryPlan PlanMemory(absl::Span<const BufferLifetime> lifetimes);

// The most bytes that are live at one step: no plan is smaller.
size_t PeakLiveBytes(absl::Span<const BufferLifetime> lifetimes);

}  // namespace nereid::engine
