#include "backends/add_sub/arithmetic.h"

#include <bit>
#include <cstdint>
#include <cstring>

namespace nereid::add_sub {
namespace {

template <typename Stored, typename Combine>
void Apply(const std::byte* left, const std::byte* right, size_t count, std::byte* out,
           Combine combine) {
  for (size_t i = 0; i < count; ++i) {
    Stored a, b;
    std::memcpy(&a, left + i * sizeof(Stored), sizeof(Stored));
    std::memcpy(&b, right + i * sizeof(Stored), sizeof(Stored));
    const Stored result = combine(a, b);
    std::memcpy(out + i * sizeof(Stored), &result, sizeof(Stored));
  }
}

// `Stored` is the type in memory, `load` and `store` convert it to what is calculated with.
template <typename Stored, auto load, auto store>
void AddSubOf(const std::byte* left, const std::byte* right, size_t count, std::byte* sum,
              std::byte* difference) {
  if (sum != nullptr) {
    Apply<Stored>(left, right, count, sum,
                  [](Stored a, Stored b) { return store(load(a) + load(b)); });
  }
  if (difference != nullptr) {
    Apply<Stored>(left, right, count, difference,
                  [](Stored a, Stored b) { return store(load(a) - load(b)); });
  }
}

// Unsigned arithmetic gives signed integers their two's complement wrap-around, too.
template <typename T>
constexpr uint64_t Widen(T value) {
  return value;
}
template <typename T>
constexpr T Narrow(uint64_t value) {
  return static_cast<T>(value);
}
template <typename T>
constexpr AddSub kInteger = AddSubOf<T, Widen<T>, Narrow<T>>;

template <typename T>
constexpr T Same(T value) {
  return value;
}
template <typename T>
constexpr AddSub kFloat = AddSubOf<T, Same<T>, Same<T>>;

float LoadBf16(uint16_t bits) { return std::bit_cast<float>(uint32_t{bits} << 16); }

uint16_t StoreBf16(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  if (value != value) return static_cast<uint16_t>(bits >> 16 | 0x40);     // stays a NaN
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);  // to nearest even
}

float LoadFp16(uint16_t bits) {
  const uint32_t sign = uint32_t{bits & 0x8000u} << 16;
  const uint32_t exponent = bits >> 10 & 0x1f;
  const uint32_t fraction = bits & 0x3ff;
  if (exponent == 0) {  // zero and subnormals: fraction * 2^-24
    const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
    return sign != 0 ? -magnitude : magnitude;
  }
  const uint32_t wide = exponent == 0x1f ? 0xff : exponent + 112;
  return std::bit_cast<float>(sign | wide << 23 | fraction << 13);
}

uint16_t StoreFp16(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const auto sign = static_cast<uint16_t>(bits >> 16 & 0x8000);
  const uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;   // NaN
  if (magnitude >= 0x477ff000) return sign | 0x7c00;  // rounds to infinity
  if (magnitude < 0x38800000) {                       // subnormal: let the adder round
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return sign | static_cast<uint16_t>(std::bit_cast<uint32_t>(shifted) - 0x3f000000);
  }
  const uint32_t odd = magnitude >> 13 & 1;
  return sign | static_cast<uint16_t>((magnitude + 0xfff + odd - 0x38000000) >> 13);
}

struct Row {
  DataType type;
  AddSub function;
};
constexpr Row kRows[] = {
    {DataType::kUint8, kInteger<uint8_t>},
    {DataType::kUint16, kInteger<uint16_t>},
    {DataType::kUint32, kInteger<uint32_t>},
    {DataType::kUint64, kInteger<uint64_t>},
    {DataType::kInt8, kInteger<int8_t>},
    {DataType::kInt16, kInteger<int16_t>},
    {DataType::kInt32, kInteger<int32_t>},
    {DataType::kInt64, kInteger<int64_t>},
    {DataType::kFp16, AddSubOf<uint16_t, LoadFp16, StoreFp16>},
    {DataType::kBf16, AddSubOf<uint16_t, LoadBf16, StoreBf16>},
    {DataType::kFp32, kFloat<float>},
    {DataType::kFp64, kFloat<double>},
};

}  // namespace

AddSub AddSubFor(DataType type) {
  for (const Row& row : kRows) {
    if (row.type == type) return row.function;
  }
  return nullptr;
}

}  // namespace nereid::add_sub
