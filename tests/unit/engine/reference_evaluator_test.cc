#include <algorithm>
#include <cmath>
#include <limits>

#include "backends/cuda/reference/evaluator.h"
#include "common/strings.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "unit/engine/reference_fixture.h"

namespace nereid::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Error(const absl::StatusOr<std::vector<HostTensor>>& result) {
  return result.ok() ? "" : std::string(Message(result.status()));
}

TEST(EvaluatorTest, KnowsTheOperatorsThatModelsNeed) {
  const char* kNeeded[] = {"Reshape",
                           "Flatten",
                           "Sum",
                           "Conv",
                           "ConvTranspose",
                           "BatchNormalization",
                           "Relu",
                           "LeakyRelu",
                           "PRelu",
                           "Clip",
                           "Sigmoid",
                           "HardSigmoid",
                           "HardSwish",
                           "Tanh",
                           "Gelu",
                           "Erf",
                           "Softplus",
                           "MaxPool",
                           "AveragePool",
                           "GlobalAveragePool",
                           "GlobalMaxPool",
                           "Gemm",
                           "MatMul",
                           "Add",
                           "Sub",
                           "Mul",
                           "Div",
                           "Pow",
                           "Sqrt",
                           "Neg",
                           "Abs",
                           "Exp",
                           "Log",
                           "Reciprocal",
                           "Max",
                           "Min",
                           "Softmax",
                           "LogSoftmax",
                           "Concat",
                           "Constant",
                           "Identity",
                           "LayerNormalization",
                           "Transpose",
                           "Squeeze",
                           "Unsqueeze",
                           "Slice",
                           "Split",
                           "Gather",
                           "GatherElements",
                           "GatherND",
                           "Expand",
                           "Tile",
                           "Pad",
                           "Resize",
                           "Shape",
                           "Size",
                           "ConstantOfShape",
                           "Cast",
                           "Where",
                           "Equal",
                           "Less",
                           "LessOrEqual",
                           "Greater",
                           "GreaterOrEqual",
                           "And",
                           "Or",
                           "Not",
                           "Range",
                           "ReduceMean",
                           "ReduceSum",
                           "ReduceMax",
                           "ReduceMin",
                           "ArgMax",
                           "TopK",
                           "RMSNormalization",
                           "GroupNormalization",
                           "InstanceNormalization",
                           "Einsum",
                           "Sin",
                           "Cos",
                           "Floor",
                           "Ceil",
                           "Round",
                           "Mod",
                           "Sign",
                           "Trilu",
                           "CumSum",
                           "ScatterND",
                           "ScatterElements",
                           "OneHot",
                           "Attention",
                           "RotaryEmbedding",
                           "Swish",
                           "Mish",
                           "DepthToSpace",
                           "SpaceToDepth",
                           "LSTM",
                           "GRU",
                           "RNN",
                           "If",
                           "Loop",
                           "Scan",
                           "NonZero",
                           "Compress",
                           "IsNaN",
                           "IsInf",
                           "QuantizeLinear",
                           "DequantizeLinear",
                           "NonMaxSuppression",
                           "RoiAlign",
                           "GridSample"};
  const std::vector<std::string> known = ReferenceOperators();
  EXPECT_TRUE(std::is_sorted(known.begin(), known.end()));
  for (const char* op : kNeeded) {
    EXPECT_TRUE(std::binary_search(known.begin(), known.end(), op)) << op;
    EXPECT_TRUE(HasReference(MakeNode(op))) << op;
    EXPECT_FALSE(HasReference(MakeNode(StrCat("elsewhere.", op)))) << op;
  }
  EXPECT_TRUE(HasReference(MakeNode("nereid.FusedConv")));
}

