"""What several tests share: model folders, raw HTTP, metric lines, requests to the identity backend."""
import contextlib
import json
import os
import pathlib
import re
import shutil
import socket
import struct
import time
import urllib.request

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
SIMPLE = ROOT / "model_repository" / "simple"
ONNX = ROOT / "tests" / "data" / "onnx"


def wait_until(condition, seconds=20, what="the condition"):
    """Polls until condition() is true and returns what it said."""
    deadline = time.monotonic() + seconds
    while True:
        said = condition()
        if said:
            return said
        assert time.monotonic() < deadline, f"{what} did not come true within {seconds} s"
        time.sleep(0.01)


# --- repositories ----------------------------------------------------------------------------------

def write_model(repository, name, config=None, versions=(1,), onnx=None, files=None):
    """Writes one model folder; onnx is copied into each version; files: path -> text or bytes."""
    folder = pathlib.Path(repository) / name
    for version in versions:
        (folder / str(version)).mkdir(parents=True, exist_ok=True)
        if onnx is not None:
            shutil.copyfile(onnx, folder / str(version) / "model.onnx")
    folder.mkdir(parents=True, exist_ok=True)
    if config is not None:
        (folder / "config.pbtxt").write_text(config)
    for path, content in (files or {}).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def identity_config(delay_ms=0, max_batch_size=8, dtype="TYPE_INT32", dims="[ -1 ]", instances=1, extra=""):
    return f"""backend: "identity"
max_batch_size: {max_batch_size}
input {{ name: "INPUT0" data_type: {dtype} dims: {dims} }}
output {{ name: "OUTPUT0" data_type: {dtype} dims: {dims} }}
instance_group {{ count: {instances} kind: KIND_CPU }}
parameters {{ key: "execute_delay_ms" value {{ string_value: "{delay_ms}" }} }}
{extra}
"""


def write_identity(repository, name, **keywords):
    versions = keywords.pop("versions", (1,))
    return write_model(repository, name, identity_config(**keywords), versions)


def write_simple(repository, name="simple", versions=(1,)):
    config = (SIMPLE / "config.pbtxt").read_text().replace('name: "simple"', f'name: "{name}"')
    return write_model(repository, name, config, versions, SIMPLE / "1" / "model.onnx")


# --- raw HTTP --------------------------------------------------------------------------------------

class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def error(self):
        return json.loads(self.body)["error"]

    def __repr__(self):
        return f"{self.status} {self.headers} {self.body[:500]!r}"


