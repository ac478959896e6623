"""Clients that misbehave on the wire: huge lengths, slow senders, half-closed and vanished ones, a crowd."""
import json
import queue
import socket
import struct
import threading
import time

import numpy as np
import pytest
import tritonclient.grpc
from tritonclient.utils import InferenceServerException

import toolbox
from conftest import running
from toolbox import RawConnection, connect, http, json_infer_body, request_bytes, still_serves, wait_until

INFER = "/v2/models/identity/infer"
SLOW_INFER = "/v2/models/slow/infer"
BATCHED_INFER = "/v2/models/slow_batched/infer"


@pytest.fixture(scope="module")
def impatient(tmp_path_factory):
    """A server with short time-outs and slow models."""
    repository = tmp_path_factory.mktemp("connections")
    toolbox.write_identity(repository, "identity")
    toolbox.write_identity(repository, "slow", delay_ms=800)
    toolbox.write_identity(repository, "slow_batched", delay_ms=800, max_batch_size=1, extra="dynamic_batching {}")
    toolbox.write_identity(repository, "floats", dtype="TYPE_FP32")
    with running(f"--model-repository={repository}", "--http-header-timeout-secs=1", "--http-body-timeout-secs=1",
                 "--http-keepalive-timeout-secs=2", "--http-write-timeout-secs=1",
                 "--http-max-input-size=1000000", "--http-thread-count=4", "--grpc-infer-thread-count=4") as server:
        yield server


@pytest.fixture(autouse=True)
def survives(impatient):
    yield
    still_serves(impatient, "identity")


# --- lengths ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("length", [2 ** 63, 2 ** 63 - 1, 2 ** 64 - 1, 2 ** 64, 10 ** 40, -1, "12abc", "0x10", "", "1 2"])
def test_a_nonsense_content_length_is_refused(impatient, length):
    reply = http(impatient.http, INFER, b"{}", length=length if length != "" else " ")
    assert reply.status in (400, 413), reply


@pytest.mark.parametrize("length", [2 ** 40, 2 ** 62, 2 ** 63 - 1])
def test_a_huge_binary_body_is_not_believed(impatient, length):
    """The binary part has no limit by an option, but memory is not taken before bytes come."""
    before = toolbox.resident_kib(impatient)
    with RawConnection(impatient.http) as connection:
        connection.send(request_bytes(INFER, b"x" * 100, headers={"Inference-Header-Content-Length": "100"},
                                      length=length))
        reply = connection.reply()
    assert reply is None or reply.status in (400, 408, 413, 503), reply
    assert toolbox.resident_kib(impatient) - before < 50_000


def test_two_different_content_lengths_are_refused(impatient):
    reply = http(impatient.http, INFER, b"{}", headers={"Content-Length": "3"})
    assert reply.status == 400, reply


def test_content_length_beside_chunked_is_refused(impatient):
    reply = http(impatient.http, INFER, b"2\r\n{}\r\n0\r\n\r\n", headers={"Transfer-Encoding": "chunked"}, length=2)
    assert reply.status == 400, reply


@pytest.mark.parametrize("chunk", ["FFFFFFFFFFFFFFFF", "8000000000000000", "7FFFFFFFFFFFFFFF", "10000000000000000", "-1",
                                   "zz", ""])
def test_a_nonsense_chunk_size_is_refused(impatient, chunk):
    body = f"{chunk}\r\nabc\r\n0\r\n\r\n"
    reply = http(impatient.http, INFER, body, headers={"Transfer-Encoding": "chunked"}, length=False)
    assert reply is not None and reply.status in (400, 413), reply


def test_a_body_above_the_limit_is_refused_before_it_is_sent(impatient):
    reply = http(impatient.http, INFER, b"", length=1_000_001)
    assert reply.status in (400, 413)
    assert "1000001" in reply.error and "1000000" in reply.error


@pytest.mark.parametrize("size", [2 ** 62, 2 ** 63 - 1, 2 ** 63, 2 ** 64 - 1, 2 ** 64, -1, -2 ** 63, 13, 11, 1.5, "12", None, True])
def test_a_wrong_binary_data_size_is_refused(impatient, size):
    head = json.dumps({"inputs": [{"name": "INPUT0", "datatype": "INT32", "shape": [1, 3],
                                   "parameters": {"binary_data_size": size}}]}).encode()
    reply = http(impatient.http, INFER, head + b"\0" * 12,
                 headers={"Inference-Header-Content-Length": str(len(head))})
    assert reply.status in (400, 500), reply
    assert reply.error


