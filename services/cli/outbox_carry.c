#include "agent/outbox/outbox.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/publish.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

struct carry {
	struct vl_outbox *outbox;
	struct vl_client *client; /* NULL where nothing is to be sent */
	struct vl_arena *arena;
	struct vl_buf printed;
	struct vl_buf copy; /* of a batch; nothing is held of the outbox while it is carried */
	uint64_t line, accepted, duplicates, refused, lost;
};

static void show(struct carry *c)
{
	if (c->printed.size > 0)
		cli_write(c->printed.data, c->printed.size);
	vl_buf_reset(&c->printed);
	(void)cli_flush();
	cli_progress("%" PRIu64 " events", c->line);
}

static void answered(void *context, uint64_t line, const struct vl_client_answer *answer)
{
	struct carry *c = context;
	struct vl_why why = {0};
	char id[VL_UUID_TEXT];

	switch (answer->outcome) {
	case VL_CLIENT_ACCEPTED:
		cli_print_accepted(&c->printed, line, answer);
		c->accepted++;
		c->duplicates += answer->duplicate;
		return;
	case VL_CLIENT_REFUSED:
	case VL_CLIENT_FULL:
		(void)vl_fail(&why, VL_ERR_INVALID, "%s", answer->reason);
		(void)cli_cannot("carry", vl_uuid_format(answer->id, id), &why, VL_ERR_INVALID);
		c->refused++;
		return;
	case VL_CLIENT_UNKNOWN:
	case VL_CLIENT_UNSENT:
		c->lost++;
		return;
	}
}

/* Send and receive until there is room for more, or, where `all`, until everything is answered. */
static enum vl_err pump(struct carry *c, bool all, struct vl_why *why)
{
	for (;;) {
		struct pollfd fd = {0};
		int64_t now = vl_monotonic_ms();
		int timeout;
		bool going = vl_client_work(c->client, now);
		show(c);
		if (!going)
			return vl_fail(why, VL_ERR_UNREACHABLE, "%s", vl_client_reason(c->client));
		if (all ? vl_client_unanswered(c->client) == 0 : vl_client_has_room(c->client))
			return VL_OK;
		vl_client_poll(c->client, now, &fd.fd, &fd.events, &timeout);
		if (poll(&fd, 1, timeout) < 0 && errno != EINTR)
			return vl_fail(why, VL_ERR_IO, "%s", strerror(errno));
	}
}

static enum vl_err carry_event(struct carry *c, const struct vl_outbox_batch *kept, size_t index,
			       struct vl_bytes bytes)
{
	struct vl_client_answer where = {
		.epoch = kept->epoch.n,
		.event = kept->first_event.n + index,
	};
	struct vl_event event;
	enum vl_err err = vl_event_read(bytes, &event, NULL);

	if (err != VL_OK || event.id.size != sizeof(where.id))
		return VL_ERR_CORRUPT;
	c->line++;
	if (c->client != NULL)
		return vl_client_add_packed(c->client, bytes.data, bytes.size, c->line)
			       ? VL_OK
			       : VL_ERR_NOMEM;
	memcpy(where.id, event.id.data, event.id.size);
	(void)snprintf(where.lane, sizeof(where.lane), "%s", kept->lane);
	cli_print_accepted(&c->printed, c->line, &where);
	return VL_OK;
}

static enum vl_err carry_batch(struct carry *c, const struct vl_outbox_batch *kept)
{
	struct vl_batch batch;
	enum vl_err err = VL_OK;

	vl_arena_reset(c->arena);
	if (vl_outbox_intact(kept))
		err = vl_batch_read(kept->value, c->arena, &batch, NULL);
	if (err == VL_ERR_NOMEM)
		return err;
	if (err != VL_OK || !vl_outbox_intact(kept)) {
		vl_log_error("batch %" PRIu64 " of epoch %" PRIu64
			     " on lane '%s' is damaged: its %" PRIu32 " events are not carried",
			     kept->seq.n, kept->epoch.n, kept->lane, kept->n_events);
		c->refused += kept->n_events;
		return VL_OK;
	}
	for (size_t i = 0; err == VL_OK && i < batch.n_events; i++)
		err = carry_event(c, kept, i, batch.events[i]);
	return err;
}

