/*
 * What the files of the view of travellers share. Start with traveller.c: it names the kinds and
 * says who tells whom what.
 *
 * traveller.c        kinds, columns, what a fact belongs to traveller_steps.c  one fact on one
 * traveller traveller_stays.c  residence and trips as days in places (T2, T3) traveller_rules.c
 * what only the whole history of a traveller shows, and what it adds to the others
 * traveller_asked.c  who asks about a place (T10) traveller_check.c  the count of a check (T6,
 * T7, T9), days of a place, and the numbers traveller_columns.c  what `ls` shows
 */
#ifndef VALISE_HQ_VIEWS_TRAVELLER_H
#define VALISE_HQ_VIEWS_TRAVELLER_H

#include "consular/traveller/v1/traveller.pb-c.h"
#include "consular/traveller/v1/view.pb-c.h"
#include "hq/fold/declare.h"

#define TRAVELLER(name) Consular__Traveller__V1__##name
#define TRAVELLER_DESCRIPTOR(name) &consular__traveller__v1__##name##__descriptor
#define TRAVELLER_STATE(name) CONSULAR__TRAVELLER__V1__REGISTRATION_STATE__REGISTRATION_STATE_##name
#define TRAVELLER_TRIP(name) CONSULAR__TRAVELLER__V1__TRIP_STATE__TRIP_STATE_##name
#define TRAVELLER_SELF CONSULAR__TRAVELLER__V1__ANSWERER__ANSWERER_SELF
#define TRAVELLER_DUPLICATE CONSULAR__TRAVELLER__V1__WITHDRAWAL_REASON__WITHDRAWAL_REASON_DUPLICATE

/* In so many checks a mission asks about one place (T10), so that a traveller's row has an end. */
#define TRAVELLER_ASKING_MOST 64

/* The board of all; the others are named by their mission. */
#define TRAVELLER_BOARD_ALL "all"
#define TRAVELLER_HQ "HQ"

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

/* A day as rows have it, "2026-11-23"; years before 1 and after 9999 are the first and the last
 * day of those. */
#define TRAVELLER_DAY 11
char *vl_traveller_day(struct vl_time time, char day[TRAVELLER_DAY]);
char *vl_traveller_keep_day(struct vl_fold *fold, struct vl_time time);

/* Whether the days of a presence and from `from` to `until` have one in common. */
bool vl_traveller_meets(const TRAVELLER(Presence) *presence, const char *from, const char *until);

/* What a traveller's fold keeps by name: answers by check, trips by their names; and the trips
 * that are planned. */
enum { TRAVELLER_SLOT_ANSWERS, TRAVELLER_SLOT_TRIPS, TRAVELLER_SLOT_PLANNED };

/* The answer to `check`, made where there is none; NULL when out of memory. The finish puts them
 * in the order of their names. */
TRAVELLER(Answer) *vl_traveller_answer(struct vl_fold *fold, TRAVELLER(TravellerRow) *row,
				       const char *check);

/* How an answer counts: of those asked so many safe, in need of help, silent, and so many
 * beyond. */
struct traveller_count {
	int64_t asked, safe, help, silent, beyond_safe, beyond_help;
};
struct traveller_count vl_traveller_count(const TRAVELLER(TravellerRow) *row,
					  const TRAVELLER(Answer) *answer);

/* traveller_steps.c */
void vl_traveller_step(struct vl_fold *fold, ProtobufCMessage *message, const struct vl_fact *fact);

/* traveller_stays.c */
void vl_traveller_finish_presences(struct vl_fold *fold, TRAVELLER(TravellerRow) *row);

/* traveller_rules.c */
void vl_traveller_finish(struct vl_fold *fold, ProtobufCMessage *message);
void vl_traveller_contribute(struct vl_fold *fold, const ProtobufCMessage *message);

/* traveller_asked.c */
/* The days that a SafetyCheckOpened asks about. */
struct traveller_days {
	char *from, *until;
};
struct traveller_days vl_traveller_days_of(struct vl_fold *fold, const struct vl_fact *fact);
/* Whether the check still asks about the place. */
bool vl_traveller_asks(struct vl_fold *fold, const char *check, const char *place);
void vl_traveller_asked_step(struct vl_fold *fold, ProtobufCMessage *message,
			     const struct vl_fact *fact);
void vl_traveller_asked_finish(struct vl_fold *fold, ProtobufCMessage *message);
void vl_traveller_asked_contribute(struct vl_fold *fold, const ProtobufCMessage *message);

/* traveller_check.c */
void vl_traveller_check_step(struct vl_fold *fold, ProtobufCMessage *message,
			     const struct vl_fact *fact);
void vl_traveller_check_finish(struct vl_fold *fold, ProtobufCMessage *message);
void vl_traveller_place_finish(struct vl_fold *fold, ProtobufCMessage *message);

/* Columns of `ls`, in traveller_columns.c. */
extern const struct vl_column vl_traveller_asked_columns[], vl_traveller_columns[],
	vl_traveller_check_columns[], vl_traveller_place_columns[], vl_traveller_board_columns[];
bool vl_traveller_listed(const char *key, const ProtobufCMessage *message, struct vl_time now);
bool vl_traveller_check_listed(const char *key, const ProtobufCMessage *message,
			       struct vl_time now);
bool vl_traveller_place_listed(const char *key, const ProtobufCMessage *message,
			       struct vl_time now);

#define TRAVELLER_VIOLATION(fold, row, rule, fact, ...) \
	vl_fold_violation(fold, &(row)->n_violations, &(row)->violations, rule, fact, __VA_ARGS__)

#endif
