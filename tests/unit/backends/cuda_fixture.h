#pragma once

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "backend_fixture.h"
#include "common/strings.h"
#include "observability/published_metrics.h"
#include "support/modules/fake_cuda/fake_cuda.h"
#include "unit/engine/onnx_text.h"

namespace nereid::testing {

// Before anything looks for GPUs.
inline const int kUsesFakeCuda = setenv("NEREID_CUDA_FOLDER", NEREID_FAKE_CUDA_DIR, 1);

// A sink whose buffers lie where the test says.
class PlacingSink : public ResponseSink {
 public:
  using Allocator = std::function<std::shared_ptr<std::byte>(size_t)>;
  PlacingSink(std::unique_ptr<ResponseSink> sink, MemoryPlace place, Allocator allocate)
      : sink_(std::move(sink)), place_(place), allocate_(std::move(allocate)) {}
  absl::StatusOr<Buffer> Allocate(const TensorSpec&, size_t byte_size,
                                  MemoryPlace) noexcept override {
    auto block = allocate_(byte_size);
    std::byte* data = block.get();
    if (data == nullptr) return absl::ResourceExhaustedError("no memory for the output");
    return Buffer(std::move(block), data, byte_size, place_);
  }
  void Send(InferResponse response, bool is_final) noexcept override {
    sink_->Send(std::move(response), is_final);
  }
  void Finish() noexcept override { sink_->Finish(); }

 private:
  const std::unique_ptr<ResponseSink> sink_;
  const MemoryPlace place_;
  const Allocator allocate_;
};

// ONNX files whose work the fake GPU "does".

// Y = X + W, a kernel with a weight of `width` floats; the kernel does nothing here.
inline std::string AddModel(int64_t width) {
  using namespace engine::onnx;  // NOLINT(google-build-using-namespace): a little language
  return engine::onnx::Model(
      WithNode(Node("Add", {"X", "W"}, {"Y"}, "", "", "add")) +
          WithConstant(FloatTensor("W", {width}, std::vector<float>(static_cast<size_t>(width)))) +
          WithInput(Info("X", 1, {-1, width})) + WithOutput(Info("Y", 1, {-1, width})),
      17);
}

// Y = X, both of rows of `width` floats, by way of an operator that runs on the host: sequences of
// one row are reversed.
inline std::string HostModel(int64_t width) {
  using namespace engine::onnx;  // NOLINT(google-build-using-namespace): a little language
  const std::vector<int64_t> ones(static_cast<size_t>(width), 1);
  return engine::onnx::Model(
      WithNode(Node("ReverseSequence", {"X", "lengths"}, {"Y"},
                    Attribute("time_axis", int64_t{0}) + Attribute("batch_axis", int64_t{1}))) +
          WithConstant(Int64Tensor("lengths", ones)) + WithInput(Info("X", 1, {-1, width})) +
          WithOutput(Info("Y", 1, {-1, width})),
      17);
}

class CudaTest : public BackendTest {
 protected:
  void SetUp() override {
    BackendTest::SetUp();
    if (!fake_.ok()) GTEST_SKIP() << "built without the cuda backend";
    before_ = fake_.state();
  }
  // Everything has been given back, whatever the test did.
  void TearDown() override {
    instance_.reset();
    others_.clear();
    model_.reset();
    if (fake_.ok()) {
      fake_.Fail("cuLaunchKernel", 0, 0);
      fake_.SetMemory(uint64_t{1} << 30);
      ExpectNothingLeft();
    }
    BackendTest::TearDown();
  }

  void ExpectNothingLeft() {
    const FakeCudaState now = fake_.state();
    for (const uint64_t bytes : now.device_bytes) EXPECT_EQ(bytes, 0u);
    EXPECT_EQ(now.pinned_bytes, 0u);
    if (!keeps_contexts_) {
      EXPECT_EQ(now.contexts, before_.contexts);
    }
    EXPECT_EQ(now.streams, 0);
    EXPECT_EQ(now.events, 0);
    EXPECT_EQ(now.graphs, 0);
    EXPECT_EQ(now.modules, 0);
    EXPECT_EQ(now.misuses, before_.misuses);
  }

