"""An unmodified HTTP client, synchronous, against the served models; and requests that no client makes."""
import concurrent.futures
import gzip
import http.client
import json
import re
import socket
import zlib

import numpy as np
import pytest
import tritonclient.http as client
from tritonclient.utils import InferenceServerException

TYPES = {
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
    "FP32": ("TYPE_FP32", np.array([[0.1, -1e30]], np.float32)),
    "FP64": ("TYPE_FP64", np.array([[0.1, -1e300]], np.float64)),
    "BYTES": ("TYPE_STRING", np.array([["", "a\"\\\n\u00e9"]], np.object_)),
}
WITH_JSON_FORM = [name for name in TYPES if name != "FP16"]


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

    for datatype, (data_type, _) in TYPES.items():
        add(f"identity_{datatype}", identity_config(f"identity_{datatype}", data_type))
    add("identity_BF16", identity_config("identity_BF16", "TYPE_BF16"))
    add("slow", identity_config(
        "slow", "TYPE_FP32",
        'parameters { key: "execute_delay_ms" value { string_value: "2000" } }'))
    return root


@pytest.fixture(scope="module")
def identity_server(repository):
    from conftest import running

    with running(f"--model-repository={repository}") as started:
        yield started


@pytest.fixture(scope="module")
def identities(identity_server):
    with client.InferenceServerClient(identity_server.http, concurrency=8) as opened:
        yield opened


class Reply:
    def __init__(self, response):
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = response.read()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        return self.status, self.json["error"], self.headers["content-type"]


def call(server, method, path, body=None, headers=None):
    host, port = server.http.split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=30)
    try:
        connection.request(method, path, body, headers or {})
        return Reply(connection.getresponse())
    finally:
        connection.close()


def post(server, path, body=b"", headers=None):
    if not isinstance(body, (bytes, str)):
        body = json.dumps(body)
    return call(server, "POST", path, body, headers)


def failure(function, *arguments, **keywords):
    """Status and text of the error that the call raises."""
    with pytest.raises(InferenceServerException) as raised:
        function(*arguments, **keywords)
    return raised.value.status(), raised.value.message()


def make_input(name, array, datatype, binary=True):
    tensor = client.InferInput(name, list(array.shape), datatype)
    tensor.set_data_from_numpy(array, binary_data=binary)
    return tensor


def simple_inputs(binary=True):
    a = np.arange(16, dtype=np.int32).reshape(1, 16)
    b = np.full((1, 16), 3, np.int32)
    inputs = [make_input("INPUT0", a, "INT32", binary), make_input("INPUT1", b, "INT32", binary)]
    return inputs, a + b, a - b


def as_text(array):
    """Strings come back as bytes from the binary form and as text from JSON."""
    return [value.decode() if isinstance(value, bytes) else value for value in array.flatten()]


# --- Health, metadata, configuration, statistics.

def test_health(http_client, server):
    assert http_client.is_server_live()
    assert http_client.is_server_ready()
    assert http_client.is_model_ready("simple")
    assert http_client.is_model_ready("simple", "1")
    assert not http_client.is_model_ready("none")
    assert not http_client.is_model_ready("simple", "7")
    live = call(server, "GET", "/v2/health/live")
    assert (live.status, live.body, live.headers["content-type"]) == (200, b"", "text/plain")
    assert call(server, "GET", "/v2/models/none/ready").error == (
        404, "Request for unknown model: 'none' is not found", "text/plain")


def test_server_metadata(http_client):
    metadata = http_client.get_server_metadata()
    assert metadata["name"] == "triton"
    assert metadata["version"]
    assert {"classification", "model_repository", "binary_tensor_data", "parameters", "statistics",
            "logging"} <= set(metadata["extensions"])


def test_model_metadata(http_client):
    assert http_client.get_model_metadata("simple") == {
        "name": "simple", "versions": ["1"], "platform": "onnxruntime_onnx",
        "inputs": [{"name": f"INPUT{i}", "datatype": "INT32", "shape": [-1, 16]} for i in (0, 1)],
        "outputs": [{"name": f"OUTPUT{i}", "datatype": "INT32", "shape": [-1, 16]} for i in (0, 1)]}
    assert http_client.get_model_metadata("simple", "1")["versions"] == ["1"]
    assert failure(http_client.get_model_metadata, "none") == (
        "404", "Request for unknown model: 'none' is not found")


