#include "nereid/model_config.h"

#include <algorithm>

#include "common/status_macros.h"
#include "config/config_json.h"
#include "config/labels.h"
#include "proto/model_config.pb.h"

namespace nereid {
namespace {

template <typename Tensor>
TensorSpec SpecOf(const Tensor& tensor, int index) {
  TensorSpec spec;
  spec.name = tensor.name();
  spec.data_type = static_cast<DataType>(tensor.data_type());
  spec.dims.assign(tensor.dims().begin(), tensor.dims().end());
  if (tensor.has_reshape()) {
    spec.reshape.emplace(tensor.reshape().shape().begin(), tensor.reshape().shape().end());
  }
  spec.is_shape_tensor = tensor.is_shape_tensor();
  spec.is_non_linear = tensor.is_non_linear_format_io();
  spec.index = index;
  return spec;
}

std::vector<TensorSpec> InputSpecs(const inference::ModelConfig& config) {
  std::vector<TensorSpec> specs;
  for (const auto& input : config.input()) {
    specs.push_back(SpecOf(input, static_cast<int>(specs.size())));
    specs.back().optional = input.optional();
    specs.back().allow_ragged_batch = input.allow_ragged_batch();
  }
  return specs;
}

absl::StatusOr<std::vector<TensorSpec>> OutputSpecs(const inference::ModelConfig& config,
                                                    const ModelConfig::Options& options) {
  std::vector<TensorSpec> specs;
  for (const auto& output : config.output()) {
    specs.push_back(SpecOf(output, static_cast<int>(specs.size())));
    if (output.label_filename().empty() || !options.read_labels) continue;
    NEREID_ASSIGN_OR_RETURN(
        specs.back().labels,
        ReadLabels(options.model_path, output.label_filename(), output.name(), config.name()));
  }
  return specs;
}

// Models have few tensors: comparing a handful of names beats hashing one.
const TensorSpec* Find(const std::vector<TensorSpec>& specs, std::string_view name) {
  for (const TensorSpec& spec : specs) {
    if (spec.name == name) return &spec;
  }
  return nullptr;
}

}  // namespace

ModelConfig::ModelConfig() = default;
ModelConfig::~ModelConfig() = default;

absl::StatusOr<std::shared_ptr<const ModelConfig>> ModelConfig::Create(
    const inference::ModelConfig& proto, const Options& options) {
  std::shared_ptr<ModelConfig> config(new ModelConfig());
  NEREID_ASSIGN_OR_RETURN(config->outputs_, OutputSpecs(proto, options));
  config->inputs_ = InputSpecs(proto);
  config->required_input_count_ = static_cast<int>(std::count_if(
      config->inputs_.begin(), config->inputs_.end(), [](const auto& s) { return !s.optional; }));
  config->proto_ = std::make_unique<inference::ModelConfig>(proto);
  config->json_ = ConfigToJson(proto);
  config->name_ = proto.name();
  config->backend_ = proto.backend();
  config->platform_ = proto.platform();
  config->default_model_filename_ = proto.default_model_filename();
  config->max_batch_size_ = proto.max_batch_size();
  config->decoupled_ = proto.model_transaction_policy().decoupled();
  for (const auto& [name, value] : proto.parameters()) {
    config->parameters_.emplace(name, value.string_value());
  }
  return std::shared_ptr<const ModelConfig>(std::move(config));
}

const TensorSpec* ModelConfig::FindInput(std::string_view name) const {
  return Find(inputs_, name);
}

const TensorSpec* ModelConfig::FindOutput(std::string_view name) const {
  return Find(outputs_, name);
}

}  // namespace nereid
