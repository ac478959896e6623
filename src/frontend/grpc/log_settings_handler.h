#pragma once

#include "frontend/grpc/rpc_method.h"

namespace inference {
class LogSettingsRequest;
class LogSettingsResponse;
}  // namespace inference

namespace nereid {

// The logging extension: changes what the request names and answers with all settings. Settings in
// front of one that is refused stay changed.
absl::Status LogSettingsOf(const RpcEnvironment& environment,
                           const inference::LogSettingsRequest& request,
                           inference::LogSettingsResponse* response);

}  // namespace nereid
