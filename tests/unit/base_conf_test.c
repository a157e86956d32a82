#include "base/conf.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct values {
	const char *mission, *users;
	uint64_t size, count;
};

static const struct vl_conf_key keys[] = {
	{"agent", "mission", VL_CONF_TEXT, offsetof(struct values, mission), NULL,
	 "the sender's id"},
	{"agent", "users", VL_CONF_TEXTS, offsetof(struct values, users), "", "who may publish"},
	{"outbox", "size", VL_CONF_SIZE, offsetof(struct values, size), "8G",
	 "how large it may grow"},
	{"outbox", "count", VL_CONF_COUNT, offsetof(struct values, count), "100",
	 "how many it may hold"},
	{"kafka", "*", VL_CONF_ANY, 0, NULL, "passed to librdkafka"},
	{0},
};

static char path[64];

static int setup(void **state)
{
	(void)state;
	(void)snprintf(path, sizeof(path), "/tmp/valise-conf-XXXXXX");
	int file = mkstemp(path);
	return file >= 0 && close(file) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	return unlink(path);
}

static enum vl_err open_text(const char *text, struct values *values, struct vl_conf **conf,
			     struct vl_why *why)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(0, fclose(file));
	memset(values, 0, sizeof(*values));
	memset(why, 0, sizeof(*why));
	return vl_conf_open(path, keys, values, conf, why);
}

static void test_all_given(void **state)
{
	struct values values;
	struct vl_conf *conf;
	struct vl_why why;

	(void)state;
	assert_int_equal(
		VL_OK,
		open_text("# a comment\n[agent]\nmission = CN-SD-EMB\nusers = app, 1000 web\n"
			  "; small\n[outbox]\nsize=64M\ncount = 7\n",
			  &values, &conf, &why));
	assert_string_equal("CN-SD-EMB", values.mission);
	assert_string_equal("app, 1000 web", values.users);
	assert_true(values.size == UINT64_C(64) << 20);
	assert_true(values.count == 7);
	vl_conf_close(conf);
}

static void test_initial_values(void **state)
{
	struct values values;
	struct vl_conf *conf;
	struct vl_why why;

	(void)state;
	assert_int_equal(VL_OK, open_text("[agent]\nmission = HQ\n", &values, &conf, &why));
	assert_string_equal("", values.users);
	assert_true(values.size == UINT64_C(8) << 30);
	assert_true(values.count == 100);
	vl_conf_close(conf);
	vl_conf_close(NULL);
}

struct number {
	const char *text;
	uint64_t value;
};

static void test_sizes(void **state)
{
	const struct number good[] = {
		{"0", 0},
		{"4096", 4096},
		{"64k", 65536},
		{"16M", 16 << 20},
		{"8G", UINT64_C(8) << 30},
		{"2T", UINT64_C(2) << 40},
		{"18446744073709551615", UINT64_MAX},
		{"16777215T", UINT64_C(16777215) << 40},
	};
	const char *bad[] = {"",          "x",    "-1",   "1.5M",
			     "64K",       "64kb", "64 k", "18446744073709551616",
			     "16777216T", "k",    "1kM"};
	struct values values;
	struct vl_conf *conf;
	struct vl_why why;
	char text[128];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		(void)snprintf(text, sizeof(text), "[agent]\nmission=HQ\n[outbox]\nsize = %s\n",
			       good[i].text);
		assert_int_equal(VL_OK, open_text(text, &values, &conf, &why));
		assert_true(values.size == good[i].value);
		vl_conf_close(conf);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		(void)snprintf(text, sizeof(text), "[agent]\nmission=HQ\n[outbox]\nsize = %s\n",
			       bad[i]);
		if (open_text(text, &values, &conf, &why) != VL_ERR_CONFIG)
			fail_msg("taken: '%s'", bad[i]);
		assert_non_null(strstr(why.text, "line 4: [outbox] size"));
		assert_null(conf);
	}
	assert_int_equal(VL_ERR_CONFIG, open_text("[agent]\nmission=HQ\n[outbox]\ncount = 4k\n",
						  &values, &conf, &why));
}

