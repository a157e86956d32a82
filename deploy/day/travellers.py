"""Who has registered with the twelve missions, and who answers when asked whether they are safe: lane
consular.traveller.v1.

Nobody has to register; nine in ten of the nationals in Sudan had, alone, with their families, or by their employers.
On 16 April 2023, the day after the fighting began, headquarters asks all who were there on the two days. Answers come
for a fortnight, their own or said for them; each call for help goes on in the evacuation or in a case, and the check is
closed with the evacuation. On the day itself one in Shan State is opened, and still open.

Where a traveller is was planned first, and then told, in events that are taken back, cut short and said anew.
`expected` counts by the plan, day by day, what headquarters works out from the events. All persons are invented.
"""

from collections import namedtuple

from evacuation import CRISIS, SUDAN
from events import HQ, at, rows, stamp

LANE = "consular.traveller.v1"
DAY = 86400
NO_END = at("9999-12-31") // DAY
REGISTERED = 1340  # people in Sudan when the fighting began, of the 1,500 and more that the embassy estimated
EMPLOYERS = [64, 58, 52, 47, 45, 41, 38, 36, 33, 31, 28, 26, 24, 22, 20, 18, 15, 12, 10]  # of these, by employers
ORDINARY = 125  # references with each of the other missions
CHECK, SHAN_CHECK = "SC-2023-SD-1", "SC-2023-MM-1"
OPENED, SHAN_OPENED = at("2023-04-16T06:30"), at("2023-04-27T04:30")
# ISO 3166-2, the likelier ones twice.
AREAS = {
    "SD": ["SD-KH", "SD-KH", "SD-RS", "SD-NW", "SD-GZ"], "SA": ["SA-02"], "EG": ["EG-C", "EG-C", "EG-LX"],
    "ET": ["ET-AA", "ET-OR"], "SS": ["SS-EC"], "TD": ["TD-ND"], "KE": ["KE-30", "KE-28"],
    "TH": ["TH-10", "TH-10", "TH-50", "TH-83"], "JP": ["JP-13", "JP-27"], "MM": ["MM-06", "MM-17"],
    "GB": ["GB-LND", "GB-MAN"], "US": ["US-NY"],
}
# What is compared by check.py: how many are in a place on a day.
PLACES = [("SD", "2023-04-14"), ("SD", "2023-04-16"), ("SD", "2023-05-05"), ("SD-KH", "2023-04-16"),
          ("MM-17", "2023-04-27"), ("EG", "2023-04-27")]

PROVINCES = ["CN-FJ", "CN-HA", "CN-SD", "CN-JS", "CN-HN", "CN-SC", "CN-HE", "CN-SN"]

# Days since 1970, both included.
Stay = namedtuple("Stay", "country area first last")


def day_of(text):
    return at(text) // DAY


def said(stay, since=True):
    """A Stay as an event has it; without `since`, it begins on the day of the event."""
    fields = {"country": stay.country}
    if stay.area:
        fields["area"] = stay.area
    if since:
        fields["from"] = stamp(stay.first * DAY + 8 * 3600)
    if stay.last != NO_END:
        fields["until"] = stamp(stay.last * DAY + 18 * 3600)
    return fields


class Traveller:
    """One reference, as planned."""

    def __init__(self, number, mission, kind, people, organisation):
        self.number, self.ref = number, f"T-{number:06d}"
        self.mission, self.kind, self.people, self.organisation = mission, kind, people, organisation
        self.home = None  # the stay of those who live abroad
        self.stays = []  # of all trips, as they were made
        self.withdrawn = self.duplicate = False
        self.answers = {}  # check -> (safe, help), as it stands in the end
        self.left = []  # (day, country): who of them boarded a leg of an evacuation, as far as is known
        self.open = set()  # checks in which a call for help has not been taken up
        self.sender, self.time = "", 0  # who wrote their last event, and when

    def is_in(self, place, day):
        """Who lives abroad is at home but for the days between leaving for another country and coming back."""
        if self.duplicate:
            return False
        if any(place in stay[:2] and stay.first <= day <= stay.last for stay in self.stays):
            return True
        home = self.home
        return home is not None and place in home[:2] and home.first <= day <= home.last and not any(
            stay.country != home.country and stay.first < day < stay.last for stay in self.stays)

    def people_in(self, place, day):
        """Who boarded a leg out of the country is not there any more from the next day on."""
        if not self.is_in(place, day):
            return 0
        return self.people - sum(place.startswith(country) and left < day for left, country in self.left)

    def personal(self):
        """Invented, and seen to be: no country has +999, and the issuer UTO is ICAO's own Utopia."""
        return {
            "fullName": f"MUSTER, Erfunden {self.number}", "dateOfBirth": str(1955 + self.number % 45),
            "documents": [{"kind": "P", "issuer": "UTO", "number": f"Y{self.number:08d}"}],
            "telephones": [f"+99900{self.number:07d}"], "emails": [f"t{self.number}@example.invalid"],
            "companions": [f"MUSTER, Erfunden {self.number}-{i}" for i in range(2, self.people + 1)],
            "lodging": f"Invented: flat {self.number % 90 + 1}", "nextOfKin": "MUSTER, Erfunden, sibling",
        }


