"""What people get wrong about TLS and SASL is an error with a reason in every program, and never a crash. No broker is needed."""

import pathlib
import socket
import ssl
import threading
import types

import pytest

import valise
from valise import NOWHERE, run


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Two authorities, each with a key and a certificate; and files that are no such thing."""
    folder = tmp_path_factory.mktemp("tls")
    for name in ("one", "two"):
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", f"/CN={name}",
            "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem")
    run("openssl", "rsa", "-aes256", "-passout", "pass:right", "-in", folder / "one.key", "-out", folder / "locked.key")
    (folder / "empty").write_text("")
    (folder / "garbage").write_text("-----BEGIN CERTIFICATE-----\nno certificate\n-----END CERTIFICATE-----\n")
    (folder / "folder").mkdir()
    return folder


PAIR = {"ssl.certificate.location": "one.pem", "ssl.key.location": "one.key"}

# What is wrong, the properties (a name that is in the folder of files becomes its path), and a word of the reason.
MISTAKES = [
    ("no authority's file", {"ssl.ca.location": "none.pem"}, "ssl.ca.location"),
    ("an empty one", {"ssl.ca.location": "empty"}, "is empty"),
    ("one that is something else", {"ssl.ca.location": "garbage"}, "ssl.ca.location"),
    ("no certificate", {**PAIR, "ssl.certificate.location": "none.pem"}, "ssl.certificate.location"),
    ("an empty one", {**PAIR, "ssl.certificate.location": "empty"}, "is empty"),
    ("a folder", {**PAIR, "ssl.certificate.location": "folder"}, "is not a file"),
    ("one that is a key", {**PAIR, "ssl.certificate.location": "one.key"}, "ssl.certificate.location"),
    ("no key", {**PAIR, "ssl.key.location": "none.key"}, "ssl.key.location"),
    ("an empty one", {**PAIR, "ssl.key.location": "empty"}, "is empty"),
    ("one that is a certificate", {**PAIR, "ssl.key.location": "one.pem"}, "ssl.key.location"),
    ("another certificate's key", {**PAIR, "ssl.key.location": "two.key"}, ""),
    ("a locked key and no password", {**PAIR, "ssl.key.location": "locked.key"}, "ssl.key.location"),
    ("a wrong password", {**PAIR, "ssl.key.location": "locked.key", "ssl.key.password": "wrong"}, "ssl.key.location"),
    ("a key in text that is none", {"ssl.key.pem": "nothing", "ssl.certificate.pem": "nothing"}, "ssl.certificate.pem"),
    ("no keystore", {"ssl.keystore.location": "none.p12"}, "ssl.keystore.location"),
    ("a keystore that is none", {"ssl.keystore.location": "garbage"}, "ssl.keystore.location"),
    ("ciphers that are none", {"ssl.cipher.suites": "nothing"}, "ssl.cipher.suites"),
    ("no such protocol", {"security.protocol": "tls"}, "security.protocol"),
    ("no such mechanism", {"security.protocol": "sasl_ssl", "sasl.mechanism": "NONE"}, "SASL mechanism"),
    ("no name and password", {"security.protocol": "sasl_ssl", "sasl.mechanism": "SCRAM-SHA-256"}, "sasl.username"),
    ("no password", {"security.protocol": "sasl_plaintext", "sasl.mechanism": "PLAIN", "sasl.username": "u"}, "sasl.password"),
    ("a token's settings that are none", {"security.protocol": "sasl_ssl", "sasl.mechanism": "OAUTHBEARER",
                                          "sasl.oauthbearer.method": "oidc"}, "sasl.oauthbearer"),
]


@pytest.fixture(scope="module")
def place(tmp_path_factory, files):
    """A mission and headquarters that have the right properties; each test gives them others."""
    world = valise.World(tmp_path_factory.mktemp("world"), types.SimpleNamespace(bootstrap=NOWHERE))
    made = types.SimpleNamespace(world=world, mission=world.mission("CN-SD-EMB"), hq=world.headquarters(), files=files)
    yield made
    world.close()


def properties(place, given):
    path = {name.name: str(name) for name in place.files.iterdir()}
    given = {"bootstrap.servers": NOWHERE, "security.protocol": "ssl", **given}
    return {key: path.get(value, str(place.files / value) if value.startswith("none.") else value)
            for key, value in given.items()}


def config_with(place, part, given):
    """Its configuration with these Kafka properties instead."""
    text = part.config.read_text()
    text = text[:text.index("[kafka]")] + "[kafka]\n" + "".join(f"{k} = {v}\n" for k, v in properties(place, given).items())
    path = part.folder / "wrong.conf"
    path.write_text(text)
    return path


@pytest.mark.parametrize("given,word", [m[1:] for m in MISTAKES], ids=[f"{m[0]}-{i}" for i, m in enumerate(MISTAKES)])
def test_each_program_names_the_mistake(place, given, word):
    options = [o for key, value in properties(place, given).items() for o in ("-X", f"{key}={value}")]
    told = {
        "valise": valise.valise("topic", "apply", "--dry-run", *options, valise.TOPICS, check=False),
        "valise tail": valise.valise("tail", "consular.case.v1", "--keys", place.world.keys, *options, check=False),
        "valise-hq": run(valise.PROGRAMS / "valise-hq", "--config", config_with(place, place.hq, given), check=False),
        "valise-agent": run(valise.PROGRAMS / "valise-agent", "--check", "--config", config_with(place, place.mission, given),
                            check=False),
    }
    for program, result in told.items():
        assert result.returncode in (1, 2), f"{program}: {result.returncode}: {result.stderr}"
        assert word in result.stderr and "cannot" in result.stderr, f"{program}: {result.stderr}"
        assert "right" not in result.stderr and "wrong" not in result.stderr.replace("wrong.conf", "").replace(
            "wrong configuration", "").replace("wrong password", ""), f"{program}: {result.stderr}"


def test_an_agent_accepts_all_the_same(place):
    """A mission's program is answered whatever is wrong with the line; the log names it."""
    mission = place.mission
    given = {**PAIR, "ssl.key.location": "locked.key", "ssl.key.password": "wrong"}
    mission.process = mission.spawn(config_with(place, mission, given))
    valise.wait_for("the socket", mission.accepts)
    assert len(mission.publish([valise.case_opened("SD-1")]).answers) == 1
    valise.wait_for("the reason", lambda: "ssl.key.location" in mission.said())
    assert "signal" not in mission.said()


def test_another_authority_is_named(place, files):
    """A broker that shows a certificate of another authority is not spoken with, and the reason is said."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files / "one.pem", files / "one.key")
    listener = socket.create_server(("127.0.0.1", 0))
    done = threading.Event()

    def serve():
        listener.settimeout(0.2)
        while not done.is_set():
            try:
                accepted, _ = listener.accept()
                context.wrap_socket(accepted, server_side=True).close()
            except (OSError, ssl.SSLError):
                pass

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        address = "127.0.0.1:%d" % listener.getsockname()[1]
        result = valise.valise("topic", "apply", "--dry-run", "-X", f"bootstrap.servers={address}", "-X", "security.protocol=ssl",
                               "-X", f"ssl.ca.location={files / 'two.pem'}", valise.TOPICS, check=False)
        assert result.returncode == 5 and "certificate" in result.stderr, result.stderr
    finally:
        done.set()
        thread.join()
        listener.close()
