#include "wire/json_value.h"

#include <charconv>
#include <cstring>
#include <limits>
#include <system_error>

#include "common/status_macros.h"
#include "wire/json_syntax.h"

namespace nereid {
namespace {

bool EndsScalar(char c) {
  switch (c) {
    case ',':
    case ']':
    case '}':
    case ' ':
    case '\n':
    case '\r':
    case '\t':
      return true;
    default:
      return false;
  }
}

void AppendUtf8(uint32_t code, std::string& out) {
  if (code < 0x80) {
    out += static_cast<char>(code);
    return;
  }
  if (code < 0x800) {
    out += static_cast<char>(0xC0 | (code >> 6));
  } else {
    if (code < 0x10000) {
      out += static_cast<char>(0xE0 | (code >> 12));
    } else {
      out += static_cast<char>(0xF0 | (code >> 18));
      out += static_cast<char>(0x80 | ((code >> 12) & 0x3F));
    }
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
  }
  out += static_cast<char>(0x80 | (code & 0x3F));
}

uint32_t ReadHex4(const char* digits) {
  uint32_t code = 0;
  std::from_chars(digits, digits + 4, code, 16);
  return code;
}

// Decodes the escape that starts at the backslash; returns the character behind it.
const char* AppendEscape(const char* backslash, std::string& out) {
  switch (const char kind = backslash[1]; kind) {
    case 'b':
      out += '\b';
      break;
    case 'f':
      out += '\f';
      break;
    case 'n':
      out += '\n';
      break;
    case 'r':
      out += '\r';
      break;
    case 't':
      out += '\t';
      break;
    case 'u': {
      uint32_t code = ReadHex4(backslash + 2);
      if (code < 0xD800 || code > 0xDFFF) {
        AppendUtf8(code, out);
        return backslash + 6;
      }
      code = 0x10000 + ((code - 0xD800) << 10) + (ReadHex4(backslash + 8) - 0xDC00);
      AppendUtf8(code, out);
      return backslash + 12;
    }
    default:
      out += kind;
      break;
  }
  return backslash + 2;
}

// Reads an integer of type T, which must be the whole scalar.
template <typename T>
bool ReadInteger(const char* begin, const char* end, T* value) {
  T number{};
  const auto [stop, error] = std::from_chars(begin, end, number);
  if (error != std::errc() || (stop != end && !EndsScalar(*stop))) return false;
  *value = number;
  return true;
}

}  // namespace

JsonValue JsonValue::Root(std::string_view text) {
  return JsonValue(text.data() + SkipJsonPreamble(text), text.data() + text.size());
}

absl::StatusOr<JsonValue> JsonValue::Parse(std::string_view text) {
  NEREID_RETURN_IF_ERROR(CheckJsonSyntax(text));
  return Root(text);
}

bool JsonValue::GetBool(bool* value) const {
  if (*begin_ != 't' && *begin_ != 'f') return false;
  *value = *begin_ == 't';
  return true;
}

bool JsonValue::GetUint(uint64_t* value) const {
  if (*begin_ != '-') return ReadInteger(begin_, end_, value);
  uint64_t magnitude = 0;  // minus zero is zero
  if (!ReadInteger(begin_ + 1, end_, &magnitude) || magnitude != 0) return false;
  *value = 0;
  return true;
}

bool JsonValue::GetInt(int64_t* value) const { return ReadInteger(begin_, end_, value); }

bool JsonValue::GetDouble(double* value) const {
  const bool negative = *begin_ == '-';
  const char* digits = begin_ + (negative ? 1 : 0);
  double number = 0;
  if (*digits == 'N') {
    number = std::numeric_limits<double>::quiet_NaN();
  } else if (*digits == 'I') {
    number = std::numeric_limits<double>::infinity();
  } else if (*digits >= '0' && *digits <= '9') {
    // What is too close to zero leaves the result alone; nothing checked is too large.
    std::from_chars(digits, end_, number);
  } else {
    return false;
  }
  *value = negative ? -number : number;
  return true;
}

bool JsonValue::GetString(std::string* scratch, std::string_view* value) const {
  if (!IsString()) return false;
  const char* start = begin_ + 1;
  const char* position = start;
  while (*position != '"' && *position != '\\') ++position;
  if (*position == '"') {
    *value = std::string_view(start, static_cast<size_t>(position - start));
    return true;
  }
  scratch->assign(start, position);
  while (*position != '"') {
    if (*position == '\\') {
      position = AppendEscape(position, *scratch);
    } else {
      *scratch += *position++;
    }
  }
  *value = *scratch;
  return true;
}

const char* JsonValue::SkipBlanks(const char* position) const {
  while (position != end_ &&
         (*position == ' ' || *position == '\n' || *position == '\r' || *position == '\t')) {
    ++position;
  }
  return position;
}

const char* JsonValue::SkipString(const char* quote) {
  const char* position = quote + 1;
  while (*position != '"') position += *position == '\\' ? 2 : 1;
  return position + 1;
}

const char* JsonValue::Skip() const {
  if (IsString()) return SkipString(begin_);
  const char* position = begin_;
  if (!IsArray() && !IsObject()) {
    while (position != end_ && !EndsScalar(*position)) ++position;
    return position;
  }
  size_t depth = 0;
  do {
    switch (*position) {
      case '"':
        position = SkipString(position);
        continue;
      case '[':
      case '{':
        ++depth;
        break;
      case ']':
      case '}':
        --depth;
        break;
      default:
        break;
    }
    ++position;
  } while (depth > 0);
  return position;
}

}  // namespace nereid
