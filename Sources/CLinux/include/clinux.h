// What Glibc's Swift module lacks: epoll, eventfd, signalfd, accept4.
#pragma once
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

/// accept4 with SOCK_NONBLOCK and SOCK_CLOEXEC; its declaration needs _GNU_SOURCE, which Swift's importer does not set.
int clinux_accept(int listener, struct sockaddr *address, socklen_t *length);

/// Names the calling thread, for top and debuggers; prctl is variadic, which Swift cannot call.
void clinux_name_thread(const char *name);
