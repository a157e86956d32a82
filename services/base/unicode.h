/*
 * Unicode for names: what is invisible, and one way to write each letter. The only user of
 * utf8proc.
 *
 * A name is compared byte by byte, and read by people. Two names that look the same must be the
 * same. Therefore nothing in a name is invisible, and a blank is a plain space between letters.
 * Each letter is in its composed form (NFC).
 *
 * Next: hash.h, hash tables.
 */
#ifndef VALISE_BASE_UNICODE_H
#define VALISE_BASE_UNICODE_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is wrong with a name. */
enum vl_name_flaw {
	VL_NAME_GOOD,
	VL_NAME_NOT_UTF8,
	VL_NAME_CONTROL, /* a control character or a line break */
	/* a format character: a change of direction, a joiner, or any other that is invisible */
	VL_NAME_HIDDEN,
	VL_NAME_BLANK,   /* a blank at an end, or another one than U+0020 */
	VL_NAME_NOT_NFC, /* a letter in pieces, or one that NFC writes otherwise */
};

/* The first flaw of `text`, and the offset of the character in *at, which may be NULL. If memory
 * ends while it looks, the flaw is VL_NAME_NOT_NFC. An empty text is good. */
enum vl_name_flaw vl_name_check(struct vl_bytes text, size_t *at);

/* The flaw in words that follow "subject: "; static. "" for GOOD. */
const char *vl_name_flaw_text(enum vl_name_flaw flaw);

/* Append the text as a person may see it. A character that vl_name_check refuses is written as
 * \u00a0 or \U000e0001, and a byte that is no UTF-8 as \xff. If anything was escaped, a
 * backslash is written as \\. A letter in pieces keeps its base, and its mark is escaped. A good
 * name stays as it is. */
void vl_name_put(struct vl_buf *out, struct vl_bytes text);

#endif
