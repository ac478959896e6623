"""System shared memory as the published clients use it, over both protocols."""
import concurrent.futures
import contextlib
import os
import pathlib
import re
import time

import numpy as np
import pytest
import tritonclient.utils.shared_memory as shm
from tritonclient.utils import InferenceServerException, serialize_byte_tensor

import toolbox
from conftest import REPOSITORY, running, wait_ready
from test_perf_analyzer import perf_analyzer
from toolbox import connect, write_identity

SIZE = 64  # of one tensor of the model `simple`
CODES = {"400": "StatusCode.INVALID_ARGUMENT", "404": "StatusCode.NOT_FOUND", "500": "StatusCode.INTERNAL",
         "501": "StatusCode.UNIMPLEMENTED", "exists": "StatusCode.ALREADY_EXISTS"}


@pytest.fixture(scope="module")
def sharing(tmp_path_factory):
    """A server that lets clients register regions."""
    models = tmp_path_factory.mktemp("models")
    write_identity(models, "slow", delay_ms=500)
    write_identity(models, "typed", dtype="TYPE_INT32")
    with running(f"--model-repository={REPOSITORY}", f"--model-repository={models}",
                 "--allow-client-shm=true") as started:
        wait_ready(started)
        yield started


@pytest.fixture
def client(sharing, protocol):
    with connect(sharing, protocol) as opened:
        yield opened
        opened.unregister_system_shared_memory()


@pytest.fixture
def region():
    """region(size) creates an object; its name is also its key."""
    handles = []

    def make(size, name=None):
        name = name or f"nereid_conformance_{os.getpid()}_{len(handles)}_{time.monotonic_ns()}"
        handles.append(shm.create_shared_memory_region(name, "/" + name, size))
        return name, handles[-1]

    yield make
    for handle in handles:
        with contextlib.suppress(shm.SharedMemoryException, FileNotFoundError):
            shm.destroy_shared_memory_region(handle)


def status_of(client, name=""):
    """name -> (key, offset, byte_size) of the regions that the server lists."""
    said = client.get_system_shared_memory_status(name)
    rows = said if isinstance(said, list) else list(said.regions.values())
    get = (lambda row, field: row[field]) if isinstance(said, list) else getattr
    return {get(row, "name"): (get(row, "key"), get(row, "offset"), get(row, "byte_size")) for row in rows}


def failure(protocol, call, *arguments, **keywords):
    """(HTTP status or gRPC code, text) of a call that must fail."""
    with pytest.raises(InferenceServerException) as raised:
        call(*arguments, **keywords)
    return raised.value.status(), raised.value.message()


def expect_failure(protocol, code, text, call, *arguments, **keywords):
    wanted = CODES[code] if protocol == "grpc" else {"exists": "400"}.get(code, code)
    assert failure(protocol, call, *arguments, **keywords) == (wanted, text)


def tensor(protocol, kind, *arguments):
    module = __import__(f"tritonclient.{protocol}", fromlist=["x"])
    return getattr(module, kind)(*arguments)


def shared_input(protocol, name, region, byte_size, offset=0, shape=(1, 16), dtype="INT32"):
    made = tensor(protocol, "InferInput", name, list(shape), dtype)
    made.set_shared_memory(region, byte_size, offset)
    return made


def shared_output(protocol, name, region, byte_size, offset=0):
    made = tensor(protocol, "InferRequestedOutput", name)
    made.set_shared_memory(region, byte_size, offset)
    return made


def simple_inputs(protocol, region):
    return [shared_input(protocol, "INPUT0", region, SIZE), shared_input(protocol, "INPUT1", region, SIZE, SIZE)]


@pytest.fixture
def simple_region(client, region):
    """Both inputs of `simple`, registered, with room for its outputs behind them."""
    name, handle = region(4 * SIZE)
    values = np.arange(16, dtype=np.int32), np.full(16, 3, np.int32)
    shm.set_shared_memory_region(handle, list(values))
    client.register_system_shared_memory(name, "/" + name, 4 * SIZE)
    return name, handle, values


def output_of(result, name):
    found = result.get_output(name)
    if isinstance(found, dict):
        return found["datatype"], found["shape"], "data" in found or "parameters" in found
    return found.datatype, list(found.shape), bool(found.contents.ByteSize())


