/*
 * Directives: headquarters asks a mission to send again what is missing.
 *
 * A gap (parked.h) that has stood for a while is asked for through headquarters' own agent
 * (mailbox.h, proto/valise/directive/v1): exactly what is missing, as of the last commit, and
 * never what lies in Kafka: neither what was passed over (passed.h) nor what was not read yet. A
 * cut tail, which a pulse has shown (pulse_tail.h), is asked for at once. While it stands it is
 * asked for again after twice as long each time, up to ten minutes; where it moves, somebody is
 * filling it, and it has its time again. Once it has closed it is forgotten. What stands is
 * looked for in the ledger, so that a start needs no memory.
 */
#ifndef VALISE_HQ_REPLY_DIRECTIVES_H
#define VALISE_HQ_REPLY_DIRECTIVES_H

#include "base/clock.h"
#include "store/store.h"

#define VL_DIRECTIVES_LOOK_MS 500 /* between looks into the ledger */
#define VL_DIRECTIVES_MAX_MS 600000

struct vl_directives;

/* Whether a lane was read to its end since then, as of the last commit: what has not come by
 * then is not in Kafka. */
typedef bool vl_directives_read(void *context, const char *lane, int64_t since_ms);

/* Store, text and clock stay the caller's. */
struct vl_directives_options {
	struct vl_store *store;
	const char *socket;  /* of headquarters' own agent; "": nothing is asked for */
	int64_t after_ms;    /* that a gap may stand; and the first pause, a second at least */
	int64_t patience_ms; /* with the agent (mailbox.h) */
	const struct vl_clock *clock;
	vl_directives_read *read; /* NULL: every lane always was */
	void *context;
};

enum vl_err vl_directives_open(const struct vl_directives_options *options,
			       struct vl_directives **directives, struct vl_why *why) VL_CHECKED;
void vl_directives_close(struct vl_directives *directives);

/* Look and ask, as far as that goes at once. Call often, between transactions; `now_ms` is
 * monotonic. */
void vl_directives_work(struct vl_directives *directives, int64_t now_ms);

#endif
