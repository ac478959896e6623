#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "backends/cuda/passes/expansion.h"

namespace nereid::engine {
namespace {

// A term of the equation as one character an axis. The axes of an ellipsis are numbered from the
// back, so that they broadcast: characters below ' '.
struct Equation {
  std::vector<std::string> terms;
  std::string result;
};

constexpr size_t kMostDots = 16;

bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// Replaces the dots by `axes` characters; nothing where other characters are left.
std::optional<std::string> Written(std::string term, size_t axes) {
  std::string dots;
  for (size_t i = axes; i-- > 0;) dots += static_cast<char>(i + 1);
  const size_t at = term.find("...");
  const std::string letters = at == std::string::npos ? term : std::string(term).erase(at, 3);
  if (!std::ranges::all_of(letters, IsLetter)) return std::nullopt;
  if (at != std::string::npos) term.replace(at, 3, dots);
  return term;
}

std::string ImpliedResult(const std::vector<std::string>& terms, size_t dots) {
  std::map<char, int> counts;
  for (const std::string& term : terms) {
    for (const char c : term) ++counts[c];
  }
  std::string result;
  for (size_t i = dots; i-- > 0;) result += static_cast<char>(i + 1);
  for (const auto& [c, count] : counts) {
    if (IsLetter(c) && count == 1) result += c;
  }
  return result;
}

std::optional<Equation> Parse(const Expansion& e) {
  std::string text = e.node.String("equation", "");
  std::erase(text, ' ');
  const size_t arrow = text.find("->");
  std::vector<std::string> raw(1);
  for (const char c : text.substr(0, arrow)) {
    if (c == ',') {
      raw.emplace_back();
    } else {
      raw.back() += c;
    }
  }
  if (raw.size() != e.node.inputs.size()) return std::nullopt;
  Equation equation;
  size_t most_dots = 0;
  for (size_t i = 0; i < raw.size(); ++i) {
    const bool has_dots = raw[i].find("...") != std::string::npos;
    const size_t letters = raw[i].size() - (has_dots ? 3 : 0), rank = e.ShapeOf(e.In(i)).size();
    if (letters > rank || (!has_dots && letters != rank) || rank - letters > kMostDots) {
      return std::nullopt;
    }
    most_dots = std::max(most_dots, rank - letters);
    const auto term = Written(raw[i], rank - letters);
    if (!term) return std::nullopt;
    equation.terms.push_back(*term);
  }
  if (arrow == std::string::npos) {
    equation.result = ImpliedResult(equation.terms, most_dots);
    return equation;
  }
  const auto result = Written(text.substr(arrow + 2), most_dots);
  if (!result) return std::nullopt;
  equation.result = *result;
  return equation;
}

bool Contains(const std::string& term, char c) { return term.find(c) != std::string::npos; }

// A value and the letter of each of its axes.
struct Operand {
  ValueId id = kNoValue;
  std::string axes;
};

class Contraction {
 public:
  Contraction(Expansion& e, const Equation& equation) : e_(e), equation_(equation) {}

  bool Run() {
    std::vector<Operand> operands;
    for (size_t i = 0; i < equation_.terms.size(); ++i) {
      operands.push_back({e_.In(i), equation_.terms[i]});
    }
    if (!std::ranges::all_of(operands, [&](const Operand& o) { return Fits(o); })) return false;
    for (size_t i = 0; i < operands.size(); ++i) SumAlone(operands, i);
    while (operands.size() > 1 && e_.ok()) {
      const std::string later = LettersOf(operands, 2) + equation_.result;
      operands[0] = Join(operands[0], operands[1], later);
      operands.erase(operands.begin() + 1);
    }
    if (!e_.ok()) return false;
    const Operand last = operands[0];
    if (last.axes.size() != equation_.result.size()) return false;
    const std::vector<int64_t> order = Order(last.axes, equation_.result);
    if (std::ranges::is_sorted(order)) {
      e_.Make(0, "Identity", {last.id});
    } else {
      e_.Make(0, "Transpose", {last.id}, {{"perm", order}});
    }
    return true;
  }

 private:
  // No letter twice in a term (a diagonal), and one extent each.
  bool Fits(const Operand& operand) {
    const Shape& shape = e_.ShapeOf(operand.id);
    for (size_t i = 0; i < operand.axes.size(); ++i) {
      const char c = operand.axes[i];
      if (std::ranges::count(operand.axes, c) > 1 || shape[i] < 1) return false;
      const auto [known, is_new] = extents_.emplace(c, shape[i]);
      if (!is_new && known->second != shape[i]) {
        // Only what is kept, side by side, may be spread.
        if ((known->second != 1 && shape[i] != 1) || !Contains(equation_.result, c)) return false;
        known->second = std::max(known->second, shape[i]);
      }
    }
    return true;
  }

