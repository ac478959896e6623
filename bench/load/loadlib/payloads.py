"""Inference requests as bytes, and their answers read back, without a client library."""

import json
import random
import struct

INPUT = "INPUT0"
OUTPUT = "OUTPUT0"


def floats(count, seed=1):
    """`count` little-endian FP32 values between -1 and 1."""
    rng = random.Random(seed)
    block = struct.pack("<1024f", *(rng.uniform(-1, 1) for _ in range(1024)))
    return (block * (count // 1024 + 1))[: 4 * count]


def http_body(shape, data, name=INPUT, output=OUTPUT):
    """(JSON head + binary tensor, length of the head)."""
    head = {
        "inputs": [{"name": name, "shape": shape, "datatype": "FP32",
                    "parameters": {"binary_data_size": len(data)}}],
        "outputs": [{"name": output, "parameters": {"binary_data": True}}],
    }
    text = json.dumps(head, separators=(",", ":")).encode()
    return text + data, len(text)


def _varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _field(number, payload):
    return _varint(number << 3 | 2) + _varint(len(payload)) + payload


def grpc_frame(model, shape, data, name=INPUT):
    """A ModelInferRequest behind gRPC's five-byte prefix."""
    tensor = (_field(1, name.encode()) + _field(2, b"FP32")
              + _field(3, b"".join(_varint(dim) for dim in shape)))
    message = _field(1, model.encode()) + _field(5, tensor) + _field(7, data)
    return b"\0" + struct.pack(">I", len(message)) + message


def grpc_raw_outputs(frame):
    """raw_output_contents of a framed ModelInferResponse."""
    if frame[0] != 0 or struct.unpack(">I", frame[1:5])[0] != len(frame) - 5:
        raise ValueError("not one uncompressed message")
    return [payload for number, payload in _fields(frame[5:]) if number == 6]


def _fields(message):
    at = 0
    while at < len(message):
        key, at = _read_varint(message, at)
        if key & 7 == 0:
            _, at = _read_varint(message, at)
        elif key & 7 == 2:
            size, at = _read_varint(message, at)
            yield key >> 3, message[at:at + size]
            at += size
        else:
            raise ValueError(f"unexpected wire type {key & 7}")


def _read_varint(message, at):
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at += 1
        shift += 7
        if byte < 0x80:
            return value, at
