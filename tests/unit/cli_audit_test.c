/* The audit: what is said of whole chains, in whatever order their records come. */
#include "cli/audit.h"

#include "bus_fixture.h"

#define LANE "consular.case.v1"
#define MISSION "CN-SD-EMB"

/* One record as verified: its numbers, prev and own digest by a byte each. */
struct made {
	uint64_t epoch, seq, first_event;
	uint8_t prev, digest;
};

static struct vl_bytes topic = BYTES(LANE);

static void add(struct cli_audit *audit, struct made m)
{
	static int64_t offset;
	const struct vl_record record = {.topic = topic, .key = BYTES(MISSION), .offset = offset++};
	const struct vl_verified verified = {
		.digest = {{m.digest}},
		.batch = {.head = {.mission = BYTES(MISSION),
				   .lane = vl_topic_lane(topic),
				   .epoch = {m.epoch},
				   .seq = {m.seq},
				   .first_event = {m.first_event},
				   .prev = {{m.prev}}},
			  .n_events = 10},
	};

	cli_audit_add(audit, &record, VL_OK, &verified);
}

/* Three batches of the first epoch, two of the second. */
static const struct made whole[] = {
	{5, 1, 1, 0, 11},  {5, 2, 11, 11, 12}, {5, 3, 21, 12, 13},
	{9, 1, 1, 13, 21}, {9, 2, 11, 21, 22},
};
#define WHOLE (sizeof(whole) / sizeof(whole[0]))

/* The line of these records, in this order; `audit` is to be closed. */
static const struct cli_audit_line *judge(struct cli_audit **audit, const struct made *records,
					  size_t count)
{
	*audit = cli_audit_open();
	assert_non_null(*audit);
	for (size_t i = 0; i < count; i++)
		add(*audit, records[i]);
	assert_int_equal(VL_OK, cli_audit_finish(*audit));
	assert_int_equal(1, cli_audit_count(*audit));
	return cli_audit_at(*audit, 0);
}

static void assert_line(const struct made *records, size_t count, uint64_t batches,
			uint64_t replayed, uint64_t gaps, uint64_t forks, uint64_t rollbacks,
			const char *verdict)
{
	struct cli_audit *audit;
	const struct cli_audit_line *line = judge(&audit, records, count);

	assert_string_equal(MISSION, line->mission);
	assert_true(vl_bytes_are(vl_topic_lane(topic), line->lane));
	assert_int_equal(batches, line->batches);
	assert_int_equal(10 * batches, line->events);
	assert_int_equal(replayed, line->replayed);
	assert_int_equal(gaps, line->gaps);
	assert_int_equal(forks, line->forks);
	assert_int_equal(rollbacks, line->rollbacks);
	assert_string_equal(verdict, cli_audit_verdict(line));
	cli_audit_close(audit);
}

static void test_whole(void **state)
{
	(void)state;
	assert_line(whole, WHOLE, 5, 0, 0, 0, 0, "ok");
}

static void test_replayed(void **state)
{
	const struct made twice[] = {whole[0], whole[1], whole[0], whole[2], whole[1],
				     whole[2], whole[3], whole[0], whole[4]};

	(void)state;
	assert_line(twice, 9, 5, 4, 0, 0, 0, "ok");
}

static void test_any_order_is_the_same(void **state)
{
	uint64_t seed = fixture_seed();
	struct made some[2 * WHOLE];

	(void)state;
	memcpy(some, whole, sizeof(whole));
	memcpy(some + WHOLE, whole, sizeof(whole));
	for (int round = 0; round < 200; round++) {
		for (size_t i = 2 * WHOLE - 1; i > 0; i--) {
			size_t j = (size_t)(fixture_next(&seed) % (i + 1));
			struct made m = some[i];
			some[i] = some[j];
			some[j] = m;
		}
		assert_line(some, 2 * WHOLE, 5, 5, 0, 0, 0, "ok");
	}
}

