#include <filesystem>
#include <thread>

#include "cuda_libraries_fixture.h"

namespace nereid {
namespace {

using testing::ConvolutionModel;
using testing::kIllegalAddress;
using testing::ProductModel;

constexpr int64_t kWidth = 64;

// What outlives the models: handles of libraries and plans made with them.
class CudaKeptTest : public testing::CudaLibrariesTest {
 protected:
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
    CudaLibrariesTest::SetUp();
    if (IsSkipped()) return;
    for (const char* function : {"cudnnCreate", "cudnnDestroy", "cudnnFinalizePlan",
                                 "cudnnBackendExecute", "cublasLtCreate", "cublasLtDestroy"}) {
      calls_before_[function] = fake_.Calls(function);
    }
  }

  std::map<std::string, int64_t> calls_before_;
};

constexpr int64_t kHandles = 1;
constexpr int64_t kPlans = 2 * 3;  // two convolutions, for batches of 1, 2 and 4

TEST_F(CudaKeptTest, LaterLoadsMakeNoHandlesAndNoPlans) {
  Alone([this] {
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
  });
}

TEST_F(CudaKeptTest, FirstSuggestionsAreKeptAsWinnersOfRacesAre) {
  Alone([this] {
    const std::string heuristic = Parameter("tactics", "heuristic");
    Cycle(heuristic);
    EXPECT_EQ(New("cudnnFinalizePlan"), kPlans);
    Cycle(heuristic);
    EXPECT_EQ(New("cudnnFinalizePlan"), kPlans);
  });
}

TEST_F(CudaKeptTest, ModelsOnOneGpuShareAHandle) {
  Alone([this] {
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
  });
}

// Each makes programs that the others wait for, runs them, and brings what it found to the plan.
TEST_F(CudaKeptTest, InstancesComeUpTogether) {
  Alone([this] {
    constexpr int kCycles = 20, kInstances = 4;
    const std::string folder = StrCat(model_path(), "/../plans");
    UseSettings({{"plan-cache-directory", folder}});
    WriteModel(ConvolutionModel());
    for (int cycle = 0; cycle < kCycles; ++cycle) {
      std::filesystem::remove_all(folder);
      auto model = LoadModel(ImageConfig(Parameter("warmup_batches", "all")));
      ASSERT_TRUE(model.ok()) << model.status();
      std::vector<std::thread> threads;
      for (int i = 0; i < kInstances; ++i) {
        threads.emplace_back([&] {
          auto instance = MakeOn(**model);
          ASSERT_TRUE(instance.ok()) << instance.status();
          for (const int64_t rows : {1, 3, 4}) {
            EXPECT_TRUE(InferImages(**instance, rows).ok());
          }
        });
      }
      for (std::thread& thread : threads) thread.join();
    }
    UseSettings({});
  });
}

TEST_F(CudaKeptTest, HandlesAreLeftAloneInALostContext) {
  Alone([this] {
    WriteModel(ConvolutionModel());
    ASSERT_TRUE(LoadOne(ImageConfig()).ok());
    ASSERT_TRUE(InferImages(*instance_, 2).ok());
    fake_.Fail("cuStreamSynchronize", kIllegalAddress);
    EXPECT_TRUE(absl::IsUnavailable(InferImages(*instance_, 2)));
    Drop();
    EXPECT_EQ(New("cudnnDestroy"), 0);
  });
}

TEST_F(CudaKeptTest, AGpuLostWithoutModelsIsFoundOutByTheNextLoad) {
  Alone([this] {
    Cycle();
    fake_.Fail("cuMemGetInfo", kIllegalAddress);
    WriteModel(ConvolutionModel());
    EXPECT_TRUE(absl::IsUnavailable(LoadOne(ImageConfig())));
    EXPECT_EQ(New("cudnnDestroy"), 0);
  });
}

TEST_F(CudaKeptTest, PlansBeyondTheLimitAreMadeAgain) {
  Alone([this] {
    UseSettings({{"max-kept-cudnn-plans", "1"}});
    Cycle();
    const int64_t plans = New("cudnnFinalizePlan"), descriptors = LiveDescriptors();
    Cycle();
    EXPECT_EQ(New("cudnnFinalizePlan"), plans + kPlans);
    EXPECT_EQ(LiveDescriptors(), descriptors) << "one plan is kept";
    UseSettings({{"max-kept-cudnn-plans", "few"}});
    EXPECT_TRUE(absl::IsInvalidArgument(LoadOne(ImageConfig())));
    UseSettings({});
  });
}

TEST_F(CudaKeptTest, LaterLoadsMakeNoHandleForProducts) {
  Alone([this] {
    for (int cycle = 0; cycle < 20; ++cycle) {
      WriteModel(ProductModel(kWidth));
      ASSERT_TRUE(LoadOne(ConfigText(kWidth)).ok());
      ASSERT_TRUE(Infer(*instance_, 3, kWidth).ok());
      Drop();
      ASSERT_EQ(UsedOn(0), 0u);
    }
    EXPECT_EQ(New("cublasLtCreate"), 1);
    EXPECT_EQ(New("cublasLtDestroy"), 0);
  });
}

}  // namespace
}  // namespace nereid
