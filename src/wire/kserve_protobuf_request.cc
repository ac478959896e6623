#include "wire/kserve_protobuf_request.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "infer/request_validator.h"
#include "wire/kserve_protobuf_contents.h"

namespace nereid {
namespace {

constexpr std::string_view kReservedPrefix = "triton_";
constexpr std::string_view kEmptyFinalResponse = "triton_enable_empty_final_response";
constexpr size_t kMaxCorrelationText = 128;

absl::Status WrongType(std::string_view key, std::string_view expected) {
  return absl::InvalidArgumentError(
      StrCat("invalid value type for '", key, "' parameter, expected ", expected, "."));
}

absl::Status SetSequenceId(const ParameterView& parameter, InferRequest& request) {
  if (const auto* number = std::get_if<int64_t>(&parameter.value)) {
    request.correlation_id = static_cast<uint64_t>(*number);
    return absl::OkStatus();
  }
  const auto* text = std::get_if<std::string_view>(&parameter.value);
  if (text == nullptr) return WrongType(parameter.key, "int64_param or string_param");
  if (text->size() > kMaxCorrelationText) {
    return absl::UnimplementedError("string correlation ID cannot be longer than 128 characters");
  }
  request.correlation_id = std::string(*text);
  return absl::OkStatus();
}

absl::Status SetSequenceStart(const ParameterView& parameter, InferRequest& request) {
  const auto* flag = std::get_if<bool>(&parameter.value);
  if (flag == nullptr) return WrongType(parameter.key, "bool_param");
  request.sequence.start = *flag;
  return absl::OkStatus();
}

absl::Status SetSequenceEnd(const ParameterView& parameter, InferRequest& request) {
  const auto* flag = std::get_if<bool>(&parameter.value);
  if (flag == nullptr) return WrongType(parameter.key, "bool_param");
  request.sequence.end = *flag;
  return absl::OkStatus();
}

absl::Status SetPriority(const ParameterView& parameter, InferRequest& request) {
  if (const auto* number = std::get_if<uint64_t>(&parameter.value)) {
    request.priority = *number;
    return absl::OkStatus();
  }
  const auto* number = std::get_if<int64_t>(&parameter.value);
  if (number == nullptr) return WrongType(parameter.key, "int64_param or uint64_param");
  if (*number < 0) {
    return absl::InvalidArgumentError("invalid value for 'priority', expected value >= 0.");
  }
  request.priority = static_cast<uint64_t>(*number);
  return absl::OkStatus();
}

absl::Status SetTimeout(const ParameterView& parameter, InferRequest& request) {
  const auto* number = std::get_if<int64_t>(&parameter.value);
  if (number == nullptr) return WrongType(parameter.key, "int64_param");
  request.timeout = std::chrono::microseconds(std::max<int64_t>(*number, 0));
  return absl::OkStatus();
}

// Concerns streams only: a unary call has one response, which is never empty.
absl::Status CheckEmptyFinalResponse(const ParameterView& parameter, InferRequest&) {
  return std::holds_alternative<bool>(parameter.value) ? absl::OkStatus()
                                                       : WrongType(parameter.key, "bool_param");
}

struct KnownParameter {
  std::string_view key;
  absl::Status (*apply)(const ParameterView& parameter, InferRequest& request);
};
constexpr KnownParameter kKnownParameters[] = {
    {"sequence_id", SetSequenceId},   {"sequence_start", SetSequenceStart},
    {"sequence_end", SetSequenceEnd}, {"priority", SetPriority},
    {"timeout", SetTimeout},          {kEmptyFinalResponse, CheckEmptyFinalResponse},
};

absl::Status AddOwnParameter(const ParameterView& parameter, Parameters& parameters) {
  if (parameter.key.starts_with(kReservedPrefix)) {
    return absl::InvalidArgumentError(
        StrCat("parameter keys starting with 'triton_' are reserved for Triton usage. Only the "
               "following keys starting with 'triton_' are allowed: ",
               kEmptyFinalResponse));
  }
  Parameter own{std::string(parameter.key), {}};
  if (const auto* flag = std::get_if<bool>(&parameter.value)) {
    own.value = *flag;
  } else if (const auto* number = std::get_if<int64_t>(&parameter.value)) {
    own.value = *number;
  } else if (const auto* real = std::get_if<double>(&parameter.value)) {
    own.value = *real;
  } else if (const auto* text = std::get_if<std::string_view>(&parameter.value)) {
    own.value = std::string(*text);
  } else {
    return WrongType(parameter.key, "int64_param, bool_param, or string_param");
  }
  parameters.push_back(std::move(own));
  return absl::OkStatus();
}

absl::Status AddParameter(const ParameterView& parameter, InferRequest& request) {
  for (const KnownParameter& known : kKnownParameters) {
    if (known.key == parameter.key) return known.apply(parameter, request);
  }
  return AddOwnParameter(parameter, request.parameters);
}

// The first name, in order, that has occurred before; empty when all differ. `Views` have names.
template <typename Views>
const std::string_view* FindRepeatedName(const Views& views) {
  if (views.size() <= 1) return nullptr;
  absl::InlinedVector<std::pair<std::string_view, size_t>, 8> sorted;
  for (size_t i = 0; i < views.size(); ++i) sorted.emplace_back(views[i].name, i);
  std::sort(sorted.begin(), sorted.end());
  size_t first = views.size();
  for (size_t i = 1; i < sorted.size(); ++i) {
    if (sorted[i].first == sorted[i - 1].first) first = std::min(first, sorted[i].second);
  }
  return first == views.size() ? nullptr : &views[first].name;
}

absl::Status CheckNames(const InferMessage& message, const InferRequest& request) {
  if (const auto* name = FindRepeatedName(message.inputs)) {
    return absl::InvalidArgumentError(
        StrCat(RequestIdPrefix(request), "input '", *name, "' already exists in request"));
  }
  if (const auto* name = FindRepeatedName(message.outputs)) {
    return absl::InvalidArgumentError(
        StrCat(RequestIdPrefix(request), "output '", *name, "' already exists in request"));
  }
  return absl::OkStatus();
}

const ParameterChoice* Find(const ParameterViews& parameters, std::string_view key) {
  for (const ParameterView& parameter : parameters) {
    if (parameter.key == key) return &parameter.value;
  }
  return nullptr;
}

absl::Status WrongTensorType(std::string_view key, std::string_view tensor,
                             std::string_view expected) {
  return absl::InvalidArgumentError(StrCat("invalid value type for '", key,
                                           "' parameter for tensor '", tensor, "', expected ",
                                           expected, "."));
}

// Numbers are signed on the wire: those below 0 become what no region has.
uint64_t NumberOf(const ParameterChoice* value) {
  return value == nullptr ? 0 : static_cast<uint64_t>(std::get<int64_t>(*value));
}

// Where in shared memory a tensor's parameters say that it is; nothing when it is not there.
using Range = std::optional<SharedMemoryRange>;
absl::StatusOr<Range> RangeOf(std::string_view tensor, const ParameterViews& parameters) {
  if (parameters.empty()) return Range();
  const ParameterChoice* region = Find(parameters, "shared_memory_region");
  if (region != nullptr && !std::holds_alternative<std::string_view>(*region)) {
    return WrongTensorType("shared_memory_region", tensor, "string_param");
  }
  for (const std::string_view key : {"shared_memory_offset", "shared_memory_byte_size"}) {
    const ParameterChoice* value = Find(parameters, key);
    if (value != nullptr && !std::holds_alternative<int64_t>(*value)) {
      return WrongTensorType(key, tensor, "int64_param");
    }
    if (value != nullptr && region == nullptr) {
      return absl::InvalidArgumentError(StrCat(
          "'", key, "' can not be specified without 'shared_memory_region' parameter for tensor '",
          tensor, "'"));
    }
  }
  if (region == nullptr) return Range();
  const ParameterChoice* byte_size = Find(parameters, "shared_memory_byte_size");
  if (byte_size == nullptr) {
    return absl::InvalidArgumentError(
        StrCat("'shared_memory_byte_size' must be specified along with 'shared_memory_region' "
               "parameter for tensor '",
               tensor, "'"));
  }
  return SharedMemoryRange{std::get<std::string_view>(*region),
                           NumberOf(Find(parameters, "shared_memory_offset")), NumberOf(byte_size)};
}

absl::Status UnknownRegion(std::string_view region) {
  return absl::NotFoundError(StrCat("Unable to find shared memory region: '", region, "'"));
}

// Finds the data of each input in turn.
class InputReader {
 public:
  InputReader(const InferMessage& message, InferRequest& request, SharedTensors* shared)
      : message_(message), request_(request), shared_(shared) {}

