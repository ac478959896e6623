#include "config/utf8.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <cstdint>
#include <vector>

#include "common/strings.h"

namespace nereid {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// First bytes by length: how they are recognised, what they carry and the least value they may
// code.
struct Lead {
  uint8_t mask, pattern;
  int continuation_bytes;
  uint32_t minimum;
};
constexpr Lead kLeads[] = {
    {0x80, 0x00, 0, 0x0}, {0xE0, 0xC0, 1, 0x80}, {0xF0, 0xE0, 2, 0x800}, {0xF8, 0xF0, 3, 0x10000}};

// Length of the valid code point at the start of `text`, 0 when there is none.
size_t CodePointLength(std::string_view text) {
  const auto first = static_cast<uint8_t>(text[0]);
  for (const Lead& lead : kLeads) {
    if ((first & lead.mask) != lead.pattern) continue;
    const size_t length = 1 + lead.continuation_bytes;
    if (text.size() < length) return 0;
    uint32_t value = first & static_cast<uint8_t>(~lead.mask);
    for (size_t i = 1; i < length; ++i) {
      const auto byte = static_cast<uint8_t>(text[i]);
      if ((byte & 0xC0) != 0x80) return 0;
      value = (value << 6) | (byte & 0x3F);
    }
    const bool is_surrogate = value >= 0xD800 && value <= 0xDFFF;
    return value >= lead.minimum && value <= 0x10FFFF && !is_surrogate ? length : 0;
  }
  return 0;
}

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

bool IsValidUtf8(std::string_view text) {
  while (!text.empty()) {
    const size_t length = CodePointLength(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

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
