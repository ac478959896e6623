"""The metrics page: families, types, labels, and numbers equal to the statistics."""
import re
import threading
import urllib.request

import numpy as np
import pytest
import tritonclient.http

import toolbox
from conftest import running
from toolbox import connect, http, json_infer_body, metric, metrics, statistics, wait_until

PER_MODEL = {
    "nv_inference_request_success": "counter",
    "nv_inference_request_failure": "counter",
    "nv_inference_count": "counter",
    "nv_inference_exec_count": "counter",
    "nv_inference_request_duration_us": "counter",
    "nv_inference_queue_duration_us": "counter",
    "nv_inference_compute_input_duration_us": "counter",
    "nv_inference_compute_infer_duration_us": "counter",
    "nv_inference_compute_output_duration_us": "counter",
    "nv_inference_pending_request_count": "gauge",
    "nv_model_load_duration_secs": "gauge",
}
OF_THE_MACHINE = ["nv_cpu_utilization", "nv_cpu_memory_total_bytes", "nv_cpu_memory_used_bytes",
                  "nv_pinned_memory_pool_total_bytes", "nv_pinned_memory_pool_used_bytes"]
SUMMARIES = [f"nv_inference_{part}_summary_us" for part in
             ("request", "queue", "compute_input", "compute_infer", "compute_output")]
HISTOGRAM = "nv_inference_first_response_histogram_ms"


def page(server):
    with urllib.request.urlopen(f"http://{server.metrics}/metrics", timeout=15) as reply:
        return reply.read().decode()


def types(text):
    return dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    repository = tmp_path_factory.mktemp("metrics")
    toolbox.write_identity(repository, "m", extra='metric_tags { key: "team" value: "red" }\ndynamic_batching {}')
    toolbox.write_identity(repository, "untagged", delay_ms=20)
    toolbox.write_identity(repository, "full", delay_ms=200, max_batch_size=1, extra="""dynamic_batching {
        default_queue_policy { default_timeout_microseconds: 20000 } }""")
    toolbox.write_faulty(repository, "throws")
    with running(f"--model-repository={repository}", "--model-control-mode=explicit", "--load-model=*") as server:
        yield server


def test_every_family_has_its_type_and_help(measured):
    text = page(measured)
    said = types(text)
    for name, kind in PER_MODEL.items():
        assert said.get(name) == kind, name
    for name in OF_THE_MACHINE:
        assert said.get(name) == "gauge", name
    helps = re.findall(r"^# HELP (\S+) .+$", text, re.MULTILINE)
    assert sorted(helps) == sorted(said), "one line of help and one of type for each"
    assert not any("summary" in name or "histogram" in name for name in said)


def test_the_labels_of_a_model(measured):
    names = {(name, labels) for name, labels in metrics(measured) if dict(labels).get("model") == "m"}
    tags = {("model", "m"), ("version", "1"), ("_team", "red")}
    for name in PER_MODEL:
        if name != "nv_inference_request_failure":
            assert (name, frozenset(tags)) in names, name
            continue
        for reason in ("REJECTED", "CANCELED", "BACKEND", "OTHER"):
            assert (name, frozenset(tags | {("reason", reason)})) in names


def test_labels_are_sorted_and_whole_numbers_have_no_point(measured):
    for line in page(measured).splitlines():
        if line.startswith("nv_inference_request_failure{model="):
            assert re.fullmatch(r'\S+\{model="\w+",reason="\w+",version="1"\} \d+', line), line


def test_the_page_is_where_it_belongs(measured):
    for path in ("/metrics", "/metrics/"):
        reply = http(measured.metrics, path, method="GET")
        assert reply.status == 200 and reply.headers["content-type"] == "text/plain; charset=utf-8"
        assert b"nv_inference_count" in reply.body
    assert http(measured.metrics, "/other", method="GET").body == b""
    assert http(measured.metrics, "/other", method="GET").status == 200
    assert http(measured.metrics, "/metrics").status == 405
    assert http(measured.http, "/metrics", method="GET").status == 404


def test_metrics_and_statistics_agree(measured, protocol):
    with connect(measured, protocol) as client:
        for size in (1, 2, 3):
            client.infer("untagged", [toolbox.int32_input(np.zeros((size, 4), np.int32), protocol=protocol)])
    stats, labels = statistics(measured, "untagged"), {"model": "untagged", "version": "1"}
    parts = stats["inference_stats"]
    assert metric(measured, "nv_inference_request_success", **labels) == parts["success"]["count"] > 0
    assert metric(measured, "nv_inference_count", **labels) == stats["inference_count"]
    assert metric(measured, "nv_inference_exec_count", **labels) == stats["execution_count"]
    for family, part in (("request", "success"), ("queue", "queue"), ("compute_input", "compute_input"),
                         ("compute_infer", "compute_infer"), ("compute_output", "compute_output")):
        value = metric(measured, f"nv_inference_{family}_duration_us", **labels)
        assert abs(value - parts[part]["ns"] / 1000) <= 1, family
    assert stats["inference_count"] == 2 * stats["execution_count"]  # 1 + 2 + 3 rows in 3 executions
    assert [(row["batch_size"], row["compute_infer"]["count"] * 3) for row in stats["batch_stats"]] == [
        (size, stats["execution_count"]) for size in (1, 2, 3)]
    assert parts["compute_infer"]["ns"] > 20e6 * stats["execution_count"]
    assert parts["cache_hit"] == parts["cache_miss"] == {"count": 0, "ns": 0}


