/*
 * What `ls` shows of a row.
 */
#include "base/text.h"
#include "hq/fold/bound.h"

#include <inttypes.h>
#include <string.h>

static void put_time(const struct vl_value *value, struct vl_buf *out)
{
	char text[VL_TIME_TEXT];

	if (value->message != NULL)
		vl_buf_put_text(
			out, vl_time_format(vl_view_time((const Google__Protobuf__Timestamp
								  *)(const void *)value->message),
					    text));
}

/* A constant that nobody knows is shown by its number. */
static void put_enum(const ProtobufCFieldDescriptor *field, int64_t number, struct vl_buf *out)
{
	const char *name = vl_view_name(field->descriptor, (int)number);

	if (name[0] == '\0' && number != 0)
		vl_buf_printf(out, "%" PRId64, number);
	else
		vl_buf_put_text(out, name);
}

static void put_list(const ProtobufCFieldDescriptor *field, const struct vl_value *value,
		     struct vl_buf *out)
{
	if (vl_field_is_list_of(field, &valise__v1__count__descriptor)) {
		vl_view_put_counts(out, value->count, value->items);
	} else if (vl_field_is_list_of(field, &valise__v1__violation__descriptor)) {
		vl_view_put_rules(out, value->count, value->items);
	} else if (field->type == PROTOBUF_C_TYPE_STRING) {
		char *const *texts = value->items;
		for (size_t i = 0; i < value->count; i++)
			vl_buf_printf(out, "%s%s", i == 0 ? "" : " ", texts[i]);
	} else {
		vl_buf_printf(out, "%zu", value->count);
	}
}

static void put_field(const ProtobufCFieldDescriptor *field, const ProtobufCMessage *row,
		      struct vl_buf *out)
{
	struct vl_value value = vl_value_get(row, field);
	char text[VL_UUID_TEXT];

	if (value.class == VL_LIST)
		put_list(field, &value, out);
	else if (value.class == VL_TEXT)
		vl_buf_put_text(out, value.text);
	else if (value.class == VL_BYTES && value.bytes.len == 16)
		vl_buf_put_text(out, vl_uuid_format(value.bytes.data, text));
	else if (vl_field_is_time(field))
		put_time(&value, out);
	else if (field->type == PROTOBUF_C_TYPE_ENUM)
		put_enum(field, value.number, out);
	else if (field->type == PROTOBUF_C_TYPE_BOOL)
		vl_buf_put_text(out, value.number != 0 ? "yes" : "");
	else if (value.class == VL_NUMBER)
		vl_buf_printf(out, "%" PRId64, value.number);
}

void vl_bound_cell(const struct vl_bound *bound, unsigned rank, size_t n, const char *key,
		   const ProtobufCMessage *row, struct vl_time now, struct vl_buf *out)
{
	const struct bound_kind *kind = &bound->kinds[rank];
	const struct bound_column *column = &kind->columns[n];

	if (column->column->cell != NULL)
		column->column->cell(key, row, now, out);
	else if (column->column->form == VL_KEY)
		vl_view_put_key(key, row, now, out);
	else if (column->column->form == VL_DUE)
		bound_put_due(kind, row, now, out);
	else if (column->column->form == VL_LENGTH)
		vl_buf_printf(out, "%zu", vl_value_get(row, column->field).count);
	else
		put_field(column->field, row, out);
}

bool vl_bound_listed(const struct vl_bound *bound, unsigned rank, const char *key,
		     const ProtobufCMessage *row, struct vl_time now)
{
	const struct bound_kind *kind = &bound->kinds[rank];

	if (kind->kind->listed != NULL)
		return kind->kind->listed(key, row, now);
	if (kind->kind->done == 0)
		return true;
	int64_t state = vl_value_get(row, kind->state).number;
	return state < 0 || state >= 64 || (kind->kind->done & STATE(state)) == 0;
}

const struct vl_set vl_stray_sets[] = {
	{ANY_EVENT, TYPE, F(Valise__V1__StrayRow, events), VL_COUNT},
	{ANY_EVENT, OCCURRED, F(Valise__V1__StrayRow, last_event_at), VL_GREATEST},
	END,
};

const struct vl_column vl_stray_columns[] = {
	KEY_COLUMN("MISSION"),
	COLUMN("EVENTS", Valise__V1__StrayRow, events),
	COLUMN("LAST EVENT", Valise__V1__StrayRow, last_event_at),
	COLUMN("BREAKS", Valise__V1__StrayRow, violations),
	END,
};
