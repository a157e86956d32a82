"""What is not authentic or cannot be read is in no view; it is kept byte for byte in the dead letters, and counted."""

import base64
import signal

import pytest

import valise
from valise import CASE, DEAD_LETTERS, DRILL_TYPE, EVACUATION, Sender, Wire, World, wait_for


@pytest.fixture(scope="module")
def place(tmp_path_factory, kafka):
    """One headquarters for all tests, which knows a sender for each."""
    world = World(tmp_path_factory.mktemp("world"), kafka)
    senders = [Sender(f"CN-S{number}-EMB", bytes([number]) * 32) for number in range(100, 140)]
    world.witness = Sender("CN-JP-EMB", b"\x08" * 32)
    world.other = Sender("CN-TH-EMB", b"\x09" * 32)
    for sender in (*senders, world.witness, world.other):
        sender.enrol(world.keys)
    world.fresh = iter(senders)
    world.wire = Wire(kafka.bootstrap)
    world.hq = world.headquarters().start()
    yield world
    world.close()


@pytest.fixture
def scene(place):
    class Scene:
        sender, other = next(place.fresh), place.other
        hq, wire, world = place.hq, place.wire, place

    witness(Scene)
    return Scene


def witness(scene):
    """Another sender's good batch, applied: what stands in the views is not nothing, and more can still come in."""
    value = scene.world.witness.batch(scene.world.witness.event("JP-1"))
    scene.wire.send(value, scene.world.witness.headers(value), key="CN-JP-EMB")
    scene.hq.wait_events("CN-JP-EMB", CASE, scene.world.witness.seq)


def where(scene):
    return "-b", scene.world.kafka.bootstrap, "--keys", scene.world.keys


def dead_letter(scene, topic, partition, offset):
    """The dead letter of that origin, as it stands in Kafka."""
    origin = topic.encode(), str(partition).encode(), str(offset).encode()

    def look():
        for letter in scene.wire.records(DEAD_LETTERS):
            headers = dict(letter.headers())
            if tuple(headers[f"valise.errors.{name}"] for name in ("topic", "partition", "offset")) == origin:
                return [letter]  # in a list, as a letter without a value is false
        return None

    return wait_for(f"the dead letter of {origin}", look)[0]


def audit(scene, lane):
    """What `valise verify` says of the scene's sender on a lane, and its exit code."""
    result = valise.valise("verify", *where(scene), "-o", "json", lane, check=False)
    return {row["mission"]: row for row in valise.rows(result)}[scene.sender.name], result.returncode


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
    event = s.sender.event()
    event.payload.type_url = "type.googleapis.com/consular.case.v1.NoSuchThing"
    value = s.sender.batch(event)
    return value, s.sender.headers(value), {}


def rubbish(s):
    value = bytes(range(256))
    return value, s.sender.headers(value), {}


def too_large(s):
    value = b"x" * 1_000_001
    return value, s.sender.headers(value), {}


def one_of_two_signatures_bad(s):
    value, headers = good(s)
    return value, [*headers, ("vl-sig", s.other.signature(value + b"x"))], {}


def another_key_on_the_record(s):
    value, headers = good(s)
    return value, headers, {"key": "CN-TH-EMB"}


def no_events(s):
    value = s.sender.batch()
    return value, s.sender.headers(value), {}


WAYS = {
    no_signature: "unsigned", unknown_key: "unknown_key", altered_byte: "bad_signature",
    header_not_text: "bad_header", other_missions_key: "wrong_mission", wrong_lane: "wrong_lane",
    truncated_protobuf: "malformed", null_value: "null_value", drill_as_real: "bad_signature", drill: "drill",
    unknown_type: "unknown_type", rubbish: "malformed", too_large: "too_large",
    one_of_two_signatures_bad: "bad_signature", another_key_on_the_record: "wrong_mission", no_events: "malformed",
}


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_bad_record_is_buried_byte_for_byte(scene, way):
    before = scene.hq.digest()
    value, headers, options = way(scene)
    topic, key, reason = options.get("topic", CASE), options.get("key", scene.sender.name), WAYS[way]
    partition, offset = scene.wire.send(value, headers, key=key, topic=topic)
    letter = dead_letter(scene, topic, partition, offset)
    assert letter.value() == value
    assert letter.key() == key.encode()
    kept = [(name, text) for name, text in letter.headers() if not name.startswith("valise.errors.")]
    assert kept == [(name, text.encode() if isinstance(text, str) else text) for name, text in headers]
    assert dict(letter.headers())["valise.errors.reason"] == reason.encode()
    assert scene.hq.digest() == before
    standing = scene.hq.standing(scene.sender.name, topic)
    assert [int(standing.get(name, 0)) for name in ("batches", "unread")] == ([1, 1] if way is unknown_type else [0, 0])
    witness(scene)
    assert scene.hq.digest() != before


@pytest.mark.parametrize("way", [no_signature, header_not_text, wrong_lane, truncated_protobuf, null_value, drill],
                         ids=lambda way: way.__name__)
