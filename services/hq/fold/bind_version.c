/*
 * What the rows of a view are made by, as one digest.
 */
#include "hq/fold/bound.h"

#include <sodium.h>

/* Of the engine: what it makes of the same tables. */
#define ENGINE "1"

enum vl_err vl_bound_version(const struct vl_bound *bound, const char *sum,
			     struct vl_digest *version)
{
	struct vl_buf text = {0};

	vl_bound_explain(bound, &text);
	vl_buf_printf(&text, "%s\nengine %s\n", sum, ENGINE);
	enum vl_err err = vl_buf_failed(&text) ? VL_ERR_NOMEM : VL_OK;
	if (err == VL_OK)
		crypto_generichash(version->bytes, sizeof(version->bytes), text.data, text.size,
				   NULL, 0);
	vl_buf_free(&text);
	return err;
}
