// Sequences of a known length give way to the tensors in them.

#include <algorithm>
#include <array>
#include <utility>

#include "backends/cuda/ir/graph_editor.h"
#include "backends/cuda/passes/infer_rules.h"
#include "backends/cuda/passes/specialize.h"
#include "backends/cuda/reference/evaluator.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

constexpr int64_t kMostElements = 4096;

std::optional<std::vector<int64_t>> NumbersOf(const Graph& graph, ValueId id) {
  const Value& value = graph.value(id);
  if (!value.is_constant() || (value.type != DataType::kInt64 && value.type != DataType::kInt32)) {
    return std::nullopt;
  }
  return value.constant->AsInt64Vector();
}

// A place among so many, counted from the end where it is negative; absent when there is none.
std::optional<size_t> PlaceOf(int64_t at, size_t count) {
  const auto end = static_cast<int64_t>(count);
  if (at < 0) at += end;
  return at < 0 || at >= end ? std::nullopt : std::optional<size_t>(static_cast<size_t>(at));
}

}  // namespace

// One node of the target with one output.
absl::StatusOr<ValueId> Specializer::AddNode(Node node, Graph& to) {
  node.outputs = {to.AddValue({.name = node.name})};
  NEREID_RETURN_IF_ERROR(InferNode(to, node));
  if (auto folded = Fold(to, node, options_.fold); folded.has_value()) {
    return to.AddConstant(node.name, std::move((*folded)[0]));
  }
  const ValueId made = node.outputs[0];
  to.nodes.push_back(std::move(node));
  return made;
}

absl::StatusOr<Specializer::Sequence> Specializer::SplitIntoSequence(const Node& node,
                                                                     const std::string& name,
                                                                     Graph& to) {
  const auto unknown = absl::UnimplementedError("what it splits is not known before it runs");
  const ValueId x = node.inputs[0];
  const auto& shape = to.value(x).shape;
  if (!shape.has_value()) return unknown;
  NEREID_ASSIGN_OR_RETURN(const size_t axis, NormalizeAxis(node.Int("axis", 0), shape->size()));
  const int64_t extent = (*shape)[axis];
  std::vector<int64_t> sizes;
  if (node.HasInput(1)) {
    const auto given = NumbersOf(to, node.inputs[1]);
    if (!given.has_value()) return unknown;
    sizes = *given;
    if (to.value(node.inputs[1]).shape->empty()) {  // all of that size, but the last
      const int64_t size = (*given)[0];
      if (extent < 0) return unknown;
      if (size < 1) return absl::InvalidArgumentError("split is not positive");
      sizes.assign(static_cast<size_t>((extent + size - 1) / size), size);
    }
  } else {
    if (extent < 0 || extent > kMostElements) return unknown;
    sizes.assign(static_cast<size_t>(extent), 1);
  }
  if (static_cast<int64_t>(sizes.size()) > kMostElements) return unknown;
  const auto numbers = [&](int64_t number) {
    return to.AddConstant(name, HostTensor::Vector({number}));
  };
  Sequence parts;
  int64_t at = 0;
  for (const int64_t size : sizes) {
    const int64_t end = extent < 0 ? at + size : std::min(at + size, extent);
    const auto on_axis = static_cast<int64_t>(axis);
    NEREID_ASSIGN_OR_RETURN(ValueId part,
                            AddNode(Node{.op = "Slice",
                                         .domain = {},
                                         .name = name,
                                         .inputs = {x, numbers(at), numbers(end), numbers(on_axis)},
                                         .outputs = {},
                                         .attributes = {}},
                                    to));
    if (!node.HasInput(1) && node.Int("keepdims", 1) == 0) {
      NEREID_ASSIGN_OR_RETURN(part, AddNode(Node{.op = "Squeeze",
                                                 .domain = {},
                                                 .name = name,
                                                 .inputs = {part, numbers(on_axis)},
                                                 .outputs = {},
                                                 .attributes = {}},
                                            to));
    }
    parts.push_back(part);
    at = end;
  }
  return parts;
}

