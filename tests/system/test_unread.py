"""What cannot be read costs itself: batches that nobody can read, somebody's open transaction, markers at a partition's end, and a
topic that keeps the senders' time. Everybody else goes on."""
import struct
import time

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource

import valise
from valise import CASE, EVACUATION, Sender, Wire, wait_for

PULSE = "valise.pulse.v1"
MAGIC, CRC, ATTRIBUTES = 16, 17, 21


@pytest.fixture(scope="module")
def kafka(tmp_path_factory):
    broker = valise.Kafka(tmp_path_factory.mktemp("kafka"))
    yield broker
    broker.stop()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def break_checksum(batch):
    batch[-20] ^= 1


def break_magic(batch):
    batch[MAGIC] = 7


def break_codec(batch):
    batch[ATTRIBUTES + 1] |= 7
    batch[CRC:CRC + 4] = struct.pack(">I", crc32c(bytes(batch[ATTRIBUTES:])))


BROKEN = [break_checksum, break_magic, break_codec]


def break_batch(segment, mark, how):
    """Break the record batch that holds `mark`, on the broker's disk."""
    whole, at = bytearray(segment.read_bytes()), 0
    while at + 12 <= len(whole):
        size = 12 + struct.unpack(">i", whole[at + 8:at + 12])[0]
        batch = whole[at:at + size]
        if size > 12 and mark in batch:
            how(batch)
            whole[at:at + size] = batch
            segment.write_bytes(whole)
            return
        at += max(size, 12)
    raise AssertionError(f"no batch holds {mark}")


def enrolled(world, name):
    sender = Sender(name, name.encode().ljust(32, b"."))
    sender.enrol(world.keys)
    return sender


def send(wire, sender, lane, payload, subject):
    value = sender.batch(sender.event(subject, payload), lane=lane)
    return value, wire.send(value, sender.headers(value), key=sender.name, topic=lane)


def opened(_=None):
    return valise.message(CASE + ".CaseOpened")(type=102, persons=1)


def operation():
    return valise.message(EVACUATION + ".OperationOpened")(operation="OP-1")


def unread(hq, kind):
    rows = list(hq.missions().values())
    return [place for place in rows[0].get("unread", []) if place["kind"] == kind] if rows else []


def test_what_nobody_can_read_is_passed_over_and_named(world, kafka):
    wire, folder = Wire(kafka.bootstrap), kafka.folder / "broker-1/log"
    sender, other = enrolled(world, "CN-SD-EMB"), enrolled(world, "CN-ER-EMB")
    sent = [send(wire, sender, CASE, opened(), f"SD-MARK-{number}") for number in range(7)]
    partition = sent[0][1][0]
    send(wire, other, EVACUATION, operation(), "OP-1")
    own, mission = world.mission("HQ"), world.mission("CN-KE-EMB", resend=86400, pulse=1)
    receipts = f"{valise.RECEIPT}.{mission.name}"
    beside = [(topic, *wire.send(b"NO-BATCH", [], key=mission.name, topic=topic))
              for topic in (PULSE, receipts)]
    kafka.command("down")
    for topic, number, _ in beside:
        break_batch(folder / f"{topic}-{number}/00000000000000000000.log", b"NO-BATCH", break_checksum)
    for number, how in zip((1, 3, 5), BROKEN):
        break_batch(folder / f"{CASE}-{partition}/00000000000000000000.log", b"SD-MARK-%d" % number, how)
    kafka.command("up")
    own.start()
    hq = world.headquarters(agent=own).start()
    hq.wait_events(other.name, EVACUATION, 1)
    wait_for("four places", lambda: len(unread(hq, "passed")) == 4)
    first, pulse = sent[0][1][1], beside[0]
    assert [(row["lane"], row["partition"], row["offset"], row["lastOffset"]) for row in unread(hq, "passed")] == [
        *((CASE, partition, first + number, first + number) for number in (1, 3, 5)), (*pulse, pulse[2])]
    # What headquarters says behind such a place is read, too, and so are pulses.
    mission.start()
    place = f"'{receipts}', offsets 0 to 0"
    wait_for("the mission's word", lambda: f"{place}: unreadable: " in mission.said())
    mission.publish([valise.event(EVACUATION + ".OperationOpened", "OP-9", {"operation": "OP-9"})])
    wait_for("a receipt", lambda: mission.applied().get(EVACUATION) == 1)
    wait_for("a pulse", lambda: hq.missions()[mission.name].get("pulse"))
    wait_for("the gap", lambda: hq.standing(sender.name, CASE).get("verdict") == "gap")
    assert int(hq.standing(sender.name, CASE)["events"]) == 1
    audit = valise.valise("verify", CASE, "-b", kafka.bootstrap, "--keys", world.keys, "-o", "json", check=False)
    rows = valise.rows(audit)
    assert audit.returncode == 4
    assert [row["unread"]["offset"] for row in rows if "unread" in row] == [first + number for number in (1, 3, 5)]
    judged = [row for row in rows if row.get("mission") == sender.name]
    assert [(row["verdict"], row["batches"]) for row in judged] == [("gap", 4)]
    tail = valise.valise("tail", CASE, "-b", kafka.bootstrap, "--keys", world.keys, "-o", "json", check=False)
    assert (tail.returncode, len(valise.rows(tail))) == (4, 4)
    assert tail.stderr.count("unreadable: ") == 3
    # What they hid is taken when it comes again, and behind them all goes on.
    for number in (1, 3, 5):
        wire.send(sent[number][0], sender.headers(sent[number][0]), key=sender.name)
    hq.wait_events(sender.name, CASE, 7)
    assert hq.standing(sender.name, CASE)["verdict"] == "ok"
    hq.stop()
    hq.start()
    send(wire, sender, CASE, opened(), "SD-MARK-7")
    hq.wait_events(sender.name, CASE, 8)
    assert hq.said().count("unreadable: ") == 4
    assert len(unread(hq, "passed")) == 4
    hq.stop()


