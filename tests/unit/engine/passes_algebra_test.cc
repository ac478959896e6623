// Each pass on graphs made by hand: what it rewrites, that the result computes the same, and where
// it keeps its hands off.

#include <numbers>

#include "backends/cuda/passes/algebra.h"
#include "backends/cuda/passes/cleanup.h"
#include "backends/cuda/passes/fold_into_conv.h"
#include "backends/cuda/passes/fold_into_next_conv.h"
#include "backends/cuda/passes/fuse_attention.h"
#include "backends/cuda/passes/fuse_conv_epilogue.h"
#include "backends/cuda/passes/fuse_gelu.h"
#include "backends/cuda/passes/fuse_norm.h"
#include "backends/cuda/passes/fuse_pad.h"
#include "backends/cuda/passes/fuse_swish.h"
#include "backends/cuda/passes/simplify_reshapes.h"
#include "backends/cuda/passes/simplify_transposes.h"
#include "backends/cuda/passes/sink_expands.h"
#include "gtest/gtest.h"
#include "unit/engine/onnx_fixture.h"
#include "unit/engine/passes_fixture.h"

namespace nereid::engine {
namespace {

using Run = absl::Status (*)(Graph&);

// The operators after the pass, which must leave a sound graph that computes the same.
std::string After(GraphMaker& maker, Run run, double tolerance = 2e-5) {
  const Graph before = maker.graph();
  EXPECT_TRUE(before.Verify().ok()) << before.Verify();
  Graph after = before;
  const absl::Status status = run(after);
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_TRUE(after.Verify().ok()) << after.Verify();
  ExpectSame(before, after, tolerance);
  return Operators(after);
}

TEST(FoldIntoConvTest, BatchNormalizationAndArithmeticBecomeWeights) {
  GraphMaker m;
  const ValueId x = m.Input({2, 4, 5, 5});
  ValueId y = m.Op("Conv", {x, m.Weight({6, 2, 3, 3}), m.Weight({6})}, {{"group", int64_t{2}}});
  y = m.Op("BatchNormalization", {y, m.Weight({6}), m.Weight({6}), m.Weight({6}), m.Positive({6})});
  y = m.Op("Mul", {y, m.Weight({1, 6, 1, 1})});
  y = m.Op("Add", {m.Weight({6, 1, 1}), y});
  y = m.Op("Sub", {y, m.Number(0.25f)});
  y = m.Op("Div", {y, m.Positive({6, 1, 1})});
  m.Output(y);
  EXPECT_EQ(After(m, FoldIntoConv), "Conv");
}

TEST(FoldIntoConvTest, TransposedConvolutionsHaveTheirOwnChannels) {
  GraphMaker m;
  const ValueId x = m.Input({1, 4, 3, 3});
  ValueId y = m.Op("ConvTranspose", {x, m.Weight({4, 3, 2, 2})},
                   {{"group", int64_t{2}}, {"strides", std::vector<int64_t>{2, 2}}});
  y = m.Op("BatchNormalization", {y, m.Weight({6}), m.Weight({6}), m.Weight({6}), m.Positive({6})});
  m.Output(y);
  EXPECT_EQ(After(m, FoldIntoConv), "ConvTranspose");
}

TEST(FoldIntoConvTest, LeavesWhatIsNotPerChannelOrReadTwice) {
  GraphMaker m;
  const ValueId x = m.Input({1, 4, 5, 6});
  const ValueId y = m.Op("Conv", {x, m.Weight({6, 4, 1, 1})});
  m.Output(m.Op("Mul", {y, m.Weight({6})}));  // along the width
  const ValueId z = m.Op("Conv", {x, m.Weight({6, 4, 1, 1})});
  m.Output(m.Op("Mul", {z, m.Number(2)}));
  m.Output(m.Op("Relu", {z}));
  EXPECT_EQ(After(m, FoldIntoConv), "Conv Mul Conv Mul Relu");
}

TEST(FoldIntoNextConvTest, NumbersBeforeAConvolutionBecomeWeights) {
  GraphMaker m;
  const ValueId x = m.Input({2, 4, 5, 5});
  ValueId y = m.Op("HardSwish", {x});
  y = m.Op("Mul", {m.Number(0.3f), y});
  y = m.Op("Add", {y, m.Weight({1, 4, 1, 1})});
  m.Output(m.Op("Conv", {y, m.Weight({6, 2, 3, 3}), m.Weight({6})}, {{"group", int64_t{2}}}));
  EXPECT_EQ(After(m, FoldIntoNextConv), "HardSwish Conv");
}

TEST(FoldIntoNextConvTest, LeavesWhatMeetsPaddingOrOtherReaders) {
  GraphMaker m;
  const ValueId x = m.Input({1, 4, 5, 5});
  const ValueId y = m.Op("Add", {x, m.Number(0.5f)});
  m.Output(m.Op("Conv", {y, m.Weight({6, 4, 3, 3})}, {{"pads", std::vector<int64_t>{1, 1, 1, 1}}}));
  const ValueId z = m.Op("Mul", {x, m.Weight({1, 4, 1, 1})});
  m.Output(m.Op("Conv", {z, m.Weight({6, 4, 1, 1})}));
  m.Output(m.Op("Relu", {z}));
  EXPECT_EQ(After(m, FoldIntoNextConv), "Add Conv Mul Conv Relu");
}

TEST(SinkExpandsTest, AMaskOfKeysStaysARow) {
  GraphMaker m;
  const ValueId keys = m.Op("Greater", {m.Input({2, 1, 1, 5}), m.Number(0)});
  const ValueId all =
      m.Constant(HostTensor::Of<uint8_t>(DataType::kBool, {1, 1, 4, 1}, {1, 1, 1, 1}));
  const ValueId mask = m.Op("Where", {m.Op("And", {keys, all}), m.Number(0), m.Number(-9)});
  m.Output(m.Op("Add", {m.Input({2, 3, 4, 5}), mask}));
  EXPECT_EQ(After(m, SinkExpands), "Greater Where Expand Add");
}

TEST(SinkExpandsTest, LeavesConstantsThatDecide) {
  GraphMaker m;
  const ValueId keys = m.Op("Greater", {m.Input({1, 1, 1, 2}), m.Number(0)});
  const ValueId some = m.Constant(HostTensor::Of<uint8_t>(DataType::kBool, {1, 1, 2, 1}, {1, 0}));
  m.Output(m.Op("And", {keys, some}));
  m.Output(m.Op("Or", {keys, some}));
  EXPECT_EQ(After(m, SinkExpands), "Greater And Or");
}

TEST(FusePadTest, ZerosBecomePaddingOfTheConvolution) {
  GraphMaker m;
  const ValueId x = m.Input({1, 3, 5, 5});
  const ValueId padded = m.Op("Pad", {x, m.Ints({0, 0, 1, 2, 0, 0, 3, 0})});
  m.Output(
      m.Op("Conv", {padded, m.Weight({2, 3, 3, 3})}, {{"pads", std::vector<int64_t>{1, 0, 0, 1}}}));
  EXPECT_EQ(After(m, FusePad), "Conv");
}

TEST(FusePadTest, LeavesOtherPadding) {
  GraphMaker m;
  const ValueId x = m.Input({1, 3, 5, 5});
  const ValueId ones = m.Op("Pad", {x, m.Ints({0, 0, 1, 1, 0, 0, 1, 1}), m.Number(1)});
  m.Output(m.Op("Conv", {ones, m.Weight({2, 3, 3, 3})}));
  const ValueId mirrored =
      m.Op("Pad", {x, m.Ints({0, 0, 1, 1, 0, 0, 1, 1})}, {{"mode", std::string("reflect")}});
  m.Output(m.Op("Conv", {mirrored, m.Weight({2, 3, 3, 3})}));
  const ValueId cropped = m.Op("Pad", {x, m.Ints({0, 0, -1, 1, 0, 0, 1, 1})});
  m.Output(m.Op("Conv", {cropped, m.Weight({2, 3, 3, 3})}));
  EXPECT_EQ(After(m, FusePad), "Pad Conv Pad Conv Pad Conv");
}

TEST(FuseSwishTest, GatesBecomeOneOperator) {
  GraphMaker m;
  const ValueId x = m.Input({2, 8});
  m.Output(m.Op("Mul", {x, m.Op("Sigmoid", {x})}));
  m.Output(m.Op("Mul", {m.Op("Sigmoid", {m.Op("Mul", {x, m.Number(1.702f)})}), x}));
  m.Output(m.Op("Mul", {x, m.Op("HardSigmoid", {x}, {{"alpha", 1.0f / 6}})}));
  m.Output(m.Op("Mul", {x, m.Op("Tanh", {m.Op("Softplus", {x})})}));
  EXPECT_EQ(After(m, FuseSwish), "Swish Swish HardSwish Mish");
}

TEST(FuseSwishTest, HardSwishSpeltOut) {
  GraphMaker m;
  const ValueId x = m.Input({2, 8});
  const auto clip = [&] {
    return m.Op("Clip", {m.Op("Add", {x, m.Number(3)}), m.Number(0), m.Number(6)});
  };
  m.Output(m.Op("Div", {m.Op("Mul", {x, clip()}), m.Number(6)}));
  m.Output(m.Op("Mul", {x, m.Op("Div", {clip(), m.Number(6)})}));
  m.Output(m.Op("Mul", {clip(), m.Number(1.0f / 6)}));
  EXPECT_EQ(After(m, FuseSwish), "HardSwish HardSwish HardSigmoid");
}

TEST(FuseSwishTest, LeavesGatesOfOtherValues) {
  GraphMaker m;
  const ValueId x = m.Input({2, 8});
  const ValueId z = m.Input({2, 8});
  m.Output(m.Op("Mul", {z, m.Op("Sigmoid", {x})}));
  const ValueId gate = m.Op("Sigmoid", {z});
  m.Output(m.Op("Mul", {z, gate}));
  m.Output(gate);
  m.Output(m.Op("Mul", {x, m.Op("HardSigmoid", {x})}));
  EXPECT_EQ(After(m, FuseSwish), "Sigmoid Mul Sigmoid Mul HardSigmoid Mul");
}

TEST(FuseGeluTest, EverySpellingOfErf) {
  GraphMaker m;
  const ValueId x = m.Input({2, 8});
  const auto gate = [&](ValueId u) { return m.Op("Add", {m.Op("Erf", {u}), m.Number(1)}); };
  const ValueId divided = m.Op("Div", {x, m.Number(std::numbers::sqrt2_v<float>)});
  m.Output(m.Op("Mul", {m.Op("Mul", {x, gate(divided)}), m.Number(0.5f)}));
  const ValueId scaled = m.Op("Mul", {m.Number(0.70710678f), x});
  m.Output(m.Op("Mul", {m.Op("Mul", {m.Number(0.5f), x}), gate(scaled)}));
  m.Output(m.Op("Div", {m.Op("Mul", {gate(scaled), x}), m.Number(2)}));
  EXPECT_EQ(After(m, FuseGelu), "Gelu Gelu Gelu");
}

TEST(FuseGeluTest, TheApproximationByTanh) {
  GraphMaker m;
  const ValueId x = m.Input({2, 8});
  const ValueId cube = m.Op("Pow", {x, m.Number(3)});
  const ValueId sum = m.Op("Add", {x, m.Op("Mul", {cube, m.Number(0.044715f)})});
  const ValueId tanh = m.Op("Tanh", {m.Op("Mul", {sum, m.Number(0.7978846f)})});
  m.Output(m.Op("Mul", {m.Op("Mul", {m.Number(0.5f), x}), m.Op("Add", {m.Number(1), tanh})}));
  EXPECT_EQ(After(m, FuseGelu), "Gelu");
  Graph graph = m.graph();
  ASSERT_TRUE(FuseGelu(graph).ok());
  EXPECT_EQ(graph.nodes[0].String("approximate", ""), "tanh");
}

TEST(FuseGeluTest, LeavesOtherNumbers) {
  GraphMaker m;
  const ValueId x = m.Input({2, 8});
  const ValueId gate = m.Op("Add", {m.Op("Erf", {x}), m.Number(1)});
  m.Output(m.Op("Mul", {m.Op("Mul", {x, gate}), m.Number(0.5f)}));
  EXPECT_EQ(After(m, FuseGelu), "Erf Add Mul Mul");
}

ValueId Mean(GraphMaker& m, ValueId x) { return m.Op("ReduceMean", {x, m.Ints({-1})}); }

TEST(FuseNormTest, LayerNormalizationWithItsParameters) {
  GraphMaker m;
  const ValueId x = m.Input({2, 3, 8});
  const ValueId d = m.Op("Sub", {x, Mean(m, x)});
  const ValueId variance = Mean(m, m.Op("Pow", {d, m.Number(2)}));
  const ValueId root = m.Op("Sqrt", {m.Op("Add", {variance, m.Number(1e-5f)})});
  const ValueId y = m.Op("Mul", {m.Op("Div", {d, root}), m.Weight({8})});
  m.Output(m.Op("Add", {m.Weight({1, 1, 8}), y}));
  EXPECT_EQ(After(m, FuseNorm), "LayerNormalization");
}

TEST(FuseNormTest, RmsNormalization) {
  GraphMaker m;
  const ValueId x = m.Input({2, 3, 8});
  const ValueId root = m.Op("Sqrt", {m.Op("Add", {Mean(m, m.Op("Mul", {x, x})), m.Number(1e-6f)})});
  m.Output(m.Op("Mul", {m.Weight({8}), m.Op("Mul", {x, m.Op("Reciprocal", {root})})}));
  m.Output(m.Op("Div", {x, root}));
  EXPECT_EQ(After(m, FuseNorm), "RMSNormalization RMSNormalization");
}

TEST(FuseNormTest, LeavesMeansOfOtherAxes) {
  GraphMaker m;
  const ValueId x = m.Input({2, 3, 8});
  const ValueId mean = m.Op("ReduceMean", {m.Op("Mul", {x, x}), m.Ints({1})});
  m.Output(m.Op("Div", {x, m.Op("Sqrt", {m.Op("Add", {mean, m.Number(1e-6f)})})}));
  EXPECT_EQ(After(m, FuseNorm), "Mul ReduceMean Add Sqrt Div");
}

TEST(FuseAttentionTest, ScaleMaskAndTransposedKeys) {
  GraphMaker m;
  const ValueId q = m.Input({2, 3, 5, 4});
  const ValueId k = m.Input({2, 3, 6, 4});
  const ValueId v = m.Input({2, 3, 6, 7});
  const ValueId mask = m.Input({2, 1, 1, 6});
  const ValueId kt = m.Op("Transpose", {k}, {{"perm", std::vector<int64_t>{0, 1, 3, 2}}});
  ValueId s = m.Op("MatMul", {m.Op("Mul", {q, m.Number(0.5f)}), kt});
  s = m.Op("Add", {m.Op("Div", {s, m.Number(1.5f)}), mask});
  m.Output(m.Op("MatMul", {m.Op("Softmax", {s}), v}));
  EXPECT_EQ(After(m, FuseAttention), "nereid.FMHA");
  Graph graph = m.graph();
  ASSERT_TRUE(FuseAttention(graph).ok());
  EXPECT_EQ(graph.nodes[0].Int("k_transposed", 1), 0);
  EXPECT_EQ(graph.nodes[0].inputs[1], graph.inputs[1]);
}

TEST(FuseAttentionTest, ANumberAddedToAllScoresIsNoMask) {
  for (const float number : {2.0f, -INFINITY}) {
    GraphMaker m;
    const ValueId q = m.Input({2, 3, 5, 4}), kt = m.Input({2, 3, 4, 6}), v = m.Input({2, 3, 6, 7});
    const ValueId s = m.Op("Add", {m.Op("MatMul", {q, kt}), m.Number(number)});
    m.Output(m.Op("MatMul", {m.Op("Softmax", {s}), v}));
    Graph graph = m.graph();
    ASSERT_TRUE(FuseAttention(graph).ok());
    const bool fused = graph.nodes[0].op == "FMHA";
    EXPECT_EQ(fused, std::isfinite(number));
    if (!fused) continue;
    EXPECT_EQ(graph.nodes[0].inputs.size(), 3u);
    ExpectSame(m.graph(), graph);
  }
}

TEST(FuseAttentionTest, KeysInAnyOrder) {
  GraphMaker m;
  const ValueId q = m.Input({2, 3, 5, 4});
  const ValueId k = m.Input({2, 6, 3, 4});  // [B,N,H,D]
  const ValueId v = m.Input({2, 3, 6, 7});
  const ValueId kt = m.Op("Transpose", {k}, {{"perm", std::vector<int64_t>{0, 2, 3, 1}}});
  m.Output(m.Op("MatMul", {m.Op("Softmax", {m.Op("MatMul", {q, kt})}), v}));
  const ValueId given = m.Input({2, 3, 4, 6});
  m.Output(m.Op("MatMul", {m.Op("Softmax", {m.Op("MatMul", {q, given})}), v}));
  EXPECT_EQ(After(m, FuseAttention), "Transpose nereid.FMHA nereid.FMHA");
}

TEST(FuseAttentionTest, ScalesBehindViewsAreTheAttentions) {
  GraphMaker m;
  const ValueId x = m.Op("Tanh", {m.Input({2, 5, 12})});
  const auto heads = [&](ValueId id) {
    return m.Op("Transpose", {m.Op("Reshape", {id, m.Ints({2, 5, 3, 4})})},
                {{"perm", std::vector<int64_t>{0, 2, 1, 3}}});
  };
  const ValueId q = heads(m.Op("Mul", {m.Op("Relu", {x}), m.Number(0.5f)}));
  const ValueId k = m.Op("Mul", {heads(m.Op("Div", {m.Op("Abs", {x}), m.Number(4)})), m.Number(3)});
  const ValueId kt = m.Op("Transpose", {k}, {{"perm", std::vector<int64_t>{0, 1, 3, 2}}});
  m.Output(m.Op("MatMul", {m.Op("Softmax", {m.Op("MatMul", {q, kt})}), heads(x)}));
  EXPECT_EQ(After(m, FuseAttention),
            "Tanh Relu Abs Reshape Transpose Reshape Transpose Reshape Transpose nereid.FMHA");
  Graph graph = m.graph();
  ASSERT_TRUE(FuseAttention(graph).ok());
  const Node& fused = graph.nodes.back();
  EXPECT_FLOAT_EQ(fused.Float("scale", 1), 0.375f);
  EXPECT_EQ(fused.Int("k_transposed", 1), 0);
}

TEST(FuseAttentionTest, AScaledValueThatOthersReadStaysScaled) {
  GraphMaker m;
  const ValueId x = m.Op("Mul", {m.Input({2, 3, 5, 4}), m.Number(0.5f)});
  const ValueId kt = m.Op("Transpose", {x}, {{"perm", std::vector<int64_t>{0, 1, 3, 2}}});
  m.Output(m.Op("MatMul", {m.Op("Softmax", {m.Op("MatMul", {x, kt})}), x}));
  EXPECT_EQ(After(m, FuseAttention), "Mul nereid.FMHA");
  Graph graph = m.graph();
  ASSERT_TRUE(FuseAttention(graph).ok());
  EXPECT_EQ(graph.nodes.back().Float("scale", 0), 1);
}

TEST(FuseAttentionTest, LeavesScoresThatAreReadAndOtherAxes) {
  GraphMaker m;
  const ValueId q = m.Input({2, 3, 5, 4});
  const ValueId k = m.Input({2, 3, 4, 5});
  const ValueId v = m.Input({2, 3, 5, 7});
  const ValueId p = m.Op("Softmax", {m.Op("MatMul", {q, k})});
  m.Output(m.Op("MatMul", {p, v}));
  m.Output(p);
  m.Output(m.Op("MatMul", {m.Op("Softmax", {m.Op("MatMul", {q, k})}, {{"axis", int64_t{2}}}), v}));
  EXPECT_EQ(After(m, FuseAttention), "MatMul Softmax MatMul MatMul Softmax MatMul");
}

Attributes Order(std::vector<int64_t> order) { return {{"perm", std::move(order)}}; }

TEST(SimplifyTransposesTest, PairsCancelThroughElementwiseOperators) {
  GraphMaker m;
  const ValueId x = m.Input({2, 3, 4, 5});
  const ValueId there = m.Op("Transpose", {x}, Order({0, 2, 3, 1}));
  const ValueId moved = m.Op("Add", {m.Op("Relu", {there}), m.Number(1)});
  m.Output(m.Op("Relu", {m.Op("Transpose", {moved}, Order({0, 3, 1, 2}))}), "y");
  EXPECT_EQ(After(m, SimplifyTransposes), "Relu Add Relu");
}

TEST(SimplifyTransposesTest, ChainsComposeAndOnesAreReshapes) {
  GraphMaker m;
  const ValueId x = m.Input({2, 3, 4});
  const ValueId a = m.Op("Transpose", {x}, Order({1, 2, 0}));
  m.Output(m.Op("Transpose", {a}, Order({1, 2, 0})));
  const ValueId z = m.Input({1, 3, 1, 4});
  m.Output(m.Op("Transpose", {z}, Order({0, 2, 1, 3})));
  EXPECT_EQ(After(m, SimplifyTransposes), "Transpose Reshape");
}

TEST(SimplifyTransposesTest, OperandsTransposedAlikeSinkTogether) {
  GraphMaker m;
  const ValueId a = m.Op("Transpose", {m.Input({2, 3})}, Order({1, 0}));
  const ValueId b = m.Op("Transpose", {m.Input({2, 3})}, Order({1, 0}));
  const ValueId c = m.Input({3, 2});
  m.Output(m.Op("Mul", {m.Op("Add", {a, b}), c}));
  EXPECT_EQ(After(m, SimplifyTransposes), "Add Transpose Mul");
}

TEST(SimplifyTransposesTest, AnOutputKeepsItsName) {
  GraphMaker m;
  const ValueId x = m.Input({2, 3});
  m.Output(m.Op("Transpose", {m.Op("Transpose", {x})}), "same");
  EXPECT_EQ(After(m, SimplifyTransposes), "Transpose");
}

TEST(SimplifyReshapesTest, ViewsMerge) {
  GraphMaker m;
  const ValueId x = m.Input({2, 3, 4});
  ValueId y = m.Op("Unsqueeze", {x, m.Ints({0})});
  y = m.Op("Flatten", {y}, {{"axis", int64_t{2}}});
  y = m.Op("Reshape", {y, m.Ints({4, -1})});
  m.Output(m.Op("Relu", {y}));
  m.Output(m.Op("Relu", {m.Op("Reshape", {x, m.Ints({0, 3, -1})})}));
  EXPECT_EQ(After(m, SimplifyReshapes), "Reshape Relu Relu");
}

TEST(SimplifyReshapesTest, AGatherOfAllInOrderIsAView) {
  GraphMaker m;
  const ValueId x = m.Op("Tanh", {m.Input({2, 4})});
  const auto indices = [&](const std::vector<int64_t>& values) {
    return m.Constant(HostTensor::Of<int64_t>(DataType::kInt64, {2, 2}, values));
  };
  m.Output(m.Op("Relu", {m.Op("Gather", {x, indices({0, 1, 2, 3})}, {{"axis", int64_t{1}}})}));
  m.Output(m.Op("Relu", {m.Op("Gather", {x, indices({0, 1, 3, 2})}, {{"axis", int64_t{1}}})}));
  m.Output(m.Op("Relu", {m.Op("Gather", {x, m.Ints({0})}, {{"axis", int64_t{1}}})}));
  EXPECT_EQ(After(m, SimplifyReshapes), "Tanh Reshape Relu Gather Relu Gather Relu");
}

TEST(SimplifyReshapesTest, AnExpandGoesWhereItsReaderBroadcastsAsFar) {
  GraphMaker m;
  const ValueId row = m.Op("Tanh", {m.Input({1, 4})});
  const ValueId wide = m.Op("Expand", {row, m.Ints({3, 4})});
  m.Output(m.Op("Mul", {m.Input({3, 4}), wide}));
  m.Output(m.Op("Mul", {wide, m.Number(2)}));
  m.Output(m.Op("Add", {wide, m.Op("Expand", {m.Op("Tanh", {m.Input({4})}), m.Ints({3, 4})})}));
  EXPECT_EQ(After(m, SimplifyReshapes), "Tanh Expand Mul Mul Tanh Expand Add");
}

TEST(SimplifyReshapesTest, SoftmaxNeedsNoFlattening) {
  GraphMaker m;
  const ValueId x = m.Input({2, 3, 4});
  const ValueId soft = m.Op("Softmax", {m.Op("Flatten", {x}, {{"axis", int64_t{2}}})});
  m.Output(m.Op("Reshape", {soft, m.Ints({2, 3, 4})}));
  EXPECT_EQ(After(m, SimplifyReshapes), "Softmax");
}

TEST(SimplifyReshapesTest, SoftmaxOverSeveralAxesStaysFlat) {
  GraphMaker m;
  const ValueId x = m.Input({2, 3, 4});
  const ValueId soft = m.Op("Softmax", {m.Op("Flatten", {x})});
  m.Output(m.Op("Reshape", {soft, m.Ints({2, 3, 4})}));
  EXPECT_EQ(After(m, SimplifyReshapes), "Reshape Softmax Reshape");
}

TEST(FuseConvEpilogueTest, ResidualAndRelu) {
  GraphMaker m;
  const ValueId x = m.Input({1, 4, 5, 5});
  const ValueId a = m.Op("Relu", {m.Op("Conv", {x, m.Weight({4, 4, 1, 1}), m.Weight({4})})});
  const ValueId b =
      m.Op("Conv", {a, m.Weight({4, 4, 3, 3})}, {{"pads", std::vector<int64_t>{1, 1, 1, 1}}});
  m.Output(m.Op("Relu", {m.Op("Add", {b, x})}));
  EXPECT_EQ(After(m, FuseConvEpilogue), "nereid.FusedConv nereid.FusedConv");
}

TEST(FuseConvEpilogueTest, TheLaterOfTwoConvolutionsTakesTheOther) {
  GraphMaker m;
  const ValueId x = m.Input({1, 4, 5, 5});
  const ValueId a = m.Op("Conv", {x, m.Weight({6, 4, 1, 1})});
  const ValueId b = m.Op("Conv", {x, m.Weight({6, 4, 1, 1})});
  m.Output(m.Op("Add", {a, b}));
  EXPECT_EQ(After(m, FuseConvEpilogue), "Conv nereid.FusedConv");
}

TEST(FuseConvEpilogueTest, LeavesBroadcastResiduals) {
  GraphMaker m;
  const ValueId x = m.Input({1, 4, 5, 5});
  m.Output(m.Op("Add", {m.Op("Conv", {x, m.Weight({4, 4, 1, 1})}), m.Input({4, 1, 1})}));
  EXPECT_EQ(After(m, FuseConvEpilogue), "Conv Add");
}

TEST(CleanupTest, IdentitiesGo) {
  GraphMaker m;
  const ValueId x = m.Input({2, 3});
  ValueId y = m.Op("Identity", {m.Op("Add", {m.Op("Tanh", {x}), m.Number(0)})});
  y = m.Op("Cast", {m.Op("Mul", {m.Number(1), y})}, {{"to", int64_t{1}}});
  m.Output(m.Op("Expand", {y, m.Ints({2, 3})}), "y");
  m.Output(m.Op("Identity", {x}), "copy");
  EXPECT_EQ(After(m, RemoveIdentities), "Tanh Identity");
}

TEST(CleanupTest, ASumThatBroadcastsStays) {
  GraphMaker m;
  m.Output(m.Op("Add", {m.Op("Tanh", {m.Input({3})}),
                        m.Constant(HostTensor::Of<float>(DataType::kFp32, {2, 1}, {0, 0}))}));
  EXPECT_EQ(After(m, RemoveIdentities), "Tanh Add");
}

TEST(CleanupTest, ConstantsFoldAndSameThingsMerge) {
  GraphMaker m;
  const ValueId x = m.Input({2, 3});
  const ValueId w = m.Op("Transpose", {m.Weight({3, 2})});
  m.Output(m.Op("Add", {m.Op("Tanh", {x}), w}));
  m.Output(m.Op("Mul", {m.Op("Tanh", {x}), m.Op("Neg", {x})}));
  EXPECT_EQ(After(m, [](Graph& graph) { return RunPasses(CleanupPasses(), graph); }),
            "Tanh Add Neg Mul");
}

TEST(CleanupTest, GrowingConstantsStayLazy) {
  GraphMaker m;
  m.Output(m.Op("ConstantOfShape", {m.Ints({1000, 100})}));
  EXPECT_EQ(After(m, FoldConstants), "ConstantOfShape");
}

TEST(RunPassesTest, VerifiesAndBisects) {
  GraphMaker m;
  m.Output(m.Op("Relu", {m.Input({2})}));
  const Pass passes[] = {{"fine", RemoveDeadCode}, {"breaks", [](Graph& graph) {
                                                      graph.nodes.clear();
                                                      return absl::OkStatus();
                                                    }}};
  Graph graph = m.graph();
  EXPECT_TRUE(RunPasses(passes, graph, 1).ok());
  const absl::Status status = RunPasses(passes, graph);
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_NE(status.ToString().find("pass breaks"), std::string::npos);
}

}  // namespace
}  // namespace nereid::engine
