/* A ledger whose disk rots: each bit, each length. reliability: 6. */
#include "faults.h"
#include "hq/fold/fold.h"
#include "hq/repair/check.h"
#include "ledger_world.h"
#include "rot.h"

#include <sodium.h>

struct run {
	char dir[64], sound[80], folder[80];
	struct book book;
	struct vl_digest views[16];
};

static enum vl_err digest_views(struct book *book, struct vl_digest *digests)
{
	struct vl_txn *txn = vl_txn_begin(book->store, false, NULL);
	enum vl_err err = txn != NULL ? VL_OK : VL_ERR_NOMEM;

	for (size_t v = 0; err == VL_OK && vl_views[v] != NULL; v++)
		err = vl_view_digest(txn, v, &digests[v]);
	vl_txn_abort(txn);
	return err;
}

static int setup(void **state)
{
	struct run *run = calloc(1, sizeof(*run));

	assert_non_null(run);
	faults_folder(run->dir);
	(void)snprintf(run->sound, sizeof(run->sound), "%s/reference", run->dir);
	(void)snprintf(run->folder, sizeof(run->folder), "%s/folder", run->dir);
	book_init(&run->book, run->dir);
	assert_true(vl_views_count() <= 16);
	assert_int_equal(book_open(&run->book), VL_OK);
	assert_int_equal(digest_views(&run->book, run->views), VL_OK);
	book_close(&run->book);
	*state = run;
	return 0;
}

static int teardown(void **state)
{
	struct run *run = *state;

	book_free(&run->book);
	faults_remove(run->dir);
	free(run);
	return 0;
}

/* Whether these bytes are an event that one of the senders signed. */
static bool was_sent(const struct book *book, struct vl_bytes event)
{
	for (size_t i = 0; i < book->n_records; i++) {
		const struct vl_batch *batch = &book->records[i].verified.batch;
		for (size_t e = 0; e < batch->n_events; e++)
			if (batch->events[e].size == event.size &&
			    memcmp(batch->events[e].data, event.data, event.size) == 0)
				return true;
	}
	return false;
}

/* The history behind one row, as a fold or `show` reads it. */
static enum rot_verdict look_at_history(struct book *book, struct vl_txn *txn, unsigned kind,
					const char *entity)
{
	struct vl_arena *arena = vl_arena_open(0);
	struct vl_history_item *items = NULL;
	size_t count = 0, damaged = 0;
	enum vl_err err =
		vl_history_read(txn, case_view(), kind, entity, arena, &items, &count, &damaged);
	enum rot_verdict verdict = err == VL_OK && damaged == 0 ? ROT_SAME : ROT_REFUSED;

	for (size_t i = 0; verdict == ROT_SAME && i < count; i++)
		if (!was_sent(book, items[i].bytes))
			verdict = ROT_WRONG;
	vl_arena_close(arena);
	return verdict;
}

static enum rot_verdict look_at_histories(struct book *book)
{
	struct vl_txn *txn = vl_txn_begin(book->store, false, NULL);
	struct vl_cursor *cursor = vl_cursor_open(txn, vl_view_db(case_view(), VL_VIEW_ROW));
	enum rot_verdict verdict = ROT_SAME;
	struct vl_bytes key;

	for (bool more = vl_cursor_seek(cursor, (struct vl_bytes){0}, &key, NULL);
	     more && verdict == ROT_SAME; more = vl_cursor_next(cursor, &key, NULL))
		if (key.size < 3 || key.data[key.size - 1] != '\0')
			verdict = ROT_LATER; /* the view's digest covers keys */
		else
			verdict =
				look_at_history(book, txn, key.data[0], (const char *)key.data + 1);
	vl_cursor_close(cursor);
	if (verdict == ROT_SAME && vl_txn_err(txn) != VL_OK)
		verdict = ROT_REFUSED;
	vl_txn_abort(txn);
	return verdict;
}

/* What `audit` would do: every archived record again through the judge of records. */
static enum rot_verdict look_at_archive(struct book *book)
{
	struct vl_txn *txn = vl_txn_begin(book->store, false, NULL);
	struct vl_cursor *cursor = vl_cursor_open(txn, VL_DB_ARCHIVE);
	enum rot_verdict verdict = ROT_SAME;
	struct vl_bytes value;
	size_t n = 0;

	for (bool more = vl_cursor_seek(cursor, (struct vl_bytes){0}, NULL, &value);
	     more && verdict == ROT_SAME; more = vl_cursor_next(cursor, NULL, &value)) {
		struct vl_record record;
		struct vl_digest digest;
		struct vl_verified verified;
		n++;
		vl_arena_reset(book->arena);
		if (vl_record_unpack(value, &record, &digest) != VL_OK)
			verdict = ROT_REFUSED;
		else if (vl_record_verify(&record, book->world.ring, book->arena, &verified,
					  NULL) != VL_OK ||
			 !vl_digest_equal(&verified.digest, &digest))
			verdict = ROT_LATER;
	}
	vl_cursor_close(cursor);
	vl_txn_abort(txn);
	return verdict == ROT_SAME && n != 14 ? ROT_LATER : verdict;
}

static void count(void *context, const struct vl_damage *damage)
{
	(void)damage;
	++*(size_t *)context;
}

/* What `valise view check` says. */
static enum rot_verdict look_over(struct book *book)
{
	struct vl_txn *txn = vl_txn_begin(book->store, false, NULL);
	size_t damaged = 0;
	enum vl_err err = vl_ledger_check(txn, count, &damaged);

	vl_txn_abort(txn);
	return err != VL_OK || damaged > 0 ? ROT_REFUSED : ROT_SAME;
}

static enum rot_verdict judge_open(struct run *run)
{
	struct book *book = &run->book;
	struct vl_digest now[16];

	int state = book_state(book);
	if (state == BOOK_STEPS)
		return ROT_SAME;
	enum rot_verdict verdict = look_at_histories(book);
	if (verdict == ROT_SAME)
		verdict = look_over(book);
	if (verdict == ROT_SAME)
		verdict = look_at_archive(book);
	if (verdict != ROT_SAME)
		return verdict;
	if (digest_views(book, now) != VL_OK)
		return ROT_REFUSED;
	/* A view rebuilt from the archive has another digest than this one. */
	for (size_t v = 0; vl_views[v] != NULL; v++)
		if (!vl_digest_equal(&now[v], &run->views[v]))
			return ROT_LATER;
	return ROT_UNSEEN;
}

static enum rot_verdict judge(void *context, const char *folder)
{
	struct run *run = context;

	(void)snprintf(run->book.path, sizeof(run->book.path), "%s", folder);
	if (book_open(&run->book) != VL_OK)
		return ROT_REFUSED;
	enum rot_verdict verdict = judge_open(run);
	book_close(&run->book);
	return verdict;
}

static void test_every_bit_may_turn(void **state)
{
	struct run *run = *state;
	struct rot rot = {
		.sound = run->sound, .folder = run->folder, .judge = judge, .context = run};

	rot_bits(&rot, "ledger");
	assert_true(rot.counts[ROT_REFUSED] > 0);
}

static void test_every_page_may_be_cut_off(void **state)
{
	struct run *run = *state;
	struct rot rot = {
		.sound = run->sound, .folder = run->folder, .judge = judge, .context = run};

	rot_cut(&rot, "ledger");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_every_bit_may_turn, setup, teardown),
		cmocka_unit_test_setup_teardown(test_every_page_may_be_cut_off, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
