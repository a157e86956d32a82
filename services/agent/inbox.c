#include "agent/inbox.h"

#include "agent/relay.h"
#include "base/log.h"
#include "bus/record_pack.h"
#include "bus/wire.h"
#include "valise/directive/v1/directive.pb-c.h"
#include "valise/receipt/v1/receipt.pb-c.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POSITION_DELAY_MS 10000 /* a position alone is not worth a commit sooner */
#define RETRY_MS 1000
#define TELL_MS 60000
#define EPOCHS 16 /* of one lane that receipts may wait for; the newest */
#define KNOWN 8   /* of headquarters' epochs in one topic, the newest: how far each was read */

struct receipt {
	size_t lane; /* in vl_lanes */
	struct vl_epoch epoch;
	struct vl_seq seq;
	struct vl_digest digest;
	struct vl_epoch suspended;
};

/* Of records that were not good for one reason. */
struct refused {
	uint64_t count, told; /* since the start; when that was last logged */
	int64_t told_at;
};

/* How far one of the topics was read. */
struct reading {
	char topic[VL_LANE_NAME_MAX];
	int32_t partition;
	int64_t position; /* -1 while there is none to note */
	struct refused refused[VL_ERR_COUNT];
	struct place {
		struct vl_epoch epoch;
		struct vl_seq seq;
	} known[KNOWN]; /* while this process runs */
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

/* A batch that the link has found damaged. */
#define DAMAGED_MOST 16
struct damage {
	const struct vl_lane *lane;
	struct vl_epoch epoch;
	struct vl_seq seq;
};

struct vl_inbox {
	struct damage damages[DAMAGED_MOST];
	size_t n_damaged;
	const struct vl_ring *ring;
	const char *mission;
	struct vl_arena *arena;
	/* those that wait for a transaction: an array, one of each lane and epoch */
	struct vl_buf receipts;
	int64_t due, not_before;
	struct reading readings[VL_DOWN_TOPICS];
	uint64_t carried, damaged; /* as last reported */
	bool resigning;
	struct lane lanes[]; /* by index in vl_lanes */
};

struct vl_inbox *vl_inbox_open(const struct vl_ring *ring, const char *mission)
{
	struct vl_inbox *inbox = calloc(1, sizeof(*inbox) + vl_n_lanes * sizeof(inbox->lanes[0]));

	if (inbox == NULL)
		return NULL;
	inbox->ring = ring;
	inbox->mission = mission;
	inbox->due = -1;
	for (size_t t = 0; t < VL_DOWN_TOPICS; t++) {
		vl_down_topic((enum vl_down)t, mission, inbox->readings[t].topic);
		inbox->readings[t].position = -1;
	}
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

void vl_inbox_renew(struct vl_inbox *inbox, const struct vl_ring *ring)
{
	inbox->ring = ring;
}

/* -- reading -- */

static enum vl_err verify(struct vl_inbox *inbox, const struct vl_record *record,
			  struct vl_verified *verified, struct vl_why *why)
{
	enum vl_err err = vl_record_verify(record, inbox->ring, inbox->arena, verified, why);

	if (err == VL_OK && verified->domain != VL_DOMAIN_BATCH)
		return vl_fail(why, VL_ERR_DRILL, "it is of an exercise");
	if (err == VL_OK && strcmp(verified->signer->mission, VL_HEADQUARTERS) != 0)
		return vl_fail(why, VL_ERR_WRONG_MISSION, "its sender is not headquarters");
	return err;
}

/* The place of a receipt among those that wait: that of its lane and epoch, or one of its own.
 * Of too many epochs the oldest gives way; NULL where this one is older still. */
static struct receipt *place_of(struct vl_inbox *inbox, const struct receipt *receipt)
{
	struct receipt *waiting = (struct receipt *)(void *)inbox->receipts.data, *oldest = NULL;
	size_t n = inbox->receipts.size / sizeof(*waiting), epochs = 0;

