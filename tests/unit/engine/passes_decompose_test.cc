#include <algorithm>
#include <string>

#include "backends/cuda/ir/onnx_type.h"
#include "backends/cuda/passes/decompose.h"
#include "gtest/gtest.h"
#include "unit/engine/passes_fixture.h"

namespace nereid::engine {
namespace {

bool Has(const Graph& graph, std::string_view op) {
  return std::ranges::any_of(graph.nodes, [&](const Node& node) { return node.op == op; });
}

// The graph without the operator gives the same.
void ExpectDecomposed(const Graph& before, std::string_view op, double tolerance = 2e-5) {
  SCOPED_TRACE(op);
  Graph after = before;
  const absl::Status status = Decompose(after);
  ASSERT_TRUE(status.ok()) << status;
  ASSERT_TRUE(after.Verify().ok()) << after.Verify();
  EXPECT_FALSE(Has(after, op));
  ExpectSame(before, after, tolerance);
}

struct EinsumCase {
  const char* equation;
  std::vector<Shape> shapes;
};

TEST(DecomposeTest, EinsumIsProductsAndSums) {
  const EinsumCase cases[] = {
      {"ij,jk->ik", {{3, 4}, {4, 5}}},
      {"ij,kj", {{3, 4}, {5, 4}}},
      {"bhqd,bhkd->bhqk", {{2, 3, 4, 5}, {2, 3, 6, 5}}},
      {"bqhd,bkhd->bhqk", {{2, 4, 3, 5}, {2, 6, 3, 5}}},
      {"bhwc,hkc->bhwk", {{2, 3, 4, 5}, {3, 6, 5}}},
      {"i,i->", {{7}, {7}}},
      {"i,j->ij", {{3}, {4}}},
      {"...ij,...jk->...ik", {{2, 1, 3, 4}, {5, 4, 6}}},
      {"ij->ji", {{3, 4}}},
      {"ijk->j", {{2, 3, 4}}},
      {"ij,jk,kl->il", {{2, 3}, {3, 4}, {4, 5}}},
      {"abc,abd,ae->acde", {{2, 3, 4}, {2, 3, 5}, {2, 6}}},
      {"ij,ij->ij", {{3, 4}, {3, 4}}},
      {"nd,nd->n", {{3, 4}, {3, 4}}},
  };
  for (const EinsumCase& c : cases) {
    SCOPED_TRACE(c.equation);
    GraphMaker maker;
    std::vector<ValueId> inputs;
    for (const Shape& shape : c.shapes) inputs.push_back(maker.Input(shape));
    maker.Output(maker.Op("Einsum", inputs, {{"equation", std::string(c.equation)}}));
    ExpectDecomposed(maker.graph(), "Einsum");
  }
}

TEST(DecomposeTest, ADiagonalStaysAnEinsum) {
  GraphMaker maker;
  maker.Output(maker.Op("Einsum", {maker.Input({3, 3})}, {{"equation", std::string("ii->i")}}));
  Graph graph = maker.graph();
  ASSERT_TRUE(Decompose(graph).ok());
  EXPECT_TRUE(Has(graph, "Einsum"));
}

TEST(DecomposeTest, AttentionIsFusedUnlessItsScoresAreAskedFor) {
  struct Case {
    Attributes attributes;
    bool mask = false, scores = false, fused = true;
  };
  const Case cases[] = {
      {{}},
      {{{"is_causal", int64_t{1}}}},
      {{{"is_causal", int64_t{1}}}, true},
      {{{"scale", 0.3f}}, true},
      {{{"left_window_size", int64_t{2}}, {"right_window_size", int64_t{1}}}},
      {{{"softcap", 2.0f}}, true, false, false},
      {{{"qk_matmul_output_mode", int64_t{2}}}, true, true, false},
  };
  for (const Case& c : cases) {
    GraphMaker maker;
    const ValueId q = maker.Input({2, 4, 5, 8}), k = maker.Input({2, 2, 7, 8}),
                  v = maker.Input({2, 2, 7, 6});
    std::vector<ValueId> inputs = {q, k, v};
    if (c.mask) inputs.push_back(maker.Input({5, 7}));
    const auto outputs = maker.Ops("Attention", inputs, c.scores ? 4 : 1, c.attributes);
    maker.Output(outputs[0]);
    if (c.scores) maker.Output(outputs[3]);
    Graph after = maker.graph();
    ASSERT_TRUE(Decompose(after).ok());
    EXPECT_EQ(Has(after, "FMHA"), c.fused);
    ExpectDecomposed(maker.graph(), "Attention");
  }
}

TEST(DecomposeTest, AttentionOfRowsSplitsHeadsAndAppendsThePast) {
  GraphMaker maker;
  const ValueId q = maker.Input({2, 3, 16}), k = maker.Input({2, 3, 16}),
                v = maker.Input({2, 3, 16});
  const ValueId past_k = maker.Input({2, 4, 5, 4}), past_v = maker.Input({2, 4, 5, 4});
  const auto outputs = maker.Ops(
      "Attention", {q, k, v, kNoValue, past_k, past_v}, 3,
      {{"q_num_heads", int64_t{4}}, {"kv_num_heads", int64_t{4}}, {"is_causal", int64_t{1}}});
  for (const ValueId output : outputs) maker.Output(output);
  ExpectDecomposed(maker.graph(), "Attention");
}

TEST(DecomposeTest, RotaryEmbeddingIsProductsAndSums) {
  for (const int64_t interleaved : {0, 1}) {
    for (const int64_t width : {8, 6}) {  // all of a head, or a part
      GraphMaker maker;
      const ValueId x = maker.Input({2, 5, 24});
      const ValueId cosine = maker.Input({2, 5, width / 2}), sine = maker.Input({2, 5, width / 2});
      maker.Output(maker.Op("RotaryEmbedding", {x, cosine, sine},
                            {{"num_heads", int64_t{3}},
                             {"interleaved", interleaved},
                             {"rotary_embedding_dim", width == 8 ? int64_t{0} : width}}));
      ExpectDecomposed(maker.graph(), "RotaryEmbedding");
    }
  }
}

TEST(DecomposeTest, NormalisationsAreReductions) {
  struct Case {
    const char* op;
    Attributes attributes;
  };
  const Case cases[] = {
      {"LRN", {{"size", int64_t{3}}, {"alpha", 0.5f}}},
      {"LRN", {{"size", int64_t{4}}, {"beta", 0.5f}, {"bias", 2.0f}}},
      {"LpNormalization", {{"axis", int64_t{1}}}},
      {"LpNormalization", {{"p", int64_t{1}}}},
      {"MeanVarianceNormalization", {}},
      {"Hardmax", {{"axis", int64_t{1}}}},
  };
  for (const Case& c : cases) {
    GraphMaker maker;
    maker.Output(maker.Op(c.op, {maker.Input({2, 6, 3, 4})}, c.attributes));
    ExpectDecomposed(maker.graph(), c.op);
  }
}

TEST(DecomposeTest, BatchNormOfComputedStatistics) {
  GraphMaker maker;
  const ValueId x = maker.Input({2, 3, 4, 5}), scale = maker.Input({3}), bias = maker.Input({3});
  const ValueId variance = maker.Op("Abs", {maker.Input({3})});
  maker.Output(maker.Op("BatchNormalization", {x, scale, bias, maker.Weight({3}), variance}));
  ExpectDecomposed(maker.graph(), "BatchNormalization");
}

TEST(DecomposeTest, QuantisedValuesGoThroughTheSameSteps) {
  GraphMaker maker;
  const ValueId x = maker.Input({2, 3, 4});
  const ValueId scale = maker.Constant(
      HostTensor::Of<float>(DataType::kFp32, {3}, std::vector<float>{0.01f, 0.02f, 0.5f}));
  const ValueId zero =
      maker.Constant(HostTensor::Of<int8_t>(DataType::kInt8, {3}, std::vector<int8_t>{0, 3, -5}));
  const ValueId quantised = maker.Op("QuantizeLinear", {x, scale, zero});
  maker.Output(quantised);
  maker.Output(maker.Op("DequantizeLinear", {quantised, scale, zero}));
  ExpectDecomposed(maker.graph(), "QuantizeLinear", 0);
  ExpectDecomposed(maker.graph(), "DequantizeLinear", 0);

  GraphMaker dynamic;
  for (const ValueId output : dynamic.Ops("DynamicQuantizeLinear", {dynamic.Input({4, 5})}, 3)) {
    dynamic.Output(output);
  }
  ExpectDecomposed(dynamic.graph(), "DynamicQuantizeLinear", 1e-6);
}

TEST(DecomposeTest, ATransposedConvolutionByItsResultHasPads) {
  for (const char* const automatic : {"SAME_UPPER", "SAME_LOWER"}) {
    GraphMaker maker;
    maker.Output(
        maker.Op("ConvTranspose", {maker.Input({1, 2, 5, 5}), maker.Weight({2, 3, 4, 4})},
                 {{"auto_pad", std::string(automatic)}, {"strides", std::vector<int64_t>{2, 2}}}));
    Graph after = maker.graph();
    ASSERT_TRUE(Decompose(after).ok());
    ASSERT_EQ(after.nodes.size(), 1u);
    EXPECT_FALSE(after.nodes[0].attributes.contains("auto_pad"));
    EXPECT_EQ(after.nodes[0].Ints("pads"), (std::vector<int64_t>{1, 1, 1, 1}));
    ExpectSame(maker.graph(), after);
  }
}

TEST(DecomposeTest, AResizeOfSomeAxesIsOneOfAll) {
  GraphMaker maker;
  maker.Output(maker.Op("Resize",
                        {maker.Input({1, 2, 4, 6}), kNoValue, kNoValue, maker.Ints({3, 8})},
                        {{"axes", std::vector<int64_t>{3, 2}}, {"mode", std::string("linear")}}));
  Graph after = maker.graph();
  ASSERT_TRUE(Decompose(after).ok());
  ASSERT_EQ(after.nodes.size(), 1u);
  EXPECT_FALSE(after.nodes[0].attributes.contains("axes"));
  ExpectSame(maker.graph(), after);
}

TEST(DecomposeTest, CastLikeIsACast) {
  GraphMaker maker;
  const ValueId like = maker.Input({1}, DataType::kInt32);
  maker.Output(maker.Op("CastLike", {maker.Input({2, 3}), like}));
  Graph graph = maker.graph();
  ASSERT_TRUE(Decompose(graph).ok());
  ASSERT_EQ(graph.nodes.size(), 1u);
  EXPECT_EQ(graph.nodes[0].op, "Cast");
  EXPECT_EQ(graph.nodes[0].Int("to", 0), ToOnnxType(DataType::kInt32));
}

}  // namespace
}  // namespace nereid::engine
