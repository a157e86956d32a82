"""Heartbeats: a mission that falls silent and a tail that Kafka has lost are seen, by name, and go by themselves."""

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

import valise
from valise import CASE, Wire, World, case_opened, rows, wait_for

PULSE = "valise.pulse.v1"
SD = "CN-SD-EMB"


@pytest.fixture
def place(tmp_path, kafka):
    """A mission, headquarters, and headquarters' own agent; both agents send a pulse a second."""
    made = World(tmp_path, kafka)
    made.own = made.mission("HQ", resend=60, pulse=1).start()
    made.sd = made.mission(SD, resend=86400, pulse=1).start()
    made.hq = made.headquarters(agent=made.own)
    yield made
    made.close()


def publish(mission, first, count):
    """A batch for each event."""
    for number in range(first, first + count):
        mission.publish([case_opened(f"SD-{number}")])


def comes(place, what, condition, seconds=60):
    """The line of the mission, once the condition holds of it."""
    last = []

    def look():
        assert place.hq.alive()
        last[:] = [place.hq.missions().get(SD)]
        return last[0] if last[0] is not None and condition(last[0]) else None

    try:
        return wait_for(what, look, seconds)
    except AssertionError as error:
        raise AssertionError(f"{error}; last: {last}; {place.hq.said()}") from None


def states(mission):
    return [batch["state"] for batch in mission.batches() if batch["lane"] != PULSE]


def truncate(place, topic):
    """Delete every record; the offsets go on."""
    admin = AdminClient({"bootstrap.servers": place.kafka.bootstrap, "log_level": 0})
    parts = admin.list_topics(topic, timeout=10).topics[topic].partitions
    for future in admin.delete_records([TopicPartition(topic, number, -1) for number in parts]).values():
        future.result()


def test_pulses_say_how_a_mission_stands(place):
    place.hq.start()
    publish(place.sd, 0, 3)
    place.hq.wait_events(SD, CASE, 3)
    wait_for("the receipts", lambda: states(place.sd) == [])
    line = comes(place, "a pulse with nothing waiting", lambda line: line.get("waiting") == 0 and "clockOffsetMs" in line)
    assert (line["intervalSeconds"], line["verdict"]) == (1, "ok")
    assert abs(line["clockOffsetMs"]) < 60000
    assert valise.valise("--version").stdout.split()[-1] == line["version"]
    lane = place.hq.standing(SD, PULSE)
    assert (lane["verdict"], lane["forks"], lane["parked"], lane["replayed"]) == ("ok", 0, 0, 0)
    # They are in no archive and in no view, and leave at most one behind in the outbox.
    assert PULSE not in place.hq.digest()
    assert [batch["lane"] for batch in place.sd.batches()] in ([], [PULSE])
    # What is sent while Kafka's answers come is signed as all else is, in one chain.
    checked = rows(valise.valise("verify", "-b", place.kafka.bootstrap, "--keys", place.sd.world.keys, PULSE, "-o", "json"))
    assert {row["verdict"] for row in checked if row["mission"] == SD} == {"ok"}


def test_a_killed_agent_is_silent_until_it_comes_back(place):
    place.hq.start()
    publish(place.sd, 100, 1)
    comes(place, "a pulse", lambda line: "pulse" in line and line["verdict"] == "ok")
    place.sd.kill()
    line = comes(place, "the silence", lambda line: line["verdict"] == "silent")
    assert {lane["verdict"] for lane in line["lanes"]} == {"silent"}
    wait_for("the word of headquarters' own agent", lambda: place.hq.missions()["HQ"]["verdict"] == "ok")
    assert f"{SD} +silent".replace(" +", "  ") in valise.valise("mission", "ls", "--views", place.hq.views).stdout
    place.sd.start()
    comes(place, "its word", lambda line: line["verdict"] == "ok")
    # Where nobody is heard, nobody is called silent for it.
    place.sd.stop()
    place.own.stop()
    quiet = wait_for("the quiet", lambda: [line for line in [place.hq.missions()[SD]] if line.get("deaf")])
    assert "itself receives no pulse" in valise.valise("mission", "ls", "--views", place.hq.views).stderr
    assert len(quiet) == 1


def test_a_cut_tail_is_named_and_heals(place):
    place.hq.start()
    publish(place.sd, 200, 2)
    place.hq.wait_events(SD, CASE, 2)
    wait_for("the receipts", lambda: states(place.sd) == [])
    place.hq.stop()
    publish(place.sd, 202, 3)
    wait_for("Kafka's acks", lambda: states(place.sd) == ["acked"] * 3)
    truncate(place, CASE)
    wire = Wire(place.kafka.bootstrap)
    said = len(wire.records(PULSE))
    wait_for("pulses after that", lambda: len(wire.records(PULSE)) > said + 4)
    place.hq.start()
    line = comes(place, "the gap", lambda line: line["verdict"] == "gap")
    epoch = place.hq.standing(SD, CASE)["epoch"]
    assert line["lanes"] == [{"lane": CASE, "verdict": "gap", "missing": {"epoch": epoch, "from": "3", "to": "5"}}]
    assert place.hq.standing(SD, CASE)["parked"] == 0
    table = valise.valise("mission", "ls", "--views", place.hq.views).stdout
    assert f"{CASE} gap {epoch}/3-5" in table
    # A restart of headquarters forgets nothing; the mission sends again, and it is gone.
    place.hq.stop()
    place.hq.start()
    comes(place, "the gap", lambda line: line["verdict"] == "gap")
    place.sd.stop()
    place.sd.config.write_text(place.sd.config.read_text().replace("resend = 86400", "resend = 1"))
    place.sd.start()
    comes(place, "the end of the gap", lambda line: line["verdict"] == "ok")
    assert int(place.hq.standing(SD, CASE)["events"]) == 5
