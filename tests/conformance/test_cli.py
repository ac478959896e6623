"""The command line, the start-up tables, the log, and `nereid check`."""
import json
import os
import pathlib
import re
import socket
import subprocess

import pytest

import conftest
import toolbox
from conftest import ROOT
from toolbox import identity_config, wait_until, write_identity, write_simple

BINARY = os.environ.get("NEREID_BIN", str(conftest.BUILD / "bin" / "nereid"))
BACKENDS = os.environ.get("NEREID_BACKENDS", str(conftest.BUILD / "backends"))


def nereid(*arguments, **keywords):
    return subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True, timeout=60, **keywords)


def refused(*arguments):
    """The last lines of a start that must fail over its options, and fail before anything listens."""
    done = nereid("--model-repository=/nowhere", *arguments)
    assert done.returncode == 1, done
    assert done.stderr.startswith("Usage: nereid [options]"), done.stderr[:200]
    return done.stderr.rsplit("\n\n", 1)[-1] if "\n\n" in done.stderr else done.stderr


# --- options ---------------------------------------------------------------------------------------

def test_help_lists_every_option():
    done = nereid("--help")
    assert done.returncode == 1 and not done.stdout, "as it always was: on stderr, with status 1"
    assert done.stderr.startswith("Usage: ")
    listed = set(re.findall(r"^  --([a-z0-9-]+)", done.stderr, re.MULTILINE))
    spoken = set(re.findall(r"^\| `--([a-z0-9-]+)", (ROOT / "docs" / "options.md").read_text(), re.MULTILINE))
    assert spoken and spoken <= listed | {"help"}, spoken - listed
    for option in ("model-repository", "http-port", "grpc-port", "metrics-config", "model-control-mode", "log-format"):
        assert option in listed
    assert max(len(line.expandtabs(8)) for line in done.stderr.splitlines()) <= 80


def test_version():
    done = nereid("--version")
    assert done.returncode == 0 and re.fullmatch(r"nereid \d+\.\d+\.\d+\n", done.stdout)


@pytest.mark.parametrize("wrong, right", [("--http-prot=1", "http-port"), ("--model-repositroy=x", "model-repository"),
                                          ("--strict-redyness=true", "strict-readiness")])
def test_an_unknown_option_gets_the_nearest_one_suggested(wrong, right):
    said = refused(wrong)
    assert wrong.split("=")[0] in said and f"--{right}" in said.splitlines()[-1], said


@pytest.mark.parametrize("arguments, text", [
    (["--http-port=abc"], "Got abc"),
    (["--http-port=99999999999999999999"], "out of bound"),
    (["--http-port=70000"], "70000"),
    (["--allow-http=maybe"], "invalid value for bool option: maybe"),
    (["--model-control-mode=sometimes"], "sometimes"),
    (["--log-format=ISO"], "ISO"),
    (["--http-max-input-size=0"], "--http-max-input-size must be greater than 0."),
    (["--grpc-infer-thread-count=0"], "grpc-infer-thread-count"),
    (["--grpc-infer-thread-count=129"], "grpc-infer-thread-count"),
    (["--metrics-config=nonsense"], "metrics-config"),
    (["--metrics-config=a,b=c"], "metrics-config"),
    (["--backend-config=nothing"], "backend-config"),
    (["--http-restricted-api=nonsense:key=value"], "nonsense"),
    (["--http-port"], "http-port"),
    (["--grpc-infer-response-compression-level=much"], "much"),
    (["stray"], "Unexpected argument: stray"),
    (["--model-config-name="], "model-config-name"),
])
def test_wrong_values_are_refused(arguments, text):
    assert text in refused(*arguments)


@pytest.mark.parametrize("arguments", [
    ["--allow-sagemaker=true"], ["--allow-vertex-ai=true"], ["--trace-config=level=TIMESTAMPS"],
    ["--cache-config=local,size=1000"], ["--rate-limit=execution_count"], ["--rate-limit-resource=R1:1"],
    ["--host-policy=p,numa-node=0"], ["--response-cache-byte-size=100"],
    ["--repoagent-directory=/x"], ["--trace-level=TIMESTAMPS"], ["--buffer-manager-thread-count=2"]])
def test_what_is_not_built_is_refused_by_name(arguments):
    said = refused(*arguments)
    assert arguments[0].split("=")[0] in said, said


@pytest.mark.parametrize("option", ["--http-header-forward-pattern=(", "--grpc-header-forward-pattern=["])
def test_a_pattern_that_is_none_stops_the_start(tmp_path, option):
    write_identity(tmp_path, "m")
    done = nereid(f"--model-repository={tmp_path}", f"--backend-directory={BACKENDS}", "--http-port=0", "--grpc-port=0",
                  "--metrics-port=0", option)
    assert done.returncode == 1 and option.split("=")[1] in done.stderr, done


