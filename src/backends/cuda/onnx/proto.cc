#include "backends/cuda/onnx/proto.h"

#include <utility>

#include "backends/cuda/onnx/wire_reader.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

using Kind = WireField::Kind;

// One Parse per message: it walks over the fields and says for each whether it was well formed.
class Parser {
 public:
  explicit Parser(const ParseLimits& limits) : limits_(limits) {}

  absl::Status Parse(std::string_view bytes, ModelProto& out);

 private:
  // Calls `visit(field)` for every field; false from it means "malformed".
  template <typename Visit>
  absl::Status Walk(std::string_view bytes, const char* message, Visit visit) {
    if (++messages_ > limits_.max_messages) {
      return absl::ResourceExhaustedError(
          StrCat("the model has more than ", limits_.max_messages, " parts"));
    }
    WireReader reader(bytes);
    WireField field;
    while (reader.Next(field)) {
      const bool fine = visit(field);
      NEREID_RETURN_IF_ERROR(nested_);
      if (!fine) {
        return absl::InvalidArgumentError(StrCat("malformed ", message, ": field ", field.number));
      }
    }
    if (reader.ok()) return absl::OkStatus();
    return absl::InvalidArgumentError(StrCat("malformed ", message));
  }

  static bool Text(const WireField& field, std::string_view& out) {
    out = field.bytes;
    return field.kind == Kind::kBytes;
  }
  static bool Texts(const WireField& field, std::vector<std::string_view>& out) {
    out.push_back(field.bytes);
    return field.kind == Kind::kBytes;
  }
  static bool Number(const WireField& field, int64_t& out) {
    out = field.AsInt64();
    return field.kind == Kind::kVarint;
  }
  template <typename Message>
  bool Nested(const WireField& field, Message& out) {
    if (field.kind != Kind::kBytes) return false;
    nested_ = Parse(field.bytes, out);
    return nested_.ok();
  }
  template <typename Message>
  bool Repeated(const WireField& field, std::vector<Message>& out) {
    return Nested(field, out.emplace_back());
  }
  template <typename Message>
  bool Owned(const WireField& field, std::unique_ptr<Message>& out) {
    out = std::make_unique<Message>();
    return Nested(field, *out);
  }

  absl::Status Parse(std::string_view bytes, StringEntryProto& out);
  absl::Status Parse(std::string_view bytes, OperatorSetProto& out);
  absl::Status Parse(std::string_view bytes, TensorProto& out);
  absl::Status Parse(std::string_view bytes, SparseTensorProto& out);
  absl::Status Parse(std::string_view bytes, ValueInfoProto& out);
  absl::Status Parse(std::string_view bytes, AttributeProto& out);
  absl::Status Parse(std::string_view bytes, NodeProto& out);
  absl::Status Parse(std::string_view bytes, GraphProto& out);
  absl::Status Parse(std::string_view bytes, FunctionProto& out);
  absl::Status ParseType(std::string_view bytes, ValueInfoProto& out);
  absl::Status ParseTensorType(std::string_view bytes, ValueInfoProto& out);
  absl::Status ParseShape(std::string_view bytes, std::vector<DeclaredDim>& out);
  absl::Status ParseDim(std::string_view bytes, DeclaredDim& out);
  bool Descend(const WireField& field,
               absl::Status (Parser::*parse)(std::string_view, ValueInfoProto&),
               ValueInfoProto& out) {
    if (field.kind != Kind::kBytes) return false;
    nested_ = (this->*parse)(field.bytes, out);
    return nested_.ok();
  }

  const ParseLimits limits_;
  int64_t messages_ = 0;
  int64_t nodes_ = 0;
  int depth_ = 0;
  absl::Status nested_;  // of the message inside the current field
};

absl::Status Parser::Parse(std::string_view bytes, StringEntryProto& out) {
  return Walk(bytes, "StringStringEntryProto", [&](const WireField& field) {
    switch (field.number) {
      case 1:
        return Text(field, out.key);
      case 2:
        return Text(field, out.value);
      default:
        return true;
    }
  });
}

