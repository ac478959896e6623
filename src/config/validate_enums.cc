#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <vector>

#include "common/status_macros.h"
#include "config/invalid.h"
#include "config/validate_parts.h"
#include "proto/model_config.pb.h"

namespace nereid::config_internal {
namespace {

using google::protobuf::FieldDescriptor;
using ProtoMessage = google::protobuf::Message;
using google::protobuf::Reflection;

absl::Status CheckNumber(const FieldDescriptor& field, int number) {
  if (field.enum_type()->FindValueByNumber(number) != nullptr) return absl::OkStatus();
  return Invalid("'", field.name(), "' has the unknown value ", number, " of ",
                 field.enum_type()->name());
}

absl::Status Walk(const ProtoMessage& message);

absl::Status CheckField(const ProtoMessage& message, const FieldDescriptor& field) {
  const Reflection& reflection = *message.GetReflection();
  const bool is_message = field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
  if (!is_message && field.cpp_type() != FieldDescriptor::CPPTYPE_ENUM) return absl::OkStatus();
  if (!field.is_repeated()) {
    return is_message ? Walk(reflection.GetMessage(message, &field))
                      : CheckNumber(field, reflection.GetEnumValue(message, &field));
  }
  // The schema has no repeated enum.
  for (int i = 0; is_message && i < reflection.FieldSize(message, &field); ++i) {
    NEREID_RETURN_IF_ERROR(Walk(reflection.GetRepeatedMessage(message, &field, i)));
  }
  return absl::OkStatus();
}

absl::Status Walk(const ProtoMessage& message) {
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    NEREID_RETURN_IF_ERROR(CheckField(message, *field));
  }
  return absl::OkStatus();
}

}  // namespace

// Both parsers keep enum numbers they do not know; nothing behind this check has to expect them.
absl::Status ValidateKnownEnums(const inference::ModelConfig& config) {
  absl::Status status = Walk(config);
  if (status.ok()) return status;
  return Invalid(Message(status), " for ", config.name());
}

}  // namespace nereid::config_internal