def test_what_is_not_built_may_have_its_default(tmp_path, start_server):
    write_identity(tmp_path, "m")
    server = start_server(f"--model-repository={tmp_path}", "--allow-sagemaker=false", "--rate-limit=off",
                          "--allow-client-shm=false", "--buffer-manager-thread-count=0")
    toolbox.still_serves(server, "m")


def test_the_grammar_of_options(tmp_path, start_server):
    """Separate values, abbreviations, repeated scalars, words for numbers."""
    write_identity(tmp_path, "m")
    server = start_server("--model-repo", str(tmp_path), "--log-verbose=true", "--id", "first", "--id=second",
                          "--exit-timeout-secs", "7x", "--strict-readiness=OFF")
    rows = options_table(server)
    assert rows["server_id"] == "second" and rows["exit_timeout"] == "7" and rows["strict_readiness"] == "0"
    assert toolbox.get_json(server.http, "/v2")["name"] == "second"


def test_http_and_grpc_can_be_off(tmp_path):
    write_identity(tmp_path, "m")
    for off, on in (("http", "grpc"), ("grpc", "http")):
        server = conftest.Server([f"--model-repository={tmp_path}", f"--allow-{off}=false"])
        try:
            server.wait_started((on, "metrics"))
            assert off not in server.addresses
            assert server.stop() == 0
        finally:
            server.kill()


def test_restricted_kinds_need_their_header(tmp_path, start_server):
    write_identity(tmp_path, "m")
    server = start_server(f"--model-repository={tmp_path}", "--http-restricted-api=model-repository,statistics:admin=secret",
                          "--grpc-restricted-protocol=inference:infer-key=secret")
    path = "/v2/repository/index"
    reply = toolbox.http(server.http, path)
    assert (reply.status, reply.error) == (403, "This API is restricted, expecting header 'admin'")
    assert toolbox.http(server.http, path, headers={"admin": "wrong"}).status == 403
    assert toolbox.http(server.http, path, headers={"admin": "secret"}).status == 200
    toolbox.still_serves(server, "m")
    with toolbox.connect(server, "grpc") as client:
        from tritonclient.utils import InferenceServerException

        tensor = toolbox.int32_input([1], protocol="grpc")
        with pytest.raises(InferenceServerException) as error:
            client.infer("m", [tensor])
        assert "expecting header 'triton-grpc-protocol-infer-key'" in error.value.message()
        client.infer("m", [tensor], headers={"triton-grpc-protocol-infer-key": "secret"})


# --- tables and log ----------------------------------------------------------------------------------

def tables(server):
    """The start-up tables as lists of rows, header first."""
    found, rows = [], []
    for line in server.lines:
        if line.startswith("| "):
            rows.append([cell.strip() for cell in line.strip("|").split(" | ")])
        elif not line.startswith("+") and rows:
            found.append(rows)
            rows = []
    return found + ([rows] if rows else [])


def table(server, first_header):
    return next(rows for rows in tables(server) if rows[0][0] == first_header)


def options_table(server):
    return {row[0]: row[1] if len(row) > 1 else "" for row in table(server, "Option")[1:]}


def test_the_tables_of_the_start(tmp_path, start_server):
    write_identity(tmp_path, "b")
    write_simple(tmp_path, "a", versions=(1, 3))
    toolbox.write_model(tmp_path, "c", identity_config(delay_ms="x"))
    server = start_server(f"--model-repository={tmp_path}", "--exit-on-error=false", "--id=me", "--exit-timeout-secs=5")
    server.wait_log(r"^\| Metrics +\|")
    server.wait_log(r"^\+-")
    assert table(server, "Model")[0] == ["Model", "Version", "Status"]
    models = {(row[0], row[1]): row[2] for row in table(server, "Model")[1:]}
    assert models["a", "3"] == "READY" and models["b", "1"] == "READY"
    assert models["c", "1"].startswith("UNAVAILABLE: Invalid argument: ")
    assert [row[0] for row in table(server, "Model")[1:]] == sorted(row[0] for row in table(server, "Model")[1:])
    assert table(server, "Repository Agent") == [["Repository Agent", "Path"]]
    backends = {row[0]: row for row in table(server, "Backend")[1:]}
    assert set(backends) == {"identity", "onnxruntime"}
    assert backends["identity"][1].endswith("libnereid_identity.so")
    assert "cmdline" in json.loads(backends["identity"][2])
    options = options_table(server)
    assert options["server_id"] == "me" and options["exit_timeout"] == "5"
    assert options["model_repository_path[0]"] == str(tmp_path) and options["model_control_mode"] == "MODE_NONE"
    for name in ("server_version", "server_extensions", "strict_model_config", "model_config_name", "rate_limit",
                 "pinned_memory_pool_byte_size", "min_supported_compute_capability", "strict_readiness", "cache_enabled"):
        assert name in options
    services = {row[0]: row[1] for row in table(server, "Service")[1:]}
    assert services["HTTP"] == server.http and services["gRPC"] == server.grpc and services["Metrics"] == server.metrics
    borders = [line for line in server.lines if line.startswith("+")]
    assert all(re.fullmatch(r"(\+-+)+\+", line) for line in borders)


