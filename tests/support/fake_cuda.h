#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "memory/cuda_driver.h"

namespace nereid::testing {

// A CUDA driver of two devices whose memory is the host's. While it lives, CudaDriver::Find() gives
// it; one at a time. Counts what is opened, pinned and copied, and checks that a context is
// current.
class FakeCuda {
 public:
  FakeCuda() : driver_(Functions(), 2) {
    current() = this;
    CudaDriver::ReplaceForTest(&driver_);
  }
  ~FakeCuda() {
    CudaDriver::ReplaceForTest(nullptr);
    current() = nullptr;
  }
  FakeCuda(const FakeCuda&) = delete;
  FakeCuda& operator=(const FakeCuda&) = delete;

  // Memory of another process: `handle` opens it.
  std::string Share(std::vector<std::byte>& memory) {
    std::string handle(CudaDriver::kIpcHandleSize, '\0');
    handle[0] = static_cast<char>(shared_.size() + 1);
    shared_[handle] = &memory;
    return handle;
  }

  // Takes away what is open.
  void Reset() {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++generation_;
    opened_ = 0;
  }

  // Whether to refuse the calls that follow.
  bool refuses_to_pin = false;
  bool refuses_to_copy = false;

  int opened() const { return Locked(opened_); }
  int pinned() const { return Locked(pinned_); }
  int copies() const { return Locked(copies_); }
  int contexts_held() const { return Locked(contexts_held_); }

 private:
  using Address = CudaFunctions::Address;
  using Context = CudaFunctions::Context;
  using Stream = CudaFunctions::Stream;

  static FakeCuda*& current() {
    static FakeCuda* fake = nullptr;
    return fake;
  }
  static int& depth() {
    thread_local int contexts = 0;
    return contexts;
  }
  int Locked(const int& count) const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return count;
  }
  // Errors are 1: no context is current; 2: everything else.
  template <typename Work>
  static int Call(Work work) {
    if (depth() == 0) return 1;
    const std::lock_guard<std::mutex> lock(current()->mutex_);
    return work(*current()) ? 0 : 2;
  }

  static std::byte* Pointer(Address address) {
    return reinterpret_cast<std::byte*>(static_cast<uintptr_t>(address));
  }
  std::vector<std::byte>* Holder(Address address) {
    for (auto& [handle, memory] : shared_) {
      const std::byte* at = Pointer(address);
      if (at >= memory->data() && at < memory->data() + memory->size()) return memory;
    }
    return nullptr;
  }

  static CudaFunctions Functions() {
    CudaFunctions f;
    f.device_get = [](int* device, int ordinal) {
      *device = ordinal;
      return 0;
    };
    f.primary_context = [](Context* context, int device) {
      const std::lock_guard<std::mutex> lock(current()->mutex_);
      ++current()->contexts_held_;
      *context = current()->contexts_ + device;
      return 0;
    };
    f.release = [](int) {
      const std::lock_guard<std::mutex> lock(current()->mutex_);
      --current()->contexts_held_;
      return 0;
    };
    f.push = [](Context) {
      ++depth();
      return 0;
    };
    f.pop = [](Context*) {
      --depth();
      return 0;
    };
    f.ipc_open = [](Address* address, CudaFunctions::IpcHandle handle, unsigned) {
      return Call([&](FakeCuda& fake) {
        const auto found = fake.shared_.find(std::string(handle.bytes, sizeof(handle.bytes)));
        if (found == fake.shared_.end()) return false;
        ++fake.opened_;
        *address = reinterpret_cast<uintptr_t>(found->second->data());
        return true;
      });
    };
    f.ipc_close = [](Address) { return Call([](FakeCuda& fake) { return fake.opened_-- > 0; }); };
    f.address_range = [](Address* base, size_t* size, Address address) {
      return Call([&](FakeCuda& fake) {
        const std::vector<std::byte>* memory = fake.Holder(address);
        if (memory == nullptr) return false;
        *base = reinterpret_cast<uintptr_t>(memory->data());
        *size = memory->size();
        return true;
      });
    };
    f.pointer_attribute = [](void* value, int, Address address) {
      return Call([&](FakeCuda& fake) {
        if (fake.opened_ == 0 || fake.Holder(address) == nullptr) return false;
        std::memcpy(value, &fake.generation_, sizeof(fake.generation_));
        return true;
      });
    };
    f.host_register = [](void*, size_t, unsigned) {
      return Call([](FakeCuda& fake) {
        if (fake.refuses_to_pin) return false;
        ++fake.pinned_;
        return true;
      });
    };
    f.host_unregister = [](void*) {
      return Call([](FakeCuda& fake) { return fake.pinned_-- > 0; });
    };
    f.copy = [](Address to, Address from, size_t size, Stream) {
      return Call([&](FakeCuda& fake) {
        if (fake.refuses_to_copy) return false;
        ++fake.copies_;
        std::memmove(Pointer(to), Pointer(from), size);
        return true;
      });
    };
    f.synchronize = [](Stream) { return Call([](FakeCuda&) { return true; }); };
    f.error_name = [](int code, const char** name) {
      *name = code == 1 ? "CUDA_ERROR_INVALID_CONTEXT" : "CUDA_ERROR_INVALID_VALUE";
      return 0;
    };
    return f;
  }

  mutable std::mutex mutex_;
  std::map<std::string, std::vector<std::byte>*> shared_;
  char contexts_[2] = {};
  int contexts_held_ = 0;
  uint64_t generation_ = 1;
  int opened_ = 0;
  int pinned_ = 0;
  int copies_ = 0;
  CudaDriver driver_;
};

}  // namespace nereid::testing
