#include "hq/receipts.h"

#include "base/arena.h"
#include "base/hash.h"
#include "base/log.h"
#include "bus/wire.h"
#include "hq/chains.h"
#include "hq/standing.h"
#include "valise/receipt/v1/receipt.pb-c.h"
#include "valise/v1/agent.pb-c.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MOST 512 /* receipts in one request */
#define FRAME_HEAD 4
#define FRAME_MAX ((size_t)1 << 20)
#define READ_SIZE ((size_t)16 << 10)
#define BACK_OFF_MIN_MS 100
#define URL "type.googleapis.com/valise.receipt.v1.Applied"

/* One (mission, lane). */
struct entry {
	UT_hash_handle hh;
	struct entry *next; /* of those that are due */
	bool due;
	char mission[VL_MISSION_MAX + 1];
	char key[]; /* mission NUL lane NUL */
};

struct vl_receipts {
	struct vl_receipts_options options;
	struct entry *entries;
	struct entry *first, **last; /* due, in the order they became so */
	size_t n_due;
	struct entry *sent[MOST]; /* in the request under way, in its order */
	size_t n_sent;
	int fd;
	struct vl_buf out, in, event, payload;
	size_t out_at;
	uint64_t tag;
	int64_t next_at, asked_at, back_off_ms;
	struct vl_arena *arena;
	bool told;
};

/* -- what is due -- */

static void put_due(struct vl_receipts *r, struct entry *entry)
{
	if (entry->due)
		return;
	entry->due = true;
	entry->next = NULL;
	*r->last = entry;
	r->last = &entry->next;
	r->n_due++;
}

static struct entry *take_due(struct vl_receipts *r)
{
	struct entry *entry = r->first;

	entry->due = false;
	r->first = entry->next;
	if (r->first == NULL)
		r->last = &r->first;
	r->n_due--;
	return entry;
}

static const char *lane_of(const struct entry *entry)
{
	return entry->key + strlen(entry->mission) + 1;
}

static struct entry *find(struct vl_receipts *r, const char *mission, const char *lane)
{
	char key[VL_MISSION_MAX + 1 + 256];
	int size = snprintf(key, sizeof(key), "%s%c%s", mission, 0, lane);
	struct entry *entry;

	if (strlen(mission) > VL_MISSION_MAX || size < 0 || (size_t)size >= sizeof(key))
		return NULL;
	HASH_FIND(hh, r->entries, key, (size_t)size, entry);
	if (entry != NULL)
		return entry;
	entry = calloc(1, sizeof(*entry) + (size_t)size + 1);
	if (entry == NULL)
		return NULL;
	(void)stpcpy(entry->mission, mission);
	memcpy(entry->key, key, (size_t)size + 1);
	HASH_ADD_KEYPTR(hh, r->entries, entry->key, (unsigned)size, entry);
	if (entry->hh.tbl == NULL) {
		free(entry);
		return NULL;
	}
	return entry;
}

/* Out of memory: it is due again when that mission sends again. */
void vl_receipts_due(void *receipts, const char *mission, const char *lane)
{
	struct vl_receipts *r = receipts;
	struct entry *entry = *r->options.socket != '\0' ? find(r, mission, lane) : NULL;

	if (entry != NULL)
		put_due(r, entry);
}

static void due_at_start(void *context, const char *mission, const char *lane, const struct vl_standing *standing)
{
	if (standing->batches > 0)
		vl_receipts_due(context, mission, lane);
}

size_t vl_receipts_waiting(const struct vl_receipts *r)
{
	return r->n_due + r->n_sent;
}

/* -- open and close -- */

enum vl_err vl_receipts_open(const struct vl_receipts_options *options, struct vl_receipts **opened, struct vl_why *why)
{
	struct vl_receipts *r = calloc(1, sizeof(*r));

