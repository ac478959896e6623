#include "tests/conformance/device_node_tests.h"

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "backends/cuda/device/artifact_store.h"
#include "backends/cuda/device/context.h"
#include "backends/cuda/exec/engine.h"
#include "backends/cuda/exec/executor.h"
#include "backends/cuda/exec/run_once.h"
#include "backends/cuda/lower/legalize.h"
#include "backends/cuda/lower/lowering.h"
#include "backends/cuda/lower/on_host.h"
#include "backends/cuda/reference/evaluator.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

constexpr size_t kTestGraphBytes = size_t{64} << 20;

// What the tests of one process compile, kept in memory: many use the same kernels.
class MemoryStore final : public ArtifactStore {
 public:
  std::optional<std::string> Find(const ArtifactScope& scope, std::string_view key) override {
    const std::lock_guard lock(mutex_);
    const auto found = kept_.find(KeyOf(scope, key));
    if (found == kept_.end()) return std::nullopt;
    return found->second;
  }
  void Remember(const ArtifactScope& scope, std::string_view key, std::string value) override {
    const std::lock_guard lock(mutex_);
    kept_[KeyOf(scope, key)] = std::move(value);
  }

 private:
  using Key = std::pair<std::string, std::string>;
  static Key KeyOf(const ArtifactScope& scope, std::string_view key) {
    return {scope.subject, std::string(key)};
  }

  std::mutex mutex_;
  std::map<Key, std::string> kept_;
};

std::shared_ptr<ArtifactStore> SharedStore() {
  static const std::shared_ptr<ArtifactStore>& store =
      *new std::shared_ptr<ArtifactStore>(std::make_shared<MemoryStore>());
  return store;
}

std::vector<Shape> ShapesOf(const std::vector<HostTensor>& tensors) {
  std::vector<Shape> shapes;
  for (const HostTensor& tensor : tensors) shapes.push_back(tensor.shape());
  return shapes;
}

absl::StatusOr<ProgramOptions> ProgramOptionsOf(const DeviceTestOptions& options) {
  ProgramOptions program;
  NEREID_ASSIGN_OR_RETURN(program.precision.precision, ParsePrecision(options.precision));
  return program;
}

absl::Status CheckInputs(const Graph& graph, const std::vector<HostTensor>& inputs) {
  if (graph.inputs.size() != inputs.size()) {
    return absl::InvalidArgumentError(
        StrCat("the model has ", graph.inputs.size(), " inputs, the data ", inputs.size()));
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (graph.value(graph.inputs[i]).type == inputs[i].type()) continue;
    return absl::InvalidArgumentError(StrCat("input ", i, " is of another type than the data"));
  }
  return absl::OkStatus();
}

// Outputs are overwritten first, so that what an earlier run left there does not pass.
absl::Status Feed(Executor& executor, const std::vector<HostTensor>& inputs) {
  constexpr uint8_t kPoison = 0xff;  // NaN, or a large number
  const Program& program = executor.program();
  for (size_t i = 0; i < program.outputs().size(); ++i) {
    const ProgramTensor& tensor = program.outputs()[i];
    if (tensor.address.arena_offset < 0) continue;  // a constant
    NEREID_RETURN_IF_ERROR(executor.stream().Fill(executor.output(i), kPoison, tensor.byte_size));
  }
  return FeedInputs(executor, inputs);
}

std::set<std::string> HostOperators(const Program& program) {
  std::set<std::string> operators;
  for (const ProgramStep& step : program.steps()) {
    if (step.op == nullptr) operators.insert(std::get<HostSpec>(step.spec).op);
  }
  return operators;
}

absl::Status RunDataSet(Engine& engine, const DataSet& set, const DeviceTestOptions& options,
                        std::set<std::string>& on_host) {
  NEREID_RETURN_IF_ERROR(CheckInputs(engine.model().graph(), set.inputs));
  NEREID_ASSIGN_OR_RETURN(const auto program, engine.ProgramFor(ShapesOf(set.inputs)));
  on_host.merge(HostOperators(*program));
  Executor::Options executor_options;
  executor_options.max_graph_memory_bytes = kTestGraphBytes;
  NEREID_ASSIGN_OR_RETURN(const auto executor,
                          Executor::Create(engine.context(), executor_options));
  NEREID_RETURN_IF_ERROR(executor->Bind(program));
  for (const char* const how : {"step by step", "as a graph"}) {
    NEREID_RETURN_IF_ERROR(Feed(*executor, set.inputs));
    NEREID_RETURN_IF_ERROR(executor->Run());
    NEREID_ASSIGN_OR_RETURN(const auto got, FetchOutputs(*executor));
    const absl::Status same = Compare(got, set.outputs, options.tolerance);
    if (!same.ok()) return absl::InternalError(StrCat(how, ": ", Message(same)));
  }
  return absl::OkStatus();
}

