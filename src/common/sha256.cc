#include "common/sha256.h"

#include <openssl/evp.h>

#include <new>

#include "absl/strings/escaping.h"

namespace nereid {
namespace {

// With a digest that the library always has, memory is all that can be missing.
void Check(bool done) {
  if (!done) throw std::bad_alloc();
}

}  // namespace

void Sha256::Deleter::operator()(evp_md_ctx_st* state) const { EVP_MD_CTX_free(state); }

Sha256::Sha256() : state_(EVP_MD_CTX_new()) {
  Check(state_ != nullptr && EVP_DigestInit_ex(state_.get(), EVP_sha256(), nullptr) == 1);
}

void Sha256::Update(const void* data, size_t size) {
  Check(EVP_DigestUpdate(state_.get(), data, size) == 1);
}

Sha256Digest Sha256::Finish() {
  Sha256Digest digest;
  Check(EVP_DigestFinal_ex(state_.get(), digest.data(), nullptr) == 1);
  return digest;
}

Sha256Digest Sha256Of(std::string_view bytes) {
  Sha256 hash;
  hash.Update(bytes);
  return hash.Finish();
}

std::string HexText(const Sha256Digest& digest) {
  return absl::BytesToHexString({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

}  // namespace nereid
