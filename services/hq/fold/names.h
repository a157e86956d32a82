/*
 * Names: the item of a name, in the memory of a fold.
 *
 * A search costs as much as the name is long, for any names and any number of them. It is a
 * crit-bit tree, so that a sender cannot make names that collide.
 *
 * Next: filing.h, events into histories.
 */
#ifndef VALISE_HQ_FOLD_NAMES_H
#define VALISE_HQ_FOLD_NAMES_H

#include "hq/fold/view.h"

/* The position of the item called `name` in the tree at *root; a NULL *root is an empty tree. It
 * is the address of a pointer, which is NULL if the name is new. The name is copied. NULL when
 * out of memory. */
void **vl_names_at(struct vl_fold *fold, void **root, const char *name);

/* The item of a repeated message field that is called `name` in the tree of `slot`: made and
 * appended where the name is new. NULL when out of memory, or where the list is full. */
void *vl_names_item(struct vl_fold *fold, unsigned slot, const char *name,
		    const ProtobufCMessageDescriptor *type, size_t *count, void *items);

/* The same for a tree that lasts for the turn (vl_turn_slot). */
void **vl_names_keep(struct vl_fold *fold, void **root, const char *name);

/* The item called `name`; NULL if there is none. */
void *vl_names_find(void *const *root, const char *name);

#endif
