#pragma once

#include <cstddef>
#include <string_view>

namespace nereid {

// Finds where a request head ends, over bytes that arrive piece by piece; each byte is looked at
// once. Empty lines in front of the request line are skipped. What no head can begin or continue
// with is found early, so that such a client is not waited for: a first byte outside a method's
// alphabet, a line that ends without CR, a folded header line.
class HeadScanner {
 public:
  enum class Result { kIncomplete, kComplete, kMalformed };

  // `input` starts at the same byte in every call and is at least as long as in the last one.
  Result Scan(std::string_view input);

  // After kComplete: the head, with its closing empty line, is input[begin(), end()).
  size_t begin() const { return begin_; }
  size_t end() const { return line_; }

  void Reset() { *this = HeadScanner(); }

 private:
  bool AcceptLine(std::string_view line);

  size_t begin_ = 0;    // of the request line
  size_t line_ = 0;     // of the line being scanned
  size_t scanned_ = 0;  // bytes looked at
};

}  // namespace nereid
