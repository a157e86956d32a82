#include "agent/inbox.h"

#include "agent/relay.h"
#include "base/log.h"
#include "bus/wire.h"
#include "valise/directive/v1/directive.pb-c.h"
#include "valise/receipt/v1/receipt.pb-c.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define WAITING_BYTES ((size_t)64 << 10) /* receipts beyond this are let go: they are said again */
#define POSITION_DELAY_MS 10000          /* a position alone is not worth a commit sooner */
#define RETRY_MS 1000

struct receipt {
	size_t lane; /* in vl_lanes */
	struct vl_epoch epoch;
	struct vl_seq seq;
	struct vl_digest digest;
	struct vl_epoch suspended;
};

enum { RECEIPTS, DIRECTIVES, TOPICS };
static const char *const topics[TOPICS] = {VL_RECEIPT_LANE, VL_DIRECTIVE_LANE};

/* How far one of them was read. */
struct reading {
	int32_t partition;
	int64_t position;        /* -1 while there is none to note */
	bool told[VL_ERR_COUNT]; /* what was wrong with a record, so that each is logged once */
};

struct wish {
	struct vl_epoch epoch;
	struct vl_seq from, to; /* from: 0 while there is none */
};

/* What is known of one of our own. */
struct lane {
	struct vl_epoch alarmed; /* that an alarm was last about */
	struct wish wish;
};

struct vl_inbox {
	const struct vl_ring *ring;
	const char *mission;
	struct vl_arena *arena;
	struct vl_buf receipts; /* those that wait for a transaction */
	int64_t due, not_before;
	struct reading readings[TOPICS];
	struct vl_epoch directed_epoch; /* of the last batch of directives, while this process runs */
	struct vl_seq directed_seq;
	uint64_t carried, damaged; /* as last told */
	struct lane lanes[];       /* by index in vl_lanes */
};

struct vl_inbox *vl_inbox_open(const struct vl_ring *ring, const char *mission)
{
	struct vl_inbox *inbox = calloc(1, sizeof(*inbox) + vl_n_lanes * sizeof(inbox->lanes[0]));

	if (inbox == NULL)
		return NULL;
	inbox->ring = ring;
	inbox->mission = mission;
	inbox->due = -1;
	for (size_t t = 0; t < TOPICS; t++)
		inbox->readings[t].position = -1;
	inbox->arena = vl_arena_open(0);
	if (inbox->arena == NULL) {
		free(inbox);
		return NULL;
	}
	return inbox;
}

void vl_inbox_close(struct vl_inbox *inbox)
{
	if (inbox == NULL)
		return;
	vl_arena_close(inbox->arena);
	vl_buf_free(&inbox->receipts);
	free(inbox);
}

/* -- reading -- */

static enum vl_err verify(struct vl_inbox *inbox, const struct vl_record *record, struct vl_verified *verified,
			  struct vl_why *why)
{
	enum vl_err err = vl_record_verify(record, inbox->ring, inbox->arena, verified, why);

	if (err == VL_OK && verified->domain != VL_DOMAIN_BATCH)
		return vl_fail(why, VL_ERR_DRILL, "it is of an exercise");
	if (err == VL_OK && strcmp(verified->signer->mission, VL_HEADQUARTERS) != 0)
		return vl_fail(why, VL_ERR_WRONG_MISSION, "its sender is not headquarters");
	return err;
}

static void keep_receipt(struct vl_inbox *inbox, const Valise__Receipt__V1__Applied *applied)
{
	const struct vl_lane *lane = vl_lane_find(applied->lane, strlen(applied->lane));
	struct receipt receipt = {.epoch = {applied->epoch}, .seq = {applied->seq}, .suspended = {applied->suspended}};

	if (strcmp(applied->mission, inbox->mission) != 0 || lane == NULL ||
	    applied->digest.len != sizeof(receipt.digest.bytes) || inbox->receipts.size > WAITING_BYTES)
		return;
	receipt.lane = (size_t)(lane - vl_lanes);
	memcpy(receipt.digest.bytes, applied->digest.data, sizeof(receipt.digest.bytes));
	vl_buf_put(&inbox->receipts, &receipt, sizeof(receipt));
}

