"""Three brokers under load: one is killed, the leader hangs, all are started anew. Publishing goes on; nothing is lost or double.

The oracle is what `valise publish` has printed (oracle.py). Environment: VALISE_SEED (what the load looks like; printed),
VALISE_HANG (how many seconds the leader is stopped, 20).
"""

import os
import random
import signal
import threading

import pytest
from confluent_kafka.admin import AdminClient

import oracle
import valise
from test_kill import SUBJECTS, Load, check
from valise import CASE, wait_for

HANG = float(os.environ.get("VALISE_HANG", 20))


@pytest.fixture
def three(tmp_path):
    kafka = valise.Kafka(tmp_path / "kafka", brokers=3)
    yield kafka
    kafka.stop()


def leader(kafka, mission):
    """The broker that leads the partition in which this mission's records lie."""
    lane = AdminClient({"bootstrap.servers": kafka.bootstrap, "log_level": 0}).list_topics(CASE, timeout=20).topics[CASE]
    for record in valise.Wire(kafka.bootstrap).records(CASE):
        if record.key() == mission.name.encode() and lane.partitions[record.partition()].leader > 0:
            return lane.partitions[record.partition()].leader
    return None


def broker_pid(kafka, number):
    return int(kafka.command("pid", "--broker", number).stdout)


def going_on(load, turns=3, seconds=90):
    until = load.turns + turns
    wait_for("the load to go on", lambda: load.turns >= until or load.wrong, seconds)
    assert load.wrong == []


def arriving(hq, load, seconds=120):
    """Headquarters has all that was accepted by now."""
    hq.wait_events(load.mission.name, CASE, len(oracle.places(list(load.answers))), seconds)


def test_brokers_die_under_load(tmp_path, three):
    seed = int(os.environ.get("VALISE_SEED", random.SystemRandom().randrange(1 << 31)))
    print(f"VALISE_SEED={seed}")
    world = valise.World(tmp_path, three)
    try:
        own = world.mission("HQ")  # whose key the mission has to know
        load = Load(world.mission("CN-SD-EMB", resend=600).start(), random.Random(seed), pause=0.2)
        go_through(world, three, world.headquarters(agent=own.start()).start(), load)
    finally:
        world.close()


def go_through(world, three, hq, load):
    load.start()
    going_on(load)
    arriving(hq, load)

    first = wait_for("a leader", lambda: leader(three, load.mission))
    os.kill(broker_pid(three, first), signal.SIGKILL)
    going_on(load)
    arriving(hq, load)
    three.command("up", "--broker", first)
    going_on(load)

    second = wait_for("a leader", lambda: leader(three, load.mission))
    hung = broker_pid(three, second)
    os.kill(hung, signal.SIGSTOP)
    try:
        going_on(load)
        threading.Event().wait(HANG)  # so long is what is being tried
        going_on(load)
    finally:
        os.kill(hung, signal.SIGCONT)
    arriving(hq, load)

    three.command("down")
    going_on(load)
    three.command("up")
    arriving(hq, load)
    load.finish()
    print(f"killed {first}, hung {second}; {len(load.given)} events, {SUBJECTS} subjects")
    check(world, hq, [load])
    wait_for("receipts for all", lambda: load.mission.batches() == [], 120)
