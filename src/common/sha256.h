#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

struct evp_md_ctx_st;

namespace nereid {

using Sha256Digest = std::array<uint8_t, 32>;

// SHA-256, by OpenSSL, of bytes that come in pieces. Use once, from one thread. Throws
// std::bad_alloc when there is no memory.
class Sha256 {
 public:
  Sha256();
  void Update(const void* data, size_t size);
  void Update(std::string_view text) { Update(text.data(), text.size()); }
  Sha256Digest Finish();

 private:
  struct Deleter {
    void operator()(evp_md_ctx_st* state) const;
  };
  const std::unique_ptr<evp_md_ctx_st, Deleter> state_;
};

Sha256Digest Sha256Of(std::string_view bytes);

// 64 lower-case digits.
std::string HexText(const Sha256Digest& digest);

}  // namespace nereid