  static std::string LettersOf(const std::vector<Operand>& operands, size_t from) {
    std::string letters;
    for (size_t i = from; i < operands.size(); ++i) letters += operands[i].axes;
    return letters;
  }

  static std::vector<int64_t> Order(const std::string& from, const std::string& to) {
    std::vector<int64_t> order;
    for (const char c : to) order.push_back(static_cast<int64_t>(from.find(c)));
    return order;
  }

  Operand Ordered(const Operand& operand, const std::string& axes) {
    return {e_.Transpose(operand.id, Order(operand.axes, axes)), axes};
  }

  // Letters that only one term has, and the result has not, are summed at once.
  void SumAlone(std::vector<Operand>& operands, size_t i) {
    std::string others = equation_.result;
    for (size_t k = 0; k < operands.size(); ++k) {
      if (k != i) others += operands[k].axes;
    }
    std::vector<int64_t> axes;
    std::string kept;
    for (size_t k = 0; k < operands[i].axes.size(); ++k) {
      if (Contains(others, operands[i].axes[k])) {
        kept += operands[i].axes[k];
      } else {
        axes.push_back(static_cast<int64_t>(k));
      }
    }
    if (axes.empty() || !e_.ok()) return;
    operands[i].id =
        e_.Op("ReduceSum", {operands[i].id, e_.Ints(axes)}, {{"keepdims", int64_t{0}}});
    operands[i].axes = kept;
  }

  Shape Extents(const Operand& operand, const std::string& axes) const {
    Shape shape;
    for (const char c : axes) {
      shape.push_back(e_.ShapeOf(operand.id)[operand.axes.find(c)]);
    }
    return shape;
  }

  static int64_t ProductOf(const Shape& shape) {
    int64_t product = 1;
    for (const int64_t extent : shape) product *= extent;
    return product;
  }

  static Shape Joined(Shape a, const Shape& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
  }

  Operand Join(const Operand& a, const Operand& b, const std::string& later) {
    std::string both, summed, only_a, only_b;
    for (const char c : a.axes) {
      if (!Contains(b.axes, c)) {
        only_a += c;
      } else {
        (Contains(later, c) ? both : summed) += c;
      }
    }
    for (const char c : b.axes) {
      if (!Contains(a.axes, c)) only_b += c;
    }
    const std::string axes = both + only_a + only_b;
    if (summed.empty()) {
      const Operand x = Ordered(a, both + only_a), y = Ordered(b, both + only_b);
      if (!e_.ok()) return {};
      const Shape wide_x = Joined(Extents(x, x.axes), Shape(only_b.size(), 1));
      const Shape wide_y =
          Joined(Extents(y, both), Joined(Shape(only_a.size(), 1), Extents(y, only_b)));
      return {e_.Op("Mul", {e_.Reshape(x.id, wide_x), e_.Reshape(y.id, wide_y)}), axes};
    }
    // As a batch of matrix products [both…, only_a, summed] · [both…, summed, only_b].
    const Operand x = Ordered(a, both + only_a + summed), y = Ordered(b, both + summed + only_b);
    if (!e_.ok()) return {};
    const Shape m = Extents(x, only_a), k = Extents(x, summed), n = Extents(y, only_b);
    const ValueId left = e_.Reshape(x.id, Joined(Extents(x, both), {ProductOf(m), ProductOf(k)}));
    const ValueId right = e_.Reshape(y.id, Joined(Extents(y, both), {ProductOf(k), ProductOf(n)}));
    const ValueId product = e_.Op("MatMul", {left, right});
    if (!e_.ok()) return {};
    Shape batch(e_.ShapeOf(product).begin(), e_.ShapeOf(product).end() - 2);
    return {e_.Reshape(product, Joined(Joined(batch, m), n)), axes};
  }

  Expansion& e_;
  const Equation& equation_;
  std::map<char, int64_t> extents_;
};

bool Einsum(Expansion& e) {
  for (size_t i = 0; i < e.node.inputs.size(); ++i) {
    if (!e.Has(i) || !e.IsKnown(e.In(i))) return false;
  }
  const auto equation = Parse(e);
  return equation.has_value() && Contraction(e, *equation).Run();
}

constexpr DecompositionRow kRows[] = {{"Einsum", Einsum}};

}  // namespace

absl::Span<const DecompositionRow> EinsumDecompositions() { return kRows; }

}  // namespace nereid::engine
