#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "common/strings.h"

namespace nereid::testing {

// A POSIX shared-memory object as a client makes it: mapped, and unlinked in the end.
class SharedMemoryObject {
 public:
  explicit SharedMemoryObject(size_t size) : size_(size) {
    static std::atomic<int> count{0};
    key_ = StrCat("/nereid_test_", getpid(), "_", count++);
    fd_ = shm_open(key_.c_str(), O_CREAT | O_EXCL | O_RDWR, 0600);
    if (fd_ < 0) std::abort();
    Resize(size);
    data_ =
        static_cast<std::byte*>(mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0));
    if (data_ == MAP_FAILED) std::abort();
  }
  ~SharedMemoryObject() {
    munmap(data_, size_);
    close(fd_);
    shm_unlink(key_.c_str());
  }
  SharedMemoryObject(const SharedMemoryObject&) = delete;
  SharedMemoryObject& operator=(const SharedMemoryObject&) = delete;

  const std::string& key() const { return key_; }
  std::byte* data() { return data_; }
  template <typename T>
  T* As(size_t offset = 0) {
    return reinterpret_cast<T*>(data_ + offset);
  }
  // The mapping stays as it is.
  void Resize(size_t size) {
    if (ftruncate(fd_, static_cast<off_t>(size)) != 0) std::abort();
  }

 private:
  const size_t size_;
  std::string key_;
  int fd_ = -1;
  std::byte* data_ = nullptr;
};

}  // namespace nereid::testing
