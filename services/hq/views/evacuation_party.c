/*
 * Party: people who travel together. E5 takes two people, the minor and the guardian, so it is
 * looked at here.
 */
#include "evacuation.h"

#include <string.h>

struct reading {
	struct vl_fold *fold;
	EV(PartyRow) *row;
};

static void read_member(void *context, const char *name, int64_t value)
{
	const struct reading *reading = context;
	(void)name, (void)value;
	reading->row->members++;
}

/* "minor/LEG\tPERSON" */
static void read_minor(void *context, const char *name, int64_t value)
{
	const struct reading *reading = context;
	struct vl_fold *fold = reading->fold;
	EV(PartyRow) *row = reading->row;
	char *leg = vl_view_keep(fold, name + strlen("minor/"));
	char *part = strchr(leg, EVACUATION_PART[0]);
	(void)value;
	if (part == NULL)
		return;
	*part = '\0';
	const char *guardian = vl_fold_printf(fold, "guardian/%s", leg);
	if (guardian == NULL ||
	    vl_fold_tally(fold, EVACUATION_PARTY, vl_fold_key(fold), guardian) > 0)
		return;
	EV(UnaccompaniedMinor) *minor = vl_fold_add(fold, &EV_TYPE(unaccompanied_minor),
						    &row->n_unaccompanied, &row->unaccompanied);
	if (minor == NULL)
		return;
	minor->leg = leg;
	minor->person = part + 1;
	const EV(PersonRow) *person =
		(const EV(PersonRow) *)vl_fold_row(fold, EVACUATION_PERSON, minor->person);
	if (person != NULL)
		minor->operation = person->operation;
	vl_fold_violation(fold, &row->n_violations, &row->violations, "E5", NULL,
			  "minor %s boarded %s without a guardian of the party", minor->person,
			  leg);
}

EVACUATION_FINISH(party)
{
	struct reading reading = {fold, (EV(PartyRow) *)row};
	const char *key = vl_fold_key(fold);
	vl_fold_each_tally(fold, EVACUATION_PARTY, key, "member/", read_member, &reading);
	vl_fold_each_tally(fold, EVACUATION_PARTY, key, "minor/", read_minor, &reading);
}

EVACUATION_CONTRIBUTE(party)
{
	const EV(PartyRow) *party = (const EV(PartyRow) *)row;
	for (size_t i = 0; i < party->n_unaccompanied; i++) {
		const EV(UnaccompaniedMinor) *minor = party->unaccompanied[i];
		vl_view_count(fold, EVACUATION_LEG, minor->leg, 1,
			      "violation/E5" EVACUATION_PART "%s", minor->person);
		vl_view_count(fold, EVACUATION_OPERATION, minor->operation, 1, "violation/E5");
	}
}
