"""The operator's program: exit codes, what goes to stdout and what to stderr, pipes, and every verb on a real Kafka."""

import json
import os
import pty
import re
import signal
import subprocess
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from confluent_kafka.admin import AdminClient

import valise
from valise import (ALERT, CASE, ENVIRONMENT, EVACUATION, NOWHERE, PROGRAMS, TRAVELLER, Sender, Wire, World, case_opened,
                    event, rows, wait_for)

MISSION, OTHER = "CN-SD-EMB", "CN-EG-EMB"
COMMANDS = ("publish", "tail", "verify", "mission", "view", "outbox", "deadletter", "topic", "key", "case", "alert",
            "evacuation", "traveller", "query")


@pytest.fixture(scope="module")
def place(tmp_path_factory, kafka):
    """Two missions that have published, a headquarters that has applied it, and one record that is not authentic."""
    world = World(tmp_path_factory.mktemp("world"), kafka)
    world.mission = {name: world.mission(name).start() for name in (MISSION, OTHER)}
    world.hq = world.headquarters().start()
    for number in range(5):
        for name, mission in world.mission.items():
            mission.publish([case_opened(f"{name[3:5]}-{number}", personal={"narrative": "confidential"})])
    world.mission[MISSION].publish([event(EVACUATION + ".LegPlanned", "LEG-1", {"leg": "LEG-1", "operation": "OP"})])
    for name in world.mission:
        world.hq.wait_events(name, CASE, 5)
    world.where = ("-b", kafka.bootstrap, "--keys", world.keys)
    forger = Sender("CN-XX-EMB", b"\x42" * 32)
    value = forger.batch(forger.event(), lane=ALERT)
    world.forged = ALERT, *Wire(kafka.bootstrap).send(value, forger.headers(value), key="CN-XX-EMB", topic=ALERT)
    world.forged_value = value
    yield world
    world.close()


def tail(place, *options, check=True):
    return valise.valise("tail", *place.where, "-o", "json", *options, check=check)


# -- manual pages --


def lines_of(page):
    """The text of a page without roff: no line of text may look like a request."""
    requests = ("TH", "SH", "nf", "fi", "BR")
    for line in page.read_text().splitlines():
        assert not line.startswith(("'", ".")) or line[1:3] in requests, line
        yield line.removeprefix("\\&").replace("\\-", "-").replace("\\e", "\\")


def test_manual_pages_say_what_the_programs_say():
    man = valise.BUILD / "man"
    said = {"valise.1": [], "valise-agent.8": [[PROGRAMS / "valise-agent"]], "valise-hq.8": [[PROGRAMS / "valise-hq"]]}
    for command in COMMANDS:
        usage = subprocess.check_output([PROGRAMS / "valise", "help", command], text=True)
        verbs = re.findall(rf"^  valise {command} ([a-z]+)", usage, re.M)
        said["valise.1"] += [[PROGRAMS / "valise", command, verb] for verb in verbs] or [[PROGRAMS / "valise", command]]
    assert len(said["valise.1"]) >= 20
    for name, programs in said.items():
        page = list(lines_of(man / name))
        for program in programs:
            text = subprocess.check_output([*program, "--help"], text=True).removeprefix("usage: ").splitlines()
            assert set(text) <= set(page), (name, program)
            assert [line for line in text if len(line) > 80] == [], program


# -- exit codes, stdout, stderr --


def refused(place, code, *words, talk=""):
    """It ends with that code, has said why on stderr as all programs here do, and nothing on stdout."""
    words = [word.format(b=place.kafka.bootstrap, keys=place.keys, views=place.hq.views, nowhere=NOWHERE,
                         folder=place.folder) for word in words]
    result = valise.valise(*words, check=False, input="")
    assert (result.returncode, result.stdout) == (code, ""), (words, result.stderr)
    assert re.match(r"valise: cannot [a-z ]+ '[^']*': \S", result.stderr), result.stderr
    assert talk in result.stderr
    return result


