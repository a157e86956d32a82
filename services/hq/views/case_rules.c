/*
 * What only the whole history of a case shows: the rules that need its last word on type or
 * state, and what the case adds to the boards.
 */
#include "hq/views/case.h"

#include <stdio.h>
#include <string.h>

#define VIOLATION "violation/"

bool vl_case_ended(CASE(CaseState) state)
{
	return state == CASE_STATE(CLOSED) || state == CASE_STATE(CONSULTATION_ONLY) ||
	       state == CASE_STATE(MERGED_INTO) || state == CASE_STATE(REFERRED_OUT) ||
	       state == CASE_STATE(INELIGIBLE) || state == CASE_STATE(REFUSED_BY_SUBJECT);
}

/* That of the types that this build does not know is 0: there may be any number of them. */
static int group_of(int type)
{
	return vl_view_rank(&consular__case__v1__case_type__descriptor, type) / 100 * 100;
}

static bool detention(const CASE(CaseRow) *row)
{
	return row->type == CASE_TYPE(LAW) || row->type == CASE_TYPE(ARREST_DETENTION) ||
	       row->type == CASE_TYPE(SENTENCE_SERVED) ||
	       row->type == CASE_TYPE(IMMIGRATION_DETENTION);
}

static bool death(const CASE(CaseRow) *row)
{
	return row->type == CASE_TYPE(DEATH_NATURAL) ||
	       row->type == CASE_TYPE(DEATH_ACCIDENT_VIOLENCE) ||
	       row->type == CASE_TYPE(MASS_CASUALTY) ||
	       row->outcome == CONSULAR__CASE__V1__OUTCOME__OUTCOME_FOUND_DEAD;
}

/* C3 holds in cases of detention and C4 in cases of death; which they are, the last word on the
 * type says. */
static void drop_what_does_not_apply(CASE(CaseRow) *row)
{
	size_t kept = 0;
	for (size_t i = 0; i < row->n_violations; i++) {
		const char *rule = row->violations[i]->rule;
		if (strcmp(rule, "C3") == 0 && !detention(row))
			continue;
		if (strcmp(rule, "C4") == 0 && !death(row))
			continue;
		row->violations[kept++] = row->violations[i];
	}
	row->n_violations = kept;
}

/* C7. */
static void finish_closed(struct vl_fold *fold, CASE(CaseRow) *row)
{
	if (row->state != CASE_STATE(CLOSED))
		return;
	if (vl_view_rank(&consular__case__v1__outcome__descriptor, (int)row->outcome) == 0)
		CASE_VIOLATION(fold, row, "C7", NULL, "closed without an outcome");
	if (vl_case_count_of(row, "ContactMade") == 0 &&
	    vl_view_rank(&consular__case__v1__unable_reason__descriptor, (int)row->unable) == 0)
		CASE_VIOLATION(fold, row, "C7", NULL,
			       "closed without a contact or a reason why none was made");
	if (group_of((int)row->type) == CASE_TYPE(GUARDIANSHIP) &&
	    vl_case_count_of(row, "FamilyNotified") == 0 &&
	    vl_case_count_of(row, "ProvinceNotified") == 0)
		CASE_VIOLATION(fold, row, "C7", NULL, "closed before family or province was told");
}

struct names {
	struct vl_fold *fold;
	CASE(CaseRow) *row;
};

static void add_merged(void *context, const char *name, int64_t value)
{
	const struct names *names = context;
	if (value > 0)
		vl_fold_add_text(names->fold, name + strlen("merged/"), &names->row->n_merged_from,
				 &names->row->merged_from);
}

static void finish_merge(struct vl_fold *fold, CASE(CaseRow) *row)
{
	const char *key = vl_fold_key(fold);
	struct names names = {fold, row};
	vl_fold_each_tally(fold, CASE_KIND_CASE, key, "merged/", add_merged, &names);
	if (row->merged_into[0] == '\0')
		return;
	if (vl_fold_tally(fold, CASE_KIND_CASE, key, "circle") > 0) {
		CASE_VIOLATION(fold, row, "C6", NULL, "merging into %s would close a circle",
			       row->merged_into);
		row->merged_into = (char *)(uintptr_t)protobuf_c_empty_string;
		return;
	}
	row->state = CASE_STATE(MERGED_INTO);
}

void vl_case_finish(struct vl_fold *fold, ProtobufCMessage *message)
{
	CASE(CaseRow) *row = (void *)message;
	drop_what_does_not_apply(row);
	vl_case_finish_clocks(fold, row);
	finish_closed(fold, row);
	vl_case_finish_owner(fold, row);
	finish_merge(fold, row);
}

/* -- what the boards sum up -- */

static void add(struct vl_fold *fold, const CASE(CaseRow) *row, const char *name, int64_t count)
{
	if (count == 0)
		return;
	vl_fold_contribute(fold, CASE_KIND_BOARD, CASE_BOARD_ALL, name, count);
	if (row->owner[0] != '\0')
		vl_fold_contribute(fold, CASE_KIND_BOARD, row->owner, name, count);
}

static void add_named(struct vl_fold *fold, const CASE(CaseRow) *row, const char *prefix,
		      const ProtobufCEnumDescriptor *type, size_t skip, int value)
{
	char *text = vl_case_enum(fold, type, skip, value);
	char *name = vl_fold_printf(fold, "%s%s", prefix, text != NULL ? text : "");
	if (name != NULL)
		add(fold, row, name, 1);
}

static void add_group(struct vl_fold *fold, const CASE(CaseRow) *row)
{
	int group = group_of((int)row->type);
	char *text = vl_case_enum(fold, CASE_TYPE_TEXT, group);
	char *name = vl_fold_printf(fold, "group/%04d %s", group, text != NULL ? text : "");
	if (name != NULL)
		add(fold, row, name, 1);
}

static void add_violations(struct vl_fold *fold, const CASE(CaseRow) *row)
{
	for (size_t i = 0; i < row->n_violations; i++) {
		char name[32];
		snprintf(name, sizeof(name), VIOLATION "%s", row->violations[i]->rule);
		add(fold, row, name, 1);
	}
}

void vl_case_contribute(struct vl_fold *fold, const ProtobufCMessage *message)
{
	const CASE(CaseRow) *row = (const void *)message;
	int64_t breached = 0;
	for (size_t i = 0; i < row->n_clocks; i++)
		breached += row->clocks[i]->breached;
	bool opened = row->opened_by[0] != '\0', merged = row->state == CASE_STATE(MERGED_INTO);
	add_violations(fold, row);
	add(fold, row, "breached", breached);
	add(fold, row, "late", (int64_t)row->n_late);
	if (opened) {
		add(fold, row, merged ? "merged" : "case", 1);
		add_named(fold, row, "state/", CASE_STATE_TEXT, row->state);
		if (!vl_case_ended(row->state))
			add(fold, row, "open", 1);
	} else {
		add(fold, row, row->consultation ? "consultation" : "unopened", 1);
	}
	if (merged || (!opened && !row->consultation))
		return;
	add(fold, row, "incident", 1);
	add(fold, row, "persons", row->persons);
	add_group(fold, row);
	if (opened &&
	    vl_view_rank(&consular__case__v1__priority__descriptor, (int)row->priority) != 0)
		add_named(fold, row, "priority/", CASE_PRIORITY_TEXT, row->priority);
}
