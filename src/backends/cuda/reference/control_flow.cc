#include <algorithm>
#include <limits>

#include "backends/cuda/reference/elements.h"
#include "backends/cuda/reference/graph_runner.h"
#include "backends/cuda/reference/operator.h"

namespace nereid::engine {
namespace {

// A subgraph of the node and what it captures.
struct Body {
  const Graph* graph = nullptr;
  absl::Span<const HostTensor* const> captures;
};

absl::StatusOr<Body> FindBody(const Call& call, std::string_view wanted) {
  size_t first = 0;
  for (const auto& [name, attribute] : call.node.attributes) {
    const auto* subgraph = std::get_if<std::shared_ptr<const Graph>>(&attribute);
    if (subgraph == nullptr || *subgraph == nullptr) continue;
    const size_t count = (*subgraph)->captures.size();
    if (name == wanted) {
      return Body{.graph = subgraph->get(), .captures = call.captures.subspan(first, count)};
    }
    first += count;
  }
  return Refuse("it has no ", wanted);
}

absl::StatusOr<bool> Truth(const HostTensor& tensor) {
  if (tensor.type() != DataType::kBool || tensor.element_count() != 1) {
    return Refuse("a condition is not one bool");
  }
  return tensor.AsInt64(0) != 0;
}

Results If(const Call& call) {
  NEREID_ASSIGN_OR_RETURN(const bool condition, Truth(call.In(0)));
  NEREID_ASSIGN_OR_RETURN(const Body branch,
                          FindBody(call, condition ? "then_branch" : "else_branch"));
  return GraphRunner(*branch.graph).Run({}, branch.captures);
}

// What a loop collects from one output of its body: one tensor an iteration, stacked at the end.
class Stack {
 public:
  // `value` is the body's output: it says what a loop without iterations makes.
  explicit Stack(const Value& value) : value_(value) {}

  absl::Status Add(HostTensor tensor) {
    if (!slices_.empty() &&
        (tensor.shape() != slices_[0].shape() || tensor.type() != slices_[0].type())) {
      return Refuse("output '", value_.name, "' changes its shape from one iteration to the next");
    }
    total_ += std::max<int64_t>(tensor.element_count(), 1);
    if (total_ > kMaxElements) return Refuse("output '", value_.name, "' is too large");
    slices_.push_back(std::move(tensor));
    return absl::OkStatus();
  }

  // Along a new axis; `backwards`: the last iteration first.
  absl::StatusOr<HostTensor> Join(int64_t axis, bool backwards) {
    if (backwards) std::reverse(slices_.begin(), slices_.end());
    if (slices_.empty()) return Nothing(axis);
    Shape shape = slices_[0].shape();
    NEREID_ASSIGN_OR_RETURN(const size_t at, AxisOf(axis, shape.size() + 1));
    shape.insert(shape.begin() + static_cast<long>(at), static_cast<int64_t>(slices_.size()));
    HostTensor result(slices_[0].type(), shape);
    const AxisView view = ViewAlong(shape, at);
    VisitStorage(result.type(), [&]<typename S>() {
      S* to = MutableElements<S>(result);
      for (int64_t k = 0; k < view.extent; ++k) {
        const S* from = Elements<S>(slices_[static_cast<size_t>(k)]);
        for (int64_t o = 0; o < view.outer; ++o) {
          std::copy_n(from + o * view.inner, view.inner, to + (o * view.extent + k) * view.inner);
        }
      }
    });
    return result;
  }

 private:
  absl::StatusOr<HostTensor> Nothing(int64_t axis) const {
    if (value_.type == DataType::kInvalid) {
      return Refuse("there is no iteration, and no type of output '", value_.name, "'");
    }
    Shape shape = value_.shape.value_or(Shape{});
    for (int64_t& extent : shape) extent = std::max<int64_t>(extent, 0);
    NEREID_ASSIGN_OR_RETURN(const size_t at, AxisOf(axis, shape.size() + 1));
    shape.insert(shape.begin() + static_cast<long>(at), 0);
    return HostTensor(value_.type, shape);
  }

