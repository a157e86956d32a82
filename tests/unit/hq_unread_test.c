/* What could not be read, as the ledger keeps it; and which settings of topics are told. */
#include "hq_world.h"

#include "hq/ingest/settings.h"
#include "hq/ledger/unread.h"

#define LANE "consular.case.v1"

struct seen {
	size_t n;
	struct vl_unread all[VL_UNREAD_ROWS + 8];
};

static void see(void *context, const struct vl_unread *unread)
{
	struct seen *seen = context;

	assert_true(seen->n < sizeof(seen->all) / sizeof(seen->all[0]));
	seen->all[seen->n++] = *unread;
}

static struct seen look(struct world *w)
{
	struct seen seen = {0};
	struct vl_txn *txn = vl_txn_begin(w->store, false, NULL);

	vl_unread_each(txn, see, &seen);
	vl_txn_abort(txn);
	return seen;
}

static struct vl_unread place(int32_t partition, int64_t from, int64_t to)
{
	struct vl_unread unread = {
		.kind = VL_UNREAD_PASSED,
		.topic = LANE,
		.partition = partition,
		.from = from,
		.to = to,
		.times = 1,
		.bytes = 10,
		.since_ms = 77,
		.err = VL_ERR_CORRUPT,
		.words = "broken",
	};

	return unread;
}

static void put(struct world *w, struct vl_unread unread)
{
	struct vl_txn *txn = vl_txn_begin(w->store, true, NULL);

	vl_unread_put(txn, &unread);
	assert_int_equal(vl_txn_commit(txn, NULL), VL_OK);
}

static void a_place_comes_back_as_it_was_put(void **state)
{
	struct world *w = *state;
	char text[VL_UNREAD_TEXT];

	put(w, place(3, 5, 15));
	put(w, place(3, 5, 15));
	put(w, place(3, 9, 15)); /* within: headquarters began there this time */
	struct seen seen = look(w);
	assert_int_equal(seen.n, 1);
	const struct vl_unread *u = &seen.all[0];
	assert_int_equal(u->kind, VL_UNREAD_PASSED);
	assert_string_equal(u->topic, LANE);
	assert_int_equal(u->partition, 3);
	assert_true(u->from == 5 && u->to == 15 && u->times == 1 && u->bytes == 10 &&
		    u->since_ms == 77);
	assert_int_equal(u->err, VL_ERR_CORRUPT);
	assert_string_equal(
		vl_unread_text(u, text),
		"'" LANE
		"' partition 3, offsets 5 to 14 (1 batches, 10 bytes): unreadable: broken");
}

static void the_places_of_a_partition_are_bounded_and_none_is_forgotten(void **state)
{
	struct world *w = *state;
	uint64_t times = 0, bytes = 0;

	for (int64_t i = 0; i < 3 * VL_UNREAD_ROWS; i++)
		put(w, place(0, 10 * i, 10 * i + 2));
	put(w, place(1, 4, 5));
	struct seen seen = look(w);
	assert_int_equal(seen.n, VL_UNREAD_ROWS + 1);
	for (size_t i = 0; i < VL_UNREAD_ROWS; i++) {
		times += seen.all[i].times;
		bytes += seen.all[i].bytes;
	}
	assert_int_equal(times, 3 * VL_UNREAD_ROWS);
	assert_int_equal(bytes, 30 * VL_UNREAD_ROWS);
	assert_int_equal(seen.all[VL_UNREAD_ROWS - 1].to, 10 * (3 * VL_UNREAD_ROWS - 1) + 2);
	assert_int_equal(seen.all[VL_UNREAD_ROWS].partition, 1);
}

