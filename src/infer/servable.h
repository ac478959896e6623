#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "infer/model_statistics.h"
#include "nereid/memory_estimate.h"
#include "nereid/model_config.h"
#include "nereid/request.h"

namespace nereid {

// A model version that serves. Any thread.
class Servable {
 public:
  virtual ~Servable() = default;

  // Takes the request, always: a refusal, too, is an answer through the request's sink. Returns
  // without waiting for the answer, which may already have been sent.
  virtual void Submit(std::unique_ptr<InferRequest> request) noexcept = 0;

  virtual const std::shared_ptr<const ModelConfig>& config() const = 0;
  virtual int64_t version() const = 0;
  // Tells it from models of the same name in other repositories; empty where names do not repeat.
  virtual std::string_view name_space() const { return {}; }
  virtual const ModelStatistics& statistics() const = 0;
  // Bytes its backend reports to hold now, by place.
  virtual MemoryEstimate memory_usage() const = 0;
  // Requests submitted and not yet answered.
  virtual int64_t InFlight() const = 0;
  // False when its backend reports that it cannot serve any more.
  virtual bool Healthy() const = 0;
};

// Keeps a model version loaded while held.
using ServableHandle = std::shared_ptr<Servable>;

}  // namespace nereid
