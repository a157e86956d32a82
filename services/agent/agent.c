#include "agent/agent.h"

#include "agent/keeper.h"
#include "agent/listen.h"
#include "agent/outbox/outbox.h"
#include "agent/pipe.h"
#include "agent/supervise.h"
#include "base/log.h"
#include "bus/keys.h"
#include "bus/ring.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define LAST_ANSWERS_MS 500
#define LINK_STOP_MS 3000

struct agent {
	const struct vl_agent_config *config;
	const char *path;             /* of its file */
	struct vl_agent_config again; /* as read last, where it was read again */
	int signals, listener;
	struct vl_child *link;
	struct vl_signer *signer;
	struct vl_ring *ring; /* NULL where no receipts are honoured */
	struct vl_outbox *outbox;
	struct vl_pulse *pulse;
	struct vl_keeper *keeper;
	bool stopping, hung_up;
};

void vl_agent_prepare(void)
{
	struct rlimit none = {0, 0};

	(void)setrlimit(RLIMIT_CORE, &none);
	/* One heap. What a commit takes and gives back stays in it for the next one, up to 4 MB:
	 * fetching fresh pages from the kernel each time was a fifth of the work. The biggest
	 * pieces are mapped, and go back at once. */
	(void)mallopt(M_ARENA_MAX, 1);
	(void)mallopt(M_MMAP_THRESHOLD, 512 << 10);
	(void)mallopt(M_TRIM_THRESHOLD, 4 << 20);
	(void)signal(SIGPIPE, SIG_IGN);
	/* Somebody's mistake must not end an agent. */
	(void)signal(SIGUSR1, SIG_IGN);
	(void)signal(SIGUSR2, SIG_IGN);
	(void)signal(SIGALRM, SIG_IGN);
}

static enum vl_err watch_signals(int *fd, struct vl_why *why)
{
	sigset_t signals;

	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGTERM);
	(void)sigaddset(&signals, SIGINT);
	(void)sigaddset(&signals, SIGHUP);
	(void)sigaddset(&signals, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &signals, NULL);
	*fd = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
	return *fd >= 0 ? VL_OK : vl_fail(why, VL_ERR_IO, "%s", strerror(errno));
}

/* Log what could not be done, and carry the error on. */
static enum vl_err told(const char *verb, const char *object, const struct vl_why *why,
			enum vl_err err)
{
	if (err != VL_OK)
		vl_log_cannot(verb, object, why, err);
	return err;
}

static enum vl_err open_ring(struct agent *agent)
{
	const char *path = agent->config->keys;
	struct vl_why why = {0};

	if (*path == '\0')
		return VL_OK;
	enum vl_err err = told("use keys", path, &why, vl_ring_open(path, &agent->ring, &why));
	for (size_t i = 0; err == VL_OK && vl_ring_fault(agent->ring, i) != NULL; i++)
		vl_log_error("a public key is left out: %s", vl_ring_fault(agent->ring, i));
	return err;
}

static enum vl_err open_outbox(struct agent *agent)
{
	const struct vl_agent_config *config = agent->config;
	struct vl_outbox_options options = {
		.path = config->outbox,
		.size = config->outbox_size,
		.batch_bytes = config->batch_bytes,
		.mission = config->mission,
		.signer = agent->signer,
		.clock = &vl_clock_system,
		.rand = &vl_rand_system,
		.mark = config->mark,
		.machine = config->machine,
	};
	struct vl_why why = {0};

	enum vl_err err = vl_outbox_open(&options, &agent->outbox, &why);
	if (err == VL_OK && vl_outbox_repaired(agent->outbox) > 0)
		vl_log_error("%u chains in the outbox had damaged heads, and go on in new "
			     "epochs; check this disk",
			     vl_outbox_repaired(agent->outbox));
	if (err == VL_OK && vl_outbox_rekeyed(agent->outbox))
		vl_log_warning(
			"the key is another one than last time: a new epoch begins on every lane");
	if (err == VL_OK && vl_outbox_resigned(agent->outbox) > 0)
		vl_log_info("%llu batches that wait here are signed with the present key",
			    (unsigned long long)vl_outbox_resigned(agent->outbox));
	if (err == VL_OK && vl_outbox_resigning(agent->outbox))
		vl_log_warning(
			"the outbox has no room to sign all waiting batches with the present "
			"key. The rest is sent with the signatures of the previous key, and is "
			"signed anew as room is made");
	if (err == VL_OK && vl_outbox_doubt(agent->outbox) != NULL)
		vl_log_warning("the outbox may be an old copy or a clone, %s: a new epoch "
			       "begins on every lane",
			       vl_outbox_doubt(agent->outbox));
	if (err == VL_OK && vl_outbox_lost(agent->outbox) > 0)
		vl_log_error("%llu damaged batches were put aside in the outbox (valise outbox "
			     "ls): report them to headquarters, and check this disk",
			     (unsigned long long)vl_outbox_lost(agent->outbox));
	return told("open outbox", config->outbox, &why, err);
}

