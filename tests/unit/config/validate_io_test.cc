#include <gtest/gtest.h>

#include "config/reshape_rule.h"
#include "config/validate.h"
#include "validate_rows.h"

namespace nereid {
namespace {

using testing::ExpectMessages;
using testing::Model;
using testing::ValidateRow;

constexpr char kType[] = "name: \"x\" data_type: TYPE_FP32 ";

std::string Tensor(const std::string& side, const std::string& text) {
  return Model(side + " { " + text + " }");
}

TEST(ValidateConfigIo, MessagesThatInputsAndOutputsShare) {
  for (const std::string side : {"input", "output"}) {
    const std::string unnamed = "model " + side + " ";
    const std::string named = unnamed + "'x' ";
    const std::string extent =
        "dimension must be integer >= 1, or -1 to indicate a variable-size dimension for m";
    const std::string reshaped =
        "reshape dimensions must be integer >= 1, or -1 to indicate a variable-size dimension for "
        "m";
    const std::string size = named + "has different size for dims and reshape for m";
    const auto tensor = [&](const std::string& text) { return Tensor(side, kType + text); };
    const auto batched = [&](const std::string& text) {
      return tensor(text) + " max_batch_size: 4";
    };
    ExpectMessages(
        {
            {Tensor(side, "data_type: TYPE_FP32 dims: 1"), unnamed + "must specify 'name' for m"},
            {Tensor(side, "name: \"x\" dims: 1"), named + "must specify 'data_type' for m"},
            {Tensor(side, "name: \"x\" data_type: 99 dims: 1"),
             named + "must specify 'data_type' for m"},
            {tensor(""), named + "must specify 'dims' for m"},
            {tensor("dims: 1 reshape {}"),
             named + "cannot have empty reshape for non-batching model as scalar tensors are not "
                     "supported for m"},
            {tensor("dims: [ 4, 0 ]"), named + extent},
            {tensor("dims: [ 4, -2 ]"), named + extent},
            {tensor("dims: [ 9223372036854775807, 2 ]"),
             named + "has more elements than can be counted for m"},
            {tensor("dims: [ 4611686018427387904, -1, 4 ]"),
             named + "has more elements than can be counted for m"},
            {tensor("dims: 4 reshape { shape: [ 0 ] }"), named + reshaped},
            {tensor("dims: 4 reshape { shape: [ -3 ] }"), named + reshaped},
            {tensor("dims: 4 reshape { shape: [ 2, 3 ] }"), size},
            {tensor("dims: -1 reshape { shape: [ 2 ] }"), size},
            {tensor("dims: 2 reshape { shape: [ -1 ] }"), size},
            {batched("dims: 2 reshape {}"), size},
            {batched("dims: -1 reshape {}"), size},
            {tensor("dims: 4 reshape { shape: [ 4294967296, 4294967296, 4 ] }"), size},
            {tensor("dims: [ -1, -1 ] reshape { shape: [ -1 ] }"),
             named + "has different number of variable-size dimensions for dims and reshape for m"},
            {tensor("dims: [ 4, -1 ] reshape { shape: [ -1, 4 ] }"), size},
            {tensor("dims: [ 2, 4, -1, 6 ] reshape { shape: [ 8, -1, 6 ] }"), ""},
            {batched("dims: [ 1, 1 ] reshape {}"), ""},
            {tensor("dims: [ -1, 3 ]"), ""},
            {tensor("dims: 1 is_shape_tensor: true"),
             "shape tensors are only supported for TensorRT platform for m"},
            {tensor("dims: 1 is_non_linear_format_io: true"),
             "Non-linear IO format is only supported for the TensorRT platform for m"},
            {tensor("dims: 1 is_non_linear_format_io: true") + " platform: \"tensorrt_plan\"",
             "Non-linear IO format " + side + " requires 3 dims for m"},
            {tensor("dims: [ 1, 2, 3 ] is_shape_tensor: true is_non_linear_format_io: true") +
                 " platform: \"tensorrt_plan\"",
             ""},
        },
        ValidateConfigIo);
  }
}

TEST(ValidateConfigIo, ImageFormatsNeedThreeDims) {
  for (const std::string format : {"FORMAT_NHWC", "FORMAT_NCHW"}) {
    ExpectMessages({{Tensor("input", kType + ("dims: [ 1, 2 ] format: " + format)),
                     "model input NHWC/NCHW require 3 dims for m"},
                    {Tensor("input", kType + ("dims: [ 1, 2, 3 ] format: " + format)), ""}},
                   ValidateConfigIo);
  }
}

TEST(ValidateConfigIo, BatchInputAndOutputMessages) {
  const std::string io =
      "input { name: \"x\" data_type: TYPE_FP32 dims: -1 } "
      "output { name: \"y\" data_type: TYPE_FP32 dims: -1 } ";
  const auto model = [&](const std::string& text) { return Model(io + text); };
  ExpectMessages(
      {
          {model("batch_input { data_type: TYPE_INT32 }"),
           "batch input kind 'BATCH_ELEMENT_COUNT' expects 1 source input, got 0 for m"},
          {model("batch_input { kind: BATCH_ITEM_SHAPE data_type: TYPE_INT32 source_input: [ "
                 "\"x\", \"x\" ] }"),
           "batch input kind 'BATCH_ITEM_SHAPE' expects 1 source input, got 2 for m"},
          {model("batch_input { data_type: TYPE_INT64 source_input: \"x\" }"),
           "batch input data type must be TYPE_INT32 or TYPE_FP32 for m"},
          {model("batch_input { data_type: TYPE_FP32 source_input: \"z\" }"),
           "unknown source input name 'z' for m"},
          {model("batch_output {}"),
           "batch output kind 'BATCH_SCATTER_WITH_INPUT_SHAPE' expects 1 source input, got 0 for "
           "m"},
          {model("batch_output { source_input: \"z\" }"), "unknown source input name 'z' for m"},
          {model("batch_output { source_input: \"x\" target_name: \"z\" }"),
           "unknown target output name 'z' for m"},
          {model("batch_output { source_input: \"x\" target_name: [ \"y\", \"y\" ] }"),
           "target output name 'y' can only be specified once for m"},
          {model("batch_output { source_input: \"x\" target_name: \"y\" } "
                 "batch_output { source_input: \"x\" target_name: \"y\" }"),
           "target output name 'y' can only be specified once for m"},
          {model("batch_input { data_type: TYPE_FP32 source_input: \"x\" target_name: \"n\" } "
                 "batch_output { source_input: \"x\" target_name: \"y\" }"),
           ""},
      },
      ValidateConfigIo);
}

TEST(ValidateConfigIo, ChecksInputsBeforeOutputs) {
  ExpectMessages({{Model("output {} input {}"), "model input must specify 'name' for m"},
                  {Model("batch_input {} output {}"), "model output must specify 'name' for m"}},
                 ValidateConfigIo);
}

TEST(ReshapeMismatch, IsSymmetricInItsVerdict) {
  const std::vector<std::vector<int64_t>> shapes = {
      {},      {1},        {2, 3},   {6},        {-1},          {4, -1},
      {-1, 4}, {2, 2, -1}, {-1, -1}, {8, -1, 6}, {2, 4, -1, 6}, {-1, 2, -1}};
  for (const auto& a : shapes) {
    EXPECT_FALSE(ReshapeMismatch(a, a).has_value());
    for (const auto& b : shapes) {
      EXPECT_EQ(ReshapeMismatch(a, b).has_value(), ReshapeMismatch(b, a).has_value());
    }
  }
}

}  // namespace
}  // namespace nereid
