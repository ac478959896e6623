"""What only real GPUs can prove: results from each of several, memory that comes back, and life after a lost context."""
import ctypes
import os
import pathlib
import shutil
import subprocess
import threading
import time

import numpy as np
import pytest
import tritonclient.http as httpclient
from tritonclient.utils import InferenceServerException

from conftest import running, wait_ready
from test_cuda_shared_memory import HAS_ENGINE, gpu_count
from toolbox import (int32_input, keep_connecting, metric, metrics, statistics, wait_until, write_identity,
                     write_model)

onnx = pytest.importorskip("onnx")

GPUS = gpu_count()
pytestmark = pytest.mark.skipif(GPUS == 0 or not HAS_ENGINE, reason="there is no GPU")
SIDE = 32
CHANNELS = 64
FEATURES = 1000
FAILS_SECONDS = 20
LIBRARIES = ("libnvrtc.so.13", "libnvrtc.so.12", "libcublasLt.so.13", "libcublasLt.so.12", "libcudnn.so.9",
             "libnvidia-ml.so.1")
SHIM = pathlib.Path(__file__).with_name("breaking_driver.c")


def network(seed):
    """A convolution, ReLU, mean over pixels and a product: a kernel of each library and of our own."""
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(seed)
    filters = (rng.standard_normal((CHANNELS, 3, 3, 3)) / 5).astype(np.float32)
    weights = (rng.standard_normal((CHANNELS, FEATURES)) / 8).astype(np.float32)
    nodes = [helper.make_node("Conv", ["X", "F"], ["c"], pads=[1, 1, 1, 1]), helper.make_node("Relu", ["c"], ["r"]),
             helper.make_node("GlobalAveragePool", ["r"], ["p"]), helper.make_node("Flatten", ["p"], ["f"]),
             helper.make_node("MatMul", ["f", "W"], ["Y"])]
    x = helper.make_tensor_value_info("X", TensorProto.FLOAT, ["n", 3, SIDE, SIDE])
    y = helper.make_tensor_value_info("Y", TensorProto.FLOAT, ["n", FEATURES])
    graph = helper.make_graph(nodes, "network", [x], [y],
                              [numpy_helper.from_array(filters, "F"), numpy_helper.from_array(weights, "W")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model.SerializeToString()


def expected(model, values):
    from onnx.reference import ReferenceEvaluator

    return ReferenceEvaluator(onnx.load_from_string(model)).run(None, {"X": values})[0]


def write(repository, name, model, groups, extra=""):
    write_model(repository, name, f'backend: "cuda" max_batch_size: 8 dynamic_batching {{ }} {groups} {extra}',
                files={"1/model.onnx": model})


def infer(client, name, values):
    given = httpclient.InferInput("X", values.shape, "FP32")
    given.set_data_from_numpy(values)
    return client.infer(name, [given]).as_numpy("Y")


def close(got, wanted):
    return np.linalg.norm(got - wanted) <= 5e-3 * np.linalg.norm(wanted)


def gpus_of(server, model):
    return sorted(int(dict(labels)["gpu"]) for (name, labels), value in metrics(server).items()
                  if name == "nereid_cuda_memory_bytes" and dict(labels)["model"] == model and value > 0)


def used_bytes():
    """What the driver says is taken on each GPU."""
    nvml = ctypes.CDLL("libnvidia-ml.so.1")
    nvml.nvmlInit_v2()

    def used(index):
        device, memory = ctypes.c_void_p(), (ctypes.c_ulonglong * 3)()
        nvml.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(device))
        nvml.nvmlDeviceGetMemoryInfo(device, memory)
        return memory[2]

    return [used(index) for index in range(GPUS)]


@pytest.mark.skipif(GPUS < 2, reason="there are not two GPUs")
def test_models_on_several_gpus(tmp_path):
    model = network(1)
    write(tmp_path, "everywhere", model, "instance_group { count: 2 kind: KIND_GPU }")
    singles = {f"only_{gpu}": network(10 + gpu) for gpu in range(GPUS)}
    for gpu, (name, single) in enumerate(singles.items()):
        write(tmp_path, name, single, f"instance_group {{ count: 1 kind: KIND_GPU gpus: [ {gpu} ] }}")
    values = np.random.default_rng(3).standard_normal((8, 3, SIDE, SIDE)).astype(np.float32)
    wanted = expected(model, values)
    before = used_bytes()
    with running(f"--model-repository={tmp_path}", "--model-control-mode=explicit", "--load-model=*") as server:
        wait_ready(server)
        assert gpus_of(server, "everywhere") == list(range(GPUS))
        for gpu, name in enumerate(singles):
            assert gpus_of(server, name) == [gpu]
        wrong = []

        def hammer(rows):
            with httpclient.InferenceServerClient(server.http) as client:
                for _ in range(100):
                    if not close(infer(client, "everywhere", values[:rows]), wanted[:rows]):
                        wrong.append(rows)

        threads = [threading.Thread(target=hammer, args=(rows,)) for rows in (1, 2, 3, 4, 5, 6, 7, 8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not wrong
        with httpclient.InferenceServerClient(server.http) as client:
            for name, single in singles.items():
                assert close(infer(client, name, values), expected(single, values)), name
            for name in ("everywhere", *singles):
                client.unload_model(name)
                wait_until(lambda: not gpus_of(server, name))
    # The driver takes a moment to clear up after a process.
    wait_until(lambda: all(now <= then + (64 << 20) for now, then in zip(used_bytes(), before)),
               what="the memory of the process coming back")


@pytest.fixture
def breaking_driver(tmp_path_factory, monkeypatch):
    """A driver that loses the context of the GPU in use once its trigger, the result, is touched."""
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler")
    folder = tmp_path_factory.mktemp("driver")
    search = [entry for entry in os.environ.get("LD_LIBRARY_PATH", "").split(":") if entry]
    cached = subprocess.run(["ldconfig", "-p"], capture_output=True, text=True, check=False).stdout
    known = {line.split()[0]: line.split("=> ")[1] for line in cached.splitlines() if "=> " in line}

    def find(name):
        for place in [*search, "/usr/local/cuda/lib64", "/usr/local/nvidia/lib64", "/usr/local/nvidia/lib"]:
            if os.path.exists(os.path.join(place, name)):
                return os.path.join(place, name)
        return known.get(name)

    driver = find("libcuda.so.1")
    assert driver, "libcuda.so.1 is not where it is looked for"
    # Linked by name, so that looking a function up here finds the driver's.
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", folder / "libcuda.so.1", SHIM, "-Wl,--no-as-needed", driver,
                    "-ldl"], check=True)
    for name in LIBRARIES:
        if find(name):
            (folder / name).symlink_to(find(name))
    trigger = folder / "break"
    monkeypatch.setenv("NEREID_CUDA_FOLDER", str(folder))
    monkeypatch.setenv("NEREID_BREAK_GPU", str(trigger))
    return trigger


def lose_gpu(trigger, ask):
    """Asks until the GPU fails under it; the answer that says so. It takes the driver some asks to load what breaks it
    where that is work in the background, like a race for a batch's own program."""
    trigger.touch()
    deadline = time.monotonic() + FAILS_SECONDS
    while time.monotonic() < deadline:
        try:
            ask()
        except InferenceServerException as failure:
            return failure
    return pytest.fail("the GPU has not failed")


def test_a_lost_context_is_answered_and_overcome(breaking_driver, tmp_path):
    """CUDA is lost for the process then, on all GPUs: a new process takes over, and nobody is turned away."""
    model = network(4)
    write(tmp_path, "victim", model, "instance_group { count: 2 kind: KIND_GPU gpus: [ 0 ] }")
    write(tmp_path, "neighbour", model, "instance_group { count: 1 kind: KIND_GPU gpus: [ 0 ] }")
    on_gpus = ["victim", "neighbour"]
    if GPUS > 1:
        write(tmp_path, "elsewhere", model, "instance_group { count: 1 kind: KIND_GPU gpus: [ 1 ] }")
        on_gpus.append("elsewhere")
    write_identity(tmp_path, "on_cpu")
    values = np.random.default_rng(5).standard_normal((2, 3, SIDE, SIDE)).astype(np.float32)
    wanted = expected(model, values)
    rounds = 3
    with running(f"--model-repository={tmp_path}", "--device-failure-limit=100") as server:
        wait_ready(server)
        addresses = dict(server.addresses)
        stop = threading.Event()
        turned_away, served = [], []

        asking = threading.Thread(target=keep_connecting,
                                  args=(server.http, "on_cpu", stop, served, turned_away, 120))
        asking.start()
        for number in range(1, rounds + 1):
            with httpclient.InferenceServerClient(server.http) as client:
                for name in on_gpus:
                    for _ in range(4):  # captured by then
                        assert close(infer(client, name, values), wanted)
                failure = lose_gpu(breaking_driver, lambda: infer(client, "victim", values))
            began = time.monotonic()
            assert "GPU 0" in failure.message(), (number, failure)
            assert not breaking_driver.exists()
            server.wait_log(rf"goes on where another one ended.*\(restart {number}\)")
            wait_until(lambda: server.log.count("Started Metrics Service at") == number + 1, seconds=60)
            print(f"round {number}: {failure.message()}; serving again after {time.monotonic() - began:.2f} s")
            assert server.addresses == addresses and server.process.poll() is None
            with httpclient.InferenceServerClient(server.http) as client:
                assert client.is_server_ready()
                for name in on_gpus:
                    assert close(infer(client, name, values), wanted), (number, name)
        begun = len(served)
        wait_until(lambda: len(served) > begun)
        stop.set()
        asking.join()
        assert not turned_away, turned_away[:3]
        assert metric(server, "nereid_process_restarts") == rounds


def test_regions_on_the_gpu_outlive_a_lost_context(breaking_driver, tmp_path):
    pytest.importorskip("cuda.bindings.runtime")
    import tritonclient.utils.cuda_shared_memory as cuda_shm

    model = network(8)
    write(tmp_path, "victim", model, "instance_group { count: 1 kind: KIND_GPU gpus: [ 0 ] }")
    values = np.random.default_rng(9).standard_normal((2, 3, SIDE, SIDE)).astype(np.float32)
    wanted = expected(model, values)
    region = cuda_shm.create_shared_memory_region("x", values.nbytes, 0)
    given = httpclient.InferInput("X", values.shape, "FP32")
    given.set_shared_memory("x", values.nbytes)
    try:
        cuda_shm.set_shared_memory_region(region, [values])
        with running(f"--model-repository={tmp_path}", "--allow-client-shm=true") as server:
            wait_ready(server)
            with httpclient.InferenceServerClient(server.http) as client:
                client.register_cuda_shared_memory("x", cuda_shm.get_raw_handle(region), 0, values.nbytes)
                assert close(client.infer("victim", [given]).as_numpy("Y"), wanted)
                lose_gpu(breaking_driver, lambda: client.infer("victim", [given]))
            wait_until(lambda: server.log.count("Started Metrics Service at") == 2, seconds=60)
            with httpclient.InferenceServerClient(server.http) as client:
                assert close(client.infer("victim", [given]).as_numpy("Y"), wanted), server.log
    finally:
        cuda_shm.destroy_shared_memory_region(region)


def test_a_lost_context_ends_the_program_where_that_is_wanted(breaking_driver, tmp_path):
    write(tmp_path, "victim", network(4), "instance_group { count: 1 kind: KIND_GPU gpus: [ 0 ] }")
    values = np.ones((2, 3, SIDE, SIDE), np.float32)
    with running(f"--model-repository={tmp_path}", "--device-failure=exit", check_exit=False) as server:
        wait_ready(server)
        with httpclient.InferenceServerClient(server.http) as client:
            infer(client, "victim", values)
            lose_gpu(breaking_driver, lambda: infer(client, "victim", values))
        assert server.wait_exit() == 75


def test_the_cpu_goes_on_without_gpus_where_that_is_wanted(breaking_driver, tmp_path):
    write(tmp_path, "victim", network(4), "instance_group { count: 2 kind: KIND_GPU }")
    write_identity(tmp_path, "on_cpu")
    values = np.ones((2, 3, SIDE, SIDE), np.float32)
    with running(f"--model-repository={tmp_path}", "--device-failure=serve") as server:
        wait_ready(server)
        with httpclient.InferenceServerClient(server.http) as client:
            infer(client, "victim", values)
            lose_gpu(breaking_driver, lambda: infer(client, "victim", values))
            for _ in range(10):
                with pytest.raises(InferenceServerException) as failure:
                    infer(client, "victim", values)
                assert "has failed" in failure.value.message()
                assert client.infer("on_cpu", [int32_input([1, 2])]).as_numpy("OUTPUT0").tolist() == [[1, 2]]
            assert not client.is_model_ready("victim") and not client.is_server_ready()


def test_memory_is_what_the_driver_says(tmp_path):
    """A model of 256 MB of weights: what it reports, and what goes when it is unloaded, is what the GPU loses and gets."""
    from onnx import TensorProto, helper

    width = 8192
    table = helper.make_tensor("W", TensorProto.FLOAT, [width, width],
                               np.random.default_rng(6).random((width, width), dtype=np.float32).tobytes(), raw=True)
    nodes = [helper.make_node("MatMul", ["X", "W"], ["Y"])]
    x = helper.make_tensor_value_info("X", TensorProto.FLOAT, ["n", width])
    y = helper.make_tensor_value_info("Y", TensorProto.FLOAT, ["n", width])
    graph = helper.make_graph(nodes, "g", [x], [y], [table])
    big = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()
    precision = 'parameters { key: "precision" value { string_value: "fp32" } }'
    write(tmp_path, "small", network(7), "instance_group { kind: KIND_GPU gpus: [ 0 ] }")
    write(tmp_path, "big", big, "instance_group { kind: KIND_GPU gpus: [ 0 ] }", precision)
    with running(f"--model-repository={tmp_path}", "--model-control-mode=explicit", "--load-model=small") as server:
        wait_ready(server)
        with httpclient.InferenceServerClient(server.http) as client:
            values = np.ones((1, 3, SIDE, SIDE), np.float32)
            infer(client, "small", values)
            for _ in range(2):  # what the libraries keep for themselves is there from the second time on
                before = used_bytes()[0]
                client.load_model("big")
                for _ in range(3):
                    infer(client, "big", np.ones((8, width), np.float32))
                used = used_bytes()[0] - before
                reported = sum(int(item["byte_size"]) for item in statistics(server, "big")["memory_usage"]
                               if item["type"] == "GPU")
                client.unload_model("big")
                wait_until(lambda: not gpus_of(server, "big"))
                left = used_bytes()[0] - before
            print(f"reported {reported >> 20} MiB, used {used >> 20} MiB, left {left >> 20} MiB")
            assert abs(used - reported) <= 0.03 * used, (reported, used)
            assert left <= 2 << 20
