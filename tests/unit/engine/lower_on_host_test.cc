#include <algorithm>
#include <set>
#include <string>

#include "backends/cuda/exec/difference.h"
#include "backends/cuda/exec/engine_model.h"
#include "backends/cuda/lower/legalize.h"
#include "backends/cuda/lower/lowering.h"
#include "backends/cuda/lower/on_host.h"
#include "unit/engine/passes_fixture.h"

namespace nereid::engine {
namespace {

ProgramOptions Fp32() {
  ProgramOptions options;
  options.precision.precision = Precision::kFp32;
  return options;
}

absl::StatusOr<LoweredProgram> TryLower(Graph& graph) {
  const ProgramOptions options = Fp32();
  ConstantPool pool;
  const absl::Status legal = Legalize(graph, options.precision, pool);
  if (!legal.ok()) return legal;
  return LowerGraph(graph, LoweringFor(options));
}

LoweredProgram Lower(Graph& graph) {
  auto program = TryLower(graph);
  EXPECT_TRUE(program.ok()) << program.status();
  return program.ok() ? *std::move(program) : LoweredProgram();
}

// The steps in order: kinds, and for those on the host their operators in capitals' place.
std::string StepsOf(const LoweredProgram& program) {
  std::string text;
  for (const LoweredStep& step : program.steps) {
    const auto* host = std::get_if<HostSpec>(&step.spec);
    text +=
        (text.empty() ? "" : " ") + (host != nullptr ? host->op : std::string(KindOf(step.spec)));
  }
  return text;
}

const HostSpec& HostStep(const LoweredProgram& program, const std::string& op) {
  for (const LoweredStep& step : program.steps) {
    const auto* host = std::get_if<HostSpec>(&step.spec);
    if (host != nullptr && host->op == op) return *host;
  }
  ADD_FAILURE() << "no " << op << " among " << StepsOf(program);
  static const HostSpec none;
  return none;
}

TEST(OnHostTest, WhatComesBeforeComputedExtentsStaysOnTheDevice) {
  GraphMaker maker;
  const ValueId x = maker.Op("Softmax", {maker.Input({64, 64})});
  const ValueId found = maker.Op("NonZero", {x});
  maker.Output(maker.Op("Transpose", {found}));
  maker.Output(maker.Op("MatMul", {x, maker.Weight({64, 8})}));
  const LoweredProgram program = Lower(maker.graph());
  EXPECT_EQ(StepsOf(program), "softmax NonZero Transpose gemm");
  ASSERT_EQ(program.output_slots.size(), 2u);
  EXPECT_EQ(program.output_slots[0], HostStep(program, "Transpose").results[0]);
  EXPECT_EQ(program.output_slots[1], kOnDevice);
}

TEST(OnHostTest, LargeWorkAfterThemReturnsToTheDevice) {
  GraphMaker maker;
  const ValueId x = maker.Input({64, 64});
  const ValueId found = maker.Op("NonZero", {x});
  const ValueId picked = maker.Op("GatherND", {x, maker.Op("Transpose", {found})});
  const ValueId sum = maker.Op("ReduceSum", {picked}, {{"keepdims", int64_t{0}}});
  const ValueId scaled = maker.Op("Mul", {x, maker.Op("Exp", {sum})});
  maker.Output(maker.Op("MatMul", {scaled, maker.Weight({64, 8})}));
  const LoweredProgram program = Lower(maker.graph());
  EXPECT_EQ(StepsOf(program), "NonZero Transpose GatherND ReduceSum Exp pointwise gemm");
  // Only what the device reads is sent there, by the step that makes it.
  for (const LoweredStep& step : program.steps) {
    const auto* host = std::get_if<HostSpec>(&step.spec);
    if (host == nullptr) continue;
    EXPECT_EQ(host->send.size(), host->op == "Exp" ? 1u : 0u) << host->op;
    EXPECT_EQ(step.outputs.size(), host->send.size());
  }
}

TEST(OnHostTest, AValueIsFetchedOnceAndLetGoAfterItsLastReader) {
  GraphMaker maker;
  const ValueId x = maker.Op("Softmax", {maker.Input({4, 64})});
  const ValueId found = maker.Op("NonZero", {x});
  const ValueId picked = maker.Op("GatherND", {x, maker.Op("Transpose", {found})});
  maker.Output(maker.Op("Tanh", {picked}));
  const LoweredProgram program = Lower(maker.graph());
  EXPECT_EQ(StepsOf(program), "softmax NonZero Transpose GatherND Tanh");
  const HostSpec& first = HostStep(program, "NonZero");
  const HostSpec& second = HostStep(program, "GatherND");
  ASSERT_EQ(first.fetch.size(), 1u);
  EXPECT_TRUE(second.fetch.empty());
  EXPECT_EQ(second.operands[0], first.fetch[0].slot);
  EXPECT_TRUE(first.last_used.empty());
  const std::set<int> gone(second.last_used.begin(), second.last_used.end());
  EXPECT_EQ(gone, (std::set<int>{second.operands[0], second.operands[1]}));
  const HostSpec& last = HostStep(program, "Tanh");
  EXPECT_EQ(last.last_used, (std::vector<int>{last.operands[0]})) << "the output has to stay";
}

TEST(OnHostTest, ConstantsAreNeitherFetchedNorSent) {
  GraphMaker maker;
  const ValueId x = maker.Input({8, 3});
  const ValueId mask = maker.Input({8}, DataType::kBool);
  const ValueId rows = maker.Op("Compress", {x, mask}, {{"axis", int64_t{0}}});
  maker.Output(maker.Op("MatMul", {rows, maker.Weight({3, 5})}));
  const LoweredProgram program = Lower(maker.graph());
  EXPECT_EQ(StepsOf(program), "Compress MatMul");
  EXPECT_TRUE(program.weights.empty());
  EXPECT_EQ(HostStep(program, "MatMul").operands[1], -1);
}

TEST(OnHostTest, BranchesOfDifferentShapesReadTheirCapturesOnTheHost) {
  GraphMaker maker;
  const ValueId condition = maker.Input({}, DataType::kBool);
  const ValueId x = maker.Op("Softmax", {maker.Input({4, 8})});
  const auto branch = [&](int64_t rows) {
    auto graph = std::make_shared<Graph>();
    const ValueId inner =
        graph->AddValue({.name = "inner", .type = DataType::kFp32, .shape = Shape{4, 8}});
    const ValueId ends = graph->AddConstant("ends", HostTensor::Vector({rows}));
    const ValueId starts = graph->AddConstant("starts", HostTensor::Vector({0}));
    const ValueId out =
        graph->AddValue({.name = "out", .type = DataType::kFp32, .shape = Shape{rows, 8}});
    graph->captures = {{x, inner}};
    graph->nodes.push_back(Node{.op = "Slice",
                                .domain = "",
                                .name = "",
                                .inputs = {inner, starts, ends, starts},
                                .outputs = {out},
                                .attributes = {}});
    graph->outputs = {out};
    return std::shared_ptr<const Graph>(graph);
  };
  Graph& graph = maker.graph();
  const ValueId either =
      graph.AddValue({.name = "either", .type = DataType::kFp32, .shape = Shape{-1, 8}});
  graph.nodes.push_back(
      Node{.op = "If",
           .domain = "",
           .name = "if",
           .inputs = {condition},
           .outputs = {either},
           .attributes = {{"then_branch", branch(1)}, {"else_branch", branch(3)}}});
  maker.Output(either);
  const LoweredProgram program = Lower(graph);
  EXPECT_EQ(StepsOf(program), "softmax If");
  EXPECT_EQ(HostStep(program, "If").fetch.size(), 2u);
  const auto hidden = FindHidden(graph);
  ASSERT_TRUE(hidden.has_value());
  EXPECT_EQ(hidden->cause, "If 'if' makes a tensor whose extents depend on data");
}

TEST(OnHostTest, StringsStayOnTheHostFromInputToOutput) {
  GraphMaker maker;
  const ValueId a = maker.Input({2}, DataType::kBytes);
  Graph& graph = maker.graph();
  const ValueId joined =
      graph.AddValue({.name = "joined", .type = DataType::kBytes, .shape = Shape{2}});
  graph.nodes.push_back(Node{.op = "StringConcat",
                             .domain = "",
                             .name = "join",
                             .inputs = {a, a},
                             .outputs = {joined},
                             .attributes = {}});
  maker.Output(joined);
  const LoweredProgram program = Lower(graph);
  EXPECT_EQ(program.buffers.size(), 0u);
  EXPECT_NE(program.input_slots[0], kOnDevice);
  EXPECT_NE(program.output_slots[0], kOnDevice);
  EXPECT_EQ(FindHidden(graph)->cause, "StringConcat 'join' reads or makes a tensor of type BYTES");
}

TEST(OnHostTest, ItIsSaidWhereTheExtentsBecomeUnknownAndHowMuchFollows) {
  GraphMaker maker;
  const ValueId x = maker.Input({4, 8});
  const ValueId found = maker.Op("NonZero", {maker.Op("Softmax", {x})});
  maker.Output(maker.Op("Transpose", {maker.Op("Neg", {found})}));
  Lower(maker.graph());
  const auto hidden = FindHidden(maker.graph());
  ASSERT_TRUE(hidden.has_value());
  EXPECT_EQ(hidden->cause, "NonZero 'NonZero1' makes a tensor whose extents depend on data");
  EXPECT_EQ(hidden->nodes, 3);
}

TEST(OnHostTest, NothingIsHiddenWhereAllExtentsAreKnown) {
  GraphMaker maker;
  maker.Output(maker.Op("Hardmax", {maker.Op("Softmax", {maker.Input({4, 8})})}));
  EXPECT_EQ(StepsOf(Lower(maker.graph())), "softmax Hardmax");
  EXPECT_FALSE(FindHidden(maker.graph()).has_value());
}

TEST(OnHostTest, WhatIsHiddenIsNotHiddenAgain) {
  GraphMaker maker;
  maker.Output(maker.Op("Neg", {maker.Op("NonZero", {maker.Input({4, 8})})}));
  HideFromDevice(maker.graph());
  EXPECT_EQ(StepsOf(Lower(maker.graph())), "NonZero Neg");
}

TEST(OnHostTest, WhatNothingCanRunIsRefusedByName) {
  GraphMaker maker;
  const ValueId x = maker.Input({4, 8});
  Graph& graph = maker.graph();
  const ValueId y = graph.AddValue({.name = "y", .type = DataType::kFp32});
  graph.nodes.push_back(Node{.op = "Guess",
                             .domain = "acme",
                             .name = "who",
                             .inputs = {x},
                             .outputs = {y},
                             .attributes = {}});
  maker.Output(y);
  const auto program = TryLower(graph);
  EXPECT_EQ(program.status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(std::string(program.status().message()), "acme.Guess 'who' is not supported");
}

TEST(OnHostTest, PrecisionDoesNotReachWhatIsHidden) {
  GraphMaker maker;
  const ValueId x = maker.Op("Tanh", {maker.Input({4, 8})});
  maker.Output(maker.Op("Exp", {maker.Op("Compress", {x, maker.Input({32}, DataType::kBool)})}));
  ConstantPool pool;
  ASSERT_TRUE(Legalize(maker.graph(), {}, pool).ok());  // fp16
  const auto program = LowerGraph(maker.graph(), {});
  ASSERT_TRUE(program.ok()) << program.status();
  // What it reads is not rounded on the way.
  EXPECT_EQ(StepsOf(*program), "pointwise Compress Exp");
  const auto buffer = static_cast<size_t>(program->steps[0].outputs[0].buffer);
  EXPECT_EQ(program->buffers[buffer].byte_size, 32 * sizeof(float));
}

TEST(DifferenceTest, TensorsOfOtherShapesDiffer) {
  const HostTensor two = HostTensor::Vector({1, 2}), three = HostTensor::Vector({1, 2, 3});
  const Difference difference = Compare("y", two, three);
  EXPECT_TRUE(difference.Exceeds(1e9));
  EXPECT_EQ(Describe(difference), "output y [3] has shape [2]");
  EXPECT_FALSE(Compare("y", three, three).Exceeds(0));
}

TEST(DifferenceTest, StringsAreEqualOrDiffer) {
  const auto strings = [](const std::string& text) {
    HostTensor tensor(DataType::kBytes, {1});
    tensor.mutable_strings()[0] = text;
    return tensor;
  };
  EXPECT_FALSE(Compare("y", strings("a"), strings("a")).Exceeds(0));
  EXPECT_TRUE(Compare("y", strings("a"), strings("b")).Exceeds(1e9));
}

}  // namespace
}  // namespace nereid::engine
