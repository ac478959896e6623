#include "config/utf8.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <vector>

#include "common/strings.h"
#include "common/utf8.h"

namespace nereid {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

std::string ElementPath(const FieldDescriptor& field, int index) {
  return field.is_repeated() ? StrCat(field.name(), "[", index, "]") : field.name();
}

std::string FindInField(const Message& message, const FieldDescriptor& field, int index) {
  const Reflection& reflection = *message.GetReflection();
  const bool repeated = field.is_repeated();
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
    std::string scratch;
    const std::string& value =
        repeated ? reflection.GetRepeatedStringReference(message, &field, index, &scratch)
                 : reflection.GetStringReference(message, &field, &scratch);
    return IsValidUtf8(value) ? "" : ElementPath(field, index);
  }
  const Message& child = repeated ? reflection.GetRepeatedMessage(message, &field, index)
                                  : reflection.GetMessage(message, &field);
  const std::string inner = FindInvalidUtf8(child);
  return inner.empty() ? "" : StrCat(ElementPath(field, index), ".", inner);
}

}  // namespace

std::string FindInvalidUtf8(const google::protobuf::Message& message) {
  const Reflection& reflection = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const bool holds_strings = field->cpp_type() == FieldDescriptor::CPPTYPE_STRING ||
                               field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
    if (!holds_strings) continue;
    const int count = field->is_repeated() ? reflection.FieldSize(message, field) : 1;
    for (int i = 0; i < count; ++i) {
      if (std::string path = FindInField(message, *field, i); !path.empty()) return path;
    }
  }
  return "";
}

}  // namespace nereid
