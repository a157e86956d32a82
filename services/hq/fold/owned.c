/*
 * What is its owner's to say: the facts are kept until all are known, and then act on the row where
 * their sender may say them.
 */
#include "bus/types.h"
#include "hq/fold/bound.h"

#include <string.h>

/* What was said, in its order. */
struct said {
	const struct vl_fact **facts;
	size_t count;
};

void bound_owned_keep(struct vl_fold *fold, const struct vl_fact *fact)
{
	void **slot = vl_fold_slot(fold, VL_FOLD_SLOT_OWNED);
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
	return strcmp(fact->mission, VL_HEADQUARTERS) == 0;
}

static const char *first_to_say(const struct said *said, const ProtobufCMessageDescriptor *type,
				bool theirs)
{
	const char *first = NULL;

	for (size_t i = 0; type != NULL && i < said->count; i++) {
		const struct vl_fact *fact = said->facts[i];
		if (fact->payload->descriptor != type)
			continue;
		if (is_headquarters(fact) && !theirs)
			return VL_HEADQUARTERS;
		if (first == NULL && !(is_headquarters(fact) && theirs))
			first = fact->mission;
	}
	return first;
}

struct vl_owners vl_owners_of(struct vl_fold *fold, const struct vl_owned *owned)
{
	const struct said *said = *vl_fold_slot(fold, VL_FOLD_SLOT_OWNED);

	if (said == NULL)
		return (struct vl_owners){NULL, NULL};
	return (struct vl_owners){first_to_say(said, owned->begins, owned->theirs),
				  first_to_say(said, owned->opens, owned->theirs)};
}

static bool may_say(const struct vl_fact *fact, const struct vl_owners *owners, const char *lead)
{
	return owners->owner == NULL || is_headquarters(fact) ||
	       strcmp(fact->mission, owners->owner) == 0 ||
	       (owners->opener != NULL && strcmp(fact->mission, owners->opener) == 0) ||
	       (lead != NULL && strcmp(fact->mission, lead) == 0);
}

static void refuse(const struct bound_kind *kind, struct vl_fold *fold, ProtobufCMessage *row,
		   const struct vl_fact *fact, const char *owner)
{
	char *detail = vl_fold_printf(fold, "%s by %s changes nothing: it is %s's",
				      fact->payload->descriptor->short_name, fact->mission, owner);

	if (detail != NULL)
		bound_violation(kind, fold, row, kind->kind->owned->rule, fact, detail);
}

void bound_owned_finish(const struct vl_bound *bound, unsigned rank, struct vl_fold *fold,
			ProtobufCMessage *row)
{
	const struct bound_kind *kind = &bound->kinds[rank];
	const struct vl_owned *owned = kind->kind->owned;
	const struct said *said = *vl_fold_slot(fold, VL_FOLD_SLOT_OWNED);
	const struct vl_owners owners = vl_owners_of(fold, owned);
	const char *lead = NULL;
	size_t refused = 0;

	for (size_t i = 0; said != NULL && i < said->count; i++) {
		const struct vl_fact *fact = said->facts[i];
		const struct bound_event *event = bound_event_of(bound, fact->payload->descriptor);
		if (!event->work[rank].waits)
			continue;
		if (may_say(fact, &owners, lead)) {
			bound_apply(kind, &event->work[rank], fold, row, fact);
			lead = kind->lead != NULL ? vl_value_get(row, kind->lead).text : NULL;
		} else if (owned->rule != NULL && refused++ < VL_TRIED_MOST) {
			refuse(kind, fold, row, fact, owners.owner);
		}
	}
}
