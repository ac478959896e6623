#include "backends/cuda/tools/tool_options.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <utility>

#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

absl::Status Refuse(std::string_view text, std::string_view wanted) {
  return absl::InvalidArgumentError(StrCat("'", text, "' is not ", wanted));
}

template <typename T>
bool ReadNumber(std::string_view text, T* number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc() && end == text.data() + text.size();
}

absl::Status SetDevice(ToolOptions& options, const std::string& text) {
  if (ReadNumber(text, &options.device) && options.device >= 0) return absl::OkStatus();
  return Refuse(text, "the number of a GPU");
}

absl::Status SetPrecision(ToolOptions& options, const std::string& text) {
  NEREID_ASSIGN_OR_RETURN(options.engine.program.precision.precision, ParsePrecision(text));
  return absl::OkStatus();
}

// NODE:PRECISION; names of nodes may hold colons.
absl::Status SetLayerPrecision(ToolOptions& options, const std::string& text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0) return Refuse(text, "NODE:PRECISION");
  NEREID_ASSIGN_OR_RETURN(options.engine.program.precision.layers[text.substr(0, colon)],
                          ParsePrecision(text.substr(colon + 1)));
  return absl::OkStatus();
}

absl::Status AddShapes(ToolOptions& options, const std::string& text) {
  if (text.find(':') == std::string::npos) return Refuse(text, "NAME:SHAPE, such as x:1x3x224x224");
  options.shapes.push_back(text);
  return absl::OkStatus();
}

absl::Status AddRange(ToolOptions& options, const std::string& text) {
  const size_t second = text.rfind(':');
  const size_t first =
      second == std::string::npos || second == 0 ? std::string::npos : text.rfind(':', second - 1);
  ValueRange range;
  if (first == std::string::npos || first == 0 ||
      !ReadNumber(std::string_view(text).substr(first + 1, second - first - 1), &range.low) ||
      !ReadNumber(std::string_view(text).substr(second + 1), &range.high) ||
      !std::isfinite(range.low) || !std::isfinite(range.high) || range.low > range.high) {
    return Refuse(text, "NAME:LOW:HIGH, such as ids:0:30000");
  }
  options.ranges[text.substr(0, first)] = range;
  return absl::OkStatus();
}

absl::Status SetBench(ToolOptions& options, const std::string& text) {
  if (ReadNumber(text, &options.bench) && options.bench > 0) return absl::OkStatus();
  return Refuse(text, "a number of runs");
}

absl::Status SetTolerance(ToolOptions& options, const std::string& text) {
  if (ReadNumber(text, &options.tolerance) && options.tolerance > 0) return absl::OkStatus();
  return Refuse(text, "a relative difference such as 0.01");
}

absl::Status SetWorkspace(ToolOptions& options, const std::string& text) {
  if (ReadNumber(text, &options.engine.toolbox.max_workspace_bytes)) return absl::OkStatus();
  return Refuse(text, "a number of bytes");
}

absl::Status SetArch(ToolOptions& options, const std::string& text) {
  if (!text.starts_with("sm_") || text.size() < 5) return Refuse(text, "an architecture: sm_90a");
  options.arch = text;
  return absl::OkStatus();
}

absl::Status SetSave(ToolOptions& options, const std::string& text) {
  options.save = text;
  return text.empty() ? Refuse(text, "a file") : absl::OkStatus();
}

absl::Status SetFolder(ToolOptions& options, const std::string& text) {
  options.engine.plan_cache.folder = text;
  return absl::OkStatus();
}

template <bool ToolOptions::*kMember>
absl::Status Switch(ToolOptions& options, const std::string&) {
  options.*kMember = true;
  return absl::OkStatus();
}

absl::Status SetStrict(ToolOptions& options, const std::string&) {
  options.engine.program.strict = true;
  return absl::OkStatus();
}

absl::Status SetNoRace(ToolOptions& options, const std::string&) {
  options.engine.toolbox.race = false;
  return absl::OkStatus();
}

