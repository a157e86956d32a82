#include "cli/catalogue.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define MOST_TOPICS 1000
#define MOST_PARTITIONS 10000
#define MOST_REPLICAS 100
#define MOST_PATTERNS 16
#define PATTERN ".<MISSION>"

/* A topic's texts are copies of its own, as a YAML document goes when the next one is read. */
struct vl_catalogue {
	struct vl_topic *topics;
	size_t *lines; /* where each document begins */
	size_t count;
	char *patterns[MOST_PATTERNS];
	size_t n_patterns;
};

struct reading {
	struct vl_catalogue *catalogue;
	yaml_document_t *document;
	struct vl_topic *topic; /* the one being read */
	bool version, kind;     /* it has said so */
	struct vl_why *why;
	enum vl_err err;
};

/* One key that a mapping may have, and what is done with its value. */
struct known {
	const char *key;
	void (*read)(struct reading *r, const char *key, yaml_node_t *value);
};

/* -- errors -- */

static size_t line_of(const yaml_node_t *node)
{
	return node->start_mark.line + 1;
}

/* Only the first error is reported. */
__attribute__((format(printf, 3, 4))) static void wrong(struct reading *r, const yaml_node_t *node,
							const char *format, ...)
{
	char text[220];
	va_list args;

	if (r->err != VL_OK)
		return;
	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	r->err = vl_fail(r->why, VL_ERR_INVALID, "line %zu: %s", line_of(node), text);
}

/* -- values -- */

static const char *scalar(const yaml_node_t *node)
{
	return node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : NULL;
}

static const char *copy(struct reading *r, const char *text)
{
	const char *made = strdup(text);

	if (made == NULL && r->err == VL_OK)
		r->err = VL_ERR_NOMEM;
	return made;
}

/* A value that YAML itself would not read as "nothing". */
static const char *want_text(struct reading *r, const char *key, const yaml_node_t *value)
{
	const char *text = scalar(value);
	bool plain = text != NULL && value->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;

	if (text == NULL)
		wrong(r, value, "%s must be one value, not a list or a mapping", key);
	else if (strlen(text) != value->data.scalar.length)
		wrong(r, value, "%s has a NUL in it", key);
	else if (plain && (*text == '\0' || strcmp(text, "~") == 0 || strcmp(text, "null") == 0))
		wrong(r, value, "%s has no value: give it one, or take the line out", key);
	else
		return text;
	return NULL;
}

static int32_t want_count(struct reading *r, const char *key, const yaml_node_t *value, long most)
{
	const char *text = want_text(r, key, value);
	char *end;

	if (text == NULL)
		return 0;
	errno = 0;
	long number = strtol(text, &end, 10);
	if (errno == 0 && *end == '\0' && text[0] >= '0' && text[0] <= '9' && number >= 1 &&
	    number <= most)
		return (int32_t)number;
	wrong(r, value, "%s is '%.40s': make it a number from 1 to %ld", key, text, most);
	return 0;
}

/* -- mappings -- */

static bool seen_before(struct reading *r, const yaml_node_t *mapping, const yaml_node_pair_t *pair,
			const char *key)
{
	for (const yaml_node_pair_t *p = mapping->data.mapping.pairs.start; p < pair; p++) {
		const char *other = scalar(yaml_document_get_node(r->document, p->key));
		if (other != NULL && strcmp(other, key) == 0)
			return true;
	}
	return false;
}

static void unknown(struct reading *r, const yaml_node_t *node, const char *where, const char *key,
		    const struct known *known)
{
	char keys[120] = "";
	size_t used = 0;

	for (; known->key != NULL && used < sizeof(keys); known++)
		used += (size_t)snprintf(keys + used, sizeof(keys) - used, "%s%s",
					 used > 0 ? ", " : "", known->key);
	wrong(r, node, "%s has no '%.60s': take it out, or use one of %s", where, key, keys);
}

/* Give each pair of a mapping to the known key's reader; with a NULL `known`, all of them to
 * `any`. */
