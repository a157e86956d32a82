/*
 * The agent as a whole: the keeper, in this process, and the link, a process that it starts,
 * watches and restarts.
 *
 * Next: config.h, its configuration.
 */
#ifndef VALISE_AGENT_AGENT_H
#define VALISE_AGENT_AGENT_H

#include "agent/config.h"

/* Run until SIGTERM or SIGINT (ok), or until its promises cannot be kept. The link is started
 * from this same program with `--link FD --config path`, before the key is read. Every error is
 * logged. */
enum vl_err vl_agent_run(const struct vl_agent_config *config, const char *path) VL_CHECKED;

/* Call it before anything else, in both processes: no core files, no memory kept without use. */
void vl_agent_prepare(void);

#endif
