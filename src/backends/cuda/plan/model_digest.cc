#include "backends/cuda/plan/model_digest.h"

#include <vector>

#include "common/parallel_for.h"
#include "common/sha256.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

constexpr size_t kPiece = size_t{4} << 20;

}  // namespace

std::string ModelDigest(absl::Span<const std::string_view> files) {
  std::vector<std::string_view> pieces;
  Sha256 whole;
  for (const std::string_view file : files) {
    whole.Update(StrCat(file.size(), "\n"));
    for (size_t at = 0; at < file.size(); at += kPiece) pieces.push_back(file.substr(at, kPiece));
  }
  std::vector<Sha256Digest> digests(pieces.size());
  ParallelFor(pieces.size(), [&](size_t i) { digests[i] = Sha256Of(pieces[i]); });
  for (const Sha256Digest& digest : digests) whole.Update(digest.data(), digest.size());
  return HexText(whole.Finish());
}

}  // namespace nereid::engine
