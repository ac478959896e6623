#include "net/http_listener.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <future>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "http_test_server.h"

namespace nereid {
namespace {

using std::chrono::milliseconds;
using testing::HttpServerTest;
using testing::RawHttpClient;

using HttpListenerTest = HttpServerTest;

TEST_F(HttpListenerTest, PortZeroTakesAFreePortAndTellsWhich) {
  Start();
  EXPECT_NE(listener_->port(), 0);
  EXPECT_EQ(listener_->address(), "127.0.0.1");
  EXPECT_EQ(Ask(Get())->status, 200);
}

TEST_F(HttpListenerTest, PortInUseIsUnavailable) {
  Start();
  HttpListenerOptions second = options_;
  second.port = listener_->port();
  const auto status = HttpListener::Create(second, &handler_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(status.message(),
            "Socket '127.0.0.1:" + std::to_string(listener_->port()) + "' already in use ");
}

TEST_F(HttpListenerTest, ReusePortSharesThePort) {
  options_.reuse_port = true;
  options_.thread_count = 2;
  Start();
  HttpListenerOptions second = options_;
  second.port = listener_->port();
  const auto other = HttpListener::Create(second, &handler_);
  ASSERT_TRUE(other.ok()) << other.status();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(Ask(Get())->status, 200);
}

TEST_F(HttpListenerTest, BadAddressIsRefused) {
  options_.address = "no.such.host.invalid";
  EXPECT_EQ(HttpListener::Create(options_, &handler_).status().code(),
            absl::StatusCode::kInvalidArgument);
  options_.address = "192.0.2.1";  // reserved for documentation: no interface has it
  EXPECT_FALSE(HttpListener::Create(options_, &handler_).ok());
}

TEST_F(HttpListenerTest, DealsConnectionsOutToAllLoops) {
  options_.thread_count = 3;
  std::mutex mutex;
  std::set<EventLoop*> loops;
  handler_.on_request = [&](HttpExchange exchange) {
    {
      std::lock_guard lock(mutex);
      loops.insert(&exchange.loop());
    }
    exchange.Reply(HttpResponse());
  };
  Start();
  for (int i = 0; i < 6; ++i) ASSERT_TRUE(Ask(Get()));
  EXPECT_EQ(loops.size(), 3u);
}

TEST_F(HttpListenerTest, ServesAThousandParallelConnections) {
  rlimit limit = {};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 8192);
  setrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur < 2500) GTEST_SKIP() << "needs 2,500 file descriptors";
  options_.thread_count = 2;
  Start();
  constexpr int kClients = 1000;
  std::vector<RawHttpClient> clients;
  for (int i = 0; i < kClients; ++i) clients.push_back(Connect());
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < kClients; ++i)
      ASSERT_TRUE(clients[i].Send(Post(std::to_string(i + round))));
    for (int i = 0; i < kClients; ++i) {
      const auto response = clients[i].ReadResponse();
      ASSERT_TRUE(response) << i;
      EXPECT_EQ(response->body, std::to_string(i + round));
    }
  }
  EXPECT_EQ(listener_->connection_count(), kClients);
}

TEST_F(HttpListenerTest, ConnectionsAboveTheLimitAreTurnedAwayUntilOneCloses) {
  options_.max_connections = 2;
  Start();
  RawHttpClient first = Connect();
  first.Send(Get());
  ASSERT_TRUE(first.ReadResponse());
  auto second = std::make_unique<RawHttpClient>(Connect());
  second->Send(Get());
  ASSERT_TRUE(second->ReadResponse());
  RawHttpClient third = Connect();
  const auto refused = third.ReadResponse();
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 503);
  EXPECT_EQ(refused->body, "{\"error\":\"too many connections\"}");
  second.reset();
  while (listener_->connection_count() > 1) std::this_thread::yield();
  EXPECT_EQ(Ask(Get())->status, 200);
}

TEST_F(HttpListenerTest, SurvivesRunningOutOfDescriptors) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the sanitizer opens pipes for its own checks";
#endif
  Start();
  RawHttpClient before = Connect();
  before.Send(Get());
  ASSERT_TRUE(before.ReadResponse());
  RawHttpClient waiting = Connect();
  waiting.Send(Get());
  ASSERT_TRUE(waiting.ReadResponse());

  rlimit limit = {};
  getrlimit(RLIMIT_NOFILE, &limit);
  const rlim_t usual = limit.rlim_cur;
  {
    // The client's socket is the last descriptor there is: none is left for the server's side.
    RawHttpClient probe = Connect();
    limit.rlim_cur = static_cast<rlim_t>(probe.fd()) + 1;
  }
  setrlimit(RLIMIT_NOFILE, &limit);
  RawHttpClient starved(listener_->port());
  starved.Send(Get());
  starved.ReadResponse();  // turned away, or served when a descriptor below became free
  before.Send(Post("still here"));
  EXPECT_EQ(before.ReadResponse()->body, "still here");
  limit.rlim_cur = usual;
  setrlimit(RLIMIT_NOFILE, &limit);
  EXPECT_EQ(Ask(Get())->status, 200);
}

