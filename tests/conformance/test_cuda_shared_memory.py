"""CUDA shared memory as the published clients use it, over both protocols. Needs a GPU and cuda-python."""
import contextlib
import ctypes
import os

import numpy as np
import pytest

from conftest import BUILD, running, wait_ready
from test_shared_memory import expect_failure, failure, shared_input, shared_output, tensor
from toolbox import connect, identity_config, write_model


def gpu_count():
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    return count.value if driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 else 0


GPUS = gpu_count()
pytestmark = pytest.mark.skipif(GPUS == 0, reason="there is no GPU")
SIZE = 64
HAS_ENGINE = os.path.isdir(os.path.join(os.environ.get("NEREID_BACKENDS", str(BUILD / "backends")), "cuda"))
# What each makes of its input.
MODELS = {"on_cpu": np.positive, "on_gpu": np.positive, **({"engine": np.negative} if HAS_ENGINE else {})}


def negation():
    """OUTPUT0 = -INPUT0."""
    onnx = pytest.importorskip("onnx")
    tensors = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["batch", 16])
               for name in ("INPUT0", "OUTPUT0")]
    graph = onnx.helper.make_graph([onnx.helper.make_node("Neg", ["INPUT0"], ["OUTPUT0"])], "negation",
                                   tensors[:1], tensors[1:])
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture(scope="module")
def sharing(tmp_path_factory):
    """A server with models that hand their input on, as a CPU's and as a GPU's, and one that the engine runs."""
    models = tmp_path_factory.mktemp("models")
    config = identity_config(dtype="TYPE_FP32")
    write_model(models, "on_cpu", config)
    write_model(models, "on_gpu", config.replace("KIND_CPU", "KIND_GPU"))
    if HAS_ENGINE:
        write_model(models, "engine", """backend: "cuda" max_batch_size: 8
            input { name: "INPUT0" data_type: TYPE_FP32 dims: [ 16 ] }
            output { name: "OUTPUT0" data_type: TYPE_FP32 dims: [ 16 ] }""",
                    files={"1/model.onnx": negation().SerializeToString()})
    with running(f"--model-repository={models}", "--allow-client-shm=true") as started:
        wait_ready(started)
        yield started


@pytest.fixture
def client(sharing, protocol):
    with connect(sharing, protocol) as opened:
        yield opened
        opened.unregister_cuda_shared_memory()
        opened.unregister_system_shared_memory()


@pytest.fixture
def region():
    """region(size, device) allocates memory on a GPU: (handle, raw handle, functions of the client library)."""
    pytest.importorskip("cuda.bindings.runtime")
    import tritonclient.utils.cuda_shared_memory as cuda_shm
    handles = []

    def make(size, device=0):
        handles.append(cuda_shm.create_shared_memory_region(f"r{len(handles)}", size, device))
        return handles[-1], cuda_shm.get_raw_handle(handles[-1]), cuda_shm

    yield make
    for handle in handles:
        cuda_shm.destroy_shared_memory_region(handle)


def fp32_input(protocol, name, offset=0):
    return shared_input(protocol, "INPUT0", name, SIZE, offset, (1, 16), "FP32")


@pytest.mark.parametrize("device", range(max(1, min(GPUS, 2))))
@pytest.mark.parametrize("model", list(MODELS))
def test_tensors_stay_on_the_gpu(client, protocol, region, model, device):
    source, source_raw, cuda_shm = region(SIZE, device)
    target, target_raw, _ = region(SIZE, device)
    client.register_cuda_shared_memory("in", source_raw, device, SIZE)
    client.register_cuda_shared_memory("out", target_raw, device, SIZE)
    for factor in range(1, 4):
        values = (np.arange(16, dtype=np.float32) * factor).reshape(1, 16)
        cuda_shm.set_shared_memory_region(source, [values])
        client.infer(model, [fp32_input(protocol, "in")], outputs=[shared_output(protocol, "OUTPUT0", "out", SIZE)])
        np.testing.assert_array_equal(cuda_shm.get_contents_as_numpy(target, np.float32, [1, 16]),
                                      MODELS[model](values))


