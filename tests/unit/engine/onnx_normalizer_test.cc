#include "backends/cuda/onnx/normalizer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "unit/engine/onnx_fixture.h"

namespace nereid::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int64_t kFloat = 1;
constexpr int64_t kLong = 7;

// A model of one node that reads inputs a, b, c (those it names) and constants.
std::string OneNode(const std::string& node, int64_t opset, const std::string& constants = "",
                    const std::string& more = "") {
  std::string graph = onnx::WithInput(onnx::Info("a", kFloat, {2, 3, 4, 5})) +
                      onnx::WithInput(onnx::Info("b", kFloat, {3, 4})) +
                      onnx::WithInput(onnx::Info("c", kFloat, {}));
  return onnx::Model(
      graph + constants + onnx::WithNode(node) + onnx::WithOutput(onnx::Info("y", kFloat, {})),
      opset, more);
}

Graph Normalized(const std::string& op, const std::vector<std::string>& inputs,
                 const std::string& attributes, int64_t opset, const std::string& constants = "") {
  return ImportGraph(OneNode(onnx::Node(op, inputs, {"y"}, attributes), opset, constants));
}

std::string Refusal(const std::string& op, const std::vector<std::string>& inputs,
                    const std::string& attributes, int64_t opset) {
  const auto model = ImportText(OneNode(onnx::Node(op, inputs, {"y"}, attributes), opset));
  return model.ok() ? "OK" : model.status().ToString();
}

TEST(NormalizerTest, ListsThatWereAttributesAreInputs) {
  struct Case {
    const char* op;
    int64_t opset;
    const char* attribute;
    size_t input;
  };
  for (const Case& c : {Case{"Squeeze", 11, "axes", 1},
                        {"Unsqueeze", 11, "axes", 1},
                        {"ReduceMean", 17, "axes", 1},
                        {"ReduceMax", 13, "axes", 1},
                        {"ReduceMin", 13, "axes", 1},
                        {"ReduceProd", 13, "axes", 1},
                        {"ReduceL1", 13, "axes", 1},
                        {"ReduceL2", 13, "axes", 1},
                        {"ReduceLogSum", 13, "axes", 1},
                        {"ReduceLogSumExp", 13, "axes", 1},
                        {"ReduceSumSquare", 13, "axes", 1},
                        {"ReduceSum", 12, "axes", 1},
                        {"Split", 11, "split", 1},
                        {"Pad", 2, "pads", 1},
                        {"Pad", 1, "paddings", 1},
                        {"Reshape", 1, "shape", 1}}) {
    const Graph graph =
        Normalized(c.op, {"a"}, onnx::Attribute(c.attribute, std::vector<int64_t>{1, 2}), c.opset);
    ASSERT_EQ(graph.nodes.size(), 1u) << c.op;
    EXPECT_THAT(ConstantInts(graph, graph.nodes[0], c.input), ElementsAre(1, 2)) << c.op;
    EXPECT_FALSE(graph.nodes[0].attributes.contains(c.attribute)) << c.op;
  }
}

TEST(NormalizerTest, SliceAndTopKTakeTheirListsAsInputs) {
  const Graph slice = Normalized("Slice", {"a"},
                                 onnx::Attribute("starts", std::vector<int64_t>{1}) +
                                     onnx::Attribute("ends", std::vector<int64_t>{3}) +
                                     onnx::Attribute("axes", std::vector<int64_t>{2}),
                                 9);
  EXPECT_THAT(ConstantInts(slice, slice.nodes[0], 1), ElementsAre(1));
  EXPECT_THAT(ConstantInts(slice, slice.nodes[0], 2), ElementsAre(3));
  EXPECT_THAT(ConstantInts(slice, slice.nodes[0], 3), ElementsAre(2));
  const Graph top = Normalized("TopK", {"a"}, onnx::Attribute("k", int64_t{3}), 1);
  EXPECT_THAT(ConstantInts(top, top.nodes[0], 1), ElementsAre(3));
}

TEST(NormalizerTest, ClipTakesItsBoundsAsInputs) {
  const Graph graph = Normalized("Clip", {"a"}, onnx::Attribute("max", 6.0f), 6);
  ASSERT_EQ(graph.nodes[0].inputs.size(), 3u);
  EXPECT_FALSE(graph.nodes[0].HasInput(1));
  EXPECT_EQ(graph.value(graph.nodes[0].inputs[2]).constant->AsDouble(0), 6.0);
}

