"""What the system tests share: programs, missions, headquarters, and records made by hand.

Records are made with PyNaCl and protobuf from the installed descriptor set, not with our own code, so that a mistake
made on both sides of the wire does not pass.
"""

import base64
import hashlib
import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import time

import nacl.signing
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("VALISE_BUILD", TOP / "build/tests"))
PROGRAMS = BUILD / "bin"

CONTENT_TYPE = "application/vnd.valise.batch.v1+protobuf"
DRILL_TYPE = "application/vnd.valise.drill.v1+protobuf"
CASE = "consular.case.v1"
ALERT = "consular.alert.v1"
EVACUATION = "consular.evacuation.v1"
TRAVELLER = "consular.traveller.v1"
DEAD_LETTERS = "valise.deadletter.v1"
RECEIPT = "valise.receipt.v1"
DIRECTIVE = "valise.directive.v1"
TROUBLE = "valise.trouble.v1"
TOPICS = TOP / "brokers/topics.yaml"

# Where nothing listens.
NOWHERE = "127.0.0.1:1"

# A fault that a sanitizer finds must not look like one of our own exit codes.
ENVIRONMENT = {name: ":".join(filter(None, [os.environ.get(name), "exitcode=99"]))
               for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS")}


def no_fault(text, name):
    """What a program said, unless a sanitizer has found something."""
    plain = text if isinstance(text, str) else text.decode(errors="replace")
    assert "Sanitizer" not in plain and "runtime error:" not in plain, f"{name}: {plain}"
    return text


def run(*command, check=True, text=True, env=None, **options):
    """A command to its end; its output in the result. Where it fails, the test says what it printed."""
    command = [str(word) for word in command]
    given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "timeout": 120, "text": text, **options}
    result = subprocess.run(command, env={**os.environ, **ENVIRONMENT, **(env or {})}, **given)
    no_fault(result.stderr or "", command)
    if check and result.returncode != 0:
        raise AssertionError(f"{command} exited {result.returncode}\n{result.stdout}\n{result.stderr}")
    return result


def valise(*arguments, **options):
    return run(PROGRAMS / "valise", *arguments, **options)


def rows(result):
    """The lines of JSON that a command printed."""
    return [json.loads(line) for line in result.stdout.splitlines()]


def spawn(program, *arguments, within=(), env=None, **options):
    """A program of ours that goes on running."""
    return subprocess.Popen([str(word) for word in (*within, PROGRAMS / program, *arguments)], stdin=subprocess.DEVNULL,
                            env={**os.environ, **ENVIRONMENT, **(env or {})}, **options)


def wait_for(what, condition, seconds=30):
    """The condition's first true value. Fails, naming what never came."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come within {seconds} s")
        time.sleep(0.05)


def ends_cleanly(process, name):
    """Stop a program as systemd would; a sanitizer's report or an error fails the test."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        code = process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        raise AssertionError(f"{name} did not stop within 30 s") from None
    assert code == 0, f"{name} exited {code}"


class Kafka:
    """A real broker, or three, with the lanes."""

    def __init__(self, folder, brokers=1, topics=True, host=None, properties=""):
        self.folder = folder
        self.brokers = brokers
        self.env = {"VALISE_KAFKA_HOST": host} if host else {}
        self.room = TOP / "brokers"
        if properties:
            self.room = folder.parent / f"{folder.name}-room"
            shutil.copytree(TOP / "brokers", self.room)
            with open(self.room / "broker.properties", "a") as file:
                file.write(f"\n{properties}\n")
        self.bootstrap = self.command("up", "--brokers", brokers, "--port", 0).stdout.strip()
        if topics:
            valise("topic", "apply", "-b", self.bootstrap, TOPICS)

    def command(self, verb, *arguments, **options):
        return run(self.room / "kafka", verb, "--data", self.folder, *arguments, env=self.env, **options)

    def stop(self):
        self.command("wipe")


