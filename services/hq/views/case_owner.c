/*
 * Exactly one mission owns a case at every moment (C1): who opened it, until it is assigned
 * once; from then on it moves only by offer and accept, and its old owner, who may be off line,
 * owns it until the accept. An answer finds its offer by name, so that it counts even where two
 * missions' clocks put it first.
 */
#include "hq/fold/names.h"
#include "hq/views/case.h"

#include <string.h>

bool vl_case_may_move(const CASE(CaseRow) *row, const struct vl_fact *fact)
{
	return row->owner[0] == '\0' || strcmp(fact->mission, row->owner) == 0 ||
	       strcmp(fact->mission, CASE_HQ) == 0;
}

bool vl_case_may_merge(const CASE(CaseRow) *row, const struct vl_fact *fact)
{
	return vl_case_may_move(row, fact) &&
	       (row->owner[0] != '\0' || strcmp(fact->mission, CASE_HQ) == 0);
}

void vl_case_assigned(struct vl_fold *fold, CASE(CaseRow) *row, const struct vl_fact *fact)
{
	const CASE(CaseAssigned) *event = (const void *)fact->payload;
	const char *mission = event->mission[0] != '\0' ? event->mission : fact->mission;
	/* A mission's own opening comes before its own assignment, whatever the clocks say. */
	if (row->owner[0] == '\0' && strcmp(fact->mission, CASE_HQ) != 0) {
		CASE_VIOLATION(fold, row, "C1", fact, "assigned to %s by %s, which does not own it",
			       mission, fact->mission);
		return;
	}
	if (row->assigned && strcmp(mission, row->owner) != 0) {
		CASE_VIOLATION(fold, row, "C1", fact, "assigned to %s by %s while %s owns it",
			       mission, fact->mission, row->owner);
		return;
	}
	row->owner = (char *)(uintptr_t)mission;
	row->officer = event->officer;
	row->assigned = true;
	if (row->state < CASE_STATE(ASSIGNED))
		row->state = CASE_STATE(ASSIGNED);
}

/* A transfer, and its index among those of the row. */
struct placed {
	CASE(Transfer) *offer;
	size_t place;
};

/* NULL where the name is empty or new. */
static const struct placed *find_named(struct vl_fold *fold, const char *transfer)
{
	return transfer[0] == '\0'
		       ? NULL
		       : vl_names_find(vl_fold_slot(fold, CASE_SLOT_TRANSFERS), transfer);
}

/* NULL when out of memory. */
static const struct placed *add_transfer(struct vl_fold *fold, CASE(CaseRow) *row,
					 const char *transfer)
{
	struct placed *placed = vl_fold_alloc(fold, sizeof(*placed));
	void **named = vl_names_at(fold, vl_fold_slot(fold, CASE_SLOT_TRANSFERS), transfer);
	CASE(Transfer) *offer =
		vl_fold_add(fold, CASE_DESCRIPTOR(transfer), &row->n_transfers, &row->transfers);
	if (placed == NULL || named == NULL || offer == NULL)
		return NULL;
	offer->transfer = (char *)(uintptr_t)transfer;
	*placed = (struct placed){offer, row->n_transfers - 1};
	return *named = placed;
}

static void hand_over(struct vl_fold *fold, CASE(CaseRow) *row, CASE(Transfer) *accepted)
{
	row->owner = accepted->to;
	row->officer = (char *)(uintptr_t)protobuf_c_empty_string;
	row->assigned = true;
	for (CASE(Transfer) *open; (open = vl_case_offer_open(fold)) != NULL;)
		open->state = CASE_TRANSFER(LAPSED);
	accepted->state = CASE_TRANSFER(ACCEPTED);
	if (!vl_case_ended(row->state))
		row->state = CASE_STATE(TRANSFERRED);
}

static void settle(struct vl_fold *fold, CASE(CaseRow) *row, CASE(Transfer) *offer,
		   CASE(TransferState) answer)
{
	if (answer == CASE_TRANSFER(ACCEPTED))
		hand_over(fold, row, offer);
	else
		offer->state = answer;
}

