/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tells ThreadSanitizer of what orders threads and what it doesn't see by itself, so that these
 * need no suppressions, under which real races would hide. It knows most of pthreads; but GLib
 * makes GMutex and GCond (GStreamer's object locks are GMutex) of futexes, and neither library is
 * instrumented. Loaded before a test program by tests/sanitizers/run. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <gst/gst.h>
#include <pthread.h>
#include <time.h>

/* Of libtsan. The program has it; what it starts may not. */
void __tsan_acquire(void* address) __attribute__((weak));
void __tsan_release(void* address) __attribute__((weak));

static void acquire(void* address) {
  if (__tsan_acquire) __tsan_acquire(address);
}

static void release(void* address) {
  if (__tsan_release) __tsan_release(address);
}

/* `next`: the library's own function of this name. */
#define NEXT(function)                           \
  static __typeof__(function)* next = NULL;      \
  if (!__atomic_load_n(&next, __ATOMIC_ACQUIRE)) \
  __atomic_store_n(&next, (__typeof__(function)*)dlsym(RTLD_NEXT, #function), __ATOMIC_RELEASE)

/* ---- GLib ------------------------------------------------------------------------------------ */

void g_mutex_lock(GMutex* mutex) {
  NEXT(g_mutex_lock);
  next(mutex);
  acquire(mutex);
}

gboolean g_mutex_trylock(GMutex* mutex) {
  NEXT(g_mutex_trylock);
  const gboolean locked = next(mutex);
  if (locked) acquire(mutex);
  return locked;
}

void g_mutex_unlock(GMutex* mutex) {
  NEXT(g_mutex_unlock);
  release(mutex);
  next(mutex);
}

void g_cond_wait(GCond* cond, GMutex* mutex) {
  NEXT(g_cond_wait);
  release(mutex);
  next(cond, mutex);
  acquire(mutex);
}

gboolean g_cond_wait_until(GCond* cond, GMutex* mutex, gint64 end_time) {
  NEXT(g_cond_wait_until);
  release(mutex);
  const gboolean signalled = next(cond, mutex, end_time);
  acquire(mutex);
  return signalled;
}

/* GLib takes a queue's lock without the functions above. GstHarness has such queues. */
void g_async_queue_push(GAsyncQueue* queue, gpointer data) {
  NEXT(g_async_queue_push);
  release(queue);
  next(queue, data);
}

gpointer g_async_queue_pop(GAsyncQueue* queue) {
  NEXT(g_async_queue_pop);
  gpointer data = next(queue);
  acquire(queue);
  return data;
}

gpointer g_async_queue_try_pop(GAsyncQueue* queue) {
  NEXT(g_async_queue_try_pop);
  gpointer data = next(queue);
  acquire(queue);
  return data;
}

gpointer g_async_queue_timeout_pop(GAsyncQueue* queue, guint64 timeout) {
  NEXT(g_async_queue_timeout_pop);
  gpointer data = next(queue, timeout);
  acquire(queue);
  return data;
}

/* A pool's tasks see what was done before they were pushed: the src task is one. */
struct work {
  GFunc function;
  gpointer data;
};

static void run(gpointer data, gpointer pool_data) {
  const struct work* work = pool_data;
  acquire(data);
  work->function(data, work->data);
}

GThreadPool* g_thread_pool_new(GFunc function, gpointer data, gint threads, gboolean exclusive,
                               GError** error) {
  NEXT(g_thread_pool_new);
  struct work* work = g_new(struct work, 1); /* as long as the process: a pool or two */
  *work = (struct work){function, data};
  return next(run, work, threads, exclusive, error);
}

gboolean g_thread_pool_push(GThreadPool* pool, gpointer data, GError** error) {
  NEXT(g_thread_pool_push);
  release(data);
  return next(pool, data, error);
}

/* ---- GStreamer ------------------------------------------------------------------------------- */

/* A bus has a queue without locks. */
gboolean gst_element_post_message(GstElement* element, GstMessage* message) {
  NEXT(gst_element_post_message);
  release(message);
  return next(element, message);
}

static GstMessage* taken(GstMessage* message) {
  if (message) acquire(message);
  return message;
}

GstMessage* gst_bus_pop_filtered(GstBus* bus, GstMessageType types) {
  NEXT(gst_bus_pop_filtered);
  return taken(next(bus, types));
}

GstMessage* gst_bus_timed_pop_filtered(GstBus* bus, GstClockTime timeout, GstMessageType types) {
  NEXT(gst_bus_timed_pop_filtered);
  return taken(next(bus, timeout, types));
}

/* ---- glibc ----------------------------------------------------------------------------------- */

/* Of std::timed_mutex. GCC 12's libtsan doesn't know it, and then complains of the unlocking; it
 * does know pthread_mutex_timedlock(), whose clock is another one. */
int pthread_mutex_clocklock(pthread_mutex_t* mutex, clockid_t clock, const struct timespec* until) {
  struct timespec now, real;
  clock_gettime(clock, &now);
  clock_gettime(CLOCK_REALTIME, &real);
  const gint64 time = (gint64)(real.tv_sec + until->tv_sec - now.tv_sec) * 1000000000 +
                      real.tv_nsec + until->tv_nsec - now.tv_nsec;
  real.tv_sec = time / 1000000000;
  real.tv_nsec = time % 1000000000;
  return pthread_mutex_timedlock(mutex, &real);
}
