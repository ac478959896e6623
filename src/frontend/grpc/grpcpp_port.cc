#include "frontend/grpc/grpcpp_port.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <future>
#include <string>
#include <utility>

#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid {
namespace {

// "Everywhere" is IPv6 as well where the machine has it.
absl::StatusOr<ListeningSocket> Listen(const EndpointOptions& endpoint) {
  if (!endpoint.inherited.empty()) return ListeningSocket::Adopt(endpoint.inherited.front());
  const auto port = static_cast<uint16_t>(endpoint.port);
  std::string address = endpoint.address;
  if (address.starts_with('[') && address.ends_with(']')) {
    address = address.substr(1, address.size() - 2);
  }
  if (address == "0.0.0.0") {
    auto everywhere = ListeningSocket::Bind("::", port, endpoint.reuse_port);
    if (everywhere.ok()) return everywhere;
  }
  return ListeningSocket::Bind(address, port, endpoint.reuse_port);
}

absl::Status CannotListen(const EndpointOptions& endpoint, const absl::Status& status) {
  if (absl::IsUnavailable(status)) {
    return absl::UnavailableError(
        StrCat("Socket '", endpoint.address, ":", endpoint.port, "' already in use "));
  }
  return absl::InvalidArgumentError(StrCat("failed to listen at '", endpoint.address, ":",
                                           endpoint.port, "': ", Message(status)));
}

}  // namespace

absl::StatusOr<std::unique_ptr<GrpcppPort>> GrpcppPort::Create(
    const GrpcServiceOptions& options, std::shared_ptr<grpc::ServerCredentials> credentials,
    grpc::ServerBuilder* builder) {
  using Type = grpc::ServerBuilder::experimental_type::ExternalConnectionType;
  auto socket = Listen(options.endpoint);
  if (!socket.ok()) return CannotListen(options.endpoint, socket.status());
  std::unique_ptr<GrpcppPort> port(
      new GrpcppPort(*std::move(socket), options.keepalive_timeout_ms));
  port->connections_ =
      builder->experimental().AddExternalConnectionAcceptor(Type::FROM_FD, std::move(credentials));
  return port;
}

GrpcppPort::~GrpcppPort() {
  StopAccepting();
  if (loop_ != nullptr) loop_->Stop();
}

absl::Status GrpcppPort::Start() {
  NEREID_ASSIGN_OR_RETURN(loop_, EventLoop::Create("grpc-accept"));
  acceptor_ =
      std::make_unique<Acceptor>(loop_, *std::move(socket_), [this](int fd) { OnAccept(fd); });
  socket_.reset();
  loop_->Post([acceptor = acceptor_.get()] { acceptor->Start(); });
  return absl::OkStatus();
}

// As the library does with what it accepts itself: a client that is gone is noticed in time.
void GrpcppPort::OnAccept(int fd) const {
  setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout_ms_, sizeof(user_timeout_ms_));
  grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters connection;
  connection.listener_fd = acceptor_->socket().fd();
  connection.fd = fd;
  connections_->HandleNewConnection(&connection);
}

absl::StatusOr<std::vector<int>> GrpcppPort::DuplicateSockets() const {
  if (acceptor_ == nullptr) return std::vector<int>();
  NEREID_ASSIGN_OR_RETURN(const int copy, acceptor_->socket().Duplicate());
  return std::vector<int>{copy};
}

void GrpcppPort::StopAccepting() {
  if (acceptor_ == nullptr) return;
  std::promise<void> closed;
  loop_->Post([&] {
    acceptor_.reset();
    closed.set_value();
  });
  closed.get_future().wait();
}

}  // namespace nereid
