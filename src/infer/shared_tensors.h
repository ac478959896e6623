#pragma once

#include <cstddef>
#include <string_view>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "memory/shared_memory.h"
#include "nereid/buffer.h"
#include "nereid/data_type.h"
#include "nereid/model_config.h"
#include "nereid/response.h"

namespace nereid {

// The tensors of one request that lie in regions its client registered. A decoder adds them, the
// request's sink places the outputs and lets go of the regions just before it answers: whoever has
// the answer can unregister them at once.
class SharedTensors {
 public:
  // Both outlive this object and the requests made of it.
  SharedTensors(SharedMemoryRegistry* registry, const ModelConfig* config)
      : registry_(registry), config_(config) {}
  SharedTensors(SharedTensors&&) = default;

  bool empty() const { return leases_.empty(); }

  // The bytes of an input, where they are; only strings are copied, since their lengths are checked
  // once and must not change from then on. Errors: see SharedMemoryRegistry::Use().
  absl::StatusOr<Payload> ReadInput(const SharedMemoryRange& range, DataType type);

  // Wants output `name` at `range`, whose size is the room there is for it. The name lives as long
  // as this object.
  absl::Status AddOutput(std::string_view name, const SharedMemoryRange& range);

  // A block for `byte_size` bytes of an output: its place in the region, if the backend can write
  // there itself, otherwise host memory. INTERNAL when the room is too small.
  absl::StatusOr<Buffer> Allocate(const TensorSpec& spec, size_t byte_size,
                                  MemoryPlace preferred) const;

  // Brings the outputs that belong into regions there, and takes their data out of `response`.
  absl::Status Deliver(InferResponse& response) const;

  // No region is in use from here on.
  void Release() {
    outputs_.clear();
    leases_.clear();
  }

 private:
  struct Output {
    std::string_view name;
    Buffer room;
  };
  const Output* FindOutput(std::string_view name) const;
  absl::StatusOr<Buffer> Use(const SharedMemoryRange& range);

  SharedMemoryRegistry* registry_;
  const ModelConfig* config_;
  absl::InlinedVector<SharedMemoryRegistry::Lease, 2> leases_;
  absl::InlinedVector<Output, 2> outputs_;
};

// What a sink does with outputs, `shared` being nullptr for a request without tensors in regions.

// As ResponseSink::Allocate().
absl::StatusOr<Buffer> AllocateOutput(const SharedTensors* shared, const TensorSpec& spec,
                                      size_t byte_size, MemoryPlace preferred) noexcept;
// Puts every output of a response where it belongs: in its region, or in memory that the host can
// read. An error takes the outputs' place.
void DeliverOutputs(const SharedTensors* shared, InferResponse& response) noexcept;

}  // namespace nereid