static void each_pair(struct reading *r, const char *where, const yaml_node_t *mapping,
		      const struct known *known,
		      void (*any)(struct reading *r, const char *key, yaml_node_t *value))
{
	if (mapping->type != YAML_MAPPING_NODE) {
		wrong(r, mapping, "%s must be a mapping of keys to values", where);
		return;
	}
	for (const yaml_node_pair_t *pair = mapping->data.mapping.pairs.start;
	     pair < mapping->data.mapping.pairs.top && r->err == VL_OK; pair++) {
		yaml_node_t *key_node = yaml_document_get_node(r->document, pair->key);
		const char *key = scalar(key_node);
		const struct known *k = known;
		if (key == NULL)
			wrong(r, key_node, "a key of %s is no text", where);
		else if (seen_before(r, mapping, pair, key))
			wrong(r, key_node, "%s has '%.60s' twice: take one out", where, key);
		if (r->err != VL_OK)
			return;
		while (k != NULL && k->key != NULL && strcmp(k->key, key) != 0)
			k++;
		if (k == NULL)
			any(r, key, yaml_document_get_node(r->document, pair->value));
		else if (k->key == NULL)
			unknown(r, key_node, where, key, known);
		else
			k->read(r, key, yaml_document_get_node(r->document, pair->value));
	}
}

/* -- a KafkaTopic -- */

static void read_nothing(struct reading *r, const char *key, yaml_node_t *value)
{
	(void)r, (void)key, (void)value;
}

static void read_version(struct reading *r, const char *key, yaml_node_t *value)
{
	const char *text = want_text(r, key, value);

	r->version = true;
	if (text != NULL && strcmp(text, "kafka.strimzi.io/v1") != 0 &&
	    strcmp(text, "kafka.strimzi.io/v1beta2") != 0)
		wrong(r, value, "%s is '%.60s': only kafka.strimzi.io/v1 and v1beta2 are known",
		      key, text);
}

static void read_kind(struct reading *r, const char *key, yaml_node_t *value)
{
	const char *text = want_text(r, key, value);

	r->kind = true;
	if (text != NULL && strcmp(text, "KafkaTopic") != 0)
		wrong(r, value, "%s is '%.60s': a catalogue holds only KafkaTopic", key, text);
}

/* How much of a name stands before the pattern's end; all of it where it is none. */
static size_t base_of(const char *name)
{
	size_t length = strlen(name), end = strlen(PATTERN);

	return length > end && strcmp(name + length - end, PATTERN) == 0 ? length - end : length;
}

static bool is_pattern(const char *name)
{
	return name[base_of(name)] != '\0';
}

static bool good_name(const char *name)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	size_t length = base_of(name);

	return length >= 1 && length <= VL_TOPIC_MAX && strspn(name, letters) >= length &&
	       strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static void set_name(struct reading *r, const char *key, yaml_node_t *value)
{
	const char *name = want_text(r, key, value);

	if (name == NULL)
		return;
	if (!good_name(name)) {
		wrong(r, value, "%s is '%.60s': a topic's name has 1 to %zu of a-z A-Z 0-9 . _ -",
		      key, name, VL_TOPIC_MAX);
		return;
	}
	free((char *)r->topic->name);
	r->topic->name = copy(r, name);
}

/* spec.topicName, where there is one, is the topic's name in Kafka; whichever of the two stands
 * first in the file. */
static void read_metadata_name(struct reading *r, const char *key, yaml_node_t *value)
{
	if (r->topic->name == NULL)
		set_name(r, key, value);
}

static void read_metadata(struct reading *r, const char *key, yaml_node_t *value)
{
	static const struct known known[] = {
		{"name", read_metadata_name},
		{"namespace", read_nothing},
		{"labels", read_nothing},
		{"annotations", read_nothing},
		{NULL, NULL},
	};

	each_pair(r, key, value, known, NULL);
}

static void read_partitions(struct reading *r, const char *key, yaml_node_t *value)
{
	r->topic->partitions = want_count(r, key, value, MOST_PARTITIONS);
}

static void read_replicas(struct reading *r, const char *key, yaml_node_t *value)
{
	r->topic->replicas = want_count(r, key, value, MOST_REPLICAS);
}

static void read_config(struct reading *r, const char *key, yaml_node_t *value)
{
	const char *text = want_text(r, key, value);

	if (text == NULL)
		return;
	if (r->topic->n_configs == VL_TOPIC_CONFIGS) {
		wrong(r, value, "config has more than %d keys", VL_TOPIC_CONFIGS);
		return;
	}
	struct vl_conf_pair *pair = &r->topic->configs[r->topic->n_configs++];
	pair->key = copy(r, key);
	pair->value = copy(r, text);
}

static void read_configs(struct reading *r, const char *key, yaml_node_t *value)
{
	each_pair(r, key, value, NULL, read_config);
}

