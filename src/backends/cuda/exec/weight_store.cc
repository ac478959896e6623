#include "backends/cuda/exec/weight_store.h"

#include <set>
#include <shared_mutex>
#include <utility>

#include "common/parallel_for.h"
#include "common/status_macros.h"
#include "kernels/jit/race.h"

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
    if (inserted) row->second = entries_[row->first].block.lock();
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
  size_t bytes = 0;
  for (const absl::StatusOr<HostTensor>& tensor : formed) {
    NEREID_RETURN_IF_ERROR(tensor.status());
    bytes += WeightBlock::RoomFor(tensor->byte_size());
  }
  NEREID_ASSIGN_OR_RETURN(DeviceMemory allocated, DeviceMemory::Allocate(context_, bytes));
  const auto memory = std::make_shared<const DeviceMemory>(std::move(allocated));
  std::vector<Block> blocks;
  size_t offset = 0;
  const std::shared_lock gate(RaceGate());
  for (const absl::StatusOr<HostTensor>& tensor : formed) {
    blocks.push_back(std::make_shared<const WeightBlock>(memory, offset, tensor->byte_size()));
    offset += WeightBlock::RoomFor(tensor->byte_size());
    NEREID_RETURN_IF_ERROR(
        stream_->CopyToDevice(blocks.back()->address(), tensor->bytes(), tensor->byte_size()));
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
  std::set<std::shared_ptr<const DeviceMemory>> held;
  for (const auto& [key, entry] : entries_) {
    if (const auto block = entry.block.lock()) held.insert(block->memory());
  }
  size_t bytes = 0;
  for (const auto& memory : held) bytes += memory->taken();
  return bytes;
}

}  // namespace nereid::engine
