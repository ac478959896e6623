#pragma once

#include <grpcpp/server_builder.h>

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "config/server_options.h"
#include "net/acceptor.h"
#include "net/event_loop.h"

namespace nereid {

// The TCP port of a transport: accepts connections on a thread of its own and gives them to the
// library, which could not go on with a socket of another process. For .cc files of this folder
// only.
class GrpcppPort {
 public:
  // Listens, and tells `builder` where connections come from. Errors as HttpListener's.
  static absl::StatusOr<std::unique_ptr<GrpcppPort>> Create(
      const GrpcServiceOptions& options, std::shared_ptr<grpc::ServerCredentials> credentials,
      grpc::ServerBuilder* builder);
  // Closes the port.
  ~GrpcppPort();
  GrpcppPort(const GrpcppPort&) = delete;
  GrpcppPort& operator=(const GrpcppPort&) = delete;

  int port() const { return port_; }
  // Begins to accept: the server has been started.
  absl::Status Start();
  // See HttpListener.
  absl::StatusOr<std::vector<int>> DuplicateSockets() const;
  // Closes the port; connections stay.
  void StopAccepting();

 private:
  GrpcppPort(ListeningSocket socket, int user_timeout_ms)
      : port_(socket.port()), user_timeout_ms_(user_timeout_ms), socket_(std::move(socket)) {}
  void OnAccept(int fd) const;

  const int port_;
  const int user_timeout_ms_;
  std::optional<ListeningSocket> socket_;  // until Start()
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> connections_;
  std::shared_ptr<EventLoop> loop_;
  std::unique_ptr<Acceptor> acceptor_;
};

}  // namespace nereid
