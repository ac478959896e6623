#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "backends/cuda/device/artifact_store.h"
#include "backends/cuda/device/context.h"

namespace nereid::engine {

// Compiles CUDA C++ text to machine code for `arch` ("sm_80", "sm_90a"), without a GPU. The error
// holds the compiler's log. Takes 10 to 80 ms.
absl::StatusOr<std::string> CompileToCubin(std::string_view source, std::string_view arch);

// What every kernel source of the engine may start with: fixed-width types, 16-bit floating types
// with their conversions, vector loads, reductions over a warp and a block, fast division.
std::string_view KernelPrelude();

// Kernels of one GPU, compiled on first use and kept; a process compiles a kernel once for GPUs of
// one architecture, and keeps the code of some thousand for models to come. Any thread; several
// threads compile different kernels at the same time, and wait for each other over the same one.
class Jit {
 public:
  // Machine code is also looked for, and remembered, in `store`, unless that is nullptr.
  static absl::StatusOr<std::unique_ptr<Jit>> Create(
      std::shared_ptr<Context> context, std::shared_ptr<ArtifactStore> store = nullptr);
  ~Jit();
  Jit(const Jit&) = delete;
  Jit& operator=(const Jit&) = delete;

  // The extern "C" kernel `name` of `source`; valid as long as this. With an offline context the
  // text is compiled and nullptr given.
  absl::StatusOr<CUfunction> Get(const std::string& source, const char* name);

  const std::shared_ptr<Context>& context() const { return context_; }
  // Of the machine code that lies on the GPU.
  size_t code_bytes() const { return code_bytes_; }
  // So far; what a store, or another of the process, had does not count.
  int compiled_count() const { return compiled_count_; }

 private:
  struct Module {
    std::mutex mutex;
    bool ready = false;         // guarded by mutex
    CUmodule handle = nullptr;  // guarded by mutex; nullptr when offline
  };

  Jit(std::shared_ptr<Context> context, std::shared_ptr<ArtifactStore> store, ArtifactScope scope);
  absl::StatusOr<std::string> Cubin(const std::string& source, const std::string& key);
  absl::Status Load(const std::string& source, CUmodule* module);

  const std::shared_ptr<Context> context_;
  const std::shared_ptr<ArtifactStore> store_;
  const ArtifactScope scope_;
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<Module>> modules_;  // by source; guarded by mutex_
  std::atomic<int> compiled_count_ = 0;
  std::atomic<size_t> code_bytes_ = 0;
};

}  // namespace nereid::engine
