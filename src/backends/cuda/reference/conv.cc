#include "backends/cuda/reference/conv.h"

#include <algorithm>

#include "backends/cuda/ir/nereid_ops.h"
#include "backends/cuda/reference/numbers.h"
#include "backends/cuda/reference/operator.h"

namespace nereid::engine {
namespace {

// Output positions [first, last) along an axis whose tap `k` lies inside the image.
struct Reachable {
  int64_t first;
  int64_t last;
};

Reachable ReachableOutputs(const Window& w, size_t axis, int64_t k) {
  const int64_t shift = w.pad_begin[axis] - k * w.dilation[axis];  // input = o · stride - shift
  const int64_t stride = w.stride[axis];
  const int64_t first = shift <= 0 ? 0 : (shift + stride - 1) / stride;
  const int64_t beyond = w.input[axis] - 1 + shift;
  const int64_t last = beyond < 0 ? 0 : beyond / stride + 1;
  return {first, std::min(last, w.output[axis])};
}

// A kernel of ones that does not move beyond the image is a product of matrices: one long axis.
Window Simplified(Window w) {
  const bool is_pointwise = w.kernel_size() == 1 && w.input == w.output &&
                            w.stride == Window::Axes{1, 1, 1} &&
                            w.pad_begin == Window::Axes{0, 0, 0};
  if (is_pointwise) {
    w.input = {1, 1, w.input_size()};
    w.output = w.input;
  }
  return w;
}

// Adds to `plane` (an output channel) one input channel seen through one tap.
void AddTap(const Window& w, const double* image, double weight, const Window::Axes& tap,
            double* plane) {
  const Reachable depth = ReachableOutputs(w, 0, tap[0]);
  const Reachable rows = ReachableOutputs(w, 1, tap[1]);
  const Reachable columns = ReachableOutputs(w, 2, tap[2]);
  const int64_t stride = w.stride[2];
  for (int64_t d = depth.first; d < depth.last; ++d) {
    for (int64_t r = rows.first; r < rows.last; ++r) {
      const int64_t from_row = w.InputAt(0, d, tap[0]) * w.input[1] + w.InputAt(1, r, tap[1]);
      const double* from = image + from_row * w.input[2] + w.InputAt(2, 0, tap[2]);
      double* to = plane + (d * w.output[1] + r) * w.output[2];
      if (stride == 1) {
        for (int64_t c = columns.first; c < columns.last; ++c) to[c] += weight * from[c];
      } else {
        for (int64_t c = columns.first; c < columns.last; ++c) to[c] += weight * from[c * stride];
      }
    }
  }
}

template <typename Visit>
void ForEachTap(const Window& w, Visit visit) {
  int64_t i = 0;
  Window::Axes tap{};
  for (tap[0] = 0; tap[0] < w.kernel[0]; ++tap[0]) {
    for (tap[1] = 0; tap[1] < w.kernel[1]; ++tap[1]) {
      for (tap[2] = 0; tap[2] < w.kernel[2]; ++tap[2]) visit(i++, tap);
    }
  }
}

absl::Status CheckConv(const Shape& x, const Shape& w, int64_t group) {
  if (x.size() < 3 || w.size() != x.size()) {
    return Refuse("input and weight have the shapes ", ShapeToString(x), " and ", ShapeToString(w));
  }
  if (group < 1 || x[1] % group != 0 || w[0] % group != 0 || w[1] != x[1] / group) {
    return Refuse("weight ", ShapeToString(w), " does not fit ", x[1], " channels in ", group,
                  " groups");
  }
  return absl::OkStatus();
}

absl::Status AddBias(const HostTensor& bias, const Shape& shape, std::vector<double>& values) {
  if (bias.shape() != Shape{shape[1]}) {
    return Refuse("the bias has the shape ", ShapeToString(bias.shape()));
  }
  const std::vector<double> b = Read<double>(bias);
  const size_t plane = static_cast<size_t>(Product(absl::Span<const int64_t>(shape).subspan(2)));
  for (size_t i = 0; i < values.size(); ++i) values[i] += b[i / plane % b.size()];
  return absl::OkStatus();
}

Results Conv(const Call& call) {
  NEREID_ASSIGN_OR_RETURN(Numbers<double> y,
                          Convolve(call.node, {Read<double>(call.In(0)), call.ShapeOf(0)},
                                   {Read<double>(call.In(1)), call.ShapeOf(1)}));
  if (call.Has(2)) NEREID_RETURN_IF_ERROR(AddBias(call.In(2), y.shape, y.values));
  if (call.node.domain == kNereidDomain) {
    if (call.Has(3)) {
      if (call.ShapeOf(3) != y.shape) return Refuse("the residual has another shape");
      const std::vector<double> residual = Read<double>(call.In(3));
      for (size_t i = 0; i < residual.size(); ++i) y.values[i] += residual[i];
    }
    const std::string activation = call.node.String("activation", "");
    if (activation != "" && activation != "Relu") return Refuse("activation is ", activation);
    if (activation == "Relu") {
      for (double& value : y.values) value = value < 0 ? 0 : value;
    }
  }
  return One(Write(call.In(0).type(), y.shape, y.values));
}

// Adds to `plane` (an output channel) one input channel spread through one tap.
void SpreadTap(const Window& w, const double* image, double weight, const Window::Axes& tap,
               double* plane) {
  const auto to = [&](size_t axis, int64_t i) {
    return i * w.stride[axis] - w.pad_begin[axis] + tap[axis] * w.dilation[axis];
  };
  const auto is_inside = [&](size_t axis, int64_t o) { return o >= 0 && o < w.output[axis]; };
  for (int64_t d = 0; d < w.input[0]; ++d) {
    if (!is_inside(0, to(0, d))) continue;
    for (int64_t r = 0; r < w.input[1]; ++r) {
      if (!is_inside(1, to(1, r))) continue;
      const double* from = image + (d * w.input[1] + r) * w.input[2];
      double* row = plane + (to(0, d) * w.output[1] + to(1, r)) * w.output[2];
      for (int64_t c = 0; c < w.input[2]; ++c) {
        const int64_t at = to(2, c);
        if (is_inside(2, at)) row[at] += weight * from[c];
      }
    }
  }
}

// x [N, C, image…], w [C, M / group, kernel…]
Results ConvTranspose(const Call& call) {
  const Shape& x = call.ShapeOf(0);
  const Shape& w = call.ShapeOf(1);
  const int64_t group = call.node.Int("group", 1);
  if (x.size() < 3 || w.size() != x.size() || w[0] != x[1] || group < 1 || x[1] % group != 0) {
    return Refuse("weight ", ShapeToString(w), " does not fit ", ShapeToString(x));
  }
  NEREID_ASSIGN_OR_RETURN(const Window window,
                          MakeTransposedWindow(call.node, absl::Span<const int64_t>(x).subspan(2),
                                               absl::Span<const int64_t>(w).subspan(2)));
  const int64_t in_group = x[1] / group;
  const int64_t out_group = w[1];
  const Shape shape = window.OutputShape(x[0], out_group * group);
  NEREID_ASSIGN_OR_RETURN(const int64_t count, CountOf(shape));
  std::vector<double> y(static_cast<size_t>(count));
  const std::vector<double> images = Read<double>(call.In(0));
  const std::vector<double> weights = Read<double>(call.In(1));
  for (int64_t n = 0; n < x[0]; ++n) {
    for (int64_t c = 0; c < x[1]; ++c) {
      for (int64_t m = 0; m < out_group; ++m) {
        const double* image = images.data() + (n * x[1] + c) * window.input_size();
        const double* taps = weights.data() + (c * out_group + m) * window.kernel_size();
        double* plane =
            y.data() + (n * shape[1] + c / in_group * out_group + m) * window.output_size();
        ForEachTap(window, [&](int64_t i, const Window::Axes& tap) {
          SpreadTap(window, image, taps[i], tap, plane);
        });
      }
    }
  }
  if (call.Has(2)) NEREID_RETURN_IF_ERROR(AddBias(call.In(2), shape, y));
  return One(Write(call.In(0).type(), shape, y));
}

constexpr OperatorRow kOperators[] = {
    {"Conv", Conv, 2, Accepts::kFloats},
    {"ConvTranspose", ConvTranspose, 2, Accepts::kFloats},
    {"nereid.FusedConv", Conv, 2, Accepts::kFloats},
};

}  // namespace

absl::StatusOr<Numbers<double>> Convolve(const Node& node, const Numbers<double>& x,
                                         const Numbers<double>& w) {
  const int64_t group = node.Int("group", 1);
  NEREID_RETURN_IF_ERROR(CheckConv(x.shape, w.shape, group));
  NEREID_ASSIGN_OR_RETURN(Window window,
                          MakeWindow(node, absl::Span<const int64_t>(x.shape).subspan(2),
                                     absl::Span<const int64_t>(w.shape).subspan(2)));
  Numbers<double> y{.values = {}, .shape = window.OutputShape(x.shape[0], w.shape[0])};
  NEREID_ASSIGN_OR_RETURN(const int64_t count, CountOf(y.shape));
  y.values.resize(static_cast<size_t>(count));
  window = Simplified(window);
  const int64_t channels = w.shape[1];
  const int64_t out_group = w.shape[0] / group;
  for (int64_t plane = 0; plane < x.shape[0] * w.shape[0]; ++plane) {
    const int64_t m = plane % w.shape[0];
    const int64_t first = plane / w.shape[0] * x.shape[1] + m / out_group * channels;
    for (int64_t c = 0; c < channels; ++c) {
      const double* image = x.values.data() + (first + c) * window.input_size();
      const double* taps = w.values.data() + (m * channels + c) * window.kernel_size();
      double* to = y.values.data() + plane * window.output_size();
      ForEachTap(window, [&](int64_t i, const Window::Axes& tap) {
        AddTap(window, image, taps[i], tap, to);
      });
    }
  }
  return y;
}

absl::Span<const OperatorRow> ConvOperators() { return kOperators; }

}  // namespace nereid::engine
