// Operators of the default domain that changed between opsets.

#include <array>

#include "backends/cuda/ir/onnx_type.h"
#include "backends/cuda/onnx/normalizer_rules.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

absl::Status NeedsInputs(const NodeRewrite& rewrite, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    if (!rewrite.node.HasInput(i)) {
      return absl::InvalidArgumentError(StrCat("input ", i, " is missing"));
    }
  }
  return absl::OkStatus();
}

// A scalar or list that the attribute gives, as a constant.
template <typename T, typename Stored>
HostTensor ListOf(DataType type, const std::vector<Stored>& values) {
  return HostTensor::Of<T>(type, {static_cast<int64_t>(values.size())},
                           std::vector<T>(values.begin(), values.end()));
}

HostTensor StringsOf(Shape shape, const std::vector<std::string>& values) {
  HostTensor tensor(DataType::kBytes, std::move(shape));
  tensor.mutable_strings() = values;
  return tensor;
}

absl::Status Constant(NodeRewrite& rewrite) {
  for (const auto& [name, value] : rewrite.node.attributes) {
    HostTensor tensor;
    if (const auto* dense = std::get_if<HostTensor>(&value)) {
      tensor = *dense;
    } else if (const auto* number = std::get_if<float>(&value)) {
      tensor = HostTensor::Of<float>(DataType::kFp32, {}, {*number});
    } else if (const auto* integer = std::get_if<int64_t>(&value)) {
      tensor = HostTensor::Scalar(*integer);
    } else if (const auto* numbers = std::get_if<std::vector<float>>(&value)) {
      tensor = ListOf<float>(DataType::kFp32, *numbers);
    } else if (const auto* integers = std::get_if<std::vector<int64_t>>(&value)) {
      tensor = HostTensor::Vector(*integers);
    } else if (const auto* text = std::get_if<std::string>(&value)) {
      tensor = StringsOf({}, {*text});
    } else if (const auto* texts = std::get_if<std::vector<std::string>>(&value)) {
      tensor = StringsOf({static_cast<int64_t>(texts->size())}, *texts);
    } else {
      continue;
    }
    if (rewrite.node.HasOutput(0)) {
      Value& output = rewrite.graph.value(rewrite.node.outputs[0]);
      output.type = tensor.type();
      output.shape = tensor.shape();
      output.constant = std::move(tensor);
    }
    rewrite.Drop();
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError("the constant has no value");
}

absl::Status Identity(NodeRewrite& rewrite) {
  if (absl::Status status = NeedsInputs(rewrite, 1); !status.ok()) return status;
  rewrite.Alias(0, rewrite.Input(0));
  rewrite.Drop();
  return absl::OkStatus();
}

absl::Status Dropout(NodeRewrite& rewrite) {
  if (rewrite.node.HasInput(2)) {
    const HostTensor* training = rewrite.ConstantInput(2);
    if (training == nullptr || !training->is_scalar_like() || training->AsInt64(0) != 0) {
      return absl::UnimplementedError("Dropout in training mode is not supported");
    }
  }
  if (rewrite.node.HasOutput(1) && rewrite.node.HasInput(0)) {
    const ValueId shape = rewrite.Emit("Shape", {rewrite.Input(0)});
    rewrite.EmitOutput(1, "ConstantOfShape", {shape},
                       {{"value", HostTensor::Of<uint8_t>(DataType::kBool, {1}, {1})}});
  }
  return Identity(rewrite);
}

absl::Status VariadicOfOne(NodeRewrite& rewrite) {
  return rewrite.node.inputs.size() == 1 ? Identity(rewrite) : absl::OkStatus();
}

absl::Status BatchNormalization(NodeRewrite& rewrite) {
  if (rewrite.node.Int("training_mode", 0) != 0) {
    return absl::UnimplementedError("BatchNormalization in training mode is not supported");
  }
  if (rewrite.node.Int("spatial", 1) == 0) {
    return absl::UnimplementedError("BatchNormalization with spatial = 0 is not supported");
  }
  for (const std::string_view gone : {"training_mode", "spatial"}) rewrite.Erase(gone);
  for (size_t i = 1; i < rewrite.node.outputs.size(); ++i) rewrite.Alias(i, kNoValue);
  if (rewrite.node.outputs.size() > 1) rewrite.node.outputs.resize(1);
  return NeedsInputs(rewrite, 5);
}

// Softmax and its kin worked on two extents: those before `axis`, and those from it on.
absl::Status FlattenedSoftmax(NodeRewrite& rewrite) {
  if (absl::Status status = NeedsInputs(rewrite, 1); !status.ok()) return status;
  const int64_t axis = rewrite.node.Int("axis", 1);
  const int64_t rank = rewrite.RankOf(0);
  if (axis == -1 || (rank > 0 && axis == rank - 1)) {
    rewrite.node.attributes["axis"] = int64_t{-1};
    return absl::OkStatus();
  }
  const ValueId x = rewrite.Input(0);
  const ValueId shape = rewrite.Emit("Shape", {x});
  const ValueId flat = rewrite.Emit("Flatten", {x}, {{"axis", axis}});
  const ValueId soft = rewrite.Emit(rewrite.node.op, {flat}, {{"axis", int64_t{-1}}});
  rewrite.EmitOutput(0, "Reshape", {soft, shape});
  rewrite.Drop();
  return absl::OkStatus();
}

// Before opset 7, `axis` said where the second operand's extents stand among the first's.
absl::Status OldBroadcast(NodeRewrite& rewrite) {
  if (absl::Status status = NeedsInputs(rewrite, 2); !status.ok()) return status;
  const bool has_axis = rewrite.node.attributes.contains("axis");
  const int64_t axis = rewrite.node.Int("axis", 0);
  const bool broadcast = rewrite.node.Int("broadcast", 0) != 0;
  rewrite.Erase("axis");
  rewrite.Erase("broadcast");
  if (!broadcast || !has_axis || axis == -1) return absl::OkStatus();
  const int64_t rank = rewrite.RankOf(0);
  const int64_t other = rewrite.RankOf(1);
  if (rank < 0 || other < 0) {
    return absl::UnimplementedError("broadcast along an axis, but the ranks are not known");
  }
  const int64_t missing = rank - (axis < 0 ? axis + rank : axis) - other;
  if (missing < 0) return absl::InvalidArgumentError("the axis does not fit the operands");
  if (missing == 0) return absl::OkStatus();
  std::vector<int64_t> axes;
  for (int64_t i = 0; i < missing; ++i) axes.push_back(other + i);
  const ValueId list = rewrite.Constant(HostTensor::Vector(axes));
  rewrite.SetInput(1, rewrite.Emit("Unsqueeze", {rewrite.Input(1), list}));
  return absl::OkStatus();
}

absl::Status CastByName(NodeRewrite& rewrite) {
  const std::string name = rewrite.node.String("to", "");
  if (name.empty()) return absl::OkStatus();
  const int64_t type = OnnxTypeFromName(name);
  if (type == 0) return absl::InvalidArgumentError(StrCat("there is no type '", name, "'"));
  rewrite.node.attributes["to"] = type;
  return absl::OkStatus();
}

absl::Status ConcatAxis(NodeRewrite& rewrite) {
  rewrite.node.attributes.try_emplace("axis", int64_t{1});
  return absl::OkStatus();
}

absl::Status GemmBroadcast(NodeRewrite& rewrite) {
  rewrite.Erase("broadcast");
  return absl::OkStatus();
}

absl::Status Split(NodeRewrite& rewrite) {
  if (rewrite.node.HasInput(1)) {
    rewrite.Erase("num_outputs");
  } else {
    rewrite.node.attributes.try_emplace("num_outputs",
                                        static_cast<int64_t>(rewrite.node.outputs.size()));
  }
  return absl::OkStatus();
}

absl::Status Scatter(NodeRewrite& rewrite) {
  rewrite.node.op = "ScatterElements";
  return absl::OkStatus();
}

// Turns a Resize of two inputs, or an Upsample, into today's Resize.
absl::Status OldResize(NodeRewrite& rewrite, ValueId scales) {
  std::string mode = rewrite.node.String("mode", "nearest");
  if (mode == "bilinear") mode = "linear";
  rewrite.node.op = "Resize";
  rewrite.node.inputs = {rewrite.Input(0), kNoValue, scales};
  rewrite.node.attributes = {{"mode", mode},
                             {"coordinate_transformation_mode", std::string("asymmetric")},
                             {"nearest_mode", std::string("floor")}};
  return absl::OkStatus();
}

absl::Status Resize10(NodeRewrite& rewrite) {
  if (absl::Status status = NeedsInputs(rewrite, 2); !status.ok()) return status;
  return OldResize(rewrite, rewrite.Input(1));
}

absl::Status Upsample(NodeRewrite& rewrite) {
  if (absl::Status status = NeedsInputs(rewrite, 1); !status.ok()) return status;
  if (rewrite.node.HasInput(1)) return OldResize(rewrite, rewrite.Input(1));
  std::vector<float> scales;
  if (const auto found = rewrite.node.attributes.find("scales");
      found != rewrite.node.attributes.end()) {
    if (const auto* list = std::get_if<std::vector<float>>(&found->second)) scales = *list;
  } else {
    scales = {1, 1, rewrite.node.Float("height_scale", 0), rewrite.node.Float("width_scale", 0)};
  }
  return OldResize(rewrite, rewrite.Constant(ListOf<float>(DataType::kFp32, scales)));
}

// An empty list stood for an input that is left out.
absl::Status EmptyResizeInputs(NodeRewrite& rewrite) {
  for (size_t i = 1; i < rewrite.node.inputs.size(); ++i) {
    const HostTensor* list = rewrite.ConstantInput(i);
    if (list != nullptr && list->element_count() == 0) rewrite.node.inputs[i] = kNoValue;
  }
  return absl::OkStatus();
}

// Scale and bias were one a group; they are one a channel now.
absl::Status GroupNormalization(NodeRewrite& rewrite) {
  if (absl::Status status = NeedsInputs(rewrite, 3); !status.ok()) return status;
  const int64_t groups = rewrite.node.Int("num_groups", 1);
  const ValueId one = rewrite.Constant(HostTensor::Vector({1}));
  const ValueId count = rewrite.Constant(HostTensor::Vector({groups}));
  const ValueId all = rewrite.Constant(HostTensor::Vector({-1}));
  const ValueId shape = rewrite.Emit("Shape", {rewrite.Input(0)});
  const ValueId channels = rewrite.Emit("Gather", {shape, one}, {{"axis", int64_t{0}}});
  const ValueId each = rewrite.Emit("Div", {channels, count});
  const ValueId target = rewrite.Emit("Concat", {count, each}, {{"axis", int64_t{0}}});
  for (size_t i = 1; i <= 2; ++i) {
    const ValueId column = rewrite.Emit("Unsqueeze", {rewrite.Input(i), one});
    const ValueId repeated = rewrite.Emit("Expand", {column, target});
    rewrite.SetInput(i, rewrite.Emit("Reshape", {repeated, all}));
  }
  return absl::OkStatus();
}

absl::Status RefuseOldTile(NodeRewrite&) {
  return absl::UnimplementedError("Tile before opset 6 is not supported");
}

absl::Status RefuseOldScan(NodeRewrite&) {
  return absl::UnimplementedError("Scan before opset 9 is not supported");
}

// Before opset 7, a vector of slopes has one for each channel.
absl::Status OldPRelu(NodeRewrite& rewrite) {
  if (absl::Status status = NeedsInputs(rewrite, 2); !status.ok()) return status;
  const HostTensor* slope = rewrite.ConstantInput(1);
  if (slope != nullptr && slope->is_scalar_like()) return absl::OkStatus();
  const int64_t rank = rewrite.RankOf(0);
  if (rewrite.RankOf(1) != 1) return absl::OkStatus();
  if (rank < 0) return absl::UnimplementedError("slopes by channel, but the rank is not known");
  std::vector<int64_t> axes;
  for (int64_t axis = 2; axis < rank; ++axis) axes.push_back(axis - 1);
  if (axes.empty()) return absl::OkStatus();
  const ValueId list = rewrite.Constant(HostTensor::Vector(axes));
  rewrite.SetInput(1, rewrite.Emit("Unsqueeze", {rewrite.Input(1), list}));
  return absl::OkStatus();
}

constexpr std::array kRows = std::to_array<NormalizeRow>({
    {"Add", 7, OldBroadcast},
    {"And", 7, OldBroadcast},
    {"BatchNormalization", kAnyOpset, BatchNormalization},
    {"Cast", 6, CastByName},
    {"Concat", 4, ConcatAxis},
    {"Constant", kAnyOpset, Constant},
    {"Div", 7, OldBroadcast},
    {"Dropout", kAnyOpset, Dropout},
    {"Equal", 7, OldBroadcast},
    {"Gemm", 7, GemmBroadcast},
    {"Greater", 7, OldBroadcast},
    {"GroupNormalization", 21, GroupNormalization},
    {"Hardmax", 13, FlattenedSoftmax},
    {"Identity", kAnyOpset, Identity},
    {"Less", 7, OldBroadcast},
    {"LogSoftmax", 13, FlattenedSoftmax},
    {"Max", kAnyOpset, VariadicOfOne},
    {"Mean", kAnyOpset, VariadicOfOne},
    {"Min", kAnyOpset, VariadicOfOne},
    {"Mul", 7, OldBroadcast},
    {"Or", 7, OldBroadcast},
    {"PRelu", 7, OldPRelu},
    {"Pow", 7, OldBroadcast},
    {"Resize", 11, Resize10},
    {"Resize", kAnyOpset, EmptyResizeInputs},
    {"Scan", 9, RefuseOldScan},
    {"Scatter", kAnyOpset, Scatter},
    {"Softmax", 13, FlattenedSoftmax},
    {"Split", kAnyOpset, Split},
    {"Sub", 7, OldBroadcast},
    {"Sum", kAnyOpset, VariadicOfOne},
    {"Tile", 6, RefuseOldTile},
    {"Upsample", kAnyOpset, Upsample},
    {"Xor", 7, OldBroadcast},
});

}  // namespace

absl::Span<const NormalizeRow> StandardRows() { return kRows; }

}  // namespace nereid::engine
