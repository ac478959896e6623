"""Our .proto files say exactly what the descriptors of an unmodified tritonclient say."""

import pathlib
import subprocess

import pytest

from google.protobuf import descriptor_pb2
from tritonclient.grpc import model_config_pb2, service_pb2

ROOT = pathlib.Path(__file__).resolve().parents[2]
FIELD = descriptor_pb2.FieldDescriptorProto


def compile_with(command, out):
    protos = [f"proto/{name}.proto" for name in ("grpc_service", "model_config", "health")]
    subprocess.run([*command, "-I", ".", f"--descriptor_set_out={out}", *protos], cwd=ROOT, check=True)
    return descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes())


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    out = tmp_path_factory.mktemp("proto") / "ours.pb"
    return {pathlib.PurePath(f.name).name: f for f in compile_with(["protoc"], out).file}


def json_name(field):
    head, *tail = field.name.split("_")
    return field.json_name or head + "".join(part[:1].upper() + part[1:] for part in tail)


def field_rows(scope, message):
    """One comparable row a field: everything that reaches the wire or a JSON reader."""
    for field in message.field:
        oneof = message.oneof_decl[field.oneof_index].name if field.HasField("oneof_index") else None
        kind = field.type_name.lstrip(".") or FIELD.Type.Name(field.type)
        label = FIELD.Label.Name(field.label)
        yield (scope, field.number, field.name, kind, label, oneof, json_name(field))


def message_rows(prefix, message):
    scope = f"{prefix}.{message.name}"
    rows = {("message", scope, message.options.map_entry)}
    rows.update(field_rows(scope, message))
    for enum in message.enum_type:
        rows.update(enum_rows(scope, enum))
    for nested in message.nested_type:
        rows.update(message_rows(scope, nested))
    return rows


def enum_rows(prefix, enum):
    return {(f"{prefix}.{enum.name}", value.number, value.name) for value in enum.value}


def file_rows(proto):
    rows = {("package", proto.package), ("syntax", proto.syntax)}
    for message in proto.message_type:
        rows.update(message_rows(proto.package, message))
    for enum in proto.enum_type:
        rows.update(enum_rows(proto.package, enum))
    for service in proto.service:
        for m in service.method:
            rows.add((f"{proto.package}.{service.name}", m.name, m.input_type.lstrip("."),
                      m.output_type.lstrip("."), m.client_streaming, m.server_streaming))
    return rows


def descriptor_of(module):
    proto = descriptor_pb2.FileDescriptorProto()
    module.DESCRIPTOR.CopyToProto(proto)
    return proto


@pytest.mark.parametrize("name,module", [("grpc_service.proto", service_pb2),
                                         ("model_config.proto", model_config_pb2)])
def test_contract_is_the_clients(ours, name, module):
    mine, theirs = file_rows(ours[name]), file_rows(descriptor_of(module))
    assert len(theirs) > 100
    assert sorted(map(str, theirs - mine)) == [], "missing in ours"
    assert sorted(map(str, mine - theirs)) == [], "only in ours"


def declared_order(proto):
    def walk(prefix, message):
        yield f"{prefix}.{message.name}", [field.name for field in message.field]
        for nested in message.nested_type:
            yield from walk(f"{prefix}.{message.name}", nested)
    return dict(pair for message in proto.message_type for pair in walk("", message))


def test_config_fields_are_declared_in_the_order_of_the_json_keys(ours):
    assert declared_order(ours["model_config.proto"]) == declared_order(descriptor_of(model_config_pb2))


def test_health_is_the_standard_check(ours):
    rows = file_rows(ours["health.proto"])
    assert ("grpc.health.v1.Health", "Check", "grpc.health.v1.HealthCheckRequest",
            "grpc.health.v1.HealthCheckResponse", False, False) in rows
    status = "grpc.health.v1.HealthCheckResponse.ServingStatus"
    assert {row for row in rows if row[0] == status} == {
        (status, 0, "UNKNOWN"), (status, 1, "SERVING"), (status, 2, "NOT_SERVING"),
        (status, 3, "SERVICE_UNKNOWN")}
