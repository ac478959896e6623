#include "backends/cuda/codegen/pointwise.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <utility>

#include "common/status_macros.h"
#include "common/strings.h"
#include "kernels/jit/kernel_op.h"

namespace nereid::engine {
namespace {

constexpr size_t kMaxRank = 8;

// Functions the table of operators names.
constexpr char kFunctionsText[] = R"cuda(
template <typename C> struct Same { typedef C type; };
template <typename C> DEVICE C Greatest(C a, typename Same<C>::type b) { return a > b || a != a ? a : b; }
template <typename C> DEVICE C Least(C a, typename Same<C>::type b) { return a < b || a != a ? a : b; }
DEVICE float Absolute(float x) { return fabsf(x); }
DEVICE double Absolute(double x) { return fabs(x); }
DEVICE float Sigmoid(float x) { return 1.0f / (1.0f + __expf(-x)); }
DEVICE double Sigmoid(double x) { return 1.0 / (1.0 + exp(-x)); }
template <typename C> DEVICE C Softplus(C x) { return x > 20 ? x : log1p(exp(x)); }
template <typename C> DEVICE C SignOf(C x) { return x > 0 ? C(1) : x < 0 ? C(-1) : x; }
template <typename C> DEVICE C GeluErf(C x) { return x * C(0.5) * (C(1) + erf(x * C(0.70710678118654752))); }
template <typename C> DEVICE C GeluTanh(C x) {
  return x * C(0.5) * (C(1) + tanh(C(0.79788456080286536) * (x + C(0.044715) * x * x * x)));
}
DEVICE float Power(float a, float b) { return b == 2.0f ? a * a : b == 0.5f ? sqrtf(a) : powf(a, b); }
DEVICE double Power(double a, double b) { return pow(a, b); }
DEVICE s64 PowerIntegers(s64 a, s64 b) {
  if (b < 0) return a == 1 ? 1 : a == -1 ? (b & 1 ? -1 : 1) : 0;
  s64 result = 1;
  for (; b > 0; b >>= 1, a *= a) if (b & 1) result *= a;
  return result;
}
DEVICE s64 DivideIntegers(s64 a, s64 b) { return b == 0 ? 0 : b == -1 ? -a : a / b; }
DEVICE s64 Remainder(s64 a, s64 b) { return b == 0 || b == -1 ? 0 : a % b; }
DEVICE s64 ModuloFloor(s64 a, s64 b) { const s64 r = Remainder(a, b); return r != 0 && (r < 0) != (b < 0) ? r + b : r; }
DEVICE float ModuloFloor(float a, float b) { const float r = fmodf(a, b); return r != 0 && (r < 0) != (b < 0) ? r + b : r; }
DEVICE double ModuloFloor(double a, double b) { const double r = fmod(a, b); return r != 0 && (r < 0) != (b < 0) ? r + b : r; }
// Amounts outside of the type leave nothing but copies of the sign.
DEVICE s64 ShiftLeft(s64 a, s64 b) { return (u64)b < 64 ? (s64)((u64)a << b) : 0; }
DEVICE s64 ShiftRight(s64 a, s64 b) { return a >> ((u64)b < 64 ? b : 63); }
DEVICE s64 ShiftRightUnsigned(s64 a, s64 b) { return (u64)b < 64 ? (s64)((u64)a >> b) : 0; }
DEVICE s64 ToInteger(float x) { return (s64)x; }
DEVICE s64 ToInteger(double x) { return (s64)x; }
)cuda";

enum class Kind { kFloating, kInteger, kBoolean };

Kind KindOf(DataType type) {
  switch (type) {
    case DataType::kFp16:
    case DataType::kBf16:
    case DataType::kFp32:
    case DataType::kFp64:
      return Kind::kFloating;
    case DataType::kBool:
      return Kind::kBoolean;
    default:
      return Kind::kInteger;
  }
}

std::string_view ComputeName(DataType type) {
  if (type == DataType::kFp64) return "double";
  return KindOf(type) == Kind::kFloating ? "float" : "s64";
}

// One loop over the iteration space, its extents joined as far as all operands allow, innermost
// last.
struct Space {
  std::vector<int64_t> extents;
  std::vector<std::vector<int64_t>> strides;  // of each input, then of each output
  std::vector<int64_t> offsets;               // in the same order
  int width = 1;  // elements a thread takes at once, along the last extent
  // How each operand goes through a pack of `width`.
  enum class Walk { kPacked, kSame, kStrided };
  std::vector<Walk> walks;
};

bool Joinable(const Space& space, size_t outer, const std::vector<std::vector<int64_t>>& strides,
              size_t inner, int64_t inner_extent) {
  for (size_t t = 0; t < strides.size(); ++t) {
    if (space.strides[t][outer] != strides[t][inner] * inner_extent) return false;
  }
  return true;
}

Space JoinExtents(const Shape& shape, const std::vector<std::vector<int64_t>>& strides) {
  Space space;
  space.strides.resize(strides.size());
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 1) continue;
    const size_t last = space.extents.size();
    if (last > 0 && Joinable(space, last - 1, strides, i, shape[i])) {
      space.extents[last - 1] *= shape[i];
      for (size_t t = 0; t < strides.size(); ++t) space.strides[t][last - 1] = strides[t][i];
    } else {
      space.extents.push_back(shape[i]);
      for (size_t t = 0; t < strides.size(); ++t) space.strides[t].push_back(strides[t][i]);
    }
  }
  if (space.extents.empty()) {
    space.extents.push_back(1);
    for (auto& row : space.strides) row.push_back(1);
  }
  return space;
}

