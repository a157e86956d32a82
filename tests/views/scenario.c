#include "scenario.h"

#include "bus/json.h"
#include "bus/types.h"
#include "bus/wire.h"
#include "hq/fold/views.h"
#include "valise/v1/view.pb-c.h"

#include <glob.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((format(printf, 3, 4), noreturn)) static void wrong(const char *path, size_t line,
								  const char *format, ...)
{
	va_list args;

	(void)fprintf(stderr, "%s:%zu: ", path, line);
	va_start(args, format);
	(void)vfprintf(stderr, format, args);
	va_end(args);
	(void)fputc('\n', stderr);
	exit(1);
}

/* -- reading -- */

/* The next word of the line, or what is in quotes; NULL at its end or where JSON begins. */
static char *take_word(char **at)
{
	char *word = *at + strspn(*at, " \t"), end = ' ';

	*at = word;
	if (*word == '\0' || *word == '{')
		return NULL;
	if (*word == '"')
		end = *word++;
	*at = word;
	while (**at != '\0' && **at != end)
		(*at)++;
	if (**at != '\0')
		*(*at)++ = '\0';
	return word;
}

static void *one_more(struct vl_arena *arena, void *items, size_t count, size_t size)
{
	if ((count & (count - 1)) != 0)
		return items;
	void *larger = vl_arena_alloc(arena, (count == 0 ? 1 : 2 * count) * size);
	if (larger == NULL)
		abort();
	if (count > 0)
		memcpy(larger, items, count * size);
	return larger;
}

static size_t named(const struct scenario *s, const char *name, size_t line)
{
	for (size_t i = s->n_events; i-- > 0;)
		if (s->events[i].name != NULL && strcmp(s->events[i].name, name) == 0)
			return i;
	wrong(s->path, line, "no event is called '%s'", name);
}

static void unpack(struct scenario *s, struct scenario_event *event)
{
	const Google__Protobuf__Any *any = event->event->payload;
	size_t length;
	const char *name =
		any == NULL ? "" : vl_type_name(any->type_url, strlen(any->type_url), &length);
	const ProtobufCMessageDescriptor *type = any == NULL ? NULL : vl_type_find(name, length);

	if (type == NULL)
		wrong(s->path, event->line, "it has no payload that is an event of a lane");
	if (event->event->occurred_at == NULL || event->event->subject[0] == '\0')
		wrong(s->path, event->line, "it needs a subject and occurredAt");
	event->payload =
		vl_wire_unpack(type, (struct vl_bytes){any->value.data, any->value.len}, s->arena);
	if (event->payload == NULL)
		abort();
	int view = vl_view_of_lane(type->package_name, strlen(type->package_name));
	if (view < 0)
		wrong(s->path, event->line, "%s has no view", type->package_name);
	event->view = (size_t)view;
}

static void read_event(struct scenario *s, char *at, size_t line)
{
	struct scenario_event event = {.mission = take_word(&at), .after = SIZE_MAX, .line = line};
	struct vl_why why = {0};
	ProtobufCMessage *message;
	char *word = take_word(&at);

	if (word != NULL && strcmp(word, "after") != 0) {
		event.name = word;
		word = take_word(&at);
	}
	if (word != NULL && strcmp(word, "after") == 0) {
		char *other = take_word(&at);
		event.after = named(s, other != NULL ? other : "", line);
	}
	enum vl_err err = vl_json_parse(&valise__v1__event__descriptor, at, strlen(at), s->arena,
					&message, &why);
	if (err != VL_OK)
		wrong(s->path, line, "%s", vl_why_text(&why, err));
	event.event = (const Valise__V1__Event *)(const void *)message;
	unpack(s, &event);
	s->events = one_more(s->arena, s->events, s->n_events, sizeof(*s->events));
	s->events[s->n_events++] = event;
}

/* A kind of the first event's lane, or of the one named before a '/'. */
static void find_kind(const struct scenario *s, struct scenario_row *row)
{
	const char *kind = strchr(row->named, '/');
	char noun[64];
	int view = s->n_events > 0 ? (int)s->events[0].view : -1;

	if (kind != NULL) {
		(void)snprintf(noun, sizeof(noun), "%.*s", (int)(kind - row->named), row->named);
		view = vl_view_of_noun(noun);
	}
	kind = kind != NULL ? kind + 1 : row->named;
	int found = view >= 0 ? vl_view_kind(vl_views[view], kind) : -1;
	if (found < 0)
		wrong(s->path, row->line, "there is no kind '%s'", row->named);
	row->view = (size_t)view;
	row->kind = (unsigned)found;
}

static void read_row(struct scenario *s, char *at, size_t line, bool rules)
{
	struct scenario_row row = {.named = take_word(&at), .key = take_word(&at), .line = line};
	char *word;

	if (row.named == NULL || row.key == NULL)
		wrong(s->path, line, "a row has a kind and a key");
	find_kind(s, &row);
	while (rules && (word = take_word(&at)) != NULL) {
		row.rules = one_more(s->arena, row.rules, row.n_rules, sizeof(*row.rules));
		row.rules[row.n_rules++] = word;
	}
	if (!rules && take_word(&at) != NULL)
		wrong(s->path, line, "JSON is expected here");
	row.json = rules ? NULL : at;
	s->rows = one_more(s->arena, s->rows, s->n_rows, sizeof(*s->rows));
	s->rows[s->n_rows++] = row;
}

