#include "stream/handle.h"

#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#define FETCH_REQUEST 1 /* Kafka's number for it */

/* Every handle's. Small records should not wait for more of them, and a dead line should be
 * noticed. */
static const struct vl_conf_pair common[] = {
	{"client.id", "valise"},
	{"socket.nagle.disable", "true"},
	{"socket.keepalive.enable", "true"},
	{NULL, NULL},
};

static const struct {
	rd_kafka_resp_err_t code;
	enum vl_err err;
} meanings[] = {
	{RD_KAFKA_RESP_ERR_NO_ERROR, VL_OK},
	{RD_KAFKA_RESP_ERR__QUEUE_FULL, VL_ERR_BUSY},
	{RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED, VL_ERR_BUSY},
	{RD_KAFKA_RESP_ERR__PARTITION_EOF, VL_ERR_END},
	{RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, VL_ERR_NOT_FOUND},
	{RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, VL_ERR_NOT_FOUND},
	{RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET, VL_ERR_NOT_FOUND},
	{RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, VL_ERR_NOT_FOUND},
	{RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE, VL_ERR_NOT_FOUND},
	{RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS, VL_ERR_EXISTS},
	{RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, VL_ERR_TOO_LARGE},
	{RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE, VL_ERR_TOO_LARGE},
	{RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE, VL_ERR_TOO_LARGE},
	{RD_KAFKA_RESP_ERR__INVALID_ARG, VL_ERR_INVALID},
	{RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, VL_ERR_INVALID},
	{RD_KAFKA_RESP_ERR_INVALID_PARTITIONS, VL_ERR_INVALID},
	{RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR, VL_ERR_INVALID},
	{RD_KAFKA_RESP_ERR_INVALID_CONFIG, VL_ERR_INVALID},
	{RD_KAFKA_RESP_ERR_INVALID_REQUEST, VL_ERR_INVALID},
	{RD_KAFKA_RESP_ERR_INVALID_RECORD, VL_ERR_INVALID},
	{RD_KAFKA_RESP_ERR_POLICY_VIOLATION, VL_ERR_INVALID},
	{RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, VL_ERR_PERMISSION},
	{RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, VL_ERR_PERMISSION},
	{RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, VL_ERR_PERMISSION},
	{RD_KAFKA_RESP_ERR__BAD_MSG, VL_ERR_CORRUPT},
	{RD_KAFKA_RESP_ERR__BAD_COMPRESSION, VL_ERR_CORRUPT},
	{RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED, VL_ERR_CORRUPT}, /* a batch of an unknown form */
	{RD_KAFKA_RESP_ERR_UNSUPPORTED_COMPRESSION_TYPE, VL_ERR_CORRUPT},
	{RD_KAFKA_RESP_ERR_INVALID_MSG, VL_ERR_CORRUPT},
	{RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE, VL_ERR_NOMEM},
	{RD_KAFKA_RESP_ERR__FATAL, VL_ERR_GONE},
	{RD_KAFKA_RESP_ERR__FENCED, VL_ERR_GONE},
	{RD_KAFKA_RESP_ERR__DESTROY, VL_ERR_GONE},
	{RD_KAFKA_RESP_ERR__PURGE_QUEUE, VL_ERR_GONE},
	{RD_KAFKA_RESP_ERR__PURGE_INFLIGHT, VL_ERR_GONE},
	{RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, VL_ERR_GONE},
	{RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID, VL_ERR_GONE},
	{RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, VL_ERR_GONE},
};

enum vl_err vl_handle_err(rd_kafka_resp_err_t code)
{
	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
		if (meanings[i].code == code)
			return meanings[i].err;
	return VL_ERR_UNREACHABLE;
}

enum vl_err vl_handle_fail(struct vl_why *why, rd_kafka_resp_err_t code, const char *about,
			   const char *text)
{
	return vl_fail(why, vl_handle_err(code), "%s%s%s", about != NULL ? about : "",
		       about != NULL ? ": " : "",
		       text != NULL && *text != '\0' ? text : rd_kafka_err2str(code));
}