  const Value& value_;
  std::vector<HostTensor> slices_;
  int64_t total_ = 0;
};

std::vector<Stack> StacksOf(const Graph& body, size_t first) {
  std::vector<Stack> stacks;
  for (size_t i = first; i < body.outputs.size(); ++i) {
    stacks.emplace_back(body.value(body.outputs[i]));
  }
  return stacks;
}

// trip count?, condition?, carried… → carried…, stacked…; body: iteration, condition, carried… →
// condition, carried…, slices….
Results Loop(const Call& call) {
  NEREID_ASSIGN_OR_RETURN(const Body body, FindBody(call, "body"));
  NEREID_ASSIGN_OR_RETURN(const int64_t trips,
                          call.Integer(0, std::numeric_limits<int64_t>::max()));
  bool condition = true;
  if (call.Has(1)) {
    NEREID_ASSIGN_OR_RETURN(condition, Truth(call.In(1)));
  }
  const size_t carried = call.inputs.size() < 2 ? 0 : call.inputs.size() - 2;
  if (body.graph->inputs.size() != carried + 2 || body.graph->outputs.size() < carried + 1) {
    return Refuse("its body does not take ", carried, " carried values");
  }
  std::vector<HostTensor> state;
  for (size_t i = 2; i < call.inputs.size(); ++i) {
    if (!call.Has(i)) return Refuse("input ", i, " is missing");
    state.push_back(call.In(i));
  }
  std::vector<Stack> stacks = StacksOf(*body.graph, carried + 1);
  const GraphRunner runner(*body.graph);
  for (int64_t i = 0; i < trips && condition; ++i) {
    std::vector<HostTensor> inputs = {HostTensor::Scalar(i),
                                      HostTensor::Of<uint8_t>(DataType::kBool, {}, {condition})};
    inputs.insert(inputs.end(), state.begin(), state.end());
    NEREID_ASSIGN_OR_RETURN(auto outputs, runner.Run(inputs, body.captures));
    NEREID_ASSIGN_OR_RETURN(condition, Truth(outputs[0]));
    for (size_t k = 0; k < carried; ++k) state[k] = std::move(outputs[1 + k]);
    for (size_t k = 0; k < stacks.size(); ++k) {
      NEREID_RETURN_IF_ERROR(stacks[k].Add(std::move(outputs[1 + carried + k])));
    }
  }
  for (Stack& stack : stacks) {
    NEREID_ASSIGN_OR_RETURN(HostTensor joined, stack.Join(0, false));
    state.push_back(std::move(joined));
  }
  return state;
}

int64_t At(const std::vector<int64_t>& values, size_t i) {
  return i < values.size() ? values[i] : 0;
}

// One input of a Scan, cut along an axis.
struct Scanned {
  const HostTensor* tensor;
  size_t axis;
  bool backwards;

  int64_t extent() const { return tensor->shape()[axis]; }
  HostTensor Slice(int64_t i) const {
    Shape shape = tensor->shape();
    Strides strides = ContiguousStrides(shape);
    const int64_t offset = (backwards ? extent() - 1 - i : i) * strides[axis];
    shape.erase(shape.begin() + static_cast<long>(axis));
    strides.erase(strides.begin() + static_cast<long>(axis));
    return CopyStrided(*tensor, offset, shape, strides);
  }
};

absl::StatusOr<std::vector<Scanned>> ScannedInputs(const Call& call, size_t first) {
  const std::vector<int64_t> axes = call.node.Ints("scan_input_axes");
  const std::vector<int64_t> directions = call.node.Ints("scan_input_directions");
  std::vector<Scanned> scanned;
  for (size_t i = first; i < call.inputs.size(); ++i) {
    if (!call.Has(i)) return Refuse("input ", i, " is missing");
    NEREID_ASSIGN_OR_RETURN(const size_t axis, AxisOf(At(axes, i - first), call.ShapeOf(i).size()));
    scanned.push_back({&call.In(i), axis, At(directions, i - first) != 0});
    if (scanned.back().extent() != scanned.front().extent()) {
      return Refuse("the scanned inputs differ in length");
    }
  }
  return scanned;
}

// state…, scanned… → state…, stacked…; body: state…, slices… → state…, slices….
Results Scan(const Call& call) {
  NEREID_ASSIGN_OR_RETURN(const Body body, FindBody(call, "body"));
  const int64_t scans = call.node.Int("num_scan_inputs", 0);
  const auto inputs = static_cast<int64_t>(call.inputs.size());
  if (scans < 1 || scans > inputs) return Refuse("num_scan_inputs is ", scans);
  const auto carried = static_cast<size_t>(inputs - scans);
  if (body.graph->inputs.size() != call.inputs.size() || body.graph->outputs.size() < carried) {
    return Refuse("its body does not take ", inputs, " values");
  }
  std::vector<HostTensor> state;
  for (size_t i = 0; i < carried; ++i) {
    if (!call.Has(i)) return Refuse("input ", i, " is missing");
    state.push_back(call.In(i));
  }
  NEREID_ASSIGN_OR_RETURN(const std::vector<Scanned> scanned, ScannedInputs(call, carried));
  std::vector<Stack> stacks = StacksOf(*body.graph, carried);
  const GraphRunner runner(*body.graph);
  for (int64_t i = 0; i < scanned[0].extent(); ++i) {
    std::vector<HostTensor> operands = state;
    for (const Scanned& input : scanned) operands.push_back(input.Slice(i));
    NEREID_ASSIGN_OR_RETURN(auto outputs, runner.Run(operands, body.captures));
    for (size_t k = 0; k < carried; ++k) state[k] = std::move(outputs[k]);
    for (size_t k = 0; k < stacks.size(); ++k) {
      NEREID_RETURN_IF_ERROR(stacks[k].Add(std::move(outputs[carried + k])));
    }
  }
  const std::vector<int64_t> axes = call.node.Ints("scan_output_axes");
  const std::vector<int64_t> directions = call.node.Ints("scan_output_directions");
  for (size_t k = 0; k < stacks.size(); ++k) {
    NEREID_ASSIGN_OR_RETURN(HostTensor joined, stacks[k].Join(At(axes, k), At(directions, k) != 0));
    state.push_back(std::move(joined));
  }
  return state;
}

constexpr OperatorRow kOperators[] = {
    {"If", If, 1, Accepts::kAnything},
    {"Loop", Loop, 0, Accepts::kAnything},
    {"Scan", Scan, 1, Accepts::kAnything},
};

}  // namespace

absl::Span<const OperatorRow> ControlFlowOperators() { return kOperators; }

}  // namespace nereid::engine
