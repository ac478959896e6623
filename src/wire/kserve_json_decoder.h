#pragma once

// The walk over the JSON of one infer request; see kserve_json_request.h. A template over the kind
// of value, see JsonValue for what it has to offer.

#include <algorithm>
#include <chrono>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "infer/request_validator.h"
#include "infer/shared_tensors.h"
#include "wire/json_tensor_reader.h"
#include "wire/kserve_json_errors.h"
#include "wire/kserve_json_request.h"
#include "wire/name_set.h"

namespace nereid {

// Reads one request. Methods stand in the order in which they run, which decides what a request
// with several faults is told.
template <typename Value>
class KserveJsonDecoder {
 public:
  KserveJsonDecoder(const JsonInferBody& body, const std::shared_ptr<const ModelConfig>& config,
                    const JsonInferLimits& limits, InferRequest& request, OutputFormat& format,
                    SharedTensors* shared)
      : body_(body),
        config_(config),
        limits_(limits),
        request_(request),
        format_(format),
        shared_(shared) {}

  absl::Status Decode(const Value& root) {
    request_.storage = config_;
    std::optional<Value> id, parameters, inputs, outputs;
    root.ForEachMember(&key_scratch_, [&](std::string_view key, const Value& value) {
      KeepFirst(key, "id", value, id);
      KeepFirst(key, "parameters", value, parameters);
      KeepFirst(key, "inputs", value, inputs);
      KeepFirst(key, "outputs", value, outputs);
      return true;
    });
    if (id) NEREID_RETURN_IF_ERROR(ReadId(*id));
    if (parameters) NEREID_RETURN_IF_ERROR(ReadParameters(*parameters));
    if (!inputs) return MissingMember("inputs");
    NEREID_RETURN_IF_ERROR(ReadInputs(*inputs));
    if (binary_position_ != body_.bytes.size()) {
      return absl::InvalidArgumentError(
          StrCat("unexpected additional input data for model '", config_->name(), "'"));
    }
    return outputs ? ReadOutputs(*outputs) : absl::OkStatus();
  }

 private:
  // Of equal keys the first counts.
  static void KeepFirst(std::string_view key, std::string_view wanted, const Value& value,
                        std::optional<Value>& kept) {
    if (key == wanted && !kept) kept.emplace(value);
  }

  absl::Status ReadId(const Value& value) {
    std::string_view id;
    if (!value.GetString(&scratch_, &id)) return UnableToParse("id", kNotString);
    request_.id = std::string(id);
    return absl::OkStatus();
  }

  // --- Parameters of the request.

  struct KnownParameter {
    std::string_view name;
    absl::Status (KserveJsonDecoder::*read)(std::string_view name, const Value& value);
  };
  absl::Status ReadParameters(const Value& parameters) {
    if (!parameters.IsObject()) {
      return absl::InternalError(StrCat("failed to get request params.: ", kNotObject));
    }
    absl::Status status;
    NameSet names;
    parameters.ForEachMember(&key_scratch_, [&](std::string_view name, const Value& value) {
      if (!names.Insert(name)) return true;
      status = names.size() > limits_.max_parameters ? TooMany("parameters", limits_.max_parameters)
                                                     : ReadParameter(name, value);
      return status.ok();
    });
    return status;
  }

  absl::Status ReadParameter(std::string_view name, const Value& value) {
    static constexpr KnownParameter kKnownParameters[] = {
        {"sequence_id", &KserveJsonDecoder::ReadSequenceId},
        {"sequence_start", &KserveJsonDecoder::ReadSequenceStart},
        {"sequence_end", &KserveJsonDecoder::ReadSequenceEnd},
        {"priority", &KserveJsonDecoder::ReadPriority},
        {"timeout", &KserveJsonDecoder::ReadTimeout},
        {"binary_data_output", &KserveJsonDecoder::ReadBinaryDataOutput},
    };
    for (const KnownParameter& known : kKnownParameters) {
      if (known.name == name) return (this->*known.read)(name, value);
    }
    if (name.starts_with("triton_")) {
      return absl::InvalidArgumentError(
          "parameter keys starting with 'triton_' are reserved for Triton usage and should not be "
          "specified.");
    }
    return ReadCustomParameter(name, value);
  }

  absl::Status ReadSequenceId(std::string_view name, const Value& value) {
    uint64_t number = 0;
    if (value.GetUint(&number)) {
      request_.correlation_id = number;
      return absl::OkStatus();
    }
    std::string_view text;
    if (!value.GetString(&scratch_, &text)) return UnableToParse(name, kNotString);
    if (text.size() > kMaxCorrelationIdLength) {
      return absl::UnimplementedError(StrCat("string correlation ID cannot be longer than ",
                                             kMaxCorrelationIdLength, " characters"));
    }
    request_.correlation_id = std::string(text);
    return absl::OkStatus();
  }

