"""A GPU that fails for good, on a stand-in for the driver: a new process takes over, or what the options say."""
import json
import os
import pathlib
import signal
import socket
import subprocess
import threading
import time

import numpy as np
import pytest
import tritonclient.grpc as grpcclient
import tritonclient.http as httpclient
import tritonclient.utils.shared_memory as shm
from tritonclient.utils import InferenceServerException

from conftest import running
from test_cuda_serving import WIDTH, config, fake_cuda, infer, onnx, relu_model, works, write  # noqa: F401
from toolbox import http, int32_input, json_infer_body, keep_connecting, metric, wait_until, write_identity

ILLEGAL_ADDRESS = 700
EXIT_STATUS = 75
ONE = np.ones((1, WIDTH), np.float32)


@pytest.fixture
def trigger(fake_cuda, tmp_path_factory):
    """Once this file is there, the next launch loses the GPU, and removes it."""
    file = tmp_path_factory.mktemp("trigger") / "fail"
    fake_cuda.setenv("NEREID_FAKE_CUDA_FAIL", f"cuLaunchKernel:{ILLEGAL_ADDRESS}")
    fake_cuda.setenv("NEREID_FAKE_CUDA_FAIL_FILE", str(file))
    return file


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "repository"
    folder.mkdir()
    write(folder, "victim", relu_model(), "instance_group { gpus: [ 0 ] }")
    write(folder, "elsewhere", relu_model(), "instance_group { gpus: [ 1 ] }")
    write_identity(folder, "on_cpu")
    write_identity(folder, "slow", delay_ms=1500)
    return folder


def lose_gpu(server, trigger, model="victim"):
    """Asks the model until the GPU fails under it; the answer that says so."""
    with httpclient.InferenceServerClient(server.http) as client:
        assert works(client, model)
        trigger.touch()
        with pytest.raises(InferenceServerException) as failure:
            infer(client, model, ONE)
    assert not trigger.exists()
    assert "GPU 0 has failed (cuStreamSynchronize: CUDA_ERROR_ILLEGAL_ADDRESS)" in failure.value.message()
    return failure.value


def wait_restarted(server, number=1):
    server.wait_log(rf"goes on where another one ended.*CUDA_ERROR_ILLEGAL_ADDRESS.*\(restart {number}\)")
    wait_until(lambda: server.log.count("Started Metrics Service at") == number + 1)


def answers(channel):
    try:
        return channel.is_model_ready("victim")
    except InferenceServerException:
        return False


def serves(server, model):
    with httpclient.InferenceServerClient(server.http) as client:
        return works(client, model)


def test_a_new_process_takes_over(trigger, repository):
    with running(f"--model-repository={repository}") as server, grpcclient.InferenceServerClient(server.grpc) as channel:
        assert channel.is_model_ready("victim")
        addresses = dict(server.addresses)
        lose_gpu(server, trigger)
        wait_restarted(server)
        assert server.addresses == addresses, "the ports were chosen by the first process"
        for model in ("victim", "elsewhere"):
            assert serves(server, model)
        with grpcclient.InferenceServerClient(server.grpc) as client:
            assert client.is_server_ready() and client.is_model_ready("victim")
        wait_until(lambda: answers(channel), what="the channel of before connecting again")
        assert metric(server, "nereid_process_restarts") == 1
        assert pathlib.Path(f"/proc/{server.process.pid}/comm").read_text().strip() == "nereid"
        arguments = pathlib.Path(f"/proc/{server.process.pid}/cmdline").read_bytes().split(b"\0")[:-1]
        assert [argument.decode() for argument in arguments] == server.command
        environment = pathlib.Path(f"/proc/{server.process.pid}/environ").read_bytes()
        assert environment.count(b"NEREID_PROCESS_STATE=") == 1  # as it began; it is unset at once
        assert server.process.poll() is None  # the same process, as far as its parent can see


def test_requests_in_flight_are_answered(trigger, repository):
    with running(f"--model-repository={repository}") as server:
        slow = {}

        def ask(protocol, client_module):
            with client_module.InferenceServerClient(getattr(server, protocol)) as client:
                tensor = client_module.InferInput("INPUT0", [1, 3], "INT32")
                tensor.set_data_from_numpy(np.array([[1, 2, 3]], np.int32))
                slow[protocol] = client.infer("slow", [tensor]).as_numpy("OUTPUT0").tolist()

        threads = [threading.Thread(target=ask, args=row) for row in (("http", httpclient), ("grpc", grpcclient))]
        for thread in threads:
            thread.start()
        # Both are in execution or in the queue behind it when the GPU fails.
        wait_until(lambda: metric(server, "nv_inference_pending_request_count", model="slow", version="1") == 1)
        lose_gpu(server, trigger)
        for thread in threads:
            thread.join()
        assert slow == {"http": [[1, 2, 3]], "grpc": [[1, 2, 3]]}
        wait_restarted(server)
        assert serves(server, "victim")


