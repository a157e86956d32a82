/*
 * How fast questions in SQL are answered over many rows, beside reading the rows alone.
 *
 *     query_bench WORK_DIR ROWS ROUNDS
 *
 * Makes a ledger with ROWS persons of an evacuation, two legs each, and a hundredth as many cases.
 * Each question is asked ROUNDS times; its median is printed. The peer reads every row through the
 * store and unpacks it.
 */
#include "ask/sql.h"
#include "base/arena.h"
#include "base/clock.h"
#include "bus/json.h"
#include "bus/wire.h"
#include "hq/fold/fold.h"
#include "hq/fold/views.h"
#include "hq/ledger/ledger.h"
#include "hq/repair/open.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_ROUNDS 99
#define MAP_SIZE ((size_t)4 << 30)
#define TEXT 1024

static void must(int good, const char *what)
{
	if (!good) {
		(void)fprintf(stderr, "query_bench: cannot %s\n", what);
		exit(1);
	}
}

/* -- the rows -- */

static void put(struct vl_txn *txn, const char *noun, const char *kind, const char *key,
		const char *json)
{
	static struct vl_arena *arena;
	size_t view = (size_t)vl_view_of_noun(noun);
	unsigned k = (unsigned)vl_view_kind(vl_views[view], kind);
	ProtobufCMessage *message;
	struct vl_buf packed = {0};
	struct vl_why why = {0};
	struct vl_key row;

	arena = arena != NULL ? arena : vl_arena_open(0);
	vl_arena_reset(arena);
	must(vl_json_parse(vl_views[view]->kinds[k].row, json, strlen(json), arena, &message,
			   &why) == VL_OK,
	     why.text);
	vl_wire_pack(message, &packed);
	vl_row_key(&row, k, key);
	vl_txn_put(txn, vl_view_db(view, VL_VIEW_ROW), vl_key_done(&row), vl_buf_bytes(&packed));
	vl_buf_free(&packed);
}

static void put_person(struct vl_txn *txn, size_t i)
{
	char key[32], json[TEXT];

	(void)snprintf(key, sizeof(key), "P-%07zu", i);
	(void)snprintf(json, sizeof(json),
		       "{\"operation\":\"OP-%zu\",\"disposition\":%zu,\"references\":[\"%s\"],"
		       "\"standing\":1,\"nationality\":\"CN\",\"boarded\":true,\"unsettled\":%s,"
		       "\"legs\":[{\"leg\":\"L-%zu\",\"boarded\":true,\"disembarked\":true},"
		       "{\"leg\":\"L-%zu\",\"aboard\":true}]}",
		       i % 10, i % 8, key, i % 100 == 0 ? "true" : "false", i % 50, 50 + i % 50);
	put(txn, "evacuation", "person", key, json);
}

static void put_case(struct vl_txn *txn, size_t i)
{
	char key[32], json[TEXT];

	(void)snprintf(key, sizeof(key), "SD-%06zu", i);
	(void)snprintf(
		json, sizeof(json),
		"{\"state\":%zu,\"priority\":%zu,\"owner\":\"CN-SD-EMB\",\"crisis\":\"C-%zu\","
		"\"officer\":\"P-%07zu\",\"openedAt\":\"2023-04-26T10:%02zu:00Z\"}",
		1 + i % 5, 1 + i % 4, i % 10, i, i % 60);
	put(txn, "case", "case", key, json);
}

static void fill(struct vl_store *store, size_t rows)
{
	struct vl_txn *txn = vl_txn_begin(store, true, NULL);
	char key[32], json[TEXT];

	for (size_t i = 0; i < rows; i++)
		put_person(txn, i);
	for (size_t i = 0; i < rows / 100; i++)
		put_case(txn, i);
	for (size_t i = 0; i < 10; i++) {
		(void)snprintf(key, sizeof(key), "OP-%zu", i);
		(void)snprintf(json, sizeof(json), "{\"crisis\":\"C-%zu\"}", i);
		put(txn, "evacuation", "operation", key, json);
	}
	must(vl_txn_commit(txn, NULL) == VL_OK, "commit");
}

/* -- the peer -- */

