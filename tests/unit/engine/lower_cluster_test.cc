#include <algorithm>

#include "backends/cuda/codegen/pointwise.h"
#include "backends/cuda/lower/cluster.h"
#include "unit/engine/passes_fixture.h"

namespace nereid::engine {
namespace {

size_t CountPointwise(const std::vector<Cluster>& clusters) {
  return static_cast<size_t>(std::ranges::count_if(clusters, &Cluster::pointwise));
}

TEST(ClusterTest, AChainOfOneShapeIsOneKernel) {
  GraphMaker maker;
  const ValueId x = maker.Input({4, 8});
  const ValueId a = maker.Op("Relu", {x});
  const ValueId b = maker.Op("Mul", {a, maker.Number(2)});
  maker.Output(maker.Op("Add", {b, a}));
  const auto clusters = FormClusters(maker.graph());
  ASSERT_EQ(clusters.size(), 1u);
  EXPECT_EQ(clusters[0].nodes, (std::vector<NodeId>{0, 1, 2}));
}

TEST(ClusterTest, ALargerShapeBeginsAnotherKernelForWhatOthersRead) {
  GraphMaker maker;
  const ValueId a = maker.Op("Sqrt", {maker.Input({4, 1})});
  maker.Output(maker.Op("Mul", {a, maker.Input({4, 8})}));
  maker.Output(a);
  EXPECT_EQ(FormClusters(maker.graph()).size(), 2u);
}

TEST(ClusterTest, WhatIsSpreadToOneReaderIsComputedThere) {
  GraphMaker maker;
  const ValueId a = maker.Op("Sqrt", {maker.Op("Abs", {maker.Input({8})})});
  const ValueId b = maker.Op("Mul", {maker.Op("Tanh", {maker.Input({4, 1})}), a});
  maker.Output(maker.Op("Relu", {b}));
  const auto clusters = FormClusters(maker.graph());
  ASSERT_EQ(clusters.size(), 1u);
  EXPECT_EQ(clusters[0].nodes, (std::vector<NodeId>{0, 1, 2, 3, 4}));
}

TEST(ClusterTest, LongWorkIsNotRepeatedForEachElement) {
  GraphMaker maker;
  ValueId a = maker.Input({4, 1});
  for (int i = 0; i < 20; ++i) a = maker.Op("Tanh", {a});
  maker.Output(maker.Op("Mul", {a, maker.Input({4, 8})}));
  EXPECT_EQ(FormClusters(maker.graph()).size(), 2u);
}

TEST(ClusterTest, NoKernelWaitsForItself) {
  // Relu feeds Add directly and through a Softmax: together they would need the Softmax between.
  GraphMaker maker;
  const ValueId x = maker.Input({4, 8});
  const ValueId a = maker.Op("Relu", {x});
  const ValueId s = maker.Op("Softmax", {a});
  maker.Output(maker.Op("Add", {a, s}));
  const auto clusters = FormClusters(maker.graph());
  ASSERT_EQ(clusters.size(), 3u);
  EXPECT_EQ(clusters[0].nodes, std::vector<NodeId>{0});
  EXPECT_FALSE(clusters[1].pointwise);
  EXPECT_EQ(clusters[2].nodes, std::vector<NodeId>{2});
}

TEST(ClusterTest, ClustersThatFeedEachOtherStayApart) {
  // Two chains; the first feeds the second through a Softmax, and their ends meet.
  GraphMaker maker;
  const ValueId x = maker.Input({4, 8});
  const ValueId a = maker.Op("Relu", {x});
  const ValueId s = maker.Op("Softmax", {a});
  const ValueId b = maker.Op("Exp", {s});
  const ValueId c = maker.Op("Tanh", {a});
  maker.Output(maker.Op("Add", {b, c}));
  const auto clusters = FormClusters(maker.graph());
  std::vector<int> position(5, -1);
  for (size_t i = 0; i < clusters.size(); ++i) {
    for (const NodeId id : clusters[i].nodes) {
      ASSERT_EQ(position[static_cast<size_t>(id)], -1);
      position[static_cast<size_t>(id)] = static_cast<int>(i);
    }
  }
  EXPECT_LT(position[0], position[1]);
  EXPECT_LT(position[1], position[2]);
  EXPECT_LE(position[2], position[4]);
  EXPECT_LE(position[3], position[4]);
}

TEST(ClusterTest, ALongChainIsCutAtTheGeneratorsLimit) {
  GraphMaker maker;
  ValueId x = maker.Input({16});
  for (size_t i = 0; i < 2 * kMaxPointwiseSteps + 5; ++i) x = maker.Op("Relu", {x});
  maker.Output(x);
  const auto clusters = FormClusters(maker.graph());
  EXPECT_EQ(CountPointwise(clusters), clusters.size());
  EXPECT_GE(clusters.size(), 3u);
  for (const Cluster& cluster : clusters) EXPECT_LE(cluster.nodes.size(), kMaxPointwiseSteps);
}

TEST(ClusterTest, ManyInputsAreDividedAmongKernels) {
  GraphMaker maker;
  ValueId sum = maker.Input({16});
  for (size_t i = 0; i < 3 * kMaxPointwiseInputs; ++i) {
    sum = maker.Op("Add", {sum, maker.Input({16})});
  }
  maker.Output(sum);
  const auto clusters = FormClusters(maker.graph());
  EXPECT_GE(clusters.size(), 3u);
  EXPECT_LE(clusters.size(), 5u);
}

}  // namespace
}  // namespace nereid::engine
