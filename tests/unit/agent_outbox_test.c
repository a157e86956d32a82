/* agent/outbox.h: what is accepted is kept once, numbered without gaps, chained and signed; and what is refused is not. */
#include "agent_fixture.h"

#include "bus/chain.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* Accept one event in a transaction under way. */
static enum vl_err offer(struct world *world, uint64_t n, const char *type, size_t extra, struct vl_accepted *accepted)
{
	struct vl_buf buf = {0};
	struct vl_why why = {0};
	enum vl_err err = vl_outbox_accept(world->outbox, world_event(&buf, n, type, extra), accepted, &why);

	vl_buf_free(&buf);
	if (err != VL_OK)
		assert_true(why.text[0] != '\0');
	return err;
}

/* One event, one commit. */
static struct vl_accepted accept_one(struct world *world, uint64_t n, const char *type, size_t extra)
{
	struct vl_accepted accepted = {0};

	assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
	assert_int_equal(offer(world, n, type, extra, &accepted), VL_OK);
	assert_int_equal(vl_outbox_commit(world->outbox, NULL), VL_OK);
	return accepted;
}

/* Walk every batch of every lane: form, signature, chain, numbers. */
struct audit {
	unsigned batches, events, lanes;
	size_t biggest;
};

static void audit_batch(const struct vl_outbox_batch *kept, struct vl_chain *chain, struct vl_arena *arena,
			const struct vl_public_key *key)
{
	struct vl_batch batch;
	struct vl_event event;

	assert_true(vl_outbox_intact(kept));
	assert_int_equal(vl_verify(key, kept->domain, &kept->digest, &kept->signature), VL_OK);
	assert_int_equal(vl_batch_read(kept->value, arena, &batch, NULL), VL_OK);
	assert_int_equal(vl_chain_check(chain, &batch), VL_CHAIN_NEXT);
	vl_chain_advance(chain, &batch, &kept->digest);
	assert_int_equal(batch.head.mission.size, 9);
	assert_memory_equal(batch.head.mission.data, "CN-SD-EMB", 9);
	assert_int_equal(batch.head.lane.size, strlen(kept->lane));
	assert_int_equal(batch.head.epoch.n, kept->epoch.n);
	assert_int_equal(batch.head.seq.n, kept->seq.n);
	assert_int_equal(batch.head.first_event.n, kept->first_event.n);
	assert_int_equal(batch.n_events, kept->n_events);
	for (size_t i = 0; i < batch.n_events; i++) {
		assert_int_equal(vl_event_read(batch.events[i], &event, NULL), VL_OK);
		assert_int_equal(event.id.size, 16);
	}
}

static struct audit audit(struct world *world)
{
	struct vl_outbox_look *look = vl_outbox_look(world->outbox, NULL);
	struct vl_arena *arena = vl_arena_open(0);
	struct vl_outbox_batch kept = {0};
	struct vl_chain chain = {0};
	char lane[64] = "";
	struct audit found = {0};

	assert_non_null(look);
	while (vl_outbox_each(look, &kept)) {
		if (strcmp(lane, kept.lane) != 0) {
			(void)strcpy(lane, kept.lane);
			chain = (struct vl_chain){0};
			found.lanes++;
		}
		audit_batch(&kept, &chain, arena, vl_signer_public(world->signer));
		vl_arena_reset(arena);
		found.batches++;
		found.events += kept.n_events;
		if (kept.value.size > found.biggest)
			found.biggest = kept.value.size;
	}
	assert_int_equal(vl_outbox_look_err(look), VL_OK);
	vl_outbox_look_end(look);
	vl_arena_close(arena);
	return found;
}

static void accepts_and_keeps(void **state)
{
	struct world *world = *state;

	world_open(world);
	struct vl_accepted first = accept_one(world, 1, CASE_TYPE, 10), second = accept_one(world, 2, CASE_TYPE, 10);
	assert_string_equal(first.lane, CASE_LANE);
	assert_int_equal(first.epoch.n, NOW);
	assert_int_equal(first.event.n, 1);
	assert_false(first.duplicate);
	assert_int_equal(second.event.n, 2);
	world_reopen(world);
	assert_false(vl_outbox_rekeyed(world->outbox));
	struct vl_accepted third = accept_one(world, 3, CASE_TYPE, 10);
	assert_int_equal(third.event.n, 3);
	assert_int_equal(third.epoch.n, NOW);
	struct audit found = audit(world);
	assert_int_equal(found.batches, 3);
	assert_int_equal(found.events, 3);
	assert_int_equal(found.lanes, 1);
}