@pytest.mark.parametrize("length", ["-1", "99999999999999999999", "2147483648", "abc", "", "1000", "-9223372036854775809"])
def test_a_wrong_inference_header_length_is_refused(impatient, length):
    reply = http(impatient.http, INFER, json_infer_body(), headers={"Inference-Header-Content-Length": length})
    assert reply.status == 400, reply
    assert reply.error


# Each product overflows somewhere, or is out of all proportion.
SHAPES = [[2 ** 62, 4], [4, 2 ** 62], [2 ** 32, 2 ** 32], [2 ** 63 - 1, 2], [1, 2 ** 62], [1, 2 ** 40], [8, 2 ** 60],
          [1, -3], [1, -1], [-1, 3], [0, 3], [1, 0], [1, 2], [1, 4], [], [3], [1, 3, 1], [9, 3]]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_an_impossible_shape_is_refused_everywhere(impatient, shape):
    dims = [str(dim) for dim in shape]
    body = f'{{"inputs":[{{"name":"INPUT0","datatype":"INT32","shape":[{",".join(dims)}],"data":[1,2,3]}}]}}'
    reply = http(impatient.http, INFER, body)
    # The content of a tensor without elements is not looked at.
    assert reply.status in (400, 500) or reply.status == 200 and shape == [1, 0], reply
    head = body.replace('"data":[1,2,3]', '"parameters":{"binary_data_size":12}').encode()
    reply = http(impatient.http, INFER, head + b"\0" * 12, headers={"Inference-Header-Content-Length": str(len(head))})
    # A shape that is no list of whole numbers is a mistake of the JSON text, and those are 500.
    assert reply.status == (500 if any(dim < 0 for dim in shape) else 400), reply
    with connect(impatient, "grpc") as client:
        tensor = tritonclient.grpc.InferInput("INPUT0", [1, 3], "INT32")
        tensor.set_data_from_numpy(np.zeros((1, 3), np.int32))
        tensor.set_shape(shape)
        with pytest.raises(InferenceServerException) as error:
            client.infer("identity", [tensor], client_timeout=10)
        assert error.value.status() == "StatusCode.INVALID_ARGUMENT", error.value


def test_a_huge_shape_number_in_json_is_refused(impatient):
    for number in ("9223372036854775808", "18446744073709551616", "1e400", "1.5", "-0.5", '"3"', "null", "[3]"):
        body = f'{{"inputs":[{{"name":"INPUT0","datatype":"INT32","shape":[1,{number}],"data":[1,2,3]}}]}}'
        reply = http(impatient.http, INFER, body)
        assert reply.status in (400, 500), (number, reply)


# --- gRPC frames -----------------------------------------------------------------------------------

def http2_frame(kind, flags, stream, payload):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def hpack_literal(name, value):
    def text(data):
        assert len(data) < 127
        return bytes([len(data)]) + data
    return b"\x00" + text(name.encode()) + text(value.encode())


def grpc_call(address, data, end=True, path="/inference.GRPCInferenceService/ModelInfer"):
    """Sends one call with these bytes as its data frames; returns everything the server answers within a while."""
    headers = b"".join(hpack_literal(*pair) for pair in (
        (":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "test"),
        ("content-type", "application/grpc"), ("te", "trailers")))
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), 10) as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + http2_frame(4, 0, 0, b"") +
                           http2_frame(1, 4, 1, headers) + http2_frame(0, 1 if end else 0, 1, data))
        connection.settimeout(3)
        got = b""
        try:
            while b"grpc-status" not in got:
                more = connection.recv(65536)
                if not more:
                    break
                got += more
        except TimeoutError:
            pass
        return got


@pytest.mark.parametrize("data", [
    b"\x00\xff\xff\xff\xff", b"\x00\x7f\xff\xff\xff" + b"x" * 100, b"\x00\x00\x00\x00\x05abc", b"\x00\x00\x00",
    b"\x01\x00\x00\x00\x03abc", b"\xff\x00\x00\x00\x03abc"],
    ids=["length_2^32-1", "length_2^31-1", "cut_off_message", "cut_off_prefix", "compressed_without_encoding", "bad_flag"])
def test_a_wrong_grpc_length_prefix_ends_the_call(impatient, data):
    before = toolbox.resident_kib(impatient)
    grpc_call(impatient.grpc, data)
    assert toolbox.resident_kib(impatient) - before < 50_000
    with connect(impatient, "grpc") as client:
        assert client.is_server_live(client_timeout=10)


