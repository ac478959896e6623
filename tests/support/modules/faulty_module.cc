// One module with one fault; which one says the definition NEREID_FAULT_<fault>.

#include <stdexcept>

#include "nereid/backend.h"

namespace {

using nereid::Backend;
using nereid::BackendContext;
using nereid::BackendModule;
using nereid::kBackendApiMajor;
using nereid::kBackendApiMinor;

[[maybe_unused]] Backend* Create(const BackendContext&, [[maybe_unused]] absl::Status* status) {
#if defined(NEREID_FAULT_throwing_create)
  throw std::runtime_error("no licence");
#elif defined(NEREID_FAULT_throwing_int)
  throw 42;
#elif defined(NEREID_FAULT_failing_create)
  *status = absl::NotFoundError("the engine is not installed");
#endif
  return nullptr;
}

[[maybe_unused]] const BackendModule kModule = {
#if defined(NEREID_FAULT_old_major)
    kBackendApiMajor + 6, 0, Create
#elif defined(NEREID_FAULT_newer_minor)
    kBackendApiMajor, kBackendApiMinor + 1, Create
#elif defined(NEREID_FAULT_no_create)
    kBackendApiMajor, kBackendApiMinor, nullptr
#else
    kBackendApiMajor, kBackendApiMinor, Create
#endif
};

}  // namespace

#if defined(NEREID_FAULT_null_create) || defined(NEREID_FAULT_old_major)
// A tool that counts its arguments.
extern "C" __attribute__((visibility("default"))) int NereidBackendTool(int argc,
                                                                        const char* const*) {
  return argc;
}
#endif

#if !defined(NEREID_FAULT_no_symbol)
extern "C" __attribute__((visibility("default"))) const BackendModule* NereidBackendModule() {
#if defined(NEREID_FAULT_throwing_entry)
  throw std::runtime_error("not today");
#elif defined(NEREID_FAULT_null_module)
  return nullptr;
#else
  return &kModule;
#endif
}
#endif