@pytest.mark.parametrize("verbosity", [0, 1])
def test_a_verbose_start_shows_the_keepalive_options(tmp_path, start_server, verbosity):
    write_identity(tmp_path, "m")
    server = start_server(f"--model-repository={tmp_path}", f"--log-verbose={verbosity}", "--grpc-keepalive-time=1234")
    server.wait_log(r"^\| Metrics +\|")
    assert ("| GRPC KeepAlive Option" in server.log) == (verbosity == 1)
    if verbosity:
        options = dict(table(server, "GRPC KeepAlive Option")[1:])
        assert options["keepalive_time_ms"] == "1234" and options["http2_max_ping_strikes"] == "2"


DEFAULT_LINE = re.compile(r'[IWE]\d{4} \d\d:\d\d:\d\d\.\d{6} \d+ [\w.]+:\d+\] "')
ISO_LINE = re.compile(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ [IWE] \d+ [\w.]+:\d+\] "')


@pytest.mark.parametrize("form, pattern", [("default", DEFAULT_LINE), ("ISO8601", ISO_LINE)])
def test_the_form_of_log_lines(tmp_path, start_server, form, pattern):
    write_identity(tmp_path, "m")
    server = start_server(f"--model-repository={tmp_path}", f"--log-format={form}")
    line = next(line for line in server.lines if "successfully loaded 'm'" in line)
    assert pattern.match(line), line
    assert f" {server.process.pid} " in line


def test_a_log_file_takes_everything(tmp_path):
    write_identity(tmp_path / "repository", "m")
    log = tmp_path / "log"
    log.write_text("what was there before\n")
    server = conftest.Server([f"--model-repository={tmp_path}/repository", f"--log-file={log}"])
    try:
        wait_until(lambda: "Started Metrics Service" in log.read_text(), what="the start in the log file")
        assert server.stop() == 0
    finally:
        server.kill()
    text = log.read_text()
    assert text.startswith("what was there before\n") and "successfully loaded 'm'" in text and "| READY" in text
    assert "successfully loaded" not in server.log


def test_levels_can_be_off(tmp_path):
    write_identity(tmp_path, "m")
    toolbox.write_model(tmp_path, "bad", identity_config(delay_ms="x"))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = conftest.Server([f"--model-repository={tmp_path}", "--log-info=false", "--log-error=false",
                              "--log-warning=false", "--exit-on-error=false", f"--http-port={port}"])
    try:
        server.addresses["http"] = f"127.0.0.1:{port}"
        wait_until(lambda: server.process.poll() is not None or up(port), what="being live")
        assert server.stop() == 0
    finally:
        server.kill()
    assert not [line for line in server.lines if DEFAULT_LINE.match(line)], server.log


def up(port):
    try:
        return toolbox.http(f"127.0.0.1:{port}", "/v2/health/live", method="GET").status == 200
    except OSError:
        return False


def test_what_clients_send_cannot_forge_log_lines(tmp_path, start_server):
    write_identity(tmp_path, "m")
    server = start_server(f"--model-repository={tmp_path}", "--log-verbose=2", "--model-control-mode=explicit")
    with toolbox.connect(server, "grpc") as client:
        with pytest.raises(Exception):
            client.load_model("x\nE1231 00:00:00.000000 1 forged.cc:1] \"forged\"")
    assert server.stop() == 0
    assert not any(line.startswith("E1231") for line in server.lines), server.log


def test_errors_go_to_stderr_and_the_rest_to_stdout(tmp_path):
    toolbox.write_model(tmp_path, "bad", identity_config(delay_ms="x"))
    done = nereid(f"--model-repository={tmp_path}", f"--backend-directory={BACKENDS}")
    assert done.returncode == 1
    assert "loading: bad:1" in done.stdout and "failed to load" not in done.stdout
    assert "failed to load 'bad'" in done.stderr and "loading:" not in done.stderr
    assert done.stderr.rstrip().endswith("error: creating server: Internal - failed to load all models")


