#include <utility>

#include "common/strings.h"
#include "nereid/request.h"

namespace nereid {

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
