#include "backends/cuda/exec/precision_simulation.h"
#include "backends/cuda/exec/random_inputs.h"
#include "unit/engine/passes_fixture.h"

namespace nereid::engine {
namespace {

SimulatedPrecision Simulate(const Graph& graph, Precision precision, double bound,
                            std::map<std::string, Precision, std::less<>> layers = {}) {
  std::vector<Shape> shapes;
  for (const ValueId id : graph.inputs) shapes.push_back(*graph.value(id).shape);
  const auto inputs = RandomInputs(graph, shapes, {}, 1);
  EXPECT_TRUE(inputs.ok()) << inputs.status();
  PrecisionOptions options;
  options.precision = precision;
  options.layers = std::move(layers);
  const auto result = SimulatePrecision(graph, options, *inputs, bound);
  EXPECT_TRUE(result.ok()) << result.status();
  return result.ok() ? *result : SimulatedPrecision();
}

// Two products with a softmax between them.
Graph Network() {
  GraphMaker maker;
  const ValueId x = maker.Op("MatMul", {maker.Input({8, 32}), maker.Weight({32, 64})});
  const ValueId y = maker.Op("MatMul", {maker.Op("Softmax", {x}), maker.Weight({64, 16})});
  maker.Output(maker.Op("Softmax", {y}));
  return maker.graph();
}

TEST(PrecisionSimulationTest, Fp32LosesNothingAndFewerBitsLoseMore) {
  const Graph graph = Network();
  const auto loss = [&](Precision precision) {
    return Simulate(graph, precision, 1).outputs[0].relative;
  };
  const double fp32 = loss(Precision::kFp32), tf32 = loss(Precision::kTf32),
               fp16 = loss(Precision::kFp16), bf16 = loss(Precision::kBf16);
  EXPECT_EQ(fp32, 0);
  EXPECT_GT(tf32, 0);
  EXPECT_GT(fp16, 0);
  EXPECT_LT(fp16, 5e-3);
  EXPECT_GT(bf16, 2 * fp16);
  EXPECT_LT(bf16, 5e-2);
}

// x · 3e4 · 4 leaves the range of fp16; the division brings it back for bf16.
Graph Overflowing() {
  GraphMaker maker;
  const ValueId x = maker.Op("Softmax", {maker.Input({4, 4})});
  const ValueId high = maker.Op("Mul", {x, maker.Number(3e4f)});
  const ValueId higher = maker.Op("Mul", {high, maker.Number(16.0f)});
  const ValueId low = maker.Op("Div", {higher, maker.Number(1e5f)});
  maker.Output(maker.Op("Softmax", {low}));
  return maker.graph();
}

TEST(PrecisionSimulationTest, NamesTheNodeThatOverflows) {
  const SimulatedPrecision fp16 = Simulate(Overflowing(), Precision::kFp16, 0.05);
  EXPECT_GT(fp16.outputs[0].not_finite, 0);
  EXPECT_EQ(fp16.offender, "Mul 'Mul2'");
  const SimulatedPrecision bf16 = Simulate(Overflowing(), Precision::kBf16, 0.05);
  EXPECT_EQ(bf16.outputs[0].not_finite, 0);
  EXPECT_EQ(bf16.offender, std::nullopt);
}

TEST(PrecisionSimulationTest, ALayerKeptInFp32DoesNotOverflow) {
  const SimulatedPrecision kept =
      Simulate(Overflowing(), Precision::kFp16, 0.05, {{"Mul2", Precision::kFp32}});
  EXPECT_EQ(kept.outputs[0].not_finite, 0);
  EXPECT_EQ(kept.offender, std::nullopt);
}

// 1000 + x, minus 1000: digits are lost in the first node already.
TEST(PrecisionSimulationTest, NamesTheFirstNodeBeyondTheBound) {
  GraphMaker maker;
  const ValueId x = maker.Op("Softmax", {maker.Input({4, 8})});
  const ValueId sum = maker.Op("Add", {x, maker.Number(1000)});
  const ValueId back = maker.Op("Sub", {sum, maker.Number(1000)});
  maker.Output(maker.Op("Softmax", {maker.Op("Mul", {back, maker.Number(50)})}));
  const SimulatedPrecision result = Simulate(maker.graph(), Precision::kBf16, 0.05);
  EXPECT_GT(result.outputs[0].relative, 0.05);
  EXPECT_EQ(result.offender, "Sub 'Sub2'");
}

TEST(PrecisionSimulationTest, FreesWhatNobodyReadsAnyMore) {
  GraphMaker maker;
  ValueId value = maker.Input({64, 64});
  for (int i = 0; i < 10; ++i) value = maker.Op("Add", {value, value});
  maker.Output(value);
  maker.Output(value);  // read twice at the end
  const SimulatedPrecision result = Simulate(maker.graph(), Precision::kFp32, 0.05);
  ASSERT_EQ(result.exact.size(), 2u);
  EXPECT_TRUE(result.exact[0].SameAs(result.exact[1]));
}

}  // namespace
}  // namespace nereid::engine
