#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "backend_fixture.h"
#include "common/strings.h"

namespace nereid {
namespace {

namespace fs = std::filesystem;
using testing::BackendTest;
using testing::Bytes;
using testing::BytesOf;
using testing::FindOutput;
using testing::NormalizedConfig;
using testing::PayloadOf;
using testing::RequestBuilder;
using testing::ValuesOf;

class Onnx : public BackendTest {
 protected:
  // Puts tests/data/onnx/<name>.onnx where the model's file is expected.
  void UseModel(const std::string& name, const std::string& file = "model.onnx") const {
    const fs::path to = fs::path(version_path()) / file;
    fs::create_directories(to.parent_path());
    fs::copy_file(fs::path(NEREID_SOURCE_DIR) / "tests/data/onnx" / (name + ".onnx"), to,
                  fs::copy_options::overwrite_existing);
  }

  static std::string Config(const std::string& rest) {
    return R"(name: "m" backend: "onnxruntime" )" + rest;
  }

  absl::StatusOr<ConfigProposal> Complete(const std::string& rest) {
    auto config = NormalizedConfig(Config(rest));
    if (!config.ok()) return config.status();
    auto backend = GetBackend("onnxruntime");
    if (!backend.ok()) return backend.status();
    return GuardedCompleteConfig(**backend, Context(*config));
  }
};

constexpr char kFixed[] = R"(max_batch_size: 8
  input { name: "X" data_type: TYPE_FP32 dims: [ 3 ] }
  output { name: "Y" data_type: TYPE_FP32 dims: [ 3 ] }
  output { name: "SUM" data_type: TYPE_FP32 dims: [ 1 ] reshape { shape: [ ] } } )";
constexpr char kUnbatched[] = R"(
  input { name: "X" data_type: TYPE_FP32 dims: [ 2, 2 ] }
  output { name: "Y" data_type: TYPE_FP32 dims: [ 2, 2 ] } )";

std::string IdentityConfig(DataType type) {
  return StrCat("max_batch_size: 8 input { name: 'X' data_type: ", ConfigName(type),
                " dims: [ -1 ] } output { name: 'Y' data_type: ", ConfigName(type),
                " dims: [ -1 ] }");
}

// Every element type, as the graph of that name repeats it.
struct Type {
  std::string model;
  DataType type;
};

void PrintTo(const Type& row, std::ostream* out) { *out << row.model; }

class OnnxType : public Onnx, public ::testing::WithParamInterface<Type> {
 protected:
  // Two elements of the type, made from two bytes.
  Bytes Elements(uint8_t first, uint8_t second) const {
    if (GetParam().type == DataType::kBytes) {
      return BytesOf(std::vector<std::string>{std::string(first, 'a'), std::string("\0z", 2)});
    }
    if (GetParam().type == DataType::kBool) return BytesOf<uint8_t>({1, 0});
    const size_t size = ElementByteSize(GetParam().type);
    Bytes bytes(2 * size);
    bytes[0] = std::byte{first};
    bytes[size] = std::byte{second};
    return bytes;
  }
};

