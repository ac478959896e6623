// Echoes HTTP bodies on one loop, directly or through one worker thread: the transport's own cost.
//
//   bench_net_echo [--hop] [--loops=N] [--port=P]
//   wrk -t1 -c32 -d5 http://127.0.0.1:P/   (in another shell)
//
// Ends when standard input does, and prints the CPU time it used per request.

#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string_view>
#include <thread>
#include <vector>

#include "common/deferred_wakeups.h"
#include "net/http_listener.h"

namespace nereid {
namespace {

void Echo(HttpExchange exchange) {
  const HttpBody& body = exchange.request().body;
  HttpResponse response;
  response.set_content_type("application/octet-stream");
  response.AddSegment(body.owner, body.data, body.size);
  exchange.Reply(std::move(response));
}

// Takes everything that is waiting at each wake-up, as a model instance does.
class Worker : public Wakeable {
 public:
  void Push(HttpExchange exchange) {
    std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(exchange));
  }
  void Wake() noexcept override { more_.notify_one(); }

  void Run() {
    std::vector<HttpExchange> batch;
    for (;;) {
      {
        std::unique_lock lock(mutex_);
        more_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
        if (waiting_.empty()) return;
        batch.swap(waiting_);
      }
      for (HttpExchange& exchange : batch) Echo(std::move(exchange));
      batch.clear();
    }
  }
  void Stop() {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    more_.notify_one();
  }

 private:
  std::mutex mutex_;
  std::condition_variable more_;
  std::vector<HttpExchange> waiting_;
  bool stopping_ = false;
};

class EchoHandler : public HttpHandler {
 public:
  explicit EchoHandler(std::shared_ptr<Worker> worker) : worker_(std::move(worker)) {}
  HeadDecision OnHead(HttpRequest&) override { return {}; }
  void OnRequest(HttpExchange exchange) override {
    requests_.fetch_add(1, std::memory_order_relaxed);
    if (worker_ == nullptr) return Echo(std::move(exchange));
    worker_->Push(std::move(exchange));
    DeferredWakeups::WakeLater(worker_);
  }
  long requests() const { return requests_; }

 private:
  const std::shared_ptr<Worker> worker_;
  std::atomic<long> requests_{0};
};

double CpuMicroseconds() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return 1e6 * static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

int Main(int argc, char** argv) {
  HttpListenerOptions options;
  options.address = "127.0.0.1";
  bool hop = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--hop") hop = true;
    if (argument.starts_with("--loops=")) options.thread_count = std::atoi(argv[i] + 8);
    if (argument.starts_with("--port="))
      options.port = static_cast<uint16_t>(std::atoi(argv[i] + 7));
  }
  std::shared_ptr<Worker> worker = hop ? std::make_shared<Worker>() : nullptr;
  std::thread thread;
  if (hop) thread = std::thread([&worker] { worker->Run(); });
  EchoHandler handler(worker);
  auto listener = HttpListener::Create(options, &handler);
  if (!listener.ok()) {
    std::fprintf(stderr, "%s\n", listener.status().ToString().c_str());
    std::exit(1);
  }
  std::printf("listening on %d\n", (*listener)->port());
  std::fflush(stdout);
  char byte;
  while (read(STDIN_FILENO, &byte, 1) > 0) {
  }
  (*listener)->Shutdown();
  if (hop) {
    worker->Stop();
    thread.join();
  }
  const double cpu = CpuMicroseconds();
  std::printf("%ld requests, %.2f us of CPU a request\n", handler.requests(),
              handler.requests() > 0 ? cpu / static_cast<double>(handler.requests()) : 0.0);
  return 0;
}

}  // namespace
}  // namespace nereid

int main(int argc, char** argv) { return nereid::Main(argc, argv); }
