#include "backend/find_library.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "common/strings.h"

namespace nereid {
namespace {

namespace fs = std::filesystem;

// A repository folder and a backend folder; files in them are made by name.
class FindLibrary : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "find_library_XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root_ = fs::canonical(name);
    fs::create_directories(root_ / "models/m/1");
    fs::create_directories(root_ / "backends/engine");
  }
  void TearDown() override { fs::remove_all(root_); }

  void Touch(const std::string& relative) { std::ofstream(root_ / relative) << "x"; }

  absl::StatusOr<std::string> Find(const std::string& backend, const std::string& runtime = "") {
    const std::string model = (root_ / "models/m").string();
    return FindBackendLibrary({"m", backend, runtime, model, model + "/1"},
                              (root_ / "backends").string());
  }
  // Where the library was found, below the root; or the message.
  std::string Found(const std::string& backend, const std::string& runtime = "") {
    auto path = Find(backend, runtime);
    if (!path.ok()) return std::string(Message(path.status()));
    return fs::path(*path).lexically_relative(root_).string();
  }

  fs::path root_;
};

TEST_F(FindLibrary, PrefersTheVersionFolderThenTheModelFolderThenTheBackendDirectory) {
  Touch("backends/engine/libnereid_engine.so");
  EXPECT_EQ(Found("engine"), "backends/engine/libnereid_engine.so");
  Touch("models/m/libnereid_engine.so");
  EXPECT_EQ(Found("engine"), "models/m/libnereid_engine.so");
  Touch("models/m/1/libnereid_engine.so");
  EXPECT_EQ(Found("engine"), "models/m/1/libnereid_engine.so");
}

TEST_F(FindLibrary, TakesTheNameFromRuntime) {
  Touch("backends/engine/libnereid_engine.so");
  Touch("backends/engine/engine_v2.so");
  EXPECT_EQ(Found("engine", "engine_v2.so"), "backends/engine/engine_v2.so");
}

TEST_F(FindLibrary, SaysThatThereIsNone) {
  EXPECT_EQ(Found("engine"),
            "unable to find backend library for backend 'engine', try specifying runtime on the "
            "model configuration.");
}

TEST_F(FindLibrary, SaysHowAModelMovesToABackendThatThereIs) {
  const std::string message = Found("tensorrt");
  EXPECT_NE(message.find("TensorRT plan"), std::string::npos) << message;
  EXPECT_NE(message.find("'model.onnx'"), std::string::npos) << message;
  EXPECT_NE(message.find("backend: \"cuda\""), std::string::npos) << message;
}

TEST_F(FindLibrary, SaysWhereItLookedForARuntime) {
  const std::string root = root_.string();
  EXPECT_EQ(Found("engine", "other.so"),
            StrCat("unable to find backend library 'other.so' for model 'm', searched: '", root,
                   "/models/m/1' '", root, "/models/m' '", root, "/backends/engine' "));
}

TEST_F(FindLibrary, RefusesNamesThatLeadOutOfTheFolder) {
  Touch("models/evil.so");
  for (const std::string runtime : {"../../evil.so", "/etc/evil.so", "a/../../evil.so"}) {
    EXPECT_EQ(Found("engine", runtime),
              StrCat("backend library name '", runtime, "' escapes backend directory '",
                     (root_ / "models/m/1").string(),
                     "', for model 'm', check model config runtime field"));
  }
}

TEST_F(FindLibrary, RefusesABackendThatLeadsOutOfTheBackendDirectory) {
  fs::create_directories(root_ / "elsewhere");
  EXPECT_EQ(Find("../elsewhere", "x.so").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(Found("../elsewhere", "x.so").find("escapes backend directory"), std::string::npos);
}

TEST_F(FindLibrary, FollowsSymbolicLinksThatAreInTheFolder) {
  Touch("elsewhere.so");
  fs::create_symlink(root_ / "elsewhere.so", root_ / "backends/engine/libnereid_engine.so");
  EXPECT_EQ(Found("engine"), "elsewhere.so");
}

TEST_F(FindLibrary, NeedsABackend) { EXPECT_EQ(Found(""), "must specify 'backend' for 'm'"); }

}  // namespace
}  // namespace nereid
