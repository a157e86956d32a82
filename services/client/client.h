/*
 * The client: a program gives events to its mission's agent and learns what became of each.
 *
 * An event is one protobuf message about one subject. The agent listens on a Unix socket. It signs
 * the event, stores it on its disk, and only then answers. Headquarters gets the event later, over
 * a line that may be down for days. The type of the message decides the lane: the package of
 * "consular.case.v1.CaseOpened" is the lane "consular.case.v1".
 *
 * One event, in a program that may wait:
 *
 *	client = vl_client_open(&(struct vl_client_options){.patience_ms = 30000});
 *	if (vl_client_publish(client, &event, &answer))
 *		record_as_reported(answer.id);
 *	vl_client_close(client);
 *
 * What an answer promises:
 *
 *   ACCEPTED  The event is signed and on the mission's disk. It will reach headquarters. Only now
 *             may the program report that the event is recorded.
 *   REFUSED   Nothing of the event was kept. The reason says what is wrong with it. Publishing the
 *             same event again is of no use.
 *   FULL      Nothing of the event was kept. The agent has no room for this lane now. Publish the
 *             event again later.
 *   UNKNOWN   The event was sent, and no answer came. It may be on the disk or not. Publish it
 *             again later with the same id and the same content.
 *   UNSENT    The event was not sent. Publish it again later.
 *
 * Why a retry is safe. The connection can end between an event and its answer. Then the program
 * cannot know whether the agent stored the event. For each id the agent keeps one event. When the
 * same event comes again, the agent stores nothing and repeats its first answer, marked as a
 * duplicate. Therefore each event has an id, 16 bytes, and a retry uses the same id. The client
 * itself does so for `patience_ms`. After UNKNOWN the program does it. A program that must not lose
 * an event keeps the event and its id on its own disk until an answer came. The agent refuses an id
 * that another event has.
 *
 * Two ways to call it. vl_client_publish and vl_client_publish_all wait for the answers. A program
 * with an event loop calls vl_client_add, vl_client_poll and vl_client_work, which never wait; the
 * answers then come to a function of its own.
 *
 * The library prints nothing, reads no configuration, starts no thread, handles no signal, and
 * never ends the process. One client belongs to one thread at a time; several clients are
 * independent. All texts are UTF-8 and end with NUL. All times named `now_ms` are milliseconds of
 * CLOCK_MONOTONIC.
 *
 * The agent lets in the users that its configuration names ([socket] users).
 *
 * example.c beside this header is a whole program.
 *
 * Next: pack.h, how an event is packed.
 */
#ifndef VALISE_CLIENT_H
#define VALISE_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Where an agent listens unless its configuration says otherwise. */
#define VL_CLIENT_SOCKET "/run/valise/agent.sock"

#define VL_CLIENT_SOCKET_MAX 107 /* bytes of its path */
#define VL_CLIENT_LANE_MAX 128   /* bytes of a lane's name with its NUL */
#define VL_CLIENT_REASON_MAX 256 /* bytes of a reason with its NUL */

/* -- events and answers -- */

/* One event. All pointers stay the caller's and are not used after the call. */
struct vl_client_event {
	/* Full name of the payload's type, "consular.case.v1.CaseOpened". */
	const char *type;
	/* The payload: a serialised message of that type. With protobuf-c: what
	 * consular__case__v1__case_opened__pack wrote. The event as a whole has at most 900,000
	 * bytes. */
	const void *payload;
	size_t size;
	/* What the event is about: 1 to 200 bytes, and never personal data. */
	const char *subject;
	/* The officer or system that says it. NULL: not said. */
	const char *actor;
	/* When it happened: seconds since 1970-01-01T00:00:00Z, and nanoseconds 0 to 999,999,999.
	 * Both 0: now. */
	int64_t seconds;
	int32_t nanos;
	/* The event's id; a UUID of version 7 is best. All zeros: the client makes one, which the
	 * answer contains. */
	uint8_t id[16];
	/* Id of the last event on this subject that the author had seen. All zeros: none. */
	uint8_t after[16];
};

enum vl_client_outcome {
	VL_CLIENT_ACCEPTED,
	VL_CLIENT_REFUSED,
	VL_CLIENT_FULL,
	VL_CLIENT_UNKNOWN,
	VL_CLIENT_UNSENT,
};

