#pragma once

#include <compare>
#include <string>

#include "common/strings.h"

namespace nereid {

// What tells one model of the repository from another. The namespace is the path of the source when
// names may repeat across sources, otherwise empty.
struct ModelKey {
  std::string name_space;
  std::string name;

  // As logs write it.
  std::string ToString() const {
    return name_space.empty() ? name : StrCat(name_space, "::", name);
  }
  friend auto operator<=>(const ModelKey&, const ModelKey&) = default;
};

}  // namespace nereid
