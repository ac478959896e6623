#include <algorithm>
#include <cmath>
#include <limits>

#include "backends/cuda/reference/elements.h"
#include "backends/cuda/reference/numbers.h"
#include "backends/cuda/reference/window.h"

namespace nereid::engine {
namespace {

// Calls visit(output position, window position) for each place of the window over one channel.
template <typename Visit>
void ForEachPlace(const Window& w, Visit visit) {
  int64_t i = 0;
  Window::Axes o{};
  for (o[0] = 0; o[0] < w.output[0]; ++o[0]) {
    for (o[1] = 0; o[1] < w.output[1]; ++o[1]) {
      for (o[2] = 0; o[2] < w.output[2]; ++o[2]) visit(i++, o);
    }
  }
}

// Calls visit(position in the channel, indices) for each pixel that the window at `o` sees.
template <typename Visit>
void ForEachPixel(const Window& w, const Window::Axes& o, Visit visit) {
  std::array<Window::Taps, Window::kAxes> taps;
  for (size_t d = 0; d < Window::kAxes; ++d) taps[d] = w.TapsWithin(d, o[d], 0, w.input[d]);
  Window::Axes k{};
  Window::Axes at{};
  for (k[0] = taps[0].first; k[0] < taps[0].last; ++k[0]) {
    at[0] = w.InputAt(0, o[0], k[0]);
    for (k[1] = taps[1].first; k[1] < taps[1].last; ++k[1]) {
      at[1] = w.InputAt(1, o[1], k[1]);
      for (k[2] = taps[2].first; k[2] < taps[2].last; ++k[2]) {
        at[2] = w.InputAt(2, o[2], k[2]);
        visit((at[0] * w.input[1] + at[1]) * w.input[2] + at[2], at);
      }
    }
  }
}

absl::StatusOr<Window> PoolWindow(const Call& call) {
  const Shape& x = call.ShapeOf(0);
  if (x.size() < 3) return Refuse("the input has the shape ", ShapeToString(x));
  NEREID_ASSIGN_OR_RETURN(Window window,
                          MakeWindow(call.node, absl::Span<const int64_t>(x).subspan(2),
                                     call.node.Ints("kernel_shape")));
  NEREID_RETURN_IF_ERROR(CountOf(window.OutputShape(x[0], x[1])).status());
  return window;
}

// Taps of the window at `o` that lie in the image or its pads.
double PaddedTaps(const Window& w, const Window::Axes& o) {
  double taps = 1;
  for (size_t d = 0; d < Window::kAxes; ++d) {
    const Window::Taps inside = w.TapsWithin(d, o[d], -w.pad_begin[d], w.input[d] + w.pad_end[d]);
    taps *= static_cast<double>(std::max<int64_t>(inside.last - inside.first, 0));
  }
  return taps;
}

// A value for each place of the window: make(window, channel's values, place).
template <typename Make>
Results Pool(const Call& call, Make make) {
  NEREID_ASSIGN_OR_RETURN(const Window w, PoolWindow(call));
  const HostTensor& x = call.In(0);
  const Shape shape = w.OutputShape(x.shape()[0], x.shape()[1]);
  const std::vector<double> values = Read<double>(x);
  std::vector<double> results(static_cast<size_t>(Product(shape)));
  for (int64_t plane = 0; plane < shape[0] * shape[1]; ++plane) {
    const double* image = values.data() + plane * w.input_size();
    double* to = results.data() + plane * w.output_size();
    ForEachPlace(w, [&](int64_t i, const Window::Axes& o) { to[i] = make(w, image, o); });
  }
  return One(Write(x.type(), shape, results));
}

Results AveragePool(const Call& call) {
  const bool with_pads = call.node.Int("count_include_pad", 0) != 0;
  return Pool(call, [=](const Window& w, const double* image, const Window::Axes& o) {
    double sum = 0;
    double seen = 0;
    ForEachPixel(w, o, [&](int64_t at, const Window::Axes&) {
      sum += image[at];
      ++seen;
    });
    return sum / (with_pads ? PaddedTaps(w, o) : seen);
  });
}

Results LpPool(const Call& call) {
  const auto p = static_cast<double>(call.node.Int("p", 2));
  return Pool(call, [=](const Window& w, const double* image, const Window::Axes& o) {
    double sum = 0;
    ForEachPixel(
        w, o, [&](int64_t at, const Window::Axes&) { sum += std::pow(std::fabs(image[at]), p); });
    return std::pow(sum, 1 / p);
  });
}

// Position of a pixel for Indices: with storage_order 1 the first spatial axis runs fastest.
int64_t IndexOf(const Window& w, const Window::Axes& at, bool column_major) {
  if (!column_major) return (at[0] * w.input[1] + at[1]) * w.input[2] + at[2];
  return at[0] + w.input[0] * (at[1] + w.input[1] * at[2]);
}

// Also int8 and uint8. A NaN is larger than every number.
Results MaxPool(const Call& call) {
  NEREID_ASSIGN_OR_RETURN(const Window w, PoolWindow(call));
  const HostTensor& x = call.In(0);
  const Shape shape = w.OutputShape(x.shape()[0], x.shape()[1]);
  const bool column_major = call.node.Int("storage_order", 0) != 0;
  const std::vector<double> values = Read<double>(x);
  const double lowest =
      IsInteger(x.type()) ? RangeOf(x.type()).lowest : -std::numeric_limits<double>::infinity();
  std::vector<double> results(static_cast<size_t>(Product(shape)), lowest);
  std::vector<int64_t> indices(results.size());
  for (int64_t plane = 0; plane < shape[0] * shape[1]; ++plane) {
    const double* image = values.data() + plane * w.input_size();
    const auto first = static_cast<size_t>(plane * w.output_size());
    ForEachPlace(w, [&](int64_t i, const Window::Axes& o) {
      double& best = results[first + static_cast<size_t>(i)];
      bool is_first = true;
      ForEachPixel(w, o, [&](int64_t at, const Window::Axes& pixel) {
        if (!is_first && !(image[at] > best) && image[at] == image[at]) return;
        is_first = false;
        best = image[at];
        indices[first + static_cast<size_t>(i)] =
            plane * w.input_size() + IndexOf(w, pixel, column_major);
      });
    });
  }
  return Several(Write(x.type(), shape, results), Write(DataType::kInt64, shape, indices));
}

// Puts x [N, C, …] back where MaxPool's indices say.
Results MaxUnpool(const Call& call) {
  const HostTensor& x = call.In(0);
  if (x.shape().size() < 3 || call.ShapeOf(1) != x.shape()) return Refuse("the shapes differ");
  Shape shape = x.shape();
  NEREID_ASSIGN_OR_RETURN(
      const Window w, MakeTransposedWindow(call.node, absl::Span<const int64_t>(shape).subspan(2),
                                           call.node.Ints("kernel_shape")));
  const Shape natural = w.OutputShape(shape[0], shape[1]);
  shape = natural;
  if (call.Has(2)) {
    NEREID_ASSIGN_OR_RETURN(const std::vector<int64_t> given, call.Integers(2));
    if (given.size() != shape.size()) return Refuse("output_shape has another rank");
    shape.assign(given.begin(), given.end());
  }
  NEREID_ASSIGN_OR_RETURN(const int64_t count, CountOf(shape));
  NEREID_ASSIGN_OR_RETURN(const std::vector<int64_t> indices, call.Integers(1));
  const Strides to = ContiguousStrides(shape);
  const Strides from = ContiguousStrides(natural);
  std::vector<int64_t> source(static_cast<size_t>(count), -1);
  for (size_t i = 0; i < indices.size(); ++i) {
    // The index counts in the unpadded output; output_shape may be larger.
    if (indices[i] < 0 || indices[i] >= Product(natural)) return Refuse("index ", indices[i]);
    int64_t at = 0;
    for (size_t d = 0; d < shape.size(); ++d) {
      const int64_t along = indices[i] / from[d] % natural[d];
      if (along >= shape[d]) return Refuse("index ", indices[i], " lies outside the output");
      at += along * to[d];
    }
    source[static_cast<size_t>(at)] = static_cast<int64_t>(i);
  }
  return One(Take(x, shape, source));
}

// One value a channel: finish(fold of step over its pixels, pixels).
template <auto step, auto finish>
Results Global(const Call& call, double start) {
  const HostTensor& x = call.In(0);
  if (x.shape().size() < 2) return Refuse("the input has the shape ", ShapeToString(x.shape()));
  Shape shape(x.shape().size(), 1);
  shape[0] = x.shape()[0];
  shape[1] = x.shape()[1];
  const std::vector<double> values = Read<double>(x);
  std::vector<double> totals(static_cast<size_t>(Product(shape)), start);
  const size_t plane = totals.empty() ? 1 : values.size() / totals.size();
  for (size_t i = 0; i < values.size(); ++i) totals[i / plane] = step(totals[i / plane], values[i]);
  for (double& total : totals) total = finish(total, static_cast<double>(plane));
  return One(Write(x.type(), shape, totals));
}

Results GlobalAveragePool(const Call& call) {
  return Global<[](double sum, double x) { return sum + x; },
                [](double sum, double pixels) { return sum / pixels; }>(call, 0);
}

Results GlobalMaxPool(const Call& call) {
  return Global<[](double best, double x) { return (x > best || x != x) ? x : best; },
                [](double best, double) { return best; }>(call,
                                                          -std::numeric_limits<double>::infinity());
}

Results GlobalLpPool(const Call& call) {
  const auto p = static_cast<double>(call.node.Int("p", 2));
  const HostTensor& x = call.In(0);
  std::vector<double> powers = Read<double>(x);
  for (double& value : powers) value = std::pow(std::fabs(value), p);
  const HostTensor raised = Write(DataType::kFp64, x.shape(), powers);
  const HostTensor* inputs[] = {&raised};
  NEREID_ASSIGN_OR_RETURN(
      auto sums,
      (Global<[](double sum, double v) { return sum + v; }, [](double sum, double) { return sum; }>(
          {.graph = call.graph, .node = call.node, .inputs = inputs, .captures = {}}, 0)));
  std::vector<double> norms = Read<double>(sums[0]);
  for (double& norm : norms) norm = std::pow(norm, 1 / p);
  return One(Write(x.type(), sums[0].shape(), norms));
}

constexpr OperatorRow kOperators[] = {
    {"AveragePool", AveragePool, 1, Accepts::kFloats},
    {"GlobalAveragePool", GlobalAveragePool, 1, Accepts::kFloats},
    {"GlobalLpPool", GlobalLpPool, 1, Accepts::kFloats},
    {"GlobalMaxPool", GlobalMaxPool, 1, Accepts::kFloats},
    {"LpPool", LpPool, 1, Accepts::kFloats},
    {"MaxPool", MaxPool, 1},
    {"MaxUnpool", MaxUnpool, 2},
};

}  // namespace

absl::Span<const OperatorRow> PoolOperators() { return kOperators; }

}  // namespace nereid::engine
