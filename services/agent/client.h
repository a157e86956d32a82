/*
 * One program connected to the agent's socket: the bytes that came and are not a whole frame
 * yet, and the answers that it has not taken yet. Both are bounded: where the answers pile up
 * nothing more is read, and only so many clients at once may have a frame that needs a big
 * buffer.
 *
 * Answers are held until the commit they speak of is known: client_release lets them go,
 * client_rewind forgets them so that others can be written. A client with held answers must not
 * be closed.
 */
#ifndef VALISE_AGENT_CLIENT_H
#define VALISE_AGENT_CLIENT_H

#include "agent/frame.h"

#include <sys/types.h>

#define CLIENT_BUFFER ((size_t)64 << 10)
#define CLIENT_BIG 4                        /* clients with a bigger buffer at once */
#define CLIENT_PILE ((size_t)256 << 10)     /* unsent answers above which nothing is read */
#define CLIENT_PATIENCE_MS ((int64_t)60000) /* for the rest of a frame */

struct client;

/* How many have a big buffer now, shared by all clients of one keeper. */
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

/* Read once. NOTHING where there is nothing now, where its frame needs a big buffer and none is
 * free (client_waits), and at the peer's end (client_ended). */
enum client_read client_read(struct client *client, int64_t now_ms);

/* Its frame needs a big buffer, and none is free. */
bool client_waits(const struct client *client);

/* The next whole frame, without its length; valid until the next read. False where there is none
 * yet, or where the next one is longer than may be: then client_broken is true, and nothing
 * after it can be read. */
bool client_next(struct client *client, struct vl_bytes *frame);
bool client_broken(const struct client *client);

/* The same without taking it; false, too, where it is longer than may be. */
bool client_peek(const struct client *client, struct vl_bytes *frame);

/* epoll says that there is something to read; not any more once a read has found nothing. */
void client_set_news(struct client *client);
bool client_has_news(const struct client *client);

/* Nothing of it is under way: no request that is not answered, no answer that it has not taken;
 * or it has stood in the middle of a frame for CLIENT_STALL_MS. Since when it has not moved. */
#define CLIENT_STALL_MS ((int64_t)5000)
bool client_idle(const struct client *client, int64_t now_ms);
int64_t client_moved(const struct client *client);

/* There is a whole frame to take. */
bool client_ready(const struct client *client);

/* Give back the buffer where nothing is in it. Call after the last client_next. */
void client_tidy(struct client *client);

/* The peer sends no more. */
bool client_ended(const struct client *client);

/* The connection is of no more use: answers cannot be sent. */
bool client_dead(const struct client *client);
void client_kill(struct client *client);

/* Close it once its answers are sent; read nothing more. */
void client_finish(struct client *client);
bool client_finishing(const struct client *client);
bool client_finished(const struct client *client);

/* Where answers are written. Nothing of it is sent until it is released. */
struct vl_buf *client_out(struct client *client);

/* One more commit that it waits for; every hold has one release. */
void client_hold(struct client *client);
bool client_held(const struct client *client);

/* The end of what is written now, as `release` takes it. */
uint64_t client_mark(const struct client *client);
void client_release(struct client *client, uint64_t mark);

/* Forget all that is not released. */
void client_rewind(struct client *client);

/* Send what may be sent, as far as the peer takes it. */
void client_flush(struct client *client, int64_t now_ms);

/* The same, waiting for the peer until then. */
void client_drain(struct client *client, int64_t until_ms);

/* Bytes that may be sent and are not. */
size_t client_unsent(const struct client *client);

/* Too many answers wait, so nothing should be read or begun. */
bool client_piled(const struct client *client);

/* In the middle of a frame. */
bool client_partial(const struct client *client);

/* It has not moved for longer than patience allows, in the middle of a frame and with nothing to
 * take first. */
bool client_stuck(const struct client *client, int64_t now_ms);

/* What the keeper last asked of epoll for it. */
unsigned client_interest(const struct client *client);
void client_set_interest(struct client *client, unsigned events);

#endif