struct Row {
  std::string_view name;
  std::string_view argument;  // empty: takes none
  std::string_view help;
  absl::Status (*set)(ToolOptions& options, const std::string& text);
};
constexpr Row kRows[] = {
    {"--precision", "fp32|tf32|fp16|bf16", "storage and products; fp16 unless said otherwise",
     SetPrecision},
    {"--layer-precision", "NODE:PRECISION", "the same for one node of the model",
     SetLayerPrecision},
    {"--shapes", "NAME:SHAPE[:SHAPE...]",
     "shapes of an input, one program each: x:1x3x224x224:32x3x224x224; 1 where the model leaves "
     "an "
     "extent open and nothing is said",
     AddShapes},
    {"--shape", "NAME:SHAPE", "the same", AddShapes},
    {"--range", "NAME:LOW:HIGH",
     "random values of an input; otherwise -1 to 1, and 0 to 1 for integers", AddRange},
    {"--layers", "", "list the layers after fusion; with a GPU, the time of each",
     Switch<&ToolOptions::layers>},
    {"--profile", "", "that, and the time of a whole run", Switch<&ToolOptions::profile>},
    {"--bench", "RUNS", "the time of a whole run: median of so many", SetBench},
    {"--verify", "",
     "compare with the reference executor, which takes long for large models, and with fp32",
     Switch<&ToolOptions::verify>},
    {"--check-precision", "", "compare with fp32 only", Switch<&ToolOptions::check_precision>},
    {"--trace", "",
     "compare each layer with the reference executor, nothing being fused across; names the first "
     "that is off",
     Switch<&ToolOptions::trace>},
    {"--memory", "",
     "compare the estimate of the memory with what all shapes together take, on a first load and "
     "on "
     "a second one",
     Switch<&ToolOptions::memory>},
    {"--tolerance", "NUMBER", "relative difference of an output that is still fine", SetTolerance},
    {"--save", "FILE",
     "write the plan; MODEL.onnx.plan beside the model is what the server reads. An existing file "
     "is used and extended; in a folder, the file is named as the server's cache names it",
     SetSave},
    {"--plan-cache-directory", "FOLDER", "read and write plans there, as the server does",
     SetFolder},
    {"--device", "N", "the GPU to use; 0 unless said otherwise", SetDevice},
    {"--arch", "sm_NN", "without a GPU: compile the kernels for this architecture", SetArch},
    {"--strict", "", "refuse what would run on the host", SetStrict},
    {"--no-race", "", "take the libraries' first suggestion", SetNoRace},
    {"--max-workspace-bytes", "BYTES", "of scratch memory that an implementation may ask for",
     SetWorkspace},
    {"--help", "", "print this", Switch<&ToolOptions::help>},
};

const Row* FindRow(std::string_view name) {
  const auto* row = std::ranges::find(kRows, name, &Row::name);
  return row == std::end(kRows) ? nullptr : row;
}

// What follows the colon behind the longest input name that `text` begins with.
absl::StatusOr<std::pair<size_t, std::string_view>> SplitAtInput(const Graph& graph,
                                                                 std::string_view text) {
  size_t found = graph.inputs.size(), length = 0;
  std::string names;
  for (size_t i = 0; i < graph.inputs.size(); ++i) {
    const std::string& name = graph.value(graph.inputs[i]).name;
    StrAppend(&names, names.empty() ? "" : ", ", name);
    const bool matches =
        text.starts_with(name) && text.size() > name.size() && text[name.size()] == ':';
    if (!matches || (found < graph.inputs.size() && name.size() < length)) continue;
    found = i;
    length = name.size();
  }
  if (found < graph.inputs.size()) return std::make_pair(found, text.substr(length + 1));
  return absl::InvalidArgumentError(
      StrCat("--shapes ", text, ": the model has no such input; it has ", names));
}

}  // namespace

double ToolOptions::allowed() const {
  constexpr struct {
    Precision precision;
    double allowed;
  } kAllowed[] = {{Precision::kFp32, 1e-3},
                  {Precision::kTf32, 2e-2},
                  {Precision::kFp16, 5e-2},
                  {Precision::kBf16, 2e-1}};
  if (tolerance > 0) return tolerance;
  for (const auto& row : kAllowed) {
    if (row.precision == engine.program.precision.precision) return row.allowed;
  }
  return 0;
}

