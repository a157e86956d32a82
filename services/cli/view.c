#include "base/buf.h"
#include "base/text.h"
#include "cli/views.h"
#include "hq/digest.h"

#include <string.h>

static enum vl_err print_digest(struct vl_txn *txn, size_t view, struct vl_buf *out)
{
	char text[2 * sizeof(struct vl_digest) + 1];
	struct vl_digest digest;

	enum vl_err err = vl_view_digest(txn, view, &digest);
	if (err == VL_OK)
		vl_buf_printf(out, "%s  %s\n", vl_hex(digest.bytes, sizeof(digest.bytes), text), vl_views[view]->lane);
	return err;
}

static enum vl_err no_view(const char *lane, struct vl_why *why)
{
	const char *lanes[32];
	size_t n = 0;

	while (vl_views[n] != NULL && n < 32) {
		lanes[n] = vl_views[n]->lane;
		n++;
	}
	const char *near = cli_nearest(lane, lanes, n);
	return near != NULL ? vl_fail(why, VL_ERR_NOT_FOUND, "no view of lane '%.64s'; did you mean '%s'?", lane, near)
			    : vl_fail(why, VL_ERR_NOT_FOUND, "no view of lane '%.64s'", lane);
}

static enum vl_err print_digests(const struct cli_options *options, struct vl_txn *txn, struct vl_buf *out,
				 struct vl_why *why)
{
	enum vl_err err = VL_OK;

	for (size_t i = 0; options->n_args == 0 && vl_views[i] != NULL && err == VL_OK; i++)
		err = print_digest(txn, i, out);
	for (size_t i = 0; i < options->n_args && err == VL_OK; i++) {
		int view = vl_view_of_lane(options->args[i], strlen(options->args[i]));
		err = view >= 0 ? print_digest(txn, (size_t)view, out) : no_view(options->args[i], why);
	}
	return err;
}

static int digest(const struct cli_options *options)
{
	struct cli_views views = {0};
	struct vl_why why = {0};
	struct vl_buf out = {0};

	enum vl_err err = cli_views_open(options, &views, &why);
	if (err == VL_OK)
		err = print_digests(options, views.txn, &out, &why);
	cli_views_close(&views);
	int code = err == VL_OK ? CLI_OK
				: cli_cannot("digest", options->views != NULL ? options->views : "views", &why, err);
	if (err == VL_OK)
		cli_views_print(&out);
	vl_buf_free(&out);
	return code;
}

const struct cli_verb cli_view_verbs[] = {
	{
		.name = "digest",
		.args = "[LANE]...",
		.about = "Print the digest of each view, 64 hex digits and its lane. Two headquarters that have "
			 "applied the\n"
			 "same batches, in whatever order they came, have the same digests: a view rebuilt from its "
			 "first\n"
			 "record proves itself by this.",
		.options = CLI_OPT_VIEWS,
		.max_args = 64,
		.run = digest,
	},
	{0},
};
