#include "frontend/grpc/grpc_sink.h"

#include <string>
#include <utility>

#include "common/status_macros.h"
#include "common/strings.h"
#include "wire/classification.h"
#include "wire/kserve_protobuf_response.h"

namespace nereid {

GrpcSink::GrpcSink(RpcCallHandle call, ServableHandle servable, std::string_view model_name,
                   std::string_view request_id)
    : call_(std::move(call)),
      servable_(std::move(servable)),
      model_name_(model_name),
      request_id_(request_id) {}

absl::StatusOr<Buffer> GrpcSink::Allocate(const TensorSpec& spec, size_t byte_size,
                                          MemoryPlace preferred) noexcept {
  return AllocateOutput(shared_.get(), spec, byte_size, preferred);
}

void GrpcSink::Send(InferResponse response, bool is_final) noexcept {
  ++response_count_;
  // An error is the answer, whatever else there was.
  if (is_final && (response_count_ == 1 || !response.status.ok())) {
    return Answer(std::move(response));
  }
  if (response_count_ == 1) held_ = std::move(response);
  if (is_final) Finish();
}

void GrpcSink::Finish() noexcept {
  if (response_count_ == 1) return Answer(*std::move(held_));
  AnswerError(absl::InternalError(StrCat("expected a single response, got ", response_count_)));
}

absl::Status GrpcSink::Classify(InferResponse& response) const {
  const bool has_batch_dimension = servable_->config()->max_batch_size() > 0;
  for (const InferRequest::RequestedOutput& requested : requested_outputs_) {
    if (requested.classification_count == 0) continue;
    for (OutputTensor& output : response.outputs) {
      if (output.spec->name != requested.name) continue;
      NEREID_ASSIGN_OR_RETURN(
          output, nereid::Classify(output, requested.classification_count, has_batch_dimension));
    }
  }
  return absl::OkStatus();
}

void GrpcSink::Answer(InferResponse response) noexcept {
  DeliverOutputs(shared_.get(), response);
  if (response.status.ok()) response.status = Classify(response);
  if (!response.status.ok()) return AnswerError(response.status);
  shared_.reset();
  const std::string version = std::to_string(servable_->version());
  auto message = EncodeInferResponse({model_name_, version, request_id_}, response);
  if (!message.ok()) return call_.Fail(message.status());
  call_.Reply(*std::move(message));
}

void GrpcSink::AnswerError(const absl::Status& status) noexcept {
  shared_.reset();
  call_.Fail(status);
}

}  // namespace nereid
