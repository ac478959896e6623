"""Queue policies, priorities, ordering and batching as a client meets them."""
import queue
import threading
import time

import numpy as np
import pytest
from tritonclient.utils import InferenceServerException

import toolbox
from conftest import running
from toolbox import RawConnection, connect, json_infer_body, request_bytes, statistics, wait_until

LONG_QUEUE = "default_queue_policy { max_queue_size: 1000 }"
MODELS = {
    "small_queue": dict(delay_ms=800, max_batch_size=1,
                        extra="dynamic_batching { default_queue_policy { max_queue_size: 2 } }"),
    "rejects": dict(delay_ms=300, max_batch_size=1, extra="""dynamic_batching { default_queue_policy {
        timeout_action: REJECT default_timeout_microseconds: 100000 } }"""),
    "rejects_early": dict(delay_ms=2000, max_batch_size=1, extra="""dynamic_batching { default_queue_policy {
        timeout_action: REJECT default_timeout_microseconds: 100000 } }"""),
    "may_be_shorter": dict(delay_ms=800, max_batch_size=1, extra="""dynamic_batching { default_queue_policy {
        timeout_action: REJECT default_timeout_microseconds: 20000000 allow_timeout_override: true } }"""),
    "delays": dict(delay_ms=500, max_batch_size=1, extra="""dynamic_batching { default_queue_policy {
        timeout_action: DELAY default_timeout_microseconds: 100000000 allow_timeout_override: true } }"""),
    "levels": dict(delay_ms=500, max_batch_size=1,
                   extra="dynamic_batching { priority_levels: 3 default_priority_level: 2 }"),
    "batches": dict(delay_ms=300, max_batch_size=8, extra="dynamic_batching { }"),
    "waits": dict(delay_ms=0, max_batch_size=8, extra="""dynamic_batching {
        preferred_batch_size: [ 4 ] max_queue_delay_microseconds: 600000 }"""),
    "ordered": dict(delay_ms=60, max_batch_size=1, instances=4, extra="""
        parameters { key: "instance_wise_delay_multiplier" value { string_value: "4" } }
        dynamic_batching { preserve_ordering: true }"""),
    "two_shapes": dict(delay_ms=100, max_batch_size=8, extra="dynamic_batching { }"),
    "direct": dict(delay_ms=50, max_batch_size=8),
    "four_instances": dict(delay_ms=300, max_batch_size=1, instances=4),
}


@pytest.fixture(scope="module")
def queues(tmp_path_factory):
    repository = tmp_path_factory.mktemp("queues")
    for name, keywords in MODELS.items():
        toolbox.write_identity(repository, name, **keywords)
    with running(f"--model-repository={repository}") as server:
        yield server


class Client:
    """Sends without waiting, over either protocol; finished(n) -> [(tag, error or None)] as they come back."""

    def __init__(self, server, protocol, model):
        self.server, self.protocol, self.model = server, protocol, model
        self.results = queue.Queue()
        self.sent = 0
        if protocol == "grpc":
            import tritonclient.grpc
            self.client = tritonclient.grpc.InferenceServerClient(server.grpc)

    def send(self, tag, values=(1,), priority=0, timeout=None):
        self.sent += 1
        if self.protocol == "grpc":
            self.client.async_infer(self.model, [toolbox.int32_input(list(values), protocol="grpc")],
                                    callback=lambda result, error: self.results.put((tag, error)), priority=priority,
                                    timeout=timeout)
            return
        parameters = {"priority": priority} if priority else {}
        if timeout:
            parameters["timeout"] = timeout
        connection = RawConnection(self.server.http)
        connection.send(request_bytes(f"/v2/models/{self.model}/infer", json_infer_body(values, parameters=parameters)))

        def wait():
            reply = connection.reply()
            error = None if reply.status == 200 else InferenceServerException(reply.error, str(reply.status))
            self.results.put((tag, error))
            connection.close()

        threading.Thread(target=wait, daemon=True).start()

    def finished(self, count=None):
        return [self.results.get(timeout=20) for _ in range(self.sent if count is None else count)]

    def occupy(self):
        """Sends one request and returns when it executes."""
        executing = statistics(self.server, self.model)["execution_count"]
        self.send("first")
        self.pass_by()
        wait_until(lambda: toolbox.metric(self.server, "nv_inference_pending_request_count", model=self.model,
                                          version="1") == 0, what="the first to execute")
        time.sleep(0.03)
        return executing

    def pass_by(self):
        """Returns when the server has seen what was sent before."""
        if self.protocol == "grpc":
            self.client.is_server_live()
        else:
            toolbox.http(self.server.http, "/v2/health/live", method="GET")

    def wait_pending(self, count):
        wait_until(lambda: toolbox.pending(self.server, self.model) == count, 5, f"{count} waiting requests")


