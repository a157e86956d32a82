#include "cli/addressed.h"

#include "base/log.h"
#include "bus/batch.h"
#include "bus/ring.h"
#include "bus/types.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The ids of all who are enrolled, each once, sorted; they belong to the ring. */
static const char **list_missions(const struct vl_ring *ring, size_t *count)
{
	size_t n = vl_ring_count(ring), found = 0, kept = 0;
	const char **missions = calloc(n + 1, sizeof(*missions));

	*count = 0;
	if (missions == NULL)
		return NULL;
	for (size_t i = 0; i < n; i++)
		if (!vl_ring_at(ring, i)->ended)
			missions[found++] = vl_ring_at(ring, i)->mission;
	qsort(missions, found, sizeof(*missions), by_text);
	for (size_t i = 0; i < found; i++)
		if (kept == 0 || strcmp(missions[kept - 1], missions[i]) != 0)
			missions[kept++] = missions[i];
	*count = kept;
	return missions;
}

enum vl_err cli_address(const struct cli_options *options, struct vl_catalogue *catalogue,
			struct vl_why *why)
{
	const char *const *patterns;
	size_t n_patterns = vl_catalogue_patterns(catalogue, &patterns), count;
	struct vl_ring *ring;

	if (n_patterns == 0)
		return VL_OK;
	if (options->keys == NULL)
		return vl_catalogue_address(catalogue, NULL, 0);
	enum vl_err err = vl_ring_open(options->keys, &ring, why);
	if (err != VL_OK)
		return err;
	const char **missions = list_missions(ring, &count);
	err = missions != NULL ? vl_catalogue_address(catalogue, missions, count) : VL_ERR_NOMEM;
	if (count == 0)
		vl_log_warning("'%s' holds no public keys; no mission has topics of its own",
			       options->keys);
	free(missions);
	vl_ring_close(ring);
	return err;
}

bool cli_comes_down(const char *topic)
{
	const struct vl_lane *lane = vl_lane_named(topic, strlen(topic), NULL);

	return lane != NULL && lane->addressed;
}

static bool is_wanted(const struct vl_catalogue *catalogue, const char *name)
{
	const struct vl_topic *topics;
	size_t count = vl_catalogue_topics(catalogue, &topics);

	for (size_t i = 0; i < count; i++)
		if (strcmp(topics[i].name, name) == 0)
			return true;
	return false;
}

/* Whether the name is a pattern's, with a mission's id or without. */
static bool is_by_pattern(const struct vl_catalogue *catalogue, const char *name, bool *bare)
{
	const char *const *patterns;
	size_t count = vl_catalogue_patterns(catalogue, &patterns);

	for (size_t i = 0; i < count; i++) {
		size_t size = strlen(patterns[i]);
		if (strncmp(name, patterns[i], size) != 0)
			continue;
		*bare = name[size] == '\0';
		if (*bare || (name[size] == '.' &&
			      vl_mission_valid(name + size + 1, strlen(name + size + 1))))
			return true;
	}
	return false;
}

enum vl_err cli_print_unused(const struct cli_options *options, struct vl_admin *admin,
			     const struct vl_catalogue *catalogue, int timeout_ms,
			     struct vl_why *why)
{
	const char *const *names, *const *patterns;
	size_t count, unused = 0, n_patterns = vl_catalogue_patterns(catalogue, &patterns);
	bool bare;

	if (n_patterns > 0 && options->keys == NULL)
		vl_log_warning("the topics of each mission (%s.<MISSION>%s) are left out, "
			       "since the enrolled senders are unknown. Give --keys DIR, the "
			       "folder of the senders' public keys, or set VALISE_KEYS",
			       patterns[0], n_patterns > 1 ? " and others" : "");
	enum vl_err err = vl_admin_list(admin, timeout_ms, &names, &count, why);
	for (size_t i = 0; err == VL_OK && i < count; i++) {
		if (!is_by_pattern(catalogue, names[i], &bare) || is_wanted(catalogue, names[i]))
			continue;
		/* Without keys the enrolled senders are unknown. */
		if (!bare && options->keys == NULL)
			continue;
		(void)printf("unused %s\n", names[i]);
		unused++;
	}
	if (unused > 0)
		vl_log_info("%zu topics are unused and stay as they are: no sender of that "
			    "name is enrolled, or an older version made them. kafka-topics.sh "
			    "--delete removes them",
			    unused);
	return err;
}
