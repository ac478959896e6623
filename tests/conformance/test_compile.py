"""`nereid compile` without a GPU, and the plans it writes."""
import os
import pathlib
import re
import shutil
import subprocess

import numpy
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from conftest import REPOSITORY
from test_cli import BACKENDS, BINARY

WITHOUT_GPU = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
CLASSIFIER = REPOSITORY / "ocr_classifier" / "1" / "model.onnx"
SHAPE = "x:1x3x48x192"
NVRTC = pathlib.Path("/usr/local/cuda/lib64")


def compile_model(*arguments, backends=BACKENDS, **environment):
    return subprocess.run([BINARY, "compile", f"--backend-directory={backends}", *map(str, arguments)],
                          capture_output=True, text=True, timeout=300, env={**WITHOUT_GPU, **environment})


@pytest.fixture(scope="module", autouse=True)
def module():
    if not os.path.exists(os.path.join(BACKENDS, "cuda", "libnereid_cuda.so")):
        pytest.skip("built without the cuda backend")


def write_model(path, nodes, constants=(), shape=(2, 4), opset=17):
    """x float [shape] -> y."""
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value if isinstance(value, numpy.ndarray) else numpy.float32(value), name)
         for name, value in constants])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.save(model, path)
    return path


def overflowing(path):
    """In fp16 the second product is infinite, and the softmax of it is no number."""
    return write_model(path, [helper.make_node("Softmax", ["x"], ["s"], name="soft"),
                              helper.make_node("Mul", ["s", "big"], ["high"], name="high"),
                              helper.make_node("Mul", ["high", "more"], ["higher"], name="too high"),
                              helper.make_node("Softmax", ["higher"], ["y"], name="last")],
                       [("big", 3e4), ("more", 100.0)])


def test_a_real_model_is_imported_optimised_checked_and_listed():
    done = compile_model(CLASSIFIER, "--shapes", SHAPE, "--layers")
    assert (done.returncode, done.stderr) == (0, ""), done
    out = done.stdout
    assert re.search(r"^import: [\d.]+ s, \d+ nodes, 0\.5 MB of weights$", out, re.MULTILINE), out
    assert "device: none (no CUDA device" in out and "shapes: 1x3x48x192" in out
    steps, on_host = map(int, re.search(r"lowering: .* (\d+) steps, (\d+) steps on the host", out).groups())
    layers = re.findall(r"^ *\d+ (convolution|depthwise|pointwise|gemm|\w[\w ]*?) .*$", out, re.MULTILINE)
    assert len(layers) >= steps > 50 and on_host == 0
    assert re.search(r"memory: weights 0\.\d MB, arena \d+\.\d MB, workspace known with a GPU only", out)
    assert re.search(r"^\d+ of convolution$", out, re.MULTILINE)


def test_without_layers_only_kinds_are_listed():
    lines = compile_model(CLASSIFIER, "--shape", SHAPE).stdout.splitlines()
    assert len(lines) < 20 and any(re.fullmatch(r"\d+ of depthwise", line) for line in lines), lines


def test_each_shape_is_a_program():
    out = compile_model(CLASSIFIER, "--shapes", f"{SHAPE}:4x3x48x192:8x3x48x192").stdout
    assert re.findall(r"^shapes: (\d+)x3x48x192$", out, re.MULTILINE) == ["1", "4", "8"]
    arenas = [float(found) for found in re.findall(r"arena ([\d.]+) MB", out)]
    assert arenas == sorted(arenas) and arenas[2] > 4 * arenas[0]


def test_verify_compares_passes_and_precision_on_the_host():
    done = compile_model(CLASSIFIER, "--shapes", SHAPE, "--verify")
    assert done.returncode == 3, done  # the GPU's results are not known
    optimised = re.search(r"^optimised: output \S+ \[1,2\]: relative difference (\S+),", done.stdout, re.MULTILINE)
    fp16 = re.search(r"^fp16 on the host: output \S+ \[1,2\]: relative difference (\S+),", done.stdout, re.MULTILINE)
    assert float(optimised[1]) < 1e-5 and 1e-6 < float(fp16[1]) < 1e-2
    assert "needs a GPU: difference of the GPU's results" in done.stdout


