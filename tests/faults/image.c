#include "image.h"

#include "base/buf.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECTOR ((size_t)512)
#define FILES 8
#define PENDING 512

static void die(const char *what, const char *about)
{
	(void)fprintf(stderr, "faults: cannot %s '%s': %s\n", what, about, strerror(errno));
	abort();
}

static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* -- folders -- */

static void join(char path[PATH_MAX], const char *folder, const char *name)
{
	(void)snprintf(path, PATH_MAX, "%s/%s", folder, name);
}

void image_clear(const char *folder)
{
	char path[PATH_MAX];
	struct dirent *entry;

	if (mkdir(folder, 0700) != 0 && errno != EEXIST)
		die("make", folder);
	DIR *dir = opendir(folder);
	if (dir == NULL)
		die("read", folder);
	while ((entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		join(path, folder, entry->d_name);
		if (unlink(path) == 0)
			continue;
		image_clear(path);
		if (rmdir(path) != 0)
			die("remove", path);
	}
	(void)closedir(dir);
}

static void write_file(const char *folder, const char *name, struct vl_bytes bytes)
{
	char path[PATH_MAX], *slash;

	join(path, folder, name);
	slash = strrchr(path, '/');
	*slash = '\0';
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		die("make", path);
	*slash = '/';
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || (bytes.size > 0 && write(fd, bytes.data, bytes.size) != (ssize_t)bytes.size))
		die("write", path);
	(void)close(fd);
}

void image_copy(const char *from, const char *to)
{
	char path[PATH_MAX];
	struct dirent *entry;

	image_clear(to);
	DIR *dir = opendir(from);
	if (dir == NULL)
		die("read", from);
	while ((entry = readdir(dir)) != NULL) {
		struct vl_buf buf = {0};
		struct stat stat;
		join(path, from, entry->d_name);
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0 && fstat(fd, &stat) == 0 && S_ISREG(stat.st_mode)) {
			uint8_t *at = vl_buf_add(&buf, (size_t)stat.st_size);
			if (stat.st_size > 0 && read(fd, at, (size_t)stat.st_size) != stat.st_size)
				die("read", path);
			write_file(to, entry->d_name, vl_buf_bytes(&buf));
		}
		if (fd >= 0)
			(void)close(fd);
		vl_buf_free(&buf);
	}
	(void)closedir(dir);
}

/* -- one image -- */

/* What of the pending events is on the disk. */
struct choice {
	bool there[PENDING];
	size_t torn; /* which of them is there in part; SIZE_MAX: none */
	/* the sectors of that one that are there, bit by bit, again from the first after 64 */
	uint64_t sectors;
	size_t first_count; /* or, where not 0: so many sectors from the start */
};

struct image {
	const struct io_record *record;
	size_t upto; /* events before this one have happened */
	size_t pending[PENDING], n_pending;
	struct {
		uint64_t inode;
		char name[48];
		struct vl_buf bytes;
	} files[FILES];
	size_t n_files;
};

static void put_at(struct vl_buf *buf, size_t at, const uint8_t *bytes, size_t size)
{
	if (buf->size < at + size) {
		size_t more = at + size - buf->size;
		uint8_t *room = vl_buf_add(buf, more);
		if (room == NULL)
			die("hold", "an image");
		memset(room, 0, more);
	}
	memcpy(buf->data + at, bytes, size);
}

static size_t file_of(struct image *image, const struct io_event *event)
{
	size_t i = 0;

	while (i < image->n_files && image->files[i].inode != event->file)
		i++;
	if (i == image->n_files) {
		if (i == FILES)
			die("hold", "so many files");
		image->n_files++;
		image->files[i].inode = event->file;
		image->files[i].bytes = (struct vl_buf){0};
		memcpy(image->files[i].name, event->name, sizeof(event->name));
	}
	return i;
}

