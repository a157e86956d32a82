#include "agent/answers.h"

#include <unistd.h>

void answers_hold(struct answers *answers, struct client *client, uint64_t tag, size_t n_events)
{
	client_hold(client);
	answers->held[answers->count].client = client;
	answers->held[answers->count].tag = tag;
	answers->held[answers->count].n_events = n_events;
}

void answers_held(struct answers *answers)
{
	answers->held[answers->count].end = client_mark(answers->held[answers->count].client);
	answers->count++;
}

void answers_release(struct answers *answers)
{
	for (size_t i = 0; i < answers->count; i++)
		client_release(answers->held[i].client, answers->held[i].end);
	answers->count = 0;
}

static void take_back(struct answers *answers)
{
	for (size_t i = 0; i < answers->count; i++)
		client_rewind(answers->held[i].client);
}

static void write_anew(struct answers *answers, Valise__V1__RefusedCause cause, const char *reason)
{
	for (size_t i = 0; i < answers->count; i++) {
		struct client *client = answers->held[i].client;
		answer_refused(client_out(client), answers->held[i].tag, cause, reason,
			       answers->held[i].n_events);
		answers->held[i].end = client_mark(client);
	}
}

void answers_refuse(struct answers *older, struct answers *newer, enum vl_err err,
		    const struct vl_why *why)
{
	Valise__V1__RefusedCause cause = VALISE__V1__REFUSED_CAUSE__REFUSED_CAUSE_UNKNOWN_OUTCOME;
	struct vl_why reason = {0};

	(void)vl_fail(&reason, err,
		      "the outbox cannot be written (%.80s); whether this was kept is unknown; "
		      "send it again with the same id",
		      vl_why_text(why, err));
	if (err == VL_ERR_FULL) {
		cause = VALISE__V1__REFUSED_CAUSE__REFUSED_CAUSE_FULL;
		(void)vl_fail(&reason, err, "%.200s; nothing of this was kept; send it again later",
			      vl_why_text(why, err));
	}
	take_back(older);
	take_back(newer);
	write_anew(older, cause, reason.text);
	write_anew(newer, cause, reason.text);
	answers_release(older);
	answers_release(newer);
}

void answer_refused(struct vl_buf *out, uint64_t tag, Valise__V1__RefusedCause cause,
		    const char *reason, size_t times)
{
	size_t start = vl_answer_begin(out);

	for (size_t i = 0; i < times; i++)
		vl_answer_refused(out, cause, reason);
	vl_answer_end(out, start, tag);
}

void answer_turned_away(int fd, const char *reason)
{
	struct vl_buf out = {0};

	answer_refused(&out, 0, VALISE__V1__REFUSED_CAUSE__REFUSED_CAUSE_INVALID, reason, 1);
	if (!vl_buf_failed(&out))
		(void)!write(fd, out.data, out.size);
	vl_buf_free(&out);
	(void)close(fd);
}
