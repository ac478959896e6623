#pragma once

#include "backends/cuda/codegen/pointwise.h"
#include "kernels/copy/copy.h"
#include "kernels/jit/kernel_op.h"
#include "tests/kernels/kernel_case.h"

namespace nereid::engine {

struct UnaryCase {
  const char* function;
  std::vector<double> parameters;
  double low, high;
  double (*reference)(double);
};

inline const std::vector<UnaryCase>& UnaryCases() {
  static const auto& rows = *new std::vector<UnaryCase>{
      {"Abs", {}, -2, 2, [](double x) { return std::fabs(x); }},
      {"Acos", {}, -0.9, 0.9, [](double x) { return std::acos(x); }},
      {"Acosh", {}, 1.1, 4, [](double x) { return std::acosh(x); }},
      {"Asin", {}, -0.9, 0.9, [](double x) { return std::asin(x); }},
      {"Asinh", {}, -3, 3, [](double x) { return std::asinh(x); }},
      {"Atan", {}, -3, 3, [](double x) { return std::atan(x); }},
      {"Atanh", {}, -0.9, 0.9, [](double x) { return std::atanh(x); }},
      {"Ceil", {}, -5, 5, [](double x) { return std::ceil(x); }},
      {"Celu", {2}, -3, 3, [](double x) { return x > 0 ? x : 2 * std::expm1(x / 2); }},
      {"ClipConstant", {-0.5, 1}, -3, 3, [](double x) { return std::fmin(std::fmax(x, -0.5), 1); }},
      {"Cos", {}, -3, 3, [](double x) { return std::cos(x); }},
      {"Cosh", {}, -3, 3, [](double x) { return std::cosh(x); }},
      {"Elu", {1.5}, -3, 3, [](double x) { return x > 0 ? x : 1.5 * std::expm1(x); }},
      {"Erf", {}, -3, 3, [](double x) { return std::erf(x); }},
      {"Exp", {}, -3, 3, [](double x) { return std::exp(x); }},
      {"FastGelu",
       {},
       -3,
       3,
       [](double x) {
         return 0.5 * x * (1 + std::tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
       }},
      {"Floor", {}, -5, 5, [](double x) { return std::floor(x); }},
      {"Gelu", {}, -3, 3, [](double x) { return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0))); }},
      {"HardSigmoid",
       {0.2, 0.5},
       -4,
       4,
       [](double x) { return std::fmin(std::fmax(0.2 * x + 0.5, 0), 1); }},
      {"HardSwish",
       {},
       -4,
       4,
       [](double x) { return x * std::fmin(std::fmax(x / 6 + 0.5, 0), 1); }},
      {"LeakyRelu", {0.1}, -3, 3, [](double x) { return x >= 0 ? x : 0.1 * x; }},
      {"Log", {}, 0.1, 4, [](double x) { return std::log(x); }},
      {"Mish", {}, -4, 4, [](double x) { return x * std::tanh(std::log1p(std::exp(x))); }},
      {"Neg", {}, -3, 3, [](double x) { return -x; }},
      {"QuickGelu", {1.702}, -3, 3, [](double x) { return x / (1 + std::exp(-1.702 * x)); }},
      {"Reciprocal", {}, 0.5, 4, [](double x) { return 1 / x; }},
      {"Relu", {}, -3, 3, [](double x) { return std::fmax(x, 0); }},
      {"Round", {}, -5, 5, [](double x) { return std::nearbyint(x); }},
      {"Selu",
       {1.6732632, 1.0507010},
       -3,
       3,
       [](double x) { return 1.0507010 * (x > 0 ? x : 1.6732632 * std::expm1(x)); }},
      {"Shrink",
       {0.5, 0.25},
       -3,
       3,
       [](double x) { return x < -0.5  ? x + 0.25
                             : x > 0.5 ? x - 0.25
                                       : 0; }},
      {"Sigmoid", {}, -4, 4, [](double x) { return 1 / (1 + std::exp(-x)); }},
      {"Sign", {}, -3, 3, [](double x) { return double((x > 0) - (x < 0)); }},
      {"Sin", {}, -3, 3, [](double x) { return std::sin(x); }},
      {"Sinh", {}, -3, 3, [](double x) { return std::sinh(x); }},
      {"Softplus", {}, -4, 4, [](double x) { return std::log1p(std::exp(x)); }},
      {"Softsign", {}, -4, 4, [](double x) { return x / (1 + std::fabs(x)); }},
      {"Sqrt", {}, 0, 4, [](double x) { return std::sqrt(x); }},
      {"Swish", {1}, -4, 4, [](double x) { return x / (1 + std::exp(-x)); }},
      {"Tan", {}, -1, 1, [](double x) { return std::tan(x); }},
      {"Tanh", {}, -3, 3, [](double x) { return std::tanh(x); }},
      {"ThresholdedRelu", {1}, -3, 3, [](double x) { return x > 1 ? x : 0; }},
  };
  return rows;
}

