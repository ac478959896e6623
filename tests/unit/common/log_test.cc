#include "common/log.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

#include "support/temp_directory.h"

namespace nereid {
namespace {

class LogTest : public ::testing::Test {
 protected:
  ~LogTest() override { EXPECT_TRUE(ConfigureLog(LogOptions{}).ok()); }

  void Configure(LogOptions options) {
    options.file = path_;
    ASSERT_TRUE(ConfigureLog(options).ok());
  }
  std::string Text() const {
    std::ostringstream text;
    text << std::ifstream(path_).rdbuf();
    return text.str();
  }

  // A folder of its own: the cases of this file run at the same time in several processes.
  const testing::TempDirectory directory_;
  const std::string path_ = directory_.path() + "/log.txt";
};

TEST_F(LogTest, DefaultFormatHasLetterDateTimeProcessAndPlace) {
  Configure({});
  NLOG(Info) << "hello " << 7;
  EXPECT_TRUE(std::regex_match(
      Text(), std::regex("I\\d{4} \\d\\d:\\d\\d:\\d\\d\\.\\d{6} \\d+ log_test\\.cc:\\d+\\] "
                         "\"hello 7\"\n")))
      << Text();
}

TEST_F(LogTest, Iso8601Format) {
  LogOptions options;
  options.format = LogFormat::kIso8601;
  Configure(options);
  NLOG(Error) << "bad";
  EXPECT_TRUE(std::regex_match(
      Text(), std::regex("\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ E \\d+ log_test\\.cc:\\d+\\] "
                         "\"bad\"\n")))
      << Text();
}

TEST_F(LogTest, LevelsCanBeTurnedOff) {
  LogOptions options;
  options.info = false;
  options.verbose_level = 1;
  Configure(options);
  NLOG(Info) << "info";
  NLOG(Warning) << "warning";
  NVLOG(1) << "verbose one";
  NVLOG(2) << "verbose two";
  EXPECT_EQ(Text().find("info"), std::string::npos);
  EXPECT_NE(Text().find("W"), std::string::npos);
  EXPECT_NE(Text().find("verbose one"), std::string::npos);
  EXPECT_EQ(Text().find("verbose two"), std::string::npos);
}

TEST_F(LogTest, ALineBreakInAMessageCannotForgeALine) {
  Configure({});
  NLOG(Info) << "a\nE0101 forged";
  const std::string text = Text();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
}

TEST_F(LogTest, RawTextHasNoPrefix) {
  Configure({});
  LogRaw(LogLevel::kInfo, "+--+\n");
  NLOG(Info) << "after";
  EXPECT_EQ(Text().rfind("+--+\nI", 0), 0u) << Text();
}

TEST(LogFileTest, AFileThatCannotBeOpenedIsAnErrorAndChangesNothing) {
  LogOptions options;
  options.file = "/nonexistent-folder/x/log.txt";
  // The folder cannot be made either: its parent is a file.
  options.file = "/dev/null/log.txt";
  EXPECT_FALSE(ConfigureLog(options).ok());
  EXPECT_TRUE(CurrentLogOptions().file.empty());
}

TEST(LogFileTest, AFullDiskLosesLinesNotTheProcess) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "no /dev/full";
  LogOptions options;
  options.file = "/dev/full";
  ASSERT_TRUE(ConfigureLog(options).ok());
  for (int i = 0; i < 1000; ++i) NLOG(Error) << "lost " << i;
  ASSERT_TRUE(ConfigureLog(LogOptions{}).ok());
}

}  // namespace
}  // namespace nereid
