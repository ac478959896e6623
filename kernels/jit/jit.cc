#include "kernels/jit/jit.h"

#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <sstream>
#include <utility>

#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

uint64_t Hash(std::string_view text, uint64_t seed) {
  uint64_t hash = 0xcbf29ce484222325u ^ seed;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

std::string Hex(uint64_t value) {
  char text[17];
  std::snprintf(text, sizeof(text), "%016llx", static_cast<unsigned long long>(value));
  return text;
}

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

// What a cache file must begin with to be for this source, machine and compiler: everything the
// code depends on, in full, so that no hash has to be trusted.
absl::StatusOr<std::string> CacheHeader(const std::string& source, std::string_view arch) {
  NEREID_ASSIGN_OR_RETURN(const NvrtcApi* api, LoadNvrtc());
  int major = 0, minor = 0;
  NEREID_RETURN_IF_ERROR(NvrtcStatus(api->nvrtcVersion(&major, &minor), "nvrtcVersion"));
  return StrCat("nereid kernel 1\n", arch, " nvrtc ", major, ".", minor, "\n", source.size(), "\n",
                KernelPrelude(), source, "\n");
}

std::string ReadCache(const std::string& path, const std::string& header) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return "";
  std::ostringstream all;
  all << file.rdbuf();
  const std::string text = std::move(all).str();
  // The last eight bytes are a checksum of the code.
  if (text.size() < header.size() + 16 || text.compare(0, header.size(), header) != 0) return "";
  const std::string code = text.substr(header.size(), text.size() - header.size() - 16);
  return text.compare(text.size() - 16, 16, Hex(Hash(code, 0))) == 0 ? code : "";
}

// Readers see all of a file or nothing; a write that fails is only a slower next start.
void WriteCache(const std::string& path, const std::string& header, const std::string& code) {
  const std::string temporary = StrCat(path, ".", getpid(), ".tmp");
  {
    std::ofstream file(temporary, std::ios::binary);
    file << header << code << Hex(Hash(code, 0));
    if (!file.flush()) {
      std::remove(temporary.c_str());
      return;
    }
  }
  if (std::rename(temporary.c_str(), path.c_str()) != 0) std::remove(temporary.c_str());
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
  const char* options[] = {arch_option.c_str(), "-std=c++17", "-default-device"};
  const nvrtcResult result =
      api->nvrtcCompileProgram(program.handle, static_cast<int>(std::size(options)), options);
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

Jit::Jit(std::shared_ptr<Context> context, std::string cache_folder)
    : context_(std::move(context)), cache_folder_(std::move(cache_folder)) {}

absl::StatusOr<std::unique_ptr<Jit>> Jit::Create(std::shared_ptr<Context> context,
                                                 std::string cache_folder) {
  NEREID_RETURN_IF_ERROR(LoadNvrtc().status());
  return std::unique_ptr<Jit>(new Jit(std::move(context), std::move(cache_folder)));
}

Jit::~Jit() {
  if (context_->offline()) return;
  (void)context_->Bind();
  for (const auto& [source, module] : modules_) context_->api().cuModuleUnload(module);
}

absl::StatusOr<std::string> Jit::Cubin(const std::string& source) {
  std::string header, path;
  if (!cache_folder_.empty()) {
    NEREID_ASSIGN_OR_RETURN(header, CacheHeader(source, context_->arch()));
    path = StrCat(cache_folder_, "/", Hex(Hash(header, 0)), Hex(Hash(header, 1)), ".kernel");
    std::string code = ReadCache(path, header);
    if (!code.empty()) return code;
  }
  NEREID_ASSIGN_OR_RETURN(std::string code, CompileToCubin(source, context_->arch()));
  {
    const std::lock_guard lock(mutex_);
    ++compiled_count_;
  }
  if (!path.empty()) WriteCache(path, header, code);
  return code;
}

absl::StatusOr<CUfunction> Jit::Get(const std::string& source, const char* name) {
  NEREID_RETURN_IF_ERROR(context_->Bind());
  CUmodule module = nullptr;
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = modules_.find(source); found != modules_.end()) {
      if (context_->offline()) return nullptr;
      module = found->second;
    }
  }
  if (context_->offline()) {
    NEREID_RETURN_IF_ERROR(Cubin(source).status());
    const std::lock_guard lock(mutex_);
    modules_.emplace(source, nullptr);
    return nullptr;
  }
  const CudaApi& api = context_->api();
  if (module == nullptr) {
    // Compiled outside the lock: several threads may compile different kernels at once.
    NEREID_ASSIGN_OR_RETURN(const std::string cubin, Cubin(source));
    NEREID_RETURN_IF_ERROR(
        CudaStatus(api.cuModuleLoadData(&module, cubin.data()), "cuModuleLoadData"));
    const std::lock_guard lock(mutex_);
    const auto [row, inserted] = modules_.emplace(source, module);
    if (!inserted) {
      api.cuModuleUnload(module);
      module = row->second;
    }
  }
  CUfunction function = nullptr;
  NEREID_RETURN_IF_ERROR(
      CudaStatus(api.cuModuleGetFunction(&function, module, name), "cuModuleGetFunction"));
  return function;
}

int Jit::compiled_count() const {
  const std::lock_guard lock(mutex_);
  return compiled_count_;
}

}  // namespace nereid::engine
