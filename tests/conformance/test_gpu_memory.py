"""Memory on a real GPU: models that come and go leave nothing, and what is reported is what the driver has given out."""
import os

import numpy as np
import pytest
import tritonclient.http as httpclient

from conftest import running, wait_ready
from test_cuda_shared_memory import HAS_ENGINE, gpu_count
from test_gpu import SIDE, infer, network, used_bytes, write
from toolbox import metrics, resident_kib, wait_until, write_model

onnx = pytest.importorskip("onnx")
pytestmark = pytest.mark.skipif(gpu_count() == 0 or not HAS_ENGINE, reason="there is no GPU")

CYCLES = int(os.environ.get("NEREID_GPU_CYCLES", "1000"))
SETTLED = 200  # cycles after which all that libraries, and the allocator for every thread, keep is there
PAGE = 2 << 20
GROUP = "instance_group { count: 1 kind: KIND_GPU gpus: [ 0 ] }"


def reported(server, model):
    return sum(value for (name, labels), value in metrics(server).items()
               if name == "nereid_cuda_memory_bytes" and dict(labels)["model"] == model)


def unload(server, client, model):
    client.unload_model(model)
    wait_until(lambda: reported(server, model) == 0, what=f"{model} going")


def test_a_thousand_models_leave_nothing(tmp_path):
    write(tmp_path, "cycled", network(1), GROUP)
    values = np.random.default_rng(3).standard_normal((3, 3, SIDE, SIDE)).astype(np.float32)
    marks = []
    with running(f"--model-repository={tmp_path}", "--model-control-mode=explicit") as server, \
            httpclient.InferenceServerClient(server.http) as client:
        for cycle in range(CYCLES):
            client.load_model("cycled")
            infer(client, "cycled", values)
            unload(server, client, "cycled")
            if (cycle + 1) % SETTLED == 0:
                marks.append((cycle + 1, used_bytes()[0] >> 10, resident_kib(server)))
        print("cycle, KiB on the GPU, KiB resident:", marks)
    assert len(marks) > 1, "fewer cycles than it takes to settle"
    settled, last = marks[0], marks[-1]
    assert last[1] - settled[1] <= PAGE >> 10, marks
    assert last[2] - settled[2] <= 10 * (last[0] - settled[0]), marks  # 10 KiB a cycle


def wide_product(inner, outer):
    from onnx import TensorProto, helper, numpy_helper

    weights = np.full((inner, outer), 0.01, np.float32)
    x = helper.make_tensor_value_info("X", TensorProto.FLOAT, ["n", inner])
    y = helper.make_tensor_value_info("Y", TensorProto.FLOAT, ["n", outer])
    graph = helper.make_graph([helper.make_node("MatMul", ["X", "W"], ["Y"])], "product", [x], [y],
                              [numpy_helper.from_array(weights, "W")])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


def test_reports_what_the_driver_has_given_out(tmp_path):
    inner = 4096
    write_model(tmp_path, "wide", f'backend: "cuda" max_batch_size: 8 {GROUP}',
                files={"1/model.onnx": wide_product(inner, 1 << 15)})
    with running(f"--model-repository={tmp_path}", "--model-control-mode=explicit") as server, \
            httpclient.InferenceServerClient(server.http) as client:
        wait_ready(server)
        values = np.ones((8, inner), np.float32)
        for _ in range(2):  # the first load brings the libraries' own code along
            before = used_bytes()[0]
            client.load_model("wide")
            for rows in (1, 1, 8, 8):
                infer(client, "wide", values[:rows])
            taken, said = used_bytes()[0] - before, reported(server, "wide")
            unload(server, client, "wide")
        print(f"the driver has given out {taken} bytes, {said} are reported")
        assert said > inner << 15
        assert abs(taken - said) <= 0.03 * taken + PAGE
