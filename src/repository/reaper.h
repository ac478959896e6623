#pragma once

#include <functional>
#include <memory>

#include "infer/servable.h"

namespace nereid {

// Destroys servables away from the threads that used them. The last handle of a version usually
// goes on one of its own instance threads or on an event loop: the one would wait for itself, the
// other would hold up its connections.
class Reaper {
 public:
  // Runs on the reaper's thread, in place of destroying: closes the servable, destroys it, cleans
  // up.
  using Release = std::function<void(std::shared_ptr<Servable>)>;

  Reaper();
  // Destroys what has been handed over. Handles may outlive the reaper: what they keep is then
  // destroyed on a thread of its own.
  ~Reaper();
  Reaper(const Reaper&) = delete;
  Reaper& operator=(const Reaper&) = delete;

  // A handle to `servable`; when the last copy goes, `release` gets the servable.
  ServableHandle Wrap(std::shared_ptr<Servable> servable, Release release);

 private:
  class Queue;
  const std::shared_ptr<Queue> queue_;
};

}  // namespace nereid
