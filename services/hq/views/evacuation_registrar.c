/*
 * Registrar: whose a reference is, for whoever wants to merge it with another (E12).
 *
 * It is apart from the registration because merges come before registrations, which count under
 * what the merges say.
 */
#include "evacuation.h"

#include <string.h>

EVACUATION_STEP(registrar)
{
	EV(RegistrarRow) *registrar = (EV(RegistrarRow) *)row;
	const ProtobufCMessageDescriptor *type = fact->payload->descriptor;
	if (type == &EV_TYPE(persons_merged))
		registrar->merged = true;
	else if (vl_evacuation_is_empty(registrar->mission))
		registrar->mission = vl_view_keep(fold, fact->mission);
}

EVACUATION_CONTRIBUTE(registrar)
{
	if (((const EV(RegistrarRow) *)row)->merged)
		vl_fold_dirty(fold, EVACUATION_MERGES, EVACUATION_ALL);
}

static bool registered(struct vl_fold *fold, const char *mission, const char *reference)
{
	const EV(RegistrarRow) *row =
		(const EV(RegistrarRow) *)vl_fold_row(fold, EVACUATION_REGISTRAR, reference);
	return row != NULL && strcmp(row->mission, mission) == 0;
}

bool vl_evacuation_may_merge(struct vl_fold *fold, const char *mission, const char *person,
			     const char *kept)
{
	return strcmp(mission, EVACUATION_HQ) == 0 ||
	       (registered(fold, mission, person) && registered(fold, mission, kept));
}
