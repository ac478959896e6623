"""Models that cannot be loaded, and modules that break the rules: a reason for each, and the rest is served."""
import json
import shutil

import numpy as np
import pytest
from tritonclient.utils import InferenceServerException

import toolbox
from conftest import running
from toolbox import SIMPLE, connect, http, identity_config, still_serves, write_model, write_simple

SIMPLE_CONFIG = (SIMPLE / "config.pbtxt").read_text().replace('name: "simple"\n', "")
TENSORS = 'input { name: "INPUT0" data_type: TYPE_INT32 dims: [ 16 ] }\n' \
          'output { name: "OUTPUT0" data_type: TYPE_INT32 dims: [ 16 ] }\n'


def bad_models(repository):
    """Writes every bad model; returns name -> what its reason must say."""
    expected = {}
    simple_onnx = (SIMPLE / "1" / "model.onnx").read_bytes()

    def add(name, reason, config=None, onnx=None, **keywords):
        folder = write_model(repository, name, config, **keywords)
        if onnx is not None:
            (folder / "1" / "model.onnx").write_bytes(onnx)
        expected[name] = reason
        return folder

    def add_simple(name, reason, config):
        add(name, reason, config, simple_onnx)

    # The text of the configuration.
    add("pbtxt_unclosed", r"config\.pbtxt:4", 'backend: "identity"\ninput {\n  name: "x"\n')
    add("pbtxt_unknown_field", r"config\.pbtxt:2.*nonexistent", 'backend: "identity"\nnonexistent: 3\n')
    add("pbtxt_wrong_type", r"config\.pbtxt:2", 'backend: "identity"\nmax_batch_size: "eight"\n')
    add("pbtxt_wrong_enum", r"config\.pbtxt:2.*TYPE_INT33",
        'backend: "identity"\ninput { name: "x" data_type: TYPE_INT33 dims: [1] }\n')
    add("pbtxt_too_large", r"config\.pbtxt:2", 'backend: "identity"\nmax_batch_size: 99999999999999\n')
    add("pbtxt_binary", r"config\.pbtxt:1", "\x00\x01\x02 not text")
    add("pbtxt_is_a_folder", r"config\.pbtxt", None, files={"config.pbtxt/file": ""})
    add("negative_batch", r"max_batch_size", identity_config(max_batch_size=-1))
    add("other_name", r"unexpected directory name 'other_name' for model 'somebody', directory name must equal "
        r"model name", 'name: "somebody"\n' + identity_config())
    add("no_dims", r"must specify 'dims'",
        identity_config().replace("dims: [ -1 ]", "", 1))
    add("zero_dim", r"dimension", identity_config(dims="[ 0 ]"))
    add("preferred_above_maximum", r"preferred",
        identity_config(extra="dynamic_batching { preferred_batch_size: [ 16 ] }"))
    add("labels_missing", r"labels\.txt",
        identity_config().replace('output { name: "OUTPUT0"', 'output { label_filename: "labels.txt" name: "OUTPUT0"'))
    add("labels_outside", r"outside model directory",
        identity_config().replace('output { name: "OUTPUT0"',
                                  'output { label_filename: "../../etc/passwd" name: "OUTPUT0"'))

    # Files.
    add("empty_folder", r"no model version was found|at least one version must be available|"
        r"Could not determine backend", None, versions=())
    add("no_version", r"failed to load 'no_version', no version is available", identity_config(), versions=())
    add("policy_selects_nothing", r"at least one version must be available under the version policy of model "
        r"'policy_selects_nothing'", identity_config(extra="version_policy { specific { versions: [ 7 ] } }"))
    add("version_is_no_number", r"at least one version must be available|version", identity_config(),
        versions=("one", "01"))
    add("file_missing", r"model\.onnx", SIMPLE_CONFIG)
    add("file_empty", r"model\.onnx|protobuf|ONNX|onnx", SIMPLE_CONFIG, b"")
    add("file_is_text", r"(?i)protobuf|onnx", SIMPLE_CONFIG, b"this is no model, it is a sentence " * 30)
    add("file_truncated", r"(?i)protobuf|onnx|model", SIMPLE_CONFIG, simple_onnx[: len(simple_onnx) // 2])
    corrupt = bytearray(simple_onnx)
    for i in range(20, len(corrupt), 7):
        corrupt[i] ^= 0x5A
    add("file_corrupt", r"(?i)protobuf|onnx|model", SIMPLE_CONFIG, bytes(corrupt))
    add("file_corrupt_no_config", r"(?i)protobuf|onnx|model", None, bytes(corrupt))
    add("file_name_outside", r"lies outside the model.s version directory",
        'default_model_filename: "../../simple/1/model.onnx"\n' + SIMPLE_CONFIG)

    # The graph and the configuration disagree.
    add_simple("graph_type", r"INPUT0.*TYPE_INT64|INPUT0.*INT64|data.?type", SIMPLE_CONFIG.replace(
        "TYPE_INT32", "TYPE_INT64", 1))
    add_simple("graph_shape", r"INPUT0", SIMPLE_CONFIG.replace("[ 16 ]", "[ 17 ]", 1))
    add_simple("graph_name", r"INPUT7", SIMPLE_CONFIG.replace('"INPUT1"', '"INPUT7"'))
    add_simple("graph_missing_input", r"(?i)input", 'platform: "onnxruntime_onnx"\nmax_batch_size: 8\n' + TENSORS)

    # Backends.
    add("no_backend", r"unable to find backend library for backend 'nowhere'",
        identity_config().replace('"identity"', '"nowhere"'))
    add("backend_outside", r"nowhere|escape|backend", identity_config().replace('"identity"', '"../identity"'))
    add("identity_delay", r"execute_delay_ms", identity_config(delay_ms="soon"))
    add("identity_pair", r"OUTPUT0", identity_config().replace('"INPUT0" data_type: TYPE_INT32',
                                                               '"INPUT0" data_type: TYPE_FP32'))
    for fault, reason in {"no_symbol": "NereidBackendModule", "null_module": r".", "old_major": r"7.*1|1.*7",
                          "no_create": ".", "throwing_entry": "not today", "throwing_create": "no licence",
                          "throwing_int": "unknown type", "failing_create": "the engine is not installed",
                          "null_create": "."}.items():
        folder = add(f"module_{fault}", reason, identity_config().replace('"identity"', f'"faulty_{fault}"'))
        shutil.copyfile(toolbox.module_path(f"faulty_{fault}.so"), folder / f"libnereid_faulty_{fault}.so")
    folder = add("module_is_text", r"libnereid_texty\.so", identity_config().replace('"identity"', '"texty"'))
    (folder / "libnereid_texty.so").write_text("not a shared library")
    for fault, reason in {"throws_completing": "what model", "throws_loading": "the weights are gone",
                          "throws_number_loading": "unknown type", "fails_loading": "not licensed",
                          "no_model": "returned nothing", "throws_for_instance": "no room",
                          "no_instance": "returned nothing"}.items():
        toolbox.write_faulty(repository, fault)
        expected[fault] = reason

    # What is not built yet is refused by name.
    for name, extra, reason in (
            ("needs_sequence", "sequence_batching { direct {} }", "sequence"),
            ("needs_cache", "response_cache { enable: true }", "response.cache"),
            ("needs_agent", 'model_repository_agents { agents { name: "checksum" } }', "model_repository_agents"),
    ):
        add(name, f"(?i){reason}", identity_config(extra=extra))
    add("needs_ensemble", "(?i)ensemble", """platform: "ensemble"
max_batch_size: 8
input { name: "A" data_type: TYPE_INT32 dims: [ 16 ] }
output { name: "B" data_type: TYPE_INT32 dims: [ 16 ] }
ensemble_scheduling { step { model_name: "simple" model_version: -1
  input_map { key: "INPUT0" value: "A" } input_map { key: "INPUT1" value: "A" }
  output_map { key: "OUTPUT0" value: "B" } } }
""")
    return expected


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    repository = tmp_path_factory.mktemp("broken")
    expected = bad_models(repository)
    write_simple(repository)
    with running(f"--model-repository={repository}", "--exit-on-error=false", "--strict-readiness=false") as server:
        server.expected = expected
        yield server


def test_every_bad_model_has_a_reason(broken):
    import re

    with connect(broken, "http") as client:
        rows = {row["name"]: row for row in client.get_model_repository_index()}
    # A model whose configuration cannot even be read has no version: the log names it.
    wrong = []
    for name, reason in broken.expected.items():
        row = rows.get(name)
        text = row.get("reason", "") if row else ""
        if row is not None and row.get("state") == "READY":
            wrong.append(f"{name} is READY")
        found = re.search(reason, text) if text else any(
            name in line and re.search(reason, line.replace('\\"', '"')) for line in broken.lines)
        if not found:
            said = text or [line for line in broken.lines if name in line]
            wrong.append(f"{name}: wanted /{reason}/, got {said}")
    assert not wrong, "\n".join(wrong)
    assert rows["simple"]["state"] == "READY"


def test_the_good_model_beside_them_is_served(broken):
    assert still_serves(broken)["outputs"][0]["data"] == [2 * i for i in range(16)]


def test_a_bad_model_is_not_ready_and_refuses_inference(broken, protocol):
    with connect(broken, protocol) as client:
        assert client.is_server_ready()
        tensor = toolbox.int32_input([1, 2, 3], protocol=protocol)
        with pytest.raises(InferenceServerException) as error:
            client.infer("throws_loading", [tensor])
        assert "throws_loading" in error.value.message()
        assert str(error.value.status()) in ("400", "404", "503", "StatusCode.NOT_FOUND", "StatusCode.UNAVAILABLE")


def test_the_status_table_lists_what_failed(broken):
    broken.wait_log("Started HTTPService")
    table = [line for line in broken.lines if line.startswith("| ")]
    assert any("throws_loading" in line and "UNAVAILABLE: " in line for line in table)
    assert any(line.startswith("| simple ") and "READY" in line for line in table)


def test_a_failed_model_fails_the_start(tmp_path):
    import conftest

    write_model(tmp_path, "broken", "backend: 3")
    write_simple(tmp_path)
    server = conftest.Server([f"--model-repository={tmp_path}"])
    assert server.wait_exit() == 1
    assert "error: creating server: Internal - failed to load all models" in server.log


# --- modules that answer nonsense --------------------------------------------------------------------

# fault -> what the message says and the status over HTTP and gRPC; None: a sound answer.
FAULTS = {
    "throws": ("the model is tired", "500", "INTERNAL"),
    "throws_number": ("unknown type", "500", "INTERNAL"),
    "is_silent": ("without an answer", "500", "INTERNAL"),
    "drops": ("dropped without an answer", "500", "INTERNAL"),
    "returns_error": ("the device is away", "503", "UNAVAILABLE"),
    "answers_twice": None,
    "throws_after_the_answer": None,
    "never_ends": ("expected a single response|without an answer", "500", "INTERNAL"),
    "sends_two": ("expected a single response, got 2", "500", "INTERNAL"),
    "fails_in_the_middle": ("half way", "500", "INTERNAL"),
    "finishes_without_answer": ("expected a single response, got 0", "500", "INTERNAL"),
    "huge_shape": ("OUTPUT0", "500", "INTERNAL"),
    "negative_shape": ("OUTPUT0", "500", "INTERNAL"),
    "too_few_bytes": ("OUTPUT0", "500", "INTERNAL"),
    "other_type": ("OUTPUT0", "500", "INTERNAL"),
    "no_type": ("OUTPUT0", "500", "INTERNAL"),
    "no_name": ("without a name", "500", "INTERNAL"),
    "device_memory": ("OUTPUT0", "500", "INTERNAL"),
    "asks_for_all_memory": ("memory", "503|500", "RESOURCE_EXHAUSTED|INTERNAL|UNAVAILABLE"),
    "dies": None,
    "throws_when_asked": None,
    "": None,
}


@pytest.fixture(scope="module")
def nonsense(tmp_path_factory):
    repository = tmp_path_factory.mktemp("nonsense")
    for fault in [*FAULTS, "no_outputs", "not_strings", "same_output_twice", "proposes_nonsense"]:
        toolbox.write_faulty(repository, fault, name=fault or "sound")
    write_simple(repository)
    with running(f"--model-repository={repository}", "--exit-on-error=false", "--strict-readiness=false") as server:
        yield server


@pytest.mark.parametrize("fault", FAULTS)
def test_nonsense_of_a_module_becomes_an_error(nonsense, protocol, fault):
    import re

    values = np.array([[3, 1, 2]], np.int32)
    with connect(nonsense, protocol) as client:
        tensor = toolbox.int32_input(values, protocol=protocol)
        for _ in range(2):
            if FAULTS[fault] is None:
                result = client.infer(fault or "sound", [tensor])
                assert (result.as_numpy("OUTPUT0") == values).all()
                continue
            with pytest.raises(InferenceServerException) as error:
                client.infer(fault, [tensor])
            message, http_status, grpc_status = FAULTS[fault]
            assert re.search(message, error.value.message()), error.value
            wanted = http_status if protocol == "http" else rf"StatusCode\.({grpc_status})"
            assert re.fullmatch(wanted, str(error.value.status())), error.value
    still_serves(nonsense)


@pytest.mark.parametrize("fault", ["no_outputs", "not_strings", "same_output_twice"])
def test_odd_answers_do_not_harm_the_server(nonsense, fault):
    """Their meaning is the client's business; JSON output has to walk the strings, though."""
    reply = http(nonsense.http, f"/v2/models/{fault}/infer", toolbox.json_infer_body([1 << 30, 7, 9]))
    assert reply.status in (200, 500)
    json.loads(reply.body)
    still_serves(nonsense)


def test_no_request_of_a_faulty_module_is_left_in_flight(nonsense):
    for fault in FAULTS:
        name = fault or "sound"
        assert toolbox.pending(nonsense, name) == 0, name
        stats = toolbox.statistics(nonsense, name)["inference_stats"]
        if FAULTS[fault] is not None and stats["success"]["count"] == 0:
            assert toolbox.failures(nonsense, name, "BACKEND") == stats["fail"]["count"] > 0, name
