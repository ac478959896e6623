"""A model with a plan, comes up again and again: instances that are made side by side, while kernels are compiled, libraries
asked and their candidates raced. On a GPU where there is one; otherwise on the stand-in for the driver, with the real compiler
where there is that. NEREID_STARTS says how many starts."""
import os
import pathlib
import shutil

import numpy as np
import pytest
import tritonclient.http as httpclient

from conftest import running, wait_ready
from test_cuda_shared_memory import GPUS, HAS_ENGINE
from toolbox import module_path, write_model

onnx = pytest.importorskip("onnx")

pytestmark = pytest.mark.skipif(not HAS_ENGINE, reason="built without the cuda backend")
STARTS = int(os.environ.get("NEREID_STARTS", 3))
SIDE, BATCH = (224, 128) if GPUS else (64, 8)
READY_SECONDS = 120
COMPILER = pathlib.Path("/usr/local/cuda/lib64/libnvrtc.so.13")


@pytest.fixture(autouse=True)
def libraries(tmp_path_factory, monkeypatch):
    if GPUS:
        return
    stand_ins = module_path("fake_cuda")
    if not (stand_ins / "libcuda.so.1").exists():
        pytest.skip("built without the stand-in for CUDA")
    folder = tmp_path_factory.mktemp("libraries")
    for library in stand_ins.glob("*.so.*"):
        real = COMPILER if library.name == COMPILER.name and COMPILER.exists() else library
        (folder / library.name).symlink_to(real)
    monkeypatch.setenv("NEREID_CUDA_FOLDER", str(folder))


def residual_network():
    """ResNet-50 with other numbers: about fifty convolutions, half of them of different kinds, and a product."""
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(1)
    nodes, constants = [], []

    def node(operator, *inputs, **attributes):
        name = f"{operator}_{len(nodes)}"
        nodes.append(helper.make_node(operator, list(inputs), [name], name=name, **attributes))
        return name

    def constant(*shape):
        values = rng.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))
        constants.append(numpy_helper.from_array(values.astype(np.float32), f"constant_{len(constants)}"))
        return constants[-1].name

    def convolution(x, channels, to, extent, stride):
        return node("Conv", x, constant(to, channels, extent, extent), constant(to), kernel_shape=[extent, extent],
                    strides=[stride, stride], pads=[extent // 2] * 4)

    x = node("Relu", convolution("X", 3, 64, 7, 2))
    x = node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    channels = 64
    for stage, blocks in enumerate((3, 4, 6, 3)):
        narrow, wide = 64 << stage, 256 << stage
        for block in range(blocks):
            stride = 2 if block == 0 and stage > 0 else 1
            y = node("Relu", convolution(x, channels, narrow, 1, 1))
            y = node("Relu", convolution(y, narrow, narrow, 3, stride))
            y = convolution(y, narrow, wide, 1, 1)
            x = node("Relu", node("Add", y, x if block else convolution(x, channels, wide, 1, stride)))
            channels = wide
    x = node("Flatten", node("GlobalAveragePool", x))
    nodes.append(helper.make_node("Gemm", [x, constant(1000, channels), constant(1000)], ["Y"], transB=1))
    tensors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *shape])
               for name, shape in (("X", [3, SIDE, SIDE]), ("Y", [1000]))]
    graph = helper.make_graph(nodes, "network", tensors[:1], tensors[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model.SerializeToString()


def test_instances_come_up_together_every_time(tmp_path):
    repository, plans = tmp_path / "models", tmp_path / "plans"
    write_model(repository, "network",
                f'backend: "cuda" max_batch_size: {BATCH} dynamic_batching {{ }} '
                'instance_group { count: 2 kind: KIND_GPU gpus: [ 0 ] } '
                'parameters { key: "warmup_batches" value { string_value: "all" } }',
                files={"1/model.onnx": residual_network()})
    values = np.random.default_rng(2).standard_normal((2, 3, SIDE, SIDE)).astype(np.float32)
    answers = []
    for start in range(STARTS + 1):
        if start < STARTS:  # the last one finds a plan
            shutil.rmtree(plans, ignore_errors=True)
        with running(f"--model-repository={repository}",
                     f"--backend-config=cuda,plan-cache-directory={plans}") as server:
            wait_ready(server, READY_SECONDS)
            given = httpclient.InferInput("X", values.shape, "FP32")
            given.set_data_from_numpy(values)
            with httpclient.InferenceServerClient(server.http) as client:
                answers.append(client.infer("network", [given]).as_numpy("Y"))
        assert len(list(plans.iterdir())) == 1, start
    if GPUS:
        for answer in answers[1:]:
            assert np.linalg.norm(answer - answers[0]) <= 5e-3 * np.linalg.norm(answers[0])
