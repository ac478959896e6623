#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "nereid/buffer.h"

namespace nereid::testing {

// The bytes of `values` as they lie in memory.
template <typename T>
std::string BytesOf(const std::vector<T>& values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  for (size_t i = 0; i < values.size(); ++i) {
    const T value = values[i];  // vector<bool> has no addresses
    std::memcpy(bytes.data() + i * sizeof(T), &value, sizeof(T));
  }
  return bytes;
}

// A BYTES tensor: each string with its length in front.
inline std::string BytesOf(const std::vector<std::string>& values) {
  std::string bytes;
  for (const std::string& value : values) {
    bytes += BytesOf(std::vector<uint32_t>{static_cast<uint32_t>(value.size())}) + value;
  }
  return bytes;
}

// A payload that owns a copy of `bytes`, cut into pieces of at most `piece` bytes.
inline Payload PayloadOf(std::string_view bytes, size_t piece = SIZE_MAX) {
  auto owner = std::make_shared<const std::string>(bytes);
  const auto* data = reinterpret_cast<const std::byte*>(owner->data());
  Payload::Segments segments;
  for (size_t start = 0; start < bytes.size(); start += std::min(piece, bytes.size() - start)) {
    segments.emplace_back(data + start, std::min(piece, bytes.size() - start));
  }
  return Payload(std::move(owner), std::move(segments));
}

inline std::string StringOf(const Payload& payload) {
  std::string bytes(payload.byte_size(), '\0');
  if (!bytes.empty()) payload.CopyTo(reinterpret_cast<std::byte*>(bytes.data()));
  return bytes;
}

}  // namespace nereid::testing
