"""Keeper, link and headquarters are killed under load: nothing that was accepted is lost, nothing is there twice.

The oracle is what `valise publish` has printed. Every line of the load has an id; all are answered in the end, as
publish waits for an agent that comes back; and headquarters must then hold exactly these events, each once, under the
number of its answer.

Environment: VALISE_KILLS (how many, 15), VALISE_SEED (which, when; printed).
"""

import os
import random
import threading

import pytest

import valise
from valise import CASE, case_opened, event, rows, wait_for

KILLS = int(os.environ.get("VALISE_KILLS", 15))
MISSIONS = ("CN-SD-EMB", "CN-EG-EMB")
SUBJECTS = 12
A_TURN = 40


class Load(threading.Thread):
    """Publishes turn after turn through one mission, each turn a `valise publish` of its own, until told to stop."""

    def __init__(self, mission, dice):
        super().__init__(daemon=True)
        self.mission, self.dice = mission, dice
        self.given, self.answers, self.wrong = [], [], []
        self.enough, self.turns = threading.Event(), 0

    def run(self):
        while not self.enough.is_set():
            events = [event(CASE + ".NoteAdded", self.subject()) if self.given else case_opened(self.subject())
                      for _ in range(A_TURN)]
            # Some of the turn before once more, as a program does that has not heard an answer.
            try:
                self.publish(events + self.dice.sample(self.given[-A_TURN:], min(5, len(self.given))))
            except Exception as error:
                self.wrong.append(error)
            self.given += events
            self.turns += 1

    def subject(self):
        return f"{self.mission.name[3:5]}-{self.dice.randrange(SUBJECTS)}"

    def publish(self, events):
        """One turn. Where no agent is there to begin with, again; one that goes away later is publish's own affair."""
        result = wait_for("an agent", lambda: self.attempt(events), 60)
        lines = sorted(answer["line"] for answer in result.answers)
        if result.returncode != 0 or lines != list(range(1, len(events) + 1)):
            self.wrong.append((result.returncode, result.stderr))
        self.answers += result.answers

    def attempt(self, events):
        result = self.mission.publish(events, check=False)
        none = result.returncode == 1 and result.answers == [] and "no agent answers" in result.stderr
        return None if none else result


def kill(victim, mission, hq):
    """Kill one, and start again what nobody else does. False where there is none to kill just now."""
    if victim == "keeper":
        mission.kill()
        mission.start()
    elif victim == "agent, politely":
        mission.stop()
        mission.start()
    elif victim == "link":
        link = mission.link()
        if link is None:
            return False
        os.kill(link, 9)
    else:
        hq.kill()
        hq.start()
    return True


def all_alive(missions, hq):
    """Nobody has died by himself."""
    for mission in missions:
        assert mission.process.poll() is None, mission.said()
    return hq.alive()


def places(answers):
    """id -> (lane, epoch, event), which every answer about it has to agree on."""
    found = {}
    for answer in answers:
        place = answer["lane"], int(answer["epoch"]), int(answer["event"])
        assert found.setdefault(answer["id"], place) == place
    return found


def held(hq, name):
    """What headquarters holds of a mission: (id, (lane, epoch, event)) of all in every history, repetitions too."""
    found = []
    for number in range(SUBJECTS):
        case = hq.show("case", f"{name[3:5]}-{number}", check=False)
        for item in case["history"] if case else []:
            assert item["mission"] == name
            found.append((item["event"]["id"], (CASE, int(item["epoch"]), int(item["eventNo"]))))
    return found


@pytest.mark.skipif(KILLS == 0, reason="VALISE_KILLS=0")
def test_nothing_lost_and_nothing_double(world):
    seed = int(os.environ.get("VALISE_SEED", random.SystemRandom().randrange(1 << 31)))
    print(f"VALISE_SEED={seed} VALISE_KILLS={KILLS}")
    dice = random.Random(seed)
    missions = [world.mission(name).start() for name in MISSIONS]
    hq = world.headquarters().start()
    loads = [Load(mission, random.Random(dice.random())) for mission in missions]
    for load in loads:
        load.start()
    done = []
    while len(done) < KILLS:
        load = dice.choice(loads)
        until = load.turns + dice.randrange(1, 4)
        delay = dice.random() * 0.2
        wait_for("the load to go on", lambda: all_alive(missions, hq) and (load.turns >= until or load.wrong), 60)
        assert load.wrong == []
        threading.Event().wait(delay)  # anywhere within a turn
        victim = dice.choice(("keeper", "link", "headquarters", "agent, politely"))
        if kill(victim, load.mission, hq):
            done.append(victim)
    for load in loads:
        load.enough.set()
    for load in loads:
        load.join(120)
        assert not load.is_alive()
        assert load.wrong == []
    print({victim: done.count(victim) for victim in sorted(set(done))},
          {load.mission.name: len(load.given) for load in loads})

    for load in loads:
        name, accepted = load.mission.name, places(load.answers)
        assert set(accepted) == {each["id"] for each in load.given}
        assert sorted(number for _, _, number in accepted.values()) == list(range(1, len(accepted) + 1))
        assert len({epoch for _, epoch, _ in accepted.values()}) == 1
        hq.wait_events(name, CASE, len(accepted), 90)
        assert sorted(held(hq, name)) == sorted(accepted.items())
        standing = hq.standing(name, CASE)
        assert (standing["verdict"], int(standing["events"]), int(standing["parked"])) == ("ok", len(accepted), 0)
    audit = valise.valise("verify", "-b", world.kafka.bootstrap, "--keys", world.keys, "-o", "json", CASE)
    assert {row["mission"]: row["events"] for row in rows(audit)} == {
        load.mission.name: len(load.given) for load in loads}
    rebuilt = world.headquarters("rebuilt").start()
    for load in loads:
        rebuilt.wait_events(load.mission.name, CASE, len(load.given))
    assert rebuilt.digest() == hq.digest()
