#include "memory/shared_memory.h"

#include <limits>
#include <mutex>

#include "common/status_macros.h"
#include "common/strings.h"
#include "memory/cuda_shared_memory.h"

namespace nereid {

struct SharedMemoryRegistry::Entry {
  SharedMemoryInfo info;
  std::shared_ptr<SharedMemoryMapping> mapping;
  std::atomic<int64_t> uses{0};
  std::atomic<bool> leaving{false};  // unregistered; goes with the last use
};

namespace {

constexpr std::string_view kReservedPrefix = "triton_python_backend_shm_region_";

absl::Status AlreadyThere(std::string_view name) {
  return absl::AlreadyExistsError(StrCat("shared memory region '", name, "' already in manager"));
}

// Keys name files: one that the C library would cut off, or take for another, is refused.
absl::Status CheckKey(std::string_view name, std::string_view key) {
  const size_t start = key.find_first_not_of('/');
  if (start == std::string_view::npos || key.find('\0') != std::string_view::npos) {
    return absl::InvalidArgumentError(
        StrCat("cannot register shared memory region '", name, "' - invalid shm key '", key, "'"));
  }
  if (key.substr(start).starts_with(kReservedPrefix)) {
    return absl::InvalidArgumentError(
        StrCat("cannot register shared memory region '", name, "' with key '", key,
               "' as the key contains the reserved prefix '", kReservedPrefix, "'"));
  }
  return absl::OkStatus();
}

absl::Status CheckRange(const SharedMemoryRange& range, uint64_t region_size) {
  if (range.offset >= region_size) {
    return absl::InvalidArgumentError(
        StrCat("Invalid offset for shared memory region: '", range.region, "'"));
  }
  constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();
  if (range.byte_size > kMax - range.offset) {
    return absl::InvalidArgumentError(StrCat(
        "Integer overflow detected: byte_size (", range.byte_size, ") + offset (", range.offset,
        ") exceeds maximum value (", kMax, ") for region '", range.region, "'"));
  }
  if (range.byte_size > region_size - range.offset) {
    return absl::InvalidArgumentError(
        StrCat("Invalid offset + byte size for shared memory region: '", range.region, "'"));
  }
  return absl::OkStatus();
}

absl::Status CheckSound(const SharedMemoryRegistry::Entry& entry) {
  if (!entry.mapping->broken()) return absl::OkStatus();
  const bool is_system = entry.info.kind == SharedMemoryKind::kSystem;
  return absl::InternalError(StrCat(
      is_system ? "the object" : "the device", " behind shared memory region '", entry.info.name,
      "' has ", is_system ? "shrunk" : "failed or been reset", " since it was registered"));
}

std::string_view KindInLists(SharedMemoryKind kind) {
  return kind == SharedMemoryKind::kSystem ? "system" : "cuda";
}
std::string_view KindInText(SharedMemoryKind kind) {
  return kind == SharedMemoryKind::kSystem ? "system" : "CUDA";
}

}  // namespace

SharedMemoryRegistry::Lease& SharedMemoryRegistry::Lease::operator=(Lease&& other) noexcept {
  End();
  registry_ = other.registry_;
  entry_ = std::move(other.entry_);
  buffer_ = std::move(other.buffer_);
  return *this;
}

SharedMemoryRegistry::Lease::~Lease() { End(); }

void SharedMemoryRegistry::Lease::End() noexcept {
  const std::shared_ptr<Entry> entry = std::move(entry_);
  if (entry == nullptr) return;
  // Whoever unregisters says so first and counts then; this counts first and asks then.
  if (entry->uses.fetch_sub(1) == 1 && entry->leaving.load()) registry_->RemoveUnused(*entry);
}

absl::Status SharedMemoryRegistry::Lease::Check() const { return CheckSound(*entry_); }

SharedMemoryRegistry::~SharedMemoryRegistry() = default;

absl::Status SharedMemoryRegistry::CheckAllowed() const {
  if (allows_clients_) return absl::OkStatus();
  return absl::UnimplementedError(
      "Client shared memory is disabled. Start the server with '--allow-client-shm=true' to "
      "enable.");
}

absl::Status SharedMemoryRegistry::CheckNew(SharedMemoryKind kind, std::string_view name) const {
  NEREID_RETURN_IF_ERROR(CheckAllowed());
  if (name.empty()) {
    return absl::InvalidArgumentError(StrCat("'region name' is necessary to register ",
                                             KindInLists(kind), " shared memory region"));
  }
  std::shared_lock<std::shared_mutex> lock(mutex_);
  return entries_.find(name) == entries_.end() ? absl::OkStatus() : AlreadyThere(name);
}

absl::Status SharedMemoryRegistry::RegisterSystem(std::string_view name, const std::string& key,
                                                  uint64_t offset, uint64_t byte_size) {
  NEREID_RETURN_IF_ERROR(CheckAllowed());
  NEREID_RETURN_IF_ERROR(CheckKey(name, key));
  NEREID_RETURN_IF_ERROR(CheckNew(SharedMemoryKind::kSystem, name));
  NEREID_ASSIGN_OR_RETURN(auto mapping, SystemSharedMemory::Open(name, key, offset, byte_size));
  return Add({SharedMemoryKind::kSystem, std::string(name), key, offset, byte_size, 0, ""},
             std::move(mapping));
}

absl::Status SharedMemoryRegistry::RegisterCuda(std::string_view name, std::string_view handle,
                                                int64_t device, uint64_t byte_size) {
  NEREID_RETURN_IF_ERROR(CheckNew(SharedMemoryKind::kCuda, name));
  NEREID_ASSIGN_OR_RETURN(auto mapping, CudaSharedMemory::Open(name, handle, device, byte_size));
  return Add(
      {SharedMemoryKind::kCuda, std::string(name), "", 0, byte_size, device, std::string(handle)},
      std::move(mapping));
}

absl::Status SharedMemoryRegistry::Register(const SharedMemoryInfo& info) {
  return info.kind == SharedMemoryKind::kSystem
             ? RegisterSystem(info.name, info.key, info.offset, info.byte_size)
             : RegisterCuda(info.name, info.handle, info.device, info.byte_size);
}

absl::Status SharedMemoryRegistry::Add(SharedMemoryInfo info,
                                       std::shared_ptr<SharedMemoryMapping> mapping) {
  auto entry = std::make_shared<Entry>();
  entry->info = std::move(info);
  entry->mapping = std::move(mapping);
  std::unique_lock<std::shared_mutex> lock(mutex_);
  const bool added = entries_.try_emplace(entry->info.name, entry).second;
  lock.unlock();  // the mapping of a latecomer goes outside of the lock
  return added ? absl::OkStatus() : AlreadyThere(entry->info.name);
}

void SharedMemoryRegistry::Unregister(SharedMemoryKind kind, std::string_view name) {
  std::vector<std::shared_ptr<Entry>> gone;  // unmapped after the lock
  std::unique_lock<std::shared_mutex> lock(mutex_);
  auto at = name.empty() ? entries_.begin() : entries_.find(name);
  while (at != entries_.end()) {
    Entry& entry = *at->second;
    const auto next = name.empty() ? std::next(at) : entries_.end();
    if (entry.info.kind == kind) {
      entry.leaving.store(true);
      if (entry.uses.load() == 0) {
        gone.push_back(std::move(at->second));
        entries_.erase(at);
      }
    }
    at = next;
  }
  lock.unlock();
}

void SharedMemoryRegistry::RemoveUnused(const Entry& entry) noexcept {
  Entries::node_type gone;
  std::unique_lock<std::shared_mutex> lock(mutex_);
  const auto found = entries_.find(entry.info.name);
  // Meanwhile it may have been removed, and its name used again; or somebody uses it again.
  if (found != entries_.end() && found->second.get() == &entry && entry.uses.load() == 0) {
    gone = entries_.extract(found);
  }
  lock.unlock();
}

absl::StatusOr<std::vector<SharedMemoryInfo>> SharedMemoryRegistry::Status(
    SharedMemoryKind kind, std::string_view name) const {
  std::vector<SharedMemoryInfo> infos;
  std::shared_lock<std::shared_mutex> lock(mutex_);
  if (name.empty()) {
    for (const auto& [unused, entry] : entries_) {
      if (entry->info.kind == kind) infos.push_back(entry->info);
    }
    return infos;
  }
  const auto found = entries_.find(name);
  if (found == entries_.end()) {
    return absl::NotFoundError(
        StrCat("Unable to find ", KindInLists(kind), " shared memory region: '", name, "'"));
  }
  const SharedMemoryInfo& info = found->second->info;
  if (info.kind != kind) {
    return absl::NotFoundError(StrCat("The region named '", name, "' is registered as ",
                                      KindInText(info.kind), " shared memory, not ",
                                      KindInText(kind), " shared memory"));
  }
  infos.push_back(info);
  return infos;
}

absl::StatusOr<SharedMemoryRegistry::Lease> SharedMemoryRegistry::Use(
    const SharedMemoryRange& range, std::optional<int> gpu) {
  std::shared_lock<std::shared_mutex> lock(mutex_);
  const auto found = entries_.find(range.region);
  if (found == entries_.end()) {
    return absl::NotFoundError(StrCat("Unable to find shared memory region: '", range.region, "'"));
  }
  std::shared_ptr<Entry> entry = found->second;
  NEREID_RETURN_IF_ERROR(CheckRange(range, entry->info.byte_size));
  entry->uses.fetch_add(1);
  lock.unlock();

  SharedMemoryMapping& mapping = *entry->mapping;
  Lease lease(
      this, entry,
      Buffer(entry->mapping, mapping.data() + range.offset, range.byte_size, mapping.place()));
  if (gpu) mapping.PreferGpu(*gpu);
  NEREID_RETURN_IF_ERROR(CheckSound(*entry));
  return lease;
}

}  // namespace nereid
