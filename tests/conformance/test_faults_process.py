"""What can go wrong with the process: ports, folders, logs, and the ways it is told to stop."""
import os
import re
import resource
import signal
import socket
import subprocess
import threading
import time

import pytest

import conftest
import toolbox
from conftest import running
from toolbox import RawConnection, connect, http, json_infer_body, request_bytes, wait_until


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    folder = tmp_path_factory.mktemp("process")
    toolbox.write_identity(folder, "identity")
    toolbox.write_identity(folder, "slow", delay_ms=600)
    toolbox.write_identity(folder, "slower", delay_ms=5000)
    return folder


def fails_to_start(*options):
    """Runs a server that must refuse to start; returns its output."""
    server = conftest.Server(options)
    try:
        assert server.wait_exit() == 1, server.log
    finally:
        server.kill()
    return server.log


# --- starting --------------------------------------------------------------------------------------

@pytest.mark.parametrize("service, name", [("http", "HTTP"), ("grpc", "GRPC"), ("metrics", "Metrics")])
def test_a_port_in_use_stops_the_start(repository, service, name):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        log = fails_to_start(f"--model-repository={repository}", f"--{service}-port={port}")
        assert f"failed to start {name} service" in log, log
        assert f"Unavailable - Socket '127.0.0.1:{port}' already in use" in log, log


def test_two_services_cannot_share_a_port(repository):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    log = fails_to_start(f"--model-repository={repository}", f"--http-port={port}", f"--grpc-port={port}")
    assert f"requests at the same address and port 127.0.0.1:{port}" in log, log


def test_reused_ports_are_shared(repository):
    with running(f"--model-repository={repository}") as first:
        port = first.http.split(":")[1]
        log = fails_to_start(f"--model-repository={repository}", f"--http-port={port}", "--reuse-http-port=true")
        assert "already in use" in log  # the first did not agree to share
    with running(f"--model-repository={repository}", f"--http-port={port}", "--reuse-http-port=1") as first:
        with running(f"--model-repository={repository}", f"--http-port={port}", "--reuse-http-port=1") as second:
            assert first.http == second.http


def test_an_address_that_is_not_ours_stops_the_start(repository):
    log = fails_to_start(f"--model-repository={repository}", "--http-address=203.0.113.7")
    assert "error: " in log and "203.0.113.7" in log, log


def test_a_repository_that_cannot_be_read_stops_the_start(tmp_path, repository):
    (tmp_path / "file").write_text("no folder")
    for path in (tmp_path / "file", tmp_path / "absent", tmp_path / "file" / "below"):
        log = fails_to_start(f"--model-repository={path}")
        assert "error: creating server" in log and str(path) in log, log
    assert "--model-repository must be specified" in fails_to_start()


def test_what_lies_beside_models_does_no_harm(tmp_path):
    toolbox.write_identity(tmp_path, "identity")
    (tmp_path / "README.md").write_text("a file is no model")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    with running(f"--model-repository={tmp_path}", "--exit-on-error=false", "--strict-readiness=false") as server:
        toolbox.still_serves(server, "identity")


def test_a_log_file_that_cannot_be_opened_stops_the_start(tmp_path, repository):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "log", tmp_path):
        log = fails_to_start(f"--model-repository={repository}", f"--log-file={path}")
        assert "error: configuring the log" in log and str(path) in log, log


