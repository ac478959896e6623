#include <gtest/gtest.h>

#include "common/log.h"
#include "support/http_fixture.h"

namespace nereid {
namespace {

using testing::HttpFixture;

constexpr char kJson[] = "application/json";
constexpr char kText[] = "text/plain";
constexpr char kLoadPath[] = "/v2/repository/models/m/load";
constexpr char kUnloadPath[] = "/v2/repository/models/m/unload";

class ControlHandlersTest : public HttpFixture {
 protected:
  static void ExpectEmpty(const testing::RawResponse& response, int status,
                          std::string_view content_type) {
    EXPECT_EQ(response.status, status);
    EXPECT_EQ(response.body, "");
    EXPECT_EQ(response.Header("content-length"), "0");
    EXPECT_EQ(response.Header("content-type"), content_type);
  }
  static void ExpectJson(const testing::RawResponse& response, std::string_view json) {
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.body, json);
    EXPECT_EQ(response.Header("content-type"), kJson);
  }
};

TEST_F(ControlHandlersTest, HealthOfTheServer) {
  ExpectEmpty(Get("/v2/health/live"), 200, kText);
  ExpectEmpty(Get("/v2/health/ready"), 200, kText);
}

TEST_F(ControlHandlersTest, AServerThatIsNotHealthy) {
  server.live = absl::InternalError("broken");
  server.ready = false;
  ExpectEmpty(Get("/v2/health/live"), 400, kText);
  ExpectEmpty(Get("/v2/health/ready"), 400, kText);
}

TEST_F(ControlHandlersTest, AServerThatExits) {
  server.live = absl::UnavailableError("Server exiting");
  server.ready = absl::UnavailableError("Server exiting");
  ExpectError(Get("/v2/health/live"), 503, "Server exiting", kText);
  ExpectError(Get("/v2/health/ready"), 503, "Server exiting", kText);
}

TEST_F(ControlHandlersTest, HealthOfAModel) {
  server.model_ready.emplace("sick", false);
  server.model_ready.emplace(
      "loading", absl::UnavailableError(
                     "Request for unknown model: 'loading' version 1 is not at ready state"));
  ExpectEmpty(Get("/v2/models/m/ready"), 200, kText);
  ExpectEmpty(Get("/v2/models/m/versions/3/ready"), 200, kText);
  ExpectError(Get("/v2/models/sick/ready"), 400, "Model version not ready", kText);
  ExpectError(Get("/v2/models/none/ready"), 404, "Request for unknown model: 'none' is not found",
              kText);
  ExpectError(Get("/v2/models/m/versions/9/ready"), 404,
              "Request for unknown model: 'm' version 9 is not found", kText);
  ExpectError(Get("/v2/models/loading/versions/1/ready"), 503,
              "Request for unknown model: 'loading' version 1 is not at ready state", kText);
  ExpectError(Get("/v2/models/m/versions/99999999999999999999/ready"), 400,
              "failed to get model version from specified version string '99999999999999999999' "
              "(details: stol), version should be an integral value > 0",
              kText);
}

TEST_F(ControlHandlersTest, MetadataOfTheServer) {
  ExpectJson(Get("/v2"),
             R"({"name":"triton","version":"1.2.3","extensions":["classification","statistics"]})");
}

TEST_F(ControlHandlersTest, MetadataOfAModel) {
  server.Add(model->config(), 12);
  const std::string tail =
      R"("platform":"identity","inputs":[{"name":"INPUT0","datatype":"FP32","shape":[-1,-1]}],)"
      R"("outputs":[{"name":"OUTPUT0","datatype":"FP32","shape":[-1,-1]}]})";
  ExpectJson(Get("/v2/models/m"), R"({"name":"m","versions":["3","12"],)" + tail);
  ExpectJson(Get("/v2/models/m/versions/3"), R"({"name":"m","versions":["3"],)" + tail);
  ExpectError(Get("/v2/models/none"), 404, "Request for unknown model: 'none' is not found", kJson);
  ExpectError(Get("/v2/models/m/versions/4"), 404,
              "Request for unknown model: 'm' version 4 is not found", kJson);
}

TEST_F(ControlHandlersTest, ConfigurationOfAModel) {
  ExpectJson(Get("/v2/models/m/config"), model->config()->json());
  ExpectJson(Get("/v2/models/m/versions/3/config"), model->config()->json());
  ExpectError(Get("/v2/models/none/config"), 404, "Request for unknown model: 'none' is not found",
              kJson);
}

TEST_F(ControlHandlersTest, Statistics) {
  ExpectJson(Get("/v2/models/stats"), R"({"model_stats":[]})");
  StatisticsRow row;
  row.name = "m";
  row.version = 3;
  server.statistics = std::vector<StatisticsRow>{row, row};
  for (const char* path :
       {"/v2/models/stats", "/v2/models/m/stats", "/v2/models/m/versions/3/stats"}) {
    const auto response = Get(path);
    EXPECT_EQ(response.status, 200);
    EXPECT_TRUE(response.body.starts_with(
        R"({"model_stats":[{"name":"m","version":"3","last_inference":0,)"))
        << response.body;
  }
  server.statistics = absl::InvalidArgumentError("requested model 'x' is not available");
  ExpectError(Get("/v2/models/x/stats"), 400, "requested model 'x' is not available", kJson);
}

TEST_F(ControlHandlersTest, RepositoryIndex) {
  server.index = {{"a", "1", "READY", ""},
                  {"a", "2", "UNAVAILABLE", "Internal: it \"broke\""},
                  {"never loaded", "", "", ""}};
  const std::string all =
      R"([{"name":"a","version":"1","state":"READY"},)"
      R"({"name":"a","version":"2","state":"UNAVAILABLE","reason":"Internal: it \"broke\""},)"
      R"({"name":"never loaded"}])";
  const std::string ready = R"([{"name":"a","version":"1","state":"READY"}])";
  for (const char* path : {"/v2/repository/index", "/v2/repository/some/index"}) {
    ExpectJson(Post(path, ""), all);
    ExpectJson(Post(path, "{}"), all);
    ExpectJson(Post(path, "[true]"), all);
    ExpectJson(Post(path, R"({"ready":false,"ready":true})"), all);
    ExpectJson(Post(path, R"({"ready":true})"), ready);
  }
  ExpectError(Post("/v2/repository/index", R"({"ready":1})"), 400,
              "Invalid value for 'ready': expected a boolean", kJson);
  ExpectError(Post("/v2/repository/index", "x"), 500,
              "failed to parse the request JSON buffer: Invalid value. at 0", kJson);
}

