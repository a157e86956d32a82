#include "hq/repair/beside.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "bus/types.h"
#include "hq/fold/version.h"
#include "hq/fold/views.h"
#include "hq/ingest/again.h"
#include "hq/ingest/apply.h"
#include "hq/ingest/feed.h"
#include "hq/ingest/keybook.h"
#include "hq/ingest/pump.h"
#include "hq/ledger/ledger.h"
#include "hq/ledger/standing.h"
#include "hq/repair/open.h"
#include "hq/repair/rebuild.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define IDLE_MS 100
#define PROGRESS_MS 1000
#define COMMIT_BATCHES 200
#define PATH_MOST 4096

struct beside {
	const struct vl_beside *options;
	struct vl_why *why;
	char aside[PATH_MOST], before[PATH_MOST];
	struct vl_store *old, *new;
	struct vl_txn *known; /* of the old one: when it applied what it has */
	struct vl_ring *ring; /* until the verifier has it */
	struct vl_verifier *verifier;
	struct vl_applier *applier;
	struct vl_feed *feed;
	struct vl_again *again;
	struct vl_arena *arena;
	struct vl_buf copy;
	int64_t told;
};

static enum vl_err remove_folder(const char *path, struct vl_why *why)
{
	static const char *const files[] = {"data.mdb", "lock.mdb", "writer", "new.mdb"};
	char name[PATH_MOST + 16];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		(void)snprintf(name, sizeof(name), "%s/%s", path, files[i]);
		if (unlink(name) != 0 && errno != ENOENT)
			return vl_fail(why, VL_ERR_IO, "%s: %s", name, strerror(errno));
	}
	if (rmdir(path) != 0 && errno != ENOENT)
		return vl_fail(why, VL_ERR_IO, "%s: %s", path, strerror(errno));
	return VL_OK;
}

/* -- opening -- */

static enum vl_err name_folders(struct beside *b)
{
	size_t size = strlen(b->options->views);

	while (size > 1 && b->options->views[size - 1] == '/')
		size--;
	if (size + 16 > PATH_MOST)
		return vl_fail(b->why, VL_ERR_USAGE, "its name is too long");
	(void)snprintf(b->aside, sizeof(b->aside), "%.*s.rebuild", (int)size, b->options->views);
	(void)snprintf(b->before, sizeof(b->before), "%.*s.before", (int)size, b->options->views);
	return VL_OK;
}

/* Keys of the past are what a rebuild from Kafka alone could not know. */
static enum vl_err copy_keys(struct beside *b)
{
	struct vl_txn *from = vl_txn_begin(b->old, false, b->why),
		      *to = vl_txn_begin(b->new, true, b->why);
	struct vl_cursor *cursor =
		from != NULL && to != NULL ? vl_cursor_open(from, VL_DB_KEY) : NULL;
	struct vl_bytes key, value;

	for (bool more =
		     cursor != NULL && vl_cursor_seek(cursor, (struct vl_bytes){0}, &key, &value);
	     more; more = vl_cursor_next(cursor, &key, &value))
		vl_txn_put(to, VL_DB_KEY, key, value);
	if (cursor != NULL)
		vl_cursor_close(cursor);
	enum vl_err err = from == NULL || to == NULL ? VL_ERR_NOMEM : vl_txn_err(from);
	vl_txn_abort(from);
	if (err == VL_OK)
		return vl_txn_commit(to, b->why);
	vl_txn_abort(to);
	return err;
}

static enum vl_err open_new(struct beside *b)
{
	size_t used, room;
	enum vl_err err = remove_folder(b->aside, b->why);

	vl_store_usage(b->old, &used, &room);
	if (err == VL_OK)
		err = vl_ledger_open(b->aside, room, false, &b->new, b->why);
	if (err == VL_OK)
		err = copy_keys(b);
	if (err == VL_OK)
		err = vl_keybook_open_ring(b->new, b->options->keys, &b->ring, b->why);
	if (err == VL_OK)
		err = vl_versions_follow(b->new, b->why);
	if (err == VL_OK)
		err = vl_applier_open(b->new, &b->applier);
	b->arena = err == VL_OK ? vl_arena_open(0) : NULL;
	return err == VL_OK && b->arena == NULL ? VL_ERR_NOMEM : err;
}

