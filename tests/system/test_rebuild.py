"""Views made again: from Kafka in whatever order its partitions are read, and from the archive alone."""

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from valise import CASE, PROGRAMS, Sender, Wire, valise, wait_for

MISSION = "CN-DJ-EMB"
WAITING = 1000  # batches of a mission's lane that may wait (services/hq/parked.h)
EARLY, LATE = 200, WAITING + 300


pytestmark = pytest.mark.skipif(b"VALISE_FAILPOINT" not in (PROGRAMS / "valise-hq").read_bytes(),
                                reason="built without VALISE_FAILPOINTS")


def send_to(wire, sender, values, partition):
    for value in values:
        wire.producer.produce(CASE, value=value, headers=sender.headers(value), key=sender.name, partition=partition)
        wire.producer.poll(0)
    assert wire.producer.flush(30) == 0


def view(hq, verb, *arguments, **options):
    return valise("view", verb, *arguments, "--views", hq.views, **options)


def test_views_are_made_again(world):
    sender, hq = Sender(MISSION), world.headquarters()
    sender.enrol(world.keys)
    hq.start()
    early = [sender.batch(sender.event(f"DJ-{i % 9}")) for i in range(EARLY)]
    late = [sender.batch(sender.event(f"DJ-{i % 9}")) for i in range(LATE)]
    wire = Wire(world.kafka.bootstrap)

    def standing(which, **wanted):
        found = which.standing(MISSION, CASE)
        return found if all(str(found.get(name)) == str(value) for name, value in wanted.items()) else None

    # The partition with the later batches is read first, headquarters is killed on the way, and what found no room is read again.
    send_to(wire, sender, late, 1)
    wait_for("a full waiting room", lambda: standing(hq, parked=WAITING, dropped=LATE - WAITING))
    hq.kill()
    hq.start()
    send_to(wire, sender, early, 0)
    whole = {"events": EARLY + LATE, "verdict": "ok", "parked": 0, "dropped": 0}
    wait_for("all of it", lambda: standing(hq, **whole))
    digest = hq.digest()

    # Another reading of the same topic gives the same views.
    other = world.headquarters("other").start()
    wait_for("all of it again", lambda: standing(other, **whole))
    assert other.digest() == digest
    other.stop()

    # From the archive, without a broker; valise-hq must not write meanwhile, and one that is killed leaves the old view whole.
    refused = view(hq, "rebuild", CASE, check=False)
    assert refused.returncode == 1 and "stop it, rebuild, and start it again" in refused.stderr
    hq.stop()
    assert view(hq, "rebuild", CASE, check=False, env={"VALISE_FAILPOINT": "hq.mid-rebuild:kill:700"}).returncode == -9
    assert view(hq, "rebuild", CASE, check=False, env={"VALISE_FAILPOINT": "hq.before-rebuilt:kill"}).returncode == -9
    assert hq.digest() == digest
    made = view(hq, "rebuild", CASE, "--keys", world.keys)
    assert made.stdout.split()[0] in digest and "another digest" not in made.stdout
    assert f"{EARLY + LATE} batches, {EARLY + LATE} events" in made.stdout
    view(hq, "rebuild")
    assert hq.digest() == digest
    assert view(hq, "check").returncode == 0

    # From Kafka, beside the views; and where Kafka has lost some of it, only with the archive.
    kafka = ("--keys", world.keys, "-b", world.kafka.bootstrap)
    for point in ("before", "after"):
        died = view(hq, "rebuild", "--from", "kafka", *kafka, check=False,
                    env={"VALISE_FAILPOINT": f"hq.{point}-swap:kill"})
        assert died.returncode == -9 and hq.digest() == digest
    made = view(hq, "rebuild", "--from", "kafka", *kafka)
    assert made.stdout == digest == hq.digest() and (hq.folder / "views.before").is_dir()
    admin, first = AdminClient({"bootstrap.servers": world.kafka.bootstrap}), TopicPartition(CASE, 0, 50)
    admin.delete_records([first])[first].result(30)
    refused = view(hq, "rebuild", "--from", "kafka", *kafka, check=False)
    assert refused.returncode == 3 and "nothing is changed" in refused.stderr and hq.digest() == digest
    assert view(hq, "rebuild", "--from", "both", *kafka).stdout == digest

    # And headquarters goes on from there.
    hq.start()
    send_to(wire, sender, [sender.batch(sender.event("DJ-1"))], 0)
    wait_for("one more", lambda: standing(hq, events=EARLY + LATE + 1, verdict="ok"))
    hq.stop()
