#include "cli/option_table.h"

#include <cstdlib>
#include <limits>
#include <string_view>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"
#include "cli/option_values.h"
#include "common/pattern.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid {
namespace {

constexpr int64_t kMaxInt = std::numeric_limits<int>::max();
constexpr int64_t kMaxInt64 = std::numeric_limits<int64_t>::max();

using Setter = absl::Status (*)(ServerOptions&, const std::string&);

// Setters that only store a value: SET(member, parser).
#define SET_BOOL(member)                                       \
  [](ServerOptions& o, const std::string& v) -> absl::Status { \
    NEREID_ASSIGN_OR_RETURN(o.member, ParseBool(v));           \
    return absl::OkStatus();                                   \
  }
#define SET_STRING(member)                                     \
  [](ServerOptions& o, const std::string& v) -> absl::Status { \
    o.member = v;                                              \
    return absl::OkStatus();                                   \
  }
#define SET_PATTERN(member)                                                             \
  [](ServerOptions& o, const std::string& v) -> absl::Status {                          \
    if (!v.empty()) {                                                                   \
      NEREID_RETURN_IF_ERROR(Pattern::Create(v, Pattern::Case::kInsensitive).status()); \
    }                                                                                   \
    o.member = v;                                                                       \
    return absl::OkStatus();                                                            \
  }
#define SET_INTEGER(member, smallest, largest)                                        \
  [](ServerOptions& o, const std::string& v) -> absl::Status {                        \
    NEREID_ASSIGN_OR_RETURN(const int64_t value, ParseInteger(v, smallest, largest)); \
    o.member = static_cast<decltype(o.member)>(value);                                \
    return absl::OkStatus();                                                          \
  }
#define SET_DURATION(member, smallest)                                                \
  [](ServerOptions& o, const std::string& v) -> absl::Status {                        \
    NEREID_ASSIGN_OR_RETURN(const int64_t value, ParseInteger(v, smallest, kMaxInt)); \
    o.member = decltype(o.member)(value);                                             \
    return absl::OkStatus();                                                          \
  }

absl::Status SetLogVerbose(ServerOptions& o, const std::string& v) {
  if (absl::StatusOr<bool> word = ParseBool(v); word.ok()) {
    o.log.verbose_level = *word ? 1 : 0;
    return absl::OkStatus();
  }
  NEREID_ASSIGN_OR_RETURN(const int64_t value, ParseInteger(v, 0, kMaxInt));
  o.log.verbose_level = static_cast<int>(value);
  return absl::OkStatus();
}

absl::Status SetLogFormat(ServerOptions& o, const std::string& v) {
  if (v != "default" && v != "ISO8601") {
    return absl::InvalidArgumentError(
        StrCat("invalid argument for --log-format, expected default or ISO8601, got: ", v));
  }
  o.log.format = v == "default" ? LogFormat::kDefault : LogFormat::kIso8601;
  return absl::OkStatus();
}

absl::Status SetDeviceFailure(ServerOptions& o, const std::string& v) {
  static constexpr std::pair<std::string_view, DeviceFailureMode> kModes[] = {
      {"restart", DeviceFailureMode::kRestart},
      {"exit", DeviceFailureMode::kExit},
      {"serve", DeviceFailureMode::kServe},
  };
  for (const auto& [name, mode] : kModes) {
    if (v != name) continue;
    o.device_failure = mode;
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      StrCat("invalid argument for --device-failure, expected restart, exit or serve, got: ", v));
}

absl::Status SetControlMode(ServerOptions& o, const std::string& v) {
  const std::string mode = absl::AsciiStrToLower(v);
  if (mode == "none") {
    o.repository.control_mode = ModelControlMode::kNone;
  } else if (mode == "poll") {
    o.repository.control_mode = ModelControlMode::kPoll;
  } else if (mode == "explicit") {
    o.repository.control_mode = ModelControlMode::kExplicit;
  } else {
    return absl::InvalidArgumentError(StrCat(
        "invalid argument for --model-control-mode, expected none, poll or explicit, got: ", v));
  }
  return absl::OkStatus();
}

absl::Status AddRepository(ServerOptions& o, const std::string& v) {
  if (v.empty()) return absl::InvalidArgumentError("the repository path is empty");
  for (const char* scheme : {"s3://", "gs://", "as://"}) {
    if (v.rfind(scheme, 0) == 0) {
      return absl::UnimplementedError(
          StrCat("model repositories in object stores are not built yet, got: ", v,
                 "; use a local folder"));
    }
  }
  o.repository.paths.insert(v);
  return absl::OkStatus();
}

absl::Status SetConfigName(ServerOptions& o, const std::string& v) {
  if (v.empty()) {
    return absl::InvalidArgumentError("the name of a model configuration cannot be empty");
  }
  o.repository.model_config_name = v;
  return absl::OkStatus();
}

absl::Status AddLoadModel(ServerOptions& o, const std::string& v) {
  o.repository.startup_models.push_back(v);
  return absl::OkStatus();
}

absl::Status SetStrictModelConfig(ServerOptions& o, const std::string& v) {
  NEREID_ASSIGN_OR_RETURN(const bool strict, ParseBool(v));
  o.repository.auto_complete_config = !strict;
  return absl::OkStatus();
}

absl::Status SetMaxInputSize(ServerOptions& o, const std::string& v) {
  NEREID_ASSIGN_OR_RETURN(o.http.max_input_size,
                          ParseInteger(v, std::numeric_limits<int64_t>::min(), kMaxInt64));
  if (o.http.max_input_size > 0) return absl::OkStatus();
  return absl::InvalidArgumentError("Error: --http-max-input-size must be greater than 0.");
}

// "<category>[,<category>…]:<key>=<value>"; `kind` is what errors call a category.
absl::Status AddRestricted(const std::string& v, std::vector<RestrictedCategories>& list,
                           const char* kind) {
  static const std::set<std::string> kKnown = {"health",        "metadata",     "inference",
                                               "shared-memory", "model-config", "model-repository",
                                               "statistics",    "trace",        "logging"};
  const std::string grammar = StrCat("<", kind, ">[,<", kind, ">...]:<key>=<value>");
  NEREID_ASSIGN_OR_RETURN(auto categories_and_pair, SplitPair(v, ':', grammar.c_str()));
  NEREID_ASSIGN_OR_RETURN(auto pair, SplitPair(categories_and_pair.second, '=', grammar.c_str()));
  RestrictedCategories entry;
  for (const std::string& category :
       std::vector<std::string>(absl::StrSplit(categories_and_pair.first, ','))) {
    if (!kKnown.contains(category)) {
      return absl::InvalidArgumentError(StrCat("unknown restricted ", kind, " '", category, "'"));
    }
    for (const RestrictedCategories& other : list) {
      if (other.categories.contains(category)) {
        return absl::InvalidArgumentError(
            StrCat("restricted ", kind, " '", category,
                   "' can not be specified in multiple config groups"));
      }
    }
    entry.categories.insert(category);
  }
  entry.key = pair.first;
  entry.value = pair.second;
  list.push_back(std::move(entry));
  return absl::OkStatus();
}

absl::Status AddHttpRestricted(ServerOptions& o, const std::string& v) {
  return AddRestricted(v, o.http.restricted, "api");
}
absl::Status AddGrpcRestricted(ServerOptions& o, const std::string& v) {
  return AddRestricted(v, o.grpc.restricted, "protocol");
}

// Giving the option at all switches TLS on, as it always did.
absl::Status SetSslMutual(ServerOptions& o, const std::string& v) {
  NEREID_ASSIGN_OR_RETURN(o.grpc.use_ssl_mutual, ParseBool(v));
  o.grpc.use_ssl = true;
  return absl::OkStatus();
}

absl::Status SetGrpcCompression(ServerOptions& o, const std::string& v) {
  const std::string level = absl::AsciiStrToLower(v);
  if (level != "none" && level != "low" && level != "medium" && level != "high") {
    return absl::InvalidArgumentError(StrCat("expected none, low, medium or high. Got ", v));
  }
  o.grpc.response_compression = level;
  return absl::OkStatus();
}

absl::Status SetQuantiles(ServerOptions& o, const std::string& v) {
  std::vector<std::pair<double, double>> quantiles;
  for (const std::string& piece : std::vector<std::string>(absl::StrSplit(v, ','))) {
    NEREID_ASSIGN_OR_RETURN(auto pair, SplitPair(piece, ':', "<quantile>:<error>"));
    NEREID_ASSIGN_OR_RETURN(const double quantile, ParseNumber(pair.first));
    NEREID_ASSIGN_OR_RETURN(const double error, ParseNumber(pair.second));
    if (quantile < 0 || quantile > 1 || error < 0 || error > 1) {
      return absl::InvalidArgumentError(
          StrCat("quantiles and errors lie between 0 and 1. Got ", piece));
    }
    quantiles.emplace_back(quantile, error);
  }
  o.metrics.summary_quantiles = std::move(quantiles);
  return absl::OkStatus();
}

absl::Status SetMetricsConfig(ServerOptions& o, const std::string& v) {
  NEREID_ASSIGN_OR_RETURN(auto pair, SplitPair(v, '=', "<setting>=<value>"));
  if (pair.first == "summary_quantiles") return SetQuantiles(o, pair.second);
  struct Row {
    const char* name;
    bool MetricsServiceOptions::*member;
  };
  static constexpr Row kRows[] = {
      {"counter_latencies", &MetricsServiceOptions::counter_latencies},
      {"summary_latencies", &MetricsServiceOptions::summary_latencies},
      {"histogram_latencies", &MetricsServiceOptions::histogram_latencies},
  };
  for (const Row& row : kRows) {
    if (pair.first != row.name) continue;
    NEREID_ASSIGN_OR_RETURN(o.metrics.*row.member, ParseBool(pair.second));
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      StrCat("unknown metrics setting '", pair.first,
             "', expected counter_latencies, summary_latencies, histogram_latencies or "
             "summary_quantiles"));
}

// "[<backend>,]<key>=<value>"; a comma after the '=' belongs to the value.
absl::Status AddBackendConfig(ServerOptions& o, const std::string& v) {
  NEREID_ASSIGN_OR_RETURN(auto pair, SplitPair(v, '=', "[<backend>,]<setting>=<value>"));
  std::string backend;
  std::string setting = pair.first;
  if (const size_t comma = setting.find(','); comma != std::string::npos) {
    backend = setting.substr(0, comma);
    setting = setting.substr(comma + 1);
    if (backend.empty()) return absl::InvalidArgumentError(StrCat("no backend name. Got ", v));
  }
  if (setting.empty()) return absl::InvalidArgumentError(StrCat("no setting name. Got ", v));
  o.backend_config[backend][setting] = pair.second;
  return absl::OkStatus();
}

absl::Status AddCudaPool(ServerOptions& o, const std::string& v) {
  NEREID_ASSIGN_OR_RETURN(auto pair, SplitPair(v, ':', "<gpu>:<bytes>"));
  NEREID_ASSIGN_OR_RETURN(const int64_t gpu, ParseInteger(pair.first, 0, kMaxInt));
  NEREID_ASSIGN_OR_RETURN(const int64_t bytes, ParseInteger(pair.second, 0, kMaxInt64));
  o.cuda_memory_pool_bytes[static_cast<int>(gpu)] = bytes;
  return absl::OkStatus();
}

absl::Status AddGpuLimit(ServerOptions& o, const std::string& v) {
  NEREID_ASSIGN_OR_RETURN(auto pair, SplitPair(v, ':', "<gpu>:<fraction>"));
  NEREID_ASSIGN_OR_RETURN(const int64_t gpu, ParseInteger(pair.first, 0, kMaxInt));
  NEREID_ASSIGN_OR_RETURN(const double fraction, ParseNumber(pair.second));
  if (fraction < 0 || fraction > 1) {
    return absl::InvalidArgumentError(StrCat("the fraction lies between 0 and 1. Got ", v));
  }
  o.model_load_gpu_limit[static_cast<int>(gpu)] = fraction;
  return absl::OkStatus();
}

absl::Status SetMinCapability(ServerOptions& o, const std::string& v) {
  NEREID_ASSIGN_OR_RETURN(o.min_compute_capability, ParseNumber(v));
  return absl::OkStatus();
}

constexpr char kServer[] = "Server";
constexpr char kLogging[] = "Logging";
constexpr char kRepository[] = "Model Repository";
constexpr char kHttp[] = "HTTP";
constexpr char kGrpc[] = "GRPC";
constexpr char kSagemaker[] = "Sagemaker";
constexpr char kVertex[] = "Vertex";
constexpr char kMetrics[] = "Metrics";
constexpr char kTracing[] = "Tracing";
constexpr char kBackend[] = "Backend";
constexpr char kAgent[] = "Repository Agent";
constexpr char kCache[] = "Response Cache";
constexpr char kRateLimiter[] = "Rate Limiter";
constexpr char kMemory[] = "Memory/Device Management";
constexpr char kSharedMemory[] = "Shared Memory";
constexpr char kDeprecated[] = "DEPRECATED";

// clang-format off
const OptionRow kOptions[] = {
    {kServer, "id", "<string>", "triton", "Identity of this server: the name in its metadata.", SET_STRING(id)},
    {kServer, "exit-timeout-secs", "<integer>", "30",
     "Seconds that requests in flight get to finish when the server is told to stop. When they have passed the server ends anyway, with exit status 1.",
     [](ServerOptions& o, const std::string& v) -> absl::Status {
       NEREID_ASSIGN_OR_RETURN(const int64_t value, ParseInteger(v, -kMaxInt, kMaxInt));
       o.exit_timeout_secs = static_cast<int>(std::max<int64_t>(0, value));
       return absl::OkStatus();
     }},
    {kServer, "device-failure", "<string>", "restart",
     "What to do when a GPU has failed so that only a new process can use GPUs. restart: answer the requests in flight and let a new process take over, under the same process id, with ports, loaded models and shared memory. exit: answer them and end, with exit status 75. serve: go on without the models on GPUs.", SetDeviceFailure},
    {kServer, "device-failure-limit", "<integer>", "3", "Failures within a minute with which --device-failure=restart becomes exit.", SET_INTEGER(device_failure_limit, 1, 1000)},

    {kLogging, "log-verbose", "<integer>", "0", "Verbosity: lines of this level and below are logged. 0 logs none of them; true is 1.", SetLogVerbose},
    {kLogging, "log-info", "<boolean>", "true", "Log informational lines.", SET_BOOL(log.info)},
    {kLogging, "log-warning", "<boolean>", "true", "Log warnings.", SET_BOOL(log.warning)},
    {kLogging, "log-error", "<boolean>", "true", "Log errors.", SET_BOOL(log.error)},
    {kLogging, "log-format", "<string>", "default", "Form of the line prefix: default, or ISO8601.", SetLogFormat},
    {kLogging, "log-file", "<string>", "", "File that all lines are appended to, instead of the console.", SET_STRING(log.file)},

    {kRepository, "model-repository", "<string>", "", "Folder with one folder for each model. Required; may be given more than once.", AddRepository},
    {kRepository, "model-store", "<string>", "", "Another name of --model-repository.", AddRepository},
    {kRepository, "exit-on-error", "<boolean>", "true", "End with exit status 1 when a model fails to load at start. When false, the models that loaded are served.", SET_BOOL(exit_on_error)},
    {kRepository, "disable-auto-complete-config", "", "off", "Take model configurations as they are written: a configuration is then required and has to be complete.",
     [](ServerOptions& o, const std::string&) -> absl::Status { o.repository.auto_complete_config = false; return absl::OkStatus(); }},
    {kRepository, "strict-readiness", "<boolean>", "true", "Report the server ready only while every model is.", SET_BOOL(strict_readiness)},
    {kRepository, "model-control-mode", "<string>", "none", "none: load every model at start and never again. poll: follow changes of the repository. explicit: load and unload on request.", SetControlMode},
    {kRepository, "repository-poll-secs", "<integer>", "15", "Seconds between two looks at the repository, in poll mode. 0 looks once.", SET_DURATION(repository.poll_interval, 0)},
    {kRepository, "load-model", "<string>", "", "Model to load at start, in explicit mode; may be given more than once. '*' alone loads all.", AddLoadModel},
    {kRepository, "model-config-name", "<string>", "", "Use configs/<name>.pbtxt of a model where it exists, and config.pbtxt where not.", SetConfigName},
    {kRepository, "model-load-thread-count", "<integer>", "4", "Models that load at the same time.",
     [](ServerOptions& o, const std::string& v) -> absl::Status {
       NEREID_ASSIGN_OR_RETURN(const int64_t value, ParseInteger(v, -kMaxInt, 1024));
       o.repository.load_thread_count = static_cast<int>(std::max<int64_t>(1, value));
       return absl::OkStatus();
     }},
    {kRepository, "model-load-retry-count", "<integer>", "0", "Further attempts when a model fails to load.", SET_INTEGER(repository.load_retry_count, 0, 1000)},
    {kRepository, "model-namespacing", "<boolean>", "false", "Allow models of the same name in different repositories.", SET_BOOL(repository.namespacing)},
    {kRepository, "enable-peer-access", "<boolean>", "true", "Let GPUs reach each other's memory directly where they can.", nullptr, "peer access between GPUs", "true|on|1"},

    {kHttp, "allow-http", "<boolean>", "true", "Serve HTTP.", SET_BOOL(http.endpoint.allow)},
    {kHttp, "http-address", "<string>", "0.0.0.0", "Address HTTP listens on.", SET_STRING(http.endpoint.address)},
    {kHttp, "http-port", "<integer>", "8000", "Port HTTP listens on; 0 picks a free one.", SET_INTEGER(http.endpoint.port, 0, 65535)},
    {kHttp, "reuse-http-port", "<boolean>", "false", "Let several servers share the HTTP port (SO_REUSEPORT).", SET_BOOL(http.endpoint.reuse_port)},
    {kHttp, "http-header-forward-pattern", "<string>", "", "Regular expression; request headers whose name it matches become request parameters.", SET_PATTERN(http.header_forward_pattern)},
    {kHttp, "http-thread-count", "<integer>", "cores/4, at least 1, at most 8", "Event loops that serve HTTP.", SET_INTEGER(http.thread_count, 1, 1024)},
    {kHttp, "http-max-input-size", "<integer>", "67108864", "Largest request body in bytes, also after decompression.", SetMaxInputSize},
    {kHttp, "http-restricted-api", "<api>[,<api>...]:<key>=<value>", "", "Serve these kinds of calls only to clients that send this header. Kinds: health, metadata, inference, shared-memory, model-config, model-repository, statistics, trace, logging. May be given more than once.", AddHttpRestricted},
    {kHttp, "http-max-header-size", "<integer>", "65536", "Largest request head in bytes.", SET_INTEGER(http.max_header_size, 1024, 16 << 20)},
    {kHttp, "http-max-connections", "<integer>", "0", "Connections served at the same time; 0: as many as the limit of open files allows.", SET_INTEGER(http.max_connections, 0, kMaxInt)},
    {kHttp, "http-max-pipelined-requests", "<integer>", "64", "Requests of one connection that may be in work at the same time.", SET_INTEGER(http.max_pipelined_requests, 1, 65536)},
    {kHttp, "http-header-timeout-secs", "<integer>", "30", "Seconds a client has to send a request head; 0: no limit.", SET_DURATION(http.header_timeout, 0)},
    {kHttp, "http-body-timeout-secs", "<integer>", "60", "Seconds a request body may make no progress; 0: no limit.", SET_DURATION(http.body_timeout, 0)},
    {kHttp, "http-write-timeout-secs", "<integer>", "60", "Seconds a client may not read its response; 0: no limit.", SET_DURATION(http.write_timeout, 0)},
    {kHttp, "http-keepalive-timeout-secs", "<integer>", "75", "Seconds an idle connection is kept open; 0: no limit.", SET_DURATION(http.keepalive_timeout, 0)},

    {kGrpc, "allow-grpc", "<boolean>", "true", "Serve gRPC.", SET_BOOL(grpc.endpoint.allow)},
    {kGrpc, "grpc-address", "<string>", "0.0.0.0", "Address gRPC listens on.", SET_STRING(grpc.endpoint.address)},
    {kGrpc, "grpc-port", "<integer>", "8001", "Port gRPC listens on; 0 picks a free one.", SET_INTEGER(grpc.endpoint.port, 0, 65535)},
    {kGrpc, "reuse-grpc-port", "<boolean>", "false", "Let several servers share the gRPC port (SO_REUSEPORT).", SET_BOOL(grpc.endpoint.reuse_port)},
    {kGrpc, "grpc-header-forward-pattern", "<string>", "", "Regular expression; metadata whose key it matches become request parameters.", SET_PATTERN(grpc.header_forward_pattern)},
    {kGrpc, "grpc-infer-thread-count", "<integer>", "cores/4, at least 1, at most 8", "Completion queues that serve gRPC, each with its own thread.", SET_INTEGER(grpc.thread_count, 1, 128)},
    {kGrpc, "grpc-infer-allocation-pool-size", "<integer>", "8", "Accepted for compatibility: request states are kept for reuse without a limit of their own.",
     [](ServerOptions&, const std::string& v) -> absl::Status { return ParseInteger(v, 0, kMaxInt).status(); }},
    {kGrpc, "grpc-max-response-pool-size", "<integer>", "2147483647", "Accepted for compatibility: responses are not pooled.",
     [](ServerOptions&, const std::string& v) -> absl::Status { return ParseInteger(v, 1, kMaxInt).status(); }},
    {kGrpc, "grpc-use-ssl", "<boolean>", "false", "Serve gRPC over TLS.", SET_BOOL(grpc.use_ssl)},
    {kGrpc, "grpc-use-ssl-mutual", "<boolean>", "false", "Demand a certificate of gRPC clients. Giving the option switches TLS on.", SetSslMutual},
    {kGrpc, "grpc-server-cert", "<string>", "", "File with the server's certificate, PEM.", SET_STRING(grpc.server_cert)},
    {kGrpc, "grpc-server-key", "<string>", "", "File with the server's private key, PEM.", SET_STRING(grpc.server_key)},
    {kGrpc, "grpc-root-cert", "<string>", "", "File with the certificates client certificates are checked against, PEM.", SET_STRING(grpc.root_cert)},
    {kGrpc, "grpc-infer-response-compression-level", "<string>", "none", "Compression of inference responses: none, low, medium or high.", SetGrpcCompression},
    {kGrpc, "grpc-keepalive-time", "<integer>", "7200000", "Milliseconds without activity before the server pings a client.", SET_INTEGER(grpc.keepalive_time_ms, 0, kMaxInt)},
    {kGrpc, "grpc-keepalive-timeout", "<integer>", "20000", "Milliseconds the server waits for the answer to its ping.", SET_INTEGER(grpc.keepalive_timeout_ms, 0, kMaxInt)},
    {kGrpc, "grpc-keepalive-permit-without-calls", "<boolean>", "false", "Allow pings while no call is in flight.", SET_BOOL(grpc.keepalive_permit_without_calls)},
    {kGrpc, "grpc-http2-max-pings-without-data", "<integer>", "2", "Pings that may be sent without data in between; 0: no limit.", SET_INTEGER(grpc.max_pings_without_data, 0, kMaxInt)},
    {kGrpc, "grpc-http2-min-recv-ping-interval-without-data", "<integer>", "300000", "Milliseconds a client has to leave between two pings without data.", SET_INTEGER(grpc.min_recv_ping_interval_without_data_ms, 0, kMaxInt)},
    {kGrpc, "grpc-http2-max-ping-strikes", "<integer>", "2", "Bad pings before the server closes the connection; 0: no limit.", SET_INTEGER(grpc.max_ping_strikes, 0, kMaxInt)},
    {kGrpc, "grpc-max-connection-age", "<integer>", "0", "Milliseconds after which a connection is closed; 0: no limit.", SET_INTEGER(grpc.max_connection_age_ms, 0, kMaxInt)},
    {kGrpc, "grpc-max-connection-age-grace", "<integer>", "0", "Milliseconds that calls get to finish after that; 0: no limit.", SET_INTEGER(grpc.max_connection_age_grace_ms, 0, kMaxInt)},
    {kGrpc, "grpc-restricted-protocol", "<protocol>[,<protocol>...]:<key>=<value>", "", "As --http-restricted-api, for gRPC: clients send the metadata triton-grpc-protocol-<key>.", AddGrpcRestricted},

    {kSagemaker, "allow-sagemaker", "<boolean>", "false", "Serve SageMaker.", nullptr, "the SageMaker service", "false|off|0"},
    {kSagemaker, "sagemaker-port", "<integer>", "8080", "Port SageMaker listens on.", nullptr, "the SageMaker service", "8080"},
    {kSagemaker, "sagemaker-safe-port-range", "<integer>-<integer>", "", "Range the SageMaker port has to lie in.", nullptr, "the SageMaker service", ""},
    {kSagemaker, "sagemaker-thread-count", "<integer>", "8", "Threads that serve SageMaker.", nullptr, "the SageMaker service", "8"},

    {kVertex, "allow-vertex-ai", "<boolean>", "false", "Serve Vertex AI.", nullptr, "the Vertex AI service", "false|off|0"},
    {kVertex, "vertex-ai-port", "<integer>", "8080", "Port Vertex AI listens on.", nullptr, "the Vertex AI service", "8080"},
    {kVertex, "vertex-ai-thread-count", "<integer>", "8", "Threads that serve Vertex AI.", nullptr, "the Vertex AI service", "8"},
    {kVertex, "vertex-ai-default-model", "<string>", "", "Model of the Vertex AI predict route.", nullptr, "the Vertex AI service", ""},

    {kMetrics, "allow-metrics", "<boolean>", "true", "Serve metrics.", SET_BOOL(metrics.endpoint.allow)},
    {kMetrics, "allow-gpu-metrics", "<boolean>", "true", "Measure GPUs, where metrics are served.", SET_BOOL(metrics.allow_gpu)},
    {kMetrics, "allow-cpu-metrics", "<boolean>", "true", "Measure processors and memory, where metrics are served.", SET_BOOL(metrics.allow_cpu)},
    {kMetrics, "metrics-address", "<string>", "", "Address metrics are served on; the HTTP address unless given.", SET_STRING(metrics.endpoint.address)},
    {kMetrics, "metrics-port", "<integer>", "8002", "Port metrics are served on; 0 picks a free one.", SET_INTEGER(metrics.endpoint.port, 0, 65535)},
    {kMetrics, "metrics-interval-ms", "<float>", "2000", "Milliseconds over which device metrics are measured.", SET_DURATION(metrics.interval, 1)},
    {kMetrics, "metrics-config", "<setting>=<value>", "", "counter_latencies, summary_latencies, histogram_latencies: true or false; summary_quantiles: <quantile>:<error>[,...]. May be given more than once.", SetMetricsConfig},

    {kTracing, "trace-config", "[<mode>,]<setting>=<value>", "", "Settings of request tracing.", nullptr, "request tracing", "level=OFF|mode=triton|rate=1000|triton,rate=1000|count=-1|triton,count=-1|log-frequency=0|triton,log-frequency=0"},

    {kBackend, "backend-directory", "<string>", "lib/nereid/backends beside the executable", "Folder with one folder for each backend module.", SET_STRING(backend_directory)},
    {kBackend, "backend-config", "[<backend>,]<setting>=<value>", "", "Setting of one backend, or of all when none is named. May be given more than once.", AddBackendConfig},

    {kAgent, "repoagent-directory", "<string>", "/opt/tritonserver/repoagents", "Folder of repository agents.", nullptr, "support for repository agents", "/opt/tritonserver/repoagents"},

    {kCache, "cache-config", "<cache>,<setting>=<value>", "", "Setting of the response cache.", nullptr, "the response cache", ""},
    {kCache, "cache-directory", "<string>", "/opt/tritonserver/caches", "Folder of cache modules.", nullptr, "the response cache", "/opt/tritonserver/caches"},

    {kRateLimiter, "rate-limit", "<string>", "off", "off, or execution_count.", nullptr, "the rate limiter", "off"},
    {kRateLimiter, "rate-limit-resource", "<name>:<count>[:<device>]", "", "Resource of the rate limiter.", nullptr, "the rate limiter", ""},

    {kMemory, "pinned-memory-pool-byte-size", "<integer>", "268435456", "Bytes of host memory kept ready for transfers to GPUs. Taken only where a GPU is used.", SET_INTEGER(pinned_memory_pool_bytes, 0, kMaxInt64)},
    {kMemory, "cuda-memory-pool-byte-size", "<gpu>:<bytes>", "67108864 on each GPU", "Bytes of GPU memory kept ready for tensors. May be given more than once.", AddCudaPool},
    {kMemory, "cuda-virtual-address-size", "<gpu>:<bytes>", "1073741824 on each GPU", "Address space reserved for state that grows.", nullptr, "growable state memory", "*:1073741824"},
    {kMemory, "min-supported-compute-capability", "<float>", "7.5", "GPUs below this compute capability are not used.", SetMinCapability},
    {kMemory, "buffer-manager-thread-count", "<integer>", "0", "Threads that copy tensors beside the instances.", nullptr, "a pool of copy threads", "0"},
    {kMemory, "host-policy", "<policy>,<setting>=<value>", "", "Processors and memory nodes of a host policy.", nullptr, "support for host policies", ""},
    {kMemory, "model-load-gpu-limit", "<gpu>:<fraction>", "", "Share of a GPU's memory above which no further instance is made. May be given more than once.", AddGpuLimit},
    {kMemory, "host-pool-idle-byte-size", "<integer>", "1073741824", "Bytes of host memory kept for reuse by large requests and responses.", SET_INTEGER(host_pool_idle_bytes, 0, kMaxInt64)},

    {kSharedMemory, "allow-client-shm", "<boolean>", "false", "Let clients register regions of shared memory, system and CUDA. For clients that are trusted as the server is.", SET_BOOL(allow_client_shared_memory)},

    {kDeprecated, "strict-model-config", "<boolean>", "false", "Use --disable-auto-complete-config.", SetStrictModelConfig},
    {kDeprecated, "response-cache-byte-size", "<integer>", "0", "Use --cache-config.", nullptr, "the response cache", "0"},
    {kDeprecated, "trace-file", "<string>", "", "Use --trace-config.", nullptr, "request tracing", ""},
    {kDeprecated, "trace-level", "<string>", "OFF", "Use --trace-config.", nullptr, "request tracing", "OFF"},
    {kDeprecated, "trace-rate", "<integer>", "1000", "Use --trace-config.", nullptr, "request tracing", "1000"},
    {kDeprecated, "trace-count", "<integer>", "-1", "Use --trace-config.", nullptr, "request tracing", "-1"},
    {kDeprecated, "trace-log-frequency", "<integer>", "0", "Use --trace-config.", nullptr, "request tracing", "0"},
};
// clang-format on

}  // namespace

absl::Span<const OptionRow> OptionTable() { return kOptions; }

}  // namespace nereid