def test_grpc_and_http_tell_the_same_statistics(measured):
    with connect(measured, "grpc") as client:
        over_grpc = client.get_inference_statistics("untagged", as_json=True)["model_stats"][0]
    over_http = statistics(measured, "untagged")
    for key in ("inference_count", "execution_count", "last_inference"):
        assert int(over_grpc.get(key, 0)) == over_http[key]
    assert int(over_grpc["inference_stats"]["success"]["ns"]) == over_http["inference_stats"]["success"]["ns"]
    assert len(over_grpc["batch_stats"]) == len(over_http["batch_stats"])


def test_statistics_of_all_models(measured):
    rows = toolbox.get_json(measured.http, "/v2/models/stats")["model_stats"]
    assert [row["name"] for row in rows] == ["full", "m", "throws", "untagged"]
    for row in rows:
        assert set(row) >= {"name", "version", "last_inference", "inference_count", "execution_count", "inference_stats",
                            "response_stats", "batch_stats", "memory_usage"}
    reply = http(measured.http, "/v2/models/none/stats", method="GET")
    assert reply.status == 400 and reply.error == "requested model 'none' is not available"
    reply = http(measured.http, "/v2/models/m/versions/7/stats", method="GET")
    assert reply.status == 400 and reply.error == "requested model version is not available for model 'm'"