// Whether a pack of `width` elements may start at every multiple of it along the last extent.
bool PacksFit(const Space& space, size_t tensor, int width) {
  const std::vector<int64_t>& strides = space.strides[tensor];
  if (space.offsets[tensor] % width != 0) return false;
  for (size_t i = 0; i + 1 < strides.size(); ++i) {
    if (strides[i] % width != 0) return false;
  }
  return true;
}

void ChooseWidth(const PointwiseSpec& spec, Space* space) {
  const size_t last = space->extents.size() - 1;
  size_t widest = 1;
  const auto type_of = [&](size_t t) {
    return t < spec.inputs.size() ? spec.inputs[t].type : spec.outputs[t - spec.inputs.size()].type;
  };
  for (size_t t = 0; t < space->strides.size(); ++t) {
    if (space->strides[t][last] == 1) widest = std::max(widest, ElementByteSize(type_of(t)));
  }
  int width = static_cast<int>(16 / widest);
  if (spec.inputs.size() + spec.outputs.size() > 8) width = std::min(width, 4);
  for (; width > 1; width /= 2) {
    bool fits = space->extents[last] % width == 0;
    for (size_t t = 0; t < space->strides.size() && fits; ++t) {
      const int64_t step = space->strides[t][last];
      if (step == 1) fits = PacksFit(*space, t, width);
      // An output that is not dense along the last extent is written one by one.
      if (t >= spec.inputs.size() && step != 1) fits = false;
    }
    if (fits) break;
  }
  space->width = width;
  for (const auto& strides : space->strides) {
    space->walks.push_back(strides[last] == 1   ? Space::Walk::kPacked
                           : strides[last] == 0 ? Space::Walk::kSame
                                                : Space::Walk::kStrided);
  }
}

absl::Status CheckTensor(const PointwiseTensor& tensor, const Shape& shape) {
  if (KernelTypeName(tensor.type).empty()) {
    return absl::InvalidArgumentError(StrCat("pointwise on ", ProtocolName(tensor.type)));
  }
  if (!tensor.strides.empty() && tensor.strides.size() != shape.size()) {
    return absl::InvalidArgumentError("pointwise strides of another rank");
  }
  return absl::OkStatus();
}

absl::StatusOr<Space> MakeSpace(const PointwiseSpec& spec) {
  const std::vector<int64_t> dense = DenseStrides(spec.shape);
  std::vector<std::vector<int64_t>> strides;
  std::vector<int64_t> offsets;
  for (const auto* tensors : {&spec.inputs, &spec.outputs}) {
    for (const PointwiseTensor& tensor : *tensors) {
      NEREID_RETURN_IF_ERROR(CheckTensor(tensor, spec.shape));
      offsets.push_back(tensor.offset);
      strides.push_back(tensor.strides.empty() ? dense : tensor.strides);
    }
  }
  Space space = JoinExtents(spec.shape, strides);
  space.offsets = std::move(offsets);
  if (space.extents.size() > kMaxRank) {
    return absl::UnimplementedError("pointwise over more than eight separate extents");
  }
  ChooseWidth(spec, &space);
  return space;
}

