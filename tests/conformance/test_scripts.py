"""The scripts that check and prepare the checkout do what they claim."""
import importlib.util
import pathlib
import subprocess
import sys
import zipfile

import numpy as np
import onnx
import onnxruntime
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts" / "lib"))
import onnx_model  # noqa: E402


def run(*command):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True)


@pytest.fixture
def tree(tmp_path):
    """A small tree whose layers are: common, net on common, config on common."""
    (tmp_path / "cmake").mkdir()
    (tmp_path / "cmake" / "layers.cmake").write_text(
        'set(NEREID_LAYERS\n "common|"\n "net|common"\n "config|common"\n "backends|common"\n)\n')

    def write(path, *includes):
        file = tmp_path / "src" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(f"#include {include}\n" for include in includes))

    write("common/log.h", "<string>", '"absl/status/status.h"')
    return tmp_path, write


def check_layers(root):
    return run(sys.executable, ROOT / "scripts/check_layers", "--root", root)


def test_layer_check_accepts_what_the_rows_allow(tree):
    root, write = tree
    write("net/loop.cc", '"common/log.h"', "<memory>", "<sys/epoll.h>", "<event2/event.h>", '"net/loop.h"')
    done = check_layers(root)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path, include, reason", [
    ("common/log.cc", '"net/loop.h"', "'common' may not use 'net'"),
    ("net/loop.cc", '"config/model.h"', "'net' may not use 'config'"),
    ("config/model.cc", "<event2/event.h>", "libevent is seen only in net"),
    ("net/loop.cc", "<curl/curl.h>", "unknown library"),
    ("backends/one/one.cc", '"backends/two/two.h"', "may not know backends/two"),
    ("net/loop.cc", '"nereid/model_config.h"', "'net' may not use 'config', which owns this header"),
    ("other/x.cc", "<string>", "belongs to no module"),
])
def test_layer_check_reports_what_the_rows_forbid(tree, path, include, reason):
    root, write = tree
    write(path, include)
    done = check_layers(root)
    assert done.returncode == 1
    assert reason in done.stdout


def test_layer_check_refuses_a_cycle(tree):
    root, _ = tree
    (root / "cmake" / "layers.cmake").write_text('set(NEREID_LAYERS\n "common|net"\n "net|common"\n)\n')
    assert check_layers(root).returncode != 0


@pytest.mark.parametrize("name, text, expected", [
    ("debian.sources",
     "Types: deb\nURIs: http://security.example/debian-security\nSuites: bookworm-security\nComponents: main\n\n"
     "Types: deb\nURIs: http://mirror.example/debian\nSuites: bookworm bookworm-updates\nComponents: main\n"
     "Signed-By: /usr/share/keyrings/key.gpg\n",
     "deb [signed-by=/usr/share/keyrings/key.gpg] http://mirror.example/debian trixie main\n"),
    ("local.list",
     "# deb http://commented.example bookworm main\ndeb-src http://mirror.example/debian bookworm main\n"
     "deb [arch=amd64 trusted=yes] http://mirror.example/debian bookworm main contrib # ours\n",
     "deb [trusted=yes] http://mirror.example/debian trixie main\n"),
    ("off.sources", "Enabled: no\nTypes: deb\nURIs: http://m.example\nSuites: bookworm\nComponents: main\n", None),
])
def test_source_of_another_suite_comes_from_the_machines_own_entry(tmp_path, name, text, expected):
    folder = tmp_path / "etc" / "apt" / "sources.list.d"
    folder.mkdir(parents=True)
    (tmp_path / "etc" / "os-release").write_text('VERSION_CODENAME=bookworm\n')
    (folder / name).write_text(text)
    done = run(sys.executable, ROOT / "scripts/lib/debian_source", "trixie", "--root", tmp_path)
    assert (done.returncode == 0) == (expected is not None)
    assert done.stdout == (expected or "")


@pytest.mark.parametrize("driver, headers, wanted", [
    ("usr/lib/x86_64-linux-gnu", (), True),
    ("opt/driver", (), True),  # the loader is told of it
    ("opt/unknown", (), False),
    (None, (), False),
    ("usr/lib/x86_64-linux-gnu", ("cuda.h", "nvrtc.h", "cublasLt.h"), True),
    ("usr/lib/x86_64-linux-gnu", ("cuda.h", "nvrtc.h", "cublasLt.h", "cudnn.h"), False),
])
def test_libraries_of_cuda_are_wanted_where_there_is_a_driver_alone(tmp_path, monkeypatch, driver, headers, wanted):
    monkeypatch.delenv("CUDA_HOME", raising=False)
    (tmp_path / "etc/ld.so.conf.d").mkdir(parents=True)
    (tmp_path / "etc/ld.so.conf.d/driver.conf").write_text("# of the driver\n/opt/driver\n")
    if driver:
        (tmp_path / driver).mkdir(parents=True)
        (tmp_path / driver / "libcuda.so.1").touch()
    for folder, names in (("usr/include", headers[:1]), ("usr/local/cuda/include", headers[1:])):
        (tmp_path / folder).mkdir(parents=True)
        for name in names:
            (tmp_path / folder / name).touch()
    done = run(sys.executable, ROOT / "scripts/lib/cuda_libraries", "missing", "--root", tmp_path)
    assert done.returncode == (0 if wanted else 1), done.stderr


