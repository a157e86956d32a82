/* The consumer, and what is asked through it, against librdkafka's mock cluster. */
#include "stream_mock.h"

#include <poll.h>
#include <pthread.h>

#define TOPIC "consular.case.v1"
#define MANY ((size_t)1 << 20)

static struct vl_consumer *open_consumer(struct mock *mock)
{
	struct vl_consumer *consumer = NULL;
	struct vl_why why = {0};

	if (vl_consumer_open(mock->pairs, 3, &consumer, &why) != VL_OK)
		fail_msg("%s", why.text);
	return consumer;
}

static void fill(struct mock *mock, const char *topic, unsigned count)
{
	struct acks acks = {0};
	struct vl_producer *producer = mock_producer(mock, &acks, TAGS, MANY);
	char value[32];

	for (unsigned i = 0; i < count; i++) {
		(void)snprintf(value, sizeof(value), "value %u", i);
		mock_send(producer, topic, "HQ", value, i);
	}
	mock_drain(producer, &acks, count);
	vl_producer_close(producer, 0);
}

static void fill_partition(struct mock *mock, const char *topic, int32_t partition, unsigned count)
{
	struct acks acks = {0};
	struct vl_producer *producer = mock_producer(mock, &acks, TAGS, MANY);
	struct vl_why why = {0};

	for (unsigned i = 0; i < count; i++)
		assert_int_equal(vl_producer_send_to(producer, topic, partition, vl_bytes_of("HQ"),
						     vl_bytes_of("value"), NULL, 0, i, &why),
				 VL_OK);
	mock_drain(producer, &acks, count);
	vl_producer_close(producer, 0);
}

static void assign(struct vl_consumer *consumer, const char *topic, int32_t partition,
		   int64_t offset)
{
	struct vl_position at = {.partition = partition, .offset = offset};
	struct vl_why why = {0};

	(void)snprintf(at.topic, sizeof(at.topic), "%s", topic);
	if (vl_consumer_assign(consumer, &at, 1, &why) != VL_OK)
		fail_msg("%s", why.text);
}

/* Polls past timeouts. */
static enum vl_err next(struct vl_consumer *consumer, struct vl_message **message,
			struct vl_position *at, struct vl_why *why)
{
	int64_t end = vl_monotonic_ms() + MOCK_WAIT_MS;
	enum vl_err err;

	do
		err = vl_consumer_poll(consumer, 100, message, at, why);
	while (err == VL_ERR_TIMEOUT && vl_monotonic_ms() < end);
	return err;
}

static struct vl_message *want(struct vl_consumer *consumer)
{
	struct vl_message *message;
	struct vl_why why = {0};
	enum vl_err err = next(consumer, &message, NULL, &why);

	if (err != VL_OK)
		fail_msg("%s: %s", vl_err_name(err), why.text);
	return message;
}

static bool is(struct vl_bytes bytes, const char *text)
{
	return bytes.data != NULL && bytes.size == strlen(text) &&
	       memcmp(bytes.data, text, bytes.size) == 0;
}

