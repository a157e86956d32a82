#include "cli/views.h"

#include "base/buf.h"
#include "base/log.h"
#include "hq/repair/open.h"

enum vl_err cli_views_open(const struct cli_options *options, struct cli_views *views,
			   struct vl_why *why)
{
	*views = (struct cli_views){0};
	if (options->views == NULL)
		return vl_fail(
			why, VL_ERR_USAGE,
			"no views; give --views DIR (valise-hq's folder) or set VALISE_VIEWS");
	struct vl_why reason = {0};
	enum vl_err err = vl_ledger_open(options->views, 0, true, &views->store, &reason);
	if (err != VL_OK)
		return vl_fail(why, err, "views in '%.100s': %s", options->views,
			       vl_why_text(&reason, err));
	views->now = vl_clock_now(&vl_clock_system);
	views->txn = views->live = vl_txn_begin(views->store, false, why);
	return views->txn != NULL ? VL_OK : VL_ERR_NOMEM;
}

void cli_views_close(struct cli_views *views)
{
	vl_past_close(views->past);
	vl_txn_abort(views->live);
	vl_store_close(views->store);
	views->past = NULL;
	views->live = views->txn = NULL;
	views->store = NULL;
}

enum vl_err cli_views_kind(const struct vl_view *view, const char *name, unsigned *kind,
			   struct vl_why *why)
{
	struct vl_buf names = {0};
	int found = name != NULL ? vl_view_kind(view, name) : (int)view->shown;

	if (found >= 0) {
		*kind = (unsigned)found;
		return VL_OK;
	}
	for (unsigned i = 0; i < view->n_kinds; i++)
		vl_buf_printf(&names, "%s%s", i > 0 ? ", " : "", view->kinds[i].name);
	enum vl_err err =
		vl_fail(why, VL_ERR_NOT_FOUND, "no such kind; there are %s", vl_buf_text(&names));
	vl_buf_free(&names);
	return err;
}

void cli_views_print(struct vl_buf *out)
{
	cli_write(out->data, out->size);
	(void)cli_flush();
	vl_buf_free(out);
}

int cli_views_damaged(const char *what, size_t count)
{
	vl_log_error("%zu %s are damaged in the views, and left out; 'valise view check' lists "
		     "all that is",
		     count, what);
	return CLI_UNVERIFIED;
}

const struct cli_verb cli_noun_verbs[] = {
	{
		.name = "ls",
		.args = "[KIND]",
		.about = "List the rows of headquarters' view. A view has kinds of row (an "
			 "evacuation: crisis, operation, leg, person ...). Without KIND the "
			 "view's default kind is listed. Closed rows are hidden; --all shows "
			 "them. Overdue rows come first, then urgent ones, unless --sort says "
			 "otherwise.\n\n"
			 "FIELD is any that 'valise query --schema' lists for the kind, or a "
			 "column by its title. For a list (clocks_due_at, violations_rule) one "
			 "item has to match. An empty VALUE matches an unset field.\n\n"
			 "  valise case ls -w 'priority<=P2' -w DUE~overdue -w 'host_country "
			 "in SD,EG'\n"
			 "  valise evacuation ls person -w unsettled=yes -c key,disposition -o "
			 "csv\n\n"
			 "-o json gives {\"key\",\"kind\",\"row\"}, one row a line. With "
			 "--columns it gives one object of these. -o csv follows RFC 4180. A "
			 "text that a spreadsheet would take for a formula gets a ' in front.",
		.options = CLI_OPT_VIEWS | CLI_OPT_FORMS | CLI_OPT_ALL | CLI_OPT_AT | CLI_OPT_ASK |
			   CLI_OPT_PAST,
		.max_args = 1,
		.run = cli_ls,
	},
	{
		.name = "show",
		.args = "KEY",
		.about = "Show one row: its fields, what is due, and the rules that its facts "
			 "break, in the rule's words. Then each signed event behind it, with "
			 "its content. Personal parts are left out. Times are to the second, "
			 "in the host's zone or in --zone. -o json gives "
			 "{\"key\",\"kind\",\"lane\",\"row\",\"history\"}, with whole events "
			 "and exact times. Without --kind the key is looked for in every kind, "
			 "the default one first.",
		.options =
			CLI_OPT_VIEWS | CLI_OPT_OUTPUT | CLI_OPT_KIND | CLI_OPT_ZONE | CLI_OPT_PAST,
		.min_args = 1,
		.max_args = 1,
		.run = cli_show,
	},
	{
		.name = "why",
		.args = "KEY FIELD",
		.about = "Show the signed events behind one field of a row, and what each said "
			 "for it. FIELD is any that 'valise query --schema' lists for the kind, a "
			 "list (clocks), a column by its title, or a rule by its name.\n\n"
			 "  valise case why SD-2023-0042 priority\n"
			 "  valise evacuation why SD-SHIP-1 aboard --kind leg\n\n"
			 "ROLE: the value is what one event says (decides), or several add to it "
			 "(adds). Without an event that matters the value would be another. An "
			 "event that said something is 'no more' if another one stands. If no "
			 "single event makes a difference, all of the history is shown (part of "
			 "it). Of a sum the rows that add to it are shown, the largest first, 20 "
			 "of them or --limit.",
		.options = CLI_OPT_VIEWS | CLI_OPT_OUTPUT | CLI_OPT_KIND | CLI_OPT_ZONE |
			   CLI_OPT_PAST | CLI_OPT_LIMIT,
		.min_args = 2,
		.max_args = 2,
		.run = cli_why,
	},
	{0},
};