def test_libraries_of_cuda_come_to_one_folder(tmp_path):
    inside = {"nvidia/cu13/include/cuda.h": "include/cuda.h", "nvidia/cu13/include/crt/host.h": "include/crt/host.h",
              "nvidia/cudnn/lib/libcudnn_ops.so.9": "lib/libcudnn_ops.so.9",
              "nvidia/cu13/lib/libnvrtc-builtins.so.13.0": "lib/libnvrtc-builtins.so.13.0",
              "nvidia/cu13/include/cccl/cub/cub.h": None, "nvidia/cu13/lib/libnvrtc.alt.so.13": None,
              "nvidia/cu13/lib/libnvrtc_static.a": None, "nvidia/__init__.py": None, "a-1.dist-info/RECORD": None}
    wheels = [tmp_path / "a.whl", tmp_path / "b.whl"]
    for i, wheel in enumerate(wheels):
        with zipfile.ZipFile(wheel, "w") as archive:
            for name in list(inside)[i::2]:
                archive.writestr(name, name)
    done = run(sys.executable, ROOT / "scripts/lib/cuda_libraries", "unpack", tmp_path / "cuda", *wheels)
    assert done.returncode == 0, done.stderr
    found = {str(path.relative_to(tmp_path / "cuda")): path.read_text()
             for path in (tmp_path / "cuda").rglob("*") if path.is_file()}
    assert found == {into: name for name, into in inside.items() if into}


def test_committed_models_are_what_the_generator_makes(tmp_path):
    done = run(sys.executable, ROOT / "scripts/make_models", "--output", tmp_path)
    assert done.returncode == 0, done.stderr
    made = sorted(tmp_path.rglob("model.onnx"))
    assert len(made) == 2
    for file in made:
        committed = ROOT / "model_repository" / file.relative_to(tmp_path)
        assert file.read_bytes() == committed.read_bytes(), committed


def test_naming_axes_changes_shapes_and_nothing_else():
    before = (ROOT / "model_repository/simple/1/model.onnx").read_bytes()
    after = onnx_model.name_axes(before, {"INPUT0": ["rows", 16], "OUTPUT1": ["n", "m"]})
    old, new = onnx.load_from_string(before), onnx.load_from_string(after)
    assert [d.dim_param or d.dim_value for d in new.graph.input[0].type.tensor_type.shape.dim] == ["rows", 16]
    assert [d.dim_param or d.dim_value for d in new.graph.output[1].type.tensor_type.shape.dim] == ["n", "m"]
    new.graph.input[0].CopyFrom(old.graph.input[0])
    new.graph.output[1].CopyFrom(old.graph.output[1])
    assert new == old


@pytest.mark.parametrize("axes", [{"MISSING": [1]}, {"INPUT0": ["only one"]}])
def test_naming_axes_refuses_what_the_graph_does_not_have(axes):
    with pytest.raises(ValueError):
        onnx_model.name_axes((ROOT / "model_repository/simple/1/model.onnx").read_bytes(), axes)


def test_sample_page_reads_as_written_with_the_bare_runtime():
    spec = importlib.util.spec_from_file_location("ocr_client", ROOT / "examples/ocr_client.py")
    client = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(client)
    import json

    from PIL import Image
    data = ROOT / "examples/data"
    folder = ROOT / "model_repository/ocr_recognition"
    charset = (folder / "charset.txt").read_text(encoding="utf-8").removesuffix("\n").split("\n")
    session = onnxruntime.InferenceSession(str(folder / "1/model.onnx"), providers=["CPUExecutionProvider"])
    page = Image.open(data / "receipt.png").convert("RGB")
    lines = json.loads((data / "receipt.json").read_text())
    assert len(lines) >= 5
    for line in lines:
        (output,) = session.run(None, {client.INPUT: client.prepare(page, line["box"])})
        text, confidence = client.decode(output[0], charset)
        assert text == line["text"]
        assert confidence > 0.9
        assert np.isfinite(output).all()