static void one_batch_per_lane_and_commit(void **state)
{
	struct world *world = *state;
	struct vl_accepted accepted;

	world_open(world);
	assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
	for (uint64_t n = 1; n <= 20; n++) {
		assert_int_equal(offer(world, n, n % 2 ? CASE_TYPE : FLASH_TYPE, 10, &accepted), VL_OK);
		assert_int_equal(accepted.event.n, (n + 1) / 2);
		assert_string_equal(accepted.lane, n % 2 ? CASE_LANE : FLASH_LANE);
	}
	assert_int_equal(vl_outbox_commit(world->outbox, NULL), VL_OK);
	struct audit found = audit(world);
	assert_int_equal(found.batches, 2);
	assert_int_equal(found.events, 20);
	assert_int_equal(found.lanes, 2);
}

static void gives_ids_and_keeps_the_bytes(void **state)
{
	struct world *world = *state;
	struct vl_buf buf = {0};
	struct vl_outbox_batch kept = {0};
	struct vl_batch batch;
	struct vl_event event;

	world_open(world);
	struct vl_accepted a = accept_one(world, 0, CASE_TYPE, 10), b = accept_one(world, 0, CASE_TYPE, 10);
	assert_memory_not_equal(a.id.bytes, b.id.bytes, 16);
	assert_int_equal(a.id.bytes[6] >> 4, 7);
	struct vl_bytes sent = world_event(&buf, 0, CASE_TYPE, 10);
	struct vl_outbox_look *look = vl_outbox_look(world->outbox, NULL);
	struct vl_arena *arena = vl_arena_open(0);
	assert_true(vl_outbox_each(look, &kept));
	assert_int_equal(vl_batch_read(kept.value, arena, &batch, NULL), VL_OK);
	assert_int_equal(vl_event_read(batch.events[0], &event, NULL), VL_OK);
	assert_memory_equal(event.id.data, a.id.bytes, 16);
	assert_int_equal(batch.events[0].size, sent.size + 18);
	assert_memory_equal(batch.events[0].data + 18, sent.data, sent.size);
	vl_outbox_look_end(look);
	vl_arena_close(arena);
	vl_buf_free(&buf);
	assert_int_equal(audit(world).events, 2);
}

static void same_id_is_one_event(void **state)
{
	struct world *world = *state;
	struct vl_accepted first, again;

	world_open(world);
	assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
	assert_int_equal(offer(world, 7, CASE_TYPE, 10, &first), VL_OK);
	assert_int_equal(offer(world, 8, CASE_TYPE, 10, &again), VL_OK);
	assert_int_equal(offer(world, 7, CASE_TYPE, 10, &again), VL_OK);
	assert_true(again.duplicate);
	assert_int_equal(again.event.n, first.event.n);
	assert_int_equal(vl_outbox_commit(world->outbox, NULL), VL_OK);

	/* In a later commit, in a later life, and even as another type on another lane. */
	again = accept_one(world, 7, CASE_TYPE, 10);
	assert_true(again.duplicate);
	world_reopen(world);
	world->now.seconds += 1000;
	again = accept_one(world, 7, FLASH_TYPE, 99);
	assert_true(again.duplicate);
	assert_string_equal(again.lane, CASE_LANE);
	assert_int_equal(again.epoch.n, first.epoch.n);
	assert_int_equal(again.event.n, first.event.n);
	assert_int_equal(audit(world).events, 2);
}

static void aborting_burns_nothing(void **state)
{
	struct world *world = *state;
	struct vl_accepted accepted;

	world_open(world);
	(void)accept_one(world, 1, CASE_TYPE, 10);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
		assert_int_equal(offer(world, 2, CASE_TYPE, 10, &accepted), VL_OK);
		assert_false(accepted.duplicate);
		assert_int_equal(accepted.event.n, 2);
		assert_int_equal(offer(world, 3, FLASH_TYPE, 10, &accepted), VL_OK);
		vl_outbox_abort(world->outbox);
	}
	accepted = accept_one(world, 2, CASE_TYPE, 10);
	assert_false(accepted.duplicate);
	assert_int_equal(accepted.event.n, 2);
	accepted = accept_one(world, 4, FLASH_TYPE, 10);
	assert_int_equal(accepted.event.n, 1);
	struct audit found = audit(world);
	assert_int_equal(found.events, 3);
	assert_int_equal(found.batches, 3);
}

