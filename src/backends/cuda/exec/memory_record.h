#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "absl/types/span.h"
#include "backends/cuda/device/artifact_store.h"
#include "nereid/shape.h"

namespace nereid::engine {

// What a program has been found to take of each instance that runs it, in bytes.
struct ProgramMemory {
  size_t arena = 0;
  size_t workspace = 0;
  size_t graphs = 0;   // measured as segment.h says
  size_t staging = 0;  // page-locked, on the host

  bool operator==(const ProgramMemory&) const = default;
};

// What a model has been found to take on one kind of GPU.
struct MemoryRecord {
  size_t shared = 0;                              // weights and machine code, once on each GPU
  std::map<std::string, ProgramMemory> programs;  // by ShapesKey(); so many that it stays small

  bool operator==(const MemoryRecord&) const = default;
  // Later findings replace earlier ones, but graphs that are not there (yet) do not; programs
  // beyond what a record holds are left out.
  void Note(const std::string& shapes, const ProgramMemory& memory);

  std::string Encode() const;
  // Empty for text that makes no sense.
  static MemoryRecord Decode(std::string_view text);
};

// "1x3x224x224x,1x10x,": of all inputs.
std::string ShapesKey(absl::Span<const Shape> shapes);

// Where the record of a model is kept: in the process, for as long as the file stays as it is, and
// in the model's plan, where there is one. Any thread.
class MemoryNotes {
 public:
  struct Subject {
    std::string path;         // of the model
    std::string fingerprint;  // of the GPU
    std::string options;      // what else the memory depends on, in words
  };
  MemoryNotes(Subject subject, std::shared_ptr<ArtifactStore> plan);

  MemoryRecord Read() const;
  // In the process.
  void Keep(const MemoryRecord& record) const;
  // In the plan, too, unless that says nearly the same: what graphs take is measured with some
  // noise, and plans are files.
  void KeepInPlan(const MemoryRecord& record) const;

 private:
  const std::shared_ptr<ArtifactStore> plan_;  // nullptr: none
  const ArtifactScope scope_;
  const std::string options_;
  const std::string key_;  // in the process
};

}  // namespace nereid::engine
