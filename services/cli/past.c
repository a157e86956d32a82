/*
 * --known and --true: the views as they were, in the place of the present.
 */
#include "base/log.h"
#include "cli/views.h"
#include "cli/zone.h"

#include <inttypes.h>

static void progress(uint64_t events)
{
	cli_progress("%" PRIu64 " events of the past", events);
}

static enum vl_err fold(struct cli_views *views, int view, struct vl_why *why)
{
	enum vl_err err = VL_OK;

	if (view >= 0)
		return vl_past_fold(views->past, views->live, (size_t)view, why);
	for (size_t i = 0; vl_views[i] != NULL && err == VL_OK; i++)
		err = vl_past_fold(views->past, views->live, i, why);
	return err;
}

enum vl_err cli_views_go_back(const struct cli_options *options, int view, struct cli_views *views,
			      struct vl_why *why)
{
	bool known = options->known.given;
	sigset_t before;

	if (!known && !options->truth.given)
		return VL_OK;
	if (known && options->truth.given)
		return vl_fail(why, VL_ERR_USAGE, "--known and --true are two questions; give one");
	views->as = known ? "known" : "true";
	views->now = known ? options->known.time : options->truth.time;
	enum vl_err err = vl_past_open(known ? VL_PAST_KNOWN : VL_PAST_TRUE, views->now,
				       VL_PAST_EVENTS, progress, &views->past, why);
	cli_hold_stops(&before);
	if (err == VL_OK)
		err = fold(views, view, why);
	/* The present is not needed any more, and kept from nobody. */
	vl_txn_rest(views->live);
	cli_let_stops(&before);
	cli_progress_end();
	if (err != VL_OK)
		return err;
	views->damaged = vl_past_damaged(views->past);
	views->txn = vl_past_read(views->past, why);
	return views->txn != NULL ? VL_OK : VL_ERR_NOMEM;
}

void cli_views_put_time(const struct cli_views *views, struct vl_buf *out)
{
	char text[VL_TIME_TEXT];

	if (views->as != NULL)
		vl_buf_printf(out, "%s at %s\n",
			      views->as[0] == 'k' ? "as headquarters knew it" : "as it was",
			      cli_zone_format(views->now, text));
}

void cli_views_put_json(const struct cli_views *views, struct vl_buf *out)
{
	char text[VL_TIME_TEXT];

	if (views->as != NULL)
		vl_buf_printf(out, ",\"%s\":\"%s\"", views->as, vl_time_format(views->now, text));
}

int cli_views_end(const struct cli_views *views, int code)
{
	return views->damaged > 0 ? cli_views_damaged("batches of the archive", views->damaged)
				  : code;
}
