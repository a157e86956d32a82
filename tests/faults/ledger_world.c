#include "ledger_world.h"

#include "google/protobuf/timestamp.pb-c.h"
#include "hq/fold/history.h"
#include "hq/repair/open.h"
#include "image.h"

#include <sodium.h>

bool book_wrong(struct book *book, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (book->wrong[0] == '\0')
		(void)vsnprintf(book->wrong, sizeof(book->wrong), format, args);
	va_end(args);
	return false;
}

/* -- the records -- */

struct cast {
	struct sender a, b, c, stranger;
	struct book *book;
	int64_t next[2];
};

static void add(struct cast *cast, unsigned step, int32_t partition, struct sent *sent,
		const struct vl_record *as)
{
	struct book *book = cast->book;
	struct book_record *r = &book->records[book->n_records];

	assert_true(book->n_records < BOOK_RECORDS);
	r->step = step;
	r->record = as != NULL ? *as : sent->record;
	r->record.partition = partition;
	r->record.offset = cast->next[partition]++;
	r->record.timestamp_ms = 1700000000000 + (int64_t)book->n_records;
	book->n_records++;
}

static struct sent *one(struct sender *s, uint64_t id, const char *subject, int64_t at,
			const ProtobufCMessage *payload, uint64_t after)
{
	return sign_event_on(s, LANE, id, subject, at, payload, after);
}

static struct sent *many(struct sender *s, uint64_t first_id, unsigned n)
{
	struct vl_buf events[32] = {0};
	Consular__Case__V1__CaseOpened opened = CONSULAR__CASE__V1__CASE_OPENED__INIT;
	Consular__Case__V1__PersonsCounted counted = CONSULAR__CASE__V1__PERSONS_COUNTED__INIT;
	char subject[16];

	opened.type = CONSULAR__CASE__V1__CASE_TYPE__CASE_TYPE_ASSAULT;
	for (unsigned i = 0; i < n; i++) {
		(void)snprintf(subject, sizeof(subject), "X-%u", i % 5);
		counted.persons = i;
		put_event(&events[i], first_id + i, subject, 100 + (int64_t)i * 7 % 13,
			  i < 5 ? &opened.base : &counted.base, 0);
	}
	struct sent *sent = sign_batch_on(s, LANE, events, n);
	for (unsigned i = 0; i < n; i++)
		vl_buf_free(&events[i]);
	return sent;
}

/* A batch that would follow, signed as an exercise. */
static struct sent *drill(struct sender *s)
{
	struct sent *sent = open_case(s, 60, "X-1", 109);
	struct vl_key_id id = vl_key_id_of(vl_signer_public(s->signer));
	const char *type = vl_domain_content_type(VL_DOMAIN_DRILL);
	struct vl_signature signature;

	assert_int_equal(vl_sign(s->signer, VL_DOMAIN_DRILL, &s->head, &signature), VL_OK);
	vl_sig_format(&id, &signature, sent->sig);
	sent->record.headers[0].value = vl_bytes_of(type);
	return sent;
}

static void steps_0_to_3(struct cast *cast)
{
	struct sender *a = &cast->a, *b = &cast->b, *c = &cast->c;
	Consular__Case__V1__CaseAssigned assigned = CONSULAR__CASE__V1__CASE_ASSIGNED__INIT;
	struct sent *a1 = open_case(a, 1, "X-1", 100);

	assigned.mission = a->id;
	add(cast, 0, 0, a1, NULL);
	add(cast, 0, 0, open_case(b, 2, "X-2", 101), NULL);
	add(cast, 1, 0, one(a, 3, "X-1", 102, &assigned.base, 1), NULL);
	add(cast, 1, 0, NULL, &a1->record); /* it comes again */
	struct sender forger = *a;
	struct sent *forged = open_case(&forger, 50, "X-1", 103);
	forged->value.data[forged->value.size - 1] ^= 1;
	add(cast, 1, 0, forged, NULL);
	struct vl_record empty = a1->record;
	empty.value = (struct vl_bytes){0};
	add(cast, 1, 0, NULL, &empty);
	cast->next[0] += 3; /* offsets may have holes */
	struct sent *a3 = open_case(a, 4, "X-3", 104);
	add(cast, 2, 0, open_case(a, 5, "X-1", 99), NULL); /* before its turn */
	add(cast, 2, 0, open_case(a, 6, "X-2", 98), NULL);
	add(cast, 2, 1, open_case(c, 1, "X-1", 100), NULL); /* a twin of a1's */
	add(cast, 3, 0, a3, NULL);
	add(cast, 3, 0, many(b, 100, 12), NULL);
}

