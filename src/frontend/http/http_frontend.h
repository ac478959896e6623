#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "config/server_options.h"

namespace nereid {

class InferenceServer;

// The HTTP port: the inference protocol over HTTP/1.1. Any thread.
class HttpFrontend {
 public:
  // Listens and serves from here on. `server` outlives the frontend. Errors: those of
  // HttpListener::Create(), and INVALID_ARGUMENT for a pattern that is no regular expression.
  static absl::StatusOr<std::unique_ptr<HttpFrontend>> Create(const HttpServiceOptions& options,
                                                              InferenceServer* server);
  // Shutdown().
  ~HttpFrontend();

  const std::string& address() const;
  uint16_t port() const;

  // See HttpListener.
  absl::StatusOr<std::vector<int>> DuplicateSockets() const;
  // Closes the port; connections stay.
  void StopAccepting();
  // Stops accepting and waits until what has begun is answered. False when `timeout` passed first.
  bool Drain(std::chrono::milliseconds timeout);
  // Drops what is left and joins the loops. Idempotent.
  void Shutdown();

 private:
  class Impl;
  explicit HttpFrontend(std::unique_ptr<Impl> impl);

  const std::unique_ptr<Impl> impl_;
};

}  // namespace nereid