enum vl_err vl_handle_unreachable(const struct vl_handle *handle, struct vl_why *why)
{
	const char *last = handle->last[0] != '\0' ? handle->last : "all are down";

	return vl_fail(why, VL_ERR_UNREACHABLE, "no broker answers: %s", last);
}

/* -- callbacks -- */

/* Lost connections are reported once, by poll, as UNREACHABLE; on a bad line librdkafka would
 * repeat them as errors all day. */
static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
	(void)rk;
	bool error = level <= LOG_ERR && strcmp(facility, "FAIL") != 0;
	vl_log(error ? VL_LOG_ERROR : VL_LOG_DEBUG, "librdkafka: %s: %s", facility, text);
}

static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
	struct vl_handle *handle = opaque;

	vl_log_debug("librdkafka: %s: %s", rd_kafka_err2name(code), reason);
	/* "1/1 brokers are down" follows the complaint that says why. */
	if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
		atomic_store(&handle->unreachable, true);
		return;
	}
	(void)snprintf(handle->last, sizeof(handle->last), "%s", reason);
	enum vl_err err = vl_handle_err(code);
	if (rd_kafka_type(rk) == RD_KAFKA_CONSUMER &&
	    (err == VL_ERR_NOT_FOUND || err == VL_ERR_PERMISSION)) {
		handle->partition = code;
		rd_kafka_yield(rk); /* out of poll, before the next one overwrites it */
	}
}

/* librdkafka reports when the last broker goes but not when one is back; any answer shows that.
 * Runs in its threads. */
