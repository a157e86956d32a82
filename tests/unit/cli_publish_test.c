/* Publishing: what becomes of each line, and what is printed for it. */
#include "cli_fake_agent.h"

#include "cli/cli.h"

#include <valise/v1/batch.pb-c.h>

static const struct fake_play honest[] = {{.closes_after = -1}};
static struct fake_agent agent;

static void test_accepted(void **state)
{
	(void)state;
	fake_start(&agent, honest, 1);
	struct run run = run_publish(
		agent.path,
		BYTES("{\"id\":\"018f0000-0000-7000-8000-000000000001\",\"subject\":\"SD-1\"," CASE
		      "}\n"
		      "\n \t\r\n" LINE
		      "{\"id\":\"AY8AAAAAcACAAAAAAAAAAQ==\",\"subject\":\"SD-1\"," CASE "}"),
		1000);
	fake_stop(&agent);
	assert_int_equal(CLI_OK, run.code);
	assert_count(1, &run.out,
		     "{\"line\":1,\"id\":\"AY8AAAAAcACAAAAAAAAAAQ==\",\"uuid\":\"018f0000-0000-"
		     "7000-8000-"
		     "000000000001\",\"lane\":\"consular.case.v1\",\"epoch\":7,"
		     "\"event\":1}\n");
	assert_count(1, &run.out, "{\"line\":4,");
	assert_count(1, &run.out,
		     "{\"line\":5,\"id\":\"AY8AAAAAcACAAAAAAAAAAQ==\",\"uuid\":\"018f0000-0000-"
		     "7000-8000-"
		     "000000000001\",\"lane\":\"consular.case.v1\",\"epoch\":7,\"event\":1,"
		     "\"duplicate\":true}\n");
	assert_int_equal(3, agent.events);
	run_free(&run);
}

static void test_bad_lines(void **state)
{
	static const char text[] =
		"\xef\xbb\xbf" LINE                  /* 1: good, behind a mark */
		"{\"subject\":\n"                    /* 2 */
		"{\"subject\":\"a\xff\"," CASE "}\n" /* 3 */
		"{\"subject\":\"\"," CASE "}\n"      /* 4 */
		/* 5 */
		"{\"subject\":\"a\",\"payload\":{\"@type\":\"consular.case.v1.No\"}}\n"
		"{\"subject\":\"a\",\"sbuject\":1," CASE "}\n" /* 6 */
		/* 7 */
		"{\"subject\":\"a\",\"id\":\"AAAA\"," CASE "}\n"
		"{\"subject\":\"refuse\"," CASE "}\n" /* 8: by the agent */
		"a\0b\n"                              /* 9 */
		LINE;                                 /* 10: good */

	(void)state;
	fake_start(&agent, honest, 1);
	struct run run = run_publish(
		agent.path, (struct vl_bytes){(const uint8_t *)text, sizeof(text) - 1}, 1000);
	fake_stop(&agent);
	assert_int_equal(CLI_FAILED, run.code);
	assert_count(2, &run.out, "\n");
	assert_count(1, &run.out, "{\"line\":1,");
	assert_count(1, &run.out, "{\"line\":10,");
	assert_count(8, &run.talk, "cannot publish 'in:");
	assert_count(1, &run.talk, "cannot publish 'in:2': column 11: the JSON ends too early\n");
	assert_count(1, &run.talk, "'in:3': column 13: not UTF-8");
	assert_count(1, &run.talk, "'in:8': no room for ROUTINE\n");
	assert_count(1, &run.talk, "2 accepted, 8 refused\n");
	run_free(&run);
}

static void test_sizes(void **state)
{
	static const size_t sizes[] = {890000, 910000, CLI_LINE_MAX + 10, 3 * CLI_LINE_MAX, 10};
	struct vl_buf text = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		vl_buf_put_text(&text, "{\"subject\":\"SD-1\",\"payload\":{\"@type\":\"consular."
				       "case.v1.CaseClosed\","
				       "\"personal\":{\"narrative\":\"");
		memset(vl_buf_add(&text, sizes[i]), 'x', sizes[i]);
		vl_buf_put_text(&text, "\"}}}\n");
	}
	fake_start(&agent, honest, 1);
	struct run run = run_publish(agent.path, vl_buf_bytes(&text), 1000);
	fake_stop(&agent);
	assert_int_equal(CLI_FAILED, run.code);
	assert_count(2, &run.out, "\n");
	assert_count(1, &run.out, "{\"line\":1,");
	assert_count(1, &run.out, "{\"line\":5,");
	assert_count(1, &run.talk, "'in:2': the event is 910");
	assert_count(1, &run.talk, "'in:3': the line is longer than");
	assert_count(1, &run.talk, "'in:4': the line is longer than");
	run_free(&run);
	vl_buf_free(&text);
}

static void test_many_share_requests(void **state)
{
	struct vl_buf text = {0};

	(void)state;
	for (int i = 0; i < 8000; i++)
		vl_buf_put_text(&text, LINE);
	fake_start(&agent, honest, 1);
	struct run run = run_publish(agent.path, vl_buf_bytes(&text), 1000);
	fake_stop(&agent);
	assert_int_equal(CLI_OK, run.code);
	assert_count(8000, &run.out, "\n");
	assert_count(1, &run.out, "{\"line\":8000,");
	assert_true(agent.requests < 300);
	assert_true(agent.most > 100);
	run_free(&run);
	vl_buf_free(&text);
}

