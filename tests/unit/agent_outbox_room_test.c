/* agent/outbox/outbox_room.c: what counts as full, who is told to be why, and that FLASH's
 * reserve is really there. */
#include "agent_fixture.h"
#include "cli_blocked.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define BIG ((size_t)60000)

/* Another process that looks at the outbox and never ends its look. */
static pid_t start_reader(const struct world *world)
{
	int ready[2];
	char word;

	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		struct vl_outbox *outbox;
		if (vl_outbox_open_reader(world->path, &outbox, NULL) != VL_OK ||
		    vl_outbox_look(outbox, NULL) == NULL || write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			(void)pause();
	}
	(void)close(ready[1]);
	assert_int_equal(read(ready[0], &word, 1), 1);
	(void)close(ready[0]);
	return pid;
}

static void end_reader(pid_t pid)
{
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static enum vl_err offer(struct world *world, uint64_t n, const char *type, struct vl_why *why)
{
	struct vl_accepted accepted;
	struct vl_buf buf = {0};

	assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
	enum vl_err err =
		vl_outbox_accept(world->outbox, world_event(&buf, n, type, BIG), &accepted, why);
	assert_int_equal(vl_outbox_commit(world->outbox, NULL), VL_OK);
	vl_buf_free(&buf);
	return err;
}

/* That headquarters has applied all of the lane. */
static struct vl_outbox_receipt receipt_of(struct world *world, const char *lane)
{
	struct vl_outbox_receipt receipt = {.lane = lane};
	struct vl_outbox_look *look = vl_outbox_look(world->outbox, NULL);

	vl_outbox_head(look, lane, &receipt.epoch, &receipt.seq, &receipt.digest);
	vl_outbox_look_end(look);
	return receipt;
}

static void free_by(struct world *world, const struct vl_outbox_receipt *receipt)
{
	assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
	assert_int_equal(vl_outbox_free(world->outbox, receipt), VL_OUTBOX_FREED);
	assert_int_equal(vl_outbox_commit(world->outbox, NULL), VL_OK);
	while (vl_outbox_freeing(world->outbox)) {
		assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
		vl_outbox_free_some(world->outbox);
		assert_int_equal(vl_outbox_commit(world->outbox, NULL), VL_OK);
	}
}

static void free_lane(struct world *world, const char *lane)
{
	const struct vl_outbox_receipt receipt = receipt_of(world, lane);

	free_by(world, &receipt);
}

/* Rounds of a few megabytes, each freed before the next; false where one was refused. */
static bool go_round(struct world *world, unsigned rounds, uint64_t *n, struct vl_why *why)
{
	for (unsigned i = 0; i < rounds; i++) {
		for (unsigned j = 0; j < 40; j++)
			if (offer(world, ++*n, CASE_TYPE, why) != VL_OK)
				return false;
		free_lane(world, CASE_LANE);
	}
	return true;
}

/* -- another key, and no room to sign anew -- */

/* How many batches are kept, and how many of them have that key's signature. */
static unsigned count_signed(struct world *world, const struct vl_signer *signer, unsigned *with)
{
	struct vl_key_id key = vl_key_id_of(vl_signer_public(signer));
	struct vl_outbox_look *look = vl_outbox_look(world->outbox, NULL);
	struct vl_outbox_batch batch = {0};
	unsigned count = 0;

	*with = 0;
	for (; vl_outbox_each(look, &batch); count++)
		*with += memcmp(batch.key.bytes, key.bytes, sizeof(key.bytes)) == 0;
	vl_outbox_look_end(look);
	return count;
}

static void open_small(struct world *world)
{
	struct vl_outbox_options options = world_options(world);

	options.size = VL_OUTBOX_SIZE_MIN;
	world_open_with(world, &options);
}

/* The agent starts all the same, says so, and signs the rest when there is room again. */
static void what_cannot_be_signed_anew_is_when_there_is_room(void **state)
{
	struct world *world = *state;
	struct vl_why why = {0};
	uint64_t n = 0;
	unsigned with;

	open_small(world);
	while (offer(world, ++n, CASE_TYPE, &why) == VL_OK)
		;
	while (offer(world, ++n, FLASH_TYPE, &why) == VL_OK)
		;
	const struct vl_outbox_receipt receipt = receipt_of(world, CASE_LANE);
	world_close(world);
	pid_t reader = start_reader(world);
	struct vl_signer *old = world->signer;
	world->signer = world_signer(2);
	open_small(world);
	unsigned count = count_signed(world, world->signer, &with);
	assert_true(vl_outbox_resigning(world->outbox));
	assert_int_equal(vl_outbox_resigned(world->outbox), with);
	assert_in_range(with, 1, count - 1);
	end_reader(reader);
	free_by(world, &receipt);
	assert_false(vl_outbox_resigning(world->outbox));
	unsigned left = count_signed(world, world->signer, &with);
	assert_in_range(left, 1, count);
	assert_int_equal(with, left);
	/* And it is over: the next start finds nothing to do. */
	world_close(world);
	open_small(world);
	assert_int_equal(vl_outbox_resigned(world->outbox), 0);
	assert_false(vl_outbox_resigning(world->outbox));
	vl_signer_close(old);
}

static void a_reader_that_died_holds_nothing(void **state)
{
	struct world *world = *state;
	struct vl_why why = {0};
	uint64_t n = 0;

	open_small(world);
	assert_true(go_round(world, 1, &n, &why));
	end_reader(start_reader(world));
	assert_true(go_round(world, 8, &n, &why));
}

/* Its output is not read, and it is stopped on top of that: what it has seen is copied, and the
 * outbox is used again. */
static void a_listing_that_nobody_reads_holds_nothing(void **state)
{
	struct world *world = *state;
	struct vl_why why = {0};
	uint64_t n = 0;

	open_small(world);
	for (unsigned i = 0; i < 40; i++)
		assert_int_equal(offer(world, ++n, CASE_TYPE, &why), VL_OK);
	const char *const args[] = {"valise", "outbox",   "ls",        "-o",
				    "json",   "--outbox", world->path, NULL};
	struct blocked ls = blocked_start(args);
	assert_int_equal(kill(ls.pid, SIGSTOP), 0);
	free_lane(world, CASE_LANE);
	assert_true(go_round(world, 8, &n, &why));
	assert_int_equal(kill(ls.pid, SIGCONT), 0);
	assert_int_equal(blocked_finish(&ls), 40);
}

/* It cannot be made to go on, but it is named, and what it pins is never promised to anybody. */
static void a_reader_that_stands_is_named_and_flash_goes_on(void **state)
{
	struct world *world = *state;
	struct vl_outbox_reader held;
	struct vl_why why = {0};
	char pid[32];
	uint64_t n = 0;
	unsigned flash = 0;

	open_small(world);
	assert_true(go_round(world, 1, &n, &why));
	pid_t reader = start_reader(world);
	assert_int_equal(kill(reader, SIGSTOP), 0);
	(void)snprintf(pid, sizeof(pid), "process %ld ", (long)reader);
	assert_false(go_round(world, 8, &n, &why));
	assert_non_null(strstr(why.text, pid));
	assert_null(strstr(why.text, "size more"));

	/* The reserve: more than the room that ROUTINE was refused in, to the last byte that is
	 * promised, and every commit is made. */
	while (offer(world, ++n, FLASH_TYPE, &why) == VL_OK)
		flash++;
	assert_true(flash * BIG > (size_t)8 << 20);
	assert_non_null(strstr(why.text, pid));

	/* In the log after a minute, once. */
	assert_false(vl_outbox_tend(world->outbox, 1, &held));
	assert_false(vl_outbox_tend(world->outbox, 59999, &held));
	assert_true(vl_outbox_tend(world->outbox, 60001, &held));
	assert_int_equal(held.pid, reader);
	assert_int_equal(held.seconds, 60);
	assert_true(held.pinned > (size_t)1 << 20);
	assert_false(vl_outbox_tend(world->outbox, 120001, &held));
	end_reader(reader);
	assert_false(vl_outbox_tend(world->outbox, 180001, &held));
	free_lane(world, FLASH_LANE);
	free_lane(world, CASE_LANE);
	assert_true(go_round(world, 8, &n, &why));
}

/* What is not urgent never uses what is kept for FLASH, however little is freed. */
static void the_reserve_is_for_flash(void **state)
{
	struct world *world = *state;
	struct vl_why why = {0};
	unsigned routine = 0, flash = 0;
	uint64_t n = 0;

	open_small(world);
	while (offer(world, ++n, CASE_TYPE, &why) == VL_OK)
		routine++;
	assert_non_null(strstr(why.text, "[outbox] size more"));
	while (offer(world, ++n, FLASH_TYPE, &why) == VL_OK)
		flash++;
	assert_true(routine * BIG > (size_t)7 << 20);
	assert_true(routine * BIG < (size_t)9 << 20);
	assert_true(flash * BIG > (size_t)9 << 20);
	free_lane(world, CASE_LANE);
	free_lane(world, FLASH_LANE);
	assert_true(go_round(world, 2, &n, &why));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_reader_that_died_holds_nothing),
		TEST(a_listing_that_nobody_reads_holds_nothing),
		TEST(what_cannot_be_signed_anew_is_when_there_is_room),
		TEST(a_reader_that_stands_is_named_and_flash_goes_on),
		TEST(the_reserve_is_for_flash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
