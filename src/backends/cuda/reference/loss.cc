#include <cmath>

#include "backends/cuda/reference/numbers.h"
#include "backends/cuda/reference/operator.h"

namespace nereid::engine {
namespace {

// -log p[target], weighted by class, over `logs` [N, C, …] of the shape of input 0.
absl::StatusOr<HostTensor> NegativeLogLikelihood(const Call& call,
                                                 const std::vector<double>& logs) {
  const Shape& x = call.ShapeOf(0);
  if (x.size() < 2) return Refuse("the input has the shape ", ShapeToString(x));
  Shape shape = x;
  shape.erase(shape.begin() + 1);
  if (call.ShapeOf(1) != shape) return Refuse("the targets do not fit");
  NEREID_ASSIGN_OR_RETURN(const std::vector<int64_t> targets, call.Integers(1));
  std::vector<double> weights(static_cast<size_t>(x[1]), 1.0);
  if (call.Has(2)) {
    if (call.ShapeOf(2) != Shape{x[1]}) return Refuse("the weights do not fit");
    weights = Read<double>(call.In(2));
  }
  const bool has_ignored = call.node.attributes.contains("ignore_index");
  const int64_t ignored = call.node.Int("ignore_index", 0);
  const AxisView view = ViewAlong(x, 1);
  std::vector<double> losses(targets.size());
  double total_weight = 0;
  double total = 0;
  for (size_t line = 0; line < targets.size(); ++line) {
    const int64_t target = targets[line];
    if (has_ignored && target == ignored) continue;
    if (target < 0 || target >= x[1]) return Refuse("a target is ", target);
    const auto inner = static_cast<size_t>(view.inner);
    const size_t base = line / inner * inner * static_cast<size_t>(view.extent) + line % inner;
    const double weight = weights[static_cast<size_t>(target)];
    losses[line] = -weight * logs[base + static_cast<size_t>(target) * inner];
    total += losses[line];
    total_weight += weight;
  }
  const DataType type = call.In(0).type();
  const std::string reduction = call.node.String("reduction", "mean");
  if (reduction == "none") return Write(type, shape, losses);
  if (reduction == "mean") total /= total_weight;
  return Write(type, {}, std::vector<double>{total});
}

Results NegativeLogLikelihoodLoss(const Call& call) {
  NEREID_ASSIGN_OR_RETURN(HostTensor loss, NegativeLogLikelihood(call, Read<double>(call.In(0))));
  return One(std::move(loss));
}

Results SoftmaxCrossEntropyLoss(const Call& call) {
  const HostTensor& x = call.In(0);
  if (x.shape().size() < 2) return Refuse("the input has the shape ", ShapeToString(x.shape()));
  const AxisView view = ViewAlong(x.shape(), 1);
  std::vector<double> logs = Read<double>(x);
  ForEachLine(view, [&](size_t, size_t base) {
    const auto at = [&](int64_t c) { return base + static_cast<size_t>(c * view.inner); };
    double largest = -INFINITY;
    for (int64_t c = 0; c < view.extent; ++c) largest = std::fmax(largest, logs[at(c)]);
    double sum = 0;
    for (int64_t c = 0; c < view.extent; ++c) sum += std::exp(logs[at(c)] - largest);
    for (int64_t c = 0; c < view.extent; ++c) logs[at(c)] -= largest + std::log(sum);
  });
  NEREID_ASSIGN_OR_RETURN(HostTensor loss, NegativeLogLikelihood(call, logs));
  return Several(std::move(loss), Write(x.type(), x.shape(), logs));
}

constexpr OperatorRow kOperators[] = {
    {"NegativeLogLikelihoodLoss", NegativeLogLikelihoodLoss, 2, Accepts::kLeadFloat},
    {"SoftmaxCrossEntropyLoss", SoftmaxCrossEntropyLoss, 2, Accepts::kLeadFloat},
};

}  // namespace

absl::Span<const OperatorRow> LossOperators() { return kOperators; }

}  // namespace nereid::engine
