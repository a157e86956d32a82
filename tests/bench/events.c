#include "events.h"

#include "base/clock.h"
#include "consular/case/v1/case.pb-c.h"
#include "valise/v1/batch.pb-c.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SUBJECT "CN-SD-2026-0000000"
#define NONCE 24
#define SEAL 96

static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* Where a run of bytes stands that is there once. */
static size_t find(const struct bench_events *events, const void *bytes, size_t count)
{
	const uint8_t *at = memmem(events->bytes, events->size, bytes, count);

	if (at == NULL)
		abort();
	return (size_t)(at - events->bytes);
}

void bench_events_start(struct bench_events *events, uint64_t seed)
{
	uint8_t id[16], seal[SEAL], nonce[NONCE], payload[BENCH_EVENT_MAX];
	struct timespec now;

	memset(id, 0x11, sizeof(id));
	memset(seal, 0x22, sizeof(seal));
	memset(nonce, 0x33, sizeof(nonce));
	(void)clock_gettime(CLOCK_REALTIME, &now);
	Valise__V1__Sealed sealed = VALISE__V1__SEALED__INIT;
	sealed.subject_key = "key/2026/" SUBJECT;
	sealed.nonce = (ProtobufCBinaryData){sizeof(nonce), nonce};
	sealed.ciphertext = (ProtobufCBinaryData){sizeof(seal), seal};
	Consular__Case__V1__CaseOpened opened = CONSULAR__CASE__V1__CASE_OPENED__INIT;
	opened.type = CONSULAR__CASE__V1__CASE_TYPE__CASE_TYPE_ARREST_DETENTION;
	opened.channel = 3;
	opened.persons = 2;
	opened.host_country = "SD";
	opened.place = "Khartoum";
	opened.personal_form_case = CONSULAR__CASE__V1__CASE_OPENED__PERSONAL_FORM_SEALED_PERSONAL;
	opened.sealed_personal = &sealed;
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	any.type_url = "type.googleapis.com/consular.case.v1.CaseOpened";
	any.value = (ProtobufCBinaryData){consular__case__v1__case_opened__pack(&opened, payload),
					  payload};
	Google__Protobuf__Timestamp occurred_at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	occurred_at.seconds = now.tv_sec;
	occurred_at.nanos = 123456789;
	Valise__V1__Event event = VALISE__V1__EVENT__INIT;
	event.id = (ProtobufCBinaryData){sizeof(id), id};
	event.occurred_at = &occurred_at;
	event.subject = SUBJECT;
	event.payload = &any;
	event.actor = "officer:li.wei";
	if (valise__v1__event__get_packed_size(&event) > BENCH_EVENT_MAX)
		abort();
	events->size = valise__v1__event__pack(&event, events->bytes);
	events->id = find(events, id, sizeof(id));
	events->seal = find(events, seal, sizeof(seal));
	events->nonce = find(events, nonce, sizeof(nonce));
	events->subject = find(events, SUBJECT, sizeof(SUBJECT) - 1) + sizeof("CN-SD-2026-") - 1;
	events->random = seed * 7919 + (uint64_t)now.tv_nsec;
}

static void fill(struct bench_events *events, size_t at, size_t count)
{
	for (size_t i = 0; i < count; i += 8) {
		uint64_t random = next_random(&events->random);
		memcpy(events->bytes + at + i, &random, 8);
	}
}

void bench_events_next(struct bench_events *events)
{
	uint8_t *id = events->bytes + events->id;
	struct timespec now;
	char number[8];

	/* A UUIDv7. */
	(void)clock_gettime(CLOCK_REALTIME_COARSE, &now);
	uint64_t ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	for (int i = 0; i < 6; i++)
		id[i] = (uint8_t)(ms >> (40 - 8 * i));
	uint64_t a = next_random(&events->random), b = next_random(&events->random);
	memcpy(id + 6, &a, 2);
	memcpy(id + 8, &b, 8);
	id[6] = (uint8_t)(0x70 | (id[6] & 0x0f));
	id[8] = (uint8_t)(0x80 | (id[8] & 0x3f));
	(void)snprintf(number, sizeof(number), "%07u", (unsigned)(a % 100000));
	memcpy(events->bytes + events->subject, number, 7);
	fill(events, events->nonce, NONCE);
	fill(events, events->seal, SEAL);
}

double bench_seconds(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}
