/* A hostile sender: an enrolled mission that sends random but authentic nonsense beside three
 * honest ones. Whatever it sends, in whatever order all of it arrives, the honest missions' rows
 * are those of a run without it, their events are in their rows with their own transaction, and
 * what each transaction takes, and the ledger's size, stay within bounds.
 *
 * What it may change: rows of subjects that it names, which are its own and those that all share
 * ("ALL-..."); boards and other sums; and what headquarters says of itself. VALISE_HOSTILE: how
 * many batches come in all (a game has GAME of them); VALISE_SEED: the first seed. */
#include "hq_world.h"

#include "consular/evacuation/v1/evacuation.pb-c.h"
#include "consular/traveller/v1/traveller.pb-c.h"
#include "hq/fold/fold.h"

#include <sodium.h>

#define EVACUATIONS "consular.evacuation.v1"
#define TRAVELLERS "consular.traveller.v1"
#define CASE_NEW(Name, NAME) Consular__Case__V1__##Name said = CONSULAR__CASE__V1__##NAME##__INIT
#define EV_NEW(Name, NAME) \
	Consular__Evacuation__V1__##Name said = CONSULAR__EVACUATION__V1__##NAME##__INIT
#define TR_NEW(Name, NAME) \
	Consular__Traveller__V1__##Name said = CONSULAR__TRAVELLER__V1__##NAME##__INIT

#define GAME 600
#define HONEST 3
#define MOST_EVENTS 120 /* of one hostile batch */
#define LANES 3

static const char *const lanes[LANES] = {LANE, EVACUATIONS, TRAVELLERS};
static const char *const prefixes[HONEST] = {"EG", "SD", "TH"};

/* Small, so that a game of a few hundred batches meets them all the time. */
#define BOUNDS ((struct vl_fold_bounds){.file = 64, .settle = 512, .reserve = 128, .drain = 256})
/* What one transaction may take: both shares, the list's, and the heaviest entity of such a game
 * beyond. */
#define MOST_STEPS 30000
/* The ledger's pages for each byte that was sent, and what an empty one takes. */
#define DISK_EMPTY ((size_t)4 << 20)
#define DISK_TIMES 40

/* One batch on its way. */
struct act {
	struct sent *sent;
	int honest; /* whose; -1: the hostile one's */
	const char *lane, *kind;
	char key[40]; /* a row that must be there with it; "" for none */
};

struct game {
	struct world world;
	struct sender chains[HONEST + 1][LANES];
	struct act acts[HONEST + 1][GAME];
	size_t n[HONEST + 1];
	uint64_t ids, seed, sent_bytes;
};

static uint64_t below(struct game *g, uint64_t n)
{
	return next_random(&g->seed) % n;
}

/* -- an honest mission: one event a batch, about its own subjects -- */

static void act_honestly(struct game *g, int who)
{
	struct act *act = &g->acts[who][g->n[who]++];
	const char *prefix = prefixes[who];
	uint64_t id = ++g->ids, what = below(g, 6);
	char person[24], leg[24], place[24];
	int64_t at = 1000 + (int64_t)below(g, 100000);

	*act = (struct act){.honest = who};
	(void)snprintf(act->key, sizeof(act->key), "%s-%c%u", prefix, "ccLPTT"[what],
		       (unsigned)below(g, 12));
	(void)snprintf(person, sizeof(person), "%s-P%u", prefix, (unsigned)below(g, 12));
	(void)snprintf(leg, sizeof(leg), "%s-L%u", prefix, (unsigned)below(g, 4));
	(void)snprintf(place, sizeof(place), "%s-land", prefix);
	struct sender *chains = g->chains[who];
	if (what == 0) {
		act->sent = open_case(&chains[0], id, act->key, at);
	} else if (what == 1) {
		CASE_NEW(NoteAdded, NOTE_ADDED);
		act->sent = sign_event_on(&chains[0], LANE, id, act->key, at, &said.base, 0);
	} else if (what == 2) {
		EV_NEW(LegDeparted, LEG_DEPARTED);
		said.leg = act->key;
		said.operation = (char *)prefix;
		act->sent = sign_event_on(&chains[1], EVACUATIONS, id, act->key, at, &said.base, 0);
	} else if (what == 3) {
		EV_NEW(CheckpointRecorded, CHECKPOINT_RECORDED);
		said.person = act->key;
		said.leg = leg;
		said.operation = (char *)prefix;
		said.checkpoint = 1 + (int)below(g, 5);
		act->sent = sign_event_on(&chains[1], EVACUATIONS, id, person, at, &said.base, 0);
	} else {
		TR_NEW(TravellerRegistered, TRAVELLER_REGISTERED);
		Consular__Traveller__V1__Stay stay = CONSULAR__TRAVELLER__V1__STAY__INIT;
		stay.country = place;
		said.residence = &stay;
		said.people = 1;
		act->sent = sign_event_on(&chains[2], TRAVELLERS, id, act->key, at, &said.base, 0);
	}
	static const char *const kinds[] = {"case",         "case",      "leg",
					    "registration", "traveller", "traveller"};
	act->kind = kinds[what];
	act->lane = lanes[what < 2 ? 0 : what < 4 ? 1 : 2];
}

