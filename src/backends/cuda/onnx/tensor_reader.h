#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "backends/cuda/ir/host_tensor.h"
#include "backends/cuda/onnx/external_data.h"
#include "backends/cuda/onnx/proto.h"

namespace nereid::engine {

// Turns tensors of the file into ours: views where the file holds the elements as they are, copies
// where it encodes them. Not for concurrent use.
class TensorReader {
 public:
  // `owner` keeps the file's bytes alive. Sparse tensors take at most `max_dense_bytes` in all.
  TensorReader(std::shared_ptr<const void> owner, ExternalData external, uint64_t max_dense_bytes)
      : owner_(std::move(owner)),
        external_(std::move(external)),
        dense_bytes_left_(max_dense_bytes) {}

  // UNIMPLEMENTED for an element type that the engine does not have; INVALID_ARGUMENT when content
  // and shape differ. Messages name the tensor.
  absl::StatusOr<HostTensor> Read(const TensorProto& tensor);
  absl::StatusOr<HostTensor> ReadSparse(const SparseTensorProto& sparse);
  // The files beside the model that tensors have been read from.
  std::vector<std::shared_ptr<const MappedFile>> external_files() const {
    return external_.files();
  }

 private:
  absl::StatusOr<HostTensor> ReadContent(const TensorProto& tensor);
  absl::StatusOr<HostTensor> Densify(const SparseTensorProto& sparse);

  const std::shared_ptr<const void> owner_;
  ExternalData external_;
  uint64_t dense_bytes_left_;
};

}  // namespace nereid::engine