def test_model_config(http_client, grpc_client):
    config = http_client.get_model_config("simple")
    assert config["name"] == "simple"
    assert config["max_batch_size"] == 8
    assert config["input"][0]["dims"] == [16]
    assert config["input"][0]["data_type"] == "TYPE_INT32"
    assert {"version_policy", "optimization", "instance_group", "parameters"} <= set(config)
    over_grpc = grpc_client.get_model_config("simple", as_json=True)["config"]
    assert set(over_grpc) <= set(config), "what gRPC reports, HTTP reports"


def test_statistics(http_client):
    inputs, _, _ = simple_inputs()
    before = http_client.get_inference_statistics("simple")["model_stats"][0]
    http_client.infer("simple", inputs)
    after = http_client.get_inference_statistics("simple", "1")["model_stats"][0]
    assert after["name"] == "simple" and after["version"] == "1"
    assert after["inference_count"] == before["inference_count"] + 1
    assert after["execution_count"] == before["execution_count"] + 1
    assert after["last_inference"] >= before["last_inference"]
    for key in ("success", "queue", "compute_input", "compute_infer", "compute_output"):
        assert after["inference_stats"][key]["count"] == before["inference_stats"][key]["count"] + 1
    assert {"fail", "cache_hit", "cache_miss"} <= set(after["inference_stats"])
    assert {"response_stats", "batch_stats", "memory_usage"} <= set(after)
    everything = http_client.get_inference_statistics()["model_stats"]
    names = [row["name"] for row in everything]
    assert names == sorted(names) and "simple" in names
    assert failure(http_client.get_inference_statistics, "none") == (
        "400", "requested model 'none' is not available")


def test_log_settings(start_server, repository):
    own = start_server(f"--model-repository={repository}")
    with client.InferenceServerClient(own.http) as opened:
        assert opened.get_log_settings() == {
            "log_file": "", "log_info": True, "log_warning": True, "log_error": True,
            "log_verbose_level": 0, "log_format": "default"}
        changed = opened.update_log_settings({"log_verbose_level": 1, "log_info": False,
                                              "log_format": "ISO8601"})
        assert changed["log_verbose_level"] == 1 and not changed["log_info"]
        assert opened.get_log_settings() == changed
        assert failure(opened.update_log_settings, {"log_file": "x"}) == (
            "501", "log file location can not be updated through network protocol")


# --- Inference.

@pytest.mark.parametrize("binary_out", [True, False])
@pytest.mark.parametrize("binary_in", [True, False])
def test_simple(http_client, binary_in, binary_out):
    inputs, total, difference = simple_inputs(binary_in)
    outputs = [client.InferRequestedOutput(f"OUTPUT{i}", binary_data=binary_out) for i in (0, 1)]
    result = http_client.infer("simple", inputs, outputs=outputs, request_id="id 1")
    np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), total)
    np.testing.assert_array_equal(result.as_numpy("OUTPUT1"), difference)
    response = result.get_response()
    assert response["id"] == "id 1"
    assert (response["model_name"], response["model_version"]) == ("simple", "1")


def test_mixed_forms_and_a_choice_of_outputs(http_client):
    inputs, total, _ = simple_inputs()
    inputs[1] = simple_inputs(binary=False)[0][1]
    result = http_client.infer("simple", inputs, outputs=[client.InferRequestedOutput("OUTPUT0")])
    np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), total)
    assert result.as_numpy("OUTPUT1") is None


@pytest.mark.parametrize("datatype", TYPES)
def test_every_type_in_binary(identities, datatype):
    array = TYPES[datatype][1]
    if datatype == "BYTES":
        array = np.array([[b"", b"\x00\xff\x80"]], np.object_)
    result = identities.infer(f"identity_{datatype}", [make_input("INPUT0", array, datatype)])
    np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), array)


