#include "config/labels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config_test_util.h"

namespace nereid {
namespace {

using ::testing::ElementsAre;
using testing::TemporaryFolder;
using testing::Text;

TEST(SplitLabels, KeepsLinesAsTheyAre) {
  EXPECT_THAT(SplitLabels(""), ElementsAre());
  EXPECT_THAT(SplitLabels("a"), ElementsAre("a"));
  EXPECT_THAT(SplitLabels("a\nb\n"), ElementsAre("a", "b"));
  EXPECT_THAT(SplitLabels("a\n\nb"), ElementsAre("a", "", "b"));
  EXPECT_THAT(SplitLabels(" a \r\nb\n\n"), ElementsAre(" a \r", "b", ""));
  EXPECT_THAT(SplitLabels("\n"), ElementsAre(""));
}

TEST(ReadLabels, ReadsBelowTheModelFolder) {
  const TemporaryFolder folder;
  folder.Write("labels.txt", "cat\ndog\n");
  folder.Write("sub/more.txt", "x");
  EXPECT_THAT(*ReadLabels(folder.path(), "labels.txt", "o", "m"), ElementsAre("cat", "dog"));
  EXPECT_THAT(*ReadLabels(folder.path(), "sub/../sub/more.txt", "o", "m"), ElementsAre("x"));
  // A leading slash does not leave the folder.
  EXPECT_THAT(*ReadLabels(folder.path(), "/labels.txt", "o", "m"), ElementsAre("cat", "dog"));
}

TEST(ReadLabels, RefusesPathsThatLeaveTheModelFolder) {
  const TemporaryFolder folder;
  for (const char* path : {"..", "../x", "a/../../x", "/../x"}) {
    const auto labels = ReadLabels(folder.path(), path, "o", "m");
    EXPECT_EQ(labels.status().code(), absl::StatusCode::kUnimplemented) << path;
  }
  EXPECT_EQ(Text(ReadLabels("/r/m", "../x", "o", "m").status()),
            "label file path '/r/m/../x' for output 'o' in model 'm' is outside model directory");
}

TEST(ReadLabels, NamesAFileThatIsMissing) {
  EXPECT_EQ(Text(ReadLabels("/nonexistent", "x", "o", "m").status()),
            "failed to open text file for read /nonexistent/x: No such file or directory");
}

}  // namespace
}  // namespace nereid
