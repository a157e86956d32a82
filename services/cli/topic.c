#include "cli/cli.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/text.h"
#include "cli/addressed.h"
#include "cli/catalogue.h"
#include "cli/table.h"
#include "stream/stream.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/*
 * Apply looks twice: once at all topics, to print the plan and to refuse the whole of it if one
 * part cannot be; then at each topic again just before it is changed. librdkafka 2.0.2 can only
 * replace all overrides of a topic (AlterConfigs), so what is there is read, the file's values
 * are laid over it, and that is written back.
 */
#define ASK_MS 10000
#define THERE_MS 30000 /* until a topic that was made has its leaders */
#define AGAIN_MS 100

struct apply {
	struct vl_admin *admin;
	const struct vl_topic *topics;
	size_t n_topics;
	int brokers;
	unsigned created, grown, set, fewer;
};

static int32_t copies(const struct apply *apply, const struct vl_topic *wanted)
{
	return wanted->replicas < apply->brokers ? wanted->replicas : apply->brokers;
}

/* The value a topic has for a key, or NULL where it is not overridden. */
static const char * override(const struct vl_topic *topic, const char *key)
{
	for (size_t i = 0; i < topic->n_configs; i++)
		if (strcmp(topic->configs[i].key, key) == 0)
			return topic->configs[i].value;
	return NULL;
}

static bool has_override(const struct vl_topic *there, const struct vl_conf_pair *pair)
{
	const char *value = override(there, pair->key);

	return value != NULL && strcmp(value, pair->value) == 0;
}

static bool has_overrides(const struct vl_topic *there, const struct vl_topic *wanted)
{
	bool all = true;

	for (size_t i = 0; i < wanted->n_configs; i++)
		all = all && has_override(there, &wanted->configs[i]);
	return all;
}

/* -- the plan -- */

static void plan_create(struct apply *apply, const struct vl_topic *wanted)
{
	char shown[256];

	(void)printf("create %s partitions=%" PRId32 " replicas=%" PRId32, wanted->name,
		     wanted->partitions, copies(apply, wanted));
	for (size_t i = 0; i < wanted->n_configs; i++)
		(void)printf(" %s=%s", wanted->configs[i].key,
			     vl_printable(wanted->configs[i].value, shown, sizeof(shown)));
	(void)putchar('\n');
	apply->created++;
	apply->fewer += copies(apply, wanted) < wanted->replicas;
}

static void plan_change(struct apply *apply, const struct vl_topic *there,
			const struct vl_topic *wanted)
{
	char before[256], after[256];
	unsigned changes = apply->grown + apply->set;

	if (there->partitions < wanted->partitions) {
		(void)printf("grow %s partitions=%" PRId32 "->%" PRId32 "\n", wanted->name,
			     there->partitions, wanted->partitions);
		apply->grown++;
	}
	for (size_t i = 0; i < wanted->n_configs; i++) {
		const struct vl_conf_pair *pair = &wanted->configs[i];
		const char *old = override(there, pair->key);
		if (has_override(there, pair))
			continue;
		(void)printf("set %s %s=%s->%s\n", wanted->name, pair->key,
			     old != NULL ? vl_printable(old, before, sizeof(before)) : "default",
			     vl_printable(pair->value, after, sizeof(after)));
		apply->set++;
	}
	if (apply->grown + apply->set == changes)
		(void)printf("ok %s\n", wanted->name);
}

/* A cluster of three with one down shows two brokers: a topic with all the copies the file wants
 * is right all the same. */
static enum vl_err refuse(const struct apply *apply, const struct vl_topic *there,
			  const struct vl_topic *wanted, struct vl_why *why)
{
	if (there->partitions > wanted->partitions && cli_comes_down(wanted->name))
		return vl_fail(why, VL_ERR_INVALID,
			       "it has %" PRId32 " partitions and must have one, the only one "
			       "that is used. Do not write %" PRId32
			       " in the file: that does not help. Delete the topic "
			       "(kafka-topics.sh), then apply again; headquarters repeats its "
			       "messages",
			       there->partitions, there->partitions);
	if (there->partitions > wanted->partitions)
		return vl_fail(why, VL_ERR_INVALID,
			       "it has %" PRId32 " partitions and the file says %" PRId32
			       "; none is ever removed, so write %" PRId32 " in the file",
			       there->partitions, wanted->partitions, there->partitions);
	if (there->replicas != wanted->replicas && there->replicas != copies(apply, wanted))
		return vl_fail(why, VL_ERR_INVALID,
			       "it has %" PRId32 " replicas and the file says %" PRId32
			       "; change that with kafka-reassign-partitions.sh, then apply again",
			       there->replicas, wanted->replicas);
	if (there->n_configs + wanted->n_configs > VL_TOPIC_CONFIGS)
		return vl_fail(why, VL_ERR_INVALID,
			       "it has %zu overrides, too many to keep them; change it with "
			       "kafka-configs.sh, then apply again",
			       there->n_configs);
	return VL_OK;
}

