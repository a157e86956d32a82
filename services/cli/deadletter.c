#include "hq/ledger/deadletter.h"
#include "base/buf.h"
#include "base/text.h"
#include "bus/json.h"
#include "cli/cli.h"
#include "cli/scan.h"
#include "cli/table.h"
#include "cli/views.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOPIC "valise.deadletter.v1"
#define PREFIX "valise.errors."

/* A dead letter taken apart: the record as it was, and what headquarters wrote on it. Points
 * into the message. */
struct letter {
	struct vl_record record;
	struct vl_bytes topic, partition, offset, timestamp, reason, detail;
	bool whole; /* nothing of its origin is missing */
};

static bool is_error_header(struct vl_bytes name)
{
	return name.size > strlen(PREFIX) && memcmp(name.data, PREFIX, strlen(PREFIX)) == 0;
}

static bool parse_number(struct vl_bytes text, int64_t *number)
{
	char digits[24], *end;

	if (text.size == 0 || text.size >= sizeof(digits))
		return false;
	memcpy(digits, text.data, text.size);
	digits[text.size] = '\0';
	*number = strtoll(digits, &end, 10);
	return *end == '\0';
}

static void take_header(struct letter *letter, const struct vl_header *header)
{
	struct {
		const char *name;
		struct vl_bytes *value;
	} const known[] = {
		{"topic", &letter->topic},   {"partition", &letter->partition},
		{"offset", &letter->offset}, {"timestamp", &letter->timestamp},
		{"reason", &letter->reason}, {"detail", &letter->detail},
	};
	const struct vl_bytes name = {header->name.data + strlen(PREFIX),
				      header->name.size - strlen(PREFIX)};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (vl_bytes_are(name, known[i].name))
			*known[i].value = header->value;
	}
}

static struct letter open_letter(const struct vl_record *record)
{
	struct letter letter = {.record = *record};
	int64_t partition = 0, offset = 0, timestamp = 0;

	letter.record.n_headers = 0;
	for (size_t i = 0; i < record->n_headers; i++) {
		if (is_error_header(record->headers[i].name))
			take_header(&letter, &record->headers[i]);
		else
			letter.record.headers[letter.record.n_headers++] = record->headers[i];
	}
	letter.whole = letter.topic.size > 0 && parse_number(letter.partition, &partition) &&
		       parse_number(letter.offset, &offset) &&
		       parse_number(letter.timestamp, &timestamp);
	if (letter.whole) {
		letter.record.topic = letter.topic;
		letter.record.partition = (int32_t)partition;
		letter.record.offset = offset;
		letter.record.timestamp_ms = timestamp;
	}
	return letter;
}

static const char *origin(const struct letter *letter, struct vl_buf *text)
{
	vl_buf_reset(text);
	vl_buf_put(text, letter->topic.data, letter->topic.size);
	vl_buf_printf(text, "/%" PRId32 "/%" PRId64, letter->record.partition,
		      letter->record.offset);
	return vl_buf_text(text);
}

/* Walk the topic, calling `each` until it says false. */
static enum vl_err walk(const struct cli_options *options,
			bool (*each)(void *context, const struct letter *letter), void *context,
			struct vl_why *why)
{
	static const char *const topics[] = {TOPIC};
	struct vl_message *message;
	struct cli_scan *scan;
	bool more = true;

	enum vl_err err = cli_scan_open(options, topics, 1, &scan, why);
	while (err == VL_OK && more) {
		err = cli_scan_next(scan, &message, why);
		if (err == VL_ERR_TIMEOUT) {
			err = VL_OK;
			continue;
		}
		if (err != VL_OK)
			break;
		struct letter letter = open_letter(vl_message_record(message));
		more = each(context, &letter);
		vl_message_free(message);
		cli_progress("%" PRIu64 " of %" PRIu64 " dead letters", cli_scan_done(scan),
			     cli_scan_total(scan));
	}
	cli_progress_end();
	if (scan != NULL)
		(void)cli_scan_tell_unread(scan);
	cli_scan_close(scan);
	return err == VL_ERR_END ? VL_OK : err;
}

