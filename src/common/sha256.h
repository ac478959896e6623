#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace nereid {

using Sha256Digest = std::array<uint8_t, 32>;

// SHA-256 of bytes that come in pieces; with the processor's own instructions where it has them
// (1.5 GB/s and more), otherwise in plain C++ (a few hundred MB/s). Use once, from one thread.
class Sha256 {
 public:
  void Update(const void* data, size_t size);
  void Update(std::string_view text) { Update(text.data(), text.size()); }
  Sha256Digest Finish();

 private:
  std::array<uint32_t, 8> state_ = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<uint8_t, 64> block_{};
  size_t filled_ = 0;  // bytes of block_ that wait
  uint64_t size_ = 0;  // bytes so far
};

Sha256Digest Sha256Of(std::string_view bytes);

// 64 lower-case digits.
std::string HexText(const Sha256Digest& digest);

}  // namespace nereid
