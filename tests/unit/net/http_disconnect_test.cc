// Clients that leave, half or wholly, at awkward moments, and clients that are too slow.

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "http_test_server.h"

namespace nereid {
namespace {

using std::chrono::milliseconds;
using testing::HttpServerTest;
using testing::RawHttpClient;

// Keeps the first exchange and tells when it was cancelled.
class HttpDisconnectTest : public HttpServerTest {
 protected:
  HttpDisconnectTest() {
    handler_.on_request = [this](HttpExchange exchange) {
      exchange.OnCancel([this] { cancelled_.set_value(); });
      taken_.set_value(std::move(exchange));
    };
  }

  // Waits until the listener has no connection left; false after twenty seconds.
  bool AllGone() {
    for (int i = 0; i < 4000 && listener_->connection_count() > 0; ++i) {
      std::this_thread::sleep_for(milliseconds(5));
    }
    return listener_->connection_count() == 0;
  }

  std::promise<HttpExchange> taken_;
  std::promise<void> cancelled_;
};

TEST_F(HttpDisconnectTest, ClosingClientCancelsItsRequest) {
  Start();
  RawHttpClient client = Connect();
  client.Send(Post("x"));
  HttpExchange exchange = taken_.get_future().get();
  EXPECT_FALSE(exchange.cancelled());
  client.Close();
  cancelled_.get_future().wait();
  EXPECT_TRUE(exchange.cancelled());
  exchange.Reply(HttpResponse());
  EXPECT_TRUE(AllGone());
}

TEST_F(HttpDisconnectTest, ResettingClientCancelsItsRequest) {
  Start();
  RawHttpClient client = Connect();
  client.Send(Post("x"));
  HttpExchange exchange = taken_.get_future().get();
  client.Reset();
  cancelled_.get_future().wait();
  EXPECT_TRUE(exchange.cancelled());
}

TEST_F(HttpDisconnectTest, ClosingClientOfAClosingRequestCancelsIt) {
  Start();
  RawHttpClient client = Connect();
  client.Send(Post("x", "Connection: close\r\n"));
  HttpExchange exchange = taken_.get_future().get();
  client.Close();
  cancelled_.get_future().wait();
}

TEST_F(HttpDisconnectTest, ResetIsNoticedWhileReadingIsPaused) {
  options_.connection.max_pipelined = 1;
  Start();
  RawHttpClient client = Connect();
  client.Send(Post("first") + Post("second, which has to wait"));
  HttpExchange exchange = taken_.get_future().get();
  client.Reset();
  cancelled_.get_future().wait();
}

TEST_F(HttpDisconnectTest, CallbackSetAfterTheDisconnectRunsAtOnce) {
  handler_.on_request = [this](HttpExchange exchange) { taken_.set_value(std::move(exchange)); };
  Start();
  RawHttpClient client = Connect();
  client.Send(Get());
  HttpExchange exchange = taken_.get_future().get();
  client.Close();
  EXPECT_TRUE(AllGone());
  bool called = false;
  exchange.OnCancel([&] { called = true; });
  EXPECT_TRUE(called);
}

TEST_F(HttpDisconnectTest, CallbackDoesNotRunAfterTheReplyAndIsReleased) {
  auto token = std::make_shared<std::atomic<int>>(0);
  handler_.on_request = [token](HttpExchange exchange) {
    exchange.OnCancel([token] { ++*token; });
    exchange.Reply(HttpResponse());
  };
  Start();
  {
    RawHttpClient client = Connect();
    client.Send(Get());
    ASSERT_TRUE(client.ReadResponse());
  }
  EXPECT_TRUE(AllGone());
  EXPECT_EQ(*token, 0);
  handler_.on_request = &testing::ScriptedHandler::Echo;
  EXPECT_EQ(token.use_count(), 1);
}

TEST_F(HttpDisconnectTest, CancelCallbackMayReplyToOthers) {
  std::promise<void> both;
  auto exchanges = std::make_shared<std::vector<HttpExchange>>();
  handler_.on_request = [&, exchanges](HttpExchange exchange) {
    exchange.OnCancel([exchanges] {
      for (HttpExchange& other : *exchanges) {
        if (other) other.Reply(HttpResponse());
      }
    });
    exchanges->push_back(std::move(exchange));
    if (exchanges->size() == 3) both.set_value();
  };
  Start();
  RawHttpClient other = Connect();
  other.Send(Get());
  RawHttpClient client = Connect();
  client.Send(Get() + Get());
  both.get_future().wait();
  client.Reset();
  EXPECT_EQ(other.ReadResponse()->status, 200);
  listener_->Shutdown();
}

TEST_F(HttpDisconnectTest, HalfClosedClientIsAnswered) {
  Start();
  for (const std::string& request :
       {Post("body"), Post("body", "Connection: close\r\n"),
        std::string("POST / HTTP/1.0\r\nContent-Length: 4\r\n\r\nbody")}) {
    taken_ = std::promise<HttpExchange>();
    RawHttpClient client = Connect();
    client.Send(request);
    client.ShutdownWrite();
    HttpExchange exchange = taken_.get_future().get();
    const bool may_get_interim = request.find("HTTP/1.0") == std::string::npos;
    if (may_get_interim) {
      EXPECT_EQ(client.ReadResponse()->status, 100);
    }
    EXPECT_FALSE(exchange.cancelled());
    testing::ScriptedHandler::Echo(std::move(exchange));
    const auto response = client.ReadResponse();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->body, "body");
    EXPECT_TRUE(client.AtEnd());
  }
}

TEST_F(HttpDisconnectTest, HalfClosedClientGetsAllPipelinedAnswers) {
  handler_.on_request = [](HttpExchange exchange) {
    std::thread([moved = std::move(exchange)]() mutable {
      testing::ScriptedHandler::Echo(std::move(moved));
    }).detach();
  };
  Start();
  RawHttpClient client = Connect();
  client.Send(Post("1") + Post("2") + Post("3"));
  client.ShutdownWrite();
  for (const char* body : {"1", "2", "3"}) {
    auto response = client.ReadResponse();
    while (response && response->status == 100) response = client.ReadResponse();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->body, body);
  }
  EXPECT_TRUE(client.AtEnd());
}

