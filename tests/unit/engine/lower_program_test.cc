#include <algorithm>
#include <string>

#include "backends/cuda/exec/engine_model.h"
#include "backends/cuda/lower/legalize.h"
#include "backends/cuda/lower/lowering.h"
#include "backends/cuda/passes/algebra.h"
#include "unit/engine/passes_fixture.h"
#include "unit/engine/transformer_blocks.h"

namespace nereid::engine {
namespace {

// The kinds of a program's steps, in order.
std::vector<std::string> KindsOf(const LoweredProgram& program) {
  std::vector<std::string> kinds;
  for (const LoweredStep& step : program.steps) kinds.emplace_back(KindOf(step.spec));
  return kinds;
}

LoweredProgram Lower(Graph& graph, const ProgramOptions& options = {}) {
  ConstantPool pool;
  const absl::Status legal = Legalize(graph, options.precision, pool);
  EXPECT_TRUE(legal.ok()) << legal;
  auto program = LowerGraph(graph, LoweringFor(options));
  EXPECT_TRUE(program.ok()) << program.status();
  return program.ok() ? *std::move(program) : LoweredProgram();
}

ProgramOptions Fp32() {
  ProgramOptions options;
  options.precision.precision = Precision::kFp32;
  return options;
}

using Kinds = std::vector<std::string>;

TEST(LowerTest, ViewsTakeNoSteps) {
  GraphMaker maker;
  const ValueId x = maker.Input({2, 3, 8});
  const ValueId y = maker.Op("Reshape", {x, maker.Ints({6, 8})});
  const ValueId z = maker.Op("Slice", {y, maker.Ints({0}), maker.Ints({2}), maker.Ints({0})});
  maker.Output(maker.Op("Unsqueeze", {z, maker.Ints({0})}));
  const LoweredProgram program = Lower(maker.graph());
  EXPECT_TRUE(program.steps.empty());
  EXPECT_EQ(program.outputs[0].buffer, program.inputs[0].buffer);
}

TEST(LowerTest, ATransposeIsCopiedOnceForTwoReaders) {
  GraphMaker maker;
  const ValueId y = maker.Op("Transpose", {maker.Input({8, 16})});
  maker.Output(maker.Op("Softmax", {y}));
  maker.Output(maker.Op("LogSoftmax", {y}));
  EXPECT_EQ(KindsOf(Lower(maker.graph(), Fp32())), (Kinds{"transpose", "softmax", "softmax"}));
}

TEST(LowerTest, AProductTakesItsBiasResidualAndActivation) {
  GraphMaker maker;
  const ValueId x = maker.Input({2, 4, 8});
  const ValueId first =
      maker.Op("Add", {maker.Op("MatMul", {x, maker.Weight({8, 8})}), maker.Weight({8})});
  const ValueId sum = maker.Op("Add", {x, first});
  const ValueId second =
      maker.Op("Add", {maker.Weight({16}), maker.Op("MatMul", {sum, maker.Weight({8, 16})})});
  maker.Output(maker.Op("Softmax", {maker.Op("Relu", {second})}));
  const LoweredProgram program = Lower(maker.graph(), Fp32());
  ASSERT_EQ(KindsOf(program), (Kinds{"gemm", "gemm", "softmax"}));
  const auto& a = std::get<GemmSpec>(program.steps[0].spec);
  EXPECT_TRUE(a.has_bias && a.has_residual);
  EXPECT_EQ(a.m, 8);
  EXPECT_EQ(a.batch, 1);
  const auto& b = std::get<GemmSpec>(program.steps[1].spec);
  EXPECT_EQ(b.activation, GemmActivation::kRelu);
}

TEST(LowerTest, TheTanhFormStandsForGeluIn16BitsOnly) {
  for (const Precision precision : {Precision::kFp32, Precision::kFp16}) {
    GraphMaker maker;
    const ValueId y = maker.Op("MatMul", {maker.Input({4, 8}), maker.Weight({8, 8})});
    maker.Output(maker.Op("Softmax", {maker.Op("Gelu", {y})}));
    ProgramOptions options;
    options.precision.precision = precision;
    const LoweredProgram program = Lower(maker.graph(), options);
    const auto gemm = std::ranges::find_if(program.steps, [](const LoweredStep& step) {
      return std::holds_alternative<GemmSpec>(step.spec);
    });
    ASSERT_NE(gemm, program.steps.end());
    EXPECT_EQ(std::get<GemmSpec>(gemm->spec).activation,
              precision == Precision::kFp16 ? GemmActivation::kGeluTanh : GemmActivation::kNone);
  }
}

TEST(LowerTest, QueriesKeysAndValuesAreOneProductAndAttentionReadsThemInPlace) {
  GraphMaker maker;
  const ValueId x = maker.Input({2, 16, 64});
  const auto heads = [&](ValueId v) {
    return maker.Op("Transpose", {maker.Op("Reshape", {v, maker.Ints({2, 16, 4, 16})})},
                    {{"perm", std::vector<int64_t>{0, 2, 1, 3}}});
  };
  const auto project = [&](ValueId v) {
    return maker.Op("Add", {maker.Op("MatMul", {v, maker.Weight({64, 64})}), maker.Weight({64})});
  };
  const ValueId q = heads(project(x)), k = heads(project(x)), v = heads(project(x));
  const ValueId y = maker.Op("FMHA", {q, k, v}, {{"scale", 0.25f}}, "nereid");
  const ValueId back =
      maker.Op("Reshape", {maker.Op("Transpose", {y}, {{"perm", std::vector<int64_t>{0, 2, 1, 3}}}),
                           maker.Ints({2, 16, 64})});
  maker.Output(maker.Op("Softmax", {project(back)}));
  const LoweredProgram program = Lower(maker.graph());
  EXPECT_EQ(KindsOf(program), (Kinds{"pointwise", "gemm", "attention", "gemm", "softmax"}));
  const auto& attention = std::get<AttentionSpec>(program.steps[2].spec);
  EXPECT_EQ(attention.q.row, 192);
  EXPECT_EQ(attention.k.head, 16);
  EXPECT_EQ(program.steps[2].inputs[1].byte_offset, 64 * 2);
  EXPECT_EQ(program.steps[2].inputs[2].byte_offset, 128 * 2);
}

TEST(LowerTest, ProductsOfOneValueAreOneWithoutBiasesAndOfAnyWidth) {
  GraphMaker maker;
  const ValueId x = maker.Op("Softmax", {maker.Input({2, 8})});
  const ValueId gate = maker.Op("MatMul", {x, maker.Weight({8, 12})});
  const ValueId up = maker.Op("MatMul", {x, maker.Weight({8, 12})});
  const ValueId h = maker.Op("Mul", {maker.Op("Tanh", {gate}), up});
  maker.Output(maker.Op("MatMul", {h, maker.Weight({12, 4})}));
  maker.Output(maker.Op("MatMul", {x, maker.Weight({8, 4})}));
  const LoweredProgram program = Lower(maker.graph(), Fp32());
  std::vector<int64_t> columns;
  for (const LoweredStep& step : program.steps) {
    if (const auto* gemm = std::get_if<GemmSpec>(&step.spec)) columns.push_back(gemm->n);
  }
  EXPECT_EQ(columns, (std::vector<int64_t>{28, 4}));
}

TEST(LowerTest, AttentionOfSequencesFirstIsTwoProductsAndItself) {
  constexpr int64_t kLength = 16, kWidth = 64, kHeads = 4;
  for (const int64_t batch : {1, 2}) {
    GraphMaker maker;
    const ValueId x = maker.Op("Softmax", {maker.Input({batch, kLength, kWidth})});
    const ValueId sum = maker.Op("Add", {TorchAttention(maker, x, kHeads), x});
    maker.Output(maker.Op("Softmax", {sum}));
    ASSERT_TRUE(RunPasses(ShapePasses(), maker.graph()).ok());
    const LoweredProgram program = Lower(maker.graph());
    ASSERT_EQ(KindsOf(program), (Kinds{"softmax", "gemm", "attention", "gemm", "softmax"}))
        << batch;
    const auto& in = std::get<GemmSpec>(program.steps[1].spec);
    EXPECT_EQ(in.m, batch * kLength);
    EXPECT_EQ(program.steps[1].inputs[0].buffer, program.steps[0].outputs[0].buffer);
    const auto& attention = std::get<AttentionSpec>(program.steps[2].spec);
    EXPECT_EQ(attention.batch, batch);
    EXPECT_TRUE(batch == 1 || attention.q.batch == kLength * 3 * kWidth);
    EXPECT_EQ(attention.q.row, 3 * kWidth);
    EXPECT_EQ(attention.k.head, kWidth / kHeads);
    EXPECT_FLOAT_EQ(attention.scale, 0.25f);
    EXPECT_EQ(program.steps[2].inputs[1].byte_offset, kWidth * 2);
    const auto& out = std::get<GemmSpec>(program.steps[3].spec);
    EXPECT_TRUE(out.has_bias && out.has_residual && out.transpose_b);
    EXPECT_EQ(program.steps[3].inputs[0].buffer, program.steps[2].outputs[0].buffer);
    EXPECT_EQ(program.steps[3].inputs[3].buffer, program.steps[0].outputs[0].buffer);
  }
}

TEST(LowerTest, HeadsOfAnySizeAreReadInPlace) {
  constexpr int64_t kBatch = 2, kLength = 5, kHeads = 4;
  for (const int64_t size : {15, 16}) {
    GraphMaker maker;
    const ValueId x = maker.Op("Softmax", {maker.Input({kBatch, kLength, kHeads * size})});
    ValueId joined = maker.Op("MatMul", {x, maker.Weight({kHeads * size, 3 * kHeads * size})});
    joined = maker.Op("Reshape", {joined, maker.Ints({kBatch, kLength, 3, kHeads, size})});
    joined = Transposed(maker, joined, {2, 0, 3, 1, 4});
    std::vector<ValueId> parts;
    for (int64_t i = 0; i < 3; ++i) {
      parts.push_back(maker.Op("Gather", {joined, maker.Constant(HostTensor::Scalar(i))},
                               {{"axis", int64_t{0}}}));
    }
    maker.Output(maker.Op("Softmax", {maker.Op("FMHA", parts, {}, "nereid")}));
    const LoweredProgram program = Lower(maker.graph());
    ASSERT_EQ(KindsOf(program), (Kinds{"softmax", "gemm", "attention", "transpose", "softmax"}));
    EXPECT_EQ(program.steps[2].inputs[2].byte_offset, 2 * 2 * kHeads * size);
    EXPECT_EQ(std::get<AttentionSpec>(program.steps[2].spec).v.row, 3 * kHeads * size);
  }
}

TEST(LowerTest, AMaskIsMadeByOneKernel) {
  constexpr int64_t kBatch = 2, kLength = 8;
  GraphMaker maker;
  const ValueId given = maker.Input({kBatch, kLength}, DataType::kInt64);
  const ValueId seen = maker.Op("Cast", {given}, {{"to", int64_t{9}}});
  HostTensor all(DataType::kInt64, {kBatch, 1, 1, kLength});
  for (int64_t i = 0; i < all.element_count(); ++i) all.mutable_data<int64_t>()[i] = i;
  const ValueId picked = maker.Op(
      "Gather", {maker.Op("Reshape", {seen, maker.Ints({-1})}), maker.Constant(std::move(all))});
  const ValueId full =
      maker.Op("Expand", {maker.Op("Not", {picked}), maker.Ints({kBatch, 1, kLength, kLength})});
  const ValueId causal = maker.Input({1, 1, kLength, kLength}, DataType::kBool);
  maker.Output(
      maker.Op("Where", {maker.Op("And", {full, causal}), maker.Number(-1e4f), maker.Number(0)}));
  ASSERT_TRUE(RunPasses(ShapePasses(), maker.graph()).ok());
  EXPECT_EQ(KindsOf(Lower(maker.graph())), Kinds{"pointwise"});
}

TEST(LowerTest, OutputsThatProductsAndSoftmaxMakeNeedNoCast) {
  GraphMaker maker;
  const ValueId x = maker.Op("MatMul", {maker.Input({4, 8}), maker.Weight({8, 16})});
  maker.Output(maker.Op("Softmax", {x}));
  maker.Output(
      maker.Op("Add", {maker.Op("MatMul", {x, maker.Weight({16, 8})}), maker.Weight({8})}));
  const LoweredProgram program = Lower(maker.graph());
  ASSERT_EQ(KindsOf(program), (Kinds{"pointwise", "gemm", "softmax", "gemm"}));
  EXPECT_EQ(std::get<SoftmaxSpec>(program.steps[2].spec).type, DataType::kFp16);
  EXPECT_EQ(std::get<SoftmaxSpec>(program.steps[2].spec).out_type, DataType::kFp32);
  EXPECT_EQ(std::get<GemmSpec>(program.steps[3].spec).type, DataType::kFp16);
  EXPECT_EQ(std::get<GemmSpec>(program.steps[3].spec).out_type, DataType::kFp32);
}

TEST(LowerTest, AProductTakesRowsInTheOrderInWhichTheyLie) {
  GraphMaker maker;
  const ValueId x = maker.Input({2, 3, 8});
  const ValueId y = maker.Op("MatMul", {Transposed(maker, x, {1, 0, 2}), maker.Weight({8, 16})});
  maker.Output(maker.Op("Softmax", {Transposed(maker, y, {1, 0, 2})}));
  const LoweredProgram program = Lower(maker.graph(), Fp32());
  ASSERT_EQ(KindsOf(program), (Kinds{"gemm", "softmax"}));
  EXPECT_EQ(std::get<GemmSpec>(program.steps[0].spec).m, 6);
}

TEST(LowerTest, AMuchWiderProductIsMadeInTheOrderOfTheGraph) {
  GraphMaker maker;
  const ValueId x = maker.Input({2, 3, 8});
  const ValueId y = maker.Op("MatMul", {Transposed(maker, x, {1, 0, 2}), maker.Weight({8, 64})});
  maker.Output(maker.Op("Softmax", {y}));
  EXPECT_EQ(KindsOf(Lower(maker.graph(), Fp32())), (Kinds{"transpose", "gemm", "softmax"}));
}

TEST(LowerTest, ConvolutionOfTilesIsAProductOfPatches) {
  GraphMaker maker;
  const ValueId x = maker.Input({2, 3, 32, 48});
  const ValueId y = maker.Op("Conv", {x, maker.Weight({24, 3, 16, 16}), maker.Weight({24})},
                             {{"strides", std::vector<int64_t>{16, 16}}});
  const ValueId rows =
      Transposed(maker, maker.Op("Reshape", {y, maker.Ints({2, 24, 6})}), {0, 2, 1});
  maker.Output(maker.Op("Softmax", {rows}));
  const LoweredProgram program = Lower(maker.graph());
  ASSERT_EQ(KindsOf(program), (Kinds{"transpose", "gemm", "softmax"}));
  const auto& copy = std::get<TransposeSpec>(program.steps[0].spec);
  EXPECT_EQ(copy.out_type, DataType::kFp16);
  const auto& product = std::get<GemmSpec>(program.steps[1].spec);
  EXPECT_EQ(product.m, 2 * 2 * 3);
  EXPECT_EQ(product.n, 24);
  EXPECT_EQ(product.k, 3 * 16 * 16);
  EXPECT_TRUE(product.transpose_b && product.has_bias);
  EXPECT_EQ(program.steps[2].inputs[0].buffer, program.steps[1].outputs[0].buffer);
}

TEST(LowerTest, ConvolutionsThatDoNotTileOrHaveManyChannelsStay) {
  struct Case {
    int64_t channels, stride, pad;
  };
  for (const Case& c : {Case{3, 8, 0}, Case{3, 16, 1}, Case{16, 16, 0}}) {
    GraphMaker maker;
    const ValueId x = maker.Input({1, c.channels, 32, 32});
    const ValueId y = maker.Op("Conv", {x, maker.Weight({8, c.channels, 16, 16})},
                               {{"strides", std::vector<int64_t>{c.stride, c.stride}},
                                {"pads", std::vector<int64_t>(4, c.pad)}});
    maker.Output(maker.Op("GlobalAveragePool", {y}));
    EXPECT_EQ(KindsOf(Lower(maker.graph()))[1], "convolution") << c.channels;
  }
}

TEST(LowerTest, AnImageIsBroughtIntoOrderOnceAndItsChannelsWidened) {
  GraphMaker maker;
  const ValueId x = maker.Input({1, 3, 32, 32});
  const ValueId y = maker.Op("Conv", {x, maker.Weight({8, 3, 3, 3}), maker.Weight({8})});
  const ValueId z = maker.Op("Conv", {maker.Op("Tanh", {y}), maker.Weight({8, 8, 3, 3})});
  maker.Output(maker.Op("GlobalAveragePool", {z}));
  const LoweredProgram program = Lower(maker.graph());
  EXPECT_EQ(KindsOf(program), (Kinds{"layout", "convolution", "pointwise", "convolution",
                                     "globalpool", "pointwise"}));
  EXPECT_EQ(std::get<ConvolutionSpec>(program.steps[1].spec).c, 4);
  EXPECT_EQ(std::get<PointwiseSpec>(program.steps[2].spec).shape, (Shape{1, 30, 30, 8}));
  EXPECT_TRUE(std::get<GlobalPoolSpec>(program.steps[4].spec).channels_last);
}

// What is computed in more precision between two convolutions keeps its channels innermost when it
// is rounded: elements go where they came from.
TEST(LowerTest, AnImageIsRoundedInTheOrderItLiesIn) {
  GraphMaker maker;
  const ValueId x = maker.Op("Conv", {maker.Input({1, 8, 9, 9}), maker.Weight({12, 8, 3, 3})});
  const ValueId y = maker.Op("Sqrt", {maker.Op("Exp", {maker.Op("Pow", {x, maker.Weight({1})})})});
  maker.Output(maker.Op("GlobalAveragePool", {maker.Op("Conv", {y, maker.Weight({8, 12, 3, 3})})}));
  const LoweredProgram program = Lower(maker.graph());
  int casts = 0;
  for (const LoweredStep& step : program.steps) {
    const auto* spec = std::get_if<PointwiseSpec>(&step.spec);
    if (spec == nullptr || spec->steps.size() != 1 || spec->steps[0].function != "Cast") continue;
    ++casts;
    const std::vector<int64_t> dense = DenseStrides(spec->shape);
    const auto strides = [&](const PointwiseTensor& t) {
      return t.strides.empty() ? dense : t.strides;
    };
    EXPECT_EQ(strides(spec->inputs[0]), strides(spec->outputs[0])) << ShapeToString(spec->shape);
  }
  EXPECT_GT(casts, 0);
}

TEST(LowerTest, ExactArithmeticStaysInTheOrderOfTheModel) {
  GraphMaker maker;
  const ValueId y = maker.Op("Conv", {maker.Input({1, 3, 8, 8}), maker.Weight({8, 3, 3, 3})});
  maker.Output(y);
  const LoweredProgram program = Lower(maker.graph(), Fp32());
  ASSERT_EQ(KindsOf(program), Kinds{"convolution"});
  const auto& conv = std::get<ConvolutionSpec>(program.steps[0].spec);
  EXPECT_EQ(conv.layout, ImageLayout::kNchw);
  EXPECT_FALSE(conv.tf32);
}

TEST(LowerTest, DepthwiseConvolutionTakesItsActivation) {
  GraphMaker maker;
  const ValueId x = maker.Input({1, 8, 16, 16});
  const ValueId y =
      maker.Op("Conv", {x, maker.Weight({8, 1, 3, 3}), maker.Weight({8})}, {{"group", int64_t{8}}});
  maker.Output(maker.Op("Softmax", {maker.Op("Clip", {y, maker.Number(0), maker.Number(6)})}));
  const LoweredProgram program = Lower(maker.graph());
  const auto step = std::ranges::find_if(program.steps, [](const LoweredStep& s) {
    return std::holds_alternative<DepthwiseSpec>(s.spec);
  });
  ASSERT_NE(step, program.steps.end());
  const auto& spec = std::get<DepthwiseSpec>(step->spec);
  EXPECT_EQ(spec.activation, DepthwiseActivation::kClip);
  EXPECT_EQ(spec.beta, 6);
  EXPECT_TRUE(spec.has_bias && spec.channels_last);
}

TEST(LowerTest, DepthwiseConvolutionTakesWhatHappensToItsInputAlone) {
  GraphMaker maker;
  ValueId x = maker.Input({1, 8, 16, 16});
  x = maker.Op("Conv", {x, maker.Weight({8, 8, 1, 1})});
  x = maker.Op("HardSwish", {x});
  x = maker.Op("Mul", {maker.Number(0.5f), x});
  x = maker.Op("Add", {x, maker.Number(0.25f)});
  x = maker.Op("Conv", {x, maker.Weight({8, 1, 3, 3})},
               {{"group", int64_t{8}}, {"pads", std::vector<int64_t>{1, 1, 1, 1}}});
  maker.Output(maker.Op("GlobalAveragePool", {x}));
  const LoweredProgram program = Lower(maker.graph());
  const auto step = std::ranges::find_if(program.steps, [](const LoweredStep& s) {
    return std::holds_alternative<DepthwiseSpec>(s.spec);
  });
  ASSERT_NE(step, program.steps.end());
  const auto& spec = std::get<DepthwiseSpec>(step->spec);
  EXPECT_EQ(spec.input_activation, DepthwiseActivation::kHardSwish);
  EXPECT_EQ(spec.input_scale, 0.5f);
  EXPECT_EQ(spec.input_shift, 0.25f);
  const std::vector<std::string> kinds = KindsOf(program);
  EXPECT_EQ(std::ranges::count(kinds, "pointwise"), 1);  // of the result, to fp32
}

TEST(LowerTest, ASumBeforeANormIsPartOfIt) {
  GraphMaker maker;
  const ValueId x = maker.Input({4, 8});
  const ValueId sum = maker.Op("Add", {maker.Op("Softmax", {x}), x});
  maker.Output(maker.Op("LayerNormalization", {sum, maker.Positive({8}), maker.Weight({8})}));
  const LoweredProgram program = Lower(maker.graph(), Fp32());
  ASSERT_EQ(KindsOf(program), (Kinds{"softmax", "row norm"}));
  EXPECT_TRUE(std::get<RowNormSpec>(program.steps[1].spec).has_residual);
}

TEST(LowerTest, BatchNormWithoutConvolutionIsOneKernel) {
  GraphMaker maker;
  const ValueId x = maker.Input({2, 8, 4, 4});
  maker.Output(maker.Op("BatchNormalization", {x, maker.Weight({8}), maker.Weight({8}),
                                               maker.Weight({8}), maker.Positive({8})}));
  const LoweredProgram program = Lower(maker.graph(), Fp32());
  ASSERT_EQ(KindsOf(program), Kinds{"pointwise"});
  EXPECT_EQ(std::get<PointwiseSpec>(program.steps[0].spec).steps.size(), 2u);
}

TEST(LowerTest, OneRowOfAValueIsAView) {
  GraphMaker maker;
  const ValueId x = maker.Input({4, 16, 8});
  const ValueId row =
      maker.Op("Gather", {x, maker.Constant(HostTensor::Scalar(0))}, {{"axis", int64_t{1}}});
  maker.Output(maker.Op("MatMul", {row, maker.Weight({8, 8})}));
  const LoweredProgram program = Lower(maker.graph(), Fp32());
  ASSERT_EQ(KindsOf(program), Kinds{"gemm"});
  EXPECT_EQ(std::get<GemmSpec>(program.steps[0].spec).a.row_stride, 128);
}

TEST(LowerTest, AnOperatorWithoutDeviceWorkRunsOnTheHostInItsOwnType) {
  GraphMaker maker;
  const ValueId x = maker.Op("Tanh", {maker.Input({2, 4, 4})});
  maker.Output(maker.Op("Softmax", {maker.Op("Hardmax", {x})}));
  const LoweredProgram program = Lower(maker.graph());
  const auto host = std::ranges::find_if(
      program.steps, [](const LoweredStep& step) { return RunsOnHost(step.spec); });
  ASSERT_NE(host, program.steps.end());
  const auto& spec = std::get<HostSpec>(host->spec);
  ASSERT_EQ(spec.fetch.size(), 1u);
  EXPECT_EQ(program.buffers[static_cast<size_t>(host->inputs[0].buffer)].byte_size, 2 * 16 * 4u);
}

TEST(LowerTest, NodesCanBeSentToTheHost) {
  GraphMaker maker;
  maker.Output(maker.Op("Softmax", {maker.Input({4, 8})}));
  LoweringOptions options;
  options.on_host = {0};
  const auto program = LowerGraph(maker.graph(), options);
  ASSERT_TRUE(program.ok());
  ASSERT_EQ(program->steps.size(), 1u);
  EXPECT_TRUE(RunsOnHost(program->steps[0].spec));
}

TEST(LowerTest, UnalignedPartsAreCopiedBeforeKernelsReadThem) {
  GraphMaker maker;
  const ValueId x = maker.Input({5, 3});
  const ValueId rest = maker.Op("Slice", {x, maker.Ints({1}), maker.Ints({5}), maker.Ints({0})});
  maker.Output(maker.Op("Softmax", {rest}));
  const LoweredProgram program = Lower(maker.graph(), Fp32());
  ASSERT_EQ(KindsOf(program), (Kinds{"copy", "softmax"}));
  EXPECT_EQ(std::get<StridedCopySpec>(program.steps[0].spec).in_offset, 3);
  EXPECT_EQ(program.steps[0].inputs[0].byte_offset, 0);
}

TEST(LowerTest, SharedWeightsAreUploadedOncePerForm) {
  GraphMaker maker;
  const ValueId x = maker.Input({4, 8});
  const ValueId w = maker.Weight({8, 8});
  const ValueId y = maker.Op("MatMul", {x, w});
  maker.Output(maker.Op("MatMul", {maker.Op("Tanh", {y}), w}));
  EXPECT_EQ(Lower(maker.graph(), Fp32()).weights.size(), 1u);
}

TEST(LowerTest, LifetimesCoverAllUsesAndOutputsLiveToTheEnd) {
  GraphMaker maker;
  const ValueId x = maker.Input({4, 8});
  const ValueId a = maker.Op("Softmax", {x});
  const ValueId b = maker.Op("LogSoftmax", {a});
  maker.Output(a);
  maker.Output(maker.Op("Softmax", {b}));
  const LoweredProgram program = Lower(maker.graph(), Fp32());
  const auto lifetimes = LifetimesOf(program);
  const auto of = [&](BufferId id) { return lifetimes[static_cast<size_t>(id)]; };
  EXPECT_EQ(of(program.inputs[0].buffer).first, 0);
  EXPECT_EQ(of(program.inputs[0].buffer).last, 0);
  EXPECT_EQ(of(program.outputs[0].buffer).last, 3);
  EXPECT_EQ(of(program.steps[1].outputs[0].buffer).first, 1);
  EXPECT_EQ(of(program.steps[1].outputs[0].buffer).last, 2);
}

}  // namespace
}  // namespace nereid::engine
