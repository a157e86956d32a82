"""A disk that is full, fails or rots: what is refused says why, what is urgent fits, and work goes on once there is room."""

import os
import pathlib
import subprocess

import pytest

import valise
from valise import ALERT, CASE, EVACUATION, PROGRAMS, Client, Sender, World, case_opened, event, message, wait_for

MOUNTABLE = "only root mounts a file system, and not in every container"
BIG = 90_000
FULL = 2  # REFUSED_CAUSE_FULL
UNKNOWN_OUTCOME = 3


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 32 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m,mode=700", "tmpfs", folder], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip(MOUNTABLE)
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture
def place(tmp_path, kafka, small_disk):
    made = World(tmp_path, kafka)
    made.own = made.mission("HQ", resend=60).start()
    made.sd = on(small_disk, made.mission("CN-SD-EMB", resend=60)).start()
    made.hq = made.headquarters(agent=made.own)
    yield made
    made.close()


def on(disk, mission):
    """The mission's outbox, on that disk."""
    there = disk / "outbox"
    mission.config.write_text(mission.config.read_text().replace(str(mission.outbox), str(there)))
    mission.outbox = there
    return mission


maker = Sender("CN-SD-EMB")


def case_event(size=BIG):
    return maker.event("SD-disk", message(CASE + ".CaseOpened")(type=102, persons=1, place="x" * size))


def flash_event():
    return maker.event("LEG-1", message(EVACUATION + ".LegDeparted")(leg="LEG-1", operation="ET"))


def fill(mission):
    """Publish until there is no room; how many were taken, and the refusal."""
    taken = 0
    with Client(mission.socket) as client:
        while True:
            result, = client.publish(case_event())
            if result.WhichOneof("outcome") == "refused":
                return taken, result.refused
            taken += 1
            assert taken < 1000


def accepted(mission, *events):
    with Client(mission.socket) as client:
        return [result.WhichOneof("outcome") == "accepted" for result in client.publish(*events)]


def states(mission):
    return {batch["state"] for batch in mission.batches()}


# First of all, as what the other tests leave in the topic takes room at headquarters, too.
@pytest.mark.parametrize("where", ["map", "disk"])
def test_full_views_take_only_what_is_urgent_and_go_on_once_there_is_room(tmp_path, kafka, small_disk, where):
    """A larger bound takes a restart, room on the disk does not; what did not fit is read from Kafka again. FLASH does not wait for it
    where [views] size is the bound: there is a reserve for it. A disk that others have filled has none."""
    world = World(tmp_path, kafka)
    try:
        mission = world.mission("CN-TH-EMB").start()
        mission.publish([case_opened(f"TH-{where}-{number}", place="x" * 60_000) for number in range(60)])
        # What was applied before stays to be seen: start with little.
        hq = world.headquarters("hq")
        text = hq.config.read_text()
        if where == "map":
            hq.config.write_text(text.replace("size = 4G", "size = 2M"))
        else:
            views = small_disk / "views"
            hq.config.write_text(text.replace(str(hq.views), str(views)))
            (small_disk / "other").write_bytes(bytes(30 << 20))
            hq.views = views
        with open(hq.log, "ab") as log:
            hq.process = valise.spawn("valise-hq", "--config", hq.config, stderr=log)
        wait_for("headquarters to be full", lambda: hq.alive() and "no room left" in hq.said(), 60)
        # Nothing wrong is shown: whole transactions or nothing.
        assert valise.valise("view", "check", "--views", hq.views).returncode == 0
        before = int(hq.standing("CN-TH-EMB", CASE).get("events", 0))
        assert before < 60
        assert len(hq.ls("case", "--all")) == before
        if where == "map":
            mission.publish([event(EVACUATION + ".LegDeparted", "LEG-TH", {"leg": "LEG-TH", "operation": "TH"})])
            hq.wait_events("CN-TH-EMB", EVACUATION, 1)
            assert int(hq.standing("CN-TH-EMB", CASE).get("events", 0)) == before
            listed = valise.valise("mission", "ls", "--views", hq.views, "--mission", "CN-TH-EMB")
            assert CASE + " not read" in listed.stdout
            assert "no room for lanes that are not urgent" in listed.stderr
            hq.stop()
            hq.config.write_text(text)
            hq.start()
        else:
            (small_disk / "other").unlink()
        hq.wait_events("CN-TH-EMB", CASE, 60, 120)
        assert hq.said().count("no room left in '") == 1
        assert hq.standing("CN-TH-EMB", CASE)["verdict"] == "ok"
        reference = world.headquarters("reference").start()
        reference.wait_events("CN-TH-EMB", CASE, 60)
        assert hq.digest(CASE) == reference.digest(CASE)
    finally:
        world.close()


