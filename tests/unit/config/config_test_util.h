#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>

#include "config/config_parser.h"
#include "config/normalize.h"
#include "proto/model_config.pb.h"

namespace nereid::testing {

// The configuration that `text` says. A test with a text that does not parse fails.
inline inference::ModelConfig Parse(std::string_view text) {
  auto config = ParseConfigText(text, "test.pbtxt");
  EXPECT_TRUE(config.ok()) << config.status() << "\n" << text;
  return config.ok() ? *std::move(config) : inference::ModelConfig();
}

inline inference::ModelConfig ParseNormalized(std::string_view text) {
  inference::ModelConfig config = Parse(text);
  NormalizeConfig(&config);
  return config;
}

inline std::string Text(const absl::Status& status) { return std::string(status.message()); }

// A folder that goes with the test.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string path = (std::filesystem::temp_directory_path() / "config_test_XXXXXX").string();
    EXPECT_NE(::mkdtemp(path.data()), nullptr);
    path_ = path;
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::string path() const { return path_.string(); }
  std::string Write(const std::string& relative, std::string_view content) const {
    const auto file = path_ / relative;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << content;
    return file.string();
  }
  void MakeFolder(const std::string& relative) const {
    std::filesystem::create_directories(path_ / relative);
  }

 private:
  std::filesystem::path path_;
};

}  // namespace nereid::testing
