/*
 * The catalogue: the topics of the bus, read from YAML. Each document is a KafkaTopic as Strimzi's
 * topic operator reads it on Kubernetes, so that one file serves both.
 *
 * If a document's topic name ends with ".<MISSION>", it is a pattern: it stands for a topic of each
 * mission. vl_catalogue_address replaces it by these.
 *
 * It is read strictly. An unknown key, a missing key, and a topic given twice are each an error
 * that names the line and what to do.
 *
 * Next: addressed.h, the topics of each mission.
 */
#ifndef VALISE_CLI_CATALOGUE_H
#define VALISE_CLI_CATALOGUE_H

#include "base/err.h"
#include "stream/stream.h"

#include <stddef.h>

struct vl_catalogue;

/* Read `path`. INVALID, with the line, if the file has an error. */
enum vl_err vl_catalogue_open(const char *path, struct vl_catalogue **catalogue,
			      struct vl_why *why) VL_CHECKED;
void vl_catalogue_close(struct vl_catalogue *catalogue);

/* The patterns' names without ".<MISSION>", in the file's order; they belong to the catalogue,
 * and stay after addressing. */
size_t vl_catalogue_patterns(const struct vl_catalogue *catalogue, const char *const **names);

/* Replace every pattern by a topic for each of these missions. With none, the patterns are only
 * removed. */
enum vl_err vl_catalogue_address(struct vl_catalogue *catalogue, const char *const *missions,
				 size_t count) VL_CHECKED;

/* The topics, in the file's order, patterns among them until they are addressed. They and their
 * texts belong to the catalogue. */
size_t vl_catalogue_topics(const struct vl_catalogue *catalogue, const struct vl_topic **topics);

#endif
