#include "frontend/grpc/repository_handlers.h"

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "common/status_macros.h"
#include "common/strings.h"
#include "frontend/grpc/control_message.h"
#include "proto/grpc_service.pb.h"
#include "server/inference_server.h"

namespace nereid {
namespace {

using ParameterMap = google::protobuf::Map<std::string, inference::ModelRepositoryParameter>;

constexpr std::string_view kFilePrefix = "file:";

absl::Status CheckRepositoryName(const std::string& name) {
  return name.empty()
             ? absl::OkStatus()
             : absl::UnimplementedError("'repository_name' specification is not supported");
}

absl::Status WrongType(const std::string& key, std::string_view expected) {
  return absl::InvalidArgumentError(
      StrCat("invalid value type for load parameter '", key, "', expected ", expected, "."));
}

absl::StatusOr<LoadOverrides> ReadOverrides(const ParameterMap& parameters) {
  LoadOverrides overrides;
  for (const auto& [key, value] : parameters) {
    if (key == "config") {
      if (!value.has_string_param()) return WrongType(key, "string_param");
      if (value.string_param().empty()) return EmptyConfigOverride();
      overrides.config_json = value.string_param();
    } else if (key.starts_with(kFilePrefix)) {
      if (!value.has_bytes_param()) return WrongType(key, "bytes_param");
      overrides.files[key.substr(kFilePrefix.size())] = value.bytes_param();
    } else {
      return absl::InvalidArgumentError(StrCat("unrecognized load parameter '", key, "'."));
    }
  }
  if (!overrides.files.empty() && !parameters.contains("config")) {
    return absl::InvalidArgumentError(
        "Load parameter 'config' must be specified for model file override");
  }
  return overrides;
}

absl::StatusOr<bool> ReadUnloadDependents(const ParameterMap& parameters) {
  const auto found = parameters.find("unload_dependents");
  if (found == parameters.end()) return false;
  if (!found->second.has_bool_param()) {
    return absl::InvalidArgumentError(
        "invalid value type for 'unload_dependents' parameter, expected bool_param.");
  }
  return found->second.bool_param();
}

// Answers with an empty message, or with the error. std::function wants what it holds to be
// copyable.
InferenceServer::Done AnswerWhenDone(RpcCallHandle call) {
  return [call = std::make_shared<RpcCallHandle>(std::move(call))](const absl::Status& status) {
    status.ok() ? call->Reply({}) : call->Fail(status);
  };
}

}  // namespace

absl::Status RepositoryIndexOf(const RpcEnvironment& environment,
                               const inference::RepositoryIndexRequest& request,
                               inference::RepositoryIndexResponse* response) {
  NEREID_RETURN_IF_ERROR(CheckRepositoryName(request.repository_name()));
  NEREID_ASSIGN_OR_RETURN(const auto rows, environment.server->RepositoryIndex(request.ready()));
  for (const IndexRow& row : rows) {
    auto* model = response->add_models();
    model->set_name(row.name);
    model->set_version(row.version);
    model->set_state(row.state);
    model->set_reason(row.reason);
  }
  return absl::OkStatus();
}

void HandleModelLoad(const RpcEnvironment& environment, RpcCallHandle call) {
  inference::RepositoryModelLoadRequest request;
  absl::Status status = ParseControlMessage(call->TakeRequest(), &request);
  if (status.ok()) status = CheckRepositoryName(request.repository_name());
  if (!status.ok()) return call.Fail(status);
  auto overrides = ReadOverrides(request.parameters());
  if (!overrides.ok()) return call.Fail(overrides.status());
  environment.server->LoadModel(request.model_name(), *std::move(overrides),
                                AnswerWhenDone(std::move(call)));
}

void HandleModelUnload(const RpcEnvironment& environment, RpcCallHandle call) {
  inference::RepositoryModelUnloadRequest request;
  absl::Status status = ParseControlMessage(call->TakeRequest(), &request);
  if (status.ok()) status = CheckRepositoryName(request.repository_name());
  if (!status.ok()) return call.Fail(status);
  const auto dependents = ReadUnloadDependents(request.parameters());
  if (!dependents.ok()) return call.Fail(dependents.status());
  environment.server->UnloadModel(request.model_name(), *dependents,
                                  AnswerWhenDone(std::move(call)));
}

}  // namespace nereid
