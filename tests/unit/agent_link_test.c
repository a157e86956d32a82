/*
 * The link, from outside: a process of its own as in life (this program once more), over a real
 * outbox, to librdkafka's mock cluster that answers wrongly, late or not at all. This process is
 * its keeper, and reads back what came to lie in the log.
 *
 * Whatever happens: in the end the log has every batch of the outbox, byte for byte; and no ack
 * that the keeper is told is ever ahead of the log. The mock checks no sequence numbers, so that
 * what is tried again may come to lie there twice, as to be expected.
 */
#include "agent_fixture.h"

#include "agent/link.h"
#include "agent/pipe.h"
#include "agent/supervise.h"
#include "base/log.h"
#include "stream_mock.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>

#define LANES 2
#define MOST 4096
#define WAIT_MS 120000
#define STUCK_MS 4000

static const char *const lanes[LANES] = {CASE_LANE, FLASH_LANE};
static const char *const types[LANES] = {CASE_TYPE, FLASH_TYPE};

/* What came to lie in one lane's log. */
struct log {
	bool seen[MOST + 1];
	uint64_t top;            /* all up to here is there */
	unsigned records, early; /* early: before one that it follows */
	uint64_t acked;
	int64_t next; /* offset */
};

struct line {
	struct world *world;
	struct mock *mock;
	struct vl_child *child;
	struct vl_consumer *consumer;
	struct vl_arena *arena;
	struct log logs[LANES];
	uint64_t put[LANES], events;
	char config[400], said[400];
	int stderr_was;
	unsigned deaths;
	bool unreadable; /* the log: its broker is down, or nobody leads */
};

/* -- the log, and the acks -- */

static void same_as_in_the_outbox(struct line *line, const char *lane, uint64_t seq,
				  struct vl_bytes value)
{
	struct vl_outbox_look *look = vl_outbox_look(line->world->outbox, NULL);
	struct vl_outbox_batch batch = {0};

	assert_non_null(look);
	assert_true(vl_outbox_next(look, lane, (struct vl_epoch){0}, (struct vl_seq){0}, &batch));
	assert_true(vl_outbox_next(look, lane, batch.epoch, (struct vl_seq){seq - 1}, &batch));
	assert_int_equal(batch.seq.n, seq);
	assert_int_equal(batch.value.size, value.size);
	assert_memory_equal(batch.value.data, value.data, value.size);
	vl_outbox_look_end(look);
}

static void take_record(struct line *line, const struct vl_record *record)
{
	size_t lane = record->topic.size == strlen(lanes[0]) ? 0 : 1;
	struct log *log = &line->logs[lane];
	struct vl_batch batch;

	assert_memory_equal(record->topic.data, lanes[lane], record->topic.size);
	vl_arena_reset(line->arena);
	assert_int_equal(vl_batch_read(record->value, line->arena, &batch, NULL), VL_OK);
	uint64_t seq = batch.head.seq.n;
	assert_in_range(seq, 1, line->put[lane]);
	same_as_in_the_outbox(line, lanes[lane], seq, record->value);
	log->next = record->offset + 1;
	log->records++;
	log->early += seq > log->top + 1;
	log->seen[seq] = true;
	while (log->top < MOST && log->seen[log->top + 1])
		log->top++;
}

/* librdkafka's consumer may come to a rest for minutes when the mock's broker goes down and up
 * at once: then a new one reads on. */
static void renew_consumer(struct line *line)
{
	struct vl_position positions[LANES];

	vl_consumer_close(line->consumer);
	assert_int_equal(vl_consumer_open(line->mock->pairs, 2, &line->consumer, NULL), VL_OK);
	for (size_t i = 0; i < LANES; i++) {
		positions[i] = (struct vl_position){.offset = line->logs[i].next};
		(void)snprintf(positions[i].topic, sizeof(positions[i].topic), "%s", lanes[i]);
	}
	assert_int_equal(vl_consumer_assign(line->consumer, positions, LANES, NULL), VL_OK);
}

/* All that is there now, as far as a broker answers. */
static void read_log(struct line *line)
{
	struct vl_message *message;
	unsigned ended = 0;
	enum vl_err err;

	do {
		err = vl_consumer_poll(line->consumer, 20, &message, NULL, NULL);
		if (err == VL_OK) {
			take_record(line, vl_message_record(message));
			vl_message_free(message);
		}
		ended += err == VL_ERR_END;
	} while (err == VL_OK || (err == VL_ERR_END && ended < LANES));
}

