/* The reader, its wards, their search and the wall, against librdkafka's mock cluster. */
#include "stream_mock.h"

#include "stream/reader.h"
#include "stream/search.h"
#include "stream/wall.h"

#define LANE "consular.traveller.v1"
#define FLASH "consular.evacuation.v1"
#define FETCH_REQUEST 1

/* -- the search -- */

/* Looks for the end of a batch of `size` records at `at`; returns how many tries it took. */
static unsigned search_for(int64_t at, int64_t size, int64_t end)
{
	struct vl_search search;
	int64_t offset;
	unsigned tries = 0;

	vl_search_begin(&search, at, end);
	while (vl_search_next(&search, &offset)) {
		assert_true(offset > at && offset < end);
		vl_search_tell(&search, offset < at + size);
		tries++;
	}
	assert_int_equal(search.outside, at + size);
	return tries;
}

static void the_first_offset_behind_is_found_in_few_tries(void **state)
{
	(void)state;
	for (int64_t size = 1; size < 200; size++)
		for (int64_t behind = 0; behind < 70; behind += 7)
			assert_true(search_for(1000, size, 1000 + size + behind) <= 18);
	/* The last batch of a partition, of whatever size, takes one. */
	assert_int_equal(search_for(0, 12000, 12000), 1);
	assert_int_equal(search_for(0, 1, 1), 0);
	assert_true(search_for(5, INT64_C(1) << 31, INT64_C(1) << 60) <= 64);
	/* An end that is not known: one offset at a time. */
	struct vl_search search;
	int64_t offset;
	vl_search_begin(&search, 7, -1);
	assert_false(vl_search_next(&search, &offset));
	assert_int_equal(search.outside, 8);
}

/* -- records -- */

/* One record batch of `count` values of `size` bytes, packed. */
static void send_packed(struct mock *mock, const char *topic, int32_t partition, const char *codec,
			unsigned count, size_t size)
{
	char text[200];
	char *value = malloc(size);
	rd_kafka_conf_t *conf = rd_kafka_conf_new();

	memset(value, 'x', size);
	const char *const pairs[][2] = {
		{"bootstrap.servers", rd_kafka_mock_cluster_bootstraps(mock->cluster)},
		{"compression.codec", codec},
		{"linger.ms", "300000"},
		{"message.timeout.ms", "600000"},
		{"message.max.bytes", "300000000"},
		{"batch.size", "300000000"},
		{"batch.num.messages", "1000000"},
		{"queue.buffering.max.messages", "1000000"},
		{"queue.buffering.max.kbytes", "1000000"},
	};
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		assert_int_equal(
			rd_kafka_conf_set(conf, pairs[i][0], pairs[i][1], text, sizeof(text)), 0);
	rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic),
						   RD_KAFKA_V_PARTITION(partition),
						   RD_KAFKA_V_VALUE(value, size),
						   RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
						   RD_KAFKA_V_END),
				 0);
	assert_int_equal(rd_kafka_flush(rk, MOCK_WAIT_MS), 0);
	rd_kafka_destroy(rk);
	free(value);
}

static void send_text(struct mock *mock, const char *topic, int32_t partition, const char *value)
{
	char text[200];
	rd_kafka_conf_t *conf = rd_kafka_conf_new();

	assert_int_equal(rd_kafka_conf_set(conf, "bootstrap.servers",
					   rd_kafka_mock_cluster_bootstraps(mock->cluster), text,
					   sizeof(text)),
			 0);
	rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
	assert_int_equal(
		rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition),
				  RD_KAFKA_V_VALUE((void *)(uintptr_t)value, strlen(value)),
				  RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END),
		0);
	assert_int_equal(rd_kafka_flush(rk, MOCK_WAIT_MS), 0);
	rd_kafka_destroy(rk);
}

/* -- reading -- */

struct reading {
	struct vl_reader *reader;
	char got[512]; /* what came, as words */
	int64_t passed_from, passed_to;
	unsigned passed, troubles, lost;
	enum vl_err trouble;
};

