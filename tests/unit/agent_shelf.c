#include "agent_shelf.h"

#include "bus/chain.h"

int shelf_setup(void **state)
{
	struct shelf *shelf = calloc(1, sizeof(*shelf));
	void *world;

	assert_non_null(shelf);
	assert_int_equal(world_setup(&world), 0);
	shelf->world = world;
	(void)snprintf(shelf->mark, sizeof(shelf->mark), "%s/mark", shelf->world->folder.path);
	(void)snprintf(shelf->machine, sizeof(shelf->machine), "%s/machine",
		       shelf->world->folder.path);
	fixture_write(shelf->world->folder.path, "machine", "one\n", 0600);
	shelf->options = world_options(shelf->world);
	shelf->options.mark = shelf->mark;
	shelf->options.machine = shelf->machine;
	*state = shelf;
	return 0;
}

int shelf_teardown(void **state)
{
	struct shelf *shelf = *state;
	void *world = shelf->world;

	world_close(shelf->world);
	shelf_run("rm -rf %s/*", shelf->world->folder.path);
	(void)world_teardown(&world);
	free(shelf);
	return 0;
}

void shelf_run(const char *format, ...)
{
	char command[1400];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	assert_int_equal(system(command), 0);
}

void shelf_start(struct shelf *shelf)
{
	world_open_with(shelf->world, &shelf->options);
}

void shelf_stop(struct shelf *shelf)
{
	world_close(shelf->world);
}

void shelf_die(struct shelf *shelf)
{
	shelf_run("cp %s %s.kept", shelf->mark, shelf->mark);
	shelf_stop(shelf);
	shelf_run("mv %s.kept %s", shelf->mark, shelf->mark);
}

void shelf_save(struct shelf *shelf, const char *name)
{
	shelf_run("rm -rf %s.%s && cp -r %s %s.%s", shelf->world->path, name, shelf->world->path,
		  shelf->world->path, name);
}

void shelf_restore(struct shelf *shelf, const char *name)
{
	shelf_run("rm -rf %s && cp -r %s.%s %s", shelf->world->path, shelf->world->path, name,
		  shelf->world->path);
}

struct vl_accepted shelf_accept(struct shelf *shelf, uint64_t n)
{
	return world_accept(shelf->world, n, CASE_TYPE, 10);
}

struct vl_outbox_batch shelf_batch(struct shelf *shelf, uint64_t epoch, uint64_t seq)
{
	struct vl_outbox_look *look = vl_outbox_look(shelf->world->outbox, NULL);
	struct vl_outbox_batch batch = {0};

	assert_true(vl_outbox_next(look, CASE_LANE, (struct vl_epoch){epoch},
				   (struct vl_seq){seq - 1}, &batch));
	vl_outbox_look_end(look);
	return batch;
}

unsigned shelf_audit(struct shelf *shelf)
{
	struct vl_outbox_look *look = vl_outbox_look(shelf->world->outbox, NULL);
	struct vl_arena *arena = vl_arena_open(0);
	struct vl_outbox_batch kept = {0};
	struct vl_chain chain = {0};
	uint8_t ids[4096][16];
	unsigned n = 0;

	while (vl_outbox_each(look, &kept)) {
		struct vl_batch batch;
		assert_true(vl_outbox_intact(&kept));
		assert_int_equal(vl_verify(vl_signer_public(shelf->world->signer), kept.domain,
					   &kept.digest, &kept.signature),
				 VL_OK);
		assert_int_equal(vl_batch_read(kept.value, arena, &batch, NULL), VL_OK);
		if (kept.epoch.n != chain.epoch.n)
			chain = (struct vl_chain){
				kept.epoch, {kept.seq.n - 1}, kept.first_event, batch.head.prev};
		assert_int_equal(vl_chain_check(&chain, &batch), VL_CHAIN_NEXT);
		vl_chain_advance(&chain, &batch, &kept.digest);
		for (size_t i = 0; i < batch.n_events; i++, n++) {
			struct vl_event event;
			assert_int_equal(vl_event_read(batch.events[i], &event, NULL), VL_OK);
			assert_true(n < 4096);
			memcpy(ids[n], event.id.data, 16);
			for (unsigned j = 0; j < n; j++)
				assert_memory_not_equal(ids[j], ids[n], 16);
		}
		vl_arena_reset(arena);
	}
	assert_int_equal(vl_outbox_look_err(look), VL_OK);
	vl_arena_close(arena);
	vl_outbox_look_end(look);
	return n;
}
