#include "base/conf.h"

#include <errno.h>
#include <ini.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_KEYS 64
#define MAX_PAIRS 256

struct pair {
	char *section;
	struct vl_conf_pair pair;
};

struct vl_conf {
	char *texts[MAX_KEYS + MAX_PAIRS];
	size_t n_texts;
	struct pair pairs[MAX_PAIRS];
	size_t n_pairs;
	struct vl_conf_pair found[MAX_PAIRS];
};

struct reading {
	struct vl_conf *conf;
	const struct vl_conf_key *keys;
	void *values;
	struct vl_why *why;
	enum vl_err err;
	bool seen[MAX_KEYS];
	FILE *file;
	int line;
};

static char *keep(struct vl_conf *conf, const char *text)
{
	char *copy = strdup(text);
	if (copy != NULL && conf->n_texts < MAX_KEYS + MAX_PAIRS)
		conf->texts[conf->n_texts++] = copy;
	return copy;
}

static bool parse_number(const char *text, bool size, uint64_t *number)
{
	static const char units[] = "kMGT";
	char *end;
	errno = 0;
	unsigned long long n = strtoull(text, &end, 10);
	if (end == text || errno != 0 || text[0] == '-')
		return false;
	const char *unit = size && *end != '\0' ? strchr(units, *end) : NULL;
	if (unit != NULL) {
		unsigned shift = 10 * (unsigned)(unit - units + 1);
		if (n > UINT64_MAX >> shift)
			return false;
		n <<= shift;
		end++;
	}
	*number = n;
	return *end == '\0';
}

static bool store(struct vl_conf *conf, const struct vl_conf_key *key, void *values, const char *value)
{
	void *at = (char *)values + key->offset;
	switch (key->type) {
	case VL_CONF_TEXT:
	case VL_CONF_TEXTS: {
		char *copy = keep(conf, value);
		memcpy(at, &copy, sizeof(copy));
		return copy != NULL;
	}
	case VL_CONF_SIZE:
	case VL_CONF_COUNT: {
		uint64_t number;
		bool good = parse_number(value, key->type == VL_CONF_SIZE, &number);
		if (good)
			memcpy(at, &number, sizeof(number));
		return good;
	}
	case VL_CONF_ANY:
		break;
	}
	return false;
}

static bool pass_through(struct vl_conf *conf, const char *section, const char *key, const char *value)
{
	if (conf->n_pairs == MAX_PAIRS)
		return false;
	struct pair *pair = &conf->pairs[conf->n_pairs];
	pair->section = strdup(section);
	pair->pair.key = strdup(key);
	pair->pair.value = strdup(value);
	conf->n_pairs++;
	return pair->section != NULL && pair->pair.key != NULL && pair->pair.value != NULL;
}

/* Debian's inih tells its handler no line number, so the lines are counted as they are read. */
static char *read_line(char *text, int room, void *context)
{
	struct reading *r = context;
	char *read = fgets(text, room, r->file);

	r->line++;
	if (read != NULL && strchr(read, '\n') == NULL && !feof(r->file) && r->err == VL_OK)
		r->err = vl_fail(r->why, VL_ERR_CONFIG, "line %d is longer than %d characters", r->line, room - 2);
	return r->err == VL_OK ? read : NULL;
}

static int on_pair(void *context, const char *section, const char *name, const char *value)
{
	struct reading *r = context;
	int line = r->line;

	if (r->err != VL_OK)
		return 0;
	for (size_t i = 0; r->keys[i].key != NULL; i++) {
		const struct vl_conf_key *key = &r->keys[i];
		if (strcmp(key->section, section) != 0)
			continue;
		if (key->type == VL_CONF_ANY)
			return pass_through(r->conf, section, name, value);
		if (strcmp(key->key, name) != 0)
			continue;
		r->seen[i] = true;
		if (store(r->conf, key, r->values, value))
			return 1;
		r->err = vl_fail(r->why, VL_ERR_CONFIG, "line %d: [%s] %s: '%.40s' does not fit: %s", line, section,
				 name, value, key->help);
		return 0;
	}
	r->err = vl_fail(r->why, VL_ERR_CONFIG, "line %d: [%s] has no key '%.60s'; --help lists the keys there are",
			 line, section, name);
	return 0;
}

static enum vl_err fill_in(struct reading *r)
{
	for (size_t i = 0; r->keys[i].key != NULL; i++) {
		const struct vl_conf_key *key = &r->keys[i];
		if (r->seen[i] || key->type == VL_CONF_ANY)
			continue;
		if (key->initial == NULL)
			return vl_fail(r->why, VL_ERR_CONFIG, "[%s] %s is missing: %s", key->section, key->key,
				       key->help);
		if (!store(r->conf, key, r->values, key->initial))
			return VL_ERR_NOMEM;
	}
	return VL_OK;
}

enum vl_err vl_conf_open(const char *path, const struct vl_conf_key *keys, void *values, struct vl_conf **conf,
			 struct vl_why *why)
{
	struct reading r = {.keys = keys, .values = values, .why = why};

	*conf = NULL;
	r.conf = calloc(1, sizeof(*r.conf));
	if (r.conf == NULL)
		return VL_ERR_NOMEM;
	r.file = fopen(path, "r");
	int line = r.file != NULL ? ini_parse_stream(read_line, &r, on_pair, &r) : 0;
	if (r.file == NULL)
		r.err = vl_fail(why, errno == EACCES ? VL_ERR_PERMISSION : VL_ERR_CONFIG, "%s", strerror(errno));
	else if (line != 0 && r.err == VL_OK)
		r.err = vl_fail(why, VL_ERR_CONFIG, "line %d is neither [section], key = value, nor a comment", line);
	if (r.file != NULL)
		(void)fclose(r.file);
	if (r.err == VL_OK)
		r.err = fill_in(&r);
	if (r.err == VL_OK)
		*conf = r.conf;
	else
		vl_conf_close(r.conf);
	return r.err;
}

void vl_conf_close(struct vl_conf *conf)
{
	if (conf == NULL)
		return;
	for (size_t i = 0; i < conf->n_texts; i++)
		free(conf->texts[i]);
	for (size_t i = 0; i < conf->n_pairs; i++) {
		free(conf->pairs[i].section);
		free((char *)conf->pairs[i].pair.key);
		free((char *)conf->pairs[i].pair.value);
	}
	free(conf);
}

size_t vl_conf_pairs(const struct vl_conf *conf, const char *section, const struct vl_conf_pair **pairs)
{
	struct vl_conf_pair *found = ((struct vl_conf *)conf)->found;
	size_t count = 0;

	for (size_t i = 0; i < conf->n_pairs; i++)
		if (strcmp(conf->pairs[i].section, section) == 0)
			found[count++] = conf->pairs[i].pair;
	*pairs = found;
	return count;
}

void vl_conf_print_help(const struct vl_conf_key *keys)
{
	const char *section = "";

	for (; keys->key != NULL; keys++) {
		if (strcmp(section, keys->section) != 0)
			printf("%s[%s]\n", *section != '\0' ? "\n" : "", keys->section);
		section = keys->section;
		if (keys->type == VL_CONF_ANY)
			printf("# %s\n", keys->help);
		else
			printf("# %s%s\n%s%s = %s\n", keys->help, keys->initial == NULL ? " (required)" : "",
			       keys->initial == NULL ? "" : "#", keys->key, keys->initial != NULL ? keys->initial : "");
	}
}
