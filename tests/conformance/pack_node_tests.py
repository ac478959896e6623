"""Packs ONNX's node tests and the driver that runs them, for a machine with a GPU.

    python tests/conformance/pack_node_tests.py [--driver BUILD/tests/engine_node_tests] [--out FILE.tar.xz]

The archive holds one folder node_tests/: run (a wrapper), bin/, lib/ with the shared libraries that are not glibc's or
the driver's, node/ with the tests, and the pass list. There:

    node_tests/run --device=0 --check-list=node_tests/passlist_cuda.txt node_tests/node

A program is made for fixed extents, so inputs that decide extents (targets of Reshape, axes, repeats, ...) are
constants of the packed models, as exporters write them. As ONNX has them these tests are there, too, under a name that ends
in _computed: their extents depend on data. With --unpack DIR the tests are written there instead, for
engine_node_tests --plan, which needs no GPU.
"""
import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import warnings

import numpy
from onnx import numpy_helper
from onnx.backend.test.case.node import collect_testcases

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from test_onnx_nodes import write_test  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
PASS_LIST = ROOT / "tests" / "data" / "onnx_node_passlist_cuda.txt"
MAX_ELEMENTS = 64
COMPUTED = "_computed"
# Inputs by operator, counted from 0, that decide extents, or how often something runs.
DECIDING = {
    "AffineGrid": (1,), "BlackmanWindow": (0,), "CenterCropPad": (1,), "Col2Im": (1, 2), "ConstantOfShape": (0,),
    "CumProd": (1,), "CumSum": (1,), "DFT": (1, 2), "Expand": (1,), "HammingWindow": (0,), "HannWindow": (0,), "If": (0,),
    "Loop": (0, 1), "MaxUnpool": (2,), "MelWeightMatrix": (0, 1, 2, 3, 4), "OneHot": (1,), "Pad": (1, 3),
    "Range": (0, 1, 2), "Reshape": (1,), "Resize": (1, 2, 3), "STFT": (1, 3), "Slice": (1, 2, 3, 4), "Split": (1,),
    "SplitToSequence": (1,), "Squeeze": (1,), "Tile": (1,), "TopK": (1,), "Trilu": (1,), "Unsqueeze": (1,),
    "Upsample": (1,), **{f"Reduce{kind}": (1,) for kind in ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod",
                                                            "Sum", "SumSquare")}}
MACHINE = re.compile(r"^(ld-linux.*|libc|libm|libdl|librt|libpthread|libresolv|libcuda|libnvidia-.*|libcublas.*|libcudnn.*|"
                     r"libnvrtc.*)\.so")


def deciding_values(graph):
    """Names of the values whose contents decide extents, directly or through arithmetic."""
    needed = set()
    for node in graph.node:
        needed |= {node.input[i] for i in DECIDING.get(node.op_type, ()) if i < len(node.input)}
    for node in reversed(graph.node):
        if node.op_type not in ("Shape", "Size") and needed & set(node.output):
            needed |= set(node.input)
    return needed


def bind_inputs(model, inputs):
    """The model with its deciding inputs as constants, and the other inputs; None where it has none of them."""
    needed = deciding_values(model.graph)
    bound = [isinstance(value, (numpy.ndarray, numpy.generic)) and numpy.size(value) <= MAX_ELEMENTS and
             info.name in needed and numpy.asarray(value).dtype.kind in "iufb"
             for info, value in zip(model.graph.input, inputs)]
    if not any(bound):
        return None
    fixed = type(model)()
    fixed.CopyFrom(model)
    del fixed.graph.input[:]
    for info, value, is_bound in zip(model.graph.input, inputs, bound):
        if is_bound:
            fixed.graph.initializer.append(numpy_helper.from_array(numpy.asarray(value), info.name))
        else:
            fixed.graph.input.append(info)
    return fixed, [value for value, is_bound in zip(inputs, bound) if not is_bound]


def is_plain(model):
    """Whether all inputs and outputs are tensors."""
    return all(info.type.HasField("tensor_type") for info in [*model.graph.input, *model.graph.output])


def write_packed_tests(folder):
    with warnings.catch_warnings(), numpy.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        cases = [case for case in collect_testcases(None) if is_plain(case.model)]
    for case in cases:
        found = bind_inputs(case.model, case.data_sets[0][0]) if len(case.data_sets) == 1 else None
        if found is None:
            write_test(folder / case.name, case.model, case.data_sets)
            continue
        write_test(folder / case.name, found[0], [(found[1], case.data_sets[0][1])])
        write_test(folder / f"{case.name}{COMPUTED}", case.model, case.data_sets)
    return len(cases)


def libraries_of(driver):
    for line in subprocess.run(["ldd", driver], capture_output=True, text=True, check=True).stdout.splitlines():
        words = line.split()
        if len(words) > 2 and words[1] == "=>" and words[2].startswith("/") and not MACHINE.match(words[0]):
            yield words[0], pathlib.Path(words[2])


def stage(root, driver):
    for folder in ("bin", "lib"):
        (root / folder).mkdir(parents=True)
    subprocess.run(["strip", "-o", root / "bin" / driver.name, driver], check=True)
    for name, path in libraries_of(driver):
        shutil.copy(path, root / "lib" / name)
    wrapper = root / "run"
    wrapper.write_text("#!/bin/sh\n"
                       'here=$(dirname "$(readlink -f "$0")")\n'
                       'LD_LIBRARY_PATH=$here/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} '
                       f'exec "$here/bin/{driver.name}" "$@"\n')
    wrapper.chmod(0o755)
    if PASS_LIST.exists():
        shutil.copy(PASS_LIST, root / "passlist_cuda.txt")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--driver", type=pathlib.Path, default=ROOT / "build/release/tests/engine_node_tests")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "build/node_tests.tar.xz")
    parser.add_argument("--unpack", type=pathlib.Path)
    arguments = parser.parse_args()
    if arguments.unpack:
        print(f"{write_packed_tests(arguments.unpack)} tests in {arguments.unpack}")
        return
    with tempfile.TemporaryDirectory() as scratch:
        root = pathlib.Path(scratch) / "node_tests"
        stage(root, arguments.driver)
        count = write_packed_tests(root / "node")
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(arguments.out, "w:xz", preset=3) as archive:
            archive.add(root, "node_tests")
    print(f"{count} tests in {arguments.out}: {arguments.out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