  absl::Status ReadSequenceStart(std::string_view name, const Value& value) {
    return ReadBool(name, value, &request_.sequence.start);
  }
  absl::Status ReadSequenceEnd(std::string_view name, const Value& value) {
    return ReadBool(name, value, &request_.sequence.end);
  }
  absl::Status ReadBinaryDataOutput(std::string_view name, const Value& value) {
    return ReadBool(name, value, &format_.binary_by_default);
  }
  absl::Status ReadPriority(std::string_view name, const Value& value) {
    return ReadUint(name, value, &request_.priority);
  }
  absl::Status ReadTimeout(std::string_view name, const Value& value) {
    uint64_t micros = 0;
    NEREID_RETURN_IF_ERROR(ReadUint(name, value, &micros));
    constexpr uint64_t kLongest = std::numeric_limits<int64_t>::max() / 1000;
    request_.timeout = std::chrono::microseconds(std::min(micros, kLongest));
    return absl::OkStatus();
  }

  absl::Status ReadCustomParameter(std::string_view name, const Value& value) {
    ParameterValue custom;
    bool truth = false;
    int64_t integer = 0;
    double real = 0;
    std::string_view text;
    if (value.GetString(&scratch_, &text)) {
      custom = std::string(text);
    } else if (value.GetInt(&integer)) {
      custom = integer;
    } else if (value.GetBool(&truth)) {
      custom = truth;
    } else if (value.GetDouble(&real)) {
      custom = real;
    } else {
      return absl::InvalidArgumentError(
          StrCat("parameter '", name,
                 "' has invalid type. It should be either 'int', 'bool', or 'string'."));
    }
    request_.parameters.push_back({std::string(name), std::move(custom)});
    return absl::OkStatus();
  }

  // --- Inputs.

  // The members of one entry of `inputs` or `outputs`, its `parameters` included.
  struct Entry {
    std::optional<Value> name, datatype, shape, data;
    std::optional<Value> binary_data_size, binary_data, classification;
    std::optional<Value> region, region_offset, region_byte_size;
  };

  Entry ReadEntry(const Value& value) {
    Entry entry;
    std::optional<Value> parameters;
    value.ForEachMember(&key_scratch_, [&](std::string_view key, const Value& member) {
      KeepFirst(key, "name", member, entry.name);
      KeepFirst(key, "datatype", member, entry.datatype);
      KeepFirst(key, "shape", member, entry.shape);
      KeepFirst(key, "data", member, entry.data);
      KeepFirst(key, "parameters", member, parameters);
      return true;
    });
    if (!parameters) return entry;
    parameters->ForEachMember(&key_scratch_, [&](std::string_view key, const Value& member) {
      KeepFirst(key, "binary_data_size", member, entry.binary_data_size);
      KeepFirst(key, "binary_data", member, entry.binary_data);
      KeepFirst(key, "classification", member, entry.classification);
      KeepFirst(key, "shared_memory_region", member, entry.region);
      KeepFirst(key, "shared_memory_offset", member, entry.region_offset);
      KeepFirst(key, "shared_memory_byte_size", member, entry.region_byte_size);
      return true;
    });
    return entry;
  }

  absl::Status ReadInputs(const Value& inputs) {
    if (!inputs.IsArray()) return UnableToParse("inputs", kNotArray);
    binary_position_ = body_.json_size;
    absl::Status status;
    NameSet names;
    inputs.ForEachElement([&](const Value& element) {
      status = names.size() >= limits_.max_tensors ? TooMany("inputs", limits_.max_tensors)
                                                   : ReadInput(ReadEntry(element), names);
      return status.ok();
    });
    return status;
  }

  absl::Status ReadInput(const Entry& entry, NameSet& names) {
    NEREID_RETURN_IF_ERROR(CheckSources(entry));
    InferRequest::Input& input = request_.inputs.emplace_back();
    std::string_view name;
    NEREID_RETURN_IF_ERROR(ReadRequired("name", entry.name, &name));
    input.name = KeepName(name, config_->FindInput(name));
    std::string_view datatype;
    NEREID_RETURN_IF_ERROR(ReadRequired("datatype", entry.datatype, &datatype));
    input.data_type = DataTypeFromProtocolName(datatype);
    NEREID_RETURN_IF_ERROR(ReadShape(entry.shape, input));
    if (!names.Insert(input.name)) return NamedTwice("input", input.name);
    if (entry.data) return ReadJsonData(*entry.data, input);
    if (entry.binary_data_size) return TakeBinaryData(*entry.binary_data_size, input);
    return ReadSharedData(entry, input);
  }

