#include "net/percent.h"

#include "net/text.h"

namespace nereid {
namespace {

// The value of a hexadecimal digit, -1 for anything else.
int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = ToLowerAscii(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool IsEscape(std::string_view text, size_t i) {
  return text[i] == '%' && i + 2 < text.size() && HexValue(text[i + 1]) >= 0 &&
         HexValue(text[i + 2]) >= 0;
}

}  // namespace

size_t PercentDecode(std::string_view text, char* out) {
  size_t length = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (IsEscape(text, i)) {
      out[length++] = static_cast<char>(HexValue(text[i + 1]) * 16 + HexValue(text[i + 2]));
      i += 2;
    } else {
      out[length++] = text[i];
    }
  }
  return length;
}

}  // namespace nereid
