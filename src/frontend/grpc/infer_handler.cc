#include "frontend/grpc/infer_handler.h"

#include <memory>
#include <utility>

#include "common/status_macros.h"
#include "frontend/grpc/grpc_sink.h"
#include "server/inference_server.h"
#include "wire/header_forwarding.h"
#include "wire/kserve_protobuf_message.h"
#include "wire/kserve_protobuf_request.h"
#include "wire/model_version.h"

namespace nereid {
namespace {

absl::StatusOr<ServableHandle> FindModel(const InferenceServer& server,
                                         const InferMessage& message) {
  NEREID_ASSIGN_OR_RETURN(const int64_t version, ParseModelVersion(message.model_version));
  NEREID_ASSIGN_OR_RETURN(ServableHandle servable, server.Resolve(message.model_name, version));
  if (servable->config()->decoupled()) {
    return absl::UnimplementedError(
        "ModelInfer RPC doesn't support models with decoupled transaction policy");
  }
  return servable;
}

absl::Status ForwardMetadata(const HeaderForwarding& forwarding, const RpcCall& call,
                             Parameters& parameters) {
  if (!forwarding.enabled()) return absl::OkStatus();
  absl::Status status;
  call.VisitMetadata([&](std::string_view key, std::string_view value) {
    if (status.ok()) status = forwarding.Forward(key, value, parameters);
  });
  return status;
}

}  // namespace

void HandleModelInfer(const RpcEnvironment& environment, RpcCallHandle call) {
  const TimePoint received = Clock::now();
  InferMessage message;
  absl::Status status = ParseInferMessage(call->TakeRequest(), message);
  if (!status.ok()) return call.Fail(status);
  auto servable = FindModel(*environment.server, message);
  if (!servable.ok()) return call.Fail(servable.status());

  const RpcCall& incoming = *call.operator->();
  auto owned_sink =
      std::make_unique<GrpcSink>(std::move(call), *servable, message.model_name, message.id);
  GrpcSink& sink = *owned_sink;
  auto request = std::make_unique<InferRequest>(std::move(owned_sink));
  request->timeline.received = received;
  request->deadline = incoming.deadline();
  status = AddRequestParameters(message, *request);
  if (status.ok()) {
    status = ForwardMetadata(*environment.forwarding, incoming, request->parameters);
  }
  SharedTensors shared(&environment.server->shared_memory(), (*servable)->config().get());
  if (status.ok()) status = AddTensors(message, *request, &shared);
  sink.set_shared(std::move(shared));
  if (!status.ok()) return request->Fail(std::move(status));
  sink.SetRequestedOutputs(request->requested_outputs);
  environment.server->Infer(std::move(*servable), std::move(request));
}

}  // namespace nereid
