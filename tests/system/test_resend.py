"""Directives: what is missing is asked for and sent again; nothing is skipped, nobody else waits, and replays change nothing."""

import time

import pytest
from confluent_kafka.admin import AdminClient

import valise
from valise import CASE, Sender, Wire, World, case_opened, message, wait_for

SD, EG = "CN-SD-EMB", "CN-EG-EMB"
RECEIPT = f"{valise.RECEIPT}.{SD}"
DIRECTIVE = f"{valise.DIRECTIVE}.{SD}"


@pytest.fixture
def place(tmp_path, kafka):
    """A mission, headquarters, and headquarters' own agent, in topics of their own."""
    made = World(tmp_path, kafka)
    made.wire = Wire(kafka.bootstrap)
    made.own = made.mission("HQ", resend=86400).start()
    made.sd = made.mission(SD, resend=86400).start()
    made.eg = Sender(EG, b"\x31" * 32)
    made.eg.enrol(made.keys)
    made.address()
    made.hq = made.headquarters(agent=made.own, after=1)
    yield made
    made.close()
    for topic in (CASE, RECEIPT, DIRECTIVE):
        make_anew(made, topic)


def delete(place, topic):
    admin = AdminClient({"bootstrap.servers": place.kafka.bootstrap, "log_level": 0})
    admin.delete_topics([topic], operation_timeout=30)[topic].result()
    wait_for(f"the end of {topic}", lambda: topic not in admin.list_topics(timeout=10).topics)


def make(place):
    wait_for("the topics", lambda: valise.valise("topic", "apply", "-b", place.kafka.bootstrap, "--keys", place.keys,
                                                 valise.TOPICS, check=False).returncode == 0)


def make_anew(place, topic):
    delete(place, topic)
    make(place)


def publish(mission, first, count):
    """A batch for each event."""
    for number in range(first, first + count):
        mission.publish([case_opened(f"SD-{number}")])


def acked(mission, count):
    wait_for("Kafka's acks", lambda: [batch["state"] for batch in mission.batches()] == ["acked"] * count)


def empty(mission):
    wait_for(f"receipts for all of {mission.name}", lambda: mission.batches() == [], 60)


def copy_of(record, topic):
    return topic, record.key(), record.value(), record.headers()


def lying(place, topic):
    """All records of a topic, as they would be sent."""
    return [copy_of(record, topic) for record in place.wire.records(topic)]


def seq_of(record):
    return message("valise.v1.Batch").FromString(record[2]).seq


def wishes(place, mission):
    """What headquarters has asked a mission for, by its records in Kafka: (epoch, from, to)."""
    found = []
    lane = f"{valise.DIRECTIVE}.{mission}"
    for record in place.wire.records(lane):
        batch = message("valise.v1.Batch").FromString(record.value())
        assert (batch.mission, batch.lane, record.key()) == ("HQ", lane, b"HQ")
        for event in batch.events:
            resend = message("valise.directive.v1.Resend")()
            assert event.payload.Unpack(resend)
            assert event.subject == f"{resend.mission}/{resend.lane}" and resend.lane == CASE
            assert resend.mission == mission
            found.append((resend.epoch, resend.from_seq, resend.to_seq))
    return found


def by_hand(place, count, subject="EG-1"):
    """The next batches of the mission that has no agent."""
    made = []
    for _ in range(count):
        value = place.eg.batch(place.eg.event(subject=subject))
        made.append((CASE, EG, value, place.eg.headers(value)))
    return made


def test_what_is_missing_is_asked_for_and_sent_again(place):
    publish(place.sd, 1, 12)
    acked(place.sd, 12)
    unbroken = place.headquarters("unbroken").start()
    unbroken.wait_events(SD, CASE, 12)
    place.wire.send_all(by_hand(place, 3))
    unbroken.wait_events(EG, CASE, 3)
    digest = unbroken.digest()
    unbroken.stop()

    # Kafka has lost some of them, and the mission is away.
    records = lying(place, CASE)
    place.sd.stop()
    make_anew(place, CASE)
    place.wire.send_all([one for one in records if one[1] == SD.encode() and seq_of(one) not in (3, 7, 8)])
    place.hq.start()
    place.hq.wait_events(SD, CASE, 2)
    wait_for("a directive", lambda: wishes(place, SD))
    epoch = int(place.hq.standing(SD, CASE)["epoch"])
    assert wishes(place, SD)[0] == (epoch, 3, 3)
    # Another mission on the same lane goes on meanwhile.
    place.wire.send_all([one for one in records if one[1] == EG.encode()])
    place.hq.wait_events(EG, CASE, 3)
    standing = place.hq.standing(SD, CASE)
    assert (standing["verdict"], int(standing["batches"]), int(standing["parked"])) == ("gap", 2, 7)
    assert place.hq.standing(EG, CASE)["verdict"] == "ok"

    place.sd.start()
    place.hq.wait_events(SD, CASE, 12, seconds=120)
    assert place.hq.digest() == digest
    assert (epoch, 7, 8) in wishes(place, SD)
    assert "sending them again" in place.sd.said()
    standing = place.hq.standing(SD, CASE)
    assert (standing["verdict"], int(standing["parked"])) == ("ok", 0)
    # Only what was asked for came again.
    came = [seq_of(one) for one in lying(place, CASE) if one[1] == SD.encode()]
    assert set(came) == set(range(1, 13))
    assert {number for number in came if came.count(number) > 1} <= {3, 7, 8}
    empty(place.sd)
    empty(place.own)
    replay_every_topic(place, digest)