static void steps_4_to_7(struct cast *cast)
{
	struct sender *a = &cast->a, *b = &cast->b, *c = &cast->c;
	Consular__Case__V1__CaseClosed closed = CONSULAR__CASE__V1__CASE_CLOSED__INIT;
	Google__Protobuf__Timestamp strange = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	struct sender clone = *a;

	add(cast, 4, 0, open_case(a, 7, "X-4", 105), NULL);
	add(cast, 4, 0, open_case(&clone, 8, "X-9", 106), NULL); /* a fork */
	sender_begin_epoch(b, 2000);
	add(cast, 5, 0, open_case(b, 9, "X-2", 107), NULL);
	add(cast, 5, 0, open_case(&cast->stranger, 10, "X-1", 108), NULL);
	struct sender actor = *a;
	add(cast, 5, 0, drill(&actor), NULL);
	add(cast, 6, 0, open_case(&clone, 15, "X-9", 109), NULL); /* the fork goes on */
	sender_begin_epoch(a, 3000);
	add(cast, 6, 1, one(c, 11, "X-1", 90, &closed.base, 3), NULL);
	add(cast, 6, 1, many(c, 200, 30), NULL);
	/* of no type that is known here */
	add(cast, 6, 1, one(c, 12, "X-1", 91, &strange.base, 0), NULL);
	(void)open_case(c, 13, "X-1", 92);                  /* lost */
	add(cast, 7, 1, open_case(c, 14, "X-1", 93), NULL); /* waits for ever */
	add(cast, 7, 0, open_case(a, 1, "X-1", 100), NULL); /* an id that is known */
	add(cast, 7, 1, NULL, &cast->book->records[cast->book->n_records - 2].record);
}

static void make_records(struct book *book)
{
	struct world *w = &book->world;
	struct cast cast = {.a = world_sender(w, "CN-AA-EMB"),
			    .b = world_sender(w, "CN-BB-EMB"),
			    .c = world_sender(w, "CN-CC-EMB"),
			    .stranger = world_stranger(w, "CN-XX-EMB"),
			    .book = book,
			    .next = {0, 5}};

	steps_0_to_3(&cast);
	steps_4_to_7(&cast);
	for (size_t i = 0; i < book->n_records; i++) {
		struct book_record *r = &book->records[i];
		r->verdict =
			vl_record_verify(&r->record, w->ring, book->own, &r->verified, &r->why);
		r->facts =
			r->verdict == VL_OK ? vl_facts_read(&r->verified.batch, book->own) : NULL;
	}
}

/* -- the ledger -- */

enum vl_err book_open(struct book *book)
{
	struct vl_why why = {0};
	enum vl_err err = vl_ledger_open(book->path, book->size, false, &book->store, &why);

	if (err == VL_OK)
		err = vl_applier_open(book->store, &book->applier);
	struct vl_txn *txn = err == VL_OK ? vl_txn_begin(book->store, false, NULL) : NULL;
	if (err == VL_OK && txn == NULL)
		err = VL_ERR_NOMEM;
	for (int32_t p = 0; txn != NULL && p < 2; p++)
		book->from[p] = vl_apply_offset(txn, LANE, p, NULL);
	if (txn != NULL)
		err = vl_txn_err(txn);
	vl_txn_abort(txn);
	if (err != VL_OK)
		book_close(book);
	return err;
}

void book_close(struct book *book)
{
	vl_applier_close(book->applier);
	vl_store_close(book->store);
	book->applier = NULL;
	book->store = NULL;
}

/* Judge the record now, as the verifier's threads do, in memory that lives until the commit. */
static void judge_and_apply(struct book *book, const struct book_record *r)
{
	struct vl_verified verified = {0};
	struct vl_why why = {0};
	struct vl_arena *arena = vl_arena_open(0);
	enum vl_err verdict = arena == NULL ? VL_ERR_NOMEM
					    : vl_record_verify(&r->record, book->world.ring, arena,
							       &verified, &why);
	struct vl_fact *facts = verdict == VL_OK ? vl_facts_read(&verified.batch, arena) : NULL;

	if (verdict == VL_OK && facts == NULL)
		verdict = VL_ERR_NOMEM;
	book->arenas[book->n_arenas++] = arena;
	vl_apply_record(book->applier, &r->record, verdict, &verified, facts, &why);
}

static void bring_record(struct book *book, const struct book_record *r,
			 const struct vl_fact *facts)
{
	if (r->record.offset < book->from[r->record.partition])
		return;
	if (book->verify)
		judge_and_apply(book, r);
	else
		vl_apply_record(book->applier, &r->record, r->verdict, &r->verified, facts,
				&r->why);
}

static enum vl_err commit(struct book *book)
{
	struct vl_why why = {0};
	enum vl_err err = vl_apply_commit(book->applier, &why);

	while (book->n_arenas > 0)
		vl_arena_close(book->arenas[--book->n_arenas]);
	return err;
}

enum vl_err book_step(struct book *book, unsigned step)
{
	struct vl_why why = {0};
	enum vl_err err = vl_apply_begin(book->applier, &why);

	if (err != VL_OK)
		return err;
	for (size_t i = 0; i < book->n_records; i++)
		if (book->records[i].step == step)
			bring_record(book, &book->records[i], book->records[i].facts);
	return commit(book);
}

/* Without the facts that a verifier would have read: either way must come to the same. */
enum vl_err book_rest(struct book *book)
{
	enum vl_err err = VL_OK;

