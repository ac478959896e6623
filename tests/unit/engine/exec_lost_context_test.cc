#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "backends/cuda/device/context.h"
#include "backends/cuda/device/device_memory.h"
#include "backends/cuda/device/stream.h"
#include "kernels/cudnn/convolution.h"
#include "kernels/gemm/gemm.h"
#include "kernels/jit/jit.h"
#include "kernels/jit/toolbox.h"

namespace nereid::engine {
namespace {

// On a real GPU only: what the driver, and the libraries above it, make of a context that was lost
// and reset.
class LostContextTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!LoadCuda().ok()) GTEST_SKIP() << "no GPU";
  }

  // 2 · 3 summed 64 times by cuBLASLt, or what went wrong.
  static absl::StatusOr<float> Multiply(Toolbox& toolbox) {
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
  static absl::StatusOr<float> Convolve(Toolbox& toolbox) {
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

  static void Break(const std::shared_ptr<Context>& context) {
    auto jit = Jit::Create(context);
    ASSERT_TRUE(jit.ok()) << jit.status();
    const auto kernel = (*jit)->Get(
        "extern \"C\" __global__ void wild() { *reinterpret_cast<volatile int*>(16) = 1; }",
        "wild");
    ASSERT_TRUE(kernel.ok()) << kernel.status();
    auto stream = Stream::Create(context);
    ASSERT_TRUE(stream.ok());
    auto* const handle = static_cast<CUstream>((*stream)->handle());
    EXPECT_EQ(context->api().cuLaunchKernel(*kernel, 1, 1, 1, 1, 1, 1, 0, handle, nullptr, nullptr),
              CUDA_SUCCESS);
    EXPECT_TRUE(context->IsLost(handle));
  }
};

TEST_F(LostContextTest, IsReplacedByOneThatWorks) {
  for (int round = 0; round < 3; ++round) {
    auto context = Context::Create(0);
    ASSERT_TRUE(context.ok()) << "round " << round << ": " << context.status();
    auto toolbox = Toolbox::Create(*context, {});
    ASSERT_TRUE(toolbox.ok()) << toolbox.status();
    const auto product = Multiply(**toolbox);
    ASSERT_TRUE(product.ok()) << "round " << round << ": " << product.status();
    EXPECT_EQ(*product, 2 * 3 * 64) << "round " << round;
    const auto sum = Convolve(**toolbox);
    ASSERT_TRUE(sum.ok()) << "round " << round << ": " << sum.status();
    EXPECT_EQ(*sum, 2 * 8) << "round " << round;
    Break(*context);
    EXPECT_TRUE(absl::IsUnavailable(Context::Create(0).status()));
    toolbox->reset();  // handles of the libraries, and plans, go with the lost context
    context->reset();
  }
}

}  // namespace
}  // namespace nereid::engine
