#include "hq/fold/views.h"

#include <string.h>

size_t vl_views_count(void)
{
	size_t count = 0;
	while (vl_views[count] != NULL)
		count++;
	return count;
}

int vl_view_of_lane(const char *lane, size_t length)
{
	for (int i = 0; vl_views[i] != NULL; i++)
		if (strlen(vl_views[i]->lane) == length &&
		    memcmp(vl_views[i]->lane, lane, length) == 0)
			return i;
	return -1;
}

int vl_view_of_noun(const char *noun)
{
	for (int i = 0; vl_views[i] != NULL; i++)
		if (strcmp(vl_views[i]->noun, noun) == 0)
			return i;
	return -1;
}

enum vl_precedence vl_view_precedence(size_t view)
{
	const struct vl_lane *lane =
		vl_lane_find(vl_views[view]->lane, strlen(vl_views[view]->lane));

	return lane != NULL ? lane->precedence : VL_ROUTINE;
}

int vl_view_kind(const struct vl_view *view, const char *name)
{
	for (unsigned i = 0; i < view->n_kinds; i++)
		if (strcmp(view->kinds[i].name, name) == 0)
			return (int)i;
	return -1;
}
