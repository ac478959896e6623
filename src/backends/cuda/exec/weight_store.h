#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <tuple>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "backends/cuda/device/device_memory.h"
#include "backends/cuda/device/stream.h"
#include "backends/cuda/lower/lowered_program.h"

namespace nereid::engine {

// Weights on one GPU, each once for every form that programs use it in. Any thread.
class WeightStore {
 public:
  static absl::StatusOr<std::unique_ptr<WeightStore>> Create(std::shared_ptr<Context> context);

  using Block = std::shared_ptr<const DeviceMemory>;
  // A block for each use; what is new is converted, on all cores, and uploaded. Blocks live while
  // anybody holds them.
  absl::StatusOr<std::vector<Block>> Get(absl::Span<const WeightUse> uses);
  // Of everything uploaded and still held.
  size_t byte_size() const;

 private:
  // The bytes in host memory, which `tensor` keeps where they are.
  struct Entry {
    HostTensor tensor;
    std::weak_ptr<const DeviceMemory> memory;
  };
  using Key = std::tuple<const void*, int64_t, DataType, WeightForm>;
  static Key KeyOf(const WeightUse& use) {
    return {use.tensor.bytes(), use.tensor.element_count(), use.type, use.form};
  }

  // Converts and uploads; what it makes goes to `held`.
  absl::Status Upload(absl::Span<const WeightUse* const> uses, std::map<Key, Block>& held);

  WeightStore(std::shared_ptr<Context> context, std::unique_ptr<Stream> stream)
      : context_(std::move(context)), stream_(std::move(stream)) {}

  const std::shared_ptr<Context> context_;
  const std::unique_ptr<Stream> stream_;
  mutable std::mutex mutex_;
  std::map<Key, Entry> entries_;
};

}  // namespace nereid::engine
