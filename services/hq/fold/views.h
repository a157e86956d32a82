/*
 * All views: one for each file of views/, in a table made at build time.
 *
 * Next: hq/views/case.h, a view.
 */
#ifndef VALISE_HQ_FOLD_VIEWS_H
#define VALISE_HQ_FOLD_VIEWS_H

#include "bus/types.h"
#include "hq/fold/declare.h"

/* Ends with NULL; sorted by file name, which fixes each view's index. */
extern const struct vl_view *const vl_views[];

/* In the same order, a checksum of each view's own C; ends with NULL. */
extern const char *const vl_view_sums[];

size_t vl_views_count(void);

/* The index of the view of that lane, or of that noun; -1 if there is none. */
int vl_view_of_lane(const char *lane, size_t length);
int vl_view_of_noun(const char *noun);

/* How urgent its lane is. */
enum vl_precedence vl_view_precedence(size_t view);

/* The index of a kind by its name; -1 if there is none. */
int vl_view_kind(const struct vl_view *view, const char *name);

#endif
