"""What is not authentic or cannot be read is never in a view, is kept byte for byte in the dead letters, and is counted."""

import json

import pytest

import valise
from valise import CASE, DRILL_TYPE, EVACUATION, Sender, Wire, wait_for
from confluent_kafka import Consumer, TopicPartition

MISSION = "CN-SD-EMB"


@pytest.fixture
def scene(world):
    class Scene:
        sender = Sender(MISSION)
        wire = Wire(world.kafka.bootstrap)
        hq = None

    Scene.sender.epoch = 100 + scene_number()
    Scene.sender.name = f"CN-S{Scene.sender.epoch}-EMB"
    Scene.sender.enrol(world.keys)
    other = Sender("CN-TH-EMB", b"\x09" * 32)
    other.enrol(world.keys)
    Scene.other = other
    Scene.hq = world.headquarters().start()
    Scene.world = world
    return Scene


_scenes = iter(range(1000))


def scene_number():
    return next(_scenes)


def dead_letter(scene, partition, offset, topic=CASE):
    """The dead letter of that origin, as it stands in Kafka."""
    consumer = Consumer({"bootstrap.servers": scene.world.kafka.bootstrap, "group.id": "test", "enable.auto.commit": False,
                         "fetch.message.max.bytes": 4000000})
    found = []

    def look():
        topics = consumer.list_topics("valise.deadletter.v1", timeout=10).topics["valise.deadletter.v1"]
        for number in topics.partitions:
            low, high = consumer.get_watermark_offsets(TopicPartition("valise.deadletter.v1", number), timeout=10)
            consumer.assign([TopicPartition("valise.deadletter.v1", number, low)])
            for _ in range(high - low):
                record = consumer.poll(10)
                headers = dict(record.headers())
                if (headers["valise.errors.topic"], headers["valise.errors.partition"],
                        headers["valise.errors.offset"]) == (topic.encode(), str(partition).encode(),
                                                             str(offset).encode()):
                    found.append(record)
                    return True
        return False

    wait_for("the dead letter", look)
    consumer.close()
    return found[0]


def good(scene):
    value = scene.sender.batch(scene.sender.event())
    return value, scene.sender.headers(value)


def no_signature(s):
    value, headers = good(s)
    return value, headers[:1], {}


def unknown_key(s):
    value, _ = good(s)
    return value, Sender(s.sender.name, b"\x55" * 32).headers(value), {}


def altered_byte(s):
    value, headers = good(s)
    return value[:-1] + bytes([value[-1] ^ 1]), headers, {}


def header_not_text(s):
    value, headers = good(s)
    return value, [headers[0], ("vl-sig", b"\xff\xfe\x00")], {}


def other_missions_key(s):
    value, _ = good(s)
    return value, s.other.headers(value), {}


def wrong_lane(s):
    value, headers = good(s)
    return value, headers, {"topic": EVACUATION}


def truncated_protobuf(s):
    value = good(s)[0][:-3]
    return value, s.sender.headers(value), {}


def null_value(s):
    return None, good(s)[1], {}


def drill_as_real(s):
    value, _ = good(s)
    return value, [("content-type", valise.CONTENT_TYPE),
                   ("vl-sig", s.sender.signature(value, b"valise/drill/v1\0"))], {}


def drill(s):
    value, _ = good(s)
    return value, [("content-type", DRILL_TYPE), ("vl-sig", s.sender.signature(value, b"valise/drill/v1\0"))], {}


def unknown_type(s):
    value, headers = good(s)
    event = s.sender.event()
    event.payload.type_url = "type.googleapis.com/consular.case.v1.NoSuchThing"
    s.sender.seq, s.sender.next_event, s.sender.head = 0, 1, bytes(32)
    value = s.sender.batch(event)
    return value, s.sender.headers(value), {}


