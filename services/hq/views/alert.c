#include "hq/views/alert.h"

#include "consular/alert/v1/short.h"

const char *vl_alert_enum(const ProtobufCEnumDescriptor *type, size_t skip, int value)
{
	const ProtobufCEnumValue *known = protobuf_c_enum_descriptor_get_value(type, value);
	return known == NULL ? "?" : known->name + skip;
}

const ALERT(Issue) *vl_alert_issue(const ProtobufCMessage *payload)
{
	static const ProtobufCMessageDescriptor *const issuing[] = {
		ALERT_DESCRIPTOR(alert_drafted),   ALERT_DESCRIPTOR(alert_revised),
		ALERT_DESCRIPTOR(alert_published), ALERT_DESCRIPTOR(alert_updated),
		ALERT_DESCRIPTOR(alert_cancelled),
	};
	for (size_t i = 0; i < sizeof(issuing) / sizeof(issuing[0]); i++) {
		/* All of them have the one field. */
		if (payload->descriptor == issuing[i])
			return ((const ALERT(AlertPublished) *)(const void *)payload)->issue;
	}
	return NULL;
}

const ALERT(CapAlert) *vl_alert_replacing(const ProtobufCMessage *payload)
{
	if (payload->descriptor == ALERT_DESCRIPTOR(foreign_alert_received)) {
		const ALERT(CapAlert) *cap =
			((const ALERT(ForeignAlertReceived) *)(const void *)payload)->cap;
		bool replaces = cap != NULL && (cap->message_type == ALERT_TYPE(UPDATE) ||
						cap->message_type == ALERT_TYPE(CANCEL));
		return replaces ? cap : NULL;
	}
	if (payload->descriptor != ALERT_DESCRIPTOR(alert_updated) &&
	    payload->descriptor != ALERT_DESCRIPTOR(alert_cancelled))
		return NULL;
	const ALERT(Issue) *issue = vl_alert_issue(payload);
	return issue == NULL ? NULL : issue->cap;
}

