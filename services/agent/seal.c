#include "agent/seal.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct vl_sealer {
	const struct vl_signer *signer;
	pthread_t thread;
	bool running, closing;
	pthread_mutex_t lock;
	pthread_cond_t given, moved;
	struct vl_seal *ring[VL_SEALER_ROOM];
	unsigned first, count; /* those not taken back yet */
	unsigned digested;     /* how many of them have their digest, from the oldest on */
};

static void make_digest(struct vl_seal *seal)
{
	memcpy(seal->value + seal->prev_at, seal->tail->bytes, sizeof(seal->tail->bytes));
	seal->digest = vl_batch_digest((struct vl_bytes){seal->value, seal->size});
	*seal->tail = seal->digest;
}

static void make_signature(const struct vl_signer *signer, struct vl_seal *seal)
{
	seal->err = vl_sign(signer, seal->domain, &seal->digest, &seal->signature);
}

void vl_seal(const struct vl_signer *signer, struct vl_seal *seal)
{
	make_digest(seal);
	make_signature(signer, seal);
	seal->state = VL_SEAL_DONE;
}

static struct vl_seal *nth(struct vl_sealer *sealer, unsigned n)
{
	return sealer->ring[(sealer->first + n) % VL_SEALER_ROOM];
}

/* The oldest that has a digest and nobody signs. */
static struct vl_seal *unsigned_one(struct vl_sealer *sealer)
{
	for (unsigned i = 0; i < sealer->digested; i++)
		if (nth(sealer, i)->state == VL_SEAL_DIGESTED)
			return nth(sealer, i);
	return NULL;
}

/* One piece of work, with the lock let go of meanwhile. False where there is none. */
static bool work(struct vl_sealer *sealer)
{
	bool digest = sealer->digested < sealer->count;
	struct vl_seal *seal = digest ? nth(sealer, sealer->digested) : unsigned_one(sealer);

	if (seal == NULL)
		return false;
	if (!digest)
		seal->state = VL_SEAL_SIGNING;
	(void)pthread_mutex_unlock(&sealer->lock);
	if (digest)
		make_digest(seal);
	else
		make_signature(sealer->signer, seal);
	(void)pthread_mutex_lock(&sealer->lock);
	seal->state = digest ? VL_SEAL_DIGESTED : VL_SEAL_DONE;
	sealer->digested += digest;
	(void)pthread_cond_signal(&sealer->moved);
	return true;
}

static void *run(void *context)
{
	struct vl_sealer *sealer = context;

	(void)pthread_mutex_lock(&sealer->lock);
	while (!sealer->closing)
		if (!work(sealer))
			(void)pthread_cond_wait(&sealer->given, &sealer->lock);
	(void)pthread_mutex_unlock(&sealer->lock);
	return NULL;
}

struct vl_sealer *vl_sealer_open(const struct vl_signer *signer)
{
	struct vl_sealer *sealer = calloc(1, sizeof(*sealer));

	if (sealer == NULL)
		return NULL;
	sealer->signer = signer;
	(void)pthread_mutex_init(&sealer->lock, NULL);
	(void)pthread_cond_init(&sealer->given, NULL);
	(void)pthread_cond_init(&sealer->moved, NULL);
	return sealer;
}

void vl_sealer_close(struct vl_sealer *sealer)
{
	if (sealer == NULL)
		return;
	if (sealer->running) {
		(void)pthread_mutex_lock(&sealer->lock);
		sealer->closing = true;
		(void)pthread_cond_signal(&sealer->given);
		(void)pthread_mutex_unlock(&sealer->lock);
		(void)pthread_join(sealer->thread, NULL);
	}
	(void)pthread_cond_destroy(&sealer->given);
	(void)pthread_cond_destroy(&sealer->moved);
	(void)pthread_mutex_destroy(&sealer->lock);
	free(sealer);
}

void vl_sealer_give(struct vl_sealer *sealer, struct vl_seal *seal)
{
	if (!sealer->running)
		sealer->running = pthread_create(&sealer->thread, NULL, run, sealer) == 0;
	(void)pthread_mutex_lock(&sealer->lock);
	seal->state = VL_SEAL_GIVEN;
	sealer->ring[(sealer->first + sealer->count++) % VL_SEALER_ROOM] = seal;
	(void)pthread_cond_signal(&sealer->given);
	(void)pthread_mutex_unlock(&sealer->lock);
}

bool vl_sealer_ready(struct vl_sealer *sealer)
{
	(void)pthread_mutex_lock(&sealer->lock);
	bool ready = sealer->digested > 0;
	(void)pthread_mutex_unlock(&sealer->lock);
	return ready;
}

void vl_sealer_take(struct vl_sealer *sealer, struct vl_seal *oldest)
{
	(void)pthread_mutex_lock(&sealer->lock);
	while (oldest->state != VL_SEAL_DONE) {
		/* Instead of waiting: another's signature, or, where no thread could be had, all the work. */
		struct vl_seal *seal = sealer->running ? unsigned_one(sealer) : NULL;
		if (seal != NULL) {
			seal->state = VL_SEAL_SIGNING;
			(void)pthread_mutex_unlock(&sealer->lock);
			make_signature(sealer->signer, seal);
			(void)pthread_mutex_lock(&sealer->lock);
			seal->state = VL_SEAL_DONE;
		} else if (sealer->running) {
			(void)pthread_cond_wait(&sealer->moved, &sealer->lock);
		} else {
			(void)work(sealer);
		}
	}
	sealer->first = (sealer->first + 1) % VL_SEALER_ROOM;
	sealer->count--;
	sealer->digested--;
	(void)pthread_mutex_unlock(&sealer->lock);
}
