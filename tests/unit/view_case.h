/*
 * Cases in the fake engine: two missions, an event a call, and the rows read back.
 *
 * Next: view_alert.h, alerts in it.
 */
#ifndef VALISE_TESTS_VIEW_CASE_H
#define VALISE_TESTS_VIEW_CASE_H

#include "hq/views/case.h"
#include "view_fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka.h needs those before it. */
#include <cmocka.h>

#define CASE(name) Consular__Case__V1__##name
#define CASE_DESCRIPTOR(name) &consular__case__v1__##name##__descriptor
#define CASE_STATE(name) CASE_STATE_##name
#define CASE_TYPE(name) CASE_TYPE_##name
#define CASE_TRANSFER(name) TRANSFER_STATE_##name
#define CASE_BOARD_ALL "all"

extern const struct vl_view vl_view_case;

#define A "CN-SD-EMB"
#define B "CN-EG-EMB"
#define HOUR INT64_C(3600000)
#define T0 INT64_C(1700000000000)
#define SEED UINT64_C(20230901)

/* A payload of the lane with some fields set: EVENT(CaseClosed, case_closed, .outcome = HELPED). */
#define EVENT(name, lower, ...)                   \
	((const ProtobufCMessage *)&(CASE(name)){ \
		.base = PROTOBUF_C_MESSAGE_INIT(CASE_DESCRIPTOR(lower)), __VA_ARGS__})
#define HELPED CONSULAR__CASE__V1__OUTCOME__OUTCOME_HELPED
#define P(n) CONSULAR__CASE__V1__PRIORITY__PRIORITY_P##n
#define AUTOMATIC CONSULAR__CASE__V1__MODE__MODE_AUTOMATIC
#define HUMAN CONSULAR__CASE__V1__MODE__MODE_HUMAN
#define NONE (char *)(uintptr_t)protobuf_c_empty_string

struct bench {
	struct fake *fake;
	int64_t now;
};

static inline struct bench bench(void)
{
	return (struct bench){.fake = fake_open(&vl_view_case), .now = T0};
}

/* The next fact of `mission`, an hour after the last one. */
static inline const uint8_t *tell(struct bench *bench, const char *mission, const char *subject,
				  const ProtobufCMessage *payload)
{
	bench->now += HOUR;
	return fake_next(bench->fake, mission, bench->now, subject, "officer-7", NULL, payload);
}

static inline const ProtobufCMessage *opening(CASE(CaseType) type)
{
	static CASE(CaseOpened) event;
	consular__case__v1__case_opened__init(&event);
	event.type = type;
	event.persons = 3;
	event.host_country = (char *)(uintptr_t) "SD";
	return (const ProtobufCMessage *)&event;
}

static inline const ProtobufCMessage *contact(void)
{
	static CASE(ContactMade) event;
	consular__case__v1__contact_made__init(&event);
	event.whom = CONSULAR__CASE__V1__PARTY__PARTY_SUBJECT;
	return (const ProtobufCMessage *)&event;
}

static inline const ProtobufCMessage *closing(void)
{
	static CASE(CaseClosed) event;
	consular__case__v1__case_closed__init(&event);
	event.outcome = HELPED;
	return (const ProtobufCMessage *)&event;
}

static inline const ProtobufCMessage *offer(const char *name, const char *to)
{
	static CASE(TransferOffered) event;
	consular__case__v1__transfer_offered__init(&event);
	event.transfer = (char *)(uintptr_t)name;
	event.to = (char *)(uintptr_t)to;
	return (const ProtobufCMessage *)&event;
}

static inline const ProtobufCMessage *acceptance(const char *name)
{
	static CASE(TransferAccepted) event;
	consular__case__v1__transfer_accepted__init(&event);
	event.transfer = (char *)(uintptr_t)name;
	return (const ProtobufCMessage *)&event;
}

static inline const ProtobufCMessage *merge(const char *into)
{
	static CASE(CaseMerged) event;
	consular__case__v1__case_merged__init(&event);
	event.into = (char *)(uintptr_t)into;
	return (const ProtobufCMessage *)&event;
}

static inline const CASE(CaseRow) *row_of(struct bench *bench, const char *key)
{
	fake_fold(bench->fake);
	const CASE(CaseRow) *row = (const void *)fake_row(bench->fake, CASE_KIND_CASE, key);
	assert_non_null(row);
	return row;
}

static inline unsigned broken(struct bench *bench, const char *key, const char *rule)
{
	return fake_violations((const ProtobufCMessage *)row_of(bench, key), rule);
}

static inline const CASE(BoardRow) *board_of(struct bench *bench, const char *key)
{
	fake_fold(bench->fake);
	const CASE(BoardRow) *row = (const void *)fake_row(bench->fake, CASE_KIND_BOARD, key);
	assert_non_null(row);
	return row;
}

static inline int64_t named(Valise__V1__Count *const *counts, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(counts[i]->name, name) == 0)
			return counts[i]->count;
	}
	return 0;
}

/* The end of every test: the same rows in any order of arrival. */
static inline void done(struct bench *bench)
{
	print_message("seed %llu\n", (unsigned long long)SEED);
	assert_true(fake_converges(bench->fake, SEED, 8));
	fake_close(bench->fake);
}

#endif
