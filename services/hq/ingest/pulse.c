#include "hq/ingest/pulse.h"

#include "bus/types.h"
#include "bus/wire.h"
#include "hq/ledger/deadletter.h"
#include "hq/ledger/evidence.h"
#include "hq/ledger/standing.h"

#include <string.h>

#define TYPE (&valise__pulse__v1__pulse__descriptor)

/* How a batch of pulses stands to the newest one there is. */
enum place { NEWER, REPLAYED, CONTRADICTS };

static void pulse_key(struct vl_key *key, const char *mission)
{
	vl_key_reset(key);
	vl_key_text(key, mission);
}

/* -- reading -- */

/* The last pulse in a batch that can be read here. */
static bool find_said(const struct vl_batch *batch, struct vl_bytes *said)
{
	bool found = false;

	for (size_t i = 0; i < batch->n_events; i++)
		found |= vl_event_payload(batch->events[i], TYPE, said);
	return found;
}

static enum vl_err read_kept(struct vl_bytes stored, struct vl_arena *arena,
			     struct vl_pulse_kept *kept)
{
	struct vl_record record;
	struct vl_batch batch;
	struct vl_bytes said;

	if (vl_record_unpack(stored, &record, &kept->digest) != VL_OK ||
	    !vl_record_intact(&record, &kept->digest))
		return VL_ERR_CORRUPT;
	enum vl_err err = vl_batch_read(record.value, arena, &batch, NULL);
	if (err != VL_OK || !find_said(&batch, &said))
		return err == VL_ERR_NOMEM ? err : VL_ERR_CORRUPT;
	kept->at_ms = record.timestamp_ms;
	kept->partition = record.partition;
	kept->head = batch.head;
	kept->said = (const Valise__Pulse__V1__Pulse *)vl_wire_unpack(TYPE, said, arena);
	return kept->said != NULL ? VL_OK : VL_ERR_NOMEM;
}

enum vl_err vl_pulse_get(struct vl_txn *txn, const char *mission, struct vl_arena *arena,
			 struct vl_pulse_kept *kept)
{
	struct vl_key key;
	struct vl_bytes stored;

	pulse_key(&key, mission);
	enum vl_err err = vl_txn_find(txn, VL_DB_PULSE, vl_key_done(&key), &stored);
	return err == VL_OK ? read_kept(stored, arena, kept) : err;
}

void vl_pulse_each(struct vl_txn *txn, struct vl_arena *arena,
		   void (*each)(void *context, const char *mission,
				const struct vl_pulse_kept *kept),
		   void *context)
{
	struct vl_cursor *cursor = vl_cursor_open(txn, VL_DB_PULSE);
	struct vl_bytes key, value;

	/* The next one takes the place of one that is damaged. */
	vl_cursor_pass_over(cursor, (struct vl_bytes){0}, NULL, NULL);
	for (bool more = vl_cursor_seek(cursor, (struct vl_bytes){0}, &key, &value); more;
	     more = vl_cursor_next(cursor, &key, &value)) {
		struct vl_pulse_kept kept;
		vl_arena_reset(arena);
		if (read_kept(value, arena, &kept) == VL_OK)
			each(context, (const char *)key.data, &kept);
	}
	vl_cursor_close(cursor);
}

/* -- applying -- */

static enum place compare(const struct vl_pulse_kept *newest, const struct vl_verified *verified)
{
	const struct vl_batch_head *head = &verified->batch.head, *last = &newest->head;

	if (head->epoch.n != last->epoch.n)
		return head->epoch.n > last->epoch.n ? NEWER : REPLAYED;
	if (head->seq.n == last->seq.n)
		return vl_digest_equal(&verified->digest, &newest->digest) ? REPLAYED : CONTRADICTS;
	if (head->seq.n == last->seq.n + 1)
		return vl_digest_equal(&head->prev, &newest->digest) ? NEWER : CONTRADICTS;
	if (head->seq.n + 1 == last->seq.n)
		return vl_digest_equal(&verified->digest, &last->prev) ? REPLAYED : CONTRADICTS;
	return head->seq.n > last->seq.n ? NEWER : REPLAYED;
}

