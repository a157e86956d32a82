/*
 * The catalogue: the topics there are to be, read from YAML. Each document is a KafkaTopic as Strimzi's topic
 * operator reads it on Kubernetes, so that one file serves both.
 *
 * It is read strictly: a key that is not known, one that is missing, a topic that stands there twice, each is an
 * error that names the line and what to do.
 */
#ifndef VALISE_CLI_CATALOGUE_H
#define VALISE_CLI_CATALOGUE_H

#include "base/err.h"
#include "stream/stream.h"

#include <stddef.h>

struct vl_catalogue;

/* Read `path`. INVALID with the line where the file is not as it should be. */
enum vl_err vl_catalogue_open(const char *path, struct vl_catalogue **catalogue, struct vl_why *why) VL_CHECKED;
void vl_catalogue_close(struct vl_catalogue *catalogue);

/* The topics, in the file's order. They and their texts belong to the catalogue. */
size_t vl_catalogue_topics(const struct vl_catalogue *catalogue, const struct vl_topic **topics);

#endif
