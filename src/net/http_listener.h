#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "net/http_handler.h"
#include "net/http_options.h"

namespace nereid {

struct HttpListenerOptions {
  std::string address = "0.0.0.0";  // IPv4, IPv6 or a host name
  uint16_t port = 0;                // 0: a free one, see HttpListener::port
  bool reuse_port = false;          // SO_REUSEPORT, and a listening socket for every loop
  std::vector<int> inherited;       // listening sockets to own and serve instead of all of that
  int thread_count = 1;             // event loops
  std::string thread_name = "http";
  // Connections open at once; further ones are answered 503. 0: what RLIMIT_NOFILE leaves.
  int max_connections = 0;
  HttpConnectionOptions connection;
};

// A TCP port that speaks HTTP/1.0 and 1.1, and the loops that serve its connections. Without
// reuse_port one loop accepts and deals connections out in turn.
// No member may be called on one of its loops.
class HttpListener {
 public:
  // Binds, listens, starts the loops and accepts. `handler` must outlive the listener.
  // Unavailable: "Socket '<address>:<port>' already in use ". InvalidArgument: a bad address.
  static absl::StatusOr<std::unique_ptr<HttpListener>> Create(const HttpListenerOptions& options,
                                                              HttpHandler* handler);

  // Shutdown().
  ~HttpListener();

  const std::string& address() const;
  uint16_t port() const;
  int connection_count() const;

  // Other descriptors of the listening sockets, for the caller to close. While they are open,
  // connections that come after StopAccepting() wait to be accepted by whoever inherits them.
  absl::StatusOr<std::vector<int>> DuplicateSockets() const;

  // Closes the port; connections stay.
  void StopAccepting();

  // Stops accepting, closes idle connections, and waits until the others have been answered and
  // closed; those without a request so far are idle after drain_timeout. True when none is left,
  // false when `timeout` passed first.
  bool Drain(std::chrono::milliseconds timeout);

  // Stops accepting, drops every connection (their requests are cancelled) and joins the loops.
  // Exchanges that are still held elsewhere stay valid; their answers go nowhere. Idempotent.
  void Shutdown();

 private:
  class Impl;
  explicit HttpListener(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

// max(1, min(8, cores / 4)): the default number of loops.
int DefaultHttpThreadCount();

}  // namespace nereid
