"""Models whose extents depend on data, on the cuda backend: compiled without a GPU, served on a stand-in for one as far as
nothing in them runs on it, and on a real one compared with ONNX Runtime."""
import numpy as np
import pytest
import tritonclient.http as httpclient

from conftest import running, wait_ready
from test_compile import compile_model, module  # noqa: F401: module is a fixture
from test_cuda_serving import fake_cuda  # noqa: F401: a fixture
from test_cuda_shared_memory import HAS_ENGINE, gpu_count
from toolbox import metrics, write_model

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

FLOAT, INT64, BOOL, STRING = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL, TensorProto.STRING
SIDE, FOUND, WORDS, WIDTH = 16, 20, 64, 32
node = helper.make_node


def weights(*shape, seed=0):
    return (np.random.default_rng(seed + sum(shape)).standard_normal(shape) * 0.3).astype(np.float32)


def serialized(nodes, inputs, outputs, constants):
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info(*each) for each in inputs],
        [helper.make_tensor_value_info(*each) for each in outputs],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    return model.SerializeToString()


def detector():
    """Convolutions, the boxes that are found, a product of each, and something of known extents behind."""
    places = SIDE * SIDE
    nodes = [node("Conv", ["x", "w"], ["c"], pads=[1] * 4), node("Relu", ["c"], ["r"]),
             node("Conv", ["r", "wb"], ["b"]), node("Conv", ["r", "ws"], ["s"]),
             node("Reshape", ["b", "to_boxes"], ["bt"]), node("Transpose", ["bt"], ["boxes"], perm=[0, 2, 1]),
             node("Reshape", ["s", "to_scores"], ["logits"]), node("Sigmoid", ["logits"], ["scores"]),
             node("NonMaxSuppression", ["boxes", "scores", "most", "iou", "least"], ["selected"], name="nms"),
             node("Slice", ["selected", "two", "three", "one"], ["last"]), node("Squeeze", ["last", "one"], ["ids"]),
             node("Squeeze", ["boxes", "zero"], ["all"]), node("Gather", ["all", "ids"], ["found"]),
             node("MatMul", ["found", "wh"], ["head"]),
             node("Shape", ["selected"], ["extents"]), node("Gather", ["extents", "first"], ["count"]),
             node("Cast", ["count"], ["number"], to=FLOAT), node("Div", ["r", "number"], ["scaled"])]
    return serialized(nodes, [("x", FLOAT, [1, 3, SIDE, SIDE])],
                      [("found", FLOAT, ["n", 4]), ("head", FLOAT, ["n", 5]), ("count", INT64, []),
                       ("scaled", FLOAT, [1, 8, SIDE, SIDE])],
                      {"w": weights(8, 3, 3, 3), "wb": weights(4, 8, 1, 1), "ws": weights(2, 8, 1, 1),
                       "wh": weights(4, 5), "to_boxes": [1, 4, places], "to_scores": [1, 2, places], "most": [FOUND],
                       "iou": np.float32([0.5]), "least": np.float32([0.3]), "zero": [0], "one": [1], "two": [2],
                       "three": [3], "first": np.int64(0)})


def merger():
    """Rows of a picture take the places of masked words; the products before and after are of known extents."""
    nodes = [node("MatMul", ["x", "w1"], ["words"]), node("NonZero", ["mask"], ["nz"], name="where"),
             node("Transpose", ["nz"], ["at"], perm=[1, 0]), node("Shape", ["at"], ["extents"]),
             node("Gather", ["extents", "first"], ["n"]), node("Unsqueeze", ["n", "zero"], ["ends"]),
             node("Slice", ["picture", "zero", "ends", "zero"], ["rows"]),
             node("ScatterND", ["words", "at", "rows"], ["merged"]), node("MatMul", ["merged", "w2"], ["y"])]
    return serialized(nodes, [("x", FLOAT, [1, WORDS, WIDTH]), ("mask", BOOL, [1, WORDS]),
                              ("picture", FLOAT, [WORDS, 4 * WIDTH])], [("y", FLOAT, [1, WORDS, WIDTH])],
                      {"w1": weights(WIDTH, 4 * WIDTH), "w2": weights(4 * WIDTH, WIDTH), "zero": [0],
                       "first": np.int64(0)})