  absl::Status CheckSources(const Entry& entry) const {
    const int sources =
        (entry.data ? 1 : 0) + (entry.binary_data_size ? 1 : 0) + (entry.region ? 1 : 0);
    if (sources == 1) return absl::OkStatus();
    std::string fault =
        "Input must set only one of the following fields: 'data', 'binary_data_size' in "
        "'parameters', 'shared_memory_region' in 'parameters'. But ";
    if (sources == 0) {
      fault += "no field is set";
    } else {
      fault += "set";
      if (entry.data) fault += " 'data'";
      if (entry.binary_data_size) fault += " 'binary_data_size'";
      if (entry.region) fault += " 'shared_memory_region'";
    }
    return absl::InvalidArgumentError(fault);
  }

  absl::Status ReadShape(const std::optional<Value>& value, InferRequest::Input& input) {
    if (!value) return MissingMember("shape");
    if (!value->IsArray()) return UnableToParse("shape", kNotArray);
    absl::Status status;
    value->ForEachElement([&](const Value& element) {
      uint64_t extent = 0;
      if (!element.GetUint(&extent)) {
        status = UnableToParse("shape", kNotUnsigned);
      } else if (input.shape.size() == limits_.max_dims) {
        status = TooMany("dimensions", limits_.max_dims);
      } else {
        // From 2^63 up it becomes negative, which no model accepts.
        input.shape.push_back(static_cast<int64_t>(extent));
      }
      return status.ok();
    });
    return status;
  }

  absl::Status ReadJsonData(const Value& data, InferRequest::Input& input) {
    const JsonTensor tensor{input.name, input.data_type, input.shape, body_.json_size,
                            limits_.max_input_size};
    NEREID_ASSIGN_OR_RETURN(input.data, ReadJsonTensor(tensor, data));
    return absl::OkStatus();
  }

  absl::Status TakeBinaryData(const Value& size_value, InferRequest::Input& input) {
    uint64_t size = 0;
    NEREID_RETURN_IF_ERROR(ReadUint("binary_data_size", size_value, &size));
    const size_t available = body_.bytes.size() - binary_position_;
    if (size > available) {
      return absl::InvalidArgumentError(
          StrCat("unexpected size for input '", input.name, "', expecting ", size - available,
                 " additional bytes for model '", config_->name(), "'"));
    }
    const char* start = body_.bytes.data() + binary_position_;
    input.data = Payload(body_.owner, reinterpret_cast<const std::byte*>(start), size);
    binary_position_ += size;
    return absl::OkStatus();
  }

  absl::Status ReadSharedData(const Entry& entry, InferRequest::Input& input) {
    SharedMemoryRange range;
    NEREID_RETURN_IF_ERROR(ReadRange(entry, range));
    if (shared_ == nullptr) return UnknownRegion(range.region);
    NEREID_ASSIGN_OR_RETURN(input.data, shared_->ReadInput(range, input.data_type));
    return absl::OkStatus();
  }

  // --- Outputs.

  absl::Status ReadOutputs(const Value& outputs) {
    if (!outputs.IsArray()) return UnableToParse("outputs", kNotArray);
    absl::Status status;
    NameSet names;
    outputs.ForEachElement([&](const Value& element) {
      status = names.size() >= limits_.max_tensors ? TooMany("outputs", limits_.max_tensors)
                                                   : ReadOutput(ReadEntry(element), names);
      return status.ok();
    });
    return status;
  }

  absl::Status ReadOutput(const Entry& entry, NameSet& names) {
    OutputFormat::Entry wanted;
    NEREID_RETURN_IF_ERROR(CheckOutputConflicts(entry));
    std::string_view name;
    NEREID_RETURN_IF_ERROR(ReadRequired("name", entry.name, &name));
    wanted.spec = config_->FindOutput(name);
    name = KeepName(name, wanted.spec);
    if (!names.Insert(name)) return NamedTwice("output", name);
    if (entry.classification) {
      uint64_t count = 0;
      if (!entry.classification->GetUint(&count))
        return UnableToSet("classification", kNotUnsigned);
      constexpr uint64_t kMost = std::numeric_limits<uint32_t>::max();
      wanted.classification_count = static_cast<uint32_t>(std::min(count, kMost));
    }
    wanted.in_region = entry.region.has_value();
    if (wanted.in_region) {
      NEREID_RETURN_IF_ERROR(PlaceOutput(entry, name));
    } else if (entry.binary_data) {
      NEREID_RETURN_IF_ERROR(ReadBool("binary_data", *entry.binary_data, &wanted.is_binary));
    }
    request_.requested_outputs.push_back({name, wanted.classification_count, wanted.spec});
    if (wanted.spec != nullptr) format_.entries.push_back(wanted);
    return absl::OkStatus();
  }

