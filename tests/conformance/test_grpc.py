"""An unmodified gRPC client, synchronous, against the served models."""
import queue
import re
import threading
import time
import urllib.request

import grpc
import numpy as np
import pytest
import tritonclient.grpc as client
from tritonclient.grpc import service_pb2 as messages
from tritonclient.grpc import service_pb2_grpc as stubs
from tritonclient.utils import InferenceServerException

IDENTITY_TYPES = {
    "BOOL": ("TYPE_BOOL", np.array([[True, False]])),
    "UINT8": ("TYPE_UINT8", np.array([[0, 255]], np.uint8)),
    "UINT16": ("TYPE_UINT16", np.array([[0, 65535]], np.uint16)),
    "UINT32": ("TYPE_UINT32", np.array([[0, 2**32 - 1]], np.uint32)),
    "UINT64": ("TYPE_UINT64", np.array([[0, 2**64 - 1]], np.uint64)),
    "INT8": ("TYPE_INT8", np.array([[-128, 127]], np.int8)),
    "INT16": ("TYPE_INT16", np.array([[-2**15, 2**15 - 1]], np.int16)),
    "INT32": ("TYPE_INT32", np.array([[-2**31, 2**31 - 1]], np.int32)),
    "INT64": ("TYPE_INT64", np.array([[-2**63, 2**63 - 1]], np.int64)),
    "FP16": ("TYPE_FP16", np.array([[0.5, -2]], np.float16)),
    "FP32": ("TYPE_FP32", np.array([[0.5, np.inf]], np.float32)),
    "FP64": ("TYPE_FP64", np.array([[0.5, -1e300]], np.float64)),
    "BYTES": ("TYPE_STRING", np.array([[b"", b"\x00\xff"]], np.object_)),
}
TYPED_CONTENTS = {
    "BOOL": ("bool_contents", [True, False], b"\1\0"),
    "UINT8": ("uint_contents", [1, 255], b"\1\xff"),
    "UINT16": ("uint_contents", [1, 2], b"\1\0\2\0"),
    "UINT32": ("uint_contents", [1], b"\1\0\0\0"),
    "UINT64": ("uint64_contents", [1], b"\1" + bytes(7)),
    "INT8": ("int_contents", [-1], b"\xff"),
    "INT16": ("int_contents", [-1], b"\xff\xff"),
    "INT32": ("int_contents", [-1], b"\xff" * 4),
    "INT64": ("int64_contents", [-1], b"\xff" * 8),
    "FP32": ("fp32_contents", [1.0], np.float32(1).tobytes()),
    "FP64": ("fp64_contents", [1.0], np.float64(1).tobytes()),
    "BYTES": ("bytes_contents", [b"ab", b""], b"\2\0\0\0ab\0\0\0\0"),
}


def make_input(name, array, datatype):
    tensor = client.InferInput(name, list(array.shape), datatype)
    tensor.set_data_from_numpy(array)
    return tensor


def simple_inputs(dtype=np.int32, datatype="INT32"):
    a = np.arange(16, dtype=np.int32).reshape(1, 16)
    b = np.full((1, 16), 3, np.int32)
    inputs = [make_input("INPUT0", a.astype(dtype), datatype),
              make_input("INPUT1", b.astype(dtype), datatype)]
    return inputs, a + b, a - b


def failure(call, *arguments, **keywords):
    """Code and text of the error that the call raises."""
    with pytest.raises(InferenceServerException) as raised:
        call(*arguments, **keywords)
    return raised.value.status(), raised.value.message()


def identity_config(name, data_type, extra=""):
    return (f'name: "{name}" backend: "identity" max_batch_size: 8 {extra}\n'
            f'input {{ name: "INPUT0" data_type: {data_type} dims: [ -1 ] }}\n'
            f'output {{ name: "OUTPUT0" data_type: {data_type} dims: [ -1 ] }}\n')


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """An identity model of every type, and one that takes its time."""
    root = tmp_path_factory.mktemp("repository")

    def add(name, config):
        (root / name / "1").mkdir(parents=True)
        (root / name / "config.pbtxt").write_text(config)

    for datatype, (data_type, _) in IDENTITY_TYPES.items():
        add(f"identity_{datatype}", identity_config(f"identity_{datatype}", data_type))
    add("identity_BF16", identity_config("identity_BF16", "TYPE_BF16"))
    add("slow", identity_config(
        "slow", "TYPE_FP32",
        'parameters { key: "execute_delay_ms" value { string_value: "2000" } }'))
    return root


@pytest.fixture(scope="module")
def identities(repository):
    from conftest import running

    with running(f"--model-repository={repository}") as server:
        with client.InferenceServerClient(server.grpc) as opened:
            yield opened