struct scenario scenario_read(const char *path)
{
	struct scenario s = {.path = path, .arena = vl_arena_open(0)};
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t room = 0, n = 0;

	if (file == NULL || s.arena == NULL)
		wrong(path, 0, "cannot be read");
	for (ssize_t size; (size = getline(&line, &room, file)) > 0;) {
		char *text = vl_arena_text(s.arena, line, (size_t)size);
		n++;
		text[strcspn(text, "\n")] = '\0';
		if (text[0] == '=' || text[0] == '!')
			read_row(&s, text + 1, n, text[0] == '!');
		else if (text[0] != '#' && text[0] != '\0')
			read_event(&s, text, n);
	}
	free(line);
	(void)fclose(file);
	if (s.n_events == 0 || s.n_rows == 0)
		wrong(path, n, "a scenario has events and rows");
	return s;
}

void scenario_close(struct scenario *scenario)
{
	vl_arena_close(scenario->arena);
}

/* -- comparing -- */

static bool holds(const json_t *wanted, const json_t *got);

static bool all_hold(const json_t *wanted, const json_t *got)
{
	if (json_array_size(wanted) != json_array_size(got))
		return false;
	for (size_t i = 0; i < json_array_size(wanted); i++)
		if (!holds(json_array_get(wanted, i), json_array_get(got, i)))
			return false;
	return true;
}

static bool holds(const json_t *wanted, const json_t *got)
{
	const char *name;
	json_t *value;

	if (json_is_array(wanted))
		return json_is_array(got) && all_hold(wanted, got);
	if (!json_is_object(wanted))
		return json_equal(wanted, got);
	json_object_foreach((json_t *)(uintptr_t)wanted, name, value)
	{
		const json_t *field = json_object_get(got, name);
		if (json_is_null(value) ? field != NULL : field == NULL || !holds(value, field))
			return false;
	}
	return json_is_object(got);
}

static void put_rules(const ProtobufCMessage *row, struct vl_buf *out)
{
	const ProtobufCFieldDescriptor *field =
		protobuf_c_message_descriptor_get_field_by_name(row->descriptor, "violations");
	size_t count = field == NULL ? 0
				     : *(const size_t *)(const void *)((const char *)row +
								       field->quantifier_offset);

	for (size_t i = 0; i < count; i++) {
		Valise__V1__Violation *const *items =
			*(Valise__V1__Violation * *const *)(const void *)((const char *)row +
									  field->offset);
		char word[40];
		(void)snprintf(word, sizeof(word), " %s ", items[i]->rule);
		if (strstr(vl_buf_text(out), word) == NULL)
			vl_buf_printf(out, "%s", word);
	}
}

static bool check_rules(const struct scenario *s, const struct scenario_row *expected,
			const ProtobufCMessage *row)
{
	struct vl_buf got = {0}, wanted = {0};

	put_rules(row, &got);
	for (size_t i = 0; i < expected->n_rules; i++)
		vl_buf_printf(&wanted, " %s ", expected->rules[i]);
	bool same = got.size == wanted.size;
	for (size_t i = 0; i < expected->n_rules && same; i++) {
		char word[40];
		(void)snprintf(word, sizeof(word), " %s ", expected->rules[i]);
		same = strstr(vl_buf_text(&got), word) != NULL;
	}
	if (!same)
		(void)fprintf(stderr, "%s:%zu: %s %s breaks%s\n", s->path, expected->line,
			      expected->named, expected->key,
			      got.size > 0 ? vl_buf_text(&got) : " nothing");
	vl_buf_free(&got);
	vl_buf_free(&wanted);
	return same;
}

static bool check_json(const struct scenario *s, const struct scenario_row *expected,
		       const ProtobufCMessage *row)
{
	struct vl_buf out = {0};
	json_t *wanted = json_loads(expected->json, JSON_REJECT_DUPLICATES, NULL);

	vl_json_print(row, &out);
	json_t *got = json_loads(vl_buf_text(&out), 0, NULL);
	if (wanted == NULL)
		wrong(s->path, expected->line, "this is no JSON");
	bool same = holds(wanted, got);
	if (!same)
		(void)fprintf(stderr, "%s:%zu: %s %s is %s\n", s->path, expected->line,
			      expected->named, expected->key, vl_buf_text(&out));
	json_decref(wanted);
	json_decref(got);
	vl_buf_free(&out);
	return same;
}

bool scenario_check(const struct scenario *scenario, const struct scenario_row *expected,
		    const ProtobufCMessage *row)
{
	if (row == NULL) {
		(void)fprintf(stderr, "%s:%zu: there is no %s %s\n", scenario->path, expected->line,
			      expected->named, expected->key);
		return false;
	}
	return expected->json != NULL ? check_json(scenario, expected, row)
				      : check_rules(scenario, expected, row);
}

/* -- all of them -- */

size_t scenario_each(const char *dir, void (*run)(const char *path))
{
	static const char *const below[] = {"*.scenario", "*/*.scenario"};
	size_t n = 0;

	for (size_t p = 0; p < sizeof(below) / sizeof(below[0]); p++) {
		char pattern[512];
		glob_t found;
		(void)snprintf(pattern, sizeof(pattern), "%s/%s", dir, below[p]);
		if (glob(pattern, 0, NULL, &found) != 0)
			continue;
		for (size_t i = 0; i < found.gl_pathc; i++, n++)
			run(found.gl_pathv[i]);
		globfree(&found);
	}
	return n;
}
