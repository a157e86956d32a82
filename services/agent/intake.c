#include "agent/intake.h"

#include "agent/pipe.h"
#include "agent/relay.h"
#include "base/log.h"
#include "bus/record_pack.h"
#include "stream/reader.h"

#include <stdlib.h>

#define RECORDS_A_TURN 16
#define REOPEN_MIN_MS 1000
#define REOPEN_MAX_MS 60000
#define REST_MAX_MS 60000

/* Before the mission's own, which may say otherwise. */
static const struct vl_conf_pair thin[] = {
	{"queued.max.messages.kbytes", "256"},
	{"fetch.wait.max.ms", "10000"},
};
#define N_THIN (sizeof(thin) / sizeof(thin[0]))

/* Where each is read from the first time. */
static const int64_t first_time[VL_DOWN_TOPICS] = {
	[VL_DOWN_RECEIPTS] = VL_OFFSET_LAST,
	[VL_DOWN_DIRECTIVES] = VL_OFFSET_END,
	[VL_DOWN_ORDERS] = VL_OFFSET_END,
};

/* One topic. Its errors do not stop the reading of the others. */
struct source {
	struct vl_position position;
	int64_t rest_until, rest_ms; /* it is not there; 0: it is read */
	bool troubled;               /* it cannot be read, and that was reported */
};

struct vl_intake {
	const struct vl_agent_config *config;
	struct vl_conf_pair *pairs;
	struct vl_reader *reader; /* NULL while backing off */
	struct source sources[VL_DOWN_TOPICS];
	int64_t reopen_at, reopen_ms;
	struct vl_buf record; /* what the keeper has not taken yet */
	size_t at;
	bool more;
	enum vl_err told;
};

struct vl_intake *vl_intake_open(const struct vl_agent_config *config,
				 const int64_t positions[VL_DOWN_TOPICS])
{
	struct vl_intake *intake = calloc(1, sizeof(*intake));

	if (intake == NULL)
		return NULL;
	intake->config = config;
	for (size_t i = 0; i < VL_DOWN_TOPICS; i++) {
		struct vl_position *position = &intake->sources[i].position;
		position->offset = positions[i] >= 0 ? positions[i] : first_time[i];
		vl_down_topic((enum vl_down)i, config->mission, position->topic);
	}
	return intake;
}

/* Poll no more for a while. */
static void back_off(struct vl_intake *intake, int64_t now_ms)
{
	intake->reopen_ms = vl_back_off(intake->reopen_ms, REOPEN_MIN_MS, REOPEN_MAX_MS);
	intake->reopen_at = now_ms + intake->reopen_ms;
}

