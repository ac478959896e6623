#pragma once

#include <string>
#include <string_view>

#include "absl/types/span.h"

namespace nereid::engine {

// 64 digits that name a model: SHA-256 over its files (the model's own, then its external data),
// as a tree, so that all cores share the work: the digest of the files' sizes and of the digests of
// their pieces. Takes the memory's time for files that have been read before.
std::string ModelDigest(absl::Span<const std::string_view> files);

}  // namespace nereid::engine