static enum vl_err open_keeper(struct agent *agent)
{
	const struct vl_agent_config *config = agent->config;
	bool shared = config->n_users > 1 || config->users[0] != geteuid();
	struct vl_why why = {0};

	enum vl_err err = vl_listen(config->socket, shared, &agent->listener, &why);
	if (err != VL_OK)
		return told("listen on", config->socket, &why, err);
	struct vl_pulse_options pulse = {config->pulse, &vl_clock_system, VALISE_VERSION};
	agent->pulse = vl_pulse_open(&pulse);
	if (agent->pulse == NULL)
		return told("serve", config->socket, NULL, VL_ERR_NOMEM);
	struct vl_keeper_options options = {agent->outbox,   agent->listener, config->users,
					    config->n_users, agent->ring,     agent->pulse};
	err = vl_keeper_open(&options, &agent->keeper, &why);
	return told("serve", config->socket, &why, err);
}

/* The order matters: the link is another process before there is a key or an open outbox here. */
static enum vl_err open_all(struct agent *agent, const char *path)
{
	struct vl_why why = {0};

	enum vl_err err = told("watch", "signals", &why, watch_signals(&agent->signals, &why));
	if (err == VL_OK)
		err = told("start", "the link", &why, vl_child_open(path, &agent->link, &why));
	if (err != VL_OK)
		return err;
	(void)prctl(PR_SET_DUMPABLE, 0);
	err = vl_key_load(agent->config->key, agent->config->mission, &agent->signer, &why);
	if (told("use key", agent->config->key, &why, err) != VL_OK)
		return err;
	if (!vl_signer_locked(agent->signer))
		vl_log_warning("the secret key cannot be locked in memory, and may be written "
			       "to swap: raise the limit of locked memory (ulimit -l, "
			       "LimitMEMLOCK=)");
	err = open_ring(agent);
	if (err == VL_OK)
		err = open_outbox(agent);
	return err == VL_OK ? open_keeper(agent) : err;
}

static void introduce_link(struct agent *agent)
{
	struct vl_pipe_message ready = {.kind = VL_PIPE_COMMITTED};

	vl_keeper_set_link(agent->keeper, vl_child_pipe(agent->link));
	if (vl_child_pipe(agent->link) >= 0)
		(void)!vl_pipe_send(vl_child_pipe(agent->link), &ready);
}

static void hear_signals(struct agent *agent)
{
	struct signalfd_siginfo info;

	while (read(agent->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGHUP) {
			agent->hung_up = true;
		} else if (info.ssi_signo != SIGCHLD) {
			agent->stopping = true;
		} else if (vl_child_reap(agent->link, vl_monotonic_ms())) {
			vl_keeper_set_link(agent->keeper, -1);
			vl_child_forget_pipe(agent->link);
		}
	}
}

/* -- reading again -- */

/* What stays as it is until the agent is started anew. */
static void tell_what_stays(const struct agent *agent, const struct vl_agent_config *fresh)
{
	const struct vl_agent_config *old = agent->config;
	struct vl_signer *signer = NULL;
	struct vl_why why = {0};

	if (strcmp(fresh->mission, old->mission) != 0 || strcmp(fresh->outbox, old->outbox) != 0 ||
	    strcmp(fresh->mark, old->mark) != 0 || strcmp(fresh->socket, old->socket) != 0 ||
	    strcmp(fresh->machine, old->machine) != 0 || fresh->outbox_size != old->outbox_size ||
	    fresh->batch_bytes != old->batch_bytes)
		vl_log_warning("a change under [mission], [outbox], [batch] or [socket] path "
			       "needs a restart");
	enum vl_err err = vl_key_load(fresh->key, fresh->mission, &signer, &why);
	if (told("use key", fresh->key, &why, err) == VL_OK &&
	    memcmp(vl_signer_public(signer), vl_signer_public(agent->signer),
		   sizeof(struct vl_public_key)) != 0)
		vl_log_warning("'%s' holds another key now: restart the agent to sign with it",
			       fresh->key);
	vl_signer_close(signer);
}

