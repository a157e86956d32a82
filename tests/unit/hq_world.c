#include "hq_world.h"
#include "hq/repair/open.h"

static void expect_ok(enum vl_err err, const struct vl_why *why)
{
	if (err != VL_OK)
		print_error("%s\n", why->text);
	assert_int_equal(err, VL_OK);
}

static void remove_all(const char *path)
{
	char command[128];

	(void)snprintf(command, sizeof(command), "rm -rf %s", path);
	assert_int_equal(system(command), 0);
}

/* -- the world -- */

void world_open_ledger(struct world *w)
{
	struct vl_why why = {0};

	expect_ok(vl_ledger_open(w->views, (size_t)256 << 20, false, &w->store, &why), &why);
	assert_int_equal(vl_applier_open(w->store, &w->applier), VL_OK);
}

void world_close_ledger(struct world *w)
{
	vl_applier_close(w->applier);
	vl_store_close(w->store);
	w->applier = NULL;
	w->store = NULL;
}

void world_start_over(struct world *w)
{
	world_close_ledger(w);
	remove_all(w->views);
	world_open_ledger(w);
	w->offset = 0;
}

void world_open(struct world *w)
{
	/* In memory where that can be: thousands of commits are made, and none of these tests
	 * pulls a plug. */
	*w = (struct world){.dir = "/tmp/valise-hq-test-XXXXXX"};
	if (access("/dev/shm", W_OK) == 0)
		(void)snprintf(w->dir, sizeof(w->dir), "/dev/shm/valise-hq-test-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	(void)snprintf(w->keys, sizeof(w->keys), "%s/keys", w->dir);
	(void)snprintf(w->views, sizeof(w->views), "%s/views", w->dir);
	assert_int_equal(mkdir(w->keys, 0700), 0);
	w->arena = vl_arena_open(0);
	world_open_ledger(w);
}

void world_forget(struct world *w)
{
	for (struct sent *sent = w->sent, *next; sent != NULL; sent = next) {
		next = sent->next;
		vl_buf_free(&sent->value);
		free(sent);
	}
	while (w->n_signers > 0)
		vl_signer_close(w->signers[--w->n_signers]);
	vl_ring_close(w->ring);
}

void world_close(struct world *w)
{
	if (w->store != NULL)
		world_close_ledger(w);
	world_forget(w);
	vl_arena_close(w->arena);
	remove_all(w->dir);
}

void *world_new(size_t size)
{
	struct world *w = calloc(1, size);

	assert_non_null(w);
	world_open(w);
	return w;
}

int world_setup(void **state)
{
	*state = world_new(sizeof(struct world));
	return 0;
}

int world_teardown(void **state)
{
	world_close(*state);
	free(*state);
	return 0;
}

/* -- senders -- */

struct sender world_stranger(struct world *w, const char *id)
{
	struct sender s = {.world = w, .epoch = {1000}, .next_event = 1};

	assert_true(w->n_signers < sizeof(w->signers) / sizeof(w->signers[0]));
	uint8_t seed[32] = {(uint8_t)(w->n_signers + 1), 0, 0x5e};
	(void)snprintf(s.id, sizeof(s.id), "%s", id);
	assert_int_equal(vl_signer_open(seed, &s.signer), VL_OK);
	w->signers[w->n_signers++] = s.signer;
	return s;
}

void world_enrol(struct world *w, const struct sender *s)
{
	char path[160], hex[65];
	struct vl_why why = {0};

	(void)snprintf(path, sizeof(path), "%s/%s.pub", w->keys, s->id);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	(void)fprintf(file, "%s %s\n", s->id, vl_hex(vl_signer_public(s->signer)->bytes, 32, hex));
	assert_int_equal(fclose(file), 0);
	vl_ring_close(w->ring);
	expect_ok(vl_ring_open(w->keys, &w->ring, &why), &why);
}

struct sender world_sender(struct world *w, const char *id)
{
	struct sender s = world_stranger(w, id);

	world_enrol(w, &s);
	return s;
}

void sender_begin_epoch(struct sender *s, uint64_t epoch)
{
	s->epoch.n = epoch;
	s->seq = 0;
	s->next_event = 1;
}

/* -- what they sign -- */

void put_event(struct vl_buf *out, uint64_t id, const char *subject, int64_t at,
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

struct sent *sign_batch_on(struct sender *s, const char *lane, const struct vl_buf *events,
			   size_t n)
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
	sent->next = s->world->sent;
	s->world->sent = sent;
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
		.headers = {{{(const uint8_t *)"content-type", 12},
			     {(const uint8_t *)type, strlen(type)}},
			    {{(const uint8_t *)VL_SIG_HEADER, strlen(VL_SIG_HEADER)},
			     {(const uint8_t *)sent->sig, strlen(sent->sig)}}},
	};
	return sent;
}