/* A line that comes alone goes out at once, and its answer is printed before the next one comes. */
struct slow {
	int to;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int n;
};

static void count_lines(void *context, struct vl_bytes lines)
{
	struct slow *slow = context;

	pthread_mutex_lock(&slow->lock);
	for (size_t i = 0; i < lines.size; i++)
		slow->n += lines.data[i] == '\n';
	pthread_cond_broadcast(&slow->changed);
	pthread_mutex_unlock(&slow->lock);
}

static void *write_slowly(void *context)
{
	struct slow *slow = context;

	for (int i = 1; i <= 3; i++) {
		(void)!write(slow->to, LINE, strlen(LINE));
		pthread_mutex_lock(&slow->lock);
		while (slow->n < i)
			pthread_cond_wait(&slow->changed, &slow->lock);
		pthread_mutex_unlock(&slow->lock);
	}
	(void)close(slow->to);
	return NULL;
}

static void test_slow_input(void **state)
{
	struct slow slow = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
	pthread_t writer;
	int ends[2];

	(void)state;
	alarm(20); /* a line that waits for the next one would wait for ever */
	assert_int_equal(0, pipe(ends));
	slow.to = ends[1];
	fake_start(&agent, honest, 1);
	assert_int_equal(0, pthread_create(&writer, NULL, write_slowly, &slow));
	int code = cli_publish_run(&(struct cli_publish){.input = ends[0],
							 .name = "in",
							 .socket = agent.path,
							 .print = count_lines,
							 .context = &slow,
							 .patience_ms = 1000,
							 .clock = &vl_clock_system,
							 .rand = &vl_rand_system});
	assert_int_equal(0, pthread_join(writer, NULL));
	fake_stop(&agent);
	alarm(0);
	(void)close(ends[0]);
	assert_int_equal(CLI_OK, code);
	assert_int_equal(3, slow.n);
	assert_int_equal(3, agent.requests);
}

/* -- lines -- */

static void test_lines_in_pieces(void **state)
{
	uint64_t seed = fixture_seed();
	int ends[2];

	(void)state;
	for (int round = 0; round < 100; round++) {
		struct cli_lines lines = {0};
		struct vl_bytes line;
		uint64_t expected = 0;
		assert_int_equal(0, pipe(ends));
		lines.fd = ends[0];
		static const char text[] = "a\n\nbcd\nefghij\r\nk";
		static const char *const parts[] = {"a", "", "bcd", "efghij\r", "k"};
		for (size_t at = 0; !lines.eof;) {
			size_t n = 1 + (size_t)(fixture_next(&seed) % 5);
			n = n < sizeof(text) - 1 - at ? n : sizeof(text) - 1 - at;
			if (n > 0)
				assert_int_equal((ssize_t)n, write(ends[1], text + at, n));
			else
				(void)close(ends[1]);
			at += n;
			assert_int_equal(VL_OK, cli_lines_read(&lines, NULL));
			while (cli_lines_next(&lines, &line) == VL_OK) {
				assert_true(expected < 5);
				assert_int_equal(strlen(parts[expected]), line.size);
				assert_memory_equal(parts[expected], line.data, line.size);
				assert_int_equal(++expected, lines.line);
			}
		}
		assert_int_equal(5, expected);
		cli_lines_free(&lines);
		(void)close(ends[0]);
	}
}

static void test_event_is_completed(void **state)
{
	const struct cli_publish how = {.clock = &run_clock, .rand = &vl_rand_system};
	struct vl_arena *arena = vl_arena_open(0);
	struct vl_buf bytes = {0};
	struct vl_event_id id;
	struct vl_why why = {0};

	(void)state;
	bool made = false;
	assert_int_equal(VL_OK, cli_event_make(BYTES(LINE), arena, &how, &bytes, &id, &made, &why));
	assert_true(made);
	Valise__V1__Event *event = valise__v1__event__unpack(NULL, bytes.size, bytes.data);
	assert_non_null(event);
	assert_int_equal(16, event->id.len);
	assert_memory_equal(id.bytes, event->id.data, 16);
	assert_int_equal(7, event->id.data[6] >> 4);
	assert_int_equal(1700000000, event->occurred_at->seconds);
	valise__v1__event__free_unpacked(event, NULL);
	vl_buf_reset(&bytes);
	assert_int_equal(
		VL_OK,
		cli_event_make(
			BYTES("{\"subject\":\"a\",\"occurredAt\":\"2023-04-15T00:00:00Z\"," CASE
			      "}"),
			arena, &how, &bytes, &id, &made, &why));
	event = valise__v1__event__unpack(NULL, bytes.size, bytes.data);
	assert_int_equal(1681516800, event->occurred_at->seconds);
	valise__v1__event__free_unpacked(event, NULL);
	vl_buf_free(&bytes);
	vl_arena_close(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_bad_lines),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_many_share_requests),
		cmocka_unit_test(test_slow_input),
		cmocka_unit_test(test_lines_in_pieces),
		cmocka_unit_test(test_event_is_completed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