/* -- the hostile one -- */

/* A subject of its own, or of all; never of an honest mission alone. */
static const char *nonsense(struct game *g, char out[40], const char *what)
{
	(void)snprintf(out, 40, "%s-%s%u", below(g, 4) == 0 ? "ALL" : "AA", what,
		       (unsigned)below(g, 40));
	return out;
}

/* New, its own, or an honest mission's. */
static uint64_t an_id(struct game *g)
{
	return below(g, 8) == 0 ? 1 + below(g, g->ids + 1) : ++g->ids;
}

static int64_t a_time(struct game *g)
{
	static const int64_t absurd[] = {-62135596800, 253402300799, 0, -1, 4102444800};

	return below(g, 3) == 0 ? absurd[below(g, 5)] : (int64_t)below(g, 2000000000);
}

static void add_case(struct game *g, struct vl_buf *out)
{
	char subject[40], into[40];

	nonsense(g, subject, "c");
	if (below(g, 3) == 0) {
		CASE_NEW(CaseOpened, CASE_OPENED);
		said.type = (int)below(g, 4000);
		said.persons = (uint32_t)below(g, UINT32_MAX);
		put_event(out, an_id(g), subject, a_time(g), &said.base, below(g, g->ids + 1));
	} else if (below(g, 2) == 0) {
		CASE_NEW(CaseMerged, CASE_MERGED);
		said.into = (char *)nonsense(g, into, "c");
		put_event(out, an_id(g), subject, a_time(g), &said.base, 0);
	} else {
		CASE_NEW(NoteAdded, NOTE_ADDED);
		put_event(out, an_id(g), subject, a_time(g), &said.base, 0);
	}
}

static void add_manifest(struct game *g, struct vl_buf *out)
{
	size_t n = 1 + below(g, 400);
	char leg[40], (*names)[40] = calloc(n, sizeof(*names)),
		      **persons = calloc(n, sizeof(*persons));
	EV_NEW(ManifestSealed, MANIFEST_SEALED);

	assert_true(names != NULL && persons != NULL);
	for (size_t i = 0; i < n; i++)
		persons[i] = (char *)nonsense(g, names[i], "P");
	said.leg = (char *)nonsense(g, leg, "L");
	said.operation = (char *)"AA";
	said.n_persons = n;
	said.persons = persons;
	put_event(out, an_id(g), leg, a_time(g), &said.base, 0);
	free(names);
	free(persons);
}

static void add_evacuation(struct game *g, struct vl_buf *out)
{
	char person[40], other[40];

	nonsense(g, person, "P");
	if (below(g, 30) == 0) {
		add_manifest(g, out);
	} else if (below(g, 3) == 0) {
		EV_NEW(PersonsMerged, PERSONS_MERGED);
		said.person = person;
		said.kept = (char *)nonsense(g, other, "P");
		put_event(out, an_id(g), person, a_time(g), &said.base, 0);
	} else if (below(g, 3) == 0) {
		EV_NEW(LegDeparted, LEG_DEPARTED);
		said.leg = (char *)nonsense(g, other, "L");
		put_event(out, an_id(g), person, a_time(g), &said.base, 0);
	} else {
		EV_NEW(CheckpointRecorded, CHECKPOINT_RECORDED);
		said.person = below(g, 2) == 0 ? (char *)"AA-P0" : person;
		said.leg = (char *)nonsense(g, other, "L");
		said.operation = (char *)"AA";
		said.checkpoint = (int)below(g, 300);
		put_event(out, an_id(g), person, a_time(g), &said.base, 0);
	}
}

