#include "frontend/grpc/grpcpp_transport.h"

#include <grpc/grpc.h>
#include <grpc/support/log.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <future>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "common/log.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "frontend/grpc/grpcpp_queue.h"
#include "frontend/grpc/grpcpp_service.h"
#include "frontend/grpc/grpcpp_settings.h"

namespace nereid {
namespace {

// A draining transport with no call in flight waits this long for messages that are arriving, and
// for clients that do not hang up.
constexpr std::chrono::seconds kArrivalGrace{3};
constexpr std::chrono::milliseconds kDrainStep{20};

// What the library has to say goes where everything else goes. Most of it is about clients that
// misbehave, which is not worth a line unless asked for.
void LogFromLibrary(gpr_log_func_args* args) { NVLOG(1) << "grpc: " << args->message; }

void PrepareLibrary() {
  static std::once_flag once;
  std::call_once(once, [] {
    gpr_set_log_function(&LogFromLibrary);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  });
}

// "/package.Service/Method" → "package.Service".
std::string ServiceOf(std::string_view method) {
  const size_t slash = method.find('/', 1);
  return std::string(method.substr(1, slash - 1));
}

// The library does not say why it could not listen: ask the system. 0: it would work now.
int ListenError(const EndpointOptions& endpoint) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  if (getaddrinfo(endpoint.address.c_str(), std::to_string(endpoint.port).c_str(), &hints,
                  &found) != 0) {
    return EADDRNOTAVAIL;
  }
  int error = 0;
  const int descriptor = socket(found->ai_family, found->ai_socktype | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (bind(descriptor, found->ai_addr, found->ai_addrlen) != 0) error = errno;
  close(descriptor);
  freeaddrinfo(found);
  return error;
}

absl::Status ListenFailure(const EndpointOptions& endpoint) {
  const std::string place = StrCat(endpoint.address, ":", endpoint.port);
  const int error = ListenError(endpoint);
  if (error == EADDRINUSE) {
    return absl::UnavailableError(StrCat("Socket '", place, "' already in use "));
  }
  const std::string_view reason = error == 0 ? "the transport refused it" : std::strerror(error);
  return absl::InvalidArgumentError(StrCat("failed to listen at '", place, "': ", reason));
}

// What the library calls "now or never" is a point of the system's clock.
std::chrono::system_clock::time_point ToSystemTime(TimePoint deadline) {
  const auto left = deadline - Clock::now();
  if (left > std::chrono::hours(24 * 365)) return std::chrono::system_clock::time_point::max();
  return std::chrono::system_clock::now() +
         std::chrono::duration_cast<std::chrono::system_clock::duration>(left);
}

}  // namespace

struct GrpcppTransport::Impl {
  // One for each name in front of a method's own.
  std::map<std::string, std::unique_ptr<RawService>> services;
  std::vector<MethodRoute> routes;
  std::vector<std::unique_ptr<GrpcppQueue>> queues;
  std::unique_ptr<grpc::Server> server;
  int port = 0;
  std::once_flag shut_down;

  void AddMethods(absl::Span<const RpcMethod> methods) {
    for (const RpcMethod& method : methods) {
      auto& service = services[ServiceOf(method.name)];
      if (service == nullptr) service = std::make_unique<RawService>();
      routes.push_back({&method, service.get(), service->Add(method)});
    }
  }

  void ShutDown(TimePoint deadline) {
    std::call_once(shut_down, [&] { server->Shutdown(ToSystemTime(deadline)); });
  }
};

GrpcppTransport::GrpcppTransport(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

absl::StatusOr<std::unique_ptr<GrpcppTransport>> GrpcppTransport::Create(
    const GrpcServiceOptions& options, absl::Span<const RpcMethod> methods, RpcReceiver* receiver) {
  PrepareLibrary();
  NEREID_ASSIGN_OR_RETURN(const auto credentials, MakeCredentials(options));
  NEREID_ASSIGN_OR_RETURN(const auto compression,
                          ParseCompressionLevel(options.response_compression));
  auto impl = std::make_unique<Impl>();
  impl->AddMethods(methods);

  grpc::ServerBuilder builder;
  ApplySettings(options, &builder);
  builder.AddListeningPort(ListenAddress(options.endpoint), credentials, &impl->port);
  for (const auto& [name, service] : impl->services) builder.RegisterService(service.get());
  for (int i = 0; i < QueueCount(options.thread_count); ++i) {
    impl->queues.push_back(std::make_unique<GrpcppQueue>(builder.AddCompletionQueue(), impl->routes,
                                                         receiver, compression));
  }
  impl->server = builder.BuildAndStart();
  if (impl->server == nullptr || impl->port == 0) return ListenFailure(options.endpoint);
  for (const auto& queue : impl->queues) queue->Start();
  return std::unique_ptr<GrpcppTransport>(new GrpcppTransport(std::move(impl)));
}

GrpcppTransport::~GrpcppTransport() {
  impl_->ShutDown(Clock::now());
  for (const auto& queue : impl_->queues) queue->Stop();
}

int GrpcppTransport::port() const { return impl_->port; }

int64_t GrpcppTransport::InFlight() const {
  int64_t count = 0;
  for (const auto& queue : impl_->queues) count += queue->InFlight();
  return count;
}

bool GrpcppTransport::Drain(TimePoint deadline) {
  auto shut_down = std::async(std::launch::async, [&] { impl_->ShutDown(deadline); });
  TimePoint last_busy = Clock::now();
  while (shut_down.wait_for(kDrainStep) == std::future_status::timeout) {
    const TimePoint now = Clock::now();
    if (InFlight() > 0) last_busy = now;
    if (now - last_busy < kArrivalGrace) continue;
    grpc_server_cancel_all_calls(impl_->server->c_server());
    shut_down.wait();
  }
  return Clock::now() < deadline;
}

}  // namespace nereid
