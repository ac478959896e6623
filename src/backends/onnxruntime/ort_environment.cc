#include "backends/onnxruntime/ort_environment.h"

#include <algorithm>
#include <string>

#include "backends/onnxruntime/ort_parse.h"
#include "backends/onnxruntime/ort_status.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid::ort {
namespace {

void ORT_API_CALL WriteLog(void*, OrtLoggingLevel level, const char*, const char* log_id,
                           const char*, const char* message) {
  if (level >= ORT_LOGGING_LEVEL_ERROR) {
    NLOG(Error) << "onnxruntime " << log_id << ": " << message;
  } else if (level == ORT_LOGGING_LEVEL_WARNING) {
    NLOG(Warning) << "onnxruntime " << log_id << ": " << message;
  } else {
    NVLOG(2) << "onnxruntime " << log_id << ": " << message;
  }
}

// Absent and negative mean 0: the library's default, one thread a core.
absl::StatusOr<int> ThreadCount(const BackendSettings& settings, const std::string& name) {
  const auto found = settings.find(name);
  if (found == settings.end()) return 0;
  NEREID_ASSIGN_OR_RETURN(int count, ParseInt(name, found->second));
  return std::max(0, count);
}

absl::StatusOr<Ort::Env> MakeEnv(const BackendSettings& settings, bool global_thread_pool) {
  if (!global_thread_pool) {
    return Ort::Env(ORT_LOGGING_LEVEL_WARNING, "nereid", WriteLog, nullptr);
  }
  NEREID_ASSIGN_OR_RETURN(int intra, ThreadCount(settings, "intra_op_thread_count"));
  NEREID_ASSIGN_OR_RETURN(int inter, ThreadCount(settings, "inter_op_thread_count"));
  Ort::ThreadingOptions threads;
  threads.SetGlobalIntraOpNumThreads(intra).SetGlobalInterOpNumThreads(inter);
  threads.SetGlobalSpinControl(0);  // the cores are not this library's alone
  return Ort::Env(threads, WriteLog, nullptr, ORT_LOGGING_LEVEL_WARNING, "nereid");
}

}  // namespace

absl::StatusOr<std::shared_ptr<Environment>> Environment::Create(const BackendSettings& settings) {
  if (OrtGetApiBase()->GetApi(ORT_API_VERSION) == nullptr) {
    return absl::FailedPreconditionError(StrCat("ONNX Runtime ",
                                                OrtGetApiBase()->GetVersionString(),
                                                " does not offer API version ", ORT_API_VERSION));
  }
  bool global_thread_pool = false;
  const std::string name = "enable-global-threadpool";
  if (const auto found = settings.find(name); found != settings.end()) {
    NEREID_ASSIGN_OR_RETURN(global_thread_pool, ParseBool(name, found->second));
  }
  std::shared_ptr<Environment> environment;
  NEREID_RETURN_IF_ERROR(CatchOrt([&]() -> absl::Status {
    NEREID_ASSIGN_OR_RETURN(Ort::Env env, MakeEnv(settings, global_thread_pool));
    environment.reset(new Environment(std::move(env), global_thread_pool));
    return absl::OkStatus();
  }));
  return environment;
}

}  // namespace nereid::ort
