#include "frontend/grpc/metadata_handlers.h"

#include <string>
#include <vector>

#include "common/status_macros.h"
#include "proto/grpc_service.pb.h"
#include "server/inference_server.h"
#include "wire/model_version.h"

namespace nereid {
namespace {

absl::StatusOr<ServableHandle> FindModel(const RpcEnvironment& environment, const std::string& name,
                                         const std::string& version) {
  NEREID_ASSIGN_OR_RETURN(const int64_t number, ParseModelVersion(version));
  return environment.server->Resolve(name, number);
}

using TensorMetadata = inference::ModelMetadataResponse::TensorMetadata;

void Describe(const TensorSpec& spec, bool batches, TensorMetadata* out) {
  out->set_name(spec.name);
  const std::string_view type = ProtocolName(spec.data_type);
  out->set_datatype(type.data(), type.size());
  if (batches) out->add_shape(-1);
  for (const int64_t dim : spec.dims) out->add_shape(dim);
}

}  // namespace

absl::Status ServerMetadataOf(const RpcEnvironment& environment,
                              const inference::ServerMetadataRequest&,
                              inference::ServerMetadataResponse* response) {
  NEREID_ASSIGN_OR_RETURN(const ServerMetadata metadata, environment.server->Metadata());
  response->set_name(metadata.name);
  response->set_version(metadata.version);
  for (const std::string& extension : metadata.extensions) response->add_extensions(extension);
  return absl::OkStatus();
}

absl::Status ModelMetadataOf(const RpcEnvironment& environment,
                             const inference::ModelMetadataRequest& request,
                             inference::ModelMetadataResponse* response) {
  NEREID_ASSIGN_OR_RETURN(const ServableHandle servable,
                          FindModel(environment, request.name(), request.version()));
  std::vector<int64_t> versions = {servable->version()};
  if (request.version().empty()) {
    NEREID_ASSIGN_OR_RETURN(versions, environment.server->ReadyVersions(request.name()));
  }
  const ModelConfig& config = *servable->config();
  const bool batches = config.max_batch_size() > 0;
  response->set_name(config.name());
  response->set_platform(config.platform().empty() ? config.backend() : config.platform());
  for (const int64_t version : versions) response->add_versions(std::to_string(version));
  for (const TensorSpec& spec : config.inputs()) Describe(spec, batches, response->add_inputs());
  for (const TensorSpec& spec : config.outputs()) Describe(spec, batches, response->add_outputs());
  return absl::OkStatus();
}

absl::Status ModelConfigOf(const RpcEnvironment& environment,
                           const inference::ModelConfigRequest& request,
                           inference::ModelConfigResponse* response) {
  NEREID_ASSIGN_OR_RETURN(const ServableHandle servable,
                          FindModel(environment, request.name(), request.version()));
  *response->mutable_config() = servable->config()->proto();
  return absl::OkStatus();
}

}  // namespace nereid
