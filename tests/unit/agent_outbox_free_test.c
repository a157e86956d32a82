/* agent/outbox/outbox.h: how far a batch is, what frees it, and who may have the room. */
#include "agent_audit.h"

static enum vl_outbox_state state_of(struct world *world, unsigned nth)
{
	struct vl_outbox_look *look = vl_outbox_look(world->outbox, NULL);
	struct vl_outbox_batch batch = {0};

	for (unsigned i = 0; i <= nth; i++)
		assert_true(vl_outbox_each(look, &batch));
	vl_outbox_look_end(look);
	return batch.state;
}

static void ack(struct world *world, uint64_t epoch, uint64_t seq)
{
	assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
	vl_outbox_ack(world->outbox, CASE_LANE, (struct vl_epoch){epoch}, (struct vl_seq){seq});
	assert_int_equal(vl_outbox_commit(world->outbox, NULL), VL_OK);
}

static void send(struct world *world, uint64_t seq)
{
	assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
	vl_outbox_sent(world->outbox, CASE_LANE, (struct vl_epoch){NOW}, (struct vl_seq){seq});
	assert_int_equal(vl_outbox_commit(world->outbox, NULL), VL_OK);
}

static void sent_is_between_stored_and_acked(void **state)
{
	struct world *world = *state;

	world_open(world);
	for (uint64_t n = 1; n <= 3; n++)
		(void)world_accept(world, n, CASE_TYPE, 10);
	send(world, 2);
	send(world, 1);
	assert_int_equal(state_of(world, 0), VL_OUTBOX_SENT);
	assert_int_equal(state_of(world, 1), VL_OUTBOX_SENT);
	assert_int_equal(state_of(world, 2), VL_OUTBOX_STORED);
	ack(world, NOW, 1);
	world_reopen(world);
	assert_int_equal(state_of(world, 0), VL_OUTBOX_ACKED);
	assert_int_equal(state_of(world, 1), VL_OUTBOX_SENT);
	assert_int_equal(state_of(world, 2), VL_OUTBOX_STORED);
}

static void acks_are_kept_and_never_go_back(void **state)
{
	struct world *world = *state;
	struct vl_epoch epoch;
	struct vl_seq seq;

	world_open(world);
	for (uint64_t n = 1; n <= 3; n++)
		(void)world_accept(world, n, CASE_TYPE, 10);
	assert_int_equal(state_of(world, 0), VL_OUTBOX_STORED);
	ack(world, NOW, 2);
	assert_int_equal(state_of(world, 1), VL_OUTBOX_ACKED);
	assert_int_equal(state_of(world, 2), VL_OUTBOX_STORED);
	ack(world, NOW, 1);
	ack(world, NOW - 1, 9);
	world_reopen(world);
	struct vl_outbox_look *look = vl_outbox_look(world->outbox, NULL);
	vl_outbox_acked(look, CASE_LANE, &epoch, &seq);
	assert_int_equal(epoch.n, NOW);
	assert_int_equal(seq.n, 2);
	vl_outbox_acked(look, FLASH_LANE, &epoch, &seq);
	assert_int_equal(epoch.n + seq.n, 0);
	vl_outbox_head(look, CASE_LANE, &epoch, &seq, NULL);
	assert_int_equal(epoch.n, NOW);
	assert_int_equal(seq.n, 3);
	vl_outbox_look_end(look);
	assert_int_equal(state_of(world, 2), VL_OUTBOX_STORED);
}

/* -- receipts -- */

static struct vl_digest digest_of(struct world *world, uint64_t seq)
{
	struct vl_outbox_look *look = vl_outbox_look(world->outbox, NULL);
	struct vl_outbox_batch batch = {0};

	assert_true(vl_outbox_next(look, CASE_LANE, (struct vl_epoch){NOW},
				   (struct vl_seq){seq - 1}, &batch));
	assert_int_equal(batch.seq.n, seq);
	struct vl_digest digest = batch.digest;
	vl_outbox_look_end(look);
	return digest;
}

