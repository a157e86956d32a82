#include "hq_scene.h"

#include "consular/evacuation/v1/evacuation.pb-c.h"
#include "consular/traveller/v1/traveller.pb-c.h"
#include "hq/ingest/keybook.h"
#include "hq/ledger/deadletter.h"
#include "hq/ledger/unread.h"
#include "hq/fold/databases.h"

#define TRAVELLERS "consular.traveller.v1"
#define EV(name) Consular__Evacuation__V1__##name
#define TR(name) Consular__Traveller__V1__##name
#define PEOPLE 12

/* -- what is said -- */

struct sent *scene_board(struct sender *s, uint64_t id, unsigned n, const char *leg)
{
	EV(CheckpointRecorded) said = CONSULAR__EVACUATION__V1__CHECKPOINT_RECORDED__INIT;
	char person[16];

	(void)snprintf(person, sizeof(person), "P-%u", n);
	said.person = person;
	said.leg = (char *)leg;
	said.operation = (char *)"OP";
	said.checkpoint = CONSULAR__EVACUATION__V1__CHECKPOINT__CHECKPOINT_BOARDED;
	return sign_event_on(s, EVACUATIONS, id, person, 100, &said.base, 0);
}

static struct sent *depart(struct sender *s, uint64_t id, const char *leg)
{
	EV(LegDeparted) said = CONSULAR__EVACUATION__V1__LEG_DEPARTED__INIT;

	said.leg = (char *)leg;
	said.operation = (char *)"OP";
	return sign_event_on(s, EVACUATIONS, id, leg, 200, &said.base, 0);
}

/* People who live in one country; one batch. */
static struct sent *register_some(struct sender *s, uint64_t first, unsigned n)
{
	struct vl_buf events[64] = {{0}};
	char reference[16];

	for (unsigned i = 0; i < n; i++) {
		TR(TravellerRegistered) said = CONSULAR__TRAVELLER__V1__TRAVELLER_REGISTERED__INIT;
		TR(Stay) stay = CONSULAR__TRAVELLER__V1__STAY__INIT;
		stay.country = (char *)"SD";
		said.residence = &stay;
		said.people = 1;
		(void)snprintf(reference, sizeof(reference), "T-%u", (unsigned)first + i);
		put_event(&events[i], first + i, reference, 100, &said.base, 0);
	}
	struct sent *sent = sign_batch_on(s, TRAVELLERS, events, n);
	for (unsigned i = 0; i < n; i++)
		vl_buf_free(&events[i]);
	return sent;
}

static struct sent *ask(struct sender *s, uint64_t id, const char *check)
{
	TR(SafetyCheckOpened) said = CONSULAR__TRAVELLER__V1__SAFETY_CHECK_OPENED__INIT;

	said.place = (char *)"SD";
	return sign_event_on(s, TRAVELLERS, id, check, 200000, &said.base, 0);
}

static struct sent *reply(struct sender *s, uint64_t id, const char *traveller, const char *check)
{
	TR(SafetyReplied) said = CONSULAR__TRAVELLER__V1__SAFETY_REPLIED__INIT;

	said.check = (char *)check;
	said.safe = 1;
	return sign_event_on(s, TRAVELLERS, id, traveller, 200100, &said.base, 0);
}

static struct sent *emergency(struct sender *s, uint64_t id, const char *subject,
			      const char *crisis)
{
	Consular__Case__V1__CaseOpened opened = CONSULAR__CASE__V1__CASE_OPENED__INIT;

	opened.type = CONSULAR__CASE__V1__CASE_TYPE__CASE_TYPE_EMERGENCY;
	opened.crisis = (char *)crisis;
	return sign_event_on(s, LANE, id, subject, 100, &opened.base, 0);
}

static struct sent *declare(struct sender *s, uint64_t id, const char *crisis)
{
	EV(CrisisDeclared) said = CONSULAR__EVACUATION__V1__CRISIS_DECLARED__INIT;

	said.crisis = (char *)crisis;
	return sign_event_on(s, EVACUATIONS, id, crisis, 200, &said.base, 0);
}

/* -- a ledger with something in every database -- */

/* Each lane has its own chain. */
struct sender scene_on_lane(const struct sender *s, uint64_t epoch)
{
	struct sender own = *s;

	sender_begin_epoch(&own, epoch);
	own.head = (struct vl_digest){0};
	return own;
}

static void put_raw(struct vl_txn *txn, enum vl_ledger_db db, const struct sender *s, size_t size)
{
	static const uint8_t zeros[64];
	struct vl_key key = {0};

	vl_key_text(&key, s->id);
	vl_key_text(&key, ALERT_LANE);
	if (db == VL_DB_DUE)
		vl_key_u64(&key, 77);
	vl_txn_put(txn, db, vl_key_done(&key), (struct vl_bytes){zeros, size});
}

