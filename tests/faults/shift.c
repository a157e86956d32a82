/*
 * shift: a wrong clock for a whole program, by LD_PRELOAD. What asks for the date gets it so
 * many seconds off as the file named in VALISE_SHIFT says (eight bytes, native order), which the
 * test changes while the program runs. CLOCK_MONOTONIC stays as it is, as it does on a machine
 * whose clock is set; a wait until some date ends at that date, also where that is a year later
 * than it was.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

/* A wait until some second since the machine was started is never one until so late. */
#define A_DATE 500000000

static const volatile int64_t *shift;

__attribute__((constructor)) static void open_shift(void)
{
	const char *path = getenv("VALISE_SHIFT");
	int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *map = fd >= 0 ? mmap(NULL, sizeof(*shift), PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;

	if (fd >= 0)
		(void)close(fd);
	if (map != MAP_FAILED)
		shift = map;
}

static int64_t seconds_off(void)
{
	return shift != NULL ? *shift : 0;
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
	int rc = (int)syscall(SYS_clock_gettime, clock, time);

	if (rc == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
		time->tv_sec += seconds_off();
	return rc;
}

int timespec_get(struct timespec *time, int base)
{
	return base == TIME_UTC && clock_gettime(CLOCK_REALTIME, time) == 0 ? base : 0;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone)
{
	struct timespec now;

	(void)zone;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	*time = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
	return 0;
}

time_t time(time_t *out)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	if (out != NULL)
		*out = now.tv_sec;
	return now.tv_sec;
}

/* The kernel does not know our date, and it may be set meanwhile: wait for a while, and look
 * again. True where that while ends with the whole wait. */
static bool next_while(const struct timespec *until, struct timespec *kernels)
{
	struct timespec now;
	int64_t off = until->tv_sec > A_DATE ? seconds_off() : 0;

	(void)syscall(SYS_clock_gettime, until->tv_sec > A_DATE ? CLOCK_REALTIME : CLOCK_MONOTONIC,
		      &now);
	*kernels = *until;
	kernels->tv_sec -= off;
	if (kernels->tv_sec <= now.tv_sec + 1)
		return true;
	now.tv_sec++;
	*kernels = now;
	return false;
}

int pthread_cond_timedwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex,
			   const struct timespec *restrict until)
{
	static int (*real)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
	struct timespec kernels;
	bool last;
	int rc;

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "pthread_cond_timedwait");
	do {
		last = next_while(until, &kernels);
		rc = real(cond, mutex, &kernels);
	} while (rc == ETIMEDOUT && !last);
	return rc;
}

/* The C library's own, which does not go by way of the one above. */
int cnd_timedwait(cnd_t *restrict cond, mtx_t *restrict mutex,
		  const struct timespec *restrict until)
{
	static int (*real)(cnd_t *, mtx_t *, const struct timespec *);
	struct timespec kernels;
	bool last;
	int rc;

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "cnd_timedwait");
	do {
		last = next_while(until, &kernels);
		rc = real(cond, mutex, &kernels);
	} while (rc == thrd_timedout && !last);
	return rc;
}
