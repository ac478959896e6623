#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "config/server_options.h"
#include "frontend/grpc/rpc_method.h"

namespace nereid {

// Receives the calls that a transport accepts. Called on the transport's threads.
class RpcReceiver {
 public:
  virtual ~RpcReceiver() = default;
  virtual void OnCall(const RpcMethod& method, RpcCallHandle call) = 0;
};

// Carries calls over grpc++: completion queues with one thread each, methods taken as raw bytes.
//
// The life of a transport: Create() listens and serves; Drain() refuses new calls and waits for
// those in flight; the destructor cancels what is left and waits until every call has been
// answered.
class GrpcppTransport {
 public:
  // `methods` and `receiver` outlive the transport. UNAVAILABLE when the port is in use;
  // INVALID_ARGUMENT for addresses, certificates or option values that cannot be used.
  static absl::StatusOr<std::unique_ptr<GrpcppTransport>> Create(
      const GrpcServiceOptions& options, absl::Span<const RpcMethod> methods,
      RpcReceiver* receiver);
  ~GrpcppTransport();
  GrpcppTransport(const GrpcppTransport&) = delete;
  GrpcppTransport& operator=(const GrpcppTransport&) = delete;

  int port() const;
  // See HttpListener.
  absl::StatusOr<std::vector<int>> DuplicateSockets() const;
  // Calls that have arrived and are not answered yet.
  int64_t InFlight() const;

  // Refuses new calls and waits until none is in flight, at most until `deadline`; then cancels
  // those that are left. Clients that neither finish their message nor hang up are waited for only
  // some seconds. True when all ended in time. Call once.
  bool Drain(TimePoint deadline);

 private:
  struct Impl;
  explicit GrpcppTransport(std::unique_ptr<Impl> impl);
  const std::unique_ptr<Impl> impl_;
};

}  // namespace nereid
