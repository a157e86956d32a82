/*
 * Who asks about a place, and on which days.
 *
 * Everybody who is in the place has to know it, so that what a mission may ask has an end: of
 * its checks those that it opened last. Nobody takes a check out of the list but by opening
 * newer ones in its own name: where two missions opened the same check, it stays as long as one
 * of them keeps it there.
 */
#include "hq/fold/heads.h"
#include "hq/fold/names.h"
#include "hq/views/traveller.h"

#include <string.h>

struct traveller_days vl_traveller_days_of(struct vl_fold *fold, const SafetyCheckOpened *said,
					   const struct vl_fact *fact)
{
	const Google__Protobuf__Timestamp *from = said->from != NULL ? said->from : said->until;
	const Google__Protobuf__Timestamp *until = said->until != NULL ? said->until : said->from;
	struct vl_time told = fact->occurred_at;
	return (struct traveller_days){
		vl_traveller_keep_day(fold, from != NULL ? vl_view_time(from) : told),
		vl_traveller_keep_day(fold, until != NULL ? vl_view_time(until) : told)};
}

/* -- one opening after another -- */

struct opening {
	const char *check, *mission;
	struct traveller_days days;
	bool asks;
};

/* Those of one fold, in its slot; and by name: each mission's checks, how many checks each mission
 * has, each check. */
struct openings {
	struct opening **items;
	size_t count;
};
enum { SLOT_OPENINGS, SLOT_PAIRS, SLOT_MISSIONS, SLOT_CHECKS };

static void add(struct vl_fold *fold, struct openings *all, struct opening *opening)
{
	struct opening **larger =
		vl_view_grow(fold, all->items, all->count, sizeof(struct opening *));
	if (larger == NULL)
		return;
	all->items = larger;
	all->items[all->count++] = opening;
}

static STEP(keep_opening, AskedRow, SafetyCheckOpened)
{
	void **slot = vl_fold_slot(fold, SLOT_OPENINGS);
	struct openings *all = *slot != NULL ? *slot : (*slot = vl_fold_alloc(fold, sizeof(*all)));
	struct opening *opening = vl_fold_alloc(fold, sizeof(*opening));
	if (all == NULL || opening == NULL)
		return;
	*opening = (struct opening){.check = vl_view_keep_ref(fold, fact->subject),
				    .mission = fact->mission,
				    .days = vl_traveller_days_of(fold, event, fact)};
	add(fold, all, opening);
}

const struct vl_step vl_traveller_asked_steps[] = {{MESSAGE(SafetyCheckOpened), keep_opening}, END};

/* -- which of them ask -- */

static int by_check(const void *left, const void *right)
{
	return strcmp(((const struct opening *)left)->check,
		      ((const struct opening *)right)->check);
}

/* From the last opening to the first. Of each mission and check the last one counts, and of each
 * mission so many of those ask; a check asks on the days of its last opening. */
static void choose(struct vl_fold *fold, const struct openings *all, struct openings *checks)
{
	for (size_t i = all->count; i-- > 0;) {
		struct opening *one = all->items[i];
		const char *pair = vl_fold_printf(fold, "%s\t%s", one->mission, one->check);
		void **seen = pair == NULL
				      ? NULL
				      : vl_names_at(fold, vl_fold_slot(fold, SLOT_PAIRS), pair);
		if (seen == NULL || *seen != NULL)
			continue;
		*seen = one;
		void **rank = vl_names_at(fold, vl_fold_slot(fold, SLOT_MISSIONS), one->mission);
		void **last = vl_names_at(fold, vl_fold_slot(fold, SLOT_CHECKS), one->check);
		if (rank == NULL || last == NULL)
			return;
		if (*last == NULL)
			add(fold, checks, *last = one);
		((struct opening *)*last)->asks |= (uintptr_t)*rank < TRAVELLER_ASKING_MOST;
		*rank = (void *)((uintptr_t)*rank + 1);
	}
	vl_view_sort(fold, checks->items, checks->count, by_check);
}

void vl_traveller_asked_finish(struct vl_fold *fold, ProtobufCMessage *message)
{
	AskedRow *row = (void *)message;
	const struct openings *all = *vl_fold_slot(fold, SLOT_OPENINGS);
	struct openings checks = {0};
	if (all != NULL)
		choose(fold, all, &checks);
	for (size_t i = 0; i < checks.count; i++) {
		const struct opening *last = checks.items[i];
		row->left_out += !last->asks;
		Asking *asking = last->asks ? vl_fold_add(fold, MESSAGE(Asking), &row->n_asking,
							  &row->asking)
					    : NULL;
		if (asking == NULL)
			continue;
		asking->check = (char *)(uintptr_t)last->check;
		asking->from = last->days.from;
		asking->until = last->days.until;
	}
}

bool vl_traveller_asks(struct vl_fold *fold, const char *check, const char *place)
{
	const AskedRow *row = (const void *)vl_fold_row(fold, TRAVELLER_KIND_ASKED, place);
	size_t low = 0, high = row == NULL ? 0 : row->n_asking;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(row->asking[middle]->check, check);
		if (order == 0)
			return true;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return row == NULL || row->left_out == 0;
}

/* -- who has to know -- */

/* A check that stays out of the list after another came is in the row before. */
void vl_traveller_asked_contribute(struct vl_fold *fold, const ProtobufCMessage *message)
{
	const AskedRow *row = (const void *)message;
	vl_fold_dirty_each(fold, TRAVELLER_KIND_TRAVELLER, "member/");
	for (size_t i = 0; row->n_asking >= TRAVELLER_ASKING_MOST && i < row->n_asking; i++)
		vl_fold_dirty(fold, TRAVELLER_KIND_CHECK, row->asking[i]->check);
}
