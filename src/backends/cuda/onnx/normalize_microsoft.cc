// Operators of ONNX Runtime's own domain, as the ONNX operators that they stand for.

#include <array>

#include "backends/cuda/onnx/normalizer_rules.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

using Attributes = std::map<std::string, AttributeValue, std::less<>>;

constexpr float kQuickGeluAlpha = 1.702f;

ValueId WithBias(NodeRewrite& rewrite, ValueId value, size_t bias) {
  if (!rewrite.node.HasInput(bias)) return value;
  return rewrite.Emit("Add", {value, rewrite.Input(bias)});
}

absl::Status Gelu(NodeRewrite& rewrite) {
  const bool fast = rewrite.node.op == "FastGelu";
  const ValueId x = WithBias(rewrite, rewrite.Input(0), 1);
  rewrite.EmitOutput(0, "Gelu", {x}, {{"approximate", std::string(fast ? "tanh" : "none")}});
  rewrite.Drop();
  return absl::OkStatus();
}

absl::Status QuickGelu(NodeRewrite& rewrite) {
  rewrite.EmitOutput(0, "Swish", {rewrite.Input(0)},
                     {{"alpha", rewrite.node.Float("alpha", kQuickGeluAlpha)}});
  rewrite.Drop();
  return absl::OkStatus();
}

absl::Status LayerNormalization(NodeRewrite& rewrite) {
  rewrite.node.domain.clear();
  return absl::OkStatus();
}

absl::Status RmsNormalization(NodeRewrite& rewrite) {
  rewrite.node.domain.clear();
  rewrite.node.op = "RMSNormalization";
  rewrite.Erase("stash_type");
  for (size_t i = 1; i < rewrite.node.outputs.size(); ++i) rewrite.Alias(i, kNoValue);
  if (rewrite.node.outputs.size() > 1) rewrite.node.outputs.resize(1);
  return absl::OkStatus();
}

// (input, skip, scale, shift, bias) or, without a shift, (input, skip, scale, bias) →
// (y, mean, deviation, sum)
absl::Status SkipNormalization(NodeRewrite& rewrite) {
  const bool rms = rewrite.node.op == "SkipSimplifiedLayerNormalization";
  if (!rewrite.node.HasInput(0) || !rewrite.node.HasInput(1) || !rewrite.node.HasInput(2)) {
    return absl::InvalidArgumentError("an input is missing");
  }
  ValueId sum = rewrite.Emit("Add", {rewrite.Input(0), rewrite.Input(1)});
  sum = WithBias(rewrite, sum, rms ? 3 : 4);
  Attributes attributes{{"axis", int64_t{-1}}, {"epsilon", rewrite.node.Float("epsilon", 1e-12f)}};
  if (rms) {
    rewrite.EmitOutput(0, "RMSNormalization", {sum, rewrite.Input(2)}, std::move(attributes));
  } else {
    rewrite.EmitOutput(0, "LayerNormalization", {sum, rewrite.Input(2), rewrite.Input(3)},
                       std::move(attributes));
  }
  rewrite.Alias(1, kNoValue);
  rewrite.Alias(2, kNoValue);
  rewrite.Alias(3, sum);
  rewrite.Drop();
  return absl::OkStatus();
}

// Appends the activation that the attributes name, making output 0 from `value`.
absl::Status Activate(NodeRewrite& rewrite, ValueId value, const std::vector<float>& parameters) {
  const std::string name = rewrite.node.String("activation", "");
  const auto parameter = [&parameters](size_t i, float fallback) {
    return i < parameters.size() ? parameters[i] : fallback;
  };
  if (name.empty()) {
    rewrite.Alias(0, value);
  } else if (name == "Relu" || name == "Tanh" || name == "Sigmoid" || name == "HardSwish") {
    rewrite.EmitOutput(0, name, {value});
  } else if (name == "LeakyRelu") {
    rewrite.EmitOutput(0, name, {value}, {{"alpha", parameter(0, 0.01f)}});
  } else if (name == "HardSigmoid") {
    rewrite.EmitOutput(0, name, {value},
                       {{"alpha", parameter(0, 0.2f)}, {"beta", parameter(1, 0.5f)}});
  } else if (name == "Clip" && parameters.size() == 2) {
    rewrite.EmitOutput(
        0, name,
        {value, rewrite.ScalarLikeInput(parameters[0]), rewrite.ScalarLikeInput(parameters[1])});
  } else {
    return absl::UnimplementedError(StrCat("activation '", name, "' is not supported"));
  }
  rewrite.Drop();
  return absl::OkStatus();
}

// (x, weight, bias?, residual?)
absl::Status FusedConv(NodeRewrite& rewrite) {
  std::vector<float> parameters;
  if (const auto found = rewrite.node.attributes.find("activation_params");
      found != rewrite.node.attributes.end()) {
    if (const auto* list = std::get_if<std::vector<float>>(&found->second)) parameters = *list;
  }
  Attributes attributes = rewrite.node.attributes;
  attributes.erase("activation");
  attributes.erase("activation_params");
  const ValueId conv =
      rewrite.Emit("Conv", {rewrite.Input(0), rewrite.Input(1), rewrite.Input(2)}, attributes);
  return Activate(rewrite, WithBias(rewrite, conv, 3), parameters);
}

absl::Status FusedGemm(NodeRewrite& rewrite) {
  std::vector<float> parameters;
  Attributes attributes = rewrite.node.attributes;
  for (const std::string name : {"activation_alpha", "activation_beta", "activation_gamma"}) {
    if (!attributes.contains(name)) break;
    parameters.push_back(rewrite.node.Float(name, 0));
    attributes.erase(name);
  }
  attributes.erase("activation");
  const ValueId gemm =
      rewrite.Emit("Gemm", {rewrite.Input(0), rewrite.Input(1), rewrite.Input(2)}, attributes);
  return Activate(rewrite, gemm, parameters);
}

constexpr std::array kRows = std::to_array<NormalizeRow>({
    {"BiasGelu", kAnyOpset, Gelu},
    {"FastGelu", kAnyOpset, Gelu},
    {"FusedConv", kAnyOpset, FusedConv},
    {"FusedGemm", kAnyOpset, FusedGemm},
    {"Gelu", kAnyOpset, Gelu},
    {"LayerNormalization", kAnyOpset, LayerNormalization},
    {"QuickGelu", kAnyOpset, QuickGelu},
    {"SimplifiedLayerNormalization", kAnyOpset, RmsNormalization},
    {"SkipLayerNormalization", kAnyOpset, SkipNormalization},
    {"SkipSimplifiedLayerNormalization", kAnyOpset, SkipNormalization},
});

}  // namespace

absl::Span<const NormalizeRow> MicrosoftRows() { return kRows; }

}  // namespace nereid::engine
