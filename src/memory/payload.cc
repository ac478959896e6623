#include <cstring>

#include "nereid/buffer.h"

namespace nereid {

void Payload::CopyTo(std::byte* destination) const {
  for (const Segment& segment : segments_) {
    if (segment.empty()) continue;
    std::memcpy(destination, segment.data(), segment.size());
    destination += segment.size();
  }
}

}  // namespace nereid
