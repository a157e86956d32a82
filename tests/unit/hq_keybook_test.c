#include "hq/ingest/keybook.h"

#include "hq_world.h"

#include "hq/ingest/verify.h"

/* What becomes of keys that are replaced or removed, in live headquarters, and in a rebuild from
 * nothing. */

static struct vl_ring *read_book(struct world *w)
{
	struct vl_ring *ring;

	assert_int_equal(VL_OK, vl_keybook_open_ring(w->store, w->keys, &ring, NULL));
	return ring;
}

/* The world brings records by its own ring. */
static void use_book(struct world *w)
{
	vl_ring_close(w->ring);
	w->ring = read_book(w);
}

/* The same mission with a new key, in a new epoch; its file has replaced the old one's. */
static struct sender rekey(struct world *w, const struct sender *s)
{
	struct sender fresh = world_stranger(w, s->id);

	fresh.epoch.n = s->epoch.n;
	fresh.seq = s->seq;
	fresh.next_event = s->next_event;
	fresh.head = s->head;
	sender_begin_epoch(&fresh, s->epoch.n + 1);
	world_enrol(w, &fresh);
	return fresh;
}

static void remove_key(struct world *w, const char *id)
{
	char path[160];

	(void)snprintf(path, sizeof(path), "%s/%s.pub", w->keys, id);
	assert_int_equal(0, unlink(path));
}

static void test_replaced_key_keeps_its_past(void **state)
{
	struct world *w = *state;
	struct sender old = world_sender(w, "CN-SD-EMB");
	struct sent *sent[5];

	use_book(w);
	for (unsigned i = 0; i < 3; i++)
		bring(w, sent[i] = open_case(&old, i + 1, "SD-1", 100));
	struct sender fresh = rekey(w, &old);
	use_book(w);
	for (unsigned i = 3; i < 5; i++)
		bring(w, sent[i] = open_case(&fresh, i + 1, "SD-1", 100));
	assert_int_equal(5, world_standing(w, old.id).events);
	struct vl_digest live = world_digest(w);

	/* A thief of the old key goes no further, neither now nor in a rebuild. */
	struct sent *stolen = open_case(&old, 9, "SD-9", 100);
	bring(w, stolen);
	assert_int_equal(5, world_standing(w, old.id).events);
	world_start_over(w);
	use_book(w);
	bring(w, stolen);
	for (unsigned i = 0; i < 5; i++)
		bring(w, sent[i]);
	assert_int_equal(5, world_standing(w, old.id).events);
	assert_digest_equal(live, world_digest(w));
	assert_int_equal(0, world_standing(w, old.id).forks);
}

static void test_removed_key_ends(void **state)
{
	struct world *w = *state;
	struct sender s = world_sender(w, "CN-SD-EMB"), other = world_sender(w, "CN-ER-EMB");
	struct sent *first = open_case(&s, 1, "SD-1", 100), *hole = open_case(&s, 2, "SD-1", 100);
	struct sent *waits = open_case(&s, 3, "SD-1", 100), *late = open_case(&s, 4, "SD-1", 100);

	use_book(w);
	bring(w, first);
	bring(w, waits);
	remove_key(w, s.id);
	use_book(w);
	bring(w, late);
	assert_int_equal(1, world_standing(w, s.id).events);
	/* What waited when the key ended still has its place, and so has what is missing before
	 * it. */
	bring(w, hole);
	assert_int_equal(3, world_standing(w, s.id).events);
	bring(w, open_case(&other, 11, "ER-1", 100));
	assert_int_equal(1, world_standing(w, other.id).events);
	/* The book is in the ledger, too. */
	world_close_ledger(w);
	world_open_ledger(w);
	use_book(w);
	bring(w, open_case(&s, 5, "SD-1", 100));
	bring(w, first);
	assert_int_equal(3, world_standing(w, s.id).events);
	assert_int_equal(1, world_standing(w, s.id).replayed);
	/* Enrolled again, it goes on. */
	world_enrol(w, &s);
	use_book(w);
	bring(w, late);
	assert_int_equal(4, world_standing(w, s.id).events);
}

/* Half a file, for as long as somebody copies it, ends no key. */
static void test_bad_file_ends_no_key(void **state)
{
	struct world *w = *state;
	struct sender s = world_sender(w, "CN-SD-EMB");
	char path[160];

	use_book(w);
	bring(w, open_case(&s, 1, "SD-1", 100));
	(void)snprintf(path, sizeof(path), "%s/%s.pub", w->keys, s.id);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(0, fclose(file));
	use_book(w);
	assert_non_null(vl_ring_fault(w->ring, 0));
	bring(w, open_case(&s, 2, "SD-1", 100));
	assert_int_equal(2, world_standing(w, s.id).events);
}

static void release(void *owner)
{
	(void)owner;
}

/* A record that was judged good by the old ring, and waits to be applied, is judged again: the
 * book has been closed before it. */
static void test_judged_by_an_old_ring(void **state)
{
	struct world *w = *state;
	struct sender s = world_sender(w, "CN-SD-EMB");
	struct sent *sent[200];
	struct vl_verifier *verifier;

	assert_int_equal(VL_OK, vl_verifier_open(read_book(w), 2, &verifier, NULL));
	for (unsigned i = 0; i < 200; i++) {
		sent[i] = open_case(&s, i + 1, "SD-1", 100);
		assert_true(vl_verifier_put(verifier, &sent[i]->record, release, NULL));
	}
	const struct vl_job *job = vl_verifier_next(verifier, 10000);
	assert_non_null(job);
	assert_int_equal(VL_OK, job->verdict);
	vl_verifier_done(verifier);
	remove_key(w, s.id);
	for (unsigned i = 1; i < 200; i++) {
		/* Any number of times: no ring stays behind. */
		assert_int_equal(VL_OK, vl_verifier_renew(verifier, read_book(w)));
		job = vl_verifier_next(verifier, 10000);
		assert_non_null(job);
		assert_int_equal(VL_ERR_UNKNOWN_KEY, job->verdict);
		vl_verifier_done(verifier);
	}
	vl_verifier_close(verifier);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_replaced_key_keeps_its_past),
		TEST(test_removed_key_ends),
		TEST(test_bad_file_ends_no_key),
		TEST(test_judged_by_an_old_ring),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