static enum vl_outbox_fit receipt(struct world *world, const char *lane, uint64_t epoch,
				  uint64_t seq, const struct vl_digest *digest)
{
	assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
	enum vl_outbox_fit fit = vl_outbox_free(
		world->outbox, &(struct vl_outbox_receipt){lane, {epoch}, {seq}, *digest, {0}});
	vl_outbox_free_some(world->outbox);
	assert_int_equal(vl_outbox_commit(world->outbox, NULL), VL_OK);
	return fit;
}

static void free_all(struct world *world)
{
	for (int i = 0; vl_outbox_freeing(world->outbox); i++) {
		assert_true(i < 10);
		assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
		vl_outbox_free_some(world->outbox);
		assert_int_equal(vl_outbox_commit(world->outbox, NULL), VL_OK);
	}
}

static unsigned count_batches(struct world *world)
{
	struct vl_outbox_look *look = vl_outbox_look(world->outbox, NULL);
	struct vl_outbox_batch batch = {0};
	unsigned n = 0;

	while (vl_outbox_each(look, &batch))
		n++;
	assert_int_equal(vl_outbox_look_err(look), VL_OK);
	vl_outbox_look_end(look);
	return n;
}

static void only_a_receipt_that_fits_frees(void **state)
{
	struct world *world = *state;
	struct vl_epoch epoch;
	struct vl_seq seq;

	world_open(world);
	for (uint64_t n = 1; n <= 5; n++)
		(void)world_accept(world, n, CASE_TYPE, 10);
	(void)world_accept(world, 6, FLASH_TYPE, 10);
	ack(world, NOW, 1);
	struct vl_digest second = digest_of(world, 2), third = digest_of(world, 3);
	assert_int_equal(receipt(world, "consular.alert.v1", NOW, 1, &third), VL_OUTBOX_AHEAD);
	assert_int_equal(receipt(world, "no.such.lane", NOW, 1, &third), VL_OUTBOX_AHEAD);
	assert_int_equal(receipt(world, CASE_LANE, NOW - 1, 3, &third), VL_OUTBOX_KNOWN);
	assert_int_equal(receipt(world, CASE_LANE, NOW, 0, &third), VL_OUTBOX_KNOWN);
	assert_int_equal(count_batches(world), 6);

	assert_int_equal(receipt(world, CASE_LANE, NOW, 3, &third), VL_OUTBOX_FREED);
	assert_int_equal(count_batches(world), 3);
	assert_int_equal(receipt(world, CASE_LANE, NOW, 3, &third), VL_OUTBOX_KNOWN);
	assert_int_equal(receipt(world, CASE_LANE, NOW, 2, &second), VL_OUTBOX_KNOWN);
	struct vl_outbox_look *look = vl_outbox_look(world->outbox, NULL);
	vl_outbox_applied(look, CASE_LANE, &epoch, &seq);
	assert_int_equal(epoch.n, NOW);
	assert_int_equal(seq.n, 3);
	/* What is applied is acked, too. */
	vl_outbox_acked(look, CASE_LANE, &epoch, &seq);
	assert_int_equal(seq.n, 3);
	vl_outbox_applied(look, FLASH_LANE, &epoch, &seq);
	assert_int_equal(seq.n, 0);
	vl_outbox_look_end(look);
	free_all(world);
	/* All of it, and the chain and the ids go on. */
	struct vl_digest fifth = digest_of(world, 5);
	assert_int_equal(receipt(world, CASE_LANE, NOW, 5, &fifth), VL_OUTBOX_FREED);
	assert_int_equal(count_batches(world), 1);
	world_reopen(world);
	assert_true(world_accept(world, 4, CASE_TYPE, 10).duplicate);
	assert_int_equal(world_accept(world, 7, CASE_TYPE, 10).event.n, 6);
	assert_int_equal(count_batches(world), 2);
}

