#include "repository/local_source.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "support/fake_file_system.h"
#include "support/temp_directory.h"

namespace nereid {
namespace {

class LocalSourceTest : public ::testing::Test {
 protected:
  LocalSourceTest() {
    files_.AddFile("/repo/ocr/config.pbtxt", 10);
    files_.AddFile("/repo/ocr/labels.txt", 10);
    files_.AddFile("/repo/ocr/1/model.onnx", 10);
    files_.AddFile("/repo/ocr/2/model/graph.onnx", 10);
    files_.AddFile("/repo/ocr/configs/fast.pbtxt", 10);
    source_ = *LocalSource::Create("/repo", files_);
  }
  ChangeToken Token(const std::string& config_name = "") {
    return *source_->Token("ocr", config_name);
  }

  testing::FakeFileSystem files_;
  std::unique_ptr<LocalSource> source_;
};

TEST_F(LocalSourceTest, SubfoldersAreModelsAndFilesAreNot) {
  files_.AddDirectory("/repo/asr");
  files_.AddFile("/repo/README.md");
  files_.AddDirectory("/repo/.git");
  files_.AddDirectory("/repo/lost+found");
  EXPECT_EQ(*source_->ListModels(), (std::vector<std::string>{"asr", "ocr"}));
  EXPECT_TRUE(*source_->HasModel("ocr"));
  EXPECT_FALSE(*source_->HasModel("README.md"));
  EXPECT_FALSE(*source_->HasModel(".git"));
  EXPECT_FALSE(*source_->HasModel("none"));
}

TEST_F(LocalSourceTest, AnEntryThatLeadsNowhereIsLeftOut) {
  files_.AddDangling("/repo/gone");
  EXPECT_EQ(*source_->ListModels(), (std::vector<std::string>{"ocr"}));
}

TEST_F(LocalSourceTest, PathThatIsNoFolderIsRefused) {
  files_.AddFile("/file");
  for (const char* path : {"/file", "/none"}) {
    const auto source = LocalSource::Create(path, files_);
    EXPECT_TRUE(absl::IsInvalidArgument(source.status()));
    EXPECT_NE(source.status().ToString().find("repository path is not a valid directory"),
              std::string::npos);
  }
}

TEST_F(LocalSourceTest, UnreadableFolderIsRefusedAndLaterIsAnErrorNotAnEmptyOne) {
  files_.AddDirectory("/locked");
  files_.Forbid("/locked");
  EXPECT_TRUE(absl::IsInvalidArgument(LocalSource::Create("/locked", files_).status()));
  files_.Forbid("/repo");
  EXPECT_FALSE(source_->ListModels().ok());
}

TEST_F(LocalSourceTest, AMissingRepositoryIsNotAMissingModel) {
  files_.Remove("/repo", 20);
  EXPECT_FALSE(source_->HasModel("ocr").ok());
}

TEST_F(LocalSourceTest, MaterialisesInPlace) {
  const ModelFolder folder = *source_->Materialise("ocr");
  EXPECT_EQ(folder.path, "/repo/ocr");
  EXPECT_EQ(folder.versions, (std::vector<int64_t>{1, 2}));
}

TEST_F(LocalSourceTest, AnUntouchedModelHasTheSameToken) { EXPECT_EQ(Token(), Token()); }

TEST_F(LocalSourceTest, AnEditedConfigurationChangesOnlyItsPart) {
  ChangeToken before = Token();
  files_.Touch("/repo/ocr/config.pbtxt", 20);
  const ChangeToken after = Token();
  EXPECT_NE(before, after);
  before.config = after.config;
  EXPECT_EQ(before, after);
}

TEST_F(LocalSourceTest, AChangeDeepInsideAVersionChangesOnlyThatVersion) {
  ChangeToken before = Token();
  files_.Touch("/repo/ocr/2/model/graph.onnx", 20);
  const ChangeToken after = Token();
  EXPECT_NE(before.versions[2], after.versions.at(2));
  EXPECT_EQ(before.versions[1], after.versions.at(1));
  before.versions[2] = after.versions.at(2);
  EXPECT_EQ(before, after);
}

TEST_F(LocalSourceTest, EditedLabelsChangeTheSharedPart) {
  ChangeToken before = Token();
  files_.Touch("/repo/ocr/labels.txt", 20);
  const ChangeToken after = Token();
  EXPECT_NE(before.shared, after.shared);
  before.shared = after.shared;
  EXPECT_EQ(before, after);
}

TEST_F(LocalSourceTest, AFileReplacedByAnOlderOneIsAChange) {
  const ChangeToken before = Token();
  files_.Touch("/repo/ocr/1/model.onnx", 5);
  files_.Touch("/repo/ocr/1", 5);
  EXPECT_NE(before, Token());
}

TEST_F(LocalSourceTest, ARemovedVersionIsAChange) {
  const ChangeToken before = Token();
  files_.Remove("/repo/ocr/1", 20);
  const ChangeToken after = Token();
  EXPECT_NE(before, after);
  EXPECT_FALSE(after.versions.contains(1));
}

TEST_F(LocalSourceTest, TheChosenAlternativeIsTheConfiguration) {
  const ChangeToken before = Token("fast");
  files_.Touch("/repo/ocr/configs/fast.pbtxt", 20);
  const ChangeToken after = Token("fast");
  EXPECT_NE(before.config, after.config);
  EXPECT_EQ(before.shared, after.shared);
}

TEST_F(LocalSourceTest, WithoutTheAlternativeTheOrdinaryFileIsTheConfiguration) {
  const ChangeToken before = Token("slow");
  files_.Touch("/repo/ocr/config.pbtxt", 20);
  EXPECT_NE(before.config, Token("slow").config);
}

TEST(LocalSourceOnDiskTest, NoticesANewVersionOnARealDisk) {
  const testing::TempDirectory directory;
  directory.Write("m/1/model.onnx", "x");
  const auto source = *LocalSource::Create(directory.path(), FileSystem::Real());
  const ChangeToken before = *source->Token("m", "");
  directory.Write("m/2/model.onnx", "x");
  EXPECT_NE(before, *source->Token("m", ""));
  EXPECT_EQ(*source->ListVersions("m"), (std::vector<int64_t>{1, 2}));
}

}  // namespace
}  // namespace nereid
