/* Publishing over connections that end midway, talk nonsense or never begin: each line is
 * printed once or not at all. */
#include "cli_fake_agent.h"

#include "cli/cli.h"

static struct fake_agent agent;

static struct run publish_lines(int lines, int patience_ms)
{
	struct vl_buf text = {0};

	for (int i = 0; i < lines; i++)
		vl_buf_put_text(&text, LINE);
	struct run run = run_publish(agent.path, vl_buf_bytes(&text), patience_ms);
	vl_buf_free(&text);
	return run;
}

/* The agent stored all of it, or part of it, and said nothing. */
static void test_closed_midway(void **state)
{
	static const struct fake_play plays[][3] = {
		{{.closes_after = 0}, {.closes_after = -1}},
		{{.closes_after = 3}, {.closes_after = 0}, {.closes_after = -1}},
		{{.closes_after = 5, .unknown = true}, {.closes_after = -1}},
		{{.closes_after = 0, .unknown = true},
		 {.closes_after = 0, .unknown = true},
		 {.closes_after = -1}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(plays) / sizeof(plays[0]); i++) {
		fake_start(&agent, plays[i], plays[i][2].closes_after == -1 ? 3 : 2);
		struct run run = publish_lines(20, 5000);
		fake_stop(&agent);
		assert_int_equal(CLI_OK, run.code);
		assert_count(20, &run.out, "\n");
		for (int line = 1; line <= 20; line++) {
			char text[32];
			(void)snprintf(text, sizeof(text), "{\"line\":%d,", line);
			assert_count(1, &run.out, text);
		}
		/* Each event is one to the agent, however often it came. */
		assert_int_equal(20, agent.n_ids);
		assert_true(count_of(vl_buf_text(&run.talk), "trying again") >= 1);
		run_free(&run);
	}
}

static void test_never_comes_back(void **state)
{
	static const struct fake_play plays[] = {{.closes_after = 0}};

	(void)state;
	fake_start(&agent, plays, 1);
	struct run run = publish_lines(3, 300);
	fake_stop(&agent);
	assert_int_equal(CLI_FAILED, run.code);
	assert_int_equal(0, run.out.size);
	assert_count(3, &run.talk,
		     "whether it was stored is unknown; publish it again with \"id\":\"");
	assert_count(1, &run.talk, "cannot publish 'in:1': ");
	assert_count(1, &run.talk, "cannot publish 'in:3': ");
	run_free(&run);
}

static void test_garbage(void **state)
{
	static const struct fake_play plays[][1] = {
		{{.closes_after = 0, .garbage = "HTTP/1.1 400 Bad Request\r\n", .n_garbage = 26}},
		{{.closes_after = 0, .garbage = "\0\0\0\2\xff\xff", .n_garbage = 6}},
		/* no results */
		{{.closes_after = 0, .garbage = "\0\0\0\0", .n_garbage = 4}},
		/* another tag */
		{{.closes_after = 0, .garbage = "\0\0\0\4\x08\x63\x12\0", .n_garbage = 8}},
		/* neither yes nor no */
		{{.closes_after = 0, .garbage = "\0\0\0\2\x12\0", .n_garbage = 6}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(plays) / sizeof(plays[0]); i++) {
		fake_start(&agent, plays[i], 1);
		struct run run = publish_lines(1, 300);
		fake_stop(&agent);
		assert_int_equal(CLI_FAILED, run.code);
		assert_int_equal(0, run.out.size);
		assert_count(1, &run.talk, "the agent's answer");
		assert_count(1, &run.talk, "whether it was stored is unknown");
		run_free(&run);
	}
}

static void test_no_agent(void **state)
{
	(void)state;
	struct run run = run_publish("/tmp/valise-cli-no-such-socket", BYTES(LINE), 300);
	assert_int_equal(CLI_FAILED, run.code);
	assert_count(1, &run.talk, "is valise-agent running");
	run_free(&run);
	char path[300];
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	run = run_publish(path, BYTES(LINE), 300);
	assert_int_equal(CLI_FAILED, run.code);
	run_free(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_closed_midway),
		cmocka_unit_test(test_never_comes_back),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_no_agent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
