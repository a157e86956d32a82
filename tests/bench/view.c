/*
 * How fast headquarters takes events in, beside LMDB alone.
 *
 * view_bench EVENTS_DIR WORK_DIR ROUNDS
 *
 * EVENTS_DIR holds MISSION.jsonl files of valise.v1.Event in proto3 JSON. They are signed into
 * batches of up to 64 kB in memory. Ours: the batches are verified by two threads and applied,
 * as valise-hq does it, into a fresh ledger. The peer: LMDB alone puts the same rows, every one
 * that a traced run of ours put, in the same order and with the same synchronous commits, into a
 * fresh environment. Rounds alternate; the medians, their ratio and the events in the ledger are
 * printed.
 */
#include "base/clock.h"
#include "bus/json.h"
#include "bus/sign.h"
#include "bus/types.h"
#include "bus/wire.h"
#include "hq/fold/views.h"
#include "hq/ingest/pump.h"
#include "hq/ledger/ledger.h"
#include "hq/ledger/standing.h"
#include "hq/repair/open.h"
#include "valise/v1/batch.pb-c.h"

#include <dirent.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define BATCH_BYTES 65536
#define MAX_ROUNDS 99
#define MAP_SIZE ((size_t)8 << 30)

static void must(int good, const char *what)
{
	if (!good) {
		(void)fprintf(stderr, "view_bench: cannot %s\n", what);
		exit(1);
	}
}

/* -- the records -- */

struct item {
	struct vl_buf value;
	char mission[VL_MISSION_MAX + 1], sig[VL_SIG_TEXT];
	struct vl_record record;
};

static struct item *items;
static size_t n_items, room_items, n_events;

/* One mission's open batch on one lane. */
struct open {
	const struct vl_lane *lane;
	struct vl_buf events;
	size_t n;
	uint64_t seq, next;
	struct vl_digest head;
};

static void close_batch(struct open *o, const char *mission, const struct vl_signer *signer)
{
	if (o->n == 0)
		return;
	if (n_items == room_items) {
		room_items = room_items == 0 ? 1024 : room_items * 2;
		items = realloc(items, room_items * sizeof(*items));
		must(items != NULL, "allocate");
	}
	struct item *item = &items[n_items++];
	struct vl_signature signature;
	struct vl_key_id id = vl_key_id_of(vl_signer_public(signer));
	*item = (struct item){0};
	(void)snprintf(item->mission, sizeof(item->mission), "%s", mission);
	struct vl_batch_head head = {.mission = vl_bytes_of(mission),
				     .lane = vl_bytes_of(o->lane->name),
				     .epoch = {1},
				     .seq = {++o->seq},
				     .first_event = {o->next},
				     .prev = o->head,
				     .signed_at = {1682380800, 0}};
	vl_batch_put_head(&item->value, &head);
	vl_buf_put(&item->value, o->events.data, o->events.size);
	o->head = vl_batch_digest(vl_buf_bytes(&item->value));
	must(vl_sign(signer, VL_DOMAIN_BATCH, &o->head, &signature) == VL_OK, "sign");
	vl_sig_format(&id, &signature, item->sig);
	item->record.topic = head.lane;
	o->next += o->n;
	o->n = 0;
	vl_buf_reset(&o->events);
}

static void add_event(struct open *lanes, const char *mission, const struct vl_signer *signer,
		      struct vl_bytes event)
{
	struct vl_event read;
	const struct vl_lane *lane;
	struct vl_why why = {0};
	if (vl_event_check(event, &read, &lane, &why) != VL_OK) {
		(void)fprintf(stderr, "view_bench: %s\n", why.text);
		exit(1);
	}
	struct open *o = &lanes[lane - vl_lanes];
	o->lane = lane;
	if (o->events.size + vl_batch_event_size(event.size) > BATCH_BYTES)
		close_batch(o, mission, signer);
	vl_batch_put_event(&o->events, event);
	o->n++;
	n_events++;
}

