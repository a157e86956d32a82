#include "stream/search.h"

void vl_search_begin(struct vl_search *search, int64_t at, int64_t end)
{
	*search = (struct vl_search){.inside = at, .outside = end > at ? end : at + 1, .step = 1};
}

bool vl_search_next(struct vl_search *search, int64_t *offset)
{
	int64_t room = search->outside - search->inside;

	if (room <= 1)
		return false;
	if (!search->last_tried)
		search->tried = search->outside - 1;
	else if (search->step > 0 && search->step < room)
		search->tried = search->inside + search->step;
	else
		search->tried = search->inside + room / 2;
	*offset = search->tried;
	return true;
}

void vl_search_tell(struct vl_search *search, bool inside)
{
	if (inside)
		search->inside = search->tried;
	else
		search->outside = search->tried;
	if (search->last_tried)
		search->step = inside ? search->step * 2 : 0;
	search->last_tried = true;
}
