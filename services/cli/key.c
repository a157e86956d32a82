#include "cli/cli.h"

#include "base/log.h"
#include "bus/batch.h"
#include "bus/keys.h"

#include <stdio.h>
#include <string.h>

static int new (const struct cli_options *options)
{
	const char *dir = options->out != NULL ? options->out : ".";
	char line[VL_KEY_LINE];
	struct vl_why why = {0};

	if (options->id == NULL)
		return cli_cannot("run", "key new",
				  &(struct vl_why){"no sender; give --id, such as --id CN-SD-EMB"},
				  VL_ERR_USAGE);
	enum vl_err err = vl_key_new(dir, options->id, &vl_rand_system, line, &why);
	if (err != VL_OK)
		return cli_cannot("make the key of", options->id, &why, err);
	(void)puts(line);
	if (strcmp(options->id, VL_HEADQUARTERS) == 0)
		vl_log_warning("'" VL_HEADQUARTERS "' is headquarters itself: this key signs "
			       "messages to all missions; only "
			       "headquarters' own agent may have it, and "
			       "no mission");
	vl_log_info(
		"'%s/%s.key' is secret and stays with the agent; '%s/%s.pub' goes to headquarters",
		dir, options->id, dir, options->id);
	return CLI_OK;
}

const struct cli_verb cli_key_verbs[] = {
	{
		.name = "new",
		.args = "",
		.about = "Make a key pair for a sender: ID.key (secret) and ID.pub. Only their "
			 "owner can read them. Prints the public line that goes into "
			 "headquarters' folder of keys. An existing key is never overwritten. "
			 "HQ is headquarters itself, for its own agent alone. ALL is the name "
			 "of no sender.",
		.options = CLI_OPT_ID | CLI_OPT_OUT,
		.run = new,
	},
	{0},
};
