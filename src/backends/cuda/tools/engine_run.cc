// Runs an ONNX model on the GPU: the layers after fusion and the time of each, memory, the
// difference to the reference executor.
//
//   engine_run MODEL.onnx [--device N] [--precision fp32|tf32|fp16|bf16] [--shape name:AxBxC]…
//              [--range name:LOW:HIGH]… [--verify] [--bench N] [--layers] [--no-race] [--strict]
//
// Extents that --shape leaves out are those of the model, 1 where it has none. Inputs are random;
// --range gives the bounds, by default -1 to 1, and 0 to 1 for integers.

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "backends/cuda/device/event.h"
#include "backends/cuda/exec/engine.h"
#include "backends/cuda/exec/executor.h"
#include "backends/cuda/ir/half.h"
#include "backends/cuda/ir/onnx_type.h"
#include "backends/cuda/passes/shape_inference.h"
#include "backends/cuda/reference/evaluator.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

struct Range {
  double low, high;
};

struct Arguments {
  std::string model;
  int device = 0;
  EngineOptions engine;
  std::map<std::string, Shape, std::less<>> shapes;
  std::map<std::string, Range, std::less<>> ranges;
  bool verify = false;
  bool layers = false;
  int bench = 0;
};

absl::StatusOr<Shape> ParseShape(std::string_view text) {
  Shape shape;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at < end) {
    int64_t extent = 0;
    const auto [next, error] = std::from_chars(at, end, extent);
    if (error != std::errc() || extent < 0) {
      return absl::InvalidArgumentError(StrCat("'", text, "' is no shape"));
    }
    shape.push_back(extent);
    at = next < end ? next + 1 : end;
  }
  return shape;
}

absl::Status ParseNamed(const std::string& option, const std::string& text, Arguments& arguments) {
  const size_t colon = option == "--shape" ? text.rfind(':') : text.find(':');
  if (colon == std::string::npos) {
    return absl::InvalidArgumentError(StrCat(option, " ", text, " has no colon"));
  }
  const std::string name = text.substr(0, colon), value = text.substr(colon + 1);
  if (option == "--shape") {
    NEREID_ASSIGN_OR_RETURN(arguments.shapes[name], ParseShape(value));
    return absl::OkStatus();
  }
  const size_t second = value.find(':');
  if (second == std::string::npos) {
    return absl::InvalidArgumentError(StrCat(option, " wants name:LOW:HIGH"));
  }
  arguments.ranges[name] = {std::strtod(value.c_str(), nullptr),
                            std::strtod(value.c_str() + second + 1, nullptr)};
  return absl::OkStatus();
}

absl::StatusOr<Arguments> Parse(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    if (option == "--verify") {
      arguments.verify = true;
    } else if (option == "--layers") {
      arguments.layers = true;
    } else if (option == "--no-race") {
      arguments.engine.toolbox.race = false;
    } else if (option == "--strict") {
      arguments.engine.program.strict = true;
    } else if (!option.starts_with("--")) {
      arguments.model = option;
    } else if (++i >= argc) {
      return absl::InvalidArgumentError(StrCat(option, " wants a value"));
    } else if (option == "--precision") {
      NEREID_ASSIGN_OR_RETURN(arguments.engine.program.precision.precision,
                              ParsePrecision(argv[i]));
    } else if (option == "--device") {
      arguments.device = std::atoi(argv[i]);
    } else if (option == "--bench") {
      arguments.bench = std::atoi(argv[i]);
    } else if (option == "--shape" || option == "--range") {
      NEREID_RETURN_IF_ERROR(ParseNamed(option, argv[i], arguments));
    } else {
      return absl::InvalidArgumentError(StrCat("no option ", option));
    }
  }
  if (arguments.model.empty()) return absl::InvalidArgumentError("which model?");
  return arguments;
}

std::vector<Shape> ShapesOf(const Graph& graph, const Arguments& arguments) {
  std::vector<Shape> shapes;
  for (size_t i = 0; i < graph.inputs.size(); ++i) {
    const auto given = arguments.shapes.find(graph.value(graph.inputs[i]).name);
    if (given != arguments.shapes.end()) {
      shapes.push_back(given->second);
      continue;
    }
    shapes.emplace_back();
    for (const DeclaredDim& dim : graph.input_dims[i]) {
      shapes.back().push_back(dim.value >= 0 ? dim.value : 1);
    }
  }
  return shapes;
}

template <typename T>
void FillWith(HostTensor& tensor, const std::function<T()>& next) {
  std::generate_n(tensor.mutable_data<T>(), tensor.element_count(), next);
}

