#pragma once

#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>

#include "wire/kserve_json_request.h"

namespace nereid::testing {

// A block of exactly the bytes that a body's owner promises: `bytes` and the padding behind them,
// so that a read beyond is caught. Free to be divided.
inline std::shared_ptr<const char> ExactBlock(std::string_view bytes) {
  char* block = static_cast<char*>(std::malloc(bytes.size() + kJsonPadding));
  if (!bytes.empty()) std::memcpy(block, bytes.data(), bytes.size());
  std::memset(block + bytes.size(), 0xA5, kJsonPadding);
  return std::shared_ptr<const char>(block, [](const char* p) { std::free(const_cast<char*>(p)); });
}

}  // namespace nereid::testing