static void fill_common(struct scene *c)
{
	const struct vl_unread unread = {
		.kind = VL_UNREAD_PASSED, .topic = LANE, .from = 3, .to = 4, .times = 1};
	struct vl_record record = {.topic = vl_bytes_of("t"), .value = vl_bytes_of("x")};
	struct vl_digest digest = vl_batch_digest(record.value);
	struct vl_ring *ring;

	assert_int_equal(vl_keybook_open_ring(c->w.store, c->w.keys, &ring, NULL), VL_OK);
	vl_ring_close(ring);
	struct vl_txn *txn = vl_txn_begin(c->w.store, true, NULL);
	vl_unread_put(txn, &unread);
	vl_deadletter_bury(txn, &record, &digest, VL_ERR_DRILL, NULL);
	put_raw(txn, VL_DB_DUE, &c->et, 0);
	put_raw(txn, VL_DB_MISSING, &c->et, 16);
	assert_int_equal(vl_txn_commit(txn, NULL), VL_OK);
}

/* A fork, a gap with more behind it than may wait, an epoch that follows on nothing, a pulse. */
static void fill_chains(struct scene *c)
{
	const struct vl_parked_bounds few = {1, 1 << 20, 1 << 20};
	struct sender fork = c->et, gap = scene_on_lane(&c->sd, 3000),
		      lost = scene_on_lane(&c->et, 4000);
	struct sender pulses = scene_on_lane(&c->sd, 5000);

	bring(&c->w, open_case(&c->et, 900, "ET-1", 100));
	bring(&c->w, open_case(&fork, 901, "ET-2", 100));
	vl_apply_bound(c->w.applier, &few);
	bring(&c->w, submit_alert(&gap, 910));
	(void)submit_alert(&gap, 911);
	for (uint64_t i = 0; i < 3; i++)
		bring(&c->w, submit_alert(&gap, 912 + i));
	lost.head.bytes[0] = 9;
	bring(&c->w, submit_alert(&lost, 920));
	Valise__Pulse__V1__Pulse__Head head = head_of(&c->sd, LANE, c->sd.seq);
	bring_beat(&c->w, &pulses, &head, 1);
}

static void fill_views(struct scene *c)
{
	struct sender legs = scene_on_lane(&c->sd, 2000), other = scene_on_lane(&c->et, 2000),
		      people = scene_on_lane(&c->sd, 2100);
	struct world *w = &c->w;

	for (uint64_t i = 0; i < 3; i++)
		bring(w, open_case(&c->sd, 1 + i, i < 2 ? "SD-1" : "SD-2", 100 + (int64_t)i));
	bring(w, emergency(&c->sd, 4, "SD-3", "CR-1"));
	for (unsigned i = 0; i < PEOPLE; i++)
		bring(w, scene_board(&legs, 100 + i, i, i % 2 == 0 ? "L-1" : "L-2"));
	/* One event of two missions. */
	bring(w, scene_board(&other, 100, 0, "L-1"));
	bring(w, depart(&legs, 150, "L-1"));
	bring(w, register_some(&people, 200, PEOPLE));
	bring(w, ask(&people, 250, "CHECK"));
	for (unsigned i = 0; i < PEOPLE / 2; i++) {
		char name[16];
		(void)snprintf(name, sizeof(name), "T-%u", 200 + i);
		bring(w, reply(&people, 260 + i, name, "CHECK"));
	}
	(void)world_work_off(w);
	c->later[c->n_later++] = open_case(&c->sd, 500, "SD-1", 300);
	c->later[c->n_later++] = open_case(&c->sd, 3, "SD-2", 102); /* an id said again */
	c->later[c->n_later++] = scene_board(&legs, 501, 3, "L-1");
	c->later[c->n_later++] = scene_board(&other, 502, PEOPLE, "L-2");
	c->later[c->n_later++] = depart(&legs, 503, "L-2");
	c->later[c->n_later++] = declare(&legs, 520, "CR-1");
	c->later[c->n_later++] = reply(&people, 504, "T-207", "CHECK");
	c->later[c->n_later++] = register_some(&people, 300, 3);
	c->later[c->n_later++] = ask(&people, 510, "CHECK-2");
}

static void read_file(const struct world *w, struct vl_buf *bytes)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/data.mdb", w->views);
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	assert_int_equal(fseek(file, 0, SEEK_END), 0);
	size_t size = (size_t)ftell(file);
	rewind(file);
	vl_buf_reset(bytes);
	assert_int_equal(fread(vl_buf_add(bytes, size), 1, size, file), size);
	assert_int_equal(fclose(file), 0);
}

void scene_keep(struct scene *c)
{
	read_file(&c->w, &c->sound);
}

static void write_file(const struct world *w, const struct vl_buf *bytes)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/data.mdb", w->views);
	FILE *file = fopen(path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes->data, 1, bytes->size, file), bytes->size);
	assert_int_equal(fclose(file), 0);
}

