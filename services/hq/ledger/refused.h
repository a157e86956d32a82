/*
 * Dead letters that their topic refuses: too large for it, say. Each is kept in the views,
 * blocks no other, and is tried again after pauses that grow from VL_REFUSED_LEAST_MS to
 * VL_REFUSED_MOST_MS.
 *
 * refused   when to try it again, key in `dead`   -> since when, tries, the error, value in
 * `dead`
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

/* Take a letter that was refused out of `dead`, or put one that was refused again back. `key` is
 * its key in `dead`, or in `refused`. */
void vl_refused_put(struct vl_txn *txn, struct vl_bytes key, bool again, enum vl_err err,
		    int64_t now_ms);

/* The one to try next: that which has waited longest for it, where its time has come, or at any
 * time where `eager`. What they point to is valid until the next write. */
bool vl_refused_next(struct vl_txn *txn, int64_t now_ms, bool eager, struct vl_bytes *key,
		     struct vl_refused *refused);

/* Returns how many are damaged, and passed over. */
size_t vl_refused_each(struct vl_txn *txn,
		       void (*each)(void *context, const struct vl_refused *refused),
		       void *context);

/* Take a letter of `dead` or `refused` apart; texts and record point into it. CORRUPT where it
 * is none. */
struct vl_letter {
	const char *reason, *detail;
	struct vl_record record;
};
enum vl_err vl_letter_read(struct vl_bytes bytes, struct vl_letter *letter) VL_CHECKED;

/* The letter in a value, of one that was refused or not yet. False where it is none. */
bool vl_refused_letter(struct vl_bytes *value, bool refused);

#endif
