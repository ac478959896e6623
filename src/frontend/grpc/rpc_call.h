#pragma once

#include <optional>
#include <string_view>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "nereid/buffer.h"
#include "nereid/request.h"
#include "wire/outgoing_message.h"

namespace nereid {

// One call of a remote procedure, as handlers see it: free of the transport that carries it. It
// belongs to the transport; a handler holds it through an RpcCallHandle until it answers.
//
// Any thread, one at a time; IsCancelled() at any time.
class RpcCall {
 public:
  // The bytes of the request message; empty the second time.
  virtual Payload TakeRequest() = 0;

  // Metadata the client sent, keys in lower case. Views live until the call is answered. Of several
  // entries with one key, FindMetadata() gives the first.
  virtual std::optional<std::string_view> FindMetadata(std::string_view key) const = 0;
  using MetadataVisitor = absl::FunctionRef<void(std::string_view key, std::string_view value)>;
  virtual void VisitMetadata(MetadataVisitor visitor) const = 0;

  // When the client gives up; TimePoint::max() when it never does.
  virtual TimePoint deadline() const = 0;
  // True once the client has cancelled or gone, or the deadline has passed.
  virtual bool IsCancelled() const noexcept = 0;

 protected:
  ~RpcCall() = default;

 private:
  friend class RpcCallHandle;
  // The last call made to this object, exactly once.
  virtual void Finish(OutgoingMessage message) noexcept = 0;
  virtual void FinishWithError(const absl::Status& status) noexcept = 0;
};

// The right, and the duty, to answer a call. One that is dropped answers INTERNAL.
class RpcCallHandle {
 public:
  explicit RpcCallHandle(RpcCall* call) : call_(call) {}
  RpcCallHandle(RpcCallHandle&& other) noexcept : call_(std::exchange(other.call_, nullptr)) {}
  RpcCallHandle& operator=(RpcCallHandle&&) = delete;
  ~RpcCallHandle() {
    if (call_ != nullptr) Fail(absl::InternalError("the call was dropped without an answer"));
  }

  RpcCall* operator->() const { return call_; }
  bool answered() const { return call_ == nullptr; }

  // Each ends the call; only the first of them counts.
  void Reply(OutgoingMessage message) noexcept {
    if (RpcCall* call = std::exchange(call_, nullptr)) call->Finish(std::move(message));
  }
  void Fail(const absl::Status& status) noexcept {
    if (RpcCall* call = std::exchange(call_, nullptr)) call->FinishWithError(status);
  }

 private:
  RpcCall* call_;
};

}  // namespace nereid