	for (size_t i = 0; err == VL_OK && i < book->n_records; i++) {
		const struct book_record *r = &book->records[i];
		if (r->record.offset < book->from[r->record.partition])
			continue;
		err = vl_apply_begin(book->applier, NULL);
		if (err != VL_OK)
			break;
		bring_record(book, r, NULL);
		err = commit(book);
	}
	return err;
}

static void hash_run(crypto_generichash_state *state, struct vl_bytes run)
{
	uint64_t size = run.size;

	crypto_generichash_update(state, (const uint8_t *)&size, sizeof(size));
	if (run.size > 0)
		crypto_generichash_update(state, run.data, run.size);
}

static enum vl_err hash_all(struct book *book, struct book_hash *hash)
{
	size_t dbs = VL_DB_VIEWS + vl_views_count() * VL_VIEW_DBS;
	struct vl_txn *txn = vl_txn_begin(book->store, false, NULL);
	crypto_generichash_state state;
	struct vl_bytes key, value;

	if (txn == NULL)
		return VL_ERR_NOMEM;
	crypto_generichash_init(&state, NULL, 0, sizeof(hash->bytes));
	for (unsigned db = 0; db < dbs; db++) {
		struct vl_cursor *cursor = vl_cursor_open(txn, db);
		crypto_generichash_update(&state, (const uint8_t *)&db, sizeof(db));
		for (bool more = vl_cursor_seek(cursor, (struct vl_bytes){0}, &key, &value); more;
		     more = vl_cursor_next(cursor, &key, &value)) {
			hash_run(&state, key);
			hash_run(&state, value);
		}
		vl_cursor_close(cursor);
	}
	crypto_generichash_final(&state, hash->bytes, sizeof(hash->bytes));
	enum vl_err err = vl_txn_err(txn);
	vl_txn_abort(txn);
	return err;
}

int book_state(struct book *book)
{
	struct book_hash now;

	if (hash_all(book, &now) != VL_OK)
		return -1;
	for (int s = BOOK_STEPS; s >= 0; s--)
		if (memcmp(now.bytes, book->after[s].bytes, sizeof(now.bytes)) == 0)
			return s;
	return -1;
}

bool book_check(struct book *book, unsigned kept)
{
	enum vl_err err = book_open(book);

	if (err != VL_OK)
		return book_wrong(book, "does not open: %s", vl_err_text(err));
	int state = book_state(book);
	bool good = state == (int)kept || state == (int)kept + 1;
	if (!good)
		(void)book_wrong(book, "holds what it did after step %d, not after %u", state,
				 kept);
	err = good ? book_rest(book) : VL_OK;
	if (err != VL_OK)
		good = book_wrong(book, "goes no further: %s", vl_err_text(err));
	if (good && book_state(book) != BOOK_STEPS)
		good = book_wrong(book, "does not end as an undisturbed one");
	book_close(book);
	return good;
}

/* -- the undisturbed run -- */

static uint64_t count_of(struct book *book, unsigned db)
{
	struct vl_txn *txn = vl_txn_begin(book->store, false, NULL);
	assert_non_null(txn);
	uint64_t count = vl_txn_count(txn, db);
	vl_txn_abort(txn);
	return count;
}

/* What the scenario comes to, reckoned by hand: the undisturbed run is not to be believed
 * either. */
static void expect_end(struct book *book)
{
	assert_int_equal(count_of(book, VL_DB_ARCHIVE), 7 + 3 + 4);
	assert_int_equal(count_of(book, VL_DB_EVIDENCE), 2);
	assert_int_equal(count_of(book, VL_DB_PARKED), 1);
	/* forged, empty, the stranger's, the drill, one unreadable */
	assert_int_equal(count_of(book, VL_DB_DEAD), 5);
	assert_int_equal(count_of(book, VL_DB_OFFSET), 2);
	/* a: 7 events, one of them twice; b: 1 + 12 + 1; c: 1 + 30 and one that cannot be read,
	 * of which the twin is a's. */
	assert_int_equal(count_of(book, vl_view_db(case_view(), VL_VIEW_EVENT)), 6 + 14 + 32);
}

void book_init(struct book *book, const char *path)
{
	memset(book, 0, sizeof(*book));
	(void)snprintf(book->path, sizeof(book->path), "%.200s/reference", path);
	(void)snprintf(book->world.keys, sizeof(book->world.keys), "%s/keys", path);
	book->size = BOOK_SIZE;
	image_clear(book->world.keys);
	book->own = vl_arena_open(0);
	book->arena = vl_arena_open(0);
	make_records(book);
	assert_int_equal(book_open(book), VL_OK);
	assert_int_equal(hash_all(book, &book->after[0]), VL_OK);
	for (unsigned s = 0; s < BOOK_STEPS; s++) {
		assert_int_equal(book_step(book, s), VL_OK);
		assert_int_equal(hash_all(book, &book->after[s + 1]), VL_OK);
	}
	expect_end(book);
	book_close(book);
}

void book_free(struct book *book)
{
	book_close(book);
	world_forget(&book->world);
	vl_arena_close(book->arena);
	vl_arena_close(book->own);
}
