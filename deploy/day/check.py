#!/usr/bin/env python3
"""check: whether headquarters' boards show what was published of the evacuation, and lost nothing on the way.

Reads, in a folder: counts.json of generate.py, and what `valise` printed with -o json: missions, legs, operations,
persons, alerts, cases, boards, travellers, checks, places, registered (.json, one object a line). Prints three tables;
exit status 1 where anything differs.
"""

import argparse
import json
import pathlib
import sys

import cases
import evacuation
import events
import travellers

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
        self.travellers = self.rows("travellers")
        self.checks = self.rows("checks")

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

    # -- travellers --

    def safety_checks(self):
        """Each safety check as its row has it, summed up from the travellers' rows, and as the day has counted it."""
        fields = ("references", "asked", "safe", "help", "silent", "beyondSafe", "beyondHelp")
        lines = []
        for check, expected in self.counts["travellers"]["checks"].items():
            row = self.checks.get(check, {})
            counted = {field: number(row, field) for field in fields} | {"helpOpen": len(row.get("helpOpen", []))}
            answers = [(traveller, answer) for traveller in self.travellers.values()
                       for answer in traveller.get("answers", []) if answer["check"] == check and answer.get("asked")]
            summed = {"references": len(answers), "asked": sum(number(traveller, "people") for traveller, _ in answers)}
            for field in fields[2:5]:
                summed[field] = sum(number(answer, field) for _, answer in answers)
            good = True
            for whose, others in (("the day's", expected), ("its travellers'", summed)):
                for field, other in others.items():
                    good = good and counted[field] == other
                    expect(f"{check}: {field} is {counted[field]}, by {whose} count {other}", counted[field] == other)
            whole = counted["asked"] == counted["safe"] + counted["help"] + counted["silent"]
            expect(f"{check}: {counted['asked']} asked are not those safe, in need of help, and silent", whole)
            lines.append((check, *(counted[field] for field in fields[:5]), "yes" if good and whole else "NO"))
        table(["CHECK", "REFERENCES", "ASKED", "SAFE", "HELP", "SILENT", "HOLDS"], lines)

    def check_sudan(self):
        """Nobody has to register, and who has is among those the embassy knew of. Every call for help goes on."""
        row = self.checks.get(travellers.CHECK, {})
        nationals, estimate = number(self.operation, "nationals"), self.estimate()
        asked = number(row, "asked")
        expect(f"{asked} registered in Sudan, of about {estimate}, with {nationals} evacuated",
               0.85 * estimate <= asked <= nationals)
        alert = self.rows("alerts").get(row.get("alert"), {})
        expect(f"{travellers.CHECK}: its alert is {row.get('alert')}", any(
            level["area"] == "SD" and level["colour"] == "RISK_COLOUR_RED" for level in alert.get("levels", [])))
        expect(f"{travellers.CHECK}: of {row.get('crisis')}, and not closed",
               row.get("crisis") == evacuation.CRISIS and "closedAt" in row)
        persons, known_cases = self.rows("persons"), self.rows("cases")
        taken = [item["name"] for item in row.get("helpTakenUp", [])]
        expect(f"{travellers.CHECK}: nobody's call for help was taken up", taken)
        for key in taken:
            follow_up = next(answer for answer in self.travellers[key]["answers"]
                             if answer["check"] == travellers.CHECK).get("followUp")
            national = persons.get(follow_up, {}).get("standing") == "STANDING_NATIONAL"
            expect(f"{key} goes on in {follow_up}, which is not there", national or follow_up in known_cases)

    def estimate(self):
        return next(int(row["value"]) for row in events.rows("milestones.csv")
                    if row["metric"] == "est_nationals_in_country")

    def check_nobody_twice(self):
        for key, row in self.travellers.items():
            presences = row.get("presences", [])
            for one, other in zip(presences, presences[1:]):
                expect(f"{key} is in {one['place']} twice at once", one["place"] != other["place"]
                       or one.get("until", "9999") < other["from"])
            if row.get("withdrawnFor") == "WITHDRAWAL_REASON_DUPLICATE":
                expect(f"{key} is a duplicate, and counted", not presences and row["instead"] in self.travellers)

    def check_places(self):
        places = self.rows("places")
        for item in self.counts["travellers"]["places"]:
            place, day = item["place"], item["day"]
            days = places.get(place, {}).get("days", [])
            people = sum(number(one, "arriving") for one in days if one["day"] <= day) - sum(
                number(one, "leaving") for one in days if one["day"] < day)
            expect(f"{place} on {day}: {people} people, not {item['people']}", people == item["people"])
        board = self.rows("registered").get("all", {})
        for field, count in self.counts["travellers"]["board"].items():
            expect(f"travellers: {field} is {number(board, field)}, not {count}", number(board, field) == count)

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
        for what in ("legs", "operations", "persons", "alerts", "travellers", "checks"):
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
    print()
    boards.safety_checks()
    boards.check_sudan()
    boards.check_nobody_twice()
    boards.check_places()
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
