"""The cuda backend behind a real server, on a stand-in for the driver: kernels do nothing there, what runs on the host is real."""
import numpy as np
import pytest
import tritonclient.http as httpclient
from tritonclient.utils import InferenceServerException

from conftest import running
from toolbox import connect, metric, metrics, module_path, statistics, wait_until, write_model

onnx = pytest.importorskip("onnx")

WIDTH = 4


def relu_model():
    """A kernel: the stand-in does nothing for it."""
    from onnx import TensorProto, helper

    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", WIDTH]) for name in "XY")
    return serialized([helper.make_node("Relu", ["X"], ["Y"])], x, y)


def host_model():
    """Y = X by way of an operator that runs on the host: sequences of one row are reversed."""
    from onnx import TensorProto, helper

    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", WIDTH]) for name in "XY")
    lengths = helper.make_tensor("lengths", TensorProto.INT64, [WIDTH], [1] * WIDTH)
    return serialized([helper.make_node("ReverseSequence", ["X", "lengths"], ["Y"], time_axis=0, batch_axis=1)],
                      x, y, [lengths])


def serialized(nodes, x, y, constants=()):
    from onnx import helper

    graph = helper.make_graph(nodes, "g", [x], [y], list(constants))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return model.SerializeToString()


def config(extra=""):
    return f"""backend: "cuda"
max_batch_size: 8
parameters {{ key: "precision" value {{ string_value: "fp32" }} }}
parameters {{ key: "graphs" value {{ string_value: "false" }} }}
{extra}
"""


@pytest.fixture
def fake_cuda(monkeypatch):
    folder = module_path("fake_cuda")
    if not (folder / "libcuda.so.1").exists():
        pytest.skip("built without the stand-in for CUDA")
    monkeypatch.setenv("NEREID_CUDA_FOLDER", str(folder))
    return monkeypatch


def write(repository, name, model, extra=""):
    folder = write_model(repository, name, config(extra))
    (folder / "1" / "model.onnx").write_bytes(model)


def infer(client, model, values):
    given = httpclient.InferInput("X", values.shape, "FP32")
    given.set_data_from_numpy(values)
    return client.infer(model, [given]).as_numpy("Y")


def series(server, name):
    return {labels: value for (found, labels), value in metrics(server).items() if found == name}


def test_results_metrics_and_memory(fake_cuda, tmp_path):
    write(tmp_path, "copy", host_model())
    write(tmp_path, "second", host_model(), "instance_group { count: 2 gpus: [ 1 ] }")
    with running(f"--model-repository={tmp_path}", "--model-control-mode=explicit", "--load-model=*") as server:
        with httpclient.InferenceServerClient(server.http) as client:
            rng = np.random.default_rng(7)
            for rows in (1, 3, 8):
                values = rng.random((rows, WIDTH), dtype=np.float32)
                for model in ("copy", "second"):
                    assert np.array_equal(infer(client, model, values), values)
            steps = {dict(labels)["model"]: value for labels, value in series(server, "nereid_cuda_host_steps").items()}
            assert steps == {"copy": 3, "second": 3}
            memory = series(server, "nereid_cuda_memory_bytes")
            places = sorted((dict(labels)["model"], dict(labels)["gpu"]) for labels in memory)
            assert places == [("copy", "0"), ("copy", "1"), ("second", "1")]
            assert all(value > 0 for value in memory.values())
            usage = {(item["type"], int(item["id"])): int(item["byte_size"])
                     for item in statistics(server, "copy")["memory_usage"]}
            for labels, value in memory.items():
                if dict(labels)["model"] == "copy":
                    assert usage["GPU", int(dict(labels)["gpu"])] == value
            client.unload_model("copy")
            wait_until(lambda: not any(dict(labels)["model"] == "copy"
                                       for labels in series(server, "nereid_cuda_memory_bytes")))


def works(client, model, values=np.ones((1, WIDTH), np.float32)):
    try:
        infer(client, model, values)
        return True
    except InferenceServerException:
        return False


def test_a_failed_launch_is_answered_and_overcome(fake_cuda, tmp_path):
    # The first launches are those of warming up. 701: CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES.
    fake_cuda.setenv("NEREID_FAKE_CUDA_FAIL", "cuLaunchKernel:701:40")
    fake_cuda.setenv("NEREID_FAKE_CUDA_DEVICES", "1")
    write(tmp_path, "relu", relu_model())
    write(tmp_path, "copy", host_model())
    with running(f"--model-repository={tmp_path}") as server:
        with httpclient.InferenceServerClient(server.http) as client:
            values = np.ones((1, WIDTH), np.float32)
            failure = None
            for _ in range(60):
                try:
                    infer(client, "relu", values)
                except InferenceServerException as error:
                    failure = error
                    break
            assert failure is not None and "GPU 0" in failure.message() and "cuLaunchKernel" in failure.message()
            for model in ("relu", "copy"):
                wait_until(lambda: works(client, model), what=f"{model} serving again")
                assert client.is_model_ready(model)
            failed = {dict(labels)["model"]: value
                      for labels, value in series(server, "nereid_cuda_device_failures").items()}
            assert failed["relu"] == 1
            assert metric(server, "nereid_process_restarts") == 0


def test_a_gpu_without_room_refuses_the_model_and_serves_the_others(fake_cuda, tmp_path):
    fake_cuda.setenv("NEREID_FAKE_CUDA_MEMORY", str(1 << 20))
    write(tmp_path, "small", relu_model())
    big = config().replace("max_batch_size: 8", "max_batch_size: 100000")
    (write_model(tmp_path, "big", big) / "1" / "model.onnx").write_bytes(relu_model())
    with running(f"--model-repository={tmp_path}", "--exit-on-error=false") as server:
        with httpclient.InferenceServerClient(server.http) as client:
            reasons = {row["name"]: row.get("reason", "") for row in client.get_model_repository_index()}
            assert "GPU 0 has not" in reasons["big"] or "GPU 1 has not" in reasons["big"], reasons
            assert infer(client, "small", np.ones((2, WIDTH), np.float32)).shape == (2, WIDTH)


def test_a_tensorrt_plan_is_refused_with_what_to_do(tmp_path):
    write_model(tmp_path, "plan", 'platform: "tensorrt_plan"\nmax_batch_size: 8\n', files={"1/model.plan": b"\0" * 64})
    with running(f"--model-repository={tmp_path}", "--exit-on-error=false") as server:
        with httpclient.InferenceServerClient(server.http) as client:
            reason = client.get_model_repository_index()[0]["reason"]
            assert "TensorRT plan" in reason and 'backend: "cuda"' in reason and "model.onnx" in reason, reason


def test_one_word_moves_a_model_from_onnxruntime(fake_cuda, tmp_path):
    extra = """optimization { graph { level: 1 } execution_accelerators { gpu_execution_accelerator { name: "tensorrt" } } }
parameters { key: "intra_op_thread_count" value { string_value: "2" } }
parameters { key: "session.intra_op.allow_spinning" value { string_value: "0" } }"""
    write(tmp_path, "copy", host_model(), extra)
    with running(f"--model-repository={tmp_path}") as server:
        for protocol in ("http", "grpc"):
            with connect(server, protocol) as client:
                assert client.is_model_ready("copy")
        for name in ("intra_op_thread_count", "session.intra_op.allow_spinning", "tensorrt"):
            assert f"'{name}'" in server.log, server.log
