/* Publishing against an agent that is made up here: answers, refusals, and every way in which a connection ends midway. */
#include "cli/publish.h"

#include "base/text.h"
#include "bus_fixture.h"
#include "cli/cli.h"

#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <valise/v1/agent.pb-c.h>
#include <valise/v1/batch.pb-c.h>

#define CASE "\"payload\":{\"@type\":\"consular.case.v1.CaseClosed\"}"
#define LINE "{\"subject\":\"SD-1\"," CASE "}\n"

/* What the agent does with its connections, one after another; the last goes on until the client leaves. */
struct play {
	int closes_after;    /* events answered before the connection is closed; -1: never */
	bool answers_last;   /* whether the answer to the last of them is sent */
	bool unknown;        /* instead of closing: UNKNOWN_OUTCOME */
	const char *garbage; /* instead of an answer: these bytes */
	size_t n_garbage;
};

struct agent {
	char dir[64], path[96];
	int listener;
	const struct play *plays;
	size_t n_plays;
	pthread_t thread;
	/* What came in, in order; an id that was there already is a duplicate. */
	struct vl_event_id ids[10000];
	size_t n_ids;
	uint64_t events, requests, most;
};

static bool read_all(int fd, void *to, size_t count)
{
	uint8_t *at = to;

	while (count > 0) {
		ssize_t n = recv(fd, at, count, 0);
		if (n <= 0)
			return false;
		at += n;
		count -= (size_t)n;
	}
	return true;
}

static size_t id_number(struct agent *agent, const ProtobufCBinaryData *id)
{
	size_t i = 0;

	assert_int_equal(16, id->len);
	while (i < agent->n_ids && agent->n_ids < 1000 && memcmp(agent->ids[i].bytes, id->data, 16) != 0)
		i++;
	if (agent->n_ids >= 1000)
		i = agent->n_ids; /* many: take them as new */
	if (i == agent->n_ids)
		memcpy(agent->ids[agent->n_ids++].bytes, id->data, 16);
	return i;
}

static Valise__V1__PublishResult *result_of(struct agent *agent, const Valise__V1__Event *event, bool unknown)
{
	Valise__V1__PublishResult *result = malloc(sizeof(*result));
	size_t before = agent->n_ids, i = 0;

	valise__v1__publish_result__init(result);
	if (unknown || strcmp(event->subject, "refuse") == 0) {
		result->outcome_case = VALISE__V1__PUBLISH_RESULT__OUTCOME_REFUSED;
		result->refused = malloc(sizeof(*result->refused));
		valise__v1__refused__init(result->refused);
		result->refused->cause = unknown ? VALISE__V1__REFUSED_CAUSE__REFUSED_CAUSE_UNKNOWN_OUTCOME
						 : VALISE__V1__REFUSED_CAUSE__REFUSED_CAUSE_FULL;
		result->refused->reason = strdup("no room for ROUTINE");
		return result;
	}
	i = id_number(agent, &event->id);
	result->outcome_case = VALISE__V1__PUBLISH_RESULT__OUTCOME_ACCEPTED;
	result->accepted = malloc(sizeof(*result->accepted));
	valise__v1__accepted__init(result->accepted);
	result->accepted->lane = strdup("consular.case.v1");
	result->accepted->epoch = 7;
	result->accepted->event = i + 1;
	result->accepted->duplicate = i < before;
	return result;
}

static bool send_response(int fd, const Valise__V1__PublishResponse *response)
{
	size_t size = valise__v1__publish_response__get_packed_size(response);
	uint8_t *frame = malloc(4 + size);

	vl_put_be32(frame, (uint32_t)size);
	valise__v1__publish_response__pack(response, frame + 4);
	/* In two pieces: a frame need not come whole. */
	size_t half = (4 + size) / 2;
	bool sent = send(fd, frame, half, MSG_NOSIGNAL) == (ssize_t)half &&
		    send(fd, frame + half, 4 + size - half, MSG_NOSIGNAL) == (ssize_t)(4 + size - half);
	free(frame);
	return sent;
}