class Travellers:
    def __init__(self, day):
        self.day, self.random = day, day.random
        self.all = []
        self.follow_ups = sorted(day.follow_ups)

    def put(self, who, when, name, fields, sender, desk):
        """The next event about a traveller: at that time, or a minute after the one before. Returns its day."""
        who.time, who.sender = max(int(when), who.time + 60), sender
        self.day.put(LANE, sender, who.time, who.ref, name, fields, f"{desk}@{sender}")
        return who.time // DAY

    # -- registrations --

    def register(self, when, mission, kind, people=1, home=None, organisation="", since=True, channel=""):
        who = Traveller(len(self.all) + 1, mission, kind, people, organisation)
        self.all.append(who)
        who.home = home
        self.say(who, when, since, channel)
        return who

    def say(self, who, when, since=True, channel=""):
        """Registers, or registers anew."""
        if who.organisation:
            channel = "TRAVEL_AGENCY" if who.kind == "GROUP" else "EMPLOYER"
        elif not channel:
            channel = self.random.choice(
                ("APP", "APP", "WEB", "MESSAGE", "HOTLINE", "TELEPHONE", "IN_PERSON", "IN_PERSON"))
        fields = {"kind": f"REGISTRATION_KIND_{who.kind}", "channel": f"CHANNEL_{channel}", "language": "zh-CN",
                  "homeProvince": self.random.choice(PROVINCES)}
        desk, sender = "consular", who.mission
        if channel in ("APP", "WEB", "MESSAGE", "HOTLINE", "TRAVEL_AGENCY"):
            desk, sender = "hotline-12308" if channel == "HOTLINE" else "gateway", HQ
            fields["mission"] = who.mission
        if who.people > 1:
            fields["people"] = who.people
        if who.organisation:
            fields["organisation"] = who.organisation
        else:
            fields["minors"] = max(0, who.people - 2)
        if who.home:
            fields["residence"] = said(who.home, since)
        if not who.organisation and self.random.random() < 0.7:
            fields["personal"] = who.personal()
        day = self.put(who, when, "TravellerRegistered", fields, sender, desk)
        if who.home and not since:
            who.home = who.home._replace(first=day)

    def withdraw(self, who, when, reason, instead=None):
        fields = {"reason": f"WITHDRAWAL_REASON_{reason}"}
        if instead:
            fields["instead"] = instead.ref
        day = self.put(who, when, "RegistrationWithdrawn", fields, who.mission, "consular")
        who.withdrawn, who.duplicate = True, instead is not None
        if who.home:
            who.home = who.home._replace(last=min(who.home.last, day))
        who.stays = [stay._replace(last=min(stay.last, day)) for stay in who.stays]

    def twice(self, who, when):
        """The same people once more, by the hotline."""
        return self.register(when, who.mission, who.kind, who.people, who.home, channel="HOTLINE")

    # -- trips --

    def travel(self, who, told, purpose, stays, fate="made"):
        """A trip, and what comes of it: "made", told "anew" with other days, "cancelled", "ended" before its time."""
        trip = {"trip": stamp(stays[0].first * DAY)[:7], "purpose": f"TRIP_PURPOSE_{purpose}"}
        sender, desk = who.sender, "gateway" if who.sender == HQ else "consular"
        first = [stay._replace(first=stay.first - 9, last=stay.last - 9) for stay in stays] if fate == "anew" else stays
        for i, version in enumerate((first, stays) if fate == "anew" else (stays,)):
            fields = {**trip, "stays": [said(stay) for stay in version]}
            if self.random.random() < 0.3:
                fields["personal"] = {"bookings": [f"XX{self.random.randrange(100, 999)}"], "words": "Invented."}
            self.put(who, told + i * DAY, "TripPlanned", fields, sender, desk)
        if fate == "cancelled":
            self.put(who, (stays[0].first - 1) * DAY + 36000, "TripCancelled", {"trip": trip["trip"]}, sender, desk)
            return
        known = who.time
        if fate == "ended":
            end = (stays[-1].first + stays[-1].last) // 2
            if self.random.random() < 0.5:
                told_late = {"trip": trip["trip"], "endedAt": stamp(end * DAY + 7200)}
                self.put(who, (end + 1) * DAY + 3600, "TripEnded", told_late, sender, desk)
            else:
                end = self.put(who, end * DAY + 7200, "TripEnded", {"trip": trip["trip"]}, sender, desk)
            stays = [stay._replace(last=min(stay.last, end)) for stay in stays]
        who.time = known  # what befalls them until then comes next
        who.stays += stays

    def fate(self):
        return self.random.choices(("made", "anew", "cancelled", "ended"), (75, 10, 8, 7))[0]

    # -- an ordinary mission --

    def between(self, first, until):
        return self.random.randrange(at(first), at(until))

    def stay(self, country, first, last=NO_END):
        """Somewhere in a country; of one in ten no more is known than that."""
        return Stay(country, "" if self.random.random() < 0.1 else self.random.choice(AREAS[country]), first, last)

    def elsewhere(self, country):
        """Nobody travels to Sudan but those of `sudan`."""
        return self.random.choice([other for other in AREAS if other not in (country, "SD")])

    def living(self, country):
        ends = day_of("2024-07-01") + self.random.randrange(200) if self.random.random() < 0.3 else NO_END
        return self.stay(country, day_of("2021-01-01") + self.random.randrange(500), ends)

    def family(self):
        return self.random.choices((1, 2, 3, 4, 5), (55, 15, 17, 10, 3))[0]

    def ordinary(self, mission, country):
        for i in range(ORDINARY):
            when = self.between("2022-06-01", "2023-04-20")
            turn = self.random.random()
            if turn < 0.36:
                self.visitor(mission, country)
            elif turn < 0.40:
                self.tour(mission, country, i)
            elif turn < 0.46:
                self.register(when, mission, "WORKER", self.random.randrange(4, 40), self.living(country),
                              f"Invented Works {mission[3:]} {i}")
            else:
                student = turn < 0.66
                who = self.register(when, mission, "STUDENT" if student else "RESIDENT",
                                    1 if student else self.family(), self.living(country),
                                    since=self.random.random() < 0.8)
                self.live(who, country)

    def visitor(self, mission, country):
        first = day_of("2023-04-08") + self.random.randrange(45)
        when = (first - self.random.randrange(3, 30)) * DAY + self.random.randrange(DAY)
        who = self.register(when, mission, "VISITOR", self.family())
        days = self.random.randrange(3, 16)
        stays = [self.stay(country, first, first + days)]
        if self.random.random() < 0.2:
            stays.append(self.stay(self.elsewhere(country), first + days, first + days + self.random.randrange(2, 9)))
        self.travel(who, who.time, self.random.choice(("TOURISM", "TOURISM", "BUSINESS", "FAMILY")), stays, self.fate())

    def tour(self, mission, country, number):
        first = day_of("2023-04-20") + self.random.randrange(14)
        who = self.register((first - 12) * DAY + self.random.randrange(DAY), mission, "GROUP",
                            self.random.randrange(9, 30), organisation=f"Invented Tours {mission[3:]} {number}")
        self.travel(who, who.time, "TOURISM", [self.stay(country, first, first + self.random.randrange(5, 12))])

    def live(self, who, country):
        """What becomes of those who live there: a trip, a birth, a second registration, an end."""
        turn = self.random.random()
        if turn < 0.25:
            first = day_of("2023-04-22") + self.random.randrange(30)
            stay = self.stay(self.elsewhere(country), first, first + self.random.randrange(1, 12))
            self.travel(who, first * DAY - 9 * DAY, "TOURISM", [stay], self.fate())
        elif turn < 0.29:
            who.people += 1
            self.say(who, self.between("2023-04-21", "2023-04-27"))
        elif turn < 0.32:
            other = self.twice(who, self.between("2023-04-21", "2023-04-25"))
            self.withdraw(other, other.time + DAY, "DUPLICATE", who)
        elif turn < 0.36:
            self.withdraw(who, self.between("2023-04-21", "2023-04-27"), self.random.choice(
                ("BY_REQUEST", "RETURNED_HOME", "RETURNED_HOME", "DECEASED") if who.people == 1 else
                ("BY_REQUEST", "RETURNED_HOME")))

    # -- Sudan --

    def sudan(self):
        """REGISTERED people were there on 15 or 16 April."""
        for number, people in enumerate(EMPLOYERS, 1):
            self.register(self.between("2022-03-01", "2023-03-28"), SUDAN, "WORKER", people, self.living("SD"),
                          f"Invented Construction {number}")
        left = REGISTERED - sum(EMPLOYERS)
        while left > 0:
            kind = self.random.choices(("RESIDENT", "WORKER", "STUDENT", "VISITOR"), (50, 15, 12, 23))[0]
            people = min(left, 1 if kind in ("WORKER", "STUDENT") else self.family())
            left -= people
            if kind == "VISITOR":
                self.visit_sudan(people)
            else:
                late = self.random.random() < 0.1  # registers only after the first shots
                when = self.between(*(("2023-04-15T10:00", "2023-04-20") if late else ("2022-03-01", "2023-03-28")))
                self.register(when, SUDAN, kind, people, self.living("SD"))

    def visit_sudan(self, people):
        """Some leave on the first day of the check, some arrive on its last."""
        first = day_of("2023-04-01") + self.random.randrange(16)
        last = max(first, day_of("2023-04-15")) + self.random.randrange(25)
        when = (first - self.random.randrange(1, 40)) * DAY + self.random.randrange(DAY)
        who = self.register(when, SUDAN, "VISITOR", people)
        self.travel(who, who.time, self.random.choice(("BUSINESS", "FAMILY")), [self.stay("SD", first, last)],
                    self.random.choice(("made", "made", "made", "anew")))

    def not_there(self):
        """Of Sudan, but not there on the two days: nobody asks them. Returns those who answer all the same."""
        answering = []
        early = day_of("2023-04-01")
        for i in range(25):  # lives there, and is on leave
            who = self.register(self.between("2022-03-01", "2023-03-01"), SUDAN, "RESIDENT", 1 + i % 3,
                                self.living("SD"))
            stay = self.stay(self.elsewhere("SD"), early + i % 12, early + 18 + i % 20)
            self.travel(who, (stay.first - 9) * DAY, "FAMILY", [stay], "anew" if i % 5 == 0 else "made")
            if i % 3 == 0:
                answering.append(who)
        for i in range(30):  # was there before, or was to come
            first = early - 20 + i if i < 20 else early + 17 + i % 9
            who = self.register((first - 14) * DAY + 3600 * i, SUDAN, "VISITOR", 1 + i % 2)
            last = min(first + 5, early + 13) if i < 20 else first + 9
            self.travel(who, who.time, "BUSINESS", [self.stay("SD", first, last)], "made" if i < 20 else "cancelled")
        for i in range(4):  # was to stay, and left on 12 April
            who = self.register(at("2023-03-20") + 7200 * i, SUDAN, "VISITOR")
            self.travel(who, who.time, "BUSINESS", [self.stay("SD", early - 4, early + 26)], "ended")
        for i in range(3):  # says after the two days that they live there, and not since when
            who = self.register(at("2023-04-18T08:00") + 7200 * i, SUDAN, "RESIDENT", 2,
                                self.stay("SD", early), since=False)
            answering.append(who)
        return answering

    # -- safety checks --

    def reply(self, who, check, when, safe, in_need, answerer, channel):
        fields = {"check": check, "answerer": f"ANSWERER_{answerer}", "channel": f"CHANNEL_{channel}"}
        for name, count in (("safe", safe), ("help", in_need)):
            if count:
                fields[name] = count
        if answerer == "SELF" and self.random.random() < 0.5:
            fields["place"] = "SD" if check == CHECK else "MM-17"
        if in_need:
            fields["personal"] = {"whereabouts": "Invented: a cellar", "words": "Invented: no water since yesterday"}
        hotline = channel == "HOTLINE"
        sender = HQ if channel in ("APP", "MESSAGE", "HOTLINE") else who.mission
        desk = "hotline-12308" if hotline else "gateway" if sender == HQ else "consular"
        self.put(who, when, "SafetyReplied", fields, sender, desk)

    def take_up(self, who, check):
        """By the first that goes on from the call and was not yet named; the last ones are the cases of 27 April."""
        after = [i for i, (when, _) in enumerate(self.follow_ups) if when > who.time]
        when, follow_up = self.follow_ups.pop(after[0] if after else -1)
        who.left += [(int(left) // DAY, country) for left, country in self.day.left.get(follow_up, [])]
        self.put(who, max(when, who.time) + self.random.randrange(300, 3600), "HelpTakenUp",
                 {"check": check, "followUp": follow_up}, who.mission, "crisis-desk")

    def call_for_help(self, who, check, when, channel="APP", answerer="SELF"):
        """For some of them; in Sudan it is taken up, and a third say later that all are safe."""
        in_need = self.random.randrange(1, who.people + 1)
        who.answers[check] = (who.people - in_need, in_need)
        self.reply(who, check, when, *who.answers[check], answerer, channel)
        if check != CHECK:
            who.open.add(check)
            return
        self.take_up(who, check)
        if self.random.random() < 0.35:
            who.answers[check] = (who.people, 0)
            self.reply(who, check, who.time + self.random.randrange(DAY, 4 * DAY), who.people, 0, "SELF", "APP")

    def answer_of_group(self, who, check, when):
        """The employer counts: most at once, then all; now and then some are in need, or not heard of."""
        missing = self.random.randrange(1, 4)
        self.reply(who, check, when, who.people - missing, 0, "ORGANISATION", "EMPLOYER")
        in_need = self.random.choice((0, 0, 0, 0, 1, 2))
        silent = self.random.choice((0, 0, 0, 0, 0, 1))
        who.answers[check] = (who.people - in_need - silent, in_need)
        hours = self.random.randrange(20, 60) if check == CHECK else 5
        self.reply(who, check, when + hours * 3600, *who.answers[check], "ORGANISATION", "EMPLOYER")
        if in_need and check == CHECK:
            self.take_up(who, check)
        elif in_need:
            who.open.add(check)

    def answer(self, who, check, when):
        """Of one, or of a family: their own answer, or another's, or one after the other."""
        heads, turn = who.people, self.random.random()
        who.answers[check] = (heads, 0)
        if turn < 0.07:
            self.call_for_help(who, check, when)
        elif turn < 0.09:  # what is said for them does not stand against their own
            self.reply(who, check, when, heads, 0, "RELATIVE", "HOTLINE")
            self.call_for_help(who, check, when + 7200)
        elif turn < 0.12:
            self.call_for_help(who, check, when, "HOTLINE", "RELATIVE")
        elif turn < 0.24:
            self.reply(who, check, when, heads, 0, "RELATIVE", "HOTLINE")
        elif turn < 0.33:
            self.reply(who, check, when, heads, 0, "OFFICER", "TELEPHONE")
        elif turn < 0.38 and heads > 1:  # one is not heard of, whatever the officer says later
            who.answers[check] = (heads - 1, 0)
            self.reply(who, check, when, heads - 1, 0, "SELF", "MESSAGE")
            self.reply(who, check, when + 36000, heads, 0, "OFFICER", "TELEPHONE")
        else:
            self.reply(who, check, when, heads, 0, "SELF", self.random.choice(("APP", "APP", "MESSAGE", "HOTLINE")))

    def about(self, check, when, name, fields):
        self.day.put(LANE, HQ, when, check, name, fields, f"crisis-desk@{HQ}")

    def asked(self, check):
        place, first, last = {CHECK: ("SD", "2023-04-15", "2023-04-16"),
                              SHAN_CHECK: ("MM-17", "2023-04-27", "2023-04-27")}[check]
        days = range(day_of(first), day_of(last) + 1)
        return [who for who in self.all if any(who.is_in(place, day) for day in days)]

    def check_sudan(self, answering):
        self.about(CHECK, OPENED, "SafetyCheckOpened", {
            "place": "SD", "from": stamp(at("2023-04-15")), "until": stamp(at("2023-04-16")), "crisis": CRISIS,
            "alert": f"{SUDAN}-2023-0002"})  # alerts.py: the first red one
        people = self.asked(CHECK)
        assert sum(who.people for who in people) == REGISTERED
        for i, who in enumerate(people):
            when = OPENED + 300 + min(int(self.random.expovariate(1 / 70000)), 9 * DAY)
            if who.organisation:
                self.answer_of_group(who, CHECK, when)
            elif i % 150 == 100:  # no signal until then: what they call for is a case
                self.call_for_help(who, CHECK, at("2023-04-25T18:00") + 60 * i)
            elif self.random.random() > 0.03:
                self.answer(who, CHECK, when)
            if i % 40 == 39:
                self.answer_twice(who)
        for who in answering:
            who.answers[CHECK] = (who.people, 0)
            self.reply(who, CHECK, at("2023-04-18T20:00") + self.random.randrange(DAY), who.people, 0, "SELF", "APP")
        for who in people:
            if self.random.random() < 0.85:
                self.withdraw(who, self.between("2023-04-29T20:00", "2023-05-04"), "RETURNED_HOME")
        self.about(CHECK, at("2023-07-13T10:00"), "SafetyCheckClosed", {"remarks": "each call for help goes on"})

    def answer_twice(self, who):
        """Registered once more in the fright, and answers under both references."""
        other = self.twice(who, at("2023-04-17T09:00") + self.random.randrange(DAY))
        other.answers[CHECK] = (other.people, 0)
        self.reply(other, CHECK, other.time + 3600, other.people, 0, "SELF", "APP")
        self.withdraw(other, other.time + DAY, "DUPLICATE", who)

    def check_shan(self):
        """Place and day of the event itself; as the day ends, a third is silent."""
        self.about(SHAN_CHECK, SHAN_OPENED, "SafetyCheckOpened", {"place": "MM-17", "alert": "CN-MM-EMB-2023-0001"})
        for who in self.asked(SHAN_CHECK):
            when = SHAN_OPENED + 300 + min(int(self.random.expovariate(1 / 9000)), 40000)
            if self.random.random() > 0.35 and not who.withdrawn:
                self.answer(who, SHAN_CHECK, when)

    # -- what headquarters should make of it --

    def expected_of(self, check):
        asked = set(map(id, self.asked(check)))
        sums = dict.fromkeys(("references", "asked", "safe", "help", "silent", "beyondSafe", "beyondHelp"), 0)
        for who in self.all:
            safe, in_need = who.answers.get(check, (0, 0))
            if id(who) in asked:
                for name, count in (("references", 1), ("asked", who.people), ("safe", safe), ("help", in_need),
                                    ("silent", who.people - safe - in_need)):
                    sums[name] += count
            else:
                sums["beyondSafe"] += safe
                sums["beyondHelp"] += in_need
        sums["helpOpen"] = sum(check in who.open for who in self.all)
        return sums

    def expected(self):
        registered = [who for who in self.all if not who.withdrawn]
        return {
            "checks": {check: self.expected_of(check) for check in (CHECK, SHAN_CHECK)},
            "places": [{"place": place, "day": day,
                        "people": sum(who.people_in(place, day_of(day)) for who in self.all)}
                       for place, day in PLACES],
            "board": {"registered": len(registered), "withdrawn": len(self.all) - len(registered),
                      "people": sum(who.people for who in registered)},
        }

    def play(self):
        self.sudan()
        answering = self.not_there()
        for mission in rows("missions.csv"):
            if mission["mission_id"] != SUDAN:
                self.ordinary(mission["mission_id"], mission["host_iso2"])
        self.check_sudan(answering)
        self.check_shan()
        self.day.expected["travellers"] = self.expected()


def play(day):
    Travellers(day).play()
