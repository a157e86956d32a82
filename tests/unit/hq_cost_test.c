/*
 * What a batch costs headquarters, counted and not timed: comparisons of texts, look-ups in the
 * ledger, memory given out. Each scene is played with N facts and with four times as many; the
 * cost may grow by what n log n grows and no more. So a list that is searched from its
 * beginning, or copied, once for each fact is seen, whatever the machine.
 */
#include "consular/alert/v1/alert.pb-c.h"
#include "consular/evacuation/v1/evacuation.pb-c.h"
#include "consular/traveller/v1/traveller.pb-c.h"
#include "hq_world.h"

#include <time.h>

#define EV(name) Consular__Evacuation__V1__##name
#define TR(name) Consular__Traveller__V1__##name
#define CA(name) Consular__Case__V1__##name
#define AL(name) Consular__Alert__V1__##name
#define INIT(lane, type)                                                                       \
	{                                                                                      \
		.base = PROTOBUF_C_MESSAGE_INIT(&consular__##lane##__v1__##type##__descriptor) \
	}

#define EVACUATION "consular.evacuation.v1"
#define TRAVELLER "consular.traveller.v1"
#define ALERT "consular.alert.v1"

/* -- counting -- */

static uint64_t comparisons, look_ups, bytes;

int __real_strcmp(const char *a, const char *b);
int __wrap_strcmp(const char *a, const char *b);
void *__real_vl_arena_alloc(struct vl_arena *arena, size_t size);
void *__wrap_vl_arena_alloc(struct vl_arena *arena, size_t size);
bool __real_vl_txn_get(struct vl_txn *txn, unsigned db, struct vl_bytes key,
		       struct vl_bytes *value);
bool __wrap_vl_txn_get(struct vl_txn *txn, unsigned db, struct vl_bytes key,
		       struct vl_bytes *value);
bool __real_vl_cursor_next(struct vl_cursor *cursor, struct vl_bytes *key, struct vl_bytes *value);
bool __wrap_vl_cursor_next(struct vl_cursor *cursor, struct vl_bytes *key, struct vl_bytes *value);

int __wrap_strcmp(const char *a, const char *b)
{
	comparisons++;
	return __real_strcmp(a, b);
}

void *__wrap_vl_arena_alloc(struct vl_arena *arena, size_t size)
{
	bytes += size;
	return __real_vl_arena_alloc(arena, size);
}

bool __wrap_vl_txn_get(struct vl_txn *txn, unsigned db, struct vl_bytes key, struct vl_bytes *value)
{
	look_ups++;
	return __real_vl_txn_get(txn, db, key, value);
}

bool __wrap_vl_cursor_next(struct vl_cursor *cursor, struct vl_bytes *key, struct vl_bytes *value)
{
	look_ups++;
	return __real_vl_cursor_next(cursor, key, value);
}

/* -- a scene -- */

/* A world in which one mission says what follows, on one lane. */
struct scene {
	struct world *world;
	struct sender sender;
	const char *lane;
	struct vl_buf *events;
	size_t n, room;
	uint64_t id;
};

static void open_scene(struct scene *scene, const char *lane)
{
	*scene = (struct scene){.world = world_new(sizeof(struct world)), .lane = lane};
	scene->sender = world_sender(scene->world, "CN-SD-EMB");
}

static void close_scene(struct scene *scene)
{
	void *state = scene->world;

	free(scene->events);
	(void)world_teardown(&state);
}

static void say(struct scene *scene, const char *subject, int64_t at, const void *payload)
{
	if (scene->n == scene->room) {
		scene->room = scene->room == 0 ? 256 : scene->room * 2;
		scene->events = realloc(scene->events, scene->room * sizeof(*scene->events));
		assert_non_null(scene->events);
	}
	struct vl_buf *event = &scene->events[scene->n++];
	*event = (struct vl_buf){0};
	put_event(event, ++scene->id, subject, 1682380800 + at, payload, 0);
}

/* Bring what was said as one batch, and all that it asks for. */
static uint64_t cost_of(struct scene *scene)
{
	struct vl_why why = {0};
	const struct sent *sent =
		sign_batch_on(&scene->sender, scene->lane, scene->events, scene->n);

	for (size_t i = 0; i < scene->n; i++)
		vl_buf_free(&scene->events[i]);
	scene->n = 0;
	comparisons = look_ups = bytes = 0;
	bring(scene->world, sent);
	while (vl_apply_left(scene->world->applier) > 0) {
		assert_int_equal(vl_apply_begin(scene->world->applier, &why), VL_OK);
		assert_int_equal(vl_apply_commit(scene->world->applier, &why), VL_OK);
	}
	return comparisons + look_ups + bytes / 64;
}

static char *name(char prefix, size_t i)
{
	static char names[8][24];
	static unsigned next;
	char *room = names[next++ % 8];

	(void)snprintf(room, sizeof(names[0]), "%c%05zu", prefix, i);
	return room;
}

/* What a scene costs with so many facts; `later`, what one more fact costs behind them. */
struct cost {
	uint64_t first, later;
};
typedef struct cost play(size_t n);

/* Four times as many cost about four times as much, and one more fact no more than four times as
 * much. */
static void grows_slowly(play *scene, size_t n)
{
	struct cost few = scene(n), many = scene(4 * n);

	print_message("%zu: %llu, then %llu; %zu: %llu, then %llu\n", n,
		      (unsigned long long)few.first, (unsigned long long)few.later, 4 * n,
		      (unsigned long long)many.first, (unsigned long long)many.later);
	assert_true(many.first < 6 * few.first);
	assert_true(many.later < 6 * few.later + 1000);
}

/* And one more fact costs the same however many there are. */
static void stays_small(play *scene, size_t n)
{
	struct cost few = scene(n), many = scene(4 * n);

	assert_true(many.first < 6 * few.first);
	assert_true(many.later < few.later + few.later / 2);
}

#define SCENE(test, check, play, n)    \
	static void test(void **state) \
	{                              \
		(void)state;           \
		check(play, n);        \
	}

/* -- evacuations -- */

static void say_boarded(struct scene *scene, char *leg)
{
	EV(CheckpointRecorded) said = INIT(evacuation, checkpoint_recorded);

	said.person = (char *)"P";
	said.leg = leg;
	said.operation = (char *)"O";
	said.checkpoint = CONSULAR__EVACUATION__V1__CHECKPOINT__CHECKPOINT_BOARDED;
	say(scene, leg, 1, &said);
}

/* A minor without a party, so that each leg breaks a rule, too. */
static struct cost play_one_person(size_t n)
{
	struct scene scene;
	EV(PersonRegistered) minor = INIT(evacuation, person_registered);

	open_scene(&scene, EVACUATION);
	minor.person = (char *)"P";
	minor.minor = true;
	say(&scene, "P", 0, &minor);
	for (size_t i = 0; i < n; i++)
		say_boarded(&scene, name('L', i));
	struct cost cost = {.first = cost_of(&scene)};
	say_boarded(&scene, name('M', 0));
	cost.later = cost_of(&scene);
	close_scene(&scene);
	return cost;
}
SCENE(one_person_on_many_legs, grows_slowly, play_one_person, 200)

static void say_manifest(struct scene *scene, char *leg, size_t n)
{
	EV(ManifestSealed) manifest = INIT(evacuation, manifest_sealed);
	char **persons = calloc(n, sizeof(*persons));

	assert_non_null(persons);
	for (size_t i = 0; i < n; i++)
		persons[i] = strdup(name('P', i));
	manifest.leg = leg;
	manifest.operation = (char *)"O";
	manifest.persons = persons;
	manifest.n_persons = n;
	say(scene, leg, 0, &manifest);
	for (size_t i = 0; i < n; i++)
		free(persons[i]);
	free(persons);
}

static struct cost play_manifest(size_t n)
{
	struct scene scene;

	open_scene(&scene, EVACUATION);
	say_manifest(&scene, (char *)"L1", n);
	struct cost cost = {.first = cost_of(&scene)};
	say_manifest(&scene, (char *)"L2", n);
	cost.later = cost_of(&scene);
	close_scene(&scene);
	return cost;
}
SCENE(a_manifest_said_twice, grows_slowly, play_manifest, 200)

static void say_same_person(struct scene *scene, char *person, char *kept, int64_t at)
{
	EV(PersonsMerged) merged = INIT(evacuation, persons_merged);

	merged.person = person;
	merged.kept = kept;
	say(scene, person, at, &merged);
}

/* Headquarters says so, who may merge whoever was registered by whom (E12). */
static struct cost play_persons_merged(size_t n)
{
	struct scene scene;

	open_scene(&scene, EVACUATION);
	scene.sender = world_sender(scene.world, "HQ");
	for (size_t i = 0; i < n; i++)
		say_same_person(&scene, name('P', i), name('P', i + 1), (int64_t)i);
	struct cost cost = {.first = cost_of(&scene)};
	say_same_person(&scene, (char *)"Q1", (char *)"Q2", 0);
	cost.later = cost_of(&scene);
	close_scene(&scene);
	return cost;
}
SCENE(a_chain_of_persons, grows_slowly, play_persons_merged, 200)

/* Estimates of as many places, and reports by falling dates, each of which has to go before all
 * others. */
static struct cost play_figures(size_t n)
{
	struct scene scene;

	open_scene(&scene, EVACUATION);
	for (size_t i = 0; i < n; i++) {
		EV(FigureReported) said = INIT(evacuation, figure_reported);
		Google__Protobuf__Timestamp as_of = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
		as_of.seconds = 1682380800 - (int64_t)i;
		said.operation = (char *)"O";
		said.place = name('A', i);
		said.measure = i % 2 == 0 ? CONSULAR__EVACUATION__V1__MEASURE__MEASURE_OUT
					  : CONSULAR__EVACUATION__V1__MEASURE__MEASURE_AT_STAGING;
		said.qualifier = CONSULAR__EVACUATION__V1__QUALIFIER__QUALIFIER_ABOUT;
		said.as_of = &as_of;
		say(&scene, "O", (int64_t)i, &said);
	}
	struct cost cost = {.first = cost_of(&scene)};
	close_scene(&scene);
	return cost;
}
SCENE(many_figures, grows_slowly, play_figures, 250)

/* -- cases -- */

static void say_merged(struct scene *scene, char *from, char *into, int64_t at)
{
	CA(CaseMerged) merged = INIT(case, case_merged);

	merged.into = into;
	say(scene, from, at, &merged);
}

/* From its end, so that the last merge is the first of the chain; and the other way. */
static struct cost play_chain(size_t n, bool from_end)
{
	struct scene scene;

	open_scene(&scene, LANE);
	for (size_t i = 0; i < n; i++) {
		size_t link = from_end ? n - 1 - i : i;
		say_merged(&scene, name('C', link), name('C', link + 1), (int64_t)i);
	}
	struct cost cost = {.first = cost_of(&scene)};
	say_merged(&scene, (char *)"D1", (char *)"D2", 0);
	cost.later = cost_of(&scene);
	close_scene(&scene);
	return cost;
}

static struct cost play_chain_from_end(size_t n)
{
	return play_chain(n, true);
}

static struct cost play_chain_from_beginning(size_t n)
{
	return play_chain(n, false);
}
SCENE(a_chain_of_cases, stays_small, play_chain_from_beginning, 200)
SCENE(a_chain_of_cases_from_its_end, stays_small, play_chain_from_end, 200)

/* Offers without a name, each answered by the mission it went to, and clocks. */
static struct cost play_offers(size_t n)
{
	struct scene scene;

	open_scene(&scene, LANE);
	for (size_t i = 0; i < n; i++) {
		CA(TransferOffered) offered = INIT(case, transfer_offered);
		CA(ClockStarted) started = INIT(case, clock_started);
		offered.to = (char *)"CN-EG-EMB";
		say(&scene, "C", (int64_t)i, &offered);
		started.clock = name('K', i);
		say(&scene, "C", (int64_t)i, &started);
	}
	for (size_t i = 0; i < n; i++) {
		CA(TransferWithdrawn) withdrawn = INIT(case, transfer_withdrawn);
		say(&scene, "C", (int64_t)(n + i), &withdrawn);
	}
	struct cost cost = {.first = cost_of(&scene)};
	close_scene(&scene);
	return cost;
}
SCENE(many_offers_and_clocks, grows_slowly, play_offers, 200)

/* -- alerts -- */

/* Drafts in as many languages and for as many areas, and approvals that each revision makes
 * lapse. */
static struct cost play_alert(size_t n)
{
	struct scene scene;
	AL(Issue) issue = CONSULAR__ALERT__V1__ISSUE__INIT;
	AL(AlertPublished) published = INIT(alert, alert_published);
	AL(AreaLevel) *levels = calloc(n, sizeof(*levels));
	AL(AreaLevel) **list = calloc(n, sizeof(*list));
	char **languages = calloc(n, sizeof(*languages));

	open_scene(&scene, ALERT);
	for (size_t i = 0; i < n; i++) {
		consular__alert__v1__area_level__init(&levels[i]);
		levels[i].area = languages[i] = strdup(name('A', i));
		levels[i].colour = CONSULAR__ALERT__V1__RISK_COLOUR__RISK_COLOUR_BLUE;
		list[i] = &levels[i];
		AL(AlertApproved) approved = INIT(alert, alert_approved);
		AL(AlertReturned) returned = INIT(alert, alert_returned);
		say(&scene, "A-1", (int64_t)i, &approved);
		say(&scene, "A-1", (int64_t)i, &returned);
	}
	AL(CapAlert) cap = CONSULAR__ALERT__V1__CAP_ALERT__INIT;
	cap.status = CONSULAR__ALERT__V1__CAP_STATUS__CAP_STATUS_ACTUAL;
	issue.cap = &cap;
	issue.levels = list;
	issue.n_levels = n;
	issue.languages = languages;
	issue.n_languages = n;
	published.issue = &issue;
	say(&scene, "A-1", (int64_t)n, &published);
	struct cost cost = {.first = cost_of(&scene)};
	close_scene(&scene);
	for (size_t i = 0; i < n; i++)
		free(languages[i]);
	free(languages);
	free(levels);
	free(list);
	return cost;
}
SCENE(an_alert_of_many_parts, grows_slowly, play_alert, 200)

/* One message that cancels very many. */
static struct cost play_references(size_t n)
{
	struct scene scene;
	AL(Issue) issue = CONSULAR__ALERT__V1__ISSUE__INIT;
	AL(CapAlert) cap = CONSULAR__ALERT__V1__CAP_ALERT__INIT;
	AL(AlertCancelled) cancelled = INIT(alert, alert_cancelled);
	AL(CapReference) *references = calloc(n, sizeof(*references));
	AL(CapReference) **list = calloc(n, sizeof(*list));

	for (size_t i = 0; i < n; i++) {
		consular__alert__v1__cap_reference__init(&references[i]);
		references[i].identifier = strdup(name('A', i));
		list[i] = &references[i];
	}
	cap.references = list;
	cap.n_references = n;
	issue.cap = &cap;
	cancelled.issue = &issue;
	open_scene(&scene, ALERT);
	say(&scene, "X-1", 0, &cancelled);
	struct cost cost = {.first = cost_of(&scene)};
	say(&scene, "X-2", 0, &cancelled);
	cost.later = cost_of(&scene);
	close_scene(&scene);
	for (size_t i = 0; i < n; i++)
		free(references[i].identifier);
	free(references);
	free(list);
	return cost;
}
SCENE(a_cancellation_of_many, grows_slowly, play_references, 200)

/* -- travellers -- */

static void say_registered(struct scene *scene, char *traveller)
{
	TR(TravellerRegistered) registered = INIT(traveller, traveller_registered);
	TR(Stay) residence = CONSULAR__TRAVELLER__V1__STAY__INIT;

	residence.country = (char *)"SD";
	registered.people = 1;
	registered.residence = &residence;
	say(scene, traveller, 0, &registered);
}

static void say_opened(struct scene *scene, char *check, int64_t at)
{
	TR(SafetyCheckOpened) opened = INIT(traveller, safety_check_opened);

	opened.place = (char *)"SD";
	say(scene, check, at, &opened);
}

#define RESIDENTS 30

/* In one place, where some people live. */
static struct cost play_checks(size_t n)
{
	struct scene scene;

	open_scene(&scene, TRAVELLER);
	for (size_t i = 0; i < RESIDENTS; i++)
		say_registered(&scene, name('T', i));
	(void)cost_of(&scene);
	for (size_t i = 0; i < n; i++)
		say_opened(&scene, name('S', i), (int64_t)i);
	struct cost cost = {.first = cost_of(&scene)};
	say_registered(&scene, (char *)"TX");
	cost.later = cost_of(&scene);
	close_scene(&scene);
	return cost;
}
SCENE(many_checks_in_one_place, stays_small, play_checks, 200)

/* Who answers as many checks, and plans and cancels as many trips. */
static struct cost play_answers(size_t n)
{
	struct scene scene;

	open_scene(&scene, TRAVELLER);
	for (size_t i = 0; i < n; i++) {
		TR(SafetyReplied) replied = INIT(traveller, safety_replied);
		TR(TripPlanned) planned = INIT(traveller, trip_planned);
		TR(RegistrationWithdrawn) withdrawn = INIT(traveller, registration_withdrawn);
		replied.check = name('S', (i * 7919) % n);
		replied.safe = 1;
		say(&scene, "T", (int64_t)i, &replied);
		planned.trip = name('R', i);
		say(&scene, "T", (int64_t)i, &planned);
		say(&scene, "T", (int64_t)i, &withdrawn);
	}
	struct cost cost = {.first = cost_of(&scene)};
	close_scene(&scene);
	return cost;
}
SCENE(many_answers_and_trips, grows_slowly, play_answers, 200)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_person_on_many_legs),
		cmocka_unit_test(a_manifest_said_twice),
		cmocka_unit_test(a_chain_of_persons),
		cmocka_unit_test(many_figures),
		cmocka_unit_test(a_chain_of_cases),
		cmocka_unit_test(a_chain_of_cases_from_its_end),
		cmocka_unit_test(many_offers_and_clocks),
		cmocka_unit_test(an_alert_of_many_parts),
		cmocka_unit_test(a_cancellation_of_many),
		cmocka_unit_test(many_checks_in_one_place),
		cmocka_unit_test(many_answers_and_trips),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
