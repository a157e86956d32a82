#include "hq/fold/names.h"

#include <string.h>

/* A leaf has a name; what has none parts the names below it by one bit of one byte. */
struct node {
	struct node *below[2];
	const char *name;
	void *item;
	size_t byte;
	unsigned bit;
};

static unsigned side(const struct node *node, const char *name, size_t size)
{
	return node->byte < size && ((unsigned char)name[node->byte] & node->bit) != 0;
}

/* The leaf that shares the most with `name`. */
static struct node *nearest(struct node *node, const char *name, size_t size)
{
	while (node->name == NULL)
		node = node->below[side(node, name, size)];
	return node;
}

/* A tree, and where its memory comes from. */
struct tree {
	struct vl_fold *fold;
	void *(*alloc)(struct vl_fold *fold, size_t size);
	struct node *top;
};

static struct node *make_leaf(const struct tree *tree, const char *name, size_t size)
{
	struct node *leaf = tree->alloc(tree->fold, sizeof(*leaf));
	char *copy = tree->alloc(tree->fold, size + 1);

	if (leaf == NULL || copy == NULL)
		return NULL;
	leaf->name = memcpy(copy, name, size + 1);
	return leaf;
}

static unsigned highest_bit(unsigned bits)
{
	unsigned bit = 0x80;

	while ((bits & bit) == 0)
		bit >>= 1;
	return bit;
}

/* Put a leaf for `name` where it parts from `like`, at `byte`. */
static struct node *insert(struct tree *tree, const struct node *like, const char *name,
			   size_t size, size_t byte)
{
	struct node **at = &tree->top, *leaf = make_leaf(tree, name, size);
	struct node *fork = tree->alloc(tree->fold, sizeof(*fork));

	if (leaf == NULL || fork == NULL)
		return NULL;
	fork->byte = byte;
	fork->bit = highest_bit((unsigned char)name[byte] ^ (unsigned char)like->name[byte]);
	while ((*at)->name == NULL &&
	       ((*at)->byte < byte || ((*at)->byte == byte && (*at)->bit > fork->bit)))
		at = &(*at)->below[side(*at, name, size)];
	unsigned mine = side(fork, name, size);
	fork->below[mine] = leaf;
	fork->below[!mine] = *at;
	*at = fork;
	return leaf;
}

static void **place(struct tree *tree, const char *name)
{
	size_t size = strlen(name), byte = 0;
	struct node *leaf;

	if (tree->top == NULL) {
		leaf = tree->top = make_leaf(tree, name, size);
		return leaf == NULL ? NULL : &leaf->item;
	}
	leaf = nearest(tree->top, name, size);
	while (leaf->name[byte] == name[byte] && name[byte] != '\0')
		byte++;
	if (leaf->name[byte] != name[byte])
		leaf = insert(tree, leaf, name, size, byte);
	return leaf == NULL ? NULL : &leaf->item;
}

void **vl_names_at(struct vl_fold *fold, void **root, const char *name)
{
	struct tree tree = {fold, vl_fold_alloc, *root};
	void **item = place(&tree, name);

	*root = tree.top;
	return item;
}

void **vl_names_keep(struct vl_fold *fold, void **root, const char *name)
{
	struct tree tree = {fold, vl_turn_alloc, *root};
	void **item = place(&tree, name);

	*root = tree.top;
	return item;
}

void *vl_names_find(void *const *root, const char *name)
{
	struct node *top = *root;
	const struct node *leaf = top == NULL ? NULL : nearest(top, name, strlen(name));

	return leaf == NULL || strcmp(leaf->name, name) != 0 ? NULL : leaf->item;
}

void *vl_names_item(struct vl_fold *fold, unsigned slot, const char *name,
		    const ProtobufCMessageDescriptor *type, size_t *count, void *items)
{
	void **place = name != NULL ? vl_names_at(fold, vl_fold_slot(fold, slot), name) : NULL;

	if (place != NULL && *place == NULL)
		*place = vl_fold_add(fold, type, count, items);
	return place != NULL ? *place : NULL;
}
