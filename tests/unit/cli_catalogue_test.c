/* The catalogue of topics: what is read, and the words for what is not. */
#include "cli/catalogue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* After the four headers it needs. */
#include <cmocka.h>

#define HEAD "apiVersion: kafka.strimzi.io/v1\nkind: KafkaTopic\n"

static enum vl_err read_text(const char *text, struct vl_catalogue **catalogue, struct vl_why *why)
{
	char path[] = "/tmp/valise-catalogue-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	(void)close(fd);
	enum vl_err err = vl_catalogue_open(path, catalogue, why);
	(void)unlink(path);
	return err;
}

static void a_topic_is_read(void **state)
{
	struct vl_catalogue *catalogue;
	const struct vl_topic *topics;
	struct vl_why why = {0};

	(void)state;
	enum vl_err err =
		read_text("# a comment\n---\n" HEAD
			  "metadata: {name: a.b_c-1, labels: {strimzi.io/cluster: valise}}\n"
			  "spec:\n  partitions: 4\n  replicas: 3\n"
			  "  config: {retention.ms: -1, cleanup.policy: 'compact,delete'}\n"
			  "---\napiVersion: kafka.strimzi.io/v1beta2\nkind: KafkaTopic\n"
			  "spec: {topicName: Real_Name, partitions: 1, replicas: 1}\nmetadata: "
			  "{name: real-name}\n",
			  &catalogue, &why);
	if (err != VL_OK)
		fail_msg("%s", why.text);
	assert_int_equal(vl_catalogue_topics(catalogue, &topics), 2);
	assert_string_equal(topics[0].name, "a.b_c-1");
	assert_int_equal(topics[0].partitions, 4);
	assert_int_equal(topics[0].replicas, 3);
	assert_int_equal(topics[0].n_configs, 2);
	assert_string_equal(topics[0].configs[0].key, "retention.ms");
	assert_string_equal(topics[0].configs[0].value, "-1");
	assert_string_equal(topics[0].configs[1].value, "compact,delete");
	assert_string_equal(topics[1].name, "Real_Name");
	assert_int_equal(topics[1].n_configs, 0);
	vl_catalogue_close(catalogue);
}

static void the_name_in_kafka_wins_in_either_order(void **state)
{
	struct vl_catalogue *catalogue;
	const struct vl_topic *topics;

	(void)state;
	assert_int_equal(read_text(HEAD "metadata: {name: real-name}\nspec: {partitions: 1, "
					"replicas: 1, topicName: Real}\n",
				   &catalogue, NULL),
			 VL_OK);
	(void)vl_catalogue_topics(catalogue, &topics);
	assert_string_equal(topics[0].name, "Real");
	vl_catalogue_close(catalogue);
}

static void the_project_s_own_catalogue_is_read(void **state)
{
	struct vl_catalogue *catalogue;
	const struct vl_topic *topics;
	struct vl_why why = {0};

	(void)state;
	if (vl_catalogue_open(VALISE_SOURCE_DIR "/brokers/topics.yaml", &catalogue, &why) != VL_OK)
		fail_msg("%s", why.text);
	assert_true(vl_catalogue_topics(catalogue, &topics) >= 14);
	vl_catalogue_close(catalogue);
}

/* A pattern is a topic of each mission, in its place, with all that is said of it. */
static void a_pattern_becomes_a_topic_of_each_mission(void **state)
{
	static const char *const missions[] = {"CN-EG-EMB", "HQ"};
	static const char text[] =
		HEAD "metadata: {name: a}\nspec: {partitions: 2, replicas: 1}\n---\n" HEAD
		     "metadata: {name: b}\nspec:\n  topicName: b.v1.<MISSION>\n  partitions: 1\n"
		     "  replicas: 3\n  config: {cleanup.policy: compact}\n---\n" HEAD
		     "metadata: {name: c}\nspec: {partitions: 3, replicas: 1}\n";
	static const char *const names[] = {"a", "b.v1.CN-EG-EMB", "b.v1.HQ", "c"};
	struct vl_catalogue *catalogue;
	const struct vl_topic *topics;
	const char *const *patterns;

	(void)state;
	for (size_t given = 2;; given -= 2) {
		assert_int_equal(read_text(text, &catalogue, NULL), VL_OK);
		assert_int_equal(vl_catalogue_address(catalogue, missions, given), VL_OK);
		assert_int_equal(vl_catalogue_topics(catalogue, &topics), 2 + given);
		assert_int_equal(vl_catalogue_patterns(catalogue, &patterns), 1);
		assert_string_equal(patterns[0], "b.v1");
		for (size_t i = 0; i < 4 && given > 0; i++)
			assert_string_equal(topics[i].name, names[i]);
		if (given == 0)
			break;
		for (size_t i = 1; i <= 2; i++) {
			assert_int_equal(topics[i].partitions, 1);
			assert_int_equal(topics[i].replicas, 3);
			assert_int_equal(topics[i].n_configs, 1);
			assert_string_equal(topics[i].configs[0].value, "compact");
		}
		vl_catalogue_close(catalogue);
	}
	assert_string_equal(topics[1].name, "c");
	vl_catalogue_close(catalogue);
}

