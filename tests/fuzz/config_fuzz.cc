// A model's configuration, as text and as JSON, through everything that happens to it before a
// backend sees it.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "common/log.h"
#include "config/config_json.h"
#include "config/config_parser.h"
#include "config/graph_agreement.h"
#include "config/graph_completion.h"
#include "config/instance_groups.h"
#include "config/prepare.h"
#include "config/unbuilt_features.h"
#include "config/validate.h"
#include "nereid/model_config.h"
#include "proto/model_config.pb.h"

namespace nereid {
namespace {

const VersionEntries kEntries{{"model.onnx"}, {}};
const DeviceInventory kDevices{.gpu_support = true, .usable_gpus = {0, 1}};
const GraphDescription kGraph{
    {{"x", DataType::kFp32, {-1, 4}}}, {{"y", DataType::kFp32, {-1}}}, {}};

void Require(bool holds) {
  if (!holds) std::abort();
}

// What was printed reads back, and prints the same.
void CheckRoundTrip(const inference::ModelConfig& config) {
  const std::string json = ConfigToJson(config);
  const auto again = ParseConfigJson(json);
  if (again.ok()) Require(ConfigToJson(*again) == json);
}

void CheckAccepted(inference::ModelConfig config) {
  NormalizeInstanceGroups(kDevices, {}, &config);
  if (!ValidateInstanceGroups(config, kDevices).ok()) return;
  if (PlanInstances(config).size() > 100000) return;
  if (!FinishConfig({}, &config).ok()) return;
  Require(ValidateConfig(config).ok());
  CheckRoundTrip(config);
  ModelConfig::Options options;
  options.read_labels = false;
  Require(ModelConfig::Create(config, options).ok());
}

void Exercise(inference::ModelConfig config) {
  CheckRoundTrip(config);
  (void)CheckSupported(config);
  (void)ValidateSequenceState(config);
  (void)ValidateConfigIo(config);
  (void)CheckGraphAgreement(config, kGraph);
  if (!PrepareConfig({.directory_name = "m", .check_directory_name = false}, kEntries, &config)
           .ok()) {
    return;
  }
  if (auto proposal = CompleteFromGraph(config, kGraph, 4); proposal.ok()) {
    inference::ModelConfig completed = config;
    if (FinishConfig(*proposal, &completed).ok()) CheckAccepted(std::move(completed));
  }
  CheckAccepted(std::move(config));
}

}  // namespace
}  // namespace nereid

extern "C" int LLVMFuzzerInitialize(int* /*argc*/, char*** /*argv*/) {
  nereid::LogOptions quiet;
  quiet.warning = false;
  return nereid::ConfigureLog(quiet).ok() ? 0 : 1;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (auto config = nereid::ParseConfigText(input, "fuzz"); config.ok()) {
    nereid::Exercise(*std::move(config));
  }
  if (auto config = nereid::ParseConfigJson(input); config.ok()) {
    nereid::Exercise(*std::move(config));
  }
  return 0;
}
