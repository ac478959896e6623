#include <gtest/gtest.h>

#include <fstream>

#include "backends/cuda/exec/engine_model.h"
#include "support/temp_directory.h"
#include "unit/engine/onnx_text.h"

namespace nereid::engine {
namespace {

// Y = X + W, the weight in "w.bin" beside the model.
std::string WriteModel(const testing::TempDirectory& folder, const std::string& name,
                       const std::string& weight) {
  folder.Write("w.bin", weight);
  const std::string path = folder.path() + "/model.onnx";
  std::ofstream(path, std::ios::binary) << onnx::Model(
      onnx::WithNode(onnx::Node("Add", {"X", "W"}, {"Y"}, "", "", name)) +
          onnx::WithConstant(onnx::Tensor("W", 1, {2}, onnx::External("w.bin", "0", "8"))) +
          onnx::WithInput(onnx::Info("X", 1, {2})) + onnx::WithOutput(onnx::Info("Y", 1, {2})),
      17);
  return path;
}

TEST(EngineModelTest, ItsDigestDependsOnTheGraphAndOnExternalData) {
  const testing::TempDirectory folder;
  const auto digest = [&](const std::string& name, const std::string& weight) {
    const auto model = EngineModel::Load(WriteModel(folder, name, weight));
    EXPECT_TRUE(model.ok()) << model.status();
    return model.ok() ? (*model)->Digest() : "";
  };
  const std::string first = digest("add", "12345678");
  EXPECT_EQ(first.size(), 64u);
  EXPECT_EQ(digest("add", "12345678"), first);
  EXPECT_NE(digest("add", "12345679"), first);
  EXPECT_NE(digest("sum", "12345678"), first);
  EXPECT_NE(digest("add", "12345678 and more that the model does not read"), first);
}

}  // namespace
}  // namespace nereid::engine
