"""A ship as it sailed: 678 people, 668 nationals and 10 others. Told twice, by two missions at once, it stays 678."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from valise import EVACUATION, event

PORT, HAVEN = "CN-SD-EMB", "CN-SA-CG-JED"
OPERATION, LEG = "SD-2023", "SD-SHIP-1"
NATIONALS, FOREIGN = 668, 10
STATES = ("PK", "BR", "GB", "AE", "KE")
PEOPLE = [f"P-{number:03}" for number in range(1, NATIONALS + FOREIGN + 1)]


def fact(name, subject, at, **fields):
    return event(f"{EVACUATION}.{name}", subject, {"operation": OPERATION, **fields}, at=f"2023-04-26T{at}Z")


def registered(number, person):
    foreign = number >= NATIONALS
    state = STATES[number % len(STATES)] if foreign else "CN"
    return fact("PersonRegistered", person, "10:00:00", person=person,
                standing="STANDING_FOREIGN" if foreign else "STANDING_NATIONAL", nationality=state,
                **({"requestingState": state} if foreign else {}))


def gangway(person, checkpoint, at):
    return fact("CheckpointRecorded", LEG, at, person=person, leg=LEG, checkpoint=f"CHECKPOINT_{checkpoint}")


def before_sailing():
    """What the port writes; its list is made by two officers, so that much of it is there twice."""
    return [
        fact("OperationOpened", OPERATION, "06:00:00", title="Evacuation", lead=PORT),
        fact("LegPlanned", LEG, "08:00:00", leg=LEG, capacity=700, vehicle={"kind": "VEHICLE_KIND_WARSHIP"},
             destination={"name": "Jeddah", "country": "SA", "zone": "PLACE_ZONE_STAGING"}),
        *(registered(number, person) for number, person in enumerate(PEOPLE)),
        *(gangway(person, "BOARDED", "13:00:00") for person in PEOPLE),
        fact("CheckpointsRecorded", LEG, "13:30:00", leg=LEG, checkpoint="CHECKPOINT_BOARDED", persons=PEOPLE[100:400]),
        fact("LegDeparted", LEG, "14:00:00", leg=LEG),
        fact("FigureReported", LEG, "18:00:00", leg=LEG, measure="MEASURE_BOARDED", value=678,
             source="FIGURE_SOURCE_PRESS"),
    ]


def after_landing():
    """What the haven counts: all of them, one by one and by list."""
    return [
        *(gangway(person, "DISEMBARKED", "23:00:00") for person in PEOPLE),
        fact("CheckpointsRecorded", LEG, "23:10:00", leg=LEG, checkpoint="CHECKPOINT_BOARDED", persons=PEOPLE),
        fact("LegArrived", LEG, "23:20:00", leg=LEG),
        fact("LegClosed", LEG, "23:30:00", leg=LEG,
             stated={"boarded": 678, "disembarked": 678, "born": 0, "died": 0, "aboard": 0}),
    ]


def publish_everywhere(missions, events):
    """The same events under the same ids through all missions at once; each answers for every one."""
    with ThreadPoolExecutor() as threads:
        results = list(threads.map(lambda mission: mission.publish(events), missions))
    for result in results:
        assert [answer["line"] for answer in result.answers] == list(range(1, len(events) + 1))
    return results


def check(hq):
    hq.digest(EVACUATION)  # waits until all that was applied is folded, too
    leg = hq.show("evacuation", LEG)["row"]
    counts = {name: int(leg.get(name, 0)) for name in
              ("boarded", "boardedNationals", "boardedForeign", "boardedUnknown", "aboard", "disembarked", "born",
               "died", "offloaded")}
    assert counts == {"boarded": 678, "boardedNationals": 668, "boardedForeign": 10, "boardedUnknown": 0, "aboard": 0,
                      "disembarked": 678, "born": 0, "died": 0, "offloaded": 0}
    assert leg["status"] == "LEG_STATUS_CLOSED"
    assert leg.get("violations", []) == []
    figure, = leg["reports"]
    assert (int(figure["value"]), int(figure["ledger"]), int(figure.get("difference", 0))) == (678, 678, 0)
    operation = hq.show("evacuation", OPERATION, "-k", "operation")["row"]
    assert [int(operation[name]) for name in ("persons", "nationals", "foreign", "boarded", "out", "atStaging")] == [
        678, 668, 10, 678, 678, 678]
    assert {row["state"]: int(row["count"]) for row in operation["foreignByState"]} == dict.fromkeys(STATES, 2)
    assert sum(int(row["count"]) for row in operation["dispositions"]) == 678
    persons = hq.ls("evacuation", "person", "--all")
    assert sorted(row["key"] for row in persons) == PEOPLE


def facts_about(hq, person):
    """How many events there are about a person; none of them twice."""
    history = [item["event"]["id"] for item in hq.show("evacuation", person, "-k", "registration")["history"]]
    assert len(history) == len(set(history))
    return len(history)


@pytest.fixture
def missions(world):
    return [world.mission(name).start() for name in (PORT, HAVEN)]


def test_ship_of_678_is_counted_as_678_however_often_it_is_told(world, missions):
    hq = world.headquarters().start()
    told = [*before_sailing(), *after_landing()]
    publish_everywhere(missions, told)
    for name in (PORT, HAVEN):
        hq.wait_events(name, EVACUATION, len(told), 120)
    check(hq)
    assert facts_about(hq, PEOPLE[150]) == 5
    once = hq.digest(EVACUATION)

    # All again, under the same ids, after everybody has died and come back.
    for part in (*missions, hq):
        part.kill()
    for part in (*missions, hq):
        part.start()
    for result in publish_everywhere(missions, told):
        assert {answer.get("duplicate") for answer in result.answers} == {True}
    assert hq.digest(EVACUATION) == once

    # And by each in its own words, as new facts: the same people over the same gangway.
    for mission in missions:
        again = [*before_sailing()[2:], *after_landing()]
        mission.publish(again)
        hq.wait_events(mission.name, EVACUATION, len(told) + len(again), 120)
    check(hq)
    assert facts_about(hq, PEOPLE[150]) == 5 + 2 * 5
    assert {hq.standing(name, EVACUATION)["verdict"] for name in (PORT, HAVEN)} == {"ok"}

    rebuilt = world.headquarters("rebuilt").start()
    for name in (PORT, HAVEN):
        rebuilt.wait_events(name, EVACUATION, len(told) + len(again), 120)
    check(rebuilt)
    assert rebuilt.digest() == hq.digest()
