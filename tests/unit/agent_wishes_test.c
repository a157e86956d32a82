/* agent/wishes.h, inbox.h, resend.h, flight.h: a directive of headquarters sends again exactly
 * what it names, and one of anybody else, or said again, does nothing. */
#include "agent_receipt.h"

#include "agent/inbox.h"
#include "agent/wishes.h"

#define BATCHES 9

struct desk {
	struct world *world;
	struct vl_ring *ring;
	struct vl_inbox *inbox;
	struct vl_flight *flight;
	struct vl_resend_asked *asked;
	size_t lane; /* of cases */
	uint64_t batch;
	int64_t now;
};

static void accept_batches(struct desk *desk, uint64_t from, uint64_t to)
{
	for (uint64_t n = from; n <= to; n++)
		(void)world_accept(desk->world, n, CASE_TYPE, 10);
}

static int desk_setup(void **state)
{
	struct desk *desk = calloc(1, sizeof(*desk));
	void *world;

	assert_non_null(desk);
	assert_int_equal(world_setup(&world), 0);
	desk->world = world;
	world_open(desk->world);
	accept_batches(desk, 1, BATCHES);
	desk->ring = receipt_ring();
	desk->inbox = vl_inbox_open(desk->ring, "CN-SD-EMB");
	desk->flight = vl_flight_open(vl_lanes, vl_n_lanes);
	desk->asked = calloc(vl_n_lanes, sizeof(*desk->asked));
	assert_true(desk->inbox != NULL && desk->flight != NULL && desk->asked != NULL);
	desk->lane = (size_t)(vl_lane_find(CASE_LANE, strlen(CASE_LANE)) - vl_lanes);
	desk->now = 1000000;
	*state = desk;
	return 0;
}

static int desk_teardown(void **state)
{
	struct desk *desk = *state;
	void *world = desk->world;

	free(desk->asked);
	vl_flight_close(desk->flight);
	vl_inbox_close(desk->inbox);
	vl_ring_close(desk->ring);
	(void)world_teardown(&world);
	free(desk);
	return 0;
}

/* Give the keeper's inbox a record; whether it wishes for anything then, and what. */
static bool bring(struct desk *desk, struct receipt_made made, struct vl_pipe_message *wish)
{
	struct vl_pipe_message other;

	made.resend = true;
	if (made.batch == 0)
		made.batch = ++desk->batch;
	struct vl_buf relayed = receipt_relay(&made);
	struct vl_bytes exact = fixture_exact(vl_buf_bytes(&relayed));
	vl_inbox_take(desk->inbox, exact, 1000);
	fixture_release(exact);
	vl_buf_free(&relayed);
	bool any = vl_inbox_wish(desk->inbox, wish);
	assert_false(vl_inbox_wish(desk->inbox, &other));
	return any;
}

/* What the link would send of the lane of cases now, and Kafka ack: the numbers as text. */
static const char *sends(struct desk *desk)
{
	static char text[200];
	struct vl_outbox_batch batch = {0};
	size_t size = 0, lane;

	text[0] = '\0';
	for (size_t i = 0; i < vl_n_lanes; i++)
		if (i != desk->lane)
			vl_flight_empty(desk->flight, i);
	struct vl_outbox_look *look = vl_outbox_look(desk->world->outbox, NULL);
	while (vl_flight_next(desk->flight, VL_URGENT, desk->now, &lane) ||
	       vl_flight_next(desk->flight, VL_BULK, desk->now, &lane)) {
		struct vl_place after = vl_flight_sent_to(desk->flight, lane);
		if (!vl_outbox_next(look, CASE_LANE, after.epoch, after.seq, &batch)) {
			vl_flight_empty(desk->flight, lane);
			break;
		}
		struct vl_place place = {batch.epoch, batch.seq};
		size_t tag = vl_flight_sent(desk->flight, lane, place, batch.value.size, desk->now);
		(void)vl_flight_acked(desk->flight, tag, desk->now);
		size += (size_t)snprintf(text + size, sizeof(text) - size, "%d ", (int)batch.seq.n);
		assert_in_range(size, 1, sizeof(text) - 10);
	}
	vl_outbox_look_end(look);
	return text;
}

static bool wish_for(struct desk *desk, uint64_t epoch, uint64_t from, uint64_t to)
{
	struct vl_pipe_message resend = {.kind = VL_PIPE_RESEND,
					 .lane = &vl_lanes[desk->lane],
					 .epoch = {epoch},
					 .seq = {from},
					 .to = {to}};

	desk->now += VL_RESEND_ASKED_MAX_MS;
	return vl_wishes_take(desk->asked, desk->world->outbox, desk->flight, &resend, desk->now);
}

