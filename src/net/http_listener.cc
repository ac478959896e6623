#include "net/http_listener.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <future>
#include <thread>
#include <utility>
#include <vector>

#include "common/strings.h"
#include "net/acceptor.h"
#include "net/connection_set.h"
#include "net/event_loop.h"

namespace nereid {
namespace {

// Descriptors left for files, models and other ports.
constexpr rlim_t kReservedDescriptors = 256;
constexpr rlim_t kMinConnections = 64;

int MaxConnections(int option) {
  if (option > 0) return option;
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return static_cast<int>(kMinConnections);
  const rlim_t usable = std::min<rlim_t>(limit.rlim_cur, 1u << 24);
  return static_cast<int>(
      std::max(kMinConnections, usable > kReservedDescriptors ? usable - kReservedDescriptors : 0));
}

// Runs `fn` on the loop and waits for it; does nothing when the loop has stopped.
void RunOnLoop(EventLoop& loop, absl::AnyInvocable<void()> fn) {
  std::packaged_task<void()> task(std::move(fn));
  std::future<void> done = task.get_future();
  loop.Post([task = std::move(task)]() mutable { task(); });
  done.wait();
}

void SayTooManyConnections(int fd) {
  static constexpr std::string_view kAnswer =
      "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nContent-Length: 32\r\n"
      "Connection: close\r\n\r\n{\"error\":\"too many connections\"}";
  [[maybe_unused]] const ssize_t sent =
      send(fd, kAnswer.data(), kAnswer.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  // Closing with the request unread would reset the connection and take the answer with it.
  shutdown(fd, SHUT_WR);
  char ignored[4096];
  while (recv(fd, ignored, sizeof(ignored), MSG_DONTWAIT) > 0) {
  }
  close(fd);
}

// Closes the socket unless it is taken: a task that is never run must not leak it.
class AcceptedSocket {
 public:
  AcceptedSocket(int fd, ConnectionCounter* counter) : fd_(fd), counter_(counter) {}
  AcceptedSocket(AcceptedSocket&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), counter_(other.counter_) {}
  ~AcceptedSocket() {
    if (fd_ < 0) return;
    close(fd_);
    counter_->Remove();
  }
  int Take() { return std::exchange(fd_, -1); }

 private:
  int fd_;
  ConnectionCounter* const counter_;
};

}  // namespace

int DefaultHttpThreadCount() {
  return std::clamp(static_cast<int>(std::thread::hardware_concurrency()) / 4, 1, 8);
}

class HttpListener::Impl {
 public:
  Impl(const HttpListenerOptions& options, HttpHandler* handler)
      : options_(options), handler_(handler), counter_(MaxConnections(options.max_connections)) {}

  ~Impl() { Shutdown(); }