def test_inputs_and_outputs_lie_in_a_region(client, protocol, simple_region):
    name, handle, (left, right) = simple_region
    outputs = [shared_output(protocol, "OUTPUT0", name, SIZE, 2 * SIZE),
               shared_output(protocol, "OUTPUT1", name, SIZE, 3 * SIZE)]
    for round_number in range(3):  # what the client writes is seen at once
        left = left + round_number
        shm.set_shared_memory_region(handle, [left])
        result = client.infer("simple", simple_inputs(protocol, name), outputs=outputs)
        for output in ("OUTPUT0", "OUTPUT1"):
            assert output_of(result, output) == ("INT32", [1, 16], False)
        np.testing.assert_array_equal(shm.get_contents_as_numpy(handle, np.int32, [16], 2 * SIZE), left + right)
        np.testing.assert_array_equal(shm.get_contents_as_numpy(handle, np.int32, [16], 3 * SIZE), left - right)


def test_regions_mix_with_other_data(client, protocol, simple_region):
    name, handle, (left, right) = simple_region
    plain = tensor(protocol, "InferInput", "INPUT1", [1, 16], "INT32")
    plain.set_data_from_numpy(right.reshape(1, 16))
    result = client.infer("simple", [shared_input(protocol, "INPUT0", name, SIZE), plain], outputs=[
        tensor(protocol, "InferRequestedOutput", "OUTPUT0"), shared_output(protocol, "OUTPUT1", name, SIZE, 2 * SIZE)])
    np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), (left + right).reshape(1, 16))
    np.testing.assert_array_equal(shm.get_contents_as_numpy(handle, np.int32, [16], 2 * SIZE), left - right)


def test_an_input_may_become_the_output_in_the_same_place(client, protocol, region):
    name, handle = region(1024)
    values = np.arange(100, dtype=np.int32)
    shm.set_shared_memory_region(handle, [values])
    client.register_system_shared_memory(name, "/" + name, 1024)
    source = shared_input(protocol, "INPUT0", name, 400, 0, (1, 100))
    for offset in (0, 4, 512):  # in place, overlapping, apart
        shm.set_shared_memory_region(handle, [values])
        client.infer("typed", [source], outputs=[shared_output(protocol, "OUTPUT0", name, 400, offset)])
        np.testing.assert_array_equal(shm.get_contents_as_numpy(handle, np.int32, [100], offset), values)


def test_strings_lie_in_a_region(client, protocol, region):
    name, handle = region(4096)
    words = np.array([b"first", b"", "zw\u00f6lf".encode()], dtype=np.object_)
    encoded = serialize_byte_tensor(words)
    shm.set_shared_memory_region(handle, [encoded])
    client.register_system_shared_memory(name, "/" + name, 4096)
    size = len(encoded.item())
    client.infer("identity_bytes", [shared_input(protocol, "INPUT0", name, size, 0, (1, 3), "BYTES")],
                 outputs=[shared_output(protocol, "OUTPUT0", name, 2048, 2048)])
    got = shm.get_contents_as_numpy(handle, np.object_, [1, 3], 2048)
    np.testing.assert_array_equal(got.reshape(3), words)


def test_strings_are_checked(client, protocol, region):
    name, handle = region(64)
    shm.set_shared_memory_region(handle, [np.array([1000, 0], np.int32)])
    client.register_system_shared_memory(name, "/" + name, 64)
    status, text = failure(protocol, client.infer, "identity_bytes",
                           [shared_input(protocol, "INPUT0", name, 8, 0, (1, 1), "BYTES")])
    assert status in ("400", CODES["400"])
    assert "expecting string of length 1000 but only 4 bytes available" in text, text


def test_parts_of_an_object_are_regions(client, protocol, region):
    name, handle = region(3 * 4096)
    shm.set_shared_memory_region(handle, [np.arange(16, dtype=np.int32), np.ones(16, np.int32)], 4096)
    client.register_system_shared_memory("in", "/" + name, 4096, 4096)
    client.register_system_shared_memory("out", "/" + name, 4096, 8192)
    assert status_of(client) == {"in": ("/" + name, 4096, 4096), "out": ("/" + name, 8192, 4096)}
    client.infer("simple", simple_inputs(protocol, "in"), outputs=[shared_output(protocol, "OUTPUT0", "out", SIZE)])
    np.testing.assert_array_equal(shm.get_contents_as_numpy(handle, np.int32, [16], 8192), np.arange(16) + 1)


