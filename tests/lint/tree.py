"""Rules about the tree that need no compiler: one door per dependency, sizes, banned calls, what stands at the top."""

import pathlib
import re
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
AT_TOP = {"brokers", "proto", "services", "deploy", "tests", "CMakeLists.txt", "README.md", "LICENSE"}

# A header that only one folder may include, and that folder.
DOORS = {
    r"<lmdb\.h>": "services/store/",
    r"<librdkafka/": "services/stream/",
    r"<ini\.h>": "services/base/",
    r"<utf8proc\.h>": "services/base/unicode.c",
    r"<yaml\.h>": "services/cli/",
    r"<sqlite3\.h>": "services/ask/sql",
    r"<jansson\.h>": ("services/bus/", "services/cli/"),
}

# The folders of services/ in their order. Each may include its own headers and those of the folders that it names; what these name
# is not included by that. So no folder can need itself by way of another.
ORDER = {
    "base": (),
    "bus": ("base",),
    "client": ("base", "bus"),
    "store": ("base",),
    "stream": ("base", "bus"),
    "agent/outbox": ("base", "bus", "store"),
    "agent": ("base", "bus", "store", "stream", "agent/outbox"),
    "hq/ledger": ("base", "bus", "store", "stream"),
    "hq/fold": ("base", "bus", "store", "hq/ledger"),
    "hq/views": ("base", "bus", "hq/fold"),
    "hq/ingest": ("base", "bus", "store", "stream", "hq/ledger", "hq/fold"),
    "hq/watch": ("base", "bus", "stream", "hq/ledger", "hq/fold", "hq/ingest"),
    "hq/reply": ("base", "bus", "client", "store", "hq/ledger", "hq/watch"),
    "hq/repair": ("base", "bus", "store", "stream", "hq/ledger", "hq/fold", "hq/ingest"),
    "hq": ("base", "bus", "store", "stream", "hq/ledger", "hq/fold", "hq/ingest", "hq/watch", "hq/reply", "hq/repair"),
    "ask": ("base", "bus", "store", "hq/ledger", "hq/fold"),
    "cli": ("base", "bus", "client", "store", "stream", "agent/outbox", "hq/ledger", "hq/fold", "hq/watch", "hq/repair", "ask"),
}

# Calls that have a better one here, and the files where they may stand.
BANNED = {
    r"\b(strcat|sprintf|vsprintf|gets|strtok|atoi|system)\(": (),
    r"\b(gettimeofday|time)\(": (),
    r"\bclock_gettime\(": ("services/base/clock.c", "services/hq/ingest/verify.c"),
    r"\b(rand|random|srand)\(": (),
    r"\brandombytes_buf\(": ("services/base/rand.c",),
    r"\b(exit|_exit|abort)\(": ("services/cli/", "services/agent/main.c", "services/hq/main.c", "services/agent/",
                               "services/store/file.c"),  # its handler of SIGBUS, which programs ask for
}

MOST_LINES = 600
MOST_FUNCTION = 80
MOST_COLUMNS = 100


def tracked():
    """The files of the tree: git's, or, where there is no git, all but what is built."""
    try:
        out = subprocess.run(["git", "-C", TOP, "ls-files", "-co", "--exclude-standard"], capture_output=True, text=True)
        lines = out.stdout.splitlines() if out.returncode == 0 else []
    except FileNotFoundError:
        lines = []
    if lines:
        return [TOP / line for line in lines if (TOP / line).is_file()]
    return [path for path in TOP.rglob("*") if path.is_file() and "__pycache__" not in path.parts
            and not path.relative_to(TOP).parts[0].startswith(("build", ".git"))]


def out_of_order(name, code):
    """What a file of services/ includes of a folder that its own may not include."""
    folder = str(pathlib.PurePath(name).parent.relative_to("services"))
    if folder not in ORDER:
        yield f"{name}: its folder has no place in ORDER of tests/lint/tree.py"
        return
    for header in re.findall(r'#include\s+["<]([^">]+)[">]', code):
        other = str(pathlib.PurePath(header).parent)
        if other in ORDER and other != folder and other not in ORDER[folder]:
            yield f"{name}: {folder} may not include {header}; see ORDER in tests/lint/tree.py"


def backwards():
    """Lines of ORDER that name a folder that does not stand above them."""
    above = set()
    for folder, others in ORDER.items():
        yield from (f"tests/lint/tree.py: ORDER: {folder} names {other}, which does not stand above it"
                    for other in others if other not in above)
        above.add(folder)


def functions(text):
    """Yield (first line, length) of what stands between a line of a definition and a closing brace in column one."""
    start = None
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(r"[A-Za-z_].*[)]\s*{?\s*$", line) or (re.match(r"[A-Za-z_].*\($", line)):
            start = number
        elif line.startswith("}") and start:
            yield start, number - start
            start = None


def main():
    wrong = list(backwards())
    files = tracked()
    for name in sorted({path.relative_to(TOP).parts[0] for path in files}):
        if name not in AT_TOP and not name.startswith("."):
            wrong.append(f"{name}: does not belong at the top")
    for path in files:
        name = str(path.relative_to(TOP))
        if path.suffix not in (".c", ".h", ".proto"):
            continue
        text = path.read_text()
        for number, line in enumerate(text.splitlines(), 1):
            if len(line.expandtabs(8)) > MOST_COLUMNS:
                wrong.append(f"{name}:{number}: a line of more than {MOST_COLUMNS} columns")
        if not name.startswith("services/"):
            continue
        code = re.sub(r"/\*.*?\*/", lambda m: re.sub(r"[^\n]", "", m.group()), text, flags=re.S)
        for header, door in DOORS.items():
            if re.search(r"#include\s+" + header, code) and not name.startswith(door):
                wrong.append(f"{name}: {header} is included through {door} only")
        wrong.extend(out_of_order(name, code))
        for call, where in BANNED.items():
            match = re.search(r"(?<![\w>.])" + call.removeprefix(r"\b"), code)
            if match and not name.startswith(tuple(where) or ("-",)):
                wrong.append(f"{name}: {match.group()} is not used here")
        if text.count("\n") > MOST_LINES:
            wrong.append(f"{name}: {text.count(chr(10))} lines, more than {MOST_LINES}")
        for start, length in functions(text):
            if length > MOST_FUNCTION:
                wrong.append(f"{name}:{start}: a function of {length} lines, more than {MOST_FUNCTION}")
    print("\n".join(wrong) or f"{len(files)} files are as they should be")
    return 1 if wrong else 0


sys.exit(main())
