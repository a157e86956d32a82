/*
 * LMDB marks each process that reads by a lock on the byte of lock.mdb whose offset is its
 * number. Two containers that share the folder and not the numbering may have the same number:
 * whoever comes second cannot mark itself. It then goes by another number, one that no process
 * can have. LMDB asks for its number in two places only, when an environment is made and when it
 * is closed; meanwhile, and on that thread alone, getpid() answers with it.
 */
#include "store/inside.h"

#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PROCESSES ((uint32_t)1 << 22) /* Linux has no more */

static _Thread_local pid_t assumed;

pid_t getpid(void)
{
	return assumed != 0 ? assumed : (pid_t)syscall(SYS_getpid);
}

void vl_store_assume(pid_t identity)
{
	assumed = identity;
}

pid_t vl_store_new_identity(void)
{
	uint32_t random = 0;

	if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
		random = (uint32_t)syscall(SYS_getpid);
	return (pid_t)(PROCESSES + 1 + random % (((uint32_t)1 << 30) - PROCESSES));
}
