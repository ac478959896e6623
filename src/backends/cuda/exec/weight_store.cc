#include "backends/cuda/exec/weight_store.h"

#include <utility>

#include "common/parallel_for.h"
#include "common/status_macros.h"

namespace nereid::engine {
namespace {

constexpr size_t kBatchBytes = size_t{512} << 20;  // converted at a time

}  // namespace

absl::StatusOr<std::unique_ptr<WeightStore>> WeightStore::Create(std::shared_ptr<Context> context) {
  NEREID_RETURN_IF_ERROR(context->Bind());
  NEREID_ASSIGN_OR_RETURN(std::unique_ptr<Stream> stream, Stream::Create(context));
  return std::unique_ptr<WeightStore>(new WeightStore(std::move(context), std::move(stream)));
}

absl::StatusOr<std::vector<WeightStore::Block>> WeightStore::Get(absl::Span<const WeightUse> uses) {
  NEREID_RETURN_IF_ERROR(context_->Bind());
  const std::lock_guard lock(mutex_);
  std::map<Key, Block> held;
  std::vector<const WeightUse*> missing;
  for (const WeightUse& use : uses) {
    const auto [row, inserted] = held.try_emplace(KeyOf(use));
    if (inserted) row->second = entries_[row->first].memory.lock();
    if (inserted && row->second == nullptr) missing.push_back(&use);
  }
  for (size_t begin = 0, end = 0; begin < missing.size(); begin = end) {
    for (size_t bytes = 0; end < missing.size() && bytes < kBatchBytes; ++end) {
      bytes += missing[end]->tensor.byte_size();
    }
    NEREID_RETURN_IF_ERROR(Upload(absl::MakeConstSpan(missing).subspan(begin, end - begin), held));
  }
  std::vector<Block> blocks;
  for (const WeightUse& use : uses) blocks.push_back(held[KeyOf(use)]);
  return blocks;
}

absl::Status WeightStore::Upload(absl::Span<const WeightUse* const> uses,
                                 std::map<Key, Block>& held) {
  std::vector<absl::StatusOr<HostTensor>> formed(uses.size(), absl::UnknownError("not formed"));
  ParallelFor(uses.size(), [&](size_t i) {
    formed[i] = FormWeight(uses[i]->tensor, uses[i]->type, uses[i]->form);
  });
  std::vector<Block> blocks;
  for (const absl::StatusOr<HostTensor>& tensor : formed) {
    NEREID_RETURN_IF_ERROR(tensor.status());
    NEREID_ASSIGN_OR_RETURN(DeviceMemory block,
                            DeviceMemory::Allocate(context_, tensor->byte_size()));
    NEREID_RETURN_IF_ERROR(
        stream_->CopyToDevice(block.address(), tensor->bytes(), tensor->byte_size()));
    blocks.push_back(std::make_shared<const DeviceMemory>(std::move(block)));
  }
  NEREID_RETURN_IF_ERROR(stream_->Synchronize());
  for (size_t i = 0; i < uses.size(); ++i) {
    entries_[KeyOf(*uses[i])] = {uses[i]->tensor, blocks[i]};
    held[KeyOf(*uses[i])] = std::move(blocks[i]);
  }
  return absl::OkStatus();
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
