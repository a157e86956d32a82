/*
 * A round is signed and stored, by this thread or the writer.
 */
#include "agent/outbox/outbox_in.h"

#include "base/failpoint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* -- storing: on the caller's thread or the writer's, touching nothing but the round and the
 * store -- */

static void put_batch(const struct vl_outbox *outbox, struct vl_txn *txn,
		      const struct outbox_round *round, const struct outbox_closed *closed)
{
	struct vl_outbox_batch batch = {
		.lane = closed->lane->name,
		.epoch = closed->epoch,
		.seq = closed->seq,
		.first_event = closed->first_event,
		.n_events = closed->n_events,
		.stored_at = round->now,
		.domain = closed->seal.domain,
		.key = outbox->key,
		.signature = closed->seal.signature,
		.digest = closed->seal.digest,
		.value = vl_buf_bytes(&closed->value),
	};

	if (closed->seal.err != VL_OK)
		vl_txn_fail(txn, closed->seal.err);
	row_put_batch(txn, &batch);
}

/* Each was looked for before it was accepted: one that is there was lost with its batch. */
static void put_again(const struct vl_outbox *outbox, struct vl_txn *txn, struct vl_bytes key,
		      struct vl_bytes row)
{
	if (outbox->lost == 0)
		vl_txn_fail(txn, VL_ERR_BUG);
	else
		vl_txn_put(txn, EVENT, key, row);
}

/* In their order each finds its place beside the one before; and most are later than all that
 * are known, as they begin with the time. */
static void put_ids(const struct vl_outbox *outbox, struct vl_txn *txn, const struct vl_ids *ids)
{
	struct vl_id_place *places = vl_ids_sort(ids);
	struct vl_cursor *cursor = vl_cursor_open(txn, EVENT);
	struct vl_event_id greatest;
	bool ordered = row_greatest_id(txn, &greatest);

	if (places == NULL)
		vl_txn_fail(txn, VL_ERR_NOMEM);
	for (size_t i = 0; i < ids->count && vl_txn_err(txn) == VL_OK; i++) {
		const struct vl_event_id *id = &places[i].id;
		struct vl_bytes key = {id->bytes, sizeof(id->bytes)},
				row = {places[i].row, VL_IDS_ROW};
		if (ordered && vl_event_id_compare(id, &greatest) > 0)
			vl_cursor_append(cursor, key, row);
		else if (!vl_cursor_insert(cursor, key, row))
			put_again(outbox, txn, key, row);
	}
	vl_cursor_close(cursor);
	free(places);
}

static void put_end(struct vl_txn *txn, const struct outbox_lane *lane, struct outbox_end *end)
{
	if (end->touched) {
		if (end->last != NULL)
			end->chain.digest = end->last->seal.digest;
		row_put_chain(txn, lane->name, &(struct chain_row){lane->number, end->chain});
	}
	if (end->sent)
		row_raise_place(txn, SENT, lane->name, end->sent_epoch, end->sent_seq);
	if (end->acked)
		row_raise_place(txn, ACKED, lane->name, end->acked_epoch, end->acked_seq);
}

/* `txn` is the one that frees, or NULL. */
static enum vl_err store(struct vl_outbox *outbox, struct outbox_round *round, struct vl_txn *txn,
			 struct vl_why *why)
{
	if (txn == NULL)
		txn = vl_txn_begin(outbox->store, true, why);
	if (txn == NULL)
		return VL_ERR_IO;
	/* The ids first: the last batches are still being sealed. */
	put_ids(outbox, txn, &round->ids);
	for (struct outbox_closed *closed = round->first; closed != NULL; closed = closed->next) {
		outbox_batch_take(outbox, closed);
		put_batch(outbox, txn, round, closed);
	}
	for (uint32_t i = 0; i < round->n_lanes; i++)
		if (outbox->lanes[i] != NULL)
			put_end(txn, outbox->lanes[i], &round->ends[i]);
	(void)vl_failpoint("keeper.before-commit");
	enum vl_err err = vl_txn_commit(txn, why);
	if (err == VL_OK)
		(void)vl_failpoint("keeper.after-commit");
	return err;
}