def test_bad_record_is_counted_and_shown(scene, way):
    value, headers, options = way(scene)
    topic, reason = options.get("topic", CASE), WAYS[way]
    partition, offset = scene.wire.send(value, headers, key=scene.sender.name, topic=topic)
    dead_letter(scene, topic, partition, offset)
    listed = valise.rows(valise.valise("deadletter", "ls", "-b", scene.world.kafka.bootstrap, "--mission",
                                       scene.sender.name, "-o", "json"))
    assert [(row["topic"], row["partition"], row["offset"], row["reason"]) for row in listed] == [
        (topic, partition, offset, reason)]
    origin = f"{topic}/{partition}/{offset}"
    raw = valise.valise("deadletter", "show", "-b", scene.world.kafka.bootstrap, "--raw", origin, text=False)
    assert raw.stdout == (value or b"")
    shown = valise.rows(valise.valise("deadletter", "show", *where(scene), "-o", "json", origin))[0]
    assert (shown["reason"], shown["now"]) == (reason, reason)
    assert base64.b64decode(shown.get("value", "")) == (value or b"")
    row, code = audit(scene, topic)
    if way is drill:
        assert (row["drills"], row["bad"], row["verdict"]) == (1, 0, "ok")
        return
    assert (row["bad"], row["reasons"], row["verdict"], row["events"]) == (1, {reason: 1}, "bad", 0)
    assert code == 4
    tail = valise.valise("tail", *where(scene), "-o", "json", "--mission", scene.sender.name, topic, check=False)
    assert [line["verdict"] for line in valise.rows(tail)] == [reason]
    assert tail.returncode == 4


@pytest.mark.parametrize("more", [0, 12, 40, 200])
def test_dead_letter_keeps_headers_and_its_true_origin(scene, more):
    """What a record's own headers say of its origin is not believed, and a crowd of them hides nothing."""
    value, headers = good(scene)
    headers = [("valise.errors.topic", "consular.lie.v1"), ("valise.errors.offset", "7"), *headers,
               *((f"x-{number}", bytes([number])) for number in range(more)), ("x-null", None)]
    partition, offset = scene.wire.send(value + b"\0", headers, key=scene.sender.name)
    letter = dead_letter(scene, CASE, partition, offset)
    sent = [(name, text.encode() if isinstance(text, str) else text) for name, text in headers]
    assert letter.headers()[:-6] == sent[:58]
    listed = valise.rows(valise.valise("deadletter", "ls", "-b", scene.world.kafka.bootstrap, "--mission",
                                       scene.sender.name, "-o", "json"))
    assert [(row["topic"], row["partition"], row["offset"]) for row in listed] == [(CASE, partition, offset)]


def test_good_records_around_a_bad_one_are_applied(scene):
    first, second = good(scene), good(scene)
    for value, headers in (first, (b"rubbish", first[1]), second):
        scene.wire.send(value, headers, key=scene.sender.name)
    scene.hq.wait_events(scene.sender.name, CASE, 2)
    assert scene.hq.standing(scene.sender.name, CASE)["verdict"] == "ok"


def test_good_events_around_an_unknown_one_are_applied(scene):
    events = [scene.sender.event(f"{scene.sender.name}-{number}") for number in range(3)]
    events[1].payload.type_url = "type.googleapis.com/consular.case.v1.NoSuchThing"
    value = scene.sender.batch(*events)
    scene.wire.send(value, scene.sender.headers(value), key=scene.sender.name)
    scene.hq.wait_events(scene.sender.name, CASE, 3)
    assert int(scene.hq.standing(scene.sender.name, CASE)["unread"]) == 1
    shown = [scene.hq.show("case", event.subject, check=False) is not None for event in events]
    assert shown == [True, False, True]


def test_replay_is_dropped_and_counted(scene):
    value, headers = good(scene)
    scene.wire.send(value, headers, key=scene.sender.name)
    scene.hq.wait_events(scene.sender.name, CASE, 1)
    before = scene.hq.digest()
    for _ in range(3):
        scene.wire.send(value, headers, key=scene.sender.name)
    wait_for("three replays", lambda: int(scene.hq.standing(scene.sender.name, CASE)["replayed"]) == 3)
    assert scene.hq.digest() == before
    standing = scene.hq.standing(scene.sender.name, CASE)
    assert (standing["verdict"], standing["events"]) == ("ok", 1)
    row, _ = audit(scene, CASE)
    assert (row["verdict"], row["replayed"], row["batches"]) == ("ok", 3, 1)


def test_event_under_another_batch_is_still_one(scene):
    event = scene.sender.event(scene.sender.name)
    for _ in range(2):
        value = scene.sender.batch(event)
        scene.wire.send(value, scene.sender.headers(value), key=scene.sender.name)
    scene.hq.wait_events(scene.sender.name, CASE, 2)
    assert int(scene.hq.standing(scene.sender.name, CASE)["repeated"]) == 1
    assert len(scene.hq.show("case", scene.sender.name)["history"]) == 1