	*opened = NULL;
	if (r == NULL)
		return VL_ERR_NOMEM;
	r->options = *options;
	r->fd = -1;
	r->last = &r->first;
	r->arena = vl_arena_open(0);
	struct vl_txn *txn = vl_txn_begin(options->store, false, why);
	enum vl_err err = r->arena != NULL && txn != NULL ? VL_OK : VL_ERR_NOMEM;
	if (strlen(options->socket) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		err = vl_fail(why, VL_ERR_CONFIG, "[receipts] socket: is longer than a socket's path may be");
	if (err == VL_OK)
		vl_standing_each(txn, due_at_start, r);
	vl_txn_abort(txn);
	if (err != VL_OK)
		vl_receipts_close(r);
	else
		*opened = r;
	return err;
}

void vl_receipts_close(struct vl_receipts *r)
{
	struct entry *entry, *next;

	if (r == NULL)
		return;
	if (r->fd >= 0)
		(void)close(r->fd);
	HASH_ITER (hh, r->entries, entry, next) {
		HASH_DEL(r->entries, entry);
		free(entry);
	}
	vl_buf_free(&r->out);
	vl_buf_free(&r->in);
	vl_buf_free(&r->event);
	vl_buf_free(&r->payload);
	vl_arena_close(r->arena);
	free(r);
}

/* -- the connection -- */

static void try_later(struct vl_receipts *r, int64_t now)
{
	int64_t longest = r->options.patience_ms / 2;

	r->back_off_ms = r->back_off_ms == 0 ? BACK_OFF_MIN_MS : r->back_off_ms * 2;
	if (r->back_off_ms > longest)
		r->back_off_ms = longest;
	r->next_at = now + r->back_off_ms;
}

static void trouble(struct vl_receipts *r, const char *reason)
{
	if (!r->told)
		vl_log_warning("cannot give receipts to the agent at '%.100s': %s; trying on, and the missions keep "
			       "what they have sent",
			       r->options.socket, reason);
	r->told = true;
}

/* What was on its way may or may not have been taken: it is due again. */
static void lose(struct vl_receipts *r, const char *reason, int64_t now)
{
	trouble(r, reason);
	(void)close(r->fd);
	r->fd = -1;
	for (size_t i = 0; i < r->n_sent; i++)
		put_due(r, r->sent[i]);
	r->n_sent = 0;
	vl_buf_reset(&r->out);
	vl_buf_reset(&r->in);
	r->out_at = 0;
	try_later(r, now);
}

static bool connected(struct vl_receipts *r, int64_t now)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (r->fd >= 0)
		return true;
	(void)stpcpy(address.sun_path, r->options.socket);
	r->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (r->fd >= 0 && connect(r->fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return true;
	trouble(r, strerror(errno));
	if (r->fd >= 0)
		(void)close(r->fd);
	r->fd = -1;
	try_later(r, now);
	return false;
}

/* -- asking -- */

static void pack_event(struct vl_receipts *r, const struct entry *entry, const struct vl_chain *chain)
{
	struct vl_time now = vl_clock_now(r->options.clock);
	Valise__Receipt__V1__Applied applied = VALISE__RECEIPT__V1__APPLIED__INIT;
	Google__Protobuf__Timestamp time = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	Valise__V1__Event event = VALISE__V1__EVENT__INIT;
	char subject[VL_MISSION_MAX + 1 + 256];

	applied.mission = (char *)entry->mission;
	applied.lane = (char *)lane_of(entry);
	applied.epoch = chain->epoch.n;
	applied.seq = chain->seq.n;
	applied.digest = (ProtobufCBinaryData){sizeof(chain->digest.bytes), (uint8_t *)chain->digest.bytes};
	vl_buf_reset(&r->payload);
	vl_wire_pack(&applied.base, &r->payload);
	(void)snprintf(subject, sizeof(subject), "%s/%s", entry->mission, applied.lane);
	time.seconds = now.seconds;
	time.nanos = now.nanos;
	any.type_url = (char *)URL;
	any.value = (ProtobufCBinaryData){r->payload.size, r->payload.data};
	event.occurred_at = &time;
	event.subject = subject;
	event.payload = &any;
	event.actor = (char *)"headquarters";
	vl_buf_reset(&r->event);
	vl_wire_pack(&event.base, &r->event);
	vl_wire_put_bytes(&r->out, 2, r->event.data, r->event.size);
}

/* As much as is due, as of the last commit, in one request. */
static void ask(struct vl_receipts *r, struct vl_txn *txn, int64_t now)
{
	size_t most = r->n_due < MOST ? r->n_due : MOST;

	vl_buf_reset(&r->out);
	r->out_at = 0;
	(void)vl_buf_add(&r->out, FRAME_HEAD);
	vl_wire_put_varint(&r->out, 1, ++r->tag);
	for (size_t i = 0; i < most; i++) {
		struct entry *entry = take_due(r);
		struct vl_chain chain = vl_chains_newest(txn, entry->mission, lane_of(entry));
		if (chain.seq.n == 0)
			continue;
		pack_event(r, entry, &chain);
		r->sent[r->n_sent++] = entry;
	}
	r->next_at = now + r->options.interval_ms;
	r->asked_at = now;
	if (r->n_sent == 0) {
		vl_buf_reset(&r->out);
		return;
	}
	if (vl_buf_failed(&r->out) || vl_buf_failed(&r->event) || vl_buf_failed(&r->payload))
		lose(r, vl_err_text(VL_ERR_NOMEM), now);
	else
		vl_put_be32(r->out.data, (uint32_t)(r->out.size - FRAME_HEAD));
}

static void send_out(struct vl_receipts *r, int64_t now)
{
	while (r->fd >= 0 && r->out_at < r->out.size) {
		ssize_t n = send(r->fd, r->out.data + r->out_at, r->out.size - r->out_at, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
			lose(r, strerror(errno), now);
		if (n < 0)
			return;
		r->out_at += (size_t)n;
	}
}

/* -- the answer -- */

/* Each receipt that was not accepted is due again. */
static void take_results(struct vl_receipts *r, const Valise__V1__PublishResponse *response, int64_t now)
{
	const char *refused = NULL;

	for (size_t i = 0; i < r->n_sent; i++) {
		const Valise__V1__PublishResult *result = response->results[i];
		if (result->outcome_case == VALISE__V1__PUBLISH_RESULT__OUTCOME_ACCEPTED)
			continue;
		refused = result->outcome_case == VALISE__V1__PUBLISH_RESULT__OUTCOME_REFUSED ? result->refused->reason
											      : "no answer";
		put_due(r, r->sent[i]);
	}
	r->n_sent = 0;
	if (refused != NULL) {
		trouble(r, refused);
		try_later(r, now);
		return;
	}
	if (r->told)
		vl_log_info("receipts are given again");
	r->told = false;
	r->back_off_ms = 0;
}

static bool take_frame(struct vl_receipts *r, struct vl_bytes frame, int64_t now)
{
	const ProtobufCMessageDescriptor *type = &valise__v1__publish_response__descriptor;

	vl_arena_reset(r->arena);
	if (r->n_sent == 0 || vl_wire_check(type, frame, true, NULL) != VL_OK)
		return false;
	const Valise__V1__PublishResponse *response =
		(const Valise__V1__PublishResponse *)vl_wire_unpack(type, frame, r->arena);
	if (response == NULL || response->tag != r->tag || response->n_results != r->n_sent)
		return false;
	take_results(r, response, now);
	return true;
}

static void take_frames(struct vl_receipts *r, int64_t now)
{
	if (r->in.size < FRAME_HEAD)
		return;
	size_t size = vl_get_be32(r->in.data);
	if (size <= FRAME_MAX && r->in.size - FRAME_HEAD < size)
		return;
	/* One request, one answer, and nothing behind it. */
	if (size > FRAME_MAX || r->in.size - FRAME_HEAD != size ||
	    !take_frame(r, (struct vl_bytes){r->in.data + FRAME_HEAD, size}, now))
		lose(r, "its answer fits no request; is it valise-agent, and does it let us in?", now);
	else
		vl_buf_reset(&r->in);
}

static void receive(struct vl_receipts *r, int64_t now)
{
	while (r->fd >= 0) {
		uint8_t *to = vl_buf_add(&r->in, READ_SIZE);
		ssize_t n = to != NULL ? recv(r->fd, to, READ_SIZE, MSG_DONTWAIT) : -1;
		int code = to != NULL ? errno : ENOMEM;
		if (to != NULL)
			r->in.size -= READ_SIZE - (size_t)(n > 0 ? n : 0);
		if (n == 0)
			lose(r, "it closed the connection", now);
		else if (n < 0 && code != EAGAIN && code != EINTR)
			lose(r, strerror(code), now);
		else if (n < 0)
			return;
		else
			take_frames(r, now);
	}
}

void vl_receipts_work(struct vl_receipts *r, int64_t now)
{
	if (*r->options.socket == '\0')
		return;
	receive(r, now);
	if (r->n_sent > 0 && now - r->asked_at > r->options.patience_ms)
		lose(r, "it does not answer", now);
	if (r->n_sent == 0 && r->n_due > 0 && now >= r->next_at && connected(r, now)) {
		struct vl_txn *txn = vl_txn_begin(r->options.store, false, NULL);
		if (txn != NULL)
			ask(r, txn, now);
		vl_txn_abort(txn);
	}
	send_out(r, now);
}
