#include "common/file_system.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "support/temp_directory.h"

namespace nereid {
namespace {

class FileSystemTest : public ::testing::Test {
 protected:
  std::string Path(const std::string& name) const { return JoinPath(directory_.path(), name); }
  const testing::TempDirectory directory_;
  const FileSystem& files_ = FileSystem::Real();
};

TEST_F(FileSystemTest, WritesReadsAndReplaces) {
  ASSERT_TRUE(files_.WriteFile(Path("a"), "one").ok());
  ASSERT_TRUE(files_.WriteFile(Path("a"), "2").ok());
  EXPECT_EQ(*files_.ReadFile(Path("a"), 1), "2");
  EXPECT_EQ(files_.Stat(Path("a"))->byte_size, 1u);
  EXPECT_TRUE(files_.Stat(Path("a"))->is_regular);
}

TEST_F(FileSystemTest, RefusesToReadMoreThanAllowedAndWhatIsNoFile) {
  ASSERT_TRUE(files_.WriteFile(Path("a"), "four").ok());
  EXPECT_FALSE(files_.ReadFile(Path("a"), 3).ok());
  EXPECT_TRUE(files_.ReadFile(Path("a"), 4).ok());
  EXPECT_FALSE(files_.ReadFile(directory_.path(), 100).ok());
}

TEST_F(FileSystemTest, ListsSortedNames) {
  for (const char* name : {"b", "a", ".hidden"}) {
    ASSERT_TRUE(files_.WriteFile(Path(name), "").ok());
  }
  EXPECT_EQ(*files_.List(directory_.path()), (std::vector<std::string>{".hidden", "a", "b"}));
}

TEST_F(FileSystemTest, MissingPathsAreNotFound) {
  EXPECT_TRUE(absl::IsNotFound(files_.Stat(Path("x")).status()));
  EXPECT_TRUE(absl::IsNotFound(files_.List(Path("x")).status()));
  EXPECT_TRUE(absl::IsNotFound(files_.ReadFile(Path("x"), 1).status()));
  EXPECT_TRUE(absl::IsNotFound(files_.WriteFile(Path("x/y"), "")));
  EXPECT_TRUE(files_.RemoveAll(Path("x")).ok());
}

TEST_F(FileSystemTest, LinksAreFollowedButNotRemovedThrough) {
  ASSERT_TRUE(files_.CreateDirectories(Path("real/sub")).ok());
  ASSERT_TRUE(files_.CreateDirectories(Path("links")).ok());
  ASSERT_EQ(::symlink(Path("real").c_str(), Path("links/link").c_str()), 0);
  EXPECT_TRUE(files_.Stat(Path("links/link"))->is_directory);
  ASSERT_TRUE(files_.RemoveAll(Path("links")).ok());
  EXPECT_TRUE(files_.Stat(Path("real/sub")).ok());
}

TEST_F(FileSystemTest, TemporaryDirectoriesAreFreshAndPrivate) {
  const std::string first = *files_.CreateTemporaryDirectory(directory_.path());
  const std::string second = *files_.CreateTemporaryDirectory(directory_.path());
  EXPECT_NE(first, second);
  struct stat info;
  ASSERT_EQ(::stat(first.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
}

TEST(JoinPathTest, PutsOneSlashBetween) {
  EXPECT_EQ(JoinPath("a", "b"), "a/b");
  EXPECT_EQ(JoinPath("a//", "b"), "a/b");
  EXPECT_EQ(JoinPath("/", "b"), "/b");
}

}  // namespace
}  // namespace nereid
