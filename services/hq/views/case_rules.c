/*
 * What only the whole history of a case shows: the rules that need its last word on type or
 * state, and what the case adds to the boards.
 */
#include "hq/fold/heads.h"
#include "hq/views/case.h"

#include <inttypes.h>
#include <string.h>

bool vl_case_ended(CaseState state)
{
	return state == CASE_STATE_CLOSED || state == CASE_STATE_CONSULTATION_ONLY ||
	       state == CASE_STATE_MERGED_INTO || state == CASE_STATE_REFERRED_OUT ||
	       state == CASE_STATE_INELIGIBLE || state == CASE_STATE_REFUSED_BY_SUBJECT;
}

/* That of the types that this build does not know is 0: there may be any number of them. */
static int group_of(int type)
{
	return vl_view_rank(MESSAGE(CaseType), type) / 100 * 100;
}

static bool detention(const CaseRow *row)
{
	return row->type == CASE_TYPE_LAW || row->type == CASE_TYPE_ARREST_DETENTION ||
	       row->type == CASE_TYPE_SENTENCE_SERVED ||
	       row->type == CASE_TYPE_IMMIGRATION_DETENTION;
}

static bool death(const CaseRow *row)
{
	return row->type == CASE_TYPE_DEATH_NATURAL ||
	       row->type == CASE_TYPE_DEATH_ACCIDENT_VIOLENCE ||
	       row->type == CASE_TYPE_MASS_CASUALTY || row->outcome == OUTCOME_FOUND_DEAD;
}

/* C3 holds in cases of detention and C4 in cases of death; which they are, the last word on the
 * type says. */
static void drop_what_does_not_apply(CaseRow *row)
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
static void finish_closed(struct vl_fold *fold, CaseRow *row)
{
	if (row->state != CASE_STATE_CLOSED)
		return;
	if (vl_view_rank(MESSAGE(Outcome), (int)row->outcome) == 0)
		BREAKS(fold, row, "C7", NULL, "closed without an outcome");
	if (vl_case_count_of(row, "ContactMade") == 0 &&
	    vl_view_rank(MESSAGE(UnableReason), (int)row->unable) == 0)
		BREAKS(fold, row, "C7", NULL,
		       "closed without a contact or a reason why none was made");
	if (group_of((int)row->type) == CASE_TYPE_GUARDIANSHIP &&
	    vl_case_count_of(row, "FamilyNotified") == 0 &&
	    vl_case_count_of(row, "ProvinceNotified") == 0)
		BREAKS(fold, row, "C7", NULL, "closed before family or province was told");
}

struct names {
	struct vl_fold *fold;
	CaseRow *row;
};

static void add_merged(void *context, const char *name, int64_t value)
{
	const struct names *names = context;
	if (value > 0)
		vl_fold_add_text(names->fold, name + strlen("merged/"), &names->row->n_merged_from,
				 &names->row->merged_from);
}

static void finish_merge(struct vl_fold *fold, CaseRow *row)
{
	const char *key = vl_fold_key(fold);
	struct names names = {fold, row};
	vl_fold_each_tally(fold, CASE_KIND_CASE, key, "merged/", add_merged, &names);
	if (row->merged_into[0] == '\0')
		return;
	if (vl_fold_tally(fold, CASE_KIND_CASE, key, "circle") > 0) {
		BREAKS(fold, row, "C6", NULL, "merging into %s would close a circle",
		       row->merged_into);
		row->merged_into = (char *)(uintptr_t)protobuf_c_empty_string;
		return;
	}
	row->state = CASE_STATE_MERGED_INTO;
}

FINISH(vl_case_finish, CaseRow)
{
	drop_what_does_not_apply(row);
	vl_case_finish_clocks(fold, row);
	finish_closed(fold, row);
	vl_case_finish_owner(fold, row);
	finish_merge(fold, row);
}

/* -- what the boards sum up -- */

static TEST(is_case, CaseRow)
{
	return row->opened_by[0] != '\0' && row->state != CASE_STATE_MERGED_INTO;
}
static TEST(merged, CaseRow)
{
	return row->opened_by[0] != '\0' && row->state == CASE_STATE_MERGED_INTO;
}
static TEST(opened, CaseRow)
{
	return row->opened_by[0] != '\0';
}
static TEST(open, CaseRow)
{
	return row->opened_by[0] != '\0' && !vl_case_ended(row->state);
}
static TEST(consultation, CaseRow)
{
	return row->opened_by[0] == '\0' && row->consultation;
}
static TEST(unopened, CaseRow)
{
	return row->opened_by[0] == '\0' && !row->consultation;
}
static TEST(incident, CaseRow)
{
	return row->state != CASE_STATE_MERGED_INTO && !unopened_(row);
}
static TEST(prioritised, CaseRow)
{
	return is_case_(row) && vl_view_rank(MESSAGE(Priority), (int)row->priority) != 0;
}

/* clang-format off */
static const struct vl_sum sums[] = {
	{F(BoardRow, incidents), .when = IF(incident)},
	{F(BoardRow, consultations), .when = IF(consultation)},
	{F(BoardRow, cases), .when = IF(is_case)},
	{F(BoardRow, open), .when = IF(open)},
	{F(BoardRow, merged), .when = IF(merged)},
	{F(BoardRow, unopened), .when = IF(unopened)},
	{F(BoardRow, persons), F(CaseRow, persons), .when = IF(incident)},
	{F(BoardRow, by_state), .group = F(CaseRow, state), .when = IF(opened)},
	{F(BoardRow, by_priority), .group = F(CaseRow, priority), .when = IF(prioritised)},
	{F(BoardRow, violations_by_rule), .group = BROKEN_RULES},
	END,
};
const struct vl_target vl_case_targets[] = {
	{CASE_KIND_BOARD, .fixed = "all", .sums = sums},
	{CASE_KIND_BOARD, .key = F(CaseRow, owner), .sums = sums},
	END,
};
const struct vl_field vl_case_board_summed[] = {
	F(BoardRow, breached_clocks), F(BoardRow, late_facts), F(BoardRow, by_group), END};
/* clang-format on */

static void add_to(struct vl_fold *fold, const CaseRow *row, const char *board)
{
	int64_t breached = 0;
	int group = group_of((int)row->type);
	for (size_t i = 0; i < row->n_clocks; i++)
		breached += row->clocks[i]->breached;
	vl_view_count(fold, CASE_KIND_BOARD, board, breached, "breached_clocks");
	vl_view_count(fold, CASE_KIND_BOARD, board, (int64_t)row->n_late, "late_facts");
	vl_view_count(fold, CASE_KIND_BOARD, board, incident_(row), "by_group/%04d %s", group,
		      vl_case_name(fold, MESSAGE(CaseType), group));
}

CONTRIBUTE(vl_case_contribute, CaseRow)
{
	add_to(fold, row, "all");
	add_to(fold, row, row->owner);
}

/* A figure published at an offset can be made again from that offset (C9). */
FINISH(vl_case_board_finish, BoardRow)
{
	if (row->incidents != row->consultations + row->cases)
		BREAKS(fold, row, "C9", NULL,
		       "%" PRId64 " incidents, but %" PRId64 " consultations and cases",
		       row->incidents, row->consultations + row->cases);
}
