#include "agent/intake.h"

#include "agent/pipe.h"
#include "agent/relay.h"
#include "base/log.h"
#include "stream/stream.h"

#include <stdio.h>
#include <stdlib.h>

#define RECORDS_A_TURN 16
#define REOPEN_MIN_MS 1000
#define REOPEN_MAX_MS 60000
#define REST_MAX_MS 600000 /* a new consumer is a new connection */

/* Before the mission's own, which may say otherwise. */
static const struct vl_conf_pair thin[] = {
	{"queued.max.messages.kbytes", "256"},
	{"fetch.wait.max.ms", "10000"},
};
#define N_THIN (sizeof(thin) / sizeof(thin[0]))

const char *const vl_intake_topics[VL_INTAKE_TOPICS] = {VL_RECEIPT_LANE, VL_DIRECTIVE_LANE};
static const int64_t first_time[VL_INTAKE_TOPICS] = {VL_OFFSET_BEGINNING, VL_OFFSET_END};

/* One topic. */
struct source {
	struct vl_position position;
	int64_t rest_until, rest_ms; /* it is not there; 0: it is read */
};

struct vl_intake {
	const struct vl_agent_config *config;
	struct vl_consumer *consumer; /* NULL while backing off */
	struct source sources[VL_INTAKE_TOPICS];
	int64_t reopen_at, reopen_ms;
	struct vl_buf record; /* what the keeper has not taken yet */
	size_t at;
	bool more;
	enum vl_err told;
};

struct vl_intake *vl_intake_open(const struct vl_agent_config *config, const int64_t positions[VL_INTAKE_TOPICS])
{
	struct vl_intake *intake = calloc(1, sizeof(*intake));

	if (intake == NULL)
		return NULL;
	intake->config = config;
	for (size_t i = 0; i < VL_INTAKE_TOPICS; i++) {
		struct vl_position *position = &intake->sources[i].position;
		position->offset = positions[i] >= 0 ? positions[i] : first_time[i];
		(void)snprintf(position->topic, sizeof(position->topic), "%s", vl_intake_topics[i]);
	}
	return intake;
}

static void close_consumer(struct vl_intake *intake, int64_t now_ms)
{
	vl_consumer_abandon(intake->consumer);
	intake->consumer = NULL;
	intake->reopen_ms = vl_back_off(intake->reopen_ms, REOPEN_MIN_MS, REOPEN_MAX_MS);
	intake->reopen_at = now_ms + intake->reopen_ms;
}

void vl_intake_close(struct vl_intake *intake)
{
	if (intake == NULL)
		return;
	vl_consumer_close(intake->consumer);
	vl_buf_free(&intake->record);
	free(intake);
}

bool vl_intake_waits(const struct vl_intake *intake)
{
	return intake->record.size > 0;
}

bool vl_intake_more(const struct vl_intake *intake)
{
	return intake->more && intake->record.size == 0;
}

static void trouble(struct vl_intake *intake, enum vl_err err, const struct vl_why *why)
{
	if (err != intake->told)
		vl_log_warning("cannot read what headquarters says: %s; the outbox keeps everything, trying on",
			       vl_why_text(why, err));
	intake->told = err;
}

static struct source *find(struct vl_intake *intake, struct vl_bytes topic)
{
	for (size_t i = 0; i < VL_INTAKE_TOPICS; i++)
		if (vl_bytes_are(topic, vl_intake_topics[i]))
			return &intake->sources[i];
	return NULL;
}

static enum vl_err assign(struct vl_intake *intake, struct vl_why *why)
{
	struct vl_position positions[VL_INTAKE_TOPICS];
	size_t count = 0;

	for (size_t i = 0; i < VL_INTAKE_TOPICS; i++)
		if (intake->sources[i].rest_until == 0)
			positions[count++] = intake->sources[i].position;
	return vl_consumer_assign(intake->consumer, positions, count, why);
}

static enum vl_err open_consumer(struct vl_intake *intake, struct vl_why *why)
{
	size_t n = intake->config->n_kafka;
	struct vl_conf_pair *pairs = calloc(N_THIN + n, sizeof(*pairs));

