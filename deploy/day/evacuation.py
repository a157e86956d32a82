"""The evacuation from Sudan, April 2023: lane consular.evacuation.v1.

The figures of data/milestones.csv are met. How people were spread over coaches, what befell single ones, and the ways
home are invented, as are all persons. The story, by day:

  22-25 April  crisis declared, people registered at the embassy and by the hotline 12308, asked whether they leave
  25-26 April  coaches from Khartoum to Port Sudan, to Egypt, Ethiopia and South Sudan; the first ship
  27 April     the first ship at Jeddah, the second one, more coaches, a convoy to Chad
  28 April on  a last vessel, flights home, departures on one's own; closed on 14 July
"""

from events import HQ, at, rows, stamp
from people import People, pack, personal

LANE = "consular.evacuation.v1"
CRISIS = "SD-2023"
OPERATION = "SD-2023-OUT"
SUDAN, JEDDAH = "CN-SD-EMB", "CN-SA-JEDDAH"

KHARTOUM = {"name": "Khartoum", "country": "SD", "zone": "PLACE_ZONE_DANGER"}
PORT_SUDAN = {"name": "Port Sudan", "country": "SD", "code": "SDPZU", "zone": "PLACE_ZONE_ASSEMBLY"}
NYALA = {"name": "Nyala", "country": "SD", "zone": "PLACE_ZONE_DANGER"}
KOSTI = {"name": "Kosti", "country": "SD", "zone": "PLACE_ZONE_DANGER"}
JEDDAH_PORT = {"name": "Jeddah", "country": "SA", "code": "SAJED", "zone": "PLACE_ZONE_STAGING"}
ASWAN = {"name": "Aswan", "country": "EG", "code": "ASW", "zone": "PLACE_ZONE_STAGING"}
GONDAR = {"name": "Gondar", "country": "ET", "code": "GDQ", "zone": "PLACE_ZONE_STAGING"}
JUBA = {"name": "Juba", "country": "SS", "code": "JUB", "zone": "PLACE_ZONE_STAGING"}
ABECHE = {"name": "Abeche", "country": "TD", "code": "AEH", "zone": "PLACE_ZONE_STAGING"}
BEIJING = {"name": "Beijing", "country": "CN", "code": "PEK", "zone": "PLACE_ZONE_HOME"}

# Where people end up: nationals, foreign nationals. The second ship's takes in those who missed the first.
GROUPS = {
    "ship1": (668, 10),
    "ship2": (120, 12),
    "vessel": (18, 0),
    "egypt": (315, 0),
    "ethiopia": (170, 6),
    "south": (32, 0),
    "chad": (9, 0),
    "alone": (137, 0),
    "stays": (36, 0),
    "hospital": (1, 0),
    "missing": (1, 0),
}
PROVINCES = ["Fujian", "Henan", "Shandong", "Jiangsu", "Hunan", "Sichuan", "Hebei", "Shaanxi"]


class Leg:
    """One journey: who carries it, between which two places, from whose hands into whose."""

    def __init__(self, ref, vehicle, way, capacity, times, hands, people):
        self.ref, self.vehicle, self.way, self.capacity = ref, vehicle, way, capacity
        self.departs, self.arrives = times
        self.sender, self.receiver = hands
        self.people = people


def vehicle(kind, name, carrier="", flag=""):
    made = {"kind": f"VEHICLE_KIND_{kind}", "name": name}
    if carrier:
        made["carrier"] = carrier
    if flag:
        made["flag"] = flag
    return made


