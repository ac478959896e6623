#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace nereid::testing {

struct RawResponse {
  int status = 0;
  std::string reason;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;                            // without chunk framing
  bool complete = true;                        // false: the connection ended inside the body

  std::string Header(const std::string& name) const {
    const auto it = headers.find(name);
    return it == headers.end() ? "" : it->second;
  }
};

// A blocking TCP client that sends exactly the bytes it is told to and understands just enough of
// HTTP to take answers apart. Every wait ends after `kPatience`.
class RawHttpClient {
 public:
  static constexpr int kPatienceSeconds = 20;

  explicit RawHttpClient(uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    timeval patience{kPatienceSeconds, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    const int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  }
  RawHttpClient(RawHttpClient&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)),
        connected_(other.connected_),
        received_(std::move(other.received_)) {}
  RawHttpClient& operator=(RawHttpClient&&) = delete;
  ~RawHttpClient() { Close(); }

  bool connected() const { return connected_; }
  int fd() const { return fd_; }

  // False when the peer stopped taking bytes.
  bool Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(n));
    }
    return true;
  }

  void ShutdownWrite() { shutdown(fd_, SHUT_WR); }

  void Close() {
    if (fd_ >= 0) close(std::exchange(fd_, -1));
  }

  // Ends the connection with a reset instead of an orderly end.
  void Reset() {
    const linger hard{1, 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    Close();
  }

  // The next answer; absent when the connection ends (or patience does) before its head is there.
  // 1xx answers are returned like any other. `head_only`: the answer to a HEAD request.
  std::optional<RawResponse> ReadResponse(bool head_only = false) {
    size_t end;
    while ((end = received_.find("\r\n\r\n")) == std::string::npos) {
      if (!ReceiveSome()) return std::nullopt;
    }
    RawResponse response = ParseHead(received_.substr(0, end + 2));
    received_.erase(0, end + 4);
    if (response.status < 200 || response.status == 204 || head_only) return response;
    if (response.Header("transfer-encoding") == "chunked") {
      ReadChunked(response);
    } else if (!response.Header("content-length").empty()) {
      response.complete = Take(
          std::strtoull(response.Header("content-length").c_str(), nullptr, 10), &response.body);
    } else {
      while (ReceiveSome()) {
      }
      response.body = std::exchange(received_, {});
    }
    return response;
  }

  // The next bytes of whatever comes, at least `size`; fewer when the connection ends.
  std::string ReadBytes(size_t size) {
    std::string bytes;
    Take(size, &bytes);
    return bytes;
  }

  // True when the peer has ended the connection and nothing is left to read.
  bool AtEnd() { return received_.empty() && !ReceiveSome(); }

  // True when nothing arrives within `milliseconds`.
  bool SilentFor(int milliseconds) {
    pollfd state{fd_, POLLIN, 0};
    return received_.empty() && poll(&state, 1, milliseconds) == 0;
  }

 private:
  bool ReceiveSome() {
    char block[65536];
    ssize_t n;
    do {
      n = recv(fd_, block, sizeof(block), 0);
    } while (n < 0 && errno == EINTR);
    if (n <= 0) return false;
    received_.append(block, static_cast<size_t>(n));
    return true;
  }

  bool Take(size_t size, std::string* out) {
    while (received_.size() < size && ReceiveSome()) {
    }
    const size_t taken = std::min(size, received_.size());
    out->append(received_, 0, taken);
    received_.erase(0, taken);
    return taken == size;
  }

  std::string TakeLine() {
    size_t end;
    while ((end = received_.find("\r\n")) == std::string::npos) {
      if (!ReceiveSome()) return "";
    }
    std::string line = received_.substr(0, end);
    received_.erase(0, end + 2);
    return line;
  }

  void ReadChunked(RawResponse& response) {
    for (;;) {
      const std::string line = TakeLine();
      const size_t size = std::strtoull(line.c_str(), nullptr, 16);
      response.complete = !line.empty() && Take(size, &response.body);
      if (!response.complete) return;
      TakeLine();
      if (size == 0) return;
    }
  }

  static RawResponse ParseHead(const std::string& head) {
    RawResponse response;
    const size_t first = head.find("\r\n");
    response.status = std::atoi(head.c_str() + head.find(' ') + 1);
    const size_t reason = head.find(' ', head.find(' ') + 1) + 1;
    response.reason = head.substr(reason, first - reason);
    for (size_t start = first + 2; start < head.size();) {
      const size_t end = head.find("\r\n", start);
      const size_t colon = head.find(':', start);
      std::string name = head.substr(start, colon - start);
      std::transform(name.begin(), name.end(), name.begin(),
                     [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      response.headers[name] = head.substr(colon + 2, end - colon - 2);
      start = end + 2;
    }
    return response;
  }

  int fd_;
  bool connected_ = false;
  std::string received_;
};

}  // namespace nereid::testing
