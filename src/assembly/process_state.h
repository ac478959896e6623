#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/log.h"
#include "memory/shared_memory.h"
#include "repository/repository_options.h"

namespace nereid {

// What a process that ends leaves to the one that takes its place.
struct ProcessState {
  // Descriptors of listening sockets, which the new process inherits.
  struct Sockets {
    std::vector<int> http, grpc, metrics;
  };

  uint64_t restarts = 0;          // that this process chain has seen, the coming one included
  std::string reason;             // of the last one
  std::vector<int64_t> failures;  // when devices failed: nanoseconds of the steady clock, ascending
  Sockets sockets;
  std::optional<LogOptions> log;  // as clients left it
  // What clients have loaded, in explicit mode; none: what the options say.
  std::optional<std::vector<RequestedModel>> models;
  std::vector<SharedMemoryInfo> regions;
};

// As bytes, for the same program on the same machine.
std::string SerializeProcessState(const ProcessState& state);
// INVALID_ARGUMENT for anything but what SerializeProcessState() made, in full.
absl::StatusOr<ProcessState> ParseProcessState(std::string_view bytes);

}  // namespace nereid
