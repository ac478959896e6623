#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "backends/cuda/exec/engine.h"
#include "backends/cuda/exec/random_inputs.h"

namespace nereid::engine {

// What the compile tool is asked to do.
struct ToolOptions {
  std::string model;
  int device = 0;
  std::string arch;  // without a GPU: compile the kernels for this architecture
  EngineOptions engine;
  std::vector<std::string> shapes;  // NAME:SHAPE[:SHAPE…] as given
  ValueRanges ranges;
  bool layers = false;
  bool profile = false;
  bool verify = false;
  bool check_precision = false;
  bool trace = false;
  bool memory = false;
  double tolerance = 0;  // 0: by precision
  int bench = 0;         // runs
  std::string save;      // a file or a folder; empty: nothing is saved
  bool help = false;

  bool times_layers() const { return layers || profile; }
  // The relative difference of an output that is still fine.
  double allowed() const;
};

// What follows the program's name. INVALID_ARGUMENT, with a text for the user, for what makes no
// sense. `defaults` is what holds where nothing is said.
absl::StatusOr<ToolOptions> ParseToolOptions(absl::Span<const std::string> arguments,
                                             ToolOptions defaults = {});

// Every option with its meaning, for `program` ("nereid compile").
std::string ToolUsage(std::string_view program);

// "2x3x224x224"; "" is the shape of a scalar.
absl::StatusOr<Shape> ParseShape(std::string_view text);

// Input shapes, parallel to the graph's inputs, for each program to be made: as many as the longest
// list of `texts` has shapes; inputs with fewer repeat their last. Extents that nothing is said
// about are those of the model, 1 where it has none. INVALID_ARGUMENT for names the graph does not
// have.
absl::StatusOr<std::vector<std::vector<Shape>>> ShapeSets(const Graph& graph,
                                                          absl::Span<const std::string> texts);

}  // namespace nereid::engine