static void frees_in_steps_and_after_a_restart(void **state)
{
	struct world *world = *state;

	world_open(world);
	for (uint64_t n = 1; n <= VL_OUTBOX_FREE_STEP + 10; n++)
		(void)world_accept(world, n, CASE_TYPE, 10);
	struct vl_digest last = digest_of(world, VL_OUTBOX_FREE_STEP + 5);
	/* Not kept: nothing has happened. */
	assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
	struct vl_outbox_receipt fits = {CASE_LANE, {NOW}, {VL_OUTBOX_FREE_STEP + 5}, last, {0}};
	assert_int_equal(vl_outbox_free(world->outbox, &fits), VL_OUTBOX_FREED);
	vl_outbox_free_some(world->outbox);
	vl_outbox_abort(world->outbox);
	assert_int_equal(count_batches(world), VL_OUTBOX_FREE_STEP + 10);
	assert_int_equal(receipt(world, CASE_LANE, NOW, VL_OUTBOX_FREE_STEP + 5, &last),
			 VL_OUTBOX_FREED);
	assert_int_equal(count_batches(world), 10);
	assert_true(vl_outbox_freeing(world->outbox));
	assert_int_equal(state_of(world, 4), VL_OUTBOX_APPLIED);
	assert_int_equal(state_of(world, 5), VL_OUTBOX_STORED);
	world_reopen(world);
	assert_true(vl_outbox_freeing(world->outbox));
	free_all(world);
	assert_int_equal(count_batches(world), 5);
}

static void keeps_the_position(void **state)
{
	struct world *world = *state;

	world_open(world);
	for (int64_t offset = 7; offset < 9; offset++) {
		assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
		vl_outbox_set_position(world->outbox, VL_RECEIPT_LANE, 0, offset);
		assert_int_equal(vl_outbox_commit(world->outbox, NULL), VL_OK);
	}
	world_reopen(world);
	struct vl_outbox_look *look = vl_outbox_look(world->outbox, NULL);
	assert_int_equal(vl_outbox_position(look, VL_RECEIPT_LANE, 0), 8);
	assert_int_equal(vl_outbox_position(look, VL_RECEIPT_LANE, 1), -1);
	vl_outbox_look_end(look);
}

static void open_headquarters(struct world *world)
{
	struct vl_outbox_options options = world_options(world);

	options.mission = VL_HEADQUARTERS;
	world_open_with(world, &options);
}

/* What missions obey because headquarters says it is taken by headquarters' own agent alone. */
static void headquarters_lanes_are_its_own(void **state)
{
	struct world *world = *state;
	struct vl_buf buf = {0};
	struct vl_accepted accepted;
	static const char *const types[] = {RECEIPT_TYPE, "valise.directive.v1.Resend"};

	world_open(world);
	assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
	for (size_t i = 0; i < 2; i++) {
		struct vl_why why = {0};
		assert_int_equal(vl_outbox_accept(world->outbox, world_event(&buf, i, types[i], 0),
						  &accepted, &why),
				 VL_ERR_INVALID);
		assert_non_null(strstr(why.text, "is headquarters' own lane"));
		assert_non_null(strstr(why.text, "CN-SD-EMB"));
		assert_false(vl_outbox_failed(world->outbox));
	}
	assert_int_equal(world_offer(world, 3, CASE_TYPE, 0, &accepted), VL_OK);
	assert_int_equal(vl_outbox_commit(world->outbox, NULL), VL_OK);
	assert_int_equal(count_batches(world), 1);
	vl_buf_free(&buf);
}

#define DIRECTIVES VL_DIRECTIVE_LANE "." ADDRESSEE
#define RECEIPTS VL_RECEIPT_LANE "." ADDRESSEE

