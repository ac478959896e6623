#include <cmath>
#include <filesystem>

#include "cuda_libraries_fixture.h"

namespace nereid {
namespace {

using testing::AddModel;
using testing::ConvolutionModel;
using testing::ProductModel;

constexpr int64_t kWide = 300'000;  // what is guessed does not count beside it
constexpr int64_t kNarrow = 256;
constexpr int kBatch = 8;

struct Case {
  const char* name;
  std::string (*model)();
  bool images;
  int64_t width;
  int instances, gpus;
  bool guessed;  // whether a first load is to be known as well as later ones
};

// Estimates of the memory against what loaded models take, on a stand-in for a GPU that hands out
// memory as a real one does.
class CudaMemoryTest : public testing::CudaLibrariesTest {
 protected:
  using Instances = std::vector<std::unique_ptr<Instance>>;
  static std::string Config(const Case& c) {
    const std::string groups =
        StrCat("instance_group { kind: KIND_GPU count: ", c.instances, " gpus: [ ",
               c.gpus == 2 ? "0, 1" : "0", " ] } ", WaitForPrograms());
    return c.images ? ImageConfig(groups) : ConfigText(c.width, groups, kBatch);
  }
  MemoryEstimate Estimate(const std::string& text) {
    auto config = testing::NormalizedConfig(text);
    auto backend = GetBackend("cuda");
    if (!config.ok() || !backend.ok()) return {};
    const auto estimate = GuardedEstimateMemory(**backend, Context(*config, InstanceKind::kGpu));
    EXPECT_TRUE(estimate.ok()) << estimate.status();
    return estimate.value_or(MemoryEstimate{});
  }
  static uint64_t BytesAt(const MemoryEstimate& estimate, MemoryPlace place) {
    uint64_t bytes = 0;
    for (const auto& item : estimate.items) bytes += item.place == place ? item.byte_size : 0;
    return bytes;
  }
  // Loads the model and runs batches of all sizes on all instances, so that all graphs are there.
  void LoadAndRun(const Case& c, Instances& instances) {
    auto model = LoadModel(Config(c));
    ASSERT_TRUE(model.ok()) << model.status();
    model_ = *std::move(model);
    for (int i = 0; i < c.instances * c.gpus; ++i) {
      auto instance = MakeOn(*model_, i % c.gpus);
      ASSERT_TRUE(instance.ok()) << instance.status();
      for (const int64_t rows : {8, 8, 4, 4, 2, 2, 1, 1}) {
        if (c.images && rows > 4) continue;
        const absl::Status ran =
            c.images ? InferImages(**instance, rows) : Infer(**instance, rows, c.width);
        ASSERT_TRUE(ran.ok()) << ran;
      }
      instances.push_back(*std::move(instance));
    }
  }
  // `estimate` and what is reported against what is in use; `bound`: relative.
  void ExpectRight(const Case& c, const MemoryEstimate& estimate, double bound) {
    const MemoryEstimate usage = model_->MemoryUsage();
    for (int gpu = 0; gpu < c.gpus; ++gpu) {
      const auto used = static_cast<double>(UsedOn(gpu));
      const MemoryPlace place{MemoryKind::kGpu, gpu};
      EXPECT_NEAR(static_cast<double>(BytesAt(usage, place)), used, 0.03 * used);
      EXPECT_NEAR(static_cast<double>(BytesAt(estimate, place)), used, bound * used);
      const MemoryPlace pinned{MemoryKind::kPinned, gpu};
      EXPECT_EQ(BytesAt(estimate, pinned), BytesAt(usage, pinned));
    }
  }
};

class CudaMemoryCases : public CudaMemoryTest, public ::testing::WithParamInterface<Case> {};

TEST_P(CudaMemoryCases, EstimatesAreWithinThreePerCentOfWhatIsUsed) {
  const Case& c = GetParam();
  WriteModel(c.model());
  for (int load = 0; load < 3; ++load) {
    SCOPED_TRACE(StrCat("load ", load));
    const MemoryEstimate estimate = Estimate(Config(c));
    Instances instances;
    ASSERT_NO_FATAL_FAILURE(LoadAndRun(c, instances));
    if (load > 0 || c.guessed) ExpectRight(c, estimate, 0.03);
    ExpectRight(c, Estimate(Config(c)), 0.03);  // of another one like it
    instances.clear();
    model_.reset();
  }
}

std::string WideAdd() { return AddModel(kWide); }
std::string NarrowAdd() { return AddModel(kNarrow); }
std::string Product() { return ProductModel(kNarrow); }

INSTANTIATE_TEST_SUITE_P(
    Models, CudaMemoryCases,
    ::testing::Values(Case{"wide", WideAdd, false, kWide, 1, 1, true},
                      Case{"wide_twice", WideAdd, false, kWide, 2, 1, true},
                      Case{"wide_on_two_gpus", WideAdd, false, kWide, 1, 2, true},
                      Case{"wide_twice_on_two_gpus", WideAdd, false, kWide, 2, 2, true},
                      Case{"narrow", NarrowAdd, false, kNarrow, 2, 1, false},
                      Case{"product", Product, false, kNarrow, 1, 1, false},
                      Case{"product_twice", Product, false, kNarrow, 2, 2, false},
                      Case{"convolutions", ConvolutionModel, true, 0, 1, 1, false},
                      Case{"convolutions_twice", ConvolutionModel, true, 0, 2, 1, false}),
    [](const auto& info) { return std::string(info.param.name); });

TEST_F(CudaMemoryTest, APlanTellsWhatEarlierProcessesFound) {
  const Case c{"", ConvolutionModel, true, 0, 2, 1, false};
  const std::string folder = StrCat(model_path(), "/../plans");
  UseSettings({{"plan-cache-directory", folder}});
  WriteModel(c.model());
  Instances instances;
  ASSERT_NO_FATAL_FAILURE(LoadAndRun(c, instances));
  instances.clear();
  model_.reset();
  // Another time of change: the process knows nothing of such a file, but its plan fits.
  const std::filesystem::path file = version_path() + "/model.onnx";
  std::filesystem::last_write_time(
      file, std::filesystem::last_write_time(file) + std::chrono::seconds(10));
  const MemoryEstimate estimate = Estimate(Config(c));
  ASSERT_NO_FATAL_FAILURE(LoadAndRun(c, instances));
  ExpectRight(c, estimate, 0.03);
  instances.clear();
  UseSettings({});
}

TEST_F(CudaMemoryTest, OpenExtentsAreThoseOfAnEarlierLoad) {
  const std::string config =
      "name: \"m\" backend: \"cuda\" max_batch_size: 0 input { name: \"X\" data_type: TYPE_FP32 "
      "dims: [ -1, 256 ] } output { name: \"Y\" data_type: TYPE_FP32 dims: [ -1, 256 ] } "
      "instance_group { kind: KIND_GPU count: 1 gpus: [ 0 ] }";
  WriteModel(NarrowAdd());
  const MemoryPlace gpu{MemoryKind::kGpu, 0};
  EXPECT_EQ(BytesAt(Estimate(config), gpu), kNarrow * 4u) << "the weights alone";
  ASSERT_TRUE(LoadOne(config).ok());
  for (const int64_t rows : {100, 100, 7, 7}) ASSERT_TRUE(Infer(*instance_, rows, kNarrow).ok());
  const auto used = static_cast<double>(UsedOn(0));
  Drop();
  EXPECT_NEAR(static_cast<double>(BytesAt(Estimate(config), gpu)), used, 0.03 * used);
}

TEST_F(CudaMemoryTest, WhatWasFoundOfOneFileSaysNothingOfAnother) {
  const Case narrow{"", NarrowAdd, false, kNarrow, 1, 1, false};
  const Case wide{"", WideAdd, false, kWide, 1, 1, false};
  WriteModel(narrow.model());
  Instances instances;
  ASSERT_NO_FATAL_FAILURE(LoadAndRun(narrow, instances));
  instances.clear();
  WriteModel(wide.model());
  const MemoryEstimate estimate = Estimate(Config(wide));
  ASSERT_NO_FATAL_FAILURE(LoadAndRun(wide, instances));
  ExpectRight(wide, estimate, 0.03);
  instances.clear();
}

}  // namespace
}  // namespace nereid