absl::Status Parser::Parse(std::string_view bytes, OperatorSetProto& out) {
  return Walk(bytes, "OperatorSetIdProto", [&](const WireField& field) {
    switch (field.number) {
      case 1:
        return Text(field, out.domain);
      case 2:
        return Number(field, out.version);
      default:
        return true;
    }
  });
}

absl::Status Parser::Parse(std::string_view bytes, TensorProto& out) {
  out.message = bytes;
  return Walk(bytes, "TensorProto", [&](const WireField& field) {
    int64_t location = 0;
    switch (field.number) {
      case 1:
        return AppendVarints(field, out.dims);
      case 2:
        return Number(field, out.data_type);
      case 3:
        return out.segmented = true;
      case 8:
        return Text(field, out.name);
      case 9:
        return Text(field, out.raw_data.emplace());
      case 13:
        return Repeated(field, out.external_data);
      case 14:
        if (!Number(field, location)) return false;
        out.external = location == 1;
        return location == 0 || location == 1;
      default:
        return true;
    }
  });
}

absl::Status Parser::Parse(std::string_view bytes, SparseTensorProto& out) {
  return Walk(bytes, "SparseTensorProto", [&](const WireField& field) {
    switch (field.number) {
      case 1:
        return Nested(field, out.values);
      case 2:
        return Nested(field, out.indices);
      case 3:
        return AppendVarints(field, out.dims);
      default:
        return true;
    }
  });
}

absl::Status Parser::ParseDim(std::string_view bytes, DeclaredDim& out) {
  return Walk(bytes, "TensorShapeProto.Dimension", [&](const WireField& field) {
    std::string_view symbol;
    switch (field.number) {
      case 1:
        if (!Number(field, out.value)) return false;
        if (out.value < 0) out.value = -1;
        return true;
      case 2:
        if (!Text(field, symbol)) return false;
        out.symbol = symbol;
        return true;
      default:
        return true;
    }
  });
}

absl::Status Parser::ParseShape(std::string_view bytes, std::vector<DeclaredDim>& out) {
  return Walk(bytes, "TensorShapeProto", [&](const WireField& field) {
    if (field.number != 1) return true;
    if (field.kind != Kind::kBytes) return false;
    nested_ = ParseDim(field.bytes, out.emplace_back());
    return nested_.ok();
  });
}

absl::Status Parser::ParseTensorType(std::string_view bytes, ValueInfoProto& out) {
  out.is_tensor = true;
  return Walk(bytes, "TypeProto.Tensor", [&](const WireField& field) {
    if (field.number == 1) return Number(field, out.elem_type);
    if (field.number != 2) return true;
    if (field.kind != Kind::kBytes) return false;
    nested_ = ParseShape(field.bytes, out.dims.emplace());
    return nested_.ok();
  });
}

absl::Status Parser::ParseType(std::string_view bytes, ValueInfoProto& out) {
  return Walk(bytes, "TypeProto", [&](const WireField& field) {
    return field.number != 1 || Descend(field, &Parser::ParseTensorType, out);
  });
}

absl::Status Parser::Parse(std::string_view bytes, ValueInfoProto& out) {
  return Walk(bytes, "ValueInfoProto", [&](const WireField& field) {
    switch (field.number) {
      case 1:
        return Text(field, out.name);
      case 2:
        return Descend(field, &Parser::ParseType, out);
      default:
        return true;
    }
  });
}

