"""Model control over the wire: modes, loads with overrides, versions, states and their reasons."""
import base64
import json
import os
import shutil
import time

import numpy as np
import pytest
from tritonclient.utils import InferenceServerException

import conftest
import toolbox
from conftest import running
from toolbox import SIMPLE, connect, http, identity_config, still_serves, wait_until, write_identity, write_simple

SIMPLE_ONNX = SIMPLE / "1" / "model.onnx"


def index(client, protocol, name=None):
    """name -> {version: (state, reason)}; a model that was never loaded has the version ''."""
    rows = client.get_model_repository_index()
    rows = rows if protocol == "http" else [
        {"name": row.name, "version": row.version, "state": row.state, "reason": row.reason} for row in rows.models]
    table = {}
    for row in rows:
        table.setdefault(row["name"], {})[row.get("version", "")] = (row.get("state", ""), row.get("reason", ""))
    return table if name is None else table[name]


def is_ready(client, name, version=""):
    try:
        return client.is_model_ready(name, version)
    except InferenceServerException:
        return False


def infer(client, protocol, name, values=(1, 2, 3), version=""):
    result = client.infer(name, [toolbox.int32_input(list(values), protocol=protocol)], model_version=version)
    assert result.as_numpy("OUTPUT0").tolist() == [list(values)]
    response = result.get_response()
    return response["model_version"] if protocol == "http" else response.model_version


def refusal(action, *arguments, **keywords):
    with pytest.raises(InferenceServerException) as error:
        action(*arguments, **keywords)
    return error.value


CODES = {400: "INVALID_ARGUMENT", 404: "NOT_FOUND", 500: "INTERNAL", 503: "UNAVAILABLE", 501: "UNIMPLEMENTED"}


def check(error, protocol, http_status, text):
    assert text in error.message(), error.message()
    assert str(error.status()) == (str(http_status) if protocol == "http" else f"StatusCode.{CODES[http_status]}")


@pytest.fixture(scope="module")
def explicit(tmp_path_factory):
    repository = tmp_path_factory.mktemp("explicit")
    for protocol in ("http", "grpc"):
        write_identity(repository, f"plain_{protocol}")
        write_identity(repository, f"versions_{protocol}", versions=(1, 2, 5), extra="version_policy { all {} }")
        write_simple(repository, f"onnx_{protocol}")
        toolbox.write_model(repository, f"bare_{protocol}", onnx=SIMPLE_ONNX)
        toolbox.write_model(repository, f"broken_{protocol}", "backend: [")
    write_identity(repository, "at_start")
    with running(f"--model-repository={repository}", "--model-control-mode=explicit", "--load-model=at_start") as server:
        server.repository = repository
        yield server


@pytest.fixture
def client(explicit, protocol):
    with connect(explicit, protocol) as opened:
        yield opened


def test_only_the_named_model_is_loaded_at_start(client, protocol):
    table = index(client, protocol)
    assert table["at_start"] == {"1": ("READY", "")}
    ready = client.get_model_repository_index()
    assert ready
    assert client.is_server_ready()
    assert is_ready(client, "at_start")


def test_a_model_that_was_never_loaded_is_a_bare_name(explicit):
    rows = json.loads(http(explicit.http, "/v2/repository/index").body)
    assert {"name": "broken_http"} in rows or any(
        row["name"] == "broken_http" and row.get("state") == "UNAVAILABLE" for row in rows)
    only_ready = json.loads(http(explicit.http, "/v2/repository/index", '{"ready": true}').body)
    assert only_ready and all(row["state"] == "READY" for row in only_ready)


def test_load_infer_unload(client, protocol):
    name = f"plain_{protocol}"
    check(refusal(client.infer, name, [toolbox.int32_input([1], protocol=protocol)]), protocol, 404,
          f"Request for unknown model: '{name}' is not found")
    client.load_model(name)
    assert index(client, protocol, name) == {"1": ("READY", "")}
    infer(client, protocol, name)
    client.load_model(name)  # unchanged: nothing happens, and that is fine
    infer(client, protocol, name)
    client.unload_model(name)
    wait_until(lambda: index(client, protocol, name) == {"1": ("UNAVAILABLE", "unloaded")}, what="the unload")
    assert not is_ready(client, name)
    error = refusal(client.infer, name, [toolbox.int32_input([1], protocol=protocol)])
    check(error, protocol, 404, "has no available versions")
    assert client.is_server_ready(), "what was unloaded on purpose does not spoil readiness"


def test_unloading_what_is_not_there_succeeds(client, protocol):
    client.unload_model(f"never_{protocol}")
    client.unload_model(f"never_{protocol}", unload_dependents=True)