absl::StatusOr<ToolOptions> ParseToolOptions(absl::Span<const std::string> arguments,
                                             ToolOptions options) {
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (!argument.starts_with("--")) {
      if (!options.model.empty()) {
        return absl::InvalidArgumentError(StrCat("two models: ", options.model, " and ", argument));
      }
      options.model = argument;
      continue;
    }
    const size_t equals = argument.find('=');
    const std::string name = argument.substr(0, equals);
    const Row* row = FindRow(name);
    if (row == nullptr) return absl::InvalidArgumentError(StrCat("unknown option ", name));
    std::string value;
    if (row->argument.empty()) {
      if (equals != std::string::npos) {
        return absl::InvalidArgumentError(StrCat(name, " takes no value"));
      }
    } else if (equals != std::string::npos) {
      value = argument.substr(equals + 1);
    } else if (++i < arguments.size()) {
      value = arguments[i];
    } else {
      return absl::InvalidArgumentError(StrCat(name, " needs a value: ", row->argument));
    }
    if (const absl::Status status = row->set(options, value); !status.ok()) {
      return absl::InvalidArgumentError(StrCat(name, ": ", Message(status)));
    }
  }
  if (options.model.empty() && !options.help)
    return absl::InvalidArgumentError("no model is named");
  return options;
}

std::string ToolUsage(std::string_view program) {
  std::string text = StrCat(
      "Usage: ", program,
      " MODEL.onnx [options]\n"
      "Imports a model, optimises it, and says what would run on the GPU: layers after fusion,\n"
      "memory, steps on the host; with a GPU also times and differences. Exit status: 0 fine, 1\n"
      "refused or failed, 2 an output differs by more than is allowed, 3 something that was asked\n"
      "for needs a GPU, and there is none.\n");
  for (const Row& row : kRows) {
    StrAppend(&text, "  ", row.name, row.argument.empty() ? "" : " ", row.argument, "\n\t");
    size_t column = 0;
    for (size_t at = 0; at < row.help.size();) {
      const size_t space = std::min(row.help.find(' ', at), row.help.size());
      const std::string_view word = row.help.substr(at, space - at);
      if (column > 0 && column + word.size() > 64) {
        text += "\n\t";
        column = 0;
      }
      StrAppend(&text, column == 0 ? "" : " ", word);
      column += word.size() + 1;
      at = space + 1;
    }
    text += '\n';
  }
  return text;
}

absl::StatusOr<Shape> ParseShape(std::string_view text) {
  Shape shape;
  std::string_view rest = text;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('x'), rest.size());
    int64_t extent = 0;
    const bool last = end + 1 >= rest.size();
    if (!ReadNumber(rest.substr(0, end), &extent) || extent < 0 ||
        (last && end + 1 == rest.size())) {
      return Refuse(text, "a shape such as 1x3x224x224");
    }
    shape.push_back(extent);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return shape;
}

absl::StatusOr<std::vector<std::vector<Shape>>> ShapeSets(const Graph& graph,
                                                          absl::Span<const std::string> texts) {
  std::vector<std::vector<Shape>> lists(graph.inputs.size());
  size_t longest = 1;
  for (const std::string& text : texts) {
    NEREID_ASSIGN_OR_RETURN(const auto split, SplitAtInput(graph, text));
    std::vector<Shape>& list = lists[split.first];
    std::string_view rest = split.second;
    while (true) {
      const size_t end = rest.find(':');
      NEREID_ASSIGN_OR_RETURN(Shape shape, ParseShape(rest.substr(0, end)));
      const size_t rank = graph.input_dims[split.first].size();
      if (rank > 0 && shape.size() != rank) {
        return absl::InvalidArgumentError(
            StrCat("--shapes ", text, ": the input has ", rank, " extents"));
      }
      list.push_back(std::move(shape));
      if (end == std::string_view::npos) break;
      rest.remove_prefix(end + 1);
    }
    longest = std::max(longest, list.size());
  }
  std::vector<std::vector<Shape>> sets(longest);
  for (size_t i = 0; i < lists.size(); ++i) {
    if (lists[i].empty()) {
      Shape& shape = lists[i].emplace_back();
      for (const DeclaredDim& dim : graph.input_dims[i]) {
        shape.push_back(dim.value < 0 ? 1 : dim.value);
      }
    }
    for (size_t k = 0; k < longest; ++k) {
      sets[k].push_back(lists[i][std::min(k, lists[i].size() - 1)]);
    }
  }
  return sets;
}

}  // namespace nereid::engine