def loop():
    """As many turns as the second input says."""
    body = helper.make_graph(
        [node("Identity", ["go"], ["go_on"]), node("Mul", ["v", "half"], ["w"]), node("MatMul", ["w", "m"], ["each"])],
        "body", [helper.make_tensor_value_info("i", INT64, []), helper.make_tensor_value_info("go", BOOL, []),
                 helper.make_tensor_value_info("v", FLOAT, [4, 4])],
        [helper.make_tensor_value_info("go_on", BOOL, []), helper.make_tensor_value_info("w", FLOAT, [4, 4]),
         helper.make_tensor_value_info("each", FLOAT, [4, 4])])
    nodes = [node("Tanh", ["x"], ["t"]), node("ReduceSum", ["k"], ["turns"], keepdims=0),
             node("Loop", ["turns", "", "t"], ["last", "all"], body=body, name="loop"),
             node("ReduceSum", ["all", "zero"], ["sum"], keepdims=0)]
    return serialized(nodes, [("x", FLOAT, [4, 4]), ("k", INT64, [10])],
                      [("last", FLOAT, [4, 4]), ("all", FLOAT, ["n", 4, 4]), ("sum", FLOAT, [4, 4])],
                      {"half": np.float32(0.5), "m": weights(4, 4), "zero": [0]})


def branches():
    """One row, or twice as many, and a product of them."""
    short = helper.make_graph([node("Slice", ["t", "zero", "one", "zero"], ["a"])], "short", [],
                              [helper.make_tensor_value_info("a", FLOAT, ["n", 8])])
    long = helper.make_graph([node("Concat", ["t", "t"], ["b"], axis=0)], "long", [],
                             [helper.make_tensor_value_info("b", FLOAT, ["n", 8])])
    nodes = [node("Tanh", ["x"], ["t"]), node("ReduceSum", ["x"], ["s"], keepdims=0),
             node("Greater", ["s", "nothing"], ["c"]),
             node("If", ["c"], ["either"], then_branch=short, else_branch=long, name="if"),
             node("MatMul", ["either", "w"], ["y"])]
    return serialized(nodes, [("x", FLOAT, [4, 8])], [("y", FLOAT, ["n", 3])],
                      {"zero": [0], "one": [1], "nothing": np.float32(0), "w": weights(8, 3)})


def labels():
    """The names of the classes that win."""
    nodes = [node("MatMul", ["x", "w"], ["scores"]), node("ArgMax", ["scores"], ["best"], axis=1, keepdims=0),
             node("Gather", ["names", "best"], ["y"], name="name")]
    return serialized(nodes, [("x", FLOAT, [6, 8])], [("y", STRING, [6]), ("scores", FLOAT, [6, 5])],
                      {"w": weights(8, 5), "names": np.array(["ant", "bee", "cat", "dog", "elk"], dtype=object)})


def pieces():
    """A sequence of known length is taken apart, changed and put together; it gives way to the tensors in it."""
    body = helper.make_graph(
        [node("Identity", ["go"], ["go_on"]), node("Cast", ["i"], ["f"], to=FLOAT), node("Mul", ["x", "f"], ["e"]),
         node("SequenceInsert", ["s", "e"], ["t"])],
        "body", [helper.make_tensor_value_info("i", INT64, []), helper.make_tensor_value_info("go", BOOL, []),
                 helper.make_tensor_sequence_value_info("s", FLOAT, None)],
        [helper.make_tensor_value_info("go_on", BOOL, []), helper.make_tensor_sequence_value_info("t", FLOAT, None)])
    nodes = [node("SplitToSequence", ["x", "two"], ["parts"], axis=1), node("SequenceAt", ["parts", "last"], ["l"]),
             node("SequenceInsert", ["parts", "l", "first"], ["more"]), node("SequenceErase", ["more", "one"], ["fewer"]),
             node("SequenceLength", ["fewer"], ["n"]), node("Cast", ["n"], ["number"], to=FLOAT),
             node("Loop", ["turns", "", "fewer"], ["all"], body=body),
             node("ConcatFromSequence", ["all"], ["joined"], axis=1), node("Mul", ["joined", "number"], ["y"]),
             node("SplitToSequence", ["x"], ["rows"], axis=0, keepdims=0),
             node("ConcatFromSequence", ["rows"], ["stacked"], axis=1, new_axis=1)]
    return serialized(nodes, [("x", FLOAT, [3, 5])], [("y", FLOAT, ["b", "n"]), ("stacked", FLOAT, [5, 3])],
                      {"two": np.int64(2), "last": np.int64(-1), "first": np.int64(0), "one": np.int64(1),
                       "turns": np.int64(3)})


MODELS = {"detector": (detector, "NonMaxSuppression 'nms'"), "merger": (merger, "NonZero 'where'"),
          "loop": (loop, "Loop 'loop'"), "branches": (branches, "If 'if'"), "labels": (labels, "Gather 'name'")}


def random_inputs(model, seed):
    rng = np.random.default_rng(seed)
    makers = {FLOAT: lambda shape: rng.standard_normal(shape).astype(np.float32),
              BOOL: lambda shape: rng.random(shape) < 0.3, INT64: lambda shape: rng.integers(0, 2, shape)}
    return {each.name: makers[each.type.tensor_type.elem_type]([dim.dim_value for dim in
                                                                each.type.tensor_type.shape.dim])
            for each in onnx.load_from_string(model).graph.input}


