#include "kernels/jit/jit.h"

#include <iterator>
#include <optional>
#include <shared_mutex>
#include <utility>
#include <vector>

#include "common/recent_map.h"
#include "common/sha256.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "kernels/jit/race.h"

namespace nereid::engine {
namespace {

constexpr const char* kOptions[] = {"-std=c++17", "-default-device"};

// The compiler's own cache stays off: it keeps files in the user's home and reaches into the driver
// from every thread that compiles. What is worth keeping is in the model's plan.
constexpr char kNoCache[] = "--no-cache";
constexpr std::pair<int, int> kFirstWithCache = {12, 9};

struct Program {
  const NvrtcApi& api;
  nvrtcProgram handle = nullptr;
  ~Program() {
    if (handle != nullptr) api.nvrtcDestroyProgram(&handle);
  }
};

std::string LogOf(const Program& program) {
  size_t size = 0;
  if (program.api.nvrtcGetProgramLogSize(program.handle, &size) != NVRTC_SUCCESS || size < 2) {
    return "";
  }
  std::string log(size, '\0');
  program.api.nvrtcGetProgramLog(program.handle, log.data());
  log.pop_back();
  return log;
}

absl::StatusOr<std::pair<int, int>> VersionOf(const NvrtcApi& api) {
  std::pair<int, int> version;
  NEREID_RETURN_IF_ERROR(
      NvrtcStatus(api.nvrtcVersion(&version.first, &version.second), "nvrtcVersion"));
  return version;
}

absl::StatusOr<ArtifactScope> ScopeOf(const Context& context) {
  NEREID_ASSIGN_OR_RETURN(const NvrtcApi* api, LoadNvrtc());
  NEREID_ASSIGN_OR_RETURN(const auto version, VersionOf(*api));
  return ArtifactScope{
      StrCat("kernels for ", context.arch()),
      StrCat("nereid ", NEREID_VERSION, ", NVRTC ", version.first, ".", version.second)};
}

// Machine code that the process has compiled, or compiles now: models come back, and stand on
// several GPUs of one kind.
struct Compiled {
  std::mutex mutex;
  std::string cubin;  // empty: not yet; guarded by mutex
};

std::shared_ptr<Compiled> CompiledOf(const std::string& key) {
  constexpr size_t kMost = 1024;  // of 10 to 50 KB
  static auto& known = *new RecentMap<std::string, std::shared_ptr<Compiled>>(kMost);
  return known.FindOrKeep(key, [] { return std::make_shared<Compiled>(); });
}

// Of everything the code depends on besides the architecture and the compiler.
std::string KeyOf(const std::string& source) {
  Sha256 hash;
  for (const char* option : kOptions) hash.Update(StrCat(option, "\n"));
  hash.Update(StrCat(KernelPrelude().size(), "\n"));
  hash.Update(KernelPrelude());
  hash.Update(source);
  return HexText(hash.Finish());
}

}  // namespace

absl::StatusOr<std::string> CompileToCubin(std::string_view source, std::string_view arch) {
  NEREID_ASSIGN_OR_RETURN(const NvrtcApi* api, LoadNvrtc());
  const std::string text = StrCat(KernelPrelude(), "#line 1\n", source);
  Program program{*api};
  NEREID_RETURN_IF_ERROR(NvrtcStatus(
      api->nvrtcCreateProgram(&program.handle, text.c_str(), "kernel.cu", 0, nullptr, nullptr),
      "nvrtcCreateProgram"));
  const std::string arch_option = StrCat("-arch=", arch);
  std::vector<const char*> options = {arch_option.c_str()};
  options.insert(options.end(), std::begin(kOptions), std::end(kOptions));
  NEREID_ASSIGN_OR_RETURN(const auto version, VersionOf(*api));
  if (version >= kFirstWithCache) options.push_back(kNoCache);
  const nvrtcResult result =
      api->nvrtcCompileProgram(program.handle, static_cast<int>(options.size()), options.data());
  if (result != NVRTC_SUCCESS) {
    return absl::InternalError(
        StrCat(Message(NvrtcStatus(result, "nvrtcCompileProgram")), "\n", LogOf(program)));
  }
  size_t size = 0;
  NEREID_RETURN_IF_ERROR(
      NvrtcStatus(api->nvrtcGetCUBINSize(program.handle, &size), "nvrtcGetCUBINSize"));
  std::string cubin(size, '\0');
  NEREID_RETURN_IF_ERROR(
      NvrtcStatus(api->nvrtcGetCUBIN(program.handle, cubin.data()), "nvrtcGetCUBIN"));
  return cubin;
}

Jit::Jit(std::shared_ptr<Context> context, std::shared_ptr<ArtifactStore> store,
         ArtifactScope scope)
    : context_(std::move(context)), store_(std::move(store)), scope_(std::move(scope)) {}

absl::StatusOr<std::unique_ptr<Jit>> Jit::Create(std::shared_ptr<Context> context,
                                                 std::shared_ptr<ArtifactStore> store) {
  NEREID_ASSIGN_OR_RETURN(ArtifactScope scope, ScopeOf(*context));
  return std::unique_ptr<Jit>(new Jit(std::move(context), std::move(store), std::move(scope)));
}

Jit::~Jit() {
  if (context_->offline()) return;
  (void)context_->Bind();
  for (const auto& [source, module] : modules_) {
    if (module->handle != nullptr) context_->api().cuModuleUnload(module->handle);
  }
}

absl::StatusOr<std::string> Jit::Cubin(const std::string& source, const std::string& key) {
  const auto compiled = CompiledOf(StrCat(scope_.subject, "\n", scope_.version, "\n", key));
  const std::lock_guard lock(compiled->mutex);
  if (compiled->cubin.empty()) {
    NEREID_ASSIGN_OR_RETURN(compiled->cubin, CompileToCubin(source, context_->arch()));
    ++compiled_count_;
  }
  if (store_ != nullptr) store_->Remember(scope_, key, compiled->cubin);
  return compiled->cubin;
}

absl::Status Jit::Load(const std::string& source, CUmodule* module) {
  const std::string key = KeyOf(source);
  std::optional<std::string> known;
  if (store_ != nullptr) known = store_->Find(scope_, key);
  if (context_->offline()) return known ? absl::OkStatus() : Cubin(source, key).status();
  const auto load = [&](const std::string& code) {
    const std::shared_lock gate(RaceGate());  // the driver may wait for the GPU
    absl::Status status =
        CudaStatus(context_->api().cuModuleLoadData(module, code.data()), "cuModuleLoadData");
    if (status.ok()) code_bytes_ += code.size();
    return status;
  };
  if (known && load(*known).ok()) return absl::OkStatus();
  NEREID_ASSIGN_OR_RETURN(const std::string code, Cubin(source, key));
  return load(code);
}

absl::StatusOr<CUfunction> Jit::Get(const std::string& source, const char* name) {
  NEREID_RETURN_IF_ERROR(context_->Bind());
  Module* module = nullptr;
  {
    const std::lock_guard lock(mutex_);
    std::unique_ptr<Module>& entry = modules_[source];
    if (entry == nullptr) entry = std::make_unique<Module>();
    module = entry.get();
  }
  {
    const std::lock_guard lock(module->mutex);
    if (!module->ready) NEREID_RETURN_IF_ERROR(Load(source, &module->handle));
    module->ready = true;
  }
  if (context_->offline()) return nullptr;
  CUfunction function = nullptr;
  NEREID_RETURN_IF_ERROR(CudaStatus(
      context_->api().cuModuleGetFunction(&function, module->handle, name), "cuModuleGetFunction"));
  return function;
}

}  // namespace nereid::engine
