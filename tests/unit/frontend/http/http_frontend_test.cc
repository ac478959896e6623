#include "frontend/http/http_frontend.h"

#include <gtest/gtest.h>

#include "support/http_fixture.h"

namespace nereid {
namespace {

using testing::HttpFixture;
using testing::kInferPath;
using testing::RawHttpClient;

constexpr char kJson[] = "application/json";
constexpr char kText[] = "text/plain";

class HttpFrontendTest : public HttpFixture {};

TEST_F(HttpFrontendTest, UnknownPathsAreNotFound) {
  for (const char* path :
       {"/", "/v2/", "/v1", "/metrics", "/v2/models", "/v2/models/", "/v2/health",
        "/v2/Health/live", "/v2/models/m/", "/v2/models/m/versions",
        "/v2/models/m/versions/x/infer", "/v2/models/m/versions/1/trace/setting",
        "/v2/models/m/versions/-1", "/v2/models/m/unknown",
        "/v2/systemsharedmemory/region//register", "/v2/repository/models/m/reload"}) {
    ExpectError(Get(path), 404, "Not Found", kText);
  }
}

TEST_F(HttpFrontendTest, OtherMethodsAreNotAllowed) {
  struct Case {
    const char* path;
    const char* wrong_method;
    const char* content_type;
  };
  const Case cases[] = {
      {"/v2/health/live", "POST", kText},
      {"/v2/health/ready", "POST", kText},
      {"/v2/models/m/ready", "POST", kText},
      {kInferPath, "GET", kText},
      {"/v2/models/m/versions/3/infer", "PUT", kText},
      {"/v2", "POST", kJson},
      {"/v2/models/m", "POST", kJson},
      {"/v2/models/m/config", "PATCH", kJson},
      {"/v2/models/stats", "POST", kJson},
      {"/v2/models/m/stats", "DELETE", kJson},
      {"/v2/models/m/generate", "GET", kJson},
      {"/v2/models/m/generate_stream", "GET", kJson},
      {"/v2/repository/index", "GET", kJson},
      {"/v2/repository/models/m/load", "GET", kJson},
      {"/v2/repository/models/m/unload", "GET", kJson},
      {"/v2/logging", "PUT", kJson},
      {"/v2/trace/setting", "DELETE", kJson},
      {"/v2/systemsharedmemory/status", "POST", kJson},
      {"/v2/cudasharedmemory/register", "GET", kJson},
  };
  for (const Case& c : cases) {
    ExpectError(Call(c.wrong_method, c.path), 405, "Method Not Allowed", c.content_type);
    ExpectError(Call("OPTIONS", c.path), 405, "Method Not Allowed", c.content_type);
  }
}

TEST_F(HttpFrontendTest, HeadIsNotAllowedAndHasNoBody) {
  RawHttpClient client = Connect();
  client.Send(RequestText("HEAD", "/v2", ""));
  client.Send(RequestText("GET", "/v2/health/live", ""));
  const auto head = client.ReadResponse(true);
  ASSERT_TRUE(head.has_value());
  EXPECT_EQ(head->status, 405);
  const auto live = client.ReadResponse();
  ASSERT_TRUE(live.has_value()) << "a body behind the head would have been taken for an answer";
  EXPECT_EQ(live->status, 200);
}

TEST_F(HttpFrontendTest, QueriesAreIgnoredAndNamesAreDecoded) {
  EXPECT_EQ(Get("/v2/models/m/config?x=1").status, 200);
  EXPECT_EQ(Get("/v2/models/%6d/config").status, 200);
  server.Add(testing::ConfigFromText("name: \"a/b c\""));
  EXPECT_EQ(Get("/v2/models/a%2Fb%20c/config").status, 200);
}

TEST_F(HttpFrontendTest, RestrictedCategoriesNeedTheirHeader) {
  options.restricted = {{{"inference", "health"}, "secret-key", "open sesame"},
                        {{"metadata"}, "other", "x"}};
  const std::string refusal = "This API is restricted, expecting header 'secret-key'";
  ExpectError(Get("/v2/health/live"), 403, refusal, kText);
  ExpectError(Get("/v2/models/m/ready"), 403, refusal, kText);
  ExpectError(Get("/v2/health/live", {{"secret-key", "open sesam"}}), 403, refusal, kText);
  ExpectError(Get("/v2/health/live", {{"secret-key", ""}}), 403, refusal, kText);
  ExpectError(Get("/v2/health/live", {{"other", "x"}}), 403, refusal, kText);
  ExpectError(Get(kInferPath), 403, refusal, kText);
  EXPECT_EQ(Get("/v2/health/live", {{"Secret-Key", "open sesame"}}).status, 200);
  EXPECT_EQ(Get(kInferPath, {{"secret-key", "open sesame"}}).status, 405);
  ExpectError(Get("/v2"), 403, "This API is restricted, expecting header 'other'", kJson);
  EXPECT_EQ(Get("/v2/models/m/config").status, 200) << "other categories are open";
}

TEST_F(HttpFrontendTest, PatternsThatAreNoneAreRefused) {
  options.header_forward_pattern = "(";
  const auto created = HttpFrontend::Create(options, &server);
  EXPECT_EQ(created.status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(HttpFrontendTest, APortInUseIsUnavailable) {
  options.endpoint.port = frontend().port();
  const auto second = HttpFrontend::Create(options, &server);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(HttpFrontendTest, DrainLetsWhatHasBegunFinish) {
  std::unique_ptr<InferRequest> held;
  model->set_behaviour([&](std::unique_ptr<InferRequest> request) { held = std::move(request); });
  RawHttpClient client = Connect();
  client.Send(RequestText("POST", kInferPath,
                          R"({"inputs":[{"name":"INPUT0","datatype":"FP32","shape":[1,1],)"
                          R"("data":[1]}]})"));
  RawHttpClient other = Connect();
  other.Send(RequestText("GET", "/v2/health/live", ""));
  ASSERT_TRUE(other.ReadResponse().has_value());
  EXPECT_FALSE(frontend().Drain(std::chrono::milliseconds(10)));
  ASSERT_NE(held, nullptr);
  testing::AnswerIdentity(std::move(held));
  EXPECT_TRUE(frontend().Drain(std::chrono::seconds(20)));
  const auto response = client.ReadResponse();
  ASSERT_TRUE(response.has_value());
  EXPECT_EQ(response->status, 200);
}

TEST_F(HttpFrontendTest, LongBodiesAreRefusedBeforeTheyArrive) {
  options.max_input_size = 100;
  const std::string head =
      "POST /v2/repository/index HTTP/1.1\r\nHost: t\r\nContent-Length: "
      "9000000000000000000\r\n\r\n";
  RawHttpClient client = Connect();
  client.Send(head);
  const auto response = client.ReadResponse();
  ASSERT_TRUE(response.has_value());
  ExpectError(*response, 400,
              "request JSON size of 9000000000000000000 bytes exceeds the maximum allowed input "
              "size of 100 bytes. Use --http-max-input-size to increase the limit.",
              kJson);
}

}  // namespace
}  // namespace nereid
