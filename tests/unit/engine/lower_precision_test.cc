#include "backends/cuda/lower/precision.h"
#include "unit/engine/passes_fixture.h"

namespace nereid::engine {
namespace {

DataType StorageOf(const GraphMaker&, const TypePlan& plan, ValueId id) {
  return plan.storage[static_cast<size_t>(id)];
}

TEST(PrecisionTest, NamesAreParsedAndOthersRefused) {
  EXPECT_EQ(*ParsePrecision("bf16"), Precision::kBf16);
  EXPECT_EQ(PrecisionName(Precision::kTf32), "tf32");
  EXPECT_FALSE(ParsePrecision("int3").ok());
}

TEST(PrecisionTest, ActivationsAreKeptIn16BitsAndIntegersStay) {
  GraphMaker maker;
  const ValueId x = maker.Input({4, 8});
  const ValueId y = maker.Op("MatMul", {x, maker.Weight({8, 8})});
  const ValueId index = maker.Op("ArgMax", {y}, {{"axis", int64_t{1}}});
  maker.Output(maker.Op("Relu", {y}));
  maker.Output(index);
  const TypePlan plan = AssignTypes(maker.graph(), {});
  EXPECT_EQ(StorageOf(maker, plan, x), DataType::kFp32);  // as it arrives
  EXPECT_EQ(StorageOf(maker, plan, y), DataType::kFp16);
  EXPECT_EQ(StorageOf(maker, plan, index), DataType::kInt64);
  EXPECT_EQ(plan.compute[0], DataType::kFp16);
}

TEST(PrecisionTest, APointwiseOutputOfTheGraphIsWrittenInItsOwnType) {
  GraphMaker maker;
  const ValueId x = maker.Input({4, 8});
  const ValueId y = maker.Op("Relu", {maker.Op("MatMul", {x, maker.Weight({8, 8})})});
  maker.Output(y);
  EXPECT_EQ(StorageOf(maker, AssignTypes(maker.graph(), {}), y), DataType::kFp32);
}

TEST(PrecisionTest, SquaresAndWhatIsMadeOfThemOnlyStayWide) {
  GraphMaker maker;
  const ValueId x = maker.Op("Relu", {maker.Input({4, 8})});
  const ValueId square = maker.Op("Pow", {x, maker.Number(2)});
  const ValueId mean = maker.Op("ReduceMean", {square, maker.Ints({-1})});
  const ValueId shifted = maker.Op("Add", {mean, maker.Number(1e-12f)});
  const ValueId root = maker.Op("Sqrt", {shifted});
  const ValueId quotient = maker.Op("Div", {x, root});
  maker.Output(maker.Op("Softmax", {quotient}));
  const TypePlan plan = AssignTypes(maker.graph(), {});
  EXPECT_EQ(StorageOf(maker, plan, x), DataType::kFp16);
  for (const ValueId id : {square, mean, shifted, root}) {
    EXPECT_EQ(StorageOf(maker, plan, id), DataType::kFp32);
  }
  EXPECT_EQ(StorageOf(maker, plan, quotient), DataType::kFp16);
}

TEST(PrecisionTest, LongSumsStayWideAndShortOnesDoNot) {
  GraphMaker maker;
  const ValueId x = maker.Op("Relu", {maker.Input({4, 1024})});
  const ValueId y = maker.Op("Relu", {maker.Input({4, 16})});
  const ValueId axes = maker.Ints({-1});
  const ValueId all = maker.Op("ReduceSum", {x, axes});
  const ValueId few = maker.Op("ReduceSum", {y, axes});
  maker.Output(maker.Op("Softmax", {all}));
  maker.Output(maker.Op("Softmax", {few}));
  const TypePlan plan = AssignTypes(maker.graph(), {});
  EXPECT_EQ(StorageOf(maker, plan, all), DataType::kFp32);
  EXPECT_EQ(StorageOf(maker, plan, few), DataType::kFp16);
}

TEST(PrecisionTest, ALayerCanBeExempted) {
  GraphMaker maker;
  const ValueId x = maker.Input({4, 8});
  const ValueId first = maker.Op("MatMul", {x, maker.Weight({8, 8})});       // MatMul0
  const ValueId second = maker.Op("MatMul", {first, maker.Weight({8, 8})});  // MatMul1
  maker.Output(maker.Op("Softmax", {second}));
  PrecisionOptions options;
  options.layers["MatMul0"] = Precision::kFp32;
  const TypePlan plan = AssignTypes(maker.graph(), options);
  EXPECT_EQ(plan.compute[0], DataType::kFp32);
  EXPECT_EQ(StorageOf(maker, plan, first), DataType::kFp32);
  EXPECT_EQ(plan.compute[1], DataType::kFp16);
  EXPECT_EQ(StorageOf(maker, plan, second), DataType::kFp16);
}

TEST(PrecisionTest, Tf32KeepsStorageAndMarksProducts) {
  GraphMaker maker;
  const ValueId y = maker.Op("MatMul", {maker.Input({4, 8}), maker.Weight({8, 8})});
  maker.Output(maker.Op("Softmax", {y}));
  PrecisionOptions options;
  options.precision = Precision::kTf32;
  const TypePlan plan = AssignTypes(maker.graph(), options);
  EXPECT_EQ(StorageOf(maker, plan, y), DataType::kFp32);
  EXPECT_TRUE(plan.tf32[0]);
}

}  // namespace
}  // namespace nereid::engine
