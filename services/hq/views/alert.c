/*
 * The view of consular.alert.v1.
 *
 *   issuer  whose an identifier is, and who refers to it     key: the identifier
 *   alert   one message: an alert, an update, an end         key: the identifier
 *   area    the levels of an area, with their times          key: the area
 *   board   the numbers                                      key: a mission, or "all"
 *
 * An alert adds its levels to its areas, so that an area never walks the alerts.
 */
#include "hq/views/alert.h"

#include "hq/fold/heads.h"
#include "consular/traveller/v1/view.pb-c.h"
#include "hq/views/traveller_there.h"

#include <string.h>

const char *vl_alert_name(const ProtobufCEnumDescriptor *type, int value)
{
	const char *name = vl_view_name(type, value);
	if (name[0] != '\0')
		return name;
	return value == 0 ? "UNSPECIFIED" : "?";
}

const Issue *vl_alert_issue(const ProtobufCMessage *payload)
{
	static const ProtobufCMessageDescriptor *const issuing[] = {
		MESSAGE(AlertDrafted), MESSAGE(AlertRevised),   MESSAGE(AlertPublished),
		MESSAGE(AlertUpdated), MESSAGE(AlertCancelled),
	};
	for (size_t i = 0; i < sizeof(issuing) / sizeof(issuing[0]); i++) {
		/* All of them have the one field. */
		if (payload->descriptor == issuing[i])
			return ((const AlertPublished *)(const void *)payload)->issue;
	}
	return NULL;
}

const CapAlert *vl_alert_replacing(const ProtobufCMessage *payload)
{
	if (payload->descriptor == MESSAGE(ForeignAlertReceived)) {
		const CapAlert *cap = ((const ForeignAlertReceived *)(const void *)payload)->cap;
		bool replaces = cap != NULL && (cap->message_type == CAP_MESSAGE_TYPE_UPDATE ||
						cap->message_type == CAP_MESSAGE_TYPE_CANCEL);
		return replaces ? cap : NULL;
	}
	if (payload->descriptor != MESSAGE(AlertUpdated) &&
	    payload->descriptor != MESSAGE(AlertCancelled))
		return NULL;
	const Issue *issue = vl_alert_issue(payload);
	return issue == NULL ? NULL : issue->cap;
}

static TEST(names_no_country, CountryRiskSet)
{
	return row->country[0] == '\0';
}

static const struct vl_route routes[] = {
	{MESSAGE(CountryRiskSet), ALERT_KIND_AREA, F(CountryRiskSet, country)},
	{MESSAGE(CountryRiskSet), ALERT_KIND_AREA, SUBJECT, IF(names_no_country)},
	{OTHER_EVENTS, ALERT_KIND_ISSUER, SUBJECT},
	{OTHER_EVENTS, ALERT_KIND_ALERT, SUBJECT},
	END,
};

static const ProtobufCMessageDescriptor *const touched[] = {
	MESSAGE(AreaLevelSet),
	MESSAGE(AlertUpdated),
	MESSAGE(AlertCancelled),
	MESSAGE(ForeignAlertReceived),
	NULL,
};

/* What is named within a message of the event: an area, and the alerts that this one replaces. */
static void touch(struct vl_touch *touch, const struct vl_fact *fact)
{
	if (fact->payload->descriptor == MESSAGE(AreaLevelSet)) {
		const AreaLevelSet *event = (const void *)fact->payload;
		bool named = event->level != NULL && event->level->area[0] != '\0';
		vl_touch(touch, ALERT_KIND_AREA, named ? event->level->area : fact->subject);
		return;
	}
	const CapAlert *cap = vl_alert_replacing(fact->payload);
	for (size_t i = 0; cap != NULL && i < cap->n_references; i++) {
		vl_touch(touch, ALERT_KIND_ISSUER, cap->references[i]->identifier);
		vl_touch(touch, ALERT_KIND_ALERT, cap->references[i]->identifier);
	}
}

/* -- columns -- */

