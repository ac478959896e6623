#include <cmath>
#include <limits>
#include <vector>

#include "backends/cuda/ir/nereid_ops.h"
#include "backends/cuda/ir/onnx_type.h"
#include "backends/cuda/passes/expansion.h"

namespace nereid::engine {
namespace {

constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();
// Queries × keys of a mask that is made up here.
constexpr int64_t kMostMaskElements = int64_t{1} << 24;

// Inputs of ONNX's Attention, and its outputs.
constexpr size_t kMask = 3, kPastKey = 4, kPastValue = 5, kLengths = 6;
constexpr size_t kPresentKey = 1, kPresentValue = 2, kScores = 3;

// [B, S, H·D] as [B, H, S, D]; rank 4 is that already.
ValueId SplitHeads(Expansion& e, ValueId x, int64_t heads) {
  const Shape& s = e.ShapeOf(x);
  if (s.size() == 4) return x;
  if (heads < 1 || s[2] % heads != 0) return kNoValue;
  return e.Transpose(e.Reshape(x, {s[0], s[1], heads, s[2] / heads}), {0, 2, 1, 3});
}

class AttentionParts {
 public:
  explicit AttentionParts(Expansion& e) : e_(e) {}

  bool Run() {
    if (!ReadHeads()) return false;
    if (!ReadMask() || !e_.ok()) return false;
    const Node& node = e_.node;
    scale_ = node.attributes.contains("scale")
                 ? double{node.Float("scale", 1)}
                 : 1 / std::sqrt(static_cast<double>(e_.ShapeOf(q_)[3]));
    const bool plain = node.Float("softcap", 0) == 0 && !node.HasOutput(kScores);
    const ValueId y = plain ? Fused() : StepByStep();
    if (!e_.ok()) return false;
    PutOut(y);
    e_.Make(kPresentKey, "Identity", {k_});
    e_.Make(kPresentValue, "Identity", {v_});
    return true;
  }

 private:
  bool ReadHeads() {
    for (size_t i = 0; i < e_.node.inputs.size(); ++i) {
      if (e_.Has(i) && !e_.IsKnown(e_.In(i))) return false;
    }
    if (e_.Has(kPastKey) != e_.Has(kPastValue)) return false;
    for (const size_t i : {size_t{0}, size_t{1}, size_t{2}}) {
      const size_t rank = e_.ShapeOf(e_.In(i)).size();
      if (rank != 3 && rank != 4) return false;
    }
    const int64_t kv_heads = e_.node.Int("kv_num_heads", 0);
    q_ = SplitHeads(e_, e_.In(0), e_.node.Int("q_num_heads", 0));
    k_ = SplitHeads(e_, e_.In(1), kv_heads);
    v_ = SplitHeads(e_, e_.In(2), kv_heads);
    if (q_ == kNoValue || k_ == kNoValue || v_ == kNoValue) return false;
    if (e_.Has(kPastKey)) {
      past_ = e_.ShapeOf(e_.In(kPastKey)).size() == 4 ? e_.ShapeOf(e_.In(kPastKey))[2] : 0;
      k_ = e_.Concat({e_.In(kPastKey), k_}, 2);
      v_ = e_.Concat({e_.In(kPastValue), v_}, 2);
    }
    if (!e_.ok()) return false;
    const Shape &q = e_.ShapeOf(q_), &k = e_.ShapeOf(k_), &v = e_.ShapeOf(v_);
    queries_ = q[2];
    keys_ = k[2];
    return q[0] == k[0] && q[0] == v[0] && k[1] == v[1] && k[2] == v[2] && q[3] == k[3] &&
           k[1] > 0 && q[1] % k[1] == 0;
  }

  // Which keys a query sees, apart from the mask that is given: a constant, or one a batch item.
  ValueId Visible() {
    const bool causal = e_.node.Int("is_causal", 0) != 0;
    const int64_t left = e_.node.Int("left_window_size", -1);
    const int64_t right = e_.node.Int("right_window_size", -1);
    if (!causal && left < 0 && right < 0 && !e_.Has(kLengths)) return kNoValue;
    if (queries_ * keys_ > kMostMaskElements) {
      refused_ = true;
      return kNoValue;
    }
    if (e_.Has(kLengths)) return VisibleByLength(causal, left, right);
    HostTensor visible(DataType::kBool, {queries_, keys_});
    auto* to = visible.mutable_data<uint8_t>();
    for (int64_t q = 0; q < queries_; ++q) {
      const int64_t position = past_ + q;
      for (int64_t k = 0; k < keys_; ++k) {
        *to++ = !(causal && k > position) && !(left >= 0 && position - k > left) &&
                !(right >= 0 && k - position > right);
      }
    }
    return e_.Tensor(std::move(visible));
  }

