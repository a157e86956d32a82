"""What the system tests share: programs, missions, headquarters, and records made by hand.

Records are made with PyNaCl and protobuf from the installed descriptor set, not with our own code, so that a mistake made on
both sides of the wire does not pass.
"""

import base64
import hashlib
import json
import os
import pathlib
import signal
import subprocess
import time

import nacl.signing
from confluent_kafka import Producer
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("VALISE_BUILD", TOP / "build/tests"))
PROGRAMS = BUILD / "bin"

CONTENT_TYPE = "application/vnd.valise.batch.v1+protobuf"
DRILL_TYPE = "application/vnd.valise.drill.v1+protobuf"
CASE = "consular.case.v1"
ALERT = "consular.alert.v1"
EVACUATION = "consular.evacuation.v1"


def run(*command, check=True, text=True, env=None, **options):
    """A command to its end; its output in the result. Where it fails, the test says what it printed."""
    result = subprocess.run([str(word) for word in command], capture_output=True, text=text, timeout=120,
                            env={**os.environ, **(env or {})}, **options)
    if check and result.returncode != 0:
        raise AssertionError(f"{command} exited {result.returncode}\n{result.stdout}\n{result.stderr}")
    return result


def valise(*arguments, **options):
    return run(PROGRAMS / "valise", *arguments, **options)


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

    def __init__(self, folder, brokers=1):
        self.folder = folder
        self.script = TOP / "brokers/kafka"
        self.bootstrap = run(self.script, "up", "--data", folder, "--brokers", brokers, "--port", 0).stdout.strip()
        valise("topic", "apply", "-b", self.bootstrap, TOP / "brokers/topics.yaml")

    def stop(self):
        run(self.script, "wipe", "--data", self.folder)


class Mission:
    """A mission's agent with its key and outbox."""

    def __init__(self, world, name, properties=None):
        self.world = world
        self.name = name
        self.folder = world.folder / name
        self.folder.mkdir()
        self.socket = self.folder / "s"
        self.outbox = self.folder / "outbox"
        self.key = self.folder / f"{name}.key"
        self.config = self.folder / "agent.conf"
        self.log = self.folder / "log"
        self.process = None
        valise("key", "new", "--id", name, "--out", self.folder)
        (world.keys / f"{name}.pub").write_bytes((self.folder / f"{name}.pub").read_bytes())
        kafka = {"bootstrap.servers": world.kafka.bootstrap, **(properties or {})}
        self.config.write_text(f"[mission]\nid = {name}\nkey = {self.key}\n[outbox]\npath = {self.outbox}\nsize = 1G\n"
                               f"[socket]\npath = {self.socket}\n[kafka]\n"
                               + "".join(f"{name} = {value}\n" for name, value in kafka.items()))

    def spawn(self, config=None):
        return subprocess.Popen([PROGRAMS / "valise-agent", "--config", config or self.config],
                                stderr=open(self.log, "ab"), stdin=subprocess.DEVNULL)

    def start(self):
        self.process = self.spawn()
        wait_for(f"{self.name}'s socket", self.accepts)
        return self

    def accepts(self):
        assert self.process.poll() is None, self.log.read_text()
        if not self.socket.exists():
            return False
        return valise("publish", "--socket", self.socket, check=False, input="").returncode == 0

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            ends_cleanly(self.process, f"valise-agent of {self.name}: {self.log.read_text()}")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def publish(self, events, check=True):
        """Publish events (dicts, or lines as they are); the answers."""
        lines = "".join((e if isinstance(e, str) else json.dumps(e)) + "\n" for e in events)
        result = valise("publish", "--socket", self.socket, check=check, input=lines)
        result.answers = [json.loads(line) for line in result.stdout.splitlines()]
        return result


class Headquarters:
    def __init__(self, world, name="hq"):
        self.world = world
        self.folder = world.folder / name
        self.folder.mkdir()
        self.views = self.folder / "views"
        self.config = self.folder / "hq.conf"
        self.log = self.folder / "log"
        self.process = None
        self.config.write_text(f"[views]\npath = {self.views}\nsize = 4G\n[keys]\npath = {world.keys}\n"
                               f"[kafka]\nbootstrap.servers = {world.kafka.bootstrap}\n")

    def start(self):
        self.process = subprocess.Popen([PROGRAMS / "valise-hq", "--config", self.config],
                                        stderr=open(self.log, "ab"), stdin=subprocess.DEVNULL)
        wait_for("the views", lambda: self.alive() and valise("mission", "ls", "--views", self.views,
                                                              check=False).returncode == 0)
        return self

    def alive(self):
        assert self.process.poll() is None, self.log.read_text()
        return True

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            ends_cleanly(self.process, f"valise-hq: {self.log.read_text()}")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def standings(self):
        out = valise("mission", "ls", "--views", self.views, "-o", "json").stdout
        return {(row["mission"], row["lane"]): row for row in map(json.loads, out.splitlines())}

    def standing(self, mission, lane):
        return self.standings().get((mission, lane), {})

    def wait_events(self, mission, lane, count, seconds=60):
        wait_for(f"{count} events of {mission} on {lane}",
                 lambda: self.alive() and int(self.standing(mission, lane).get("events", 0)) >= count, seconds)

    def show(self, noun, key, *options, check=True):
        result = valise(noun, "show", key, *options, "--views", self.views, "-o", "json", check=check)
        return json.loads(result.stdout) if result.returncode == 0 else None

    def ls(self, noun, *options):
        out = valise(noun, "ls", *options, "--views", self.views, "-o", "json").stdout
        return [json.loads(line) for line in out.splitlines()]

    def digest(self, *lanes):
        return valise("view", "digest", "--views", self.views, *lanes).stdout


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

    def headquarters(self, name="hq"):
        self.parts.append(Headquarters(self, name))
        return self.parts[-1]

    def close(self):
        for part in self.parts:
            part.stop()


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


def _messages():
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString((BUILD / "valise.binpb").read_bytes()).file:
        pool.Add(file)
    return lambda name: message_factory.GetMessageClass(pool.FindMessageTypeByName(name))


message = _messages()


class Sender:
    """Signs batches as an agent would, and as none should."""

    def __init__(self, name, seed=b"\x07" * 32):
        self.name = name
        self.key = nacl.signing.SigningKey(seed)
        self.epoch, self.seq, self.next_event, self.head = 1, 0, 1, bytes(32)

    def enrol(self, folder):
        (folder / f"{self.name}.pub").write_text(f"{self.name} {bytes(self.key.verify_key).hex()}\n")

    def event(self, subject="SD-1", payload=None, **fields):
        made = message("valise.v1.Event")(id=event_id(), subject=subject, actor="officer:7", **fields)
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


class Wire:
    """Puts records into Kafka as they are, and reads a topic back."""

    def __init__(self, bootstrap):
        self.bootstrap = bootstrap
        self.producer = Producer({"bootstrap.servers": bootstrap, "message.max.bytes": 2000000,
                                  "partitioner": "murmur2_random"})

    def send(self, value, headers, key, topic=CASE):
        places = []
        self.producer.produce(topic, value=value, headers=headers, key=key,
                              on_delivery=lambda error, record: places.append((error, record)))
        assert self.producer.flush(30) == 0
        error, record = places[0]
        assert error is None, error
        return record.partition(), record.offset()
