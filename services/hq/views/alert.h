/*
 * Inside the view of alerts: the declarations that its files share. Two of them depend on the time:
 * is an alert in force, and how high is the level of an area.
 *
 *     alert.c         the declaration
 *     alert_steps.c   one fact on one alert
 *     alert_issuer.c  who may act on an alert (A9), and the digest of a text
 *     alert_rules.c   rules that need the whole history of an alert (A1, A2, A3, A6, A7, A9)
 *     alert_area.c    levels of areas (A5, A8)
 *
 * Next: traveller.h, another view.
 */
#ifndef VALISE_HQ_VIEWS_ALERT_H
#define VALISE_HQ_VIEWS_ALERT_H

#include "hq/fold/declare.h"

#include "consular/alert/v1/short.h"

/* The approval that a red alert needs. */
#define ALERT_HQ "HQ"

/* Ranks of the view's kinds. */
enum {
	ALERT_KIND_ISSUER,
	ALERT_KIND_ALERT,
	ALERT_KIND_AREA,
	ALERT_KIND_BOARD,
	ALERT_KIND_STRAY,
	ALERT_KINDS
};

/* Published for real, not replaced, cancelled or noted as expired, and `now` is between its
 * start and end. An exercise, a test or another issuer's alert never is. */
bool vl_alert_in_force(const AlertRow *row, struct vl_time now);

/* Whether one is above the other. A number that this build does not know is above no known one. */
bool vl_alert_higher(RiskColour a, RiskColour b);
bool vl_alert_stronger(Wording a, Wording b);

/* The area's own level at `at`: the highest that is in force then, UNSPECIFIED if none is (A5). */
RiskColour vl_alert_area_level_at(const AreaRow *row, struct vl_time at);
Wording vl_alert_area_wording_at(const AreaRow *row, struct vl_time at);

/* The level at a point: the highest over the areas that contain it (A8). A NULL row is an
 * unknown area. */
RiskColour vl_alert_level_at(const AreaRow *const *rows, size_t count, struct vl_time at);

/* The slots of an alert's fold: the languages in which it was published and those promised, its
 * authors, and its channels. */
enum { ALERT_SLOT_LANGUAGES, ALERT_SLOT_PROMISED, ALERT_SLOT_AUTHORS, ALERT_SLOT_CHANNELS };

/* A name for a language, without regard to case, and one for a person; NULL when out of memory. */
const char *vl_alert_language_name(struct vl_fold *fold, const char *language);
const char *vl_alert_author_name(struct vl_fold *fold, const char *mission, const char *actor);

/* alert_steps.c */
extern const struct vl_step vl_alert_steps[];
bool vl_alert_admit(struct vl_fold *fold, ProtobufCMessage *message, const struct vl_fact *fact,
		    unsigned flags);

/* alert_rules.c */
void vl_alert_finish(struct vl_fold *fold, ProtobufCMessage *message);
void vl_alert_contribute(struct vl_fold *fold, const ProtobufCMessage *message);
/* Ours, real, published and neither replaced, cancelled nor noted as expired. */
bool vl_alert_stands(const AlertRow *row);

/* Add an attempt that breaks A9: each of the first ALERT_TRIED_MAX of a row in words; the others
 * are counted. `fact` may be NULL. */
#define ALERT_TRIED_MAX 16
void vl_alert_refuse(struct vl_fold *fold, AlertRow *row, const struct vl_fact *fact,
		     const char *format, ...) __attribute__((format(printf, 4, 5)));

/* alert_issuer.c */
void vl_alert_issuer_step(struct vl_fold *fold, ProtobufCMessage *message,
			  const struct vl_fact *fact);
void vl_alert_issuer_contribute(struct vl_fold *fold, const ProtobufCMessage *message);
void vl_alert_check_references(struct vl_fold *fold, AlertRow *row);
bool vl_alert_publishes(const struct vl_fact *fact);
/* Whether one of the alert's facts may act on it. *holder is the alert's holder ("": none), and
 * becomes the holder after the fact; `published` says whether it was published before. Call it
 * for each fact in the order of the history. */
bool vl_alert_claim(char **holder, bool published, const struct vl_fact *fact);
/* Whether the approval is one of the holder's, of an author's mission, or of headquarters. */
bool vl_alert_may_approve(const AlertRow *row, const Approval *approval);
/* The digest that an approval names (alert.proto); empty when out of memory. */
#define ALERT_TEXT_DIGEST 32
ProtobufCBinaryData vl_alert_text(struct vl_fold *fold, const Issue *issue);

/* alert_area.c */
extern const struct vl_step vl_alert_area_steps[];
void vl_alert_area_finish(struct vl_fold *fold, ProtobufCMessage *message);

/* The text in an event; NULL for an event without one. */
const Issue *vl_alert_issue(const ProtobufCMessage *payload);
/* The references by which an event replaces other messages: an update, a cancellation, or such a
 * foreign alert. */
const CapAlert *vl_alert_replacing(const ProtobufCMessage *payload);

/* The name of a constant as `ls` shows it: "UNSPECIFIED", too, and "?" where this build does not
 * know it. */
const char *vl_alert_name(const ProtobufCEnumDescriptor *type, int value);

#endif
