#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "net/http_listener.h"
#include "support/raw_http_client.h"

namespace nereid::testing {

// A handler made of two functions; by default every request is accepted and its body echoed.
class ScriptedHandler : public HttpHandler {
 public:
  std::function<HeadDecision(HttpRequest&)> on_head = [](HttpRequest&) { return HeadDecision{}; };
  std::function<void(HttpExchange)> on_request = &Echo;

  HeadDecision OnHead(HttpRequest& request) override { return on_head(request); }
  void OnRequest(HttpExchange exchange) override { on_request(std::move(exchange)); }

  static void Echo(HttpExchange exchange) {
    HttpResponse response;
    const HttpBody& body = exchange.request().body;
    response.AddSegment(body.owner, body.data, body.size);
    exchange.Reply(std::move(response));
  }
};

// A listener on a free port of 127.0.0.1 with a ScriptedHandler. Set the functions before Start.
class HttpServerTest : public ::testing::Test {
 protected:
  HttpServerTest() { options_.address = "127.0.0.1"; }

  void Start() {
    auto listener = HttpListener::Create(options_, &handler_);
    ASSERT_TRUE(listener.ok()) << listener.status();
    listener_ = *std::move(listener);
  }

  RawHttpClient Connect() {
    RawHttpClient client(listener_->port());
    EXPECT_TRUE(client.connected());
    return client;
  }

  // One request on a connection of its own.
  std::optional<RawResponse> Ask(const std::string& request) {
    RawHttpClient client = Connect();
    client.Send(request);
    return client.ReadResponse();
  }

  static std::string Post(const std::string& body, const std::string& more_headers = "",
                          const std::string& path = "/") {
    return "POST " + path + " HTTP/1.1\r\nHost: x\r\n" + more_headers +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }
  static std::string Get(const std::string& path = "/") {
    return "GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n";
  }

  HttpListenerOptions options_;
  ScriptedHandler handler_;
  std::unique_ptr<HttpListener> listener_;
};

}  // namespace nereid::testing
