/* What one event may cost (hq/fold/fold.h, hq/fold/todo.h): whatever a batch asks for, a
 * transaction takes a bounded number of steps, nobody else's events wait for the rest, and how
 * the work was split shows nowhere in the end. */
#include "hq_world.h"

#include "consular/case/v1/view.pb-c.h"
#include "consular/evacuation/v1/evacuation.pb-c.h"
#include "consular/traveller/v1/traveller.pb-c.h"
#include "consular/traveller/v1/view.pb-c.h"
#include "hq/fold/fold.h"
#include "hq/fold/todo.h"

#define EVACUATIONS "consular.evacuation.v1"
#define TRAVELLERS "consular.traveller.v1"
#define EV(name) Consular__Evacuation__V1__##name
#define TR(name) Consular__Traveller__V1__##name
#define SMALL ((struct vl_fold_bounds){.file = 8, .settle = 64, .reserve = 16, .drain = 64})

static size_t view_of(const char *lane)
{
	int view = vl_view_of_lane(lane, strlen(lane));

	assert_true(view >= 0);
	return (size_t)view;
}

/* -- batches that ask for much -- */

/* People boarding one leg, one event each. */
static struct sent *board(struct sender *s, uint64_t first, unsigned n, const char *leg)
{
	struct vl_buf *events = calloc(n, sizeof(*events));
	char person[32];

	for (unsigned i = 0; i < n; i++) {
		EV(CheckpointRecorded) said = CONSULAR__EVACUATION__V1__CHECKPOINT_RECORDED__INIT;
		(void)snprintf(person, sizeof(person), "P-%u", i);
		said.person = person;
		said.leg = (char *)leg;
		said.operation = (char *)"OP";
		said.checkpoint = CONSULAR__EVACUATION__V1__CHECKPOINT__CHECKPOINT_BOARDED;
		put_event(&events[i], first + i, person, 100, &said.base, 0);
	}
	struct sent *sent = sign_batch_on(s, EVACUATIONS, events, n);
	for (unsigned i = 0; i < n; i++)
		vl_buf_free(&events[i]);
	free(events);
	return sent;
}

/* One event that names many people. */
static struct sent *seal(struct sender *s, uint64_t id, unsigned n, const char *leg)
{
	EV(ManifestSealed) said = CONSULAR__EVACUATION__V1__MANIFEST_SEALED__INIT;
	char(*names)[16] = calloc(n, sizeof(*names)), **persons = calloc(n, sizeof(*persons));

	for (unsigned i = 0; i < n; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "P-%u", i);
		persons[i] = names[i];
	}
	said.leg = (char *)leg;
	said.operation = (char *)"OP";
	said.n_persons = n;
	said.persons = persons;
	struct sent *sent = sign_event_on(s, EVACUATIONS, id, leg, 100, &said.base, 0);
	free(names);
	free(persons);
	return sent;
}

static struct sent *depart(struct sender *s, uint64_t id, const char *leg)
{
	EV(LegDeparted) said = CONSULAR__EVACUATION__V1__LEG_DEPARTED__INIT;

	said.leg = (char *)leg;
	said.operation = (char *)"OP";
	return sign_event_on(s, EVACUATIONS, id, leg, 200, &said.base, 0);
}

static struct sent *register_all(struct sender *s, uint64_t first, unsigned n)
{
	struct vl_buf *events = calloc(n, sizeof(*events));
	char reference[32];

	for (unsigned i = 0; i < n; i++) {
		TR(TravellerRegistered) said = CONSULAR__TRAVELLER__V1__TRAVELLER_REGISTERED__INIT;
		TR(Stay) stay = CONSULAR__TRAVELLER__V1__STAY__INIT;
		stay.country = (char *)"SD";
		said.residence = &stay;
		said.people = 1;
		(void)snprintf(reference, sizeof(reference), "T-%u", i);
		put_event(&events[i], first + i, reference, 100, &said.base, 0);
	}
	struct sent *sent = sign_batch_on(s, TRAVELLERS, events, n);
	for (unsigned i = 0; i < n; i++)
		vl_buf_free(&events[i]);
	free(events);
	return sent;
}

