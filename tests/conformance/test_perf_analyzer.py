"""perf_analyzer, as it is published, measures this server over both protocols."""
import os
import pathlib
import platform
import re
import subprocess

import pytest

FOLDER = pathlib.Path(__file__).resolve().parents[2] / ".deps" / "perf_analyzer"
pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="perf_analyzer is built for x86-64 only")


def perf_analyzer(server, protocol, *arguments):
    """Measures for about a second; returns what it printed and the throughput it saw."""
    command = [str(FOLDER / "perf_analyzer"), "-i", protocol, "-u", getattr(server, protocol),
               "--measurement-mode", "count_windows", "--measurement-request-count", "50",
               "--stability-percentage", "1000000", "--max-trials", "10", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120,
                          env={**os.environ, "LD_LIBRARY_PATH": str(FOLDER)})
    text = done.stdout + done.stderr
    assert done.returncode == 0, text
    found = re.search(r"Throughput: ([\d.]+) infer/sec", text)
    assert found, text
    return text, float(found.group(1))


@pytest.mark.parametrize("model", ["simple", "ocr_classifier"])
def test_it_measures_a_model(server, protocol, model):
    text, throughput = perf_analyzer(server, protocol, "-m", model)
    assert throughput > 0
    # What it computes from the server's own statistics.
    assert re.search(r"Inference count: [1-9]", text), text
    assert re.search(r"Avg request latency: \d+ usec \(overhead \d+ usec \+ queue \d+ usec", text), text


def test_it_sends_batches_from_several_clients(server, protocol):
    text, throughput = perf_analyzer(server, protocol, "-m", "simple", "-b", "4", "--concurrency-range", "4", "--async")
    assert throughput > 0
    assert re.search(r"Batch size: 4", text), text


def test_it_sends_variable_shapes_and_strings(server, protocol):
    _, throughput = perf_analyzer(server, protocol, "-m", "identity_fp32", "--shape", "INPUT0:1000")
    assert throughput > 0
    _, throughput = perf_analyzer(server, protocol, "-m", "identity_bytes", "--shape", "INPUT0:16",
                                  "--string-length", "100")
    assert throughput > 0


def test_it_reads_the_metrics_page(server):
    text, throughput = perf_analyzer(server, "http", "-m", "simple", "--collect-metrics", "--metrics-url",
                                     f"{server.metrics}/metrics")
    assert throughput > 0
    assert "failed" not in text.lower(), text