def test_full_outbox_refuses_routine_takes_flash_and_drains(place):
    pid = place.sd.process.pid
    taken, refused = fill(place.sd)
    assert taken > 100
    assert refused.cause == FULL
    assert "full and takes no PRIORITY event now" in refused.reason, refused.reason
    assert accepted(place.sd, flash_event(), flash_event()) == [True, True]
    # Acks still find room, ...
    wait_for("acks of all", lambda: states(place.sd) == {"acked"}, 60)
    assert accepted(place.sd, case_event()) == [False]
    # ... and so does what headquarters' receipts free.
    place.hq.start()
    place.hq.wait_events("CN-SD-EMB", CASE, taken)
    wait_for("an empty outbox", lambda: place.sd.batches() == [], 60)
    wait_for("room", lambda: accepted(place.sd, case_event()) == [True])
    place.hq.wait_events("CN-SD-EMB", CASE, taken + 1)
    assert place.sd.process.pid == pid and place.sd.process.poll() is None
    assert place.hq.standing("CN-SD-EMB", CASE)["verdict"] == "ok"
    assert int(place.hq.standing("CN-SD-EMB", EVACUATION)["events"]) == 2


def test_somebody_else_fills_the_disk(place, small_disk):
    assert accepted(place.sd, case_event()) == [True]
    pid = place.sd.process.pid
    other = small_disk / "other"
    with open(other, "wb", 0) as file:
        try:
            while True:
                file.write(bytes(65536))
        except OSError:
            pass
    taken, refused = fill(place.sd)
    assert (refused.cause, taken < 10) == (FULL, True)
    other.unlink()
    wait_for("room", lambda: accepted(place.sd, case_event()) == [True])
    assert place.sd.process.pid == pid and place.sd.process.poll() is None
    wait_for("acks of all", lambda: states(place.sd) == {"acked"}, 60)


def test_failed_commit_is_told_and_a_retry_is_answered_truthfully(world, tmp_path):
    broken = tmp_path / "broken"
    mission = world.mission("CN-KE-EMB")
    shim = {"LD_PRELOAD": str(PROGRAMS / "libfail_sync.so"), "VALISE_FAIL_SYNC": str(broken)}
    asan = ":".join(filter(None, [valise.ENVIRONMENT["ASAN_OPTIONS"], "verify_asan_link_order=0"]))
    with open(mission.log, "ab") as log:
        mission.process = subprocess.Popen([str(PROGRAMS / "valise-agent"), "--config", str(mission.config)],
                                           stdin=subprocess.DEVNULL, stderr=log,
                                           env={**os.environ, **valise.ENVIRONMENT, **shim, "ASAN_OPTIONS": asan})
    wait_for("the socket", mission.accepts)
    kept, doubtful = case_event(100), case_event(100)
    assert accepted(mission, kept) == [True]
    broken.touch()
    with Client(mission.socket) as client:
        result, = client.publish(doubtful)
    assert result.refused.cause == UNKNOWN_OUTCOME, result
    assert "send it again with the same id" in result.refused.reason
    assert mission.process.wait(30) == 1
    assert "cannot" in mission.said()
    broken.unlink()
    mission.start()
    with Client(mission.socket) as client:
        first, second = client.publish(kept, doubtful)
    assert first.accepted.duplicate
    # The barrier failed before the commit's last page: it was not kept, and now it is, once.
    assert (second.accepted.duplicate, second.accepted.event) == (False, first.accepted.event + 1)
    with Client(mission.socket) as client:
        assert client.publish(doubtful)[0].accepted.duplicate
    assert sum(batch["events"] for batch in mission.batches()) == 2


# -- a disk that rots --


def turn(path, needle, offset=0):
    """Turn one bit over behind each place where `needle` stands in a file; how many there were."""
    data = bytearray(pathlib.Path(path).read_bytes())
    at, count = data.find(needle), 0
    while at >= 0:
        data[at + offset] ^= 1
        count += 1
        at = data.find(needle, at + 1)
    pathlib.Path(path).write_bytes(data)
    return count


