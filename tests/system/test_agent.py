"""The agent is two processes: one with the key and without a network, one with the network and without the key."""

import os
import pathlib
import re
import signal
import socket
import time

import pytest

import valise
from valise import (ALERT, CASE, EVACUATION, NOWHERE, Client, Kafka, Sender, Wire, case_opened, event, message,
                    wait_for)

NOBODY = 65534


@pytest.fixture
def mission(world):
    return world.mission("CN-SD-EMB").start()


def open_files(pid):
    """What a process holds open, as the kernel names it."""
    found = []
    for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.append(os.readlink(fd))
        except FileNotFoundError:
            pass
    return found


def inet_sockets(pid):
    """How many sockets of the Internet a process holds."""
    inodes = set()
    for name in ("tcp", "tcp6", "udp", "udp6", "raw", "raw6", "packet"):
        table = pathlib.Path(f"/proc/{pid}/net/{name}")
        if table.exists():
            inodes |= set(re.findall(r"\b(\d{3,})\b", table.read_text()))
    return sum(re.fullmatch(r"socket:\[(\d+)\]", name) is not None and name[8:-1] in inodes for name in open_files(pid))


def memory_holds(pid, needle):
    """Whether bytes stand anywhere in a process's memory."""
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
            start, end = (int(number, 16) for number in line.split()[0].split("-"))
            if "r" not in line.split()[1] or end - start > 1 << 28 or "[v" in line:
                continue
            try:
                memory.seek(start)
                if needle in memory.read(end - start):
                    return True
            except (OSError, OverflowError):
                pass
    return False


def sent(mission, count):
    """Kafka has all of its batches, and they hold so many events."""
    batches = mission.batches()
    return sum(batch["events"] for batch in batches) == count and {batch["state"] for batch in batches} == {"acked"}


# -- two processes --


def test_keeper_has_no_network_and_link_has_no_key(mission):
    mission.publish([case_opened("SD-1")])
    wait_for("the batch in Kafka", lambda: sent(mission, 1))
    keeper, link = mission.process.pid, mission.link()
    assert inet_sockets(link) > 0
    assert inet_sockets(keeper) == 0
    assert not any(name.endswith(".key") for name in open_files(link))
    outbox = str(mission.outbox / "data.mdb")
    assert outbox in open_files(keeper)
    flags = [re.search(r"flags:\s+(\d+)", pathlib.Path(f"/proc/{link}/fdinfo/{fd.name}").read_text()).group(1)
             for fd in pathlib.Path(f"/proc/{link}/fd").iterdir() if os.readlink(fd) == outbox]
    assert flags != []
    assert {int(flag, 8) & os.O_ACCMODE for flag in flags} == {os.O_RDONLY}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root reads another process's memory")
def test_key_is_nowhere_in_the_memory_of_any_link(mission):
    line = mission.key.read_text().split()[1]
    for _ in range(2):
        link = wait_for("the link", mission.link)
        mission.publish([case_opened("SD-1")])
        wait_for("its connection", lambda: inet_sockets(link) > 0)
        # That looking finds what is there: the link has the configuration.
        assert memory_holds(link, str(mission.outbox).encode())
        assert not memory_holds(link, bytes.fromhex(line))
        assert not memory_holds(link, line.encode())
        # A new one is begun by a keeper that has its key by now.
        os.kill(link, 9)
        wait_for("another link", lambda: mission.link() not in (None, link))


def test_each_batch_is_where_it_is_said_to_be(world, kafka, mission):
    """Stored, sent, acked: what no broker answers for is never said to be sent, what one has not acked never to be acked."""
    def states():
        return [batch["state"] for batch in mission.batches()]

    mission.publish([case_opened("SD-1")])
    wait_for("the first batch in Kafka", lambda: states() == ["acked"])
    broker = int(kafka.command("pid").stdout)
    os.kill(broker, signal.SIGSTOP)
    try:
        mission.publish([case_opened("SD-2")])
        wait_for("the second one on its way", lambda: states() == ["acked", "sent"])
        # A new link has heard nothing yet: what it gives to a broker that is mute is not called sent.
        os.kill(mission.link(), 9)
        mission.publish([case_opened("SD-3")])
        wait_for("another link", lambda: mission.link() is not None and inet_sockets(mission.link()) > 0)
        assert states() == ["acked", "sent", "stored"]
    finally:
        os.kill(broker, signal.SIGCONT)
    wait_for("all in Kafka", lambda: states() == ["acked"] * 3)


