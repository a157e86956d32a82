#include "agent/outbox/outbox_in.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define LINE_UNKNOWN ((size_t)64 << 10) /* where batches close while nothing is known of the line */
/* Two clones that begin a new epoch in one second take the same one once in so many times. In
 * seconds less than a day, so that the time soon passes it again. */
#define UNIQUE_SPREAD 65536

/* -- opening -- */

static enum vl_err check_options(const struct vl_outbox_options *options, struct vl_why *why)
{
	if (!vl_mission_valid(options->mission, strlen(options->mission)))
		return vl_fail(why, VL_ERR_CONFIG, "the mission's id is " VL_MISSION_RULE);
	if (options->size < VL_OUTBOX_SIZE_MIN)
		return vl_fail(why, VL_ERR_CONFIG,
			       "a size of %zu bytes is too small; give it 16M or more",
			       options->size);
	if (options->batch_bytes < VL_OUTBOX_BATCH_MIN || options->batch_bytes > VL_BATCH_MAX)
		return vl_fail(why, VL_ERR_CONFIG,
			       "a batch of %zu bytes will not do; give 1k to 1000000",
			       options->batch_bytes);
	return VL_OK;
}

struct outbox_lane *outbox_add_lane(struct vl_outbox *outbox, struct vl_bytes name, uint32_t number)
{
	struct outbox_lane *lane = number < VL_OUTBOX_LANES ? calloc(1, sizeof(*lane)) : NULL;

	if (lane == NULL)
		return NULL;
	lane->name = strndup((const char *)name.data, name.size);
	if (lane->name == NULL) {
		free(lane);
		return NULL;
	}
	lane->number = number;
	outbox->lanes[number] = lane;
	if (number >= outbox->n_lanes)
		outbox->n_lanes = number + 1;
	const struct vl_lane *known = vl_roster_meet(lane->name, name.size);
	if (known != NULL)
		outbox->by_roster[vl_roster_number(known)] = lane;
	return lane;
}

void outbox_set_chain(struct outbox_lane *lane, const struct vl_chain *chain)
{
	lane->chain = lane->committed = *chain;
	lane->tail = chain->digest;
}

uint64_t outbox_new_epoch(const struct vl_outbox *outbox, uint64_t before)
{
	int64_t now = vl_clock_now(outbox->options.clock).seconds;

	return now > 0 && (uint64_t)now > before ? (uint64_t)now : before + 1;
}

uint64_t outbox_unique_epoch(const struct vl_outbox *outbox, uint64_t before)
{
	uint8_t dice[4];

	vl_rand_fill(outbox->options.rand, dice, sizeof(dice));
	return outbox_new_epoch(outbox, before) + 1 + vl_get_be32(dice) % UNIQUE_SPREAD;
}

/* Whether the chain's last batch, where it is still kept and whole, is the one that its head
 * says. */
static bool head_holds(struct vl_txn *txn, const char *name, const struct vl_chain *chain)
{
	struct vl_key key = row_batch_key(name, chain->epoch, chain->seq);
	struct vl_outbox_batch batch;
	struct vl_bytes value;

	if (chain->seq.n == 0 || !vl_txn_get(txn, BATCH, vl_key_done(&key), &value))
		return true;
	return !row_read_batch(vl_key_done(&key), value, &batch) || !vl_outbox_intact(&batch) ||
	       vl_digest_equal(&batch.digest, &chain->digest);
}

/* False where the row is no head, or not that of what is kept. */
static bool chain_holds(const struct vl_outbox *outbox, struct vl_txn *txn, struct vl_bytes key,
			struct vl_bytes value, struct chain_row *row)
{
	const struct vl_lane *known = vl_roster_meet((const char *)key.data, key.size);

	return row_read_chain(value, row) && row->number < VL_OUTBOX_LANES &&
	       outbox->lanes[row->number] == NULL &&
	       (known == NULL || head_holds(txn, known->name, &row->chain));
}

