/*
 * A small world for tests of headquarters: senders with keys and chains, records as Kafka would bring them, and a ledger in a
 * folder of its own. Deterministic: keys from the sender's number, time from the event's.
 */
#ifndef VALISE_TESTS_HQ_WORLD_H
#define VALISE_TESTS_HQ_WORLD_H

#include "base/text.h"
#include "bus/batch.h"
#include "bus/keys.h"
#include "bus/record.h"
#include "bus/wire.h"
#include "consular/case/v1/case.pb-c.h"
#include "hq/apply.h"
#include "hq/digest.h"
#include "hq/ledger.h"
#include "hq/standing.h"
#include "hq/views.h"
#include "valise/v1/batch.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define LANE "consular.case.v1"
#define TYPE_PREFIX "type.googleapis.com/"

struct sender {
	char id[VL_MISSION_MAX + 1];
	struct vl_signer *signer;
	struct vl_epoch epoch;
	uint64_t seq, next_event;
	struct vl_digest head;
};

/* A record with its memory. */
struct sent {
	struct vl_buf value;
	char sig[VL_SIG_TEXT];
	char key[VL_MISSION_MAX + 1];
	struct vl_record record;
};

struct world {
	char dir[64], keys[80], views[80];
	struct vl_ring *ring;
	struct vl_store *store;
	struct vl_applier *applier;
	struct vl_arena *arena;
	int64_t offset;
	int64_t later_ms; /* of the broker's clock */
};

static inline struct sender sender_new(const char *id, unsigned n)
{
	struct sender s = {.epoch = {1000}, .next_event = 1};
	uint8_t seed[32] = {(uint8_t)n, (uint8_t)(n >> 8), 0x5e};

	(void)snprintf(s.id, sizeof(s.id), "%s", id);
	assert_int_equal(vl_signer_open(seed, &s.signer), VL_OK);
	return s;
}

static inline void world_enrol(struct world *w, const struct sender *s)
{
	char path[160], hex[65];
	(void)snprintf(path, sizeof(path), "%s/%s.pub", w->keys, s->id);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	(void)fprintf(file, "%s %s\n", s->id, vl_hex(vl_signer_public(s->signer)->bytes, 32, hex));
	assert_int_equal(fclose(file), 0);
}

static inline void world_open_ledger(struct world *w, const char *views)
{
	struct vl_why why = {0};
	(void)snprintf(w->views, sizeof(w->views), "%s/%s", w->dir, views);
	enum vl_err err = vl_ledger_open(w->views, (size_t)256 << 20, false, &w->store, &why);
	if (err != VL_OK)
		print_error("%s\n", why.text);
	assert_int_equal(err, VL_OK);
	assert_int_equal(vl_applier_open(w->store, &w->applier), VL_OK);
}

static inline void world_close_ledger(struct world *w)
{
	vl_applier_close(w->applier);
	vl_store_close(w->store);
	w->applier = NULL;
	w->store = NULL;
}