def begun(kafka, name, topic):
    """A stranger's transaction with a record in each partition."""
    producer = Producer({"bootstrap.servers": kafka.bootstrap, "transactional.id": name, "log_level": 0})
    producer.init_transactions()
    producer.begin_transaction()
    for partition in range(4):
        producer.produce(topic, b"x", key=b"etl", partition=partition)
    assert producer.flush(30) == 0
    return producer


def test_nobodys_transaction_keeps_others_waiting(world, kafka):
    wire, sender = Wire(kafka.bootstrap), enrolled(world, "CN-TH-EMB")
    hq = world.headquarters().start()
    stranger = begun(kafka, "open", EVACUATION)
    send(wire, sender, EVACUATION, operation(), "OP-2")
    hq.wait_events(sender.name, EVACUATION, 1)
    stranger.abort_transaction()
    send(wire, sender, EVACUATION, operation(), "OP-3")
    hq.wait_events(sender.name, EVACUATION, 2)
    hq.stop()


def test_a_cut_tail_is_seen_behind_markers(world, kafka):
    mission = world.mission("CN-EG-EMB", resend=86400, pulse=1).start()
    hq = world.headquarters(after=2).start()
    mission.publish([valise.case_opened("EG-1")])
    hq.wait_events(mission.name, CASE, 1)
    hq.stop()
    mission.publish([valise.case_opened("EG-2")])
    wait_for("both in Kafka", lambda: [batch["state"] for batch in mission.batches()
                                       if batch["lane"] == CASE] == ["acked"] * 2)
    consumer = Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": "none", "log_level": 0})
    ends = [TopicPartition(CASE, n, valise.watermarks(consumer, CASE, n)[1]) for n in range(4)]
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    for future in admin.delete_records(ends).values():
        future.result(30)
    begun(kafka, "marker", CASE).commit_transaction()
    hq.start()
    wait_for("the gap", lambda: hq.standing(mission.name, CASE).get("verdict") == "gap")
    consumer.close()
    hq.stop()


def configure(kafka, topic, key, value):
    wanted = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=[
        ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)])
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    for future in admin.incremental_alter_configs([wanted]).values():
        future.result(30)


def test_senders_time_decides_nothing_and_is_said_aloud(world, kafka):
    configure(kafka, PULSE, "message.timestamp.type", "CreateTime")
    mission = world.mission("CN-KE-EMB", pulse=1).start()
    ahead = enrolled(world, "CN-NG-EMB")
    hq = world.headquarters().start()
    wait_for("a pulse", lambda: mission.name in hq.missions())
    wait_for("the setting", lambda: [row["setting"] for row in unread(hq, "setting")] == ["message.timestamp.type"])
    assert "'valise.pulse.v1': message.timestamp.type is CreateTime" in hq.said()
    value = ahead.batch(ahead.event(ahead.name, valise.message(PULSE + ".Pulse")()), lane=PULSE)
    producer = Producer({"bootstrap.servers": kafka.bootstrap})
    producer.produce(PULSE, value=value, headers=ahead.headers(value), key=ahead.name.encode(),
                     timestamp=int((time.time() + 50 * 60) * 1000))
    assert producer.flush(30) == 0
    wait_for("the pulse that is ahead", lambda: ahead.name in hq.missions())
    assert hq.missions()[mission.name]["verdict"] == "ok"
    configure(kafka, PULSE, "message.timestamp.type", "LogAppendTime")
    wait_for("the setting to be right", lambda: unread(hq, "setting") == [])
    assert "message.timestamp.type is as it should be again" in hq.said()
    hq.stop()
