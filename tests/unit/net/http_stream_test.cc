// Responses that are written piece by piece.

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <string>
#include <thread>

#include "http_test_server.h"

namespace nereid {
namespace {

using testing::HttpServerTest;
using testing::RawHttpClient;

class HttpStreamTest : public HttpServerTest {
 protected:
  HttpStreamTest() {
    handler_.on_request = [this](HttpExchange exchange) {
      if (exchange.request().path == "/next")
        return testing::ScriptedHandler::Echo(std::move(exchange));
      taken_.set_value(std::move(exchange));
    };
  }

  static HttpResponse EventStream() {
    HttpResponse head;
    head.set_content_type("text/event-stream; charset=utf-8");
    return head;
  }

  std::promise<HttpExchange> taken_;
};

TEST_F(HttpStreamTest, PiecesArriveAsTheyAreWritten) {
  Start();
  RawHttpClient client = Connect();
  client.Send(Get());
  HttpExchange exchange = taken_.get_future().get();
  exchange.StartStream(EventStream());
  EXPECT_EQ(client.ReadBytes(17), "HTTP/1.1 200 OK\r\n");
  EXPECT_TRUE(exchange.Write("data: 1\n\n"));
  client.ReadBytes(std::string("Content-Type: text/event-stream; charset=utf-8\r\n"
                               "Transfer-Encoding: chunked\r\n\r\n")
                       .size());
  EXPECT_EQ(client.ReadBytes(14), "9\r\ndata: 1\n\n\r\n");
  EXPECT_TRUE(exchange.Write("data: 2\n\n"));
  EXPECT_EQ(client.ReadBytes(14), "9\r\ndata: 2\n\n\r\n");
  exchange.End();
  EXPECT_FALSE(exchange);
  EXPECT_EQ(client.ReadBytes(5), "0\r\n\r\n");
  taken_ = std::promise<HttpExchange>();
  client.Send(Get());
  taken_.get_future().get().Reply(HttpResponse(204));
  EXPECT_EQ(client.ReadResponse()->status, 204);
}

TEST_F(HttpStreamTest, ManyPiecesFromOneThreadKeepTheirOrder) {
  Start();
  RawHttpClient client = Connect();
  client.Send(Get() + Post("behind", "", "/next"));
  HttpExchange exchange = taken_.get_future().get();
  std::string expected;
  std::thread writer([&] {
    exchange.StartStream(EventStream());
    for (int i = 0; i < 2000; ++i) {
      // Small pieces are copied behind their frame, large ones sent from where they are.
      const std::string piece = std::to_string(i) + std::string(i % 10 == 0 ? 10'000 : 3, '.');
      expected += piece;
      exchange.Write(piece);
    }
    exchange.Write(std::string());
    exchange.End();
  });
  const auto response = client.ReadResponse();
  writer.join();
  ASSERT_TRUE(response);
  EXPECT_TRUE(response->complete);
  EXPECT_EQ(response->Header("content-type"), "text/event-stream; charset=utf-8");
  EXPECT_TRUE(response->body == expected);
  EXPECT_EQ(client.ReadResponse()->body, "behind");
}

TEST_F(HttpStreamTest, OnTheLoopEachPieceGoesOutAtOnce) {
  handler_.on_request = [](HttpExchange exchange) {
    HttpResponse head = EventStream();
    head.text() = "first ";
    exchange.StartStream(std::move(head));
    exchange.Write("second ");
    exchange.Write("third");
    exchange.End();
  };
  Start();
  EXPECT_EQ(Ask(Get())->body, "first second third");
}

TEST_F(HttpStreamTest, Http10IsEndedByClosing) {
  Start();
  RawHttpClient client = Connect();
  client.Send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  HttpExchange exchange = taken_.get_future().get();
  exchange.StartStream(EventStream());
  exchange.Write("abc");
  exchange.End();
  const auto response = client.ReadResponse();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->Header("transfer-encoding"), "");
  EXPECT_EQ(response->Header("connection"), "close");
  EXPECT_EQ(response->body, "abc");
}

TEST_F(HttpStreamTest, DroppedStreamBreaksOffVisibly) {
  Start();
  RawHttpClient client = Connect();
  client.Send(Get());
  {
    HttpExchange exchange = taken_.get_future().get();
    exchange.StartStream(EventStream());
    exchange.Write("partial");
  }
  const auto response = client.ReadResponse();
  ASSERT_TRUE(response);
  EXPECT_FALSE(response->complete);
  EXPECT_EQ(response->body, "partial");
}

TEST_F(HttpStreamTest, DroppedHttp10StreamIsReset) {
  Start();
  RawHttpClient client = Connect();
  client.Send("GET / HTTP/1.0\r\n\r\n");
  {
    HttpExchange exchange = taken_.get_future().get();
    exchange.StartStream(EventStream());
  }
  char byte;
  ssize_t n;
  while ((n = recv(client.fd(), &byte, 1, 0)) > 0) {
  }
  EXPECT_EQ(n, -1);
  EXPECT_EQ(errno, ECONNRESET);
}

TEST_F(HttpStreamTest, WriterLearnsThatTheClientIsGone) {
  Start();
  RawHttpClient client = Connect();
  client.Send(Get());
  HttpExchange exchange = taken_.get_future().get();
  std::promise<void> cancelled;
  exchange.OnCancel([&] { cancelled.set_value(); });
  exchange.StartStream(EventStream());
  client.Close();
  // The first piece may still be taken by the socket; the reset it provokes ends the stream.
  auto gone = cancelled.get_future();
  while (gone.wait_for(std::chrono::milliseconds(1)) != std::future_status::ready) {
    exchange.Write("more");
  }
  EXPECT_FALSE(exchange.Write("even more"));
  EXPECT_TRUE(exchange.cancelled());
}

TEST_F(HttpStreamTest, BacklogOfASlowReaderIsBounded) {
  options_.connection.max_stream_backlog = 1'000'000;
  Start();
  RawHttpClient client = Connect();
  client.Send(Get());
  HttpExchange exchange = taken_.get_future().get();
  exchange.StartStream(EventStream());
  int pieces = 0;
  while (exchange.Write(std::string(100'000, 'a')) && pieces < 100'000) {
    ++pieces;
    std::this_thread::yield();
  }
  EXPECT_TRUE(exchange.cancelled());
}

}  // namespace
}  // namespace nereid
