/*
 * Crisis: what was declared under article 15, and its operations together.
 */
#include "evacuation.h"

static EV(CrisisRow) *row_of(ProtobufCMessage *row)
{
	return (EV(CrisisRow) *)row;
}

static void take_declared(struct vl_fold *fold, ProtobufCMessage *message,
			  const struct vl_fact *fact)
{
	const EV(CrisisDeclared) *declared = (const EV(CrisisDeclared) *)fact->payload;
	EV(CrisisRow) *row = row_of(message);
	row->kind = declared->kind;
	row->title = vl_view_keep(fold, declared->title);
	row->n_countries = 0;
	for (size_t i = 0; i < declared->n_countries; i++)
		vl_fold_add_text(fold, vl_view_keep(fold, declared->countries[i]),
				 &row->n_countries, &row->countries);
	row->status = CRISIS_STATUS(DECLARED);
	if (row->declared_at == NULL)
		row->declared_at = vl_view_stamp(fold, fact->occurred_at);
}

static void take_ended(struct vl_fold *fold, ProtobufCMessage *message, const struct vl_fact *fact)
{
	EV(CrisisRow) *row = row_of(message);
	row->status = CRISIS_STATUS(ENDED);
	row->ended_at = vl_view_stamp(fold, fact->occurred_at);
}

static void keep(struct vl_fold *fold, ProtobufCMessage *message, const struct vl_fact *fact)
{
	(void)message;
	vl_evacuation_keep_said(fold, fact);
}

static const struct vl_step owned[] = {
	{&EV_TYPE(crisis_declared), take_declared},
	{&EV_TYPE(crisis_ended), take_ended},
	{NULL, NULL},
};

static const struct vl_step steps[] = {
	{&EV_TYPE(crisis_declared), keep},
	{&EV_TYPE(crisis_ended), keep},
	{NULL, NULL},
};

EVACUATION_STEP(crisis)
{
	vl_view_step(steps, fold, row, fact);
}

EVACUATION_FINISH(crisis)
{
	EV(CrisisRow) *crisis = row_of(row);
	vl_evacuation_take_said(fold, row,
				&(struct evacuation_owning){.begins = &EV_TYPE(crisis_declared),
							    .steps = owned,
							    .n_violations = &crisis->n_violations,
							    .violations = &crisis->violations});
	const struct {
		const char *name;
		int64_t *count;
	} counts[] = {
		{"operations", &crisis->operations},
		{"persons", &crisis->persons},
		{"nationals", &crisis->nationals},
		{"foreign", &crisis->foreign},
		{"out", &crisis->out},
		{"home", &crisis->home},
	};
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		*counts[i].count =
			vl_fold_tally(fold, EVACUATION_CRISIS, vl_fold_key(fold), counts[i].name);
	struct evacuation_rules rules;
	vl_evacuation_rules(fold, EVACUATION_CRISIS, crisis->n_violations, crisis->violations,
			    &rules);
	crisis->n_violations_by_rule = rules.count;
	crisis->violations_by_rule = rules.items;
	crisis->violations_total = rules.total;
}
