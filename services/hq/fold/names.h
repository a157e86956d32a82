/*
 * Names: which item is called so, in the memory of a fold.
 *
 * A look-up costs what the name is long, whoever chose the names and however many there are: a
 * crit-bit tree, so that nobody can make names that collide.
 */
#ifndef VALISE_HQ_FOLD_NAMES_H
#define VALISE_HQ_FOLD_NAMES_H

#include "hq/fold/view.h"

/* Where the item called `name` stands in the tree at *root, which is empty where *root is NULL:
 * the place of a pointer, NULL in it where the name is new. The name is copied. NULL when out of
 * memory. */
void **vl_names_at(struct vl_fold *fold, void **root, const char *name);

/* The item of a repeated message field that is called `name` in the tree of `slot`: made and
 * appended where the name is new. NULL when out of memory, or where the list is full. */
void *vl_names_item(struct vl_fold *fold, unsigned slot, const char *name,
		    const ProtobufCMessageDescriptor *type, size_t *count, void *items);

/* The same for a tree that lasts for the turn (vl_turn_slot). */
void **vl_names_keep(struct vl_fold *fold, void **root, const char *name);

/* The item called `name`; NULL where there is none. */
void *vl_names_find(void *const *root, const char *name);

#endif