std::string Literal(double value, DataType type) {
  if (KindOf(type) != Kind::kFloating) {
    const auto integer = static_cast<int64_t>(value);
    if (integer == std::numeric_limits<int64_t>::min()) return "(-9223372036854775807ll - 1)";
    return StrCat("((s64)", integer, "ll)");
  }
  const char* const cast = type == DataType::kFp64 ? "(double)" : "";
  if (std::isnan(value)) return StrCat("(", cast, "__int_as_float(0x7fffffff))");
  if (std::isinf(value)) return StrCat("(", cast, value > 0 ? "" : "-", "kInfinity)");
  char text[64];
  std::snprintf(text, sizeof(text), type == DataType::kFp64 ? "%.17g" : "%.9g", value);
  std::string digits = text;
  if (digits.find_first_of(".e") == std::string::npos) digits += ".0";
  return StrCat("(", digits, type == DataType::kFp64 ? ")" : "f)");
}

// Replaces $i by operands[i] and #i by parameters[i].
std::string Substitute(std::string_view form, const std::vector<std::string>& operands,
                       const std::vector<std::string>& parameters) {
  std::string text;
  for (size_t i = 0; i < form.size(); ++i) {
    const bool operand = form[i] == '$', parameter = form[i] == '#';
    if ((operand || parameter) && i + 1 < form.size()) {
      text += (operand ? operands : parameters)[static_cast<size_t>(form[++i] - '0')];
    } else {
      text += form[i];
    }
  }
  return text;
}

// Turns steps into statements "const float v7 = …;".
class StepWriter {
 public:
  explicit StepWriter(const PointwiseSpec& spec) : spec_(spec) {
    for (const PointwiseTensor& input : spec.inputs) types_.push_back(input.type);
  }

  absl::StatusOr<std::string> Write();
  DataType type(int value) const { return types_[static_cast<size_t>(value)]; }

 private:
  absl::StatusOr<std::string> Expression(const PointwiseStep& step) const;
  absl::Status Check(const PointwiseStep& step, const PointwiseFunction* function) const;
  std::string CastExpression(const PointwiseStep& step) const;

  const PointwiseSpec& spec_;
  std::vector<DataType> types_;
};

absl::Status StepWriter::Check(const PointwiseStep& step, const PointwiseFunction* function) const {
  const auto refuse = [&](const char* why) {
    return absl::InvalidArgumentError(StrCat("pointwise step ", step.function, ": ", why));
  };
  if (function == nullptr) return refuse("no such function");
  const auto operands = static_cast<int>(step.operands.size());
  if (function->operands < 0 ? operands < 1 : operands != function->operands) {
    return refuse("wrong number of operands");
  }
  if (static_cast<int>(step.parameters.size()) != function->parameters) {
    return refuse("wrong number of parameters");
  }
  for (const int operand : step.operands) {
    if (operand < 0 || operand >= static_cast<int>(types_.size())) {
      return refuse("an operand that does not exist yet");
    }
  }
  if (KernelTypeName(step.type).empty()) return refuse("a type kernels do not know");
  if (function->boolean_result && step.type != DataType::kBool) return refuse("its type is bool");
  if (step.function == "Where" && type(step.operands[0]) != DataType::kBool) {
    return refuse("its first operand is bool");
  }
  return absl::OkStatus();
}

// Between kinds a value changes its form; to 16 bits and to narrow integers it is rounded or
// wrapped.
std::string StepWriter::CastExpression(const PointwiseStep& step) const {
  const DataType from = type(step.operands[0]);
  const std::string x = StrCat("v", step.operands[0]);
  if (step.type == DataType::kBool) return StrCat("(s64)(", x, " != 0)");
  if (KindOf(step.type) == Kind::kFloating) {
    return StrCat("Widen(Narrow<", KernelTypeName(step.type), ">((", ComputeName(step.type), ")", x,
                  "))");
  }
  return KindOf(from) == Kind::kFloating ? StrCat("ToInteger(", x, ")") : x;
}

