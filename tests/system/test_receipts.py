"""Applied-receipts: an outbox lets go of what headquarters has applied, and of nothing else, whatever Kafka loses."""

import hashlib

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

import valise
from valise import ALERT, CASE, Sender, Wire, World, case_opened, message, wait_for

RECEIPT = f"{valise.RECEIPT}.CN-SD-EMB"


@pytest.fixture
def place(tmp_path, kafka):
    """A mission, headquarters, and headquarters' own agent, in topics of their own."""
    made = World(tmp_path, kafka)
    made.admin = AdminClient({"bootstrap.servers": kafka.bootstrap, "log_level": 0})
    made.own = made.mission("HQ", resend=2).start()
    made.sd = made.mission("CN-SD-EMB", resend=2).start()
    made.hq = made.headquarters(agent=made.own)
    yield made
    made.close()
    for topic in (CASE, ALERT, RECEIPT):
        delete(made, topic)
    make_again(made)


def delete(place, topic):
    place.admin.delete_topics([topic], operation_timeout=30)[topic].result()
    wait_for(f"the end of {topic}", lambda: topic not in place.admin.list_topics(timeout=10).topics)


def make_again(place):
    wait_for("the topics", lambda: valise.valise("topic", "apply", "-b", place.kafka.bootstrap, "--keys", place.keys,
                                                 valise.TOPICS, check=False).returncode == 0)


def truncate(place, topic):
    """Delete every record; the offsets go on."""
    parts = place.admin.list_topics(topic, timeout=10).topics[topic].partitions
    asked = place.admin.delete_records([TopicPartition(topic, number, -1) for number in parts])
    for future in asked.values():
        future.result()


def publish(mission, first, count):
    """A batch for each event."""
    for number in range(first, first + count):
        mission.publish([case_opened(f"SD-{number}")])


def empty(mission):
    wait_for(f"receipts for all of {mission.name}", lambda: mission.batches() == [], 60)


def acked(mission, count):
    """Kafka has so many batches of it that headquarters has not applied."""
    wait_for("Kafka's acks", lambda: [batch["state"] for batch in mission.batches()] == ["acked"] * count)


def test_outbox_drains_and_goes_on(place):
    publish(place.sd, 0, 20)
    acked(place.sd, 20)
    place.hq.start()
    place.hq.wait_events("CN-SD-EMB", CASE, 20)
    empty(place.sd)
    assert place.sd.applied() == {CASE: 20}
    assert f"{CASE} " in valise.valise("outbox", "ls", "--outbox", place.sd.outbox).stdout
    # Known for ever by their ids, and numbers go on, also in a new process.
    again = case_opened("SD-again")
    first = place.sd.publish([again]).answers[0]
    place.sd.stop()
    place.sd.start()
    second = place.sd.publish([again]).answers[0]
    assert (second["event"], second.get("duplicate")) == (first["event"], True)
    publish(place.sd, 30, 3)
    place.hq.wait_events("CN-SD-EMB", CASE, 24)
    empty(place.sd)
    assert place.sd.applied() == {CASE: 24}
    assert place.hq.standing("CN-SD-EMB", CASE)["verdict"] == "ok"
    # Headquarters' own agent keeps no receipts.
    empty(place.own)


@pytest.mark.parametrize("lose", [delete, truncate])
def test_what_kafka_loses_is_sent_again(place, lose):
    place.hq.start()
    publish(place.sd, 0, 10)
    place.hq.wait_events("CN-SD-EMB", CASE, 10)
    empty(place.sd)
    place.hq.stop()
    publish(place.sd, 10, 15)
    acked(place.sd, 15)
    unbroken = place.headquarters("unbroken").start()
    unbroken.wait_events("CN-SD-EMB", CASE, 25)
    digest = unbroken.digest()
    unbroken.stop()

    lose(place, CASE)
    make_again(place)
    place.hq.start()
    place.hq.wait_events("CN-SD-EMB", CASE, 25, seconds=90)
    assert place.hq.digest() == digest
    empty(place.sd)
    assert "no longer has offset" in place.hq.said() or lose is truncate
    # All of it is lost again, while headquarters runs: nothing changes, and what is new arrives.
    lose(place, CASE)
    make_again(place)
    publish(place.sd, 30, 2)
    place.hq.wait_events("CN-SD-EMB", CASE, 27, seconds=90)
    empty(place.sd)
    standing = place.hq.standing("CN-SD-EMB", CASE)
    assert (standing["verdict"], int(standing["events"]), int(standing["parked"])) == ("ok", 27, 0)