@pytest.mark.parametrize("message", [
    b"\xff\xff\xff", b"\x0a\xff\xff\xff\xff\x0f", b"\x2a\x03\x0a\x05ab", b"\x3a\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
    b"\x0a\x08identity\x2a\x80\x80\x80\x80\x08", b"\x0b\x0b\x0b\x0b"])
def test_bytes_that_are_no_message_are_refused(impatient, message):
    import grpc

    with grpc.insecure_channel(impatient.grpc) as channel:
        call = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        with pytest.raises(grpc.RpcError) as error:
            call(message, timeout=10)
    assert error.value.code() in (grpc.StatusCode.INTERNAL, grpc.StatusCode.INVALID_ARGUMENT), error.value


def test_http_on_the_grpc_port_and_grpc_on_the_http_port(impatient):
    with RawConnection(impatient.grpc, timeout=10) as connection:
        connection.send(request_bytes("/v2/health/live", method="GET"))
        connection.socket.settimeout(10)
        while connection.socket.recv(4096):
            pass
    with RawConnection(impatient.http) as connection:
        connection.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + http2_frame(4, 0, 0, b""))
        reply = connection.reply()
        assert reply is None or reply.status in (400, 404, 405, 505)


# --- heads and bodies that do not arrive -----------------------------------------------------------

def test_a_slow_head_times_out(impatient):
    with RawConnection(impatient.http) as connection:
        began = time.monotonic()
        connection.send("GET /v2/health/live HTTP/1.1\r\n")
        for _ in range(40):  # a byte now and then does not help
            try:
                connection.send("X")
            except (BrokenPipeError, ConnectionResetError):
                break
            time.sleep(0.1)
            if time.monotonic() - began > 2.5:
                break
        reply = connection.reply()
        assert reply is None or reply.status == 408, reply
        assert time.monotonic() - began < 6


def test_a_silent_connection_is_closed(impatient):
    with RawConnection(impatient.http) as connection:
        began = time.monotonic()
        reply = connection.reply()
        assert reply is None or reply.status == 408, reply
        assert time.monotonic() - began < 6


def test_a_body_that_stops_times_out(impatient):
    with RawConnection(impatient.http) as connection:
        began = time.monotonic()
        connection.send(request_bytes(INFER, b'{"inputs":', length=1000))
        reply = connection.reply()
        assert reply is None or reply.status == 408, reply
        assert 0.5 < time.monotonic() - began < 6


def test_a_chunked_body_that_stops_times_out(impatient):
    with RawConnection(impatient.http) as connection:
        connection.send(request_bytes(INFER, b"5\r\nabc", headers={"Transfer-Encoding": "chunked"}, length=False))
        reply = connection.reply()
        assert reply is None or reply.status == 408, reply


def test_an_idle_kept_connection_is_closed(impatient):
    with RawConnection(impatient.http) as connection:
        connection.send(request_bytes("/v2/health/live", method="GET"))
        assert connection.reply().status == 200
        began = time.monotonic()
        assert connection.ended()
        assert 1 < time.monotonic() - began < 8


def test_a_slow_execution_is_not_a_slow_client(impatient):
    """The time-outs are for clients, not for models: 3 executions of 800 ms in a row, each on its own."""
    with RawConnection(impatient.http) as connection:
        for _ in range(3):
            connection.send(request_bytes(SLOW_INFER, json_infer_body()))
            assert connection.reply().status == 200


def test_a_client_that_does_not_read_is_cut_off(impatient):
    before = toolbox.open_files(impatient)
    values = np.zeros(16_000_000, np.float32)
    head = json.dumps({"inputs": [{"name": "INPUT0", "datatype": "FP32", "shape": [1, len(values)],
                                   "parameters": {"binary_data_size": values.nbytes}}],
                       "parameters": {"binary_data_output": True}}).encode()
    with RawConnection(impatient.http) as connection:
        connection.send(request_bytes("/v2/models/floats/infer", head + values.tobytes(),
                                      headers={"Inference-Header-Content-Length": str(len(head))}))
        time.sleep(0.2)
        wait_until(lambda: toolbox.open_files(impatient) <= before, 10, "closing the connection")


# --- clients that go away ----------------------------------------------------------------------------

def test_a_half_closed_client_gets_its_answer(impatient):
    with RawConnection(impatient.http) as connection:
        connection.send(request_bytes(SLOW_INFER, json_infer_body())).half_close()
        reply = connection.reply()
        assert reply is not None and reply.status == 200, reply
        assert connection.ended()