def test_connections_made_in_between_are_served_not_refused(trigger, repository):
    with running(f"--model-repository={repository}") as server:
        stop = threading.Event()
        refused, answered = [], []

        connecting = (server.http, "on_cpu", stop, answered, refused)
        threads = [threading.Thread(target=keep_connecting, args=connecting) for _ in range(4)]
        for thread in threads:
            thread.start()
        lose_gpu(server, trigger)
        wait_restarted(server)
        begun = len(answered)
        wait_until(lambda: len(answered) > begun + 20)
        stop.set()
        for thread in threads:
            thread.join()
        assert not refused, refused[:3]


def test_grpc_connections_wait_as_well(trigger, repository):
    with running(f"--model-repository={repository}") as server:
        lose_gpu(server, trigger)
        host, port = server.grpc.rsplit(":", 1)
        while server.log.count("Started GRPCInferenceService") < 2:
            socket.create_connection((host, int(port)), 10).close()
        with grpcclient.InferenceServerClient(server.grpc) as client:
            assert client.is_server_live()


def test_what_clients_set_up_is_there_again(trigger, repository, tmp_path, monkeypatch):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    name = f"/nereid_test_{os.getpid()}"
    region = shm.create_shared_memory_region("region", name, 64)
    try:
        with running(f"--model-repository={repository}", "--model-control-mode=explicit", "--load-model=victim",
                     "--load-model=slow", "--allow-client-shm=true", "--log-verbose=0") as server:
            with httpclient.InferenceServerClient(server.http) as client:
                client.load_model("on_cpu", config=json.dumps(
                    {"backend": "identity", "max_batch_size": 5,
                     "input": [{"name": "INPUT0", "data_type": "TYPE_INT32", "dims": [-1]}],
                     "output": [{"name": "OUTPUT0", "data_type": "TYPE_INT32", "dims": [-1]}]}))
                client.load_model("brought", config=json.dumps(
                    {"backend": "cuda", "max_batch_size": 8,
                     "parameters": {"precision": {"string_value": "fp32"}}}),
                    files={"file:1/model.onnx": relu_model()})
                client.unload_model("slow")
                client.register_system_shared_memory("region", name, 64)
                client.update_log_settings({"log_verbose_level": 2})
                assert len(list(temporary.iterdir())) == 1
            lose_gpu(server, trigger)
            wait_restarted(server)
            with httpclient.InferenceServerClient(server.http) as client:
                ready = {model for model in ("victim", "elsewhere", "on_cpu", "slow", "brought")
                         if client.is_model_ready(model)}
                assert ready == {"victim", "on_cpu", "brought"}
                assert client.get_model_config("on_cpu")["max_batch_size"] == 5
                assert works(client, "brought")
                assert client.get_system_shared_memory_status()[0]["key"] == name
                assert client.get_log_settings()["log_verbose_level"] == 2
                # The files that came along are once on the disk, and gone with the model.
                assert len(list(temporary.iterdir())) == 1
                client.unload_model("brought")
                wait_until(lambda: not list(temporary.iterdir()))
    finally:
        shm.destroy_shared_memory_region(region)


def test_what_cannot_be_restored_is_named_and_the_rest_serves(trigger, repository):
    name = f"/nereid_gone_{os.getpid()}"
    region = shm.create_shared_memory_region("region", name, 64)
    with running(f"--model-repository={repository}", "--allow-client-shm=true") as server:
        with httpclient.InferenceServerClient(server.http) as client:
            client.register_system_shared_memory("region", name, 64)
        shm.destroy_shared_memory_region(region)
        (repository / "on_cpu" / "config.pbtxt").write_text("nonsense")
        lose_gpu(server, trigger)
        wait_restarted(server)
        assert "'region' cannot be registered again" in server.log
        assert serves(server, "victim")
        with httpclient.InferenceServerClient(server.http) as client:
            assert not client.is_model_ready("on_cpu")


