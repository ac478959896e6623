#include <cmath>
#include <limits>

#include "backends/cuda/ir/onnx_type.h"
#include "backends/cuda/reference/numbers.h"
#include "backends/cuda/reference/operator.h"

namespace nereid::engine {
namespace {

// y = f(x) on floating tensors.
template <auto f>
Results Float(const Call& call) {
  const HostTensor& x = call.In(0);
  std::vector<double> values = Read<double>(x);
  for (double& value : values) value = f(value);
  return One(Write(x.type(), x.shape(), values));
}

// The same; make(node) is the function that the node's attributes select.
template <auto make>
Results Parametric(const Call& call) {
  const HostTensor& x = call.In(0);
  const auto f = make(call.node);
  std::vector<double> values = Read<double>(x);
  for (double& value : values) value = f(value);
  return One(Write(x.type(), x.shape(), values));
}

// y = f(x) on numbers of any type.
template <auto f>
Results Number(const Call& call) {
  const HostTensor& x = call.In(0);
  return VisitCompute(x.type(), [&]<typename C>() -> Results {
    std::vector<C> values = Read<C>(x);
    for (C& value : values) value = static_cast<C>(f(value));
    return One(Write(x.type(), x.shape(), values));
  });
}

// A property of each floating number.
template <auto make>
Results Predicate(const Call& call) {
  const HostTensor& x = call.In(0);
  const auto f = make(call.node);
  std::vector<double> values = Read<double>(x);
  for (double& value : values) value = f(value) ? 1 : 0;
  return One(Write(DataType::kBool, x.shape(), values));
}

double Sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double Softplus(double x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }
double HardSigmoid(double x, double alpha, double beta) {
  return std::fmax(0, std::fmin(1, alpha * x + beta));
}

double GeluExact(double x) { return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0))); }
double GeluTanh(double x) {
  constexpr double kSqrtTwoOverPi = 0.79788456080286535588;
  return 0.5 * x * (1 + std::tanh(kSqrtTwoOverPi * (x + 0.044715 * x * x * x)));
}

template <typename C>
C Magnitude(C x) {
  if constexpr (std::is_floating_point_v<C>) {
    return std::fabs(x);
  } else {
    return x < C{0} ? static_cast<C>(0 - static_cast<uint64_t>(x)) : x;
  }
}

template <typename C>
C Negated(C x) {
  if constexpr (std::is_floating_point_v<C>) {
    return -x;
  } else {
    return static_cast<C>(0 - static_cast<uint64_t>(x));
  }
}

template <typename C>
C SignOf(C x) {
  if (x != x) return x;
  return static_cast<C>((x > C{0}) - (x < C{0}));
}

auto MakeElu(double alpha, double gamma) {
  return [=](double x) { return gamma * (x > 0 ? x : alpha * std::expm1(x)); };
}

auto MakeShrink(const Node& node) {
  return [bias = node.Float("bias", 0), lambda = node.Float("lambd", 0.5f)](double x) {
    return x < -lambda ? x + bias : x > lambda ? x - bias : 0.0;
  };
}

Results Shrink(const Call& call) {
  const auto f = MakeShrink(call.node);
  std::vector<double> values = Read<double>(call.In(0));
  for (double& value : values) value = f(value);
  return One(Write(call.In(0).type(), call.ShapeOf(0), values));
}

Results Clip(const Call& call) {
  const HostTensor& x = call.In(0);
  for (const size_t bound : {1, 2}) {
    if (call.Has(bound) && call.In(bound).element_count() != 1) {
      return Refuse("input ", bound, " is not a scalar");
    }
  }
  return VisitCompute(x.type(), [&]<typename C>() -> Results {
    std::vector<C> values = Read<C>(x);
    if (call.Has(1)) {
      const C lowest = Read<C>(call.In(1))[0];
      for (C& value : values) value = value < lowest ? lowest : value;
    }
    if (call.Has(2)) {
      const C highest = Read<C>(call.In(2))[0];
      for (C& value : values) value = value > highest ? highest : value;
    }
    return One(Write(x.type(), x.shape(), values));
  });
}

Results Identity(const Call& call) { return One(call.In(0)); }

constexpr auto kFloats = Accepts::kFloats;