WAYS = {
    no_signature: "unsigned", unknown_key: "unknown_key", altered_byte: "bad_signature",
    header_not_text: "bad_header", other_missions_key: "wrong_mission", wrong_lane: "wrong_lane",
    truncated_protobuf: "malformed", null_value: "null_value", drill_as_real: "bad_signature", drill: "drill",
    unknown_type: "unknown_type",
}


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_bad_record_is_buried_byte_for_byte(scene, way):
    before = scene.hq.digest()
    value, headers, options = way(scene)
    partition, offset = scene.wire.send(value, headers, key=scene.sender.name, **options)
    letter = dead_letter(scene, partition, offset, options.get("topic", CASE))
    assert letter.value() == value
    assert letter.key() == scene.sender.name.encode()
    kept = [(name, text) for name, text in letter.headers() if not name.startswith("valise.errors.")]
    assert kept == [(name, text.encode() if isinstance(text, str) else text) for name, text in headers]
    assert dict(letter.headers())["valise.errors.reason"] == WAYS[way].encode()
    assert scene.hq.digest() == before
    listed = valise.valise("deadletter", "ls", "-b", scene.world.kafka.bootstrap, "--keys", scene.world.keys, "-o", "json")
    origins = [(row["topic"], int(row["partition"]), int(row["offset"])) for row in map(json.loads, listed.stdout.splitlines())]
    assert origins.count((options.get("topic", CASE), partition, offset)) == 1
    lane = options.get("topic", CASE)
    audit = valise.valise("verify", "-b", scene.world.kafka.bootstrap, "--keys", scene.world.keys, lane, check=False)
    assert audit.returncode == 4


def test_good_records_around_a_bad_one_are_applied(scene):
    value, headers = good(scene)
    scene.wire.send(value, headers, key=scene.sender.name)
    scene.wire.send(b"rubbish", headers, key=scene.sender.name)
    value, headers = good(scene)
    scene.wire.send(value, headers, key=scene.sender.name)
    scene.hq.wait_events(scene.sender.name, CASE, 2)


def test_replay_is_dropped_and_counted(scene):
    value, headers = good(scene)
    scene.wire.send(value, headers, key=scene.sender.name)
    scene.hq.wait_events(scene.sender.name, CASE, 1)
    before = scene.hq.digest()
    for _ in range(3):
        scene.wire.send(value, headers, key=scene.sender.name)
    wait_for("three replays", lambda: int(scene.hq.standing(scene.sender.name, CASE)["replayed"]) == 3)
    assert scene.hq.digest() == before
    assert scene.hq.standing(scene.sender.name, CASE)["verdict"] == "ok"


def test_after_a_gap_what_follows_waits(scene):
    sent = [good(scene) for _ in range(4)]
    for value, headers in (sent[0], sent[2], sent[3]):
        scene.wire.send(value, headers, key=scene.sender.name)
    wait_for("two parked", lambda: int(scene.hq.standing(scene.sender.name, CASE).get("parked", 0)) == 2)
    standing = scene.hq.standing(scene.sender.name, CASE)
    assert standing["verdict"] == "gap"
    assert int(standing["events"]) == 1
    scene.wire.send(*sent[1], key=scene.sender.name)
    scene.hq.wait_events(scene.sender.name, CASE, 4)
    assert scene.hq.standing(scene.sender.name, CASE)["verdict"] == "ok"


def test_fork_is_shown(scene):
    first = good(scene)
    place = scene.sender.seq, scene.sender.next_event, scene.sender.head
    second = good(scene)
    scene.sender.seq, scene.sender.next_event, scene.sender.head = place
    other = good(scene)
    for value, headers in (first, second, other):
        scene.wire.send(value, headers, key=scene.sender.name)
    wait_for("the fork", lambda: scene.hq.standing(scene.sender.name, CASE).get("verdict") == "fork")
    assert int(scene.hq.standing(scene.sender.name, CASE)["events"]) == 2
    audit = valise.valise("verify", "-b", scene.world.kafka.bootstrap, "--keys", scene.world.keys, CASE, check=False)
    assert audit.returncode == 4
