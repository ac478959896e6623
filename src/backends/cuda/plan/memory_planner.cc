#include "backends/cuda/plan/memory_planner.h"

#include <algorithm>
#include <map>
#include <numeric>

namespace nereid::engine {
namespace {

size_t Aligned(size_t bytes) {
  return (bytes + kArenaAlignment - 1) / kArenaAlignment * kArenaAlignment;
}

bool Meet(const BufferLifetime& a, const BufferLifetime& b) {
  return a.first <= b.last && b.first <= a.last;
}

struct Placed {
  size_t begin;
  size_t end;
};

// Start of the smallest gap between `taken` (sorted by begin) that holds `bytes`; behind all of
// them when there is none.
size_t BestFit(const std::vector<Placed>& taken, size_t bytes) {
  size_t best = 0;
  size_t best_gap = SIZE_MAX;
  size_t free_from = 0;
  for (const Placed& block : taken) {
    if (block.begin > free_from) {
      const size_t gap = block.begin - free_from;
      if (gap >= bytes && gap < best_gap) {
        best = free_from;
        best_gap = gap;
      }
    }
    free_from = std::max(free_from, block.end);
  }
  return best_gap == SIZE_MAX ? free_from : best;
}

}  // namespace

MemoryPlan PlanMemory(absl::Span<const BufferLifetime> lifetimes) {
  std::vector<size_t> order(lifetimes.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return lifetimes[a].byte_size > lifetimes[b].byte_size;
  });
  MemoryPlan plan;
  plan.offsets.assign(lifetimes.size(), 0);
  std::vector<size_t> placed;
  std::vector<Placed> taken;
  for (const size_t i : order) {
    const size_t bytes = Aligned(lifetimes[i].byte_size);
    if (bytes == 0) continue;
    taken.clear();
    for (const size_t other : placed) {
      if (!Meet(lifetimes[i], lifetimes[other])) continue;
      const size_t begin = plan.offsets[other];
      taken.push_back({begin, begin + Aligned(lifetimes[other].byte_size)});
    }
    std::sort(taken.begin(), taken.end(),
              [](const Placed& a, const Placed& b) { return a.begin < b.begin; });
    plan.offsets[i] = BestFit(taken, bytes);
    plan.byte_size = std::max(plan.byte_size, plan.offsets[i] + bytes);
    placed.push_back(i);
  }
  return plan;
}

size_t PeakLiveBytes(absl::Span<const BufferLifetime> lifetimes) {
  std::map<int, std::ptrdiff_t> changes;
  for (const BufferLifetime& lifetime : lifetimes) {
    const auto bytes = static_cast<std::ptrdiff_t>(Aligned(lifetime.byte_size));
    changes[lifetime.first] += bytes;
    changes[lifetime.last + 1] -= bytes;
  }
  std::ptrdiff_t live = 0;
  std::ptrdiff_t peak = 0;
  for (const auto& [step, change] : changes) peak = std::max(peak, live += change);
  return static_cast<size_t>(peak);
}

}  // namespace nereid::engine
