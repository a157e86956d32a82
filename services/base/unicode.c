#include "base/unicode.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

/* All of it printable ASCII without a blank at an end: nearly every name there is. */
static bool is_plain(struct vl_bytes text)
{
	for (size_t i = 0; i < text.size; i++)
		if (text.data[i] < 0x20 || text.data[i] > 0x7e)
			return false;
	return text.size == 0 || (text.data[0] != ' ' && text.data[text.size - 1] != ' ');
}

/* The next character; 0 bytes long where there is none that is UTF-8. A NUL is a control. */
static size_t next(struct vl_bytes text, size_t at, utf8proc_int32_t *c)
{
	utf8proc_ssize_t length =
		utf8proc_iterate(text.data + at, (utf8proc_ssize_t)(text.size - at), c);

	return length > 0 ? (size_t)length : 0;
}

/* What is wrong with a character, at an end of the text or within. */
static enum vl_name_flaw flaw_of(utf8proc_int32_t c, bool end)
{
	switch (utf8proc_category(c)) {
	case UTF8PROC_CATEGORY_ZS:
		return end || c != ' ' ? VL_NAME_BLANK : VL_NAME_GOOD;
	case UTF8PROC_CATEGORY_CC:
	case UTF8PROC_CATEGORY_ZL:
	case UTF8PROC_CATEGORY_ZP:
		return VL_NAME_CONTROL;
	case UTF8PROC_CATEGORY_CF:
	case UTF8PROC_CATEGORY_CS:
		return VL_NAME_HIDDEN;
	default:
		/* Fillers, and marks that choose among forms of a letter. */
		return utf8proc_get_property(c)->ignorable ? VL_NAME_HIDDEN : VL_NAME_GOOD;
	}
}

/* Where the text and its composed form part; its size where they do not. */
static size_t composed_until(struct vl_bytes text)
{
	utf8proc_uint8_t *composed = NULL;
	utf8proc_ssize_t size = utf8proc_map(text.data, (utf8proc_ssize_t)text.size, &composed,
					     UTF8PROC_STABLE | UTF8PROC_COMPOSE);
	size_t at = 0;

	while (size >= 0 && at < text.size && at < (size_t)size && text.data[at] == composed[at])
		at++;
	if (size == (utf8proc_ssize_t)text.size && at == text.size) {
		free(composed);
		return at;
	}
	free(composed);
	/* Back to where the character begins. */
	while (at > 0 && (at >= text.size || (text.data[at] & 0xc0) == 0x80))
		at--;
	return at;
}

enum vl_name_flaw vl_name_check(struct vl_bytes text, size_t *at)
{
	utf8proc_int32_t c = 0;
	size_t length = 0, where = 0;
	enum vl_name_flaw flaw = VL_NAME_GOOD;

	if (is_plain(text))
		return VL_NAME_GOOD;
	for (size_t i = 0; i < text.size && flaw == VL_NAME_GOOD; i += length) {
		length = next(text, i, &c);
		flaw = length == 0 ? VL_NAME_NOT_UTF8
				   : flaw_of(c, i == 0 || i + length == text.size);
		where = i;
	}
	if (flaw == VL_NAME_GOOD && (where = composed_until(text)) < text.size)
		flaw = VL_NAME_NOT_NFC;
	if (flaw != VL_NAME_GOOD && at != NULL)
		*at = where;
	return flaw;
}

const char *vl_name_flaw_text(enum vl_name_flaw flaw)
{
	static const char *const texts[] = {
		[VL_NAME_GOOD] = "",
		[VL_NAME_NOT_UTF8] = "is not UTF-8",
		[VL_NAME_CONTROL] = "has a control character or a line break",
		[VL_NAME_HIDDEN] = "has a format character, which is invisible",
		[VL_NAME_BLANK] = "has a blank at one end, or one that is no plain space",
		[VL_NAME_NOT_NFC] = "has a letter that is not in its composed form (NFC)",
	};

	return (size_t)flaw < sizeof(texts) / sizeof(texts[0]) ? texts[flaw] : "";
}

static void put_escape(struct vl_buf *out, utf8proc_int32_t c)
{
	vl_buf_printf(out, c > 0xffff ? "\\U%08x" : "\\u%04x", (unsigned)c);
}

/* Whether NFC would write the characters of this part otherwise. */
static bool in_pieces(struct vl_bytes text, size_t from, size_t until)
{
	struct vl_bytes part = {text.data + from, until - from};

	return composed_until(part) < part.size;
}

void vl_name_put(struct vl_buf *out, struct vl_bytes text)
{
	utf8proc_int32_t c = 0;
	size_t length, letter = 0; /* where the letter before begins */
	bool good = true;

	if (vl_name_check(text, NULL) == VL_NAME_GOOD) {
		vl_buf_put(out, text.data, text.size);
		return;
	}
	for (size_t i = 0; i < text.size; i += length) {
		length = next(text, i, &c);
		bool mark = length > 0 && utf8proc_get_property(c)->combining_class != 0;
		/* A mark behind one that is escaped must not join what is written for it. */
		good = length > 0 &&
		       flaw_of(c, i == 0 || i + length == text.size) == VL_NAME_GOOD &&
		       !in_pieces(text, letter, i + length) && (good || !mark);
		if (length == 0) {
			vl_buf_printf(out, "\\x%02x", text.data[i]);
			length = 1;
		} else if (!good) {
			put_escape(out, c);
		} else if (c == '\\') {
			vl_buf_put_text(out, "\\\\");
		} else {
			vl_buf_put(out, text.data + i, length);
		}
		if (!good)
			letter = i + length;
		else if (!mark)
			letter = i;
	}
}