static void what_waits_goes_and_what_was_passed_stays(void **state)
{
	struct world *w = *state;
	struct vl_unread waits = {.kind = VL_UNREAD_WAITING,
				  .topic = LANE,
				  .partition = -1,
				  .err = VL_ERR_PERMISSION};
	struct vl_notes notes;

	put(w, place(0, 1, 2));
	vl_notes_open(&notes);
	vl_notes_put(&notes, &waits, false);
	assert_int_equal(vl_notes_write(&notes, w->store, NULL), VL_OK);
	assert_int_equal(look(w).n, 2);
	assert_int_equal(look(w).all[1].partition, -1);
	vl_notes_put(&notes, &waits, true);
	vl_notes_put(&notes, &waits, true);
	assert_int_equal(vl_notes_write(&notes, w->store, NULL), VL_OK);
	assert_int_equal(look(w).n, 1);
	for (int32_t partition = 0; partition < 5; partition++) {
		waits.partition = partition;
		vl_notes_put(&notes, &waits, false);
	}
	assert_int_equal(vl_notes_write(&notes, w->store, NULL), VL_OK);
	vl_notes_close(&notes);
	assert_int_equal(look(w).n, 6);
	struct vl_txn *txn = vl_txn_begin(w->store, true, NULL);
	vl_unread_forget(txn, VL_UNREAD_WAITING);
	assert_int_equal(vl_txn_commit(txn, NULL), VL_OK);
	assert_int_equal(look(w).n, 1);
	assert_int_equal(look(w).all[0].kind, VL_UNREAD_PASSED);
}

/* -- settings -- */

struct setting {
	const char *name, *value;
};

static const char *value_of(void *context, const char *name)
{
	for (const struct setting *s = context; s->name != NULL; s++)
		if (strcmp(s->name, name) == 0)
			return s->value;
	return NULL;
}

/* The names of what is wrong with a topic that is right but for `changed`. */
static const char *wrong(const char *topic, const char *policy, int32_t partitions,
			 struct setting changed)
{
	static char names[256];
	struct vl_unread found[VL_SETTINGS_FOUND];
	struct setting settings[] = {
		changed,
		{"message.timestamp.type", "LogAppendTime"},
		{"cleanup.policy", policy},
		{"retention.ms", "-1"},
		{"retention.bytes", "-1"},
		{"max.message.bytes", "1048588"},
		{"min.compaction.lag.ms", "2592000000"},
		{NULL, NULL},
	};
	size_t n = vl_settings_judge(topic, partitions, value_of, settings, found);

	names[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		assert_string_equal(found[i].topic, topic);
		assert_int_equal(found[i].kind, VL_UNREAD_SETTING);
		assert_true(found[i].words[0] != '\0');
		(void)strcat(strcat(names, i > 0 ? " " : ""), found[i].name);
	}
	return names;
}

static void what_is_relied_on_is_judged_topic_by_topic(void **state)
{
	static const struct setting none = {"x", "y"};

	(void)state;
	assert_string_equal(wrong(LANE, "delete", 4, none), "");
	assert_string_equal(wrong("valise.receipt.v1", "compact", 1, none), "");
	assert_string_equal(wrong("valise.pulse.v1", "compact", 7, none), "");
	assert_string_equal(wrong(LANE, "compact", 4, none), "cleanup.policy");
	assert_string_equal(wrong("valise.receipt.v1", "delete", 3, none),
			    "cleanup.policy partitions");
	assert_string_equal(wrong("valise.receipt.v1.CN-SD-EMB", "compact", 2, none), "partitions");
	assert_string_equal(wrong("valise.directive.v1", "delete", 2, none), "partitions");
	assert_string_equal(
		wrong(LANE, "delete", 4, (struct setting){"message.timestamp.type", "CreateTime"}),
		"message.timestamp.type");
	assert_string_equal(wrong(LANE, "delete", 4, (struct setting){"retention.ms", "604800000"}),
			    "retention.ms");
	assert_string_equal(
		wrong(LANE, "delete", 4, (struct setting){"max.message.bytes", "50000"}),
		"max.message.bytes");
	assert_string_equal(
		wrong(LANE, "delete", 4, (struct setting){"max.message.bytes", "99999999"}),
		"max.message.bytes");
	assert_string_equal(wrong("valise.pulse.v1", "compact", 1,
				  (struct setting){"min.compaction.lag.ms", "0"}),
			    "min.compaction.lag.ms");
}

#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_WORLD(a_place_comes_back_as_it_was_put),
		IN_WORLD(the_places_of_a_partition_are_bounded_and_none_is_forgotten),
		IN_WORLD(what_waits_goes_and_what_was_passed_stays),
		cmocka_unit_test(what_is_relied_on_is_judged_topic_by_topic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