/* Goes on after what is refused, so that everything that is wrong is said at once; not after
 * what cannot be asked. */
static int plan(struct apply *apply)
{
	int code = CLI_OK;

	for (size_t i = 0; i < apply->n_topics; i++) {
		const struct vl_topic *wanted = &apply->topics[i];
		struct vl_topic there;
		struct vl_why why = {0};
		enum vl_err err =
			vl_admin_describe(apply->admin, wanted->name, ASK_MS, &there, &why);
		if (err == VL_ERR_NOT_FOUND) {
			plan_create(apply, wanted);
			continue;
		}
		if (err != VL_OK)
			return cli_cannot("look at", wanted->name, &why, err);
		err = refuse(apply, &there, wanted, &why);
		if (err != VL_OK)
			code = cli_cannot("apply", wanted->name, &why, err);
		else
			plan_change(apply, &there, wanted);
	}
	if (apply->fewer > 0)
		vl_log_warning("%u of the topics to be made want more replicas than there are "
			       "brokers; they get %d",
			       apply->fewer, apply->brokers);
	return code;
}

/* -- doing it -- */

static enum vl_err create(struct apply *apply, const struct vl_topic *wanted, struct vl_why *why)
{
	struct vl_topic topic = *wanted;

	topic.replicas = copies(apply, wanted);
	return vl_admin_create(apply->admin, &topic, ASK_MS, why);
}

static enum vl_err configure(struct apply *apply, const struct vl_topic *there,
			     const struct vl_topic *wanted, struct vl_why *why)
{
	struct vl_topic merged = *there;

	for (size_t i = 0; i < wanted->n_configs; i++) {
		size_t at = 0;
		while (at < merged.n_configs &&
		       strcmp(merged.configs[at].key, wanted->configs[i].key) != 0)
			at++;
		if (at == VL_TOPIC_CONFIGS)
			return vl_fail(why, VL_ERR_TOO_LARGE, "more than %d overrides",
				       VL_TOPIC_CONFIGS);
		merged.configs[at] = wanted->configs[i];
		if (at == merged.n_configs)
			merged.n_configs++;
	}
	return vl_admin_configure(apply->admin, &merged, ASK_MS, why);
}

static enum vl_err change(struct apply *apply, const struct vl_topic *wanted, struct vl_why *why)
{
	struct vl_topic there;
	enum vl_err err = vl_admin_describe(apply->admin, wanted->name, ASK_MS, &there, why);

	if (err == VL_ERR_NOT_FOUND)
		return create(apply, wanted, why);
	if (err == VL_OK)
		err = refuse(apply, &there, wanted, why);
	if (err == VL_OK && !has_overrides(&there, wanted))
		err = configure(apply, &there, wanted, why);
	if (err == VL_OK && there.partitions < wanted->partitions)
		err = vl_admin_grow(apply->admin, wanted->name, wanted->partitions, ASK_MS, why);
	return err;
}

/* Brokers learn of a topic one after another, so repeat the question until the topic exists. */
static enum vl_err await(struct apply *apply, const struct vl_topic *wanted, struct vl_why *why)
{
	static const struct timespec pause = {.tv_nsec = AGAIN_MS * 1000000L};
	int64_t end = vl_monotonic_ms() + THERE_MS;

	for (;;) {
		struct vl_topic there;
		enum vl_err err =
			vl_admin_describe(apply->admin, wanted->name, ASK_MS, &there, why);
		bool late = vl_monotonic_ms() >= end;
		if (err != VL_OK && (err != VL_ERR_NOT_FOUND || late))
			return err;
		if (err == VL_OK && there.partitions >= wanted->partitions &&
		    there.leaders == there.partitions && has_overrides(&there, wanted))
			return VL_OK;
		if (late)
			return vl_fail(why, VL_ERR_TIMEOUT,
				       "%" PRId32 " of its %" PRId32
				       " partitions have a leader after %d s; are all brokers up?",
				       there.leaders, there.partitions, THERE_MS / 1000);
		(void)nanosleep(&pause, NULL);
	}
}

