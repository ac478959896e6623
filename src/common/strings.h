#pragma once

#include <charconv>
#include <string>
#include <string_view>
#include <type_traits>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace nereid {

// Debian builds Abseil with a string_view of its own, which std::string_view does not convert to.
// These few functions bridge the two; nothing else in the tree names absl::string_view.

inline std::string_view View(absl::string_view text) { return {text.data(), text.size()}; }
inline std::string_view Message(const absl::Status& status) { return View(status.message()); }

namespace strings_internal {

inline void AppendPiece(std::string& out, std::string_view piece) { out += piece; }
inline void AppendPiece(std::string& out, absl::string_view piece) { out += View(piece); }
inline void AppendPiece(std::string& out, const char* piece) { out += piece; }
inline void AppendPiece(std::string& out, const std::string& piece) { out += piece; }
inline void AppendPiece(std::string& out, char piece) { out += piece; }
template <typename T, typename = std::enable_if_t<std::is_arithmetic_v<T>>>
void AppendPiece(std::string& out, T number) {
  if constexpr (std::is_same_v<T, bool>) {
    out += number ? "1" : "0";
  } else {
    char digits[32];
    const auto end = std::to_chars(digits, digits + sizeof(digits), number).ptr;
    out.append(digits, static_cast<size_t>(end - digits));
  }
}

}  // namespace strings_internal

// Appends the pieces: text of any kind, characters and numbers (shortest exact form).
template <typename... Pieces>
void StrAppend(std::string* out, const Pieces&... pieces) {
  (strings_internal::AppendPiece(*out, pieces), ...);
}

// The pieces, one after the other.
template <typename... Pieces>
std::string StrCat(const Pieces&... pieces) {
  std::string out;
  StrAppend(&out, pieces...);
  return out;
}

}  // namespace nereid
