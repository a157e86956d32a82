/*
 * `valise query`: a question in SQL to all views, and `--schema`.
 */
#include "ask/sql.h"
#include "ask/table.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/near.h"
#include "base/text.h"
#include "cli/answer.h"
#include "cli/views.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of a question that an error names. */
#define SHOWN 80
#define TABLES_MOST 1024

static enum cli_format format_of(const struct cli_options *options)
{
	return options->json ? CLI_JSON : options->csv ? CLI_CSV : CLI_TABLE;
}

/* -- the question -- */

static bool take_titles(void *context, const char *const *titles, size_t n)
{
	cli_answer_titles(context, titles, n);
	return cli_answer_whole(context);
}

static void put_bytes(struct cli_answer *answer, struct vl_bytes bytes)
{
	char *text = malloc(2 * bytes.size + 1);

	if (text != NULL)
		cli_answer_text(answer, vl_bytes_of(vl_hex(bytes.data, bytes.size, text)));
	else
		cli_answer_none(answer);
	free(text);
}

static bool take_row(void *context, const struct vl_ask_cell *cells, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		switch (cells[i].type) {
		case VL_ASK_IS_NULL:
			cli_answer_none(context);
			break;
		case VL_ASK_IS_NUMBER:
			cli_answer_number(context, cells[i].number);
			break;
		case VL_ASK_IS_REAL:
			cli_answer_real(context, cells[i].real);
			break;
		case VL_ASK_IS_TEXT:
			cli_answer_text(context, cells[i].bytes);
			break;
		case VL_ASK_IS_BYTES:
			put_bytes(context, cells[i].bytes);
			break;
		}
	}
	return cli_answer_whole(context);
}

/* The snapshot is let go before anything is printed, as a reader may take long. */
static enum vl_err ask(const struct cli_options *options, const struct vl_ask_tables *tables,
		       struct cli_answer *answer, struct cli_views *views, size_t *damaged,
		       struct vl_why *why)
{
	const struct vl_ask_bounds bounds = {vl_monotonic_ms, VL_ASK_SQL_MS, VL_ASK_SQL_MEMORY};
	const struct vl_ask_sink sink = {take_titles, take_row, answer};
	struct vl_ask_sql *sql = NULL;

	enum vl_err err = cli_views_open(options, views, why);
	if (err == VL_OK)
		err = cli_views_go_back(options, -1, views, why);
	if (err == VL_OK)
		err = vl_ask_sql_open(views->txn, tables, &bounds, &sql, why);
	if (err == VL_OK)
		err = vl_ask_sql_run(sql, options->args[0], (const char *const *)options->args + 1,
				     options->n_args - 1, &sink, why);
	*damaged = err == VL_OK ? vl_ask_sql_damaged(sql) : 0;
	vl_ask_sql_close(sql);
	cli_views_close(views);
	return err;
}

/* -- the schema -- */

static const char *type_name(enum vl_ask_form form)
{
	static const char *const names[] = {
		[VL_ASK_TEXT] = "text",    [VL_ASK_NUMBER] = "number", [VL_ASK_REAL] = "real",
		[VL_ASK_YESNO] = "0 or 1", [VL_ASK_WORD] = "word",     [VL_ASK_TIME] = "time",
		[VL_ASK_ID] = "id",
	};

	return names[form];
}

static void put_words(const struct vl_ask_column *column, struct cli_answer *answer)
{
	struct vl_buf words = {0};

	if (column->form != VL_ASK_WORD) {
		cli_answer_none(answer);
		return;
	}
	const ProtobufCEnumDescriptor *type = column->path[column->n_path - 1]->descriptor;
	for (unsigned i = 0; i < type->n_values; i++) {
		const char *name = vl_view_name(type, type->values[i].value);
		if (name[0] != '\0')
			vl_buf_printf(&words, "%s%s", words.size > 0 ? " " : "", name);
	}
	cli_answer_text(answer, vl_buf_bytes(&words));
	vl_buf_free(&words);
}

static void put_table(const struct vl_ask_table *table, struct cli_answer *answer)
{
	char name[128];

	for (size_t i = 0; i < table->n_columns; i++) {
		bool reserved = vl_ask_sql_reserved(table->columns[i].name);
		(void)snprintf(name, sizeof(name), reserved ? "\"%s\"" : "%s",
			       table->columns[i].name);
		cli_answer_text(answer, vl_bytes_of(table->name));
		cli_answer_text(answer, vl_bytes_of(name));
		cli_answer_text(answer, vl_bytes_of(type_name(table->columns[i].form)));
		put_words(&table->columns[i], answer);
	}
}

static enum vl_err no_table(const struct vl_ask_tables *tables, const char *name,
			    struct vl_why *why)
{
	const char *names[TABLES_MOST];
	size_t n = 0;

