"""The oracle: it keeps every OK that a program got, and reads at the end what Kafka and headquarters' views have.

It makes its events itself, as bytes, and takes batches apart with a walker of its own, so that a mistake that the product makes on
both ways does not pass.
"""

import hashlib
import struct

from confluent_kafka import Consumer, TopicPartition
from google.protobuf import json_format

import valise
from valise import CASE, message, pool, wait_for

A_REQUEST = 50
AHEAD = 40


def digest(data):
    return hashlib.blake2b(data, digest_size=16).digest()


# -- making events --


class Events:
    """Events of one mission, numbered; the same seed makes the same ones."""

    def __init__(self, seed, subjects, prefix):
        self.seed, self.subjects, self.prefix = seed, subjects, prefix
        self.count = 0
        any_ = message("google.protobuf.Any")
        self.opened = any_(type_url=f"type.googleapis.com/{CASE}.CaseOpened",
                           value=message(CASE + ".CaseOpened")(type=102, persons=1).SerializeToString())
        self.sealed = message("valise.v1.Sealed")
        self.note = message(CASE + ".NoteAdded")
        self.any, self.event, self.time = any_, message("valise.v1.Event"), message("google.protobuf.Timestamp")

    def next(self, seconds):
        """One event that occurs now, as the mission's clock has it: (its id, its bytes)."""
        number = self.count
        self.count += 1
        noise = hashlib.sha512(f"{self.seed} {self.prefix} {number}".encode()).digest()
        ms = struct.pack(">Q", int(seconds * 1000))[2:]
        uuid = ms + bytes([0x70 | noise[0] & 15, noise[1], 0x80 | noise[2] & 63]) + noise[3:10]
        payload = self.opened
        if number >= self.subjects:
            note = self.note(sealed_personal=self.sealed(subject_key="key/1", nonce=noise[:24],
                                                         ciphertext=noise * (1 + noise[10] % 4)))
            payload = self.any(type_url=f"type.googleapis.com/{CASE}.NoteAdded",
                               value=note.SerializeToString(deterministic=True))
        whole = self.event(id=uuid, occurred_at=self.time(seconds=int(seconds), nanos=noise[11] * 1000000),
                           subject=self.subject(number), payload=payload, actor="officer:7")
        return uuid, whole.SerializeToString(deterministic=True)

    def subject(self, number):
        return f"{self.prefix}-{number % self.subjects}"

    def all_subjects(self):
        return [self.subject(number) for number in range(min(self.count, self.subjects))]


# -- giving them, and keeping what was answered --


class Oracle:
    """What one mission's programs were told OK: id -> (epoch, number, digest of the event's bytes)."""

    def __init__(self):
        self.accepted = {}
        self.duplicates = 0

    def give(self, mission, events, deaf=False):
        """Publish (id, bytes) pairs, requests ahead of the answers, and keep each answer. `deaf`: send, and hear none."""
        with valise.Client(mission.socket) as client:
            groups = [events[at:at + A_REQUEST] for at in range(0, len(events), A_REQUEST)]
            for number, group in enumerate(groups):
                client.send(b"\x08\x01" + b"".join(b"\x12" + valise._varint(len(data)) + data for _, data in group))
                if not deaf and number >= AHEAD:
                    self.hear(client, groups[number - AHEAD])
            for group in [] if deaf else groups[-AHEAD:]:
                self.hear(client, group)

    def hear(self, client, group):
        results = client.response().results
        assert len(results) == len(group)
        for (uuid, data), result in zip(group, results, strict=True):
            said = result.accepted
            assert (said.id, said.lane) == (uuid, CASE), result
            place = said.epoch, said.event, digest(data)
            self.duplicates += said.duplicate
            assert self.accepted.setdefault(uuid, place) == place

    # -- and what became of it --

    def compare(self, what, found):
        """`found` is what somebody has: (id, (epoch, number, digest)) of each event. Each is there once, and nothing else."""
        have = {}
        for uuid, place in found:
            assert uuid not in have, f"{what}: {uuid.hex()} is there twice"
            have[uuid] = place
        lost = [uuid for uuid in self.accepted if uuid not in have]
        strange = [uuid for uuid in have if uuid not in self.accepted]
        changed = [uuid for uuid in have if uuid in self.accepted and have[uuid] != self.accepted[uuid]]
        assert (lost, strange, changed) == ([], [], []), (
            f"{what}: of {len(self.accepted)} events {len(lost)} are lost, {len(strange)} were never accepted, "
            f"{len(changed)} are others")

    def check_log(self, bootstrap, mission):
        """Kafka has every event, byte for byte, in an unbroken chain. Records that came again are the same again."""
        self.compare("Kafka", log_events(bootstrap, mission))

    def check_views(self, hq, mission, subjects):
        """Headquarters' histories have every event once, byte for byte, under the number that was answered."""
        self.compare("headquarters", view_events(hq, mission, subjects))
        standing = hq.standing(mission, CASE)
        counts = {name: int(standing[name]) for name in ("events", "parked", "forks", "repeated", "unread")
                  if name in standing}
        assert standing["verdict"] == "ok" and counts.pop("events") == len(self.accepted), standing
        assert not any(counts.values()), standing