@pytest.fixture
def stub(server):
    with grpc.insecure_channel(server.grpc) as channel:
        yield stubs.GRPCInferenceServiceStub(channel)


def test_health(grpc_client):
    assert grpc_client.is_server_live()
    assert grpc_client.is_server_ready()
    assert grpc_client.is_model_ready("simple")
    assert grpc_client.is_model_ready("simple", "1")
    assert failure(grpc_client.is_model_ready, "none") == (
        "StatusCode.NOT_FOUND", "Request for unknown model: 'none' is not found")
    assert failure(grpc_client.is_model_ready, "simple", "7") == (
        "StatusCode.NOT_FOUND", "Request for unknown model: 'simple' version 7 is not found")


def test_standard_health(server):
    with grpc.insecure_channel(server.grpc) as channel:
        check = channel.unary_unary("/grpc.health.v1.Health/Check")
        assert check(b"") == b"\x08\x01"
        assert check(b"\x0a\x01x") == b"\x08\x01"
        with pytest.raises(grpc.RpcError) as raised:
            list(channel.unary_stream("/grpc.health.v1.Health/Watch")(b""))
        assert raised.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_server_metadata(grpc_client):
    metadata = grpc_client.get_server_metadata()
    assert metadata.name == "triton"
    assert metadata.version
    assert "statistics" in metadata.extensions


def test_model_metadata(grpc_client):
    metadata = grpc_client.get_model_metadata("simple", as_json=True)
    assert metadata == {
        "name": "simple", "versions": ["1"], "platform": "onnxruntime_onnx",
        "inputs": [{"name": f"INPUT{i}", "datatype": "INT32", "shape": ["-1", "16"]} for i in (0, 1)],
        "outputs": [{"name": f"OUTPUT{i}", "datatype": "INT32", "shape": ["-1", "16"]} for i in (0, 1)]}
    assert failure(grpc_client.get_model_metadata, "simple", "x")[0] == "StatusCode.INVALID_ARGUMENT"


def test_model_config(grpc_client):
    config = grpc_client.get_model_config("simple").config
    assert config.name == "simple"
    assert config.max_batch_size == 8
    assert [tensor.name for tensor in config.input] == ["INPUT0", "INPUT1"]
    assert config.instance_group


def test_statistics_count_requests(grpc_client):
    before = grpc_client.get_inference_statistics("simple").model_stats[0]
    inputs, _, _ = simple_inputs()
    for _ in range(3):
        grpc_client.infer("simple", inputs)
    after = grpc_client.get_inference_statistics("simple").model_stats[0]
    assert after.inference_stats.success.count == before.inference_stats.success.count + 3
    assert after.inference_stats.queue.count == after.inference_stats.success.count
    assert after.inference_count == before.inference_count + 3
    assert after.inference_stats.success.ns > before.inference_stats.success.ns
    assert len(grpc_client.get_inference_statistics().model_stats) > 1
    assert failure(grpc_client.get_inference_statistics, "none")[1] == (
        "requested model 'none' is not available")


def test_repository_index(grpc_client):
    index = grpc_client.get_model_repository_index()
    assert {row.name: row.state for row in index.models}["simple"] == "READY"


def test_infer(grpc_client):
    inputs, total, difference = simple_inputs()
    outputs = [client.InferRequestedOutput("OUTPUT1"), client.InferRequestedOutput("OUTPUT0")]
    for wanted in (None, outputs):
        result = grpc_client.infer("simple", inputs, outputs=wanted, request_id="17")
        np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), total)
        np.testing.assert_array_equal(result.as_numpy("OUTPUT1"), difference)
        response = result.get_response()
        assert (response.model_name, response.model_version, response.id) == ("simple", "1", "17")
    only = grpc_client.infer("simple", inputs, outputs=outputs[:1])
    assert only.as_numpy("OUTPUT0") is None


def test_infer_strings(grpc_client):
    def texts(array):
        return np.array([[str(value).encode() for value in array[0]]], np.object_)

    a, b = np.arange(16)[None], np.full((1, 16), 3)
    inputs = [make_input("INPUT0", texts(a), "BYTES"), make_input("INPUT1", texts(b), "BYTES")]
    result = grpc_client.infer("simple_string", inputs)
    np.testing.assert_array_equal(result.as_numpy("OUTPUT0").astype(int), a + b)


@pytest.mark.parametrize("datatype", IDENTITY_TYPES)
def test_every_type_comes_back_as_it_went(identities, datatype):
    array = IDENTITY_TYPES[datatype][1]
    result = identities.infer(f"identity_{datatype}", [make_input("INPUT0", array, datatype)])
    np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), array)