static enum vl_err load_chains(struct vl_outbox *outbox, struct vl_txn *txn, size_t *damaged)
{
	struct vl_cursor *cursor = vl_cursor_open(txn, CHAIN);
	struct vl_bytes key, value;
	enum vl_err err = VL_OK;

	*damaged = 0;
	vl_cursor_pass_over(cursor, (struct vl_bytes){0}, vl_cursor_count, damaged);
	for (bool more = vl_cursor_seek(cursor, (struct vl_bytes){0}, &key, &value);
	     more && err == VL_OK; more = vl_cursor_next(cursor, &key, &value)) {
		struct chain_row row = {0};
		if (!chain_holds(outbox, txn, key, value, &row)) {
			++*damaged;
			continue;
		}
		struct outbox_lane *lane = outbox_add_lane(outbox, key, row.number);
		if (lane == NULL) {
			err = VL_ERR_NOMEM;
			break;
		}
		outbox_set_chain(lane, &row.chain);
		lane->freeing = true;
		lane->carry = row_get_carry(txn, lane->name);
	}
	vl_cursor_close(cursor);
	/* What could not be read must not pass for a chain that was never begun. */
	return err == VL_OK ? vl_txn_err(txn) : err;
}

/* Another key, or perhaps a copy: it is unknown whether more was signed elsewhere. So every
 * chain goes on in a new epoch. */
static void begin_epochs(struct vl_outbox *outbox, struct vl_txn *txn)
{
	for (uint32_t i = 0; i < outbox->n_lanes; i++) {
		struct outbox_lane *lane = outbox->lanes[i];
		if (lane == NULL)
			continue;
		uint64_t before = lane->chain.epoch.n;
		if (outbox->doubt != NULL && outbox->floor.n > before)
			before = outbox->floor.n;
		lane->own = outbox->doubt != NULL;
		lane->chain.epoch.n = lane->own ? outbox_unique_epoch(outbox, before)
						: outbox_new_epoch(outbox, before);
		/* Of what is being carried the end may never reach headquarters. */
		if (lane->carry.up_to.n != 0)
			lane->chain.digest = lane->tail = lane->carry.prev;
		lane->chain.seq.n = 0;
		lane->chain.next_event.n = 1;
		lane->committed = lane->chain;
		row_put_chain(txn, lane->name, &(struct chain_row){lane->number, lane->chain});
	}
}

static enum vl_err check_meta(struct vl_txn *txn, struct vl_outbox *outbox, struct vl_why *why)
{
	struct vl_bytes value;
	bool found = vl_txn_get(txn, META, vl_bytes_of("format"), &value);

	if (!found)
		return vl_txn_err(txn) != VL_OK ? vl_txn_explain(txn, why) : VL_ERR_NOT_FOUND;
	uint32_t format = value.size == 4 ? vl_get_be32(value.data) : 0;
	outbox->renumber = format == VL_OUTBOX_FORMAT_BEFORE;
	/* The store has judged the others. */
	if (format != VL_OUTBOX_FORMAT && !outbox->renumber)
		return vl_fail(why, VL_ERR_CORRUPT, "it does not say of which format it is");
	bool named = vl_txn_get(txn, META, vl_bytes_of("mission"), &value);
	if (vl_txn_err(txn) != VL_OK)
		return vl_txn_explain(txn, why);
	if (!named || value.size > VL_MISSION_MAX)
		return vl_fail(why, VL_ERR_CORRUPT, "it does not say whose it is");
	memcpy(outbox->mission, value.data, value.size);
	return VL_OK;
}

static enum vl_err check_owner(struct vl_outbox *outbox, struct vl_txn *txn, struct vl_why *why)
{
	const char *mission = outbox->options.mission;
	struct vl_bytes value;