/* -- the writer's thread -- */

struct outbox_writer {
	struct vl_outbox *outbox;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t moved;
	struct outbox_round *round; /* to be stored; NULL once it is, or is not */
	bool closing;
	enum vl_err err;
	struct vl_why why;
};

static void *run(void *context)
{
	struct outbox_writer *writer = context;

	(void)pthread_mutex_lock(&writer->lock);
	while (!writer->closing) {
		struct outbox_round *round = writer->round;
		if (round == NULL) {
			(void)pthread_cond_wait(&writer->moved, &writer->lock);
			continue;
		}
		(void)pthread_mutex_unlock(&writer->lock);
		struct vl_why why = {0};
		enum vl_err err = store(writer->outbox, round, NULL, &why);
		(void)pthread_mutex_lock(&writer->lock);
		writer->err = err;
		writer->why = why;
		writer->round = NULL;
		(void)pthread_cond_broadcast(&writer->moved);
		(void)eventfd_write(writer->outbox->landed, 1);
	}
	(void)pthread_mutex_unlock(&writer->lock);
	return NULL;
}

static struct outbox_writer *open_writer(struct vl_outbox *outbox)
{
	struct outbox_writer *writer = calloc(1, sizeof(*writer));

	if (writer == NULL)
		return NULL;
	writer->outbox = outbox;
	(void)pthread_mutex_init(&writer->lock, NULL);
	(void)pthread_cond_init(&writer->moved, NULL);
	if (pthread_create(&writer->thread, NULL, run, writer) == 0)
		return writer;
	(void)pthread_cond_destroy(&writer->moved);
	(void)pthread_mutex_destroy(&writer->lock);
	free(writer);
	return NULL;
}

void outbox_writer_close(struct outbox_writer *writer)
{
	if (writer == NULL)
		return;
	(void)pthread_mutex_lock(&writer->lock);
	writer->closing = true;
	(void)pthread_cond_broadcast(&writer->moved);
	(void)pthread_mutex_unlock(&writer->lock);
	(void)pthread_join(writer->thread, NULL);
	(void)pthread_cond_destroy(&writer->moved);
	(void)pthread_mutex_destroy(&writer->lock);
	free(writer);
}

/* -- the end of a round -- */

void outbox_round_drop(struct vl_outbox *outbox, struct outbox_round *round)
{
	struct outbox_closed *next;

	for (struct outbox_closed *closed = round->first; closed != NULL; closed = next) {
		next = closed->next;
		outbox_batch_take(outbox, closed);
		outbox_batch_free(outbox, closed);
	}
	round->first = round->last = NULL;
	round->n_given = 0;
	vl_ids_clear(&round->ids);
}

/* Back to what is on the disk. The oldest round first, as the sealer gives back in order. */
static void roll_back(struct vl_outbox *outbox, struct outbox_round *older,
		      struct outbox_round *newer)
{
	if (older != NULL)
		outbox_round_drop(outbox, older);
	if (newer != NULL)
		outbox_round_drop(outbox, newer);
	for (uint32_t i = 0; i < outbox->n_lanes; i++) {
		struct outbox_lane *lane = outbox->lanes[i];
		if (lane == NULL)
			continue;
		outbox_batch_drop(outbox, lane);
		lane->chain = lane->committed;
		lane->tail = lane->committed.digest;
	}
	outbox->measured = false;
}

/* It is on the disk. Its ids stay until the next round looks at the store anew. */
static void settle(struct vl_outbox *outbox, struct outbox_round *round)
{
	struct outbox_closed *next;

	for (uint32_t i = 0; i < round->n_lanes; i++) {
		if (!round->ends[i].touched)
			continue;
		outbox->lanes[i]->committed = round->ends[i].chain;
		outbox->marked = false;
	}
	for (struct outbox_closed *closed = round->first; closed != NULL; closed = next) {
		next = closed->next;
		outbox_batch_free(outbox, closed);
	}
	round->first = round->last = NULL;
}

