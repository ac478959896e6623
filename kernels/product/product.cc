#include "kernels/product/product.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "common/strings.h"
#include "kernels/jit/alternatives.h"
#include "kernels/tile_product/tile_product.h"

namespace nereid::engine {
namespace {

// The same product for several places of its operands, which no single batch stride reaches.
class RepeatedGemm final : public DeviceOp {
 public:
  struct Offsets {
    DevicePointer a, b, c;  // bytes
  };
  RepeatedGemm(std::unique_ptr<DeviceOp> product, std::vector<Offsets> offsets)
      : product_(std::move(product)), offsets_(std::move(offsets)) {}

  size_t workspace_bytes() const override { return product_->workspace_bytes(); }
  int kernel_count() const override { return static_cast<int>(offsets_.size()); }
  absl::Status Launch(absl::Span<const DevicePointer> inputs,
                      absl::Span<const DevicePointer> outputs, DevicePointer workspace,
                      DeviceStream stream) const override {
    const auto at = [&](size_t i) { return i < inputs.size() ? inputs[i] : 0; };
    for (const Offsets& o : offsets_) {
      const DevicePointer in[] = {at(0) + o.a, at(1) + o.b, at(2), at(3) == 0 ? 0 : at(3) + o.c};
      const DevicePointer out[] = {outputs[0] + o.c};
      NEREID_RETURN_IF_ERROR(product_->Launch(in, out, workspace, stream));
    }
    return absl::OkStatus();
  }

