#include <chrono>
#include <string>

#include "unit/backends/cuda_fixture.h"

namespace nereid::testing {
namespace {

constexpr int64_t kWidth = 16;

// Y = X, by way of three kernels, an operator that runs on the host, and three more kernels.
std::string PartedModel() {
  using namespace engine::onnx;  // NOLINT(google-build-using-namespace): a little language
  const std::vector<int64_t> ones(static_cast<size_t>(kWidth), 1);
  return engine::onnx::Model(
      WithNode(Node("Softmax", {"X"}, {"a"})) + WithNode(Node("LogSoftmax", {"a"}, {"b"})) +
          WithNode(Node("Softmax", {"b"}, {"c"})) +
          WithNode(Node("ReverseSequence", {"c", "lengths"}, {"d"},
                        Attribute("time_axis", int64_t{0}) + Attribute("batch_axis", int64_t{1}))) +
          WithNode(Node("Softmax", {"d"}, {"e"})) + WithNode(Node("LogSoftmax", {"e"}, {"f"})) +
          WithNode(Node("Softmax", {"f"}, {"Y"})) + WithConstant(Int64Tensor("lengths", ones)) +
          WithInput(Info("X", 1, {-1, kWidth})) + WithOutput(Info("Y", 1, {-1, kWidth})),
      17);
}

using CudaGraphsTest = CudaTest;

TEST_F(CudaGraphsTest, StepsOnTheHostPartAProgramIntoGraphs) {
  WriteModel(PartedModel());
  ASSERT_TRUE(LoadOne(ConfigText(kWidth, Parameter("warmup_batches", "none"))).ok());
  const int64_t before = fake_.state().graphs;
  for (int run = 0; run < 2; ++run) ASSERT_TRUE(Infer(*instance_, 4, kWidth).ok());
  EXPECT_EQ(fake_.state().graphs - before, 2);
  const int64_t launches = fake_.Calls("cuLaunchKernel"), replays = fake_.Calls("cuGraphLaunch");
  ASSERT_TRUE(Infer(*instance_, 4, kWidth).ok());
  EXPECT_EQ(fake_.Calls("cuLaunchKernel"), launches);
  EXPECT_EQ(fake_.Calls("cuGraphLaunch") - replays, 2);
}

// Of batches 1 and 8 the graphs are there after loading. A batch of 3 does not wait for a program
// of its own: that of 8 serves it until there is one, which runs step by step first.
TEST_F(CudaGraphsTest, ALargerProgramServesWhileOneIsMade) {
  WriteModel(PartedModel());
  ASSERT_TRUE(LoadOne(ConfigText(kWidth)).ok());
  const int64_t launches = fake_.Calls("cuLaunchKernel");
  ASSERT_TRUE(Infer(*instance_, 3, kWidth).ok());
  EXPECT_EQ(fake_.Calls("cuLaunchKernel"), launches) << "a program was made before the answer";
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (fake_.Calls("cuLaunchKernel") == launches) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "no program was made for batches of 3";
    ASSERT_TRUE(Infer(*instance_, 3, kWidth).ok());
  }
}

TEST_F(CudaGraphsTest, ABatchWaitsForItsProgramWhereThatIsAskedFor) {
  WriteModel(PartedModel());
  ASSERT_TRUE(LoadOne(ConfigText(kWidth, WaitForPrograms())).ok());
  const int64_t launches = fake_.Calls("cuLaunchKernel");
  ASSERT_TRUE(Infer(*instance_, 3, kWidth).ok());
  EXPECT_GT(fake_.Calls("cuLaunchKernel"), launches);
}

TEST_F(CudaGraphsTest, GraphsOfProgramsUnusedLongestGoFirst) {
  WriteModel(PartedModel());
  // Of three kernels each: room for those of one program and a half.
  ASSERT_TRUE(LoadOne(ConfigText(kWidth, Parameter("warmup_batches", "none") +
                                             Parameter("max_graph_memory_bytes", "36864")))
                  .ok());
  const int64_t before = fake_.state().graphs;
  for (const int64_t rows : {1, 2}) {
    for (int run = 0; run < 2; ++run) ASSERT_TRUE(Infer(*instance_, rows, kWidth).ok());
  }
  EXPECT_EQ(fake_.state().graphs - before, 2);
  const int64_t launches = fake_.Calls("cuLaunchKernel");
  ASSERT_TRUE(Infer(*instance_, 2, kWidth).ok());
  EXPECT_EQ(fake_.Calls("cuLaunchKernel"), launches) << "the program used last has lost its graphs";
}

TEST_F(CudaGraphsTest, AProgramWhoseGraphsDoNotFitRunsWithout) {
  WriteModel(PartedModel());
  ASSERT_TRUE(LoadOne(ConfigText(kWidth, Parameter("warmup_batches", "none") +
                                             Parameter("max_graph_memory_bytes", "100")))
                  .ok());
  const int64_t before = fake_.state().graphs, replays = fake_.Calls("cuGraphLaunch");
  for (int run = 0; run < 4; ++run) ASSERT_TRUE(Infer(*instance_, 4, kWidth).ok());
  EXPECT_EQ(fake_.state().graphs, before);
  EXPECT_EQ(fake_.Calls("cuGraphLaunch"), replays);
}

}  // namespace
}  // namespace nereid::testing
