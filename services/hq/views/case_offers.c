/*
 * The offers of transfer that are open, in a heap for each addressee and one for all, so that an
 * answer without a name finds the one it means, the latest, without a walk over all that there
 * ever were. What is answered stays in a heap until it comes to its top.
 */
#include "hq/fold/names.h"
#include "hq/views/case.h"

/* A leftist heap: the latest offer on top, the way to the right no longer than the logarithm of
 * what is in it. */
struct open {
	Transfer *offer;
	size_t place; /* among the transfers of the row */
	struct open *left, *right;
	unsigned depth;
};

static unsigned depth_of(const struct open *heap)
{
	return heap == NULL ? 0 : heap->depth;
}

/* NOLINTNEXTLINE(misc-no-recursion): no deeper than the heap's right side */
static struct open *meld(struct open *a, struct open *b)
{
	if (a == NULL || b == NULL)
		return a != NULL ? a : b;
	if (a->place < b->place) {
		struct open *later = b;
		b = a;
		a = later;
	}
	a->right = meld(a->right, b);
	if (depth_of(a->left) < depth_of(a->right)) {
		struct open *deeper = a->right;
		a->right = a->left;
		a->left = deeper;
	}
	a->depth = depth_of(a->right) + 1;
	return a;
}

static struct open *add(struct vl_fold *fold, void **heap, Transfer *offer, size_t place)
{
	struct open *one = vl_fold_alloc(fold, sizeof(*one));
	if (one == NULL)
		return NULL;
	*one = (struct open){.offer = offer, .place = place, .depth = 1};
	return *heap = meld(*heap, one);
}

static Transfer *top(void **heap)
{
	struct open *one = *heap;
	while (one != NULL && one->offer->state != TRANSFER_STATE_OFFERED)
		one = meld(one->left, one->right);
	*heap = one;
	return one == NULL ? NULL : one->offer;
}

void vl_case_offer_opened(struct vl_fold *fold, Transfer *offer, size_t place)
{
	void **to = vl_names_at(fold, vl_fold_slot(fold, CASE_SLOT_OPEN_TO), offer->to);
	if (to != NULL)
		(void)add(fold, to, offer, place);
	(void)add(fold, vl_fold_slot(fold, CASE_SLOT_OPEN), offer, place);
}

Transfer *vl_case_offer_open_to(struct vl_fold *fold, const char *to)
{
	void **heap = vl_names_at(fold, vl_fold_slot(fold, CASE_SLOT_OPEN_TO), to);
	return heap == NULL ? NULL : top(heap);
}

Transfer *vl_case_offer_open(struct vl_fold *fold)
{
	return top(vl_fold_slot(fold, CASE_SLOT_OPEN));
}