def test_log_settings_over_the_wire(tmp_path, start_server):
    write_identity(tmp_path, "m")
    server = start_server(f"--model-repository={tmp_path}")
    with toolbox.connect(server, "http") as client, toolbox.connect(server, "grpc") as grpc_client:
        assert client.get_log_settings()["log_verbose_level"] == 0
        client.update_log_settings({"log_verbose_level": 1, "log_info": False, "log_format": "ISO8601"})
        said = grpc_client.get_log_settings(as_json=True)["settings"]
        assert said["log_verbose_level"]["uint32_param"] == 1 and said["log_format"]["string_param"] == "ISO8601"
        grpc_client.update_log_settings({"log_info": True})
        assert client.get_log_settings()["log_info"] is True
        from tritonclient.utils import InferenceServerException

        with pytest.raises(InferenceServerException) as error:
            client.update_log_settings({"log_file": "/tmp/elsewhere"})
        assert "log file location can not be updated through network protocol" in error.value.message()


# --- nereid check ------------------------------------------------------------------------------------

def check(*repositories):
    return nereid("check", *repositories, env={**os.environ})


def test_check_of_a_sound_repository(tmp_path):
    write_identity(tmp_path, "m", versions=(1, 2))
    write_simple(tmp_path)
    done = check(tmp_path)
    assert (done.returncode, done.stderr) == (0, ""), done
    assert len(done.stdout.splitlines()) == 1


def test_check_of_the_bundled_repository():
    done = check(conftest.REPOSITORY)
    assert done.returncode == 0, done


def test_check_names_each_finding_in_a_line(tmp_path):
    write_identity(tmp_path, "fine")
    toolbox.write_model(tmp_path, "bad_text", "backend: [")
    toolbox.write_model(tmp_path, "bad_value", identity_config(delay_ms="x"))
    toolbox.write_model(tmp_path, "no_file", 'platform: "onnxruntime_onnx"')
    toolbox.write_model(tmp_path, "no_backend", identity_config().replace("identity", "nowhere"))
    write_simple(tmp_path, "sound_in_1_only", versions=(1, 2))
    config = tmp_path / "sound_in_1_only" / "config.pbtxt"
    config.write_text(config.read_text() + "version_policy { all {} }\n")
    (tmp_path / "sound_in_1_only" / "2" / "model.onnx").write_bytes(b"broken")
    done = check(tmp_path)
    assert done.returncode == 1
    lines = {line.split(":")[0].split(" ")[0]: line for line in done.stdout.splitlines()}
    assert set(lines) == {"bad_text", "bad_value", "no_file", "no_backend", "sound_in_1_only"}, done
    assert "config.pbtxt:1" in lines["bad_text"] and "execute_delay_ms" in lines["bad_value"]
    assert "model.onnx" in lines["no_file"] and "nowhere" in lines["no_backend"]
    assert "version 2" in lines["sound_in_1_only"]
    assert all(len(line) < 2000 for line in lines.values())


def test_check_of_nothing():
    assert check().returncode == 1
    assert "Usage" in check().stderr
    done = check("/nowhere/at/all")
    assert done.returncode == 1 and "/nowhere/at/all" in done.stdout + done.stderr


# --- installation --------------------------------------------------------------------------------------

def test_an_installation_serves_under_both_names(tmp_path):
    build = pathlib.Path(BINARY).resolve().parents[1]
    if not (build / "cmake_install.cmake").exists():
        pytest.skip("the server under test is not in a build tree")
    done = subprocess.run(["cmake", "--install", str(build), "--prefix", str(tmp_path / "prefix")], capture_output=True,
                          text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    for folder in ("bin", "lib", "include/nereid", "share"):
        assert (tmp_path / "prefix" / folder).is_dir(), folder
    for name in ("nereid", "tritonserver"):
        program = tmp_path / "prefix" / "bin" / name
        assert subprocess.run([program, "--version"], capture_output=True, timeout=30).returncode == 0
    # Nothing of the build tree is needed: the backends are found beside the program.
    done = subprocess.run([tmp_path / "prefix" / "bin" / "tritonserver", "check", str(conftest.REPOSITORY)],
                          capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert done.returncode == 0, done
    listing = subprocess.run(["ldd", tmp_path / "prefix" / "bin" / "nereid"], capture_output=True, text=True).stdout
    assert "not found" not in listing and str(build) not in listing, listing
