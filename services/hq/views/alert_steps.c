/*
 * One fact on one alert: its own, or another message's that refers to it. A text in the making
 * gives way to the published one; nothing that is told later about a draft touches what was
 * published.
 */
#include "base/text.h"
#include "hq/fold/heads.h"
#include "hq/fold/names.h"
#include "hq/views/alert.h"

#include <ctype.h>
#include <string.h>

static bool published(const AlertRow *row)
{
	return row->published_at != NULL;
}

static char *language_of(const CapInfo *info)
{
	return info->language[0] != '\0' ? info->language : (char *)(uintptr_t) "en-US";
}

const char *vl_alert_language_name(struct vl_fold *fold, const char *language)
{
	char *name = vl_fold_printf(fold, "%s", language);
	for (char *c = name; c != NULL && *c != '\0'; c++)
		*c = (char)tolower((unsigned char)*c);
	return name;
}

const char *vl_alert_author_name(struct vl_fold *fold, const char *mission, const char *actor)
{
	return vl_fold_printf(fold, "%s\t%s", mission, actor);
}

/* Whether the name is new in the slot; it is there now. */
static bool is_new(struct vl_fold *fold, unsigned slot, const char *name)
{
	void **named = name == NULL ? NULL : vl_names_at(fold, vl_fold_slot(fold, slot), name);
	if (named == NULL || *named != NULL)
		return false;
	*named = (void *)(uintptr_t)name;
	return true;
}

static void add_language(struct vl_fold *fold, unsigned slot, char *language, size_t *count,
			 char ***items)
{
	if (is_new(fold, slot, vl_alert_language_name(fold, language)))
		vl_fold_add_text(fold, language, count, items);
}

static void promise(struct vl_fold *fold, AlertRow *row, const Issue *issue)
{
	for (size_t i = 0; i < issue->n_languages; i++)
		add_language(fold, ALERT_SLOT_PROMISED, issue->languages[i], &row->n_promised,
			     &row->promised);
	for (size_t i = 0; issue->cap != NULL && i < issue->cap->n_infos; i++)
		add_language(fold, ALERT_SLOT_PROMISED, language_of(issue->cap->infos[i]),
			     &row->n_promised, &row->promised);
}

static void add_author(struct vl_fold *fold, AlertRow *row, const struct vl_fact *fact)
{
	if (!is_new(fold, ALERT_SLOT_AUTHORS,
		    vl_alert_author_name(fold, fact->mission, fact->actor)))
		return;
	Author *author = vl_fold_add(fold, MESSAGE(Author), &row->n_authors, &row->authors);
	if (author == NULL)
		return;
	author->mission = (char *)(uintptr_t)fact->mission;
	author->actor = (char *)(uintptr_t)fact->actor;
}

static bool sooner(const Google__Protobuf__Timestamp *a, const Google__Protobuf__Timestamp *b)
{
	return vl_time_compare(vl_view_time(a), vl_view_time(b)) < 0;
}

static void take_infos(struct vl_fold *fold, AlertRow *row, const CapAlert *cap)
{
	bool endless = false;
	*vl_fold_slot(fold, ALERT_SLOT_LANGUAGES) = NULL;
	row->n_languages = 0;
	row->languages = NULL;
	row->effective = row->expires = NULL;
	row->all_clear = false;
	for (size_t i = 0; i < cap->n_infos; i++) {
		CapInfo *info = cap->infos[i];
		add_language(fold, ALERT_SLOT_LANGUAGES, language_of(info), &row->n_languages,
			     &row->languages);
		if (info->effective != NULL &&
		    (row->effective == NULL || sooner(info->effective, row->effective)))
			row->effective = info->effective;
		if (info->expires == NULL)
			endless = true;
		else if (row->expires == NULL || sooner(row->expires, info->expires))
			row->expires = info->expires;
		for (size_t r = 0; r < info->n_responses; r++)
			row->all_clear |= info->responses[r] == CAP_RESPONSE_ALL_CLEAR;
	}
	if (endless)
		row->expires = NULL;
	if (row->effective == NULL)
		row->effective = cap->sent;
	if (cap->n_infos > 0)
		row->headline = cap->infos[0]->headline;
}