struct mistake {
	const char *text, *words;
};

static void test_mistakes(void **state)
{
	const struct mistake table[] = {
		{"[agent]\nmission = HQ\nmision = HQ\n", "line 3: [agent] has no key 'mision'"},
		{"[agent]\nmission = HQ\n\n[agnt]\nmission = HQ\n",
		 "line 5: [agnt] has no key 'mission'"},
		{"mission = HQ\n", "line 1: [] has no key 'mission'"},
		{"[outbox]\nsize = 1\n", "[agent] mission is missing: the sender's id"},
		{"", "[agent] mission is missing"},
		{"[agent]\nmission = HQ\nnonsense\n", "line 3 is neither"},
		{"[agent]\nmission = HQ\n[outbox\n", "line 3 is neither"},
		{"[agent]\nmission = HQ\n[outbox]\nsize = big\n",
		 "line 4: [outbox] size: 'big' does not fit: how large"},
	};
	struct values values;
	struct vl_conf *conf;
	struct vl_why why;

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		enum vl_err err = open_text(table[i].text, &values, &conf, &why);
		if (err != VL_ERR_CONFIG || strstr(why.text, table[i].words) == NULL)
			fail_msg("'%s': %s, %s", table[i].words, vl_err_name(err), why.text);
		assert_null(conf);
	}
}

static void test_passed_through(void **state)
{
	const struct vl_conf_pair *pairs;
	struct values values;
	struct vl_conf *conf;
	struct vl_why why;

	(void)state;
	assert_int_equal(
		VL_OK,
		open_text("[kafka]\nbootstrap.servers = a:9092,b:9092\n[agent]\nmission = HQ\n"
			  "[kafka]\nssl.ca.location=/etc/ca.pem\n",
			  &values, &conf, &why));
	assert_int_equal(2, vl_conf_pairs(conf, "kafka", &pairs));
	assert_string_equal("bootstrap.servers", pairs[0].key);
	assert_string_equal("a:9092,b:9092", pairs[0].value);
	assert_string_equal("ssl.ca.location", pairs[1].key);
	assert_int_equal(0, vl_conf_pairs(conf, "none", &pairs));
	vl_conf_close(conf);
}

static void test_too_many_pairs(void **state)
{
	struct values values;
	struct vl_conf *conf;
	struct vl_why why;
	char *text = calloc(1, 64 * 1024);
	size_t length = 0;

	(void)state;
	assert_non_null(text);
	length += (size_t)sprintf(text, "[agent]\nmission = HQ\n[kafka]\n");
	for (int i = 0; i < 257; i++)
		length += (size_t)sprintf(text + length, "key%d = value\n", i);
	assert_int_equal(VL_ERR_CONFIG, open_text(text, &values, &conf, &why));
	assert_null(conf);
	free(text);
}

/* Lists of brokers are long. A value is whole, or an error; it is never cut. */
static void test_long_value(void **state)
{
	const struct vl_conf_pair *pairs;
	struct values values;
	struct vl_conf *conf;
	struct vl_why why;
	char text[4096], value[2049];

	(void)state;
	for (size_t length = 16; length < sizeof(value); length *= 2) {
		memset(value, 'x', length);
		value[length] = '\0';
		(void)snprintf(text, sizeof(text),
			       "[agent]\nmission = HQ\n[kafka]\nbootstrap.servers = %s\n", value);
		enum vl_err err = open_text(text, &values, &conf, &why);
		if (err == VL_OK) {
			assert_int_equal(1, vl_conf_pairs(conf, "kafka", &pairs));
			assert_string_equal(value, pairs[0].value);
			vl_conf_close(conf);
		} else {
			assert_true(length > 128);
			assert_int_equal(VL_ERR_CONFIG, err);
		}
	}
}

static void test_no_file(void **state)
{
	struct values values;
	struct vl_conf *conf;
	struct vl_why why = {0};

	(void)state;
	assert_int_equal(VL_ERR_CONFIG,
			 vl_conf_open("/nonexistent/valise.conf", keys, &values, &conf, &why));
	assert_string_equal("No such file or directory", why.text);
	assert_null(conf);
}

