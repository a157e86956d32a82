"""How programs are started: without standard input, output and error."""

import pathlib
import subprocess
import types

import pytest

from valise import NOWHERE, PROGRAMS, World, case_opened, run, wait_for

CLOSED = ["<&- >&- 2>&-", "<&- 2>&-"]


@pytest.fixture
def alone(tmp_path):
    """Without a broker."""
    made = World(tmp_path, types.SimpleNamespace(bootstrap=NOWHERE))
    yield made
    made.close()


def without(redirections, *command):
    """The command, started by a shell that closes some of its descriptors."""
    return subprocess.Popen(["sh", "-c", f'exec "$@" {redirections}', "sh", *map(str, command)])


def ends(process):
    process.terminate()
    return process.wait(20)


def opened(process, path):
    """Whether the process has that file open, and all that are its first three descriptors."""
    files = {}
    for fd in pathlib.Path(f"/proc/{process.pid}/fd").iterdir():
        try:
            files[int(fd.name)] = str(fd.readlink())
        except FileNotFoundError:
            pass
    return str(path) in files.values() and [files[n] for n in range(3)]


@pytest.mark.parametrize("redirections", CLOSED)
def test_headquarters_without_descriptors_writes_its_log_nowhere(alone, redirections):
    alone.mission("HQ")
    hq = alone.headquarters().start()
    hq.stop()
    data = hq.views / "data.mdb"
    before = data.read_bytes()
    process = without(redirections, PROGRAMS / "valise-hq", "--config", hq.config)
    try:
        first = wait_for("the views to be open", lambda: opened(process, data))
        assert not any(str(hq.views) in name for name in first)
        run(PROGRAMS / "valise", "view", "check", "--views", hq.views)
    finally:
        assert ends(process) == 0
    assert data.read_bytes()[:100] == before[:100]
    hq.start()
    hq.stop()


@pytest.mark.parametrize("redirections", CLOSED)
def test_agent_without_descriptors_accepts_and_writes_its_log_nowhere(alone, redirections):
    sd = alone.mission("CN-SD-EMB")
    process = sd.process = without(redirections, PROGRAMS / "valise-agent", "--config", sd.config)
    try:
        wait_for("its socket", sd.accepts)
        first = opened(process, sd.outbox / "data.mdb")
        assert first and not any(str(sd.outbox) in name or "socket" in name for name in first)
        assert len(sd.publish([case_opened("SD-1")]).answers) == 1
    finally:
        assert ends(process) == 0
    sd.start()
    assert len(sd.publish([case_opened("SD-2")]).answers) == 1
    assert sum(int(batch["events"]) for batch in sd.batches()) == 2


def test_output_that_is_closed_is_an_error_with_a_word(alone):
    alone.mission("HQ")
    hq = alone.headquarters().start()
    for arguments in (["mission", "ls"], ["case", "ls"], ["view", "digest"]):
        process = subprocess.run(["sh", "-c", 'exec "$@" >&-', "sh", PROGRAMS / "valise", *arguments, "--views", hq.views],
                                 capture_output=True, text=True)
        assert process.returncode == 1
        assert "cannot write 'stdout'" in process.stderr


def test_input_that_is_closed_is_an_error_with_a_word(alone):
    sd = alone.mission("CN-SD-EMB").start()
    process = subprocess.run(["sh", "-c", 'exec "$@" <&-', "sh", PROGRAMS / "valise", "publish", "--socket", sd.socket, "-"],
                             capture_output=True, text=True, timeout=30)
    assert process.returncode == 1
    assert "cannot read 'stdin'" in process.stderr
