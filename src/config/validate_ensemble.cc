#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/status_macros.h"
#include "common/strings.h"
#include "config/invalid.h"
#include "config/platforms.h"
#include "config/validate_parts.h"
#include "proto/model_config.pb.h"

namespace nereid::config_internal {
namespace {

using inference::ModelConfig;
using Step = inference::ModelEnsembling::Step;

// What an ensemble must not say about itself, because its steps do.
struct Forbidden {
  std::string_view message;
  bool (*present)(const ModelConfig&);
};
constexpr Forbidden kForbidden[] = {
    {"instance group should not be specified for ensemble",
     [](const ModelConfig& c) { return !c.instance_group().empty(); }},
    {"optimization should not be specified for ensemble",
     [](const ModelConfig& c) { return c.has_optimization(); }},
    {"model_warmup can not be specified for ensemble",
     [](const ModelConfig& c) { return !c.model_warmup().empty(); }},
    {"must specify 'step' for ensemble",
     [](const ModelConfig& c) { return c.ensemble_scheduling().step().empty(); }},
};

struct Required {
  std::string_view field;
  bool (*missing)(const Step&);
};
constexpr Required kRequired[] = {
    {"model_name", [](const Step& s) { return s.model_name().empty(); }},
    {"input_map", [](const Step& s) { return s.input_map().empty(); }},
    {"output_map", [](const Step& s) { return s.output_map().empty(); }},
};

absl::Status ValidateSteps(const ModelConfig& config) {
  const auto& steps = config.ensemble_scheduling().step();
  for (int i = 0; i < steps.size(); ++i) {
    for (const Required& required : kRequired) {
      if (!required.missing(steps[i])) continue;
      return Invalid("must specify '", required.field, "' in step ", i, " of ensemble '",
                     config.name(), "'");
    }
  }
  return absl::OkStatus();
}

// Which tensors exist, who writes and reads them, and which can ever be written. Tensors and steps
// form a bipartite graph; a step runs once all its inputs are there.
class DataFlow {
 public:
  explicit DataFlow(const ModelConfig& config) : config_(config) {}

  absl::Status Check();

 private:
  struct Tensor {
    int producer = -1;           // step
    std::vector<int> consumers;  // steps
    bool is_output = false;
    bool is_written = false;
  };

  absl::Status AddStep(int index);
  absl::Status MarkInputs();
  absl::Status MarkOutputs();
  void Run();
  absl::Status CheckOutputs() const;
  absl::Status CheckIntermediates() const;
  const Step& step(int i) const { return config_.ensemble_scheduling().step(i); }

  const ModelConfig& config_;
  std::map<std::string, Tensor> tensors_;
  std::vector<std::string> written_;  // whose consumers have not been told yet
};

absl::Status DataFlow::AddStep(int index) {
  std::set<std::string> read;
  for (const auto& [name, tensor] : step(index).input_map()) read.insert(tensor);
  for (const std::string& tensor : read) tensors_[tensor].consumers.push_back(index);
  const std::map<std::string, std::string> outputs(step(index).output_map().begin(),
                                                   step(index).output_map().end());
  for (const auto& [name, tensor] : outputs) {
    int& producer = tensors_[tensor].producer;
    if (producer >= 0) {
      return Invalid("ensemble tensor '", tensor,
                     "' can appear in an output map only once for ensemble '", config_.name(),
                     "' step ", index);
    }
    producer = index;
  }
  return absl::OkStatus();
}

absl::Status DataFlow::MarkInputs() {
  for (const auto& input : config_.input()) {
    const auto found = tensors_.find(input.name());
    if (found == tensors_.end()) {
      return Invalid("ensemble input '", input.name(), "' for ensemble ", config_.name(),
                     "' is not used");
    }
    if (!found->second.is_written) written_.push_back(input.name());
    found->second.is_written = true;
  }
  return absl::OkStatus();
}

absl::Status DataFlow::MarkOutputs() {
  for (const auto& output : config_.output()) {
    const auto found = tensors_.find(output.name());
    if (found == tensors_.end()) {
      return Invalid("ensemble output '", output.name(), "' for ensemble ", config_.name(),
                     "' is not used");
    }
    found->second.is_output = true;
  }
  return absl::OkStatus();
}

void DataFlow::Run() {
  std::vector<size_t> missing(config_.ensemble_scheduling().step_size(), 0);
  for (const auto& [name, tensor] : tensors_) {
    for (const int consumer : tensor.consumers) ++missing[consumer];
  }
  while (!written_.empty()) {
    const Tensor& tensor = tensors_[written_.back()];
    written_.pop_back();
    for (const int consumer : tensor.consumers) {
      if (--missing[consumer] > 0) continue;
      for (const auto& [name, output] : step(consumer).output_map()) {
        Tensor& next = tensors_[output];
        if (!next.is_written) written_.push_back(output);
        next.is_written = true;
      }
    }
  }
}

absl::Status DataFlow::CheckOutputs() const {
  for (const auto& output : config_.output()) {
    const Tensor& tensor = tensors_.at(output.name());
    if (tensor.is_written) continue;
    std::string message =
        StrCat("output '", output.name(), "' for ensemble '", config_.name(), "' is not written");
    std::set<std::string> sources;
    if (tensor.producer >= 0) {
      for (const auto& [name, source] : step(tensor.producer).input_map()) sources.insert(source);
    }
    for (const std::string& source : sources) {
      if (tensors_.at(source).is_written) continue;
      StrAppend(&message, ": at least one of its depending tensors, '", source,
                "', is not connected");
      break;
    }
    return absl::InvalidArgumentError(message);
  }
  return absl::OkStatus();
}

absl::Status DataFlow::CheckIntermediates() const {
  for (const auto& [name, tensor] : tensors_) {
    const bool is_read = tensor.is_output || !tensor.consumers.empty();
    if (is_read && tensor.is_written) continue;
    return Invalid("ensemble tensor '", name, "' is unused in ensemble '", config_.name(), "'");
  }
  return absl::OkStatus();
}

absl::Status DataFlow::Check() {
  for (int i = 0; i < config_.ensemble_scheduling().step_size(); ++i) {
    NEREID_RETURN_IF_ERROR(AddStep(i));
  }
  NEREID_RETURN_IF_ERROR(MarkInputs());
  NEREID_RETURN_IF_ERROR(MarkOutputs());
  Run();
  NEREID_RETURN_IF_ERROR(CheckOutputs());
  return CheckIntermediates();
}

}  // namespace

absl::Status ValidateEnsemble(const ModelConfig& config) {
  if (!config.has_ensemble_scheduling()) return absl::OkStatus();
  if (config.platform() != kPlatformEnsemble) {
    return Invalid("ensemble scheduling cannot be set for model '", config.name(),
                   "' whose platform is not ensemble");
  }
  for (const Forbidden& forbidden : kForbidden) {
    if (!forbidden.present(config)) continue;
    return Invalid(forbidden.message, " '", config.name(), "'");
  }
  NEREID_RETURN_IF_ERROR(ValidateSteps(config));
  return DataFlow(config).Check();
}

}  // namespace nereid::config_internal