static rd_kafka_resp_err_t on_response(rd_kafka_t *rk, int socket, const char *broker,
				       int32_t broker_id, int16_t key, int16_t version,
				       int32_t correlation, size_t size, int64_t rtt,
				       rd_kafka_resp_err_t err, void *opaque)
{
	struct vl_handle *handle = opaque;

	(void)rk, (void)socket, (void)broker, (void)broker_id, (void)version, (void)correlation,
		(void)size, (void)rtt;
	if (err == RD_KAFKA_RESP_ERR_NO_ERROR && key >= 0)
		atomic_store(&handle->unreachable, false);
	if (err == RD_KAFKA_RESP_ERR_NO_ERROR && key == FETCH_REQUEST)
		atomic_fetch_add(&handle->fetches, 1);
	return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t on_new(rd_kafka_t *rk, const rd_kafka_conf_t *conf, void *opaque,
				  char *text, size_t room)
{
	(void)conf, (void)opaque, (void)text, (void)room;
	return rd_kafka_interceptor_add_on_response_received(rk, "valise", on_response,
							     rd_kafka_opaque(rk));
}

/* -- configuration -- */

static enum vl_err set(rd_kafka_conf_t *conf, const struct vl_conf_pair *pair, struct vl_why *why)
{
	char text[200];

	if (rd_kafka_conf_set(conf, pair->key, pair->value, text, sizeof(text)) == RD_KAFKA_CONF_OK)
		return VL_OK;
	return vl_fail(why, VL_ERR_CONFIG, "Kafka property %s: %s", pair->key, text);
}

static enum vl_err set_all(rd_kafka_conf_t *conf, const struct vl_conf_pair *pairs,
			   struct vl_why *why)
{
	enum vl_err err = VL_OK;

	for (; err == VL_OK && pairs->key != NULL; pairs++)
		if (pairs->value != NULL)
			err = set(conf, pairs, why);
	return err;
}

/* Whether two configurations have the same value for a property, or both none. Ours are short; a
 * longer one is not the same. */
static bool same(const rd_kafka_conf_t *a, const rd_kafka_conf_t *b, const char *key)
{
	char left[64] = "", right[64] = "";
	size_t left_size = sizeof(left), right_size = sizeof(right);
	rd_kafka_conf_res_t left_result = rd_kafka_conf_get(a, key, left, &left_size);
	rd_kafka_conf_res_t right_result = rd_kafka_conf_get(b, key, right, &right_size);

	return left_result == right_result && left_size <= sizeof(left) &&
	       right_size <= sizeof(right) && strcmp(left, right) == 0;
}

/* Set the caller's pair, then look whether a promise is still what it was: so no table of
 * librdkafka's aliases is needed. */
static enum vl_err set_theirs(rd_kafka_conf_t *conf, const rd_kafka_conf_t *ours,
			      const struct vl_conf_pair *promises, const struct vl_conf_pair *pair,
			      struct vl_why *why)
{
	enum vl_err err = set(conf, pair, why);

	for (; err == VL_OK && promises->key != NULL; promises++)
		if (!same(conf, ours, promises->key))
			err = vl_fail(why, VL_ERR_CONFIG,
				      "Kafka property %s: take it out; Valise relies on %s%s%s",
				      pair->key, promises->key,
				      promises->value != NULL ? "=" : " not being set",
				      promises->value != NULL ? promises->value : "");
	return err;
}

/* librdkafka would only warn, and then wait for ever. */
static enum vl_err check_bootstrap(const rd_kafka_conf_t *conf, struct vl_why *why)
{
	char mocks[16] = "";
	size_t servers_size = 0, mocks_size = sizeof(mocks);

	if (rd_kafka_conf_get(conf, "bootstrap.servers", NULL, &servers_size) == RD_KAFKA_CONF_OK &&
	    servers_size > 1)
		return VL_OK;
	if (rd_kafka_conf_get(conf, "test.mock.num.brokers", mocks, &mocks_size) ==
		    RD_KAFKA_CONF_OK &&
	    strcmp(mocks, "0") != 0)
		return VL_OK;
	return vl_fail(why, VL_ERR_CONFIG,
		       "Kafka property bootstrap.servers is missing: give it as HOST:PORT,...");
}

/* Of a file that is not there OpenSSL's words say little, of an empty one nothing, and a folder is
 * a good list of authorities only. */
static enum vl_err check_file(const rd_kafka_conf_t *conf, const char *key, bool may_be_folder,
			      struct vl_why *why)
{
	char path[1024] = "";
	size_t size = sizeof(path);
	struct stat info;

	if (rd_kafka_conf_get(conf, key, path, &size) != RD_KAFKA_CONF_OK || path[0] == '\0' ||
	    strcmp(path, "probe") == 0)
		return VL_OK;
	if (stat(path, &info) != 0)
		return vl_fail(why, VL_ERR_CONFIG, "Kafka property %s: '%.120s': %s", key, path,
			       strerror(errno));
	if (S_ISDIR(info.st_mode) && may_be_folder)
		return VL_OK;
	if (!S_ISREG(info.st_mode))
		return vl_fail(why, VL_ERR_CONFIG, "Kafka property %s: '%.120s' is not a file", key,
			       path);
	if (info.st_size == 0)
		return vl_fail(why, VL_ERR_CONFIG, "Kafka property %s: '%.120s' is empty", key,
			       path);
	if (access(path, R_OK) != 0)
		return vl_fail(why, VL_ERR_CONFIG, "Kafka property %s: '%.120s': %s", key, path,
			       strerror(errno));
	return VL_OK;
}

static enum vl_err check_files(const rd_kafka_conf_t *conf, struct vl_why *why)
{
	static const char *const files[] = {"ssl.ca.location", "ssl.certificate.location",
					    "ssl.key.location", "ssl.crl.location",
					    "ssl.keystore.location"};
	enum vl_err err = VL_OK;

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]) && err == VL_OK; i++)
		err = check_file(conf, files[i], i == 0, why);
	return err;
}

enum vl_err vl_handle_conf(const struct vl_conf_pair *defaults, const struct vl_conf_pair *promises,
			   const struct vl_conf_pair *pairs, size_t n_pairs,
			   struct vl_handle *handle, rd_kafka_conf_t **conf, struct vl_why *why)
{
	rd_kafka_conf_t *ours = NULL;
	enum vl_err err;

