// What the transport refuses by itself, and how the connection ends or goes on afterwards.

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>

#include "common/page_pool.h"
#include "http_test_server.h"

namespace nereid {
namespace {

using testing::HttpServerTest;
using testing::RawHttpClient;

using HttpRefusalsTest = HttpServerTest;

TEST_F(HttpRefusalsTest, MalformedHeadsAreAnsweredAndTheConnectionCloses) {
  struct Case {
    std::string input;
    int status;
  };
  handler_.on_request = [](HttpExchange exchange) {
    ADD_FAILURE() << "handed out: " << exchange.request().target;
  };
  Start();
  for (const Case& c : {
           Case{std::string("\x16\x03\x01\x02\x00\x01", 6), 400},
           Case{"GET / HTTP/1.1\n\n", 400},
           Case{"nonsense\r\n\r\n", 400},
           Case{"GET / HTTP/3.0\r\n\r\n", 505},
           Case{"GET / HTTP/1.1\r\nA b: c\r\n\r\n", 400},
           Case{"GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n", 400},
           Case{"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400},
           Case{"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
                "0\r\n\r\n",
                400},
           Case{"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 501},
           Case{"POST / HTTP/1.1\r\nExpect: tea\r\nContent-Length: 1\r\n\r\n", 417},
           Case{"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400},
           Case{"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
                "ffffffffffffffff\r\n",
                400},
       }) {
    RawHttpClient client = Connect();
    ASSERT_TRUE(client.Send(c.input));
    const auto response = client.ReadResponse();
    ASSERT_TRUE(response) << c.input;
    EXPECT_EQ(response->status, c.status) << c.input;
    EXPECT_EQ(response->body.find("{\"error\":\""), 0u) << response->body;
    EXPECT_EQ(response->Header("connection"), "close");
    EXPECT_TRUE(client.AtEnd()) << c.input;
  }
}

TEST_F(HttpRefusalsTest, RequestsBehindAMalformedOneAreNotRead) {
  std::atomic<int> requests{0};
  handler_.on_request = [&](HttpExchange exchange) {
    ++requests;
    exchange.Reply(HttpResponse());
  };
  Start();
  RawHttpClient client = Connect();
  client.Send(Get() + "bad\r\n\r\n" + Get());
  EXPECT_EQ(client.ReadResponse()->status, 200);
  EXPECT_EQ(client.ReadResponse()->status, 400);
  EXPECT_TRUE(client.AtEnd());
  EXPECT_EQ(requests, 1);
}

TEST_F(HttpRefusalsTest, RequestsBehindAClosingOneAreNotRead) {
  Start();
  RawHttpClient client = Connect();
  client.Send("GET / HTTP/1.1\r\nConnection: close\r\n\r\n" + Get());
  EXPECT_EQ(client.ReadResponse()->status, 200);
  EXPECT_TRUE(client.AtEnd());
}

TEST_F(HttpRefusalsTest, HeadAboveTheLimitIs431) {
  options_.connection.max_head_bytes = 8 * 1024;
  Start();
  EXPECT_EQ(Ask("GET / HTTP/1.1\r\nA: " + std::string(8000, 'a') + "\r\n\r\n")->status, 200);
  EXPECT_EQ(Ask("GET / HTTP/1.1\r\nA: " + std::string(8192, 'a') + "\r\n\r\n")->status, 431);
  EXPECT_EQ(Ask("GET / HTTP/1.1\r\nA: " + std::string(200'000, 'a'))->status, 431);
}

TEST_F(HttpRefusalsTest, HeadLargerThanOneReadIsAccepted) {
  Start();
  std::string headers;
  for (int i = 0; i < 600; ++i)
    headers += "X-" + std::to_string(i) + ": " + std::string(80, 'v') + "\r\n";
  EXPECT_EQ(Ask(Post("body", headers))->body, "body");
}

TEST_F(HttpRefusalsTest, DeclaredLengthAboveTheLimitIsRefusedBeforeAnythingIsAllocated) {
  handler_.on_head = [](HttpRequest&) {
    return HeadDecision{.refusal = {}, .max_body_bytes = 1000};
  };
  Start();
  EXPECT_EQ(Ask(Post(std::string(1000, 'a')))->status, 200);
  const size_t before = PagePool::Shared().statistics().bytes_in_use;
  for (const char* length : {"1001", "1099511627776", "18446744073709551615"}) {
    RawHttpClient client = Connect();
    client.Send(std::string("POST / HTTP/1.1\r\nContent-Length: ") + length + "\r\n\r\n");
    const auto response = client.ReadResponse();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, 413);
    EXPECT_EQ(response->body, std::string("{\"error\":\"request body of ") + length +
                                  " bytes exceeds the maximum of 1000 bytes\"}");
    EXPECT_LE(PagePool::Shared().statistics().bytes_in_use, before + 65'536);
    EXPECT_TRUE(client.AtEnd());
  }
}

TEST_F(HttpRefusalsTest, ImpossibleLengthWithoutALimitIsRefused) {
  Start();
  EXPECT_EQ(Ask("POST / HTTP/1.1\r\nContent-Length: 18446744073709551615\r\n\r\n")->status, 503);
  EXPECT_EQ(Ask("POST / HTTP/1.1\r\nContent-Length: 9223372036854775807\r\n\r\n")->status, 503);
}

TEST_F(HttpRefusalsTest, ClientThatSendsATooLargeBodyStillReadsTheAnswer) {
  handler_.on_head = [](HttpRequest&) {
    return HeadDecision{.refusal = {}, .max_body_bytes = 1000};
  };
  Start();
  RawHttpClient client = Connect();
  std::thread sender([&] { client.Send(Post(std::string(20'000'000, 'a'))); });
  const auto response = client.ReadResponse();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 413);
  sender.join();
}

TEST_F(HttpRefusalsTest, ChunkedBodyIsRefusedAsSoonAsItPassesTheLimit) {
  handler_.on_head = [](HttpRequest&) { return HeadDecision{.refusal = {}, .max_body_bytes = 10}; };
  Start();
  const std::string head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(Ask(head + "A\r\n0123456789\r\n0\r\n\r\n")->body, "0123456789");
  // The body does not end: the answer cannot have waited for that.
  EXPECT_EQ(Ask(head + "A\r\n0123456789\r\n1\r\nX")->status, 413);
}

TEST_F(HttpRefusalsTest, RefusalAtTheHeadKeepsTheConnectionWhenTheBodyIsShort) {
  handler_.on_head = [](HttpRequest& request) {
    HeadDecision decision;
    if (request.path == "/no") decision.refusal = MakeErrorResponse(403, "no \"entry\"");
    return decision;
  };
  Start();
  RawHttpClient client = Connect();
  for (const size_t size : {0, 10, 100'000}) {
    client.Send(Post(std::string(size, 'a'), "", "/no") + Post("next"));
    const auto refused = client.ReadResponse();
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->status, 403);
    EXPECT_EQ(refused->body, "{\"error\":\"no \\\"entry\\\"\"}");
    EXPECT_EQ(client.ReadResponse()->body, "next");
  }
}

TEST_F(HttpRefusalsTest, RefusalAtTheHeadClosesWhenTheBodyIsLongOrUnknown) {
  handler_.on_head = [](HttpRequest&) {
    HeadDecision decision;
    decision.refusal = MakeErrorResponse(404, "Not Found");
    return decision;
  };
  Start();
  for (const char* framing : {"Content-Length: 100000000\r\n", "Transfer-Encoding: chunked\r\n",
                              "Content-Length: 5\r\nExpect: 100-continue\r\n"}) {
    RawHttpClient client = Connect();
    client.Send(std::string("POST / HTTP/1.1\r\n") + framing + "\r\n");
    const auto response = client.ReadResponse();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, 404) << framing;
    EXPECT_EQ(response->Header("connection"), "close");
    EXPECT_TRUE(client.AtEnd());
  }
}

TEST_F(HttpRefusalsTest, TruncatedRequestIs400WhenTheClientStillListens) {
  Start();
  for (const char* input : {"GET / HT", "POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nhalf",
                            "POST / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\nhalf",
                            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhal"}) {
    RawHttpClient client = Connect();
    client.Send(input);
    client.ShutdownWrite();
    const auto response = client.ReadResponse();
    ASSERT_TRUE(response) << input;
    EXPECT_EQ(response->status, 400);
    EXPECT_TRUE(client.AtEnd());
  }
}

}  // namespace
}  // namespace nereid