TEST(NormalizerTest, SplitKnowsHowManyPartsItMakes) {
  const Graph graph = ImportGraph(OneNode(onnx::Node("Split", {"a"}, {"y", "z"}), 13));
  EXPECT_EQ(graph.nodes[0].Int("num_outputs", 0), 2);
}

TEST(NormalizerTest, UpsampleAndResize10AreResize) {
  const std::string scales = onnx::WithConstant(onnx::FloatTensor("s", {4}, {1, 1, 2, 2}));
  for (const auto& graph :
       {Normalized("Upsample", {"a", "s"}, onnx::Attribute("mode", "linear"), 9, scales),
        Normalized(
            "Upsample", {"a"},
            onnx::Attribute("mode", "bilinear") + onnx::FloatsAttribute("scales", {1, 1, 2, 2}), 7),
        Normalized("Resize", {"a", "s"}, onnx::Attribute("mode", "linear"), 10, scales)}) {
    ASSERT_EQ(Operators(graph), "Resize");
    const Node& node = graph.nodes[0];
    ASSERT_EQ(node.inputs.size(), 3u);
    EXPECT_FALSE(node.HasInput(1));
    EXPECT_EQ(graph.value(node.inputs[2]).constant->AsDouble(3), 2.0);
    EXPECT_EQ(node.String("mode", ""), "linear");
    EXPECT_EQ(node.String("coordinate_transformation_mode", ""), "asymmetric");
    EXPECT_EQ(node.String("nearest_mode", ""), "floor");
  }
}

TEST(NormalizerTest, EmptyListsOfResizeAreLeftOut) {
  const std::string lists = onnx::WithConstant(onnx::FloatTensor("e", {0}, {})) +
                            onnx::WithConstant(onnx::Int64Tensor("z", {2, 3, 8, 10}));
  const Graph graph = Normalized("Resize", {"a", "e", "e", "z"}, "", 13, lists);
  EXPECT_FALSE(graph.nodes[0].HasInput(1));
  EXPECT_FALSE(graph.nodes[0].HasInput(2));
  EXPECT_TRUE(graph.nodes[0].HasInput(3));
}

TEST(NormalizerTest, SoftmaxBefore13IsFlattenedUnlessAlongTheLastAxis) {
  EXPECT_EQ(Operators(Normalized("Softmax", {"a"}, "", 11)), "Shape Flatten Softmax Reshape");
  const Graph last = Normalized("Softmax", {"a"}, onnx::Attribute("axis", int64_t{3}), 11);
  EXPECT_EQ(Operators(last), "Softmax");
  EXPECT_EQ(last.nodes[0].Int("axis", 0), -1);
  EXPECT_EQ(Operators(Normalized("LogSoftmax", {"a"}, onnx::Attribute("axis", int64_t{-1}), 11)),
            "LogSoftmax");
  EXPECT_EQ(Operators(Normalized("Softmax", {"a"}, "", 13)), "Softmax");
}

TEST(NormalizerTest, IdentityDropoutAndSumsOfOneAreGone) {
  const auto then_relu = [](const std::string& node) {
    return Operators(
        ImportGraph(OneNode(onnx::Node("Relu", {"t"}, {"y"}), 13, onnx::WithNode(node))));
  };
  EXPECT_EQ(then_relu(onnx::Node("Identity", {"a"}, {"t"})), "Relu");
  EXPECT_EQ(then_relu(onnx::Node("Dropout", {"a"}, {"t"})), "Relu");
  EXPECT_EQ(then_relu(onnx::Node("Sum", {"a"}, {"t"})), "Relu");
  EXPECT_EQ(then_relu(onnx::Node("Sum", {"a", "b"}, {"t"})), "Sum Relu");
  EXPECT_EQ(Operators(Normalized("Identity", {"a"}, "", 13)), "Identity")
      << "an output cannot be an input";
  EXPECT_EQ(Operators(ImportGraph(OneNode(onnx::Node("Dropout", {"a"}, {"t", "y"}), 12))),
            "Shape ConstantOfShape");
}