static size_t read_all(struct vl_txn *txn)
{
	size_t view = (size_t)vl_view_of_noun("evacuation"), n = 0;
	unsigned kind = (unsigned)vl_view_kind(vl_views[view], "person");
	struct vl_cursor *cursor = vl_cursor_open(txn, vl_view_db(view, VL_VIEW_ROW));
	struct vl_arena *arena = vl_arena_open(0);
	struct vl_bytes key, value;
	struct vl_key prefix;

	vl_row_key(&prefix, kind, "");
	struct vl_bytes from = vl_key_done(&prefix);
	for (bool more = vl_cursor_seek(cursor, from, &key, &value);
	     more && vl_key_has_prefix(key, from); more = vl_cursor_next(cursor, &key, &value)) {
		vl_arena_reset(arena);
		n += vl_wire_unpack(vl_views[view]->kinds[kind].row, value, arena) != NULL;
	}
	vl_cursor_close(cursor);
	vl_arena_close(arena);
	return n;
}

/* -- ours -- */

static bool take_titles(void *context, const char *const *titles, size_t n)
{
	(void)context;
	return titles != NULL && n > 0;
}

static bool take_row(void *context, const struct vl_ask_cell *cells, size_t n)
{
	(void)cells;
	*(size_t *)context += n > 0;
	return true;
}

static size_t ask(struct vl_txn *txn, const struct vl_ask_tables *tables, const char *question)
{
	const struct vl_ask_bounds bounds = {vl_monotonic_ms, VL_ASK_SQL_MS, VL_ASK_SQL_MEMORY};
	struct vl_ask_sql *sql;
	struct vl_why why = {0};
	size_t n = 0;
	const struct vl_ask_sink sink = {take_titles, take_row, &n};

	must(vl_ask_sql_open(txn, tables, &bounds, &sql, &why) == VL_OK, why.text);
	must(vl_ask_sql_run(sql, question, NULL, 0, &sink, &why) == VL_OK, why.text);
	vl_ask_sql_close(sql);
	return n;
}

/* -- rounds -- */

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* `question` NULL: the peer. */
static double median(struct vl_txn *txn, const struct vl_ask_tables *tables, const char *question,
		     size_t rounds, size_t *n)
{
	double took[MAX_ROUNDS];

	for (size_t i = 0; i < rounds; i++) {
		double start = seconds();
		*n = question != NULL ? ask(txn, tables, question) : read_all(txn);
		took[i] = seconds() - start;
	}
	qsort(took, rounds, sizeof(*took), compare);
	return took[rounds / 2];
}

int main(int argc, char **argv)
{
	static const char *const questions[] = {
		"SELECT count(*) FROM evacuation_person",
		"SELECT key FROM evacuation_person WHERE unsettled",
		"SELECT * FROM evacuation_person",
		"SELECT disposition, count(*) FROM evacuation_person GROUP BY 1",
		"SELECT key FROM evacuation_person ORDER BY operation, key DESC LIMIT 20",
		"SELECT leg, count(*) FROM evacuation_person_legs WHERE aboard GROUP BY 1",
		"SELECT * FROM evacuation_person WHERE key = 'P-0000500'",
		"SELECT c.key, p.key FROM case c JOIN evacuation_person p ON p.key = c.officer",
		"SELECT c.key, l.leg FROM case c JOIN evacuation_operation o ON o.crisis = "
		"c.crisis "
		"JOIN evacuation_person p ON p.operation = o.key JOIN evacuation_person_legs l ON "
		"l.key = p.key "
		"WHERE c.key < 'SD-000010' AND p.unsettled",
		"SELECT count(*) FROM evacuation_person_legs a JOIN evacuation_person_legs b USING "
		"(leg, key)",
	};
	struct vl_store *store;
	struct vl_why why = {0};
	size_t n;

	must(argc == 4, "run: usage: query_bench WORK_DIR ROWS ROUNDS");
	size_t rows = strtoul(argv[2], NULL, 10), rounds = strtoul(argv[3], NULL, 10);
	must(rows > 0 && rounds > 0 && rounds <= MAX_ROUNDS, "ask so often");
	must(vl_ledger_open(argv[1], MAP_SIZE, false, &store, &why) == VL_OK, why.text);
	struct vl_ask_tables *tables = vl_ask_tables_open();
	must(tables != NULL, "make the tables");
	fill(store, rows);
	struct vl_txn *txn = vl_txn_begin(store, false, NULL);
	double peer = median(txn, tables, NULL, rounds, &n);
	printf("%8.1f ms  peer: %zu rows read and unpacked, %.0f/s\n", peer * 1e3, n,
	       (double)n / peer);
	for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
		double took = median(txn, tables, questions[i], rounds, &n);
		printf("%8.1f ms  %7zu rows, %5.2f of the peer's time: %s\n", took * 1e3, n,
		       took / peer, questions[i]);
	}
	vl_txn_abort(txn);
	vl_ask_tables_close(tables);
	vl_store_close(store);
	return 0;
}