def test_a_full_disk_under_the_log_does_not_stop_the_service(repository):
    """/dev/full refuses every byte."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = conftest.Server([f"--model-repository={repository}", "--log-file=/dev/full", "--log-verbose=2",
                              f"--http-port={port}", "--metrics-port=0"])
    try:
        server.addresses["http"] = f"127.0.0.1:{port}"
        wait_until(lambda: server.process.poll() is not None or is_live(server.http), 20, "being live")
        for _ in range(50):
            toolbox.still_serves(server, "identity")
        assert server.stop() == 0, server.log
    finally:
        server.kill()


def is_live(address):
    try:
        return http(address, "/v2/health/live", method="GET").status == 200
    except OSError:
        return False


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_closed_console_does_not_stop_the_service(repository, stream):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    binary = os.environ.get("NEREID_BIN", str(conftest.BUILD / "bin" / "nereid"))
    backends = os.environ.get("NEREID_BACKENDS", str(conftest.BUILD / "backends"))
    read_end, write_end = os.pipe()
    os.close(read_end)
    process = subprocess.Popen([binary, f"--backend-directory={backends}", f"--model-repository={repository}",
                                "--http-address=127.0.0.1", f"--http-port={port}", "--allow-grpc=false",
                                "--metrics-port=0", "--log-verbose=1"],
                               stdin=subprocess.DEVNULL, **{"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL,
                                                            stream: write_end})
    os.close(write_end)
    try:
        wait_until(lambda: process.poll() is not None or is_live(f"127.0.0.1:{port}"), 20, "being live")
        assert http(f"127.0.0.1:{port}", "/v2/models/identity/infer", json_infer_body()).status == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def test_a_lack_of_file_descriptors_passes(repository):
    """With few descriptors the crowd waits; when it has gone everybody is served."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (96, hard))
    try:
        server = conftest.Server([f"--model-repository={repository}", "--http-keepalive-timeout-secs=2"])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    try:
        server.wait_started()
        crowd = [RawConnection(server.http) for _ in range(150)]
        for member in crowd[:20]:
            member.send(request_bytes("/v2/health/live", method="GET"))
            assert member.reply().status == 200
        for member in crowd:
            member.close()
        toolbox.still_serves(server, "identity")
        assert server.stop() == 0
    finally:
        server.kill()


# --- stopping --------------------------------------------------------------------------------------

@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_an_idle_server_at_once(repository, number):
    server = conftest.Server([f"--model-repository={repository}"])
    server.wait_started()
    idle = RawConnection(server.http)  # holds nothing up
    began = time.monotonic()
    server.process.send_signal(number)
    assert server.wait_exit() == 0
    assert time.monotonic() - began < 3
    assert f"Signal ({int(number)}) received." in server.log
    idle.close()


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT])
def test_a_crash_says_where(repository, number):
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
    try:
        server = conftest.Server([f"--model-repository={repository}"])
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))
    server.wait_started()
    server.process.send_signal(number)
    assert server.wait_exit() == -number
    report = server.log[server.log.index(f"Signal ({int(number)}) received."):]
    assert "innermost first" in report
    assert len(re.findall(r"\S+\(\S*\+0x[0-9a-f]+\)\[0x[0-9a-f]+\]", report)) > 3, report


def test_what_is_in_flight_is_finished(repository, protocol):
    server = conftest.Server([f"--model-repository={repository}"])
    server.wait_started()
    results = []

    def infer():
        with connect(server, protocol) as client:
            try:
                client.infer("slow", [toolbox.int32_input([1, 2], protocol=protocol)])
                results.append("answered")
            except Exception as error:  # the test looks at what it was
                results.append(error)

    threads = [threading.Thread(target=infer) for _ in range(3)]
    for thread in threads:
        thread.start()
    wait_until(lambda: toolbox.pending(server, "slow") == 2, what="two waiting requests")
    server.process.send_signal(signal.SIGTERM)
    server.wait_log(r"Signal \(15\) received")
    server.process.send_signal(signal.SIGTERM)  # a second one changes nothing
    for thread in threads:
        thread.join()
    assert server.wait_exit() == 0, server.log
    assert results == ["answered"] * 3, results


def test_a_server_under_load_stops_without_losing_an_answer(repository):
    """Every request that was accepted is answered; a refused connection or UNAVAILABLE is fair after the signal."""
    server = conftest.Server([f"--model-repository={repository}"])
    server.wait_started()
    body = json_infer_body(list(range(100)))
    stopping = threading.Event()
    counts, wrong = {"answered": 0}, []

    def load():
        try:
            with RawConnection(server.http) as connection:
                while True:
                    connection.send(request_bytes("/v2/models/identity/infer", body))
                    reply = connection.reply()
                    if reply is None:
                        # Cut between two requests: only when stopping.
                        return None if stopping.is_set() else wrong.append("cut off")
                    if reply.status == 503:
                        return None if stopping.is_set() else wrong.append(reply)
                    if reply.status != 200:
                        return wrong.append(reply)
                    counts["answered"] += 1
        except OSError as error:
            if not stopping.is_set():
                wrong.append(error)
        except AssertionError as error:  # an answer in pieces
            wrong.append(error)
        return None

    threads = [threading.Thread(target=load) for _ in range(8)]
    for thread in threads:
        thread.start()
    wait_until(lambda: counts["answered"] > 200, what="traffic")
    stopping.set()
    server.process.send_signal(signal.SIGTERM)
    assert server.wait_exit() == 0, server.log
    for thread in threads:
        thread.join()
    assert not wrong, wrong