static void closes_batches_at_the_limit(void **state)
{
	struct world *world = *state;
	struct vl_outbox_options options = world_options(world);
	struct vl_accepted accepted;

	options.batch_bytes = 4096;
	world_open_with(world, &options);
	assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
	for (uint64_t n = 1; n <= 100; n++)
		assert_int_equal(offer(world, n, CASE_TYPE, 200, &accepted), VL_OK);
	assert_int_equal(accepted.event.n, 100);
	assert_int_equal(vl_outbox_commit(world->outbox, NULL), VL_OK);
	struct audit found = audit(world);
	assert_int_equal(found.events, 100);
	assert_in_range(found.batches, 8, 12);
	assert_in_range(found.biggest, 3500, 4096);
}

static size_t biggest_on(struct world *world, uint64_t rate, uint64_t *n)
{
	struct vl_accepted accepted;

	if (rate > 0)
		vl_outbox_set_line(world->outbox, rate);
	assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
	for (int i = 0; i < 400; i++)
		assert_int_equal(offer(world, ++*n, CASE_TYPE, 1000, &accepted), VL_OK);
	assert_int_equal(vl_outbox_commit(world->outbox, NULL), VL_OK);
	return audit(world).biggest;
}

static void batches_fit_the_line(void **state)
{
	struct world *world = *state;
	struct vl_outbox_options options = world_options(world);
	uint64_t n = 0;

	options.batch_bytes = (size_t)256 << 10;
	world_open_with(world, &options);
	vl_outbox_set_line(world->outbox, 1);
	assert_in_range(biggest_on(world, 1, &n), 14000, 16384);
	assert_in_range(biggest_on(world, 15000, &n), 28000, 30000);
	vl_outbox_close(world->outbox);
	world->outbox = NULL;
	/* Nothing is known at first. */
	world_open_with(world, &options);
	assert_in_range(biggest_on(world, 0, &n), 62000, 65536);
	assert_in_range(biggest_on(world, UINT64_C(1) << 40, &n), 254000, 262144);
}

static void a_big_event_travels_alone(void **state)
{
	struct world *world = *state;
	struct vl_accepted accepted;

	world_open(world);
	assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
	assert_int_equal(offer(world, 1, CASE_TYPE, 10, &accepted), VL_OK);
	assert_int_equal(offer(world, 2, CASE_TYPE, 899000, &accepted), VL_OK);
	assert_int_equal(offer(world, 3, CASE_TYPE, 10, &accepted), VL_OK);
	assert_int_equal(offer(world, 4, CASE_TYPE, 10, &accepted), VL_OK);
	assert_int_equal(vl_outbox_commit(world->outbox, NULL), VL_OK);
	struct audit found = audit(world);
	assert_int_equal(found.batches, 3);
	assert_int_equal(found.events, 4);
}

static void refuses_alone_what_is_wrong(void **state)
{
	struct world *world = *state;
	struct vl_accepted accepted;
	struct vl_buf buf = {0};
	struct vl_why why = {0};

	world_open(world);
	assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
	assert_int_equal(offer(world, 1, CASE_TYPE, 10, &accepted), VL_OK);
	assert_int_equal(offer(world, 2, "consular.case.v1.NoSuchThing", 10, &accepted), VL_ERR_UNKNOWN_TYPE);
	assert_int_equal(offer(world, 3, CASE_TYPE, 900000, &accepted), VL_ERR_TOO_LARGE);
	assert_int_equal(vl_outbox_accept(world->outbox, BYTES("\xff\xff"), &accepted, &why), VL_ERR_MALFORMED);
	assert_false(vl_outbox_failed(world->outbox));
	/* An id that is there and empty would make the field twice once one is given. */
	vl_wire_put_bytes(&buf, 1, "", 0);
	struct vl_buf rest = {0};
	struct vl_bytes event = world_event(&rest, 0, CASE_TYPE, 10);
	vl_buf_put(&buf, event.data, event.size);
	assert_int_equal(vl_outbox_accept(world->outbox, vl_buf_bytes(&buf), &accepted, &why), VL_ERR_INVALID);
	assert_non_null(strstr(why.text, "id"));
	assert_int_equal(offer(world, 4, CASE_TYPE, 10, &accepted), VL_OK);
	assert_int_equal(accepted.event.n, 2);
	assert_int_equal(vl_outbox_commit(world->outbox, NULL), VL_OK);
	assert_int_equal(audit(world).events, 2);
	vl_buf_free(&buf);
	vl_buf_free(&rest);
}

