#include "backends/cuda/exec/engine_model.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>

#include "backends/cuda/lower/legalize.h"
#include "backends/cuda/lower/lowering.h"
#include "backends/cuda/lower/on_host.h"
#include "backends/cuda/onnx/importer.h"
#include "backends/cuda/passes/algebra.h"
#include "backends/cuda/passes/shape_inference.h"
#include "backends/cuda/plan/model_digest.h"
#include "common/status_macros.h"

namespace nereid::engine {

absl::StatusOr<std::shared_ptr<const EngineModel>> EngineModel::Load(const std::string& path) {
  NEREID_ASSIGN_OR_RETURN(ImportedModel imported, ImportOnnx(path));
  std::vector<DataType> declared;
  for (const ValueId id : imported.graph->outputs) {
    declared.push_back(imported.graph->value(id).type);
  }
  NEREID_RETURN_IF_ERROR(RunPasses(LoadPasses(), *imported.graph));
  // What nothing but the file tells before extents are known: elements of a sequence, for one.
  for (size_t i = 0; i < declared.size(); ++i) {
    Value& output = imported.graph->value(imported.graph->outputs[i]);
    if (output.type == DataType::kInvalid) output.type = declared[i];
  }
  auto model = std::make_shared<EngineModel>();
  model->path_ = path;
  model->files_ = std::move(imported.files);
  model->graph_ = std::move(imported.graph);
  for (const Value& value : model->graph_->values) {
    if (value.is_constant()) model->weight_bytes_ += value.constant->byte_size();
  }
  return std::shared_ptr<const EngineModel>(std::move(model));
}

std::string EngineModel::Digest() const {
  std::vector<std::string_view> contents;
  for (const auto& file : files_) contents.push_back(file->text());
  return ModelDigest(contents);
}

absl::StatusOr<Graph> OptimizeFor(const EngineModel& model, absl::Span<const Shape> shapes) {
  NEREID_ASSIGN_OR_RETURN(Graph graph, Specialize(model.graph(), shapes));
  NEREID_RETURN_IF_ERROR(RunPasses(ShapePasses(), graph));
  return graph;
}

bool LosesBatch(const Graph& graph) {
  constexpr int64_t kBatch = 2;
  constexpr int64_t kOthers[] = {1, 64, 224};  // what else is open has to make sense
  constexpr std::string_view kMakeExtents[] = {"Compress", "NonMaxSuppression", "NonZero",
                                               "Unique"};
  const auto makes_extents = [&](const Node& node) {
    return std::ranges::find(kMakeExtents, node.op) != std::end(kMakeExtents);
  };
  if (std::ranges::none_of(graph.nodes, makes_extents)) return false;
  for (const int64_t other : kOthers) {
    std::vector<Shape> shapes;
    for (const auto& dims : graph.input_dims) {
      Shape& shape = shapes.emplace_back();
      for (const DeclaredDim& dim : dims) shape.push_back(dim.value < 0 ? other : dim.value);
      if (!dims.empty() && dims[0].value < 0) shape[0] = kBatch;
    }
    const absl::StatusOr<Graph> known = Specialize(graph, shapes);
    if (!known.ok()) continue;
    return std::ranges::any_of(known->outputs, [&](ValueId id) {
      const auto& shape = known->value(id).shape;
      return shape.has_value() && (shape->empty() || (*shape)[0] != kBatch);
    });
  }
  return false;
}

absl::Status CheckOperators(const EngineModel& model, const ProgramOptions& options) {
  if (!options.strict && FindUnsupported(model.graph()) == nullptr) return absl::OkStatus();
  std::vector<Shape> shapes;
  for (const auto& dims : model.graph().input_dims) {
    Shape& shape = shapes.emplace_back();
    for (const DeclaredDim& dim : dims) shape.push_back(dim.value < 0 ? 1 : dim.value);
  }
  absl::StatusOr<Graph> graph = OptimizeFor(model, shapes);
  if (absl::IsUnimplemented(graph.status())) return graph.status();
  ConstantPool constants;
  if (!graph.ok() || !Legalize(*graph, options.precision, constants).ok()) {
    return absl::OkStatus();  // extents of 1 may not fit; what does will be checked
  }
  if (const Node* node = FindUnsupported(*graph)) return RefuseUnsupported(*node);
  if (!options.strict) return absl::OkStatus();
  if (const auto hidden = FindHidden(*graph)) return RefuseHidden(*hidden);
  for (const Node& node : graph->nodes) {
    if (!HasDeviceWork(node)) return RefuseOnHost(Describe(node));
  }
  return absl::OkStatus();
}

LoweringOptions LoweringFor(const ProgramOptions& options) {
  LoweringOptions lowering;
  lowering.precision = options.precision;
  lowering.channels_last = options.precision.precision != Precision::kFp32;
  return lowering;
}

std::vector<BufferLifetime> LifetimesOf(const LoweredProgram& program) {
  const int end = static_cast<int>(program.steps.size());
  std::vector<BufferLifetime> lifetimes(program.buffers.size());
  for (size_t i = 0; i < lifetimes.size(); ++i) {
    const BufferInfo& info = program.buffers[i];
    lifetimes[i].byte_size = info.kind == BufferKind::kWeight ? 0 : info.byte_size;
    lifetimes[i].first = info.kind == BufferKind::kActivation ? end : 0;
    lifetimes[i].last = 0;
  }
  const auto use = [&](const Operand& operand, int at) {
    if (operand.buffer == kNoBuffer) return;
    BufferLifetime& lifetime = lifetimes[static_cast<size_t>(operand.buffer)];
    lifetime.first = std::min(lifetime.first, at);
    lifetime.last = std::max(lifetime.last, at);
  };
  for (int i = 0; i < end; ++i) {
    const LoweredStep& step = program.steps[static_cast<size_t>(i)];
    for (const Operand& operand : step.inputs) use(operand, i);
    for (const Operand& operand : step.outputs) use(operand, i);
  }
  for (const Placement& output : program.outputs) use({output.buffer, 0}, end);
  for (BufferLifetime& lifetime : lifetimes) {
    if (lifetime.first > lifetime.last) lifetime.last = lifetime.first;
  }
  return lifetimes;
}

absl::StatusOr<PlanBytes> PlanWithoutDevice(const EngineModel& model,
                                            absl::Span<const Shape> shapes,
                                            const ProgramOptions& options) {
  NEREID_ASSIGN_OR_RETURN(Graph graph, OptimizeFor(model, shapes));
  ConstantPool constants;
  NEREID_RETURN_IF_ERROR(Legalize(graph, options.precision, constants));
  NEREID_ASSIGN_OR_RETURN(const LoweredProgram lowered, LowerGraph(graph, LoweringFor(options)));
  PlanBytes bytes;
  for (const BufferInfo& buffer : lowered.buffers) {
    if (buffer.kind == BufferKind::kWeight) bytes.weights += buffer.byte_size;
  }
  bytes.arena = PlanMemory(LifetimesOf(lowered)).byte_size;
  return bytes;
}

}  // namespace nereid::engine