class Mission:
    """A mission's agent with its key and outbox."""

    def __init__(self, world, name, properties=None, size="1G", users=None, resend=None, pulse=0, within=()):
        self.world = world
        self.within = within  # the command that starts it somewhere else, as in another network
        self.name = name
        self.reads = bool(resend)  # what headquarters says
        self.folder = world.folder / name
        self.folder.mkdir()
        self.socket = self.folder / "s"
        self.outbox = self.folder / "outbox"
        self.key = self.folder / f"{name}.key"
        self.config = self.folder / "agent.conf"
        self.log = self.folder / "log"
        self.process = None
        self.environment = {}  # what its agent gets besides
        valise("key", "new", "--id", name, "--out", self.folder)
        (world.keys / f"{name}.pub").write_bytes((self.folder / f"{name}.pub").read_bytes())
        if resend or name == "HQ":
            world.address()
        kafka = {"bootstrap.servers": world.kafka.bootstrap, **(properties or {})}
        self.config.write_text(
            f"[mission]\nid = {name}\nkey = {self.key}\n[outbox]\npath = {self.outbox}\nsize = {size}\n"
            f"[socket]\npath = {self.socket}\n" + (f"users = {users}\n" if users else "")
            + (f"[keys]\npath = {world.keys}\n[receipts]\nresend = {resend}\n" if resend else "")
            + f"[pulse]\nevery = {pulse}\n"
            + "[kafka]\n" + "".join(f"{key} = {value}\n" for key, value in kafka.items()))

    def spawn(self, config=None):
        if self.reads or self.name == "HQ":
            self.world.address()
        with open(self.log, "ab") as log:
            return spawn("valise-agent", "--config", config or self.config, within=self.within, stderr=log,
                         env=self.environment)

    def refused(self, config=None):
        """What an agent says that does not start."""
        return run(PROGRAMS / "valise-agent", "--config", config or self.config, check=False)

    def start(self):
        self.process = self.spawn()
        wait_for(f"{self.name}'s socket", self.accepts)
        return self

    def accepts(self):
        assert self.process.poll() is None, self.said()
        if not self.socket.exists():
            return False
        return valise("publish", "--socket", self.socket, check=False, input="").returncode == 0

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            ends_cleanly(self.process, f"valise-agent of {self.name}: {self.said()}")
        no_fault(self.said(), self.name)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def said(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def link(self):
        """The process id of its link; None while there is none."""
        try:
            children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        except FileNotFoundError:
            children = ""
        return int(children.split()[0]) if children else None

    def publish(self, events, check=True):
        """Publish events (dicts, or lines of text or bytes as they are); the answers."""
        lines = b"".join(line_of(event) + b"\n" for event in events)
        result = valise("publish", "--socket", self.socket, check=check, input=lines, text=False)
        result.stdout, result.stderr = result.stdout.decode(), result.stderr.decode(errors="replace")
        result.answers = rows(result)
        return result

    def batches(self):
        """What its outbox holds, as `valise outbox ls` tells it."""
        return [row for row in self.listed() if "storedAt" in row]

    def applied(self):
        """How far headquarters has applied each lane, as the outbox knows it."""
        return {row["lane"]: int(row["seq"]) for row in self.listed() if "storedAt" not in row}

    def listed(self):
        return rows(valise("outbox", "ls", "--outbox", self.outbox, "-o", "json"))


def line_of(event):
    if isinstance(event, bytes):
        return event
    return (event if isinstance(event, str) else json.dumps(event)).encode()


class Headquarters:
    def __init__(self, world, name="hq", kafka=None, agent=None, after=None):
        self.folder = world.folder / name
        self.folder.mkdir()
        self.views = self.folder / "views"
        self.config = self.folder / "hq.conf"
        self.log = self.folder / "log"
        self.process = None
        self.environment = {}
        self.config.write_text(f"[views]\npath = {self.views}\nsize = 4G\n[keys]\npath = {world.keys}\n"
                               + (f"[receipts]\nsocket = {agent.socket}\ninterval = 100\n" if agent else "")
                               + (f"[directives]\nafter = {after}\n" if after else "")
                               + f"[kafka]\nbootstrap.servers = {(kafka or world.kafka).bootstrap}\n")

    def spawn(self):
        with open(self.log, "ab") as log:
            self.process = spawn("valise-hq", "--config", self.config, stderr=log, env=self.environment)

    def start(self):
        before = self.said().count("valise-hq: ready:")
        self.spawn()
        wait_for("headquarters", lambda: self.alive() and self.said().count("valise-hq: ready:") > before)
        return self

    def alive(self):
        assert self.process.poll() is None, self.said()
        return True

    def said(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            ends_cleanly(self.process, f"valise-hq: {self.said()}")
        no_fault(self.said(), "valise-hq")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def standings(self):
        listed = rows(valise("mission", "show", "--views", self.views, "-o", "json"))
        return {(row["mission"], row["lane"]): row for row in listed}

    def missions(self):
        return {row["mission"]: row for row in rows(valise("mission", "ls", "--views", self.views, "-o", "json"))}

    def standing(self, mission, lane):
        return self.standings().get((mission, lane), {})

    def wait_events(self, mission, lane, count, seconds=60):
        wait_for(f"{count} events of {mission} on {lane}",
                 lambda: self.alive() and int(self.standing(mission, lane).get("events", 0)) >= count, seconds)

    def show(self, noun, key, *options, check=True):
        result = valise(noun, "show", key, *options, "--views", self.views, "-o", "json", check=check)
        return json.loads(result.stdout) if result.returncode == 0 else None

    def ls(self, noun, *options):
        return rows(valise(noun, "ls", *options, "--views", self.views, "-o", "json"))

    def digest(self, *lanes):
        return valise("view", "digest", "--views", self.views, *lanes).stdout


def answers(bootstrap):
    """Whether one of the brokers takes connections."""
    for broker in bootstrap.split(","):
        host, port = broker.rsplit(":", 1)
        try:
            socket.create_connection((host, int(port)), timeout=2).close()
            return True
        except OSError:
            continue
    return False


class World:
    def __init__(self, folder, kafka):
        self.folder = folder
        self.kafka = kafka
        self.keys = folder / "keys"
        self.keys.mkdir()
        self.parts = []

    def mission(self, name, **options):
        self.parts.append(Mission(self, name, **options))
        return self.parts[-1]

    def address(self):
        """Make the topics of every enrolled sender's own, where there is a Kafka now, as an operator does who enrols one."""
        names = {file.stem for file in self.keys.glob("*.pub")}
        known = vars(self.kafka).setdefault("addressed", set())
        if names <= known or not answers(self.kafka.bootstrap):
            return
        every = getattr(self.kafka, "copy", TOP / "brokers") / "topics.yaml"
        patterns = [document for document in every.read_text().split("\n---\n") if "\n  topicName: " in document]
        file = self.folder / "addressed.yaml"
        file.write_text("\n---\n".join(["# of each mission", *patterns]))
        made = valise("topic", "apply", "-b", self.kafka.bootstrap, "--keys", self.keys, file, check=False)
        if made.returncode == 0:
            known |= names

    def headquarters(self, name="hq", **options):
        self.parts.append(Headquarters(self, name, **options))
        return self.parts[-1]

    def close(self):
        wrong = []
        for part in self.parts:
            try:
                part.stop()
            except AssertionError as error:
                wrong.append(str(error))
        assert not wrong, "\n".join(wrong)


# -- events --

_numbers = iter(range(1, 1 << 62))


def event_id(number=None):
    """A UUIDv7, as bytes."""
    number = next(_numbers) if number is None else number
    body = hashlib.sha256(f"{os.getpid()} {number}".encode()).digest()
    return bytes([1, 0x87]) + body[:4] + bytes([0x70 | body[4] & 15, body[5], 0x80 | body[6] & 63]) + body[7:14]


def event(type_name, subject, payload=None, at="2023-04-27T08:00:00Z", **fields):
    return {"id": base64.b64encode(event_id()).decode(), "occurredAt": at, "subject": subject, "actor": "officer:7",
            "payload": {"@type": type_name, **(payload or {})}, **fields}


def case_opened(subject, **payload):
    return event(CASE + ".CaseOpened", subject, {"type": "CASE_TYPE_THEFT_ROBBERY", "persons": 1, **payload})


# -- records by hand --


pool = descriptor_pool.DescriptorPool()
for _file in descriptor_pb2.FileDescriptorSet.FromString((BUILD / "valise.binpb").read_bytes()).file:
    pool.Add(_file)


def message(name):
    """The class of a message, from the descriptor set."""
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))