@pytest.mark.parametrize("binary_out", [True, False])
@pytest.mark.parametrize("binary_in", [True, False])
@pytest.mark.parametrize("datatype", WITH_JSON_FORM)
def test_every_type_with_a_json_form(identities, datatype, binary_in, binary_out):
    array = TYPES[datatype][1]
    output = client.InferRequestedOutput("OUTPUT0", binary_data=binary_out)
    result = identities.infer(f"identity_{datatype}", [make_input("INPUT0", array, datatype, binary_in)],
                              outputs=[output]).as_numpy("OUTPUT0")
    if datatype == "BYTES":
        assert as_text(result) == as_text(array)
    else:
        np.testing.assert_array_equal(result, array)


def test_bf16_travels_as_bytes(identity_server):
    head = json.dumps({"inputs": [{"name": "INPUT0", "datatype": "BF16", "shape": [1, 2],
                                   "parameters": {"binary_data_size": 4}}],
                       "parameters": {"binary_data_output": True}})
    reply = post(identity_server, "/v2/models/identity_BF16/infer", head.encode() + b"\x80\x3f\0\xc0",
                 {"Inference-Header-Content-Length": str(len(head))})
    assert reply.status == 200, reply.body
    assert reply.headers["content-type"] == "application/octet-stream"
    split = int(reply.headers["inference-header-content-length"])
    assert reply.body[split:] == b"\x80\x3f\0\xc0"
    assert json.loads(reply.body[:split])["outputs"][0]["parameters"] == {"binary_data_size": 4}


def test_not_a_number_in_json(identity_server):
    body = ('{"inputs":[{"name":"INPUT0","datatype":"FP32","shape":[1,3],'
            '"data":[NaN,-Infinity,1e39]}]}')
    reply = post(identity_server, "/v2/models/identity_FP32/infer", body)
    assert reply.status == 200, reply.body
    assert b'"data":[NaN,-Infinity,Infinity]' in reply.body


@pytest.mark.parametrize("size", [0, 1, 3_000_000])
def test_sizes(identities, size):
    array = np.random.default_rng(size).random((1, size), np.float32)
    result = identities.infer("identity_FP32", [make_input("INPUT0", array, "FP32")])
    np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), array)


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
@pytest.mark.parametrize("binary", [True, False])
def test_compression(http_client, algorithm, binary):
    inputs, total, _ = simple_inputs(binary)
    outputs = [client.InferRequestedOutput("OUTPUT0", binary_data=binary)]
    result = http_client.infer("simple", inputs, outputs=outputs,
                               request_compression_algorithm=algorithm,
                               response_compression_algorithm=algorithm)
    np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), total)


def test_request_parameters(http_client):
    inputs, total, _ = simple_inputs()
    result = http_client.infer("simple", inputs, priority=1, timeout=10_000_000,
                               parameters={"s": "x", "i": 1, "b": True, "d": 0.5})
    np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), total)


def test_raw_body(identity_server):
    data = np.arange(5, dtype=np.float32).tobytes()
    reply = post(identity_server, "/v2/models/identity_FP32/infer", data,
                 {"Inference-Header-Content-Length": "0"})
    assert reply.status == 200, reply.body
    assert reply.body.endswith(data)
    assert json.loads(reply.body[:-len(data)])["outputs"][0]["shape"] == [1, 5]


def test_classification(http_client):
    inputs, total, _ = simple_inputs()
    output = client.InferRequestedOutput("OUTPUT0", class_count=3)
    classes = as_text(http_client.infer("simple", inputs, outputs=[output]).as_numpy("OUTPUT0"))
    expected = np.argsort(-total[0], kind="stable")[:3]
    assert classes == [f"{total[0][i]}:{i}" for i in expected]


def test_classification_with_labels(http_client):
    shape = [3 if extent == -1 else extent
             for extent in http_client.get_model_metadata("ocr_classifier")["inputs"][0]["shape"][1:]]
    image = np.zeros([1, *shape], np.float32)
    name = http_client.get_model_metadata("ocr_classifier")["inputs"][0]["name"]
    output = http_client.get_model_metadata("ocr_classifier")["outputs"][0]["name"]
    result = http_client.infer("ocr_classifier", [make_input(name, image, "FP32")],
                               outputs=[client.InferRequestedOutput(output, class_count=2)])
    classes = as_text(result.as_numpy(output))
    assert len(classes) == 2
    assert all(re.fullmatch(r"\d\.\d{6}:[01]:\S+", text) for text in classes), classes


