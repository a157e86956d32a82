"""Plain English: short sentences, the field's words, and headers that name the next to read.

Checked are the README files, the comments of headers and protos, and every text that a program
prints: help, configuration, errors, log. `english.py FILE...` shows what is to be changed in those files.

english.pending lists files that are not rewritten yet. The list only shrinks: a file in it that is
clean fails the test, and so does a list that is longer than the last commit's.
"""

import pathlib
import re
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
PENDING = TOP / "tests/lint/english.pending"
MOST_WORDS = 25
MOST_COLUMNS = 100

READMES = ["README.md", "proto/README.md", "brokers/README.md", "tests/faults/README.md", "tests/vectors/README.md"]
SCRIPTS = ["deploy/man", "deploy/quickstart", "deploy/setup", "brokers/kafka", "tests/run", "tests/faults/run",
           "tests/faults/mutants"]

ROOMS = sorted(path.name for path in (TOP / "services").iterdir() if path.is_dir())

# A word, and what to write instead. They count in prose; a name of the code is not prose.
BANNED = {
    r"rot|rots|rotted|rotten|rotting": "corrupted",
    r"told|tells?|telling": "report, say",
    r"hears?|heard|hearing": "receive",
    r"wish|wishes|wished": "request",
    r"thin|thinner": "slow",
    r"fly|flies|flying|flew|flown": "in progress",
    r"lands?|landed|landing": "committed, arrived",
    r"bury|buries|buried|burial|undertaker": "put aside",
    r"whoever|whomever|nobody": "name who it is",
    r"(?:the|this|that|which|what|whose|its|same|of) hours?(?! of )": "time",
}
# By land, sea and air; the hearing of a court.
DOMAIN = re.compile(r"\b(?:by|over|on) land\b|\bland (?:border|route|convoy)s?\b|a hearing\b|heard by a court", re.I)

NAME = re.compile(r"[\w.\-/]*(?:[_/]|\w\.\w|\d)[\w.\-/*]*|[A-Z]{2,}\w*|--?[a-z][\w-]*")
SHORT = re.compile(r"\b(?:e\.g|i\.e|cf|Art|No|vs)\.$")


def words(sentence):
    """How many words a reader has to hold: names of the code that follow each other are one list, and count once."""
    count, listed = 0, False
    for token in sentence.split():
        bare = token.strip("()[]{}\"',;:.!?*")
        if not re.search(r"\w|%", bare):
            continue
        name = bare == "CODE" or bool(NAME.fullmatch(bare))
        if not (name and listed) and not (listed and bare in ("and", "or")):
            count += 1
        listed = (name and token[-1] in ",;" or name and listed or (listed and bare in ("and", "or")))
    return count


def sentences(text):
    start = 0
    for match in re.finditer(r"[.!?][\"')*`]*(?:\s+|$)", text):
        if not SHORT.search(text[start:match.start() + 1]):
            yield text[start:match.end()].strip()
            start = match.end()
    if text[start:].strip():
        yield text[start:].strip()


def check(text):
    """What is wrong with one paragraph."""
    prose = re.sub(r"`[^`]*`|<[^>\s]*>", "CODE", text)
    for sentence in sentences(prose):
        if (n := words(sentence)) > MOST_WORDS:
            yield f"{n} words: {' '.join(sentence.split()[:9])} ..."
    prose = DOMAIN.sub("", re.sub(r"\S*[_/]\S*|\w+\.[ch]\b", "CODE", prose))
    for word, better in BANNED.items():
        for match in re.finditer(rf"(?<![-\w])(?:{word})(?![-\w])", prose, re.I):
            yield f"'{match.group()}': {better}"


def paragraphs(lines):
    """(line number, text) of the paragraphs in what a comment or a README holds; an item of a list and a cell of a
    table stand by themselves."""
    start, held = 0, []
    for number, line in lines:
        text = line.strip()
        item = re.match(r"(?:[-*]|\d+\.) ", text)
        table = text.startswith("|") or re.search(r"^(?: {4}|\t)|\t|\S {3,}\S", line)
        if held and (not text or item or table):
            yield start, " ".join(held)
            held = []
        if table:
            for cell in re.split(r"\||\t| {3,}", text):
                yield number, cell.strip()
        elif text:
            start = start if held else number
            held.append(text[item.end():] if item else text)
    if held:
        yield start, " ".join(held)


def markdown(text):
    code, lines = False, []
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("```"):
            code = not code
        lines.append((number, "" if code or line.startswith("```") else line))
    return paragraphs(lines)


C = re.compile(r"(?P<comment>/\*.*?\*/|//[^\n]*)|(?P<text>\"(?:\\.|[^\"\\\n])*\")|'(?:\\.|[^'\\])+'", re.S)


def comments(text):
    """(line, lines) of each comment of C."""
    for match in C.finditer(text):
        if match["comment"]:
            first = text.count("\n", 0, match.start()) + 1
            body = re.sub(r"^(\s*) ?\*(?!/) ?", r"", match["comment"][2:].removesuffix("*/"), flags=re.M)
            yield first, [(first + i, line) for i, line in enumerate(body.split("\n"))]