absl::StatusOr<std::string> StepWriter::Expression(const PointwiseStep& step) const {
  const PointwiseFunction* const function = FindPointwiseFunction(step.function);
  NEREID_RETURN_IF_ERROR(Check(step, function));
  if (step.function == "Cast") return CastExpression(step);
  const bool is_where = step.function == "Where";
  DataType operand_type = step.type;
  if (!step.operands.empty()) operand_type = type(step.operands[is_where ? 1 : 0]);
  const Kind kind = KindOf(operand_type);
  const std::string_view form = kind == Kind::kFloating  ? function->floating
                                : kind == Kind::kInteger ? function->integer
                                                         : function->boolean;
  if (form.empty()) {
    return absl::InvalidArgumentError(
        StrCat("pointwise step ", step.function, " of ", ProtocolName(operand_type)));
  }
  std::vector<std::string> operands, parameters;
  for (const int operand : step.operands) operands.push_back(StrCat("v", operand));
  for (const double parameter : step.parameters)
    parameters.push_back(Literal(parameter, operand_type));
  if (function->operands >= 0) {
    return Substitute(form, operands, parameters);
  }
  std::string folded = operands[0];
  for (size_t i = 1; i < operands.size(); ++i) {
    folded = StrCat("(", Substitute(form, {folded, operands[i]}, {}), ")");
  }
  if (step.function == "Mean") folded = StrCat(folded, " / ", operands.size());
  return folded;
}

absl::StatusOr<std::string> StepWriter::Write() {
  std::string text;
  for (const PointwiseStep& step : spec_.steps) {
    NEREID_ASSIGN_OR_RETURN(std::string value, Expression(step));
    const std::string_view compute = ComputeName(step.type);
    if (KindOf(step.type) == Kind::kInteger && step.type != DataType::kInt64 &&
        step.type != DataType::kUint64) {
      value = StrCat("(", KernelTypeName(step.type), ")(", value, ")");  // wraps
    }
    StrAppend(&text, "    const ", compute, " v", types_.size(), " = ", value, ";\n");
    types_.push_back(step.type);
  }
  return text;
}

absl::Status CheckSizes(const PointwiseSpec& spec) {
  if (spec.inputs.size() > kMaxPointwiseInputs || spec.outputs.size() > kMaxPointwiseOutputs ||
      spec.steps.size() > kMaxPointwiseSteps || spec.outputs.empty()) {
    return absl::InvalidArgumentError("pointwise of too many inputs, steps or outputs, or none");
  }
  if (spec.results.size() != spec.outputs.size()) {
    return absl::InvalidArgumentError("pointwise with unequal numbers of results and outputs");
  }
  const auto values = static_cast<int>(spec.inputs.size() + spec.steps.size());
  for (const int result : spec.results) {
    if (result < 0 || result >= values) {
      return absl::InvalidArgumentError("pointwise result that does not exist");
    }
  }
  return absl::OkStatus();
}

// Where each operand's element lies, from the index of a thread's pack.
std::string OffsetText(const Space& space, size_t tensors) {
  std::string text;
  const size_t rank = space.extents.size();
  if (rank == 1) {
    StrAppend(&text, "    const u32 i0 = index * ", space.width, "u;\n");
  } else {
    text += "    u32 rest = index;\n";
    for (size_t d = rank; d-- > 1;) {
      StrAppend(&text, "    u32 i", d, "; rest = p.extents[", d, "].Split(rest, &i", d, ");\n");
    }
    text += "    const u32 i0 = rest;\n";
    if (space.width > 1) StrAppend(&text, "    i", rank - 1, " *= ", space.width, "u;\n");
  }
  for (size_t t = 0; t < tensors; ++t) {
    StrAppend(&text, "    const s64 o", t, " = p.offsets[", t, "]");
    for (size_t d = 0; d < rank; ++d) {
      if (space.strides[t][d] == 0) continue;
      StrAppend(&text, " + (s64)i", d, " * p.strides[", t, "][", d, "]");
    }
    text += ";\n";
  }
  return text;
}

