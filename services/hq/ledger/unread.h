/*
 * Unread: parts of Kafka that headquarters could not read, and settings that it does not rely on.
 * They are kept in the ledger (db unread), and `valise mission ls` shows them.
 *
 *   PASSED   unreadable records (a broken checksum, an unknown form, too much unpacked) that were
 *            passed over. They stay as evidence. The events in them appear as a gap, and are
 *            requested again.
 *   WAITING  a topic or partition that cannot be read now: no right, no leader. Deleted when it
 *            can be read.
 *   SETTING  a topic's setting that differs from what headquarters relies on (settings.h). Deleted
 *            when it is right.
 *
 * Each is one line in the log when it begins and, unless it stays, one when it ends. Of one
 * partition at most VL_UNREAD_ROWS places are kept; a later one widens the last.
 *
 * Next: hq/ingest/settings.h, the settings of topics.
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

/* Keep it, and log it if it is new. An error sticks to the transaction. */
void vl_unread_put(struct vl_txn *txn, const struct vl_unread *unread);

/* It has ended: true, and one line in the log, if it was kept. */
bool vl_unread_over(struct vl_txn *txn, const struct vl_unread *unread);

/* Delete all of a kind without a log line: at the start, when the state is unknown. */
void vl_unread_forget(struct vl_txn *txn, enum vl_unread_kind kind);

/* Call `each` for each, by kind and topic. */
void vl_unread_each(struct vl_txn *txn, void (*each)(void *context, const struct vl_unread *unread),
		    void *context);

/* Notes for the ledger. Any thread puts them; the ledger's one writer writes them, between
 * transactions. At most VL_NOTES_MAX wait. A fact that lasts is found again when there is room. */
#define VL_NOTES_MAX ((size_t)4096)

struct vl_notes {
	pthread_mutex_t lock;
	struct vl_buf waiting;
};

void vl_notes_open(struct vl_notes *notes);
void vl_notes_close(struct vl_notes *notes);
void vl_notes_put(struct vl_notes *notes, const struct vl_unread *unread, bool over);

/* A full ledger keeps none of them, and that is no error: they were logged at least. */
enum vl_err vl_notes_write(struct vl_notes *notes, struct vl_store *store,
			   struct vl_why *why) VL_CHECKED;

const char *vl_unread_name(enum vl_unread_kind kind);

/* In words: "'consular.case.v1' partition 0, offsets 5 to 14: cannot be read ..." */
#define VL_UNREAD_TEXT 640
const char *vl_unread_text(const struct vl_unread *unread, char text[VL_UNREAD_TEXT]);

#endif