static void test_gap(void **state)
{
	const struct made holed[] = {whole[0], whole[2], whole[3], whole[4]},
			  headless[] = {whole[1], whole[2]};
	const struct made tailless[] = {whole[0], whole[1], whole[3], whole[4]},
			  late[] = {whole[0], whole[2], whole[1]};
	struct cli_audit *audit;

	(void)state;
	assert_line(holed, 4, 4, 0, 1, 0, 0, "gap");
	assert_line(headless, 2, 2, 0, 1, 0, 0, "gap");
	assert_line(tailless, 4, 4, 0, 1, 0, 0, "gap");
	assert_line(late, 3, 3, 0, 0, 0, 0, "ok");
	const struct cli_audit_line *line = judge(&audit, holed, 4);
	assert_int_equal(1, line->n_findings);
	assert_int_equal(CLI_FINDING_GAP, line->findings[0].kind);
	assert_int_equal(5, line->findings[0].epoch.n);
	assert_int_equal(2, line->findings[0].seq.n);
	assert_int_equal(2, line->findings[0].last_seq.n);
	cli_audit_close(audit);
}

static void test_fork(void **state)
{
	const struct made other = {5, 2, 11, 11, 99}, branch = {5, 3, 21, 99, 98},
			  after = {5, 4, 31, 98, 97};
	const struct made same_place[] = {whole[0], whole[1], other, whole[2]};
	const struct made from_branch[] = {whole[0], whole[1], branch, after};
	const struct made both[] = {whole[0], whole[1], branch, whole[2]};
	const struct made wrong_event[] = {whole[0], {5, 2, 12, 11, 12}};

	(void)state;
	assert_line(same_place, 4, 3, 0, 0, 1, 0, "fork");
	assert_line(from_branch, 4, 4, 0, 0, 1, 0, "fork");
	assert_line(both, 4, 3, 0, 0, 1, 0, "fork");
	assert_line(wrong_event, 2, 2, 0, 0, 1, 0, "fork");
}

static void test_rollback(void **state)
{
	const struct made forgot[] = {whole[0], whole[1], {9, 1, 1, 0, 31}, {9, 2, 11, 31, 32}};

	(void)state;
	assert_line(forgot, 4, 4, 0, 0, 0, 1, "rollback");
}

/* What Kafka forgets of a compacted topic is no gap; what it cannot have made is told all the
 * same. */
static void test_compacted(void **state)
{
	static const struct vl_bytes topics[] = {BYTES("valise.pulse.v1"),
						 BYTES("site.valise.receipt.v1")};
	const struct made holed[] = {whole[1], whole[3], whole[4], whole[4]};
	const struct made newest[] = {whole[4]}, late[] = {whole[1], whole[0], whole[2]};
	const struct made fork[] = {whole[0], whole[2], {5, 3, 21, 12, 99}, {5, 4, 31, 98, 97}};
	const struct made forgot[] = {whole[1], {9, 1, 1, 0, 31}, {9, 3, 21, 32, 33}};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		topic = topics[i];
		assert_line(whole, WHOLE, 5, 0, 0, 0, 0, "ok");
		assert_line(holed, 4, 3, 1, 0, 0, 0, "ok");
		assert_line(newest, 1, 1, 0, 0, 0, 0, "ok");
		assert_line(late, 3, 2, 1, 0, 0, 0, "ok");
		assert_line(fork, 4, 3, 0, 0, 2, 0, "fork");
		assert_line(forgot, 3, 3, 0, 0, 0, 1, "rollback");
	}
	topic = BYTES("valise.directive.v1");
	assert_line(newest, 1, 1, 0, 1, 0, 0, "gap");
	topic = BYTES(LANE);
}

static void test_bad(void **state)
{
	struct cli_audit *audit = cli_audit_open();
	const struct vl_record named = {.topic = BYTES("site." LANE),
					.key = BYTES(MISSION),
					.offset = 7},
			       nameless = {.topic = BYTES(LANE), .key = BYTES("not a mission")},
			       keyless = {.topic = BYTES(LANE)};

	(void)state;
	cli_audit_add(audit, &named, VL_ERR_BAD_SIGNATURE, NULL);
	cli_audit_add(audit, &named, VL_ERR_UNSIGNED, NULL);
	cli_audit_add(audit, &nameless, VL_ERR_MALFORMED, NULL);
	cli_audit_add(audit, &keyless, VL_ERR_NULL_VALUE, NULL);
	add(audit, whole[0]);
	assert_int_equal(VL_OK, cli_audit_finish(audit));
	assert_int_equal(2, cli_audit_count(audit));
	const struct cli_audit_line *nobody = cli_audit_at(audit, 0),
				    *mission = cli_audit_at(audit, 1);
	assert_string_equal("?", nobody->mission);
	assert_int_equal(2, nobody->bad);
	assert_string_equal(MISSION, mission->mission);
	assert_string_equal(LANE, mission->lane);
	assert_int_equal(2, mission->bad);
	assert_int_equal(1, mission->reasons[VL_ERR_BAD_SIGNATURE]);
	assert_int_equal(1, mission->batches);
	assert_string_equal("bad", cli_audit_verdict(mission));
	assert_int_equal(7, mission->findings[0].offset);
	cli_audit_close(audit);
}

