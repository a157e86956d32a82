/*
 * Person: the human behind one or more references. Heads are counted here and nowhere else.
 *
 * A reference that was merged into another has a row too, which says DUPLICATE_OF and counts as
 * a reference but not as a person, so that E1 can be seen: references = persons + duplicates.
 * The facts of all references of a human are laid over each other leg by leg, so that somebody
 * boarded under both counts once aboard (E6).
 */
#include "hq/views/evacuation_person.h"

#include "hq/fold/heads.h"
#include "hq/fold/names.h"

#include <string.h>

/* By name: his ways, his parties, and those that he is a guardian of. */
enum { SLOT_WAYS, SLOT_PARTIES, SLOT_GUARDIAN_OF };

/* -- gathering the references -- */

struct gathering {
	struct vl_fold *fold;
	PersonRow *row;
	struct evacuation_human *human;
	const RegistrationRow *own, *told; /* told: the one whose registration holds */
};

static void add_once(struct vl_fold *fold, unsigned slot, char *text, size_t *count, char ***texts)
{
	void **named = vl_evacuation_is_empty(text)
			       ? NULL
			       : vl_names_at(fold, vl_fold_slot(fold, slot), text);
	if (named == NULL || *named != NULL)
		return;
	*named = text;
	vl_fold_add_text(fold, text, count, texts);
}

static struct evacuation_way *way_of(struct gathering *gathering, const RegistrationLeg *leg)
{
	struct vl_fold *fold = gathering->fold;
	struct evacuation_human *human = gathering->human;
	void **named = vl_names_at(fold, vl_fold_slot(fold, SLOT_WAYS), leg->leg);
	if (named == NULL || *named != NULL)
		return named == NULL ? NULL : *named;
	struct evacuation_way *way = vl_fold_alloc(fold, sizeof(*way));
	struct evacuation_way **larger =
		vl_view_grow(fold, human->ways, human->n_ways, sizeof(struct evacuation_way *));
	if (way == NULL || larger == NULL)
		return NULL;
	way->facts = (RegistrationLeg)CONSULAR__EVACUATION__V1__REGISTRATION_LEG__INIT;
	way->facts.leg = leg->leg;
	human->ways = larger;
	human->ways[human->n_ways++] = way;
	return *named = way;
}

static void lay_over(struct vl_fold *fold, RegistrationLeg *all, const RegistrationLeg *leg)
{
	for (size_t i = 0; i < leg->n_sealed_by; i++)
		vl_fold_add_text(fold, leg->sealed_by[i], &all->n_sealed_by, &all->sealed_by);
	all->allocated = all->allocated || leg->allocated;
	all->checked_in = all->checked_in || leg->checked_in;
	all->no_show = all->no_show || leg->no_show;
	all->boarded = all->boarded || leg->boarded;
	all->disembarked = all->disembarked || leg->disembarked;
	all->handed_over = all->handed_over || leg->handed_over;
	all->born = all->born || leg->born;
	all->died = all->died || leg->died;
	all->guardian_overridden = all->guardian_overridden || leg->guardian_overridden;
	if (vl_evacuation_later(leg->gangway, all->gangway)) {
		all->gangway = leg->gangway;
		all->offloaded = leg->offloaded;
	}
	if (vl_evacuation_later(leg->last, all->last))
		all->last = leg->last;
}

static void keep_later(const Statement **kept, const Statement *said)
{
	if (vl_evacuation_later(said, *kept))
		*kept = said;
}

static void add_reference(struct gathering *gathering, const RegistrationRow *from)
{
	struct vl_fold *fold = gathering->fold;
	PersonRow *row = gathering->row;
	struct evacuation_human *human = gathering->human;
	if (gathering->told == NULL || (from->registered && !gathering->told->registered))
		gathering->told = from;
	if (vl_evacuation_is_empty(row->operation))
		row->operation = from->operation;
	row->minor = row->minor || from->minor;
	add_once(fold, SLOT_PARTIES, from->party, &row->n_parties, &row->parties);
	if (from->guardian)
		add_once(fold, SLOT_GUARDIAN_OF, from->party, &row->n_guardian_of,
			 &row->guardian_of);
	if (vl_view_rank(MESSAGE(Whereabouts), (int)row->whereabouts) == 0)
		row->whereabouts = from->whereabouts;
	human->registered = human->registered || from->registered;
	human->contacted = human->contacted || from->contacted;
	human->ever_out = human->ever_out || from->ever_out;
	keep_later(&human->wish, from->wish);
	keep_later(&human->stated, from->stated);
	keep_later(&human->death, from->death);
	for (size_t i = 0; i < from->n_legs; i++) {
		struct evacuation_way *way = way_of(gathering, from->legs[i]);
		if (way != NULL)
			lay_over(fold, &way->facts, from->legs[i]);
	}
	for (size_t i = 0; i < from->n_violations; i++) {
		Valise__V1__Violation *copy = vl_fold_add(fold, &valise__v1__violation__descriptor,
							  &row->n_violations, &row->violations);
		if (copy != NULL)
			*copy = *from->violations[i];
	}
}

