/*
 * Exactly one mission owns a case at every moment (C1): who opened it, until it is assigned
 * once; from then on it moves only by offer and accept, and its old owner, who may be off line,
 * owns it until the accept. An answer finds its offer by name, so that it counts even where two
 * missions' clocks put it first.
 */
#include "hq/fold/heads.h"
#include "hq/fold/names.h"
#include "hq/views/case.h"

#include <string.h>

bool vl_case_may_move(const CaseRow *row, const struct vl_fact *fact)
{
	return row->owner[0] == '\0' || strcmp(fact->mission, row->owner) == 0 ||
	       strcmp(fact->mission, CASE_HQ) == 0;
}

bool vl_case_may_merge(const CaseRow *row, const struct vl_fact *fact)
{
	return vl_case_may_move(row, fact) &&
	       (row->owner[0] != '\0' || strcmp(fact->mission, CASE_HQ) == 0);
}

STEP(vl_case_assigned, CaseRow, CaseAssigned)
{
	const char *mission = event->mission[0] != '\0' ? event->mission : fact->mission;
	/* A mission's own opening comes before its own assignment, whatever the clocks say. */
	if (row->owner[0] == '\0' && strcmp(fact->mission, CASE_HQ) != 0) {
		BREAKS(fold, row, "C1", fact, "assigned to %s by %s, which does not own it",
		       mission, fact->mission);
		return;
	}
	if (row->assigned && strcmp(mission, row->owner) != 0) {
		BREAKS(fold, row, "C1", fact, "assigned to %s by %s while %s owns it", mission,
		       fact->mission, row->owner);
		return;
	}
	row->owner = (char *)(uintptr_t)mission;
	row->officer = event->officer;
	row->assigned = true;
	if (row->state < CASE_STATE_ASSIGNED)
		row->state = CASE_STATE_ASSIGNED;
}