std::string LoadText(const PointwiseSpec& spec, const Space& space) {
  std::string text;
  for (size_t t = 0; t < spec.inputs.size(); ++t) {
    const std::string_view type = KernelTypeName(spec.inputs[t].type);
    if (space.walks[t] == Space::Walk::kPacked && space.width > 1) {
      StrAppend(&text, "    const auto x", t, " = LoadPack<", space.width, ">(in", t, " + o", t,
                ");\n");
    } else if (space.walks[t] == Space::Walk::kSame || space.width == 1) {
      StrAppend(&text, "    const ", type, " x", t, " = in", t, "[o", t, "];\n");
    }
  }
  for (size_t t = 0; t < spec.outputs.size() && space.width > 1; ++t) {
    StrAppend(&text, "    Pack<", KernelTypeName(spec.outputs[t].type), ", ", space.width, "> y", t,
              ";\n");
  }
  return text;
}

std::string ElementText(const PointwiseSpec& spec, const Space& space) {
  std::string text;
  for (size_t t = 0; t < spec.inputs.size(); ++t) {
    std::string element = StrCat("x", t);
    if (space.width > 1 && space.walks[t] == Space::Walk::kPacked) {
      element += ".at[e]";
    } else if (space.width > 1 && space.walks[t] == Space::Walk::kStrided) {
      element =
          StrCat("in", t, "[o", t, " + e * p.strides[", t, "][", space.extents.size() - 1, "]]");
    }
    StrAppend(&text, "    const ", ComputeName(spec.inputs[t].type), " v", t, " = Widen(", element,
              ");\n");
  }
  return text;
}

std::string StoreText(const PointwiseSpec& spec, const Space& space, const StepWriter& writer) {
  std::string text;
  for (size_t t = 0; t < spec.outputs.size(); ++t) {
    const DataType to = spec.outputs[t].type;
    const bool narrow = KindOf(to) == Kind::kFloating || to == DataType::kBool;
    std::string value = StrCat("v", spec.results[t]);
    if (narrow && to != DataType::kBool) {
      value = StrCat("(", ComputeName(to), ")", value);
    } else if (!narrow && KindOf(writer.type(spec.results[t])) == Kind::kFloating) {
      value = StrCat("ToInteger(", value, ")");
    }
    const std::string stored = StrCat("Narrow<", KernelTypeName(to), ">(", value, ")");
    if (space.width > 1) {
      StrAppend(&text, "    y", t, ".at[e] = ", stored, ";\n");
    } else {
      StrAppend(&text, "    out", t, "[o", spec.inputs.size() + t, "] = ", stored, ";\n");
    }
  }
  return text;
}

absl::StatusOr<std::string> SourceFor(const PointwiseSpec& spec, const Space& space) {
  StepWriter writer(spec);
  NEREID_ASSIGN_OR_RETURN(const std::string steps, writer.Write());
  const size_t tensors = spec.inputs.size() + spec.outputs.size();
  std::string text = kFunctionsText;
  StrAppend(&text, "struct Parameters { u32 count; Divisor extents[", kMaxRank, "]; s64 strides[",
            tensors, "][", kMaxRank, "]; s64 offsets[", tensors, "]; };\n");
  text += "extern \"C\" __global__ void __launch_bounds__(256) pointwise(";
  for (size_t t = 0; t < spec.inputs.size(); ++t) {
    StrAppend(&text, "const ", KernelTypeName(spec.inputs[t].type), "* in", t, ", ");
  }
  for (size_t t = 0; t < spec.outputs.size(); ++t) {
    StrAppend(&text, KernelTypeName(spec.outputs[t].type), "* out", t, ", ");
  }
  text += "const __grid_constant__ Parameters p) {\n";
  text +=
      "  for (u32 index = blockIdx.x * 256 + threadIdx.x; index < p.count; index += gridDim.x * "
      "256) {\n";
  text += OffsetText(space, tensors);
  text += LoadText(spec, space);
  if (space.width > 1) {
    StrAppend(&text, "    #pragma unroll\n    for (int e = 0; e < ", space.width, "; ++e) {\n");
  }
  text += ElementText(spec, space);
  text += steps;
  text += StoreText(spec, space, writer);
  if (space.width > 1) {
    text += "    }\n";
    for (size_t t = 0; t < spec.outputs.size(); ++t) {
      StrAppend(&text, "    StorePack(out", t, " + o", spec.inputs.size() + t, ", y", t, ");\n");
    }
  }
  text += "  }\n}\n";
  return text;
}

