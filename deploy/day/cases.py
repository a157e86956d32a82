"""An ordinary day of consular protection: lane consular.case.v1.

How many contacts stay consultations and how many become cases, and of which kind, follows data/casemix.csv, the figures
of 2018: 234 contacts on an average day. `DAYS` such days are played as one, for there to be something to carry. What
the table leaves open is set here: how a group is spread over the codes of Decree 763 (`KINDS`), and which post has how
much of it; Asia's part is the table's.

Times are of 27 April 2023 in Beijing. A case goes on as far as the day lets it: what would come later never happened.
"""

from events import HQ, at, rows, share, stamp

LANE = "consular.case.v1"
DAYS = 14
BEGIN = at("2023-04-26T16:00")
END = BEGIN + 86400
ASIA = ("CN-SA-JEDDAH", "CN-TH-EMB", "CN-JP-EMB", "CN-MM-EMB")

# Each group of the table: type code, weight, what is done about it (PLANS), outcome.
KINDS = {
    "assistance_general": [
        ("DOCUMENT", 45, "document", "DOCUMENT_ISSUED"), ("ILLNESS_HOSPITAL", 20, "hospital", "HELPED"),
        ("WHEREABOUTS", 12, "search", "FOUND_SAFE"), ("FAMILY_MESSAGE", 8, "message", "HELPED"),
        ("FUNDS", 10, "funds", "HELPED"), ("REPATRIATION", 5, "funds", "RETURNED_HOME")],
    "public_security": [
        ("THEFT_ROBBERY", 70, "crime", "SETTLED_LOCALLY"), ("ASSAULT", 15, "crime", "HELPED"),
        ("FRAUD_FORCED_SCAM", 15, "crime", "RETURNED_HOME")],
    "accident": [
        ("INJURY", 75, "hospital", "HELPED"), ("DEATH_ACCIDENT_VIOLENCE", 20, "death", "REMAINS_SETTLED"),
        ("SEARCH_RESCUE", 5, "search", "FOUND_SAFE")],
    "entry_exit_transit_obstructed": [("ENTRY_EXIT_OBSTRUCTED", 1, "border", "HELPED")],
    "labour_dispute": [("LABOUR_DISPUTE", 1, "dispute", "SETTLED_LOCALLY")],
    "illegal_entry_stay_work": [("IMMIGRATION_DETENTION", 1, "detention", "RETURNED_HOME")],
    "tourism_dispute": [("TOURISM_DISPUTE", 1, "dispute", "SETTLED_LOCALLY")],
    "other": [
        ("ARREST_DETENTION", 40, "detention", "RELEASED"), ("DEATH_NATURAL", 25, "death", "REMAINS_SETTLED"),
        ("COMMERCIAL_DISPUTE", 10, "dispute", "SETTLED_LOCALLY"), ("TRIAL", 5, "trial", "HELPED"),
        ("GUARDIANSHIP_MINOR", 5, "guardian", "RETURNED_HOME"), ("EXIT_BAN", 5, "border", "HELPED"),
        ("MENTAL_HEALTH", 5, "hospital", "HELPED"), ("MARITIME", 5, "search", "FOUND_SAFE")],
}

# Steps by name, in their order; see Case.act. "?" before a name: in half of the cases.
PLANS = {
    "document": "host:police reply identify note ?contact:FAMILY clock:DOCUMENT:48 attach document meet cost note",
    "hospital": "host:hospital reply visit family list:MEDICAL,TRANSLATION note cost ?funds note attach contact:FAMILY",
    "search": "host:police attempt note wait:HOST attempt reply work contact:SUBJECT family note ?attach",
    "message": "note contact:FAMILY note ?attempt contact:FAMILY note attach",
    "funds": "contact:FAMILY note ?wait:FAMILY ?work funds cost note contact:EMPLOYER attach ?document note",
    "crime": "host:police reply list:LEGAL,TRANSLATION note ?document attach contact:SUBJECT host:police ?wait:HOST"
             " reply work note",
    "death": "host:police clock:FAMILY_NOTICE:24 family meet province list:FUNERAL,TRANSLATION note reply cost attach"
             " note remains statistics note",
    "border": "host:border_guard reply contact:SUBJECT note ?attach host:foreign_ministry reply note ?count",
    "dispute": "contact:EMPLOYER note count host:labour_office list:LEGAL attach wait:SUBJECT contact:SUBJECT work"
               " reply note contact:EMPLOYER note",
    "detention": "clock:VISIT:48 consent host:police reply request granted visit meet list:LEGAL note ?family attach"
                 " ?hearing host:court reply note",
    "trial": "consent list:LEGAL hearing note attach visit host:court reply family hearing note",
    "guardian": "host:police family province contact:FAMILY note host:welfare_office reply visit note attach",
}