@pytest.mark.parametrize("model", list(MODELS))
def test_one_side_on_the_gpu(client, protocol, region, model):
    values = np.linspace(-1, 1, 16, dtype=np.float32).reshape(1, 16)
    handle, raw, cuda_shm = region(SIZE)
    client.register_cuda_shared_memory("r", raw, 0, SIZE)
    cuda_shm.set_shared_memory_region(handle, [values])
    result = client.infer(model, [fp32_input(protocol, "r")])
    np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), MODELS[model](values))

    plain = tensor(protocol, "InferInput", "INPUT0", [1, 16], "FP32")
    plain.set_data_from_numpy(-values)
    client.infer(model, [plain], outputs=[shared_output(protocol, "OUTPUT0", "r", SIZE)])
    np.testing.assert_array_equal(cuda_shm.get_contents_as_numpy(handle, np.float32, [1, 16]),
                                  MODELS[model](-values))


@pytest.mark.parametrize("model", list(MODELS))
def test_system_regions_are_used_while_they_are_pinned_and_after(client, protocol, model):
    import tritonclient.utils.shared_memory as shm
    name = f"nereid_pinned_{os.getpid()}"
    size = 32 << 20  # takes a while to pin
    with contextlib.closing(shm.create_shared_memory_region(name, "/" + name, size)._mpsm_handle) as memory:
        try:
            client.register_system_shared_memory(name, "/" + name, size)
            for i in range(100):
                values = np.full((1, 16), i, np.float32)
                memory.buf[:SIZE] = values.tobytes()
                client.infer(model, [fp32_input(protocol, name)],
                             outputs=[shared_output(protocol, "OUTPUT0", name, SIZE, 4096)])
                assert bytes(memory.buf[4096:4096 + SIZE]) == MODELS[model](values).tobytes()
            client.unregister_system_shared_memory(name)
        finally:
            memory.unlink()


def test_status_and_wrong_registrations(client, protocol, region):
    handle, raw, _ = region(1024)
    client.register_cuda_shared_memory("r", raw, 0, 1024)
    said = client.get_cuda_shared_memory_status("r")
    rows = said if isinstance(said, list) else [
        {"name": row.name, "device_id": row.device_id, "byte_size": row.byte_size} for row in said.regions.values()]
    assert rows == [{"name": "r", "device_id": 0, "byte_size": 1024}]
    expect_failure(protocol, "404", "The region named 'r' is registered as CUDA shared memory, not system shared memory",
                   client.get_system_shared_memory_status, "r")
    expect_failure(protocol, "exists", "shared memory region 'r' already in manager",
                   client.register_cuda_shared_memory, "r", raw, 0, 1024)
    refused = "failed to register shared memory region: invalid args"
    for device, size in ((GPUS, 1024), (0, 1 << 40)):
        expect_failure(protocol, "400", refused, client.register_cuda_shared_memory, "s", raw, device, size)
    expect_failure(protocol, "400", refused, client.register_cuda_shared_memory, "s", b"A" * 86 + b"==", 0, 64)
    status, text = failure(protocol, client.infer, "on_cpu", [fp32_input(protocol, "r", 1020)])
    assert text == "Invalid offset + byte size for shared memory region: 'r'", (status, text)


def test_a_region_may_be_registered_twice(client, protocol, region):
    handle, raw, cuda_shm = region(2 * SIZE)
    values = np.arange(32, dtype=np.float32)
    cuda_shm.set_shared_memory_region(handle, [values])
    client.register_cuda_shared_memory("a", raw, 0, 2 * SIZE)
    client.register_cuda_shared_memory("b", raw, 0, 2 * SIZE)
    client.unregister_cuda_shared_memory("a")
    result = client.infer("on_gpu", [fp32_input(protocol, "b", SIZE)])
    np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), values[16:].reshape(1, 16))
