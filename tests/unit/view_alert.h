/*
 * The fixture of the tests of the view of alerts: alerts that are drafted, approved and published,
 * and questions about their rows.
 *
 * Next: view_traveller.h, travellers in it.
 */
#ifndef VALISE_TESTS_VIEW_ALERT_H
#define VALISE_TESTS_VIEW_ALERT_H

#include "hq/views/alert.h"
#include "view_fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ALERT(name) Consular__Alert__V1__##name
#define ALERT_DESCRIPTOR(name) &consular__alert__v1__##name##__descriptor
#define ALERT_STATE(name) ALERT_STATE_##name
#define ALERT_STATUS(name) CAP_STATUS_##name
#define ALERT_TYPE(name) CAP_MESSAGE_TYPE_##name
#define ALERT_COLOUR(name) RISK_COLOUR_##name
#define ALERT_BOARD_ALL "all"

extern const struct vl_view vl_view_alert;

#define A "CN-SD-EMB"
#define HQ "HQ"
#define HOUR INT64_C(3600000)
#define T0 INT64_C(1700000000000)
#define SEED UINT64_C(20170926)
#define SENDER "cs.example.org"
#define APP CONSULAR__ALERT__V1__ALERT_CHANNEL__ALERT_CHANNEL_APP
#define INTERNAL CONSULAR__ALERT__V1__ALERT_CHANNEL__ALERT_CHANNEL_INTERNAL
#define STAGE(name) CONSULAR__ALERT__V1__DELIVERY_STAGE__DELIVERY_STAGE_##name
#define ALL_CLEAR CONSULAR__ALERT__V1__CAP_RESPONSE__CAP_RESPONSE_ALL_CLEAR

struct bench {
	struct fake *fake;
	int64_t now;
};

static inline struct bench bench(void)
{
	return (struct bench){.fake = fake_open(&vl_view_alert), .now = T0};
}

static const uint8_t *tell_as(struct bench *bench, const char *mission, const char *actor,
			      const char *subject, const ProtobufCMessage *payload)
{
	bench->now += HOUR;
	return fake_next(bench->fake, mission, bench->now, subject, actor, NULL, payload);
}

/* A text, with room for it: `issue` of an event. Zero is left out; times are hours after T0. */
struct text {
	const char *id, *area, *refers_to, *also_refers_to, *refers_to_sender;
	const char *languages[3];
	ALERT(CapStatus) status;
	ALERT(RiskColour) colour;
	int64_t effective, expires;
	bool all_clear, on_app;
	const char *promised;
};

static inline Google__Protobuf__Timestamp *hours(Google__Protobuf__Timestamp *stamp, int64_t count)
{
	google__protobuf__timestamp__init(stamp);
	stamp->seconds = (T0 + count * HOUR) / 1000;
	return stamp;
}

static inline ALERT(CapAlert) *cap_of(const struct text *text)
{
	static ALERT(CapAlert) cap;
	static ALERT(CapInfo) infos[3];
	static ALERT(CapInfo) *info_list[3];
	static ALERT(CapReference) references[2];
	static ALERT(CapReference) *reference_list[2];
	static Google__Protobuf__Timestamp effective, expires;
	static ALERT(CapResponse) responses[1];
	const char *refers_to[2] = {text->refers_to, text->also_refers_to};
	consular__alert__v1__cap_alert__init(&cap);
	cap.identifier = (char *)(uintptr_t)text->id;
	cap.sender = (char *)(uintptr_t)SENDER;
	cap.status = text->status != 0 ? text->status : ALERT_STATUS(ACTUAL);
	cap.infos = info_list;
	for (size_t i = 0; i < 3 && (i == 0 || text->languages[i] != NULL); i++) {
		ALERT(CapInfo) *info = info_list[cap.n_infos++] = &infos[i];
		consular__alert__v1__cap_info__init(info);
		info->language = (char *)(uintptr_t)(text->languages[i] != NULL ? text->languages[i]
										: "zh-CN");
		info->effective = text->effective != 0 ? hours(&effective, text->effective) : NULL;
		info->expires = text->expires != 0 ? hours(&expires, text->expires) : NULL;
		responses[0] = ALL_CLEAR;
		info->n_responses = text->all_clear;
		info->responses = responses;
	}
	cap.references = reference_list;
	for (size_t i = 0; i < 2 && refers_to[i] != NULL; i++) {
		ALERT(CapReference) *reference = reference_list[cap.n_references++] =
			&references[i];
		consular__alert__v1__cap_reference__init(reference);
		reference->sender =
			(char *)(uintptr_t)(text->refers_to_sender != NULL ? text->refers_to_sender
									   : SENDER);
		reference->identifier = (char *)(uintptr_t)refers_to[i];
	}
	return &cap;
}

