"""Loads and unloads under traffic, and what thousands of requests and hundreds of loads leave behind."""
import pathlib
import threading
import time

import numpy as np
import pytest
from tritonclient.utils import InferenceServerException

import toolbox
from conftest import running
from toolbox import RawConnection, connect, json_infer_body, request_bytes, wait_until, write_simple


@pytest.fixture(scope="module")
def storm(tmp_path_factory):
    repository = tmp_path_factory.mktemp("storm")
    for name in ("stays", "batched", "swapped", "comes_and_goes_0", "comes_and_goes_1"):
        extra = "dynamic_batching { max_queue_delay_microseconds: 100 }" if name == "batched" else ""
        toolbox.write_identity(repository, name, extra=extra)
    write_simple(repository)
    with running(f"--model-repository={repository}", "--model-control-mode=explicit", "--load-model=stays",
                 "--load-model=batched", "--load-model=swapped", "--load-model=simple", "--http-thread-count=4",
                 "--grpc-infer-thread-count=4") as server:
        server.repository = repository
        yield server


class Traffic:
    """Clients that infer until told to stop, and what went wrong."""

    def __init__(self, server, models, protocols=("http", "grpc")):
        self.answered, self.wrong = {model: 0 for model in models}, []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(server, protocol, model))
                         for model in models for protocol in protocols]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, server, protocol, model):
        # The HTTP client of tritonclient belongs to the thread that made it.
        with connect(server, protocol) as client:
            turn = 0
            while not self._stop.is_set():
                turn += 1
                values = np.array([[turn, turn + 1]], np.int32)
                try:
                    result = client.infer(model, [toolbox.int32_input(values, protocol=protocol)])
                    if not (result.as_numpy("OUTPUT0") == values).all():
                        self.wrong.append(f"{model}: {result.as_numpy('OUTPUT0')} for {values}")
                    self.answered[model] += 1
                except Exception as error:  # whatever it is, the test fails for it
                    self.wrong.append(f"{model} over {protocol}: {error!r} {error}")


