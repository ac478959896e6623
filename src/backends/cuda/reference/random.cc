#include <algorithm>
#include <cmath>
#include <random>

#include "backends/cuda/ir/onnx_type.h"
#include "backends/cuda/reference/numbers.h"
#include "backends/cuda/reference/operator.h"

namespace nereid::engine {
namespace {

// Random numbers. A node with a seed draws the same ones each time, another new ones.

using Generator = std::mt19937_64;

Generator GeneratorOf(const Node& node) {
  if (node.attributes.contains("seed")) {
    return Generator(std::hash<float>()(node.Float("seed", 0)));
  }
  thread_local Generator seeds{std::random_device()()};
  return Generator(seeds());
}

// The type of the results: the attribute, or else `fallback`.
absl::StatusOr<DataType> TypeOf(const Node& node, DataType fallback) {
  const int64_t asked = node.Int("dtype", 0);
  const DataType type = asked == 0 ? fallback : FromOnnxType(asked);
  if (type == DataType::kInvalid || type == DataType::kBytes) {
    return Refuse("type ", OnnxTypeName(asked), " is not supported");
  }
  return type;
}

template <typename Distribution>
Results Draw(const Call& call, DataType type, const Shape& shape, Distribution distribution) {
  NEREID_ASSIGN_OR_RETURN(const int64_t count, CountOf(shape));
  NEREID_ASSIGN_OR_RETURN(type, TypeOf(call.node, type));
  if (!IsFloating(type)) return Refuse("the result is not floating");
  Generator generator = GeneratorOf(call.node);
  std::vector<double> values(static_cast<size_t>(count));
  std::generate(values.begin(), values.end(), [&] { return distribution(generator); });
  return One(Write(type, shape, values));
}

Results Normal(const Call& call, DataType type, const Shape& shape) {
  const double scale = call.node.Float("scale", 1);
  if (!(scale >= 0) || !std::isfinite(scale)) return Refuse("scale is ", scale);
  // A deviation of 0 is not one that the library takes.
  std::normal_distribution<double> unit;
  const double mean = call.node.Float("mean", 0);
  return Draw(call, type, shape,
              [=](Generator& generator) mutable { return mean + scale * unit(generator); });
}

Results Uniform(const Call& call, DataType type, const Shape& shape) {
  const double low = call.node.Float("low", 0);
  const double high = call.node.Float("high", 1);
  if (!(low <= high) || !std::isfinite(high - low)) return Refuse("low is ", low, ", high ", high);
  return Draw(call, type, shape, std::uniform_real_distribution<double>(low, high));
}

template <Results (*kDraw)(const Call&, DataType, const Shape&)>
Results OfShape(const Call& call) {
  const std::vector<int64_t> extents = call.node.Ints("shape");
  return kDraw(call, DataType::kFp32, Shape(extents.begin(), extents.end()));
}

template <Results (*kDraw)(const Call&, DataType, const Shape&)>
Results Like(const Call& call) {
  return kDraw(call, call.In(0).type(), call.ShapeOf(0));
}

// Probabilities → 1 as often as they say.
Results Bernoulli(const Call& call) {
  NEREID_ASSIGN_OR_RETURN(const DataType type, TypeOf(call.node, call.In(0).type()));
  std::vector<double> values = Read<double>(call.In(0));
  Generator generator = GeneratorOf(call.node);
  std::uniform_real_distribution<double> uniform(0, 1);
  for (double& value : values) {
    if (!(value >= 0 && value <= 1)) return Refuse("a probability is ", value);
    value = uniform(generator) < value ? 1 : 0;
  }
  return One(Write(type, call.ShapeOf(0), values));
}

// Logarithms of probabilities, up to a summand a row [batch, classes] → classes drawn.
Results Multinomial(const Call& call) {
  const Shape& shape = call.ShapeOf(0);
  const int64_t samples = call.node.Int("sample_size", 1);
  if (shape.size() != 2 || shape[1] < 1 || samples < 1) {
    return Refuse(samples, " samples of shape ", ShapeToString(shape));
  }
  const Shape drawn = {shape[0], samples};
  NEREID_ASSIGN_OR_RETURN(const int64_t count, CountOf(drawn));
  NEREID_ASSIGN_OR_RETURN(const DataType type, TypeOf(call.node, DataType::kInt32));
  const std::vector<double> logs = Read<double>(call.In(0));
  Generator generator = GeneratorOf(call.node);
  std::vector<int64_t> classes;
  classes.reserve(static_cast<size_t>(count));
  for (int64_t row = 0; row < shape[0]; ++row) {
    const auto begin = logs.begin() + row * shape[1];
    const double largest = *std::max_element(begin, begin + shape[1]);
    std::vector<double> weights;
    std::transform(begin, begin + shape[1], std::back_inserter(weights),
                   [&](double log) { return std::exp(log - largest); });
    if (!std::isfinite(largest) ||
        !std::all_of(weights.begin(), weights.end(), [](double w) { return w >= 0; })) {
      return Refuse("row ", row, " holds no probabilities");
    }
    std::discrete_distribution<int64_t> distribution(weights.begin(), weights.end());
    for (int64_t i = 0; i < samples; ++i) classes.push_back(distribution(generator));
  }
  return One(Write(type, drawn, classes));
}

constexpr OperatorRow kOperators[] = {
    {"Bernoulli", Bernoulli, 1, Accepts::kFloats},
    {"Multinomial", Multinomial, 1, Accepts::kFloats},
    {"RandomNormal", OfShape<Normal>, 0},
    {"RandomNormalLike", Like<Normal>, 1},
    {"RandomUniform", OfShape<Uniform>, 0},
    {"RandomUniformLike", Like<Uniform>, 1},
};

}  // namespace

absl::Span<const OperatorRow> RandomOperators() { return kOperators; }

}  // namespace nereid::engine
