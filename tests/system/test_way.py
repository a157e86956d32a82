"""The whole way, once: an officer's event goes in at a mission, and headquarters reads what it changed."""

import json

import valise
from valise import CASE, EVACUATION, case_opened, event


def test_event_reaches_the_views(world):
    mission = world.mission("CN-SD-EMB").start()
    hq = world.headquarters().start()
    result = mission.publish([
        case_opened("SD-2023-1", persons=3, hostCountry="SD"),
        event(CASE + ".ContactMade", "SD-2023-1"),
        event(EVACUATION + ".LegPlanned", "SD-LEG-1",
              {"leg": "SD-LEG-1", "operation": "SD-2023", "vehicle": {"name": "a ship"}, "capacity": 700}),
    ])
    assert [a["line"] for a in result.answers] == [1, 2, 3]
    assert [a["lane"] for a in result.answers] == [CASE, CASE, EVACUATION]
    assert [int(a["event"]) for a in result.answers] == [1, 2, 1]
    hq.wait_events("CN-SD-EMB", CASE, 2)
    hq.wait_events("CN-SD-EMB", EVACUATION, 1)
    case = hq.show("case", "SD-2023-1")
    assert case["row"]["persons"] == 3
    assert case["row"]["openedBy"] == "CN-SD-EMB"
    assert len(case["history"]) == 2
    assert [row["key"] for row in hq.ls("evacuation", "leg")] == ["SD-LEG-1"]
    assert hq.show("case", "no such case", check=False) is None
    assert valise.valise("case", "show", "none", "--views", hq.views, check=False).returncode == 3


def test_tail_verify_and_outbox(world):
    mission = world.mission("CN-TH-EMB").start()
    hq = world.headquarters().start()
    mission.publish([case_opened(f"TH-{n}") for n in range(20)])
    hq.wait_events("CN-TH-EMB", CASE, 20)
    where = ("-b", world.kafka.bootstrap, "--keys", world.keys)
    tail = valise.valise("tail", *where, "-o", "json", "--mission", "CN-TH-EMB", CASE)
    lines = [json.loads(line) for line in tail.stdout.splitlines()]
    assert len(lines) == 20
    assert {line["mission"] for line in lines} == {"CN-TH-EMB"}
    assert {line["verdict"] for line in lines} == {"ok"}
    assert sorted(line["event"]["subject"] for line in lines) == sorted(f"TH-{n}" for n in range(20))
    assert all({"lane", "epoch", "seq", "partition", "offset"} <= line.keys() for line in lines)
    few = valise.valise("tail", *where, "-o", "json", "--mission", "CN-TH-EMB", "-n", "3", CASE)
    assert len(few.stdout.splitlines()) == 3
    states = [json.loads(line) for line in
              valise.valise("outbox", "ls", "--outbox", mission.outbox, "-o", "json").stdout.splitlines()]
    assert sum(int(row["events"]) for row in states) == 20


def test_rebuild_gives_the_same_digest(world):
    mission = world.mission("CN-JP-EMB").start()
    first = world.headquarters("hq1").start()
    mission.publish([case_opened(f"JP-{n % 7}") for n in range(100)])
    first.wait_events("CN-JP-EMB", CASE, 100)
    second = world.headquarters("hq2").start()
    second.wait_events("CN-JP-EMB", CASE, 100)
    assert first.digest() == second.digest()
    assert len(first.digest(CASE).split()[0]) == 64


def test_headquarters_resumes_where_it_was(world):
    mission = world.mission("CN-FR-EMB").start()
    hq = world.headquarters().start()
    mission.publish([case_opened(f"FR-{n}") for n in range(10)])
    hq.wait_events("CN-FR-EMB", CASE, 10)
    hq.kill()
    mission.publish([case_opened(f"FR-{n}") for n in range(10, 20)])
    hq.start()
    hq.wait_events("CN-FR-EMB", CASE, 20)
    standing = hq.standing("CN-FR-EMB", CASE)
    assert int(standing["events"]) == 20
    assert standing["verdict"] == "ok"


def test_agent_keeps_what_it_accepted_while_the_line_is_down(world):
    mission = world.mission("CN-ET-EMB", properties={"bootstrap.servers": "127.0.0.1:1"}).start()
    answers = mission.publish([case_opened(f"ET-{n}") for n in range(50)]).answers
    assert len(answers) == 50
    mission.kill()
    mission.config.write_text(mission.config.read_text().replace("127.0.0.1:1", world.kafka.bootstrap))
    mission.start()
    hq = world.headquarters().start()
    hq.wait_events("CN-ET-EMB", CASE, 50)
    assert hq.standing("CN-ET-EMB", CASE)["verdict"] == "ok"
    assert int(hq.standing("CN-ET-EMB", CASE)["events"]) == 50
