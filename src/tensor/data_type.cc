#include "nereid/data_type.h"

#include <array>

namespace nereid {
namespace {

struct Row {
  std::string_view protocol_name;
  std::string_view config_name;
  size_t element_byte_size;
};

// Indexed by DataType.
constexpr std::array<Row, 15> kTypes = {{
    {"<invalid>", "TYPE_INVALID", 0},
    {"BOOL", "TYPE_BOOL", 1},
    {"UINT8", "TYPE_UINT8", 1},
    {"UINT16", "TYPE_UINT16", 2},
    {"UINT32", "TYPE_UINT32", 4},
    {"UINT64", "TYPE_UINT64", 8},
    {"INT8", "TYPE_INT8", 1},
    {"INT16", "TYPE_INT16", 2},
    {"INT32", "TYPE_INT32", 4},
    {"INT64", "TYPE_INT64", 8},
    {"FP16", "TYPE_FP16", 2},
    {"FP32", "TYPE_FP32", 4},
    {"FP64", "TYPE_FP64", 8},
    {"BYTES", "TYPE_STRING", 0},
    {"BF16", "TYPE_BF16", 2},
}};

const Row& RowOf(DataType type) {
  const auto index = static_cast<size_t>(type);
  return kTypes[index < kTypes.size() ? index : 0];
}

}  // namespace

size_t ElementByteSize(DataType type) { return RowOf(type).element_byte_size; }
std::string_view ProtocolName(DataType type) { return RowOf(type).protocol_name; }
std::string_view ConfigName(DataType type) { return RowOf(type).config_name; }

DataType DataTypeFromProtocolName(std::string_view name) {
  for (size_t i = 1; i < kTypes.size(); ++i) {
    if (kTypes[i].protocol_name == name) return static_cast<DataType>(i);
  }
  return DataType::kInvalid;
}

}  // namespace nereid
