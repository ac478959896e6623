#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "absl/types/span.h"
#include "backends/cuda/device/graph_capture.h"
#include "backends/cuda/exec/program.h"

namespace nereid::engine {

// Steps of a program that run one after the other without the host: what one graph captures.
struct Segment {
  size_t begin = 0, end = 0;  // of the program's steps
  bool on_host = false;       // one step, which the reference executor runs
  bool worth_capturing = true;
  std::unique_ptr<CapturedGraph> graph;
  size_t graph_bytes = 0;  // device memory that the graph takes
};

// A segment for each step on the host and each run of steps between them. A few launches between
// steps on the host are not worth a graph.
std::vector<Segment> SegmentsOf(const Program& program);
std::vector<Segment> SegmentsOf(absl::Span<const ProgramStep> steps);

// The device memory that a graph of so many nodes takes, from what was free before and after it was
// made: the driver takes memory in large pieces and others allocate meanwhile, so the difference is
// kept between what a graph's nodes need at least and at most.
size_t GraphBytes(size_t nodes, size_t free_before, size_t free_after);

}  // namespace nereid::engine