static void promises_cannot_be_overridden(void **state)
{
	static const struct vl_conf_pair refused[] = {
		{"enable.auto.commit", "true"},    {"enable.auto.offset.store", "true"},
		{"auto.offset.reset", "earliest"}, {"isolation.level", "read_committed"},
		{"check.crcs", "false"},           {"enable.partition.eof", "false"},
		{"no.such.property", "1"},         {"allow.auto.create.topics", "true"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct vl_conf_pair pairs[] = {{"metadata.broker.list", "127.0.0.1:1"}, refused[i]};
		struct vl_consumer *consumer;
		struct vl_why why = {0};
		assert_int_equal(vl_consumer_open(pairs, 2, &consumer, &why), VL_ERR_CONFIG);
		assert_null(consumer);
		if (strstr(why.text, refused[i].key) == NULL)
			fail_msg("'%s' does not name %s", why.text, refused[i].key);
	}
}

static void a_record_comes_as_it_went(void **state)
{
	struct mock *mock = *state;
	struct acks acks = {0};
	struct vl_producer *producer = mock_producer(mock, &acks, TAGS, MANY);
	struct vl_bytes none = {NULL, 0}, empty = {(const uint8_t *)"", 0},
			binary = {(const uint8_t *)"a\0b", 3};
	struct vl_header headers[] = {
		{text_bytes("vl-sig"), text_bytes("one")},
		{text_bytes("vl-sig"), text_bytes("two")},
		{text_bytes("nothing"), none},
		{text_bytes("empty"), empty},
	};

	mock_topic(mock, TOPIC, 1);
	assert_int_equal(
		vl_producer_send(producer, TOPIC, text_bytes("HQ"), binary, headers, 4, 0, NULL),
		VL_OK);
	assert_int_equal(
		vl_producer_send(producer, TOPIC, text_bytes("HQ"), none, NULL, 0, 1, NULL), VL_OK);
	assert_int_equal(vl_producer_send(producer, TOPIC, none, empty, NULL, 0, 2, NULL), VL_OK);
	mock_drain(producer, &acks, 3);
	vl_producer_close(producer, 0);

	struct vl_consumer *consumer = open_consumer(mock);
	assign(consumer, TOPIC, 0, VL_OFFSET_BEGINNING);
	struct vl_message *message = want(consumer);
	const struct vl_record *record = vl_message_record(message);
	assert_true(is(record->topic, TOPIC));
	assert_int_equal(record->partition, 0);
	assert_int_equal(record->offset, 0);
	assert_true(record->timestamp_ms > 0);
	assert_true(is(record->key, "HQ"));
	assert_int_equal(record->value.size, 3);
	assert_memory_equal(record->value.data, "a\0b", 3);
	assert_int_equal(record->n_headers, 4);
	assert_false(record->headers_cut);
	assert_true(is(record->headers[0].name, "vl-sig") && is(record->headers[0].value, "one"));
	assert_true(is(record->headers[1].name, "vl-sig") && is(record->headers[1].value, "two"));
	assert_null(record->headers[2].value.data);
	assert_true(is(record->headers[3].value, ""));
	vl_message_free(message);
	message = want(consumer);
	record = vl_message_record(message);
	assert_true(is(record->key, "HQ"));
	assert_null(record->value.data);
	assert_int_equal(record->n_headers, 0);
	vl_message_free(message);
	message = want(consumer);
	record = vl_message_record(message);
	assert_null(record->key.data);
	assert_true(is(record->value, ""));
	vl_message_free(message);
	vl_consumer_close(consumer);
}

static void the_largest_batch_passes(void **state)
{
	struct mock *mock = *state;
	struct acks acks = {0};
	struct vl_producer *producer = mock_producer(mock, &acks, TAGS, MANY);
	struct vl_header header = {text_bytes("content-type"),
				   text_bytes("application/vnd.valise.batch.v1+protobuf")};
	uint8_t *much = malloc(1000000);

	for (size_t i = 0; i < 1000000; i++)
		much[i] = (uint8_t)(i * 2654435761U >> 24);
	mock_topic(mock, TOPIC, 1);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(vl_producer_send(producer, TOPIC, text_bytes("HQ"),
						  (struct vl_bytes){much, 1000000}, &header, 1, i,
						  NULL),
				 VL_OK);
		mock_drain(producer, &acks, i + 1);
		assert_int_equal(acks.err[i], VL_OK);
	}
	vl_producer_close(producer, 0);
	struct vl_consumer *consumer = open_consumer(mock);
	assign(consumer, TOPIC, 0, 0);
	for (int i = 0; i < 3; i++) {
		struct vl_message *message = want(consumer);
		assert_int_equal(vl_message_record(message)->value.size, 1000000);
		assert_memory_equal(vl_message_record(message)->value.data, much, 1000000);
		vl_message_free(message);
	}
	vl_consumer_close(consumer);
	free(much);
}

