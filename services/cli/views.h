/*
 * Looking into headquarters' views, which may be in use by valise-hq at the same time: one
 * snapshot, and no longer than it takes to read. Nothing is printed and nothing waited for under
 * it, so that a person who stops this program, or does not read what it prints, keeps no room of
 * the views from use.
 */
#ifndef VALISE_CLI_VIEWS_H
#define VALISE_CLI_VIEWS_H

#include "cli/cli.h"
#include "hq/fold/views.h"
#include "hq/ledger/ledger.h"

struct cli_views {
	struct vl_store *store;
	struct vl_txn *txn;
};

/* USAGE where no --views were given; NOT_FOUND where there are none yet. cli_views_close in any
 * case. */
enum vl_err cli_views_open(const struct cli_options *options, struct cli_views *views,
			   struct vl_why *why) VL_CHECKED;
void cli_views_close(struct cli_views *views);

/* The kind that a verb is about: the one named, or the view's own choice. NOT_FOUND, naming
 * those there are. */
enum vl_err cli_views_kind(const struct vl_view *view, const char *name, unsigned *kind,
			   struct vl_why *why) VL_CHECKED;

/* Say on stderr that `count` of `what` are damaged and left out; the exit code. */
int cli_views_damaged(const char *what, size_t count);

/* Print to stdout what was gathered, and empty it. */
struct vl_buf;
void cli_views_print(struct vl_buf *out);

/* `valise view explain [LANE]`. */
int cli_explain(const struct cli_options *options);

/* `valise NOUN ls [KIND]`, `valise NOUN show KEY`. */
int cli_ls(const struct cli_options *options);
int cli_show(const struct cli_options *options);

/* Append a message for people, a field a line, indented; fields at their default are left out,
 * personal ones never shown, and the field named `without` (may be NULL) is passed over at the
 * top. */
void cli_pretty(const ProtobufCMessage *message, const char *without, struct vl_buf *out);

/* The same in one line: "type=ARREST_DETENTION persons=2 legs[2]"; of a list of messages only how
 * many there are. */
void cli_pretty_line(const ProtobufCMessage *message, struct vl_buf *out);

#endif
