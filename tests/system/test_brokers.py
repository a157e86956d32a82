"""The real Kafka under everything: one command starts and stops it, and it loses nothing that it has accepted."""

import os
import pathlib
import re
import signal
import socket

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import (AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic,
                                   ResourceType)

import valise
from valise import CASE, Kafka, wait_for

PULSE = "valise.pulse.v1"
CATALOGUE = valise.TOPICS.read_text()
ENROLLED = ["CN-EG-EMB", "CN-SD-EMB", "HQ"]


def expanded(name):
    """The topics that a document stands for."""
    return [name.replace("<MISSION>", mission) for mission in ENROLLED] if "<MISSION>" in name else [name]


DOCUMENTS = [(re.search(r"^  topicName: (\S+)", text, re.M) or re.search(r"^  name: (\S+)", text, re.M)).group(1)
             for text in CATALOGUE.split("\n---\n")[1:]]
PARTITIONS = {name: count for document, count in
              zip(DOCUMENTS, map(int, re.findall(r"^  partitions: (\d+)", CATALOGUE, re.M)), strict=True)
              for name in expanded(document)}
NAMES = list(PARTITIONS)
COMPACTED = {
    **{f"{valise.RECEIPT}.{mission}": ("compact", "0") for mission in ENROLLED},
    "valise.pulse.v1": ("compact", str(30 * 86400 * 1000)),
    "valise.registry.v1": ("compact", "0"),
}


@pytest.fixture(scope="module", params=[1, 3], ids=["one", "three"])
def cluster(request, tmp_path_factory):
    kafka = Kafka(tmp_path_factory.mktemp("kafka"), brokers=request.param, topics=False)
    yield kafka
    kafka.stop()


def settings(kafka, kind, name):
    """What the brokers say is in force, whether set on the topic or come from elsewhere."""
    admin, resource = AdminClient({"bootstrap.servers": kafka.bootstrap}), ConfigResource(kind, name)
    return {key: entry.value for key, entry in admin.describe_configs([resource])[resource].result(10).items()}


def topics(kafka):
    listed = AdminClient({"bootstrap.servers": kafka.bootstrap}).list_topics(timeout=10).topics
    return {name: topic for name, topic in listed.items() if not name.startswith("__")}


def gone(pid):
    """Whether a process has ended. Its entry may stay where nobody asks how it ended."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] in "ZX"
    except FileNotFoundError:
        return True


def enrol(folder, *names):
    """A folder with these senders' public keys."""
    folder.mkdir(exist_ok=True)
    for number, name in enumerate(names):
        valise.Sender(name, bytes([number + 1]) * 32).enrol(folder)
    return folder


def apply(kafka, *options, check=True, keys=None):
    keys = keys or enrol(kafka.folder.parent / "keys", *ENROLLED)
    return valise.valise("topic", "apply", *options, "-b", kafka.bootstrap, "--keys", keys, valise.TOPICS, check=check)


def publish(kafka, value, seconds=10):
    """Whether a record got acknowledged by as many brokers as there must be."""
    good = []
    producer = Producer({"bootstrap.servers": kafka.bootstrap, "acks": "all", "message.timeout.ms": 1000 * seconds,
                         "request.timeout.ms": 1000 * seconds, "log_level": 0})
    producer.produce(CASE, value=value, key=b"CN-SD-EMB", on_delivery=lambda error, _: good.append(error is None))
    assert producer.flush(2 * seconds) == 0
    return good == [True]


def values(kafka):
    return [record.value() for record in valise.Wire(kafka.bootstrap).records(CASE)]


# -- up and down --


def test_up_prints_the_address_alone(cluster):
    again = cluster.command("up")
    assert again.stdout == cluster.bootstrap + "\n"
    addresses = cluster.bootstrap.split(",")
    assert len(addresses) == cluster.brokers
    for address in addresses:
        host, port = address.split(":")
        assert host == "127.0.0.1"
        socket.create_connection((host, int(port)), 5).close()
    status = cluster.command("status").stdout.splitlines()
    assert [re.fullmatch(r"broker (\d) up pid \d+ port (\d+)", line).groups() for line in status] == [
        (str(number), address.split(":")[1]) for number, address in enumerate(addresses, 1)]