def test_a_new_topic_as_long_as_the_old_is_noticed(place):
    th = place.mission("CN-TH-EMB", resend=86400).start()
    place.hq.start()
    publish(th, 0, 3)
    place.hq.wait_events("CN-TH-EMB", CASE, 3)
    empty(th)
    place.hq.stop()
    th.stop()
    delete(place, CASE)
    make_again(place)
    th.start()
    publish(th, 3, 10)
    acked(th, 10)
    place.hq.start()
    place.hq.wait_events("CN-TH-EMB", CASE, 13)
    assert "made anew" in place.hq.said()
    empty(th)


def test_a_receipt_of_anybody_else_frees_nothing(place):
    publish(place.sd, 0, 2)
    acked(place.sd, 2)
    wire = Wire(place.kafka.bootstrap)
    sent = [record.value() for record in wire.records(CASE) if record.key() == b"CN-SD-EMB"][-2:]
    epoch = int(place.sd.batches()[-1]["epoch"])

    def receipt(seq):
        digest = hashlib.blake2b(sent[seq - 1], digest_size=32).digest()
        applied = message("valise.receipt.v1.Applied")(lane=CASE, epoch=epoch, seq=seq, digest=digest)
        return message("valise.receipt.v1.Receipt")(mission="CN-SD-EMB", applied=[applied])

    def publish_receipt(seq):
        """As headquarters does."""
        event = Sender("HQ").event(subject="CN-SD-EMB", payload=receipt(seq))
        assert valise.Client(place.own.socket).publish(event)[0].WhichOneof("outcome") == "accepted"

    for name, key in (("HQ", b"\x21" * 32), ("CN-XX-EMB", b"\x22" * 32), ("CN-SD-EMB", b"\x23" * 32)):
        sender = Sender(name, key)
        value = sender.batch(sender.event(subject="CN-SD-EMB", payload=receipt(2)), lane=RECEIPT)
        wire.send(value, sender.headers(value), key=name, topic=RECEIPT)
    # Receipts are read in their order: once the first batch is gone by a true one, the forged ones have had their say.
    publish_receipt(1)
    wait_for("the receipt of the first batch", lambda: len(place.sd.batches()) < 2)
    assert [batch["seq"] for batch in place.sd.batches()] == ["2"]
    assert place.sd.applied() == {CASE: 1}
    assert "is passed over" in place.sd.said()
    publish_receipt(2)
    empty(place.sd)


def test_receipts_wait_for_the_agent(place):
    place.own.stop()
    place.hq.start()
    publish(place.sd, 0, 5)
    place.hq.wait_events("CN-SD-EMB", CASE, 5)
    acked(place.sd, 5)
    place.own.start()
    empty(place.sd)


def test_a_mission_without_its_topic_waits_alone(place):
    """Its own topic of receipts is missing, as where somebody has enrolled it and not made its topics."""
    soon = {"topic.metadata.propagation.max.ms": 500}  # what a line knows of a topic that is missing
    th = place.mission("CN-TH-EMB", resend=86400, properties={**soon, "fetch.wait.max.ms": 500})
    place.own.stop()
    place.own.config.write_text(place.own.config.read_text() + "".join(f"{key} = {value}\n" for key, value in soon.items()))
    place.address()
    lacking = f"{valise.RECEIPT}.{th.name}"
    delete(place, lacking)
    place.own.start()
    th.start()
    place.hq.start()
    for number in range(3):
        th.publish([case_opened(f"TH-{number}")])
        publish(place.sd, number, 1)
        place.hq.wait_events(th.name, CASE, number + 1)
        empty(place.sd)
    acked(th, 3)
    wait_for("the mission's word", lambda: f"cannot read '{lacking}'" in th.said())
    wait_for("headquarters' agent's word", lambda: f"cannot send on lane '{lacking}'" in place.own.said())
    # The others go on after that, too.
    publish(place.sd, 3, 3)
    empty(place.sd)
    assert RECEIPT not in place.sd.said() + place.own.said()
    acked(th, 3)
    make_again(place)
    empty(th)
    empty(place.own)
    assert (th.applied(), place.sd.applied()) == ({CASE: 3}, {CASE: 6})
