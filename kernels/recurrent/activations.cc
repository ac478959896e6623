#include "kernels/recurrent/activations.h"

#include <algorithm>
#include <cctype>
#include <iterator>

#include "common/strings.h"
#include "kernels/recurrent/recurrent.h"

namespace nereid::engine {
namespace {

struct Row {
  std::string_view name;
  int parameters;  // how many of alpha and beta it takes
  float alpha, beta;
  std::string_view expression;  // of x, a and b
};
constexpr Row kRows[] = {
    {"Affine", 2, 1, 0, "a * x + b"},
    {"Elu", 1, 1, 0, "x < 0 ? a * expm1f(x) : x"},
    {"HardSigmoid", 2, 0.2f, 0.5f, "fminf(fmaxf(a * x + b, 0.0f), 1.0f)"},
    {"LeakyRelu", 1, 0.01f, 0, "x < 0 ? a * x : x"},
    {"Relu", 0, 0, 0, "fmaxf(x, 0.0f)"},
    {"ScaledTanh", 2, 1, 1, "a * tanhf(b * x)"},
    {"Sigmoid", 0, 0, 0, "1.0f / (1.0f + expf(-x))"},
    {"Softplus", 0, 0, 0, "x > 20.0f ? x : log1pf(expf(x))"},
    {"Softsign", 0, 0, 0, "x / (1.0f + fabsf(x))"},
    {"Tanh", 0, 0, 0, "tanhf(x)"},
    {"ThresholdedRelu", 1, 1, 0, "x > a ? x : 0.0f"},
};

bool SameName(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    return std::tolower(static_cast<unsigned char>(x)) ==
           std::tolower(static_cast<unsigned char>(y));
  });
}

const Row* FindRow(std::string_view name) {
  const auto* found =
      std::ranges::find_if(kRows, [&](const Row& row) { return SameName(row.name, name); });
  return found == std::end(kRows) ? nullptr : found;
}

std::vector<std::string> DefaultsOf(RecurrentCell cell) {
  if (cell == RecurrentCell::kLstm) return {"Sigmoid", "Tanh", "Tanh"};
  if (cell == RecurrentCell::kGru) return {"Sigmoid", "Tanh"};
  return {"Tanh"};
}

}  // namespace

absl::StatusOr<std::vector<RecurrentActivation>> ActivationsOf(
    RecurrentCell cell, int64_t directions, const std::vector<std::string>& names,
    absl::Span<const float> alphas, absl::Span<const float> betas) {
  const std::vector<std::string> defaults = DefaultsOf(cell);
  std::vector<RecurrentActivation> activations;
  size_t alpha_used = 0, beta_used = 0;
  for (size_t i = 0; i < defaults.size() * static_cast<size_t>(directions); ++i) {
    const std::string& name = i < names.size() ? names[i] : defaults[i % defaults.size()];
    const Row* row = FindRow(name);
    if (row == nullptr) return absl::UnimplementedError(StrCat("activation '", name, "'"));
    RecurrentActivation activation{std::string(row->name), row->alpha, row->beta};
    if (row->parameters >= 1 && alpha_used < alphas.size()) activation.alpha = alphas[alpha_used++];
    if (row->parameters >= 2 && beta_used < betas.size()) activation.beta = betas[beta_used++];
    activations.push_back(std::move(activation));
  }
  return activations;
}

std::string DefineActivations(absl::Span<const RecurrentActivation> activations,
                              int64_t directions) {
  const size_t each = activations.size() / static_cast<size_t>(directions);
  std::string text;
  for (size_t i = 0; i < activations.size(); ++i) {
    const RecurrentActivation& activation = activations[i];
    StrAppend(&text, "__device__ __forceinline__ float Activate", i % each, "In", i / each,
              "(float x) { const float a = ", activation.alpha, ", b = ", activation.beta,
              "; (void)a; (void)b; return ", FindRow(activation.name)->expression, "; }\n");
  }
  for (size_t i = 0; i < each; ++i) {
    StrAppend(&text, "__device__ __forceinline__ float Activate", i, "(float x) { return ");
    if (directions == 2) StrAppend(&text, "blockIdx.y != 0 ? Activate", i, "In1(x) : ");
    StrAppend(&text, "Activate", i, "In0(x); }\n");
  }
  return text;
}

}  // namespace nereid::engine
