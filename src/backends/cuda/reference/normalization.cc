#include <cmath>

#include "backends/cuda/ir/onnx_type.h"
#include "backends/cuda/reference/numbers.h"
#include "backends/cuda/reference/operator.h"

namespace nereid::engine {
namespace {

struct Moments {
  double mean = 0;
  double inverse_deviation = 0;
};

Moments MomentsOf(absl::Span<const double> values, double epsilon) {
  const auto count = static_cast<double>(values.size());
  double sum = 0;
  for (const double value : values) sum += value;
  const double mean = sum / count;
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return {.mean = mean, .inverse_deviation = 1 / std::sqrt(squares / count + epsilon)};
}

// Parameters of as many elements as the input has channels.
absl::StatusOr<std::vector<double>> ChannelParameter(const Call& call, size_t i) {
  const int64_t channels = call.ShapeOf(0)[1];
  if (call.In(i).element_count() != channels) {
    return Refuse("input ", i, " has not ", channels, " elements");
  }
  return Read<double>(call.In(i));
}

absl::Status CheckHasChannels(const Call& call) {
  if (call.ShapeOf(0).size() >= 2) return absl::OkStatus();
  return Refuse("the input has the shape ", ShapeToString(call.ShapeOf(0)));
}

size_t PlaneSize(const Shape& shape) {
  return static_cast<size_t>(Product(absl::Span<const int64_t>(shape).subspan(2)));
}

Results BatchNormalization(const Call& call) {
  NEREID_RETURN_IF_ERROR(CheckHasChannels(call));
  NEREID_ASSIGN_OR_RETURN(const auto scale, ChannelParameter(call, 1));
  NEREID_ASSIGN_OR_RETURN(const auto bias, ChannelParameter(call, 2));
  NEREID_ASSIGN_OR_RETURN(const auto mean, ChannelParameter(call, 3));
  NEREID_ASSIGN_OR_RETURN(const auto variance, ChannelParameter(call, 4));
  const double epsilon = call.node.Float("epsilon", 1e-5f);
  const HostTensor& x = call.In(0);
  const size_t plane = PlaneSize(x.shape());
  std::vector<double> values = Read<double>(x);
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t c = i / plane % scale.size();
    values[i] = scale[c] * (values[i] - mean[c]) / std::sqrt(variance[c] + epsilon) + bias[c];
  }
  return One(Write(x.type(), x.shape(), values));
}

// Normalises runs of `run` elements, then scales and shifts by channel.
Results NormalizeRuns(const Call& call, size_t run) {
  NEREID_ASSIGN_OR_RETURN(const auto scale, ChannelParameter(call, 1));
  NEREID_ASSIGN_OR_RETURN(const auto bias, ChannelParameter(call, 2));
  const HostTensor& x = call.In(0);
  const size_t plane = PlaneSize(x.shape());
  const double epsilon = call.node.Float("epsilon", 1e-5f);
  std::vector<double> values = Read<double>(x);
  for (size_t first = 0; first < values.size(); first += run) {
    const Moments moments = MomentsOf(absl::MakeSpan(values).subspan(first, run), epsilon);
    for (size_t i = first; i < first + run; ++i) {
      const size_t c = i / plane % scale.size();
      values[i] = scale[c] * (values[i] - moments.mean) * moments.inverse_deviation + bias[c];
    }
  }
  return One(Write(x.type(), x.shape(), values));
}

Results InstanceNormalization(const Call& call) {
  NEREID_RETURN_IF_ERROR(CheckHasChannels(call));
  return NormalizeRuns(call, PlaneSize(call.ShapeOf(0)));
}

Results GroupNormalization(const Call& call) {
  NEREID_RETURN_IF_ERROR(CheckHasChannels(call));
  const int64_t channels = call.ShapeOf(0)[1];
  const int64_t groups = call.node.Int("num_groups", 0);
  if (groups < 1 || channels % groups != 0) {
    return Refuse(channels, " channels do not make ", groups, " groups");
  }
  return NormalizeRuns(call, PlaneSize(call.ShapeOf(0)) * static_cast<size_t>(channels / groups));
}

// The innermost axes that LayerNormalization and RMSNormalization work on.
struct Inner {
  size_t axis = 0;
  Shape shape;  // extents from `axis` on
  size_t size = 1;
  Shape statistics;  // the input's shape with ones from `axis` on
};

absl::StatusOr<Inner> InnerOf(const Call& call) {
  const Shape& x = call.ShapeOf(0);
  Inner inner;
  NEREID_ASSIGN_OR_RETURN(inner.axis, AxisOf(call.node.Int("axis", -1), x.size()));
  inner.shape.assign(x.begin() + static_cast<long>(inner.axis), x.end());
  inner.size = static_cast<size_t>(Product(inner.shape));
  inner.statistics.assign(x.begin(), x.begin() + static_cast<long>(inner.axis));
  inner.statistics.resize(x.size(), 1);
  return inner;
}

// Input i repeated to the shape of the first.
absl::StatusOr<std::vector<double>> Repeated(const Call& call, size_t i) {
  const Shape& shape = call.ShapeOf(0);
  NEREID_RETURN_IF_ERROR(CheckBroadcastsTo(call.ShapeOf(i), shape));
  const std::vector<double> values = Read<double>(call.In(i));
  std::vector<double> repeated(static_cast<size_t>(Product(shape)));
  ForEachOffset<1>(shape, {BroadcastStrides(call.ShapeOf(i), shape)},
                   [&](int64_t k, const auto& at) {
                     repeated[static_cast<size_t>(k)] = values[static_cast<size_t>(at[0])];
                   });
  return repeated;
}

Results LayerNormalization(const Call& call) {
  NEREID_ASSIGN_OR_RETURN(const Inner inner, InnerOf(call));
  NEREID_ASSIGN_OR_RETURN(const std::vector<double> scale, Repeated(call, 1));
  std::vector<double> bias(scale.size(), 0.0);
  if (call.Has(2)) {
    NEREID_ASSIGN_OR_RETURN(bias, Repeated(call, 2));
  }
  const HostTensor& x = call.In(0);
  const double epsilon = call.node.Float("epsilon", 1e-5f);
  std::vector<double> values = Read<double>(x);
  std::vector<double> means;
  std::vector<double> inverses;
  for (size_t first = 0; first < values.size(); first += inner.size) {
    const Moments moments = MomentsOf(absl::MakeSpan(values).subspan(first, inner.size), epsilon);
    means.push_back(moments.mean);
    inverses.push_back(moments.inverse_deviation);
    for (size_t i = first; i < first + inner.size; ++i) {
      values[i] = (values[i] - moments.mean) * moments.inverse_deviation * scale[i] + bias[i];
    }
  }
  DataType stash = FromOnnxType(call.node.Int("stash_type", 1));
  if (!IsFloating(stash)) stash = DataType::kFp32;
  means.resize(static_cast<size_t>(Product(inner.statistics)));
  inverses.resize(means.size());
  return Several(Write(x.type(), x.shape(), values), Write(stash, inner.statistics, means),
                 Write(stash, inner.statistics, inverses));
}

Results RmsNormalization(const Call& call) {
  NEREID_ASSIGN_OR_RETURN(const Inner inner, InnerOf(call));
  NEREID_ASSIGN_OR_RETURN(const std::vector<double> scale, Repeated(call, 1));
  const HostTensor& x = call.In(0);
  const double epsilon = call.node.Float("epsilon", 1e-5f);
  std::vector<double> values = Read<double>(x);
  for (size_t first = 0; first < values.size(); first += inner.size) {
    double squares = 0;
    for (size_t i = first; i < first + inner.size; ++i) squares += values[i] * values[i];
    const double rms = std::sqrt(squares / static_cast<double>(inner.size) + epsilon);
    for (size_t i = first; i < first + inner.size; ++i) values[i] = values[i] / rms * scale[i];
  }
  return One(Write(x.type(), x.shape(), values));
}

// Across channels: y = x / (bias + alpha / size · Σ x²)^beta
Results Lrn(const Call& call) {
  NEREID_RETURN_IF_ERROR(CheckHasChannels(call));
  const int64_t size = call.node.Int("size", 0);
  if (size < 1) return Refuse("size is ", size);
  const double alpha = call.node.Float("alpha", 1e-4f);
  const double beta = call.node.Float("beta", 0.75f);
  const double bias = call.node.Float("bias", 1);
  const HostTensor& x = call.In(0);
  const AxisView view = ViewAlong(x.shape(), 1);
  const std::vector<double> values = Read<double>(x);
  std::vector<double> results(values.size());
  ForEachLine(view, [&](size_t, size_t base) {
    const auto at = [&](int64_t c) { return base + static_cast<size_t>(c * view.inner); };
    for (int64_t c = 0; c < view.extent; ++c) {
      double squares = 0;
      const int64_t first = std::max<int64_t>(0, c - (size - 1) / 2);
      const int64_t last = std::min(view.extent - 1, c + size / 2);
      for (int64_t k = first; k <= last; ++k) squares += values[at(k)] * values[at(k)];
      results[at(c)] =
          values[at(c)] / std::pow(bias + alpha / static_cast<double>(size) * squares, beta);
    }
  });
  return One(Write(x.type(), x.shape(), results));
}

// (x - mean) / deviation, both over `axes` (default: all but channels).
Results MeanVarianceNormalization(const Call& call) {
  const HostTensor& x = call.In(0);
  std::vector<int64_t> axes = call.node.Ints("axes");
  if (axes.empty()) axes = {0, 2, 3};
  NEREID_ASSIGN_OR_RETURN(const auto reduced, AxesOf(axes, x.shape().size()));
  Shape kept = x.shape();
  for (const size_t axis : reduced) kept[axis] = 1;
  const Strides group = BroadcastStrides(kept, x.shape());
  std::vector<double> values = Read<double>(x);
  const auto groups = static_cast<size_t>(Product(kept));
  std::vector<double> means(groups);
  std::vector<double> variances(groups);
  const double members = static_cast<double>(values.size()) / static_cast<double>(groups);
  ForEachOffset<1>(x.shape(), {group}, [&](int64_t i, const auto& at) {
    means[static_cast<size_t>(at[0])] += values[static_cast<size_t>(i)] / members;
  });
  ForEachOffset<1>(x.shape(), {group}, [&](int64_t i, const auto& at) {
    double& value = values[static_cast<size_t>(i)];
    value -= means[static_cast<size_t>(at[0])];
    variances[static_cast<size_t>(at[0])] += value * value / members;
  });
  ForEachOffset<1>(x.shape(), {group}, [&](int64_t i, const auto& at) {
    values[static_cast<size_t>(i)] /= std::sqrt(variances[static_cast<size_t>(at[0])]) + 1e-9;
  });
  return One(Write(x.type(), x.shape(), values));
}

constexpr OperatorRow kOperators[] = {
    {"BatchNormalization", BatchNormalization, 5, Accepts::kFloats},
    {"GroupNormalization", GroupNormalization, 3, Accepts::kFloats},
    {"InstanceNormalization", InstanceNormalization, 3, Accepts::kFloats},
    {"LRN", Lrn, 1, Accepts::kFloats},
    {"LayerNormalization", LayerNormalization, 2, Accepts::kFloats},
    {"MeanVarianceNormalization", MeanVarianceNormalization, 1, Accepts::kFloats},
    {"RMSNormalization", RmsNormalization, 2, Accepts::kFloats},
};

}  // namespace

absl::Span<const OperatorRow> NormalizationOperators() { return kOperators; }

}  // namespace nereid::engine
