"""Load generators: wrk for HTTP, h2load for gRPC and for a fixed number of HTTP requests."""

import dataclasses
import http.client
import os
import re
import subprocess

CONTENT = "application/octet-stream"
GRPC_HEADERS = ("content-type: application/grpc", "te: trailers")

WRK_SCRIPT = """
local file = assert(io.open(os.getenv("LOAD_BODY"), "rb"))
wrk.method = "POST"
wrk.body = file:read("*a")
file:close()
wrk.headers["Content-Type"] = "application/octet-stream"
wrk.headers["Inference-Header-Content-Length"] = os.getenv("LOAD_HEAD")
function done(summary, latency)
  local e = summary.errors
  io.write(string.format("RESULT %d %d %d %d %d\\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99),
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""


@dataclasses.dataclass
class Load:
    """One request, repeated: the same bytes for the server and for its peer."""
    path: str
    body_file: str
    head_length: int  # of an HTTP body's JSON part; 0 for gRPC
    connections: int
    streams: int = 1


@dataclasses.dataclass
class Result:
    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float

    @property
    def rate(self):
        return self.requests / self.seconds


def _run(command, **options):
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def wrk(port, load, seconds, scratch):
    script = os.path.join(scratch, "body.lua")
    with open(script, "w") as out:
        out.write(WRK_SCRIPT)
    environment = dict(os.environ, LOAD_BODY=load.body_file, LOAD_HEAD=str(load.head_length))
    text = _run(["wrk", "-t1", f"-c{load.connections}", f"-d{seconds}s", "--timeout", "30s", "-s",
                 script, f"http://127.0.0.1:{port}{load.path}"], env=environment)
    requests, micros, p50, p99, errors = map(int, re.search(r"RESULT (.*)", text)[1].split())
    if errors or not requests:
        raise RuntimeError(f"{errors} of {requests} requests failed:\n{text}")
    return Result(requests, micros / 1e6, p50 / 1e3, p99 / 1e3)


def h2load_grpc(port, load, seconds, scratch):
    """For `seconds`."""
    return _h2load(port, load, [f"-D{seconds}", "-w30", "-W30", *_headers(GRPC_HEADERS)], scratch)


def h2load_http1(port, load, requests, scratch):
    """Until `requests` are answered: their rate is exact however long one takes."""
    headers = (f"content-type: {CONTENT}", f"inference-header-content-length: {load.head_length}")
    return _h2load(port, load, ["--h1", f"-n{requests}", *_headers(headers)], scratch)


def _headers(lines):
    return [word for line in lines for word in ("-H", line)]


def _h2load(port, load, options, scratch):
    log = os.path.join(scratch, "requests.log")
    if os.path.exists(log):
        os.unlink(log)
    text = _run(["h2load", "-t1", f"-c{load.connections}", f"-m{load.streams}", "-d",
                 load.body_file, f"--log-file={log}", *options,
                 f"http://127.0.0.1:{port}{load.path}"])
    seconds = float(_duration(re.search(r"finished in ([\d.]+)(us|ms|s)\b", text)))
    good, failed, errored = map(int, re.search(
        r"(\d+) succeeded, (\d+) failed, (\d+) errored", text).groups())
    if failed or errored or not good:
        raise RuntimeError(f"{failed} requests failed, {errored} errored, {good} succeeded:\n{text}")
    with open(log) as rows:
        micros = sorted(int(row.split("\t")[2]) for row in rows)
    at = lambda share: micros[min(len(micros) - 1, int(share * len(micros)))] / 1e3
    return Result(good, seconds, at(0.5), at(0.99))


def _duration(match):
    return float(match[1]) * {"us": 1e-6, "ms": 1e-3, "s": 1}[match[2]]


def post(port, load):
    """One HTTP request: (headers, body) of its answer."""
    with open(load.body_file, "rb") as body:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("POST", load.path, body.read(), {
            "Content-Type": CONTENT, "Inference-Header-Content-Length": str(load.head_length)})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
    if answer.status != 200:
        raise RuntimeError(f"status {answer.status}: {content[:500]!r}")
    return answer.headers, content


def call(port, load, scratch):
    """One gRPC call: the framed message of its answer."""
    out = os.path.join(scratch, "answer.bin")
    if os.path.exists(out):
        os.unlink(out)
    head = _run(["curl", "-sS", "--http2-prior-knowledge", "-D-", "-o", out, "--data-binary",
                 f"@{load.body_file}", *_headers(GRPC_HEADERS),
                 f"http://127.0.0.1:{port}{load.path}"])
    if not re.search(r"grpc-status: 0\s", head):
        raise RuntimeError(f"the call failed:\n{head}")
    with open(out, "rb") as answer:
        return answer.read()


def get(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path)
    content = connection.getresponse().read()
    connection.close()
    return content
