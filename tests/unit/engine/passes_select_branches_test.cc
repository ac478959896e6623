#include <cmath>
#include <memory>

#include "backends/cuda/passes/select_branches.h"
#include "backends/cuda/passes/shape_inference.h"
#include "gtest/gtest.h"
#include "unit/engine/onnx_fixture.h"
#include "unit/engine/passes_fixture.h"

namespace nereid::engine {
namespace {

// y = flag ? Relu(x) : `other` of x, with the flag an input.
Graph Choice(const std::string& other, const std::string& attributes = "") {
  const auto branch = [](const std::string& name, const std::string& op, const std::string& more) {
    return onnx::GraphAttribute(name, (onnx::WithNode(onnx::Node(op, {"x"}, {name + "_y"}, more)) +
                                       onnx::WithOutput(onnx::Info(name + "_y", 1, {}))));
  };
  return ImportGraph(onnx::Model(
      onnx::WithInput(onnx::Info("flag", 9, {})) + onnx::WithInput(onnx::Info("x", 1, {2, 3})) +
          onnx::WithNode(onnx::Node(
              "If", {"flag"}, {"y"},
              branch("then_branch", "Relu", "") + branch("else_branch", other, attributes))) +
          onnx::WithOutput(onnx::Info("y", 1, {})),
      13));
}

Graph Special(const Graph& graph) {
  auto special = Specialize(graph, {Shape{}, Shape{2, 3}});
  EXPECT_TRUE(special.ok()) << special.status();
  return special.ok() ? *std::move(special) : Graph();
}

HostTensor RunOn(const Graph& graph, bool flag, const HostTensor& x) {
  const std::vector<HostTensor> inputs = {
      HostTensor::Of<uint8_t>(DataType::kBool, {}, {static_cast<uint8_t>(flag)}), x};
  const auto outputs = EvaluateGraph(graph, inputs);
  EXPECT_TRUE(outputs.ok()) << outputs.status();
  return outputs.ok() ? outputs->at(0) : HostTensor();
}

TEST(SelectBranchesTest, BothBranchesAreComputedAndOneIsTaken) {
  const Graph before = Special(Choice("Neg"));
  Graph after = before;
  ASSERT_TRUE(SelectBranches(after).ok());
  ASSERT_TRUE(after.Verify().ok()) << after.Verify();
  EXPECT_EQ(Operators(after), "Relu Neg Where");
  const HostTensor x = RandomTensor({2, 3}, 7);
  for (const bool flag : {false, true}) {
    EXPECT_TRUE(RunOn(after, flag, x).SameAs(RunOn(before, flag, x)));
  }
}

TEST(SelectBranchesTest, BranchesOfOtherShapesStay) {
  Graph graph = Special(Choice("Transpose"));
  ASSERT_TRUE(SelectBranches(graph).ok());
  EXPECT_EQ(Operators(graph), "If");
}

TEST(SelectBranchesTest, WhatDrawsRandomNumbersStays) {
  Graph graph = Special(Choice("RandomNormalLike"));
  ASSERT_TRUE(SelectBranches(graph).ok());
  EXPECT_EQ(Operators(graph), "If");
}

TEST(SelectBranchesTest, ABranchThatTheExtentsRuleOutGivesNan) {
  const Graph before = Special(Choice("SpaceToDepth", onnx::Attribute("blocksize", int64_t{2})));
  Graph after = before;
  ASSERT_TRUE(SelectBranches(after).ok());
  EXPECT_EQ(Operators(after), "Relu Where");
  const HostTensor x = RandomTensor({2, 3}, 7);
  EXPECT_TRUE(std::isnan(RunOn(after, false, x).AsDouble(0)));
  EXPECT_FALSE(std::isnan(RunOn(after, true, x).AsDouble(0)));
}

}  // namespace
}  // namespace nereid::engine