static void a_directive_becomes_a_wish(void **state)
{
	struct desk *desk = *state;
	struct vl_pipe_message wish;

	assert_true(bring(desk, (struct receipt_made){.seq = 3, .to = 5, .offset = 40}, &wish));
	assert_int_equal(wish.kind, VL_PIPE_RESEND);
	assert_ptr_equal(wish.lane, &vl_lanes[desk->lane]);
	assert_int_equal(wish.epoch.n, NOW);
	assert_int_equal(wish.seq.n, 3);
	assert_int_equal(wish.to.n, 5);
	assert_true(bring(desk, (struct receipt_made){.seq = 3, .offset = 41, .filler = 100000},
			  &wish));
	assert_int_equal(wish.to.n, 0);
	/* How far the topic was read is kept, apart from the receipts'. */
	assert_int_equal(vl_outbox_begin(desk->world->outbox, NULL), VL_OK);
	vl_inbox_note(desk->inbox, desk->world->outbox);
	assert_int_equal(vl_outbox_commit(desk->world->outbox, NULL), VL_OK);
	vl_inbox_noted(desk->inbox);
	struct vl_outbox_look *look = vl_outbox_look(desk->world->outbox, NULL);
	assert_int_equal(vl_outbox_position(look, VL_DIRECTIVE_LANE ".CN-SD-EMB", 0), 42);
	assert_int_equal(vl_outbox_position(look, VL_RECEIPT_LANE ".CN-SD-EMB", 0), -1);
	vl_outbox_look_end(look);
}

static void nobody_else_wishes_for_anything(void **state)
{
	struct desk *desk = *state;
	struct vl_pipe_message wish;

	assert_false(bring(desk, (struct receipt_made){.seq = 3, .sender = OTHER, .key = OTHER_KEY},
			   &wish));
	assert_false(bring(desk, (struct receipt_made){.seq = 3, .sender = "CN-SD-EMB", .key = 1},
			   &wish));
	assert_false(bring(desk, (struct receipt_made){.seq = 3, .key = OTHER_KEY}, &wish));
	assert_false(bring(desk, (struct receipt_made){.seq = 3, .key = 77}, &wish));
	assert_false(
		bring(desk, (struct receipt_made){.seq = 3, .domain = VL_DOMAIN_DRILL}, &wish));
	assert_false(bring(desk, (struct receipt_made){.seq = 3, .mission = OTHER}, &wish));
	assert_false(bring(desk, (struct receipt_made){.seq = 3, .lane = "no.such.lane"}, &wish));
	assert_false(bring(desk, (struct receipt_made){.seq = 0, .to = 3}, &wish));
	assert_false(bring(desk, (struct receipt_made){.seq = 3, .to = 2}, &wish));
	assert_true(bring(desk, (struct receipt_made){.seq = 3}, &wish));
	vl_inbox_close(desk->inbox);
	desk->inbox = vl_inbox_open(NULL, "CN-SD-EMB");
	assert_false(bring(desk, (struct receipt_made){.seq = 3}, &wish));
}

/* Somebody puts headquarters' record there again, once or a thousand times. */
static void what_was_said_before_is_not_said_again(void **state)
{
	struct desk *desk = *state;
	struct vl_pipe_message wish;

	assert_true(bring(desk, (struct receipt_made){.seq = 3, .batch = 7}, &wish));
	for (int64_t i = 0; i < 1000; i++)
		assert_false(bring(desk, (struct receipt_made){.seq = 3, .batch = 7, .offset = i},
				   &wish));
	assert_false(bring(desk, (struct receipt_made){.seq = 3, .batch = 6}, &wish));
	assert_true(bring(desk, (struct receipt_made){.seq = 3, .batch = 8}, &wish));
}

static void damaged_directives_do_nothing(void **state)
{
	struct desk *desk = *state;
	uint64_t seed = fixture_seed();
	struct vl_buf relayed =
		receipt_relay(&(struct receipt_made){.resend = true, .seq = 3, .offset = 5});
	struct vl_pipe_message wish;

	for (size_t i = 0; i < relayed.size; i++) {
		struct vl_bytes exact = fixture_exact(vl_buf_bytes(&relayed));
		struct vl_record record;
		struct vl_digest unknown;
		uint8_t *bytes = (uint8_t *)(uintptr_t)exact.data;
		bytes[i] ^= "\x01\x02\x04\x08\x10\x40"[fixture_next(&seed) % 6];
		bool changed =
			vl_record_unpack(exact, &record, &unknown) != VL_OK || record.offset == 5;
		vl_inbox_take(desk->inbox, exact, 1000);
		fixture_release(exact);
		/* The offset is the link's word alone. */
		if (!changed) {
			(void)vl_inbox_wish(desk->inbox, &wish);
			vl_inbox_close(desk->inbox);
			desk->inbox = vl_inbox_open(desk->ring, "CN-SD-EMB");
		}
		assert_false(vl_inbox_wish(desk->inbox, &wish));
	}
	vl_buf_free(&relayed);
}

