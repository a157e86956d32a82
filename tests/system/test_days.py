"""Seven days without a line, on a clock that is wrong by a year: all of it arrives, byte for byte, the first hour included.

The mission's agent runs on a clock of its own (tests/faults/shift.c); an hour of the seven days passes in the time that its events
take. Every midnight the agent ends, politely or not, and another one starts, with nobody to send to. Then
Kafka and headquarters come up.

Environment: VALISE_DAYS_EVENTS (how many, 17000 on each clock), VALISE_SEED (which, and how the agents end; printed).
"""

import os
import random
import struct
import time

import pytest

import oracle
import valise
from valise import CASE, wait_for

EVENTS = int(os.environ.get("VALISE_DAYS_EVENTS", 17000))
YEAR = 365 * 86400
HOURS = 7 * 24
MISSION = "CN-SD-EMB"

class Clock:
    """The hour, as the mission's machine has it (tests/faults/shift.c)."""

    def __init__(self, folder):
        self.file = open(folder / "clock", "w+b", buffering=0)
        self.set(0)

    def environment(self):
        options = ":".join([valise.ENVIRONMENT["ASAN_OPTIONS"], "verify_asan_link_order=0"])
        return {"LD_PRELOAD": str(valise.PROGRAMS / "shift.so"), "VALISE_SHIFT": str(self.file.name), "ASAN_OPTIONS": options}

    def set(self, ahead):
        self.ahead = ahead
        os.pwrite(self.file.fileno(), struct.pack("=q", ahead), 0)

    def seconds(self):
        return time.time() + self.ahead


def midnight(mission, dice, keeper, tonight):
    """The agent ends, and another one starts: by itself, killed, or killed with requests under way that nobody heard."""
    how = dice.choice(("stop", "kill", "kill under way"))
    if how == "stop":
        mission.stop()
    else:
        if how == "kill under way":
            keeper.give(mission, tonight, deaf=True)
        mission.kill()
    began = time.monotonic()
    mission.start()
    return how, round(time.monotonic() - began, 2)


def seven_days(mission, clock, dice, wrong):
    """Events of every hour; `wrong(hour)` says how many seconds the clock is ahead. What the oracle kept, and the events."""
    keeper, events = oracle.Oracle(), oracle.Events(dice.random(), max(10, EVENTS // 250), "SD")
    first_hour, nights = [], []
    for hour in range(HOURS):
        clock.set(wrong(hour) + hour * 3600)
        given = [events.next(clock.seconds()) for _ in range(EVENTS * (hour + 1) // HOURS - EVENTS * hour // HOURS)]
        if hour > 0 and hour % 24 == 0:
            nights.append(midnight(mission, dice, keeper, given))
        keeper.give(mission, given)
        if hour == 0:
            first_hour = [uuid for uuid, _ in given]
    print("nights:", nights, "answered before:", keeper.duplicates)
    assert len(keeper.accepted) == EVENTS and len(first_hour) > 0
    return keeper, events, first_hour


def on_its_way_nowhere(mission, keeper):
    """All of it waits, under times that only such a clock can have."""
    held = mission.batches()
    assert {batch["state"] for batch in held} == {"stored"}
    assert sum(int(batch["events"]) for batch in held) == len(keeper.accepted)
    return [batch["storedAt"][:4] for batch in held]


CLOCKS = {
    "a-year-ahead": lambda hour: YEAR,
    "a-year-behind": lambda hour: -YEAR,
    # Somebody sets it right on the fourth day.
    "ahead-then-right": lambda hour: YEAR if hour < 84 else 0,
}


@pytest.mark.parametrize("wrong", CLOCKS)
def test_seven_days_without_a_line(tmp_path, wrong):
    seed = int(os.environ.get("VALISE_SEED", random.SystemRandom().randrange(1 << 31)))
    print(f"VALISE_SEED={seed} VALISE_DAYS_EVENTS={EVENTS}")
    kafka = valise.Kafka(tmp_path / "kafka")
    # The brokers' ports are known; nobody listens there.
    kafka.command("down")
    world = valise.World(tmp_path, kafka)
    try:
        live(world, wrong, random.Random(seed))
    finally:
        try:
            world.close()
        finally:
            kafka.stop()


def live(world, wrong, dice):
    clock = Clock(world.folder)
    clock.set(CLOCKS[wrong](0))
    own = world.mission("HQ")  # whose key the mission has to know
    mission = world.mission(MISSION, size="8G", resend=600)
    mission.environment = clock.environment()
    mission.start()
    began = time.monotonic()
    keeper, events, first_hour = seven_days(mission, clock, dice, CLOCKS[wrong])
    years = on_its_way_nowhere(mission, keeper)
    this = time.gmtime().tm_year
    assert {int(year) - this for year in years} & ({1, 2} if wrong != "a-year-behind" else {-1, -2})
    print(f"{len(years)} batches wait after {time.monotonic() - began:.1f} s")

    began = time.monotonic()
    # Headquarters starts with no broker, too: an ordinary start.
    hq = world.headquarters(agent=own.start()).start()
    world.kafka.command("up")
    world.address()
    hq.wait_events(MISSION, CASE, EVENTS, 120 + EVENTS // 1000)
    wait_for("receipts that empty the outbox", lambda: mission.batches() == [], 120)
    print(f"all is there and receipted after {time.monotonic() - began:.1f} s")

    keeper.check_log(world.kafka.bootstrap, MISSION)
    keeper.check_views(hq, MISSION, events.all_subjects())
    assert set(first_hour) <= set(keeper.accepted)
