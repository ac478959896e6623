#pragma once

#include <memory>

#include "backends/cuda/device/context.h"
#include "backends/cuda/device/device_op.h"

namespace nereid::engine {

// A mark in a stream.
class Event {
 public:
  // Without `timing` an event is cheaper, and MillisecondsSince() is not allowed.
  static absl::StatusOr<std::unique_ptr<Event>> Create(std::shared_ptr<Context> context,
                                                       bool timing = false);
  ~Event();
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  absl::Status Record(DeviceStream stream) const;
  // Work queued on `stream` from now on waits for the mark.
  absl::Status MakeWait(DeviceStream stream) const;
  absl::Status Synchronize() const;
  absl::StatusOr<bool> Reached() const;
  absl::StatusOr<float> MillisecondsSince(const Event& earlier) const;

 private:
  Event(std::shared_ptr<Context> context, CUevent event)
      : context_(std::move(context)), event_(event) {}

  std::shared_ptr<Context> context_;
  CUevent event_;
};

}  // namespace nereid::engine
