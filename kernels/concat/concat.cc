#include "kernels/concat/concat.h"

#include <utility>

#include "common/status_macros.h"
#include "common/strings.h"
#include "kernels/copy/copy.h"
#include "kernels/jit/kernel_op.h"

namespace nereid::engine {
namespace {

// One copy for each part: from input i to the output, or from the input to output i.
class PartCopies final : public DeviceOp {
 public:
  PartCopies(std::vector<std::unique_ptr<DeviceOp>> copies, bool joining)
      : copies_(std::move(copies)), joining_(joining) {}
  absl::Status Launch(absl::Span<const DevicePointer> inputs,
                      absl::Span<const DevicePointer> outputs, DevicePointer workspace,
                      DeviceStream stream) const override {
    for (size_t i = 0; i < copies_.size(); ++i) {
      const DevicePointer from = inputs[joining_ ? i : 0], to = outputs[joining_ ? 0 : i];
      if (from == 0 || to == 0) continue;
      NEREID_RETURN_IF_ERROR(copies_[i]->Launch({&from, 1}, {&to, 1}, workspace, stream));
    }
    return absl::OkStatus();
  }
  int kernel_count() const override { return static_cast<int>(copies_.size()); }

 private:
  const std::vector<std::unique_ptr<DeviceOp>> copies_;
  const bool joining_;
};

// `whole` along `axis` holds parts of these extents, one after the other.
absl::StatusOr<std::unique_ptr<DeviceOp>> MakeParts(Toolbox& toolbox, DataType type,
                                                    const Shape& whole, size_t axis,
                                                    const std::vector<int64_t>& parts,
                                                    bool joining) {
  const std::vector<int64_t> whole_strides = DenseStrides(whole);
  std::vector<std::unique_ptr<DeviceOp>> copies;
  int64_t begin = 0;
  for (const int64_t part : parts) {
    StridedCopySpec copy;
    copy.type = type;
    copy.shape = whole;
    copy.shape[axis] = part;
    const std::vector<int64_t> dense = DenseStrides(copy.shape);
    const int64_t offset = begin * whole_strides[axis];
    copy.in_strides = joining ? dense : whole_strides;
    copy.out_strides = joining ? whole_strides : dense;
    (joining ? copy.out_offset : copy.in_offset) = offset;
    NEREID_ASSIGN_OR_RETURN(auto made, MakeStridedCopy(toolbox, copy));
    copies.push_back(std::move(made));
    begin += part;
  }
  if (begin != whole[axis]) {
    return absl::InvalidArgumentError(
        StrCat("parts of ", begin, " elements for an extent of ", whole[axis]));
  }
  return std::make_unique<PartCopies>(std::move(copies), joining);
}

}  // namespace

absl::StatusOr<std::unique_ptr<DeviceOp>> MakeConcat(Toolbox& toolbox, DataType type,
                                                     const std::vector<Shape>& shapes,
                                                     int64_t axis) {
  if (shapes.empty()) return absl::InvalidArgumentError("Concat of nothing");
  const auto at = static_cast<size_t>(axis);
  Shape whole = shapes[0];
  whole[at] = 0;
  std::vector<int64_t> parts;
  for (const Shape& shape : shapes) {
    parts.push_back(shape[at]);
    whole[at] += shape[at];
  }
  return MakeParts(toolbox, type, whole, at, parts, true);
}

absl::StatusOr<std::unique_ptr<DeviceOp>> MakeSplit(Toolbox& toolbox, DataType type,
                                                    const Shape& shape, int64_t axis,
                                                    const std::vector<int64_t>& parts) {
  return MakeParts(toolbox, type, shape, static_cast<size_t>(axis), parts, false);
}

}  // namespace nereid::engine
