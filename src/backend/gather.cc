#include "backend/gather.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid {
namespace {

using Input = InferRequest::Input;
using Inputs = absl::InlinedVector<const Input*, 8>;

absl::Status Mismatch(const GatherRule& rule, std::string_view what) {
  return absl::InternalError(StrCat("input '", rule.name, "': requests of one batch ", what));
}

// The input of each request; empty when no request has it.
absl::StatusOr<Inputs> Collect(const Batch& batch, const GatherRule& rule) {
  Inputs inputs;
  size_t requests = 0;
  for (size_t i = 0; i < batch.size(); ++i) {
    if (!batch.Has(i)) continue;
    ++requests;
    const Input* input = batch.request(i).FindInput(rule.name);
    if (input == nullptr) continue;
    if (!input->data.place().HostAccessible()) {
      return absl::UnimplementedError(
          StrCat("input '", rule.name, "' lies in GPU memory, which this backend cannot read"));
    }
    inputs.push_back(input);
    if (rule.mode == GatherMode::kFirst) return inputs;
  }
  if (!inputs.empty() && inputs.size() != requests) {
    return Mismatch(rule, "must all have it or all leave it out");
  }
  return inputs;
}

bool SameRow(const Shape& left, const Shape& right) {
  return left.size() == right.size() && !left.empty() &&
         std::equal(left.begin() + 1, left.end(), right.begin() + 1);
}

absl::StatusOr<Shape> JoinedShape(const Inputs& inputs, const GatherRule& rule) {
  if (rule.mode == GatherMode::kFirst) return inputs[0]->shape;
  if (rule.mode == GatherMode::kConcat) {
    int64_t total = 0;
    for (const Input* input : inputs) {
      NEREID_ASSIGN_OR_RETURN(int64_t count, ElementCount(input->shape));
      total += count;
    }
    return Shape{total};
  }
  Shape shape = inputs[0]->shape;
  if (shape.empty()) return Mismatch(rule, "need a batch dimension");
  for (size_t i = 1; i < inputs.size(); ++i) {
    if (!SameRow(shape, inputs[i]->shape)) return Mismatch(rule, "differ in shape");
    shape[0] += inputs[i]->shape[0];
  }
  return shape;
}

// Calls `visit(data, size)` for each run of bytes, runs that touch in memory taken together.
template <typename Visit>
void ForEachRun(const Inputs& inputs, Visit visit) {
  const std::byte* run = nullptr;
  size_t length = 0;
  for (const Input* input : inputs) {
    for (const Payload::Segment& segment : input->data.segments()) {
      if (segment.empty()) continue;
      if (length > 0 && run + length == segment.data()) {
        length += segment.size();
        continue;
      }
      if (length > 0) visit(run, length);
      run = segment.data();
      length = segment.size();
    }
  }
  if (length > 0) visit(run, length);
}

bool IsAligned(const std::byte* data, size_t alignment) {
  return reinterpret_cast<uintptr_t>(data) % alignment == 0;
}

// Points `tensor` at the bytes: in place if they are one aligned run, in `scratch` otherwise.
absl::Status PlaceBytes(const Inputs& inputs, const GatherRule& rule, Scratch& scratch,
                        BatchTensor& tensor) {
  int runs = 0;
  const std::byte* first = nullptr;
  ForEachRun(inputs, [&](const std::byte* data, size_t size) {
    if (runs++ == 0) first = data;
    tensor.byte_size += size;
  });
  if (runs == 1 && IsAligned(first, rule.alignment)) {
    tensor.data = first;
    return absl::OkStatus();
  }
  NEREID_ASSIGN_OR_RETURN(std::byte * out, scratch.Reserve(tensor.byte_size));
  tensor.data = out;
  ForEachRun(inputs, [&out](const std::byte* data, size_t size) {
    std::memcpy(out, data, size);
    out += size;
  });
  return absl::OkStatus();
}

}  // namespace

GatherRule GatherRule::For(const ModelConfig& config, const std::string& name, DataType type) {
  GatherRule rule;
  rule.name = name;
  rule.alignment = std::max<size_t>(1, ElementByteSize(type));
  const TensorSpec* spec = config.FindInput(name);
  if (config.max_batch_size() == 0 || (spec != nullptr && spec->is_shape_tensor)) {
    rule.mode = GatherMode::kFirst;
  } else if (spec != nullptr && spec->allow_ragged_batch) {
    rule.mode = GatherMode::kConcat;
  }
  return rule;
}

absl::StatusOr<std::optional<BatchTensor>> GatherInput(const Batch& batch, const GatherRule& rule,
                                                       Scratch& scratch) {
  NEREID_ASSIGN_OR_RETURN(const Inputs inputs, Collect(batch, rule));
  if (inputs.empty()) return std::nullopt;
  BatchTensor tensor;
  tensor.data_type = inputs[0]->data_type;
  for (const Input* input : inputs) {
    if (input->data_type != tensor.data_type) return Mismatch(rule, "differ in type");
  }
  NEREID_ASSIGN_OR_RETURN(tensor.shape, JoinedShape(inputs, rule));
  NEREID_RETURN_IF_ERROR(PlaceBytes(inputs, rule, scratch, tensor));
  return tensor;
}

}  // namespace nereid
