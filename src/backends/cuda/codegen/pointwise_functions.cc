#include <algorithm>
#include <iterator>

#include "backends/cuda/codegen/pointwise.h"

namespace nereid::engine {
namespace {

// Operands of the floating form are float or double, those of the others s64. Functions of the
// kernel text's prelude (Erf, Power, …) are in pointwise.cc.
constexpr PointwiseFunction kFunctions[] = {
    {"Abs", 1, 0, false, "Absolute($0)", "($0 < 0 ? -$0 : $0)", ""},
    {"Acos", 1, 0, false, "acos($0)", "", ""},
    {"Acosh", 1, 0, false, "acosh($0)", "", ""},
    {"Add", 2, 0, false, "$0 + $1", "$0 + $1", ""},
    {"And", 2, 0, true, "", "", "($0 & $1)"},
    {"Asin", 1, 0, false, "asin($0)", "", ""},
    {"Asinh", 1, 0, false, "asinh($0)", "", ""},
    {"Atan", 1, 0, false, "atan($0)", "", ""},
    {"Atanh", 1, 0, false, "atanh($0)", "", ""},
    {"BitShiftLeft", 2, 0, false, "", "ShiftLeft($0, $1)", ""},
    {"BitShiftRight", 2, 0, false, "", "ShiftRight($0, $1)", ""},
    {"BitShiftRightUnsigned", 2, 0, false, "", "ShiftRightUnsigned($0, $1)", ""},
    {"BitwiseAnd", 2, 0, false, "", "$0 & $1", ""},
    {"BitwiseNot", 1, 0, false, "", "~$0", ""},
    {"BitwiseOr", 2, 0, false, "", "$0 | $1", ""},
    {"BitwiseXor", 2, 0, false, "", "$0 ^ $1", ""},
    {"Cast", 1, 0, false, "$0", "$0", "$0"},
    {"Ceil", 1, 0, false, "ceil($0)", "$0", ""},
    {"Celu", 1, 1, false, "($0 > 0 ? $0 : #0 * expm1($0 / #0))", "", ""},
    {"Clip", 3, 0, false, "Least(Greatest($0, $1), $2)", "Least(Greatest($0, $1), $2)", ""},
    {"ClipConstant", 1, 2, false, "Least(Greatest($0, #0), #1)", "Least(Greatest($0, #0), #1)", ""},
    {"Constant", 0, 1, false, "#0", "#0", "#0"},
    {"Cos", 1, 0, false, "cos($0)", "", ""},
    {"Cosh", 1, 0, false, "cosh($0)", "", ""},
    {"Div", 2, 0, false, "$0 / $1", "DivideIntegers($0, $1)", ""},
    {"Elu", 1, 1, false, "($0 > 0 ? $0 : #0 * expm1($0))", "", ""},
    {"Equal", 2, 0, true, "$0 == $1", "$0 == $1", "$0 == $1"},
    {"Erf", 1, 0, false, "erf($0)", "", ""},
    {"Exp", 1, 0, false, "exp($0)", "", ""},
    {"FastGelu", 1, 0, false, "GeluTanh($0)", "", ""},
    {"Floor", 1, 0, false, "floor($0)", "$0", ""},
    {"Fmod", 2, 0, false, "fmod($0, $1)", "Remainder($0, $1)", ""},
    {"Gelu", 1, 0, false, "GeluErf($0)", "", ""},
    {"Greater", 2, 0, true, "$0 > $1", "$0 > $1", ""},
    {"GreaterOrEqual", 2, 0, true, "$0 >= $1", "$0 >= $1", ""},
    {"HardSigmoid", 1, 2, false, "Least(Greatest(#0 * $0 + #1, 0), 1)", "", ""},
    {"HardSwish", 1, 0, false, "$0 * Least(Greatest($0 / 6 + 0.5f, 0), 1)", "", ""},
    {"IsInf", 1, 2, true, "(isinf($0) && ($0 > 0 ? #1 : #0) != 0)", "0", ""},
    {"IsNaN", 1, 0, true, "$0 != $0", "0", ""},
    {"LeakyRelu", 1, 1, false, "($0 >= 0 ? $0 : #0 * $0)", "", ""},
    {"Less", 2, 0, true, "$0 < $1", "$0 < $1", ""},
    {"LessOrEqual", 2, 0, true, "$0 <= $1", "$0 <= $1", ""},
    {"Log", 1, 0, false, "log($0)", "", ""},
    {"Max", -1, 0, false, "Greatest($0, $1)", "Greatest($0, $1)", ""},
    {"Mean", -1, 0, false, "$0 + $1", "", ""},
    {"Min", -1, 0, false, "Least($0, $1)", "Least($0, $1)", ""},
    {"Mish", 1, 0, false, "$0 * tanh(Softplus($0))", "", ""},
    {"Mod", 2, 0, false, "ModuloFloor($0, $1)", "ModuloFloor($0, $1)", ""},
    {"Mul", 2, 0, false, "$0 * $1", "$0 * $1", ""},
    {"Neg", 1, 0, false, "-$0", "-$0", ""},
    {"Not", 1, 0, true, "", "", "!$0"},
    {"Or", 2, 0, true, "", "", "($0 | $1)"},
    {"PRelu", 2, 0, false, "($0 >= 0 ? $0 : $1 * $0)", "($0 >= 0 ? $0 : $1 * $0)", ""},
    {"Pow", 2, 0, false, "Power($0, $1)", "PowerIntegers($0, $1)", ""},
    {"QuickGelu", 1, 1, false, "$0 * Sigmoid(#0 * $0)", "", ""},
    {"Reciprocal", 1, 0, false, "1 / $0", "", ""},
    {"Relu", 1, 0, false, "Greatest($0, 0)", "Greatest($0, 0)", ""},
    {"Round", 1, 0, false, "rint($0)", "$0", ""},
    {"Selu", 1, 2, false, "#1 * ($0 > 0 ? $0 : #0 * expm1($0))", "", ""},
    {"Shrink", 1, 2, false, "($0 < -#0 ? $0 + #1 : $0 > #0 ? $0 - #1 : 0)", "", ""},
    {"Sigmoid", 1, 0, false, "Sigmoid($0)", "", ""},
    {"Sign", 1, 0, false, "SignOf($0)", "SignOf($0)", ""},
    {"Sin", 1, 0, false, "sin($0)", "", ""},
    {"Sinh", 1, 0, false, "sinh($0)", "", ""},
    {"Softplus", 1, 0, false, "Softplus($0)", "", ""},
    {"Softsign", 1, 0, false, "$0 / (1 + Absolute($0))", "", ""},
    {"Sqrt", 1, 0, false, "sqrt($0)", "", ""},
    {"Sub", 2, 0, false, "$0 - $1", "$0 - $1", ""},
    {"Sum", -1, 0, false, "$0 + $1", "$0 + $1", ""},
    {"Swish", 1, 1, false, "$0 * Sigmoid(#0 * $0)", "", ""},
    {"Tan", 1, 0, false, "tan($0)", "", ""},
    {"Tanh", 1, 0, false, "tanh($0)", "", ""},
    {"ThresholdedRelu", 1, 1, false, "($0 > #0 ? $0 : 0)", "", ""},
    {"Where", 3, 0, false, "($0 ? $1 : $2)", "($0 ? $1 : $2)", "($0 ? $1 : $2)"},
    {"Xor", 2, 0, true, "", "", "($0 ^ $1)"},
};

constexpr bool Sorted() {
  for (size_t i = 1; i < std::size(kFunctions); ++i) {
    if (!(kFunctions[i - 1].name < kFunctions[i].name)) return false;
  }
  return true;
}
static_assert(Sorted());

}  // namespace

absl::Span<const PointwiseFunction> PointwiseFunctions() { return kFunctions; }

const PointwiseFunction* FindPointwiseFunction(std::string_view name) {
  const auto* const found = std::lower_bound(
      std::begin(kFunctions), std::end(kFunctions), name,
      [](const PointwiseFunction& row, std::string_view key) { return row.name < key; });
  return found != std::end(kFunctions) && found->name == name ? found : nullptr;
}

}  // namespace nereid::engine