/* An event of exactly the most bytes, whose id is yet to be put in front. */
static void counts_the_id_it_gives(void **state)
{
	struct world *world = *state;
	struct vl_accepted accepted;
	struct vl_buf buf = {0};
	size_t size = world_event(&buf, 0, CASE_TYPE, 890000).size, extra = VL_EVENT_MAX - size + 890000;

	assert_int_equal(world_event(&buf, 0, CASE_TYPE, extra).size, VL_EVENT_MAX);
	vl_buf_free(&buf);
	world_open(world);
	assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
	assert_int_equal(offer(world, 0, CASE_TYPE, extra, &accepted), VL_ERR_TOO_LARGE);
	assert_int_equal(offer(world, 0, CASE_TYPE, extra - 18, &accepted), VL_OK);
	assert_int_equal(offer(world, 9, CASE_TYPE, extra - 18, &accepted), VL_OK);
	assert_int_equal(vl_outbox_commit(world->outbox, NULL), VL_OK);
	assert_int_equal(audit(world).events, 2);
}

static void refuses_another_missions_folder(void **state)
{
	struct world *world = *state;
	struct vl_outbox_options options = world_options(world);
	struct vl_outbox *outbox;
	struct vl_why why = {0};

	world_open(world);
	(void)accept_one(world, 1, CASE_TYPE, 10);
	world_close(world);
	options.mission = "CN-EG-EMB";
	assert_int_equal(vl_outbox_open(&options, &outbox, &why), VL_ERR_CONFIG);
	assert_null(outbox);
	assert_non_null(strstr(why.text, "CN-SD-EMB"));
	assert_non_null(strstr(why.text, "CN-EG-EMB"));
	world_open(world);
	assert_int_equal(audit(world).events, 1);
	assert_string_equal(vl_outbox_mission(world->outbox), "CN-SD-EMB");
}

static void refuses_bad_options(void **state)
{
	struct world *world = *state;
	struct vl_outbox *outbox;

	struct vl_outbox_options options = world_options(world);
	options.mission = "sudan";
	assert_int_equal(vl_outbox_open(&options, &outbox, NULL), VL_ERR_CONFIG);
	options = world_options(world);
	options.size = VL_OUTBOX_SIZE_MIN - 1;
	assert_int_equal(vl_outbox_open(&options, &outbox, NULL), VL_ERR_CONFIG);
	options = world_options(world);
	options.batch_bytes = VL_BATCH_MAX + 1;
	assert_int_equal(vl_outbox_open(&options, &outbox, NULL), VL_ERR_CONFIG);
	assert_null(outbox);
}

static void second_writer_is_locked_out(void **state)
{
	struct world *world = *state;
	int status;

	world_open(world);
	pid_t pid = fork();
	if (pid == 0) {
		struct vl_outbox_options options = world_options(world);
		struct vl_outbox *outbox;
		_exit((int)vl_outbox_open(&options, &outbox, NULL));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), VL_ERR_LOCKED);
	(void)accept_one(world, 1, CASE_TYPE, 10);
}

static void another_key_begins_a_new_epoch(void **state)
{
	struct world *world = *state;
	struct vl_outbox_batch kept = {0}, before;
	struct vl_batch batch;

	world_open(world);
	(void)accept_one(world, 1, CASE_TYPE, 10);
	(void)accept_one(world, 2, CASE_TYPE, 10);
	world_close(world);
	vl_signer_close(world->signer);
	world->signer = world_signer(2);
	/* The clock stands still: the epoch rises all the same. */
	world_open(world);
	assert_true(vl_outbox_rekeyed(world->outbox));
	struct vl_accepted accepted = accept_one(world, 3, CASE_TYPE, 10);
	assert_int_equal(accepted.epoch.n, NOW + 1);
	assert_int_equal(accepted.event.n, 1);
	world_reopen(world);
	assert_false(vl_outbox_rekeyed(world->outbox));
	assert_int_equal(accept_one(world, 4, CASE_TYPE, 10).event.n, 2);
	assert_int_equal(accept_one(world, 1, CASE_TYPE, 10).epoch.n, NOW);

	struct vl_outbox_look *look = vl_outbox_look(world->outbox, NULL);
	struct vl_arena *arena = vl_arena_open(0);
	assert_true(vl_outbox_each(look, &kept));
	assert_true(vl_outbox_each(look, &kept));
	before = kept;
	assert_true(vl_outbox_each(look, &kept));
	assert_int_equal(kept.epoch.n, NOW + 1);
	assert_int_equal(kept.seq.n, 1);
	assert_int_equal(kept.first_event.n, 1);
	assert_memory_not_equal(kept.key.bytes, before.key.bytes, 16);
	assert_int_equal(vl_batch_read(kept.value, arena, &batch, NULL), VL_OK);
	assert_memory_equal(batch.head.prev.bytes, before.digest.bytes, 32);
	vl_outbox_look_end(look);
	vl_arena_close(arena);
}

