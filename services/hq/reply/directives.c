#include "hq/reply/directives.h"

#include "base/hash.h"
#include "base/log.h"
#include "hq/ledger/parked.h"
#include "hq/ledger/passed.h"
#include "hq/reply/mailbox.h"
#include "hq/watch/pulse_tail.h"
#include "valise/directive/v1/directive.pb-c.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAUSE_MIN_MS 1000
#define SUBJECT_MAX (VL_MISSION_MAX + 1 + 256)

/* A gap that stands. */
struct entry {
	UT_hash_handle hh;
	struct vl_gap gap;
	int64_t since; /* it is as it is, or was asked for */
	int64_t pause; /* until it is asked for */
	bool tail;     /* it is a cut tail: its lane was read to the end already */
	bool asked;    /* ever */
	bool seen;     /* in the look under way */
	bool sent;     /* is under way to the agent */
	const char *lane;
	char subject[]; /* mission/lane */
};

struct vl_directives {
	struct vl_directives_options options;
	struct vl_mailbox *mailbox;
	struct entry *entries;
	struct entry *sent[VL_MAILBOX_MOST];
	int64_t look_at, now;
	struct vl_txn *txn; /* of the look under way */
};

/* -- what stands -- */

static struct entry *add(struct vl_directives *d, const char *mission, const char *subject)
{
	size_t size = strlen(subject);
	struct entry *entry = calloc(1, sizeof(*entry) + size + 1);

	if (entry == NULL)
		return NULL;
	memcpy(entry->subject, subject, size + 1);
	entry->lane = entry->subject + strlen(mission) + 1;
	HASH_ADD_KEYPTR(hh, d->entries, entry->subject, (unsigned)size, entry);
	if (entry->hh.tbl == NULL) {
		free(entry);
		return NULL;
	}
	entry->since = d->now;
	return entry;
}

/* It stands; a tail is asked for at once. Out of memory: the next look finds it again. */
static void stand(struct vl_directives *d, const char *mission, const char *lane,
		  const struct vl_gap *gap, bool tail)
{
	char subject[SUBJECT_MAX];
	struct entry *entry;
	int size = snprintf(subject, sizeof(subject), "%s/%s", mission, lane);

	if (size < 0 || (size_t)size >= sizeof(subject))
		return;
	HASH_FIND(hh, d->entries, subject, (size_t)size, entry);
	bool lies = vl_passed_lies(d->txn, mission, lane, gap);
	if (entry == NULL && !lies && (entry = add(d, mission, subject)) != NULL)
		entry->pause = tail ? 0 : d->options.after_ms;
	if (entry == NULL || entry->seen)
		return;
	if (lies || entry->gap.epoch.n != gap->epoch.n || entry->gap.from.n != gap->from.n)
		entry->since = d->now;
	entry->gap = *gap;
	entry->tail = tail;
	entry->seen = true;
}

/* Records may be under way that close it. */
static void on_gap(void *context, const char *mission, const char *lane, const struct vl_gap *gap)
{
	stand(context, mission, lane, gap, false);
}

/* The lane was read to where it ended after the mission had said it was acked: nothing is under
 * way. */
static void on_tail(void *context, const char *mission, const char *lane, const struct vl_gap *gap)
{
	stand(context, mission, lane, gap, true);
}

static void forget_closed(struct vl_directives *d)
{
	struct entry *entry, *next;

	HASH_ITER (hh, d->entries, entry, next) {
		bool stands = entry->seen;
		entry->seen = false;
		if (stands || entry->sent)
			continue;
		if (entry->asked)
			vl_log_info("the missing batches of '%s' have come", entry->subject);
		HASH_DEL(d->entries, entry);
		free(entry);
	}
}