static bool said(const struct line *line, const char *words)
{
	static char text[1 << 16];
	int fd = open(line->said, O_RDONLY);
	ssize_t size = read(fd, text, sizeof(text) - 1);

	(void)close(fd);
	text[size > 0 ? size : 0] = '\0';
	return strstr(text, words) != NULL;
}

static void fail_with_log(const struct line *line, const char *what)
{
	char command[500];

	for (size_t i = 0; i < LANES; i++) {
		int64_t first = -1, end = -1;
		(void)!vl_consumer_range(line->consumer, lanes[i], 0, 5000, &first, &end, NULL);
		print_message("%s: the log has %lld to %lld, read to %lld, %u records\n", lanes[i],
			      (long long)first, (long long)end, (long long)line->logs[i].next,
			      line->logs[i].records);
		print_message("%s: put %llu, in the log %llu, acked %llu\n", lanes[i],
			      (unsigned long long)line->put[i],
			      (unsigned long long)line->logs[i].top,
			      (unsigned long long)line->logs[i].acked);
	}
	(void)snprintf(command, sizeof(command), "cat %s", line->said);
	(void)!system(command);
	fail_msg("never: %s", what);
}

/* What was told is in the log; it may take a moment to be read. */
static void check_acks(struct line *line)
{
	int64_t end = vl_monotonic_ms() + MOCK_WAIT_MS, renew = vl_monotonic_ms() + STUCK_MS;

	for (size_t i = 0; i < LANES; i++) {
		while (line->logs[i].top < line->logs[i].acked && vl_monotonic_ms() < end) {
			read_log(line);
			if (line->logs[i].top >= line->logs[i].acked || vl_monotonic_ms() < renew)
				continue;
			renew_consumer(line);
			renew = vl_monotonic_ms() + STUCK_MS;
		}
		if (line->logs[i].top < line->logs[i].acked)
			fail_with_log(line, "what the keeper was told");
	}
}

static void take_ack(struct line *line, const struct vl_pipe_message *message)
{
	size_t lane = strcmp(message->lane->name, lanes[0]) == 0 ? 0 : 1;

	assert_string_equal(message->lane->name, lanes[lane]);
	assert_true(message->seq.n >= line->logs[lane].acked);
	line->logs[lane].acked = message->seq.n;
	/* A log that cannot be read meanwhile is looked into when it can. */
	if (!line->unreadable)
		check_acks(line);
}

static void tell_link(struct line *line)
{
	struct vl_pipe_message committed = {.kind = VL_PIPE_COMMITTED};

	if (line->child != NULL && vl_child_pipe(line->child) >= 0)
		(void)!vl_pipe_send(vl_child_pipe(line->child), &committed);
}

static void hear_link(struct line *line)
{
	struct vl_pipe_message message;
	int64_t now = vl_monotonic_ms();

	while (vl_child_pipe(line->child) >= 0 &&
	       vl_pipe_receive(vl_child_pipe(line->child), &message, NULL) == VL_OK)
		if (message.kind == VL_PIPE_ACKED)
			take_ack(line, &message);
	if (vl_child_reap(line->child, now)) {
		line->deaths++;
		vl_child_forget_pipe(line->child);
	}
	if (vl_child_start_due(line->child, now))
		tell_link(line);
}

static void go_on(struct line *line, int ms)
{
	int64_t end = vl_monotonic_ms() + ms;

	do {
		hear_link(line);
		read_log(line);
	} while (vl_monotonic_ms() < end);
}