#define META "metadata: {name: a}\n"

static void what_is_wrong_is_named_with_its_line(void **state)
{
	static const struct {
		const char *text, *words;
	} bad[] = {
		{"", "it has no topic"},
		{"---\n---\n", "it has no topic"},
		{"- a\n", "line 1: the document must be a mapping"},
		{"a: [\n", "line 2: "},
		{"kind: KafkaTopic\n", "line 1: this document does not say apiVersion"},
		{"apiVersion: kafka.strimzi.io/v1\n", "line 1: this document does not say kind"},
		{"apiVersion: v1\nkind: KafkaTopic\n", "line 1: apiVersion is 'v1'"},
		{"kind: Kafka\n", "line 1: kind is 'Kafka'"},
		{HEAD "spec: {partitions: 1, replicas: 1}\n", "line 1: this topic has no name"},
		{HEAD META "spec: {replicas: 1}\n", "topic 'a' has no spec: partitions:"},
		{HEAD META "spec: {partitions: 1}\n", "topic 'a' has no spec: replicas:"},
		{HEAD META "spec:\n  partition: 1\n", "line 5: spec has no 'partition'"},
		{HEAD META "spec: {partitions: 0, replicas: 1}\n", "line 4: partitions is '0'"},
		{HEAD META "spec: {partitions: +1, replicas: 1}\n", "partitions is '+1'"},
		{HEAD META "spec: {partitions: 1x, replicas: 1}\n", "partitions is '1x'"},
		{HEAD META "spec: {partitions: 99999999999999999999, replicas: 1}\n",
		 "make it a number from 1 to"},
		{HEAD META "spec: {partitions: 1, replicas: 1, config: {a: [1]}}\n",
		 "a must be one value"},
		{HEAD META "spec: {partitions: 1, replicas: 1, config: {a: ~}}\n",
		 "a has no value"},
		{HEAD META "spec: {partitions: 1, replicas: 1, config: {a: \"x\\0y\"}}\n",
		 "a has a NUL"},
		{HEAD META "spec: {partitions: 1, partitions: 2}\n", "spec has 'partitions' twice"},
		{HEAD META "spec: {? [1] : 2}\n", "a key of spec is no text"},
		{HEAD "metadata: {name: a b}\n", "line 3: name is 'a b'"},
		{HEAD "metadata: {name: ..}\n", "line 3: name is '..'"},
		{HEAD META "spec: {partitions: 1, replicas: 1}\n---\n" HEAD META
			   "spec: {partitions: 1, replicas: 1}\n",
		 "line 6: topic 'a' stands at line 1 already"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct vl_catalogue *catalogue;
		struct vl_why why = {0};
		assert_int_equal(read_text(bad[i].text, &catalogue, &why), VL_ERR_INVALID);
		assert_null(catalogue);
		if (strstr(why.text, bad[i].words) == NULL)
			fail_msg("%zu: '%s' does not say '%s'", i, why.text, bad[i].words);
	}
}

static void a_file_that_is_not_there(void **state)
{
	struct vl_catalogue *catalogue;

	(void)state;
	assert_int_equal(vl_catalogue_open("/nonexistent/topics.yaml", &catalogue, NULL),
			 VL_ERR_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_topic_is_read),
		cmocka_unit_test(the_name_in_kafka_wins_in_either_order),
		cmocka_unit_test(the_project_s_own_catalogue_is_read),
		cmocka_unit_test(a_pattern_becomes_a_topic_of_each_mission),
		cmocka_unit_test(what_is_wrong_is_named_with_its_line),
		cmocka_unit_test(a_file_that_is_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