def test_a_half_closed_client_in_the_middle_of_a_body_is_let_go(impatient):
    before = toolbox.open_files(impatient)
    with RawConnection(impatient.http) as connection:
        connection.send(request_bytes(INFER, b'{"inputs"', length=500)).half_close()
        reply = connection.reply()
        assert reply is None or reply.status == 400
    wait_until(lambda: toolbox.open_files(impatient) <= before, 10, "closing the connection")


def canceled(server, model):
    return toolbox.failures(server, model, "CANCELED") or 0


@pytest.mark.parametrize("model", ["slow", "slow_batched"])
def test_an_http_client_that_leaves_while_queued_is_forgotten(impatient, model):
    path = f"/v2/models/{model}/infer"
    before, executions = canceled(impatient, model), toolbox.statistics(impatient, model)["execution_count"]
    with RawConnection(impatient.http) as first:
        first.send(request_bytes(path, json_infer_body()))
        time.sleep(0.15)  # it arrives and, as nothing else is there, executes
        http(impatient.http, "/v2/health/live", method="GET")
        wait_until(lambda: toolbox.pending(impatient, model) == 0 and
                   toolbox.statistics(impatient, model)["execution_count"] == executions, what="the first to execute")
        leavers = [RawConnection(impatient.http) for _ in range(5)]
        for leaver in leavers:
            leaver.send(request_bytes(path, json_infer_body()))
        wait_until(lambda: toolbox.pending(impatient, model) == 5, what="five waiting requests")
        for leaver in leavers:
            leaver.reset()
        assert first.reply().status == 200
    wait_until(lambda: canceled(impatient, model) == before + 5, what="five cancelled requests")
    assert toolbox.pending(impatient, model) == 0
    assert toolbox.statistics(impatient, model)["execution_count"] == executions + 1


def test_an_http_client_that_leaves_while_executing_harms_nobody(impatient):
    executions = toolbox.statistics(impatient, "slow")["execution_count"]
    with RawConnection(impatient.http) as connection:
        connection.send(request_bytes(SLOW_INFER, json_infer_body()))
        time.sleep(0.1)
        connection.reset()
    wait_until(lambda: toolbox.statistics(impatient, "slow")["execution_count"] == executions + 1)
    reply = http(impatient.http, SLOW_INFER, json_infer_body())
    assert reply.status == 200


@pytest.mark.parametrize("model", ["slow", "slow_batched"])
def test_grpc_calls_cancelled_while_queued_are_forgotten(impatient, model):
    before, executions = canceled(impatient, model), toolbox.statistics(impatient, model)["execution_count"]
    results = queue.Queue()
    with connect(impatient, "grpc") as client:
        def start():
            return client.async_infer(model, [toolbox.int32_input([1], protocol="grpc")],
                                      callback=lambda result, error: results.put(error))
        start()
        client.is_server_live()  # the server has seen what came before
        wait_until(lambda: toolbox.pending(impatient, model) == 0, what="the first to execute")
        calls = [start() for _ in range(5)]
        wait_until(lambda: toolbox.pending(impatient, model) == 5, what="five waiting calls")
        for call in calls:
            call.cancel()
        errors = [results.get(timeout=10) for _ in range(6)]
    assert sum(error is None for error in errors) == 1
    assert all(error.status() == "StatusCode.CANCELLED" for error in errors if error)
    wait_until(lambda: canceled(impatient, model) == before + 5, what="five cancelled calls")
    assert toolbox.pending(impatient, model) == 0
    assert toolbox.statistics(impatient, model)["execution_count"] == executions + 1


def test_a_grpc_deadline_that_passes_in_the_queue_is_kept(impatient):
    before = canceled(impatient, "slow")
    with connect(impatient, "grpc") as client:
        done = queue.Queue()
        client.async_infer("slow", [toolbox.int32_input([1], protocol="grpc")], callback=lambda result, error: done.put(error))
        time.sleep(0.1)
        began = time.monotonic()
        with pytest.raises(InferenceServerException) as error:
            client.infer("slow", [toolbox.int32_input([1], protocol="grpc")], client_timeout=0.1)
        assert error.value.status() == "StatusCode.DEADLINE_EXCEEDED"
        assert time.monotonic() - began < 0.35
        assert done.get(timeout=10) is None
    wait_until(lambda: canceled(impatient, "slow") == before + 1, what="the late call counted")