#define until(line, condition)                                   \
	do {                                                     \
		int64_t end_ = vl_monotonic_ms() + WAIT_MS;      \
		while (!(condition) && vl_monotonic_ms() < end_) \
			go_on(line, 0);                          \
		if (!(condition))                                \
			fail_with_log(line, #condition);         \
	} while (0)

static bool all_there(const struct line *line)
{
	bool all = true;

	for (size_t i = 0; i < LANES; i++)
		all &= line->logs[i].top == line->put[i] && line->logs[i].acked == line->put[i];
	return all;
}

/* -- putting in -- */

/* One event, and so one batch, in a commit of its own; larger ones share. */
static void put(struct line *line, size_t lane, unsigned count)
{
	struct vl_outbox *outbox = line->world->outbox;
	struct vl_accepted accepted;
	struct vl_buf buf = {0};
	struct vl_epoch epoch;
	struct vl_seq seq;

	assert_int_equal(vl_outbox_begin(outbox, NULL), VL_OK);
	for (unsigned i = 0; i < count; i++)
		/* Two of these are more than a batch takes. */
		assert_int_equal(
			vl_outbox_accept(outbox,
					 world_event(&buf, ++line->events, types[lane], 600),
					 &accepted, NULL),
			VL_OK);
	assert_int_equal(vl_outbox_commit(outbox, NULL), VL_OK);
	vl_buf_free(&buf);
	struct vl_outbox_look *look = vl_outbox_look(outbox, NULL);
	vl_outbox_head(look, lanes[lane], &epoch, &seq, NULL);
	vl_outbox_look_end(look);
	line->put[lane] = seq.n;
	assert_true(seq.n <= MOST);
	tell_link(line);
}

static void push(struct line *line, int error, int after_ms)
{
	assert_int_equal(rd_kafka_mock_broker_push_request_error_rtts(line->mock->cluster, 1,
								      PRODUCE_REQUEST, (size_t)1,
								      error, after_ms),
			 0);
}

static void down(struct line *line)
{
	assert_int_equal(rd_kafka_mock_broker_set_down(line->mock->cluster, 1), 0);
	line->unreadable = true;
}

static void up(struct line *line)
{
	assert_int_equal(rd_kafka_mock_broker_set_up(line->mock->cluster, 1), 0);
	line->unreadable = false;
	check_acks(line);
}

/* -- setting up -- */

static void write_config(struct line *line, const char *properties)
{
	FILE *file = fopen(line->config, "w");

	assert_non_null(file);
	(void)fprintf(file,
		      "[mission]\nid = CN-SD-EMB\nkey = none\n[outbox]\npath = %s\nsize = "
		      "64M\n[socket]\npath = %s/s\n"
		      "[kafka]\nbootstrap.servers = %s\nreconnect.backoff.max.ms = 200\n%s",
		      line->world->path, line->world->folder.path, line->mock->pairs[0].value,
		      properties);
	(void)fclose(file);
}

/* The link's words go to a file, to be looked at. */
static void start_link(struct line *line, const char *properties)
{
	struct vl_why why = {0};

	write_config(line, properties);
	int out = open(line->said, O_WRONLY | O_CREAT | O_APPEND, 0600);
	line->stderr_was = dup(2);
	(void)dup2(out, 2);
	enum vl_err err = vl_child_open(line->config, &line->child, &why);
	(void)dup2(line->stderr_was, 2);
	(void)close(out);
	(void)close(line->stderr_was);
	if (err != VL_OK)
		fail_msg("%s", why.text);
	tell_link(line);
}

static int setup(void **state)
{
	struct line *line = calloc(1, sizeof(*line));
	void *world;

	(void)world_setup(&world);
	line->world = world;
	struct vl_outbox_options options = world_options(line->world);
	options.batch_bytes = VL_OUTBOX_BATCH_MIN;
	world_open_with(line->world, &options);
	line->mock = mock_open(1);
	line->arena = vl_arena_open(0);
	(void)snprintf(line->config, sizeof(line->config), "%s/conf", line->world->folder.path);
	(void)snprintf(line->said, sizeof(line->said), "%s/said", line->world->folder.path);
	for (size_t i = 0; i < LANES; i++)
		mock_topic(line->mock, lanes[i], 1);
	renew_consumer(line);
	*state = line;
	return 0;
}

static int teardown(void **state)
{
	struct line *line = *state;
	bool sanitized = said(line, "Sanitizer") || said(line, "runtime error:");

	vl_child_close(line->child, 5000);
	vl_consumer_close(line->consumer);
	mock_close(line->mock);
	vl_arena_close(line->arena);
	void *world = line->world;
	(void)world_teardown(&world);
	free(line);
	return sanitized;
}

/* -- what is tried -- */

static void all_goes_in_order(void **state)
{
	struct line *line = *state;

	start_link(line, "");
	for (unsigned i = 0; i < 30; i++)
		put(line, i % LANES, 1 + i % 3);
	until(line, all_there(line));
	for (size_t i = 0; i < LANES; i++) {
		assert_int_equal(line->logs[i].early, 0);
		assert_int_equal(line->logs[i].records, line->put[i]);
	}
	assert_int_equal(line->deaths, 0);
}

/* The broker has it, and goes away before it says so. */
static void an_ack_lost_with_its_broker(void **state)
{
	struct line *line = *state;

	start_link(line, "max.in.flight = 1\n");
	put(line, 0, 1);
	until(line, all_there(line));
	push(line, 0, 3000);
	put(line, 0, 1);
	until(line, line->logs[0].top == 2);
	down(line);
	put(line, 0, 3);
	assert_int_equal(line->logs[0].acked, 1);
	up(line);
	until(line, all_there(line));
	assert_int_equal(line->logs[0].early, 0);
	assert_true(line->logs[0].records > line->put[0]);
}

/* Or it says so when nobody listens any more. */
static void an_ack_that_comes_too_late(void **state)
{
	struct line *line = *state;

	start_link(line,
		   "max.in.flight = 1\nrequest.timeout.ms = 1000\nsocket.timeout.ms = 1000\n");
	put(line, 0, 1);
	until(line, all_there(line));
	push(line, 0, 4000);
	put(line, 0, 1);
	put(line, 1, 1);
	until(line, all_there(line));
	put(line, 0, 3);
	until(line, all_there(line));
	assert_int_equal(line->logs[0].early, 0);
	assert_true(line->logs[0].records + line->logs[1].records > line->put[0] + line->put[1]);
}

/* The death that librdkafka 2.0.2 dies after a lost ack (stream_producer_test.c). */
static void a_fatal_error(void **state)
{
	struct line *line = *state;

	start_link(line, "batch.num.messages = 1\n");
	for (unsigned i = 0; i < 5; i++)
		put(line, 0, 1);
	until(line, all_there(line));
	push(line, 0, 3000);
	push(line, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, 750);
	for (unsigned i = 0; i < 4; i++)
		push(line, RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, 1);
	put(line, 0, 1);
	until(line, line->logs[0].top == 6);
	down(line);
	for (unsigned i = 0; i < 4; i++)
		put(line, 0, 1);
	until(line, said(line, "no broker answers"));
	up(line);
	until(line, all_there(line));
	if (!said(line, "the producer is dead (OUT_OF_ORDER"))
		fail_with_log(line, "a fatal error");
	assert_int_equal(line->deaths, 0);
}

static void one_lane_is_refused_and_the_other_goes_on(void **state)
{
	struct line *line = *state;

	static const struct {
		int error;
		const char *words;
	} refusals[] = {
		{RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, "too large"},
		{RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, "does not let this agent write"},
	};

	start_link(line, "");
	for (size_t i = 0; i < 2; i++) {
		push(line, refusals[i].error, 0);
		put(line, 0, 1);
		until(line, said(line, refusals[i].words));
		put(line, 1, 5);
		until(line, all_there(line));
	}
	assert_true(said(line, "cannot send on lane '" CASE_LANE "'"));
	assert_int_equal(line->logs[1].early, 0);
}

static void no_right_to_one_topic(void **state)
{
	struct line *line = *state;

	put(line, 0, 3);
	rd_kafka_mock_topic_set_error(line->mock->cluster, CASE_LANE,
				      RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
	start_link(line, "topic.metadata.refresh.interval.ms = 500\n");
	put(line, 1, 5);
	until(line, line->logs[1].acked == line->put[1]);
	go_on(line, 1000);
	put(line, 1, 5);
	until(line, line->logs[1].acked == line->put[1]);
	assert_int_equal(line->logs[0].acked, 0);
	rd_kafka_mock_topic_set_error(line->mock->cluster, CASE_LANE, RD_KAFKA_RESP_ERR_NO_ERROR);
	until(line, all_there(line));
}

/* More than the window, and than librdkafka's queue, takes; the broker goes away in the midst of
 * it. */
static void a_backlog_and_a_broker_gone_for_long(void **state)
{
	struct line *line = *state;

	down(line);
	start_link(line, "max.in.flight = 1\n");
	put(line, 0, 3000);
	put(line, 1, 100);
	assert_true(line->put[0] > 1024);
	until(line, said(line, "no broker answers"));
	go_on(line, 3000);
	for (uint64_t at = 300; at <= 900; at += 300) {
		up(line);
		until(line, line->logs[0].top >= at);
		down(line);
		go_on(line, 500);
	}
	up(line);
	until(line, all_there(line));
	assert_int_equal(line->logs[0].early, 0);
	assert_int_equal(line->deaths, 0);
}

/* A broker that does not know a producer, or its place, takes nothing more of it until it has
 * begun anew, and librdkafka counts on that: an ack for what follows is one for what was
 * refused. The mock refuses as often as it is asked to and takes the next. So nothing follows:
 * one batch is under way at a time. */
static bool forgets_the_producer(int error)
{
	return error == RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID ||
	       error == RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER ||
	       error == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH;
}

static void forget_the_producer(struct line *line, int error, uint64_t times, int after_ms,
				size_t lane)
{
	size_t waiting;

	until(line, all_there(line));
	for (; times > 0; times--)
		push(line, error, after_ms);
	do {
		put(line, lane, 1);
		until(line, all_there(line));
		(void)rd_kafka_mock_broker_error_stack_cnt(line->mock->cluster, 1, PRODUCE_REQUEST,
							   &waiting);
	} while (waiting > 0);
}

static void one_fault(struct line *line, uint64_t *seed)
{
	static const int errors[] = {
		RD_KAFKA_RESP_ERR_NO_ERROR, /* only late */
		RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
		RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND,
		RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
		RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
		RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
		RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR,
		RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID,
		RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER,
		RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH,
		RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE,
		RD_KAFKA_RESP_ERR_INVALID_MSG,
		RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
		RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED,
		RD_KAFKA_RESP_ERR__TRANSPORT,
		RD_KAFKA_RESP_ERR_UNKNOWN,
	};
	uint64_t dice = fixture_next(seed) % (sizeof(errors) / sizeof(errors[0]) + 3);

	size_t waiting = 0;

	/* They cannot be taken back, and a lane that is refused again and again waits longer
	 * each time. */
	(void)rd_kafka_mock_broker_error_stack_cnt(line->mock->cluster, 1, PRODUCE_REQUEST,
						   &waiting);
	if (waiting > 1)
		return;
	if (dice < sizeof(errors) / sizeof(errors[0])) {
		uint64_t n = 1 + fixture_next(seed) % 3;
		int after_ms = (int)(fixture_next(seed) % 400);
		if (forgets_the_producer(errors[dice]))
			forget_the_producer(line, errors[dice], n, after_ms,
					    fixture_next(seed) % LANES);
		for (; n > 0 && !forgets_the_producer(errors[dice]); n--)
			push(line, errors[dice], after_ms);
		return;
	}
	/* Nobody leads the partition for a while. The broker itself stays: while it is down
	 * others may take its port. */
	const char *lane = lanes[fixture_next(seed) % LANES];
	(void)rd_kafka_mock_partition_set_leader(line->mock->cluster, lane, 0, -1);
	line->unreadable = true;
	go_on(line, (int)(fixture_next(seed) % 300));
	(void)rd_kafka_mock_partition_set_leader(line->mock->cluster, lane, 0, 1);
	line->unreadable = false;
	check_acks(line);
}

static void whatever_comes(void **state)
{
	struct line *line = *state;
	uint64_t seed = fixture_seed();
	const char *steps = getenv("VALISE_FAULTS");
	unsigned count = steps != NULL && strcmp(steps, "long") == 0 ? 400 : 40;

	/* One at a time: a real broker would take nothing that follows what it refused, and
	 * librdkafka counts on that. */
	start_link(line, "request.timeout.ms = 1000\nmax.in.flight = 1\n");
	for (unsigned i = 0; i < count; i++) {
		put(line, fixture_next(&seed) % LANES, 1 + (unsigned)(fixture_next(&seed) % 4));
		if (fixture_next(&seed) % 2 == 0)
			one_fault(line, &seed);
		go_on(line, (int)(fixture_next(&seed) % 150));
	}
	until(line, all_there(line));
	print_message("%u records for %llu batches, %u and %u came early\n",
		      line->logs[0].records + line->logs[1].records,
		      (unsigned long long)(line->put[0] + line->put[1]), line->logs[0].early,
		      line->logs[1].early);
	assert_int_equal(line->deaths, 0);
}

/* -- */

static int be_the_link(const char *fd, const char *path)
{
	struct vl_agent_config config;
	struct vl_why why = {0};

	vl_log_open("link", VL_LOG_INFO);
	enum vl_err err = vl_agent_config_open(path, &config, &why);
	if (err == VL_OK)
		err = vl_link_run(&config, (int)strtol(fd, NULL, 10), &why);
	if (err != VL_OK)
		vl_log_cannot("run", "the link", &why, err);
	vl_agent_config_close(&config);
	return err == VL_OK ? 0 : 1;
}

#define ON_A_LINE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_A_LINE(all_goes_in_order),
		ON_A_LINE(an_ack_lost_with_its_broker),
		ON_A_LINE(an_ack_that_comes_too_late),
		ON_A_LINE(a_fatal_error),
		ON_A_LINE(one_lane_is_refused_and_the_other_goes_on),
		ON_A_LINE(no_right_to_one_topic),
		ON_A_LINE(a_backlog_and_a_broker_gone_for_long),
		ON_A_LINE(whatever_comes),
	};
	sigset_t signals;

	if (sodium_init() < 0)
		return 1;
	if (argc == 5 && strcmp(argv[1], "--link") == 0)
		return be_the_link(argv[2], argv[4]);
	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &signals, NULL);
	if (argc == 2)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
