"""Requests that are wrong in what they say: every level of the JSON, sizes, types, names, both protocols."""
import gzip
import json
import struct
import zlib

import grpc
import numpy as np
import pytest
from tritonclient.grpc import service_pb2, service_pb2_grpc

import toolbox
from conftest import running
from toolbox import http, still_serves

INFER = "/v2/models/simple/infer"
VALUES = list(range(16))


def tensor(name="INPUT0", **changes):
    return {"name": name, "datatype": "INT32", "shape": [1, 16], "data": VALUES, **changes}


def body(first=None, **changes):
    return {"inputs": [first or tensor(), tensor("INPUT1")], **changes}


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    repository = tmp_path_factory.mktemp("requests")
    toolbox.write_simple(repository)
    toolbox.write_identity(repository, "strings", dtype="TYPE_STRING")
    toolbox.write_identity(repository, "bytes8", dtype="TYPE_UINT8")
    toolbox.write_identity(repository, "bools", dtype="TYPE_BOOL")
    with running(f"--model-repository={repository}", "--http-max-input-size=4000000") as server:
        yield server


@pytest.fixture(autouse=True)
def survives(target):
    yield
    still_serves(target)


ANY = [None, True, 7, -1, 1.5, "text", [], {}, [[]], [None], {"a": {}}]
PLACES = {
    "root": lambda x: x,
    "inputs": lambda x: body(inputs=x),
    "input": lambda x: {"inputs": [x, tensor("INPUT1")]},
    "name": lambda x: body(tensor(name=x)),
    "datatype": lambda x: body(tensor(datatype=x)),
    "shape": lambda x: body(tensor(shape=x)),
    "shape entry": lambda x: body(tensor(shape=[1, x])),
    "data": lambda x: body(tensor(data=x)),
    "data entry": lambda x: body(tensor(data=[x] * 16)),
    "outputs": lambda x: body(outputs=x),
    "output": lambda x: body(outputs=[x]),
    "output name": lambda x: body(outputs=[{"name": x}]),
    "id": lambda x: body(id=x),
    "parameters": lambda x: body(parameters=x),
    "input parameters": lambda x: body(tensor(parameters=x)),
    "binary_data_size": lambda x: body(tensor(parameters={"binary_data_size": x})),
    "binary_data_output": lambda x: body(parameters={"binary_data_output": x}),
    "classification": lambda x: body(outputs=[{"name": "OUTPUT0", "parameters": {"classification": x}}]),
    "binary_data": lambda x: body(outputs=[{"name": "OUTPUT0", "parameters": {"binary_data": x}}]),
    "priority": lambda x: body(parameters={"priority": x}),
    "timeout": lambda x: body(parameters={"timeout": x}),
    "sequence_id": lambda x: body(parameters={"sequence_id": x}),
    "sequence_start": lambda x: body(parameters={"sequence_start": x}),
    "any parameter": lambda x: body(parameters={"own": x}),
    "shared_memory_region": lambda x: body({"name": "INPUT0", "datatype": "INT32", "shape": [1, 16],
                                            "parameters": {"shared_memory_region": x}}),
}


@pytest.mark.parametrize("place", PLACES)
def test_any_value_in_any_place_gets_an_answer(target, place):
    for value in ANY:
        reply = http(target.http, INFER, json.dumps(PLACES[place](value)))
        assert reply is not None and reply.status in (200, 400, 404, 500, 501), (value, reply)
        if reply.status != 200 and "octet" not in reply.headers["content-type"]:
            assert reply.error, (value, reply)


MUST_FAIL = ["inputs", "input", "name", "datatype", "shape", "data"]


@pytest.mark.parametrize("place", MUST_FAIL)
def test_no_other_type_passes_where_the_request_needs_its_own(target, place):
    for value in ANY:
        reply = http(target.http, INFER, json.dumps(PLACES[place](value)))
        assert reply.status in (400, 500), (value, reply)


@pytest.mark.parametrize("key", ["name", "datatype", "shape", "data"])
def test_a_missing_member_is_named(target, key):
    wrong = tensor()
    del wrong[key]
    reply = http(target.http, INFER, json.dumps(body(wrong)))
    assert reply.status in (400, 500) and (key in reply.error or key == "data"), reply


