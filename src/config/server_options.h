#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/log.h"

namespace nereid {

// Who decides what is loaded.
enum class ModelControlMode : uint8_t {
  kNone,      // everything found at start-up
  kPoll,      // everything found, at any time
  kExplicit,  // what clients ask for
};

// Where one service listens. Port 0 picks a free one.
struct EndpointOptions {
  bool allow = true;
  std::string address = "0.0.0.0";
  int port = 0;
  bool reuse_port = false;
  // Listening sockets to own and serve instead of opening any; the command line cannot say that.
  std::vector<int> inherited = {};
};

// What to do once a backend says that nothing of it works any more in this process.
enum class DeviceFailureMode : uint8_t {
  kRestart,  // a new process takes over, under the same process id
  kExit,     // end, with an exit status of its own
  kServe,    // go on with what still works
};

// Calls of these categories need `header: value`; one entry for each option given.
struct RestrictedCategories {
  std::set<std::string> categories;
  std::string key;
  std::string value;
};

struct HttpServiceOptions {
  EndpointOptions endpoint{.port = 8000};
  std::string header_forward_pattern;
  int thread_count = 0;  // event loops; 0: a quarter of the cores, at least 1 and at most 8
  int64_t max_input_size = 64 << 20;  // bytes of one request body, also after decompression
  int64_t max_header_size = 64 << 10;
  int64_t max_connections = 0;  // 0: what the limit of open files allows
  int max_pipelined_requests = 64;
  std::chrono::seconds header_timeout{30};
  std::chrono::seconds body_timeout{60};   // without progress
  std::chrono::seconds write_timeout{60};  // without progress
  std::chrono::seconds keepalive_timeout{75};
  std::vector<RestrictedCategories> restricted;
};

struct GrpcServiceOptions {
  EndpointOptions endpoint{.port = 8001};
  std::string header_forward_pattern;
  int thread_count = 0;  // completion queues, one thread each; 0: as HTTP loops
  bool use_ssl = false;
  bool use_ssl_mutual = false;
  std::string server_cert;
  std::string server_key;
  std::string root_cert;
  std::string response_compression = "none";  // none, low, medium, high
  int keepalive_time_ms = 7200000;
  int keepalive_timeout_ms = 20000;
  bool keepalive_permit_without_calls = false;
  int max_pings_without_data = 2;
  int min_recv_ping_interval_without_data_ms = 300000;
  int max_ping_strikes = 2;
  int max_connection_age_ms = 0;        // 0: no limit
  int max_connection_age_grace_ms = 0;  // 0: no limit
  std::vector<RestrictedCategories> restricted;
};

struct MetricsServiceOptions {
  EndpointOptions endpoint{.address = "", .port = 8002};  // empty address: that of HTTP
  bool allow_gpu = true;
  bool allow_cpu = true;
  std::chrono::milliseconds interval{2000};
  bool counter_latencies = true;
  bool summary_latencies = false;
  bool histogram_latencies = false;
  std::vector<std::pair<double, double>> summary_quantiles = {
      {0.5, 0.05}, {0.9, 0.01}, {0.95, 0.001}, {0.99, 0.001}, {0.999, 0.001}};
};

struct ModelRepositoryOptions {
  std::set<std::string> paths;  // in lexicographic order
  ModelControlMode control_mode = ModelControlMode::kNone;
  std::chrono::seconds poll_interval{15};
  std::vector<std::string> startup_models;  // EXPLICIT; "*" alone: all
  std::string model_config_name;
  int load_thread_count = 4;
  int load_retry_count = 0;
  bool namespacing = false;
  bool auto_complete_config = true;
};

// Everything the command line can say, with the defaults it has when it says nothing.
struct ServerOptions {
  std::string id = "triton";
  int exit_timeout_secs = 30;
  DeviceFailureMode device_failure = DeviceFailureMode::kRestart;
  int device_failure_limit = 3;  // failures in a minute with which restarting ends
  bool exit_on_error = true;
  bool strict_readiness = true;
  LogOptions log;
  ModelRepositoryOptions repository;
  HttpServiceOptions http;
  GrpcServiceOptions grpc;
  MetricsServiceOptions metrics;
  std::string backend_directory;  // empty: where the installed server keeps its modules
  // By backend name; "" holds the settings that apply to all of them.
  std::map<std::string, std::map<std::string, std::string>> backend_config;
  bool allow_client_shared_memory = false;  // clients register regions of memory
  int64_t pinned_memory_pool_bytes = 256 << 20;
  std::map<int, int64_t> cuda_memory_pool_bytes;  // by GPU
  double min_compute_capability = 7.5;
  std::map<int, double> model_load_gpu_limit;       // fraction by GPU
  int64_t host_pool_idle_bytes = int64_t{1} << 30;  // pages kept for reuse
};

}  // namespace nereid
