/*
 * A file and its copy look the same; only data outside the copy can distinguish them. So each start
 * has a token, kept in the outbox and in the mark, and the mark says how far the lanes had come:
 *
 *	mark: new token, and the outbox's as `before`
 *	outbox: new token
 *	mark: new token alone
 *
 * and nothing is signed before the third is written. A crash between leaves the outbox with one of
 * the two tokens that the mark then has. Where the outbox is in doubt the first is left out: until
 * it has begun its new epochs the mark must go on denying it.
 */
#include "agent/outbox/outbox_in.h"

#include <string.h>

/* One that is damaged says nothing. */
static bool batch_is(struct vl_txn *txn, const struct vl_mark_lane *marked)
{
	struct vl_key key = row_batch_key(marked->name, marked->epoch, marked->seq);
	struct vl_outbox_batch batch;
	struct vl_bytes value;

	return !vl_txn_get(txn, BATCH, vl_key_done(&key), &value) ||
	       !row_read_batch(vl_key_done(&key), value, &batch) ||
	       vl_digest_equal(&batch.digest, &marked->digest);
}

/* Whether the lane has come to what the mark says, or beyond it. */
static const char *compare_lane(const struct vl_outbox *outbox, struct vl_txn *txn,
				const struct vl_mark_lane *marked)
{
	const struct vl_lane *known = vl_lane_find(marked->name, strlen(marked->name));
	const struct outbox_lane *lane =
		known != NULL ? outbox->by_roster[vl_roster_number(known)] : NULL;

	/* Of a lane that the catalogue no longer has nothing can be signed. */
	if (known == NULL)
		return NULL;
	if (lane == NULL ||
	    vl_later(marked->epoch, marked->seq, lane->chain.epoch, lane->chain.seq))
		return "the mark has seen more of it";
	bool end = marked->epoch.n == lane->chain.epoch.n && marked->seq.n == lane->chain.seq.n;
	bool same = !end || vl_digest_equal(&marked->digest, &lane->chain.digest);
	return marked->seq.n == 0 || (same && batch_is(txn, marked))
		       ? NULL
		       : "the mark has seen other batches in it";
}

static const char *compare(const struct vl_outbox *outbox, struct vl_txn *txn,
			   const struct vl_mark *mark)
{
	const char *doubt = NULL;
	struct vl_bytes token;

	if (!vl_txn_get(txn, META, vl_bytes_of("token"), &token) || token.size != VL_MARK_TOKEN)
		return "it is older than its mark";
	if (memcmp(token.data, mark->token, VL_MARK_TOKEN) != 0 &&
	    !(mark->starting && memcmp(token.data, mark->before, VL_MARK_TOKEN) == 0))
		return "an agent has run since, by its mark";
	for (size_t i = 0; doubt == NULL && i < mark->n_lanes; i++)
		doubt = compare_lane(outbox, txn, &mark->lanes[i]);
	return doubt;
}

/* What stands in the outbox for the machine it was used on last. */
static const char *compare_machine(const struct vl_outbox *outbox, struct vl_txn *txn)
{
	uint8_t machine[VL_MARK_MACHINE];
	struct vl_bytes stored;

	return outbox->options.machine != NULL &&
			       vl_txn_get(txn, META, vl_bytes_of("machine"), &stored) &&
			       vl_mark_machine(outbox->options.machine, machine) &&
			       (stored.size != sizeof(machine) ||
				memcmp(stored.data, machine, sizeof(machine)) != 0)
		       ? "it was used on another machine"
		       : NULL;
}

enum vl_err outbox_doubt_look(struct vl_outbox *outbox, struct vl_txn *txn, struct vl_why *why)
{
	struct vl_mark mark;
	struct vl_bytes token;