def test_a_grpc_connection_that_is_cut_cancels_its_calls(impatient):
    """Through a relay that drops dead."""
    before, executions = canceled(impatient, "slow"), toolbox.statistics(impatient, "slow")["execution_count"]
    host, port = impatient.grpc.rsplit(":", 1)
    listener = socket.create_server(("127.0.0.1", 0))
    ends = []

    def pump(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass

    def relay():
        near = listener.accept()[0]
        far = socket.create_connection((host, int(port)))
        ends.extend([near, far])
        for pair in ((near, far), (far, near)):
            threading.Thread(target=pump, args=pair, daemon=True).start()

    threading.Thread(target=relay, daemon=True).start()
    client = tritonclient.grpc.InferenceServerClient(f"127.0.0.1:{listener.getsockname()[1]}")
    for _ in range(4):
        client.async_infer("slow", [toolbox.int32_input([1], protocol="grpc")], callback=lambda result, error: None)
    wait_until(lambda: toolbox.pending(impatient, "slow") == 3, what="three waiting calls")
    for end in ends:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        end.shutdown(socket.SHUT_RDWR)
        end.close()
    listener.close()
    wait_until(lambda: canceled(impatient, "slow") >= before + 3, what="the cut calls to be cancelled")
    client.close()
    assert toolbox.pending(impatient, "slow") == 0
    assert toolbox.statistics(impatient, "slow")["execution_count"] <= executions + 1


# --- crowds ------------------------------------------------------------------------------------------

def test_a_thousand_connections_at_once_are_all_served(impatient):
    before = toolbox.open_files(impatient)
    request = request_bytes(INFER, json_infer_body([5, 6, 7]))
    connections = []
    try:
        for _ in range(1000):
            connections.append(RawConnection(impatient.http, timeout=30))
            connections[-1].send(request)  # at once: silent connections time out
        for connection in connections:
            reply = connection.reply()
            assert reply is not None and reply.status == 200, reply
            assert json.loads(reply.body)["outputs"][0]["data"] == [5, 6, 7]
    finally:
        for connection in connections:
            connection.close()
    wait_until(lambda: toolbox.open_files(impatient) <= before + 2, what="the connections to be gone")


def test_hundreds_of_grpc_connections_at_once_are_all_served(impatient):
    clients = [tritonclient.grpc.InferenceServerClient(
        impatient.grpc, channel_args=[("grpc.use_local_subchannel_pool", 1)]) for _ in range(200)]
    results = queue.Queue()
    for client in clients:
        client.async_infer("identity", [toolbox.int32_input([5, 6], protocol="grpc")],
                           callback=lambda result, error: results.put(error or result.as_numpy("OUTPUT0").tolist()))
    assert [results.get(timeout=30) for _ in clients] == [[[5, 6]]] * len(clients)
    for client in clients:
        client.close()


def test_large_calls_that_are_cancelled_anywhere_leave_nothing(impatient):
    """12 MB each way, given up after ever longer times."""
    values = np.zeros((1, 3_000_000), np.float32)
    tensor = tritonclient.grpc.InferInput("INPUT0", list(values.shape), "FP32")
    tensor.set_data_from_numpy(values)
    with connect(impatient, "grpc") as client:
        client.infer("floats", [tensor], client_timeout=20)
        before = toolbox.resident_kib(impatient)
        kinds = set()
        for turn in range(40):
            try:
                client.infer("floats", [tensor], client_timeout=0.002 * turn + 0.001)
                kinds.add("answered")
            except InferenceServerException as error:
                kinds.add(error.status())
        assert kinds <= {"answered", "StatusCode.DEADLINE_EXCEEDED", "StatusCode.CANCELLED"}, kinds
        client.infer("floats", [tensor], client_timeout=20)
    assert toolbox.resident_kib(impatient) - before < 150_000
    assert toolbox.pending(impatient, "floats") == 0


def test_a_thousand_clients_that_vanish_leave_nothing(impatient):
    before = toolbox.open_files(impatient)
    for i in range(1000):
        connection = RawConnection(impatient.http)
        connection.send(request_bytes(INFER, json_infer_body(), length=200 if i % 2 else None)[: 10 + i % 150])
        connection.reset() if i % 3 else connection.close()
    wait_until(lambda: toolbox.open_files(impatient) <= before + 2, what="the connections to be gone")
    assert toolbox.pending(impatient, "identity") == 0


def test_pipelined_requests_are_answered_in_order(impatient):
    with RawConnection(impatient.http) as connection:
        connection.send(b"".join(request_bytes(INFER, json_infer_body([i])) for i in range(300)))
        for i in range(300):
            assert json.loads(connection.reply().body)["outputs"][0]["data"] == [i]
