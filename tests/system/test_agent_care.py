"""What an operator, a stranger, a stopped link or a bad disk do to an agent: nothing that lasts."""

import os
import signal
import subprocess
import sys
import types

import pytest

import valise
from valise import CASE, EVACUATION, NOWHERE, PROGRAMS, Client, case_opened, event, wait_for

# Connects so many times as a user who is not let in; prints how often it was turned away.
STRANGER = """
import os, socket, sys
os.setgid(65534); os.setuid(65534)
n = 0
for _ in range(int(sys.argv[2])):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(sys.argv[1])
        n += s.recv(1000) != b""
print(n)"""


@pytest.fixture
def world(tmp_path):
    """Without a broker: what is tried here is before it."""
    made = valise.World(tmp_path, types.SimpleNamespace(bootstrap=NOWHERE))
    yield made
    made.close()


def flash(subject):
    return event(EVACUATION + ".OperationOpened", subject)


def test_signals_end_nothing_but_what_they_should(world):
    world.mission("HQ")
    mission = world.mission("CN-SD-EMB", resend=600).start()
    link = wait_for("its link", mission.link)
    for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM):
        mission.process.send_signal(number)
        os.kill(link, number)
    mission.publish([case_opened("C-1")])
    assert mission.link() == link
    mission.process.send_signal(signal.SIGHUP)
    wait_for("what it read again", lambda: f"read again: '{mission.config}'" in mission.said())
    second = wait_for("a new link", lambda: mission.link() not in (None, link) and mission.link())
    mission.publish([case_opened("C-2")])

    good = mission.config.read_text()
    mission.config.write_text(good.replace("every = 0", "every = never"))
    mission.process.send_signal(signal.SIGHUP)
    wait_for("what is wrong with it", lambda: "what was in force stays so" in mission.said())
    assert "[pulse] every" in mission.said()
    mission.config.write_text(good.replace(f"id = {mission.name}", "id = CN-ET-EMB"))
    mission.process.send_signal(signal.SIGHUP)
    wait_for("what cannot be", lambda: "needs a restart" in mission.said() or
             mission.said().count("what was in force stays so") == 2)
    mission.config.write_text(good)

    # One that only the link gets: a new link reads all anew.
    second = mission.link() or second
    os.kill(second, signal.SIGHUP)
    wait_for("a third link", lambda: mission.link() not in (None, second))
    mission.publish([case_opened("C-3")])
    assert len(mission.batches()) == 3
    mission.process.send_signal(signal.SIGTERM)
    assert mission.process.wait(30) == 0
    assert mission.said().splitlines()[-1].endswith("mission CN-SD-EMB: stopped")
    assert not mission.socket.exists()


@pytest.mark.skipif(b"VALISE_FAILPOINT" not in (PROGRAMS / "valise-agent").read_bytes(),
                    reason="built without VALISE_FAILPOINTS")
def test_a_key_that_memory_does_not_hold_is_told_of(world):
    mission = world.mission("CN-SD-EMB").start()
    assert "locked in memory" not in mission.said()
    mission.stop()
    mission.environment = {"VALISE_FAILPOINT": "signer.lock:fail"}
    mission.start()
    mission.publish([case_opened("C-1")])
    assert mission.said().count("the secret key cannot be locked in memory, and may be written to swap") == 1
    assert "LimitMEMLOCK=" in mission.said()


def test_the_two_are_named_for_what_they_are(world):
    mission = world.mission("CN-SD-EMB").start()
    link = wait_for("its link", mission.link)

    def name(pid):
        with open(f"/proc/{pid}/comm", encoding="ascii") as file:
            return file.read().strip()

    wait_for("the link's name", lambda: name(link) == "valise-link")
    assert name(mission.process.pid) == "valise-keeper"
    assert subprocess.run(["ps", "-o", "args=", "-p", str(link)], capture_output=True, text=True,
                          check=True).stdout.startswith("valise-link ")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may be another user")
def test_a_stranger_costs_a_line(world):
    mission = world.mission("CN-SD-EMB", users="root,daemon").start()
    for folder in mission.socket.parents:
        if not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o011)
    stranger = subprocess.run([sys.executable, "-c", STRANGER, str(mission.socket), "500"], capture_output=True,
                              text=True, check=True)
    assert int(stranger.stdout) == 500
    assert mission.said().count("is not let in") == 1
    mission.publish([case_opened("C-1")])


def test_connections_that_say_nothing_keep_nobody_out(world):
    mission = world.mission("CN-SD-EMB").start()
    idle = [Client(mission.socket) for _ in range(140)]
    for client in idle:
        client.__enter__()
    assert mission.publish([flash("F-1"), case_opened("C-1")]).returncode == 0
    for client in idle:
        client.__exit__(None, None, None)


def test_a_bad_disk_costs_one_batch(world):
    """The last batch of FLASH has rotted while the agent was not there: it starts, for every lane, and says so."""
    mission = world.mission("CN-SD-EMB").start()
    for n in range(3):
        mission.publish([flash(f"ROTTEN-{n}")])
    mission.publish([case_opened("C-1")])
    mission.stop()
    data = mission.outbox / "data.mdb"
    content = data.read_bytes()
    assert b"ROTTEN-2" in content
    data.write_bytes(content.replace(b"ROTTEN-2", b"ROTTEN-X"))
    mission.start()
    mission.publish([flash("F-4")])
    mission.publish([case_opened("C-2")])

    def states():
        listed = valise.valise("outbox", "ls", "--outbox", mission.outbox, "-o", "json", check=False)
        assert listed.returncode == 4, listed.stderr
        return [(row["lane"], row["state"]) for row in valise.rows(listed) if "storedAt" in row]

    # Its link finds it without a broker, too.
    wait_for("what is lost", lambda: (EVACUATION, "lost") in states())
    wait_for("its alarm", lambda: "is damaged on this disk" in mission.said())
    assert states().count((EVACUATION, "stored")) == 3
    assert states().count((CASE, "stored")) == 2
    # What was lost can be published again; what was not is known.
    assert "duplicate" not in mission.publish([flash("F-5")]).answers[0]