  // Runs `body` in a process of its own: for what stays until a process ends.
  template <typename Body>
  void Alone(Body body) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    const auto run = [&] {
      body();
      instance_.reset();
      model_.reset();
      EXPECT_EQ(fake_.state().misuses, before_.misuses);
      std::filesystem::remove_all(std::filesystem::path(model_path()).parent_path());
      std::_Exit(HasFailure() ? 1 : 0);
    };
    EXPECT_EXIT(run(), ::testing::ExitedWithCode(0), "");
  }

  void WriteModel(const std::string& bytes) {
    std::ofstream(version_path() + "/model.onnx", std::ios::binary) << bytes;
  }

  // A configuration with X and Y of `width` floats.
  static std::string ConfigText(int64_t width, const std::string& more = "",
                                int max_batch_size = 8) {
    return StrCat("name: \"m\" backend: \"cuda\" max_batch_size: ", max_batch_size,
                  " input { name: \"X\" data_type: TYPE_FP32 dims: ", width,
                  " } output { name: \"Y\" data_type: TYPE_FP32 dims: ", width, " } ",
                  Parameter("precision", "fp32"), more);
  }
  // Every batch runs with the program of its size, from the first on.
  static std::string WaitForPrograms() { return Parameter("background_programs", "false"); }
  static std::string Parameter(const std::string& name, const std::string& value) {
    return StrCat("parameters { key: \"", name, "\" value { string_value: \"", value, "\" } } ");
  }

  absl::StatusOr<std::shared_ptr<Model>> LoadModel(const std::string& config) {
    auto parsed = NormalizedConfig(config);
    if (!parsed.ok()) return parsed.status();
    config_ = *parsed;
    auto backend = GetBackend("cuda");
    if (!backend.ok()) return backend.status();
    ModelContext context = Context(config_, InstanceKind::kGpu);
    context.metrics = published_->For({{"model", "m"}});
    return GuardedLoadModel(*backend, context);
  }
  static absl::StatusOr<std::unique_ptr<Instance>> MakeOn(Model& model, int device = 0) {
    InstanceContext context;
    context.name = "m_0";
    context.kind = InstanceKind::kGpu;
    context.device = device;
    return GuardedCreateInstance(model, context);
  }
  // The model and one instance on GPU 0.
  absl::Status LoadOne(const std::string& config) {
    auto model = LoadModel(config);
    if (!model.ok()) return model.status();
    model_ = *std::move(model);
    auto instance = MakeOn(*model_);
    if (!instance.ok()) return instance.status();
    instance_ = *std::move(instance);
    return absl::OkStatus();
  }

  RequestBuilder Rows(int64_t rows, int64_t width) const {
    RequestBuilder request(config_);
    request.Input("X", DataType::kFp32, {rows, width},
                  std::vector<float>(static_cast<size_t>(rows * width), 1.0F));
    return request;
  }
  absl::Status Infer(Instance& instance, int64_t rows, int64_t width) const {
    RequestBuilder request = Rows(rows, width);
    Batch batch;
    batch.Add(request.Build());
    absl::Status status = GuardedExecute(instance, batch);
    if (batch.Has(0) && !batch.request(0).answered()) batch.request(0).Fail(status);
    EXPECT_EQ(request.record()->finals(), 1);
    return status;
  }

  uint64_t UsedOn(int device) const { return fake_.state().device_bytes[device]; }
  static uint64_t UsageOn(const Model& model, MemoryPlace place) {
    uint64_t bytes = 0;
    for (const auto& item : model.MemoryUsage().items) {
      if (item.place == place) bytes += item.byte_size;
    }
    return bytes;
  }
  std::string MetricsText() {
    MetricsRegistry registry;
    registry.AddSource(published_);
    return registry.Text();
  }

  const FakeCuda fake_;
  FakeCudaState before_{};
  bool keeps_contexts_ = false;  // they stay behind when the test ends
  const std::shared_ptr<PublishedMetrics> published_ = std::make_shared<PublishedMetrics>();
  std::vector<std::shared_ptr<void>> others_;
};

}  // namespace nereid::testing