def texts(text):
    """(line, text) of what literals of C say; those that stand together are one, and a line end in it ends a text."""
    at, said, end = 0, "", 0
    for match in C.finditer(text):
        if not match["text"]:
            continue
        between = text[end:match.start()]
        if not said or not re.fullmatch(r"(?:\s|/\*.*?\*/|PRI\w+)*", between, re.S):
            yield at, said
            at, said = text.count("\n", 0, match.start()) + 1, ""
        said += ("0" if "PRI" in between else "") + match["text"][1:-1]
        end = match.end()
    yield at, said


def printed(text):
    for at, said in texts(text):
        for part in re.split(r"\\n", said):
            if " " in part.strip() and not re.match(r"\s*(SELECT|CREATE) ", part):
                yield at, re.sub(r"\\t", "   ", re.sub(r"\\(.)", r"\1", part))


def remarks(text):
    """The paragraphs of the comments of a .proto; each line behind a field is one."""
    block = []
    for number, line in enumerate([*text.splitlines(), ""], 1):
        if match := re.match(r"\s*// ?(.*)", line):
            block.append((number, match[1]))
            continue
        yield from paragraphs(block)
        block = []
        if match := re.search(r";\s*// (.*)", line):
            yield number, match[1]


def usages(text):
    """What a script prints as its usage."""
    for match in re.finditer(r"<<'?(END_\w+)'?\n(.*?)\n\1", text, re.S):
        first = text.count("\n", 0, match.start(2)) + 1
        yield from paragraphs([(first + i, line) for i, line in enumerate(match[2].split("\n"))])


def next_of(path, text):
    """What is wrong with the last words of a header's story."""
    first = next((lines for _, lines in comments(text)), [])
    last = [said for _, said in paragraphs(first)][-1:]
    named = re.match(r"Next: ([\w./-]+\w)", last[0]) if last else None
    if named is None:
        return "the story on top does not end with 'Next: x.h, what it does'"
    places = (path.parent / named[1], TOP / "services" / named[1], TOP / "tests" / named[1], TOP / named[1])
    return "" if any(place.is_file() for place in places) else f"Next: there is no {named[1]}"


def findings(path):
    """(line, what is wrong) of one file."""
    text = path.read_text()
    found = []
    if path.suffix == ".md":
        units = markdown(text)
        found += [(number, f"more than {MOST_COLUMNS} columns") for number, line in enumerate(text.splitlines(), 1)
                  if len(line) > MOST_COLUMNS]
        found += [(text.count("\n", 0, match.start()) + 1, f"there is no {match[1]}")
                  for match in re.finditer(r"[`\s]((?:services/)?(?:%s)/[\w/]+\.[ch])\b" % "|".join(ROOMS), text)
                  if not (TOP / "services" / match[1].removeprefix("services/")).is_file()]
    elif path.suffix == ".h":
        units = [part for _, lines in comments(text) for part in paragraphs(lines)] + list(printed(text))
        if wrong := next_of(path, text):
            found.append((1, wrong))
    else:
        units = {".c": printed, ".proto": remarks}.get(path.suffix, usages)(text)
    for number, said in units:
        found += [(number, wrong) for wrong in check(said)]
    return sorted(found)


def checked():
    yield from (TOP / name for name in READMES + SCRIPTS)
    yield from sorted((TOP / "services").rglob("*.[ch]"))
    yield from sorted((TOP / "tests").rglob("*.h"))
    yield from sorted([*(TOP / "proto").rglob("*.proto"), *(TOP / "tests").rglob("*.proto")])


def committed(unknown):
    """How long the list of the last commit is; `unknown` where git does not say."""
    try:
        out = subprocess.run(["git", "-C", TOP, "show", "HEAD:tests/lint/english.pending"], capture_output=True)
    except FileNotFoundError:
        return unknown
    return len(out.stdout.split()) if out.returncode == 0 else unknown


def main():
    if len(sys.argv) > 1:
        for name in sys.argv[1:]:
            for number, wrong in findings(pathlib.Path(name).resolve()):
                print(f"{name}:{number}: {wrong}")
        return 0
    wrong = []
    pending = set(PENDING.read_text().split())
    if len(pending) > committed(len(pending)):
        wrong.append("english.pending has grown; it only shrinks")
    for path in checked():
        name = str(path.relative_to(TOP))
        found = findings(path)
        if name in pending:
            pending.discard(name)
            if not found:
                wrong.append(f"{name}: is clean; take it out of english.pending")
        else:
            wrong += [f"{name}:{number}: {what}" for number, what in found]
    wrong += [f"{name}: is in english.pending and not in the tree" for name in sorted(pending)]
    print("\n".join(wrong) or "the words are plain")
    return 1 if wrong else 0


sys.exit(main())
