/*
 * Valves on a producer's connections, for services/stream only.
 *
 * TCP fills all buffers between it and the other end. A router on a slow line holds seconds of
 * data, in front of all that other connections send. So each connection of a producer that gives
 * way gets a thread when it is open. The thread stands between librdkafka and the kernel. It passes
 * on only so many bytes that the unconfirmed ones fit the line (gauge.h). The rest waits here,
 * where it delays no other connection. Bytes that come back pass at once.
 *
 * It is put in with dup: librdkafka's descriptor, connected, becomes one end of a pair of local
 * sockets, and the valve has the connection. Encryption is librdkafka's, before the valve.
 *
 * Next: reader.h, which reads partitions.
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

/* The actions of librdkafka's socket_cb, connect_cb and closesocket_cb; from any thread. With
 * `valves` NULL they act as without valves. */
int vl_valves_socket(int domain, int type, int protocol);
int vl_valves_connect(struct vl_valves *valves, int fd, const struct sockaddr *address,
		      socklen_t size);
int vl_valves_closesocket(struct vl_valves *valves, int fd);

/* The speed of the line in bytes a second; 0 while it is unknown. */
uint64_t vl_valves_rate(struct vl_valves *valves);

#endif
