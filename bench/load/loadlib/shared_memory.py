"""Tensors in shared memory against the same tensors in HTTP bodies: the server's CPU time per request."""

import contextlib
import dataclasses
import json
import mmap
import os

from . import clients, payloads
from .echo import HTTP_PATH, SERVE_MODEL, EchoCase, check_no_failures, median_sample, sample
from .processes import Server
from .report import Table, Verdict, median

REGION = "bench"


@contextlib.contextmanager
def shared_object(data):
    """A POSIX shared-memory object: `data`, and as much room behind it. (key, mapping)"""
    name = f"nereid_bench_{os.getpid()}"
    path = f"/dev/shm/{name}"
    file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    try:
        os.ftruncate(file, 2 * len(data))
        with mmap.mmap(file, 2 * len(data)) as mapping:
            mapping[:len(data)] = data
            yield "/" + name, mapping
    finally:
        os.close(file)
        os.unlink(path)


def body_of(shape, size):
    def place(offset):
        return {"shared_memory_region": REGION, "shared_memory_offset": offset,
                "shared_memory_byte_size": size}

    return json.dumps({
        "inputs": [{"name": payloads.INPUT, "shape": shape, "datatype": "FP32",
                    "parameters": place(0)}],
        "outputs": [{"name": payloads.OUTPUT, "parameters": place(size)}]}).encode()


@dataclasses.dataclass
class SharedMemoryCase:
    """`echo` with its tensors in a region against `echo` as it is, both served by Nereid."""
    name: str
    echo: EchoCase
    must: float
    goal: float

    def run(self, bench):
        shape, data = [1, self.echo.floats], payloads.floats(self.echo.floats)
        sent = self.echo.load(bench)
        body = body_of(shape, len(data))
        shared = clients.Load(HTTP_PATH, bench.write(f"{self.name}.json", body), len(body),
                              self.echo.connections)
        with shared_object(data) as (key, mapping), \
                Server(bench.server, bench.repository,
                       [*SERVE_MODEL, "--allow-client-shm=true"]) as server:
            self.register(bench, server, key, len(mapping))
            clients.post(server.http_port, shared)
            if mapping[len(data):] != data:
                raise RuntimeError(f"{self.name}: the region does not hold what was sent")
            rounds = [[], []]
            for _ in range(bench.rounds):
                for samples, load in zip(rounds, (shared, sent)):
                    samples.append(sample(bench, "http", load, server, bench.seconds))
            check_no_failures(server)
        ratio = median(a.cpu_us / b.cpu_us for a, b in zip(*rounds))
        table = Table("Tensors in shared memory against tensors in HTTP bodies: server CPU time per request",
                      ["case", "shared µs/request", "requests/s", "sent µs/request", "requests/s",
                       "ratio", "must", "goal", ""])
        figures = [f"{value:{form}}" for side in map(median_sample, rounds)
                   for value, form in ((side.cpu_us, ".1f"), (side.rate, ".0f"))]
        table.add(self.name, *figures, *Verdict(ratio, self.must, self.goal).cells())
        return table

    def register(self, bench, server, key, size):
        body = json.dumps({"key": key, "offset": 0, "byte_size": size}).encode()
        path = f"/v2/systemsharedmemory/region/{REGION}/register"
        clients.post(server.http_port,
                     clients.Load(path, bench.write("register.json", body), len(body), 1))
