#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/log.h"
#include "common/strings.h"
#include "proto/grpc_service.pb.h"
#include "proto/health.pb.h"
#include "unit/frontend/grpc/rpc_test_env.h"

namespace nereid {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using testing::IdentityConfig;
using testing::RpcTestEnvironment;

constexpr char kHealthCheck[] = "/grpc.health.v1.Health/Check";

void ExpectFailure(const std::shared_ptr<testing::RpcOutcome>& outcome, absl::StatusCode code,
                   std::string_view text) {
  EXPECT_EQ(outcome->answers, 1);
  EXPECT_EQ(outcome->status.code(), code) << outcome->status;
  EXPECT_EQ(Message(outcome->status), text);
}

TEST(HealthHandlers, SayWhatTheServerSays) {
  RpcTestEnvironment env;
  EXPECT_TRUE(
      env.Ask<inference::ServerLiveResponse>("ServerLive", inference::ServerLiveRequest()).live());
  EXPECT_TRUE(
      env.Ask<inference::ServerReadyResponse>("ServerReady", inference::ServerReadyRequest())
          .ready());
  EXPECT_EQ(env.Ask<HealthCheckResponse>(kHealthCheck, HealthCheckRequest()).status(),
            HealthCheckResponse::SERVING);
}

TEST(HealthHandlers, AnswerFalseWhenTheServerIsNotWell) {
  RpcTestEnvironment env;
  env.server.live = absl::InternalError("failed to initialize");
  env.server.ready = false;
  EXPECT_FALSE(
      env.Ask<inference::ServerLiveResponse>("ServerLive", inference::ServerLiveRequest()).live());
  EXPECT_FALSE(
      env.Ask<inference::ServerReadyResponse>("ServerReady", inference::ServerReadyRequest())
          .ready());
  HealthCheckRequest check;
  check.set_service("any name");
  EXPECT_EQ(env.Ask<HealthCheckResponse>(kHealthCheck, check).status(),
            HealthCheckResponse::NOT_SERVING);
}

TEST(HealthHandlers, FailWhileTheServerIsExiting) {
  RpcTestEnvironment env;
  env.server.live = absl::UnavailableError("Server exiting");
  env.server.ready = absl::UnavailableError("Server exiting");
  const auto unavailable = absl::StatusCode::kUnavailable;
  for (const char* name : {"ServerLive", "ServerReady", kHealthCheck}) {
    ExpectFailure(env.CallWithBytes(name, ""), unavailable, "Server exiting");
  }
}

TEST(HealthHandlers, AnswerForModels) {
  RpcTestEnvironment env;
  env.server.Add(IdentityConfig());
  env.server.model_ready["sick"] = false;
  inference::ModelReadyRequest request;
  request.set_name("identity");
  EXPECT_TRUE(env.Ask<inference::ModelReadyResponse>("ModelReady", request).ready());
  request.set_version("1x");
  ExpectFailure(env.Call("ModelReady", request), absl::StatusCode::kInvalidArgument,
                "failed to get model version from specified version string '1x' (details: stol), "
                "version should be an integral value > 0");
  request.set_version("");
  request.set_name("sick");
  EXPECT_FALSE(env.Ask<inference::ModelReadyResponse>("ModelReady", request).ready());
  request.set_name("none");
  ExpectFailure(env.Call("ModelReady", request), absl::StatusCode::kNotFound,
                "Request for unknown model: 'none' is not found");
}

TEST(MetadataHandlers, DescribeTheServer) {
  RpcTestEnvironment env;
  const auto metadata = env.Ask<inference::ServerMetadataResponse>(
      "ServerMetadata", inference::ServerMetadataRequest());
  EXPECT_EQ(metadata.name(), "triton");
  EXPECT_EQ(metadata.version(), "1.2.3");
  EXPECT_EQ(metadata.extensions_size(), 2);
}

TEST(MetadataHandlers, DescribeModelsWithTheirBatchDimension) {
  RpcTestEnvironment env;
  env.server.Add(IdentityConfig(), 1);
  env.server.Add(IdentityConfig(), 3);
  inference::ModelMetadataRequest request;
  request.set_name("identity");
  const auto all = env.Ask<inference::ModelMetadataResponse>("ModelMetadata", request);
  EXPECT_EQ(all.name(), "identity");
  EXPECT_EQ(all.platform(), "identity");
  ASSERT_EQ(all.versions_size(), 2);
  EXPECT_EQ(all.versions(1), "3");
  ASSERT_EQ(all.inputs_size(), 1);
  EXPECT_EQ(all.inputs(0).name(), "INPUT0");
  EXPECT_EQ(all.inputs(0).datatype(), "FP32");
  ASSERT_EQ(all.inputs(0).shape_size(), 2);
  EXPECT_EQ(all.inputs(0).shape(0), -1);
  ASSERT_EQ(all.outputs_size(), 1);

  request.set_version("1");
  const auto one = env.Ask<inference::ModelMetadataResponse>("ModelMetadata", request);
  ASSERT_EQ(one.versions_size(), 1);
  EXPECT_EQ(one.versions(0), "1");
}

TEST(MetadataHandlers, LeaveOutTheBatchDimensionOfModelsWithoutOne) {
  RpcTestEnvironment env;
  env.server.Add(IdentityConfig("TYPE_STRING", 0));
  inference::ModelMetadataRequest request;
  request.set_name("identity");
  const auto metadata = env.Ask<inference::ModelMetadataResponse>("ModelMetadata", request);
  EXPECT_EQ(metadata.inputs(0).datatype(), "BYTES");
  EXPECT_EQ(metadata.inputs(0).shape_size(), 1);
}

TEST(MetadataHandlers, GiveTheConfiguration) {
  RpcTestEnvironment env;
  const auto config = IdentityConfig();
  env.server.Add(config);
  inference::ModelConfigRequest request;
  request.set_name("identity");
  const auto response = env.Ask<inference::ModelConfigResponse>("ModelConfig", request);
  EXPECT_TRUE(
      google::protobuf::util::MessageDifferencer::Equals(response.config(), config->proto()));
}

TEST(StatisticsHandler, CopiesEveryNumber) {
  RpcTestEnvironment env;
  StatisticsRow row;
  row.name = "m";
  row.version = 2;
  auto& s = row.statistics;
  s.last_inference_ms = 1;
  s.inference_count = 2;
  s.execution_count = 3;
  s.success = {4, 5};
  s.fail = {6, 7};
  s.queue = {8, 9};
  s.compute_input = {10, 11};
  s.compute_infer = {12, 13};
  s.compute_output = {14, 15};
  s.cache_hit = {16, 17};
  s.cache_miss = {18, 19};
  s.batches.push_back({4, {20, 21}, {20, 22}, {20, 23}});
  s.responses.push_back({1, {24, 25}, {26, 27}, {28, 29}, {30, 31}, {32, 33}, {34, 35}});
  row.memory_usage.items.push_back({{MemoryKind::kGpu, 1}, 4096});
  env.server.statistics = std::vector<StatisticsRow>{row};

  const auto response = env.Ask<inference::ModelStatisticsResponse>(
      "ModelStatistics", inference::ModelStatisticsRequest());
  ASSERT_EQ(response.model_stats_size(), 1);
  EXPECT_EQ(response.model_stats(0).ShortDebugString(),
            "name: \"m\" version: \"2\" last_inference: 1 inference_count: 2 execution_count: 3 "
            "inference_stats { success { count: 4 ns: 5 } fail { count: 6 ns: 7 } "
            "queue { count: 8 ns: 9 } compute_input { count: 10 ns: 11 } "
            "compute_infer { count: 12 ns: 13 } compute_output { count: 14 ns: 15 } "
            "cache_hit { count: 16 ns: 17 } cache_miss { count: 18 ns: 19 } } "
            "batch_stats { batch_size: 4 compute_input { count: 20 ns: 21 } "
            "compute_infer { count: 20 ns: 22 } compute_output { count: 20 ns: 23 } } "
            "memory_usage { type: \"GPU\" id: 1 byte_size: 4096 } "
            "response_stats { key: \"1\" value { compute_infer { count: 24 ns: 25 } "
            "compute_output { count: 26 ns: 27 } success { count: 28 ns: 29 } "
            "fail { count: 30 ns: 31 } empty_response { count: 32 ns: 33 } "
            "cancel { count: 34 ns: 35 } } }");
}

TEST(RepositoryHandlers, ListTheIndex) {
  RpcTestEnvironment env;
  env.server.index = {{"a", "1", "READY", ""}, {"b", "", "", ""}, {"c", "2", "UNAVAILABLE", "why"}};
  inference::RepositoryIndexRequest request;
  auto response = env.Ask<inference::RepositoryIndexResponse>("RepositoryIndex", request);
  ASSERT_EQ(response.models_size(), 3);
  EXPECT_EQ(response.models(2).ShortDebugString(),
            "name: \"c\" version: \"2\" state: \"UNAVAILABLE\" reason: \"why\"");
  request.set_ready(true);
  response = env.Ask<inference::RepositoryIndexResponse>("RepositoryIndex", request);
  EXPECT_EQ(response.models_size(), 1);
  request.set_repository_name("r");
  ExpectFailure(env.Call("RepositoryIndex", request), absl::StatusCode::kUnimplemented,
                "'repository_name' specification is not supported");
}

TEST(RepositoryHandlers, LoadWithOverrides) {
  RpcTestEnvironment env;
  inference::RepositoryModelLoadRequest request;
  request.set_model_name("m");
  (*request.mutable_parameters())["config"].set_string_param("{}");
  (*request.mutable_parameters())["file:1/model.onnx"].set_bytes_param(std::string("\0\xff", 2));
  env.Ask<inference::RepositoryModelLoadResponse>("RepositoryModelLoad", request);
  ASSERT_EQ(env.server.loads.size(), 1u);
  EXPECT_EQ(env.server.loads[0].model, "m");
  EXPECT_EQ(env.server.loads[0].overrides.config_json, "{}");
  EXPECT_EQ(env.server.loads[0].overrides.files.at("1/model.onnx"), std::string("\0\xff", 2));

  env.server.load_status = absl::InternalError("no such model");
  ExpectFailure(env.Call("RepositoryModelLoad", request), absl::StatusCode::kInternal,
                "no such model");
}

TEST(RepositoryHandlers, RefuseWrongLoadParameters) {
  RpcTestEnvironment env;
  const auto load = [&](const std::string& key, const auto& set) {
    inference::RepositoryModelLoadRequest request;
    set((*request.mutable_parameters())[key]);
    return env.Call("RepositoryModelLoad", request);
  };
  const auto text = [](auto& value) { value.set_string_param("x"); };
  const auto bytes = [](auto& value) { value.set_bytes_param("x"); };
  const auto invalid = absl::StatusCode::kInvalidArgument;
  ExpectFailure(load("config", bytes), invalid,
                "invalid value type for load parameter 'config', expected string_param.");
  ExpectFailure(load("file:1/x", text), invalid,
                "invalid value type for load parameter 'file:1/x', expected bytes_param.");
  ExpectFailure(load("other", text), invalid, "unrecognized load parameter 'other'.");
  ExpectFailure(load("file:1/x", bytes), invalid,
                "Load parameter 'config' must be specified for model file override");
  inference::RepositoryModelLoadRequest elsewhere;
  elsewhere.set_repository_name("r");
  ExpectFailure(env.Call("RepositoryModelLoad", elsewhere), absl::StatusCode::kUnimplemented,
                "'repository_name' specification is not supported");
  EXPECT_TRUE(env.server.loads.empty());
}

TEST(RepositoryHandlers, Unload) {
  RpcTestEnvironment env;
  inference::RepositoryModelUnloadRequest request;
  request.set_model_name("m");
  env.Ask<inference::RepositoryModelUnloadResponse>("RepositoryModelUnload", request);
  (*request.mutable_parameters())["unload_dependents"].set_bool_param(true);
  env.Ask<inference::RepositoryModelUnloadResponse>("RepositoryModelUnload", request);
  ASSERT_EQ(env.server.unloads.size(), 2u);
  EXPECT_FALSE(env.server.unloads[0].unload_dependents);
  EXPECT_TRUE(env.server.unloads[1].unload_dependents);

  (*request.mutable_parameters())["unload_dependents"].set_string_param("yes");
  ExpectFailure(env.Call("RepositoryModelUnload", request), absl::StatusCode::kInvalidArgument,
                "invalid value type for 'unload_dependents' parameter, expected bool_param.");
}

TEST(SharedMemoryHandlers, HaveNoRegionsAndTakeNone) {
  RpcTestEnvironment env;
  inference::SystemSharedMemoryStatusRequest status;
  EXPECT_EQ(env.Ask<inference::SystemSharedMemoryStatusResponse>("SystemSharedMemoryStatus", status)
                .regions_size(),
            0);
  status.set_name("r");
  ExpectFailure(env.Call("SystemSharedMemoryStatus", status), absl::StatusCode::kNotFound,
                "Unable to find system shared memory region: 'r'");
  ExpectFailure(env.Call("CudaSharedMemoryStatus", status), absl::StatusCode::kNotFound,
                "Unable to find cuda shared memory region: 'r'");
  for (const char* name : {"SystemSharedMemoryRegister", "SystemSharedMemoryUnregister",
                           "CudaSharedMemoryRegister", "CudaSharedMemoryUnregister"}) {
    ExpectFailure(env.CallWithBytes(name, "\xff junk"), absl::StatusCode::kUnimplemented,
                  "Client shared memory is disabled. Start the server with "
                  "'--allow-client-shm=true' to enable.");
  }
}

TEST(ControlHandlers, RefuseWhatIsNotAMessage) {
  RpcTestEnvironment env;
  ExpectFailure(env.CallWithBytes("ModelReady", "\xff"), absl::StatusCode::kInvalidArgument,
                "failed to parse the inference.ModelReadyRequest message");
  ExpectFailure(env.CallWithBytes("RepositoryModelLoad", "\x0a\x05"),
                absl::StatusCode::kInvalidArgument,
                "failed to parse the inference.RepositoryModelLoadRequest message");
}

TEST(ControlHandlers, NameWhatIsNotSupported) {
  RpcTestEnvironment env;
  ExpectFailure(env.CallWithBytes("TraceSetting", ""), absl::StatusCode::kUnavailable,
                "the server does not support trace");
  ExpectFailure(env.CallWithBytes("ModelStreamInfer", ""), absl::StatusCode::kUnimplemented,
                "ModelStreamInfer is not supported by this server");
}

class LogSettings : public ::testing::Test {
 protected:
  ~LogSettings() override { EXPECT_TRUE(ConfigureLog(before_).ok()); }