static struct sent *ask(struct sender *s, uint64_t id, const char *check)
{
	TR(SafetyCheckOpened) said = CONSULAR__TRAVELLER__V1__SAFETY_CHECK_OPENED__INIT;

	said.place = (char *)"SD";
	return sign_event_on(s, TRAVELLERS, id, check, 200000, &said.base, 0);
}

/* -- rows -- */

static const ProtobufCMessage *row_of(struct world *w, const char *lane, const char *kind,
				      const char *key)
{
	const struct vl_view *view = vl_views[view_of(lane)];
	int index = vl_view_kind(view, kind);
	struct vl_txn *txn = vl_txn_begin(w->store, false, NULL);
	struct vl_key at;
	struct vl_bytes value;
	const ProtobufCMessage *row = NULL;

	assert_true(index >= 0);
	vl_row_key(&at, (unsigned)index, key);
	if (vl_txn_get(txn, vl_view_db(view_of(lane), VL_VIEW_ROW), vl_key_done(&at), &value))
		row = vl_wire_unpack(view->kinds[index].row, value, w->arena);
	vl_txn_abort(txn);
	return row;
}

static int64_t asked_of(struct world *w, const char *check)
{
	const TR(CheckRow) *row = (const void *)row_of(w, TRAVELLERS, "check", check);

	return row != NULL ? row->asked : 0;
}

/* -- the tests -- */

static void bound(struct world *w, struct vl_fold_bounds bounds)
{
	vl_apply_bound_steps(w->applier, &bounds);
}

/* Bring them with small bounds and with those of every day: the digests are the same, and no
 * transaction took more than it may. */
static void compare_splits(struct world *w, struct sent *const *sent, size_t n, const char *lane,
			   uint64_t most)
{
	struct vl_digest split[2];
	unsigned later = 0;

	for (int small = 1; small >= 0; small--) {
		world_start_over(w);
		bound(w, small ? SMALL : VL_FOLD_BOUNDS);
		for (size_t i = 0; i < n; i++) {
			bring(w, sent[i]);
			if (small)
				assert_true(vl_apply_steps(w->applier) <= most);
		}
		/* A crash in between forgets nothing. */
		world_close_ledger(w);
		world_open_ledger(w);
		bound(w, small ? SMALL : VL_FOLD_BOUNDS);
		later = small ? world_work_off(w) : later;
		assert_int_equal(vl_apply_left(w->applier), 0);
		assert_int_equal(world_count(w, VL_DB_TODO), 0);
		assert_int_equal(world_count(w, VL_DB_PENDING), 0);
		split[small] = world_digest_of(w, view_of(lane));
	}
	assert_true(later > 10);
	assert_digest_equal(split[0], split[1]);
}

static void many_events_of_one_batch(void **state)
{
	struct world *w = *state;
	struct sender s = world_sender(w, "CN-SD-EMB");
	struct sent *sent[] = {board(&s, 1, 200, "L-1"), board(&s, 1001, 150, "L-2"),
			       depart(&s, 2001, "L-1")};

	compare_splits(w, sent, 3, EVACUATIONS, 1000);
}

static void many_entities_of_one_event(void **state)
{
	struct world *w = *state;
	struct sender s = world_sender(w, "CN-SD-EMB");
	struct sent *sent[] = {seal(&s, 1, 300, "L-1"), seal(&s, 2, 300, "L-1"),
			       seal(&s, 3, 200, "L-2")};

	compare_splits(w, sent, 3, EVACUATIONS, 1000);
}

