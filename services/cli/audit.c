#include "cli/audit.h"

#include "bus/chain.h"
#include "bus/types.h"

#include <stdlib.h>
#include <string.h>

#define HALF sizeof(((struct cli_finding *)0)->half)

/* Batches that came one after another in an epoch: half of each digest, which is as hard to meet
 * by chance. */
struct run {
	uint64_t epoch, first;
	size_t count, room;
	uint8_t (*halves)[HALF];
};

/* A batch that came too early, or whose prev is not the chain's digest. */
struct waiting {
	struct vl_epoch epoch;
	struct vl_seq seq;
	struct vl_event_no first_event;
	struct vl_digest prev, digest;
	uint32_t n_events;
	int32_t partition;
	int64_t offset;
	size_t arrival;
	bool told; /* as a fork */
};

struct line {
	struct cli_audit_line shown;
	struct vl_chain chain;
	bool compacted;
	bool unkept;      /* some of its batches are not remembered */
	bool cut;         /* what waited was judged before the end */
	struct run *runs; /* by epoch and first */
	size_t n_runs, room_runs;
	struct waiting *waiting;
	size_t n_waiting, room_waiting, room_findings;
};

struct cli_audit {
	struct cli_audit_bounds bounds, used;
	struct line **lines;
	bool failed;
};

struct cli_audit *cli_audit_open(void)
{
	struct cli_audit *audit = calloc(1, sizeof(*audit));

	if (audit != NULL)
		audit->bounds = CLI_AUDIT_BOUNDS;
	return audit;
}

void cli_audit_bound(struct cli_audit *audit, const struct cli_audit_bounds *bounds)
{
	audit->bounds = *bounds;
}