/* At headquarters: directives go when Kafka has them, and leave no id behind. */
static void an_ack_frees_directives(void **state)
{
	struct world *world = *state;

	open_headquarters(world);
	(void)world_accept(world, 0, DIRECTIVE_TYPE, 0);
	(void)world_accept(world, 0, DIRECTIVE_TYPE, 0);
	(void)world_accept(world, 9, CASE_TYPE, 10);
	for (uint64_t seq = 1; seq <= 3; seq += 2) {
		assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
		vl_outbox_ack(world->outbox, DIRECTIVES, (struct vl_epoch){NOW},
			      (struct vl_seq){seq});
		vl_outbox_free_some(world->outbox);
		assert_int_equal(vl_outbox_commit(world->outbox, NULL), VL_OK);
		/* An ack of what is not there frees nothing. */
		assert_int_equal(count_batches(world), 2);
	}
	ack(world, NOW, 1);
	assert_int_equal(count_batches(world), 2);
}

/* Freeing waits for what flies, and knows what has landed with it; what it does is kept with the
 * transaction's events. */
static void freeing_and_flying_agree(void **state)
{
	struct world *world = *state;
	struct vl_accepted accepted;
	struct vl_epoch epoch;
	struct vl_seq seq;

	open_headquarters(world);
	assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
	assert_int_equal(world_offer(world, 0, DIRECTIVE_TYPE, 0, &accepted), VL_OK);
	assert_int_equal(vl_outbox_submit(world->outbox, NULL), VL_OK);
	assert_true(vl_outbox_flying(world->outbox));
	assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
	assert_int_equal(world_offer(world, 0, DIRECTIVE_TYPE, 0, &accepted), VL_OK);
	vl_outbox_ack(world->outbox, DIRECTIVES, (struct vl_epoch){NOW}, (struct vl_seq){1});
	assert_false(vl_outbox_flying(world->outbox));
	vl_outbox_free_some(world->outbox);
	assert_int_equal(vl_outbox_submit(world->outbox, NULL), VL_OK);
	assert_false(vl_outbox_flying(world->outbox));
	assert_int_equal(count_batches(world), 1);
	/* Aborted, it is as if it had not been. */
	assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
	vl_outbox_ack(world->outbox, DIRECTIVES, (struct vl_epoch){NOW}, (struct vl_seq){2});
	vl_outbox_free_some(world->outbox);
	vl_outbox_abort(world->outbox);
	assert_true(vl_outbox_freeing(world->outbox));
	assert_int_equal(count_batches(world), 1);
	struct vl_outbox_look *look = vl_outbox_look(world->outbox, NULL);
	vl_outbox_applied(look, DIRECTIVES, &epoch, &seq);
	assert_int_equal(seq.n, 1);
	vl_outbox_look_end(look);
	world_close(world);
	open_headquarters(world);
	assert_int_equal(world_accept(world, 0, DIRECTIVE_TYPE, 0).event.n, 3);
}

/* At headquarters: a receipt says all that the one before it said, which goes as this one comes,
 * whatever Kafka has of it; other lanes keep theirs. */
static void the_newest_receipt_is_kept(void **state)
{
	struct world *world = *state;
	struct vl_outbox_batch batch = {0};

	open_headquarters(world);
	(void)world_accept(world, 0, DIRECTIVE_TYPE, 0);
	(void)world_accept(world, 0, DIRECTIVE_TYPE, 0);
	for (uint64_t n = 1; n <= 5; n++) {
		struct vl_accepted accepted = {0};
		assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
		assert_int_equal(world_offer(world, 0, RECEIPT_TYPE, 0, &accepted), VL_OK);
		assert_string_equal(accepted.lane, RECEIPTS);
		vl_outbox_free_some(world->outbox);
		assert_int_equal(vl_outbox_commit(world->outbox, NULL), VL_OK);
		assert_int_equal(count_batches(world), 3);
	}
	struct vl_outbox_look *look = vl_outbox_look(world->outbox, NULL);
	assert_true(
		vl_outbox_next(look, RECEIPTS, (struct vl_epoch){0}, (struct vl_seq){0}, &batch));
	assert_int_equal(batch.seq.n, 5);
	assert_int_equal(batch.state, VL_OUTBOX_STORED);
	vl_outbox_look_end(look);
	/* One that is not kept takes nothing away. */
	struct vl_accepted accepted;
	assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
	assert_int_equal(world_offer(world, 0, RECEIPT_TYPE, 0, &accepted), VL_OK);
	vl_outbox_free_some(world->outbox);
	vl_outbox_abort(world->outbox);
	assert_int_equal(count_batches(world), 3);
	world_close(world);
	open_headquarters(world);
	assert_int_equal(world_accept(world, 0, RECEIPT_TYPE, 0).event.n, 6);
}

