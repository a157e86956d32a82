/*
 * A declared view: how one lane's events become rows, as tables.
 *
 * A file views/NAME.c says in tables which row an event belongs to (routes), what it writes there
 * (sets), and which state it leads to (moves). More tables say which time limits it starts
 * (clocks), what a row shows of other rows (lookups), and what it must not show (rules). The last
 * ones say what a row adds to others (targets and their sums), and what `ls` prints (columns). The
 * tables are bound once, when a program starts, against the descriptors of protobuf-c (bind.h),
 * which finds mistakes in them. `valise view explain LANE` prints them as text.
 *
 * In every table a C function may replace what no table can say; `step`, `finish` and `contribute`
 * of a kind are the widest of them (view.h). For each fact the engine applies the sets, then the
 * move, then the clocks, then the line in `steps`, then `step`. When all facts are in, it judges
 * those that have an owner, fills in the sums of others, and does the lookups. Then it calls
 * `finish`, and checks the clocks and rules. The order of arrival does not matter.
 *
 * Every type of event of the lane is routed, or listed as ignored. A fact that names no row goes to
 * the row "stray" of its mission.
 *
 * Every table ends with END.
 *
 * Next: heads.h, how a view's own functions begin; then bind.h.
 */
#ifndef VALISE_HQ_FOLD_DECLARE_H
#define VALISE_HQ_FOLD_DECLARE_H

#include "hq/fold/view.h"

/* A field of a message: its name in the .proto, and its offset in the C struct. */
struct vl_field {
	const char *name;
	size_t offset;
};
/* clang-format off */
#define F(type, member) {#member, offsetof(type, member)}
#define END {0}
/* clang-format on */

/* A message type by its short name (short.h of the lane's package). */
#define MESSAGE(name) &name##__descriptor

/* In place of an event: every one; in routes, those that no line names. In place of an event's
 * field: a property of each fact. */
#define ANY_EVENT NULL
#define OTHER_EVENTS (&vl_other_events)
extern const ProtobufCMessageDescriptor vl_other_events;
/* clang-format off */
#define OCCURRED {"@occurred", 0} /* when it happened: a time */
#define MISSION {"@mission", 0}   /* its signer: a text, as are the next three */
#define ACTOR {"@actor", 0}
#define SUBJECT {"@subject", 0}
#define TYPE {"@type", 0}         /* the event's type without its package */
/* clang-format on */

/* A function in a table, with its name for `explain`. */
struct vl_test {
	bool (*holds)(const ProtobufCMessage *row);
	const char *name;
};
/* clang-format off */
#define IF(function) {function, #function}
/* clang-format on */

/* -- which row an event belongs to -- */

/* The fact belongs to the row with that key or, if `key` is a repeated string, to each. An empty
 * key names no row. `when` is applied to the payload. */
struct vl_route {
	const ProtobufCMessageDescriptor *event;
	unsigned kind;
	struct vl_field key;
	struct vl_test when;
};

/* -- what an event writes into the row -- */

enum vl_how {
	VL_LAST = 1, /* the last fact's, if it is set: not empty, not 0 */
	VL_EXACTLY,  /* the last fact's, set or not */
	VL_FIRST,    /* the first fact's that is set */
	VL_GREATEST, /* of times and numbers */
	VL_LEAST,
	/* one more for each fact, in a number or, by name, in a list of valise.v1.Count */
	VL_COUNT,
	VL_SET,    /* true */
	VL_CLEAR,  /* empty again */
	VL_APPEND, /* to a list of texts, once each */
};
/* With VL_LAST, VL_EXACTLY or VL_FIRST: a text becomes a reference (vl_view_ref). */
#define VL_REF 0x100u

struct vl_set {
	const ProtobufCMessageDescriptor *event;
	struct vl_field from; /* a field of the event, or one of the names above */
	struct vl_field to;   /* of the row */
	unsigned how;         /* enum vl_how */
};

/* clang-format off */
/* A field of the event under its own name, and a field under another. */
#define COPY(Event, Row, field, how) {MESSAGE(Event), F(Event, field), F(Row, field), how}
#define SET(Event, field, Row, to, how) {MESSAGE(Event), F(Event, field), F(Row, to), how}
/* clang-format on */

/* -- the state machine -- */

#define STATE(state) ((uint64_t)1 << (state))
#define FROM_ANY UINT64_MAX

