#include <algorithm>
#include <cmath>
#include <numbers>

#include "backends/cuda/ir/onnx_type.h"
#include "backends/cuda/reference/numbers.h"
#include "backends/cuda/reference/operator.h"

namespace nereid::engine {
namespace {

// Complex numbers are pairs along a last axis of extent 2; real ones have extent 1 there.

struct Complex {
  double re = 0;
  double im = 0;
};

// Term `k` of the transform of `length` samples; those that the signal lacks are zero.
template <typename Sample>
Complex TransformTerm(Sample sample, int64_t available, int64_t length, int64_t k, double sign) {
  Complex sum;
  for (int64_t n = 0; n < std::min(available, length); ++n) {
    const double angle = sign * 2 * std::numbers::pi * static_cast<double>(k * n % length) /
                         static_cast<double>(length);
    const Complex x = sample(n);
    sum.re += x.re * std::cos(angle) - x.im * std::sin(angle);
    sum.im += x.re * std::sin(angle) + x.im * std::cos(angle);
  }
  return sum;
}

// x […, 1 or 2], length?, axis? → […, 2]; a one-sided inverse makes real numbers of half a
// spectrum.
Results Dft(const Call& call) {
  const HostTensor& x = call.In(0);
  const size_t rank = x.shape().size();
  if (rank < 2 || x.shape().back() < 1 || x.shape().back() > 2) return Refuse("no signal");
  NEREID_ASSIGN_OR_RETURN(const int64_t given_axis, call.Integer(2, call.node.Int("axis", -2)));
  NEREID_ASSIGN_OR_RETURN(const size_t axis, AxisOf(given_axis, rank));
  if (axis + 1 == rank) return Refuse("the axis is that of the complex numbers");
  const bool inverse = call.node.Int("inverse", 0) != 0;
  const bool onesided = call.node.Int("onesided", 0) != 0;
  const int64_t available = x.shape()[axis];
  NEREID_ASSIGN_OR_RETURN(const int64_t length,
                          call.Integer(1, inverse && onesided ? 2 * (available - 1) : available));
  if (length < 1 || length > (1 << 24)) return Refuse("the length is ", length);
  const int64_t parts = x.shape().back();
  Shape shape = x.shape();
  shape[axis] = onesided && !inverse ? length / 2 + 1 : length;
  shape.back() = onesided && inverse ? 1 : 2;
  NEREID_ASSIGN_OR_RETURN(const int64_t count, CountOf(shape));
  const std::vector<double> values = Read<double>(x);
  std::vector<double> results(static_cast<size_t>(count));
  Shape lines = shape;
  lines.pop_back();
  const AxisView from = ViewAlong(absl::Span<const int64_t>(x.shape()).subspan(0, rank - 1), axis);
  const AxisView to = ViewAlong(lines, axis);
  for (int64_t o = 0; o < to.outer; ++o) {
    for (int64_t i = 0; i < to.inner; ++i) {
      const auto stored = [&](int64_t n) {
        const auto at = static_cast<size_t>(((o * from.extent + n) * from.inner + i) * parts);
        return Complex{values[at], parts == 2 ? values[at + 1] : 0};
      };
      const auto sample = [&](int64_t n) {
        if (!(inverse && onesided) || n < available) return stored(n);
        const Complex mirrored = stored(std::min(length - n, available - 1));
        return Complex{mirrored.re, -mirrored.im};
      };
      const int64_t samples = inverse && onesided ? length : available;
      for (int64_t k = 0; k < to.extent; ++k) {
        Complex term = TransformTerm(sample, samples, length, k, inverse ? 1 : -1);
        const double scale = inverse ? 1.0 / static_cast<double>(length) : 1.0;
        const auto at = static_cast<size_t>(((o * to.extent + k) * to.inner + i) * shape.back());
        results[at] = term.re * scale;
        if (shape.back() == 2) results[at + 1] = term.im * scale;
      }
    }
  }
  return One(Write(x.type(), shape, results));
}

// signal [batch, length, 1 or 2] or [batch, length], step, window?, frame length? →
// [batch, frames, bins, 2]
Results Stft(const Call& call) {
  const HostTensor& x = call.In(0);
  const Shape& s = x.shape();
  if (s.size() < 2 || s.size() > 3 || (s.size() == 3 && (s[2] < 1 || s[2] > 2))) {
    return Refuse("the signal has the shape ", ShapeToString(s));
  }
  const int64_t parts = s.size() == 3 ? s[2] : 1;
  NEREID_ASSIGN_OR_RETURN(const int64_t step, call.Integer(1));
  const int64_t natural = call.Has(2) ? call.In(2).element_count() : 0;
  NEREID_ASSIGN_OR_RETURN(const int64_t length, call.Integer(3, natural));
  if (step < 1 || length < 1 || length > s[1] || (natural != 0 && natural != length)) {
    return Refuse("frames of ", length, " every ", step);
  }
  const int64_t frames = (s[1] - length) / step + 1;
  const bool onesided = call.node.Int("onesided", 1) != 0;
  const Shape shape = {s[0], frames, onesided ? length / 2 + 1 : length, 2};
  NEREID_ASSIGN_OR_RETURN(const int64_t count, CountOf(shape));
  const std::vector<double> values = Read<double>(x);
  std::vector<double> window(static_cast<size_t>(length), 1.0);
  if (natural != 0) window = Read<double>(call.In(2));
  std::vector<double> results(static_cast<size_t>(count));
  ForEachIndex(
      absl::Span<const int64_t>(shape).subspan(0, 3), [&](int64_t i, const Strides& index) {
        const auto sample = [&](int64_t n) {
          const auto at = static_cast<size_t>((index[0] * s[1] + index[1] * step + n) * parts);
          const double w = window[static_cast<size_t>(n)];
          return Complex{w * values[at], parts == 2 ? w * values[at + 1] : 0};
        };
        const Complex term = TransformTerm(sample, length, length, index[2], -1);
        results[static_cast<size_t>(2 * i)] = term.re;
        results[static_cast<size_t>(2 * i + 1)] = term.im;
      });
  return One(Write(x.type(), shape, results));
}

double HzToMel(double hz) { return 2595 * std::log10(1 + hz / 700); }
double MelToHz(double mel) { return 700 * (std::pow(10, mel / 2595) - 1); }

// bins, length of the transform, sample rate, lowest and highest frequency → [spectrum, bins]:
// triangles that meet at their neighbours' peaks.
Results MelWeightMatrix(const Call& call) {
  NEREID_ASSIGN_OR_RETURN(const int64_t bins, call.Integer(0));
  NEREID_ASSIGN_OR_RETURN(const int64_t length, call.Integer(1));
  NEREID_ASSIGN_OR_RETURN(const double rate, call.Number(2, 0));
  NEREID_ASSIGN_OR_RETURN(const double lowest, call.Number(3, 0));
  NEREID_ASSIGN_OR_RETURN(const double highest, call.Number(4, 0));
  if (bins < 1 || bins > (1 << 20) || length < 1 || length > (1 << 24) || !(rate > 0)) {
    return Refuse("its extents make no sense");
  }
  const DataType type = FromOnnxType(call.node.Int("output_datatype", 1));
  if (type == DataType::kInvalid || type == DataType::kBytes) return Refuse("output_datatype");
  const Shape shape = {length / 2 + 1, bins};
  NEREID_ASSIGN_OR_RETURN(const int64_t count, CountOf(shape));
  std::vector<int64_t> peaks;
  const double step = (HzToMel(highest) - HzToMel(lowest)) / static_cast<double>(bins + 2);
  for (int64_t i = 0; i < bins + 2; ++i) {
    const double hz = MelToHz(HzToMel(lowest) + step * static_cast<double>(i));
    const double bin = std::floor(static_cast<double>(length + 1) * hz / rate);
    peaks.push_back(
        static_cast<int64_t>(std::fmax(0, std::fmin(bin, static_cast<double>(shape[0])))));
  }
  std::vector<double> results(static_cast<size_t>(count));
  for (int64_t b = 0; b < bins; ++b) {
    const int64_t low = peaks[static_cast<size_t>(b)];
    const int64_t mid = peaks[static_cast<size_t>(b + 1)];
    const int64_t high = peaks[static_cast<size_t>(b + 2)];
    for (int64_t k = low; k < std::min(std::max(high, mid + 1), shape[0]); ++k) {
      const double up =
          mid == low ? 1 : static_cast<double>(k - low) / static_cast<double>(mid - low);
      const double down =
          high == mid ? 1 : static_cast<double>(high - k) / static_cast<double>(high - mid);
      results[static_cast<size_t>(k * bins + b)] = k <= mid ? up : down;
    }
  }
  return One(Write(type, shape, results));
}

constexpr OperatorRow kOperators[] = {
    {"DFT", Dft, 1, Accepts::kLeadFloat},
    {"MelWeightMatrix", MelWeightMatrix, 5},
    {"STFT", Stft, 2, Accepts::kLeadFloat},
};

}  // namespace

absl::Span<const OperatorRow> SignalOperators() { return kOperators; }

}  // namespace nereid::engine
