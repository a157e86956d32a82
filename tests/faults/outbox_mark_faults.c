/* The mark: stop an agent at any call to the disk, and no place is ever signed twice.
 * reliability: 22. */
#include "faults.h"
#include "io.h"

#include "agent_fixture.h"

#include <errno.h>
#include <sys/wait.h>

#define EVENTS 4

struct run {
	char dir[64], live[80], old[80], good[80], mark[80], mark_then[80];
	struct world world;
	struct vl_outbox_options options;
};

static void command(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void command(const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	assert_int_equal(system(text), 0);
}

static int setup(void **state)
{
	struct run *run = calloc(1, sizeof(*run));
	struct world *world = &run->world;

	assert_non_null(run);
	faults_folder(run->dir);
	(void)snprintf(run->live, sizeof(run->live), "%s/live", run->dir);
	(void)snprintf(run->old, sizeof(run->old), "%s/old", run->dir);
	(void)snprintf(run->good, sizeof(run->good), "%s/good", run->dir);
	(void)snprintf(run->mark, sizeof(run->mark), "%s/mark", run->dir);
	(void)snprintf(run->mark_then, sizeof(run->mark_then), "%s/mark-then", run->dir);
	(void)snprintf(world->path, sizeof(world->path), "%s", run->live);
	world->signer = world_signer(1);
	world->clock = (struct vl_clock){world_now, world};
	world->seed = faults_seed();
	world->rand = (struct vl_rand){fixture_fill, &world->seed};
	world->now = (struct vl_time){NOW, 0};
	run->options = world_options(world);
	run->options.mark = run->mark;
	*state = run;
	return 0;
}

static int teardown(void **state)
{
	struct run *run = *state;

	io_watch(NULL);
	vl_signer_close(run->world.signer);
	command("rm -rf %s", run->dir);
	free(run);
	return 0;
}

/* One event, one commit; the epoch it went into, 0 where it could not be. */
static uint64_t accept_event(struct vl_outbox *outbox, uint64_t n)
{
	struct vl_accepted accepted = {0};
	struct vl_buf buf = {0};
	bool good = vl_outbox_begin(outbox, NULL) == VL_OK &&
		    vl_outbox_accept(outbox, world_event(&buf, n, CASE_TYPE, 10), &accepted,
				     NULL) == VL_OK &&
		    vl_outbox_commit(outbox, NULL) == VL_OK;

	vl_buf_free(&buf);
	return good ? accepted.epoch.n : 0;
}

/* A life that ends properly, or so that the mark has nothing of it but that it began. */
static void live(struct run *run, uint64_t first, unsigned count, bool killed)
{
	struct vl_outbox *outbox;

	assert_int_equal(vl_outbox_open(&run->options, &outbox, NULL), VL_OK);
	command("cp %s %s", run->mark, run->mark_then);
	for (unsigned i = 0; i < count; i++)
		assert_true(accept_event(outbox, first + i) > 0);
	vl_outbox_close(outbox);
	if (killed)
		command("cp %s %s", run->mark_then, run->mark);
}

/* The same, ended by the N-th call to the disk, from which on nothing reaches it (or all of the
 * first of them does). False where it was not that long. */
static bool live_until(struct run *run, uint64_t nth, enum io_how how)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct vl_outbox *outbox;
		io_watch(run->dir);
		io_fail(&(struct io_fault){nth, EIO, how, true});
		/* Each life has its own luck. */
		run->world.seed += nth * 4 + how;
		if (vl_outbox_open(&run->options, &outbox, NULL) != VL_OK)
			_exit(1);
		for (unsigned i = 0; i < EVENTS; i++) {
			if (accept_event(outbox, 100 + i) == 0 || io_failed() > 0)
				_exit(1);
			(void)!vl_outbox_mark(outbox, NULL);
		}
		vl_outbox_close(outbox);
		_exit(io_failed() > 0 ? 1 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status) == 1;
}

/* Where a stopped life was an ordinary one, the next goes on where it was. */
static void test_no_crash_is_taken_for_a_restore(void **state)
{
	struct run *run = *state;
	uint64_t n = 1, runs = 0;
	bool more = true;

	live(run, 1, 2, false);
	command("cp -r %s %s && cp %s %s", run->live, run->good, run->mark, run->mark_then);
	for (; more; n++)
		for (unsigned how = IO_NOTHING; how <= IO_DONE; how++, runs++) {
			struct vl_outbox *outbox;
			command("rm -rf %s && cp -r %s %s && cp %s %s", run->live, run->good,
				run->live, run->mark_then, run->mark);
			more = live_until(run, n, how);
			assert_int_equal(vl_outbox_open(&run->options, &outbox, NULL), VL_OK);
			if (vl_outbox_doubt(outbox) != NULL || accept_event(outbox, 200) != NOW)
				fail_msg("stopped at call %" PRIu64
					 ", how %u: taken for a copy: %s",
					 n, how, vl_outbox_doubt(outbox));
			vl_outbox_close(outbox);
		}
	print_message("an ordinary life stopped at each of %" PRIu64 " calls, %" PRIu64 " runs\n",
		      n - 1, runs);
	assert_true(n > 20);
}

/* Where a stopped life was an old copy's, the next signs nothing in the old epoch either; nor
 * does the one after it. */
static void test_no_crash_makes_a_copy_believed(void **state)
{
	struct run *run = *state;
	uint64_t n = 1, runs = 0;
	bool more = true;

	live(run, 1, 2, false);
	command("cp -r %s %s", run->live, run->old);
	live(run, 3, 2, true);
	command("cp %s %s", run->mark, run->mark_then);
	for (; more; n++)
		for (unsigned how = IO_NOTHING; how <= IO_DONE; how++, runs++) {
			struct vl_outbox *outbox;
			command("rm -rf %s && cp -r %s %s && cp %s %s", run->live, run->old,
				run->live, run->mark_then, run->mark);
			more = live_until(run, n, how);
			for (unsigned i = 0; i < 2; i++) {
				assert_int_equal(vl_outbox_open(&run->options, &outbox, NULL),
						 VL_OK);
				if (accept_event(outbox, 200 + i) <= NOW)
					fail_msg("stopped at call %" PRIu64
						 ", how %u: the copy goes on in its epoch",
						 n, how);
				vl_outbox_close(outbox);
			}
			/* And it has signed nothing more of the old one before. */
			assert_int_equal(vl_outbox_open(&run->options, &outbox, NULL), VL_OK);
			struct vl_outbox_look *look = vl_outbox_look(outbox, NULL);
			struct vl_outbox_batch batch = {0};
			while (vl_outbox_each(look, &batch))
				assert_true(batch.epoch.n > NOW || batch.seq.n <= 2);
			vl_outbox_look_end(look);
			vl_outbox_close(outbox);
		}
	print_message("an old copy's life stopped at each of %" PRIu64 " calls, %" PRIu64 " runs\n",
		      n - 1, runs);
	assert_true(n > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_no_crash_is_taken_for_a_restore, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_no_crash_makes_a_copy_believed, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