/* False where the connection is to end. */
static bool answer_request(struct agent *agent, const struct play *play, int fd,
			   const Valise__V1__PublishRequest *request, int *left)
{
	Valise__V1__PublishResponse response = VALISE__V1__PUBLISH_RESPONSE__INIT;
	Valise__V1__PublishResult **results = calloc(request->n_events + 1, sizeof(Valise__V1__PublishResult *));
	bool more = true, ends = false;

	for (size_t i = 0; i < request->n_events; i++) {
		ends = ends || (play->closes_after >= 0 && (*left)-- == 0);
		results[i] = result_of(agent, request->events[i], ends && play->unknown);
	}
	response.tag = request->tag;
	response.n_results = request->n_events;
	response.results = results;
	agent->events += request->n_events;
	agent->requests++;
	if (request->n_events > agent->most)
		agent->most = request->n_events;
	if (ends && play->garbage != NULL)
		(void)!send(fd, play->garbage, play->n_garbage, MSG_NOSIGNAL);
	else if (!ends || play->answers_last || play->unknown)
		more = send_response(fd, &response);
	for (size_t i = 0; i < request->n_events; i++)
		valise__v1__publish_result__free_unpacked(results[i], NULL);
	free(results);
	return more && (!ends || play->unknown || play->garbage != NULL);
}

static void serve(struct agent *agent, const struct play *play, int fd)
{
	int left = play->closes_after;
	uint8_t head[4];
	bool more = true;

	while (more && read_all(fd, head, sizeof(head))) {
		uint32_t size = vl_get_be32(head);
		assert_true(size <= 1 << 20);
		uint8_t *bytes = malloc(size + 1);
		more = read_all(fd, bytes, size);
		Valise__V1__PublishRequest *request =
			more ? valise__v1__publish_request__unpack(NULL, size, bytes) : NULL;
		free(bytes);
		if (request == NULL)
			break;
		more = answer_request(agent, play, fd, request, &left);
		valise__v1__publish_request__free_unpacked(request, NULL);
	}
	(void)close(fd);
}

static void *run_agent(void *context)
{
	struct agent *agent = context;

	for (size_t i = 0; i < agent->n_plays; i++) {
		int fd = accept(agent->listener, NULL, NULL);
		if (fd < 0)
			break;
		serve(agent, &agent->plays[i], fd);
	}
	(void)close(agent->listener);
	return NULL;
}

static void start(struct agent *agent, const struct play *plays, size_t n_plays)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	memset(agent, 0, sizeof(*agent));
	(void)strcpy(agent->dir, "/tmp/valise-cli-XXXXXX");
	assert_non_null(mkdtemp(agent->dir));
	(void)snprintf(agent->path, sizeof(agent->path), "%s/s", agent->dir);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", agent->path);
	agent->listener = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(0, bind(agent->listener, (struct sockaddr *)&address, sizeof(address)));
	assert_int_equal(0, listen(agent->listener, 8));
	agent->plays = plays;
	agent->n_plays = n_plays;
	assert_int_equal(0, pthread_create(&agent->thread, NULL, run_agent, agent));
}

static void stop(struct agent *agent)
{
	assert_int_equal(0, pthread_join(agent->thread, NULL));
	(void)unlink(agent->path);
	(void)rmdir(agent->dir);
}

/* -- publishing, and what is printed -- */

struct run {
	struct vl_buf out, talk;
	int code;
};

static void keep(void *context, struct vl_bytes lines)
{
	vl_buf_put(context, lines.data, lines.size);
}

static struct vl_time fixed(void *context)
{
	(void)context;
	return (struct vl_time){1700000000, 0};
}

static struct run publish_fd(const char *socket, int input, int patience_ms)
{
	static const struct vl_clock clock = {fixed, NULL};
	struct run run = {{0}, {0}, 0};
	FILE *talk = tmpfile();
	int real = dup(STDERR_FILENO);

