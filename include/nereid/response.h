#pragma once

#include <cstddef>
#include <string_view>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "nereid/buffer.h"
#include "nereid/data_type.h"
#include "nereid/model_config.h"
#include "nereid/parameter.h"
#include "nereid/shape.h"

namespace nereid {

struct OutputTensor {
  const TensorSpec* spec = nullptr;  // names the output; lives as long as the model version
  DataType data_type = DataType::kInvalid;
  Shape shape;   // as the client sees it: with the batch dimension, reshape undone
  Payload data;  // may be the request's own input bytes, handed on
};

// One answer to a request: outputs, or an error in `status` (then outputs are ignored).
struct InferResponse {
  absl::Status status;
  absl::InlinedVector<OutputTensor, 2> outputs;
  Parameters parameters;
};

// Where the answers to one request go. Implemented by each protocol and by whoever calls models
// from inside the server. Owned by its request; every call comes from one thread at a time, though
// not always the same one. After the final Send() or Finish() it is destroyed without another call.
class ResponseSink {
 public:
  virtual ~ResponseSink() = default;

  // A block for `byte_size` bytes of output `spec`, preferably in `preferred` (the place returned
  // may differ: look at Buffer::place()). Backends fill it and put it into an OutputTensor.
  // RESOURCE_EXHAUSTED when memory is out.
  virtual absl::StatusOr<Buffer> Allocate(const TensorSpec& spec, size_t byte_size,
                                          MemoryPlace preferred) noexcept = 0;

  // Delivers one response. With `is_final` no more follow.
  virtual void Send(InferResponse response, bool is_final) noexcept = 0;

  // Ends the request without a further response (decoupled models).
  virtual void Finish() noexcept = 0;

  // True once nobody waits for the answer any more: client gone, call cancelled. Any thread.
  virtual bool IsCancelled() const noexcept { return false; }
};

}  // namespace nereid