static void too_many_headers_are_cut(void **state)
{
	struct mock *mock = *state;
	struct acks acks = {0};
	struct vl_producer *producer = mock_producer(mock, &acks, TAGS, MANY);
	struct vl_header headers[VL_RECORD_HEADERS + 1];

	for (size_t i = 0; i <= VL_RECORD_HEADERS; i++)
		headers[i] = (struct vl_header){text_bytes("vl-sig"), text_bytes("x")};
	mock_topic(mock, TOPIC, 1);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(vl_producer_send(producer, TOPIC, text_bytes("HQ"),
						  text_bytes("x"), headers, VL_RECORD_HEADERS + i,
						  i, NULL),
				 VL_OK);
	mock_drain(producer, &acks, 2);
	vl_producer_close(producer, 0);
	struct vl_consumer *consumer = open_consumer(mock);
	assign(consumer, TOPIC, 0, 0);
	for (int i = 0; i < 2; i++) {
		struct vl_message *message = want(consumer);
		assert_int_equal(vl_message_record(message)->n_headers, VL_RECORD_HEADERS);
		assert_int_equal(vl_message_record(message)->headers_cut, i == 1);
		vl_message_free(message);
	}
	vl_consumer_close(consumer);
}

static void reading_starts_where_asked_and_tells_the_end(void **state)
{
	struct mock *mock = *state;
	struct vl_consumer *consumer = open_consumer(mock);
	struct vl_message *message;
	struct vl_position at = {0};

	mock_topic(mock, TOPIC, 1);
	fill(mock, TOPIC, 5);
	assign(consumer, TOPIC, 0, 3);
	for (int i = 3; i < 5; i++) {
		message = want(consumer);
		assert_int_equal(vl_message_record(message)->offset, i);
		vl_message_free(message);
	}
	assert_int_equal(next(consumer, &message, &at, NULL), VL_ERR_END);
	assert_null(message);
	assert_string_equal(at.topic, TOPIC);
	assert_int_equal(at.partition, 0);
	assert_int_equal(at.offset, 5);
	assert_int_equal(vl_consumer_poll(consumer, 50, &message, &at, NULL), VL_ERR_TIMEOUT);
	/* From the end only what is new is read. */
	assign(consumer, TOPIC, 0, VL_OFFSET_END);
	assert_int_equal(next(consumer, &message, &at, NULL), VL_ERR_END);
	assert_int_equal(at.offset, 5);
	fill(mock, TOPIC, 1);
	message = want(consumer);
	assert_int_equal(vl_message_record(message)->offset, 5);
	vl_message_free(message);
	vl_consumer_close(consumer);
}

static void an_offset_that_is_not_there_is_told_and_not_reset(void **state)
{
	struct mock *mock = *state;
	struct vl_consumer *consumer = open_consumer(mock);
	struct vl_message *message;
	struct vl_position at = {0};
	struct vl_why why = {0};

	mock_topic(mock, TOPIC, 1);
	fill(mock, TOPIC, 5);
	assign(consumer, TOPIC, 0, 77);
	assert_int_equal(next(consumer, &message, &at, &why), VL_ERR_NOT_FOUND);
	assert_string_equal(at.topic, TOPIC);
	assert_int_equal(at.offset, 77);
	assert_non_null(strstr(why.text, TOPIC));
	for (int i = 0; i < 5; i++)
		assert_int_equal(vl_consumer_poll(consumer, 100, &message, &at, NULL),
				 VL_ERR_TIMEOUT);
	vl_consumer_close(consumer);
}

