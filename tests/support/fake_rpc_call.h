#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "frontend/grpc/rpc_call.h"
#include "support/segmented_payload.h"

namespace nereid::testing {

// What became of a FakeRpcCall. Shared, so that a test can look after the call has ended.
struct RpcOutcome {
  int answers = 0;
  absl::Status status;
  std::string message;  // flattened
  OutgoingMessage pieces;
};

// A call without a transport. Deletes itself when it is answered.
class FakeRpcCall final : public RpcCall {
 public:
  using Metadata = std::multimap<std::string, std::string, std::less<>>;

  // `request` in one piece.
  static std::pair<RpcCallHandle, std::shared_ptr<RpcOutcome>> Make(
      std::string_view request, Metadata metadata = {}, TimePoint deadline = TimePoint::max()) {
    auto outcome = std::make_shared<RpcOutcome>();
    return {
        RpcCallHandle(new FakeRpcCall(OnePiece(request), std::move(metadata), deadline, outcome)),
        outcome};
  }

  Payload TakeRequest() override { return std::move(request_); }
  std::optional<std::string_view> FindMetadata(std::string_view key) const override {
    const auto found = metadata_.find(key);
    if (found == metadata_.end()) return std::nullopt;
    return found->second;
  }
  void VisitMetadata(MetadataVisitor visitor) const override {
    for (const auto& [key, value] : metadata_) visitor(key, value);
  }
  TimePoint deadline() const override { return deadline_; }
  bool IsCancelled() const noexcept override { return false; }

 private:
  FakeRpcCall(Payload request, Metadata metadata, TimePoint deadline,
              std::shared_ptr<RpcOutcome> outcome)
      : request_(std::move(request)),
        metadata_(std::move(metadata)),
        deadline_(deadline),
        outcome_(std::move(outcome)) {}

  void Finish(OutgoingMessage message) noexcept override {
    size_t sent = 0;
    for (const OutgoingMessage::Insert& insert : message.inserts) {
      outcome_->message += message.text.substr(sent, insert.offset - sent) + BytesOf(insert.data);
      sent = insert.offset;
    }
    outcome_->message += message.text.substr(sent);
    outcome_->pieces = std::move(message);
    ++outcome_->answers;
    delete this;
  }
  void FinishWithError(const absl::Status& status) noexcept override {
    outcome_->status = status;
    ++outcome_->answers;
    delete this;
  }

  Payload request_;
  const Metadata metadata_;
  const TimePoint deadline_;
  const std::shared_ptr<RpcOutcome> outcome_;
};

}  // namespace nereid::testing