	for (size_t i = 0; i < n; i++) {
		if (waiting[i].lane != receipt->lane)
			continue;
		if (waiting[i].epoch.n == receipt->epoch.n)
			return &waiting[i];
		epochs++;
		if (oldest == NULL || waiting[i].epoch.n < oldest->epoch.n)
			oldest = &waiting[i];
	}
	if (epochs < EPOCHS) {
		struct receipt *added =
			(struct receipt *)(void *)vl_buf_add(&inbox->receipts, sizeof(*added));
		if (added != NULL)
			*added = (struct receipt){.lane = receipt->lane, .epoch = receipt->epoch};
		return added;
	}
	if (receipt->epoch.n < oldest->epoch.n)
		return NULL;
	*oldest = (struct receipt){.lane = receipt->lane, .epoch = receipt->epoch};
	return oldest;
}

/* What a later headquarters says of lanes that are not known here is not for us. */
static void keep_receipt(struct vl_inbox *inbox, const Valise__Receipt__V1__Applied *applied)
{
	const struct vl_lane *lane = vl_lane_find(applied->lane, strlen(applied->lane));
	struct receipt receipt = {.epoch = {applied->epoch},
				  .seq = {applied->seq},
				  .suspended = {applied->suspended}};

	if (lane == NULL || applied->digest.len != sizeof(receipt.digest.bytes))
		return;
	receipt.lane = (size_t)(lane - vl_lanes);
	memcpy(receipt.digest.bytes, applied->digest.data, sizeof(receipt.digest.bytes));
	struct receipt *kept = place_of(inbox, &receipt);
	if (kept == NULL || receipt.seq.n < kept->seq.n)
		return;
	if (receipt.suspended.n < kept->suspended.n)
		receipt.suspended = kept->suspended;
	*kept = receipt;
}

static void keep_wish(struct vl_inbox *inbox, const Valise__Directive__V1__Resend *resend)
{
	const struct vl_lane *lane = vl_lane_find(resend->lane, strlen(resend->lane));

	if (lane == NULL || resend->from_seq == 0 ||
	    (resend->to_seq != 0 && resend->to_seq < resend->from_seq))
		return;
	inbox->lanes[lane - vl_lanes].wish =
		(struct wish){{resend->epoch}, {resend->from_seq}, {resend->to_seq}};
}

/* Whether this batch of headquarters' was not read before: it is later than all of its epoch. Of
 * an epoch that is not known any batch is new; the oldest known gives way to it. */
static bool is_new(struct reading *reading, const struct vl_batch_head *head)
{
	struct place *oldest = &reading->known[0];

	for (size_t i = 0; i < KNOWN; i++) {
		struct place *place = &reading->known[i];
		if (place->epoch.n == head->epoch.n) {
			bool later = head->seq.n > place->seq.n;
			if (later)
				place->seq = head->seq;
			return later;
		}
		if (place->epoch.n < oldest->epoch.n)
			oldest = place;
	}
	if (head->epoch.n > oldest->epoch.n)
		*oldest = (struct place){head->epoch, head->seq};
	return true;
}

static bool is_ours(const struct vl_inbox *inbox, const char *mission)
{
	return strcmp(mission, inbox->mission) == 0;
}

/* A message of a type that is read here. False where it is about another mission. */
static bool read_message(struct vl_inbox *inbox, const ProtobufCMessage *message)
{
	if (message->descriptor == &valise__receipt__v1__receipt__descriptor) {
		const Valise__Receipt__V1__Receipt *receipt =
			(const Valise__Receipt__V1__Receipt *)message;
		bool ours = is_ours(inbox, receipt->mission);
		for (size_t i = 0; ours && i < receipt->n_applied; i++)
			keep_receipt(inbox, receipt->applied[i]);
		return ours;
	}
	if (message->descriptor == &valise__receipt__v1__applied__descriptor) {
		const Valise__Receipt__V1__Applied *applied =
			(const Valise__Receipt__V1__Applied *)message;
		if (is_ours(inbox, applied->mission))
			keep_receipt(inbox, applied);
		return is_ours(inbox, applied->mission);
	}
	const Valise__Directive__V1__Resend *resend =
		(const Valise__Directive__V1__Resend *)message;
	if (is_ours(inbox, resend->mission))
		keep_wish(inbox, resend);
	return is_ours(inbox, resend->mission);
}

/* The types that are read in a topic. */
static const ProtobufCMessageDescriptor *const types[VL_DOWN_TOPICS][2] = {
	[VL_DOWN_RECEIPTS] = {&valise__receipt__v1__receipt__descriptor,
			      &valise__receipt__v1__applied__descriptor},
	[VL_DOWN_DIRECTIVES] = {&valise__directive__v1__resend__descriptor, NULL},
	/* What names a mission is not for all. */
	[VL_DOWN_ORDERS] = {NULL, NULL},
};

static enum vl_err read_batch(struct vl_inbox *inbox, size_t topic, const struct vl_batch *batch,
			      struct vl_why *why)
{
	enum vl_err err = VL_OK;

