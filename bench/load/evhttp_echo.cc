// The HTTP floor: libevent's own HTTP server, one loop, echoing the body.
//   bench_evhttp_echo PORT      (0: a free one, printed)
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdio>
#include <cstdlib>

namespace {

void Echo(evhttp_request* request, void*) {
  evbuffer* body = evbuffer_new();
  evbuffer_add_buffer(body, evhttp_request_get_input_buffer(request));
  evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type",
                    "application/octet-stream");
  evhttp_send_reply(request, 200, "OK", body);
  evbuffer_free(body);
}

}  // namespace

int main(int argc, char** argv) {
  event_base* base = event_base_new();
  evhttp* http = evhttp_new(base);
  evhttp_set_max_body_size(http, 1 << 30);
  evhttp_set_gencb(http, Echo, nullptr);
  const int port = argc > 1 ? std::atoi(argv[1]) : 0;
  evhttp_bound_socket* socket =
      evhttp_bind_socket_with_handle(http, "127.0.0.1", static_cast<ev_uint16_t>(port));
  if (socket == nullptr) return 1;
  sockaddr_in address{};
  socklen_t length = sizeof(address);
  getsockname(evhttp_bound_socket_get_fd(socket), reinterpret_cast<sockaddr*>(&address), &length);
  std::printf("port %d\n", ntohs(address.sin_port));
  std::fflush(stdout);
  return event_base_dispatch(base);
}