static void add_traveller(struct game *g, struct vl_buf *out)
{
	char reference[40];

	if (below(g, 4) == 0) {
		TR_NEW(SafetyCheckOpened, SAFETY_CHECK_OPENED);
		said.place = (char *)"AA-land";
		put_event(out, an_id(g), nonsense(g, reference, "C"), a_time(g), &said.base, 0);
	} else {
		TR_NEW(TravellerRegistered, TRAVELLER_REGISTERED);
		Consular__Traveller__V1__Stay stay = CONSULAR__TRAVELLER__V1__STAY__INIT;
		stay.country = (char *)"AA-land";
		said.residence = &stay;
		said.people = (uint32_t)below(g, UINT32_MAX);
		put_event(out, an_id(g), nonsense(g, reference, "T"), a_time(g), &said.base, 0);
	}
}

/* A type that this headquarters does not know: of another lane. */
static void add_unknown(struct game *g, struct vl_buf *out, unsigned lane)
{
	if (lane == 0)
		add_traveller(g, out);
	else
		add_case(g, out);
}

/* Before its batch: a fork of what it said last, an epoch that follows or does not, a gap. */
static void strike(struct game *g, struct sender *s)
{
	switch (below(g, 40)) {
	case 0: /* forget the last one, and sign another for its place */
		s->seq -= s->seq > 1;
		break;
	case 1:
		sender_begin_epoch(s, s->epoch.n + 1 + below(g, 3));
		break;
	case 2:
		sender_begin_epoch(s, s->epoch.n + 1);
		s->head.bytes[0] ^= 1;
		break;
	case 3:
		s->seq += below(g, 4);
		break;
	default:
		break;
	}
}

static void act_wildly(struct game *g)
{
	static void (*const add[LANES])(struct game *, struct vl_buf *) = {add_case, add_evacuation,
									   add_traveller};
	struct act *act = &g->acts[HONEST][g->n[HONEST]++];
	unsigned lane = (unsigned)below(g, LANES);
	size_t n = below(g, 4) == 0 ? 1 + below(g, MOST_EVENTS) : 1 + below(g, 3);
	struct vl_buf events[MOST_EVENTS] = {0};
	struct sender *s = &g->chains[HONEST][lane];

	strike(g, s);
	for (size_t i = 0; i < n; i++)
		if (below(g, 50) == 0)
			add_unknown(g, &events[i], lane);
		else
			add[lane](g, &events[i]);
	*act = (struct act){.honest = -1, .sent = sign_batch_on(s, lanes[lane], events, n)};
	for (size_t i = 0; i < n; i++)
		vl_buf_free(&events[i]);
}

/* -- what comes of it -- */

static bool row_is_there(struct world *w, const struct act *act)
{
	int view = vl_view_of_lane(act->lane, strlen(act->lane));
	int kind = vl_view_kind(vl_views[view], act->kind);
	struct vl_txn *txn = vl_txn_begin(w->store, false, NULL);
	struct vl_key key, waits = {0};

	assert_true(kind >= 0);
	vl_row_key(&key, (unsigned)kind, act->key);
	vl_key_u8(&waits, (uint8_t)view);
	vl_key_u8(&waits, (uint8_t)kind);
	vl_key_text(&waits, act->key);
	bool found =
		vl_txn_get(txn, vl_view_db((size_t)view, VL_VIEW_ROW), vl_key_done(&key), NULL) &&
		!vl_txn_get(txn, VL_DB_PENDING, vl_key_done(&waits), NULL);
	vl_txn_abort(txn);
	return found;
}

/* Over all rows of the honest missions' own subjects. */
static struct vl_digest honest_rows(struct world *w)
{
	struct vl_txn *txn = vl_txn_begin(w->store, false, NULL);
	struct vl_digest digest;
	crypto_generichash_state state;
	struct vl_bytes key, value;
	unsigned n = 0;

	crypto_generichash_init(&state, NULL, 0, sizeof(digest.bytes));
	for (size_t view = 0; vl_views[view] != NULL; view++) {
		struct vl_cursor *cursor = vl_cursor_open(txn, vl_view_db(view, VL_VIEW_ROW));
		for (bool more = vl_cursor_seek(cursor, (struct vl_bytes){0}, &key, &value); more;
		     more = vl_cursor_next(cursor, &key, &value))
			for (int who = 0; who < HONEST; who++)
				if (key.size > 4 && memcmp(key.data + 1, prefixes[who], 2) == 0 &&
				    key.data[3] == '-') {
					crypto_generichash_update(&state, key.data, key.size);
					crypto_generichash_update(&state, value.data, value.size);
					n++;
				}
		vl_cursor_close(cursor);
	}
	crypto_generichash_final(&state, digest.bytes, sizeof(digest.bytes));
	vl_txn_abort(txn);
	assert_true(n > 10);
	return digest;
}

