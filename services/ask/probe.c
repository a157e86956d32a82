#include "ask/probe.h"

#include "base/near.h"
#include "base/text.h"
#include "bus/json.h"
#include "hq/fold/source.h"
#include "hq/fold/views.h"

#include <stdlib.h>
#include <string.h>
#include <valise/v1/view.pb-c.h>

#define VIOLATIONS "violations"
#define NAMES_MOST 1024
#define NEAR_MOST 4

static const struct vl_kind *kind_of(const struct vl_ask_kind *of)
{
	return &vl_views[of->view]->kinds[of->kind];
}

/* -- finding it -- */

static const ProtobufCFieldDescriptor *top_named(const struct vl_ask_kind *of, const char *name)
{
	const ProtobufCMessageDescriptor *type = kind_of(of)->row;

	for (unsigned i = 0; i < type->n_fields; i++)
		if (vl_ask_same_name(type->fields[i].name, name))
			return &type->fields[i];
	return NULL;
}

static const ProtobufCFieldDescriptor *top_of(const struct vl_ask_kind *of,
					      const struct vl_ask_term *term)
{
	if (term->cell >= 0)
		return vl_bound_column_field(of->bound, of->kind, (size_t)term->cell);
	if (term->field.table->n_lists > 0)
		return term->field.table->lists[0].path[0];
	return term->field.column->source == VL_ASK_FIELD ? term->field.column->path[0] : NULL;
}

static const Valise__V1__Violation *const *violations_of(const ProtobufCMessage *row, size_t *count)
{
	const ProtobufCFieldDescriptor *field =
		protobuf_c_message_descriptor_get_field_by_name(row->descriptor, VIOLATIONS);
	const char *base = (const char *)row;

	*count = 0;
	if (field == NULL || field->label != PROTOBUF_C_LABEL_REPEATED ||
	    field->descriptor != &valise__v1__violation__descriptor)
		return NULL;
	*count = *(const size_t *)(const void *)(base + field->quantifier_offset);
	return *(const Valise__V1__Violation *const *const *)(const void *)(base + field->offset);
}

static bool row_breaks(const ProtobufCMessage *row, const char *rule)
{
	size_t count = 0;
	const Valise__V1__Violation *const *items = row != NULL ? violations_of(row, &count) : NULL;

	for (size_t i = 0; i < count; i++)
		if (strcmp(items[i]->rule, rule) == 0)
			return true;
	return false;
}

static size_t add_name(const char **names, size_t n, const char *name)
{
	if (name != NULL && n < NAMES_MOST)
		names[n++] = name;
	return n;
}

static size_t all_names(const struct vl_ask_kind *of, const ProtobufCMessage *row,
			const char **names)
{
	const struct vl_kind *kind = kind_of(of);
	size_t n = vl_ask_field_names(of->tables, of->view, of->kind, names, NAMES_MOST), count = 0;
	const Valise__V1__Violation *const *broken =
		row != NULL ? violations_of(row, &count) : NULL;

	for (unsigned i = 0; i < kind->row->n_fields; i++)
		n = add_name(names, n, kind->row->fields[i].name);
	for (size_t i = 0; kind->columns[i].title != NULL; i++)
		n = add_name(names, n, kind->columns[i].title);
	for (const struct vl_rule *rule = kind->rules; rule != NULL && rule->id != NULL; rule++)
		n = add_name(names, n, rule->id);
	for (size_t i = 0; i < count; i++)
		n = add_name(names, n, broken[i]->rule);
	return n;
}

static bool among(const char *name, const char **names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static enum vl_err no_such(const struct vl_ask_kind *of, const ProtobufCMessage *row,
			   const char *name, struct vl_why *why)
{
	const char **names = malloc(NAMES_MOST * sizeof(const char *)), *near[NEAR_MOST];
	struct vl_buf list = {0};

	if (names == NULL)
		return VL_ERR_NOMEM;
	size_t n = vl_nearest_few(name, names, all_names(of, row, names), near, NEAR_MOST);
	for (size_t i = 0; i < n; i++)
		if (!among(near[i], near, i))
			vl_buf_printf(&list, "%s'%s'", i > 0 ? ", " : "did you mean ", near[i]);
	enum vl_err err = vl_fail(why, VL_ERR_NOT_FOUND,
				  "a %s has no field and no rule '%.40s'; %.90s%s'valise query "
				  "--schema' lists fields",
				  kind_of(of)->name, name, vl_buf_text(&list), n > 0 ? "? " : "");
	vl_buf_free(&list);
	free(names);
	return err;
}

enum vl_err vl_ask_probe_find(const struct vl_ask_kind *of, const ProtobufCMessage *row,
			      const char *name, struct vl_ask_probe *probe, struct vl_why *why)
{
	*probe = (struct vl_ask_probe){.of = of};
	if (vl_ask_term_find(of, name, &probe->term, NULL) == VL_OK) {
		probe->top = top_of(of, &probe->term);
		return VL_OK;
	}
	probe->form = VL_PROBE_LIST;
	probe->top = top_named(of, name);
	if (probe->top != NULL)
		return VL_OK;
	probe->form = VL_PROBE_RULE;
	probe->top = protobuf_c_message_descriptor_get_field_by_name(kind_of(of)->row, VIOLATIONS);
	if (strlen(name) < sizeof(probe->rule) &&
	    (vl_bound_rule_named(of->bound, of->kind, name) || row_breaks(row, name))) {
		(void)strcpy(probe->rule, name);
		return VL_OK;
	}
	return no_such(of, row, name, why);
}

/* -- what it says -- */

static void print_rule(const struct vl_ask_probe *probe, const ProtobufCMessage *row,
		       struct vl_buf *out)
{
	size_t count, n = 0;
	const Valise__V1__Violation *const *items = violations_of(row, &count);
	char id[VL_UUID_TEXT];

	for (size_t i = 0; i < count; i++) {
		if (strcmp(items[i]->rule, probe->rule) != 0)
			continue;
		vl_buf_printf(out, "%s%s", n++ > 0 ? "; " : "", items[i]->detail);
		if (items[i]->event.len == 16)
			vl_buf_printf(out, " (event %s)", vl_uuid_format(items[i]->event.data, id));
	}
}

static void print_list(const ProtobufCFieldDescriptor *field, const ProtobufCMessage *row,
		       struct vl_buf *out)
{
	const char *base = (const char *)row, *at = base + field->offset;
	size_t count = 1;

	if (field->type != PROTOBUF_C_TYPE_MESSAGE)
		return;
	if (field->label == PROTOBUF_C_LABEL_REPEATED) {
		count = *(const size_t *)(const void *)(base + field->quantifier_offset);
		at = *(const char *const *)(const void *)at;
	}
	for (size_t i = 0; i < count; i++) {
		const ProtobufCMessage *item =
			((const ProtobufCMessage *const *)(const void *)at)[i];
		vl_buf_put_text(out, i > 0 ? " " : "");
		if (item != NULL)
			vl_json_print(item, out);
	}
}

void vl_ask_probe_print(const struct vl_ask_probe *probe, const struct vl_ask_row *row,
			struct vl_buf *out)
{
	if (row->message == NULL)
		return;
	switch (probe->form) {
	case VL_PROBE_TERM:
		vl_ask_term_print(&probe->term, row, out);
		return;
	case VL_PROBE_LIST:
		print_list(probe->top, row->message, out);
		return;
	case VL_PROBE_RULE:
		print_rule(probe, row->message, out);
		return;
	}
}
