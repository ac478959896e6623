// What requests come in as and answers go out as, over real sockets.

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "http_test_server.h"
#include "net/compression.h"

namespace nereid {
namespace {

using testing::HttpServerTest;
using testing::RawHttpClient;
using testing::RawResponse;

using HttpRequestsTest = HttpServerTest;

std::string Pattern(size_t size) {
  std::string bytes(size, '\0');
  std::mt19937 generator(static_cast<unsigned>(size));
  for (char& c : bytes) c = static_cast<char>(generator());
  return bytes;
}

TEST_F(HttpRequestsTest, AnswersManyRequestsOnOneConnection) {
  Start();
  RawHttpClient client = Connect();
  for (int i = 0; i < 200; ++i) {
    const std::string body = "request " + std::to_string(i);
    ASSERT_TRUE(client.Send(Post(body)));
    const auto response = client.ReadResponse();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, 200);
    EXPECT_EQ(response->reason, "OK");
    EXPECT_EQ(response->body, body);
    EXPECT_EQ(response->Header("content-type"), "text/plain");
    EXPECT_EQ(response->Header("connection"), "");
  }
  EXPECT_EQ(listener_->connection_count(), 1);
}

TEST_F(HttpRequestsTest, HandlerSeesTheWholeRequest) {
  std::promise<void> seen;
  handler_.on_request = [&](HttpExchange exchange) {
    const HttpRequest& request = exchange.request();
    EXPECT_EQ(request.method, HttpMethod::kPost);
    EXPECT_EQ(request.path, "/a/b");
    EXPECT_EQ(request.query, "q=1");
    EXPECT_EQ(request.Header("x-custom"), "value");
    EXPECT_EQ(request.body.view(), "data");
    EXPECT_TRUE(exchange.loop().InLoopThread());
    HttpResponse response(201, "application/json", "{}");
    response.AddHeader("X-Answer", "a\r\nInjected: b");
    exchange.Reply(std::move(response));
    seen.set_value();
  };
  Start();
  const auto response = Ask(Post("data", "X-Custom: value\r\n", "/a/b?q=1"));
  seen.get_future().wait();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 201);
  EXPECT_EQ(response->reason, "Created");
  EXPECT_EQ(response->Header("content-type"), "application/json");
  EXPECT_EQ(response->Header("content-length"), "2");
  EXPECT_EQ(response->Header("x-answer"), "a  Injected: b");
  EXPECT_EQ(response->body, "{}");
}

TEST_F(HttpRequestsTest, RequestArrivingByteByByteIsTheSameRequest) {
  Start();
  RawHttpClient client = Connect();
  for (const char c : Post("slow but steady")) ASSERT_TRUE(client.Send(std::string_view(&c, 1)));
  EXPECT_EQ(client.ReadResponse()->body, "slow but steady");
}

