#include "backends/cuda/cuda_options.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <string_view>

#include "common/log.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid::cuda {
namespace {

absl::Status Refuse(std::string_view name, std::string_view text, std::string_view wanted) {
  return absl::InvalidArgumentError(
      StrCat("parameter '", name, "' is ", wanted, ", not '", text, "'"));
}

absl::Status ReadBool(std::string_view name, std::string_view text, bool* value) {
  if (text != "true" && text != "false" && text != "1" && text != "0") {
    return Refuse(name, text, "true or false");
  }
  *value = text == "true" || text == "1";
  return absl::OkStatus();
}

absl::Status ReadCount(std::string_view name, std::string_view text, size_t* value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  if (error == std::errc() && end == text.data() + text.size()) return absl::OkStatus();
  return Refuse(name, text, "a count");
}

using Setter = absl::Status (*)(std::string_view name, std::string_view text, CudaOptions& options);

absl::Status SetPrecision(std::string_view, std::string_view text, CudaOptions& options) {
  NEREID_ASSIGN_OR_RETURN(options.engine.program.precision.precision, engine::ParsePrecision(text));
  return absl::OkStatus();
}

absl::Status SetStrict(std::string_view name, std::string_view text, CudaOptions& options) {
  return ReadBool(name, text, &options.engine.program.strict);
}

absl::Status SetGraphs(std::string_view name, std::string_view text, CudaOptions& options) {
  return ReadBool(name, text, &options.executor.capture_graphs);
}

absl::Status SetTactics(std::string_view name, std::string_view text, CudaOptions& options) {
  if (text != "race" && text != "heuristic") return Refuse(name, text, "race or heuristic");
  options.engine.toolbox.race = text == "race";
  return absl::OkStatus();
}

absl::Status SetWorkspace(std::string_view name, std::string_view text, CudaOptions& options) {
  return ReadCount(name, text, &options.engine.toolbox.max_workspace_bytes);
}

absl::Status SetPrograms(std::string_view name, std::string_view text, CudaOptions& options) {
  NEREID_RETURN_IF_ERROR(ReadCount(name, text, &options.engine.max_programs));
  if (options.engine.max_programs == 0) return Refuse(name, text, "at least 1");
  options.executor.max_graphs = options.engine.max_programs;
  return absl::OkStatus();
}

absl::Status SetWarmup(std::string_view name, std::string_view text, CudaOptions& options) {
  constexpr struct {
    std::string_view name;
    CudaOptions::Warmup warmup;
  } kRows[] = {{"none", CudaOptions::Warmup::kNone},
               {"ends", CudaOptions::Warmup::kEnds},
               {"all", CudaOptions::Warmup::kAll}};
  for (const auto& row : kRows) {
    if (row.name != text) continue;
    options.warmup = row.warmup;
    return absl::OkStatus();
  }
  return Refuse(name, text, "none, ends or all");
}

struct Row {
  std::string_view name;
  Setter setter;
};
constexpr Row kParameters[] = {
    {"precision", SetPrecision},
    {"strict", SetStrict},
    {"graphs", SetGraphs},
    {"tactics", SetTactics},
    {"max_workspace_bytes", SetWorkspace},
    {"max_programs", SetPrograms},
    {"warmup_batches", SetWarmup},
};
constexpr std::string_view kLayerPrefix = "precision.";

}  // namespace

absl::StatusOr<CudaOptions> ReadOptions(const ModelConfig& config,
                                        const BackendSettings& settings) {
  CudaOptions options;
  for (const auto& [name, text] : config.parameters()) {
    const auto* row = std::ranges::find(kParameters, std::string_view(name), &Row::name);
    if (row != std::end(kParameters)) {
      NEREID_RETURN_IF_ERROR(row->setter(name, text, options));
    } else if (name.starts_with(kLayerPrefix)) {
      NEREID_ASSIGN_OR_RETURN(const engine::Precision precision, engine::ParsePrecision(text));
      options.engine.program.precision.layers[name.substr(kLayerPrefix.size())] = precision;
    }
  }
  const auto cache = settings.find("kernel-cache-directory");
  if (cache != settings.end()) options.engine.toolbox.kernel_cache_folder = cache->second;
  return options;
}

}  // namespace nereid::cuda