/* The help is a file that can be read back, once the required keys have been given. */
static void test_help(void **state)
{
	struct values values;
	struct vl_conf *conf;
	struct vl_why why;
	char text[2048] = {0};

	(void)state;
	assert_int_equal(0, fflush(stdout));
	int saved = dup(STDOUT_FILENO);
	assert_non_null(freopen(path, "w", stdout));
	vl_conf_print_help(keys);
	assert_int_equal(0, fflush(stdout));
	assert_true(dup2(saved, STDOUT_FILENO) >= 0);
	assert_int_equal(0, close(saved));
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
	(void)fclose(file);
	for (size_t i = 0; keys[i].key != NULL; i++)
		assert_non_null(strstr(text, keys[i].help));
	char *mission = strstr(text, "\nmission = ");
	assert_non_null(mission);
	memcpy(mission, "\nmission=HQ\n", 12);
	assert_int_equal(VL_OK, open_text(text, &values, &conf, &why));
	assert_string_equal("HQ", values.mission);
	vl_conf_close(conf);
}

/* As people and other tools write them; the value is the whole rest of the line. */
static void test_as_people_write_it(void **state)
{
	static const struct {
		const char *text, *value;
	} table[] = {
		{"a = x ; y\n", "x ; y"},
		{"a=x # y\n", "x # y"},
		{"a : x\n", "x"},
		{"a: b=c\n", "b=c"},
		{"\t a   =   x  \r\n", "x"},
		{"! by hand\n# too\n; and\na = x", "x"},
		{"a = h1:1,\n    h2:2,\n\th3:3\n", "h1:1,h2:2,h3:3"},
		{"a = \"x\"\n", "\"x\""},
		{"a =\n", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const struct vl_conf_pair *pairs;
		struct values values;
		struct vl_conf *conf;
		struct vl_why why = {0};
		char text[256];
		(void)snprintf(text, sizeof(text), "\xef\xbb\xbf[agent]\nmission = HQ\n[kafka]\n%s",
			       table[i].text);
		if (open_text(text, &values, &conf, &why) != VL_OK)
			fail_msg("%s: %s", table[i].text, why.text);
		assert_int_equal(vl_conf_pairs(conf, "kafka", &pairs), 1);
		assert_string_equal(pairs[0].key, "a");
		assert_string_equal(pairs[0].value, table[i].value);
		vl_conf_close(conf);
	}
}

/* What would pass silently for something else. */
static void test_refused_aloud(void **state)
{
	static const struct {
		const char *text, *words;
	} table[] = {
		{"[kafka]\na = x\n  a = y\n", "line 5: [kafka] a is given twice"},
		{"[kafka]\na = x\n  y\n", "line 5 is neither"},
		{"[agent]\nmission = CN-SD-EMB\n",
		 "line 4: [agent] mission is given twice, also in line 2"},
		{"[outbox]\nsize = 64MB\n", "a size is written 4096, 64k, 16M or 8G"},
		{"[outbox]\nsize = \"64M\"\n", "write the value without quotes"},
		{"[kafka\n", "line 3 is neither"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct values values;
		struct vl_conf *conf;
		struct vl_why why = {0};
		char text[256];
		(void)snprintf(text, sizeof(text), "[agent]\nmission = HQ\n%s", table[i].text);
		assert_int_equal(open_text(text, &values, &conf, &why), VL_ERR_CONFIG);
		if (strstr(why.text, table[i].words) == NULL)
			fail_msg("%s: %s", table[i].text, why.text);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_as_people_write_it),
		TEST(test_refused_aloud),
		TEST(test_all_given),
		TEST(test_initial_values),
		TEST(test_sizes),
		TEST(test_mistakes),
		TEST(test_passed_through),
		TEST(test_too_many_pairs),
		TEST(test_long_value),
		TEST(test_no_file),
		TEST(test_help),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