class DayOver(Exception):
    """The next step would come after the end of the day."""


class Case:
    def __init__(self, day, number, mission, kind):
        self.day, self.random = day, day.random
        self.number, self.mission = number, mission
        self.owner = mission["mission_id"]
        self.kind, _, self.plan, self.outcome = kind
        self.time = 0
        self.clocks = {}
        self.running = []
        self.refused = False

    def put(self, name, fields=None, sender=None, wait=(120, 3600), desk=None):
        """One event, so many seconds (from, to) after the one before."""
        self.time += self.random.randrange(*wait)
        if self.time >= END:
            raise DayOver
        sender = sender or self.owner
        desk = desk or ("hotline-12308" if sender == HQ else "consular")
        self.day.put(LANE, sender, self.time, self.number, name, fields or {}, f"{desk}@{sender}")

    def personal(self, narrative, role="PARTY_SUBJECT"):
        """Invented, and seen to be."""
        return {"persons": [{"role": role, "fullName": "MUSTER, Erfunden", "nationality": "UTO"}],
                "narrative": f"Invented: {narrative}."}

    def place(self, town=None):
        return {"country": self.mission["host_iso2"], "place": town or self.mission["city"],
                "jurisdiction": "JURISDICTION_OWN_DISTRICT"}

    # -- steps --

    def act(self, step):
        name, _, what = step.partition(":")
        getattr(self, f"do_{name}")(what)

    def do_host(self, authority):
        self.put("HostNotified", {"authority": authority.replace("_", " "), "place": self.place(),
                                  "reference": f"NV-{self.random.randrange(1000, 9999)}/2023"})

    def do_reply(self, _):
        self.put("HostReplied", {"authority": "police"}, wait=(300, 3000))

    def do_identify(self, _):
        self.put("CaseIdentified", {"proof": "IDENTITY_PROOF_IDENTITY_CARD"})

    def do_note(self, _):
        self.put("NoteAdded", {"personal": self.personal("what was said on the telephone")})

    def do_attach(self, _):
        self.put("AttachmentAdded", {"attachment": {
            "reference": f"file/{self.number}/{self.random.randrange(1, 99)}", "mediaType": "application/pdf",
            "size": str(self.random.randrange(20000, 900000))}})

    def do_contact(self, whom):
        self.put("ContactMade", {"whom": f"PARTY_{whom}", "channel": "CHANNEL_MISSION_TELEPHONE"})

    def do_attempt(self, _):
        self.put("ContactAttempted", {"whom": "PARTY_SUBJECT", "channel": "CHANNEL_MISSION_TELEPHONE"})

    def do_wait(self, whom):
        self.put("WaitingStarted", {"waitingFor": f"WAITING_FOR_{whom}"}, wait=(60, 300))

    def do_work(self, _):
        self.put("WorkStarted", wait=(1800, 7200))

    def do_clock(self, what, kept=True):
        kind, hours = what.split(":")
        name = kind.lower().replace("_", "-")
        self.running.append((name, kept))
        self.put("ClockStarted", {"clock": name, "kind": f"CLOCK_KIND_{kind}", "rule": "service standard",
                                  "dueAt": stamp(self.time + int(hours) * 3600)}, wait=(5, 60))

    def do_meet(self, _):
        name, kept = self.running.pop()
        self.put("ClockMet", {"clock": name, "inTime": kept}, wait=(5, 60))

    def do_document(self, _):
        self.put("DocumentIssued", {"kind": "DOCUMENT_KIND_EMERGENCY_TRAVEL_DOCUMENT", "place": self.place()})

    def do_cost(self, _):
        self.put("CostUndertaken", {"amount": self.money(), "purpose": "board, transport"})

    def do_funds(self, _):
        self.put("FundsRelayed", {"amount": self.money(), "source": "PARTY_FAMILY", "place": self.place()})

    def money(self):
        return {"currency": "CNY", "minorUnits": str(100 * self.random.randrange(200, 9000))}

    def do_list(self, kinds):
        self.put("ProviderListGiven", {"kinds": [f"PROVIDER_KIND_{kind}" for kind in kinds.split(",")],
                                       "place": self.place()})

    def do_family(self, _):
        self.put("FamilyNotified", {"channel": "CHANNEL_MISSION_TELEPHONE"})

    def do_province(self, _):
        self.put("ProvinceNotified", {"province": self.random.choice(("CN-FJ", "CN-HA", "CN-SD", "CN-JS", "CN-HN"))})

    def do_count(self, _):
        self.put("PersonsCounted", {"persons": self.people() + 1})

    def do_consent(self, _):
        self.put("ConsentGiven", {"scope": "CONSENT_SCOPE_ASSISTANCE"})

    def do_request(self, _):
        self.put("VisitRequested", {"institution": "detention centre", "place": self.place()})

    def do_granted(self, _):
        self.put("VisitGranted", {"grantedFor": stamp(self.time + 7200)}, wait=(900, 3600))

    def do_visit(self, _):
        place = self.place()
        if self.random.random() < 0.05:
            reference = f"NV-{self.random.randrange(1000, 9999)}/2023"
            self.put("CrossDistrictConsentObtained", {"reference": reference, "country": place["country"]})
            place.update(place="another district", jurisdiction="JURISDICTION_OTHER_DISTRICT",
                         consentReference=reference)
        self.put("VisitMade", {"institution": "hospital" if self.plan == "hospital" else "detention centre",
                               "place": place}, wait=(1800, 7200))

    def do_hearing(self, _):
        self.put("HearingAttended", {"court": "district court", "place": self.place()}, wait=(1800, 5400))

    def do_remains(self, _):
        self.put("RemainsReleased", {"effectsOnly": self.random.random() < 0.2, "place": self.place()})

    def do_statistics(self, _):
        self.put("PublicationMade", {"kind": "PUBLICATION_KIND_STATISTICS", "locatesPerson": True,
                                     "reference": "daily report"})

    # -- its life --

    def people(self):
        """3.4 citizens a case on average, most of them alone."""
        return 1 if self.random.random() < 0.55 else 2 + int(self.random.expovariate(1 / 4.0))

    def open(self, when, hotline, **more):
        self.time = when
        sender = HQ if hotline else self.owner
        sought = self.plan == "search"
        detained = self.plan == "detention"
        channel = "HOTLINE" if hotline else "HOST_NOTE" if detained else self.random.choice(
            ("MISSION_TELEPHONE", "IN_PERSON", "APP", "EMAIL"))
        fields = {
            "type": f"CASE_TYPE_{self.kind}", "channel": f"CHANNEL_{channel}",
            "requester": "PARTY_HOST" if detained else "PARTY_FAMILY" if sought else "PARTY_SUBJECT",
            "subjectKind": "SUBJECT_KIND_PERSON", "persons": self.people(),
            "hostCountry": self.mission["host_iso2"], "place": self.mission["city"], "happenedAt": stamp(when - 3600),
            "personal": self.personal("what the caller told"),
        }
        if detained:
            fields["hostDuty"] = "HOST_DUTY_DETENTION"
        if sought and self.owner == "CN-SD-EMB":
            fields["crisis"] = "SD-2023"
            self.day.follow_ups.append((when, self.number))
        self.put("CaseOpened", fields | more, sender, wait=(0, 1))
        urgent = self.plan in ("death", "search", "detention", "guardian")
        priority = "P2" if urgent else self.random.choice(("P3", "P3", "P4"))
        mode = {"priority": f"PRIORITY_{priority}", "mode": "MODE_AUTOMATIC" if hotline else "MODE_HUMAN"}
        self.put("CaseTriaged", mode, sender, wait=(30, 300))
        self.put("CaseAssigned", {"mission": self.owner, "officer": f"consular@{self.owner}",
                                  "rule": "ASSIGNMENT_RULE_DISTRICT"}, sender, wait=(30, 600))

    def begin(self):
        self.put("CaseIdentified", {"proof": "IDENTITY_PROOF_TRAVEL_DOCUMENT"})
        self.put("WorkStarted", wait=(30, 900))
        late = self.random.random() < 0.01
        self.do_clock("FIRST_CONTACT:1" if late else "FIRST_CONTACT:24", kept=not late)
        if self.random.random() < 0.4:
            self.do_attempt("")
        if late:
            self.put("ClockBreached", {"clock": "first-contact"}, wait=(3700, 3900))
        self.put("ContactMade", {"whom": "PARTY_FAMILY" if self.plan == "search" else "PARTY_SUBJECT",
                                 "channel": "CHANNEL_MISSION_TELEPHONE", "place": self.place()})
        self.do_meet("")

    def work(self):
        for step in PLANS[self.plan].split():
            if not step.startswith("?"):
                self.act(step)
            elif self.random.random() < 0.5:
                self.act(step[1:])

    def finish(self):
        self.put("CaseResolved", {"outcome": f"OUTCOME_{self.outcome}"})
        if self.random.random() < 0.9:
            self.put("CaseClosed", {"outcome": f"OUTCOME_{self.outcome}", "mode": "MODE_HUMAN"}, wait=(600, 5400))

    def transfer(self, other):
        """Offered to another post, which takes it or does not."""
        name = f"T-{self.number}"
        self.put("TransferOffered", {"transfer": name, "to": other["mission_id"]})
        answer = self.random.random()
        if answer < 0.7:
            self.put("TransferAccepted", {"transfer": name}, other["mission_id"], wait=(600, 3600))
            self.owner, self.mission = other["mission_id"], other
            self.put("WorkStarted")
        elif answer < 0.85:
            self.put("TransferDeclined", {"transfer": name}, other["mission_id"], wait=(600, 3600))
        else:
            self.put("TransferWithdrawn", {"transfer": name}, wait=(600, 3600))

    def reopen(self):
        self.put("CaseReopened")
        self.put("WorkStarted")
        self.do_contact("SUBJECT")
        self.finish()

    def refuse(self):
        """The person wants no help: from here on only the file is kept (VCCR 36)."""
        self.put("RefusedBySubject", {"channel": "CHANNEL_IN_PERSON"})
        self.do_note("")

    def refer(self):
        self.put("CaseReferredOut", {"to": "PARTY_PARTNER", "reference": "insurer"})

    def turn_away(self):
        self.put("CaseFoundIneligible", {"reason": "INELIGIBLE_REASON_NOT_A_NATIONAL"})

    def live(self, when, hotline, others):
        """Mostly the plain way; now and then otherwise."""
        try:
            self.open(when, hotline)
            turn = self.random.random()
            if turn < 0.015:
                return self.turn_away()
            self.begin()
            if turn < 0.03:
                return self.refer()
            if turn < 0.06 and self.plan == "detention":
                return self.refuse()
            if turn < 0.09:
                self.transfer(self.random.choice(others))
            self.work()
            self.finish()
            if turn > 0.99:
                self.reopen()
        except DayOver:
            pass


