"""A lane that only the tests have (tests/lanes/loan): events at a mission, rows at headquarters, and every command of a view. Its two
protos, one declaration and one topic are all there is of it; no other file of the tree names it."""

import json

import pytest

import valise
from valise import BUILD, CASE, case_opened, event, rows, valise as command, wait_for

LANE, MISSION = "consular.loan.v1", "CN-SD-EMB"
TOPIC = valise.TOP / "tests/lanes/loan/topics.yaml"


@pytest.fixture
def programs(monkeypatch):
    """The programs that know the lane; call it with "later" for a later version of them."""
    def take(version):
        monkeypatch.setattr(valise, "PROGRAMS", BUILD / "lanes" / version / "bin")
    take("loan")
    return take


def fact(name, subject, at, **fields):
    return event(f"{LANE}.{name}", subject, fields, at=f"2026-03-{at}:00Z")


LOAN = [
    fact("LoanRequested", "LN-1", "02T09:00", country="SD", amount="90000", purpose="LOAN_PURPOSE_TICKET"),
    fact("LoanApproved", "LN-1", "03T10:00"),
    fact("LoanPaid", "LN-1", "03T11:00", amount="80000", dueAt="2026-06-01T00:00:00Z"),
    fact("LoanRequested", "LN-2", "02T09:00", country="SD", amount="100"),
    fact("LoanPaid", "LN-2", "02T10:00", amount="100"),
    fact("FundsCounted", "till", "04T09:00", funds="7"),
]


def test_a_lane_is_a_proto_a_declaration_and_a_topic(world, programs):
    command("topic", "apply", "-b", world.kafka.bootstrap, "--keys", world.keys, TOPIC)
    mission = world.mission(MISSION).start()
    hq = world.headquarters().start()
    mission.publish(LOAN)
    hq.wait_events(MISSION, LANE, len(LOAN))
    views = "--views", hq.views

    listed = command("loan", "ls", *views).stdout
    # What breaks a rule comes first.
    assert [line.split()[:3] for line in listed.splitlines()[1:]] == [["LN-2", "REQUESTED", "SD"], ["LN-1", "PAID", "SD"]]
    assert "repay overdue since 2026-06-01T00:00:00Z" in listed and listed.splitlines()[1].endswith("L1")
    shown = command("loan", "show", "LN-1", *views).stdout
    assert "LoanPaid" in shown and "no violations" in shown
    assert hq.show("loan", "LN-2")["row"]["violations"][0]["rule"] == "L1"
    board = hq.show("loan", "all", "--kind", "board")["row"]
    assert (board["loans"], board["granted"], board["waiting"], board["paid"]) == ("2", "1", "1", "80100")
    stray = json.loads(command("loan", "ls", "stray", "-o", "json", *views).stdout)
    assert (stray["key"], stray["row"]["events"]) == (MISSION, [{"name": "FundsCounted", "count": "1"}])
    explained = command("view", "explain", "loan").stdout
    assert "rule L2: more came back than was paid when too_much()" in explained
    assert "clock 'answer': 259200 s from LoanRequested, met by LoanApproved, void by LoanRefused" in explained

    asked = command("query", "SELECT key, state, country, paid FROM loan ORDER BY key", "-o", "csv", *views).stdout
    assert asked.splitlines()[1:] == ["LN-1,PAID,SD,80000", "LN-2,REQUESTED,SD,100"]
    assert "LN-2" in command("loan", "ls", "--where", "paid=100", *views).stdout

    # Why a field says what it says, by each table of the declaration.
    why = command("loan", "why", "LN-1", "paid", "--zone", "+08:00", *views).stdout
    assert "paid: 80000" in why and "set paid = the greatest amount of LoanPaid" in why
    assert "2026-03-03T19:00:00+08:00" in why and "decides" in why and "amount=80000" in why
    state = json.loads(command("loan", "why", "LN-2", "state", "-o", "json", *views).stdout)
    assert [(event["role"], event["type"]) for event in state["events"]] == [("decides", "LoanRequested"), ("no more", "LoanPaid")]
    assert (state["events"][1]["mission"], state["events"][1]["lane"], state["events"][1]["eventNo"]) == (MISSION, LANE, "5")
    total = json.loads(command("loan", "why", "all", "paid", "-k", "board", "-n", "1", "-o", "json", *views).stdout)
    assert (total["adding"], total["sum"], total["adds"]) == (
        "2", "80100", [{"kind": "loan", "key": "LN-1", "to": "paid", "amount": "80000"}])
    assert "changes nothing: the state is REQUESTED" in command("loan", "why", "LN-2", "L1", *views).stdout
    missing = command("loan", "why", "LN-2", "stat", *views, check=False)
    assert missing.returncode == 3 and "did you mean 'state'" in missing.stderr

    # The view as it was: of what had occurred, and of what headquarters had applied.
    early = "2026-03-02T12:00:00Z"
    assert [row["key"] for row in rows(command("loan", "ls", "--true", early, "-o", "json", *views))] == ["LN-1", "LN-2"]
    then = json.loads(command("loan", "show", "LN-1", "--true", early, "-o", "json", *views).stdout)
    assert (then["true"], then["row"]["state"], len(then["history"])) == (early, "LOAN_STATE_REQUESTED", 1)
    assert "as it was at" in command("loan", "show", "LN-1", "--true", early, *views).stdout
    assert json.loads(command("loan", "show", "all", "-k", "board", "--true", early, "-o", "json", *views).stdout)["row"]["waiting"] == "2"
    assert command("query", "SELECT key, paid FROM loan ORDER BY key", "--true", early, "-o", "csv", *views).stdout.splitlines()[1:] == [
        "LN-1,0", "LN-2,100"]
    assert command("loan", "show", "LN-1", "--known", early, *views, check=False).returncode == 3
    assert command("loan", "show", "LN-1", "--known", "now", *views).stdout.count("LoanPaid") == shown.count("LoanPaid")
    clocks = json.loads(command("loan", "why", "LN-1", "clocks", "--true", early, "-o", "json", *views).stdout)
    assert [event["said"] for event in clocks["events"]] == ["starts 'answer'"]

    before = command("view", "digest", LANE, *views).stdout
    hq.stop()
    assert command("view", "rebuild", LANE, *views).stdout.split()[0] == before.split()[0]
    assert command("view", "check", *views).returncode == 0


