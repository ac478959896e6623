#include <algorithm>
#include <string>

#include "backends/cuda/exec/engine_model.h"
#include "backends/cuda/lower/legalize.h"
#include "backends/cuda/lower/lowering.h"
#include "gtest/gtest.h"
#include "unit/engine/passes_fixture.h"

namespace nereid::engine {
namespace {

LoweredProgram Lower(Graph& graph) {
  ProgramOptions options;
  options.precision.precision = Precision::kFp32;
  ConstantPool pool;
  const absl::Status legal = Legalize(graph, options.precision, pool);
  EXPECT_TRUE(legal.ok()) << legal;
  auto program = LowerGraph(graph, LoweringFor(options));
  EXPECT_TRUE(program.ok()) << program.status();
  return program.ok() ? *std::move(program) : LoweredProgram();
}

std::vector<std::string> KindsOf(const LoweredProgram& program) {
  std::vector<std::string> kinds;
  for (const LoweredStep& step : program.steps) kinds.emplace_back(KindOf(step.spec));
  return kinds;
}

using Kinds = std::vector<std::string>;

constexpr int64_t kSteps = 6, kBatch = 2, kInputs = 10, kHidden = 12;

// A layer of constant weights, its initial states inputs of the graph.
struct Layer {
  GraphMaker maker;
  std::vector<ValueId> outputs;

