#include "hq/verify.h"

#include "hq/history.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define SLOTS (2 * VL_VERIFIER_TAKE)
#define MAX_THREADS 16
#define MAX_RINGS 64

enum state { EMPTY, WAITING, UNDER_WAY, JUDGED };

struct slot {
	enum state state;
	struct vl_job job;
};

/* Counters only grow; a counter modulo SLOTS is a place. done <= taken <= claimed <= put. */
struct vl_verifier {
	pthread_mutex_t lock;
	pthread_cond_t work, room, ready;
	struct slot slots[SLOTS];
	uint64_t put, claimed, taken, done;
	bool stop;
	struct vl_ring *rings[MAX_RINGS]; /* the last is the one in force */
	size_t n_rings;
	pthread_t threads[MAX_THREADS];
	unsigned n_threads;
};

static void *judge(void *context)
{
	struct vl_verifier *v = context;

	pthread_mutex_lock(&v->lock);
	while (!v->stop) {
		if (v->claimed == v->put) {
			pthread_cond_wait(&v->work, &v->lock);
			continue;
		}
		struct slot *slot = &v->slots[v->claimed++ % SLOTS];
		struct vl_job *job = &slot->job;
		const struct vl_ring *ring = v->rings[v->n_rings - 1];
		slot->state = UNDER_WAY;
		pthread_mutex_unlock(&v->lock);
		vl_arena_reset(job->arena);
		job->why = (struct vl_why){0};
		job->verdict = vl_record_verify(job->record, ring, job->arena, &job->verified, &job->why);
		job->facts = job->verdict == VL_OK ? vl_facts_read(&job->verified.batch, job->arena) : NULL;
		pthread_mutex_lock(&v->lock);
		slot->state = JUDGED;
		pthread_cond_signal(&v->ready);
	}
	pthread_mutex_unlock(&v->lock);
	return NULL;
}

static bool open_slots(struct vl_verifier *v)
{
	for (size_t i = 0; i < SLOTS; i++) {
		v->slots[i].job.arena = vl_arena_open(0);
		if (v->slots[i].job.arena == NULL)
			return false;
	}
	return true;
}

enum vl_err vl_verifier_open(struct vl_ring *ring, unsigned threads, struct vl_verifier **opened, struct vl_why *why)
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
	v->rings[v->n_rings++] = ring;
	bool good = open_slots(v);
	for (; good && v->n_threads < threads && v->n_threads < MAX_THREADS; v->n_threads += good)
		good = pthread_create(&v->threads[v->n_threads], NULL, judge, v) == 0;
	if (!good) {
		v->n_rings--;
		vl_verifier_close(v);
		return vl_fail(why, VL_ERR_NOMEM, "cannot start its threads");
	}
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
	for (size_t i = 0; i < v->n_rings; i++)
		vl_ring_close(v->rings[i]);
	pthread_mutex_destroy(&v->lock);
	pthread_cond_destroy(&v->work);
	pthread_cond_destroy(&v->room);
	pthread_cond_destroy(&v->ready);
	free(v);
}

enum vl_err vl_verifier_renew(struct vl_verifier *v, struct vl_ring *ring)
{
	enum vl_err err = VL_OK;

	pthread_mutex_lock(&v->lock);
	if (v->n_rings == MAX_RINGS)
		err = VL_ERR_FULL;
	else
		v->rings[v->n_rings++] = ring;
	pthread_mutex_unlock(&v->lock);
	return err;
}

bool vl_verifier_put(struct vl_verifier *v, const struct vl_record *record, void (*release)(void *owner), void *owner)
{
	pthread_mutex_lock(&v->lock);
	while (!v->stop && v->put - v->done == SLOTS)
		pthread_cond_wait(&v->room, &v->lock);
	bool taken = !v->stop;
	if (taken) {
		struct slot *slot = &v->slots[v->put++ % SLOTS];
		slot->state = WAITING;
		slot->job.record = record;
		slot->job.release = release;
		slot->job.owner = owner;
		pthread_cond_signal(&v->work);
	}
	pthread_mutex_unlock(&v->lock);
	if (!taken)
		release(owner);
	return taken;
}

bool vl_verifier_idle(struct vl_verifier *v)
{
	pthread_mutex_lock(&v->lock);
	bool idle = v->put == v->done;
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

const struct vl_job *vl_verifier_next(struct vl_verifier *v, int timeout_ms)
{
	struct timespec until = deadline(timeout_ms);
	int rc = timeout_ms > 0 ? 0 : ETIMEDOUT;

	pthread_mutex_lock(&v->lock);
	struct slot *slot = &v->slots[v->taken % SLOTS];
	while (!v->stop && slot->state != JUDGED && rc != ETIMEDOUT)
		rc = pthread_cond_timedwait(&v->ready, &v->lock, &until);
	bool ready = !v->stop && slot->state == JUDGED && v->taken - v->done < VL_VERIFIER_TAKE;
	v->taken += ready;
	pthread_mutex_unlock(&v->lock);
	return ready ? &slot->job : NULL;
}

void vl_verifier_done(struct vl_verifier *v)
{
	while (v->done != v->taken) {
		pthread_mutex_lock(&v->lock);
		struct slot *slot = &v->slots[v->done % SLOTS];
		const struct vl_job job = slot->job;
		slot->state = EMPTY;
		v->done++;
		pthread_cond_signal(&v->room);
		pthread_mutex_unlock(&v->lock);
		job.release(job.owner);
	}
}
