#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "backends/cuda/device/context.h"

namespace nereid::engine {

// Compiles CUDA C++ text to machine code for `arch` ("sm_80", "sm_90a"), without a GPU. The error
// holds the compiler's log. Takes 10 to 80 ms.
absl::StatusOr<std::string> CompileToCubin(std::string_view source, std::string_view arch);

// What every kernel source of the engine may start with: fixed-width types, 16-bit floating types
// with their conversions, vector loads, reductions over a warp and a block, fast division.
std::string_view KernelPrelude();

// Kernels of one GPU, compiled on first use and kept. Any thread.
class Jit {
 public:
  // Compiled code is also kept in files of `cache_folder`, unless that is empty; a file that cannot
  // be read or written is as good as none.
  static absl::StatusOr<std::unique_ptr<Jit>> Create(std::shared_ptr<Context> context,
                                                     std::string cache_folder = "");
  ~Jit();
  Jit(const Jit&) = delete;
  Jit& operator=(const Jit&) = delete;

  // The extern "C" kernel `name` of `source`; valid as long as this. With an offline context the
  // text is compiled and nullptr given.
  absl::StatusOr<CUfunction> Get(const std::string& source, const char* name);

  const std::shared_ptr<Context>& context() const { return context_; }
  int compiled_count() const;  // compilations so far, without hits of either cache

 private:
  Jit(std::shared_ptr<Context> context, std::string cache_folder);
  absl::StatusOr<std::string> Cubin(const std::string& source);

  const std::shared_ptr<Context> context_;
  const std::string cache_folder_;
  mutable std::mutex mutex_;
  std::map<std::string, CUmodule> modules_;  // by source
  int compiled_count_ = 0;
};

}  // namespace nereid::engine