  absl::Status Add(const InputView& view) {
    InferRequest::Input& input = request_.inputs.emplace_back();
    input.name = view.name;
    input.data_type = DataTypeFromProtocolName(view.datatype);
    input.shape = view.shape;
    NEREID_ASSIGN_OR_RETURN(const Range range, RangeOf(view.name, view.parameters));
    if (range) return AddShared(view, *range, input);
    return view.contents.present() ? AddContents(view, input) : AddRaw(view, input);
  }

 private:
  absl::Status AddShared(const InputView& view, const SharedMemoryRange& range,
                         InferRequest::Input& input) {
    if (view.contents.present()) {
      return Refuse(
          StrCat("unexpected 'content' provided when using shared memory for input tensor '",
                 view.name, "' for model '", message_.model_name, "'"));
    }
    if (shared_ == nullptr) return UnknownRegion(range.region);
    NEREID_ASSIGN_OR_RETURN(input.data, shared_->ReadInput(range, input.data_type));
    return absl::OkStatus();
  }

  absl::Status AddContents(const InputView& view, InferRequest::Input& input) {
    if (!message_.raw_inputs.empty()) {
      return Refuse(
          StrCat("contents field must not be specified when using raw_input_contents for '",
                 view.name, "' for model '", message_.model_name, "'"));
    }
    NEREID_ASSIGN_OR_RETURN(
        input.data, ConvertContents(view, input.data_type, message_.model_name, message_.storage));
    return absl::OkStatus();
  }

