"""The relocatable archive: packed, unpacked elsewhere, serving without the build tree's libraries."""
import os
import pathlib
import re
import subprocess
import urllib.request

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
MAX_BYTES = 60 << 20


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    binary = pathlib.Path(os.environ.get("NEREID_BIN", ROOT / "build/release/bin/nereid"))
    folder = tmp_path_factory.mktemp("bundle")
    archive = folder / "nereid.tar.xz"
    subprocess.run([ROOT / "scripts/bundle", "-o", archive, "--build", binary.parents[1]], check=True,
                   capture_output=True)
    assert archive.stat().st_size < MAX_BYTES
    subprocess.run(["tar", "-C", folder, "-xf", archive], check=True)
    return folder / "nereid"


def test_every_library_comes_from_the_bundle_or_the_machine(unpacked):
    environment = {"PATH": os.environ["PATH"], "LD_LIBRARY_PATH": str(unpacked / "lib")}
    files = [unpacked / "bin/nereid.bin", *(unpacked / "lib").rglob("*.so*")]
    for file in files:
        if file.is_symlink():
            continue
        listed = subprocess.run(["ldd", file], env=environment, capture_output=True, text=True).stdout
        assert "not found" not in listed, f"{file}: {listed}"
        for path in re.findall(r"=> (/\S+)", listed):
            name = os.path.basename(path)
            ours = pathlib.Path(path).resolve().is_relative_to(unpacked.resolve())
            glibc = re.match(r"(libc|libm|libdl|librt|libpthread|libresolv|ld-linux.*)\.so", name)
            assert ours or glibc, f"{file} needs {path}"


def test_serves_from_where_it_was_unpacked(unpacked, tmp_path):
    process = subprocess.Popen(
        [unpacked / "bin/nereid", f"--model-repository={ROOT / 'model_repository'}",
         "--model-control-mode=explicit", "--load-model=simple", "--load-model=identity_fp32",
         "--http-address=127.0.0.1", "--http-port=0", "--allow-grpc=false", "--allow-metrics=false"],
        env={"PATH": os.environ["PATH"]}, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True)
    try:
        port = None
        for line in process.stdout:
            found = re.search(r"Started HTTPService at 127\.0\.0\.1:(\d+)", line)
            if found:
                port = found.group(1)
                break
        assert port, "the server did not start"
        for model in ("simple", "identity_fp32"):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/models/{model}/ready") as answer:
                assert answer.status == 200
    finally:
        process.terminate()
        process.stdout.read()
        assert process.wait(timeout=30) == 0