/* -- ls -- */

struct listing {
	const struct cli_options *options;
	struct cli_table *table; /* NULL for JSON */
	struct vl_buf out, text;
	struct vl_digest *seen; /* digests of origins, open addressing; zeros are free */
	size_t n_slots, n_seen;
	bool failed;
};

static struct vl_digest *slot_of(struct vl_digest *slots, size_t n, const struct vl_digest *digest)
{
	size_t i = (size_t)vl_get_be64(digest->bytes) & (n - 1);

	while (!vl_digest_equal(&slots[i], &(struct vl_digest){0}) &&
	       !vl_digest_equal(&slots[i], digest))
		i = (i + 1) & (n - 1);
	return &slots[i];
}

static bool grow(struct listing *l)
{
	size_t n = l->n_slots > 0 ? 2 * l->n_slots : 256;
	struct vl_digest *slots = calloc(n, sizeof(*slots));

	if (slots == NULL)
		return false;
	for (size_t i = 0; i < l->n_slots; i++) {
		if (!vl_digest_equal(&l->seen[i], &(struct vl_digest){0}))
			*slot_of(slots, n, &l->seen[i]) = l->seen[i];
	}
	free(l->seen);
	l->seen = slots;
	l->n_slots = n;
	return true;
}

/* A letter may have been sent twice; its origin is the same. */
static bool came_before(struct listing *l, const struct letter *letter)
{
	const char *text = origin(letter, &l->text);
	struct vl_digest digest =
		vl_batch_digest((struct vl_bytes){(const uint8_t *)text, strlen(text)});

	if (2 * l->n_seen >= l->n_slots && !grow(l)) {
		l->failed = true;
		return true;
	}
	struct vl_digest *slot = slot_of(l->seen, l->n_slots, &digest);
	bool before = vl_digest_equal(slot, &digest);
	*slot = digest;
	l->n_seen += !before;
	return before;
}

static struct vl_bytes claimed_mission(const struct letter *letter)
{
	const struct vl_bytes *key = &letter->record.key;

	return vl_mission_valid((const char *)key->data, key->size) ? *key : (struct vl_bytes){0};
}

void cli_put_json_text(struct vl_buf *out, const char *name, struct vl_bytes text)
{
	vl_buf_printf(out, "%s\"%s\":", out->size > 0 && out->data[out->size - 1] != '{' ? "," : "",
		      name);
	vl_json_print_text(out, (const char *)text.data, text.size);
}

static void put_letter_json(struct vl_buf *out, const struct letter *letter)
{
	const struct vl_record *r = &letter->record;
	char time[VL_TIME_TEXT];

	vl_buf_put_text(out, "{");
	cli_put_json_text(out, "topic", letter->topic);
	vl_buf_printf(out, ",\"partition\":%" PRId32 ",\"offset\":%" PRId64 ",\"timestamp\":\"%s\"",
		      r->partition, r->offset,
		      vl_time_format(vl_time_from_ms(r->timestamp_ms), time));
	cli_put_json_text(out, "reason", letter->reason);
	if (letter->detail.size > 0)
		cli_put_json_text(out, "detail", letter->detail);
	if (claimed_mission(letter).size > 0)
		cli_put_json_text(out, "key", claimed_mission(letter));
	vl_buf_printf(out, ",\"keySize\":%zu,\"valueSize\":%zu,\"headers\":%zu", r->key.size,
		      r->value.size, r->n_headers);
}

