#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

namespace nereid {

// Bytes that may be read behind the end of every request body (simdjson reads whole blocks).
inline constexpr size_t kBodyPadding = 64;

// Boundary on which a body's HeadDecision::aligned_body_offset is placed.
inline constexpr size_t kBodyAlignment = 64;

// A complete message body as one contiguous block. Views into it stay valid as long as `owner` (or
// a copy of it) lives, whatever happens to the request and the connection.
struct HttpBody {
  std::shared_ptr<const void> owner;
  const char* data = nullptr;
  size_t size = 0;

  std::string_view view() const { return {data, size}; }
  bool empty() const { return size == 0; }
};

}  // namespace nereid