@pytest.fixture
def client(queues, protocol):
    return lambda model: Client(queues, protocol, model)


def refused(error, protocol, text):
    assert error is not None
    assert error.message().endswith(text), error.message()
    assert error.status() == ("503" if protocol == "http" else "StatusCode.UNAVAILABLE")


def test_a_full_queue_refuses(client, protocol):
    sender = client("small_queue")
    sender.occupy()
    for tag in ("a", "b"):
        sender.send(tag)
    sender.wait_pending(2)
    sender.send("c")
    tag, error = sender.finished(1)[0]
    assert tag == "c"
    refused(error, protocol, "Exceeds maximum queue size")
    assert all(error is None for _, error in sender.finished(3))


def test_requests_refused_by_a_full_queue_are_not_counted(queues, client):
    sender = client("small_queue")
    before = statistics(queues, "small_queue")["inference_stats"]
    sender.occupy()
    for tag in range(2):
        sender.send(tag)
    sender.wait_pending(2)
    for tag in range(3):
        sender.send(tag)
    errors = [error for _, error in sender.finished()]
    assert sum(error is not None for error in errors) == 3
    after = statistics(queues, "small_queue")["inference_stats"]
    assert after["fail"]["count"] == before["fail"]["count"]
    assert after["success"]["count"] == before["success"]["count"] + 3


def test_a_request_that_waits_too_long_is_rejected(queues, client, protocol):
    before = toolbox.failures(queues, "rejects", "REJECTED")
    sender = client("rejects")
    sender.occupy()
    sender.send("late")
    results = dict(sender.finished())
    assert results["first"] is None
    refused(results["late"], protocol, "Request timeout expired")
    assert results["late"].message() == "Request timeout expired"
    wait_until(lambda: toolbox.failures(queues, "rejects", "REJECTED") == before + 1)


def test_a_rejection_does_not_wait_for_the_instance(client, protocol):
    """A timeout of 100 ms behind an execution of 2 s."""
    sender = client("rejects_early")
    sender.occupy()
    began = time.monotonic()
    sender.send("late")
    tag, error = sender.results.get(timeout=10)
    assert tag == "late" and time.monotonic() - began < 1.5
    refused(error, protocol, "Request timeout expired")
    assert sender.finished(1) == [("first", None)]


def test_a_request_may_ask_for_a_shorter_timeout(client, protocol):
    sender = client("may_be_shorter")
    sender.occupy()
    sender.send("short", timeout=50_000)
    sender.send("long")
    sender.send("longer_than_allowed", timeout=100_000_000)
    results = dict(sender.finished())
    refused(results.pop("short"), protocol, "Request timeout expired")
    assert all(error is None for error in results.values()), results


def test_a_request_cannot_ask_where_it_is_not_allowed(client, protocol):
    """`rejects` has no override: 1 us is ignored, and an idle instance takes it at once."""
    sender = client("rejects")
    sender.send("asks", timeout=1)
    assert sender.finished() == [("asks", None)]


def test_delayed_requests_go_last(client):
    sender = client("delays")
    sender.occupy()
    sender.send("late", timeout=1000)
    sender.wait_pending(1)
    sender.send("a")
    sender.send("b")
    sender.wait_pending(3)
    results = sender.finished()
    assert all(error is None for _, error in results), results
    assert [tag for tag, _ in results] == ["first", "a", "b", "late"]


def test_urgent_requests_go_first(client):
    sender = client("levels")
    sender.occupy()
    for count, (tag, priority) in enumerate([("low", 3), ("default", 0), ("middle", 2), ("high", 1), ("unknown", 9)], 1):
        sender.send(tag, priority=priority)
        sender.wait_pending(count)
    order = [tag for tag, _ in sender.finished()]
    assert order == ["first", "high", "default", "middle", "unknown", "low"]


def batch_sizes(server, model):
    return {row["batch_size"]: row["compute_infer"]["count"] for row in statistics(server, model)["batch_stats"]}


