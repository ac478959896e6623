#include "backends/cuda/exec/segment.h"

#include <algorithm>

namespace nereid::engine {
namespace {

constexpr int kLeastKernelsBetweenHostSteps = 3;
// Of one node, in drivers that keep launches apart and in those that pack them.
constexpr size_t kLeastNodeBytes = size_t{1} << 10;
constexpr size_t kMostNodeBytes = size_t{64} << 10;

int KernelsOf(absl::Span<const ProgramStep> steps, const Segment& segment) {
  int kernels = 0;
  for (size_t i = segment.begin; i < segment.end; ++i) kernels += steps[i].op->kernel_count();
  return kernels;
}

}  // namespace

std::vector<Segment> SegmentsOf(absl::Span<const ProgramStep> steps) {
  std::vector<Segment> segments;
  for (size_t i = 0; i < steps.size(); ++i) {
    const bool on_host = steps[i].op == nullptr;
    if (segments.empty() || on_host || segments.back().on_host) {
      segments.emplace_back();
      segments.back().begin = i;
      segments.back().on_host = on_host;
    }
    segments.back().end = i + 1;
  }
  for (Segment& segment : segments) {
    segment.worth_capturing =
        !segment.on_host &&
        (segments.size() == 1 || KernelsOf(steps, segment) >= kLeastKernelsBetweenHostSteps);
  }
  return segments;
}

std::vector<Segment> SegmentsOf(const Program& program) {
  return SegmentsOf(absl::MakeConstSpan(program.steps()));
}

size_t GraphBytes(size_t nodes, size_t free_before, size_t free_after) {
  const size_t taken = free_before > free_after ? free_before - free_after : 0;
  return std::clamp(taken, nodes * kLeastNodeBytes, std::max<size_t>(nodes, 1) * kMostNodeBytes);
}

}  // namespace nereid::engine
