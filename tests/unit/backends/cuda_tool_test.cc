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
                    HasSubstr("NonZero 'nz' makes a tensor whose extents depend on data; "
                              "nodes that run on the host: 2"),
                    HasSubstr("output Y ["), HasSubstr("from fp32: output Y [")));
  const Outcome strict = Run({"--shapes", "X:4x64", "--strict"});
  EXPECT_EQ(strict.status, 1);
  EXPECT_THAT(strict.err, HasSubstr("NonZero 'nz' makes a tensor whose extents depend on data"));
}

TEST_F(CudaToolTest, DataThatMakesNoSenseKeepsNoPlanFromBeingSaved) {
  namespace onnx = engine::onnx;
  WriteModel(
      onnx::Model(onnx::WithNode(onnx::Node("NonZero", {"X"}, {"n"}, "", "", "nz")) +
                      onnx::WithNode(onnx::Node("Reshape", {"n", "one"}, {"Y"}, "", "", "r")) +
                      onnx::WithConstant(onnx::Int64Tensor("one", {1})) +
                      onnx::WithInput(onnx::Info("X", 1, {-1, kWidth})) +
                      onnx::WithOutput(onnx::Info("Y", 7, {1})),
                  17));
  const std::string plan = model_file_ + ".plan";
  const Outcome save = Run({"--save", plan});
  EXPECT_EQ(save.status, 0) << save.err;
  EXPECT_THAT(save.out, HasSubstr("random inputs are refused: Reshape 'r'"));
  EXPECT_TRUE(std::filesystem::exists(plan));
  const Outcome bench = Run({"--bench", "3"});
  EXPECT_EQ(bench.status, 1);
  EXPECT_THAT(bench.err, HasSubstr("Reshape 'r'"));
}

TEST_F(CudaToolTest, APlanItSavesIsFoundAgain) {
  const std::string plan = model_file_ + ".plan";
  const Outcome first = Run({"--save", plan});
  EXPECT_EQ(first.status, 0) << first.err;
  EXPECT_THAT(first.out, ContainsRegex("entries found, [1-9][0-9]* new"));
  EXPECT_THAT(Run({"--save", plan}).out, ContainsRegex("[1-9][0-9]* entries found, 0 new"));
  // The server reads it where it lies.
  const auto bytes = std::filesystem::file_size(plan);
  ASSERT_TRUE(LoadOne(ConfigText(kWidth)).ok());
  EXPECT_EQ(std::filesystem::file_size(plan), bytes);
  instance_.reset();
  model_.reset();
}

TEST_F(CudaToolTest, ComparesTheMemoryThatItEstimatesWithWhatIsUsed) {
  const auto line = [](const char* load, const char* source, const char* difference) {
    return ContainsRegex(StrCat("memory, ", load, " load: estimate [0-9.]+ MB \\(", source,
                                "\\), used [0-9.]+ MB, difference ", difference, " %"));
  };
  constexpr char kAny[] = "[-+][0-9.]+", kNone[] = "[-+]0.0";
  const std::vector<std::string> arguments = {"--shapes", "X:8x64:1x64", "--memory"};
  const Outcome first = Run(arguments);
  EXPECT_EQ(first.status, 0) << first.err;
  EXPECT_THAT(first.out, AllOf(line("first", "guessed", kAny), line("second", "measured", kNone)));
  EXPECT_THAT(first.out, HasSubstr("the GPU's free memory fell by "));
  EXPECT_THAT(Run(arguments).out, line("first", "measured", kNone));
  // Other shapes have not been measured.
  EXPECT_THAT(Run({"--shapes", "X:8x64:4x64", "--memory"}).out, line("first", "guessed", kAny));
}

TEST_F(CudaToolTest, APlanItSavesSaysWhatMemoryIsUsed) {
  const std::string plan = model_file_ + ".plan";
  EXPECT_EQ(Run({"--save", plan, "--shapes", "X:8x64:4x64:2x64:1x64"}).status, 0);
  // The process does not know a file of that age.
  std::filesystem::last_write_time(
      model_file_, std::filesystem::last_write_time(model_file_) + std::chrono::seconds(10));
  auto config = testing::NormalizedConfig(
      ConfigText(kWidth, "instance_group { kind: KIND_GPU count: 1 gpus: [ 0 ] } ") +
      Parameter("precision", "fp16"));
  auto backend = GetBackend("cuda");
  ASSERT_TRUE(config.ok() && backend.ok());
  const auto estimate = GuardedEstimateMemory(**backend, Context(*config, InstanceKind::kGpu));
  ASSERT_TRUE(estimate.ok() && !estimate->items.empty());
  const std::string config_text =
      ConfigText(kWidth, Parameter("precision", "fp16") + WaitForPrograms());
  ASSERT_TRUE(LoadOne(config_text).ok());
  for (const int64_t rows : {8, 4, 4, 2, 2, 1}) ASSERT_TRUE(Infer(*instance_, rows, kWidth).ok());
  const auto used = static_cast<double>(UsedOn(0));
  EXPECT_NEAR(static_cast<double>(estimate->items[0].byte_size), used, 0.03 * used);
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