absl::StatusOr<ValueId> Specializer::JoinSequence(const Node& node, const Sequence& parts,
                                                  const std::string& name, Graph& to) {
  if (parts.empty()) return absl::InvalidArgumentError("the sequence is empty");
  const int64_t axis = node.Int("axis", 0);
  Node join{.op = "Concat",
            .domain = {},
            .name = name,
            .inputs = {},
            .outputs = {},
            .attributes = {{"axis", axis}}};
  for (ValueId part : parts) {
    if (node.Int("new_axis", 0) != 0) {
      const ValueId axes = to.AddConstant(name, HostTensor::Vector({axis}));
      NEREID_ASSIGN_OR_RETURN(part, AddNode(Node{.op = "Unsqueeze",
                                                 .domain = {},
                                                 .name = name,
                                                 .inputs = {part, axes},
                                                 .outputs = {},
                                                 .attributes = {}},
                                            to));
    }
    join.inputs.push_back(part);
  }
  return AddNode(std::move(join), to);
}

// `node` reads values of `to`. Nothing when the operator is none of sequences.
absl::StatusOr<std::optional<ValueId>> Specializer::UnfoldSequence(const Node& node,
                                                                   const std::string& name,
                                                                   Graph& to) {
  const auto make = [&](Sequence sequence) -> std::optional<ValueId> {
    const ValueId id = to.AddValue({.name = name});
    sequences_[id] = std::move(sequence);
    return id;
  };
  if (node.op == "SequenceEmpty") return make({});
  if (node.op == "SequenceConstruct") return make({node.inputs.begin(), node.inputs.end()});
  if (node.op == "SplitToSequence" && node.HasInput(0)) {
    NEREID_ASSIGN_OR_RETURN(Sequence parts, SplitIntoSequence(node, name, to));
    return make(std::move(parts));
  }
  const auto found = node.HasInput(0) ? sequences_.find(node.inputs[0]) : sequences_.end();
  if (found == sequences_.end()) return std::optional<ValueId>();
  Sequence sequence = found->second;
  if (node.op == "Identity") return std::optional<ValueId>(node.inputs[0]);
  if (node.op == "SequenceLength") {
    return std::optional<ValueId>(
        to.AddConstant(name, HostTensor::Scalar(static_cast<int64_t>(sequence.size()))));
  }
  if (node.op == "ConcatFromSequence") {
    NEREID_ASSIGN_OR_RETURN(const ValueId joined, JoinSequence(node, sequence, name, to));
    return std::optional<ValueId>(joined);
  }
  const bool inserts = node.op == "SequenceInsert";
  const bool takes_place = inserts || node.op == "SequenceErase" || node.op == "SequenceAt";
  const size_t at = inserts ? 2 : 1;
  std::vector<int64_t> place = {inserts ? static_cast<int64_t>(sequence.size()) : -1};
  if (node.HasInput(at)) place = NumbersOf(to, node.inputs[at]).value_or(std::vector<int64_t>());
  if (!takes_place || place.size() != 1 || (inserts && !node.HasInput(1))) {
    return absl::UnimplementedError("it works on a sequence, and that is not known before it runs");
  }
  const bool at_end = inserts && place[0] == static_cast<int64_t>(sequence.size());
  const auto index =
      at_end ? std::optional<size_t>(sequence.size()) : PlaceOf(place[0], sequence.size());
  if (!index)
    return absl::InvalidArgumentError(StrCat("place ", place[0], " is not in the sequence"));
  if (node.op == "SequenceAt") return std::optional<ValueId>(sequence[*index]);
  const auto where = sequence.begin() + static_cast<std::ptrdiff_t>(*index);
  if (inserts) {
    sequence.insert(where, node.inputs[1]);
  } else {
    sequence.erase(where);
  }
  return make(std::move(sequence));
}

absl::StatusOr<bool> Specializer::ReplaceSequence(const Graph& from, const Node& node, Names& names,
                                                  const std::string& prefix, Graph& to) {
  Node copy = node;
  for (ValueId& id : copy.inputs) id = Find(from, id, names, to);
  const auto made = UnfoldSequence(copy, StrCat(prefix, node.name), to);
  if (!made.ok()) {
    return absl::Status(made.status().code(), StrCat(Describe(node), ": ", Message(made.status())));
  }
  if (!made->has_value()) return false;
  if (node.HasOutput(0)) names[static_cast<size_t>(node.outputs[0])] = **made;
  return true;
}

bool Specializer::ReadsSequence(const Node& node) const {
  const auto is_one = [this](ValueId id) { return sequences_.contains(id); };
  return std::ranges::any_of(node.inputs, is_one) ||
         std::ranges::any_of(CapturedValues(node), is_one);
}

}  // namespace nereid::engine