class Cases:
    def __init__(self, day):
        self.day, self.random = day, day.random
        self.missions = rows("missions.csv")
        self.numbers = {mission["mission_id"]: 0 for mission in self.missions}
        mix = {row["metric"]: int(row["value"]) for row in rows("casemix.csv")}
        self.mix = {name: value for key, value in mix.items() for name in KINDS if key.partition("(")[0] == name}
        self.year = mix["all_incidents"]
        self.consulted = mix["consultation_and_reports(not cases)"]
        self.asia = mix["asia_cases"] / mix["TOTAL_cases"]

    def number(self, mission):
        self.numbers[mission["mission_id"]] += 1
        return f"{mission['mission_id'][3:]}-230427-{self.numbers[mission['mission_id']]:04d}"

    def spread(self, count):
        """A post for each of `count` contacts: Asia's part to the posts there, the rest evenly."""
        asia = [mission for mission in self.missions if mission["mission_id"] in ASIA]
        rest = [mission for mission in self.missions if mission["mission_id"] not in ASIA]
        heads = share(count, [self.asia, 1 - self.asia])
        parts = zip(asia + rest, share(heads[0], [1] * len(asia)) + share(heads[1], [1] * len(rest)))
        posts = [mission for mission, part in parts for _ in range(part)]
        self.random.shuffle(posts)
        return posts

    def hour(self):
        """Busier by day than by night."""
        return BEGIN + int(self.random.triangular(0, 79200, 18000))

    def kinds(self, count):
        made = []
        for name, part in zip(self.mix, share(count, list(self.mix.values()))):
            kinds = KINDS[name]
            for kind, heads in zip(kinds, share(part, [weight for _, weight, _, _ in kinds])):
                made += [kind] * heads
        self.random.shuffle(made)
        return made

    def consult(self, mission):
        hotline = self.random.random() < 0.4
        sender = HQ if hotline else mission["mission_id"]
        number = self.number(mission)
        topic = self.random.choice(("REFERRAL", "REFERRAL", "DOCUMENT", "RIGHTS", "LAW", "DESTITUTION"))
        self.day.put(LANE, sender, self.hour(), number, "ConsultationRecorded", {
            "topic": f"CASE_TYPE_{topic}", "channel": "CHANNEL_HOTLINE" if hotline else "CHANNEL_MISSION_TELEPHONE",
            "requester": "PARTY_SUBJECT", "hostCountry": mission["host_iso2"], "persons": 1,
        }, f"hotline-12308@{HQ}" if hotline else f"consular@{sender}")

    def others(self, mission):
        return [other for other in self.missions if other is not mission]

    def twice(self, mission, kind):
        """The same incident under two numbers: the second goes on under the first (C6)."""
        first = Case(self.day, self.number(mission), mission, kind)
        second = Case(self.day, self.number(mission), mission, kind)
        when = self.hour()
        first.live(when, False, self.others(mission)[:1])
        try:
            second.open(when + 1800, False)
            second.put("CaseMerged", {"into": first.number})
        except DayOver:
            pass

    def broken(self):
        """Three that break a rule, so that a board has something to show: help after the person refused it (C3), a
        closing without any contact (C7), a closing by a program (C8)."""
        by_id = {mission["mission_id"]: mission for mission in self.missions}
        kinds = {kind[0]: kind for group in KINDS.values() for kind in group}
        cases = []
        for number, (post, kind) in enumerate((("CN-TH-EMB", "ARREST_DETENTION"), ("CN-JP-EMB", "FAMILY_MESSAGE"),
                                               ("CN-GB-EMB", "DOCUMENT"))):
            case = Case(self.day, self.number(by_id[post]), by_id[post], kinds[kind])
            case.open(BEGIN + 3600 * (number + 1), False)
            case.put("WorkStarted")
            cases.append(case)
        cases[0].refuse()
        cases[0].put("VisitRequested", {"institution": "prison", "place": cases[0].place()})
        for case, mode in ((cases[1], "HUMAN"), (cases[2], "AUTOMATIC")):
            case.put("CaseClosed", {"outcome": "OUTCOME_HELPED", "mode": f"MODE_{mode}"})

    def play(self):
        contacts = round(self.year * DAYS / 365)
        consultations, cases = share(contacts, [self.consulted, self.year - self.consulted])
        for mission in self.spread(consultations):
            self.consult(mission)
        self.broken()
        kinds = self.kinds(cases - 3)
        for i, (mission, kind) in enumerate(zip(self.spread(len(kinds)), kinds)):
            if i < 12:
                self.twice(mission, kind)
            else:
                case = Case(self.day, self.number(mission), mission, kind)
                case.live(self.hour(), self.random.random() < 0.3, self.others(mission))


def play(day):
    Cases(day).play()