  absl::Status CheckOutputConflicts(const Entry& entry) const {
    if (!entry.region) return absl::OkStatus();
    if (entry.classification) {
      return absl::InvalidArgumentError(
          "Output can't set both 'shared_memory_region' and 'classification'");
    }
    bool is_binary = false;
    if (entry.binary_data && !entry.binary_data->GetBool(&is_binary)) {
      return UnableToSet("binary_data", kNotBoolean);
    }
    return is_binary ? absl::InvalidArgumentError(
                           "Output can't set both 'shared_memory_region' and 'binary_data'")
                     : absl::OkStatus();
  }

  // `name` is kept already.
  absl::Status PlaceOutput(const Entry& entry, std::string_view name) {
    SharedMemoryRange range;
    NEREID_RETURN_IF_ERROR(ReadRange(entry, range));
    return shared_ == nullptr ? UnknownRegion(range.region) : shared_->AddOutput(name, range);
  }

  // --- What inputs and outputs share.

  // Where in shared memory the tensor is. The region's name is good until the next string is read.
  absl::Status ReadRange(const Entry& entry, SharedMemoryRange& range) {
    if (!entry.region->GetString(&scratch_, &range.region)) {
      return UnableToParse("shared_memory_region", kNotString);
    }
    if (entry.region_offset) {
      NEREID_RETURN_IF_ERROR(ReadUint("shared_memory_offset", *entry.region_offset, &range.offset));
    }
    if (entry.region_byte_size) {
      NEREID_RETURN_IF_ERROR(
          ReadUint("shared_memory_byte_size", *entry.region_byte_size, &range.byte_size));
    }
    return absl::OkStatus();
  }
  static absl::Status UnknownRegion(std::string_view region) {
    return absl::NotFoundError(StrCat("Unable to find shared memory region: '", region, "'"));
  }

  // `name` as a view that lives as long as the request: the model's own spelling when it has one.
  std::string_view KeepName(std::string_view name, const TensorSpec* spec) {
    if (spec != nullptr) return spec->name;
    struct Link {
      std::string name;
      std::shared_ptr<const void> rest;
    };
    auto link = std::make_shared<const Link>(Link{std::string(name), std::move(request_.storage)});
    const std::string_view kept = link->name;
    request_.storage = std::move(link);
    return kept;
  }

  absl::Status ReadRequired(std::string_view field, const std::optional<Value>& value,
                            std::string_view* text) {
    if (!value) return MissingMember(field);
    if (!value->GetString(&scratch_, text)) return UnableToParse(field, kNotString);
    return absl::OkStatus();
  }

  static absl::Status ReadBool(std::string_view field, const Value& value, bool* truth) {
    return value.GetBool(truth) ? absl::OkStatus() : UnableToParse(field, kNotBoolean);
  }
  static absl::Status ReadUint(std::string_view field, const Value& value, uint64_t* number) {
    return value.GetUint(number) ? absl::OkStatus() : UnableToParse(field, kNotUnsigned);
  }
  static absl::Status UnableToSet(std::string_view field, std::string_view what) {
    return absl::InternalError(StrCat("Unable to set '", field, "': ", what));
  }
  static absl::Status TooMany(std::string_view what, size_t limit) {
    return absl::InvalidArgumentError(StrCat("request has more than ", limit, " ", what));
  }
  absl::Status NamedTwice(std::string_view what, std::string_view name) const {
    return absl::InvalidArgumentError(
        StrCat(RequestIdPrefix(request_), what, " '", name, "' already exists in request"));
  }

  static constexpr size_t kMaxCorrelationIdLength = 128;

  const JsonInferBody& body_;
  const std::shared_ptr<const ModelConfig>& config_;
  const JsonInferLimits& limits_;
  InferRequest& request_;
  OutputFormat& format_;
  SharedTensors* const shared_;
  size_t binary_position_ = 0;  // of the next binary tensor in the body
  std::string key_scratch_;
  std::string scratch_;
};

}  // namespace nereid
