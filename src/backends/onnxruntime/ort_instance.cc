#include "backends/onnxruntime/ort_instance.h"

#include <utility>

#include "backends/onnxruntime/ort_status.h"
#include "backends/onnxruntime/ort_strings.h"
#include "backends/onnxruntime/ort_types.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid::ort {
namespace {

// ONNX Runtime takes a mutable pointer for inputs and does not write through it.
Ort::Value WrapBlock(const Ort::MemoryInfo& place, DataType type, const std::byte* data,
                     size_t byte_size, const Shape& shape) {
  return Ort::Value::CreateTensor(place, const_cast<std::byte*>(data), byte_size, shape.data(),
                                  shape.size(), ToOrtType(type));
}

// A value together with what its block came from.
struct OwnedValue {
  std::shared_ptr<const Session> session;
  Ort::Value value;
};

Shape ShapeOf(const Ort::Value& value) {
  const std::vector<int64_t> extents = value.GetTensorTypeAndShapeInfo().GetShape();
  return Shape(extents.begin(), extents.end());
}

}  // namespace

OrtInstance::OrtInstance(std::shared_ptr<Session> session, const Plan& plan,
                         const std::map<std::string, std::string>& run_entries)
    : session_(std::move(session)),
      plan_(plan),
      host_(Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault)),
      scratch_(plan.inputs.size()) {
  for (const auto& [name, value] : run_entries) {
    run_options_.AddConfigEntry(name.c_str(), value.c_str());
  }
}

absl::Status OrtInstance::Execute(Batch& batch) {
  absl::Status status = CatchOrt([&] { return Run(batch); });
  // They refer to blocks that go with the requests.
  input_values_.clear();
  output_values_.clear();
  output_buffers_.clear();
  return status;
}

absl::Status OrtInstance::Run(Batch& batch) {
  BatchResponses responses(batch, plan_.scatter);
  NEREID_RETURN_IF_ERROR(Feed(batch));
  NEREID_RETURN_IF_ERROR(PrepareOutputs(batch, responses));
  batch.MarkComputeStart();
  if (!output_names_.empty()) {
    session_->session.Run(run_options_, input_names_.data(), input_values_.data(),
                          input_values_.size(), output_names_.data(), output_values_.data(),
                          output_values_.size());
  }
  batch.MarkComputeEnd();
  NEREID_RETURN_IF_ERROR(Answer(responses, batch.size() == 1));
  responses.Send();
  return absl::OkStatus();
}

absl::StatusOr<BatchTensor> OrtInstance::FindTensor(const Batch& batch, size_t slot,
                                                    bool* is_absent) {
  const InputSlot& input = plan_.inputs[slot];
  if (input.batch_input >= 0) {
    return ComputeBatchInput(batch, plan_.batch_inputs[input.batch_input], scratch_[slot]);
  }
  NEREID_ASSIGN_OR_RETURN(std::optional<BatchTensor> tensor,
                          GatherInput(batch, input.gather, scratch_[slot]));
  *is_absent = !tensor.has_value();
  return tensor.value_or(BatchTensor{});
}

absl::Status OrtInstance::Feed(const Batch& batch) {
  input_names_.clear();
  input_values_.clear();
  for (size_t slot = 0; slot < plan_.inputs.size(); ++slot) {
    bool is_absent = false;
    NEREID_ASSIGN_OR_RETURN(BatchTensor tensor, FindTensor(batch, slot, &is_absent));
    if (is_absent) continue;  // the graph has a value of its own, or says what is missing
    if (plan_.inputs[slot].is_scalar) tensor.shape.clear();
    input_names_.push_back(plan_.inputs[slot].name.c_str());
    if (tensor.data_type == DataType::kBytes) {
      NEREID_ASSIGN_OR_RETURN(Ort::Value value, MakeStringTensor(tensor));
      input_values_.push_back(std::move(value));
    } else {
      input_values_.push_back(
          WrapBlock(host_, tensor.data_type, tensor.data, tensor.byte_size, tensor.shape));
    }
  }
  return absl::OkStatus();
}

absl::Status OrtInstance::PrepareOutputs(Batch& batch, const BatchResponses& responses) {
  output_slots_.clear();
  output_names_.clear();
  output_values_.clear();
  output_buffers_.clear();
  for (const OutputSlot& slot : plan_.outputs) {
    if (!responses.AnyWants(*slot.spec)) continue;
    output_slots_.push_back(&slot);
    output_names_.push_back(slot.spec->name.c_str());
    NEREID_RETURN_IF_ERROR(PrepareOutput(batch, slot));
  }
  return absl::OkStatus();
}

absl::Status OrtInstance::PrepareOutput(Batch& batch, const OutputSlot& slot) {
  output_values_.emplace_back(nullptr);
  output_buffers_.emplace_back();
  if (batch.size() != 1 || !slot.has_known_shape) return absl::OkStatus();
  Shape shape = slot.known_shape;
  if (plan_.model_batches) shape.insert(shape.begin(), batch.total_batch_size());
  NEREID_ASSIGN_OR_RETURN(int64_t byte_size, DenseByteSize(slot.data_type, shape));
  NEREID_ASSIGN_OR_RETURN(
      Buffer buffer, batch.request(0).AllocateOutput(*slot.spec, static_cast<size_t>(byte_size)));
  if (!buffer.place().HostAccessible() || buffer.data() == nullptr) return absl::OkStatus();
  output_values_.back() =
      WrapBlock(host_, slot.data_type, buffer.data(), static_cast<size_t>(byte_size), shape);
  output_buffers_.back() = std::move(buffer);
  return absl::OkStatus();
}

absl::Status OrtInstance::Answer(BatchResponses& responses, bool single) {
  for (size_t i = 0; i < output_slots_.size(); ++i) {
    const OutputSlot& slot = *output_slots_[i];
    Ort::Value& value = output_values_[i];
    const Shape shape = ShapeOf(value);
    if (slot.data_type == DataType::kBytes) {
      const StringContent content(value);
      NEREID_RETURN_IF_ERROR(responses.AddStrings(*slot.spec, shape, content.block()));
      continue;
    }
    NEREID_ASSIGN_OR_RETURN(int64_t size, DenseByteSize(slot.data_type, shape));
    const auto byte_size = static_cast<size_t>(size);
    const auto* data = static_cast<const std::byte*>(value.GetTensorRawData());
    absl::Status status;
    if (output_buffers_[i].data() != nullptr) {
      status = responses.AddPayload(*slot.spec, slot.data_type, shape, output_buffers_[i]);
    } else if (single) {
      auto owner = std::make_shared<OwnedValue>(OwnedValue{session_, std::move(value)});
      status = responses.AddPayload(*slot.spec, slot.data_type, shape,
                                    Payload(std::move(owner), data, byte_size));
    } else {
      status = responses.AddTensor(*slot.spec, slot.data_type, shape, {data, byte_size});
    }
    NEREID_RETURN_IF_ERROR(status);
  }
  return absl::OkStatus();
}

}  // namespace nereid::ort
