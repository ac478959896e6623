#include <algorithm>
#include <cmath>

#include "backends/cuda/reference/numbers.h"
#include "backends/cuda/reference/operator.h"

namespace nereid::engine {
namespace {

// Operators that carry a state from token to token.

struct Rule {
  std::string_view name;
  bool decays;
  bool corrects;  // subtracts what the state already holds of the value
};
constexpr Rule kRules[] = {{"linear", false, false},
                           {"gated", true, false},
                           {"delta", false, true},
                           {"gated_delta", true, true}};

absl::StatusOr<Rule> FindRule(const Node& node) {
  const std::string name = node.String("update_rule", "gated_delta");
  for (const Rule& rule : kRules) {
    if (rule.name == name) return rule;
  }
  return Refuse("update_rule is '", name, "'");
}

// Extents and operands. Inputs: query, key, value, state?, decay?, rate?
struct Problem {
  int64_t batch = 0;
  int64_t tokens = 0;
  int64_t q_heads = 0;
  int64_t kv_heads = 0;
  int64_t key_size = 0;
  int64_t value_size = 0;
  double scale = 1;
  Rule rule = kRules[0];
  std::vector<double> query;
  std::vector<double> key;
  std::vector<double> value;
  std::vector<double> state;  // [batch, kv heads, key size, value size]
  std::vector<double> decay;
  std::vector<double> rate;
  int64_t decay_width = 0;  // of a token
  int64_t rate_width = 0;

