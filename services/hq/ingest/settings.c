#include "hq/ingest/settings.h"

#include "base/log.h"
#include "bus/types.h"
#include "hq/fold/views.h"

#include <inttypes.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ASK_MS 5000
#define LOOK_MS 5000
#define AGAIN_MS 3600000
#define NAP_MS 100
#define DEAD_LETTERS "valise.deadletter.v1"
#define RECEIPTS "valise.receipt.v1"
#define DIRECTIVES "valise.directive.v1"
#define LAG_MS 2592000000LL /* 30 days */
#define LARGEST_LEAST 1010000
#define LARGEST_MOST 16777216

#define APPLY "; valise topic apply brokers/topics.yaml mends it"

/* -- what is right -- */

struct judging {
	const char *topic;
	const char *(*value)(void *context, const char *name);
	void *context;
	struct vl_unread *found;
	size_t n;
};

static void find(struct judging *j, const char *name, const char *format, const char *is,
		 const char *must)
{
	struct vl_unread *unread = &j->found[j->n];

	if (j->n == VL_SETTINGS_FOUND)
		return;
	*unread = (struct vl_unread){
		.kind = VL_UNREAD_SETTING, .partition = -1, .err = VL_ERR_CONFIG};
	(void)snprintf(unread->topic, sizeof(unread->topic), "%s", j->topic);
	(void)snprintf(unread->name, sizeof(unread->name), "%s", name);
	(void)snprintf(unread->words, sizeof(unread->words), format, name, is, must);
	j->n++;
}

static void judge_text(struct judging *j, const char *name, const char *must, const char *format)
{
	const char *is = j->value(j->context, name);

	if (is != NULL && strcmp(is, must) != 0)
		find(j, name, format, is, must);
}

static void judge_number(struct judging *j, const char *name, long long least, long long most,
			 const char *must)
{
	const char *is = j->value(j->context, name);

	if (is != NULL && (atoll(is) < least || atoll(is) > most))
		find(j, name, "%s is %s and must be %s" APPLY, is, must);
}

/* A lane, or that lane of one mission. */
static bool is_lane(const char *topic, const char *lane)
{
	size_t size = strlen(lane);

	return strncmp(topic, lane, size) == 0 && (topic[size] == '\0' || topic[size] == '.');
}

size_t vl_settings_judge(const char *topic, int32_t partitions,
			 const char *(*value)(void *context, const char *name), void *context,
			 struct vl_unread found[VL_SETTINGS_FOUND])
{
	struct judging j = {.topic = topic, .value = value, .context = context, .found = found};
	bool receipts = is_lane(topic, RECEIPTS), pulses = strcmp(topic, VL_PULSE_LANE) == 0;
	bool alone = receipts || is_lane(topic, DIRECTIVES);
	char count[16];

	judge_text(&j, "message.timestamp.type", "LogAppendTime",
		   "%s is %s and must be %s: it keeps the senders' time, which decides nothing "
		   "here; silence is measured by our own clock" APPLY);
	judge_text(&j, "cleanup.policy", receipts || pulses ? "compact" : "delete",
		   "%s is %s and must be %s: Kafka deletes records that are still needed" APPLY);
	judge_number(&j, "retention.ms", -1, -1, "-1");
	judge_number(&j, "retention.bytes", -1, -1, "-1");
	judge_number(&j, "max.message.bytes", LARGEST_LEAST, LARGEST_MOST, "1010000 to 16777216");
	if (pulses || strcmp(topic, RECEIPTS) == 0)
		judge_number(&j, "min.compaction.lag.ms", LAG_MS, INT64_MAX, "2592000000 at least");
	(void)snprintf(count, sizeof(count), "%" PRId32, partitions);
	if (alone && partitions > 1)
		find(&j, "partitions",
		     "it has %2$s %1$s and must have %3$s: missions read only one, and "
		     "partitions cannot be removed; make the topic anew",
		     count, "1");
	return j.n;
}

/* -- asking -- */

struct vl_settings {
	struct vl_store *store;
	const struct vl_conf_pair *pairs;
	size_t n_pairs;
	const struct vl_clock *clock;
	struct vl_notes notes;
	struct vl_buf found; /* struct vl_unread, as told */
	int64_t again_ms;
	pthread_t thread;
	atomic_bool stop;
};

/* A topic's settings that matter. */
struct values {
	char names[VL_SETTINGS_FOUND][32], texts[VL_SETTINGS_FOUND][48];
	size_t n;
};

static void keep_value(void *context, const char *key, const char *value)
{
	static const char *const wanted[] = {"message.timestamp.type", "cleanup.policy",
					     "retention.ms",           "retention.bytes",
					     "max.message.bytes",      "min.compaction.lag.ms"};
	struct values *values = context;

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		if (strcmp(key, wanted[i]) != 0 || values->n == VL_SETTINGS_FOUND)
			continue;
		(void)snprintf(values->names[values->n], sizeof(values->names[0]), "%s", key);
		(void)snprintf(values->texts[values->n++], sizeof(values->texts[0]), "%s", value);
	}
}

static const char *value_of(void *context, const char *name)
{
	const struct values *values = context;

	for (size_t i = 0; i < values->n; i++)
		if (strcmp(values->names[i], name) == 0)
			return values->texts[i];
	return NULL;
}

static bool matters(const char *topic)
{
	return vl_view_of_lane(topic, strlen(topic)) >= 0 || strcmp(topic, VL_PULSE_LANE) == 0 ||
	       strcmp(topic, DEAD_LETTERS) == 0 || is_lane(topic, RECEIPTS) ||
	       is_lane(topic, DIRECTIVES);
}

static struct vl_unread *told(struct vl_settings *s, const struct vl_unread *unread)
{
	struct vl_unread *all = (struct vl_unread *)(void *)s->found.data;