static void keep_wish(struct vl_inbox *inbox, const Valise__Directive__V1__Resend *resend)
{
	const struct vl_lane *lane = vl_lane_find(resend->lane, strlen(resend->lane));

	if (strcmp(resend->mission, inbox->mission) != 0 || lane == NULL || resend->from_seq == 0 ||
	    (resend->to_seq != 0 && resend->to_seq < resend->from_seq))
		return;
	inbox->lanes[lane - vl_lanes].wish = (struct wish){{resend->epoch}, {resend->from_seq}, {resend->to_seq}};
}

/* Later than every batch of directives that was read before it. */
static bool is_new(struct vl_inbox *inbox, const struct vl_batch_head *head)
{
	bool later = vl_later(head->epoch, head->seq, inbox->directed_epoch, inbox->directed_seq);

	if (later) {
		inbox->directed_epoch = head->epoch;
		inbox->directed_seq = head->seq;
	}
	return later;
}

static void read_batch(struct vl_inbox *inbox, size_t topic, const struct vl_batch *batch)
{
	const ProtobufCMessageDescriptor *type = topic == RECEIPTS ? &valise__receipt__v1__applied__descriptor
								   : &valise__directive__v1__resend__descriptor;

	if (topic == DIRECTIVES && !is_new(inbox, &batch->head))
		return;
	for (size_t i = 0; i < batch->n_events; i++) {
		struct vl_bytes payload;
		/* What a later headquarters says here is not for us. */
		if (!vl_event_payload(batch->events[i], type, &payload))
			continue;
		const ProtobufCMessage *message = vl_wire_unpack(type, payload, inbox->arena);
		if (message != NULL && topic == RECEIPTS)
			keep_receipt(inbox, (const Valise__Receipt__V1__Applied *)message);
		else if (message != NULL)
			keep_wish(inbox, (const Valise__Directive__V1__Resend *)message);
	}
}

static void tell(struct vl_inbox *inbox, size_t topic, int64_t offset, enum vl_err err, const struct vl_why *why)
{
	bool *told = &inbox->readings[topic].told[err];

	if (err != VL_OK && !*told)
		vl_log_warning("a %s is passed over: record %" PRId64
			       " of '%s' is not good: %s; more of the kind are not logged",
			       topic == RECEIPTS ? "receipt" : "directive", offset, topics[topic],
			       vl_why_text(why, err));
	*told = true;
}

static size_t topic_of(const struct vl_record *record)
{
	size_t topic = 0;

	while (topic < TOPICS && !vl_bytes_are(record->topic, topics[topic]))
		topic++;
	return topic;
}

static void wait_until(struct vl_inbox *inbox, int64_t at)
{
	if (at < inbox->not_before)
		at = inbox->not_before;
	if (inbox->due < 0 || at < inbox->due)
		inbox->due = at;
}

void vl_inbox_take(struct vl_inbox *inbox, struct vl_bytes relayed, int64_t now_ms)
{
	struct vl_verified verified = {0};
	struct vl_record record;
	struct vl_why why = {0};

	if (inbox->ring == NULL || vl_relay_unpack(relayed, &record) != VL_OK || record.partition != 0 ||
	    record.offset == INT64_MAX)
		return;
	size_t topic = topic_of(&record);
	if (topic == TOPICS)
		return;
	vl_arena_reset(inbox->arena);
	enum vl_err err = verify(inbox, &record, &verified, &why);
	if (err == VL_OK)
		read_batch(inbox, topic, &verified.batch);
	tell(inbox, topic, record.offset, err, &why);
	vl_arena_reset(inbox->arena);
	inbox->readings[topic].partition = record.partition;
	inbox->readings[topic].position = record.offset + 1;
	wait_until(inbox, inbox->receipts.size > 0 ? now_ms : now_ms + POSITION_DELAY_MS);
}

