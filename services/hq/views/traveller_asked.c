/*
 * Who asks about a place, and on which days.
 *
 * Everybody who is in the place has to know it, so that what a mission may ask has an end: of
 * its checks those that it opened last. Nobody takes a check out of the list but by opening
 * newer ones in its own name: where two missions opened the same check, it stays as long as one
 * of them keeps it there.
 */
#include "hq/views/traveller.h"

#include <string.h>

struct traveller_days vl_traveller_days_of(struct vl_fold *fold, const struct vl_fact *fact)
{
	const TRAVELLER(SafetyCheckOpened) *said = (const void *)fact->payload;
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
	size_t place; /* in the history */
	bool asks;
};

/* Those of one fold, in its slot. */
struct openings {
	struct opening **items;
	size_t count;
};

static struct openings *openings_of(struct vl_fold *fold)
{
	void **slot = vl_fold_slot(fold, 0);
	if (*slot == NULL)
		*slot = vl_fold_alloc(fold, sizeof(struct openings));
	return *slot;
}

void vl_traveller_asked_step(struct vl_fold *fold, ProtobufCMessage *message,
			     const struct vl_fact *fact)
{
	struct openings *all = openings_of(fold);
	struct opening *opening = vl_fold_alloc(fold, sizeof(*opening));
	(void)message;
	if (all == NULL || opening == NULL)
		return;
	struct opening **larger =
		vl_view_grow(fold, all->items, all->count, sizeof(struct opening *));
	if (larger == NULL)
		return;
	*opening = (struct opening){.check = vl_view_keep_ref(fold, fact->subject),
				    .mission = fact->mission,
				    .days = vl_traveller_days_of(fold, fact),
				    .place = all->count};
	all->items = larger;
	all->items[all->count++] = opening;
}

/* -- which of them ask -- */

static int by_mission_and_check(const void *left, const void *right)
{
	const struct opening *a = left, *b = right;
	int order = strcmp(a->mission, b->mission);
	return order != 0 ? order : strcmp(a->check, b->check);
}

static int by_mission_last_first(const void *left, const void *right)
{
	const struct opening *a = left, *b = right;
	int order = strcmp(a->mission, b->mission);
	return order != 0 ? order : (a->place < b->place) - (a->place > b->place);
}

static int by_check(const void *left, const void *right)
{
	const struct opening *a = left, *b = right;
	int order = strcmp(a->check, b->check);
	return order != 0 ? order : (a->place > b->place) - (a->place < b->place);
}

/* Of each mission and check the last opening; of each mission so many of those ask. */
static void choose(struct vl_fold *fold, struct openings *all)
{
	size_t kept = 0, rank = 0;
	vl_view_sort(fold, all->items, all->count, by_mission_and_check);
	for (size_t i = 0; i < all->count; i++) {
		if (i + 1 == all->count ||
		    by_mission_and_check(all->items[i], all->items[i + 1]) != 0)
			all->items[kept++] = all->items[i];
	}
	all->count = kept;
	vl_view_sort(fold, all->items, all->count, by_mission_last_first);
	for (size_t i = 0; i < all->count; i++) {
		bool same =
			i > 0 && strcmp(all->items[i - 1]->mission, all->items[i]->mission) == 0;
		rank = same ? rank + 1 : 0;
		all->items[i]->asks = rank < TRAVELLER_ASKING_MOST;
	}
}

static void list(struct vl_fold *fold, TRAVELLER(AskedRow) *row, const struct opening *last,
		 bool asks)
{
	if (!asks) {
		row->left_out++;
		return;
	}
	TRAVELLER(Asking) *asking =
		vl_fold_add(fold, TRAVELLER_DESCRIPTOR(asking), &row->n_asking, &row->asking);
	if (asking == NULL)
		return;
	asking->check = (char *)(uintptr_t)last->check;
	asking->from = last->days.from;
	asking->until = last->days.until;
}

void vl_traveller_asked_finish(struct vl_fold *fold, ProtobufCMessage *message)
{
	struct openings *all = openings_of(fold);
	if (all == NULL)
		return;
	choose(fold, all);
	vl_view_sort(fold, all->items, all->count, by_check);
	bool asks = false;
	for (size_t i = 0; i < all->count; i++) {
		const struct opening *opening = all->items[i];
		asks = asks || opening->asks;
		if (i + 1 < all->count && strcmp(opening->check, all->items[i + 1]->check) == 0)
			continue;
		list(fold, (void *)message, opening, asks);
		asks = false;
	}
}

bool vl_traveller_asks(struct vl_fold *fold, const char *check, const char *place)
{
	const TRAVELLER(AskedRow) *row =
		(const void *)vl_fold_row(fold, TRAVELLER_KIND_ASKED, place);
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
	const TRAVELLER(AskedRow) *row = (const void *)message;
	vl_fold_dirty_each(fold, TRAVELLER_KIND_TRAVELLER, "member/");
	for (size_t i = 0; row->n_asking >= TRAVELLER_ASKING_MOST && i < row->n_asking; i++)
		vl_fold_dirty(fold, TRAVELLER_KIND_CHECK, row->asking[i]->check);
}
