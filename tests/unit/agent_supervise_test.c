/* agent/supervise.h: a link that says nothing is ended and another one starts; one that is asked
 * to end makes way at once. */
#include "bus_fixture.h"

#include "agent/pipe.h"
#include "agent/supervise.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct vl_child *start(void)
{
	struct vl_child *child;
	sigset_t signals;

	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &signals, NULL);
	assert_int_equal(vl_child_open("nowhere", &child, NULL), VL_OK);
	return child;
}

static void await_end(struct vl_child *child, int64_t now)
{
	sigset_t signals;
	int number;

	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGCHLD);
	do
		assert_int_equal(sigwait(&signals, &number), 0);
	while (!vl_child_reap(child, now));
}

static void one_that_says_nothing_is_ended(void **state)
{
	struct vl_child *child = start();
	int64_t now = vl_monotonic_ms() + VL_CHILD_BEAT_MS;
	uint64_t heard = 0;

	(void)state;
	/* While it says something it lives. */
	for (int i = 0; i < 3 * VL_CHILD_BEATS; i++, now += VL_CHILD_BEAT_MS)
		vl_child_watch(child, ++heard, now);
	assert_false(vl_child_reap(child, now));
	/* Looks are counted, however late they come: whoever was stopped itself must not take
	 * the link for dead. */
	now += (int64_t)3600 * 1000;
	vl_child_watch(child, heard, now);
	vl_child_watch(child, heard, now + 1);
	assert_false(vl_child_reap(child, now));
	assert_true(vl_child_timeout(child, now) <= VL_CHILD_BEAT_MS);
	for (int i = 1; i < VL_CHILD_BEATS; i++)
		vl_child_watch(child, heard, now += VL_CHILD_BEAT_MS);
	await_end(child, now);
	assert_true(vl_child_timeout(child, now) > 0);
	assert_false(vl_child_start_due(child, now));
	assert_true(vl_child_start_due(child, now + 60000));
	assert_false(vl_child_start_due(child, now + 60001));
	vl_child_close(child, 0);
}

static void one_that_is_renewed_makes_way_at_once(void **state)
{
	struct vl_child *child = start();
	int64_t now = vl_monotonic_ms();

	(void)state;
	vl_child_renew(child);
	await_end(child, now);
	assert_int_equal(vl_child_timeout(child, now), 0);
	assert_true(vl_child_start_due(child, now));
	vl_child_close(child, 0);
}

/* This program is the link, too: it ends when it is asked to, and says nothing. */
static int be_link(int keeper)
{
	struct vl_pipe_message message;

	for (;;) {
		enum vl_err err = vl_pipe_receive(keeper, &message, NULL);
		if (err == VL_ERR_GONE || (err == VL_OK && message.kind == VL_PIPE_STOP))
			return 0;
		(void)usleep(1000);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_that_says_nothing_is_ended),
		cmocka_unit_test(one_that_is_renewed_makes_way_at_once),
	};

	if (argc > 2 && strcmp(argv[1], "--link") == 0)
		return be_link(atoi(argv[2]));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
