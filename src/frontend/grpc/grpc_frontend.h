#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "config/server_options.h"
#include "server/inference_server.h"

namespace nereid {

// Serves the inference service, the standard health service and reflection over gRPC.
class GrpcFrontend {
 public:
  // Listens and serves. `server` outlives the frontend. UNAVAILABLE when the port is in use;
  // INVALID_ARGUMENT when an option cannot be used.
  static absl::StatusOr<std::unique_ptr<GrpcFrontend>> Create(const GrpcServiceOptions& options,
                                                              InferenceServer* server);
  // Cancels what is still in flight and waits until all of it has been answered.
  ~GrpcFrontend();
  GrpcFrontend(const GrpcFrontend&) = delete;
  GrpcFrontend& operator=(const GrpcFrontend&) = delete;

  int port() const;
  // See HttpListener.
  absl::StatusOr<std::vector<int>> DuplicateSockets() const;
  // Calls that have arrived and are not answered yet.
  int64_t InFlight() const;

  // Refuses new calls, closes idle connections and waits until no call is in flight, at most until
  // `deadline`; then cancels those that are left. True when all ended in time. Call once.
  bool Drain(TimePoint deadline);

 private:
  struct Impl;
  explicit GrpcFrontend(std::unique_ptr<Impl> impl);
  const std::unique_ptr<Impl> impl_;
};

}  // namespace nereid
