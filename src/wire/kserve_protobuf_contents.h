#pragma once

#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "nereid/buffer.h"
#include "nereid/data_type.h"
#include "wire/kserve_protobuf_message.h"

namespace nereid {

// Adds the elements of one InferTensorContents message to `contents.element_count`. False when the
// message is malformed.
bool CountElements(std::string_view piece, ContentsView& contents);

// The typed data of `input` in the binary layout of `data_type`: integers narrowed
// (INVALID_ARGUMENT when a value does not fit), BYTES elements with their length in front. FP32 and
// FP64 that were written in one run stay where they are, kept alive by `storage`. INVALID_ARGUMENT
// with the protocol's texts when the data lies in another field than the one for `data_type`.
absl::StatusOr<Payload> ConvertContents(const InputView& input, DataType data_type,
                                        std::string_view model_name,
                                        const std::shared_ptr<const void>& storage);

}  // namespace nereid
