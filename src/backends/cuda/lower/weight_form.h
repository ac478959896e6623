#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "backends/cuda/ir/host_tensor.h"

namespace nereid::engine {

enum class WeightOrder : uint8_t {
  kAsIs,
  kFilterChannelsLast,  // [K,C,R,S] → [K,R,S,C]; rank 3 is [K,C,S]
  kDepthwise,           // [C,1,R,S] → [R,S,C]
};

// How a constant is laid out on the device. Part of the key under which it is shared.
struct WeightForm {
  WeightOrder order = WeightOrder::kAsIs;
  // kFilterChannelsLast: C is filled up with zeros to this; 0: as it is.
  int64_t channels = 0;
  friend auto operator<=>(const WeightForm&, const WeightForm&) = default;
};

// The bytes to upload: `tensor` converted to `type` (floating to floating only; otherwise `type` is
// its own) and rearranged. Shares the bytes where nothing changes.
absl::StatusOr<HostTensor> FormWeight(const HostTensor& tensor, DataType type, WeightForm form);

}  // namespace nereid::engine