static void load_file(const char *path, const char *mission, const struct vl_signer *signer)
{
	struct open *lanes = calloc(vl_n_lanes, sizeof(*lanes));
	struct vl_arena *arena = vl_arena_open(0);
	struct vl_buf packed = {0};
	struct vl_why why = {0};
	char *line = NULL;
	size_t room = 0;
	FILE *file = fopen(path, "r");

	must(file != NULL && lanes != NULL && arena != NULL, "open the events");
	for (size_t i = 0; i < vl_n_lanes; i++)
		lanes[i].next = 1;
	for (ssize_t size; (size = getline(&line, &room, file)) > 0;) {
		ProtobufCMessage *message;
		vl_arena_reset(arena);
		vl_buf_reset(&packed);
		must(vl_json_parse(&valise__v1__event__descriptor, line, (size_t)size, arena,
				   &message, &why) == VL_OK,
		     why.text);
		vl_wire_pack(message, &packed);
		add_event(lanes, mission, signer, vl_buf_bytes(&packed));
	}
	for (size_t i = 0; i < vl_n_lanes; i++) {
		close_batch(&lanes[i], mission, signer);
		vl_buf_free(&lanes[i].events);
	}
	(void)fclose(file);
	free(line);
	free(lanes);
	vl_buf_free(&packed);
	vl_arena_close(arena);
}

static void enrol(const char *dir, const char *mission, const struct vl_signer *signer)
{
	char path[4096], hex[65];
	(void)snprintf(path, sizeof(path), "%s/%s.pub", dir, mission);
	FILE *file = fopen(path, "w");
	must(file != NULL, "write a key");
	(void)fprintf(file, "%s %s\n", mission, vl_hex(vl_signer_public(signer)->bytes, 32, hex));
	(void)fclose(file);
}

static void load(const char *dir, const char *keys)
{
	struct dirent **names;
	int n = scandir(dir, &names, NULL, alphasort);
	must(n > 0, "list the events");
	for (int i = 0; i < n; i++) {
		char path[4096], mission[64] = "";
		uint8_t seed[32] = {(uint8_t)i, 7};
		struct vl_signer *signer;
		if (strstr(names[i]->d_name, ".jsonl") != NULL) {
			(void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]->d_name);
			(void)snprintf(mission, sizeof(mission), "%.*s",
				       (int)strcspn(names[i]->d_name, "."), names[i]->d_name);
			must(vl_signer_open(seed, &signer) == VL_OK, "make a key");
			enrol(keys, mission, signer);
			load_file(path, mission, signer);
			vl_signer_close(signer);
		}
		free(names[i]);
	}
	free(names);
	const char *type = vl_domain_content_type(VL_DOMAIN_BATCH);
	for (size_t i = 0; i < n_items; i++) {
		struct vl_record *r = &items[i].record;
		r->offset = (int64_t)i;
		r->key = vl_bytes_of(items[i].mission);
		r->value = vl_buf_bytes(&items[i].value);
		r->n_headers = 2;
		r->headers[0] = (struct vl_header){vl_bytes_of("content-type"), vl_bytes_of(type)};
		r->headers[1] =
			(struct vl_header){vl_bytes_of(VL_SIG_HEADER), vl_bytes_of(items[i].sig)};
	}
}

/* -- what headquarters does to LMDB -- */

enum what { PUT, DELETE, COMMIT };

/* One thing that headquarters did to LMDB. */
struct step {
	enum what what;
	unsigned db;
	struct vl_bytes key, value;
};

static struct step *steps;
static size_t n_steps, room_steps, n_puts;
static bool tracing;

static struct vl_bytes copy(struct vl_bytes bytes)
{
	uint8_t *data = malloc(bytes.size + 1);
	must(data != NULL, "allocate");
	if (bytes.size > 0)
		memcpy(data, bytes.data, bytes.size);
	return (struct vl_bytes){data, bytes.size};
}

static void trace(enum what what, unsigned db, struct vl_bytes key, struct vl_bytes value)
{
	if (!tracing)
		return;
	if (n_steps == room_steps) {
		room_steps = room_steps == 0 ? 65536 : room_steps * 2;
		steps = realloc(steps, room_steps * sizeof(*steps));
		must(steps != NULL, "allocate");
	}
	steps[n_steps++] = (struct step){what, db, copy(key), copy(value)};
	n_puts += what == PUT;
}

/* The linker sends headquarters' calls here (--wrap): its rows as they are, without the store's
 * check words. */
