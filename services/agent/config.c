#include "agent/config.h"

#include "agent/outbox/outbox.h"
#include "bus/keys.h"
#include "stream/stream.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#define AT(field) offsetof(struct vl_agent_config, field)

const struct vl_conf_key vl_agent_keys[] = {
	{"mission", "id", VL_CONF_TEXT, AT(mission), NULL,
	 "the mission's id as enrolled, such as CN-SD-EMB"},
	{"mission", "key", VL_CONF_TEXT, AT(key), NULL, "path of its secret key file, mode 0600"},
	{"outbox", "path", VL_CONF_TEXT, AT(outbox), NULL,
	 "folder of the outbox, on a local disk; made if it is missing"},
	{"outbox", "size", VL_CONF_SIZE, AT(outbox_size), "8G",
	 "the most the outbox may hold, 16M or more; taken from the disk as it fills"},
	{"outbox", "mark", VL_CONF_TEXT, AT(mark_text), "",
	 "file that detects an old copy of the outbox. Keep it on another file system, and "
	 "never copy it with the outbox. Default: PATH.mark beside the outbox"},
	{"outbox", "machine", VL_CONF_TEXT, AT(machine), "/etc/machine-id",
	 "file that differs on each machine. It detects an outbox that was moved or cloned"},
	{"keys", "path", VL_CONF_TEXT, AT(keys), "",
	 "folder with headquarters' public key, HQ.pub; without it the agent accepts no "
	 "receipt or directive, and the outbox only grows"},
	{"receipts", "resend", VL_CONF_COUNT, AT(resend), "600",
	 "seconds that headquarters' receipt may take before a batch is sent again, 1 to "
	 "86400. Each time the wait is twice as long"},
	{"socket", "path", VL_CONF_TEXT, AT(socket), NULL,
	 "Unix socket that the mission's programs publish to"},
	{"socket", "users", VL_CONF_TEXTS, AT(users_text), "",
	 "users that may publish, names or uids; default: only the user that the agent runs as"},
	{"batch", "bytes", VL_CONF_SIZE, AT(batch_bytes), "256k",
	 "the most bytes of one batch that several events share, 1k to 1000000. A bigger event "
	 "travels alone. On a slow line batches are smaller: as much as it carries in two "
	 "seconds, 16k or more"},
	{"pulse", "every", VL_CONF_COUNT, AT(pulse), "60",
	 "seconds between two pulses, 86400 at most; 0 sends none. By its pulses headquarters "
	 "sees that the mission's agent runs, and that no batch of it is missing"},
	{"kafka", "*", VL_CONF_ANY, 0, NULL,
	 "any property of librdkafka, such as bootstrap.servers = kafka.example.org:9093 "
	 "(required)"},
	{NULL, NULL, VL_CONF_TEXT, 0, NULL, NULL},
};

static enum vl_err find_user(const char *name, uid_t *uid, struct vl_why *why)
{
	char *end;
	unsigned long number = strtoul(name, &end, 10);

	if (*end == '\0' && number < (uid_t)-1) {
		*uid = (uid_t)number;
		return VL_OK;
	}
	const struct passwd *user = getpwnam(name);
	if (user == NULL)
		return vl_fail(why, VL_ERR_CONFIG, "[socket] users: there is no user '%.40s' here",
			       name);
	*uid = user->pw_uid;
	return VL_OK;
}

static enum vl_err find_users(struct vl_agent_config *config, struct vl_why *why)
{
	char *text = strdup(config->users_text), *rest = NULL;
	enum vl_err err = text != NULL ? VL_OK : VL_ERR_NOMEM;

	for (char *name = strtok_r(text, ", \t", &rest); err == VL_OK && name != NULL;
	     name = strtok_r(NULL, ", \t", &rest)) {
		if (config->n_users == VL_AGENT_USERS)
			err = vl_fail(why, VL_ERR_CONFIG, "[socket] users: names more than %d",
				      VL_AGENT_USERS);
		else
			err = find_user(name, &config->users[config->n_users++], why);
	}
	free(text);
	if (err == VL_OK && config->n_users == 0)
		config->users[config->n_users++] = geteuid();
	return err;
}

