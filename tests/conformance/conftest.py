"""Starts the server under test and hands out addresses and clients.

NEREID_BIN is the server, NEREID_BACKENDS the folder of its backend modules; scripts/test sets both.
"""
import contextlib
import os
import pathlib
import re
import signal
import subprocess
import threading
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "release"
REPOSITORY = ROOT / "model_repository"
START_SECONDS = 60
STOP_SECONDS = 40
# What the log says once each endpoint listens.
STARTED = {
    "grpc": re.compile(r"Started GRPCInferenceService at (\S+):(\d+)"),
    "http": re.compile(r"Started HTTPService at (\S+):(\d+)"),
    "metrics": re.compile(r"Started Metrics Service at (\S+):(\d+)"),
}


def pytest_addoption(parser):
    parser.addoption("--filter", metavar="REGEX", help="run only the tests whose id matches")


def pytest_collection_modifyitems(config, items):
    pattern = config.getoption("--filter")
    if pattern:
        kept = [item for item in items if re.search(pattern, item.nodeid)]
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = kept


class Server:
    """One running server: addresses, log and process. Made by start_server()."""

    def __init__(self, options):
        binary = os.environ.get("NEREID_BIN", str(BUILD / "bin" / "nereid"))
        backends = os.environ.get("NEREID_BACKENDS", str(BUILD / "backends"))
        self.command = [binary, f"--backend-directory={backends}", "--http-address=127.0.0.1",
                        "--grpc-address=127.0.0.1", "--metrics-address=127.0.0.1", "--http-port=0",
                        "--grpc-port=0", "--metrics-port=0", *options]
        self.addresses = {}
        self.lines = []
        self._changed = threading.Condition()
        self._ended = False
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        stdin=subprocess.DEVNULL, text=True, errors="replace")
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            with self._changed:
                self.lines.append(line.rstrip("\n"))
                for endpoint, pattern in STARTED.items():
                    found = pattern.search(line)
                    if found:
                        self.addresses[endpoint] = f"{found.group(1)}:{found.group(2)}"
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def wait_started(self, endpoints=("grpc", "http", "metrics")):
        """Returns when these endpoints listen; fails with the log when the server ends before."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._ended or all(name in self.addresses for name in endpoints), START_SECONDS)
        missing = [name for name in endpoints if name not in self.addresses]
        if missing:
            self.kill()
            raise AssertionError(f"{missing} did not start:\n{self.log}")

    def wait_log(self, pattern, seconds=START_SECONDS):
        """Returns the match of the first log line that matches, waiting for it."""
        def found():
            return next(filter(None, (re.search(pattern, line) for line in self.lines)), None)

        with self._changed:
            self._changed.wait_for(lambda: found() or self._ended, seconds)
            match = found()
        assert match, f"the log never says /{pattern}/:\n{self.log}"
        return match

    @property
    def http(self):
        return self.addresses["http"]

    @property
    def grpc(self):
        return self.addresses["grpc"]

    @property
    def metrics(self):
        return self.addresses["metrics"]

    @property
    def log(self):
        return "\n".join(self.lines)

    def wait_exit(self, seconds=STOP_SECONDS):
        """The exit code, once the server has ended by itself."""
        code = self.process.wait(seconds)
        self._reader.join(5)
        return code

    def stop(self):
        """Asks the server to stop; returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.wait_exit()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.wait_exit()


@contextlib.contextmanager
def running(*options, check_exit=True):
    server = Server(options)
    try:
        server.wait_started()
        yield server
    except BaseException:
        server.kill()
        raise
    try:
        code = server.stop()
    except subprocess.TimeoutExpired:
        server.kill()
        raise AssertionError(f"the server did not stop within {STOP_SECONDS} s:\n{server.log}") from None
    if check_exit:
        assert code == 0, f"exit code {code}:\n{server.log}"


@pytest.fixture(scope="session")
def server():
    """The bundled repository, all models ready. Shared: tests must not unload its models."""
    with running(f"--model-repository={REPOSITORY}") as started:
        wait_ready(started)
        yield started


def wait_ready(server, seconds=START_SECONDS):
    import tritonclient.http as client

    with client.InferenceServerClient(server.http) as probe:
        deadline = time.monotonic() + seconds
        while not probe.is_server_ready():
            assert time.monotonic() < deadline, f"not ready after {seconds} s:\n{server.log}"
            time.sleep(0.05)


@pytest.fixture
def start_server():
    """start_server(*options) runs another server with these options until the test ends."""
    with contextlib.ExitStack() as stack:
        yield lambda *options, **keywords: stack.enter_context(running(*options, **keywords))


@pytest.fixture(scope="session")
def http_client(server):
    import tritonclient.http as client

    with client.InferenceServerClient(server.http, concurrency=8) as opened:
        yield opened


@pytest.fixture(scope="session")
def grpc_client(server):
    import tritonclient.grpc as client

    with client.InferenceServerClient(server.grpc) as opened:
        yield opened


@pytest.fixture(params=["http", "grpc"])
def protocol(request):
    return request.param