static void exactly_what_is_asked_for_is_sent_again(void **state)
{
	struct desk *desk = *state;

	/* What has not gone yet comes anyway. */
	assert_false(wish_for(desk, NOW, 2, 3));
	assert_string_equal(sends(desk), "1 2 3 4 5 6 7 8 9 ");
	assert_true(wish_for(desk, NOW, 2, 3));
	assert_string_equal(sends(desk), "2 3 ");
	assert_string_equal(sends(desk), "");
	assert_true(wish_for(desk, NOW, 9, 9));
	assert_string_equal(sends(desk), "9 ");
	assert_true(wish_for(desk, NOW, 7, 1000000));
	assert_string_equal(sends(desk), "7 8 9 ");
	assert_true(wish_for(desk, NOW, 8, 0));
	assert_string_equal(sends(desk), "8 9 ");
	assert_true(wish_for(desk, 0, 1, 0));
	assert_string_equal(sends(desk), "1 2 3 4 5 6 7 8 9 ");
	assert_false(wish_for(desk, NOW, 10, 12));
	assert_false(wish_for(desk, NOW + 1, 1, 0));
	assert_string_equal(sends(desk), "");
	/* What is new waits behind it, and is not forgotten. */
	assert_true(wish_for(desk, NOW, 2, 3));
	accept_batches(desk, 10, 11);
	vl_flight_wake(desk->flight);
	assert_string_equal(sends(desk), "2 3 10 11 ");
	bool news;
	assert_int_equal(vl_flight_acked_to(desk->flight, desk->lane, &news).seq.n, 11);
}

/* In the middle of sending, of being refused, of a new producer: nothing is ever left out. */
static void a_wish_at_any_moment_leaves_nothing_out(void **state)
{
	struct desk *desk = *state;
	struct vl_place place = {{NOW}, {1}};
	bool news;

	size_t first = vl_flight_sent(desk->flight, desk->lane, place, 10, desk->now);
	place.seq.n = 2;
	size_t second = vl_flight_sent(desk->flight, desk->lane, place, 10, desk->now);
	assert_true(wish_for(desk, NOW, 1, 1));
	/* Under way already: it waits, and the lane with it, until nothing is in flight. */
	assert_false(wish_for(desk, NOW, 2, 2));
	assert_string_equal(sends(desk), "");
	(void)vl_flight_acked(desk->flight, first, desk->now);
	assert_string_equal(sends(desk), "");
	(void)vl_flight_acked(desk->flight, second, desk->now);
	assert_string_equal(sends(desk), "1 3 4 5 6 7 8 9 ");
	/* The second of the stretch is refused: what was acked before stands. */
	assert_true(wish_for(desk, NOW, 3, 6));
	place.seq.n = 3;
	first = vl_flight_sent(desk->flight, desk->lane, place, 10, desk->now);
	place.seq.n = 4;
	second = vl_flight_sent(desk->flight, desk->lane, place, 10, desk->now);
	(void)vl_flight_acked(desk->flight, first, desk->now);
	(void)vl_flight_refused(desk->flight, second, desk->now);
	desk->now += 100000;
	assert_int_equal(vl_flight_acked_to(desk->flight, desk->lane, &news).seq.n, 9);
	assert_string_equal(sends(desk), "");
	assert_true(wish_for(desk, NOW, 3, 6));
	vl_flight_restart(desk->flight, vl_flight_class(desk->flight, desk->lane));
	assert_string_equal(sends(desk), "");
	/* Going back, where no receipt comes, is more than any wish. */
	assert_true(wish_for(desk, NOW, 3, 6));
	assert_true(vl_flight_go_back(desk->flight, desk->lane, (struct vl_place){{NOW}, {1}}));
	assert_string_equal(sends(desk), "2 3 4 5 6 7 8 9 ");
}

static void apply_to(struct desk *desk, uint64_t seq)
{
	struct vl_outbox_look *look = vl_outbox_look(desk->world->outbox, NULL);
	struct vl_outbox_batch batch = {0};

	assert_true(vl_outbox_next(look, CASE_LANE, (struct vl_epoch){NOW},
				   (struct vl_seq){seq - 1}, &batch));
	struct vl_digest digest = batch.digest;
	vl_outbox_look_end(look);
	assert_int_equal(vl_outbox_begin(desk->world->outbox, NULL), VL_OK);
	struct vl_outbox_receipt receipt = {CASE_LANE, batch.epoch, batch.seq, digest, {0}};
	assert_int_equal(vl_outbox_free(desk->world->outbox, &receipt), VL_OUTBOX_FREED);
	vl_outbox_free_some(desk->world->outbox);
	assert_int_equal(vl_outbox_commit(desk->world->outbox, NULL), VL_OK);
}

