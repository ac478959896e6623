#include "wire/kserve_json_response.h"

#include <utility>
#include <variant>

#include "common/json_text.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "wire/classification.h"
#include "wire/json_tensor_writer.h"

namespace nereid {
namespace {

void AppendParameterValue(const ParameterValue& value, std::string* out) {
  std::visit(
      [out](const auto& held) {
        using T = std::decay_t<decltype(held)>;
        if constexpr (std::is_same_v<T, bool>) {
          *out += held ? "true" : "false";
        } else if constexpr (std::is_same_v<T, std::string>) {
          AppendJsonString(held, *out);
        } else if constexpr (std::is_same_v<T, double>) {
          AppendJsonDouble(held, out);
        } else {
          StrAppend(out, held);
        }
      },
      value);
}

void AppendParameters(const Parameters& parameters, std::string* out) {
  *out += ",\"parameters\":{";
  bool first = true;
  for (const Parameter& parameter : parameters) {
    if (!std::exchange(first, false)) *out += ',';
    AppendJsonString(parameter.name, *out);
    *out += ':';
    AppendParameterValue(parameter.value, out);
  }
  *out += '}';
}

void AppendShape(const Shape& shape, std::string* out) {
  *out += '[';
  for (size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) *out += ',';
    StrAppend(out, shape[i]);
  }
  *out += ']';
}

absl::Status AppendOutput(const OutputTensor& output, const OutputFormat::Entry& wanted,
                          JsonInferResponse& body) {
  std::string* out = &body.json;
  *out += "{\"name\":";
  AppendJsonString(output.spec->name, *out);
  StrAppend(out, ",\"datatype\":\"", ProtocolName(output.data_type), "\",\"shape\":");
  AppendShape(output.shape, out);
  if (wanted.in_region) {
    *out += '}';
    return absl::OkStatus();
  }
  if (!wanted.is_binary) {
    *out += ",\"data\":";
    NEREID_RETURN_IF_ERROR(AppendJsonTensor(output, out));
  } else {
    if (!output.data.place().HostAccessible()) {
      return absl::InternalError(
          StrCat("output '", output.spec->name, "' is not in memory that can be read"));
    }
    StrAppend(out, ",\"parameters\":{\"binary_data_size\":", output.data.byte_size(), "}");
    body.binary_size += output.data.byte_size();
    body.binary.push_back(output.data);
  }
  *out += '}';
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<JsonInferResponse> EncodeJsonResponse(const JsonResponseHead& head,
                                                     const OutputFormat& format,
                                                     InferResponse& response) {
  JsonInferResponse body;
  std::string* out = &body.json;
  out->reserve(256 + 2 * BytesToConvert(format, response));
  *out += '{';
  if (!head.request_id.empty()) {
    *out += "\"id\":";
    AppendJsonString(head.request_id, *out);
    *out += ',';
  }
  *out += "\"model_name\":";
  AppendJsonString(head.config->name(), *out);
  StrAppend(out, ",\"model_version\":\"", head.model_version, "\"");
  if (!response.parameters.empty()) AppendParameters(response.parameters, out);
  *out += ",\"outputs\":[";
  bool first = true;
  for (OutputTensor& output : response.outputs) {
    if (!std::exchange(first, false)) *out += ',';
    const OutputFormat::Entry wanted = format.Find(output.spec);
    if (wanted.classification_count > 0) {
      NEREID_ASSIGN_OR_RETURN(
          output, Classify(output, wanted.classification_count, head.config->max_batch_size() > 0));
    }
    NEREID_RETURN_IF_ERROR(AppendOutput(output, wanted, body));
  }
  *out += "]}";
  return body;
}

size_t BytesToConvert(const OutputFormat& format, const InferResponse& response) {
  size_t bytes = 0;
  for (const OutputTensor& output : response.outputs) {
    const OutputFormat::Entry wanted = format.Find(output.spec);
    if (!wanted.is_binary || wanted.classification_count > 0) bytes += output.data.byte_size();
  }
  return bytes;
}

std::string JsonError(std::string_view message) {
  std::string out = "{\"error\":";
  AppendJsonString(message, out);
  out += '}';
  return out;
}

}  // namespace nereid
