"""Kafka compacts the topics of receipts and pulses: nobody who was away misses anything, and nobody takes a hole for a loss."""

import pytest
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

import valise
from valise import CASE, Kafka, Wire, case_opened, message, rows, wait_for

PULSE = "valise.pulse.v1"
SD, TH = "CN-SD-EMB", "CN-TH-EMB"
RECEIPT = f"{valise.RECEIPT}.{SD}"

# What takes Kafka months, at once: each second a new segment, and every older one is compacted.
AT_ONCE = {"min.compaction.lag.ms": "0", "min.cleanable.dirty.ratio": "0.01", "segment.ms": "1000",
           "segment.bytes": "1048576"}


@pytest.fixture
def kafka(tmp_path):
    """A broker of the test's own, which compacts at once."""
    broker = Kafka(tmp_path / "kafka")
    try:
        admin = AdminClient({"bootstrap.servers": broker.bootstrap, "log_level": 0})
        alter(admin, ResourceType.BROKER, "1", {"log.cleaner.backoff.ms": "200"})
        alter(admin, ResourceType.TOPIC, PULSE, AT_ONCE)
        broker.admin = admin
        yield broker
    finally:
        broker.stop()


@pytest.fixture
def place(world):
    """Two missions, and headquarters' own agent."""
    world.wire = Wire(world.kafka.bootstrap)
    world.own = world.mission("HQ", resend=86400, pulse=1).start()
    world.sd = world.mission(SD, resend=86400, pulse=1).start()
    world.th = world.mission(TH, resend=86400, pulse=1).start()
    alter(world.kafka.admin, ResourceType.TOPIC, RECEIPT, AT_ONCE)
    return world


def alter(admin, kind, name, settings):
    entries = [ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET) for key, value in settings.items()]
    resource = ConfigResource(kind, name, incremental_configs=entries)
    admin.incremental_alter_configs([resource])[resource].result(10)


def batches(place, topic, mission):
    """What a topic still has of a sender: (offset, batch)."""
    return [(record.offset(), message("valise.v1.Batch").FromString(record.value()))
            for record in place.wire.records(topic) if record.key() == mission.encode()]


def receipts(place):
    """What the topic still has for the first mission: (offset, seq of its cases)."""
    found = []
    for offset, batch in batches(place, RECEIPT, "HQ"):
        (event,) = batch.events
        receipt = message("valise.receipt.v1.Receipt")()
        assert event.payload.Unpack(receipt) and receipt.mission == event.subject == SD
        found += [(offset, applied.seq) for applied in receipt.applied if applied.lane == CASE]
    return found


def states(mission):
    return [batch["state"] for batch in mission.batches() if batch["lane"] == CASE]


def publish(mission, count):
    """A batch for each event."""
    for _ in range(count):
        mission.publish([case_opened(f"{mission.name}-1")])


def audit(place, *lanes):
    """The lines of `valise verify`, which finds nothing wrong."""
    lines = rows(valise.valise("verify", "-b", place.kafka.bootstrap, "--keys", place.keys, *lanes, "-o", "json"))
    assert {line["verdict"] for line in lines} == {"ok"}, lines
    return {(line["mission"], line["lane"]): line for line in lines}


def test_a_mission_that_was_away_gets_its_receipt(place):
    hq = place.headquarters(agent=place.own).start()
    publish(place.sd, 1)
    wait_for("the first receipt", lambda: states(place.sd) == [])
    hq.stop()
    publish(place.sd, 5)
    wait_for("Kafka's acks", lambda: states(place.sd) == ["acked"] * 5)
    place.sd.stop()

    hq.start()
    hq.wait_events(SD, CASE, 6)
    first = wait_for("its receipt", lambda: [offset for offset, seq in receipts(place) if seq == 6])[0]

    def gone():
        # It says its receipts when it starts.
        hq.stop()
        hq.start()
        left = batches(place, RECEIPT, "HQ")
        return left[0][0] > first and left
    left = wait_for("the compaction", gone, 90)
    # The mission has read up to a record that is not there any more, and goes on behind it.
    place.sd.start()
    wait_for("a receipt for all", lambda: states(place.sd) == [], 60)
    assert place.sd.applied()[CASE] == 6
    assert "no longer has offset" not in place.sd.said()
    assert len(left) < left[-1][1].seq and receipts(place)[-1][1] == 6
    assert audit(place, RECEIPT)["HQ", RECEIPT]["gaps"] == 0


def verdicts(hq):
    """Of every mission and each of its lanes."""
    assert hq.alive()
    return {name: (line["verdict"], line["lanes"]) for name, line in hq.missions().items()}


def test_a_rebuilt_headquarters_judges_as_before(place):
    hq = place.headquarters(agent=place.own).start()
    publish(place.sd, 3)
    publish(place.th, 3)
    hq.wait_events(SD, CASE, 3)
    hq.wait_events(TH, CASE, 3)
    wait_for("the receipts", lambda: states(place.sd) + states(place.th) == [])
    wait_for("a pulse with nothing waiting", lambda: hq.missions()[SD].get("waiting") == 0)
    place.sd.stop()
    wait_for("the silence", lambda: verdicts(hq)[SD][0] == "silent")
    wait_for("the others' word", lambda: {verdicts(hq)[name][0] for name in (TH, "HQ")} == {"ok"})
    before = verdicts(hq)
    hq.stop()
    read = place.wire.records(PULSE)[-1].offset()

    def compacted():
        left = [record for record in place.wire.records(PULSE) if record.offset() <= read]
        return [record.key() for record in left] == [SD.encode()]
    wait_for("the compaction", compacted, 90)

    rebuilt = place.headquarters("rebuilt").start()
    rebuilt.wait_events(SD, CASE, 3)
    rebuilt.wait_events(TH, CASE, 3)
    wait_for("the same verdicts", lambda: verdicts(rebuilt) == before, 60)
    assert rebuilt.digest() == hq.digest()
    for mission in (SD, TH):
        assert rebuilt.standing(mission, CASE)["verdict"] == hq.standing(mission, CASE)["verdict"]
    # Nor does one whose last record is gone miss it, or a program that looks at all there is.
    heard = hq.standing(TH, PULSE)["batches"]
    hq.start()
    wait_for("a new pulse", lambda: hq.alive() and hq.standing(TH, PULSE)["batches"] > heard)
    wait_for("the same verdicts", lambda: verdicts(hq) == before, 60)
    for one in (hq, rebuilt):
        for alarm in ("no longer has", "made anew", "are not there", "are missing"):
            assert alarm not in one.said()
    lines = audit(place, PULSE, RECEIPT, CASE)
    assert (lines[SD, PULSE]["batches"], lines[SD, PULSE]["gaps"], lines[SD, CASE]["batches"]) == (1, 0, 3)
