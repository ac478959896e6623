#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "backends/cuda/onnx/importer.h"
#include "gtest/gtest.h"
#include "unit/engine/onnx_text.h"

namespace nereid::engine {

inline absl::StatusOr<ImportedModel> ImportText(const std::string& bytes,
                                                const ImportLimits& limits = {},
                                                const std::string& directory = "/nonexistent") {
  auto owner = std::make_shared<std::string>(bytes);
  return ImportOnnxBytes(owner, owner->data(), owner->size(), directory, limits);
}

// The graph of a model that must be fine.
inline Graph ImportGraph(const std::string& bytes) {
  auto model = ImportText(bytes);
  EXPECT_TRUE(model.ok()) << model.status();
  return model.ok() ? *model->graph : Graph();
}

// The operators in order: "Shape Flatten Softmax".
inline std::string Operators(const Graph& graph) {
  std::string out;
  for (const Node& node : graph.nodes) {
    if (!out.empty()) out += ' ';
    if (!node.domain.empty()) out += node.domain + ".";
    out += node.op;
  }
  return out;
}

inline const Node* FindNode(const Graph& graph, std::string_view op) {
  const auto found = std::find_if(graph.nodes.begin(), graph.nodes.end(),
                                  [op](const Node& node) { return node.op == op; });
  return found == graph.nodes.end() ? nullptr : &*found;
}

// Integers of a constant input; {-999} when it is not one.
inline std::vector<int64_t> ConstantInts(const Graph& graph, const Node& node, size_t input) {
  if (!node.HasInput(input) || !graph.value(node.inputs[input]).is_constant()) return {-999};
  return graph.value(node.inputs[input]).constant->AsInt64Vector();
}

}  // namespace nereid::engine