/* A place in which checks are opened, while the fan of an earlier one is under way. */
static void a_fan_that_begins_again(void **state)
{
	struct world *w = *state;
	struct sender s = world_sender(w, "CN-SD-EMB");
	struct sent *people = register_all(&s, 1, 300);
	struct sent *sent[] = {people, ask(&s, 1001, "C-1"), ask(&s, 1002, "C-2"),
			       ask(&s, 1003, "C-3"), ask(&s, 1004, "C-4")};

	compare_splits(w, sent, 5, TRAVELLERS, 1000);
	/* Also where the last begins when the one before is half done. */
	struct vl_digest whole = world_digest_of(w, view_of(TRAVELLERS));
	world_start_over(w);
	bring(w, people);
	bring(w, sent[1]);
	bring(w, sent[2]);
	world_work_off(w);
	bound(w, SMALL);
	bring(w, sent[3]);
	for (unsigned k = 0; k < 5; k++)
		bring(w,
		      people); /* known: a transaction that changes nothing, and serves the list */
	assert_true(asked_of(w, "C-3") > 0 && asked_of(w, "C-3") < 300);
	bring(w, sent[4]);
	world_work_off(w);
	assert_int_equal(asked_of(w, "C-1"), 300);
	assert_int_equal(asked_of(w, "C-4"), 300);
	struct vl_digest now = world_digest_of(w, view_of(TRAVELLERS));
	assert_digest_equal(now, whole);
}

/* Another mission's event is in its row with its own transaction, whatever waits. */
static void nobody_waits_for_the_rest(void **state)
{
	struct world *w = *state;
	struct sender bulk = world_sender(w, "CN-AA-EMB"), honest = world_sender(w, "CN-SD-EMB");

	bound(w, SMALL);
	for (unsigned i = 0; i < 5; i++) {
		bring(w, board(&bulk, 1 + 1000 * i, 200, "L-1"));
		bring(w, seal(&bulk, 100001 + i, 200, "L-1"));
	}
	assert_true(vl_apply_left(w->applier) > 0);
	bring(w, depart(&honest, 900001, "L-9"));
	assert_non_null(row_of(w, EVACUATIONS, "leg", "L-9"));
	/* Within one transaction with the bulk, too, and behind it. */
	struct vl_why why = {0};
	assert_int_equal(vl_apply_begin(w->applier, &why), VL_OK);
	bring_within(w, board(&bulk, 700001, 200, "L-2"));
	bring_within(w, depart(&honest, 900002, "L-8"));
	assert_int_equal(vl_apply_commit(w->applier, &why), VL_OK);
	assert_non_null(row_of(w, EVACUATIONS, "leg", "L-8"));
	assert_true(vl_apply_left(w->applier) > 0);
	world_work_off(w);
	assert_int_equal(world_count(w, VL_DB_PENDING), 0);
}

/* A sender's own events are filed in its own order: the second of two with one id is the one
 * that is known. */
static void a_sender_waits_for_itself(void **state)
{
	struct world *w = *state;
	struct sender s = world_sender(w, "CN-SD-EMB");
	enum { EVENTS = 400 };
	struct vl_buf events[EVENTS] = {0};

	bound(w, SMALL);
	for (unsigned i = 0; i < EVENTS; i++) {
		Consular__Case__V1__CaseOpened opened = CONSULAR__CASE__V1__CASE_OPENED__INIT;
		put_event(&events[i], i + 1, "SD-1", 100, &opened.base, 0);
	}
	struct sent *first = sign_batch_on(&s, LANE, events, EVENTS);
	struct sent *second = sign_batch_on(&s, LANE, &events[EVENTS - 1], 1);
	bring(w, first);
	bring(w, second);
	assert_int_equal(world_standing(w, s.id).batches, 2);
	assert_int_equal(world_standing(w, s.id).repeated, 0);
	world_work_off(w);
	assert_int_equal(world_standing(w, s.id).repeated, 1);
	struct vl_digest waited = world_digest(w);
	world_start_over(w);
	bring(w, first);
	bring(w, second);
	struct vl_digest at_once = world_digest(w);
	assert_digest_equal(waited, at_once);
	for (unsigned i = 0; i < EVENTS; i++)
		vl_buf_free(&events[i]);
}

static int64_t ticks;

static int64_t tick(void)
{
	return ++ticks;
}

static void bring_slowly(struct world *w, const struct sent *sent, int64_t most)
{
	const struct vl_fold_pace pace = {.now_ms = tick, .most_ms = {most, most, most}};
	struct vl_why why = {0};

	assert_int_equal(vl_apply_begin(w->applier, &why), VL_OK);
	vl_apply_pace(w->applier, &pace);
	bring_within(w, sent);
	assert_int_equal(vl_apply_commit(w->applier, &why), VL_OK);
}

