#include <utility>

#include "common/strings.h"
#include "nereid/request.h"

namespace nereid {
namespace {

// Encoders trust shapes and sizes; backends are not trusted.
absl::Status CheckOutputs(const InferResponse& response) {
  if (!response.status.ok()) return absl::OkStatus();
  for (const OutputTensor& output : response.outputs) {
    if (output.spec == nullptr)
      return absl::InternalError("the backend sent an output without a name");
    const absl::StatusOr<int64_t> expected = output.data_type == DataType::kBytes
                                                 ? ElementCount(output.shape)
                                                 : DenseByteSize(output.data_type, output.shape);
    const auto bytes = static_cast<int64_t>(output.data.byte_size());
    const bool fits =
        expected.ok() &&
        (output.data_type == DataType::kBytes ? bytes / 4 >= *expected : bytes == *expected);
    if (fits) continue;
    return absl::InternalError(
        StrCat("the backend sent ", bytes, " bytes for output '", output.spec->name, "' of type ",
               ProtocolName(output.data_type), " and shape ", ShapeToString(output.shape)));
  }
  return absl::OkStatus();
}

}  // namespace

InferRequest::~InferRequest() {
  if (!answered()) Fail(absl::InternalError("the request was dropped without an answer"));
}

const InferRequest::Input* InferRequest::FindInput(std::string_view name) const {
  for (const Input& input : inputs) {
    if (input.name == name) return &input;
  }
  return nullptr;
}

bool InferRequest::WantsOutput(const TensorSpec& spec) const {
  if (requested_outputs.empty()) return true;
  for (const RequestedOutput& output : requested_outputs) {
    if (output.spec == &spec || output.name == spec.name) return true;
  }
  return false;
}

absl::StatusOr<Buffer> InferRequest::AllocateOutput(const TensorSpec& spec, size_t byte_size,
                                                    MemoryPlace preferred) noexcept {
  if (answered()) return absl::FailedPreconditionError("the request has been answered already");
  return sink_->Allocate(spec, byte_size, preferred);
}

void InferRequest::Complete(const absl::Status& status) noexcept {
  if (observer != nullptr) std::exchange(observer, nullptr)->OnComplete(*this, status);
}

void InferRequest::Respond(InferResponse response, bool is_final) noexcept {
  if (answered()) return;
  if (absl::Status sound = CheckOutputs(response); !sound.ok()) {
    response.outputs.clear();
    response.status = std::move(sound);
    is_final = true;
  }
  if (observer != nullptr) observer->OnResponse(*this, response, is_final);
  ++response_count_;
  if (!is_final) {
    sink_->Send(std::move(response), false);
    return;
  }
  Complete(response.status);
  std::unique_ptr<ResponseSink> sink = std::move(sink_);
  sink->Send(std::move(response), true);
}

void InferRequest::Fail(absl::Status status) noexcept {
  InferResponse response;
  response.status = std::move(status);
  Respond(std::move(response), true);
}

void InferRequest::Finish() noexcept {
  if (answered()) return;
  Complete(absl::OkStatus());
  std::unique_ptr<ResponseSink> sink = std::move(sink_);
  sink->Finish();
}

}  // namespace nereid