class Sender:
    """Signs batches as an agent would, and as none should."""

    def __init__(self, name, seed=b"\x07" * 32):
        self.name = name
        self.key = nacl.signing.SigningKey(seed)
        self.epoch, self.seq, self.next_event, self.head = 1, 0, 1, bytes(32)

    def enrol(self, folder):
        (folder / f"{self.name}.pub").write_text(f"{self.name} {bytes(self.key.verify_key).hex()}\n")

    def event(self, subject="SD-1", payload=None, **fields):
        made = message("valise.v1.Event")(**{"id": event_id(), "subject": subject, "actor": "officer:7", **fields})
        made.occurred_at.FromJsonString("2023-04-27T08:00:00Z")
        made.payload.Pack(payload if payload is not None else message(CASE + ".CaseOpened")(type=102, persons=1))
        return made

    def batch(self, *events, lane=CASE, **changes):
        """The next batch of the chain."""
        self.seq += 1
        made = message("valise.v1.Batch")(mission=self.name, lane=lane, epoch=self.epoch, seq=self.seq,
                                          first_event=self.next_event, prev=self.head, events=events)
        made.signed_at.FromJsonString("2023-04-27T08:00:01Z")
        for name, value in changes.items():
            setattr(made, name, value)
        value = made.SerializeToString(deterministic=True)
        self.next_event += len(events)
        self.head = hashlib.blake2b(value, digest_size=32).digest()
        return value

    def signature(self, value, domain=b"valise/batch/v1\0"):
        digest = hashlib.blake2b(value, digest_size=32).digest()
        key_id = hashlib.blake2b(bytes(self.key.verify_key), digest_size=32).digest()[:16]
        return key_id.hex() + "." + base64.b64encode(self.key.sign(domain + digest).signature).decode()

    def headers(self, value):
        return [("content-type", CONTENT_TYPE), ("vl-sig", self.signature(value))]