static bool list_letter(void *context, const struct letter *letter)
{
	struct listing *l = context;
	char time[VL_TIME_TEXT];

	if (came_before(l, letter))
		return !l->failed;
	if (l->options->mission != NULL &&
	    !vl_bytes_are(claimed_mission(letter), l->options->mission))
		return true;
	if (l->table == NULL) {
		put_letter_json(&l->out, letter);
		vl_buf_put_text(&l->out, "}\n");
		return true;
	}
	cli_table_put(l->table, vl_time_format(vl_time_from_ms(letter->record.timestamp_ms), time));
	cli_table_put(l->table, origin(letter, &l->text));
	cli_table_put_bytes(l->table, letter->reason);
	cli_table_put_bytes(l->table, claimed_mission(letter));
	cli_table_printf(l->table, "%zu", letter->record.value.size);
	cli_table_put_bytes(l->table, letter->detail);
	return true;
}

static int ls(const struct cli_options *options)
{
	static const char *const titles[] = {"TIME",    "ORIGIN", "REASON",
					     "MISSION", "BYTES",  "DETAIL"};
	struct listing l = {.options = options};
	struct vl_why why = {0};
	enum vl_err err = VL_OK;

	if (!options->json) {
		l.table = cli_table_open(titles, sizeof(titles) / sizeof(titles[0]));
		err = l.table != NULL ? VL_OK : VL_ERR_NOMEM;
	}
	if (err == VL_OK)
		err = walk(options, list_letter, &l, &why);
	if (err == VL_OK && l.failed)
		err = VL_ERR_NOMEM;
	if (err == VL_OK && l.table != NULL)
		cli_table_print(l.table, cli_bold(), &l.out);
	int code = err == VL_OK ? CLI_OK : cli_cannot("list", TOPIC, &why, err);
	if (err == VL_OK)
		cli_write(l.out.data, l.out.size);
	vl_buf_free(&l.out);
	vl_buf_free(&l.text);
	free(l.seen);
	cli_table_close(l.table);
	return code;
}

/* -- show -- */

struct showing {
	const struct cli_options *options;
	const struct vl_ring *ring; /* NULL: not verified again */
	struct vl_buf out, text;
	bool found;
};

static void print_hex(struct vl_buf *out, struct vl_bytes bytes)
{
	char hex[3];

	for (size_t at = 0; at < bytes.size; at += 16) {
		size_t n = bytes.size - at < 16 ? bytes.size - at : 16;
		vl_buf_printf(out, "%08zx ", at);
		for (size_t i = 0; i < 16; i++)
			vl_buf_printf(out, "%s%s", i % 8 == 0 ? " " : "",
				      i < n ? vl_hex(bytes.data + at + i, 1, hex) : "  ");
		vl_buf_put_text(out, "  ");
		for (size_t i = 0; i < n; i++)
			vl_buf_put_byte(out, bytes.data[at + i] >= 0x20 && bytes.data[at + i] < 0x7f
						     ? bytes.data[at + i]
						     : '.');
		vl_buf_put_byte(out, '\n');
	}
}

/* The verdict of now, in words: keys may have been enrolled since. */
static enum vl_err verify_again(struct showing *s, const struct letter *letter, struct vl_why *why)
{
	struct vl_arena *arena = vl_arena_open(0);
	struct vl_verified verified;

	if (arena == NULL)
		return VL_ERR_NOMEM;
	enum vl_err verdict = vl_record_verify(&letter->record, s->ring, arena, &verified, why);
	if (verdict == VL_OK && verified.domain == VL_DOMAIN_DRILL)
		verdict = VL_ERR_DRILL;
	vl_arena_close(arena);
	return verdict;
}

static void print_line(struct vl_buf *out, const char *name, struct vl_bytes text)
{
	vl_buf_printf(out, "%-11s", name);
	cli_cell(out, (const char *)text.data, text.size, 0, false);
	vl_buf_put_byte(out, '\n');
}