def test_topics_are_as_the_catalogue_says(cluster):
    trial = apply(cluster, "--dry-run")
    assert [line.split()[:2] for line in trial.stdout.splitlines()] == [["create", name] for name in NAMES]
    assert topics(cluster) == {}
    first = apply(cluster)
    assert first.stdout == trial.stdout
    made = topics(cluster)
    assert {name: len(topic.partitions) for name, topic in made.items()} == PARTITIONS
    copies = {len(part.replicas) for topic in made.values() for part in topic.partitions.values()}
    assert copies == {cluster.brokers}
    for name in NAMES:
        said = settings(cluster, ResourceType.TOPIC, name)
        assert said["message.timestamp.type"] == "LogAppendTime", name
        assert (said["retention.ms"], said["retention.bytes"]) == ("-1", "-1"), name
        assert (said["cleanup.policy"], said["min.compaction.lag.ms"]) == COMPACTED.get(name, ("delete", "0")), name
        assert said["compression.type"] == "producer", name
        assert said["unclean.leader.election.enable"] == "false", name
        assert said["min.insync.replicas"] == ("2" if cluster.brokers == 3 else "1"), name
        assert int(said["max.message.bytes"]) >= 1_000_000 + 1000, name


def test_apply_does_nothing_the_second_time(cluster):
    apply(cluster)
    before = {name: settings(cluster, ResourceType.TOPIC, name) for name in NAMES}
    again = apply(cluster)
    assert again.stdout.splitlines() == [f"ok {name}" for name in NAMES]
    assert "nothing to do" in again.stderr
    assert {name: settings(cluster, ResourceType.TOPIC, name) for name in NAMES} == before


def test_no_broker_makes_a_topic_by_itself(cluster):
    for number in range(1, cluster.brokers + 1):
        assert settings(cluster, ResourceType.BROKER, str(number))["auto.create.topics.enable"] == "false"
    errors = []
    producer = Producer({"bootstrap.servers": cluster.bootstrap, "message.timeout.ms": 3000,
                         "topic.metadata.propagation.max.ms": 500, "allow.auto.create.topics": True})
    producer.produce("consular.typo.v1", b"x", on_delivery=lambda error, _: errors.append(error.name()))
    assert producer.flush(10) == 0
    assert errors in (["UNKNOWN_TOPIC_OR_PART"], ["_UNKNOWN_TOPIC"])
    assert "consular.typo.v1" not in topics(cluster)


def test_down_keeps_what_up_had_and_wipe_does_not(tmp_path):
    kafka = Kafka(tmp_path / "kafka")
    assert publish(kafka, b"before")
    kafka.command("down")
    down = kafka.command("status", check=False)
    assert down.returncode == 3
    assert re.fullmatch(r"broker 1 down pid - port \d+\n", down.stdout)
    assert kafka.command("down").returncode == 0
    assert kafka.command("up").stdout.strip() == kafka.bootstrap
    assert values(kafka) == [b"before"]
    pid = int(kafka.command("pid").stdout)
    kafka.command("wipe")
    assert not kafka.folder.exists()
    assert gone(pid)
    assert kafka.command("status", check=False).returncode == 3
    assert kafka.command("wipe").returncode == 0


def test_taken_port_is_left_alone(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        up = valise.run(valise.TOP / "brokers/kafka", "up", "--data", tmp_path / "kafka", "--port", port)
        valise.run(valise.TOP / "brokers/kafka", "wipe", "--data", tmp_path / "kafka")
    assert re.fullmatch(r"127\.0\.0\.1:\d+\n", up.stdout)
    assert int(up.stdout.split(":")[1]) != port
    assert f"port {port} is taken" in up.stderr


def test_wrong_usage(tmp_path):
    for words in (["up", "--brokers", "2"], ["up", "--port", "x"], ["fly"], ["up", "--data"]):
        wrong = valise.run(valise.TOP / "brokers/kafka", *words, check=False)
        assert wrong.returncode == 2, words
        assert wrong.stdout == ""
        assert wrong.stderr.startswith("kafka: ")
    up = valise.run(valise.TOP / "brokers/kafka", "up", "--broker", "1", "--data", tmp_path / "none", check=False)
    assert up.returncode == 1
    assert not (tmp_path / "none").exists()


# -- the catalogue --


def test_apply_sets_right_what_was_changed(cluster):
    apply(cluster)
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap})
    receipt = f"{valise.RECEIPT}.CN-SD-EMB"
    others = {CASE: {"retention.ms": "1000"}, receipt: {"cleanup.policy": "delete"},
              PULSE: {"min.compaction.lag.ms": "0"}}
    for topic, values in others.items():
        entries = [ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET) for key, value in values.items()]
        changed = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
        admin.incremental_alter_configs([changed])[changed].result(10)
        wait_for("the change", lambda: values.items() <= settings(cluster, ResourceType.TOPIC, topic).items())
    plan = apply(cluster).stdout.splitlines()
    assert f"set {CASE} retention.ms=1000->-1" in plan
    assert f"set {receipt} cleanup.policy=delete->compact" in plan
    assert f"set {PULSE} min.compaction.lag.ms=0->2592000000" in plan
    assert f"ok {valise.ALERT}" in plan
    assert settings(cluster, ResourceType.TOPIC, CASE)["retention.ms"] == "-1"
    assert settings(cluster, ResourceType.TOPIC, CASE)["message.timestamp.type"] == "LogAppendTime"
    assert settings(cluster, ResourceType.TOPIC, receipt)["cleanup.policy"] == "compact"
    assert settings(cluster, ResourceType.TOPIC, PULSE)["min.compaction.lag.ms"] == "2592000000"


