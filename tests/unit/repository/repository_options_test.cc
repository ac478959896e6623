#include "repository/repository_options.h"

#include <gtest/gtest.h>

#include "support/temp_directory.h"

namespace nereid {
namespace {

TEST(RepositoryOptionsTest, DuplicatePathsCollapse) {
  const testing::TempDirectory a, b;
  RepositoryOptions options;
  options.paths = {b.path(), a.path() + "/", a.path(), a.path() + "//"};
  EXPECT_EQ(OpenSources(options)->size(), 2u);
}

TEST(RepositoryOptionsTest, NoPathIsRefused) {
  const auto sources = OpenSources({});
  EXPECT_TRUE(absl::IsInvalidArgument(sources.status()));
  EXPECT_EQ(sources.status().message(), "--model-repository must be specified");
}

TEST(RepositoryOptionsTest, WildcardMustBeAlone) {
  const testing::TempDirectory directory;
  RepositoryOptions options;
  options.paths = {directory.path()};
  options.startup_models = {"*"};
  EXPECT_TRUE(OpenSources(options).ok());
  options.startup_models = {"a", "*"};
  EXPECT_EQ(OpenSources(options).status().message(),
            "Wildcard model name '*' must be the ONLY startup model if specified at all.");
}

TEST(RepositoryOptionsTest, RemotePathsAreRefusedByName) {
  RepositoryOptions options;
  for (const char* path : {"s3://bucket/x", "gs://bucket/x", "as://account/x"}) {
    options.paths = {path};
    const absl::Status status = OpenSources(options).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
    EXPECT_NE(status.ToString().find(std::string(path, 5) + " file-system not supported"),
              std::string::npos)
        << status;
  }
}

TEST(RepositoryOptionsTest, NamesThatAreNoNamesAreRefused) {
  for (const char* name : {"", " ", "   "}) {
    EXPECT_EQ(CheckModelName(name).message(),
              "Model name cannot be empty. Please enter a valid name to deploy.");
  }
  for (const char* name : {"..", "a/b", "/abs", "a..b", "../x"}) {
    EXPECT_EQ(CheckModelName(name).message(),
              std::string("invalid model name '") + name +
                  "', model name must not contain path traversal characters");
  }
  EXPECT_TRUE(CheckModelName("a.b-c_1 x").ok());
}

}  // namespace
}  // namespace nereid
