"""A mission program that is not ours: the example, built against the installed library and run beside a real agent."""

import os
import re
import subprocess
import types

import pytest

from valise import BUILD, ENVIRONMENT, NOWHERE, TOP, World, no_fault, run, valise

SANITIZERS = ["-fsanitize=address,undefined"]
TYPE = "consular.case.v1.CaseOpened"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with all that `cmake --install` puts into one, and what pkg-config says there."""
    prefix = tmp_path_factory.mktemp("prefix")
    run("cmake", "--install", BUILD, "--prefix", prefix)
    found = list(prefix.glob("**/valise.pc"))
    assert len(found) == 1
    environment = {"PKG_CONFIG_PATH": str(found[0].parent)}

    def say(*options):
        return run("pkg-config", *options, "valise", env=environment).stdout.split()
    return types.SimpleNamespace(prefix=prefix, say=say, library=prefix / found[0].parent.parent / "libvalise.so")


@pytest.fixture
def mission(tmp_path):
    """An agent without a broker: it accepts events all the same."""
    made = World(tmp_path, types.SimpleNamespace(bootstrap=NOWHERE))
    yield made.mission("CN-SD-EMB")
    made.close()


@pytest.fixture
def example(installed, tmp_path):
    """Call it with a socket, a type, a subject and a payload."""
    sanitized = "VALISE_SANITIZE:BOOL=ON" in (BUILD / "CMakeCache.txt").read_text()
    program = tmp_path / "example"
    source = list(installed.prefix.glob("share/doc/**/example.c"))
    assert len(source) == 1 and source[0].read_text() == (TOP / "services/client/example.c").read_text()
    run("cc", "-std=c11", "-Wall", "-Wextra", "-Werror", *(SANITIZERS if sanitized else []), source[0], "-o", program,
        *installed.say("--cflags", "--libs"))
    environment = {**os.environ, **ENVIRONMENT, "LD_LIBRARY_PATH": str(installed.library.parent)}

    def call(socket, name, subject, payload):
        result = subprocess.run([program, socket, name, subject], input=payload, capture_output=True, timeout=60, env=environment)
        no_fault(result.stderr, "example")
        return result.returncode, result.stdout.decode(), result.stderr.decode()
    return call


def payload(text):
    return run("protoc", "-I", TOP / "proto", f"--encode={TYPE}", "consular/case/v1/case.proto", input=text.encode(),
               text=False).stdout


def test_a_program_of_ones_own_gives_an_event(installed, example, mission):
    mission.start()
    opened = payload('type: CASE_TYPE_THEFT_ROBBERY host_country: "SD" persons: 2')
    code, said, _ = example(mission.socket, TYPE, "SD-2023-0042", opened)
    assert code == 0
    place = re.fullmatch(r"recorded: event 1 of epoch (\d+) on lane consular\.case\.v1\n", said)
    # It is in the outbox, signed, and that place is the one that was said.
    batch, = mission.batches()
    assert (batch["lane"], batch["epoch"], batch["events"]) == ("consular.case.v1", place.group(1), 1)
    carried = valise("outbox", "carry", "--dry-run", "--outbox", mission.outbox).stdout
    assert '"event":1' in carried

    code, said, wrong = example(mission.socket, "consular.case.v1.NoSuchEvent", "SD-1", b"")
    assert (code, said) == (1, "") and "cannot publish 'SD-1': " in wrong and "names no event type" in wrong
    code, said, wrong = example(mission.socket, TYPE, "", opened)
    assert (code, said) == (1, "") and "subject" in wrong
    assert len(mission.batches()) == 1


def test_only_what_the_header_declares_is_visible(installed):
    header = (installed.prefix / "include/valise/client.h").read_text()
    code = re.sub(r"/\*.*?\*/", "", header, flags=re.S)
    declared = set(re.findall(r"^(?!typedef).*\b(vl_client_\w+)\(", code, flags=re.M))
    listed = run("nm", "-D", "--defined-only", installed.library).stdout
    exported = {line.split()[-1].split("@")[0] for line in listed.splitlines() if " A " not in line}
    assert exported == declared and "vl_client_publish" in declared
    needed = re.findall(r"\(NEEDED\).*\[(.*?)\.so", run("readelf", "-d", installed.library).stdout)
    assert set(needed) <= {"libsodium", "libc", "libasan", "libubsan", "libm"}
    assert "libvalise.so.0" in run("readelf", "-d", installed.library).stdout


def test_the_header_needs_nothing_but_c(installed, tmp_path):
    source = tmp_path / "alone.c"
    source.write_text("#include <valise/client.h>\nint main(void) { return 0; }\n")
    run("cc", "-std=c99", "-pedantic-errors", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", *installed.say("--cflags"), source)
