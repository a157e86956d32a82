/* The producer against librdkafka's mock cluster. */
#include "stream_mock.h"

#include <poll.h>
#include <unistd.h>

#define TOPIC "consular.case.v1"
#define MANY ((size_t)1 << 20)

static void every_tag_once(const struct acks *acks, unsigned count)
{
	assert_int_equal(acks->total, count);
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(acks->times[i], 1);
}

static enum vl_err open_with(const char *key, const char *value, struct vl_why *why)
{
	struct vl_conf_pair pairs[] = {{"bootstrap.servers", "127.0.0.1:1"}, {key, value}};
	struct vl_producer_options options = {.pairs = pairs,
					      .n_pairs = 2,
					      .window_bytes = MANY,
					      .window_records = 10,
					      .acked = on_acked};
	struct vl_producer *producer;
	enum vl_err err = vl_producer_open(&options, &producer, why);

	if (err == VL_OK)
		vl_producer_close(producer, 0);
	else
		assert_null(producer);
	return err;
}

static void open_names_what_it_refuses(void **state)
{
	static const struct vl_conf_pair refused[] = {
		{"acks", "1"},
		{"request.required.acks", "0"},
		{"enable.idempotence", "false"},
		{"delivery.timeout.ms", "1000"},
		{"message.send.max.retries", "3"},
		{"enable.gapless.guarantee", "true"},
		{"transactional.id", "x"},
		{"partitioner", "random"},
		{"queue.buffering.max.messages", "9"},
		{"message.max.bytes", "2000"},
		{"no.such.property", "1"},
		{"linger.ms", "soon"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct vl_why why = {0};
		assert_int_equal(open_with(refused[i].key, refused[i].value, &why), VL_ERR_CONFIG);
		if (strstr(why.text, refused[i].key) == NULL)
			fail_msg("'%s' does not name %s", why.text, refused[i].key);
	}
}

static void open_takes_defaults_of_others_and_the_same_promise(void **state)
{
	static const struct vl_conf_pair taken[] = {
		{"linger.ms", "100"},
		{"acks", "all"},
		{"acks", "-1"},
		{"socket.timeout.ms", "120000"},
		{"compression.type", "zstd"},
		{"max.in.flight", "1"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
		struct vl_why why = {0};
		if (open_with(taken[i].key, taken[i].value, &why) != VL_OK)
			fail_msg("%s", why.text);
	}
}

static void open_wants_a_broker_s_address(void **state)
{
	struct vl_producer_options options = {
		.window_bytes = MANY, .window_records = 10, .acked = on_acked};
	struct vl_producer *producer;
	struct vl_why why = {0};

	(void)state;
	assert_int_equal(vl_producer_open(&options, &producer, &why), VL_ERR_CONFIG);
	assert_non_null(strstr(why.text, "bootstrap.servers"));
}

static void acked_comes_once_in_order(void **state)
{
	struct mock *mock = *state;
	struct acks acks = {0};
	struct vl_producer *producer = mock_producer(mock, &acks, TAGS, MANY);
	size_t records, bytes;

	mock_topic(mock, TOPIC, 1);
	for (unsigned i = 0; i < 20; i++)
		mock_send(producer, TOPIC, "HQ", "seven", i);
	vl_producer_in_flight(producer, &records, &bytes);
	assert_int_equal(records, 20);
	assert_int_equal(bytes, 20 * 7);
	mock_drain(producer, &acks, 20);
	every_tag_once(&acks, 20);
	for (unsigned i = 0; i < 20; i++) {
		assert_int_equal(acks.err[i], VL_OK);
		assert_int_equal(acks.offset[i], i);
	}
	vl_producer_in_flight(producer, &records, &bytes);
	assert_int_equal(records, 0);
	assert_int_equal(bytes, 0);
	vl_producer_close(producer, 0);
	every_tag_once(&acks, 20);
}

static void fd_wakes_for_an_ack(void **state)
{
	struct mock *mock = *state;
	struct acks acks = {0};
	struct vl_producer *producer = mock_producer(mock, &acks, TAGS, MANY);
	struct pollfd watch = {.fd = vl_producer_fd(producer), .events = POLLIN};
	char buf[64];

	mock_topic(mock, TOPIC, 1);
	for (unsigned i = 0; i < 3; i++) {
		mock_send(producer, TOPIC, "HQ", "x", i);
		while (acks.total == i) {
			assert_int_equal(poll(&watch, 1, MOCK_WAIT_MS), 1);
			while (read(watch.fd, buf, sizeof(buf)) > 0)
				;
			assert_int_equal(vl_producer_poll(producer, 0, NULL), VL_OK);
		}
	}
	vl_producer_close(producer, 0);
	every_tag_once(&acks, 3);
}

static void the_window_is_kept(void **state)
{
	struct mock *mock = *state;
	struct acks acks = {0};
	struct vl_producer *producer = mock_producer(mock, &acks, 4, 100);
	struct vl_header header = {text_bytes("vl-sig"), text_bytes("0123456789")};
	struct vl_bytes key = text_bytes("HQ"), small = text_bytes("x");
	static const uint8_t much[200];
	size_t records, bytes;

	mock_topic(mock, TOPIC, 1);
	rd_kafka_mock_broker_set_down(mock->cluster, 1);
	/* One that is larger than the window goes when it is alone. */
	assert_int_equal(vl_producer_send(producer, TOPIC, key, (struct vl_bytes){much, 200},
					  &header, 1, 0, NULL),
			 VL_OK);
	assert_int_equal(vl_producer_send(producer, TOPIC, key, small, &header, 1, 1, NULL),
			 VL_ERR_BUSY);
	rd_kafka_mock_broker_set_up(mock->cluster, 1);
	mock_drain(producer, &acks, 1);
	rd_kafka_mock_broker_set_down(mock->cluster, 1);
	/* 19 bytes each: four are all the records that may be in flight. */
	for (unsigned i = 1; i < 5; i++)
		assert_int_equal(vl_producer_send(producer, TOPIC, key, small, &header, 1, i, NULL),
				 VL_OK);
	assert_int_equal(vl_producer_send(producer, TOPIC, key, small, &header, 1, 5, NULL),
			 VL_ERR_BUSY);
	vl_producer_in_flight(producer, &records, &bytes);
	assert_int_equal(records, 4);
	assert_int_equal(bytes, 4 * 19);
	rd_kafka_mock_broker_set_up(mock->cluster, 1);
	mock_drain(producer, &acks, 5);
	assert_int_equal(vl_producer_send(producer, TOPIC, key, small, &header, 1, 5, NULL), VL_OK);
	vl_producer_close(producer, MOCK_WAIT_MS);
	every_tag_once(&acks, 6);
	assert_int_equal(acks.err[5], VL_OK);
}

static void a_broker_that_goes_and_comes_loses_nothing(void **state)
{
	struct mock *mock = *state;
	struct acks acks = {0};
	struct vl_producer *producer = mock_producer(mock, &acks, TAGS, MANY);
	struct vl_why why = {0};

	mock_topic(mock, TOPIC, 1);
	mock_send(producer, TOPIC, "HQ", "a", 0);
	mock_drain(producer, &acks, 1);
	rd_kafka_mock_broker_set_down(mock->cluster, 1);
	for (unsigned i = 1; i < 10; i++)
		mock_send(producer, TOPIC, "HQ", "b", i);
	mock_poll_until(producer, VL_ERR_UNREACHABLE, &why);
	assert_non_null(strstr(why.text, "no broker answers"));
	rd_kafka_mock_broker_set_up(mock->cluster, 1);
	mock_drain(producer, &acks, 10);
	assert_int_equal(vl_producer_poll(producer, 0, NULL), VL_OK);
	every_tag_once(&acks, 10);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(acks.err[i], VL_OK);
	vl_producer_close(producer, 0);
}

static void nothing_in_flight_is_not_unreachable(void **state)
{
	struct mock *mock = *state;
	struct acks acks = {0};
	struct vl_producer *producer = mock_producer(mock, &acks, TAGS, MANY);

	mock_topic(mock, TOPIC, 1);
	mock_send(producer, TOPIC, "HQ", "a", 0);
	mock_drain(producer, &acks, 1);
	rd_kafka_mock_broker_set_down(mock->cluster, 1);
	for (int i = 0; i < 10; i++)
		assert_int_equal(vl_producer_poll(producer, 50, NULL), VL_OK);
	vl_producer_close(producer, 0);
}

static void close_tells_the_rest(void **state)
{
	struct mock *mock = *state;
	struct acks acks = {0};
	struct vl_producer *producer = mock_producer(mock, &acks, TAGS, MANY);

	mock_topic(mock, TOPIC, 1);
	rd_kafka_mock_broker_set_down(mock->cluster, 1);
	for (unsigned i = 0; i < 8; i++)
		mock_send(producer, TOPIC, "HQ", "x", i);
	vl_producer_close(producer, 100);
	every_tag_once(&acks, 8);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(acks.err[i], VL_ERR_GONE);
}

/* The death that librdkafka 2.0.2 dies after a lost ack: an ack that does not come back in time,
 * then a retry that the broker refuses for its sequence number. */
static void a_fatal_error_is_gone(void **state)
{
	struct mock *mock = *state;
	struct vl_conf_pair one_each = {"batch.num.messages", "1"};
	struct acks acks = {0};
	struct vl_why why = {0};

	mock->pairs[2] = one_each;
	struct vl_producer *producer = mock_producer(mock, &acks, TAGS, MANY);
	mock_topic(mock, TOPIC, 1);
	for (unsigned i = 0; i < 5; i++)
		mock_send(producer, TOPIC, "HQ", "x", i);
	mock_drain(producer, &acks, 5);
	rd_kafka_mock_broker_push_request_error_rtts(mock->cluster, 1, PRODUCE_REQUEST, (size_t)1,
						     0, 750);
	rd_kafka_mock_broker_push_request_error_rtts(mock->cluster, 1, PRODUCE_REQUEST, (size_t)1,
						     RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, 750);
	for (int i = 0; i < 4; i++)
		rd_kafka_mock_broker_push_request_error_rtts(
			mock->cluster, 1, PRODUCE_REQUEST, (size_t)1,
			RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, 1);
	mock_send(producer, TOPIC, "HQ", "x", 5);
	assert_int_equal(vl_producer_poll(producer, 250, NULL), VL_OK);
	rd_kafka_mock_broker_set_down(mock->cluster, 1);
	mock_poll_until(producer, VL_ERR_UNREACHABLE, NULL);
	for (unsigned i = 6; i < 10; i++)
		mock_send(producer, TOPIC, "HQ", "x", i);
	rd_kafka_mock_broker_set_up(mock->cluster, 1);
	mock_poll_until(producer, VL_ERR_GONE, &why);
	assert_non_null(strstr(why.text, "OUT_OF_ORDER"));
	assert_int_equal(vl_producer_send(producer, TOPIC, text_bytes("HQ"), text_bytes("x"), NULL,
					  0, 10, &why),
			 VL_ERR_GONE);
	vl_producer_close(producer, 1000);
	every_tag_once(&acks, 10);
	for (unsigned i = 5; i < 10; i++)
		assert_int_not_equal(acks.err[i], VL_OK);
}

static void one_refused_record_stops_no_other(void **state)
{
	struct mock *mock = *state;
	struct vl_conf_pair one_each = {"batch.num.messages", "1"};
	struct acks acks = {0};

	mock->pairs[2] = one_each;
	struct vl_producer *producer = mock_producer(mock, &acks, TAGS, MANY);
	mock_topic(mock, TOPIC, 1);
	rd_kafka_mock_push_request_errors(mock->cluster, PRODUCE_REQUEST, (size_t)1,
					  RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
	for (unsigned i = 0; i < 4; i++)
		mock_send(producer, TOPIC, "HQ", "x", i);
	mock_drain(producer, &acks, 4);
	every_tag_once(&acks, 4);
	assert_int_equal(acks.err[0], VL_ERR_TOO_LARGE);
	for (unsigned i = 1; i < 4; i++)
		assert_int_equal(acks.err[i], VL_OK);
	vl_producer_close(producer, 0);
}

/* The ways in which send itself says no keep or free the headers exactly once; the sanitizer
 * looks on. */
static void a_refused_send_leaks_nothing(void **state)
{
	struct mock *mock = *state;
	struct acks acks = {0};

	/* How long a topic may be unknown before it is not there; 30 s by default. */
	mock->pairs[2] = (struct vl_conf_pair){"topic.metadata.propagation.max.ms", "100"};
	struct vl_producer *producer = mock_producer(mock, &acks, TAGS, 4 * MANY);
	struct vl_header headers[] = {
		{text_bytes("content-type"),
		 text_bytes("application/vnd.valise.batch.v1+protobuf")},
		{text_bytes("vl-sig"), text_bytes("0123")},
	};
	struct vl_bytes key = text_bytes("HQ");
	uint8_t *much = calloc(1, 2100000);

	assert_int_equal(vl_producer_send(producer, TOPIC, key, (struct vl_bytes){much, 2100000},
					  headers, 2, 0, NULL),
			 VL_ERR_TOO_LARGE);
	assert_int_equal(vl_producer_send(producer, "", key, key, headers, 2, 0, NULL),
			 VL_ERR_INVALID);
	rd_kafka_mock_topic_set_error(mock->cluster, "nowhere",
				      RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
	unsigned sent = 0;
	enum vl_err err = VL_OK;
	/* The first ones wait for metadata and are told as acks; then send itself knows. */
	for (int64_t end = vl_monotonic_ms() + 2 * MOCK_WAIT_MS;
	     err == VL_OK && vl_monotonic_ms() < end;) {
		if (sent == 0 || acks.total == sent)
			err = vl_producer_send(producer, "nowhere", key, key, headers, 2, sent,
					       NULL);
		if (err == VL_OK && acks.total == sent)
			sent++;
		assert_int_equal(vl_producer_poll(producer, 50, NULL), VL_OK);
	}
	assert_int_equal(err, VL_ERR_NOT_FOUND);
	vl_producer_close(producer, 0);
	for (unsigned i = 0; i < sent; i++)
		assert_int_equal(acks.err[i], VL_ERR_NOT_FOUND);
	every_tag_once(&acks, sent);
	free(much);
}

/* Whether a record comes through to a topic of which the brokers say, from `after_ms` on, that
 * it is not there. */
static bool passes_unasked(struct mock *mock, const char *topic, bool met, int after_ms)
{
	struct acks acks = {0};
	struct vl_producer *producer = NULL;
	struct vl_producer_options options = {.pairs = mock->pairs,
					      .n_pairs = 3,
					      .window_bytes = MANY,
					      .window_records = TAGS,
					      .acked = on_acked,
					      .context = &acks,
					      .topics = &topic,
					      .n_topics = met};

	mock_topic(mock, topic, 1);
	assert_int_equal(vl_producer_open(&options, &producer, NULL), VL_OK);
	for (int64_t end = vl_monotonic_ms() + after_ms; vl_monotonic_ms() < end;)
		assert_int_equal(vl_producer_poll(producer, 20, NULL), VL_OK);
	rd_kafka_mock_topic_set_error(mock->cluster, topic,
				      RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
	mock_send(producer, topic, "HQ", "urgent", 0);
	for (int64_t end = vl_monotonic_ms() + after_ms;
	     acks.total == 0 && vl_monotonic_ms() < end;)
		assert_int_equal(vl_producer_poll(producer, 20, NULL), VL_OK);
	bool passed = acks.total == 1 && acks.err[0] == VL_OK;
	vl_producer_close(producer, 0);
	return passed;
}

static void topics_are_asked_for_before_the_first_record(void **state)
{
	char topic[32];
	bool passed = false;

	for (int after_ms = 100; after_ms <= MOCK_WAIT_MS && !passed; after_ms *= 2) {
		(void)snprintf(topic, sizeof(topic), "met.%d", after_ms);
		passed = passes_unasked(*state, topic, true, after_ms);
		(void)snprintf(topic, sizeof(topic), "not.met.%d", after_ms);
		assert_false(passes_unasked(*state, topic, false, after_ms));
	}
	assert_true(passed);
}

static void keys_fall_where_java_puts_them(void **state)
{
	/* The hashes are those of Apache Kafka's own UtilsTest.testMurmur2. */
	static const struct {
		const char *key;
		int32_t murmur2;
	} known[] = {
		{"21", -973932308},
		{"foobar", -790332482},
		{"a-little-bit-long-string", -985981536},
		{"a-little-bit-longer-string", -1486304829},
		{"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
		{"abc", 479470107},
	};
	struct mock *mock = *state;
	struct acks acks = {0};
	struct vl_producer *producer = mock_producer(mock, &acks, TAGS, MANY);
	unsigned count = sizeof(known) / sizeof(known[0]);

	mock_topic(mock, TOPIC, 97);
	for (unsigned i = 0; i < count; i++)
		mock_send(producer, TOPIC, known[i].key, "x", i);
	mock_drain(producer, &acks, count);
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(acks.partition[i], (known[i].murmur2 & 0x7fffffff) % 97);
	vl_producer_close(producer, 0);
}

/* Its connections go through valves, and come again with new ones when the broker does. */
static void one_that_gives_way_loses_nothing(void **state)
{
	static char value[100000];
	struct mock *mock = *state;
	struct acks acks = {0};
	struct vl_producer *producer;
	struct vl_producer_options options = {
		.pairs = mock->pairs,
		.n_pairs = 3,
		.window_bytes = 50 * MANY,
		.window_records = 100,
		.acked = on_acked,
		.context = &acks,
		.gives_way = true,
	};

	memset(value, 'x', sizeof(value) - 1);
	mock_topic(mock, TOPIC, 1);
	assert_int_equal(vl_producer_open(&options, &producer, NULL), VL_OK);
	assert_int_equal(vl_producer_rate(producer), 0);
	for (unsigned tag = 0; tag < 30; tag++)
		mock_send(producer, TOPIC, "key", value, tag);
	mock_drain(producer, &acks, 30);
	assert_true(vl_producer_rate(producer) > 0);
	(void)rd_kafka_mock_broker_set_down(mock->cluster, 1);
	mock_send(producer, TOPIC, "key", value, 30);
	mock_poll_until(producer, VL_ERR_UNREACHABLE, NULL);
	(void)rd_kafka_mock_broker_set_up(mock->cluster, 1);
	mock_drain(producer, &acks, 31);
	every_tag_once(&acks, 31);
	for (unsigned tag = 0; tag < 31; tag++)
		assert_int_equal(acks.err[tag], VL_OK);
	vl_producer_close(producer, 0);
}

static int setup(void **state)
{
	*state = mock_open(1);
	return 0;
}

static int teardown(void **state)
{
	mock_close(*state);
	return 0;
}

#define ON_MOCK(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(open_names_what_it_refuses),
		cmocka_unit_test(open_takes_defaults_of_others_and_the_same_promise),
		cmocka_unit_test(open_wants_a_broker_s_address),
		ON_MOCK(acked_comes_once_in_order),
		ON_MOCK(fd_wakes_for_an_ack),
		ON_MOCK(the_window_is_kept),
		ON_MOCK(a_broker_that_goes_and_comes_loses_nothing),
		ON_MOCK(nothing_in_flight_is_not_unreachable),
		ON_MOCK(close_tells_the_rest),
		ON_MOCK(a_fatal_error_is_gone),
		ON_MOCK(one_refused_record_stops_no_other),
		ON_MOCK(a_refused_send_leaks_nothing),
		ON_MOCK(topics_are_asked_for_before_the_first_record),
		ON_MOCK(keys_fall_where_java_puts_them),
		ON_MOCK(one_that_gives_way_loses_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