def test_requests_that_outlast_the_exit_timeout_end_it_with_1(repository, protocol):
    server = conftest.Server([f"--model-repository={repository}", "--exit-timeout-secs=1"])
    server.wait_started()
    results = []

    def infer():
        try:
            with connect(server, protocol) as client:
                client.infer("slower", [toolbox.int32_input([1], protocol=protocol)])
        except Exception as error:  # the connection ends with the server
            results.append(error)

    thread = threading.Thread(target=infer)
    thread.start()
    wait_until(lambda: toolbox.metric(server, "nv_inference_pending_request_count", model="slower", version="1") == 0)
    time.sleep(0.3)
    began = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    assert server.wait_exit() == 1, server.log
    assert 0.9 < time.monotonic() - began < 4
    assert "Exit timeout expired. Exiting immediately." in server.log
    thread.join()
    assert len(results) == 1


def test_a_signal_while_models_load_ends_the_server(tmp_path):
    toolbox.write_identity(tmp_path, "slow_start", delay_ms=20000, extra="""
model_warmup { name: "w" batch_size: 1 inputs { key: "INPUT0" value { data_type: TYPE_INT32 dims: [ 1 ] zero_data: true } } }
""")
    server = conftest.Server([f"--model-repository={tmp_path}"])
    server.wait_log("loading: slow_start:1")
    server.process.send_signal(signal.SIGTERM)
    server.process.wait(5)  # long before the model is loaded
    assert server.process.returncode == 128 + signal.SIGTERM, server.log


HTTP2_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])


@pytest.mark.parametrize("port, begun", [
    ("http", b"POST /v2/models/identity/infer HTTP/1.1\r\nHo"),
    ("http", request_bytes("/v2/models/identity/infer", json_infer_body(), length=1000)),
    ("grpc", HTTP2_GREETING[:10]), ("grpc", HTTP2_GREETING)], ids=["head", "body", "greeting", "greeted"])
def test_a_client_that_has_stopped_does_not_hold_up_the_server(repository, port, begun):
    server = conftest.Server([f"--model-repository={repository}", "--exit-timeout-secs=30"])
    server.wait_started()
    with RawConnection(getattr(server, port)) as stalled:
        stalled.send(begun)
        time.sleep(0.1)
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert server.wait_exit() == 0
        assert time.monotonic() - began < 15


def test_pipelined_requests_that_have_arrived_are_all_answered(repository):
    server = conftest.Server([f"--model-repository={repository}"])
    server.wait_started()
    with RawConnection(server.http) as connection:
        connection.send(3 * request_bytes("/v2/models/slow/infer", json_infer_body()))
        wait_until(lambda: toolbox.pending(server, "slow") == 2, what="one executing and two waiting")
        server.process.send_signal(signal.SIGTERM)
        assert [connection.reply().status for _ in range(3)] == [200, 200, 200]
    assert server.wait_exit() == 0


def test_a_stopping_server_refuses_what_is_new(repository):
    server = conftest.Server([f"--model-repository={repository}"])
    server.wait_started()
    with RawConnection(server.http) as kept, RawConnection(server.http) as late:
        for connection in (kept, late):  # both are known to the server
            connection.send(request_bytes("/v2/health/ready", method="GET"))
            assert connection.reply().status == 200
        kept.send(request_bytes("/v2/models/slow/infer", json_infer_body()))
        wait_until(lambda: toolbox.metric(server, "nv_inference_pending_request_count", model="slow", version="1") == 0)
        time.sleep(0.1)
        server.process.send_signal(signal.SIGTERM)
        server.wait_log(r"Signal \(15\) received")
        wait_until(lambda: refuses_connections(server.http), what="refusing connections")
        assert kept.reply().status == 200
    assert server.wait_exit() == 0


def refuses_connections(address):
    try:
        with RawConnection(address) as connection:
            connection.send(request_bytes("/v2/health/live", method="GET"))
            reply = connection.reply()
            return reply is None or reply.status == 503
    except OSError:
        return True
