/*
 * What travellers answer to a check, which checks ask them, and how their answers count.
 */
#include "hq/fold/names.h"
#include "hq/views/traveller.h"

#include <string.h>

void vl_traveller_expect(struct vl_fold *fold, TravellerRow *row, const struct vl_fact *fact,
			 const char *what)
{
	if (row->state == REGISTRATION_STATE_WITHDRAWN)
		BREAKS(fold, row, "T5", fact, "%s after the registration was withdrawn", what);
}

/* The answer to `check`, made where there is none. The finish puts them in the order of their
 * names. */
static Answer *answer_of(struct vl_fold *fold, TravellerRow *row, const char *check)
{
	char *ref = vl_view_keep_ref(fold, check);
	Answer *answer = vl_names_item(fold, TRAVELLER_SLOT_ANSWERS, ref, MESSAGE(Answer),
				       &row->n_answers, &row->answers);
	if (answer != NULL)
		answer->check = ref;
	return answer;
}

void vl_traveller_reply(struct vl_fold *fold, ProtobufCMessage *message, const struct vl_fact *fact)
{
	TravellerRow *row = (void *)message;
	const SafetyReplied *event = (const void *)fact->payload;
	Answer *answer = answer_of(fold, row, event->check);
	vl_traveller_expect(fold, row, fact, "an answer");
	if (event->safe == 0 && event->help == 0)
		BREAKS(fold, row, "T4", fact, "an answer for nobody");
	if (answer == NULL)
		return;
	if (answer->answerer == ANSWERER_SELF && event->answerer != ANSWERER_SELF) {
		if (event->help < answer->help)
			BREAKS(fold, row, "T8", fact, "their own call for help in %s is taken back",
			       answer->check);
		answer->said_safe = event->safe;
		answer->said_help = event->help;
		return;
	}
	answer->safe = event->safe;
	answer->help = event->help;
	/* Whoever took up an earlier call does not know of this one. */
	if (event->help > 0)
		answer->follow_up = (char *)(uintptr_t)protobuf_c_empty_string;
	answer->said_safe = answer->said_help = 0;
	answer->answerer = event->answerer;
	answer->place = event->place;
	answer->at = vl_view_stamp(fold, fact->occurred_at);
	answer->event = vl_view_id(fact);
}

void vl_traveller_take_up(struct vl_fold *fold, ProtobufCMessage *message,
			  const struct vl_fact *fact)
{
	TravellerRow *row = (void *)message;
	const HelpTakenUp *event = (const void *)fact->payload;
	Answer *answer = answer_of(fold, row, event->check);
	if (answer != NULL)
		answer->follow_up = event->follow_up[0] != '\0' ? event->follow_up : "?";
}

/* -- how answers count -- */

/* Of those asked so many are safe, in need of help, silent; and so many answer beyond. */
struct count {
	int64_t asked, safe, help, silent, beyond_safe, beyond_help;
};

static struct count count_of(const TravellerRow *row, const Answer *answer)
{
	struct count count = {.asked = answer->asked ? row->people - (int64_t)answer->left : 0};
	/* A call for help goes first where more answer than there are. */
	count.help = answer->help < count.asked ? answer->help : count.asked;
	count.safe =
		answer->safe < count.asked - count.help ? answer->safe : count.asked - count.help;
	count.silent = count.asked - count.help - count.safe;
	count.beyond_help = answer->help - count.help;
	count.beyond_safe = answer->safe - count.safe;
	return count;
}

/* Presences in one place, by day; no two of them meet. */
struct here {
	Presence *const *items;
	size_t count;
};

/* The last one that begins by then tells: those before it have ended sooner. */
static const Presence *find_here(const struct here *here, const char *from, const char *until)
{
	size_t low = 0, high = here->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (strcmp(here->items[middle]->from, until) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 && vl_traveller_meets(here->items[low - 1], from, until)
		       ? here->items[low - 1]
		       : NULL;
}

static void ask_in(struct vl_fold *fold, TravellerRow *row, const struct here *here)
{
	const AskedRow *asked =
		(const void *)vl_fold_row(fold, TRAVELLER_KIND_ASKED, here->items[0]->place);
	for (size_t i = 0; asked != NULL && i < asked->n_asking; i++) {
		const Asking *asking = asked->asking[i];
		const Presence *presence = find_here(here, asking->from, asking->until);
		Answer *answer = presence != NULL ? answer_of(fold, row, asking->check) : NULL;
		if (answer == NULL)
			continue;
		uint32_t left = vl_traveller_left(presence, asking->from);
		answer->left = answer->asked && answer->left < left ? answer->left : left;
		answer->asked = true;
	}
}

static int by_check(const void *left, const void *right)
{
	return strcmp(((const Answer *)left)->check, ((const Answer *)right)->check);
}

static void finish_asked(struct vl_fold *fold, TravellerRow *row)
{
	for (size_t from = 0, to; from < row->n_presences; from = to) {
		to = from + 1;
		while (to < row->n_presences &&
		       strcmp(row->presences[from]->place, row->presences[to]->place) == 0)
			to++;
		ask_in(fold, row, &(struct here){row->presences + from, to - from});
	}
	vl_view_sort(fold, row->answers, row->n_answers, by_check);
}

void vl_traveller_finish_answers(struct vl_fold *fold, TravellerRow *row)
{
	finish_asked(fold, row);
	for (size_t i = 0; i < row->n_answers; i++) {
		Answer *answer = row->answers[i];
		struct vl_fact fact = {.id = answer->event.data};
		uint64_t people = (uint64_t)answer->safe + answer->help;
		answer->silent = (uint32_t)count_of(row, answer).silent;
		if (people > row->people)
			BREAKS(fold, row, "T4", fact.id != NULL ? &fact : NULL,
			       "in %s %llu answer under a reference of %u", answer->check,
			       (unsigned long long)people, row->people);
	}
}

/* -- what a check sums up -- */

void vl_traveller_add_to_check(struct vl_fold *fold, const TravellerRow *row, const Answer *answer)
{
	const struct count count = count_of(row, answer);
	const struct {
		const char *name;
		int64_t count;
	} sums[] = {
		{"references", answer->asked},
		{"asked", count.asked},
		{"safe", count.safe},
		{"help", count.help},
		{"silent", count.silent},
		{"beyond_safe", count.beyond_safe},
		{"beyond_help", count.beyond_help},
	};
	for (size_t i = 0; i < sizeof(sums) / sizeof(sums[0]); i++)
		vl_view_count(fold, TRAVELLER_KIND_CHECK, answer->check, sums[i].count, "%s",
			      sums[i].name);
	vl_view_count(fold, TRAVELLER_KIND_CHECK, answer->check, answer->help, "help_%s/%s",
		      answer->follow_up[0] != '\0' ? "taken_up" : "open", vl_fold_key(fold));
}
