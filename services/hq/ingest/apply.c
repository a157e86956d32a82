#include "hq/ingest/apply.h"

#include "base/text.h"
#include "bus/types.h"
#include "hq/fold/filing.h"
#include "hq/fold/renewal.h"
#include "hq/fold/todo.h"
#include "hq/fold/views.h"
#include "hq/ingest/apply_state.h"
#include "hq/ingest/pulse.h"
#include "hq/ledger/deadletter.h"
#include "hq/ledger/passed.h"
#include "hq/fold/databases.h"

#include <stdlib.h>
#include <string.h>

/* What an earlier run left to be done. */
static bool look_left(struct vl_applier *applier)
{
	struct vl_txn *txn = vl_txn_begin(applier->store, false, NULL);

	if (txn != NULL)
		applier->undone = vl_todo_left(txn) + vl_renewal_left(txn);
	vl_txn_abort(txn);
	return txn != NULL;
}

enum vl_err vl_applier_open(struct vl_store *store, struct vl_applier **opened)
{
	struct vl_applier *applier = calloc(1, sizeof(*applier));

	*opened = NULL;
	if (applier == NULL)
		return VL_ERR_NOMEM;
	applier->store = store;
	applier->bounds = VL_PARKED_BOUNDS;
	applier->least = VL_ROUTINE;
	applier->fold = vl_fold_open();
	applier->arena = vl_arena_open(0);
	if (applier->fold != NULL)
		applier->filing = vl_filing_open(applier->fold);
	if (applier->filing == NULL || applier->arena == NULL || !look_left(applier)) {
		vl_applier_close(applier);
		return VL_ERR_NOMEM;
	}
	struct vl_txn *txn = vl_txn_begin(store, false, NULL);
	applier->waits = txn != NULL && vl_txn_count(txn, VL_DB_DUE) > 0;
	vl_txn_abort(txn);
	*opened = applier;
	return VL_OK;
}

void vl_applier_close(struct vl_applier *applier)
{
	if (applier == NULL)
		return;
	vl_txn_abort(applier->txn);
	vl_filing_close(applier->filing);
	vl_fold_close(applier->fold);
	vl_arena_close(applier->arena);
	vl_buf_free(&applier->packed);
	vl_buf_free(&applier->copy);
	free(applier);
}

enum vl_err vl_apply_begin(struct vl_applier *applier, struct vl_why *why)
{
	applier->txn = vl_txn_begin(applier->store, true, why);
	if (applier->txn == NULL)
		return VL_ERR_NOMEM;
	applier->events = 0;
	applier->left = VL_DRAIN;
	vl_fold_begin(applier->fold, applier->txn);
	return VL_OK;
}

/* That may be done now. */
static uint64_t left_to_do(const struct vl_applier *applier, struct vl_txn *txn)
{
	uint64_t left = 0;

	if (applier->least == VL_ROUTINE)
		return vl_todo_left(txn) + vl_renewal_left(txn);
	for (size_t view = 0; vl_views[view] != NULL; view++)
		left += vl_view_precedence(view) <= applier->least && vl_todo_any_of(txn, view);
	return left;
}

enum vl_err vl_apply_commit(struct vl_applier *applier, struct vl_why *why)
{
	struct vl_txn *txn = applier->txn;

	vl_fold_enter(applier->fold, VL_PHASE_SERVE);
	vl_filing_serve(applier->filing, txn, applier->least);
	/* While there is little room only what is urgent is gone on with. */
	if (applier->least == VL_ROUTINE)
		vl_renewal_serve(applier->fold, vl_fold_bounds(applier->fold)->file);
	vl_fold_enter(applier->fold, VL_PHASE_SETTLE);
	enum vl_err err = vl_fold_settle(applier->fold);
	uint64_t left = left_to_do(applier, txn);

	applier->waits = vl_txn_count(txn, VL_DB_DUE) > 0 && vl_arrival_due(applier);
	applier->txn = NULL;
	if (err != VL_OK) {
		struct vl_why reason = {0};
		(void)vl_txn_explain(txn, &reason);
		vl_txn_abort(txn);
		return vl_fail(why, err,
			       err == VL_ERR_CORRUPT ? "%.100s; " VL_LEDGER_REBUILD : "%.100s",
			       reason.text);
	}
	err = vl_txn_commit(txn, why);
	if (err == VL_OK) {
		applier->total += applier->events;
		applier->undone = left;
	}
	return err;
}

/* Begin what makes it whole again. */
static enum vl_err renew(struct vl_applier *applier, unsigned db, struct vl_why *why)
{
	enum vl_err err = vl_apply_begin(applier, why);

	if (err != VL_OK)
		return err;
	vl_fold_damaged(applier->fold, db);
	return vl_apply_commit(applier, why);
}

enum vl_err vl_apply_look(struct vl_applier *applier, uint64_t entries, bool *round,
			  struct vl_why *why)
{
	char name[VL_LEDGER_NAME];
	struct vl_txn *txn = vl_txn_begin(applier->store, false, why);