static void a_topic_that_is_not_there_is_told(void **state)
{
	struct mock *mock = *state;
	struct vl_message *message;
	struct vl_position at = {0};
	int32_t count;

	/* How long a topic may be unknown before it is not there; 30 s by default. */
	mock->pairs[2] = (struct vl_conf_pair){"topic.metadata.propagation.max.ms", "100"};
	struct vl_consumer *consumer = open_consumer(mock);
	rd_kafka_mock_topic_set_error(mock->cluster, "nowhere",
				      RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
	assert_int_equal(vl_consumer_partitions(consumer, "nowhere", 5000, &count, NULL),
			 VL_ERR_NOT_FOUND);
	assign(consumer, "nowhere", 0, 0);
	assert_int_equal(next(consumer, &message, &at, NULL), VL_ERR_NOT_FOUND);
	assert_string_equal(at.topic, "nowhere");
	vl_consumer_close(consumer);
}

static void a_lost_broker_is_unreachable_until_it_is_back(void **state)
{
	struct mock *mock = *state;
	struct vl_consumer *consumer = open_consumer(mock);
	struct vl_message *message;
	struct vl_why why = {0};

	mock_topic(mock, TOPIC, 1);
	fill(mock, TOPIC, 1);
	assign(consumer, TOPIC, 0, 0);
	vl_message_free(want(consumer));
	assert_int_equal(next(consumer, &message, NULL, NULL), VL_ERR_END);
	rd_kafka_mock_broker_set_down(mock->cluster, 1);
	assert_int_equal(next(consumer, &message, NULL, &why), VL_ERR_UNREACHABLE);
	assert_non_null(strstr(why.text, "no broker answers"));
	rd_kafka_mock_broker_set_up(mock->cluster, 1);
	/* It says so although nothing new is there to read. */
	enum vl_err err;
	int64_t end = vl_monotonic_ms() + MOCK_WAIT_MS;
	do
		err = vl_consumer_poll(consumer, 100, &message, NULL, NULL);
	while (err == VL_ERR_UNREACHABLE && vl_monotonic_ms() < end);
	assert_true(err == VL_ERR_TIMEOUT || err == VL_ERR_END);
	fill(mock, TOPIC, 1);
	do
		err = next(consumer, &message, NULL, NULL);
	while (err == VL_ERR_END && vl_monotonic_ms() < end);
	assert_int_equal(err, VL_OK);
	assert_int_equal(vl_message_record(message)->offset, 1);
	vl_message_free(message);
	vl_consumer_close(consumer);
}

static void *free_it(void *message)
{
	vl_message_free(message);
	return NULL;
}

static void a_message_outlives_its_consumer(void **state)
{
	struct mock *mock = *state;
	struct vl_consumer *consumer = open_consumer(mock);
	pthread_t threads[3];
	struct vl_message *messages[3];

	mock_topic(mock, TOPIC, 1);
	fill(mock, TOPIC, 3);
	assign(consumer, TOPIC, 0, 0);
	for (int i = 0; i < 3; i++)
		messages[i] = want(consumer);
	vl_consumer_close(consumer);
	assert_true(is(vl_message_record(messages[2])->value, "value 2"));
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, free_it, messages[i]), 0);
	for (int i = 0; i < 3; i++)
		(void)pthread_join(threads[i], NULL);
}

static void an_abandoned_one_goes_by_itself(void **state)
{
	struct mock *mock = *state;

	mock_topic(mock, TOPIC, 1);
	fill(mock, TOPIC, 2);
	int before = rd_kafka_thread_cnt();
	struct vl_consumer *consumer = open_consumer(mock);
	assign(consumer, TOPIC, 0, 0);
	struct vl_message *message = want(consumer);
	vl_consumer_abandon(consumer);
	assert_true(is(vl_message_record(message)->value, "value 0"));
	vl_message_free(message);
	int64_t until = vl_monotonic_ms() + 20000;
	while (rd_kafka_thread_cnt() > before && vl_monotonic_ms() < until)
		(void)poll(NULL, 0, 10);
	assert_int_equal(rd_kafka_thread_cnt(), before);
	vl_consumer_abandon(NULL);
}

