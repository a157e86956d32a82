/* client/client.h: what becomes of each event, whatever the agent does. */
#include "client_fake_agent.h"

#include <google/protobuf/any.pb-c.h>
#include <google/protobuf/timestamp.pb-c.h>
#include <poll.h>
#include <pthread.h>

#define PATIENCE 10000
#define INVALID VALISE__V1__REFUSED_CAUSE__REFUSED_CAUSE_INVALID
#define FULL VALISE__V1__REFUSED_CAUSE__REFUSED_CAUSE_FULL
#define UNKNOWN VALISE__V1__REFUSED_CAUSE__REFUSED_CAUSE_UNKNOWN_OUTCOME

struct scene {
	struct fake_agent agent;
	struct vl_client *client;
	int64_t now;
	size_t n_answers, n_lost;
	uint64_t tags[64];
	struct vl_client_answer answers[64];
};

static void on_answered(void *context, uint64_t tag, const struct vl_client_answer *answer)
{
	struct scene *s = context;

	s->tags[s->n_answers % 64] = tag;
	s->answers[s->n_answers % 64] = *answer;
	s->n_answers++;
}

static void on_lost(void *context, const char *reason)
{
	struct scene *s = context;

	assert_true(*reason != '\0');
	s->n_lost++;
}

static void open_client(struct scene *s, int64_t patience_ms, int64_t answer_ms)
{
	vl_client_close(s->client);
	s->client = vl_client_open(&(struct vl_client_options){.socket = s->agent.path,
							       .patience_ms = patience_ms,
							       .answer_ms = answer_ms,
							       .answered = on_answered,
							       .lost = on_lost,
							       .context = s});
	assert_non_null(s->client);
}

static int setup(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	fake_open(&s->agent);
	s->now = 1000000;
	open_client(s, PATIENCE, 0);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct scene *s = *state;

	vl_client_close(s->client);
	fake_close(&s->agent);
	free(s);
	return 0;
}

static struct vl_client_event an_event(uint8_t number)
{
	struct vl_client_event event = {.type = "consular.case.v1.CaseClosed",
					.payload = "\x08\x01",
					.size = 2,
					.subject = "SD-1",
					.actor = "officer:7",
					.seconds = 1700000000,
					.nanos = 5};

	event.id[0] = number;
	return event;
}

static void add(struct scene *s, uint8_t number)
{
	struct vl_client_event event = an_event(number);

	assert_true(vl_client_add(s->client, &event, number));
}

static bool work(struct scene *s)
{
	return vl_client_work(s->client, s->now);
}

/* The request that the agent has by now. */
static Valise__V1__PublishRequest *request(struct scene *s)
{
	(void)work(s);
	Valise__V1__PublishRequest *got = fake_request(&s->agent);
	assert_non_null(got);
	return got;
}

static void an_event_travels_as_it_was_given(void **state)
{
	struct scene *s = *state;

	struct vl_client_event event = an_event(1);
	event.after[15] = 9;
	assert_true(vl_client_add(s->client, &event, 42));
	event.seconds = event.nanos = 0;
	memset(event.id, 0, 16);
	event.actor = NULL;
	memset(event.after, 0, 16);
	assert_true(vl_client_add(s->client, &event, 43));
	Valise__V1__PublishRequest *got = request(s);
	assert_int_equal(got->n_events, 2);
	const Valise__V1__Event *first = got->events[0], *second = got->events[1];
	assert_int_equal(first->id.len, 16);
	assert_int_equal(first->id.data[0], 1);
	assert_int_equal(first->occurred_at->seconds, 1700000000);
	assert_int_equal(first->occurred_at->nanos, 5);
	assert_string_equal(first->subject, "SD-1");
	assert_string_equal(first->actor, "officer:7");
	assert_string_equal(first->payload->type_url,
			    "type.googleapis.com/consular.case.v1.CaseClosed");
	assert_int_equal(first->payload->value.len, 2);
	assert_memory_equal(first->payload->value.data, "\x08\x01", 2);
	assert_int_equal(first->after.data[15], 9);
	/* What was not said: an id, and the time, are made. */
	assert_int_equal(second->id.len, 16);
	assert_int_equal(second->id.data[6] >> 4, 7);
	assert_true(second->occurred_at->seconds > 1700000000);
	assert_int_equal(second->after.len, 0);
	assert_string_equal(second->actor, "");
	uint8_t made[16];
	memcpy(made, second->id.data, 16);
	accept_all(&s->agent, got, 11);
	assert_true(work(s));
	assert_int_equal(s->n_answers, 2);
	assert_int_equal(s->tags[0], 42);
	assert_int_equal(s->answers[0].outcome, VL_CLIENT_ACCEPTED);
	assert_int_equal(s->answers[0].id[0], 1);
	assert_string_equal(s->answers[0].lane, "consular.case.v1");
	assert_int_equal(s->answers[0].epoch, 7);
	assert_int_equal(s->answers[0].event, 11);
	assert_false(s->answers[0].duplicate);
	assert_memory_equal(s->answers[1].id, made, 16);
	assert_int_equal(vl_client_unanswered(s->client), 0);
}

