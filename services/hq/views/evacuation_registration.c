/*
 * Registration: what is said under one reference of a person.
 *
 * On one leg the way has a direction: nobody disembarks before boarding, whatever the two docks'
 * clocks say. So the facts of a leg are flags, and only boarding and offloading, which one dock
 * does in turns, go by their order. What is said apart from legs goes by the order of the
 * history: the last holds.
 */
#include "evacuation.h"
#include "hq/fold/names.h"

#include <string.h>

/* Its legs by name. */
#define SLOT_LEGS 0

static EV(RegistrationRow) *row_of(ProtobufCMessage *row)
{
	return (EV(RegistrationRow) *)row;
}

static EV(Statement) *statement(struct vl_fold *fold, const EV(RegistrationRow) *row,
				const struct vl_fact *fact)
{
	EV(Statement) *said = vl_fold_alloc(fold, sizeof(*said));
	if (said == NULL)
		return NULL;
	consular__evacuation__v1__statement__init(said);
	said->occurred_at = vl_view_stamp(fold, fact->occurred_at);
	said->mission = vl_view_keep(fold, fact->mission);
	said->epoch = fact->epoch;
	said->event = fact->event;
	said->person = vl_view_keep(fold, vl_fold_key(fold));
	said->place = row->facts;
	return said;
}

static void name_operation(struct vl_fold *fold, EV(RegistrationRow) *row, const char *operation)
{
	if (vl_evacuation_is_empty(row->operation))
		row->operation = vl_view_keep_ref(fold, operation);
}

/* NULL where no leg is named, or out of memory. */
static EV(RegistrationLeg) *leg_of(struct vl_fold *fold, EV(RegistrationRow) *row,
				   const char *reference)
{
	char ref[VL_VIEW_REF];
	vl_view_ref(reference, ref);
	if (ref[0] == '\0')
		return NULL;
	void **named = vl_names_at(fold, vl_fold_slot(fold, SLOT_LEGS), ref);
	if (named == NULL || *named != NULL)
		return named == NULL ? NULL : *named;
	EV(RegistrationLeg) *leg =
		vl_fold_add(fold, &EV_TYPE(registration_leg), &row->n_legs, &row->legs);
	if (leg != NULL)
		leg->leg = vl_view_keep(fold, ref);
	return *named = leg;
}

/* -- who it is -- */

static bool is_minor(bool said, EV(AgeBand) band)
{
	return said || band == CONSULAR__EVACUATION__V1__AGE_BAND__AGE_BAND_INFANT ||
	       band == CONSULAR__EVACUATION__V1__AGE_BAND__AGE_BAND_CHILD ||
	       band == CONSULAR__EVACUATION__V1__AGE_BAND__AGE_BAND_YOUTH;
}

static void take_registered(struct vl_fold *fold, ProtobufCMessage *message,
			    const struct vl_fact *fact)
{
	const EV(PersonRegistered) *registered = (const EV(PersonRegistered) *)fact->payload;
	EV(RegistrationRow) *row = row_of(message);
	if (!vl_evacuation_is_empty(registered->operation))
		row->operation = vl_view_keep_ref(fold, registered->operation);
	row->registered = true;
	row->standing = registered->standing;
	row->nationality = vl_view_keep_ref(fold, registered->nationality);
	row->requesting_state = vl_view_keep_ref(fold, registered->requesting_state);
	row->minor = is_minor(registered->minor, registered->age_band);
	row->age_band = registered->age_band;
	if (!vl_evacuation_is_empty(registered->party)) {
		row->party = vl_view_keep_ref(fold, registered->party);
		row->guardian = registered->role ==
				CONSULAR__EVACUATION__V1__PARTY_ROLE__PARTY_ROLE_GUARDIAN;
	}
}

static void take_joined(struct vl_fold *fold, ProtobufCMessage *message, const struct vl_fact *fact)
{
	const EV(PartyJoined) *joined = (const EV(PartyJoined) *)fact->payload;
	EV(RegistrationRow) *row = row_of(message);
	name_operation(fold, row, joined->operation);
	row->party = vl_view_keep_ref(fold, joined->party);
	row->guardian = joined->role == CONSULAR__EVACUATION__V1__PARTY_ROLE__PARTY_ROLE_GUARDIAN;
}

