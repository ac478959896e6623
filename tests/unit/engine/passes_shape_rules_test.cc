// One row a rule: attributes and input shapes, and the shape that comes out.

#include <algorithm>
#include <string>
#include <vector>

#include "backends/cuda/passes/infer_rules.h"
#include "gtest/gtest.h"
#include "unit/engine/passes_fixture.h"

namespace nereid::engine {
namespace {

using Ints = std::vector<int64_t>;

struct Case {
  const char* op;
  std::vector<Shape> inputs;
  std::vector<Ints> constants;  // further inputs; {-99}: left out
  Attributes attributes;
  std::vector<Shape> outputs;  // empty: refused
};

const Shape kImage{2, 8, 10, 12};
const Shape kHeads{2, 4, 3, 8}, kKeys{2, 2, 5, 8};

const Case kCases[] = {
    {"Relu", {{2, -1}}, {}, {}, {{2, -1}}},
    {"Add", {{2, 1, 4}, {3, 1}}, {}, {}, {{2, 3, 4}}},
    {"Add", {{-1, 4}, {3, 4}}, {}, {}, {{3, 4}}},
    {"Add", {{-1, 4}, {1, 4}}, {}, {}, {{-1, 4}}},
    {"Add", {{2}, {3}}, {}, {}, {}},
    {"Where", {{2, 1}, {3}, {}}, {}, {}, {{2, 3}}},
    {"LayerNormalization", {{2, 3, 4}, {4}}, {}, {}, {{2, 3, 4}, {2, 3, 1}}},
    {"Multinomial", {{4, 5}}, {}, {{"sample_size", int64_t{3}}}, {{4, 3}}},
    {"Unique", {{4, 5}}, {}, {}, {{-1}, {-1}, {20}, {-1}}},
    {"Unique", {{4, 5}}, {}, {{"axis", int64_t{-1}}}, {{4, -1}, {-1}, {5}, {-1}}},
    {"Unique", {{4, 5}}, {}, {{"axis", int64_t{2}}}, {}},
    {"StringConcat", {{3, 1}, {4}}, {}, {}, {{3, 4}}},
    {"BitCast", {{3, 4}}, {}, {{"to", int64_t{6}}}, {{3, 4}}},
    {"SwiGLU", {{3, 4}, {3, 4}}, {}, {}, {{3, 4}}},
    {"Det", {{2, 5, 5}}, {}, {}, {{2}}},
    {"Det", {{2, 5, 4}}, {}, {}, {}},
    {"CenterCropPad", {{10, 7, 3}}, {{4, 9}}, {{"axes", Ints{0, -2}}}, {{4, 9, 3}}},
    {"CenterCropPad", {{10, 7, 3}}, {{4, 9}}, {}, {}},
    {"DeformConv", {{1, 1, 3, 3}, {6, 1, 2, 2}, {1, 8, 2, 2}}, {}, {}, {{1, 6, 2, 2}}},
    {"MaxUnpool",
     {{1, 1, 2, 2}, {1, 1, 2, 2}},
     {},
     {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}},
     {{1, 1, 4, 4}}},
    {"MaxUnpool",
     {{1, 1, 2, 2}, {1, 1, 2, 2}},
     {{1, 1, 5, 5}},
     {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}},
     {{1, 1, 5, 5}}},
    {"DFT", {{1, 10, 10, 1}}, {}, {{"axis", int64_t{1}}}, {{1, 10, 10, 2}}},
    {"DFT",
     {{1, 10, 10, 1}},
     {},
     {{"axis", int64_t{1}}, {"onesided", int64_t{1}}},
     {{1, 6, 10, 2}}},
    {"DFT", {{1, 6, 10, 2}}, {{10}, {1}}, {{"inverse", int64_t{1}}}, {{1, 10, 10, 2}}},
    {"DFT", {{1, 6, 2}}, {}, {{"inverse", int64_t{1}}, {"onesided", int64_t{1}}}, {{1, 10, 1}}},
    {"STFT", {{1, 128, 1}}, {{8}, {-99}, {16}}, {}, {{1, 15, 9, 2}}},
    {"MelWeightMatrix", {}, {{8}, {16}, {8192}, {0}, {4096}}, {}, {{9, 8}}},
    {"AffineGrid", {{2, 2, 3}}, {{2, 3, 5, 6}}, {}, {{2, 5, 6, 2}}},
    {"AffineGrid", {{2, 2, 3}, {4}}, {}, {}, {{2, -1, -1, 2}}},
    {"NegativeLogLikelihoodLoss", {{3, 5, 2}, {3, 2}}, {}, {}, {{}}},
    {"NegativeLogLikelihoodLoss",
     {{3, 5, 2}, {3, 2}},
     {},
     {{"reduction", std::string("none")}},
     {{3, 2}}},
    {"SoftmaxCrossEntropyLoss", {{3, 5}, {3}}, {}, {}, {{}, {3, 5}}},
    {"Reshape", {{2, 3, 4}}, {{0, -1}}, {}, {{2, 12}}},
    {"Reshape", {{2, 3, 4}}, {{5, -1}}, {}, {}},
    {"Reshape", {{2, 3, 4}}, {{-1, -1}}, {}, {}},
    {"Reshape", {{-1, 3, 4}}, {{0, 12}}, {}, {{-1, 12}}},
    {"Reshape", {{0, 3}}, {{3, 0}}, {{"allowzero", int64_t{1}}}, {{3, 0}}},
    {"Flatten", {{2, 3, 4}}, {}, {{"axis", int64_t{2}}}, {{6, 4}}},
    {"Flatten", {{2, 3, 4}}, {}, {{"axis", int64_t{-1}}}, {{6, 4}}},
    {"Transpose", {{2, 3, 4}}, {}, {}, {{4, 3, 2}}},
    {"Transpose", {{2, 3, 4}}, {}, {{"perm", Ints{1, 0, 2}}}, {{3, 2, 4}}},
    {"Transpose", {{2, 3, 4}}, {}, {{"perm", Ints{1, 1, 2}}}, {}},
    {"Concat", {{2, 3}, {2, 4}}, {}, {{"axis", int64_t{-1}}}, {{2, 7}}},
    {"Concat", {{2, 3}, {3, 4}}, {}, {{"axis", int64_t{1}}}, {}},
    {"Split", {{7, 2}}, {}, {{"num_outputs", int64_t{3}}}, {{3, 2}, {3, 2}, {1, 2}}},
    {"Split", {{7, 2}}, {{3, 4}}, {}, {{3, 2}, {4, 2}}},
    {"Split", {{7, 2}}, {{3, 3}}, {}, {}},
    {"Slice", {{10, 5}}, {{1}, {-1}, {0}, {2}}, {}, {{4, 5}}},
    {"Slice", {{10, 5}}, {{-1}, {INT64_MIN}, {0}, {-3}}, {}, {{4, 5}}},
    {"Slice", {{10, 5}}, {{8}, {INT64_MAX}, {1}}, {}, {{10, 0}}},
    {"Slice", {{10, 5}}, {{0}, {1}, {1}, {0}}, {}, {}},
    {"Slice", {{10}}, {{-1}, {INT64_MIN}, {0}, {INT64_MIN}}, {}, {{1}}},
    {"Squeeze", {{1, 3, 1}}, {}, {}, {{3}}},
    {"Squeeze", {{1, 3, 1}}, {{-1}}, {}, {{1, 3}}},
    {"Squeeze", {{1, 3, 1}}, {{1}}, {}, {}},
    {"Unsqueeze", {{3}}, {{0, -1}}, {}, {{1, 3, 1}}},
    {"Unsqueeze", {{3}}, {{0, 0}}, {}, {}},
    {"Expand", {{3, 1}}, {{2, 1, 4}}, {}, {{2, 3, 4}}},
    {"Tile", {{3, 1}}, {{2, 5}}, {}, {{6, 5}}},
    {"Tile", {{1 << 30, 1 << 30}}, {{1 << 30, 1 << 30}}, {}, {}},
    {"Pad", {{3, 4}}, {{1, 0, 0, -2}}, {}, {{4, 2}}},
    {"Pad", {{3, 4}}, {{0, 0, -9, 0}}, {}, {}},
    {"Resize", {{1, 1, 4, 5}}, {{-99}, {-99}, {1, 1, 8, 9}}, {}, {{1, 1, 8, 9}}},
    {"DepthToSpace", {{1, 8, 2, 3}}, {}, {{"blocksize", int64_t{2}}}, {{1, 2, 4, 6}}},
    {"SpaceToDepth", {{1, 2, 4, 6}}, {}, {{"blocksize", int64_t{2}}}, {{1, 8, 2, 3}}},
    {"Conv", {kImage, {4, 8, 3, 3}}, {}, {{"strides", Ints{2, 2}}}, {{2, 4, 4, 5}}},
    {"Conv", {kImage, {4, 2, 3, 3}}, {}, {{"group", int64_t{4}}}, {{2, 4, 8, 10}}},
    {"Conv", {kImage, {4, 3, 3, 3}}, {}, {}, {}},
    {"Conv", {kImage, {4, 8, 3, 3}}, {}, {{"strides", Ints{0, 2}}}, {}},
    {"Conv",
     {kImage, {4, 8, 3, 3}},
     {},
     {{"dilations", Ints{2, 3}}, {"pads", Ints{1, 2, 3, 4}}},
     {{2, 4, 10, 12}}},
    {"Conv", {{2, 8, -1, 12}, {4, 8, 3, 3}}, {}, {}, {{2, 4, -1, 10}}},
    {"ConvTranspose", {kImage, {8, 4, 2, 2}}, {}, {{"strides", Ints{2, 2}}}, {{2, 4, 20, 24}}},
    {"ConvTranspose",
     {kImage, {8, 4, 3, 3}},
     {},
     {{"strides", Ints{2, 2}}, {"pads", Ints{1, 1, 1, 1}}, {"output_padding", Ints{1, 1}}},
     {{2, 4, 20, 24}}},
    {"MaxPool",
     {kImage},
     {},
     {{"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 2}}},
     {{2, 8, 4, 5}}},
    {"MaxPool",
     {kImage},
     {},
     {{"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 2}}, {"ceil_mode", int64_t{1}}},
     {{2, 8, 5, 6}}},
    {"MaxPool",
     {{1, 1, 3, 3}},
     {},
     {{"kernel_shape", Ints{1, 1}}, {"strides", Ints{3, 3}}, {"ceil_mode", int64_t{1}}},
     {{1, 1, 1, 1}}},
    {"AveragePool",
     {kImage},
     {},
     {{"kernel_shape", Ints{2, 2}}, {"auto_pad", std::string("SAME_UPPER")}},
     {kImage}},
    {"GlobalAveragePool", {kImage}, {}, {}, {{2, 8, 1, 1}}},
    {"MatMul", {{2, 1, 3, 4}, {5, 4, 6}}, {}, {}, {{2, 5, 3, 6}}},
    {"MatMul", {{4}, {4}}, {}, {}, {{}}},
    {"MatMul", {{2, 4}, {4}}, {}, {}, {{2}}},
    {"MatMul", {{2, 4}, {3, 4}}, {}, {}, {}},
    {"Gemm", {{4, 2}, {3, 4}}, {}, {{"transA", int64_t{1}}, {"transB", int64_t{1}}}, {{2, 3}}},
    {"Einsum",
     {{2, 3, 4}, {2, 4, 5}},
     {},
     {{"equation", std::string("bij, bjk -> bik")}},
     {{2, 3, 5}}},
    {"Einsum", {{2, 3, 4}}, {}, {{"equation", std::string("...ij->...ji")}}, {{2, 4, 3}}},
    {"Einsum", {{3, 4}, {4, 5}}, {}, {{"equation", std::string("ij,jk")}}, {{3, 5}}},
    {"LSTM",
     {{7, 2, 3}, {2, 20, 3}, {2, 20, 5}},
     {},
     {{"direction", std::string("bidirectional")}, {"hidden_size", int64_t{5}}},
     {{7, 2, 2, 5}, {2, 2, 5}, {2, 2, 5}}},
    {"GRU",
     {{2, 7, 3}, {1, 15, 3}, {1, 15, 5}},
     {},
     {{"layout", int64_t{1}}},
     {{2, 7, 1, 5}, {2, 1, 5}}},
    {"LSTM", {{7, 2, 3}, {1, 20, 3}, {1, 20, 5}}, {}, {{"hidden_size", int64_t{6}}}, {}},
    {"LSTM", {{7, 2, 3}, {1, 20, 4}, {1, 20, 5}}, {}, {}, {}},
    {"LSTM", {{7, 2, 3}, {1, 20, 3}, {1, 20, 5}, {1, 39}}, {}, {}, {}},
    {"LSTM", {{7, 2, 3}, {1, 20, 3}, {1, 20, 5}, {1, 40}, {3}}, {}, {}, {}},
    {"LSTM", {{7, 2, 3}, {1, 20, 3}, {1, 20, 5}, {1, 40}, {2}, {1, 2, 4}}, {}, {}, {}},
    {"GRU", {{7, 2, 3}, {2, 15, 3}, {2, 15, 5}}, {}, {}, {}},
    {"RNN", {{7, 2, 3}, {1, 5, 3}, {1, 5, 5}, {1, 10}}, {}, {}, {{7, 1, 2, 5}, {1, 2, 5}}},
    {"Attention", {{2, 3, 5, 4}, {2, 3, 6, 4}, {2, 3, 6, 7}}, {}, {}, {{2, 3, 5, 7}}},
    {"Attention",
     {{2, 5, 12}, {2, 6, 12}, {2, 6, 21}},
     {},
     {{"q_num_heads", int64_t{3}}, {"kv_num_heads", int64_t{3}}},
     {{2, 5, 21}}},
    {"Gather", {{5, 6, 7}, {2, 3}}, {}, {{"axis", int64_t{1}}}, {{5, 2, 3, 7}}},
    {"GatherElements", {{5, 6}, {2, 6}}, {}, {}, {{2, 6}}},
    {"GatherND", {{5, 6, 7}, {3, 2}}, {}, {}, {{3, 7}}},
    {"ReduceMean", {{2, 3, 4}}, {{-1, 0}}, {}, {{1, 3, 1}}},
    {"ReduceSum", {{2, 3, 4}}, {{1}}, {{"keepdims", int64_t{0}}}, {{2, 4}}},
    {"ReduceSum", {{2, 3}}, {}, {{"keepdims", int64_t{0}}}, {{}}},
    {"ReduceSum", {{2, 3}}, {}, {{"noop_with_empty_axes", int64_t{1}}}, {{2, 3}}},
    {"ReduceMax", {{2, 3}}, {{2}}, {}, {}},
    {"ArgMax", {{2, 3}}, {}, {{"axis", int64_t{-1}}, {"keepdims", int64_t{0}}}, {{2}}},
    {"TopK", {{2, 9}}, {{4}}, {}, {{2, 4}, {2, 4}}},
    {"TopK", {{2, 9}}, {{10}}, {}, {}},
    {"NonZero", {{2, 9}}, {}, {}, {{2, -1}}},
    {"Shape", {{2, 9, 4}}, {}, {{"start", int64_t{-2}}}, {{2}}},
    {"GridSample", {{1, 2, 8, 8}, {1, 4, 5, 2}}, {}, {}, {{1, 2, 4, 5}}},
    {"RoiAlign",
     {{1, 2, 8, 8}, {6, 4}, {6}},
     {},
     {{"output_height", int64_t{3}}, {"output_width", int64_t{4}}},
     {{6, 2, 3, 4}}},
    {"Softmax", {}, {}, {}, {}},
    {"Softmax", {{2, 3}}, {}, {{"axis", int64_t{-2}}}, {{2, 3}}},
    {"Softmax", {{2, 3}}, {}, {{"axis", int64_t{2}}}, {}},
    {"LogSoftmax", {{2, 3}}, {}, {{"axis", int64_t{-3}}}, {}},
    {"RMSNormalization", {{2, 3}, {3}}, {}, {{"axis", int64_t{4}}}, {}},
    {"CumSum", {{2, 3}}, {{1}}, {}, {{2, 3}}},
    {"CumSum", {{2, 3}}, {{7}}, {}, {}},
    {"CumSum", {{2, 3}}, {{0, 1}}, {}, {}},
    {"Clip", {{2, 3}, {}, {1}}, {}, {}, {{2, 3}}},
    {"Clip", {{2, 3}, {}, {3}}, {}, {}, {}},
    {"SwiGLU", {{2, 3}, {2, 1}}, {}, {}, {}},
    {"OneHot", {{4}, {}, {3}}, {}, {}, {}},
    {"Trilu", {{2, 3}}, {}, {}, {{2, 3}}},
    {"Trilu", {{3}}, {}, {}, {}},
    {"PRelu", {{2, 3, 4}, {3, 1}}, {}, {}, {{2, 3, 4}}},
    {"PRelu", {{2, 3, 4}, {5, 1}}, {}, {}, {}},
    {"PRelu", {{3, 1}, {3, 4}}, {}, {}, {}},
    {"BatchNormalization", {kImage, {8}, {8}, {8}, {8}}, {}, {}, {kImage}},
    {"BatchNormalization", {kImage, {8}, {8}, {8}, {7}}, {}, {}, {}},
    {"BatchNormalization", {{8}, {8}, {8}, {8}, {8}}, {}, {}, {}},
    {"InstanceNormalization", {kImage, {8}, {8}}, {}, {}, {kImage}},
    {"InstanceNormalization", {kImage, {8}, {1}}, {}, {}, {}},
    {"InstanceNormalization", {{8}, {8}, {8}}, {}, {}, {}},
    {"GroupNormalization", {kImage, {8}, {8}}, {}, {{"num_groups", int64_t{4}}}, {kImage}},
    {"GroupNormalization", {kImage, {8}, {8}}, {}, {{"num_groups", int64_t{3}}}, {}},
    {"GroupNormalization", {kImage, {8}, {8}}, {}, {{"num_groups", int64_t{0}}}, {}},
    {"GroupNormalization", {kImage, {4}, {8}}, {}, {{"num_groups", int64_t{4}}}, {}},
    {"GatherElements", {{4, 5}, {2, 5}}, {}, {}, {{2, 5}}},
    {"GatherElements", {{4, 5}, {9, 5}}, {}, {}, {{9, 5}}},
    {"GatherElements", {{4, 5}, {2, 6}}, {}, {}, {}},
    {"GatherElements", {{4, 5}, {2}}, {}, {}, {}},
    {"GatherElements", {{4, 5}, {2, 5}}, {}, {{"axis", int64_t{2}}}, {}},
    {"ScatterElements", {{4, 5}, {2, 3}, {2, 3}}, {}, {}, {{4, 5}}},
    {"ScatterElements", {{4, 5}, {2, 3}, {2, 4}}, {}, {}, {}},
    {"ScatterElements", {{4, 5}, {2, 6}, {2, 6}}, {}, {}, {}},
    {"ScatterND", {{4, 5}, {3, 1}, {3, 5}}, {}, {}, {{4, 5}}},
    {"ScatterND", {{4, 5}, {3, 1}, {3, 4}}, {}, {}, {}},
    {"ScatterND", {{4, 5}, {3, 3}, {3}}, {}, {}, {}},
    {"Conv", {kImage, {4, 8, 3, 3}, {4}}, {}, {}, {{2, 4, 8, 10}}},
    {"Conv", {kImage, {4, 8, 3, 3}, {3}}, {}, {}, {}},
    {"ConvTranspose", {kImage, {7, 4, 2, 2}}, {}, {}, {}},
    {"ConvTranspose", {kImage, {8, 4, 2, 2}}, {}, {{"group", int64_t{3}}}, {}},
    {"ConvTranspose", {kImage, {8, 4, 2, 2}, {5}}, {}, {}, {}},
    {"Attention", {kHeads, kKeys, kKeys}, {}, {}, {kHeads}},
    {"Attention", {kHeads, kKeys, kKeys}, {}, {{"qk_matmul_output_mode", int64_t{4}}}, {}},
    {"nereid.FMHA", {kHeads, kKeys, kKeys, {3, 5}}, {}, {}, {kHeads}},
    {"nereid.FMHA", {kHeads, kKeys, kKeys, {2, 2, 3, 5}}, {}, {}, {}},
    {"nereid.FMHA", {kHeads, {2, 2, 5, 9}, kKeys}, {}, {}, {}},
    {"nereid.FMHA", {kHeads, {2, 3, 5, 8}, {2, 3, 5, 8}}, {}, {}, {}},
};

TEST(ShapeRulesTest, EveryRow) {
  for (const Case& c : kCases) {
    Graph graph;
    Node node{.op = c.op,
              .domain = {},
              .name = c.op,
              .inputs = {},
              .outputs = {},
              .attributes = c.attributes};
    std::string what = c.op;
    if (const size_t dot = node.op.find('.'); dot != std::string::npos) {
      node.domain = node.op.substr(0, dot);
      node.op.erase(0, dot + 1);
    }
    for (const Shape& shape : c.inputs) {
      what += ShapeToString(shape);
      node.inputs.push_back(graph.AddValue({.name = "x", .type = DataType::kFp32, .shape = shape}));
    }
    for (const Ints& numbers : c.constants) {
      const bool left_out = numbers == Ints{-99};
      node.inputs.push_back(left_out ? kNoValue
                                     : graph.AddConstant("c", HostTensor::Vector(numbers)));
    }
    for (size_t i = 0; i < std::max<size_t>(1, c.outputs.size()); ++i) {
      node.outputs.push_back(graph.AddValue({.name = "y"}));
    }
    const absl::Status status = InferNode(graph, node);
    EXPECT_EQ(status.ok(), !c.outputs.empty()) << what << " " << status;
    for (size_t i = 0; status.ok() && i < c.outputs.size(); ++i) {
      const Value& output = graph.value(node.outputs[i]);
      ASSERT_TRUE(output.shape.has_value()) << what;
      EXPECT_EQ(*output.shape, c.outputs[i]) << what << ": " << ShapeToString(*output.shape)
                                             << " is not " << ShapeToString(c.outputs[i]);
      EXPECT_NE(output.type, DataType::kInvalid) << what;
    }
  }
}

}  // namespace
}  // namespace nereid::engine
