#include "config/config_json.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <string_view>

#include "common/json_text.h"
#include "common/strings.h"
#include "proto/model_config.pb.h"

namespace nereid {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// 64-bit integers that readers expect as strings; all others are numbers.
constexpr std::string_view kStringIntegers[] = {
    "inference.ModelInstanceGroup.SecondaryDevice.device_id",
    "inference.ModelOptimizationPolicy.Cuda.GraphSpec.Shape.dim",
    "inference.ModelSequenceBatching.InitialState.dims",
};

bool IsStringInteger(const FieldDescriptor& field) {
  return std::find(std::begin(kStringIntegers), std::end(kStringIntegers), field.full_name()) !=
         std::end(kStringIntegers);
}

// The shortest text that reads back as the same value. JSON has no numbers for what is not finite.
template <typename Float>
void AppendFloat(Float value, std::string* out) {
  if (std::isnan(value)) {
    out->append("\"NaN\"");
  } else if (std::isinf(value)) {
    out->append(value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
  } else if (value == 0 && std::signbit(value)) {
    out->append("-0.0");  // "-0" reads back as an integer, which has no sign
  } else {
    char text[32];
    out->append(text, std::to_chars(text, text + sizeof text, value).ptr);
  }
}

template <typename Integer>
void AppendInteger64(const FieldDescriptor& field, Integer value, std::string* out) {
  if (IsStringInteger(field)) {
    StrAppend(out, "\"", value, "\"");
  } else {
    StrAppend(out, value);
  }
}

void AppendMessage(const Message& message, std::string* out);

// Reads element `i` of a repeated field or the value of a singular one.
class Value {
 public:
  Value(const Message& message, const FieldDescriptor& field, int i)
      : message_(message), field_(field), i_(i), reflection_(*message.GetReflection()) {}

#define NEREID_VALUE_GETTER(Name, type)                                                \
  type Name() const {                                                                  \
    return field_.is_repeated() ? reflection_.GetRepeated##Name(message_, &field_, i_) \
                                : reflection_.Get##Name(message_, &field_);            \
  }
  NEREID_VALUE_GETTER(Int32, int32_t)
  NEREID_VALUE_GETTER(Int64, int64_t)
  NEREID_VALUE_GETTER(UInt32, uint32_t)
  NEREID_VALUE_GETTER(UInt64, uint64_t)
  NEREID_VALUE_GETTER(Float, float)
  NEREID_VALUE_GETTER(Double, double)
  NEREID_VALUE_GETTER(Bool, bool)
  NEREID_VALUE_GETTER(EnumValue, int)
  NEREID_VALUE_GETTER(String, std::string)
  NEREID_VALUE_GETTER(Message, const google::protobuf::Message&)
#undef NEREID_VALUE_GETTER

 private:
  const google::protobuf::Message& message_;
  const FieldDescriptor& field_;
  const int i_;
  const Reflection& reflection_;
};

void AppendEnum(const FieldDescriptor& field, int number, std::string* out) {
  if (const auto* named = field.enum_type()->FindValueByNumber(number)) {
    AppendJsonString(named->name(), *out);
  } else {
    StrAppend(out, number);
  }
}

void AppendValue(const Message& message, const FieldDescriptor& field, int i, std::string* out) {
  const Value value(message, field, i);
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return StrAppend(out, value.Int32());
    case FieldDescriptor::CPPTYPE_UINT32:
      return StrAppend(out, value.UInt32());
    case FieldDescriptor::CPPTYPE_INT64:
      return AppendInteger64(field, value.Int64(), out);
    case FieldDescriptor::CPPTYPE_UINT64:
      return AppendInteger64(field, value.UInt64(), out);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return AppendFloat(value.Float(), out);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return AppendFloat(value.Double(), out);
    case FieldDescriptor::CPPTYPE_BOOL:
      return StrAppend(out, value.Bool() ? "true" : "false");
    case FieldDescriptor::CPPTYPE_ENUM:
      return AppendEnum(field, value.EnumValue(), out);
    case FieldDescriptor::CPPTYPE_STRING:
      return AppendJsonString(value.String(), *out);
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return AppendMessage(value.Message(), out);
  }
}

void AppendList(const Message& message, const FieldDescriptor& field, std::string* out) {
  out->push_back('[');
  const int size = message.GetReflection()->FieldSize(message, &field);
  for (int i = 0; i < size; ++i) {
    if (i > 0) out->push_back(',');
    AppendValue(message, field, i, out);
  }
  out->push_back(']');
}

// Keys are strings in JSON, whatever their type.
std::string MapKey(const Message& entry, const FieldDescriptor& key) {
  std::string text;
  AppendValue(entry, key, 0, &text);
  if (text.front() == '"') return text;
  return StrCat("\"", text, "\"");
}

void AppendMap(const Message& message, const FieldDescriptor& field, std::string* out) {
  const FieldDescriptor& key = *field.message_type()->map_key();
  const FieldDescriptor& value = *field.message_type()->map_value();
  const Reflection& reflection = *message.GetReflection();
  // A key written twice is still there twice; the last one counts.
  std::map<std::string, const Message*> entries;
  for (int i = 0; i < reflection.FieldSize(message, &field); ++i) {
    const Message& entry = reflection.GetRepeatedMessage(message, &field, i);
    entries[MapKey(entry, key)] = &entry;
  }
  out->push_back('{');
  for (const auto& [name, entry] : entries) {
    if (out->back() != '{') out->push_back(',');
    StrAppend(out, name, ":");
    AppendValue(*entry, value, 0, out);
  }
  out->push_back('}');
}

bool IsPrinted(const Message& message, const FieldDescriptor& field) {
  if (field.is_repeated()) return true;
  const bool can_be_unset =
      field.containing_oneof() != nullptr || field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
  return !can_be_unset || message.GetReflection()->HasField(message, &field);
}

void AppendMessage(const Message& message, std::string* out) {
  out->push_back('{');
  bool first = true;
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor& field = *message.GetDescriptor()->field(i);
    if (!IsPrinted(message, field)) continue;
    StrAppend(out, first ? "\"" : ",\"", field.name(), "\":");
    first = false;
    if (field.is_map()) {
      AppendMap(message, field, out);
    } else if (field.is_repeated()) {
      AppendList(message, field, out);
    } else {
      AppendValue(message, field, 0, out);
    }
  }
  out->push_back('}');
}

}  // namespace

std::string ConfigToJson(const inference::ModelConfig& config) {
  std::string json;
  AppendMessage(config, &json);
  return json;
}

}  // namespace nereid
