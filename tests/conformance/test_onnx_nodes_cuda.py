"""What the CUDA engine makes of ONNX's node tests, as far as that needs no GPU.

tests/data/onnx_node_passlist_cuda.txt names the tests that passed on a GPU, and the operators that ran on the host
there. It is written by engine_node_tests --device=0 --write-list (pack_node_tests.py carries it there).
"""
import subprocess

import pytest
from pack_node_tests import COMPUTED, PASS_LIST, write_packed_tests
from test_onnx_nodes import SECONDS, driver  # noqa: F401: driver is a fixture


def plan(driver, folder, *options):
    done = subprocess.run([driver, "--plan", *options, folder], capture_output=True, text=True, errors="replace",
                          timeout=SECONDS, check=False)
    if "built without CUDA" in done.stderr:
        pytest.skip("the engine is built without CUDA's headers")
    return done


def test_what_passes_on_a_gpu_is_still_planned_for_it(driver, tmp_path):
    """The rewritten graphs compute the same, and no operator has lost its device work."""
    assert write_packed_tests(tmp_path / "node") > 1500
    done = plan(driver, tmp_path / "node", "--atol=1e-6", f"--check-list={PASS_LIST}")
    lines = done.stdout.splitlines()
    assert [line for line in lines if line.startswith("DROP")] == []
    assert done.returncode == 0
    assert sum(line.startswith("PASS ") for line in lines) > 1250
    # Where extents are computed, less runs on the GPU, but all is as right.
    failed = {line.split()[1].rstrip(":") for line in lines if line.startswith("FAIL ")}
    assert [name for name in failed if name.endswith(COMPUTED) and name.removesuffix(COMPUTED) not in failed] == []
    assert sum(COMPUTED in line for line in lines if line.startswith("HOST ")) > 300


def test_a_drop_is_told(driver, tmp_path):
    write_packed_tests(tmp_path / "node")
    few = tmp_path / "few"
    few.mkdir()
    for name in ("test_add", "test_hannwindow"):
        (tmp_path / "node" / name).rename(few / name)
    (tmp_path / "list").write_text("# of an earlier day\ntest_add host: Relu\ntest_hannwindow\ntest_elsewhere\n")
    done = plan(driver, few, f"--check-list={tmp_path / 'list'}")
    assert done.returncode == 1
    assert [line for line in done.stdout.splitlines() if line.startswith("DROP")] == [
        "DROP test_hannwindow runs on the host what it did not"]
    again = plan(driver, few, f"--write-list={tmp_path / 'new'}")
    assert again.returncode == 0
    assert (tmp_path / "new").read_text().splitlines()[1:] == ["test_add", "test_hannwindow host: HannWindow"]