TEST(NormalizerTest, TrainingIsRefused) {
  EXPECT_THAT(Refusal("BatchNormalization", {"a", "b", "b", "b", "b"},
                      onnx::Attribute("training_mode", int64_t{1}), 15),
              HasSubstr("training"));
  EXPECT_THAT(Refusal("BatchNormalization", {"a", "b", "b", "b", "b"},
                      onnx::Attribute("spatial", int64_t{0}), 7),
              HasSubstr("spatial"));
  EXPECT_THAT(Refusal("Dropout", {"a", "", "c"}, "", 12), HasSubstr("training"));
  EXPECT_THAT(Refusal("BatchNormalization", {"a", "b"}, "", 15), HasSubstr("input 2 is missing"));
}

TEST(NormalizerTest, BatchNormalizationHasOneOutput) {
  const Graph graph =
      ImportGraph(OneNode(onnx::Node("BatchNormalization", {"a", "b", "b", "b", "b"},
                                     {"y", "m", "v"}, onnx::Attribute("momentum", 0.5f)),
                          7));
  EXPECT_EQ(graph.nodes[0].outputs.size(), 1u);
  EXPECT_TRUE(graph.nodes[0].attributes.empty());
  const auto reads = ImportText(OneNode(
      onnx::Node("Relu", {"m"}, {"y"}), 7,
      onnx::WithNode(onnx::Node("BatchNormalization", {"a", "b", "b", "b", "b"}, {"t", "m"}))));
  EXPECT_THAT(reads.status().ToString(), HasSubstr("'m'"));
}

TEST(NormalizerTest, OldBroadcastBecomesUnsqueeze) {
  const std::string attributes =
      onnx::Attribute("broadcast", int64_t{1}) + onnx::Attribute("axis", int64_t{1});
  const Graph graph = Normalized("Add", {"a", "b"}, attributes, 6);
  ASSERT_EQ(Operators(graph), "Unsqueeze Add");
  EXPECT_THAT(ConstantInts(graph, graph.nodes[0], 1), ElementsAre(2));
  EXPECT_TRUE(graph.nodes[1].attributes.empty());
  EXPECT_EQ(Operators(Normalized("Mul", {"a", "b"}, onnx::Attribute("broadcast", int64_t{1}), 6)),
            "Mul");
}

TEST(NormalizerTest, SlopesOfOldPReluBelongToChannels) {
  const std::string slopes = onnx::WithConstant(onnx::FloatTensor("s", {3}, {1, 2, 3}));
  const Graph graph = Normalized("PRelu", {"a", "s"}, "", 6, slopes);
  ASSERT_EQ(Operators(graph), "Unsqueeze PRelu");
  EXPECT_THAT(ConstantInts(graph, graph.nodes[0], 1), ElementsAre(1, 2));
  EXPECT_EQ(Operators(Normalized("PRelu", {"a", "s"}, "", 7, slopes)), "PRelu");
  EXPECT_EQ(Operators(Normalized("PRelu", {"a", "c"}, "", 6)), "PRelu");
}

TEST(NormalizerTest, CastByNameConcatWithoutAxisAndScatter) {
  EXPECT_EQ(Normalized("Cast", {"a"}, onnx::Attribute("to", "INT64"), 5).nodes[0].Int("to", 0),
            kLong);
  EXPECT_THAT(Refusal("Cast", {"a"}, onnx::Attribute("to", "WORD"), 5), HasSubstr("'WORD'"));
  EXPECT_EQ(Normalized("Concat", {"a", "a"}, "", 3).nodes[0].Int("axis", -9), 1);
  EXPECT_EQ(Operators(Normalized("Scatter", {"a", "b", "a"}, "", 9)), "ScatterElements");
  EXPECT_THAT(Refusal("Tile", {"a", "b", "c"}, "", 1), HasSubstr("Tile"));
}

