/*
 * Unread: what headquarters could not read from Kafka, and what is not as it relies on, kept in
 * the ledger (db unread) so that people see it (`valise mission ls`).
 *
 * PASSED   records that nobody can read (a broken checksum, a form nobody knows, too much
 * unpacked) and that were passed over. They stay: they are evidence. What they may have hidden
 * shows as a gap and is asked for again. WAITING  a topic or partition that cannot be read now:
 * no right, no leader. It goes when it can. SETTING  a topic's setting that is not what
 * headquarters relies on (settings.h). It goes when it is.
 *
 * Each is one line in the log when it begins and, unless it stays, one when it ends. Of one
 * partition at most VL_UNREAD_ROWS places are kept; what is passed over later widens the last.
 */
#ifndef VALISE_HQ_LEDGER_UNREAD_H
#define VALISE_HQ_LEDGER_UNREAD_H

#include "base/buf.h"
#include "base/err.h"
#include "store/store.h"
#include "stream/stream.h"

#include <pthread.h>

#define VL_UNREAD_ROWS 100

enum vl_unread_kind { VL_UNREAD_PASSED = 1, VL_UNREAD_WAITING, VL_UNREAD_SETTING };

struct vl_unread {
	enum vl_unread_kind kind;
	char topic[VL_TOPIC_MAX + 1];
	int32_t partition;     /* -1: the topic */
	char name[48];         /* SETTING: which */
	int64_t from, to;      /* PASSED: offsets, `to` is the first behind */
	uint64_t times, bytes; /* PASSED: how many batches, and their size where it is known */
	int64_t since_ms;      /* our own clock's */
	enum vl_err err;
	char words[200];
};

/* Keep it, and say so where it is new. An error sticks to the transaction. */
void vl_unread_put(struct vl_txn *txn, const struct vl_unread *unread);

/* It is over: true, and one line in the log, where it was there. */
bool vl_unread_over(struct vl_txn *txn, const struct vl_unread *unread);

/* All of a kind are over, without a word: at the start, when nobody knows yet. */
void vl_unread_forget(struct vl_txn *txn, enum vl_unread_kind kind);

/* Each there is, by kind and topic. */
void vl_unread_each(struct vl_txn *txn, void (*each)(void *context, const struct vl_unread *unread),
		    void *context);

/* Notes for the ledger: any thread puts them, the ledger's one writer writes them, between
 * transactions. At most VL_NOTES_MAX wait; what is still so when there is room again is found
 * again. */
#define VL_NOTES_MAX ((size_t)4096)

struct vl_notes {
	pthread_mutex_t lock;
	struct vl_buf waiting;
};

void vl_notes_open(struct vl_notes *notes);
void vl_notes_close(struct vl_notes *notes);
void vl_notes_put(struct vl_notes *notes, const struct vl_unread *unread, bool over);

/* A ledger that is full keeps none of them, and is no error: they have been said at least. */
enum vl_err vl_notes_write(struct vl_notes *notes, struct vl_store *store,
			   struct vl_why *why) VL_CHECKED;

const char *vl_unread_name(enum vl_unread_kind kind);

/* In words: "'consular.case.v1' partition 0, offsets 5 to 14: cannot be read ..." */
#define VL_UNREAD_TEXT 640
const char *vl_unread_text(const struct vl_unread *unread, char text[VL_UNREAD_TEXT]);

#endif
