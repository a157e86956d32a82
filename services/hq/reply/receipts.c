#include "hq/reply/receipts.h"

#include "base/arena.h"
#include "base/hash.h"
#include "bus/types.h"
#include "hq/ledger/chains.h"
#include "hq/ledger/standing.h"
#include "hq/reply/mailbox.h"
#include "valise/receipt/v1/receipt.pb-c.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* One (lane, epoch) of a mission, that a receipt to it speaks of. */
struct said {
	struct said *next; /* those that moved last come first */
	struct vl_epoch epoch;
	char lane[]; /* with its NUL */
};

/* One mission. */
struct entry {
	UT_hash_handle hh;
	struct entry *prev, *next; /* while it is due */
	bool due;
	struct said *said;
	char mission[VL_MISSION_MAX + 1];
};

struct vl_receipts {
	struct vl_receipts_options options;
	struct entry *entries;
	struct entry *due; /* in the order in which they became so */
	size_t n_due;
	struct entry *sent[VL_MAILBOX_MOST]; /* in the request under way, in its order */
	struct vl_mailbox *mailbox;
	struct vl_arena *arena; /* for one receipt */
	int64_t next_at;
};

/* -- what is due -- */

static void put_due(struct vl_receipts *r, struct entry *entry)
{
	if (entry->due)
		return;
	DL_APPEND(r->due, entry);
	entry->due = true;
	r->n_due++;
}

static struct entry *take_due(struct vl_receipts *r)
{
	struct entry *entry = r->due;

	DL_DELETE(r->due, entry);
	entry->due = false;
	r->n_due--;
	return entry;
}

static struct entry *find(struct vl_receipts *r, const char *mission)
{
	struct entry *entry;
	size_t size = strlen(mission);

	if (size > VL_MISSION_MAX)
		return NULL;
	HASH_FIND(hh, r->entries, mission, size, entry);
	if (entry != NULL)
		return entry;
	entry = calloc(1, sizeof(*entry));
	if (entry == NULL)
		return NULL;
	(void)stpcpy(entry->mission, mission);
	HASH_ADD(hh, r->entries, mission, (unsigned)size, entry);
	if (entry->hh.tbl == NULL) {
		free(entry);
		return NULL;
	}
	return entry;
}

/* Take out what is said of (lane, epoch); or, where the lane has as many epochs as there may be,
 * of that which has not moved for longest; NULL where there is room for one more. */
static struct said *take_said(struct entry *entry, const char *lane, struct vl_epoch epoch)
{
	struct said **found = NULL;
	unsigned epochs = 0;

	for (struct said **at = &entry->said; *at != NULL; at = &(*at)->next) {
		if (strcmp((*at)->lane, lane) != 0)
			continue;
		epochs++;
		if ((*at)->epoch.n == epoch.n || epochs == VL_RECEIPTS_EPOCHS)
			found = at;
		if ((*at)->epoch.n == epoch.n)
			break;
	}
	if (found == NULL)
		return NULL;
	struct said *said = *found;
	*found = said->next;
	return said;
}

/* This (lane, epoch) is spoken of from now on, and comes first. False when out of memory. */
static bool speak_of(struct entry *entry, const char *lane, struct vl_epoch epoch)
{
	struct said *said = take_said(entry, lane, epoch);

	if (said == NULL)
		said = calloc(1, sizeof(*said) + strlen(lane) + 1);
	if (said == NULL)
		return false;
	said->epoch = epoch;
	(void)strcpy(said->lane, lane);
	said->next = entry->said;
	entry->said = said;
	return true;
}

/* Out of memory: it is due again when that mission sends again. */
void vl_receipts_due(void *receipts, const char *mission, const char *lane, struct vl_epoch epoch)
{
	struct vl_receipts *r = receipts;
	struct entry *entry = *r->options.socket != '\0' ? find(r, mission) : NULL;

	if (entry != NULL && speak_of(entry, lane, epoch))
		put_due(r, entry);
}

struct start {
	struct vl_receipts *receipts;
	struct vl_txn *txn;
};

static void due_at_start(void *context, const char *mission, const char *lane,
			 const struct vl_standing *standing)
{
	const struct start *start = context;

	if (standing->batches > 0 && strcmp(lane, VL_PULSE_LANE) != 0)
		vl_receipts_due(start->receipts, mission, lane,
				vl_chains_newest(start->txn, mission, lane).epoch);
}

size_t vl_receipts_waiting(const struct vl_receipts *r)
{
	return r->n_due + vl_mailbox_under_way(r->mailbox);
}

/* -- open and close -- */

/* What was not accepted is due again; what became due on its way stays so. */
static void on_answered(void *context, size_t index, bool accepted)
{
	struct vl_receipts *r = context;

	if (!accepted)
		put_due(r, r->sent[index]);
}