  ValueId Row(int64_t count, int64_t start, const Shape& shape) {
    HostTensor row(DataType::kInt64, shape);
    for (int64_t i = 0; i < count; ++i) row.mutable_data<int64_t>()[i] = start + i;
    return e_.Tensor(std::move(row));
  }

  // The last query stands at the last valid key of its batch item.
  ValueId VisibleByLength(bool causal, int64_t left, int64_t right) {
    const int64_t batch = e_.ShapeOf(q_)[0];
    const ValueId lengths =
        e_.Reshape(e_.Cast(e_.In(kLengths), DataType::kInt64), {batch, 1, 1, 1});
    const ValueId keys = Row(keys_, 0, {1, 1, 1, keys_});
    ValueId visible = e_.Op("Less", {keys, lengths});
    const ValueId position = e_.Op("Add", {lengths, Row(queries_, -queries_, {1, 1, queries_, 1})});
    const auto limit = [&](const char* op, int64_t offset) {
      const ValueId bound = e_.Op("Add", {position, e_.Number(double(offset), DataType::kInt64)});
      visible = e_.Op("And", {visible, e_.Op(op, {keys, bound})});
    };
    if (causal) limit("LessOrEqual", 0);
    if (left >= 0) limit("GreaterOrEqual", -left);
    if (right >= 0) limit("LessOrEqual", right);
    return visible;
  }

  // The mask that is given, with keys it does not reach hidden, and what else hides keys.
  bool ReadMask() {
    const ValueId visible = Visible();
    if (refused_) return false;
    mask_ = visible;
    if (!e_.Has(kMask)) return e_.ok();
    ValueId given = e_.In(kMask);
    const DataType type = e_.TypeOf(given);
    const bool boolean = type == DataType::kBool;
    if (e_.ShapeOf(given).empty() || (!boolean && !IsFloating(type))) return false;
    const int64_t width = e_.ShapeOf(given).back();
    if (width < keys_ && width != 1) {
      std::vector<int64_t> pads(2 * e_.ShapeOf(given).size(), 0);
      pads.back() = keys_ - width;
      const ValueId hidden = boolean ? e_.Tensor(HostTensor::Of<uint8_t>(DataType::kBool, {}, {0}))
                                     : e_.Number(kMinusInfinity, type);
      given = e_.Op("Pad", {given, e_.Ints(pads), hidden});
    } else if (width > keys_) {
      return false;
    }
    if (visible == kNoValue) {
      mask_ = given;
    } else if (boolean) {
      mask_ = e_.Op("And", {given, visible});
    } else {
      mask_ = e_.Op("Where", {visible, given, e_.Number(kMinusInfinity, type)});
    }
    return e_.ok();
  }

  ValueId Fused() {
    std::vector<ValueId> inputs = {q_, k_, v_};
    if (mask_ != kNoValue) inputs.push_back(mask_);
    return e_.Op(kFmha, std::move(inputs),
                 {{"scale", static_cast<float>(scale_)}, {"k_transposed", int64_t{0}}},
                 kNereidDomain);
  }

  // Heads of k or v that several of q's share, once for each of these.
  ValueId Repeated(ValueId x) {
    const Shape s = e_.ShapeOf(x);
    const int64_t times = e_.ShapeOf(q_)[1] / s[1];
    if (times == 1) return x;
    const ValueId apart = e_.Reshape(x, {s[0], s[1], 1, s[2], s[3]});
    const ValueId spread = e_.Op("Expand", {apart, e_.Ints({s[0], s[1], times, s[2], s[3]})});
    return e_.Reshape(spread, {s[0], s[1] * times, s[2], s[3]});
  }

  // With what a single piece of work does not have: a soft cap, the scores as an output.
  ValueId StepByStep() {
    const DataType type = e_.TypeOf(q_);
    const ValueId k = e_.Transpose(Repeated(k_), {0, 1, 3, 2});
    ValueId scores = e_.Op("MatMul", {q_, k});
    scores = e_.Op("Mul", {scores, e_.Number(scale_, type)});
    Show(0, scores);
    if (const float cap = e_.node.Float("softcap", 0); cap > 0) {
      const ValueId by = e_.Number(double{cap}, type);
      scores = e_.Op("Mul", {e_.Op("Tanh", {e_.Op("Div", {scores, by})}), by});
    }
    Show(1, scores);
    if (mask_ != kNoValue && e_.TypeOf(mask_) == DataType::kBool) {
      scores = e_.Op("Where", {mask_, scores, e_.Number(kMinusInfinity, type)});
    } else if (mask_ != kNoValue) {
      scores = e_.Op("Add", {scores, e_.Cast(mask_, type)});
    }
    Show(2, scores);
    ValueId weights = e_.Op("Softmax", {scores}, {{"axis", int64_t{-1}}});
    if (mask_ != kNoValue) {
      // A query that sees nothing gives zeros.
      weights = e_.Op("Where", {e_.Op("IsNaN", {weights}), e_.Number(0, type), weights});
    }
    Show(3, weights);
    return e_.Op("MatMul", {weights, Repeated(v_)});
  }

