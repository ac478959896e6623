#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/strings.h"
#include "frontend/http/http_frontend.h"
#include "support/config_text.h"
#include "support/fake_server.h"
#include "support/raw_http_client.h"

namespace nereid::testing {

// An HTTP frontend on a free port in front of a FakeServer with two identity models: "m" for FP32,
// which batches, and "strings" for BYTES. Set `options` and `server` up, then talk to it: the first
// request starts it.
class HttpFixture : public ::testing::Test {
 protected:
  using Headers = std::vector<std::pair<std::string, std::string>>;

  HttpFixture() {
    options.endpoint.address = "127.0.0.1";
    options.endpoint.port = 0;
    options.thread_count = 1;
    model = server.Add(ConfigFromText(R"(
      name: "m" backend: "identity" max_batch_size: 4
      input { name: "INPUT0" data_type: TYPE_FP32 dims: -1 }
      output { name: "OUTPUT0" data_type: TYPE_FP32 dims: -1 })"),
                       3);
    server.Add(ConfigFromText(R"(
      name: "strings" backend: "identity"
      input { name: "INPUT0" data_type: TYPE_STRING dims: 1 }
      output { name: "OUTPUT0" data_type: TYPE_STRING dims: 1 })"));
  }
  ~HttpFixture() override { frontend_.reset(); }

  HttpFrontend& frontend() {
    if (frontend_ == nullptr) {
      auto created = HttpFrontend::Create(options, &server);
      EXPECT_TRUE(created.ok()) << created.status();
      frontend_ = *std::move(created);
    }
    return *frontend_;
  }

  RawHttpClient Connect() { return RawHttpClient(frontend().port()); }

  static std::string RequestText(std::string_view method, std::string_view path,
                                 std::string_view body, const Headers& headers = {}) {
    std::string text = StrCat(method, " ", path, " HTTP/1.1\r\nHost: test\r\n");
    for (const auto& [name, value] : headers) StrAppend(&text, name, ": ", value, "\r\n");
    StrAppend(&text, "Content-Length: ", body.size(), "\r\n\r\n", body);
    return text;
  }

  // One request on a connection of its own.
  RawResponse Call(std::string_view method, std::string_view path, std::string_view body = {},
                   const Headers& headers = {}) {
    RawHttpClient client = Connect();
    client.Send(RequestText(method, path, body, headers));
    std::optional<RawResponse> response = client.ReadResponse(method == "HEAD");
    EXPECT_TRUE(response.has_value()) << method << " " << path;
    return response.value_or(RawResponse());
  }
  RawResponse Get(std::string_view path, const Headers& headers = {}) {
    return Call("GET", path, {}, headers);
  }
  RawResponse Post(std::string_view path, std::string_view body, const Headers& headers = {}) {
    return Call("POST", path, body, headers);
  }

  static void ExpectError(const RawResponse& response, int status, std::string_view message,
                          std::string_view content_type) {
    EXPECT_EQ(response.status, status) << response.body;
    EXPECT_EQ(response.body, StrCat("{\"error\":\"", message, "\"}"));
    EXPECT_EQ(response.Header("content-type"), content_type);
  }

  HttpServiceOptions options;
  FakeServer server;
  FakeServable* model;  // of "m", version 3

 private:
  std::unique_ptr<HttpFrontend> frontend_;
};

inline constexpr char kInferPath[] = "/v2/models/m/infer";

}  // namespace nereid::testing
