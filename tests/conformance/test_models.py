"""Every bundled model through every client of tritonclient, held against ONNX Runtime itself."""
import asyncio
import pathlib
import queue

import numpy as np
import onnxruntime
import pytest
import tritonclient.grpc
import tritonclient.grpc.aio
import tritonclient.http
import tritonclient.http.aio
from tritonclient.utils import np_to_triton_dtype

ROOT = pathlib.Path(__file__).resolve().parents[2]
REPOSITORY = ROOT / "model_repository"
CLIENTS = {"http": tritonclient.http, "grpc": tritonclient.grpc, "http.aio": tritonclient.http.aio,
           "grpc.aio": tritonclient.grpc.aio}
MODELS = sorted(path.parent.name for path in REPOSITORY.glob("*/config.pbtxt"))
_sessions = {}


def expected(model, inputs):
    if model not in _sessions:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        _sessions[model] = onnxruntime.InferenceSession(str(REPOSITORY / model / "1" / "model.onnx"), options,
                                                        providers=["CPUExecutionProvider"])
    session = _sessions[model]
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs)))


@pytest.fixture(params=CLIENTS)
def infer(request, server):
    """infer(model, {name: array}, classes={output: k}) -> {name: array}, through one of the four clients."""
    module = CLIENTS[request.param]
    url = server.http if "http" in request.param else server.grpc
    base = tritonclient.http if "http" in request.param else tritonclient.grpc

    def call(model, inputs, classes=None, **keywords):
        tensors = []
        for name, array in inputs.items():
            tensor = base.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
            tensor.set_data_from_numpy(array)
            tensors.append(tensor)
        outputs = [base.InferRequestedOutput(name, class_count=count) for name, count in (classes or {}).items()]
        keywords.update(outputs=outputs or None)

        async def asynchronously():
            async with module.InferenceServerClient(url) as client:
                return await client.infer(model, tensors, **keywords)

        if request.param.endswith("aio"):
            result = asyncio.run(asynchronously())
        else:
            with module.InferenceServerClient(url) as client:
                result = client.infer(model, tensors, **keywords)
        response = result.get_response()
        rows = response["outputs"] if "http" in request.param else response.outputs
        names = [row["name"] if "http" in request.param else row.name for row in rows]
        return {name: result.as_numpy(name) for name in names}

    return call


def same(got, wanted, tolerance=1e-4):
    assert got.keys() == wanted.keys()
    for name, array in wanted.items():
        assert got[name].dtype == array.dtype and got[name].shape == array.shape, name
        assert np.allclose(got[name], array, rtol=tolerance, atol=1e-5), f"{name}: {np.abs(got[name] - array).max()}"


def noise(*shape):
    return np.random.default_rng(7).standard_normal(shape, np.float32)


def test_all_of_them_are_ready(server, http_client, grpc_client):
    assert len(MODELS) >= 8
    for model in MODELS:
        assert http_client.is_model_ready(model) and grpc_client.is_model_ready(model), model


@pytest.mark.parametrize("model", MODELS)
def test_both_protocols_describe_a_model_alike(http_client, grpc_client, model):
    config = http_client.get_model_config(model)
    over_grpc = grpc_client.get_model_config(model, as_json=True)["config"]
    assert config["name"] == over_grpc["name"] == model
    assert [tensor["name"] for tensor in config["input"]] == [tensor["name"] for tensor in over_grpc["input"]]
    metadata, other = http_client.get_model_metadata(model), grpc_client.get_model_metadata(model)
    assert metadata["platform"] == other.platform
    for side in ("inputs", "outputs"):
        assert [(tensor["name"], tensor["datatype"], tensor["shape"]) for tensor in metadata[side]] == \
               [(tensor.name, tensor.datatype, list(tensor.shape)) for tensor in getattr(other, side)]


@pytest.mark.parametrize("batch", [1, 3, 8])
def test_simple(infer, batch):
    inputs = {"INPUT0": np.arange(batch * 16, dtype=np.int32).reshape(batch, 16),
              "INPUT1": np.full((batch, 16), 2 ** 31 - 5, np.int32)}
    same(infer("simple", inputs), expected("simple", inputs))


def test_simple_string(infer):
    inputs = {"INPUT0": np.array([[str(i).encode() for i in range(16)]], np.object_),
              "INPUT1": np.array([[b"-7"] * 16], np.object_)}
    got = infer("simple_string", inputs)
    assert [int(text) for text in got["OUTPUT0"][0]] == [i - 7 for i in range(16)]
    assert [int(text) for text in got["OUTPUT1"][0]] == [i + 7 for i in range(16)]


@pytest.mark.parametrize("shape", [(1, 1), (4, 1000), (1, 300_000), (2, 0)])
def test_identity_of_floats(infer, shape):
    values = noise(*shape)
    if values.size > 3:
        values.flat[:3] = [np.nan, np.inf, -0.0]
    got = infer("identity_fp32", {"INPUT0": values})["OUTPUT0"]
    assert got.shape == shape and got.tobytes() == values.tobytes()


