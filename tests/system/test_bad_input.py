"""Bad input: each gets a clear error that says what, where and what next; the good around it is taken; nothing crashes.

Whatever is bad here holds a canary, as a careless line holds a person's data: it must not be in any error or log.
"""

import json
import os
import re
import struct

import pytest

import valise
from valise import CASE, Client, Sender, World, case_opened, message

CANARY = "Zhang Kanari 139-0000-0000"
PERSONAL = {"personal": {"narrative": CANARY}}
MEGABYTE = 1_000_000


@pytest.fixture
def mission(world):
    return world.mission("CN-SD-EMB").start()


@pytest.fixture(scope="module")
def long_lived(tmp_path_factory, kafka):
    """One agent that bears all that is thrown at it."""
    world = World(tmp_path_factory.mktemp("world"), kafka)
    yield world.mission("CN-JP-EMB").start()
    world.close()


def opened(subject="SD-BAD", **payload):
    return case_opened(subject, **{**PERSONAL, **payload})


def text(event):
    return json.dumps(event, ensure_ascii=False)


def without(event, *names):
    return {name: value for name, value in event.items() if name not in names}


def payload(event, type_name=CASE + ".CaseOpened", **fields):
    return {**event, "payload": {"@type": type_name, **fields}}


# name: (the line, what its error says of where and why)
LINES = {
    "broken_json": (text(opened())[:-1], r"column \d+: .*JSON"),
    "cut_in_the_middle": (text(opened())[: text(opened()).index(CANARY) + 5], r"column \d+: .*(JSON|not UTF-8)"),
    "no_json_at_all": (CANARY, r"column \d+: .*JSON"),
    "two_values": (text(opened()) + text(opened()), r"column \d+: something follows"),
    "a_list": (f'["{CANARY}"]', "not an object"),
    "a_field_twice": (text(opened())[:-1] + f', "subject": "{CANARY}"}}', r"column \d+: a field twice"),
    "bad_utf8": (text(opened()).encode().replace(b"Kanari", b"Kan\xff\xfeari"), r"column \d+: not UTF-8"),
    "nul": (text(opened()).replace("Kanari", "Kan\\u0000ari"), r"NUL|zero"),
    "unknown_type": (payload(opened(), CASE + ".NoSuchThing", personal=PERSONAL["personal"]), r"payload.*no type"),
    "no_type": (without(opened(), "payload") | {"payload": PERSONAL}, r'payload: no "@type"'),
    "not_an_event_type": (payload(opened(), CASE + ".CaseRow", openedBy=CANARY), r"payload.*type"),
    "unknown_field": (opened(colour=CANARY), r"payload.*no field 'colour'"),
    "unknown_field_outside": ({**opened(), "colour": CANARY}, r"no field 'colour'"),
    "wrong_enum": (opened(type=CANARY), r"payload\.type: no such value"),
    "wrong_number": (opened(persons=CANARY), r"payload\.persons: not a whole number"),
    "number_out_of_range": (opened(persons=-1), r"payload\.persons: number out of range"),
    "wrong_shape": (opened(personal=CANARY), r"payload\.personal: not an object"),
    "wrong_list": (payload(opened(), personal={"contacts": {"a": CANARY}}), r"payload\.personal\.contacts: not a list"),
    "wrong_time": ({**opened(), "occurredAt": CANARY}, r"occurred_at"),
    "wrong_id": ({**opened(), "id": CANARY}, r"id: "),
    "short_id": ({**opened(), "id": "AAAA"}, r"id: .*16"),
    "nil_id": ({**opened(), "id": "00000000-0000-0000-0000-000000000000"}, r"id: is all zeros"),
    "id_of_ones": ({**opened(), "id": "/////////////////////w=="}, r"id: is all zeros or all ones"),
    "blank_at_the_end": (opened("SD-1 "), r"subject, byte 4: has a blank"),
    "no_break_space": (opened("SD-1\u00a0"), r"subject, byte 4: has a blank"),
    "zero_width": (opened("SD-\u200b1"), r"subject, byte 3: has a format character"),
    "turned_round": (opened("\u202e1-DS"), r"subject, byte 0: has a format character"),
    "line_break": (opened("SD-1\n"), r"subject, byte 4: has a control character"),
    "in_pieces": (opened("Cafe\u0301-1"), r"subject, byte 3: .*NFC"),
    "missing_subject": (without(opened(), "subject"), r"subject: "),
    "empty_subject": (opened(""), r"subject: "),
    "missing_payload": (without(opened(), "payload"), r"payload: "),
    "too_large": (opened(personal={"narrative": CANARY + "x" * 900_000}), r"900000 are allowed"),
    "far_too_large": (opened(personal={"narrative": CANARY + "x" * 5 * MEGABYTE}), r"longer than \d+ bytes"),
}


