/*
 * The agent as a whole: the keeper, in this process, and the link, a process that it starts,
 * watches and restarts.
 */
#ifndef VALISE_AGENT_AGENT_H
#define VALISE_AGENT_AGENT_H

#include "agent/config.h"

/* Run until SIGTERM or SIGINT (ok), or until nothing more can be promised. The link is started,
 * from this same program with `--link FD --config path`, before the key is read. Every error is
 * logged. */
enum vl_err vl_agent_run(const struct vl_agent_config *config, const char *path) VL_CHECKED;

/* Before anything else, in both processes: no core files, no memory kept for nothing. */
void vl_agent_prepare(void);

#endif