	if (txn == NULL)
		return VL_ERR_NOMEM;
	int db = vl_look_on(&applier->look, txn, entries, round);
	enum vl_err err = vl_txn_err(txn);
	vl_txn_abort(txn);
	if (err != VL_OK && err != VL_ERR_CORRUPT)
		return err;
	if (db < 0)
		return VL_OK;
	if (err == VL_OK && (db >= VL_DB_VIEWS || db == VL_DB_TODO || db == VL_DB_PENDING))
		return renew(applier, (unsigned)db, why);
	vl_ledger_name((unsigned)db, name);
	return vl_fail(why, VL_ERR_CORRUPT, "a row of its database '%.80s' is damaged", name);
}

void vl_apply_abort(struct vl_applier *applier)
{
	vl_txn_abort(applier->txn);
	applier->txn = NULL;
}

void vl_apply_watch(struct vl_applier *applier, vl_apply_moved *moved, void *context)
{
	applier->moved = moved;
	applier->context = context;
}

void vl_apply_bound(struct vl_applier *applier, const struct vl_parked_bounds *bounds)
{
	applier->bounds = *bounds;
}

void vl_apply_only(struct vl_applier *applier, enum vl_precedence least)
{
	applier->least = least;
}

bool vl_apply_waits(const struct vl_applier *applier)
{
	return applier->waits;
}

uint64_t vl_apply_events(const struct vl_applier *applier)
{
	return applier->events;
}

uint64_t vl_apply_total(const struct vl_applier *applier)
{
	return applier->total;
}

uint64_t vl_apply_steps(const struct vl_applier *applier)
{
	return vl_fold_steps(applier->fold);
}

uint64_t vl_apply_left(const struct vl_applier *applier)
{
	return applier->undone;
}

void vl_apply_bound_steps(struct vl_applier *applier, const struct vl_fold_bounds *bounds)
{
	vl_fold_bound(applier->fold, bounds);
}

void vl_apply_time(struct vl_applier *applier, const struct vl_clock *clock, struct vl_txn *before)
{
	applier->clock = clock;
	applier->before = before;
}

void vl_apply_pace(struct vl_applier *applier, const struct vl_fold_pace *pace)
{
	vl_fold_set_pace(applier->fold, pace);
}

/* -- offsets -- */

static void offset_key(struct vl_key *key, const char *topic, int32_t partition)
{
	vl_key_reset(key);
	vl_key_text(key, topic);
	vl_key_u32(key, (uint32_t)partition);
}

int64_t vl_apply_offset(struct vl_txn *txn, const char *topic, int32_t partition,
			struct vl_digest *last)
{
	struct vl_key key;
	struct vl_bytes value;

	offset_key(&key, topic, partition);
	bool found = vl_txn_get(txn, VL_DB_OFFSET, vl_key_done(&key), &value);
	found = found && value.size == 40;
	if (last != NULL)
		*last = (struct vl_digest){0};
	if (last != NULL && found)
		memcpy(last->bytes, value.data + 8, sizeof(last->bytes));
	return found ? (int64_t)vl_get_be64(value.data) : -1;
}

static void offset_put(struct vl_txn *txn, const char *topic, int32_t partition, int64_t next,
		       const struct vl_digest *digest)
{
	struct vl_key key;
	uint8_t value[40];

	vl_put_be64(value, (uint64_t)next);
	memcpy(value + 8, digest->bytes, sizeof(digest->bytes));
	offset_key(&key, topic, partition);
	vl_txn_put(txn, VL_DB_OFFSET, vl_key_done(&key), (struct vl_bytes){value, sizeof(value)});
}

enum vl_err vl_apply_rewind(struct vl_applier *applier, const char *topic, int32_t partition,
			    int64_t offset, struct vl_why *why)
{
	static const struct vl_digest none;
	struct vl_txn *txn = vl_txn_begin(applier->store, true, why);

	if (txn == NULL)
		return VL_ERR_NOMEM;
	offset_put(txn, topic, partition, offset, &none);
	vl_passed_forget(txn, topic, partition);
	return vl_txn_commit(txn, why);
}

/* False where the record, and all that follows it up to before `to`, has been applied before. */
static bool take_offset(struct vl_applier *applier, const struct vl_record *record, int64_t to,
			const struct vl_mark *mark)
{
	char topic[256];

	if (record->topic.size >= sizeof(topic)) {
		vl_txn_fail(applier->txn, VL_ERR_BUG);
		return false;
	}
	memcpy(topic, record->topic.data, record->topic.size);
	topic[record->topic.size] = '\0';
	int64_t next = vl_apply_offset(applier->txn, topic, record->partition, NULL);
	if (to <= next)
		return false;
	if (mark->next > next)
		offset_put(applier->txn, topic, record->partition, mark->next, &mark->last);
	return true;
}

/* Where a record comes from: Kafka, Kafka once more, another ledger's archive. */
enum source { KAFKA, PASSED, KEPT };