TEST_F(HttpListenerTest, DrainAnswersWhatIsInFlightAndClosesTheRest) {
  std::promise<HttpExchange> taken;
  handler_.on_request = [&](HttpExchange exchange) {
    if (exchange.request().path == "/slow") {
      taken.set_value(std::move(exchange));
    } else {
      exchange.Reply(HttpResponse());
    }
  };
  Start();
  RawHttpClient idle = Connect();
  idle.Send(Get());
  ASSERT_TRUE(idle.ReadResponse());
  RawHttpClient busy = Connect();
  busy.Send(Get("/slow"));
  HttpExchange exchange = taken.get_future().get();

  EXPECT_FALSE(listener_->Drain(milliseconds(10)));
  EXPECT_TRUE(idle.AtEnd());
  EXPECT_FALSE(RawHttpClient(listener_->port()).connected());
  EXPECT_EQ(listener_->connection_count(), 1);

  auto drained =
      std::async(std::launch::async, [&] { return listener_->Drain(milliseconds(20'000)); });
  exchange.Reply(HttpResponse(200, "text/plain", "late"));
  const auto response = busy.ReadResponse();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->body, "late");
  EXPECT_EQ(response->Header("connection"), "close");
  EXPECT_TRUE(busy.AtEnd());
  EXPECT_TRUE(drained.get());
}

TEST_F(HttpListenerTest, DrainAnswersTheFirstRequestOfWhoHasJustConnected) {
  Start();
  RawHttpClient client = Connect();
  while (listener_->connection_count() == 0) std::this_thread::yield();
  EXPECT_FALSE(listener_->Drain(milliseconds(5)));
  client.Send(Post("hello"));
  EXPECT_EQ(client.ReadResponse()->body, "hello");
  EXPECT_TRUE(client.AtEnd());
  EXPECT_TRUE(listener_->Drain(milliseconds(20'000)));
}

TEST_F(HttpListenerTest, DrainWaitsForWhoNeverAsksOnlyAMoment) {
  options_.connection.drain_timeout = milliseconds(40);
  Start();
  RawHttpClient silent = Connect();
  while (listener_->connection_count() == 0) std::this_thread::yield();
  EXPECT_TRUE(listener_->Drain(milliseconds(20'000)));
  EXPECT_TRUE(silent.AtEnd());
}

TEST_F(HttpListenerTest, ConnectionsWaitForAnotherListenerOfTheSameSockets) {
  for (const bool reuse_port : {false, true}) {
    options_.reuse_port = reuse_port;
    options_.thread_count = reuse_port ? 3 : 2;
    options_.inherited.clear();
    Start();
    const uint16_t port = listener_->port();
    auto sockets = listener_->DuplicateSockets();
    ASSERT_TRUE(sockets.ok()) << sockets.status();
    EXPECT_EQ(sockets->size(), reuse_port ? 3u : 1u);
    EXPECT_TRUE(listener_->Drain(milliseconds(20'000)));
    listener_.reset();

    std::vector<RawHttpClient> waiting;
    for (int i = 0; i < 8; ++i) {
      waiting.emplace_back(port);
      ASSERT_TRUE(waiting.back().connected());
      waiting.back().Send(Get());
    }
    options_.inherited = *sockets;
    options_.port = 0;
    options_.thread_count = 2;
    Start();
    EXPECT_EQ(listener_->port(), port);
    for (RawHttpClient& client : waiting) EXPECT_EQ(client.ReadResponse()->status, 200);
    EXPECT_EQ(Ask(Get())->status, 200);
    listener_.reset();
    EXPECT_FALSE(RawHttpClient(port).connected()) << "the sockets were the listener's";
  }
}

TEST_F(HttpListenerTest, WhatIsNoListeningSocketIsNotTakenOver) {
  options_.inherited = {0};
  EXPECT_TRUE(absl::IsInvalidArgument(HttpListener::Create(options_, &handler_).status()));
  options_.inherited = {-1};
  EXPECT_TRUE(absl::IsInvalidArgument(HttpListener::Create(options_, &handler_).status()));
}

TEST_F(HttpListenerTest, DrainStillAnswersARequestThatIsArriving) {
  Start();
  RawHttpClient client = Connect();
  client.Send("POST / HTTP/1.1\r\nContent-Length: 6\r\nExpect: 100-continue\r\n\r\n");
  ASSERT_EQ(client.ReadResponse()->status, 100);
  EXPECT_FALSE(listener_->Drain(milliseconds(5)));
  client.Send("abcdef");
  EXPECT_EQ(client.ReadResponse()->body, "abcdef");
  EXPECT_TRUE(client.AtEnd());
  EXPECT_TRUE(listener_->Drain(milliseconds(20'000)));
}

TEST_F(HttpListenerTest, DrainAnswersAllPipelinedRequestsThatHaveArrived) {
  constexpr int kRequests = 3;
  std::vector<HttpExchange> taken;
  std::promise<void> all_taken;
  handler_.on_request = [&](HttpExchange exchange) {
    taken.push_back(std::move(exchange));
    if (taken.size() == kRequests) all_taken.set_value();
  };
  Start();
  RawHttpClient client = Connect();
  client.Send(Get("/a") + Get("/b") + Get("/c"));
  all_taken.get_future().wait();
  EXPECT_FALSE(listener_->Drain(milliseconds(5)));
  for (int i = 0; i < kRequests; ++i) {
    taken[i].Reply(HttpResponse(200, "text/plain", std::to_string(i)));
    const auto response = client.ReadResponse();
    ASSERT_TRUE(response) << i;
    EXPECT_EQ(response->body, std::to_string(i));
    EXPECT_EQ(response->Header("connection"), i + 1 < kRequests ? "" : "close");
  }
  EXPECT_TRUE(client.AtEnd());
  EXPECT_TRUE(listener_->Drain(milliseconds(20'000)));
}

TEST_F(HttpListenerTest, DrainDoesNotWaitForClientsThatHaveStopped) {
  options_.connection.drain_timeout = milliseconds(40);
  options_.connection.body_timeout = milliseconds(0);
  Start();
  RawHttpClient head = Connect();
  head.Send("GET / HT");
  RawHttpClient body = Connect();
  body.Send("POST / HTTP/1.1\r\nContent-Length: 6\r\nExpect: 100-continue\r\n\r\n");
  ASSERT_EQ(body.ReadResponse()->status, 100);
  body.Send("abc");
  EXPECT_TRUE(listener_->Drain(milliseconds(20'000)));
  EXPECT_EQ(head.ReadResponse()->status, 408);
  EXPECT_EQ(body.ReadResponse()->status, 408);
}

TEST_F(HttpListenerTest, ShutdownCancelsAndLaterRepliesGoNowhere) {
  std::promise<HttpExchange> taken;
  std::atomic<bool> cancelled{false};
  handler_.on_request = [&](HttpExchange exchange) {
    exchange.OnCancel([&] { cancelled = true; });
    taken.set_value(std::move(exchange));
  };
  Start();
  RawHttpClient client = Connect();
  client.Send(Post("x"));
  HttpExchange exchange = taken.get_future().get();
  listener_->Shutdown();
  listener_->Shutdown();
  EXPECT_TRUE(cancelled);
  EXPECT_EQ(listener_->connection_count(), 0);
  EXPECT_TRUE(client.AtEnd());
  EXPECT_EQ(exchange.request().body.view(), "x");
  listener_.reset();
  exchange.Reply(HttpResponse());
}

TEST_F(HttpListenerTest, StartsAndStopsAgainAndAgainUnderTraffic) {
  options_.thread_count = 2;
  for (int round = 0; round < 10; ++round) {
    Start();
    std::atomic<bool> stop{false};
    std::vector<std::thread> clients;
    for (int c = 0; c < 4; ++c) {
      clients.emplace_back([&, port = listener_->port()] {
        while (!stop) {
          RawHttpClient client(port);
          client.Send(Post("x"));
          client.ReadResponse();
        }
      });
    }
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(Ask(Get()));
    listener_->Shutdown();
    stop = true;
    for (std::thread& client : clients) client.join();
    listener_.reset();
  }
}

TEST(DefaultHttpThreadCountTest, IsBetweenOneAndEight) {
  EXPECT_GE(DefaultHttpThreadCount(), 1);
  EXPECT_LE(DefaultHttpThreadCount(), 8);
}

}  // namespace
}  // namespace nereid