def test_failures_are_counted_by_reason(measured):
    before = {reason: toolbox.failures(measured, "throws", reason) for reason in ("BACKEND", "OTHER", "REJECTED")}
    for _ in range(3):
        assert http(measured.http, "/v2/models/throws/infer", json_infer_body()).status == 500
    assert toolbox.failures(measured, "throws", "BACKEND") == before["BACKEND"] + 3
    assert statistics(measured, "throws")["inference_stats"]["fail"]["count"] == before["BACKEND"] + 3
    # What does not fit the model never becomes a request of the model.
    assert http(measured.http, "/v2/models/throws/infer", json_infer_body(dtype="FP32")).status == 400
    assert toolbox.failures(measured, "throws", "OTHER") == before["OTHER"]

    replies = []
    threads = [threading.Thread(target=lambda: replies.append(
        http(measured.http, "/v2/models/full/infer", json_infer_body()).status)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(replies) == [200, 503, 503]
    assert toolbox.failures(measured, "full", "REJECTED") == 2


def test_waiting_requests_are_counted(measured):
    threads = [threading.Thread(target=http, args=(measured.http, "/v2/models/untagged/infer", json_infer_body()))
               for _ in range(20)]
    for thread in threads:
        thread.start()
    wait_until(lambda: toolbox.pending(measured, "untagged") > 0, 5, "waiting requests")
    for thread in threads:
        thread.join()
    assert toolbox.pending(measured, "untagged") == 0


def test_a_model_that_is_unloaded_leaves_the_page(measured):
    with connect(measured, "http") as client:
        client.unload_model("m")
        wait_until(lambda: 'model="m"' not in page(measured), what="the series to go")
        client.load_model("m")
    assert metric(measured, "nv_inference_count", model="m", version="1", _team="red") == 0


def test_gauges_of_the_machine_are_plausible(measured):
    total = metric(measured, "nv_cpu_memory_total_bytes")
    assert 2 ** 28 < total and 0 < metric(measured, "nv_cpu_memory_used_bytes") < total
    assert 0 <= metric(measured, "nv_cpu_utilization") <= 1
    assert 0 <= metric(measured, "nv_pinned_memory_pool_used_bytes") <= metric(
        measured, "nv_pinned_memory_pool_total_bytes") <= 268435456


# --- options ---------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def detailed(tmp_path_factory):
    repository = tmp_path_factory.mktemp("detailed")
    toolbox.write_identity(repository, "m", delay_ms=5)
    toolbox.write_identity(repository, "own_buckets", delay_ms=5, extra="""model_metrics { metric_control {
        metric_identifier { family: "nv_inference_first_response_histogram_ms" }
        histogram_options { buckets: [ 1, 1000 ] } } }""")
    with running(f"--model-repository={repository}", "--model-control-mode=explicit", "--load-model=*",
                 "--metrics-config=summary_latencies=true", "--metrics-config=histogram_latencies=true",
                 "--metrics-config=counter_latencies=false",
                 "--metrics-config=summary_quantiles=0.5:0.05,0.75:0.01") as server:
        server.repository = repository
        yield server


def infer(server, model, count=1):
    with tritonclient.http.InferenceServerClient(server.http) as client:
        for _ in range(count):
            client.infer(model, [toolbox.int32_input([1, 2])])


def test_summaries_count_and_add_up(detailed):
    infer(detailed, "m", 10)
    said = types(page(detailed))
    stats = statistics(detailed, "m")["inference_stats"]
    for name, part in zip(SUMMARIES, ("success", "queue", "compute_input", "compute_infer", "compute_output")):
        assert said[name] == "summary"
        labels = {"model": "m", "version": "1"}
        assert metric(detailed, f"{name}_count", **labels) == stats[part]["count"]
        assert abs(metric(detailed, f"{name}_sum", **labels) - stats[part]["ns"] / 1000) < stats[part]["count"] + 1
        for quantile in ("0.5", "0.75"):
            assert metric(detailed, name, quantile=quantile, **labels) is not None
        assert metric(detailed, name, quantile="0.9", **labels) is None
    assert metric(detailed, "nv_inference_compute_infer_summary_us", quantile="0.5", **labels) > 4900


def test_the_histogram_counts_first_responses(detailed):
    infer(detailed, "m", 2)
    infer(detailed, "own_buckets", 3)
    assert types(page(detailed))[HISTOGRAM] == "histogram"
    success = statistics(detailed, "m")["inference_stats"]["success"]["count"]
    for bound in ("100", "500", "2000", "5000", "+Inf"):
        assert metric(detailed, f"{HISTOGRAM}_bucket", model="m", version="1", le=bound) == success
    own = {"model": "own_buckets", "version": "1"}
    assert metric(detailed, f"{HISTOGRAM}_bucket", le="1", **own) == 0
    assert metric(detailed, f"{HISTOGRAM}_bucket", le="1000", **own) == metric(detailed, f"{HISTOGRAM}_count", **own) >= 3
    assert metric(detailed, f"{HISTOGRAM}_bucket", le="500", **own) is None
    assert metric(detailed, f"{HISTOGRAM}_sum", **own) >= 15


def test_without_counter_latencies_only_the_latencies_go(detailed):
    said = types(page(detailed))
    assert not [name for name in said if name.endswith("_duration_us")]
    infer(detailed, "m")
    assert metric(detailed, "nv_inference_count", model="m", version="1") == \
        statistics(detailed, "m")["inference_count"] > 0


def test_reloads_keep_distributions_sound(detailed):
    """Old and new version of a model have the same labels; the old one leaves under traffic."""
    stop, errors = threading.Event(), []

    def traffic():
        while not stop.is_set():
            try:
                infer(detailed, "m", 5)
            except Exception as error:
                errors.append(error)

    threads = [threading.Thread(target=traffic) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        with connect(detailed, "http") as client:
            for turn in range(15):
                (detailed.repository / "m" / "config.pbtxt").write_text(
                    toolbox.identity_config(delay_ms=1, max_batch_size=8 + turn))
                client.load_model("m")
                page(detailed)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not errors, errors
    infer(detailed, "m")
    assert metric(detailed, f"{HISTOGRAM}_count", model="m", version="1") > 0
    assert metric(detailed, "nv_inference_request_summary_us_count", model="m", version="1") > 0


def test_metrics_can_be_off(tmp_path, start_server):
    import conftest

    toolbox.write_identity(tmp_path, "m")
    server = conftest.Server([f"--model-repository={tmp_path}", "--allow-metrics=false"])
    try:
        server.wait_started(("http", "grpc"))
        toolbox.still_serves(server, "m")
        assert statistics(server, "m")["inference_count"] == 1, "statistics do not need metrics"
        assert server.stop() == 0
        assert "Started Metrics Service" not in server.log
    finally:
        server.kill()


def test_cpu_metrics_can_be_off(tmp_path, start_server):
    toolbox.write_identity(tmp_path, "m")
    server = start_server(f"--model-repository={tmp_path}", "--allow-cpu-metrics=false", "--allow-gpu-metrics=false")
    said = types(page(server))
    assert "nv_inference_count" in said and not [name for name in said if name.startswith(("nv_cpu", "nv_gpu"))]


def test_the_metrics_address_is_that_of_http_unless_given(tmp_path):
    import conftest

    toolbox.write_identity(tmp_path, "m")
    server = conftest.Server([f"--model-repository={tmp_path}", "--metrics-address="])
    try:
        server.wait_started()
        assert server.metrics.startswith("127.0.0.1:")
        assert server.stop() == 0
    finally:
        server.kill()
