#pragma once

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/file_system.h"
#include "common/strings.h"

namespace nereid::testing {

// Files in memory whose times the test sets. Parents of a file are there by themselves.
class FakeFileSystem : public FileSystem {
 public:
  void AddDirectory(const std::string& path, int64_t time = 1) { Add(path, true, time); }
  void AddFile(const std::string& path, int64_t time = 1) { Add(path, false, time); }
  // Changing what is inside a directory changes the directory's own time, as on a real disk.
  void Remove(const std::string& path, int64_t time) {
    std::erase_if(nodes_, [&](const auto& node) {
      return node.first == path || node.first.starts_with(path + "/");
    });
    nodes_[Parent(path)].changed_ns = time;
  }
  void Touch(const std::string& path, int64_t time) { nodes_.at(path).changed_ns = time; }
  void Forbid(const std::string& path) { forbidden_.insert(path); }
  // Listed, but not there: a link that leads nowhere.
  void AddDangling(const std::string& path) { dangling_.insert(path); }

  absl::StatusOr<FileInfo> Stat(const std::string& path) const override {
    const auto node = nodes_.find(path);
    if (node == nodes_.end()) return absl::NotFoundError(StrCat("failed to stat file ", path));
    return node->second;
  }
  absl::StatusOr<std::vector<std::string>> List(const std::string& path) const override {
    if (forbidden_.contains(path)) {
      return absl::PermissionDeniedError(StrCat("failed to open directory ", path));
    }
    if (!nodes_.contains(path)) return absl::NotFoundError(StrCat("failed to open ", path));
    std::set<std::string> names;
    for (const auto& [other, info] : nodes_) AddName(path, other, names);
    for (const std::string& other : dangling_) AddName(path, other, names);
    return std::vector<std::string>(names.begin(), names.end());
  }
  absl::StatusOr<std::string> ReadFile(const std::string&, size_t) const override {
    return absl::UnimplementedError("no contents");
  }
  absl::Status WriteFile(const std::string&, std::string_view) const override {
    return absl::UnimplementedError("no contents");
  }
  absl::Status CreateDirectories(const std::string&) const override {
    return absl::UnimplementedError("read only");
  }
  absl::StatusOr<std::string> CreateTemporaryDirectory(const std::string&) const override {
    return absl::UnimplementedError("read only");
  }
  absl::Status RemoveAll(const std::string&) const override {
    return absl::UnimplementedError("read only");
  }

 private:
  static std::string Parent(const std::string& path) { return path.substr(0, path.rfind('/')); }
  static void AddName(const std::string& parent, const std::string& path,
                      std::set<std::string>& names) {
    if (path != parent && Parent(path) == parent) names.insert(path.substr(parent.size() + 1));
  }
  void Add(const std::string& path, bool is_directory, int64_t time) {
    for (std::string parent = Parent(path); !parent.empty(); parent = Parent(parent)) {
      nodes_.try_emplace(parent, FileInfo{.is_directory = true, .changed_ns = 1});
    }
    nodes_[path] =
        FileInfo{.is_directory = is_directory, .is_regular = !is_directory, .changed_ns = time};
    if (!Parent(path).empty()) {
      int64_t& parent_time = nodes_[Parent(path)].changed_ns;
      parent_time = std::max(parent_time, time);
    }
  }

  std::map<std::string, FileInfo> nodes_;
  std::set<std::string> forbidden_;
  std::set<std::string> dangling_;
};

}  // namespace nereid::testing
