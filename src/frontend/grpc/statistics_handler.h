#pragma once

#include "frontend/grpc/rpc_method.h"

namespace inference {
class ModelStatisticsRequest;
class ModelStatisticsResponse;
}  // namespace inference

namespace nereid {

// The statistics extension: what ModelStatistics counted, message for message.
absl::Status ModelStatisticsOf(const RpcEnvironment& environment,
                               const inference::ModelStatisticsRequest& request,
                               inference::ModelStatisticsResponse* response);

}  // namespace nereid