static void questions_are_answered(void **state)
{
	struct mock *mock = *state;
	struct vl_consumer *consumer = open_consumer(mock);
	struct vl_why why = {0};
	int32_t count;
	int64_t first, end;

	mock_topic(mock, TOPIC, 3);
	mock_topic(mock, "valise.pulse.v1", 1);
	fill(mock, "valise.pulse.v1", 4);
	assert_int_equal(vl_consumer_partitions(consumer, TOPIC, 5000, &count, &why), VL_OK);
	assert_int_equal(count, 3);
	assert_int_equal(
		vl_consumer_range(consumer, "valise.pulse.v1", 0, 5000, &first, &end, &why), VL_OK);
	assert_int_equal(first, 0);
	assert_int_equal(end, 4);
	assert_int_equal(vl_consumer_range(consumer, TOPIC, 2, 5000, &first, &end, &why), VL_OK);
	assert_int_equal(first, 0);
	assert_int_equal(end, 0);
	assert_int_equal(vl_consumer_range(consumer, TOPIC, 3, 5000, &first, &end, &why),
			 VL_ERR_NOT_FOUND);
	vl_consumer_close(consumer);
}

static void questions_end_in_time(void **state)
{
	struct mock *mock = *state;
	struct vl_consumer *consumer = open_consumer(mock);
	int32_t count;
	int64_t first, end, before;

	mock_topic(mock, TOPIC, 1);
	assert_int_equal(vl_consumer_partitions(consumer, TOPIC, 5000, &count, NULL), VL_OK);
	/* The broker hears and does not answer. */
	rd_kafka_mock_broker_set_rtt(mock->cluster, 1, 20000);
	before = vl_monotonic_ms();
	assert_int_equal(vl_consumer_partitions(consumer, TOPIC, 300, &count, NULL),
			 VL_ERR_UNREACHABLE);
	assert_int_equal(vl_consumer_range(consumer, TOPIC, 0, 300, &first, &end, NULL),
			 VL_ERR_UNREACHABLE);
	assert_int_equal(vl_consumer_offset_at(consumer, TOPIC, 0, 1, 300, &first, NULL),
			 VL_ERR_UNREACHABLE);
	assert_true(vl_monotonic_ms() - before < 3000);
	rd_kafka_mock_broker_set_rtt(mock->cluster, 1, 0);
	rd_kafka_mock_broker_set_down(mock->cluster, 1);
	vl_consumer_close(consumer);
	consumer = open_consumer(mock);
	before = vl_monotonic_ms();
	assert_int_equal(vl_consumer_partitions(consumer, TOPIC, 300, &count, NULL),
			 VL_ERR_UNREACHABLE);
	assert_int_equal(vl_consumer_range(consumer, TOPIC, 0, 300, &first, &end, NULL),
			 VL_ERR_UNREACHABLE);
	assert_true(vl_monotonic_ms() - before < 3000);
	vl_consumer_close(consumer);
}

