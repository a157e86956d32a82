/*
 * The link: takes batches out of the outbox to Kafka. It has the network and its libraries, and
 * neither key nor right to write.
 *
 * What is in flight is a small window over the outbox; nothing else is held. FLASH and IMMEDIATE
 * have a producer with connections of their own, and the other lanes another, which gives way to
 * it on a thin line (sender.h). What the line carries is told to the keeper, which makes batches
 * to fit. Whatever fails, the answer is the same: a new producer, and on from what was acked.
 * Sending twice is harmless; headquarters knows each batch by its place. That is also what
 * happens where Kafka has acked and headquarters' receipt does not come (resend.h), or
 * headquarters asks (wishes.h). Receipts and directives are read here and judged by the keeper
 * (intake.h, inbox.h).
 */
#ifndef VALISE_AGENT_LINK_H
#define VALISE_AGENT_LINK_H

#include "agent/config.h"

/* Run until the keeper says stop or is gone (ok), or until only a new process can help. `keeper`
 * is the link's end of the pipe. */
enum vl_err vl_link_run(const struct vl_agent_config *config, int keeper,
			struct vl_why *why) VL_CHECKED;

#endif
