#include "kernels/jit/tactics.h"

#include <utility>

#include "common/recent_map.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

RecentMap<std::string, std::string>& Known() {
  constexpr size_t kMost = 16384;
  static auto& known = *new RecentMap<std::string, std::string>(kMost);
  return known;
}

}  // namespace

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

std::string Tactics::KeyOf(const std::string& library, const std::string& specification) const {
  return StrCat(device_, "\n", library, "\n", specification);
}

// The store is to hold all that its model uses, whoever has raced it.
std::optional<std::string> Tactics::Find(const std::string& library,
                                         const std::string& specification) {
  if (store_ == nullptr) return Known().Find(KeyOf(library, specification));
  std::optional<std::string> found = store_->Find(ScopeOf(library), specification);
  if (found) return found;
  found = Known().Find(KeyOf(library, specification));
  if (found) store_->Remember(ScopeOf(library), specification, *found);
  return found;
}

void Tactics::Remember(const std::string& library, const std::string& specification,
                       std::string tactic) {
  if (store_ != nullptr) store_->Remember(ScopeOf(library), specification, tactic);
  Known().Keep(KeyOf(library, specification), std::move(tactic));
}

}  // namespace nereid::engine
