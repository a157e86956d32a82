#include "agent/wishes.h"

#include "agent/outbox/roster.h"
#include "base/log.h"

#include <inttypes.h>
#include <stdio.h>

static void tell(const struct vl_pipe_message *resend, bool gone)
{
	char what[80];

	if (resend->to.n == 0)
		(void)snprintf(what, sizeof(what), "batch %" PRIu64 " and all that follow",
			       resend->seq.n);
	else
		(void)snprintf(what, sizeof(what), "batches %" PRIu64 " to %" PRIu64, resend->seq.n,
			       resend->to.n);
	if (gone)
		vl_log_warning("headquarters requests %s of epoch %" PRIu64
			       " on lane '%s', which it reported as applied, and which this "
			       "outbox no longer has. If it requests them again, it has lost "
			       "them: rebuild its views",
			       what, resend->epoch.n, resend->lane->name);
	else
		vl_log_info("headquarters requests %s of epoch %" PRIu64
			    " on lane '%s': sending them again",
			    what, resend->epoch.n, resend->lane->name);
}

bool vl_wishes_take(struct vl_resend_asked *asked, struct vl_outbox *outbox,
		    struct vl_flight *flight, const struct vl_pipe_message *resend, int64_t now_ms)
{
	static const struct vl_place end = {{UINT64_MAX}, {UINT64_MAX}};
	size_t lane = vl_roster_number(resend->lane);
	struct vl_place applied, after = {resend->epoch, {resend->seq.n - 1}},
				 to = {resend->epoch, resend->to};
	struct vl_outbox_look *look =
		resend->seq.n > 0 && lane < vl_n_lanes ? vl_outbox_look(outbox, NULL) : NULL;

	if (look == NULL)
		return false;
	vl_outbox_applied(look, resend->lane->name, &applied.epoch, &applied.seq);
	vl_outbox_look_end(look);
	if (resend->to.n == 0)
		to = end;
	if (vl_place_later(applied, after))
		after = applied;
	if (!vl_resend_granted(&asked[lane], applied, now_ms))
		return false;
	bool gone = !vl_place_later(to, after),
	     again = !gone && vl_flight_send_again(flight, lane, after, to);
	if (gone || again) {
		vl_resend_acted(&asked[lane], applied, now_ms);
		tell(resend, gone);
	}
	return again;
}
