#include "repository/version_folders.h"

#include <gtest/gtest.h>

#include "support/fake_file_system.h"

namespace nereid {
namespace {

TEST(VersionFoldersTest, OnlyWholeNumbersWithoutLeadingZerosAreVersions) {
  EXPECT_EQ(ParseVersionFolder("0"), 0);
  EXPECT_EQ(ParseVersionFolder("7"), 7);
  EXPECT_EQ(ParseVersionFolder("9223372036854775807"), INT64_MAX);
  for (const char* name : {"", "00", "01", "-1", "+1", "1a", "a1", "1.0", " 1", "1 ",
                           "9223372036854775808", "99999999999999999999999"}) {
    EXPECT_EQ(ParseVersionFolder(name), std::nullopt) << name;
  }
}

TEST(VersionFoldersTest, ListsVersionsInNumericOrderAndIgnoresFilesAndOtherFolders) {
  testing::FakeFileSystem files;
  for (const char* name : {"10", "2", "1", "03", "3_old", "warmup", "configs", "initial_state"}) {
    files.AddDirectory(std::string("/m/") + name);
  }
  files.AddFile("/m/4");
  files.AddFile("/m/config.pbtxt");
  EXPECT_EQ(*ListVersionFolders(files, "/m"), (std::vector<int64_t>{1, 2, 10}));
}

TEST(VersionFoldersTest, MissingFolderIsAnError) {
  const testing::FakeFileSystem files;
  EXPECT_FALSE(ListVersionFolders(files, "/m").ok());
}

}  // namespace
}  // namespace nereid
