/*
 * Reading headquarters' views, while valise-hq may use them: one snapshot, held no longer than
 * reading takes. A verb prints nothing and waits for nothing while it holds the snapshot. So a
 * stopped program, or one whose output is not read, does not keep room of the views from use.
 *
 * Next: table.h, aligned columns.
 */
#ifndef VALISE_CLI_VIEWS_H
#define VALISE_CLI_VIEWS_H

#include "cli/cli.h"
#include "hq/fold/past.h"
#include "hq/fold/views.h"
#include "hq/ledger/ledger.h"

struct vl_buf;

struct cli_views {
	struct vl_store *store;
	struct vl_txn *live; /* the present */
	struct vl_txn *txn;  /* what is asked: the present, or the past */
	struct vl_past *past;
	const char *as;     /* "known", "true", or NULL: of the present */
	struct vl_time now; /* the time that is asked for */
	uint64_t damaged;   /* batches that could not be read for it */
};

/* USAGE if no --views were given; NOT_FOUND if there are none yet. Call cli_views_close in any
 * case. */
enum vl_err cli_views_open(const struct cli_options *options, struct cli_views *views,
			   struct vl_why *why) VL_CHECKED;
void cli_views_close(struct cli_views *views);

/* With --known or --true: from here on `txn` reads the views as they were at that time. `view` is
 * an index of vl_views; -1: all of them. Does nothing where neither was given. */
enum vl_err cli_views_go_back(const struct cli_options *options, int view, struct cli_views *views,
			      struct vl_why *why) VL_CHECKED;

/* What time was asked for, as a line for people, and as a member of a JSON object; nothing of the
 * present. */
void cli_views_put_time(const struct cli_views *views, struct vl_buf *out);
void cli_views_put_json(const struct cli_views *views, struct vl_buf *out);

/* Say on stderr what of the archive could not be read for it; the exit code, or `code`. */
int cli_views_end(const struct cli_views *views, int code);

/* The kind for a verb: the named one, or the view's default. NOT_FOUND, with the existing names. */
enum vl_err cli_views_kind(const struct vl_view *view, const char *name, unsigned *kind,
			   struct vl_why *why) VL_CHECKED;

/* Report on stderr that `count` of `what` are damaged and left out; returns the exit code. */
int cli_views_damaged(const char *what, size_t count);

/* Print the gathered text to stdout, and empty it. */
void cli_views_print(struct vl_buf *out);

/* `valise view explain [LANE]`. */
int cli_explain(const struct cli_options *options);

/* `valise NOUN ls [KIND]`, `valise NOUN show KEY`, `valise NOUN why KEY FIELD`. */
int cli_ls(const struct cli_options *options);
int cli_show(const struct cli_options *options);
int cli_why(const struct cli_options *options);

/* Append a message for people: a field a line, indented. Fields at their default are left out,
 * and personal ones are never shown. At the top the field named `without` (may be NULL) is
 * skipped. */
void cli_pretty(const ProtobufCMessage *message, const char *without, struct vl_buf *out);

/* The same in one line: "type=ARREST_DETENTION persons=2 legs[2]". Of a list of messages only
 * the number is shown. */
void cli_pretty_line(const ProtobufCMessage *message, struct vl_buf *out);

/* The same of one field, "persons=2"; nothing where it says nothing. */
void cli_pretty_field(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
		      struct vl_buf *out);

#endif