static void take_cap(struct vl_fold *fold, AlertRow *row, const CapAlert *cap)
{
	if (cap == NULL)
		return;
	row->sender = cap->sender;
	row->sent = cap->sent;
	row->sent_text = cap->sent_text;
	row->status = cap->status;
	row->message_type = cap->message_type;
	row->scope = cap->scope;
	row->n_references = cap->n_references;
	row->references = cap->references;
	take_infos(fold, row, cap);
}

static void take_issue(struct vl_fold *fold, AlertRow *row, const Issue *issue)
{
	take_cap(fold, row, issue->cap);
	row->n_levels = issue->n_levels;
	row->levels = issue->levels;
	row->n_channels = issue->n_channels;
	row->channels = issue->channels;
	row->colour = 0;
	row->wording = 0;
	row->text = row->proposed = vl_alert_text(fold, issue);
	for (size_t i = 0; i < issue->n_levels; i++) {
		if (vl_alert_higher(issue->levels[i]->colour, row->colour))
			row->colour = issue->levels[i]->colour;
		if (vl_alert_stronger(issue->levels[i]->wording, row->wording))
			row->wording = issue->levels[i]->wording;
	}
}

/* -- in the making -- */

static void move(AlertRow *row, AlertState state)
{
	if (!published(row))
		row->state = state;
}

static void lapse(AlertRow *row)
{
	/* Those before one that has lapsed have lapsed with it. */
	for (size_t i = row->n_approvals; i > 0 && !row->approvals[i - 1]->lapsed; i--)
		row->approvals[i - 1]->lapsed = true;
}

static STEP(drafted, AlertRow, ProtobufCMessage)
{
	const Issue *issue = vl_alert_issue(fact->payload);
	add_author(fold, row, fact);
	if (issue != NULL)
		row->proposed = vl_alert_text(fold, issue);
	if (published(row))
		return;
	if (fact->payload->descriptor == MESSAGE(AlertRevised)) {
		lapse(row);
		*vl_fold_slot(fold, ALERT_SLOT_PROMISED) = NULL;
		row->n_promised = 0;
		row->promised = NULL;
	}
	row->state = ALERT_STATE_DRAFT;
	if (issue == NULL)
		return;
	take_issue(fold, row, issue);
	promise(fold, row, issue);
}

static STEP(submitted, AlertRow, ProtobufCMessage)
{
	move(row, ALERT_STATE_REVIEW);
}

static STEP(returned, AlertRow, ProtobufCMessage)
{
	if (published(row))
		return;
	lapse(row);
	row->state = ALERT_STATE_DRAFT;
}

static STEP(approved, AlertRow, AlertApproved)
{
	Approval *approval =
		vl_fold_add(fold, MESSAGE(Approval), &row->n_approvals, &row->approvals);
	if (approval == NULL)
		return;
	approval->mission = (char *)(uintptr_t)fact->mission;
	approval->actor = (char *)(uintptr_t)fact->actor;
	approval->at = vl_view_stamp(fold, fact->occurred_at);
	approval->in_time = !published(row);
	approval->event = vl_view_id(fact);
	approval->text = event->digest.len > 0 ? event->digest : row->proposed;
	move(row, ALERT_STATE_APPROVED);
}

/* -- issued -- */

static CapMessageType type_of(const struct vl_fact *fact)
{
	if (fact->payload->descriptor == MESSAGE(AlertUpdated))
		return CAP_MESSAGE_TYPE_UPDATE;
	return fact->payload->descriptor == MESSAGE(AlertCancelled) ? CAP_MESSAGE_TYPE_CANCEL
								    : CAP_MESSAGE_TYPE_ALERT;
}

static STEP(issued, AlertRow, ProtobufCMessage)
{
	const Issue *issue = vl_alert_issue(fact->payload);
	if (published(row))
		row->replaced_publications++;
	if (issue != NULL) {
		take_issue(fold, row, issue);
		promise(fold, row, issue);
	}
	row->state = ALERT_STATE_PUBLISHED;
	row->message_type = type_of(fact);
	row->foreign = false;
	row->published_at = vl_view_stamp(fold, fact->occurred_at);
	row->publication = vl_view_id(fact);
	Author *publisher = vl_view_make(fold, MESSAGE(Author));
	if (publisher == NULL)
		return;
	publisher->mission = (char *)(uintptr_t)fact->mission;
	publisher->actor = (char *)(uintptr_t)fact->actor;
	row->publisher = publisher;
}

