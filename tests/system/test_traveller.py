"""A safety check over travellers whose mission has no line while they are asked: nobody is left out of the count, or in it twice."""

from valise import NOWHERE, TRAVELLER, event

POST, NEIGHBOUR = "CN-SD-EMB", "CN-EG-EMB"
CHECK = "SC-2023-SD-1"
FAMILIES, HEADS = 40, 3


def fact(name, subject, at, **fields):
    return event(f"{TRAVELLER}.{name}", subject, fields, at=f"2023-04-{at}:00Z")


def lives_in(country, reference, people):
    return fact("TravellerRegistered", reference, "01T08:00", kind="REGISTRATION_KIND_WORKER", people=people,
                residence={"country": country})


def answers(reference, at, **fields):
    return fact("SafetyReplied", reference, at, check=CHECK, answerer="ANSWERER_SELF", channel="CHANNEL_APP", **fields)


def at_the_post():
    """What the embassy writes down before and after the line is gone: of 40 families 30 are safe, two need help."""
    families = [f"T-{number}" for number in range(FAMILIES)]
    return [
        *(lives_in("SD", reference, HEADS) for reference in families),
        fact("TripPlanned", families[39], "10T08:00", trip="1",
             stays=[{"country": "EG", "from": "2023-04-12T00:00:00Z", "until": "2023-04-20T00:00:00Z"}]),
        *(answers(reference, "16T09:00", safe=HEADS) for reference in families[:30]),
        answers(families[30], "16T10:00", safe=2, help=1),
        answers(families[31], "16T10:05", help=HEADS),
        fact("HelpTakenUp", families[31], "16T11:00", check=CHECK, followUp="P-000031"),
    ]


def count(hq):
    row = hq.show("traveller", CHECK)["row"]
    assert row.get("violations", []) == []
    return {name: int(row.get(name, 0)) for name in ("references", "asked", "safe", "help", "silent", "beyondSafe")}


def test_who_was_without_a_line_is_counted_once(world):
    own, neighbour = world.mission("HQ").start(), world.mission(NEIGHBOUR).start()
    post = world.mission(POST, properties={"bootstrap.servers": NOWHERE}).start()
    hq = world.headquarters().start()
    told = at_the_post()
    post.publish(told)
    neighbour.publish([lives_in("EG", "T-900", 5), answers("T-900", "16T08:00", safe=5)])
    own.publish([fact("SafetyCheckOpened", CHECK, "15T12:00", place="SD", crisis="SD-2023")])
    hq.wait_events("HQ", TRAVELLER, 1)
    hq.wait_events(NEIGHBOUR, TRAVELLER, 2)
    assert count(hq) == {"references": 0, "asked": 0, "safe": 0, "help": 0, "silent": 0, "beyondSafe": 5}

    post.stop()
    post.config.write_text(post.config.read_text().replace(NOWHERE, world.kafka.bootstrap))
    post.start()
    hq.wait_events(POST, TRAVELLER, len(told))
    # One family was in Egypt on the day that is asked about.
    assert count(hq) == {"references": 39, "asked": 117, "safe": 92, "help": 4, "silent": 21, "beyondSafe": 5}
    check, = hq.ls("traveller", "check")
    assert [(one["name"], int(one["count"])) for one in check["row"]["helpOpen"]] == [("T-30", 1)]
    assert [one["name"] for one in check["row"]["helpTakenUp"]] == ["T-31"]
    silent = [one["key"] for one in hq.ls("traveller")
              if any(answer.get("silent") for answer in one["row"].get("answers", []))]
    assert silent == [f"T-{number}" for number in range(32, 39)]
    people = {row["key"]: row["row"]["days"] for row in hq.ls("traveller", "place", "--at", "2023-04-15T12:00:00Z")}
    assert {place: sum(int(day.get("arriving", 0)) for day in days if day["day"] <= "2023-04-15")
            - sum(int(day.get("leaving", 0)) for day in days if day["day"] < "2023-04-15")
            for place, days in people.items()} == {"SD": 117, "EG": 8}

    # All of it again, under the same ids, by another mission too; and from nothing.
    post.publish(told)
    neighbour.publish(told)
    hq.wait_events(NEIGHBOUR, TRAVELLER, 2 + len(told))
    assert count(hq)["asked"] == 117
    rebuilt = world.headquarters("rebuilt").start()
    for name, events in ((POST, len(told)), (NEIGHBOUR, 2 + len(told)), ("HQ", 1)):
        rebuilt.wait_events(name, TRAVELLER, events)
    assert rebuilt.digest(TRAVELLER) == hq.digest(TRAVELLER)
