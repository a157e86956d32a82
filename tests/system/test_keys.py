"""Keys change: what the old one signed stays good, what waits goes through under the new one, and a bad file costs itself."""

import signal

import valise
from valise import CASE, case_opened, wait_for


def new_key(mission):
    """Another key for the mission; its public half is put where it was."""
    old = mission.folder / "old"
    old.mkdir()
    mission.key.rename(old / "key")
    public = mission.folder / f"{mission.name}.pub"
    public.rename(old / "pub")
    valise.valise("key", "new", "--id", mission.name, "--out", mission.folder)
    (mission.world.keys / public.name).write_bytes(public.read_bytes())


def reload(hq):
    before = hq.said().count("senders enrolled")
    hq.process.send_signal(signal.SIGHUP)
    wait_for("the keys", lambda: hq.alive() and hq.said().count("senders enrolled") > before)


def verified(world):
    result = valise.valise("verify", CASE, "-b", world.kafka.bootstrap, "--keys", world.keys, "-o", "json", check=False)
    return result.returncode


def test_a_replaced_key_keeps_its_past(world):
    hq = world.headquarters(agent=world.mission("HQ").start()).start()
    mission = world.mission("CN-SD-EMB", resend=600).start()
    reload(hq)
    mission.publish([case_opened(f"SD-{n}") for n in range(3)])
    hq.wait_events("CN-SD-EMB", CASE, 3)
    wait_for("the receipt", lambda: mission.batches() == [])
    mission.stop()
    new_key(mission)
    reload(hq)
    mission.start()
    mission.publish([case_opened(f"SD-{n}") for n in range(3, 5)])
    hq.wait_events("CN-SD-EMB", CASE, 5)
    live = hq.digest()
    assert verified(world) == 0
    hq.stop()
    hq.views.rename(hq.folder / "old")
    hq.start()
    hq.wait_events("CN-SD-EMB", CASE, 5)
    assert hq.digest() == live
    assert hq.missions()["CN-SD-EMB"]["verdict"] == "ok"
    assert valise.Wire(world.kafka.bootstrap).records(valise.DEAD_LETTERS) == []


def test_what_waited_under_the_old_key_goes_through(world):
    hq = world.headquarters(agent=world.mission("HQ").start()).start()
    mission = world.mission("CN-TH-EMB", properties={"bootstrap.servers": valise.NOWHERE}, resend=600).start()
    reload(hq)
    mission.publish([case_opened(f"TH-{n}") for n in range(3)])
    mission.stop()
    new_key(mission)
    reload(hq)
    mission.config.write_text(mission.config.read_text().replace(valise.NOWHERE, world.kafka.bootstrap))
    mission.start()
    assert "signed with the present key" in mission.said()
    mission.publish([case_opened("TH-9")])
    hq.wait_events("CN-TH-EMB", CASE, 4)
    wait_for("receipts for all", lambda: mission.batches() == [])
    assert hq.missions()["CN-TH-EMB"]["verdict"] == "ok"


def test_one_bad_file_stops_nobody(world):
    world.mission("HQ")
    mission = world.mission("CN-SD-EMB", resend=600)
    other = world.mission("CN-TH-EMB")
    hq = world.headquarters()
    file = world.keys / "CN-TH-EMB.pub"
    good = file.read_bytes()
    for content in (b"", b"\xef\xbb\xbf" + good, good.replace(b"\n", b"\r\n"), good.replace(b"\n", b"  \n"), b"CN-TH-EMB", None):
        if content is None:
            file.unlink()
            file.mkdir()
        else:
            file.write_bytes(content)
        mission.start()
        hq.start()
        left_out = content in (b"", b"CN-TH-EMB", None)
        for part in (mission, hq):
            lines = part.said().splitlines()[-12:]
            assert any("a public key is left out: CN-TH-EMB.pub" in line for line in lines) == left_out, lines
            part.stop()
            part.log.write_text("")
    assert other.process is None


def test_any_number_of_reloads(world):
    mission = world.mission("CN-SD-EMB").start()
    other = world.mission("CN-TH-EMB").start()
    hq = world.headquarters().start()
    reload(hq)
    mission.publish([case_opened("SD-1")])
    hq.wait_events("CN-SD-EMB", CASE, 1)
    for _ in range(70):
        hq.process.send_signal(signal.SIGHUP)
        reload(hq)
    (world.keys / "CN-SD-EMB.pub").unlink()
    reload(hq)
    mission.publish([case_opened("SD-2")])
    other.publish([case_opened("TH-1")])
    hq.wait_events("CN-TH-EMB", CASE, 1)
    wait_for("the dead letter", lambda: valise.Wire(world.kafka.bootstrap).records(valise.DEAD_LETTERS))
    assert int(hq.standing("CN-SD-EMB", CASE)["events"]) == 1
    mission.kill()
