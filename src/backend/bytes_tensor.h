#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "absl/status/statusor.h"

namespace nereid {

// Walks the elements of a BYTES tensor in one block: each a 4-byte little-endian length and that
// many bytes.
class BytesReader {
 public:
  BytesReader(const std::byte* data, size_t byte_size) : data_(data), left_(byte_size) {}

  // The next element, a view into the block; no value at the end and when what is left is no
  // element.
  std::optional<std::string_view> Next();
  bool AtEnd() const { return left_ == 0; }
  const std::byte* position() const { return data_; }

 private:
  const std::byte* data_;
  size_t left_;
};

inline constexpr size_t kBytesLengthSize = 4;

// Writes one element and returns the end of it.
std::byte* WriteBytesElement(std::string_view element, std::byte* out);

}  // namespace nereid
