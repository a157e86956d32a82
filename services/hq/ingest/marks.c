#include "hq/ingest/marks.h"

#include <stdlib.h>
#include <string.h>

struct part {
	char *topic;
	size_t size;
	int32_t partition;
	int64_t end;  /* behind the last that was put */
	int64_t high; /* behind the furthest that was taken, and its digest */
	struct vl_digest digest;
};

struct waiting {
	size_t part;          /* from 1; 0 where none waits */
	int64_t offset, last; /* of the first record, and of the last that joined it */
};

struct vl_marks {
	struct waiting *waiting; /* by slot */
	unsigned slots;
	struct part *parts;
	size_t n;
};

struct vl_marks *vl_marks_open(unsigned slots)
{
	struct vl_marks *marks = calloc(1, sizeof(*marks));

	if (marks == NULL)
		return NULL;
	marks->slots = slots;
	marks->waiting = calloc(slots, sizeof(*marks->waiting));
	if (marks->waiting == NULL) {
		vl_marks_close(marks);
		return NULL;
	}
	return marks;
}

void vl_marks_close(struct vl_marks *marks)
{
	if (marks == NULL)
		return;
	for (size_t i = 0; i < marks->n; i++)
		free(marks->parts[i].topic);
	free(marks->parts);
	free(marks->waiting);
	free(marks);
}

/* From 1; 0 when out of memory. */
static size_t find(struct vl_marks *marks, struct vl_bytes topic, int32_t partition)
{
	for (size_t i = 0; i < marks->n; i++) {
		const struct part *part = &marks->parts[i];
		if (part->partition == partition && part->size == topic.size &&
		    memcmp(part->topic, topic.data, topic.size) == 0)
			return i + 1;
	}
	struct part *larger = realloc(marks->parts, (marks->n + 1) * sizeof(*larger));
	if (larger == NULL)
		return 0;
	marks->parts = larger;
	char *copy = malloc(topic.size + 1);
	if (copy == NULL)
		return 0;
	memcpy(copy, topic.data, topic.size);
	larger[marks->n++] =
		(struct part){.topic = copy, .size = topic.size, .partition = partition};
	return marks->n;
}

/* Read again from further back: what was taken before that counts no more. */
static void reach(struct part *part, int64_t offset)
{
	if (offset < part->end)
		part->high = 0;
	part->end = offset + 1;
}

bool vl_marks_put(struct vl_marks *marks, unsigned slot, const struct vl_record *record)
{
	size_t part = find(marks, record->topic, record->partition);

	if (part == 0)
		return false;
	reach(&marks->parts[part - 1], record->offset);
	marks->waiting[slot] = (struct waiting){part, record->offset, record->offset};
	return true;
}

void vl_marks_join(struct vl_marks *marks, unsigned slot, int64_t offset)
{
	struct waiting *waiting = &marks->waiting[slot];

	reach(&marks->parts[waiting->part - 1], offset);
	waiting->offset = offset < waiting->offset ? offset : waiting->offset;
	waiting->last = offset > waiting->last ? offset : waiting->last;
}

struct vl_mark vl_marks_take(struct vl_marks *marks, unsigned slot, const struct vl_digest *digest)
{
	struct waiting *taken = &marks->waiting[slot];
	struct part *part = &marks->parts[taken->part - 1];
	struct vl_mark mark = {.next = part->end};

	if (taken->last + 1 > part->high) {
		part->high = taken->last + 1;
		part->digest = *digest;
	}
	for (unsigned i = 0; i < marks->slots; i++) {
		const struct waiting *other = &marks->waiting[i];
		if (i != slot && other->part == taken->part && other->offset < mark.next)
			mark.next = other->offset;
	}
	if (mark.next == part->high)
		mark.last = part->digest;
	else if (mark.next == taken->last + 1)
		mark.last = *digest;
	*taken = (struct waiting){0};
	return mark;
}
