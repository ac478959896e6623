#include "wire/json_syntax.h"

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "common/strings.h"

namespace nereid {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

bool IsBlank(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

int HexValue(char c) {
  if (IsDigit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Walks the text once. Each Check function starts at the first character of what it checks and
// leaves the position behind it; on a fault it notes what is wrong and where, and returns false.
class SyntaxChecker {
 public:
  explicit SyntaxChecker(std::string_view text)
      : text_(text), position_(text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0) {}

  bool Check() {
    SkipBlanks();
    if (AtEnd()) return Fault("The document is empty.");
    if (!CheckValues()) return false;
    SkipBlanks();
    if (!AtEnd()) return Fault("The document root must not be followed by other values.");
    return true;
  }

  absl::Status status() const {
    return absl::InternalError(
        StrCat("failed to parse the request JSON buffer: ", what_, " at ", fault_position_));
  }

 private:
  bool AtEnd() const { return position_ == text_.size(); }
  // 0 at the end; a zero byte is legal nowhere, so the two need not be told apart.
  char Peek() const { return AtEnd() ? '\0' : text_[position_]; }
  bool Consume(char c) {
    if (Peek() != c || AtEnd()) return false;
    ++position_;
    return true;
  }
  void SkipBlanks() {
    while (!AtEnd() && IsBlank(text_[position_])) ++position_;
  }
  bool Fault(const char* what) { return FaultAt(position_, what); }
  bool FaultAt(size_t position, const char* what) {
    what_ = what;
    fault_position_ = position;
    return false;
  }

  // One value with everything inside it. `open_` holds the bracket of each container around the
  // current position.
  bool CheckValues() {
    do {
      if (!CheckOneValue()) return false;
      while (!descended_ && !open_.empty()) {
        SkipBlanks();
        if (Consume(',')) {
          SkipBlanks();
          if (open_.back() == '{' && !CheckMemberName()) return false;
          break;
        }
        const bool in_object = open_.back() == '{';
        if (!Consume(in_object ? '}' : ']')) {
          return Fault(in_object ? "Missing a comma or } after an object member."
                                 : "Missing a comma or ] after an array element.");
        }
        open_.pop_back();
      }
    } while (!open_.empty());
    return true;
  }

  // A scalar, an empty container, or the opening of a container up to its first value; in the last
  // case `descended_` is set.
  bool CheckOneValue() {
    descended_ = false;
    switch (Peek()) {
      case '{':
      case '[':
        return CheckOpening();
      case '"':
        return CheckString();
      case 't':
        return CheckWord("true");
      case 'f':
        return CheckWord("false");
      case 'n':
        return CheckWord("null");
      default:
        return CheckNumber();
    }
  }

  bool CheckOpening() {
    const char bracket = text_[position_++];
    SkipBlanks();
    if (Consume(bracket == '{' ? '}' : ']')) return true;
    open_.push_back(bracket);
    descended_ = true;
    return bracket == '[' || CheckMemberName();
  }

  // A name, the colon, and the blanks up to the value.
  bool CheckMemberName() {
    if (Peek() != '"') return Fault("Missing a name for object member.");
    if (!CheckString()) return false;
    SkipBlanks();
    if (!Consume(':')) return Fault("Missing a colon after a name of object member.");
    SkipBlanks();
    return true;
  }

  bool CheckWord(std::string_view word) {
    for (char c : word) {
      if (!Consume(c)) return Fault("Invalid value.");
    }
    return true;
  }

  bool CheckNumber() {
    const size_t start = position_;
    Consume('-');
    if (Peek() == 'N') return CheckWord("NaN");
    if (Peek() == 'I') return CheckWord("Inf") && (Peek() != 'i' || CheckWord("inity"));
    if (!Consume('0') && !SkipDigits()) return Fault("Invalid value.");
    bool may_be_big = position_ - start > 300;
    if (Consume('.') && !SkipDigits()) return Fault("Miss fraction part in number.");
    if (Consume('e') || Consume('E')) {
      if (!Consume('-')) {
        Consume('+');
        may_be_big = true;
      }
      if (!SkipDigits()) return Fault("Miss exponent in number.");
    }
    if (may_be_big && IsTooBig(text_.substr(start, position_ - start))) {
      return FaultAt(start, "Number too big to be stored in double.");
    }
    return true;
  }

  // Conversion gives zero for what is too small and an infinity for what is too large.
  static bool IsTooBig(std::string_view number) {
    return std::isinf(std::strtod(std::string(number).c_str(), nullptr));
  }

  bool SkipDigits() {
    const size_t start = position_;
    while (!AtEnd() && IsDigit(text_[position_])) ++position_;
    return position_ > start;
  }

  bool CheckString() {
    ++position_;  // the opening quote
    while (!AtEnd()) {
      const char c = text_[position_];
      if (c == '"') {
        ++position_;
        return true;
      }
      if (c == '\\') {
        if (!CheckEscape()) return false;
      } else if (static_cast<uint8_t>(c) < 0x20) {
        return Fault(c == '\0' ? "Missing a closing quotation mark in string."
                               : "Invalid encoding in string.");
      } else {
        ++position_;
      }
    }
    return Fault("Missing a closing quotation mark in string.");
  }

  bool CheckEscape() {
    const size_t start = position_++;
    const char kind = Peek();
    if (kind == 'u' && !AtEnd()) {
      ++position_;
      return CheckUnicodeEscape(start);
    }
    if (AtEnd() || std::string_view("\"\\/bfnrt").find(kind) == std::string_view::npos) {
      return FaultAt(start, "Invalid escape character in string.");
    }
    ++position_;
    return true;
  }

  bool CheckUnicodeEscape(size_t start) {
    int code = 0;
    if (!ReadHex4(&code)) {
      return FaultAt(start, "Incorrect hex digit after \\u escape in string.");
    }
    if (code < 0xD800 || code > 0xDFFF) return true;
    int low = 0;
    if (code > 0xDBFF || !Consume('\\') || !Consume('u')) {
      return FaultAt(start, "The surrogate pair in string is invalid.");
    }
    if (!ReadHex4(&low)) {
      return FaultAt(start, "Incorrect hex digit after \\u escape in string.");
    }
    if (low < 0xDC00 || low > 0xDFFF) {
      return FaultAt(start, "The surrogate pair in string is invalid.");
    }
    return true;
  }

  bool ReadHex4(int* code) {
    for (int i = 0; i < 4; ++i) {
      const int digit = HexValue(Peek());
      if (digit < 0) return false;
      *code = *code * 16 + digit;
      ++position_;
    }
    return true;
  }

  const std::string_view text_;
  size_t position_;
  std::string open_;
  bool descended_ = false;
  const char* what_ = "";
  size_t fault_position_ = 0;
};

}  // namespace

absl::Status CheckJsonSyntax(std::string_view text) {
  SyntaxChecker checker(text);
  return checker.Check() ? absl::OkStatus() : checker.status();
}

size_t SkipJsonPreamble(std::string_view text) {
  size_t position = text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
  while (position < text.size() && IsBlank(text[position])) ++position;
  return position;
}

}  // namespace nereid