TEST_P(OnnxType, GoesThroughForOneRequestAndForSeveral) {
  const DataType type = GetParam().type;
  UseModel("identity_" + GetParam().model);
  absl::Status loaded = Load(Config(IdentityConfig(type)));
  ASSERT_TRUE(loaded.ok()) << loaded;
  for (size_t requests : {1, 3}) {
    std::vector<RequestBuilder> builders;
    std::vector<RequestBuilder*> pointers;
    for (size_t i = 0; i < requests; ++i) builders.push_back(Request());
    for (size_t i = 0; i < requests; ++i) {
      const Bytes data = Elements(static_cast<uint8_t>(i), 7);
      builders[i].Input("X", type, {1, 2}, PayloadOf(data, i == 1 ? 3 : SIZE_MAX));
      pointers.push_back(&builders[i]);
    }
    ASSERT_TRUE(Execute(pointers).ok());
    for (size_t i = 0; i < requests; ++i) {
      const auto responses = builders[i].record()->responses();
      ASSERT_TRUE(builders[i].record()->status().ok()) << builders[i].record()->status();
      const OutputTensor* output = FindOutput(responses[0], "Y");
      ASSERT_NE(output, nullptr);
      EXPECT_EQ(output->data_type, type);
      EXPECT_EQ(output->shape, (Shape{1, 2}));
      EXPECT_EQ(BytesOf(output->data), Elements(static_cast<uint8_t>(i), 7));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Types, OnnxType,
    ::testing::Values(Type{"bool", DataType::kBool}, Type{"uint8", DataType::kUint8},
                      Type{"uint16", DataType::kUint16}, Type{"uint32", DataType::kUint32},
                      Type{"uint64", DataType::kUint64}, Type{"int8", DataType::kInt8},
                      Type{"int16", DataType::kInt16}, Type{"int32", DataType::kInt32},
                      Type{"int64", DataType::kInt64}, Type{"fp16", DataType::kFp16},
                      Type{"fp32", DataType::kFp32}, Type{"fp64", DataType::kFp64},
                      Type{"string", DataType::kBytes}, Type{"bf16", DataType::kBf16}),
    [](const auto& info) { return info.param.model; });

// Remembers the blocks it gave and the answer it got.
class WatchingSink : public ResponseSink {
 public:
  struct Seen {
    std::vector<const std::byte*> blocks;
    InferResponse response;
  };
  explicit WatchingSink(Seen* seen) : seen_(seen) {}
  absl::StatusOr<Buffer> Allocate(const TensorSpec&, size_t size, MemoryPlace) noexcept override {
    auto block = std::make_shared<Bytes>(size);
    seen_->blocks.push_back(block->data());
    std::byte* data = block->data();
    return Buffer(std::move(block), data, size);
  }
  void Send(InferResponse response, bool) noexcept override {
    seen_->response = std::move(response);
  }
  void Finish() noexcept override {}

 private:
  Seen* seen_;
};

// One request with input X, answered into `seen`.
Batch WatchedBatch(const std::shared_ptr<const ModelConfig>& config, WatchingSink::Seen* seen,
                   Shape shape, const std::vector<float>& values) {
  auto request = std::make_unique<InferRequest>(std::make_unique<WatchingSink>(seen));
  request->config = config;
  request->batch_size = shape[0];
  InferRequest::Input& input = request->inputs.emplace_back();
  input.name = "X";
  input.data_type = DataType::kFp32;
  input.shape = std::move(shape);
  input.data = PayloadOf(BytesOf(values));
  Batch batch;
  batch.Add(std::move(request));
  return batch;
}

TEST_F(Onnx, WritesOutputsOfKnownSizeIntoTheResponsesBuffer) {
  UseModel("fixed");
  ASSERT_TRUE(Load(Config(kFixed)).ok());
  WatchingSink::Seen seen;
  Batch batch = WatchedBatch(config_, &seen, {2, 3}, {1, 2, 3, 4, 5, 6});
  ASSERT_TRUE(GuardedExecute(*instance_, batch).ok());
  ASSERT_EQ(seen.blocks.size(), 2u);
  const OutputTensor* negative = FindOutput(seen.response, "Y");
  const OutputTensor* sum = FindOutput(seen.response, "SUM");
  ASSERT_TRUE(negative != nullptr && sum != nullptr);
  EXPECT_EQ(negative->data.data(), seen.blocks[0]);
  EXPECT_EQ(sum->data.data(), seen.blocks[1]);
  EXPECT_EQ(ValuesOf<float>(negative->data), (std::vector<float>{-1, -2, -3, -4, -5, -6}));
  EXPECT_EQ(ValuesOf<float>(sum->data), (std::vector<float>{6, 15}));
  EXPECT_EQ(sum->shape, (Shape{2, 1}));
}

TEST_F(Onnx, HandsOnOutputsOfUnknownSizeWhichOutliveTheModel) {
  UseModel("identity_fp32");
  ASSERT_TRUE(Load(Config(IdentityConfig(DataType::kFp32))).ok());
  WatchingSink::Seen seen;
  Batch batch = WatchedBatch(config_, &seen, {1, 4}, {1, 2, 3, 4});
  ASSERT_TRUE(GuardedExecute(*instance_, batch).ok());
  batch = Batch();
  instance_.reset();
  model_.reset();
  registry_.reset();
  EXPECT_TRUE(seen.blocks.empty()) << "nothing has to be copied";
  ASSERT_EQ(seen.response.outputs.size(), 1u);
  EXPECT_EQ(ValuesOf<float>(seen.response.outputs[0].data), (std::vector<float>{1, 2, 3, 4}));
}

TEST_F(Onnx, DividesABatchAmongRequestsThatWantDifferentOutputs) {
  UseModel("fixed");
  ASSERT_TRUE(Load(Config(kFixed)).ok());
  auto first = Request(), second = Request();
  first.Input<float>("X", DataType::kFp32, {1, 3}, {1, 2, 3}).Output("SUM");
  second.Input<float>("X", DataType::kFp32, {2, 3}, {4, 5, 6, 7, 8, 9});
  auto first_record = first.record(), second_record = second.record();
  ASSERT_TRUE(Execute({&first, &second}).ok());
  ASSERT_EQ(first_record->responses()[0].outputs.size(), 1u);
  EXPECT_EQ(ValuesOf<float>(first_record->responses()[0].outputs[0].data), (std::vector<float>{6}));
  const auto responses = second_record->responses();
  EXPECT_EQ(ValuesOf<float>(FindOutput(responses[0], "SUM")->data), (std::vector<float>{15, 24}));
  EXPECT_EQ(ValuesOf<float>(FindOutput(responses[0], "Y")->data),
            (std::vector<float>{-4, -5, -6, -7, -8, -9}));
}

TEST_F(Onnx, UsesTheGraphsOwnValueForAnOptionalInputThatIsLeftOut) {
  UseModel("unbatched");
  ASSERT_TRUE(Load(Config(std::string(kUnbatched) + R"(
    input { name: "SCALE" data_type: TYPE_FP32 dims: [ 1 ] optional: true })"))
                  .ok());
  auto absent = Request(), present = Request();
  absent.Input<float>("X", DataType::kFp32, {2, 2}, {1, 2, 3, 4});
  present.Input<float>("X", DataType::kFp32, {2, 2}, {1, 2, 3, 4})
      .Input<float>("SCALE", DataType::kFp32, {1}, {-1});
  auto absent_record = absent.record(), present_record = present.record();
  ASSERT_TRUE(Execute({&absent}).ok());
  ASSERT_TRUE(Execute({&present}).ok());
  EXPECT_EQ(ValuesOf<float>(absent_record->responses()[0].outputs[0].data),
            (std::vector<float>{10, 20, 30, 40}));
  EXPECT_EQ(ValuesOf<float>(present_record->responses()[0].outputs[0].data),
            (std::vector<float>{-1, -2, -3, -4}));
}

TEST_F(Onnx, FeedsAScalarFromOneElement) {
  UseModel("scalar");
  ASSERT_TRUE(Load(Config(R"(input { name: "X" data_type: TYPE_FP32 dims: [ 1 ] }
    output { name: "Y" data_type: TYPE_FP32 dims: [ 1 ] })"))
                  .ok());
  auto request = Request();
  request.Input<float>("X", DataType::kFp32, {1}, {5});
  auto record = request.record();
  ASSERT_TRUE(Execute({&request}).ok());
  EXPECT_EQ(record->responses()[0].outputs[0].shape, (Shape{1}));
  EXPECT_EQ(ValuesOf<float>(record->responses()[0].outputs[0].data), (std::vector<float>{-5}));
}

TEST_F(Onnx, RunsRaggedBatches) {
  UseModel("ragged");
  absl::Status loaded = Load(Config(R"(max_batch_size: 8
    input { name: "TOKENS" data_type: TYPE_INT32 dims: [ -1 ] allow_ragged_batch: true }
    output { name: "PER_TOKEN" data_type: TYPE_INT32 dims: [ -1 ] }
    output { name: "LENGTH" data_type: TYPE_INT32 dims: [ 1 ] }
    batch_input { kind: BATCH_ACCUMULATED_ELEMENT_COUNT_WITH_ZERO target_name: "ENDS"
                  data_type: TYPE_INT32 source_input: "TOKENS" }
    batch_output { kind: BATCH_SCATTER_WITH_INPUT_SHAPE target_name: "PER_TOKEN"
                   source_input: "TOKENS" })"));
  ASSERT_TRUE(loaded.ok()) << loaded;
  auto first = Request(), second = Request();
  first.Input<int32_t>("TOKENS", DataType::kInt32, {1, 3}, {1, 2, 3});
  second.Input<int32_t>("TOKENS", DataType::kInt32, {1, 1}, {40});
  auto first_record = first.record(), second_record = second.record();
  absl::Status executed = Execute({&first, &second});
  ASSERT_TRUE(executed.ok()) << executed;
  const auto a = first_record->responses(), b = second_record->responses();
  EXPECT_EQ(ValuesOf<int32_t>(FindOutput(a[0], "PER_TOKEN")->data),
            (std::vector<int32_t>{2, 3, 4}));
  EXPECT_EQ(FindOutput(a[0], "PER_TOKEN")->shape, (Shape{1, 3}));
  EXPECT_EQ(ValuesOf<int32_t>(FindOutput(a[0], "LENGTH")->data), (std::vector<int32_t>{3}));
  EXPECT_EQ(ValuesOf<int32_t>(FindOutput(b[0], "PER_TOKEN")->data), (std::vector<int32_t>{41}));
  EXPECT_EQ(ValuesOf<int32_t>(FindOutput(b[0], "LENGTH")->data), (std::vector<int32_t>{1}));
}

TEST_F(Onnx, AnswersARunThatFailsAndServesTheNext) {
  UseModel("failing");
  ASSERT_TRUE(Load(Config(R"(
    input { name: "X" data_type: TYPE_FP32 dims: [ 2 ] }
    input { name: "INDEX" data_type: TYPE_INT64 dims: [ -1 ] }
    output { name: "Y" data_type: TYPE_FP32 dims: [ -1 ] })"))
                  .ok());
  auto bad = Request(), good = Request();
  bad.Input<float>("X", DataType::kFp32, {2}, {1, 2})
      .Input<int64_t>("INDEX", DataType::kInt64, {1}, {99});
  good.Input<float>("X", DataType::kFp32, {2}, {1, 2})
      .Input<int64_t>("INDEX", DataType::kInt64, {1}, {1});
  auto bad_record = bad.record(), good_record = good.record();
  EXPECT_EQ(Execute({&bad}).code(), absl::StatusCode::kInternal);
  EXPECT_TRUE(Message(bad_record->status()).starts_with("onnx runtime error "))
      << bad_record->status();
  EXPECT_TRUE(Execute({&good}).ok());
  EXPECT_TRUE(good_record->status().ok());
}

TEST_F(Onnx, RefusesAnOutputWithAnotherBatchSize) {
  UseModel("shrinking");
  ASSERT_TRUE(Load(Config(IdentityConfig(DataType::kFp32))).ok());
  auto request = Request();
  request.Input<float>("X", DataType::kFp32, {2, 1}, {1, 2});
  auto record = request.record();
  EXPECT_EQ(Execute({&request}).code(), absl::StatusCode::kInternal);
  EXPECT_EQ(record->finals(), 1);
}

TEST_F(Onnx, RefusesStringsThatAreNotAsManyAsTheShapeSays) {
  UseModel("identity_string");
  ASSERT_TRUE(Load(Config(IdentityConfig(DataType::kBytes))).ok());
  for (int64_t count : {1, 3}) {
    auto request = Request();
    request.Input<std::string>("X", DataType::kBytes, {1, count}, {"a", "b"});
    EXPECT_EQ(Execute({&request}).code(), absl::StatusCode::kInvalidArgument);
  }
}

TEST_F(Onnx, LetsInstancesRunAtOnce) {
  UseModel("fixed");
  ASSERT_TRUE(Load(Config(kFixed)).ok());
  std::atomic<int> wrong{0};
  const auto run = [&](int index) {
    InstanceContext context;
    context.index = index;
    auto instance = GuardedCreateInstance(*model_, context);
    if (!instance.ok()) {
      ++wrong;
      return;
    }
    for (int i = 0; i < 200; ++i) {
      auto request = Request();
      const auto value = static_cast<float>(index * 1000 + i);
      request.Input<float>("X", DataType::kFp32, {1, 3}, {value, 0, 0});
      auto record = request.record();
      Batch batch;
      batch.Add(request.Build());
      if (!GuardedExecute(**instance, batch).ok()) ++wrong;
      const auto responses = record->responses();
      if (ValuesOf<float>(FindOutput(responses.at(0), "SUM")->data)[0] != value) ++wrong;
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) threads.emplace_back(run, i);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(Onnx, FindsTheFileThatTheConfigurationNamesOrAFolderOfFiles) {
  UseModel("fixed", "other.onnx");
  EXPECT_TRUE(Load(Config(std::string(kFixed) + R"(default_model_filename: "other.onnx")")).ok());
  UseModel("fixed", "folder/model.onnx");
  EXPECT_TRUE(Load(Config(std::string(kFixed) + R"(default_model_filename: "folder")")).ok());
  absl::Status status = Load(Config(kFixed));
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Message(status),
            StrCat("unable to find '", version_path(), "/model.onnx' for model instance 'm'"));
}

TEST_F(Onnx, RefusesAFileThatIsNoModel) {
  std::ofstream(fs::path(version_path()) / "model.onnx") << "not a model";
  absl::Status status = Load(Config(kFixed));
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_TRUE(Message(status).starts_with("onnx runtime error ")) << status;
  EXPECT_NE(Message(status).find("model.onnx"), std::string_view::npos) << status;
}

TEST_F(Onnx, RefusesGpuInstances) {
  UseModel("fixed");
  absl::Status status = Load(Config(kFixed), 0, InstanceKind::kGpu);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(Message(status).find("use KIND_CPU, or backend \"cuda\""), std::string_view::npos);
  EXPECT_FALSE(GetBackend("onnxruntime").value()->SupportsGpu());
}

TEST_F(Onnx, ComparesTheConfigurationWithTheGraph) {
  UseModel("fixed");
  absl::Status status = Load(Config(R"(max_batch_size: 8
    input { name: "X" data_type: TYPE_INT32 dims: [ 3 ] }
    output { name: "Y" data_type: TYPE_FP32 dims: [ 3 ] })"));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Message(status),
            "unable to load model 'm', configuration expects datatype TYPE_INT32 for input 'X', "
            "model provides TYPE_FP32");
}

TEST_F(Onnx, CompletesAConfigurationFromTheGraph) {
  UseModel("fixed");
  UseSettings({{"default-max-batch-size", "16"}});
  auto proposal = Complete("");
  ASSERT_TRUE(proposal.ok()) << proposal.status();
  EXPECT_EQ(proposal->max_batch_size, 16);
  EXPECT_TRUE(proposal->enable_dynamic_batching);
  ASSERT_EQ(proposal->inputs.size(), 1u);
  EXPECT_EQ(proposal->inputs[0].name, "X");
  EXPECT_EQ(proposal->inputs[0].data_type, DataType::kFp32);
  EXPECT_EQ(proposal->inputs[0].dims, (Shape{3}));
  ASSERT_EQ(proposal->outputs.size(), 2u);
}

TEST_F(Onnx, CompletesNothingWhenNothingIsMissing) {
  auto proposal = Complete(kFixed);  // there is no file to look at either
  ASSERT_TRUE(proposal.ok()) << proposal.status();
  EXPECT_FALSE(proposal->max_batch_size.has_value());
}

TEST_F(Onnx, RefusesAGraphWithAnOutputThatIsNoTensor) {
  UseModel("sequence");
  auto proposal = Complete("");
  EXPECT_EQ(proposal.status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(Message(proposal.status()),
            "Unsupported ONNX Type 'ONNX_TYPE_SEQUENCE' for I/O 'Y', expected "
            "'ONNX_TYPE_TENSOR'.");
}

TEST_F(Onnx, EstimatesTheSizeOfTheFile) {
  UseModel("fixed");
  auto config = NormalizedConfig(Config(kFixed));
  auto backend = GetBackend("onnxruntime");
  ASSERT_TRUE(config.ok() && backend.ok());
  auto estimate = GuardedEstimateMemory(**backend, Context(*config));
  ASSERT_TRUE(estimate.ok()) << estimate.status();
  ASSERT_EQ(estimate->items.size(), 1u);
  EXPECT_EQ(estimate->items[0].byte_size, fs::file_size(fs::path(version_path()) / "model.onnx"));
}

std::string Parameter(const std::string& name, const std::string& value) {
  return StrCat("parameters { key: '", name, "' value { string_value: '", value, "' } } ");
}

TEST_F(Onnx, AcceptsItsParameters) {
  UseModel("fixed");
  const std::string parameters =
      Parameter("intra_op_thread_count", "1") + Parameter("inter_op_thread_count", "-1") +
      Parameter("execution_mode", "1") + Parameter("enable_mem_arena", "Off") +
      Parameter("enable_mem_pattern", "FALSE") +
      Parameter("memory.enable_memory_arena_shrinkage", "cpu:0") +
      Parameter("session.use_device_allocator_for_initializers", "1") +
      Parameter("session.intra_op.allow_spinning", "0") + Parameter("gpu_mem_limit", "1000000") +
      Parameter("something.of_the_users", "x");
  absl::Status loaded = Load(Config(kFixed + parameters));
  ASSERT_TRUE(loaded.ok()) << loaded;
  // Without the arena there is nothing to shrink, and the library says so for each run.
  ASSERT_TRUE(
      Load(Config(kFixed + Parameter("memory.enable_memory_arena_shrinkage", "cpu:0"))).ok());
  auto request = Request();
  request.Input<float>("X", DataType::kFp32, {1, 3}, {1, 2, 3});
  auto record = request.record();
  EXPECT_TRUE(Execute({&request}).ok()) << record->status();
}

TEST_F(Onnx, SharesOneThreadPoolWhenToldTo) {
  UseModel("fixed");
  UseSettings({{"enable-global-threadpool", "true"}, {"intra_op_thread_count", "2"}});
  ASSERT_TRUE(Load(Config(kFixed + Parameter("intra_op_thread_count", "7"))).ok());
  auto request = Request();
  request.Input<float>("X", DataType::kFp32, {1, 3}, {1, 2, 3});
  EXPECT_TRUE(Execute({&request}).ok());
}

TEST_F(Onnx, RefusesSettingsThatMakeNoSense) {
  UseSettings({{"enable-global-threadpool", "perhaps"}});
  EXPECT_EQ(GetBackend("onnxruntime").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(Onnx, IgnoresAcceleratorsOfGpuInstances) {
  UseModel("fixed");
  EXPECT_TRUE(Load(Config(std::string(kFixed) + R"(optimization { execution_accelerators {
      gpu_execution_accelerator { name: "tensorrt" } } })"))
                  .ok());
}

struct BadOption {
  std::string name;
  std::string config;
  std::string message;
};

void PrintTo(const BadOption& row, std::ostream* out) { *out << row.name; }

class OnnxRefuses : public Onnx, public ::testing::WithParamInterface<BadOption> {};

TEST_P(OnnxRefuses, AnOptionThatMakesNoSense) {
  UseModel("fixed");
  const absl::Status status = Load(Config(kFixed + GetParam().config));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(Message(status).find(GetParam().message), std::string_view::npos) << status;
}

INSTANTIATE_TEST_SUITE_P(
    Options, OnnxRefuses,
    ::testing::Values(
        BadOption{"execution_mode", Parameter("execution_mode", "2"),
                  "Invalid configuration value provided. Expected values for  execution_mode are "
                  "0 or 1 but got 2 ."},
        BadOption{"thread_count", Parameter("intra_op_thread_count", "many"),
                  "failed to convert 'many' to integer for parameter 'intra_op_thread_count'"},
        BadOption{"boolean", Parameter("enable_mem_arena", "maybe"),
                  "failed to convert 'maybe' to boolean for parameter 'enable_mem_arena'"},
        BadOption{"unknown_accelerator",
                  "optimization { execution_accelerators { cpu_execution_accelerator { name: "
                  "'warp' } } }",
                  "unknown Execution Accelerator 'warp' is requested"},
        BadOption{"openvino",
                  "optimization { execution_accelerators { cpu_execution_accelerator { name: "
                  "'openvino' } } }",
                  "Execution Accelerator 'openvino' is not part of this build"}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace nereid
