#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "memory/shared_memory_region.h"
#include "nereid/buffer.h"

namespace nereid {

enum class SharedMemoryKind : uint8_t { kSystem, kCuda };

// What was said when a region was registered.
struct SharedMemoryInfo {
  SharedMemoryKind kind = SharedMemoryKind::kSystem;
  std::string name;
  std::string key;      // system: of the POSIX object
  uint64_t offset = 0;  // system: of the region in the object
  uint64_t byte_size = 0;
  int64_t device = 0;       // CUDA
  std::string handle = {};  // CUDA: the bytes of a cudaIpcMemHandle_t
};

// A part of a region.
struct SharedMemoryRange {
  std::string_view region;
  uint64_t offset = 0;  // in the region
  uint64_t byte_size = 0;
};

// The memory that clients share with the server: regions by name, of both kinds in one name space.
// Errors have the texts of the protocol. Any thread.
//
// 1. A region that is unregistered while inferences use it (hold a Lease) stays, in every respect,
//    until the last of them ends; then it goes by itself.
// 2. Bytes never go while somebody views them: a Buffer keeps its mapping, whatever becomes of the
//    region.
class SharedMemoryRegistry {
 public:
  struct Entry;

  // One inference's use of a part of a region. Outlived by the registry.
  class Lease {
   public:
    Lease(Lease&&) = default;
    Lease& operator=(Lease&& other) noexcept;
    ~Lease();

    const Buffer& buffer() const { return buffer_; }
    // INTERNAL once the memory behind the region turned out to be gone: what was read from it is
    // not what the client wrote.
    absl::Status Check() const;

   private:
    friend class SharedMemoryRegistry;
    Lease(SharedMemoryRegistry* registry, std::shared_ptr<Entry> entry, Buffer buffer)
        : registry_(registry), entry_(std::move(entry)), buffer_(std::move(buffer)) {}
    void End() noexcept;

    SharedMemoryRegistry* registry_;
    std::shared_ptr<Entry> entry_;  // nullptr: moved from
    Buffer buffer_;
  };

  // Without `allows_clients` nothing can ever be registered.
  explicit SharedMemoryRegistry(bool allows_clients = false) : allows_clients_(allows_clients) {}
  ~SharedMemoryRegistry();
  SharedMemoryRegistry(const SharedMemoryRegistry&) = delete;
  SharedMemoryRegistry& operator=(const SharedMemoryRegistry&) = delete;

  // UNIMPLEMENTED when clients may not register, and unregister, regions.
  absl::Status CheckAllowed() const;

  absl::Status RegisterSystem(std::string_view name, const std::string& key, uint64_t offset,
                              uint64_t byte_size);
  // `handle`: the bytes of a cudaIpcMemHandle_t.
  absl::Status RegisterCuda(std::string_view name, std::string_view handle, int64_t device,
                            uint64_t byte_size);

  // What `info` says, of either kind.
  absl::Status Register(const SharedMemoryInfo& info);

  // All regions of `kind` when `name` is empty. What is not there, or of the other kind, stays so
  // without an error.
  void Unregister(SharedMemoryKind kind, std::string_view name);

  // By name, or all of `kind`, in order of names, when `name` is empty. NOT_FOUND for a region that
  // is unknown or of the other kind.
  absl::StatusOr<std::vector<SharedMemoryInfo>> Status(SharedMemoryKind kind,
                                                       std::string_view name) const;

  // NOT_FOUND for an unknown region, INVALID_ARGUMENT for a range it does not have. `gpu`: the one
  // that a model uses the bytes on.
  absl::StatusOr<Lease> Use(const SharedMemoryRange& range, std::optional<int> gpu);

 private:
  using Entries = std::map<std::string, std::shared_ptr<Entry>, std::less<>>;

  absl::Status CheckNew(SharedMemoryKind kind, std::string_view name) const;
  absl::Status Add(SharedMemoryInfo info, std::shared_ptr<SharedMemoryMapping> mapping);
  void RemoveUnused(const Entry& entry) noexcept;

  const bool allows_clients_;
  mutable std::shared_mutex mutex_;
  Entries entries_;  // guarded by mutex_
};

}  // namespace nereid