static int do_plan(struct apply *apply)
{
	struct vl_why why = {0};
	size_t i = 0;
	enum vl_err err = VL_OK;

	for (; i < apply->n_topics && err == VL_OK; i++)
		err = change(apply, &apply->topics[i], &why);
	if (err != VL_OK)
		return cli_cannot("apply", apply->topics[i - 1].name, &why, err);
	for (i = 0; i < apply->n_topics && err == VL_OK; i++)
		err = await(apply, &apply->topics[i], &why);
	if (err != VL_OK)
		return cli_cannot("wait for", apply->topics[i - 1].name, &why, err);
	if (apply->created + apply->grown + apply->set == 0)
		vl_log_info("nothing to do: %zu topics are as the file says", apply->n_topics);
	else
		vl_log_info("done: %u created, %u grown, %u settings changed, of %zu topics",
			    apply->created, apply->grown, apply->set, apply->n_topics);
	return CLI_OK;
}

static int apply_topics(struct apply *apply, const struct cli_options *options,
			const struct vl_catalogue *catalogue, bool dry_run)
{
	struct vl_why why = {0};
	enum vl_err err = vl_admin_brokers(apply->admin, ASK_MS, &apply->brokers, &why);

	if (err != VL_OK)
		return cli_cannot("ask", "the brokers", &why, err);
	int code = plan(apply);
	if (code == CLI_OK) {
		err = cli_print_unused(options, apply->admin, catalogue, ASK_MS, &why);
		if (err != VL_OK)
			return cli_cannot("list", "the topics", &why, err);
	}
	if (code != CLI_OK) {
		vl_log_info("nothing was changed");
		return code;
	}
	/* The plan must be out before it is done, also where stdout is a pipe. */
	if (!cli_flush())
		return CLI_FAILED;
	if (dry_run) {
		vl_log_info("nothing was changed: --dry-run");
		return CLI_OK;
	}
	return do_plan(apply);
}

static int open_admin(const struct cli_options *options, struct vl_admin **admin)
{
	struct vl_why why = {0};

	if (options->n_pairs == 0)
		return cli_cannot("find", "the brokers",
				  &(struct vl_why){"give -b HOST:PORT, or set VALISE_BROKERS"},
				  VL_ERR_USAGE);
	enum vl_err err = vl_admin_open(options->pairs, options->n_pairs, admin, &why);
	return err == VL_OK ? CLI_OK : cli_cannot("use", "the Kafka properties", &why, err);
}

static int apply_file(const struct cli_options *options, bool dry_run)
{
	const char *path = options->args[0];
	struct vl_catalogue *catalogue = NULL;
	struct apply apply = {0};
	struct vl_why why = {0};

	enum vl_err err = vl_catalogue_open(path, &catalogue, &why);
	if (err != VL_OK) {
		(void)cli_cannot("read", path, &why, err);
		return CLI_FAILED;
	}
	err = cli_address(options, catalogue, &why);
	int code = err == VL_OK
			   ? open_admin(options, &apply.admin)
			   : cli_cannot("use keys", options->keys != NULL ? options->keys : path,
					&why, err);
	apply.n_topics = vl_catalogue_topics(catalogue, &apply.topics);
	if (code == CLI_OK)
		code = apply_topics(&apply, options, catalogue, dry_run);
	vl_admin_close(apply.admin);
	vl_catalogue_close(catalogue);
	return code;
}

static int run_apply(const struct cli_options *options)
{
	return apply_file(options, false);
}

static int run_dry(const struct cli_options *options)
{
	return apply_file(options, true);
}

/* -- ls -- */

