#include "backends/cuda/reference/recurrent_cells.h"

#include <cctype>
#include <cmath>
#include <string_view>

#include "backends/cuda/reference/operator.h"

namespace nereid::engine {
namespace {

double Sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// An activation by name; `parameters` is how many of alpha and beta it takes.
struct ActivationRow {
  std::string_view name;
  int parameters;
  double alpha;
  double beta;
  double (*apply)(double x, double alpha, double beta);
};
constexpr ActivationRow kActivations[] = {
    {"Affine", 2, 1, 0, [](double x, double a, double b) { return a * x + b; }},
    {"Elu", 1, 1, 0, [](double x, double a, double) { return x < 0 ? a * std::expm1(x) : x; }},
    {"HardSigmoid", 2, 0.2, 0.5,
     [](double x, double a, double b) { return std::clamp(a * x + b, 0.0, 1.0); }},
    {"LeakyRelu", 1, 0.01, 0, [](double x, double a, double) { return x < 0 ? a * x : x; }},
    {"Relu", 0, 0, 0, [](double x, double, double) { return std::fmax(x, 0); }},
    {"ScaledTanh", 2, 1, 1, [](double x, double a, double b) { return a * std::tanh(b * x); }},
    {"Sigmoid", 0, 0, 0, [](double x, double, double) { return Sigmoid(x); }},
    {"Softplus", 0, 0, 0, [](double x, double, double) { return std::log1p(std::exp(x)); }},
    {"Softsign", 0, 0, 0, [](double x, double, double) { return x / (1 + std::fabs(x)); }},
    {"Tanh", 0, 0, 0, [](double x, double, double) { return std::tanh(x); }},
    {"ThresholdedRelu", 1, 1, 0, [](double x, double a, double) { return x > a ? x : 0.0; }},
};

std::vector<float> Floats(const Node& node, std::string_view name) {
  const auto found = node.attributes.find(name);
  if (found == node.attributes.end()) return {};
  const auto* values = std::get_if<std::vector<float>>(&found->second);
  return values == nullptr ? std::vector<float>{} : *values;
}

bool SameName(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    return std::tolower(static_cast<unsigned char>(x)) ==
           std::tolower(static_cast<unsigned char>(y));
  });
}

}  // namespace

absl::StatusOr<std::vector<Activation>> ReadActivations(const Node& node,
                                                        const std::vector<std::string>& names) {
  const std::vector<float> alphas = Floats(node, "activation_alpha");
  const std::vector<float> betas = Floats(node, "activation_beta");
  size_t alpha_used = 0;
  size_t beta_used = 0;
  std::vector<Activation> activations;
  for (const std::string& name : names) {
    const auto* row = std::find_if(std::begin(kActivations), std::end(kActivations),
                                   [&](const auto& r) { return SameName(r.name, name); });
    if (row == std::end(kActivations)) return Refuse("activation '", name, "' is not known");
    double alpha = row->alpha;
    double beta = row->beta;
    if (row->parameters >= 1 && alpha_used < alphas.size()) alpha = alphas[alpha_used++];
    if (row->parameters >= 2 && beta_used < betas.size()) beta = betas[beta_used++];
    activations.emplace_back([=, apply = row->apply](double x) { return apply(x, alpha, beta); });
  }
  return activations;
}

void RnnCell(const Layer& layer, const Step& step, std::vector<double>& scratch) {
  scratch.resize(static_cast<size_t>(layer.hidden));
  for (int64_t j = 0; j < layer.hidden; ++j) {
    const double sum = step.input[j] + layer.recurrence_bias[j] + layer.Recur(j, step.h);
    scratch[static_cast<size_t>(j)] = layer.activations[0](layer.Clipped(sum));
  }
  std::copy(scratch.begin(), scratch.end(), step.h);
}

void GruCell(const Layer& layer, const Step& step, std::vector<double>& scratch) {
  const int64_t n = layer.hidden;
  scratch.resize(static_cast<size_t>(4 * n));
  double* z = scratch.data();
  double* r = z + n;
  double* reset_state = r + n;
  double* h = reset_state + n;
  const auto gate = [&](int64_t row) {
    const double sum = step.input[row] + layer.recurrence_bias[row] + layer.Recur(row, step.h);
    return layer.activations[0](layer.Clipped(sum));
  };
  for (int64_t j = 0; j < n; ++j) {
    z[j] = gate(j);
    r[j] = gate(n + j);
    reset_state[j] = r[j] * step.h[j];
  }
  for (int64_t j = 0; j < n; ++j) {
    const int64_t row = 2 * n + j;
    const double recurrent = layer.linear_before_reset
                                 ? r[j] * (layer.Recur(row, step.h) + layer.recurrence_bias[row])
                                 : layer.Recur(row, reset_state) + layer.recurrence_bias[row];
    h[j] = layer.activations[1](layer.Clipped(step.input[row] + recurrent));
  }
  for (int64_t j = 0; j < n; ++j) step.h[j] = (1 - z[j]) * h[j] + z[j] * step.h[j];
}

void LstmCell(const Layer& layer, const Step& step, std::vector<double>& scratch) {
  const int64_t n = layer.hidden;
  scratch.resize(static_cast<size_t>(4 * n));
  for (int64_t row = 0; row < 4 * n; ++row) {
    scratch[static_cast<size_t>(row)] =
        step.input[row] + layer.recurrence_bias[row] + layer.Recur(row, step.h);
  }
  const auto peep = [&](int64_t gate, int64_t j, double state) {
    return layer.peepholes == nullptr ? 0 : layer.peepholes[gate * n + j] * state;
  };
  const Activation& f = layer.activations[0];
  for (int64_t j = 0; j < n; ++j) {
    const double* sums = scratch.data() + j;
    const double i = f(layer.Clipped(sums[0] + peep(0, j, step.c[j])));
    const double forget = layer.couples_input_and_forget
                              ? 1 - i
                              : f(layer.Clipped(sums[2 * n] + peep(2, j, step.c[j])));
    step.c[j] = forget * step.c[j] + i * layer.activations[1](layer.Clipped(sums[3 * n]));
    const double o = f(layer.Clipped(sums[n] + peep(1, j, step.c[j])));
    step.h[j] = o * layer.activations[2](step.c[j]);
  }
}

}  // namespace nereid::engine
