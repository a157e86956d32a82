/*
 * A program's configuration: an INI file, read against one table of its keys.
 *
 * Errors are an unknown section or key, a value that does not fit, and a missing required key. Each
 * names file and line. Any key is accepted in a section that the table marks as passed through,
 * such as [kafka].
 *
 * Next: ini.h, which reads the file.
 */
#ifndef VALISE_BASE_CONF_H
#define VALISE_BASE_CONF_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

enum vl_conf_type {
	VL_CONF_TEXT,  /* const char *; "" where not given */
	VL_CONF_SIZE,  /* uint64_t; 4096, 64k, 16M, 8G */
	VL_CONF_COUNT, /* uint64_t */
	VL_CONF_TEXTS, /* const char *: space- or comma-separated, kept as written */
	VL_CONF_ANY,   /* the section's keys are passed through; key is "*" */
};

/* One key. The value goes to `offset` in the caller's struct. */
struct vl_conf_key {
	const char *section, *key;
	enum vl_conf_type type;
	size_t offset;
	/* the value where the file gives none; NULL where the key is required */
	const char *initial;
	const char *help;
};

/* A pair passed through. */
struct vl_conf_pair {
	const char *key, *value;
};

struct vl_conf;

/* Read `path` into `*values` after `keys` (which ends with a NULL key). Texts belong to the
 * returned conf. */
enum vl_err vl_conf_open(const char *path, const struct vl_conf_key *keys, void *values,
			 struct vl_conf **conf, struct vl_why *why) VL_CHECKED;
void vl_conf_close(struct vl_conf *conf);

/* The pairs of a passed-through section, in the file's order. */
size_t vl_conf_pairs(const struct vl_conf *conf, const char *section,
		     const struct vl_conf_pair **pairs);

/* Print every key with its help and initial value to stdout, as a file to start from. */
void vl_conf_print_help(const struct vl_conf_key *keys);

#endif
