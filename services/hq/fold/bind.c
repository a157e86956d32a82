#include "bus/types.h"
#include "hq/fold/binder.h"
#include "hq/fold/views.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void binder_fault(struct binder *b, const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	vl_buf_printf(b->wrong, "views/%s.c: ", b->bound->view->noun);
	if (b->kind != NULL)
		vl_buf_printf(b->wrong, "kind '%s', ", b->kind);
	if (b->table != NULL)
		vl_buf_printf(b->wrong, "%s[%zu]: ", b->table, b->row);
	vl_buf_printf(b->wrong, "%s\n", text);
	b->failed = true;
}

void *binder_make(struct binder *b, size_t count, size_t size)
{
	return vl_arena_alloc(b->bound->arena, (count == 0 ? 1 : count) * size);
}

const ProtobufCFieldDescriptor *
binder_field(struct binder *b, const ProtobufCMessageDescriptor *type, const struct vl_field *field)
{
	const ProtobufCFieldDescriptor *found =
		protobuf_c_message_descriptor_get_field_by_name(type, field->name);

	if (found == NULL || found->offset != field->offset) {
		binder_fault(b, "%s has no field '%s'%s", type->short_name, field->name,
			     found == NULL ? "" : " at this place: it is another message's");
		return NULL;
	}
	return found;
}

const struct bound_source bound_sources[SOURCES] = {
	[OF_OCCURRED] = {"@occurred", "the time"}, [OF_MISSION] = {"@mission", "the mission"},
	[OF_ACTOR] = {"@actor", "the actor"},      [OF_SUBJECT] = {"@subject", "subject"},
	[OF_TYPE] = {"@type", "its type"},
};

const ProtobufCFieldDescriptor *binder_source(struct binder *b,
					      const ProtobufCMessageDescriptor *event,
					      const struct vl_field *field, enum source *source)
{
	for (size_t i = OF_PAYLOAD + 1; i < SOURCES; i++) {
		if (strcmp(field->name, bound_sources[i].name) == 0) {
			*source = (enum source)i;
			return NULL;
		}
	}
	*source = OF_PAYLOAD;
	if (event == NULL)
		binder_fault(b, "not every event has a field '%s'", field->name);
	return event != NULL ? binder_field(b, event, field) : NULL;
}

bool binder_event(struct binder *b, const ProtobufCMessageDescriptor *event)
{
	if (event == NULL || bound_event_of(b->bound, event) != NULL)
		return true;
	binder_fault(b, "%s is no event of %s", event->name, b->bound->view->lane);
	return false;
}

/* -- routes -- */

const ProtobufCMessageDescriptor vl_other_events = {.name = "other events",
						    .short_name = "other events"};

static bool names_type(const struct vl_route *routes, const ProtobufCMessageDescriptor *type)
{
	for (; routes != NULL && routes->key.name != NULL; routes++)
		if (routes->event == type)
			return true;
	return false;
}

static bool is_listed(const ProtobufCMessageDescriptor *const *types,
		      const ProtobufCMessageDescriptor *type)
{
	for (; types != NULL && *types != NULL; types++)
		if (*types == type)
			return true;
	return false;
}

static void check_key(struct binder *b, const struct bound_route *route)
{
	bool text = route->source != OF_OCCURRED;

	if (route->source == OF_PAYLOAD)
		text = route->key != NULL && route->key->type == PROTOBUF_C_TYPE_STRING;
	if (!text)
		binder_fault(b, "a key is a text, and '%s' is none", route->route->key.name);
}

static void bind_route(struct binder *b, struct bound_event *event, const struct vl_route *route)
{
	struct bound_route *bound = &event->routes[event->n_routes++];

	bound->route = route;
	/* What is said of many types is known of each fact. */
	bool of_one = route->event == event->type;
	bound->key = binder_source(b, of_one ? event->type : NULL, &route->key, &bound->source);
	if (bound->source != OF_PAYLOAD || bound->key != NULL)
		check_key(b, bound);
	if (route->kind >= b->bound->view->n_kinds)
		binder_fault(b, "there is no kind %u", route->kind);
}

static void bind_routes_of(struct binder *b, struct bound_event *event)
{
	const struct vl_view *view = b->bound->view;
	bool named = names_type(view->routes, event->type);
	size_t most = 0;

	event->ignored = is_listed(view->ignored, event->type);
	if (event->ignored) {
		if (named)
			binder_fault(b, "%s is routed and ignored", event->type->short_name);
		return;
	}
	while (view->routes != NULL && view->routes[most].key.name != NULL)
		most++;
	event->routes = binder_make(b, most, sizeof(*event->routes));
	b->table = "routes";
	for (size_t i = 0; event->routes != NULL && i < most; i++) {
		b->row = i;
		const ProtobufCMessageDescriptor *of = view->routes[i].event;
		if (of == ANY_EVENT || of == event->type || (of == OTHER_EVENTS && !named))
			bind_route(b, event, &view->routes[i]);
	}
	b->table = NULL;
	bool in_c = view->touch != NULL && view->routes == NULL;
	if (event->n_routes == 0 && !in_c && !is_listed(view->touched, event->type))
		binder_fault(b, "%s is neither routed nor ignored", event->type->short_name);
}

/* -- the whole -- */