def test_the_node_that_overflows_is_named(tmp_path):
    model = overflowing(tmp_path / "model.onnx")
    done = compile_model(model, "--check-precision")
    assert done.returncode == 2, done
    assert "NOT FINITE: 8 elements" in done.stdout and "first node to blame: Mul 'too high'" in done.stdout
    kept = compile_model(model, "--check-precision", "--layer-precision", "too high:fp32")
    assert (kept.returncode, "blame" in kept.stdout) == (0, False), kept
    assert compile_model(model, "--check-precision", "--precision", "bf16").returncode == 0


def test_the_tolerance_decides():
    asked = ("--shapes", SHAPE, "--check-precision", "--tolerance")
    assert compile_model(CLASSIFIER, *asked, "1e-9").returncode == 2
    assert compile_model(CLASSIFIER, *asked, "0.5").returncode == 0


def test_what_would_run_on_the_host_is_named_or_refused(tmp_path):
    model = write_model(tmp_path / "model.onnx", [helper.make_node("ReverseSequence", ["x", "n"], ["y"], name="backwards")],
                        [("n", numpy.array([2, 1, 2, 1]))])
    done = compile_model(model)
    assert done.returncode == 0 and "1 steps on the host" in done.stdout
    assert "on the host: backwards" in done.stdout
    strict = compile_model(model, "--strict")
    assert strict.returncode == 1 and "'backwards' has no device implementation" in strict.stderr


@pytest.mark.parametrize("option, what", [(("--profile",), "times of layers"), (("--bench", "5"), "times of runs"),
                                          (("--trace",), "each layer's result")])
def test_what_needs_a_gpu_is_said(option, what):
    done = compile_model(CLASSIFIER, "--shapes", SHAPE, *option)
    assert done.returncode == 3 and f"needs a GPU: {what}" in done.stdout, done


def test_kernels_are_compiled_for_an_architecture_and_found_again(tmp_path):
    asked = (CLASSIFIER, "--shapes", SHAPE, "--arch", "sm_90a", "--save", tmp_path / "model.onnx.plan")
    first = compile_model(*asked)
    if "libnvrtc" in first.stderr:
        pytest.skip("no NVRTC")
    assert first.returncode == 0, first
    compiled = int(re.search(r"(\d+) compiled in", first.stdout)[1])
    assert compiled > 5 and f"0 entries found, {compiled} new" in first.stdout
    second = compile_model(*asked)
    assert ", 0 compiled in" in second.stdout and f"{compiled} entries found, 0 new" in second.stdout, second
    other = compile_model(*asked, "--arch", "sm_80")
    assert re.search(rf"\b{compiled} compiled in", other.stdout), other
    again = compile_model(*asked)
    assert ", 0 compiled in" in again.stdout, "code for one architecture has driven out that of another"


def test_the_compiler_uses_what_lies_beside_it(tmp_path):
    """Its built-in functions are a library that it looks for where the loader does, which need not know the folder."""
    files = [file for name in ("libnvrtc.so.13", "libnvrtc-builtins.so.13.*") for file in NVRTC.glob(name)]
    if len(files) < 2:
        pytest.skip("no NVRTC")
    folder = tmp_path / "cuda"
    folder.mkdir()
    for file in files:
        shutil.copy(file, folder)
    done = compile_model(CLASSIFIER, "--shapes", SHAPE, "--arch", "sm_80", "--save", tmp_path / "plan",
                         NEREID_CUDA_FOLDER=str(folder), LD_DEBUG="files", LD_DEBUG_OUTPUT=str(tmp_path / "loaded"))
    assert done.returncode == 0, done.stderr
    (loaded,) = tmp_path.glob("loaded.*")
    opened = set(re.findall(r"calling init: (\S*libnvrtc\S*)", loaded.read_text()))
    assert opened == {str(folder / file.name) for file in files}