static void admin_asks_metadata(void **state)
{
	struct mock *mock = *state;
	struct vl_admin *admin = NULL;
	const char *const *names;
	size_t n_names;
	int brokers;
	struct vl_why why = {0};

	mock_topic(mock, "b.topic", 1);
	mock_topic(mock, "a.topic", 2);
	mock_topic(mock, "__kafkas.own", 1);
	assert_int_equal(vl_admin_open(mock->pairs, 3, &admin, &why), VL_OK);
	assert_int_equal(vl_admin_brokers(admin, 5000, &brokers, &why), VL_OK);
	assert_int_equal(brokers, 1);
	assert_int_equal(vl_admin_list(admin, 5000, &names, &n_names, &why), VL_OK);
	assert_int_equal(n_names, 2);
	assert_string_equal(names[0], "a.topic");
	assert_string_equal(names[1], "b.topic");
	rd_kafka_mock_broker_set_down(mock->cluster, 1);
	assert_int_equal(vl_admin_brokers(admin, 500, &brokers, &why), VL_ERR_UNREACHABLE);
	assert_non_null(strstr(why.text, "no broker answers"));
	vl_admin_close(admin);
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

/* Who has room, as the test says. */
struct room {
	bool others, flash[2];
};

static bool is_apart(void *context, const char *topic)
{
	(void)context;
	return strcmp(topic, "consular.evacuation.v1") == 0;
}

static bool has_room(void *context, const char *topic, int32_t partition)
{
	const struct room *room = context;

	return topic == NULL ? room->others : room->flash[partition];
}

/* Messages of those that have room, up to `count`; how many were of the topic that is apart. */
static unsigned take(struct vl_consumer *consumer, unsigned count, int64_t offsets[3])
{
	unsigned apart = 0;

	for (unsigned n = 0; n < count;) {
		struct vl_message *message;
		struct vl_why why = {0};
		enum vl_err err = next(consumer, &message, NULL, &why);
		if (err == VL_ERR_END)
			continue;
		assert_int_equal(err, VL_OK);
		const struct vl_record *record = vl_message_record(message);
		bool flash = !vl_bytes_are(record->topic, TOPIC);
		int64_t *at = &offsets[flash ? 1 + record->partition : 0];
		assert_int_equal(record->offset, (*at)++);
		apart += flash;
		vl_message_free(message);
		n++;
	}
	return apart;
}

/* What is apart stands in no line with the rest, each partition of it neither, and nothing is
 * lost of what had to wait. */
static void apart_is_apart(void **state)
{
	static const char flash[] = "consular.evacuation.v1";
	struct mock *mock = *state;
	struct room has = {.flash = {true, true}};
	struct vl_position at[3] = {
		{TOPIC, 0, 0}, {"consular.evacuation.v1", 0, 0}, {"consular.evacuation.v1", 1, 0}};
	int64_t next_offset[3] = {0};
	struct vl_why why = {0};

	mock_topic(mock, TOPIC, 1);
	mock_topic(mock, flash, 2);
	fill(mock, TOPIC, 50);
	fill_partition(mock, flash, 0, 20);
	fill_partition(mock, flash, 1, 20);
	struct vl_consumer *consumer = open_consumer(mock);
	assert_int_equal(vl_consumer_set_room(consumer,
					      &(struct vl_consumer_room){is_apart, has_room, &has}),
			 VL_OK);
	assert_int_equal(vl_consumer_assign(consumer, at, 3, &why), VL_OK);
	assert_int_equal(take(consumer, 10, next_offset), 10);
	/* One of its partitions has no more room. */
	has.flash[0] = false;
	unsigned left = (unsigned)(20 - next_offset[2]);
	assert_int_equal(take(consumer, left, next_offset), left);
	assert_int_equal(next_offset[2], 20);
	/* Nor has it any, and the others have: then all of it. */
	has = (struct room){.others = true};
	assert_int_equal(take(consumer, 20, next_offset), 0);
	has.flash[0] = true;
	left = (unsigned)(20 - next_offset[1]);
	assert_int_equal(take(consumer, 30 + left, next_offset), left);
	vl_consumer_close(consumer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(promises_cannot_be_overridden),
		ON_MOCK(a_record_comes_as_it_went),
		ON_MOCK(the_largest_batch_passes),
		ON_MOCK(too_many_headers_are_cut),
		ON_MOCK(reading_starts_where_asked_and_tells_the_end),
		ON_MOCK(an_offset_that_is_not_there_is_told_and_not_reset),
		ON_MOCK(a_topic_that_is_not_there_is_told),
		ON_MOCK(a_lost_broker_is_unreachable_until_it_is_back),
		ON_MOCK(a_message_outlives_its_consumer),
		ON_MOCK(apart_is_apart),
		ON_MOCK(an_abandoned_one_goes_by_itself),
		ON_MOCK(questions_are_answered),
		ON_MOCK(questions_end_in_time),
		ON_MOCK(admin_asks_metadata),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
