/*
 * A probe: what is asked about one row, as a text, so that two of it can be compared.
 *
 * It may be a field (table.h), or a list or message of the row by its name (clocks). It may be a
 * column of `ls` by its title, or a rule by its name (L2).
 *
 * Next: reasons.h, why a row says so.
 */
#ifndef VALISE_ASK_PROBE_H
#define VALISE_ASK_PROBE_H

#include "ask/where.h"

enum vl_ask_probe_form { VL_PROBE_TERM, VL_PROBE_LIST, VL_PROBE_RULE };

struct vl_ask_probe {
	const struct vl_ask_kind *of;
	enum vl_ask_probe_form form;
	struct vl_ask_term term;
	/* the row's field that it is, or is part of; NULL for the key, and a column made in C */
	const ProtobufCFieldDescriptor *top;
	char rule[64];
};

/* NOT_FOUND, naming those that are near, if the kind has none of that name. `row` may be NULL. It
 * may break rules that no table names. */
enum vl_err vl_ask_probe_find(const struct vl_ask_kind *of, const ProtobufCMessage *row,
			      const char *name, struct vl_ask_probe *probe,
			      struct vl_why *why) VL_CHECKED;

/* Append what a row says. Nothing where it says nothing, or there is no row (`message` NULL). */
void vl_ask_probe_print(const struct vl_ask_probe *probe, const struct vl_ask_row *row,
			struct vl_buf *out);

#endif