/* On a machine that is slow: each look at the time takes a millisecond. Less is done in a
 * transaction, and all of it in the end. */
static void time_has_its_bound(void **state)
{
	struct world *w = *state;
	struct sender bulk = world_sender(w, "CN-AA-EMB"), honest = world_sender(w, "CN-SD-EMB");
	struct sent *sent[] = {board(&bulk, 1, 300, "L-1"), seal(&bulk, 1001, 300, "L-1"),
			       board(&bulk, 2001, 300, "L-2"), depart(&honest, 3001, "L-9")};
	struct vl_digest digest[2];

	for (int slow = 0; slow < 2; slow++) {
		world_start_over(w);
		for (unsigned i = 0; i < 4; i++)
			if (slow)
				bring_slowly(w, sent[i], 10);
			else
				bring(w, sent[i]);
		assert_int_equal(slow, vl_apply_left(w->applier) > 0);
		assert_non_null(row_of(w, EVACUATIONS, "leg", "L-9"));
		/* What goes on does so however late it is. */
		for (unsigned i = 0; vl_apply_left(w->applier) > 0; i++) {
			bring_slowly(w, sent[3], 0);
			assert_true(i < 20000);
		}
		assert_int_equal(world_count(w, VL_DB_PENDING), 0);
		digest[slow] = world_digest_of(w, view_of(EVACUATIONS));
	}
	assert_digest_equal(digest[0], digest[1]);
}

static int64_t at_once(void)
{
	return 0;
}

static bool something_waits(void *context)
{
	(void)context;
	return true;
}

/* A transaction that something urgent waits for, with a batch or without. */
static void hurry(struct world *w, const struct sent *const *sent, unsigned n)
{
	const struct vl_fold_pace pace = {.now_ms = at_once,
					  .most_ms = {1, 1, 1},
					  .hurry = something_waits,
					  .soon_ms = {1, 1, 1}};
	struct vl_why why = {0};

	assert_int_equal(vl_apply_begin(w->applier, &why), VL_OK);
	vl_apply_pace(w->applier, &pace);
	for (unsigned i = 0; i < n; i++)
		bring_within(w, sent[i]);
	(void)vl_apply_drain(w->applier);
	assert_int_equal(vl_apply_commit(w->applier, &why), VL_OK);
}

/* A leg of many people takes more than a share. While something urgent waits it is folded once, and
 * then lets all others go first until its sender's shares have made up for it. */
static void what_is_beyond_a_share_is_owed(void **state)
{
	struct world *w = *state;
	struct sender bulk = world_sender(w, "CN-AA-EMB"), honest = world_sender(w, "CN-SD-EMB");
	const struct sent *many = board(&bulk, 1, 2000, "L-1"), *once = depart(&bulk, 5001, "L-1"),
			  *more[] = {depart(&bulk, 5002, "L-1"), depart(&honest, 6001, "L-9")};
	struct vl_digest digest[2];

	for (int hurries = 0; hurries < 2; hurries++) {
		unsigned waited = 0;
		world_start_over(w);
		bring(w, many);
		(void)world_work_off(w);
		if (hurries)
			hurry(w, &once, 1);
		else
			bring(w, once);
		assert_int_equal(vl_apply_left(w->applier), 0);
		for (unsigned i = 0; i < 2 && !hurries; i++)
			bring(w, more[i]);
		if (hurries)
			hurry(w, more, 2);
		assert_non_null(row_of(w, EVACUATIONS, "leg", "L-9"));
		assert_int_equal(hurries, vl_apply_left(w->applier) > 0);
		for (; vl_apply_left(w->applier) > 0; waited++) {
			hurry(w, NULL, 0);
			assert_true(waited < 1000);
		}
		assert_int_equal(hurries, waited > 2);
		digest[hurries] = world_digest_of(w, view_of(EVACUATIONS));
	}
	assert_digest_equal(digest[0], digest[1]);
}

static unsigned asks;

