#pragma once

#include <string>
#include <vector>

#include "cuda_fixture.h"

namespace nereid::testing {

inline constexpr int kIllegalAddress = 700;
inline constexpr int64_t kChannels = 8;
inline constexpr int64_t kExtent = 8;
inline constexpr int64_t kElements = kChannels * kExtent * kExtent;

// Two different convolutions, one after the other.
inline std::string ConvolutionModel() {
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

// Y = X · W.
inline std::string ProductModel(int64_t width) {
  using namespace engine::onnx;  // NOLINT(google-build-using-namespace): a little language
  return engine::onnx::Model(
      WithNode(Node("MatMul", {"X", "W"}, {"Y"}, "", "", "product")) +
          WithConstant(FloatTensor("W", {width, width},
                                   std::vector<float>(static_cast<size_t>(width * width), 1))) +
          WithInput(Info("X", 1, {-1, width})) + WithOutput(Info("Y", 1, {-1, width})),
      17);
}

// Models whose work libraries do: contexts with their handles stay until the process ends.
class CudaLibrariesTest : public CudaTest {
 protected:
  CudaLibrariesTest() { keeps_contexts_ = true; }
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
};

}  // namespace nereid::testing
