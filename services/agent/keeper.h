/*
 * The keeper: takes events from the programs on its socket, and says OK only for events on the
 * disk.
 *
 * It has no loop of its own. Its caller waits for vl_keeper_fd, or for vl_keeper_timeout, and then
 * calls vl_keeper_step, which does one round. A round reads the requests that have come, at most 1
 * MB of events or 20 ms. Then it commits, answers, and wakes the link. A small commit is made at
 * once. A bigger one is made on the outbox's thread, while the events of the next one are read and
 * checked. Its answers are sent when it is on the disk. So a commit carries one event when there is
 * one, and thousands when there are thousands. No event waits for a timer. At intervals the keeper
 * adds a pulse of its own (pulse.h).
 *
 * Next: keeper_in.h, its parts.
 */
#ifndef VALISE_AGENT_KEEPER_H
#define VALISE_AGENT_KEEPER_H

#include "agent/outbox/outbox.h"
#include "agent/pulse.h"
#include "bus/ring.h"

#include <sys/types.h>

#define VL_KEEPER_CLIENTS 128

struct vl_keeper;

/* Everything stays the caller's and must outlive the keeper. */
struct vl_keeper_options {
	struct vl_outbox *outbox;
	int listener; /* listening, non-blocking */
	const uid_t *users;
	size_t n_users;
	/* whose receipts and directives are accepted; NULL: of none */
	const struct vl_ring *ring;
	struct vl_pulse *pulse; /* NULL: none is sent */
};

enum vl_err vl_keeper_open(const struct vl_keeper_options *options, struct vl_keeper **keeper,
			   struct vl_why *why) VL_CHECKED;
void vl_keeper_close(struct vl_keeper *keeper);

/* The keeper's end of the pipe to the link, which the keeper never closes; -1 while there is no
 * link. */
void vl_keeper_set_link(struct vl_keeper *keeper, int fd);

/* Other users and keys from now on, as in the options. */
void vl_keeper_renew(struct vl_keeper *keeper, const uid_t *users, size_t n_users,
		     const struct vl_ring *ring);

/* How many messages links have sent so far. */
uint64_t vl_keeper_heard(const struct vl_keeper *keeper);

/* Readable when step has something to do. */
int vl_keeper_fd(const struct vl_keeper *keeper);

/* Milliseconds until step should be called although nothing is readable; -1 for never. */
int vl_keeper_timeout(const struct vl_keeper *keeper);

/* One round. It never waits for a client, but may wait for the disk. It fails only if the
 * promise can no longer be kept: the disk fails, or it is unknown whether a commit is on the
 * disk. Then every client under way has its refusal, and the process must end. */
enum vl_err vl_keeper_step(struct vl_keeper *keeper, struct vl_why *why) VL_CHECKED;

/* Take no more events: note the acks that came, and give clients up to `wait_ms` to take their
 * answers. */
enum vl_err vl_keeper_finish(struct vl_keeper *keeper, int wait_ms, struct vl_why *why) VL_CHECKED;

#endif
