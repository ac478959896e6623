// Matrix products, attention and recurrent layers.

#include <algorithm>
#include <array>
#include <map>

#include "backends/cuda/passes/infer_rules.h"
#include "common/status_macros.h"

namespace nereid::engine {
namespace {

absl::Status Product(InferContext& context, size_t b_index, DataType type) {
  const Shape* a = context.In(0);
  const Shape* b = context.In(b_index);
  if (a == nullptr || b == nullptr) {
    context.Set(0, type, std::nullopt);
    return absl::OkStatus();
  }
  if (a->empty() || b->empty()) return context.Error("an operand is a scalar");
  Shape left = *a;
  Shape right = *b;
  if (a->size() == 1) left.insert(left.begin(), 1);
  if (b->size() == 1) right.push_back(1);
  const int64_t inner = left.back();
  const int64_t other = right[right.size() - 2];
  if (inner >= 0 && other >= 0 && inner != other) {
    return context.Error("shapes ", ShapeToString(*a), " and ", ShapeToString(*b), " do not fit");
  }
  NEREID_ASSIGN_OR_RETURN(Shape out, Broadcast(absl::MakeConstSpan(left).first(left.size() - 2),
                                               absl::MakeConstSpan(right).first(right.size() - 2)));
  if (a->size() > 1) out.push_back(left[left.size() - 2]);
  if (b->size() > 1) out.push_back(right.back());
  context.Set(0, type, std::move(out));
  return absl::OkStatus();
}

absl::Status MatMul(InferContext& context) { return Product(context, 1, context.Type(0)); }
absl::Status MatMulInteger(InferContext& context) { return Product(context, 1, DataType::kInt32); }
absl::Status QLinearMatMul(InferContext& context) { return Product(context, 3, context.Type(7)); }

absl::Status Gemm(InferContext& context) {
  const Shape* a = context.In(0);
  const Shape* b = context.In(1);
  if (a == nullptr || b == nullptr) {
    context.Set(0, context.Type(0), Shape{-1, -1});
    return absl::OkStatus();
  }
  if (a->size() != 2 || b->size() != 2) return context.Error("an operand is not a matrix");
  const bool ta = context.node.Int("transA", 0) != 0;
  const bool tb = context.node.Int("transB", 0) != 0;
  const int64_t inner = (*a)[ta ? 0 : 1];
  const int64_t other = (*b)[tb ? 1 : 0];
  if (inner >= 0 && other >= 0 && inner != other) {
    return context.Error("shapes ", ShapeToString(*a), " and ", ShapeToString(*b), " do not fit");
  }
  context.Set(0, context.Type(0), Shape{(*a)[ta ? 1 : 0], (*b)[tb ? 0 : 1]});
  return absl::OkStatus();
}

// "bij,bjk->bik", with the ellipsis.
absl::Status Einsum(InferContext& context) {
  std::string text = context.node.String("equation", "");
  std::erase(text, ' ');
  std::map<char, int64_t> extents;
  Shape ellipsis;
  const size_t arrow = text.find("->");
  const std::string_view all(text);
  std::string_view terms = all.substr(0, arrow);
  context.Set(0, context.Type(0), std::nullopt);
  for (size_t i = 0; i < context.node.inputs.size(); ++i) {
    const size_t comma = terms.find(',');
    std::string_view term = terms.substr(0, comma);
    const bool last = comma == std::string_view::npos;
    if (last != (i + 1 == context.node.inputs.size())) {
      return context.Error("the equation does not have one term per input");
    }
    terms = last ? std::string_view() : terms.substr(comma + 1);
    const Shape* in = context.In(i);
    if (in == nullptr) return absl::OkStatus();
    const size_t dots = term.find("...");
    const size_t letters = term.size() - (dots == std::string_view::npos ? 0 : 3);
    if (letters > in->size() || (dots == std::string_view::npos && letters != in->size())) {
      return context.Error("a term does not fit its input's rank");
    }
    size_t axis = 0;
    for (size_t at = 0; at < term.size(); ++at) {
      if (at == dots) {
        const size_t rest = in->size() - letters;
        NEREID_ASSIGN_OR_RETURN(ellipsis,
                                Broadcast(ellipsis, absl::MakeConstSpan(*in).subspan(axis, rest)));
        axis += rest;
        at += 2;
        continue;
      }
      const auto [found, inserted] = extents.emplace(term[at], (*in)[axis]);
      if (!inserted && (found->second == -1 || found->second == 1)) found->second = (*in)[axis];
      ++axis;
    }
  }
  std::string target;
  if (arrow != std::string::npos) {
    target = text.substr(arrow + 2);
  } else {
    target = "...";
    for (const auto& [letter, extent] : extents) {
      if (std::count(text.begin(), text.end(), letter) == 1) target += letter;
    }
  }
  Shape out;
  for (size_t at = 0; at < target.size(); ++at) {
    if (target.compare(at, 3, "...") == 0) {
      out.insert(out.end(), ellipsis.begin(), ellipsis.end());
      at += 2;
      continue;
    }
    const auto found = extents.find(target[at]);
    if (found == extents.end()) return context.Error("the output names an unknown letter");
    out.push_back(found->second);
  }
  context.Set(0, context.Type(0), std::move(out));
  return absl::OkStatus();
}

// w [dirs, gates·H, I], r [dirs, gates·H, H], bias [dirs, 2·gates·H], lengths [B], h and c as the
// state, peepholes [dirs, 3·H]
absl::Status CheckRecurrent(const InferContext& context, int64_t directions, int64_t hidden,
                            int64_t inputs, int64_t batch, const Shape& state) {
  if (hidden > kMaxExtent) return context.Error("hidden_size is ", hidden);
  const int64_t gates = context.node.op == "LSTM" ? 4 : context.node.op == "GRU" ? 3 : 1;
  const auto times = [&](int64_t n) { return hidden < 0 ? -1 : n * hidden; };
  NEREID_RETURN_IF_ERROR(context.CheckShape(1, {directions, times(gates), inputs}));
  NEREID_RETURN_IF_ERROR(context.CheckShape(2, {directions, times(gates), hidden}));
  NEREID_RETURN_IF_ERROR(context.CheckShape(3, {directions, times(2 * gates)}));
  NEREID_RETURN_IF_ERROR(context.CheckShape(4, {batch}));
  NEREID_RETURN_IF_ERROR(context.CheckShape(5, state));
  if (gates != 4) return absl::OkStatus();
  NEREID_RETURN_IF_ERROR(context.CheckShape(6, state));
  return context.CheckShape(7, {directions, times(3)});
}

// (x [S,B,I], w, r [dirs,·,H], …) → (y [S,dirs,B,H], h [dirs,B,H], c likewise)
absl::Status Recurrent(InferContext& context) {
  const Shape* x = context.In(0);
  const Shape* recurrence = context.In(2);
  const bool batch_first = context.node.Int("layout", 0) != 0;
  const int64_t directions = context.node.String("direction", "forward") == "bidirectional" ? 2 : 1;
  int64_t hidden = context.node.Int("hidden_size", -1);
  if (hidden < 0 && recurrence != nullptr && recurrence->size() == 3) hidden = (*recurrence)[2];
  if (hidden < 0) hidden = -1;
  if (x != nullptr && x->size() != 3) return context.Error("the input does not have rank 3");
  const int64_t steps = x == nullptr ? -1 : (*x)[batch_first ? 1 : 0];
  const int64_t batch = x == nullptr ? -1 : (*x)[batch_first ? 0 : 1];
  const Shape y = batch_first ? Shape{batch, steps, directions, hidden}
                              : Shape{steps, directions, batch, hidden};
  const Shape state =
      batch_first ? Shape{batch, directions, hidden} : Shape{directions, batch, hidden};
  NEREID_RETURN_IF_ERROR(
      CheckRecurrent(context, directions, hidden, x == nullptr ? -1 : (*x)[2], batch, state));
  context.Set(0, context.Type(0), y);
  context.Set(1, context.Type(0), state);
  context.Set(2, context.Type(0), state);
  return absl::OkStatus();
}

// (q, k, v, mask?, past_k?, past_v?), of rank 4, or 3 with heads in the last extent.
absl::Status Attention(InferContext& context) {
  const int64_t mode = context.node.Int("qk_matmul_output_mode", 0);
  if (mode < 0 || mode > 3) return context.Error("qk_matmul_output_mode is ", mode);
  const Shape* q = context.In(0);
  const Shape* k = context.In(1);
  const Shape* v = context.In(2);
  for (size_t i = 0; i < context.node.outputs.size(); ++i) {
    context.Set(i, context.Type(i == 2 ? 2 : i == 1 ? 1 : 0), std::nullopt);
  }
  if (q == nullptr || k == nullptr || v == nullptr) return absl::OkStatus();
  if (q->size() != k->size() || q->size() != v->size() || (q->size() != 3 && q->size() != 4)) {
    return context.Error("queries, keys and values do not fit");
  }
  const bool flat = q->size() == 3;
  const int64_t q_heads = flat ? context.node.Int("q_num_heads", -1) : (*q)[1];
  const int64_t kv_heads = flat ? context.node.Int("kv_num_heads", -1) : (*k)[1];
  if (flat && (q_heads < 1 || kv_heads < 1))
    return context.Error("the numbers of heads are missing");
  const auto per_head = [flat](const Shape& s, int64_t heads) {
    return !flat ? s[3] : s[2] < 0 ? -1 : s[2] / heads;
  };
  const int64_t past =
      context.Has(4)
          ? (context.In(4) != nullptr && context.In(4)->size() == 4 ? (*context.In(4))[2] : -1)
          : 0;
  const int64_t own = (*k)[flat ? 1 : 2];
  const int64_t total = past < 0 || own < 0 ? -1 : past + own;
  const int64_t rows = (*q)[flat ? 1 : 2];
  const int64_t width = per_head(*v, kv_heads);
  Shape y = *q;
  y.back() = flat ? (width < 0 ? -1 : width * q_heads) : width;
  context.Set(0, context.Type(0), y);
  context.Set(1, context.Type(1), Shape{(*k)[0], kv_heads, total, per_head(*k, kv_heads)});
  context.Set(2, context.Type(2), Shape{(*v)[0], kv_heads, total, width});
  context.Set(3, context.Type(0), Shape{(*q)[0], q_heads, rows, total});
  return absl::OkStatus();
}

// q [batch, heads, queries, n], k [batch, kv_heads, keys, n], v [batch, kv_heads, keys, m]; a mask
// broadcasts to [batch, heads, queries, keys].
absl::Status CheckFmha(const InferContext& context, const Shape& q, const Shape& v) {
  const auto wrong = [&](size_t i, const Shape& shape) {
    return context.Error("input ", i, ", ", ShapeToString(shape), ", does not fit queries of ",
                         ShapeToString(q), " and values of ", ShapeToString(v));
  };
  if (!Fits(q[0], v[0]) || v[1] == 0 || (q[1] >= 0 && v[1] > 0 && q[1] % v[1] != 0)) {
    return wrong(2, v);
  }
  if (const Shape* k = context.In(1); k != nullptr) {
    const size_t keys = context.node.Int("k_transposed", 0) != 0 ? 3 : 2;
    if (k->size() != 4 || !Fits((*k)[0], v[0]) || !Fits((*k)[1], v[1]) || !Fits((*k)[keys], v[2]) ||
        !Fits((*k)[5 - keys], q[3])) {
      return wrong(1, *k);
    }
  }
  const Shape* mask = context.In(3);
  if (mask == nullptr) return absl::OkStatus();
  const bool fits = !mask->empty() && BroadcastsTo(*mask, {q[0], q[1], q[2], v[2]});
  return fits ? absl::OkStatus() : wrong(3, *mask);
}

absl::Status Fmha(InferContext& context) {
  const Shape* q = context.In(0);
  const Shape* v = context.In(2);
  std::optional<Shape> out;
  if (q != nullptr && v != nullptr) {
    if (q->size() != 4 || v->size() != 4) return context.Error("an operand does not have rank 4");
    NEREID_RETURN_IF_ERROR(CheckFmha(context, *q, *v));
    out = *q;
    out->back() = v->back();
  }
  context.Set(0, context.Type(0), std::move(out));
  return absl::OkStatus();
}

absl::Status Det(InferContext& context) {
  std::optional<Shape> out;
  if (const Shape* x = context.In(0); x != nullptr) {
    if (x->size() < 2) return context.Error("the input has rank ", x->size());
    const int64_t rows = (*x)[x->size() - 2], columns = x->back();
    if (rows >= 0 && columns >= 0 && rows != columns) {
      return context.Error("the input is not square");
    }
    out = Shape(x->begin(), x->end() - 2);
  }
  context.Set(0, context.Type(0), std::move(out));
  return absl::OkStatus();
}

constexpr std::array kRows = std::to_array<InferRow>({
    {"Attention", Attention, 3},
    {"Det", Det, 1},
    {"Einsum", Einsum, 1},
    {"GRU", Recurrent, 3},
    {"Gemm", Gemm, 2},
    {"LSTM", Recurrent, 3},
    {"MatMul", MatMul, 2},
    {"MatMulInteger", MatMulInteger, 2},
    {"QLinearMatMul", QLinearMatMul, 8},
    {"RNN", Recurrent, 3},
    {"nereid.FMHA", Fmha, 3},
});

}  // namespace

absl::Span<const InferRow> MatrixShapes() { return kRows; }

}  // namespace nereid::engine
