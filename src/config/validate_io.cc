#include <algorithm>
#include <set>
#include <string>
#include <string_view>

#include "common/status_macros.h"
#include "common/strings.h"
#include "config/invalid.h"
#include "config/platforms.h"
#include "config/reshape_rule.h"
#include "config/validate.h"
#include "nereid/shape.h"
#include "proto/model_config.pb.h"

namespace nereid {
namespace {

using inference::BatchInput;
using inference::BatchOutput;
using inference::ModelConfig;
using inference::ModelInput;
using inference::ModelOutput;

using Dims = google::protobuf::RepeatedField<int64_t>;

bool HasBadExtent(const Dims& dims) {
  return std::any_of(dims.begin(), dims.end(), [](int64_t d) { return d == 0 || d < -1; });
}

bool IsCountable(const Dims& dims) {
  Shape fixed;
  std::copy_if(dims.begin(), dims.end(), std::back_inserter(fixed),
               [](int64_t d) { return d > 0; });
  return ElementCount(fixed).ok();
}

// What inputs and outputs share. `prefix` is "model input " or "model output ".
template <typename Tensor>
absl::Status ValidateTensor(const ModelConfig& config, const Tensor& tensor,
                            std::string_view prefix) {
  if (tensor.name().empty()) return Invalid(prefix, "must specify 'name'");
  const std::string named = StrCat(prefix, "'", tensor.name(), "' ");
  const bool known_type = inference::DataType_IsValid(tensor.data_type());
  if (!known_type || tensor.data_type() == inference::TYPE_INVALID) {
    return Invalid(named, "must specify 'data_type'");
  }
  if (tensor.dims().empty()) return Invalid(named, "must specify 'dims'");
  const Dims& reshape = tensor.reshape().shape();
  if (tensor.has_reshape() && reshape.empty() && config.max_batch_size() == 0) {
    return Invalid(named,
                   "cannot have empty reshape for non-batching model as scalar tensors are not "
                   "supported");
  }
  if (HasBadExtent(tensor.dims())) {
    return Invalid(named,
                   "dimension must be integer >= 1, or -1 to indicate a variable-size "
                   "dimension");
  }
  if (!IsCountable(tensor.dims())) {
    return Invalid(named, "has more elements than can be counted");
  }
  if (!tensor.has_reshape()) return absl::OkStatus();
  if (HasBadExtent(reshape)) {
    return Invalid(named,
                   "reshape dimensions must be integer >= 1, or -1 to indicate a "
                   "variable-size dimension");
  }
  if (const auto mismatch = ReshapeMismatch(tensor.dims(), reshape)) {
    return Invalid(named, *mismatch);
  }
  return absl::OkStatus();
}

// Properties that only one platform's engines understand. `side` is "input" or "output".
template <typename Tensor>
absl::Status ValidatePlatformProperties(const ModelConfig& config, const Tensor& tensor,
                                        std::string_view side) {
  const bool is_tensorrt = config.platform() == kPlatformTensorRt;
  if (tensor.is_shape_tensor() && !is_tensorrt) {
    return Invalid("shape tensors are only supported for TensorRT platform");
  }
  if (!tensor.is_non_linear_format_io()) return absl::OkStatus();
  if (!is_tensorrt) {
    return Invalid("Non-linear IO format is only supported for the TensorRT platform");
  }
  if (tensor.dims_size() != 3) return Invalid("Non-linear IO format ", side, " requires 3 dims");
  return absl::OkStatus();
}

absl::Status ValidateInput(const ModelConfig& config, const ModelInput& input) {
  NEREID_RETURN_IF_ERROR(ValidateTensor(config, input, "model input "));
  if (input.format() != ModelInput::FORMAT_NONE && input.dims_size() != 3) {
    return Invalid("model input NHWC/NCHW require 3 dims");
  }
  return ValidatePlatformProperties(config, input, "input");
}

absl::Status ValidateOutput(const ModelConfig& config, const ModelOutput& output) {
  NEREID_RETURN_IF_ERROR(ValidateTensor(config, output, "model output "));
  return ValidatePlatformProperties(config, output, "output");
}

template <typename Tensors>
bool Names(const Tensors& tensors, const std::string& name) {
  return std::any_of(tensors.begin(), tensors.end(),
                     [&](const auto& tensor) { return tensor.name() == name; });
}

template <typename Batch>
absl::Status ValidateSource(const ModelConfig& config, const Batch& batch, std::string_view what) {
  if (batch.source_input_size() != 1) {
    return Invalid(what, " kind '", Batch::Kind_Name(batch.kind()),
                   "' expects 1 source input, got ", batch.source_input_size());
  }
  if (Names(config.input(), batch.source_input(0))) return absl::OkStatus();
  return Invalid("unknown source input name '", batch.source_input(0), "'");
}

absl::Status ValidateBatchInput(const ModelConfig& config, const BatchInput& batch) {
  const bool typed =
      batch.data_type() == inference::TYPE_INT32 || batch.data_type() == inference::TYPE_FP32;
  if (batch.source_input_size() == 1 && !typed) {
    return Invalid("batch input data type must be TYPE_INT32 or TYPE_FP32");
  }
  return ValidateSource(config, batch, "batch input");
}

absl::Status ValidateBatchOutput(const ModelConfig& config, const BatchOutput& batch,
                                 std::set<std::string>* targets) {
  NEREID_RETURN_IF_ERROR(ValidateSource(config, batch, "batch output"));
  for (const std::string& target : batch.target_name()) {
    if (!Names(config.output(), target)) {
      return Invalid("unknown target output name '", target, "'");
    }
    if (!targets->insert(target).second) {
      return Invalid("target output name '", target, "' can only be specified once");
    }
  }
  return absl::OkStatus();
}

absl::Status Validate(const ModelConfig& config) {
  for (const ModelInput& input : config.input()) {
    NEREID_RETURN_IF_ERROR(ValidateInput(config, input));
  }
  for (const ModelOutput& output : config.output()) {
    NEREID_RETURN_IF_ERROR(ValidateOutput(config, output));
  }
  for (const BatchInput& batch : config.batch_input()) {
    NEREID_RETURN_IF_ERROR(ValidateBatchInput(config, batch));
  }
  std::set<std::string> targets;
  for (const BatchOutput& batch : config.batch_output()) {
    NEREID_RETURN_IF_ERROR(ValidateBatchOutput(config, batch, &targets));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ValidateConfigIo(const ModelConfig& config) {
  const absl::Status status = Validate(config);
  if (status.ok()) return status;
  return Invalid(Message(status), " for ", config.name());
}

}  // namespace nereid
