#include "backend/module_loader.h"

#include <dlfcn.h>

#include <utility>

#include "backend/guarded.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid {
namespace {

std::string LinkerError() {
  const char* text = dlerror();
  return text == nullptr ? "unknown error" : text;
}

// An open library; closed again unless kept.
class Library {
 public:
  static absl::StatusOr<Library> Open(const std::string& path) {
    void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) {
      return absl::InvalidArgumentError(StrCat("unable to load backend library: ", LinkerError()));
    }
    return Library(handle);
  }
  Library(Library&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Library& operator=(Library&&) = delete;
  ~Library() {
    if (handle_ != nullptr) dlclose(handle_);
  }

  void* Find(const char* symbol) const { return dlsym(handle_, symbol); }
  void Keep() { handle_ = nullptr; }

 private:
  explicit Library(void* handle) : handle_(handle) {}
  void* handle_;
};

absl::Status InModule(const std::string& path, const absl::Status& status) {
  return absl::Status(status.code(), StrCat("backend library '", path, "': ", status.message()));
}

absl::StatusOr<const BackendModule*> FindModule(const Library& library) {
  auto function = reinterpret_cast<BackendModuleFunction>(library.Find(kBackendModuleSymbol));
  if (function == nullptr) {
    return absl::InvalidArgumentError(
        StrCat("does not define the entry point ", kBackendModuleSymbol));
  }
  const BackendModule* module = nullptr;
  NEREID_RETURN_IF_ERROR(CatchExceptions(kBackendModuleSymbol, [&] {
    module = function();
    return absl::OkStatus();
  }));
  if (module == nullptr) {
    return absl::InvalidArgumentError(StrCat(kBackendModuleSymbol, "() returned nothing"));
  }
  NEREID_RETURN_IF_ERROR(CheckModuleVersion(module->api_major, module->api_minor));
  if (module->create == nullptr) return absl::InvalidArgumentError("has no create function");
  return module;
}

absl::StatusOr<std::shared_ptr<Backend>> CreateBackend(const BackendModule& module,
                                                       const BackendContext& context) {
  std::shared_ptr<Backend> backend;
  NEREID_RETURN_IF_ERROR(CatchExceptions("create", [&] {
    absl::Status status;
    backend.reset(module.create(context, &status));
    return status;
  }));
  if (backend == nullptr) return absl::InternalError("create returned nothing and no error");
  return backend;
}

}  // namespace

absl::Status CheckModuleVersion(uint32_t api_major, uint32_t api_minor) {
  if (api_major == kBackendApiMajor && api_minor <= kBackendApiMinor) return absl::OkStatus();
  return absl::FailedPreconditionError(StrCat("was built for backend interface version ", api_major,
                                              ".", api_minor, ", but this server supports version ",
                                              kBackendApiMajor, ".", kBackendApiMinor));
}

absl::StatusOr<std::shared_ptr<Backend>> LoadBackendModule(const std::string& path,
                                                           const BackendContext& context) {
  NEREID_ASSIGN_OR_RETURN(Library library, Library::Open(path));
  absl::StatusOr<const BackendModule*> module = FindModule(library);
  if (!module.ok()) return InModule(path, module.status());
  // From here on objects of the module may be anywhere: in a status, in a thread-local.
  library.Keep();
  absl::StatusOr<std::shared_ptr<Backend>> backend = CreateBackend(**module, context);
  if (!backend.ok()) return InModule(path, backend.status());
  return backend;
}

absl::StatusOr<BackendToolFunction> LoadBackendTool(const std::string& path) {
  NEREID_ASSIGN_OR_RETURN(Library library, Library::Open(path));
  if (absl::Status status = FindModule(library).status(); !status.ok()) {
    return InModule(path, status);
  }
  auto tool = reinterpret_cast<BackendToolFunction>(library.Find(kBackendToolSymbol));
  if (tool == nullptr) return InModule(path, absl::UnimplementedError("has no tool"));
  library.Keep();
  return tool;
}

}  // namespace nereid
