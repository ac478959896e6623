#include "cuda_fixture.h"

namespace nereid {
namespace {

using testing::AddModel;
using testing::RequestBuilder;

constexpr int kIllegalAddress = 700;
constexpr int64_t kChannels = 8;
constexpr int64_t kExtent = 8;
constexpr int64_t kElements = kChannels * kExtent * kExtent;
constexpr int64_t kWidth = 64;

// Two different convolutions, one after the other.
std::string ConvolutionModel() {
  using namespace engine::onnx;  // NOLINT(google-build-using-namespace): a little language
  const auto filters = [](const char* name, int64_t to, int64_t from) {
    return WithConstant(FloatTensor(name, {to, from, 3, 3},
                                    std::vector<float>(static_cast<size_t>(to * from * 9), 0.5F)));
  };
  const std::string pads = Attribute("pads", std::vector<int64_t>{1, 1, 1, 1});
  return engine::onnx::Model(WithNode(Node("Conv", {"X", "V"}, {"M"}, pads, "", "first")) +
                                 WithNode(Node("Conv", {"M", "W"}, {"Y"}, pads, "", "second")) +
                                 filters("V", 2 * kChannels, kChannels) +
                                 filters("W", kChannels, 2 * kChannels) +
                                 WithInput(Info("X", 1, {-1, kChannels, kExtent, kExtent})) +
                                 WithOutput(Info("Y", 1, {-1, kChannels, kExtent, kExtent})),
                             17);
}

std::string ProductModel() {
  using namespace engine::onnx;  // NOLINT(google-build-using-namespace): a little language
  return engine::onnx::Model(
      WithNode(Node("MatMul", {"X", "W"}, {"Y"}, "", "", "product")) +
          WithConstant(FloatTensor("W", {kWidth, kWidth},
                                   std::vector<float>(static_cast<size_t>(kWidth * kWidth), 1))) +
          WithInput(Info("X", 1, {-1, kWidth})) + WithOutput(Info("Y", 1, {-1, kWidth})),
      17);
}

// What outlives the models: handles of libraries and plans made with them.
class CudaLibrariesTest : public testing::CudaTest {
 protected:
  // A context with resources stays until it is lost.
  void TearDown() override {
    if (fake_.ok()) LoseGpu();
    CudaTest::TearDown();
  }
  void LoseGpu() {
    Drop();
    WriteModel(AddModel(kWidth));
    ASSERT_TRUE(LoadOne(ConfigText(kWidth, Parameter("warmup_batches", "none"))).ok());
    fake_.Fail("cuLaunchKernel", kIllegalAddress);
    EXPECT_FALSE(Infer(*instance_, 1, kWidth).ok());
    Drop();
    EXPECT_EQ(fake_.state().contexts, 0);
  }
  void Drop() {
    instance_.reset();
    model_.reset();
  }

  static std::string ImageConfig(const std::string& more = "") {
    const std::string dims = StrCat("dims: [", kChannels, ",", kExtent, ",", kExtent, "]");
    return StrCat(
        "name: \"m\" backend: \"cuda\" max_batch_size: 4 input { name: \"X\" data_type: "
        "TYPE_FP32 ",
        dims, " } output { name: \"Y\" data_type: TYPE_FP32 ", dims, " } ",
        Parameter("precision", "fp32"), more);
  }
  absl::Status InferImages(Instance& instance, int64_t rows) const {
    RequestBuilder request(config_);
    request.Input("X", DataType::kFp32, {rows, kChannels, kExtent, kExtent},
                  std::vector<float>(static_cast<size_t>(rows * kElements), 1.0F));
    Batch batch;
    batch.Add(request.Build());
    absl::Status status = GuardedExecute(instance, batch);
    if (batch.Has(0) && !batch.request(0).answered()) batch.request(0).Fail(status);
    return status;
  }
  void Cycle(const std::string& more = "") {
    WriteModel(ConvolutionModel());
    const absl::Status loaded = LoadOne(ImageConfig(more));
    ASSERT_TRUE(loaded.ok()) << loaded;
    for (const int64_t rows : {1, 4, 3, 2, 2}) {
      const absl::Status status = InferImages(*instance_, rows);
      ASSERT_TRUE(status.ok()) << status;
    }
    Drop();
    EXPECT_EQ(UsedOn(0), 0u);
  }

  // Calls since the test began.
  int64_t New(const char* function) {
    const auto row = calls_before_.find(function);
    return fake_.Calls(function) - (row == calls_before_.end() ? 0 : row->second);
  }
  int64_t LiveDescriptors() const {
    return fake_.Calls("cudnnBackendCreateDescriptor") -
           fake_.Calls("cudnnBackendDestroyDescriptor");
  }
  void SetUp() override {
    CudaTest::SetUp();
    if (IsSkipped()) return;
    for (const char* function : {"cudnnCreate", "cudnnDestroy", "cudnnFinalizePlan",
                                 "cudnnBackendExecute", "cublasLtCreate", "cublasLtDestroy"}) {
      calls_before_[function] = fake_.Calls(function);
    }
  }

