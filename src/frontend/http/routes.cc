#include "frontend/http/routes.h"

#include <string>
#include <utility>

#include "common/strings.h"
#include "frontend/http/absent_extensions.h"
#include "frontend/http/health_handlers.h"
#include "frontend/http/http_reply.h"
#include "frontend/http/infer_handler.h"
#include "frontend/http/json_handler.h"
#include "frontend/http/logging_handlers.h"
#include "frontend/http/metadata_handlers.h"
#include "frontend/http/repository_handlers.h"
#include "frontend/http/shared_memory_handlers.h"

namespace nereid {
namespace {

struct Row {
  HttpMethod method;
  const char* pattern;
  std::string_view category;
  std::string_view error_content_type;
  HttpHandlerFunction handler;
};

constexpr HttpMethod kGet = HttpMethod::kGet;
constexpr HttpMethod kPost = HttpMethod::kPost;
constexpr std::string_view kJson = kJsonContentType;
constexpr std::string_view kText = kTextContentType;
constexpr std::string_view kHealth = "health";
constexpr std::string_view kMetadata = "metadata";
constexpr std::string_view kConfig = "model-config";
constexpr std::string_view kStatistics = "statistics";
constexpr std::string_view kInference = "inference";
constexpr std::string_view kRepository = "model-repository";
constexpr std::string_view kMemory = "shared-memory";
constexpr std::string_view kTrace = "trace";
constexpr std::string_view kLogging = "logging";

#define MODEL_PATH "/v2/models/{model}"
#define MODEL_VERSION_PATH MODEL_PATH "[/versions/{version:digits}]"
#define REPOSITORY_PATH "/v2/repository[/{repository}]"
#define REGION_PATH "[/region/{region}]"

constexpr Row kRows[] = {
    {kGet, "/v2/health/live", kHealth, kText, HandleServerLive},
    {kGet, "/v2/health/ready", kHealth, kText, HandleServerReady},
    {kGet, MODEL_VERSION_PATH "/ready", kHealth, kText, HandleModelReady},

    {kGet, "/v2", kMetadata, kJson, HandleWithJson<ServerMetadataBody>},
    {kGet, MODEL_VERSION_PATH, kMetadata, kJson, HandleWithJson<ModelMetadataBody>},
    {kGet, MODEL_VERSION_PATH "/config", kConfig, kJson, HandleWithJson<ModelConfigBody>},
    {kGet, "/v2/models/stats", kStatistics, kJson, HandleWithJson<StatisticsBody>},
    {kGet, MODEL_VERSION_PATH "/stats", kStatistics, kJson, HandleWithJson<StatisticsBody>},

    {kPost, MODEL_VERSION_PATH "/infer", kInference, kText, HandleInfer},
    {kPost, MODEL_VERSION_PATH "/generate", kInference, kJson, HandleWithJson<RefuseGenerateBody>},
    {kPost, MODEL_VERSION_PATH "/generate_stream", kInference, kJson,
     HandleWithJson<RefuseGenerateBody>},

    {kPost, REPOSITORY_PATH "/index", kRepository, kJson, HandleWithJson<RepositoryIndexBody>},
    {kPost, REPOSITORY_PATH "/models/{model}/load", kRepository, kJson, HandleModelLoad},
    {kPost, REPOSITORY_PATH "/models/{model}/unload", kRepository, kJson, HandleModelUnload},

    {kGet, "/v2/logging", kLogging, kJson, HandleWithJson<LogSettingsBody>},
    {kPost, "/v2/logging", kLogging, kJson, HandleWithJson<UpdateLogSettingsBody>},

    {kGet, "/v2/trace/setting", kTrace, kJson, HandleWithJson<RefuseTracingBody>},
    {kPost, "/v2/trace/setting", kTrace, kJson, HandleWithJson<RefuseTracingBody>},
    {kGet, MODEL_PATH "/trace/setting", kTrace, kJson, HandleWithJson<RefuseTracingBody>},
    {kPost, MODEL_PATH "/trace/setting", kTrace, kJson, HandleWithJson<RefuseTracingBody>},

    {kGet, "/v2/systemsharedmemory" REGION_PATH "/status", kMemory, kJson,
     HandleWithJson<SystemSharedMemoryStatusBody>},
    {kPost, "/v2/systemsharedmemory" REGION_PATH "/register", kMemory, kJson,
     HandleSystemSharedMemoryRegister},
    {kPost, "/v2/systemsharedmemory" REGION_PATH "/unregister", kMemory, kJson,
     HandleSystemSharedMemoryUnregister},
    {kGet, "/v2/cudasharedmemory" REGION_PATH "/status", kMemory, kJson,
     HandleWithJson<CudaSharedMemoryStatusBody>},
    {kPost, "/v2/cudasharedmemory" REGION_PATH "/register", kMemory, kJson,
     HandleCudaSharedMemoryRegister},
    {kPost, "/v2/cudasharedmemory" REGION_PATH "/unregister", kMemory, kJson,
     HandleCudaSharedMemoryUnregister},
};

#undef MODEL_PATH
#undef MODEL_VERSION_PATH
#undef REPOSITORY_PATH
#undef REGION_PATH

}  // namespace

std::vector<Route> HttpRoutes(const HttpEnvironment& environment) {
  std::vector<Route> routes;
  for (const Row& row : kRows) {
    Route& route = routes.emplace_back();
    route.method = row.method;
    route.pattern = row.pattern;
    route.category = std::string(row.category);
    route.error_content_type = std::string(row.error_content_type);
    route.max_body_bytes =
        row.handler == HandleInfer ? kBodyLimitedByHead : environment.max_input_size;
    route.handler = [&environment, handler = row.handler](HttpExchange exchange) {
      handler(environment, std::move(exchange));
    };
  }
  return routes;
}

}  // namespace nereid