static bool names_no_country(const ProtobufCMessage *event)
{
	return ((const CountryRiskSet *)(const void *)event)->country[0] == '\0';
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
static void put_status(const char *key, const ProtobufCMessage *message, struct vl_time now,
		       struct vl_buf *out)
{
	(void)key, (void)now;
	const ALERT(AlertRow) *row = (const void *)message;
	vl_buf_printf(out, "%s%s", vl_alert_enum(ALERT_STATUS_TEXT, row->status),
		      row->foreign ? " foreign" : "");
}

static void put_state(const char *key, const ProtobufCMessage *message, struct vl_time now,
		      struct vl_buf *out)
{
	(void)key, (void)now;
	const ALERT(AlertRow) *row = (const void *)message;
	vl_buf_put_text(out, vl_alert_enum(ALERT_STATE_TEXT, row->state));
	if (row->state == ALERT_STATE(CANCELLED))
		vl_buf_printf(out, " %s", row->cancelled_by);
	else if (row->state == ALERT_STATE(UPDATED))
		vl_buf_printf(out, " %s", row->superseded_by);
}

static void put_type(const char *key, const ProtobufCMessage *message, struct vl_time now,
		     struct vl_buf *out)
{
	(void)key, (void)now;
	const ALERT(AlertRow) *row = (const void *)message;
	vl_buf_put_text(out, row->all_clear ? "ALL_CLEAR"
					    : vl_alert_enum(ALERT_TYPE_TEXT, row->message_type));
}

static void put_colour(const char *key, const ProtobufCMessage *message, struct vl_time now,
		       struct vl_buf *out)
{
	(void)key, (void)now;
	const ALERT(AlertRow) *row = (const void *)message;
	if (row->colour != 0)
		vl_buf_put_text(out, vl_alert_enum(ALERT_COLOUR_TEXT, row->colour));
}

static void put_in_force(const char *key, const ProtobufCMessage *message, struct vl_time now,
			 struct vl_buf *out)
{
	(void)key;
	vl_buf_put_text(out, vl_alert_in_force((const void *)message, now) ? "yes" : "no");
}

static void put_level(const char *key, const ProtobufCMessage *message, struct vl_time now,
		      struct vl_buf *out)
{
	(void)key;
	ALERT(RiskColour) colour = vl_alert_area_level_at((const void *)message, now);
	if (colour != 0)
		vl_buf_put_text(out, vl_alert_enum(ALERT_COLOUR_TEXT, colour));
}

static void put_wording(const char *key, const ProtobufCMessage *message, struct vl_time now,
			struct vl_buf *out)
{
	(void)key;
	ALERT(Wording) wording = vl_alert_area_wording_at((const void *)message, now);
	if (wording != 0)
		vl_buf_put_text(out, vl_alert_enum(ALERT_WORDING_TEXT, wording));
}

/* In the making, in force, or soon to be. */
static bool listed(const char *key, const ProtobufCMessage *message, struct vl_time now)
{
	(void)key;
	const ALERT(AlertRow) *row = (const void *)message;
	if (row->state == ALERT_STATE(DRAFT) || row->state == ALERT_STATE(REVIEW) ||
	    row->state == ALERT_STATE(APPROVED))
		return true;
	return row->state == ALERT_STATE(PUBLISHED) && row->message_type != ALERT_TYPE(CANCEL) &&
	       (row->expires == NULL || vl_time_compare(now, vl_view_time(row->expires)) < 0);
}

static const struct vl_column alert_columns[] = {
	KEY_COLUMN("ALERT"),
	{"STATUS", put_status},
	{"STATE", put_state},
	{"TYPE", put_type},
	{"COLOUR", put_colour},
	{"IN FORCE", put_in_force},
	COLUMN("LANGUAGES", AlertRow, languages),
	COLUMN("EXPIRES", AlertRow, expires),
	COLUMN("BREAKS", AlertRow, violations),
	END,
};
static const struct vl_column issuer_columns[] = {
	KEY_COLUMN("ALERT"),
	COLUMN("ISSUER", IssuerRow, issuer),
	END,
};
static const struct vl_column area_columns[] = {
	KEY_COLUMN("AREA"),       COLUMN("NAME", AreaRow, name),         {"LEVEL", put_level},
	{"WORDING", put_wording}, COLUMN("BREAKS", AreaRow, violations), END,
};
static const struct vl_column board_columns[] = {
	KEY_COLUMN("BOARD"),
	COLUMN("ALERTS", BoardRow, alerts),
	COLUMN("STANDING", BoardRow, standing_by_colour),
	COLUMN("BREAKS", BoardRow, violations_by_rule),
	END,
};

static const struct vl_kind kinds[ALERT_KINDS] = {
	[ALERT_KIND_ISSUER] = {.name = "issuer",
			       .row = ALERT_DESCRIPTOR(issuer_row),
			       .step = vl_alert_issuer_step,
			       .contribute = vl_alert_issuer_contribute,
			       .columns = issuer_columns},
	[ALERT_KIND_ALERT] = {.name = "alert",
			      .row = ALERT_DESCRIPTOR(alert_row),
			      .step = vl_alert_step,
			      .finish = vl_alert_finish,
			      .contribute = vl_alert_contribute,
			      .columns = alert_columns,
			      .dated = true,
			      .listed = listed},
	[ALERT_KIND_AREA] = {.name = "area",
			     .row = ALERT_DESCRIPTOR(area_row),
			     .step = vl_alert_area_step,
			     .finish = vl_alert_area_finish,
			     .contribute = vl_alert_area_contribute,
			     .dated = true,
			     .columns = area_columns},
	[ALERT_KIND_BOARD] = {.name = "board",
			      .row = ALERT_DESCRIPTOR(board_row),
			      .finish = vl_alert_board_finish,
			      .columns = board_columns},
	[ALERT_KIND_STRAY] = VL_STRAY_KIND,
};

const struct vl_view vl_view_alert = {
	.lane = "consular.alert.v1",
	.noun = "alert",
	.kinds = kinds,
	.n_kinds = ALERT_KINDS,
	.shown = ALERT_KIND_ALERT,
	.routes = routes,
	.touch = touch,
	.touched = touched,
};
