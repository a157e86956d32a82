/*
 * A view whose tables are bound. Binding finds each field that the tables name in the descriptors
 * of protobuf-c, puts each line to its event, and finds mistakes. The engine, and all other code
 * that folds or lists rows, uses only bound views.
 *
 * A program binds all views when it starts: headquarters to fold, the command line to list.
 * `valise-hq --check` reports mistakes without starting.
 *
 * Next: value.h, values in messages.
 */
#ifndef VALISE_HQ_FOLD_BIND_H
#define VALISE_HQ_FOLD_BIND_H

#include "base/err.h"
#include "bus/batch.h"
#include "hq/fold/declare.h"

struct vl_bound;

/* `view` must outlive the result. NULL if a table is wrong, or memory ends. `wrong` then has one
 * line for each fault, as "views/hotline.c: kind 'call', sets[3]: CallRow has no field 'desk'".
 * It is empty if memory ended. Close with vl_view_unbind. */
struct vl_bound *vl_view_bind(const struct vl_view *view, struct vl_buf *wrong);
void vl_view_unbind(struct vl_bound *bound);

/* The same, with the first fault as the reason: BUG, NOMEM or ok. */
enum vl_err vl_view_bind_one(const struct vl_view *view, struct vl_bound **bound,
			     struct vl_why *why) VL_CHECKED;

/* All views of vl_views at once, in its order; `bound` has room for as many. False as above. */
bool vl_views_bind(struct vl_bound **bound, struct vl_buf *wrong);

/* Bind all, only to find mistakes: BUG with the first fault as the reason, NOMEM or ok. */
enum vl_err vl_views_check(struct vl_why *why) VL_CHECKED;

/* -- for the engines that fold -- */

/* Name the rows that the fact belongs to, by vl_touch; "stray" if there is none. */
void vl_bound_route(const struct vl_bound *bound, struct vl_touch *touch,
		    const struct vl_fact *fact);

/* Whether rows of the kind are made of facts, not of sums alone. */
bool vl_bound_has_facts(const struct vl_bound *bound, unsigned kind);

/* One fact, and the end of the fold. And what the finished row adds to others, by
 * vl_fold_contribute. */
void vl_bound_step(const struct vl_bound *bound, unsigned kind, struct vl_fold *fold,
		   ProtobufCMessage *row, const struct vl_fact *fact);
void vl_bound_finish(const struct vl_bound *bound, unsigned kind, struct vl_fold *fold,
		     ProtobufCMessage *row);
void vl_bound_contribute(const struct vl_bound *bound, unsigned kind, struct vl_fold *fold,
			 const ProtobufCMessage *row);

/* Whether rows of the kind look up others. Line `n` of its lookups means kind `there` of the view
 * `view`, an index of vl_views or VL_OWN_LANE. False behind the last line. */
#define VL_OWN_LANE SIZE_MAX
bool vl_bound_looks(const struct vl_bound *bound, unsigned kind);
bool vl_bound_lookup(const struct vl_bound *bound, unsigned kind, unsigned n, size_t *view,
		     unsigned *there);

/* The part of a row of (view, there) that rows of the kind can see; with VL_ANY_KIND, rows of any
 * kind of the bound view. *seen, which the caller has initialised, gets these fields of `row`.
 * False if they see none. */
#define VL_ANY_KIND UINT32_MAX
bool vl_bound_sees(const struct vl_bound *bound, unsigned kind, size_t view, unsigned there,
		   const ProtobufCMessage *row, ProtobufCMessage *seen);

/* -- for code that lists rows -- */

/* The content of column `n` for the row. */
void vl_bound_cell(const struct vl_bound *bound, unsigned kind, size_t n, const char *key,
		   const ProtobufCMessage *row, struct vl_time now, struct vl_buf *out);

/* Whether a plain `ls` shows the row. */
bool vl_bound_listed(const struct vl_bound *bound, unsigned kind, const char *key,
		     const ProtobufCMessage *row, struct vl_time now);

/* The declaration as text: routes, states, clocks, rules with their words, sums. */
void vl_bound_explain(const struct vl_bound *bound, struct vl_buf *out);

/* The version of what makes the rows: the declaration, the existing types of event, the view's
 * own C (`sum`, of vl_view_sums) and the engine. If it differs, the rows may differ too. NOMEM
 * or ok. */
enum vl_err vl_bound_version(const struct vl_bound *bound, const char *sum,
			     struct vl_digest *version) VL_CHECKED;

#endif