TEST_F(ControlHandlersTest, LoadWithoutOverrides) {
  for (const char* body : {"", "{}", "null", R"({"parameters":{}})"}) {
    ExpectEmpty(Post(kLoadPath, body), 200, kJson);
    EXPECT_EQ(server.loads.back().model, "m");
    EXPECT_EQ(server.loads.back().overrides.config_json, "");
    EXPECT_TRUE(server.loads.back().overrides.files.empty());
  }
}

TEST_F(ControlHandlersTest, LoadWithOverrides) {
  ExpectEmpty(Post(kLoadPath, R"({"parameters":{"config":"{\"backend\":\"x\"}",
                                 "file:1/model.onnx":"YWJj","file:2/x":""}})"),
              200, kJson);
  const LoadOverrides& overrides = server.loads.back().overrides;
  EXPECT_EQ(overrides.config_json, R"({"backend":"x"})");
  const std::map<std::string, std::string> files = {{"1/model.onnx", "abc"}, {"2/x", ""}};
  EXPECT_EQ(overrides.files, files);
}

TEST_F(ControlHandlersTest, LoadRequestsWithFaults) {
  ExpectError(Post(kLoadPath, "{"), 500,
              "failed to parse the request JSON buffer: Missing a name for object member. at 1",
              kJson);
  ExpectError(Post(kLoadPath, R"({"parameters":{"unknown":"x"}})"), 500,
              "unexpected error on creating Triton parameter", kJson);
  ExpectError(Post(kLoadPath, R"({"parameters":{"config":1}})"), 500,
              "attempt to access JSON non-string as string", kJson);
  ExpectError(Post(kLoadPath, R"({"parameters":{"file:x":null}})"), 500,
              "attempt to access JSON non-string as string", kJson);
  ExpectError(Post(kLoadPath, R"({"parameters":[]})"), 500, "attempt to get members for non-object",
              kJson);
  ExpectError(Post("/v2/repository/some/models/m/load", ""), 501,
              "'repository_name' specification is not supported", kJson);
  EXPECT_TRUE(server.loads.empty());
}

TEST_F(ControlHandlersTest, FailedLoadsSayWhy) {
  server.load_status = absl::InternalError("failed to load 'm', no version is available");
  ExpectError(Post(kLoadPath, ""), 500, "failed to load 'm', no version is available", kJson);
}

