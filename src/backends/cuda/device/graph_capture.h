#pragma once

#include <functional>
#include <memory>

#include "backends/cuda/device/stream.h"

namespace nereid::engine {

// A captured sequence of device work, replayed with one call. All addresses are those of the
// capture. Immutable; one replay at a time is in flight.
class CapturedGraph {
 public:
  // Runs `record`, which queues work on `stream` (kernels, copies, library calls), and keeps it
  // instead of executing it. Other threads may go on using the GPU meanwhile. When `record` fails
  // the capture is abandoned and the stream is usable again.
  static absl::StatusOr<std::unique_ptr<CapturedGraph>> Capture(
      const Stream& stream, const std::function<absl::Status()>& record);
  ~CapturedGraph();
  CapturedGraph(const CapturedGraph&) = delete;
  CapturedGraph& operator=(const CapturedGraph&) = delete;

  absl::Status Launch(DeviceStream stream) const;
  size_t node_count() const { return node_count_; }

 private:
  CapturedGraph(std::shared_ptr<Context> context, CUgraphExec exec, size_t node_count)
      : context_(std::move(context)), exec_(exec), node_count_(node_count) {}

  std::shared_ptr<Context> context_;
  CUgraphExec exec_;
  size_t node_count_;
};

}  // namespace nereid::engine
