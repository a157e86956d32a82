"""Security alerts of those days: lane consular.alert.v1.

Sudan's go their whole way: the embassy drafts, headquarters reviews and approves, the alert is issued in two languages
at once, delivered and answered; an update takes its place. On the day itself the other posts' reminders go out, of
which one is taken back and one runs out, and an exercise is held, which must never be taken for the real thing. Texts
are invented but for the ministry's three fixed wordings.
"""

from events import HQ, at, rows, stamp

LANE = "consular.alert.v1"
SUDAN = "CN-SD-EMB"
SENDER = "alerts@hq.invalid"
# Colour: the ministry's wording for it, CAP's severity, urgency and response.
LEVELS = {
    "RED": ("DO_NOT_TRAVEL", "EXTREME", "IMMEDIATE", "EVACUATE"),
    "ORANGE": ("TRAVEL_WITH_CAUTION", "SEVERE", "EXPECTED", "PREPARE"),
    "YELLOW": ("BE_SAFE", "MODERATE", "FUTURE", "MONITOR"),
}
WORDS = {
    "DO_NOT_TRAVEL": ("暂勿前往", "do not travel to"),
    "TRAVEL_WITH_CAUTION": ("谨慎前往", "travel with caution to"),
    "BE_SAFE": ("注意安全", "be safe in"),
}
PUBLIC = ["WEB", "APP", "WECHAT", "SMS"]
# Post, colour, what it is about: the reminders of an ordinary day, about 6,000 a year over all posts.
REMINDERS = [
    ("CN-TH-EMB", "YELLOW", "Storms", "雷暴"), ("CN-TH-EMB", "YELLOW", "Job offers that are scams", "虚假招聘"),
    ("CN-MM-EMB", "ORANGE", "Fighting near the border", "边境冲突"), ("CN-MM-EMB", "ORANGE", "Fraud compounds", "电诈园区"),
    ("CN-KE-EMB", "YELLOW", "Demonstrations", "示威游行"), ("CN-GB-EMB", "YELLOW", "Strikes on the railways", "铁路罢工"),
    ("CN-US-NEWYOR", "YELLOW", "Thefts of passports", "护照被盗"), ("CN-JP-EMB", "YELLOW", "Earthquake", "地震"),
    ("CN-ET-EMB", "ORANGE", "Roads to the western border", "西部边境道路"),
    ("CN-EG-EMB", "YELLOW", "Crowds at the border", "口岸拥堵"),
    ("CN-SS-EMB", "ORANGE", "Roads from the north", "北部道路"), ("CN-TD-EMB", "ORANGE", "Refugees at the border", "边境难民潮"),
    ("CN-SA-JEDDAH", "YELLOW", "Heat", "高温"),
]


