#include "hq/ingest/verify.h"

#include "base/clock.h"
#include "bus/types.h"
#include "hq/fold/history.h"
#include "hq/ingest/turns.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SPARE 128 /* slots for partitions that have nothing here, and urgent senders with little */
#define SLOTS (2 * VL_VERIFIER_TAKE + SPARE)
#define MAX_THREADS 16
#define RETRY_MS 100
#define RECORD_COST 4096 /* what a record takes beside its bytes, in bytes (turns.h) */
/* of an urgent sender's records in one partition, where there is no room for more */
#define SENDER_COST ((size_t)256 << 10)
/* of records in the verifier, and one more of each partition */
#define MOST_BYTES ((size_t)32 << 20)
#define PART_BYTES ((size_t)16 << 20) /* of one partition, and one more */
/* a slot that unpacked a greater record gives its memory back */
#define KEPT_BYTES ((size_t)64 << 10)

enum state { EMPTY, WAITING, UNDER_WAY, JUDGED };

struct slot {
	enum state state;
	uint64_t generation; /* of the ring that judged it */
	uint64_t ticket;     /* how many were put in before it */
	bool fresh;          /* it is urgent, and nothing of its sender was here */
	struct vl_job job;
};

/* A ring that may have been replaced while threads judge with it. */
struct ring {
	struct vl_ring *keys;
	uint64_t generation;
	unsigned users;
};

/* Slots are free, or in a queue (turns.h), or taken out. */
struct vl_verifier {
	pthread_mutex_t lock;
	pthread_cond_t work, room, ready;
	struct slot slots[SLOTS];
	struct vl_turns *turns;
	struct vl_marks *marks;
	unsigned free[SLOTS], taken[VL_VERIFIER_TAKE];
	size_t n_free, n_taken, bytes;
	uint64_t put; /* ever */
	atomic_uint fresh;
	bool stop;
	struct ring *ring; /* the one in force */
	pthread_t threads[MAX_THREADS];
	unsigned n_threads;
};

/* With the lock. The last user of a ring that was replaced frees it. */
static void leave_ring(struct vl_verifier *v, struct ring *ring)
{
	if (--ring->users > 0 || ring == v->ring)
		return;
	vl_ring_close(ring->keys);
	free(ring);
}

static void judge(struct slot *slot, const struct ring *ring)
{
	struct vl_job *job = &slot->job;

	vl_arena_reset(job->arena);
	job->why = (struct vl_why){0};
	job->verdict =
		vl_record_verify(job->record, ring->keys, job->arena, &job->verified, &job->why);
	job->facts = job->verdict == VL_OK ? vl_facts_read(&job->verified.batch, job->arena) : NULL;
	slot->generation = ring->generation;
}

static void *work(void *context)
{
	struct vl_verifier *v = context;

	pthread_mutex_lock(&v->lock);
	while (!v->stop) {
		int next = vl_turns_verify(v->turns);
		if (next < 0) {
			pthread_cond_wait(&v->work, &v->lock);
			continue;
		}
		struct slot *slot = &v->slots[next];
		struct ring *ring = v->ring;
		slot->state = UNDER_WAY;
		ring->users++;
		bool put_off = slot->job.put_off_to != 0;
		pthread_mutex_unlock(&v->lock);
		if (!put_off)
			judge(slot, ring);
		pthread_mutex_lock(&v->lock);
		leave_ring(v, ring);
		slot->state = JUDGED;
		vl_turns_ready(v->turns, (unsigned)next);
		pthread_cond_signal(&v->ready);
	}
	pthread_mutex_unlock(&v->lock);
	return NULL;
}

static bool open_slots(struct vl_verifier *v)
{
	for (unsigned i = 0; i < SLOTS; i++) {
		v->slots[i].job.arena = vl_arena_open(0);
		if (v->slots[i].job.arena == NULL)
			return false;
		v->free[v->n_free++] = SLOTS - 1 - i;
	}
	v->turns = vl_turns_open(SLOTS);
	v->marks = vl_marks_open(SLOTS);
	return v->turns != NULL && v->marks != NULL;
}

enum vl_err vl_verifier_open(struct vl_ring *ring, unsigned threads, struct vl_verifier **opened,
			     struct vl_why *why)
{
	struct vl_verifier *v = calloc(1, sizeof(*v));
	pthread_condattr_t attr;