def test_concurrent_requests_are_not_mixed_up(server):
    def several(start):
        with client.InferenceServerClient(server.http) as opened:  # one a thread, as the client wants
            for i in range(start, start + 50):
                a = np.full((1, 16), i, np.int32)
                inputs = [make_input("INPUT0", a, "INT32"), make_input("INPUT1", a, "INT32")]
                result = opened.infer("simple", inputs, request_id=str(i))
                assert (result.as_numpy("OUTPUT0") == 2 * i).all()
                assert result.get_response()["id"] == str(i)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(several, range(0, 400, 50)))


def test_async_infer(http_client):
    inputs, total, _ = simple_inputs()
    handles = [http_client.async_infer("simple", inputs) for _ in range(20)]
    for handle in handles:
        np.testing.assert_array_equal(handle.get_result().as_numpy("OUTPUT0"), total)


def test_every_bundled_model_answers(http_client):
    for model in http_client.get_model_repository_index():
        metadata = http_client.get_model_metadata(model["name"])
        assert metadata["inputs"] and metadata["outputs"]
        config = http_client.get_model_config(model["name"])
        assert config["name"] == model["name"]


# --- Errors.

def data_input(data, datatype="FP32", shape=(1, 1), **more):
    return {"name": "INPUT0", "datatype": datatype, "shape": list(shape), "data": data, **more}


@pytest.mark.parametrize("body, expected", [
    ("x", (500, "failed to parse the request JSON buffer: Invalid value. at 0")),
    ("{", (500, "failed to parse the request JSON buffer: Missing a name for object member. at 1")),
    ({}, (500, "Unable to parse 'inputs': attempt to access non-existing object member 'inputs'")),
    ({"inputs": [{"name": "INPUT0", "datatype": "FP32", "shape": [1, 1]}]},
     (400, "Input must set only one of the following fields: 'data', 'binary_data_size' in "
           "'parameters', 'shared_memory_region' in 'parameters'. But no field is set")),
    ({"inputs": [data_input([1, 2])]},
     (500, "Unable to parse 'data': Shape does not match true shape of 'data' field")),
    ({"inputs": [data_input([1], shape=(1, 2))]},
     (500, "Failed to parse 'data' field: shape does not match true shape")),
    ({"inputs": [data_input([1], shape=(2**62, 4))]},
     (400, "invalid shape for input 'INPUT0': shape [4611686018427387904,4] causes total element count "
           "to exceed maximum size of 9223372036854775807")),
    ({"inputs": [data_input([1], datatype="FP16")]},
     (400, "receiving FP16 data via JSON is not supported. Please use the binary data format for input "
           "INPUT0")),
    ({"inputs": [data_input([1], name="OTHER")]},
     (400, "unexpected inference input 'OTHER' for model 'identity_FP32'")),
    ({"inputs": [data_input([1], datatype="INT32")], "id": "7"},
     (400, "[request id: 7] inference input 'INPUT0' data-type is 'INT32', but model 'identity_FP32' "
           "expects 'FP32'")),
    ({"inputs": [data_input([1] * 9, shape=(9, 1))]},
     (400, "[request id: <id_unknown>] inference request batch-size must be <= 8 for "
           "'identity_FP32'")),
    ({"inputs": [data_input([1])], "outputs": [{"name": "NONE"}]},
     (400, "unexpected inference output 'NONE' for model 'identity_FP32'")),
    ({"inputs": []},
     (400, "[request id: <id_unknown>] expected 1 inputs but got 0 inputs for model 'identity_FP32'. Got "
           "input(s) [], but missing required input(s) ['INPUT0']. Please provide all required "
           "input(s).")),
    ({"inputs": [data_input([1])], "parameters": {"triton_x": 1}},
     (400, "parameter keys starting with 'triton_' are reserved for Triton usage and should not be "
           "specified.")),
])
def test_faults_of_a_request(identity_server, body, expected):
    reply = post(identity_server, "/v2/models/identity_FP32/infer", body)
    assert reply.error == (*expected, "application/json")