def test_loads_and_unloads_of_others_fail_no_request(storm):
    errors = []

    def churn(name, protocol):
        try:
            with connect(storm, protocol) as client:
                for _ in range(25):
                    client.load_model(name)
                    client.infer(name, [toolbox.int32_input([1], protocol=protocol)])
                    client.unload_model(name)
                    wait_until(lambda: not client.is_model_ready(name) if protocol == "http" else not ready(client, name))
        except Exception as error:
            errors.append(error)

    with Traffic(storm, ["stays", "batched"]) as traffic:
        threads = [threading.Thread(target=churn, args=(f"comes_and_goes_{i}", protocol))
                   for i, protocol in enumerate(("http", "grpc"))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not errors, errors
    assert not traffic.wrong, traffic.wrong[:5]
    assert min(traffic.answered.values()) > 20, traffic.answered


def ready(client, name):
    try:
        return client.is_model_ready(name)
    except InferenceServerException:
        return False


def test_a_model_that_is_reloaded_serves_all_the_while(storm):
    config = storm.repository / "swapped" / "config.pbtxt"
    with Traffic(storm, ["swapped"]) as traffic, connect(storm, "grpc") as client:
        for turn in range(20):
            config.write_text(toolbox.identity_config(max_batch_size=8 + turn))
            client.load_model("swapped")
            assert client.get_model_config("swapped", as_json=True)["config"]["max_batch_size"] == 8 + turn
    assert not traffic.wrong, traffic.wrong[:5]
    assert traffic.answered["swapped"] > 20


def test_a_reload_that_fails_leaves_the_old_one_serving(storm):
    config = storm.repository / "swapped" / "config.pbtxt"
    with Traffic(storm, ["swapped"]) as traffic, connect(storm, "http") as client:
        for text in ("backend: 3", toolbox.identity_config(delay_ms="never"),
                     toolbox.identity_config().replace("identity", "nowhere")) * 2:
            config.write_text(text)
            with pytest.raises(InferenceServerException):
                client.load_model("swapped")
            assert client.is_model_ready("swapped")
        config.write_text(toolbox.identity_config())
        client.load_model("swapped")
    assert not traffic.wrong, traffic.wrong[:5]


def test_versions_change_under_traffic(storm):
    folder = storm.repository / "swapped"
    policy = "version_policy { all {} }"
    with Traffic(storm, ["swapped"]) as traffic, connect(storm, "grpc") as client:
        for version in (2, 3, 4):
            (folder / str(version)).mkdir()
            (folder / "config.pbtxt").write_text(toolbox.identity_config(extra=policy))
            client.load_model("swapped")
            assert client.is_model_ready("swapped", str(version))
        for version in (4, 3, 2):
            (folder / str(version)).rmdir()
            client.load_model("swapped")
            wait_until(lambda version=version: not version_ready(client, version))
    assert not traffic.wrong, traffic.wrong[:5]


def version_ready(client, version):
    try:
        return client.is_model_ready("swapped", str(version))
    except InferenceServerException:
        return False


def test_requests_to_a_model_that_leaves_are_answered_or_refused(storm):
    """Nothing hangs, and no error but that the model is not there."""
    kinds = set()
    stop = threading.Event()

    def ask(protocol):
        with connect(storm, protocol) as client:
            while not stop.is_set():
                try:
                    client.infer("comes_and_goes_0", [toolbox.int32_input([1], protocol=protocol)])
                    kinds.add("answered")
                except InferenceServerException as error:
                    kinds.add(str(error.status()))

    threads = [threading.Thread(target=ask, args=(protocol,)) for protocol in ("http", "grpc") for _ in range(2)]
    for thread in threads:
        thread.start()
    with connect(storm, "grpc") as client:
        for _ in range(30):
            client.load_model("comes_and_goes_0")
            client.unload_model("comes_and_goes_0")
    stop.set()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    assert kinds <= {"answered", "404", "503", "StatusCode.NOT_FOUND", "StatusCode.UNAVAILABLE"}, kinds


# --- leaks -----------------------------------------------------------------------------------------

def test_thousands_of_requests_leave_no_memory(storm):
    good = request_bytes("/v2/models/batched/infer", json_infer_body(list(range(1000))))
    bad = [request_bytes("/v2/models/batched/infer", json_infer_body(dtype="FP32")),
           request_bytes("/v2/models/batched/infer", b'{"inputs":[{'), request_bytes("/v2/nothing", b"{}"),
           request_bytes("/v2/models/none/infer", json_infer_body())]

    def send(count):
        with RawConnection(storm.http) as connection:
            for i in range(count):
                connection.send(bad[i % 4] if i % 5 == 0 else good)
                assert connection.reply() is not None
        with connect(storm, "grpc") as client:
            tensor = toolbox.int32_input(list(range(1000)), protocol="grpc")
            for _ in range(count // 4):
                client.infer("batched", [tensor])

    send(1000)
    before = toolbox.resident_kib(storm)
    send(4000)
    assert toolbox.resident_kib(storm) - before < 4096


def test_large_requests_are_given_back(storm):
    values = np.zeros((1, 2_000_000), np.int32)

    def send(count):
        for protocol in ("http", "grpc"):
            with connect(storm, protocol) as client:
                for _ in range(count):
                    client.infer("stays", [toolbox.int32_input(values, protocol=protocol)])

    send(5)
    before = toolbox.resident_kib(storm)
    send(30)
    assert toolbox.resident_kib(storm) - before < 32 * 1024


def test_connections_that_come_and_go_leave_nothing(storm):
    def come_and_go(count):
        for i in range(count):
            connection = RawConnection(storm.http)
            connection.send(request_bytes("/v2/health/live", method="GET"))
            if i % 2:
                assert connection.reply().status == 200
            connection.close()

    come_and_go(500)
    files, before = toolbox.open_files(storm), toolbox.resident_kib(storm)
    come_and_go(3000)
    wait_until(lambda: toolbox.open_files(storm) <= files + 2)
    assert toolbox.resident_kib(storm) - before < 4096


@pytest.mark.parametrize("model, cycles, limit_kib", [("simple", 200, 12 * 1024), ("comes_and_goes_1", 200, 6 * 1024)])
def test_loads_and_unloads_leave_no_memory(storm, model, cycles, limit_kib):
    names = ["INPUT0", "INPUT1"] if model == "simple" else ["INPUT0"]

    def cycle(client, count):
        for _ in range(count):
            client.load_model(model)
            client.infer(model, [toolbox.int32_input(list(range(16)), name) for name in names])
            client.unload_model(model)

    with connect(storm, "http") as client:
        cycle(client, 60)
        before, files = toolbox.resident_kib(storm), toolbox.open_files(storm)
        threads = len(list(pathlib.Path(f"/proc/{storm.process.pid}/task").iterdir()))
        cycle(client, cycles)
        wait_until(lambda: toolbox.resident_kib(storm) - before < limit_kib, what="the memory to be given back")
        assert toolbox.open_files(storm) <= files + 2
        assert len(list(pathlib.Path(f"/proc/{storm.process.pid}/task").iterdir())) <= threads + 2


def test_failed_loads_leave_no_memory(storm):
    folder = toolbox.write_model(storm.repository, "corrupt", (toolbox.SIMPLE / "config.pbtxt").read_text().replace(
        'name: "simple"', 'name: "corrupt"'))
    data = bytearray((toolbox.SIMPLE / "1" / "model.onnx").read_bytes())
    data[60:90] = b"\xff" * 30
    (folder / "1" / "model.onnx").write_bytes(bytes(data))

    def fail(client, count):
        for _ in range(count):
            with pytest.raises(InferenceServerException):
                client.load_model("corrupt")

    with connect(storm, "http") as client:
        fail(client, 30)
        before = toolbox.resident_kib(storm)
        fail(client, 150)
        assert toolbox.resident_kib(storm) - before < 6 * 1024


# --- everything at once ----------------------------------------------------------------------------

def test_everything_at_once_ends_in_order(tmp_path):
    """Loads, unloads, index, metrics, statistics and inference of the same models by many clients, then a signal in the
    middle of it: no request hangs, none gets an answer that is not its own, and the server ends well."""
    import conftest

    names = ["a", "b", "c"]
    for name in names:
        toolbox.write_identity(tmp_path, name, extra="dynamic_batching {}")
    server = conftest.Server([f"--model-repository={tmp_path}", "--model-control-mode=explicit", "--load-model=*",
                              "--metrics-config=summary_latencies=true", "--metrics-config=histogram_latencies=true",
                              "--http-thread-count=3", "--grpc-infer-thread-count=3", "--log-info=true"])
    server.wait_started()
    stop, wrong, done = threading.Event(), [], {"count": 0}

    def chaos(seed):
        random = np.random.default_rng(seed)
        protocol = ("http", "grpc")[seed % 2]
        try:
            with connect(server, protocol) as client:
                while not stop.is_set():
                    name, action = names[random.integers(3)], random.integers(8)
                    try:
                        if action == 0:
                            client.load_model(name)
                        elif action == 1:
                            client.unload_model(name)
                        elif action == 2:
                            client.get_model_repository_index()
                        elif action == 3:
                            client.get_inference_statistics()
                        elif action == 4:
                            toolbox.metrics(server)
                        else:
                            values = np.array([[seed, random.integers(1000)]], np.int32)
                            got = client.infer(name, [toolbox.int32_input(values, protocol=protocol)]).as_numpy("OUTPUT0")
                            if not (got == values).all():
                                wrong.append((values, got))
                        done["count"] += 1
                    except InferenceServerException as error:
                        if str(error.status()) not in ("400", "404", "503", "500", "StatusCode.NOT_FOUND",
                                                       "StatusCode.UNAVAILABLE", "StatusCode.INVALID_ARGUMENT",
                                                       "StatusCode.INTERNAL", "StatusCode.CANCELLED"):
                            wrong.append(error)
        except Exception as error:
            if not stop.is_set():
                wrong.append(error)

    threads = [threading.Thread(target=chaos, args=(seed,)) for seed in range(10)]
    try:
        for thread in threads:
            thread.start()
        wait_until(lambda: done["count"] > 3000 or wrong, 60, "chaos")
        stop.set()
        assert not wrong, wrong[:3]
        assert server.stop() == 0, server.log[-2000:]
        for thread in threads:
            thread.join(20)
            assert not thread.is_alive()
    finally:
        stop.set()
        server.kill()