def test_every_prefix_of_a_request_is_refused(target):
    whole = json.dumps(body())
    with toolbox.RawConnection(target.http) as connection:
        for end in range(0, len(whole) - 1):
            connection.send(toolbox.request_bytes(INFER, whole[:end]))
            reply = connection.reply()
            assert reply.status in (400, 500), (whole[:end], reply)
            assert reply.error


def test_every_single_byte_may_be_wrong(target):
    whole = json.dumps(body()).encode()
    with toolbox.RawConnection(target.http) as connection:
        for place in range(len(whole)):
            for wrong in (b"\0", b"\xff", b'"', b"}"):
                connection.send(toolbox.request_bytes(INFER, whole[:place] + wrong + whole[place + 1:]))
                assert connection.reply().status in (200, 400, 500)


@pytest.mark.parametrize("text", [
    "[" * 100_000, '{"a":' * 100_000, '{"inputs":' + "[" * 100_000, '{"inputs":[{"data":' + "[" * 1_000_000,
    '{"inputs":[{"name":"INPUT0","datatype":"INT32","shape":[1,16],"data":' + "[" * 200 + "1" + "]" * 200 + "}]}",
    '{"parameters":{"x":' + '{"y":' * 50_000 + "1" + "}" * 50_000 + "}}"], ids=len)
def test_bottomless_nesting_is_refused(target, text):
    reply = http(target.http, INFER, text)
    assert reply.status in (400, 500) and reply.error


def test_a_hundred_thousand_members_are_no_trouble(target):
    crowd = {f"k{i}": i for i in range(100_000)}
    reply = http(target.http, INFER, json.dumps(body(parameters=crowd)))
    assert reply.status in (200, 400)
    reply = http(target.http, INFER, json.dumps({"inputs": [tensor(f"I{i}", data=[]) for i in range(20_000)]}))
    assert reply.status in (400, 500)
    reply = http(target.http, INFER, json.dumps(body(outputs=[{"name": f"O{i}"} for i in range(50_000)])))
    assert reply.status == 400


@pytest.mark.parametrize("number", ["2147483648", "-2147483649", "1e3", "1.0", "99999999999999999999", "1e999", "NaN",
                                    "0x10", "01", "+1", "-", "1.", ".5", "--1"])
def test_numbers_that_are_no_int32_are_refused(target, number):
    data = "[" + ",".join([number] * 16) + "]"
    text = json.dumps(body(tensor(data="DATA"))).replace('"DATA"', data)
    assert http(target.http, INFER, text).status in (400, 500)


@pytest.mark.parametrize("model, dtype, data", [("bytes8", "UINT8", [256]), ("bytes8", "UINT8", [-1]), ("bools", "BOOL", [1]),
                                                ("bools", "BOOL", ["true"]), ("strings", "BYTES", [1]), ("strings", "BYTES", [None])])
def test_values_out_of_range_are_refused(target, model, dtype, data):
    reply = http(target.http, f"/v2/models/{model}/infer", toolbox.json_infer_body(data, dtype=dtype))
    assert reply.status in (400, 500), reply


# --- binary tensors over HTTP ------------------------------------------------------------------------

def binary(head, tail, headers=None, path=INFER):
    text = json.dumps(head).encode()
    return toolbox.request_bytes(path, text + tail, headers={"Inference-Header-Content-Length": str(len(text)),
                                                             **(headers or {})})


def send(target, request):
    with toolbox.RawConnection(target.http) as connection:
        connection.send(request)
        return connection.reply()


def described(size, name="INPUT0", dtype="INT32", shape=(1, 16)):
    return {"name": name, "datatype": dtype, "shape": list(shape), "parameters": {"binary_data_size": size}}


@pytest.mark.parametrize("first, second, tail", [(64, 64, 127), (64, 64, 129), (64, 64, 0), (60, 64, 124), (68, 64, 132),
                                                 (0, 64, 64), (64, 64, 1_000_000), (128, 0, 128)])
def test_binary_tensors_of_a_wrong_size_are_refused(target, first, second, tail):
    reply = send(target, binary({"inputs": [described(first), described(second, "INPUT1")]}, b"\1" * tail))
    assert reply.status == 400 and reply.error, reply


