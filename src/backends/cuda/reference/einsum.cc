#include <algorithm>
#include <map>
#include <string>

#include "backends/cuda/reference/numbers.h"
#include "backends/cuda/reference/operator.h"

namespace nereid::engine {
namespace {

// A term of the equation as one character an axis. The axes of an ellipsis are numbered from the
// back, so that they broadcast: characters below kEllipsisEnd.
constexpr size_t kMaxEllipsis = 32;

struct Equation {
  std::vector<std::string> terms;
  std::string result;
  bool has_result = false;
};

std::string WithoutSpaces(std::string text) {
  text.erase(std::remove(text.begin(), text.end(), ' '), text.end());
  return text;
}

Equation Split(const std::string& text) {
  Equation equation;
  const size_t arrow = text.find("->");
  equation.has_result = arrow != std::string::npos;
  if (equation.has_result) equation.result = text.substr(arrow + 2);
  const std::string left = text.substr(0, arrow);
  for (size_t begin = 0; begin <= left.size();) {
    const size_t end = std::min(left.find(',', begin), left.size());
    equation.terms.push_back(left.substr(begin, end - begin));
    begin = end + 1;
  }
  return equation;
}

// Replaces the dots by `axes` characters.
absl::StatusOr<std::string> Expand(std::string term, size_t axes) {
  const size_t dots = term.find("...");
  if (dots == std::string::npos) return term;
  if (axes > kMaxEllipsis) return Refuse("the ellipsis stands for ", axes, " axes");
  std::string stand_in;
  for (size_t i = axes; i-- > 0;) stand_in += static_cast<char>(i + 1);
  return term.replace(dots, 3, stand_in);
}

absl::Status CheckLetters(const std::string& term) {
  for (const char c : term) {
    const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!is_letter && (c < 1 || c > static_cast<char>(kMaxEllipsis))) {
      return Refuse("the equation has the character '", c, "'");
    }
  }
  return absl::OkStatus();
}

// Letters that occur once, in alphabetical order, after the ellipsis: the result when none is
// given.
std::string ImpliedResult(const std::vector<std::string>& terms, size_t ellipsis) {
  std::map<char, int> counts;
  for (const std::string& term : terms) {
    for (const char c : term) ++counts[c];
  }
  std::string result;
  for (size_t i = ellipsis; i-- > 0;) result += static_cast<char>(i + 1);
  for (const auto& [c, count] : counts) {
    if (c > static_cast<char>(kMaxEllipsis) && count == 1) result += c;
  }
  return result;
}

// All axes: those of the result first, those that are summed over behind them.
struct Loops {
  std::string axes;
  Shape extents = {};
  size_t result_rank = 0;
};

absl::Status AddExtents(const std::string& term, const Shape& shape,
                        std::map<char, int64_t>& extents) {
  if (term.size() != shape.size()) {
    return Refuse("a term has ", term.size(), " axes, its input ", shape.size());
  }
  for (size_t d = 0; d < term.size(); ++d) {
    const auto [at, is_new] = extents.emplace(term[d], shape[d]);
    if (at->second == 1) at->second = shape[d];
    if (at->second != shape[d] && shape[d] != 1) {
      return Refuse("an axis has the extents ", at->second, " and ", shape[d]);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Loops> MakeLoops(const Equation& equation, const std::map<char, int64_t>& extents) {
  Loops loops{.axes = equation.result, .result_rank = equation.result.size()};
  for (const char c : equation.result) {
    if (!extents.contains(c)) return Refuse("the result has an axis that no input has");
    if (std::count(equation.result.begin(), equation.result.end(), c) > 1) {
      return Refuse("the result has an axis twice");
    }
  }
  for (const auto& [c, extent] : extents) {
    if (loops.axes.find(c) == std::string::npos) loops.axes += c;
  }
  for (const char c : loops.axes) loops.extents.push_back(extents.at(c));
  return loops;
}

Strides StridesOf(const std::string& term, const Shape& shape, const Loops& loops) {
  const Strides dense = ContiguousStrides(shape);
  Strides strides(loops.axes.size(), 0);
  for (size_t d = 0; d < term.size(); ++d) {
    if (shape[d] != 1) strides[loops.axes.find(term[d])] += dense[d];
  }
  return strides;
}

absl::StatusOr<Equation> Resolve(const Call& call) {
  Equation equation = Split(WithoutSpaces(call.node.String("equation", "")));
  if (equation.terms.size() != call.inputs.size()) {
    return Refuse("the equation has ", equation.terms.size(), " terms");
  }
  size_t ellipsis = 0;
  for (size_t i = 0; i < equation.terms.size(); ++i) {
    if (!call.Has(i)) return Refuse("input ", i, " is missing");
    std::string& term = equation.terms[i];
    const size_t letters = term.size() - (term.find("...") == std::string::npos ? 0 : 3);
    const size_t rank = call.ShapeOf(i).size();
    const size_t axes = rank > letters ? rank - letters : 0;
    if (letters < term.size()) ellipsis = std::max(ellipsis, axes);
    NEREID_ASSIGN_OR_RETURN(term, Expand(term, axes));
    NEREID_RETURN_IF_ERROR(CheckLetters(term));
  }
  if (equation.has_result) {
    NEREID_ASSIGN_OR_RETURN(equation.result, Expand(equation.result, ellipsis));
    NEREID_RETURN_IF_ERROR(CheckLetters(equation.result));
  } else {
    equation.result = ImpliedResult(equation.terms, ellipsis);
  }
  return equation;
}

template <typename C>
std::vector<C> Contract(const Call& call, const Equation& equation, const Loops& loops,
                        size_t count) {
  std::vector<std::vector<C>> inputs;
  std::vector<Strides> strides;
  for (size_t i = 0; i < call.inputs.size(); ++i) {
    inputs.push_back(Read<C>(call.In(i)));
    strides.push_back(StridesOf(equation.terms[i], call.ShapeOf(i), loops));
  }
  std::vector<C> result(count);
  const int64_t summed =
      Product(absl::Span<const int64_t>(loops.extents).subspan(loops.result_rank));
  ForEachIndex(loops.extents, [&](int64_t i, const Strides& index) {
    C product{1};
    for (size_t k = 0; k < inputs.size(); ++k) {
      int64_t at = 0;
      for (size_t d = 0; d < index.size(); ++d) at += index[d] * strides[k][d];
      product *= inputs[k][static_cast<size_t>(at)];
    }
    result[static_cast<size_t>(i / summed)] += product;
  });
  return result;
}

Results Einsum(const Call& call) {
  NEREID_ASSIGN_OR_RETURN(const Equation equation, Resolve(call));
  std::map<char, int64_t> extents;
  for (size_t i = 0; i < equation.terms.size(); ++i) {
    NEREID_RETURN_IF_ERROR(AddExtents(equation.terms[i], call.ShapeOf(i), extents));
  }
  NEREID_ASSIGN_OR_RETURN(const Loops loops, MakeLoops(equation, extents));
  Shape shape(loops.extents.begin(), loops.extents.begin() + static_cast<long>(loops.result_rank));
  NEREID_ASSIGN_OR_RETURN(const int64_t count, CountOf(shape));
  NEREID_RETURN_IF_ERROR(ElementCount(loops.extents).status());
  const DataType type = call.In(0).type();
  return VisitCompute(type, [&]<typename C>() -> Results {
    using W = std::conditional_t<std::is_same_v<C, int64_t>, uint64_t, C>;
    return One(Write(type, shape, Contract<W>(call, equation, loops, static_cast<size_t>(count))));
  });
}

constexpr OperatorRow kOperators[] = {{"Einsum", Einsum, 1}};

}  // namespace

absl::Span<const OperatorRow> EinsumOperators() { return kOperators; }

}  // namespace nereid::engine