static inline void world_open(struct world *w, const struct sender *senders, size_t n)
{
	/* In memory where that can be: thousands of commits are made, and none of these tests pulls a plug. */
	*w = (struct world){.dir = "/tmp/valise-hq-test-XXXXXX"};
	if (access("/dev/shm", W_OK) == 0)
		(void)snprintf(w->dir, sizeof(w->dir), "/dev/shm/valise-hq-test-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	(void)snprintf(w->keys, sizeof(w->keys), "%s/keys", w->dir);
	assert_int_equal(mkdir(w->keys, 0700), 0);
	for (size_t i = 0; i < n; i++)
		world_enrol(w, &senders[i]);
	struct vl_why why = {0};
	enum vl_err err = vl_ring_open(w->keys, &w->ring, &why);
	if (err != VL_OK)
		print_error("%s\n", why.text);
	assert_int_equal(err, VL_OK);
	w->arena = vl_arena_open(0);
	world_open_ledger(w, "views");
}

static inline void world_close(struct world *w)
{
	char command[128];
	if (w->store != NULL)
		world_close_ledger(w);
	vl_ring_close(w->ring);
	vl_arena_close(w->arena);
	(void)snprintf(command, sizeof(command), "rm -rf %s", w->dir);
	assert_int_equal(system(command), 0);
}

/* One serialised Event. `id` numbers it; times are seconds. */
static inline void put_event(struct vl_buf *out, uint64_t id, const char *subject, int64_t at,
			     const ProtobufCMessage *payload, uint64_t after)
{
	struct vl_buf packed = {0};
	char url[160];
	uint8_t id_bytes[16] = {1}, after_bytes[16] = {1};
	Google__Protobuf__Timestamp time = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	Valise__V1__Event event = VALISE__V1__EVENT__INIT;

	vl_put_be64(id_bytes + 8, id);
	vl_put_be64(after_bytes + 8, after);
	vl_wire_pack(payload, &packed);
	(void)snprintf(url, sizeof(url), TYPE_PREFIX "%s", payload->descriptor->name);
	any.type_url = url;
	any.value = (ProtobufCBinaryData){packed.size, packed.data};
	time.seconds = at;
	event.id = (ProtobufCBinaryData){16, id_bytes};
	event.occurred_at = &time;
	event.subject = (char *)subject;
	event.payload = &any;
	event.actor = (char *)"officer:1";
	if (after != 0)
		event.after = (ProtobufCBinaryData){16, after_bytes};
	vl_wire_pack(&event.base, out);
	vl_buf_free(&packed);
}

/* Sign what is in `s` next: a batch of these events. The sender's chain moves on. `lane` is static text. */
static inline struct sent *sign_batch_on(struct sender *s, const char *lane, const struct vl_buf *events, size_t n)
{
	struct sent *sent = calloc(1, sizeof(*sent));
	struct vl_batch_head head = {
		.mission = {(const uint8_t *)s->id, strlen(s->id)},
		.lane = {(const uint8_t *)lane, strlen(lane)},
		.epoch = s->epoch,
		.seq = {++s->seq},
		.first_event = {s->next_event},
		.prev = s->head,
		.signed_at = {1700000000, 0},
	};
	struct vl_key_id id = vl_key_id_of(vl_signer_public(s->signer));
	struct vl_signature signature;
	const char *type = vl_domain_content_type(VL_DOMAIN_BATCH);

	assert_non_null(sent);
	vl_batch_put_head(&sent->value, &head);
	for (size_t i = 0; i < n; i++)
		vl_batch_put_event(&sent->value, vl_buf_bytes(&events[i]));
	s->next_event += n;
	s->head = vl_batch_digest(vl_buf_bytes(&sent->value));
	assert_int_equal(vl_sign(s->signer, VL_DOMAIN_BATCH, &s->head, &signature), VL_OK);
	vl_sig_format(&id, &signature, sent->sig);
	(void)snprintf(sent->key, sizeof(sent->key), "%s", s->id);
	sent->record = (struct vl_record){
		.topic = {(const uint8_t *)lane, strlen(lane)},
		.key = {(const uint8_t *)sent->key, strlen(sent->key)},
		.value = vl_buf_bytes(&sent->value),
		.n_headers = 2,
		.headers = {{{(const uint8_t *)"content-type", 12}, {(const uint8_t *)type, strlen(type)}},
			    {{(const uint8_t *)VL_SIG_HEADER, strlen(VL_SIG_HEADER)},
			     {(const uint8_t *)sent->sig, strlen(sent->sig)}}},
	};
	return sent;
}

static inline struct sent *sign_batch(struct sender *s, const struct vl_buf *events, size_t n)
{
	return sign_batch_on(s, LANE, events, n);
}

static inline void sent_free(struct sent *sent)
{
	vl_buf_free(&sent->value);
	free(sent);
}

/* A batch of one event that opens a case. */
static inline struct sent *open_case(struct sender *s, uint64_t id, const char *subject, int64_t at)
{
	struct vl_buf event = {0};
	Consular__Case__V1__CaseOpened opened = CONSULAR__CASE__V1__CASE_OPENED__INIT;
	opened.type = CONSULAR__CASE__V1__CASE_TYPE__CASE_TYPE_THEFT_ROBBERY;
	opened.persons = 1;
	put_event(&event, id, subject, at, &opened.base, 0);
	struct sent *sent = sign_batch(s, &event, 1);
	vl_buf_free(&event);
	return sent;
}

/* Bring one record, as the next of partition 0 of the lane, inside a transaction of its own (or within the one begun). */
static inline void bring_within(struct world *w, const struct sent *sent)
{
	struct vl_verified verified = {0};
	struct vl_why why = {0};
	struct vl_record record = sent->record;

	record.offset = w->offset++;
	record.timestamp_ms = 1700000000000 + w->later_ms + record.offset;
	vl_arena_reset(w->arena);
	enum vl_err verdict = vl_record_verify(&record, w->ring, w->arena, &verified, &why);
	vl_apply_record(w->applier, &record, verdict, &verified, NULL, &why);
}

static inline void bring(struct world *w, const struct sent *sent)
{
	struct vl_why why = {0};
	assert_int_equal(vl_apply_begin(w->applier, &why), VL_OK);
	bring_within(w, sent);
	enum vl_err err = vl_apply_commit(w->applier, &why);
	if (err != VL_OK)
		print_error("%s\n", why.text);
	assert_int_equal(err, VL_OK);
}

static inline size_t case_view(void)
{
	int view = vl_view_of_lane(LANE, strlen(LANE));
	assert_true(view >= 0);
	return (size_t)view;
}

static inline struct vl_digest world_digest(struct world *w)
{
	struct vl_digest digest;
	struct vl_txn *txn = vl_txn_begin(w->store, false, NULL);
	assert_non_null(txn);
	assert_int_equal(vl_view_digest(txn, case_view(), &digest), VL_OK);
	vl_txn_abort(txn);
	return digest;
}

static inline struct vl_standing world_standing(struct world *w, const char *mission)
{
	struct vl_txn *txn = vl_txn_begin(w->store, false, NULL);
	assert_non_null(txn);
	struct vl_standing standing = vl_standing_get(txn, mission, LANE);
	vl_txn_abort(txn);
	return standing;
}

static inline uint64_t world_count(struct world *w, unsigned db)
{
	struct vl_txn *txn = vl_txn_begin(w->store, false, NULL);
	assert_non_null(txn);
	uint64_t count = vl_txn_count(txn, db);
	vl_txn_abort(txn);
	return count;
}

#endif
