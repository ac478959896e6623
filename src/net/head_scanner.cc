#include "net/head_scanner.h"

#include <cstring>

namespace nereid {
namespace {

constexpr size_t kMaxLeadingBlankBytes = 16;

// Methods are tokens; every one in use is made of letters and '-'.
bool MayStartMethod(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || c == '_';
}

}  // namespace

HeadScanner::Result HeadScanner::Scan(std::string_view input) {
  for (;;) {
    const void* found = input.size() > scanned_
                            ? memchr(input.data() + scanned_, '\n', input.size() - scanned_)
                            : nullptr;
    if (found == nullptr) {
      scanned_ = input.size();
      const bool starts_badly = line_ == begin_ && begin_ < input.size() && input[begin_] != '\r' &&
                                !MayStartMethod(input[begin_]);
      return starts_badly ? Result::kMalformed : Result::kIncomplete;
    }
    const size_t newline = static_cast<size_t>(static_cast<const char*>(found) - input.data());
    const std::string_view line = input.substr(line_, newline - line_);
    if (!AcceptLine(line)) return Result::kMalformed;
    const bool is_first = line_ == begin_;
    line_ = scanned_ = newline + 1;
    if (line.size() > 1) continue;
    if (!is_first) return Result::kComplete;
    begin_ = line_;
    if (begin_ > kMaxLeadingBlankBytes) return Result::kMalformed;
  }
}

bool HeadScanner::AcceptLine(std::string_view line) {
  if (line.empty() || line.back() != '\r') return false;
  if (line.size() == 1) return true;
  return line_ == begin_ ? MayStartMethod(line[0]) : line[0] != ' ' && line[0] != '\t';
}

}  // namespace nereid