	assert_true(talk != NULL && dup2(fileno(talk), STDERR_FILENO) >= 0);
	run.code = cli_publish_run(&(struct cli_publish){.input = input,
							 .name = "in",
							 .socket = socket,
							 .print = keep,
							 .context = &run.out,
							 .patience_ms = patience_ms,
							 .clock = &clock,
							 .rand = &vl_rand_system});
	assert_true(dup2(real, STDERR_FILENO) >= 0);
	(void)close(real);
	off_t size = lseek(fileno(talk), 0, SEEK_END);
	assert_int_equal(size, pread(fileno(talk), vl_buf_add(&run.talk, (size_t)size), (size_t)size, 0));
	(void)fclose(talk);
	return run;
}

static struct run publish(const char *socket, struct vl_bytes input, int patience_ms)
{
	FILE *file = tmpfile();

	assert_non_null(file);
	assert_int_equal(input.size, fwrite(input.data, 1, input.size, file));
	rewind(file);
	struct run run = publish_fd(socket, fileno(file), patience_ms);
	(void)fclose(file);
	return run;
}

static void release(struct run *run)
{
	vl_buf_free(&run->out);
	vl_buf_free(&run->talk);
}

static size_t count(const char *text, const char *what)
{
	size_t n = 0;

	for (const char *at = strstr(text, what); at != NULL; at = strstr(at + 1, what))
		n++;
	return n;
}

static void assert_count(size_t expected, struct vl_buf *text, const char *what)
{
	if (count(vl_buf_text(text), what) != expected)
		fail_msg("not %zu times '%s' in:\n%s", expected, what, vl_buf_text(text));
}

static const struct play honest[] = {{.closes_after = -1}};
static struct agent agent;

static void test_accepted(void **state)
{
	(void)state;
	start(&agent, honest, 1);
	struct run run =
		publish(agent.path,
			BYTES("{\"id\":\"018f0000-0000-7000-8000-000000000001\",\"subject\":\"SD-1\"," CASE "}\n"
			      "\n \t\r\n" LINE "{\"id\":\"AY8AAAAAcACAAAAAAAAAAQ==\",\"subject\":\"SD-1\"," CASE "}"),
			1000);
	stop(&agent);
	assert_int_equal(CLI_OK, run.code);
	assert_count(1, &run.out,
		     "{\"line\":1,\"id\":\"AY8AAAAAcACAAAAAAAAAAQ==\",\"lane\":\"consular.case.v1\",\"epoch\":7,"
		     "\"event\":1}\n");
	assert_count(1, &run.out, "{\"line\":4,");
	assert_count(
		1, &run.out,
		"{\"line\":5,\"id\":\"AY8AAAAAcACAAAAAAAAAAQ==\",\"lane\":\"consular.case.v1\",\"epoch\":7,\"event\":1,"
		"\"duplicate\":true}\n");
	assert_int_equal(3, agent.events);
	release(&run);
}

static void test_bad_lines(void **state)
{
	static const char text[] = "\xef\xbb\xbf" LINE                  /* 1: good, behind a mark */
				   "{\"subject\":\n"                    /* 2 */
				   "{\"subject\":\"a\xff\"," CASE "}\n" /* 3 */
				   "{\"subject\":\"\"," CASE "}\n"      /* 4 */
				   "{\"subject\":\"a\",\"payload\":{\"@type\":\"consular.case.v1.No\"}}\n" /* 5 */
				   "{\"subject\":\"a\",\"sbuject\":1," CASE "}\n"                          /* 6 */
				   "{\"subject\":\"a\",\"id\":\"AAAA\"," CASE "}\n"                        /* 7 */
				   "{\"subject\":\"refuse\"," CASE "}\n" /* 8: by the agent */
				   "a\0b\n"                              /* 9 */
		LINE;                                                    /* 10: good */

	(void)state;
	start(&agent, honest, 1);
	struct run run = publish(agent.path, (struct vl_bytes){(const uint8_t *)text, sizeof(text) - 1}, 1000);
	stop(&agent);
	assert_int_equal(CLI_FAILED, run.code);
	assert_count(2, &run.out, "\n");
	assert_count(1, &run.out, "{\"line\":1,");
	assert_count(1, &run.out, "{\"line\":10,");
	assert_count(8, &run.talk, "cannot publish 'in:");
	assert_count(1, &run.talk, "cannot publish 'in:2': column 11: the JSON ends too early\n");
	assert_count(1, &run.talk, "'in:3': column 13: not UTF-8");
	assert_count(1, &run.talk, "'in:8': no room for ROUTINE\n");
	assert_count(1, &run.talk, "2 accepted, 8 refused\n");
	release(&run);
}

