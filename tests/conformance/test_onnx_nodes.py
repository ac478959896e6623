"""The engine's host executor against the node tests of ONNX itself.

tests/data/onnx_node_passlist.txt names the tests that pass. One that stops passing fails here; one that starts to is
reported. After work on the engine:

    python tests/conformance/test_onnx_nodes.py BUILD/tests/engine_node_tests     rewrites the list
"""
import os
import pathlib
import subprocess
import sys
import tempfile
import warnings

import numpy
import onnx.backend.test
import pytest
from onnx import TensorProto, numpy_helper
from onnx.backend.test.case.node import collect_testcases

ROOT = pathlib.Path(__file__).resolve().parents[2]
PASS_LIST = ROOT / "tests" / "data" / "onnx_node_passlist.txt"
SECONDS = 120


def encode(value, info):
    """The message that a data set holds for one input or output of a model."""
    if info.type.HasField("sequence_type"):
        return numpy_helper.from_list(value, info.name)
    if info.type.HasField("optional_type"):
        return numpy_helper.from_optional(value, info.name)
    if isinstance(value, TensorProto):
        return value
    return numpy_helper.from_array(numpy.asarray(value), info.name)


def write_test(folder, model, data_sets):
    """Lays a test out as ONNX does: model.onnx, test_data_set_0/input_0.pb, …"""
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    for number, (inputs, outputs) in enumerate(data_sets):
        data = folder / f"test_data_set_{number}"
        data.mkdir()
        for kind, values, infos in (("input", inputs, model.graph.input),
                                    ("output", outputs, model.graph.output)):
            for i, value in enumerate(values):
                (data / f"{kind}_{i}.pb").write_bytes(encode(value, infos[i]).SerializeToString())


def write_node_tests(folder):
    with warnings.catch_warnings(), numpy.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        cases = collect_testcases(None)
    for case in cases:
        write_test(folder / case.name, case.model, case.data_sets)
    return [case.name for case in cases]


def run_tests(driver, folder, *options):
    """{name: None, or why it failed} of the tests in `folder`."""
    done = subprocess.run([driver, *options, folder], capture_output=True, text=True, errors="replace",
                          timeout=SECONDS, check=False)
    assert done.returncode == 0, f"exit {done.returncode} at {done.stderr.splitlines()[-1:]}"
    results = {}
    for line in done.stdout.splitlines():
        verdict, _, rest = line.partition(" ")
        if verdict in ("PASS", "FAIL"):
            name, _, why = rest.partition(": ")
            results[name] = why if verdict == "FAIL" else None
    return results


def read_pass_list():
    return [line for line in PASS_LIST.read_text().splitlines() if line and not line.startswith("#")]


@pytest.fixture(scope="session")
def driver():
    server = pathlib.Path(os.environ.get("NEREID_BIN", ROOT / "build" / "release" / "bin" / "nereid"))
    path = server.parents[1] / "tests" / "engine_node_tests"
    assert path.exists(), f"{path} is not built"
    return path


def test_nodes_that_passed_still_pass(driver, tmp_path):
    names = write_node_tests(tmp_path / "node")
    results = run_tests(driver, tmp_path / "node")
    assert sorted(results) == sorted(names)
    listed = read_pass_list()
    assert len(listed) > 1500
    dropped = [f"{name}: {results.get(name, 'there is no such test')}"
               for name in listed if results.get(name, "missing") is not None]
    assert dropped == []
    new = [name for name, why in results.items() if why is None and name not in set(listed)]
    if new:
        warnings.warn(f"{len(new)} node tests pass that the list does not name: {' '.join(new)}")


@pytest.mark.parametrize("kind", ["pytorch-operator", "pytorch-converted"])
def test_models_that_come_with_onnx(driver, kind):
    results = run_tests(driver, pathlib.Path(onnx.backend.test.__file__).parent / "data" / kind)
    assert len(results) >= 35
    assert {name: why for name, why in results.items() if why is not None} == {}


def test_a_wrong_output_is_told(driver, tmp_path):
    case = next(case for case in collect_testcases(None) if case.name == "test_add")
    (inputs, (output,)), = case.data_sets
    write_test(tmp_path / "node" / "right", case.model, [(inputs, [output])])
    write_test(tmp_path / "node" / "wrong", case.model, [(inputs, [output + numpy.float32(0.01)])])
    write_test(tmp_path / "node" / "other_shape", case.model, [(inputs, [output[:1]])])
    write_test(tmp_path / "node" / "other_type", case.model, [(inputs, [output.astype(numpy.float64)])])
    results = run_tests(driver, tmp_path / "node")
    assert results["right"] is None
    assert "instead of" in results["wrong"]
    assert "shape" in results["other_shape"]
    assert "FP64" in results["other_type"]


def main():
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch) / "node"
        write_node_tests(folder)
        results = run_tests(pathlib.Path(sys.argv[1]), folder)
    passed = sorted(name for name, why in results.items() if why is None)
    PASS_LIST.write_text("# ONNX node tests that the engine's host executor passes "
                         "(tests/conformance/test_onnx_nodes.py).\n" + "\n".join(passed) + "\n")
    for name, why in results.items():
        if why is not None:
            print(f"{name}: {why}")
    print(f"{len(passed)} of {len(results)} pass")


if __name__ == "__main__":
    main()