	for (size_t i = 0; i < s->found.size / sizeof(*all); i++)
		if (strcmp(all[i].topic, unread->topic) == 0 &&
		    strcmp(all[i].name, unread->name) == 0)
			return &all[i];
	return NULL;
}

static void tell_new(struct vl_settings *s, struct vl_unread *found, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		found[i].since_ms = vl_time_ms(vl_clock_now(s->clock));
		if (told(s, &found[i]) != NULL)
			continue;
		vl_notes_put(&s->notes, &found[i], false);
		vl_buf_put(&s->found, &found[i], sizeof(found[i]));
	}
}

static void tell_over(struct vl_settings *s, const char *topic, const struct vl_unread *found,
		      size_t n)
{
	struct vl_unread *all = (struct vl_unread *)(void *)s->found.data;
	size_t count = s->found.size / sizeof(*all), kept = 0;

	for (size_t i = 0; i < count; i++) {
		bool still = strcmp(all[i].topic, topic) != 0;
		for (size_t k = 0; k < n; k++)
			still |= strcmp(all[i].topic, found[k].topic) == 0 &&
				 strcmp(all[i].name, found[k].name) == 0;
		if (still)
			all[kept++] = all[i];
		else
			vl_notes_put(&s->notes, &all[i], true);
	}
	s->found.size = kept * sizeof(*all);
}

/* What cannot be asked (no right to see a topic's settings) is not known to be wrong. */
static void look_at(struct vl_settings *s, struct vl_admin *admin, struct vl_consumer *asker,
		    const char *topic)
{
	struct vl_unread found[VL_SETTINGS_FOUND];
	struct values values = {0};
	struct vl_why why = {0};
	int32_t partitions = 0;

	enum vl_err err = vl_admin_settings(admin, topic, ASK_MS, keep_value, &values, &why);
	if (err == VL_OK)
		err = vl_consumer_partitions(asker, topic, ASK_MS, &partitions, &why);
	if (err != VL_OK) {
		vl_log_debug("cannot see the settings of '%s': %s", topic, vl_why_text(&why, err));
		return;
	}
	size_t n = vl_settings_judge(topic, partitions, value_of, &values, found);
	tell_over(s, topic, found, n);
	tell_new(s, found, n);
}

static void tell_again(struct vl_settings *s)
{
	const struct vl_unread *all = (const struct vl_unread *)(const void *)s->found.data;
	char text[VL_UNREAD_TEXT];

	for (size_t i = 0; i < s->found.size / sizeof(*all); i++)
		vl_log_warning("%s", vl_unread_text(&all[i], text));
}

/* Those of single missions, of which there are many, only when all is told again. */
static void look(struct vl_settings *s, struct vl_admin *admin, struct vl_consumer *asker)
{
	bool again = vl_monotonic_ms() >= s->again_ms;
	struct vl_buf names = {0};
	const char *const *list;
	size_t count = 0;

	if (vl_admin_list(admin, ASK_MS, &list, &count, NULL) != VL_OK)
		return;
	for (size_t i = 0; i < count; i++)
		if (matters(list[i]) && (again || strlen(list[i]) <= strlen(DIRECTIVES) ||
					 vl_view_of_lane(list[i], strlen(list[i])) >= 0))
			vl_buf_put(&names, list[i], strlen(list[i]) + 1);
	if (again && s->again_ms > 0)
		tell_again(s);
	for (size_t at = 0; !vl_buf_failed(&names) && at < names.size && !s->stop;) {
		const char *name = (const char *)names.data + at;
		at += strlen(name) + 1;
		look_at(s, admin, asker, name);
	}
	if (again)
		s->again_ms = vl_monotonic_ms() + AGAIN_MS;
	vl_buf_free(&names);
}

static void *watch(void *context)
{
	struct vl_settings *s = context;
	struct vl_consumer *asker = NULL;
	struct vl_admin *admin = NULL;
	int64_t next_ms = 0;

	if (vl_admin_open(s->pairs, s->n_pairs, &admin, NULL) == VL_OK &&
	    vl_consumer_open(s->pairs, s->n_pairs, &asker, NULL) == VL_OK)
		while (!s->stop) {
			if (vl_monotonic_ms() >= next_ms) {
				look(s, admin, asker);
				next_ms = vl_monotonic_ms() + LOOK_MS;
			}
			(void)poll(NULL, 0, NAP_MS);
		}
	vl_consumer_close(asker);
	vl_admin_close(admin);
	return NULL;
}

enum vl_err vl_settings_open(struct vl_store *store, const struct vl_conf_pair *pairs,
			     size_t n_pairs, const struct vl_clock *clock,
			     struct vl_settings **opened, struct vl_why *why)
{
	struct vl_settings *s = calloc(1, sizeof(*s));

	*opened = NULL;
	if (s == NULL)
		return VL_ERR_NOMEM;
	s->store = store;
	s->pairs = pairs;
	s->n_pairs = n_pairs;
	s->clock = clock;
	vl_notes_open(&s->notes);
	if (pthread_create(&s->thread, NULL, watch, s) != 0) {
		vl_notes_close(&s->notes);
		free(s);
		return vl_fail(why, VL_ERR_NOMEM, "cannot start a thread");
	}
	*opened = s;
	return VL_OK;
}

void vl_settings_close(struct vl_settings *s)
{
	if (s == NULL)
		return;
	s->stop = true;
	pthread_join(s->thread, NULL);
	vl_notes_close(&s->notes);
	vl_buf_free(&s->found);
	free(s);
}

enum vl_err vl_settings_note(struct vl_settings *s, struct vl_why *why)
{
	return vl_notes_write(&s->notes, s->store, why);
}