  absl::Status AddRaw(const InputView& view, InferRequest::Input& input) {
    if (next_raw_ == message_.raw_inputs.size()) {
      return Refuse(StrCat("unable to find data for input tensor '", view.name, "' for model '",
                           message_.model_name, "' in request."));
    }
    input.data = Payload(message_.storage, message_.raw_inputs[next_raw_++]);
    return absl::OkStatus();
  }

  static absl::Status Refuse(const std::string& text) { return absl::InvalidArgumentError(text); }

  const InferMessage& message_;
  InferRequest& request_;
  SharedTensors* const shared_;
  size_t next_raw_ = 0;
};

absl::StatusOr<uint32_t> ClassificationCount(const ParameterViews& parameters) {
  const ParameterChoice* value = Find(parameters, "classification");
  if (value == nullptr) return 0;
  const auto* count = std::get_if<int64_t>(value);
  if (count == nullptr) {
    return absl::InvalidArgumentError(
        "invalid value type for 'classification' parameter, expected int64_param");
  }
  if (*count < 0) {
    return absl::InvalidArgumentError(
        "invalid value for 'classification' parameter, expected >= 0");
  }
  return static_cast<uint32_t>(std::min<int64_t>(*count, std::numeric_limits<uint32_t>::max()));
}

absl::Status AddOutput(const OutputView& view, InferRequest& request, SharedTensors* shared) {
  InferRequest::RequestedOutput& output = request.requested_outputs.emplace_back();
  output.name = view.name;
  if (view.parameters.empty()) return absl::OkStatus();
  NEREID_ASSIGN_OR_RETURN(const Range range, RangeOf(view.name, view.parameters));
  NEREID_ASSIGN_OR_RETURN(output.classification_count, ClassificationCount(view.parameters));
  if (!range) return absl::OkStatus();
  if (output.classification_count != 0) {
    return absl::InvalidArgumentError(
        "output can't set both 'shared_memory_region' and 'classification'");
  }
  return shared == nullptr ? UnknownRegion(range->region) : shared->AddOutput(view.name, *range);
}

}  // namespace

absl::Status AddRequestParameters(const InferMessage& message, InferRequest& request) {
  request.storage = message.storage;
  request.id = std::string(message.id);
  for (const ParameterView& parameter : message.parameters) {
    NEREID_RETURN_IF_ERROR(AddParameter(parameter, request));
  }
  return CheckNames(message, request);
}

absl::Status AddTensors(const InferMessage& message, InferRequest& request, SharedTensors* shared) {
  InputReader reader(message, request, shared);
  for (const InputView& input : message.inputs) NEREID_RETURN_IF_ERROR(reader.Add(input));
  for (const OutputView& output : message.outputs) {
    NEREID_RETURN_IF_ERROR(AddOutput(output, request, shared));
  }
  return absl::OkStatus();
}

}  // namespace nereid