static void take_birth(struct vl_fold *fold, ProtobufCMessage *message, const struct vl_fact *fact)
{
	const EV(BirthRecorded) *birth = (const EV(BirthRecorded) *)fact->payload;
	EV(RegistrationRow) *row = row_of(message);
	name_operation(fold, row, birth->operation);
	if (!row->registered) {
		row->registered = true;
		row->standing = birth->standing;
		row->nationality = vl_view_keep_ref(fold, birth->nationality);
		row->requesting_state = vl_view_keep_ref(fold, birth->requesting_state);
		row->minor = true;
		row->age_band = CONSULAR__EVACUATION__V1__AGE_BAND__AGE_BAND_INFANT;
	}
	if (vl_evacuation_is_empty(row->party))
		row->party = vl_view_keep_ref(fold, birth->party);
	EV(RegistrationLeg) *leg = leg_of(fold, row, birth->leg);
	if (leg == NULL)
		return;
	leg->born = true;
	if (leg->last == NULL)
		leg->last = statement(fold, row, fact);
}

/* -- what is said apart from legs -- */

static void take_contact(struct vl_fold *fold, ProtobufCMessage *message,
			 const struct vl_fact *fact)
{
	const EV(ContactRecorded) *contact = (const EV(ContactRecorded) *)fact->payload;
	EV(RegistrationRow) *row = row_of(message);
	name_operation(fold, row, contact->operation);
	if (contact->outcome ==
		    CONSULAR__EVACUATION__V1__CONTACT_OUTCOME__CONTACT_OUTCOME_REACHED ||
	    contact->outcome == CONSULAR__EVACUATION__V1__CONTACT_OUTCOME__CONTACT_OUTCOME_DECLINED)
		row->contacted = true;
}

static void take_wish(struct vl_fold *fold, ProtobufCMessage *message, const struct vl_fact *fact)
{
	const EV(WishRecorded) *wish = (const EV(WishRecorded) *)fact->payload;
	EV(RegistrationRow) *row = row_of(message);
	name_operation(fold, row, wish->operation);
	if (wish->wish != CONSULAR__EVACUATION__V1__WISH__WISH_STAY &&
	    wish->wish != CONSULAR__EVACUATION__V1__WISH__WISH_LEAVE)
		return;
	row->wish = statement(fold, row, fact);
	if (row->wish != NULL)
		row->wish->wish = wish->wish;
}

static void take_whereabouts(struct vl_fold *fold, ProtobufCMessage *message,
			     const struct vl_fact *fact)
{
	const EV(WhereaboutsNoted) *noted = (const EV(WhereaboutsNoted) *)fact->payload;
	EV(RegistrationRow) *row = row_of(message);
	name_operation(fold, row, noted->operation);
	row->whereabouts = noted->whereabouts;
}

static void state(struct vl_fold *fold, EV(RegistrationRow) *row, const struct vl_fact *fact,
		  EV(Disposition) disposition, const char *area)
{
	if (disposition == DISPOSITION(DUPLICATE_OF)) {
		vl_fold_violation(fold, &row->n_violations, &row->violations, "E6", fact,
				  "said to be a duplicate without a merge that says of whom");
		return;
	}
	if (disposition < DISPOSITION(UNKNOWN) || disposition > DISPOSITION(DUPLICATE_OF))
		return;
	EV(Statement) *said = statement(fold, row, fact);
	if (said == NULL)
		return;
	said->disposition = disposition;
	said->area = vl_view_keep_ref(fold, area);
	if (disposition == DISPOSITION(DECEASED))
		row->death = said;
	else
		row->stated = said;
	if (disposition == DISPOSITION(HOME) || disposition == DISPOSITION(SELF_DEPARTED) ||
	    disposition == DISPOSITION(ONWARD_OTHER))
		row->ever_out = true;
}

static void take_disposition(struct vl_fold *fold, ProtobufCMessage *message,
			     const struct vl_fact *fact)
{
	const EV(DispositionRecorded) *recorded = (const EV(DispositionRecorded) *)fact->payload;
	EV(RegistrationRow) *row = row_of(message);
	name_operation(fold, row, recorded->operation);
	state(fold, row, fact, recorded->disposition, NULL);
}

static void take_written(struct vl_fold *fold, ProtobufCMessage *message,
			 const struct vl_fact *fact)
{
	const EV(DispositionWritten) *written = (const EV(DispositionWritten) *)fact->payload;
	EV(RegistrationRow) *row = row_of(message);
	name_operation(fold, row, written->operation);
	row->written = written->disposition;
	row->written_reference = vl_view_keep(fold, written->reference);
}

static void take_staged(struct vl_fold *fold, ProtobufCMessage *message, const struct vl_fact *fact)
{
	const EV(StagingArrivalRecorded) *staged =
		(const EV(StagingArrivalRecorded) *)fact->payload;
	EV(RegistrationRow) *row = row_of(message);
	name_operation(fold, row, staged->operation);
	state(fold, row, fact, DISPOSITION(AT_STAGING),
	      staged->area == NULL ? NULL : staged->area->name);
	if (staged->area != NULL && vl_evacuation_is_safe(staged->area->zone))
		row->ever_out = true;
}

