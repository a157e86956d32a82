#include "cli/audit.h"

#include "bus/chain.h"
#include "bus/types.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_SLOTS ((size_t)64)

/* A batch whose place in the chain is taken. */
struct seen {
	uint64_t epoch, seq; /* seq 0: a free slot */
	struct vl_digest digest;
};

/* A batch that came too early, or whose prev is not the chain's digest. */
struct waiting {
	struct vl_batch batch; /* the head's numbers and prev; no texts, no events */
	struct vl_digest digest;
	int32_t partition;
	int64_t offset;
	size_t arrival;
	bool told; /* as a fork */
};

struct line {
	struct cli_audit_line shown;
	struct vl_chain chain;
	bool compacted;
	struct seen *slots;
	size_t n_slots, n_seen;
	struct waiting *waiting;
	size_t n_waiting, room_waiting, room_findings;
};

struct cli_audit {
	struct line **lines;
	size_t n_lines;
	bool failed;
};

struct cli_audit *cli_audit_open(void)
{
	return calloc(1, sizeof(struct cli_audit));
}

void cli_audit_close(struct cli_audit *audit)
{
	if (audit == NULL)
		return;
	for (size_t i = 0; i < audit->n_lines; i++) {
		free(audit->lines[i]->slots);
		free(audit->lines[i]->waiting);
		free(audit->lines[i]->shown.findings);
		free(audit->lines[i]);
	}
	free(audit->lines);
	free(audit);
}

/* -- lines -- */

static void set(char *text, size_t room, struct vl_bytes bytes)
{
	size_t n = bytes.size < room ? bytes.size : room - 1;

	memcpy(text, bytes.data, n);
	text[n] = '\0';
}

static struct line *line_of(struct cli_audit *audit, struct vl_bytes mission, struct vl_bytes lane)
{
	for (size_t i = 0; i < audit->n_lines; i++) {
		if (vl_bytes_are(mission, audit->lines[i]->shown.mission) &&
		    vl_bytes_are(lane, audit->lines[i]->shown.lane))
			return audit->lines[i];
	}
	struct line *line = calloc(1, sizeof(*line));
	struct line **lines = realloc(audit->lines, (audit->n_lines + 1) * sizeof(*lines));
	if (lines != NULL)
		audit->lines = lines;
	if (line == NULL || lines == NULL) {
		free(line);
		audit->failed = true;
		return NULL;
	}
	set(line->shown.mission, sizeof(line->shown.mission), mission);
	set(line->shown.lane, sizeof(line->shown.lane), lane);
	const struct vl_lane *known = vl_lane_named((const char *)lane.data, lane.size, NULL);
	line->compacted = known != NULL && known->compacted;
	audit->lines[audit->n_lines++] = line;
	return line;
}

/* Room for one more of `size` bytes; NULL, and the audit has failed, when out of memory. */
static void *grow(struct cli_audit *audit, void *items, size_t count, size_t *room, size_t size)
{
	if (count < *room)
		return items;
	size_t more = *room > 0 ? *room * 2 : 16;
	void *moved = realloc(items, more * size);
	if (moved == NULL)
		audit->failed = true;
	else
		*room = more;
	return moved;
}

static void find(struct cli_audit *audit, struct line *line, const struct cli_finding *finding)
{
	struct cli_audit_line *shown = &line->shown;

	switch (finding->kind) {
	case CLI_FINDING_FORK:
		shown->forks++;
		break;
	case CLI_FINDING_ROLLBACK:
		shown->rollbacks++;
		break;
	case CLI_FINDING_GAP:
		shown->gaps++;
		break;
	case CLI_FINDING_BAD:
		shown->bad++;
		break;
	}
	if (shown->n_findings == CLI_FINDINGS)
		return;
	struct cli_finding *moved =
		grow(audit, shown->findings, shown->n_findings, &line->room_findings, sizeof(*moved));
	if (moved == NULL)
		return;
	shown->findings = moved;
	shown->findings[shown->n_findings++] = *finding;
}

static void find_batch(struct cli_audit *audit, struct line *line, enum cli_finding_kind kind, const struct waiting *w)
{
	const struct vl_batch_head *head = &w->batch.head;

	find(audit, line,
	     &(struct cli_finding){.kind = kind,
				   .epoch = head->epoch,
				   .seq = head->seq,
				   .last_seq = head->seq,
				   .partition = w->partition,
				   .offset = w->offset});
}

/* -- what was seen -- */