static void each_outcome_is_told(void **state)
{
	struct scene *s = *state;
	struct vl_buf out;

	for (uint8_t i = 1; i <= 4; i++)
		add(s, i);
	Valise__V1__PublishRequest *got = request(s);
	begin_answer(&out, got->tag);
	put_accepted(&out, 1, true);
	put_refused(&out, INVALID, "subject: is empty");
	put_refused(&out, FULL, "no room for ROUTINE");
	put_accepted(&out, 2, false);
	send_answer(&s->agent, &out);
	FREE(got);
	assert_true(work(s));
	assert_int_equal(s->n_answers, 4);
	assert_true(s->answers[0].duplicate);
	assert_int_equal(s->answers[1].outcome, VL_CLIENT_REFUSED);
	assert_string_equal(s->answers[1].reason, "subject: is empty");
	assert_int_equal(s->answers[2].outcome, VL_CLIENT_FULL);
	assert_string_equal(s->answers[2].reason, "no room for ROUTINE");
	assert_int_equal(s->answers[3].outcome, VL_CLIENT_ACCEPTED);
	assert_int_equal(s->answers[3].event, 2);
	assert_int_equal(s->n_lost, 0);
}

/* The same bytes, so with the same id, on the next connection; what was answered does not come
 * again. */
static void a_lost_answer_is_asked_for_again(void **state)
{
	struct scene *s = *state;
	struct vl_buf out;

	for (int how = 0; how < 2; how++) {
		size_t before = s->n_answers, lost = s->n_lost;
		add(s, 1);
		Valise__V1__PublishRequest *got = request(s);
		if (how == 1) {
			/* The agent cannot write: it does not know, either. */
			begin_answer(&out, got->tag);
			put_refused(&out, UNKNOWN, "the outbox cannot be written");
			send_answer(&s->agent, &out);
		} else
			fake_hang_up(&s->agent);
		assert_true(work(s));
		assert_int_equal(s->n_answers, before);
		assert_int_equal(s->n_lost, lost + 1);
		fake_hang_up(&s->agent);
		/* Not before the pause is over. */
		assert_true(work(s));
		assert_false(fake_connected(&s->agent));
		s->now += 100;
		Valise__V1__PublishRequest *again = request(s);
		assert_int_equal(again->n_events, 1);
		assert_int_equal(again->events[0]->id.len, 16);
		assert_memory_equal(again->events[0]->id.data, got->events[0]->id.data, 16);
		FREE(got);
		accept_all(&s->agent, again, 1);
		assert_true(work(s));
		assert_int_equal(s->n_answers, before + 1);
		assert_int_equal(s->answers[before].outcome, VL_CLIENT_ACCEPTED);
	}
}

