#include "base/conf.h"

#include "base/ini.h"
#include "base/wrap.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
	int seen[MAX_KEYS]; /* the line where each was given, 0 for none */
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

static bool store(struct vl_conf *conf, const struct vl_conf_key *key, void *values,
		  const char *value)
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

static bool pass_through(struct vl_conf *conf, const char *section, const char *key,
			 const char *value)
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

static enum vl_err refuse_repeat(const struct vl_ini_item *item, int before, struct vl_why *why)
{
	if (before == 0)
		return vl_fail(why, VL_ERR_CONFIG, "line %d: [%s] %s is given twice", item->line,
			       item->section, item->key);
	return vl_fail(why, VL_ERR_CONFIG, "line %d: [%s] %s is given twice, also in line %d",
		       item->line, item->section, item->key, before);
}

static enum vl_err take_pair(struct reading *r, const struct vl_ini_item *item, struct vl_why *why)
{
	for (size_t i = 0; i < r->conf->n_pairs; i++)
		if (strcmp(r->conf->pairs[i].section, item->section) == 0 &&
		    strcmp(r->conf->pairs[i].pair.key, item->key) == 0)
			return refuse_repeat(item, 0, why);
	if (r->conf->n_pairs == MAX_PAIRS)
		return vl_fail(why, VL_ERR_CONFIG, "line %d: more than %d keys in [%s]", item->line,
			       MAX_PAIRS, item->section);
	return pass_through(r->conf, item->section, item->key, item->value) ? VL_OK : VL_ERR_NOMEM;
}

static enum vl_err refuse_value(const struct vl_ini_item *item, const struct vl_conf_key *key,
				struct vl_why *why)
{
	bool sized = key->type == VL_CONF_SIZE, counted = key->type == VL_CONF_COUNT;

	return vl_fail(why, VL_ERR_CONFIG, "line %d: [%s] %s: '%.40s' does not fit: %s%s",
		       item->line, item->section, item->key, item->value, key->help,
		       sized     ? "; a size is written 4096, 64k, 16M or 8G"
		       : counted ? "; a whole number, and a comment in a line of its own"
				 : "");
}

static bool is_quoted(const char *value)
{
	size_t length = strlen(value);

	return length >= 2 && (value[0] == '"' || value[0] == '\'') &&
	       value[length - 1] == value[0];
}

static enum vl_err take_item(void *context, const struct vl_ini_item *item, struct vl_why *why)
{
	struct reading *r = context;

	for (size_t i = 0; r->keys[i].key != NULL; i++) {
		const struct vl_conf_key *key = &r->keys[i];
		if (strcmp(key->section, item->section) != 0)
			continue;
		if (key->type == VL_CONF_ANY)
			return take_pair(r, item, why);
		if (strcmp(key->key, item->key) != 0)
			continue;
		if (r->seen[i] != 0)
			return refuse_repeat(item, r->seen[i], why);
		r->seen[i] = item->line;
		if (is_quoted(item->value))
			return vl_fail(why, VL_ERR_CONFIG,
				       "line %d: [%s] %s: write the value without quotes",
				       item->line, item->section, item->key);
		return store(r->conf, key, r->values, item->value) ? VL_OK
								   : refuse_value(item, key, why);
	}
	return vl_fail(why, VL_ERR_CONFIG,
		       "line %d: [%s] has no key '%.60s'; --help lists the keys there are",
		       item->line, item->section, item->key);
}

static enum vl_err fill_in(struct reading *r, struct vl_why *why)
{
	for (size_t i = 0; r->keys[i].key != NULL; i++) {
		const struct vl_conf_key *key = &r->keys[i];
		if (r->seen[i] != 0 || key->type == VL_CONF_ANY)
			continue;
		if (key->initial == NULL)
			return vl_fail(why, VL_ERR_CONFIG, "[%s] %s is missing: %s", key->section,
				       key->key, key->help);
		if (!store(r->conf, key, r->values, key->initial))
			return VL_ERR_NOMEM;
	}
	return VL_OK;
}

enum vl_err vl_conf_open(const char *path, const struct vl_conf_key *keys, void *values,
			 struct vl_conf **conf, struct vl_why *why)
{
	struct reading r = {.keys = keys, .values = values};

	*conf = NULL;
	r.conf = calloc(1, sizeof(*r.conf));
	if (r.conf == NULL)
		return VL_ERR_NOMEM;
	enum vl_err err = vl_ini_read(path, take_item, &r, why);
	if (err == VL_OK)
		err = fill_in(&r, why);
	if (err == VL_OK)
		*conf = r.conf;
	else
		vl_conf_close(r.conf);
	return err;
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

size_t vl_conf_pairs(const struct vl_conf *conf, const char *section,
		     const struct vl_conf_pair **pairs)
{
	struct vl_conf_pair *found = ((struct vl_conf *)conf)->found;
	size_t count = 0;

	for (size_t i = 0; i < conf->n_pairs; i++)
		if (strcmp(conf->pairs[i].section, section) == 0)
			found[count++] = conf->pairs[i].pair;
	*pairs = found;
	return count;
}

static void put_key(const struct vl_conf_key *key, size_t width, struct vl_buf *out)
{
	struct vl_buf help = {0};

	vl_buf_printf(&help, "%s%s", key->help, key->initial == NULL ? " (required)" : "");
	vl_wrap(out, vl_buf_text(&help), "# ", width);
	vl_buf_printf(out, "%s%s = %s\n", key->initial == NULL ? "" : "#", key->key,
		      key->initial != NULL ? key->initial : "");
	vl_buf_free(&help);
}

void vl_conf_print_help(const struct vl_conf_key *keys)
{
	size_t width = vl_wrap_width(STDOUT_FILENO);
	const char *section = "";
	struct vl_buf out = {0};

	for (; keys->key != NULL; keys++) {
		if (strcmp(section, keys->section) != 0)
			vl_buf_printf(&out, "%s[%s]\n", *section != '\0' ? "\n" : "",
				      keys->section);
		section = keys->section;
		if (keys->type == VL_CONF_ANY)
			vl_wrap(&out, keys->help, "# ", width);
		else
			put_key(keys, width, &out);
	}
	(void)fputs(vl_buf_text(&out), stdout);
	vl_buf_free(&out);
}
