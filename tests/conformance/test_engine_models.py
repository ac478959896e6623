"""The engine's host executor against ONNX Runtime on whole models: those of model_repository, and networks that come
with ONNX, which get random weights here."""
import math
import pathlib
import re
import subprocess

import numpy
import onnx
import onnx.backend.test
import onnxruntime
import pytest
from onnx import numpy_helper

from conftest import REPOSITORY
from test_onnx_nodes import driver, run_tests, write_test  # noqa: F401: driver is a fixture
from transformer_model import IMAGE, LAYERS, vision_transformer


def image(batch, height, width):
    return {"x": numpy.random.default_rng(height * width).random((batch, 3, height, width), numpy.float32) * 2 - 1}


def speech(samples, rate):
    random = numpy.random.default_rng(samples)
    return {"input": random.standard_normal((1, samples)).astype(numpy.float32) * numpy.float32(0.1),
            "state": random.standard_normal((2, 1, 128)).astype(numpy.float32) * numpy.float32(0.1),
            "sr": numpy.array(rate, numpy.int64)}


def expect_agreement(driver, folder, name, model, feeds):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    order = [value.name for value in session.get_inputs()]
    data_sets = [([feed[key] for key in order], session.run(None, feed)) for feed in feeds]
    write_test(folder / name, model, data_sets)
    assert run_tests(driver, folder, "--rtol=1e-3", "--atol=1e-5") == {name: None}


@pytest.mark.parametrize("name,feeds", [
    ("ocr_detection", [image(1, 128, 160), image(2, 32, 96)]),
    ("ocr_classifier", [image(1, 48, 192), image(3, 48, 192)]),
    ("ocr_recognition", [image(1, 48, 160), image(2, 48, 40)]),
    ("silero_vad", [speech(576, 16000), speech(288, 8000)]),
])
def test_agrees_on_a_real_model(driver, tmp_path, name, feeds):  # noqa: F811
    model = onnx.load(REPOSITORY / name / "1" / "model.onnx")
    expect_agreement(driver, tmp_path, name, model, feeds)


def with_random_weights(model):
    """The light models make their weights by ConstantOfShape, all the same: puts random ones in their place."""
    graph = model.graph
    random = numpy.random.default_rng(0)
    shapes = {value.name: numpy_helper.to_array(value).tolist() for value in graph.initializer}
    layers = [node for node in graph.node if node.op_type != "ConstantOfShape"]
    weights = []
    for node in graph.node:
        if node.op_type == "ConstantOfShape":
            shape = shapes[node.input[0]]
            spread = math.sqrt(2 / math.prod(shape[1:])) if len(shape) > 1 else 0.1
            values = random.standard_normal(shape) * spread if len(shape) > 1 else 1 + random.random(shape) * spread
            weights.append(numpy_helper.from_array(values.astype(numpy.float32), node.output[0]))
    read = {name for node in layers for name in node.input}
    weights += [value for value in graph.initializer if value.name in read]
    named = {value.name for value in weights}
    inputs = [value for value in graph.input if value.name in read - named]
    for field, values in ((graph.node, layers), (graph.initializer, weights), (graph.input, inputs)):
        del field[:]
        field.extend(values)
    model.ir_version = max(model.ir_version, 4)  # before, initialisers had to be inputs
    return model


@pytest.mark.parametrize("name", ["shufflenet", "squeezenet"])
def test_agrees_on_a_network_with_random_weights(driver, tmp_path, name):  # noqa: F811
    folder = pathlib.Path(onnx.backend.test.__file__).parent / "data" / "light"
    model = with_random_weights(onnx.load(folder / f"light_{name}.onnx"))
    shape = [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim]
    feed = {model.graph.input[0].name: numpy.random.default_rng(1).random(shape, numpy.float32)}
    expect_agreement(driver, tmp_path, name, model, [feed])


def test_agrees_on_a_vision_transformer(driver, tmp_path):  # noqa: F811
    feeds = [{"input": numpy.random.default_rng(batch).random((batch, 3, IMAGE, IMAGE), numpy.float32)}
             for batch in (1, 3)]
    expect_agreement(driver, tmp_path, "transformer", vision_transformer(), feeds)


@pytest.mark.parametrize("batch", [1, 4])
def test_a_vision_transformer_moves_its_elements_once(driver, tmp_path, batch):  # noqa: F811
    """Seven pieces of work a layer: two norms, four products, attention; and the rewritten graph computes the same."""
    onnx.save(vision_transformer(), tmp_path / "model.onnx")
    nereid = driver.parents[1] / "bin" / "nereid"
    listing = subprocess.run([nereid, "compile", tmp_path / "model.onnx", "--layers", "--verify", "--shapes",
                              f"input:{batch}x3x{IMAGE}x{IMAGE}"], capture_output=True, text=True, check=False).stdout
    counts = {kind: int(count) for count, kind in re.findall(r"^(?:.* us in)? *(\d+) of (.*)$", listing, re.MULTILINE)}
    assert counts == {"attention": LAYERS, "concat": 1, "gemm": 4 * LAYERS + 2, "pointwise": 1,
                      "row norm": 2 * LAYERS + 1, "transpose": 1}, listing
    assert listing.count("+residual") == 2 * LAYERS
    difference = re.search(r"^optimised: .* relative difference (\S+),", listing, re.MULTILINE)
    assert float(difference[1]) < 1e-5