  Shape StateShape() const { return {batch, kv_heads, key_size, value_size}; }
};

absl::Status ReadGates(const Call& call, Problem& p) {
  const auto width = [&](size_t i) -> absl::StatusOr<int64_t> {
    const bool fits = call.Has(i) && call.ShapeOf(i).size() == 3 && call.ShapeOf(i)[0] == p.batch &&
                      call.ShapeOf(i)[1] == p.tokens;
    if (!fits) return Refuse("input ", i, " is missing or does not fit");
    return call.ShapeOf(i)[2];
  };
  if (p.rule.decays) {
    NEREID_ASSIGN_OR_RETURN(p.decay_width, width(4));
    if (p.decay_width != p.kv_heads && p.decay_width != p.kv_heads * p.key_size) {
      return Refuse("the decay does not fit");
    }
    p.decay = Read<double>(call.In(4));
  }
  if (p.rule.corrects) {
    NEREID_ASSIGN_OR_RETURN(p.rate_width, width(5));
    if (p.rate_width != p.kv_heads && p.rate_width != 1) return Refuse("the rate does not fit");
    p.rate = Read<double>(call.In(5));
  }
  return absl::OkStatus();
}

absl::StatusOr<Problem> ReadProblem(const Call& call) {
  const Shape& q = call.ShapeOf(0);
  const Shape& k = call.ShapeOf(1);
  const Shape& v = call.ShapeOf(2);
  Problem p;
  NEREID_ASSIGN_OR_RETURN(p.rule, FindRule(call.node));
  p.q_heads = call.node.Int("q_num_heads", 0);
  p.kv_heads = call.node.Int("kv_num_heads", 0);
  const bool fit = q.size() == 3 && k.size() == 3 && v.size() == 3 && p.kv_heads > 0 &&
                   p.q_heads > 0 && p.q_heads % p.kv_heads == 0 && q[2] % p.q_heads == 0 &&
                   k[2] % p.kv_heads == 0 && v[2] % p.kv_heads == 0 && q[0] == k[0] &&
                   q[0] == v[0] && q[1] == k[1] && q[1] == v[1] &&
                   q[2] / p.q_heads == k[2] / p.kv_heads;
  if (!fit) return Refuse("query, key and value do not fit");
  p.batch = q[0];
  p.tokens = q[1];
  p.key_size = k[2] / p.kv_heads;
  p.value_size = v[2] / p.kv_heads;
  p.scale = call.node.Float("scale", 0);
  if (p.scale == 0) p.scale = 1 / std::sqrt(static_cast<double>(p.key_size));
  p.query = Read<double>(call.In(0));
  p.key = Read<double>(call.In(1));
  p.value = Read<double>(call.In(2));
  NEREID_ASSIGN_OR_RETURN(const int64_t count, CountOf(p.StateShape()));
  p.state.resize(static_cast<size_t>(count));
  if (call.Has(3)) {
    if (call.ShapeOf(3) != p.StateShape()) return Refuse("the state does not fit");
    p.state = Read<double>(call.In(3));
  }
  NEREID_RETURN_IF_ERROR(ReadGates(call, p));
  return p;
}

// state = decay · state + rate · key ⊗ (value - decayᵀ stateᵀ key)
void Update(Problem& p, int64_t token, int64_t head, double* state) {
  const double* key = p.key.data() + (token * p.kv_heads + head) * p.key_size;
  const double* value = p.value.data() + (token * p.kv_heads + head) * p.value_size;
  const bool per_key = p.decay_width != p.kv_heads;
  for (int64_t i = 0; i < p.key_size && p.rule.decays; ++i) {
    const double g = p.decay[static_cast<size_t>(token * p.decay_width +
                                                 (per_key ? head * p.key_size + i : head))];
    for (int64_t j = 0; j < p.value_size; ++j) state[i * p.value_size + j] *= std::exp(g);
  }
  const double rate =
      p.rule.corrects
          ? p.rate[static_cast<size_t>(token * p.rate_width + (p.rate_width == 1 ? 0 : head))]
          : 1;
  for (int64_t j = 0; j < p.value_size; ++j) {
    double held = 0;
    for (int64_t i = 0; i < p.key_size && p.rule.corrects; ++i) {
      held += state[i * p.value_size + j] * key[i];
    }
    for (int64_t i = 0; i < p.key_size; ++i) {
      state[i * p.value_size + j] += rate * key[i] * (value[j] - held);
    }
  }
}

// output = scale · queryᵀ state
void Emit(const Problem& p, int64_t token, int64_t q_head, const double* state, double* y) {
  const double* query = p.query.data() + (token * p.q_heads + q_head) * p.key_size;
  for (int64_t j = 0; j < p.value_size; ++j) {
    double sum = 0;
    for (int64_t i = 0; i < p.key_size; ++i) sum += query[i] * state[i * p.value_size + j];
    y[j] = p.scale * sum;
  }
}

Results LinearAttention(const Call& call) {
  NEREID_ASSIGN_OR_RETURN(Problem p, ReadProblem(call));
  const Shape shape = {p.batch, p.tokens, p.q_heads * p.value_size};
  NEREID_ASSIGN_OR_RETURN(const int64_t count, CountOf(shape));
  std::vector<double> y(static_cast<size_t>(count));
  const int64_t shared = p.q_heads / p.kv_heads;
  for (int64_t token = 0; token < p.batch * p.tokens; ++token) {
    for (int64_t head = 0; head < p.kv_heads; ++head) {
      double* state =
          p.state.data() + (token / p.tokens * p.kv_heads + head) * p.key_size * p.value_size;
      Update(p, token, head, state);
      for (int64_t h = head * shared; h < (head + 1) * shared; ++h) {
        Emit(p, token, h, state, y.data() + (token * p.q_heads + h) * p.value_size);
      }
    }
  }
  const DataType type = call.In(0).type();
  return Several(Write(type, shape, y),
                 Write(call.Has(3) ? call.In(3).type() : type, p.StateShape(), p.state));
}

// x [N, C, L], w [C, 1, k], bias?, past [N, C, k - 1]? → y of the shape of x, the last k - 1
// columns
Results CausalConvWithState(const Call& call) {
  const Shape& x = call.ShapeOf(0);
  const Shape& w = call.ShapeOf(1);
  if (x.size() != 3 || w.size() != 3 || w[0] != x[1] || w[1] != 1 || w[2] < 1) {
    return Refuse("weight ", ShapeToString(w), " does not fit ", ShapeToString(x));
  }
  const std::string activation = call.node.String("activation", "none");
  const bool is_silu = activation == "silu" || activation == "swish";
  if (!is_silu && activation != "none") return Refuse("activation is '", activation, "'");
  const int64_t kept = w[2] - 1;
  const Shape state = {x[0], x[1], kept};
  NEREID_ASSIGN_OR_RETURN(const int64_t state_count, CountOf(state));
  NEREID_RETURN_IF_ERROR(CountOf({x[0], x[1], kept + x[2]}).status());
  std::vector<double> past(static_cast<size_t>(state_count));
  std::vector<double> bias(static_cast<size_t>(x[1]));
  if (call.Has(3) && call.ShapeOf(3) != state) return Refuse("the state does not fit");
  if (call.Has(3)) past = Read<double>(call.In(3));
  if (call.Has(2) && call.ShapeOf(2) != Shape{x[1]}) return Refuse("the bias does not fit");
  if (call.Has(2)) bias = Read<double>(call.In(2));
  const std::vector<double> values = Read<double>(call.In(0));
  const std::vector<double> taps = Read<double>(call.In(1));
  std::vector<double> y(values.size());
  std::vector<double> next(past.size());
  std::vector<double> line(static_cast<size_t>(kept + x[2]));
  for (int64_t plane = 0; plane < x[0] * x[1]; ++plane) {
    std::copy_n(past.begin() + plane * kept, kept, line.begin());
    std::copy_n(values.begin() + plane * x[2], x[2], line.begin() + kept);
    std::copy_n(line.end() - kept, kept, next.begin() + plane * kept);
    const int64_t channel = plane % x[1];
    for (int64_t t = 0; t < x[2]; ++t) {
      double sum = bias[static_cast<size_t>(channel)];
      for (int64_t k = 0; k < w[2]; ++k) {
        sum += taps[static_cast<size_t>(channel * w[2] + k)] * line[static_cast<size_t>(t + k)];
      }
      y[static_cast<size_t>(plane * x[2] + t)] = is_silu ? sum / (1 + std::exp(-sum)) : sum;
    }
  }
  const DataType type = call.In(0).type();
  return Several(Write(type, x, y), Write(type, state, next));
}

constexpr OperatorRow kOperators[] = {
    {"CausalConvWithState", CausalConvWithState, 2, Accepts::kFloats},
    {"LinearAttention", LinearAttention, 3, Accepts::kFloats},
};

}  // namespace

absl::Span<const OperatorRow> StatefulOperators() { return kOperators; }

}  // namespace nereid::engine