static void print_letter(struct showing *s, const struct letter *letter)
{
	const struct vl_record *r = &letter->record;
	char time[VL_TIME_TEXT];

	print_line(&s->out, "origin", vl_bytes_of(origin(letter, &s->text)));
	print_line(&s->out, "time",
		   vl_bytes_of(vl_time_format(vl_time_from_ms(r->timestamp_ms), time)));
	print_line(&s->out, "reason", letter->reason);
	print_line(&s->out, "detail", letter->detail);
	if (s->ring != NULL) {
		struct vl_why why = {0};
		enum vl_err verdict = verify_again(s, letter, &why);
		vl_buf_printf(&s->out, "%-11s%s", "now", vl_err_name(verdict));
		vl_buf_printf(&s->out, "%s%s\n", verdict != VL_OK ? ": " : "",
			      verdict != VL_OK ? vl_why_text(&why, verdict) : "");
	}
	for (size_t i = 0; i < r->n_headers; i++) {
		vl_buf_reset(&s->text);
		vl_buf_put(&s->text, r->headers[i].name.data, r->headers[i].name.size);
		vl_buf_put_text(&s->text, ": ");
		vl_buf_put(&s->text, r->headers[i].value.data, r->headers[i].value.size);
		print_line(&s->out, "header", vl_buf_bytes(&s->text));
	}
	vl_buf_printf(&s->out, "\nkey, %zu bytes%s\n", r->key.size,
		      r->key.data == NULL ? " (none)" : "");
	print_hex(&s->out, r->key);
	vl_buf_printf(&s->out, "\nvalue, %zu bytes%s\n", r->value.size,
		      r->value.data == NULL ? " (none)" : "");
	print_hex(&s->out, r->value);
}

static void put_base64(struct vl_buf *out, const char *name, struct vl_bytes bytes)
{
	size_t room = sodium_base64_ENCODED_LEN(bytes.size, sodium_base64_VARIANT_ORIGINAL);

	vl_buf_printf(out, ",\"%s\":\"", name);
	uint8_t *to = vl_buf_add(out, room);
	if (to == NULL)
		return;
	(void)sodium_bin2base64((char *)to, room, bytes.data, bytes.size,
				sodium_base64_VARIANT_ORIGINAL);
	out->data[out->size - 1] = '"';
}

static void print_letter_json(struct showing *s, const struct letter *letter)
{
	const struct vl_record *r = &letter->record;

	put_letter_json(&s->out, letter);
	if (s->ring != NULL)
		vl_buf_printf(&s->out, ",\"now\":\"%s\"",
			      vl_err_name(verify_again(s, letter, NULL)));
	vl_buf_put_text(&s->out, ",\"headerList\":[");
	for (size_t i = 0; i < r->n_headers; i++) {
		vl_buf_printf(&s->out, "%s{", i > 0 ? "," : "");
		cli_put_json_text(&s->out, "name", r->headers[i].name);
		cli_put_json_text(&s->out, "value", r->headers[i].value);
		vl_buf_put_byte(&s->out, '}');
	}
	vl_buf_put_byte(&s->out, ']');
	if (r->key.data != NULL)
		put_base64(&s->out, "keyBytes", r->key);
	if (r->value.data != NULL)
		put_base64(&s->out, "value", r->value);
	vl_buf_put_text(&s->out, "}\n");
}

static bool show_letter(void *context, const struct letter *letter)
{
	struct showing *s = context;

	if (strcmp(origin(letter, &s->text), s->options->args[0]) != 0)
		return true;
	s->found = true;
	if (s->options->raw)
		vl_buf_put(&s->out, letter->record.value.data, letter->record.value.size);
	else if (s->options->json)
		print_letter_json(s, letter);
	else
		print_letter(s, letter);
	return false;
}

