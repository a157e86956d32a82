#include "agent/resend.h"

bool vl_resend_due(struct vl_resend *resend, struct vl_place acked, struct vl_place applied,
		   int64_t first_ms, int64_t now_ms)
{
	if (!vl_place_later(acked, applied)) {
		*resend = (struct vl_resend){.applied = applied};
		return false;
	}
	if (resend->since == 0 || vl_place_later(applied, resend->applied)) {
		*resend = (struct vl_resend){.since = now_ms, .wait = first_ms, .applied = applied};
		return false;
	}
	return now_ms - resend->since >= resend->wait;
}

void vl_resend_done(struct vl_resend *resend, int64_t now_ms)
{
	resend->since = now_ms;
	resend->wait = resend->wait * 2 < VL_RESEND_MAX_MS ? resend->wait * 2 : VL_RESEND_MAX_MS;
}

bool vl_resend_granted(struct vl_resend_asked *asked, struct vl_place applied, int64_t now_ms)
{
	if (vl_place_later(applied, asked->applied))
		asked->wait = VL_RESEND_ASKED_MIN_MS;
	return asked->last == 0 || now_ms - asked->last >= asked->wait;
}

void vl_resend_acted(struct vl_resend_asked *asked, struct vl_place applied, int64_t now_ms)
{
	asked->wait = vl_back_off(asked->wait, VL_RESEND_ASKED_MIN_MS, VL_RESEND_ASKED_MAX_MS);
	asked->last = now_ms;
	asked->applied = applied;
}