static STEP(received, AlertRow, ForeignAlertReceived)
{
	if (row->mission[0] != '\0') {
		vl_alert_refuse(fold, row, fact, "%s calls it another issuer's, and it is %s's",
				fact->mission, row->mission);
		return;
	}
	row->foreign = true;
	take_cap(fold, row, event->cap);
	row->state = ALERT_STATE_PUBLISHED;
	row->received_by = (char *)(uintptr_t)fact->mission;
	row->publication = vl_view_id(fact);
	row->published_at = row->sent != NULL ? row->sent : vl_view_stamp(fold, fact->occurred_at);
}

static STEP(expired, AlertRow, AlertExpired)
{
	Google__Protobuf__Timestamp *at = event->expired_at != NULL
						  ? event->expired_at
						  : vl_view_stamp(fold, fact->occurred_at);
	if (row->expired_at == NULL || sooner(at, row->expired_at))
		row->expired_at = at;
}

/* -- on the way to people -- */

static ChannelCount *channel_of(struct vl_fold *fold, AlertRow *row, AlertChannel channel)
{
	/* Any number may come as a channel. */
	char *name = vl_fold_printf(fold, "%d", (int)channel);
	ChannelCount *count = vl_names_item(fold, ALERT_SLOT_CHANNELS, name, MESSAGE(ChannelCount),
					    &row->n_deliveries, &row->deliveries);
	if (count != NULL)
		count->channel = channel;
	return count;
}

static STEP(delivered, AlertRow, ProtobufCMessage)
{
	const Delivery *delivery =
		((const DeliveryReported *)(const void *)fact->payload)->delivery;
	if (delivery == NULL)
		return;
	ChannelCount *count = channel_of(fold, row, delivery->channel);
	if (count == NULL)
		return;
	int64_t *const stages[] = {NULL,         &count->queued, &count->sent, &count->delivered,
				   &count->read, &count->failed};
	unsigned stage = (unsigned)delivery->stage;
	if (stage == 0 || stage >= sizeof(stages) / sizeof(stages[0]))
		return;
	*stages[stage] += delivery->recipients;
	bool leaves = stage == DELIVERY_STAGE_QUEUED || stage == DELIVERY_STAGE_SENT;
	if (!leaves || (count->last_sent_at != NULL &&
			vl_time_compare(fact->occurred_at, vl_view_time(count->last_sent_at)) <= 0))
		return;
	count->last_sent_at = vl_view_stamp(fold, fact->occurred_at);
	count->last_sent = vl_view_id(fact);
}

static STEP(acknowledged, AlertRow, AlertAcknowledged)
{
	int64_t people = event->people == 0 ? 1 : event->people;
	if (event->answer == ANSWER_HELP)
		row->help += people;
	else if (event->answer == ANSWER_SAFE)
		row->safe += people;
	else
		row->seen += people;
}

/* -- another message refers to this one -- */

/* Where a list is longer than that, its names are made once for all the alerts that it touches. */
#define SHORT_LIST 8

/* The place of each alert in the fact's references, from 1, for the turn. */
static void **places_of(struct vl_fold *fold, const struct vl_fact *fact, const CapAlert *cap)
{
	char id[33];
	void **places = vl_names_keep(fold, vl_turn_slot(fold), vl_hex(fact->id, 16, id));
	if (places == NULL || *places != NULL)
		return places;
	for (size_t i = 0; i < cap->n_references; i++) {
		void **place = vl_names_keep(fold, places, cap->references[i]->identifier);
		if (place != NULL && *place == NULL)
			*place = (void *)(uintptr_t)(i + 1);
	}
	return places;
}

static const CapReference *reference_to(struct vl_fold *fold, const struct vl_fact *fact,
					const char *key)
{
	const CapAlert *cap = vl_alert_replacing(fact->payload);
	if (cap != NULL && cap->n_references > SHORT_LIST) {
		void **places = places_of(fold, fact, cap);
		size_t place = places == NULL ? 0 : (size_t)(uintptr_t)vl_names_find(places, key);
		return place == 0 ? NULL : cap->references[place - 1];
	}
	for (size_t i = 0; cap != NULL && i < cap->n_references; i++) {
		if (strcmp(cap->references[i]->identifier, key) == 0)
			return cap->references[i];
	}
	return NULL;
}