absl::Status Parser::Parse(std::string_view bytes, AttributeProto& out) {
  int64_t found = AttributeProto::kUndefined;
  const auto saw = [&found](AttributeProto::Type type, bool fine) {
    found = type;
    return fine;
  };
  NEREID_RETURN_IF_ERROR(Walk(bytes, "AttributeProto", [&](const WireField& field) {
    switch (field.number) {
      case 1:
        return Text(field, out.name);
      case 2:
        out.f = field.AsFloat();
        return saw(AttributeProto::kFloat, field.kind == Kind::kFixed32);
      case 3:
        return saw(AttributeProto::kInt, Number(field, out.i));
      case 4:
        return saw(AttributeProto::kString, Text(field, out.s));
      case 5:
        return saw(AttributeProto::kTensor, Owned(field, out.t));
      case 6:
        return saw(AttributeProto::kGraph, Owned(field, out.g));
      case 7:
        return saw(AttributeProto::kFloats, AppendFloats(field, out.floats));
      case 8:
        return saw(AttributeProto::kInts, AppendVarints(field, out.ints));
      case 9:
        return saw(AttributeProto::kStrings, Texts(field, out.strings));
      case 20:
        return Number(field, out.type);
      case 21:
        return Text(field, out.ref_attr_name);
      case 22:
        return saw(AttributeProto::kSparseTensor, Owned(field, out.sparse_tensor));
      default:
        return true;
    }
  }));
  if (out.type == AttributeProto::kUndefined) out.type = found;
  return absl::OkStatus();
}

absl::Status Parser::Parse(std::string_view bytes, NodeProto& out) {
  if (++nodes_ > limits_.max_nodes) {
    return absl::ResourceExhaustedError(
        StrCat("the model has more than ", limits_.max_nodes, " nodes"));
  }
  return Walk(bytes, "NodeProto", [&](const WireField& field) {
    switch (field.number) {
      case 1:
        return Texts(field, out.input);
      case 2:
        return Texts(field, out.output);
      case 3:
        return Text(field, out.name);
      case 4:
        return Text(field, out.op_type);
      case 5:
        return Repeated(field, out.attribute);
      case 7:
        return Text(field, out.domain);
      case 8:
        return Text(field, out.overload);
      default:
        return true;
    }
  });
}

absl::Status Parser::Parse(std::string_view bytes, GraphProto& out) {
  if (depth_ >= limits_.max_depth) {
    return absl::ResourceExhaustedError(
        StrCat("the model has graphs nested deeper than ", limits_.max_depth));
  }
  ++depth_;
  absl::Status status = Walk(bytes, "GraphProto", [&](const WireField& field) {
    switch (field.number) {
      case 1:
        return Repeated(field, out.node);
      case 2:
        return Text(field, out.name);
      case 5:
        return Repeated(field, out.initializer);
      case 11:
        return Repeated(field, out.input);
      case 12:
        return Repeated(field, out.output);
      case 13:
        return Repeated(field, out.value_info);
      case 15:
        return Repeated(field, out.sparse_initializer);
      default:
        return true;
    }
  });
  --depth_;
  return status;
}

absl::Status Parser::Parse(std::string_view bytes, FunctionProto& out) {
  return Walk(bytes, "FunctionProto", [&](const WireField& field) {
    switch (field.number) {
      case 1:
        return Text(field, out.name);
      case 4:
        return Texts(field, out.input);
      case 5:
        return Texts(field, out.output);
      case 6:
        return Texts(field, out.attribute);
      case 7:
        return Repeated(field, out.node);
      case 9:
        return Repeated(field, out.opset_import);
      case 10:
        return Text(field, out.domain);
      case 11:
        return Repeated(field, out.attribute_proto);
      case 13:
        return Text(field, out.overload);
      default:
        return true;
    }
  });
}

absl::Status Parser::Parse(std::string_view bytes, ModelProto& out) {
  return Walk(bytes, "ModelProto", [&](const WireField& field) {
    switch (field.number) {
      case 1:
        return Number(field, out.ir_version);
      case 2:
        return Text(field, out.producer_name);
      case 3:
        return Text(field, out.producer_version);
      case 7:
        return Nested(field, out.graph.emplace());
      case 8:
        return Repeated(field, out.opset_import);
      case 14:
        return Repeated(field, out.metadata_props);
      case 25:
        return Repeated(field, out.functions);
      default:
        return true;
    }
  });
}

}  // namespace

absl::StatusOr<ModelProto> ParseModel(std::string_view bytes, const ParseLimits& limits) {
  ModelProto model;
  NEREID_RETURN_IF_ERROR(Parser(limits).Parse(bytes, model));
  return model;
}

}  // namespace nereid::engine