	if (pairs == NULL)
		return VL_ERR_NOMEM;
	for (size_t i = 0; i < N_THIN + n; i++)
		pairs[i] = i < N_THIN ? thin[i] : intake->config->kafka[i - N_THIN];
	enum vl_err err = vl_consumer_open(pairs, N_THIN + n, &intake->consumer, why);
	if (err == VL_OK)
		err = assign(intake, why);
	free(pairs);
	return err;
}

/* A topic that is not there rests. An offset that Kafka no longer has: the topic was made anew, or somebody has deleted its oldest
 * records; the first time's place is as good. One that was compacted away is no such thing: Kafka reads on behind it. */
static void miss(struct vl_intake *intake, const struct vl_position *at, int64_t now_ms)
{
	struct source *source = find(intake, vl_bytes_of(at->topic));

	if (source == NULL)
		return;
	if (at->offset < 0) {
		source->rest_ms = vl_back_off(source->rest_ms, REOPEN_MIN_MS, REST_MAX_MS);
		source->rest_until = now_ms + source->rest_ms;
		intake->reopen_ms = 0; /* for the other's sake */
		return;
	}
	vl_log_info("'%s' no longer has offset %lld; reading what there is", at->topic, (long long)at->offset);
	source->position.offset = first_time[source - intake->sources];
}

/* Whether a topic has rested long enough; then the consumer is to be made anew, with it. */
static bool wake(struct vl_intake *intake, int64_t now_ms)
{
	bool woken = false;

	for (size_t i = 0; i < VL_INTAKE_TOPICS; i++) {
		struct source *source = &intake->sources[i];
		if (source->rest_until == 0 || now_ms < source->rest_until)
			continue;
		source->rest_until = 0;
		woken = true;
	}
	return woken;
}

static void take(struct vl_intake *intake, struct vl_message *message)
{
	const struct vl_record *record = vl_message_record(message);

	if (intake->told != VL_OK)
		vl_log_info("reading what headquarters says again");
	intake->told = VL_OK;
	intake->reopen_ms = 0;
	struct source *source = find(intake, record->topic);
	if (source != NULL) {
		source->position.offset = record->offset + 1;
		source->rest_ms = 0;
	}
	vl_relay_pack(record, &intake->record);
	if (vl_buf_failed(&intake->record))
		vl_buf_free(&intake->record);
	vl_message_free(message);
}

/* The keeper has the record, or there was none. */
static enum vl_err hand_over(struct vl_intake *intake, int keeper)
{
	if (intake->record.size == 0)
		return VL_OK;
	enum vl_err err = vl_pipe_send_record(keeper, vl_buf_bytes(&intake->record), &intake->at);
	if (err != VL_OK)
		return err;
	vl_buf_free(&intake->record);
	intake->at = 0;
	return VL_OK;
}

/* One record, or one complaint. False where there is nothing more for now. */
static bool read_one(struct vl_intake *intake, int64_t now_ms)
{
	struct vl_message *message;
	struct vl_position at = {.offset = VL_OFFSET_END};
	struct vl_why why = {0};
	enum vl_err err = vl_consumer_poll(intake->consumer, 0, &message, &at, &why);

	if (err == VL_OK) {
		take(intake, message);
		return true;
	}
	if (err == VL_ERR_END)
		return true;
	if (err == VL_ERR_TIMEOUT)
		return false;
	trouble(intake, err, &why);
	if (err == VL_ERR_NOT_FOUND)
		miss(intake, &at, now_ms);
	if (err != VL_ERR_UNREACHABLE)
		close_consumer(intake, now_ms);
	return false;
}

enum vl_err vl_intake_step(struct vl_intake *intake, int keeper, int64_t now_ms)
{
	struct vl_why why = {0};
	enum vl_err err = hand_over(intake, keeper);

	if (wake(intake, now_ms)) {
		vl_consumer_abandon(intake->consumer);
		intake->consumer = NULL;
	}
	if (err == VL_OK && intake->consumer == NULL && now_ms >= intake->reopen_at) {
		enum vl_err opened = open_consumer(intake, &why);
		if (opened != VL_OK) {
			trouble(intake, opened, &why);
			close_consumer(intake, now_ms);
		}
	}
	intake->more = false;
	for (int i = 0; err == VL_OK && intake->consumer != NULL && i < RECORDS_A_TURN; i++) {
		intake->more = read_one(intake, now_ms);
		if (!intake->more)
			break;
		err = hand_over(intake, keeper);
	}
	return err == VL_ERR_BUSY ? VL_OK : err;
}
