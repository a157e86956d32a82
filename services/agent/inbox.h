/*
 * The inbox: what comes down to a mission, judged by the keeper before anything is done with it.
 *
 * The link hands each record of the topics that come down over as it is (relay.h). Only what
 * headquarters' key, as enrolled here, has signed is read, in the topic that it was signed for;
 * of that, only what is about this mission. A receipt that does not fit the outbox frees
 * nothing, is an alarm, and begins a new epoch: the outbox is an old copy, or another agent has
 * its key. A batch of headquarters' that has been read before, such as a record that somebody
 * has put there again, says nothing. What is refused is counted, and logged once a minute for
 * each reason. Of receipts that wait for a transaction the newest of each lane and epoch is
 * kept. How far the topics were read is kept with what they changed, in one transaction.
 */
#ifndef VALISE_AGENT_INBOX_H
#define VALISE_AGENT_INBOX_H

#include "agent/outbox/outbox.h"
#include "agent/pipe.h"
#include "bus/ring.h"

struct vl_inbox;

/* NULL when out of memory. Without a ring (NULL) nothing is honoured. Mission and ring stay the
 * caller's. */
struct vl_inbox *vl_inbox_open(const struct vl_ring *ring, const char *mission);
void vl_inbox_close(struct vl_inbox *inbox);

/* Another ring from now on; NULL: nothing is honoured. */
void vl_inbox_renew(struct vl_inbox *inbox, const struct vl_ring *ring);

/* A record from the link, whatever its bytes are. */
void vl_inbox_take(struct vl_inbox *inbox, struct vl_bytes relayed, int64_t now_ms);

/* How many records were refused since it was opened. */
uint64_t vl_inbox_refused(const struct vl_inbox *inbox);

/* The next wish of headquarters', as a RESEND for the link; false where there is none. A wish
 * not yet taken is replaced by a newer one for the same lane. */
bool vl_inbox_wish(struct vl_inbox *inbox, struct vl_pipe_message *resend);

/* The link has found a batch damaged that it was to send. */
void vl_inbox_damaged(struct vl_inbox *inbox, const struct vl_pipe_message *damaged,
		      int64_t now_ms);

/* When a commit should be made for what was taken, or for what may be freed; -1 where there is
 * nothing. */
int64_t vl_inbox_due(const struct vl_inbox *inbox, const struct vl_outbox *outbox);

/* Put what was taken into the outbox's transaction under way, and free. */
void vl_inbox_note(struct vl_inbox *inbox, struct vl_outbox *outbox);

/* That transaction is committed; or it was not, and what was taken waits anew. */
void vl_inbox_noted(struct vl_inbox *inbox);
void vl_inbox_not_noted(struct vl_inbox *inbox, int64_t now_ms);

#endif
