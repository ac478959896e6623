#pragma once

#include <initializer_list>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "backends/cuda/reference/evaluator.h"
#include "gtest/gtest.h"

namespace nereid::engine {

using Attributes = std::map<std::string, AttributeValue, std::less<>>;
using Operands = std::vector<HostTensor>;

inline HostTensor Floats(Shape shape, const std::vector<float>& values) {
  return HostTensor::Of<float>(DataType::kFp32, std::move(shape), values);
}
inline HostTensor Bools(Shape shape, const std::vector<uint8_t>& values) {
  return HostTensor::Of<uint8_t>(DataType::kBool, std::move(shape), values);
}
inline HostTensor Ints(Shape shape, const std::vector<int64_t>& values) {
  return HostTensor::Of<int64_t>(DataType::kInt64, std::move(shape), values);
}
inline HostTensor Random(Shape shape, uint32_t seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  HostTensor tensor(DataType::kFp32, std::move(shape));
  for (int64_t i = 0; i < tensor.element_count(); ++i) {
    tensor.mutable_data<float>()[i] = uniform(random);
  }
  return tensor;
}

// A node; "nereid.X" is in the domain nereid.
inline Node MakeNode(const std::string& op, std::initializer_list<ValueId> inputs = {},
                     std::initializer_list<ValueId> outputs = {}) {
  Node node;
  const size_t dot = op.find('.');
  node.op = dot == std::string::npos ? op : op.substr(dot + 1);
  node.domain = dot == std::string::npos ? "" : op.substr(0, dot);
  node.name = "the_node";
  node.inputs = inputs;
  node.outputs = outputs;
  return node;
}

// Evaluates one node of its own. An operand of type kInvalid is left out.
inline absl::StatusOr<std::vector<HostTensor>> Evaluate(const std::string& op,
                                                        const Operands& operands,
                                                        Attributes attributes = {},
                                                        size_t outputs = 1) {
  Node node = MakeNode(op);
  node.attributes = std::move(attributes);
  Graph graph;
  std::vector<const HostTensor*> inputs;
  for (const HostTensor& operand : operands) {
    const bool is_left_out = operand.type() == DataType::kInvalid;
    inputs.push_back(is_left_out ? nullptr : &operand);
    node.inputs.push_back(is_left_out ? kNoValue : graph.AddValue({.name = "in"}));
  }
  for (size_t i = 0; i < outputs; ++i) node.outputs.push_back(graph.AddValue({.name = "out"}));
  return EvaluateNode(graph, node, inputs);
}

// The first output of a node that must be fine.
inline HostTensor Result(const std::string& op, const Operands& operands,
                         Attributes attributes = {}) {
  auto results = Evaluate(op, operands, std::move(attributes));
  EXPECT_TRUE(results.ok()) << results.status();
  return results.ok() ? (*results)[0] : HostTensor();
}

inline std::vector<double> Values(const HostTensor& tensor) {
  std::vector<double> values;
  for (int64_t i = 0; i < tensor.element_count(); ++i) values.push_back(tensor.AsDouble(i));
  return values;
}

inline void ExpectNear(const HostTensor& got, const HostTensor& expected, double tolerance) {
  ASSERT_EQ(got.shape(), expected.shape());
  for (int64_t i = 0; i < got.element_count(); ++i) {
    ASSERT_NEAR(got.AsDouble(i), expected.AsDouble(i), tolerance) << "at " << i;
  }
}

}  // namespace nereid::engine