TEST(EvaluatorTest, RefusalsNameTheNode) {
  const auto unknown = Evaluate("Nonsense", {});
  EXPECT_EQ(unknown.status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(Error(unknown), HasSubstr("Nonsense 'the_node'"));
  const auto missing = Evaluate("Add", {Floats({1}, {1})});
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(Error(missing), HasSubstr("Add 'the_node': input 1 is missing"));
  EXPECT_THAT(Error(Evaluate("Sqrt", {Ints({1}, {4})})), HasSubstr("INT64"));
  EXPECT_THAT(Error(Evaluate("Relu", {HostTensor(DataType::kBytes, {1})})), HasSubstr("BYTES"));
}

TEST(EvaluatorTest, IntegersWrapAndDoNotTrap) {
  const auto bytes = [](uint8_t x) { return HostTensor::Of<uint8_t>(DataType::kUint8, {1}, {x}); };
  EXPECT_EQ(Result("Add", {bytes(200), bytes(100)}).AsInt64(0), 44);
  EXPECT_EQ(Result("Mul", {Ints({}, {INT64_MAX}), Ints({}, {2})}).AsInt64(0), -2);
  EXPECT_EQ(Result("Div", {Ints({}, {INT64_MIN}), Ints({}, {-1})}).AsInt64(0), INT64_MIN);
  EXPECT_EQ(Result("Mod", {Ints({}, {-7}), Ints({}, {3})}).AsInt64(0), 2);
  EXPECT_EQ(Result("Mod", {Ints({}, {-7}), Ints({}, {3})}, {{"fmod", int64_t{1}}}).AsInt64(0), -1);
  EXPECT_THAT(Error(Evaluate("Div", {Ints({}, {1}), Ints({}, {0})})), HasSubstr("zero"));
  EXPECT_THAT(Error(Evaluate("Mod", {Ints({}, {1}), Ints({}, {0})})), HasSubstr("zero"));
}

TEST(EvaluatorTest, SixteenBitsAreRoundedOnce) {
  // 1 + 2^-11 is not a half; added in halves it would be lost twice.
  const HostTensor one = HostTensor::Of<uint16_t>(DataType::kFp16, {1}, {0x3c00});
  const HostTensor tiny = HostTensor::Of<uint16_t>(DataType::kFp16, {3}, {0x3c00, 0x1000, 0x1000});
  EXPECT_EQ(Result("ReduceSum", {tiny}).AsDouble(0), 1.0 + 0x1p-10);
  EXPECT_EQ(Result("Add", {one, one}).type(), DataType::kFp16);
  const HostTensor brain = Result("Cast", {Floats({1}, {1.00390625f})}, {{"to", int64_t{16}}});
  EXPECT_EQ(brain.type(), DataType::kBf16);
  EXPECT_EQ(brain.AsDouble(0), 1.0);
}

TEST(EvaluatorTest, PlacesThatAreNoNumbersAreRefused) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const std::vector<float>& region :
       {std::vector<float>{nan, 1}, std::vector<float>{0, nan}}) {
    for (const char* mode : {"nearest", "linear"}) {
      EXPECT_THAT(Error(Evaluate(
                      "Resize", {Floats({4}, {1, 2, 3, 4}), Floats({2}, region), Floats({1}, {2})},
                      {{"mode", std::string(mode)},
                       {"coordinate_transformation_mode", std::string("tf_crop_and_resize")}})),
                  HasSubstr("roi has nan"));
    }
  }
}

TEST(EvaluatorTest, EndlessSamplingIsRefused) {
  const HostTensor image = Random({1, 4, 8, 8}, 1);
  const HostTensor first = Ints({1}, {0});
  const auto pooled = [&](float edge) {
    return Evaluate("RoiAlign", {image, Floats({1, 4}, {0, 0, edge, edge}), first},
                    {{"output_height", int64_t{8}}, {"output_width", int64_t{8}}});
  };
  EXPECT_TRUE(pooled(8).ok());
  EXPECT_THAT(Error(pooled(1e20F)), HasSubstr("samples"));
  EXPECT_TRUE(pooled(std::numeric_limits<float>::quiet_NaN()).ok()) << "one sample";
}

