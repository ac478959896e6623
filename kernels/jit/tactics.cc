#include "kernels/jit/tactics.h"

#include "common/strings.h"

namespace nereid::engine {

Tactics::Tactics(const Context& context, std::shared_ptr<ArtifactStore> store)
    : device_(context.fingerprint()), store_(std::move(store)) {}

// The driver's version is that of the device, not of the subject: an update leaves no old rows.
ArtifactScope Tactics::ScopeOf(const std::string& library) const {
  const size_t space = library.find(' ');
  const size_t driver = device_.rfind(", driver ");
  return {StrCat("tactics of ", library.substr(0, space), " on ", device_.substr(0, driver)),
          StrCat("nereid ", NEREID_VERSION, ", ", library,
                 driver == std::string::npos ? "" : device_.substr(driver))};
}

std::optional<std::string> Tactics::Find(const std::string& library,
                                         const std::string& specification) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = found_.find({library, specification});
    if (found != found_.end()) return found->second;
  }
  return store_ == nullptr ? std::nullopt : store_->Find(ScopeOf(library), specification);
}

void Tactics::Remember(const std::string& library, const std::string& specification,
                       std::string tactic) {
  if (store_ != nullptr) store_->Remember(ScopeOf(library), specification, tactic);
  const std::lock_guard lock(mutex_);
  found_[{library, specification}] = std::move(tactic);
}

}  // namespace nereid::engine