struct BinaryCase {
  const char* function;
  bool boolean;
  double (*reference)(double, double);
};

inline const std::vector<BinaryCase>& BinaryCases() {
  static const auto& rows = *new std::vector<BinaryCase>{
      {"Add", false, [](double a, double b) { return a + b; }},
      {"Sub", false, [](double a, double b) { return a - b; }},
      {"Mul", false, [](double a, double b) { return a * b; }},
      {"Max", false, [](double a, double b) { return std::fmax(a, b); }},
      {"Min", false, [](double a, double b) { return std::fmin(a, b); }},
      {"PRelu", false, [](double a, double b) { return a >= 0 ? a : a * b; }},
      {"Sum", false, [](double a, double b) { return a + b; }},
      {"Equal", true, [](double a, double b) { return double(a == b); }},
      {"Greater", true, [](double a, double b) { return double(a > b); }},
      {"GreaterOrEqual", true, [](double a, double b) { return double(a >= b); }},
      {"Less", true, [](double a, double b) { return double(a < b); }},
      {"LessOrEqual", true, [](double a, double b) { return double(a <= b); }},
  };
  return rows;
}

inline void AddUnaryCases(KernelCases* cases) {
  for (const UnaryCase& row : UnaryCases()) {
    for (const DataType type : kFloatTypes) {
      const Shape shape = {3, 341};
      cases->push_back({"pointwise", StrCat(row.function, " ", NameOf(type)),
                        [=, &row](Toolbox& toolbox) {
                          return MakePointwise(
                              toolbox, SingleStep({row.function, {0}, row.parameters, type}, shape,
                                                  {{type, shape}}));
                        },
                        [=, &row] {
                          CaseData data;
                          data.inputs = {Random(type, 1023, row.low, row.high)};
                          data.outputs = {Expected(type, 1023)};
                          for (size_t i = 0; i < 1023; ++i) {
                            data.outputs[0].values[i] = row.reference(data.inputs[0].values[i]);
                          }
                          return data;
                        }});
    }
  }
}

inline void AddBinaryCases(KernelCases* cases) {
  for (const BinaryCase& row : BinaryCases()) {
    for (const DataType type :
         {DataType::kFp32, DataType::kFp16, DataType::kInt64, DataType::kInt32, DataType::kFp64}) {
      const Shape shape = {4, 5, 32}, b_shape = {5, 1};
      const DataType out = row.boolean ? DataType::kBool : type;
      cases->push_back(
          {"pointwise", StrCat(row.function, " broadcast ", NameOf(type)),
           [=, &row](Toolbox& toolbox) {
             return MakePointwise(toolbox, SingleStep({row.function, {0, 1}, {}, out}, shape,
                                                      {{type, shape}, {type, b_shape}}));
           },
           [=, &row] {
             CaseData data;
             data.inputs = {Random(type, 640, -4, 4), Random(type, 5, -4, 4, 2)};
             data.outputs = {Expected(out, 640)};
             for (size_t i = 0; i < 640; ++i) {
               data.outputs[0].values[i] =
                   row.reference(data.inputs[0].values[i], data.inputs[1].values[i / 32 % 5]);
             }
             return data;
           }});
    }
  }
}

