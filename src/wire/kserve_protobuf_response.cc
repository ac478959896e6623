#include "wire/kserve_protobuf_response.h"

#include <limits>
#include <variant>

#include "common/strings.h"
#include "wire/kserve_protobuf_writer.h"

namespace nereid {
namespace {

// Up to here a copy costs less than a block of its own.
constexpr size_t kMaxCopiedBytes = 4096;
constexpr size_t kMaxMessageBytes = std::numeric_limits<int32_t>::max();

size_t StringFieldSize(std::string_view text) {
  return text.empty() ? 0 : BytesFieldSize(text.size());
}

void AppendChoice(const ParameterValue& value, std::string* out) {
  ProtobufWriter writer(out);
  if (const auto* flag = std::get_if<bool>(&value)) {
    writer.VarintField(1, *flag ? 1 : 0);
  } else if (const auto* number = std::get_if<int64_t>(&value)) {
    writer.VarintField(2, static_cast<uint64_t>(*number));
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    writer.Bytes(3, *text);
  } else if (const auto* real = std::get_if<double>(&value)) {
    writer.DoubleField(4, *real);
  } else {
    writer.VarintField(5, std::get<uint64_t>(value));
  }
}

void AppendParameter(const Parameter& parameter, std::string* out) {
  std::string choice;
  AppendChoice(parameter.value, &choice);
  ProtobufWriter writer(out);
  writer.BytesHead(4, BytesFieldSize(parameter.name.size()) + BytesFieldSize(choice.size()));
  writer.Bytes(1, parameter.name);
  writer.Bytes(2, choice);
}

void AppendOutput(const OutputTensor& output, std::string* out) {
  const std::string_view name = output.spec->name;
  const std::string_view type = ProtocolName(output.data_type);
  size_t dims_size = 0;
  for (const int64_t dim : output.shape) dims_size += VarintSize(static_cast<uint64_t>(dim));

  ProtobufWriter writer(out);
  writer.BytesHead(5, StringFieldSize(name) + BytesFieldSize(type.size()) +
                          (output.shape.empty() ? 0 : BytesFieldSize(dims_size)));
  writer.String(1, name);
  writer.Bytes(2, type);
  if (output.shape.empty()) return;
  writer.BytesHead(3, dims_size);
  for (const int64_t dim : output.shape) writer.Varint(static_cast<uint64_t>(dim));
}

void AppendRaw(const Payload& data, OutgoingMessage* message) {
  ProtobufWriter(&message->text).BytesHead(6, data.byte_size());
  if (data.byte_size() > kMaxCopiedBytes) {
    message->inserts.push_back({message->text.size(), data});
    return;
  }
  for (const Payload::Segment segment : data.segments()) {
    message->text.append(reinterpret_cast<const char*>(segment.data()), segment.size());
  }
}

// Close to the length of the text, so that it is allocated once.
size_t TextCapacity(const ResponseIdentity& identity, const InferResponse& response) {
  size_t size =
      32 + identity.model_name.size() + identity.model_version.size() + identity.id.size();
  for (const OutputTensor& output : response.outputs) {
    size += 40 + output.spec->name.size() + 4 * output.shape.size();
    if (output.data.byte_size() <= kMaxCopiedBytes) size += output.data.byte_size();
  }
  return size;
}

}  // namespace

absl::StatusOr<OutgoingMessage> EncodeInferResponse(const ResponseIdentity& identity,
                                                    const InferResponse& response) {
  OutgoingMessage message;
  message.text.reserve(TextCapacity(identity, response));
  ProtobufWriter writer(&message.text);
  writer.String(1, identity.model_name);
  writer.String(2, identity.model_version);
  writer.String(3, identity.id);
  for (const Parameter& parameter : response.parameters) {
    AppendParameter(parameter, &message.text);
  }
  for (const OutputTensor& output : response.outputs) AppendOutput(output, &message.text);
  for (const OutputTensor& output : response.outputs) {
    if (!output.data.place().HostAccessible()) {
      return absl::InternalError(
          StrCat("output '", output.spec->name, "' is in device memory and cannot be sent"));
    }
    AppendRaw(output.data, &message);
  }
  if (const size_t size = message.byte_size(); size > kMaxMessageBytes) {
    return absl::InvalidArgumentError(StrCat("Response has byte size ", size,
                                             " which exceeds gRPC's byte size limit ",
                                             kMaxMessageBytes, "."));
  }
  return message;
}

}  // namespace nereid