static void add_other(void *context, const char *name, int64_t value)
{
	struct gathering *gathering = context;
	const char *reference = name + strlen("reference/");
	(void)value;
	if (strcmp(reference, vl_fold_key(gathering->fold)) == 0)
		return;
	const ProtobufCMessage *from =
		vl_fold_row(gathering->fold, EVACUATION_REGISTRATION, reference);
	if (from == NULL)
		return;
	vl_fold_add_text(gathering->fold, reference, &gathering->row->n_references,
			 &gathering->row->references);
	add_reference(gathering, (const RegistrationRow *)from);
}

/* -- one leg -- */

static Checkpoint furthest(const RegistrationLeg *facts, const PersonLeg *shown)
{
	if (facts->handed_over)
		return CHECKPOINT_HANDED_OVER;
	if (facts->disembarked)
		return CHECKPOINT_DISEMBARKED;
	if (shown->offloaded)
		return CHECKPOINT_OFFLOADED;
	if (shown->boarded)
		return CHECKPOINT_BOARDED;
	if (facts->checked_in)
		return CHECKPOINT_CHECKED_IN;
	return facts->allocated ? CHECKPOINT_ALLOCATED : CHECKPOINT_UNSPECIFIED;
}

/* A manifest counts where it is its leg's (E12). */
static bool is_expected(const ItineraryRow *itinerary, const RegistrationLeg *facts)
{
	if (itinerary == NULL || vl_evacuation_is_empty(itinerary->owner))
		return facts->n_sealed_by > 0;
	for (size_t i = 0; i < facts->n_sealed_by; i++) {
		const char *by = facts->sealed_by[i];
		if (strcmp(by, VL_HEADQUARTERS) == 0 || strcmp(by, itinerary->owner) == 0 ||
		    strcmp(by, itinerary->opener) == 0)
			return true;
	}
	return false;
}

static void show_leg(struct vl_fold *fold, PersonRow *row, struct evacuation_way *way, bool dead)
{
	RegistrationLeg *facts = &way->facts;
	PersonLeg *shown = way->shown =
		vl_fold_add(fold, MESSAGE(PersonLeg), &row->n_legs, &row->legs);
	way->itinerary = (const ItineraryRow *)vl_fold_row(fold, EVACUATION_ITINERARY, facts->leg);
	if (shown == NULL)
		return;
	const ItineraryRow *itinerary = way->itinerary;
	facts->expected = is_expected(itinerary, facts);
	if (facts->expected && itinerary != NULL && vl_evacuation_is_empty(row->operation))
		row->operation = itinerary->operation;
	bool off = facts->disembarked || facts->handed_over;
	bool gone = itinerary != NULL && (itinerary->departed || itinerary->closed);
	shown->leg = facts->leg;
	shown->born = facts->born;
	shown->died = facts->died && dead;
	/* Offloading is said where the leg begins; whoever was there at its end was not taken
	 * off. */
	shown->boarded =
		facts->boarded && !facts->born && (!facts->offloaded || off || shown->died);
	shown->offloaded = facts->offloaded && !shown->boarded && !off && !facts->born;
	shown->disembarked = off && !shown->died;
	shown->aboard = (shown->boarded || shown->born) && !off && !shown->died;
	shown->no_show = !facts->boarded && !facts->offloaded && !off && !shown->born &&
			 !shown->died &&
			 (facts->no_show ||
			  ((facts->allocated || facts->checked_in || facts->expected) && gone));
	shown->expected = facts->expected;
	shown->unlisted =
		shown->boarded && itinerary != NULL && itinerary->listed && !facts->expected;
	shown->guardian_overridden = facts->guardian_overridden;
	shown->open = itinerary == NULL || (!itinerary->closed && !itinerary->cancelled);
	shown->checkpoint = furthest(facts, shown);
}

static bool is_ashore_without_boarding(const PersonLeg *leg)
{
	return (leg->disembarked || leg->died) && !leg->boarded && !leg->born;
}

/* -- the rules of one human -- */

static void violate(struct vl_fold *fold, PersonRow *row, const char *rule, const char *detail)
{
	BREAKS(fold, row, rule, NULL, "%s", detail);
}