/* Close what is open, and note where each lane stands. */
static void complete(struct vl_outbox *outbox, bool beside)
{
	struct outbox_round *round = outbox->round;

	round->n_lanes = outbox->n_lanes;
	for (uint32_t i = 0; i < outbox->n_lanes; i++) {
		struct outbox_lane *lane = outbox->lanes[i];
		if (lane == NULL || !round->ends[i].touched)
			continue;
		if (lane->n_events > 0)
			outbox_batch_close(outbox, lane, beside);
		round->ends[i].chain = lane->chain;
	}
	vl_txn_rest(outbox->known);
}

enum vl_err vl_outbox_submit(struct vl_outbox *outbox, struct vl_why *why)
{
	if (outbox->writer == NULL)
		outbox->writer = open_writer(outbox);
	if (outbox->writer == NULL || outbox->txn != NULL)
		return vl_outbox_commit(outbox, why);
	complete(outbox, true);
	if (outbox->err != VL_OK) {
		enum vl_err err = outbox->err;
		vl_outbox_abort(outbox);
		return vl_fail(why, err, "%s", vl_err_text(err));
	}
	outbox->flying = outbox->round;
	outbox->round = NULL;
	(void)pthread_mutex_lock(&outbox->writer->lock);
	outbox->writer->round = outbox->flying;
	(void)pthread_cond_broadcast(&outbox->writer->moved);
	(void)pthread_mutex_unlock(&outbox->writer->lock);
	return VL_OK;
}

bool vl_outbox_flying(const struct vl_outbox *outbox)
{
	return outbox->flying != NULL;
}

bool vl_outbox_landed(const struct vl_outbox *outbox)
{
	if (outbox->flying == NULL)
		return false;
	(void)pthread_mutex_lock(&outbox->writer->lock);
	bool landed = outbox->writer->round == NULL;
	(void)pthread_mutex_unlock(&outbox->writer->lock);
	return landed;
}

int vl_outbox_fd(const struct vl_outbox *outbox)
{
	return outbox->landed;
}

enum vl_err vl_outbox_land(struct vl_outbox *outbox, struct vl_why *why)
{
	struct outbox_writer *writer = outbox->writer;
	struct outbox_round *round = outbox->flying;
	eventfd_t count;

	if (round == NULL)
		return VL_OK;
	(void)pthread_mutex_lock(&writer->lock);
	while (writer->round != NULL)
		(void)pthread_cond_wait(&writer->moved, &writer->lock);
	enum vl_err err = writer->err;
	if (err != VL_OK)
		(void)vl_fail(why, err, "%s", vl_why_text(&writer->why, err));
	(void)pthread_mutex_unlock(&writer->lock);
	(void)eventfd_read(outbox->landed, &count);
	outbox->flying = NULL;
	if (err == VL_OK) {
		settle(outbox, round);
		return VL_OK;
	}
	roll_back(outbox, round, outbox->round);
	if (outbox->round != NULL)
		outbox_fail(outbox, err);
	return err;
}

enum vl_err vl_outbox_commit(struct vl_outbox *outbox, struct vl_why *why)
{
	enum vl_err err = vl_outbox_land(outbox, why);
	struct outbox_round *round = outbox->round;

	if (err == VL_OK) {
		complete(outbox, false);
		err = outbox->err;
		if (err != VL_OK)
			(void)vl_fail(why, err, "%s", vl_err_text(err));
	}
	if (err == VL_OK && (!round->empty || outbox->txn != NULL)) {
		struct vl_txn *txn = outbox->txn;
		outbox->txn = NULL;
		err = store(outbox, round, txn, why);
		if (err != VL_OK)
			outbox_free_again(outbox);
	}
	if (err != VL_OK) {
		vl_outbox_abort(outbox);
		return err;
	}
	outbox->round = NULL;
	settle(outbox, round);
	return VL_OK;
}

void vl_outbox_abort(struct vl_outbox *outbox)
{
	/* The asynchronous commit goes on; but the lanes cannot go back to before it until it is
	 * done. */
	(void)!vl_outbox_land(outbox, NULL);
	struct outbox_round *round = outbox->round;
	if (round == NULL)
		return;
	vl_txn_rest(outbox->known);
	outbox_free_abort(outbox);
	outbox->round = NULL;
	roll_back(outbox, NULL, round);
	outbox->err = VL_OK;
}