/* -- out of the archive -- */

static void keep(struct beside *b, struct vl_bytes stored, uint64_t *left_out)
{
	struct vl_record record;
	struct vl_digest digest;
	struct vl_verified verified;

	vl_arena_reset(b->arena);
	vl_buf_reset(&b->copy);
	vl_buf_put(&b->copy, stored.data, stored.size);
	bool good = !vl_buf_failed(&b->copy) &&
		    vl_record_unpack(vl_buf_bytes(&b->copy), &record, &digest) == VL_OK &&
		    vl_record_intact(&record, &digest) &&
		    vl_rebuild_read(&record, &digest, b->ring, b->arena, &verified) == VL_OK;
	*left_out += !good;
	if (good)
		vl_apply_kept(b->applier, &record, &verified);
}

static enum vl_err commit(struct beside *b)
{
	(void)vl_apply_drain(b->applier);
	return vl_apply_commit(b->applier, b->why);
}

static void tell(struct beside *b)
{
	if (b->options->progress == NULL || vl_monotonic_ms() < b->told + PROGRESS_MS)
		return;
	b->told = vl_monotonic_ms();
	b->options->progress(b->options->context, vl_apply_total(b->applier));
}

/* A batch that is damaged there may still lie in Kafka. */
static enum vl_err keep_lane(struct beside *b, struct vl_txn *from, const char *lane,
			     uint64_t *left_out)
{
	struct vl_archive_walk walk = {.lane = lane};
	struct vl_archive_place at;
	struct vl_bytes stored;
	enum vl_err err = VL_OK;
	bool more = true;

	while (more && err == VL_OK) {
		err = vl_apply_begin(b->applier, b->why);
		for (unsigned n = 0; err == VL_OK && n < COMMIT_BATCHES; n++) {
			more = vl_archive_next(from, &walk, &at, &stored);
			if (!more)
				break;
			keep(b, stored, left_out);
		}
		if (err == VL_OK)
			err = commit(b);
		tell(b);
	}
	return err;
}

static enum vl_err keep_all(struct beside *b)
{
	struct vl_txn *from = vl_txn_begin(b->old, false, b->why);
	uint64_t left_out = 0;
	enum vl_err err = from != NULL ? VL_OK : VL_ERR_NOMEM;

	for (size_t i = 0; err == VL_OK && vl_views[i] != NULL; i++)
		err = keep_lane(b, from, vl_views[i]->lane, &left_out);
	if (err == VL_OK)
		err = vl_txn_err(from);
	vl_txn_abort(from);
	return err;
}

/* -- out of Kafka -- */

static bool all_read(struct beside *b, int64_t since)
{
	bool read = vl_feed_has_read(b->feed, VL_PULSE_LANE, since);

	for (size_t i = 0; read && vl_views[i] != NULL; i++)
		read = vl_feed_has_read(b->feed, vl_views[i]->lane, since);
	return read && !vl_apply_waits(b->applier) && vl_again_idle(b->again);
}

static enum vl_err read_kafka(struct beside *b)
{
	const struct vl_beside *o = b->options;
	int64_t since = vl_monotonic_ms();
	enum vl_err err = vl_verifier_open(b->ring, 2, &b->verifier, b->why);