/* A transfer, and its index among those of the row. */
struct placed {
	Transfer *offer;
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
static const struct placed *add_transfer(struct vl_fold *fold, CaseRow *row, const char *transfer)
{
	struct placed *placed = vl_fold_alloc(fold, sizeof(*placed));
	void **named = vl_names_at(fold, vl_fold_slot(fold, CASE_SLOT_TRANSFERS), transfer);
	Transfer *offer = vl_fold_add(fold, MESSAGE(Transfer), &row->n_transfers, &row->transfers);
	if (placed == NULL || named == NULL || offer == NULL)
		return NULL;
	offer->transfer = (char *)(uintptr_t)transfer;
	*placed = (struct placed){offer, row->n_transfers - 1};
	return *named = placed;
}

static void hand_over(struct vl_fold *fold, CaseRow *row, Transfer *accepted)
{
	row->owner = accepted->to;
	row->officer = (char *)(uintptr_t)protobuf_c_empty_string;
	row->assigned = true;
	for (Transfer *open; (open = vl_case_offer_open(fold)) != NULL;)
		open->state = TRANSFER_STATE_LAPSED;
	accepted->state = TRANSFER_STATE_ACCEPTED;
	if (!vl_case_ended(row->state))
		row->state = CASE_STATE_TRANSFERRED;
}

static void settle(struct vl_fold *fold, CaseRow *row, Transfer *offer, TransferState answer)
{
	if (answer == TRANSFER_STATE_ACCEPTED)
		hand_over(fold, row, offer);
	else
		offer->state = answer;
}

STEP(vl_case_offered, CaseRow, TransferOffered)
{
	if (!vl_case_may_move(row, fact)) {
		BREAKS(fold, row, "C1", fact, "offered to %s by %s while %s owns it", event->to,
		       fact->mission, row->owner);
		return;
	}
	const struct placed *placed = find_named(fold, event->transfer);
	Transfer *offer = placed == NULL ? NULL : placed->offer;
	bool answered = offer != NULL && offer->state == TRANSFER_STATE_NOT_OFFERED;
	if (offer != NULL && !answered) {
		if (strcmp(offer->to, event->to) != 0)
			BREAKS(fold, row, "C1", fact, "offer %s made to %s and to %s",
			       event->transfer, offer->to, event->to);
		return;
	}
	if (placed == NULL)
		placed = add_transfer(fold, row, event->transfer);
	if (placed == NULL)
		return;
	offer = placed->offer;
	bool by_its_addressee = answered && (offer->early == TRANSFER_STATE_WITHDRAWN ||
					     strcmp(offer->to, event->to) == 0);
	if (answered && !by_its_addressee)
		BREAKS(fold, row, "C1", fact, "offer %s is to %s, answered by %s", event->transfer,
		       event->to, offer->to);
	offer->from = row->owner[0] != '\0' ? row->owner : (char *)(uintptr_t)fact->mission;
	offer->to = event->to;
	offer->offered_at = vl_view_stamp(fold, fact->occurred_at);
	offer->state = TRANSFER_STATE_OFFERED;
	if (by_its_addressee)
		settle(fold, row, offer, offer->early);
	else
		vl_case_offer_opened(fold, offer, placed->place);
}

static const struct answer {
	const ProtobufCMessageDescriptor *event;
	TransferState state;
	const char *word;
} answers[] = {
	{MESSAGE(TransferAccepted), TRANSFER_STATE_ACCEPTED, "accepted"},
	{MESSAGE(TransferDeclined), TRANSFER_STATE_DECLINED, "declined"},
	{MESSAGE(TransferWithdrawn), TRANSFER_STATE_WITHDRAWN, "withdrawn"},
};

static const struct answer *answer_of(const struct vl_fact *fact)
{
	const struct answer *answer = answers;
	while (answer->event != fact->payload->descriptor)
		answer++;
	return answer;
}

/* Kept until its offer comes, if it ever does: vl_case_finish_owner shows it otherwise. */
static void answer_early(struct vl_fold *fold, CaseRow *row, const struct vl_fact *fact,
			 const char *transfer, TransferState state)
{
	const struct placed *placed = add_transfer(fold, row, transfer);
	if (placed == NULL)
		return;
	Transfer *offer = placed->offer;
	offer->to = (char *)(uintptr_t)fact->mission;
	offer->state = TRANSFER_STATE_NOT_OFFERED;
	offer->early = state;
	offer->answered_at = vl_view_stamp(fold, fact->occurred_at);
	offer->answer = vl_view_id(fact);
}

STEP(vl_case_answered, CaseRow, ProtobufCMessage)
{
	const struct answer *answer = answer_of(fact);
	/* The three answers have the same fields. */
	const char *transfer = ((const TransferAccepted *)(const void *)fact->payload)->transfer;
	bool withdrawn = answer->state == TRANSFER_STATE_WITHDRAWN;
	const struct placed *placed = find_named(fold, transfer);
	Transfer *offer = placed == NULL ? NULL : placed->offer;
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
	if (offer->state != TRANSFER_STATE_OFFERED || !entitled) {
		BREAKS(fold, row, "C1", fact, "transfer to %s %s by %s without an open offer",
		       offer->to, answer->word, fact->mission);
		return;
	}
	offer->answered_at = vl_view_stamp(fold, fact->occurred_at);
	offer->answer = vl_view_id(fact);
	settle(fold, row, offer, answer->state);
}

void vl_case_finish_owner(struct vl_fold *fold, CaseRow *row)
{
	if (row->opened_by[0] == '\0' && !row->consultation)
		BREAKS(fold, row, "C1", NULL, "no mission is known to have opened it");
	for (size_t i = 0; i < row->n_transfers; i++) {
		const Transfer *offer = row->transfers[i];
		if (offer->state == TRANSFER_STATE_OFFERED && !vl_case_ended(row->state))
			row->state = CASE_STATE_TRANSFER_OFFERED;
		if (offer->state != TRANSFER_STATE_NOT_OFFERED)
			continue;
		struct vl_fact answer = {.id = offer->answer.data};
		BREAKS(fold, row, "C1", &answer, "answered by %s without an offer", offer->to);
	}
}
