"""The same batches give the same views, byte for byte: rebuilt, replayed, and in whatever order they came."""

import copy
import os
import random

import pytest
from confluent_kafka.admin import AdminClient

from valise import (ALERT, CASE, EVACUATION, TOPICS, TRAVELLER, TROUBLE, Kafka, Sender, Wire, World, message, pool, valise,
                    wait_for)

MISSIONS = ("CN-SD-EMB", "CN-EG-EMB", "CN-SA-CG-JED", "HQ")
LANES = (CASE, EVACUATION, ALERT, TRAVELLER)
BATCHES = 12


@pytest.fixture(scope="module")
def other_kafka(tmp_path_factory):
    broker = Kafka(tmp_path_factory.mktemp("other"))
    yield broker
    broker.stop()


def event_types(lane):
    """Every event of the lane: the messages of its own file, by descriptor."""
    noun = lane.split(".")[1]
    file = pool.FindFileByName(f"{lane.replace('.', '/')}/{noun}.proto")
    return [file.message_types_by_name[name] for name in sorted(file.message_types_by_name)]


# What a text may say, by its field's name, so that facts meet and contradict each other.
TEXTS = {
    "person": "P", "persons": "P", "kept": "P", "mother": "P", "leg": "LEG", "operation": "OP", "crisis": "CRISIS",
    "party": "PARTY", "into": "CASE", "from": "CASE", "transfer": "T", "clock": "CLOCK", "area": "AREA",
    "country": "AREA", "place": "AREA", "check": "CHECK",
}


def word(dice, field):
    if field in ("to", "mission", "lead", "by"):
        return dice.choice(MISSIONS)
    return f"{TEXTS.get(field, field.upper())}-{dice.randrange(3)}"


def single(dice, field, depth):
    if field.type == field.TYPE_MESSAGE:
        return fill(dice, message(field.message_type.full_name)(), depth + 1)
    if field.type == field.TYPE_ENUM:
        return dice.choice(field.enum_type.values).number
    if field.type == field.TYPE_STRING:
        return word(dice, field.name)
    if field.type == field.TYPE_BYTES:
        return bytes(dice.randrange(256) for _ in range(4))
    return dice.randrange(2) if field.type == field.TYPE_BOOL else dice.randrange(5)


def fill(dice, made, depth=0):
    """Something for most fields."""
    if made.DESCRIPTOR.full_name == "google.protobuf.Timestamp":
        made.FromSeconds(1682582400 + dice.randrange(-5000, 5000))
        return made
    for field in made.DESCRIPTOR.fields:
        if depth > 2 or dice.random() < 0.2 or field.name == "sealed_personal":
            continue
        if field.is_repeated:
            getattr(made, field.name).extend(single(dice, field, depth) for _ in range(dice.randrange(3)))
        elif field.type == field.TYPE_MESSAGE:
            getattr(made, field.name).CopyFrom(single(dice, field, depth))
        else:
            setattr(made, field.name, single(dice, field, depth))
    return made


def subject_of(dice, payload):
    _, noun, _, name = payload.DESCRIPTOR.full_name.split(".")
    if noun == "evacuation":
        for field in ("leg", "person", "operation", "crisis"):
            if field in payload.DESCRIPTOR.fields_by_name and getattr(payload, field):
                return getattr(payload, field)
    return f"{'CHECK' if name.startswith('SafetyCheck') else noun.upper()}-{dice.randrange(3)}"


def make_event(dice, sender, lane, seen):
    known = seen.setdefault(lane, [])
    if known and dice.random() < 0.1:
        return dice.choice(known)  # told by two missions, or twice by one
    payload = fill(dice, message(dice.choice(event_types(lane)).full_name)())
    event = sender.event(subject_of(dice, payload), payload)
    event.occurred_at.FromSeconds(1682582400 + dice.randrange(-5000, 5000))
    same = [other.id for other in known if other.subject == event.subject]
    if same and dice.random() < 0.3:
        event.after = dice.choice(same)
    if same and dice.random() < 0.05:
        event.id = dice.choice(same)  # an id that has been used before, for other words
    known.append(event)
    return event


def played(seed):
    """Records of all missions on all lanes: (topic, key, value, headers), each chain in its own order."""
    dice = random.Random(seed)
    senders = {(name, lane): Sender(name, name.encode().ljust(32, b".")) for name in MISSIONS for lane in LANES}
    records, seen = [], {}
    for _ in range(BATCHES):
        for (name, lane), sender in senders.items():
            events = [make_event(dice, sender, lane, seen) for _ in range(dice.randrange(1, 6))]
            value = sender.batch(*events, lane=lane)
            records.append((lane, name, value, sender.headers(value)))
    return records, list({sender.name: sender for sender in senders.values()}.values())


@pytest.fixture(scope="module")
def seed():
    value = int(os.environ.get("VALISE_SEED", random.SystemRandom().randrange(1 << 31)))
    print(f"VALISE_SEED={value}")
    return value


def used_again(records):
    """How many events have an id that their sender had given to another event of the lane before."""
    batches = {}
    for _, _, value, _ in records:
        batch = message("valise.v1.Batch").FromString(value)
        batches[batch.mission, batch.lane, batch.epoch, batch.seq] = batch
    first, count = {}, 0
    for place in sorted(batches):
        for event in batches[place].events:
            event.ClearField("occurred_at")  # sent again with a new time it is the same event
            words = event.SerializeToString(deterministic=True)
            count += first.setdefault((*place[:2], event.id), words) != words
    return count


