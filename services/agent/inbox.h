/*
 * The inbox: records from headquarters. The keeper judges each before anything is done with it.
 *
 * The link hands over each record of the topics from headquarters as it is (relay.h). A record is
 * read only if headquarters' key, as enrolled here, has signed it, and for this topic. Of it only
 * the parts about this mission count. If a receipt does not fit the outbox, it frees nothing,
 * raises an alarm, and begins a new epoch. Then the outbox is an old copy, or another agent has its
 * key. A batch of headquarters that was read before, such as a replayed record, changes nothing.
 *
 * Refused records are counted, and logged once a minute for each reason. Of receipts that wait for
 * a transaction, the newest of each lane and epoch is kept. The read positions of the topics are
 * stored with the changes, in one transaction.
 *
 * Next: agent/outbox/roster.h, all lanes by number.
 */
#ifndef VALISE_AGENT_INBOX_H
#define VALISE_AGENT_INBOX_H

#include "agent/outbox/outbox.h"
#include "agent/pipe.h"
#include "bus/ring.h"

struct vl_inbox;

/* NULL when out of memory. Without a ring (NULL) no record is accepted. Mission and ring stay
 * the caller's. */
struct vl_inbox *vl_inbox_open(const struct vl_ring *ring, const char *mission);
void vl_inbox_close(struct vl_inbox *inbox);

/* Use another ring from now on; NULL: no record is accepted. */
void vl_inbox_renew(struct vl_inbox *inbox, const struct vl_ring *ring);

/* A record from the link, of any content. */
void vl_inbox_take(struct vl_inbox *inbox, struct vl_bytes relayed, int64_t now_ms);

/* How many records were refused since it was opened. */
uint64_t vl_inbox_refused(const struct vl_inbox *inbox);

/* Headquarters' next request, as a RESEND for the link; false if there is none. A request that
 * is not taken yet is replaced by a newer one for the same lane. */
bool vl_inbox_wish(struct vl_inbox *inbox, struct vl_pipe_message *resend);

/* The link has found a damaged batch that was due to be sent. */
void vl_inbox_damaged(struct vl_inbox *inbox, const struct vl_pipe_message *damaged,
		      int64_t now_ms);

/* When a commit should be made for the taken records, or for batches that may be freed; -1 if
 * there is nothing to commit. */
int64_t vl_inbox_due(const struct vl_inbox *inbox, const struct vl_outbox *outbox);

/* Put the taken records into the outbox's open transaction, and free. */
void vl_inbox_note(struct vl_inbox *inbox, struct vl_outbox *outbox);

/* That transaction is committed. Or it was not, and the taken records wait anew. */
void vl_inbox_noted(struct vl_inbox *inbox);
void vl_inbox_not_noted(struct vl_inbox *inbox, int64_t now_ms);

#endif