class RawConnection:
    """A socket that sends whatever it is told and reads HTTP responses."""

    def __init__(self, address, timeout=15):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout)
        self.socket.settimeout(timeout)
        self.left = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def reset(self):
        """Closes with a RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())
        return self

    def half_close(self):
        self.socket.shutdown(socket.SHUT_WR)
        return self

    def _more(self):
        try:
            got = self.socket.recv(65536)
        except ConnectionResetError:
            got = b""
        self.left += got
        return bool(got)

    def reply(self, wants_interim=False):
        """The next response, or None when the connection ended instead. An interim one (100) only if wanted."""
        while b"\r\n\r\n" not in self.left:
            if not self._more():
                assert not self.left, f"cut off: {self.left!r}"
                return None
        head, self.left = self.left.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        headers = {key.lower(): value.strip() for key, value in (line.split(":", 1) for line in lines[1:])}
        status = int(lines[0].split(" ")[1])
        size = int(headers.get("content-length", 0))
        if status == 100 and not wants_interim:
            return self.reply()
        while len(self.left) < size:
            assert self._more(), f"body cut off after {len(self.left)} of {size} bytes: {head!r}"
        body, self.left = self.left[:size], self.left[size:]
        return Reply(status, headers, body)

    def ended(self):
        """True once the server has closed; fails when it sends something instead."""
        assert not self.left, self.left
        return not self._more()


def request_bytes(path, body=b"", method="POST", headers=None, length=None):
    body = body.encode() if isinstance(body, str) else body
    lines = [f"{method} {path} HTTP/1.1", "Host: test"]
    if length is not False:
        lines.append(f"Content-Length: {len(body) if length is None else length}")
    lines += [f"{key}: {value}" for key, value in (headers or {}).items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def http(address, path, body=b"", method="POST", headers=None, length=None):
    with RawConnection(address) as connection:
        connection.send(request_bytes(path, body, method, headers, length))
        return connection.reply()


def get_json(address, path):
    with urllib.request.urlopen(f"http://{address}{path}", timeout=15) as reply:
        return json.load(reply)


# --- inference -------------------------------------------------------------------------------------

def int32_input(values, name="INPUT0", protocol="http", shape=None):
    client = __import__(f"tritonclient.{protocol}", fromlist=["x"])
    array = np.asarray(values, np.int32)
    if shape is None and array.ndim == 1:
        array = array.reshape(1, -1)
    tensor = client.InferInput(name, list(array.shape), "INT32")
    tensor.set_data_from_numpy(array)
    return tensor


def json_infer_body(values=(1, 2, 3), name="INPUT0", dtype="INT32", shape=None, **more):
    values = list(values)
    return json.dumps({"inputs": [{"name": name, "datatype": dtype, "shape": shape or [1, len(values)],
                                   "data": values}], **more})


@contextlib.contextmanager
def connect(server, protocol, **options):
    client = __import__(f"tritonclient.{protocol}", fromlist=["x"])
    with client.InferenceServerClient(getattr(server, protocol), **options) as opened:
        yield opened


def keep_connecting(address, model, stop, answered, refused, timeout=30):
    """Asks the model again and again until `stop` is set, each time on a new connection: replies with 200 are
    answered, other replies, their lack and errors are refused."""
    while not stop.is_set():
        try:
            with RawConnection(address, timeout=timeout) as connection:
                connection.send(request_bytes(f"/v2/models/{model}/infer", json_infer_body(),
                                              headers={"Connection": "close"}))
                reply = connection.reply()
                (answered if reply is not None and reply.status == 200 else refused).append(reply)
        except OSError as error:
            refused.append(error)


def still_serves(server, model="simple"):
    """Fails unless the server is alive and infers."""
    assert server.process.poll() is None, f"the server ended with {server.process.returncode}:\n{server.log}"
    values = list(range(16))
    if model == "simple":
        body = json.dumps({"inputs": [{"name": name, "datatype": "INT32", "shape": [1, 16], "data": values}
                                      for name in ("INPUT0", "INPUT1")]})
    else:
        body = json_infer_body(values)
    reply = http(server.http, f"/v2/models/{model}/infer", body)
    assert reply is not None and reply.status == 200, reply
    return json.loads(reply.body)


# --- what the server says of itself ----------------------------------------------------------------

SAMPLE = re.compile(r'^([a-z_A-Z:][\w:]*)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def metrics(server):
    """Every sample of the metrics page: (name, frozenset of labels) -> value."""
    with urllib.request.urlopen(f"http://{server.metrics}/metrics", timeout=15) as reply:
        text = reply.read().decode()
    samples = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, labels, value = SAMPLE.match(line).groups()
            samples[name, frozenset(LABEL.findall(labels or ""))] = float(value)
    return samples


def metric(server, name, **labels):
    return metrics(server).get((name, frozenset(labels.items())))


def failures(server, model, reason, version="1"):
    return metric(server, "nv_inference_request_failure", model=model, reason=reason, version=version)


def pending(server, model, version="1"):
    return metric(server, "nv_inference_pending_request_count", model=model, version=version)


def statistics(server, model, version="1"):
    return get_json(server.http, f"/v2/models/{model}/versions/{version}/stats")["model_stats"][0]


def resident_kib(server):
    text = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", text).group(1))


def open_files(server):
    return len(list(pathlib.Path(f"/proc/{server.process.pid}/fd").iterdir()))


# --- backend modules with faults -------------------------------------------------------------------

def module_path(file_name):
    """A module that tests/support/modules builds."""
    binary = pathlib.Path(os.environ.get("NEREID_BIN", str(ROOT / "build" / "release" / "bin" / "nereid")))
    return binary.resolve().parents[1] / "tests" / "modules" / file_name


def write_faulty(repository, fault, name=None):
    """A model of the backend `nonsense`, which brings its module along."""
    extra = f'parameters {{ key: "fault" value {{ string_value: "{fault}" }} }}'
    config = identity_config(extra=extra).replace('"identity"', '"nonsense"')
    folder = write_model(repository, name or fault, config)
    (folder / "libnereid_nonsense.so").symlink_to(module_path("libnereid_nonsense.so"))
    return folder
