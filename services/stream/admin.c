/*
 * Topics made, grown, configured and described (stream.h).
 */
#include "stream/stream.h"

#include "base/clock.h"
#include "stream/handle.h"

#include <stdlib.h>
#include <string.h>

/* how often a long wait looks for complaints, so that a timeout can say why */
#define QUANTUM_MS 100

struct vl_admin {
	struct vl_handle handle;
	rd_kafka_t *rk;
	rd_kafka_queue_t *queue;
	char **texts; /* what the last call returned */
	size_t n_texts, room;
};

enum vl_err vl_admin_open(const struct vl_conf_pair *pairs, size_t n_pairs, struct vl_admin **admin,
			  struct vl_why *why)
{
	static const struct vl_conf_pair none[] = {{NULL, NULL}};
	static const struct vl_conf_pair promises[] = {{"allow.auto.create.topics", "false"},
						       {NULL, NULL}};
	rd_kafka_conf_t *conf;

	*admin = NULL;
	struct vl_admin *a = calloc(1, sizeof(*a));
	if (a == NULL)
		return VL_ERR_NOMEM;
	enum vl_err err = vl_handle_conf(none, promises, pairs, n_pairs, &a->handle, &conf, why);
	if (err == VL_OK)
		err = vl_handle_open(RD_KAFKA_PRODUCER, conf, &a->rk, why);
	if (err != VL_OK) {
		free(a);
		return err;
	}
	a->queue = rd_kafka_queue_new(a->rk);
	*admin = a;
	return VL_OK;
}

static void forget(struct vl_admin *admin)
{
	for (size_t i = 0; i < admin->n_texts; i++)
		free(admin->texts[i]);
	admin->n_texts = 0;
}

void vl_admin_close(struct vl_admin *admin)
{
	if (admin == NULL)
		return;
	forget(admin);
	free(admin->texts);
	rd_kafka_queue_destroy(admin->queue);
	rd_kafka_destroy(admin->rk);
	free(admin);
}

/* A copy that lives until the next call. NULL when out of memory. */
static const char *keep(struct vl_admin *admin, const char *text)
{
	if (admin->n_texts == admin->room) {
		size_t room = admin->room == 0 ? 64 : 2 * admin->room;
		char **more = reallocarray(admin->texts, room, sizeof(*more));
		if (more == NULL)
			return NULL;
		admin->texts = more;
		admin->room = room;
	}
	char *copy = strdup(text);
	if (copy != NULL)
		admin->texts[admin->n_texts++] = copy;
	return copy;
}

/* -- metadata -- */

/* Nothing else polls this handle, so its complaints wait until a caller needs the reason. */
static enum vl_err blame(struct vl_admin *admin, enum vl_err err, struct vl_why *why)
{
	(void)rd_kafka_poll(admin->rk, 0);
	return err == VL_ERR_UNREACHABLE && admin->handle.last[0] != '\0'
		       ? vl_handle_unreachable(&admin->handle, why)
		       : err;
}

static enum vl_err ask(struct vl_admin *admin, const char *topic, int timeout_ms,
		       const struct rd_kafka_metadata **metadata, struct vl_why *why)
{
	forget(admin);
	return blame(admin, vl_handle_metadata(admin->rk, topic, timeout_ms, metadata, why), why);
}

enum vl_err vl_admin_brokers(struct vl_admin *admin, int timeout_ms, int *count, struct vl_why *why)
{
	const struct rd_kafka_metadata *metadata;