absl::Status RunTest(const std::filesystem::path& test, const DeviceTestOptions& options,
                     std::set<std::string>& on_host) {
  NEREID_ASSIGN_OR_RETURN(const auto sets, ReadDataSets(test));
  NEREID_ASSIGN_OR_RETURN(const auto model, EngineModel::Load((test / "model.onnx").string()));
  EngineOptions engine_options;
  NEREID_ASSIGN_OR_RETURN(engine_options.program, ProgramOptionsOf(options));
  engine_options.toolbox.race = false;
  engine_options.toolbox.store = SharedStore();
  engine_options.use_plans = false;
  NEREID_ASSIGN_OR_RETURN(const auto engine, Engine::Create(model, options.device, engine_options));
  for (const DataSet& set : sets) {
    NEREID_RETURN_IF_ERROR(RunDataSet(*engine, set, options, on_host));
  }
  return absl::OkStatus();
}

// What hidden nodes (lower/on_host.h) take and make, those of a graph that is not hidden included.
absl::StatusOr<std::vector<HostTensor>> EvaluateHidden(const Graph& graph,
                                                       const std::vector<HostTensor>& inputs) {
  std::vector<HostTensor> tensors(graph.values.size());
  for (size_t i = 0; i < graph.values.size(); ++i) {
    if (graph.values[i].is_constant()) tensors[i] = *graph.values[i].constant;
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    tensors[static_cast<size_t>(graph.inputs[i])] = inputs[i];
  }
  for (const Node& node : graph.nodes) {
    std::vector<ValueId> reads(node.inputs.begin(), node.inputs.end());
    const std::vector<ValueId> captured = CapturedValues(node);
    reads.insert(reads.end(), captured.begin(), captured.end());
    std::vector<const HostTensor*> operands;
    std::vector<HostTensor> given;
    for (const ValueId id : reads) {
      operands.push_back(id == kNoValue ? nullptr : &tensors[static_cast<size_t>(id)]);
      if (id != kNoValue) given.push_back(tensors[static_cast<size_t>(id)]);
    }
    std::vector<HostTensor> results;
    if (IsHidden(node)) {
      NEREID_ASSIGN_OR_RETURN(results, EvaluateGraph(*node.Subgraph("body"), given));
    } else {
      NEREID_ASSIGN_OR_RETURN(results, EvaluateNode(graph, node, operands));
    }
    size_t next = 0;
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (!node.HasOutput(i)) continue;
      tensors[static_cast<size_t>(node.outputs[i])] = results[IsHidden(node) ? next++ : i];
    }
  }
  std::vector<HostTensor> outputs;
  for (const ValueId id : graph.outputs) outputs.push_back(tensors[static_cast<size_t>(id)]);
  return outputs;
}

absl::Status PlanDataSet(const EngineModel& model, const DataSet& set,
                         const DeviceTestOptions& options, std::set<std::string>& on_host) {
  NEREID_RETURN_IF_ERROR(CheckInputs(model.graph(), set.inputs));
  NEREID_ASSIGN_OR_RETURN(const ProgramOptions program, ProgramOptionsOf(options));
  NEREID_ASSIGN_OR_RETURN(Graph graph, OptimizeFor(model, ShapesOf(set.inputs)));
  HideFromDevice(graph);
  NEREID_ASSIGN_OR_RETURN(const auto got, EvaluateHidden(graph, set.inputs));
  NEREID_RETURN_IF_ERROR(Compare(got, set.outputs, options.tolerance));
  ConstantPool constants;
  NEREID_RETURN_IF_ERROR(Legalize(graph, program.precision, constants));
  NEREID_ASSIGN_OR_RETURN(const LoweredProgram lowered, LowerGraph(graph, LoweringFor(program)));
  for (const LoweredStep& step : lowered.steps) {
    if (const auto* host = std::get_if<HostSpec>(&step.spec)) on_host.insert(host->op);
  }
  return absl::OkStatus();
}

absl::Status PlanTest(const std::filesystem::path& test, const DeviceTestOptions& options,
                      std::set<std::string>& on_host) {
  NEREID_ASSIGN_OR_RETURN(const auto sets, ReadDataSets(test));
  NEREID_ASSIGN_OR_RETURN(const auto model, EngineModel::Load((test / "model.onnx").string()));
  for (const DataSet& set : sets) {
    NEREID_RETURN_IF_ERROR(PlanDataSet(*model, set, options, on_host));
  }
  return absl::OkStatus();
}

}  // namespace

DeviceTestResult RunOnDevice(const std::filesystem::path& test, const DeviceTestOptions& options) {
  // Held over all tests of the process, so that the device is set up once.
  static const absl::StatusOr<std::shared_ptr<Context>>& context =
      *new absl::StatusOr<std::shared_ptr<Context>>(Context::Create(options.device));
  DeviceTestResult result;
  if (!context.ok()) {
    result.status = context.status();
    return result;
  }
  result.status = RunTest(test, options, result.on_host);
  result.device_failed = !(*context)->Synchronize().ok();
  return result;
}

DeviceTestResult PlanForDevice(const std::filesystem::path& test,
                               const DeviceTestOptions& options) {
  DeviceTestResult result;
  result.status = PlanTest(test, options, result.on_host);
  return result;
}

}  // namespace nereid::engine