// x · sigmoid(x) + bias in one kernel, a comparison that selects, and a cast; large enough to time.
inline void AddChainCases(KernelCases* cases) {
  for (const DataType type : kFloatTypes) {
    const int64_t rows = 8192, n = 4096;
    cases->push_back({"pointwise", StrCat("swish + bias, 8192×4096 ", NameOf(type)),
                      [=](Toolbox& toolbox) {
                        PointwiseSpec spec;
                        spec.shape = {rows, n};
                        spec.inputs = {{type, {}}, {type, {0, 1}}};
                        spec.steps = {{"Swish", {0}, {1}, DataType::kFp32},
                                      {"Add", {2, 1}, {}, DataType::kFp32}};
                        spec.outputs = {{type, {}}};
                        spec.results = {3};
                        return MakePointwise(toolbox, spec);
                      },
                      [=] {
                        CaseData data;
                        data.inputs = {Random(type, rows * n), Random(type, n, -1, 1, 2)};
                        data.outputs = {Expected(type, rows * n)};
                        for (size_t i = 0; i < static_cast<size_t>(rows * n); ++i) {
                          const double x = data.inputs[0].values[i];
                          data.outputs[0].values[i] =
                              x / (1 + std::exp(-x)) +
                              data.inputs[1].values[i % static_cast<size_t>(n)];
                        }
                        return data;
                      }});
  }
  cases->push_back(
      {"pointwise", "Where and Cast, two outputs",
       [](Toolbox& toolbox) {
         PointwiseSpec spec;
         spec.shape = {7, 13};
         spec.inputs = {{DataType::kFp32, {}}, {DataType::kFp16, {}}};
         spec.steps = {{"Less", {0, 1}, {}, DataType::kBool},
                       {"Where", {2, 0, 1}, {}, DataType::kFp32},
                       {"Cast", {3}, {}, DataType::kInt32}};
         spec.outputs = {{DataType::kFp32, {1, 7}}, {DataType::kInt32, {}}};
         spec.results = {3, 4};
         return MakePointwise(toolbox, spec);
       },
       [] {
         CaseData data;
         data.inputs = {Random(DataType::kFp32, 91, -9, 9), Random(DataType::kFp16, 91, -9, 9, 2)};
         data.outputs = {Expected(DataType::kFp32, 91), Expected(DataType::kInt32, 91)};
         for (size_t i = 0; i < 91; ++i) {
           const double v = std::fmin(data.inputs[0].values[i], data.inputs[1].values[i]);
           data.outputs[0].values[i % 13 * 7 + i / 13] = v;
           data.outputs[1].values[i] = std::trunc(v);
         }
         return data;
       }});
}

inline void AddCopyCases(KernelCases* cases) {
  for (const DataType type :
       {DataType::kFp32, DataType::kFp16, DataType::kUint8, DataType::kInt64}) {
    cases->push_back(
        {"copy", StrCat("Slice with steps ", NameOf(type)),
         [=](Toolbox& toolbox) {
           return MakeSlice(toolbox, type, {6, 10, 16}, {3, 5, 12}, {5, 1, 3}, {-2, 2, 1});
         },
         [=] {
           CaseData data;
           data.inputs = {Random(type, 960, 0, 100)};
           data.outputs = {Expected(type, 180)};
           for (size_t i = 0; i < 3; ++i)
             for (size_t j = 0; j < 5; ++j)
               for (size_t k = 0; k < 12; ++k)
                 data.outputs[0].values[(i * 5 + j) * 12 + k] =
                     data.inputs[0].values[((5 - 2 * i) * 10 + 1 + 2 * j) * 16 + 3 + k];
           return data;
         }});
    cases->push_back({"copy", StrCat("Tile ", NameOf(type)),
                      [=](Toolbox& toolbox) {
                        return MakeTile(toolbox, type, {3, 8}, {2, 3});
                      },
                      [=] {
                        CaseData data;
                        data.inputs = {Random(type, 24, 0, 100)};
                        data.outputs = {Expected(type, 144)};
                        for (size_t i = 0; i < 6; ++i)
                          for (size_t j = 0; j < 24; ++j)
                            data.outputs[0].values[i * 24 + j] =
                                data.inputs[0].values[i % 3 * 8 + j % 8];
                        return data;
                      }});
    cases->push_back({"copy", StrCat("Expand ", NameOf(type)),
                      [=](Toolbox& toolbox) {
                        return MakeExpand(toolbox, type, {4, 1}, {3, 4, 10});
                      },
                      [=] {
                        CaseData data;
                        data.inputs = {Random(type, 4, 0, 100)};
                        data.outputs = {Expected(type, 120)};
                        for (size_t i = 0; i < 120; ++i)
                          data.outputs[0].values[i] = data.inputs[0].values[i / 10 % 4];
                        return data;
                      }});
  }
}

inline void AddPointwiseCases(KernelCases* cases) {
  AddUnaryCases(cases);
  AddBinaryCases(cases);
  AddChainCases(cases);
  AddCopyCases(cases);
}

}  // namespace nereid::engine