	*count = 0;
	enum vl_err err = ask(admin, NULL, timeout_ms, &metadata, why);
	if (err != VL_OK)
		return err;
	*count = metadata->broker_cnt;
	rd_kafka_metadata_destroy(metadata);
	return VL_OK;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

enum vl_err vl_admin_list(struct vl_admin *admin, int timeout_ms, const char *const **names,
			  size_t *count, struct vl_why *why)
{
	const struct rd_kafka_metadata *metadata;

	*count = 0;
	enum vl_err err = ask(admin, NULL, timeout_ms, &metadata, why);
	if (err != VL_OK)
		return err;
	for (int i = 0; i < metadata->topic_cnt && err == VL_OK; i++)
		if (strncmp(metadata->topics[i].topic, "__", 2) != 0 &&
		    keep(admin, metadata->topics[i].topic) == NULL)
			err = VL_ERR_NOMEM;
	rd_kafka_metadata_destroy(metadata);
	if (err == VL_OK && admin->n_texts > 0)
		qsort(admin->texts, admin->n_texts, sizeof(*admin->texts), by_text);
	*names = (const char *const *)admin->texts;
	*count = admin->n_texts;
	return err;
}

/* -- requests -- */

/* Waits for the answer to what was put on the queue. The caller destroys the event. */
static enum vl_err await(struct vl_admin *admin, int timeout_ms, rd_kafka_event_t **event,
			 struct vl_why *why)
{
	/* librdkafka's own timeout comes first */
	int64_t end = vl_monotonic_ms() + timeout_ms + QUANTUM_MS;

	do {
		(void)rd_kafka_poll(admin->rk, 0);
		*event = rd_kafka_queue_poll(admin->queue, QUANTUM_MS);
	} while (*event == NULL && vl_monotonic_ms() < end);
	if (*event == NULL)
		return vl_handle_unreachable(&admin->handle, why);
	rd_kafka_resp_err_t code = rd_kafka_event_error(*event);
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		return VL_OK;
	enum vl_err err = vl_handle_fail(why, code, NULL, rd_kafka_event_error_string(*event));
	rd_kafka_event_destroy(*event);
	*event = NULL;
	return blame(admin, err, why);
}

/* The broker itself may take as long, so that "created" means that its controller has done it. */
static rd_kafka_AdminOptions_t *options_for(struct vl_admin *admin, rd_kafka_admin_op_t operation,
					    int timeout_ms)
{
	rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(admin->rk, operation);
	char text[128];

	(void)rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, text, sizeof(text));
	if (operation == RD_KAFKA_ADMIN_OP_CREATETOPICS ||
	    operation == RD_KAFKA_ADMIN_OP_CREATEPARTITIONS)
		(void)rd_kafka_AdminOptions_set_operation_timeout(options, timeout_ms, text,
								  sizeof(text));
	return options;
}

static enum vl_err topic_result(const rd_kafka_topic_result_t *const *results, size_t count,
				struct vl_why *why)
{
	if (count != 1)
		return VL_ERR_BUG;
	rd_kafka_resp_err_t code = rd_kafka_topic_result_error(results[0]);
	return code == RD_KAFKA_RESP_ERR_NO_ERROR
		       ? VL_OK
		       : vl_handle_fail(why, code, NULL,
					rd_kafka_topic_result_error_string(results[0]));
}

enum vl_err vl_admin_create(struct vl_admin *admin, const struct vl_topic *topic, int timeout_ms,
			    struct vl_why *why)
{
	char text[200] = "";
	rd_kafka_event_t *event;
	size_t count;

	rd_kafka_NewTopic_t *wanted = rd_kafka_NewTopic_new(topic->name, topic->partitions,
							    topic->replicas, text, sizeof(text));
	if (wanted == NULL)
		return vl_fail(why, VL_ERR_INVALID, "%s", text);
	for (size_t i = 0; i < topic->n_configs; i++)
		(void)rd_kafka_NewTopic_set_config(wanted, topic->configs[i].key,
						   topic->configs[i].value);
	rd_kafka_AdminOptions_t *options =
		options_for(admin, RD_KAFKA_ADMIN_OP_CREATETOPICS, timeout_ms);
	rd_kafka_CreateTopics(admin->rk, &wanted, 1, options, admin->queue);
	rd_kafka_AdminOptions_destroy(options);
	rd_kafka_NewTopic_destroy(wanted);
	enum vl_err err = await(admin, timeout_ms, &event, why);
	if (err != VL_OK)
		return err;
	const rd_kafka_topic_result_t **results = rd_kafka_CreateTopics_result_topics(
		rd_kafka_event_CreateTopics_result(event), &count);
	err = topic_result(results, count, why);
	rd_kafka_event_destroy(event);
	return err;
}