@pytest.mark.parametrize("words, talk", [
    ("tial", "did you mean 'tail'"), ("case", "it needs a verb"), ("case lst", "did you mean 'ls'"),
    ("tail", "LANE"), ("tail --keys", "needs a value"), ("tail --kesy x {lane}", "did you mean '--keys'"),
    ("tail -b {b} {lane}", "--keys"), ("verify --keys {keys} {lane}", "-b HOST:PORT"),
    ("tail -b {b} --keys {keys} -n 0 {lane}", "from 1"), ("tail -b {b} --keys {keys} --since soon {lane}", "a time is"),
    ("tail -b {b} --keys {keys} -o xml {lane}", "table or json"),
    ("tail -f --until now -b {b} --keys {keys} {lane}", "--until"),
    ("tail -b {b} -X no.such=1 --keys {keys} {lane}", "no.such"), ("case show --views {views}", "KEY"),
    ("case show --views {views} a b", "one argument too many"), ("case ls", "--views"), ("outbox ls", "--outbox"),
    ("key new", "--id"), ("topic apply -b {b}", "FILE"), ("deadletter show -b {b}", "TOPIC/PARTITION/OFFSET"),
    ("publish a b", "too many"),
])
def test_wrong_usage_is_2(place, words, talk):
    refused(place, 2, *words.replace("{lane}", CASE).split(), talk=talk)


@pytest.mark.parametrize("words", [
    "case show --views {views} none", "case ls --views {views} nokind", "case show --views {views} -k leg SD-1",
    "view digest --views {views} consular.typo.v1", "case ls --views {folder}/none", "outbox ls --outbox {folder}/none",
    "tail -b {b} --keys {keys} consular.typo.v1", "verify -b {b} --keys {keys} consular.cases.v1",
    "deadletter show -b {b} consular.case.v1/0/999", "publish {folder}/none",
])
def test_not_found_is_3(place, words):
    refused(place, 3, *words.split())


def test_near_name_is_offered(place):
    refused(place, 3, "tail", "-b", "{b}", "--keys", "{keys}", "consular.cases.v1", talk=f"did you mean '{CASE}'")


def test_broker_unreachable_is_5(place):
    """All at once, for each waits a while before it says so."""
    commands = [f"tail -b {NOWHERE} --keys {{keys}} {CASE}", f"verify -b {NOWHERE} --keys {{keys}} {CASE}",
                f"deadletter ls -b {NOWHERE}", f"topic ls -b {NOWHERE}", f"topic apply -b {NOWHERE} {valise.TOPICS}"]
    with ThreadPoolExecutor() as threads:
        said = list(threads.map(lambda words: refused(place, 5, *words.split()).stderr, commands))
    assert [words for words, text in zip(commands, said) if NOWHERE not in text] == [], said


def test_what_is_not_authentic_is_4(place):
    result = tail(place, ALERT, check=False)
    assert result.returncode == 4
    assert [line["verdict"] for line in rows(result)] == ["unknown_key"]
    audit = valise.valise("verify", *place.where, ALERT, check=False)
    assert audit.returncode == 4
    assert re.search(r"^CN-XX-EMB .* bad$", audit.stdout, re.M)
    topic, partition, offset = place.forged
    assert f"valise: bad: CN-XX-EMB {topic}: unknown key (partition {partition}, offset {offset})" in audit.stderr


def test_nothing_to_publish_to_is_1(place, tmp_path):
    result = valise.valise("publish", "--socket", tmp_path / "none", check=False, input=json.dumps(case_opened("SD-1")))
    assert (result.returncode, result.stdout) == (1, "")
    assert str(tmp_path / "none") in result.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_data(command):
    result = valise.valise(command, "--help")
    assert result.stdout.startswith("usage:") and f"valise {command}" in result.stdout
    assert result.stderr == ""


def test_help_names_every_command():
    text = valise.valise("--help").stdout
    assert [command for command in COMMANDS if not re.search(rf"\b{command}\b", text)] == []


# -- terminals and pipes --


