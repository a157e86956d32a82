/*
 * What the files of the view of travellers share.
 *
 *   traveller.c          the declaration, and what it says in C
 *   traveller_answers.c  what travellers answer, and how it counts (T4, T8)
 *   traveller_stays.c    residence and trips as days in places (T2, T3)
 *   traveller_asked.c    which checks ask about a place (T10)
 *
 * Next: evacuation.h, another view.
 */
#ifndef VALISE_HQ_VIEWS_TRAVELLER_H
#define VALISE_HQ_VIEWS_TRAVELLER_H

#include "hq/fold/declare.h"
#include "hq/views/traveller_there.h"

#include "consular/traveller/v1/short.h"

/* The most checks in which a mission asks about one place (T10), so that a traveller's row is
 * bounded. */
#define TRAVELLER_ASKING_MOST 64

/* Ranks of the view's kinds. */
enum {
	TRAVELLER_KIND_ASKED,
	TRAVELLER_KIND_TRAVELLER,
	TRAVELLER_KIND_CHECK,
	TRAVELLER_KIND_PLACE,
	TRAVELLER_KIND_BOARD,
	TRAVELLER_KIND_STRAY,
	TRAVELLER_KINDS
};

/* A day as in rows, "2026-11-23". Years before 1 and after 9999 become the first and the last
 * day of those. */
#define TRAVELLER_DAY 11
char *vl_traveller_day(struct vl_time time, char day[TRAVELLER_DAY]);
char *vl_traveller_keep_day(struct vl_fold *fold, struct vl_time time);

/* Whether the days of a presence and those from `from` to `until` overlap. */
bool vl_traveller_meets(const Presence *presence, const char *from, const char *until);

/* The presences of a row, from its residence and its trips. */
void vl_traveller_finish_presences(struct vl_fold *fold, TravellerRow *row);

/* What an answer does, and what it comes to; a fold keeps them by their check. */
#define TRAVELLER_SLOT_ANSWERS 7
void vl_traveller_reply(struct vl_fold *fold, ProtobufCMessage *message,
			const struct vl_fact *fact);
void vl_traveller_take_up(struct vl_fold *fold, ProtobufCMessage *message,
			  const struct vl_fact *fact);
void vl_traveller_finish_answers(struct vl_fold *fold, TravellerRow *row);
void vl_traveller_add_to_check(struct vl_fold *fold, const TravellerRow *row, const Answer *answer);

/* Who has left by an evacuation. First look them up, then take them out of the presences. How many
 * of a presence had left before the day. */
#define TRAVELLER_EVACUATIONS "consular.evacuation.v1"
extern const struct vl_lookup vl_traveller_lookups[];
void vl_traveller_look(struct vl_fold *fold, ProtobufCMessage *message);
void vl_traveller_leave(struct vl_fold *fold, TravellerRow *row);
uint32_t vl_traveller_left(const Presence *presence, const char *day);

/* T5: `what` was said under a registration that was withdrawn. */
void vl_traveller_expect(struct vl_fold *fold, TravellerRow *row, const struct vl_fact *fact,
			 const char *what);

/* The days that a SafetyCheckOpened asks about. */
struct traveller_days {
	char *from, *until;
};
struct traveller_days vl_traveller_days_of(struct vl_fold *fold, const SafetyCheckOpened *event,
					   const struct vl_fact *fact);

/* Whether the check still asks about the place. */
bool vl_traveller_asks(struct vl_fold *fold, const char *check, const char *place);

/* The kind "asked". */
extern const struct vl_step vl_traveller_asked_steps[];
void vl_traveller_asked_finish(struct vl_fold *fold, ProtobufCMessage *message);
void vl_traveller_asked_contribute(struct vl_fold *fold, const ProtobufCMessage *message);

#endif
