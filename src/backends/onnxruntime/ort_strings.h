#pragma once

#include <onnxruntime_cxx_api.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "backend/batch_responses.h"
#include "backend/gather.h"

namespace nereid::ort {

// A string tensor with the elements of an encoded BYTES tensor. INVALID_ARGUMENT when they are not
// as many as the shape says. May throw Ort::Exception.
absl::StatusOr<Ort::Value> MakeStringTensor(const BatchTensor& tensor);

// The strings of a tensor, copied out of it at once.
class StringContent {
 public:
  // May throw Ort::Exception.
  explicit StringContent(const Ort::Value& value);
  // Valid while this object lives.
  StringBlock block() const { return {content_.data(), content_.size(), offsets_}; }

 private:
  std::string content_;
  std::vector<size_t> offsets_;
};

}  // namespace nereid::ort