class Alerts:
    def __init__(self, day):
        self.day, self.random = day, day.random
        self.posts = {mission["mission_id"]: mission for mission in rows("missions.csv")}
        self.numbers = {}

    def put(self, sender, when, subject, name, fields, actor):
        self.day.put(LANE, sender, when, subject, name, fields, f"{actor}@{sender}")

    # -- texts --

    def issue(self, ident, post, colour, about, sent, expires=None, kind="ALERT", status="ACTUAL", replaces=None,
              response=None):
        """What a draft proposes and a publication says. `replaces`: the message before, and when it was sent."""
        mission = self.posts[post]
        wording, severity, urgency, usual = LEVELS[colour]
        name_zh = mission["name_zh"].removeprefix("驻").removesuffix("大使馆").removesuffix("总领事馆")
        zh, en = WORDS[wording]
        country = mission["name_en"].partition(" in ")[2]
        infos = []
        for language, headline, text in (("zh", f"{zh}：{name_zh}", about[1]), ("en", f"{en} {country}", about[0])):
            info = {
                "language": language, "categories": ["CAP_CATEGORY_SECURITY"], "event": text,
                "responses": [f"CAP_RESPONSE_{response or usual}"], "urgency": f"CAP_URGENCY_{urgency}",
                "severity": f"CAP_SEVERITY_{severity}", "certainty": "CAP_CERTAINTY_OBSERVED",
                "effective": stamp(sent), "headline": headline, "senderName": mission["name_en"],
                "areas": [{"description": country,
                           "geocodes": [{"name": "ISO3166-1", "value": mission["host_iso2"]}]}],
            }
            if expires:
                info["expires"] = stamp(expires)
            infos.append(info)
        cap = {
            "identifier": ident, "sender": SENDER, "sent": stamp(sent), "sentText": stamp(sent)[:-1] + "-00:00",
            "status": f"CAP_STATUS_{status}", "messageType": f"CAP_MESSAGE_TYPE_{kind}", "scope": "CAP_SCOPE_PUBLIC",
            "infos": infos,
        }
        if replaces:
            cap["references"] = [{"sender": SENDER, "identifier": replaces[0], "sent": stamp(replaces[1])}]
        if status == "EXERCISE":
            cap.update(scope="CAP_SCOPE_RESTRICTED", restriction="missions and duty officers")
        return {
            "cap": cap, "languages": ["zh", "en"], "issuers": [mission["name_en"], "Ministry of Foreign Affairs"],
            "levels": [{"area": mission["host_iso2"], "name": country, "colour": f"RISK_COLOUR_{colour}",
                        "wording": f"WORDING_{wording}"}],
            "channels": ["ALERT_CHANNEL_INTERNAL"] if status == "EXERCISE"
            else [f"ALERT_CHANNEL_{channel}" for channel in PUBLIC],
        }

    def identifier(self, post):
        self.numbers[post] = self.numbers.get(post, 0) + 1
        return f"{post}-2023-{self.numbers[post]:04d}"

    # -- one message --

    def make(self, post, colour, about, sent, revised=False, approver=HQ, **more):
        """From the draft to the day it is issued; a second person approves it, for red one of headquarters (A2)."""
        ident = self.identifier(post)
        fields = {"issue": self.issue(ident, post, colour, about, sent, **more)}
        self.put(post, sent - 5400, ident, "AlertDrafted", fields, "security")
        self.put(post, sent - 4800, ident, "AlertSubmitted", {}, "security")
        if revised:
            self.put(HQ, sent - 4200, ident, "AlertReturned", {"remarks": "name the roads"}, "alert-desk")
            self.put(post, sent - 3600, ident, "AlertRevised", fields, "security")
            self.put(post, sent - 3300, ident, "AlertSubmitted", {}, "security")
        self.put(HQ, sent - 2400, ident, "AlertReviewed", {"sound": True}, "alert-desk")
        self.put(approver, sent - 1200, ident, "AlertApproved", {}, "head")
        kind = {"UPDATE": "AlertUpdated", "CANCEL": "AlertCancelled"}.get(more.get("kind"), "AlertPublished")
        self.put(approver, sent, ident, kind, fields, "duty")
        return ident, sent

    def deliver(self, message, recipients, channels=PUBLIC):
        ident, sent = message
        for channel in channels:
            for seconds, stage, part in ((60, "QUEUED", 1), (180, "SENT", 1), (600, "DELIVERED", 0.93),
                                         (7200, "READ", 0.6)):
                self.put(HQ, sent + seconds, ident, "DeliveryReported", {"delivery": {
                    "channel": f"ALERT_CHANNEL_{channel}", "stage": f"DELIVERY_STAGE_{stage}",
                    "recipients": int(recipients * part)}}, "gateway")

    def answer(self, message, people):
        """"I am safe", or not: one event for each who says so in the app."""
        ident, sent = message
        for _ in range(people):
            answer = "HELP" if self.random.random() < 0.06 else "SAFE"
            self.put(HQ, sent + 300 + int(self.random.expovariate(1 / 4000)), ident, "AlertAcknowledged",
                     {"channel": "ALERT_CHANNEL_APP", "answer": f"ANSWER_{answer}", "people": 1}, "gateway")

    # -- all of them --

    def assess(self):
        """The year's assessment of each country."""
        for mission in {mission["host_iso2"]: mission for mission in self.posts.values()}.values():
            colour = {"SD": "ORANGE", "SS": "ORANGE", "TD": "YELLOW", "MM": "ORANGE", "ET": "YELLOW"}.get(
                mission["host_iso2"], "BLUE")
            self.put(HQ, at("2023-01-16T08:00"), mission["host_iso2"], "CountryRiskSet", {
                "country": mission["host_iso2"], "colour": f"RISK_COLOUR_{colour}", "assessmentYear": 2023},
                "risk-assessment")
        self.put(HQ, at("2023-04-16T02:00"), "SD", "CountryRiskSet", {
            "country": "SD", "colour": "RISK_COLOUR_RED", "indicators": ["UNREST", "CRIME"]}, "risk-assessment")

    def sudan(self):
        fighting = ("Armed conflict in Khartoum", "喀土穆武装冲突")
        first = self.make(SUDAN, "ORANGE", fighting, at("2023-04-15T14:00"))
        self.deliver(first, 1400)
        second = self.make(SUDAN, "RED", fighting, at("2023-04-16T06:00"), kind="UPDATE", replaces=first)
        self.deliver(second, 1450)
        self.answer(second, 450)
        leave = ("Register at once; coaches and ships are made ready", "请立即登记，撤离车船准备中")
        third = self.make(SUDAN, "RED", leave, at("2023-04-22T10:00"), kind="UPDATE", replaces=second, revised=True)
        self.deliver(third, 1500)
        self.answer(third, 550)
        last = self.make(SUDAN, "RED", ("Those still in Sudan: call 12308", "仍在苏丹人员请致电12308"),
                         at("2023-04-27T09:00"), kind="UPDATE", replaces=third)
        self.deliver(last, 200)
        self.answer(last, 60)

    def day_of_reminders(self):
        begin = at("2023-04-27T00:00")
        for i, (post, colour, en, zh) in enumerate(REMINDERS):
            sent = begin + 3600 * (i + 2)
            days = 14 if colour == "YELLOW" else 30
            message = self.make(post, colour, (en, zh), sent, expires=sent + days * 86400, approver=post)
            self.deliver(message, 400 + 100 * i)
            if en == "Strikes on the railways":
                self.make(post, colour, ("The strikes are called off", "罢工取消"), sent + 14400, approver=post,
                          kind="CANCEL", replaces=message, response="ALL_CLEAR")
        self.run_out()

    def run_out(self):
        """One that was good for half a day."""
        sent = at("2023-04-27T01:00")
        ident, _ = message = self.make("CN-JP-EMB", "YELLOW", ("High waves", "海浪预警"), sent, expires=sent + 43200,
                                       approver="CN-JP-EMB")
        self.deliver(message, 900)
        self.put("CN-JP-EMB", sent + 43260, ident, "AlertExpired", {"expiredAt": stamp(sent + 43200)}, "duty")

    def exercise(self):
        message = self.make("CN-KE-EMB", "RED", ("EXERCISE EXERCISE EXERCISE: evacuation", "演习 演习 演习：撤离"),
                            at("2023-04-27T06:00"), status="EXERCISE")
        self.deliver(message, 12, ["INTERNAL"])

    def play(self):
        self.assess()
        self.sudan()
        self.day_of_reminders()
        self.exercise()


def play(day):
    Alerts(day).play()
