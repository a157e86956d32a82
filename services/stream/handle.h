/*
 * The declarations that the stream's handles share, for services/stream only. They configure a
 * librdkafka handle, translate its codes, and keep the reports of its callbacks. The codes are
 * translated in this one place.
 *
 * Next: gauge.h, the speed of a line.
 */
#ifndef VALISE_STREAM_HANDLE_H
#define VALISE_STREAM_HANDLE_H

#include "base/conf.h"
#include "base/err.h"

#include <librdkafka/rdkafka.h>
#include <stdatomic.h>
#include <stdbool.h>

/* librdkafka's own reports. It is the opaque of a configuration, so it must outlive the
 * rd_kafka_t. */
struct vl_handle {
	atomic_bool unreachable; /* every broker is down, and none has answered since */
	atomic_ullong fetches;   /* answered */
	/* Its last complaint; and the code, if the complaint is about one partition ("TOPIC
	 * [NUMBER]: words"). Written and read by the thread that polls. */
	char last[320];
	rd_kafka_resp_err_t partition;
};

/* A configuration of `defaults`, then the caller's pairs, while `promises` are kept. CONFIG,
 * with the name, if a pair would change a promise under any alias, or if librdkafka does not
 * know it. A NULL value is a promise not to set it. Both lists end with a NULL key. */
enum vl_err vl_handle_conf(const struct vl_conf_pair *defaults, const struct vl_conf_pair *promises,
			   const struct vl_conf_pair *pairs, size_t n_pairs,
			   struct vl_handle *handle, rd_kafka_conf_t **conf,
			   struct vl_why *why) VL_CHECKED;

/* Frees `conf` also when it fails, with CONFIG. */
enum vl_err vl_handle_open(rd_kafka_type_t type, rd_kafka_conf_t *conf, rd_kafka_t **rk,
			   struct vl_why *why) VL_CHECKED;

/* The meaning of a librdkafka code here. A code that is not listed may pass, and is UNREACHABLE. */
enum vl_err vl_handle_err(rd_kafka_resp_err_t code);

/* The same, with a reason. `about` names the object of the call, and `text` replaces the code's
 * own text; either may be NULL. */
enum vl_err vl_handle_fail(struct vl_why *why, rd_kafka_resp_err_t code, const char *about,
			   const char *text);

/* UNREACHABLE, with the last complaint. */
enum vl_err vl_handle_unreachable(const struct vl_handle *handle, struct vl_why *why);

/* Request a topic's metadata, or with a NULL name all topics'. The caller destroys the result.
 * NOT_FOUND if there is no such topic. */
enum vl_err vl_handle_metadata(rd_kafka_t *rk, const char *topic, int timeout_ms,
			       const struct rd_kafka_metadata **metadata,
			       struct vl_why *why) VL_CHECKED;

/* Keep a consumer from being destroyed until it is released; from any thread. */
struct vl_consumer;
void vl_consumer_hold(struct vl_consumer *consumer);
void vl_consumer_release(struct vl_consumer *consumer);

#endif
