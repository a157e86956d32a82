/*
 * Dead letters that their topic refuses, for example because they are too large. Each is kept in
 * the views, delays no other, and is tried again after pauses that grow from VL_REFUSED_LEAST_MS to
 * VL_REFUSED_MOST_MS.
 *
 *     refused   time of the next try, key in `dead`  ->  since when, tries, the error,
 *                                                       value in `dead`
 *
 * Next: unread.h, parts of Kafka that cannot be read.
 */
#ifndef VALISE_HQ_LEDGER_REFUSED_H
#define VALISE_HQ_LEDGER_REFUSED_H

#include "hq/ledger/ledger.h"

#define VL_REFUSED_LEAST_MS 10000
#define VL_REFUSED_MOST_MS 3600000

struct vl_refused {
	int64_t next_ms, since_ms; /* since 1970 */
	uint32_t tries;
	enum vl_err err;
	struct vl_bytes letter; /* as in `dead` */
};

/* Move a refused letter out of `dead`, or put one back that was refused again. `key` is its key
 * in `dead`, or in `refused`. */
void vl_refused_put(struct vl_txn *txn, struct vl_bytes key, bool again, enum vl_err err,
		    int64_t now_ms);

/* The next one to try: the one that has waited longest, if its time has come, or at any time if
 * `eager`. Its pointers are valid until the next write. */
bool vl_refused_next(struct vl_txn *txn, int64_t now_ms, bool eager, struct vl_bytes *key,
		     struct vl_refused *refused);

/* Returns how many are damaged and skipped. */
size_t vl_refused_each(struct vl_txn *txn,
		       void (*each)(void *context, const struct vl_refused *refused),
		       void *context);

/* Read a letter of `dead` or `refused`; texts and record point into it. CORRUPT if it is none. */
struct vl_letter {
	const char *reason, *detail;
	struct vl_record record;
};
enum vl_err vl_letter_read(struct vl_bytes bytes, struct vl_letter *letter) VL_CHECKED;

/* The letter in a value, of `refused` or of `dead`. False if it is none. */
bool vl_refused_letter(struct vl_bytes *value, bool refused);

#endif