/* From one of the states in `from` the event leads to `to`. From another state it changes
 * nothing and breaks `rule` (NULL: none). The state 0 is that of a row that no move has reached.
 * States are below 64. */
struct vl_move {
	const ProtobufCMessageDescriptor *event;
	uint64_t from;
	int to;
	const char *rule;
};

/* -- time limits -- */

/* From the event `starts` on, the event `met_by` must come within `seconds`, or by the time in
 * the event's field `due`. `void_by` (may be NULL) removes the limit. While a clock runs,
 * another start changes nothing. A breach stays; when it is known it breaks `rule`. The row has
 * a field `repeated valise.v1.Clock clocks`. */
struct vl_clock_rule {
	const char *name;
	const ProtobufCMessageDescriptor *starts;
	uint32_t seconds;
	struct vl_field due;
	const ProtobufCMessageDescriptor *met_by, *void_by;
	const char *rule;
};

/* -- what C does with an event -- */

/* A table ends with a NULL type. `flags` are the kind's own, for its `admit`. */
struct vl_step {
	const ProtobufCMessageDescriptor *type;
	void (*take)(struct vl_fold *fold, ProtobufCMessage *row, const struct vl_fact *fact);
	unsigned flags;
};

/* -- who may say it -- */

/* Only the owner, or headquarters, may send the types in `events`. The owner is the first sender
 * of `begins`, or headquarters if it ever sent it. If `theirs`, headquarters never owns it: the
 * missions carry out what it begins. The first sender of `opens`, and the mission in field
 * `lead` of the row, may send them too. If `begins` was never sent, every mission may.
 *
 * Such facts are judged when all facts are known, so that their order of arrival does not
 * matter. Then they act on the row, in their order. An attempt of another mission changes
 * nothing, and breaks `rule` (NULL: none); the first VL_TRIED_MOST of them are shown. */
#define VL_TRIED_MOST 16
struct vl_owned {
	const ProtobufCMessageDescriptor *const *events; /* ends with NULL */
	const ProtobufCMessageDescriptor *begins, *opens;
	bool theirs;
	struct vl_field lead;
	const char *rule;
};

/* The owners in the present fold; NULL: none. */
struct vl_owners {
	const char *owner, *opener;
};
struct vl_owners vl_owners_of(struct vl_fold *fold, const struct vl_owned *owned);

/* -- rows of other kinds, and of other lanes -- */

/* The row whose key is in field `key` (a text) is looked up, and its field `from` becomes field
 * `to`. It is a row of the lane `lane`, which the view lists in `reads`. If `lane` is NULL, it is a
 * row of this lane, of a lower rank. If there is no such row, `to` stays empty. The engine
 * remembers who looks up what, and folds this row again when `from` changes there.
 *
 * A line without `key` names what the kind's function `look` reads by vl_fold_look (view.h).
 * Several lines may name fields of one kind. Nothing else of such a row can be seen. */
struct vl_lookup {
	struct vl_field key;
	const char *lane, *kind;
	struct vl_field from, to;
};
/* clang-format off */
#define ROW_KEY {"@key", 0} /* in the place of a field `key`: the key of this row */
/* clang-format on */

/* -- what a row must not show -- */

/* The row breaks it if `broken` holds, or if field `sum` differs from the sum of `parts`. The
 * Violation has `text`. Of a rule IN_C the table has the words only: the kind's C finds it. */
/* clang-format off */
#define IN_C {NULL, "found in C"}
/* clang-format on */
#define VL_PARTS 8
struct vl_rule {
	const char *id, *text;
	struct vl_test broken;
	struct vl_field sum, parts[VL_PARTS];
};

/* -- what a row adds to others -- */

/* Field `to` of the other row becomes the sum of `amount` (none: 1) over all rows for which
 * `when` holds. If `to` is a list of valise.v1.Count, there is one number for each value of
 * `group`. BROKEN_RULES groups by the rules that a row breaks. */
struct vl_sum {
	struct vl_field to, amount, group;
	struct vl_test when;
};
/* clang-format off */
#define BROKEN_RULES {"@rules", 0}
/* clang-format on */

/* The rows that get `sums`, of a higher rank. The key is in a field, or fixed, or appended to a
 * buffer by a function. */
struct vl_target {
	unsigned kind;
	struct vl_field key;
	const char *fixed;
	void (*key_of)(const ProtobufCMessage *row, struct vl_buf *key);
	const struct vl_sum *sums;
};