def raw_infer(stub, model, datatype, shape, raw=None, contents=None, **fields):
    request = messages.ModelInferRequest(model_name=model, **fields)
    tensor = request.inputs.add(name="INPUT0", datatype=datatype, shape=shape)
    if contents is not None:
        getattr(tensor.contents, contents[0]).extend(contents[1])
    if raw is not None:
        request.raw_input_contents.append(raw)
    return stub.ModelInfer(request)


def test_bf16_comes_back_as_it_went(identities):
    response = raw_infer(identities._client_stub, "identity_BF16", "BF16", [1, 2], raw=b"\x80\x3f\0\x40")
    assert response.raw_output_contents == [b"\x80\x3f\0\x40"]


@pytest.mark.parametrize("datatype", TYPED_CONTENTS)
def test_typed_contents_of_every_type(identities, datatype):
    field, values, expected = TYPED_CONTENTS[datatype]
    response = raw_infer(identities._client_stub, f"identity_{datatype}", datatype,
                         [1, len(values)], contents=(field, values))
    assert response.raw_output_contents == [expected]
    assert not response.outputs[0].HasField("contents")


def rpc_failure(call, *arguments, **keywords):
    with pytest.raises(grpc.RpcError) as raised:
        call(*arguments, **keywords)
    return raised.value.code(), raised.value.details()


@pytest.mark.parametrize("arguments, text", [
    (dict(datatype="FP32", shape=[1, 1], contents=("int_contents", [1])),
     "unexpected explicit tensor data for input tensor 'INPUT0' for model 'identity_fp32' of type "
     "'INT32', expected datatype 'FP32'"),
    (dict(datatype="FP32", shape=[1, 1], contents=("fp32_contents", [1]), raw=b"1234"),
     "contents field must not be specified when using raw_input_contents for 'INPUT0' for model "
     "'identity_fp32'"),
    (dict(datatype="FP32", shape=[1, 1]),
     "unable to find data for input tensor 'INPUT0' for model 'identity_fp32' in request."),
    (dict(datatype="FP32", shape=[1, 2], raw=b"1234"),
     "[request id: <id_unknown>] input byte size mismatch for input 'INPUT0' for model "
     "'identity_fp32'. Expected 8, got 4"),
    (dict(datatype="INT32", shape=[1, 1], raw=b"1234", id="9"),
     "[request id: 9] inference input 'INPUT0' data-type is 'INT32', but model 'identity_fp32' "
     "expects 'FP32'"),
    (dict(datatype="FP32", shape=[65, 1], raw=bytes(260)),
     "[request id: <id_unknown>] inference request batch-size must be <= 64 for 'identity_fp32'"),
    (dict(datatype="FP32", shape=[1, 1], raw=b"1234", model_version="one"),
     "failed to get model version from specified version string 'one' (details: stol), version "
     "should be an integral value > 0"),
    (dict(datatype="FP32", shape=[1, 2**62, 4], raw=b"1234"), None),
    (dict(datatype="FP32", shape=[1, -1], raw=b"1234"), None),
])
def test_refused_requests(stub, arguments, text):
    code, details = rpc_failure(raw_infer, stub, "identity_fp32", **arguments)
    assert code == grpc.StatusCode.INVALID_ARGUMENT
    assert text is None or details == text


def test_broken_messages_are_refused(server):
    with grpc.insecure_channel(server.grpc) as channel:
        infer = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        for broken in (b"\x0a\x7f", b"\xff" * 100, b"\x3a\xff\xff\xff\xff\x0f", b"\x0a\x02\xc3\x28"):
            assert rpc_failure(infer, broken)[0] == grpc.StatusCode.INVALID_ARGUMENT
        assert rpc_failure(infer, b"")[0] == grpc.StatusCode.NOT_FOUND


def test_unknown_output(grpc_client):
    inputs, _, _ = simple_inputs()
    status, text = failure(grpc_client.infer, "simple", inputs,
                           outputs=[client.InferRequestedOutput("NONE")])
    assert status == "StatusCode.INVALID_ARGUMENT"
    assert text == "unexpected inference output 'NONE' for model 'simple'"


def test_parameters(grpc_client):
    inputs, _, _ = simple_inputs()
    grpc_client.infer("simple", inputs, priority=2, timeout=1000000, parameters={"mine": 1.5, "s": "x"})
    grpc_client.infer("simple", inputs, sequence_id=0)


