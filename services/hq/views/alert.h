/*
 * What the files of the view of alerts share, and the two questions that need an hour: is an
 * alert in force, and how high is the level of an area.
 *
 * alert.c        kinds, columns, which alerts a fact belongs to alert_steps.c  one fact on one
 * alert alert_issuer.c who may speak about an alert (A9), and the digest of a text alert_rules.c
 * what only the whole history of an alert shows (A1, A2, A3, A6, A7, A9) alert_area.c   levels
 * of areas (A5, A8), and the numbers
 */
#ifndef VALISE_HQ_VIEWS_ALERT_H
#define VALISE_HQ_VIEWS_ALERT_H

#include "consular/alert/v1/alert.pb-c.h"
#include "consular/alert/v1/view.pb-c.h"
#include "hq/fold/declare.h"

#define ALERT(name) Consular__Alert__V1__##name
#define ALERT_DESCRIPTOR(name) &consular__alert__v1__##name##__descriptor
#define ALERT_STATE(name) CONSULAR__ALERT__V1__ALERT_STATE__ALERT_STATE_##name
#define ALERT_STATUS(name) CONSULAR__ALERT__V1__CAP_STATUS__CAP_STATUS_##name
#define ALERT_TYPE(name) CONSULAR__ALERT__V1__CAP_MESSAGE_TYPE__CAP_MESSAGE_TYPE_##name
#define ALERT_COLOUR(name) CONSULAR__ALERT__V1__RISK_COLOUR__RISK_COLOUR_##name

/* Whose approval a red alert needs. */
#define ALERT_HQ "HQ"
#define ALERT_BOARD_ALL "all"

/* Ranks of the view's kinds. */
enum {
	ALERT_KIND_ISSUER,
	ALERT_KIND_ALERT,
	ALERT_KIND_AREA,
	ALERT_KIND_BOARD,
	ALERT_KIND_STRAY,
	ALERT_KINDS
};

/* Published for real, neither replaced nor cancelled nor noted as expired, and `now` within its
 * hours. An exercise, a test or another issuer's alert never is. */
bool vl_alert_in_force(const ALERT(AlertRow) *row, struct vl_time now);

/* Whether one is above the other. A number that this build does not know is above none that it
 * knows. */
bool vl_alert_higher(ALERT(RiskColour) a, ALERT(RiskColour) b);
bool vl_alert_stronger(ALERT(Wording) a, ALERT(Wording) b);

/* The area's own level at `at`: the highest of what stands then, UNSPECIFIED where nothing does
 * (A5). */
ALERT(RiskColour) vl_alert_area_level_at(const ALERT(AreaRow) *row, struct vl_time at);
ALERT(Wording) vl_alert_area_wording_at(const ALERT(AreaRow) *row, struct vl_time at);

/* The level at a point: the highest over the areas that contain it (A8). A NULL row is an area
 * that nothing is known of. */
ALERT(RiskColour) vl_alert_level_at(const ALERT(AreaRow) *const *rows, size_t count,
				    struct vl_time at);

/* What an alert's fold keeps by name: the languages it was published in and those promised, who
 * wrote it, and its channels. */
enum { ALERT_SLOT_LANGUAGES, ALERT_SLOT_PROMISED, ALERT_SLOT_AUTHORS, ALERT_SLOT_CHANNELS };

/* A name for a language whatever its letters' case, and one for a person; NULL when out of
 * memory. */
const char *vl_alert_language_name(struct vl_fold *fold, const char *language);
const char *vl_alert_author_name(struct vl_fold *fold, const char *mission, const char *actor);

/* alert_steps.c */
void vl_alert_step(struct vl_fold *fold, ProtobufCMessage *message, const struct vl_fact *fact);

/* alert_rules.c */
void vl_alert_finish(struct vl_fold *fold, ProtobufCMessage *message);
void vl_alert_contribute(struct vl_fold *fold, const ProtobufCMessage *message);
/* Ours, real, published and neither replaced, cancelled nor noted as expired. */
bool vl_alert_stands(const ALERT(AlertRow) *row);

/* Have A9 said of an attempt: each of the first ALERT_TRIED_MAX of a row in words, the others
 * counted. `fact` may be NULL. */
#define ALERT_TRIED_MAX 16
void vl_alert_refuse(struct vl_fold *fold, ALERT(AlertRow) *row, const struct vl_fact *fact,
		     const char *format, ...) __attribute__((format(printf, 4, 5)));

/* alert_issuer.c */
void vl_alert_issuer_step(struct vl_fold *fold, ProtobufCMessage *message,
			  const struct vl_fact *fact);
void vl_alert_issuer_contribute(struct vl_fold *fold, const ProtobufCMessage *message);
void vl_alert_check_references(struct vl_fold *fold, ALERT(AlertRow) *row);
bool vl_alert_publishes(const struct vl_fact *fact);
/* Whether a fact of the alert's own may act on it, where *holder holds the alert ("" for nobody)
 * and it was published before or not; *holder becomes who holds it then. To be asked of each
 * fact in the order of the history. */
bool vl_alert_claim(char **holder, bool published, const struct vl_fact *fact);
/* Whether the approval is one of the holder's, of an author's mission, or of headquarters. */
bool vl_alert_may_approve(const ALERT(AlertRow) *row, const ALERT(Approval) *approval);
/* The digest that an approval names (alert.proto); empty when out of memory. */
#define ALERT_TEXT_DIGEST 32
ProtobufCBinaryData vl_alert_text(struct vl_fold *fold, const ALERT(Issue) *issue);

/* alert_area.c */
void vl_alert_area_step(struct vl_fold *fold, ProtobufCMessage *message,
			const struct vl_fact *fact);
void vl_alert_area_finish(struct vl_fold *fold, ProtobufCMessage *message);
void vl_alert_area_contribute(struct vl_fold *fold, const ProtobufCMessage *message);
void vl_alert_board_finish(struct vl_fold *fold, ProtobufCMessage *message);

/* What an event that carries a text says; NULL for the others. */
const ALERT(Issue) *vl_alert_issue(const ProtobufCMessage *payload);
/* The references by which an event replaces other messages: of an update, a cancellation, or a
 * foreign alert that is one. */
const ALERT(CapAlert) *vl_alert_replacing(const ProtobufCMessage *payload);

/* The name of an enum's value behind its first `skip` characters; static, "?" for a value this
 * build does not know. */
const char *vl_alert_enum(const ProtobufCEnumDescriptor *type, size_t skip, int value);
#define ALERT_STATE_TEXT &consular__alert__v1__alert_state__descriptor, sizeof("ALERT_STATE_") - 1
#define ALERT_STATUS_TEXT &consular__alert__v1__cap_status__descriptor, sizeof("CAP_STATUS_") - 1
#define ALERT_TYPE_TEXT \
	&consular__alert__v1__cap_message_type__descriptor, sizeof("CAP_MESSAGE_TYPE_") - 1
#define ALERT_COLOUR_TEXT &consular__alert__v1__risk_colour__descriptor, sizeof("RISK_COLOUR_") - 1
#define ALERT_WORDING_TEXT &consular__alert__v1__wording__descriptor, sizeof("WORDING_") - 1
#define ALERT_CHANNEL_TEXT \
	&consular__alert__v1__alert_channel__descriptor, sizeof("ALERT_CHANNEL_") - 1

#define ALERT_VIOLATION(fold, row, rule, fact, ...) \
	vl_fold_violation(fold, &(row)->n_violations, &(row)->violations, rule, fact, __VA_ARGS__)

#endif