static struct seen *slot_of(struct seen *slots, size_t n_slots, uint64_t epoch, uint64_t seq)
{
	size_t i = (size_t)((epoch * 0x9e3779b97f4a7c15U) ^ (seq * 0xc2b2ae3d27d4eb4fU)) & (n_slots - 1);

	while (slots[i].seq != 0 && (slots[i].epoch != epoch || slots[i].seq != seq))
		i = (i + 1) & (n_slots - 1);
	return &slots[i];
}

static bool more_slots(struct line *line)
{
	size_t n = line->n_slots > 0 ? line->n_slots * 2 : FIRST_SLOTS;
	struct seen *slots = calloc(n, sizeof(*slots));

	if (slots == NULL)
		return false;
	for (size_t i = 0; i < line->n_slots; i++) {
		if (line->slots[i].seq != 0)
			*slot_of(slots, n, line->slots[i].epoch, line->slots[i].seq) = line->slots[i];
	}
	free(line->slots);
	line->slots = slots;
	line->n_slots = n;
	return true;
}

static void advance(struct cli_audit *audit, struct line *line, const struct waiting *w)
{
	const struct vl_batch_head *head = &w->batch.head;

	vl_chain_advance(&line->chain, &w->batch, &w->digest);
	line->shown.batches++;
	line->shown.events += w->batch.n_events;
	if (2 * line->n_seen >= line->n_slots && !more_slots(line)) {
		audit->failed = true;
		return;
	}
	*slot_of(line->slots, line->n_slots, head->epoch.n, head->seq.n) =
		(struct seen){head->epoch.n, head->seq.n, w->digest};
	line->n_seen++;
}

static void judge_known(struct cli_audit *audit, struct line *line, const struct waiting *w)
{
	const struct vl_batch_head *head = &w->batch.head;
	const struct seen *seen =
		line->n_slots > 0 ? slot_of(line->slots, line->n_slots, head->epoch.n, head->seq.n) : NULL;

	if (seen != NULL && seen->seq != 0 && vl_digest_equal(&seen->digest, &w->digest))
		line->shown.replayed++;
	else if (line->compacted && seen != NULL && seen->seq == 0)
		line->shown.replayed++; /* Kafka has forgotten the first time */
	else if (!w->told)
		find_batch(audit, line, CLI_FINDING_FORK, w);
}

static bool forgot(const struct vl_chain *chain, const struct vl_batch *batch)
{
	return batch->head.epoch.n > chain->epoch.n && vl_digest_equal(&batch->head.prev, &(struct vl_digest){0});
}

static void wait_for_end(struct cli_audit *audit, struct line *line, const struct waiting *w)
{
	struct waiting *moved = grow(audit, line->waiting, line->n_waiting, &line->room_waiting, sizeof(*moved));

	if (moved == NULL)
		return;
	line->waiting = moved;
	line->waiting[line->n_waiting] = *w;
	line->waiting[line->n_waiting].arrival = line->n_waiting;
	line->n_waiting++;
}

static void judge(struct cli_audit *audit, struct line *line, struct waiting *w)
{
	/* Where Kafka has forgotten the first ones, the chain begins with what is there. */
	if (line->compacted && line->n_seen == 0) {
		advance(audit, line, w);
		return;
	}
	switch (vl_chain_check(&line->chain, &w->batch)) {
	case VL_CHAIN_NEXT:
		advance(audit, line, w);
		return;
	case VL_CHAIN_KNOWN:
		judge_known(audit, line, w);
		return;
	case VL_CHAIN_AHEAD:
		wait_for_end(audit, line, w);
		return;
	case VL_CHAIN_MISMATCH:
		break;
	}
	if (forgot(&line->chain, &w->batch)) {
		find_batch(audit, line, CLI_FINDING_ROLLBACK, w);
		advance(audit, line, w);
		return;
	}
	find_batch(audit, line, CLI_FINDING_FORK, w);
	w->told = true;
	wait_for_end(audit, line, w);
}

