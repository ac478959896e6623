#include "cli/option_parser.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"
#include "cli/option_table.h"
#include "cli/option_values.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid {
namespace {

absl::Status BadOption(const std::string& name, std::string_view why) {
  return absl::InvalidArgumentError(StrCat("Bad option: \"--", name, "\".\n", why));
}

// Levenshtein distance.
size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row.back();
}

std::string NearestName(const std::string& name) {
  std::string nearest;
  size_t distance = std::max<size_t>(3, name.size() / 2);
  for (const OptionRow& row : OptionTable()) {
    const size_t d = EditDistance(name, row.name);
    if (d < distance) {
      distance = d;
      nearest = row.name;
    }
  }
  return nearest;
}

// The row of that name, or of the only name that begins so. --help and --version are not rows.
absl::StatusOr<const OptionRow*> FindRow(const std::string& name) {
  const OptionRow* found = nullptr;
  std::string candidates;
  for (const OptionRow& row : OptionTable()) {
    if (name == row.name) return &row;
    if (std::string_view(row.name).substr(0, name.size()) != name) continue;
    StrAppend(&candidates, candidates.empty() ? "--" : ", --", row.name);
    found = found == nullptr ? &row : found;
  }
  if (found == nullptr) {
    const std::string nearest = NearestName(name);
    return BadOption(name, nearest.empty()
                               ? std::string("unknown option")
                               : StrCat("unknown option; did you mean --", nearest, "?"));
  }
  if (candidates.find(',') != std::string::npos) {
    return BadOption(name, StrCat("ambiguous option; it could be ", candidates));
  }
  return found;
}

// Whether `value` is `accepted`, whose leading '*' stands for any text.
bool IsDefault(std::string_view accepted, std::string_view value) {
  if (accepted.starts_with('*')) {
    accepted.remove_prefix(1);
    if (value.size() > accepted.size()) value.remove_prefix(value.size() - accepted.size());
  }
  return std::equal(
      accepted.begin(), accepted.end(), value.begin(), value.end(),
      [](char a, char b) { return absl::ascii_tolower(a) == absl::ascii_tolower(b); });
}

absl::Status ApplyUnbuilt(const OptionRow& row, const std::string& value) {
  for (const std::string& accepted : std::vector<std::string>(absl::StrSplit(row.defaults, '|'))) {
    if (IsDefault(accepted, value)) return absl::OkStatus();
  }
  return absl::UnimplementedError(StrCat("Bad option: \"--", row.name, "\".\n", row.feature,
                                         " is not built yet; leave the option out"));
}

absl::Status Apply(const OptionRow& row, const std::string& value, ServerOptions& options) {
  if (row.set == nullptr) return ApplyUnbuilt(row, value);
  absl::Status status = row.set(options, value);
  return status.ok() ? status : BadOption(row.name, Message(status));
}

// Rules that look at several options.
absl::Status CheckTogether(const ServerOptions& options) {
  if (!options.repository.startup_models.empty() &&
      options.repository.control_mode != ModelControlMode::kExplicit) {
    return absl::InvalidArgumentError(
        "Error: Use of '--load-model' requires setting '--model-control-mode=explicit' as well.");
  }
  struct Service {
    const char* name;
    const EndpointOptions& endpoint;
    const std::string& address;
  };
  const std::string& metrics_address = options.metrics.endpoint.address.empty()
                                           ? options.http.endpoint.address
                                           : options.metrics.endpoint.address;
  const Service services[] = {
      {"HTTP", options.http.endpoint, options.http.endpoint.address},
      {"GRPC", options.grpc.endpoint, options.grpc.endpoint.address},
      {"metrics", options.metrics.endpoint, metrics_address},
  };
  for (const Service& a : services) {
    for (const Service& b : services) {
      if (&a >= &b || !a.endpoint.allow || !b.endpoint.allow || a.endpoint.port == 0) continue;
      if (a.endpoint.port != b.endpoint.port || a.address != b.address) continue;
      return absl::InvalidArgumentError(
          StrCat("The server cannot listen to ", a.name, " requests and ", b.name,
                 " requests at the same address and port ", a.address, ":", a.endpoint.port));
    }
  }
  return absl::OkStatus();
}