void cli_audit_close(struct cli_audit *audit)
{
	if (audit == NULL)
		return;
	for (size_t i = 0; i < audit->used.lines; i++) {
		for (size_t r = 0; r < audit->lines[i]->n_runs; r++)
			free(audit->lines[i]->runs[r].halves);
		free(audit->lines[i]->runs);
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

static struct line *find_line(const struct cli_audit *audit, struct vl_bytes mission,
			      struct vl_bytes lane)
{
	for (size_t i = 0; i < audit->used.lines; i++)
		if (vl_bytes_are(mission, audit->lines[i]->shown.mission) &&
		    vl_bytes_are(lane, audit->lines[i]->shown.lane))
			return audit->lines[i];
	return NULL;
}

static struct line *line_of(struct cli_audit *audit, struct vl_bytes mission, struct vl_bytes lane)
{
	struct line *line = find_line(audit, mission, lane);

	if (line != NULL)
		return line;
	line = calloc(1, sizeof(*line));
	struct line **lines = realloc(audit->lines, (audit->used.lines + 1) * sizeof(*lines));
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
	audit->lines[audit->used.lines++] = line;
	return line;
}

/* Whom a record counts for. What is not authentic may name anybody. */
static struct line *line_for(struct cli_audit *audit, const struct vl_record *record,
			     enum vl_err verdict)
{
	static const struct vl_bytes nobody = {(const uint8_t *)"?", 1};
	struct vl_bytes lane = vl_topic_lane(record->topic);
	bool named = vl_mission_valid((const char *)record->key.data, record->key.size);

	if (named && verdict != VL_OK && audit->used.lines >= audit->bounds.lines)
		named = find_line(audit, record->key, lane) != NULL;
	return line_of(audit, named ? record->key : nobody, lane);
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
	if (shown->n_findings == CLI_FINDINGS || audit->used.findings >= audit->bounds.findings)
		return;
	struct cli_finding *moved = grow(audit, shown->findings, shown->n_findings,
					 &line->room_findings, sizeof(*moved));
	if (moved == NULL)
		return;
	shown->findings = moved;
	shown->findings[shown->n_findings++] = *finding;
	audit->used.findings++;
}

static void find_batch(struct cli_audit *audit, struct line *line, enum cli_finding_kind kind,
		       const struct waiting *w)
{
	struct cli_finding finding = {.kind = kind,
				      .epoch = w->epoch,
				      .seq = w->seq,
				      .last_seq = w->seq,
				      .partition = w->partition,
				      .offset = w->offset};

	memcpy(finding.half, w->digest.bytes, HALF);
	find(audit, line, &finding);
}

/* The fork that the batch was found to be already; NULL where it was not, or that was not kept. */
static struct cli_finding *found_fork(struct line *line, const struct waiting *w)
{
	for (size_t i = 0; i < line->shown.n_findings; i++) {
		struct cli_finding *f = &line->shown.findings[i];
		if (f->kind == CLI_FINDING_FORK && f->epoch.n == w->epoch.n &&
		    f->seq.n == w->seq.n && memcmp(f->half, w->digest.bytes, HALF) == 0)
			return f;
	}
	return NULL;
}

/* -- what was seen -- */

static bool before(uint64_t epoch, uint64_t seq, const struct run *run)
{
	return epoch != run->epoch ? epoch < run->epoch : seq < run->first;
}

/* Half of the digest of the batch at that place; NULL where it is not remembered. */
static const uint8_t *seen_at(const struct line *line, uint64_t epoch, uint64_t seq)
{
	size_t low = 0, high = line->n_runs;

	while (low < high) {
		size_t middle = (low + high) / 2;
		if (before(epoch, seq, &line->runs[middle]))
			high = middle;
		else
			low = middle + 1;
	}
	const struct run *run = low > 0 ? &line->runs[low - 1] : NULL;
	return run != NULL && run->epoch == epoch && seq - run->first < run->count
		       ? run->halves[seq - run->first]
		       : NULL;
}

/* The run that goes on with that batch, with room for it. */
static struct run *run_for(struct cli_audit *audit, struct line *line, uint64_t epoch, uint64_t seq)
{
	struct run *run = line->n_runs > 0 ? &line->runs[line->n_runs - 1] : NULL;

	if (run == NULL || run->epoch != epoch || run->first + run->count != seq) {
		struct run *runs =
			grow(audit, line->runs, line->n_runs, &line->room_runs, sizeof(*runs));
		if (runs == NULL)
			return NULL;
		line->runs = runs;
		run = &runs[line->n_runs++];
		*run = (struct run){.epoch = epoch, .first = seq};
	}
	uint8_t(*halves)[HALF] = grow(audit, run->halves, run->count, &run->room, sizeof(*halves));
	if (halves == NULL)
		return NULL;
	run->halves = halves;
	return run;
}

static void remember(struct cli_audit *audit, struct line *line, const struct waiting *w)
{
	if (audit->used.batches >= audit->bounds.batches) {
		line->unkept = true;
		return;
	}
	struct run *run = run_for(audit, line, w->epoch.n, w->seq.n);
	if (run == NULL)
		return;
	memcpy(run->halves[run->count++], w->digest.bytes, HALF);
	audit->used.batches++;
}

static struct vl_batch batch_of(const struct waiting *w)
{
	return (struct vl_batch){
		.head = {.epoch = w->epoch,
			 .seq = w->seq,
			 .first_event = w->first_event,
			 .prev = w->prev},
		.n_events = w->n_events,
	};
}

static void advance(struct cli_audit *audit, struct line *line, const struct waiting *w)
{
	struct vl_batch batch = batch_of(w);
	struct cli_finding *fork = w->told ? found_fork(line, w) : NULL;

	if (fork != NULL)
		fork->taken = true;
	vl_chain_advance(&line->chain, &batch, &w->digest);
	line->shown.batches++;
	line->shown.events += w->n_events;
	remember(audit, line, w);
}

static void judge_known(struct cli_audit *audit, struct line *line, const struct waiting *w)
{
	const uint8_t *seen = seen_at(line, w->epoch.n, w->seq.n);

	if (seen != NULL && memcmp(seen, w->digest.bytes, HALF) == 0)
		line->shown.replayed++;
	else if (seen == NULL && (line->unkept || line->cut))
		line->shown.unsure++;
	else if (line->compacted && seen == NULL)
		line->shown.replayed++; /* Kafka has forgotten the first time */
	else if (!w->told && found_fork(line, w) != NULL)
		line->shown.replayed++;
	else if (!w->told)
		find_batch(audit, line, CLI_FINDING_FORK, w);
}

static bool forgot(const struct vl_chain *chain, const struct waiting *w)
{
	return w->epoch.n > chain->epoch.n && vl_digest_equal(&w->prev, &(struct vl_digest){0});
}

static void settle(struct cli_audit *audit, struct line *line);

/* There is no room for one more that waits: who has most of them waits no longer. */
static void make_room(struct cli_audit *audit)
{
	struct line *most = NULL;

	for (size_t i = 0; i < audit->used.lines; i++)
		if (most == NULL || audit->lines[i]->n_waiting > most->n_waiting)
			most = audit->lines[i];
	if (most == NULL)
		return;
	most->cut = true;
	settle(audit, most);
}

static void wait_for_end(struct cli_audit *audit, struct line *line, const struct waiting *w)
{
	struct waiting *moved =
		grow(audit, line->waiting, line->n_waiting, &line->room_waiting, sizeof(*moved));

	if (moved == NULL)
		return;
	line->waiting = moved;
	line->waiting[line->n_waiting] = *w;
	line->waiting[line->n_waiting].arrival = line->n_waiting;
	line->n_waiting++;
	if (++audit->used.waiting >= audit->bounds.waiting)
		make_room(audit);
}

static void judge(struct cli_audit *audit, struct line *line, struct waiting *w)
{
	struct vl_batch batch = batch_of(w);

	/* Where Kafka has forgotten the first ones, the chain begins with what is there. */
	if (line->compacted && line->shown.batches == 0) {
		advance(audit, line, w);
		return;
	}
	switch (vl_chain_check(&line->chain, &batch)) {
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
	if (forgot(&line->chain, w)) {
		find_batch(audit, line, CLI_FINDING_ROLLBACK, w);
		advance(audit, line, w);
		return;
	}
	if (found_fork(line, w) != NULL) {
		line->shown.replayed++;
		return;
	}
	find_batch(audit, line, CLI_FINDING_FORK, w);
	w->told = true;
	wait_for_end(audit, line, w);
}

void cli_audit_add(struct cli_audit *audit, const struct vl_record *record, enum vl_err verdict,
		   const struct vl_verified *verified)
{
	struct line *line = line_for(audit, record, verdict);

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
	const struct vl_batch_head *head = &verified->batch.head;
	struct waiting w = {
		.epoch = head->epoch,
		.seq = head->seq,
		.first_event = head->first_event,
		.prev = head->prev,
		.digest = verified->digest,
		.n_events = (uint32_t)verified->batch.n_events,
		.partition = record->partition,
		.offset = record->offset,
	};
	judge(audit, line, &w);
}

/* -- the end -- */

static int by_place(const void *a, const void *b)
{
	const struct waiting *x = a, *y = b;

	if (x->epoch.n != y->epoch.n)
		return x->epoch.n < y->epoch.n ? -1 : 1;
	if (x->seq.n != y->seq.n)
		return x->seq.n < y->seq.n ? -1 : 1;
	return (x->arrival > y->arrival) - (x->arrival < y->arrival);
}

/* What is missing before a batch that is still ahead: in its own epoch, or the end of the one
 * before where it is seq 1. */
static void find_gap(struct cli_audit *audit, struct line *line, const struct waiting *w)
{
	bool same_epoch = w->epoch.n == line->chain.epoch.n;
	uint64_t first = same_epoch ? line->chain.seq.n + 1 : 1, last = w->seq.n - 1;

	if (!same_epoch && w->seq.n == 1)
		first = last = 0;
	find(audit, line,
	     &(struct cli_finding){.kind = CLI_FINDING_GAP,
				   .epoch = w->epoch,
				   .seq = {first},
				   .last_seq = {last},
				   .partition = w->partition,
				   .offset = w->offset});
}

static void settle_one(struct cli_audit *audit, struct line *line, const struct waiting *w)
{
	struct vl_batch batch = batch_of(w);

	switch (vl_chain_check(&line->chain, &batch)) {
	case VL_CHAIN_NEXT:
		break;
	case VL_CHAIN_KNOWN:
		judge_known(audit, line, w);
		return;
	case VL_CHAIN_AHEAD:
		if (!line->compacted)
			find_gap(audit, line, w);
		break;
	case VL_CHAIN_MISMATCH:
		if (!w->told)
			find_batch(audit, line,
				   forgot(&line->chain, w) ? CLI_FINDING_ROLLBACK
							   : CLI_FINDING_FORK,
				   w);
		break;
	}
	advance(audit, line, w);
}

static void settle(struct cli_audit *audit, struct line *line)
{
	if (line->n_waiting > 1)
		qsort(line->waiting, line->n_waiting, sizeof(*line->waiting), by_place);
	for (size_t i = 0; i < line->n_waiting; i++)
		settle_one(audit, line, &line->waiting[i]);
	audit->used.waiting -= line->n_waiting;
	line->n_waiting = 0;
}

static int by_name(const void *a, const void *b)
{
	const struct cli_audit_line *x = &(*(struct line *const *)a)->shown,
				    *y = &(*(struct line *const *)b)->shown;
	int order = strcmp(x->mission, y->mission);

	return order != 0 ? order : strcmp(x->lane, y->lane);
}

enum vl_err cli_audit_finish(struct cli_audit *audit)
{
	for (size_t i = 0; i < audit->used.lines; i++)
		settle(audit, audit->lines[i]);
	if (audit->used.lines > 1)
		qsort(audit->lines, audit->used.lines, sizeof(struct line *), by_name);
	return audit->failed ? VL_ERR_NOMEM : VL_OK;
}

/* -- what an officer has looked into -- */

/* Different batches of the epoch. */
static uint64_t batches_of(const struct line *line, struct vl_epoch epoch)
{
	uint64_t n = 0;

	for (size_t i = 0; i < line->n_runs; i++)
		n += line->runs[i].epoch == epoch.n ? line->runs[i].count : 0;
	for (size_t i = 0; i < line->shown.n_findings; i++) {
		const struct cli_finding *f = &line->shown.findings[i];
		n += f->kind == CLI_FINDING_FORK && f->epoch.n == epoch.n && !f->taken;
	}
	return n;
}

static bool has_epoch(const struct line *line, struct vl_epoch epoch)
{
	for (size_t i = 0; i < line->n_runs; i++)
		if (line->runs[i].epoch == epoch.n)
			return true;
	return false;
}

/* Where two agents have gone on with one past, each in an epoch of its own, all of one epoch is
 * beside the chain here, and a rollback at headquarters. */
static bool is_meant(const struct line *line, const struct cli_finding *f,
		     enum cli_finding_kind kind, struct vl_epoch epoch)
{
	if (f->epoch.n != epoch.n || f->acknowledged)
		return false;
	return f->kind == kind || (kind == CLI_FINDING_ROLLBACK && f->kind == CLI_FINDING_FORK &&
				   !has_epoch(line, epoch));
}

void cli_audit_acknowledge(struct cli_audit *audit, const char *mission, const char *lane,
			   enum cli_finding_kind kind, struct vl_epoch epoch, uint64_t batches)
{
	struct line *line = find_line(audit, vl_bytes_of(mission), vl_bytes_of(lane));
	struct cli_audit_line *shown = line != NULL ? &line->shown : NULL;

	if (shown == NULL || line->unkept || line->cut ||
	    shown->n_findings < shown->forks + shown->rollbacks + shown->gaps + shown->bad ||
	    (kind == CLI_FINDING_FORK && batches_of(line, epoch) > batches))
		return;
	for (size_t i = 0; i < shown->n_findings; i++) {
		struct cli_finding *f = &shown->findings[i];
		if (!is_meant(line, f, kind, epoch))
			continue;
		f->acknowledged = true;
		shown->rested_forks += f->kind == CLI_FINDING_FORK;
		shown->rested_rollbacks += f->kind == CLI_FINDING_ROLLBACK;
	}
}

size_t cli_audit_count(const struct cli_audit *audit)
{
	return audit->used.lines;
}

const struct cli_audit_line *cli_audit_at(const struct cli_audit *audit, size_t i)
{
	return &audit->lines[i]->shown;
}

const char *cli_audit_verdict(const struct cli_audit_line *line)
{
	if (line->forks > line->rested_forks)
		return "fork";
	if (line->rollbacks > line->rested_rollbacks)
		return "rollback";
	if (line->gaps > 0)
		return "gap";
	if (line->bad > 0)
		return "bad";
	return line->unsure > 0 ? "unsure" : "ok";
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