void cli_audit_add(struct cli_audit *audit, const struct vl_record *record, enum vl_err verdict,
		   const struct vl_verified *verified)
{
	static const struct vl_bytes nobody = {(const uint8_t *)"?", 1};
	bool named = vl_mission_valid((const char *)record->key.data, record->key.size);
	struct line *line = line_of(audit, named ? record->key : nobody, vl_topic_lane(record->topic));

	if (line == NULL)
		return;
	if (verdict != VL_OK) {
		line->shown.reasons[verdict]++;
		find(audit, line,
		     &(struct cli_finding){.kind = CLI_FINDING_BAD,
					   .reason = verdict,
					   .partition = record->partition,
					   .offset = record->offset});
		return;
	}
	if (verified->domain == VL_DOMAIN_DRILL) {
		line->shown.drills++;
		return;
	}
	struct waiting w = {
		.batch = verified->batch,
		.digest = verified->digest,
		.partition = record->partition,
		.offset = record->offset,
	};
	w.batch.events = NULL;
	judge(audit, line, &w);
}

/* -- the end -- */

static int by_place(const void *a, const void *b)
{
	const struct waiting *x = a, *y = b;
	const struct vl_batch_head *h = &x->batch.head, *g = &y->batch.head;

	if (h->epoch.n != g->epoch.n)
		return h->epoch.n < g->epoch.n ? -1 : 1;
	if (h->seq.n != g->seq.n)
		return h->seq.n < g->seq.n ? -1 : 1;
	return (x->arrival > y->arrival) - (x->arrival < y->arrival);
}

/* What is missing before a batch that is still ahead: in its own epoch, or the end of the one before where it is seq 1. */
static void find_gap(struct cli_audit *audit, struct line *line, const struct waiting *w)
{
	const struct vl_batch_head *head = &w->batch.head;
	bool same_epoch = head->epoch.n == line->chain.epoch.n;
	uint64_t first = same_epoch ? line->chain.seq.n + 1 : 1, last = head->seq.n - 1;

	if (!same_epoch && head->seq.n == 1)
		first = last = 0;
	find(audit, line,
	     &(struct cli_finding){.kind = CLI_FINDING_GAP,
				   .epoch = head->epoch,
				   .seq = {first},
				   .last_seq = {last},
				   .partition = w->partition,
				   .offset = w->offset});
}

static void settle(struct cli_audit *audit, struct line *line)
{
	if (line->n_waiting > 1)
		qsort(line->waiting, line->n_waiting, sizeof(*line->waiting), by_place);
	for (size_t i = 0; i < line->n_waiting; i++) {
		struct waiting *w = &line->waiting[i];
		switch (vl_chain_check(&line->chain, &w->batch)) {
		case VL_CHAIN_NEXT:
			break;
		case VL_CHAIN_KNOWN:
			judge_known(audit, line, w);
			continue;
		case VL_CHAIN_AHEAD:
			if (!line->compacted)
				find_gap(audit, line, w);
			break;
		case VL_CHAIN_MISMATCH:
			if (!w->told)
				find_batch(audit, line,
					   forgot(&line->chain, &w->batch) ? CLI_FINDING_ROLLBACK : CLI_FINDING_FORK,
					   w);
			break;
		}
		advance(audit, line, w);
	}
	line->n_waiting = 0;
}

static int by_name(const void *a, const void *b)
{
	const struct cli_audit_line *x = &(*(struct line *const *)a)->shown, *y = &(*(struct line *const *)b)->shown;
	int order = strcmp(x->mission, y->mission);

	return order != 0 ? order : strcmp(x->lane, y->lane);
}

enum vl_err cli_audit_finish(struct cli_audit *audit)
{
	for (size_t i = 0; i < audit->n_lines; i++)
		settle(audit, audit->lines[i]);
	if (audit->n_lines > 1)
		qsort(audit->lines, audit->n_lines, sizeof(struct line *), by_name);
	return audit->failed ? VL_ERR_NOMEM : VL_OK;
}

size_t cli_audit_count(const struct cli_audit *audit)
{
	return audit->n_lines;
}

const struct cli_audit_line *cli_audit_at(const struct cli_audit *audit, size_t i)
{
	return &audit->lines[i]->shown;
}

const char *cli_audit_verdict(const struct cli_audit_line *line)
{
	if (line->forks > 0)
		return "fork";
	if (line->rollbacks > 0)
		return "rollback";
	if (line->gaps > 0)
		return "gap";
	return line->bad > 0 ? "bad" : "ok";
}

const char *cli_finding_name(enum cli_finding_kind kind)
{
	switch (kind) {
	case CLI_FINDING_FORK:
		return "fork";
	case CLI_FINDING_ROLLBACK:
		return "rollback";
	case CLI_FINDING_GAP:
		return "gap";
	case CLI_FINDING_BAD:
		break;
	}
	return "bad";
}
