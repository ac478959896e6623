#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "common/strings.h"
#include "frontend/grpc/methods.h"
#include "support/config_text.h"
#include "support/fake_rpc_call.h"
#include "support/fake_server.h"
#include "wire/header_forwarding.h"

namespace nereid::testing {

// A fake server and the method table in front of it.
class RpcTestEnvironment {
 public:
  explicit RpcTestEnvironment(const std::string& forward_pattern = "")
      : forwarding_(*HeaderForwarding::Create(forward_pattern)),
        environment_{&server, forwarding_.get()} {}

  // Calls the inference service's `method`; `name` may also be a full name.
  std::shared_ptr<RpcOutcome> CallWithBytes(std::string_view name, std::string_view bytes,
                                            FakeRpcCall::Metadata metadata = {},
                                            TimePoint deadline = TimePoint::max()) {
    auto [call, outcome] = FakeRpcCall::Make(bytes, std::move(metadata), deadline);
    const RpcMethod* method = Find(name);
    if (method != nullptr) method->handle(environment_, std::move(call));
    return outcome;
  }

  template <typename Request>
  std::shared_ptr<RpcOutcome> Call(std::string_view name, const Request& request,
                                   FakeRpcCall::Metadata metadata = {}) {
    return CallWithBytes(name, request.SerializeAsString(), std::move(metadata));
  }

  // The reply to a call that succeeds.
  template <typename Response, typename Request>
  Response Ask(std::string_view name, const Request& request) {
    const auto outcome = Call(name, request);
    EXPECT_EQ(outcome->answers, 1);
    EXPECT_TRUE(outcome->status.ok()) << outcome->status;
    Response response;
    EXPECT_TRUE(response.ParseFromString(outcome->message));
    return response;
  }

  static const RpcMethod* Find(std::string_view name) {
    for (const RpcMethod& method : GrpcMethods()) {
      if (name == method.name || StrCat("/inference.GRPCInferenceService/", name) == method.name) {
        return &method;
      }
    }
    ADD_FAILURE() << "no method " << name;
    return nullptr;
  }

  FakeServer server;

 private:
  const std::unique_ptr<const HeaderForwarding> forwarding_;
  const RpcEnvironment environment_;
};

inline std::shared_ptr<const ModelConfig> IdentityConfig(const std::string& type = "TYPE_FP32",
                                                         int max_batch_size = 8) {
  return ConfigFromText(
      "name: 'identity' backend: 'identity' max_batch_size: " + std::to_string(max_batch_size) +
      " input { name: 'INPUT0' data_type: " + type +
      " dims: [-1] } output { name: 'OUTPUT0' data_type: " + type + " dims: [-1] }");
}

}  // namespace nereid::testing
