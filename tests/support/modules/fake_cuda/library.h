#pragma once

#include <cuda.h>

#include <atomic>
#include <cstdint>
#include <thread>

#include "support/modules/fake_cuda/fake_cuda.h"

// What the stand-ins for libraries above the driver ask of the stand-in for that.
extern "C" {
void fake_cuda_state(nereid::testing::FakeCudaState* state);
// Counts a call, for FakeCuda::Calls().
void fake_cuda_count(const char* function);
void fake_cuda_misuse();
// A kernel of a library.
CUresult fake_cuda_launch(CUstream stream);
}

namespace nereid::testing {

// A handle of a library: it is misuse to destroy it when the context is lost.
struct FakeLibraryHandle {
  CUstream stream = nullptr;
  std::atomic<int> users{0};

  bool Works() const {
    const bool works = cuCtxSynchronize() == CUDA_SUCCESS;
    if (!works) fake_cuda_misuse();
    return works;
  }
};

// While a call uses a handle; it is misuse to use one in two threads at once.
class HandleUse {
 public:
  explicit HandleUse(FakeLibraryHandle* handle) : handle_(handle) {
    if (handle_->users++ > 0) fake_cuda_misuse();
    std::this_thread::yield();  // calls of the real one take their time
  }
  ~HandleUse() { --handle_->users; }
  HandleUse(const HandleUse&) = delete;
  HandleUse& operator=(const HandleUse&) = delete;

 private:
  FakeLibraryHandle* const handle_;
};

}  // namespace nereid::testing