static bool clears(const CapAlert *cap)
{
	for (size_t i = 0; i < cap->n_infos; i++) {
		for (size_t r = 0; r < cap->infos[i]->n_responses; r++) {
			if (cap->infos[i]->responses[r] == CAP_RESPONSE_ALL_CLEAR)
				return true;
		}
	}
	return false;
}

static void replaced(struct vl_fold *fold, AlertRow *row, const struct vl_fact *fact,
		     const CapReference *reference)
{
	const CapAlert *cap = vl_alert_replacing(fact->payload);
	Replacement *replacement =
		vl_fold_add(fold, MESSAGE(Replacement), &row->n_replacements, &row->replacements);
	if (replacement == NULL)
		return;
	replacement->foreign = fact->payload->descriptor == MESSAGE(ForeignAlertReceived);
	replacement->alert = (char *)(uintptr_t)fact->subject;
	replacement->message_type = replacement->foreign ? cap->message_type : type_of(fact);
	replacement->all_clear = clears(cap);
	replacement->status = cap->status;
	replacement->published_at = replacement->foreign && cap->sent != NULL
					    ? cap->sent
					    : vl_view_stamp(fold, fact->occurred_at);
	replacement->mission = (char *)(uintptr_t)fact->mission;
	replacement->reference = (CapReference *)(uintptr_t)reference;
	replacement->event = vl_view_id(fact);
}

/* It has another holder now, or its first: what others said before of its end, of its languages
 * or of a foreign issuer is over. */
static void taken(struct vl_fold *fold, AlertRow *row, const char *before,
		  const struct vl_fact *fact)
{
	if (before[0] != '\0' && strcmp(row->mission, ALERT_HQ) != 0)
		vl_alert_refuse(fold, row, fact, "published by %s, and drafted by %s", row->mission,
				before);
	if (before[0] != '\0') {
		row->expired_at = NULL;
		row->published_at = NULL;
		for (size_t i = 0; i < row->n_approvals; i++)
			row->approvals[i]->in_time = true;
	}
	if (!row->foreign)
		return;
	vl_alert_refuse(fold, row, NULL, "%s called it another issuer's, and it is %s's",
			row->received_by, row->mission);
	row->foreign = false;
	row->published_at = NULL;
	row->received_by = (char *)(uintptr_t) "";
}

const struct vl_step vl_alert_steps[] = {
	{MESSAGE(AlertDrafted), drafted},
	{MESSAGE(AlertRevised), drafted},
	{MESSAGE(AlertSubmitted), submitted},
	{MESSAGE(AlertReturned), returned},
	{MESSAGE(AlertApproved), approved},
	{MESSAGE(AlertPublished), issued},
	{MESSAGE(AlertUpdated), issued},
	{MESSAGE(AlertCancelled), issued},
	{MESSAGE(AlertExpired), expired},
	{MESSAGE(ForeignAlertReceived), received},
	{MESSAGE(DeliveryReported), delivered},
	{MESSAGE(AlertAcknowledged), acknowledged},
	END,
};

bool vl_alert_admit(struct vl_fold *fold, ProtobufCMessage *message, const struct vl_fact *fact,
		    unsigned flags)
{
	AlertRow *row = (void *)message;
	const char *key = vl_fold_key(fold);
	const CapReference *reference = reference_to(fold, fact, key);
	(void)flags;
	/* A message never replaces itself, whatever its references say. */
	if (reference != NULL && strcmp(fact->subject, key) != 0) {
		replaced(fold, row, fact, reference);
		return false;
	}
	row->known = true;
	char *holder = row->mission;
	if (!vl_alert_claim(&row->mission, published(row) && !row->foreign, fact)) {
		vl_alert_refuse(fold, row, fact, "%s by %s changes nothing: it is %s's",
				fact->payload->descriptor->short_name, fact->mission,
				holder[0] != '\0' ? holder : "nobody");
		return false;
	}
	if (strcmp(holder, row->mission) != 0)
		taken(fold, row, holder, fact);
	row->last_event = (char *)(uintptr_t)fact->payload->descriptor->short_name;
	if (row->last_event_at == NULL ||
	    vl_time_compare(vl_view_time(row->last_event_at), fact->occurred_at) < 0)
		row->last_event_at = vl_view_stamp(fold, fact->occurred_at);
	return true;
}
