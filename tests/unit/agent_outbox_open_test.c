/* agent/outbox/outbox.h: whose an outbox is, who may open it, and the epochs that another key
 * begins. */
#include "agent_audit.h"

#include "agent/outbox/outbox_rows.h"

#include <sys/wait.h>

static void refuses_another_missions_folder(void **state)
{
	struct world *world = *state;
	struct vl_outbox_options options = world_options(world);
	struct vl_outbox *outbox;
	struct vl_why why = {0};

	world_open(world);
	(void)world_accept(world, 1, CASE_TYPE, 10);
	world_close(world);
	options.mission = "CN-EG-EMB";
	assert_int_equal(vl_outbox_open(&options, &outbox, &why), VL_ERR_CONFIG);
	assert_null(outbox);
	assert_non_null(strstr(why.text, "CN-SD-EMB"));
	assert_non_null(strstr(why.text, "CN-EG-EMB"));
	world_open(world);
	assert_int_equal(audit(world).events, 1);
	assert_string_equal(vl_outbox_mission(world->outbox), "CN-SD-EMB");
}

static void refuses_bad_options(void **state)
{
	struct world *world = *state;
	struct vl_outbox *outbox;

	struct vl_outbox_options options = world_options(world);
	options.mission = "sudan";
	assert_int_equal(vl_outbox_open(&options, &outbox, NULL), VL_ERR_CONFIG);
	options = world_options(world);
	options.size = VL_OUTBOX_SIZE_MIN - 1;
	assert_int_equal(vl_outbox_open(&options, &outbox, NULL), VL_ERR_CONFIG);
	options = world_options(world);
	options.batch_bytes = VL_BATCH_MAX + 1;
	assert_int_equal(vl_outbox_open(&options, &outbox, NULL), VL_ERR_CONFIG);
	assert_null(outbox);
}

static void second_writer_is_locked_out(void **state)
{
	struct world *world = *state;
	int status;

	world_open(world);
	pid_t pid = fork();
	if (pid == 0) {
		struct vl_outbox_options options = world_options(world);
		struct vl_outbox *outbox;
		_exit((int)vl_outbox_open(&options, &outbox, NULL));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), VL_ERR_LOCKED);
	(void)world_accept(world, 1, CASE_TYPE, 10);
}

static void another_key_begins_a_new_epoch(void **state)
{
	struct world *world = *state;
	struct vl_outbox_batch kept = {0}, before;
	struct vl_batch batch;

	world_open(world);
	(void)world_accept(world, 1, CASE_TYPE, 10);
	(void)world_accept(world, 2, CASE_TYPE, 10);
	world_close(world);
	vl_signer_close(world->signer);
	world->signer = world_signer(2);
	/* The clock stands still: the epoch rises all the same. */
	world_open(world);
	assert_true(vl_outbox_rekeyed(world->outbox));
	struct vl_accepted accepted = world_accept(world, 3, CASE_TYPE, 10);
	assert_int_equal(accepted.epoch.n, NOW + 1);
	assert_int_equal(accepted.event.n, 1);
	world_reopen(world);
	assert_false(vl_outbox_rekeyed(world->outbox));
	assert_int_equal(world_accept(world, 4, CASE_TYPE, 10).event.n, 2);
	assert_int_equal(world_accept(world, 1, CASE_TYPE, 10).epoch.n, NOW);

	struct vl_outbox_look *look = vl_outbox_look(world->outbox, NULL);
	struct vl_arena *arena = vl_arena_open(0);
	assert_true(vl_outbox_each(look, &kept));
	assert_true(vl_outbox_each(look, &kept));
	before = kept;
	assert_true(vl_outbox_each(look, &kept));
	assert_int_equal(kept.epoch.n, NOW + 1);
	assert_int_equal(kept.seq.n, 1);
	assert_int_equal(kept.first_event.n, 1);
	/* What waited is signed with the new key, too: the same batch, under another signature. */
	assert_memory_equal(kept.key.bytes, before.key.bytes, 16);
	assert_int_equal(vl_verify(vl_signer_public(world->signer), before.domain, &before.digest,
				   &before.signature),
			 VL_OK);
	assert_int_equal(vl_batch_read(kept.value, arena, &batch, NULL), VL_OK);
	assert_memory_equal(batch.head.prev.bytes, before.digest.bytes, 32);
	vl_outbox_look_end(look);
	vl_arena_close(arena);
}