def test_faults_before_the_request(identity_server):
    path = "/v2/models/identity_FP32/infer"
    assert post(identity_server, "/v2/models/none/infer", {}).error == (
        404, "Request for unknown model: 'none' is not found", "text/plain")
    assert post(identity_server, "/v2/models/identity_FP32/versions/9/infer", {}).error == (
        404, "Request for unknown model: 'identity_FP32' version 9 is not found", "text/plain")
    assert post(identity_server, path, b"{}", {"Inference-Header-Content-Length": "9"}).error == (
        400, "inference header size should be in range (0, 2), got: 9", "text/plain")
    assert post(identity_server, path, b"plain", {"Content-Encoding": "gzip"}).error == (
        400, "failed to decompress the request body as gzip", "text/plain")
    unsupported = post(identity_server, path, b"{}", {"Content-Encoding": "br"})
    assert unsupported.error == (501, "Unsupported compression type", "text/plain")
    assert unsupported.headers["accept-encoding"] == "gzip, deflate"
    assert call(identity_server, "GET", path).error == (405, "Method Not Allowed", "text/plain")
    assert call(identity_server, "GET", "/v2/nothing").error == (404, "Not Found", "text/plain")


def test_binary_section_must_fit(identity_server):
    head = json.dumps({"inputs": [{"name": "INPUT0", "datatype": "FP32", "shape": [1, 2],
                                   "parameters": {"binary_data_size": 8}}]}).encode()
    headers = {"Inference-Header-Content-Length": str(len(head))}
    path = "/v2/models/identity_FP32/infer"
    assert post(identity_server, path, head + bytes(5), headers).error == (
        400, "unexpected size for input 'INPUT0', expecting 3 additional bytes for model 'identity_FP32'",
        "application/json")
    assert post(identity_server, path, head + bytes(9), headers).error == (
        400, "unexpected additional input data for model 'identity_FP32'", "application/json")


def test_client_reports_errors(http_client):
    inputs, _, _ = simple_inputs()
    assert failure(http_client.infer, "none", inputs) == (
        "404", "Request for unknown model: 'none' is not found")
    status, message = failure(http_client.infer, "simple", inputs[:1])
    assert status == "400"
    assert "missing required input(s) ['INPUT1']" in message


def test_size_limit(start_server, repository):
    own = start_server(f"--model-repository={repository}", "--http-max-input-size=2000")
    path = "/v2/models/identity_FP32/infer"
    advice = "Use --http-max-input-size to increase the limit."
    assert post(own, path, b" " * 2001).error == (
        400, "request JSON size of 2001 bytes exceeds the maximum allowed input size of 2000 bytes. "
             + advice, "application/json")
    assert post(own, path, bytes(2001), {"Inference-Header-Content-Length": "0"}).error == (
        400, "Raw input has a byte_size (2001 bytes) that exceeds the maximum allowed value of 2000 "
             "bytes. " + advice, "application/json")
    for name, pack in (("gzip", gzip.compress), ("deflate", zlib.compress)):
        assert post(own, path, pack(bytes(1 << 24)), {"Content-Encoding": name}).error == (
            400, "Decompressed data size exceeds the maximum allowed value of 2000 bytes. " + advice,
            "text/plain")
    with client.InferenceServerClient(own.http) as opened:
        array = np.ones((1, 10000), np.float32)
        result = opened.infer("identity_FP32", [make_input("INPUT0", array, "FP32")])
        np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), array)


def test_restricted_apis(start_server, repository):
    own = start_server(f"--model-repository={repository}",
                       "--http-restricted-api=inference,model-repository:admin-key=value")
    refusal = (403, "This API is restricted, expecting header 'admin-key'")
    assert post(own, "/v2/models/slow/infer", b"").error[:2] == refusal
    assert post(own, "/v2/repository/index").error[:2] == refusal
    assert post(own, "/v2/repository/index", headers={"admin-key": "other"}).error[:2] == refusal
    with client.InferenceServerClient(own.http) as opened:
        assert opened.is_server_live()
        assert len(opened.get_model_repository_index(headers={"admin-key": "value"})) > 10


# --- The transport.

def test_expect_continue(identity_server):
    host, port = identity_server.http.split(":")
    body = json.dumps({"inputs": [data_input([1])]}).encode()
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(b"POST /v2/models/identity_FP32/infer HTTP/1.1\r\nHost: x\r\n"
                           b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body))
        assert connection.recv(100).startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
        connection.sendall(body)
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 OK\r\n")