	while (n < TABLES_MOST && vl_ask_table_at(tables, n) != NULL) {
		names[n] = vl_ask_table_at(tables, n)->name;
		n++;
	}
	const char *near = vl_nearest(name, names, n);
	return near != NULL ? vl_fail(why, VL_ERR_NOT_FOUND,
				      "no such table; did you mean '%s'? 'valise query "
				      "--schema' lists all",
				      near)
			    : vl_fail(why, VL_ERR_NOT_FOUND,
				      "no such table; 'valise query --schema' lists all");
}

static enum vl_err list_tables(const struct cli_options *options,
			       const struct vl_ask_tables *tables, struct cli_answer *answer,
			       struct vl_why *why)
{
	static const char *const titles[] = {"TABLE", "COLUMN", "TYPE", "WORDS"};
	static const char *const names[] = {"table", "column", "type", "words"};
	const struct vl_ask_table *table;

	cli_answer_titles(answer, options->json ? names : titles, 4);
	for (size_t i = 0; options->n_args == 0 && (table = vl_ask_table_at(tables, i)) != NULL;
	     i++)
		put_table(table, answer);
	for (size_t i = 0; i < options->n_args; i++) {
		table = vl_ask_table_named(tables, options->args[i]);
		if (table == NULL)
			return no_table(tables, options->args[i], why);
		put_table(table, answer);
	}
	return VL_OK;
}

/* -- the verb -- */

static int refuse(const struct cli_options *options, const struct vl_why *why, enum vl_err err)
{
	const char *asked = options->n_args > 0 ? options->args[0] : "views";
	char shown[SHOWN + 4];

	(void)snprintf(shown, sizeof(shown), strlen(asked) > SHOWN ? "%.*s..." : "%.*s", SHOWN,
		       asked);
	int code = cli_cannot("query", shown, why, err);
	if (err == VL_ERR_USAGE)
		vl_log_info("hint: valise query --help");
	return code;
}

static int query(const struct cli_options *options)
{
	struct vl_ask_tables *tables = vl_ask_tables_open();
	struct cli_answer *answer = cli_answer_open(format_of(options), CLI_ANSWER_MOST);
	struct vl_why why = {0};
	struct cli_views views = {0};
	struct vl_buf out = {0};
	size_t damaged = 0;
	enum vl_err err = tables != NULL && answer != NULL ? VL_OK : VL_ERR_NOMEM;

	if (err == VL_OK && options->schema)
		err = list_tables(options, tables, answer, &why);
	else if (err == VL_OK && options->n_args == 0)
		err = vl_fail(&why, VL_ERR_USAGE,
			      "the question is missing; give 'SELECT ...', or --schema");
	else if (err == VL_OK)
		err = ask(options, tables, answer, &views, &damaged, &why);
	if (err == VL_OK && cli_answer_whole(answer))
		cli_answer_print(answer, cli_bold(), &out);
	if (err == VL_OK && (!cli_answer_whole(answer) || vl_buf_failed(&out)))
		err = VL_ERR_NOMEM;
	int code = err == VL_OK ? CLI_OK : refuse(options, &why, err);
	if (err == VL_OK)
		cli_views_print(&out);
	if (err == VL_OK && damaged > 0)
		code = cli_views_damaged("rows that were asked for", damaged);
	if (err == VL_OK)
		code = cli_views_end(&views, code);
	vl_buf_free(&out);
	cli_answer_close(answer);
	vl_ask_tables_close(tables);
	return code;
}

const struct cli_verb cli_query_verbs[] = {
	{
		.args = "'SELECT ...' [VALUE]... | --schema [TABLE]...",
		.about = "Ask all views at once, in the SQL of SQLite. Each kind of row is a "
			 "table: case, evacuation_person, traveller_check. Each list in a row "
			 "is a table too, with the row's key and a position: case_clocks. "
			 "--schema lists tables, columns and types. Each VALUE stands for ?1, "
			 "?2 ... in the question.\n\n"
			 "  valise query \"SELECT host_country, count(*) FROM case\n"
			 "    WHERE state <> 'CLOSED' GROUP BY 1\"\n\n"
			 "  valise query \"SELECT c.key, p.key FROM case c\n"
			 "    JOIN evacuation_operation o ON o.crisis = c.crisis\n"
			 "    JOIN evacuation_person p ON p.operation = o.key WHERE "
			 "p.unsettled\"\n\n"
			 "Times compare as times: opened_at >= '2023-04-26'. An unset field is "
			 "'' for texts and words, and NULL for times and ids. If a column has "
			 "the name of an SQL word, write \"from\", or t.from. A question never "
			 "writes. It has 30 seconds, 256 MB of memory, and 256 MB for its "
			 "answer.",
		.options = CLI_OPT_VIEWS | CLI_OPT_FORMS | CLI_OPT_SCHEMA | CLI_OPT_PAST,
		.max_args = 64,
		.run = query,
	},
	{0},
};