static void take_unstaged(struct vl_fold *fold, ProtobufCMessage *message,
			  const struct vl_fact *fact)
{
	const EV(StagingDepartureRecorded) *left =
		(const EV(StagingDepartureRecorded) *)fact->payload;
	EV(RegistrationRow) *row = row_of(message);
	name_operation(fold, row, left->operation);
	state(fold, row, fact, left->disposition, NULL);
}

static void take_death(struct vl_fold *fold, ProtobufCMessage *message, const struct vl_fact *fact)
{
	const EV(DeathRecorded) *death = (const EV(DeathRecorded) *)fact->payload;
	EV(RegistrationRow) *row = row_of(message);
	name_operation(fold, row, death->operation);
	state(fold, row, fact, DISPOSITION(DECEASED), NULL);
	EV(RegistrationLeg) *leg = leg_of(fold, row, death->leg);
	if (leg != NULL)
		leg->died = true;
}

/* -- at the gangway -- */

/* How far along the way the leg's facts have come. */
static int progress(const EV(RegistrationLeg) *leg)
{
	if (leg->handed_over)
		return CHECKPOINT(HANDED_OVER);
	if (leg->disembarked)
		return CHECKPOINT(DISEMBARKED);
	if (leg->gangway != NULL || leg->born)
		return CHECKPOINT(BOARDED);
	if (leg->checked_in || leg->no_show)
		return CHECKPOINT(CHECKED_IN);
	return leg->allocated ? CHECKPOINT(ALLOCATED) : CHECKPOINT(UNSPECIFIED);
}

static void mark(EV(RegistrationLeg) *leg, EV(Checkpoint) checkpoint, EV(Statement) *said)
{
	int before = progress(leg);
	if (checkpoint == CHECKPOINT(ALLOCATED)) {
		leg->allocated = true;
	} else if (checkpoint == CHECKPOINT(CHECKED_IN)) {
		leg->checked_in = true;
	} else if (checkpoint == CHECKPOINT(BOARDED) || checkpoint == CHECKPOINT(OFFLOADED)) {
		leg->offloaded = checkpoint == CHECKPOINT(OFFLOADED);
		leg->boarded = leg->boarded || !leg->offloaded;
		leg->gangway = said;
	} else if (checkpoint == CHECKPOINT(DISEMBARKED)) {
		leg->disembarked = true;
	} else if (checkpoint == CHECKPOINT(HANDED_OVER)) {
		leg->handed_over = true;
	}
	int reached = checkpoint == CHECKPOINT(OFFLOADED) ? CHECKPOINT(BOARDED) : (int)checkpoint;
	if (reached >= before)
		leg->last = said;
}

static void take_at_gangway(struct vl_fold *fold, EV(RegistrationRow) *row,
			    const struct vl_fact *fact, const char *reference,
			    EV(Checkpoint) checkpoint)
{
	if (checkpoint < CHECKPOINT(ALLOCATED) || checkpoint > CHECKPOINT(HANDED_OVER))
		return;
	EV(RegistrationLeg) *leg = leg_of(fold, row, reference);
	EV(Statement) *said = statement(fold, row, fact);
	if (leg != NULL && said != NULL)
		mark(leg, checkpoint, said);
}

static void take_checkpoint(struct vl_fold *fold, ProtobufCMessage *message,
			    const struct vl_fact *fact)
{
	const EV(CheckpointRecorded) *recorded = (const EV(CheckpointRecorded) *)fact->payload;
	name_operation(fold, row_of(message), recorded->operation);
	take_at_gangway(fold, row_of(message), fact, recorded->leg, recorded->checkpoint);
}

static void take_checkpoints(struct vl_fold *fold, ProtobufCMessage *message,
			     const struct vl_fact *fact)
{
	const EV(CheckpointsRecorded) *recorded = (const EV(CheckpointsRecorded) *)fact->payload;
	name_operation(fold, row_of(message), recorded->operation);
	take_at_gangway(fold, row_of(message), fact, recorded->leg, recorded->checkpoint);
}

static void take_no_show(struct vl_fold *fold, ProtobufCMessage *message,
			 const struct vl_fact *fact)
{
	const EV(NoShowsRecorded) *recorded = (const EV(NoShowsRecorded) *)fact->payload;
	EV(RegistrationRow) *row = row_of(message);
	name_operation(fold, row, recorded->operation);
	EV(RegistrationLeg) *leg = leg_of(fold, row, recorded->leg);
	if (leg == NULL)
		return;
	leg->no_show = true;
	if (progress(leg) <= CHECKPOINT(CHECKED_IN))
		leg->last = statement(fold, row, fact);
}