@pytest.mark.parametrize("tail", [b"", b"\1", b"\1\0\0", b"\4\0\0\0abc", b"\xff\xff\xff\xffabc", b"\3\0\0\0abc" * 2,
                                  b"\0\0\0\x80abcd", b"\3\0\0\0abc\0"])
def test_strings_that_do_not_add_up_are_refused(target, tail):
    head = {"inputs": [described(len(tail), dtype="BYTES", shape=(1, 1))]}
    reply = send(target, binary(head, tail, path="/v2/models/strings/infer"))
    assert reply.status == 400 and reply.error, reply
    with grpc.insecure_channel(target.grpc) as channel:
        request = service_pb2.ModelInferRequest(model_name="strings")
        request.inputs.add(name="INPUT0", datatype="BYTES", shape=[1, 1])
        request.raw_input_contents.append(tail)
        with pytest.raises(grpc.RpcError) as error:
            service_pb2_grpc.GRPCInferenceServiceStub(channel).ModelInfer(request, timeout=10)
        assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("encoding, data", [
    ("gzip", b"not gzip"), ("deflate", b"not deflate"), ("gzip", gzip.compress(json.dumps(body()).encode())[:-9]),
    ("deflate", zlib.compress(json.dumps(body()).encode())[:-5]), ("gzip", b""), ("br", b"x"), ("GZIP", b"x"),
    ("gzip, gzip", b"x")])
def test_bodies_that_do_not_decompress_are_refused(target, encoding, data):
    reply = http(target.http, INFER, data, headers={"Content-Encoding": encoding})
    assert reply.status in (400, 501) and reply.error, reply


def test_a_bomb_is_stopped_at_the_limit(target):
    before = toolbox.resident_kib(target)
    for compress, encoding in ((gzip.compress, "gzip"), (zlib.compress, "deflate")):
        reply = http(target.http, INFER, compress(b" " * 100_000_000), headers={"Content-Encoding": encoding})
        assert reply.status == 400 and "4000000" in reply.error, reply
    assert toolbox.resident_kib(target) - before < 60_000


# --- gRPC ----------------------------------------------------------------------------------------------

@pytest.fixture
def stub(target):
    with grpc.insecure_channel(target.grpc) as channel:
        yield service_pb2_grpc.GRPCInferenceServiceStub(channel)


def sound():
    request = service_pb2.ModelInferRequest(model_name="simple")
    for name in ("INPUT0", "INPUT1"):
        request.inputs.add(name=name, datatype="INT32", shape=[1, 16])
        request.raw_input_contents.append(struct.pack("<16i", *VALUES))
    return request


def typed():
    request = service_pb2.ModelInferRequest(model_name="simple")
    for name in ("INPUT0", "INPUT1"):
        request.inputs.add(name=name, datatype="INT32", shape=[1, 16]).contents.int_contents.extend(VALUES)
    return request


def change(request, edit):
    edit(request)
    return request


WRONG = {
    "raw too short": lambda r: r.raw_input_contents.__setitem__(0, b"\0" * 60),
    "raw too long": lambda r: r.raw_input_contents.__setitem__(0, b"\0" * 68),
    "raw odd": lambda r: r.raw_input_contents.__setitem__(0, b"\0" * 63),
    "raw missing": lambda r: r.raw_input_contents.pop(),
    "no raw": lambda r: r.ClearField("raw_input_contents"),
    "raw and typed": lambda r: r.inputs[0].contents.int_contents.extend(VALUES),
    "wrong name": lambda r: setattr(r.inputs[0], "name", "INPUT9"),
    "no name": lambda r: setattr(r.inputs[0], "name", ""),
    "same name twice": lambda r: setattr(r.inputs[0], "name", "INPUT1"),
    "wrong type": lambda r: setattr(r.inputs[0], "datatype", "FP32"),
    "no type": lambda r: setattr(r.inputs[0], "datatype", ""),
    "odd type": lambda r: setattr(r.inputs[0], "datatype", "int32"),
    "wrong shape": lambda r: r.inputs[0].shape.__setitem__(1, 15),
    "no shape": lambda r: r.inputs[0].ClearField("shape"),
    "negative shape": lambda r: r.inputs[0].shape.__setitem__(1, -1),
    "overflowing shape": lambda r: r.inputs[0].shape.extend([2 ** 62, 4]),
    "batch too large": lambda r: r.inputs[0].shape.__setitem__(0, 2 ** 62),
    "too few inputs": lambda r: r.inputs.pop(),
    "too many inputs": lambda r: r.inputs.add(name="INPUT2", datatype="INT32", shape=[1, 16]),
    "unknown output": lambda r: r.outputs.add(name="OUTPUT9"),
    "same output twice": lambda r: (r.outputs.add(name="OUTPUT0"), r.outputs.add(name="OUTPUT0")),
    "bad classification": lambda r: r.outputs.add(name="OUTPUT0").parameters["classification"].__setattr__("int64_param", -1),
    "text classification": lambda r: r.outputs.add(name="OUTPUT0").parameters["classification"].__setattr__("string_param", "1"),
    "bad version": lambda r: setattr(r, "model_version", "latest"),
    "huge version": lambda r: setattr(r, "model_version", "9" * 30),
    "negative version": lambda r: setattr(r, "model_version", "-1"),
    "bad priority": lambda r: r.parameters["priority"].__setattr__("string_param", "high"),
    "negative priority": lambda r: r.parameters["priority"].__setattr__("int64_param", -1),
    "bad timeout": lambda r: r.parameters["timeout"].__setattr__("bool_param", True),
    "reserved parameter": lambda r: r.parameters["triton_x"].__setattr__("bool_param", True),
    "parameter without value": lambda r: r.parameters["own"],
}