def test_a_load_of_what_is_not_there_fails(client, protocol):
    error = refusal(client.load_model, "nobody")
    check(error, protocol, 500, "failed to load 'nobody', failed to poll from model repository")


def test_a_broken_configuration_fails_the_load_with_its_place(client, protocol):
    error = refusal(client.load_model, f"broken_{protocol}")
    check(error, protocol, 500, f"failed to load 'broken_{protocol}', failed to poll from model repository")
    assert "config.pbtxt:1" in error.message(), error.message()


@pytest.mark.parametrize("name", ["..", "a/b", "%2e%2e", "a%2fb"])
def test_a_name_that_is_a_path_is_refused(explicit, name):
    with connect(explicit, "grpc") as client:
        if "%" not in name:
            error = refusal(client.load_model, name)
            check(error, "grpc", 400, "model name must not contain path traversal characters")
    reply = http(explicit.http, f"/v2/repository/models/{name}/load", "{}")
    assert reply.status in (400, 404, 500), reply


def test_versions_follow_the_policy(client, protocol, explicit):
    name = f"versions_{protocol}"
    client.load_model(name)
    assert index(client, protocol, name) == {version: ("READY", "") for version in "125"}
    assert infer(client, protocol, name) == "5"
    assert infer(client, protocol, name, version="2") == "2"
    error = refusal(client.infer, name, [toolbox.int32_input([1], protocol=protocol)], model_version="3")
    check(error, protocol, 404, f"Request for unknown model: '{name}' version 3 is not found")

    for policy, ready in (("latest { num_versions: 2 }", "25"), ("specific { versions: [ 1 ] }", "1"),
                          ("latest { num_versions: 1 }", "5")):
        (explicit.repository / name / "config.pbtxt").write_text(
            identity_config(extra=f"version_policy {{ {policy} }}"))
        client.load_model(name)
        wait_until(lambda ready=ready: {version for version, (state, _) in index(client, protocol, name).items()
                                        if state == "READY"} == set(ready), what=policy)
        assert infer(client, protocol, name) == max(ready)
    error = refusal(client.infer, name, [toolbox.int32_input([1], protocol=protocol)], model_version="1")
    check(error, protocol, 503, f"Request for unknown model: '{name}' version 1 is not at ready state")
    metadata = client.get_model_metadata(name)
    assert list(metadata["versions"] if protocol == "http" else metadata.versions) == ["5"]
    (explicit.repository / name / "config.pbtxt").write_text(
        identity_config(extra="version_policy { specific { versions: [ 9 ] } }"))
    error = refusal(client.load_model, name)
    assert "at least one version must be available under the version policy" in error.message()
    assert infer(client, protocol, name) == "5", "a failed reload leaves the old one serving"


def test_a_model_without_configuration_is_completed(client, protocol):
    name = f"bare_{protocol}"
    client.load_model(name)
    config = client.get_model_config(name) if protocol == "http" else client.get_model_config(name, as_json=True)["config"]
    assert config["name"] == name
    assert config["platform"] == "onnxruntime_onnx" and config["backend"] == "onnxruntime"
    assert {tensor["name"] for tensor in config["input"]} == {"INPUT0", "INPUT1"}
    assert config["max_batch_size"] == 4 and "dynamic_batching" in config
    values = np.arange(32, dtype=np.int32).reshape(2, 16)
    result = client.infer(name, [toolbox.int32_input(values, key, protocol) for key in ("INPUT0", "INPUT1")])
    assert (result.as_numpy("OUTPUT0") == 2 * values).all() and not result.as_numpy("OUTPUT1").any()


def test_a_configuration_given_with_the_load_replaces_the_file(client, protocol):
    name = f"onnx_{protocol}"
    config = {"backend": "onnxruntime", "max_batch_size": 2, "maxBatchSize": 2}
    config.pop("maxBatchSize")
    client.load_model(name, config=json.dumps(config))
    said = client.get_model_config(name) if protocol == "http" else client.get_model_config(name, as_json=True)["config"]
    assert said["max_batch_size"] == 2
    values = np.zeros((3, 16), np.int32)
    tensors = [toolbox.int32_input(values, key, protocol) for key in ("INPUT0", "INPUT1")]
    check(refusal(client.infer, name, tensors), protocol, 400, f"inference request batch-size must be <= 2 for '{name}'")
    client.unload_model(name)
    client.load_model(name)  # back to the file
    assert (client.infer(name, tensors).as_numpy("OUTPUT0") == 0).all()