/* Every outcome without an answer is one of two: it may be stored, or it was never sent. */
static void patience_ends(void **state)
{
	struct scene *s = *state;
	struct vl_client_event event = an_event(0);

	add(s, 1);
	FREE(request(s));
	fake_go(&s->agent);
	assert_true(work(s));
	add(s, 2);
	for (; s->n_answers == 0; s->now += 50) {
		assert_in_range(s->now, 1000000, 1000000 + PATIENCE + 50);
		(void)work(s);
	}
	assert_in_range(s->now, 1000000 + PATIENCE, 1000000 + PATIENCE + 50);
	assert_int_equal(s->n_answers, 2);
	assert_int_equal(s->n_lost, 1);
	assert_int_equal(s->answers[0].outcome, VL_CLIENT_UNKNOWN);
	assert_int_equal(s->answers[1].outcome, VL_CLIENT_UNSENT);
	assert_int_equal(s->answers[1].id[0], 2);
	assert_non_null(strstr(vl_client_reason(s->client), "is valise-agent running"));
	assert_int_equal(vl_client_unanswered(s->client), 0);
	/* It can be used again. */
	fake_listen(&s->agent);
	s->now += 1000;
	assert_true(vl_client_add(s->client, &event, 3));
	accept_all(&s->agent, request(s), 1);
	assert_true(work(s));
	assert_int_equal(s->answers[2].outcome, VL_CLIENT_ACCEPTED);
}

static void without_patience_a_loss_is_told_at_once(void **state)
{
	struct scene *s = *state;

	open_client(s, 0, 500);
	add(s, 1);
	FREE(request(s));
	s->now += 500;
	assert_true(work(s));
	s->now++;
	assert_false(work(s));
	assert_int_equal(s->n_answers, 1);
	assert_int_equal(s->answers[0].outcome, VL_CLIENT_UNKNOWN);
	assert_non_null(strstr(s->answers[0].reason, "does not answer"));
	/* A connection that nobody waits at is lost without a word. */
	size_t lost = s->n_lost;
	fake_hang_up(&s->agent);
	assert_true(work(s));
	assert_int_equal(s->n_lost, lost);
}

/* Each answer begins a new patience: an agent that is slow and goes on is waited for. */
static void an_answer_begins_a_new_patience(void **state)
{
	struct scene *s = *state;

	for (uint8_t i = 1; i <= 8; i++) {
		add(s, i);
		FREE(request(s));
		fake_hang_up(&s->agent);
		(void)work(s);
		s->now += PATIENCE - 1;
		Valise__V1__PublishRequest *got = request(s);
		assert_int_equal(got->events[0]->id.data[0], i);
		accept_all(&s->agent, got, i);
		assert_true(work(s));
	}
	assert_int_equal(s->n_answers, 8);
	assert_int_equal(s->n_lost, 8);
}

static void pauses_grow_and_poll_knows_them(void **state)
{
	struct scene *s = *state;
	int fd, timeout;
	short events;

	vl_client_poll(s->client, s->now, &fd, &events, &timeout);
	assert_int_equal(fd, -1);
	assert_int_equal(timeout, -1);
	fake_go(&s->agent);
	add(s, 1);
	const int pauses[] = {100, 200, 400, 800, 1000, 1000};
	for (size_t i = 0; i < sizeof(pauses) / sizeof(pauses[0]); i++) {
		assert_true(work(s));
		vl_client_poll(s->client, s->now, &fd, &events, &timeout);
		assert_int_equal(fd, -1);
		assert_int_equal(timeout, pauses[i]);
		s->now += timeout;
	}
	fake_listen(&s->agent);
	assert_true(work(s));
	vl_client_poll(s->client, s->now, &fd, &events, &timeout);
	assert_true(fd >= 0);
	assert_int_equal(timeout, -1);
	assert_int_equal(events, POLLIN);
}

