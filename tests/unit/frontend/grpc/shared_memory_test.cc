#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "common/strings.h"
#include "proto/grpc_service.pb.h"
#include "support/fake_cuda.h"
#include "support/shared_memory_object.h"
#include "unit/frontend/grpc/rpc_test_env.h"

namespace nereid {
namespace {

using testing::FakeCuda;
using testing::RpcOutcome;
using testing::RpcTestEnvironment;
using testing::SharedMemoryObject;

using SystemStatus = inference::SystemSharedMemoryStatusResponse;
using CudaStatus = inference::CudaSharedMemoryStatusResponse;

void ExpectFailure(const std::shared_ptr<RpcOutcome>& outcome, absl::StatusCode code,
                   std::string_view text) {
  EXPECT_EQ(outcome->answers, 1);
  EXPECT_EQ(outcome->status.code(), code) << outcome->status;
  EXPECT_EQ(Message(outcome->status), text);
}

class GrpcSharedMemoryTest : public ::testing::Test {
 protected:
  GrpcSharedMemoryTest() {
    env_.server.allows_client_memory = true;
    model_ = env_.server.Add(testing::IdentityConfig());
  }

  std::shared_ptr<RpcOutcome> RegisterSystem(const std::string& name, const std::string& key,
                                             uint64_t offset, uint64_t byte_size) {
    inference::SystemSharedMemoryRegisterRequest request;
    request.set_name(name);
    request.set_key(key);
    request.set_offset(offset);
    request.set_byte_size(byte_size);
    return env_.Call("SystemSharedMemoryRegister", request);
  }
  std::shared_ptr<RpcOutcome> RegisterCuda(const std::string& name, const std::string& handle,
                                           int64_t device, uint64_t byte_size) {
    inference::CudaSharedMemoryRegisterRequest request;
    request.set_name(name);
    request.set_raw_handle(handle);
    request.set_device_id(device);
    request.set_byte_size(byte_size);
    return env_.Call("CudaSharedMemoryRegister", request);
  }
  template <typename Request>
  bool Unregisters(const char* method, const std::string& name) {
    Request request;
    request.set_name(name);
    return env_.Call(method, request)->status.ok();
  }

  template <typename Tensor>
  static void Place(Tensor* tensor, const std::string& region, int64_t offset, int64_t byte_size) {
    auto& parameters = *tensor->mutable_parameters();
    parameters["shared_memory_region"].set_string_param(region);
    parameters["shared_memory_offset"].set_int64_param(offset);
    parameters["shared_memory_byte_size"].set_int64_param(byte_size);
  }
  // FP32 [1,4] from `region` at 0 to `region` at 32.
  static inference::ModelInferRequest Request(const std::string& region) {
    inference::ModelInferRequest request;
    request.set_model_name("identity");
    auto* input = request.add_inputs();
    input->set_name("INPUT0");
    input->set_datatype("FP32");
    input->add_shape(1);
    input->add_shape(4);
    Place(input, region, 0, 16);
    auto* output = request.add_outputs();
    output->set_name("OUTPUT0");
    Place(output, region, 32, 16);
    return request;
  }