void vl_intake_close(struct vl_intake *intake)
{
	if (intake == NULL)
		return;
	vl_reader_close(intake->reader);
	free(intake->pairs);
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

bool vl_intake_searches(const struct vl_intake *intake)
{
	return intake->reader != NULL && vl_reader_working(intake->reader);
}

static void trouble(struct vl_intake *intake, enum vl_err err, const struct vl_why *why)
{
	if (err != intake->told)
		vl_log_warning("cannot read headquarters' topics: %s; the outbox keeps "
			       "everything, and the agent tries again",
			       vl_why_text(why, err));
	intake->told = err;
}

static enum vl_err open_reader(struct vl_intake *intake, struct vl_why *why)
{
	size_t n = intake->config->n_kafka;

	if (intake->pairs == NULL)
		intake->pairs = calloc(N_THIN + n, sizeof(*intake->pairs));
	if (intake->pairs == NULL)
		return VL_ERR_NOMEM;
	for (size_t i = 0; i < N_THIN + n; i++)
		intake->pairs[i] = i < N_THIN ? thin[i] : intake->config->kafka[i - N_THIN];
	enum vl_err err = vl_reader_open(intake->pairs, N_THIN + n, &intake->reader, why);
	for (size_t i = 0; err == VL_OK && i < VL_DOWN_TOPICS; i++)
		err = vl_reader_put(intake->reader, &intake->sources[i].position,
				    &intake->sources[i]);
	if (err != VL_OK) {
		vl_reader_close(intake->reader);
		intake->reader = NULL;
	}
	return err;
}

/* A topic that is not there rests. If Kafka no longer has an offset, the topic was made anew, or
 * its oldest records were deleted. Then begin as at the first time. A compacted offset is
 * different: Kafka reads on behind it. */
static void miss(struct vl_intake *intake, struct source *source, int64_t offset, int64_t now_ms)
{
	if (offset < 0) {
		source->rest_ms = vl_back_off(source->rest_ms, REOPEN_MIN_MS, REST_MAX_MS);
		source->rest_until = now_ms + source->rest_ms;
		return;
	}
	vl_log_info("'%s' no longer has offset %lld; reading the records that it has",
		    source->position.topic, (long long)offset);
	/* Where there is no last record, what comes next is the first. */
	int64_t first = first_time[source - intake->sources];
	source->position.offset = source->position.offset == first ? VL_OFFSET_END : first;
	source->rest_until = now_ms;
}

/* Read again what has rested long enough. */
static void wake(struct vl_intake *intake, int64_t now_ms)
{
	for (size_t i = 0; i < VL_DOWN_TOPICS; i++) {
		struct source *source = &intake->sources[i];
		if (source->rest_until == 0 || now_ms < source->rest_until)
			continue;
		if (vl_reader_put(intake->reader, &source->position, source) == VL_OK)
			source->rest_until = 0;
	}
}

/* One topic is read again. */
static void mend(struct source *source)
{
	if (source->troubled)
		vl_log_info("reading '%s' again", source->position.topic);
	source->troubled = false;
	source->rest_ms = 0;
}

static void take(struct vl_intake *intake, struct source *source, struct vl_message *message)
{
	static const struct vl_digest unknown; /* the keeper takes its own */
	const struct vl_record *record = vl_message_record(message);

	source->position.offset = record->offset + 1;
	vl_record_pack(&intake->record, record, &unknown);
	if (vl_buf_failed(&intake->record))
		vl_buf_free(&intake->record);
	vl_message_free(message);
}

static void take_news(struct vl_intake *intake, struct vl_news *news, int64_t now_ms)
{
	struct source *source = news->owner;

	if (news->kind == VL_NEWS_RECORD || news->kind == VL_NEWS_END) {
		if (intake->told != VL_OK)
			vl_log_info("reading headquarters' topics again");
		intake->told = VL_OK;
		intake->reopen_ms = 0;
		mend(source);
	}
	switch (news->kind) {
	case VL_NEWS_RECORD:
		take(intake, source, news->message);
		break;
	case VL_NEWS_END:
		/* Whatever comes next is new, also for another reader. */
		if (source->position.offset < 0 && news->at.offset >= 0)
			source->position.offset = news->at.offset;
		break;
	case VL_NEWS_TROUBLE:
		if (!source->troubled)
			vl_log_warning("cannot read '%s', the topic of headquarters' receipts "
				       "and requests: %s; the outbox keeps everything, and the "
				       "agent tries again",
				       source->position.topic, vl_why_text(&news->why, news->err));
		source->troubled = true;
		break;
	case VL_NEWS_PASSED:
		vl_log_error("'%s', offsets %lld to %lld: unreadable: %s; passed over: "
			     "headquarters repeats what it said there",
			     source->position.topic, (long long)news->at.offset,
			     (long long)news->to - 1, vl_why_text(&news->why, news->err));
		break;
	case VL_NEWS_LOST:
		if (news->at.offset < 0 && !source->troubled) {
			vl_log_warning("cannot read '%s': %s; headquarters makes it: valise "
				       "topic apply --keys DIR FILE; the outbox keeps "
				       "everything, trying on",
				       source->position.topic,
				       vl_why_text(&news->why, VL_ERR_NOT_FOUND));
			source->troubled = true;
		}
		miss(intake, source, news->at.offset, now_ms);
		break;
	}
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
	struct vl_news news;
	struct vl_why why = {0};
	enum vl_err err = vl_reader_poll(intake->reader, 0, &news, &why);

	if (err == VL_OK) {
		take_news(intake, &news, now_ms);
		return true;
	}
	if (err == VL_ERR_TIMEOUT)
		return false;
	trouble(intake, err, &why);
	if (err != VL_ERR_UNREACHABLE)
		back_off(intake, now_ms);
	return false;
}

enum vl_err vl_intake_step(struct vl_intake *intake, int keeper, int64_t now_ms)
{
	struct vl_why why = {0};
	enum vl_err err = hand_over(intake, keeper);

	intake->more = false;
	if (err == VL_OK && now_ms < intake->reopen_at)
		return VL_OK;
	if (err == VL_OK && intake->reader == NULL) {
		enum vl_err opened = open_reader(intake, &why);
		if (opened != VL_OK) {
			trouble(intake, opened, &why);
			back_off(intake, now_ms);
		}
	}
	if (intake->reader != NULL)
		wake(intake, now_ms);
	for (int i = 0; err == VL_OK && intake->reader != NULL && i < RECORDS_A_TURN; i++) {
		intake->more = read_one(intake, now_ms);
		if (!intake->more)
			break;
		err = hand_over(intake, keeper);
	}
	return err == VL_ERR_BUSY ? VL_OK : err;
}
