#include "backends/cuda/passes/cleanup.h"

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <utility>

#include "backends/cuda/ir/graph_editor.h"
#include "backends/cuda/ir/onnx_type.h"
#include "backends/cuda/passes/fold.h"
#include "backends/cuda/passes/match.h"
#include "backends/cuda/passes/pass.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

using GraphPointer = std::shared_ptr<const Graph>;

bool SameShape(const Value& a, const Value& b) {
  return a.shape.has_value() && a.shape == b.shape &&
         std::find(a.shape->begin(), a.shape->end(), -1) == a.shape->end();
}

// The input that the node's only output equals; kNoValue when there is none.
ValueId Forwarded(const GraphEditor& editor, const Node& node) {
  if (!node.domain.empty() || !node.HasInput(0) || !node.HasOutput(0)) return kNoValue;
  const ValueId x = node.inputs[0];
  const Value& in = editor.value(x);
  const Value& out = editor.value(node.outputs[0]);
  if (node.op == "Identity") return x;
  if (node.op == "Cast" && in.type != DataType::kInvalid &&
      in.type == FromOnnxType(node.Int("to", 0))) {
    return x;
  }
  if (node.op == "Expand" && SameShape(in, out)) return x;
  for (const auto& [op, neutral] :
       {std::pair("Add", 0.0), {"Sub", 0.0}, {"Mul", 1.0}, {"Div", 1.0}, {"Pow", 1.0}}) {
    if (node.op != op || !node.HasInput(1)) continue;
    if (ScalarOf(editor, node.inputs[1]) == neutral && SameShape(in, out)) return x;
    const bool commutes = node.op == "Add" || node.op == "Mul";
    if (commutes && ScalarOf(editor, x) == neutral &&
        SameShape(editor.value(node.inputs[1]), out)) {
      return node.inputs[1];
    }
  }
  return kNoValue;
}

void FoldIn(Graph& graph) {
  ForEachSubgraph(graph, FoldIn);
  std::erase_if(graph.nodes, [&graph](const Node& node) {
    auto folded = Fold(graph, node, {});
    if (!folded.has_value()) return false;
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (!node.HasOutput(i)) continue;
      Value& value = graph.value(node.outputs[i]);
      value.type = (*folded)[i].type();
      value.shape = (*folded)[i].shape();
      value.constant = std::move((*folded)[i]);
    }
    return true;
  });
}

void AppendKey(const AttributeValue& value, std::string& key) {
  const auto list = [&key](const auto& items) {
    for (const auto& item : items) StrAppend(&key, item, ",");
  };
  StrAppend(&key, value.index(), ":");
  if (const auto* integer = std::get_if<int64_t>(&value)) StrAppend(&key, *integer);
  if (const auto* number = std::get_if<float>(&value)) StrAppend(&key, *number);
  if (const auto* text = std::get_if<std::string>(&value)) StrAppend(&key, text->size(), *text);
  if (const auto* integers = std::get_if<std::vector<int64_t>>(&value)) list(*integers);
  if (const auto* numbers = std::get_if<std::vector<float>>(&value)) list(*numbers);
  if (const auto* texts = std::get_if<std::vector<std::string>>(&value)) {
    for (const std::string& item : *texts) StrAppend(&key, item.size(), " ", item);
  }
  if (const auto* tensor = std::get_if<HostTensor>(&value)) {
    StrAppend(&key, static_cast<int>(tensor->type()), ShapeToString(tensor->shape()));
    key.append(reinterpret_cast<const char*>(tensor->bytes()), tensor->byte_size());
  }
}

