#pragma once

#include <memory>
#include <optional>
#include <string>

#include "backends/cuda/device/artifact_store.h"
#include "backends/cuda/device/context.h"

namespace nereid::engine {

// What races have found on one kind of GPU, so that equal work is raced once in a process: for each
// library, by the text of everything the choice depends on. A tactic is bytes that only its library
// understands, and it may have lost its sense: who finds one checks it, races again when it is no
// good, and remembers the new winner. Of those in memory, some ten thousand used last stay. Any
// thread.
class Tactics {
 public:
  // Keeps them in the process' memory, and in `store` unless that is nullptr.
  Tactics(const Context& context, std::shared_ptr<ArtifactStore> store);

  // `library`: its name and version, "cuDNN 91900".
  std::optional<std::string> Find(const std::string& library, const std::string& specification);
  void Remember(const std::string& library, const std::string& specification, std::string tactic);

 private:
  ArtifactScope ScopeOf(const std::string& library) const;
  std::string KeyOf(const std::string& library, const std::string& specification) const;

  const std::string device_;
  const std::shared_ptr<ArtifactStore> store_;
};

}  // namespace nereid::engine
