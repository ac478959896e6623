"""The demonstration: the example client reads the sample page through the server, over both protocols."""
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def run_client(*arguments):
    return subprocess.run([sys.executable, str(ROOT / "examples/ocr_client.py"), *arguments],
                          capture_output=True, text=True, timeout=120)


def test_every_line_reads_as_written(server, protocol):
    done = run_client("--check", "--protocol", protocol, "--url", getattr(server, protocol))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "10 of 10 lines read as expected"


def test_a_line_that_reads_differently_fails_the_check(server, protocol, tmp_path):
    lines = tmp_path / "lines.json"
    lines.write_text('[{"box": [34, 304, 170, 356], "text": "SUBTOTAL"}]')
    done = run_client("--check", "--protocol", protocol, "--url", getattr(server, protocol), "--lines", str(lines))
    assert done.returncode == 1
    assert "TOTAL" in done.stdout and "0 of 1 lines" in done.stdout