/* Something urgent comes while a row is folded. */
static bool comes_midway(void *context)
{
	(void)context;
	return ++asks > 8;
}

/* A row of many facts is given up for what is urgent, a bounded number of times. */
static void a_long_row_gives_way(void **state)
{
	struct world *w = *state;
	struct sender bulk = world_sender(w, "CN-AA-EMB");
	const struct sent *many = board(&bulk, 1, 3000, "L-1"), *once = depart(&bulk, 5001, "L-1");
	const struct vl_fold_pace pace = {.now_ms = at_once,
					  .most_ms = {1, 1, 1},
					  .hurry = comes_midway,
					  .soon_ms = {1, 1, 1}};
	struct vl_digest digest[2];
	struct vl_why why = {0};

	for (int yields = 0; yields < 2; yields++) {
		unsigned times = 0;
		world_start_over(w);
		bring(w, many);
		(void)world_work_off(w);
		for (bool first = true; first || vl_apply_left(w->applier) > 0; first = false) {
			asks = 0;
			assert_int_equal(vl_apply_begin(w->applier, &why), VL_OK);
			if (yields)
				vl_apply_pace(w->applier, &pace);
			if (first)
				bring_within(w, once);
			(void)vl_apply_drain(w->applier);
			assert_int_equal(vl_apply_commit(w->applier, &why), VL_OK);
			assert_true(++times < 500);
		}
		if (yields)
			assert_in_range(times, 9, 200);
		digest[yields] = world_digest_of(w, view_of(EVACUATIONS));
	}
	assert_digest_equal(digest[0], digest[1]);
}

/* One case with more facts than a row is made of: each sender's first count, whoever came first,
 * and the row says so. */
static void a_row_has_its_bound(void **state)
{
	struct world *w = *state;
	struct sender loud = world_sender(w, "CN-AA-EMB"), quiet = world_sender(w, "CN-SD-EMB");
	size_t size = 890000, n = VL_FOLD_WEIGHT * 128 / size + 2;
	char *text = calloc(1, size + 1);
	struct sent *sent[32];
	struct vl_digest digest[2];

	memset(text, 'x', size);
	assert_true(n < 31);
	for (size_t i = 0; i < n; i++) {
		Consular__Case__V1__HostNotified said = CONSULAR__CASE__V1__HOST_NOTIFIED__INIT;
		said.authority = text;
		sent[i] = sign_event_on(&loud, LANE, i + 1, "X-1", 100, &said.base, 0);
	}
	sent[n] = open_case(&quiet, 100, "X-1", 50000);
	for (int turned = 0; turned < 2; turned++) {
		world_start_over(w);
		for (size_t i = 0; i <= n; i++)
			bring(w, sent[turned ? (i + n) % (n + 1) : i]);
		world_work_off(w);
		digest[turned] = world_digest(w);
	}
	assert_digest_equal(digest[0], digest[1]);
	const Consular__Case__V1__CaseRow *row = (const void *)row_of(w, LANE, "case", "X-1");
	assert_non_null(row);
	assert_int_equal(row->type, CONSULAR__CASE__V1__CASE_TYPE__CASE_TYPE_THEFT_ROBBERY);
	assert_true(row->n_violations > 0);
	assert_string_equal(row->violations[row->n_violations - 1]->rule, VL_RULE_BOUND);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(many_events_of_one_batch, world_setup,
						world_teardown),
		cmocka_unit_test_setup_teardown(many_entities_of_one_event, world_setup,
						world_teardown),
		cmocka_unit_test_setup_teardown(a_fan_that_begins_again, world_setup,
						world_teardown),
		cmocka_unit_test_setup_teardown(nobody_waits_for_the_rest, world_setup,
						world_teardown),
		cmocka_unit_test_setup_teardown(a_sender_waits_for_itself, world_setup,
						world_teardown),
		cmocka_unit_test_setup_teardown(time_has_its_bound, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(a_long_row_gives_way, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(what_is_beyond_a_share_is_owed, world_setup,
						world_teardown),
		cmocka_unit_test_setup_teardown(a_row_has_its_bound, world_setup, world_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