@pytest.mark.parametrize("config", ["{", '{"nonexistent": 1}', '{"max_batch_size": "many"}', "[]", '"text"', "",
                                    '{"name": "other"}', '{"backend": "onnxruntime", "max_batch_size": -1}',
                                    '{"backend": "onnxruntime", "default_model_filename": "../../../../etc/passwd"}',
                                    "{" * 10000])
def test_a_bad_configuration_given_with_the_load_is_refused(client, protocol, config):
    name = f"onnx_{protocol}"
    client.load_model(name)
    error = refusal(client.load_model, name, config=config)
    assert error.message()
    values = np.zeros((1, 16), np.int32)
    tensors = [toolbox.int32_input(values, key, protocol) for key in ("INPUT0", "INPUT1")]
    assert client.infer(name, tensors) is not None


def test_a_model_may_come_with_the_load(client, protocol, explicit):
    name = f"sent_{protocol}"
    config = json.dumps({"backend": "onnxruntime", "version_policy": {"all": {}}})
    files = {"file:1/model.onnx": SIMPLE_ONNX.read_bytes(), "file:7/model.onnx": SIMPLE_ONNX.read_bytes()}
    client.load_model(name, config=config, files=files)
    assert is_ready(client, name, "1") and is_ready(client, name, "7")
    values = np.ones((1, 16), np.int32)
    tensors = [toolbox.int32_input(values, key, protocol) for key in ("INPUT0", "INPUT1")]
    assert (client.infer(name, tensors).as_numpy("OUTPUT0") == 2).all()
    assert not (explicit.repository / name).exists(), "the repository is not written to"
    client.unload_model(name)
    wait_until(lambda: not is_ready(client, name))
    check(refusal(client.load_model, name), protocol, 500, "failed to poll from model repository")


def test_files_without_a_configuration_are_refused(explicit):
    """The Python client does not even send them."""
    body = json.dumps({"parameters": {"file:1/model.onnx": base64.b64encode(SIMPLE_ONNX.read_bytes()).decode()}})
    reply = http(explicit.http, "/v2/repository/models/onnx_http/load", body)
    assert reply.status == 400 and "Load parameter 'config' must be specified for model file override" in reply.error
    from tritonclient.grpc import service_pb2

    with connect(explicit, "grpc") as client:
        request = service_pb2.RepositoryModelLoadRequest(model_name="onnx_grpc")
        request.parameters["file:1/model.onnx"].bytes_param = b"x"
        import grpc

        with pytest.raises(grpc.RpcError) as error:
            client._client_stub.RepositoryModelLoad(request)
    assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("path", ["../escaped", "1/../../escaped", "/tmp/nereid_escaped", "1/../../../../../../../tmp/nereid_escaped",
                                  "", "1", "1/", "./../x", "a\0b"])
def test_files_stay_in_the_folder_of_the_model(explicit, path):
    parameters = {"config": json.dumps({"backend": "onnxruntime"}),
                  "file:1/model.onnx": base64.b64encode(SIMPLE_ONNX.read_bytes()).decode(),
                  f"file:{path}": base64.b64encode(b"evil").decode()}
    reply = http(explicit.http, "/v2/repository/models/evil/load", json.dumps({"parameters": parameters}))
    assert reply.status in (400, 500), reply
    assert not os.path.exists("/tmp/nereid_escaped")
    assert not (explicit.repository.parent / "escaped").exists() and not (explicit.repository / "escaped").exists()
    still_up = http(explicit.http, "/v2/health/live", method="GET")
    assert still_up.status == 200


@pytest.mark.parametrize("body, status, text", [
    ('{"parameters": {"unknown": "x"}}', 500, "unexpected error on creating Triton parameter"),
    ('{"parameters": {"config": 3}}', 500, "attempt to access JSON non-string as string"),
    ('{"parameters": ', 500, "failed to parse the request JSON buffer"),
    ('{"parameters": {"file:1/m": 1}}', 500, "non-string"),
])
def test_bad_load_requests_are_refused(explicit, body, status, text):
    reply = http(explicit.http, "/v2/repository/models/plain_http/load", body)
    assert reply.status == status and text in reply.error, reply


def test_a_repository_name_is_refused(explicit):
    for action in ("load", "unload"):
        reply = http(explicit.http, f"/v2/repository/main/models/at_start/{action}", "{}")
        assert reply.status == 501 and reply.error == "'repository_name' specification is not supported", reply


# --- modes -----------------------------------------------------------------------------------------

