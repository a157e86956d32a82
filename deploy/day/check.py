#!/usr/bin/env python3
"""check: whether headquarters' boards show what was published of the evacuation, and lost nothing on the way.

Reads, in a folder: counts.json of generate.py, and what `valise` printed with -o json: missions, legs, operations,
persons, alerts, cases, boards (.json, one object a line). Prints two tables; exit status 1 where anything differs.
"""

import argparse
import json
import pathlib
import sys

import cases
import evacuation
import events

AFLOAT = ("WARSHIP", "FOREIGN_VESSEL", "FERRY", "CARGO_SHIP")
SAFE = ("STAGING", "HOME", "THIRD_STATE")
BROKEN = {"C3": 1, "C7": 1, "C8": 1}  # on purpose: Cases.broken in cases.py

failures = []


def expect(what, good):
    if not good:
        failures.append(what)


def number(row, field):
    """A count of a row; proto3 JSON leaves zero out and has 64-bit numbers as text."""
    return int(row.get(field, 0))


def name(row, field, prefix):
    return row.get(field, "").removeprefix(prefix)


def table(titles, lines):
    """Columns as wide as their widest cell, numbers to the right."""
    lines = [list(map(str, line)) for line in lines]
    widths = [max(len(line[i]) for line in [titles, *lines]) for i in range(len(titles))]
    for line in [titles, *lines]:
        print("  ".join(cell.rjust(width) if cell.lstrip("-").isdigit() else cell.ljust(width)
                        for cell, width in zip(line, widths)).rstrip())


class Boards:
    def __init__(self, folder):
        self.folder = folder
        self.counts = json.loads((folder / "counts.json").read_text(encoding="utf-8"))
        self.legs = self.rows("legs")
        self.operation = self.rows("operations")[evacuation.OPERATION]
        self.cases = self.rows("boards")["all"]

    def read(self, what):
        with open(self.folder / f"{what}.json", encoding="utf-8") as file:
            return [json.loads(line) for line in file]

    def rows(self, what):
        return {item["key"]: item["row"] for item in self.read(what)}

    # -- published figures --

    def heads(self, until, *kinds):
        """How many were taken out of danger by legs that had left by the end of that day."""
        total = 0
        for leg in self.legs.values():
            origin = name(leg["origin"], "zone", "PLACE_ZONE_")
            destination = name(leg["destination"], "zone", "PLACE_ZONE_")
            kind = name(leg["vehicle"], "kind", "VEHICLE_KIND_")
            leads_out = origin in ("DANGER", "ASSEMBLY") and destination in SAFE
            if leads_out and leg["departedAt"][:10] <= until and (not kinds or kind in kinds):
                total += number(leg, "boarded")
        return total

    def counted(self, metric, day):
        ship = self.legs["SD-SHIP-1"]
        return {
            "est_nationals_in_country": lambda: number(self.operation, "nationals"),
            "cum_out_of_danger": lambda: self.heads(day),
            "cum_out_of_danger_final": lambda: number(self.operation, "out"),
            "by_land": lambda: self.heads(day, "COACH"),
            "by_sea_planned": lambda: self.heads("9999", *AFLOAT),
            "ship_batch1_total": lambda: number(ship, "boarded"),
            "ship_batch1_nationals": lambda: number(ship, "boardedNationals"),
            "ship_batch1_foreign": lambda: number(ship, "boardedForeign"),
        }[metric]()

    def milestones(self):
        holds = {
            "=": lambda counted, value: counted == value,
            "+": lambda counted, value: counted >= value,
            "~": lambda counted, value: abs(counted - value) * 20 <= value,
        }
        lines = []
        for row in events.rows("milestones.csv"):
            sign = next(value for key, value in row.items() if key.startswith("qualifier"))
            counted, value = self.counted(row["metric"], row["as_of"]), int(row["value"])
            good = holds[sign](counted, value)
            expect(f"{row['metric']} of {row['as_of']}: published {sign} {value}, counted {counted}", good)
            lines.append((row["as_of"], row["metric"], sign, value, counted, "yes" if good else "NO"))
        table(["AS OF", "PUBLISHED", "", "VALUE", "COUNTED", "HOLDS"], lines)

    # -- the rest --

    def check_carried(self):
        applied = {}
        for item in self.read("missions"):
            if item["lane"].startswith("valise."):
                continue
            applied[item["mission"]] = applied.get(item["mission"], 0) + number(item, "events")
            whole = item["verdict"] == "ok" and not item["unread"] and not item["parked"]
            expect(f"{item['mission']} {item['lane']}: {item['verdict']}, or something is unread or parked", whole)
        for sender, count in self.counts["senders"].items():
            done = applied.get(sender, 0)
            expect(f"{sender}: {count} events published, {done} applied", done == count)

    def check_heads(self):
        stated = {item["disposition"]: item["count"] for item in self.operation["stated"]}
        counted = {item["disposition"]: item["count"] for item in self.operation["dispositions"]}
        expect(f"people by disposition: the post states {stated}, counted are {counted}", stated == counted)
        references, persons, duplicates = (number(self.operation, field) for field in (
            "references", "persons", "duplicates"))
        expect(f"{references} references, {persons} persons, {duplicates} duplicates", references == persons + duplicates)
        for key, leg in self.legs.items():
            expect(f"{key}: {leg.get('boarded')} boarded, {leg.get('disembarked')} disembarked",
                   number(leg, "boarded") == number(leg, "disembarked") > 0)

    def check_incidents(self):
        """As many consultations and cases as the table of 2018 gives so many days."""
        mix = {row["metric"].partition("(")[0]: int(row["value"]) for row in events.rows("casemix.csv")}
        contacts = round(mix["all_incidents"] * cases.DAYS / 365)
        shares = events.share(contacts, [mix["consultation_and_reports"], mix["TOTAL_cases"]])
        counted = [number(self.cases, "consultations"), number(self.cases, "cases")]
        expect(f"consultations and cases: {counted}, not {shares}", counted == shares)

    def check_rules(self):
        for what in ("legs", "operations", "persons", "alerts"):
            for key, row in self.rows(what).items():
                for violation in row.get("violations", []):
                    expect(f"{key} breaks {violation['rule']}: {violation.get('detail')}", False)
        broken = {item["name"]: int(item["count"]) for item in self.cases.get("violationsByRule", [])}
        expect(f"cases that break a rule: {broken}, not {BROKEN}", broken == BROKEN)
        for key, row in self.rows("alerts").items():
            if row["status"] == "CAP_STATUS_EXERCISE":
                expect(f"{key}: an exercise on a public channel", row["channels"] == ["ALERT_CHANNEL_INTERNAL"])

    def states(self):
        lines = [(item["name"], int(item["count"])) for item in self.cases["byState"]]
        lines.sort(key=lambda line: -line[1])
        table(["CASES BY STATE", ""], lines)


def main():
    parser = argparse.ArgumentParser(prog="check", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    boards = Boards(parser.parse_args().folder)
    boards.states()
    print()
    boards.milestones()
    boards.check_carried()
    boards.check_heads()
    boards.check_incidents()
    boards.check_rules()
    for failure in failures[:20]:
        print(f"check: {failure}", file=sys.stderr)
    if len(failures) > 20:
        print(f"check: and {len(failures) - 20} more", file=sys.stderr)
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
