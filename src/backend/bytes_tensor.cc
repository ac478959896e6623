#include "backend/bytes_tensor.h"

#include <bit>
#include <cstdint>
#include <cstring>

namespace nereid {

static_assert(std::endian::native == std::endian::little, "lengths are copied as they are");

std::optional<std::string_view> BytesReader::Next() {
  if (left_ < kBytesLengthSize) return std::nullopt;
  uint32_t length = 0;
  std::memcpy(&length, data_, sizeof(length));
  if (left_ - kBytesLengthSize < length) return std::nullopt;
  const std::string_view element(reinterpret_cast<const char*>(data_) + kBytesLengthSize, length);
  data_ += kBytesLengthSize + length;
  left_ -= kBytesLengthSize + length;
  return element;
}

std::byte* WriteBytesElement(std::string_view element, std::byte* out) {
  const auto length = static_cast<uint32_t>(element.size());
  std::memcpy(out, &length, sizeof(length));
  if (!element.empty()) std::memcpy(out + kBytesLengthSize, element.data(), element.size());
  return out + kBytesLengthSize + element.size();
}

}  // namespace nereid
