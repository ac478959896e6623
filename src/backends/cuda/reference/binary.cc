#include <cmath>
#include <type_traits>

#include "backends/cuda/ir/onnx_type.h"
#include "backends/cuda/reference/elements.h"
#include "backends/cuda/reference/numbers.h"
#include "backends/cuda/reference/operator.h"

namespace nereid::engine {
namespace {

// z[i] = f(x[i], y[i]) after broadcasting.
template <typename C, typename F>
Results MapPairs(const HostTensor& a, const HostTensor& b, DataType type, F f) {
  NEREID_ASSIGN_OR_RETURN(const Shape shape, BroadcastShapes(a.shape(), b.shape()));
  NEREID_ASSIGN_OR_RETURN(const int64_t count, CountOf(shape));
  const std::vector<C> x = Read<C>(a);
  const std::vector<C> y = Read<C>(b);
  std::vector<C> z(static_cast<size_t>(count));
  ForEachOffset<2>(shape, {BroadcastStrides(a.shape(), shape), BroadcastStrides(b.shape(), shape)},
                   [&](int64_t i, const auto& at) {
                     z[static_cast<size_t>(i)] = static_cast<C>(
                         f(x[static_cast<size_t>(at[0])], y[static_cast<size_t>(at[1])]));
                   });
  return One(Write(type, shape, z));
}

absl::Status CheckSameType(const Call& call) {
  for (size_t i = 1; i < call.inputs.size(); ++i) {
    if (!call.Has(i) || call.In(i).type() == call.In(0).type()) continue;
    return Refuse("inputs are of types ", ProtocolName(call.In(0).type()), " and ",
                  ProtocolName(call.In(i).type()));
  }
  return absl::OkStatus();
}

template <auto f>
Results Arithmetic(const Call& call) {
  NEREID_RETURN_IF_ERROR(CheckSameType(call));
  const DataType type = call.In(0).type();
  return VisitCompute(
      type, [&]<typename C>() -> Results { return MapPairs<C>(call.In(0), call.In(1), type, f); });
}

template <auto f>
Results Compare(const Call& call) {
  NEREID_RETURN_IF_ERROR(CheckSameType(call));
  return VisitCompute(call.In(0).type(), [&]<typename C>() -> Results {
    return MapPairs<C>(call.In(0), call.In(1), DataType::kBool, f);
  });
}

// f folded over any number of inputs.
template <auto f>
Results Fold(const Call& call) {
  NEREID_RETURN_IF_ERROR(CheckSameType(call));
  HostTensor total = call.In(0);
  for (size_t i = 1; i < call.inputs.size(); ++i) {
    if (!call.Has(i)) return Refuse("input ", i, " is missing");
    NEREID_ASSIGN_OR_RETURN(auto next, VisitCompute(total.type(), [&]<typename C>() -> Results {
                              return MapPairs<C>(total, call.In(i), total.type(), f);
                            }));
    total = std::move(next[0]);
  }
  return One(std::move(total));
}

template <typename C>
C Add(C x, C y) {
  if constexpr (std::is_floating_point_v<C>) {
    return x + y;
  } else {
    return static_cast<C>(static_cast<uint64_t>(x) + static_cast<uint64_t>(y));
  }
}

template <typename C>
C Subtract(C x, C y) {
  if constexpr (std::is_floating_point_v<C>) {
    return x - y;
  } else {
    return static_cast<C>(static_cast<uint64_t>(x) - static_cast<uint64_t>(y));
  }
}

template <typename C>
C Multiply(C x, C y) {
  if constexpr (std::is_floating_point_v<C>) {
    return x * y;
  } else {
    return static_cast<C>(static_cast<uint64_t>(x) * static_cast<uint64_t>(y));
  }
}

// The divisor of an integer is not 0: CheckDivisor.
template <typename C>
C Divide(C x, C y) {
  if constexpr (std::is_same_v<C, int64_t>) {
    if (y == -1) return Subtract<C>(0, x);
  }
  return x / y;
}

// With the sign of y, as in Python; `truncates`: with that of x, as in C.
template <typename C>
C Modulo(C x, C y, bool truncates) {
  if constexpr (std::is_floating_point_v<C>) {
    const C rest = std::fmod(x, y);
    return !truncates && rest != 0 && (rest < 0) != (y < 0) ? rest + y : rest;
  } else {
    if (y == static_cast<C>(-1)) return std::is_signed_v<C> ? 0 : x % y;
    const C rest = x % y;
    return !truncates && rest != 0 && (rest < 0) != (y < 0) ? rest + y : rest;
  }
}

template <typename C>
C Power(C base, C exponent) {
  if constexpr (std::is_floating_point_v<C>) {
    return std::pow(base, exponent);
  } else {
    if (exponent < C{0}) return base == C{1} ? 1 : 0;
    C result = 1;
    for (uint64_t e = static_cast<uint64_t>(exponent); e != 0; e >>= 1) {
      if ((e & 1) != 0) result = Multiply(result, base);
      base = Multiply(base, base);
    }
    return result;
  }
}

// A NaN wins.
template <typename C>
C Larger(C x, C y) {
  return x > y || x != x ? x : y;
}
template <typename C>
C Smaller(C x, C y) {
  return x < y || x != x ? x : y;
}

absl::Status CheckDivisor(const Call& call) {
  const HostTensor& y = call.In(1);
  if (IsFloating(y.type())) return absl::OkStatus();
  for (int64_t i = 0; i < y.element_count(); ++i) {
    if (y.AsInt64(i) == 0) return Refuse("an integer is divided by zero");
  }
  return absl::OkStatus();
}

Results Div(const Call& call) {
  NEREID_RETURN_IF_ERROR(CheckDivisor(call));
  return Arithmetic<[](auto x, auto y) { return Divide(x, y); }>(call);
}

Results Mod(const Call& call) {
  NEREID_RETURN_IF_ERROR(CheckDivisor(call));
  if (call.node.Int("fmod", 0) != 0) {
    return Arithmetic<[](auto x, auto y) { return Modulo(x, y, true); }>(call);
  }
  return Arithmetic<[](auto x, auto y) { return Modulo(x, y, false); }>(call);
}

Results Pow(const Call& call) {
  const DataType type = call.In(0).type();
  const bool in_double = IsFloating(type) || IsFloating(call.In(1).type());
  return VisitCompute(in_double ? DataType::kFp64 : type, [&]<typename C>() -> Results {
    return MapPairs<C>(call.In(0), call.In(1), type, Power<C>);
  });
}

Results Mean(const Call& call) {
  NEREID_ASSIGN_OR_RETURN(auto sum, Fold<[](auto x, auto y) { return Add(x, y); }>(call));
  std::vector<double> values = Read<double>(sum[0]);
  for (double& value : values) value /= static_cast<double>(call.inputs.size());
  return One(Write(sum[0].type(), sum[0].shape(), values));
}

// Of `width` bits. Amounts outside [0, width) leave nothing but copies of the sign.
int64_t ShiftLeft(int64_t x, int64_t by, int64_t width) {
  return by < 0 || by >= width ? 0 : static_cast<int64_t>(static_cast<uint64_t>(x) << by);
}
int64_t ShiftRight(int64_t x, int64_t by, int64_t width, bool is_unsigned) {
  if (by < 0 || by >= width) return !is_unsigned && x < 0 ? -1 : 0;
  return is_unsigned ? static_cast<int64_t>(static_cast<uint64_t>(x) >> by) : x >> by;
}

Results BitShift(const Call& call) {
  NEREID_RETURN_IF_ERROR(CheckSameType(call));
  const DataType type = call.In(0).type();
  const auto width = static_cast<int64_t>(8 * ElementByteSize(type));
  const bool is_unsigned = IsUnsigned(type);
  const std::string direction = call.node.String("direction", "");
  if (direction == "LEFT") {
    return MapPairs<int64_t>(call.In(0), call.In(1), type,
                             [=](int64_t x, int64_t by) { return ShiftLeft(x, by, width); });
  }
  if (direction == "RIGHT") {
    return MapPairs<int64_t>(call.In(0), call.In(1), type, [=](int64_t x, int64_t by) {
      return ShiftRight(x, by, width, is_unsigned);
    });
  }
  return Refuse("direction is '", direction, "'");
}

Results PRelu(const Call& call) {
  NEREID_RETURN_IF_ERROR(CheckBroadcastsTo(call.ShapeOf(1), call.ShapeOf(0)));
  return Arithmetic<[](auto x, auto slope) { return x < 0 ? Multiply(x, slope) : x; }>(call);
}

Results SwiGlu(const Call& call) {
  if (call.ShapeOf(0) != call.ShapeOf(1)) return Refuse("inputs differ in shape");
  const double alpha = call.node.Float("alpha", 1);
  return MapPairs<double>(call.In(0), call.In(1), call.In(0).type(), [=](double gate, double x) {
    return gate / (1 + std::exp(-alpha * gate)) * x;
  });
}

Results EqualStrings(const HostTensor& a, const HostTensor& b) {
  NEREID_ASSIGN_OR_RETURN(const Shape shape, BroadcastShapes(a.shape(), b.shape()));
  NEREID_RETURN_IF_ERROR(CountOf(shape).status());
  HostTensor result(DataType::kBool, shape);
  ForEachOffset<2>(shape, {BroadcastStrides(a.shape(), shape), BroadcastStrides(b.shape(), shape)},
                   [&](int64_t i, const auto& at) {
                     result.mutable_data<uint8_t>()[i] = a.strings()[static_cast<size_t>(at[0])] ==
                                                         b.strings()[static_cast<size_t>(at[1])];
                   });
  return One(std::move(result));
}

Results StringConcat(const Call& call) {
  const HostTensor& a = call.In(0);
  const HostTensor& b = call.In(1);
  if (a.type() != DataType::kBytes || b.type() != DataType::kBytes) return Refuse("no strings");
  NEREID_ASSIGN_OR_RETURN(const Shape shape, BroadcastShapes(a.shape(), b.shape()));
  NEREID_RETURN_IF_ERROR(CountOf(shape).status());
  HostTensor result(DataType::kBytes, shape);
  ForEachOffset<2>(shape, {BroadcastStrides(a.shape(), shape), BroadcastStrides(b.shape(), shape)},
                   [&](int64_t i, const auto& at) {
                     result.mutable_strings()[static_cast<size_t>(i)] =
                         a.strings()[static_cast<size_t>(at[0])] +
                         b.strings()[static_cast<size_t>(at[1])];
                   });
  return One(std::move(result));
}

Results Equal(const Call& call) {
  NEREID_RETURN_IF_ERROR(CheckSameType(call));
  if (call.In(0).type() == DataType::kBytes) return EqualStrings(call.In(0), call.In(1));
  return Compare<[](auto x, auto y) { return x == y; }>(call);
}

Results Where(const Call& call) {
  const HostTensor& x = call.In(1);
  const HostTensor& y = call.In(2);
  if (call.In(0).type() != DataType::kBool) return Refuse("the condition is not a bool tensor");
  if (x.type() != y.type()) return Refuse("the choices differ in type");
  NEREID_ASSIGN_OR_RETURN(Shape shape, BroadcastShapes(x.shape(), y.shape()));
  NEREID_ASSIGN_OR_RETURN(shape, BroadcastShapes(call.ShapeOf(0), shape));
  NEREID_RETURN_IF_ERROR(CountOf(shape).status());
  HostTensor result(x.type(), shape);
  const uint8_t* condition = call.In(0).data<uint8_t>();
  VisitStorage(x.type(), [&]<typename S>() {
    const S* yes = Elements<S>(x);
    const S* no = Elements<S>(y);
    S* to = MutableElements<S>(result);
    ForEachOffset<3>(
        shape,
        {BroadcastStrides(call.ShapeOf(0), shape), BroadcastStrides(x.shape(), shape),
         BroadcastStrides(y.shape(), shape)},
        [&](int64_t i, const auto& at) { to[i] = condition[at[0]] != 0 ? yes[at[1]] : no[at[2]]; });
  });
  return One(std::move(result));
}

constexpr OperatorRow kOperators[] = {
    {"Add", Arithmetic<[](auto x, auto y) { return Add(x, y); }>, 2},
    {"And", Arithmetic<[](auto x, auto y) { return x != 0 && y != 0; }>, 2, Accepts::kBools},
    {"BitShift", BitShift, 2, Accepts::kIntegers},
    {"BitwiseAnd",
     Arithmetic<[](auto x, auto y) { return static_cast<uint64_t>(x) & static_cast<uint64_t>(y); }>,
     2, Accepts::kIntegers},
    {"BitwiseOr",
     Arithmetic<[](auto x, auto y) { return static_cast<uint64_t>(x) | static_cast<uint64_t>(y); }>,
     2, Accepts::kIntegers},
    {"BitwiseXor",
     Arithmetic<[](auto x, auto y) { return static_cast<uint64_t>(x) ^ static_cast<uint64_t>(y); }>,
     2, Accepts::kIntegers},
    {"Div", Div, 2},
    {"Equal", Equal, 2, Accepts::kAnything},
    {"Greater", Compare<[](auto x, auto y) { return (x > y); }>, 2},
    {"GreaterOrEqual", Compare<[](auto x, auto y) { return (x >= y); }>, 2},
    {"Less", Compare<[](auto x, auto y) { return x < y; }>, 2},
    {"LessOrEqual", Compare<[](auto x, auto y) { return x <= y; }>, 2},
    {"Max", Fold<[](auto x, auto y) { return Larger(x, y); }>, 1},
    {"Mean", Mean, 1, Accepts::kFloats},
    {"Min", Fold<[](auto x, auto y) { return Smaller(x, y); }>, 1},
    {"Mod", Mod, 2},
    {"Mul", Arithmetic<[](auto x, auto y) { return Multiply(x, y); }>, 2},
    {"Or", Arithmetic<[](auto x, auto y) { return x != 0 || y != 0; }>, 2, Accepts::kBools},
    {"PRelu", PRelu, 2},
    {"Pow", Pow, 2},
    {"StringConcat", StringConcat, 2, Accepts::kAnything},
    {"Sub", Arithmetic<[](auto x, auto y) { return Subtract(x, y); }>, 2},
    {"Sum", Fold<[](auto x, auto y) { return Add(x, y); }>, 1},
    {"SwiGLU", SwiGlu, 2, Accepts::kFloats},
    {"Where", Where, 3, Accepts::kAnything},
    {"Xor", Arithmetic<[](auto x, auto y) { return (x != 0) != (y != 0); }>, 2, Accepts::kBools},
};

}  // namespace

absl::Span<const OperatorRow> BinaryOperators() { return kOperators; }

}  // namespace nereid::engine
