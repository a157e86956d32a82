"""Events as `valise publish` takes them: one valise.v1.Event in proto3 JSON a line, one file a sender.

Everything random comes from one seed, and everything else from the data beside: the same seed, the same bytes.
"""

import base64
import csv
import json
import pathlib
import random
from datetime import datetime, timezone

DATA = pathlib.Path(__file__).resolve().parent / "data"
HQ = "HQ"


def rows(name):
    """The rows of a table in data/."""
    with open(DATA / name, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def at(text):
    """Seconds since 1970 of "2023-04-26T14:00" or "2023-04-26", UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp())


def stamp(seconds):
    """A google.protobuf.Timestamp in JSON."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def text(value):
    """A value as JSON, on as few bytes as that takes."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class Day:
    """All events of all senders, in the making."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.events = []  # (when written, sender, subject, id, the line up to `after`)
        self.counts = {}  # (lane, name of the payload) -> how many
        self.follow_ups = []  # (when, subject): where a traveller's call for help from Sudan may go on
        self.left = {}  # person -> (when, country): who boarded a leg that left a country
        self.expected = {}  # what check.py finds at headquarters, counted by the stories themselves

    def put(self, lane, sender, when, subject, name, fields, actor, written=None):
        """Adds one event. `fields` is its payload; `written` is when its author got to write it down, if later."""
        when = int(when)
        bits = self.random.getrandbits(74)
        number = (when * 1000) << 80 | 7 << 76 | (bits >> 62) << 64 | 2 << 62 | bits & (1 << 62) - 1  # UUIDv7
        ident = base64.b64encode(number.to_bytes(16, "big")).decode()
        payload = text(fields)[1:]
        comma = "," if len(payload) > 1 else ""
        line = (
            f'{{"id":"{ident}","occurredAt":"{stamp(when)}","subject":"{subject}","payload":'
            f'{{"@type":"type.googleapis.com/{lane}.{name}"{comma}{payload},"actor":"{actor}"'
        )
        self.events.append((int(written or when), sender, subject, ident, line))
        self.counts[lane, name] = self.counts.get((lane, name), 0) + 1

    def write(self, folder):
        """One file a sender, each in the order in which its sender writes.

        Where the last event on the same subject was another sender's, an event names that one in `after`: its author
        has seen it. Between two of its own the order is plain without.
        """
        self.events.sort(key=lambda event: event[0])
        last, files = {}, {}
        for _, sender, subject, ident, line in self.events:
            before = last.get(subject)
            after = f',"after":"{before[1]}"' if before is not None and before[0] != sender else ""
            last[subject] = (sender, ident)
            files.setdefault(sender, []).append(f"{line}{after}}}\n")
        folder = pathlib.Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for sender, lines in files.items():
            (folder / f"{sender}.jsonl").write_text("".join(lines), encoding="utf-8")
        return {sender: len(lines) for sender, lines in sorted(files.items())}


def share(total, weights):
    """`total` split by weights into whole numbers that add up to it; the largest remainders are rounded up."""
    whole = sum(weights)
    exact = [total * weight / whole for weight in weights]
    parts = [int(part) for part in exact]
    by_rest = sorted(range(len(parts)), key=lambda i: parts[i] - exact[i])
    for i in by_rest[: total - sum(parts)]:
        parts[i] += 1
    return parts
