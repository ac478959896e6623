#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "nereid/buffer.h"

namespace nereid::testing {

// `bytes` in segments whose sizes `next_size` gives; each lies in a block of exactly its size, so
// that a read beyond its end is caught.
inline Payload SegmentedPayload(std::string_view bytes, const std::function<size_t()>& next_size) {
  auto blocks = std::make_shared<std::vector<std::unique_ptr<std::byte[]>>>();
  Payload::Segments segments;
  while (!bytes.empty()) {
    const size_t size = std::min(std::max<size_t>(next_size(), 1), bytes.size());
    blocks->push_back(std::make_unique<std::byte[]>(size));
    std::copy_n(reinterpret_cast<const std::byte*>(bytes.data()), size, blocks->back().get());
    segments.emplace_back(blocks->back().get(), size);
    bytes.remove_prefix(size);
  }
  return Payload(std::move(blocks), std::move(segments));
}

inline Payload OnePiece(std::string_view bytes) {
  return SegmentedPayload(bytes, [&] { return bytes.size(); });
}

inline std::string BytesOf(const Payload& payload) {
  std::string out;
  for (const Payload::Segment segment : payload.segments()) {
    out.append(reinterpret_cast<const char*>(segment.data()), segment.size());
  }
  return out;
}

}  // namespace nereid::testing
