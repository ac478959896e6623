#include "backends/cuda/reference/numbers.h"

#include <limits>
#include <type_traits>

#include "backends/cuda/ir/half.h"
#include "backends/cuda/ir/onnx_type.h"

namespace nereid::engine {
namespace {

// How each element type is stored and what its bits mean.
template <typename T>
struct Plain {
  using Storage = T;
  static T Load(T value) { return value; }
};
struct Half {
  using Storage = uint16_t;
  static float Load(uint16_t bits) { return Fp16ToFloat(bits); }
};
struct Brain {
  using Storage = uint16_t;
  static float Load(uint16_t bits) { return Bf16ToFloat(bits); }
};
struct Truth {
  using Storage = uint8_t;
  static uint8_t Load(uint8_t value) { return value != 0 ? 1 : 0; }
};

template <typename Visit>
void VisitType(DataType type, Visit visit) {
  switch (type) {
    case DataType::kBool:
      return visit.template operator()<Truth>();
    case DataType::kUint8:
      return visit.template operator()<Plain<uint8_t>>();
    case DataType::kUint16:
      return visit.template operator()<Plain<uint16_t>>();
    case DataType::kUint32:
      return visit.template operator()<Plain<uint32_t>>();
    case DataType::kUint64:
      return visit.template operator()<Plain<uint64_t>>();
    case DataType::kInt8:
      return visit.template operator()<Plain<int8_t>>();
    case DataType::kInt16:
      return visit.template operator()<Plain<int16_t>>();
    case DataType::kInt32:
      return visit.template operator()<Plain<int32_t>>();
    case DataType::kInt64:
      return visit.template operator()<Plain<int64_t>>();
    case DataType::kFp16:
      return visit.template operator()<Half>();
    case DataType::kBf16:
      return visit.template operator()<Brain>();
    case DataType::kFp32:
      return visit.template operator()<Plain<float>>();
    case DataType::kFp64:
      return visit.template operator()<Plain<double>>();
    case DataType::kBytes:
    case DataType::kInvalid:
      return;
  }
}

template <typename To, typename From>
To Convert(From value) {
  if constexpr (std::is_integral_v<To> && std::is_floating_point_v<From>) {
    if (value != value) return 0;
    constexpr auto kAbove = static_cast<double>(std::numeric_limits<To>::max());
    if (value >= kAbove) return std::numeric_limits<To>::max();
    if (value >= 0) return static_cast<To>(value);
    if (value <= -0x1p63) return static_cast<To>(std::numeric_limits<int64_t>::min());
    return static_cast<To>(static_cast<int64_t>(value));
  } else {
    return static_cast<To>(value);
  }
}

template <typename Format, typename C>
typename Format::Storage Store(C value) {
  if constexpr (std::is_same_v<Format, Truth>) {
    return value != C{0} ? 1 : 0;
  } else if constexpr (std::is_same_v<Format, Half>) {
    return FloatToFp16(static_cast<float>(value));
  } else if constexpr (std::is_same_v<Format, Brain>) {
    return FloatToBf16(static_cast<float>(value));
  } else if constexpr (std::is_integral_v<typename Format::Storage> &&
                       std::is_floating_point_v<C>) {
    using Wide =
        std::conditional_t<std::is_same_v<typename Format::Storage, uint64_t>, uint64_t, int64_t>;
    return static_cast<typename Format::Storage>(Convert<Wide>(value));
  } else {
    return static_cast<typename Format::Storage>(value);
  }
}

}  // namespace

template <typename C>
std::vector<C> Read(const HostTensor& tensor) {
  std::vector<C> values(static_cast<size_t>(tensor.element_count()));
  VisitType(tensor.type(), [&]<typename Format>() {
    const auto* from = tensor.data<typename Format::Storage>();
    for (size_t i = 0; i < values.size(); ++i) values[i] = Convert<C>(Format::Load(from[i]));
  });
  return values;
}

template <typename C>
HostTensor Write(DataType type, Shape shape, const std::vector<C>& values) {
  HostTensor tensor(type, std::move(shape));
  VisitType(type, [&]<typename Format>() {
    auto* to = tensor.mutable_data<typename Format::Storage>();
    for (size_t i = 0; i < values.size(); ++i) to[i] = Store<Format>(values[i]);
  });
  return tensor;
}

template std::vector<double> Read(const HostTensor&);
template std::vector<int64_t> Read(const HostTensor&);
template std::vector<uint64_t> Read(const HostTensor&);
template HostTensor Write(DataType, Shape, const std::vector<double>&);
template HostTensor Write(DataType, Shape, const std::vector<int64_t>&);
template HostTensor Write(DataType, Shape, const std::vector<uint64_t>&);

void RoundTo(DataType type, std::vector<double>& values) {
  VisitType(type, [&]<typename Format>() {
    for (double& value : values) value = static_cast<double>(Format::Load(Store<Format>(value)));
  });
}

IntegerRange RangeOf(DataType type) {
  IntegerRange range{0, 0};
  VisitType(type, [&]<typename Format>() {
    using Limits = std::numeric_limits<typename Format::Storage>;
    range = {static_cast<double>(Limits::lowest()), static_cast<double>(Limits::max())};
  });
  return range;
}

bool IsInteger(DataType type) { return type >= DataType::kUint8 && type <= DataType::kInt64; }

bool IsUnsigned(DataType type) { return type >= DataType::kUint8 && type <= DataType::kUint64; }

}  // namespace nereid::engine