constexpr OperatorRow kOperators[] = {
    {"Abs", Number<[](auto x) { return Magnitude(x); }>, 1},
    {"Acos", Float<[](double x) { return std::acos(x); }>, 1, kFloats},
    {"Acosh", Float<[](double x) { return std::acosh(x); }>, 1, kFloats},
    {"Asin", Float<[](double x) { return std::asin(x); }>, 1, kFloats},
    {"Asinh", Float<[](double x) { return std::asinh(x); }>, 1, kFloats},
    {"Atan", Float<[](double x) { return std::atan(x); }>, 1, kFloats},
    {"Atanh", Float<[](double x) { return std::atanh(x); }>, 1, kFloats},
    {"BitwiseNot", Number<[](auto x) { return ~static_cast<uint64_t>(x); }>, 1, Accepts::kIntegers},
    {"Ceil", Float<[](double x) { return std::ceil(x); }>, 1, kFloats},
    {"Celu", Parametric<[](const Node& node) {
       return [alpha = double{node.Float("alpha", 1)}](double x) {
         return (x > 0) ? x : alpha * std::expm1(x / alpha);
       };
     }>,
     1, kFloats},
    {"Clip", Clip, 1},
    {"Cos", Float<[](double x) { return std::cos(x); }>, 1, kFloats},
    {"Cosh", Float<[](double x) { return std::cosh(x); }>, 1, kFloats},
    {"Elu", Parametric<[](const Node& node) { return MakeElu(node.Float("alpha", 1), 1); }>, 1,
     kFloats},
    {"Erf", Float<[](double x) { return std::erf(x); }>, 1, kFloats},
    {"Exp", Float<[](double x) { return std::exp(x); }>, 1, kFloats},
    {"Floor", Float<[](double x) { return std::floor(x); }>, 1, kFloats},
    {"Gelu", Parametric<[](const Node& node) {
       return node.String("approximate", "none") == "tanh" ? GeluTanh : GeluExact;
     }>,
     1, kFloats},
    {"HardSigmoid", Parametric<[](const Node& node) {
       return [a = double{node.Float("alpha", 0.2f)},
               b = double{node.Float("beta", 0.5f)}](double x) { return HardSigmoid(x, a, b); };
     }>,
     1, kFloats},
    {"HardSwish", Float<[](double x) { return x * HardSigmoid(x, 1.0 / 6, 0.5); }>, 1, kFloats},
    {"Identity", Identity, 1, Accepts::kAnything},
    {"IsInf", Predicate<[](const Node& node) {
       return [negative = node.Int("detect_negative", 1) != 0,
               positive = node.Int("detect_positive", 1) != 0](double x) {
         return std::isinf(x) && (x > 0 ? positive : negative);
       };
     }>,
     1, kFloats},
    {"IsNaN", Predicate<[](const Node&) { return [](double x) { return std::isnan(x); }; }>, 1,
     kFloats},
    {"LeakyRelu", Parametric<[](const Node& node) {
       return
           [alpha = double{node.Float("alpha", 0.01f)}](double x) { return x < 0 ? alpha * x : x; };
     }>,
     1, kFloats},
    {"Log", Float<[](double x) { return std::log(x); }>, 1, kFloats},
    {"Mish", Float<[](double x) { return x * std::tanh(Softplus(x)); }>, 1, kFloats},
    {"Neg", Number<[](auto x) { return Negated(x); }>, 1},
    {"Not", Number<[](auto x) { return x == 0; }>, 1, Accepts::kBools},
    {"Reciprocal", Float<[](double x) { return 1 / x; }>, 1, kFloats},
    {"Relu", Number<[](auto x) { return x < 0 ? decltype(x){0} : x; }>, 1},
    {"Round", Float<[](double x) { return std::nearbyint(x); }>, 1, kFloats},
    {"Selu", Parametric<[](const Node& node) {
       return MakeElu(node.Float("alpha", 1.67326319217681884765625f),
                      node.Float("gamma", 1.05070102214813232421875f));
     }>,
     1, kFloats},
    {"Shrink", Shrink, 1},
    {"Sigmoid", Float<Sigmoid>, 1, kFloats},
    {"Sign", Number<[](auto x) { return SignOf(x); }>, 1},
    {"Sin", Float<[](double x) { return std::sin(x); }>, 1, kFloats},
    {"Sinh", Float<[](double x) { return std::sinh(x); }>, 1, kFloats},
    {"Softplus", Float<Softplus>, 1, kFloats},
    {"Softsign", Float<[](double x) { return x / (1 + std::fabs(x)); }>, 1, kFloats},
    {"Sqrt", Float<[](double x) { return std::sqrt(x); }>, 1, kFloats},
    {"Swish", Parametric<[](const Node& node) {
       return [alpha = double{node.Float("alpha", 1)}](double x) { return x * Sigmoid(alpha * x); };
     }>,
     1, kFloats},
    {"Tan", Float<[](double x) { return std::tan(x); }>, 1, kFloats},
    {"Tanh", Float<[](double x) { return std::tanh(x); }>, 1, kFloats},
    {"ThresholdedRelu", Parametric<[](const Node& node) {
       return [alpha = double{node.Float("alpha", 1)}](double x) { return (x > alpha) ? x : 0.0; };
     }>,
     1, kFloats},
};

}  // namespace

absl::Span<const OperatorRow> UnaryOperators() { return kOperators; }

}  // namespace nereid::engine
