#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/impl/client_unary_call.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/impl/rpc_method.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/channel_arguments.h>
#include <grpcpp/support/sync_stream.h>

#include <memory>
#include <string>
#include <vector>

#include "proto/grpc_service.pb.h"

namespace nereid::testing {

// A client over its own connection, made of the library's parts: there is no generated code.
class GrpcTestClient {
 public:
  explicit GrpcTestClient(int port, std::shared_ptr<grpc::ChannelCredentials> credentials =
                                        grpc::InsecureChannelCredentials()) {
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(-1);
    arguments.SetInt("grpc.use_local_subchannel_pool", 1);
    channel_ =
        grpc::CreateCustomChannel("127.0.0.1:" + std::to_string(port), credentials, arguments);
  }

  // `name`: a method of the inference service, or a full name.
  template <typename Response, typename Request>
  grpc::Status Call(const std::string& name, const Request& request, Response* response,
                    grpc::ClientContext* context = nullptr) {
    grpc::ClientContext own;
    const std::string full =
        name.starts_with('/') ? name : "/inference.GRPCInferenceService/" + name;
    const grpc::internal::RpcMethod method(full.c_str(), grpc::internal::RpcMethod::NORMAL_RPC);
    using Lite = google::protobuf::MessageLite;
    return grpc::internal::BlockingUnaryCall<Request, Response, Lite, Lite>(
        channel_.get(), method, context == nullptr ? &own : context, request, response);
  }

  // Sends one message on a stream and collects what comes back until the stream ends.
  grpc::Status Stream(const std::string& full_name, const std::string& message,
                      std::vector<std::string>* replies) {
    using Bytes = grpc::ByteBuffer;
    grpc::ClientContext context;
    const grpc::internal::RpcMethod method(full_name.c_str(),
                                           grpc::internal::RpcMethod::BIDI_STREAMING);
    const std::unique_ptr<grpc::ClientReaderWriter<Bytes, Bytes>> stream(
        grpc::internal::ClientReaderWriterFactory<Bytes, Bytes>::Create(channel_.get(), method,
                                                                        &context));
    const grpc::Slice slice(message);
    stream->Write(Bytes(&slice, 1));
    stream->WritesDone();
    Bytes reply;
    while (stream->Read(&reply)) {
      grpc::Slice flat;
      reply.DumpToSingleSlice(&flat);
      replies->emplace_back(reinterpret_cast<const char*>(flat.begin()), flat.size());
    }
    return stream->Finish();
  }

 private:
  std::shared_ptr<grpc::Channel> channel_;
};

}  // namespace nereid::testing
