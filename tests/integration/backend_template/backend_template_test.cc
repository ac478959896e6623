// Builds examples/backend_template the way an author outside the tree does: against the installed
// headers and library, and nothing else of this build. Then serves a request with it.

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>

#include "backend/backend_registry.h"
#include "backend/guarded.h"
#include "common/strings.h"
#include "support/config_text.h"
#include "support/request_builder.h"

namespace nereid {
namespace {

namespace fs = std::filesystem;

// The build folder that NEREID_BACKEND_DIR is in.
fs::path BuildFolder() { return fs::path(NEREID_BACKEND_DIR).parent_path(); }

std::string ReadAll(const fs::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

class BackendTemplate : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "backend_template_XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root_ = name;
  }
  void TearDown() override { fs::remove_all(root_); }

  void Run(const std::string& command) {
    const fs::path log = root_ / "log";
    const int status = std::system(StrCat(command, " >", log.string(), " 2>&1").c_str());
    ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << command << "\n" << ReadAll(log);
  }

  void InstallAndBuild() {
    const std::string prefix = (root_ / "prefix").string(), build = (root_ / "build").string();
    ASSERT_NO_FATAL_FAILURE(Run(StrCat("cmake --install ", BuildFolder().string(), " --prefix ",
                                       prefix, " --component nereid_sdk")));
    ASSERT_NO_FATAL_FAILURE(
        Run(StrCat("cmake -S ", NEREID_SOURCE_DIR, "/examples/backend_template -B ", build,
                   " -DCMAKE_PREFIX_PATH=", prefix)));
    ASSERT_NO_FATAL_FAILURE(Run(StrCat("cmake --build ", build)));
    ASSERT_NO_FATAL_FAILURE(Run(StrCat("cmake --install ", build)));
  }

  fs::path root_;
};

TEST_F(BackendTemplate, BuildsAgainstTheInstalledHeadersAndServes) {
  ASSERT_NO_FATAL_FAILURE(InstallAndBuild());
  fs::path module;
  for (const auto& entry : fs::recursive_directory_iterator(root_ / "prefix")) {
    if (entry.path().filename() == "libnereid_scale.so") module = entry.path();
  }
  ASSERT_FALSE(module.empty()) << "the module is not installed";

  BackendRegistry::Options options;
  options.backend_directory = module.parent_path().parent_path().string();
  BackendRegistry registry(options);
  auto backend = registry.Get({"m", "scale", "", "/nonexistent/m", "/nonexistent/m/1"});
  ASSERT_TRUE(backend.ok()) << backend.status();

  ModelContext context;
  context.config = testing::ConfigFromText(
      ReadAll(fs::path(NEREID_SOURCE_DIR) / "examples/backend_template/config.pbtxt"));
  auto model = GuardedLoadModel(*backend, context);
  ASSERT_TRUE(model.ok()) << model.status();
  auto instance = GuardedCreateInstance(**model, {});
  ASSERT_TRUE(instance.ok()) << instance.status();

  testing::RequestBuilder builder(context.config);
  builder.Input("X", DataType::kFp32, {1, 3},
                testing::PayloadOf(testing::BytesOf<float>({1, -2, 4}), 5));
  auto record = builder.record();
  Batch batch;
  batch.Add(builder.Build());
  ASSERT_TRUE(GuardedExecute(**instance, batch).ok());
  ASSERT_TRUE(record->status().ok()) << record->status();
  EXPECT_EQ(testing::ValuesOf<float>(record->responses()[0].outputs[0].data),
            (std::vector<float>{2.5, -5, 10}));
}

}  // namespace
}  // namespace nereid