static void test_sizes(void **state)
{
	static const size_t sizes[] = {890000, 910000, CLI_LINE_MAX + 10, 3 * CLI_LINE_MAX, 10};
	struct vl_buf text = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		vl_buf_put_text(&text, "{\"subject\":\"SD-1\",\"payload\":{\"@type\":\"consular.case.v1.CaseClosed\","
				       "\"personal\":{\"narrative\":\"");
		memset(vl_buf_add(&text, sizes[i]), 'x', sizes[i]);
		vl_buf_put_text(&text, "\"}}}\n");
	}
	start(&agent, honest, 1);
	struct run run = publish(agent.path, vl_buf_bytes(&text), 1000);
	stop(&agent);
	assert_int_equal(CLI_FAILED, run.code);
	assert_count(2, &run.out, "\n");
	assert_count(1, &run.out, "{\"line\":1,");
	assert_count(1, &run.out, "{\"line\":5,");
	assert_count(1, &run.talk, "'in:2': the event is 910");
	assert_count(1, &run.talk, "'in:3': the line is longer than");
	assert_count(1, &run.talk, "'in:4': the line is longer than");
	release(&run);
	vl_buf_free(&text);
}

static void test_many_share_requests(void **state)
{
	struct vl_buf text = {0};

	(void)state;
	for (int i = 0; i < 8000; i++)
		vl_buf_put_text(&text, LINE);
	start(&agent, honest, 1);
	struct run run = publish(agent.path, vl_buf_bytes(&text), 1000);
	stop(&agent);
	assert_int_equal(CLI_OK, run.code);
	assert_count(8000, &run.out, "\n");
	assert_count(1, &run.out, "{\"line\":8000,");
	assert_true(agent.requests < 300);
	assert_true(agent.most > 100);
	release(&run);
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
	start(&agent, honest, 1);
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
	stop(&agent);
	alarm(0);
	(void)close(ends[0]);
	assert_int_equal(CLI_OK, code);
	assert_int_equal(3, slow.n);
	assert_int_equal(3, agent.requests);
}

/* -- connections that end midway -- */

static struct run publish_lines(int lines, int patience_ms)
{
	struct vl_buf text = {0};

	for (int i = 0; i < lines; i++)
		vl_buf_put_text(&text, LINE);
	struct run run = publish(agent.path, vl_buf_bytes(&text), patience_ms);
	vl_buf_free(&text);
	return run;
}