static void start(struct reading *reading, struct mock *mock)
{
	struct vl_why why = {0};

	*reading = (struct reading){0};
	if (vl_reader_open(mock->pairs, 3, &reading->reader, &why) != VL_OK)
		fail_msg("%s", why.text);
}

static void put(struct reading *reading, const char *topic, int32_t partition, int64_t offset)
{
	struct vl_position at = {.partition = partition, .offset = offset};

	(void)snprintf(at.topic, sizeof(at.topic), "%s", topic);
	assert_int_equal(vl_reader_put(reading->reader, &at, reading), VL_OK);
}

static void note_record(struct reading *reading, struct vl_message *message)
{
	struct vl_bytes value = vl_message_record(message)->value;
	size_t at = strlen(reading->got);

	if (value.size < 40)
		(void)snprintf(reading->got + at, sizeof(reading->got) - at, "%.*s ",
			       (int)value.size, (const char *)value.data);
	vl_message_free(message);
}

/* One poll, and what came of it noted. */
static void step(struct reading *reading)
{
	struct vl_news news;
	struct vl_why why = {0};

	if (vl_reader_poll(reading->reader, 20, &news, &why) != VL_OK)
		return;
	assert_ptr_equal(news.owner, reading);
	switch (news.kind) {
	case VL_NEWS_RECORD:
		note_record(reading, news.message);
		break;
	case VL_NEWS_PASSED:
		reading->passed++;
		reading->passed_from = news.at.offset;
		reading->passed_to = news.to;
		break;
	case VL_NEWS_TROUBLE:
		reading->troubles++;
		reading->trouble = news.err;
		break;
	case VL_NEWS_LOST:
		reading->lost++;
		break;
	case VL_NEWS_END:
		break;
	}
}

static void read_until(struct reading *reading, const char *word)
{
	int64_t end = vl_monotonic_ms() + MOCK_WAIT_MS;

	while (strstr(reading->got, word) == NULL && vl_monotonic_ms() < end)
		step(reading);
	if (strstr(reading->got, word) == NULL)
		fail_msg("'%s' never came; '%s' did, passed %u, troubles %u", word, reading->got,
			 reading->passed, reading->troubles);
}

/* A batch that nobody can unpack costs itself: others are read at once, what lies behind it too,
 * and it is named. */
static void check_codec(struct mock *mock, const char *codec, bool held)
{
	unsigned long long before = vl_wall_held();
	struct reading reading;

	mock_topic(mock, LANE, 2);
	mock_topic(mock, FLASH, 1);
	send_text(mock, LANE, 0, "before");
	send_packed(mock, LANE, 0, codec, 6000, 1000);
	send_text(mock, LANE, 0, "behind");
	send_text(mock, LANE, 1, "beside");
	send_text(mock, FLASH, 0, "flash");
	start(&reading, mock);
	put(&reading, LANE, 0, VL_OFFSET_BEGINNING);
	put(&reading, LANE, 1, VL_OFFSET_BEGINNING);
	put(&reading, FLASH, 0, VL_OFFSET_BEGINNING);
	read_until(&reading, "flash");
	read_until(&reading, "beside");
	read_until(&reading, "before");
	read_until(&reading, "behind");
	assert_int_equal(reading.passed, held);
	assert_int_equal(reading.troubles, held);
	assert_int_equal(vl_wall_held() > before, held);
	if (held) {
		assert_int_equal(reading.trouble, VL_ERR_CORRUPT);
		/* A flush may send the first few of them ahead, in a batch of their own that can
		 * be read. */
		assert_in_range(reading.passed_from, 1, 1000);
		assert_true(reading.passed_to >= 6001);
	}
	/* And it goes on. */
	send_text(mock, LANE, 0, "later");
	send_text(mock, FLASH, 0, "flash2");
	read_until(&reading, "later");
	read_until(&reading, "flash2");
	assert_int_equal(reading.passed, held);
	vl_reader_close(reading.reader);
}

