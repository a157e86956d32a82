/*
 * restart_bench: a headquarters with many rows, to be started again; and the least that opening
 * one can take. tests/bench/restart runs it.
 *
 * restart_bench fill VIEWS ROWS SEED Apply cases to a new ledger in folder VIEWS, as valise-hq
 * does, until it has ROWS rows. Prints the rows, the events and the number of the last case.
 * restart_bench peer FOLDER LMDB alone: open the store in FOLDER, read the first row of each
 * database, and print how many rows there are.
 */
#include "bus/batch.h"
#include "events.h"
#include "hq/ingest/apply.h"
#include "hq/ledger/ledger.h"
#include "hq/repair/open.h"

#include <lmdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAP_SIZE ((size_t)64 << 30)
#define A_BATCH 800 /* events of about 300 bytes */
#define A_COMMIT 50000

static void must(bool good, const char *what)
{
	if (!good) {
		(void)fprintf(stderr, "restart_bench: cannot %s\n", what);
		exit(1);
	}
}

/* -- LMDB alone -- */

/* Rows of all databases; the first of each is read. */
static size_t count_rows(const char *folder)
{
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi names, db;
	MDB_cursor *all, *rows;
	MDB_val name, key, value;
	MDB_stat stat;
	size_t count = 0;

	must(mdb_env_create(&env) == 0 && mdb_env_set_maxdbs(env, 128) == 0 &&
		     mdb_env_open(env, folder, MDB_RDONLY | MDB_NOTLS, 0600) == 0 &&
		     mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) == 0 &&
		     mdb_dbi_open(txn, NULL, 0, &names) == 0 &&
		     mdb_cursor_open(txn, names, &all) == 0,
	     "open the store");
	while (mdb_cursor_get(all, &name, &value, MDB_NEXT) == 0) {
		char text[64];
		(void)snprintf(text, sizeof(text), "%.*s", (int)name.mv_size,
			       (const char *)name.mv_data);
		must(mdb_dbi_open(txn, text, 0, &db) == 0 && mdb_stat(txn, db, &stat) == 0 &&
			     mdb_cursor_open(txn, db, &rows) == 0,
		     "open a database");
		must(stat.ms_entries == 0 || mdb_cursor_get(rows, &key, &value, MDB_FIRST) == 0,
		     "read a row");
		mdb_cursor_close(rows);
		count += stat.ms_entries;
	}
	mdb_cursor_close(all);
	mdb_txn_abort(txn);
	mdb_env_close(env);
	return count;
}

/* -- filling -- */

struct fill {
	struct vl_store *store;
	struct vl_applier *applier;
	struct vl_arena *arena;
	struct bench_events source;
	struct vl_buf events, value;
	struct vl_digest head;
	unsigned long made, batches;
};

/* Each event opens a case of its own. */
static void put_event(struct fill *fill)
{
	char number[8];

	bench_events_next(&fill->source);
	(void)snprintf(number, sizeof(number), "%07lu", fill->made++ % 10000000);
	memcpy(fill->source.bytes + fill->source.subject, number, 7);
	vl_batch_put_event(&fill->events, (struct vl_bytes){fill->source.bytes, fill->source.size});
}

static void put_batch(struct fill *fill)
{
	static const struct vl_bytes mission = {(const uint8_t *)BENCH_MISSION,
						sizeof(BENCH_MISSION) - 1},
				     lane = {(const uint8_t *)BENCH_LANE, sizeof(BENCH_LANE) - 1};
	struct vl_verified verified = {0};
	struct vl_record record = {.topic = lane, .key = mission, .offset = (int64_t)fill->batches};
	struct vl_batch_head head = {.mission = mission,
				     .lane = lane,
				     .epoch = {1},
				     .seq = {++fill->batches},
				     .first_event = {fill->made + 1},
				     .prev = fill->head,
				     .signed_at = {1682380800, 0}};

	vl_buf_reset(&fill->events);
	vl_buf_reset(&fill->value);
	vl_arena_reset(fill->arena);
	for (unsigned i = 0; i < A_BATCH; i++)
		put_event(fill);
	vl_batch_put_head(&fill->value, &head);
	vl_buf_put(&fill->value, fill->events.data, fill->events.size);
	record.value = vl_buf_bytes(&fill->value);
	fill->head = verified.digest = vl_batch_digest(record.value);
	must(vl_batch_read(record.value, fill->arena, &verified.batch, NULL) == VL_OK,
	     "read a batch");
	vl_apply_record(fill->applier, &record, VL_OK, &verified, NULL, NULL);
}

static int fill_ledger(const char *folder, size_t wanted, unsigned long seed)
{
	struct fill fill = {.arena = vl_arena_open(0)};
	struct vl_why why = {0};
	size_t rows = 0;

	bench_events_start(&fill.source, seed);
	while (rows < wanted) {
		must(vl_ledger_open(folder, MAP_SIZE, false, &fill.store, &why) == VL_OK &&
			     vl_applier_open(fill.store, &fill.applier) == VL_OK,
		     "open the ledger");
		/* An event gives three rows and more; look again where they may have become
		 * enough. */
		unsigned long until = fill.made + (wanted - rows) / 4 + A_BATCH;
		while (fill.made < until) {
			must(vl_apply_begin(fill.applier, &why) == VL_OK, why.text);
			for (unsigned long end = fill.made + A_COMMIT;
			     fill.made < end && fill.made < until;)
				put_batch(&fill);
			must(vl_apply_commit(fill.applier, &why) == VL_OK, why.text);
		}
		vl_applier_close(fill.applier);
		vl_store_close(fill.store);
		rows = count_rows(folder);
	}
	vl_arena_close(fill.arena);
	vl_buf_free(&fill.events);
	vl_buf_free(&fill.value);
	(void)printf("%zu %lu CN-SD-2026-%07lu\n", rows, fill.made, (fill.made - 1) % 10000000);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 5 && strcmp(argv[1], "fill") == 0)
		return fill_ledger(argv[2], strtoul(argv[3], NULL, 10), strtoul(argv[4], NULL, 10));
	if (argc == 3 && strcmp(argv[1], "peer") == 0)
		return printf("%zu\n", count_rows(argv[2])) < 0;
	(void)fprintf(stderr, "usage: restart_bench fill VIEWS ROWS SEED | peer FOLDER\n");
	return 2;
}