enum vl_err vl_receipts_open(const struct vl_receipts_options *options, struct vl_receipts **opened,
			     struct vl_why *why)
{
	struct vl_receipts *r = calloc(1, sizeof(*r));
	struct vl_mailbox_options mailbox = {options->socket, "receipts",  options->patience_ms,
					     options->clock,  on_answered, r};

	*opened = NULL;
	if (r == NULL)
		return VL_ERR_NOMEM;
	r->options = *options;
	r->arena = vl_arena_open(0);
	enum vl_err err =
		r->arena != NULL ? vl_mailbox_open(&mailbox, &r->mailbox, why) : VL_ERR_NOMEM;
	struct vl_txn *txn = err == VL_OK ? vl_txn_begin(options->store, false, why) : NULL;
	if (err == VL_OK && txn == NULL)
		err = VL_ERR_NOMEM;
	if (err == VL_OK)
		vl_standing_each(txn, due_at_start, &(struct start){r, txn});
	vl_txn_abort(txn);
	if (err != VL_OK)
		vl_receipts_close(r);
	else
		*opened = r;
	return err;
}

void vl_receipts_close(struct vl_receipts *r)
{
	struct entry *entry, *next;

	if (r == NULL)
		return;
	HASH_ITER (hh, r->entries, entry, next) {
		HASH_DEL(r->entries, entry);
		for (struct said *said = entry->said, *after; said != NULL; said = after) {
			after = said->next;
			free(said);
		}
		free(entry);
	}
	vl_mailbox_close(r->mailbox);
	vl_arena_close(r->arena);
	free(r);
}

/* -- asking -- */

/* What is said of one (lane, epoch), as of the last commit; NULL where nothing of it is applied,
 * or there is no memory. */
static Valise__Receipt__V1__Applied *say(struct vl_arena *arena, struct vl_txn *txn,
					 const struct entry *entry, const struct said *said)
{
	struct vl_chain chain;

	if (!vl_chains_get(txn, entry->mission, said->lane, said->epoch, &chain) ||
	    chain.seq.n == 0)
		return NULL;
	Valise__Receipt__V1__Applied *applied = vl_arena_alloc(arena, sizeof(*applied));
	uint8_t *digest = vl_arena_alloc(arena, sizeof(chain.digest.bytes));
	if (applied == NULL || digest == NULL)
		return NULL;
	valise__receipt__v1__applied__init(applied);
	memcpy(digest, chain.digest.bytes, sizeof(chain.digest.bytes));
	applied->lane = (char *)said->lane;
	applied->epoch = chain.epoch.n;
	applied->seq = chain.seq.n;
	applied->suspended = vl_chains_suspended(txn, entry->mission, said->lane, said->epoch).n;
	applied->digest = (ProtobufCBinaryData){sizeof(chain.digest.bytes), digest};
	return applied;
}

/* All that is said to one mission. False where it cannot be given now; *any is whether there is
 * anything to say. */
static bool put_receipt(struct vl_receipts *r, struct vl_txn *txn, struct entry *entry, bool *any)
{
	Valise__Receipt__V1__Receipt receipt = VALISE__RECEIPT__V1__RECEIPT__INIT;
	size_t room = 0;

	vl_arena_reset(r->arena);
	for (const struct said *said = entry->said; said != NULL; said = said->next)
		room++;
	receipt.mission = entry->mission;
	receipt.applied =
		vl_arena_alloc(r->arena, (room + 1) * sizeof(Valise__Receipt__V1__Applied *));
	for (const struct said *said = entry->said; receipt.applied != NULL && said != NULL;
	     said = said->next) {
		receipt.applied[receipt.n_applied] = say(r->arena, txn, entry, said);
		receipt.n_applied += receipt.applied[receipt.n_applied] != NULL;
	}
	*any = receipt.n_applied > 0;
	return !*any || vl_mailbox_put(r->mailbox, entry->mission, &receipt.base);
}

/* As much as is due. */
static void put_receipts(struct vl_receipts *r, struct vl_txn *txn)
{
	size_t n = 0;

	while (r->n_due > 0 && !vl_mailbox_full(r->mailbox)) {
		struct entry *entry = take_due(r);
		bool any;
		if (!put_receipt(r, txn, entry, &any)) {
			put_due(r, entry);
			return;
		}
		if (any)
			r->sent[n++] = entry;
	}
}

void vl_receipts_work(struct vl_receipts *r, int64_t now)
{
	vl_mailbox_work(r->mailbox, now);
	if (r->n_due == 0 || now < r->next_at || !vl_mailbox_begin(r->mailbox, now))
		return;
	struct vl_txn *txn = vl_txn_begin(r->options.store, false, NULL);
	if (txn != NULL) {
		put_receipts(r, txn);
		r->next_at = now + r->options.interval_ms;
	}
	vl_txn_abort(txn);
	vl_mailbox_work(r->mailbox, now);
}
