#include <algorithm>

#include "backends/cuda/reference/elements.h"
#include "backends/cuda/reference/numbers.h"
#include "backends/cuda/reference/operator.h"
#include "backends/cuda/reference/recurrent_cells.h"

namespace nereid::engine {
namespace {

// LSTM, GRU and RNN: one loop over time, a cell each.

std::vector<std::string> Strings(const Node& node, std::string_view name) {
  const auto found = node.attributes.find(name);
  if (found == node.attributes.end()) return {};
  const auto* values = std::get_if<std::vector<std::string>>(&found->second);
  return values == nullptr ? std::vector<std::string>{} : *values;
}

struct Kind {
  int64_t gates;
  void (*cell)(const Layer&, const Step&, std::vector<double>&);
  std::vector<std::string> activations;  // of one direction, by default
  bool has_cell_state;
};

// Extents and operands of a call. Inputs: x, w, r, bias?, lengths?, initial h?, initial c?, peep?
struct Problem {
  int64_t sequence = 0;
  int64_t batch = 0;
  int64_t input = 0;
  int64_t hidden = 0;
  int64_t directions = 1;
  bool batch_first = false;
  std::string direction;
  std::vector<int64_t> lengths;
  std::vector<double> x;     // [sequence, batch, input]
  std::vector<double> w;     // [directions, gates · hidden, input]
  std::vector<double> r;     // [directions, gates · hidden, hidden]
  std::vector<double> bias;  // [directions, 2 · gates · hidden]
  std::vector<double> h;     // [directions, batch, hidden]
  std::vector<double> c;
  std::vector<double> peepholes;  // [directions, 3 · hidden], may be empty
};

absl::Status CheckShape(const Call& call, size_t i, const Shape& expected) {
  if (call.ShapeOf(i) == expected) return absl::OkStatus();
  return Refuse("input ", i, " has the shape ", ShapeToString(call.ShapeOf(i)), " instead of ",
                ShapeToString(expected));
}

// [a, b, …] as [b, a, …].
HostTensor SwapLeading(const HostTensor& x) {
  Shape shape = x.shape();
  Strides strides = ContiguousStrides(shape);
  std::swap(shape[0], shape[1]);
  std::swap(strides[0], strides[1]);
  return CopyStrided(x, 0, shape, strides);
}

absl::StatusOr<std::vector<double>> ReadState(const Call& call, size_t i, const Problem& p) {
  if (!call.Has(i))
    return std::vector<double>(static_cast<size_t>(p.directions * p.batch * p.hidden));
  if (p.batch_first) {
    NEREID_RETURN_IF_ERROR(CheckShape(call, i, {p.batch, p.directions, p.hidden}));
    return Read<double>(SwapLeading(call.In(i)));
  }
  NEREID_RETURN_IF_ERROR(CheckShape(call, i, {p.directions, p.batch, p.hidden}));
  return Read<double>(call.In(i));
}

absl::Status ReadLengths(const Call& call, Problem& p) {
  p.lengths.assign(static_cast<size_t>(p.batch), p.sequence);
  if (!call.Has(4)) return absl::OkStatus();
  NEREID_RETURN_IF_ERROR(CheckShape(call, 4, {p.batch}));
  NEREID_ASSIGN_OR_RETURN(p.lengths, call.Integers(4));
  for (const int64_t length : p.lengths) {
    if (length < 0 || length > p.sequence) return Refuse("a sequence length is ", length);
  }
  return absl::OkStatus();
}

absl::Status ReadExtents(const Call& call, const Kind& kind, Problem& p) {
  if (call.ShapeOf(0).size() != 3 || call.ShapeOf(2).size() != 3) {
    return Refuse("input or recurrence is not of rank 3");
  }
  p.batch_first = call.node.Int("layout", 0) != 0;
  p.direction = call.node.String("direction", "forward");
  if (p.direction != "forward" && p.direction != "reverse" && p.direction != "bidirectional") {
    return Refuse("direction is '", p.direction, "'");
  }
  p.directions = p.direction == "bidirectional" ? 2 : 1;
  p.sequence = call.ShapeOf(0)[p.batch_first ? 1 : 0];
  p.batch = call.ShapeOf(0)[p.batch_first ? 0 : 1];
  p.input = call.ShapeOf(0)[2];
  p.hidden = call.ShapeOf(2)[2];
  NEREID_RETURN_IF_ERROR(CheckShape(call, 1, {p.directions, kind.gates * p.hidden, p.input}));
  NEREID_RETURN_IF_ERROR(CheckShape(call, 2, {p.directions, kind.gates * p.hidden, p.hidden}));
  NEREID_RETURN_IF_ERROR(CountOf({p.sequence, p.directions, p.batch, p.hidden}).status());
  return CountOf({p.sequence, p.batch, kind.gates * p.hidden}).status();
}

absl::StatusOr<Problem> ReadProblem(const Call& call, const Kind& kind) {
  Problem p;
  NEREID_RETURN_IF_ERROR(ReadExtents(call, kind, p));
  NEREID_RETURN_IF_ERROR(ReadLengths(call, p));
  p.x = Read<double>(p.batch_first ? SwapLeading(call.In(0)) : call.In(0));
  p.w = Read<double>(call.In(1));
  p.r = Read<double>(call.In(2));
  p.bias.resize(static_cast<size_t>(p.directions * 2 * kind.gates * p.hidden));
  if (call.Has(3)) {
    NEREID_RETURN_IF_ERROR(CheckShape(call, 3, {p.directions, 2 * kind.gates * p.hidden}));
    p.bias = Read<double>(call.In(3));
  }
  NEREID_ASSIGN_OR_RETURN(p.h, ReadState(call, 5, p));
  NEREID_ASSIGN_OR_RETURN(p.c, ReadState(call, kind.has_cell_state ? 6 : 1'000, p));
  if (kind.has_cell_state && call.Has(7)) {
    NEREID_RETURN_IF_ERROR(CheckShape(call, 7, {p.directions, 3 * p.hidden}));
    p.peepholes = Read<double>(call.In(7));
  }
  return p;
}

// W·x + bias of all gates, [sequence, batch, rows].
std::vector<double> ProjectInput(const Problem& p, int64_t rows, int64_t direction) {
  std::vector<double> projected(static_cast<size_t>(p.sequence * p.batch * rows));
  const double* w = p.w.data() + direction * rows * p.input;
  const double* bias = p.bias.data() + direction * 2 * rows;
  for (int64_t item = 0; item < p.sequence * p.batch; ++item) {
    const double* x = p.x.data() + item * p.input;
    for (int64_t row = 0; row < rows; ++row) {
      double sum = bias[row];
      for (int64_t k = 0; k < p.input; ++k) sum += w[row * p.input + k] * x[k];
      projected[static_cast<size_t>(item * rows + row)] = sum;
    }
  }
  return projected;
}

// Runs one direction; writes y [sequence, directions, batch, hidden].
void RunDirection(const Kind& kind, Problem& p, const Layer& layer, int64_t direction,
                  std::vector<double>& y) {
  const int64_t rows = kind.gates * p.hidden;
  const std::vector<double> projected = ProjectInput(p, rows, direction);
  const bool backwards = p.direction == "reverse" || direction == 1;
  std::vector<double> scratch;
  for (int64_t b = 0; b < p.batch; ++b) {
    const int64_t state = (direction * p.batch + b) * p.hidden;
    const int64_t length = p.lengths[static_cast<size_t>(b)];
    for (int64_t step = 0; step < length; ++step) {
      const int64_t t = backwards ? length - 1 - step : step;
      kind.cell(layer,
                {.input = projected.data() + (t * p.batch + b) * rows,
                 .h = p.h.data() + state,
                 .c = p.c.data() + state},
                scratch);
      std::copy_n(p.h.data() + state, p.hidden,
                  y.data() + ((t * p.directions + direction) * p.batch + b) * p.hidden);
    }
  }
}

Results Pack(const Call& call, const Kind& kind, const Problem& p, const std::vector<double>& y) {
  const DataType type = call.In(0).type();
  HostTensor sequence = Write(type, {p.sequence, p.directions, p.batch, p.hidden}, y);
  HostTensor h = Write(type, {p.directions, p.batch, p.hidden}, p.h);
  HostTensor c = Write(type, {p.directions, p.batch, p.hidden}, p.c);
  if (p.batch_first) {
    const Strides s = ContiguousStrides(sequence.shape());
    sequence = CopyStrided(sequence, 0, {p.batch, p.sequence, p.directions, p.hidden},
                           {s[2], s[0], s[1], s[3]});
    h = SwapLeading(h);
    c = SwapLeading(c);
  }
  if (!kind.has_cell_state) return Several(std::move(sequence), std::move(h));
  return Several(std::move(sequence), std::move(h), std::move(c));
}

Results Run(const Call& call, const Kind& kind) {
  NEREID_ASSIGN_OR_RETURN(Problem p, ReadProblem(call, kind));
  std::vector<std::string> names = Strings(call.node, "activations");
  const size_t each = kind.activations.size();
  while (names.size() < each * static_cast<size_t>(p.directions)) {
    names.push_back(kind.activations[names.size() % each]);
  }
  NEREID_ASSIGN_OR_RETURN(const std::vector<Activation> activations,
                          ReadActivations(call.node, names));
  std::vector<double> y(static_cast<size_t>(p.sequence * p.directions * p.batch * p.hidden));
  const int64_t rows = kind.gates * p.hidden;
  for (int64_t d = 0; d < p.directions; ++d) {
    const Layer layer{
        .hidden = p.hidden,
        .activations = activations.data() + static_cast<size_t>(d) * each,
        .recurrence = p.r.data() + d * rows * p.hidden,
        .recurrence_bias = p.bias.data() + d * 2 * rows + rows,
        .peepholes = p.peepholes.empty() ? nullptr : p.peepholes.data() + d * 3 * p.hidden,
        .clip = call.node.Float("clip", 0),
        .linear_before_reset = call.node.Int("linear_before_reset", 0) != 0,
        .couples_input_and_forget = call.node.Int("input_forget", 0) != 0};
    RunDirection(kind, p, layer, d, y);
  }
  return Pack(call, kind, p, y);
}

Results Lstm(const Call& call) {
  return Run(call, {.gates = 4,
                    .cell = LstmCell,
                    .activations = {"Sigmoid", "Tanh", "Tanh"},
                    .has_cell_state = true});
}

Results Gru(const Call& call) {
  return Run(
      call,
      {.gates = 3, .cell = GruCell, .activations = {"Sigmoid", "Tanh"}, .has_cell_state = false});
}

Results Rnn(const Call& call) {
  return Run(call, {.gates = 1, .cell = RnnCell, .activations = {"Tanh"}, .has_cell_state = false});
}

constexpr OperatorRow kOperators[] = {
    {"GRU", Gru, 3, Accepts::kLeadFloat},
    {"LSTM", Lstm, 3, Accepts::kLeadFloat},
    {"RNN", Rnn, 3, Accepts::kLeadFloat},
};

}  // namespace

absl::Span<const OperatorRow> RecurrentOperators() { return kOperators; }

}  // namespace nereid::engine