static int by_address(const void *a, const void *b)
{
	const struct bound_event *x = a, *y = b;

	return ((uintptr_t)x->type > (uintptr_t)y->type) -
	       ((uintptr_t)x->type < (uintptr_t)y->type);
}

const struct bound_event *bound_event_of(const struct vl_bound *bound,
					 const ProtobufCMessageDescriptor *type)
{
	const struct bound_event wanted = {.type = type};

	return bsearch(&wanted, bound->events, bound->n_events, sizeof(wanted), by_address);
}

static void list_events(struct binder *b)
{
	struct vl_bound *bound = b->bound;
	const ProtobufCMessageDescriptor *const *types =
		vl_types_of(bound->view->lane, &bound->n_events);

	bound->events = binder_make(b, bound->n_events, sizeof(*bound->events));
	for (size_t i = 0; bound->events != NULL && i < bound->n_events; i++) {
		bound->events[i].type = types[i];
		bound->events[i].work =
			binder_make(b, bound->view->n_kinds, sizeof(struct bound_work));
	}
	if (bound->n_events == 0)
		binder_fault(b, "there are no events of a lane %s", bound->view->lane);
	if (bound->events != NULL)
		qsort(bound->events, bound->n_events, sizeof(*bound->events), by_address);
}

static void bind_kind(struct binder *b, unsigned rank)
{
	struct bound_kind *kind = &b->bound->kinds[rank];
	const ProtobufCMessageDescriptor *row = kind->kind->row;
	const ProtobufCFieldDescriptor *violations =
		protobuf_c_message_descriptor_get_field_by_name(row, "violations");

	b->kind = kind->kind->name;
	if (violations != NULL &&
	    vl_field_is_list_of(violations, &valise__v1__violation__descriptor))
		kind->violations = violations;
	kind->has_facts = kind->kind->step != NULL || kind->kind->steps != NULL ||
			  kind->kind->sets != NULL || kind->kind->moves != NULL ||
			  kind->kind->clocks != NULL;
	binder_facts(b, rank, kind);
	binder_lookups(b, rank, kind);
	binder_row(b, rank, kind);
	b->kind = NULL;
}

static void bind_all(struct binder *b)
{
	struct vl_bound *bound = b->bound;
	const struct vl_view *view = bound->view;

	list_events(b);
	bound->kinds = binder_make(b, view->n_kinds, sizeof(*bound->kinds));
	if (vl_arena_failed(bound->arena))
		return;
	for (unsigned rank = 0; rank < view->n_kinds; rank++)
		bound->kinds[rank].kind = &view->kinds[rank];
	if (view->n_kinds == 0 || view->kinds[view->n_kinds - 1].sets != vl_stray_sets)
		binder_fault(b, "its last kind is not VL_STRAY_KIND");
	if (view->shown >= view->n_kinds)
		binder_fault(b, "there is no kind %u to show", view->shown);
	binder_reads(b);
	for (unsigned rank = 0; rank < view->n_kinds; rank++)
		bind_kind(b, rank);
	for (size_t e = 0; e < bound->n_events; e++)
		bind_routes_of(b, &bound->events[e]);
}

struct vl_bound *vl_view_bind(const struct vl_view *view, struct vl_buf *wrong)
{
	struct vl_bound *bound = calloc(1, sizeof(*bound));
	struct binder b = {.bound = bound, .wrong = wrong};

	if (bound == NULL)
		return NULL;
	bound->view = view;
	bound->arena = vl_arena_open(0);
	if (bound->arena != NULL)
		bind_all(&b);
	if (bound->arena == NULL || b.failed || vl_arena_failed(bound->arena)) {
		vl_view_unbind(bound);
		return NULL;
	}
	return bound;
}

void vl_view_unbind(struct vl_bound *bound)
{
	if (bound == NULL)
		return;
	vl_arena_close(bound->arena);
	free(bound);
}

bool vl_views_bind(struct vl_bound **bound, struct vl_buf *wrong)
{
	bool all = true;

	for (size_t i = 0; vl_views[i] != NULL; i++) {
		bound[i] = vl_view_bind(vl_views[i], wrong);
		all = all && bound[i] != NULL;
	}
	for (size_t i = 0; !all && vl_views[i] != NULL; i++) {
		vl_view_unbind(bound[i]);
		bound[i] = NULL;
	}
	return all;
}

enum vl_err vl_view_bind_one(const struct vl_view *view, struct vl_bound **bound,
			     struct vl_why *why)
{
	struct vl_buf wrong = {0};
	enum vl_err err = VL_OK;

	*bound = vl_view_bind(view, &wrong);
	if (*bound == NULL)
		err = wrong.size > 0 ? vl_fail(why, VL_ERR_BUG, "%.*s",
					       (int)strcspn(vl_buf_text(&wrong), "\n"),
					       vl_buf_text(&wrong))
				     : VL_ERR_NOMEM;
	vl_buf_free(&wrong);
	return err;
}

enum vl_err vl_views_check(struct vl_why *why)
{
	enum vl_err err = VL_OK;

	for (size_t i = 0; vl_views[i] != NULL && err == VL_OK; i++) {
		struct vl_bound *bound;
		err = vl_view_bind_one(vl_views[i], &bound, why);
		vl_view_unbind(bound);
	}
	return err;
}
