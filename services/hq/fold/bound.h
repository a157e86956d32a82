/*
 * Inside a bound view: shared by bind.c (making it), step.c (facts), sums.c (what rows add to
 * others) and lookup.c (what they read of others). clocks.c, cells.c and explain.c share it too,
 * and source.c, which finds where a field comes from.
 *
 * Next: fold_state.h, the engine.
 */
#ifndef VALISE_HQ_FOLD_BOUND_H
#define VALISE_HQ_FOLD_BOUND_H

#include "base/arena.h"
#include "hq/fold/bind.h"
#include "hq/fold/value.h"

/* The source of a value: a field of the payload, or a property of each fact. */
enum source { OF_PAYLOAD, OF_OCCURRED, OF_MISSION, OF_ACTOR, OF_SUBJECT, OF_TYPE, SOURCES };

/* A property of each fact: its name in a table (declare.h), and in words. Empty for OF_PAYLOAD. */
struct bound_source {
	const char *name, *words;
};
extern const struct bound_source bound_sources[SOURCES];

struct bound_set {
	const struct vl_set *set;
	enum source source;
	const ProtobufCFieldDescriptor *from, *to;
};

static inline enum vl_how bound_how(const struct vl_set *set)
{
	return (enum vl_how)(set->how & ~VL_REF);
}

struct bound_route {
	const struct vl_route *route;
	enum source source;
	const ProtobufCFieldDescriptor *key;
};

/* The effect of one type of event on a clock. */
struct bound_clock {
	const struct vl_clock_rule *clock;
	const ProtobufCFieldDescriptor *due; /* of the event that starts it */
	bool starts, meets, voids;
};

/* The effect of one type of event on one kind. */
struct bound_work {
	struct bound_set *sets;
	const struct vl_move **moves;
	struct bound_clock *clocks;
	size_t n_sets, n_moves, n_clocks;
	const struct vl_step *step;
	bool kept, waits; /* it says who the owner is; it is the owner's to say */
};

struct bound_event {
	const ProtobufCMessageDescriptor *type;
	bool ignored;
	struct bound_route *routes;
	size_t n_routes;
	struct bound_work *work; /* one for each kind */
};

struct bound_sum {
	const struct vl_sum *sum;
	bool counts, rules; /* into a list of Count; grouped by rules */
	const ProtobufCFieldDescriptor *amount, *group;
};

struct bound_target {
	const struct vl_target *target;
	const ProtobufCFieldDescriptor *key;
	struct bound_sum *sums;
	size_t n_sums;
};

struct bound_lookup {
	const struct vl_lookup *lookup;
	bool own_key;                        /* ROW_KEY */
	const ProtobufCFieldDescriptor *key; /* NULL with ROW_KEY, and for `look` */
	size_t view;                         /* VL_OWN_LANE: this one */
	unsigned kind;
	const ProtobufCFieldDescriptor *from, *to;
};

struct bound_rule {
	const struct vl_rule *rule;
	const ProtobufCFieldDescriptor *sum, *parts[VL_PARTS];
	size_t n_parts;
};

struct bound_column {
	const struct vl_column *column;
	const ProtobufCFieldDescriptor *field;
};

struct bound_kind {
	const struct vl_kind *kind;
	const ProtobufCFieldDescriptor *state, *violations, *clocks, *lead;
	struct bound_lookup *lookups;
	struct bound_rule *rules;
	struct bound_target *targets;
	struct bound_column *columns;
	const ProtobufCFieldDescriptor **summed; /* of this row: the fields that others sum up */
	size_t n_lookups, n_rules, n_targets, n_columns, n_summed;
	bool has_facts;
};

struct vl_bound {
	const struct vl_view *view;
	struct vl_arena *arena;
	struct bound_event *events; /* by the address of their descriptor */
	size_t n_events;
	struct bound_kind *kinds;
};

/* NULL for a type of another lane. */
const struct bound_event *bound_event_of(const struct vl_bound *bound,
					 const ProtobufCMessageDescriptor *type);

/* The value for a fact; if a time is made, it is the fold's. */
struct vl_value bound_value(struct vl_fold *fold, const struct vl_fact *fact, enum source source,
			    const ProtobufCFieldDescriptor *field);

/* Add a violation to the row, if its kind has them (clocks.c, step.c). */
void bound_violation(const struct bound_kind *kind, struct vl_fold *fold, ProtobufCMessage *row,
		     const char *rule, const struct vl_fact *fact, const char *detail);

/* Whether a set writes; whether a move is one from that state; a state as people read it. */
bool bound_replaces(enum vl_how how, const struct vl_value *was, const struct vl_value *is);
bool bound_holds(const struct vl_move *move, int64_t state);
const char *bound_state_name(const struct bound_kind *kind, int64_t state);

/* explain.c: one line of a table, with a newline. */
void bound_put_set(const struct vl_set *set, struct vl_buf *out);
void bound_put_move(const struct bound_kind *kind, const struct vl_move *move, struct vl_buf *out);
void bound_put_clock(const struct vl_clock_rule *clock, struct vl_buf *out);
void bound_put_lookup(const struct bound_lookup *lookup, struct vl_buf *out);
void bound_put_rule(const struct bound_rule *rule, struct vl_buf *out);
void bound_put_sum(const struct bound_sum *sum, struct vl_buf *out);

/* clocks.c */
void bound_clock_step(const struct bound_kind *kind, const struct bound_clock *clock,
		      struct vl_fold *fold, ProtobufCMessage *row, const struct vl_fact *fact);
void bound_clocks_finish(const struct bound_kind *kind, struct vl_fold *fold,
			 ProtobufCMessage *row);
void bound_put_due(const struct bound_kind *kind, const ProtobufCMessage *row, struct vl_time now,
		   struct vl_buf *out);

/* owned.c: keep a fact until its owner is known; then apply the facts that may act. */
void bound_owned_keep(struct vl_fold *fold, const struct vl_fact *fact);
void bound_owned_finish(const struct vl_bound *bound, unsigned rank, struct vl_fold *fold,
			ProtobufCMessage *row);

/* step.c: apply the tables and the C of the kind to a fact. */
void bound_apply(const struct bound_kind *kind, const struct bound_work *work, struct vl_fold *fold,
		 ProtobufCMessage *row, const struct vl_fact *fact);

/* lookup.c: set the fields that are looked up. */
void bound_look(const struct bound_kind *kind, struct vl_fold *fold, ProtobufCMessage *row);

/* sums.c: set the fields of this row that others sum up. */
void bound_fill_sums(const struct bound_kind *kind, unsigned rank, struct vl_fold *fold,
		     ProtobufCMessage *row);

#endif
