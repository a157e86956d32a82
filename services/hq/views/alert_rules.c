/*
 * What only the whole history of an alert shows: which message replaced or ended it, and the
 * rules A1, A2, A3, A6 and A7.
 *
 * An alert that anything replaced stays replaced, whatever comes of the replacement, so that an
 * old message that arrives late never revives a cancelled chain. Only a message of the same
 * status replaces: an exercise never ends a real alert.
 */
#include "hq/fold/heads.h"
#include "hq/fold/names.h"
#include "hq/views/alert.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool vl_alert_stands(const AlertRow *row)
{
	return row->state == ALERT_STATE_PUBLISHED && !row->foreign &&
	       row->status == CAP_STATUS_ACTUAL && row->message_type != CAP_MESSAGE_TYPE_CANCEL &&
	       !row->all_clear;
}

bool vl_alert_in_force(const AlertRow *row, struct vl_time now)
{
	if (!vl_alert_stands(row) || vl_time_compare(now, vl_view_time(row->published_at)) < 0)
		return false;
	if (row->effective != NULL && vl_time_compare(now, vl_view_time(row->effective)) < 0)
		return false;
	return row->expires == NULL || vl_time_compare(now, vl_view_time(row->expires)) < 0;
}

static bool same_identity(const AlertRow *row, const CapReference *reference)
{
	if (reference == NULL || !row->known)
		return true;
	if (reference->sender[0] != '\0' && row->sender[0] != '\0' &&
	    strcmp(reference->sender, row->sender) != 0)
		return false;
	return reference->sent == NULL || row->sent == NULL ||
	       reference->sent->seconds == row->sent->seconds;
}

/* Whether the message is one that could replace the alert, whoever sent it. */
static bool fits(const AlertRow *row, const Replacement *replacement)
{
	if (row->known &&
	    (replacement->status != row->status || replacement->foreign != row->foreign))
		return false;
	return same_identity(row, replacement->reference);
}

/* A9: whether who sent it may. */
static bool may_replace(const AlertRow *row, const Replacement *replacement)
{
	return row->mission[0] == '\0' || replacement->foreign ||
	       strcmp(replacement->mission, row->mission) == 0 ||
	       strcmp(replacement->mission, ALERT_HQ) == 0;
}

static bool holds(const AlertRow *row, const Replacement *replacement)
{
	return fits(row, replacement) && may_replace(row, replacement);
}

void vl_alert_refuse(struct vl_fold *fold, AlertRow *row, const struct vl_fact *fact,
		     const char *format, ...)
{
	char text[256];
	va_list args;

	if (row->refused++ >= ALERT_TRIED_MAX)
		return;
	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	BREAKS(fold, row, "A9", fact, "%s", text);
}

static void check_replacements(struct vl_fold *fold, AlertRow *row)
{
	for (size_t i = 0; i < row->n_replacements; i++) {
		const Replacement *one = row->replacements[i];
		struct vl_fact attempt = {.id = one->event.data};
		if (fits(row, one) && !may_replace(row, one))
			vl_alert_refuse(
				fold, row, &attempt, "%s by %s changes nothing: it is %s's",
				vl_alert_name(MESSAGE(CapMessageType), (int)one->message_type),
				one->mission, row->mission);
	}
}

static bool ends(const Replacement *replacement)
{
	return replacement->message_type == CAP_MESSAGE_TYPE_CANCEL || replacement->all_clear;
}

static const Replacement *first(const AlertRow *row, bool ending)
{
	const Replacement *found = NULL;
	for (size_t i = 0; i < row->n_replacements; i++) {
		const Replacement *one = row->replacements[i];
		if (!holds(row, one) || ends(one) != ending)
			continue;
		if (found == NULL || vl_time_compare(vl_view_time(one->published_at),
						     vl_view_time(found->published_at)) < 0)
			found = one;
	}
	return found;
}

static void finish_replacements(AlertRow *row)
{
	const Replacement *update = first(row, false), *end = first(row, true);
	if (update != NULL) {
		row->superseded_by = update->alert;
		row->ended_at = update->published_at;
	}
	if (end != NULL) {
		row->cancelled_by = end->alert;
		if (update == NULL || vl_time_compare(vl_view_time(end->published_at),
						      vl_view_time(update->published_at)) < 0)
			row->ended_at = end->published_at;
	}
	/* A reference alone does not make an alert of something nobody has seen. */
	if (!row->known || row->published_at == NULL)
		return;
	if (end != NULL)
		row->state = ALERT_STATE_CANCELLED;
	else if (update != NULL)
		row->state = ALERT_STATE_UPDATED;
	else if (row->expired_at != NULL)
		row->state = ALERT_STATE_EXPIRED;
}

