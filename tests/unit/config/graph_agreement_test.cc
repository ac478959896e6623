#include "config/graph_agreement.h"

#include <gtest/gtest.h>

#include "config_test_util.h"

namespace nereid {
namespace {

using testing::Parse;
using testing::Text;

GraphTensor Tensor(const char* name, Shape dims, DataType type = DataType::kFp32) {
  return {name, type, std::move(dims)};
}

std::string Io(const std::string& input, const std::string& output = "dims: [ 10 ]") {
  return "name: \"m\" input { name: \"x\" data_type: TYPE_FP32 " + input +
         " } output { name: \"y\" data_type: TYPE_FP32 " + output + " } ";
}

const GraphDescription kPlain{{Tensor("x", {3, -1})}, {Tensor("y", {10}), Tensor("z", {1})}, {}};
const GraphDescription kBatching{{Tensor("x", {-1, 3, -1})}, {Tensor("y", {-1, 10})}, {}};

struct Row {
  std::string text;
  GraphDescription graph;
  std::string message;
};

void Expect(const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    EXPECT_EQ(Text(CheckGraphAgreement(Parse(row.text), row.graph)), row.message) << row.text;
  }
}

TEST(CheckGraphAgreement, AcceptsWhatFits) {
  Expect({
      {Io("dims: [ 3, -1 ]"), kPlain, ""},
      {Io("dims: [ 3, 8 ]"), kPlain, ""},
      {Io("dims: [ 3, -1 ]") + "max_batch_size: 4", kBatching, ""},
      {Io("dims: [ 9 ] reshape { shape: [ 3, 3 ] }"), kPlain, ""},
      {Io("dims: [ 1 ] reshape {}", "dims: [ 1 ] reshape {}") + "max_batch_size: 4",
       {{Tensor("x", {-1})}, {Tensor("y", {-1})}, {}},
       ""},
      {Io("dims: [ 1, 1 ]", "dims: 1"), {{Tensor("x", {})}, {Tensor("y", {})}, {}}, ""},
  });
}

TEST(CheckGraphAgreement, CountsInputs) {
  const GraphDescription two{{Tensor("x", {1}), Tensor("w", {1})}, {Tensor("y", {10})}, {}};
  Expect({
      {Io("dims: 1"), two,
       "unable to load model 'm', configuration expects 1 inputs, model provides 2"},
      {Io("dims: 1") + "input { name: \"a\" } input { name: \"b\" }", two,
       "unable to load model 'm', configuration expects 3 inputs, model provides 2"},
  });
}

TEST(CheckGraphAgreement, NamesAndTypes) {
  const GraphDescription graph{
      {Tensor("b", {1}), Tensor("a", {1})}, {Tensor("q", {1}), Tensor("p", {1})}, {}};
  Expect({
      {"name: \"m\" input { name: \"a\" data_type: TYPE_FP32 dims: 1 } input { name: \"x\" }",
       graph, "unexpected inference input 'x', allowed inputs are: a, b"},
      {"name: \"m\" input { name: \"a\" data_type: TYPE_FP32 dims: 1 } "
       "input { name: \"b\" data_type: TYPE_FP32 dims: 1 } output { name: \"y\" }",
       graph, "unexpected inference output 'y', allowed outputs are: p, q"},
      {Io("dims: 1"),
       {{Tensor("x", {1}, DataType::kBytes)}, {Tensor("y", {10})}, {}},
       "unable to load model 'm', configuration expects datatype TYPE_FP32 for input 'x', model "
       "provides TYPE_STRING"},
      {Io("dims: 1"),
       {{Tensor("x", {1})}, {Tensor("y", {10}, DataType::kInt64)}, {}},
       "unable to load model 'm', configuration expects datatype TYPE_FP32 for output 'y', model "
       "provides TYPE_INT64"},
  });
}

TEST(CheckGraphAgreement, Shapes) {
  const std::string expects = "model 'm', tensor 'x': the model expects ";
  const std::string batch =
      "(an initial batch dimension because max_batch_size > 0 followed by the explicit tensor "
      "shape, "
      "making complete shape ";
  Expect({
      {Io("dims: [ 3 ]"), kPlain,
       expects +
           "2 dimensions (shape [3,-1]) but the model configuration specifies 1 dimensions (shape "
           "[3])"},
      {Io("dims: [ 4, -1 ]"), kPlain,
       expects +
           "2 dimensions (shape [3,-1]) but the model configuration specifies 2 dimensions (shape "
           "[4,-1])"},
      // An open extent of the configuration does not fit a fixed one of the graph.
      {Io("dims: [ -1, -1 ]"), kPlain,
       expects +
           "2 dimensions (shape [3,-1]) but the model configuration specifies 2 dimensions (shape "
           "[-1,-1])"},
      {Io("dims: [ 3 ]") + "max_batch_size: 4", kBatching,
       expects +
           "3 dimensions (shape [-1,3,-1]) but the model configuration specifies 2 dimensions " +
           batch + "[-1,3])"},
      {Io("dims: [ 3, -1 ]") + "max_batch_size: 4", kPlain,
       "model 'm', tensor 'x': for the model to support batching the shape should have at least 1 "
       "dimension and the first dimension must be -1; but shape expected by the model is [3,-1]"},
      {Io("dims: 1") + "max_batch_size: 4",
       {{Tensor("x", {})}, {}, {}},
       "model 'm', tensor 'x': for the model to support batching the shape should have at least 1 "
       "dimension and the first dimension must be -1; but shape expected by the model is []"},
      {Io("dims: 2"),
       {{Tensor("x", {})}, {}, {}},
       expects + "0 dimensions (shape []) but the model configuration specifies 1 dimensions "
                 "(shape [2])"},
  });
}

TEST(CheckGraphAgreement, OutputsMustSayExactlyWhatTheGraphSays) {
  const GraphDescription open{{Tensor("x", {1})}, {Tensor("y", {-1})}, {}};
  Expect({
      {Io("dims: 1", "dims: -1"), open, ""},
      {Io("dims: 1", "dims: 10"), open,
       "model 'm', tensor 'y': the model expects 1 dimensions (shape [-1]) but the model "
       "configuration "
       "specifies 1 dimensions (shape [10])"},
      {Io("dims: 1", "dims: -1"),
       {{Tensor("x", {1})}, {Tensor("y", {10})}, {}},
       "model 'm', tensor 'y': the model expects 1 dimensions (shape [10]) but the model "
       "configuration "
       "specifies 1 dimensions (shape [-1])"},
  });
}

TEST(CheckGraphAgreement, OptionalInputsAreInitialisersOfModelsThatDoNotBatch) {
  const GraphDescription graph{{Tensor("x", {1})}, {Tensor("y", {10})}, {Tensor("w", {2})}};
  const std::string optional = "input { name: \"w\" data_type: TYPE_FP32 dims: 2 optional: true } ";
  Expect({
      {Io("dims: 1") + optional, graph, ""},
      {Io("dims: 1"), graph, ""},
      {Io("dims: 1") + optional + "max_batch_size: 2",
       {{Tensor("x", {-1, 1})}, {Tensor("y", {-1, 10})}, {Tensor("w", {2})}},
       "unable to load model 'm', optional input 'w' is not supported for models that support "
       "batching"},
      {"name: \"m\" input { name: \"x\" data_type: TYPE_FP32 dims: 1 optional: true }", graph,
       "unable to load model 'm', configuration expects 0 inputs, model provides 1"},
  });
}

TEST(CheckGraphAgreement, RaggedInputsArePackedIntoOneRow) {
  const std::string ragged = Io("dims: -1 allow_ragged_batch: true", "dims: -1") +
                             "max_batch_size: 8 batch_input { target_name: [ \"n\" ] data_type: "
                             "TYPE_FP32 source_input: \"x\" } "
                             "batch_output { target_name: \"y\" source_input: \"x\" } ";
  const GraphTensor count = Tensor("n", {-1});
  Expect({
      {ragged, {{Tensor("x", {-1}), count}, {Tensor("y", {-1})}, {}}, ""},
      {ragged,
       {{Tensor("x", {-1, -1}), count}, {Tensor("y", {-1})}, {}},
       "model 'm', tensor 'x': the model expects shape [-1,-1] but a ragged batch has shape [-1]"},
      {ragged,
       {{Tensor("x", {-1}), Tensor("k", {-1})}, {Tensor("y", {-1})}, {}},
       "unexpected inference input 'n', allowed inputs are: k, x"},
      {ragged,
       {{Tensor("x", {-1}), Tensor("n", {-1}, DataType::kInt32)}, {Tensor("y", {-1})}, {}},
       "unable to load model 'm', configuration expects datatype TYPE_FP32 for input 'n', model "
       "provides "
       "TYPE_INT32"},
  });
}

TEST(CheckGraphAgreement, SequenceControlsAndStates) {
  const std::string control = "control_input { name: \"c\" } ";
  const std::string state =
      "state { input_name: \"si\" output_name: \"so\" data_type: TYPE_FP32 dims: 2 } ";
  const auto text = [&](const std::string& batching) {
    return Io("dims: 1") + "max_batch_size: 4 sequence_batching { " + batching + " }";
  };
  const GraphTensor x = Tensor("x", {-1, 1});
  const GraphTensor y = Tensor("y", {-1, 10});
  Expect({
      {text(control), {{x, Tensor("c", {-1, 1})}, {y}, {}}, ""},
      {text(control + state),
       {{x, Tensor("c", {-1, 1}), Tensor("si", {-1, 2})}, {y, Tensor("so", {-1, 2})}, {}},
       ""},
      {text(control),
       {{x}, {y}, {}},
       "configuration specified sequence control 'c', but model does not provide that input"},
      {text(control),
       {{x, Tensor("c", {-1, 2})}, {y}, {}},
       "unable to load model 'm', sequence control 'c' in model has dims [2] but dims [1] is "
       "expected"},
      {text(state),
       {{x, Tensor("si", {-1, 2})}, {y}, {}},
       "unexpected inference output 'so', allowed outputs are: y"},
  });
  EXPECT_EQ(CheckGraphAgreement(Parse(text(control)), {{x}, {y}, {}}).code(),
            absl::StatusCode::kInternal);
}

}  // namespace
}  // namespace nereid