struct sent *sign_event_on(struct sender *s, const char *lane, uint64_t id, const char *subject,
			   int64_t at, const ProtobufCMessage *payload, uint64_t after)
{
	struct vl_buf event = {0};

	put_event(&event, id, subject, at, payload, after);
	struct sent *sent = sign_batch_on(s, lane, &event, 1);
	vl_buf_free(&event);
	return sent;
}

struct sent *open_case(struct sender *s, uint64_t id, const char *subject, int64_t at)
{
	Consular__Case__V1__CaseOpened opened = CONSULAR__CASE__V1__CASE_OPENED__INIT;

	opened.type = CONSULAR__CASE__V1__CASE_TYPE__CASE_TYPE_THEFT_ROBBERY;
	opened.persons = 1;
	return sign_event_on(s, LANE, id, subject, at, &opened.base, 0);
}

/* -- headquarters -- */

void bring_within(struct world *w, const struct sent *sent)
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

void bring(struct world *w, const struct sent *sent)
{
	struct vl_why why = {0};

	assert_int_equal(vl_apply_begin(w->applier, &why), VL_OK);
	bring_within(w, sent);
	expect_ok(vl_apply_commit(w->applier, &why), &why);
}

size_t case_view(void)
{
	int view = vl_view_of_lane(LANE, strlen(LANE));
	assert_true(view >= 0);
	return (size_t)view;
}

struct vl_digest world_digest_of(struct world *w, size_t view)
{
	struct vl_digest digest;
	struct vl_txn *txn = vl_txn_begin(w->store, false, NULL);
	assert_non_null(txn);
	assert_int_equal(vl_view_digest(txn, view, &digest), VL_OK);
	vl_txn_abort(txn);
	return digest;
}

struct vl_digest world_digest(struct world *w)
{
	return world_digest_of(w, case_view());
}

unsigned world_work_off(struct world *w)
{
	struct vl_why why = {0};
	unsigned n = 0;

	for (; vl_apply_left(w->applier) > 0; n++) {
		assert_true(n < 1000000);
		assert_int_equal(vl_apply_begin(w->applier, &why), VL_OK);
		expect_ok(vl_apply_commit(w->applier, &why), &why);
	}
	return n;
}

struct vl_standing world_standing(struct world *w, const char *mission)
{
	struct vl_txn *txn = vl_txn_begin(w->store, false, NULL);
	assert_non_null(txn);
	struct vl_standing standing = vl_standing_get(txn, mission, LANE);
	vl_txn_abort(txn);
	return standing;
}

uint64_t world_count(struct world *w, unsigned db)
{
	struct vl_txn *txn = vl_txn_begin(w->store, false, NULL);
	assert_non_null(txn);
	uint64_t count = vl_txn_count(txn, db);
	vl_txn_abort(txn);
	return count;
}

/* -- tests at random -- */

static uint64_t number_from(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

struct rounds rounds_from(uint64_t rounds)
{
	struct rounds r = {number_from("VALISE_SEED", 1), number_from("VALISE_ROUNDS", rounds)};

	print_message("from VALISE_SEED=%llu, VALISE_ROUNDS=%llu\n", (unsigned long long)r.first,
		      (unsigned long long)r.n);
	return r;
}

uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}
