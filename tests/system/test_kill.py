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
from google.protobuf import json_format

import oracle
import valise
from valise import CASE, case_opened, event, message, pool, rows, wait_for

KILLS = int(os.environ.get("VALISE_KILLS", 15))
MISSIONS = ("CN-SD-EMB", "CN-EG-EMB")
SUBJECTS = 12
A_TURN = 40


class Load(threading.Thread):
    """Publishes turn after turn through one mission, each turn a `valise publish` of its own, until told to stop."""

    def __init__(self, mission, dice, pause=0):
        super().__init__(daemon=True)
        self.mission, self.dice, self.pause = mission, dice, pause
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
            self.enough.wait(self.pause)

    def subject(self):
        return f"{self.mission.name[3:5]}-{self.dice.randrange(SUBJECTS)}"

    def publish(self, events):
        """One turn. Where no agent is there to begin with, again; one that goes away later is publish's own affair."""
        result = wait_for("an agent", lambda: self.attempt(events), 60)
        lines = sorted(answer["line"] for answer in result.answers)
        if result.returncode != 0 or lines != list(range(1, len(events) + 1)):
            self.wrong.append((result.returncode, result.stderr))
        self.answers += result.answers

    def finish(self):
        self.enough.set()
        self.join(120)
        assert not self.is_alive()
        assert self.wrong == []

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


def held(hq, name):
    """What headquarters holds of a mission: (id, (lane, epoch, event)) of all in every history, repetitions too."""
    found = []
    for number in range(SUBJECTS):
        case = hq.show("case", f"{name[3:5]}-{number}", check=False)
        for item in case["history"] if case else []:
            assert item["mission"] == name
            found.append(oracle.case_place(item))
    return found


def written(hq, load):
    """id -> the event, of all that headquarters shows of a load."""
    shown = (hq.show("case", f"{load.mission.name[3:5]}-{number}", check=False) for number in range(SUBJECTS))
    return {item["event"]["id"]: as_given(item["event"]) for case in shown if case for item in case["history"]}


def as_given(shown):
    """An event's bytes, from its JSON; programs may leave out what stands before a type's name."""
    made = json_format.ParseDict(shown, message("valise.v1.Event")(), descriptor_pool=pool)
    made.payload.type_url = "type.googleapis.com/" + made.payload.type_url.rpartition("/")[2]
    return made.SerializeToString(deterministic=True)


def check(world, hq, loads):
    """Everything that was accepted is at headquarters once, under its number, as it was given; and another headquarters comes to the
    same views, to which each batch came once and in order."""
    for load in loads:
        name, accepted = load.mission.name, oracle.places(load.answers)
        assert set(accepted) == {each["id"] for each in load.given}
        assert sorted(number for _, _, number in accepted.values()) == list(range(1, len(accepted) + 1))
        assert len({epoch for _, epoch, _ in accepted.values()}) == 1
        hq.wait_events(name, CASE, len(accepted), 120)
        assert sorted(held(hq, name)) == sorted(accepted.items())
        assert written(hq, load) == {each["id"]: as_given(each) for each in load.given}
        standing = hq.standing(name, CASE)
        assert (standing["verdict"], int(standing["events"]), int(standing["parked"])) == ("ok", len(accepted), 0)
    audit = valise.valise("verify", "-b", world.kafka.bootstrap, "--keys", world.keys, "-o", "json", CASE)
    assert {row["mission"]: row["events"] for row in rows(audit)} == {
        load.mission.name: len(load.given) for load in loads}
    kafka, unbroken = oracle.unbroken(world)
    try:
        for load in loads:
            unbroken.wait_events(load.mission.name, CASE, len(load.given), 60 + len(load.given) // 1000)
        assert unbroken.digest() == hq.digest()
        unbroken.stop()
    finally:
        kafka.stop()


@pytest.mark.skipif(KILLS == 0, reason="VALISE_KILLS=0")
def test_nothing_lost_and_nothing_double(world):
    seed = int(os.environ.get("VALISE_SEED", random.SystemRandom().randrange(1 << 31)))
    print(f"VALISE_SEED={seed} VALISE_KILLS={KILLS}")
    dice = random.Random(seed)
    missions = [world.mission(name).start() for name in MISSIONS]
    hq = world.headquarters().start()
    # A long run is to be long in kills, not in events.
    loads = [Load(mission, random.Random(dice.random()), pause=0.2 if KILLS > 100 else 0) for mission in missions]
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
        load.finish()
    print({victim: done.count(victim) for victim in sorted(set(done))},
          {load.mission.name: len(load.given) for load in loads})

    check(world, hq, loads)