absl::StatusOr<HostTensor> RandomTensor(const Value& value, const Shape& shape,
                                        const Arguments& arguments, std::mt19937_64& random) {
  HostTensor tensor(value.type, shape);
  const bool floating = IsFloating(value.type);
  const auto given = arguments.ranges.find(value.name);
  const Range range =
      given != arguments.ranges.end() ? given->second : Range{floating ? -1.0 : 0.0, 1.0};
  std::uniform_real_distribution<double> real(range.low, range.high);
  std::uniform_int_distribution<int64_t> whole(static_cast<int64_t>(range.low),
                                               static_cast<int64_t>(range.high));
  switch (value.type) {
    case DataType::kFp32:
      FillWith<float>(tensor, [&] { return static_cast<float>(real(random)); });
      return tensor;
    case DataType::kFp64:
      FillWith<double>(tensor, [&] { return real(random); });
      return tensor;
    case DataType::kFp16:
      FillWith<uint16_t>(tensor, [&] { return FloatToFp16(static_cast<float>(real(random))); });
      return tensor;
    case DataType::kBf16:
      FillWith<uint16_t>(tensor, [&] { return FloatToBf16(static_cast<float>(real(random))); });
      return tensor;
    case DataType::kInt64:
      FillWith<int64_t>(tensor, [&] { return whole(random); });
      return tensor;
    case DataType::kInt32:
      FillWith<int32_t>(tensor, [&] { return static_cast<int32_t>(whole(random)); });
      return tensor;
    case DataType::kBool:
    case DataType::kUint8:
    case DataType::kInt8:
      FillWith<uint8_t>(tensor, [&] { return static_cast<uint8_t>(whole(random)); });
      return tensor;
    default:
      return absl::UnimplementedError(StrCat("random ", ProtocolName(value.type)));
  }
}

double Seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

absl::StatusOr<float> MedianMilliseconds(Executor& executor, int rounds,
                                         const std::shared_ptr<Context>& context, bool eager) {
  NEREID_ASSIGN_OR_RETURN(const auto begin, Event::Create(context, true));
  NEREID_ASSIGN_OR_RETURN(const auto end, Event::Create(context, true));
  std::vector<float> times;
  for (int i = 0; i < rounds + 3; ++i) {
    NEREID_RETURN_IF_ERROR(begin->Record(executor.stream().handle()));
    NEREID_RETURN_IF_ERROR(eager ? executor.RunEagerly() : executor.Run());
    NEREID_RETURN_IF_ERROR(end->Record(executor.stream().handle()));
    NEREID_RETURN_IF_ERROR(end->Synchronize());
    NEREID_ASSIGN_OR_RETURN(const float elapsed, end->MillisecondsSince(*begin));
    if (i >= 3) times.push_back(elapsed);
  }
  std::ranges::sort(times);
  return times[times.size() / 2];
}

void PrintDifference(const std::string& name, const HostTensor& got, const HostTensor& want) {
  double error = 0, norm = 0, largest = 0;
  int64_t not_numbers = 0;
  for (int64_t i = 0; i < want.element_count(); ++i) {
    const double x = got.AsDouble(i), y = want.AsDouble(i);
    if (std::isnan(x) != std::isnan(y)) ++not_numbers;
    if (std::isnan(x) || std::isnan(y)) continue;
    error += (x - y) * (x - y);
    norm += y * y;
    largest = std::max(largest, std::fabs(x - y));
  }
  std::printf("output %s %s: relative difference %.3g, largest %.3g, rms of the reference %.3g%s\n",
              name.c_str(), ShapeToString(want.shape()).c_str(),
              std::sqrt(error / std::max(norm, 1e-300)), largest,
              std::sqrt(norm / std::max<double>(1, static_cast<double>(want.element_count()))),
              not_numbers == 0 ? "" : StrCat(" NOT A NUMBER: ", not_numbers).c_str());
}

absl::Status Verify(const EngineModel& model, const Executor& executor,
                    const std::vector<Shape>& shapes, const std::vector<HostTensor>& inputs) {
  const double start = Seconds();
  NEREID_ASSIGN_OR_RETURN(const Graph graph, Specialize(model.graph(), shapes));
  NEREID_ASSIGN_OR_RETURN(const std::vector<HostTensor> expected, EvaluateGraph(graph, inputs));
  std::printf("reference: %.1f s\n", Seconds() - start);
  for (size_t i = 0; i < expected.size(); ++i) {
    const ProgramTensor& tensor = executor.program().outputs()[i];
    HostTensor got(tensor.type, tensor.shape);
    NEREID_RETURN_IF_ERROR(executor.stream().CopyToHost(got.mutable_data<std::byte>(),
                                                        executor.output(i), tensor.byte_size));
    NEREID_RETURN_IF_ERROR(executor.stream().Synchronize());
    PrintDifference(graph.value(graph.outputs[i]).name, got, expected[i]);
  }
  return absl::OkStatus();
}

