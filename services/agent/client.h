/*
 * One program connected to the agent's socket: the bytes of its unfinished frame, and the answers
 * that it has not taken yet. Both are bounded. If answers pile up, no more is read. Only a few
 * clients at once may have a frame that needs a big buffer.
 *
 * Answers are held until the result of their commit is known. client_release allows them to be
 * sent. client_rewind drops them, so that others can be written. A client with held answers must
 * not be closed.
 *
 * Next: frame.h, the frames that it sends.
 */
#ifndef VALISE_AGENT_CLIENT_H
#define VALISE_AGENT_CLIENT_H

#include "agent/frame.h"

#include <sys/types.h>

#define CLIENT_BUFFER ((size_t)64 << 10)
#define CLIENT_BIG 4                        /* clients with a bigger buffer at once */
#define CLIENT_PILE ((size_t)256 << 10)     /* unsent answers above which no more is read */
#define CLIENT_PATIENCE_MS ((int64_t)60000) /* for the rest of a frame */

struct client;

/* The number of big buffers in use, shared by all clients of one keeper. */
struct client_budget {
	unsigned big;
};

/* NULL when out of memory; the fd then stays the caller's. */
struct client *client_open(int fd, uid_t uid, struct client_budget *budget);

/* Closes the fd. NULL is fine. */
void client_close(struct client *client);

int client_fd(const struct client *client);
uid_t client_uid(const struct client *client);

enum client_read { CLIENT_SOME, CLIENT_NOTHING };

/* Read once. NOTHING if there are no bytes now, if its frame needs a big buffer and none is free
 * (client_waits), and at the peer's end (client_ended). */
enum client_read client_read(struct client *client, int64_t now_ms);

/* Its frame needs a big buffer, and none is free. */
bool client_waits(const struct client *client);

/* The next whole frame, without its length; valid until the next read. False if there is none
 * yet. False also if the next one is longer than allowed: then client_broken is true, and
 * nothing after it can be read. */
bool client_next(struct client *client, struct vl_bytes *frame);
bool client_broken(const struct client *client);

/* The same without taking it. False also if it is longer than allowed. */
bool client_peek(const struct client *client, struct vl_bytes *frame);

/* Set when epoll reports bytes to read; cleared when a read finds none. */
void client_set_news(struct client *client);
bool client_has_news(const struct client *client);

/* Whether no work of it is under way: no unanswered request, and no answer that it has not
 * taken. Also true if it has stood in the middle of a frame for CLIENT_STALL_MS. Then the time
 * since which it has not moved. */
#define CLIENT_STALL_MS ((int64_t)5000)
bool client_idle(const struct client *client, int64_t now_ms);
int64_t client_moved(const struct client *client);

/* Whether there is a whole frame to take. */
bool client_ready(const struct client *client);

/* Release the buffer if it is empty. Call it after the last client_next. */
void client_tidy(struct client *client);

/* The peer sends no more. */
bool client_ended(const struct client *client);

/* The connection is useless: answers cannot be sent. */
bool client_dead(const struct client *client);
void client_kill(struct client *client);

/* Close it when its answers are sent; read no more. */
void client_finish(struct client *client);
bool client_finishing(const struct client *client);
bool client_finished(const struct client *client);

/* The buffer for answers. Its bytes are sent only after they are released. */
struct vl_buf *client_out(struct client *client);

/* One more commit for which it waits; every hold has one release. */
void client_hold(struct client *client);
bool client_held(const struct client *client);

/* The end of the bytes written now, as `release` takes it. */
uint64_t client_mark(const struct client *client);
void client_release(struct client *client, uint64_t mark);

/* Drop all bytes that are not released. */
void client_rewind(struct client *client);

/* Send the released bytes, as far as the peer takes them. */
void client_flush(struct client *client, int64_t now_ms);

/* The same, waiting for the peer until then. */
void client_drain(struct client *client, int64_t until_ms);

/* Released bytes that are not sent. */
size_t client_unsent(const struct client *client);

/* Too many answers wait, so no request should be read or begun. */
bool client_piled(const struct client *client);

/* In the middle of a frame. */
bool client_partial(const struct client *client);

/* It has not moved for longer than CLIENT_PATIENCE_MS, in the middle of a frame, and has no
 * whole frame to take first. */
bool client_stuck(const struct client *client, int64_t now_ms);

/* The events that the keeper last requested from epoll for it. */
unsigned client_interest(const struct client *client);
void client_set_interest(struct client *client, unsigned events);

#endif
