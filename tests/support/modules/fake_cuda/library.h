#pragma once

#include <cuda.h>

#include <cstdint>

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

  bool Works() const {
    const bool works = cuCtxSynchronize() == CUDA_SUCCESS;
    if (!works) fake_cuda_misuse();
    return works;
  }
};

}  // namespace nereid::testing
