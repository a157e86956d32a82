"""What the vectors are built of: messages, by protobuf's own Python runtime over proto/*.proto; keys and signatures."""
import base64
import glob
import hashlib
import os
import subprocess
import tempfile

import nacl.signing
from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, duration_pb2, message_factory, timestamp_pb2

HERE = os.path.dirname(os.path.abspath(__file__))
PROTO = os.path.join(HERE, "..", "..", "proto")
DOMAINS = {"batch": b"valise/batch/v1\0", "drill": b"valise/drill/v1\0"}
CONTENT = {d: b"application/vnd.valise.%s.v1+protobuf" % d.encode() for d in DOMAINS}
LANE = "consular.case.v1"
OTHER_LANE = "consular.alert.v1"
MISSION = "CN-SD-EMB"
ZERO = bytes(32)
NOON = 1772366400  # 2026-03-01T12:00:00Z
BATCH_MAX = 1_000_000


def load_types():
    """Every message class of proto/, by full name."""
    protos = sorted(os.path.relpath(p, PROTO) for p in glob.glob(os.path.join(PROTO, "**", "*.proto"), recursive=True))
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "all.binpb")
        subprocess.run(["protoc", "-I" + PROTO, "-I/usr/include", "--include_imports", "--descriptor_set_out=" + out] + protos,
                       check=True)
        with open(out, "rb") as file:
            files = descriptor_pb2.FileDescriptorSet.FromString(file.read())
    pool = descriptor_pool.Default()
    known = {module.DESCRIPTOR.name for module in (any_pb2, duration_pb2, timestamp_pb2)}
    for file in files.file:
        if file.name not in known:
            pool.AddSerializedFile(file.SerializeToString())
    return lambda name: message_factory.GetMessageClass(pool.FindMessageTypeByName(name))


new = load_types()
Batch, Event, Triaged = new("valise.v1.Batch"), new("valise.v1.Event"), new("consular.case.v1.CaseTriaged")


def blake(data):
    return hashlib.blake2b(data, digest_size=32).digest()


def event_id(n):
    """A UUIDv7 whose random bits are a hash of its number."""
    raw = bytearray((NOON * 1000 + n).to_bytes(6, "big") + blake(b"event %d" % n)[:10])
    raw[6] = 0x70 | raw[6] & 0x0F
    raw[8] = 0x80 | raw[8] & 0x3F
    return bytes(raw)


def event(n=1, **fields):
    e = Event(id=event_id(n), subject="CN-SD-EMB-2026-%06d" % n)
    e.occurred_at.FromSeconds(NOON + n)
    e.payload.Pack(Triaged(priority=1, mode=1), deterministic=True)
    e.actor = "duty"
    for name, value in fields.items():
        setattr(e, name, value)
    return e


def batch(events=None, without=(), **fields):
    b = Batch(mission=MISSION, lane=LANE, epoch=1, seq=1, first_event=1, prev=ZERO)
    b.signed_at.FromSeconds(NOON + 60)
    b.events.extend([event()] if events is None else events)
    for name, value in fields.items():
        setattr(b, name, value)
    for name in without:
        b.ClearField(name)
    return b


def pack(message):
    return message.SerializeToString(deterministic=True)


def varint(n):
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    return bytes(out + bytes([n]))


def raw_field(number, wire_type, payload):
    head = varint(number << 3 | wire_type)
    return head + (varint(len(payload)) + payload if wire_type == 2 else payload)


def batch_of_size(size):
    """A batch of exactly `size` bytes, in two events with a long actor each; more text is not what it is about."""
    def build(n):
        return pack(batch([event(1, actor="a" * (n // 2)), event(2, actor="b" * (n - n // 2))]))
    n = size - len(build(size)) + size
    value = build(n)
    assert len(value) == size
    return value


class Key:
    """A key pair whose seed is BLAKE2b-256 of "valise/test/<name>". For tests only: everybody can sign with it."""

    def __init__(self, name, mission):
        self.name, self.mission = name, mission
        self.secret = nacl.signing.SigningKey(blake(b"valise/test/" + name.encode()))
        self.public = bytes(self.secret.verify_key)
        self.id = blake(self.public)[:16]

    def sign(self, value, prefix=DOMAINS["batch"]):
        return self.secret.sign(prefix + blake(value)).signature

    def header(self, value, prefix=DOMAINS["batch"]):
        return self.text(self.sign(value, prefix))

    def text(self, signature):
        return self.id.hex().encode() + b"." + base64.b64encode(signature)


SUDAN, SUDAN2 = Key("CN-SD-EMB", "CN-SD-EMB"), Key("CN-SD-EMB.2", "CN-SD-EMB")
EGYPT, HQ = Key("CN-EG-EMB", "CN-EG-EMB"), Key("HQ", "HQ")
STRANGER = Key("stranger", "CN-SD-EMB")
ENROLLED = [SUDAN, SUDAN2, EGYPT, HQ]


def text64(data):
    return None if data is None else base64.b64encode(data).decode()
