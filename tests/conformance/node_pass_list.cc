#include "tests/conformance/node_pass_list.h"

#include <algorithm>
#include <fstream>
#include <sstream>

#include "common/strings.h"

namespace nereid::engine {

absl::StatusOr<PassList> ReadPassList(const std::string& path) {
  std::ifstream file(path);
  if (!file) return absl::NotFoundError(StrCat("cannot read ", path));
  PassList list;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string name, word;
    if (!(words >> name) || name.starts_with("#")) continue;
    std::set<std::string>& on_host = list[name];
    while (words >> word) {
      if (word != "host:") on_host.insert(word);
    }
  }
  return list;
}

absl::Status WritePassList(const std::string& path, const std::string& comment,
                           const PassList& passed) {
  std::ofstream file(path);
  file << "# " << comment << '\n';
  for (const auto& [name, on_host] : passed) {
    file << name;
    if (!on_host.empty()) file << " host:";
    for (const std::string& op : on_host) file << ' ' << op;
    file << '\n';
  }
  file.flush();
  return file ? absl::OkStatus() : absl::InternalError(StrCat("cannot write ", path));
}

std::vector<std::string> DropsOf(const PassList& listed, const PassList& passed,
                                 const std::set<std::string>& tests) {
  std::vector<std::string> drops;
  for (const auto& [name, on_host] : listed) {
    if (!tests.contains(name)) continue;
    const auto now = passed.find(name);
    if (now == passed.end()) {
      drops.push_back(StrCat(name, " does not pass any more"));
    } else if (!std::ranges::includes(on_host, now->second)) {
      drops.push_back(StrCat(name, " runs on the host what it did not"));
    }
  }
  return drops;
}

}  // namespace nereid::engine