	if (!is_new(&inbox->readings[topic], &batch->head))
		return vl_fail(why, VL_ERR_EXISTS, "it was read before, and comes again");
	for (size_t i = 0; i < batch->n_events; i++)
		for (size_t t = 0; t < 2 && types[topic][t] != NULL; t++) {
			struct vl_bytes payload;
			/* What a later headquarters says here is not for us. */
			if (!vl_event_payload(batch->events[i], types[topic][t], &payload))
				continue;
			const ProtobufCMessage *message =
				vl_wire_unpack(types[topic][t], payload, inbox->arena);
			if (message != NULL && !read_message(inbox, message))
				err = vl_fail(why, VL_ERR_WRONG_MISSION,
					      "it is about another mission");
		}
	return err;
}

/* Each kind is logged at once, and then once a minute at most, with how many there were. */
static void tell(struct vl_inbox *inbox, size_t topic, int64_t offset, enum vl_err err,
		 const struct vl_why *why, int64_t now_ms)
{
	struct reading *reading = &inbox->readings[topic];
	struct refused *refused = &reading->refused[err];
	char more[64] = "";

	if (err == VL_OK)
		return;
	refused->count++;
	if (refused->told > 0 && now_ms - refused->told_at < TELL_MS)
		return;
	if (refused->count - refused->told > 1)
		(void)snprintf(more, sizeof(more),
			       " (%" PRIu64 " of the kind since this was last said)",
			       refused->count - refused->told);
	vl_log_warning("a %s is passed over: record %" PRId64 " of '%s' is not good: %s%s",
		       topic == VL_DOWN_RECEIPTS ? "receipt" : "directive", offset, reading->topic,
		       vl_why_text(why, err), more);
	refused->told = refused->count;
	refused->told_at = now_ms;
}

uint64_t vl_inbox_refused(const struct vl_inbox *inbox)
{
	uint64_t count = 0;

	for (size_t t = 0; t < VL_DOWN_TOPICS; t++)
		for (size_t i = 0; i < VL_ERR_COUNT; i++)
			count += inbox->readings[t].refused[i].count;
	return count;
}

static size_t topic_of(const struct vl_inbox *inbox, const struct vl_record *record)
{
	size_t topic = 0;

	while (topic < VL_DOWN_TOPICS && !vl_bytes_are(record->topic, inbox->readings[topic].topic))
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
	struct vl_record record = {0};
	struct vl_digest unknown;
	struct vl_why why = {0};

	if (inbox->ring == NULL || vl_record_unpack(relayed, &record, &unknown) != VL_OK ||
	    record.partition != 0 || record.offset < 0 || record.offset == INT64_MAX)
		return;
	size_t topic = topic_of(inbox, &record);
	if (topic == VL_DOWN_TOPICS)
		return;
	vl_arena_reset(inbox->arena);
	enum vl_err err = verify(inbox, &record, &verified, &why);
	if (err == VL_OK)
		err = read_batch(inbox, topic, &verified.batch, &why);
	tell(inbox, topic, record.offset, err, &why, now_ms);
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

void vl_inbox_damaged(struct vl_inbox *inbox, const struct vl_pipe_message *damaged, int64_t now_ms)
{
	/* What has no room is found again. */
	if (inbox->n_damaged == DAMAGED_MOST)
		return;
	inbox->damages[inbox->n_damaged++] =
		(struct damage){damaged->lane, damaged->epoch, damaged->seq};
	wait_until(inbox, now_ms);
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

static void alarm_once(struct vl_inbox *inbox, const struct receipt *receipt,
		       enum vl_outbox_fit fit)
{
	const char *reason = misfit(fit);

	if (reason == NULL || inbox->lanes[receipt->lane].alarmed.n == receipt->epoch.n)
		return;
	inbox->lanes[receipt->lane].alarmed = receipt->epoch;
	vl_log_error("headquarters says it has applied batch %" PRIu64 " of epoch %" PRIu64
		     " on lane '%s', %s. This outbox is an old copy, or another agent has its "
		     "key: find out which, and report it to headquarters",
		     receipt->seq.n, receipt->epoch.n, vl_lanes[receipt->lane].name, reason);
}

static void take_receipts(struct vl_inbox *inbox, struct vl_outbox *outbox)
{
	struct receipt receipt;

	for (size_t at = 0; at + sizeof(receipt) <= inbox->receipts.size; at += sizeof(receipt)) {
		memcpy(&receipt, inbox->receipts.data + at, sizeof(receipt));
		struct vl_outbox_receipt about = {vl_lanes[receipt.lane].name, receipt.epoch,
						  receipt.seq, receipt.digest, receipt.suspended};
		alarm_once(inbox, &receipt, vl_outbox_free(outbox, &about));
	}
}

static void give_up_damaged(struct vl_inbox *inbox, struct vl_outbox *outbox)
{
	for (size_t i = 0; i < inbox->n_damaged; i++) {
		const struct damage *damage = &inbox->damages[i];
		if (vl_outbox_give_up(outbox, damage->lane->name, damage->epoch, damage->seq))
			vl_log_error("batch %" PRIu64 " of epoch %" PRIu64
				     " on lane '%s' is damaged on this disk and cannot be "
				     "sent. It is put aside (valise outbox ls), and the lane "
				     "goes on in a new epoch with all that is whole. Its "
				     "events are lost unless headquarters has them: report "
				     "them to headquarters, publish them again with their ids, "
				     "and check this disk",
				     damage->seq.n, damage->epoch.n, damage->lane->name);
	}
}

/* Once it is over. */
static void tell_carried(struct vl_inbox *inbox, const struct vl_outbox *outbox)
{
	uint64_t carried, damaged;

	vl_outbox_carried(outbox, &carried, &damaged);
	if (vl_outbox_freeing(outbox) || (carried == inbox->carried && damaged == inbox->damaged))
		return;
	vl_log_info("%" PRIu64 " events of epochs that came to an end are in new ones",
		    carried - inbox->carried);
	if (damaged > inbox->damaged)
		vl_log_error("%" PRIu64 " batches of such epochs are damaged or of an "
			     "exercise, and stay as they are; keep a copy of the "
			     "outbox for headquarters",
			     damaged - inbox->damaged);
	inbox->carried = carried;
	inbox->damaged = damaged;
}

/* Once it is over. */
static void tell_resigned(struct vl_inbox *inbox, const struct vl_outbox *outbox)
{
	bool resigning = vl_outbox_resigning(outbox);

	if (inbox->resigning && !resigning)
		vl_log_info("all that waits here is signed with the present key");
	inbox->resigning = resigning;
}

void vl_inbox_note(struct vl_inbox *inbox, struct vl_outbox *outbox)
{
	take_receipts(inbox, outbox);
	give_up_damaged(inbox, outbox);
	for (size_t t = 0; t < VL_DOWN_TOPICS; t++)
		if (inbox->readings[t].position >= 0)
			vl_outbox_set_position(outbox, inbox->readings[t].topic,
					       inbox->readings[t].partition,
					       inbox->readings[t].position);
	vl_outbox_free_some(outbox);
	tell_carried(inbox, outbox);
	tell_resigned(inbox, outbox);
}

void vl_inbox_noted(struct vl_inbox *inbox)
{
	vl_buf_reset(&inbox->receipts);
	inbox->due = -1;
	for (size_t t = 0; t < VL_DOWN_TOPICS; t++)
		inbox->readings[t].position = -1;
	inbox->n_damaged = 0;
	inbox->not_before = 0;
}

void vl_inbox_not_noted(struct vl_inbox *inbox, int64_t now_ms)
{
	inbox->not_before = now_ms + RETRY_MS;
	if (inbox->due >= 0)
		inbox->due = inbox->not_before;
}