def no_canary(*texts):
    for said in texts:
        for part in (CANARY, CANARY.split()[1], CANARY.split()[2]):
            assert part not in said, said[said.index(part) - 200:][:400]


def logs(mission):
    mission.stop()
    return mission.said()


@pytest.mark.parametrize("name", LINES)
def test_bad_line_is_told_of_and_good_ones_around_it_are_taken(long_lived, name):
    line, why = LINES[name]
    result = long_lived.publish([case_opened("SD-1"), case_opened("SD-2"), line, case_opened("SD-3")], check=False)
    assert result.returncode == 1
    assert [answer["line"] for answer in result.answers] == [1, 2, 4]
    first = result.answers[0]["event"]
    assert [answer["event"] for answer in result.answers] == [first, first + 1, first + 2]
    complaints = [said for said in result.stderr.splitlines() if "cannot" in said]
    assert len(complaints) == 1, result.stderr
    assert complaints[0].startswith("valise: cannot publish 'stdin:3': "), complaints[0]
    assert re.search(why, complaints[0].split("': ", 1)[1]), complaints[0]
    assert "3 accepted, 1 refused" in result.stderr
    no_canary(result.stderr, result.stdout, long_lived.said())


def test_file_is_named_in_the_error(mission, tmp_path):
    file = tmp_path / "night.jsonl"
    file.write_text(text(case_opened("SD-1")) + "\n\n" + text(without(opened(), "subject")) + "\n")
    result = valise.valise("publish", "--socket", mission.socket, file, check=False)
    assert result.returncode == 1
    assert [answer["line"] for answer in valise.rows(result)] == [1]
    assert f"valise: cannot publish '{file}:3': subject" in result.stderr


def test_every_line_bad(mission):
    lines = [LINES[name][0] for name in ("broken_json", "unknown_type", "wrong_enum")] * 100
    result = mission.publish(lines, check=False)
    assert (result.returncode, result.answers) == (1, [])
    numbers = [int(number) for number in re.findall(r"cannot publish 'stdin:(\d+)'", result.stderr)]
    assert numbers == list(range(1, 301))
    no_canary(result.stderr)


def test_same_id_twice_is_one_event(world, mission):
    twice, other = case_opened("SD-1"), case_opened("SD-2")
    first = mission.publish([twice, other, twice])
    again = mission.publish([{**opened("SD-9"), "id": twice["id"]}, twice], check=False)
    assert again.returncode == 1
    assert re.search(r"cannot publish 'stdin:1': id: is that of another event, number 1 of", again.stderr), again.stderr
    no_canary(again.stderr, mission.said())
    answers = [first.answers[2], *again.answers]
    assert len(answers) == 2
    for answer in answers:
        assert answer["duplicate"] is True
        assert [answer[name] for name in ("id", "lane", "epoch", "event")] == [
            first.answers[0][name] for name in ("id", "lane", "epoch", "event")]
    assert "duplicate" not in first.answers[0] and "duplicate" not in first.answers[1]
    hq = world.headquarters().start()
    hq.wait_events("CN-SD-EMB", CASE, 2)
    assert int(hq.standing("CN-SD-EMB", CASE)["events"]) == 2
    assert len(hq.show("case", "SD-1")["history"]) == 1
    assert hq.show("case", "SD-9", check=False) is None


# -- the socket, without our own program before it --


def made(subject="SD-1", **fields):
    return Sender("CN-SD-EMB").event(subject, **fields)


def bad_payload():
    event = made()
    event.payload.value = b"\x0a\xff" + CANARY.encode()
    return event


def unknown_payload():
    event = made()
    event.payload.type_url = "type.googleapis.com/consular.case.v1.NoSuchThing"
    return event


def too_large():
    personal = message(CASE + ".CasePersonal")(narrative=CANARY + "x" * 900_000)
    return made(payload=message(CASE + ".CaseOpened")(personal=personal))


def untimed():
    event = made()
    event.ClearField("occurred_at")
    return event


