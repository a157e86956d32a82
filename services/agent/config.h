/*
 * valise-agent's configuration file.
 *
 * Next: listen.h, its socket.
 */
#ifndef VALISE_AGENT_CONFIG_H
#define VALISE_AGENT_CONFIG_H

#include "base/conf.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define VL_AGENT_USERS 64

/* As read and checked. Texts belong to it. */
struct vl_agent_config {
	const char *mission, *key, *outbox, *socket, *users_text;
	const char *keys, *mark_text, *machine;
	char *mark; /* its path; config.c frees it */
	uint64_t outbox_size, batch_bytes, resend, pulse;
	uid_t users[VL_AGENT_USERS];
	size_t n_users;
	const struct vl_conf_pair *kafka;
	size_t n_kafka;
	struct vl_conf *conf;
};

/* The table that the file is read with and --help is printed from; ends with a NULL key. */
extern const struct vl_conf_key vl_agent_keys[];

/* Read a file and check its values; it opens nothing that the file names. Close also after an
 * error. */
enum vl_err vl_agent_config_open(const char *path, struct vl_agent_config *config,
				 struct vl_why *why) VL_CHECKED;
void vl_agent_config_close(struct vl_agent_config *config);

/* Try the things that it names, as far as that disturbs no running agent: the key file, the
 * Kafka properties. */
enum vl_err vl_agent_config_try(const struct vl_agent_config *config,
				struct vl_why *why) VL_CHECKED;

#endif