static void apply_batch(struct vl_applier *applier, const struct vl_record *record,
			const struct vl_verified *verified, const struct vl_fact *facts,
			enum source source)
{
	const struct vl_batch_head *head = &verified->batch.head;
	struct vl_arrival a = {.record = record,
			       .batch = &verified->batch,
			       .digest = &verified->digest,
			       .facts = facts,
			       .again = source != KAFKA};
	int view = vl_view_of_lane((const char *)head->lane.data, head->lane.size);
	bool pulse = vl_bytes_are(head->lane, VL_PULSE_LANE);

	if ((view < 0 && !pulse) || head->mission.size > VL_MISSION_MAX) {
		if (source == KAFKA)
			vl_deadletter_bury(applier->txn, record, &verified->digest,
					   VL_ERR_WRONG_LANE, NULL);
		return;
	}
	if (pulse) {
		vl_arena_reset(applier->arena);
		vl_pulse_apply(applier->txn, applier->arena, record, verified);
		return;
	}
	a.view = (size_t)view;
	a.lane = vl_views[view]->lane;
	memcpy(a.mission, head->mission.data, head->mission.size);
	if (source == PASSED && !vl_passed_wanted(applier->txn, a.mission, a.lane, record))
		return;
	a.standing = vl_standing_get(applier->txn, a.mission, a.lane);
	vl_arrival_place(applier, &a);
	if (a.standing.dropped > 0 && vl_parked_settle(applier->txn, a.mission, a.lane))
		a.standing.dropped = 0;
	vl_standing_put(applier->txn, a.mission, a.lane, &a.standing);
}

void vl_apply_in_turn(struct vl_applier *applier, const struct vl_record *record,
		      const struct vl_mark *mark, enum vl_err verdict,
		      const struct vl_verified *verified, const struct vl_fact *facts,
		      const struct vl_why *reason)
{
	if (vl_err_class(verdict) == VL_CLASS_FATAL) {
		vl_txn_fail(applier->txn, verdict);
		return;
	}
	if (!take_offset(applier, record, record->offset + 1, mark))
		return;
	if (verdict != VL_OK)
		vl_deadletter_bury(applier->txn, record, &verified->digest, verdict, reason);
	else if (verified->domain == VL_DOMAIN_DRILL)
		vl_deadletter_bury(applier->txn, record, &verified->digest, VL_ERR_DRILL, NULL);
	else
		apply_batch(applier, record, verified, facts, KAFKA);
}

void vl_apply_record(struct vl_applier *applier, const struct vl_record *record,
		     enum vl_err verdict, const struct vl_verified *verified,
		     const struct vl_fact *facts, const struct vl_why *reason)
{
	const struct vl_mark mark = {record->offset + 1, verified->digest};

	vl_apply_in_turn(applier, record, &mark, verdict, verified, facts, reason);
}

/* Whose record it is, by its key, and of which lane, by its topic. False where they name none. */
static bool read_claim(const struct vl_record *record, char mission[VL_MISSION_MAX + 1],
		       const char **lane)
{
	struct vl_bytes name = vl_topic_lane(record->topic);
	int view = vl_view_of_lane((const char *)name.data, name.size);

	if (view < 0 || !vl_mission_valid((const char *)record->key.data, record->key.size))
		return false;
	memcpy(mission, record->key.data, record->key.size);
	mission[record->key.size] = '\0';
	*lane = vl_views[view]->lane;
	return true;
}

void vl_apply_put_off(struct vl_applier *applier, const struct vl_record *record, int64_t to,
		      const struct vl_mark *mark)
{
	char mission[VL_MISSION_MAX + 1];
	const char *lane;

	if (!read_claim(record, mission, &lane))
		vl_txn_fail(applier->txn, VL_ERR_BUG);
	else if (take_offset(applier, record, to, mark))
		vl_passed_put_off(applier->txn, mission, lane, record, to);
}

/* Nobody has judged it before. */
static bool was_put_off(struct vl_applier *applier, const struct vl_record *record)
{
	char mission[VL_MISSION_MAX + 1];
	const char *lane;

	return read_claim(record, mission, &lane) &&
	       vl_passed_wanted(applier->txn, mission, lane, record) &&
	       vl_passed_unjudged(applier->txn, mission, lane, record);
}

/* Whatever else is wrong with it was found when it came first, unless it was put off then. */
void vl_apply_again(struct vl_applier *applier, const struct vl_record *record, enum vl_err verdict,
		    const struct vl_verified *verified, const struct vl_fact *facts,
		    const struct vl_why *reason)
{
	bool drill = verdict == VL_OK && verified->domain == VL_DOMAIN_DRILL;

	if (vl_err_class(verdict) == VL_CLASS_FATAL)
		vl_txn_fail(applier->txn, verdict);
	else if (verdict != VL_OK || drill) {
		if (was_put_off(applier, record))
			vl_deadletter_bury(applier->txn, record, &verified->digest,
					   drill ? VL_ERR_DRILL : verdict, drill ? NULL : reason);
	} else if (!vl_bytes_are(verified->batch.head.lane, VL_PULSE_LANE))
		apply_batch(applier, record, verified, facts, PASSED);
}

void vl_apply_kept(struct vl_applier *applier, const struct vl_record *record,
		   const struct vl_verified *verified)
{
	apply_batch(applier, record, verified, NULL, KEPT);
}
