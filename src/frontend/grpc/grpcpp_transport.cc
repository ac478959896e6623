#include "frontend/grpc/grpcpp_transport.h"

#include <grpc/grpc.h>
#include <grpc/support/log.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <future>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "common/log.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "frontend/grpc/grpcpp_port.h"
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
  std::unique_ptr<GrpcppPort> port;
  std::unique_ptr<grpc::Server> server;
  std::once_flag shut_down;

  void AddMethods(absl::Span<const RpcMethod> methods) {
    for (const RpcMethod& method : methods) {
      auto& service = services[ServiceOf(method.name)];
      if (service == nullptr) service = std::make_unique<RawService>();
      routes.push_back({&method, service.get(), service->Add(method)});
    }
  }

  void ShutDown(TimePoint deadline) {
    std::call_once(shut_down, [&] {
      port->StopAccepting();
      server->Shutdown(ToSystemTime(deadline));
    });
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
  NEREID_ASSIGN_OR_RETURN(impl->port, GrpcppPort::Create(options, credentials, &builder));
  for (const auto& [name, service] : impl->services) builder.RegisterService(service.get());
  for (int i = 0; i < QueueCount(options.thread_count); ++i) {
    impl->queues.push_back(std::make_unique<GrpcppQueue>(builder.AddCompletionQueue(), impl->routes,
                                                         receiver, compression));
  }
  impl->server = builder.BuildAndStart();
  if (impl->server == nullptr) return absl::InvalidArgumentError("gRPC refuses its options");
  for (const auto& queue : impl->queues) queue->Start();
  NEREID_RETURN_IF_ERROR(impl->port->Start());
  return std::unique_ptr<GrpcppTransport>(new GrpcppTransport(std::move(impl)));
}

GrpcppTransport::~GrpcppTransport() {
  impl_->ShutDown(Clock::now());
  for (const auto& queue : impl_->queues) queue->Stop();
}

int GrpcppTransport::port() const { return impl_->port->port(); }

absl::StatusOr<std::vector<int>> GrpcppTransport::DuplicateSockets() const {
  return impl_->port->DuplicateSockets();
}

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
