// Every kernel of the case list is compiled for the architectures the engine supports; no GPU is
// needed.
#include <gtest/gtest.h>

#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <tuple>

#include "tests/kernels/all_cases.h"

namespace nereid::engine {
namespace {

class KernelCompileTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (const auto nvrtc = LoadNvrtc(); !nvrtc.ok()) GTEST_SKIP() << nvrtc.status();
  }
};

TEST_P(KernelCompileTest, EveryCaseOfEveryOperatorCompiles) {
  auto toolbox = Toolbox::Create(Context::CreateOffline(GetParam()), {});
  ASSERT_TRUE(toolbox.ok()) << toolbox.status();
  int made = 0;
  for (const KernelCase& c : AllKernelCases()) {
    if (c.needs_library) continue;
    const auto op = c.make(**toolbox);
    if (c.needs_hopper && GetParam() != std::string_view("sm_90a")) {
      EXPECT_TRUE(absl::IsUnimplemented(op.status())) << c.name;
      continue;
    }
    EXPECT_TRUE(op.ok()) << c.op << " " << c.name << ": " << op.status();
    ++made;
  }
  EXPECT_GT(made, 300);
  EXPECT_GT((*toolbox)->jit().compiled_count(), 100);
}

INSTANTIATE_TEST_SUITE_P(Architectures, KernelCompileTest, testing::Values("sm_80", "sm_90a"),
                         [](const auto& info) { return std::string(info.param); });

TEST(JitTest, AnErrorInTheTextComesWithTheCompilersLog) {
  if (!LoadNvrtc().ok()) GTEST_SKIP();
  const auto cubin = CompileToCubin("extern \"C\" __global__ void k() { undeclared(); }", "sm_80");
  ASSERT_FALSE(cubin.ok());
  EXPECT_NE(Message(cubin.status()).find("undeclared"), std::string_view::npos);
}

// Keeps everything, as a file would.
class MapStore : public ArtifactStore {
 public:
  std::optional<std::string> Find(const ArtifactScope& scope, std::string_view key) override {
    const std::lock_guard lock(mutex_);
    const auto found = rows_.find({scope.subject, scope.version, std::string(key)});
    if (found == rows_.end()) return std::nullopt;
    ++hits_;
    return found->second;
  }
  void Remember(const ArtifactScope& scope, std::string_view key, std::string value) override {
    const std::lock_guard lock(mutex_);
    rows_[{scope.subject, scope.version, std::string(key)}] = std::move(value);
  }
  int hits() const {
    const std::lock_guard lock(mutex_);
    return hits_;
  }

 private:
  mutable std::mutex mutex_;
  int hits_ = 0;
  std::map<std::tuple<std::string, std::string, std::string>, std::string> rows_;
};

TEST(JitTest, AStoreKeepsCompiledKernelsAcrossCompilers) {
  if (!LoadNvrtc().ok()) GTEST_SKIP();
  const auto store = std::make_shared<MapStore>();
  const std::string source = "extern \"C\" __global__ void k(int* x) { *x = 1; }";
  for (const int loads : {0, 1}) {
    auto jit = Jit::Create(Context::CreateOffline("sm_80"), store);
    ASSERT_TRUE(jit.ok());
    ASSERT_TRUE((*jit)->Get(source, "k").ok());
    EXPECT_EQ((*jit)->compiled_count(), 1 - loads);
    EXPECT_EQ(store->hits(), loads);
  }
  auto other = Jit::Create(Context::CreateOffline("sm_90a"), store);
  ASSERT_TRUE((*other)->Get(source, "k").ok());
  EXPECT_EQ((*other)->compiled_count(), 1) << "code of another architecture was taken";
  ASSERT_TRUE((*other)->Get(source + " ", "k").ok());
  EXPECT_EQ((*other)->compiled_count(), 2) << "code of another source was taken";
  EXPECT_EQ(store->hits(), 1);
}

