#include "wire/kserve_protobuf_contents.h"

#include <cstring>
#include <limits>

#include "common/status_macros.h"
#include "common/strings.h"
#include "memory/host_memory.h"

namespace nereid {
namespace {

// One row a field of InferTensorContents, by number.
struct FieldRow {
  ProtobufType type;      // of a single element
  size_t width;           // bytes of a fixed element on the wire
  DataType natural_type;  // what the field is called in messages
};
constexpr FieldRow kFields[ContentsView::kFieldCount + 1] = {
    {ProtobufType::kVarint, 0, DataType::kInvalid},  // there is no field 0
    {ProtobufType::kVarint, 0, DataType::kBool},    {ProtobufType::kVarint, 0, DataType::kInt32},
    {ProtobufType::kVarint, 0, DataType::kInt64},   {ProtobufType::kVarint, 0, DataType::kUint32},
    {ProtobufType::kVarint, 0, DataType::kUint64},  {ProtobufType::kFixed32, 4, DataType::kFp32},
    {ProtobufType::kFixed64, 8, DataType::kFp64},   {ProtobufType::kBytes, 0, DataType::kBytes},
};
constexpr uint32_t kBytesField = 8;

// The number of the field that carries `type`; 0: none does.
uint32_t FieldOf(DataType type) {
  switch (type) {
    case DataType::kBool:
      return 1;
    case DataType::kInt8:
    case DataType::kInt16:
    case DataType::kInt32:
      return 2;
    case DataType::kInt64:
      return 3;
    case DataType::kUint8:
    case DataType::kUint16:
    case DataType::kUint32:
      return 4;
    case DataType::kUint64:
      return 5;
    case DataType::kFp32:
      return 6;
    case DataType::kFp64:
      return 7;
    case DataType::kBytes:
      return 8;
    default:
      return 0;
  }
}

bool CountVarints(std::string_view run, size_t* count) {
  ProtobufReader reader(run);
  uint64_t ignored;
  for (; !reader.AtEnd(); ++*count) {
    if (!reader.ReadVarint(&ignored)) return false;
  }
  return true;
}

// One value of field `number`, which is not packed.
bool CountSingle(ProtobufReader& reader, uint32_t key, ContentsView& contents) {
  ++contents.element_count[key >> 3];
  return reader.Skip(key);
}

bool CountRun(ProtobufReader& reader, uint32_t number, ContentsView& contents) {
  std::string_view run;
  if (!reader.ReadBytes(&run)) return false;
  size_t& count = contents.element_count[number];
  if (number == kBytesField) {
    ++count;
    return true;
  }
  const size_t width = kFields[number].width;
  if (width == 0) return CountVarints(run, &count);
  count += run.size() / width;
  return run.size() % width == 0;
}

// Calls `on_run` for every kBytes value of field `number` and `on_single` for every other one. The
// message has been counted, so it is well-formed.
template <typename OnRun, typename OnSingle>
void VisitField(const ContentsView& contents, uint32_t number, OnRun&& on_run,
                OnSingle&& on_single) {
  const uint32_t run_key = ProtobufKey(number, ProtobufType::kBytes);
  const uint32_t single_key = ProtobufKey(number, kFields[number].type);
  for (const std::string_view piece : contents.pieces) {
    ProtobufReader reader(piece);
    ReadProtobufFields(reader, [&](uint32_t key) {
      if (key == run_key) {
        std::string_view run;
        return reader.ReadBytes(&run) && on_run(run);
      }
      return key == single_key ? on_single(reader) : reader.Skip(key);
    });
  }
}

// Integers of at most 32 bits stand in fields of 32 bits: `Wire` is the type of the field, to which
// every varint is cut first, `Element` that of the tensor.
template <typename Wire, typename Element>
absl::Status CopyVarints(const InputView& input, uint32_t number, DataType type, std::byte* out) {
  absl::Status status;
  const auto copy_one = [&](ProtobufReader& reader) {
    uint64_t bits;
    if (!reader.ReadVarint(&bits)) return false;
    const Wire value = static_cast<Wire>(bits);
    const Element element = static_cast<Element>(value);
    if (static_cast<Wire>(element) != value) {
      status =
          absl::InvalidArgumentError(StrCat("value ", value, " is out of range for datatype ",
                                            ProtocolName(type), " of input '", input.name, "'"));
      return false;
    }
    std::memcpy(out, &element, sizeof(element));
    out += sizeof(element);
    return true;
  };
  VisitField(
      input.contents, number,
      [&](std::string_view run) {
        ProtobufReader reader(run);
        while (status.ok() && !reader.AtEnd()) copy_one(reader);
        return status.ok();
      },
      [&](ProtobufReader& reader) { return status.ok() && copy_one(reader); });
  return status;
}

absl::Status CopyBools(const InputView& input, std::byte* out) {
  const auto copy_one = [&](ProtobufReader& reader) {
    uint64_t bits;
    if (!reader.ReadVarint(&bits)) return false;
    *out++ = std::byte{bits != 0};
    return true;
  };
  VisitField(
      input.contents, 1,
      [&](std::string_view run) {
        ProtobufReader reader(run);
        while (!reader.AtEnd()) copy_one(reader);
        return true;
      },
      copy_one);
  return absl::OkStatus();
}

void CopyFixed(const InputView& input, uint32_t number, std::byte* out) {
  VisitField(
      input.contents, number,
      [&](std::string_view run) {
        if (!run.empty()) std::memcpy(out, run.data(), run.size());
        out += run.size();
        return true;
      },
      [&](ProtobufReader& reader) {
        uint32_t narrow;
        uint64_t wide;
        const size_t width = kFields[number].width;
        const bool ok = width == 4 ? reader.ReadFixed32(&narrow) : reader.ReadFixed64(&wide);
        if (!ok) return false;
        std::memcpy(out, width == 4 ? static_cast<void*>(&narrow) : &wide, width);
        out += width;
        return true;
      });
}

absl::StatusOr<Payload> ConvertBytes(const InputView& input) {
  size_t byte_size = 0;
  const auto no_single = [](ProtobufReader&) { return false; };
  VisitField(
      input.contents, kBytesField,
      [&](std::string_view element) {
        byte_size += sizeof(uint32_t) + element.size();
        return true;
      },
      no_single);
  NEREID_ASSIGN_OR_RETURN(const Buffer buffer, AllocateHost(byte_size));
  std::byte* out = buffer.data();
  VisitField(
      input.contents, kBytesField,
      [&](std::string_view element) {
        const auto length = static_cast<uint32_t>(element.size());
        std::memcpy(out, &length, sizeof(length));
        if (!element.empty()) std::memcpy(out + sizeof(length), element.data(), element.size());
        out += sizeof(length) + element.size();
        return true;
      },
      no_single);
  return Payload(buffer.owner(), buffer.data(), byte_size);
}

absl::Status CopyIntegers(const InputView& input, DataType type, std::byte* out) {
  switch (type) {
    case DataType::kBool:
      return CopyBools(input, out);
    case DataType::kInt8:
      return CopyVarints<int32_t, int8_t>(input, 2, type, out);
    case DataType::kInt16:
      return CopyVarints<int32_t, int16_t>(input, 2, type, out);
    case DataType::kInt32:
      return CopyVarints<int32_t, int32_t>(input, 2, type, out);
    case DataType::kInt64:
      return CopyVarints<int64_t, int64_t>(input, 3, type, out);
    case DataType::kUint8:
      return CopyVarints<uint32_t, uint8_t>(input, 4, type, out);
    case DataType::kUint16:
      return CopyVarints<uint32_t, uint16_t>(input, 4, type, out);
    case DataType::kUint32:
      return CopyVarints<uint32_t, uint32_t>(input, 4, type, out);
    case DataType::kUint64:
      return CopyVarints<uint64_t, uint64_t>(input, 5, type, out);
    default:
      return absl::InternalError(StrCat("no integers of type ", ProtocolName(type)));
  }
}

// The run that holds all `byte_size` bytes of field `number`; empty when they are scattered.
std::string_view WholeRun(const InputView& input, uint32_t number, size_t byte_size) {
  std::string_view whole;
  VisitField(
      input.contents, number,
      [&](std::string_view run) {
        if (run.size() == byte_size) whole = run;
        return true;
      },
      [](ProtobufReader&) { return false; });
  return whole;
}

std::string Subject(const InputView& input, std::string_view model_name) {
  return StrCat("unexpected explicit tensor data for input tensor '", input.name, "' for model '",
                model_name, "'");
}

// The only field with elements; 0 when there is none.
absl::StatusOr<uint32_t> PopulatedField(const InputView& input, DataType data_type,
                                        std::string_view model_name) {
  uint32_t populated = 0;
  for (uint32_t number = 1; number <= ContentsView::kFieldCount; ++number) {
    if (input.contents.element_count[number] == 0) continue;
    if (populated != 0) {
      return absl::InvalidArgumentError(
          StrCat(Subject(input, model_name), ", binary data was already supplied."));
    }
    if (number != FieldOf(data_type)) {
      return absl::InvalidArgumentError(StrCat(
          Subject(input, model_name), " of type '", ProtocolName(kFields[number].natural_type),
          "', expected datatype '", ProtocolName(data_type), "'"));
    }
    populated = number;
  }
  return populated;
}

}  // namespace

bool CountElements(std::string_view piece, ContentsView& contents) {
  ProtobufReader reader(piece);
  return ReadProtobufFields(reader, [&](uint32_t key) {
    const uint32_t number = key >> 3;
    if (number > ContentsView::kFieldCount) return reader.Skip(key);
    if ((key & 7) == static_cast<uint32_t>(ProtobufType::kBytes)) {
      return CountRun(reader, number, contents);
    }
    const bool is_element = key == ProtobufKey(number, kFields[number].type);
    return is_element ? CountSingle(reader, key, contents) : reader.Skip(key);
  });
}

absl::StatusOr<Payload> ConvertContents(const InputView& input, DataType data_type,
                                        std::string_view model_name,
                                        const std::shared_ptr<const void>& storage) {
  NEREID_ASSIGN_OR_RETURN(const uint32_t field, PopulatedField(input, data_type, model_name));
  if (field == 0) return Payload();
  if (field == kBytesField) return ConvertBytes(input);

  const size_t byte_size = input.contents.element_count[field] * ElementByteSize(data_type);
  const bool is_fixed = kFields[field].width != 0;
  if (is_fixed) {
    const std::string_view run = WholeRun(input, field, byte_size);
    if (!run.empty()) {
      return Payload(storage, reinterpret_cast<const std::byte*>(run.data()), run.size());
    }
  }
  NEREID_ASSIGN_OR_RETURN(const Buffer buffer, AllocateHost(byte_size));
  if (is_fixed) {
    CopyFixed(input, field, buffer.data());
  } else {
    NEREID_RETURN_IF_ERROR(CopyIntegers(input, data_type, buffer.data()));
  }
  return Payload(buffer.owner(), buffer.data(), byte_size);
}

}  // namespace nereid
