#include <filesystem>

#include "assembly/backend_tool.h"
#include "cuda_fixture.h"

namespace nereid {
namespace {

using testing::AddModel;
using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr int64_t kWidth = 64;

// The cuda backend's tool with a stand-in for a GPU, on which kernels take no time and do nothing.
class CudaToolTest : public testing::CudaTest {
 protected:
  struct Outcome {
    int status = -1;
    std::string out, err;
  };

  void SetUp() override {
    CudaTest::SetUp();
    if (IsSkipped()) return;
    WriteModel(AddModel(kWidth));
    model_file_ = version_path() + "/model.onnx";
  }
  Outcome Run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"tool", model_file_});
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    const auto status = RunBackendTool("cuda", NEREID_BACKEND_DIR, arguments);
    Outcome outcome;
    outcome.out = ::testing::internal::GetCapturedStdout();
    outcome.err = ::testing::internal::GetCapturedStderr();
    EXPECT_TRUE(status.ok()) << status.status();
    if (status.ok()) outcome.status = *status;
    ExpectNothingLeft();
    return outcome;
  }

  std::string model_file_;
};

TEST_F(CudaToolTest, ListsWhatRunsAndHowLongItTakes) {
  const Outcome run = Run({"--shapes", "X:1x64:8x64", "--profile", "--bench", "3"});
  EXPECT_EQ(run.status, 0) << run.err;
  EXPECT_THAT(run.out, AllOf(HasSubstr("device: "), HasSubstr("shapes: 1x64\n"),
                             HasSubstr("shapes: 8x64\n"), HasSubstr("0 steps on the host"),
                             ContainsRegex("memory: weights .* MB, arena .* MB, workspace .* MB"),
                             ContainsRegex(" us +pointwise .*add"), HasSubstr("in all steps"),
                             ContainsRegex("eager .* ms, .*graph .* ms")));
}

TEST_F(CudaToolTest, ExtentsThatDependOnDataAreListedAndVerified) {
  namespace onnx = engine::onnx;
  WriteModel(onnx::Model(onnx::WithNode(onnx::Node("NonZero", {"X"}, {"n"}, "", "", "nz")) +
                             onnx::WithNode(onnx::Node("Transpose", {"n"}, {"Y"}, "", "", "turn")) +
                             onnx::WithInput(onnx::Info("X", 1, {-1, kWidth})) +
                             onnx::WithOutput(onnx::Info("Y", 7, {-1, 2})),
                         17));
  const Outcome run = Run({"--shapes", "X:4x64", "--verify", "--profile", "--trace"});
  EXPECT_EQ(run.status, 0) << run.out << run.err;
  EXPECT_THAT(run.out,
              AllOf(HasSubstr("2 steps on the host"), HasSubstr("on the host: nz (NonZero)"),
                    HasSubstr("NonZero 'nz' makes a tensor whose extents depend on data: "
                              "2 nodes run on the host for it"),
                    HasSubstr("output Y ["), HasSubstr("from fp32: output Y [")));
  const Outcome strict = Run({"--shapes", "X:4x64", "--strict"});
  EXPECT_EQ(strict.status, 1);
  EXPECT_THAT(strict.err, HasSubstr("NonZero 'nz' makes a tensor whose extents depend on data"));
}

TEST_F(CudaToolTest, APlanItSavesIsFoundAgain) {
  const std::string plan = model_file_ + ".plan";
  const Outcome first = Run({"--save", plan});
  EXPECT_EQ(first.status, 0) << first.err;
  EXPECT_THAT(first.out, ContainsRegex("0 entries found, [1-9][0-9]* new"));
  EXPECT_THAT(Run({"--save", plan}).out, ContainsRegex("[1-9][0-9]* entries found, 0 new"));
  // The server reads it where it lies.
  const auto bytes = std::filesystem::file_size(plan);
  ASSERT_TRUE(LoadOne(ConfigText(kWidth)).ok());
  EXPECT_EQ(std::filesystem::file_size(plan), bytes);
  instance_.reset();
  model_.reset();
}

TEST_F(CudaToolTest, WrongResultsAreFoundAndTheirLayerNamed) {
  const Outcome run = Run({"--verify", "--trace"});
  EXPECT_EQ(run.status, 2) << "kernels that do nothing were taken for right";
  EXPECT_THAT(run.out,
              AllOf(ContainsRegex("output Y \\[1,64\\]: relative difference .* allowed is"),
                    HasSubstr("first layer that is off: Add 'add'")));
}

TEST_F(CudaToolTest, ComparesWithFp32Alone) {
  const Outcome run = Run({"--check-precision"});
  EXPECT_EQ(run.status, 0) << run.err;
  EXPECT_THAT(run.out,
              AllOf(HasSubstr("from fp32: output Y [1,64]"), Not(HasSubstr("reference:"))));
}

TEST_F(CudaToolTest, SaysWhatFails) {
  const Outcome no_device = Run({"--device", "9"});
  EXPECT_EQ(no_device.status, 1);
  EXPECT_THAT(no_device.err, HasSubstr("no CUDA device 9"));
  constexpr int kOutOfResources = 701;
  fake_.Fail("cuLaunchKernel", kOutOfResources);
  const Outcome broken = Run({});
  EXPECT_EQ(broken.status, 1);
  EXPECT_THAT(broken.err, HasSubstr("cuLaunchKernel"));
}

}  // namespace
}  // namespace nereid
