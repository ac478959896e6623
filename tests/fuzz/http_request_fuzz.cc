// The bytes of one HTTP connection: heads, bodies of both framings, pipelines, through the very
// connection object that serves clients. The first byte says after how many of the others the
// server gets to see what has been sent so far.

#include <sys/socket.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <future>
#include <memory>
#include <string>
#include <string_view>

#include "net/compression.h"
#include "net/connection_set.h"
#include "net/http_handler.h"
#include "net/router.h"

namespace nereid {
namespace {

constexpr uint64_t kMaxBody = 1 << 20;

void Require(bool holds) {
  if (!holds) std::abort();
}

// Reads every byte that the server says may be read, so that a sanitizer can object.
uint64_t Touch(std::string_view bytes) {
  uint64_t sum = 0;
  for (const char c : bytes) sum += static_cast<unsigned char>(c);
  return sum;
}

std::unique_ptr<Router> NewRouter() {
  Route any;
  any.method = HttpMethod::kPost;
  any.pattern = "/{first}[/{second:digits}]";
  auto router = Router::Create({any});
  Require(router.ok());
  return *std::move(router);
}

class CheckingHandler : public HttpHandler {
 public:
  HeadDecision OnHead(HttpRequest& request) override {
    request.route = router_->Match(request.method, request.path);
    HeadDecision decision;
    decision.max_body_bytes = kMaxBody;
    if (request.path == "/refuse") decision.refusal = MakeErrorResponse(403, request.target);
    return decision;
  }

  void OnRequest(HttpExchange exchange) override {
    const HttpRequest& request = exchange.request();
    Require(!request.path.empty());
    Require(request.body.size <= kMaxBody);
    if (request.content_length) Require(request.body.size == *request.content_length);
    Require(!(request.content_length && request.chunked));
    uint64_t sum = Touch({request.body.data, request.body.size + kBodyPadding});
    for (const HttpHeader& header : request.headers)
      sum += Touch(header.name) + Touch(header.value);
    for (const auto& capture : request.route.captures) sum += Touch(capture.value);
    HttpResponse response(200, "text/plain", std::to_string(sum));
    if (const auto encoding = ParseContentEncoding(request.Header("Content-Encoding"))) {
      const auto body = Decompress(*encoding, request.body, kMaxBody);
      if (body.ok()) Require(body->size <= kMaxBody);
    }
    const ContentEncoding encoding = PickEncoding(request.Header("Accept-Encoding"));
    Require(CompressBody(encoding, response).ok());
    exchange.Reply(std::move(response));
  }

 private:
  const std::unique_ptr<Router> router_ = NewRouter();
};

// A loop that outlives all inputs.
struct Server {
  Server() : counter(1 << 20) {
    auto created = EventLoop::Create("fuzz");
    Require(created.ok());
    loop = *created;
    HttpConnectionOptions options;
    options.max_head_bytes = 4096;
    options.max_pipelined = 4;
    options.max_discard_bytes = 1024;
    set = std::make_unique<ConnectionSet>(loop, &handler, options, &counter);
  }

  void Adopt(int fd) {
    Require(counter.TryAdd());
    loop->Post([this, fd] { set->Adopt(fd); });
  }
  // Returns when the loop has seen everything that was sent before.
  void Settle() {
    for (int round = 0; round < 2; ++round) {
      std::promise<void> done;
      loop->Post([&] { done.set_value(); });
      done.get_future().wait();
    }
  }

  CheckingHandler handler;
  ConnectionCounter counter;
  std::shared_ptr<EventLoop> loop;
  std::unique_ptr<ConnectionSet> set;
};

void SendAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return;  // the server has seen enough
    bytes.remove_prefix(static_cast<size_t>(n));
  }
}

void Converse(Server& server, std::string_view first, std::string_view second) {
  int fds[2];
  Require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
  server.Adopt(fds[1]);
  SendAll(fds[0], first);
  server.Settle();
  SendAll(fds[0], second);
  shutdown(fds[0], SHUT_WR);
  std::string answer;
  char block[16384];
  while (server.counter.count() > 0) {
    server.Settle();
    for (ssize_t n; (n = recv(fds[0], block, sizeof(block), 0)) > 0;) {
      answer.append(block, static_cast<size_t>(n));
    }
  }
  close(fds[0]);
  Require(answer.empty() || answer.starts_with("HTTP/1.1 "));
}

}  // namespace
}  // namespace nereid

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static nereid::Server* const server = new nereid::Server;
  if (size == 0) return 0;
  const std::string_view stream(reinterpret_cast<const char*>(data + 1), size - 1);
  const size_t cut = stream.size() * data[0] / 255;
  nereid::Converse(*server, stream.substr(0, cut), stream.substr(cut));
  return 0;
}
