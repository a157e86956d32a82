"""A topic without rights costs itself, be it a lane, that of pulses, or one of what headquarters
says to a mission: without READ, and without so much as DESCRIBE; at the first start, in a rebuild, and
while everything runs."""

import pytest
from confluent_kafka.admin import (AclBinding, AclBindingFilter, AclOperation, AclPermissionType, AdminClient,
                                   ResourcePatternType, ResourceType)

import valise
from valise import ALERT, CASE, DIRECTIVE, EVACUATION, RECEIPT, TRAVELLER, wait_for

PULSE = "valise.pulse.v1"
AUTHORIZER = ("authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n"
              "allow.everyone.if.no.acl.found=true")
# A topic that has an ACL gives everybody what it says, and nothing else. WRITE brings DESCRIBE with it.
NO_READ = ("User:ANONYMOUS", AclOperation.WRITE)
NOTHING = ("User:somebody", AclOperation.READ)


@pytest.fixture(scope="module")
def kafka(tmp_path_factory):
    broker = valise.Kafka(tmp_path_factory.mktemp("kafka") / "data", properties=AUTHORIZER)
    yield broker
    broker.stop()


class Rights:
    def __init__(self, kafka):
        self.admin = AdminClient({"bootstrap.servers": kafka.bootstrap})

    def leave(self, topic, rights):
        user, operation = rights
        wanted = AclBinding(ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, user, "*", operation,
                            AclPermissionType.ALLOW)
        for future in self.admin.create_acls([wanted]).values():
            future.result(30)

    def give_back(self, *topics):
        for topic in topics:
            every = AclBindingFilter(ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, None, None,
                                     AclOperation.ANY, AclPermissionType.ANY)
            for future in self.admin.delete_acls([every]).values():
                future.result(30)


def waiting(hq):
    """The topics that headquarters says it cannot read."""
    rows = list(hq.missions().values())
    places = rows[0].get("unread", []) if rows else []
    return {place["lane"] for place in places if place["kind"] == "waiting"}


def kept(mission):
    """The states of what its outbox keeps, but for pulses."""
    return [batch["state"] for batch in mission.batches() if batch["lane"] != PULSE]


def event(lane, subject):
    kinds = {CASE: ("CaseOpened", {"type": "CASE_TYPE_THEFT_ROBBERY", "persons": 1}),
             ALERT: ("AlertSubmitted", {}),
             EVACUATION: ("OperationOpened", {"operation": subject}),
             TRAVELLER: ("TravellerRegistered", {"people": 1})}
    name, payload = kinds[lane]
    return valise.event(f"{lane}.{name}", subject, payload)


def test_a_topic_without_rights_costs_itself(world, kafka):
    rights, lanes = Rights(kafka), (CASE, TRAVELLER, ALERT, EVACUATION)
    kafka_options = ("-b", kafka.bootstrap, "--keys", world.keys)
    own = world.mission("HQ").start()
    soon = {"fetch.wait.max.ms": 500}  # a mission asks for what comes down as often
    sd = world.mission("CN-SD-EMB", resend=86400, pulse=1, properties=soon).start()
    receipts, directives = f"{RECEIPT}.{sd.name}", f"{DIRECTIVE}.{sd.name}"
    sent = sd.publish([event(lane, "SD-1") for lane in lanes])
    assert len(sent.answers) == len(lanes)
    wait_for("Kafka's acks", lambda: kept(sd) == ["acked"] * len(lanes))

    # Before the start.
    refused = {CASE: NO_READ, TRAVELLER: NOTHING, PULSE: NOTHING, receipts: NO_READ, directives: NOTHING}
    for topic, left in refused.items():
        rights.leave(topic, left)
    hq = world.headquarters(agent=own).start()
    for lane in (ALERT, EVACUATION):
        hq.wait_events(sd.name, lane, 1)
    wait_for("their names", lambda: waiting(hq) == {CASE, TRAVELLER, PULSE})
    assert [hq.standing(sd.name, lane).get("events") for lane in (CASE, TRAVELLER)] == [None, None]
    for topic in (receipts, directives):
        wait_for(f"the mission's word of {topic}", lambda: f"cannot read '{topic}'" in sd.said())
    assert kept(sd) == ["acked"] * len(lanes)
    for topic in (CASE, TRAVELLER, PULSE):
        assert f"cannot read '{topic}'" in hq.said()
    for lane, code in ((EVACUATION, 0), (TRAVELLER, 1)):
        audit = valise.valise("verify", lane, *kafka_options, check=False)
        assert audit.returncode == code, audit.stderr

    # In a rebuild.
    digest = hq.digest()
    hq.stop()
    made = valise.valise("view", "rebuild", "--from", "kafka", "--views", hq.views, *kafka_options)
    assert made.stdout == digest == hq.digest()

    # All of it comes with the rights.
    hq.start()
    rights.give_back(*refused)
    for lane in lanes:
        hq.wait_events(sd.name, lane, 1)
    wait_for("receipts for all of it", lambda: kept(sd) == [])
    wait_for("nothing left to wait for", lambda: waiting(hq) == set())
    wait_for("a pulse", lambda: hq.missions()[sd.name].get("pulse"))

    # And while everything runs.
    for topic, left in refused.items():
        rights.leave(topic, left)
    wait_for("their names", lambda: waiting(hq) == {CASE, TRAVELLER, PULSE})
    sd.publish([event(lane, "SD-2") for lane in (ALERT, EVACUATION)])
    for lane in (ALERT, EVACUATION):
        hq.wait_events(sd.name, lane, 2)
    assert hq.missions()[sd.name]["verdict"] == "ok"
    rights.give_back(*refused)
    sd.publish([event(lane, "SD-2") for lane in (CASE, TRAVELLER)])
    for lane in lanes:
        hq.wait_events(sd.name, lane, 2)
    wait_for("receipts for all of it", lambda: kept(sd) == [])
    hq.stop()
