#include "infer/raw_input.h"

#include <array>
#include <cstddef>
#include <limits>
#include <memory>
#include <utility>

#include "common/strings.h"

namespace nereid {
namespace {

struct PrefixedOwner {
  std::array<std::byte, 4> length;
  std::shared_ptr<const void> body;
};

absl::Status PrependLength(const TensorSpec& spec, Payload& data) {
  if (data.byte_size() > std::numeric_limits<uint32_t>::max()) {
    return absl::InvalidArgumentError(StrCat("byte size ", data.byte_size(), " of raw input '",
                                             spec.name,
                                             "' exceeds the maximum size of a BYTES element"));
  }
  auto owner = std::make_shared<PrefixedOwner>();
  for (size_t i = 0; i < owner->length.size(); ++i) {
    owner->length[i] = static_cast<std::byte>(data.byte_size() >> (8 * i));
  }
  owner->body = data.owner();
  Payload::Segments segments;
  segments.emplace_back(owner->length);
  segments.insert(segments.end(), data.segments().begin(), data.segments().end());
  data = Payload(std::move(owner), std::move(segments), data.place());
  return absl::OkStatus();
}

// The extents of `spec` with the variable one, if any, chosen so that `byte_size` bytes fit best.
absl::StatusOr<Shape> FillShape(const TensorSpec& spec, size_t byte_size) {
  Shape shape = spec.dims;
  int64_t* variable = nullptr;
  uint64_t row_size = ElementByteSize(spec.data_type);
  for (int64_t& extent : shape) {
    if (extent >= 0) {
      // An overflow makes the row too big for any body, whatever it wraps to.
      if (__builtin_mul_overflow(row_size, static_cast<uint64_t>(extent), &row_size)) {
        row_size = std::numeric_limits<uint64_t>::max();
      }
    } else if (variable != nullptr) {
      return absl::InvalidArgumentError(
          StrCat("The shape of the raw input '", spec.name,
                 "' can not be deduced because there are more than one variable-sized "
                 "dimension"));
    } else {
      variable = &extent;
    }
  }
  if (variable != nullptr) {
    *variable = row_size == 0 ? 0 : static_cast<int64_t>(byte_size / row_size);
  }
  return shape;
}

}  // namespace

absl::Status DeduceRawInput(const ModelConfig& config, InferRequest& request) {
  if (request.inputs.size() != 1 || config.inputs().size() != 1) {
    return absl::InvalidArgumentError(StrCat("Raw request must only have 1 input (found ",
                                             request.inputs.size(), ") to be deduced but got ",
                                             config.inputs().size(), " inputs in '", config.name(),
                                             "' model configuration"));
  }
  const TensorSpec& spec = config.inputs()[0];
  InferRequest::Input& input = request.inputs[0];
  input.name = spec.name;
  input.data_type = spec.data_type;
  if (spec.data_type == DataType::kBytes) {
    if (spec.dims != Shape{1}) {
      return absl::InvalidArgumentError(StrCat("For BYTE datatype raw input '", spec.name,
                                               "', the model must have input shape [1]"));
    }
    input.shape = spec.dims;
    if (absl::Status status = PrependLength(spec, input.data); !status.ok()) return status;
  } else {
    absl::StatusOr<Shape> shape = FillShape(spec, input.data.byte_size());
    if (!shape.ok()) return shape.status();
    input.shape = *std::move(shape);
  }
  if (config.max_batch_size() > 0 && !spec.is_shape_tensor) {
    input.shape.insert(input.shape.begin(), 1);
  }
  return absl::OkStatus();
}

}  // namespace nereid
