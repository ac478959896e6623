#include "frontend/http/restricted_apis.h"

namespace nereid {
namespace {

// Takes the same time wherever the first difference lies.
bool EqualInConstantTime(std::string_view given, std::string_view secret) {
  unsigned difference = given.size() == secret.size() ? 0 : 1;
  for (size_t i = 0; i < given.size(); ++i) {
    const char expected = secret.empty() ? '\0' : secret[i % secret.size()];
    difference |= static_cast<unsigned char>(given[i] ^ expected);
  }
  return difference == 0;
}

}  // namespace

RestrictedApis::RestrictedApis(const std::vector<RestrictedCategories>& groups) {
  for (const RestrictedCategories& group : groups) {
    for (const std::string& category : group.categories) {
      by_category_[category] = {group.key, group.value};
    }
  }
}

const std::string* RestrictedApis::MissingHeader(std::string_view category,
                                                 const HttpRequest& request) const {
  if (by_category_.empty()) return nullptr;
  const auto found = by_category_.find(category);
  if (found == by_category_.end()) return nullptr;
  const HttpHeader* header = request.Find(found->second.header);
  const bool may_go_on =
      header != nullptr && EqualInConstantTime(header->value, found->second.value);
  return may_go_on ? nullptr : &found->second.header;
}

}  // namespace nereid
