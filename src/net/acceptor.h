#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "net/event_loop.h"

struct addrinfo;
struct event;

namespace nereid {

// A bound, listening, non-blocking TCP socket. Thread-compatible.
class ListeningSocket {
 public:
  // `address`: IPv4, IPv6 or a host name, whose first usable address is taken. `port` 0 takes a
  // free one. Errors as HttpListener's.
  static absl::StatusOr<ListeningSocket> Bind(const std::string& address, uint16_t port,
                                              bool reuse_port);
  // Owns a socket that listens already; INVALID_ARGUMENT, closing nothing, for anything else.
  static absl::StatusOr<ListeningSocket> Adopt(int fd);

  ListeningSocket(ListeningSocket&& other) noexcept;
  ListeningSocket& operator=(ListeningSocket&&) = delete;
  ~ListeningSocket();

  int fd() const { return fd_; }
  uint16_t port() const { return port_; }
  // Another descriptor of the socket: as long as it is open, connections are not refused but wait.
  absl::StatusOr<int> Duplicate() const;

 private:
  ListeningSocket(int fd, uint16_t port) : fd_(fd), port_(port) {}

  static absl::StatusOr<ListeningSocket> Listen(const addrinfo& info, const std::string& name,
                                                bool reuse_port);

  int fd_;
  uint16_t port_;
};

// Accepts connections on a loop. When the process runs out of file descriptors, waiting clients are
// turned away with the help of one descriptor kept in reserve, and accepting pauses for a moment,
// so that the loop does not spin. Loop thread only, except for the constructor.
class Acceptor {
 public:
  // `on_accept` owns the non-blocking socket it is given.
  Acceptor(std::shared_ptr<EventLoop> loop, ListeningSocket socket,
           std::function<void(int)> on_accept);
  ~Acceptor();
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  void Start();
  const ListeningSocket& socket() const { return socket_; }  // any thread

 private:
  void OnReadable();
  void TurnAwayOne();

  const std::shared_ptr<EventLoop> loop_;
  const ListeningSocket socket_;
  const std::function<void(int)> on_accept_;
  struct event* const event_;
  LoopTimer pause_;
  int reserve_fd_;
};

}  // namespace nereid
