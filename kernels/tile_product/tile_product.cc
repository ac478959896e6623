#include "kernels/tile_product/tile_product.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "common/status_macros.h"
#include "common/strings.h"
#include "kernels/jit/kernel_op.h"
#include "kernels/tile_product/tile_product_text.h"

namespace nereid::engine {
namespace {

constexpr int64_t kDepth = 64;  // of a stage: columns of A, rows of B
constexpr int64_t kMaxStages = 12;
// Two blocks fit a multiprocessor, so that the next kernel's weights can come early.
constexpr int64_t kSharedOfSmallTile = 108 << 10;
constexpr int64_t kSharedOfLargeTile = 216 << 10;
constexpr int64_t kSlack = 1024;  // for the ring to begin at a swizzle's boundary
constexpr size_t kMaxRaced = 3;
constexpr double kMaxWaves = 2;

// As the kernel's text has it.
struct Shape {
  int32_t m, n, k_tiles, pitch;
  float alpha;
  int32_t activation, b_is_early;
  int32_t channel_tiles, filter_w, stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w;
  Divisor out_w, out_h;
};

// A product as the kernel sees it, whatever A is.
struct Product {
  DataType type;
  int64_t m, n, k;
  bool b_rows;   // B is n×k
  bool b_early;  // B is there before the program runs
  int64_t a_pitch, b_pitch, c_pitch;
  bool has_bias, has_residual;
  GemmActivation activation;
  float alpha;
  const ConvolutionSpec* image = nullptr;
};

int64_t PitchOr(int64_t pitch, int64_t dense) { return pitch == 0 ? dense : pitch; }

absl::StatusOr<Product> ProductOf(const GemmSpec& s) {
  const int64_t c_pitch = PitchOr(s.c.row_stride, s.n);
  const Product p{s.type,
                  s.m,
                  s.n,
                  s.k,
                  s.transpose_b,
                  s.b_is_constant,
                  PitchOr(s.a.row_stride, s.k),
                  PitchOr(s.b.row_stride, s.transpose_b ? s.k : s.n),
                  c_pitch,
                  s.has_bias,
                  s.has_residual,
                  s.activation,
                  s.alpha};
  const bool same_type = s.out_type == DataType::kInvalid || s.out_type == s.type;
  if (s.batch != 1 || s.transpose_a || !same_type || s.alignment % 16 != 0) {
    return absl::UnimplementedError("a product in tiles is of one matrix by another");
  }
  return p;
}

absl::StatusOr<Product> ProductOf(const ConvolutionSpec& s) {
  if (s.transposed || s.groups != 1 || s.layout != ImageLayout::kNhwc || s.c % kDepth != 0) {
    return absl::UnimplementedError("a convolution in tiles reads 64 channels at a time");
  }
  const std::array<int64_t, 2> none = {0, 0};
  const bool is_matrix = s.r == 1 && s.s == 1 && s.stride == std::array<int64_t, 2>{1, 1} &&
                         s.pad_begin == none && s.pad_end == none;
  const int64_t k = s.c * s.r * s.s;
  return Product{s.type,
                 s.n * s.out_h() * s.out_w(),
                 s.k,
                 k,
                 true,
                 s.constant_filter,
                 s.c,
                 k,
                 s.k,
                 s.has_bias,
                 s.has_residual,
                 s.relu ? GemmActivation::kRelu : GemmActivation::kNone,
                 1,
                 is_matrix ? nullptr : &s};
}

// Why the kernel cannot do it, or OK.
absl::Status Check(const Context& context, const Product& p) {
  const auto whole = [](int64_t elements) { return elements % 8 == 0; };
  if (context.compute_capability() != 90 || ElementByteSize(p.type) != 2) {
    return absl::UnimplementedError("products in tiles are of 16 bits and for sm_90");
  }
  if (!whole(p.n) || !whole(p.k) || !whole(p.a_pitch) || !whole(p.b_pitch) || !whole(p.c_pitch)) {
    return absl::UnimplementedError("a product in tiles of rows that are not of 16 bytes");
  }
  if (p.image != nullptr &&
      (p.image->stride[0] > 8 || p.image->stride[1] > 8 ||
       std::max(p.image->r * p.image->dilation[0], p.image->s * p.image->dilation[1]) > 127)) {
    return absl::UnimplementedError("a convolution in tiles of a wide filter");
  }
  return CheckIndexRange({p.m * p.c_pitch, p.m * p.a_pitch, p.n * p.k});
}

int64_t StageBytes(const ProductTile& tile) { return (tile.rows + tile.columns) * kDepth * 2; }

int64_t StagesOf(const ProductTile& tile) {
  const bool large = tile.rows * tile.columns > 64 * 128;
  const int64_t room = (large ? kSharedOfLargeTile : kSharedOfSmallTile) - kSlack;
  return std::min(room / StageBytes(tile), kMaxStages);
}

int64_t SharedBytes(const ProductTile& tile, int64_t stages) {
  const int64_t sums = tile.rows * (tile.columns + 8) * 4;
  return kSlack + std::max(stages * StageBytes(tile), sums);
}

// Clock cycles, roughly: for choosing what is worth a race.
double Cycles(const Context& context, const Product& p, const ProductTile& tile) {
  constexpr double kBytesPerCycle = 40, kFixed = 1500, kJoin = 500;
  const auto blocks =
      static_cast<double>(CeilDivide(p.m, tile.rows) * CeilDivide(p.n, tile.columns) * tile.split);
  const double waves = std::max(blocks / context.multiprocessors(), 1.0);
  const double steps = static_cast<double>(CeilDivide(CeilDivide(p.k, kDepth), tile.split));
  return std::ceil(waves) * (steps * static_cast<double>(StageBytes(tile)) / kBytesPerCycle) +
         kFixed + (tile.split > 1 ? kJoin : 0.0) +
         tile.rows * tile.columns * 4.0 / tile.split / kBytesPerCycle;
}

std::vector<ProductTile> Tiles(const Context& context, const absl::StatusOr<Product>& product) {
  if (!product.ok() || !Check(context, *product).ok()) return {};
  const Product& p = *product;
  const int64_t k_tiles = CeilDivide(p.k, kDepth);
  std::vector<std::pair<double, ProductTile>> ranked;
  // Few kinds: each takes the compiler some tenths of a second.
  for (const int rows : {64, 128}) {
    if (rows > 64 && p.m <= 64) continue;
    for (const int columns : {32, 64, 128}) {
      if (rows > 64 && columns < 64) continue;
      if ((columns < 64 && !p.b_rows) || (columns > 64 && columns >= 2 * p.n)) continue;
      for (const int split : {1, 2, 4, 8}) {
        const ProductTile tile{rows, columns, split};
        const int64_t blocks = CeilDivide(p.m, rows) * CeilDivide(p.n, columns) * split;
        if (k_tiles < 2 * split && split > 1) continue;
        if (static_cast<double>(blocks) > kMaxWaves * context.multiprocessors()) continue;
        ranked.emplace_back(Cycles(context, p, tile), tile);
      }
    }
  }
  std::ranges::stable_sort(ranked, {}, &std::pair<double, ProductTile>::first);
  std::vector<ProductTile> tiles;
  for (const auto& [cycles, tile] : ranked) {
    if (tiles.size() < kMaxRaced) tiles.push_back(tile);
  }
  return tiles;
}

std::string SourceOf(const Product& p, const ProductTile& tile) {
  const int64_t stages = StagesOf(tile);
  return StrCat(DefineType("T", p.type), "#define MMA_TYPE \"", KernelTypeName(p.type), "\"\n",
                DefineNumber("BM", tile.rows), DefineNumber("BN", tile.columns),
                DefineNumber("STAGES", stages), DefineNumber("B_ROWS", p.b_rows),
                DefineNumber("IMAGE", p.image != nullptr), TileProductText(tile.columns, p.b_rows));
}

Shape ShapeOf(const Product& p) {
  Shape shape{};
  shape.m = static_cast<int32_t>(p.m);
  shape.n = static_cast<int32_t>(p.n);
  shape.k_tiles = static_cast<int32_t>(CeilDivide(p.k, kDepth));
  shape.pitch = static_cast<int32_t>(p.c_pitch);
  shape.alpha = p.alpha;
  shape.activation = static_cast<int32_t>(p.activation);
  shape.b_is_early = p.b_early ? 1 : 0;
  if (p.image == nullptr) return shape;
  const ConvolutionSpec& s = *p.image;
  const auto number = [](int64_t x) { return static_cast<int32_t>(x); };
  shape.channel_tiles = number(s.c / kDepth);
  shape.filter_w = number(s.s);
  shape.stride_h = number(s.stride[0]);
  shape.stride_w = number(s.stride[1]);
  shape.pad_h = number(s.pad_begin[0]);
  shape.pad_w = number(s.pad_begin[1]);
  shape.dilation_h = number(s.dilation[0]);
  shape.dilation_w = number(s.dilation[1]);
  shape.out_w = Divisor(s.out_w());
  shape.out_h = Divisor(s.out_h());
  return shape;
}

CUtensorMapDataType MapType(DataType type) {
  return type == DataType::kFp16 ? CU_TENSOR_MAP_DATA_TYPE_FLOAT16
                                 : CU_TENSOR_MAP_DATA_TYPE_BFLOAT16;
}

class TileProductOp final : public DeviceOp {
 public:
  TileProductOp(std::shared_ptr<Context> context, const Product& product, const ProductTile& tile,
                int64_t stages)
      : context_(std::move(context)),
        product_(product),
        tile_(tile),
        shape_(ShapeOf(product)),
        shared_bytes_(static_cast<unsigned>(SharedBytes(tile, stages))) {
    if (product.image != nullptr) {
      image_ = *product.image;
      product_.image = &image_;
    }
  }

