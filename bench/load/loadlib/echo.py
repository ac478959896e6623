"""The server against a bare echo server of the stock library: CPU time per request."""

import dataclasses

from . import clients, payloads
from .processes import Echo, Server
from .report import Table, Verdict, median

MODEL = "identity_fp32"
SERVE_MODEL = ["--model-control-mode=explicit", f"--load-model={MODEL}"]
HTTP_PATH = f"/v2/models/{MODEL}/infer"
GRPC_PATH = "/inference.GRPCInferenceService/ModelInfer"
COLUMNS = ["case", "server µs/request", "requests/s", "p50 ms", "p99 ms",
           "floor µs/request", "requests/s", "p50 ms", "p99 ms", "ratio", "must", "goal", ""]


@dataclasses.dataclass
class EchoCase:
    name: str
    protocol: str  # http or grpc
    floats: int
    connections: int
    streams: int
    must: float
    goal: float

    @property
    def title(self):
        return "Server CPU time per request against a bare echo of the stock library"

    def load(self, bench):
        shape, data = [1, self.floats], payloads.floats(self.floats)
        if self.protocol == "http":
            body, head_length = payloads.http_body(shape, data)
        else:
            body, head_length = payloads.grpc_frame(MODEL, shape, data), 0
        path = HTTP_PATH if self.protocol == "http" else GRPC_PATH
        return clients.Load(path, bench.write(f"{self.name}.bin", body), head_length,
                            self.connections, self.streams)

    def floor_program(self, bench):
        return bench.program("bench_evhttp_echo" if self.protocol == "http" else "bench_grpc_echo")

    def run(self, bench):
        load = self.load(bench)
        with Server(bench.server, bench.repository, SERVE_MODEL) as server, \
                Echo(self.floor_program(bench)) as floor:
            self.verify(bench, server, floor, load)
            rounds = alternate(bench, self.protocol, load, [server, floor])
            check_no_failures(server)
        return self.row([median_sample(samples) for samples in rounds],
                        median(s.cpu_us / f.cpu_us for s, f in zip(*rounds)))

    def row(self, sides, ratio):
        table = Table(self.title, COLUMNS)
        figures = [f"{value:{form}}" for side in sides for value, form in (
            (side.cpu_us, ".1f"), (side.rate, ".0f"), (side.p50_ms, ".2f"), (side.p99_ms, ".2f"))]
        table.add(self.name, *figures, *Verdict(ratio, self.must, self.goal).cells())
        return table

    def verify(self, bench, server, floor, load):
        """Both answer one request with what was sent."""
        with open(load.body_file, "rb") as file:
            body = file.read()
        data = body[-4 * self.floats:]
        if self.protocol == "http":
            headers, content = clients.post(server.http_port, load)
            got = content[int(headers["Inference-Header-Content-Length"]):]
            echoed = clients.post(floor.http_port, load)[1]
        else:
            answer = clients.call(server.grpc_port, load, bench.scratch)
            got = b"".join(payloads.grpc_raw_outputs(answer))
            echoed = clients.call(floor.grpc_port, load, bench.scratch)
        if got != data or echoed != body:
            raise RuntimeError(f"{self.name}: the answer is not what was sent")


@dataclasses.dataclass
class Sample:
    """One run against one process."""
    cpu_us: float
    rate: float
    p50_ms: float
    p99_ms: float


def alternate(bench, protocol, load, processes):
    """`bench.rounds` runs of each, in turns: a list of samples for each process."""
    for process in processes:
        sample(bench, protocol, load, process, seconds=1)  # warms it
    samples = [[] for _ in processes]
    for turn in range(bench.rounds):
        # Whatever drifts does not favour the one that is always first.
        order = range(len(processes)) if turn % 2 == 0 else reversed(range(len(processes)))
        for i in order:
            samples[i].append(sample(bench, protocol, load, processes[i], bench.seconds))
    return samples


def sample(bench, protocol, load, process, seconds):
    before = process.cpu_seconds()
    if protocol == "http":
        result = clients.wrk(process.http_port, load, seconds, bench.scratch)
    else:
        result = clients.h2load_grpc(process.grpc_port, load, seconds, bench.scratch)
    spent = process.cpu_seconds() - before
    process.check_alive()
    return Sample(spent / result.requests * 1e6, result.rate, result.p50_ms, result.p99_ms)


def median_sample(samples):
    return Sample(*(median(getattr(s, field.name) for s in samples)
                    for field in dataclasses.fields(Sample)))


def check_no_failures(server):
    """But for requests that the client left behind when its time was over."""
    metrics = clients.get(server.metrics_port, "/metrics").decode()
    for line in metrics.splitlines():
        if line.startswith("nv_inference_request_failure{") and "CANCELED" not in line \
                and float(line.rsplit(" ", 1)[1]) != 0:
            raise RuntimeError(f"inferences failed: {line}")


@dataclasses.dataclass
class OverheadCase:
    """The server with metrics on against itself with metrics off. Statistics are always kept."""
    name: str
    echo: EchoCase
    options: tuple
    must: float

    @property
    def title(self):
        return "Metrics on against off: server CPU time per request"

    def run(self, bench):
        load = self.echo.load(bench)
        on_options = [*SERVE_MODEL, *self.options]
        off_options = [*SERVE_MODEL, "--allow-metrics=false"]
        # More, shorter turns: the difference is far below the noise of one.
        turns = dataclasses.replace(bench, rounds=4 * bench.rounds + 1,
                                    seconds=max(1, bench.seconds // 2))
        with Server(bench.server, bench.repository, on_options) as on, \
                Server(bench.server, bench.repository, off_options) as off:
            rounds = alternate(turns, self.echo.protocol, load, [on, off])
        on_us, off_us = (median(s.cpu_us for s in samples) for samples in rounds)
        ratios = sorted(a.cpu_us / b.cpu_us for a, b in zip(*rounds))
        spread = f"{ratios[len(ratios) // 4]:.3f}–{ratios[-1 - len(ratios) // 4]:.3f}"
        table = Table(self.title, ["case", "on µs", "off µs", "middle half of the ratios",
                                   "median ratio", "must", "goal", ""])
        table.add(self.name, f"{on_us:.2f}", f"{off_us:.2f}", spread,
                  *Verdict(median(ratios), self.must, form="{:.3f}").cells())
        return table
