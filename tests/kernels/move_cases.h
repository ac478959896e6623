#pragma once

#include "kernels/concat/concat.h"
#include "kernels/gather/gather.h"
#include "kernels/jit/kernel_op.h"
#include "kernels/pad/pad.h"
#include "kernels/scatter/scatter.h"
#include "kernels/transpose/transpose.h"
#include "tests/kernels/kernel_case.h"

namespace nereid::engine {

// Calls visit(linear index, coordinates) for every element of `shape`.
template <typename Visit>
void ForEachElement(const Shape& shape, const Visit& visit) {
  std::vector<int64_t> at(shape.size(), 0);
  const int64_t count = ExtentProduct(shape);
  for (int64_t i = 0; i < count; ++i) {
    visit(static_cast<size_t>(i), at);
    for (size_t d = shape.size(); d-- > 0;) {
      if (++at[d] < shape[d]) break;
      at[d] = 0;
    }
  }
}

inline void AddTransposeCase(KernelCases* cases, DataType type, DataType out, const Shape& shape,
                             const std::vector<int64_t>& permutation) {
  cases->push_back({"transpose",
                    StrCat(ShapeToString(shape), " by ", ShapeToString(permutation), " ",
                           NameOf(type), " to ", NameOf(out)),
                    [=](Toolbox& toolbox) {
                      return MakeTranspose(toolbox, {type, out, shape, permutation});
                    },
                    [=] {
                      const int64_t count = ExtentProduct(shape);
                      CaseData data;
                      data.inputs = {Random(type, count, 0, 100)};
                      data.outputs = {Expected(out, count)};
                      Shape result;
                      for (const int64_t axis : permutation)
                        result.push_back(shape[static_cast<size_t>(axis)]);
                      const std::vector<int64_t> strides = DenseStrides(shape);
                      ForEachElement(result, [&](size_t i, const std::vector<int64_t>& at) {
                        int64_t from = 0;
                        for (size_t d = 0; d < at.size(); ++d)
                          from += at[d] * strides[static_cast<size_t>(permutation[d])];
                        data.outputs[0].values[i] =
                            data.inputs[0].values[static_cast<size_t>(from)];
                      });
                      return data;
                    }});
}

inline void AddLayoutCase(KernelCases* cases, const LayoutSpec& spec) {
  cases->push_back(
      {"transpose",
       StrCat("layout ", spec.n, "×", spec.channels, "×", spec.pixels,
              spec.to_channels_last ? " to last " : " to first ", NameOf(spec.type)),
       [=](Toolbox& toolbox) { return MakeLayoutCopy(toolbox, spec); },
       [=] {
         const int64_t wide = spec.channels_out == 0 ? spec.channels : spec.channels_out;
         const int64_t first = spec.n * spec.channels * spec.pixels,
                       last = spec.n * wide * spec.pixels;
         CaseData data;
         data.inputs = {Random(spec.type, spec.to_channels_last ? first : last, 0, 100)};
         data.outputs = {Expected(spec.out_type, spec.to_channels_last ? last : first)};
         for (int64_t b = 0; b < spec.n; ++b) {
           for (int64_t c = 0; c < spec.channels; ++c) {
             for (int64_t p = 0; p < spec.pixels; ++p) {
               auto from = static_cast<size_t>((b * spec.channels + c) * spec.pixels + p);
               auto to = static_cast<size_t>((b * spec.pixels + p) * wide + c);
               if (!spec.to_channels_last) std::swap(from, to);
               double v = data.inputs[0].values[from];
               const auto channel = static_cast<size_t>(c);
               if (!spec.scale.empty()) v *= double(spec.scale[channel]);
               if (!spec.bias.empty()) v += double(spec.bias[channel]);
               data.outputs[0].values[to] = v;
             }
           }
         }
         return data;
       }});
}

inline void AddTransposeCases(KernelCases* cases) {
  for (const DataType type :
       {DataType::kFp32, DataType::kFp16, DataType::kUint8, DataType::kInt64}) {
    AddTransposeCase(cases, type, type, {5, 70}, {1, 0});
    AddTransposeCase(cases, type, type, {2, 3, 4, 5}, {0, 2, 1, 3});
    AddTransposeCase(cases, type, type, {2, 33, 4, 65}, {0, 2, 3, 1});
    AddTransposeCase(cases, type, type, {3, 4, 5, 6}, {3, 1, 0, 2});
    AddTransposeCase(cases, type, type, {4, 6}, {0, 1});
  }
  AddTransposeCase(cases, DataType::kFp32, DataType::kFp16, {2, 40, 50}, {0, 2, 1});
  AddTransposeCase(cases, DataType::kFp16, DataType::kFp16, {128, 128, 12, 64}, {0, 2, 1, 3});
  AddTransposeCase(cases, DataType::kFp16, DataType::kFp16, {32, 256, 3136}, {0, 2, 1});
  AddLayoutCase(cases, {DataType::kFp32, DataType::kFp16, true, 2, 3, 50, 8, {}, {}});
  AddLayoutCase(
      cases, {DataType::kUint8, DataType::kFp16, true, 2, 3, 50, 4, {0.5f, 0.25f, 2}, {1, 2, 3}});
  AddLayoutCase(cases, {DataType::kFp16, DataType::kFp32, false, 2, 5, 49, 8, {}, {}});
  AddLayoutCase(cases, {DataType::kFp16, DataType::kFp16, true, 2, 40, 49, 0, {}, {}});
  AddLayoutCase(cases, {DataType::kFp16, DataType::kFp32, false, 2, 40, 49, 0, {}, {}});
}

inline CaseTensor RandomIndices(DataType type, int64_t count, int64_t n, uint32_t seed = 5) {
  CaseTensor indices = Random(type, count, double(-n), double(n), seed);
  for (double& v : indices.values) v = std::fmin(std::floor(v), double(n - 1));
  return indices;
}

inline size_t Wrapped(double index, int64_t n) {
  return static_cast<size_t>(index < 0 ? index + double(n) : index);
}

inline void AddGatherCases(KernelCases* cases) {
  for (const DataType type : {DataType::kFp32, DataType::kFp16, DataType::kInt64}) {
    for (const DataType index : {DataType::kInt32, DataType::kInt64}) {
      for (const auto& [outer, n, inner, count] :
           {std::array<int64_t, 4>{1, 1000, 768, 64}, {3, 10, 7, 5}, {4, 9, 1, 20}}) {
        const GatherSpec spec = {type, index, outer, n, inner, count};
        cases->push_back(
            {"gather",
             StrCat(outer, "×", n, "×", inner, " by ", count, " ", NameOf(type), " ",
                    NameOf(index)),
             [=](Toolbox& toolbox) { return MakeGather(toolbox, spec); },
             [=] {
               CaseData data;
               data.inputs = {Random(type, spec.outer * spec.n * spec.inner, -9, 9),
                              RandomIndices(index, spec.count, spec.n)};
               data.outputs = {Expected(type, spec.outer * spec.count * spec.inner)};
               ForEachElement(
                   {spec.outer, spec.count, spec.inner},
                   [&](size_t i, const std::vector<int64_t>& at) {
                     const size_t row =
                         Wrapped(data.inputs[1].values[static_cast<size_t>(at[1])], spec.n);
                     data.outputs[0].values[i] =
                         data.inputs[0].values[(static_cast<size_t>(at[0] * spec.n) + row) *
                                                   static_cast<size_t>(spec.inner) +
                                               static_cast<size_t>(at[2])];
                   });
               return data;
             }});
      }
    }
    cases->push_back(
        {"gather", StrCat("GatherElements ", NameOf(type)),
         [=](Toolbox& toolbox) {
           return MakeGatherElements(toolbox, {type, DataType::kInt64, {5, 6, 7}, {4, 9, 7}, 1});
         },
         [=] {
           CaseData data;
           data.inputs = {Random(type, 210, -9, 9), RandomIndices(DataType::kInt64, 252, 6)};
           data.outputs = {Expected(type, 252)};
           ForEachElement({4, 9, 7}, [&](size_t i, const std::vector<int64_t>& at) {
             const size_t row = Wrapped(data.inputs[1].values[i], 6);
             data.outputs[0].values[i] =
                 data.inputs[0].values[(static_cast<size_t>(at[0]) * 6 + row) * 7 +
                                       static_cast<size_t>(at[2])];
           });
           return data;
         }});
    cases->push_back(
        {"gather", StrCat("GatherND ", NameOf(type)),
         [=](Toolbox& toolbox) {
           return MakeGatherNd(toolbox, {type, {2, 5, 6, 4}, {2, 3, 2}, 1});
         },
         [=] {
           CaseData data;
           data.inputs = {Random(type, 240, -9, 9), RandomIndices(DataType::kInt64, 12, 5)};
           data.outputs = {Expected(type, 24)};
           ForEachElement({2, 3, 4}, [&](size_t i, const std::vector<int64_t>& at) {
             const auto line = static_cast<size_t>(at[0] * 3 + at[1]) * 2;
             const size_t a = Wrapped(data.inputs[1].values[line], 5),
                          b = Wrapped(data.inputs[1].values[line + 1], 6);
             data.outputs[0].values[i] =
                 data.inputs[0].values[((static_cast<size_t>(at[0]) * 5 + a) * 6 + b) * 4 +
                                       static_cast<size_t>(at[2])];
           });
           return data;
         }});
  }
}

inline double ScatterReference(ScatterReduction reduction, double old, double update) {
  switch (reduction) {
    case ScatterReduction::kAdd:
      return old + update;
    case ScatterReduction::kMul:
      return old * update;
    case ScatterReduction::kMax:
      return std::fmax(old, update);
    case ScatterReduction::kMin:
      return std::fmin(old, update);
    default:
      return update;
  }
}

inline void AddScatterCases(KernelCases* cases) {
  for (const DataType type :
       {DataType::kFp32, DataType::kFp16, DataType::kInt32, DataType::kInt64}) {
    for (int kind = 0; kind < 5; ++kind) {
      const auto reduction = static_cast<ScatterReduction>(kind);
      // Without a reduction each place is named once.
      const auto indices = [=](int64_t lines, int64_t n) {
        CaseTensor tensor = RandomIndices(DataType::kInt64, lines, n);
        for (size_t i = 0; reduction == ScatterReduction::kNone && i < tensor.values.size(); ++i) {
          tensor.values[i] = double((i * 3) % size_t(n));
        }
        return tensor;
      };
      cases->push_back(
          {"scatter", StrCat("ScatterND ", kind, " ", NameOf(type)),
           [=](Toolbox& toolbox) {
             return MakeScatterNd(toolbox, {type, reduction, {10, 9}, {7, 1}});
           },
           [=] {
             CaseData data;
             data.inputs = {Random(type, 90, 1, 4), indices(7, 10), Random(type, 63, 1, 3, 2)};
             data.outputs = {{type, data.inputs[0].values}};
             for (size_t i = 0; i < 63; ++i) {
               double& to =
                   data.outputs[0].values[Wrapped(data.inputs[1].values[i / 9], 10) * 9 + i % 9];
               to = ScatterReference(reduction, to, data.inputs[2].values[i]);
             }
             return data;
           }});
      cases->push_back(
          {"scatter", StrCat("ScatterElements ", kind, " ", NameOf(type)),
           [=](Toolbox& toolbox) {
             return MakeScatterElements(toolbox,
                                        {type, DataType::kInt64, reduction, {10, 5}, {7, 1}, 0});
           },
           [=] {
             CaseData data;
             data.inputs = {Random(type, 50, 1, 4), indices(7, 10), Random(type, 7, 1, 3, 2)};
             data.outputs = {{type, data.inputs[0].values}};
             for (size_t i = 0; i < 7; ++i) {
               double& to = data.outputs[0].values[Wrapped(data.inputs[1].values[i], 10) * 5];
               to = ScatterReference(reduction, to, data.inputs[2].values[i]);
             }
             return data;
           }});
    }
  }
}

inline void AddConcatCases(KernelCases* cases) {
  for (const DataType type :
       {DataType::kFp32, DataType::kFp16, DataType::kUint8, DataType::kInt64}) {
    cases->push_back({"concat", StrCat("Concat ", NameOf(type)),
                      [=](Toolbox& toolbox) {
                        return MakeConcat(toolbox, type, {{3, 4, 8}, {3, 1, 8}, {3, 7, 8}}, 1);
                      },
                      [=] {
                        CaseData data;
                        data.inputs = {Random(type, 96, 0, 100), Random(type, 24, 0, 100),
                                       Random(type, 168, 0, 100)};
                        data.outputs = {Expected(type, 288)};
                        ForEachElement({3, 12, 8}, [&](size_t i, const std::vector<int64_t>& at) {
                          const size_t part = at[1] < 4 ? 0 : at[1] < 5 ? 1 : 2;
                          const int64_t extents[] = {4, 1, 7}, begins[] = {0, 4, 5};
                          data.outputs[0].values[i] = data.inputs[part].values[static_cast<size_t>(
                              (at[0] * extents[part] + at[1] - begins[part]) * 8 + at[2])];
                        });
                        return data;
                      }});
    cases->push_back(
        {"concat", StrCat("Split ", NameOf(type)),
         [=](Toolbox& toolbox) {
           return MakeSplit(toolbox, type, {5, 11}, 1, {3, 8});
         },
         [=] {
           CaseData data;
           data.inputs = {Random(type, 55, 0, 100)};
           data.outputs = {Expected(type, 15), Expected(type, 40)};
           ForEachElement({5, 11}, [&](size_t i, const std::vector<int64_t>& at) {
             const bool second = at[1] >= 3;
             data.outputs[second]
                 .values[static_cast<size_t>(second ? at[0] * 8 + at[1] - 3 : at[0] * 3 + at[1])] =
                 data.inputs[0].values[i];
           });
           return data;
         }});
  }
}

inline void AddPadCases(KernelCases* cases) {
  for (const DataType type : {DataType::kFp32, DataType::kFp16, DataType::kInt32}) {
    for (int mode = 0; mode < 4; ++mode) {
      const PadSpec spec = {type, static_cast<PadMode>(mode), {4, 5, 6}, {1, 2, -1}, {2, 0, 3}, 7};
      cases->push_back({"pad", StrCat("mode ", mode, " ", NameOf(type)),
                        [=](Toolbox& toolbox) { return MakePad(toolbox, spec); },
                        [=] {
                          CaseData data;
                          data.inputs = {Random(type, 120, -9, 9)};
                          data.outputs = {Expected(type, 7 * 7 * 8)};
                          ForEachElement({7, 7, 8}, [&](size_t i, const std::vector<int64_t>& at) {
                            int64_t from = 0;
                            bool inside = true;
                            for (size_t d = 0; d < 3; ++d) {
                              const int64_t n = spec.shape[d];
                              int64_t j = at[d] - spec.begins[d];
                              if (spec.mode == PadMode::kConstant)
                                inside = inside && j >= 0 && j < n;
                              if (spec.mode == PadMode::kEdge) j = j < 0 ? 0 : j >= n ? n - 1 : j;
                              if (spec.mode == PadMode::kReflect)
                                j = j < 0 ? -j : j >= n ? 2 * (n - 1) - j : j;
                              if (spec.mode == PadMode::kWrap) j = (j + n) % n;
                              from = from * n + j;
                            }
                            data.outputs[0].values[i] =
                                inside ? data.inputs[0].values[static_cast<size_t>(from)] : 7;
                          });
                          return data;
                        }});
    }
  }
}

inline void AddMoveCases(KernelCases* cases) {
  AddTransposeCases(cases);
  AddGatherCases(cases);
  AddScatterCases(cases);
  AddConcatCases(cases);
  AddPadCases(cases);
}

}  // namespace nereid::engine