static void what_is_applied_is_not_sent_again(void **state)
{
	struct desk *desk = *state;

	assert_string_equal(sends(desk), "1 2 3 4 5 6 7 8 9 ");
	apply_to(desk, 4);
	assert_false(wish_for(desk, NOW, 2, 4));
	assert_true(wish_for(desk, NOW, 2, 6));
	assert_string_equal(sends(desk), "5 6 ");
	/* It is applied while it is asked for. */
	assert_true(wish_for(desk, NOW, 6, 7));
	apply_to(desk, 9);
	assert_string_equal(sends(desk), "");
	accept_batches(desk, 10, 10);
	vl_flight_wake(desk->flight);
	assert_string_equal(sends(desk), "10 ");
	assert_false(wish_for(desk, NOW, 1, 9));
	assert_string_equal(sends(desk), "");
}

/* However often it is asked for, a line carries it a few times an hour; until what is applied
 * moves. */
static void asking_often_does_not_send_often(void **state)
{
	struct desk *desk = *state;
	struct vl_pipe_message resend = {.kind = VL_PIPE_RESEND,
					 .lane = &vl_lanes[desk->lane],
					 .epoch = {NOW},
					 .seq = {5},
					 .to = {5}};
	unsigned sent = 0;

	(void)sends(desk);
	for (int i = 0; i < 36000; i++, desk->now += 100) {
		sent += vl_wishes_take(desk->asked, desk->world->outbox, desk->flight, &resend,
				       desk->now);
		(void)sends(desk);
	}
	assert_in_range(sent, 10, 16);
	assert_false(
		vl_wishes_take(desk->asked, desk->world->outbox, desk->flight, &resend, desk->now));
	apply_to(desk, 1);
	assert_true(
		vl_wishes_take(desk->asked, desk->world->outbox, desk->flight, &resend, desk->now));
	assert_string_equal(sends(desk), "5 ");
}

static void a_wish_passes_the_pipe(void **state)
{
	struct desk *desk = *state;
	struct vl_pipe_message sent = {.kind = VL_PIPE_RESEND,
				       .lane = &vl_lanes[desk->lane],
				       .epoch = {NOW},
				       .seq = {5},
				       .to = {77}},
			       got;
	int ends[2];

	assert_int_equal(vl_pipe_open(ends, NULL), VL_OK);
	assert_int_equal(vl_pipe_send(ends[0], &sent), VL_OK);
	assert_int_equal(vl_pipe_receive(ends[1], &got, NULL), VL_OK);
	assert_int_equal(got.kind, VL_PIPE_RESEND);
	assert_ptr_equal(got.lane, sent.lane);
	assert_int_equal(got.epoch.n, NOW);
	assert_int_equal(got.seq.n, 5);
	assert_int_equal(got.to.n, 77);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

/* At headquarters: directives go when Kafka has them, as receipts do. */
static void an_ack_frees_directives(void **state)
{
	struct desk *desk = *state;
	struct vl_outbox_batch batch = {0};
	struct vl_outbox_options options = world_options(desk->world);

	world_close(desk->world);
	fixture_remove(desk->world->path);
	options.mission = VL_HEADQUARTERS;
	world_open_with(desk->world, &options);
	(void)world_accept(desk->world, 0, "valise.directive.v1.Resend", 0);
	for (int acked = 0; acked < 2; acked++) {
		struct vl_outbox_look *look = vl_outbox_look(desk->world->outbox, NULL);
		assert_int_equal(vl_outbox_next(look, VL_DIRECTIVE_LANE "." ADDRESSEE,
						(struct vl_epoch){0}, (struct vl_seq){0}, &batch),
				 !acked);
		vl_outbox_look_end(look);
		assert_int_equal(vl_outbox_begin(desk->world->outbox, NULL), VL_OK);
		vl_outbox_ack(desk->world->outbox, VL_DIRECTIVE_LANE "." ADDRESSEE, batch.epoch,
			      batch.seq);
		vl_outbox_free_some(desk->world->outbox);
		assert_int_equal(vl_outbox_commit(desk->world->outbox, NULL), VL_OK);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, desk_setup, desk_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_directive_becomes_a_wish),
		TEST(nobody_else_wishes_for_anything),
		TEST(what_was_said_before_is_not_said_again),
		TEST(damaged_directives_do_nothing),
		TEST(exactly_what_is_asked_for_is_sent_again),
		TEST(a_wish_at_any_moment_leaves_nothing_out),
		TEST(what_is_applied_is_not_sent_again),
		TEST(asking_often_does_not_send_often),
		TEST(a_wish_passes_the_pipe),
		TEST(an_ack_frees_directives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
