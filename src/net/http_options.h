#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace nereid {

// Limits and time-outs of every connection of a listener. A time-out of zero is off.
struct HttpConnectionOptions {
  // Request line and headers together; 431 above it.
  size_t max_head_bytes = 64 * 1024;
  // Non-empty chunks of one chunked request body; 400 above it.
  uint32_t max_chunks = 65536;
  // Requests of one connection that may wait for their answers; reading pauses above it.
  int max_pipelined = 16;
  // Bytes of a streamed response that may wait for a slow reader before the stream is cancelled.
  size_t max_stream_backlog = 64u << 20;
  // A refused request's body of up to this size is read and thrown away to keep the connection;
  // after a larger one it is closed.
  uint64_t max_discard_bytes = 1u << 20;

  // From a connection's or head's first byte until the head is complete; 408 when it passes.
  std::chrono::milliseconds head_timeout{30'000};
  // Without any progress of the request body; 408 when it passes.
  std::chrono::milliseconds body_timeout{60'000};
  // Between requests; the connection is closed silently.
  std::chrono::milliseconds idle_timeout{75'000};
  // Without any progress of a response the client does not read; the connection is reset.
  std::chrono::milliseconds write_timeout{60'000};
  // How long input is thrown away after a response that closes the connection, so that the
  // client can still read it.
  std::chrono::milliseconds linger_timeout{2'000};
  // While the listener drains, no time-out but that of idle connections is longer than this.
  std::chrono::milliseconds drain_timeout{1'000};
};

}  // namespace nereid