/* Whoever is not let in learns why, and nobody goes on trying. */
static void turned_away_is_for_good(void **state)
{
	static const struct {
		const char *bytes, *reason;
		size_t size;
	} wrongs[] = {
		{"HTTP/1.1 400 Bad Request\r\n", "too long", 26},
		{"\0\0\0\2\xff\xff", "fits no request", 6},
		{"\0\0\0\0", "fits no request", 4},
		{"\0\0\0\4\x08\x63\x12\0", "fits no request", 8},
		{"\0\0\0\2\x12\0", "fits no request", 6},
		{"\0\0\0\4\x08\x01\x12\0", "neither yes nor no", 8},
		{"\0\0\0\6\x08\x01\x12\0\x12\0", "fits no request", 10},
	};
	struct scene *s = *state;
	struct vl_buf out;

	add(s, 1);
	FREE(request(s));
	begin_answer(&out, 0);
	put_refused(&out, INVALID, "user 7 is not let in");
	send_answer(&s->agent, &out);
	assert_false(work(s));
	assert_string_equal(vl_client_reason(s->client), "user 7 is not let in");
	assert_int_equal(s->answers[0].outcome, VL_CLIENT_UNKNOWN);
	assert_int_equal(s->n_lost, 0);
	for (size_t i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
		fake_hang_up(&s->agent);
		open_client(s, PATIENCE, 0);
		add(s, 1);
		FREE(request(s));
		assert_int_equal(send(s->agent.fd, wrongs[i].bytes, wrongs[i].size, 0),
				 wrongs[i].size);
		assert_false(work(s));
		assert_non_null(strstr(vl_client_reason(s->client), wrongs[i].reason));
		assert_int_equal(vl_client_unanswered(s->client), 0);
	}
}

/* A response cut anywhere, or with any byte changed, never counts as more than it says. */
static void no_broken_response_is_taken(void **state)
{
	struct scene *s = *state;
	struct vl_buf whole;

	begin_answer(&whole, 1);
	put_refused(&whole, INVALID, "no");
	vl_put_be32(whole.data, (uint32_t)(whole.size - VL_FRAME_HEAD));
	for (size_t i = VL_FRAME_HEAD; i < whole.size; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			size_t before = s->n_answers;
			fake_hang_up(&s->agent);
			open_client(s, 0, 0);
			add(s, 1);
			FREE(request(s));
			whole.data[i] ^= (uint8_t)(1 << bit);
			assert_int_equal(send(s->agent.fd, whole.data, whole.size, 0), whole.size);
			whole.data[i] ^= (uint8_t)(1 << bit);
			fake_hang_up(&s->agent);
			(void)work(s);
			assert_int_equal(s->n_answers, before + 1);
			assert_int_not_equal(s->answers[before % 64].outcome, VL_CLIENT_ACCEPTED);
		}
	vl_buf_free(&whole);
}

/* Requests stay within what a frame holds, and what is sent ahead within a window. */
static void what_is_under_way_is_bounded(void **state)
{
	struct scene *s = *state;
	static uint8_t large[900001];
	struct vl_client_event event = an_event(1);
	size_t added = 0, requests = 0, events = 0;
	Valise__V1__PublishRequest *got;

	event.payload = large;
	event.size = 1000;
	for (; vl_client_has_room(s->client); added++)
		assert_true(vl_client_add(s->client, &event, added));
	assert_in_range(added * 1000, 400000, 600000);
	while (s->n_answers < added) {
		assert_true(work(s));
		while ((got = fake_request(&s->agent)) != NULL) {
			assert_in_range(got->n_events, 1, VL_FRAME_EVENTS);
			assert_true(got->n_events * 1000 <= (128 << 10));
			requests++;
			events += got->n_events;
			accept_all(&s->agent, got, 1);
		}
	}
	assert_int_equal(events, added);
	assert_true(requests >= 4);
	/* An event as large as may be goes by itself; one byte more is told at once. */
	event.size = 899000;
	assert_true(vl_client_add(s->client, &event, 1));
	event.size = sizeof(large);
	assert_false(vl_client_add(s->client, &event, 2));
	assert_non_null(strstr(vl_client_reason(s->client), "900000 are the most"));
	assert_int_equal(vl_client_unanswered(s->client), 1);
}