static void apply_write(struct image *image, const struct io_event *event,
			const struct choice *choice, bool torn)
{
	struct vl_buf *bytes = &image->files[file_of(image, event)].bytes;

	if (!torn) {
		put_at(bytes, event->offset, event->bytes, event->size);
		return;
	}
	for (size_t sector = 0; sector * SECTOR < event->size; sector++) {
		size_t from = sector * SECTOR, left = event->size - from;
		bool there = choice->first_count != 0 ? sector < choice->first_count
						      : (choice->sectors >> (sector % 64) & 1) != 0;
		if (there)
			put_at(bytes, event->offset + from, event->bytes + from,
			       left < SECTOR ? left : SECTOR);
	}
}

static void apply_rename(struct image *image, const struct io_event *event)
{
	/* What had that name is gone. */
	for (size_t i = 0; i < image->n_files; i++)
		if (strcmp(image->files[i].name, event->name) == 0)
			image->files[i].name[0] = '\0';
	for (size_t i = 0; i < image->n_files; i++)
		if (image->files[i].inode == event->file)
			memcpy(image->files[i].name, event->name, sizeof(event->name));
}

static void free_files(struct image *image)
{
	for (size_t i = 0; i < image->n_files; i++)
		vl_buf_free(&image->files[i].bytes);
	image->n_files = 0;
}

static void build(struct image *image, const struct choice *choice)
{
	size_t p = 0;

	for (size_t i = 0; i < image->upto; i++) {
		const struct io_event *event = &image->record->events[i];
		bool pending = p < image->n_pending && image->pending[p] == i;
		bool there = !pending || choice->there[p], torn = pending && choice->torn == p;
		p += pending;
		if (event->kind == IO_WRITE && (there || torn))
			apply_write(image, event, choice, torn);
		else if (event->kind == IO_RENAME && there)
			apply_rename(image, event);
	}
}

/* A fingerprint, and the files themselves. */
static void hash_files(const struct image *image, uint64_t kept, uint8_t digest[16])
{
	crypto_generichash_state state;

	crypto_generichash_init(&state, NULL, 0, 16);
	crypto_generichash_update(&state, (const uint8_t *)&kept, sizeof(kept));
	for (size_t i = 0; i < image->n_files; i++) {
		uint64_t size = image->files[i].bytes.size;
		crypto_generichash_update(&state, (const uint8_t *)image->files[i].name, 48);
		crypto_generichash_update(&state, (const uint8_t *)&size, sizeof(size));
		if (size > 0)
			crypto_generichash_update(&state, image->files[i].bytes.data, size);
	}
	crypto_generichash_final(&state, digest, 16);
}

static void write_files(const struct image *image, const char *folder)
{
	image_clear(folder);
	for (size_t i = 0; i < image->n_files; i++)
		if (image->files[i].name[0] != '\0')
			write_file(folder, image->files[i].name,
				   vl_buf_bytes(&image->files[i].bytes));
}

/* -- all of them -- */

struct maker {
	struct image image;
	const char *folder;
	const struct image_limits *limits;
	image_check *check;
	void *context;
	struct image_totals *totals;
	uint8_t (*seen)[16];
	size_t n_seen, seen_room;
	uint64_t kept, random;
};

static bool seen_before(struct maker *m, const uint8_t digest[16])
{
	for (size_t i = m->n_seen; i > 0; i--)
		if (memcmp(m->seen[i - 1], digest, 16) == 0)
			return true;
	if (m->n_seen == m->seen_room) {
		m->seen_room = m->seen_room == 0 ? 1024 : m->seen_room * 2;
		m->seen = realloc(m->seen, m->seen_room * 16);
		if (m->seen == NULL)
			die("hold", "fingerprints");
	}
	memcpy(m->seen[m->n_seen++], digest, 16);
	return false;
}

static void make(struct maker *m, const struct choice *choice)
{
	uint8_t digest[16];

	build(&m->image, choice);
	hash_files(&m->image, m->kept, digest);
	if (seen_before(m, digest))
		m->totals->repeated++;
	else {
		m->totals->made++;
		write_files(&m->image, m->folder);
		m->check(m->context, m->folder, m->kept);
	}
	free_files(&m->image);
}

