#pragma once

#include <cstdint>
#include <vector>

#include "nereid/buffer.h"

namespace nereid {

// Memory one model version will need when loaded, in bytes by place.
struct MemoryEstimate {
  struct Item {
    MemoryPlace place;
    uint64_t byte_size = 0;
  };
  std::vector<Item> items;
};

}  // namespace nereid
