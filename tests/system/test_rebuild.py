"""Views made again: from Kafka in whatever order its partitions are read, and from the archive alone."""

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from valise import CASE, PROGRAMS, Sender, Wire, valise, wait_for

MISSION = "CN-DJ-EMB"
WAITING = 1000  # batches of a mission's lane that may wait (services/hq/ledger/parked.h)
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


def make_topic(kafka, partitions):
    """The lane's topic anew, with so many partitions."""
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap, "log_level": 0})
    admin.delete_topics([CASE], operation_timeout=30)[CASE].result(30)
    wait_for("its end", lambda: CASE not in admin.list_topics(timeout=10).topics)
    config = {"message.timestamp.type": "LogAppendTime", "cleanup.policy": "delete", "retention.ms": "-1"}
    admin.create_topics([NewTopic(CASE, partitions, 1, config=config)])[CASE].result(30)


def signed(senders):
    """Batches of all of them, a few of each in turn, about subjects of their own and shared ones."""
    made = []
    for turn in range(8):
        for sender in senders:
            for number in range(5):
                subject = f"{sender.name}-{number}" if number else "SHARED-1"
                value = sender.batch(sender.event(subject))
                made.append((turn, sender, value, sender.headers(value)))
    return made


def test_as_many_partitions_as_there_may_be_give_one_digest(world, kafka):
    """The same signed records in topics of 1, 8 and 300 partitions. In these a sender's later batches lie in another
    partition than its first, as after they grew; and in one of them in the last there is."""
    senders = [Sender(f"CN-{name}-EMB", name.encode() * 16) for name in ("SD", "ER", "TH", "KE", "SA", "EG")]
    for sender in senders:
        sender.enrol(world.keys)
    records, digests = signed(senders), []
    for partitions in (1, 8, 300):
        make_topic(kafka, partitions)
        producer = Wire(kafka.bootstrap).producer
        for turn, sender, value, headers in records:
            place = partitions - 1 - senders.index(sender) if turn >= 5 else senders.index(sender) * 7
            producer.produce(CASE, value=value, headers=headers, key=sender.name, partition=place % partitions)
        assert producer.flush(30) == 0
        hq = world.headquarters(f"of-{partitions}").start()
        for sender in senders:
            hq.wait_events(sender.name, CASE, len(records) // len(senders))
        assert {row["verdict"] for row in hq.missions().values()} == {"ok"}
        live = hq.digest()
        hq.stop()
        options = ("--keys", world.keys, "-b", kafka.bootstrap)
        assert view(hq, "rebuild", "--from", "kafka", *options).stdout == live == hq.digest()
        assert valise("verify", CASE, *options, check=False).returncode == 0
        digests.append(live)
    assert digests[0] == digests[1] == digests[2]