enum vl_err vl_admin_grow(struct vl_admin *admin, const char *name, int32_t partitions,
			  int timeout_ms, struct vl_why *why)
{
	char text[200] = "";
	rd_kafka_event_t *event;
	size_t count;

	rd_kafka_NewPartitions_t *wanted =
		rd_kafka_NewPartitions_new(name, (size_t)partitions, text, sizeof(text));
	if (wanted == NULL)
		return vl_fail(why, VL_ERR_INVALID, "%s", text);
	rd_kafka_AdminOptions_t *options =
		options_for(admin, RD_KAFKA_ADMIN_OP_CREATEPARTITIONS, timeout_ms);
	rd_kafka_CreatePartitions(admin->rk, &wanted, 1, options, admin->queue);
	rd_kafka_AdminOptions_destroy(options);
	rd_kafka_NewPartitions_destroy(wanted);
	enum vl_err err = await(admin, timeout_ms, &event, why);
	if (err != VL_OK)
		return err;
	const rd_kafka_topic_result_t **results = rd_kafka_CreatePartitions_result_topics(
		rd_kafka_event_CreatePartitions_result(event), &count);
	err = topic_result(results, count, why);
	rd_kafka_event_destroy(event);
	return err;
}

/* -- overrides -- */

static enum vl_err resource_result(const rd_kafka_ConfigResource_t *const *results, size_t count,
				   struct vl_why *why)
{
	if (count != 1)
		return VL_ERR_BUG;
	rd_kafka_resp_err_t code = rd_kafka_ConfigResource_error(results[0]);
	return code == RD_KAFKA_RESP_ERR_NO_ERROR
		       ? VL_OK
		       : vl_handle_fail(why, code, NULL,
					rd_kafka_ConfigResource_error_string(results[0]));
}

enum vl_err vl_admin_configure(struct vl_admin *admin, const struct vl_topic *topic, int timeout_ms,
			       struct vl_why *why)
{
	rd_kafka_event_t *event;
	size_t count;

	rd_kafka_ConfigResource_t *wanted =
		rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic->name);
	if (wanted == NULL)
		return vl_fail(why, VL_ERR_INVALID, "'%s' is no name of a topic", topic->name);
	for (size_t i = 0; i < topic->n_configs; i++)
		(void)rd_kafka_ConfigResource_set_config(wanted, topic->configs[i].key,
							 topic->configs[i].value);
	rd_kafka_AdminOptions_t *options =
		options_for(admin, RD_KAFKA_ADMIN_OP_ALTERCONFIGS, timeout_ms);
	rd_kafka_AlterConfigs(admin->rk, &wanted, 1, options, admin->queue);
	rd_kafka_AdminOptions_destroy(options);
	rd_kafka_ConfigResource_destroy(wanted);
	enum vl_err err = await(admin, timeout_ms, &event, why);
	if (err != VL_OK)
		return err;
	const rd_kafka_ConfigResource_t **results = rd_kafka_AlterConfigs_result_resources(
		rd_kafka_event_AlterConfigs_result(event), &count);
	err = resource_result(results, count, why);
	rd_kafka_event_destroy(event);
	return err;
}

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct vl_conf_pair *)a)->key, ((const struct vl_conf_pair *)b)->key);
}

static enum vl_err keep_overrides(struct vl_admin *admin, const rd_kafka_ConfigResource_t *resource,
				  struct vl_topic *topic, struct vl_why *why)
{
	size_t count;
	const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(resource, &count);