/* Whether it counts, and for which operation, only the leg can say (evacuation_person.c). */
static void take_manifest(struct vl_fold *fold, ProtobufCMessage *message,
			  const struct vl_fact *fact)
{
	const EV(ManifestSealed) *manifest = (const EV(ManifestSealed) *)fact->payload;
	EV(RegistrationLeg) *leg = leg_of(fold, row_of(message), manifest->leg);
	if (leg == NULL)
		return;
	leg->expected = true;
	/* One sender's facts follow on one another, but for those of others in between. */
	for (size_t i = leg->n_sealed_by; i > 0; i--)
		if (strcmp(leg->sealed_by[i - 1], fact->mission) == 0)
			return;
	vl_fold_add_text(fold, fact->mission, &leg->n_sealed_by, &leg->sealed_by);
}

static void take_overridden(struct vl_fold *fold, ProtobufCMessage *message,
			    const struct vl_fact *fact)
{
	const EV(GuardianOverridden) *overridden = (const EV(GuardianOverridden) *)fact->payload;
	EV(RegistrationRow) *row = row_of(message);
	name_operation(fold, row, overridden->operation);
	EV(RegistrationLeg) *leg = leg_of(fold, row, overridden->leg);
	if (leg != NULL)
		leg->guardian_overridden = true;
}

static const struct vl_step steps[] = {
	{&EV_TYPE(person_registered), take_registered},
	{&EV_TYPE(party_joined), take_joined},
	{&EV_TYPE(birth_recorded), take_birth},
	{&EV_TYPE(contact_recorded), take_contact},
	{&EV_TYPE(wish_recorded), take_wish},
	{&EV_TYPE(whereabouts_noted), take_whereabouts},
	{&EV_TYPE(disposition_recorded), take_disposition},
	{&EV_TYPE(disposition_written), take_written},
	{&EV_TYPE(staging_arrival_recorded), take_staged},
	{&EV_TYPE(staging_departure_recorded), take_unstaged},
	{&EV_TYPE(death_recorded), take_death},
	{&EV_TYPE(checkpoint_recorded), take_checkpoint},
	{&EV_TYPE(checkpoints_recorded), take_checkpoints},
	{&EV_TYPE(no_shows_recorded), take_no_show},
	{&EV_TYPE(manifest_sealed), take_manifest},
	{&EV_TYPE(guardian_overridden), take_overridden},
	{NULL, NULL},
};

EVACUATION_STEP(registration)
{
	row_of(row)->facts++;
	vl_view_step(steps, fold, row, fact);
}

/* -- under whom it counts -- */

struct reading {
	struct vl_fold *fold;
	EV(RegistrationRow) *row;
};

static void read_canonical(void *context, const char *name, int64_t value)
{
	const struct reading *reading = context;
	(void)value;
	reading->row->canonical = vl_view_keep(reading->fold, name + strlen("canonical/"));
}

static void read_refused(void *context, const char *name, int64_t value)
{
	const struct reading *reading = context;
	EV(RegistrationRow) *row = reading->row;
	const char *kept = vl_view_keep(reading->fold, name + strlen("refused/"));
	(void)value;
	vl_fold_add_text(reading->fold, kept, &row->n_refused_merges, &row->refused_merges);
	vl_fold_violation(reading->fold, &row->n_violations, &row->violations, "E6", NULL,
			  "merge into %s not followed", kept);
}

EVACUATION_FINISH(registration)
{
	struct reading reading = {fold, row_of(row)};
	const char *key = vl_fold_key(fold);
	vl_fold_each_tally(fold, EVACUATION_REGISTRATION, key, "canonical/", read_canonical,
			   &reading);
	vl_fold_each_tally(fold, EVACUATION_REGISTRATION, key, "refused/", read_refused, &reading);
}

EVACUATION_CONTRIBUTE(registration)
{
	const EV(RegistrationRow) *registration = (const EV(RegistrationRow) *)row;
	const char *key = vl_fold_key(fold);
	const char *human =
		vl_evacuation_is_empty(registration->canonical) ? key : registration->canonical;
	vl_view_count(fold, EVACUATION_PERSON, key, 1, "registration");
	vl_view_count(fold, EVACUATION_PERSON, human, 1, "reference/%s", key);
	vl_fold_dirty(fold, EVACUATION_PERSON, key);
	vl_fold_dirty(fold, EVACUATION_PERSON, human);
}
