#include <sys/stat.h>

#include <filesystem>
#include <set>

#include "cuda_fixture.h"

namespace nereid {
namespace {

namespace fs = std::filesystem;
using testing::AddModel;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

constexpr int64_t kWidth = 64;

// Plans of the cuda backend, on a stand-in for a GPU.
class CudaPlanTest : public testing::CudaTest {
 protected:
  void SetUp() override {
    CudaTest::SetUp();
    if (IsSkipped()) return;
    WriteModel(AddModel(kWidth));
    folder_ = StrCat(model_path(), "/../plans");
  }
  // Loads the model and runs it; lets go of it.
  absl::Status Cycle(const std::string& parameters = "") {
    absl::Status status = LoadOne(ConfigText(kWidth, parameters));
    if (status.ok()) status = Infer(*instance_, 1, kWidth);
    instance_.reset();
    model_.reset();
    return status;
  }
  std::vector<fs::path> Plans() const {
    std::vector<fs::path> plans;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder_, error)) plans.push_back(entry.path());
    return plans;
  }
  static ino_t InodeOf(const fs::path& path) {
    struct stat status {};
    EXPECT_EQ(stat(path.c_str(), &status), 0);
    return status.st_ino;
  }

  std::string folder_;
};

TEST_F(CudaPlanTest, NoneIsKeptUnlessAFolderIsNamed) {
  const auto files = [&] {
    std::set<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(model_path()))) {
      names.insert(entry.path().string());
    }
    return names;
  };
  const auto before = files();
  ASSERT_TRUE(Cycle().ok());
  EXPECT_TRUE(Plans().empty());
  EXPECT_EQ(files(), before) << "the repository has been written to";
}

TEST_F(CudaPlanTest, IsWrittenOnceAndFoundByLaterLoads) {
  UseSettings({{"plan-cache-directory", folder_}});
  ASSERT_TRUE(Cycle().ok());
  ASSERT_EQ(Plans().size(), 1u);
  const fs::path plan = Plans()[0];
  EXPECT_THAT(plan.filename().string(), MatchesRegex("[0-9a-f]+\\.plan"));
  EXPECT_GT(fs::file_size(plan), 100u);
  const ino_t inode = InodeOf(plan);
  ASSERT_TRUE(Cycle().ok());
  EXPECT_EQ(InodeOf(plan), inode) << "written again: something in it was not found";
}

TEST_F(CudaPlanTest, ADamagedOneIsMadeAgain) {
  UseSettings({{"plan-cache-directory", folder_}});
  ASSERT_TRUE(Cycle().ok());
  const fs::path plan = Plans().at(0);
  const auto size = fs::file_size(plan);
  fs::resize_file(plan, size / 2);
  ASSERT_TRUE(Cycle().ok());
  EXPECT_EQ(fs::file_size(plan), size);
}

TEST_F(CudaPlanTest, AnotherModelHasAnotherAndAModelMayDoWithout) {
  UseSettings({{"plan-cache-directory", folder_}});
  ASSERT_TRUE(Cycle(Parameter("plan_cache", "false")).ok());
  EXPECT_TRUE(Plans().empty());
  ASSERT_TRUE(Cycle().ok());
  WriteModel(AddModel(2 * kWidth));
  ASSERT_TRUE(LoadOne(ConfigText(2 * kWidth)).ok());
  EXPECT_EQ(Plans().size(), 2u);
}

TEST_F(CudaPlanTest, TheFolderKeepsToItsSize) {
  UseSettings({{"plan-cache-directory", folder_}, {"plan-cache-byte-size", "1"}});
  ASSERT_TRUE(Cycle().ok());
  WriteModel(AddModel(2 * kWidth));
  ASSERT_TRUE(LoadOne(ConfigText(2 * kWidth)).ok());
  EXPECT_EQ(Plans().size(), 1u);
}

TEST_F(CudaPlanTest, AFolderThatCannotBeMadeDoesNotFailALoad) {
  UseSettings({{"plan-cache-directory", "/proc/no/such/folder"}});
  EXPECT_TRUE(Cycle().ok());
}

TEST_F(CudaPlanTest, ACheckOfThePrecisionRunsTheModelInFp32BesidesAndLeavesNothing) {
  const auto launches = [&](const std::string& parameters) {
    const auto calls = [&] {
      return fake_.Calls("cuLaunchKernel") + fake_.Calls("cuLaunchKernelEx");
    };
    const int64_t before = calls();
    EXPECT_TRUE(Cycle(parameters).ok());
    ExpectNothingLeft();
    return calls() - before;
  };
  const std::string fp16 = Parameter("precision", "fp16"),
                    check = Parameter("check_precision", "1");
  const int64_t unchecked = launches(fp16);
  EXPECT_GT(launches(fp16 + check), unchecked);
  EXPECT_EQ(launches(check), launches("")) << "fp32 was compared with itself";
}

TEST_F(CudaPlanTest, ValuesThatMakeNoSenseAreRefused) {
  const struct {
    const char* name;
    const char* value;
  } kRows[] = {{"plan_cache", "maybe"},
               {"check_precision", "much"},
               {"check_precision", "-1"},
               {"check_precision", "nan"},
               {"check_precision", "0.1x"}};
  for (const auto& row : kRows) {
    const absl::Status status = Cycle(Parameter(row.name, row.value));
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << row.name << " " << row.value << status;
    EXPECT_THAT(std::string(Message(status)), HasSubstr(row.name));
  }
  UseSettings({{"plan-cache-byte-size", "lots"}});
  EXPECT_TRUE(absl::IsInvalidArgument(Cycle()));
}

}  // namespace
}  // namespace nereid