TEST(EvaluatorTest, HugeShapesAreRefused) {
  const HostTensor one = Floats({1}, {1});
  const HostTensor huge = Ints({2}, {int64_t{1} << 40, int64_t{1} << 40});
  EXPECT_FALSE(Evaluate("Expand", {one, huge}).ok());
  EXPECT_FALSE(Evaluate("ConstantOfShape", {huge}).ok());
  EXPECT_FALSE(Evaluate("ConstantOfShape", {Ints({1}, {-1})}).ok());
  EXPECT_FALSE(Evaluate("Tile", {one, Ints({1}, {INT64_MAX})}).ok());
  EXPECT_FALSE(Evaluate("Pad", {one, Ints({2}, {INT64_MAX, INT64_MIN})}).ok());
  EXPECT_FALSE(Evaluate("Range", {Ints({}, {0}), Ints({}, {INT64_MAX}), Ints({}, {1})}).ok());
  EXPECT_FALSE(
      Evaluate("OneHot", {Ints({2}, {0, 1}), Ints({}, {INT64_MAX}), Floats({2}, {0, 1})}).ok());
  EXPECT_FALSE(Evaluate("Reshape", {one, huge}).ok());
  EXPECT_FALSE(Evaluate("Resize", {one, {}, Floats({1}, {1e30f})}).ok());
  EXPECT_FALSE(Evaluate("Resize", {one, {}, Floats({1}, {NAN})}).ok());
  EXPECT_FALSE(Evaluate("Resize", {one, {}, {}, Ints({1}, {INT64_MAX})}).ok());
  // Beside an extent of 0, any other is possible.
  const HostTensor nothing = Floats({0, 2}, {});
  EXPECT_TRUE(
      Evaluate("Reshape", {nothing, Ints({3}, {0, 1 << 28, 0})}, {{"allowzero", int64_t{1}}}).ok());
}

TEST(EvaluatorTest, SenselessAttributesAreRefused) {
  const HostTensor x = Random({1, 4, 5, 5}, 1);
  const HostTensor w = Random({4, 4, 3, 3}, 2);
  const auto ints = [](std::vector<int64_t> values) { return AttributeValue(std::move(values)); };
  EXPECT_FALSE(Evaluate("Conv", {x, w}, {{"strides", ints({0, 1})}}).ok());
  EXPECT_FALSE(Evaluate("Conv", {x, w}, {{"strides", ints({1})}}).ok());
  EXPECT_FALSE(Evaluate("Conv", {x, w}, {{"pads", ints({0, 0, INT64_MAX, 0})}}).ok());
  EXPECT_FALSE(Evaluate("Conv", {x, w}, {{"group", int64_t{0}}}).ok());
  EXPECT_FALSE(Evaluate("Conv", {x, w}, {{"group", int64_t{3}}}).ok());
  EXPECT_FALSE(Evaluate("Conv", {x, Random({4, 3, 3, 3}, 2)}).ok());
  EXPECT_FALSE(Evaluate("MaxPool", {x}, {{"kernel_shape", ints({-1, 2})}}).ok());
  EXPECT_FALSE(Evaluate("MaxPool", {x}).ok());
  EXPECT_FALSE(Evaluate("ConvTranspose", {x, w}, {{"output_shape", ints({INT64_MIN, 4})}}).ok());
  // Taps that lie outside the image cost nothing.
  EXPECT_TRUE(
      Evaluate("AveragePool", {x},
               {{"kernel_shape", ints({1 << 30, 2})}, {"auto_pad", std::string("SAME_UPPER")}})
          .ok());
  EXPECT_FALSE(Evaluate("Transpose", {x}, {{"perm", ints({0, 1, 2, 2})}}).ok());
  EXPECT_FALSE(Evaluate("Softmax", {x}, {{"axis", int64_t{4}}}).ok());
  EXPECT_FALSE(Evaluate("Gather", {x, Ints({1}, {1})}).ok());
  EXPECT_FALSE(Evaluate("DepthToSpace", {x}, {{"blocksize", int64_t{0}}}).ok());
  EXPECT_FALSE(Evaluate("Einsum", {x}, {{"equation", std::string("a!bc->a")}}).ok());
  EXPECT_FALSE(Evaluate("TopK", {x, Ints({1}, {6})}, {}, 2).ok());
}

TEST(EvaluatorTest, SlicesSurviveExtremeBounds) {
  const HostTensor x = Ints({4}, {0, 1, 2, 3});
  const auto slice = [&](int64_t start, int64_t end, int64_t step) {
    return Result("Slice",
                  {x, Ints({1}, {start}), Ints({1}, {end}), Ints({1}, {0}), Ints({1}, {step})})
        .AsInt64Vector();
  };
  EXPECT_THAT(slice(INT64_MAX, INT64_MIN, -1), ElementsAre(3, 2, 1, 0));
  EXPECT_THAT(slice(INT64_MIN, INT64_MAX, INT64_MAX), ElementsAre(0));
  EXPECT_THAT(slice(-1, INT64_MIN, INT64_MIN), ElementsAre(3));
  EXPECT_THAT(slice(3, 1, 1), ElementsAre());
}