bool vl_inbox_wish(struct vl_inbox *inbox, struct vl_pipe_message *resend)
{
	for (size_t i = 0; i < vl_n_lanes; i++) {
		struct wish wish = inbox->lanes[i].wish;
		if (wish.from.n == 0)
			continue;
		*resend = (struct vl_pipe_message){.kind = VL_PIPE_RESEND,
						   .lane = &vl_lanes[i],
						   .epoch = wish.epoch,
						   .seq = wish.from,
						   .to = wish.to};
		inbox->lanes[i].wish = (struct wish){0};
		return true;
	}
	return false;
}

/* -- noting -- */

int64_t vl_inbox_due(const struct vl_inbox *inbox, const struct vl_outbox *outbox)
{
	return vl_outbox_freeing(outbox) ? inbox->not_before : inbox->due;
}

static const char *misfit(enum vl_outbox_fit fit)
{
	switch (fit) {
	case VL_OUTBOX_AHEAD:
		return "which this outbox has never made";
	case VL_OUTBOX_OTHER:
		return "and ours of that number is another";
	case VL_OUTBOX_SUSPENDED:
		return "and has suspended an epoch of it, as two batches were signed for one place";
	case VL_OUTBOX_FREED:
	case VL_OUTBOX_KNOWN:
		break;
	}
	return NULL;
}

static void alarm_once(struct vl_inbox *inbox, const struct receipt *receipt, enum vl_outbox_fit fit)
{
	const char *reason = misfit(fit);

	if (reason == NULL || inbox->lanes[receipt->lane].alarmed.n == receipt->epoch.n)
		return;
	inbox->lanes[receipt->lane].alarmed = receipt->epoch;
	vl_log_error("headquarters says it has applied batch %" PRIu64 " of epoch %" PRIu64 " on lane '%s', %s. This "
		     "outbox is an old copy, or another agent has its key: find out which, and tell headquarters",
		     receipt->seq.n, receipt->epoch.n, vl_lanes[receipt->lane].name, reason);
}

static void take_receipts(struct vl_inbox *inbox, struct vl_outbox *outbox)
{
	struct receipt receipt;

	for (size_t at = 0; at + sizeof(receipt) <= inbox->receipts.size; at += sizeof(receipt)) {
		memcpy(&receipt, inbox->receipts.data + at, sizeof(receipt));
		struct vl_outbox_receipt about = {vl_lanes[receipt.lane].name, receipt.epoch, receipt.seq,
						  receipt.digest, receipt.suspended};
		alarm_once(inbox, &receipt, vl_outbox_free(outbox, &about));
	}
}

/* Once it is over. */
static void tell_carried(struct vl_inbox *inbox, const struct vl_outbox *outbox)
{
	uint64_t carried, damaged;

	vl_outbox_carried(outbox, &carried, &damaged);
	if (vl_outbox_freeing(outbox) || (carried == inbox->carried && damaged == inbox->damaged))
		return;
	vl_log_info("%" PRIu64 " events of epochs that came to an end are in new ones", carried - inbox->carried);
	if (damaged > inbox->damaged)
		vl_log_error("%" PRIu64 " batches of such epochs are damaged and stay as they are; keep a copy of the "
			     "outbox for headquarters",
			     damaged - inbox->damaged);
	inbox->carried = carried;
	inbox->damaged = damaged;
}

void vl_inbox_note(struct vl_inbox *inbox, struct vl_outbox *outbox)
{
	take_receipts(inbox, outbox);
	for (size_t t = 0; t < TOPICS; t++)
		if (inbox->readings[t].position >= 0)
			vl_outbox_set_position(outbox, topics[t], inbox->readings[t].partition,
					       inbox->readings[t].position);
	vl_outbox_free_some(outbox);
	tell_carried(inbox, outbox);
}

void vl_inbox_noted(struct vl_inbox *inbox)
{
	vl_buf_reset(&inbox->receipts);
	inbox->due = -1;
	for (size_t t = 0; t < TOPICS; t++)
		inbox->readings[t].position = -1;
	inbox->not_before = 0;
}

void vl_inbox_not_noted(struct vl_inbox *inbox, int64_t now_ms)
{
	inbox->not_before = now_ms + RETRY_MS;
	if (inbox->due >= 0)
		inbox->due = inbox->not_before;
}