  absl::Status Prepare(CUfunction function);
  absl::Status Launch(absl::Span<const DevicePointer> inputs,
                      absl::Span<const DevicePointer> outputs, DevicePointer workspace,
                      DeviceStream stream) const override;

 private:
  absl::Status MapMatrix(DevicePointer address, int64_t rows, int64_t columns, int64_t pitch,
                         int64_t box_rows, CUtensorMap* map) const;
  absl::Status MapImage(DevicePointer address, CUtensorMap* map) const;

  const std::shared_ptr<Context> context_;
  ConvolutionSpec image_;
  Product product_;
  const ProductTile tile_;
  const Shape shape_;
  const unsigned shared_bytes_;
  CUfunction function_ = nullptr;
};

absl::Status TileProductOp::Prepare(CUfunction function) {
  function_ = function;
  if (context_->offline()) return absl::OkStatus();
  return CudaStatus(
      context_->api().cuFuncSetAttribute(function, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                                         static_cast<int>(shared_bytes_)),
      "cuFuncSetAttribute");
}

absl::Status TileProductOp::MapMatrix(DevicePointer address, int64_t rows, int64_t columns,
                                      int64_t pitch, int64_t box_rows, CUtensorMap* map) const {
  const cuuint64_t extents[] = {static_cast<cuuint64_t>(columns), static_cast<cuuint64_t>(rows)};
  const cuuint64_t strides[] = {static_cast<cuuint64_t>(pitch * 2)};
  const cuuint32_t box[] = {static_cast<cuuint32_t>(kDepth), static_cast<cuuint32_t>(box_rows)};
  const cuuint32_t steps[] = {1, 1};
  return CudaStatus(
      context_->api().cuTensorMapEncodeTiled(
          map, MapType(product_.type), 2, reinterpret_cast<void*>(address), extents, strides, box,
          steps, CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
          CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE),
      "cuTensorMapEncodeTiled");
}

// Columns of 64 channels of as many pixels as a tile has rows, which go on from row to row and from
// image to image; what lies in the padding reads as 0.
absl::Status TileProductOp::MapImage(DevicePointer address, CUtensorMap* map) const {
  const ConvolutionSpec& s = image_;
  const auto extent = [](int64_t x) { return static_cast<cuuint64_t>(x); };
  const cuuint64_t extents[] = {extent(s.c), extent(s.w), extent(s.h), extent(s.n)};
  const cuuint64_t strides[] = {extent(s.c * 2), extent(s.w * s.c * 2),
                                extent(s.h * s.w * s.c * 2)};
  const auto upper = [&](size_t i, int64_t filter) {
    return static_cast<int>(s.pad_end[i] - (filter - 1) * s.dilation[i]);
  };
  const int lower_corner[] = {static_cast<int>(-s.pad_begin[1]), static_cast<int>(-s.pad_begin[0])};
  const int upper_corner[] = {upper(1, s.s), upper(0, s.r)};
  const cuuint32_t steps[] = {1, static_cast<cuuint32_t>(s.stride[1]),
                              static_cast<cuuint32_t>(s.stride[0]), 1};
  return CudaStatus(
      context_->api().cuTensorMapEncodeIm2col(
          map, MapType(s.type), 4, reinterpret_cast<void*>(address), extents, strides, lower_corner,
          upper_corner, static_cast<cuuint32_t>(kDepth), static_cast<cuuint32_t>(tile_.rows), steps,
          CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
          CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE),
      "cuTensorMapEncodeIm2col");
}

absl::Status TileProductOp::Launch(absl::Span<const DevicePointer> inputs,
                                   absl::Span<const DevicePointer> outputs, DevicePointer,
                                   DeviceStream stream) const {
  if (context_->offline()) return absl::UnavailableError("no CUDA device");
  const Product& p = product_;
  CUtensorMap a{}, b{};
  NEREID_RETURN_IF_ERROR(p.image != nullptr
                             ? MapImage(inputs[0], &a)
                             : MapMatrix(inputs[0], p.m, p.k, p.a_pitch, tile_.rows, &a));
  NEREID_RETURN_IF_ERROR(p.b_rows ? MapMatrix(inputs[1], p.n, p.k, p.b_pitch, tile_.columns, &b)
                                  : MapMatrix(inputs[1], p.k, p.n, p.b_pitch, kDepth, &b));
  DevicePointer bias = p.has_bias ? inputs[2] : 0, residual = p.has_residual ? inputs[3] : 0,
                out = outputs[0];
  Shape shape = shape_;
  void* parameters[] = {&a, &b, &bias, &residual, &out, &shape};
  CUlaunchAttribute attributes[2] = {};
  attributes[0].id = CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION;
  attributes[0].value.programmaticStreamSerializationAllowed = 1;
  attributes[1].id = CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION;
  attributes[1].value.clusterDim.x = attributes[1].value.clusterDim.y = 1;
  attributes[1].value.clusterDim.z = static_cast<unsigned>(tile_.split);
  CUlaunchConfig config{};
  config.gridDimX = static_cast<unsigned>(CeilDivide(p.n, tile_.columns));
  config.gridDimY = static_cast<unsigned>(CeilDivide(p.m, tile_.rows));
  config.gridDimZ = static_cast<unsigned>(tile_.split);
  config.blockDimX = static_cast<unsigned>(tile_.rows * 2 + 32);
  config.blockDimY = config.blockDimZ = 1;
  config.sharedMemBytes = shared_bytes_;
  config.hStream = static_cast<CUstream>(stream);
  config.attrs = attributes;
  config.numAttrs = tile_.split > 1 ? 2 : 1;
  return CudaStatus(context_->api().cuLaunchKernelEx(&config, function_, parameters, nullptr),
                    "cuLaunchKernelEx");
}

absl::StatusOr<std::unique_ptr<DeviceOp>> Make(Toolbox& toolbox,
                                               const absl::StatusOr<Product>& product,
                                               const ProductTile& tile) {
  NEREID_RETURN_IF_ERROR(product.status());
  NEREID_RETURN_IF_ERROR(Check(*toolbox.context(), *product));
  const int64_t stages = StagesOf(tile);
  NEREID_ASSIGN_OR_RETURN(const CUfunction function,
                          toolbox.jit().Get(SourceOf(*product, tile), kTileProductKernel));
  auto op = std::make_unique<TileProductOp>(toolbox.context(), *product, tile, stages);
  NEREID_RETURN_IF_ERROR(op->Prepare(function));
  return op;
}

}  // namespace

std::string ProductTile::name() const {
  return StrCat("tiles ", rows, "x", columns, split > 1 ? StrCat(" by ", split) : "");
}

std::vector<ProductTile> ProductTiles(const Context& context, const GemmSpec& spec) {
  return Tiles(context, ProductOf(spec));
}

std::vector<ProductTile> ProductTiles(const Context& context, const ConvolutionSpec& spec) {
  return Tiles(context, ProductOf(spec));
}

std::string TileProductSource(const GemmSpec& spec, const ProductTile& tile) {
  const auto product = ProductOf(spec);
  return product.ok() ? SourceOf(*product, tile) : "";
}

std::string TileProductSource(const ConvolutionSpec& spec, const ProductTile& tile) {
  const auto product = ProductOf(spec);
  return product.ok() ? SourceOf(*product, tile) : "";
}

absl::StatusOr<std::unique_ptr<DeviceOp>> MakeTileProduct(Toolbox& toolbox, const GemmSpec& spec,
                                                          ProductTile tile) {
  return Make(toolbox, ProductOf(spec), tile);
}

absl::StatusOr<std::unique_ptr<DeviceOp>> MakeTileProduct(Toolbox& toolbox,
                                                          const ConvolutionSpec& spec,
                                                          ProductTile tile) {
  return Make(toolbox, ProductOf(spec), tile);
}

}  // namespace nereid::engine