def test_after_a_gap_what_follows_waits(scene):
    sent = [good(scene) for _ in range(4)]
    for value, headers in (sent[0], sent[2], sent[3]):
        scene.wire.send(value, headers, key=scene.sender.name)
    wait_for("two parked", lambda: int(scene.hq.standing(scene.sender.name, CASE).get("parked", 0)) == 2)
    standing = scene.hq.standing(scene.sender.name, CASE)
    assert standing["verdict"] == "gap"
    assert int(standing["events"]) == 1
    row, code = audit(scene, CASE)
    assert (row["verdict"], row["gaps"], code) == ("gap", 1, 4)
    assert [(finding["seq"], finding["lastSeq"]) for finding in row["findings"]] == [("2", "2")]
    scene.wire.send(*sent[1], key=scene.sender.name)
    scene.hq.wait_events(scene.sender.name, CASE, 4)
    assert scene.hq.standing(scene.sender.name, CASE)["verdict"] == "ok"
    assert audit(scene, CASE)[0]["verdict"] == "ok"


def test_fork_is_shown_and_the_first_branch_stays(scene):
    first = good(scene)
    place = scene.sender.seq, scene.sender.next_event, scene.sender.head
    second = scene.sender.batch(scene.sender.event(scene.sender.name))
    scene.sender.seq, scene.sender.next_event, scene.sender.head = place
    other = scene.sender.batch(scene.sender.event(scene.sender.name + "-OTHER"))
    for value, headers in (first, *((value, scene.sender.headers(value)) for value in (second, other))):
        scene.wire.send(value, headers, key=scene.sender.name)
    wait_for("the fork", lambda: scene.hq.standing(scene.sender.name, CASE).get("verdict") == "fork")
    assert int(scene.hq.standing(scene.sender.name, CASE)["events"]) == 2
    assert scene.hq.show("case", scene.sender.name) is not None
    assert scene.hq.show("case", scene.sender.name + "-OTHER", check=False) is None
    row, code = audit(scene, CASE)
    assert (row["verdict"], row["forks"], code) == ("fork", 1, 4)


def test_epoch_without_memory_is_shown_as_a_rollback(scene):
    value, headers = good(scene)
    scene.wire.send(value, headers, key=scene.sender.name)
    scene.sender.epoch, scene.sender.seq, scene.sender.next_event, scene.sender.head = 2, 0, 1, bytes(32)
    value, headers = good(scene)
    scene.wire.send(value, headers, key=scene.sender.name)
    wait_for("the rollback", lambda: scene.hq.standing(scene.sender.name, CASE).get("verdict") == "rollback")
    assert int(scene.hq.standing(scene.sender.name, CASE)["events"]) == 2
    row, code = audit(scene, CASE)
    assert (row["verdict"], row["rollbacks"], code) == ("rollback", 1, 4)


def test_newly_enrolled_key_is_known_after_sighup(place):
    late = Sender("CN-LATE-EMB", b"\xee" * 32)
    value = late.batch(late.event("LATE-1"))
    refused = dead_letter(place, CASE, *place.wire.send(value, late.headers(value), key=late.name))
    assert dict(refused.headers())["valise.errors.reason"] == b"unknown_key"
    late.enrol(place.keys)
    place.hq.process.send_signal(signal.SIGHUP)
    wait_for("the new key", lambda: "43 senders enrolled" in place.hq.said())
    place.wire.send(value, late.headers(value), key=late.name)
    place.hq.wait_events(late.name, CASE, 1)


def test_names_that_look_alike_are_shown_apart(scene):
    """A record by hand: what an agent would refuse is applied, and a person sees that it is another."""
    hidden = scene.sender.name + "-1\u00a0", scene.sender.name + "-1\u200b"
    value = scene.sender.batch(*(scene.sender.event(subject) for subject in hidden))
    scene.wire.send(value, scene.sender.headers(value), key=scene.sender.name)
    scene.hq.wait_events(scene.sender.name, CASE, 2)
    listed = valise.valise("case", "ls", "--views", scene.hq.views).stdout
    assert scene.sender.name + "-1\\u00a0" in listed and scene.sender.name + "-1\\u200b" in listed, listed
    missed = valise.valise("case", "show", scene.sender.name + "-1", "--views", scene.hq.views, check=False)
    assert missed.returncode == 3
    assert f"did you mean '{scene.sender.name}-1\\u" in missed.stderr, missed.stderr
    tail = valise.valise("tail", CASE, "--mission", scene.sender.name, *where(scene), "--since", "1h").stdout
    assert scene.sender.name + "-1\\u00a0" in tail, tail


def test_an_unknown_event_is_no_bare_ok(scene):
    unknown = scene.sender.event("SD-UNKNOWN")
    unknown.payload.type_url = "type.googleapis.com/consular.case.v1.FutureEvent"
    value = scene.sender.batch(unknown, scene.sender.event("SD-KNOWN"))
    scene.wire.send(value, scene.sender.headers(value), key=scene.sender.name)
    wait_for("the batch", lambda: int(scene.hq.standing(scene.sender.name, CASE).get("batches", 0)) == 1)
    line = next(line for line in valise.valise("mission", "ls", "--views", scene.hq.views).stdout.splitlines()
                if line.startswith(scene.sender.name))
    assert "ok, unread" in line and "1 unread" in line, line
