#include "infer/request_validator.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/config_text.h"
#include "support/fake_sink.h"

namespace nereid {
namespace {

using testing::ConfigFromText;

constexpr int64_t k62 = int64_t{1} << 62;
constexpr char kNote[] =
    "NOTE: Setting a non-zero max_batch_size in the model config requires a batch dimension to be "
    "prepended to each input shape. If you want to specify the full shape including the batch dim "
    "in your input dims config, try setting max_batch_size to zero. See the model configuration "
    "docs for more info on max_batch_size.";

std::shared_ptr<const ModelConfig> Batching() {
  return ConfigFromText(R"(name: "m" backend: "identity" max_batch_size: 8
    input { name: "A" data_type: TYPE_FP32 dims: [ 16 ] }
    input { name: "B" data_type: TYPE_FP32 dims: [ -1, 2 ] }
    output { name: "Y" data_type: TYPE_FP32 dims: [ 16 ] })");
}
std::shared_ptr<const ModelConfig> Plain(const std::string& type, const std::string& dims) {
  return ConfigFromText(R"(name: "m" backend: "identity" input { name: "A" data_type: TYPE_)" +
                        type + " dims: [ " + dims + R"( ] }
    output { name: "Y" data_type: TYPE_FP32 dims: [ 16 ] })");
}
std::shared_ptr<const ModelConfig> Optional() {
  return ConfigFromText(R"(name: "m" backend: "identity"
    input { name: "A" data_type: TYPE_FP32 dims: [ 1 ] }
    input { name: "B" data_type: TYPE_FP32 dims: [ 1 ] optional: true }
    output { name: "Y" data_type: TYPE_FP32 dims: [ 1 ] })");
}

Payload Bytes(std::string bytes, MemoryPlace place = {}) {
  auto owner = std::make_shared<std::string>(std::move(bytes));
  const auto* data = reinterpret_cast<const std::byte*>(owner->data());
  const size_t size = owner->size();
  return Payload(std::move(owner), data, size, place);
}
Payload Zeros(size_t size) { return Bytes(std::string(size, '\0')); }

struct Tensor {
  std::string_view name;
  DataType type;
  Shape shape;
  Payload data;
};

std::unique_ptr<InferRequest> Request(std::vector<Tensor> inputs,
                                      std::vector<std::string_view> outputs = {}) {
  auto request = std::make_unique<InferRequest>(
      std::make_unique<testing::FakeSink>(std::make_shared<testing::SinkRecord>()));
  for (Tensor& tensor : inputs) {
    InferRequest::Input& input = request->inputs.emplace_back();
    input.name = tensor.name;
    input.data_type = tensor.type;
    input.shape = tensor.shape;
    input.data = std::move(tensor.data);
  }
  for (std::string_view name : outputs) request->requested_outputs.emplace_back().name = name;
  return request;
}

Tensor Fp32(std::string_view name, Shape shape, size_t byte_size) {
  return {name, DataType::kFp32, std::move(shape), Zeros(byte_size)};
}
Tensor Strings(Shape shape, std::string bytes) {
  return {"A", DataType::kBytes, std::move(shape), Bytes(std::move(bytes))};
}
std::string Element(std::string_view text) {
  return std::string{static_cast<char>(text.size()), 0, 0, 0}.append(text);
}

struct Refusal {
  std::string name;
  std::function<std::shared_ptr<const ModelConfig>()> config;
  std::function<std::unique_ptr<InferRequest>()> request;
  bool has_prefix;
  std::string message;
};

class RefusedRequest : public ::testing::TestWithParam<Refusal> {};

TEST_P(RefusedRequest, GetsTheMessageOfTheCatalogue) {
  const Refusal& refusal = GetParam();
  for (const char* id : {"", "r7"}) {
    std::unique_ptr<InferRequest> request = refusal.request();
    request->id = id;
    const absl::Status status = ValidateRequest(refusal.config(), *request);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    std::string expected = refusal.message;
    if (refusal.has_prefix) {
      expected =
          std::string(*id == 0 ? "[request id: <id_unknown>] " : "[request id: r7] ") + expected;
    }
    EXPECT_EQ(std::string(status.message()), expected);
  }
}

std::unique_ptr<InferRequest> Raw(std::vector<Tensor> inputs) {
  auto request = Request(std::move(inputs));
  request->is_raw_input = true;
  return request;
}

INSTANTIATE_TEST_SUITE_P(
    Names, RefusedRequest,
    ::testing::Values(
        Refusal{"input_named_twice", Batching,
                [] {
                  return Request({Fp32("A", {1, 16}, 64), Fp32("A", {1, 16}, 64)});
                },
                true, "input 'A' already exists in request"},
        Refusal{"output_named_twice", Batching,
                [] {
                  return Request({Fp32("A", {1, 16}, 64)}, {"Y", "Y"});
                },
                true, "output 'Y' already exists in request"},
        Refusal{"one_name_of_many_twice", Batching,
                [] {
                  static const std::string kNames = "abcdefghijklmnopqrstuvwxya";
                  std::vector<Tensor> inputs;
                  for (size_t i = 0; i < kNames.size(); ++i) {
                    inputs.push_back(Fp32(std::string_view(kNames).substr(i, 1), {1}, 4));
                  }
                  return Request(std::move(inputs));
                },
                true, "input 'a' already exists in request"},
        Refusal{"unknown_output", Batching,
                [] {
                  return Request({Fp32("A", {1, 16}, 64)}, {"Y", "Z"});
                },
                false, "unexpected inference output 'Z' for model 'm'"},
        Refusal{"unknown_output_before_input_count", Batching, [] { return Request({}, {"Z"}); },
                false, "unexpected inference output 'Z' for model 'm'"},
        Refusal{"unknown_input", Batching,
                [] {
                  return Request({Fp32("A", {1, 16}, 64), Fp32("C", {1, 16}, 64)});
                },
                false, "unexpected inference input 'C' for model 'm'"},
        Refusal{"too_few_inputs", Batching,
                [] {
                  return Request({Fp32("A", {1, 16}, 64)});
                },
                true,
                "expected 2 inputs but got 1 inputs for model 'm'. Got input(s) ['A'], but missing "
                "required input(s) ['B']. Please provide all required input(s)."},
        Refusal{"no_inputs", Batching, [] { return Request({}); }, true,
                "expected 2 inputs but got 0 inputs for model 'm'. Got input(s) [], but missing "
                "required input(s) ['A','B']. Please provide all required input(s)."},
        Refusal{"too_many_inputs", [] { return Plain("FP32", "1"); },
                [] {
                  return Request({Fp32("A", {1}, 4), Fp32("B", {1}, 4)});
                },
                true,
                "expected 1 inputs but got 2 inputs for model 'm'. Got input(s) ['A','B'], but "
                "missing required input(s) []. Please provide all required input(s)."},
        Refusal{"too_few_with_optional", Optional, [] { return Request({}); }, true,
                "expected number of inputs between 1 and 2 but got 0 inputs for model 'm'. Got "
                "input(s) [], but missing required input(s) ['A']. Please provide all required "
                "input(s)."}),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    BatchTypeShape, RefusedRequest,
    ::testing::Values(
        Refusal{"no_batch_dimension", Batching,
                [] {
                  return Request({Fp32("A", {}, 4), Fp32("B", {1, 1, 2}, 8)});
                },
                true, "input 'A' has no shape but model requires batch dimension for 'm'"},
        Refusal{"batch_sizes_differ", Batching,
                [] {
                  return Request({Fp32("A", {1, 16}, 64), Fp32("B", {2, 1, 2}, 16)});
                },
                true, "input 'B' batch size does not match other inputs for 'm'"},
        Refusal{"batch_too_large", Batching,
                [] {
                  return Request({Fp32("A", {9, 16}, 576), Fp32("B", {9, 1, 2}, 72)});
                },
                true, "inference request batch-size must be <= 8 for 'm'"},
        Refusal{"data_type", [] { return Plain("FP32", "1"); },
                [] {
                  return Request({{"A", DataType::kInt32, {1}, Zeros(4)}});
                },
                true, "inference input 'A' data-type is 'INT32', but model 'm' expects 'FP32'"},
        Refusal{"open_extent", Batching,
                [] {
                  return Request({Fp32("A", {1, -1}, 64), Fp32("B", {1, 1, 2}, 8)});
                },
                true,
                "All input dimensions should be specified for input 'A' for model 'm', got [1,-1]"},
        Refusal{"open_batch", Batching,
                [] {
                  return Request({Fp32("A", {-1, 16}, 64), Fp32("B", {-1, 1, 2}, 8)});
                },
                true,
                "All input dimensions should be specified for input 'A' for model 'm', got "
                "[-1,16]"},
        Refusal{"extent", Batching,
                [] {
                  return Request({Fp32("A", {1, 15}, 60), Fp32("B", {1, 1, 2}, 8)});
                },
                true,
                std::string("unexpected shape for input 'A' for model 'm'. Expected [-1,16], got "
                            "[1,15]. ") +
                    kNote},
        Refusal{"rank", Batching,
                [] {
                  return Request({Fp32("A", {1, 16}, 64), Fp32("B", {1, 2}, 8)});
                },
                true,
                std::string("unexpected shape for input 'B' for model 'm'. Expected [-1,-1,2], got "
                            "[1,2]. ") +
                    kNote},
        Refusal{"extent_without_batching", [] { return Plain("FP32", "16"); },
                [] {
                  return Request({Fp32("A", {1, 16}, 64)});
                },
                true, "unexpected shape for input 'A' for model 'm'. Expected [16], got [1,16]. "},
        Refusal{"negative_extent", [] { return Plain("FP32", "-1"); },
                [] { return Request({Fp32("A", {-5}, 20)}); }, false,
                "tensor 'A' contains an invalid dimension [-5]"},
        Refusal{"negative_extent_of_strings", [] { return Plain("STRING", "-1"); },
                [] { return Request({Strings({-5}, "")}); }, false,
                "tensor 'A' contains an invalid dimension in shape [-5]"}),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Sizes, RefusedRequest,
    ::testing::Values(
        Refusal{"too_few_bytes", [] { return Plain("FP32", "16"); },
                [] { return Request({Fp32("A", {16}, 63)}); }, true,
                "input byte size mismatch for input 'A' for model 'm'. Expected 64, got 63"},
        Refusal{"too_many_bytes", [] { return Plain("FP32", "16"); },
                [] { return Request({Fp32("A", {16}, 65)}); }, true,
                "input byte size mismatch for input 'A' for model 'm'. Expected 64, got 65"},
        Refusal{"no_rows", Batching,
                [] {
                  return Request({Fp32("A", {0, 16}, 0), Fp32("B", {0, 1, 2}, 0)});
                },
                true, "input byte size mismatch for input 'A' for model 'm'. Expected 64, got 0"},
        Refusal{"no_rows_with_a_row_of_data", Batching,
                [] {
                  return Request({Fp32("A", {0, 16}, 64), Fp32("B", {0, 1, 2}, 8)});
                },
                true, "input byte size mismatch for input 'A' for model 'm'. Expected 0, got 64"},
        Refusal{"byte_size_overflows", [] { return Plain("FP32", "-1"); },
                [] { return Request({Fp32("A", {k62}, 0)}); }, false,
                "byte size for tensor 'A' exceeds maximum size of 9223372036854775807"},
        Refusal{"element_count_overflows", [] { return Plain("FP32", "-1, -1"); },
                [] {
                  return Request({Fp32("A", {k62, 4}, 0)});
                },
                false, "byte size for tensor 'A' exceeds maximum size of 9223372036854775807"},
        Refusal{"element_count_wraps_to_zero", [] { return Plain("UINT8", "-1, -1"); },
                [] {
                  return Request({{"A", DataType::kUint8, {k62, 4}, Zeros(0)}});
                },
                false, "byte size for tensor 'A' exceeds maximum size of 9223372036854775807"},
        Refusal{"string_count_overflows", [] { return Plain("STRING", "-1, -1"); },
                [] {
                  return Request({Strings({k62, 4}, "")});
                },
                false, "element count for tensor 'A' exceeds maximum size of 9223372036854775807"},
        Refusal{"string_length_cut", [] { return Plain("STRING", "2"); },
                [] { return Request({Strings({2}, Element("ab") + "xx")}); }, true,
                "incomplete string length indicator for inference input 'A' for model 'm', "
                "expecting 4 bytes but only 2 bytes available. Please make sure the string length "
                "indicator is in one buffer."},
        Refusal{"too_many_strings", [] { return Plain("STRING", "1"); },
                [] { return Request({Strings({1}, Element("a") + Element("b"))}); }, true,
                "unexpected number of string elements 2 for inference input 'A' for model 'm', "
                "expecting 1"},
        Refusal{"too_few_strings", [] { return Plain("STRING", "3"); },
                [] { return Request({Strings({3}, Element("a") + Element("b"))}); }, true,
                "expected 3 string elements for inference input 'A' for model 'm', got 2"},
        Refusal{"last_string_cut", [] { return Plain("STRING", "2"); },
                [] {
                  return Request(
                      {Strings({2}, Element("a") + std::string("\x09\0\0\0", 4) + "bc")});
                },
                true,
                "incomplete string data for inference input 'A' for model 'm', expecting string of "
                "length 9 but only 2 bytes available"}),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    RawBody, RefusedRequest,
    ::testing::Values(
        Refusal{
            "model_with_two_inputs", Batching, [] { return Raw({Fp32("", {}, 4)}); }, true,
            "Raw request must only have 1 input (found 1) to be deduced but got 2 inputs in 'm' "
            "model configuration"},
        Refusal{"two_open_extents", [] { return Plain("FP32", "-1, -1"); },
                [] { return Raw({Fp32("", {}, 4)}); }, true,
                "The shape of the raw input 'A' can not be deduced because there are more than one "
                "variable-sized dimension"},
        Refusal{"strings_of_other_shape", [] { return Plain("STRING", "-1"); },
                [] { return Raw({Fp32("", {}, 4)}); }, true,
                "For BYTE datatype raw input 'A', the model must have input shape [1]"},
        Refusal{"body_that_leaves_a_rest", [] { return Plain("FP32", "-1"); },
                [] { return Raw({Fp32("", {}, 118)}); }, true,
                "input byte size mismatch for input 'raw_input' for model 'm'. Expected 116, got "
                "118"},
        Refusal{"body_of_wrong_size", [] { return Plain("FP32", "16"); },
                [] { return Raw({Fp32("", {}, 60)}); }, true,
                "input byte size mismatch for input 'raw_input' for model 'm'. Expected 64, got "
                "60"}),
    [](const auto& info) { return info.param.name; });

TEST(ValidRequest, IsLinkedToTheConfiguration) {
  const auto config = Batching();
  auto request = Request({Fp32("B", {3, 5, 2}, 120), Fp32("A", {3, 16}, 192)}, {"Y"});
  ASSERT_TRUE(ValidateRequest(config, *request).ok());
  EXPECT_EQ(request->config, config);
  EXPECT_EQ(request->batch_size, 3);
  EXPECT_EQ(request->inputs[0].spec, config->FindInput("B"));
  EXPECT_EQ(request->inputs[1].spec, config->FindInput("A"));
  EXPECT_EQ(request->requested_outputs[0].spec, config->FindOutput("Y"));
}

TEST(ValidRequest, MayLeaveOutOptionalInputs) {
  const auto config = Optional();
  EXPECT_TRUE(ValidateRequest(config, *Request({Fp32("A", {1}, 4)})).ok());
  EXPECT_TRUE(ValidateRequest(config, *Request({Fp32("A", {1}, 4), Fp32("B", {1}, 4)})).ok());
}

TEST(ValidRequest, MayHaveNoElements) {
  EXPECT_TRUE(ValidateRequest(Plain("FP32", "-1"), *Request({Fp32("A", {0}, 0)})).ok());
  EXPECT_TRUE(ValidateRequest(Plain("STRING", "-1"), *Request({Strings({0}, "")})).ok());
}

TEST(ValidRequest, HasBatchSizeOneWhereTheModelDoesNotBatch) {
  auto request = Request({Fp32("A", {7}, 28)});
  ASSERT_TRUE(ValidateRequest(Plain("FP32", "-1"), *request).ok());
  EXPECT_EQ(request->batch_size, 1);
}

TEST(ValidRequest, IsReshapedForTheBackend) {
  const auto config = ConfigFromText(R"(name: "m" backend: "identity" max_batch_size: 8
    input { name: "A" data_type: TYPE_FP32 dims: [ 1 ] reshape { shape: [ ] } }
    input { name: "B" data_type: TYPE_FP32 dims: [ -1, 4, -1 ] reshape { shape: [ 2, -1, 2, -1 ] } }
    output { name: "Y" data_type: TYPE_FP32 dims: [ 1 ] })");
  auto request = Request({Fp32("A", {2, 1}, 8), Fp32("B", {2, 3, 4, 5}, 480)});
  ASSERT_TRUE(ValidateRequest(config, *request).ok());
  EXPECT_EQ(request->inputs[0].shape, (Shape{2}));
  EXPECT_EQ(request->inputs[1].shape, (Shape{2, 2, 3, 2, 5}));
}

TEST(ValidRequest, StringsOnADeviceAreNotRead) {
  const MemoryPlace gpu{MemoryKind::kGpu, 0};
  auto request = Request({{"A", DataType::kBytes, {2}, Payload(nullptr, nullptr, 3, gpu)}});
  EXPECT_TRUE(ValidateRequest(Plain("STRING", "2"), *request).ok());
}

TEST(ValidRequest, RawBodyTakesNameTypeAndShapeFromTheModel) {
  const auto config = ConfigFromText(R"(name: "m" backend: "identity" max_batch_size: 8
    input { name: "A" data_type: TYPE_FP16 dims: [ 3, -1 ] }
    output { name: "Y" data_type: TYPE_FP32 dims: [ 1 ] })");
  auto request = Raw({{"", DataType::kInvalid, {}, Zeros(24)}});
  ASSERT_TRUE(ValidateRequest(config, *request).ok());
  EXPECT_EQ(request->inputs[0].name, "A");
  EXPECT_EQ(request->inputs[0].data_type, DataType::kFp16);
  EXPECT_EQ(request->inputs[0].shape, (Shape{1, 3, 4}));
  EXPECT_EQ(request->batch_size, 1);
}

TEST(ValidRequest, EmptyRawBodyHasNoElements) {
  auto request = Raw({{"", DataType::kInvalid, {}, Zeros(0)}});
  ASSERT_TRUE(ValidateRequest(Plain("FP32", "-1"), *request).ok());
  EXPECT_EQ(request->inputs[0].shape, (Shape{0}));
}

TEST(ValidRequest, RawBodyOfStringsIsOneElement) {
  auto request = Raw({{"", DataType::kInvalid, {}, Bytes("hello")}});
  ASSERT_TRUE(ValidateRequest(Plain("STRING", "1"), *request).ok());
  const Payload& data = request->inputs[0].data;
  std::string bytes(data.byte_size(), '\0');
  data.CopyTo(reinterpret_cast<std::byte*>(bytes.data()));
  EXPECT_EQ(bytes, Element("hello"));
  EXPECT_EQ(request->inputs[0].shape, (Shape{1}));
}

}  // namespace
}  // namespace nereid