  Layer(const std::string& op, int64_t gates, Attributes attributes, bool batch_first = false) {
    const bool both = attributes.contains("direction") &&
                      std::get<std::string>(attributes["direction"]) == "bidirectional";
    const int64_t d = both ? 2 : 1;
    attributes["layout"] = int64_t{batch_first};
    const ValueId x =
        maker.Input(batch_first ? Shape{kBatch, kSteps, kInputs} : Shape{kSteps, kBatch, kInputs});
    const Shape state = batch_first ? Shape{kBatch, d, kHidden} : Shape{d, kBatch, kHidden};
    std::vector<ValueId> inputs = {x,
                                   maker.Weight({d, gates * kHidden, kInputs}),
                                   maker.Weight({d, gates * kHidden, kHidden}),
                                   maker.Weight({d, 2 * gates * kHidden}),
                                   kNoValue,
                                   maker.Input(state)};
    if (op == "LSTM") inputs.push_back(maker.Input(state));
    outputs = maker.Ops(op, inputs, op == "LSTM" ? 3 : 2, attributes);
    for (const ValueId output : outputs) maker.Output(output);
  }
};

TEST(LowerRecurrentTest, ALayerIsOneProductOfAllStepsAndOneKernel) {
  struct Case {
    const char* op;
    int64_t gates;
    RecurrentCell cell;
  };
  for (const Case& c : {Case{"LSTM", 4, RecurrentCell::kLstm}, Case{"GRU", 3, RecurrentCell::kGru},
                        Case{"RNN", 1, RecurrentCell::kRnn}}) {
    SCOPED_TRACE(c.op);
    Layer layer(c.op, c.gates, {{"direction", std::string("bidirectional")}});
    const LoweredProgram program = Lower(layer.maker.graph());
    ASSERT_EQ(KindsOf(program), (Kinds{"gemm", "recurrent"}));
    const auto& gemm = std::get<GemmSpec>(program.steps[0].spec);
    EXPECT_EQ(gemm.m, kSteps * kBatch);
    EXPECT_EQ(gemm.n, 2 * c.gates * kHidden);
    EXPECT_EQ(gemm.k, kInputs);
    EXPECT_TRUE(gemm.has_bias);
    const auto& spec = std::get<RecurrentSpec>(program.steps[1].spec);
    EXPECT_EQ(spec.cell, c.cell);
    EXPECT_EQ(spec.directions, 2);
    EXPECT_EQ(spec.x_direction, c.gates * kHidden);
    EXPECT_EQ(spec.x_step, kBatch * 2 * c.gates * kHidden);
    // Only GRU adds a bias inside.
    EXPECT_EQ(program.steps[1].inputs[2].buffer != kNoBuffer, c.cell == RecurrentCell::kGru);
  }
}

TEST(LowerRecurrentTest, TheBatchMayComeFirst) {
  Layer layer("LSTM", 4, {}, true);
  const LoweredProgram program = Lower(layer.maker.graph());
  ASSERT_EQ(KindsOf(program), (Kinds{"gemm", "recurrent"}));
  const auto& spec = std::get<RecurrentSpec>(program.steps[1].spec);
  EXPECT_EQ(spec.steps, kSteps);
  EXPECT_EQ(spec.batch, kBatch);
  EXPECT_EQ(spec.x_step, 4 * kHidden);
  EXPECT_EQ(spec.x_batch, kSteps * 4 * kHidden);
  EXPECT_EQ(spec.y_step, kHidden);
  EXPECT_EQ(spec.y_batch, kSteps * kHidden);
  EXPECT_EQ(spec.state_batch, kHidden);
}

TEST(LowerRecurrentTest, BiasesAreAddedOnceButForTheHiddenOneOfGru) {
  Layer layer("GRU", 3, {});
  const Node& node = layer.maker.graph().nodes[0];
  const HostTensor bias = *layer.maker.graph().value(node.inputs[3]).constant;
  const LoweredProgram program = Lower(layer.maker.graph());
  ASSERT_EQ(program.steps.size(), 2u);
  const auto weight = [&](const Operand& operand) -> const HostTensor& {
    const BufferInfo& buffer = program.buffers[static_cast<size_t>(operand.buffer)];
    EXPECT_EQ(buffer.kind, BufferKind::kWeight);
    return program.weights[static_cast<size_t>(buffer.index)].tensor;
  };
  const HostTensor& joined = weight(program.steps[0].inputs[2]);
  const HostTensor& hidden = weight(program.steps[1].inputs[2]);
  ASSERT_EQ(joined.element_count(), 3 * kHidden);
  ASSERT_EQ(hidden.element_count(), kHidden);
  for (int64_t i = 0; i < 3 * kHidden; ++i) {
    const double recurrent = bias.AsDouble(3 * kHidden + i);
    EXPECT_FLOAT_EQ(static_cast<float>(joined.AsDouble(i)),
                    static_cast<float>(bias.AsDouble(i) + (i < 2 * kHidden ? recurrent : 0)));
  }
  for (int64_t i = 0; i < kHidden; ++i) {
    EXPECT_EQ(hidden.AsDouble(i), bias.AsDouble(5 * kHidden + i));
  }
}

TEST(LowerRecurrentTest, ActivationsAndTheirNumbersAreHandedOutInOrder) {
  Layer layer("LSTM", 4,
              {{"activations", std::vector<std::string>{"hardsigmoid", "Affine", "Relu"}},
               {"activation_alpha", std::vector<float>{0.3f, 2}},
               {"activation_beta", std::vector<float>{0.4f}},
               {"clip", 3.0f}});
  const LoweredProgram program = Lower(layer.maker.graph());
  ASSERT_EQ(KindsOf(program), (Kinds{"gemm", "recurrent"}));
  const auto& spec = std::get<RecurrentSpec>(program.steps[1].spec);
  ASSERT_EQ(spec.activations.size(), 3u);
  EXPECT_EQ(spec.activations[0].name, "HardSigmoid");
  EXPECT_EQ(spec.activations[0].alpha, 0.3f);
  EXPECT_EQ(spec.activations[0].beta, 0.4f);
  EXPECT_EQ(spec.activations[1].alpha, 2);
  EXPECT_EQ(spec.activations[1].beta, 0);
  EXPECT_EQ(spec.clip, 3);
}

TEST(LowerRecurrentTest, ALayerOfUnknownActivationsRunsOnTheHost) {
  Layer layer("RNN", 1, {{"activations", std::vector<std::string>{"Sine"}}});
  const LoweredProgram program = Lower(layer.maker.graph());
  EXPECT_EQ(KindsOf(program), Kinds{"host"});
}

}  // namespace
}  // namespace nereid::engine