def test_link_dies_and_comes_again(mission):
    mission.publish([case_opened("SD-1")])
    wait_for("the first batch in Kafka", lambda: sent(mission, 1))
    before = mission.link()
    os.kill(before, 9)
    assert len(mission.publish([case_opened("SD-2")]).answers) == 1
    wait_for("the second batch in Kafka", lambda: sent(mission, 2))
    assert mission.link() != before
    assert "the link died of signal 9" in mission.said()


def test_link_ends_with_its_keeper(mission):
    link = mission.link()
    mission.kill()
    wait_for("the link's end", lambda: not os.path.exists(f"/proc/{link}")
             or pathlib.Path(f"/proc/{link}/stat").read_text().rsplit(")", 1)[1].split()[0] in "ZX")


def test_end_on_request_is_clean(mission):
    mission.publish([case_opened("SD-1")])
    mission.stop()
    assert not mission.socket.exists()
    assert mission.said().endswith("mission CN-SD-EMB: stopped\n")


# -- whom it serves --


def test_user_who_is_not_named_is_not_let_in(world):
    mission = world.mission("CN-SD-EMB", users=str(NOBODY))
    mission.process = mission.spawn()
    wait_for("the socket", mission.socket.exists)

    def turned_away():
        try:
            with Client(mission.socket) as client:
                return client.response()
        except ConnectionRefusedError:
            return None

    results = wait_for("an answer", turned_away).results
    assert [result.WhichOneof("outcome") for result in results] == ["refused"]
    assert f"user {os.geteuid()} is not let in" in results[0].refused.reason
    result = mission.publish([case_opened("SD-1")], check=False)
    assert (result.returncode, result.answers) == (1, [])
    assert f"user {os.geteuid()} is not let in" in result.stderr, result.stderr
    assert f"user {os.geteuid()} is not let in" in mission.said()


def as_user(uid, path):
    """What another user gets who publishes: a word about it."""
    request = message("valise.v1.PublishRequest")(tag=1, events=[Sender("CN-SD-EMB").event()]).SerializeToString()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        # Another user may not be able to read our libraries: nothing here loads any.
        answer = b"lost"
        try:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
            line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            line.settimeout(30)
            line.connect(str(path))
            try:
                line.sendall(len(request).to_bytes(4, "big") + request)
            except BrokenPipeError:
                pass  # turned away before it could ask; the answer is there all the same
            answer = line.recv(4096)
        except PermissionError:
            answer = b"denied"
        finally:
            os.write(writer, answer)
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    if answer == b"denied":
        return "denied"
    return message("valise.v1.PublishResponse").FromString(answer[4:]).results[0].WhichOneof("outcome")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
@pytest.mark.parametrize("users, word", [(None, "denied"), ("root", "denied"),
                                         ("root, 1", "refused"), (f"root, {NOBODY}", "accepted")])
def test_kernel_says_who_it_is(world, users, word):
    if not os.stat("/").st_mode & 0o001:
        pytest.skip("nobody else gets past / on this machine")
    mission = world.mission("CN-SD-EMB", users=users).start()
    for folder in (world.folder, *world.folder.parents, mission.folder):
        if folder != pathlib.Path("/"):
            folder.chmod(folder.stat().st_mode | 0o111)
    assert as_user(NOBODY, mission.socket) == word
    assert mission.publish([case_opened("SD-1")]).answers[0]["event"] == (2 if word == "accepted" else 1)


def test_one_connection_too_many_takes_the_place_of_an_idle_one(mission):
    clients = [Client(mission.socket) for _ in range(128)]
    assert clients[127].publish(Sender("CN-SD-EMB").event())[0].accepted.event == 1
    assert mission.publish([case_opened("SD-1")]).answers[0]["event"] == 2
    assert clients[0].response() is None
    assert clients[127].publish(Sender("CN-SD-EMB").event())[0].WhichOneof("outcome") == "accepted"


# -- the line is down --


