#include "config/backend_derivation.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "config_test_util.h"

namespace nereid {
namespace {

using testing::Parse;
using testing::TemporaryFolder;
using testing::Text;

struct Row {
  std::string text;
  VersionEntries entries;
  std::string backend, platform, file;
};

// One row a case: what is written and there, and what comes out.
const Row kRows[] = {
    // Recognised by platform.
    {R"(platform: "onnxruntime_onnx")", {}, "onnxruntime", "onnxruntime_onnx", "model.onnx"},
    {R"(platform: "tensorrt_plan")", {}, "tensorrt", "tensorrt_plan", "model.plan"},
    {R"(platform: "pytorch_libtorch")", {}, "pytorch", "pytorch_libtorch", ""},
    {R"(platform: "libtorch")", {}, "pytorch", "pytorch_libtorch", ""},
    {R"(platform: "torch_aoti")", {}, "pytorch", "torch_aoti", "model.pt2"},
    {R"(platform: "tensorflow_savedmodel")",
     {},
     "tensorflow",
     "tensorflow_savedmodel",
     "model.savedmodel"},
    {R"(platform: "tensorflow_graphdef")",
     {},
     "tensorflow",
     "tensorflow_graphdef",
     "model.graphdef"},
    // Recognised by file name.
    {R"(default_model_filename: "model.onnx")",
     {},
     "onnxruntime",
     "onnxruntime_onnx",
     "model.onnx"},
    {R"(default_model_filename: "model.plan")", {}, "tensorrt", "tensorrt_plan", "model.plan"},
    {R"(default_model_filename: "model.pt")", {}, "pytorch", "pytorch_libtorch", "model.pt"},
    {R"(default_model_filename: "model.pt2")", {}, "pytorch", "torch_aoti", "model.pt2"},
    {R"(default_model_filename: "model.xml")", {}, "openvino", "", "model.xml"},
    {R"(default_model_filename: "model.py")", {}, "python", "", "model.py"},
    {R"(default_model_filename: "model.graphdef")",
     {},
     "tensorflow",
     "tensorflow_graphdef",
     "model.graphdef"},
    // Recognised by what lies in the version folder.
    {"", {{"model.onnx"}, {}}, "onnxruntime", "onnxruntime_onnx", "model.onnx"},
    {"", {{}, {"model.onnx"}}, "onnxruntime", "onnxruntime_onnx", "model.onnx"},
    {"", {{"model.plan"}, {}}, "tensorrt", "tensorrt_plan", "model.plan"},
    {"", {{"model.pt"}, {}}, "pytorch", "pytorch_libtorch", "model.pt"},
    {"", {{"model.pt2"}, {}}, "pytorch", "torch_aoti", "model.pt2"},
    {"", {{"model.pt", "model.pt2"}, {}}, "pytorch", "pytorch_libtorch", "model.pt"},
    {"", {{"model.xml", "model.bin"}, {}}, "openvino", "", "model.xml"},
    {"", {{"model.py"}, {}}, "python", "", "model.py"},
    {"", {{}, {"model.savedmodel"}}, "tensorflow", "tensorflow_savedmodel", "model.savedmodel"},
    {"",
     {{"model.graphdef"}, {"model.savedmodel"}},
     "tensorflow",
     "tensorflow_graphdef",
     "model.graphdef"},
    {"", {{"model.plan", "model.onnx"}, {}}, "tensorrt", "tensorrt_plan", "model.plan"},
    // A named backend stays, and gets what is missing.
    {R"(backend: "onnxruntime")", {}, "onnxruntime", "onnxruntime_onnx", "model.onnx"},
    {R"(backend: "onnxruntime")",
     {{"model.plan"}, {}},
     "onnxruntime",
     "onnxruntime_onnx",
     "model.onnx"},
    {R"(backend: "onnxruntime" default_model_filename: "crnn.onnx")",
     {},
     "onnxruntime",
     "onnxruntime_onnx",
     "crnn.onnx"},
    {R"(backend: "tensorrt")", {}, "tensorrt", "tensorrt_plan", "model.plan"},
    {R"(backend: "pytorch")", {}, "pytorch", "pytorch_libtorch", "model.pt"},
    {R"(backend: "python")", {}, "python", "", "model.py"},
    {R"(backend: "python" platform: "mine")", {}, "python", "mine", "model.py"},
    {R"(backend: "openvino")", {}, "openvino", "", "model.xml"},
    {R"(backend: "tensorflow")",
     {{}, {"model.savedmodel"}},
     "tensorflow",
     "tensorflow_savedmodel",
     "model.savedmodel"},
    {R"(backend: "identity")", {{"model.onnx"}, {}}, "identity", "", ""},
    {R"(backend: "identity" platform: "libtorch")", {}, "identity", "libtorch", ""},
    // Nothing to derive.
    {R"(platform: "ensemble")", {}, "", "ensemble", ""},
    {R"(platform: "custom")", {{"model.onnx"}, {}}, "", "custom", ""},
    {R"(default_model_filename: "weights.bin")", {{"model.onnx"}, {}}, "", "", "weights.bin"},
    {R"(platform: "tensorrt_plan" default_model_filename: "model.graphdef")",
     {},
     "tensorrt",
     "tensorrt_plan",
     "model.graphdef"},
    // The name says it.
    {R"(name: "net.mine")", {}, "mine", "", "model.mine"},
    {R"(name: "net.a.b")", {}, "a.b", "", "model.a.b"},
};

TEST(DeriveBackend, FillsWhatTheUserLeftOut) {
  for (const Row& row : kRows) {
    inference::ModelConfig config = Parse(row.text);
    const absl::Status status = DeriveBackend("m", row.entries, &config);
    EXPECT_TRUE(status.ok()) << status << row.text;
    EXPECT_EQ(config.backend(), row.backend) << row.text;
    EXPECT_EQ(config.platform(), row.platform) << row.text;
    EXPECT_EQ(config.default_model_filename(), row.file) << row.text;
  }
}

TEST(DeriveBackend, IsIdempotent) {
  for (const Row& row : kRows) {
    inference::ModelConfig once = Parse(row.text);
    ASSERT_TRUE(DeriveBackend("m", row.entries, &once).ok());
    inference::ModelConfig twice = once;
    ASSERT_TRUE(DeriveBackend("m", row.entries, &twice).ok());
    // Only a written TorchScript platform keeps the file name for its backend to choose.
    EXPECT_EQ(once.SerializeAsString(), twice.SerializeAsString()) << row.text;
  }
}

TEST(DeriveBackend, TakesTheNameFromTheDirectory) {
  inference::ModelConfig config = Parse(R"(backend: "b")");
  ASSERT_TRUE(DeriveBackend("folder", {}, &config).ok());
  EXPECT_EQ(config.name(), "folder");
}

TEST(DeriveBackend, FailsWhenNothingTells) {
  for (const char* name : {"m", "m."}) {
    inference::ModelConfig config;
    const absl::Status status = DeriveBackend(name, {}, &config);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(Text(status),
              std::string("Invalid model name: Could not determine backend for model '") + name +
                  "' with no backend in model configuration. Expected model name of the "
                  "form 'model.<backend_name>'.");
  }
}

TEST(ReadVersionEntries, LooksIntoTheNumericallyHighestVersion) {
  const TemporaryFolder folder;
  folder.Write("2/two.txt", "");
  folder.Write("10/ten.txt", "");
  folder.MakeFolder("10/model.onnx");
  for (const char* not_a_version :
       {"099/x", "99a/x", "-100/x", "configs/x", ".git/x", "1e9/x", "99999999999999999999/x"}) {
    folder.Write(not_a_version, "");
  }
  folder.Write("50", "a plain file");
  const auto entries = ReadVersionEntries(folder.path());
  ASSERT_TRUE(entries.ok()) << entries.status();
  EXPECT_EQ(entries->files, (std::set<std::string, std::less<>>{"ten.txt"}));
  EXPECT_EQ(entries->directories, (std::set<std::string, std::less<>>{"model.onnx"}));
}

TEST(ReadVersionEntries, KnowsVersionZeroAndFoldersWithoutVersions) {
  const TemporaryFolder folder;
  EXPECT_TRUE(ReadVersionEntries(folder.path())->files.empty());
  folder.Write("0/model.py", "");
  EXPECT_TRUE(ReadVersionEntries(folder.path())->files.contains("model.py"));
}

TEST(ReadVersionEntries, FailsOnAMissingFolder) {
  EXPECT_EQ(ReadVersionEntries("/nonexistent/model").status().code(), absl::StatusCode::kInternal);
}

}  // namespace
}  // namespace nereid
