/*
 * `valise deadletter refused`: the dead letters that their topic refuses.
 */
#include "base/buf.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/table.h"
#include "cli/views.h"
#include "hq/ledger/deadletter.h"
#include "hq/ledger/refused.h"

#include <inttypes.h>

struct refusals {
	struct cli_table *table; /* NULL for JSON */
	struct vl_buf out, text;
	size_t damaged;
};

static void put_refusal_json(struct vl_buf *out, const struct vl_refused *refused,
			     const struct vl_letter *letter)
{
	const struct vl_record *r = &letter->record;
	char time[VL_TIME_TEXT];

	vl_buf_put_text(out, "{");
	cli_put_json_text(out, "topic", r->topic);
	vl_buf_printf(out,
		      ",\"partition\":%" PRId32 ",\"offset\":%" PRId64
		      ",\"reason\":\"%s\",\"refused\":\"%s\"",
		      r->partition, r->offset, letter->reason, vl_err_name(refused->err));
	vl_buf_printf(out, ",\"since\":\"%s\"",
		      vl_time_format(vl_time_from_ms(refused->since_ms), time));
	vl_buf_printf(out, ",\"tries\":%" PRIu32 ",\"next\":\"%s\",\"valueSize\":%zu}\n",
		      refused->tries, vl_time_format(vl_time_from_ms(refused->next_ms), time),
		      r->value.size);
}

static void put_refusal(void *context, const struct vl_refused *refused)
{
	struct refusals *l = context;
	char time[VL_TIME_TEXT];
	struct vl_letter letter;

	if (vl_letter_read(refused->letter, &letter) != VL_OK) {
		l->damaged++;
		return;
	}
	if (l->table == NULL) {
		put_refusal_json(&l->out, refused, &letter);
		return;
	}
	vl_buf_reset(&l->text);
	vl_buf_put(&l->text, letter.record.topic.data, letter.record.topic.size);
	vl_buf_printf(&l->text, "/%" PRId32 "/%" PRId64, letter.record.partition,
		      letter.record.offset);
	cli_table_put_bytes(l->table, vl_buf_bytes(&l->text));
	cli_table_put(l->table, letter.reason);
	cli_table_printf(l->table, "%zu", letter.record.value.size);
	cli_table_put(l->table, vl_time_format(vl_time_from_ms(refused->since_ms), time));
	cli_table_printf(l->table, "%" PRIu32, refused->tries);
	cli_table_put(l->table, vl_time_format(vl_time_from_ms(refused->next_ms), time));
	cli_table_put(l->table, vl_err_text(refused->err));
}

int cli_deadletter_refused(const struct cli_options *options)
{
	static const char *const titles[] = {"ORIGIN", "REASON", "BYTES",     "SINCE",
					     "TRIES",  "NEXT",   "REFUSED AS"};
	struct refusals l = {.table = options->json ? NULL : cli_table_open(titles, 7)};
	struct cli_views views = {0};
	struct vl_why why = {0};

	enum vl_err err = options->json || l.table != NULL ? VL_OK : VL_ERR_NOMEM;
	if (err == VL_OK)
		err = cli_views_open(options, &views, &why);
	if (err == VL_OK) {
		l.damaged += vl_refused_each(views.txn, put_refusal, &l);
		err = vl_txn_err(views.txn);
	}
	cli_views_close(&views);
	if (err == VL_OK && l.table != NULL)
		cli_table_print(l.table, cli_bold(), &l.out);
	int code = err == VL_OK ? CLI_OK : cli_cannot("list", "dead letters", &why, err);
	if (err == VL_OK)
		cli_views_print(&l.out);
	if (err == VL_OK && l.damaged > 0)
		code = cli_views_damaged("dead letters", l.damaged);
	vl_buf_free(&l.out);
	vl_buf_free(&l.text);
	cli_table_close(l.table);
	return code;
}