@pytest.mark.parametrize("fault", WRONG)
def test_wrong_grpc_requests_are_refused(stub, fault):
    with pytest.raises(grpc.RpcError) as error:
        stub.ModelInfer(change(sound(), WRONG[fault]), timeout=10)
    assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT, error.value
    assert error.value.details()


WRONG_TYPED = {
    "too few values": lambda r: r.inputs[0].contents.int_contents.pop(),
    "too many values": lambda r: r.inputs[0].contents.int_contents.append(1),
    "other field": lambda r: (r.inputs[0].ClearField("contents"), r.inputs[0].contents.fp32_contents.extend([1.0] * 16)),
    "two fields": lambda r: r.inputs[0].contents.uint_contents.extend(VALUES),
    "no field": lambda r: r.inputs[0].contents.ClearField("int_contents"),
    "bytes": lambda r: (r.inputs[0].ClearField("contents"), r.inputs[0].contents.bytes_contents.extend([b"1"] * 16)),
}


@pytest.mark.parametrize("fault", WRONG_TYPED)
def test_wrong_typed_contents_are_refused(stub, fault):
    stub.ModelInfer(typed(), timeout=10)
    with pytest.raises(grpc.RpcError) as error:
        stub.ModelInfer(change(typed(), WRONG_TYPED[fault]), timeout=10)
    assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT, error.value


@pytest.mark.parametrize("values", [[256], [2 ** 32 - 1]])
def test_typed_values_out_of_range_are_refused(stub, values):
    request = service_pb2.ModelInferRequest(model_name="bytes8")
    request.inputs.add(name="INPUT0", datatype="UINT8", shape=[1, 1]).contents.uint_contents.extend(values)
    with pytest.raises(grpc.RpcError) as error:
        stub.ModelInfer(request, timeout=10)
    assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT and "out of range" in error.value.details()


def test_every_prefix_of_a_message_gets_an_answer(target):
    message = sound().SerializeToString()
    with grpc.insecure_channel(target.grpc) as channel:
        call = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        for end in range(len(message)):
            with pytest.raises(grpc.RpcError) as error:
                call(message[:end], timeout=10)
            assert error.value.code() in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.INTERNAL,
                                          grpc.StatusCode.NOT_FOUND), (end, error.value)


def test_random_damage_gets_an_answer(target):
    message = bytearray(sound().SerializeToString())
    random = np.random.default_rng(3)
    with grpc.insecure_channel(target.grpc) as channel:
        call = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        for _ in range(1500):
            damaged = bytearray(message)
            for place in random.integers(0, len(damaged), random.integers(1, 5)):
                damaged[place] = random.integers(0, 256)
            try:
                call(bytes(damaged), timeout=10)
            except grpc.RpcError as error:
                assert error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED,
                                            grpc.StatusCode.UNKNOWN) or "not at ready" in error.details(), error
