#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "backends/cuda/device/device_memory.h"
#include "backends/cuda/device/stream.h"
#include "backends/cuda/lower/lowered_program.h"

namespace nereid::engine {

// Where a weight lies, in a block that it shares with those it was uploaded with: one block takes
// no more than the weights do, and one call of the driver.
class WeightBlock {
 public:
  // What a weight takes of its block.
  static size_t RoomFor(size_t bytes) {
    constexpr size_t kAlignment = 256;
    return (bytes + kAlignment - 1) / kAlignment * kAlignment;
  }

  WeightBlock(std::shared_ptr<const DeviceMemory> memory, size_t offset, size_t size)
      : memory_(std::move(memory)), offset_(offset), size_(size) {}

  DevicePointer address() const { return memory_->address() + offset_; }
  size_t size() const { return size_; }
  const std::shared_ptr<const DeviceMemory>& memory() const { return memory_; }

 private:
  std::shared_ptr<const DeviceMemory> memory_;
  size_t offset_;
  size_t size_;
};

// Weights on one GPU, each once for every form that programs use it in. Any thread.
class WeightStore {
 public:
  static absl::StatusOr<std::unique_ptr<WeightStore>> Create(std::shared_ptr<Context> context);

  using Block = std::shared_ptr<const WeightBlock>;
  // A block for each use; what is new is converted, on all cores, and uploaded. Their memory lives
  // while anybody holds one of those that were uploaded together.
  absl::StatusOr<std::vector<Block>> Get(absl::Span<const WeightUse> uses);
  // What everything uploaded and still held takes on the GPU.
  size_t byte_size() const;

 private:
  // The bytes in host memory, which `tensor` keeps where they are.
  struct Entry {
    HostTensor tensor;
    std::weak_ptr<const WeightBlock> block;
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
