#include "frontend/http/metadata_handlers.h"

#include <utility>
#include <vector>

#include "common/json_text.h"
#include "common/status_macros.h"
#include "frontend/http/model_path.h"
#include "server/inference_server.h"
#include "wire/kserve_json_control.h"

namespace nereid {

absl::StatusOr<std::string> ServerMetadataBody(const HttpEnvironment& environment,
                                               const HttpRequest& /*request*/) {
  NEREID_ASSIGN_OR_RETURN(const ServerMetadata metadata, environment.server->Metadata());
  std::string out = "{\"name\":";
  AppendJsonString(metadata.name, out);
  out += ",\"version\":";
  AppendJsonString(metadata.version, out);
  out += ",\"extensions\":[";
  bool first = true;
  for (const std::string& extension : metadata.extensions) {
    if (!std::exchange(first, false)) out += ',';
    AppendJsonString(extension, out);
  }
  out += "]}";
  return out;
}

absl::StatusOr<std::string> ModelMetadataBody(const HttpEnvironment& environment,
                                              const HttpRequest& request) {
  NEREID_ASSIGN_OR_RETURN(const ModelPath path, ModelPathOf(request));
  const InferenceServer& server = *environment.server;
  NEREID_ASSIGN_OR_RETURN(const ServableHandle servable, server.Resolve(path.model, path.version));
  std::vector<int64_t> versions = {path.version};
  if (path.version == kLatestVersion) {
    NEREID_ASSIGN_OR_RETURN(versions, server.ReadyVersions(path.model));
  }
  return ModelMetadataJson(*servable->config(), versions);
}

absl::StatusOr<std::string> ModelConfigBody(const HttpEnvironment& environment,
                                            const HttpRequest& request) {
  NEREID_ASSIGN_OR_RETURN(const ModelPath path, ModelPathOf(request));
  NEREID_ASSIGN_OR_RETURN(const ServableHandle servable,
                          environment.server->Resolve(path.model, path.version));
  return servable->config()->json();
}

absl::StatusOr<std::string> StatisticsBody(const HttpEnvironment& environment,
                                           const HttpRequest& request) {
  NEREID_ASSIGN_OR_RETURN(const ModelPath path, ModelPathOf(request));
  NEREID_ASSIGN_OR_RETURN(const std::vector<StatisticsRow> rows,
                          environment.server->Statistics(path.model, path.version));
  std::string out = "{\"model_stats\":[";
  bool first = true;
  for (const StatisticsRow& row : rows) {
    if (!std::exchange(first, false)) out += ',';
    AppendModelStatistics(row.name, row.version, row.statistics, row.memory_usage, &out);
  }
  out += "]}";
  return out;
}

}  // namespace nereid
