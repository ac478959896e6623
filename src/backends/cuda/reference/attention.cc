#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "backends/cuda/reference/elements.h"
#include "backends/cuda/reference/heads.h"
#include "backends/cuda/reference/numbers.h"
#include "backends/cuda/reference/operator.h"

namespace nereid::engine {
namespace {

constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();

// `past` and then `x` along the sequence.
absl::StatusOr<HostTensor> Append(const HostTensor& past, const HostTensor& x) {
  const Shape& p = past.shape();
  const Shape& s = x.shape();
  if (p.size() != 4 || p[0] != s[0] || p[1] != s[1] || p[3] != s[3] || past.type() != x.type()) {
    return Refuse("a past of shape ", ShapeToString(p), " does not fit ", ShapeToString(s));
  }
  const Shape shape = {s[0], s[1], p[2] + s[2], s[3]};
  NEREID_RETURN_IF_ERROR(CountOf(shape).status());
  HostTensor result(x.type(), shape);
  VisitStorage(x.type(), [&]<typename S>() {
    S* to = MutableElements<S>(result);
    for (int64_t i = 0; i < s[0] * s[1]; ++i) {
      to = std::copy_n(Elements<S>(past) + i * p[2] * p[3], p[2] * p[3], to);
      to = std::copy_n(Elements<S>(x) + i * s[2] * s[3], s[2] * s[3], to);
    }
  });
  return result;
}

// What is added to a score, read as if it had the scores' shape.
class Mask {
 public:
  // `scores` is [batch, heads, queries, keys]; the mask may have fewer keys.
  static absl::StatusOr<Mask> Create(const HostTensor& tensor, const Shape& scores) {
    Shape shape = tensor.shape();
    if (shape.empty() || shape.size() > 4) return Refuse("the mask is of rank ", shape.size());
    Mask mask;
    mask.keys_ = shape.back() == 1 && scores[3] != 1 ? scores[3] : shape.back();
    Shape expected = scores;
    expected[3] = std::min(mask.keys_, scores[3]);
    NEREID_RETURN_IF_ERROR(CheckBroadcastsTo(shape, expected));
    mask.strides_ = BroadcastStrides(shape, expected);
    mask.values_ = Read<double>(tensor);
    if (tensor.type() == DataType::kBool) {
      for (double& value : mask.values_) value = value != 0 ? 0 : kMinusInfinity;
    }
    return mask;
  }

  double At(int64_t b, int64_t h, int64_t q, int64_t k) const {
    if (k >= keys_) return kMinusInfinity;
    return values_[static_cast<size_t>(b * strides_[0] + h * strides_[1] + q * strides_[2] +
                                       k * strides_[3])];
  }

 private:
  int64_t keys_ = 0;
  Strides strides_;
  std::vector<double> values_;
};

// Everything that decides which keys a query sees.
struct Visibility {
  bool is_causal = false;
  int64_t left = -1;
  int64_t right = -1;
  int64_t past = 0;
  std::vector<int64_t> lengths = {};  // of each batch item, valid keys; empty: all
  std::optional<Mask> mask = std::nullopt;