def test_rotten_rows_are_listed_and_the_rest_is_shown(world):
    mission = world.mission("CN-LA-EMB").start()
    hq = world.headquarters().start()
    mission.publish([case_opened("LA-sound")])
    mission.publish([case_opened("LA-rotten", place="Vientiane-here")])
    hq.wait_events("CN-LA-EMB", CASE, 2)
    hq.stop()
    assert valise.valise("view", "check", "--views", hq.views).returncode == 0
    assert turn(hq.views / "data.mdb", b"Vientiane-here") > 0
    checked = valise.valise("view", "check", "--views", hq.views, "-o", "json", check=False)
    assert checked.returncode == 4, checked
    found = {(row["db"], row["damaged"]) for row in valise.rows(checked)}
    assert ("archive", "entry") in found and (CASE + "/history", "event") in found
    assert "Vientiane" not in checked.stdout + checked.stderr
    shown = valise.valise("case", "show", "LA-sound", "--views", hq.views, check=False)
    assert shown.returncode == 0, shown.stderr
    listed = valise.valise("case", "ls", "--all", "--views", hq.views, "-o", "json", check=False)
    assert "LA-sound" in listed.stdout
    # Headquarters goes on with all that is sound.
    hq.start()
    mission.publish([case_opened("LA-next")])
    hq.wait_events("CN-LA-EMB", CASE, 3)


def test_a_damaged_batch_in_the_outbox_costs_itself(world):
    """It is put aside and named, what is whole goes on in a new epoch, and other lanes do not wait."""
    mission = world.mission("CN-VN-EMB", properties={"bootstrap.servers": valise.NOWHERE}).start()
    mission.publish([case_opened("VN-damaged", place="Hanoi-here")])
    mission.publish([case_opened("VN-last")])
    mission.stop()
    assert turn(mission.outbox / "data.mdb", b"Hanoi-here") > 0
    text = mission.config.read_text()
    mission.config.write_text(text.replace(valise.NOWHERE, world.kafka.bootstrap))
    mission.start()
    mission.publish([event(ALERT + ".AlertDrafted", "VN-1", {})])
    listed = lambda: valise.valise("outbox", "ls", "--outbox", mission.outbox, "-o", "json", check=False)
    expected = {(CASE, "1", "lost"), (CASE, "1", "acked"), (ALERT, "1", "acked")}
    wait_for("all that is whole in Kafka", lambda: {(row["lane"], row["seq"], row["state"])
                                                    for row in valise.rows(listed())} == expected)
    assert listed().returncode == 4
    epochs = {row["state"]: int(row["epoch"]) for row in valise.rows(listed()) if row["lane"] == CASE}
    assert epochs["lost"] < epochs["acked"]
    assert "is damaged on this disk and cannot be sent" in mission.said()


@pytest.mark.parametrize("store", ["outbox", "views"])
def test_a_file_cut_short_is_refused(world, store):
    mission = world.mission("CN-MM-EMB").start()
    hq = world.headquarters().start()
    mission.publish([case_opened("MM-1")])
    hq.wait_events("CN-MM-EMB", CASE, 1)
    mission.stop()
    hq.stop()
    part = mission if store == "outbox" else hq
    path = (mission.outbox if store == "outbox" else hq.views) / "data.mdb"
    whole = path.read_bytes()
    os.truncate(path, 8192)
    program = "valise-agent" if store == "outbox" else "valise-hq"
    refused = valise.run(PROGRAMS / program, "--config", part.config, check=False)
    assert refused.returncode == 1
    assert "cut short" in refused.stderr, refused.stderr
    path.write_bytes(whole)
    part.start()
    if store == "views":
        wait_for("the first look at Kafka", lambda: hq.said().count("reading") == 2)


def test_a_file_cut_short_while_it_is_open_ends_the_process(world):
    mission = world.mission("CN-KH-EMB").start()
    mission.publish([case_opened(f"KH-{number}", place="x" * 2000) for number in range(50)])
    os.truncate(mission.outbox / "data.mdb", 8192)
    mission.publish([case_opened("KH-last")], check=False)
    assert mission.process.wait(30) == 1
    assert "cannot be read" in mission.said() or "damaged" in mission.said(), mission.said()