	if (strcmp(outbox->mission, mission) != 0)
		return vl_fail(why, VL_ERR_CONFIG,
			       "it is the outbox of mission '%s', not of '%s'; give each "
			       "mission its own folder",
			       outbox->mission, mission);
	outbox->rekeyed = !vl_txn_get(txn, META, vl_bytes_of("key"), &value) ||
			  value.size != sizeof(outbox->key.bytes) ||
			  memcmp(value.data, outbox->key.bytes, value.size) != 0;
	return VL_OK;
}

static void make_meta(struct vl_txn *txn, const struct vl_outbox *outbox)
{
	uint8_t format[4];

	vl_put_be32(format, VL_OUTBOX_FORMAT);
	vl_txn_put(txn, META, vl_bytes_of("format"), (struct vl_bytes){format, sizeof(format)});
	vl_txn_put(txn, META, vl_bytes_of("mission"), vl_bytes_of(outbox->options.mission));
	vl_txn_put(txn, META, vl_bytes_of("key"),
		   (struct vl_bytes){outbox->key.bytes, sizeof(outbox->key.bytes)});
}

/* What was there, or that nothing was. */
static enum vl_err load(struct vl_outbox *outbox, struct vl_txn *txn, bool *fresh,
			struct vl_why *why)
{
	enum vl_err err = check_meta(txn, outbox, why);
	size_t damaged = 0;

	*fresh = err == VL_ERR_NOT_FOUND;
	if (*fresh) {
		(void)strcpy(outbox->mission, outbox->options.mission);
		return VL_OK;
	}
	if (err == VL_OK)
		err = check_owner(outbox, txn, why);
	if (err == VL_OK)
		err = load_chains(outbox, txn, &damaged);
	if (err == VL_OK)
		err = damaged > 0 ? outbox_repair_chains(outbox, txn, damaged) : VL_OK;
	if (err == VL_OK)
		outbox_lost_load(outbox, txn);
	return err == VL_OK ? vl_txn_err(txn) : err;
}

static enum vl_err settle(struct vl_outbox *outbox, struct vl_why *why)
{
	struct vl_txn *txn = vl_txn_begin(outbox->store, true, why);
	bool fresh;

	if (txn == NULL)
		return VL_ERR_IO;
	enum vl_err err = load(outbox, txn, &fresh, why);
	if (err == VL_OK)
		err = outbox_doubt_look(outbox, txn, why);
	if (err != VL_OK) {
		vl_txn_abort(txn);
		return err;
	}
	bool anew = outbox->rekeyed || outbox->doubt != NULL;
	if (anew)
		begin_epochs(outbox, txn);
	if (outbox->rekeyed && !fresh)
		outbox_resign_order(txn);
	if (fresh || outbox->rekeyed || outbox->renumber)
		make_meta(txn, outbox);
	if (outbox_doubt_note(outbox, txn) || fresh || anew || outbox->renumber ||
	    outbox->repaired > 0)
		return vl_txn_commit(txn, why);
	vl_txn_abort(txn);
	return VL_OK;
}

static enum vl_err open_known(struct vl_outbox *outbox, struct vl_why *why)
{
	outbox->known = vl_txn_begin(outbox->store, false, why);
	if (outbox->known == NULL)
		return VL_ERR_IO;
	vl_txn_rest(outbox->known);
	return VL_OK;
}

static struct vl_store_options store_options(const char *path)
{
	return (struct vl_store_options){
		.path = path,
		.dbs = vl_outbox_dbs,
		.unchecked = VL_OUTBOX_UNCHECKED,
		.format_db = META,
		.format_key = vl_bytes_of("format"),
		.format = VL_OUTBOX_FORMAT,
		.format_oldest = VL_OUTBOX_FORMAT_BEFORE,
		.older = "the waiting batches are not lost: run the agent of that version "
			 "until none waits (valise outbox ls), then move the folder away",
	};
}

enum vl_err vl_outbox_open(const struct vl_outbox_options *options, struct vl_outbox **opened,
			   struct vl_why *why)
{
	struct vl_store_options store = store_options(options->path);
	struct vl_outbox *outbox;