static void make_subsets(struct maker *m)
{
	size_t n = m->image.n_pending;
	struct choice choice = {.torn = SIZE_MAX};

	if (n < 20 && ((size_t)1 << n) <= m->limits->subsets) {
		for (size_t mask = 0; mask < (size_t)1 << n; mask++) {
			for (size_t i = 0; i < n; i++)
				choice.there[i] = (mask >> i & 1) != 0;
			make(m, &choice);
		}
		return;
	}
	/* None, all, each one alone, all but one, and some at random. */
	for (size_t which = 0; which < 2 + 2 * n + m->limits->subsets; which++) {
		for (size_t i = 0; i < n; i++) {
			bool one = which >= 2 && (which - 2) / 2 == i;
			choice.there[i] = which < 2           ? which == 1
					  : which < 2 + 2 * n ? one == (which % 2 == 0)
							      : next_random(&m->random) % 2 == 0;
		}
		make(m, &choice);
	}
}

/* The last write in part, with nothing else that is pending, with all of it, and with some of
 * it. */
static void make_tears(struct maker *m)
{
	size_t n = m->image.n_pending;
	const struct io_event *last =
		n > 0 ? &m->image.record->events[m->image.pending[n - 1]] : NULL;

	if (last == NULL || last->kind != IO_WRITE || last->size <= SECTOR)
		return;
	struct choice choice = {.torn = n - 1};
	size_t sectors = (last->size + SECTOR - 1) / SECTOR;
	size_t in_order = sectors - 1 < m->limits->tears ? sectors - 1 : m->limits->tears;
	for (size_t i = 0; i < in_order + m->limits->tears; i++) {
		choice.first_count = i < in_order ? 1 + i * (sectors - 1) / in_order : 0;
		choice.sectors = next_random(&m->random);
		for (unsigned others = 0; others < 3; others++) {
			for (size_t p = 0; p + 1 < n; p++)
				choice.there[p] = others == 0   ? false
						  : others == 1 ? true
								: next_random(&m->random) % 2 == 0;
			make(m, &choice);
		}
	}
}

/* What of the events before `upto` no barrier has brought to the disk; the very last one is
 * always on its way. */
static void find_pending(struct image *image)
{
	const struct io_event *events = image->record->events;

	image->n_pending = 0;
	for (size_t i = 0; i < image->upto; i++) {
		const struct io_event *event = &events[i];
		bool safe = event->kind != IO_WRITE && event->kind != IO_RENAME;
		safe = safe || (event->kind == IO_WRITE && event->durable && i + 1 < image->upto);
		for (size_t s = i + 1; s < image->upto && !safe; s++)
			safe = events[s].kind == IO_SYNC &&
			       (event->kind == IO_WRITE ? events[s].file == event->file
							: events[s].name[0] == '\0');
		if (safe)
			continue;
		if (image->n_pending == PENDING)
			die("hold", "so many pending writes");
		image->pending[image->n_pending++] = i;
	}
}

void image_each(const struct io_record *record, const char *folder,
		const struct image_limits *limits, image_check *check, void *context,
		struct image_totals *totals)
{
	struct maker *m = calloc(1, sizeof(*m));

	if (m == NULL)
		die("hold", "images");
	*m = (struct maker){.image = {.record = record},
			    .folder = folder,
			    .limits = limits,
			    .check = check,
			    .context = context,
			    .totals = totals,
			    .random = limits->seed};
	for (m->image.upto = 0; m->image.upto <= record->count; m->image.upto++) {
		const struct io_event *last =
			m->image.upto > 0 ? &record->events[m->image.upto - 1] : NULL;
		if (last != NULL && last->kind == IO_MARK)
			m->kept = last->mark;
		m->totals->points++;
		find_pending(&m->image);
		make_subsets(m);
		make_tears(m);
	}
	free(m->seen);
	free(m);
}