// The kernel's last parameter, as the text lays it out: as many rows of strides as there are
// tensors.
std::vector<std::byte> ParameterBytes(const Space& space) {
  std::vector<std::byte> bytes;
  const auto append = [&](const auto& value) {
    const auto* const from = reinterpret_cast<const std::byte*>(&value);
    bytes.insert(bytes.end(), from, from + sizeof(value));
  };
  int64_t count = 1;
  for (const int64_t extent : space.extents) count *= extent;
  append(static_cast<uint32_t>(count / space.width));
  for (size_t d = 0; d < kMaxRank; ++d) {
    const bool last = d + 1 == space.extents.size();
    append(d < space.extents.size() ? Divisor(space.extents[d] / (last ? space.width : 1))
                                    : Divisor());
  }
  while (bytes.size() % alignof(int64_t) != 0) bytes.push_back(std::byte{0});
  for (const auto& row : space.strides) {
    for (size_t d = 0; d < kMaxRank; ++d) append(d < row.size() ? row[d] : int64_t{0});
  }
  for (const int64_t offset : space.offsets) append(offset);
  return bytes;
}

}  // namespace

std::vector<int64_t> BroadcastStrides(const Shape& from, const Shape& to) {
  std::vector<int64_t> strides(to.size(), 0);
  int64_t step = 1;
  for (size_t back = 1; back <= from.size() && back <= to.size(); ++back) {
    const int64_t extent = from[from.size() - back];
    if (extent != 1) strides[to.size() - back] = step;
    step *= extent;
  }
  return strides;
}

absl::StatusOr<std::string> PointwiseSource(const PointwiseSpec& spec) {
  NEREID_RETURN_IF_ERROR(CheckSizes(spec));
  NEREID_ASSIGN_OR_RETURN(const Space space, MakeSpace(spec));
  return SourceFor(spec, space);
}

absl::StatusOr<std::unique_ptr<DeviceOp>> MakePointwise(Toolbox& toolbox,
                                                        const PointwiseSpec& spec) {
  NEREID_RETURN_IF_ERROR(CheckSizes(spec));
  NEREID_RETURN_IF_ERROR(CheckIndexRange({ExtentProduct(spec.shape)}));
  NEREID_ASSIGN_OR_RETURN(const Space space, MakeSpace(spec));
  NEREID_ASSIGN_OR_RETURN(const std::string source, SourceFor(spec, space));
  KernelLaunch launch;
  NEREID_ASSIGN_OR_RETURN(launch.function, toolbox.jit().Get(source, "pointwise"));
  launch.grid_x = GridFor(toolbox, ExtentProduct(spec.shape) / space.width);
  for (size_t t = 0; t < spec.inputs.size(); ++t) launch.arguments.push_back(Input(t));
  for (size_t t = 0; t < spec.outputs.size(); ++t) launch.arguments.push_back(Output(t));
  KernelArgument parameters;
  parameters.value = ParameterBytes(space);
  launch.arguments.push_back(std::move(parameters));
  return KernelOp::Create(toolbox, std::move(launch), {.in_place = true});
}

PointwiseSpec SingleStep(PointwiseStep step, const Shape& shape,
                         const std::vector<std::pair<DataType, Shape>>& inputs) {
  PointwiseSpec spec;
  spec.shape = shape;
  for (const auto& [type, from] : inputs) {
    spec.inputs.push_back({type, BroadcastStrides(from, shape)});
  }
  spec.outputs.push_back({step.type, {}});
  spec.results.push_back(static_cast<int>(inputs.size()));
  spec.steps.push_back(std::move(step));
  return spec;
}

}  // namespace nereid::engine