EVENTS = {
    "not_protobuf": (lambda: b"\xff\xff" + CANARY.encode(), "protobuf|Event"),
    "cut": (lambda: made().SerializeToString()[:-2], "cut short|truncated|protobuf|Event"),
    "payload_not_protobuf": (bad_payload, "CaseOpened"),
    "unknown_type": (unknown_payload, "payload"),
    "missing_subject": (lambda: made(""), "subject"),
    "hidden_subject": (lambda: made("SD-1\u2066"), "subject, byte 4: has a format character"),
    "nil_id": (lambda: message("valise.v1.Event").FromString(made().SerializeToString() + b"\x0a\x10" + bytes(16)), "id: is all zeros"),
    "receipt": (lambda: made(payload=message("valise.receipt.v1.Applied")(mission="CN-JP-EMB")), "headquarters' own lane"),
    "directive": (lambda: made(payload=message("valise.directive.v1.Resend")(mission="CN-SD-EMB")), "headquarters' own lane"),
    "long_subject": (lambda: made("S" * 1000), "subject"),
    "missing_time": (untimed, "occurred_at"),
    "wrong_id": (lambda: message("valise.v1.Event").FromString(made().SerializeToString() + b"\x0a\x03abc"), "id"),
    "too_large": (too_large, "900000"),
    "empty": (lambda: b"", "occurred_at|subject|payload"),
}


@pytest.mark.parametrize("name", EVENTS)
def test_agent_refuses_bad_events_by_itself(long_lived, name):
    make, why = EVENTS[name]
    with Client(long_lived.socket) as client:
        before, bad, after = client.publish(made("SD-1"), make(), made("SD-2"))
        assert bad.WhichOneof("outcome") == "refused"
        assert bad.refused.cause == 1
        assert re.search(why, bad.refused.reason), bad.refused.reason
        assert after.accepted.event == before.accepted.event + 1
    no_canary(bad.refused.reason, long_lived.said())


def test_request_that_is_none_is_answered(mission):
    with Client(mission.socket) as client:
        client.send(b"\xff" * 50)
        results = client.response().results
        assert [result.WhichOneof("outcome") for result in results] == ["refused"]
        assert client.publish(made())[0].accepted.event == 1


def test_frame_too_long_ends_the_connection_and_no_other(mission):
    with Client(mission.socket) as good, Client(mission.socket) as bad:
        bad.send(b"", length=0xffffffff)
        assert bad.response().results[0].WhichOneof("outcome") == "refused"
        assert bad.response() is None
        assert good.publish(made())[0].accepted.event == 1


@pytest.mark.parametrize("part", ["head", "body", "all"])
def test_socket_closed_midway(world, mission, part):
    event = made("SD-1", actor=CANARY)
    client = Client(mission.socket)
    body = message("valise.v1.PublishRequest")(tag=1, events=[event]).SerializeToString()
    if part == "head":
        client.socket.sendall(b"\0\0")
    elif part == "body":
        client.send(body[:-5], length=len(body))
    else:
        client.send(body)
    client.socket.close()
    with Client(mission.socket) as other:
        kept, second = other.publish(event, made("SD-2"))
    # What came whole may have been taken before; the answer tells, and it is one event in any case.
    assert kept.accepted.duplicate is (part == "all")
    assert [kept.accepted.event, second.accepted.event] == [1, 2]
    hq = world.headquarters().start()
    hq.wait_events("CN-SD-EMB", CASE, 2)
    assert len(hq.show("case", "SD-1")["history"]) == 1
    assert int(hq.standing("CN-SD-EMB", CASE)["events"]) == 2
    no_canary(logs(mission))


def test_reader_of_answers_goes_away(mission):
    """A program that publishes much and never reads its answers harms nobody but itself."""
    deaf = Client(mission.socket)
    deaf.socket.setblocking(False)
    body = message("valise.v1.PublishRequest")(tag=1, events=[made(f"SD-{n}") for n in range(200)])
    frame = struct.pack(">I", body.ByteSize()) + body.SerializeToString()
    try:
        for _ in range(1000):
            deaf.socket.sendall(frame)
    except BlockingIOError:
        pass
    with Client(mission.socket) as client:
        assert client.publish(made("SD-OTHER"))[0].WhichOneof("outcome") == "accepted"
    deaf.socket.close()


# -- the agent's own files --


def test_outbox_of_another_mission_is_refused(world, mission):
    mission.publish([case_opened("SD-1")])
    mission.stop()
    other = world.mission("CN-EG-EMB")
    other.config.write_text(other.config.read_text().replace(str(other.outbox), str(mission.outbox)))
    refused = other.refused()
    assert refused.returncode != 0
    assert re.search(rf"^valise-agent: cannot open outbox '{mission.outbox}': .*'CN-SD-EMB', not of 'CN-EG-EMB'; give",
                     refused.stderr, re.M), refused.stderr
    assert mission.start().publish([case_opened("SD-2")]).answers[0]["event"] == 2