static void check_legs(struct vl_fold *fold, PersonRow *row)
{
	int open = 0;
	for (size_t i = 0; i < row->n_legs; i++) {
		const PersonLeg *leg = row->legs[i];
		open += leg->aboard && leg->open;
		if (row->minor && leg->boarded && !leg->guardian_overridden && row->n_parties == 0)
			BREAKS(fold, row, "E5", NULL, "minor without a party boarded %s", leg->leg);
	}
	if (open > 1)
		BREAKS(fold, row, "E3", NULL, "aboard %d open legs at once", open);
}

static void check_standing(struct vl_fold *fold, PersonRow *row, bool differs)
{
	if (row->standing == STANDING_FOREIGN && vl_evacuation_is_empty(row->requesting_state))
		violate(fold, row, "E7", "foreign national without a requesting state");
	if (row->standing == STANDING_NATIONAL && !vl_evacuation_is_empty(row->requesting_state))
		violate(fold, row, "E7", "a national for whom another state asks");
	if (differs)
		violate(fold, row, "E7",
			"references of one human disagree on whose national it is");
}

static bool must_be_settled(Disposition disposition)
{
	return disposition == DISPOSITION_UNKNOWN || disposition == DISPOSITION_MISSING ||
	       (disposition >= DISPOSITION_WISHES_TO_LEAVE &&
		disposition <= DISPOSITION_AT_STAGING);
}

static const RegistrationRow *reference(struct vl_fold *fold, const PersonRow *row, size_t i,
					const RegistrationRow *own)
{
	if (i == 0)
		return own;
	return (const RegistrationRow *)vl_fold_row(fold, EVACUATION_REGISTRATION,
						    row->references[i]);
}

static void check_settled(struct vl_fold *fold, PersonRow *row, const RegistrationRow *own)
{
	row->unsettled = must_be_settled(row->disposition);
	for (size_t i = 0; row->unsettled && i < row->n_references; i++) {
		const RegistrationRow *from = reference(fold, row, i, own);
		if (from == NULL || from->written != row->disposition)
			continue;
		row->unsettled = false;
		row->written_reference = from->written_reference;
	}
}

static bool disagrees(struct vl_fold *fold, const PersonRow *row, const RegistrationRow *own)
{
	for (size_t i = 0; row->n_references > 1 && i < row->n_references; i++) {
		const RegistrationRow *from = reference(fold, row, i, own);
		if (from != NULL && from->registered && from->standing != row->standing)
			return true;
	}
	return false;
}

static void show_duplicate(PersonRow *row, const RegistrationRow *own)
{
	row->operation = own->operation;
	row->disposition = DISPOSITION_DUPLICATE_OF;
	row->duplicate_of = own->canonical;
	row->standing = own->standing;
}

static void show_human(struct vl_fold *fold, PersonRow *row, struct gathering *gathering)
{
	struct evacuation_human *human = gathering->human;
	const RegistrationRow *told = gathering->told;
	row->standing = told->standing;
	row->nationality = told->nationality;
	row->requesting_state = told->requesting_state;
	row->age_band = told->age_band;
	if (human->death != NULL && vl_evacuation_later(human->stated, human->death))
		human->death = NULL;
	for (size_t i = 0; i < human->n_ways; i++) {
		show_leg(fold, row, human->ways[i], human->death != NULL);
		if (human->ways[i]->shown == NULL)
			return;
	}
	vl_evacuation_conclude(fold, row, human);
	check_legs(fold, row);
	check_standing(fold, row, disagrees(fold, row, gathering->own));
	check_settled(fold, row, gathering->own);
}

FINISH(vl_evacuation_person_finish, PersonRow)
{
	const char *key = vl_fold_key(fold);
	struct evacuation_human human = {0};
	struct gathering gathering = {.fold = fold, .row = row, .human = &human};
	gathering.own = (const RegistrationRow *)vl_fold_row(fold, EVACUATION_REGISTRATION, key);
	if (gathering.own == NULL)
		return;
	if (!vl_evacuation_is_empty(gathering.own->canonical)) {
		show_duplicate(row, gathering.own);
		return;
	}
	vl_fold_add_text(fold, key, &row->n_references, &row->references);
	add_reference(&gathering, gathering.own);
	vl_fold_each_tally(fold, EVACUATION_PERSON, key, "reference/", add_other, &gathering);
	show_human(fold, row, &gathering);
}

/* -- what it adds elsewhere -- */

static void tell_party(struct vl_fold *fold, const PersonRow *row, const PersonLeg *leg)
{
	if (!leg->boarded)
		return;
	if (!row->minor) {
		for (size_t i = 0; i < row->n_guardian_of; i++)
			vl_view_count(fold, EVACUATION_PARTY, row->guardian_of[i], 1, "guardian/%s",
				      leg->leg);
	} else if (row->n_parties > 0 && !leg->guardian_overridden) {
		vl_view_count(fold, EVACUATION_PARTY, row->parties[0], 1,
			      "minor/%s" EVACUATION_PART "%s", leg->leg, vl_fold_key(fold));
	}
}

