"""An outbox put back from a copy, and clones of one: noticed where that can be, healed where it cannot, and nothing is lost."""

import copy
import shutil

import pytest

import valise
from valise import ALERT, CASE, NOWHERE, case_opened, rows, wait_for

SD = "CN-SD-EMB"


@pytest.fixture
def place(tmp_path, kafka):
    """A mission, headquarters, and headquarters' own agent."""
    made = valise.World(tmp_path, kafka)
    made.own = made.mission("HQ", resend=2).start()
    made.sd = made.mission(SD, resend=2)
    made.machine = made.sd.folder / "machine-id"
    made.machine.write_text("0123456789abcdef\n")
    configure(made.sd, machine=made.machine)
    made.sd.start()
    made.hq = made.headquarters(agent=made.own).start()
    made.published = []
    made.names = iter(f"{tmp_path.name}-{number}" for number in range(10000))
    yield made
    made.close()


def configure(mission, **keys):
    """More keys under [outbox]; and a second configuration, whose Kafka cannot be reached."""
    lines = "".join(f"{key} = {value}\n" for key, value in keys.items())
    mission.config.write_text(mission.config.read_text().replace("[socket]", lines + "[socket]"))
    mission.cut = mission.folder / "cut.conf"
    mission.cut.write_text(mission.config.read_text().replace(mission.world.kafka.bootstrap, NOWHERE))


def mark_of(mission):
    return mission.folder / "outbox.mark"


def start_cut(mission):
    mission.process = mission.spawn(mission.cut)
    wait_for("the socket", mission.accepts)


def save(mission, name, mark=False):
    shutil.copytree(mission.outbox, mission.folder / name)
    if mark:
        shutil.copy(mark_of(mission), mission.folder / (name + ".mark"))


def put_back(mission, name, mark=False):
    """What was saved takes the outbox's place, and the outbox is put aside."""
    aside = mission.folder / "aside"
    mission.outbox.rename(aside)
    shutil.copytree(mission.folder / name, mission.outbox)
    if mark:
        shutil.copy(mission.folder / (name + ".mark"), mark_of(mission))
    return aside


def clone(mission, name):
    """Another agent with this one's key, on a copy of its outbox and of its mark."""
    made = copy.copy(mission)
    made.folder = mission.world.folder / name
    made.folder.mkdir()
    made.socket, made.outbox, made.log = made.folder / "s", made.folder / "outbox", made.folder / "log"
    made.config, made.process = made.folder / "agent.conf", None
    made.config.write_text(mission.config.read_text().replace(f"path = {mission.outbox}", f"path = {made.outbox}")
                           .replace(str(mission.socket), str(made.socket)))
    configure(made)
    shutil.copytree(mission.outbox, made.outbox)
    shutil.copy(mark_of(mission), mark_of(made))
    mission.world.parts.append(made)
    return made


def publish(place, count, mission=None):
    """A batch for each event. The epochs they went into."""
    epochs = set()
    for _ in range(count):
        event = case_opened(next(place.names))
        answer, = (mission or place.sd).publish([event]).answers
        place.published.append(event)
        epochs.add(answer["epoch"])
    return epochs


def settled(place, *missions):
    """Receipts for all that these keep."""
    for mission in missions or (place.sd,):
        wait_for(f"receipts for all of {mission.folder.name}: {mission.said()}", lambda: mission.batches() == [], 90)


def all_once(place):
    """Everything that was ever accepted is in the views, once."""
    for event in place.published:
        case = wait_for(event["subject"], lambda: place.hq.show("case", event["subject"], check=False), 60)
        assert [item["event"]["id"] for item in case["history"]] == [event["id"]]


def standing(place):
    return place.hq.standing(SD, CASE)


def test_kills_and_restarts_keep_the_epoch(place):
    epochs = publish(place, 2)
    for number in range(6):
        if number % 2:
            place.sd.stop()
        else:
            place.sd.kill()
        place.sd.start()
        epochs |= publish(place, 2)
    assert len(epochs) == 1
    settled(place)
    all_once(place)
    assert "old copy" not in place.sd.said()
    assert standing(place)["verdict"] == "ok"


def test_an_old_copy_is_known_by_its_mark(place):
    before = publish(place, 5)
    settled(place)
    place.sd.stop()
    save(place.sd, "old")
    place.sd.start()
    assert publish(place, 5) == before
    settled(place)
    place.sd.stop()
    # Three more that are never sent: only the folder has them.
    start_cut(place.sd)
    assert publish(place, 3) == before
    place.sd.stop()

    aside = put_back(place.sd, "old")
    place.sd.start()
    assert "may be an old copy" in place.sd.said()
    after = publish(place, 5)
    assert not after & before
    settled(place)
    assert (standing(place)["verdict"], int(standing(place)["forks"])) == ("rollback", 0)

    options = ("outbox", "carry", "--outbox", aside, "--socket", place.sd.socket)
    lost = {event["id"] for event in place.published[10:13]}
    found = rows(valise.valise(*options, "--dry-run"))
    assert {row["id"] for row in found} == lost
    assert {row["epoch"] for row in found} == before
    assert place.hq.show("case", place.published[10]["subject"], check=False) is None
    for again in (False, True):
        result = valise.valise(*options)
        found = rows(result)
        assert {row["id"] for row in found} == lost
        assert {row["epoch"] for row in found} == after
        assert [row.get("duplicate", False) for row in found] == [again] * 3
        assert result.stderr == ""
    settled(place)
    all_once(place)


