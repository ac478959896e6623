#include <thread>

#include "config/prepare.h"
#include "cuda_fixture.h"
#include "infer/servable.h"
#include "model/model_loader.h"

namespace nereid {
namespace {

using testing::AddModel;
using ::testing::HasSubstr;
using testing::RequestBuilder;

constexpr int kIllegalAddress = 700;
constexpr int64_t kWidth = 64;

// The cuda backend behind the model loader, as a server runs it, on two stand-ins for GPUs.
class CudaServingTest : public testing::CudaTest {
 protected:
  void SetUp() override {
    CudaTest::SetUp();
    if (IsSkipped()) return;
    WriteModel(AddModel(kWidth));
    ModelLoader::Options options;
    options.backends.backend_directory = NEREID_BACKEND_DIR;
    options.devices = {.gpu_support = true, .usable_gpus = {0, 1}};
    options.make_metrics = [this](const ModelLoader::Measured&) { return published_->For({}); };
    loader_ = std::make_unique<ModelLoader>(std::move(options));
  }
  void TearDown() override {
    loader_.reset();
    CudaTest::TearDown();
  }

  absl::StatusOr<LoadRequest> RequestFor(const std::string& text) {
    inference::ModelConfig config;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &config)) << text;
    const absl::Status prepared = PrepareConfig({.directory_name = "m"}, {}, &config);
    if (!prepared.ok()) return prepared;
    LoadRequest request;
    request.name = "m";
    request.model_path = model_path();
    request.version_path = version_path();
    request.config = std::make_shared<const inference::ModelConfig>(std::move(config));
    return request;
  }
  absl::StatusOr<std::shared_ptr<Servable>> Serve(const std::string& groups) {
    auto request =
        RequestFor(StrCat("name: \"m\" backend: \"cuda\" max_batch_size: 8 ",
                          Parameter("precision", "fp32"), Parameter("graphs", "false"), groups));
    if (!request.ok()) return request.status();
    return loader_->Load(*request);
  }

  absl::Status Ask(Servable& model, int64_t rows = 1) {
    RequestBuilder builder(nullptr);
    builder.Input("X", DataType::kFp32, {rows, kWidth},
                  std::vector<float>(static_cast<size_t>(rows * kWidth), 1.0F));
    auto record = builder.record();
    auto request = builder.Build();
    request->timeline.received = Clock::now();
    model.Submit(std::move(request));
    record->WaitUntilFinal();
    EXPECT_EQ(record->finals(), 1);
    return record->status();
  }

  std::unique_ptr<ModelLoader> loader_;
};

TEST_F(CudaServingTest, InstancesAreMadeOnTheGpusOfTheirGroup) {
  const struct {
    const char* groups;
    int on_0, on_1;  // instances
  } rows[] = {
      {"", 1, 1},
      {"instance_group { }", 1, 1},
      {"instance_group { kind: KIND_GPU gpus: [ 1 ] }", 0, 1},
      {"instance_group { kind: KIND_AUTO gpus: [ 0 ] }", 1, 0},
      {"instance_group { count: 2 gpus: [ 0, 1 ] }", 2, 2},
      {"instance_group { gpus: [ 0 ] } instance_group { count: 2 gpus: [ 1 ] }", 1, 2},
  };
  for (const auto& row : rows) {
    const int64_t streams = fake_.state().streams;
    auto model = Serve(row.groups);
    ASSERT_TRUE(model.ok()) << row.groups << ": " << model.status();
    EXPECT_EQ(UsedOn(0) > 0, row.on_0 > 0) << row.groups;
    EXPECT_EQ(UsedOn(1) > 0, row.on_1 > 0) << row.groups;
    // One for each instance, and one for the weights of each GPU.
    EXPECT_GE(fake_.state().streams - streams, row.on_0 + row.on_1) << row.groups;
    EXPECT_EQ((*model)->config()->proto().instance_group(0).kind(),
              inference::ModelInstanceGroup::KIND_GPU);
    for (int i = 0; i < 8; ++i) EXPECT_TRUE(Ask(**model, 1 + i % 3).ok()) << row.groups;
    loader_->Unload(**model);
    model->reset();
    ExpectNothingLeft();
  }
}