  RpcTestEnvironment env_;
  testing::FakeServable* model_;
  SharedMemoryObject object_{2 * 4096};
};

TEST_F(GrpcSharedMemoryTest, RegionsComeAndGo) {
  EXPECT_TRUE(RegisterSystem("r", object_.key(), 4096, 64)->status.ok());
  ExpectFailure(RegisterSystem("r", object_.key(), 0, 64), absl::StatusCode::kAlreadyExists,
                "shared memory region 'r' already in manager");
  ExpectFailure(RegisterSystem("", object_.key(), 0, 64), absl::StatusCode::kInvalidArgument,
                "'region name' is necessary to register system shared memory region");
  ExpectFailure(RegisterSystem("s", "/", 0, 64), absl::StatusCode::kInvalidArgument,
                "cannot register shared memory region 's' - invalid shm key '/'");
  inference::SystemSharedMemoryStatusRequest status;
  for (const char* name : {"", "r"}) {
    status.set_name(name);
    const auto reply = env_.Ask<SystemStatus>("SystemSharedMemoryStatus", status);
    ASSERT_EQ(reply.regions_size(), 1);
    const auto& region = reply.regions().at("r");
    EXPECT_EQ(region.name(), "r");
    EXPECT_EQ(region.key(), object_.key());
    EXPECT_EQ(region.offset(), 4096u);
    EXPECT_EQ(region.byte_size(), 64u);
  }
  ExpectFailure(env_.Call("CudaSharedMemoryStatus", status), absl::StatusCode::kNotFound,
                "The region named 'r' is registered as system shared memory, not CUDA shared "
                "memory");
  using Unregister = inference::SystemSharedMemoryUnregisterRequest;
  for (const char* name : {"unknown", "r", ""}) {
    EXPECT_TRUE(Unregisters<Unregister>("SystemSharedMemoryUnregister", name));
  }
  ExpectFailure(env_.Call("SystemSharedMemoryStatus", status), absl::StatusCode::kNotFound,
                "Unable to find system shared memory region: 'r'");
}

TEST_F(GrpcSharedMemoryTest, TensorsLieInRegions) {
  ASSERT_TRUE(RegisterSystem("r", object_.key(), 0, 4096)->status.ok());
  std::memcpy(object_.data(), "sixteen bytes!!!", 16);
  inference::ModelInferRequest request = Request("r");
  const auto response = env_.Ask<inference::ModelInferResponse>("ModelInfer", request);
  ASSERT_EQ(response.outputs_size(), 1);
  EXPECT_EQ(response.outputs(0).datatype(), "FP32");
  EXPECT_EQ(response.outputs(0).shape_size(), 2);
  ASSERT_EQ(response.raw_output_contents_size(), 1) << "clients count them";
  EXPECT_EQ(response.raw_output_contents(0), "");
  EXPECT_EQ(std::memcmp(object_.data() + 32, "sixteen bytes!!!", 16), 0);

  request.clear_outputs();
  EXPECT_EQ(env_.Ask<inference::ModelInferResponse>("ModelInfer", request).raw_output_contents(0),
            "sixteen bytes!!!");
}

TEST_F(GrpcSharedMemoryTest, WrongRangesAreRefused) {
  ASSERT_TRUE(RegisterSystem("r", object_.key(), 0, 64)->status.ok());
  struct Row {
    std::string region;
    int64_t offset, byte_size;
    absl::StatusCode code;
    std::string text;
  };
  const auto kInvalid = absl::StatusCode::kInvalidArgument;
  const Row rows[] = {
      {"x", 0, 16, absl::StatusCode::kNotFound, "Unable to find shared memory region: 'x'"},
      {"r", 64, 16, kInvalid, "Invalid offset for shared memory region: 'r'"},
      {"r", -1, 16, kInvalid, "Invalid offset for shared memory region: 'r'"},
      {"r", 50, 16, kInvalid, "Invalid offset + byte size for shared memory region: 'r'"},
      {"r", 1, -1, kInvalid,
       "Integer overflow detected: byte_size (18446744073709551615) + offset (1) exceeds maximum "
       "value (18446744073709551615) for region 'r'"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.text);
    inference::ModelInferRequest request = Request("r");
    Place(request.mutable_inputs(0), row.region, row.offset, row.byte_size);
    ExpectFailure(env_.Call("ModelInfer", request), row.code, row.text);
    request = Request("r");
    Place(request.mutable_outputs(0), row.region, row.offset, row.byte_size);
    ExpectFailure(env_.Call("ModelInfer", request), row.code, row.text);
  }
  inference::ModelInferRequest request = Request("r");
  Place(request.mutable_outputs(0), "r", 0, 15);
  ExpectFailure(env_.Call("ModelInfer", request), absl::StatusCode::kInternal,
                "shared memory size specified with the request for output 'OUTPUT0' (15 bytes) "
                "should be at least 16 bytes to hold the results");
  env_.server.regions.Unregister(SharedMemoryKind::kSystem, "");
  EXPECT_FALSE(env_.server.regions.Status(SharedMemoryKind::kSystem, "r").ok())
      << "no failed request may hold on to a region";
}

TEST_F(GrpcSharedMemoryTest, SharedInputsTakeNoRawEntry) {
  env_.server.Add(testing::ConfigFromText(R"(
    name: "two" backend: "identity"
    input { name: "INPUT0" data_type: TYPE_INT32 dims: 1 }
    input { name: "INPUT1" data_type: TYPE_INT32 dims: 1 }
    output { name: "OUTPUT0" data_type: TYPE_INT32 dims: 1 }
    output { name: "OUTPUT1" data_type: TYPE_INT32 dims: 1 })"));
  ASSERT_TRUE(RegisterSystem("r", object_.key(), 0, 64)->status.ok());
  std::memcpy(object_.data(), "memo", 4);
  inference::ModelInferRequest request;
  request.set_model_name("two");
  for (const char* name : {"INPUT0", "INPUT1"}) {
    auto* input = request.add_inputs();
    input->set_name(name);
    input->set_datatype("INT32");
    input->add_shape(1);
  }
  Place(request.mutable_inputs(0), "r", 0, 4);
  request.add_raw_input_contents("wire");
  const auto response = env_.Ask<inference::ModelInferResponse>("ModelInfer", request);
  ASSERT_EQ(response.raw_output_contents_size(), 2);
  EXPECT_EQ(response.raw_output_contents(0), "memo");
  EXPECT_EQ(response.raw_output_contents(1), "wire");
}

TEST_F(GrpcSharedMemoryTest, ARegionIsFreeOnceTheAnswerIsThere) {
  ASSERT_TRUE(RegisterSystem("r", object_.key(), 0, 4096)->status.ok());
  bool listed_before = false;
  bool listed_after = true;
  model_->set_behaviour([&](std::unique_ptr<InferRequest> request) {
    const Payload held = request->inputs[0].data;
    env_.server.regions.Unregister(SharedMemoryKind::kSystem, "r");
    listed_before = env_.server.regions.Status(SharedMemoryKind::kSystem, "r").ok();
    testing::AnswerIdentity(std::move(request));
    listed_after = env_.server.regions.Status(SharedMemoryKind::kSystem, "r").ok();
  });
  EXPECT_TRUE(env_.Call("ModelInfer", Request("r"))->status.ok());
  EXPECT_TRUE(listed_before);
  EXPECT_FALSE(listed_after);
}

TEST_F(GrpcSharedMemoryTest, CudaRegions) {
  FakeCuda cuda;
  std::vector<std::byte> memory(64);
  std::memcpy(memory.data(), "sixteen bytes!!!", 16);
  const std::string handle = cuda.Share(memory);
  ExpectFailure(RegisterCuda("g", "short", 0, 64), absl::StatusCode::kInvalidArgument,
                "'raw_handle' must be a valid base64 encoded cudaIpcMemHandle_t");
  ExpectFailure(RegisterCuda("g", handle, -1, 64), absl::StatusCode::kInvalidArgument,
                "failed to register shared memory region: invalid args");
  ASSERT_TRUE(RegisterCuda("g", handle, 1, 64)->status.ok());
  inference::CudaSharedMemoryStatusRequest status;
  const auto reply = env_.Ask<CudaStatus>("CudaSharedMemoryStatus", status);
  ASSERT_EQ(reply.regions_size(), 1);
  EXPECT_EQ(reply.regions().at("g").name(), "g");
  EXPECT_EQ(reply.regions().at("g").device_id(), 1u);
  EXPECT_EQ(reply.regions().at("g").byte_size(), 64u);

  inference::ModelInferRequest request = Request("g");
  EXPECT_TRUE(env_.Call("ModelInfer", request)->status.ok());
  EXPECT_EQ(std::memcmp(memory.data() + 32, "sixteen bytes!!!", 16), 0);
  request.clear_outputs();
  EXPECT_EQ(env_.Ask<inference::ModelInferResponse>("ModelInfer", request).raw_output_contents(0),
            "sixteen bytes!!!");
  EXPECT_TRUE(
      Unregisters<inference::CudaSharedMemoryUnregisterRequest>("CudaSharedMemoryUnregister", "g"));
  EXPECT_EQ(cuda.opened(), 0);
}

}  // namespace
}  // namespace nereid