	store.map_size = outbox_map_size(options->size);

	*opened = NULL;
	enum vl_err err = check_options(options, why);
	if (err != VL_OK)
		return err;
	outbox = calloc(1, sizeof(*outbox));
	if (outbox == NULL)
		return VL_ERR_NOMEM;
	outbox->options = *options;
	outbox->batch_bytes =
		options->batch_bytes < LINE_UNKNOWN ? options->batch_bytes : LINE_UNKNOWN;
	outbox->key = vl_key_id_of(vl_signer_public(options->signer));
	for (size_t i = 0; i < 2; i++)
		vl_ids_start(&outbox->rounds[i].ids, options->rand);
	outbox->landed = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	outbox->by_roster = calloc(vl_roster_room(), sizeof(struct outbox_lane *));
	outbox->sealer = vl_sealer_open(options->signer);
	bool ready = outbox->by_roster != NULL && outbox->sealer != NULL && outbox->landed >= 0;
	err = ready ? vl_store_open(&store, &outbox->store, why) : VL_ERR_NOMEM;
	if (err == VL_OK)
		err = settle(outbox, why);
	if (err == VL_OK)
		err = outbox_resign(outbox, why);
	if (err == VL_OK)
		err = open_known(outbox, why);
	if (err != VL_OK) {
		outbox->marked = true; /* by the previous process */
		vl_outbox_close(outbox);
		return err;
	}
	/* Before anything is signed. Where it cannot be written now the agent tries on, and says
	 * so. */
	(void)!vl_outbox_mark(outbox, NULL);
	*opened = outbox;
	return VL_OK;
}

enum vl_err vl_outbox_open_reader(const char *path, struct vl_outbox **opened, struct vl_why *why)
{
	struct vl_store_options store = store_options(path);
	struct vl_outbox *outbox = calloc(1, sizeof(*outbox));

	*opened = NULL;
	store.read_only = true;
	if (outbox == NULL)
		return VL_ERR_NOMEM;
	outbox->landed = -1;
	enum vl_err err = vl_store_open(&store, &outbox->store, why);
	struct vl_txn *txn = err == VL_OK ? vl_txn_begin(outbox->store, false, why) : NULL;
	if (err == VL_OK)
		err = txn != NULL ? check_meta(txn, outbox, why) : VL_ERR_IO;
	vl_txn_abort(txn);
	if (err != VL_OK)
		vl_outbox_close(outbox);
	else
		*opened = outbox;
	return err;
}

void vl_outbox_close(struct vl_outbox *outbox)
{
	if (outbox == NULL)
		return;
	vl_outbox_abort(outbox);
	(void)!vl_outbox_mark(outbox, NULL);
	outbox_writer_close(outbox->writer);
	for (uint32_t i = 0; i < outbox->n_lanes; i++) {
		if (outbox->lanes[i] == NULL)
			continue;
		vl_buf_free(&outbox->lanes[i]->batch);
		free(outbox->lanes[i]->name);
		free(outbox->lanes[i]);
	}
	for (size_t i = 0; i < 2; i++)
		vl_ids_free(&outbox->rounds[i].ids);
	for (unsigned i = 0; i < outbox->n_spare; i++)
		vl_buf_free(&outbox->spare[i]);
	vl_sealer_close(outbox->sealer);
	if (outbox->landed >= 0)
		(void)close(outbox->landed);
	vl_txn_abort(outbox->known);
	vl_buf_free(&outbox->scratch);
	free(outbox->by_roster);
	vl_buf_free(&outbox->lost_ranges);
	vl_store_close(outbox->store);
	free(outbox);
}

const char *vl_outbox_mission(const struct vl_outbox *outbox)
{
	return outbox->mission;
}

unsigned vl_outbox_repaired(const struct vl_outbox *outbox)
{
	return outbox->repaired;
}

bool vl_outbox_rekeyed(const struct vl_outbox *outbox)
{
	return outbox->rekeyed;
}