/* -- the room -- */

/* Fill with events of one type until it is refused. */
static unsigned fill(struct world *world, uint64_t *n, const char *type)
{
	unsigned taken = 0;

	for (;;) {
		struct vl_accepted accepted;
		assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
		enum vl_err err = world_offer(world, ++*n, type, 100000, &accepted);
		assert_false(vl_outbox_failed(world->outbox));
		/* Freed room lies in pieces: a commit may find no piece that is big enough a
		 * little sooner. */
		enum vl_err kept = vl_outbox_commit(world->outbox, NULL);
		if (kept == VL_ERR_FULL)
			return taken;
		assert_int_equal(kept, VL_OK);
		if (err == VL_ERR_FULL)
			return taken;
		assert_int_equal(err, VL_OK);
		taken++;
		assert_true(taken < 1000);
	}
}

static void flash_still_fits(void **state)
{
	struct world *world = *state;
	struct vl_outbox_options options = world_options(world);
	uint64_t n = 0;

	options.size = (size_t)16 << 20;
	world_open_with(world, &options);
	unsigned priority = fill(world, &n, CASE_TYPE);
	unsigned immediate = fill(world, &n, "consular.alert.v1.AlertPublished");
	unsigned flash = fill(world, &n, FLASH_TYPE);
	assert_in_range(priority, 50, 100);
	assert_in_range(immediate, 10, 30);
	assert_in_range(flash, 90, 160);
	/* What is kept still answers; acks still fit; and a small FLASH may be refused, but
	 * never fails. */
	assert_true(world_accept(world, 1, CASE_TYPE, 100000).duplicate);
	for (uint64_t seq = 1; seq <= priority; seq++)
		ack(world, NOW, seq);
	world_close(world);
	world_open_with(world, &options);
	assert_int_equal(audit(world).events, priority + immediate + flash);
	struct vl_accepted accepted;
	assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
	assert_int_equal(world_offer(world, 1000, CASE_TYPE, 10, &accepted), VL_ERR_FULL);
	vl_outbox_abort(world->outbox);
}

static void freed_room_is_used_again(void **state)
{
	struct world *world = *state;
	struct vl_outbox_options options = world_options(world);
	uint64_t n = 0;

	options.size = (size_t)16 << 20;
	world_open_with(world, &options);
	unsigned first = fill(world, &n, FLASH_TYPE);
	for (int round = 0; round < 3; round++) {
		struct vl_outbox_look *look = vl_outbox_look(world->outbox, NULL);
		struct vl_outbox_batch batch = {0}, last = {0};
		while (vl_outbox_each(look, &batch))
			last = batch;
		struct vl_digest digest = last.digest;
		vl_outbox_look_end(look);
		assert_int_equal(receipt(world, FLASH_LANE, NOW, last.seq.n, &digest),
				 VL_OUTBOX_FREED);
		free_all(world);
		assert_int_equal(count_batches(world), 0);
		assert_in_range(fill(world, &n, FLASH_TYPE), first - 16, first + 16);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		TEST(sent_is_between_stored_and_acked),
		TEST(acks_are_kept_and_never_go_back),
		TEST(only_a_receipt_that_fits_frees),
		TEST(frees_in_steps_and_after_a_restart),
		TEST(keeps_the_position),
		TEST(headquarters_lanes_are_its_own),
		TEST(an_ack_frees_directives),
		TEST(the_newest_receipt_is_kept),
		TEST(freeing_and_flying_agree),
		TEST(flash_still_fits),
		TEST(freed_room_is_used_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
