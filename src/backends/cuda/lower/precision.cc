#include "backends/cuda/lower/precision.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "absl/status/status.h"
#include "backends/cuda/ir/nereid_ops.h"
#include "backends/cuda/lower/internal_ops.h"
#include "backends/cuda/lower/on_host.h"
#include "backends/cuda/lower/pointwise_rows.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

struct PrecisionRow {
  std::string_view name;
  Precision precision;
  DataType storage;
};
constexpr PrecisionRow kPrecisions[] = {
    {"fp32", Precision::kFp32, DataType::kFp32},
    {"tf32", Precision::kTf32, DataType::kFp32},
    {"fp16", Precision::kFp16, DataType::kFp16},
    {"bf16", Precision::kBf16, DataType::kBf16},
};

const PrecisionRow& RowOf(Precision precision) {
  return *std::ranges::find(kPrecisions, precision, &PrecisionRow::precision);
}

// Sums of so many elements stay in fp32.
constexpr int64_t kLongSum = 256;

// Operators whose results leave the range, or need the digits, of 16 bits.
constexpr std::string_view kWideRange[] = {"CumSum",          "Exp",        "Pow",
                                           "ReduceL1",        "ReduceL2",   "ReduceLogSumExp",
                                           "ReduceSumSquare", "Reciprocal", "ReduceProd"};

int64_t CountOf(const Graph& graph, ValueId id) {
  int64_t count = 1;
  for (int64_t extent : graph.value(id).shape.value_or(Shape{})) count *= extent;
  return count;
}

bool HasWideRange(const Graph& graph, const Node& node) {
  if (!node.domain.empty()) return false;
  if (std::ranges::find(kWideRange, node.op) != std::end(kWideRange)) return true;
  if (node.op != "ReduceSum" || !node.HasInput(0) || !node.HasOutput(0)) return false;
  return CountOf(graph, node.inputs[0]) >=
         kLongSum * std::max<int64_t>(CountOf(graph, node.outputs[0]), 1);
}

// Whether all that a node computes from is kept in fp32, and something is.
bool ReadsOnlyWide(const Graph& graph, const Node& node, const std::vector<DataType>& storage) {
  bool reads_wide = false;
  for (const ValueId id : node.inputs) {
    if (id == kNoValue || graph.value(id).is_constant()) continue;
    if (graph.value(id).type != DataType::kFp32) continue;
    if (storage[static_cast<size_t>(id)] != DataType::kFp32) return false;
    reads_wide = true;
  }
  return reads_wide;
}

// Operators that hand on, or work best in, the type they read.
constexpr std::string_view kFollows[] = {"ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin",
                                         "Reshape",    "Squeeze",   "Unsqueeze", "Flatten",
                                         "Transpose",  "Expand",    "Slice",     "Split",
                                         "Identity",   "Softmax",   "LogSoftmax"};

// Whether the result may be of another floating type than the operands at no cost.
bool WidensForFree(const Node& node) {
  if (IsPointwise(node)) return true;
  if (node.domain.empty()) return node.op == "Softmax" || node.op == "LogSoftmax";
  return node.domain == kNereidDomain && node.op == kGemm && !node.HasInput(3) &&
         node.String("activation", "").empty();
}

bool Follows(const Node& node) {
  return IsPointwise(node) ||
         (node.domain.empty() && std::ranges::find(kFollows, node.op) != std::end(kFollows));
}

}  // namespace

absl::StatusOr<Precision> ParsePrecision(std::string_view name) {
  const auto* row = std::ranges::find(kPrecisions, name, &PrecisionRow::name);
  if (row != std::end(kPrecisions)) return row->precision;
  return absl::InvalidArgumentError(
      StrCat("precision is 'fp32', 'tf32', 'fp16' or 'bf16', not '", name, "'"));
}

std::string_view PrecisionName(Precision precision) { return RowOf(precision).name; }

Precision PrecisionOptions::Of(const Node& node) const {
  const auto layer = layers.find(node.name);
  return layer == layers.end() ? precision : layer->second;
}

TypePlan AssignTypes(const Graph& graph, const PrecisionOptions& options) {
  TypePlan plan;
  for (const Value& value : graph.values) plan.storage.push_back(value.type);
  const std::vector<std::vector<NodeId>> readers = graph.Consumers();
  for (const Node& node : graph.nodes) {
    const Precision precision = options.Of(node);
    const DataType fast = RowOf(precision).storage;
    plan.compute.push_back(fast);
    plan.tf32.push_back(precision == Precision::kTf32);
    const bool keeps_wide = fast == DataType::kFp32 || HasWideRange(graph, node) ||
                            (Follows(node) && ReadsOnlyWide(graph, node, plan.storage) &&
                             std::ranges::none_of(node.inputs, [&](ValueId id) {
                               return std::ranges::find(graph.inputs, id) != graph.inputs.end();
                             }));
    for (const ValueId id : node.outputs) {
      if (id == kNoValue || graph.value(id).type != DataType::kFp32) continue;
      const bool leaves =
          WidensForFree(node) &&
          std::ranges::all_of(readers[static_cast<size_t>(id)], [&](NodeId reader) {
            return reader == kGraphOutput || IsHidden(graph.nodes[static_cast<size_t>(reader)]);
          });
      if (!keeps_wide && !leaves) plan.storage[static_cast<size_t>(id)] = fast;
    }
  }
  return plan;
}

}  // namespace nereid::engine
