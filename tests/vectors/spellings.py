"""Messages and their JSON: what json_format makes of each, other ways to write it, and what it refuses."""
import json
import sys

from google.protobuf import any_pb2, duration_pb2, json_format, timestamp_pb2

from wire import LANE, NOON, Batch, Event, batch, event, event_id, new, pack, text64


def any_of(message):
    a = any_pb2.Any()
    a.Pack(message, deterministic=True)
    return a


def json_messages():
    """(message, other ways to write it); None for one that Valise prints and, being strict, does not take back"""
    stamp, span = timestamp_pb2.Timestamp, duration_pb2.Duration
    for seconds, nanos in ((0, 0), (NOON, 0), (NOON, 500_000_000), (NOON, 1000), (NOON, 1), (-1, 999_999_999),
                           (-62135596800, 0), (253402300799, 999_999_999), (951782400, 0)):
        yield stamp(seconds=seconds, nanos=nanos), []
    yield stamp(seconds=NOON), ['"2026-03-01T20:00:00+08:00"', '"2026-03-01T06:30:00.000-05:30"']
    for seconds, nanos in ((0, 0), (90, 0), (1, 500_000_000), (0, -500_000_000), (-3, -1), (315576000000, 0),
                           (0, 1000)):
        yield span(seconds=seconds, nanos=nanos), []
    yield span(seconds=1, nanos=500_000_000), ['"1.5s"', '"1.500000s"']
    yield Event(), ["{}", '{"subject":null,"payload":null,"id":""}']
    yield event(), []
    full = event(7, after=event_id(6), actor='quotes " \\ / tab\t line\n \x01 and 领事保护 \U0001f6c2')
    yield full, [json_format.MessageToJson(full), json_format.MessageToJson(full, preserving_proto_field_name=True)]
    yield event(1, id=bytes(range(250, 256)), actor=""), []
    yield Event(id=b"\xfb\xff"), ['{"id":"+/8="}', '{"id":"+/8"}', '{"id":"-_8="}', '{"id":"-_8"}']
    yield batch(epoch=2**64 - 1, seq=2**53 + 1), []
    yield batch([event(1), event(2)]), []
    yield Batch(epoch=7, seq=8), ['{"epoch":7,"seq":"8"}', '{"epoch":7.0,"seq":0.8e1}']
    nested = Event(subject="any in any")
    nested.payload.CopyFrom(any_of(any_of(stamp(seconds=NOON))))
    yield nested, []
    yield any_of(span(seconds=3)), ['{"value":"3s","@type":"type.googleapis.com/google.protobuf.Duration"}']
    yield any_pb2.Any(), ["{}"]
    result = new("valise.v1.PublishResult")
    yield result(), []
    yield result(accepted={}), ['{"accepted":{},"refused":null}']
    yield result(refused={"cause": 2, "reason": "full"}), ['{"refused":{"cause":2,"reason":"full"}}']
    yield new("valise.v1.Accepted")(id=event_id(1), lane=LANE, epoch=1, event=12, duplicate=True), []
    yield new("valise.v1.Refused")(cause=0, reason="\u2028\u2029\u00a0"), []
    yield new("valise.v1.PublishRequest")(tag=1, events=[Event(), event()]), []
    opened = {"type": "CASE_TYPE_ARREST_DETENTION", "persons": 3, "hostCountry": "SD", "place": "喀土穆",
              "happenedAt": "2026-03-01T08:15:00Z", "sealedPersonal": {"subjectKey": "CN-SD-EMB-2026-000001",
              "nonce": text64(bytes(24)), "ciphertext": text64(b"sealed elsewhere")}}
    case = json_format.ParseDict(opened, new("consular.case.v1.CaseOpened")())
    yield case, [json.dumps(opened | {"type": 201, "persons": "3"})]
    yield json_format.ParseDict({"subject": "CN-SD-EMB-2026-000001", "payload": {
        "@type": "type.googleapis.com/consular.case.v1.CaseOpened"} | opened}, Event()), []
    yield new("consular.case.v1.CaseOpened")(type=4095), []