// Breaks `text` into lines of about 60 columns, each after a tab.
std::string Wrapped(std::string_view text) {
  std::string out;
  size_t column = 0;
  for (const std::string_view word_view :
       std::vector<std::string>(absl::StrSplit(std::string(text), ' '))) {
    const std::string word(word_view);
    if (column == 0 || column + word.size() > 60) {
      StrAppend(&out, column == 0 ? "\t" : "\n\t");
      column = 0;
    } else {
      out += ' ';
    }
    out += word;
    column += word.size() + 1;
  }
  return out + "\n";
}

}  // namespace

absl::StatusOr<ParsedCommandLine> ParseCommandLine(const std::vector<std::string>& arguments) {
  ParsedCommandLine parsed;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (argument.rfind("--", 0) != 0 || argument == "--") {
      return absl::InvalidArgumentError(StrCat("Unexpected argument: ", argument));
    }
    const size_t equals = argument.find('=');
    const std::string name = argument.substr(2, equals == std::string::npos ? equals : equals - 2);
    if (name == "help" || name == "version") {
      (name == "help" ? parsed.help : parsed.version) = true;
      continue;
    }
    NEREID_ASSIGN_OR_RETURN(const OptionRow* row, FindRow(name));
    const bool takes_value = row->argument[0] != '\0';
    std::string value;
    if (equals != std::string::npos) {
      if (!takes_value) return BadOption(row->name, "the option takes no value");
      value = argument.substr(equals + 1);
    } else if (takes_value) {
      if (++i == arguments.size()) {
        return BadOption(row->name, StrCat("the option needs a value: ", row->argument));
      }
      value = arguments[i];
    }
    NEREID_RETURN_IF_ERROR(Apply(*row, value, parsed.options));
    if (std::string_view(row->group) == "DEPRECATED") {
      parsed.warnings.push_back(StrCat("Warning: '--", row->name, "' is deprecated. ", row->help));
    }
  }
  if (!parsed.help && !parsed.version) NEREID_RETURN_IF_ERROR(CheckTogether(parsed.options));
  return parsed;
}

std::string UsageText() {
  std::string text =
      "Usage: nereid [options]\n"
      "       nereid check <model repository>\n"
      "       nereid compile <model.onnx> [options]\n"
      "  --help\n\tPrint this text.\n  --version\n\tPrint the version.\n";
  std::string_view group;
  for (const OptionRow& row : OptionTable()) {
    if (group != row.group) {
      group = row.group;
      StrAppend(&text, "\n", group, ":\n");
    }
    StrAppend(&text, "  --", row.name, row.argument[0] == '\0' ? "" : " ", row.argument, "\n",
              Wrapped(row.help));
    if (row.feature != nullptr) StrAppend(&text, "\t(not built yet)\n");
  }
  return text;
}

std::string OptionsDocument() {
  std::string text =
      "# Options\n\n"
      "Made from the option table by `nereid --options-document`; a test keeps it in step. "
      "Options\n"
      "marked *not built yet* are accepted with their default value only.\n";
  std::string_view group;
  for (const OptionRow& row : OptionTable()) {
    if (group != row.group) {
      group = row.group;
      StrAppend(&text, "\n## ", group, "\n\n| option | default | meaning |\n|---|---|---|\n");
    }
    std::string help = row.help;
    if (row.feature != nullptr) StrAppend(&help, " *Not built yet.*");
    std::string argument = row.argument;
    for (std::string* cell : {&help, &argument}) {
      for (size_t at = 0; (at = cell->find('|', at)) != std::string::npos; at += 2) {
        cell->insert(at, "\\");
      }
    }
    StrAppend(&text, "| `--", row.name, argument.empty() ? "" : " ", argument, "` | ",
              row.default_text[0] == '\0' ? "" : "`", row.default_text,
              row.default_text[0] == '\0' ? "" : "`", " | ", help, " |\n");
  }
  return text;
}

}  // namespace nereid