@pytest.mark.parametrize("options", [[], ["--model-control-mode=poll", "--repository-poll-secs=60"]])
def test_loads_need_the_explicit_mode(tmp_path, start_server, options):
    write_identity(tmp_path, "m")
    server = start_server(f"--model-repository={tmp_path}", *options)
    for protocol in ("http", "grpc"):
        with connect(server, protocol) as client:
            for action in (client.load_model, client.unload_model):
                check(refusal(action, "m"), protocol, 503,
                      "explicit model load / unload is not allowed if polling is enabled")
            infer(client, protocol, "m")


def test_load_model_needs_the_explicit_mode(tmp_path):
    server = conftest.Server([f"--model-repository={tmp_path}", "--load-model=m"])
    assert server.wait_exit() == 1
    assert "Use of '--load-model' requires setting '--model-control-mode=explicit' as well." in server.log


def test_a_star_loads_all_and_stands_alone(tmp_path, start_server):
    for name in ("a", "b"):
        write_identity(tmp_path, name)
    server = start_server(f"--model-repository={tmp_path}", "--model-control-mode=EXPLICIT", "--load-model=*")
    with connect(server, "http") as client:
        assert is_ready(client, "a") and is_ready(client, "b")
    server = conftest.Server([f"--model-repository={tmp_path}", "--model-control-mode=explicit", "--load-model=*",
                              "--load-model=a"])
    assert server.wait_exit() == 1
    assert "Wildcard model name '*' must be the ONLY startup model if specified at all." in server.log


def test_polling_follows_the_repository(tmp_path, start_server):
    write_identity(tmp_path, "stays")
    write_identity(tmp_path, "changes")
    write_identity(tmp_path, "goes")
    server = start_server(f"--model-repository={tmp_path}", "--model-control-mode=poll", "--repository-poll-secs=1")
    with connect(server, "http") as client:
        assert all(is_ready(client, name) for name in ("stays", "changes", "goes"))
        staging = tmp_path.parent / (tmp_path.name + "_staging")
        write_identity(staging, "comes")
        (staging / "comes").rename(tmp_path / "comes")
        shutil.rmtree(tmp_path / "goes")
        (tmp_path / "changes" / "config.pbtxt").write_text(identity_config(max_batch_size=3))
        wait_until(lambda: is_ready(client, "comes"), what="the new model")
        wait_until(lambda: not is_ready(client, "goes"), what="the removed model to go")
        wait_until(lambda: client.get_model_config("changes")["max_batch_size"] == 3, what="the changed model")
        # What breaks keeps serving, and comes back when repaired.
        (tmp_path / "changes" / "config.pbtxt").write_text("backend: [")
        server.wait_log(r"Poll failed for model directory 'changes'|failed to load 'changes'", 10)
        infer(client, "http", "changes")
        (tmp_path / "changes" / "config.pbtxt").write_text(identity_config(max_batch_size=5))
        wait_until(lambda: client.get_model_config("changes")["max_batch_size"] == 5, what="the repaired model")
        (tmp_path / "stays" / "2").mkdir()
        wait_until(lambda: is_ready(client, "stays", "2"), what="the new version")


# --- options of the repository -----------------------------------------------------------------------

def test_readiness_is_strict_or_not(tmp_path, start_server):
    write_identity(tmp_path, "good")
    toolbox.write_model(tmp_path, "bad", identity_config(delay_ms="x"))
    for strict in (True, False):
        server = start_server(f"--model-repository={tmp_path}", "--exit-on-error=false",
                              f"--strict-readiness={str(strict).lower()}")
        with connect(server, "http") as client, connect(server, "grpc") as grpc_client:
            assert client.is_server_live() and grpc_client.is_server_live()
            assert client.is_server_ready() is (not strict)
            assert grpc_client.is_server_ready() is (not strict)
            assert is_ready(client, "good") and not is_ready(client, "bad")
            infer(client, "http", "good")


def test_without_completion_a_configuration_is_needed(tmp_path, start_server):
    toolbox.write_model(tmp_path, "bare", onnx=SIMPLE_ONNX)
    write_simple(tmp_path)
    server = start_server(f"--model-repository={tmp_path}", "--disable-auto-complete-config", "--exit-on-error=false",
                          "--strict-readiness=false")
    still_serves(server)
    with connect(server, "http") as client:
        assert not is_ready(client, "bare")
    assert any("bare" in line and "config.pbtxt" in line for line in server.lines), server.log
    server = start_server(f"--model-repository={tmp_path}", "--strict-model-config=true", "--exit-on-error=false",
                          "--strict-readiness=false")
    with connect(server, "http") as client:
        assert not is_ready(client, "bare") and is_ready(client, "simple")


