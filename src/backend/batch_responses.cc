#include "backend/batch_responses.h"

#include <cstring>
#include <utility>

#include "backend/bytes_tensor.h"
#include "backend/output_shape.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "proto/model_config.pb.h"

namespace nereid {
namespace {

absl::Status OutputError(const TensorSpec& spec, std::string_view what) {
  return absl::InternalError(StrCat("output '", spec.name, "': ", what));
}

absl::Status CheckTotal(const TensorSpec& spec, const Shape& shape, int64_t requests_want) {
  NEREID_ASSIGN_OR_RETURN(int64_t count, ElementCount(shape));
  if (count == requests_want) return absl::OkStatus();
  return OutputError(
      spec, StrCat("the model produced ", count, " elements in shape ", ShapeToString(shape),
                   ", the requests' parts add up to ", requests_want));
}

// Bytes of `count` encoded elements, or no value when there are not that many.
std::optional<size_t> EncodedSize(BytesReader& reader, size_t count) {
  const std::byte* begin = reader.position();
  for (size_t i = 0; i < count; ++i) {
    if (!reader.Next()) return std::nullopt;
  }
  return static_cast<size_t>(reader.position() - begin);
}

}  // namespace

ScatterRules ScatterRules::For(const ModelConfig& config) {
  ScatterRules rules;
  rules.model_batches = config.max_batch_size() > 0;
  for (const inference::BatchOutput& entry : config.proto().batch_output()) {
    for (const std::string& target : entry.target_name()) {
      if (entry.source_input_size() > 0) rules.source_inputs[target] = entry.source_input(0);
    }
  }
  return rules;
}

BatchResponses::BatchResponses(Batch& batch, const ScatterRules& rules)
    : batch_(batch), rules_(rules) {
  pending_.reserve(batch.size());
  for (size_t i = 0; i < batch.size(); ++i) {
    if (batch.Has(i)) pending_.push_back({i, {}});
  }
}

bool BatchResponses::AnyWants(const TensorSpec& spec) const {
  for (const Pending& pending : pending_) {
    if (batch_.request(pending.index).WantsOutput(spec)) return true;
  }
  return false;
}

absl::StatusOr<BatchResponses::Parts> BatchResponses::Divide(const TensorSpec& spec,
                                                             const Shape& shape) {
  const auto source = rules_.source_inputs.find(spec.name);
  absl::StatusOr<Parts> parts = source == rules_.source_inputs.end()
                                    ? DivideRows(spec, shape)
                                    : DivideLike(spec, source->second);
  if (!parts.ok()) return parts;
  int64_t total = 0;
  for (const Part& part : *parts) total += static_cast<int64_t>(part.element_count);
  NEREID_RETURN_IF_ERROR(CheckTotal(spec, shape, total));
  return parts;
}

absl::StatusOr<BatchResponses::Parts> BatchResponses::DivideRows(const TensorSpec& spec,
                                                                 const Shape& shape) {
  Parts parts;
  Shape row = shape;
  for (Pending& pending : pending_) {
    const InferRequest& request = batch_.request(pending.index);
    if (rules_.model_batches) {
      if (row.empty()) return OutputError(spec, "the model produced no batch dimension");
      row[0] = request.batch_size;
    }
    NEREID_ASSIGN_OR_RETURN(int64_t count, ElementCount(row));
    NEREID_ASSIGN_OR_RETURN(Shape client, ClientShape(spec, row, rules_.model_batches));
    parts.push_back(
        {&pending, std::move(client), static_cast<size_t>(count), request.WantsOutput(spec)});
  }
  return parts;
}

absl::StatusOr<BatchResponses::Parts> BatchResponses::DivideLike(const TensorSpec& spec,
                                                                 const std::string& source) {
  Parts parts;
  const size_t batch_dims = rules_.model_batches ? 1 : 0;
  for (Pending& pending : pending_) {
    const InferRequest& request = batch_.request(pending.index);
    const InferRequest::Input* input = request.FindInput(source);
    Shape shape;
    if (batch_dims > 0) shape.push_back(request.batch_size);
    for (size_t i = 0; i < spec.dims.size(); ++i) {
      const size_t at = batch_dims + i;
      if (spec.dims[i] >= 0) {
        shape.push_back(spec.dims[i]);
      } else if (input != nullptr && at < input->shape.size()) {
        shape.push_back(input->shape[at]);
      } else {
        return OutputError(spec, StrCat("input '", source, "' does not say its size"));
      }
    }
    NEREID_ASSIGN_OR_RETURN(int64_t count, ElementCount(shape));
    parts.push_back(
        {&pending, std::move(shape), static_cast<size_t>(count), request.WantsOutput(spec)});
  }
  return parts;
}

std::optional<Buffer> BatchResponses::Allocate(const Part& part, const TensorSpec& spec,
                                               DataType type, size_t byte_size,
                                               MemoryPlace preferred) {
  InferResponse& response = part.pending->response;
  absl::StatusOr<Buffer> buffer =
      batch_.request(part.pending->index).AllocateOutput(spec, byte_size, preferred);
  if (!buffer.ok()) {
    if (response.status.ok()) response.status = buffer.status();
    return std::nullopt;
  }
  response.outputs.push_back({&spec, type, part.shape, Payload(*buffer)});
  return *std::move(buffer);
}

std::byte* BatchResponses::Place(const Part& part, const TensorSpec& spec, DataType type,
                                 size_t byte_size) {
  const std::optional<Buffer> buffer = Allocate(part, spec, type, byte_size, {});
  if (!buffer) return nullptr;
  if (buffer->place().HostAccessible()) return buffer->data();
  InferResponse& response = part.pending->response;
  if (response.status.ok()) {
    response.status = absl::UnimplementedError(StrCat(
        "output '", spec.name, "' is wanted in GPU memory, which this backend cannot write"));
  }
  return nullptr;
}

absl::Status BatchResponses::AddTensor(const TensorSpec& spec, DataType type, const Shape& shape,
                                       absl::Span<const std::byte> data) {
  NEREID_ASSIGN_OR_RETURN(const Parts parts, Divide(spec, shape));
  const size_t element = ElementByteSize(type);
  BytesReader reader(data.data(), data.size());
  size_t offset = 0;
  for (const Part& part : parts) {
    const std::optional<size_t> size = element > 0
                                           ? std::optional<size_t>(part.element_count * element)
                                           : EncodedSize(reader, part.element_count);
    if (!size || *size > data.size() - offset) return OutputError(spec, "too few bytes");
    if (part.wanted) {
      std::byte* out = Place(part, spec, type, *size);
      if (out != nullptr && *size > 0) std::memcpy(out, data.data() + offset, *size);
    }
    offset += *size;
  }
  return offset == data.size() ? absl::OkStatus() : OutputError(spec, "too many bytes");
}

absl::Status BatchResponses::AddStrings(const TensorSpec& spec, const Shape& shape,
                                        const StringBlock& strings) {
  NEREID_ASSIGN_OR_RETURN(const Parts parts, Divide(spec, shape));
  const size_t count = strings.offsets.size();
  const auto begin_of = [&](size_t i) {
    return i < count ? strings.offsets[i] : strings.byte_size;
  };
  size_t first = 0;
  for (const Part& part : parts) {
    const size_t end = first + part.element_count;
    if (end > count) return OutputError(spec, "too few strings");
    if (part.wanted) {
      const size_t size = begin_of(end) - begin_of(first) + kBytesLengthSize * part.element_count;
      std::byte* out = Place(part, spec, DataType::kBytes, size);
      for (size_t i = first; out != nullptr && i < end; ++i) {
        out = WriteBytesElement({strings.data + begin_of(i), begin_of(i + 1) - begin_of(i)}, out);
      }
    }
    first = end;
  }
  return absl::OkStatus();
}

absl::StatusOr<BatchResponses::Slices> BatchResponses::AddBuffers(const TensorSpec& spec,
                                                                  DataType type, const Shape& shape,
                                                                  MemoryPlace preferred) {
  NEREID_ASSIGN_OR_RETURN(const Parts parts, Divide(spec, shape));
  const size_t element = ElementByteSize(type);
  if (element == 0) return OutputError(spec, "its elements have no fixed size");
  Slices slices;
  size_t offset = 0;
  for (const Part& part : parts) {
    const size_t size = part.element_count * element;
    if (part.wanted) {
      auto buffer = Allocate(part, spec, type, size, preferred);
      if (buffer && size > 0) slices.push_back({offset, *std::move(buffer)});
    }
    offset += size;
  }
  return slices;
}

absl::Status BatchResponses::AddPayload(const TensorSpec& spec, DataType type, const Shape& shape,
                                        Payload data) {
  if (pending_.size() != 1) return absl::InternalError("a payload can answer one request only");
  NEREID_ASSIGN_OR_RETURN(Parts parts, Divide(spec, shape));
  if (!parts[0].wanted) return absl::OkStatus();
  pending_[0].response.outputs.push_back({&spec, type, std::move(parts[0].shape), std::move(data)});
  return absl::OkStatus();
}

void BatchResponses::Send() {
  batch_.MarkExecEnd();
  for (Pending& pending : pending_) {
    InferRequest& request = batch_.request(pending.index);
    if (pending.response.status.ok()) {
      request.Respond(std::move(pending.response));
    } else {
      request.Fail(std::move(pending.response.status));
    }
  }
}

}  // namespace nereid