static void a_path_that_is_too_long_is_said(void **state)
{
	struct scene *s = *state;
	char path[VL_CLIENT_SOCKET_MAX + 2];

	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	struct vl_client *client = vl_client_open(&(struct vl_client_options){.socket = path});
	assert_false(vl_client_ready(client, s->now));
	assert_non_null(strstr(vl_client_reason(client), "longer than 107 bytes"));
	vl_client_close(client);
	client = vl_client_open(NULL);
	assert_string_equal(vl_client_reason(client), "");
	vl_client_close(client);
	vl_client_close(NULL);
}

/* -- those who wait -- */

/* Hangs up on its first connection, unanswered, and answers on the second until it ends. */
static void *serve(void *context)
{
	struct fake_agent *agent = context;
	Valise__V1__PublishRequest *got;
	uint64_t n = 1;

	for (int connection = 0; connection < 2; connection++) {
		struct pollfd fd = {.fd = agent->listener, .events = POLLIN};
		while (poll(&fd, 1, 20000) > 0 && fake_connected(agent)) {
			char byte;
			fd.fd = agent->fd;
			if (connection == 1 && recv(fd.fd, &byte, 1, MSG_PEEK) <= 0)
				break;
			got = fake_request(agent);
			if (got == NULL)
				continue;
			if (connection == 0) {
				FREE(got);
				break;
			}
			size_t count = got->n_events;
			accept_all(agent, got, n);
			n += count;
		}
		fake_hang_up(agent);
	}
	return NULL;
}

static void those_who_wait_get_every_answer(void **state)
{
	struct scene *s = *state;
	struct vl_client_event events[101];
	struct vl_client_answer answers[101];
	static uint8_t large[900001];
	pthread_t thread;

	for (size_t i = 0; i < 101; i++)
		events[i] = an_event((uint8_t)(i + 1));
	events[50].payload = large;
	events[50].size = sizeof(large);
	assert_int_equal(pthread_create(&thread, NULL, serve, &s->agent), 0);
	assert_int_equal(vl_client_publish_all(s->client, events, 101, answers), 100);
	for (size_t i = 0; i < 101; i++) {
		assert_int_equal(answers[i].id[0], i + 1);
		assert_int_equal(answers[i].outcome,
				 i == 50 ? VL_CLIENT_REFUSED : VL_CLIENT_ACCEPTED);
	}
	assert_int_equal(s->n_answers, 0);
	assert_int_equal(s->n_lost, 1);
	struct vl_client_answer one;
	assert_true(vl_client_publish(s->client, &events[0], &one));
	assert_int_equal(one.event, 101);
	vl_client_close(s->client);
	s->client = NULL;
	assert_int_equal(pthread_join(thread, NULL), 0);
}

static void those_who_wait_without_patience_are_told(void **state)
{
	struct scene *s = *state;
	struct vl_client_event events[3] = {an_event(1), an_event(2), an_event(3)};
	struct vl_client_answer answers[3];

	fake_go(&s->agent);
	open_client(s, 0, 0);
	assert_int_equal(vl_client_publish_all(s->client, events, 3, answers), 0);
	for (uint8_t i = 0; i < 3; i++) {
		assert_int_equal(answers[i].outcome, VL_CLIENT_UNSENT);
		assert_int_equal(answers[i].id[0], i + 1);
		assert_non_null(strstr(answers[i].reason, "no agent answers at"));
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(an_event_travels_as_it_was_given),
		TEST(each_outcome_is_told),
		TEST(a_lost_answer_is_asked_for_again),
		TEST(patience_ends),
		TEST(without_patience_a_loss_is_told_at_once),
		TEST(an_answer_begins_a_new_patience),
		TEST(pauses_grow_and_poll_knows_them),
		TEST(turned_away_is_for_good),
		TEST(no_broken_response_is_taken),
		TEST(what_is_under_way_is_bounded),
		TEST(a_path_that_is_too_long_is_said),
		TEST(those_who_wait_get_every_answer),
		TEST(those_who_wait_without_patience_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
