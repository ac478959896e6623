// cuDNN's engine configurations as words: taken from the library's own suggestions, and made again.
// The library works out configurations and plans for a GPU that is only described, so none is
// needed.
#include "kernels/cudnn/engine_config.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/strings.h"

namespace nereid::engine {
namespace {

constexpr std::string_view kDevice =
    R"({"maxGridSize":[2147483647,65535,65535],"maxBlockSize":[1024,1024,64],"regsPerBlock":65536,
"multiProcessorCount":132,"warpSize":32,"maxSharedMemoryPerBlock":49152,
"maxSharedMemoryPerBlockOptin":232448,"reservedSharedMemoryPerBlock":1024,"maxRegistersPerSM":65536,
"maxCtasPerSM":32,"maxThreadsPerBlock":1024,"maxThreadsPerSM":2048,"pciDeviceId":0,"isTccDriver":0,
"supportCoopLaunch":1,"smClockRateKHz":1980000,"memClockRateKHz":3201000,"l2CacheSize":62914560,
"deviceName":"NVIDIA H200","deviceVer":900,"cudaDeviceId":0,"totalGlobalMem":150754820096,
"driverVer":13000})";

class EngineConfigTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto api = LoadCudnn();
    if (!api.ok()) GTEST_SKIP() << api.status();
    api_ = *api;
    device_ = Make(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
    Check(device_->Set(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR,
                       static_cast<int64_t>(kDevice.size()), kDevice.data()));
    Check(device_->Finalize());
    MakeGraph();
  }

  static void Check(const absl::Status& status) { ASSERT_TRUE(status.ok()) << status; }

  CudnnDescriptor* Make(cudnnBackendDescriptorType_t type) {
    auto made = CudnnDescriptor::Create(*api_, type);
    EXPECT_TRUE(made.ok()) << made.status();
    kept_.push_back(std::make_unique<CudnnDescriptor>(*std::move(made)));
    return kept_.back().get();
  }

  CudnnDescriptor* Tensor(int64_t id, const std::array<int64_t, 4>& extents) {
    CudnnDescriptor* tensor = Make(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    const int64_t c = extents[1], h = extents[2], w = extents[3];
    const std::array<int64_t, 4> strides = {c * h * w, 1, c * w, c};
    Check(tensor->Set(CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, id));
    Check(tensor->Set(CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, CUDNN_DATA_HALF));
    Check(tensor->Set(CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, extents.data()));
    Check(tensor->Set(CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, strides.data()));
    Check(tensor->Set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, int64_t{16}));
    Check(tensor->Finalize());
    return tensor;
  }

  // A convolution with a 3×3 filter.
  void MakeGraph() {
    CudnnDescriptor* geometry = Make(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
    Check(geometry->Set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, int64_t{2}));
    Check(geometry->Set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, CUDNN_DATA_FLOAT));
    Check(geometry->Set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE,
                        CUDNN_CROSS_CORRELATION));
    const std::array<int64_t, 2> ones = {1, 1};
    for (const auto name :
         {CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS,
          CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES}) {
      Check(geometry->Set(name, CUDNN_TYPE_INT64, 2, ones.data()));
    }
    Check(geometry->Finalize());
    CudnnDescriptor* operation = Make(CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR);
    Check(
        operation->Set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, *Tensor('x', {8, 64, 56, 56})));
    Check(operation->Set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, *Tensor('w', {64, 64, 3, 3})));
    Check(
        operation->Set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, *Tensor('y', {8, 64, 56, 56})));
    Check(operation->Set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, *geometry));
    Check(operation->Set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, CUDNN_TYPE_FLOAT, 1.0f));
    Check(operation->Set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, CUDNN_TYPE_FLOAT, 0.0f));
    Check(operation->Finalize());
    graph_ = Make(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
    Check(graph_->Set(CUDNN_ATTR_OPERATIONGRAPH_OPS, *operation));
    Check(graph_->Finalize());
  }

  std::vector<CudnnDescriptor> Suggestions() {
    constexpr int64_t kMax = 64;
    CudnnDescriptor* heuristic = Make(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
    Check(heuristic->Set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, *graph_));
    Check(heuristic->Set(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, CUDNN_HEUR_MODE_A));
    Check(heuristic->Set(CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, *device_));
    Check(heuristic->Finalize());
    std::vector<CudnnDescriptor> found;
    std::vector<cudnnBackendDescriptor_t> raw;
    for (int64_t i = 0; i < kMax; ++i) {
      auto one = CudnnDescriptor::Create(*api_, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
      raw.push_back(one->get());
      found.push_back(*std::move(one));
    }
    int64_t count = 0;
    EXPECT_EQ(
        api_->cudnnBackendGetAttribute(heuristic->get(), CUDNN_ATTR_ENGINEHEUR_RESULTS,
                                       CUDNN_TYPE_BACKEND_DESCRIPTOR, kMax, &count, raw.data()),
        CUDNN_STATUS_SUCCESS);
    found.erase(found.begin() + count, found.end());
    return found;
  }

  // The library's own description of a plan of that configuration; "" when there is none.
  std::string PlanOf(const CudnnDescriptor& configuration) {
    auto plan = CudnnDescriptor::Create(*api_, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
    Check(plan->Set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, configuration));
    Check(plan->Set(CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, *device_));
    if (!plan->Finalize().ok()) return "";
    int64_t size = 0;
    const auto get = [&](int64_t capacity, void* text) {
      EXPECT_EQ(
          api_->cudnnBackendGetAttribute(plan->get(), CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION,
                                         CUDNN_TYPE_CHAR, capacity, &size, text),
          CUDNN_STATUS_SUCCESS);
    };
    get(0, nullptr);
    std::string text(static_cast<size_t>(size), '\0');
    get(size, text.data());
    return text;
  }

  const CudnnApi* api_ = nullptr;
  std::vector<std::unique_ptr<CudnnDescriptor>> kept_;
  CudnnDescriptor* device_ = nullptr;
  CudnnDescriptor* graph_ = nullptr;
};

TEST_F(EngineConfigTest, WordsNameTheSamePlan) {
  std::set<std::string> all;
  int plans = 0;
  for (const CudnnDescriptor& suggestion : Suggestions()) {
    const auto words = DescribeEngineConfig(*api_, suggestion);
    ASSERT_TRUE(words.ok()) << words.status();
    EXPECT_TRUE(all.insert(*words).second) << *words << " names two suggestions";
    const auto again = MakeEngineConfig(*api_, graph_->get(), *words, device_);
    ASSERT_TRUE(again.ok()) << *words << ": " << again.status();
    EXPECT_EQ(*DescribeEngineConfig(*api_, *again), *words);
    const std::string plan = PlanOf(suggestion);
    EXPECT_EQ(PlanOf(*again), plan) << *words;
    plans += plan.empty() ? 0 : 1;
  }
  EXPECT_GT(all.size(), 10u);
  EXPECT_GT(plans, 10);
}

TEST_F(EngineConfigTest, NonsenseIsRefused) {
  for (const char* words : {"", "x", "41 2", "41 2:", "41 2:1 ", "41  2:1", "41 2:1x", "41 999:1",
                            "41 -1:1", "99999999999999999999"}) {
    EXPECT_TRUE(
        absl::IsInvalidArgument(MakeEngineConfig(*api_, graph_->get(), words, device_).status()))
        << words;
  }
  EXPECT_FALSE(MakeEngineConfig(*api_, graph_->get(), "1000000", device_).ok());
  EXPECT_FALSE(MakeEngineConfig(*api_, graph_->get(), "41 2:1000000", device_).ok());
}

}  // namespace
}  // namespace nereid::engine