/* The lane's next batch after `*epoch` and `*seq`, which move on; false at its end, or on an
 * error. */
static bool carry_next(struct carry *c, const char *lane, struct vl_epoch *epoch,
		       struct vl_seq *seq, enum vl_err *err, struct vl_why *why)
{
	struct vl_outbox_look *look = vl_outbox_look(c->outbox, why);
	struct vl_outbox_batch batch = {0};

	*err = look != NULL ? VL_OK : VL_ERR_IO;
	if (look == NULL)
		return false;
	bool more = vl_outbox_next(look, lane, *epoch, *seq, &batch);
	*epoch = batch.epoch;
	*seq = batch.seq;
	vl_buf_reset(&c->copy);
	if (more)
		vl_buf_put(&c->copy, batch.value.data, batch.value.size);
	*err = vl_outbox_look_err(look);
	vl_outbox_look_end(look);
	if (*err == VL_OK && vl_buf_failed(&c->copy))
		*err = VL_ERR_NOMEM;
	batch.lane = lane;
	batch.value = vl_buf_bytes(&c->copy);
	/* An exercise is not taken for real. */
	if (*err == VL_OK && more && batch.state != VL_OUTBOX_APPLIED &&
	    batch.domain == VL_DOMAIN_BATCH)
		*err = carry_batch(c, &batch);
	if (*err == VL_OK && c->client != NULL)
		*err = pump(c, false, why);
	else
		show(c);
	return more && *err == VL_OK;
}

static enum vl_err carry_all(struct carry *c, struct vl_why *why)
{
	enum vl_err err = VL_OK;

	for (size_t i = 0; i < vl_n_lanes && err == VL_OK; i++) {
		struct vl_epoch epoch = {0};
		struct vl_seq seq = {0};
		/* What an agent says of itself, and what headquarters' own says, is said again. */
		if (vl_outbox_unreceipted(vl_lanes[i].name))
			continue;
		while (carry_next(c, vl_lanes[i].name, &epoch, &seq, &err, why))
			;
	}
	return err == VL_OK && c->client != NULL ? pump(c, true, why) : err;
}

static enum vl_err connect_client(struct carry *c, const char *socket, struct vl_why *why)
{
	c->client = vl_client_open(
		&(struct vl_client_options){.socket = socket, .answered = answered, .context = c});
	if (c->client == NULL)
		return VL_ERR_NOMEM;
	if (vl_client_ready(c->client, vl_monotonic_ms()))
		return VL_OK;
	return vl_fail(why, VL_ERR_UNREACHABLE, "%s", vl_client_reason(c->client));
}

static enum vl_err open_all(struct carry *c, const struct cli_options *options, struct vl_why *why)
{
	enum vl_err err;

	if (options->outbox == NULL)
		return vl_fail(why, VL_ERR_USAGE,
			       "no outbox; give --outbox DIR or set VALISE_OUTBOX");
	c->arena = vl_arena_open(0);
	if (c->arena == NULL)
		return VL_ERR_NOMEM;
	err = vl_outbox_open_reader(options->outbox, &c->outbox, why);
	if (err == VL_OK && !options->dry_run)
		err = connect_client(c, options->socket, why);
	return err;
}

int cli_outbox_carry(const struct cli_options *options)
{
	struct carry c = {0};
	struct vl_why why = {0};
	enum vl_err err = open_all(&c, options, &why);

	if (err == VL_OK)
		err = carry_all(&c, &why);
	show(&c);
	cli_progress_end();
	int code = err == VL_OK ? (c.refused > 0 ? CLI_FAILED : CLI_OK)
				: cli_cannot("carry",
					     options->outbox != NULL ? options->outbox : "outbox",
					     &why, err);
	if (c.lost > 0)
		vl_log_info("hint: run it again; the agent knows the accepted events by their "
			    "ids");
	else if (c.refused > 0)
		vl_log_info("%" PRIu64 " accepted (%" PRIu64 " of them before), %" PRIu64 " not",
			    c.accepted, c.duplicates, c.refused);
	vl_client_close(c.client);
	vl_outbox_close(c.outbox);
	vl_buf_free(&c.printed);
	vl_buf_free(&c.copy);
	vl_arena_close(c.arena);
	return code;
}