void __real_vl_txn_put(struct vl_txn *txn, unsigned db, struct vl_bytes key, struct vl_bytes value);
void __wrap_vl_txn_put(struct vl_txn *txn, unsigned db, struct vl_bytes key, struct vl_bytes value);
struct vl_cursor *__real_vl_cursor_open(struct vl_txn *txn, unsigned db);
struct vl_cursor *__wrap_vl_cursor_open(struct vl_txn *txn, unsigned db);
bool __real_vl_cursor_insert(struct vl_cursor *cursor, struct vl_bytes key, struct vl_bytes value);
bool __wrap_vl_cursor_insert(struct vl_cursor *cursor, struct vl_bytes key, struct vl_bytes value);
bool __real_vl_txn_delete(struct vl_txn *txn, unsigned db, struct vl_bytes key);
bool __wrap_vl_txn_delete(struct vl_txn *txn, unsigned db, struct vl_bytes key);

void __wrap_vl_txn_put(struct vl_txn *txn, unsigned db, struct vl_bytes key, struct vl_bytes value)
{
	trace(PUT, db, key, value);
	__real_vl_txn_put(txn, db, key, value);
}

/* The cursors that were opened last, and where. */
#define CURSORS 64
static struct {
	const struct vl_cursor *cursor;
	unsigned db;
} opened[CURSORS];
static size_t n_opened;

struct vl_cursor *__wrap_vl_cursor_open(struct vl_txn *txn, unsigned db)
{
	struct vl_cursor *cursor = __real_vl_cursor_open(txn, db);

	opened[n_opened % CURSORS].cursor = cursor;
	opened[n_opened++ % CURSORS].db = db;
	return cursor;
}

static unsigned db_of(const struct vl_cursor *cursor)
{
	for (size_t i = n_opened; i > 0 && i + CURSORS > n_opened; i--)
		if (opened[(i - 1) % CURSORS].cursor == cursor)
			return opened[(i - 1) % CURSORS].db;
	must(0, "tell which database a cursor is in");
	return 0;
}

bool __wrap_vl_cursor_insert(struct vl_cursor *cursor, struct vl_bytes key, struct vl_bytes value)
{
	trace(PUT, db_of(cursor), key, value);
	return __real_vl_cursor_insert(cursor, key, value);
}

bool __wrap_vl_txn_delete(struct vl_txn *txn, unsigned db, struct vl_bytes key)
{
	trace(DELETE, db, key, (struct vl_bytes){0});
	return __real_vl_txn_delete(txn, db, key);
}

/* -- ours -- */

static void release(void *owner)
{
	(void)owner;
}

static void *put_all(void *context)
{
	for (size_t i = 0; i < n_items; i++)
		(void)vl_verifier_put(context, &items[i].record, release, NULL);
	return NULL;
}