static bool concerns(const char *rule, const PersonLeg *leg)
{
	if (strcmp(rule, "E3") == 0)
		return leg->aboard && leg->open;
	if (strcmp(rule, "E5") == 0)
		return leg->boarded && !leg->guardian_overridden;
	return leg->boarded;
}

static void tell_leg(struct vl_fold *fold, const PersonRow *row,
		     const struct evacuation_rules *rules, const PersonLeg *leg)
{
	const struct {
		bool holds;
		const char *name;
	} counts[] = {
		{leg->boarded && row->standing == STANDING_NATIONAL, "boarded_nationals"},
		{leg->boarded && row->standing == STANDING_FOREIGN, "boarded_foreign"},
		{leg->boarded, "boarded"},
		{leg->aboard, "aboard"},
		{leg->disembarked, "disembarked"},
		{leg->offloaded, "offloaded"},
		{leg->died, "died"},
		{leg->born, "born"},
		{leg->no_show, "no_shows"},
		{leg->expected, "expected_named"},
		{leg->unlisted, "unlisted"},
		{is_ashore_without_boarding(leg), "unboarded"},
		{leg->checkpoint == CHECKPOINT_ALLOCATED && !leg->no_show, "allocated"},
		{leg->checkpoint == CHECKPOINT_CHECKED_IN && !leg->no_show, "checked_in"},
	};
	vl_view_count(fold, EVACUATION_ITINERARY, leg->leg, 1, "member/%s", vl_fold_key(fold));
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		vl_view_count(fold, EVACUATION_LEG, leg->leg, counts[i].holds, "%s",
			      counts[i].name);
	for (size_t i = 0; i < rules->count; i++) {
		const Valise__V1__Count *broken = rules->items[i];
		if (concerns(broken->name, leg))
			vl_view_count(fold, EVACUATION_LEG, leg->leg, broken->count,
				      "violation/%s" EVACUATION_PART "%s", broken->name,
				      vl_fold_key(fold));
	}
	tell_party(fold, row, leg);
}

static void tell_operation(struct vl_fold *fold, const PersonRow *row)
{
	const unsigned to = EVACUATION_OPERATION;
	const char *operation = row->operation;
	bool national = row->standing == STANDING_NATIONAL,
	     foreign = row->standing == STANDING_FOREIGN;
	vl_view_count(fold, to, operation, 1, "references");
	if (row->disposition == DISPOSITION_DUPLICATE_OF) {
		vl_view_count(fold, to, operation, 1, "duplicates");
		return;
	}
	vl_view_count(fold, to, operation, 1, "persons");
	vl_view_count(fold, to, operation, 1, "%s",
		      national  ? "nationals"
		      : foreign ? "foreign"
				: "standing_unknown");
	vl_view_count(fold, to, operation, 1, "disposition/%02d", (int)row->disposition);
	vl_view_count(fold, to, operation, row->unsettled, "unsettled/%02d", (int)row->disposition);
	vl_view_count(fold, to, operation, row->boarded, "boarded");
	vl_view_count(fold, to, operation, row->boarded && national, "boarded_nationals");
	vl_view_count(fold, to, operation, row->boarded && foreign, "boarded_foreign");
	vl_view_count(fold, to, operation, row->out, "out_counted");
	vl_view_count(fold, to, operation, row->out && national, "out_nationals");
	vl_view_count(fold, to, operation, row->out && foreign, "out_foreign");
	vl_view_count(fold, to, operation, row->out_withdrawn, "withdrawn");
	if (foreign)
		vl_view_count(fold, to, operation, 1, "state/%s",
			      vl_evacuation_is_empty(row->requesting_state)
				      ? "?"
				      : row->requesting_state);
	if (row->disposition == DISPOSITION_AT_STAGING)
		vl_view_count(fold, to, operation, 1, "staging/%s", row->staging_area);
	for (size_t i = 0; i < row->n_violations; i++)
		vl_view_count(fold, to, operation, 1, "violation/%s", row->violations[i]->rule);
}

CONTRIBUTE(vl_evacuation_person_contribute, PersonRow)
{
	struct evacuation_rules rules = {0};
	vl_evacuation_add_rules(fold, row->n_violations, row->violations, &rules);
	for (size_t i = 0; i < row->n_legs; i++)
		tell_leg(fold, row, &rules, row->legs[i]);
	for (size_t i = 0; i < row->n_parties; i++) {
		vl_view_count(fold, EVACUATION_PARTY, row->parties[i], 1, "member/%s",
			      vl_fold_key(fold));
		vl_fold_dirty(fold, EVACUATION_PARTY, row->parties[i]);
	}
	tell_operation(fold, row);
}