void vl_case_offered(struct vl_fold *fold, CASE(CaseRow) *row, const struct vl_fact *fact)
{
	const CASE(TransferOffered) *event = (const void *)fact->payload;
	if (!vl_case_may_move(row, fact)) {
		CASE_VIOLATION(fold, row, "C1", fact, "offered to %s by %s while %s owns it",
			       event->to, fact->mission, row->owner);
		return;
	}
	const struct placed *placed = find_named(fold, event->transfer);
	CASE(Transfer) *offer = placed == NULL ? NULL : placed->offer;
	bool answered = offer != NULL && offer->state == CASE_TRANSFER(NOT_OFFERED);
	if (offer != NULL && !answered) {
		if (strcmp(offer->to, event->to) != 0)
			CASE_VIOLATION(fold, row, "C1", fact, "offer %s made to %s and to %s",
				       event->transfer, offer->to, event->to);
		return;
	}
	if (placed == NULL)
		placed = add_transfer(fold, row, event->transfer);
	if (placed == NULL)
		return;
	offer = placed->offer;
	bool by_its_addressee = answered && (offer->early == CASE_TRANSFER(WITHDRAWN) ||
					     strcmp(offer->to, event->to) == 0);
	if (answered && !by_its_addressee)
		CASE_VIOLATION(fold, row, "C1", fact, "offer %s is to %s, answered by %s",
			       event->transfer, event->to, offer->to);
	offer->from = row->owner[0] != '\0' ? row->owner : (char *)(uintptr_t)fact->mission;
	offer->to = event->to;
	offer->offered_at = vl_view_stamp(fold, fact->occurred_at);
	offer->state = CASE_TRANSFER(OFFERED);
	if (by_its_addressee)
		settle(fold, row, offer, offer->early);
	else
		vl_case_offer_opened(fold, offer, placed->place);
}

static const struct answer {
	const ProtobufCMessageDescriptor *event;
	CASE(TransferState) state;
	const char *word;
} answers[] = {
	{CASE_DESCRIPTOR(transfer_accepted), CASE_TRANSFER(ACCEPTED), "accepted"},
	{CASE_DESCRIPTOR(transfer_declined), CASE_TRANSFER(DECLINED), "declined"},
	{CASE_DESCRIPTOR(transfer_withdrawn), CASE_TRANSFER(WITHDRAWN), "withdrawn"},
};

static const struct answer *answer_of(const struct vl_fact *fact)
{
	const struct answer *answer = answers;
	while (answer->event != fact->payload->descriptor)
		answer++;
	return answer;
}

/* Kept until its offer comes, if it ever does: vl_case_finish_owner shows it otherwise. */
static void answer_early(struct vl_fold *fold, CASE(CaseRow) *row, const struct vl_fact *fact,
			 const char *transfer, CASE(TransferState) state)
{
	const struct placed *placed = add_transfer(fold, row, transfer);
	if (placed == NULL)
		return;
	CASE(Transfer) *offer = placed->offer;
	offer->to = (char *)(uintptr_t)fact->mission;
	offer->state = CASE_TRANSFER(NOT_OFFERED);
	offer->early = state;
	offer->answered_at = vl_view_stamp(fold, fact->occurred_at);
	offer->answer = (ProtobufCBinaryData){.len = 16, .data = (uint8_t *)(uintptr_t)fact->id};
}

void vl_case_answered(struct vl_fold *fold, CASE(CaseRow) *row, const struct vl_fact *fact)
{
	const struct answer *answer = answer_of(fact);
	/* The three answers have the same fields. */
	const char *transfer =
		((const CASE(TransferAccepted) *)(const void *)fact->payload)->transfer;
	bool withdrawn = answer->state == CASE_TRANSFER(WITHDRAWN);
	const struct placed *placed = find_named(fold, transfer);
	CASE(Transfer) *offer = placed == NULL ? NULL : placed->offer;
	/* Without a name it means the open offer to its sender, or, to withdraw, the latest. */
	if (transfer[0] == '\0')
		offer = withdrawn ? vl_case_offer_open(fold)
				  : vl_case_offer_open_to(fold, fact->mission);
	if (offer == NULL) {
		answer_early(fold, row, fact, transfer, answer->state);
		return;
	}
	bool entitled = withdrawn ? strcmp(fact->mission, offer->from) == 0 ||
					    strcmp(fact->mission, CASE_HQ) == 0
				  : strcmp(fact->mission, offer->to) == 0;
	if (offer->state == answer->state && entitled)
		return;
	if (offer->state != CASE_TRANSFER(OFFERED) || !entitled) {
		CASE_VIOLATION(fold, row, "C1", fact,
			       "transfer to %s %s by %s without an open offer", offer->to,
			       answer->word, fact->mission);
		return;
	}
	offer->answered_at = vl_view_stamp(fold, fact->occurred_at);
	offer->answer = (ProtobufCBinaryData){.len = 16, .data = (uint8_t *)(uintptr_t)fact->id};
	settle(fold, row, offer, answer->state);
}

void vl_case_finish_owner(struct vl_fold *fold, CASE(CaseRow) *row)
{
	if (row->opened_by[0] == '\0' && !row->consultation)
		CASE_VIOLATION(fold, row, "C1", NULL, "no mission is known to have opened it");
	for (size_t i = 0; i < row->n_transfers; i++) {
		const CASE(Transfer) *offer = row->transfers[i];
		if (offer->state == CASE_TRANSFER(OFFERED) && !vl_case_ended(row->state))
			row->state = CASE_STATE(TRANSFER_OFFERED);
		if (offer->state != CASE_TRANSFER(NOT_OFFERED))
			continue;
		struct vl_fact answer = {.id = offer->answer.data};
		CASE_VIOLATION(fold, row, "C1", &answer, "answered by %s without an offer",
			       offer->to);
	}
}
