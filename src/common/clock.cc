#include "common/clock.h"

namespace nereid {
namespace {

class RealTimeSource : public TimeSource {
 public:
  std::chrono::steady_clock::time_point Now() const override {
    return std::chrono::steady_clock::now();
  }
};

}  // namespace

const TimeSource& TimeSource::Real() {
  static const RealTimeSource source;
  return source;
}

}  // namespace nereid
