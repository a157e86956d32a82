/*
 * What only the whole history of a traveller shows: which checks ask about them, how their
 * answers count, and what they add to checks, places and boards.
 */
#include "hq/views/traveller.h"

#include <string.h>

struct traveller_count vl_traveller_count(const TRAVELLER(TravellerRow) *row,
					  const TRAVELLER(Answer) *answer)
{
	struct traveller_count count = {.asked = answer->asked ? row->people : 0};
	/* A call for help goes first where more answer than there are. */
	count.help = answer->help < count.asked ? answer->help : count.asked;
	count.safe =
		answer->safe < count.asked - count.help ? answer->safe : count.asked - count.help;
	count.silent = count.asked - count.help - count.safe;
	count.beyond_help = answer->help - count.help;
	count.beyond_safe = answer->safe - count.safe;
	return count;
}

/* -- who is asked -- */

/* Presences in one place, by day; no two of them meet. */
struct here {
	TRAVELLER(Presence) *const *items;
	size_t count;
};

/* The last one that begins by then tells: those before it have ended sooner. */
static bool is_here(const struct here *here, const char *from, const char *until)
{
	size_t low = 0, high = here->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (strcmp(here->items[middle]->from, until) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 && vl_traveller_meets(here->items[low - 1], from, until);
}

static void finish_asked_in(struct vl_fold *fold, TRAVELLER(TravellerRow) *row,
			    const struct here *here)
{
	const TRAVELLER(AskedRow) *asked =
		(const void *)vl_fold_row(fold, TRAVELLER_KIND_ASKED, here->items[0]->place);
	for (size_t i = 0; asked != NULL && i < asked->n_asking; i++) {
		const TRAVELLER(Asking) *asking = asked->asking[i];
		if (!is_here(here, asking->from, asking->until))
			continue;
		TRAVELLER(Answer) *answer = vl_traveller_answer(fold, row, asking->check);
		if (answer != NULL)
			answer->asked = true;
	}
}

static int by_check(const void *left, const void *right)
{
	return strcmp(((const TRAVELLER(Answer) *)left)->check,
		      ((const TRAVELLER(Answer) *)right)->check);
}

static void finish_asked(struct vl_fold *fold, TRAVELLER(TravellerRow) *row)
{
	for (size_t from = 0, to; from < row->n_presences; from = to) {
		to = from + 1;
		while (to < row->n_presences &&
		       strcmp(row->presences[from]->place, row->presences[to]->place) == 0)
			to++;
		finish_asked_in(fold, row, &(struct here){row->presences + from, to - from});
	}
	vl_view_sort(fold, row->answers, row->n_answers, by_check);
}

static void finish_answers(struct vl_fold *fold, TRAVELLER(TravellerRow) *row)
{
	for (size_t i = 0; i < row->n_answers; i++) {
		TRAVELLER(Answer) *answer = row->answers[i];
		struct vl_fact fact = {.id = answer->event.data};
		uint64_t people = (uint64_t)answer->safe + answer->help;
		answer->silent = (uint32_t)vl_traveller_count(row, answer).silent;
		if (people > row->people)
			TRAVELLER_VIOLATION(fold, row, "T4", fact.id != NULL ? &fact : NULL,
					    "in %s %llu answer under a reference of %u",
					    answer->check, (unsigned long long)people, row->people);
	}
}

void vl_traveller_finish(struct vl_fold *fold, ProtobufCMessage *message)
{
	TRAVELLER(TravellerRow) *row = (void *)message;
	if (row->people == 0)
		row->people = 1;
	if (row->state == 0)
		TRAVELLER_VIOLATION(fold, row, "T1", NULL, "has not registered");
	vl_traveller_finish_presences(fold, row);
	finish_asked(fold, row);
	finish_answers(fold, row);
}

/* -- what is added to the others -- */

static void add_to_places(struct vl_fold *fold, const TRAVELLER(TravellerRow) *row)
{
	const char *key = vl_fold_key(fold);
	for (size_t i = 0; i < row->n_presences; i++) {
		const TRAVELLER(Presence) *presence = row->presences[i];
		const char *place = presence->place;
		if (i == 0 || strcmp(row->presences[i - 1]->place, place) != 0)
			vl_view_count(fold, TRAVELLER_KIND_ASKED, place, 1, "member/%s", key);
		vl_view_count(fold, TRAVELLER_KIND_PLACE, place, row->people, "%s arriving",
			      presence->from);
		vl_view_count(fold, TRAVELLER_KIND_PLACE, place, 1, "%s references arriving",
			      presence->from);
		if (presence->until[0] == '\0')
			continue;
		vl_view_count(fold, TRAVELLER_KIND_PLACE, place, row->people, "%s leaving",
			      presence->until);
		vl_view_count(fold, TRAVELLER_KIND_PLACE, place, 1, "%s references leaving",
			      presence->until);
	}
}

static void add_to_check(struct vl_fold *fold, const TRAVELLER(TravellerRow) *row,
			 const TRAVELLER(Answer) *answer)
{
	struct traveller_count count = vl_traveller_count(row, answer);
	const struct {
		const char *name;
		int64_t count;
	} tallies[] = {
		{"references", answer->asked},
		{"asked", count.asked},
		{"safe", count.safe},
		{"help", count.help},
		{"silent", count.silent},
		{"beyond safe", count.beyond_safe},
		{"beyond help", count.beyond_help},
	};
	for (size_t i = 0; i < sizeof(tallies) / sizeof(tallies[0]); i++)
		vl_view_count(fold, TRAVELLER_KIND_CHECK, answer->check, tallies[i].count, "%s",
			      tallies[i].name);
	vl_view_count(fold, TRAVELLER_KIND_CHECK, answer->check, answer->help, "%s/%s",
		      answer->follow_up[0] != '\0' ? "taken" : "open", vl_fold_key(fold));
}

void vl_traveller_contribute(struct vl_fold *fold, const ProtobufCMessage *message)
{
	const TRAVELLER(TravellerRow) *row = (const void *)message;
	add_to_places(fold, row);
	for (size_t i = 0; i < row->n_answers; i++)
		add_to_check(fold, row, row->answers[i]);
}
