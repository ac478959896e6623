#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace nereid {

enum class InstanceKind : uint8_t { kCpu, kGpu, kModel };

// Which instance of a model is being made, and where.
struct InstanceContext {
  std::string name;  // "<group>_<position>"
  InstanceKind kind = InstanceKind::kCpu;
  int device = 0;       // GPU ordinal for kGpu
  int index = 0;        // position of this instance among all instances of the model
  int stream_slot = 0;  // position among the instances on the same device
  std::vector<std::string> profiles;
};

// An instance group a backend would like: kind and count (0: the default of that kind).
struct PreferredGroup {
  InstanceKind kind = InstanceKind::kCpu;
  int count = 0;
};

}  // namespace nereid
