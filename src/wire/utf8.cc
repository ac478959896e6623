#include "wire/utf8.h"

#include <simdjson.h>

#include <cstdint>

namespace nereid {

bool IsUtf8(std::string_view text) {
  // Names are short and plain: an inlined loop settles them sooner than a call through a
  // dispatcher.
  uint8_t all_bits = 0;
  if (text.size() <= 32) {
    for (const char c : text) all_bits |= static_cast<uint8_t>(c);
    if (all_bits < 0x80) return true;
  }
  return simdjson::validate_utf8(text.data(), text.size());
}

}  // namespace nereid