	*opened = NULL;
	if (v == NULL)
		return VL_ERR_NOMEM;
	pthread_mutex_init(&v->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&v->work, NULL);
	pthread_cond_init(&v->room, NULL);
	pthread_cond_init(&v->ready, &attr);
	pthread_condattr_destroy(&attr);
	v->ring = calloc(1, sizeof(*v->ring));
	bool good = v->ring != NULL && open_slots(v);
	for (; good && v->n_threads < threads && v->n_threads < MAX_THREADS; v->n_threads += good)
		good = pthread_create(&v->threads[v->n_threads], NULL, work, v) == 0;
	if (!good) {
		vl_verifier_close(v);
		return vl_fail(why, VL_ERR_NOMEM, "cannot start its threads");
	}
	v->ring->keys = ring;
	*opened = v;
	return VL_OK;
}

void vl_verifier_stop(struct vl_verifier *v)
{
	pthread_mutex_lock(&v->lock);
	v->stop = true;
	pthread_cond_broadcast(&v->work);
	pthread_cond_broadcast(&v->room);
	pthread_cond_broadcast(&v->ready);
	pthread_mutex_unlock(&v->lock);
}

void vl_verifier_close(struct vl_verifier *v)
{
	if (v == NULL)
		return;
	vl_verifier_stop(v);
	for (unsigned i = 0; i < v->n_threads; i++)
		pthread_join(v->threads[i], NULL);
	for (size_t i = 0; i < SLOTS; i++) {
		if (v->slots[i].state != EMPTY)
			v->slots[i].job.release(v->slots[i].job.owner);
		vl_arena_close(v->slots[i].job.arena);
	}
	if (v->ring != NULL)
		vl_ring_close(v->ring->keys);
	free(v->ring);
	vl_turns_close(v->turns);
	vl_marks_close(v->marks);
	pthread_mutex_destroy(&v->lock);
	pthread_cond_destroy(&v->work);
	pthread_cond_destroy(&v->room);
	pthread_cond_destroy(&v->ready);
	free(v);
}

enum vl_err vl_verifier_renew(struct vl_verifier *v, struct vl_ring *keys)
{
	struct ring *ring = calloc(1, sizeof(*ring));

	if (ring == NULL)
		return VL_ERR_NOMEM;
	ring->keys = keys;
	pthread_mutex_lock(&v->lock);
	struct ring *old = v->ring;
	ring->generation = old->generation + 1;
	v->ring = ring;
	old->users++;
	leave_ring(v, old);
	pthread_mutex_unlock(&v->lock);
	return VL_OK;
}

/* What of one partition is here. */
static size_t bytes_of(const struct vl_verifier *v, struct vl_bytes topic, int32_t partition,
		       size_t *count)
{
	size_t bytes = 0;

	*count = 0;
	for (size_t i = 0; i < SLOTS; i++) {
		const struct vl_record *record =
			v->slots[i].state != EMPTY ? v->slots[i].job.record : NULL;
		if (record == NULL || record->partition != partition ||
		    record->topic.size != topic.size ||
		    memcmp(record->topic.data, topic.data, topic.size) != 0)
			continue;
		bytes += record->value.size;
		++*count;
	}
	return bytes;
}

static bool has_room(const struct vl_verifier *v, struct vl_bytes topic, int32_t partition)
{
	size_t count;

	if (v->n_free > SPARE && v->bytes < MOST_BYTES && v->bytes < PART_BYTES)
		return true;
	size_t bytes = bytes_of(v, topic, partition, &count);
	return v->n_free > (count > 0 ? SPARE : 0) &&
	       (count == 0 || (v->bytes < MOST_BYTES && bytes < PART_BYTES));
}

bool vl_verifier_has_room(struct vl_verifier *v, const char *topic, int32_t partition)
{
	pthread_mutex_lock(&v->lock);
	bool room = topic != NULL ? has_room(v, vl_bytes_of(topic), partition)
				  : v->n_free > SPARE && v->bytes < MOST_BYTES;
	pthread_mutex_unlock(&v->lock);
	return room;
}

static bool is_urgent(const struct vl_record *record)
{
	const struct vl_lane *lane =
		vl_lane_find((const char *)record->topic.data, record->topic.size);

	return lane != NULL && lane->precedence == VL_FLASH;
}

/* How a record comes in. */
enum way { IN_TURN, AGAIN, PUT_OFF };

/* The last record of its sender, and whether that has as much here as it may have where there is
 * no room. */