TEST_F(HttpDisconnectTest, ClientThatLeavesInsideHeadOrBodyLeavesNothingBehind) {
  Start();
  for (const char* input : {"", "GET / H", "POST / HTTP/1.1\r\nContent-Length: 100000000\r\n\r\nx",
                            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nx"}) {
    RawHttpClient client = Connect();
    client.Send(input);
    client.Reset();
  }
  EXPECT_TRUE(AllGone());
}

TEST_F(HttpDisconnectTest, SlowHeadIs408) {
  options_.connection.head_timeout = milliseconds(60);
  Start();
  RawHttpClient client = Connect();
  client.Send("GET / HTTP/1.1\r\nHost:");
  EXPECT_EQ(client.ReadResponse()->status, 408);
  EXPECT_TRUE(client.AtEnd());
}

TEST_F(HttpDisconnectTest, HeadThatDripsDoesNotExtendItsTime) {
  options_.connection.head_timeout = milliseconds(150);
  Start();
  RawHttpClient client = Connect();
  client.Send("GET / HTTP/1.1\r\n");
  while (client.SilentFor(10)) client.Send("A: b\r\n");
  EXPECT_EQ(client.ReadResponse()->status, 408);
}

TEST_F(HttpDisconnectTest, SlowBodyIs408AndProgressExtendsItsTime) {
  options_.connection.body_timeout = milliseconds(400);
  handler_.on_request = &testing::ScriptedHandler::Echo;
  Start();
  for (const char* framing : {"Content-Length: 10\r\n\r\nab", "Content-Length: 100000\r\n\r\nab",
                              "Transfer-Encoding: chunked\r\n\r\n5\r\nab"}) {
    RawHttpClient client = Connect();
    client.Send(std::string("POST / HTTP/1.1\r\n") + framing);
    EXPECT_EQ(client.ReadResponse()->status, 408) << framing;
    EXPECT_TRUE(client.AtEnd());
  }
  RawHttpClient client = Connect();
  client.Send("POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\n");
  for (int i = 0; i < 9; ++i) {
    EXPECT_TRUE(client.SilentFor(60));
    client.Send("x");
  }
  client.Send("x");
  EXPECT_EQ(client.ReadResponse()->body, "xxxxxxxxxx");
}

TEST_F(HttpDisconnectTest, IdleConnectionsAreClosedSilently) {
  options_.connection.head_timeout = milliseconds(60);
  options_.connection.idle_timeout = milliseconds(120);
  handler_.on_request = &testing::ScriptedHandler::Echo;
  Start();
  RawHttpClient silent = Connect();
  EXPECT_TRUE(silent.AtEnd());
  RawHttpClient client = Connect();
  client.Send(Get());
  ASSERT_TRUE(client.ReadResponse());
  EXPECT_TRUE(client.AtEnd());
}

TEST_F(HttpDisconnectTest, ExecutingRequestHasNoTimeout) {
  options_.connection.head_timeout = milliseconds(30);
  options_.connection.idle_timeout = milliseconds(30);
  options_.connection.body_timeout = milliseconds(30);
  Start();
  RawHttpClient client = Connect();
  client.Send(Post("x"));
  HttpExchange exchange = taken_.get_future().get();
  EXPECT_TRUE(client.SilentFor(150));
  testing::ScriptedHandler::Echo(std::move(exchange));
  EXPECT_EQ(client.ReadResponse()->body, "x");
}

TEST_F(HttpDisconnectTest, ClientThatDoesNotReadIsDropped) {
  options_.connection.write_timeout = milliseconds(80);
  handler_.on_request = [](HttpExchange exchange) {
    exchange.Reply(HttpResponse(200, "text/plain", std::string(50'000'000, 'a')));
  };
  Start();
  RawHttpClient client = Connect();
  client.Send(Get());
  EXPECT_TRUE(AllGone());
}

}  // namespace
}  // namespace nereid
