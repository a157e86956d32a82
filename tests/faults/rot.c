#include "rot.h"

#include "faults.h"

#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Of the processor's time; and of anybody's, for one that only waits. */
#define HANG_BUSY 10
#define HANG_IDLE 120

#define PAGE 4096
#define SECTOR 512

/* Reports of memory errors in a child need no symbols: there may be many. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "symbolize=0";
}

static const char *name_of(enum rot_verdict verdict)
{
	static const char *const names[] = {"same",   "refused", "found", "found later",
					    "unseen", "WRONG",   "died",  "hung"};
	_Static_assert(sizeof(names) / sizeof(names[0]) == ROT_VERDICTS, "a name for each verdict");

	return names[verdict];
}

/* What the children tell, kept in memory that outlives them. */
struct told {
	size_t done;
	uint8_t verdicts[];
};

static void data_path(char path[PATH_MAX], const char *folder)
{
	(void)snprintf(path, PATH_MAX, "%s/data.mdb", folder);
}

static size_t file_size(const struct rot *rot)
{
	char path[PATH_MAX];
	struct stat stat_;

	data_path(path, rot->sound);
	return stat(path, &stat_) == 0 ? (size_t)stat_.st_size : 0;
}

static void spoil(const struct rot *rot, size_t at, bool cut, unsigned shift)
{
	char path[PATH_MAX];
	uint8_t byte;

	image_copy(rot->sound, rot->folder);
	data_path(path, rot->folder);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		abort();
	if (cut) {
		if (ftruncate(fd, (off_t)at) != 0)
			abort();
	} else if (pread(fd, &byte, 1, (off_t)at) == 1) {
		byte ^= (uint8_t)(1u << ((at + shift) % 8));
		if (pwrite(fd, &byte, 1, (off_t)at) != 1)
			abort();
	}
	(void)close(fd);
}

/* Judge from `told->done` on, until the end or death. */
static void child(const struct rot *rot, struct told *told, const size_t *at, size_t n, bool cut,
		  unsigned shift)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	(void)dup2(null, STDERR_FILENO);
	for (const int *s = (const int[]){SIGSEGV, SIGBUS, SIGABRT, SIGFPE, 0}; *s != 0; s++)
		(void)signal(*s, SIG_DFL);
	for (size_t i = told->done; i < n; i++) {
		spoil(rot, at[i], cut, shift);
		(void)setitimer(ITIMER_PROF, &(struct itimerval){.it_value = {HANG_BUSY, 0}}, NULL);
		(void)alarm(HANG_IDLE);
		told->verdicts[i] = (uint8_t)rot->judge(rot->context, rot->folder);
		told->done = i + 1;
	}
	_exit(0);
}

static void run(struct rot *rot, const size_t *at, size_t n, bool cut, unsigned shift)
{
	size_t size = sizeof(struct told) + n;
	struct told *told =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;

	if (told == MAP_FAILED)
		abort();
	while (told->done < n) {
		(void)fflush(NULL);
		pid_t pid = fork();
		if (pid == 0)
			child(rot, told, at, n, cut, shift);
		if (pid < 0 || waitpid(pid, &status, 0) != pid)
			abort();
		if (told->done == n)
			break;
		bool hung = WIFSIGNALED(status) &&
			    (WTERMSIG(status) == SIGALRM || WTERMSIG(status) == SIGPROF);
		told->verdicts[told->done++] = hung ? ROT_HUNG : ROT_DIED;
	}
	for (size_t i = 0; i < n; i++)
		if (rot->counts[told->verdicts[i]]++ == 0)
			rot->first[told->verdicts[i]] = at[i];
		else if (getenv("VALISE_SHOW") != NULL && told->verdicts[i] >= ROT_LATER)
			printf("  %zu: %s\n", at[i], name_of(told->verdicts[i]));
	(void)munmap(told, size);
}

static void print(const struct rot *rot, const char *what, const char *how)
{
	printf("%s%s:", what, how);
	for (unsigned v = 0; v < ROT_VERDICTS; v++)
		printf(" %s %llu%s", name_of(v), (unsigned long long)rot->counts[v],
		       v + 1 < ROT_VERDICTS ? "," : "\n");
	for (unsigned v = ROT_FOUND; v < ROT_VERDICTS; v++)
		if (rot->counts[v] > 0)
			printf("  the first %s is at %zu\n", name_of(v), rot->first[v]);
	assert_int_equal(rot->counts[ROT_WRONG], 0);
	assert_int_equal(rot->counts[ROT_HUNG], 0);
}

void rot_bits(struct rot *rot, const char *what)
{
	const char *only = getenv("VALISE_AT");
	uint64_t seed = faults_seed(), state = seed;
	size_t size = file_size(rot), most = faults_most(2500, SIZE_MAX),
	       n = most < size ? most : size, at = 0;
	size_t *offsets = calloc(n, sizeof(*offsets));

	if (offsets == NULL)
		abort();
	for (size_t i = 0; i < n; i++)
		offsets[i] = i * size / n + faults_next(&state) % (size / n);
	if (only != NULL) {
		at = strtoull(only, NULL, 0);
		for (unsigned shift = 0; shift < 8; shift++)
			run(rot, &at, 1, false, shift);
	} else {
		run(rot, offsets, n, false, (unsigned)(state % 8));
		printf("%s: %zu of %zu bytes with a bit turned; VALISE_SEED=%" PRIu64 "\n", what, n,
		       size, seed);
	}
	free(offsets);
	print(rot, what, "");
}

void rot_cut(struct rot *rot, const char *what)
{
	size_t n = file_size(rot) / PAGE * 2, *sizes = calloc(n, sizeof(*sizes));

	if (sizes == NULL)
		abort();
	for (size_t i = 0; i < n; i++)
		sizes[i] = i / 2 * PAGE + i % 2 * SECTOR;
	run(rot, sizes, n, true, 0);
	free(sizes);
	print(rot, what, " cut short");
}
