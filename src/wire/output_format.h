#pragma once

#include <cstdint>

#include "absl/container/inlined_vector.h"
#include "nereid/model_config.h"

namespace nereid {

// How one request wants its outputs in the body of the response.
struct OutputFormat {
  struct Entry {
    const TensorSpec* spec = nullptr;
    bool is_binary = false;
    uint32_t classification_count = 0;  // 0: the tensor itself
    bool in_region = false;             // its data is not in the body at all
  };

  // Outputs the request named. When it named none, all are sent as `binary_by_default` says.
  absl::InlinedVector<Entry, 2> entries;
  bool binary_by_default = false;

  Entry Find(const TensorSpec* spec) const {
    for (const Entry& entry : entries) {
      if (entry.spec == spec) return entry;
    }
    return {spec, binary_by_default};
  }
};

}  // namespace nereid
