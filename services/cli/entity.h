/*
 * One row that a verb is about, with its history: what `show` and `why` begin with.
 *
 * Next: views.h, how the views are opened, and opened as they were.
 */
#ifndef VALISE_CLI_ENTITY_H
#define VALISE_CLI_ENTITY_H

#include "ask/table.h"
#include "base/arena.h"
#include "cli/views.h"
#include "hq/fold/bind.h"
#include "hq/fold/fold.h"

struct cli_entity {
	const struct vl_view *view;
	size_t index; /* of the view */
	unsigned kind;
	const char *key;
	char room[VL_ENTITY_MAX + 1];
	bool damaged; /* its row is: then there is none */
	const ProtobufCMessage *row;
	struct vl_history_item *history;
	size_t n_history, n_damaged;
	struct vl_arena *arena;
	struct vl_bound *bound;
	struct vl_ask_tables *tables;
};

/* Open the views, at the time that is asked for, and find the row that args[0] names; `e` is
 * zeroed. NOT_FOUND, with a key that is near. What was found points into `views` and the arena.
 * Both are closed in any case. */
enum vl_err cli_entity_open(struct cli_entity *e, const struct cli_options *options,
			    struct cli_views *views, struct vl_why *why) VL_CHECKED;
void cli_entity_close(struct cli_entity *e);

/* "case SD-1  consular.case.v1", the time that was asked for, and an empty line. */
void cli_entity_title(const struct cli_entity *e, const struct cli_views *views,
		      struct vl_buf *out);

#endif