static void read_spec(struct reading *r, const char *key, yaml_node_t *value)
{
	static const struct known known[] = {
		{"topicName", set_name},
		{"partitions", read_partitions},
		{"replicas", read_replicas},
		{"config", read_configs},
		{NULL, NULL},
	};

	each_pair(r, key, value, known, NULL);
}

static void read_document(struct reading *r, const yaml_node_t *root)
{
	static const struct known known[] = {
		{"apiVersion", read_version}, {"kind", read_kind},      {"metadata", read_metadata},
		{"spec", read_spec},          {"status", read_nothing}, {NULL, NULL},
	};
	const struct vl_topic *topic = r->topic;

	each_pair(r, "the document", root, known, NULL);
	if (r->err != VL_OK)
		return;
	if (!r->version || !r->kind)
		wrong(r, root, "this document does not say %s",
		      !r->kind ? "kind: KafkaTopic" : "apiVersion: kafka.strimzi.io/v1");
	else if (topic->name == NULL)
		wrong(r, root, "this topic has no name: add metadata: name:");
	else if (topic->partitions == 0)
		wrong(r, root, "topic '%.60s' has no spec: partitions: add it", topic->name);
	else if (topic->replicas == 0)
		wrong(r, root, "topic '%.60s' has no spec: replicas: add it", topic->name);
}

/* -- the file -- */

static void free_topic(struct vl_topic *topic)
{
	free((char *)topic->name);
	for (size_t i = 0; i < topic->n_configs; i++) {
		free((char *)topic->configs[i].key);
		free((char *)topic->configs[i].value);
	}
}

/* Room for one more, zeroed; it counts as soon as it is read. */
static struct vl_topic *next_topic(struct vl_catalogue *catalogue)
{
	struct vl_topic *topics =
		reallocarray(catalogue->topics, catalogue->count + 1, sizeof(*topics));

	if (topics == NULL)
		return NULL;
	catalogue->topics = topics;
	size_t *lines = reallocarray(catalogue->lines, catalogue->count + 1, sizeof(*lines));
	if (lines == NULL)
		return NULL;
	catalogue->lines = lines;
	memset(&topics[catalogue->count], 0, sizeof(*topics));
	return &topics[catalogue->count];
}

static void check_twice(struct reading *r, const yaml_node_t *root)
{
	const struct vl_catalogue *catalogue = r->catalogue;

	for (size_t i = 0; i + 1 < catalogue->count; i++)
		if (strcmp(catalogue->topics[i].name, r->topic->name) == 0)
			wrong(r, root, "topic '%.60s' stands at line %zu already: take one out",
			      r->topic->name, catalogue->lines[i]);
}

static void note_pattern(struct reading *r, const yaml_node_t *root)
{
	struct vl_catalogue *catalogue = r->catalogue;
	char *name = strndup(r->topic->name, base_of(r->topic->name));

	if (name == NULL)
		r->err = VL_ERR_NOMEM;
	else if (catalogue->n_patterns < MOST_PATTERNS)
		catalogue->patterns[catalogue->n_patterns++] = name;
	else {
		free(name);
		wrong(r, root, "more than %d topics' names end with " PATTERN, MOST_PATTERNS);
	}
}

static void add_document(struct reading *r, const yaml_node_t *root)
{
	struct vl_catalogue *catalogue = r->catalogue;

	if (catalogue->count == MOST_TOPICS) {
		wrong(r, root, "there are more than %d topics", MOST_TOPICS);
		return;
	}
	r->topic = next_topic(catalogue);
	if (r->topic == NULL) {
		r->err = VL_ERR_NOMEM;
		return;
	}
	catalogue->lines[catalogue->count++] = line_of(root);
	r->version = r->kind = false;
	read_document(r, root);
	if (r->err == VL_OK)
		check_twice(r, root);
	if (r->err == VL_OK && is_pattern(r->topic->name))
		note_pattern(r, root);
}

static void read_stream(struct reading *r, yaml_parser_t *parser)
{
	yaml_document_t document;

	for (bool more = true; more && r->err == VL_OK;) {
		if (!yaml_parser_load(parser, &document)) {
			r->err = vl_fail(r->why, VL_ERR_INVALID, "line %zu: %s",
					 parser->problem_mark.line + 1,
					 parser->problem != NULL ? parser->problem : "no YAML");
			return;
		}
		const yaml_node_t *root = yaml_document_get_root_node(&document);
		bool empty = root != NULL && root->type == YAML_SCALAR_NODE &&
			     root->data.scalar.length == 0;
		r->document = &document;
		more = root != NULL;
		if (more && !empty) /* nothing between two lines of --- is nothing */
			add_document(r, root);
		yaml_document_delete(&document);
	}
}