/* A clock that went back gives no epoch that was there before. */
static void epochs_only_rise(void **state)
{
	struct world *world = *state;

	world_open(world);
	(void)accept_one(world, 1, CASE_TYPE, 10);
	world_close(world);
	vl_signer_close(world->signer);
	world->signer = world_signer(2);
	world->now.seconds = -5;
	world_open(world);
	assert_int_equal(accept_one(world, 2, CASE_TYPE, 10).epoch.n, NOW + 1);
	/* The first epoch of a lane that nothing was sent on: 1 at least. */
	assert_int_equal(accept_one(world, 3, FLASH_TYPE, 10).epoch.n, 1);
}

static void reader_follows(void **state)
{
	struct world *world = *state;
	int to_child[2], to_parent[2], status;
	char byte;

	world_open(world);
	(void)accept_one(world, 1, CASE_TYPE, 10);
	(void)accept_one(world, 2, CASE_TYPE, 10);
	assert_int_equal(pipe(to_child), 0);
	assert_int_equal(pipe(to_parent), 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct vl_outbox *outbox;
		struct vl_outbox_batch batch = {0};
		struct vl_epoch epoch = {0};
		struct vl_seq seq = {0};
		unsigned seen = 0;
		if (vl_outbox_open_reader(world->path, &outbox, NULL) != VL_OK)
			_exit(1);
		for (int round = 0; round < 2; round++) {
			struct vl_outbox_look *look = vl_outbox_look(outbox, NULL);
			while (vl_outbox_next(look, CASE_LANE, epoch, seq, &batch)) {
				seen++;
				epoch = batch.epoch;
				seq = batch.seq;
			}
			vl_outbox_look_end(look);
			if (round == 0 &&
			    (seen != 2 || write(to_parent[1], "x", 1) != 1 || read(to_child[0], &byte, 1) != 1))
				_exit(2);
		}
		bool right = seen == 3 && strcmp(vl_outbox_mission(outbox), "CN-SD-EMB") == 0;
		vl_outbox_close(outbox);
		_exit(right ? 0 : 3);
	}
	(void)close(to_parent[1]);
	(void)!read(to_parent[0], &byte, 1);
	(void)accept_one(world, 3, CASE_TYPE, 10);
	(void)accept_one(world, 4, FLASH_TYPE, 10);
	assert_int_equal(write(to_child[1], "x", 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	(void)close(to_child[0]);
	(void)close(to_child[1]);
	(void)close(to_parent[0]);
}

static void reader_needs_an_outbox(void **state)
{
	struct world *world = *state;
	struct vl_outbox *outbox;

	assert_int_equal(vl_outbox_open_reader(world->path, &outbox, NULL), VL_ERR_NOT_FOUND);
	assert_null(outbox);
}

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
		(void)accept_one(world, n, CASE_TYPE, 10);
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
		(void)accept_one(world, n, CASE_TYPE, 10);
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

	assert_true(vl_outbox_next(look, CASE_LANE, (struct vl_epoch){NOW}, (struct vl_seq){seq - 1}, &batch));
	assert_int_equal(batch.seq.n, seq);
	struct vl_digest digest = batch.digest;
	vl_outbox_look_end(look);
	return digest;
}

static enum vl_outbox_fit receipt(struct world *world, const char *lane, uint64_t epoch, uint64_t seq,
				  const struct vl_digest *digest)
{
	assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
	enum vl_outbox_fit fit =
		vl_outbox_free(world->outbox, &(struct vl_outbox_receipt){lane, {epoch}, {seq}, *digest, {0}});
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
		(void)accept_one(world, n, CASE_TYPE, 10);
	(void)accept_one(world, 6, FLASH_TYPE, 10);
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
	assert_true(accept_one(world, 4, CASE_TYPE, 10).duplicate);
	assert_int_equal(accept_one(world, 7, CASE_TYPE, 10).event.n, 6);
	assert_int_equal(count_batches(world), 2);
}

static void frees_in_steps_and_after_a_restart(void **state)
{
	struct world *world = *state;

	world_open(world);
	for (uint64_t n = 1; n <= VL_OUTBOX_FREE_STEP + 10; n++)
		(void)accept_one(world, n, CASE_TYPE, 10);
	struct vl_digest last = digest_of(world, VL_OUTBOX_FREE_STEP + 5);
	/* Not kept: nothing has happened. */
	assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
	struct vl_outbox_receipt fits = {CASE_LANE, {NOW}, {VL_OUTBOX_FREE_STEP + 5}, last, {0}};
	assert_int_equal(vl_outbox_free(world->outbox, &fits), VL_OUTBOX_FREED);
	vl_outbox_free_some(world->outbox);
	vl_outbox_abort(world->outbox);
	assert_int_equal(count_batches(world), VL_OUTBOX_FREE_STEP + 10);
	assert_int_equal(receipt(world, CASE_LANE, NOW, VL_OUTBOX_FREE_STEP + 5, &last), VL_OUTBOX_FREED);
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

/* At headquarters: receipts go when Kafka has them, and leave no id behind. */
static void an_ack_frees_receipts(void **state)
{
	struct world *world = *state;

	world_open(world);
	(void)accept_one(world, 0, RECEIPT_TYPE, 0);
	(void)accept_one(world, 0, RECEIPT_TYPE, 0);
	(void)accept_one(world, 9, CASE_TYPE, 10);
	for (uint64_t seq = 1; seq <= 3; seq += 2) {
		assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
		vl_outbox_ack(world->outbox, VL_RECEIPT_LANE, (struct vl_epoch){NOW}, (struct vl_seq){seq});
		vl_outbox_free_some(world->outbox);
		assert_int_equal(vl_outbox_commit(world->outbox, NULL), VL_OK);
		/* An ack of what is not there frees nothing. */
		assert_int_equal(count_batches(world), 2);
	}
	ack(world, NOW, 1);
	assert_int_equal(count_batches(world), 2);
}

/* Freeing waits for what flies, and knows what has landed with it; what it does is kept with the transaction's events. */
static void freeing_and_flying_agree(void **state)
{
	struct world *world = *state;
	struct vl_accepted accepted;
	struct vl_epoch epoch;
	struct vl_seq seq;

	world_open(world);
	assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
	assert_int_equal(offer(world, 0, RECEIPT_TYPE, 0, &accepted), VL_OK);
	assert_int_equal(vl_outbox_submit(world->outbox, NULL), VL_OK);
	assert_true(vl_outbox_flying(world->outbox));
	assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
	assert_int_equal(offer(world, 0, RECEIPT_TYPE, 0, &accepted), VL_OK);
	vl_outbox_ack(world->outbox, VL_RECEIPT_LANE, (struct vl_epoch){NOW}, (struct vl_seq){1});
	assert_false(vl_outbox_flying(world->outbox));
	vl_outbox_free_some(world->outbox);
	assert_int_equal(vl_outbox_submit(world->outbox, NULL), VL_OK);
	assert_false(vl_outbox_flying(world->outbox));
	assert_int_equal(count_batches(world), 1);
	/* Aborted, it is as if it had not been. */
	assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
	vl_outbox_ack(world->outbox, VL_RECEIPT_LANE, (struct vl_epoch){NOW}, (struct vl_seq){2});
	vl_outbox_free_some(world->outbox);
	vl_outbox_abort(world->outbox);
	assert_true(vl_outbox_freeing(world->outbox));
	assert_int_equal(count_batches(world), 1);
	struct vl_outbox_look *look = vl_outbox_look(world->outbox, NULL);
	vl_outbox_applied(look, VL_RECEIPT_LANE, &epoch, &seq);
	assert_int_equal(seq.n, 1);
	vl_outbox_look_end(look);
	world_reopen(world);
	assert_int_equal(accept_one(world, 0, RECEIPT_TYPE, 0).event.n, 3);
}

/* Fill with events of one type until it is refused. */
static unsigned fill(struct world *world, uint64_t *n, const char *type)
{
	unsigned taken = 0;

	for (;;) {
		struct vl_accepted accepted;
		assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
		enum vl_err err = offer(world, ++*n, type, 100000, &accepted);
		assert_false(vl_outbox_failed(world->outbox));
		/* Freed room lies in pieces: a commit may find no piece that is big enough a little sooner. */
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
	assert_in_range(flash, 10, 30);
	/* What is kept still answers; acks still fit; and a small FLASH may be refused, but never fails. */
	assert_true(accept_one(world, 1, CASE_TYPE, 100000).duplicate);
	for (uint64_t seq = 1; seq <= priority; seq++)
		ack(world, NOW, seq);
	world_close(world);
	world_open_with(world, &options);
	assert_int_equal(audit(world).events, priority + immediate + flash);
	struct vl_accepted accepted;
	assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
	assert_int_equal(offer(world, 1000, CASE_TYPE, 10, &accepted), VL_ERR_FULL);
	vl_outbox_abort(world->outbox);
}

/* The next transaction is filled while the one before is stored: numbers run on, ids are known, everything is chained. */
static void fills_one_while_another_flies(void **state)
{
	struct world *world = *state;
	struct vl_outbox_options options = world_options(world);
	uint64_t n = 0;

	options.batch_bytes = 2000;
	world_open_with(world, &options);
	for (int round = 0; round < 50; round++) {
		struct vl_accepted accepted;
		assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
		for (int i = 0; i < 30; i++) {
			assert_int_equal(offer(world, ++n, i % 3 ? CASE_TYPE : FLASH_TYPE, 100, &accepted), VL_OK);
			assert_false(accepted.duplicate);
		}
		/* Of this round, of the one that flies, and of one long on the disk. */
		for (uint64_t back = 1; back < n; back += 29) {
			assert_int_equal(offer(world, n - back, CASE_TYPE, 1, &accepted), VL_OK);
			assert_true(accepted.duplicate);
		}
		assert_int_equal(vl_outbox_land(world->outbox, NULL), VL_OK);
		assert_false(vl_outbox_flying(world->outbox));
		assert_int_equal(offer(world, n - 40 > n ? 1 : n - 40, CASE_TYPE, 1, &accepted), VL_OK);
		assert_true(accepted.duplicate || round == 0);
		n += !accepted.duplicate;
		if (round % 7 == 6)
			assert_int_equal(vl_outbox_commit(world->outbox, NULL), VL_OK);
		else
			assert_int_equal(vl_outbox_submit(world->outbox, NULL), VL_OK);
		if (round % 10 == 9) {
			vl_outbox_abort(world->outbox);
			assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
			assert_int_equal(offer(world, 900000, CASE_TYPE, 100, &accepted), VL_OK);
			assert_false(accepted.duplicate);
			vl_outbox_abort(world->outbox);
		}
	}
	assert_int_equal(vl_outbox_land(world->outbox, NULL), VL_OK);
	assert_int_equal(audit(world).events, 1500);
	world_reopen(world);
	assert_int_equal(accept_one(world, 0, CASE_TYPE, 1).event.n, 1001);
	assert_int_equal(audit(world).events, 1501);
}

/* The disk fails under the one that flies: it and the one begun meanwhile are gone, and nothing else. */
static void what_flies_may_fail(void **state)
{
	struct world *world = *state;
	struct rlimit before, now;
	struct vl_accepted accepted;
	struct vl_why why = {0};

	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	world_open(world);
	for (uint64_t n = 1; n <= 3; n++)
		(void)accept_one(world, n, CASE_TYPE, 10);
	now = before;
	now.rlim_cur = 60000;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &now), 0);
	assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
	for (uint64_t n = 4; n <= 60; n++)
		assert_int_equal(offer(world, n, CASE_TYPE, 5000, &accepted), VL_OK);
	assert_int_equal(vl_outbox_submit(world->outbox, NULL), VL_OK);
	assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
	assert_int_equal(offer(world, 61, CASE_TYPE, 5000, &accepted), VL_OK);
	assert_int_equal(accepted.event.n, 61);
	assert_int_equal(vl_outbox_land(world->outbox, &why), VL_ERR_OUTCOME_UNKNOWN);
	assert_true(why.text[0] != '\0');
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_true(vl_outbox_failed(world->outbox));
	assert_int_equal(vl_outbox_commit(world->outbox, NULL), VL_ERR_OUTCOME_UNKNOWN);
	world_reopen(world);
	accepted = accept_one(world, 4, CASE_TYPE, 10);
	assert_false(accepted.duplicate);
	assert_int_equal(accepted.event.n, 4);
	assert_int_equal(audit(world).events, 4);
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
		assert_int_equal(receipt(world, FLASH_LANE, NOW, last.seq.n, &digest), VL_OUTBOX_FREED);
		free_all(world);
		assert_int_equal(count_batches(world), 0);
		assert_in_range(fill(world, &n, FLASH_TYPE), first - 16, first + 16);
	}
}

