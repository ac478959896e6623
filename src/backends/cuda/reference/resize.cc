#include <algorithm>
#include <cmath>
#include <numeric>

#include "backends/cuda/reference/elements.h"
#include "backends/cuda/reference/numbers.h"
#include "backends/cuda/reference/operator.h"

namespace nereid::engine {
namespace {

// One axis of a Resize.
struct AxisPlan {
  int64_t input = 1;
  int64_t output = 1;
  double scale = 1;
  double roi_start = 0;
  double roi_end = 1;
  bool is_resized() const {
    return input != output || scale != 1 || roi_start != 0 || roi_end != 1;
  }
};

// Where output position `o` lies in the input.
using Coordinate = double (*)(const AxisPlan& axis, double o);

// The output extent before it was rounded down.
double ExactOutput(const AxisPlan& axis) { return axis.scale * static_cast<double>(axis.input); }

struct CoordinateRow {
  std::string_view name;
  Coordinate coordinate;
};
constexpr CoordinateRow kCoordinates[] = {
    {"half_pixel", [](const AxisPlan& axis, double o) { return (o + 0.5) / axis.scale - 0.5; }},
    {"half_pixel_symmetric",
     [](const AxisPlan& axis, double o) {
       const double adjustment = static_cast<double>(axis.output) / ExactOutput(axis);
       const double offset = static_cast<double>(axis.input) / 2 * (1 - adjustment);
       return offset + (o + 0.5) / axis.scale - 0.5;
     }},
    {"pytorch_half_pixel",
     [](const AxisPlan& axis, double o) {
       return axis.output > 1 ? (o + 0.5) / axis.scale - 0.5 : 0.0;
     }},
    {"align_corners",
     [](const AxisPlan& axis, double o) {
       const double output = ExactOutput(axis);
       return output == 1 ? 0.0 : o * static_cast<double>(axis.input - 1) / (output - 1);
     }},
    {"asymmetric", [](const AxisPlan& axis, double o) { return o / axis.scale; }},
    {"tf_crop_and_resize",
     [](const AxisPlan& axis, double o) {
       const auto last = static_cast<double>(axis.input - 1);
       if (axis.output == 1) return 0.5 * (axis.roi_start + axis.roi_end) * last;
       return axis.roi_start * last +
              o * (axis.roi_end - axis.roi_start) * last / static_cast<double>(axis.output - 1);
     }},
};

using Rounding = double (*)(double x);
struct RoundingRow {
  std::string_view name;
  Rounding round;
};
constexpr RoundingRow kRoundings[] = {
    {"round_prefer_floor", [](double x) { return std::ceil(x - 0.5); }},
    {"round_prefer_ceil", [](double x) { return std::floor(x + 0.5); }},
    {"floor", [](double x) { return std::floor(x); }},
    {"ceil", [](double x) { return std::ceil(x); }},
};

// The weight of a sample at distance x.
double LinearKernel(double x, double) { return std::max(0.0, 1 - std::fabs(x)); }
double CubicKernel(double x, double a) {
  x = std::fabs(x);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  return 0;
}

struct Interpolation {
  double (*kernel)(double x, double a) = nullptr;  // nullptr: nearest
  double reach = 1;                                // of the kernel, to either side
  double a = -0.75;
  bool antialias = false;
  bool exclude_outside = false;
};

struct Settings {
  Coordinate coordinate = nullptr;
  Rounding round = nullptr;
  Interpolation interpolation;
  bool extrapolates = false;
};

template <typename Row, size_t n>
const Row* FindRow(const Row (&rows)[n], const std::string& name) {
  const auto* found = std::find_if(std::begin(rows), std::end(rows),
                                   [&](const Row& row) { return row.name == name; });
  return found == std::end(rows) ? nullptr : found;
}

absl::StatusOr<Settings> ReadSettings(const Node& node) {
  Settings settings;
  const std::string coordinate = node.String("coordinate_transformation_mode", "half_pixel");
  const CoordinateRow* mapping = FindRow(kCoordinates, coordinate);
  if (mapping == nullptr) return Refuse("coordinate_transformation_mode is '", coordinate, "'");
  settings.coordinate = mapping->coordinate;
  settings.extrapolates = coordinate == "tf_crop_and_resize";
  const std::string nearest = node.String("nearest_mode", "round_prefer_floor");
  const RoundingRow* rounding = FindRow(kRoundings, nearest);
  if (rounding == nullptr) return Refuse("nearest_mode is '", nearest, "'");
  settings.round = rounding->round;
  Interpolation& how = settings.interpolation;
  how.a = node.Float("cubic_coeff_a", -0.75f);
  how.antialias = node.Int("antialias", 0) != 0;
  how.exclude_outside = node.Int("exclude_outside", 0) != 0;
  const std::string mode = node.String("mode", "nearest");
  if (mode == "linear") {
    how.kernel = LinearKernel;
  } else if (mode == "cubic") {
    how.kernel = CubicKernel;
    how.reach = 2;
  } else if (mode != "nearest") {
    return Refuse("mode is '", mode, "'");
  }
  return settings;
}

// Input samples that make one output sample.
struct Tap {
  int64_t at;
  double weight;
};

std::vector<Tap> TapsAt(const AxisPlan& axis, double x, const Interpolation& how) {
  const double shrink = how.antialias ? std::min(axis.scale, 1.0) : 1.0;
  const double base = std::floor(x);
  const auto start = static_cast<int64_t>(std::floor(-how.reach / shrink)) + 1;
  std::vector<Tap> taps;
  double sum = 0;
  for (int64_t i = start; i <= 1 - start; ++i) {
    const int64_t at = static_cast<int64_t>(base) + i;
    const bool is_outside = at < 0 || at >= axis.input;
    double weight = how.kernel((base + static_cast<double>(i) - x) * shrink, how.a);
    if (is_outside && how.exclude_outside) weight = 0;
    sum += weight;
    taps.push_back({std::clamp<int64_t>(at, 0, axis.input - 1), weight});
  }
  if (how.exclude_outside || how.antialias) {
    for (Tap& tap : taps) tap.weight /= sum;
  }
  return taps;
}

// Resamples one axis of a dense tensor.
void ResampleAxis(const AxisPlan& axis, const Settings& settings, size_t d, Shape& shape,
                  std::vector<double>& values) {
  const AxisView view = ViewAlong(shape, d);
  shape[d] = axis.output;
  std::vector<double> results(static_cast<size_t>(Product(shape)), 0.0);
  for (int64_t o = 0; o < axis.output; ++o) {
    const double x = settings.coordinate(axis, static_cast<double>(o));
    for (const Tap& tap : TapsAt(axis, x, settings.interpolation)) {
      for (int64_t outer = 0; outer < view.outer; ++outer) {
        const double* from = values.data() + (outer * axis.input + tap.at) * view.inner;
        double* to = results.data() + (outer * axis.output + o) * view.inner;
        for (int64_t i = 0; i < view.inner; ++i) to[i] += tap.weight * from[i];
      }
    }
  }
  values = std::move(results);
}

// The axes that roi, scales and sizes speak of.
absl::StatusOr<std::vector<size_t>> ResizedAxes(const Call& call) {
  std::vector<int64_t> axes = call.node.Ints("axes");
  if (axes.empty()) {
    axes.resize(call.ShapeOf(0).size());
    std::iota(axes.begin(), axes.end(), 0);
  }
  return AxesOf(axes, call.ShapeOf(0).size());
}

bool IsGiven(const Call& call, size_t i) { return call.Has(i) && call.In(i).element_count() > 0; }

absl::Status ApplyRoi(const Call& call, const std::vector<size_t>& axes,
                      std::vector<AxisPlan>& plan) {
  if (!IsGiven(call, 1)) return absl::OkStatus();
  const HostTensor& roi = call.In(1);
  if (roi.element_count() != static_cast<int64_t>(2 * axes.size())) {
    return Refuse("roi has ", roi.element_count(), " elements");
  }
  for (size_t i = 0; i < axes.size(); ++i) {
    plan[axes[i]].roi_start = roi.AsDouble(static_cast<int64_t>(i));
    plan[axes[i]].roi_end = roi.AsDouble(static_cast<int64_t>(axes.size() + i));
    for (const double edge : {plan[axes[i]].roi_start, plan[axes[i]].roi_end}) {
      if (!(std::fabs(edge) < 1e6)) return Refuse("roi has ", edge);
    }
  }
  return absl::OkStatus();
}

absl::Status ApplyScales(const Call& call, const std::vector<size_t>& axes,
                         std::vector<AxisPlan>& plan) {
  const HostTensor& scales = call.In(2);
  if (scales.element_count() != static_cast<int64_t>(axes.size())) {
    return Refuse("scales has ", scales.element_count(), " elements");
  }
  for (size_t i = 0; i < axes.size(); ++i) {
    AxisPlan& axis = plan[axes[i]];
    axis.scale = scales.AsDouble(static_cast<int64_t>(i));
    if (!(axis.scale > 0 && axis.scale < 1e9)) return Refuse("a scale is ", axis.scale);
    // In single precision, as extents are inferred everywhere.
    axis.output = static_cast<int64_t>(std::floor(
        static_cast<float>(axis.input) * static_cast<float>(axis.roi_end - axis.roi_start) *
        static_cast<float>(axis.scale)));
  }
  return absl::OkStatus();
}

absl::Status ApplySizes(const Call& call, const std::vector<size_t>& axes,
                        std::vector<AxisPlan>& plan) {
  NEREID_ASSIGN_OR_RETURN(const std::vector<int64_t> sizes, call.Integers(3));
  if (sizes.size() != axes.size()) return Refuse("sizes has ", sizes.size(), " elements");
  std::vector<double> scales;
  for (size_t i = 0; i < axes.size(); ++i) {
    if (plan[axes[i]].input == 0 || sizes[i] < 0 || sizes[i] > kMaxElements)
      return Refuse("a size is ", sizes[i]);
    scales.push_back(static_cast<double>(sizes[i]) / static_cast<double>(plan[axes[i]].input));
  }
  const std::string policy = call.node.String("keep_aspect_ratio_policy", "stretch");
  if (policy != "stretch" && policy != "not_larger" && policy != "not_smaller") {
    return Refuse("keep_aspect_ratio_policy is '", policy, "'");
  }
  const auto [smallest, largest] = std::minmax_element(scales.begin(), scales.end());
  const double common = policy == "not_larger" ? *smallest : *largest;
  for (size_t i = 0; i < axes.size(); ++i) {
    AxisPlan& axis = plan[axes[i]];
    axis.scale = policy == "stretch" ? scales[i] : common;
    axis.output =
        policy == "stretch" ? sizes[i] : static_cast<int64_t>(std::floor(ExactOutput(axis) + 0.5));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<AxisPlan>> MakePlan(const Call& call, bool crops) {
  std::vector<AxisPlan> plan;
  for (const int64_t extent : call.ShapeOf(0)) {
    plan.push_back({.input = extent, .output = extent});
  }
  NEREID_ASSIGN_OR_RETURN(const std::vector<size_t> axes, ResizedAxes(call));
  if (axes.empty()) return plan;
  if (crops) NEREID_RETURN_IF_ERROR(ApplyRoi(call, axes, plan));
  if (IsGiven(call, 2) == IsGiven(call, 3)) return Refuse("it takes either scales or sizes");
  NEREID_RETURN_IF_ERROR(IsGiven(call, 2) ? ApplyScales(call, axes, plan)
                                          : ApplySizes(call, axes, plan));
  return plan;
}

// Elements whose place lies outside the image take a value of their own.
void Extrapolate(const std::vector<AxisPlan>& plan, const Settings& settings, double value,
                 const Shape& shape, std::vector<double>& values) {
  ForEachIndex(shape, [&](int64_t i, const Strides& index) {
    for (size_t d = 0; d < plan.size(); ++d) {
      if (!plan[d].is_resized()) continue;
      const double x = settings.coordinate(plan[d], static_cast<double>(index[d]));
      if (x < 0 || x > static_cast<double>(plan[d].input - 1)) {
        values[static_cast<size_t>(i)] = value;
      }
    }
  });
}

HostTensor TakeNearest(const HostTensor& x, const std::vector<AxisPlan>& plan,
                       const Settings& settings) {
  std::vector<std::vector<int64_t>> along(plan.size());
  for (size_t d = 0; d < plan.size(); ++d) {
    for (int64_t o = 0; o < plan[d].output; ++o) {
      const double at = plan[d].is_resized()
                            ? settings.round(settings.coordinate(plan[d], static_cast<double>(o)))
                            : static_cast<double>(o);
      along[d].push_back(
          static_cast<int64_t>(std::clamp(at, 0.0, static_cast<double>(plan[d].input - 1))));
    }
  }
  return TakeGrid(x, along);
}

Results Resize(const Call& call) {
  const HostTensor& x = call.In(0);
  NEREID_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(call.node));
  NEREID_ASSIGN_OR_RETURN(const std::vector<AxisPlan> plan, MakePlan(call, settings.extrapolates));
  Shape shape;
  for (const AxisPlan& axis : plan) shape.push_back(axis.output);
  NEREID_ASSIGN_OR_RETURN(const int64_t count, CountOf(shape));
  if (count == 0) return One(HostTensor(x.type(), shape));
  if (x.element_count() == 0) return Refuse("the input is empty");
  const bool is_nearest = settings.interpolation.kernel == nullptr;
  if (is_nearest && !settings.extrapolates) return One(TakeNearest(x, plan, settings));
  if (x.type() == DataType::kBytes) return Refuse("strings cannot be interpolated");
  std::vector<double> values = Read<double>(is_nearest ? TakeNearest(x, plan, settings) : x);
  Shape current = x.shape();
  for (size_t d = 0; d < plan.size() && !is_nearest; ++d) {
    if (!plan[d].is_resized()) continue;
    Shape next = current;
    next[d] = plan[d].output;
    NEREID_RETURN_IF_ERROR(CountOf(next).status());
    ResampleAxis(plan[d], settings, d, current, values);
  }
  if (settings.extrapolates) {
    Extrapolate(plan, settings, call.node.Float("extrapolation_value", 0), shape, values);
  }
  return One(Write(x.type(), shape, values));
}

constexpr OperatorRow kOperators[] = {{"Resize", Resize, 1, Accepts::kAnything}};

}  // namespace

absl::Span<const OperatorRow> ResizeOperators() { return kOperators; }

}  // namespace nereid::engine