  inference::LogSettingsResponse Ask(const inference::LogSettingsRequest& request) {
    return env_.Ask<inference::LogSettingsResponse>("LogSettings", request);
  }

  const LogOptions before_ = CurrentLogOptions();
  RpcTestEnvironment env_;
};

TEST_F(LogSettings, AreReadAndChanged) {
  inference::LogSettingsRequest request;
  EXPECT_EQ(Ask(request).settings().at("log_info").bool_param(), before_.info);
  (*request.mutable_settings())["log_info"].set_bool_param(false);
  (*request.mutable_settings())["log_verbose_level"].set_uint32_param(2);
  (*request.mutable_settings())["log_format"].set_string_param("ISO8601");
  (*request.mutable_settings())["unknown"].set_string_param("ignored");
  const auto settings = Ask(request).settings();
  EXPECT_EQ(settings.size(), 6u);
  EXPECT_FALSE(settings.at("log_info").bool_param());
  EXPECT_TRUE(settings.at("log_warning").has_bool_param());
  EXPECT_EQ(settings.at("log_verbose_level").uint32_param(), 2u);
  EXPECT_EQ(settings.at("log_format").string_param(), "ISO8601");
  EXPECT_FALSE(CurrentLogOptions().info);
  EXPECT_EQ(CurrentLogOptions().verbose_level, 2);
}

TEST_F(LogSettings, RefuseWrongTypesAfterApplyingWhatCameBefore) {
  inference::LogSettingsRequest request;
  (*request.mutable_settings())["log_info"].set_bool_param(false);
  (*request.mutable_settings())["log_warning"].set_string_param("no");
  ExpectFailure(env_.Call("LogSettings", request), absl::StatusCode::kInvalidArgument,
                "expect boolean for 'log_warning'");
  EXPECT_FALSE(CurrentLogOptions().info);

  const struct {
    const char* key;
    const char* text;
    absl::StatusCode code;
  } kCases[] = {
      {"log_file", "log file location can not be updated through network protocol",
       absl::StatusCode::kUnimplemented},
      {"log_verbose_level", "expect int32 for 'log_verbose_level'",
       absl::StatusCode::kInvalidArgument},
      {"log_format", "invalid argument for log_format, got: x", absl::StatusCode::kInvalidArgument},
  };
  for (const auto& row : kCases) {
    inference::LogSettingsRequest wrong;
    (*wrong.mutable_settings())[row.key].set_string_param("x");
    ExpectFailure(env_.Call("LogSettings", wrong), row.code, row.text);
  }
}

}  // namespace
}  // namespace nereid