/* An exercise must be seen to be one before anything else is read. */
static CELL(put_status, AlertRow)
{
	vl_buf_printf(out, "%s%s", vl_alert_name(MESSAGE(CapStatus), (int)row->status),
		      row->foreign ? " foreign" : "");
}

static CELL(put_state, AlertRow)
{
	vl_buf_put_text(out, vl_alert_name(MESSAGE(AlertState), (int)row->state));
	if (row->state == ALERT_STATE_CANCELLED)
		vl_buf_printf(out, " %s", row->cancelled_by);
	else if (row->state == ALERT_STATE_UPDATED)
		vl_buf_printf(out, " %s", row->superseded_by);
}

static CELL(put_type, AlertRow)
{
	vl_buf_put_text(out, row->all_clear ? "ALL_CLEAR"
					    : vl_alert_name(MESSAGE(CapMessageType),
							    (int)row->message_type));
}

static CELL(put_colour, AlertRow)
{
	if (row->colour != 0)
		vl_buf_put_text(out, vl_alert_name(MESSAGE(RiskColour), (int)row->colour));
}

static CELL(put_in_force, AlertRow)
{
	vl_buf_put_text(out, vl_alert_in_force(row, now) ? "yes" : "no");
}

static CELL(put_level, AreaRow)
{
	RiskColour colour = vl_alert_area_level_at(row, now);
	if (colour != 0)
		vl_buf_put_text(out, vl_alert_name(MESSAGE(RiskColour), (int)colour));
}

static CELL(put_wording, AreaRow)
{
	Wording wording = vl_alert_area_wording_at(row, now);
	if (wording != 0)
		vl_buf_put_text(out, vl_alert_name(MESSAGE(Wording), (int)wording));
}

/* In the making, in force, or soon to be. */
static LISTED(listed, AlertRow)
{
	if (row->state == ALERT_STATE_DRAFT || row->state == ALERT_STATE_REVIEW ||
	    row->state == ALERT_STATE_APPROVED)
		return true;
	return row->state == ALERT_STATE_PUBLISHED &&
	       row->message_type != CAP_MESSAGE_TYPE_CANCEL &&
	       (row->expires == NULL || vl_time_compare(now, vl_view_time(row->expires)) < 0);
}

/* How many of the registered are there at that hour. */
static void put_registered(const char *key, const ProtobufCMessage *message, struct vl_time now,
			   struct vl_buf *out)
{
	(void)key;
	const AreaRow *row = (const void *)message;
	vl_buf_printf(out, "%lld",
		      (long long)vl_traveller_there(row->n_registered, row->registered, now));
}

static const char *const reads[] = {TRAVELLER_LANE, NULL};

static const struct vl_lookup area_lookups[] = {
	{ROW_KEY, TRAVELLER_LANE, "place", F(Consular__Traveller__V1__PlaceRow, days),
	 F(AreaRow, registered)},
	END,
};

/* -- the numbers -- */

static TEST(ours, AlertRow)
{
	return row->known && !row->foreign;
}
static TEST(foreign, AlertRow)
{
	return row->known && row->foreign;
}
static TEST(drill, AlertRow)
{
	return ours_(row) && row->status != CAP_STATUS_ACTUAL &&
	       row->status != CAP_STATUS_UNSPECIFIED;
}
static TEST(known, AlertRow)
{
	return row->known;
}
static TEST(standing, AlertRow)
{
	return row->known && vl_alert_stands(row);
}

static void put_mission(const ProtobufCMessage *message, struct vl_buf *key)
{
	const AlertRow *row = (const void *)message;
	vl_buf_put_text(key, row->foreign ? row->received_by : row->mission);
}

/* clang-format off */

static const struct vl_sum board_sums[] = {
	{F(BoardRow, alerts), .when = IF(ours)},
	{F(BoardRow, foreign), .when = IF(foreign)},
	{F(BoardRow, drills), .when = IF(drill)},
	{F(BoardRow, safe), F(AlertRow, safe), .when = IF(known)},
	{F(BoardRow, help), F(AlertRow, help), .when = IF(known)},
	{F(BoardRow, by_state), .group = F(AlertRow, state), .when = IF(ours)},
	{F(BoardRow, standing_by_colour), .group = F(AlertRow, colour), .when = IF(standing)},
	{F(BoardRow, violations_by_rule), .group = BROKEN_RULES, .when = IF(known)},
	END,
};
static const struct vl_target alert_targets[] = {
	{ALERT_KIND_BOARD, .fixed = "all", .sums = board_sums},
	{ALERT_KIND_BOARD, .key_of = put_mission, .sums = board_sums},
	END,
};