static int show(const struct cli_options *options)
{
	struct showing s = {.options = options};
	struct vl_ring *ring = NULL;
	struct vl_why why = {0};
	enum vl_err err = options->keys != NULL ? cli_ring_open(options, &ring, &why) : VL_OK;

	s.ring = ring;
	if (err == VL_OK)
		err = walk(options, show_letter, &s, &why);
	if (err == VL_OK && !s.found)
		err = vl_fail(&why, VL_ERR_NOT_FOUND,
			      "no dead letter of that origin; it is TOPIC/PARTITION/OFFSET, as "
			      "'valise deadletter ls' has it");
	int code = err == VL_OK ? CLI_OK : cli_cannot("show", options->args[0], &why, err);
	if (err == VL_OK)
		cli_write(s.out.data, s.out.size);
	vl_ring_close(ring);
	vl_buf_free(&s.out);
	vl_buf_free(&s.text);
	return code;
}

/* -- reasons -- */

struct reasons {
	struct cli_table *table; /* NULL for JSON */
	struct vl_buf out;
};

static void put_reason(void *context, const char *reason, uint64_t count)
{
	struct reasons *r = context;

	if (r->table == NULL) {
		vl_buf_printf(&r->out, "{\"reason\":\"%s\",\"count\":%" PRIu64 "}\n", reason,
			      count);
		return;
	}
	cli_table_put(r->table, reason);
	cli_table_printf(r->table, "%" PRIu64, count);
}

static int reasons(const struct cli_options *options)
{
	static const char *const titles[] = {"REASON", "RECORDS"};
	struct reasons r = {.table = options->json ? NULL : cli_table_open(titles, 2)};
	struct cli_views views = {0};
	struct vl_why why = {0};

	enum vl_err err = options->json || r.table != NULL ? VL_OK : VL_ERR_NOMEM;
	if (err == VL_OK)
		err = cli_views_open(options, &views, &why);
	if (err == VL_OK) {
		vl_deadletter_each_reason(views.txn, put_reason, &r);
		err = vl_txn_err(views.txn);
	}
	cli_views_close(&views);
	if (err == VL_OK && r.table != NULL)
		cli_table_print(r.table, cli_bold(), &r.out);
	int code = err == VL_OK ? CLI_OK : cli_cannot("count", "dead letters", &why, err);
	if (err == VL_OK)
		cli_views_print(&r.out);
	vl_buf_free(&r.out);
	cli_table_close(r.table);
	return code;
}

const struct cli_verb cli_deadletter_verbs[] = {
	{
		.name = "ls",
		.args = "",
		.about = "List the records that headquarters could not apply. Each line has "
			 "the record's place (topic, partition, offset), the broker's time, "
			 "and the reason. MISSION is what the record's key claims, and may be "
			 "a lie.",
		.options = CLI_OPT_BROKERS | CLI_OPT_OUTPUT | CLI_OPT_MISSION | CLI_OPT_RANGE,
		.run = ls,
	},
	{
		.name = "show",
		.args = "TOPIC/PARTITION/OFFSET",
		.about = "Show one dead letter, with its headers and bytes as they were. With "
			 "--keys it is verified again, since keys may have been enrolled "
			 "since. --raw writes the value alone. These bytes may be personal "
			 "data.",
		.options = CLI_OPT_BROKERS | CLI_OPT_OUTPUT | CLI_OPT_KEYS | CLI_OPT_RAW,
		.min_args = 1,
		.max_args = 1,
		.run = show,
	},
	{
		.name = "reasons",
		.args = "",
		.about = "Count the records that headquarters has refused since its views "
			 "began, by reason.",
		.options = CLI_OPT_VIEWS | CLI_OPT_OUTPUT,
		.run = reasons,
	},
	{
		.name = "refused",
		.args = "",
		.about = "List the dead letters that their topic refuses, for example because "
			 "they are too large. They stay in headquarters' views and are tried "
			 "again with growing pauses, an hour at most. ORIGIN is where the "
			 "record was. REASON says why it could not be applied. REFUSED AS says "
			 "why the topic does not take it. If max.message.bytes of the topic is "
			 "raised, the topic takes them without another command.",
		.options = CLI_OPT_VIEWS | CLI_OPT_OUTPUT,
		.run = cli_deadletter_refused,
	},
	{0},
};