def test_failing_again_and_again_ends_the_program(trigger, repository):
    with running(f"--model-repository={repository}", check_exit=False) as server:
        for number in (1, 2):
            lose_gpu(server, trigger)
            wait_restarted(server, number)
        lose_gpu(server, trigger)
        assert server.wait_exit() == EXIT_STATUS
        assert "devices have failed 3 times within 60 s" in server.log
        assert f"ending with exit status {EXIT_STATUS}: GPU 0 has failed" in server.log


def test_a_gpu_that_fails_at_every_start_ends_the_program(fake_cuda, repository):
    # Armed anew in each process.
    fake_cuda.setenv("NEREID_FAKE_CUDA_FAIL", f"cuLaunchKernel:{ILLEGAL_ADDRESS}")
    binary, options = running_command(repository)
    ended = subprocess.run([binary, *options], capture_output=True, text=True, timeout=60, check=False)
    log = ended.stdout + ended.stderr
    assert ended.returncode == EXIT_STATUS, log
    assert log.count("a new process takes over (restart") == 2, log


def running_command(repository):
    from conftest import BUILD

    binary = os.environ.get("NEREID_BIN", str(BUILD / "bin" / "nereid"))
    backends = os.environ.get("NEREID_BACKENDS", str(BUILD / "backends"))
    return binary, [f"--backend-directory={backends}", "--http-port=0", "--grpc-port=0", "--metrics-port=0",
                    f"--model-repository={repository}"]


def test_exit_answers_and_ends(trigger, repository):
    with running(f"--model-repository={repository}", "--device-failure=exit", check_exit=False) as server:
        lose_gpu(server, trigger)
        assert server.wait_exit() == EXIT_STATUS
        assert "a new process takes over" not in server.log


def test_serve_goes_on_without_the_gpus(trigger, repository):
    with running(f"--model-repository={repository}", "--device-failure=serve", check_exit=False) as server:
        lose_gpu(server, trigger)
        with httpclient.InferenceServerClient(server.http) as client:
            for _ in range(3):
                for model in ("victim", "elsewhere"):
                    with pytest.raises(InferenceServerException) as failure:
                        infer(client, model, ONE)
                    assert "GPU 0 has failed" in failure.value.message()
            assert client.infer("on_cpu", [int32_input([1, 2])]).as_numpy("OUTPUT0").tolist() == [[1, 2]]
            assert client.is_server_live() and not client.is_server_ready()
            assert not client.is_model_ready("victim") and client.is_model_ready("on_cpu")
        reply = http(server.http, "/v2/models/victim/infer", json.dumps(
            {"inputs": [{"name": "X", "datatype": "FP32", "shape": [1, WIDTH], "data": [1.0] * WIDTH}]}))
        assert reply.status == 503, reply
        assert "serving goes on without the models on GPUs" in server.log


def test_a_signal_during_the_drain_ends_the_program(trigger, repository):
    with running(f"--model-repository={repository}") as server:
        slow = threading.Thread(target=lambda: http(server.http, "/v2/models/slow/infer", json_infer_body()))
        slow.start()
        wait_until(lambda: metric(server, "nv_inference_pending_request_count", model="slow", version="1") == 0
                   and statistics_in_flight(server))
        lose_gpu(server, trigger)
        server.wait_log("answering what is in flight, then a new process takes over")
        server.process.send_signal(signal.SIGTERM)
        assert server.wait_exit() == 0
        slow.join()
        assert "goes on where another one ended" not in server.log


def statistics_in_flight(server):
    time.sleep(0.3)  # the request is in execution for 1.5 s
    return True


def test_only_sockets_are_inherited(trigger, repository):
    with running(f"--model-repository={repository}") as server:
        before = open_kinds(server)
        for number in (1, 2):
            lose_gpu(server, trigger)
            wait_restarted(server, number)
            assert open_kinds(server) == before


def open_kinds(server):
    """What the process has open, without what comes and goes with connections."""
    def settled():
        kinds = {}
        for entry in pathlib.Path(f"/proc/{server.process.pid}/fd").iterdir():
            try:
                kind = os.readlink(entry).split(":")[0]
            except OSError:
                continue
            kinds[kind] = kinds.get(kind, 0) + 1
        return kinds

    last = settled()
    for _ in range(100):
        time.sleep(0.05)
        now = settled()
        if now == last:
            return now
        last = now
    return last