TEST(JitTest, AProcessCompilesAKernelOnceForAnArchitecture) {
  if (!LoadNvrtc().ok()) GTEST_SKIP();
  const std::string source = "extern \"C\" __global__ void k(int* x) { *x = 2; }";
  std::vector<std::unique_ptr<Jit>> jits;
  for (const char* arch : {"sm_80", "sm_80", "sm_80", "sm_90a"}) {
    jits.push_back(*Jit::Create(Context::CreateOffline(arch)));
  }
  std::vector<std::thread> threads;
  for (const auto& jit : jits) {
    threads.emplace_back([&] { EXPECT_TRUE(jit->Get(source, "k").ok()); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(jits[0]->compiled_count() + jits[1]->compiled_count() + jits[2]->compiled_count(), 1);
  EXPECT_EQ(jits[3]->compiled_count(), 1);
  // A later store gets what it has not got, too.
  const auto store = std::make_shared<MapStore>();
  for (const int hits : {0, 1}) {
    auto later = Jit::Create(Context::CreateOffline("sm_80"), store);
    ASSERT_TRUE((*later)->Get(source, "k").ok());
    EXPECT_EQ((*later)->compiled_count(), 0);
    EXPECT_EQ(store->hits(), hits);
  }
}

TEST(JitTest, WhatDoesNotCompileIsTriedAgain) {
  if (!LoadNvrtc().ok()) GTEST_SKIP();
  for (int i = 0; i < 2; ++i) {
    auto jit = Jit::Create(Context::CreateOffline("sm_80"));
    EXPECT_NE(Message((*jit)->Get("not C", "k").status()).find("error"), std::string_view::npos);
  }
}

TEST(JitTest, ThreadsThatWantTheSameKernelCompileItOnce) {
  if (!LoadNvrtc().ok()) GTEST_SKIP();
  auto jit = Jit::Create(Context::CreateOffline("sm_80"));
  ASSERT_TRUE(jit.ok());
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      const std::string source =
          StrCat("extern \"C\" __global__ void k(int* x) { *x = ", 10 + i % 2, "; }");
      EXPECT_TRUE((*jit)->Get(source, "k").ok());
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ((*jit)->compiled_count(), 2);
}

TEST(TacticsTest, AreFoundForTheLibraryAndTheSpecificationTheyWereRacedFor) {
  const auto store = std::make_shared<MapStore>();
  const auto context = Context::CreateOffline("sm_90a");
  {
    Tactics tactics(*context, store);
    tactics.Remember("cuDNN 91900", "a convolution", "41 2:1");
    EXPECT_EQ(tactics.Find("cuDNN 91900", "a convolution"), "41 2:1");
  }
  Tactics later(*context, store);
  EXPECT_EQ(later.Find("cuDNN 91900", "a convolution"), "41 2:1");
  EXPECT_EQ(later.Find("cuDNN 91901", "a convolution"), std::nullopt);
  EXPECT_EQ(later.Find("cuDNN 91900", "another one"), std::nullopt);
  // Without a store, what this process has raced.
  Tactics alone(*context, nullptr);
  EXPECT_EQ(alone.Find("cuDNN 91900", "a convolution"), "41 2:1");
  EXPECT_EQ(alone.Find("cuDNN 91900", "another one"), std::nullopt);
  alone.Remember("cuDNN 91900", "another one", "0");
  EXPECT_EQ(alone.Find("cuDNN 91900", "another one"), "0");
  EXPECT_EQ(Tactics(*Context::CreateOffline("sm_80"), store).Find("cuDNN 91900", "a convolution"),
            std::nullopt);
}

TEST(DivisorTest, AgreesWithDivisionForNumbersBelow2To31) {
  for (const int64_t divisor : {1ll, 2ll, 3ll, 7ll, 64ll, 1000ll, 65537ll, 2147483647ll}) {
    const Divisor d(divisor);
    for (const uint64_t n :
         {0ull, 1ull, 2ull, 6ull, 7ull, 63ull, 64ull, 999999ull, 2147483646ull, 2147483647ull}) {
      const auto high = static_cast<uint32_t>((n * d.multiplier) >> 32);
      EXPECT_EQ((high + static_cast<uint32_t>(n)) >> d.shift, n / static_cast<uint64_t>(divisor))
          << n << " / " << divisor;
    }
  }
}

TEST(PointwiseSourceTest, JoinsExtentsAndPacksContiguousElements) {
  const Shape shape = {4, 8, 16};
  const auto source = PointwiseSource(
      SingleStep({"Relu", {0}, {}, DataType::kFp16}, shape, {{DataType::kFp16, shape}}));
  ASSERT_TRUE(source.ok()) << source.status();
  EXPECT_NE(source->find("LoadPack<8>"), std::string::npos) << *source;
  EXPECT_EQ(source->find(".Split"), std::string::npos) << "the extents were not joined";
}

TEST(PointwiseSourceTest, OneTextServesAllShapesOfARank) {
  const auto text = [](const Shape& shape, const Shape& b) {
    return *PointwiseSource(SingleStep({"Add", {0, 1}, {}, DataType::kFp32}, shape,
                                       {{DataType::kFp32, shape}, {DataType::kFp32, b}}));
  };
  EXPECT_EQ(text({3, 5, 8}, {5, 1}), text({7, 9, 16}, {9, 1}));
  EXPECT_NE(text({3, 5, 8}, {5, 1}), text({3, 5, 8}, {8}));
}

TEST(PointwiseSourceTest, AnOffsetThatBreaksAlignmentTakesNarrowerPacks) {
  PointwiseSpec spec;
  spec.shape = {64};
  spec.inputs = {{DataType::kFp32, {}, 2}};
  spec.outputs = {{DataType::kFp32, {}}};
  spec.results = {0};
  EXPECT_NE(PointwiseSource(spec)->find("LoadPack<2>"), std::string::npos);
}

TEST(PointwiseSourceTest, RefusesWhatBreaksTheRules) {
  const Shape shape = {4};
  const auto status = [&](PointwiseStep step) {
    return PointwiseSource(SingleStep(std::move(step), shape, {{DataType::kFp32, shape}})).status();
  };
  EXPECT_FALSE(status({"NoSuchFunction", {0}, {}, DataType::kFp32}).ok());
  EXPECT_FALSE(status({"Relu", {0, 0}, {}, DataType::kFp32}).ok());
  EXPECT_FALSE(status({"Relu", {3}, {}, DataType::kFp32}).ok());
  EXPECT_FALSE(status({"LeakyRelu", {0}, {}, DataType::kFp32}).ok());
  EXPECT_FALSE(status({"Less", {0, 0}, {}, DataType::kFp32}).ok());
  EXPECT_FALSE(status({"And", {0, 0}, {}, DataType::kBool}).ok());
  EXPECT_TRUE(status({"Relu", {0}, {}, DataType::kFp32}).ok());
}

TEST(CudaApiTest, WithoutAGpuTheErrorSaysSo) {
  if (LoadCuda().ok()) GTEST_SKIP() << "this machine has a GPU";
  const auto context = Context::Create(0);
  EXPECT_TRUE(absl::IsUnavailable(context.status()));
  EXPECT_NE(Message(context.status()).find("no CUDA device"), std::string_view::npos);
}

}  // namespace
}  // namespace nereid::engine