def on_terminal(*words, env=None):
    """What a command prints to a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([str(word) for word in (PROGRAMS / "valise", *words)], stdin=subprocess.DEVNULL,
                               stdout=theirs, stderr=subprocess.DEVNULL,
                               env={**os.environ, **ENVIRONMENT, "TERM": "xterm", **(env or {})})
    os.close(theirs)
    said = b""
    try:
        while more := os.read(ours, 65536):
            said += more
    except OSError:
        pass
    os.close(ours)
    assert process.wait() == 0
    return said


def test_colour_is_for_terminals_that_want_it(place):
    words = "case", "ls", "--views", place.hq.views
    assert b"\x1b[" in on_terminal(*words)
    assert b"\x1b" not in on_terminal(*words, env={"NO_COLOR": "1"})
    assert b"\x1b" not in on_terminal(*words, env={"TERM": "dumb"})
    assert "\x1b" not in valise.valise(*words).stdout
    plain = on_terminal(*words, env={"NO_COLOR": "1"}).replace(b"\r\n", b"\n")
    assert plain.decode() == valise.valise(*words).stdout


def test_reader_that_has_enough_ends_it_quietly(place):
    """More than a pipe holds, and `head -1`."""
    name = "CN-BIG-EMB"
    sender = Sender(name, b"\x43" * 32)
    sender.enrol(place.keys)
    records = []
    for _ in range(50):
        value = sender.batch(*(sender.event(f"BIG-{n}") for n in range(100)))
        records.append((CASE, name, value, sender.headers(value)))
    Wire(place.kafka.bootstrap).send_all(records)
    for output in ("json", "table"):
        line = " ".join(str(word) for word in (PROGRAMS / "valise", "tail", *place.where, "-o", output, CASE))
        result = valise.run("bash", "-c", f"{line} | head -1; echo ${{PIPESTATUS[0]}}")
        first, code = result.stdout.splitlines()
        assert code == "0"
        assert result.stderr == ""
        assert first.startswith("TIME" if output == "table" else "{")


def test_full_disk_is_told_of(place):
    with open("/dev/full", "w") as full:
        for words in (("case", "ls", "--views", place.hq.views), ("tail", *place.where, CASE),
                      ("view", "digest", "--views", place.hq.views), ("outbox", "ls", "--outbox",
                                                                      place.mission[MISSION].outbox)):
            result = valise.valise(*words, stdout=full, check=False)
            assert result.returncode == 1, words
            assert "valise: cannot write 'stdout': No space left on device" in result.stderr


# -- tail --


def test_tail_shows_every_event_whole(place):
    lines = rows(tail(place, "--mission", MISSION, CASE, EVACUATION))
    assert len(lines) == 6
    for line in lines:
        assert (line["verdict"], line["mission"]) == ("ok", MISSION)
        assert {"lane", "epoch", "seq", "eventNo", "partition", "offset", "timestamp", "event"} <= line.keys()
    cases = [line for line in lines if line["lane"] == CASE]
    assert [line["event"]["subject"] for line in cases] == [f"SD-{number}" for number in range(5)]
    assert [int(line["eventNo"]) for line in cases] == [1, 2, 3, 4, 5]
    assert [int(line["seq"]) for line in cases] == [1, 2, 3, 4, 5]
    assert cases[0]["event"]["payload"]["personal"]["narrative"] == "confidential"
    assert len(rows(tail(place, "--mission", MISSION, CASE, CASE, CASE))) == 5


def test_table_shows_nothing_personal(place):
    for words in (("tail", *place.where, "--mission", MISSION, CASE), ("case", "ls", "--views", place.hq.views),
                  ("case", "show", "SD-1", "--views", place.hq.views)):
        text = valise.valise(*words).stdout
        assert "SD-1" in text
        assert "confidential" not in text


def test_tail_of_so_many(place):
    assert len(rows(tail(place, "-n", "3", "--mission", OTHER, CASE))) == 3
    assert len(rows(tail(place, "-n", "99", "--mission", OTHER, CASE))) == 5


def test_since_and_until_cut_without_losing_or_doubling(place):
    lines = rows(tail(place, "--mission", MISSION, CASE))
    for cut in (lines[0]["timestamp"], lines[2]["timestamp"], lines[4]["timestamp"], "2001-01-01", "now"):
        before = rows(tail(place, "--mission", MISSION, "--until", cut, CASE))
        after = rows(tail(place, "--mission", MISSION, "--since", cut, CASE))
        assert before + after == lines, cut
        assert all(line["timestamp"] >= cut for line in after)
    assert len(rows(tail(place, "--mission", MISSION, "--since", "1h", CASE))) == 5


def groups(kafka):
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    listed = admin.list_consumer_groups(request_timeout=10).result()
    assert listed.errors == []
    return sorted(group.group_id for group in listed.valid)


def test_tail_follows_and_leaves_no_trace(place, tmp_path):
    before = groups(place.kafka)
    out = tmp_path / "out"
    with open(out, "w") as file, open(tmp_path / "err", "w") as err:
        process = valise.spawn("valise", "tail", *place.where, "-f", "-o", "json", "--mission", OTHER, EVACUATION,
                               stdout=file, stderr=err)
    try:
        for number in range(3):
            opened = event(EVACUATION + ".LegOpened", "LEG-1", {"leg": "LEG-1", "operation": "OP"})
            place.mission[OTHER].publish([opened])
            wait_for("the line", lambda: len(out.read_text().splitlines()) == number + 1)
            assert groups(place.kafka) == before
    finally:
        process.send_signal(signal.SIGINT)
        code = process.wait(30)
    assert code == 0
    assert (tmp_path / "err").read_text() == ""
    assert [int(json.loads(line)["eventNo"]) for line in out.read_text().splitlines()] == [1, 2, 3]
    assert groups(place.kafka) == before


# -- verify --


def test_verify_of_good_lanes(place):
    result = valise.valise("verify", *place.where, "-o", "json", CASE, EVACUATION)
    lines = {(row["mission"], row["lane"]): row for row in rows(result)}
    assert result.stderr == ""
    row = lines[MISSION, CASE]
    assert (row["verdict"], row["batches"], row["events"], row["bad"], row["findings"]) == ("ok", 5, 5, 0, [])
    assert {row["verdict"] for row in lines.values()} == {"ok"}
    table = valise.valise("verify", *place.where, CASE)
    assert re.search(rf"^{MISSION} +{CASE} +5 +5 +0 .* ok$", table.stdout, re.M)
    assert table.stderr == ""


# -- views --


def test_mission_ls(place):
    table = valise.valise("mission", "ls", "--views", place.hq.views).stdout
    assert re.search(rf"^{MISSION} +ok +2\S+Z +- +- +- +- +-?$", table, re.M), table
    only = rows(valise.valise("mission", "ls", "--views", place.hq.views, "--mission", OTHER, "-o", "json"))
    assert [(row["mission"], row["verdict"], row["lanes"]) for row in only] == [(OTHER, "ok", [])]


def test_mission_show(place):
    table = valise.valise("mission", "show", MISSION, "--views", place.hq.views).stdout
    assert re.search(rf"^{MISSION} +{CASE} +ok +5 +5 ", table, re.M)
    assert OTHER not in table
    every = rows(valise.valise("mission", "show", "--views", place.hq.views, "-o", "json"))
    assert {row["mission"] for row in every} == {MISSION, OTHER}
    nobody = valise.valise("mission", "show", "CN-XX-EMB", "--views", place.hq.views, check=False)
    assert (nobody.returncode, nobody.stdout) == (3, "")


def test_views_ls_and_show(place):
    listed = {row["key"]: row for row in place.hq.ls("case") if row["key"].startswith("SD-")}
    assert sorted(listed) == [f"SD-{number}" for number in range(5)]
    shown = place.hq.show("case", "SD-3")
    assert {name: shown[name] for name in ("key", "kind", "row")} == {name: listed["SD-3"][name] for name in
                                                                     ("key", "kind", "row")}
    assert [(item["mission"], item["eventNo"]) for item in shown["history"]] == [(MISSION, "4")]
    assert shown["history"][0]["event"]["payload"]["@type"].endswith(".CaseOpened")
    assert [row["key"] for row in place.hq.ls("evacuation", "leg")] == ["LEG-1"]
    assert place.hq.show("evacuation", "LEG-1")["kind"] == "leg"
    text = valise.valise("case", "show", "SD-3", "--views", place.hq.views).stdout
    assert "SD-3" in text and "CaseOpened" in text and MISSION in text
    text = valise.valise("case", "show", "SD-3", "--zone", "+05:45", "--views", place.hq.views).stdout
    assert re.search(r"^opened_at: \S+T\d\d:\d\d:\d\d\+05:45$", text, re.M)
    assert re.search(r"^\S+\+05:45 .* CaseOpened +type=.*personal=\(not shown\)", text, re.M)
    assert "confidential" not in text and "CASE_STATE_" not in text
    refused(place, 2, "case", "show", "--views", "{views}", "--zone", "Mars/Base", "SD-3", talk="no time zone")


def test_ls_and_query_answer_questions(place):
    """The same question to both, in each form; what is wrong in it is named, with what is near."""
    where = "--views", place.hq.views
    listed = valise.valise("case", "ls", *where, "-w", "owner=" + MISSION, "-s", "-key", "-n", "2", "-c", "key,owner",
                           "-o", "csv").stdout
    assert listed == f"key,owner\nSD-4,{MISSION}\nSD-3,{MISSION}\n"
    asked = "SELECT key, owner FROM case WHERE owner = ?1 ORDER BY key DESC LIMIT 2"
    assert valise.valise("query", *where, "-o", "csv", asked, MISSION).stdout == listed
    assert rows(valise.valise("query", *where, "-o", "json", asked, MISSION)) == [
        {"key": f"SD-{number}", "owner": MISSION} for number in (4, 3)]
    both = "SELECT count(*) AS n, l.key FROM case c JOIN evacuation l WHERE c.key GLOB 'SD-*'"
    assert rows(valise.valise("query", *where, "-o", "json", both)) == [{"n": 5, "key": "LEG-1"}]
    schema = rows(valise.valise("query", "--schema", "case", "-o", "json"))
    assert {"table": "case", "column": "opened_at", "type": "time", "words": None} in schema
    refused(place, 2, "case", "ls", "--views", "{views}", "-w", "ownr=x", talk="near it: owner")
    refused(place, 2, "case", "ls", "--views", "{views}", "-s", "prioritty", talk="priority")
    refused(place, 2, "query", "--views", "{views}", "SELECT ownr FROM case", talk="did you mean 'owner'?")
    refused(place, 2, "query", "--views", "{views}", "DELETE FROM case", talk="hint: valise query --help")
    refused(place, 2, "query", "--views", "{views}", talk="--schema")
    refused(place, 3, "query", "--schema", "cases", talk="did you mean 'case'?")


def test_digest(place):
    lines = place.hq.digest().splitlines()
    assert sorted(re.fullmatch(r"[0-9a-f]{64}  (\S+)", line).group(1) for line in lines) == [ALERT, CASE, EVACUATION, TRAVELLER, "valise.trouble.v1"]
    assert place.hq.digest(CASE) == [line for line in lines if line.endswith(CASE)][0] + "\n"


# -- outbox, dead letters --


def test_outbox_ls(place):
    mission = place.mission[MISSION]
    wait_for("all sent", lambda: {batch["state"] for batch in mission.batches()} == {"acked"})
    batches = [batch for batch in mission.batches() if batch["lane"] == CASE]
    assert [(int(batch["seq"]), int(batch["firstEvent"]), batch["events"]) for batch in batches] == [
        (number, number, 1) for number in range(1, 6)]
    table = valise.valise("outbox", "ls", "--outbox", mission.outbox).stdout
    assert len(re.findall(rf"^{CASE} .* acked$", table, re.M)) == 5


def test_dead_letters(place):
    topic, partition, offset = place.forged
    origin = f"{topic}/{partition}/{offset}"
    wait_for("the dead letter", lambda: origin in valise.valise("deadletter", "ls", "-b", place.kafka.bootstrap).stdout)
    only = rows(valise.valise("deadletter", "ls", "-b", place.kafka.bootstrap, "--mission", "CN-XX-EMB", "-o", "json"))
    assert [(row["topic"], row["partition"], row["offset"], row["reason"], row["valueSize"]) for row in only] == [
        (topic, partition, offset, "unknown_key", len(place.forged_value))]
    # Other tests here have sent forgeries too: what is counted is what is buried.
    def buried():
        listed = valise.valise("deadletter", "ls", "-b", place.kafka.bootstrap, "-o", "json")
        return Counter(row["reason"] for row in rows(listed))

    def counted():
        listed = valise.valise("deadletter", "reasons", "--views", place.hq.views, "-o", "json")
        return {row["reason"]: row["count"] for row in rows(listed)}

    wait_for("every refused record counted", lambda: counted() == buried())
    assert re.search(rf"^unknown_key +{counted()['unknown_key']}$",
                     valise.valise("deadletter", "reasons", "--views", place.hq.views).stdout, re.M)
    raw = valise.valise("deadletter", "show", "--raw", "-b", place.kafka.bootstrap, origin, text=False)
    assert raw.stdout == place.forged_value
    none = valise.valise("deadletter", "ls", "-b", place.kafka.bootstrap, "--mission", "CN-YY-EMB", "-o", "json")
    assert none.stdout == ""


# -- brokers by other ways --


def test_brokers_from_file_environment_and_property(place, tmp_path):
    file = tmp_path / "client.properties"
    file.write_text(f"# where Kafka is\nbootstrap.servers={place.kafka.bootstrap}\n")
    whole = tail(place, "--mission", MISSION, CASE).stdout
    rest = "--keys", place.keys, "-o", "json", "--mission", MISSION, CASE
    assert valise.valise("tail", "-F", file, *rest).stdout == whole
    assert valise.valise("tail", "-X", f"bootstrap.servers={place.kafka.bootstrap}", *rest).stdout == whole
    assert valise.valise("tail", *rest, env={"VALISE_BROKERS": place.kafka.bootstrap}).stdout == whole
    assert valise.valise("tail", "-b", place.kafka.bootstrap, *rest, env={"VALISE_BROKERS": NOWHERE}).stdout == whole


def test_a_file_without_ids_given_twice_is_named(place, tmp_path):
    """Its events have new ids the second time: whoever gives it again is warned, before."""
    mission = place.mission[OTHER]
    plain, named = case_opened("EG-TWICE"), case_opened("EG-ONCE")
    del plain["id"]
    for name, one, words in (("plain", plain, "was already published"), ("named", named, "")):
        file = tmp_path / name
        file.write_text(json.dumps(one) + "\n")
        talk = [valise.valise("publish", file, "--socket", mission.socket, env={"XDG_STATE_HOME": str(tmp_path)}).stderr
                for _ in range(2)]
        assert "already published" not in talk[0]
        assert words in talk[1] and ("already published" in talk[1]) == bool(words)


def test_an_hour_that_has_passed(place):
    """Rows are kept as they are now; of an hour before only what says of itself when it holds is shown."""
    past = valise.valise("case", "ls", "--at", "2020-01-01", "--views", place.hq.views, check=False)
    assert (past.returncode, past.stdout) == (2, "") and "kept as it is now" in past.stderr
    assert valise.valise("case", "ls", "--at", "2099-01-01", "--views", place.hq.views).returncode == 0
    alerts = valise.valise("alert", "ls", "--at", "2020-01-01", "--views", place.hq.views)
    assert "as of --at" in alerts.stderr


@pytest.mark.parametrize("field", ["happened_at"])
@pytest.mark.parametrize("seconds,nanos", [(253402300800, 0), (1777622400000, 0), ((1 << 63) - 1, 0), (-(1 << 63), 0),
                                           (0, -1), (0, 1000000000), (0, -2147483648)])
def test_a_time_that_is_none_is_refused_in_every_field(place, field, seconds, nanos):
    payload = valise.message(CASE + ".CaseOpened")(type=102, persons=1)
    getattr(payload, field).seconds, getattr(payload, field).nanos = seconds, nanos
    with valise.Client(place.mission[OTHER].socket) as client:
        made = Sender(OTHER).event("EG-TIME", payload)
        (answer,) = client.publish(made)
    assert answer.HasField("refused")
    assert "outside the years" in answer.refused.reason