static void list_json(const struct vl_topic *topic)
{
	json_t *config = json_object();

	for (size_t i = 0; i < topic->n_configs; i++)
		(void)json_object_set_new(config, topic->configs[i].key,
					  json_string(topic->configs[i].value));
	json_t *row = json_pack("{s:s, s:i, s:i, s:i, s:o}", "topic", topic->name, "partitions",
				(int)topic->partitions, "replicas", (int)topic->replicas, "leaders",
				(int)topic->leaders, "config", config);
	char *text = row != NULL ? json_dumps(row, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
	if (text != NULL)
		(void)puts(text);
	free(text);
	json_decref(row);
}

static void list_row(const struct vl_topic *topic, struct cli_table *table)
{
	struct vl_buf overrides = {0};

	for (size_t i = 0; i < topic->n_configs; i++)
		vl_buf_printf(&overrides, "%s%s=%s", i > 0 ? " " : "", topic->configs[i].key,
			      topic->configs[i].value);
	cli_table_put(table, topic->name);
	cli_table_printf(table, "%" PRId32, topic->partitions);
	cli_table_printf(table, "%" PRId32, topic->replicas);
	cli_table_printf(table, "%" PRId32, topic->leaders);
	cli_table_put_bytes(table, vl_buf_bytes(&overrides));
	vl_buf_free(&overrides);
}

/* The names go with the next question, so they are copied first. */
static char **copy_names(const char *const *names, size_t count)
{
	char **copy = calloc(count + 1, sizeof(*copy));

	for (size_t i = 0; copy != NULL && i < count; i++)
		copy[i] = strdup(names[i]);
	return copy;
}

static int list(struct vl_admin *admin, bool json, struct cli_table *table)
{
	const char *const *names;
	struct vl_why why = {0};
	size_t count;

	enum vl_err err = vl_admin_list(admin, ASK_MS, &names, &count, &why);
	if (err != VL_OK)
		return cli_cannot("list", "the topics", &why, err);
	char **mine = copy_names(names, count);
	int code = mine != NULL ? CLI_OK : cli_cannot("list", "the topics", NULL, VL_ERR_NOMEM);
	for (size_t i = 0; code == CLI_OK && i < count && mine[i] != NULL; i++) {
		struct vl_topic topic;
		err = vl_admin_describe(admin, mine[i], ASK_MS, &topic, &why);
		if (err == VL_ERR_NOT_FOUND) /* deleted since */
			continue;
		if (err != VL_OK)
			code = cli_cannot("look at", mine[i], &why, err);
		else if (json)
			list_json(&topic);
		else
			list_row(&topic, table);
	}
	for (size_t i = 0; mine != NULL && i < count; i++)
		free(mine[i]);
	free(mine);
	return code;
}

static int run_ls(const struct cli_options *options)
{
	static const char *const titles[] = {"topic", "partitions", "replicas", "leaders",
					     "overrides"};
	struct cli_table *table = cli_table_open(titles, sizeof(titles) / sizeof(titles[0]));
	struct vl_admin *admin = NULL;
	struct vl_buf out = {0};

	int code = table != NULL ? open_admin(options, &admin) : CLI_FAILED;
	if (code == CLI_OK)
		code = list(admin, options->json, table);
	if (code == CLI_OK && !options->json) {
		cli_table_print(table, cli_bold(), &out);
		(void)fwrite(out.data, 1, out.size, stdout);
	}
	vl_buf_free(&out);
	cli_table_close(table);
	vl_admin_close(admin);
	return code;
}

#define N_VERBS 3

static const struct cli_verb verbs[N_VERBS] = {
	{
		.name = "apply",
		.args = "[--dry-run] FILE",
		.about = "Make the cluster's topics as FILE describes them (YAML, as Strimzi's "
			 "KafkaTopic), and wait until they exist. Prints the plan first: "
			 "create, grow, set, ok. With --dry-run it ends there. Topics that "
			 "FILE does not name stay as they are, and partitions are never "
			 "removed. If one topic is refused, nothing is changed. If a topic's "
			 "name ends with .<MISSION>, one is made for every sender whose public "
			 "key is in --keys. Apply again after a mission is enrolled.",
		.options = CLI_OPT_BROKERS | CLI_OPT_KEYS,
		.min_args = 1,
		.max_args = 1,
		.run = run_apply,
	},
	{
		.name = "ls",
		.args = "",
		.about = "List the cluster's topics: how many partitions, replicas and leaders "
			 "they have, and their settings.",
		.options = CLI_OPT_BROKERS | CLI_OPT_OUTPUT,
		.run = run_ls,
	},
	{0},
};

/* --dry-run is this command's alone, so it is read here and not from the table of options that
 * verbs share. */
int cli_topic(int argc, char **argv)
{
	struct cli_verb mine[N_VERBS];
	int kept = 0;

	memcpy(mine, verbs, sizeof(mine));
	for (int i = 0; i < argc; i++) {
		if (i > 1 && strcmp(argv[1], "apply") == 0 && strcmp(argv[i], "--dry-run") == 0)
			mine[0].run = run_dry;
		else
			argv[kept++] = argv[i];
	}
	argv[kept] = NULL;
	return cli_run_verbs("topic", mine, kept, argv);
}
