/*
 * The rows of 1,000 random histories of each lane, and what `ls` shows of them, are what they were:
 * tests/vectors/rows.txt has their digests. A change of what a view means changes them, and is
 * written down there with its reason in the commit. What tells two trees apart:
 *
 *   view_same_test LANE         a digest for each seed
 *   view_same_test LANE SEED    the rows of that history as JSON, with their cells
 */
#include "base/text.h"
#include "bus/json.h"
#include "hq/fold/views.h"
#include "view_fake_in.h"
#include "view_history.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka.h needs those before it. */
#include <cmocka.h>

#define HISTORIES 1000
#define SHOWN_AT INT64_C(1700800000)
#define DIGEST 16

static const struct vl_view *find(const char *lane)
{
	for (size_t i = 0; vl_views[i] != NULL; i++)
		if (strcmp(vl_views[i]->lane, lane) == 0)
			return vl_views[i];
	fail_msg("there is no view of %s", lane);
	return NULL;
}

static struct fake *history(const char *lane, uint64_t seed)
{
	struct fake *fake = fake_open(find(lane));

	history_add(fake, lane, seed);
	fake_fold(fake);
	return fake;
}

static void put_shown(struct fake *fake, const struct entity *entity, const ProtobufCMessage *row,
		      struct vl_buf *out)
{
	const struct vl_time now = {SHOWN_AT, 0};
	const struct vl_column *columns = fake->view->kinds[entity->kind].columns;

	vl_buf_printf(out, "\n%s|",
		      vl_bound_listed(fake->bound, entity->kind, entity->key, row, now) ? "listed"
											: "");
	for (size_t n = 0; columns[n].title != NULL; n++) {
		vl_buf_printf(out, "%s: ", columns[n].title);
		vl_bound_cell(fake->bound, entity->kind, n, entity->key, row, now, out);
		vl_buf_put_text(out, "|");
	}
	vl_buf_put_text(out, "\n");
}

/* Each row with its kind and key, and its cells; `text` has the row as JSON. */
static void put_rows(struct fake *fake, bool text, struct vl_buf *out)
{
	for (size_t i = 0; i < fake->n_entities; i++) {
		const struct entity *entity = fake->entities[i];
		if (!entity->has_row)
			continue;
		const ProtobufCMessage *row = fake_row(fake, entity->kind, entity->key);
		vl_buf_printf(out, "%s %s %zu\n", fake->view->kinds[entity->kind].name, entity->key,
			      entity->row_size);
		if (text)
			vl_json_print(row, out);
		else
			vl_buf_put(out, entity->row, entity->row_size);
		put_shown(fake, entity, row, out);
	}
	assert_false(vl_buf_failed(out));
}

/* The digest of histories `from` to `until`, as text. */
static void digest(const char *lane, uint64_t from, uint64_t until, char text[2 * DIGEST + 1])
{
	crypto_generichash_state state;
	struct vl_buf rows = {0};
	uint8_t bytes[DIGEST];

	crypto_generichash_init(&state, NULL, 0, sizeof(bytes));
	for (uint64_t seed = from; seed < until; seed++) {
		struct fake *fake = history(lane, seed);
		vl_buf_reset(&rows);
		put_rows(fake, false, &rows);
		crypto_generichash_update(&state, rows.data, rows.size);
		fake_close(fake);
	}
	crypto_generichash_final(&state, bytes, sizeof(bytes));
	vl_hex(bytes, sizeof(bytes), text);
	vl_buf_free(&rows);
}

static void check(const char *lane)
{
	char line[256], name[128], wanted[128] = "", got[2 * DIGEST + 1];
	FILE *file = fopen(VALISE_SOURCE_DIR "/tests/vectors/rows.txt", "r");

	assert_non_null(file);
	while (fgets(line, sizeof(line), file) != NULL) {
		char hex[128];
		if (sscanf(line, "%127s %127s", name, hex) == 2 && strcmp(name, lane) == 0)
			memcpy(wanted, hex, sizeof(wanted));
	}
	fclose(file);
	digest(lane, 0, HISTORIES, got);
	if (strcmp(got, wanted) != 0)
		fail_msg("the rows of %s are others now: %s instead of %s", lane, got, wanted);
}

static void test_alert(void **state)
{
	(void)state;
	check("consular.alert.v1");
}

static void test_case(void **state)
{
	(void)state;
	check("consular.case.v1");
}

static void test_evacuation(void **state)
{
	(void)state;
	check("consular.evacuation.v1");
}

static void test_traveller(void **state)
{
	(void)state;
	check("consular.traveller.v1");
}

static void print_digests(const char *lane)
{
	char text[2 * DIGEST + 1];

	for (uint64_t seed = 0; seed < HISTORIES; seed++) {
		digest(lane, seed, seed + 1, text);
		printf("%s %llu %s\n", lane, (unsigned long long)seed, text);
	}
}

static void print_rows(const char *lane, uint64_t seed)
{
	struct fake *fake = history(lane, seed);
	struct vl_buf text = {0};

	put_rows(fake, true, &text);
	printf("%.*s", (int)text.size, (const char *)text.data);
	vl_buf_free(&text);
	fake_close(fake);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alert),
		cmocka_unit_test(test_case),
		cmocka_unit_test(test_evacuation),
		cmocka_unit_test(test_traveller),
	};

	if (argc > 2)
		print_rows(argv[1], strtoull(argv[2], NULL, 10));
	else if (argc > 1)
		print_digests(argv[1]);
	if (argc > 1)
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