 private:
  const std::unique_ptr<DeviceOp> product_;
  const std::vector<Offsets> offsets_;
};

// A batch extent with the matrices' distances (in matrices; 0: broadcast).
struct BatchExtent {
  int64_t extent, a, b, c;
};

// The batch extents of both operands and the result, innermost first, neighbours joined where one
// stride serves both.
absl::StatusOr<std::vector<BatchExtent>> BatchExtents(const Shape& a, const Shape& b) {
  const size_t rank = std::max(a.size(), b.size());
  std::vector<BatchExtent> extents;
  int64_t step_a = 1, step_b = 1, step_c = 1;
  for (size_t back = 3; back <= rank; ++back) {
    const int64_t ea = back <= a.size() ? a[a.size() - back] : 1;
    const int64_t eb = back <= b.size() ? b[b.size() - back] : 1;
    if (ea != eb && ea != 1 && eb != 1) {
      return absl::InvalidArgumentError(
          StrCat("cannot multiply ", ShapeToString(a), " by ", ShapeToString(b)));
    }
    const BatchExtent next = {std::max(ea, eb), ea == 1 ? 0 : step_a, eb == 1 ? 0 : step_b, step_c};
    step_a *= ea;
    step_b *= eb;
    step_c *= next.extent;
    if (next.extent == 1) continue;
    if (!extents.empty()) {
      BatchExtent& last = extents.back();
      if (next.a == last.a * last.extent && next.b == last.b * last.extent) {
        last.extent *= next.extent;
        continue;
      }
    }
    extents.push_back(next);
  }
  return extents;
}

constexpr int64_t kMaxRepeats = 1024;

RaceOperands OperandsOf(const GemmSpec& s) {
  const auto bytes = [&](int64_t rows, int64_t pitch) {
    return static_cast<size_t>(rows * pitch) * ElementByteSize(s.type);
  };
  const size_t c = bytes(s.m, s.c.row_stride);
  return {{bytes(s.m, s.a.row_stride), bytes(s.transpose_b ? s.n : s.k, s.b.row_stride),
           s.has_bias ? bytes(1, s.n) : 0, s.has_residual ? c : 0},
          {c}};
}

}  // namespace

absl::StatusOr<std::unique_ptr<DeviceOp>> MakeFastestProduct(Toolbox& toolbox,
                                                             const GemmSpec& given) {
  const GemmSpec spec = Completed(given);
  std::vector<Alternative> alternatives = {{"cuBLASLt", [&] { return MakeGemm(toolbox, spec); }}};
  AddTiles(toolbox, spec, &alternatives);
  if (alternatives.size() == 1) return MakeGemm(toolbox, spec);
  return MakeFastest(toolbox,
                     StrCat("product ", SpecificationOf(spec, toolbox.options()),
                            spec.b_is_constant ? " early" : ""),
                     alternatives, OperandsOf(spec));
}

absl::StatusOr<std::unique_ptr<DeviceOp>> MakeMatMul(Toolbox& toolbox, GemmSpec base,
                                                     const Shape& a_shape, const Shape& b_shape) {
  Shape a = a_shape, b = b_shape;
  if (a.empty() || b.empty()) return absl::InvalidArgumentError("MatMul of a scalar");
  if (a.size() == 1) a.insert(base.transpose_a ? a.end() : a.begin(), 1);
  if (b.size() == 1) b.insert(base.transpose_b ? b.begin() : b.end(), 1);
  const int64_t a_rows = a[a.size() - 2], a_columns = a[a.size() - 1];
  const int64_t b_rows = b[b.size() - 2], b_columns = b[b.size() - 1];
  base.m = base.transpose_a ? a_columns : a_rows;
  base.k = base.transpose_a ? a_rows : a_columns;
  base.n = base.transpose_b ? b_rows : b_columns;
  if ((base.transpose_b ? b_columns : b_rows) != base.k) {
    return absl::InvalidArgumentError(
        StrCat("cannot multiply ", ShapeToString(a_shape), " by ", ShapeToString(b_shape)));
  }
  NEREID_ASSIGN_OR_RETURN(std::vector<BatchExtent> extents, BatchExtents(a, b));
  // One B for all of A: a taller product.
  if (extents.size() == 1 && extents[0].b == 0 && extents[0].a == 1 && !base.transpose_a) {
    base.m *= extents[0].extent;
    extents.clear();
  }
  size_t widest = 0;
  int64_t repeats = 1;
  for (size_t i = 0; i < extents.size(); ++i) {
    if (extents[i].extent > extents[widest].extent) widest = i;
    repeats *= extents[i].extent;
  }
  const int64_t a_size = a_rows * a_columns, b_size = b_rows * b_columns, c_size = base.m * base.n;
  if (!extents.empty()) {
    base.batch = extents[widest].extent;
    base.a.batch_stride = extents[widest].a * a_size;
    base.b.batch_stride = extents[widest].b * b_size;
    base.c.batch_stride = extents[widest].c * c_size;
    repeats = base.batch == 0 ? 0 : repeats / base.batch;
  }
  if (extents.size() <= 1) return MakeFastestProduct(toolbox, base);
  if (repeats > kMaxRepeats) {
    return absl::UnimplementedError(StrCat(repeats, " products for one broadcast MatMul"));
  }
  const auto in_bytes = static_cast<int64_t>(ElementByteSize(base.type));
  const auto out_bytes = static_cast<int64_t>(
      ElementByteSize(base.out_type == DataType::kInvalid ? base.type : base.out_type));
  std::vector<RepeatedGemm::Offsets> offsets;
  uint64_t alignment = base.alignment;
  for (int64_t i = 0; i < repeats; ++i) {
    int64_t rest = i, at_a = 0, at_b = 0, at_c = 0;
    for (size_t e = 0; e < extents.size(); ++e) {
      if (e == widest) continue;
      const int64_t index = rest % extents[e].extent;
      rest /= extents[e].extent;
      at_a += index * extents[e].a;
      at_b += index * extents[e].b;
      at_c += index * extents[e].c;
    }
    offsets.push_back({static_cast<DevicePointer>(at_a * a_size * in_bytes),
                       static_cast<DevicePointer>(at_b * b_size * in_bytes),
                       static_cast<DevicePointer>(at_c * c_size * out_bytes)});
  }
  // The products begin in the middle of tensors.
  for (const RepeatedGemm::Offsets& o : offsets) {
    alignment = std::gcd(std::gcd(std::gcd(alignment, o.a), o.b), o.c);
  }
  base.alignment = static_cast<uint32_t>(alignment);
  NEREID_ASSIGN_OR_RETURN(auto product, MakeFastestProduct(toolbox, base));
  return std::make_unique<RepeatedGemm>(std::move(product), std::move(offsets));
}

}  // namespace nereid::engine