	for (size_t i = 0; i < count; i++) {
		if (rd_kafka_ConfigEntry_source(entries[i]) !=
		    RD_KAFKA_CONFIG_SOURCE_DYNAMIC_TOPIC_CONFIG)
			continue;
		/* Dropping one here would delete it on the next vl_admin_configure. */
		if (topic->n_configs == VL_TOPIC_CONFIGS)
			return vl_fail(why, VL_ERR_TOO_LARGE,
				       "the topic has more than %d overrides", VL_TOPIC_CONFIGS);
		const char *value = rd_kafka_ConfigEntry_value(entries[i]);
		struct vl_conf_pair pair = {keep(admin, rd_kafka_ConfigEntry_name(entries[i])),
					    keep(admin, value != NULL ? value : "")};
		if (pair.key == NULL || pair.value == NULL)
			return VL_ERR_NOMEM;
		topic->configs[topic->n_configs++] = pair;
	}
	qsort(topic->configs, topic->n_configs, sizeof(topic->configs[0]), by_key);
	return VL_OK;
}

/* The caller destroys the event. */
static enum vl_err ask_settings(struct vl_admin *admin, const char *name, int timeout_ms,
				rd_kafka_event_t **event,
				const rd_kafka_ConfigResource_t **resource, struct vl_why *why)
{
	size_t count;

	rd_kafka_ConfigResource_t *asked =
		rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, name);
	if (asked == NULL)
		return vl_fail(why, VL_ERR_INVALID, "'%s' is no name of a topic", name);
	rd_kafka_AdminOptions_t *options =
		options_for(admin, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, timeout_ms);
	rd_kafka_DescribeConfigs(admin->rk, &asked, 1, options, admin->queue);
	rd_kafka_AdminOptions_destroy(options);
	rd_kafka_ConfigResource_destroy(asked);
	enum vl_err err = await(admin, timeout_ms, event, why);
	if (err != VL_OK)
		return err;
	const rd_kafka_ConfigResource_t **results = rd_kafka_DescribeConfigs_result_resources(
		rd_kafka_event_DescribeConfigs_result(*event), &count);
	err = resource_result(results, count, why);
	*resource = err == VL_OK ? results[0] : NULL;
	if (err != VL_OK)
		rd_kafka_event_destroy(*event);
	return err;
}

static enum vl_err describe_overrides(struct vl_admin *admin, struct vl_topic *topic,
				      int timeout_ms, struct vl_why *why)
{
	const rd_kafka_ConfigResource_t *resource;
	rd_kafka_event_t *event;

	enum vl_err err = ask_settings(admin, topic->name, timeout_ms, &event, &resource, why);
	if (err != VL_OK)
		return err;
	err = keep_overrides(admin, resource, topic, why);
	rd_kafka_event_destroy(event);
	return err;
}

enum vl_err vl_admin_settings(struct vl_admin *admin, const char *name, int timeout_ms,
			      void (*each)(void *context, const char *key, const char *value),
			      void *context, struct vl_why *why)
{
	const rd_kafka_ConfigResource_t *resource;
	rd_kafka_event_t *event;
	size_t count;

	enum vl_err err = ask_settings(admin, name, timeout_ms, &event, &resource, why);
	if (err != VL_OK)
		return err;
	const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(resource, &count);
	for (size_t i = 0; i < count; i++)
		if (rd_kafka_ConfigEntry_value(entries[i]) != NULL)
			each(context, rd_kafka_ConfigEntry_name(entries[i]),
			     rd_kafka_ConfigEntry_value(entries[i]));
	rd_kafka_event_destroy(event);
	return VL_OK;
}

enum vl_err vl_admin_describe(struct vl_admin *admin, const char *name, int timeout_ms,
			      struct vl_topic *topic, struct vl_why *why)
{
	const struct rd_kafka_metadata *metadata;

	*topic = (struct vl_topic){0};
	enum vl_err err = ask(admin, name, timeout_ms, &metadata, why);
	if (err != VL_OK)
		return err;
	const struct rd_kafka_metadata_topic *found = &metadata->topics[0];
	topic->name = keep(admin, found->topic);
	topic->partitions = found->partition_cnt;
	topic->replicas = found->partition_cnt > 0 ? found->partitions[0].replica_cnt : 0;
	for (int i = 0; i < found->partition_cnt; i++)
		topic->leaders += found->partitions[i].leader >= 0;
	rd_kafka_metadata_destroy(metadata);
	return topic->name == NULL ? VL_ERR_NOMEM
				   : describe_overrides(admin, topic, timeout_ms, why);
}