  double Bias(int64_t b, int64_t h, int64_t q, int64_t k, int64_t queries) const {
    int64_t position = past + q;
    if (!lengths.empty()) {
      const int64_t length = lengths[static_cast<size_t>(b)];
      if (k >= length) return kMinusInfinity;
      position = length - queries + q;
    }
    if (is_causal && k > position) return kMinusInfinity;
    if (left >= 0 && position - k > left) return kMinusInfinity;
    if (right >= 0 && k - position > right) return kMinusInfinity;
    return mask.has_value() ? mask->At(b, h, q, k) : 0;
  }
};

// In place. Where everything is hidden, zeros.
void Softmax(absl::Span<double> row) {
  double largest = kMinusInfinity;
  for (const double value : row) largest = std::fmax(largest, value);
  if (largest == kMinusInfinity) {
    std::fill(row.begin(), row.end(), 0.0);
    return;
  }
  double sum = 0;
  for (double& value : row) sum += value = std::exp(value - largest);
  for (double& value : row) value /= sum;
}

struct Options {
  double scale = 1;
  double softcap = 0;
  int64_t shown = -1;  // which stage of the scores is put out: 0 … 3, -1 none
};

struct Attended {
  std::vector<double> y;
  std::vector<double> scores;
};

struct Heads {
  Shape scores;  // [batch, heads of q, queries, keys]
  int64_t size = 0;
  int64_t value_size = 0;
  int64_t shared = 1;  // heads of q that read one head of k and v
};

absl::StatusOr<Heads> HeadsOf(const Shape& q, const Shape& k, const Shape& v) {
  const bool fit = q.size() == 4 && k.size() == 4 && v.size() == 4 && q[0] == k[0] &&
                   q[0] == v[0] && k[1] == v[1] && k[2] == v[2] && q[3] == k[3] && k[1] > 0 &&
                   q[1] % k[1] == 0;
  if (!fit) {
    return Refuse("q, k and v of shapes ", ShapeToString(q), ", ", ShapeToString(k), " and ",
                  ShapeToString(v), " do not fit");
  }
  Heads heads{
      .scores = {q[0], q[1], q[2], k[2]}, .size = q[3], .value_size = v[3], .shared = q[1] / k[1]};
  NEREID_RETURN_IF_ERROR(CountOf(heads.scores).status());
  NEREID_RETURN_IF_ERROR(CountOf({q[0], q[1], q[2], v[3]}).status());
  return heads;
}

Attended Attend(const Heads& heads, const std::vector<double>& q, const std::vector<double>& k,
                const std::vector<double>& v, const Visibility& visibility,
                const Options& options) {
  const int64_t queries = heads.scores[2];
  const int64_t keys = heads.scores[3];
  Attended result;
  result.y.resize(
      static_cast<size_t>(heads.scores[0] * heads.scores[1] * queries * heads.value_size));
  if (options.shown >= 0) result.scores.resize(static_cast<size_t>(Product(heads.scores)));
  std::vector<double> row(static_cast<size_t>(keys));
  ForEachIndex(
      absl::Span<const int64_t>(heads.scores).subspan(0, 3), [&](int64_t i, const Strides& index) {
        const int64_t kv = i / queries / heads.shared;
        const auto show = [&](int64_t stage) {
          if (options.shown == stage)
            std::copy(row.begin(), row.end(), result.scores.begin() + i * keys);
        };
        const double* query = q.data() + i * heads.size;
        for (int64_t j = 0; j < keys; ++j) {
          const double* key = k.data() + (kv * keys + j) * heads.size;
          double dot = 0;
          for (int64_t d = 0; d < heads.size; ++d) dot += query[d] * key[d];
          row[static_cast<size_t>(j)] = dot * options.scale;
        }
        show(0);
        if (options.softcap > 0) {
          for (double& s : row) s = options.softcap * std::tanh(s / options.softcap);
        }
        show(1);
        for (int64_t j = 0; j < keys; ++j) {
          row[static_cast<size_t>(j)] += visibility.Bias(index[0], index[1], index[2], j, queries);
        }
        show(2);
        Softmax(absl::MakeSpan(row));
        show(3);
        double* y = result.y.data() + i * heads.value_size;
        for (int64_t j = 0; j < keys; ++j) {
          // A hidden key's value may be anything, even a NaN.
          if (row[static_cast<size_t>(j)] == 0) continue;
          const double* value = v.data() + (kv * keys + j) * heads.value_size;
          for (int64_t d = 0; d < heads.value_size; ++d)
            y[d] += row[static_cast<size_t>(j)] * value[d];
        }
      });
  return result;
}

absl::StatusOr<Visibility> VisibilityOf(const Call& call, const Shape& scores, int64_t past) {
  Visibility visibility{.is_causal = call.node.Int("is_causal", 0) != 0,
                        .left = call.node.Int("left_window_size", -1),
                        .right = call.node.Int("right_window_size", -1),
                        .past = past};
  if (call.Has(6)) {
    NEREID_ASSIGN_OR_RETURN(visibility.lengths, call.Integers(6));
    if (static_cast<int64_t>(visibility.lengths.size()) != scores[0]) {
      return Refuse("nonpad_kv_seqlen has not an element a batch item");
    }
    for (const int64_t length : visibility.lengths) {
      if (length < 0 || length > scores[3]) return Refuse("nonpad_kv_seqlen has ", length);
    }
  }
  if (call.Has(3)) {
    NEREID_ASSIGN_OR_RETURN(visibility.mask, Mask::Create(call.In(3), scores));
  }
  return visibility;
}

// q, k, v, mask?, past_key?, past_value?, valid keys? → y, key, value, scores
Results Attention(const Call& call) {
  const Node& node = call.node;
  NEREID_ASSIGN_OR_RETURN(const HostTensor q, SplitHeads(call.In(0), node.Int("q_num_heads", 0)));
  NEREID_ASSIGN_OR_RETURN(HostTensor k, SplitHeads(call.In(1), node.Int("kv_num_heads", 0)));
  NEREID_ASSIGN_OR_RETURN(HostTensor v, SplitHeads(call.In(2), node.Int("kv_num_heads", 0)));
  int64_t past = 0;
  if (call.Has(4) != call.Has(5)) return Refuse("only one of past_key and past_value is given");
  if (call.Has(4)) {
    NEREID_ASSIGN_OR_RETURN(k, Append(call.In(4), k));
    NEREID_ASSIGN_OR_RETURN(v, Append(call.In(5), v));
    past = call.ShapeOf(4)[2];
  }
  NEREID_ASSIGN_OR_RETURN(const Heads heads, HeadsOf(q.shape(), k.shape(), v.shape()));
  NEREID_ASSIGN_OR_RETURN(const Visibility visibility, VisibilityOf(call, heads.scores, past));
  const double natural = 1 / std::sqrt(static_cast<double>(heads.size));
  const bool has_scale = node.attributes.contains("scale");
  const Options options{.scale = has_scale ? double{node.Float("scale", 1)} : natural,
                        .softcap = node.Float("softcap", 0),
                        .shown = node.HasOutput(3) ? node.Int("qk_matmul_output_mode", 0) : -1};
  const Attended attended =
      Attend(heads, Read<double>(q), Read<double>(k), Read<double>(v), visibility, options);
  const DataType type = call.In(0).type();
  HostTensor y = Write(type, {heads.scores[0], heads.scores[1], heads.scores[2], heads.value_size},
                       attended.y);
  if (call.ShapeOf(0).size() == 3) y = MergeHeads(y);
  std::vector<HostTensor> results = {std::move(y), std::move(k), std::move(v)};
  if (options.shown >= 0) results.push_back(Write(type, heads.scores, attended.scores));
  return results;
}

// See ir/nereid_ops.h.
Results Fmha(const Call& call) {
  HostTensor k = call.In(1);
  if (k.shape().size() == 4 && call.node.Int("k_transposed", 0) != 0) {
    const Shape& s = k.shape();
    k = CopyStrided(k, 0, {s[0], s[1], s[3], s[2]}, {s[1] * s[2] * s[3], s[2] * s[3], 1, s[3]});
  }
  NEREID_ASSIGN_OR_RETURN(const Heads heads, HeadsOf(call.ShapeOf(0), k.shape(), call.ShapeOf(2)));
  Visibility visibility;
  if (call.Has(3)) {
    NEREID_RETURN_IF_ERROR(CheckBroadcastsTo(call.ShapeOf(3), heads.scores));
    if (call.ShapeOf(3).empty()) return Refuse("the mask is a scalar");
    NEREID_ASSIGN_OR_RETURN(visibility.mask, Mask::Create(call.In(3), heads.scores));
  }
  const Attended attended =
      Attend(heads, Read<double>(call.In(0)), Read<double>(k), Read<double>(call.In(2)), visibility,
             {.scale = call.node.Float("scale", 1)});
  return One(Write(call.In(0).type(),
                   {heads.scores[0], heads.scores[1], heads.scores[2], heads.value_size},
                   attended.y));
}

constexpr OperatorRow kOperators[] = {
    {"Attention", Attention, 3, Accepts::kLeadFloat},
    {"nereid.FMHA", Fmha, 3, Accepts::kLeadFloat},
};

}  // namespace

absl::Span<const OperatorRow> AttentionOperators() { return kOperators; }

}  // namespace nereid::engine
