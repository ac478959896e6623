#pragma once

#include <string>

#include "common/file_system.h"

namespace nereid::testing {

// A fresh directory that goes with everything in it.
class TempDirectory {
 public:
  TempDirectory() : path_(*FileSystem::Real().CreateTemporaryDirectory(TemporaryDirectory())) {}
  ~TempDirectory() { FileSystem::Real().RemoveAll(path_).IgnoreError(); }
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;

  const std::string& path() const { return path_; }
  // Creates directories on the way.
  void Write(const std::string& relative_path, const std::string& content) const {
    const std::string path = JoinPath(path_, relative_path);
    FileSystem::Real().CreateDirectories(path.substr(0, path.rfind('/'))).IgnoreError();
    FileSystem::Real().WriteFile(path, content).IgnoreError();
  }
  void MakeDirectory(const std::string& relative_path) const {
    FileSystem::Real().CreateDirectories(JoinPath(path_, relative_path)).IgnoreError();
  }
  void Remove(const std::string& relative_path) const {
    FileSystem::Real().RemoveAll(JoinPath(path_, relative_path)).IgnoreError();
  }

 private:
  const std::string path_;
};

}  // namespace nereid::testing
