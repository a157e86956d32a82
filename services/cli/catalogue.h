/*
 * The catalogue: the topics there are to be, read from YAML. Each document is a KafkaTopic as
 * Strimzi's topic operator reads it on Kubernetes, so that one file serves both.
 *
 * A document whose topic's name ends with ".<MISSION>" is a pattern: it stands for a topic of
 * each mission, which vl_catalogue_address puts in its place.
 *
 * It is read strictly: a key that is not known, one that is missing, a topic that stands there
 * twice, each is an error that names the line and what to do.
 */
#ifndef VALISE_CLI_CATALOGUE_H
#define VALISE_CLI_CATALOGUE_H

#include "base/err.h"
#include "stream/stream.h"

#include <stddef.h>

struct vl_catalogue;

/* Read `path`. INVALID with the line where the file is not as it should be. */
enum vl_err vl_catalogue_open(const char *path, struct vl_catalogue **catalogue,
			      struct vl_why *why) VL_CHECKED;
void vl_catalogue_close(struct vl_catalogue *catalogue);

/* The patterns' names without ".<MISSION>", in the file's order; they belong to the catalogue,
 * and stay after addressing. */
size_t vl_catalogue_patterns(const struct vl_catalogue *catalogue, const char *const **names);

/* Put a topic of each of these missions in the place of every pattern; with none, only the
 * patterns go. */
enum vl_err vl_catalogue_address(struct vl_catalogue *catalogue, const char *const *missions,
				 size_t count) VL_CHECKED;

/* The topics, in the file's order, patterns among them until they are addressed. They and their
 * texts belong to the catalogue. */
size_t vl_catalogue_topics(const struct vl_catalogue *catalogue, const struct vl_topic **topics);

#endif
