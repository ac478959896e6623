"""Processes under measurement: started on 127.0.0.1, asked for their CPU time and memory."""

import http.client
import os
import re
import signal
import socket
import subprocess
import tempfile
import time

TICK = os.sysconf("SC_CLK_TCK")


def free_ports(count):
    """Ports of 127.0.0.1 nobody listens to, all different: each is held until the last is known."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


class Process:
    """One running program, its output in a file. Ends with the `with` block."""

    def __init__(self, command):
        self.log = tempfile.TemporaryFile()
        self.started = time.monotonic()
        self.child = subprocess.Popen(command, stdout=self.log, stderr=subprocess.STDOUT,
                                      stdin=subprocess.DEVNULL)
        self.command = command

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.send_signal(signal.SIGTERM)
        try:
            self.child.wait(20)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        self.log.close()

    def output(self):
        return os.pread(self.log.fileno(), 1 << 20, 0).decode(errors="replace")

    def check_alive(self):
        if self.child.poll() is not None:
            raise RuntimeError(f"{self.command[0]} ended with {self.child.returncode}:\n{self.output()}")

    def cpu_seconds(self):
        """User and system time of all threads so far."""
        with open(f"/proc/{self.child.pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def resident_bytes(self):
        with open(f"/proc/{self.child.pid}/status") as status:
            return int(re.search(r"VmRSS:\s+(\d+) kB", status.read())[1]) * 1024


class Echo(Process):
    """A bare peer that prints `port N`; both protocols' ports are that one."""

    def __init__(self, program):
        super().__init__([program, "0"])
        while not (found := re.search(r"port (\d+)", self.output())):
            self.check_alive()
            time.sleep(0.01)
        self.http_port = self.grpc_port = int(found[1])


class Server(Process):
    """Nereid. `ready_seconds`: from its start until /v2/health/ready said 200."""

    def __init__(self, program, repository, options=()):
        self.http_port, self.grpc_port, self.metrics_port = free_ports(3)
        super().__init__([
            program, f"--model-repository={repository}", "--http-address=127.0.0.1",
            "--grpc-address=127.0.0.1", f"--http-port={self.http_port}",
            f"--grpc-port={self.grpc_port}", f"--metrics-port={self.metrics_port}", *options])
        while not self._is_ready():
            self.check_alive()
            time.sleep(0.001)
        self.ready_seconds = time.monotonic() - self.started

    def _is_ready(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=10)
        try:
            connection.request("GET", "/v2/health/ready")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()
