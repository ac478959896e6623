#pragma once

#include <memory>

#include "backends/cuda/device/context.h"
#include "backends/cuda/device/device_op.h"

namespace nereid::engine {

// A stream of its own (it does not wait for the default stream). The thread that calls must have
// the context bound.
class Stream {
 public:
  // `priority`: 0 normal, negative is served first.
  static absl::StatusOr<std::unique_ptr<Stream>> Create(std::shared_ptr<Context> context,
                                                        int priority = 0);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  DeviceStream handle() const { return stream_; }
  const std::shared_ptr<Context>& context() const { return context_; }
  absl::Status Synchronize() const;
  // True when everything queued has finished.
  absl::StatusOr<bool> Finished() const;

  // Asynchronous; host memory must stay valid until the work is done (and be pinned to overlap).
  absl::Status CopyToDevice(DevicePointer to, const void* from, size_t bytes) const;
  absl::Status CopyToHost(void* to, DevicePointer from, size_t bytes) const;
  // Between addresses on any GPUs.
  absl::Status CopyOnDevice(DevicePointer to, DevicePointer from, size_t bytes) const;
  absl::Status Fill(DevicePointer to, uint8_t value, size_t bytes) const;

 private:
  Stream(std::shared_ptr<Context> context, CUstream stream)
      : context_(std::move(context)), stream_(stream) {}

  std::shared_ptr<Context> context_;
  CUstream stream_;
};

}  // namespace nereid::engine
