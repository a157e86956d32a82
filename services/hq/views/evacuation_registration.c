/*
 * Registration: what is said under one reference of a person.
 *
 * On one leg the way has a direction: a person boards first, whatever the two docks'
 * clocks say. So the facts of a leg are flags, and only boarding and offloading, which one dock
 * does in turns, go by their order. What is said apart from legs goes by the order of the
 * history: the last holds.
 */
#include "hq/fold/heads.h"
#include "hq/fold/names.h"
#include "hq/views/evacuation.h"

#include <string.h>

/* Its legs by name. */
#define SLOT_LEGS 0

static Statement *statement(struct vl_fold *fold, const RegistrationRow *row,
			    const struct vl_fact *fact)
{
	Statement *said = vl_view_make(fold, MESSAGE(Statement));
	if (said == NULL)
		return NULL;
	said->occurred_at = vl_view_stamp(fold, fact->occurred_at);
	said->mission = (char *)(uintptr_t)fact->mission;
	said->epoch = fact->epoch;
	said->event = fact->event;
	said->person = vl_view_keep(fold, vl_fold_key(fold));
	said->place = row->facts;
	return said;
}

/* NULL where no leg is named, or out of memory. */
static RegistrationLeg *leg_of(struct vl_fold *fold, RegistrationRow *row, const char *reference)
{
	char *ref = vl_view_keep_ref(fold, reference);
	RegistrationLeg *leg =
		ref[0] == '\0' ? NULL
			       : vl_names_item(fold, SLOT_LEGS, ref, MESSAGE(RegistrationLeg),
					       &row->n_legs, &row->legs);
	if (leg != NULL)
		leg->leg = ref;
	return leg;
}

/* -- who it is -- */

static bool is_minor(bool said, AgeBand band)
{
	return said || band == AGE_BAND_INFANT || band == AGE_BAND_CHILD || band == AGE_BAND_YOUTH;
}

static STEP(take_registered, RegistrationRow, PersonRegistered)
{
	row->minor = is_minor(event->minor, event->age_band);
	if (!vl_evacuation_is_empty(event->party))
		row->guardian = event->role == PARTY_ROLE_GUARDIAN;
}

static STEP(take_joined, RegistrationRow, PartyJoined)
{
	row->guardian = event->role == PARTY_ROLE_GUARDIAN;
}

static STEP(take_birth, RegistrationRow, BirthRecorded)
{
	if (!row->registered) {
		row->registered = row->minor = true;
		row->standing = event->standing;
		row->nationality = vl_view_keep_ref(fold, event->nationality);
		row->requesting_state = vl_view_keep_ref(fold, event->requesting_state);
		row->age_band = AGE_BAND_INFANT;
	}
	RegistrationLeg *leg = leg_of(fold, row, event->leg);
	if (leg == NULL)
		return;
	leg->born = true;
	if (leg->last == NULL)
		leg->last = statement(fold, row, fact);
}

/* -- what is said apart from legs -- */

static STEP(take_contact, RegistrationRow, ContactRecorded)
{
	if (event->outcome == CONTACT_OUTCOME_REACHED || event->outcome == CONTACT_OUTCOME_DECLINED)
		row->contacted = true;
}

static STEP(take_wish, RegistrationRow, WishRecorded)
{
	if (event->wish != WISH_STAY && event->wish != WISH_LEAVE)
		return;
	row->wish = statement(fold, row, fact);
	if (row->wish != NULL)
		row->wish->wish = event->wish;
}

static void state(struct vl_fold *fold, RegistrationRow *row, const struct vl_fact *fact,
		  Disposition disposition, const char *area)
{
	if (disposition == DISPOSITION_DUPLICATE_OF) {
		BREAKS(fold, row, "E6", fact,
		       "said to be a duplicate without a merge that says of whom");
		return;
	}
	if (disposition < DISPOSITION_UNKNOWN || disposition > DISPOSITION_DUPLICATE_OF)
		return;
	Statement *said = statement(fold, row, fact);
	if (said == NULL)
		return;
	said->disposition = disposition;
	said->area = vl_view_keep_ref(fold, area);
	if (disposition == DISPOSITION_DECEASED)
		row->death = said;
	else
		row->stated = said;
	if (disposition == DISPOSITION_HOME || disposition == DISPOSITION_SELF_DEPARTED ||
	    disposition == DISPOSITION_ONWARD_OTHER)
		row->ever_out = true;
}

static STEP(take_disposition, RegistrationRow, DispositionRecorded)
{
	state(fold, row, fact, event->disposition, NULL);
}

static STEP(take_staged, RegistrationRow, StagingArrivalRecorded)
{
	state(fold, row, fact, DISPOSITION_AT_STAGING,
	      event->area == NULL ? NULL : event->area->name);
	if (event->area != NULL && vl_evacuation_is_safe(event->area->zone))
		row->ever_out = true;
}

static STEP(take_unstaged, RegistrationRow, StagingDepartureRecorded)
{
	state(fold, row, fact, event->disposition, NULL);
}

static STEP(take_death, RegistrationRow, DeathRecorded)
{
	RegistrationLeg *leg = leg_of(fold, row, event->leg);
	state(fold, row, fact, DISPOSITION_DECEASED, NULL);
	if (leg != NULL)
		leg->died = true;
}

/* -- at the gangway -- */

/* How far along the way the leg's facts have come. */
static int progress(const RegistrationLeg *leg)
{
	if (leg->handed_over)
		return CHECKPOINT_HANDED_OVER;
	if (leg->disembarked)
		return CHECKPOINT_DISEMBARKED;
	if (leg->gangway != NULL || leg->born)
		return CHECKPOINT_BOARDED;
	if (leg->checked_in || leg->no_show)
		return CHECKPOINT_CHECKED_IN;
	return leg->allocated ? CHECKPOINT_ALLOCATED : CHECKPOINT_UNSPECIFIED;
}

