#include "hq/fold/databases.h"

#include "hq/fold/views.h"

#include <stdio.h>
#include <string.h>

static const char *const common[] = {
	"meta",    "offset",  "chain",   "standing", "archive", "parked",  "evidence", "dead",
	"refused", "reasons", "waiting", "pulse",    "missing", "key",     "unread",   "passed",
	"awaits",  "due",     "digest",  "held",     "todo",    "pending", "recount",
};
static const char *const of_view[] = {"event", "history", "row", "tally", "lookup", "index"};

_Static_assert(sizeof(common) / sizeof(common[0]) == VL_DB_VIEWS, "a name for each database");
_Static_assert(sizeof(of_view) / sizeof(of_view[0]) == VL_VIEW_DBS,
	       "a name for each database of a view");

void vl_ledger_name(unsigned db, char name[VL_LEDGER_NAME])
{
	unsigned of = db - VL_DB_VIEWS;

	if (db < VL_DB_VIEWS)
		(void)snprintf(name, VL_LEDGER_NAME, "%s", common[db]);
	else
		(void)snprintf(name, VL_LEDGER_NAME, "%s/%s", vl_views[of / VL_VIEW_DBS]->lane,
			       of_view[of % VL_VIEW_DBS]);
}

char **vl_ledger_names(struct vl_arena *arena)
{
	unsigned count = vl_view_db(vl_views_count(), 0);
	char **names = vl_arena_alloc(arena, (count + 1) * sizeof(*names));
	char text[VL_LEDGER_NAME];

	for (unsigned db = 0; names != NULL && db < count; db++) {
		vl_ledger_name(db, text);
		names[db] = vl_arena_text(arena, text, strlen(text));
	}
	return vl_arena_failed(arena) ? NULL : names;
}