REFUSED = [
    ("valise.v1.Event", '{"subject":"a","subject":"b"}', "malformed"), ("valise.v1.Event", "{", "malformed"),
    ("valise.v1.Event", '{"subject":"a"} x', "malformed"), ("valise.v1.Event", '{"subject":"a",}', "malformed"),
    ("valise.v1.Event", "", "malformed"), ("valise.v1.Event", "{'subject':1}", "malformed"),
    ("valise.v1.Event", '{"subjekt":"a"}', "unknown_field"), ("valise.v1.Event", '{"Subject":"a"}', "unknown_field"),
    ("valise.v1.Event", '{"occurred_At":"2026-03-01T08:00:00Z"}', "unknown_field"),
    ("valise.v1.Event", '{"subject":1}', "invalid"), ("valise.v1.Event", '{"subject":["a"]}', "invalid"),
    ("valise.v1.Event", '{"occurredAt":"yesterday"}', "invalid"),
    ("valise.v1.Event", '{"occurredAt":"2026-02-30T00:00:00Z"}', "invalid"),
    ("valise.v1.Event", '{"occurredAt":"2026-03-01T00:00:00"}', "invalid"),
    ("valise.v1.Event", '{"occurredAt":1772366400}', "invalid"), ("valise.v1.Event", '{"id":5}', "invalid"),
    ("valise.v1.Event", '{"payload":{"@type":"type.googleapis.com/no.such.Type"}}', "unknown_type"),
    ("valise.v1.Event", '{"payload":{"priority":1}}', "invalid"),
    ("valise.v1.Event", '{"payload":{"@type":"type.googleapis.com/consular.case.v1.CaseTriaged","x":1}}',
     "unknown_field"),
    ("valise.v1.Batch", '{"seq":-1}', "invalid"), ("valise.v1.Batch", '{"seq":"18446744073709551616"}', "invalid"),
    ("valise.v1.Batch", '{"seq":1.5}', "invalid"), ("valise.v1.Batch", '{"seq":"12x"}', "invalid"),
    ("valise.v1.Batch", '{"seq":"1 "}', "invalid"), ("valise.v1.Batch", '{"seq":""}', "invalid"),
    ("valise.v1.Batch", '{"seq":{}}', "invalid"), ("valise.v1.Batch", '{"events":{}}', "invalid"),
    ("valise.v1.Batch", '{"events":[null]}', "invalid"), ("valise.v1.Batch", '{"events":[1]}', "invalid"),
    ("valise.v1.PublishResult", '{"accepted":{},"refused":{}}', "malformed"),
    ("valise.v1.Refused", '{"cause":"REFUSED_CAUSE_TYPO"}', "invalid"),
    ("valise.v1.Accepted", '{"duplicate":"true"}', "invalid"), ("valise.v1.Accepted", '{"duplicate":1}', "invalid"),
    ("consular.case.v1.CaseOpened", '{"persons":4294967296}', "invalid"),
    ("google.protobuf.Duration", '"1.5"', "invalid"), ("google.protobuf.Duration", '"s"', "invalid"),
    ("google.protobuf.Duration", '"315576000001s"', "invalid"),
]


def make_json():
    pairs = []
    for message, others in json_messages():
        text = json.dumps(json_format.MessageToDict(message), ensure_ascii=False, separators=(",", ":"))
        for other in (others or []) + [text]:
            back = json_format.Parse(other, type(message)())
            if back != message:
                sys.exit("make.py: does not mean the same: " + other)
        pairs.append({"type": message.DESCRIPTOR.full_name, "message": text64(pack(message)), "json": text,
                      "parses": others is not None, "also": others or []})
    for name, text, _ in REFUSED:
        try:
            json_format.Parse(text, new(name)())
        except json_format.ParseError:
            continue
        sys.exit("make.py: json_format takes " + text)
    return {"pairs": pairs, "refused": [{"type": n, "json": t, "error": e} for n, t, e in REFUSED]}