	b->known = vl_txn_begin(b->old, false, b->why);
	if (err == VL_OK && b->known == NULL)
		err = VL_ERR_NOMEM;
	vl_apply_time(b->applier, &vl_clock_system, b->known);
	if (err == VL_OK)
		b->ring = NULL;
	if (err == VL_OK)
		err = vl_feed_open(b->new, b->verifier, o->pairs, o->n_pairs, &vl_clock_system,
				   VL_ROUTINE, &b->feed, b->why);
	if (err == VL_OK)
		err = vl_again_open(b->new, b->verifier, o->pairs, o->n_pairs, &vl_clock_system,
				    &b->again, b->why);
	while (err == VL_OK && !all_read(b, since)) {
		err = vl_pump(b->verifier, b->applier, IDLE_MS, b->why);
		if (err == VL_OK || err == VL_ERR_TIMEOUT)
			err = vl_feed_rewind(b->feed, b->applier, b->why);
		if (err == VL_OK)
			err = vl_feed_note(b->feed, b->why);
		if (err == VL_OK)
			err = vl_again_work(b->again, vl_monotonic_ms(), b->why);
		tell(b);
	}
	return err;
}

/* -- changing places -- */

struct comparison {
	struct beside *b;
	struct vl_txn *txn;
	enum vl_err err;
};

static void compare(void *context, const char *mission, const char *lane,
		    const struct vl_standing *old)
{
	struct comparison *c = context;
	struct vl_standing new = vl_standing_get(c->txn, mission, lane);

	if (c->err == VL_OK && vl_view_of_lane(lane, strlen(lane)) >= 0 &&
	    new.batches < old->batches)
		c->err = vl_fail(c->b->why, VL_ERR_NOT_FOUND,
				 "of %s on '%s' Kafka has %" PRIu64 " of %" PRIu64
				 " batches that were applied; nothing is changed (--from both "
				 "takes the rest from the archive)",
				 mission, lane, new.batches, old->batches);
}

static enum vl_err compare_all(struct beside *b)
{
	struct vl_txn *old = vl_txn_begin(b->old, false, b->why),
		      *new = vl_txn_begin(b->new, false, b->why);
	struct comparison c = {b, new, old != NULL &&new != NULL ? VL_OK : VL_ERR_NOMEM};

	if (c.err == VL_OK)
		vl_standing_each(old, compare, &c);
	if (c.err == VL_OK)
		c.err = vl_txn_err(new);
	vl_txn_abort(old);
	vl_txn_abort(new);
	return c.err;
}

static enum vl_err change_places(struct beside *b)
{
	(void)vl_failpoint("hq.before-swap");
	if (renameat2(AT_FDCWD, b->aside, AT_FDCWD, b->options->views, RENAME_EXCHANGE) != 0)
		return vl_fail(b->why, VL_ERR_IO, "cannot change places with '%.200s': %s",
			       b->aside, strerror(errno));
	(void)vl_failpoint("hq.after-swap");
	enum vl_err err = remove_folder(b->before, b->why);
	if (err == VL_OK && rename(b->aside, b->before) != 0)
		err = vl_fail(b->why, VL_ERR_IO,
			      "the views are new; the old ones lie in '%.200s': %s", b->aside,
			      strerror(errno));
	return err;
}

static void close_new(struct beside *b)
{
	if (b->verifier != NULL)
		vl_verifier_stop(b->verifier);
	vl_again_close(b->again);
	vl_feed_close(b->feed);
	vl_verifier_close(b->verifier);
	vl_ring_close(b->ring);
	vl_applier_close(b->applier);
	vl_txn_abort(b->known);
	vl_arena_close(b->arena);
	vl_buf_free(&b->copy);
}

enum vl_err vl_rebuild_beside(const struct vl_beside *options, struct vl_why *why)
{
	struct beside b = {.options = options, .why = why};
	enum vl_err err = name_folders(&b);

	if (err == VL_OK)
		err = vl_ledger_open(options->views, 0, false, &b.old, why);
	if (err == VL_OK)
		err = open_new(&b);
	if (err == VL_OK && options->archive)
		err = keep_all(&b);
	if (err == VL_OK)
		err = read_kafka(&b);
	close_new(&b);
	if (err == VL_OK)
		err = compare_all(&b);
	if (err == VL_OK)
		err = change_places(&b);
	vl_store_close(b.new);
	vl_store_close(b.old);
	return err;
}
