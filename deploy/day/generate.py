#!/usr/bin/env python3
"""generate: a day of consular protection as events, one file a mission, for `valise publish`.

The stories are told in evacuation.py, cases.py, alerts.py and travellers.py; data/SOURCES.md says what is real in them.
"""

import argparse
import json
import pathlib

import alerts
import cases
import evacuation
import events
import travellers


def main():
    parser = argparse.ArgumentParser(prog="generate", description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=20230427, help="the same seed, the same events (%(default)s)")
    parser.add_argument("--out", type=pathlib.Path, help="folder for SENDER.jsonl and counts.json")
    parser.add_argument("--missions", action="store_true", help="only print the missions' ids, one a line")
    args = parser.parse_args()
    if args.missions:
        print(*(mission["mission_id"] for mission in events.rows("missions.csv")), sep="\n")
        return
    if args.out is None:
        parser.error("say where to: --out DIR")
    day = events.Day(args.seed)
    for story in (evacuation, cases, alerts, travellers):
        story.play(day)
    senders = day.write(args.out)
    lanes = {}
    for (lane, _), count in day.counts.items():
        lanes[lane] = lanes.get(lane, 0) + count
    payloads = {f"{lane}.{name}": count for (lane, name), count in sorted(day.counts.items())}
    counts = {"seed": args.seed, "events": sum(lanes.values()), "senders": senders, "lanes": lanes}
    counts["payloads"] = payloads
    counts.update(day.expected)
    (args.out / "counts.json").write_text(json.dumps(counts, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