def test_restart_without_kafka_accepts_at_once(world):
    mission = world.mission("CN-ET-EMB", properties={"bootstrap.servers": NOWHERE}).start()
    first = mission.publish([case_opened(f"ET-{n}") for n in range(20)]).answers
    mission.kill()
    began = time.monotonic()
    mission.start()
    again = mission.publish([case_opened(f"ET-{n}") for n in range(20, 40)]).answers
    assert time.monotonic() - began < 10
    assert [answer["event"] for answer in first + again] == list(range(1, 41))
    assert {answer["epoch"] for answer in again} == {first[0]["epoch"]}
    assert {batch["state"] for batch in mission.batches()} == {"stored"}
    assert "the outbox keeps everything" in mission.said()


def test_kafka_that_comes_late_gets_everything(world, tmp_path):
    """The same agent, all the time: nobody starts it again when the line is back."""
    kafka = Kafka(tmp_path / "late")
    try:
        kafka.command("down")
        mission = world.mission("CN-ET-EMB", properties={"bootstrap.servers": kafka.bootstrap}).start()
        mission.publish([case_opened(f"ET-{n}") for n in range(20)])
        assert {batch["state"] for batch in mission.batches()} == {"stored"}
        kafka.command("up")
        wait_for("everything in Kafka", lambda: sent(mission, 20), 60)
    finally:
        kafka.stop()


def test_full_outbox_refuses_routine_and_still_takes_flash(world):
    mission = world.mission("CN-ET-EMB", properties={"bootstrap.servers": NOWHERE}, size="16M").start()
    big = {"narrative": "x" * 400_000}
    accepted, refusal = 0, ""
    while not refusal and accepted < 50:
        result = mission.publish([case_opened(f"ET-{accepted}", personal=big)], check=False)
        accepted += len(result.answers)
        refusal = result.stderr
    assert accepted > 10
    assert re.search(r"cannot publish 'stdin:1': the outbox is \d+ % full and takes no PRIORITY event now; ", refusal)
    flash = event(EVACUATION + ".LegDeparted", "LEG-1", {"leg": "LEG-1", "operation": "ET"})
    assert mission.publish([flash]).answers[0]["lane"] == EVACUATION
    assert mission.publish([event(ALERT + ".AlertSubmitted", "A-1")]).answers[0]["lane"] == ALERT
    numbers = [int(batch["firstEvent"]) for batch in mission.batches() if batch["lane"] == CASE]
    assert numbers == list(range(1, accepted + 1))


def test_highest_lane_goes_first(world, tmp_path):
    """What waits goes by precedence: the flash is in Kafka before the bulk that was there first."""
    kafka = Kafka(tmp_path / "late")
    try:
        kafka.command("down")
        mission = world.mission("CN-ET-EMB", properties={"bootstrap.servers": kafka.bootstrap}).start()
        filler = {"narrative": "x" * 60_000}
        mission.publish([case_opened(f"ET-{n}", personal=filler) for n in range(100)])
        mission.publish([event(EVACUATION + ".LegDeparted", "LEG-1", {"leg": "LEG-1", "operation": "ET"})])
        kafka.command("up")
        wait_for("everything in Kafka", lambda: sent(mission, 101), 90)
        wire = Wire(kafka.bootstrap)
        flash = wire.records(EVACUATION)[0].timestamp()[1]
        bulk = sorted(record.timestamp()[1] for record in wire.records(CASE))
        assert sum(at < flash for at in bulk) <= len(bulk) // 4
    finally:
        kafka.stop()


def test_new_key_begins_a_new_epoch(world):
    mission = world.mission("CN-FR-EMB").start()
    hq = world.headquarters().start()
    first = mission.publish([case_opened("FR-1")]).answers[0]
    hq.wait_events("CN-FR-EMB", CASE, 1)
    mission.stop()
    old = mission.key.with_suffix(".pub").read_bytes()
    (world.keys / "CN-FR-EMB.1.pub").write_bytes(old)
    mission.key.unlink()
    mission.key.with_suffix(".pub").unlink()
    valise.valise("key", "new", "--id", "CN-FR-EMB", "--out", mission.folder)
    (world.keys / "CN-FR-EMB.pub").write_bytes(mission.key.with_suffix(".pub").read_bytes())
    hq.stop()
    hq.start()
    mission.start()
    second = mission.publish([case_opened("FR-2")]).answers[0]
    assert second["epoch"] > first["epoch"]
    assert second["event"] == 1
    hq.wait_events("CN-FR-EMB", CASE, 2)
    assert hq.standing("CN-FR-EMB", CASE)["verdict"] == "ok"
