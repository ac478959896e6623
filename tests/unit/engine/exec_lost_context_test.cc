#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backends/cuda/device/context.h"
#include "backends/cuda/device/cuda_loss.h"
#include "backends/cuda/device/device_memory.h"
#include "backends/cuda/device/stream.h"
#include "common/strings.h"
#include "kernels/cudnn/convolution.h"
#include "kernels/gemm/gemm.h"
#include "kernels/jit/jit.h"
#include "kernels/jit/toolbox.h"

namespace nereid::engine {
namespace {

// On a real GPU only: what the driver, and the libraries above it, leave of a process whose kernel
// wrote to a wild address.
class LostContextTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!LoadCuda().ok()) GTEST_SKIP() << "no GPU";
  }
};

// 2 · 3 summed 64 times by cuBLASLt, or what went wrong.
absl::StatusOr<float> Multiply(Toolbox& toolbox) {
  constexpr int64_t kExtent = 64;
  const std::shared_ptr<Context>& context = toolbox.context();
  GemmSpec spec;
  spec.m = spec.n = spec.k = kExtent;
  auto gemm = MakeGemm(toolbox, spec);
  if (!gemm.ok()) return gemm.status();
  auto stream = Stream::Create(context);
  if (!stream.ok()) return stream.status();
  constexpr size_t kBytes = kExtent * kExtent * sizeof(float);
  auto memory = DeviceMemory::Allocate(context, 3 * kBytes);
  auto scratch = DeviceMemory::Allocate(context, (*gemm)->workspace_bytes());
  if (!memory.ok()) return memory.status();
  if (!scratch.ok()) return scratch.status();
  const std::vector<float> twos(kExtent * kExtent, 2), threes(kExtent * kExtent, 3);
  const DevicePointer a = memory->address(), b = a + kBytes, c = b + kBytes;
  std::vector<float> product(kExtent * kExtent, 0);
  absl::Status status = (*stream)->CopyToDevice(a, twos.data(), kBytes);
  status.Update((*stream)->CopyToDevice(b, threes.data(), kBytes));
  const DevicePointer inputs[] = {a, b, 0, 0};
  const DevicePointer outputs[] = {c};
  status.Update((*gemm)->Launch(inputs, outputs, scratch->address(), (*stream)->handle()));
  status.Update((*stream)->CopyToHost(product.data(), c, kBytes));
  status.Update((*stream)->Synchronize());
  if (!status.ok()) return status;
  return product.back();
}

// Eight channels of 2 summed by cuDNN, or what went wrong.
absl::StatusOr<float> Convolve(Toolbox& toolbox) {
  constexpr int64_t kExtent = 8;
  const std::shared_ptr<Context>& context = toolbox.context();
  ConvolutionSpec spec;
  spec.type = DataType::kFp32;
  spec.n = 1;
  spec.c = spec.h = spec.w = spec.k = kExtent;
  auto convolution = MakeConvolution(toolbox, spec);
  if (!convolution.ok()) return convolution.status();
  auto stream = Stream::Create(context);
  if (!stream.ok()) return stream.status();
  constexpr size_t kBytes = kExtent * kExtent * kExtent * sizeof(float);
  auto memory = DeviceMemory::Allocate(context, 3 * kBytes);
  auto scratch = DeviceMemory::Allocate(context, (*convolution)->workspace_bytes());
  if (!memory.ok()) return memory.status();
  if (!scratch.ok()) return scratch.status();
  const std::vector<float> twos(kExtent * kExtent * kExtent, 2), ones(kExtent * kExtent, 1);
  const DevicePointer x = memory->address(), w = x + kBytes, y = w + kBytes;
  std::vector<float> sums(kExtent * kExtent * kExtent, 0);
  absl::Status status = (*stream)->CopyToDevice(x, twos.data(), kBytes);
  status.Update((*stream)->CopyToDevice(w, ones.data(), ones.size() * sizeof(float)));
  const DevicePointer inputs[] = {x, w, 0, 0};
  const DevicePointer outputs[] = {y};
  status.Update((*convolution)->Launch(inputs, outputs, scratch->address(), (*stream)->handle()));
  status.Update((*stream)->CopyToHost(sums.data(), y, kBytes));
  status.Update((*stream)->Synchronize());
  if (!status.ok()) return status;
  return sums.back();
}

