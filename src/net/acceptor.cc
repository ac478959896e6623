#include "net/acceptor.h"

#include <event2/event.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/status/status.h"
#include "common/log.h"
#include "common/strings.h"

namespace nereid {
namespace {

constexpr int kAcceptsPerTurn = 64;
constexpr std::chrono::milliseconds kPause{50};

struct AddressInfo {
  addrinfo* list = nullptr;
  ~AddressInfo() {
    if (list != nullptr) freeaddrinfo(list);
  }
};

void SetFlag(int fd, int level, int option) {
  const int on = 1;
  setsockopt(fd, level, option, &on, sizeof(on));
}

uint16_t BoundPort(int fd) {
  sockaddr_storage address = {};
  socklen_t size = sizeof(address);
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.ss_family == AF_INET6
                   ? reinterpret_cast<const sockaddr_in6*>(&address)->sin6_port
                   : reinterpret_cast<const sockaddr_in*>(&address)->sin_port);
}

int OpenReserve() { return open("/dev/null", O_RDONLY | O_CLOEXEC); }

}  // namespace

absl::StatusOr<ListeningSocket> ListeningSocket::Bind(const std::string& address, uint16_t port,
                                                      bool reuse_port) {
  addrinfo hints = {};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  AddressInfo info;
  const int failure =
      getaddrinfo(address.c_str(), std::to_string(port).c_str(), &hints, &info.list);
  if (failure != 0) {
    return absl::InvalidArgumentError(
        StrCat("cannot resolve address '", address, "': ", gai_strerror(failure)));
  }
  absl::Status status;
  for (const addrinfo* candidate = info.list; candidate != nullptr;
       candidate = candidate->ai_next) {
    auto listening = Listen(*candidate, StrCat(address, ":", port), reuse_port);
    if (listening.ok()) return listening;
    status = listening.status();
  }
  return status;
}

absl::StatusOr<ListeningSocket> ListeningSocket::Listen(const addrinfo& info,
                                                        const std::string& name, bool reuse_port) {
  const int fd = socket(info.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
  if (fd < 0) return absl::ErrnoToStatus(errno, "cannot create a socket");
  ListeningSocket listening(fd, 0);
  SetFlag(fd, SOL_SOCKET, SO_REUSEADDR);
  if (reuse_port) SetFlag(fd, SOL_SOCKET, SO_REUSEPORT);
  // Inherited by the accepted sockets.
  SetFlag(fd, IPPROTO_TCP, TCP_NODELAY);
  if (bind(fd, info.ai_addr, info.ai_addrlen) != 0 || listen(fd, SOMAXCONN) != 0) {
    if (errno == EADDRINUSE) {
      return absl::UnavailableError(StrCat("Socket '", name, "' already in use "));
    }
    return absl::ErrnoToStatus(errno, StrCat("cannot listen on '", name, "'"));
  }
  listening.port_ = BoundPort(fd);
  return listening;
}

absl::StatusOr<ListeningSocket> ListeningSocket::Adopt(int fd) {
  int listens = 0;
  socklen_t size = sizeof(listens);
  if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0 || listens == 0) {
    return absl::InvalidArgumentError(StrCat("descriptor ", fd, " is no listening socket"));
  }
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  return ListeningSocket(fd, BoundPort(fd));
}

absl::StatusOr<int> ListeningSocket::Duplicate() const {
  const int copy = fcntl(fd_, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) return absl::ErrnoToStatus(errno, "cannot duplicate a listening socket");
  return copy;
}

ListeningSocket::ListeningSocket(ListeningSocket&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), port_(other.port_) {}

ListeningSocket::~ListeningSocket() {
  if (fd_ >= 0) close(fd_);
}

Acceptor::Acceptor(std::shared_ptr<EventLoop> loop, ListeningSocket socket,
                   std::function<void(int)> on_accept)
    : loop_(std::move(loop)),
      socket_(std::move(socket)),
      on_accept_(std::move(on_accept)),
      event_(event_new(
          loop_->base(), socket_.fd(), EV_READ | EV_PERSIST,
          [](evutil_socket_t, short, void* self) { static_cast<Acceptor*>(self)->OnReadable(); },
          this)),
      pause_(loop_.get(), [this] { event_add(event_, nullptr); }),
      reserve_fd_(OpenReserve()) {}

Acceptor::~Acceptor() {
  event_free(event_);
  if (reserve_fd_ >= 0) close(reserve_fd_);
}

void Acceptor::Start() { event_add(event_, nullptr); }

void Acceptor::OnReadable() {
  loop_->MarkAwake();
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    const int fd = accept4(socket_.fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      on_accept_(fd);
      continue;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) return;
    // A connection that broke before it was accepted, or a signal.
    if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM) continue;
    NLOG(Warning) << "cannot accept a connection: " << absl::ErrnoToStatus(errno, "").message();
    TurnAwayOne();
    event_del(event_);
    pause_.Start(kPause);
    return;
  }
}

void Acceptor::TurnAwayOne() {
  if (reserve_fd_ >= 0) close(reserve_fd_);
  const int fd = accept4(socket_.fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd >= 0) close(fd);
  reserve_fd_ = OpenReserve();
}

}  // namespace nereid
