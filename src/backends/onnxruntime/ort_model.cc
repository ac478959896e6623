#include "backends/onnxruntime/ort_model.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "backends/onnxruntime/ort_instance.h"
#include "backends/onnxruntime/ort_options.h"
#include "backends/onnxruntime/ort_status.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "config/graph_agreement.h"

namespace nereid::ort {

absl::StatusOr<std::unique_ptr<OrtModel>> OrtModel::Load(
    std::shared_ptr<const Environment> environment, const ModelContext& context) {
  NEREID_ASSIGN_OR_RETURN(std::string path, FindModelFile(context));
  const bool global_thread_pool = environment->has_global_thread_pool();
  NEREID_ASSIGN_OR_RETURN(Options options, ReadOptions(*context.config, global_thread_pool));
  NEREID_ASSIGN_OR_RETURN(std::shared_ptr<Session> session,
                          OpenSession(std::move(environment), path, options.session));
  NEREID_ASSIGN_OR_RETURN(GraphDescription graph, DescribeGraph(*session));
  NEREID_RETURN_IF_ERROR(CheckGraphAgreement(context.config->proto(), graph));
  auto model = std::unique_ptr<OrtModel>(new OrtModel());
  model->config_ = context.config;
  model->session_ = std::move(session);
  model->plan_ = MakePlan(*context.config, graph);
  model->run_entries_ = std::move(options.run_entries);
  std::error_code error;
  const auto bytes = std::filesystem::file_size(path, error);
  model->file_bytes_ = error ? 0 : bytes;
  return model;
}

absl::StatusOr<std::unique_ptr<Instance>> OrtModel::CreateInstance(const InstanceContext& context) {
  if (context.kind == InstanceKind::kGpu) {
    return absl::InvalidArgumentError(
        StrCat("instance '", context.name,
               "' is KIND_GPU, but the onnxruntime backend runs on CPUs only; use KIND_CPU, or "
               "backend \"cuda\""));
  }
  std::unique_ptr<Instance> instance;
  NEREID_RETURN_IF_ERROR(CatchOrt([&] {
    instance = std::make_unique<OrtInstance>(session_, plan_, run_entries_);
    return absl::OkStatus();
  }));
  return instance;
}

MemoryEstimate OrtModel::MemoryUsage() const { return {{{MemoryPlace{}, file_bytes_}}}; }

}  // namespace nereid::ort
