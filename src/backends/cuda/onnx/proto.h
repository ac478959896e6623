#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "backends/cuda/ir/graph.h"

namespace nereid::engine {

// The messages of ONNX that the importer needs, with the names of its schema. Text and tensor
// contents are views into the file; unknown fields are skipped.

struct StringEntryProto {
  std::string_view key;
  std::string_view value;
};

struct OperatorSetProto {
  std::string_view domain;
  int64_t version = 0;
};

struct TensorProto {
  std::string_view name;
  std::vector<int64_t> dims;
  int64_t data_type = 0;
  bool external = false;
  bool segmented = false;
  std::optional<std::string_view> raw_data;
  std::vector<StringEntryProto> external_data;
  std::string_view message;  // whole, for its typed data fields
};

struct SparseTensorProto {
  TensorProto values;
  TensorProto indices;
  std::vector<int64_t> dims;
};

struct ValueInfoProto {
  std::string_view name;
  bool is_tensor = false;
  int64_t elem_type = 0;
  std::optional<std::vector<DeclaredDim>> dims;  // absent: the rank is not known
};

struct GraphProto;

struct AttributeProto {
  enum Type {
    kUndefined = 0,
    kFloat = 1,
    kInt = 2,
    kString = 3,
    kTensor = 4,
    kGraph = 5,
    kFloats = 6,
    kInts = 7,
    kStrings = 8,
    kTensors = 9,
    kGraphs = 10,
    kSparseTensor = 11,
    kSparseTensors = 12,
    kTypeProto = 13,
    kTypeProtos = 14,
  };

  std::string_view name;
  std::string_view ref_attr_name;
  int64_t type = kUndefined;  // deduced from the content where an old file leaves it out
  float f = 0;
  int64_t i = 0;
  std::string_view s;
  std::vector<float> floats;
  std::vector<int64_t> ints;
  std::vector<std::string_view> strings;
  std::unique_ptr<TensorProto> t;
  std::unique_ptr<SparseTensorProto> sparse_tensor;
  std::unique_ptr<GraphProto> g;
};

struct NodeProto {
  std::vector<std::string_view> input;
  std::vector<std::string_view> output;
  std::string_view name;
  std::string_view op_type;
  std::string_view domain;
  std::string_view overload;
  std::vector<AttributeProto> attribute;
};

struct GraphProto {
  std::string_view name;
  std::vector<NodeProto> node;
  std::vector<TensorProto> initializer;
  std::vector<SparseTensorProto> sparse_initializer;
  std::vector<ValueInfoProto> input;
  std::vector<ValueInfoProto> output;
  std::vector<ValueInfoProto> value_info;
};

struct FunctionProto {
  std::string_view name;
  std::string_view domain;
  std::string_view overload;
  std::vector<std::string_view> input;
  std::vector<std::string_view> output;
  std::vector<std::string_view> attribute;      // without a default
  std::vector<AttributeProto> attribute_proto;  // with one
  std::vector<NodeProto> node;
  std::vector<OperatorSetProto> opset_import;
};

struct ModelProto {
  int64_t ir_version = 0;
  std::string_view producer_name;
  std::string_view producer_version;
  std::vector<OperatorSetProto> opset_import;
  std::vector<StringEntryProto> metadata_props;
  std::vector<FunctionProto> functions;
  std::optional<GraphProto> graph;
};

struct ParseLimits {
  int64_t max_nodes = 0;
  int64_t max_messages = 0;  // of any kind, so that a small file does not take much memory
  int max_depth = 0;         // of graphs inside each other
};

// INVALID_ARGUMENT, naming the kind of message, where `bytes` are malformed; RESOURCE_EXHAUSTED
// above a limit.
absl::StatusOr<ModelProto> ParseModel(std::string_view bytes, const ParseLimits& limits);

}  // namespace nereid::engine