  void Show(int64_t stage, ValueId scores) {
    if (e_.node.HasOutput(kScores) && e_.node.Int("qk_matmul_output_mode", 0) == stage) {
      e_.Make(kScores, "Identity", {scores});
    }
  }

  void PutOut(ValueId y) {
    if (e_.ShapeOf(e_.In(0)).size() == 4) return e_.Make(0, "Identity", {y});
    const Shape s = e_.ShapeOf(y);
    const ValueId rows = e_.Transpose(y, {0, 2, 1, 3});
    e_.Make(0, "Reshape", {rows, e_.Ints({s[0], s[2], s[1] * s[3]})});
  }

  Expansion& e_;
  ValueId q_ = kNoValue, k_ = kNoValue, v_ = kNoValue, mask_ = kNoValue;
  int64_t queries_ = 0, keys_ = 0, past_ = 0;
  double scale_ = 1;
  bool refused_ = false;
};

bool Attention(Expansion& e) { return AttentionParts(e).Run(); }

// (x, cosines, sines, positions?) with caches [positions, pairs], or [batch, sequence, pairs].
bool RotaryEmbedding(Expansion& e) {
  for (size_t i = 0; i < e.node.inputs.size(); ++i) {
    if (e.Has(i) && !e.IsKnown(e.In(i))) return false;
  }
  const Shape s = e.ShapeOf(e.In(0));
  const int64_t heads = s.size() == 4 ? s[1] : e.node.Int("num_heads", 0);
  if ((s.size() != 3 && s.size() != 4) || heads < 1 ||
      s.back() % (s.size() == 4 ? 1 : heads) != 0) {
    return false;
  }
  const int64_t batch = s[0], rows = s.size() == 4 ? s[2] : s[1];
  const int64_t width = s.size() == 4 ? s[3] : s[2] / heads;
  const int64_t pairs = e.ShapeOf(e.In(1)).back();
  const int64_t asked = e.node.Int("rotary_embedding_dim", 0);
  if (pairs < 1 || (asked == 0 ? width : asked) != 2 * pairs || 2 * pairs > width) return false;
  const bool interleaved = e.node.Int("interleaved", 0) != 0;
  // Heads lie before the rows in rank 4, behind them in rank 3; pairs apart where they interleave.
  const Shape whole = s.size() == 4 ? s : Shape{batch, rows, heads, width};
  const ValueId x = e.Reshape(e.In(0), whole);
  Shape spread = s.size() == 4 ? Shape{batch, 1, rows, pairs} : Shape{batch, rows, 1, pairs};
  if (interleaved) spread.push_back(1);
  const auto angles = [&](size_t i) {
    const ValueId chosen =
        e.Has(3) ? e.Op("Gather", {e.In(i), e.In(3)}, {{"axis", int64_t{0}}}) : e.In(i);
    return e.Cast(e.Reshape(chosen, spread), e.TypeOf(x));
  };
  const ValueId cosine = angles(1), sine = angles(2);
  ValueId turned = e.Slice(x, 3, 0, 2 * pairs);
  if (!e.ok()) return false;
  Shape apart = whole;
  apart[3] = pairs;
  if (interleaved) {
    apart.push_back(2);
    turned = e.Reshape(turned, apart);
  }
  const int64_t axis = interleaved ? 4 : 3, half = interleaved ? 1 : pairs;
  const ValueId a = e.Slice(turned, axis, 0, half), b = e.Slice(turned, axis, half, 2 * half);
  const ValueId first = e.Op("Sub", {e.Op("Mul", {cosine, a}), e.Op("Mul", {sine, b})});
  const ValueId second = e.Op("Add", {e.Op("Mul", {sine, a}), e.Op("Mul", {cosine, b})});
  turned = e.Concat({first, second}, axis);
  apart = whole;
  apart[3] = 2 * pairs;
  turned = e.Reshape(turned, apart);
  if (2 * pairs < width) turned = e.Concat({turned, e.Slice(x, 3, 2 * pairs, width)}, 3);
  if (!e.ok()) return false;
  e.Make(0, "Reshape", {turned, e.Ints(s)});
  return true;
}

constexpr DecompositionRow kRows[] = {
    {"Attention", Attention},
    {"RotaryEmbedding", RotaryEmbedding},
};

}  // namespace

absl::Span<const DecompositionRow> AttentionDecompositions() { return kRows; }

}  // namespace nereid::engine