static double seconds(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static size_t commits;

static double ours(const char *keys, const char *dir, struct vl_store **store)
{
	struct vl_ring *ring;
	struct vl_verifier *verifier;
	struct vl_applier *applier;
	struct vl_why why = {0};
	pthread_t thread;

	must(vl_ring_open(keys, &ring, &why) == VL_OK, why.text);
	must(vl_ledger_open(dir, MAP_SIZE, false, store, &why) == VL_OK, why.text);
	must(vl_verifier_open(ring, 2, &verifier, &why) == VL_OK, why.text);
	must(vl_applier_open(*store, &applier) == VL_OK, "apply");
	double start = seconds();
	must(pthread_create(&thread, NULL, put_all, verifier) == 0, "start a thread");
	for (commits = 0; vl_apply_total(applier) < n_events || vl_apply_left(applier) > 0;
	     commits++) {
		must(vl_pump(verifier, applier, 10000, &why) == VL_OK, why.text);
		trace(COMMIT, 0, (struct vl_bytes){0}, (struct vl_bytes){0});
	}
	double took = seconds() - start;
	pthread_join(thread, NULL);
	vl_verifier_close(verifier);
	vl_applier_close(applier);
	return took;
}

/* -- the peer -- */

static void do_step(MDB_txn *txn, const struct step *step, const MDB_dbi *dbi)
{
	MDB_val key = {step->key.size, (void *)step->key.data},
		value = {step->value.size, (void *)step->value.data};

	if (step->what == PUT)
		must(mdb_put(txn, dbi[step->db], &key, &value, 0) == 0, "put");
	else
		(void)mdb_del(txn, dbi[step->db], &key, NULL);
}

static double peer(const char *dir)
{
	MDB_env *env;
	MDB_dbi dbi[64];
	MDB_txn *txn;
	char name[16];

	(void)mkdir(dir, 0700);
	must(mdb_env_create(&env) == 0 && mdb_env_set_maxdbs(env, 64) == 0 &&
		     mdb_env_set_mapsize(env, MAP_SIZE) == 0 &&
		     mdb_env_open(env, dir, 0, 0600) == 0 && mdb_txn_begin(env, NULL, 0, &txn) == 0,
	     "open LMDB");
	for (unsigned db = 0; db < 64; db++) {
		(void)snprintf(name, sizeof(name), "%u", db);
		must(mdb_dbi_open(txn, name, MDB_CREATE, &dbi[db]) == 0, "open a database");
	}
	must(mdb_txn_commit(txn) == 0, "commit");
	double start = seconds();
	must(mdb_txn_begin(env, NULL, 0, &txn) == 0, "begin");
	for (size_t i = 0; i < n_steps; i++) {
		if (steps[i].what != COMMIT) {
			do_step(txn, &steps[i], dbi);
			continue;
		}
		must(mdb_txn_commit(txn) == 0, "commit");
		must(mdb_txn_begin(env, NULL, 0, &txn) == 0, "begin");
	}
	must(mdb_txn_commit(txn) == 0, "commit");
	double took = seconds() - start;
	mdb_env_close(env);
	return took;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void count_events(void *context, const char *mission, const char *lane,
			 const struct vl_standing *standing)
{
	(void)mission;
	(void)lane;
	*(uint64_t *)context += standing->events - standing->unread;
}

int main(int argc, char **argv)
{
	double a[MAX_ROUNDS], b[MAX_ROUNDS];
	char keys[4096], dir[4096];
	uint64_t counted = 0;

	must(argc == 4, "run: usage: view_bench EVENTS_DIR WORK_DIR ROUNDS");
	size_t rounds = strtoul(argv[3], NULL, 10);
	must(rounds > 0 && rounds <= MAX_ROUNDS, "run so many rounds");
	(void)snprintf(keys, sizeof(keys), "%s/keys", argv[2]);
	must(mkdir(keys, 0700) == 0, "make a folder");
	load(argv[1], keys);
	(void)fprintf(stderr, "%zu events in %zu batches\n", n_events, n_items);
	struct vl_store *store;
	(void)snprintf(dir, sizeof(dir), "%s/traced", argv[2]);
	tracing = true;
	(void)ours(keys, dir, &store);
	tracing = false;
	vl_store_close(store);
	(void)fprintf(stderr, "%zu puts in %zu commits\n", n_puts, commits);
	for (size_t i = 0; i < rounds; i++) {
		(void)snprintf(dir, sizeof(dir), "%s/ours-%zu", argv[2], i);
		a[i] = (double)n_events / ours(keys, dir, &store);
		if (i + 1 == rounds) {
			struct vl_txn *txn = vl_txn_begin(store, false, NULL);
			vl_standing_each(txn, count_events, &counted);
			vl_txn_abort(txn);
		}
		vl_store_close(store);
		(void)snprintf(dir, sizeof(dir), "%s/peer-%zu", argv[2], i);
		b[i] = (double)n_events / peer(dir);
		(void)fprintf(stderr,
			      "round %zu: ours %.0f events/s (%zu commits), peer %.0f events/s\n",
			      i + 1, a[i], commits, b[i]);
	}
	qsort(a, rounds, sizeof(*a), compare);
	qsort(b, rounds, sizeof(*b), compare);
	printf("events in the ledger: %llu of %zu\n", (unsigned long long)counted, n_events);
	printf("ours   median %.0f events/s\n", a[rounds / 2]);
	printf("LMDB   median %.0f events/s (its rows alone)\n", b[rounds / 2]);
	printf("ratio  %.2f\n", a[rounds / 2] / b[rounds / 2]);
	return counted == n_events ? 0 : 1;
}
