#include "backends/cuda/exec/weight_store.h"

#include "common/status_macros.h"

namespace nereid::engine {

absl::StatusOr<std::unique_ptr<WeightStore>> WeightStore::Create(std::shared_ptr<Context> context) {
  NEREID_RETURN_IF_ERROR(context->Bind());
  NEREID_ASSIGN_OR_RETURN(std::unique_ptr<Stream> stream, Stream::Create(context));
  return std::unique_ptr<WeightStore>(new WeightStore(std::move(context), std::move(stream)));
}

absl::StatusOr<std::shared_ptr<const DeviceMemory>> WeightStore::Get(const WeightUse& use) {
  const Key key{use.tensor.bytes(), use.tensor.element_count(), use.type, use.form};
  const std::lock_guard lock(mutex_);
  Entry& entry = entries_[key];
  if (auto memory = entry.memory.lock()) return memory;
  NEREID_ASSIGN_OR_RETURN(const HostTensor formed, FormWeight(use.tensor, use.type, use.form));
  NEREID_ASSIGN_OR_RETURN(DeviceMemory block, DeviceMemory::Allocate(context_, formed.byte_size()));
  NEREID_RETURN_IF_ERROR(
      stream_->CopyToDevice(block.address(), formed.bytes(), formed.byte_size()));
  NEREID_RETURN_IF_ERROR(stream_->Synchronize());
  auto memory = std::make_shared<const DeviceMemory>(std::move(block));
  entry.tensor = use.tensor;
  entry.memory = memory;
  return memory;
}

size_t WeightStore::byte_size() const {
  const std::lock_guard lock(mutex_);
  size_t bytes = 0;
  for (const auto& [key, entry] : entries_) {
    if (const auto memory = entry.memory.lock()) bytes += memory->size();
  }
  return bytes;
}

}  // namespace nereid::engine