def test_a_view_follows_its_declaration(world, programs):
    """A sum gets another name, a rule other words, an event that nobody knew is known, and events belong elsewhere."""
    command("topic", "apply", "-b", world.kafka.bootstrap, "--keys", world.keys, TOPIC)
    programs("later")
    mission = world.mission(MISSION).start()
    mission.publish([*LOAN, fact("LoanExtended", "LN-1", "05T09:00", dueAt="2026-09-01T00:00:00Z"),
                     fact("NoteMade", "note", "05T10:00", text="of no importance")])
    mission.publish([case_opened("SD-1")])
    programs("loan")
    hq = world.headquarters().start()
    hq.wait_events(MISSION, LANE, len(LOAN) + 2)
    hq.wait_events(MISSION, CASE, 1)
    assert hq.show("loan", "all", "--kind", "board")["row"]["granted"] == "1"
    cases = hq.digest(CASE)
    hq.stop()

    programs("later")
    hq.start()
    assert "consular.loan.v1 is declared otherwise" in hq.said() and "consular.case.v1 is declared" not in hq.said()
    wait_for("the view", lambda: all("rebuilding" not in row for row in rows(
        command("view", "ls", "--views", hq.views, "-o", "json"))))
    board = hq.show("loan", "all", "--kind", "board")["row"]
    assert (board["approved"], "granted" in board) == ("1", False)
    assert hq.show("loan", "LN-1")["row"]["extendedUntil"] == "2026-09-01T00:00:00Z"
    assert hq.show("loan", MISSION, "--kind", "board")["row"]["funds"] == "7"
    assert hq.ls("loan", "stray") == []

    anew = world.headquarters("anew").start()
    anew.wait_events(MISSION, LANE, len(LOAN) + 2)
    anew.wait_events(MISSION, CASE, 1)
    assert hq.digest(LANE) == anew.digest(LANE)
    assert hq.digest(CASE) == anew.digest(CASE) == cases
    # The next start finds nothing to do.
    hq.stop()
    hq.start()
    assert hq.said().count("is declared otherwise") == 1
