/*
 * The calls that wait for their answers (client.h), made of those that do not.
 */
#include "client/client_in.h"

#include "base/clock.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

static bool step(struct vl_client *c)
{
	struct pollfd fd = {0};
	int timeout;

	if (!vl_client_work(c, vl_monotonic_ms()))
		return false;
	if (c->waited_for == 0)
		return true;
	vl_client_poll(c, vl_monotonic_ms(), &fd.fd, &fd.events, &timeout);
	(void)poll(&fd, 1, timeout);
	return true;
}

static void not_added(struct vl_client *c, const struct vl_client_event *event, enum vl_err err,
		      struct vl_client_answer *answer)
{
	*answer = (struct vl_client_answer){.outcome = err == VL_ERR_TOO_LARGE ? VL_CLIENT_REFUSED
									       : VL_CLIENT_UNSENT};
	memcpy(answer->id, event->id, sizeof(event->id));
	(void)snprintf(answer->reason, sizeof(answer->reason), "%s", c->why.text);
}

size_t vl_client_publish_all(struct vl_client *c, const struct vl_client_event *events,
			     size_t count, struct vl_client_answer *answers)
{
	size_t accepted = 0;
	bool going = true;

	for (size_t i = 0; i < count; i++) {
		while (going && !vl_client_has_room(c))
			going = step(c);
		enum vl_err err = going ? client_add_event(c, &events[i], 0, &answers[i])
					: VL_ERR_UNREACHABLE;
		if (err != VL_OK)
			not_added(c, &events[i], err, &answers[i]);
	}
	while (c->waited_for > 0)
		(void)step(c);
	for (size_t i = 0; i < count; i++)
		accepted += answers[i].outcome == VL_CLIENT_ACCEPTED;
	return accepted;
}

bool vl_client_publish(struct vl_client *c, const struct vl_client_event *event,
		       struct vl_client_answer *answer)
{
	return vl_client_publish_all(c, event, 1, answer) == 1;
}
