#include <cmath>
#include <limits>

#include "backends/cuda/reference/numbers.h"
#include "backends/cuda/reference/operator.h"

namespace nereid::engine {
namespace {

// The elements of one line along an axis.
class Line {
 public:
  Line(std::vector<double>& values, size_t base, const AxisView& view)
      : values_(values),
        base_(base),
        extent_(static_cast<size_t>(view.extent)),
        step_(static_cast<size_t>(view.inner)) {}

  size_t size() const { return extent_; }
  double& operator[](size_t i) const { return values_[base_ + i * step_]; }

  double Largest() const {
    double largest = -std::numeric_limits<double>::infinity();
    for (size_t i = 0; i < extent_; ++i) largest = std::fmax(largest, (*this)[i]);
    return largest;
  }

 private:
  std::vector<double>& values_;
  const size_t base_;
  const size_t extent_;
  const size_t step_;
};

// Rewrites each line along `axis`.
template <auto rewrite>
Results AlongAxis(const Call& call) {
  const HostTensor& x = call.In(0);
  if (x.shape().empty()) return Refuse("the input is a scalar");
  NEREID_ASSIGN_OR_RETURN(const size_t axis, AxisOf(call.node.Int("axis", -1), x.shape().size()));
  const AxisView view = ViewAlong(x.shape(), axis);
  std::vector<double> values = Read<double>(x);
  ForEachLine(view, [&](size_t, size_t base) { rewrite(Line(values, base, view), call.node); });
  return One(Write(x.type(), x.shape(), values));
}

void Softmax(const Line& line, const Node&) {
  const double largest = line.Largest();
  double sum = 0;
  for (size_t i = 0; i < line.size(); ++i) sum += line[i] = std::exp(line[i] - largest);
  for (size_t i = 0; i < line.size(); ++i) line[i] /= sum;
}

void LogSoftmax(const Line& line, const Node&) {
  const double largest = line.Largest();
  double sum = 0;
  for (size_t i = 0; i < line.size(); ++i) sum += std::exp(line[i] - largest);
  const double total = largest + std::log(sum);
  for (size_t i = 0; i < line.size(); ++i) line[i] -= total;
}

void Hardmax(const Line& line, const Node&) {
  size_t best = 0;
  for (size_t i = 1; i < line.size(); ++i) {
    if (line[i] > line[best]) best = i;
  }
  for (size_t i = 0; i < line.size(); ++i) line[i] = i == best ? 1 : 0;
}

void LpNormalize(const Line& line, const Node& node) {
  const bool squared = node.Int("p", 2) == 2;
  double sum = 0;
  for (size_t i = 0; i < line.size(); ++i) sum += squared ? line[i] * line[i] : std::fabs(line[i]);
  const double norm = squared ? std::sqrt(sum) : sum;
  for (size_t i = 0; i < line.size(); ++i) line[i] = norm == 0 ? 0 : line[i] / norm;
}

constexpr OperatorRow kOperators[] = {
    {"Hardmax", AlongAxis<Hardmax>, 1, Accepts::kFloats},
    {"LogSoftmax", AlongAxis<LogSoftmax>, 1, Accepts::kFloats},
    {"LpNormalization", AlongAxis<LpNormalize>, 1, Accepts::kFloats},
    {"Softmax", AlongAxis<Softmax>, 1, Accepts::kFloats},
};

}  // namespace

absl::Span<const OperatorRow> SoftmaxOperators() { return kOperators; }

}  // namespace nereid::engine
