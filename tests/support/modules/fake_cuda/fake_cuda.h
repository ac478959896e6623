#pragma once

#include <dlfcn.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>

// A stand-in for the CUDA driver, NVRTC, cuDNN and cuBLASLt, so that what is built on them is
// tested without a GPU. Memory of the "GPUs" is host memory, counted in the pages a driver takes,
// copies are made at once, kernels do nothing (and are not compiled), graphs are counted. Events
// tell what work would take: a microsecond for each piece, and one for each KiB copied or filled.
// Everything that is made is counted until it is destroyed; misuse (an address that is not in a
// live block, a handle that is not live, a call without a context) is counted and answered with an
// error. Any call can be made to fail; after an error that is fatal nothing works any more in the
// process, on no GPU, as with the real driver: every call gives that error, but those that only
// tell something and those that let a context go.
//
// The environment sets up what a server process sees:
//   NEREID_FAKE_CUDA_DEVICES   number of GPUs, 2
//   NEREID_FAKE_CUDA_MEMORY    bytes of each, 1 GiB
//   NEREID_FAKE_CUDA_FAIL      <function>:<code>[:<calls that work before>], as Fail() below
//   NEREID_FAKE_CUDA_FAIL_FILE  then only calls fail that find this file, and remove it
namespace nereid::testing {

struct FakeCudaState {
  static constexpr int kMaxDevices = 8;
  uint64_t device_bytes[kMaxDevices];  // allocated now
  uint64_t peak_bytes[kMaxDevices];    // greatest since the start
  uint64_t pinned_bytes;
  int64_t contexts;  // references to primary contexts
  int64_t streams, events, graphs, modules;
  int64_t misuses;
  bool lost;  // nothing works any more
};

// The functions of the library that tests call; it is opened from the folder that
// NEREID_CUDA_FOLDER names, as the server does.
class FakeCuda {
 public:
  FakeCuda() : library_(dlopen((Folder() + "/libcuda.so.1").c_str(), RTLD_NOW | RTLD_LOCAL)) {
    Find("fake_cuda_state", &state_);
    Find("fake_cuda_fail", &fail_);
    Find("fake_cuda_calls", &calls_);
    Find("fake_cuda_set_memory", &set_memory_);
    Find("cuMemAlloc_v2", &allocate_);
    Find("cuMemFree_v2", &free_);
    Find("cuMemHostAlloc", &allocate_pinned_);
    Find("cuMemFreeHost", &free_pinned_);
  }
  static std::string Folder() {
    const char* folder = getenv("NEREID_CUDA_FOLDER");
    return folder == nullptr ? "" : folder;
  }

  bool ok() const { return library_ != nullptr && set_memory_ != nullptr; }
  FakeCudaState state() const {
    FakeCudaState state{};
    state_(&state);
    return state;
  }
  // The next `times` calls of `function` (the driver's name, without "_v2") fail with `result`,
  // after `skip` that work. 0 times: no more failures.
  void Fail(const char* function, int result, int times = 1, int skip = 0) const {
    fail_(function, result, times, skip);
  }
  // Calls of `function`, the driver's or a library's, so far; "cudnnFinalizePlan" are those of
  // cudnnBackendFinalize that made an execution plan.
  int64_t Calls(const char* function) const { return calls_(function); }
  void SetMemory(uint64_t bytes) const { set_memory_(bytes); }  // of each device

  // A block on the GPU whose context the thread has, or of page-locked memory; empty: no context.
  // The host can read and write both.
  std::shared_ptr<std::byte> Allocate(size_t bytes) const {
    uint64_t address = 0;
    if (allocate_(&address, bytes) != 0) return nullptr;
    return {reinterpret_cast<std::byte*>(address),
            [free = free_](std::byte* block) { free(reinterpret_cast<uint64_t>(block)); }};
  }
  std::shared_ptr<std::byte> AllocatePinned(size_t bytes) const {
    void* address = nullptr;
    if (allocate_pinned_(&address, bytes, 0) != 0) return nullptr;
    return {static_cast<std::byte*>(address),
            [free = free_pinned_](std::byte* block) { free(block); }};
  }

 private:
  template <typename F>
  void Find(const char* name, F* function) {
    if (library_ != nullptr) *function = reinterpret_cast<F>(dlsym(library_, name));
  }
  void* const library_;
  void (*state_)(FakeCudaState*) = nullptr;
  void (*fail_)(const char*, int, int, int) = nullptr;
  int64_t (*calls_)(const char*) = nullptr;
  void (*set_memory_)(uint64_t) = nullptr;
  int (*allocate_)(uint64_t*, size_t) = nullptr;
  int (*free_)(uint64_t) = nullptr;
  int (*allocate_pinned_)(void**, size_t, unsigned) = nullptr;
  int (*free_pinned_)(void*) = nullptr;
};

}  // namespace nereid::testing