static void what_is_too_much_unpacked_is_passed_over_gzip(void **state)
{
	check_codec(*state, "gzip", true);
}

static void what_is_too_much_unpacked_is_passed_over_lz4(void **state)
{
	check_codec(*state, "lz4", true);
}

static void what_is_too_much_unpacked_is_passed_over_zstd(void **state)
{
	check_codec(*state, "zstd", true);
}

/* Snappy is librdkafka's own, and bounds itself. */
static void what_snappy_unpacks_is_read(void **state)
{
	check_codec(*state, "snappy", false);
}

static void packed_batches_below_the_bound_are_read(void **state)
{
	static const char *const codecs[] = {"gzip", "lz4", "zstd", "snappy"};
	struct mock *mock = *state;
	struct reading reading;

	mock_topic(mock, LANE, 1);
	for (size_t i = 0; i < 4; i++)
		send_packed(mock, LANE, 0, codecs[i], 3900, 1000);
	send_text(mock, LANE, 0, "behind");
	start(&reading, mock);
	put(&reading, LANE, 0, 0);
	read_until(&reading, "behind");
	assert_int_equal(reading.passed + reading.troubles, 0);
	vl_reader_close(reading.reader);
}

/* -- what is not allowed, and what is lost -- */

static void a_partition_without_rights_waits_alone_and_heals(void **state)
{
	struct mock *mock = *state;
	struct reading reading;

	mock_topic(mock, LANE, 1);
	mock_topic(mock, FLASH, 1);
	send_text(mock, LANE, 0, "denied");
	rd_kafka_mock_topic_set_error(mock->cluster, LANE,
				      RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
	start(&reading, mock);
	put(&reading, LANE, 0, 0);
	put(&reading, FLASH, 0, 0);
	send_text(mock, FLASH, 0, "flash");
	read_until(&reading, "flash");
	int64_t end = vl_monotonic_ms() + MOCK_WAIT_MS;
	while (reading.troubles == 0 && vl_monotonic_ms() < end)
		step(&reading);
	assert_int_equal(reading.trouble, VL_ERR_PERMISSION);
	send_text(mock, FLASH, 0, "flash2");
	read_until(&reading, "flash2");
	rd_kafka_mock_topic_set_error(mock->cluster, LANE, RD_KAFKA_RESP_ERR_NO_ERROR);
	read_until(&reading, "denied");
	assert_int_equal(reading.troubles, 1);
	assert_int_equal(reading.passed + reading.lost, 0);
	vl_reader_close(reading.reader);
}

/* Polls until there is trouble. */
static void await_trouble(struct reading *reading)
{
	int64_t end = vl_monotonic_ms() + MOCK_WAIT_MS;

	while (reading->troubles == 0 && vl_monotonic_ms() < end)
		step(reading);
	assert_int_equal(reading->troubles, 1);
}

static void a_partition_without_a_leader_is_named_and_heals(void **state)
{
	struct mock *mock = *state;
	struct reading reading;

	mock_topic(mock, LANE, 2);
	send_text(mock, LANE, 0, "beside");
	send_text(mock, LANE, 1, "orphan");
	rd_kafka_mock_partition_set_leader(mock->cluster, LANE, 1, -1);
	start(&reading, mock);
	put(&reading, LANE, 0, 0);
	put(&reading, LANE, 1, 0);
	read_until(&reading, "beside");
	await_trouble(&reading);
	assert_int_equal(reading.trouble, VL_ERR_UNREACHABLE);
	send_text(mock, LANE, 0, "more");
	read_until(&reading, "more");
	rd_kafka_mock_partition_set_leader(mock->cluster, LANE, 1, 1);
	read_until(&reading, "orphan");
	assert_int_equal(reading.troubles, 1);
	assert_int_equal(reading.passed + reading.lost, 0);
	vl_reader_close(reading.reader);
}

/* READ is taken away, DESCRIBE is not: the broker says so of the partition. */
static void a_fetch_that_is_refused_is_asked_again(void **state)
{
	struct mock *mock = *state;
	struct reading reading;

	mock_topic(mock, LANE, 1);
	send_text(mock, LANE, 0, "denied");
	rd_kafka_mock_push_request_errors(mock->cluster, FETCH_REQUEST, 1,
					  RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
	start(&reading, mock);
	put(&reading, LANE, 0, 0);
	await_trouble(&reading);
	assert_int_equal(reading.trouble, VL_ERR_PERMISSION);
	read_until(&reading, "denied");
	assert_int_equal(reading.troubles, 1);
	assert_int_equal(reading.passed + reading.lost, 0);
	vl_reader_close(reading.reader);
}

/* What the broker calls broken once, and gives the second time, is nothing to be passed over. */
static void what_can_be_read_a_second_time_is_not_passed_over(void **state)
{
	struct mock *mock = *state;
	struct reading reading;

	mock_topic(mock, LANE, 1);
	send_text(mock, LANE, 0, "sound");
	rd_kafka_mock_push_request_errors(mock->cluster, FETCH_REQUEST, 1,
					  RD_KAFKA_RESP_ERR_INVALID_MSG);
	start(&reading, mock);
	put(&reading, LANE, 0, 0);
	read_until(&reading, "sound");
	assert_int_equal(reading.troubles + reading.passed + reading.lost, 0);
	vl_reader_close(reading.reader);
}

static void an_offset_that_is_not_there_is_lost_alone(void **state)
{
	struct mock *mock = *state;
	struct reading reading;

	mock_topic(mock, LANE, 1);
	mock_topic(mock, FLASH, 1);
	send_text(mock, LANE, 0, "one");
	start(&reading, mock);
	put(&reading, LANE, 0, 77);
	put(&reading, FLASH, 0, 0);
	int64_t end = vl_monotonic_ms() + MOCK_WAIT_MS;
	while (reading.lost == 0 && vl_monotonic_ms() < end)
		step(&reading);
	assert_int_equal(reading.lost, 1);
	send_text(mock, FLASH, 0, "flash");
	read_until(&reading, "flash");
	assert_null(strstr(reading.got, "one"));
	put(&reading, LANE, 0, 0);
	read_until(&reading, "one");
	assert_int_equal(reading.lost, 1);
	vl_reader_drop(reading.reader, LANE, 0);
	send_text(mock, LANE, 0, "two");
	send_text(mock, FLASH, 0, "flash2");
	read_until(&reading, "flash2");
	assert_null(strstr(reading.got, "two"));
	vl_reader_close(reading.reader);
}

static void more_partitions_than_a_byte_can_count(void **state)
{
	struct mock *mock = *state;
	struct reading reading;

	mock_topic(mock, LANE, 300);
	send_text(mock, LANE, 299, "last");
	send_text(mock, LANE, 0, "first");
	start(&reading, mock);
	for (int32_t p = 0; p < 300; p++)
		put(&reading, LANE, p, VL_OFFSET_BEGINNING);
	read_until(&reading, "last");
	read_until(&reading, "first");
	vl_reader_close(reading.reader);
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

#define WITH_MOCK(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_offset_behind_is_found_in_few_tries),
		WITH_MOCK(what_is_too_much_unpacked_is_passed_over_gzip),
		WITH_MOCK(what_is_too_much_unpacked_is_passed_over_lz4),
		WITH_MOCK(what_is_too_much_unpacked_is_passed_over_zstd),
		WITH_MOCK(what_snappy_unpacks_is_read),
		WITH_MOCK(packed_batches_below_the_bound_are_read),
		WITH_MOCK(a_partition_without_rights_waits_alone_and_heals),
		WITH_MOCK(a_partition_without_a_leader_is_named_and_heals),
		WITH_MOCK(a_fetch_that_is_refused_is_asked_again),
		WITH_MOCK(what_can_be_read_a_second_time_is_not_passed_over),
		WITH_MOCK(an_offset_that_is_not_there_is_lost_alone),
		WITH_MOCK(more_partitions_than_a_byte_can_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
