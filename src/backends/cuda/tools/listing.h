#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/types/span.h"
#include "backends/cuda/exec/engine_model.h"
#include "backends/cuda/lower/on_host.h"
#include "backends/cuda/lower/op_spec.h"

namespace nereid::engine {

// One step of a program, as listings show it.
struct LayerRow {
  std::string name;  // of the node it begins with; empty: a conversion
  const OpSpec* spec = nullptr;
  float milliseconds = -1;  // below 0: not measured
};

// "1x3x224x224, 1x10": of all inputs.
std::string ShapesText(absl::Span<const Shape> shapes);

// The layers one by one, when `each`; then how many there are of each kind, and their times.
void PrintLayers(absl::Span<const LayerRow> layers, bool each);

// Steps that the reference executor runs, with their nodes' names and operators; and why, where it
// is for what they work on.
void PrintHostSteps(absl::Span<const LayerRow> layers, const std::optional<HiddenWork>& hidden);

void PrintMemory(const PlanBytes& bytes, bool workspace_is_known);

}  // namespace nereid::engine