def test_the_configuration_of_a_name_is_used(tmp_path, start_server):
    folder = write_identity(tmp_path, "has_it", max_batch_size=2)
    (folder / "configs").mkdir()
    (folder / "configs" / "large.pbtxt").write_text(identity_config(max_batch_size=64))
    write_identity(tmp_path, "has_not", max_batch_size=2)
    server = start_server(f"--model-repository={tmp_path}", "--model-config-name=large")
    with connect(server, "http") as client:
        assert client.get_model_config("has_it")["max_batch_size"] == 64
        assert client.get_model_config("has_not")["max_batch_size"] == 2


def test_old_platform_names_are_understood(tmp_path, start_server):
    config = (SIMPLE / "config.pbtxt").read_text().replace('name: "simple"', "")
    for name, platform in (("platform_only", 'platform: "onnxruntime_onnx"'), ("backend_only", 'backend: "onnxruntime"'),
                           ("both", 'platform: "onnxruntime_onnx" backend: "onnxruntime"'), ("neither", "")):
        toolbox.write_model(tmp_path, name, config.replace('platform: "onnxruntime_onnx"', platform), onnx=SIMPLE_ONNX)
    server = start_server(f"--model-repository={tmp_path}")
    with connect(server, "http") as client:
        for name in ("platform_only", "backend_only", "both", "neither"):
            said = client.get_model_config(name)
            assert (said["backend"], said["platform"]) == ("onnxruntime", "onnxruntime_onnx"), name
            assert said["default_model_filename"] == "model.onnx"


def test_several_repositories_are_one(tmp_path, start_server):
    for part in ("a", "b"):
        write_identity(tmp_path / part, f"only_{part}")
        write_identity(tmp_path / part, "twice")
    server = start_server(f"--model-repository={tmp_path}/a", f"--model-repository={tmp_path}/b",
                          f"--model-store={tmp_path}/a", "--exit-on-error=false", "--strict-readiness=false")
    with connect(server, "http") as client:
        assert is_ready(client, "only_a") and is_ready(client, "only_b") and not is_ready(client, "twice")
        assert index(client, "http", "twice") == {"": ("UNAVAILABLE", "model appears in two or more repositories")}


def test_namespaces_keep_equal_names_apart(tmp_path, start_server):
    for part in ("a", "b"):
        write_identity(tmp_path / part, f"only_{part}")
        write_identity(tmp_path / part, "twice")
    server = start_server(f"--model-repository={tmp_path}/a", f"--model-repository={tmp_path}/b",
                          "--model-namespacing=true")
    for protocol in ("http", "grpc"):
        with connect(server, protocol) as client:
            infer(client, protocol, "only_a")
            error = refusal(client.infer, "twice", [toolbox.int32_input([1], protocol=protocol)])
            check(error, protocol, 400, "There are 2 identifiers of model 'twice' in global map, model namespace must be "
                                        "provided to resolve ambiguity.")
            check(refusal(client.infer, "none", [toolbox.int32_input([1], protocol=protocol)]), protocol, 400,
                  "Request for unknown model: 'none' is not found")
    names = {labels for (name, labels) in toolbox.metrics(server) if name == "nv_inference_count"}
    assert {dict(labels)["namespace"] for labels in names if dict(labels)["model"] == "twice"} == {
        f"{tmp_path}/a", f"{tmp_path}/b"}


def test_a_failed_load_is_tried_again(tmp_path, start_server):
    toolbox.write_faulty(tmp_path, "throws_loading")
    server = start_server(f"--model-repository={tmp_path}", "--exit-on-error=false", "--model-load-retry-count=3")
    assert sum("loading: throws_loading:1" in line for line in server.lines) in (1, 4)
    assert sum("failed to load 'throws_loading' version 1" in line for line in server.lines) in (1, 4)
    assert any("the weights are gone" in line for line in server.lines)


def test_models_load_side_by_side(tmp_path, start_server):
    warmup = """model_warmup { name: "w" batch_size: 1 inputs { key: "INPUT0"
        value { data_type: TYPE_INT32 dims: [ 1 ] zero_data: true } } }"""
    for i in range(4):
        write_identity(tmp_path, f"m{i}", delay_ms=700, extra=warmup)
    began = time.monotonic()
    server = start_server(f"--model-repository={tmp_path}", "--model-load-thread-count=4")
    assert time.monotonic() - began < 2.5, "one after the other takes 2.8 s"
    assert toolbox.statistics(server, "m0")["inference_count"] == 0, "warm-up is not counted"