TEST(EvaluatorTest, ANanComesThrough) {
  const HostTensor x = Floats({1, 1, 3}, {1, NAN, 2});
  EXPECT_TRUE(std::isnan(Result("ReduceMax", {x}).AsDouble(0)));
  EXPECT_TRUE(
      std::isnan(Result("MaxPool", {x}, {{"kernel_shape", std::vector<int64_t>{3}}}).AsDouble(0)));
  const auto top = Evaluate("TopK", {x, Ints({1}, {3})}, {}, 2);
  ASSERT_TRUE(top.ok());
  EXPECT_THAT((*top)[1].AsInt64Vector(), ElementsAre(1, 2, 0));
}

// then: outer + 1; else: outer - 1.
std::shared_ptr<const Graph> Branch(const char* op, ValueId outer) {
  auto graph = std::make_shared<Graph>();
  const ValueId captured = graph->AddValue({.name = "captured"});
  const ValueId one = graph->AddConstant("one", HostTensor::Scalar(1));
  const ValueId out = graph->AddValue({.name = "out"});
  graph->captures = {{outer, captured}};
  graph->nodes.push_back(MakeNode(op, {captured, one}, {out}));
  graph->outputs = {out};
  return graph;
}

Graph Choice(bool outer_is_constant) {
  Graph graph;
  const ValueId condition = graph.AddValue({.name = "condition"});
  const ValueId outer = outer_is_constant ? graph.AddConstant("outer", HostTensor::Scalar(10))
                                          : graph.AddValue({.name = "outer"});
  const ValueId out = graph.AddValue({.name = "out"});
  graph.inputs = {condition};
  if (!outer_is_constant) graph.inputs.push_back(outer);
  Node node = MakeNode("If", {condition}, {out});
  node.attributes["then_branch"] = Branch("Add", outer);
  node.attributes["else_branch"] = Branch("Sub", outer);
  graph.nodes.push_back(std::move(node));
  graph.outputs = {out};
  return graph;
}

TEST(EvaluatorTest, BranchesReadTheGraphAroundThem) {
  const Graph graph = Choice(false);
  const auto run = [&](uint8_t condition) {
    const auto out = EvaluateGraph(graph, Operands{Bools({}, {condition}), HostTensor::Scalar(5)});
    EXPECT_TRUE(out.ok()) << out.status();
    return (*out)[0].AsInt64(0);
  };
  EXPECT_EQ(run(1), 6);
  EXPECT_EQ(run(0), 4);
}

TEST(EvaluatorTest, ANodeAloneTakesItsCapturesFromConstantsOrBehindItsInputs) {
  const HostTensor yes = Bools({}, {1});
  const Graph constant = Choice(true);
  const HostTensor* only[] = {&yes};
  const auto from_constant = EvaluateNode(constant, constant.nodes[0], only);
  ASSERT_TRUE(from_constant.ok()) << from_constant.status();
  EXPECT_EQ((*from_constant)[0].AsInt64(0), 11);

  const Graph open = Choice(false);
  EXPECT_EQ(CapturedValues(open.nodes[0]).size(), 2u) << "one a branch";
  const HostTensor a = HostTensor::Scalar(1);
  const HostTensor b = HostTensor::Scalar(100);
  const HostTensor* with_captures[] = {&yes, &a, &b};
  const auto given = EvaluateNode(open, open.nodes[0], with_captures);
  ASSERT_TRUE(given.ok()) << given.status();
  EXPECT_EQ((*given)[0].AsInt64(0), 101) << "else_branch comes before then_branch";
  EXPECT_FALSE(EvaluateNode(open, open.nodes[0], only).ok());
}

TEST(EvaluatorTest, AGraphThatReadsWhatIsNotMadeIsRefused) {
  Graph graph;
  const ValueId x = graph.AddValue({.name = "nowhere"});
  const ValueId y = graph.AddValue({.name = "y"});
  graph.nodes.push_back(MakeNode("Relu", {x}, {y}));
  graph.outputs = {y};
  EXPECT_THAT(Error(EvaluateGraph(graph, {})), HasSubstr("'nowhere'"));
  EXPECT_FALSE(EvaluateGraph(graph, Operands{Floats({1}, {1})}).ok()) << "too many inputs";
}

}  // namespace
}  // namespace nereid::engine