def test_classification(grpc_client):
    values = np.array([[1, 3.5, 2], [9, 7, 8]], np.float32)
    output = client.InferRequestedOutput("OUTPUT0", class_count=2)
    result = grpc_client.infer("identity_fp32", [make_input("INPUT0", values, "FP32")], outputs=[output])
    assert result.as_numpy("OUTPUT0").tolist() == [
        [b"3.500000:1", b"2.000000:2"], [b"9.000000:0", b"8.000000:2"]]


def test_classification_with_labels(grpc_client):
    image = np.zeros((1, 3, 48, 192), np.float32)
    output = client.InferRequestedOutput("save_infer_model/scale_0.tmp_1", class_count=1)
    result = grpc_client.infer("ocr_classifier", [make_input("x", image, "FP32")], outputs=[output])
    value, index, label = result.as_numpy("save_infer_model/scale_0.tmp_1")[0][0].decode().split(":")
    assert float(value) > 0 and index in "01" and label


@pytest.mark.parametrize("megabytes", [1, 12, 100])
def test_large_tensors(grpc_client, megabytes):
    values = np.arange(megabytes << 18, dtype=np.float32).reshape(1, -1)
    result = grpc_client.infer("identity_fp32", [make_input("INPUT0", values, "FP32")])
    assert result.as_numpy("OUTPUT0").tobytes() == values.tobytes()


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_compressed_requests(grpc_client, algorithm):
    values = np.zeros((1, 100000), np.float32)
    result = grpc_client.infer("identity_fp32", [make_input("INPUT0", values, "FP32")],
                               compression_algorithm=algorithm)
    np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), values)


def test_async_infer(grpc_client):
    inputs, total, _ = simple_inputs()
    results = queue.Queue()
    for i in range(200):
        grpc_client.async_infer("simple", inputs, request_id=str(i),
                                callback=lambda result, error: results.put((result, error)))
    seen = set()
    for _ in range(200):
        result, error = results.get(timeout=30)
        assert error is None
        np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), total)
        seen.add(result.get_response().id)
    assert seen == {str(i) for i in range(200)}


def test_many_connections(server):
    inputs, total, _ = simple_inputs()
    failures = []

    def work():
        try:
            with client.InferenceServerClient(
                    server.grpc, channel_args=[("grpc.use_local_subchannel_pool", 1)]) as own:
                for _ in range(20):
                    result = own.infer("simple", inputs)
                    np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), total)
        except Exception as error:  # pylint: disable=broad-except
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def slow_inputs():
    return [make_input("INPUT0", np.zeros((1, 1), np.float32), "FP32")]


def test_client_timeout(identities):
    started = time.monotonic()
    status, _ = failure(identities.infer, "slow", slow_inputs(), client_timeout=0.2)
    assert status == "StatusCode.DEADLINE_EXCEEDED"
    assert time.monotonic() - started < 1.5


def test_cancelled_requests_are_not_executed(identities):
    before = identities.get_inference_statistics("slow").model_stats[0]
    results = queue.Queue()
    calls = [identities.async_infer("slow", slow_inputs(),
                                    callback=lambda result, error: results.put(error))
             for _ in range(20)]
    for call in calls:
        call.cancel()
    for _ in calls:
        assert results.get(timeout=10).status() == "StatusCode.CANCELLED"
    # Executing all of them would take 40 s; this request waits behind those that were not dropped.
    started = time.monotonic()
    identities.infer("slow", slow_inputs())
    assert time.monotonic() - started < 15
    after = identities.get_inference_statistics("slow").model_stats[0]
    assert after.execution_count - before.execution_count < 5


def test_streams_are_refused_by_name(grpc_client):
    errors = queue.Queue()
    grpc_client.start_stream(callback=lambda result, error: errors.put(error))
    try:
        error = errors.get(timeout=10)
        assert error.status() == "StatusCode.UNIMPLEMENTED"
        assert "ModelStreamInfer" in error.message()
    finally:
        grpc_client.stop_stream()


def test_shared_memory_is_off(grpc_client):
    assert len(grpc_client.get_system_shared_memory_status().regions) == 0
    assert len(grpc_client.get_cuda_shared_memory_status().regions) == 0
    status, text = failure(grpc_client.register_system_shared_memory, "r", "/key", 64)
    assert status == "StatusCode.UNIMPLEMENTED"
    assert text.startswith("Client shared memory is disabled.")
    tensor = client.InferInput("INPUT0", [1, 16], "INT32")
    tensor.set_shared_memory("region", 64)
    assert failure(grpc_client.infer, "simple", [tensor, simple_inputs()[0][1]]) == (
        "StatusCode.NOT_FOUND", "Unable to find shared memory region: 'region'")