def test_second_agent_on_the_same_outbox_is_refused(mission):
    config = mission.folder / "second.conf"
    config.write_text(mission.config.read_text().replace(f"path = {mission.socket}", f"path = {mission.folder}/s2"))
    refused = mission.refused(config)
    assert refused.returncode != 0
    assert re.search(rf"^valise-agent: cannot open outbox '{mission.outbox}': another process", refused.stderr, re.M)
    assert mission.publish([case_opened("SD-1")]).answers[0]["event"] == 1


def test_second_agent_on_the_same_socket_is_refused(mission):
    config = mission.folder / "second.conf"
    config.write_text(mission.config.read_text().replace(f"path = {mission.outbox}", f"path = {mission.folder}/o2"))
    refused = mission.refused(config)
    assert refused.returncode != 0
    assert f"'{mission.socket}': another program listens there" in refused.stderr
    assert mission.publish([case_opened("SD-1")]).answers[0]["event"] == 1


def mode(bits):
    return lambda key: key.chmod(bits)


def linked(key):
    key.rename(key.with_suffix(".real"))
    key.symlink_to(key.with_suffix(".real"))


def of_another(key):
    key.write_text(key.read_text().replace("CN-SD-EMB", "CN-EG-EMB"))


def cut_short(key):
    key.write_text(key.read_text()[:40])


KEYS = {
    "group_readable": (mode(0o640), "permission|others|0600|mode"), "world_readable": (mode(0o604), "others|0600|mode"),
    "linked": (linked, "symbolic link"), "of_another": (of_another, "CN-EG-EMB|another"),
    "cut": (cut_short, "line|digits"), "missing": (os.unlink, "not there"),
}


@pytest.mark.parametrize("name", KEYS)
def test_key_file_that_will_not_do(world, name):
    spoil, why = KEYS[name]
    mission = world.mission("CN-SD-EMB")
    secret = mission.key.read_text().split()[1]
    spoil(mission.key)
    for options in ([], ["--check"]):
        refused = valise.run(valise.PROGRAMS / "valise-agent", "--config", mission.config, *options, check=False)
        assert refused.returncode != 0
        assert re.search(why, refused.stderr), refused.stderr
        assert secret[:16] not in refused.stderr
    assert not mission.socket.exists()


@pytest.mark.parametrize("wrong, why", [
    (("[outbox]", "[inbox]"), r"line \d+|inbox"), (("size = 1G", "size = a lot"), "size"),
    (("id = CN-SD-EMB", "id = cn sd emb"), "id"), (("size = 1G", "size = 1k"), "size"),
    (("bootstrap.servers", "bootstrap.severs"), "bootstrap.severs"), (("id = CN-SD-EMB", "id = ALL"), "id.*not ALL"),
], ids=["section", "size", "mission", "small", "property", "all"])
def test_configuration_that_will_not_do(world, wrong, why):
    mission = world.mission("CN-SD-EMB")
    mission.config.write_text(mission.config.read_text().replace(*wrong))
    refused = valise.run(valise.PROGRAMS / "valise-agent", "--config", mission.config, "--check", check=False)
    assert refused.returncode != 0
    assert re.search(why, refused.stderr), refused.stderr


def test_key_of_all_is_refused_and_headquarters_own_is_warned_of(tmp_path):
    for name in ("ALL", "all"):
        refused = valise.valise("key", "new", "--id", name, "--out", tmp_path, check=False)
        assert refused.returncode != 0 and "not ALL" in refused.stderr, refused.stderr
    assert "and no mission" in valise.valise("key", "new", "--id", "HQ", "--out", tmp_path).stderr
    assert [path.name for path in tmp_path.glob("*.key")] == ["HQ.key"]


def test_key_is_never_overwritten(tmp_path):
    valise.valise("key", "new", "--id", "CN-SD-EMB", "--out", tmp_path)
    before = (tmp_path / "CN-SD-EMB.key").read_text(), (tmp_path / "CN-SD-EMB.pub").read_text()
    assert oct((tmp_path / "CN-SD-EMB.key").stat().st_mode & 0o777) == "0o600"
    again = valise.valise("key", "new", "--id", "CN-SD-EMB", "--out", tmp_path, check=False)
    assert (again.returncode, again.stdout) == (1, "")
    assert ((tmp_path / "CN-SD-EMB.key").read_text(), (tmp_path / "CN-SD-EMB.pub").read_text()) == before
    assert before[0].split()[1] not in again.stderr
