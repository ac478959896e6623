#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "frontend/grpc/rpc_call.h"
#include "infer/servable.h"
#include "infer/shared_tensors.h"
#include "nereid/request.h"
#include "nereid/response.h"

namespace nereid {

// Answers one ModelInfer call with the one response that it may have.
class GrpcSink final : public ResponseSink {
 public:
  // The names are views into the request's storage, which outlives the sink.
  GrpcSink(RpcCallHandle call, ServableHandle servable, std::string_view model_name,
           std::string_view request_id);

  // Outputs to be classified; part of the request this sink answers.
  void SetRequestedOutputs(absl::Span<const InferRequest::RequestedOutput> outputs) {
    requested_outputs_ = outputs;
  }

  // The tensors that lie in shared memory, if any do.
  void set_shared(SharedTensors shared) {
    if (!shared.empty()) shared_ = std::make_unique<SharedTensors>(std::move(shared));
  }

  absl::StatusOr<Buffer> Allocate(const TensorSpec& spec, size_t byte_size,
                                  MemoryPlace preferred) noexcept override;
  void Send(InferResponse response, bool is_final) noexcept override;
  void Finish() noexcept override;
  bool IsCancelled() const noexcept override { return call_->IsCancelled(); }

 private:
  absl::Status Classify(InferResponse& response) const;
  void Answer(InferResponse response) noexcept;
  void AnswerError(const absl::Status& status) noexcept;

  RpcCallHandle call_;
  const ServableHandle servable_;
  const std::string_view model_name_;
  const std::string_view request_id_;
  absl::Span<const InferRequest::RequestedOutput> requested_outputs_;
  std::unique_ptr<const SharedTensors> shared_;
  // A response of a backend that has not said yet whether it is the only one.
  std::optional<InferResponse> held_;
  int64_t response_count_ = 0;
};

}  // namespace nereid