class Evacuation:
    def __init__(self, day):
        self.day, self.random = day, day.random
        self.people = People(day.random)
        self.groups = {}

    def put(self, sender, when, subject, name, fields, desk="crisis-desk", written=None):
        return self.day.put(LANE, sender, when, subject, name, fields, f"{desk}@{sender}", written)

    def about(self, sender, when, name, fields, desk="crisis-desk"):
        """An event about the operation."""
        self.put(sender, when, OPERATION, name, {"operation": OPERATION, **fields}, desk)

    # -- becoming known --

    def register(self, person, when, sender, channel, ref=None):
        fields = {
            "person": ref or person.ref,
            "operation": OPERATION,
            "standing": "STANDING_FOREIGN" if person.state else "STANDING_NATIONAL",
            "nationality": person.state or "CN",
            "minor": person.minor,
            "ageBand": f"AGE_BAND_{person.band}",
            "channel": f"CHANNEL_{channel}",
            "personal": personal(person),
        }
        if person.state:
            fields["requestingState"] = person.state
        if person.party:
            fields["party"] = person.party
            fields["role"] = f"PARTY_ROLE_{person.role}"
        self.put(sender, when, ref or person.ref, "PersonRegistered", fields)
        if not person.state and not ref:
            self.day.follow_ups.append((when, person.ref))

    def contact(self, person, when, wish):
        name = {"person": person.ref, "operation": OPERATION}
        if self.random.random() < 0.25:
            self.put(SUDAN, when, person.ref, "ContactRecorded",
                     {**name, "outcome": "CONTACT_OUTCOME_NOT_REACHED", "channel": "CHANNEL_TELEPHONE"})
            when += self.random.randrange(1800, 5400)
        self.put(SUDAN, when, person.ref, "ContactRecorded",
                 {**name, "outcome": "CONTACT_OUTCOME_REACHED", "channel": "CHANNEL_TELEPHONE"})
        if wish:
            self.put(SUDAN, when + 60, person.ref, "WishRecorded", {**name, "wish": f"WISH_{wish}"})

    def enquire(self, person, when):
        """A relative asks the hotline; later the person is heard of."""
        name = {"person": person.ref, "operation": OPERATION}
        self.put(HQ, when, person.ref, "WhereaboutsNoted",
                 {**name, "whereabouts": "WHEREABOUTS_INFORMATION_SOUGHT"}, "hotline-12308")
        self.put(SUDAN, when + 4000, person.ref, "WhereaboutsNoted",
                 {**name, "whereabouts": "WHEREABOUTS_IS_AUTHOR", "authorMadeContact": True})

    def gather(self):
        for name, (nationals, foreign) in GROUPS.items():
            self.groups[name] = self.people.group(nationals, foreign)
        # One who travels without any family, and is not of age: boards with an officer's leave (E5).
        self.student = next(party[0] for party in self.groups["ship1"] if len(party) == 1 and not party[0].state)
        self.student.band, self.student.minor = "YOUTH", True
        for name, parties in self.groups.items():
            for party in parties:
                when = at("2023-04-22T10:00") + self.random.randrange(2 * 86400)
                hotline = self.random.random() < 0.2 and name != "stays"
                sender, channel = (HQ, "HOTLINE") if hotline else (SUDAN, self.random.choice(
                    ("TELEPHONE", "APP", "IN_PERSON", "EMPLOYER")))
                for person in party:
                    self.register(person, when, sender, channel)
                    if self.random.random() < 0.2:
                        self.enquire(person, when + 600)
                    if name not in ("missing", "hospital"):
                        wish = "STAY" if name == "stays" else "LEAVE"
                        self.contact(person, when + self.random.randrange(7200, 36000), wish)
                    when += 30

    def merge_duplicates(self, count):
        """Registered by the hotline and at the embassy; one human each (E6)."""
        doubles = self.random.sample([party[0] for party in self.groups["egypt"] if len(party) == 1], count)
        for person in doubles:
            ref = self.people.reference()
            late = int(ref[2:])
            self.register(person, at("2023-04-23T06:00") + late, HQ, "HOTLINE", ref)
            self.put(HQ, at("2023-04-24T21:00") + late, ref, "PersonsMerged", {
                "kept": person.ref, "person": ref, "operation": OPERATION, "approvedBy": f"duty-officer@{HQ}",
                "grounds": "document number, date of birth and name",
            })

    # -- one journey --

    def checkpoint(self, leg, sender, when, person, stage, written=None, **more):
        self.put(sender, when, leg.ref, "CheckpointRecorded", {
            "person": person.ref, "leg": leg.ref, "operation": OPERATION, "checkpoint": f"CHECKPOINT_{stage}", **more,
        }, "gangway", written)

    def listed(self, leg, sender, when, people, stage, **more):
        """A list from the gangway, fifty at a time."""
        for i in range(0, len(people), 50):
            self.put(sender, when + i, leg.ref, "CheckpointsRecorded", {
                "leg": leg.ref, "operation": OPERATION, "checkpoint": f"CHECKPOINT_{stage}",
                "persons": [person.ref for person in people[i:i + 50]], **more,
            }, "gangway")

    def on_leg(self, leg, sender, when, name, **fields):
        self.put(sender, when, leg.ref, name, {"leg": leg.ref, "operation": OPERATION, **fields}, "gangway")

    def seal(self, leg, when, people):
        """The manifest, where the carrier asks for one."""
        for i in range(0, len(people), 200):
            self.on_leg(leg, leg.sender, when + i, "ManifestSealed", expected=str(len(people)),
                        persons=[person.ref for person in people[i:i + 200]])

    def board(self, leg, opened, late=()):
        """Checks in and boards all of its people between the opening and a quarter of an hour before it leaves."""
        span = leg.departs - 900 - opened
        pace = span / max(1, len(leg.people))
        for i, person in enumerate(leg.people):
            when = opened + i * pace
            if person is self.student:
                self.put(leg.sender, when - 1, leg.ref, "GuardianOverridden", {
                    "person": person.ref, "leg": leg.ref, "operation": OPERATION,
                    "reason": "17, travels with the embassy's officer", "approvedBy": f"consul-1@{leg.sender}",
                })
            self.checkpoint(leg, leg.sender, when, person, "CHECKED_IN")
            written = leg.departs + 5400 if person in late else None
            self.checkpoint(leg, leg.sender, when + 0.4 * pace, person, "BOARDED", written)

    def arrive(self, leg, one_by_one=True):
        self.on_leg(leg, leg.receiver, leg.arrives, "LegArrived")
        if one_by_one:
            for i, person in enumerate(leg.people):
                self.checkpoint(leg, leg.receiver, leg.arrives + 300 + 10 * i, person, "DISEMBARKED")
        else:
            self.listed(leg, leg.receiver, leg.arrives + 300, leg.people, "DISEMBARKED")

    def close(self, leg):
        heads = str(len(leg.people))
        when = leg.arrives + 600 + 15 * len(leg.people)
        self.on_leg(leg, leg.receiver, when, "LegClosed", stated={"boarded": heads, "disembarked": heads})

    def hand_over(self, leg):
        """Foreign nationals go into the care of the state that asked for them (E7)."""
        for person in leg.people:
            if person.state:
                self.checkpoint(leg, leg.receiver, leg.arrives + 400 + 11 * len(leg.people), person, "HANDED_OVER",
                                receivedBy=f"Embassy of {person.state}")

    def plan(self, leg, ahead=14400):
        origin, destination = leg.way
        when = leg.departs - ahead
        self.on_leg(leg, leg.sender, when, "LegPlanned", vehicle=leg.vehicle, origin=origin, destination=destination,
                    capacity=str(leg.capacity), plannedDeparture=stamp(leg.departs), plannedArrival=stamp(leg.arrives))
        return when

    def journey(self, leg, manifest=False, override=0, irregular=None):
        """All of a leg's life. `irregular` is called between the opening and the boarding, with the hour."""
        when = self.plan(leg)
        self.listed(leg, leg.sender, when + 60, leg.people, "ALLOCATED")
        opened = leg.departs - min(10800, 1800 + 20 * len(leg.people))
        late = irregular.late if irregular else ()
        if irregular:
            irregular.allocate(leg, when + 900)
        if manifest:
            self.seal(leg, opened - 600, leg.people + (irregular.expected() if irregular else []))
        self.on_leg(leg, leg.sender, opened, "LegOpened")
        if override:
            self.on_leg(leg, leg.sender, opened + 60, "CapacityOverridden", allowed=str(override),
                        reason="two infants, on laps", approvedBy=f"consul-1@{leg.sender}")
        self.board(leg, opened + 120, late)
        if irregular:
            irregular.at_gangway(leg, leg.departs - 800)
        self.on_leg(leg, leg.sender, leg.departs, "LegDeparted")
        origin, destination = (place["country"] for place in leg.way)
        if origin != destination:
            for person in leg.people:
                self.day.left.setdefault(person.ref, []).append((leg.departs, origin))
        self.arrive(leg, one_by_one=leg.receiver != HQ)
        self.hand_over(leg)
        self.close(leg)
        if leg.receiver == HQ:
            self.receive_home(leg)

    def receive_home(self, leg):
        people = list(leg.people)
        self.random.shuffle(people)
        for province in PROVINCES:
            part, people = people[:len(people) // 2 or 1], people[len(people) // 2 or 1:]
            if part:
                self.listed(leg, HQ, leg.arrives + 400 + 15 * len(leg.people), part, "HANDED_OVER",
                            receivedBy=f"{province} foreign affairs office")

    # -- all journeys --

    def coaches(self, parties, way, plan, receiver):
        """`plan`: hour of departure, heads, capacity of each coach; hours on the road by the destination."""
        hours = {"Port Sudan": 13, "Aswan": 26, "Gondar": 15, "Juba": 20, "Abeche": 22}[way[1]["name"]]
        for number, (people, (departs, heads, room)) in enumerate(
                zip(pack(parties, [heads for _, heads, _ in plan]), plan), 1):
            code = way[1].get("code", way[1]["name"])[-3:].upper()
            leg = Leg(f"SD-COACH-{code}-{number:02d}", vehicle("COACH", f"convoy {code} coach {number}"), way, room,
                      (at(departs), at(departs) + hours * 3600), (SUDAN, receiver), people)
            self.journey(leg, override=heads if heads > room else 0)

    def by_land(self):
        to_port = self.groups["ship1"] + self.groups["ship2"] + self.groups["vessel"]
        heads = sum(map(len, to_port))
        full = heads // 48
        sizes = [48] * full + ([heads - 48 * full] if heads % 48 else [])
        self.coaches(to_port, (KHARTOUM, PORT_SUDAN),
                     [(f"2023-04-25T{4 + i // 5:02d}:{10 * (i % 5):02d}", size, 49) for i, size in enumerate(sizes)],
                     SUDAN)
        self.coaches(self.groups["egypt"], (KHARTOUM, ASWAN),
                     [(f"2023-04-25T03:{10 * i:02d}", size, 49) for i, size in enumerate((48, 48, 48, 48, 48, 45))]
                     + [("2023-04-26T20:00", 30, 49)], "CN-EG-EMB")
        self.coaches(self.groups["ethiopia"], (KHARTOUM, GONDAR),
                     [("2023-04-25T13:00", 42, 49), ("2023-04-25T13:10", 51, 49), ("2023-04-25T13:20", 43, 49),
                      ("2023-04-27T02:00", 40, 49)], "CN-ET-EMB")
        self.coaches(self.groups["south"], (KOSTI, JUBA), [("2023-04-25T18:00", 32, 49)], "CN-SS-EMB")
        self.coaches(self.groups["chad"], (NYALA, ABECHE), [("2023-04-27T00:30", 9, 14)], "CN-TD-EMB")

    def by_sea(self):
        first = [person for party in self.groups["ship1"] for person in party]
        second = [person for party in self.groups["ship2"] for person in party]
        vessel = [person for party in self.groups["vessel"] for person in party]
        ship = Leg("SD-SHIP-1", vehicle("WARSHIP", "first ship", flag="CN"), (PORT_SUDAN, JEDDAH_PORT), 700,
                   (at("2023-04-26T14:00"), at("2023-04-27T03:00")), (SUDAN, JEDDAH), first)
        self.journey(ship, manifest=True, irregular=Irregular(self, second, first))
        ship = Leg("SD-SHIP-2", vehicle("WARSHIP", "second ship", flag="CN"), (PORT_SUDAN, JEDDAH_PORT), 300,
                   (at("2023-04-27T06:00"), at("2023-04-27T17:00")), (SUDAN, JEDDAH), second)
        self.journey(ship, manifest=True)
        ship = Leg("SD-SHIP-3", vehicle("FOREIGN_VESSEL", "guest places", flag="SA"), (PORT_SUDAN, JEDDAH_PORT), 20,
                   (at("2023-04-28T09:00"), at("2023-04-28T20:00")), (SUDAN, JEDDAH), vessel)
        self.journey(ship)

    def fly_home(self, sender, origin, code, parties, flights, kind="CHARTER_FLIGHT"):
        sizes = [heads for _, heads in flights]
        for number, (people, (departs, heads)) in enumerate(zip(pack(parties, sizes), flights), 1):
            leg = Leg(f"SD-FLIGHT-{code}-{number}", vehicle(kind, f"{code} {number}", flag="CN"), (origin, BEIJING),
                      max(210, heads), (at(departs), at(departs) + 9 * 3600), (sender, HQ), people)
            self.journey(leg, manifest=True)

    def nationals(self, *names):
        return [party for name in names for party in self.groups[name] if not party[0].state]

    def home(self):
        by_ship = self.nationals("ship1", "ship2", "vessel")
        self.fly_home(JEDDAH, JEDDAH_PORT, "JED", by_ship,
                      [("2023-04-29T08:00", 202), ("2023-04-29T16:00", 202), ("2023-04-30T08:00", 201),
                       ("2023-04-30T16:00", 201)])
        egypt = self.nationals("egypt")
        singles = [party for party in egypt if len(party) == 1]
        own = singles[:25]
        self.leave_staging("CN-EG-EMB", "2023-04-29T10:00", "Aswan", own, "HOME")
        self.fly_home("CN-EG-EMB", ASWAN, "ASW", [party for party in egypt if party not in own],
                      [("2023-04-30T12:00", 150), ("2023-05-01T12:00", 140)])
        self.fly_home("CN-ET-EMB", GONDAR, "GDQ", self.nationals("ethiopia"), [("2023-04-30T15:00", 170)],
                      "SCHEDULED_FLIGHT")
        self.leave_staging("CN-SS-EMB", "2023-05-02T09:00", "Juba", self.groups["south"], "HOME")
        self.leave_staging("CN-TD-EMB", "2023-05-03T09:00", "Abeche", self.groups["chad"], "ONWARD_OTHER")

    def leave_staging(self, sender, when, area, parties, disposition):
        self.about(sender, at(when), "StagingDepartureRecorded", {
            "area": area, "persons": [person.ref for party in parties for person in party],
            "disposition": f"DISPOSITION_{disposition}",
        })

    def others(self):
        """Those whom no leg carries."""
        for party in self.groups["alone"]:
            when = at("2023-04-28T06:00") + self.random.randrange(40 * 86400)
            for person in party:
                self.dispose(person, when, "SELF_DEPARTED")
        patient, missing = self.groups["hospital"][0][0], self.groups["missing"][0][0]
        self.dispose(patient, at("2023-04-24T15:00"), "HOSPITAL")
        self.dispose(missing, at("2023-04-28T09:00"), "MISSING")
        self.put(HQ, at("2023-07-12T08:00"), missing.ref, "DispositionWritten", {
            "person": missing.ref, "operation": OPERATION, "disposition": "DISPOSITION_MISSING",
            "reference": "note 0117/2023", "approvedBy": f"director@{HQ}",
        })

    def dispose(self, person, when, disposition):
        self.put(SUDAN, when, person.ref, "DispositionRecorded",
                 {"person": person.ref, "operation": OPERATION, "disposition": f"DISPOSITION_{disposition}"})

    # -- figures --

    def state(self, when, counts):
        self.about(SUDAN, when, "SituationStated", {
            "persons": str(sum(counts.values())), "asOf": stamp(when),
            "counts": [{"disposition": f"DISPOSITION_{name}", "count": str(count)}
                       for name, count in counts.items() if count],
        })

    def size(self, *names):
        return sum(sum(GROUPS[name]) for name in names)

    def stand_at_first(self):
        leaving = self.size(*GROUPS) - self.size("stays", "hospital", "missing")
        self.state(at("2023-04-24T22:30"), {
            "WISHES_TO_LEAVE": leaving, "STAYS": self.size("stays"), "HOSPITAL": 1, "REGISTERED": 1,
        })

    def stand_at_last(self):
        foreign = sum(foreign for _, foreign in GROUPS.values())
        home = self.size("ship1", "ship2", "vessel", "egypt", "ethiopia", "south") - foreign
        self.state(at("2023-07-13T09:00"), {
            "STAYS": self.size("stays"), "HOME": home, "SELF_DEPARTED": self.size("alone"),
            "ONWARD_OTHER": foreign + self.size("chad"), "HOSPITAL": 1, "MISSING": 1,
        })

    def milestones(self):
        """What was published, each as an event of its own beside the ledger (E10)."""
        measures = {
            "est_nationals_in_country": ("EstimateMade", "PRESENT"),
            "by_sea_planned": ("EstimateMade", "BY_SEA"),
            "by_land": ("FigureReported", "BY_LAND"),
            "cum_out_of_danger": ("FigureReported", "OUT"),
            "cum_out_of_danger_final": ("FigureReported", "OUT"),
            "ship_batch1_total": ("FigureReported", "BOARDED"),
            "ship_batch1_nationals": ("FigureReported", "BOARDED_NATIONAL"),
            "ship_batch1_foreign": ("FigureReported", "BOARDED_FOREIGN"),
        }
        qualifiers = {"=": "EXACT", "~": "ABOUT", "+": "AT_LEAST"}
        source = ""
        for row in rows("milestones.csv"):
            name, measure = measures[row["metric"]]
            source = source if row["source"] == "same" else row["source"]
            when = at(row["as_of"] + "T18:00")
            sign = next(value for key, value in row.items() if key.startswith("qualifier"))
            fields = {"operation": OPERATION, "measure": f"MEASURE_{measure}", "value": row["value"],
                      "qualifier": f"QUALIFIER_{qualifiers[sign]}", "asOf": stamp(when)}
            if name == "EstimateMade":
                fields["basis"] = source
            else:
                fields.update(source="FIGURE_SOURCE_PRESS", reference=source)
            if measure.startswith("BOARDED"):
                fields["leg"] = "SD-SHIP-1"
            self.put(HQ, when, fields.get("leg", OPERATION), name, fields)

    def open(self):
        self.put(HQ, at("2023-04-22T08:00"), CRISIS, "CrisisDeclared", {
            "crisis": CRISIS, "kind": "CRISIS_KIND_ARMED_CONFLICT", "countries": ["SD"],
            "title": "Sudan, armed conflict, April 2023",
        })
        self.about(HQ, at("2023-04-22T08:05"), "OperationOpened",
                   {"crisis": CRISIS, "title": "Evacuation from Sudan", "lead": SUDAN})

    def end(self):
        self.about(HQ, at("2023-07-14T20:00"), "OperationClosed", {"reason": "everybody accounted for"})

    def play(self):
        self.open()
        self.gather()
        self.merge_duplicates(7)
        self.stand_at_first()
        self.by_land()
        self.by_sea()
        self.home()
        self.others()
        self.milestones()
        self.stand_at_last()
        self.end()


class Irregular:
    """What went otherwise at the first ship: three with a place did not come, one was taken off again, ill; one
    boarding was written down only after she had left. All but the last go with the second ship."""

    def __init__(self, evacuation, others, first):
        self.evacuation = evacuation
        singles = [person for person in others if not person.party and not person.state]
        self.absent, self.ill = singles[:3], singles[3]
        self.late = {first[400]}

    def expected(self):
        return self.absent + [self.ill]

    def allocate(self, leg, when):
        self.evacuation.listed(leg, leg.sender, when, self.expected(), "ALLOCATED")

    def at_gangway(self, leg, when):
        for seconds, stage in ((0, "CHECKED_IN"), (60, "BOARDED"), (300, "OFFLOADED")):
            self.evacuation.checkpoint(leg, leg.sender, when + seconds, self.ill, stage)
        self.evacuation.on_leg(leg, leg.sender, when + 600, "NoShowsRecorded",
                               persons=[person.ref for person in self.absent])


def play(day):
    Evacuation(day).play()