TEST_F(ControlHandlersTest, Unload) {
  const std::pair<const char*, bool> cases[] = {
      {"", false},
      {"{}", false},
      {R"({"parameters":{"unload_dependents":true}})", true},
      {R"({"parameters":{"unload_dependents":false}})", false},
      {R"({"parameters":{"unload_dependents":"true"}})", false},
      {R"({"parameters":7})", false},
  };
  for (const auto& [body, unload_dependents] : cases) {
    ExpectEmpty(Post(kUnloadPath, body), 200, kJson);
    EXPECT_EQ(server.unloads.back().model, "m");
    EXPECT_EQ(server.unloads.back().unload_dependents, unload_dependents) << body;
  }
  ExpectError(Post("/v2/repository/some/models/m/unload", ""), 501,
              "'repository_name' specification is not supported", kJson);
  server.unload_status =
      absl::UnavailableError("explicit model load / unload is not allowed if polling is enabled");
  ExpectError(Post(kUnloadPath, ""), 503,
              "explicit model load / unload is not allowed if polling is enabled", kJson);
}

// Puts the process's log back as it was.
class LoggingHandlersTest : public ControlHandlersTest {
 protected:
  ~LoggingHandlersTest() override { EXPECT_TRUE(ConfigureLog(before_).ok()); }

 private:
  const LogOptions before_ = CurrentLogOptions();
};

TEST_F(LoggingHandlersTest, SettingsAreShownAndChanged) {
  ASSERT_TRUE(ConfigureLog({}).ok());
  ExpectJson(Get("/v2/logging"),
             R"({"log_file":"","log_info":true,"log_warning":true,"log_error":true,)"
             R"("log_verbose_level":0,"log_format":"default"})");
  const std::string changed =
      R"({"log_file":"","log_info":false,"log_warning":true,"log_error":false,)"
      R"("log_verbose_level":2,"log_format":"ISO8601"})";
  ExpectJson(Post("/v2/logging",
                  R"({"log_info":false,"log_error":false,"log_verbose_level":2,"log_file":null,
                      "log_format":"ISO8601","unknown":1})"),
             changed);
  ExpectJson(Get("/v2/logging"), changed);
  ExpectJson(Post("/v2/logging", "{}"), changed);
  EXPECT_FALSE(CurrentLogOptions().info);
}

TEST_F(LoggingHandlersTest, Faults) {
  ASSERT_TRUE(ConfigureLog({}).ok());
  ExpectError(Post("/v2/logging", ""), 500,
              "failed to parse the request JSON buffer: The document is empty. at 0", kJson);
  ExpectError(Post("/v2/logging", R"({"log_file":"x","log_info":false})"), 501,
              "log file location can not be updated through network protocol", kJson);
  EXPECT_TRUE(CurrentLogOptions().info);
  ExpectError(Post("/v2/logging", R"({"log_format":"other","log_info":false})"), 503,
              "invalid argument for --log_format, got: other", kJson);
  EXPECT_FALSE(CurrentLogOptions().info) << "what comes before the faulty one stays";
  ExpectError(Post("/v2/logging", R"({"log_info":1})"), 500,
              "attempt to access JSON non-boolean as boolean", kJson);
  ExpectError(Post("/v2/logging", R"({"log_verbose_level":-1})"), 500,
              "attempt to access JSON non-unsigned-integer as unsigned-integer", kJson);
  ExpectError(Post("/v2/logging", R"({"log_format":true})"), 500,
              "attempt to access JSON non-string as string", kJson);
}

TEST_F(ControlHandlersTest, ExtensionsThatAreAbsent) {
  const std::string disabled =
      "Client shared memory is disabled. Start the server with '--allow-client-shm=true' to "
      "enable.";
  for (const std::string kind : {"system", "cuda"}) {
    const std::string base = "/v2/" + kind + "sharedmemory";
    ExpectJson(Get(base + "/status"), "[]");
    ExpectError(Get(base + "/region/r/status"), 404,
                "Unable to find " + kind + " shared memory region: 'r'", kJson);
    ExpectError(Post(base + "/region/r/register", "junk"), 501, disabled, kJson);
    ExpectError(Post(base + "/region/r/unregister", ""), 501, disabled, kJson);
    ExpectError(Post(base + "/unregister", ""), 501, disabled, kJson);
  }
  for (const char* path : {"/v2/trace/setting", "/v2/models/m/trace/setting"}) {
    ExpectError(Get(path), 503, "the server does not support tracing", kJson);
    ExpectError(Post(path, "{}"), 503, "the server does not support tracing", kJson);
  }
  for (const char* path : {"/v2/models/m/generate", "/v2/models/m/versions/3/generate_stream"}) {
    ExpectError(Post(path, "{}"), 501, "the server does not support the generate extension", kJson);
  }
}

}  // namespace
}  // namespace nereid
