/*
 * The fair fast limit: a TCP echo server in plain C, one thread over edge-triggered epoll. A message costs one read and one
 * write: a read that does not fill the buffer has drained the socket, unless the peer has hung up, so the read that would
 * only say EAGAIN is spared. Prints its port as one JSON line and ends when stdin does.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

struct connection {
  int fd;
  int hung_up;
  size_t length, done;
  char *rest; /* what a full socket did not take; nothing more is read until it has */
};

static char buffer[65536];
static struct connection listener, input;

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static void watch(int epoll, int fd, struct connection *connection, unsigned events) {
  struct epoll_event event = {.events = events, .data.ptr = connection};
  connection->fd = fd;
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0) fail("epoll_ctl");
}

static void end(struct connection *connection) {
  close(connection->fd);
  free(connection->rest);
  free(connection);
}

static int keep(struct connection *connection, const char *data, size_t length) {
  connection->rest = malloc(length);
  if (!connection->rest) return 0;
  memcpy(connection->rest, data, length);
  connection->length = length;
  connection->done = 0;
  return 1;
}

/* 1: all written; 0: the rest is kept for later; -1: the connection is over. */
static int put(struct connection *connection, const char *data, size_t length) {
  size_t done = 0;
  while (done < length) {
    ssize_t count = write(connection->fd, data + done, length - done);
    if (count >= 0) done += (size_t)count;
    else if (errno == EAGAIN) return keep(connection, data + done, length - done) ? 0 : -1;
    else if (errno != EINTR) return -1;
  }
  return 1;
}

static int flush(struct connection *connection) {
  while (connection->done < connection->length) {
    ssize_t count = write(connection->fd, connection->rest + connection->done, connection->length - connection->done);
    if (count >= 0) connection->done += (size_t)count;
    else if (errno == EAGAIN) return 0;
    else if (errno != EINTR) return -1;
  }
  free(connection->rest);
  connection->rest = NULL;
  return 1;
}

static void echo(struct connection *connection, unsigned events) {
  int going = 1;
  if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) connection->hung_up = 1;
  if (connection->rest) going = flush(connection);
  while (going == 1) {
    ssize_t count = read(connection->fd, buffer, sizeof buffer);
    if (count > 0) {
      going = put(connection, buffer, (size_t)count);
      if ((size_t)count < sizeof buffer && !connection->hung_up) break;
    } else if (count < 0 && errno == EAGAIN) break;
    else if (count == 0 || errno != EINTR) going = -1;
  }
  if (going < 0) end(connection);
}

static void accept_all(int epoll) {
  int on = 1, fd;
  while ((fd = accept4(listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
    struct connection *connection = calloc(1, sizeof *connection);
    if (!connection) fail("calloc");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    watch(epoll, fd, connection, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
  }
}

int main(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  struct epoll_event events[1024];
  struct rlimit files;
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

  signal(SIGPIPE, SIG_IGN);
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  if (epoll < 0 || fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 4096) < 0)
    fail("listen");
  if (getsockname(fd, (struct sockaddr *)&address, &length) < 0) fail("getsockname");
  watch(epoll, fd, &listener, EPOLLIN | EPOLLET);
  watch(epoll, STDIN_FILENO, &input, EPOLLIN);
  printf("{\"port\":%d}\n", ntohs(address.sin_port));
  fflush(stdout);

  for (;;) {
    int count = epoll_wait(epoll, events, 1024, -1);
    if (count < 0 && errno != EINTR) fail("epoll_wait");
    for (int index = 0; index < count; index++) {
      struct connection *connection = events[index].data.ptr;
      if (connection == &input) return 0;
      if (connection == &listener) accept_all(epoll);
      else echo(connection, events[index].events);
    }
  }
}