TEST_F(CudaServingTest, EstimatesEveryGpuOfTheGroups) {
  auto request = RequestFor(StrCat("name: \"m\" backend: \"cuda\" max_batch_size: 8 ",
                                   "instance_group { gpus: [ 0 ] } ",
                                   "instance_group { count: 2 gpus: [ 1 ] }"));
  ASSERT_TRUE(request.ok());
  const auto estimate = loader_->Estimate(*request);
  ASSERT_TRUE(estimate.ok()) << estimate.status();
  ASSERT_EQ(estimate->items.size(), 4u);
  EXPECT_EQ(estimate->items[0].place, (MemoryPlace{MemoryKind::kGpu, 0}));
  EXPECT_EQ(estimate->items[1].place, (MemoryPlace{MemoryKind::kPinned, 0}));
  EXPECT_EQ(estimate->items[2].place, (MemoryPlace{MemoryKind::kGpu, 1}));
  EXPECT_EQ(estimate->items[3].place, (MemoryPlace{MemoryKind::kPinned, 1}));
  EXPECT_GT(estimate->items[2].byte_size, estimate->items[0].byte_size);
  EXPECT_LT(estimate->items[2].byte_size, 2 * estimate->items[0].byte_size);
  EXPECT_EQ(estimate->items[3].byte_size, 2 * estimate->items[1].byte_size);
}

TEST_F(CudaServingTest, RefusesGpusThatAreNotThere) {
  const auto model = Serve("instance_group { kind: KIND_GPU gpus: [ 7 ] }");
  ASSERT_FALSE(model.ok());
  EXPECT_THAT(std::string(Message(model.status())), HasSubstr("gpu id 7"));
}

TEST_F(CudaServingTest, ATensorRtPlanIsRefusedWithWhatToDo) {
  auto request = RequestFor("name: \"m\" platform: \"tensorrt_plan\" max_batch_size: 8");
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->config->backend(), "tensorrt");
  const auto model = loader_->Load(*request);
  EXPECT_EQ(model.status().code(), absl::StatusCode::kInvalidArgument) << model.status();
  EXPECT_THAT(std::string(Message(model.status())), HasSubstr("set backend: \"cuda\""));
}

TEST_F(CudaServingTest, CompletesTensorsFromTheFile) {
  auto model = Serve("");
  ASSERT_TRUE(model.ok()) << model.status();
  ASSERT_NE((*model)->config()->FindInput("X"), nullptr);
  EXPECT_EQ((*model)->config()->FindInput("X")->dims, (Shape{kWidth}));
  EXPECT_NE((*model)->config()->FindOutput("Y"), nullptr);
}

TEST_F(CudaServingTest, AfterALostGpuEveryRequestIsAnsweredUnavailable) {
  Alone([this] {
    auto first = Serve("instance_group { count: 2 gpus: [ 0 ] }");
    auto idle = Serve("instance_group { gpus: [ 0 ] }");
    auto elsewhere = Serve("instance_group { gpus: [ 1 ] }");
    ASSERT_TRUE(first.ok() && idle.ok() && elsewhere.ok());
    ASSERT_TRUE(Ask(**first).ok());

    fake_.Fail("cuLaunchKernel", kIllegalAddress);
    EXPECT_TRUE(absl::IsUnavailable(Ask(**first)));
    for (int i = 0; i < 10; ++i) {
      for (const auto* model : {&first, &idle, &elsewhere}) {
        const absl::Status status = Ask(***model);
        EXPECT_TRUE(absl::IsUnavailable(status)) << status;
      }
    }
    for (const auto* model : {&first, &idle, &elsewhere}) EXPECT_FALSE((**model)->Healthy());
    EXPECT_TRUE(absl::IsUnavailable(Serve("instance_group { gpus: [ 1 ] }").status()));
  });
}

TEST_F(CudaServingTest, ALoadThatDoesNotFitLeavesTheOthersServing) {
  auto first = Serve("instance_group { gpus: [ 0 ] }");
  ASSERT_TRUE(first.ok()) << first.status();
  const uint64_t used = UsedOn(0);
  fake_.SetMemory(used + 512);
  const auto second = Serve("instance_group { gpus: [ 0 ] }");
  EXPECT_TRUE(absl::IsResourceExhausted(second.status())) << second.status();
  EXPECT_EQ(UsedOn(0), used);
  EXPECT_TRUE(Ask(**first).ok());
}

}  // namespace
}  // namespace nereid
