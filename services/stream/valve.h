/*
 * Valves on a producer's connections, for services/stream only. TCP fills whatever stands
 * between it and the other end: a router on a thin line holds seconds of it, in front of all
 * that other connections send. So each connection of a producer that gives way gets a thread,
 * once it is there, which stands between librdkafka and the kernel and passes on only so much
 * that what is not confirmed fits the line (gauge.h). The rest waits here, where it is in
 * nobody's way. What comes back passes at once.
 *
 * It is put in with dup: librdkafka's descriptor, connected, becomes one end of a pair of local
 * sockets, and the valve has the connection. Encryption is librdkafka's, before the valve.
 */
#ifndef VALISE_STREAM_VALVE_H
#define VALISE_STREAM_VALVE_H

#include <stdint.h>
#include <sys/socket.h>

/* All valves of one producer. */
struct vl_valves;

/* NULL when out of memory. */
struct vl_valves *vl_valves_open(void);

/* Once librdkafka has closed all its sockets. NULL is fine. */
void vl_valves_close(struct vl_valves *valves);

/* What librdkafka's socket_cb, connect_cb and closesocket_cb are to do; from any thread.
 * `valves` NULL: as if there were none. */
int vl_valves_socket(int domain, int type, int protocol);
int vl_valves_connect(struct vl_valves *valves, int fd, const struct sockaddr *address,
		      socklen_t size);
int vl_valves_closesocket(struct vl_valves *valves, int fd);

/* What the line carries, in bytes a second; 0 while that is not known. */
uint64_t vl_valves_rate(struct vl_valves *valves);

#endif