static void test_drill(void **state)
{
	struct cli_audit *audit = cli_audit_open();
	const struct vl_record record = {.topic = BYTES(LANE), .key = BYTES(MISSION)};
	const struct vl_verified drill = {.domain = VL_DOMAIN_DRILL,
					  .batch = {.head = {.seq = {9}}, .n_events = 1}};

	(void)state;
	cli_audit_add(audit, &record, VL_OK, &drill);
	assert_int_equal(VL_OK, cli_audit_finish(audit));
	assert_int_equal(1, cli_audit_at(audit, 0)->drills);
	assert_int_equal(0, cli_audit_at(audit, 0)->batches);
	assert_string_equal("ok", cli_audit_verdict(cli_audit_at(audit, 0)));
	cli_audit_close(audit);
}

/* More than the tables begin with. */
static void test_many(void **state)
{
	struct cli_audit *audit = cli_audit_open();

	(void)state;
	for (uint64_t seq = 1; seq <= 3000; seq++)
		add(audit, (struct made){1, seq, 1 + 10 * (seq - 1),
					 seq == 1 ? 0 : (uint8_t)(1 + (seq - 1) % 250),
					 (uint8_t)(1 + seq % 250)});
	for (uint64_t seq = 1; seq <= 3000; seq += 2)
		add(audit, (struct made){1, seq, 1 + 10 * (seq - 1), 0,
					 (uint8_t)(seq % 4 == 1 ? 1 + seq % 250 : 0)});
	assert_int_equal(VL_OK, cli_audit_finish(audit));
	const struct cli_audit_line *line = cli_audit_at(audit, 0);
	assert_int_equal(3000, line->batches);
	assert_int_equal(750, line->replayed);
	assert_int_equal(750, line->forks);
	assert_int_equal(750, line->n_findings);
	cli_audit_close(audit);
}

/* -- bounds -- */

static struct cli_audit *bounded(size_t batches, size_t waiting, size_t findings, size_t lines)
{
	struct cli_audit *audit = cli_audit_open();

	assert_non_null(audit);
	cli_audit_bound(audit, &(struct cli_audit_bounds){batches, waiting, findings, lines});
	return audit;
}

static struct made nth(uint64_t seq)
{
	return (struct made){1, seq, 1 + 10 * (seq - 1),
			     seq == 1 ? 0 : (uint8_t)(1 + (seq - 1) % 250),
			     (uint8_t)(1 + seq % 250)};
}

/* Beyond what is remembered a chain is judged all the same; only what comes again of it cannot
 * be compared, and that is said. */
static void test_more_than_is_remembered(void **state)
{
	struct cli_audit *audit = bounded(100, 100, 100, 10);

	(void)state;
	for (uint64_t seq = 1; seq <= 300; seq++)
		add(audit, nth(seq));
	add(audit, nth(50));
	assert_string_equal("ok", cli_audit_verdict(cli_audit_at(audit, 0)));
	add(audit, nth(200));
	struct made other = nth(250);
	other.digest = 251;
	add(audit, other);
	assert_int_equal(VL_OK, cli_audit_finish(audit));
	const struct cli_audit_line *line = cli_audit_at(audit, 0);
	assert_int_equal(300, line->batches);
	assert_int_equal(1, line->replayed);
	assert_int_equal(2, line->unsure);
	assert_int_equal(0, line->forks + line->gaps);
	assert_string_equal("unsure", cli_audit_verdict(line));
	cli_audit_close(audit);
}

/* Too many behind a hole are judged without what is missing: a gap, and no fork when it comes
 * after all. */
