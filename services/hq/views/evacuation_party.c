/*
 * Party: people who travel together. E5 takes two people, the minor and the guardian, so it is
 * looked at here.
 */
#include "hq/fold/heads.h"
#include "hq/views/evacuation.h"

#include <string.h>

struct reading {
	struct vl_fold *fold;
	PartyRow *row;
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
	PartyRow *row = reading->row;
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
	UnaccompaniedMinor *minor = vl_fold_add(fold, MESSAGE(UnaccompaniedMinor),
						&row->n_unaccompanied, &row->unaccompanied);
	if (minor == NULL)
		return;
	minor->leg = leg;
	minor->person = part + 1;
	const PersonRow *person =
		(const PersonRow *)vl_fold_row(fold, EVACUATION_PERSON, minor->person);
	if (person != NULL)
		minor->operation = person->operation;
	BREAKS(fold, row, "E5", NULL, "minor %s boarded %s without a guardian of the party",
	       minor->person, leg);
}

FINISH(vl_evacuation_party_finish, PartyRow)
{
	struct reading reading = {fold, row};
	const char *key = vl_fold_key(fold);
	vl_fold_each_tally(fold, EVACUATION_PARTY, key, "member/", read_member, &reading);
	vl_fold_each_tally(fold, EVACUATION_PARTY, key, "minor/", read_minor, &reading);
}

CONTRIBUTE(vl_evacuation_party_contribute, PartyRow)
{
	for (size_t i = 0; i < row->n_unaccompanied; i++) {
		const UnaccompaniedMinor *minor = row->unaccompanied[i];
		vl_view_count(fold, EVACUATION_LEG, minor->leg, 1,
			      "violation/E5" EVACUATION_PART "%s", minor->person);
		vl_view_count(fold, EVACUATION_OPERATION, minor->operation, 1, "violation/E5");
	}
}