enum vl_err vl_catalogue_open(const char *path, struct vl_catalogue **catalogue, struct vl_why *why)
{
	struct reading r = {.why = why};
	yaml_parser_t parser;

	*catalogue = NULL;
	FILE *file = fopen(path, "r");
	if (file == NULL)
		return vl_fail(why, errno == ENOENT ? VL_ERR_NOT_FOUND : VL_ERR_IO, "%s",
			       strerror(errno));
	r.catalogue = calloc(1, sizeof(*r.catalogue));
	if (r.catalogue == NULL || !yaml_parser_initialize(&parser)) {
		free(r.catalogue);
		(void)fclose(file);
		return VL_ERR_NOMEM;
	}
	yaml_parser_set_input_file(&parser, file);
	read_stream(&r, &parser);
	yaml_parser_delete(&parser);
	(void)fclose(file);
	if (r.err == VL_OK && r.catalogue->count == 0)
		r.err = vl_fail(why, VL_ERR_INVALID,
				"it has no topic: add a document of kind KafkaTopic");
	if (r.err == VL_OK)
		*catalogue = r.catalogue;
	else
		vl_catalogue_close(r.catalogue);
	return r.err;
}

void vl_catalogue_close(struct vl_catalogue *catalogue)
{
	if (catalogue == NULL)
		return;
	for (size_t i = 0; i < catalogue->count; i++)
		free_topic(&catalogue->topics[i]);
	for (size_t i = 0; i < catalogue->n_patterns; i++)
		free(catalogue->patterns[i]);
	free(catalogue->topics);
	free(catalogue->lines);
	free(catalogue);
}

size_t vl_catalogue_patterns(const struct vl_catalogue *catalogue, const char *const **names)
{
	*names = (const char *const *)catalogue->patterns;
	return catalogue->n_patterns;
}

/* -- a topic of each mission -- */

static bool copy_configs(struct vl_topic *to, const struct vl_topic *from)
{
	for (size_t i = 0; i < from->n_configs; i++) {
		struct vl_conf_pair *pair = &to->configs[to->n_configs++];
		*pair = (struct vl_conf_pair){strdup(from->configs[i].key),
					      strdup(from->configs[i].value)};
		if (pair->key == NULL || pair->value == NULL)
			return false;
	}
	return true;
}

static bool add_addressed(struct vl_catalogue *to, const struct vl_topic *pattern, size_t line,
			  const char *mission)
{
	char name[VL_TOPIC_MAX + 1];
	struct vl_topic *topic = next_topic(to);

	(void)snprintf(name, sizeof(name), "%.*s.%s", (int)base_of(pattern->name), pattern->name,
		       mission);
	if (topic == NULL)
		return false;
	to->lines[to->count++] = line;
	topic->name = strdup(name);
	topic->partitions = pattern->partitions;
	topic->replicas = pattern->replicas;
	return topic->name != NULL && copy_configs(topic, pattern);
}

/* Moves what is no pattern; makes the topics of what is. */
static bool address_one(struct vl_catalogue *to, struct vl_topic *from, size_t line,
			const char *const *missions, size_t count)
{
	bool made = true;

	if (is_pattern(from->name)) {
		for (size_t i = 0; i < count && made; i++)
			made = add_addressed(to, from, line, missions[i]);
		return made;
	}
	struct vl_topic *topic = next_topic(to);
	if (topic == NULL)
		return false;
	to->lines[to->count++] = line;
	*topic = *from;
	*from = (struct vl_topic){0};
	return true;
}

enum vl_err vl_catalogue_address(struct vl_catalogue *catalogue, const char *const *missions,
				 size_t count)
{
	struct vl_catalogue made = {0};
	bool good = true;

	for (size_t i = 0; i < catalogue->count && good; i++)
		good = address_one(&made, &catalogue->topics[i], catalogue->lines[i], missions,
				   count);
	for (size_t i = 0; i < catalogue->count; i++)
		free_topic(&catalogue->topics[i]);
	free(catalogue->topics);
	free(catalogue->lines);
	catalogue->topics = made.topics;
	catalogue->lines = made.lines;
	catalogue->count = made.count;
	return good ? VL_OK : VL_ERR_NOMEM;
}

size_t vl_catalogue_topics(const struct vl_catalogue *catalogue, const struct vl_topic **topics)
{
	*topics = catalogue->topics;
	return catalogue->count;
}
