#pragma once

#include <grpcpp/impl/rpc_service_method.h>
#include <grpcpp/impl/service_type.h>

#include "frontend/grpc/rpc_method.h"

namespace nereid {

// One service whose methods take and give raw bytes. For .cc files of this folder only.
class RawService final : public grpc::Service {
 public:
  // Adds a method and returns its position. `method` outlives the service.
  int Add(const RpcMethod& method) {
    using grpc::internal::RpcMethod;
    const auto type =
        method.shape == RpcShape::kUnary ? RpcMethod::NORMAL_RPC : RpcMethod::BIDI_STREAMING;
    AddMethod(new grpc::internal::RpcServiceMethod(method.name, type, nullptr));
    MarkMethodRaw(count_);
    return count_++;
  }

  using grpc::Service::RequestAsyncBidiStreaming;
  using grpc::Service::RequestAsyncUnary;

 private:
  int count_ = 0;
};

// Where calls of one method come from.
struct MethodRoute {
  const RpcMethod* method = nullptr;
  RawService* service = nullptr;
  int index = 0;  // position in the service
};

}  // namespace nereid
