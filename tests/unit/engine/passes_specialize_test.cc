#include <algorithm>
#include <filesystem>
#include <map>
#include <numeric>

#include "backends/cuda/onnx/importer.h"
#include "backends/cuda/passes/algebra.h"
#include "backends/cuda/passes/bind_input.h"
#include "backends/cuda/passes/pass.h"
#include "backends/cuda/passes/shape_inference.h"
#include "backends/cuda/passes/specialize.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "unit/engine/onnx_fixture.h"
#include "unit/engine/passes_fixture.h"

namespace nereid::engine {
namespace {

using ::testing::HasSubstr;

Graph Special(const Graph& graph, const std::vector<Shape>& shapes) {
  auto out = Specialize(graph, shapes);
  EXPECT_TRUE(out.ok()) << out.status();
  return out.ok() ? *std::move(out) : Graph();
}

const Shape& OutputShape(const Graph& graph, size_t i = 0) {
  return *graph.value(graph.outputs.at(i)).shape;
}

// Constant operands [0], [1], … for the subgraphs below.
std::string Numbers() {
  return onnx::WithConstant(onnx::Int64Tensor("zero", {0})) +
         onnx::WithConstant(onnx::Int64Tensor("one", {1})) +
         onnx::WithConstant(onnx::Tensor("true", 9, {}, onnx::PackedInts(5, {1}))) +
         onnx::WithConstant(onnx::Tensor("three", 7, {}, onnx::PackedInts(7, {3})));
}

std::string Model(const std::string& nodes, const std::string& output = "y", int64_t opset = 13) {
  return onnx::Model(onnx::WithInput(onnx::Info("x", 1, {-1, 4})) + Numbers() + nodes +
                         onnx::WithOutput(onnx::Info(output, 1, {})),
                     opset);
}

std::string N(const std::string& op, const std::vector<std::string>& inputs,
              const std::vector<std::string>& outputs, const std::string& attributes = "") {
  return onnx::WithNode(onnx::Node(op, inputs, outputs, attributes));
}

TEST(SpecializeTest, ShapeArithmeticVanishes) {
  // reshape(relu(x), [shape(x)[0] * 2, -1])
  const Graph graph = ImportGraph(
      Model(N("Shape", {"x"}, {"s"}) +
            N("Gather", {"s", "zero"}, {"n"}, onnx::Attribute("axis", int64_t{0})) +
            N("Add", {"n", "n"}, {"twice"}) + onnx::WithConstant(onnx::Int64Tensor("rest", {-1})) +
            N("Concat", {"twice", "rest"}, {"target"}, onnx::Attribute("axis", int64_t{0})) +
            N("Relu", {"x"}, {"r"}) + N("Reshape", {"r", "target"}, {"y"})));
  const Graph special = Special(graph, {{3, 4}});
  EXPECT_EQ(Operators(special), "Relu Reshape");
  EXPECT_EQ(OutputShape(special), (Shape{6, 2}));
  EXPECT_THAT(Specialize(graph, {{Shape{3, 5}}}).status().ToString(), HasSubstr("cannot have"));
  EXPECT_THAT(Specialize(graph, {}).status().ToString(), HasSubstr("1 inputs"));
}

TEST(SpecializeTest, InferShapesKeepsWhatIsNotKnownOpen) {
  Graph graph = ImportGraph(Model(N("Relu", {"x"}, {"r"}) + N("Unsqueeze", {"r", "one"}, {"y"})));
  ASSERT_TRUE(InferShapes(graph).ok());
  EXPECT_EQ(OutputShape(graph), (Shape{-1, 1, 4}));
}

TEST(SpecializeTest, MisfitsNameTheNode) {
  const Graph graph = ImportGraph(Model(onnx::WithConstant(onnx::FloatTensor("w", {3}, {1, 2, 3})) +
                                        N("Add", {"x", "w"}, {"y"})));
  EXPECT_THAT(Specialize(graph, {{Shape{2, 4}}}).status().ToString(),
              ::testing::AllOf(HasSubstr("Add 'y'"), HasSubstr("do not broadcast")));
}

std::string Branch(const std::string& op) {
  return N(op, {"x"}, {"b"}) + onnx::WithOutput(onnx::Info("b", 1, {}));
}

std::string If(const std::string& condition) {
  return N("If", {condition}, {"t"},
           onnx::GraphAttribute("then_branch", Branch("Relu")) +
               onnx::GraphAttribute("else_branch", Branch("Tanh")));
}

TEST(SpecializeTest, IfWithAKnownConditionGivesWay) {
  EXPECT_EQ(Operators(Special(ImportGraph(Model(If("true") + N("Neg", {"t"}, {"y"}))), {{2, 4}})),
            "Relu Neg");
  // A condition on the shape.
  const Graph graph =
      ImportGraph(Model(N("Shape", {"x"}, {"s"}) + N("Gather", {"s", "zero"}, {"n"}) +
                        N("Equal", {"n", "one"}, {"c"}) + If("c") + N("Neg", {"t"}, {"y"})));
  EXPECT_EQ(Operators(Special(graph, {{1, 4}})), "Relu Neg");
  EXPECT_EQ(Operators(Special(graph, {{2, 4}})), "Tanh Neg");
}

TEST(SpecializeTest, IfWithAnUnknownConditionStaysWithShapes) {
  const Graph graph = ImportGraph(onnx::Model(
      onnx::WithInput(onnx::Info("x", 1, {-1, 4})) + onnx::WithInput(onnx::Info("c", 9, {})) +
          If("c") + N("Neg", {"t"}, {"y"}) + onnx::WithOutput(onnx::Info("y", 1, {})),
      13));
  const Graph special = Special(graph, {{2, 4}, {}});
  EXPECT_EQ(Operators(special), "If Neg");
  EXPECT_EQ(OutputShape(special), (Shape{2, 4}));
  const Graph* branch = FindNode(special, "If")->Subgraph("then_branch");
  EXPECT_EQ(branch->value(branch->outputs[0]).shape, (Shape{2, 4}));
}

std::string Loop(const std::string& body_nodes, const std::string& trips) {
  const std::string body =
      onnx::WithInput(onnx::Info("i", 7, {})) + onnx::WithInput(onnx::Info("go", 9, {})) +
      onnx::WithInput(onnx::Info("v", 1, {})) + body_nodes +
      onnx::WithOutput(onnx::Info("go_on", 9, {})) + onnx::WithOutput(onnx::Info("w", 1, {})) +
      onnx::WithOutput(onnx::Info("each", 1, {}));
  return N("Loop", {trips, "", "x"}, {"last", "all"}, onnx::GraphAttribute("body", body));
}

TEST(SpecializeTest, ShortLoopsUnroll) {
  const std::string body =
      N("Identity", {"go"}, {"go_on"}) + N("Relu", {"v"}, {"w"}) + N("Tanh", {"w"}, {"each"});
  const Graph graph = ImportGraph(Model(Loop(body, "three") + N("Neg", {"all"}, {"y"})));
  const Graph special = Special(graph, {{2, 4}});
  EXPECT_EQ(Operators(special),
            "Relu Tanh Relu Tanh Relu Tanh Unsqueeze Unsqueeze Unsqueeze Concat Neg");
  EXPECT_EQ(OutputShape(special), (Shape{3, 2, 4}));
  const std::vector<HostTensor> x{RandomTensor({2, 4}, 1)};
  const auto expected = EvaluateGraph(graph, x);
  const auto found = EvaluateGraph(special, x);
  ASSERT_TRUE(expected.ok() && found.ok()) << expected.status() << found.status();
  EXPECT_TRUE((*expected)[0].SameAs((*found)[0]));
}

TEST(SpecializeTest, LoopsThatDependOnDataStay) {
  const std::string body =
      N("ReduceMax", {"v"}, {"m"}, onnx::Attribute("keepdims", int64_t{0})) +
      onnx::WithConstant(onnx::Tensor("limit", 1, {}, onnx::RawData(onnx::Raw<float>({1})))) +
      N("Less", {"m", "limit"}, {"go_on"}) + N("Add", {"v", "v"}, {"w"}) +
      N("Tanh", {"w"}, {"each"});
  const Graph special =
      Special(ImportGraph(Model(Loop(body, "three") + N("Neg", {"all"}, {"y"}))), {{2, 4}});
  EXPECT_EQ(Operators(special), "Loop Neg");
  EXPECT_EQ(OutputShape(special), (Shape{-1, 2, 4}));
}

TEST(SpecializeTest, WhatALoopOfManyTurnsCollectsHasAKnownLength) {
  const std::string many =
      onnx::WithConstant(onnx::Tensor("many", 7, {}, onnx::PackedInts(7, {1000})));
  const std::string turn = N("Tanh", {"v"}, {"w"}) + N("Relu", {"w"}, {"each"});
  const std::string rest = N("Neg", {"all"}, {"y"});
  // It is known only while the body goes on in any case.
  const std::string always = N("Identity", {"go"}, {"go_on"}) + turn;
  const std::string perhaps =
      N("ReduceMax", {"v"}, {"m"}, onnx::Attribute("keepdims", int64_t{0})) +
      onnx::WithConstant(onnx::Tensor("limit", 1, {}, onnx::RawData(onnx::Raw<float>({1})))) +
      N("Less", {"m", "limit"}, {"go_on"}) + turn;
  EXPECT_EQ(OutputShape(Special(ImportGraph(Model(many + Loop(always, "many") + rest)), {{2, 4}})),
            (Shape{1000, 2, 4}));
  EXPECT_EQ(OutputShape(Special(ImportGraph(Model(many + Loop(perhaps, "many") + rest)), {{2, 4}})),
            (Shape{-1, 2, 4}));
}

TEST(SpecializeTest, WhatALoopMakesLargerIsNotKnown) {
  const std::string body = N("Identity", {"go"}, {"go_on"}) +
                           N("Concat", {"v", "v"}, {"w"}, onnx::Attribute("axis", int64_t{0})) +
                           N("Tanh", {"w"}, {"each"});
  const std::string many =
      onnx::WithConstant(onnx::Tensor("many", 7, {}, onnx::PackedInts(7, {1000})));
  const Graph special =
      Special(ImportGraph(Model(many + Loop(body, "many") + N("Neg", {"last"}, {"y"}))), {{2, 4}});
  EXPECT_EQ(Operators(special), "Loop Neg");
  EXPECT_EQ(OutputShape(special), (Shape{-1, 4}));
}

TEST(SpecializeTest, SequencesOfKnownLengthGiveWayToTheirTensors) {
  using onnx::Attribute;
  const std::string constants = onnx::WithConstant(onnx::Int64Tensor("end", {-1})) +
                                onnx::WithConstant(onnx::Int64Tensor("sizes", {1, 3}));
  const auto along = [](int64_t axis) { return Attribute("axis", axis); };
  const struct {
    std::string nodes;
    Shape shape;
    std::vector<float> y;  // x is 0, 1, … 7
  } rows[] = {
      {N("SplitToSequence", {"x"}, {"s"}, along(1)) +
           N("ConcatFromSequence", {"s"}, {"y"}, along(1)),
       {2, 4},
       {0, 1, 2, 3, 4, 5, 6, 7}},
      {N("SplitToSequence", {"x", "three"}, {"s"}, along(1)) + N("SequenceAt", {"s", "end"}, {"y"}),
       {2, 1},
       {3, 7}},
      {N("SplitToSequence", {"x", "sizes"}, {"s"}, along(-1)) +
           N("SequenceErase", {"s", "zero"}, {"t"}) +
           N("ConcatFromSequence", {"t"}, {"y"}, along(0)),
       {2, 3},
       {1, 2, 3, 5, 6, 7}},
      {N("SplitToSequence", {"x"}, {"s"}, along(0) + Attribute("keepdims", int64_t{0})) +
           N("ConcatFromSequence", {"s"}, {"y"}, along(1) + Attribute("new_axis", int64_t{1})),
       {4, 2},
       {0, 4, 1, 5, 2, 6, 3, 7}},
      {N("SequenceEmpty", {}, {"e"}) + N("SequenceInsert", {"e", "x"}, {"s"}) +
           N("Neg", {"x"}, {"n"}) + N("SequenceInsert", {"s", "n", "zero"}, {"t"}) +
           N("ConcatFromSequence", {"t"}, {"y"}, along(0)),
       {4, 4},
       {-0.0F, -1, -2, -3, -4, -5, -6, -7, 0, 1, 2, 3, 4, 5, 6, 7}},
      {N("SequenceConstruct", {"x", "x", "x"}, {"s"}) + N("SequenceErase", {"s"}, {"t"}) +
           N("SequenceLength", {"t"}, {"n"}) +
           N("Cast", {"n"}, {"c"}, Attribute("to", int64_t{1})) + N("Mul", {"x", "c"}, {"y"}),
       {2, 4},
       {0, 2, 4, 6, 8, 10, 12, 14}},
      {Loop(N("Identity", {"go"}, {"go_on"}) + N("Relu", {"v"}, {"w"}) + N("Neg", {"w"}, {"each"}),
            "three") +
           N("SplitToSequence", {"all"}, {"s"}, along(0) + Attribute("keepdims", int64_t{0})) +
           N("SequenceAt", {"s", "end"}, {"y"}),
       {2, 4},
       {-0.0F, -1, -2, -3, -4, -5, -6, -7}},
  };
  std::vector<float> numbers(8);
  std::iota(numbers.begin(), numbers.end(), 0.0F);
  const std::vector<HostTensor> x{HostTensor::Of(DataType::kFp32, {2, 4}, numbers)};
  for (const auto& row : rows) {
    const Graph special = Special(ImportGraph(Model(constants + row.nodes)), {{2, 4}});
    EXPECT_EQ(OutputShape(special), row.shape);
    const auto found = EvaluateGraph(special, x);
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_TRUE((*found)[0].SameAs(HostTensor::Of(DataType::kFp32, row.shape, row.y)))
        << Operators(special);
  }
}

TEST(SpecializeTest, SequencesThatAreNotKnownAreRefusedByName) {
  const std::string split = N("SplitToSequence", {"x"}, {"s"});
  const std::string best = N("ReduceMax", {"x"}, {"m"}, onnx::Attribute("keepdims", int64_t{0})) +
                           N("Cast", {"m"}, {"at"}, onnx::Attribute("to", int64_t{7}));
  const struct {
    std::string nodes, output, told;
    absl::StatusCode code;
  } rows[] = {
      {split + best + N("SequenceAt", {"s", "at"}, {"y"}), "y", "SequenceAt",
       absl::StatusCode::kUnimplemented},
      {split + N("SequenceAt", {"s", "three"}, {"y"}), "y", "place 3",
       absl::StatusCode::kInvalidArgument},
      {best + N("SplitToSequence", {"x", "at"}, {"s"}) + N("ConcatFromSequence", {"s"}, {"y"}), "y",
       "SplitToSequence", absl::StatusCode::kUnimplemented},
      {split, "s", "output 's' is a sequence", absl::StatusCode::kUnimplemented},
  };
  for (const auto& row : rows) {
    const std::vector<Shape> shapes{{2, 4}};
    const auto special = Specialize(ImportGraph(Model(row.nodes, row.output)), shapes);
    EXPECT_EQ(special.status().code(), row.code) << special.status();
    EXPECT_THAT(std::string(special.status().message()), HasSubstr(row.told));
  }
}

TEST(SpecializeTest, LoopsInsideLoopsAreBounded) {
  std::string nodes =
      N("Identity", {"go"}, {"go_on"}) + N("Relu", {"v"}, {"w"}) + N("Tanh", {"w"}, {"each"});
  const std::string eight =
      onnx::WithConstant(onnx::Tensor("eight", 7, {}, onnx::PackedInts(7, {8})));
  for (int i = 0; i < 12; ++i) {
    const std::string body =
        onnx::WithInput(onnx::Info("i", 7, {})) + onnx::WithInput(onnx::Info("go", 9, {})) +
        onnx::WithInput(onnx::Info("v", 1, {})) + nodes +
        onnx::WithOutput(onnx::Info("go_on", 9, {})) + onnx::WithOutput(onnx::Info("w", 1, {}));
    nodes = N("Identity", {"go"}, {"go_on"}) +
            N("Loop", {"eight", "", "v"}, {"w"}, onnx::GraphAttribute("body", body));
  }
  const Graph graph =
      ImportGraph(Model(eight + N("Identity", {"true"}, {"go"}) + N("Identity", {"x"}, {"v"}) +
                        nodes + N("Neg", {"w"}, {"y"})));
  SpecializeOptions options;
  options.max_nodes = 10000;
  std::vector<Value> inputs{graph.value(graph.inputs[0])};
  inputs[0].shape = Shape{2, 4};
  EXPECT_EQ(Specializer(options).Run(graph, inputs).status().code(),
            absl::StatusCode::kResourceExhausted);
}

TEST(SpecializeTest, AutomaticPaddingBecomesNumbers) {
  const Graph graph = ImportGraph(onnx::Model(
      onnx::WithInput(onnx::Info("x", 1, {1, 1, -1, -1})) +
          onnx::WithConstant(onnx::FloatTensor("w", {1, 1, 3, 3}, std::vector<float>(9, 1))) +
          N("Conv", {"x", "w"}, {"y"},
            onnx::Attribute("auto_pad", "SAME_UPPER") +
                onnx::Attribute("strides", std::vector<int64_t>{2, 2})) +
          onnx::WithOutput(onnx::Info("y", 1, {})),
      13));
  const Graph special = Special(graph, {{1, 1, 6, 7}});
  EXPECT_EQ(special.nodes[0].Ints("pads"), (std::vector<int64_t>{0, 1, 1, 1}));
  EXPECT_FALSE(special.nodes[0].attributes.contains("auto_pad"));
  EXPECT_EQ(OutputShape(special), (Shape{1, 1, 3, 4}));
}

TEST(BindInputTest, MakesTheInputAConstant) {
  Graph graph = ImportGraph(Model(N("Neg", {"x"}, {"y"})));
  EXPECT_FALSE(BindInput(graph, "z", RandomTensor({2, 4}, 1)).ok());
  EXPECT_FALSE(BindInput(graph, "x", RandomTensor({2, 5}, 1)).ok());
  ASSERT_TRUE(BindInput(graph, "x", RandomTensor({2, 4}, 1)).ok());
  const Graph special = Special(graph, {});
  EXPECT_TRUE(special.nodes.empty());
  EXPECT_TRUE(special.value(special.outputs[0]).is_constant());
}

// The bundled models: output shapes as ONNX Runtime has them; no shape is open; nothing is left
// that only computes shapes; and, where it is quick enough to evaluate, the rewritten graph
// computes the same.
struct Bundled {
  const char* name;
  std::vector<Shape> inputs;
  std::vector<Shape> outputs;
  int64_t rate = 0;  // silero_vad: what its input `sr` is bound to
  bool evaluate = false;
  std::map<std::string, int> operators = {};  // after the passes
};

const Bundled kBundled[] = {
    {"ocr_classifier", {{2, 3, 48, 192}}, {{2, 2}}},
    {"ocr_classifier",
     {{1, 3, 48, 96}},
     {{1, 2}},
     0,
     true,
     {{"BatchNormalization", 0}, {"Shape", 0}, {"Cast", 0}, {"Flatten", 0}}},
    {"ocr_detection", {{1, 3, 64, 96}}, {{1, 1, 64, 96}}},
    {"ocr_detection",
     {{1, 3, 32, 32}},
     {{1, 1, 32, 32}},
     0,
     true,
     {{"BatchNormalization", 0}, {"Clip", 0}, {"Div", 0}}},
    {"ocr_recognition",
     {{1, 3, 48, 320}},
     {{1, 40, 6625}},
     0,
     false,
     {{"LayerNormalization", 5},
      {"FMHA", 2},
      {"ReduceMean", 0},
      {"BatchNormalization", 0},
      {"Shape", 0},
      {"Sqrt", 0}}},
    {"ocr_recognition", {{3, 3, 48, 100}}, {{3, 12, 6625}}},
    {"silero_vad",
     {{2, 576}, {2, 2, 128}},
     {{2, 1}, {2, 2, 128}},
     16000,
     true,
     {{"If", 0}, {"Shape", 0}, {"Equal", 0}}},
    {"silero_vad", {{1, 288}, {2, 1, 128}}, {{1, 1}, {2, 1, 128}}, 8000, true, {{"If", 0}}},
};

int Count(const Graph& graph, const std::string& op) {
  return static_cast<int>(std::count_if(graph.nodes.begin(), graph.nodes.end(),
                                        [&op](const Node& node) { return node.op == op; }));
}

class BundledModelTest : public ::testing::TestWithParam<Bundled> {};

TEST_P(BundledModelTest, HasKnownShapesAndComputesTheSame) {
  const Bundled& model = GetParam();
  const std::string path =
      std::string(NEREID_SOURCE_DIR) + "/model_repository/" + model.name + "/1/model.onnx";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "the model is fetched, not stored";
  auto imported = ImportOnnx(path);
  ASSERT_TRUE(imported.ok()) << imported.status();
  Graph& graph = *imported->graph;
  if (model.rate != 0) {
    ASSERT_TRUE(BindInput(graph, "sr", HostTensor::Scalar(model.rate)).ok());
  }
  ASSERT_TRUE(RunPasses(CleanupPasses(), graph).ok());
  const Graph special = Special(graph, model.inputs);
  for (const Value& value : special.values) {
    EXPECT_TRUE(value.type != DataType::kInvalid && value.shape.has_value() &&
                IsKnown(*value.shape))
        << value.name;
  }
  ASSERT_EQ(special.outputs.size(), model.outputs.size());
  Graph fast = special;
  for (const auto& passes : {LoadPasses(), ShapePasses()}) {
    const absl::Status status = RunPasses(passes, fast);
    ASSERT_TRUE(status.ok()) << status;
  }
  for (size_t i = 0; i < model.outputs.size(); ++i) {
    EXPECT_EQ(OutputShape(special, i), model.outputs[i]);
    EXPECT_EQ(OutputShape(fast, i), model.outputs[i]);
  }
  for (const auto& [op, count] : model.operators) EXPECT_EQ(Count(fast, op), count) << op;
  EXPECT_LT(fast.nodes.size(), special.nodes.size());
  if (model.evaluate) ExpectSame(special, fast, 1e-4);
}

INSTANTIATE_TEST_SUITE_P(All, BundledModelTest, ::testing::ValuesIn(kBundled));

}  // namespace
}  // namespace nereid::engine