def replay_every_topic(place, digest):
    """Every record of every topic again, three times, byte for byte; and everything goes on."""
    topics = (CASE, RECEIPT, DIRECTIVE)
    before = {topic: lying(place, topic) for topic in topics}
    for _ in range(3):
        for topic in topics:
            place.wire.send_all(before[topic])
    cases = len(before[CASE])
    wait_for("the replays", lambda: sum(int(place.hq.standing(name, CASE)["replayed"]) for name in (SD, EG))
             >= 3 * cases, 60)
    assert place.hq.digest() == digest
    publish(place.sd, 20, 1)
    place.hq.wait_events(SD, CASE, 13)
    empty(place.sd)
    # Old directives, said again, had nothing sent again.
    assert len(lying(place, CASE)) == 4 * cases + 1
    rebuilt = place.headquarters("rebuilt").start()
    rebuilt.wait_events(SD, CASE, 13)
    rebuilt.wait_events(EG, CASE, 3)
    assert rebuilt.digest() == place.hq.digest()


def test_a_directive_of_anybody_else_does_nothing(place):
    publish(place.sd, 1, 5)
    acked(place.sd, 5)
    epoch = int(place.sd.batches()[0]["epoch"])
    wish = message("valise.directive.v1.Resend")(mission=SD, lane=CASE, epoch=epoch, from_seq=1, to_seq=0)

    def forgeries():
        for name, key in (("HQ", b"\x21" * 32), ("CN-XX-EMB", b"\x22" * 32), (SD, b"\x23" * 32), (EG, b"\x31" * 32)):
            sender = Sender(name, key)
            value = sender.batch(sender.event(subject=f"{SD}/{CASE}", payload=wish), lane=DIRECTIVE)
            place.wire.send(value, sender.headers(value), key=name, topic=DIRECTIVE)
        return "a directive is passed over" in place.sd.said()

    # Again and again: what is said before the link has met the topic is not heard.
    wait_for("the forgeries to be told", forgeries, 60)
    client = valise.Client(place.own.socket)
    # Headquarters' own to another mission, and one to this mission: only that does something.
    for mission in ("CN-TH-EMB", SD):
        wish.mission, wish.from_seq, wish.to_seq = mission, 2, 3
        answer = client.publish(Sender("HQ").event(subject=f"{mission}/{CASE}", payload=wish))
        assert answer[0].WhichOneof("outcome") == "accepted"
    wait_for("what is sent again", lambda: "sending them again" in place.sd.said())
    wait_for("the two batches", lambda: len(lying(place, CASE)) == 7)
    place.hq.start()
    place.hq.wait_events(SD, CASE, 5)
    wait_for("the two batches again", lambda: int(place.hq.standing(SD, CASE)["replayed"]) == 2)
    empty(place.sd)
    assert sorted(seq_of(one) for one in lying(place, CASE)) == [1, 2, 2, 3, 3, 4, 5]


def test_a_flood_behind_a_gap_is_bounded_and_comes_in_the_end(place):
    place.hq.start()
    publish(place.sd, 1, 1)
    records = by_hand(place, 1200)
    place.wire.send_all(records[:1] + records[2:])
    wait_for("the bound", lambda: int(place.hq.standing(EG, CASE).get("dropped", 0)) == 198, 60)
    standing = place.hq.standing(EG, CASE)
    assert (standing["verdict"], int(standing["batches"]), int(standing["parked"])) == ("gap", 1, 1000)
    publish(place.sd, 2, 2)
    place.hq.wait_events(SD, CASE, 3)
    wait_for("a directive", lambda: (1, 2, 2) in wishes(place, EG))

    # The gap closes; what had no room is read again from where it lies, and nobody is asked for it.
    place.wire.send_all(records[1:2])
    place.hq.wait_events(EG, CASE, 1200)
    standing = place.hq.standing(EG, CASE)
    assert (standing["verdict"], int(standing["parked"]), int(standing["dropped"])) == ("ok", 0, 0)
    assert {wish[1] for wish in wishes(place, EG)} == {2}
    asked = len(wishes(place, EG))
    publish(place.sd, 4, 1)
    place.hq.wait_events(SD, CASE, 4)
    empty(place.sd)
    assert len(wishes(place, EG)) == asked


def test_without_a_topic_of_directives_receipts_come_and_later_both(place):
    place.sd.stop()
    delete(place, DIRECTIVE)
    place.hq.start()
    place.sd.start()
    publish(place.sd, 1, 5)
    empty(place.sd)
    make(place)
    client = valise.Client(place.own.socket)
    wish = message("valise.directive.v1.Resend")(mission=SD, lane=CASE, epoch=int(place.hq.standing(SD, CASE)["epoch"]),
                                                 from_seq=2, to_seq=3)

    def heard():
        client.publish(Sender("HQ").event(subject=f"{SD}/{CASE}", payload=wish))
        time.sleep(1)
        return "which this outbox no longer has" in place.sd.said()

    wait_for("a directive to be heard", heard, 90)
    publish(place.sd, 6, 1)
    empty(place.sd)
    assert int(place.hq.standing(SD, CASE)["replayed"]) == 0