// What a node computes, as text; empty when it is not to be merged.
std::string KeyOf(const Node& node) {
  constexpr std::array<std::string_view, 6> kRandom = {"Bernoulli",     "Multinomial",
                                                       "RandomNormal",  "RandomNormalLike",
                                                       "RandomUniform", "RandomUniformLike"};
  if (std::find(kRandom.begin(), kRandom.end(), node.op) != kRandom.end()) return {};
  std::string key = StrCat(node.domain, "/", node.op, "(");
  for (const ValueId input : node.inputs) StrAppend(&key, input, ",");
  StrAppend(&key, ")", node.outputs.size());
  for (const auto& [name, value] : node.attributes) {
    if (std::holds_alternative<GraphPointer>(value)) return {};
    if (const auto* tensor = std::get_if<HostTensor>(&value)) {
      if (tensor->type() == DataType::kBytes) return {};
    }
    StrAppend(&key, ";", name, "=");
    AppendKey(value, key);
  }
  return key;
}

// Small constants only: comparing weights would read the whole file.
constexpr int64_t kMaxComparedElements = 64;

void MergeConstants(GraphEditor& editor) {
  std::map<std::string, ValueId> seen;
  for (ValueId id = 0; id < static_cast<ValueId>(editor.graph().values.size()); ++id) {
    const HostTensor* tensor = editor.Constant(id);
    if (tensor == nullptr || tensor->type() == DataType::kBytes ||
        tensor->element_count() > kMaxComparedElements) {
      continue;
    }
    std::string key;
    AppendKey(*tensor, key);
    const auto [found, inserted] = seen.emplace(std::move(key), id);
    if (!inserted && !editor.Readers(id).empty()) editor.ReplaceUses(id, found->second);
  }
}

bool MergeOnce(Graph& graph) {
  GraphEditor editor(graph);
  MergeConstants(editor);
  std::map<std::string, NodeId> seen;
  bool merged = false;
  for (NodeId id = 0; id < static_cast<NodeId>(graph.nodes.size()); ++id) {
    std::string key = KeyOf(editor.node(id));
    if (key.empty()) continue;
    const auto [found, inserted] = seen.emplace(std::move(key), id);
    if (inserted) continue;
    for (size_t i = 0; i < editor.node(id).outputs.size(); ++i) {
      const Node& node = editor.node(id);
      if (!node.HasOutput(i) || !editor.node(found->second).HasOutput(i)) continue;
      const bool read = !editor.Readers(node.outputs[i]).empty();
      merged |= read && editor.ReplaceUses(node.outputs[i], editor.node(found->second).outputs[i]);
    }
  }
  editor.Finish();
  return merged;
}

void MergeIn(Graph& graph) {
  ForEachSubgraph(graph, MergeIn);
  while (MergeOnce(graph)) {
  }
}

constexpr std::array kPasses = std::to_array<Pass>({
    {"remove-dead-code", RemoveDeadCode},
    {"remove-identities", RemoveIdentities},
    {"fold-constants", FoldConstants},
    {"merge-common-subexpressions", MergeCommonSubexpressions},
    {"remove-dead-code", RemoveDeadCode},
});

}  // namespace

absl::Status RemoveDeadCode(Graph& graph) {
  RemoveDead(graph);
  return absl::OkStatus();
}

absl::Status RemoveIdentities(Graph& graph) {
  RewriteNodes(graph, [](GraphEditor& editor, NodeId id) {
    const Node& node = editor.node(id);
    const ValueId from = node.HasOutput(0) ? node.outputs[0] : kNoValue;
    const ValueId to = Forwarded(editor, node);
    if (to == kNoValue) return;
    const auto& readers = editor.Readers(from);
    const bool only_output = std::all_of(readers.begin(), readers.end(),
                                         [](NodeId reader) { return reader == kGraphOutput; });
    // An output that would be an input, or another output, keeps its node.
    if (only_output && (editor.ProducerId(to) < 0 || editor.UseCount(to) > 1)) return;
    if (!readers.empty()) editor.ReplaceUses(from, to);
  });
  return absl::OkStatus();
}

absl::Status FoldConstants(Graph& graph) {
  FoldIn(graph);
  return absl::OkStatus();
}

absl::Status MergeCommonSubexpressions(Graph& graph) {
  MergeIn(graph);
  RemoveDead(graph);
  return absl::OkStatus();
}

absl::Span<const Pass> CleanupPasses() { return kPasses; }

}  // namespace nereid::engine