absl::Status PrintLayers(Executor& executor) {
  NEREID_ASSIGN_OR_RETURN(const std::vector<float> times, executor.Profile(5));
  std::map<std::string_view, std::pair<int, float>> kinds;
  float total = 0;
  for (size_t i = 0; i < times.size(); ++i) {
    const ProgramStep& step = executor.program().steps()[i];
    const std::string_view kind = KindOf(step.spec);
    std::printf("%4zu %9.2f us  %-12.*s %s\n", i, times[i] * 1e3f, static_cast<int>(kind.size()),
                kind.data(), StrCat(DescribeSpec(step.spec), "  ", step.name).c_str());
    ++kinds[kind].first;
    kinds[kind].second += times[i];
    total += times[i];
  }
  for (const auto& [kind, sum] : kinds) {
    std::printf("%9.2f us in %d of %s\n", sum.second * 1e3f, sum.first, std::string(kind).c_str());
  }
  std::printf("%9.2f us in all steps\n", total * 1e3f);
  return absl::OkStatus();
}

absl::Status Run(const Arguments& arguments) {
  const double start = Seconds();
  NEREID_ASSIGN_OR_RETURN(const auto model, EngineModel::Load(arguments.model));
  std::printf("import: %.3f s, %zu nodes, %.1f MB of weights\n", Seconds() - start,
              model->graph().nodes.size(), static_cast<double>(model->weight_bytes()) * 1e-6);
  NEREID_ASSIGN_OR_RETURN(const auto engine,
                          Engine::Create(model, arguments.device, arguments.engine));
  std::printf("device: %s\n", engine->context()->name().c_str());
  const std::vector<Shape> shapes = ShapesOf(model->graph(), arguments);
  const double before = Seconds();
  NEREID_ASSIGN_OR_RETURN(const auto program, engine->ProgramFor(shapes));
  std::printf("build: %.3f s, %zu steps, %d kernels, %d steps on the host\n", Seconds() - before,
              program->steps().size(), program->kernel_count(), program->host_step_count());
  std::printf("memory: weights %.1f MB, arena %.1f MB, workspace %.1f MB\n",
              static_cast<double>(program->bytes().weights) * 1e-6,
              static_cast<double>(program->bytes().arena) * 1e-6,
              static_cast<double>(program->bytes().workspace) * 1e-6);
  NEREID_ASSIGN_OR_RETURN(const auto executor, Executor::Create(engine->context(), {}));
  NEREID_RETURN_IF_ERROR(executor->Bind(program));
  std::mt19937_64 random(1);
  std::vector<HostTensor> inputs;
  for (size_t i = 0; i < shapes.size(); ++i) {
    const Value& value = model->graph().value(model->graph().inputs[i]);
    NEREID_ASSIGN_OR_RETURN(HostTensor tensor, RandomTensor(value, shapes[i], arguments, random));
    inputs.push_back(std::move(tensor));
    NEREID_RETURN_IF_ERROR(executor->stream().CopyToDevice(executor->input(i), inputs[i].bytes(),
                                                           inputs[i].byte_size()));
  }
  NEREID_RETURN_IF_ERROR(executor->Run());
  NEREID_RETURN_IF_ERROR(executor->stream().Synchronize());
  if (arguments.verify) {
    NEREID_RETURN_IF_ERROR(Verify(*model, *executor, shapes, inputs));
  }
  if (arguments.bench > 0) {
    NEREID_ASSIGN_OR_RETURN(
        const float eager, MedianMilliseconds(*executor, arguments.bench, engine->context(), true));
    NEREID_ASSIGN_OR_RETURN(const float graph, MedianMilliseconds(*executor, arguments.bench,
                                                                  engine->context(), false));
    std::printf("eager %.4f ms, %s %.4f ms\n", eager, executor->has_graph() ? "graph" : "no graph",
                graph);
  }
  return arguments.layers ? PrintLayers(*executor) : absl::OkStatus();
}

}  // namespace
}  // namespace nereid::engine

int main(int argc, char** argv) {
  const auto arguments = nereid::engine::Parse(argc, argv);
  absl::Status status = arguments.status();
  if (status.ok()) status = nereid::engine::Run(*arguments);
  if (status.ok()) return 0;
  std::fprintf(stderr, "%s\n", std::string(nereid::Message(status)).c_str());
  return 1;
}
