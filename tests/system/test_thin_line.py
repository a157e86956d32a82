"""A mission behind 64 kbit/s with 100,000 ROUTINE events waiting: FLASH is in headquarters' view within 2 s, and ROUTINE still moves.

The line is a network of its own between the mission's and headquarters', and not the mission's own interface, as the kernel keeps
queues short that it sees.
"""

import os
import random
import shutil
import statistics
import time

import pytest

from valise import EVACUATION, TRAVELLER, Client, Kafka, Sender, Wire, World, event, event_id, message, run, wait_for

LINE = 8000  # bytes a second
WAITING = 100_000
FLASHES = 10
BUFFER = 65536  # what the router takes before it drops: 8 s
TOOLS = ("ip", "tc", "nsenter", "sysctl")


def asked(*words):
    """A command that asks the kernel for what it may not have, or not give."""
    made = run(*words, check=False)
    if made.returncode != 0:
        pytest.skip(f"this machine's kernel makes no thin line: {made.args}: {made.stderr}")


def inside(space):
    """What starts a command in a network. Not `ip netns exec` or `ip -n`: they mount a /sys as well, and cannot in a chroot."""
    return "nsenter", f"--net=/run/netns/{space}"


class Line:
    """mission -- line -- headquarters, as network namespaces; the machine itself is headquarters."""

    def __init__(self):
        number = os.getpid() % 250
        self.mission, self.line, self.outer = f"vl-m-{number}", f"vl-l-{number}", f"vl-{number}"
        self.host = f"198.18.{number}.1"
        self.near = f"198.18.{number}"

    def make(self):
        near, mission, line = self.near, inside(self.mission), inside(self.line)
        asked("ip", "netns", "add", self.mission)
        asked("ip", "netns", "add", self.line)
        self.pair((), self.outer, f"{near}.1/30", f"{near}.2/30", "high")
        self.pair(mission, "mine", f"{near}.6/30", f"{near}.5/30", "low")
        run("ip", "route", "add", f"{near}.4/30", "via", f"{near}.2")
        run(*mission, "ip", "route", "add", "default", "via", f"{near}.5")
        run(*mission, "ip", "link", "set", "lo", "up")
        for side in ("high", "low"):
            asked(*line, "tc", "qdisc", "add", "dev", side, "root", "tbf", "rate", f"{LINE * 8}bit", "burst", "1600",
                  "limit", BUFFER)

    def pair(self, within, name, address, other, side):
        """An interface of the machine's, or of a namespace's, and its end at the line."""
        line = inside(self.line)
        asked(*within, "ip", "link", "add", name, "type", "veth", "peer", "name", side, "netns", self.line)
        run(*within, "ip", "addr", "add", address, "dev", name)
        run(*within, "ip", "link", "set", name, "up")
        run(*line, "ip", "addr", "add", other, "dev", side)
        run(*line, "ip", "link", "set", side, "up")

    def command(self, *words):
        return run(*inside(self.line), *words)

    def set(self, up):
        self.command("sysctl", "-qw", f"net.ipv4.ip_forward={int(up)}")

    def remove(self):
        run("ip", "netns", "del", self.mission, check=False)
        run("ip", "netns", "del", self.line, check=False)
        run("ip", "link", "del", self.outer, check=False)


@pytest.fixture
def line():
    if os.geteuid() != 0 or not all(map(shutil.which, TOOLS)):
        pytest.skip(f"a thin line takes root, and {', '.join(TOOLS)} (Debian: iproute2, util-linux, procps)")
    made = Line()
    made.remove()
    try:
        made.make()
        yield made
    finally:
        made.remove()


@pytest.fixture
def place(tmp_path, line):
    kafka = Kafka(tmp_path / "kafka", host=line.host)
    made = World(tmp_path, kafka)
    made.sd = made.mission("CN-SD-EMB", resend=600, within=inside(line.mission))
    made.hq = made.headquarters(agent=made.mission("HQ", resend=600).start()).start()
    yield made
    made.close()
    kafka.stop()


def fill(mission, count):
    """Give it so many ROUTINE events, quickly: one like the other but for its id."""
    made = Sender(mission.name).event("T-1", message(TRAVELLER + ".TravellerRegistered")(kind=2, people=1))
    body, mark = made.SerializeToString(), made.id
    with Client(mission.socket) as client:
        for start in range(0, count, 1000):
            results = client.publish(*(body.replace(mark, event_id()) for _ in range(min(1000, count - start))))
            assert {result.WhichOneof("outcome") for result in results} == {"accepted"}


def flash(place, operation):
    """Seconds until headquarters' view has it."""
    began = time.monotonic()
    place.sd.publish([event(EVACUATION + ".OperationOpened", operation,
                            {"operation": operation, "title": "Evacuation", "lead": "CN-SD-EMB"})])
    wait_for(f"{operation} in the view", lambda: place.hq.show("evacuation", operation, check=False), 60)
    return time.monotonic() - began


def moved(place, since_ms):
    """Bytes a second of the waiting events, from the first batch that Kafka took after `since_ms` to the last."""
    found = sorted((record.timestamp()[1], len(record.value())) for record in Wire(place.kafka.bootstrap).records(TRAVELLER))
    found = [(at, size) for at, size in found if at >= since_ms]
    assert len(found) > 3, found
    return sum(size for _, size in found[1:]) * 1000 / (found[-1][0] - found[0][0])


def test_flash_passes_routine_and_routine_still_moves(place, line):
    seed = int(os.environ.get("VALISE_SEED") or random.randrange(1 << 32))
    print("VALISE_SEED", seed)
    moments = random.Random(seed)
    line.set(False)
    place.sd.start()
    fill(place.sd, WAITING)
    line.set(True)
    place.hq.wait_events("CN-SD-EMB", TRAVELLER, 1, 90)
    since, took = time.time() * 1000, []
    for number in range(FLASHES):
        took.append(flash(place, f"SD-{number}"))
        time.sleep(moments.uniform(2, 4))  # not a wait: the moments at which FLASH comes are none of the batches'
    rate = moved(place, since)
    queue = line.command("tc", "-s", "qdisc", "show", "dev", "high").stdout
    print("seconds to the view:", ", ".join(f"{one:.2f}" for one in took))
    print(f"median {statistics.median(took):.2f} s; ROUTINE moves at {rate:.0f} of {LINE} bytes a second; {queue}")
    assert statistics.median(took) < 2
    assert rate >= 0.8 * LINE
    assert int(place.hq.standing("CN-SD-EMB", TRAVELLER)["events"]) < WAITING