void Break(const std::shared_ptr<Context>& context) {
  auto jit = Jit::Create(context);
  ASSERT_TRUE(jit.ok()) << jit.status();
  const auto kernel = (*jit)->Get(
      "extern \"C\" __global__ void wild() { *reinterpret_cast<volatile int*>(16) = 1; }", "wild");
  ASSERT_TRUE(kernel.ok()) << kernel.status();
  auto stream = Stream::Create(context);
  ASSERT_TRUE(stream.ok());
  auto* const handle = static_cast<CUstream>((*stream)->handle());
  EXPECT_EQ(context->api().cuLaunchKernel(*kernel, 1, 1, 1, 1, 1, 1, 0, handle, nullptr, nullptr),
            CUDA_SUCCESS);
  EXPECT_TRUE(context->IsLost(handle));
}

// Everything that is held of the GPU goes, in a process where nothing of CUDA works.
void LoseAndLetGo() {
  std::vector<std::string> reasons;
  WhenCudaIsLost([&](std::string reason) { reasons.push_back(std::move(reason)); });
  const int gpus = std::min(2, *DeviceCount());
  std::vector<std::shared_ptr<Context>> contexts;
  std::vector<std::unique_ptr<Toolbox>> toolboxes;
  std::vector<std::unique_ptr<Stream>> streams;
  std::vector<DeviceMemory> memory;
  for (int gpu = 0; gpu < gpus; ++gpu) {
    contexts.push_back(*Context::Create(gpu));
    toolboxes.push_back(*Toolbox::Create(contexts.back(), {}));
    const auto product = Multiply(*toolboxes.back());
    ASSERT_TRUE(product.ok()) << "GPU " << gpu << ": " << product.status();
    EXPECT_EQ(*product, 2 * 3 * 64);
    const auto sum = Convolve(*toolboxes.back());
    ASSERT_TRUE(sum.ok()) << "GPU " << gpu << ": " << sum.status();
    EXPECT_EQ(*sum, 2 * 8);
    streams.push_back(*Stream::Create(contexts.back()));
    memory.push_back(*DeviceMemory::Allocate(contexts.back(), 1 << 20));
  }
  EXPECT_TRUE(reasons.empty());
  EXPECT_TRUE(CudaLost().ok());
  Break(contexts[0]);
  ASSERT_EQ(reasons.size(), 1u);
  for (int gpu = 0; gpu < gpus; ++gpu) {
    EXPECT_TRUE(contexts[static_cast<size_t>(gpu)]->lost());
    EXPECT_TRUE(absl::IsUnavailable(Context::Create(gpu).status()));
    EXPECT_FALSE(Multiply(*toolboxes[static_cast<size_t>(gpu)]).ok());
    EXPECT_FALSE(Convolve(*toolboxes[static_cast<size_t>(gpu)]).ok());
    EXPECT_FALSE(streams[static_cast<size_t>(gpu)]->Synchronize().ok());
  }
  memory.clear();
  streams.clear();
  toolboxes.clear();
  contexts.clear();
  for (int gpu = 0; gpu < gpus; ++gpu) {
    EXPECT_EQ(Message(Context::Create(gpu).status()), reasons[0]);
  }
}

TEST_F(LostContextTest, EndsAllWorkOnGpusAndLetsGoInTime) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto run = [] {
    alarm(60);  // what hangs does not hang the tests
    LoseAndLetGo();
    std::exit(HasFailure() ? 1 : 0);  // with what the libraries do at the end
  };
  EXPECT_EXIT(run(), ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace nereid::engine