static enum vl_err check(const struct vl_agent_config *config, struct vl_why *why)
{
	if (!vl_mission_valid(config->mission, strlen(config->mission)))
		return vl_fail(why, VL_ERR_CONFIG,
			       "[mission] id: '%.40s' is none; give " VL_MISSION_RULE,
			       config->mission);
	if (*config->key == '\0' || *config->outbox == '\0' || *config->socket == '\0')
		return vl_fail(why, VL_ERR_CONFIG,
			       "[mission] key, [outbox] path and [socket] path must not be empty");
	if (strlen(config->socket) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return vl_fail(
			why, VL_ERR_CONFIG,
			"[socket] path: is longer than a socket's may be; give a shorter one");
	if (config->outbox_size < VL_OUTBOX_SIZE_MIN)
		return vl_fail(why, VL_ERR_CONFIG, "[outbox] size: is too small; give 16M or more");
	if (config->resend < 1 || config->resend > 86400)
		return vl_fail(why, VL_ERR_CONFIG, "[receipts] resend: give 1 to 86400 seconds");
	if (config->pulse > 86400)
		return vl_fail(why, VL_ERR_CONFIG, "[pulse] every: give 0 to 86400 seconds");
	if (config->batch_bytes < VL_OUTBOX_BATCH_MIN || config->batch_bytes > VL_BATCH_MAX)
		return vl_fail(why, VL_ERR_CONFIG, "[batch] bytes: give 1k to 1000000");
	return VL_OK;
}

/* Beside the outbox where nothing else is said, never in it. */
static enum vl_err place_mark(struct vl_agent_config *config, struct vl_why *why)
{
	size_t size = strlen(config->outbox);

	while (size > 1 && config->outbox[size - 1] == '/')
		size--;
	if (*config->mark_text != '\0')
		config->mark = strdup(config->mark_text);
	else if (asprintf(&config->mark, "%.*s.mark", (int)size, config->outbox) < 0)
		config->mark = NULL;
	if (config->mark == NULL)
		return VL_ERR_NOMEM;
	if (strncmp(config->mark, config->outbox, size) == 0 && config->mark[size] == '/')
		return vl_fail(why, VL_ERR_CONFIG,
			       "[outbox] mark: is inside the outbox, and would be copied with "
			       "it; put it elsewhere");
	return VL_OK;
}

enum vl_err vl_agent_config_open(const char *path, struct vl_agent_config *config,
				 struct vl_why *why)
{
	*config = (struct vl_agent_config){0};
	enum vl_err err = vl_conf_open(path, vl_agent_keys, config, &config->conf, why);
	if (err != VL_OK)
		return err;
	config->n_kafka = vl_conf_pairs(config->conf, "kafka", &config->kafka);
	err = check(config, why);
	if (err == VL_OK)
		err = place_mark(config, why);
	return err == VL_OK ? find_users(config, why) : err;
}

void vl_agent_config_close(struct vl_agent_config *config)
{
	vl_conf_close(config->conf);
	free(config->mark);
	*config = (struct vl_agent_config){0};
}

static void nothing(void *context, uint64_t tag, enum vl_err err, int32_t partition, int64_t offset)
{
	(void)context, (void)tag, (void)err, (void)partition, (void)offset;
}

enum vl_err vl_agent_config_try(const struct vl_agent_config *config, struct vl_why *why)
{
	struct vl_producer_options options = {.pairs = config->kafka,
					      .n_pairs = config->n_kafka,
					      .window_bytes = 1,
					      .window_records = 1,
					      .acked = nothing};
	struct vl_producer *producer;
	struct vl_signer *signer;

	enum vl_err err = vl_key_load(config->key, config->mission, &signer, why);
	if (err != VL_OK)
		return err;
	vl_signer_close(signer);
	err = vl_producer_open(&options, &producer, why);
	if (err == VL_OK)
		vl_producer_close(producer, 0);
	return err;
}
