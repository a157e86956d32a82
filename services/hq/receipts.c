#include "hq/receipts.h"

#include "base/hash.h"
#include "bus/types.h"
#include "hq/chains.h"
#include "hq/mailbox.h"
#include "hq/standing.h"
#include "valise/receipt/v1/receipt.pb-c.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* In which list an entry is. */
enum list { NONE, DUE, SAID, LISTS };

/* One (mission, lane, epoch). */
struct entry {
	UT_hash_handle hh;
	struct entry *prev, *next;
	enum list list;
	int64_t said_at;
	struct vl_epoch epoch;
	char mission[VL_MISSION_MAX + 1];
	char key[]; /* mission NUL lane NUL epoch */
};

struct vl_receipts {
	struct vl_receipts_options options;
	struct entry *entries;
	struct entry *lists[LISTS]; /* each in the order they came into it; NONE is never filled */
	size_t n_due;
	struct entry *sent[VL_MAILBOX_MOST]; /* in the request under way, in its order */
	struct vl_mailbox *mailbox;
	int64_t next_at, now;
};

/* -- what is due -- */

static void move_to(struct vl_receipts *r, struct entry *entry, enum list list)
{
	if (entry->list != NONE)
		DL_DELETE(r->lists[entry->list], entry);
	if (list != NONE)
		DL_APPEND(r->lists[list], entry);
	r->n_due += (list == DUE);
	r->n_due -= (entry->list == DUE);
	entry->list = list;
}

static void put_due(struct vl_receipts *r, struct entry *entry)
{
	if (entry->list != DUE)
		move_to(r, entry, DUE);
}

static struct entry *take_due(struct vl_receipts *r)
{
	struct entry *entry = r->lists[DUE];

	move_to(r, entry, NONE);
	return entry;
}

static void put_old_due(struct vl_receipts *r)
{
	struct entry *oldest;

	while ((oldest = r->lists[SAID]) != NULL && r->now - oldest->said_at >= r->options.again_ms)
		put_due(r, oldest);
}

static const char *lane_of(const struct entry *entry)
{
	return entry->key + strlen(entry->mission) + 1;
}

static struct entry *find(struct vl_receipts *r, const char *mission, const char *lane, struct vl_epoch epoch)
{
	char key[VL_MISSION_MAX + 1 + 256];
	int size = snprintf(key, sizeof(key), "%s%c%s%c%" PRIu64, mission, 0, lane, 0, epoch.n);
	struct entry *entry;

	if (strlen(mission) > VL_MISSION_MAX || size < 0 || (size_t)size >= sizeof(key))
		return NULL;
	HASH_FIND(hh, r->entries, key, (size_t)size, entry);
	if (entry != NULL)
		return entry;
	entry = calloc(1, sizeof(*entry) + (size_t)size + 1);
	if (entry == NULL)
		return NULL;
	(void)stpcpy(entry->mission, mission);
	entry->epoch = epoch;
	memcpy(entry->key, key, (size_t)size + 1);
	HASH_ADD_KEYPTR(hh, r->entries, entry->key, (unsigned)size, entry);
	if (entry->hh.tbl == NULL) {
		free(entry);
		return NULL;
	}
	return entry;
}

/* Out of memory: it is due again when that mission sends again. */
void vl_receipts_due(void *receipts, const char *mission, const char *lane, struct vl_epoch epoch)
{
	struct vl_receipts *r = receipts;
	struct entry *entry = *r->options.socket != '\0' ? find(r, mission, lane, epoch) : NULL;

	if (entry != NULL)
		put_due(r, entry);
}

struct start {
	struct vl_receipts *receipts;
	struct vl_txn *txn;
};

static void due_at_start(void *context, const char *mission, const char *lane, const struct vl_standing *standing)
{
	const struct start *start = context;

	if (standing->batches > 0 && strcmp(lane, VL_PULSE_LANE) != 0)
		vl_receipts_due(start->receipts, mission, lane, vl_chains_newest(start->txn, mission, lane).epoch);
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
	struct entry *entry = r->sent[index];

	if (!accepted)
		put_due(r, entry);
	else if (entry->list == NONE) {
		entry->said_at = r->now;
		move_to(r, entry, SAID);
	}
}

enum vl_err vl_receipts_open(const struct vl_receipts_options *options, struct vl_receipts **opened, struct vl_why *why)
{
	struct vl_receipts *r = calloc(1, sizeof(*r));
	struct vl_mailbox_options mailbox = {options->socket, "receipts",  options->patience_ms,
					     options->clock,  on_answered, r};

	*opened = NULL;
	if (r == NULL)
		return VL_ERR_NOMEM;
	r->options = *options;
	enum vl_err err = vl_mailbox_open(&mailbox, &r->mailbox, why);
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
		free(entry);
	}
	vl_mailbox_close(r->mailbox);
	free(r);
}

/* -- asking -- */

static void put_receipt(struct vl_receipts *r, const struct entry *entry, const struct vl_chain *chain,
			struct vl_epoch suspended)
{
	Valise__Receipt__V1__Applied applied = VALISE__RECEIPT__V1__APPLIED__INIT;
	char subject[VL_MISSION_MAX + 1 + 256];

	applied.mission = (char *)entry->mission;
	applied.lane = (char *)lane_of(entry);
	applied.epoch = chain->epoch.n;
	applied.seq = chain->seq.n;
	applied.suspended = suspended.n;
	applied.digest = (ProtobufCBinaryData){sizeof(chain->digest.bytes), (uint8_t *)chain->digest.bytes};
	(void)snprintf(subject, sizeof(subject), "%s/%s", entry->mission, applied.lane);
	vl_mailbox_put(r->mailbox, subject, &applied.base);
}

/* As much as is due, as of the last commit. */
static void put_receipts(struct vl_receipts *r, struct vl_txn *txn)
{
	size_t most = r->n_due < VL_MAILBOX_MOST ? r->n_due : VL_MAILBOX_MOST, n = 0;

	for (size_t i = 0; i < most; i++) {
		struct entry *entry = take_due(r);
		struct vl_chain chain;
		if (!vl_chains_get(txn, entry->mission, lane_of(entry), entry->epoch, &chain) || chain.seq.n == 0)
			continue;
		put_receipt(r, entry, &chain, vl_chains_suspended(txn, entry->mission, lane_of(entry), entry->epoch));
		r->sent[n++] = entry;
	}
}

void vl_receipts_work(struct vl_receipts *r, int64_t now)
{
	r->now = now;
	vl_mailbox_work(r->mailbox, now);
	put_old_due(r);
	if (r->n_due == 0 || now < r->next_at || !vl_mailbox_begin(r->mailbox, now))
		return;
	struct vl_txn *txn = vl_txn_begin(r->options.store, false, NULL);
	if (txn != NULL) {
		put_receipts(r, txn);
		r->next_at = now + r->options.interval_ms;
	}
	vl_txn_abort(txn);
	vl_mailbox_send(r->mailbox, now);
}