/* Take over what can be while it runs; the link takes the rest, as it starts anew. What is bad
 * changes nothing. */
static void read_again(struct agent *agent)
{
	struct vl_agent_config fresh;
	struct vl_ring *ring = NULL;
	struct vl_why why = {0};

	agent->hung_up = false;
	enum vl_err err = vl_agent_config_open(agent->path, &fresh, &why);
	if (told("read again", agent->path, &why, err) == VL_OK && *fresh.keys != '\0')
		err = told("use keys", fresh.keys, &why, vl_ring_open(fresh.keys, &ring, &why));
	if (err != VL_OK) {
		vl_log_warning("what was in force stays so");
		vl_agent_config_close(&fresh);
		return;
	}
	tell_what_stays(agent, &fresh);
	struct vl_ring *old_ring = agent->ring;
	struct vl_agent_config old = agent->again;
	agent->again = fresh;
	agent->ring = ring;
	vl_keeper_renew(agent->keeper, agent->again.users, agent->again.n_users, ring);
	vl_pulse_renew(agent->pulse, agent->again.pulse);
	vl_child_renew(agent->link);
	vl_ring_close(old_ring);
	vl_agent_config_close(&old);
	vl_log_info("read again: '%s', %zu keys, %zu users; the link starts anew with it",
		    agent->path, ring != NULL ? vl_ring_count(ring) : 0, agent->again.n_users);
}

static int wait_ms(const struct agent *agent)
{
	int keeper = vl_keeper_timeout(agent->keeper),
	    link = vl_child_timeout(agent->link, vl_monotonic_ms());

	return link >= 0 && (keeper < 0 || link < keeper) ? link : keeper;
}

static enum vl_err serve(struct agent *agent, struct vl_why *why)
{
	struct pollfd fds[] = {
		{.fd = agent->signals, .events = POLLIN},
		{.fd = vl_keeper_fd(agent->keeper), .events = POLLIN},
	};
	enum vl_err err = VL_OK;

	while (err == VL_OK && !agent->stopping) {
		(void)poll(fds, 2, wait_ms(agent));
		if (fds[0].revents != 0)
			hear_signals(agent);
		if (agent->hung_up)
			read_again(agent);
		vl_child_watch(agent->link, vl_keeper_heard(agent->keeper), vl_monotonic_ms());
		if (vl_child_start_due(agent->link, vl_monotonic_ms()))
			introduce_link(agent);
		err = vl_keeper_step(agent->keeper, why);
	}
	return err;
}

/* Answer who can be answered, have the link end, and note the acks it still brought. */
static enum vl_err wind_up(struct agent *agent, enum vl_err err, struct vl_why *why)
{
	if (err != VL_OK) {
		/* No more commits; only the bad news goes out. */
		vl_keeper_set_link(agent->keeper, -1);
		vl_child_close(agent->link, 0);
		agent->link = NULL;
		return err;
	}
	vl_child_stop(agent->link, LINK_STOP_MS);
	return vl_keeper_finish(agent->keeper, LAST_ANSWERS_MS, why);
}

static void close_all(struct agent *agent)
{
	vl_keeper_close(agent->keeper);
	vl_pulse_close(agent->pulse);
	vl_child_close(agent->link, LINK_STOP_MS);
	if (agent->listener >= 0) {
		(void)unlink(agent->config->socket);
		(void)close(agent->listener);
	}
	vl_outbox_close(agent->outbox);
	vl_ring_close(agent->ring);
	vl_agent_config_close(&agent->again);
	vl_signer_close(agent->signer);
	if (agent->signals >= 0)
		(void)close(agent->signals);
}

enum vl_err vl_agent_run(const struct vl_agent_config *config, const char *path)
{
	struct agent agent = {.config = config, .path = path, .signals = -1, .listener = -1};
	struct vl_why why = {0};

	enum vl_err err = open_all(&agent, path);
	if (err == VL_OK) {
		introduce_link(&agent);
		vl_log_info("mission %s: ready on %s", config->mission, config->socket);
		err = serve(&agent, &why);
		err = told("keep", config->outbox, &why, wind_up(&agent, err, &why));
	}
	close_all(&agent);
	if (err == VL_OK)
		vl_log_info("mission %s: stopped", config->mission);
	return err;
}
