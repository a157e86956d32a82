#include "base/err.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

static const struct {
	enum vl_err_class class;
	const char *text;
	const char *name;
} table[] = {
#define VL_ERR_ROW(name, class, text) {VL_CLASS_##class, text, #name},
	VL_ERR_TABLE(VL_ERR_ROW)
#undef VL_ERR_ROW
};

_Static_assert(sizeof(table) / sizeof(table[0]) == VL_ERR_COUNT, "a row for each error");

enum vl_err_class vl_err_class(enum vl_err err)
{
	return (unsigned)err < VL_ERR_COUNT ? table[err].class : VL_CLASS_FATAL;
}

const char *vl_err_text(enum vl_err err)
{
	return (unsigned)err < VL_ERR_COUNT ? table[err].text : "unknown error";
}

const char *vl_err_name(enum vl_err err)
{
	static _Thread_local char name[32];

	if ((unsigned)err >= VL_ERR_COUNT)
		return "unknown";
	size_t i = 0;
	for (; table[err].name[i] != '\0' && i + 1 < sizeof(name); i++)
		name[i] = (char)tolower((unsigned char)table[err].name[i]);
	name[i] = '\0';
	return name;
}

enum vl_err vl_fail(struct vl_why *why, enum vl_err err, const char *format, ...)
{
	if (why != NULL) {
		va_list args;
		va_start(args, format);
		(void)vsnprintf(why->text, sizeof(why->text), format, args);
		va_end(args);
	}
	return err;
}

const char *vl_why_text(const struct vl_why *why, enum vl_err err)
{
	return why != NULL && why->text[0] != '\0' ? why->text : vl_err_text(err);
}
