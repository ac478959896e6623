#include "config/complete.h"

#include <limits>
#include <string_view>

#include "common/strings.h"
#include "config/normalize.h"
#include "proto/model_config.pb.h"

namespace nereid {
namespace {

std::string_view SchedulingChoice(const inference::ModelConfig& config) {
  if (config.has_dynamic_batching()) return "dynamic_batching";
  if (config.has_sequence_batching()) return "sequence_batching";
  if (config.has_ensemble_scheduling()) return "ensemble_scheduling";
  return "";
}

template <typename Tensor>
void WriteCommon(const TensorSpec& spec, Tensor* tensor) {
  tensor->set_name(spec.name);
  tensor->set_data_type(static_cast<inference::DataType>(spec.data_type));
  tensor->mutable_dims()->Add(spec.dims.begin(), spec.dims.end());
  if (spec.reshape) {
    tensor->mutable_reshape()->mutable_shape()->Add(spec.reshape->begin(), spec.reshape->end());
  }
  tensor->set_is_shape_tensor(spec.is_shape_tensor);
  tensor->set_is_non_linear_format_io(spec.is_non_linear);
}

void WriteInputs(const std::vector<TensorSpec>& specs, inference::ModelConfig* config) {
  if (specs.empty()) return;
  config->clear_input();
  for (const TensorSpec& spec : specs) {
    inference::ModelInput* input = config->add_input();
    WriteCommon(spec, input);
    input->set_optional(spec.optional);
    input->set_allow_ragged_batch(spec.allow_ragged_batch);
  }
}

void WriteOutputs(const std::vector<TensorSpec>& specs, inference::ModelConfig* config) {
  if (specs.empty()) return;
  config->clear_output();
  for (const TensorSpec& spec : specs) WriteCommon(spec, config->add_output());
}

absl::Status WriteMaxBatchSize(int64_t value, inference::ModelConfig* config) {
  if (value < 0 || value > std::numeric_limits<int32_t>::max()) {
    return absl::InternalError(
        StrCat("max batch size ", value, " proposed for ", config->name(), " is out of range"));
  }
  config->set_max_batch_size(static_cast<int32_t>(value));
  return absl::OkStatus();
}

}  // namespace

bool NeedsCompletion(const inference::ModelConfig& config) {
  const bool has_inputs = config.input_size() + config.batch_input_size() > 0;
  return !has_inputs || config.output().empty();
}

absl::Status ApplyProposal(const ConfigProposal& proposal, inference::ModelConfig* config) {
  if (proposal.enable_dynamic_batching && !config->has_dynamic_batching()) {
    if (const std::string_view choice = SchedulingChoice(*config); !choice.empty()) {
      return absl::InternalError(StrCat("Cannot update scheduling choice from ", choice,
                                        " to dynamic_batching when auto-completing ",
                                        config->name()));
    }
    config->mutable_dynamic_batching();
  }
  if (proposal.max_batch_size) {
    if (absl::Status status = WriteMaxBatchSize(*proposal.max_batch_size, config); !status.ok()) {
      return status;
    }
  }
  WriteInputs(proposal.inputs, config);
  WriteOutputs(proposal.outputs, config);
  if (proposal.decoupled) {
    config->mutable_model_transaction_policy()->set_decoupled(*proposal.decoupled);
  }
  NormalizeConfig(config);
  return absl::OkStatus();
}

}  // namespace nereid
