#pragma once

#include <cmath>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "backends/cuda/ir/graph.h"
#include "backends/cuda/passes/infer_rules.h"
#include "backends/cuda/reference/evaluator.h"
#include "gtest/gtest.h"

namespace nereid::engine {

using Attributes = std::map<std::string, AttributeValue, std::less<>>;

inline HostTensor RandomTensor(const Shape& shape, uint32_t seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> number(-1, 1);
  HostTensor tensor(DataType::kFp32, shape);
  for (int64_t i = 0; i < tensor.element_count(); ++i) {
    tensor.mutable_data<float>()[i] = number(random);
  }
  return tensor;
}

// Builds a graph by hand; shapes are inferred on the way.
class GraphMaker {
 public:
  ValueId Input(const Shape& shape, DataType type = DataType::kFp32) {
    const ValueId id = graph_.AddValue(
        {.name = "in" + std::to_string(graph_.inputs.size()), .type = type, .shape = shape});
    graph_.inputs.push_back(id);
    return id;
  }
  ValueId Constant(HostTensor tensor) { return graph_.AddConstant("c", std::move(tensor)); }
  ValueId Weight(const Shape& shape) { return Constant(RandomTensor(shape, ++seed_)); }
  ValueId Positive(const Shape& shape) {
    HostTensor tensor = RandomTensor(shape, ++seed_);
    for (int64_t i = 0; i < tensor.element_count(); ++i) {
      tensor.mutable_data<float>()[i] = std::abs(tensor.data<float>()[i]) + 0.5f;
    }
    return Constant(std::move(tensor));
  }
  ValueId Number(float value) {
    return Constant(HostTensor::Of<float>(DataType::kFp32, Shape(), {value}));
  }
  ValueId Ints(const std::vector<int64_t>& values) { return Constant(HostTensor::Vector(values)); }

  std::vector<ValueId> Ops(const std::string& op, const std::vector<ValueId>& inputs,
                           size_t outputs, Attributes attributes = {},
                           const std::string& domain = "") {
    Node node{.op = op,
              .domain = domain,
              .name = op + std::to_string(graph_.nodes.size()),
              .inputs = {inputs.begin(), inputs.end()},
              .outputs = {},
              .attributes = std::move(attributes)};
    for (size_t i = 0; i < outputs; ++i) {
      node.outputs.push_back(graph_.AddValue({.name = node.name + ":" + std::to_string(i)}));
    }
    const absl::Status status = InferNode(graph_, node);
    EXPECT_TRUE(status.ok()) << status;
    graph_.nodes.push_back(node);
    return {node.outputs.begin(), node.outputs.end()};
  }
  ValueId Op(const std::string& op, const std::vector<ValueId>& inputs, Attributes attributes = {},
             const std::string& domain = "") {
    return Ops(op, inputs, 1, std::move(attributes), domain)[0];
  }
  void Output(ValueId id) { graph_.outputs.push_back(id); }
  // An output of this name.
  void Output(ValueId id, const std::string& name) {
    graph_.value(id).name = name;
    Output(id);
  }

  Graph& graph() { return graph_; }
  const Shape& ShapeOf(ValueId id) { return *graph_.value(id).shape; }

 private:
  Graph graph_;
  uint32_t seed_ = 0;
};

inline std::vector<HostTensor> Evaluate(const Graph& graph) {
  std::vector<HostTensor> inputs;
  uint32_t seed = 1000;
  for (const ValueId id : graph.inputs) {
    inputs.push_back(RandomTensor(*graph.value(id).shape, ++seed));
  }
  auto outputs = EvaluateGraph(graph, inputs);
  EXPECT_TRUE(outputs.ok()) << outputs.status();
  return outputs.ok() ? *std::move(outputs) : std::vector<HostTensor>();
}

// Both graphs compute the same from the same, but for rounding, under the same names.
inline void ExpectSame(const Graph& before, const Graph& after, double tolerance = 2e-5) {
  ASSERT_EQ(before.outputs.size(), after.outputs.size());
  const auto expected = Evaluate(before);
  const auto found = Evaluate(after);
  ASSERT_EQ(expected.size(), found.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(before.value(before.outputs[i]).name, after.value(after.outputs[i]).name);
    ASSERT_EQ(expected[i].shape(), found[i].shape());
    EXPECT_EQ(after.value(after.outputs[i]).shape, found[i].shape());
    double difference = 0;
    double norm = 0;
    for (int64_t k = 0; k < expected[i].element_count(); ++k) {
      difference += std::pow(expected[i].AsDouble(k) - found[i].AsDouble(k), 2);
      norm += std::pow(expected[i].AsDouble(k), 2);
    }
    EXPECT_LE(std::sqrt(difference), tolerance * std::sqrt(norm) + 1e-12) << "output " << i;
  }
}

}  // namespace nereid::engine