static void test_more_than_may_wait(void **state)
{
	struct cli_audit *audit = bounded(1000, 50, 100, 10);

	(void)state;
	for (uint64_t seq = 2; seq <= 200; seq++)
		add(audit, nth(seq));
	add(audit, nth(1));
	add(audit, nth(100));
	assert_int_equal(VL_OK, cli_audit_finish(audit));
	const struct cli_audit_line *line = cli_audit_at(audit, 0);
	assert_int_equal(199, line->batches);
	assert_int_equal(1, line->gaps);
	assert_int_equal(0, line->forks);
	assert_int_equal(1, line->replayed);
	assert_int_equal(1, line->unsure);
	assert_string_equal("gap", cli_audit_verdict(line));
	cli_audit_close(audit);
}

/* Whoever writes other names on records that are not authentic makes neither lines nor findings
 * without end. */
static void test_names_of_nobody(void **state)
{
	struct cli_audit *audit = bounded(1000, 50, 20, 10);

	(void)state;
	add(audit, whole[0]);
	for (unsigned i = 0; i < 100; i++) {
		char name[16];
		(void)snprintf(name, sizeof(name), "CN-%03u", i);
		const struct vl_record record = {.topic = topic, .key = vl_bytes_of(name)};
		cli_audit_add(audit, &record, VL_ERR_BAD_SIGNATURE, NULL);
	}
	add(audit, whole[1]);
	assert_int_equal(VL_OK, cli_audit_finish(audit));
	uint64_t bad = 0, findings = 0;
	for (size_t i = 0; i < cli_audit_count(audit); i++) {
		bad += cli_audit_at(audit, i)->bad;
		findings += cli_audit_at(audit, i)->n_findings;
	}
	assert_int_equal(11, cli_audit_count(audit));
	assert_int_equal(100, bad);
	assert_int_equal(20, findings);
	cli_audit_close(audit);
}

/* -- acknowledged -- */

static const char *acknowledged(const struct made *records, size_t count,
				enum cli_finding_kind kind, uint64_t epoch, uint64_t batches)
{
	struct cli_audit *audit;
	const struct cli_audit_line *line = judge(&audit, records, count);

	cli_audit_acknowledge(audit, MISSION, LANE, kind, (struct vl_epoch){epoch}, batches);
	const char *verdict = cli_audit_verdict(line);
	cli_audit_close(audit);
	return verdict;
}

/* By its epoch; a fork also by how many different batches came of it, however often, and
 * whichever branch came first. */
static void test_acknowledged(void **state)
{
	const struct made other = {5, 2, 11, 11, 99}, branch = {5, 3, 21, 99, 98};
	const struct made forked[] = {whole[0], whole[1], other,  whole[2],
				      other,    branch,   branch, whole[3]};
	const struct made turned[] = {whole[0], other,    branch,  whole[1],
				      whole[2], whole[1], whole[3]};
	const struct made forgot[] = {whole[0], whole[1], {9, 1, 1, 0, 31}, {10, 1, 1, 0, 32}};

	(void)state;
	assert_string_equal("fork", acknowledged(forked, 8, CLI_FINDING_FORK, 5, 4));
	assert_string_equal("ok", acknowledged(forked, 8, CLI_FINDING_FORK, 5, 5));
	assert_string_equal("fork", acknowledged(forked, 8, CLI_FINDING_FORK, 9, 5));
	assert_string_equal("fork", acknowledged(forked, 8, CLI_FINDING_ROLLBACK, 5, 5));
	assert_string_equal("gap", acknowledged(turned, 7, CLI_FINDING_FORK, 5, 5));
	assert_string_equal("rollback", acknowledged(forgot, 3, CLI_FINDING_ROLLBACK, 5, 0));
	assert_string_equal("ok", acknowledged(forgot, 3, CLI_FINDING_ROLLBACK, 9, 0));
	assert_string_equal("rollback", acknowledged(forgot, 4, CLI_FINDING_ROLLBACK, 9, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_replayed),
		cmocka_unit_test(test_any_order_is_the_same),
		cmocka_unit_test(test_gap),
		cmocka_unit_test(test_fork),
		cmocka_unit_test(test_rollback),
		cmocka_unit_test(test_compacted),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_drill),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_more_than_is_remembered),
		cmocka_unit_test(test_more_than_may_wait),
		cmocka_unit_test(test_names_of_nobody),
		cmocka_unit_test(test_acknowledged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