/* The agent stored all of it, or part of it, and said nothing. */
static void test_closed_midway(void **state)
{
	static const struct play plays[][3] = {
		{{.closes_after = 0}, {.closes_after = -1}},
		{{.closes_after = 3}, {.closes_after = 0}, {.closes_after = -1}},
		{{.closes_after = 5, .unknown = true}, {.closes_after = -1}},
		{{.closes_after = 0, .unknown = true}, {.closes_after = 0, .unknown = true}, {.closes_after = -1}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(plays) / sizeof(plays[0]); i++) {
		start(&agent, plays[i], plays[i][2].closes_after == -1 ? 3 : 2);
		struct run run = publish_lines(20, 5000);
		stop(&agent);
		assert_int_equal(CLI_OK, run.code);
		assert_count(20, &run.out, "\n");
		for (int line = 1; line <= 20; line++) {
			char text[32];
			(void)snprintf(text, sizeof(text), "{\"line\":%d,", line);
			assert_count(1, &run.out, text);
		}
		/* Each event is one to the agent, however often it came. */
		assert_int_equal(20, agent.n_ids);
		assert_true(count(vl_buf_text(&run.talk), "trying again") >= 1);
		release(&run);
	}
}

static void test_never_comes_back(void **state)
{
	static const struct play plays[] = {{.closes_after = 0}};

	(void)state;
	start(&agent, plays, 1);
	struct run run = publish_lines(3, 300);
	stop(&agent);
	assert_int_equal(CLI_FAILED, run.code);
	assert_int_equal(0, run.out.size);
	assert_count(3, &run.talk, "whether it was stored is unknown; publish it again with \"id\":\"");
	assert_count(1, &run.talk, "cannot publish 'in:1': ");
	assert_count(1, &run.talk, "cannot publish 'in:3': ");
	release(&run);
}

static void test_garbage(void **state)
{
	static const struct play plays[][1] = {
		{{.closes_after = 0, .garbage = "HTTP/1.1 400 Bad Request\r\n", .n_garbage = 26}},
		{{.closes_after = 0, .garbage = "\0\0\0\2\xff\xff", .n_garbage = 6}},
		{{.closes_after = 0, .garbage = "\0\0\0\0", .n_garbage = 4}},               /* no results */
		{{.closes_after = 0, .garbage = "\0\0\0\4\x08\x63\x12\0", .n_garbage = 8}}, /* another tag */
		{{.closes_after = 0, .garbage = "\0\0\0\2\x12\0", .n_garbage = 6}},         /* neither yes nor no */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(plays) / sizeof(plays[0]); i++) {
		start(&agent, plays[i], 1);
		struct run run = publish_lines(1, 300);
		stop(&agent);
		assert_int_equal(CLI_FAILED, run.code);
		assert_int_equal(0, run.out.size);
		assert_count(1, &run.talk, "the agent's answer");
		assert_count(1, &run.talk, "whether it was stored is unknown");
		release(&run);
	}
}

static void test_no_agent(void **state)
{
	(void)state;
	struct run run = publish("/tmp/valise-cli-no-such-socket", BYTES(LINE), 300);
	assert_int_equal(CLI_FAILED, run.code);
	assert_count(1, &run.talk, "is valise-agent running");
	release(&run);
	char path[300];
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	run = publish(path, BYTES(LINE), 300);
	assert_int_equal(CLI_FAILED, run.code);
	release(&run);
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
	static const struct vl_clock clock = {fixed, NULL};
	const struct cli_publish how = {.clock = &clock, .rand = &vl_rand_system};
	struct vl_arena *arena = vl_arena_open(0);
	struct vl_buf bytes = {0};
	struct vl_event_id id;
	struct vl_why why = {0};

	(void)state;
	assert_int_equal(VL_OK, cli_event_make(BYTES(LINE), arena, &how, &bytes, &id, &why));
	Valise__V1__Event *event = valise__v1__event__unpack(NULL, bytes.size, bytes.data);
	assert_non_null(event);
	assert_int_equal(16, event->id.len);
	assert_memory_equal(id.bytes, event->id.data, 16);
	assert_int_equal(7, event->id.data[6] >> 4);
	assert_int_equal(1700000000, event->occurred_at->seconds);
	valise__v1__event__free_unpacked(event, NULL);
	vl_buf_reset(&bytes);
	assert_int_equal(VL_OK,
			 cli_event_make(BYTES("{\"subject\":\"a\",\"occurredAt\":\"2023-04-15T00:00:00Z\"," CASE "}"),
					arena, &how, &bytes, &id, &why));
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
		cmocka_unit_test(test_closed_midway),
		cmocka_unit_test(test_never_comes_back),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_no_agent),
		cmocka_unit_test(test_lines_in_pieces),
		cmocka_unit_test(test_event_is_completed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