def wire_fields(data):
    """(number, value) of each field of a message: an int, or the bytes as they stand."""
    at, end = 0, len(data)

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < end:
        tag = varint()
        assert tag & 7 in (0, 2)
        value = varint()
        if tag & 7 == 2:
            at += value
            yield tag >> 3, data[at - value:at]
        else:
            yield tag >> 3, value


def records(bootstrap, topic):
    """A topic's records as they lie there now, partition by partition."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "none", "enable.auto.commit": False,
                         "fetch.message.max.bytes": 4000000, "log_level": 0})
    for number in consumer.list_topics(topic, timeout=10).topics[topic].partitions:
        low, high = wait_for(f"a leader of {topic} {number}", lambda: valise.watermarks(consumer, topic, number))
        consumer.assign([TopicPartition(topic, number, low)])
        while low < high:
            record = consumer.poll(30)
            assert record is not None and record.error() is None, f"{topic} {number}: {record and record.error()}"
            low = record.offset() + 1
            yield record
    consumer.close()


def unbroken(world, topic=CASE):
    """Headquarters on a Kafka of its own where nothing has ever gone wrong: each record of the topic once, in the order in which it
    first came. Returns both; whoever asked stops them."""
    kafka, seen, first = valise.Kafka(world.folder / "unbroken-kafka"), set(), []
    for record in records(world.kafka.bootstrap, topic):
        if (record.key(), record.value()) not in seen:
            seen.add((record.key(), record.value()))
            first.append((topic, record.key(), record.value(), record.headers()))
    valise.Wire(kafka.bootstrap).send_all(first)
    return kafka, world.headquarters("unbroken", kafka=kafka).start()


def log_events(bootstrap, mission, topic=CASE):
    """(id, (epoch, number, digest)) of each event in Kafka, from batches that are numbered and chained without a gap."""
    chain = []
    epoch, head = None, bytes(32)
    for value in (record.value() for record in records(bootstrap, topic) if record.key() == mission.encode()):
        fields = [(number, part) for number, part in wire_fields(value)]
        batch = dict(fields)
        whole = hashlib.blake2b(value, digest_size=32).digest()
        assert epoch in (None, batch[3]), "another epoch"
        epoch = batch[3]
        if batch[4] <= len(chain):
            assert chain[batch[4] - 1] == whole, f"batch {batch[4]} came again as another one"
            continue
        assert (batch[4], batch[6]) == (len(chain) + 1, head), f"batch {batch[4]} does not follow {len(chain)}"
        chain.append(whole)
        head = whole
        for at, event in enumerate(part for number, part in fields if number == 8):
            yield dict(wire_fields(event))[1], (epoch, batch[5] + at, digest(event))


def view_events(hq, mission, subjects):
    """The same out of the histories of headquarters' cases, whose JSON is made bytes again."""
    event = message("valise.v1.Event")
    for subject in subjects:
        for item in hq.show("case", subject)["history"]:
            assert item["mission"] == mission
            made = json_format.ParseDict(item["event"], event(), descriptor_pool=pool)
            yield made.id, (int(item["epoch"]), int(item["eventNo"]), digest(made.SerializeToString(deterministic=True)))


# -- by way of `valise publish`, whose answers are JSON --


def places(answers):
    """id -> (lane, epoch, event), which every answer about it has to agree on."""
    found = {}
    for answer in answers:
        place = answer["lane"], int(answer["epoch"]), int(answer["event"])
        assert found.setdefault(answer["id"], place) == place
    return found


def case_place(item):
    return item["event"]["id"], (CASE, int(item["epoch"]), int(item["eventNo"]))


