#include "agent/outbox/seal.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct vl_sealer {
	const struct vl_signer *signer;
	pthread_t thread;
	bool running, closing;
	pthread_mutex_t lock;
	pthread_cond_t given, moved;
	struct vl_seal *first, *last; /* those not taken back */
	struct vl_seal *undigested;   /* the oldest of them that has no digest */
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

/* Both do a piece of work with the lock let go of meanwhile; false where there is none. */
static bool digest_one(struct vl_sealer *sealer)
{
	struct vl_seal *seal = sealer->undigested;

	if (seal == NULL)
		return false;
	(void)pthread_mutex_unlock(&sealer->lock);
	make_digest(seal);
	(void)pthread_mutex_lock(&sealer->lock);
	seal->state = VL_SEAL_DIGESTED;
	sealer->undigested = seal->next;
	(void)pthread_cond_signal(&sealer->moved);
	return true;
}

static bool sign_one(struct vl_sealer *sealer)
{
	struct vl_seal *seal = sealer->first;

	while (seal != sealer->undigested && seal->state != VL_SEAL_DIGESTED)
		seal = seal->next;
	if (seal == sealer->undigested)
		return false;
	seal->state = VL_SEAL_SIGNING;
	(void)pthread_mutex_unlock(&sealer->lock);
	make_signature(sealer->signer, seal);
	(void)pthread_mutex_lock(&sealer->lock);
	seal->state = VL_SEAL_DONE;
	(void)pthread_cond_signal(&sealer->moved);
	return true;
}

static void *run(void *context)
{
	struct vl_sealer *sealer = context;

	(void)pthread_mutex_lock(&sealer->lock);
	while (!sealer->closing)
		if (!digest_one(sealer) && !sign_one(sealer))
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
	seal->state = VL_SEAL_GIVEN;
	seal->next = NULL;
	if (!sealer->running)
		sealer->running = pthread_create(&sealer->thread, NULL, run, sealer) == 0;
	(void)pthread_mutex_lock(&sealer->lock);
	if (sealer->first == NULL)
		sealer->first = seal;
	else
		sealer->last->next = seal;
	sealer->last = seal;
	if (sealer->undigested == NULL)
		sealer->undigested = seal;
	(void)pthread_cond_signal(&sealer->given);
	(void)pthread_mutex_unlock(&sealer->lock);
}

void vl_sealer_take(struct vl_sealer *sealer, struct vl_seal *oldest)
{
	(void)pthread_mutex_lock(&sealer->lock);
	while (oldest->state != VL_SEAL_DONE) {
		/* Sign another instead of waiting; and do all the work where no thread was to be
		 * had. */
		if (sign_one(sealer) || (!sealer->running && digest_one(sealer)))
			continue;
		(void)pthread_cond_wait(&sealer->moved, &sealer->lock);
	}
	sealer->first = oldest->next;
	(void)pthread_mutex_unlock(&sealer->lock);
}