def test_registration_and_status(client, protocol, region):
    name, _ = region(4096)
    assert status_of(client) == {}
    client.register_system_shared_memory("a", "/" + name, 64)
    client.register_system_shared_memory("b", "/" + name, 4096)
    assert status_of(client, "b") == {"b": ("/" + name, 0, 4096)}
    assert status_of(client) == {"a": ("/" + name, 0, 64), "b": ("/" + name, 0, 4096)}
    expect_failure(protocol, "exists", "shared memory region 'a' already in manager",
                   client.register_system_shared_memory, "a", "/" + name, 64)
    expect_failure(protocol, "404", "Unable to find system shared memory region: 'c'",
                   client.get_system_shared_memory_status, "c")
    expect_failure(protocol, "404", "The region named 'a' is registered as system shared memory, not CUDA shared memory",
                   client.get_cuda_shared_memory_status, "a")
    client.unregister_system_shared_memory("c")
    client.unregister_cuda_shared_memory("a")
    client.unregister_cuda_shared_memory()
    assert sorted(status_of(client)) == ["a", "b"]
    client.unregister_system_shared_memory("a")
    assert sorted(status_of(client)) == ["b"]
    client.unregister_system_shared_memory()
    assert status_of(client) == {}


@pytest.mark.parametrize("key, size, offset, code, text", [
    ("/nereid_no_such_key", 64, 0, "500", "Unable to open shared memory region: '/nereid_no_such_key'"),
    ("/../etc/passwd", 64, 0, "500", "Unable to open shared memory region: '/../etc/passwd'"),
    ("/", 64, 0, "400", "cannot register shared memory region 'r' - invalid shm key '/'"),
    ("/triton_python_backend_shm_region_0", 64, 0, "400",
     "cannot register shared memory region 'r' with key '/triton_python_backend_shm_region_0' as the key contains the "
     "reserved prefix 'triton_python_backend_shm_region_'"),
    (None, 4097, 0, "400", "failed to register shared memory region 'r': invalid args"),
    (None, 2**63, 2**63, "400", "failed to register shared memory region 'r': invalid args"),
    (None, 64, 3, "400", "failed to register shared memory region 'r': unable to process address spaceInvalid argument"),
    (None, 0, 0, "400", "failed to register shared memory region 'r': unable to process address spaceInvalid argument"),
])
def test_bad_registrations(client, protocol, region, key, size, offset, code, text):
    name, _ = region(4096)
    expect_failure(protocol, code, text, client.register_system_shared_memory, "r", key or "/" + name, size, offset)
    assert status_of(client) == {}


@pytest.mark.parametrize("size, offset, text", [
    (SIZE, 4 * SIZE, "Invalid offset for shared memory region: '{}'"),
    (SIZE, 2**62, "Invalid offset for shared memory region: '{}'"),
    (SIZE, 4 * SIZE - 1, "Invalid offset + byte size for shared memory region: '{}'"),
    (2**62, 0, "Invalid offset + byte size for shared memory region: '{}'"),
])
def test_ranges_outside_of_a_region(client, protocol, simple_region, size, offset, text):
    name = simple_region[0]
    inputs = simple_inputs(protocol, name)
    expect_failure(protocol, "400", text.format(name), client.infer, "simple",
                   [shared_input(protocol, "INPUT0", name, size, offset), inputs[1]])
    expect_failure(protocol, "400", text.format(name), client.infer, "simple", inputs,
                   outputs=[shared_output(protocol, "OUTPUT0", name, size, offset)])


def test_wrong_uses(client, protocol, simple_region):
    name = simple_region[0]
    inputs = simple_inputs(protocol, name)
    expect_failure(protocol, "404", "Unable to find shared memory region: 'other'", client.infer, "simple",
                   [shared_input(protocol, "INPUT0", "other", SIZE), inputs[1]])
    status, text = failure(protocol, client.infer, "simple", [shared_input(protocol, "INPUT0", name, 60), inputs[1]])
    assert "input byte size mismatch for input 'INPUT0' for model 'simple'. Expected 64, got 60" in text
    for room in (0, 63):
        expect_failure(protocol, "500", "shared memory size specified with the request for output 'OUTPUT1' "
                       f"({room} bytes) should be at least 64 bytes to hold the results", client.infer, "simple", inputs,
                       outputs=[shared_output(protocol, "OUTPUT1", name, room, 2 * SIZE)])
    assert client.infer("simple", inputs).as_numpy("OUTPUT0") is not None