static bool public(AlertChannel channel)
{
	return channel > ALERT_CHANNEL_INTERNAL;
}

/* What a program that knows more than this build made it is not known to be. */
static bool is_real(CapStatus status)
{
	if (status == CAP_STATUS_TEST || status == CAP_STATUS_EXERCISE ||
	    status == CAP_STATUS_DRAFT)
		return false;
	return status == 0 || vl_view_rank(MESSAGE(CapStatus), (int)status) != 0;
}

/* A1: only what is real reaches the public. */
static void check_status(struct vl_fold *fold, AlertRow *row)
{
	if (is_real(row->status))
		return;
	const char *status = vl_alert_name(MESSAGE(CapStatus), (int)row->status);
	struct vl_fact publication = {.id = row->publication.data};
	for (size_t i = 0; row->published_at != NULL && i < row->n_channels; i++) {
		if (public(row->channels[i]))
			BREAKS(fold, row, "A1", &publication, "%s published on %s", status,
			       vl_alert_name(MESSAGE(AlertChannel), (int)row->channels[i]));
	}
	for (size_t i = 0; i < row->n_deliveries; i++) {
		const ChannelCount *count = row->deliveries[i];
		if (public(count->channel) && count->sent + count->delivered + count->read > 0)
			BREAKS(fold, row, "A1", NULL, "%s sent on %s", status,
			       vl_alert_name(MESSAGE(AlertChannel), (int)count->channel));
	}
}

static bool wrote(const Author *author, const Approval *approval)
{
	return strcmp(author->mission, approval->mission) == 0 &&
	       strcmp(author->actor, approval->actor) == 0;
}

static bool by_author(struct vl_fold *fold, const AlertRow *row, const Approval *approval)
{
	const char *name = vl_alert_author_name(fold, approval->mission, approval->actor);
	if (name != NULL && vl_names_find(vl_fold_slot(fold, ALERT_SLOT_AUTHORS), name) != NULL)
		return true;
	/* Where no draft is known, who published it wrote it. */
	return row->n_authors == 0 && row->publisher != NULL && wrote(row->publisher, approval);
}

/* A2: a second person approved it before it was published; for red one of headquarters. */
static void check_approval(struct vl_fold *fold, AlertRow *row)
{
	if (row->published_at == NULL || row->foreign)
		return;
	bool own = false, lapsed = false, late = false, second = false, headquarters = false,
	     stranger = false;
	for (size_t i = 0; i < row->n_approvals; i++) {
		const Approval *approval = row->approvals[i];
		if (approval->actor[0] == '\0' || by_author(fold, row, approval)) {
			own = true;
		} else if (approval->lapsed) {
			lapsed = true;
		} else if (!approval->in_time) {
			late = true;
		} else if (!vl_alert_may_approve(row, approval)) {
			stranger = true;
		} else {
			second = true;
			headquarters = headquarters || strcmp(approval->mission, ALERT_HQ) == 0;
		}
	}
	struct vl_fact publication = {.id = row->publication.data};
	if (!second)
		BREAKS(fold, row, "A2", &publication, "%s",
		       late       ? "approved only after it was published"
		       : lapsed   ? "published after a revision that nobody approved"
		       : own      ? "approved by nobody but its author"
		       : stranger ? "approved only by a mission that is neither its "
				    "issuer's nor headquarters"
				  : "published without approval");
	else if (row->colour == RISK_COLOUR_RED && !headquarters)
		BREAKS(fold, row, "A2", &publication, "red without approval by headquarters");
}

static bool is_text(const AlertRow *row, ProtobufCBinaryData text)
{
	return text.len == row->text.len &&
	       (text.len == 0 || memcmp(text.data, row->text.data, text.len) == 0);
}

/* A2: what was published is what was approved. */
static void check_text(struct vl_fold *fold, AlertRow *row)
{
	bool second = false, same = false, red = row->colour == RISK_COLOUR_RED;
	for (size_t i = 0; row->published_at != NULL && !row->foreign && i < row->n_approvals;
	     i++) {
		const Approval *approval = row->approvals[i];
		bool headquarters = strcmp(approval->mission, ALERT_HQ) == 0;
		if (approval->actor[0] == '\0' || approval->lapsed || !approval->in_time ||
		    (red && !headquarters) || by_author(fold, row, approval) ||
		    !vl_alert_may_approve(row, approval))
			continue;
		second = true;
		same = same || is_text(row, approval->text);
	}
	struct vl_fact publication = {.id = row->publication.data};
	if (second && !same)
		BREAKS(fold, row, "A2", &publication,
		       "another text was published than the one that was approved");
}

