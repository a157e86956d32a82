"""Each process dies at each place where that could hurt, under load on a real Kafka: nothing is lost, nothing is there twice.

The places are the failpoints that are built into the programs for tests (services/base/failpoint.h). The oracle is what `valise
publish` has printed (oracle.py).

Environment: VALISE_DEATHS (how often at each, 2), VALISE_SEED (at which of its calls; printed).
"""

import os
import random

import pytest

from test_kill import Load, check
from valise import CASE, PROGRAMS, wait_for

DEATHS = int(os.environ.get("VALISE_DEATHS", 2))

# Where, how, and the last call of it at which that may be.
KEEPER = [("keeper.before-commit", "kill", 5), ("keeper.after-commit", "kill", 5), ("keeper.before-answer", "kill", 5)]
LINK = [("link.send", "fail", 5), ("link.after-send", "kill", 5), ("link.before-told", "kill", 3),
        ("link.after-told", "kill", 3), ("link.after-send", "500", 3)]
HQ = [("hq.fetch", "fail", 5), ("hq.after-fetch", "kill", 5), ("hq.after-verify", "kill", 3), ("hq.mid-apply", "kill", 5),
      ("hq.before-commit", "kill", 3), ("hq.after-commit", "kill", 3), ("hq.before-commit", "500", 3)]

pytestmark = pytest.mark.skipif(b"VALISE_FAILPOINT" not in (PROGRAMS / "valise-hq").read_bytes(),
                                reason="built without VALISE_FAILPOINTS")


def arm(part, point, how, call):
    """Start it anew, to fail there."""
    part.stop()
    part.environment = {"VALISE_FAILPOINT": f"{point}:{how}:{call}"}


def disarm(part):
    part.stop()
    part.environment = {}
    part.start()


def died(process, point):
    code = wait_for(f"the end at {point}", process.poll, 60)
    assert code == -9, f"{point}: {code}"


def dawdle(load):
    """It only waits there: long enough for that to happen."""
    until = load.turns + 3
    wait_for("the load to go on", lambda: load.turns >= until or load.wrong, 60)


def die_in_keeper(mission, load, point, how, call):
    arm(mission, point, how, call)
    mission.process = mission.spawn()
    died(mission.process, point)
    disarm(mission)


def die_in_link(mission, load, point, how, call):
    words = {"kill": "the link died of signal 9", "fail": "the handle is dead"}.get(how)
    before = mission.said().count(words) if words else 0
    arm(mission, point, how, call)
    mission.start()
    if words:
        wait_for(f"the end at {point}", lambda: mission.said().count(words) > before, 60)
    else:
        dawdle(load)
    disarm(mission)


def die_in_headquarters(hq, load, point, how, call):
    arm(hq, point, how, call)
    if how == "kill":
        hq.spawn()
        died(hq.process, point)
    else:
        before = hq.said().count("a test says so")
        hq.start()
        if how == "fail":
            wait_for(f"the end at {point}", lambda: hq.said().count("a test says so") > before, 60)
        else:
            dawdle(load)
    disarm(hq)


def test_death_at_each_place(world):
    seed = int(os.environ.get("VALISE_SEED", random.SystemRandom().randrange(1 << 31)))
    print(f"VALISE_SEED={seed} VALISE_DEATHS={DEATHS}")
    dice = random.Random(seed)
    mission = world.mission("CN-SD-EMB").start()
    hq = world.headquarters().start()
    load = Load(mission, random.Random(dice.random()))
    load.start()
    ways = ([(die_in_keeper, mission, place) for place in KEEPER] + [(die_in_link, mission, place) for place in LINK]
            + [(die_in_headquarters, hq, place) for place in HQ]) * DEATHS
    dice.shuffle(ways)
    for die, part, (point, how, last) in ways:
        die(part, load, point, how, dice.randint(1, last))
        assert load.wrong == []
    load.finish()
    print(f"{len(ways)} deaths, {len(load.given)} events")
    hq.wait_events(mission.name, CASE, len(load.given), 120)
    check(world, hq, [load])