def test_sizes_that_overflow(sharing, simple_region, protocol):
    """The clients cannot send them over HTTP's JSON; a raw body can."""
    name = simple_region[0]
    body = ('{"inputs":[{"name":"INPUT0","datatype":"INT32","shape":[1,16],"parameters":{"shared_memory_region":"%s",'
            '"shared_memory_offset":16,"shared_memory_byte_size":18446744073709551615}}]}' % name)
    reply = toolbox.http(sharing.http, "/v2/models/simple/infer", body)
    assert (reply.status, reply.error) == (400, (
        "Integer overflow detected: byte_size (18446744073709551615) + offset (16) exceeds maximum value "
        f"(18446744073709551615) for region '{name}'"))


def test_a_region_that_is_unregistered_while_in_use(sharing, client, protocol, region):
    """It stays until the request has its answer; the client may even unlink it."""
    name, handle = region(4096)
    values = np.arange(16, dtype=np.int32)
    shm.set_shared_memory_region(handle, [values])
    client.register_system_shared_memory(name, "/" + name, 4096)

    def infer():
        with connect(sharing, protocol) as own:
            own.infer("slow", [shared_input(protocol, "INPUT0", name, SIZE)],
                      outputs=[shared_output(protocol, "OUTPUT0", name, SIZE, 2048)])

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(infer) for _ in range(4)]
        # Each takes half a second on the only instance: those that wait use the region for longer than that.
        toolbox.wait_until(lambda: toolbox.pending(sharing, "slow") >= 2, what="a queue")
        client.unregister_system_shared_memory(name)
        os.unlink(f"/dev/shm/{name}")
        assert name in status_of(client)
        expect_failure(protocol, "exists", f"shared memory region '{name}' already in manager",
                       client.register_system_shared_memory, name, "/" + name, 4096)
        for answer in waiting:
            answer.result()
    assert status_of(client) == {}
    np.testing.assert_array_equal(shm.get_contents_as_numpy(handle, np.int32, [16], 2048), values)


def test_regions_go_at_once_when_no_request_runs(client, protocol, region):
    """The answer comes after the last look at the region, so that a client can unregister it right away."""
    name, handle = region(4096)
    shm.set_shared_memory_region(handle, [np.arange(16, dtype=np.int32)])
    source = shared_input(protocol, "INPUT0", name, SIZE)
    target = shared_output(protocol, "OUTPUT0", name, SIZE, 2048)
    for _ in range(200):
        client.register_system_shared_memory(name, "/" + name, 4096)
        client.infer("typed", [source], outputs=[target])
        client.unregister_system_shared_memory(name)
        assert status_of(client) == {}


def test_an_object_that_shrinks_fails_the_request_only(sharing, client, protocol, region):
    name, handle = region(1 << 20)
    shm.set_shared_memory_region(handle, [np.arange(16, dtype=np.int32)])
    client.register_system_shared_memory(name, "/" + name, 1 << 20)
    os.truncate(f"/dev/shm/{name}", 0)
    expect_failure(protocol, "500", f"the object behind shared memory region '{name}' has shrunk since it was registered",
                   client.infer, "simple", simple_inputs(protocol, name))
    toolbox.still_serves(sharing)


