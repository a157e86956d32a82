/* agent/mark.h, outbox_doubt.c, outbox_carry.c: an old copy or a clone of an outbox is known for one, and nothing of it is lost. */
#include "agent_fixture.h"

#include "agent/mark.h"
#include "bus/chain.h"

struct shelf {
	struct world *world;
	char mark[300], machine[300];
	struct vl_outbox_options options;
};

static int setup(void **state)
{
	struct shelf *shelf = calloc(1, sizeof(*shelf));
	void *world;

	assert_non_null(shelf);
	assert_int_equal(world_setup(&world), 0);
	shelf->world = world;
	(void)snprintf(shelf->mark, sizeof(shelf->mark), "%s/mark", shelf->world->folder.path);
	(void)snprintf(shelf->machine, sizeof(shelf->machine), "%s/machine", shelf->world->folder.path);
	fixture_write(shelf->world->folder.path, "machine", "one\n", 0600);
	shelf->options = world_options(shelf->world);
	shelf->options.mark = shelf->mark;
	shelf->options.machine = shelf->machine;
	*state = shelf;
	return 0;
}

static void run(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void run(const char *format, ...)
{
	char command[1400];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	assert_int_equal(system(command), 0);
}

static int teardown(void **state)
{
	struct shelf *shelf = *state;
	void *world = shelf->world;

	world_close(shelf->world);
	run("rm -rf %s/*", shelf->world->folder.path);
	(void)world_teardown(&world);
	free(shelf);
	return 0;
}

static void start(struct shelf *shelf)
{
	world_open_with(shelf->world, &shelf->options);
}

static void stop(struct shelf *shelf)
{
	world_close(shelf->world);
}

/* As after kill -9: what was not written stays unwritten. */
static void die(struct shelf *shelf)
{
	run("cp %s %s.kept", shelf->mark, shelf->mark);
	stop(shelf);
	run("mv %s.kept %s", shelf->mark, shelf->mark);
}

static void save(struct shelf *shelf, const char *name)
{
	run("rm -rf %s.%s && cp -r %s %s.%s", shelf->world->path, name, shelf->world->path, shelf->world->path, name);
}

static void restore(struct shelf *shelf, const char *name)
{
	run("rm -rf %s && cp -r %s.%s %s", shelf->world->path, shelf->world->path, name, shelf->world->path);
}

static struct vl_accepted accept_event(struct shelf *shelf, uint64_t n)
{
	struct vl_outbox *outbox = shelf->world->outbox;
	struct vl_accepted accepted = {0};
	struct vl_buf buf = {0};

	assert_int_equal(vl_outbox_begin(outbox, NULL), VL_OK);
	assert_int_equal(vl_outbox_accept(outbox, world_event(&buf, n, CASE_TYPE, 10), &accepted, NULL), VL_OK);
	assert_int_equal(vl_outbox_commit(outbox, NULL), VL_OK);
	vl_buf_free(&buf);
	return accepted;
}

static struct vl_outbox_batch find_batch(struct shelf *shelf, uint64_t epoch, uint64_t seq)
{
	struct vl_outbox_look *look = vl_outbox_look(shelf->world->outbox, NULL);
	struct vl_outbox_batch batch = {0};

	assert_true(vl_outbox_next(look, CASE_LANE, (struct vl_epoch){epoch}, (struct vl_seq){seq - 1}, &batch));
	vl_outbox_look_end(look);
	return batch;
}

/* Events in the outbox, each id once; and every epoch's batches hang together and are signed. */
static unsigned audit(struct shelf *shelf)
{
	struct vl_outbox_look *look = vl_outbox_look(shelf->world->outbox, NULL);
	struct vl_arena *arena = vl_arena_open(0);
	struct vl_outbox_batch kept = {0};
	struct vl_chain chain = {0};
	uint8_t ids[4096][16];
	unsigned n = 0;

	while (vl_outbox_each(look, &kept)) {
		struct vl_batch batch;
		assert_true(vl_outbox_intact(&kept));
		assert_int_equal(
			vl_verify(vl_signer_public(shelf->world->signer), kept.domain, &kept.digest, &kept.signature),
			VL_OK);
		assert_int_equal(vl_batch_read(kept.value, arena, &batch, NULL), VL_OK);
		if (kept.epoch.n != chain.epoch.n)
			chain = (struct vl_chain){kept.epoch, {kept.seq.n - 1}, kept.first_event, batch.head.prev};
		assert_int_equal(vl_chain_check(&chain, &batch), VL_CHAIN_NEXT);
		vl_chain_advance(&chain, &batch, &kept.digest);
		for (size_t i = 0; i < batch.n_events; i++, n++) {
			struct vl_event event;
			assert_int_equal(vl_event_read(batch.events[i], &event, NULL), VL_OK);
			assert_true(n < 4096);
			memcpy(ids[n], event.id.data, 16);
			for (unsigned j = 0; j < n; j++)
				assert_memory_not_equal(ids[j], ids[n], 16);
		}
		vl_arena_reset(arena);
	}
	assert_int_equal(vl_outbox_look_err(look), VL_OK);
	vl_arena_close(arena);
	vl_outbox_look_end(look);
	return n;
}

/* -- the mark itself -- */

static void mark_is_read_as_written(void **state)
{
	struct shelf *shelf = *state;
	struct vl_mark mark = {.mission = "CN-SD-EMB", .token = {1, 2}, .before = {3}, .starting = true, .n_lanes = 2};
	struct vl_mark read, damaged;
	uint8_t bytes[2048];

	for (unsigned i = 0; i < 2; i++) {
		(void)snprintf(mark.lanes[i].name, sizeof(mark.lanes[i].name), "some.lane.v%u", i);
		mark.lanes[i].epoch.n = UINT64_MAX - i;
		mark.lanes[i].seq.n = i;
		mark.lanes[i].digest.bytes[31] = 7;
	}
	assert_int_equal(vl_mark_read(shelf->mark, &read, NULL), VL_ERR_NOT_FOUND);
	assert_int_equal(vl_mark_write(shelf->mark, &mark, NULL), VL_OK);
	assert_int_equal(vl_mark_read(shelf->mark, &read, NULL), VL_OK);
	assert_memory_equal(&mark, &read, sizeof(mark));
	FILE *file = fopen(shelf->mark, "r");
	size_t size = fread(bytes, 1, sizeof(bytes), file);
	assert_int_equal(fclose(file), 0);
	for (size_t i = 0; i <= size; i++) {
		/* Each byte changed, and each shorter one. */
		for (unsigned cut = 0; cut < 2; cut++) {
			if (i == size && cut == 0)
				continue;
			bytes[i < size ? i : 0] ^= cut ? 0 : 1;
			file = fopen(shelf->mark, "w");
			assert_int_equal(fwrite(bytes, 1, cut ? i : size, file), cut ? i : size);
			assert_int_equal(fclose(file), 0);
			bytes[i < size ? i : 0] ^= cut ? 0 : 1;
			enum vl_err err = vl_mark_read(shelf->mark, &damaged, NULL);
			assert_int_equal(err, cut && i == size ? VL_OK : VL_ERR_CORRUPT);
		}
	}
	assert_int_equal(vl_mark_write("/nonexistent/mark", &mark, NULL), VL_ERR_NOT_FOUND);
}

/* -- noticed at the start -- */

static void restarts_and_kills_keep_the_epoch(void **state)
{
	struct shelf *shelf = *state;

	start(shelf);
	assert_null(vl_outbox_doubt(shelf->world->outbox));
	for (uint64_t n = 1; n <= 20; n++) {
		assert_int_equal(accept_event(shelf, n).epoch.n, NOW);
		if (n % 5 == 0)
			assert_int_equal(vl_outbox_mark(shelf->world->outbox, NULL), VL_OK);
		if (n % 3 == 0)
			die(shelf);
		else
			stop(shelf);
		start(shelf);
		assert_null(vl_outbox_doubt(shelf->world->outbox));
	}
	assert_int_equal(audit(shelf), 20);
}

/* Start what is there now: it must be in doubt, sign nothing more in the old epoch, and send what is kept. */
static void noticed(struct shelf *shelf, uint64_t old)
{
	start(shelf);
	assert_non_null(vl_outbox_doubt(shelf->world->outbox));
	struct vl_accepted accepted = accept_event(shelf, 1000);
	assert_true(accepted.epoch.n > old);
	assert_int_equal(accepted.event.n, 1);
	/* And from then on it is the outbox. */
	for (int i = 0; i < 2; i++) {
		stop(shelf);
		start(shelf);
		assert_null(vl_outbox_doubt(shelf->world->outbox));
	}
	assert_int_equal(accept_event(shelf, 1001).epoch.n, accepted.epoch.n);
	(void)audit(shelf);
}

static void an_old_copy_is_noticed(void **state)
{
	struct shelf *shelf = *state;

	start(shelf);
	(void)accept_event(shelf, 1);
	stop(shelf);
	save(shelf, "old");
	start(shelf);
	(void)accept_event(shelf, 2);
	stop(shelf);
	restore(shelf, "old");
	noticed(shelf, NOW);
	/* Its new epoch hangs on what the copy had last. */
	struct vl_outbox_batch last = find_batch(shelf, NOW, 1);
	struct vl_outbox_batch first = find_batch(shelf, NOW + 1, 1);
	struct vl_arena *arena = vl_arena_open(0);
	struct vl_batch batch;
	assert_int_equal(vl_batch_read(first.value, arena, &batch, NULL), VL_OK);
	assert_true(vl_digest_equal(&batch.head.prev, &last.digest));
	vl_arena_close(arena);
}

/* The copy was made within the run that went on, so the tokens agree. */
static void a_copy_of_the_same_run_is_noticed(void **state)
{
	struct shelf *shelf = *state;

	start(shelf);
	(void)accept_event(shelf, 1);
	save(shelf, "old");
	(void)accept_event(shelf, 2);
	assert_int_equal(vl_outbox_mark(shelf->world->outbox, NULL), VL_OK);
	(void)accept_event(shelf, 3);
	die(shelf);
	restore(shelf, "old");
	noticed(shelf, NOW);
}

/* It went on alone, and further than the outbox. */
static void another_branch_is_noticed(void **state)
{
	struct shelf *shelf = *state;

	start(shelf);
	(void)accept_event(shelf, 1);
	save(shelf, "branch");
	(void)accept_event(shelf, 2);
	stop(shelf);
	run("cp %s %s.right", shelf->mark, shelf->mark);
	save(shelf, "right");
	restore(shelf, "branch");
	struct vl_outbox_options options = world_options(shelf->world);
	world_open_with(shelf->world, &options);
	(void)accept_event(shelf, 3);
	(void)accept_event(shelf, 4);
	stop(shelf);
	run("mv %s.right %s", shelf->mark, shelf->mark);
	noticed(shelf, NOW);
}

static void a_lost_or_damaged_mark_is_noticed(void **state)
{
	struct shelf *shelf = *state;

	start(shelf);
	uint64_t epoch = accept_event(shelf, 1).epoch.n;
	stop(shelf);
	run("rm %s", shelf->mark);
	noticed(shelf, epoch);
	epoch = accept_event(shelf, 2).epoch.n;
	stop(shelf);
	run("echo x >>%s", shelf->mark);
	start(shelf);
	assert_non_null(vl_outbox_doubt(shelf->world->outbox));
	assert_true(accept_event(shelf, 3).epoch.n > epoch);
}

static void another_machine_is_noticed(void **state)
{
	struct shelf *shelf = *state;

	start(shelf);
	(void)accept_event(shelf, 1);
	stop(shelf);
	fixture_write(shelf->world->folder.path, "machine", "two\n", 0600);
	noticed(shelf, NOW);
	uint64_t epoch = accept_event(shelf, 2).epoch.n;
	stop(shelf);
	/* Where it cannot be read nothing is known. */
	run("rm %s", shelf->machine);
	start(shelf);
	assert_int_equal(accept_event(shelf, 3).epoch.n, epoch);
}

/* An outbox from before there were marks; and such a copy where there is a mark already. */
static void an_outbox_without_token_is_noticed(void **state)
{
	struct shelf *shelf = *state;
	struct vl_outbox_options options = world_options(shelf->world);

	world_open_with(shelf->world, &options);
	(void)accept_event(shelf, 1);
	stop(shelf);
	save(shelf, "older");
	noticed(shelf, NOW);
	uint64_t epoch = accept_event(shelf, 2).epoch.n;
	stop(shelf);
	restore(shelf, "older");
	noticed(shelf, epoch);
}

static void a_new_outbox_begins_above_the_mark(void **state)
{
	struct shelf *shelf = *state;

	start(shelf);
	(void)accept_event(shelf, 1);
	stop(shelf);
	run("rm -r %s", shelf->world->path);
	shelf->world->now.seconds -= 1000000;
	start(shelf);
	assert_null(vl_outbox_doubt(shelf->world->outbox));
	assert_true(accept_event(shelf, 2).epoch.n > NOW);
}

static void another_missions_mark_is_refused(void **state)
{
	struct shelf *shelf = *state;
	struct vl_mark mark = {.mission = "CN-EG-EMB"};
	struct vl_outbox *outbox;

	assert_int_equal(vl_mark_write(shelf->mark, &mark, NULL), VL_OK);
	assert_int_equal(vl_outbox_open(&shelf->options, &outbox, NULL), VL_ERR_CONFIG);
	assert_null(outbox);
	assert_int_equal(vl_mark_read(shelf->mark, &mark, NULL), VL_OK);
	assert_string_equal(mark.mission, "CN-EG-EMB");
}

/* -- told by headquarters -- */

static enum vl_outbox_fit hear(struct shelf *shelf, uint64_t epoch, uint64_t seq, const struct vl_digest *digest,
			       uint64_t suspended)
{
	struct vl_outbox *outbox = shelf->world->outbox;
	struct vl_outbox_receipt receipt = {CASE_LANE, {epoch}, {seq}, *digest, {suspended}};

	assert_int_equal(vl_outbox_begin(outbox, NULL), VL_OK);
	enum vl_outbox_fit fit = vl_outbox_free(outbox, &receipt);
	vl_outbox_free_some(outbox);
	assert_int_equal(vl_outbox_commit(outbox, NULL), VL_OK);
	return fit;
}

/* Each step twice: what is not committed has not happened. */
static void free_all(struct shelf *shelf)
{
	for (int i = 0; vl_outbox_freeing(shelf->world->outbox); i++) {
		assert_true(i < 200);
		assert_int_equal(vl_outbox_begin(shelf->world->outbox, NULL), VL_OK);
		vl_outbox_free_some(shelf->world->outbox);
		if (i % 2 == 0)
			vl_outbox_abort(shelf->world->outbox);
		else
			assert_int_equal(vl_outbox_commit(shelf->world->outbox, NULL), VL_OK);
		(void)audit(shelf);
	}
}

static void big_event(struct shelf *shelf, uint64_t n, struct vl_buf *buf)
{
	struct vl_accepted accepted;

	assert_int_equal(vl_outbox_begin(shelf->world->outbox, NULL), VL_OK);
	assert_int_equal(vl_outbox_accept(shelf->world->outbox, world_event(buf, n, CASE_TYPE, 60000), &accepted, NULL),
			 VL_OK);
	assert_int_equal(vl_outbox_commit(shelf->world->outbox, NULL), VL_OK);
}

/* More than one step takes, with a restart in the middle: at each moment every event is there once. */
static void carries_in_steps(void **state)
{
	struct shelf *shelf = *state;
	struct vl_digest strange = {{9}};
	struct vl_buf buf = {0};
	uint64_t carried, damaged;

	start(shelf);
	for (uint64_t n = 1; n <= 40; n++)
		big_event(shelf, n, &buf);
	assert_int_equal(hear(shelf, NOW, 41, &strange, 0), VL_OUTBOX_AHEAD);
	assert_int_equal(audit(shelf), 40);
	for (int i = 0; i < 3; i++) {
		assert_true(vl_outbox_freeing(shelf->world->outbox));
		assert_int_equal(vl_outbox_begin(shelf->world->outbox, NULL), VL_OK);
		vl_outbox_free_some(shelf->world->outbox);
		/* What is not committed has not happened. */
		if (i == 1)
			vl_outbox_abort(shelf->world->outbox);
		else
			assert_int_equal(vl_outbox_commit(shelf->world->outbox, NULL), VL_OK);
		assert_int_equal(audit(shelf), 40);
	}
	/* What is new goes into the new epoch, and a double is still one. */
	struct vl_accepted accepted = accept_event(shelf, 41);
	assert_true(accepted.epoch.n > NOW);
	assert_true(accept_event(shelf, 3).duplicate);
	assert_int_equal(find_batch(shelf, NOW, 1).epoch.n, NOW);
	stop(shelf);
	start(shelf);
	assert_null(vl_outbox_doubt(shelf->world->outbox));
	assert_true(vl_outbox_freeing(shelf->world->outbox));
	free_all(shelf);
	assert_int_equal(audit(shelf), 41);
	struct vl_outbox_batch first = find_batch(shelf, NOW, 1);
	assert_int_equal(first.epoch.n, accepted.epoch.n);
	struct vl_arena *arena = vl_arena_open(0);
	struct vl_batch batch;
	assert_int_equal(vl_batch_read(first.value, arena, &batch, NULL), VL_OK);
	/* Behind what headquarters has. */
	assert_true(vl_digest_equal(&batch.head.prev, &strange));
	vl_arena_close(arena);
	/* A replay of the receipt. */
	assert_int_equal(hear(shelf, NOW, 41, &strange, 0), VL_OUTBOX_KNOWN);
	assert_false(vl_outbox_freeing(shelf->world->outbox));
	assert_int_equal(accept_event(shelf, 42).epoch.n, accepted.epoch.n);
	vl_outbox_carried(shelf->world->outbox, &carried, &damaged);
	assert_true(carried > 0);
	assert_int_equal(damaged, 0);
	vl_buf_free(&buf);
}

/* An outbox that takes nothing more can still carry all it has. */
static void carries_in_a_full_outbox(void **state)
{
	struct shelf *shelf = *state;
	struct vl_digest strange = {{9}};
	struct vl_accepted accepted;
	struct vl_buf buf = {0};
	enum vl_err err = VL_OK;
	unsigned n = 0;

	shelf->options.size = VL_OUTBOX_SIZE_MIN;
	start(shelf);
	while (err == VL_OK) {
		assert_int_equal(vl_outbox_begin(shelf->world->outbox, NULL), VL_OK);
		err = vl_outbox_accept(shelf->world->outbox, world_event(&buf, n + 1, FLASH_TYPE, 60000), &accepted,
				       NULL);
		n += err == VL_OK;
		assert_int_equal(vl_outbox_commit(shelf->world->outbox, NULL), VL_OK);
	}
	assert_int_equal(err, VL_ERR_FULL);
	assert_true(n > 100);
	struct vl_outbox_receipt receipt = {FLASH_LANE, {NOW}, {n + 1}, strange, {0}};
	assert_int_equal(vl_outbox_begin(shelf->world->outbox, NULL), VL_OK);
	assert_int_equal(vl_outbox_free(shelf->world->outbox, &receipt), VL_OUTBOX_AHEAD);
	assert_int_equal(vl_outbox_commit(shelf->world->outbox, NULL), VL_OK);
	free_all(shelf);
	assert_int_equal(audit(shelf), n);
	struct vl_outbox_look *look = vl_outbox_look(shelf->world->outbox, NULL);
	struct vl_outbox_batch batch = {0};
	while (vl_outbox_each(look, &batch))
		assert_true(batch.epoch.n > NOW);
	vl_outbox_look_end(look);
	vl_buf_free(&buf);
}

/* While the old epoch is being carried, a receipt for the new one must not free what is left of the old. */
static void a_new_receipt_frees_nothing_that_is_left(void **state)
{
	struct shelf *shelf = *state;
	struct vl_digest strange = {{9}};
	struct vl_buf buf = {0};

	start(shelf);
	for (uint64_t n = 1; n <= 20; n++)
		big_event(shelf, n, &buf);
	assert_int_equal(hear(shelf, NOW, 21, &strange, 0), VL_OUTBOX_AHEAD);
	assert_int_equal(vl_outbox_begin(shelf->world->outbox, NULL), VL_OK);
	vl_outbox_free_some(shelf->world->outbox);
	assert_int_equal(vl_outbox_commit(shelf->world->outbox, NULL), VL_OK);
	struct vl_outbox_batch first = find_batch(shelf, NOW + 1, 1);
	assert_true(first.epoch.n > NOW);
	assert_int_equal(find_batch(shelf, NOW, 1).epoch.n, NOW);
	assert_int_equal(hear(shelf, first.epoch.n, 1, &first.digest, NOW), VL_OUTBOX_KNOWN);
	assert_int_equal(audit(shelf), 20);
	free_all(shelf);
	assert_int_equal(audit(shelf), 20);
	assert_int_equal(hear(shelf, first.epoch.n, 1, &first.digest, NOW), VL_OUTBOX_FREED);
	free_all(shelf);
	assert_true(audit(shelf) < 20);
	vl_buf_free(&buf);
}

/* An older epoch's end is still here when a receipt for the present one says that an older one is suspended. */
static void the_end_of_a_suspended_epoch_is_carried(void **state)
{
	struct shelf *shelf = *state;

	start(shelf);
	for (uint64_t n = 1; n <= 3; n++)
		(void)accept_event(shelf, n);
	stop(shelf);
	run("rm %s", shelf->mark);
	start(shelf);
	uint64_t second = accept_event(shelf, 4).epoch.n;
	struct vl_outbox_batch batch = find_batch(shelf, second, 1);
	struct vl_digest digest = batch.digest;
	assert_int_equal(hear(shelf, second, 1, &digest, NOW), VL_OUTBOX_SUSPENDED);
	free_all(shelf);
	assert_int_equal(audit(shelf), 4);
	assert_true(find_batch(shelf, NOW, 1).epoch.n > second);
	/* Without that word it frees all, as it always did. */
	batch = find_batch(shelf, second + 1, 1);
	digest = batch.digest;
	assert_int_equal(hear(shelf, batch.epoch.n, 1, &digest, second), VL_OUTBOX_FREED);
	free_all(shelf);
	assert_int_equal(audit(shelf), 0);
}

/* A damaged batch is not signed anew, and does not hold up the others. */
static void what_is_damaged_is_left(void **state)
{
	struct shelf *shelf = *state;
	struct vl_digest strange = {{9}};
	uint64_t carried, damaged;
	char path[400];

	start(shelf);
	for (uint64_t n = 1; n <= 3; n++)
		(void)accept_event(shelf, n);
	stop(shelf);
	/* The file: one byte of the second event's subject, wherever it is. */
	(void)snprintf(path, sizeof(path), "%s/data.mdb", shelf->world->path);
	run("python3 - %s <<'END'\n"
	    "import sys\n"
	    "data = bytearray(open(sys.argv[1], 'rb').read())\n"
	    "at = -1\n"
	    "while (at := data.find(bytes.fromhex('018e0000000070008000000000000002'), at + 1)) >= 0:\n"
	    "    if data[at + 16 + 8:].startswith(b'\\x1a\\x11CN-SD-2023') or b'CN-SD-2023' in data[at:at + 60]:\n"
	    "        data[data.index(b'CN-SD-2023', at)] = ord('X')\n"
	    "open(sys.argv[1], 'r+b').write(data)\n"
	    "END",
	    path);
	start(shelf);
	assert_int_equal(hear(shelf, NOW, 4, &strange, 0), VL_OUTBOX_AHEAD);
	for (int i = 0; vl_outbox_freeing(shelf->world->outbox); i++) {
		assert_true(i < 10);
		assert_int_equal(vl_outbox_begin(shelf->world->outbox, NULL), VL_OK);
		vl_outbox_free_some(shelf->world->outbox);
		assert_int_equal(vl_outbox_commit(shelf->world->outbox, NULL), VL_OK);
	}
	vl_outbox_carried(shelf->world->outbox, &carried, &damaged);
	assert_int_equal(carried, 2);
	assert_int_equal(damaged, 1);
	assert_int_equal(find_batch(shelf, NOW, 1).seq.n, 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(mark_is_read_as_written),
		TEST(restarts_and_kills_keep_the_epoch),
		TEST(an_old_copy_is_noticed),
		TEST(a_copy_of_the_same_run_is_noticed),
		TEST(another_branch_is_noticed),
		TEST(a_lost_or_damaged_mark_is_noticed),
		TEST(another_machine_is_noticed),
		TEST(an_outbox_without_token_is_noticed),
		TEST(a_new_outbox_begins_above_the_mark),
		TEST(another_missions_mark_is_refused),
		TEST(carries_in_steps),
		TEST(carries_in_a_full_outbox),
		TEST(a_new_receipt_frees_nothing_that_is_left),
		TEST(the_end_of_a_suspended_epoch_is_carried),
		TEST(what_is_damaged_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