static inline ALERT(Issue) *issue_of(const struct text *text)
{
	static ALERT(Issue) issue;
	static ALERT(AreaLevel) level;
	static ALERT(AreaLevel) *level_list[1] = {&level};
	static ALERT(AlertChannel) channels[1];
	static char *promised[1];
	consular__alert__v1__issue__init(&issue);
	issue.cap = cap_of(text);
	consular__alert__v1__area_level__init(&level);
	level.area = (char *)(uintptr_t)(text->area != NULL ? text->area : "SD");
	level.colour = text->colour != 0 ? text->colour : ALERT_COLOUR(YELLOW);
	issue.n_levels = 1;
	issue.levels = level_list;
	channels[0] = text->on_app ? APP : INTERNAL;
	issue.n_channels = 1;
	issue.channels = channels;
	promised[0] = (char *)(uintptr_t)text->promised;
	issue.n_languages = text->promised != NULL;
	issue.languages = promised;
	return &issue;
}

/* Event of one of the five types that carry a text; they have the same shape. */
static inline const ProtobufCMessage *say(const ProtobufCMessageDescriptor *type,
					  const struct text *text)
{
	static ALERT(AlertPublished) event;
	protobuf_c_message_init(type, &event);
	event.issue = issue_of(text);
	return (const ProtobufCMessage *)&event;
}
#define SAY(lower, ...) say(ALERT_DESCRIPTOR(lower), &(struct text){__VA_ARGS__})

static inline const ProtobufCMessage *approval(void)
{
	static ALERT(AlertApproved) event;
	consular__alert__v1__alert_approved__init(&event);
	return (const ProtobufCMessage *)&event;
}

static inline const ProtobufCMessage *delivery(ALERT(AlertChannel) channel,
					       ALERT(DeliveryStage) stage)
{
	static ALERT(DeliveryReported) event;
	static ALERT(Delivery) one;
	consular__alert__v1__delivery_reported__init(&event);
	consular__alert__v1__delivery__init(&one);
	one.channel = channel;
	one.stage = stage;
	one.recipients = 1000;
	event.delivery = &one;
	return (const ProtobufCMessage *)&event;
}

/* Drafted by one officer, approved by another at headquarters, published: as it should be. */
static inline void issue_properly(struct bench *bench, const ProtobufCMessageDescriptor *type,
				  const struct text *text)
{
	tell_as(bench, A, "author-1", text->id, say(ALERT_DESCRIPTOR(alert_drafted), text));
	const uint8_t *approved = tell_as(bench, HQ, "chief-1", text->id, approval());
	bench->now += HOUR;
	fake_next(bench->fake, A, bench->now, text->id, "author-1", approved, say(type, text));
}
#define ISSUE(bench, lower, ...) \
	issue_properly(bench, ALERT_DESCRIPTOR(lower), &(struct text){__VA_ARGS__})

static inline const ALERT(AlertRow) *row_of(struct bench *bench, const char *key)
{
	fake_fold(bench->fake);
	const ALERT(AlertRow) *row = (const void *)fake_row(bench->fake, ALERT_KIND_ALERT, key);
	assert_non_null(row);
	return row;
}

static inline const ALERT(AreaRow) *area_of(struct bench *bench, const char *key)
{
	fake_fold(bench->fake);
	const ALERT(AreaRow) *row = (const void *)fake_row(bench->fake, ALERT_KIND_AREA, key);
	assert_non_null(row);
	return row;
}

static inline unsigned broken(struct bench *bench, const char *key, const char *rule)
{
	return fake_violations((const ProtobufCMessage *)row_of(bench, key), rule);
}

static inline bool in_force(struct bench *bench, const char *key, int64_t hour)
{
	return vl_alert_in_force(row_of(bench, key), vl_time_from_ms(T0 + hour * HOUR));
}

static inline int level_at(struct bench *bench, const char *key, int64_t hour)
{
	return (int)vl_alert_area_level_at(area_of(bench, key), vl_time_from_ms(T0 + hour * HOUR));
}

static inline void done(struct bench *bench)
{
	print_message("seed %llu\n", (unsigned long long)SEED);
	assert_true(fake_converges(bench->fake, SEED, 8));
	fake_close(bench->fake);
}

#endif