static const struct vl_sum area_sums[] = {
	{F(BoardRow, violations_by_rule), .group = BROKEN_RULES}, END};
static const struct vl_target area_targets[] = {
	{ALERT_KIND_BOARD, .fixed = "all", .sums = area_sums}, END};

/* -- the rules in words -- */

static const struct vl_rule alert_rules[] = {
	{"A1", "only what is real reaches the public", IN_C},
	{"A2", "a second person approved the text before; if red, one of headquarters", IN_C},
	{"A3", "an alert is not published or sent after its end", IN_C},
	{"A6", "what has expired is not published or sent", IN_C},
	{"A7", "each language that was promised is in the one message", IN_C},
	{"A9", "who issued an alert, and headquarters, change and end it", IN_C},
	END,
};
static const struct vl_rule area_rules[] = {
	{"A5", "an area has one level at a time", IN_C},
	{"A9", "who set an area's level first, and headquarters, set it", IN_C},
	END,
};

static const struct vl_column alert_columns[] = {
	KEY_COLUMN("ALERT"), {"STATUS", put_status}, {"STATE", put_state}, {"TYPE", put_type},
	{"COLOUR", put_colour}, {"IN FORCE", put_in_force},
	COLUMN("LANGUAGES", AlertRow, languages), COLUMN("EXPIRES", AlertRow, expires),
	COLUMN("BREAKS", AlertRow, violations), END};
static const struct vl_column issuer_columns[] = {
	KEY_COLUMN("ALERT"), COLUMN("ISSUER", IssuerRow, issuer), END};
static const struct vl_column area_columns[] = {
	KEY_COLUMN("AREA"), COLUMN("NAME", AreaRow, name), {"LEVEL", put_level},
	{"WORDING", put_wording}, {"REGISTERED", put_registered},
	COLUMN("BREAKS", AreaRow, violations), END};
static const struct vl_column board_columns[] = {
	KEY_COLUMN("BOARD"), COLUMN("ALERTS", BoardRow, alerts),
	COLUMN("STANDING", BoardRow, standing_by_colour),
	COLUMN("BREAKS", BoardRow, violations_by_rule), END};

static const struct vl_kind kinds[ALERT_KINDS] = {
	[ALERT_KIND_ISSUER] = {
		.name = "issuer", .row = MESSAGE(IssuerRow), .step = vl_alert_issuer_step,
		.contribute = vl_alert_issuer_contribute, .columns = issuer_columns},
	[ALERT_KIND_ALERT] = {
		.name = "alert", .row = MESSAGE(AlertRow), .admit = vl_alert_admit,
		.steps = vl_alert_steps, .finish = vl_alert_finish, .rules = alert_rules,
		.targets = alert_targets, .contribute = vl_alert_contribute,
		.columns = alert_columns, .listed = listed, .dated = true},
	[ALERT_KIND_AREA] = {
		.name = "area", .row = MESSAGE(AreaRow), .steps = vl_alert_area_steps,
		.lookups = area_lookups,
		.finish = vl_alert_area_finish, .rules = area_rules, .targets = area_targets,
		.columns = area_columns, .dated = true},
	[ALERT_KIND_BOARD] = {
		.name = "board", .row = MESSAGE(BoardRow), .columns = board_columns},
	[ALERT_KIND_STRAY] = VL_STRAY_KIND,
};

const struct vl_view vl_view_alert = {
	.lane = "consular.alert.v1", .noun = "alert", .kinds = kinds, .n_kinds = ALERT_KINDS,
	.shown = ALERT_KIND_ALERT, .reads = reads, .routes = routes,
	.touch = touch, .touched = touched,
};
