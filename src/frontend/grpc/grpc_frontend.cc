#include "frontend/grpc/grpc_frontend.h"

#include <utility>

#include "common/status_macros.h"
#include "frontend/grpc/control_message.h"
#include "frontend/grpc/grpcpp_transport.h"
#include "frontend/grpc/methods.h"
#include "frontend/grpc/restrictions.h"
#include "wire/header_forwarding.h"

namespace nereid {

// Stands between the transport and the handlers.
struct GrpcFrontend::Impl final : RpcReceiver {
  Impl(const GrpcServiceOptions& options, InferenceServer* server,
       std::unique_ptr<const HeaderForwarding> header_forwarding)
      : restrictions(options.restricted),
        forwarding(std::move(header_forwarding)),
        environment{server, forwarding.get()} {}

  void OnCall(const RpcMethod& method, RpcCallHandle call) override {
    const absl::Status allowed = restrictions.Check(method.category, *call.operator->());
    if (!allowed.ok()) return call.Fail(allowed);
    method.handle(environment, std::move(call));
  }

  const Restrictions restrictions;
  const std::unique_ptr<const HeaderForwarding> forwarding;
  const RpcEnvironment environment;
  std::unique_ptr<GrpcppTransport> transport;  // last: gone before what its calls use
};

GrpcFrontend::GrpcFrontend(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
GrpcFrontend::~GrpcFrontend() = default;

absl::StatusOr<std::unique_ptr<GrpcFrontend>> GrpcFrontend::Create(
    const GrpcServiceOptions& options, InferenceServer* server) {
  RouteProtobufLog();
  NEREID_ASSIGN_OR_RETURN(auto forwarding,
                          HeaderForwarding::Create(options.header_forward_pattern));
  auto impl = std::make_unique<Impl>(options, server, std::move(forwarding));
  NEREID_ASSIGN_OR_RETURN(impl->transport,
                          GrpcppTransport::Create(options, GrpcMethods(), impl.get()));
  return std::unique_ptr<GrpcFrontend>(new GrpcFrontend(std::move(impl)));
}

int GrpcFrontend::port() const { return impl_->transport->port(); }
absl::StatusOr<std::vector<int>> GrpcFrontend::DuplicateSockets() const {
  return impl_->transport->DuplicateSockets();
}
int64_t GrpcFrontend::InFlight() const { return impl_->transport->InFlight(); }
bool GrpcFrontend::Drain(TimePoint deadline) { return impl_->transport->Drain(deadline); }

}  // namespace nereid