def test_chunked_body(identity_server):
    body = json.dumps({"inputs": [data_input([1])]}).encode()
    host, port = identity_server.http.split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=30)
    connection.request("POST", "/v2/models/identity_FP32/infer",
                       (body[i:i + 7] for i in range(0, len(body), 7)), encode_chunked=True,
                       headers={"Transfer-Encoding": "chunked"})
    assert Reply(connection.getresponse()).status == 200
    connection.close()


def test_pipelined_requests(identity_server):
    host, port = identity_server.http.split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        for i in range(10):
            body = json.dumps({"id": f"number {i}", "inputs": [data_input([i])]}).encode()
            connection.sendall(b"POST /v2/models/identity_FP32/infer HTTP/1.1\r\nHost: x\r\n"
                               b"Content-Length: %d\r\n\r\n" % len(body) + body)
        received = b""
        while received.count(b"number") < 10:
            more = connection.recv(65536)
            assert more, received
            received += more
    assert re.findall(rb"number (\d)", received) == [b"%d" % i for i in range(10)]


def test_disconnect_cancels(identity_server, identities):
    """Requests whose clients have gone are not executed: the last one would wait for them all."""
    body = json.dumps({"inputs": [data_input([1])]}).encode()
    host, port = identity_server.http.split(":")
    failed_before = identities.get_inference_statistics("slow")["model_stats"][0]["inference_stats"]["fail"]
    connections = [socket.create_connection((host, int(port)), timeout=30) for _ in range(4)]
    for connection in connections:
        connection.sendall(b"POST /v2/models/slow/infer HTTP/1.1\r\nHost: x\r\n"
                           b"Content-Length: %d\r\n\r\n" % len(body) + body)
    for connection in connections:
        connection.close()
    array = np.ones((1, 1), np.float32)
    identities.infer("slow", [make_input("INPUT0", array, "FP32")], timeout=None)
    failed = identities.get_inference_statistics("slow")["model_stats"][0]["inference_stats"]["fail"]
    assert failed["count"] - failed_before["count"] >= 3


# --- The repository.

def test_repository_index(http_client):
    index = {row["name"]: row for row in http_client.get_model_repository_index()}
    assert index["simple"] == {"name": "simple", "version": "1", "state": "READY"}


def test_load_and_unload(start_server, repository):
    own = start_server(f"--model-repository={repository}", "--model-control-mode=explicit")
    with client.InferenceServerClient(own.http) as opened:
        assert {"name": "slow"} in opened.get_model_repository_index()
        opened.load_model("identity_FP32")
        assert opened.is_model_ready("identity_FP32")
        config = opened.get_model_config("identity_FP32")
        config["max_batch_size"] = 3
        opened.load_model("identity_FP32", config=json.dumps(config))
        assert opened.get_model_config("identity_FP32")["max_batch_size"] == 3
        opened.load_model("made_up", config=json.dumps(dict(config, name="made_up")),
                          files={"file:2/nothing": b"\x00"})
        assert opened.get_model_metadata("made_up")["versions"] == ["2"]
        opened.unload_model("made_up")
        assert not opened.is_model_ready("made_up")
        opened.unload_model("never heard of")
        assert failure(opened.load_model, "none") == (
            "500", "failed to load 'none', failed to poll from model repository")
        assert failure(opened.load_model, "identity_FP32", files={"file:1/x": b"y"})[1] == (
            "Load parameter 'config' must be specified for model file override")
        assert post(own, "/v2/repository/x/models/identity_FP32/load").error == (
            501, "'repository_name' specification is not supported", "application/json")


def test_loading_needs_explicit_control(http_client):
    assert failure(http_client.load_model, "simple") == (
        "503", "explicit model load / unload is not allowed if polling is enabled")


def test_extensions_that_are_absent(http_client):
    assert http_client.get_system_shared_memory_status() == []
    assert http_client.get_cuda_shared_memory_status() == []
    assert failure(http_client.register_system_shared_memory, "r", "/r", 8) == (
        "501", "Client shared memory is disabled. Start the server with '--allow-client-shm=true' to "
               "enable.")
    assert failure(http_client.get_trace_settings) == ("503", "the server does not support tracing")