def caught_up(hq, records):
    """Headquarters has taken every batch of these, and waits for none."""
    counts = {}
    for topic, key, *_ in records:
        counts[key, topic] = counts.get((key, topic), 0) + 1

    def look():
        standings = hq.standings()
        return hq.alive() and all(int(standings.get(place, {}).get("batches", 0)) == count
                                  and int(standings[place]["parked"]) == 0 for place, count in counts.items())

    wait_for("all batches", look, 60)
    standings = hq.standings().values()
    assert {standing["verdict"] for standing in standings} == {"ok"}
    assert sum(int(standing["unread"]) for standing in standings) == used_again(records) > 0
    assert sum(int(standing["repeated"]) for standing in standings) > 0


def test_any_order_and_any_replay_give_the_same_views(tmp_path, kafka, other_kafka, seed):
    records, senders = played(seed)
    world = World(tmp_path, kafka)
    for sender in senders:
        sender.enrol(world.keys)
    try:
        live = world.headquarters("live").start()
        Wire(kafka.bootstrap).send_all(records)
        caught_up(live, records)
        digest = live.digest()
        lines = digest.split()
        assert {lane: len(name) for name, lane in zip(lines[::2], lines[1::2])} == dict.fromkeys((*LANES, TROUBLE), 64)
        assert len(set(lines[::2])) == len(LANES) + 1

        rebuilt = world.headquarters("rebuilt").start()
        caught_up(rebuilt, records)
        assert rebuilt.digest() == digest

        shuffled = random.Random(seed).sample(records, len(records))
        elsewhere = world.headquarters("elsewhere", kafka=other_kafka).start()
        Wire(other_kafka.bootstrap).send_all(shuffled)
        caught_up(elsewhere, records)
        assert elsewhere.digest() == digest

        replay_three_times(live, Wire(kafka.bootstrap), records)
        assert live.digest() == digest
        rebuilt_of_replays = world.headquarters("last").start()
        caught_up(rebuilt_of_replays, records)
        assert rebuilt_of_replays.digest() == digest
    finally:
        world.close()


def played_by_clones(seed):
    """As played, but after a while each sender has a clone, and they sign in turns; in the end one begins a new epoch."""
    dice = random.Random(seed)
    chains, senders, seen = {}, [], {}
    for name in MISSIONS:
        for lane in LANES:
            sender = Sender(name, name.encode().ljust(32, b"."))
            senders.append(sender)
            chain = chains.setdefault((name, lane), [])
            clone = copy.copy(sender)
            for number in range(BATCHES):
                if number == BATCHES // 4:
                    clone = copy.copy(sender)
                elif BATCHES // 4 < number < BATCHES // 2:
                    sender, clone = clone, sender
                elif number == BATCHES // 2:
                    sender.epoch, sender.seq, sender.next_event = 2, 0, 1
                events = [make_event(dice, sender, lane, seen) for _ in range(dice.randrange(1, 6))]
                value = sender.batch(*events, lane=lane)
                chain.append((lane, name, value, sender.headers(value)))
    return chains, senders[::len(LANES)]


def interleaved(dice, chains):
    """All of them in some order, each chain's in its own: as the broker would have them from one sender."""
    left = [list(chain) for chain in chains.values()]
    records = []
    while left:
        chain = dice.choice(left)
        records.append(chain.pop(0))
        if not chain:
            left.remove(chain)
    return records


def forked(hq, records):
    """Headquarters has taken or kept every batch."""
    def look():
        standings = hq.standings().values()
        return hq.alive() and len(records) == sum(int(one["batches"]) + int(one["forks"]) for one in standings)

    wait_for("all batches", look, 60)
    standings = hq.standings().values()
    assert {standing["verdict"] for standing in standings} == {"fork"}
    assert sum(int(standing["parked"]) for standing in standings) == 0


def test_forks_give_the_same_views(tmp_path, kafka, other_kafka, seed):
    chains, senders = played_by_clones(seed)
    dice = random.Random(seed)
    records = interleaved(dice, chains)
    world = World(tmp_path, kafka)
    for sender in senders:
        sender.enrol(world.keys)
    try:
        for broker in (kafka, other_kafka):
            start_anew(broker)
        live = world.headquarters("live").start()
        Wire(kafka.bootstrap).send_all(records)
        forked(live, records)
        digest = live.digest()
        again = world.headquarters("again").start()
        forked(again, records)
        assert again.digest() == digest
        elsewhere = world.headquarters("elsewhere", kafka=other_kafka).start()
        Wire(other_kafka.bootstrap).send_all(interleaved(dice, chains))
        forked(elsewhere, records)
        assert elsewhere.digest() == digest
        replay_three_times(live, Wire(kafka.bootstrap), records)
        assert live.digest() == digest
        last = world.headquarters("last").start()
        forked(last, records)
        assert last.digest() == digest
    finally:
        world.close()


def start_anew(broker):
    """The lanes' topics, empty."""
    admin = AdminClient({"bootstrap.servers": broker.bootstrap, "log_level": 0})
    for future in admin.delete_topics(list(LANES), operation_timeout=30).values():
        future.result()
    wait_for("the end of the topics", lambda: not set(LANES) & set(admin.list_topics(timeout=10).topics))
    wait_for("the topics", lambda: valise("topic", "apply", "-b", broker.bootstrap, TOPICS, check=False)
             .returncode == 0)


def replay_three_times(hq, wire, records):
    """Every record of a topic again as it lies in Kafka, three times over."""
    for lane in LANES:
        lying = [(lane, record.key(), record.value(), record.headers()) for record in wire.records(lane)]
        assert len(lying) == sum(topic == lane for topic, *_ in records)
        wire.send_all(lying * 3)
    for place, standing in hq.standings().items():
        wait_for(f"the replays of {place}",
                 lambda: int(hq.standings()[place]["replayed"])
                 == 3 * (int(hq.standings()[place]["batches"]) + int(hq.standings()[place]["forks"])))
