#include "hq/reply/mailbox.h"

#include "base/buf.h"
#include "base/log.h"
#include "bus/batch.h"
#include "client/client.h"

#include <stdlib.h>
#include <string.h>

#define BACK_OFF_MIN_MS 100

struct vl_mailbox {
	struct vl_mailbox_options options;
	struct vl_client *client; /* NULL where nothing is ever given */
	struct vl_buf event;
	size_t n_put; /* in the request under way */
	int64_t next_at, back_off_ms;
	bool told;
	/* In the work under way: what was accepted, and what was not. */
	size_t accepted, refused;
	struct vl_why why;
};

static void on_answered(void *context, uint64_t tag, const struct vl_client_answer *answer)
{
	struct vl_mailbox *m = context;
	bool accepted = answer->outcome == VL_CLIENT_ACCEPTED;
	bool lost = answer->outcome == VL_CLIENT_UNKNOWN || answer->outcome == VL_CLIENT_UNSENT;

	m->accepted += accepted;
	m->refused += !accepted;
	if (!accepted)
		(void)vl_fail(&m->why, VL_ERR_UNREACHABLE, "%s",
			      lost ? vl_client_reason(m->client) : answer->reason);
	m->options.answered(m->options.context, (size_t)tag, accepted);
}

enum vl_err vl_mailbox_open(const struct vl_mailbox_options *options, struct vl_mailbox **opened,
			    struct vl_why *why)
{
	struct vl_mailbox *m = calloc(1, sizeof(*m));

	*opened = NULL;
	if (m == NULL)
		return VL_ERR_NOMEM;
	m->options = *options;
	if (*options->socket != '\0')
		m->client = vl_client_open(&(struct vl_client_options){
			.socket = options->socket,
			.answer_ms = options->patience_ms,
			.pause_ms = options->patience_ms / 2,
			.answered = on_answered,
			.context = m,
		});
	enum vl_err err = m->client != NULL || *options->socket == '\0' ? VL_OK : VL_ERR_NOMEM;
	if (strlen(options->socket) > VL_CLIENT_SOCKET_MAX)
		err = vl_fail(why, VL_ERR_CONFIG,
			      "[receipts] socket: is longer than a socket's path may be");
	if (err != VL_OK)
		vl_mailbox_close(m);
	else
		*opened = m;
	return err;
}

void vl_mailbox_close(struct vl_mailbox *m)
{
	if (m == NULL)
		return;
	vl_client_close(m->client);
	vl_buf_free(&m->event);
	free(m);
}

size_t vl_mailbox_under_way(const struct vl_mailbox *m)
{
	return m->client != NULL ? vl_client_unanswered(m->client) : 0;
}

/* -- trouble -- */

static void trouble(struct vl_mailbox *m, const char *reason)
{
	if (!m->told)
		vl_log_warning("cannot give %s to the agent at '%.100s': %s; headquarters "
			       "tries again, and the missions keep their batches",
			       m->options.what, m->options.socket, reason);
	m->told = true;
}

static void no_trouble(struct vl_mailbox *m)
{
	if (m->told)
		vl_log_info("%s are given again", m->options.what);
	m->told = false;
	m->back_off_ms = 0;
}

/* -- giving -- */

bool vl_mailbox_begin(struct vl_mailbox *m, int64_t now)
{
	if (m->client == NULL || vl_client_unanswered(m->client) > 0 || now < m->next_at)
		return false;
	m->n_put = 0;
	if (vl_client_ready(m->client, now))
		return true;
	trouble(m, vl_client_reason(m->client));
	return false;
}

bool vl_mailbox_put(struct vl_mailbox *m, const char *subject, const ProtobufCMessage *payload)
{
	vl_buf_reset(&m->event);
	vl_event_pack(&m->event, subject, "headquarters", vl_clock_now(m->options.clock), payload);
	if (vl_buf_failed(&m->event) ||
	    !vl_client_add_packed(m->client, m->event.data, m->event.size, m->n_put))
		return false;
	m->n_put++;
	return true;
}

bool vl_mailbox_full(const struct vl_mailbox *m)
{
	return m->n_put == VL_MAILBOX_MOST || !vl_client_has_room(m->client);
}

void vl_mailbox_work(struct vl_mailbox *m, int64_t now)
{
	if (m->client == NULL)
		return;
	m->accepted = m->refused = 0;
	(void)vl_client_work(m->client, now);
	if (m->refused > 0) {
		trouble(m, m->why.text);
		m->back_off_ms =
			vl_back_off(m->back_off_ms, BACK_OFF_MIN_MS, m->options.patience_ms / 2);
		m->next_at = now + m->back_off_ms;
	} else if (m->accepted > 0)
		no_trouble(m);
}