TEST(NormalizerTest, ConstantsAreValues) {
  const auto constant = [](const std::string& attribute) {
    const Graph graph =
        ImportGraph(onnx::Model(onnx::WithNode(onnx::Node("Constant", {}, {"y"}, attribute)) +
                                    onnx::WithOutput(onnx::Info("y", kFloat, {})),
                                13));
    EXPECT_TRUE(graph.nodes.empty());
    return *graph.value(graph.outputs.at(0)).constant;
  };
  EXPECT_EQ(constant(onnx::Attribute("value_int", int64_t{5})).AsInt64(0), 5);
  EXPECT_EQ(constant(onnx::Attribute("value_float", 2.5f)).AsDouble(0), 2.5);
  EXPECT_THAT(constant(onnx::Attribute("value_ints", std::vector<int64_t>{5, 6})).AsInt64Vector(),
              ElementsAre(5, 6));
  EXPECT_EQ(constant(onnx::FloatsAttribute("value_floats", {1, 2})).AsDouble(1), 2);
  EXPECT_THAT(constant(onnx::Attribute("value_string", "hi")).strings(), ElementsAre("hi"));
  EXPECT_EQ(constant(onnx::TensorAttribute("value", onnx::Int64Tensor("t", {9}))).AsInt64(0), 9);
}

TEST(NormalizerTest, ConstantOfShapeStaysLazy) {
  const std::string big = onnx::WithConstant(onnx::Int64Tensor("s", {1 << 15, 1 << 15}));
  EXPECT_EQ(Operators(Normalized("ConstantOfShape", {"s"}, "", 9, big)), "ConstantOfShape");
}

TEST(NormalizerTest, GroupNormalizationOf18HasParametersForEachChannel) {
  const Graph graph = Normalized("GroupNormalization", {"a", "b", "b"},
                                 onnx::Attribute("num_groups", int64_t{3}), 18);
  EXPECT_EQ(Operators(graph),
            "Shape Gather Div Concat Unsqueeze Expand Reshape Unsqueeze Expand Reshape "
            "GroupNormalization");
}

Graph Microsoft(const std::string& node) {
  return ImportGraph(OneNode(node, 13, "", onnx::Opset(1, "com.microsoft")));
}

TEST(NormalizerTest, MicrosoftOperatorsAreWhatTheyStandFor) {
  const std::string ms = "com.microsoft";
  EXPECT_EQ(Operators(Microsoft(onnx::Node("Gelu", {"a"}, {"y"}, "", ms))), "Gelu");
  EXPECT_EQ(Operators(Microsoft(onnx::Node("BiasGelu", {"a", "b"}, {"y"}, "", ms))), "Add Gelu");
  const Graph fast = Microsoft(onnx::Node("FastGelu", {"a"}, {"y"}, "", ms));
  EXPECT_EQ(fast.nodes[0].String("approximate", ""), "tanh");
  const Graph quick = Microsoft(onnx::Node("QuickGelu", {"a"}, {"y"}, "", ms));
  EXPECT_EQ(Operators(quick), "Swish");
  EXPECT_FLOAT_EQ(quick.nodes[0].Float("alpha", 0), 1.702f);
  EXPECT_EQ(Operators(Microsoft(onnx::Node("SkipLayerNormalization", {"a", "a", "b", "b", "b"},
                                           {"y", "", "", "s"}, "", ms))),
            "Add Add LayerNormalization");
  EXPECT_EQ(Operators(Microsoft(
                onnx::Node("SkipSimplifiedLayerNormalization", {"a", "a", "b"}, {"y"}, "", ms))),
            "Add RMSNormalization");
  EXPECT_EQ(
      Operators(Microsoft(onnx::Node("SimplifiedLayerNormalization", {"a", "b"}, {"y"}, "", ms))),
      "RMSNormalization");
  EXPECT_EQ(Operators(Microsoft(onnx::Node("FusedConv", {"a", "a", "b", "a"}, {"y"},
                                           onnx::Attribute("activation", "Relu"), ms))),
            "Conv Add Relu");
  EXPECT_EQ(Operators(Microsoft(onnx::Node("FusedGemm", {"b", "b", "b"}, {"y"},
                                           onnx::Attribute("activation", "LeakyRelu") +
                                               onnx::Attribute("activation_alpha", 0.5f),
                                           ms))),
            "Gemm LeakyRelu");
  EXPECT_EQ(Operators(Microsoft(onnx::Node("MatMulNBits", {"a", "b"}, {"y"}, "", ms))),
            "com.microsoft.MatMulNBits")
      << "others stay";
}

}  // namespace
}  // namespace nereid::engine
