#include "backends/cuda/exec/engine.h"

#include <utility>

#include "backends/cuda/onnx/importer.h"
#include "backends/cuda/passes/cleanup.h"
#include "backends/cuda/passes/fold_into_conv.h"
#include "backends/cuda/passes/fuse_attention.h"
#include "backends/cuda/passes/fuse_conv_epilogue.h"
#include "backends/cuda/passes/fuse_gelu.h"
#include "backends/cuda/passes/fuse_norm.h"
#include "backends/cuda/passes/fuse_pad.h"
#include "backends/cuda/passes/fuse_swish.h"
#include "backends/cuda/passes/merge_products.h"
#include "backends/cuda/passes/pass.h"
#include "backends/cuda/passes/shape_inference.h"
#include "backends/cuda/passes/simplify_reshapes.h"
#include "backends/cuda/passes/simplify_transposes.h"
#include "common/status_macros.h"

namespace nereid::engine {
namespace {

// Once for a model, so that what they make of constants is shared by all its programs.
constexpr Pass kLoadPasses[] = {
    {"identities", RemoveIdentities},
    {"constants", FoldConstants},
    {"common subexpressions", MergeCommonSubexpressions},
    {"shapes", InferShapes},
    {"pad", FusePad},
    {"into convolutions", FoldIntoConv},
    {"gelu", FuseGelu},
    {"swish", FuseSwish},
    {"norm", FuseNorm},
    {"products", MergeProducts},
    {"dead code", RemoveDeadCode},
};

// Once for each set of input shapes: most of them find more when extents are known.
constexpr Pass kShapePasses[] = {
    {"constants", FoldConstants},
    {"common subexpressions", MergeCommonSubexpressions},
    {"pad", FusePad},
    {"into convolutions", FoldIntoConv},
    {"gelu", FuseGelu},
    {"swish", FuseSwish},
    {"norm", FuseNorm},
    {"reshapes", SimplifyReshapes},
    {"transposes", SimplifyTransposes},
    {"attention", FuseAttention},
    {"convolution epilogues", FuseConvEpilogue},
    {"dead code", RemoveDeadCode},
};

}  // namespace

absl::StatusOr<std::shared_ptr<const EngineModel>> EngineModel::Load(const std::string& path) {
  NEREID_ASSIGN_OR_RETURN(ImportedModel imported, ImportOnnx(path));
  NEREID_RETURN_IF_ERROR(RunPasses(kLoadPasses, *imported.graph));
  auto model = std::make_shared<EngineModel>();
  model->graph_ = std::move(imported.graph);
  for (const Value& value : model->graph_->values) {
    if (value.is_constant()) model->weight_bytes_ += value.constant->byte_size();
  }
  return std::shared_ptr<const EngineModel>(std::move(model));
}

absl::StatusOr<Graph> OptimizeFor(const EngineModel& model, absl::Span<const Shape> shapes) {
  NEREID_ASSIGN_OR_RETURN(Graph graph, Specialize(model.graph(), shapes));
  NEREID_RETURN_IF_ERROR(RunPasses(kShapePasses, graph));
  return graph;
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

Engine::Engine(std::shared_ptr<const EngineModel> model, EngineOptions options)
    : model_(std::move(model)), options_(std::move(options)) {}

absl::StatusOr<std::unique_ptr<Engine>> Engine::Create(std::shared_ptr<const EngineModel> model,
                                                       int device, EngineOptions options) {
  std::unique_ptr<Engine> engine(new Engine(std::move(model), std::move(options)));
  NEREID_ASSIGN_OR_RETURN(std::shared_ptr<Context> context, Context::Create(device));
  NEREID_ASSIGN_OR_RETURN(engine->weights_, WeightStore::Create(context));
  NEREID_ASSIGN_OR_RETURN(engine->toolbox_,
                          Toolbox::Create(std::move(context), engine->options_.toolbox));
  return engine;
}

std::shared_ptr<const Program> Engine::Find(const Key& key) {
  const std::lock_guard lock(mutex_);
  const auto found = programs_.find(key);
  if (found == programs_.end()) return nullptr;
  ages_.splice(ages_.begin(), ages_, found->second.age);
  return found->second.program;
}

void Engine::Keep(const Key& key, std::shared_ptr<const Program> program) {
  const std::lock_guard lock(mutex_);
  ages_.push_front(key);
  programs_[key] = {std::move(program), ages_.begin()};
  if (programs_.size() <= options_.max_programs) return;
  programs_.erase(ages_.back());
  ages_.pop_back();
}

absl::StatusOr<std::shared_ptr<const Program>> Engine::ProgramFor(absl::Span<const Shape> shapes) {
  const Key key(shapes.begin(), shapes.end());
  if (auto program = Find(key)) return program;
  const std::lock_guard building(building_);
  if (auto program = Find(key)) return program;  // somebody else has made it meanwhile
  NEREID_ASSIGN_OR_RETURN(Graph graph, OptimizeFor(*model_, shapes));
  NEREID_ASSIGN_OR_RETURN(
      std::shared_ptr<const Program> program,
      Program::Create(std::move(graph), *toolbox_, *weights_, constants_, options_.program));
  Keep(key, program);
  return program;
}

}  // namespace nereid::engine