@pytest.mark.parametrize("signs_first", [False, True])
def test_a_copy_with_its_mark_is_told_by_a_receipt(place, signs_first):
    before = publish(place, 5)
    settled(place)
    place.sd.stop()
    save(place.sd, "old", mark=True)
    place.sd.start()
    publish(place, 5)
    settled(place)
    place.sd.stop()

    put_back(place.sd, "old", mark=True)
    if signs_first:
        start_cut(place.sd)
        assert publish(place, 3) == before
        place.sd.stop()
    place.sd.start()
    assert "may be an old copy" not in place.sd.said()
    publish(place, 3)
    wait_for("the alarm", lambda: "is an old copy" in place.sd.said(), 60)
    wait_for("the new epoch", lambda: not publish(place, 1) & before, 60)
    settled(place)
    all_once(place)
    assert standing(place)["verdict"] in ("ok", "fork", "rollback")
    assert int(standing(place)["parked"]) == 0


def test_two_clones_at_once(place):
    before = publish(place, 5)
    settled(place)
    place.hq.stop()
    place.sd.stop()
    # The same machine, by its id, and the mark was copied along: neither can know.
    twin = clone(place.sd, "twin")
    for mission in (place.sd, twin):
        start_cut(mission)
        assert publish(place, 4, mission) == before
        mission.stop()
        mission.start()
        wait_for("Kafka's acks", lambda: [batch["state"] for batch in mission.batches()] == ["acked"] * 4, 60)
        assert "may be an old copy" not in mission.said()
    place.hq.start()
    settled(place, place.sd, twin)
    all_once(place)
    epochs = publish(place, 3), publish(place, 3, twin)
    assert len(epochs[0]) == len(epochs[1]) == 1
    assert not epochs[0] & epochs[1] and not (epochs[0] | epochs[1]) & before
    settled(place, place.sd, twin)
    all_once(place)
    assert standing(place)["verdict"] == "fork"
    assert int(standing(place)["forks"]) == 4
    assert int(standing(place)["parked"]) == 0
    # They stay where they are, and so does each after a restart or two.
    assert (publish(place, 1), publish(place, 1, twin)) == epochs
    for mission in (place.sd, twin):
        mission.kill()
        mission.start()
        publish(place, 2, mission)
    settled(place, place.sd, twin)
    all_once(place)
    # The same log gives the same views.
    rebuilt = place.headquarters("rebuilt").start()
    wait_for("the same", lambda: rebuilt.standing(SD, CASE).get("events") == standing(place)["events"], 60)
    assert rebuilt.digest() == place.hq.digest()
    assert rebuilt.standing(SD, CASE)["forks"] == standing(place)["forks"]
    acknowledge(place, rebuilt)


def acknowledge(place, rebuilt):
    """An officer at headquarters has looked into it: it rests, also where views were made anew. Nobody else can say so."""
    def said_by(agent, *more):
        return valise.valise("mission", "acknowledge", SD, *more, "--by", "officer:7", "--views", place.hq.views,
                             "--socket", agent.socket, check=False)
    refused = said_by(place.sd)
    assert refused.returncode == 1 and "headquarters' own lane" in refused.stderr
    assert said_by(place.own, ALERT).returncode == 3
    assert standing(place)["verdict"] == "fork"
    assert audited(place)["verdict"] == "fork"
    said = said_by(place.own, CASE)
    assert said.returncode == 0 and CASE in said.stdout, said.stderr
    for hq in (place.hq, rebuilt):
        wait_for("its rest", lambda hq=hq: hq.standing(SD, CASE)["verdict"] == "ok", 60)
        assert {one["by"] for one in hq.standing(SD, CASE)["troubles"]} == {"officer:7"}
        assert "fork" in {one["kind"] for one in hq.standing(SD, CASE)["troubles"]}
        assert int(hq.standing(SD, CASE)["forks"]) == 4
    assert "fork acknowledged by officer:7 at 20" in valise.valise("mission", "ls", "--views", place.hq.views).stdout
    assert said_by(place.own, CASE).returncode == 0
    assert int(audited(place)["acknowledged"]) >= 4


def audited(place):
    """What valise verify says of the mission's cases, by what lies in Kafka alone."""
    found = valise.valise("verify", "-b", place.kafka.bootstrap, "--keys", place.keys, CASE, "-o", "json", check=False)
    line, = [row for row in rows(found) if row.get("mission") == SD]
    assert found.returncode == (0 if line["verdict"] == "ok" else 4), found.stderr
    return line


def test_a_clone_on_another_machine_is_known(place):
    before = publish(place, 3)
    settled(place)
    place.sd.stop()
    elsewhere = clone(place.sd, "elsewhere")
    other = elsewhere.folder / "machine-id"
    other.write_text("fedcba9876543210\n")
    elsewhere.config.write_text(elsewhere.config.read_text().replace(str(place.machine), str(other)))
    place.sd.start()
    elsewhere.start()
    assert "another machine" in elsewhere.said()
    for _ in range(3):
        publish(place, 1)
        assert not publish(place, 1, elsewhere) & before
    settled(place, place.sd, elsewhere)
    all_once(place)
    assert int(standing(place)["forks"]) == 0
