#include "backends/cuda/cuda_options.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <string_view>

#include "common/log.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "proto/model_config.pb.h"

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

absl::Status SetBackgroundPrograms(std::string_view name, std::string_view text,
                                   CudaOptions& options) {
  return ReadBool(name, text, &options.engine.background_programs);
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

absl::Status SetGraphMemory(std::string_view name, std::string_view text, CudaOptions& options) {
  return ReadCount(name, text, &options.executor.max_graph_memory_bytes);
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

absl::Status SetUsePlans(std::string_view name, std::string_view text, CudaOptions& options) {
  return ReadBool(name, text, &options.engine.use_plans);
}

absl::Status SetCheckPrecision(std::string_view name, std::string_view text, CudaOptions& options) {
  double& bound = options.engine.max_difference;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bound);
  const bool number = error == std::errc() && end == text.data() + text.size();
  if (number && std::isfinite(bound) && bound >= 0) return absl::OkStatus();
  return Refuse(name, text, "a relative difference such as 0.05, or 0 for no check");
}

absl::Status SetPlanFolder(std::string_view, std::string_view text, CudaOptions& options) {
  options.engine.plan_cache.folder = text;
  return absl::OkStatus();
}

absl::Status SetPlanLimit(std::string_view name, std::string_view text, CudaOptions& options) {
  size_t bytes = 0;
  NEREID_RETURN_IF_ERROR(ReadCount(name, text, &bytes));
  options.engine.plan_cache.folder_limit = bytes;
  return absl::OkStatus();
}

absl::Status SetKeptPlans(std::string_view name, std::string_view text, CudaOptions& options) {
  return ReadCount(name, text, &options.engine.toolbox.max_kept_plans);
}

struct Row {
  std::string_view name;
  Setter setter;
};
constexpr Row kParameters[] = {
    {"precision", SetPrecision},
    {"strict", SetStrict},
    {"background_programs", SetBackgroundPrograms},
    {"graphs", SetGraphs},
    {"tactics", SetTactics},
    {"max_workspace_bytes", SetWorkspace},
    {"max_programs", SetPrograms},
    {"max_graph_memory_bytes", SetGraphMemory},
    {"warmup_batches", SetWarmup},
    {"plan_cache", SetUsePlans},
    {"check_precision", SetCheckPrecision},
};
// Settings of the backend, for all models.
constexpr Row kSettings[] = {
    {"plan-cache-directory", SetPlanFolder},
    {"plan-cache-byte-size", SetPlanLimit},
    {"max-kept-cudnn-plans", SetKeptPlans},
};
constexpr std::string_view kLayerPrefix = "precision.";

// What models for the onnxruntime backend bring along: names, or beginnings of names.
constexpr std::string_view kOnnxRuntimeParameters[] = {
    "intra_op_thread_count",
    "inter_op_thread_count",
    "execution_mode",
    "enable_mem_arena",
    "enable_mem_pattern",
    "memory.enable_memory_arena_shrinkage",
    "session.",
    "optimization.",
    "ep.",
    "cudnn_conv_",
    "gpu_mem_limit",
    "arena_extend_strategy",
    "do_copy_in_default_stream",
};

void NoteIgnored(const std::string& model, const std::string& parameter) {
  const bool known = std::ranges::any_of(
      kOnnxRuntimeParameters, [&](std::string_view name) { return parameter.starts_with(name); });
  NLOG(Warning) << "model '" << model << "': parameter '" << parameter << "' "
                << (known ? "is one of the onnxruntime backend, the cuda backend runs without it"
                          : "is unknown to the cuda backend and has no effect");
}

// Accelerators are other ways to run the model than this backend.
void NoteAccelerators(const ModelConfig& config) {
  const auto& accelerators = config.proto().optimization().execution_accelerators();
  for (const auto* list :
       {&accelerators.gpu_execution_accelerator(), &accelerators.cpu_execution_accelerator()}) {
    for (const auto& accelerator : *list) {
      NLOG(Warning) << "model '" << config.name() << "': execution accelerator '"
                    << accelerator.name() << "' has no effect, the cuda backend runs without it";
    }
  }
}

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
    } else {
      NoteIgnored(config.name(), name);
    }
  }
  NoteAccelerators(config);
  for (const auto& row : kSettings) {
    const auto found = settings.find(std::string(row.name));
    if (found == settings.end()) continue;
    NEREID_RETURN_IF_ERROR(row.setter(row.name, found->second, options));
  }
  return options;
}

}  // namespace nereid::cuda