def compare(client, name, inputs, wanted):
    """Asks for everything; extents have to be equal, numbers close."""
    given = []
    for input_name, value in inputs.items():
        kind = {np.dtype(np.float32): "FP32", np.dtype(np.int64): "INT64", np.dtype(bool): "BOOL"}[value.dtype]
        given.append(httpclient.InferInput(input_name, value.shape, kind))
        given[-1].set_data_from_numpy(value)
    answer = client.infer(name, given)
    for output, value in wanted.items():
        got = answer.as_numpy(output)
        assert got.shape == (value.shape or (1,)), (name, output)  # clients see a scalar as one element
        if value.dtype == object:
            assert [text.decode() for text in got.ravel()] == list(value.ravel()), name
        else:
            np.testing.assert_allclose(got, value, rtol=1e-3, atol=1e-4, err_msg=f"{name} {output}")


def reference(model, inputs):
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return dict(zip([output.name for output in session.get_outputs()], session.run(None, inputs)))


@pytest.mark.parametrize("name", MODELS)
def test_they_are_compiled_and_the_node_that_begins_is_named(name, tmp_path):
    make, begins = MODELS[name]
    (tmp_path / "model.onnx").write_bytes(make())
    done = compile_model(tmp_path / "model.onnx", "--precision", "fp32", "--verify")
    assert done.returncode == 3, done  # that of the GPU's results is left out
    assert "optimised: output" in done.stdout and "allowed is" not in done.stdout
    assert f"{begins} " in done.stdout.split("nodes that run on the host: ")[0].splitlines()[-1]
    strict = compile_model(tmp_path / "model.onnx", "--strict")
    assert strict.returncode == 1 and begins in strict.stderr and "strict" in strict.stderr, strict


def test_sequences_of_known_length_leave_nothing_on_the_host(tmp_path):
    (tmp_path / "model.onnx").write_bytes(pieces())
    done = compile_model(tmp_path / "model.onnx", "--strict")
    assert done.returncode == 0 and "0 steps on the host" in done.stdout, done


def test_a_server_completes_their_configuration_and_answers(fake_cuda, tmp_path):  # noqa: F811
    """Nothing of these runs on the device."""
    where = serialized([node("NonZero", ["x"], ["nz"], name="nz"), node("Transpose", ["nz"], ["y"], perm=[1, 0])],
                       [("x", FLOAT, ["rows", 3])], [("y", INT64, ["n", 2])], {})
    write_model(tmp_path, "where", 'backend: "cuda"', files={"1/model.onnx": where})
    value = np.float32([[0, 1, 0], [2, 0, 3]])
    with running(f"--model-repository={tmp_path}") as server:
        wait_ready(server)
        with httpclient.InferenceServerClient(server.http) as client:
            assert client.get_model_metadata("where")["outputs"] == [
                {"name": "y", "datatype": "INT64", "shape": [-1, 2]}]
            for rows in (value, value[:1], np.zeros((2, 3), np.float32), np.ones((5, 3), np.float32)):
                compare(client, "where", {"x": rows}, {"y": np.argwhere(rows)})
        steps = {value for (name, _), value in metrics(server).items() if name == "nereid_cuda_host_steps"}
        assert steps == {8}
        assert "NonZero 'nz' makes a tensor whose extents depend on data" in server.log


def test_an_output_that_only_the_file_gives_a_type_is_served(fake_cuda, tmp_path):  # noqa: F811
    write_model(tmp_path, "pieces", 'backend: "cuda"', files={"1/model.onnx": pieces()})
    with running(f"--model-repository={tmp_path}") as server:
        wait_ready(server)
        with httpclient.InferenceServerClient(server.http) as client:
            outputs = client.get_model_metadata("pieces")["outputs"]
            assert [(output["name"], output["datatype"]) for output in outputs] == [("y", "FP32"), ("stacked", "FP32")]


@pytest.mark.skipif(gpu_count() == 0 or not HAS_ENGINE, reason="there is no GPU")
def test_a_gpu_answers_as_onnx_runtime_does(tmp_path):
    models = {name: make() for name, (make, _) in MODELS.items()} | {"pieces": pieces()}
    for name, model in models.items():
        write_model(tmp_path, name, 'backend: "cuda" parameters { key: "precision" value { string_value: "fp32" } }',
                    files={"1/model.onnx": model})
    with running(f"--model-repository={tmp_path}") as server:
        wait_ready(server)
        with httpclient.InferenceServerClient(server.http) as client:
            for seed in range(10):
                for name, model in models.items():
                    inputs = random_inputs(model, seed)
                    compare(client, name, inputs, reference(model, inputs))
