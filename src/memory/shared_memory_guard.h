#pragma once

#include <atomic>
#include <cstddef>

namespace nereid {

// Lets this process survive that somebody shrinks a file it has mapped: touching what is gone
// raises SIGBUS, which ends a process that does not expect it. While a guard lives, such an access
// to its range finds zeros in fresh memory instead, from that page to the end of the range, and the
// guard remembers it.
//
// The first guard installs a process-wide handler of SIGBUS, which passes on what happens outside
// of all guarded ranges. Any thread.
class MappingGuard {
 public:
  // `data`: start of a mapping. Goes before the mapping does.
  MappingGuard(const std::byte* data, size_t size);
  ~MappingGuard();
  MappingGuard(const MappingGuard&) = delete;
  MappingGuard& operator=(const MappingGuard&) = delete;

  // True once a part of the range was found gone: nothing in it can be trusted from then on.
  bool broken() const;

  struct Range;

 private:
  Range* const range_;
};

}  // namespace nereid
