/*
 * Directives: headquarters requests missing batches from a mission.
 *
 * If a gap (parked.h) has stood for a while, headquarters requests its batches through its own
 * agent (mailbox.h, proto/valise/directive/v1). It requests exactly the missing batches, as of the
 * last commit, and never batches that are in Kafka: neither passed ones (passed.h) nor unread ones.
 * A cut tail, which a pulse has shown (pulse_tail.h), is requested at once.
 *
 * While the gap stands, the request is repeated, each time after twice as long, up to ten minutes.
 * If the gap moves, batches are coming, and it has its time again. A closed gap is forgotten. Gaps
 * are found in the ledger, so that a start needs no memory.
 *
 * Next: hq/ingest/pulse.h, what the missions report.
 */
#ifndef VALISE_HQ_REPLY_DIRECTIVES_H
#define VALISE_HQ_REPLY_DIRECTIVES_H

#include "base/clock.h"
#include "store/store.h"

#define VL_DIRECTIVES_LOOK_MS 500 /* between looks into the ledger */
#define VL_DIRECTIVES_MAX_MS 600000

struct vl_directives;

/* Whether a lane was read to its end since then, as of the last commit. A batch that has not
 * come by then is not in Kafka. */
typedef bool vl_directives_read(void *context, const char *lane, int64_t since_ms);

/* Store, text and clock stay the caller's. */
struct vl_directives_options {
	struct vl_store *store;
	const char *socket;  /* of headquarters' own agent; "": nothing is requested */
	int64_t after_ms;    /* how long a gap may stand; and the first pause, a second at least */
	int64_t patience_ms; /* with the agent (mailbox.h) */
	const struct vl_clock *clock;
	vl_directives_read *read; /* NULL: every lane was always read */
	void *context;
};

enum vl_err vl_directives_open(const struct vl_directives_options *options,
			       struct vl_directives **directives, struct vl_why *why) VL_CHECKED;
void vl_directives_close(struct vl_directives *directives);

/* Look and request, without waiting. Call it often, between transactions; `now_ms` is monotonic. */
void vl_directives_work(struct vl_directives *directives, int64_t now_ms);

#endif
