"""A second reading of the wire contract (proto/valise/v1/batch.proto), that must agree with what each vector states."""
import base64
import re

import nacl.exceptions
from google.protobuf.descriptor import FieldDescriptor as Field

from wire import BATCH_MAX, CONTENT, DOMAINS, ENROLLED, Batch, blake

WIRE = {Field.TYPE_DOUBLE: 1, Field.TYPE_FIXED64: 1, Field.TYPE_SFIXED64: 1, Field.TYPE_FLOAT: 5,
        Field.TYPE_FIXED32: 5, Field.TYPE_SFIXED32: 5, Field.TYPE_STRING: 2, Field.TYPE_BYTES: 2, Field.TYPE_MESSAGE: 2}


def read_varint(data, at, most):
    n = 0
    for i in range(most):
        n |= (data[at + i] & 0x7F) << 7 * i
        if data[at + i] < 0x80:
            if n >= 1 << 64:
                raise ValueError("varint too large")
            return n, at + i + 1
    raise ValueError("varint too long")


def strict(descriptor, data):
    """Raise unless every parser reads the same from `data`."""
    seen, at = set(), 0
    while at < len(data):
        tag, at = read_varint(data, at, 5)
        number, wire_type = tag >> 3, tag & 7
        if number == 0 or wire_type not in (0, 1, 2, 5):
            raise ValueError("no such tag")
        size = 0
        if wire_type == 0:
            _, at = read_varint(data, at, 10)
        elif wire_type == 2:
            size, at = read_varint(data, at, 5)
        else:
            size = 8 if wire_type == 1 else 4
        if at + size > len(data):
            raise ValueError("cut short")
        value, at = data[at:at + size], at + size
        field = descriptor.fields_by_number.get(number)
        if field is None:
            continue
        if wire_type != WIRE.get(field.type, 0):
            raise ValueError("wrong wire type")
        if not field.is_repeated:
            if number in seen:
                raise ValueError("field twice")
            seen.add(number)
        if field.type == Field.TYPE_STRING and "\0" in value.decode("utf-8"):
            raise ValueError("NUL")
        if field.type == Field.TYPE_MESSAGE:
            strict(field.message_type, value)


SIG = re.compile(rb"[0-9a-fA-F]{32}\.[A-Za-z0-9+/]{85}[AQgw]==")


def judge_headers(record):
    headers = record["headers"]
    for name, value in headers:
        if value is not None:
            try:
                value.decode("utf-8")
            except UnicodeDecodeError:
                return "bad_header", None, []
    signatures = [v for n, v in headers if n == "vl-sig"]
    contents = [v for n, v in headers if n == "content-type"]
    domain = next((d for d in DOMAINS if contents == [CONTENT[d]]), None)
    if not signatures:
        return "unsigned", None, []
    if domain is None or not all(s is not None and SIG.fullmatch(s) for s in signatures):
        return "bad_header", None, []
    return "ok", domain, signatures


def judge_signatures(value, domain, signatures):
    """The missions that signed, or what is wrong: any unknown key, else any bad signature."""
    enrolled = {key.id: key for key in ENROLLED}
    claims = [(enrolled.get(bytes.fromhex(s[:32].decode())), base64.b64decode(s[33:])) for s in signatures]
    if not all(key for key, _ in claims):
        return "unknown_key", []
    for key, signature in claims:
        try:
            key.secret.verify_key.verify(DOMAINS[domain] + blake(value), signature)
        except nacl.exceptions.BadSignatureError:
            return "bad_signature", []
    return "ok", [key.mission for key, _ in claims]


def judge(record):
    """(verdict, domain, batch) of a record."""
    value = record["value"]
    if value is None:
        return "null_value", None, None
    if len(value) > BATCH_MAX:
        return "too_large", None, None
    verdict, domain, signatures = judge_headers(record)
    if verdict != "ok":
        return verdict, None, None
    verdict, missions = judge_signatures(value, domain, signatures)
    if verdict != "ok":
        return verdict, None, None
    try:
        strict(Batch.DESCRIPTOR, value)
        b = Batch.FromString(value)
    except (ValueError, IndexError):
        return "malformed", None, None
    if not (b.mission and b.lane and b.epoch and b.seq and b.first_event and b.events and len(b.prev) == 32
            and b.HasField("signed_at")):
        return "malformed", None, None
    if b.mission not in missions or record["key"] != b.mission.encode():
        return "wrong_mission", None, None
    topic = record["topic"]
    if b.lane not in (topic, topic.partition(".")[2]):
        return "wrong_lane", None, None
    return "ok", domain, b