/* -- what `ls` shows -- */

/* One column. It shows a field as its type has it: a constant by its name, a time, a list of
 * counts, the broken rules. Or it shows the row's key, its next time limit, the length of a
 * list, or what `cell` prints. `now` is for values that depend on the time of the question,
 * which a row never has. */
enum vl_form { VL_AS_IT_IS, VL_KEY, VL_DUE, VL_LENGTH };
struct vl_column {
	const char *title;
	void (*cell)(const char *key, const ProtobufCMessage *row, struct vl_time now,
		     struct vl_buf *out);
	struct vl_field field;
	enum vl_form form;
};
/* clang-format off */
#define COLUMN(title, type, member) {title, NULL, F(type, member), VL_AS_IT_IS}
#define KEY_COLUMN(title) {title, NULL, {NULL, 0}, VL_KEY}
#define LENGTH_COLUMN(title, type, member) {title, NULL, F(type, member), VL_LENGTH}
#define DUE_COLUMN(title) {title, NULL, {NULL, 0}, VL_DUE}
/* clang-format on */

/* -- a kind of row, and the view -- */

struct vl_kind {
	/* "case", "leg": the KIND of `valise <noun> ls KIND` */
	const char *name;
	const ProtobufCMessageDescriptor *row; /* a message of the lane's view.proto */
	const struct vl_set *sets;             /* each table may be NULL */
	struct vl_field state;                 /* an enum that the moves change */
	const struct vl_move *moves;
	const struct vl_clock_rule *clocks;
	const struct vl_lookup *lookups;
	/* After the lines of `lookups` that have a key. */
	void (*look)(struct vl_fold *fold, ProtobufCMessage *row);
	const struct vl_rule *rules;
	const struct vl_target *targets;
	const struct vl_owned *owned;
	/* Whether the fact may do more than the sets, asked before all that follows them; `flags`
	 * are those of its line in `steps`. */
	bool (*admit)(struct vl_fold *fold, ProtobufCMessage *row, const struct vl_fact *fact,
		      unsigned flags);
	const struct vl_step *steps;
	/* Fields that are filled with what others add under the field's name in C (vl_view_count;
	 * "NAME/..." for a list of counts). Those of targets need no line here. Ends with END. */
	const struct vl_field *summed;
	/* As in view.h; each may be NULL. `contribute` must give the same for the same row at
	 * any time. */
	void (*step)(struct vl_fold *fold, ProtobufCMessage *row, const struct vl_fact *fact);
	void (*finish)(struct vl_fold *fold, ProtobufCMessage *row);
	void (*contribute)(struct vl_fold *fold, const ProtobufCMessage *row);
	const struct vl_column *columns;
	/* States in which a row is closed: a plain `ls` leaves it out, `ls --all` shows it.
	 * `listed` decides in C instead. */
	uint64_t done;
	bool (*listed)(const char *key, const ProtobufCMessage *row, struct vl_time now);
	/* Its cells are those of the requested time (`now`), so that a past time may be
	 * requested. */
	bool dated;
};

/* One lane's view. A file views/NAME.c defines `const struct vl_view vl_view_NAME`. */
struct vl_view {
	const char *lane;            /* "consular.case.v1" */
	const char *noun;            /* "case": `valise case ls` */
	const struct vl_kind *kinds; /* in their rank, lowest first */
	unsigned n_kinds;
	unsigned shown;  /* the default kind of `ls` and `show` */
	bool references; /* keys are converted by vl_view_ref */
	/* The lanes that its rows look rows up in, up to NULL; may be NULL. No lane reads itself,
	 * however far round. */
	const char *const *reads;
	const struct vl_route *routes;
	/* May be NULL: in C, after the routes. Without routes it takes every type. */
	void (*touch)(struct vl_touch *touch, const struct vl_fact *fact);
	/* The types that `touch` takes, and those that no row takes. Each list ends with NULL
	 * and may be NULL. */
	const ProtobufCMessageDescriptor *const *touched, *const *ignored;
};

/* The kind "stray", last in every view: for each mission its events that name no row. */
extern const struct vl_set vl_stray_sets[];
extern const struct vl_column vl_stray_columns[];
/* clang-format off */
#define VL_STRAY_KIND                                                                      \
	{.name = "stray", .row = &valise__v1__stray_row__descriptor, .sets = vl_stray_sets, \
	 .columns = vl_stray_columns}
/* clang-format on */

#endif
