#include "agent/resend.h"

bool vl_resend_due(struct vl_resend *resend, struct vl_place acked, struct vl_place applied, int64_t first_ms,
		   int64_t now_ms)
{
	if (!vl_place_later(acked, applied)) {
		*resend = (struct vl_resend){.applied = applied};
		return false;
	}
	if (resend->since == 0 || vl_place_later(applied, resend->applied)) {
		*resend = (struct vl_resend){.since = now_ms, .wait = first_ms, .applied = applied};
		return false;
	}
	if (now_ms - resend->since < resend->wait)
		return false;
	resend->since = now_ms;
	resend->wait = resend->wait * 2 < VL_RESEND_MAX_MS ? resend->wait * 2 : VL_RESEND_MAX_MS;
	return true;
}

bool vl_resend_granted(struct vl_resend_asked *asked, struct vl_place applied, int64_t now_ms)
{
	if (vl_place_later(applied, asked->applied))
		asked->wait = VL_RESEND_ASKED_MIN_MS;
	if (asked->last != 0 && now_ms - asked->last < asked->wait)
		return false;
	asked->wait = vl_back_off(asked->wait, VL_RESEND_ASKED_MIN_MS, VL_RESEND_ASKED_MAX_MS);
	asked->last = now_ms;
	asked->applied = applied;
	return true;
}
