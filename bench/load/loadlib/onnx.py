"""ONNX models end to end against ONNX Runtime's Run() in a bare loop: throughput."""

import dataclasses
import os
import re
import struct
import subprocess

from . import clients, payloads
from .processes import Server
from .report import Table, Verdict, median

STATIC_BATCHES = (1, 2, 4, 8, 16, 32)


@dataclasses.dataclass
class OnnxCase:
    """Requests of one row each. `dynamic`: the loop takes its best static batch, and the server
    forms batches up to that size; otherwise both run single rows. `threads` is the number of model instances, of
    callers of the loop, and so of threads that run the model; each run uses one."""
    name: str
    model: str
    output: str
    dims: tuple
    threads: int
    dynamic: bool
    must: float

    @property
    def title(self):
        return "ONNX models at saturation against a bare loop of ONNX Runtime"

    def run(self, bench):
        load = self.load(bench)
        batches = STATIC_BATCHES if self.dynamic else (1,)
        best = self.best_batch(bench, batches)
        repository = self.repository(bench, best)
        with Server(bench.server, repository, ["--model-control-mode=none"]) as server:
            self.verify(server, load)
            requests = self.requests(server, load, bench)
            pairs = [self.turn(bench, server, load, requests, best, i) for i in range(bench.rounds)]
        return self.row(best, pairs)

    def best_batch(self, bench, batches):
        """The size at which the loop is fastest; each has two tries, the better one counts."""
        if len(batches) == 1:
            return batches[0]
        tries = [(self.loop(bench, batch, bench.seconds / 2), batch) for batch in 2 * batches]
        return max(tries)[1]

    def turn(self, bench, server, load, requests, best, turn):
        """(server's result, loop's items/s), the first of them first in every other turn."""
        loop = self.loop(bench, best, bench.seconds) if turn % 2 else None
        result = clients.h2load_http1(server.http_port, load, requests, bench.scratch)
        return result, loop or self.loop(bench, best, bench.seconds)

    def row(self, best, pairs):
        table = Table(self.title, ["case", "server items/s", "p50 ms", "p99 ms", "loop items/s",
                                   "loop batch", "ratio", "must", "goal", ""])
        of = lambda field: median(getattr(result, field) for result, _ in pairs)
        ratio = median(result.rate / loop for result, loop in pairs)
        table.add(self.name, f"{of('rate'):.1f}", f"{of('p50_ms'):.1f}", f"{of('p99_ms'):.1f}",
                  f"{median(loop for _, loop in pairs):.1f}", best,
                  *Verdict(ratio, self.must, higher_is_better=True, form="{:.3f}").cells())
        return table

    def model_file(self, bench):
        return os.path.join(bench.repository, self.model, "1", "model.onnx")

    def loop(self, bench, batch, seconds):
        command = [bench.program("bench_ort_loop"), self.model_file(bench), batch, seconds, 1,
                   self.threads, *self.dims]
        return float(subprocess.run(list(map(str, command)), check=True, capture_output=True).stdout)

    def load(self, bench):
        count = 1
        for dim in self.dims:
            count *= dim
        body, head_length = payloads.http_body([1, *self.dims], payloads.floats(count), "x",
                                               self.output)
        # Enough to keep every instance busy while answers travel.
        connections = self.threads * (64 if self.dynamic else 4)
        return clients.Load(f"/v2/models/{self.model}/infer",
                            bench.write(f"{self.name}.bin", body), head_length, connections)

    def repository(self, bench, batch):
        """A repository of the one model: its own inputs and outputs, this case's scheduling."""
        folder = os.path.join(bench.scratch, self.name)
        os.makedirs(os.path.join(folder, self.model), exist_ok=True)
        source = os.path.join(bench.repository, self.model)
        with open(os.path.join(source, "config.pbtxt")) as file:
            config = re.sub(r"^(dynamic_batching|instance_group) \{.*?^\}\n", "", file.read(),
                            flags=re.M | re.S)
        config = re.sub(r"^max_batch_size:.*", f"max_batch_size: {batch}", config, flags=re.M)
        config += f"instance_group {{ count: {self.threads} kind: KIND_CPU }}\n"
        config += 'parameters { key: "intra_op_thread_count" value { string_value: "1" } }\n'
        if self.dynamic:
            config += "dynamic_batching { max_queue_delay_microseconds: 500 }\n"
        with open(os.path.join(folder, self.model, "config.pbtxt"), "w") as out:
            out.write(config)
        for name in os.listdir(source):
            link = os.path.join(folder, self.model, name)
            if name != "config.pbtxt" and not os.path.lexists(link):
                os.symlink(os.path.join(source, name), link)
        return folder

    def requests(self, server, load, bench):
        """A number that takes about `bench.seconds`; each connection sends the same share."""
        probe = clients.h2load_http1(server.http_port, load, 2 * load.connections, bench.scratch)
        rounds = max(2, round(probe.rate * bench.seconds / load.connections))
        return rounds * load.connections

    def verify(self, server, load):
        """Both models end in a softmax: every row of probabilities adds up to one."""
        headers, content = clients.post(server.http_port, load)
        head_length = int(headers["Inference-Header-Content-Length"])
        shape = [int(dim) for dim in
                 re.search(rb'"shape":\[([\d,]+)\]', content[:head_length])[1].split(b",")]
        values = struct.unpack(f"<{(len(content) - head_length) // 4}f", content[head_length:])
        for start in range(0, len(values), shape[-1]):
            if abs(sum(values[start:start + shape[-1]]) - 1) > 1e-3:
                raise RuntimeError(f"{self.name}: a row of probabilities does not add up to one")
