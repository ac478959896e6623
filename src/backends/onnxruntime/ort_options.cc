#include "backends/onnxruntime/ort_options.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "backends/onnxruntime/ort_parse.h"
#include "backends/onnxruntime/ort_status.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "proto/model_config.pb.h"

namespace nereid::ort {
namespace {

struct Target {
  Options& options;
  bool global_thread_pool;
};

// Applies the parameter `name` with its value.
using Setter = absl::Status (*)(const std::string& name, const std::string& text, Target& target);

absl::Status SetIntraOpThreads(const std::string& name, const std::string& text, Target& target) {
  NEREID_ASSIGN_OR_RETURN(int count, ParseInt(name, text));
  if (!target.global_thread_pool) target.options.session.SetIntraOpNumThreads(std::max(0, count));
  return absl::OkStatus();
}

absl::Status SetInterOpThreads(const std::string& name, const std::string& text, Target& target) {
  NEREID_ASSIGN_OR_RETURN(int count, ParseInt(name, text));
  if (!target.global_thread_pool) target.options.session.SetInterOpNumThreads(std::max(0, count));
  return absl::OkStatus();
}

absl::Status SetExecutionMode(const std::string& name, const std::string& text, Target& target) {
  NEREID_ASSIGN_OR_RETURN(int mode, ParseInt(name, text));
  if (mode != 0 && mode != 1) {
    return absl::InvalidArgumentError(
        StrCat("Invalid configuration value provided. Expected values for  execution_mode are 0 or "
               "1 but got ",
               mode, " ."));
  }
  target.options.session.SetExecutionMode(mode == 0 ? ORT_SEQUENTIAL : ORT_PARALLEL);
  return absl::OkStatus();
}

absl::Status SetMemArena(const std::string& name, const std::string& text, Target& target) {
  NEREID_ASSIGN_OR_RETURN(bool on, ParseBool(name, text));
  on ? target.options.session.EnableCpuMemArena() : target.options.session.DisableCpuMemArena();
  return absl::OkStatus();
}

absl::Status SetMemPattern(const std::string& name, const std::string& text, Target& target) {
  NEREID_ASSIGN_OR_RETURN(bool on, ParseBool(name, text));
  on ? target.options.session.EnableMemPattern() : target.options.session.DisableMemPattern();
  return absl::OkStatus();
}

absl::Status SetSessionEntry(const std::string& name, const std::string& text, Target& target) {
  target.options.session.AddConfigEntry(name.c_str(), text.c_str());
  return absl::OkStatus();
}

absl::Status SetRunEntry(const std::string& name, const std::string& text, Target& target) {
  target.options.run_entries[name] = text;
  return absl::OkStatus();
}

absl::Status IgnoreGpuOnly(const std::string& name, const std::string&, Target&) {
  NLOG(Warning) << "parameter '" << name << "' concerns GPU execution and has no effect on a CPU";
  return absl::OkStatus();
}

struct Row {
  std::string_view name;
  Setter setter;
};
constexpr Row kParameters[] = {
    {"intra_op_thread_count", SetIntraOpThreads},
    {"inter_op_thread_count", SetInterOpThreads},
    {"execution_mode", SetExecutionMode},
    {"enable_mem_arena", SetMemArena},
    {"enable_mem_pattern", SetMemPattern},
    {"memory.enable_memory_arena_shrinkage", SetRunEntry},
    {"cudnn_conv_algo_search", IgnoreGpuOnly},
    {"gpu_mem_limit", IgnoreGpuOnly},
    {"arena_extend_strategy", IgnoreGpuOnly},
    {"do_copy_in_default_stream", IgnoreGpuOnly},
};
// Every other parameter that begins so is a session entry of the library, handed through.
constexpr std::string_view kSessionPrefix = "session.";

// A pool thread that waits for work burns a core unless told not to, and the cores are shared with
// the event loops and with other models: spinning doubles the processor time of a small model.
constexpr const char* kSpinningEntries[] = {"session.intra_op.allow_spinning",
                                            "session.inter_op.allow_spinning"};

void DisableSpinning(const ModelConfig& config, Ort::SessionOptions& session) {
  for (const char* entry : kSpinningEntries) {
    if (!config.parameters().contains(entry)) session.AddConfigEntry(entry, "0");
  }
}

absl::Status ApplyParameters(const ModelConfig& config, Target& target) {
  for (const auto& [name, text] : config.parameters()) {
    const auto* row = std::ranges::find(kParameters, std::string_view(name), &Row::name);
    if (row != std::end(kParameters)) {
      NEREID_RETURN_IF_ERROR(row->setter(name, text, target));
    } else if (name.starts_with(kSessionPrefix)) {
      NEREID_RETURN_IF_ERROR(SetSessionEntry(name, text, target));
    }
  }
  return absl::OkStatus();
}

GraphOptimizationLevel LevelOf(int graph_level) {
  switch (graph_level) {
    case -1:
      return ORT_ENABLE_BASIC;
    case 1:
      return ORT_ENABLE_EXTENDED;
    case 2:
      return ORT_DISABLE_ALL;
    default:
      return ORT_ENABLE_ALL;
  }
}

absl::Status CheckAccelerators(const ModelConfig& config) {
  const auto& accelerators = config.proto().optimization().execution_accelerators();
  for (const auto& accelerator : accelerators.cpu_execution_accelerator()) {
    if (accelerator.name() == "openvino") {
      return absl::InvalidArgumentError(
          StrCat("model '", config.name(),
                 "': Execution Accelerator 'openvino' is not part of this build of the onnxruntime "
                 "backend; remove it from the model configuration"));
    }
    return absl::InvalidArgumentError(
        StrCat("unknown Execution Accelerator '", accelerator.name(), "' is requested"));
  }
  for (const auto& accelerator : accelerators.gpu_execution_accelerator()) {
    NLOG(Warning) << "model '" << config.name() << "': Execution Accelerator '"
                  << accelerator.name() << "' is for GPU instances and has no effect on a CPU";
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Options> ReadOptions(const ModelConfig& config, bool global_thread_pool) {
  NEREID_RETURN_IF_ERROR(CheckAccelerators(config));
  Options options;
  NEREID_RETURN_IF_ERROR(CatchOrt([&]() -> absl::Status {
    options.session.SetLogId(config.name().c_str());
    options.session.SetGraphOptimizationLevel(
        LevelOf(config.proto().optimization().graph().level()));
    if (global_thread_pool) options.session.DisablePerSessionThreads();
    DisableSpinning(config, options.session);
    Target target{options, global_thread_pool};
    return ApplyParameters(config, target);
  }));
  return options;
}

}  // namespace nereid::ort