static void take_digests(struct scene *c, struct vl_digest *digests)
{
	for (size_t v = 0; vl_views[v] != NULL; v++)
		digests[v] = world_digest_of(&c->w, v);
}

/* Back to the undamaged ledger, which is closed. */
void scene_restore(struct scene *c)
{
	if (c->w.store != NULL)
		world_close_ledger(&c->w);
	write_file(&c->w, &c->sound);
	c->w.offset = c->offset;
}

void scene_bring_later(struct scene *c)
{
	for (size_t i = 0; i < c->n_later; i++)
		bring(&c->w, c->later[i]);
}

int scene_setup(void **state)
{
	struct scene *c = world_new(sizeof(*c));

	assert_true(vl_views_count() <= MOST_VIEWS);
	c->sd = world_sender(&c->w, "CN-SD-EMB");
	c->et = world_sender(&c->w, "CN-ET-EMB");
	fill_views(c);
	fill_chains(c);
	fill_common(c);
	(void)world_work_off(&c->w);
	take_digests(c, c->now);
	c->offset = c->w.offset;
	world_close_ledger(&c->w);
	read_file(&c->w, &c->sound);
	world_open_ledger(&c->w);
	scene_bring_later(c);
	(void)world_work_off(&c->w);
	take_digests(c, c->then);
	c->standing = world_standing(&c->w, c->sd.id);
	*state = c;
	return 0;
}

int scene_teardown(void **state)
{
	struct scene *c = *state;

	vl_buf_free(&c->sound);
	return world_teardown(state);
}

/* -- the disk -- */

/* The entry as LMDB has it: head, key, value and word. */
static bool find_entry(struct scene *c, unsigned db, size_t index, struct vl_buf *entry,
		       size_t *key_size)
{
	const char *names[80] = {NULL};
	static char room[80][VL_LEDGER_NAME];
	struct vl_store_options options = {
		.path = c->w.views, .dbs = names, .unchecked = UINT64_MAX, .read_only = true};
	struct vl_store *store;
	struct vl_bytes key, value;

	for (unsigned i = 0; i < vl_view_db(vl_views_count(), 0); i++) {
		vl_ledger_name(i, room[i]);
		names[i] = room[i];
	}
	assert_int_equal(vl_store_open(&options, &store, NULL), VL_OK);
	struct vl_txn *txn = vl_txn_begin(store, false, NULL);
	struct vl_cursor *cursor = vl_cursor_open(txn, db);
	bool more = vl_cursor_seek(cursor, (struct vl_bytes){0}, &key, &value);
	while (more && index-- > 0)
		more = vl_cursor_next(cursor, &key, &value);
	vl_buf_reset(entry);
	*key_size = more ? key.size : 0;
	if (more) {
		vl_buf_put(entry, key.data, key.size);
		vl_buf_put(entry, value.data, value.size);
	}
	vl_cursor_close(cursor);
	vl_txn_abort(txn);
	vl_store_close(store);
	return more;
}

const char *const scene_harms[] = {"bit",         "word",         "garbled",   "shorter",
				   "key's first", "key's middle", "key's last"};

static void harm_bytes(uint8_t *entry, size_t key, size_t size, enum harm harm)
{
	size_t value = size - key;

	switch (harm) {
	case FIRST_BIT:
		entry[key] ^= 0x10;
		break;
	case WORD:
		entry[size - 1] ^= 1;
		break;
	case GARBLED:
		for (size_t i = 0; i < value; i++)
			entry[key + i] = (uint8_t)(i * 37 + 11);
		break;
	case SHORTER:
		entry[-8] = (uint8_t)(entry[-8] - 1); /* the head begins with the value's size */
		break;
	case KEY_FIRST:
		entry[0] ^= 0x40;
		break;
	case KEY_MIDDLE:
		entry[key / 2] ^= 0x20;
		break;
	default:
		entry[key - 1] ^= 0x80;
	}
}

/* False where the database has no such entry, or it lies on pages of its own. */
bool scene_spoil(struct scene *c, unsigned db, size_t index, enum harm harm)
{
	struct vl_buf bytes = {0}, entry = {0};
	size_t key, found = 0;

	scene_restore(c);
	bool there = find_entry(c, db, index, &entry, &key);
	vl_buf_put(&bytes, c->sound.data, c->sound.size);
	/* Older pages may have it, too. */
	for (uint8_t *at = bytes.data; there && entry.size >= 12; found++) {
		at = memmem(at, (size_t)(bytes.data + bytes.size - at), entry.data, entry.size);
		if (at == NULL)
			break;
		harm_bytes(at, key, entry.size, harm);
		at++;
	}
	write_file(&c->w, &bytes);
	vl_buf_free(&bytes);
	vl_buf_free(&entry);
	return found > 0;
}
