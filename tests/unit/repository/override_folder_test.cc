#include "repository/override_folder.h"

#include <gtest/gtest.h>

#include <string>

#include "support/temp_directory.h"

namespace nereid {
namespace {

TEST(OverrideFolderTest, PathsInsideTheModelAreAccepted) {
  for (const char* path : {"1/model.onnx", "labels.txt", "1/a/b/c", "1/../2/model.onnx", "./x"}) {
    EXPECT_TRUE(CheckOverridePath(path).ok()) << path;
  }
}

TEST(OverrideFolderTest, PathsThatLeaveTheModelOrNameNoFileAreRefused) {
  for (const char* path : {"../x", "1/../../x", "/etc/passwd", "..", ".", "", "1/", "a/../..",
                           "1/../../../../root/.ssh/authorized_keys"}) {
    const absl::Status status = CheckOverridePath(path);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << path;
  }
  EXPECT_TRUE(absl::IsInvalidArgument(CheckOverridePath(std::string("1/m\0x", 5))));
  EXPECT_EQ(CheckOverridePath("1/../../x").message(),
            "Invalid file parameter 'file:1/../../x' with normalized path '../x' must stay within "
            "model directory.");
}

TEST(OverrideFolderTest, FilesAreWrittenAndGoWithTheLifetime) {
  const testing::TempDirectory parent;
  ModelFolder folder = *WriteOverrideFolder(FileSystem::Real(), parent.path(),
                                            {{"1/model.onnx", "weights"}, {"3/sub/a", ""}});
  EXPECT_EQ(folder.versions, (std::vector<int64_t>{1, 3}));
  EXPECT_EQ(*FileSystem::Real().ReadFile(folder.path + "/1/model.onnx", 100), "weights");
  EXPECT_EQ(FileSystem::Real().List(parent.path())->size(), 1u);
  folder.lifetime.reset();
  EXPECT_TRUE(FileSystem::Real().List(parent.path())->empty());
}

TEST(OverrideFolderTest, NothingIsWrittenWhenOnePathIsRefused) {
  const testing::TempDirectory parent;
  EXPECT_FALSE(
      WriteOverrideFolder(FileSystem::Real(), parent.path(), {{"1/a", "x"}, {"../b", "x"}}).ok());
  EXPECT_TRUE(FileSystem::Real().List(parent.path())->empty());
}

TEST(OverrideFolderTest, AFileWhereAFolderIsNeededIsAnErrorAndLeavesNothing) {
  const testing::TempDirectory parent;
  EXPECT_FALSE(
      WriteOverrideFolder(FileSystem::Real(), parent.path(), {{"1", "x"}, {"1/a", "x"}}).ok());
  EXPECT_TRUE(FileSystem::Real().List(parent.path())->empty());
}

}  // namespace
}  // namespace nereid