static void check_disk(struct game *g)
{
	size_t used, room;

	vl_store_usage(g->world.store, &used, &room);
	assert_true(used <= DISK_EMPTY + DISK_TIMES * g->sent_bytes);
}

/* Bring what `who` says next. The order between senders follows from `seed`, each sender's own
 * is kept. */
static void play(struct game *g, uint64_t seed, bool with_hostile, bool small)
{
	struct vl_fold_bounds bounds = small ? BOUNDS : VL_FOLD_BOUNDS;
	size_t at[HONEST + 1] = {0},
			   left = g->n[0] + g->n[1] + g->n[2] + (with_hostile ? g->n[HONEST] : 0);

	world_start_over(&g->world);
	vl_apply_bound_steps(g->world.applier, &bounds);
	g->sent_bytes = 0;
	while (left > 0) {
		size_t who = next_random(&seed) % (with_hostile ? 2 * HONEST : HONEST);
		who = who > HONEST ? HONEST : who;
		if (at[who] == g->n[who])
			continue;
		const struct act *act = &g->acts[who][at[who]++];
		bring(&g->world, act->sent);
		g->sent_bytes += act->sent->record.value.size;
		left--;
		assert_true(!small || vl_apply_steps(g->world.applier) < MOST_STEPS);
		if (act->honest >= 0 && !row_is_there(&g->world, act))
			fail_msg("%s of %s waits for others", act->key, act->lane);
		check_disk(g);
	}
	world_work_off(&g->world);
	assert_int_equal(world_count(&g->world, VL_DB_PENDING), 0);
	check_disk(g);
}

/* Chains that fork or have gaps are applied as far as what came first goes: in another order
 * other batches of the hostile one may count. What all orders have in common is what this
 * compares; without forks that is everything. */
static void play_game(uint64_t seed, size_t batches)
{
	struct game *g = world_new(sizeof(*g));
	struct vl_digest with, without, turned;

	g->seed = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	for (int who = 0; who <= HONEST; who++) {
		struct sender s = world_sender(
			&g->world,
			who < HONEST ? (const char *[]){"CN-EG-EMB", "CN-SD-EMB", "CN-TH-EMB"}[who]
				     : "CN-AA-EMB");
		for (unsigned lane = 0; lane < LANES; lane++)
			g->chains[who][lane] = s;
	}
	for (size_t i = 0; i < batches; i++)
		if (below(g, 2) == 0)
			act_wildly(g);
		else
			act_honestly(g, (int)below(g, HONEST));
	play(g, seed, false, false);
	without = honest_rows(&g->world);
	play(g, seed, true, true);
	with = honest_rows(&g->world);
	struct vl_digest views[LANES];
	for (unsigned lane = 0; lane < LANES; lane++)
		views[lane] = world_digest_of(
			&g->world, (size_t)vl_view_of_lane(lanes[lane], strlen(lanes[lane])));
	play(g, seed + 77, true, false);
	turned = honest_rows(&g->world);
	if (memcmp(with.bytes, without.bytes, 32) != 0 ||
	    memcmp(turned.bytes, without.bytes, 32) != 0)
		fail_msg("seed %llu: an honest mission's rows differ", (unsigned long long)seed);
	for (unsigned lane = 0; lane < LANES; lane++) {
		struct vl_digest now = world_digest_of(
			&g->world, (size_t)vl_view_of_lane(lanes[lane], strlen(lanes[lane])));
		if (memcmp(now.bytes, views[lane].bytes, 32) != 0)
			fail_msg("seed %llu: another order of arrival, another digest of %s",
				 (unsigned long long)seed, lanes[lane]);
	}
	world_close(&g->world);
	free(g);
}

static void it_harms_only_itself(void **state)
{
	const char *text = getenv("VALISE_HOSTILE");
	uint64_t batches = text != NULL ? strtoull(text, NULL, 10) : 2 * GAME;
	struct rounds rounds = rounds_from((batches + GAME - 1) / GAME);

	(void)state;
	for (uint64_t i = 0; i < rounds.n; i++)
		play_game(rounds.first + i, GAME);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(it_harms_only_itself)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