/* What became of one event. */
struct vl_client_answer {
	enum vl_client_outcome outcome;
	uint8_t id[16]; /* of the event; zeros where it was added packed and has none */
	/* If accepted: its place, and whether this or an earlier copy was stored. */
	bool duplicate;
	char lane[VL_CLIENT_LANE_MAX];
	uint64_t epoch;
	uint64_t event; /* its number in (lane, epoch) */
	/* If not accepted: why, for a person. Never quotes the payload. */
	char reason[VL_CLIENT_REASON_MAX];
};

/* -- a client -- */

struct vl_client;

/* Called once for each event of vl_client_add, in the order of adding, from vl_client_work. It may
 * add further events, and must not close the client. The answer is valid during the call. */
typedef void vl_client_answered(void *context, uint64_t tag, const struct vl_client_answer *answer);

/* Called when the connection is lost while an answer is due, and the client begins to try again. */
typedef void vl_client_lost(void *context, const char *reason);

struct vl_client_options {
	/* Path of the agent's socket. NULL: VL_CLIENT_SOCKET. Copied. */
	const char *socket;
	/* How long the client goes on trying after a loss. It counts anew with each answer. After
	 * it each event without an answer gets UNKNOWN or UNSENT. 0: at once. */
	int64_t patience_ms;
	/* An answer that takes longer counts as a loss. 0: an answer may take for ever. */
	int64_t answer_ms;
	/* The longest pause between two attempts to connect. The first is 100 ms, each following
	 * one twice as long. 0: 1,000. */
	int64_t pause_ms;
	/* For event loops; each may be NULL. */
	vl_client_answered *answered;
	vl_client_lost *lost;
	void *context;
};

/* A client that is not connected yet; the first event connects it. `options` may be NULL. NULL
 * when out of memory. The caller closes it. */
struct vl_client *vl_client_open(const struct vl_client_options *options);

/* Events without an answer get none any more; their outcome is UNKNOWN. NULL is allowed. */
void vl_client_close(struct vl_client *client);

/* Why the client was last not connected, or why vl_client_add failed; "" if nothing was wrong yet.
 * Valid until the next call. */
const char *vl_client_reason(const struct vl_client *client);

/* -- waiting -- */

/* Publish one event and wait for its answer. True where it was accepted. `answer` is always filled
 * and becomes the caller's. */
bool vl_client_publish(struct vl_client *client, const struct vl_client_event *event,
		       struct vl_client_answer *answer);

/* The same for `count` events: many share one request, one signature and one write to disk, which
 * is hundreds of times as fast. `answers` has room for `count`. Returns how many were accepted.
 * After a loss that outlasts the patience the remaining events are UNSENT. */
size_t vl_client_publish_all(struct vl_client *client, const struct vl_client_event *events,
			     size_t count, struct vl_client_answer *answers);

/* -- event loops -- */

/* Queue an event; `tag` comes back with its answer. False when out of memory, or where the event
 * is longer than 900,000 bytes: then it is not queued, and vl_client_reason says why. */
bool vl_client_add(struct vl_client *client, const struct vl_client_event *event, uint64_t tag);

/* The same for a serialised valise.v1.Event. Without an id in it the agent makes one for each copy,
 * so that a retry can store the event twice. */
bool vl_client_add_packed(struct vl_client *client, const void *event, size_t size, uint64_t tag);

/* False while more than 512 kB wait to be sent; add no more until it is true again. */
bool vl_client_has_room(const struct vl_client *client);

/* How many events have no answer yet. */
size_t vl_client_unanswered(const struct vl_client *client);

/* Whether the client is connected. If it is not, it tries once, unless it is in a pause between
 * two attempts. */
bool vl_client_ready(struct vl_client *client, int64_t now_ms);

/* Connect, send and receive as far as possible without waiting. False where the client gave up:
 * the patience is over, or what listens is no agent, or it does not let this user in. Each event
 * without an answer has then got UNKNOWN or UNSENT. The client can be used again. */
bool vl_client_work(struct vl_client *client, int64_t now_ms);

/* What to give to poll(2) before the next vl_client_work. `fd` is -1 while there is no connection;
 * `timeout_ms` is -1 where nothing has to happen by itself. */
void vl_client_poll(const struct vl_client *client, int64_t now_ms, int *fd, short *events,
		    int *timeout_ms);

#ifdef __cplusplus
}
#endif

#endif
