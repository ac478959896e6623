"""Reads and edits the few parts of an ONNX file that serving needs, with the standard library only.

An ONNX file is one protobuf message. Only the path to what is edited is taken apart; everything else
is copied byte for byte, so weights and operators cannot change. Field numbers are those of onnx.proto3:
ModelProto.graph 7, .metadata_props 14; GraphProto.input 11, .output 12; ValueInfoProto.name 1, .type 2;
TypeProto.tensor_type 1; Tensor.shape 2; TensorShapeProto.dim 1; Dimension.dim_value 1, .dim_param 2.
"""

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


def _read_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def fields(data):
    """Yields (number, wire type, value); value is an int for varints and a bytes-like object otherwise."""
    at = 0
    while at < len(data):
        key, at = _read_varint(data, at)
        kind = key & 7
        if kind == VARINT:
            value, at = _read_varint(data, at)
        else:
            if kind == BYTES:
                size, at = _read_varint(data, at)
            elif kind in (FIXED64, FIXED32):
                size = 8 if kind == FIXED64 else 4
            else:
                raise ValueError(f"unexpected wire type {kind}")
            value, at = data[at:at + size], at + size
            if len(value) != size:
                raise ValueError("truncated message")
        yield key >> 3, kind, value


def message(items):
    """The inverse of fields()."""
    out = []
    for number, kind, value in items:
        out.append(_varint(number << 3 | kind))
        if kind == VARINT:
            out.append(_varint(value))
        else:
            if kind == BYTES:
                out.append(_varint(len(value)))
            out.append(bytes(value))
    return b"".join(out)


def _edit(data, number, change):
    """Applies `change` to each sub-message with this field number."""
    return message((n, k, change(v) if n == number and k == BYTES else v) for n, k, v in fields(data))


def metadata(data):
    """The model's metadata_props as a dict."""
    result = {}
    for number, _, value in fields(data):
        if number == 14:
            entry = {n: bytes(v).decode() for n, _, v in fields(value)}
            result[entry[1]] = entry.get(2, "")
    return result


def _dimension(axis):
    if isinstance(axis, int):
        return message([(1, VARINT, axis)])
    return message([(2, BYTES, axis.encode())])


def name_axes(data, axes):
    """Returns the model with the shapes of graph inputs and outputs replaced.

    axes: tensor name -> list of axes, an int for a fixed one and a string for the name of a dynamic one.
    A tensor that the graph does not have, or a different number of axes, is an error.
    """
    left = set(axes)

    def set_shape(tensor_name, shape):
        count = sum(1 for number, _, _ in fields(shape) if number == 1)
        if count != len(axes[tensor_name]):
            raise ValueError(f"{tensor_name} has {count} axes, not {len(axes[tensor_name])}")
        return message((1, BYTES, _dimension(axis)) for axis in axes[tensor_name])

    def value_info(data):
        name = next(bytes(v).decode() for n, _, v in fields(data) if n == 1)
        if name not in axes:
            return data
        left.discard(name)
        return _edit(data, 2, lambda kind: _edit(
            kind, 1, lambda tensor: _edit(tensor, 2, lambda shape: set_shape(name, shape))))

    def graph(data):
        return _edit(_edit(data, 11, value_info), 12, value_info)

    result = _edit(memoryview(data), 7, graph)
    if left:
        raise ValueError("the graph has no tensor " + ", ".join(sorted(left)))
    return result
