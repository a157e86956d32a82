/*
 * Reasons: the signed events behind one field of a row, what others add to it, and which rows it
 * reads.
 *
 * The tables of a view say which events write the field, and which of them stands. What a view's C
 * makes is found by trial (hq/fold/trial.h). The row is folded again without one event, without one
 * sum, without one row that it reads. What makes a difference matters. If no single event does, all
 * of the history is given, and marked as such.
 *
 * Nothing here knows a lane. Bounds: VL_REASON_FACTS events are left out in turn, and
 * VL_REASON_READS sums and rows. VL_REASON_ROWS rows are asked what they add.
 *
 * Next: hq/fold/trial.h, how the row is folded without one of them.
 */
#ifndef VALISE_ASK_REASONS_H
#define VALISE_ASK_REASONS_H

#include "ask/probe.h"
#include "hq/fold/fold.h"
#include "hq/fold/source.h"

#define VL_REASON_FACTS ((size_t)1000)
#define VL_REASON_READS ((size_t)256)
#define VL_REASON_ROWS ((uint64_t)1000000)

/* What an event has to do with it. */
enum vl_reason_role {
	VL_REASON_NONE,    /* nothing that is known */
	VL_REASON_PART,    /* it is of the history that all of it is made of */
	VL_REASON_IN_VAIN, /* it says something for it, and another's word stands */
	VL_REASON_MATTERS, /* without it the value would be another */
	VL_REASON_ADDS,    /* it adds to it */
	VL_REASON_DECIDES, /* the value is what this one says */
};

struct vl_reason_event {
	const struct vl_history_item *item;
	enum vl_reason_role role;
	struct vl_said said; /* by the tables */
};

/* What a row adds, by the name of the sum: a field's, and behind a '/' what it is counted by. */
struct vl_reason_add {
	const char *kind, *key, *name;
	int64_t amount;
};

/* A row that makes a difference, of this lane or another. */
struct vl_reason_row {
	size_t view; /* an index of vl_views */
	unsigned rank;
	const char *kind, *key;
};

struct vl_reasons {
	const char *value;   /* "" for none */
	const char *sources; /* the lines of the declaration, each with a newline */
	bool in_c;           /* the view's C has a part in it */
	bool whole;          /* no single event matters: all are given */
	bool many;           /* more than VL_REASON_FACTS: some were not left out in turn */
	struct vl_reason_event *events;
	size_t n_events, n_history, n_damaged;
	struct vl_reason_add *adds; /* the largest first */
	size_t n_adds;
	uint64_t adding; /* how many there are, and what they come to */
	int64_t sum;
	bool not_all; /* there are more rows than were looked at */
	struct vl_reason_row *rows;
	size_t n_rows;
};

/* All of it points into the arena, or into the transaction. `most` adds are given. NOMEM, CORRUPT
 * where what the row is made of is damaged, or the transaction's error. */
enum vl_err vl_reasons_find(const struct vl_ask_probe *probe, struct vl_txn *txn, const char *key,
			    struct vl_time now, size_t most, struct vl_arena *arena,
			    struct vl_reasons *reasons) VL_CHECKED;

#endif
