#include "kernels/jit/alternatives.h"

#include <algorithm>
#include <utility>

#include "common/status_macros.h"
#include "kernels/jit/race.h"

namespace nereid::engine {
namespace {

// The name under which choices are remembered; another one when the alternatives' meaning changes.
constexpr char kChooser[] = "alternatives 1";

using Ops = std::vector<std::unique_ptr<DeviceOp>>;

absl::StatusOr<size_t> RaceOps(const Toolbox& toolbox, const Ops& ops,
                               const RaceOperands& operands) {
  NEREID_RETURN_IF_ERROR(toolbox.context()->Bind());
  NEREID_ASSIGN_OR_RETURN(const auto stream, Stream::Create(toolbox.context()));
  std::vector<DeviceMemory> memory;
  const auto addresses =
      [&](const std::vector<size_t>& sizes) -> absl::StatusOr<std::vector<DevicePointer>> {
    std::vector<DevicePointer> pointers;
    for (const size_t bytes : sizes) {
      pointers.push_back(0);
      if (bytes == 0) continue;
      NEREID_ASSIGN_OR_RETURN(DeviceMemory block, RaceBuffer(*stream, bytes));
      pointers.back() = block.address();
      memory.push_back(std::move(block));
    }
    return pointers;
  };
  NEREID_ASSIGN_OR_RETURN(const auto inputs, addresses(operands.inputs));
  NEREID_ASSIGN_OR_RETURN(const auto outputs, addresses(operands.outputs));
  size_t scratch = 0;
  for (const auto& op : ops) scratch = std::max(scratch, op->workspace_bytes());
  NEREID_ASSIGN_OR_RETURN(const auto workspace, addresses({scratch}));
  std::vector<std::function<absl::Status()>> runs;
  for (const auto& op : ops) {
    runs.push_back(
        [&, op = op.get()] { return op->Launch(inputs, outputs, workspace[0], stream->handle()); });
  }
  const absl::StatusOr<size_t> winner = Race(*stream, runs);
  NEREID_RETURN_IF_ERROR(stream->Synchronize());
  return winner;
}

}  // namespace

absl::StatusOr<std::unique_ptr<DeviceOp>> MakeFastest(Toolbox& toolbox,
                                                      const std::string& specification,
                                                      absl::Span<const Alternative> alternatives,
                                                      const RaceOperands& operands) {
  const bool race = toolbox.options().race && !toolbox.context()->offline();
  if (race) {
    const auto known = toolbox.tactics().Find(kChooser, specification);
    for (const Alternative& alternative : alternatives) {
      if (!known || alternative.name != *known) continue;
      auto op = alternative.make();
      if (op.ok()) return op;
    }
  }
  Ops ops;
  std::vector<std::string> names;
  absl::Status first_error;
  for (const Alternative& alternative : alternatives) {
    auto op = alternative.make();
    if (!op.ok()) {
      first_error.Update(op.status());
      continue;
    }
    ops.push_back(*std::move(op));
    names.push_back(alternative.name);
    if (!race) break;
  }
  if (ops.empty()) return first_error;
  if (ops.size() == 1) return std::move(ops[0]);
  NEREID_ASSIGN_OR_RETURN(const size_t winner, RaceOps(toolbox, ops, operands));
  toolbox.tactics().Remember(kChooser, specification, names[winner]);
  return std::move(ops[winner]);
}

}  // namespace nereid::engine
