/*
 * The fixture of the agent's tests: an outbox in a folder that is removed at the end, a clock, and
 * events for it.
 *
 * Next: agent_audit.h, every batch of it.
 */
#ifndef VALISE_TESTS_AGENT_FIXTURE_H
#define VALISE_TESTS_AGENT_FIXTURE_H

#include "bus_fixture.h"

#include "agent/outbox/outbox.h"
#include "bus/sign.h"

#define CASE_LANE "consular.case.v1"
#define FLASH_LANE "consular.evacuation.v1"
#define NOW 1700000000

struct world {
	struct fixture_folder folder;
	char path[300];
	struct vl_signer *signer;
	struct vl_outbox *outbox;
	struct vl_clock clock;
	struct vl_rand rand;
	struct vl_time now;
	uint64_t seed;
};

static inline struct vl_time world_now(void *context)
{
	return ((struct world *)context)->now;
}

static inline struct vl_signer *world_signer(uint8_t fill)
{
	struct vl_signer *signer;
	uint8_t seed[32];

	memset(seed, fill, sizeof(seed));
	assert_int_equal(vl_signer_open(seed, &signer), VL_OK);
	return signer;
}

static inline struct vl_outbox_options world_options(struct world *world)
{
	return (struct vl_outbox_options){
		.path = world->path,
		.size = (size_t)64 << 20,
		.batch_bytes = (size_t)64 << 10,
		.mission = "CN-SD-EMB",
		.signer = world->signer,
		.clock = &world->clock,
		.rand = &world->rand,
	};
}

static inline void world_open_with(struct world *world, const struct vl_outbox_options *options)
{
	struct vl_why why = {0};
	enum vl_err err = vl_outbox_open(options, &world->outbox, &why);

	if (err != VL_OK)
		fail_msg("open: %s", vl_why_text(&why, err));
}

static inline void world_open(struct world *world)
{
	struct vl_outbox_options options = world_options(world);
	world_open_with(world, &options);
}

static inline void world_close(struct world *world)
{
	vl_outbox_close(world->outbox);
	world->outbox = NULL;
}

static inline void world_reopen(struct world *world)
{
	world_close(world);
	world_open(world);
}

/* Sets *state to a world without an open outbox. */
static inline int world_setup(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	world->folder = fixture_folder();
	(void)snprintf(world->path, sizeof(world->path), "%s/outbox", world->folder.path);
	world->signer = world_signer(1);
	world->clock = (struct vl_clock){world_now, world};
	world->seed = 42;
	world->rand = (struct vl_rand){fixture_fill, &world->seed};
	world->now = (struct vl_time){NOW, 0};
	*state = world;
	return 0;
}

static inline int world_teardown(void **state)
{
	struct world *world = *state;

	world_close(world);
	vl_signer_close(world->signer);
	if (access(world->path, F_OK) == 0)
		fixture_remove(world->path);
	fixture_remove(world->folder.path);
	free(world);
	return 0;
}

/* An event with the n-th id (none for 0) and `extra` more bytes of payload. */
#define ADDRESSEE "CN-EG-EMB"

static inline struct vl_bytes world_event(struct vl_buf *buf, uint64_t n, const char *type,
					  size_t extra)
{
	struct fixture_event event = fixture_event();
	struct vl_buf payload = {0};
	char url[128], *filler = calloc(1, extra + 1);
	uint8_t id[16] = {1, 0x8e};

	assert_non_null(filler);
	memset(filler, 'x', extra);
	id[6] = 0x70;
	id[8] = 0x80;
	vl_put_be32(id + 12, (uint32_t)n);
	(void)snprintf(url, sizeof(url), "type.googleapis.com/%s", type);
	event.id = n != 0 ? (struct vl_bytes){id, sizeof(id)} : (struct vl_bytes){0};
	event.url = fixture_text(url);
	/* An addressed event names its mission, in field 1. */
	if (strncmp(type, "valise.receipt.", 15) == 0 ||
	    strncmp(type, "valise.directive.", 17) == 0)
		vl_wire_put_bytes(&payload, 1, ADDRESSEE, strlen(ADDRESSEE));
	/* A field no version knows: it is carried. */
	vl_wire_put_bytes(&payload, 5000, filler, extra);
	event.payload = vl_buf_bytes(&payload);
	vl_buf_reset(buf);
	fixture_put_event(buf, &event);
	vl_buf_free(&payload);
	free(filler);
	return vl_buf_bytes(buf);
}

#define CASE_TYPE "consular.case.v1.CaseOpened"
#define FLASH_TYPE "consular.evacuation.v1.OperationOpened"
#define RECEIPT_TYPE "valise.receipt.v1.Receipt"
#define DIRECTIVE_TYPE "valise.directive.v1.Resend"

/* Accept one event in a transaction under way. */
static inline enum vl_err world_offer(struct world *world, uint64_t n, const char *type,
				      size_t extra, struct vl_accepted *accepted)
{
	struct vl_buf buf = {0};
	struct vl_why why = {0};
	enum vl_err err =
		vl_outbox_accept(world->outbox, world_event(&buf, n, type, extra), accepted, &why);

	vl_buf_free(&buf);
	if (err != VL_OK)
		assert_true(why.text[0] != '\0');
	return err;
}

/* One event, one commit. */
static inline struct vl_accepted world_accept(struct world *world, uint64_t n, const char *type,
					      size_t extra)
{
	struct vl_accepted accepted = {0};

	assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
	assert_int_equal(world_offer(world, n, type, extra, &accepted), VL_OK);
	assert_int_equal(vl_outbox_commit(world->outbox, NULL), VL_OK);
	return accepted;
}

#endif