def test_many_requests_share_a_region(sharing, protocol, region):
    """Concurrent requests in one batch read and write their own parts."""
    name, handle = region(64 * 4 * SIZE)
    with connect(sharing, protocol, **({"concurrency": 8} if protocol == "http" else {})) as client:
        client.register_system_shared_memory(name, "/" + name, 64 * 4 * SIZE)
        for i in range(64):
            shm.set_shared_memory_region(handle, [np.full(16, i, np.int32), np.full(16, 2, np.int32)], 4 * SIZE * i)

        def one(i):
            start = 4 * SIZE * i
            client.infer("simple", [shared_input(protocol, "INPUT0", name, SIZE, start),
                                    shared_input(protocol, "INPUT1", name, SIZE, start + SIZE)],
                         outputs=[shared_output(protocol, "OUTPUT0", name, SIZE, start + 2 * SIZE),
                                  shared_output(protocol, "OUTPUT1", name, SIZE, start + 3 * SIZE)])

        if protocol == "grpc":
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                list(pool.map(one, range(64)))
        else:  # the HTTP client is bound to one thread
            list(map(one, range(64)))
        client.unregister_system_shared_memory(name)
    for i in range(64):
        got = shm.get_contents_as_numpy(handle, np.int32, [32], 4 * SIZE * i + 2 * SIZE)
        assert set(got[:16]) == {i + 2} and set(got[16:]) == {i - 2}


def test_nothing_leaks(sharing, client, protocol, region):
    name, _ = region(4096)

    def mappings():
        return pathlib.Path(f"/proc/{sharing.process.pid}/maps").read_text().count(name)

    assert status_of(client) == {}  # now the connection is there
    before = toolbox.open_files(sharing)
    for i in range(50):
        client.register_system_shared_memory(f"r{i}", "/" + name, 4096)
        failure(protocol, client.register_system_shared_memory, "bad", "/" + name, 8192)
        failure(protocol, client.register_system_shared_memory, "bad", "/" + name, 0)
    assert mappings() == 50
    assert toolbox.open_files(sharing) == before
    client.unregister_system_shared_memory()
    assert mappings() == 0


def test_without_a_gpu_cuda_regions_are_refused(sharing, client, protocol):
    if re.search(r"libcuda\.so", pathlib.Path(f"/proc/{sharing.process.pid}/maps").read_text()):
        pytest.skip("this machine has a CUDA driver")
    handle = "A" * 86 + "=="
    expect_failure(protocol, "400", "failed to register CUDA shared memory region: 'r', GPUs not supported",
                   client.register_cuda_shared_memory, "r", handle.encode(), 0, 64)


@pytest.mark.parametrize("body, status, text", [
    ("", 500, None), ("[]", 400, "Shared memory register request has no 'key' field"),
    ("{}", 400, "Shared memory register request has no 'key' field"),
    ('{"key":"/k"}', 400, "Shared memory register request has no 'byte_size' field"),
    ('{"key":1,"byte_size":1}', 500, "attempt to access JSON non-string as string"),
    ('{"key":"/k","byte_size":-1}', 500, "attempt to access JSON non-unsigned-integer as unsigned-integer"),
    ('{"key":"/k","offset":"x","byte_size":1}', 500,
     "attempt to access JSON non-unsigned-integer as unsigned-integer"),
])
def test_bodies_of_registrations(sharing, body, status, text):
    reply = toolbox.http(sharing.http, "/v2/systemsharedmemory/region/r/register", body)
    assert reply.status == status
    if text:
        assert reply.error == text


def test_paths_without_a_region(sharing):
    for kind in ("system", "cuda"):
        reply = toolbox.http(sharing.http, f"/v2/{kind}sharedmemory/register", '{"key":"/k","byte_size":1}')
        assert (reply.status, reply.error) == (
            400, f"'region name' is necessary to register {kind} shared memory region")


def test_the_metadata_lists_both_extensions(client, protocol):
    metadata = client.get_server_metadata()
    extensions = metadata["extensions"] if isinstance(metadata, dict) else metadata.extensions
    assert {"system_shared_memory", "cuda_shared_memory"} <= set(extensions)


@pytest.mark.parametrize("model, arguments", [
    ("simple", ["-b", "4", "--concurrency-range", "4"]),
    ("identity_fp32", ["--shape", "INPUT0:1000"]),
    ("ocr_classifier", []),
])
def test_perf_analyzer_measures_with_shared_memory(sharing, protocol, model, arguments):
    if not (REPOSITORY / model / "1").exists():
        pytest.skip(f"{model} has not been fetched")
    text, throughput = perf_analyzer(sharing, protocol, "-m", model, "--shared-memory", "system",
                                     "--output-shared-memory-size", "65536", *arguments)
    assert throughput > 0
    assert re.search(r"Inference count: [1-9]", text), text
    with connect(sharing, protocol) as opened:
        assert status_of(opened) == {}, "it unregisters what it registered"