def test_log_settings(start_server, repository):
    server = start_server(f"--model-repository={repository}", "--model-control-mode=explicit")
    with client.InferenceServerClient(server.grpc) as own:
        settings = own.get_log_settings().settings
        assert settings["log_info"].bool_param and settings["log_format"].string_param == "default"
        settings = own.update_log_settings({"log_verbose_level": 2, "log_format": "ISO8601"}).settings
        assert settings["log_verbose_level"].uint32_param == 2
        assert failure(own.update_log_settings, {"log_file": "/tmp/x"}) == (
            "StatusCode.UNIMPLEMENTED",
            "log file location can not be updated through network protocol")


def test_load_and_unload(start_server, repository):
    server = start_server(f"--model-repository={repository}", "--model-control-mode=explicit")
    with client.InferenceServerClient(server.grpc) as own:
        assert failure(own.is_model_ready, "identity_FP32")[0] == "StatusCode.NOT_FOUND"
        own.load_model("identity_FP32")
        assert own.is_model_ready("identity_FP32")
        own.load_model("identity_FP32", config='{"backend":"identity","max_batch_size":3,'
                       '"input":[{"name":"INPUT0","data_type":"TYPE_FP32","dims":[-1]}],'
                       '"output":[{"name":"OUTPUT0","data_type":"TYPE_FP32","dims":[-1]}]}')
        assert own.get_model_config("identity_FP32").config.max_batch_size == 3
        own.unload_model("identity_FP32")
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            rows = [row for row in own.get_model_repository_index().models
                    if row.name == "identity_FP32"]
            if rows[0].state == "UNAVAILABLE":
                break
        assert rows[0].reason == "unloaded"
        assert failure(own.infer, "identity_FP32", slow_inputs())[0] in (
            "StatusCode.NOT_FOUND", "StatusCode.UNAVAILABLE")
        assert failure(own.load_model, "none") == (
            "StatusCode.INTERNAL", "failed to load 'none', failed to poll from model repository")
        assert failure(own.load_model, "identity_FP32", files={"file:1/x": b"y"})[1] == (
            "Load parameter 'config' must be specified for model file override")


def test_load_needs_explicit_mode(grpc_client):
    assert failure(grpc_client.load_model, "simple") == (
        "StatusCode.UNAVAILABLE", "explicit model load / unload is not allowed if polling is enabled")


def test_restricted_protocols(start_server, repository):
    server = start_server(f"--model-repository={repository}",
                          "--grpc-restricted-protocol=inference,statistics:infer-key=secret")
    with client.InferenceServerClient(server.grpc) as own:
        arguments = ("identity_FP32", slow_inputs())
        assert failure(own.infer, *arguments) == (
            "StatusCode.UNAVAILABLE",
            "This protocol is restricted, expecting header 'triton-grpc-protocol-infer-key'")
        own.infer(*arguments, headers={"triton-grpc-protocol-infer-key": "secret"})
        assert own.is_server_live()


def test_compressed_responses(start_server, repository):
    server = start_server(f"--model-repository={repository}",
                          "--grpc-infer-response-compression-level=high")
    with client.InferenceServerClient(server.grpc) as own:
        values = np.zeros((1, 100000), np.float32)
        result = own.infer("identity_FP32", [make_input("INPUT0", values, "FP32")])
        np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), values)


def test_reflection_lists_the_services(server):
    with grpc.insecure_channel(server.grpc) as channel:
        ask = channel.stream_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")
        listed = next(ask(iter([b"\x3a\x01*"])))
        assert b"inference.GRPCInferenceService" in listed
        assert b"grpc.health.v1.Health" in listed


def pending(server, model):
    """Requests of the model that wait in its queue."""
    with urllib.request.urlopen(f"http://{server.metrics}/metrics", timeout=10) as page:
        text = page.read().decode()
    found = re.search(rf'^nv_inference_pending_request_count{{[^}}]*model="{model}"[^}}]*}} (\d+)', text,
                      re.MULTILINE)
    return int(found.group(1)) if found else 0


def test_requests_in_flight_end_before_the_server_does(start_server, repository):
    server = start_server(f"--model-repository={repository}")
    with client.InferenceServerClient(server.grpc) as own:
        results = queue.Queue()
        for _ in range(2):
            own.async_infer("slow", slow_inputs(), callback=lambda result, error: results.put(error))
        # One waits, so the other is being executed.
        deadline = time.monotonic() + 10
        while pending(server, "slow") != 1:
            assert time.monotonic() < deadline and results.empty()
        server.process.terminate()
        assert [results.get(timeout=20) for _ in range(2)] == [None, None]
