#include "wire/classification.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <memory>
#include <numeric>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid {
namespace {

// Strict order in which the best value comes first.
template <typename T>
bool Better(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    if (std::isnan(a) || std::isnan(b)) return !std::isnan(a) && std::isnan(b);
  }
  return a > b;
}

template <typename T>
void AppendValue(T value, std::string& out) {
  if constexpr (std::is_floating_point_v<T>) {
    char text[400];  // the largest double has 309 digits in front of the point
    const auto end = std::to_chars(text, text + sizeof(text), static_cast<double>(value),
                                   std::chars_format::fixed, 6);
    out.append(text, end.ptr);
  } else {
    StrAppend(&out, +value);
  }
}

// Appends one BYTES element for the value at `index`.
template <typename T>
void AppendClass(T value, size_t index, const std::vector<std::string>& labels, std::string& out) {
  const size_t start = out.size();
  out.append(sizeof(uint32_t), '\0');
  AppendValue(value, out);
  StrAppend(&out, ":", index);
  if (index < labels.size()) StrAppend(&out, ":", labels[index]);
  const auto length = static_cast<uint32_t>(out.size() - start - sizeof(uint32_t));
  std::memcpy(out.data() + start, &length, sizeof(length));
}

struct Task {
  const std::byte* data;
  size_t entries;     // of the batch
  size_t entry_size;  // elements of one entry
  size_t count;       // classes of one entry
  const std::vector<std::string>& labels;
};

template <typename T>
std::string ClassifyAs(const Task& task) {
  std::string out;
  std::vector<T> values(task.entry_size);
  std::vector<uint32_t> order(task.entry_size);
  for (size_t entry = 0; entry < task.entries; ++entry) {
    std::memcpy(values.data(), task.data + entry * task.entry_size * sizeof(T),
                task.entry_size * sizeof(T));
    std::iota(order.begin(), order.end(), 0);
    std::partial_sort(order.begin(), order.begin() + static_cast<ptrdiff_t>(task.count),
                      order.end(), [&](uint32_t a, uint32_t b) {
                        if (Better(values[a], values[b])) return true;
                        return !Better(values[b], values[a]) && a < b;
                      });
    for (size_t i = 0; i < task.count; ++i) {
      AppendClass(values[order[i]], order[i], task.labels, out);
    }
  }
  return out;
}

using Classifier = std::string (*)(const Task&);

Classifier ClassifierFor(DataType type) {
  switch (type) {
    case DataType::kUint8:
      return ClassifyAs<uint8_t>;
    case DataType::kUint16:
      return ClassifyAs<uint16_t>;
    case DataType::kUint32:
      return ClassifyAs<uint32_t>;
    case DataType::kUint64:
      return ClassifyAs<uint64_t>;
    case DataType::kInt8:
      return ClassifyAs<int8_t>;
    case DataType::kInt16:
      return ClassifyAs<int16_t>;
    case DataType::kInt32:
      return ClassifyAs<int32_t>;
    case DataType::kInt64:
      return ClassifyAs<int64_t>;
    case DataType::kFp32:
      return ClassifyAs<float>;
    case DataType::kFp64:
      return ClassifyAs<double>;
    default:
      return nullptr;
  }
}

Payload StringPayload(std::string text) {
  auto owner = std::make_shared<const std::string>(std::move(text));
  const auto* data = reinterpret_cast<const std::byte*>(owner->data());
  const size_t size = owner->size();
  return Payload(std::move(owner), data, size);
}

}  // namespace

absl::StatusOr<OutputTensor> Classify(const OutputTensor& output, uint32_t count,
                                      bool has_batch_dimension) {
  const Classifier classify = ClassifierFor(output.data_type);
  if (classify == nullptr) {
    return absl::InvalidArgumentError(
        StrCat("class result not available for output due to unsupported type '",
               ProtocolName(output.data_type), "'"));
  }
  NEREID_ASSIGN_OR_RETURN(const int64_t elements, ElementCount(output.shape));
  if (elements > kMaxClassificationElements) {
    return absl::InvalidArgumentError("classification output tensor too large");
  }
  const size_t byte_size = static_cast<size_t>(elements) * ElementByteSize(output.data_type);
  if (output.data.byte_size() != byte_size || !output.data.place().HostAccessible()) {
    return absl::InternalError(
        StrCat("the data of output '", output.spec->name, "' does not fit its shape"));
  }
  std::vector<std::byte> joined;
  const std::byte* data = output.data.data();
  if (!output.data.contiguous()) {
    joined.resize(byte_size);
    output.data.CopyTo(joined.data());
    data = joined.data();
  }

  const bool batched = has_batch_dimension && !output.shape.empty();
  const size_t entries = batched ? static_cast<size_t>(output.shape[0]) : 1;
  const size_t entry_size = entries == 0 ? 0 : static_cast<size_t>(elements) / entries;
  const size_t classes = std::min<size_t>(count, entry_size);
  OutputTensor result;
  result.spec = output.spec;
  result.data_type = DataType::kBytes;
  if (batched) result.shape.push_back(output.shape[0]);
  result.shape.push_back(static_cast<int64_t>(classes));
  // A batch of empty entries may have any length: there is nothing to walk.
  if (classes == 0) return result;
  result.data = StringPayload(classify({data, entries, entry_size, classes, output.spec->labels}));
  return result;
}

}  // namespace nereid
