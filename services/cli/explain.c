/*
 * What a view declares, as text. It needs no views: the declaration is part of the program.
 */
#include "cli/cli.h"
#include "cli/views.h"
#include "hq/fold/bind.h"

#include <string.h>

static enum vl_err explain(size_t view, struct vl_buf *out, struct vl_why *why)
{
	struct vl_bound *bound;
	enum vl_err err = vl_view_bind_one(vl_views[view], &bound, why);

	if (err != VL_OK)
		return err;
	vl_buf_put_text(out, out->size > 0 ? "\n" : "");
	vl_bound_explain(bound, out);
	vl_view_unbind(bound);
	return vl_buf_failed(out) ? VL_ERR_NOMEM : VL_OK;
}

/* A lane or its noun. */
static int find(const char *name)
{
	int view = vl_view_of_lane(name, strlen(name));

	return view >= 0 ? view : vl_view_of_noun(name);
}

int cli_explain(const struct cli_options *options)
{
	const char *name = options->n_args > 0 ? options->args[0] : NULL;
	struct vl_why why = {0};
	struct vl_buf out = {0};
	enum vl_err err = VL_OK;

	if (name != NULL && find(name) < 0)
		err = vl_fail(&why, VL_ERR_NOT_FOUND,
			      "no such view; 'valise view explain' shows all");
	for (size_t i = 0; err == VL_OK && vl_views[i] != NULL; i++)
		if (name == NULL || find(name) == (int)i)
			err = explain(i, &out, &why);
	int code = err == VL_OK ? CLI_OK
				: cli_cannot("explain", name != NULL ? name : "views", &why, err);
	if (err == VL_OK)
		cli_views_print(&out);
	vl_buf_free(&out);
	return code;
}