def test_waiting_requests_share_executions(queues, client):
    before, executions = statistics(queues, "batches"), batch_sizes(queues, "batches")
    sender = client("batches")
    sender.occupy()
    for tag in range(16):
        sender.send(tag)
    sender.wait_pending(16)
    assert all(error is None for _, error in sender.finished())
    after = statistics(queues, "batches")
    assert after["inference_count"] - before["inference_count"] == 17
    assert after["execution_count"] - before["execution_count"] == 3
    assert batch_sizes(queues, "batches")[8] - executions.get(8, 0) == 2


def test_every_request_of_a_batch_gets_its_own_rows(queues, protocol):
    sizes, results = [1, 3, 2, 1, 1], queue.Queue()
    with connect(queues, protocol, **({"concurrency": 8} if protocol == "http" else {})) as client:
        Client(queues, protocol, "batches").occupy()
        inputs = [np.arange(size * 5, dtype=np.int32).reshape(size, 5) + 100 * i for i, size in enumerate(sizes)]
        if protocol == "grpc":
            for i, array in enumerate(inputs):
                client.async_infer("batches", [toolbox.int32_input(array, protocol="grpc")], request_id=str(i),
                                   callback=lambda result, error: results.put(error or result))
            got = [results.get(timeout=10) for _ in sizes]
        else:
            pending = [client.async_infer("batches", [toolbox.int32_input(array)], request_id=str(i))
                       for i, array in enumerate(inputs)]
            got = [one.get_result() for one in pending]
    for result in got:
        response = result.get_response()
        tag = int(response["id"] if protocol == "http" else response.id)
        assert (result.as_numpy("OUTPUT0") == inputs[tag]).all()


def test_different_shapes_do_not_share_an_execution(queues, client):
    before = statistics(queues, "two_shapes")["execution_count"]
    sender = client("two_shapes")
    sender.occupy()
    for tag, values in enumerate([(1,), (1, 2), (3,), (3, 4)]):
        sender.send(tag, values)
    sender.wait_pending(4)
    assert all(error is None for _, error in sender.finished())
    assert statistics(queues, "two_shapes")["execution_count"] - before > 2


def test_a_batch_waits_for_company_up_to_its_delay(queues, client):
    sender = client("waits")
    began = time.monotonic()
    sender.send("alone")
    sender.finished()
    assert time.monotonic() - began > 0.55
    before = batch_sizes(queues, "waits").get(4, 0)
    sender = client("waits")
    began = time.monotonic()
    for tag in range(4):
        sender.send(tag)
    sender.finished()
    assert time.monotonic() - began < 0.5, "a preferred size does not wait"
    assert batch_sizes(queues, "waits")[4] == before + 1


def test_responses_keep_the_order_of_requests(queues):
    """The instances take 60, 240, 480 and 720 ms, and later requests are done before earlier ones."""
    sender = Client(queues, "grpc", "ordered")  # one connection, on which the order can be seen
    for tag in range(6):
        sender.send(tag)
        time.sleep(0.02)
    assert [tag for tag, _ in sender.finished()] == list(range(6))


def test_without_dynamic_batching_requests_execute_alone(queues, client):
    before = statistics(queues, "direct")["execution_count"]
    sender = client("direct")
    for tag in range(5):
        sender.send(tag)
    assert all(error is None for _, error in sender.finished())
    assert statistics(queues, "direct")["execution_count"] - before == 5
    assert list(batch_sizes(queues, "direct")) == [1]


def test_instances_work_side_by_side(client):
    sender = client("four_instances")
    began = time.monotonic()
    for tag in range(4):
        sender.send(tag)
    assert all(error is None for _, error in sender.finished())
    assert time.monotonic() - began < 0.9, "one after the other takes 1.2 s"


def test_the_timeline_adds_up(queues, client):
    before = statistics(queues, "batches")["inference_stats"]
    sender = client("batches")
    sender.occupy()
    sender.send("second")
    sender.finished()
    after = statistics(queues, "batches")["inference_stats"]
    spent = {key: after[key]["ns"] - before[key]["ns"] for key in after}
    assert after["success"]["count"] - before["success"]["count"] == 2
    assert spent["compute_infer"] > 2 * 295e6
    assert 20e6 < spent["queue"] < 350e6
    parts = spent["queue"] + spent["compute_input"] + spent["compute_infer"] + spent["compute_output"]
    assert parts <= spent["success"] < parts + 50e6
