// Whole configurations, as people write them, from the text to what a backend is given. The files
// are seeds of the fuzz test too.

#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "config/config_json.h"
#include "config/instance_groups.h"
#include "config/prepare.h"
#include "config/unbuilt_features.h"
#include "config/validate.h"
#include "config_test_util.h"

namespace nereid {
namespace {

const std::filesystem::path kFolder =
    std::filesystem::path(NEREID_SOURCE_DIR) / "tests/fuzz/corpus/config";
const DeviceInventory kTwoGpus{.gpu_support = true, .usable_gpus = {0, 1}};
const DeviceInventory kNoGpu{.gpu_support = true, .usable_gpus = {}};

inference::ModelConfig Prepared(const std::string& name) {
  auto config = ReadConfigFile((kFolder / (name + ".pbtxt")).string());
  EXPECT_TRUE(config.ok()) << config.status();
  if (!config.ok()) return {};
  const absl::Status status =
      PrepareConfig({.directory_name = name, .auto_complete = false}, {}, &*config);
  EXPECT_TRUE(status.ok()) << name << ": " << status;
  return *std::move(config);
}

std::vector<std::string> Names() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
    if (entry.path().extension() == ".pbtxt") names.push_back(entry.path().stem().string());
  }
  return names;
}

TEST(Examples, ParseAndValidate) {
  ASSERT_GE(Names().size(), 12u);
  for (const std::string& name : Names()) {
    const inference::ModelConfig config = Prepared(name);
    EXPECT_TRUE(ValidateConfigIo(config).ok()) << name;
    EXPECT_TRUE(ValidateSequenceState(config).ok()) << name;
  }
}

TEST(Examples, SurviveTheTripThroughJson) {
  for (const std::string& name : Names()) {
    const inference::ModelConfig config = Prepared(name);
    const auto again = ParseConfigJson(ConfigToJson(config));
    ASSERT_TRUE(again.ok()) << name << ": " << again.status();
    EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(config, *again)) << name;
  }
}

TEST(Examples, FitAMachineWithTwoGpus) {
  for (const std::string& name : Names()) {
    inference::ModelConfig config = Prepared(name);
    NormalizeInstanceGroups(kTwoGpus, {}, &config);
    EXPECT_TRUE(ValidateInstanceGroups(config, kTwoGpus).ok()) << name;
  }
}

TEST(Examples, FailWithoutGpusOnlyWhenOneIsDemanded) {
  for (const std::string& name : Names()) {
    inference::ModelConfig config = Prepared(name);
    bool demands_gpu = false;
    for (const auto& group : config.instance_group()) {
      demands_gpu |= group.kind() == inference::ModelInstanceGroup::KIND_GPU;
    }
    NormalizeInstanceGroups(kNoGpu, {}, &config);
    EXPECT_EQ(ValidateInstanceGroups(config, kNoGpu).ok(), !demands_gpu) << name;
  }
}

TEST(Examples, AreRefusedExactlyWhenAFeatureIsMissing) {
  const std::map<std::string, bool> refused = {
      {"segmenter", true}, {"reader", false},  {"preprocess", false}, {"crop", false},
      {"decode", false},   {"pipeline", true}, {"listener", true},    {"writer", true},
      {"chat", false},     {"packed", false},  {"engine", true},      {"generator", true},
  };
  for (const std::string& name : Names()) {
    EXPECT_EQ(!CheckSupported(Prepared(name)).ok(), refused.at(name)) << name;
  }
}

TEST(Examples, NameTheirInstances) {
  inference::ModelConfig config = Prepared("segmenter");
  NormalizeInstanceGroups(kTwoGpus, {}, &config);
  std::vector<std::string> names;
  for (const auto& instance : PlanInstances(config)) names.push_back(instance.context.name);
  EXPECT_EQ(names, (std::vector<std::string>{"front_0", "front_1", "segmenter_1_0"}));
}

TEST(Examples, GetTheirBackends) {
  EXPECT_EQ(Prepared("segmenter").backend(), "onnxruntime");
  EXPECT_EQ(Prepared("engine").backend(), "tensorrt");
  EXPECT_EQ(Prepared("writer").platform(), "tensorrt_plan");
  EXPECT_EQ(Prepared("preprocess").default_model_filename(), "model.py");
  EXPECT_EQ(Prepared("reader").default_model_filename(), "reader_v2.onnx");
  EXPECT_EQ(Prepared("generator").platform(), "");
  EXPECT_EQ(Prepared("reader").dynamic_batching().preferred_batch_size(0), 32);
}

}  // namespace
}  // namespace nereid
