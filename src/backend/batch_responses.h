#pragma once

#include <map>
#include <optional>
#include <string>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "nereid/batch.h"
#include "nereid/data_type.h"
#include "nereid/model_config.h"
#include "nereid/response.h"
#include "nereid/shape.h"

namespace nereid {

// How outputs are divided among requests, fixed at load.
struct ScatterRules {
  bool model_batches = false;
  // `batch_output`: outputs whose variable extents follow an input of each request, by output name.
  std::map<std::string, std::string, std::less<>> source_inputs;

  static ScatterRules For(const ModelConfig& config);
};

// Strings laid end to end; element i begins at offsets[i] and ends where the next one begins.
struct StringBlock {
  const char* data = nullptr;
  size_t byte_size = 0;
  absl::Span<const size_t> offsets;
};

// Puts together the answers to one batch: takes the outputs of the whole batch one after the other,
// gives each request its part of those it asked for, then sends. On the instance's thread; the
// batch must keep its requests meanwhile.
//
// A status that comes back concerns the whole batch: the model's output cannot be divided. A
// request whose own sink has no memory fails alone, and the others are served.
class BatchResponses {
 public:
  // Both must outlive this object.
  BatchResponses(Batch& batch, const ScatterRules& rules);

  // True when some request asked for the output; the others need not be computed.
  bool AnyWants(const TensorSpec& spec) const;

  // Copies from one host block, BYTES in their encoded form too. `shape` as the model made it.
  absl::Status AddTensor(const TensorSpec& spec, DataType type, const Shape& shape,
                         absl::Span<const std::byte> data);
  // Copies strings, encoding them as BYTES.
  absl::Status AddStrings(const TensorSpec& spec, const Shape& shape, const StringBlock& strings);
  // One request's part of an output: `buffer` is for the bytes from `offset` on.
  struct Slice {
    size_t offset = 0;
    Buffer buffer;
  };
  using Slices = absl::InlinedVector<Slice, 8>;
  // Buffers for the parts of an output whose elements are of fixed size, where the requests' sinks
  // want them, which may be GPU memory; `preferred` is what the sinks are told. The caller fills
  // them all before Send().
  absl::StatusOr<Slices> AddBuffers(const TensorSpec& spec, DataType type, const Shape& shape,
                                    MemoryPlace preferred);
  // Hands on a payload without a copy. Only for a batch of one request.
  absl::Status AddPayload(const TensorSpec& spec, DataType type, const Shape& shape, Payload data);

  // Answers every request. Stamps the end of the execution first.
  void Send();

 private:
  struct Pending {
    size_t index;  // in the batch
    InferResponse response;
  };
  // The part of an output that belongs to one request.
  struct Part {
    Pending* pending;
    Shape shape;  // as the client sees it
    size_t element_count;
    bool wanted;
  };
  using Parts = absl::InlinedVector<Part, 8>;

  absl::StatusOr<Parts> Divide(const TensorSpec& spec, const Shape& shape);
  absl::StatusOr<Parts> DivideRows(const TensorSpec& spec, const Shape& shape);
  absl::StatusOr<Parts> DivideLike(const TensorSpec& spec, const std::string& source);
  // A buffer of the request's sink, already added to its response; no value when that failed.
  std::optional<Buffer> Allocate(const Part& part, const TensorSpec& spec, DataType type,
                                 size_t byte_size, MemoryPlace preferred);
  // The same in host memory; nullptr when that failed.
  std::byte* Place(const Part& part, const TensorSpec& spec, DataType type, size_t byte_size);

  Batch& batch_;
  const ScatterRules& rules_;
  absl::InlinedVector<Pending, 8> pending_;
};

}  // namespace nereid