static void put(struct vl_txn *txn, unsigned db, const struct vl_key *key,
		const struct vl_record *record, const struct vl_digest *digest)
{
	struct vl_buf packed = {0};

	vl_record_pack(&packed, record, digest);
	if (vl_buf_failed(&packed))
		vl_txn_fail(txn, VL_ERR_NOMEM);
	vl_txn_put(txn, db, vl_key_done(key), vl_buf_bytes(&packed));
	vl_buf_free(&packed);
}

/* Keep what contradicts; false where it is there already. */
static bool keep_evidence(struct vl_txn *txn, const char *mission, const struct vl_record *record,
			  const struct vl_verified *verified)
{
	const struct vl_batch_head *head = &verified->batch.head;
	struct vl_buf packed = {0};

	vl_record_pack(&packed, record, &verified->digest);
	if (vl_buf_failed(&packed))
		vl_txn_fail(txn, VL_ERR_NOMEM);
	enum vl_evidence_outcome outcome =
		vl_evidence_keep(txn, mission, VL_PULSE_LANE, head->epoch, head->seq,
				 &verified->digest, vl_buf_bytes(&packed), false);
	vl_buf_free(&packed);
	return outcome != VL_EVIDENCE_THERE;
}

static void take(struct vl_txn *txn, const char *mission, const struct vl_record *record,
		 const struct vl_verified *verified, struct vl_standing *s)
{
	const struct vl_batch *batch = &verified->batch;
	struct vl_key key;

	pulse_key(&key, mission);
	put(txn, VL_DB_PULSE, &key, record, &verified->digest);
	s->batches++;
	s->events += batch->n_events;
	s->epoch = batch->head.epoch;
	s->seq = batch->head.seq;
	s->next_event.n = batch->head.first_event.n + batch->n_events;
	s->applied_ms = record->timestamp_ms;
	s->signed_at = batch->head.signed_at;
}

/* Whether an epoch begins here that knows nothing of one before. */
static bool forgets(const struct vl_batch_head *head)
{
	static const struct vl_digest none;

	return head->seq.n == 1 && vl_digest_equal(&head->prev, &none);
}

void vl_pulse_apply(struct vl_txn *txn, struct vl_arena *arena, const struct vl_record *record,
		    const struct vl_verified *verified)
{
	const struct vl_batch_head *head = &verified->batch.head;
	const char *mission = vl_arena_text(arena, head->mission.data, head->mission.size);
	struct vl_pulse_kept newest;
	struct vl_bytes said;

	if (mission == NULL) {
		vl_txn_fail(txn, VL_ERR_NOMEM);
		return;
	}
	struct vl_standing s = vl_standing_get(txn, mission, VL_PULSE_LANE);
	enum vl_err err = vl_pulse_get(txn, mission, arena, &newest);
	if (err == VL_ERR_NOMEM)
		vl_txn_fail(txn, err);
	enum place place = err == VL_OK ? compare(&newest, verified) : NEWER;
	if (place == REPLAYED ||
	    (place == CONTRADICTS && !keep_evidence(txn, mission, record, verified))) {
		s.replayed++;
	} else if (place == CONTRADICTS) {
		s.forks++;
	} else if (find_said(&verified->batch, &said)) {
		if (forgets(head))
			vl_evidence_forgot(txn, mission, VL_PULSE_LANE, head->epoch);
		s.rollbacks += err == VL_OK && head->epoch.n > newest.head.epoch.n && forgets(head);
		take(txn, mission, record, verified, &s);
	} else {
		s.unread += verified->batch.n_events;
		vl_deadletter_bury(txn, record, &verified->digest, VL_ERR_UNKNOWN_TYPE, NULL);
	}
	vl_standing_put(txn, mission, VL_PULSE_LANE, &s);
}