def test_identity_of_bytes(infer):
    values = np.array([[b"", b"\0\xff\x80", "žluťoučký kůň 🐎".encode(), b"x" * 100_000]], np.object_)
    got = infer("identity_bytes", {"INPUT0": values})["OUTPUT0"]
    assert got.tolist() == values.tolist()


@pytest.mark.parametrize("size", [(32, 64), (96, 160)])
def test_ocr_detection(infer, size):
    inputs = {"x": noise(1, 3, *size)}
    got = infer("ocr_detection", inputs)
    assert got["sigmoid_0.tmp_0"].shape == (1, 1, *size)
    same(got, expected("ocr_detection", inputs))


@pytest.mark.parametrize("batch, width", [(1, 32), (1, 100), (3, 64)])
def test_ocr_recognition(infer, batch, width):
    inputs = {"x": noise(batch, 3, 48, width)}
    same(infer("ocr_recognition", inputs), expected("ocr_recognition", inputs))


@pytest.mark.parametrize("batch", [1, 5])
def test_ocr_classifier(infer, batch):
    inputs = {"x": noise(batch, 3, 48, 192)}
    same(infer("ocr_classifier", inputs), expected("ocr_classifier", inputs))


def test_ocr_classifier_names_its_classes(infer):
    inputs = {"x": noise(2, 3, 48, 192)}
    output = "save_infer_model/scale_0.tmp_1"
    wanted = expected("ocr_classifier", inputs)[output]
    got = infer("ocr_classifier", inputs, classes={output: 2})[output]
    labels = (REPOSITORY / "ocr_classifier" / "labels.txt").read_text().split()
    assert got.shape == (2, 2)
    for row, probabilities in zip(got, wanted):
        order = np.argsort(-probabilities)
        for text, index in zip(row, order):
            value, number, label = text.decode().split(":")
            assert (int(number), label) == (index, labels[index])
            assert abs(float(value) - probabilities[index]) < 1e-4
    assert infer("ocr_classifier", inputs, classes={output: 1})[output].shape == (2, 1)


def test_ocr_recognition_names_characters(infer):
    inputs = {"x": noise(1, 3, 48, 32)}
    output = "softmax_11.tmp_0"
    wanted = expected("ocr_recognition", inputs)[output][0].reshape(-1)
    got = infer("ocr_recognition", inputs, classes={output: 3})[output]
    assert got.shape == (1, 3)
    assert [int(text.split(b":")[1]) for text in got[0]] == np.argsort(-wanted, kind="stable")[:3].tolist()


@pytest.mark.parametrize("batch", [1, 2])
def test_silero_vad_keeps_its_state_with_the_client(infer, batch):
    state, reference = np.zeros((2, batch, 128), np.float32), np.zeros((2, batch, 128), np.float32)
    rate = np.array([16000], np.int64)
    for frame in range(3):
        samples = 0.1 * np.random.default_rng(frame).standard_normal((batch, 576), np.float32)
        got = infer("silero_vad", {"input": samples, "state": state, "sr": rate})
        wanted = expected("silero_vad", {"input": samples, "state": reference, "sr": np.array(16000, np.int64)})
        same(got, wanted, 1e-3)
        state, reference = got["stateN"], wanted["stateN"]
    assert np.abs(state).max() > 0


def test_equal_lines_sent_together_are_batched_and_right(server):
    """Sixteen lines at once: fewer executions than requests, each with its own answer."""
    import toolbox

    lines = [noise(1, 3, 48, 64) * (i + 1) / 16 for i in range(16)]
    before = toolbox.statistics(server, "ocr_recognition")["execution_count"]
    answers = queue.Queue()
    with tritonclient.grpc.InferenceServerClient(server.grpc) as client:
        for i, line in enumerate(lines):
            tensor = tritonclient.grpc.InferInput("x", list(line.shape), "FP32")
            tensor.set_data_from_numpy(line)
            client.async_infer("ocr_recognition", [tensor], request_id=str(i),
                               callback=lambda result, error: answers.put(error or result))
        got = [None] * len(lines)
        for _ in lines:
            result = answers.get(timeout=30)
            got[int(result.get_response().id)] = result.as_numpy("softmax_11.tmp_0")
    for line, answer in zip(lines, got):
        assert np.allclose(answer, expected("ocr_recognition", {"x": line})["softmax_11.tmp_0"], atol=1e-4)
    assert toolbox.statistics(server, "ocr_recognition")["execution_count"] - before < 16


def test_only_the_outputs_asked_for_come_back(infer):
    values = np.ones((1, 16), np.int32)
    assert list(infer("simple", {"INPUT0": values, "INPUT1": values}, classes={"OUTPUT1": 0})) == ["OUTPUT1"]