@pytest.mark.parametrize("cluster", [1], ids=["one"], indirect=True)
def test_each_mission_has_topics_of_its_own(cluster, tmp_path):
    apply(cluster)
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap})
    # A mission is enrolled; an older version's topic is there, and one that somebody has given three partitions.
    new = [NewTopic(valise.RECEIPT, 1, 1), NewTopic(f"{valise.DIRECTIVE}.CN-TH-EMB", 3, 1)]
    admin.create_partitions([NewPartitions(valise.DIRECTIVE, 2)])[valise.DIRECTIVE].result(20)
    for future in admin.create_topics(new).values():
        future.result(20)
    wait_for("the topics", lambda: {topic.topic for topic in new} <= topics(cluster).keys())
    more = enrol(tmp_path / "keys", *ENROLLED, "CN-TH-EMB")
    refused = apply(cluster, keys=more, check=False)
    assert refused.returncode == 1
    assert f"cannot apply '{new[1].topic}': it has 3 partitions and must have one" in refused.stderr
    assert "Do not write 3 in the file" in refused.stderr
    assert f"cannot apply '{valise.DIRECTIVE}': it has 2 partitions and must have one" in refused.stderr
    assert f"{valise.RECEIPT}.CN-TH-EMB" not in topics(cluster)
    for topic in (new[1].topic, valise.DIRECTIVE):
        admin.delete_topics([topic])[topic].result(20)
        wait_for("its end", lambda: topic not in topics(cluster))
    applied = apply(cluster, keys=more)
    plan = applied.stdout.splitlines()
    assert [line.split()[1] for line in plan if line.startswith("create ")] == [
        valise.DIRECTIVE, f"{valise.DIRECTIVE}.CN-TH-EMB", f"{valise.RECEIPT}.CN-TH-EMB"]
    assert [line for line in plan if line.startswith("unused ")] == [f"unused {valise.RECEIPT}"]
    # Who is enrolled no more keeps what is there; without keys nothing is said of anybody's.
    fewer = apply(cluster, keys=enrol(tmp_path / "fewer", "HQ", "CN-TH-EMB")).stdout.splitlines()
    assert {f"unused {lane}.{name}" for lane in (valise.RECEIPT, valise.DIRECTIVE) for name in ENROLLED[:2]} | {
        f"unused {valise.RECEIPT}"} == {line for line in fewer if line.startswith("unused ")}
    none = valise.valise("topic", "apply", "-b", cluster.bootstrap, valise.TOPICS, env={"VALISE_KEYS": ""})
    assert "Give --keys DIR" in none.stderr
    assert not [line for line in none.stdout.splitlines() if ".CN-" in line]
    admin.delete_topics([valise.RECEIPT])[valise.RECEIPT].result(20)
    for lane in (valise.RECEIPT, valise.DIRECTIVE):
        admin.delete_topics([f"{lane}.CN-TH-EMB"])[f"{lane}.CN-TH-EMB"].result(20)


@pytest.mark.parametrize("wrong", [
    ("  partitions: 4", "  partitions: four"),
    ("    retention.ms: -1\n", "    retention.ms: -1\n    retention.ms: 5\n"),
    ("kind: KafkaTopic", "kind: Topic"),
    ("spec:", "spec: ["),
], ids=["number", "twice", "kind", "yaml"])
def test_wrong_catalogue_is_refused_before_a_broker_is_asked(tmp_path, wrong):
    file = tmp_path / "topics.yaml"
    file.write_text(CATALOGUE.replace(*wrong, 1))
    refused = valise.valise("topic", "apply", "-b", valise.NOWHERE, file, check=False)
    assert refused.returncode == 1
    assert refused.stdout == ""
    assert re.match(rf"valise: cannot read '{file}': .*line \d+", refused.stderr), refused.stderr


# -- three brokers --


@pytest.mark.parametrize("cluster", [3], ids=["three"], indirect=True)
def test_two_of_three_go_on_and_one_does_not(cluster):
    apply(cluster)
    assert publish(cluster, b"three")
    os.kill(int(cluster.command("pid", "--broker", "2").stdout), signal.SIGKILL)
    assert publish(cluster, b"two", 30)
    assert cluster.command("status", check=False).returncode == 1
    cluster.command("down", "--broker", "3")
    assert not publish(cluster, b"one", 3)
    cluster.command("up")
    assert publish(cluster, b"three again", 30)
    kept = values(cluster)
    assert [kept.count(value) for value in (b"three", b"two", b"three again")] == [1, 1, 1]