static void look(struct vl_directives *d)
{
	struct vl_txn *txn = vl_txn_begin(d->options.store, false, NULL);

	d->look_at = d->now + VL_DIRECTIVES_LOOK_MS;
	d->txn = txn;
	if (txn == NULL)
		return;
	vl_parked_each_gap(txn, on_gap, d);
	vl_tails_each(txn, on_tail, d);
	if (vl_txn_err(txn) == VL_OK)
		forget_closed(d);
	vl_txn_abort(txn);
}

/* -- asking -- */

static void on_answered(void *context, size_t index, bool accepted)
{
	struct vl_directives *d = context;
	struct entry *entry = d->sent[index];

	entry->sent = false;
	if (!accepted)
		return; /* it is still due */
	if (!entry->asked)
		vl_log_warning(
			"%s: batches are missing, from %" PRIu64 " of epoch %" PRIu64
			" on; later batches wait, and headquarters requests the missing ones",
			entry->subject, entry->gap.from.n, entry->gap.epoch.n);
	entry->asked = true;
	entry->since = d->now;
	entry->pause = vl_back_off(entry->pause, PAUSE_MIN_MS, VL_DIRECTIVES_MAX_MS);
}

static bool due(const struct vl_directives *d, const struct entry *entry)
{
	return !entry->sent && d->now - entry->since >= entry->pause &&
	       (entry->tail || d->options.read == NULL ||
		d->options.read(d->options.context, entry->lane, entry->since));
}

static bool any_due(const struct vl_directives *d)
{
	for (const struct entry *entry = d->entries; entry != NULL; entry = entry->hh.next)
		if (due(d, entry))
			return true;
	return false;
}

static bool put(struct vl_directives *d, struct entry *entry)
{
	Valise__Directive__V1__Resend resend = VALISE__DIRECTIVE__V1__RESEND__INIT;
	char mission[SUBJECT_MAX];

	(void)snprintf(mission, sizeof(mission), "%.*s", (int)(entry->lane - entry->subject) - 1,
		       entry->subject);
	resend.mission = mission;
	resend.lane = (char *)entry->lane;
	resend.epoch = entry->gap.epoch.n;
	resend.from_seq = entry->gap.from.n;
	resend.to_seq = entry->gap.to.n;
	return vl_mailbox_put(d->mailbox, entry->subject, &resend.base);
}

static void ask(struct vl_directives *d)
{
	size_t n = 0;

	for (struct entry *entry = d->entries; entry != NULL && !vl_mailbox_full(d->mailbox);
	     entry = entry->hh.next) {
		if (!due(d, entry) || !put(d, entry))
			continue;
		entry->sent = true;
		d->sent[n++] = entry;
	}
	vl_mailbox_work(d->mailbox, d->now);
}

void vl_directives_work(struct vl_directives *d, int64_t now)
{
	if (*d->options.socket == '\0')
		return;
	d->now = now;
	vl_mailbox_work(d->mailbox, now);
	if (now >= d->look_at)
		look(d);
	if (any_due(d) && vl_mailbox_begin(d->mailbox, now))
		ask(d);
}

/* -- open and close -- */

enum vl_err vl_directives_open(const struct vl_directives_options *options,
			       struct vl_directives **opened, struct vl_why *why)
{
	struct vl_directives *d = calloc(1, sizeof(*d));
	struct vl_mailbox_options mailbox = {options->socket, "directives", options->patience_ms,
					     options->clock,  on_answered,  d};

	*opened = NULL;
	if (d == NULL)
		return VL_ERR_NOMEM;
	d->options = *options;
	enum vl_err err = vl_mailbox_open(&mailbox, &d->mailbox, why);
	if (err != VL_OK)
		vl_directives_close(d);
	else
		*opened = d;
	return err;
}

void vl_directives_close(struct vl_directives *d)
{
	struct entry *entry, *next;

	if (d == NULL)
		return;
	HASH_ITER (hh, d->entries, entry, next) {
		HASH_DEL(d->entries, entry);
		free(entry);
	}
	vl_mailbox_close(d->mailbox);
	free(d);
}