/* A clock that went back gives no epoch that was there before. */
static void epochs_only_rise(void **state)
{
	struct world *world = *state;

	world_open(world);
	(void)world_accept(world, 1, CASE_TYPE, 10);
	world_close(world);
	vl_signer_close(world->signer);
	world->signer = world_signer(2);
	world->now.seconds = -5;
	world_open(world);
	assert_int_equal(world_accept(world, 2, CASE_TYPE, 10).epoch.n, NOW + 1);
	/* The first epoch of a lane that nothing was sent on: 1 at least. */
	assert_int_equal(world_accept(world, 3, FLASH_TYPE, 10).epoch.n, 1);
}

static void reader_follows(void **state)
{
	struct world *world = *state;
	int to_child[2], to_parent[2], status;
	char byte;

	world_open(world);
	(void)world_accept(world, 1, CASE_TYPE, 10);
	(void)world_accept(world, 2, CASE_TYPE, 10);
	assert_int_equal(pipe(to_child), 0);
	assert_int_equal(pipe(to_parent), 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct vl_outbox *outbox;
		struct vl_outbox_batch batch = {0};
		struct vl_epoch epoch = {0};
		struct vl_seq seq = {0};
		unsigned seen = 0;
		if (vl_outbox_open_reader(world->path, &outbox, NULL) != VL_OK)
			_exit(1);
		for (int round = 0; round < 2; round++) {
			struct vl_outbox_look *look = vl_outbox_look(outbox, NULL);
			while (vl_outbox_next(look, CASE_LANE, epoch, seq, &batch)) {
				seen++;
				epoch = batch.epoch;
				seq = batch.seq;
			}
			vl_outbox_look_end(look);
			if (round == 0 && (seen != 2 || write(to_parent[1], "x", 1) != 1 ||
					   read(to_child[0], &byte, 1) != 1))
				_exit(2);
		}
		bool right = seen == 3 && strcmp(vl_outbox_mission(outbox), "CN-SD-EMB") == 0;
		vl_outbox_close(outbox);
		_exit(right ? 0 : 3);
	}
	(void)close(to_parent[1]);
	(void)!read(to_parent[0], &byte, 1);
	(void)world_accept(world, 3, CASE_TYPE, 10);
	(void)world_accept(world, 4, FLASH_TYPE, 10);
	assert_int_equal(write(to_child[1], "x", 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	(void)close(to_child[0]);
	(void)close(to_child[1]);
	(void)close(to_parent[0]);
}

static void reader_needs_an_outbox(void **state)
{
	struct world *world = *state;
	struct vl_outbox *outbox;

	assert_int_equal(vl_outbox_open_reader(world->path, &outbox, NULL), VL_ERR_NOT_FOUND);
	assert_null(outbox);
}

/* Flip one byte of the last batch in the file: it must not be sent, and stops nobody. */
static void sees_a_damaged_batch(void **state)
{
	struct world *world = *state;
	struct vl_outbox_batch batch = {0};
	char name[320];

	world_open(world);
	(void)world_accept(world, 1, CASE_TYPE, 50000);
	world_close(world);
	(void)snprintf(name, sizeof(name), "%s/data.mdb", world->path);
	FILE *file = fopen(name, "r+");
	assert_non_null(file);
	static char content[4 << 20];
	size_t size = fread(content, 1, sizeof(content), file);
	char *run = memmem(content, size, "xxxxxxxxxxxxxxxx", 16);
	assert_non_null(run);
	assert_int_equal(fseek(file, run - content + 1000, SEEK_SET), 0);
	assert_int_equal(fputc('y', file), 'y');
	assert_int_equal(fclose(file), 0);
	world_open(world);
	struct vl_outbox_look *look = vl_outbox_look(world->outbox, NULL);
	assert_true(vl_outbox_each(look, &batch));
	assert_false(vl_outbox_intact(&batch));
	vl_outbox_look_end(look);
}

/* Make the folder one of format 2: rows of ids without the gist. */
static void age(struct world *world)
{
	struct vl_store_options options = {.path = world->path,
					   .dbs = vl_outbox_dbs,
					   .unchecked = VL_OUTBOX_UNCHECKED,
					   .map_size = (size_t)64 << 20};
	struct vl_store *store;
	struct vl_bytes key, value;
	uint8_t keys[16][16], rows[16][20];
	size_t count = 0;

	assert_int_equal(vl_store_open(&options, &store, NULL), VL_OK);
	struct vl_txn *txn = vl_txn_begin(store, true, NULL);
	struct vl_cursor *cursor = vl_cursor_open(txn, EVENT);
	for (bool more = vl_cursor_seek(cursor, (struct vl_bytes){0}, &key, &value);
	     more && count < 16; more = vl_cursor_next(cursor, &key, &value), count++) {
		assert_int_equal(value.size, 28);
		memcpy(keys[count], key.data, 16);
		memcpy(rows[count], value.data, 20);
	}
	vl_cursor_close(cursor);
	for (size_t i = 0; i < count; i++)
		vl_txn_put(txn, EVENT, (struct vl_bytes){keys[i], 16},
			   (struct vl_bytes){rows[i], 20});
	vl_txn_put(txn, META, vl_bytes_of("format"),
		   (struct vl_bytes){(const uint8_t *)"\0\0\0\2", 4});
	assert_int_equal(vl_txn_commit(txn, NULL), VL_OK);
	vl_store_close(store);
}

/* Nothing is lost of an outbox of the format before: batches, ids, and answers to repeats. */
static void takes_over_the_format_before(void **state)
{
	struct world *world = *state;
	struct vl_accepted first, again;
	struct vl_outbox *outbox;

	world_open(world);
	first = world_accept(world, 1, CASE_TYPE, 10);
	(void)world_accept(world, 2, FLASH_TYPE, 10);
	world_close(world);
	age(world);
	assert_int_equal(vl_outbox_open_reader(world->path, &outbox, NULL), VL_OK);
	vl_outbox_close(outbox);
	for (int life = 0; life < 2; life++) {
		world_open(world);
		again = world_accept(world, 1, CASE_TYPE, 10);
		assert_true(again.duplicate);
		assert_int_equal(again.epoch.n, first.epoch.n);
		assert_int_equal(again.event.n, first.event.n);
		assert_int_equal(audit(world).events, 2 + life);
		(void)world_accept(world, 3 + (unsigned)life, CASE_TYPE, 10);
		/* What came since is known by its content. */
		assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
		assert_int_equal(world_offer(world, 3, CASE_TYPE, 11, &again), VL_ERR_INVALID);
		vl_outbox_abort(world->outbox);
		world_close(world);
	}
	assert_int_equal(vl_outbox_open_reader(world->path, &outbox, NULL), VL_OK);
	vl_outbox_close(outbox);
	world_open(world);
}

/* -- another version's -- */

static void put_format(struct world *world, const char *const *dbs, uint8_t format)
{
	struct vl_store_options options = {.path = world->path,
					   .dbs = dbs,
					   .unchecked = VL_OUTBOX_UNCHECKED,
					   .map_size = (size_t)64 << 20};
	const uint8_t bytes[4] = {0, 0, 0, format};
	struct vl_store *store;
	struct vl_why why = {0};
	enum vl_err err = vl_store_open(&options, &store, &why);

	if (err != VL_OK)
		fail_msg("open: %s", vl_why_text(&why, err));
	struct vl_txn *txn = vl_txn_begin(store, true, NULL);
	vl_txn_put(txn, META, vl_bytes_of("format"), (struct vl_bytes){bytes, sizeof(bytes)});
	assert_int_equal(vl_txn_commit(txn, NULL), VL_OK);
	vl_store_close(store);
}

static void assert_refused(struct world *world, const char *version, const char *next)
{
	struct vl_outbox_options options = world_options(world);
	struct vl_outbox *outbox;
	struct vl_why writer = {0}, reader = {0};

	assert_int_equal(vl_outbox_open(&options, &outbox, &writer), VL_ERR_VERSION);
	assert_null(outbox);
	assert_int_equal(vl_outbox_open_reader(world->path, &outbox, &reader), VL_ERR_VERSION);
	assert_null(outbox);
	assert_non_null(strstr(writer.text, version));
	assert_non_null(strstr(writer.text, next));
	assert_string_equal(writer.text, reader.text);
}

/* Another version's outbox is no damage: what it has, or lacks, of databases says nothing. It
 * keeps what it has. */
static void another_versions_is_refused_with_the_reason(void **state)
{
	static const char *const newer[] = {"meta",    "chain", "batch", "event",  "acked",
					    "applied", "inbox", "sent",  "ledger", NULL};
	struct world *world = *state;

	world_open(world);
	(void)world_accept(world, 1, CASE_TYPE, 10);
	world_close(world);
	put_format(world, vl_outbox_dbs, VL_OUTBOX_FORMAT_BEFORE - 1);
	assert_refused(world, "older version", "run the agent of that version");
	put_format(world, vl_outbox_dbs, VL_OUTBOX_FORMAT);
	world_open(world);
	assert_int_equal(audit(world).events, 1);
	world_close(world);
	put_format(world, newer, VL_OUTBOX_FORMAT + 1);
	assert_refused(world, "newer version", "update it");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		TEST(refuses_another_missions_folder),
		TEST(refuses_bad_options),
		TEST(second_writer_is_locked_out),
		TEST(another_key_begins_a_new_epoch),
		TEST(epochs_only_rise),
		TEST(reader_follows),
		TEST(reader_needs_an_outbox),
		TEST(sees_a_damaged_batch),
		TEST(takes_over_the_format_before),
		TEST(another_versions_is_refused_with_the_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