static void mark(RegistrationLeg *leg, Checkpoint checkpoint, Statement *said)
{
	int before = progress(leg);
	if (checkpoint == CHECKPOINT_ALLOCATED) {
		leg->allocated = true;
	} else if (checkpoint == CHECKPOINT_CHECKED_IN) {
		leg->checked_in = true;
	} else if (checkpoint == CHECKPOINT_BOARDED || checkpoint == CHECKPOINT_OFFLOADED) {
		leg->offloaded = checkpoint == CHECKPOINT_OFFLOADED;
		leg->boarded = leg->boarded || !leg->offloaded;
		leg->gangway = said;
	} else if (checkpoint == CHECKPOINT_DISEMBARKED) {
		leg->disembarked = true;
	} else if (checkpoint == CHECKPOINT_HANDED_OVER) {
		leg->handed_over = true;
	}
	int reached = checkpoint == CHECKPOINT_OFFLOADED ? CHECKPOINT_BOARDED : (int)checkpoint;
	if (reached >= before)
		leg->last = said;
}

static void take_at_gangway(struct vl_fold *fold, RegistrationRow *row, const struct vl_fact *fact,
			    const char *reference, Checkpoint checkpoint)
{
	if (checkpoint < CHECKPOINT_ALLOCATED || checkpoint > CHECKPOINT_HANDED_OVER)
		return;
	RegistrationLeg *leg = leg_of(fold, row, reference);
	Statement *said = statement(fold, row, fact);
	if (leg != NULL && said != NULL)
		mark(leg, checkpoint, said);
}

static STEP(take_checkpoint, RegistrationRow, CheckpointRecorded)
{
	take_at_gangway(fold, row, fact, event->leg, event->checkpoint);
}

static STEP(take_checkpoints, RegistrationRow, CheckpointsRecorded)
{
	take_at_gangway(fold, row, fact, event->leg, event->checkpoint);
}

static STEP(take_no_show, RegistrationRow, NoShowsRecorded)
{
	RegistrationLeg *leg = leg_of(fold, row, event->leg);
	if (leg == NULL)
		return;
	leg->no_show = true;
	if (progress(leg) <= CHECKPOINT_CHECKED_IN)
		leg->last = statement(fold, row, fact);
}

/* Whether it counts, and for which operation, only the leg can say (evacuation_person.c). */
static STEP(take_manifest, RegistrationRow, ManifestSealed)
{
	RegistrationLeg *leg = leg_of(fold, row, event->leg);
	if (leg == NULL)
		return;
	leg->expected = true;
	/* One sender's facts follow on one another, but for those of others in between. */
	for (size_t i = leg->n_sealed_by; i > 0; i--)
		if (strcmp(leg->sealed_by[i - 1], fact->mission) == 0)
			return;
	vl_fold_add_text(fold, fact->mission, &leg->n_sealed_by, &leg->sealed_by);
}

static STEP(take_overridden, RegistrationRow, GuardianOverridden)
{
	RegistrationLeg *leg = leg_of(fold, row, event->leg);
	if (leg != NULL)
		leg->guardian_overridden = true;
}

const struct vl_step vl_evacuation_registration_steps[] = {
	{MESSAGE(PersonRegistered), take_registered},
	{MESSAGE(PartyJoined), take_joined},
	{MESSAGE(BirthRecorded), take_birth},
	{MESSAGE(ContactRecorded), take_contact},
	{MESSAGE(WishRecorded), take_wish},
	{MESSAGE(DispositionRecorded), take_disposition},
	{MESSAGE(StagingArrivalRecorded), take_staged},
	{MESSAGE(StagingDepartureRecorded), take_unstaged},
	{MESSAGE(DeathRecorded), take_death},
	{MESSAGE(CheckpointRecorded), take_checkpoint},
	{MESSAGE(CheckpointsRecorded), take_checkpoints},
	{MESSAGE(NoShowsRecorded), take_no_show},
	{MESSAGE(ManifestSealed), take_manifest},
	{MESSAGE(GuardianOverridden), take_overridden},
	END,
};

/* -- under whom it counts -- */

struct reading {
	struct vl_fold *fold;
	RegistrationRow *row;
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
	RegistrationRow *row = reading->row;
	const char *kept = vl_view_keep(reading->fold, name + strlen("refused/"));
	(void)value;
	vl_fold_add_text(reading->fold, kept, &row->n_refused_merges, &row->refused_merges);
	BREAKS(reading->fold, row, "E6", NULL, "merge into %s not followed", kept);
}

FINISH(vl_evacuation_registration_finish, RegistrationRow)
{
	struct reading reading = {fold, row};
	const char *key = vl_fold_key(fold);
	vl_fold_each_tally(fold, EVACUATION_REGISTRATION, key, "canonical/", read_canonical,
			   &reading);
	vl_fold_each_tally(fold, EVACUATION_REGISTRATION, key, "refused/", read_refused, &reading);
}

CONTRIBUTE(vl_evacuation_registration_contribute, RegistrationRow)
{
	const char *key = vl_fold_key(fold);
	const char *human = vl_evacuation_is_empty(row->canonical) ? key : row->canonical;
	vl_view_count(fold, EVACUATION_PERSON, key, 1, "registration");
	vl_view_count(fold, EVACUATION_PERSON, human, 1, "reference/%s", key);
	vl_fold_dirty(fold, EVACUATION_PERSON, key);
	vl_fold_dirty(fold, EVACUATION_PERSON, human);
}