static int last_of(const struct vl_verifier *v, const struct vl_record *record, bool *much)
{
	size_t cost;
	int last = vl_turns_last(v->turns, record->topic, record->partition, record->key, &cost);

	*much = last >= 0 && cost + RECORD_COST + record->value.size > SENDER_COST;
	return last;
}

/* With the lock: there is room, or it needs none. */
static bool may_enter(const struct vl_verifier *v, const struct vl_record *record, enum way way)
{
	bool much;

	if (has_room(v, record->topic, record->partition))
		return true;
	(void)last_of(v, record, &much);
	return v->n_free > 0 && (way == PUT_OFF || (way == IN_TURN && is_urgent(record) && !much));
}

/* With the lock. False after stop. Where memory is short for a queue more it is tried again: no
 * record may be left out. */
static bool find_slot(struct vl_verifier *v, const struct vl_record *record, enum way way)
{
	bool again = way == AGAIN;

	while (!v->stop) {
		bool room = may_enter(v, record, way);
		unsigned slot = room ? v->free[v->n_free - 1] : 0;
		if (room && (again || vl_marks_put(v->marks, slot, record)) &&
		    vl_turns_put(v->turns, slot, record->topic, record->partition, record->key,
				 RECORD_COST + (way == PUT_OFF ? 0 : record->value.size)))
			return true;
		if (!room) {
			pthread_cond_wait(&v->room, &v->lock);
			continue;
		}
		pthread_mutex_unlock(&v->lock);
		(void)poll(NULL, 0, RETRY_MS);
		pthread_mutex_lock(&v->lock);
	}
	return false;
}

/* With the lock; and the record is released where it finds no slot. */
static bool take_in(struct vl_verifier *v, const struct vl_record *record,
		    void (*release)(void *owner), void *owner, enum way way)
{
	bool much, first = last_of(v, record, &much) < 0, taken = find_slot(v, record, way);

	if (taken) {
		struct slot *slot = &v->slots[v->free[--v->n_free]];
		slot->state = WAITING;
		slot->ticket = v->put++;
		slot->job.record = record;
		slot->job.release = release;
		slot->job.owner = owner;
		slot->job.again = way == AGAIN;
		slot->job.put_off_to = way == PUT_OFF ? record->offset + 1 : 0;
		slot->job.urgent = way == IN_TURN && is_urgent(record);
		slot->job.put_ms = vl_monotonic_ms();
		slot->fresh = slot->job.urgent && first;
		v->fresh += slot->fresh;
		v->bytes += record->value.size;
		pthread_cond_signal(&v->work);
	}
	pthread_mutex_unlock(&v->lock);
	if (!taken)
		release(owner);
	return taken;
}

bool vl_verifier_put(struct vl_verifier *v, const struct vl_record *record,
		     void (*release)(void *owner), void *owner)
{
	pthread_mutex_lock(&v->lock);
	return take_in(v, record, release, owner, IN_TURN);
}

bool vl_verifier_put_again(struct vl_verifier *v, const struct vl_record *record,
			   void (*release)(void *owner), void *owner)
{
	pthread_mutex_lock(&v->lock);
	return take_in(v, record, release, owner, AGAIN);
}

/* Of two whose keys have one sum none is put off for the other. */
static bool is_of(const struct slot *slot, const struct vl_record *record)
{
	struct vl_bytes key = slot->job.record->key;

	return key.size == record->key.size && key.size > 0 &&
	       memcmp(key.data, record->key.data, key.size) == 0;
}

bool vl_verifier_put_or_off(struct vl_verifier *v, const struct vl_record *record,
			    void (*release)(void *owner), void *owner)
{
	pthread_mutex_lock(&v->lock);
	bool much;
	int last = last_of(v, record, &much);
	struct slot *slot = last >= 0 && is_of(&v->slots[last], record) ? &v->slots[last] : NULL;
	if (slot == NULL || v->stop || slot->job.put_off_to == 0) {
		bool off = slot != NULL && much && !has_room(v, record->topic, record->partition) &&
			   vl_mission_valid((const char *)record->key.data, record->key.size);
		return take_in(v, record, release, owner, off ? PUT_OFF : IN_TURN);
	}
	vl_marks_join(v->marks, (unsigned)last, record->offset);
	if (record->offset >= slot->job.put_off_to)
		slot->job.put_off_to = record->offset + 1;
	pthread_mutex_unlock(&v->lock);
	release(owner);
	return true;
}