  std::map<std::string, int64_t> calls_before_;
};

constexpr int64_t kHandles = 2;    // one to make plans with, one to launch with
constexpr int64_t kPlans = 2 * 3;  // two convolutions, for batches of 1, 2 and 4

TEST_F(CudaLibrariesTest, LaterLoadsMakeNoHandlesAndNoPlans) {
  Cycle();
  EXPECT_GT(New("cudnnBackendExecute"), 0) << "convolutions run elsewhere";
  const int64_t plans = New("cudnnFinalizePlan"), descriptors = LiveDescriptors();
  EXPECT_GE(plans, kPlans);
  for (int cycle = 0; cycle < 100; ++cycle) {
    ASSERT_NO_FATAL_FAILURE(Cycle());
    ASSERT_EQ(LiveDescriptors(), descriptors) << cycle;
  }
  EXPECT_EQ(New("cudnnFinalizePlan"), plans);
  EXPECT_EQ(New("cudnnCreate"), kHandles);
  EXPECT_EQ(New("cudnnDestroy"), 0);
  EXPECT_EQ(fake_.state().contexts, 1);
}

TEST_F(CudaLibrariesTest, FirstSuggestionsAreKeptAsWinnersOfRacesAre) {
  const std::string heuristic = Parameter("tactics", "heuristic");
  Cycle(heuristic);
  EXPECT_EQ(New("cudnnFinalizePlan"), kPlans);
  Cycle(heuristic);
  EXPECT_EQ(New("cudnnFinalizePlan"), kPlans);
}

TEST_F(CudaLibrariesTest, ModelsOnOneGpuShareAHandle) {
  WriteModel(ConvolutionModel());
  ASSERT_TRUE(LoadOne(ImageConfig()).ok());
  auto other = LoadModel(ImageConfig());
  ASSERT_TRUE(other.ok()) << other.status();
  auto instance = MakeOn(**other);
  ASSERT_TRUE(instance.ok()) << instance.status();
  EXPECT_EQ(New("cudnnCreate"), kHandles);
  instance_.reset();
  EXPECT_TRUE(InferImages(**instance, 2).ok());
  EXPECT_EQ(New("cudnnDestroy"), 0);
}

TEST_F(CudaLibrariesTest, ALostGpuTakesHandlesAndPlansAlong) {
  const int64_t descriptors = LiveDescriptors(), resets = fake_.state().resets;
  Cycle();
  const int64_t plans = New("cudnnFinalizePlan");
  EXPECT_GT(LiveDescriptors(), descriptors);
  LoseGpu();
  EXPECT_EQ(fake_.state().resets, resets + 1);
  EXPECT_EQ(LiveDescriptors(), descriptors);
  EXPECT_EQ(New("cudnnDestroy"), 0) << "a call in a context that is lost";
  Cycle();
  EXPECT_EQ(New("cudnnCreate"), 2 * kHandles);
  EXPECT_EQ(New("cudnnFinalizePlan"), plans + kPlans) << "what races found holds for the new one";
}

TEST_F(CudaLibrariesTest, AGpuLostWithoutModelsIsReplacedByTheNextLoad) {
  Cycle();
  fake_.Fail("cuMemGetInfo", kIllegalAddress);
  const int64_t resets = fake_.state().resets;
  Cycle();
  EXPECT_EQ(fake_.state().resets, resets + 1);
  EXPECT_EQ(New("cudnnCreate"), 2 * kHandles);
}

TEST_F(CudaLibrariesTest, PlansBeyondTheLimitAreMadeAgain) {
  UseSettings({{"max-kept-cudnn-plans", "1"}});
  Cycle();
  const int64_t plans = New("cudnnFinalizePlan"), descriptors = LiveDescriptors();
  Cycle();
  EXPECT_EQ(New("cudnnFinalizePlan"), plans + kPlans);
  EXPECT_EQ(LiveDescriptors(), descriptors) << "one plan is kept";
  UseSettings({{"max-kept-cudnn-plans", "few"}});
  EXPECT_TRUE(absl::IsInvalidArgument(LoadOne(ImageConfig())));
  UseSettings({});
}

TEST_F(CudaLibrariesTest, LaterLoadsMakeNoHandleForProducts) {
  for (int cycle = 0; cycle < 20; ++cycle) {
    WriteModel(ProductModel());
    ASSERT_TRUE(LoadOne(ConfigText(kWidth)).ok());
    ASSERT_TRUE(Infer(*instance_, 3, kWidth).ok());
    Drop();
    ASSERT_EQ(UsedOn(0), 0u);
  }
  EXPECT_EQ(New("cublasLtCreate"), 1);
  EXPECT_EQ(New("cublasLtDestroy"), 0);
}

}  // namespace
}  // namespace nereid