	if (vl_txn_get(txn, META, vl_bytes_of("token"), &token) && token.size == VL_MARK_TOKEN)
		memcpy(outbox->token, token.data, VL_MARK_TOKEN);
	if (outbox->n_lanes > 0)
		outbox->doubt = compare_machine(outbox, txn);
	if (outbox->options.mark == NULL)
		return vl_txn_err(txn);
	enum vl_err err = vl_mark_read(outbox->options.mark, &mark, NULL);
	if (err == VL_OK && strcmp(mark.mission, outbox->mission) != 0)
		return vl_fail(why, VL_ERR_CONFIG,
			       "its mark '%.100s' is mission '%s's; give each agent its own "
			       "under [outbox] mark",
			       outbox->options.mark, mark.mission);
	for (size_t i = 0; err == VL_OK && i < mark.n_lanes; i++)
		if (mark.lanes[i].epoch.n > outbox->floor.n)
			outbox->floor = mark.lanes[i].epoch;
	/* A new outbox has signed nothing yet, and begins with new epochs anyway. */
	if (outbox->n_lanes == 0 || outbox->doubt != NULL)
		return vl_txn_err(txn);
	if (err == VL_OK)
		outbox->doubt = compare(outbox, txn, &mark);
	else
		outbox->doubt =
			err == VL_ERR_NOT_FOUND ? "it has no mark" : "its mark cannot be read";
	return vl_txn_err(txn);
}

static bool note_machine(struct vl_outbox *outbox, struct vl_txn *txn)
{
	uint8_t machine[VL_MARK_MACHINE];
	struct vl_bytes stored;

	if (outbox->options.machine == NULL || !vl_mark_machine(outbox->options.machine, machine))
		return false;
	if (vl_txn_get(txn, META, vl_bytes_of("machine"), &stored) &&
	    stored.size == sizeof(machine) && memcmp(stored.data, machine, sizeof(machine)) == 0)
		return false;
	vl_txn_put(txn, META, vl_bytes_of("machine"), (struct vl_bytes){machine, sizeof(machine)});
	return true;
}

/* Say in the mark that a start is under way. False where that cannot be: then the last token
 * stays. */
static bool announce(const struct vl_outbox *outbox, const uint8_t token[VL_MARK_TOKEN])
{
	struct vl_mark mark;

	if (vl_mark_read(outbox->options.mark, &mark, NULL) != VL_OK)
		return false;
	memcpy(mark.before, outbox->token, VL_MARK_TOKEN);
	memcpy(mark.token, token, VL_MARK_TOKEN);
	mark.starting = true;
	return vl_mark_write(outbox->options.mark, &mark, NULL) == VL_OK;
}

bool outbox_doubt_note(struct vl_outbox *outbox, struct vl_txn *txn)
{
	bool put = note_machine(outbox, txn), fresh = outbox->n_lanes == 0;
	uint8_t token[VL_MARK_TOKEN];

	if (outbox->options.mark == NULL)
		return put;
	vl_rand_fill(outbox->options.rand, token, sizeof(token));
	if (!fresh && outbox->doubt == NULL && !announce(outbox, token))
		return put;
	memcpy(outbox->token, token, sizeof(token));
	vl_txn_put(txn, META, vl_bytes_of("token"), (struct vl_bytes){token, sizeof(token)});
	return true;
}

const char *vl_outbox_doubt(const struct vl_outbox *outbox)
{
	return outbox->doubt;
}

/* -- the mark -- */

static void put_lane(struct vl_mark *mark, const struct outbox_lane *lane)
{
	struct vl_mark_lane *to = &mark->lanes[mark->n_lanes];
	static const struct vl_digest none;

	/* One on which nothing was ever committed is not in the outbox either. */
	if (lane->committed.seq.n == 0 && vl_digest_equal(&lane->committed.digest, &none))
		return;
	/* The mark has no room for one of each mission, and the others detect a copy as well. */
	if (vl_lane_find(lane->name, strlen(lane->name)) == NULL)
		return;
	if (mark->n_lanes == VL_MARK_LANES || strlen(lane->name) >= sizeof(to->name))
		return;
	(void)strcpy(to->name, lane->name);
	to->epoch = lane->committed.epoch;
	to->seq = lane->committed.seq;
	to->digest = lane->committed.digest;
	mark->n_lanes++;
}

bool vl_outbox_moved(const struct vl_outbox *outbox)
{
	return outbox->options.mark != NULL && !outbox->marked;
}

enum vl_err vl_outbox_mark(struct vl_outbox *outbox, struct vl_why *why)
{
	struct vl_mark mark = {0};

	if (!vl_outbox_moved(outbox))
		return VL_OK;
	(void)strcpy(mark.mission, outbox->mission);
	memcpy(mark.token, outbox->token, VL_MARK_TOKEN);
	for (uint32_t i = 0; i < outbox->n_lanes; i++)
		if (outbox->lanes[i] != NULL)
			put_lane(&mark, outbox->lanes[i]);
	enum vl_err err = vl_mark_write(outbox->options.mark, &mark, why);
	outbox->marked = err == VL_OK;
	return err;
}