bool vl_verifier_has_slot(struct vl_verifier *v)
{
	pthread_mutex_lock(&v->lock);
	bool has = v->n_free > 0;
	pthread_mutex_unlock(&v->lock);
	return has;
}

bool vl_verifier_hurries(void *verifier)
{
	return ((struct vl_verifier *)verifier)->fresh > 0;
}

uint64_t vl_verifier_mark(struct vl_verifier *v)
{
	pthread_mutex_lock(&v->lock);
	uint64_t mark = v->put;
	pthread_mutex_unlock(&v->lock);
	return mark;
}

bool vl_verifier_past(struct vl_verifier *v, uint64_t mark)
{
	pthread_mutex_lock(&v->lock);
	bool past = true;
	for (size_t i = 0; i < SLOTS; i++)
		past = past && (v->slots[i].state == EMPTY || v->slots[i].ticket >= mark);
	pthread_mutex_unlock(&v->lock);
	return past;
}

bool vl_verifier_judged(struct vl_verifier *v)
{
	pthread_mutex_lock(&v->lock);
	bool judged = true;
	for (size_t i = 0; i < SLOTS; i++)
		judged = judged && (v->slots[i].state == EMPTY || v->slots[i].state == JUDGED);
	pthread_mutex_unlock(&v->lock);
	return judged;
}

bool vl_verifier_idle(struct vl_verifier *v)
{
	pthread_mutex_lock(&v->lock);
	bool idle = v->n_free == SLOTS;
	pthread_mutex_unlock(&v->lock);
	return idle;
}

static struct timespec deadline(int timeout_ms)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_sec += timeout_ms / 1000;
	ts.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
	if (ts.tv_nsec >= 1000000000) {
		ts.tv_sec++;
		ts.tv_nsec -= 1000000000;
	}
	return ts;
}

static void take_mark(struct vl_verifier *v, struct slot *slot, unsigned number)
{
	static const struct vl_digest unknown;
	bool put_off = slot->job.put_off_to != 0;

	pthread_mutex_lock(&v->lock);
	slot->job.mark =
		vl_marks_take(v->marks, number, put_off ? &unknown : &slot->job.verified.digest);
	pthread_mutex_unlock(&v->lock);
}

const struct vl_job *vl_verifier_next(struct vl_verifier *v, int timeout_ms)
{
	struct timespec until = deadline(timeout_ms);
	int rc = timeout_ms > 0 ? 0 : ETIMEDOUT, next = -1;

	pthread_mutex_lock(&v->lock);
	bool may = v->n_taken < VL_VERIFIER_TAKE;
	while (!v->stop && may && (next = vl_turns_apply(v->turns)) < 0 && rc != ETIMEDOUT)
		rc = pthread_cond_timedwait(&v->ready, &v->lock, &until);
	struct slot *slot = next >= 0 ? &v->slots[next] : NULL;
	if (slot != NULL) {
		v->taken[v->n_taken++] = (unsigned)next;
		slot->job.urgent = slot->job.urgent && vl_turns_alone(v->turns);
		v->fresh -= slot->fresh;
	}
	pthread_mutex_unlock(&v->lock);
	/* Only this thread renews the ring. A verdict by an old one is void: its key may have
	 * ended meanwhile. */
	if (slot != NULL && slot->job.put_off_to == 0 && slot->generation != v->ring->generation)
		judge(slot, v->ring);
	if (slot != NULL && !slot->job.again)
		take_mark(v, slot, (unsigned)next);
	return slot != NULL ? &slot->job : NULL;
}

/* A greater arena is made anew, so that no burst is kept for ever. Where that fails, the old one
 * serves on. */
static void give_back(struct vl_job *job, size_t size)
{
	struct vl_arena *fresh = size > KEPT_BYTES ? vl_arena_open(0) : NULL;

	if (fresh == NULL)
		return;
	vl_arena_close(job->arena);
	job->arena = fresh;
}

void vl_verifier_done(struct vl_verifier *v)
{
	for (size_t i = 0; i < v->n_taken; i++) {
		struct slot *slot = &v->slots[v->taken[i]];
		const struct vl_job job = slot->job;
		size_t size = job.record->value.size;
		give_back(&slot->job, size);
		pthread_mutex_lock(&v->lock);
		slot->state = EMPTY;
		v->free[v->n_free++] = v->taken[i];
		v->bytes -= size;
		pthread_cond_signal(&v->room);
		pthread_mutex_unlock(&v->lock);
		job.release(job.owner);
	}
	v->n_taken = 0;
}