  absl::Status Open() {
    const int loop_count = std::max(1, options_.thread_count);
    std::vector<ListeningSocket> sockets;
    for (const int fd : options_.inherited) {
      auto socket = ListeningSocket::Adopt(fd);
      if (!socket.ok()) return socket.status();
      sockets.push_back(*std::move(socket));
    }
    const int socket_count = options_.reuse_port ? loop_count : 1;
    for (int i = 0; i < socket_count && options_.inherited.empty(); ++i) {
      auto socket = ListeningSocket::Bind(options_.address, i == 0 ? options_.port : port_,
                                          options_.reuse_port);
      if (!socket.ok()) return socket.status();
      port_ = socket->port();
      sockets.push_back(*std::move(socket));
    }
    port_ = sockets.front().port();
    for (int i = 0; i < loop_count; ++i) {
      auto loop = EventLoop::Create(StrCat(options_.thread_name, "-", i));
      if (!loop.ok()) return loop.status();
      sets_.push_back(
          std::make_unique<ConnectionSet>(*loop, handler_, options_.connection, &counter_));
    }
    for (size_t i = 0; i < sockets.size(); ++i) {
      StartAcceptor(static_cast<int>(i % sets_.size()), std::move(sockets[i]));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<int>> DuplicateSockets() const {
    std::vector<int> copies;
    for (const auto& acceptor : acceptors_) {
      auto copy = acceptor->socket().Duplicate();
      if (!copy.ok()) {
        for (const int fd : copies) close(fd);
        return copy.status();
      }
      copies.push_back(*copy);
    }
    return copies;
  }

  void StopAccepting() {
    for (size_t i = 0; i < acceptors_.size(); ++i) {
      RunOnLoop(*sets_[i % sets_.size()]->loop(), [this, i] { acceptors_[i].reset(); });
      acceptors_[i].reset();  // the loop had stopped
    }
    acceptors_.clear();
  }

  bool Drain(std::chrono::milliseconds timeout) {
    StopAccepting();
    for (auto& set : sets_) {
      RunOnLoop(*set->loop(), [&set] { set->Drain(); });
    }
    return counter_.WaitForNone(timeout);
  }

  void Shutdown() {
    StopAccepting();
    for (auto& set : sets_) {
      RunOnLoop(*set->loop(), [&set] { set->CloseAll(); });
      set->loop()->Stop();
    }
  }

  const std::string& address() const { return options_.address; }
  uint16_t port() const { return port_; }
  int connection_count() const { return counter_.count(); }

 private:
  void StartAcceptor(int index, ListeningSocket socket) {
    auto on_accept = [this, index](int fd) { OnAccept(index, fd); };
    acceptors_.push_back(
        std::make_unique<Acceptor>(sets_[index]->loop(), std::move(socket), on_accept));
    Acceptor* acceptor = acceptors_.back().get();
    sets_[index]->loop()->Post([acceptor] { acceptor->Start(); });
  }

  // On the loop of that acceptor. One acceptor deals its connections out to all loops in turn.
  void OnAccept(int index, int fd) {
    if (!counter_.TryAdd()) return SayTooManyConnections(fd);
    if (!options_.reuse_port) {
      index = static_cast<int>(next_loop_);
      next_loop_ = (next_loop_ + 1) % sets_.size();
    }
    ConnectionSet* set = sets_[index].get();
    if (set->loop()->InLoopThread()) return set->Adopt(fd);
    set->loop()->Post(
        [set, socket = AcceptedSocket(fd, &counter_)]() mutable { set->Adopt(socket.Take()); });
  }

  const HttpListenerOptions options_;
  HttpHandler* const handler_;
  ConnectionCounter counter_;
  uint16_t port_ = 0;
  std::vector<std::unique_ptr<ConnectionSet>> sets_;  // one a loop; constant once open
  std::vector<std::unique_ptr<Acceptor>> acceptors_;  // one a listening socket
  size_t next_loop_ = 0;                              // of the accepting loop's thread
};

absl::StatusOr<std::unique_ptr<HttpListener>> HttpListener::Create(
    const HttpListenerOptions& options, HttpHandler* handler) {
  auto impl = std::make_unique<Impl>(options, handler);
  if (absl::Status status = impl->Open(); !status.ok()) return status;
  return std::unique_ptr<HttpListener>(new HttpListener(std::move(impl)));
}

HttpListener::HttpListener(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpListener::~HttpListener() = default;

const std::string& HttpListener::address() const { return impl_->address(); }
uint16_t HttpListener::port() const { return impl_->port(); }
int HttpListener::connection_count() const { return impl_->connection_count(); }
void HttpListener::StopAccepting() { impl_->StopAccepting(); }
absl::StatusOr<std::vector<int>> HttpListener::DuplicateSockets() const {
  return impl_->DuplicateSockets();
}
bool HttpListener::Drain(std::chrono::milliseconds timeout) { return impl_->Drain(timeout); }
void HttpListener::Shutdown() { impl_->Shutdown(); }

}  // namespace nereid