def test_a_bad_plan_is_ignored_with_one_warning(tmp_path):
    model, plan = tmp_path / "model.onnx", tmp_path / "plan"
    shutil.copy(CLASSIFIER, model)
    asked = ("--shapes", SHAPE, "--arch", "sm_90a", "--save", plan)
    first = compile_model(model, *asked)
    if "libnvrtc" in first.stderr:
        pytest.skip("no NVRTC")
    good = plan.read_bytes()
    for bad in (b"nonsense", good[:len(good) // 2], good[:99] + bytes([good[99] ^ 1]) + good[100:]):
        plan.write_bytes(bad)
        done = compile_model(model, *asked)
        assert done.returncode == 0 and (done.stdout + done.stderr).count("is ignored") == 1, done
        assert plan.read_bytes() == good, "a plan is the same whenever it is made"
    foreign = compile_model(write_model(tmp_path / "other.onnx", [helper.make_node("Relu", ["x"], ["y"])]),
                            "--arch", "sm_90a", "--save", plan)
    assert (foreign.stdout + foreign.stderr).count("it was made for another model") == 1, foreign


def test_a_folder_of_plans_is_what_the_server_uses(tmp_path):
    done = compile_model(CLASSIFIER, "--shapes", SHAPE, "--arch", "sm_90a", "--plan-cache-directory", tmp_path / "plans")
    if "libnvrtc" in done.stderr:
        pytest.skip("no NVRTC")
    assert done.returncode == 0, done
    (plan,) = (tmp_path / "plans").iterdir()
    assert re.fullmatch(r"[0-9a-f]{64}\.plan", plan.name)
    assert str(plan) in done.stdout


@pytest.mark.parametrize("arguments, said", [
    ((), "no model is named"),
    (("--shapes",), "--shapes needs a value"),
    ((CLASSIFIER, "--nonsense"), "unknown option --nonsense"),
    ((CLASSIFIER, "--precision", "fp8"), "'fp8'"),
    ((CLASSIFIER, "--shapes", "y:1x3"), "no such input; it has x"),
    ((CLASSIFIER, "--shapes", "x:1x3"), "the input has 4 extents"),
    ((CLASSIFIER, "--backend"), "--backend needs a value"),
    (("/nowhere.onnx",), "/nowhere.onnx"),
    ((CLASSIFIER, "--backend", "nowhere"), "no backend 'nowhere'"),
    ((CLASSIFIER, "--backend=identity"), "has no tool"),
    ((CLASSIFIER, "--backend=../../evil"), "no backend"),
])
def test_wrong_arguments(arguments, said):
    done = compile_model(*arguments)
    assert done.returncode == 1 and said in done.stderr, done
    assert done.stderr.startswith("nereid compile: ")


def test_a_broken_model_is_refused_with_its_node(tmp_path):
    (tmp_path / "broken.onnx").write_bytes(CLASSIFIER.read_bytes()[:10000])
    done = compile_model(tmp_path / "broken.onnx")
    assert done.returncode == 1 and "broken.onnx" in done.stderr
    model = write_model(tmp_path / "model.onnx", [helper.make_node("Nonsense", ["x"], ["y"], name="what")])
    done = compile_model(model)
    assert done.returncode == 1 and "'what'" in done.stderr, done


def test_help():
    done = compile_model("--help")
    assert done.returncode == 0 and done.stdout.startswith("Usage: nereid compile MODEL.onnx")
    for option in ("--precision", "--shapes", "--profile", "--verify", "--save", "--device"):
        assert f"  {option}" in done.stdout
    assert max(len(line.expandtabs(8)) for line in done.stdout.splitlines()) <= 90
