#include "stream/inquiry.h"

#include "stream/handle.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define ASK_MS 10000
#define PARTITIONS 4096

struct vl_inquiry {
	atomic_int holders; /* who asks, and the thread */
	atomic_bool answered;
	struct vl_consumer *consumer;
	char topic[VL_TOPIC_MAX + 1];
	enum vl_err err;
	struct vl_why why;
	int32_t count;
	bool absent[PARTITIONS];
};

static void let_go(struct vl_inquiry *inquiry)
{
	if (atomic_fetch_sub(&inquiry->holders, 1) == 1)
		free(inquiry);
}

static void *ask(void *context)
{
	struct vl_inquiry *inquiry = context;

	inquiry->err =
		vl_consumer_leaders(inquiry->consumer, inquiry->topic, ASK_MS, &inquiry->count,
				    inquiry->absent, PARTITIONS, &inquiry->why);
	vl_consumer_release(inquiry->consumer);
	atomic_store(&inquiry->answered, true);
	let_go(inquiry);
	return NULL;
}

struct vl_inquiry *vl_inquiry_open(struct vl_consumer *consumer, const char *topic)
{
	struct vl_inquiry *inquiry = calloc(1, sizeof(*inquiry));
	pthread_t thread;

	if (inquiry == NULL)
		return NULL;
	atomic_store(&inquiry->holders, 2);
	inquiry->consumer = consumer;
	(void)snprintf(inquiry->topic, sizeof(inquiry->topic), "%s", topic);
	vl_consumer_hold(consumer);
	if (pthread_create(&thread, NULL, ask, inquiry) != 0) {
		vl_consumer_release(consumer);
		free(inquiry);
		return NULL;
	}
	(void)pthread_detach(thread);
	return inquiry;
}

void vl_inquiry_close(struct vl_inquiry *inquiry)
{
	if (inquiry != NULL)
		let_go(inquiry);
}

const char *vl_inquiry_topic(const struct vl_inquiry *inquiry)
{
	return inquiry->topic;
}

bool vl_inquiry_answer(struct vl_inquiry *inquiry, int32_t partition, enum vl_err *err,
		       struct vl_why *why)
{
	if (!atomic_load(&inquiry->answered))
		return false;
	*err = inquiry->err;
	if (*err == VL_ERR_PERMISSION || *err == VL_ERR_NOT_FOUND) {
		*why = inquiry->why;
		return true;
	}
	*err = VL_OK;
	if (partition < inquiry->count && partition < PARTITIONS && inquiry->absent[partition])
		*err = vl_fail(why, VL_ERR_UNREACHABLE, "%s: it has no leader", inquiry->topic);
	return true;
}