TEST_F(HttpRequestsTest, KeepsOrCloses) {
  struct Case {
    const char* request;
    const char* connection;
    bool closes;
  };
  Start();
  for (const Case& c : {
           Case{"GET / HTTP/1.1\r\n\r\n", "", false},
           Case{"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", "close", true},
           Case{"GET / HTTP/1.0\r\n\r\n", "close", true},
           Case{"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "keep-alive", false},
       }) {
    RawHttpClient client = Connect();
    client.Send(c.request);
    const auto response = client.ReadResponse();
    ASSERT_TRUE(response) << c.request;
    EXPECT_EQ(response->Header("connection"), c.connection) << c.request;
    EXPECT_EQ(response->Header("content-length"), "0");
    if (c.closes) {
      EXPECT_TRUE(client.AtEnd()) << c.request;
    } else {
      client.Send(Get());
      EXPECT_TRUE(client.ReadResponse()) << c.request;
    }
  }
}

TEST_F(HttpRequestsTest, ClosesWhenTheResponseAsksForIt) {
  handler_.on_request = [](HttpExchange exchange) {
    HttpResponse response;
    response.CloseConnection();
    exchange.Reply(std::move(response));
  };
  Start();
  RawHttpClient client = Connect();
  client.Send(Get());
  EXPECT_EQ(client.ReadResponse()->Header("connection"), "close");
  EXPECT_TRUE(client.AtEnd());
}

TEST_F(HttpRequestsTest, HeadGetsTheLengthAndNoBody) {
  handler_.on_request = [](HttpExchange exchange) {
    exchange.Reply(HttpResponse(200, "text/plain", "twelve bytes"));
  };
  Start();
  RawHttpClient client = Connect();
  client.Send("HEAD / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(client.ReadResponse(true)->Header("content-length"), "12");
  client.Send(Get());
  EXPECT_EQ(client.ReadResponse()->body, "twelve bytes");
}

TEST_F(HttpRequestsTest, BodiesOfEverySizeComeBackAsTheyWere) {
  Start();
  RawHttpClient client = Connect();
  for (const size_t size : {0, 1, 100, 4096, 16'000, 16'384, 16'385, 65'536, 1'000'000}) {
    const std::string body = Pattern(size);
    ASSERT_TRUE(client.Send(Post(body)));
    const auto response = client.ReadResponse();
    ASSERT_TRUE(response);
    EXPECT_TRUE(response->body == body) << size;
  }
}

TEST_F(HttpRequestsTest, LargeBodiesAreAlignedWhereTheHandlerWantsThem) {
  for (const uint64_t offset : {0u, 1u, 57u, 64u, 123u, 1000000000u}) {
    handler_.on_head = [offset](HttpRequest&) {
      HeadDecision decision;
      decision.aligned_body_offset = offset;
      return decision;
    };
    bool aligned = false;
    handler_.on_request = [&](HttpExchange exchange) {
      const char* data = exchange.request().body.data;
      aligned = (reinterpret_cast<uintptr_t>(data) + offset) % kBodyAlignment == 0;
      testing::ScriptedHandler::Echo(std::move(exchange));
    };
    if (listener_ == nullptr) Start();
    std::string body(3'000'000, 'x');
    body[offset % body.size()] = 'y';
    const auto response = Ask(Post(body));
    ASSERT_TRUE(response.has_value());
    EXPECT_EQ(response->body, body);
    EXPECT_TRUE(aligned) << offset;
  }
}

TEST_F(HttpRequestsTest, TwelveMegabytesInAndOutInManySegments) {
  handler_.on_request = [](HttpExchange exchange) {
    const HttpBody& body = exchange.request().body;
    HttpResponse response;
    response.text() = "head";
    constexpr size_t kPiece = 4001;  // about 3,000 pieces
    for (size_t start = 0; start < body.size; start += kPiece) {
      response.AddSegment(body.owner, body.data + start, std::min(kPiece, body.size - start));
    }
    exchange.Reply(std::move(response));
  };
  Start();
  const std::string body = Pattern(12'000'000);
  RawHttpClient client = Connect();
  for (int i = 0; i < 3; ++i) {
    std::thread sender([&] { EXPECT_TRUE(client.Send(Post(body))); });
    const auto response = client.ReadResponse();
    sender.join();
    ASSERT_TRUE(response);
    EXPECT_TRUE(response->body == "head" + body);
  }
}

TEST_F(HttpRequestsTest, BodyOutlivesRequestAndConnection) {
  std::promise<HttpBody> kept;
  handler_.on_request = [&](HttpExchange exchange) {
    kept.set_value(exchange.request().body);
    exchange.Reply(HttpResponse());
  };
  Start();
  ASSERT_TRUE(Ask(Post("keep me")));
  listener_->Shutdown();
  EXPECT_EQ(kept.get_future().get().view(), "keep me");
}

TEST_F(HttpRequestsTest, KeptBodiesAreNotOverwrittenByLaterRequests) {
  std::mutex mutex;
  std::vector<HttpBody> kept;
  handler_.on_request = [&](HttpExchange exchange) {
    {
      std::lock_guard lock(mutex);
      kept.push_back(exchange.request().body);
    }
    exchange.Reply(HttpResponse());
  };
  Start();
  RawHttpClient client = Connect();
  for (int i = 0; i < 500; ++i) {
    client.Send(Post(std::to_string(i) + std::string(100, 'x')));
    ASSERT_TRUE(client.ReadResponse());
  }
  for (int i = 0; i < 500; ++i) {
    EXPECT_EQ(kept[static_cast<size_t>(i)].view(), std::to_string(i) + std::string(100, 'x'));
  }
}

TEST_F(HttpRequestsTest, PipelinedAnswersKeepTheOrderOfTheRequests) {
  options_.connection.max_pipelined = 64;
  std::mutex mutex;
  std::vector<HttpExchange> waiting;
  std::promise<void> all;
  handler_.on_request = [&](HttpExchange exchange) {
    std::lock_guard lock(mutex);
    waiting.push_back(std::move(exchange));
    if (waiting.size() == 50) all.set_value();
  };
  Start();
  RawHttpClient client = Connect();
  std::string requests;
  for (int i = 0; i < 50; ++i) requests += Post("body " + std::to_string(i));
  client.Send(requests);
  all.get_future().wait();
  // Answered from several threads, last request first.
  std::vector<std::thread> workers;
  for (int w = 0; w < 5; ++w) {
    workers.emplace_back([&] {
      for (;;) {
        HttpExchange exchange;
        {
          std::lock_guard lock(mutex);
          if (waiting.empty()) return;
          exchange = std::move(waiting.back());
          waiting.pop_back();
        }
        testing::ScriptedHandler::Echo(std::move(exchange));
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  for (int i = 0; i < 50; ++i) {
    const auto response = client.ReadResponse();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->body, "body " + std::to_string(i));
  }
}

TEST_F(HttpRequestsTest, PipelineIsBoundedAndGoesOnWhenAnswersLeave) {
  options_.connection.max_pipelined = 4;
  std::mutex mutex;
  std::vector<HttpExchange> waiting;
  std::atomic<int> started{0};
  std::atomic<int> most{0};
  handler_.on_request = [&](HttpExchange exchange) {
    ++started;
    std::lock_guard lock(mutex);
    waiting.push_back(std::move(exchange));
    most = std::max<int>(most, static_cast<int>(waiting.size()));
    started.notify_all();
  };
  Start();
  RawHttpClient client = Connect();
  std::string requests;
  constexpr int kRequests = 3000;
  for (int i = 0; i < kRequests; ++i) requests += Post(std::to_string(i));
  std::thread sender([&] { EXPECT_TRUE(client.Send(requests)); });
  for (int i = 0; i < kRequests; ++i) {
    for (int n = started; n <= i; n = started) started.wait(n);
    HttpExchange exchange;
    {
      std::lock_guard lock(mutex);
      exchange = std::move(waiting.front());
      waiting.erase(waiting.begin());
    }
    testing::ScriptedHandler::Echo(std::move(exchange));
    ASSERT_EQ(client.ReadResponse()->body, std::to_string(i));
  }
  sender.join();
  EXPECT_LE(most, 4);
}

TEST_F(HttpRequestsTest, ChunkedBodiesArriveWhole) {
  Start();
  RawHttpClient client = Connect();
  const std::string large = Pattern(3'000'000);
  std::string framed;
  for (size_t start = 0; start < large.size(); start += 70'001) {
    const std::string piece = large.substr(start, 70'001);
    char size[32];
    snprintf(size, sizeof(size), "%zX\r\n", piece.size());
    framed += size + piece + "\r\n";
  }
  const std::string head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const auto& [body, expected] :
       {std::pair<std::string, std::string>{"0\r\n\r\n", ""},
        {"5\r\nhello\r\n7;x=y\r\n, world\r\n0\r\nTrailer: t\r\n\r\n", "hello, world"},
        {framed + "0\r\n\r\n", large}}) {
    // The next request follows in the same bytes.
    std::thread sender([&] { client.Send(head + body + Post("next")); });
    const auto response = client.ReadResponse();
    const auto next = client.ReadResponse();
    sender.join();
    ASSERT_TRUE(response && next);
    EXPECT_TRUE(response->body == expected);
    EXPECT_EQ(next->body, "next");
  }
}

TEST_F(HttpRequestsTest, TooManyChunksAreRefusedAndTheConnectionCloses) {
  options_.connection.max_chunks = 3;
  Start();
  RawHttpClient client = Connect();
  client.Send(
      "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
      "1\r\na\r\n1\r\nb\r\n1\r\nc\r\n1\r\nd\r\n0\r\n\r\n");
  const auto response = client.ReadResponse();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 400);
  EXPECT_EQ(response->body,
            "{\"error\":\"Chunked request body exceeds maximum of 3 non-empty chunks. Send fewer "
            "or larger HTTP chunks.\"}");
  EXPECT_TRUE(client.AtEnd());
}

TEST_F(HttpRequestsTest, AsksForTheBodyWhenTheClientWaits) {
  Start();
  RawHttpClient client = Connect();
  for (const size_t size : {10, 100'000}) {
    const std::string body = Pattern(size);
    client.Send("POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: " +
                std::to_string(size) + "\r\n\r\n");
    EXPECT_EQ(client.ReadResponse()->status, 100);
    client.Send(body);
    EXPECT_TRUE(client.ReadResponse()->body == body);
  }
  client.Send("POST / HTTP/1.1\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_EQ(client.ReadResponse()->status, 100);
  client.Send("2\r\nok\r\n0\r\n\r\n");
  EXPECT_EQ(client.ReadResponse()->body, "ok");
}

TEST_F(HttpRequestsTest, SendsNoInterimAnswerWhenTheBodyIsAlreadyThere) {
  Start();
  RawHttpClient client = Connect();
  client.Send(Post("body", "Expect: 100-continue\r\n"));
  EXPECT_EQ(client.ReadResponse()->status, 200);
}

TEST_F(HttpRequestsTest, InterimAnswerWaitsForEarlierAnswers) {
  std::promise<HttpExchange> first;
  handler_.on_request = [&](HttpExchange exchange) {
    if (exchange.request().path == "/first") {
      first.set_value(std::move(exchange));
    } else {
      testing::ScriptedHandler::Echo(std::move(exchange));
    }
  };
  Start();
  RawHttpClient client = Connect();
  client.Send(Post("1", "", "/first") +
              "POST /second HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n");
  HttpExchange exchange = first.get_future().get();
  EXPECT_TRUE(client.SilentFor(30));
  testing::ScriptedHandler::Echo(std::move(exchange));
  EXPECT_EQ(client.ReadResponse()->body, "1");
  EXPECT_EQ(client.ReadResponse()->status, 100);
  client.Send("2");
  EXPECT_EQ(client.ReadResponse()->body, "2");
}

TEST_F(HttpRequestsTest, CompressedRequestIsUnpackedAndResponsePacked) {
  handler_.on_request = [](HttpExchange exchange) {
    const HttpRequest& request = exchange.request();
    auto body = Decompress(*ParseContentEncoding(request.Header("Content-Encoding")), request.body,
                           1'000'000);
    ASSERT_TRUE(body.ok());
    HttpResponse response;
    response.AddSegment(body->owner, body->data, body->size);
    ASSERT_TRUE(CompressBody(PickEncoding(request.Header("Accept-Encoding")), response).ok());
    exchange.Reply(std::move(response));
  };
  Start();
  HttpResponse plain(200, "text/plain", std::string(100'000, 'z'));
  ASSERT_TRUE(CompressBody(ContentEncoding::kGzip, plain).ok());
  const std::string packed(plain.segments()[0].data, plain.segments()[0].size);
  const auto response =
      Ask(Post(packed, "Content-Encoding: gzip\r\nAccept-Encoding: deflate, gzip;q=0.5\r\n"));
  ASSERT_TRUE(response);
  EXPECT_EQ(response->Header("content-encoding"), "deflate");
  auto owner = std::make_shared<std::string>(response->body);
  const auto unpacked =
      Decompress(ContentEncoding::kDeflate, {owner, owner->data(), owner->size()}, 1'000'000);
  EXPECT_EQ(unpacked->view(), std::string(100'000, 'z'));
}

TEST_F(HttpRequestsTest, DroppedExchangeIsAnswered500) {
  handler_.on_request = [](HttpExchange) {};
  Start();
  RawHttpClient client = Connect();
  client.Send(Get());
  const auto response = client.ReadResponse();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 500);
  EXPECT_EQ(response->body, "{\"error\":\"the request was dropped without an answer\"}");
  client.Send(Get());
  EXPECT_EQ(client.ReadResponse()->status, 500);
}

TEST_F(HttpRequestsTest, DroppedOnAnotherThreadIsAnswered500) {
  handler_.on_request = [](HttpExchange exchange) {
    std::thread([moved = std::move(exchange)] {}).detach();
  };
  Start();
  EXPECT_EQ(Ask(Get())->status, 500);
}

TEST_F(HttpRequestsTest, RepliesFromOtherThreadsUnderLoad) {
  options_.thread_count = 2;
  std::mutex mutex;
  std::condition_variable more;
  std::vector<HttpExchange> queue;
  bool stop = false;
  handler_.on_request = [&](HttpExchange exchange) {
    std::lock_guard lock(mutex);
    queue.push_back(std::move(exchange));
    more.notify_one();
  };
  Start();
  std::thread worker([&] {
    for (;;) {
      std::vector<HttpExchange> batch;
      {
        std::unique_lock lock(mutex);
        more.wait(lock, [&] { return stop || !queue.empty(); });
        if (queue.empty()) return;
        batch.swap(queue);
      }
      for (HttpExchange& exchange : batch) testing::ScriptedHandler::Echo(std::move(exchange));
    }
  });
  std::vector<std::thread> clients;
  std::atomic<int> right{0};
  for (int c = 0; c < 8; ++c) {
    clients.emplace_back([&, c] {
      RawHttpClient client = Connect();
      for (int i = 0; i < 300; ++i) {
        const std::string body = std::to_string(c * 1000 + i);
        client.Send(Post(body));
        const auto response = client.ReadResponse();
        if (response && response->body == body) ++right;
      }
    });
  }
  for (std::thread& client : clients) client.join();
  {
    std::lock_guard lock(mutex);
    stop = true;
    more.notify_one();
  }
  worker.join();
  EXPECT_EQ(right, 8 * 300);
}

}  // namespace
}  // namespace nereid
