/*
 * The topics of each mission, which the catalogue declares by patterns. `valise topic apply` makes
 * those of every enrolled sender, by the folder of public keys, and names those that are no longer
 * used.
 *
 * Next: client/client.h, by which any program gives events to an agent.
 */
#ifndef VALISE_CLI_ADDRESSED_H
#define VALISE_CLI_ADDRESSED_H

#include "cli/catalogue.h"
#include "cli/cli.h"

/* Replace the patterns by the missions' topics. Without --keys those are left out. */
enum vl_err cli_address(const struct cli_options *options, struct vl_catalogue *catalogue,
			struct vl_why *why) VL_CHECKED;

/* If the missions' topics were left out, report that. Print the cluster's topics that are no
 * longer used. A pattern made them, and their sender is not enrolled. Or they have a pattern's
 * name without a mission, as earlier versions made them. They stay as they are. */
enum vl_err cli_print_unused(const struct cli_options *options, struct vl_admin *admin,
			     const struct vl_catalogue *catalogue, int timeout_ms,
			     struct vl_why *why) VL_CHECKED;

/* Whether the topic is a mission's own, or goes to all missions beside such a topic. It has one
 * partition, the only one that its readers read. */
bool cli_comes_down(const char *topic);

#endif