/* Flip one byte of the last batch in the file: it must not be chained on, or sent. */
static void sees_a_damaged_batch(void **state)
{
	struct world *world = *state;
	struct vl_outbox_options options = world_options(world);
	struct vl_outbox *outbox;
	struct vl_why why = {0};
	char name[320];

	world_open(world);
	(void)accept_one(world, 1, CASE_TYPE, 50000);
	world_close(world);
	(void)snprintf(name, sizeof(name), "%s/data.mdb", world->path);
	FILE *file = fopen(name, "r+");
	assert_non_null(file);
	static char content[4 << 20];
	size_t size = fread(content, 1, sizeof(content), file);
	char *run = memmem(content, size, "xxxxxxxxxxxxxxxx", 16);
	assert_non_null(run);
	assert_int_equal(fseek(file, run - content + 1000, SEEK_SET), 0);
	assert_int_equal(fputc('y', file), 'y');
	assert_int_equal(fclose(file), 0);
	assert_int_equal(vl_outbox_open(&options, &outbox, &why), VL_ERR_CORRUPT);
	assert_null(outbox);
	assert_non_null(strstr(why.text, CASE_LANE));
}

/* Random work with random ends, and then everything is there that was said to be, once. */
static void random_work_keeps_its_promises(void **state)
{
	struct world *world = *state;
	uint64_t seed = fixture_seed();
	static bool promised[2000];
	unsigned kept = 0;

	memset(promised, 0, sizeof(promised));
	world_open(world);
	for (int round = 0; round < 300; round++) {
		uint64_t ids[16];
		unsigned count = (unsigned)(fixture_next(&seed) % 16);
		assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
		for (unsigned i = 0; i < count; i++) {
			struct vl_accepted accepted;
			ids[i] = 1 + fixture_next(&seed) % 1999;
			bool again = promised[ids[i]];
			for (unsigned j = 0; j < i; j++)
				again |= ids[j] == ids[i];
			assert_int_equal(offer(world, ids[i], fixture_next(&seed) % 3 ? CASE_TYPE : FLASH_TYPE,
					       fixture_next(&seed) % 9000, &accepted),
					 VL_OK);
			assert_int_equal(accepted.duplicate, again);
		}
		if (fixture_next(&seed) % 4 == 0) {
			vl_outbox_abort(world->outbox);
		} else {
			assert_int_equal(vl_outbox_commit(world->outbox, NULL), VL_OK);
			for (unsigned i = 0; i < count; i++) {
				kept += !promised[ids[i]];
				promised[ids[i]] = true;
			}
		}
		if (fixture_next(&seed) % 16 == 0)
			world_reopen(world);
	}
	assert_int_equal(audit(world).events, kept);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		TEST(accepts_and_keeps),
		TEST(one_batch_per_lane_and_commit),
		TEST(gives_ids_and_keeps_the_bytes),
		TEST(same_id_is_one_event),
		TEST(aborting_burns_nothing),
		TEST(closes_batches_at_the_limit),
		TEST(batches_fit_the_line),
		TEST(a_big_event_travels_alone),
		TEST(refuses_alone_what_is_wrong),
		TEST(counts_the_id_it_gives),
		TEST(refuses_another_missions_folder),
		TEST(refuses_bad_options),
		TEST(second_writer_is_locked_out),
		TEST(another_key_begins_a_new_epoch),
		TEST(epochs_only_rise),
		TEST(reader_follows),
		TEST(reader_needs_an_outbox),
		TEST(sent_is_between_stored_and_acked),
		TEST(acks_are_kept_and_never_go_back),
		TEST(only_a_receipt_that_fits_frees),
		TEST(frees_in_steps_and_after_a_restart),
		TEST(keeps_the_position),
		TEST(an_ack_frees_receipts),
		TEST(freeing_and_flying_agree),
		TEST(flash_still_fits),
		TEST(fills_one_while_another_flies),
		TEST(what_flies_may_fail),
		TEST(freed_room_is_used_again),
		TEST(sees_a_damaged_batch),
		TEST(random_work_keeps_its_promises),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
