/*
 * Who may say what (E12): what opens, amends, closes and corrects is its owner's to say, or
 * headquarters'. It is judged when all of it is known, so that it does not matter whether the
 * owner became known before the attempt or after it.
 */
#include "evacuation.h"

#include <string.h>

/* What was said of an entity, in its order. */
struct said {
	const struct vl_fact **facts;
	size_t count;
};

void vl_evacuation_keep_said(struct vl_fold *fold, const struct vl_fact *fact)
{
	void **slot = vl_fold_slot(fold, EVACUATION_SLOT_SAID);
	struct said *said = *slot != NULL ? *slot : (*slot = vl_fold_alloc(fold, sizeof(*said)));

	if (said == NULL)
		return;
	const struct vl_fact **larger =
		vl_view_grow(fold, said->facts, said->count, sizeof(*larger));
	if (larger == NULL)
		return;
	said->facts = larger;
	said->facts[said->count++] = fact;
}

static bool is_headquarters(const struct vl_fact *fact)
{
	return strcmp(fact->mission, EVACUATION_HQ) == 0;
}

/* Of an operation or a crisis, headquarters' where it has ever begun it. Of a leg the mission's
 * that was first to plan it: where only headquarters has, the missions carry it out. NULL where
 * nobody has. */
static const char *owner_of(const struct said *said, const ProtobufCMessageDescriptor *begins,
			    bool theirs)
{
	const char *owner = NULL;

	for (size_t i = 0; i < said->count; i++) {
		const struct vl_fact *fact = said->facts[i];
		if (fact->payload->descriptor != begins)
			continue;
		if (is_headquarters(fact) && !theirs)
			return EVACUATION_HQ;
		if (owner == NULL && !(is_headquarters(fact) && theirs))
			owner = fact->mission;
	}
	return owner;
}

static struct evacuation_owners owners_of(const struct said *said,
					  const struct evacuation_owning *owning)
{
	return (struct evacuation_owners){
		owner_of(said, owning->begins, owning->theirs),
		owning->opens != NULL ? owner_of(said, owning->opens, owning->theirs) : NULL,
	};
}

struct evacuation_owners vl_evacuation_owners(struct vl_fold *fold,
					      const struct evacuation_owning *owning)
{
	const struct said *said = *vl_fold_slot(fold, EVACUATION_SLOT_SAID);

	return said == NULL ? (struct evacuation_owners){NULL, NULL} : owners_of(said, owning);
}

void vl_evacuation_take_said(struct vl_fold *fold, ProtobufCMessage *row,
			     const struct evacuation_owning *owning)
{
	const struct said *said = *vl_fold_slot(fold, EVACUATION_SLOT_SAID);
	size_t refused = 0;

	if (said == NULL)
		return;
	const struct evacuation_owners owners = owners_of(said, owning);
	const char *owner = owners.owner, *opener = owners.opener, *lead = NULL;
	for (size_t i = 0; i < said->count; i++) {
		const struct vl_fact *fact = said->facts[i];
		bool may = owner == NULL || is_headquarters(fact) ||
			   strcmp(fact->mission, owner) == 0 ||
			   (lead != NULL && strcmp(fact->mission, lead) == 0) ||
			   (opener != NULL && strcmp(fact->mission, opener) == 0);
		if (may) {
			vl_view_step(owning->steps, fold, row, fact);
			lead = owning->lead != NULL ? owning->lead(row) : NULL;
		} else if (refused++ < EVACUATION_TRIED_MAX && owning->violations != NULL) {
			vl_fold_violation(fold, owning->n_violations, owning->violations, "E12",
					  fact, "%s by %s changes nothing: it is %s's",
					  fact->payload->descriptor->short_name, fact->mission,
					  owner);
		}
	}
}
