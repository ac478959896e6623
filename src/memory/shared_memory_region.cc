#include "memory/shared_memory_region.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <system_error>
#include <utility>

#include "common/file_descriptor.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "memory/cuda_driver.h"

namespace nereid {
namespace {

absl::Status NotRegistered(std::string_view region, std::string_view why) {
  return absl::InvalidArgumentError(
      StrCat("failed to register shared memory region '", region, "': ", why));
}

absl::StatusOr<uint64_t> ObjectSize(const FileDescriptor& object, const std::string& key) {
  struct stat facts {};
  if (fstat(object.get(), &facts) != 0 || !S_ISREG(facts.st_mode)) {
    return absl::InternalError(StrCat("Invalid shared memory region: '", key, "'"));
  }
  return static_cast<uint64_t>(facts.st_size);
}

}  // namespace

absl::StatusOr<std::shared_ptr<SystemSharedMemory>> SystemSharedMemory::Open(
    std::string_view region, const std::string& key, uint64_t offset, uint64_t byte_size) {
  const FileDescriptor object(shm_open(key.c_str(), O_RDWR | O_CLOEXEC, 0));
  if (object.get() < 0) {
    return absl::InternalError(StrCat("Unable to open shared memory region: '", key, "'"));
  }
  NEREID_ASSIGN_OR_RETURN(const uint64_t object_size, ObjectSize(object, key));
  if (offset > object_size || byte_size > object_size - offset) {
    return NotRegistered(region, "invalid args");
  }
  void* data = mmap(nullptr, byte_size, PROT_READ | PROT_WRITE, MAP_SHARED, object.get(),
                    static_cast<off_t>(offset));
  if (data == MAP_FAILED) {
    return NotRegistered(region, StrCat("unable to process address space", std::strerror(errno)));
  }
  return std::shared_ptr<SystemSharedMemory>(
      new SystemSharedMemory(static_cast<std::byte*>(data), byte_size));
}

SystemSharedMemory::SystemSharedMemory(std::byte* data, size_t size)
    : SharedMemoryMapping(data, size), guard_(std::in_place, data, size) {}

SystemSharedMemory::~SystemSharedMemory() {
  if (pinner_.joinable()) pinner_.join();
  if (pinning_ == Pinning::kPinned) CudaDriver::Find()->Unpin(device_, data());
  guard_.reset();
  munmap(data(), size());
}

MemoryPlace SystemSharedMemory::place() const {
  if (pinning_.load(std::memory_order_acquire) != Pinning::kPinned) return {};
  return {MemoryKind::kPinned, device_};
}

void SystemSharedMemory::PreferGpu(int device) {
  Pinning expected = Pinning::kNotAsked;
  if (pinning_.load(std::memory_order_relaxed) != expected) return;
  CudaDriver* driver = CudaDriver::Find();
  if (driver == nullptr) return;
  if (!pinning_.compare_exchange_strong(expected, Pinning::kUnderWay)) return;
  device_ = device;
  // Pinning takes time that grows with the size: a thread of its own, not that of a request.
  try {
    pinner_ = std::thread([this, driver] {
      const absl::Status pinned = driver->Pin(device_, data(), size());
      if (!pinned.ok()) {
        NVLOG(1) << "shared memory stays unpinned: " << Message(pinned);
      }
      pinning_.store(pinned.ok() ? Pinning::kPinned : Pinning::kRefused, std::memory_order_release);
    });
  } catch (const std::system_error&) {
    pinning_.store(Pinning::kRefused, std::memory_order_release);
  }
}

}  // namespace nereid
