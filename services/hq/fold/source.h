/*
 * Where a field of a row comes from, as the tables of its view say.
 *
 * vl_bound_sources gives the lines of the declaration that are about it. vl_bound_said gives what
 * one fact says for it. What C makes is in no table: trial.h finds that.
 *
 * Next: trial.h, the row as it would be.
 */
#ifndef VALISE_HQ_FOLD_SOURCE_H
#define VALISE_HQ_FOLD_SOURCE_H

#include "base/buf.h"
#include "hq/fold/bind.h"

/* Append each line that writes the field, as `valise view explain` has it, and a newline: sets,
 * moves, clocks, lookups, sums of others. */
void vl_bound_sources(const struct vl_bound *bound, unsigned kind,
		      const ProtobufCFieldDescriptor *field, struct vl_buf *out);

/* The same for a rule, by its name. */
void vl_bound_rule(const struct vl_bound *bound, unsigned kind, const char *rule,
		   struct vl_buf *out);

/* A rule's words; NULL where it stands in C alone. And whether a table of the kind names it. */
const char *vl_bound_rule_words(const struct vl_bound *bound, unsigned kind, const char *rule);
bool vl_bound_rule_named(const struct vl_bound *bound, unsigned kind, const char *rule);

/* Whether C makes rows of the kind, too. */
bool vl_bound_in_c(const struct vl_bound *bound, unsigned kind);

/* The row's field that a column of `ls` prints; NULL where C prints it, and for the key. */
const ProtobufCFieldDescriptor *vl_bound_column_field(const struct vl_bound *bound, unsigned kind,
						      size_t n);

/* What a fact does to the field: it says nothing for it, it says something and another stands, it
 * writes it, it adds to it. */
enum vl_saying { VL_SAYS_NOTHING, VL_SAYS_IN_VAIN, VL_SAYS_IT, VL_SAYS_MORE };

struct vl_said {
	enum vl_saying how;
	const ProtobufCFieldDescriptor *field; /* of the payload, which has it; or NULL */
	char words[160];                       /* what no field of the payload says; may be "" */
	bool moves; /* to another value: where that is not seen it was not admitted */
};

/* `row` is as it is before the fact. */
void vl_bound_said(const struct vl_bound *bound, unsigned kind,
		   const ProtobufCFieldDescriptor *field, struct vl_fold *fold,
		   const ProtobufCMessage *row, const struct vl_fact *fact, struct vl_said *said);

#endif