def watermarks(consumer, topic, partition):
    """The first offset and the one after the last; None while brokers that were just started still choose a leader."""
    try:
        return consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)
    except KafkaException as failure:
        if failure.args[0].retriable() or failure.args[0].code() == KafkaError.NOT_LEADER_FOR_PARTITION:
            return None
        raise


class Wire:
    """Puts records into Kafka as they are, and reads a topic back."""

    def __init__(self, bootstrap):
        self.bootstrap = bootstrap
        self.producer = Producer({"bootstrap.servers": bootstrap, "message.max.bytes": 2000000,
                                  "partitioner": "murmur2_random", "log_level": 0})

    def send(self, value, headers, key, topic=CASE):
        return self.send_all([(topic, key, value, headers)])[0]

    def send_all(self, records):
        """Send (topic, key, value, headers) in this order; where each came to lie: (partition, offset)."""
        places = []
        for topic, key, value, headers in records:
            self.producer.produce(topic, value=value, headers=headers, key=key,
                                  on_delivery=lambda error, record: places.append((error, record)))
            self.producer.poll(0)
        assert self.producer.flush(30) == 0
        assert [str(error) for error, _ in places if error is not None] == []
        return [(record.partition(), record.offset()) for _, record in places]

    def records(self, topic):
        """All records of a topic as they lie there now, partition by partition; a compacted one's offsets have holes."""
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": "none", "enable.auto.commit": False,
                             "enable.partition.eof": True, "fetch.message.max.bytes": 4000000, "log_level": 0})
        found = []
        for number in consumer.list_topics(topic, timeout=10).topics[topic].partitions:
            low, high = wait_for(f"a leader of {topic} {number}", lambda: watermarks(consumer, topic, number))
            consumer.assign([TopicPartition(topic, number, low)])
            at = low
            while at < high:
                record = consumer.poll(10)
                if record is not None and record.error() and record.error().code() == KafkaError._PARTITION_EOF:
                    break
                assert record is not None and record.error() is None, f"{topic} {number}: {record and record.error()}"
                at = record.offset() + 1
                if at <= high:
                    found.append(record)
        consumer.close()
        return found


# -- the agent's socket by hand --


class Client:
    """Speaks with an agent as proto/valise/v1/agent.proto says, and as no program should."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(str(path))
        self.socket.settimeout(30)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, body, length=None):
        self.socket.sendall(struct.pack(">I", len(body) if length is None else length) + body)

    def request(self, *events, tag=1):
        """A PublishRequest; events are messages, or bytes put in their place."""
        made = message("valise.v1.PublishRequest")(tag=tag)
        body = made.SerializeToString()
        for one in events:
            one = one if isinstance(one, bytes) else one.SerializeToString()
            body += b"\x12" + _varint(len(one)) + one
        self.send(body)

    def response(self):
        """The next PublishResponse; None where the agent has hung up."""
        head = self._read(4)
        if not head:
            return None
        return message("valise.v1.PublishResponse").FromString(self._read(struct.unpack(">I", head)[0]))

    def _read(self, count):
        data = b""
        while len(data) < count:
            more = self.socket.recv(count - len(data))
            if not more:
                assert data == b"", "half a frame"
                return b""
            data += more
        return data

    def publish(self, *events):
        self.request(*events)
        return list(self.response().results)


def _varint(number):
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])
