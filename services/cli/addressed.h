/*
 * The topics of each mission, which the catalogue declares by patterns: `valise topic apply`
 * makes those of every sender who is enrolled, by the folder of public keys, and says what is
 * there and no longer used.
 */
#ifndef VALISE_CLI_ADDRESSED_H
#define VALISE_CLI_ADDRESSED_H

#include "cli/catalogue.h"
#include "cli/cli.h"

/* Put the missions' topics in the patterns' place. Without --keys those are left out. */
enum vl_err cli_address(const struct cli_options *options, struct vl_catalogue *catalogue,
			struct vl_why *why) VL_CHECKED;

/* Say that the missions' topics were left out, where they were. Of the cluster's topics, print
 * those that were made by a pattern and are no sender's who is enrolled, or have a pattern's
 * name without a mission's, as versions before had them: they are left alone. */
enum vl_err cli_print_unused(const struct cli_options *options, struct vl_admin *admin,
			     const struct vl_catalogue *catalogue, int timeout_ms,
			     struct vl_why *why) VL_CHECKED;

/* Whether the topic is a mission's own, or goes to all of them beside such: it has one
 * partition, in which its readers look. */
bool cli_comes_down(const char *topic);

#endif
