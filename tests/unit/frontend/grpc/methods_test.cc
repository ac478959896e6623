#include "frontend/grpc/methods.h"

#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "common/strings.h"
#include "proto/grpc_service.pb.h"
#include "proto/health.pb.h"

namespace nereid {
namespace {

void AddMethods(const google::protobuf::FileDescriptor* file, std::set<std::string>* names) {
  const google::protobuf::ServiceDescriptor* service = file->service(0);
  for (int i = 0; i < service->method_count(); ++i) {
    names->insert(StrCat("/", service->full_name(), "/", service->method(i)->name()));
  }
}

TEST(GrpcMethods, HasOneRowForEveryProcedureOfTheContract) {
  std::set<std::string> contract, table;
  AddMethods(inference::ModelInferRequest::descriptor()->file(), &contract);
  AddMethods(grpc::health::v1::HealthCheckRequest::descriptor()->file(), &contract);
  for (const RpcMethod& method : GrpcMethods()) {
    EXPECT_TRUE(table.insert(method.name).second) << method.name;
    EXPECT_NE(method.handle, nullptr) << method.name;
  }
  EXPECT_EQ(table, contract);
}

TEST(GrpcMethods, UsesTheCategoriesThatCanBeRestricted) {
  const std::set<std::string_view> known = {"health",        "metadata",     "inference",
                                            "shared-memory", "model-config", "model-repository",
                                            "statistics",    "trace",        "logging"};
  for (const RpcMethod& method : GrpcMethods()) {
    EXPECT_TRUE(known.contains(method.category)) << method.name;
  }
}

TEST(GrpcMethods, StreamsWhereTheContractDoes) {
  for (const RpcMethod& method : GrpcMethods()) {
    const bool streams = std::string_view(method.name).ends_with("/ModelStreamInfer");
    EXPECT_EQ(method.shape == RpcShape::kStream, streams) << method.name;
  }
}

}  // namespace
}  // namespace nereid