/* A3: what ended an alert is never overtaken by it. */
static void check_overtaken(struct vl_fold *fold, AlertRow *row)
{
	const Replacement *end = first(row, true);
	if (end == NULL || !row->known)
		return;
	struct vl_time at = vl_view_time(end->published_at);
	if (row->published_at != NULL && vl_time_compare(vl_view_time(row->published_at), at) > 0) {
		struct vl_fact publication = {.id = row->publication.data};
		BREAKS(fold, row, "A3", &publication, "published after %s had ended it",
		       end->alert);
	}
	for (size_t i = 0; i < row->n_deliveries; i++) {
		const ChannelCount *count = row->deliveries[i];
		if (count->last_sent_at == NULL ||
		    vl_time_compare(vl_view_time(count->last_sent_at), at) <= 0)
			continue;
		struct vl_fact sent = {.id = count->last_sent.data};
		BREAKS(fold, row, "A3", &sent, "sent on %s after %s had ended it",
		       vl_alert_name(MESSAGE(AlertChannel), (int)count->channel), end->alert);
	}
}

static const Google__Protobuf__Timestamp *expiry(const AlertRow *row)
{
	if (row->expires == NULL || row->expired_at == NULL)
		return row->expires != NULL ? row->expires : row->expired_at;
	bool noted_first =
		vl_time_compare(vl_view_time(row->expired_at), vl_view_time(row->expires)) < 0;
	return noted_first ? row->expired_at : row->expires;
}

/* A6: what has expired is not sent. */
static void check_expired(struct vl_fold *fold, AlertRow *row)
{
	const Google__Protobuf__Timestamp *end = expiry(row);
	if (end == NULL || row->foreign)
		return;
	if (row->published_at != NULL &&
	    vl_time_compare(vl_view_time(row->published_at), vl_view_time(end)) >= 0) {
		struct vl_fact publication = {.id = row->publication.data};
		BREAKS(fold, row, "A6", &publication, "published after it had expired");
	}
	for (size_t i = 0; i < row->n_deliveries; i++) {
		const ChannelCount *count = row->deliveries[i];
		if (count->last_sent_at == NULL ||
		    vl_time_compare(vl_view_time(count->last_sent_at), vl_view_time(end)) < 0)
			continue;
		struct vl_fact sent = {.id = count->last_sent.data};
		BREAKS(fold, row, "A6", &sent, "sent on %s after it had expired",
		       vl_alert_name(MESSAGE(AlertChannel), (int)count->channel));
	}
}

/* A7: every language that was promised is in the one message. */
static void check_languages(struct vl_fold *fold, AlertRow *row)
{
	if (row->published_at == NULL || row->foreign)
		return;
	struct vl_fact publication = {.id = row->publication.data};
	for (size_t i = 0; i < row->n_promised; i++) {
		const char *name = vl_alert_language_name(fold, row->promised[i]);
		if (name != NULL &&
		    vl_names_find(vl_fold_slot(fold, ALERT_SLOT_LANGUAGES), name) == NULL)
			BREAKS(fold, row, "A7", &publication, "published without %s",
			       row->promised[i]);
	}
}

FINISH(vl_alert_finish, AlertRow)
{
	char *key = vl_fold_printf(fold, "%s", vl_fold_key(fold));
	if (key != NULL)
		row->identifier = key;
	finish_replacements(row);
	check_status(fold, row);
	check_approval(fold, row);
	check_overtaken(fold, row);
	check_expired(fold, row);
	check_languages(fold, row);
	check_text(fold, row);
	check_replacements(fold, row);
	vl_alert_check_references(fold, row);
}

/* -- the levels of areas -- */

/* Also what no longer stands: it did at its time. */
CONTRIBUTE(vl_alert_contribute, AlertRow)
{
	if (!row->known || row->published_at == NULL || row->foreign ||
	    row->status != CAP_STATUS_ACTUAL || row->message_type == CAP_MESSAGE_TYPE_CANCEL ||
	    row->all_clear)
		return;
	for (size_t i = 0; i < row->n_levels; i++) {
		vl_view_count(fold, ALERT_KIND_AREA, row->levels[i]->area, 1, "alert/%s",
			      row->identifier);
		vl_fold_dirty(fold, ALERT_KIND_AREA, row->levels[i]->area);
	}
}