	*conf = rd_kafka_conf_new();
	err = set_all(*conf, common, why);
	if (err == VL_OK)
		err = set_all(*conf, defaults, why);
	if (err == VL_OK)
		err = set_all(*conf, promises, why);
	if (err != VL_OK)
		goto out;
	ours = rd_kafka_conf_dup(*conf);
	for (size_t i = 0; err == VL_OK && i < n_pairs; i++)
		err = set_theirs(*conf, ours, promises, &pairs[i], why);
	if (err == VL_OK)
		err = check_bootstrap(*conf, why);
	if (err == VL_OK)
		err = check_files(*conf, why);
	if (err != VL_OK)
		goto out;
	rd_kafka_conf_set_opaque(*conf, handle);
	rd_kafka_conf_set_log_cb(*conf, on_log);
	rd_kafka_conf_set_error_cb(*conf, on_error);
out:
	if (ours != NULL)
		rd_kafka_conf_destroy(ours);
	if (err != VL_OK) {
		rd_kafka_conf_destroy(*conf);
		*conf = NULL;
	}
	return err;
}

/*
 * librdkafka 2.0.2 frees the interceptors of a configuration when rd_kafka_new fails, and once more
 * when the configuration is destroyed, which is then its caller's duty. So what can fail is tried
 * first with a copy that has none, and no broker to speak with.
 */
static enum vl_err try_open(rd_kafka_type_t type, const rd_kafka_conf_t *conf, struct vl_why *why)
{
	rd_kafka_conf_t *copy = rd_kafka_conf_dup(conf);
	char text[200] = "";

	rd_kafka_conf_set_log_cb(copy, NULL);
	rd_kafka_conf_set_error_cb(copy, NULL);
	(void)rd_kafka_conf_set(copy, "bootstrap.servers", "", NULL, 0);
	rd_kafka_t *rk = rd_kafka_new(type, copy, text, sizeof(text));
	if (rk == NULL) {
		rd_kafka_conf_destroy(copy);
		return vl_fail(why, VL_ERR_CONFIG, "Kafka properties: %s", text);
	}
	rd_kafka_destroy(rk);
	return VL_OK;
}

enum vl_err vl_handle_open(rd_kafka_type_t type, rd_kafka_conf_t *conf, rd_kafka_t **rk,
			   struct vl_why *why)
{
	char text[200] = "";
	enum vl_err err = try_open(type, conf, why);

	*rk = NULL;
	if (err != VL_OK) {
		rd_kafka_conf_destroy(conf);
		return err;
	}
	if (rd_kafka_conf_interceptor_add_on_new(conf, "valise", on_new, NULL) !=
	    RD_KAFKA_RESP_ERR_NO_ERROR) {
		rd_kafka_conf_destroy(conf);
		return VL_ERR_BUG;
	}
	*rk = rd_kafka_new(type, conf, text, sizeof(text));
	/* A file that changed in between: the configuration is better lost than freed twice. */
	return *rk != NULL ? VL_OK : vl_fail(why, VL_ERR_CONFIG, "Kafka properties: %s", text);
}

enum vl_err vl_handle_metadata(rd_kafka_t *rk, const char *topic, int timeout_ms,
			       const struct rd_kafka_metadata **metadata, struct vl_why *why)
{
	rd_kafka_topic_t *rkt = NULL;
	rd_kafka_resp_err_t code;

	*metadata = NULL;
	if (topic != NULL) {
		rkt = rd_kafka_topic_new(rk, topic, NULL);
		if (rkt == NULL)
			return vl_handle_fail(why, rd_kafka_last_error(), topic, NULL);
	}
	code = rd_kafka_metadata(rk, topic == NULL, rkt, metadata, timeout_ms);
	if (rkt != NULL)
		rd_kafka_topic_destroy(rkt);
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR && topic != NULL)
		code = (*metadata)->topic_cnt == 1 ? (*metadata)->topics[0].err
						   : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE)
		return VL_OK;
	if (*metadata != NULL)
		rd_kafka_metadata_destroy(*metadata);
	*metadata = NULL;
	return vl_handle_fail(why, code, topic, NULL);
}
