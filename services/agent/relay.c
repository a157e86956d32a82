#include "agent/relay.h"

#include <stdio.h>

void vl_down_topic(enum vl_down down, const char *mission, char topic[VL_LANE_NAME_MAX])
{
	const char *lane = down == VL_DOWN_RECEIPTS ? VL_RECEIPT_LANE : VL_DIRECTIVE_LANE;
	bool addressed = down != VL_DOWN_ORDERS;

	(void)snprintf(topic, VL_LANE_NAME_MAX, "%s%s%s", lane, addressed ? "." : "",
		       addressed ? mission : "");
}
