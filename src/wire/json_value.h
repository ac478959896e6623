#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"

namespace nereid {

// How a walk over the scalars of nested arrays ended.
enum class ScalarVisit : uint8_t {
  kDone,
  kStopped,  // by the visitor
  kTooDeep,  // arrays inside arrays beyond the limit
};

// One value inside JSON text that CheckJsonSyntax() has accepted: a position, nothing more. Reading
// walks the text and allocates nothing. The text outlives the value.
//
// Get functions return false, and leave the result alone, when the value is of another type.
class JsonValue {
 public:
  // The root of `text`, which has been checked.
  static JsonValue Root(std::string_view text);

  // The root of `text`. INTERNAL, with the protocol's text, when it is not JSON.
  static absl::StatusOr<JsonValue> Parse(std::string_view text);

  bool IsObject() const { return *begin_ == '{'; }
  bool IsArray() const { return *begin_ == '['; }
  bool IsString() const { return *begin_ == '"'; }
  bool IsNull() const { return *begin_ == 'n'; }

  bool GetBool(bool* value) const;
  // Integers without fraction and exponent that fit.
  bool GetUint(uint64_t* value) const;
  bool GetInt(int64_t* value) const;
  // Any number.
  bool GetDouble(double* value) const;
  // `value` points into the text, or into `scratch` when there were escapes to be decoded.
  bool GetString(std::string* scratch, std::string_view* value) const;

  // Calls `visit(JsonValue)` for each element of an array, `visit(std::string_view, JsonValue)` for
  // each member of an object, as long as it returns true. Other types have none. `scratch` holds
  // names with escapes.
  template <typename Visitor>
  void ForEachElement(Visitor visit) const;
  template <typename Visitor>
  void ForEachMember(std::string* scratch, Visitor visit) const;

  // Calls `visit(JsonValue)` for everything but arrays inside this array, in reading order. This
  // array is at depth 1.
  template <typename Visitor>
  ScalarVisit VisitScalars(int max_depth, Visitor visit) const;

 private:
  JsonValue(const char* begin, const char* end) : begin_(begin), end_(end) {}

  // The first character behind the value.
  const char* Skip() const;
  const char* SkipBlanks(const char* position) const;
  static const char* SkipString(const char* quote);

  const char* begin_;
  const char* end_;  // of the whole text
};

template <typename Visitor>
void JsonValue::ForEachElement(Visitor visit) const {
  if (!IsArray()) return;
  const char* position = SkipBlanks(begin_ + 1);
  while (*position != ']') {
    const JsonValue element(position, end_);
    if (!visit(element)) return;
    position = SkipBlanks(element.Skip());
    if (*position == ',') position = SkipBlanks(position + 1);
  }
}

template <typename Visitor>
void JsonValue::ForEachMember(std::string* scratch, Visitor visit) const {
  if (!IsObject()) return;
  const char* position = SkipBlanks(begin_ + 1);
  while (*position != '}') {
    const JsonValue key(position, end_);
    std::string_view name;
    key.GetString(scratch, &name);
    position = SkipBlanks(SkipString(position));  // the colon
    const JsonValue value(SkipBlanks(position + 1), end_);
    if (!visit(name, value)) return;
    position = SkipBlanks(value.Skip());
    if (*position == ',') position = SkipBlanks(position + 1);
  }
}

template <typename Visitor>
ScalarVisit JsonValue::VisitScalars(int max_depth, Visitor visit) const {
  int depth = 0;
  const char* position = begin_;
  do {
    if (*position == '[') {
      if (++depth > max_depth) return ScalarVisit::kTooDeep;
      position = SkipBlanks(position + 1);
    } else if (*position == ']') {
      --depth;
      if (depth > 0) position = SkipBlanks(position + 1);
    } else if (*position == ',') {
      position = SkipBlanks(position + 1);
    } else {
      const JsonValue scalar(position, end_);
      if (!visit(scalar)) return ScalarVisit::kStopped;
      position = SkipBlanks(scalar.Skip());
    }
  } while (depth > 0);
  return ScalarVisit::kDone;
}

}  // namespace nereid
