"""The people of the evacuation: invented, alone or in families, in groups of an exact size."""

STATES = ["PK", "BR", "NP", "PH", "KE"]


class Person:
    __slots__ = ("ref", "party", "role", "minor", "band", "state")

    def __init__(self, ref, party, role, band, state):
        self.ref = ref  # as headquarters knows the person; never who it is
        self.party, self.role = party, role
        self.band = band
        self.state = state  # the one that asked for help, for a foreign national
        self.minor = band in ("INFANT", "CHILD", "YOUTH")


class People:
    def __init__(self, chance):
        self.random = chance
        self.persons = 0
        self.parties = 0

    def reference(self):
        self.persons += 1
        return f"P-{self.persons:06d}"

    def person(self, party, role, band, state=""):
        return Person(self.reference(), party, role, band, state)

    def party_of(self, adults, minors, state=""):
        if adults + minors == 1:
            return [self.person("", "", "ADULT" if adults else "YOUTH", state)]
        self.parties += 1
        name = f"F-{self.parties:04d}"
        made = [self.person(name, "GUARDIAN", "ADULT", state) for _ in range(adults)]
        bands = ("INFANT", "CHILD", "CHILD", "YOUTH")
        return made + [self.person(name, "MEMBER", self.random.choice(bands), state) for _ in range(minors)]

    def group(self, nationals, foreign):
        """Parties that add up to so many: most people are there for work, alone; some are families."""
        made = []
        for heads, states in ((nationals, [""]), (foreign, STATES)):
            while heads > 0:
                shape = (1, 0)
                if heads >= 4 and self.random.random() < 0.15:
                    shape = self.random.choice(((2, 0), (2, 1), (2, 2), (1, 1)))
                made.append(self.party_of(*shape, self.random.choice(states)))
                heads -= sum(shape)
        self.random.shuffle(made)
        return made


def pack(parties, sizes):
    """The people of each journey, to exactly these sizes: each its part of the families, together; then singles."""
    families = [party for party in parties if len(party) > 1]
    singles = [party[0] for party in parties if len(party) == 1]
    seats = sum(sizes)
    journeys = []
    for size in sizes:
        aboard = []
        quota = sum(map(len, families)) * size / seats
        while families and len(aboard) < quota and len(aboard) + len(families[-1]) <= size:
            aboard += families.pop()
        aboard += [singles.pop() for _ in range(size - len(aboard))]
        journeys.append(aboard)
        seats -= size
    assert not families and not singles
    return journeys


def personal(person):
    """Invented, and seen to be: the issuer UTO is ICAO's own Utopia."""
    number = int(person.ref[2:])
    return {
        "fullName": f"MUSTER, Erfunden {number}",
        "familyName": "MUSTER",
        "dateOfBirth": str(1960 + number % 40) if not person.minor else str(2006 + number % 16),
        "documents": [{"kind": "P", "issuer": "UTO", "number": f"X{number:08d}"}],
        "telephones": [f"+24900{number:07d}"],
    }
