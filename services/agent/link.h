/*
 * The link: sends batches from the outbox to Kafka. It has the network and its libraries, but no
 * key and no right to write to the outbox.
 *
 * A small window over the outbox is in flight, and the link holds nothing else. FLASH and IMMEDIATE
 * have a producer with connections of its own. The other lanes have another one, which gives way to
 * it on a slow line (sender.h). The link reports the speed of the line to the keeper, which makes
 * batches to fit.
 *
 * After any failure the link does the same: it opens a new producer, and goes on after the last
 * ack. Sending twice is harmless, since headquarters knows each batch by its number. It also sends
 * again if Kafka has acked and headquarters' receipt does not come (resend.h), or if headquarters
 * requests it (wishes.h). The link reads receipts and directives, and the keeper judges them
 * (intake.h, inbox.h).
 *
 * Next: sender.h, its producers.
 */
#ifndef VALISE_AGENT_LINK_H
#define VALISE_AGENT_LINK_H

#include "agent/config.h"

/* Run until the keeper says stop or is gone (ok), or until only a new process can help. `keeper`
 * is the link's end of the pipe. */
enum vl_err vl_link_run(const struct vl_agent_config *config, int keeper,
			struct vl_why *why) VL_CHECKED;

#endif
